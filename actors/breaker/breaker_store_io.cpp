#include "actors/breaker/breaker_store_io.hpp"

#include <boost/crc.hpp>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <deque>
#include <fcntl.h>
#include <fstream>
#include <map>
#include <mutex>
#include <optional>
#include <sys/stat.h>
#include <unistd.h>

namespace breakwater {
namespace {

failure failed(const std::string& path) {
  return {errc::file_unreadable, path + ": " + std::strerror(errno)};
}

class descriptor {
public:
  descriptor(const std::string& path, int flags) : number_(::open(path.c_str(), flags | O_CLOEXEC, 0640)) {}
  ~descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  descriptor(const descriptor&) = delete;
  descriptor& operator=(const descriptor&) = delete;
  [[nodiscard]] int number() const noexcept { return number_; }
  explicit operator bool() const noexcept { return number_ >= 0; }

private:
  int number_;
};

/// A text that is replaced as a whole, in place, and never torn: it is written to the two slots of a file in
/// turn, each with its generation and a checksum, and read from the newer one that is whole.
class slot_file {
public:
  static constexpr std::size_t slot_bytes = std::size_t{16} << 10;

  explicit slot_file(std::string path) : path_(std::move(path)), file_(path_, O_RDWR | O_CREAT) {}

  /// The newest whole text; nullopt and an empty `problem`: there was none yet.
  std::optional<std::string> read(std::string& problem) {
    if (!file_) {
      problem = failed(path_).detail;
      return std::nullopt;
    }
    std::optional<std::string> newest;
    bool anything = false;
    for (std::size_t slot = 0; slot < 2; ++slot) {
      std::string bytes(slot_bytes, '\0');
      const auto size = ::pread(file_.number(), bytes.data(), bytes.size(), offset_of(slot));
      if (size <= 0) continue;
      bytes.resize(static_cast<std::size_t>(size));
      anything |= bytes.find_first_not_of('\0') != std::string::npos;
      std::uint64_t generation = 0;
      auto text = whole_text(bytes, generation);
      if (!text || (newest && generation < generation_)) continue;
      generation_ = generation;
      newest = std::move(text);
    }
    if (!newest && anything) problem = path_ + " holds no whole state";
    return newest;
  }

  result<done> write(std::string_view text, bool on_disk) {
    if (!file_) return failed(path_);
    const auto next = generation_ + 1;
    auto bytes = head_of(next, text).append(text).append("\n");
    if (bytes.size() > slot_bytes) return failure{errc::file_unreadable, path_ + ": the state is too large"};
    const auto written = ::pwrite(file_.number(), bytes.data(), bytes.size(), offset_of(next % 2));
    if (written != static_cast<ssize_t>(bytes.size())) {
      if (written >= 0) errno = ENOSPC;
      return failed(path_);
    }
    if (on_disk && ::fdatasync(file_.number()) != 0) return failed(path_);
    generation_ = next;
    return done{};
  }

private:
  static off_t offset_of(std::size_t slot) { return static_cast<off_t>(slot * slot_bytes); }

  /// "<generation> <length> <crc32 of generation, length and text>\n", so that people can read the file.
  static std::string head_of(std::uint64_t generation, std::string_view text) {
    const auto covered = std::to_string(generation) + " " + std::to_string(text.size());
    boost::crc_32_type crc;
    crc.process_bytes(covered.data(), covered.size());
    crc.process_bytes(text.data(), text.size());
    std::array<char, 16> hex{};
    std::snprintf(hex.data(), hex.size(), "%08x", crc.checksum());
    return covered + " " + hex.data() + "\n";
  }

