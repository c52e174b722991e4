#include "config/print.hpp"

#include <filesystem>
#include <fstream>
#include <iostream>

/// breakwater_config_docs FOLDER: writes breakwater.toml and reference.md there.
int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: breakwater_config_docs FOLDER\n";
    return 2;
  }
  const std::filesystem::path folder{argv[1]};
  std::ofstream example{folder / "breakwater.toml"}, reference{folder / "reference.md"};
  example << breakwater::example_config();
  reference << breakwater::config_reference();
  if (example.flush() && reference.flush()) return 0;
  std::cerr << "cannot write to " << folder << '\n';
  return 1;
}
