#include "actors/audit/audit_file_io.hpp"

#include "actors/audit/audit_line.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <unistd.h>

namespace breakwater {
namespace {

class audit_file final : public audit_port {
public:
  audit_file(int descriptor, std::string path, std::uint64_t last_number)
      : descriptor_(descriptor), path_(std::move(path)), last_number_(last_number) {}
  ~audit_file() override { ::close(descriptor_); }
  audit_file(const audit_file&) = delete;
  audit_file& operator=(const audit_file&) = delete;

  [[nodiscard]] std::uint64_t last_number() const override { return last_number_; }

  result<done> append(std::string_view line) override {
    std::string whole{line};
    whole += '\n';
    const auto written = ::write(descriptor_, whole.data(), whole.size());
    if (written == static_cast<ssize_t>(whole.size())) {
      last_number_ = audit_number(line);
      return done{};
    }
    const std::string why = written < 0 ? std::strerror(errno) : "only a part was written";
    if (written > 0) { // take the torn part away, so that the next line starts on its own
      const auto end = ::lseek(descriptor_, 0, SEEK_END);
      if (::ftruncate(descriptor_, end - written) != 0)
        return failure{errc::file_unreadable, path_ + ": " + why};
    }
    return failure{errc::file_unreadable, path_ + ": " + why};
  }

private:
  int descriptor_;
  std::string path_;
  std::uint64_t last_number_;
};

} // namespace

result<std::shared_ptr<audit_port>> open_audit_file(const std::string& path) {
  std::uint64_t last = 0;
  bool torn = false;
  if (std::ifstream there{path}) {
    std::string line;
    while (std::getline(there, line)) {
      torn = there.eof(); // getline met the end before a line end
      if (const auto number = audit_number(line)) last = number;
    }
  }
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
  if (descriptor < 0) return failure{errc::file_unreadable, path + ": " + std::strerror(errno)};
  auto file = std::make_shared<audit_file>(descriptor, path, last);
  if (torn && ::write(descriptor, "\n", 1) != 1)
    return failure{errc::file_unreadable, path + ": " + std::strerror(errno)};
  return std::shared_ptr<audit_port>{std::move(file)};
}

} // namespace breakwater