  static std::optional<std::string> whole_text(std::string_view slot, std::uint64_t& generation) {
    const auto line = slot.substr(0, slot.find('\n'));
    std::size_t length = 0;
    const auto* end = line.data() + line.size();
    const auto first = std::from_chars(line.data(), end, generation);
    if (first.ec != std::errc{} || first.ptr == end) return std::nullopt;
    if (std::from_chars(first.ptr + 1, end, length).ec != std::errc{}) return std::nullopt;
    if (line.size() + 1 + length > slot.size()) return std::nullopt;
    const auto text = slot.substr(line.size() + 1, length);
    if (head_of(generation, text) != std::string{line} + "\n") return std::nullopt;
    return std::string{text};
  }

  std::string path_;
  descriptor file_;
  std::uint64_t generation_ = 0;
};

/// The last `max` lines; one that a crash left unfinished is no line. `count` of all.
std::deque<std::string> last_lines(const std::string& path, std::size_t max, std::size_t& count) {
  std::deque<std::string> lines;
  std::ifstream file{path};
  for (std::string line; std::getline(file, line) && !file.eof(); ++count) {
    lines.push_back(std::move(line));
    if (lines.size() > max) lines.pop_front();
  }
  return lines;
}

/// Replaces the file by these lines; it has the old content or the new one, whatever happens.
void rewrite(const std::string& path, const std::deque<std::string>& lines) {
  const auto beside = path + ".new";
  std::string text;
  for (const auto& line : lines) (text += line) += '\n';
  const descriptor file{beside, O_WRONLY | O_CREAT | O_TRUNC};
  const bool whole =
      file && ::write(file.number(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
  if (!whole || ::fdatasync(file.number()) != 0) return; // the old file is as good, only longer
  static_cast<void>(std::rename(beside.c_str(), path.c_str()));
}

class breaker_files final : public breaker_store_port {
public:
  explicit breaker_files(std::string folder) : folder_(std::move(folder)) {}

  kept load(const std::string& breaker, std::size_t max_history) override {
    const std::lock_guard guard{mutex_};
    kept found;
    states_.erase(breaker);
    if (auto state = state_of(breaker).read(found.problem)) found.state = std::move(*state);
    std::size_t count = 0;
    const auto path = history_path(breaker);
    const auto lines = last_lines(path, max_history, count);
    if (count > 2 * max_history || ends_torn(path)) rewrite(path, lines);
    found.history.assign(lines.begin(), lines.end());
    return found;
  }

  result<done> save(const std::string& breaker, std::string_view state, bool on_disk) override {
    const std::lock_guard guard{mutex_};
    return state_of(breaker).write(state, on_disk);
  }

  result<done> append_history(const std::string& breaker, std::string_view line) override {
    const std::lock_guard guard{mutex_};
    const auto path = history_path(breaker);
    const descriptor file{path, O_WRONLY | O_CREAT | O_APPEND};
    if (!file) return failed(path);
    const auto whole = std::string{line} + "\n";
    const auto before = ::lseek(file.number(), 0, SEEK_END);
    const auto written = ::write(file.number(), whole.data(), whole.size());
    if (written == static_cast<ssize_t>(whole.size())) return done{};
    if (written >= 0) errno = ENOSPC;
    auto why = failed(path);
    if (written > 0) static_cast<void>(::ftruncate(file.number(), before)); // the next line starts on its own
    return why;
  }

private:
  slot_file& state_of(const std::string& breaker) {
    return states_.try_emplace(breaker, folder_ + "/breaker-" + breaker + ".state").first->second;
  }
  [[nodiscard]] std::string history_path(const std::string& breaker) const {
    return folder_ + "/breaker-" + breaker + ".history.jsonl";
  }
  static bool ends_torn(const std::string& path) {
    std::ifstream file{path, std::ios::ate};
    if (!file || file.tellg() <= 0) return false;
    file.seekg(-1, std::ios::end);
    return file.get() != '\n';
  }

  std::mutex mutex_; ///< Two breakers share the store, and each has a thread of its own.
  std::string folder_;
  std::map<std::string, slot_file> states_;
};

} // namespace

std::shared_ptr<breaker_store_port> open_breaker_store(std::string folder) {
  return std::make_shared<breaker_files>(std::move(folder));
}

} // namespace breakwater
