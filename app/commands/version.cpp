#include "app/commands/version.hpp"

#include <CLI/Version.hpp>
#include <boost/version.hpp>
#include <caf/config.hpp>
#include <fmt/core.h>
#include <hiredis.h>
#include <lmdb.h>
#include <nlohmann/json.hpp>
#include <openssl/crypto.h>
#include <openssl/opensslv.h>
#include <spdlog/version.h>
#include <toml++/impl/version.h>

#include <filesystem>
#include <gnu/libc-version.h>
#include <iomanip>
#include <link.h>
#include <sstream>
#include <string_view>
#include <vector>

namespace breakwater {
namespace {

/// One library: what we were compiled with, and what is there now.
struct dependency {
  std::string name, built;
  std::string_view file{}; ///< How the file of a shared library begins; empty: it is all headers.
  std::string loaded{};    ///< What it says of itself, if it can tell.
};

std::string joined(int major, int minor, int patch) {
  return std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(patch);
}

/// The file, its links followed, of the loaded library that begins so; empty: none is loaded.
std::string loaded_file(std::string_view begins) {
  struct wanted {
    std::string_view begins;
    std::string found{};
  } search{begins};
  dl_iterate_phdr(
      [](dl_phdr_info* info, std::size_t, void* to) {
        auto& of = *static_cast<wanted*>(to);
        const std::filesystem::path path{info->dlpi_name};
        if (!path.filename().string().starts_with(of.begins)) return 0;
        std::error_code error;
        const auto meant = std::filesystem::canonical(path, error);
        of.found = (error ? path : meant).filename().string();
        return 1;
      },
      &search);
  return search.found;
}

std::vector<dependency> dependencies() {
  return {
      {"CAF", joined(CAF_MAJOR_VERSION, CAF_MINOR_VERSION, CAF_PATCH_VERSION), "libcaf_core.so"},
      {"hiredis", joined(HIREDIS_MAJOR, HIREDIS_MINOR, HIREDIS_PATCH), "libhiredis.so"},
      {"Boost", joined(BOOST_VERSION / 100000, BOOST_VERSION / 100 % 1000, BOOST_VERSION % 100)},
      {"OpenSSL", OPENSSL_VERSION_STR, "libssl.so", OpenSSL_version(OPENSSL_VERSION_STRING)},
      {"LMDB", joined(MDB_VERSION_MAJOR, MDB_VERSION_MINOR, MDB_VERSION_PATCH), "liblmdb.so",
       [] {
         int major = 0, minor = 0, patch = 0;
         mdb_version(&major, &minor, &patch);
         return joined(major, minor, patch);
       }()},
      {"simdjson", BREAKWATER_SIMDJSON_VERSION, "libsimdjson.so"},
      {"nlohmann_json",
       joined(NLOHMANN_JSON_VERSION_MAJOR, NLOHMANN_JSON_VERSION_MINOR, NLOHMANN_JSON_VERSION_PATCH)},
      {"valijson", BREAKWATER_VALIJSON_VERSION},
      {"spdlog", joined(SPDLOG_VER_MAJOR, SPDLOG_VER_MINOR, SPDLOG_VER_PATCH), "libspdlog.so"},
      {"fmt", joined(FMT_VERSION / 10000, FMT_VERSION / 100 % 100, FMT_VERSION % 100), "libfmt.so"},
      {"toml++", joined(TOML_LIB_MAJOR, TOML_LIB_MINOR, TOML_LIB_PATCH)},
      {"CLI11", CLI11_VERSION},
      {"prometheus-cpp", BREAKWATER_PROMETHEUS_VERSION, "libprometheus-cpp-core.so"},
      {"libsystemd", BREAKWATER_SYSTEMD_VERSION, "libsystemd.so"},
      {"glibc", std::to_string(__GLIBC__) + "." + std::to_string(__GLIBC_MINOR__), "libc.so",
       gnu_get_libc_version()},
  };
}

} // namespace

std::string version_text(bool verbose) {
  std::ostringstream out;
  out << "breakwater " BREAKWATER_VERSION;
  if (!verbose) return out.str();
  const auto row = [&](const std::string& name, const std::string& built, const std::string& loaded) {
    out << '\n' << std::left << std::setw(16) << name << std::setw(14) << built << loaded;
  };
#if defined(__clang__)
  const std::string compiler = "clang " __clang_version__;
#else
  const std::string compiler = "g++ " __VERSION__;
#endif
  out << "\nbuilt by " << compiler << ", " << BREAKWATER_BUILD_TYPE << '\n';
  row("library", "built with", "loaded");
  for (const auto& one : dependencies()) {
    if (one.file.empty()) {
      row(one.name, one.built, "headers only");
      continue;
    }
    auto file = loaded_file(one.file);
    if (file.empty()) file = "not loaded";
    row(one.name, one.built, one.loaded.empty() ? file : one.loaded + " (" + file + ")");
  }
  return out.str();
}

} // namespace breakwater
