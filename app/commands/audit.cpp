#include "app/commands/audit.hpp"

#include "actors/audit/audit_file_io.hpp"
#include "app/commands/common.hpp"

#include <iostream>

namespace breakwater {

int audit_verify_command(const std::string& config_path) {
  const auto settings = load_without_log(config_path);
  if (!settings) return exit_unusable;
  const auto& folder = settings->process.data_dir;
  const auto found = check_audit_file(folder);
  if (!found) return refuse(found.error());
  const auto log = folder + "/audit.jsonl";
  for (const auto& problem : found->problems)
    std::cout << log << ":" << (problem.line > 0 ? std::to_string(problem.line) + ":" : "") << " "
              << problem.text << "\n";
  if (found->problem_count > found->problems.size())
    std::cout << log << ": and " << found->problem_count - found->problems.size() << " more problems\n";
  std::cout << "audit log " << log << ": " << (found->lines > 0 ? std::to_string(found->lines) : "no")
            << " lines";
  if (found->lines > 0)
    std::cout << ", newest is number " << found->tip.number << " of " << found->newest_time;
  std::cout << (found->problem_count == 0 ? "; the chain is intact\n" : "; the chain is broken\n");
  return found->problem_count == 0 ? exit_ok : exit_failed;
}

} // namespace breakwater
