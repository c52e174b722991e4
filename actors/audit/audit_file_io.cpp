#include "actors/audit/audit_file_io.hpp"

#include "actors/audit/sha256_io.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <optional>
#include <sys/stat.h>
#include <unistd.h>

namespace breakwater {
namespace {

constexpr std::size_t block_bytes = std::size_t{64} << 10;
/// We write none as long; what is longer is told as unreadable.
constexpr std::size_t longest_line = std::size_t{1} << 20;

failure failed(const std::string& path) {
  return {errc::file_unreadable, path + ": " + std::strerror(errno)};
}

class descriptor {
public:
  descriptor() = default;
  descriptor(const std::string& path, int flags) : number_(::open(path.c_str(), flags | O_CLOEXEC, 0640)) {}
  descriptor(descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  descriptor& operator=(descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  [[nodiscard]] int number() const noexcept { return number_; }
  explicit operator bool() const noexcept { return number_ >= 0; }

private:
  int number_ = -1;
};

std::string log_of(const std::string& folder) { return folder + "/audit.jsonl"; }
std::string head_of(const std::string& folder) { return folder + "/audit.head"; }

/// Always as long, so that it is replaced in place by one write.
std::string head_text(const audit_tip& tip) {
  std::array<char, 24> number{};
  std::snprintf(number.data(), number.size(), "%020llu", static_cast<unsigned long long>(tip.number));
  return std::string{number.data()} + " " + tip.hash + "\n";
}

std::optional<audit_tip> read_head(const std::string& folder) {
  const descriptor file{head_of(folder), O_RDONLY};
  if (!file) return std::nullopt;
  std::string text(head_text({}).size(), '\0');
  if (::read(file.number(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    return std::nullopt;
  audit_tip tip;
  if (std::from_chars(text.data(), text.data() + 20, tip.number).ec != std::errc{}) return std::nullopt;
  tip.hash = text.substr(21, 64);
  if (head_text(tip) != text) return std::nullopt;
  return tip;
}

audit_state_found state_of(const audit_check& check, std::string torn) {
  audit_state_found found;
  found.tip = check.tip();
  found.lines = check.lines();
  found.problems = check.problems();
  found.problem_count = check.problem_count();
  found.newest_time = check.newest_time();
  found.torn = std::move(torn);
  return found;
}

/// Reads from the start of the file to its end; `whole` is where the last line ends. The head is looked at
/// before and after.
result<audit_state_found> read_log(int file, const std::string& folder, off_t& whole) {
  audit_check check{sha256, read_head(folder)};
  std::string rest, block(block_bytes, '\0');
  bool too_long = false; // what `rest` began with is no line, and was told; its end is still to come
  whole = 0;
  for (off_t at = 0;;) {
    const auto size = ::pread(file, block.data(), block.size(), at);
    if (size < 0) return failed(log_of(folder));
    if (size == 0) break;
    at += size;
    rest.append(block, 0, static_cast<std::size_t>(size));
    std::size_t begin = 0;
    for (auto end = rest.find('\n'); end != std::string::npos; end = rest.find('\n', begin)) {
      if (!std::exchange(too_long, false)) check.take(std::string_view{rest}.substr(begin, end - begin));
      begin = end + 1;
    }
    rest.erase(0, begin);
    whole = at - static_cast<off_t>(rest.size());
    if (rest.size() <= longest_line) continue;
    if (!std::exchange(too_long, true)) check.take({});
    rest.clear();
  }
  check.finish(read_head(folder));
  return state_of(check, rest.substr(0, 200));
}

class file_in_folder final : public audit_port {
public:
  explicit file_in_folder(std::string folder) : folder_(std::move(folder)) {}

  result<audit_state_found> open() override {
    log_ = descriptor{log_of(folder_), O_RDWR | O_CREAT | O_APPEND};
    if (!log_) return failed(log_of(folder_));
    head_ = descriptor{head_of(folder_), O_WRONLY | O_CREAT};
    if (!head_) return failed(head_of(folder_));
    if (const descriptor folder{folder_, O_RDONLY | O_DIRECTORY}; !folder || ::fsync(folder.number()) != 0)
      return failed(folder_);
    off_t whole = 0;
    auto found = read_log(log_.number(), folder_, whole);
    if (found && !found->torn.empty() && !end_torn_line(*found, whole)) return failed(log_of(folder_));
    return found;
  }

  result<done> append(const audit_entry& entry) override {
    // Somebody removed or replaced the file: a new one is begun, and the gap is there to be seen.
    if (!is_the_file_of_its_name())
      if (auto again = open(); !again) return again.error();
    const auto whole = entry.line + "\n";
    const auto before = ::lseek(log_.number(), 0, SEEK_END);
    const auto written = ::write(log_.number(), whole.data(), whole.size());
    if (written == static_cast<ssize_t>(whole.size()) && ::fdatasync(log_.number()) == 0) {
      // Should this fail, the next line's will not; the log itself is right.
      const auto head = head_text(entry.tip);
      static_cast<void>(::pwrite(head_.number(), head.data(), head.size(), 0));
      static_cast<void>(::fdatasync(head_.number()));
      return done{};
    }
    if (written >= 0 && written < static_cast<ssize_t>(whole.size())) errno = ENOSPC;
    auto why = failed(log_of(folder_));
    // The next line starts on its own; where that cannot be had, opening the log again mends it first.
    if (written > 0 && ::ftruncate(log_.number(), before) != 0) log_ = {};
    return why;
  }

  std::vector<std::string> newest(std::size_t limit) override {
    std::vector<std::string> lines;
    if (!log_) return lines;
    // Backwards, a block at a time; `rest` begins with the part of a line whose start is in an earlier block.
    std::string rest;
    for (off_t at = ::lseek(log_.number(), 0, SEEK_END); at > 0 && lines.size() < limit;) {
      const auto size = std::min<off_t>(at, block_bytes);
      std::string block(static_cast<std::size_t>(size), '\0');
      if (::pread(log_.number(), block.data(), block.size(), at - size) != size) break;
      at -= size;
      rest.insert(0, block);
      while (lines.size() < limit && !rest.empty()) {
        const auto end = rest.size() - 1; // of the last line
        const auto before = end == 0 ? std::string::npos : rest.rfind('\n', end - 1);
        if (before == std::string::npos && at > 0) break;
        const auto begin = before == std::string::npos ? 0 : before + 1;
        lines.push_back(rest.substr(begin, end - begin));
        rest.resize(begin);
      }
    }
    return lines;
  }

private:
  bool end_torn_line(const audit_state_found& found, off_t whole) {
    const auto head = read_head(folder_);
    const bool acknowledged = head && head->number == found.tip.number && found.problem_count > 0;
    return acknowledged ? ::write(log_.number(), "\n", 1) == 1 : ::ftruncate(log_.number(), whole) == 0;
  }
  [[nodiscard]] bool is_the_file_of_its_name() const {
    struct stat ours {
    }, named{};
    return log_ && ::fstat(log_.number(), &ours) == 0 && ::stat(log_of(folder_).c_str(), &named) == 0 &&
           ours.st_ino == named.st_ino && ours.st_dev == named.st_dev;
  }

  std::string folder_;
  descriptor log_, head_;
};

} // namespace

std::shared_ptr<audit_port> audit_file(const std::string& folder) {
  return std::make_shared<file_in_folder>(folder);
}

result<done> can_append_audit(const std::string& folder) {
  if (const descriptor log{log_of(folder), O_RDWR | O_CREAT | O_APPEND}; !log) return failed(log_of(folder));
  if (const descriptor head{head_of(folder), O_WRONLY | O_CREAT}; !head) return failed(head_of(folder));
  return done{};
}

result<audit_state_found> check_audit_file(const std::string& folder) {
  const descriptor log{log_of(folder), O_RDONLY};
  off_t whole = 0;
  if (log) return read_log(log.number(), folder, whole);
  if (errno != ENOENT) return failed(log_of(folder));
  audit_check check{sha256, read_head(folder)};
  check.finish(read_head(folder));
  return state_of(check, {});
}

} // namespace breakwater
