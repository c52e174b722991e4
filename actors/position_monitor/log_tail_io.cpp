#include "actors/position_monitor/log_tail_io.hpp"

#include "actors/position_monitor/log_reading.hpp"
#include "actors/support/backoff.hpp"

#include <array>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <cstring>
#include <optional>
#include <utility>

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace breakwater {
namespace {

using clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr std::size_t most_a_look = 4 << 20;
/// Looks at which a rotated file is still read, and at which a file that is gone is no problem yet: whoever
/// rotates it needs a moment, and so does its writer.
constexpr unsigned rotation_looks = 8;

/// A file descriptor that is closed with this.
class descriptor {
public:
  explicit descriptor(int fd = -1) : fd_(fd) {}
  ~descriptor() { reset(); }
  descriptor(descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  descriptor& operator=(descriptor&& other) noexcept {
    if (this != &other) reset(), fd_ = std::exchange(other.fd_, -1);
    return *this;
  }
  void reset() noexcept {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  [[nodiscard]] int get() const noexcept { return fd_; }

private:
  int fd_;
};

/// Where lines come from.
struct line_source {
  virtual ~line_source() = default;
  /// Counts the lines that came since the last look, and returns why they cannot be read; empty: they can.
  virtual std::string look(sightings_count& into) = 0;
};

/// Reads `from` as far as it goes now, but no more than `left`, which it lessens, and hands the bytes to
/// `take`. Returns what the last read() did: 0 at the end, -1 with errno.
template <class Take>
ssize_t read_all(int from, std::size_t& left, Take take) {
  std::array<char, 64 * 1024> buffer;
  while (left > 0) {
    const auto count = ::read(from, buffer.data(), std::min(buffer.size(), left));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return count;
    left -= static_cast<std::size_t>(count);
    take(std::string_view{buffer.data(), static_cast<std::size_t>(count)});
  }
  return 1;
}

/// An open log file, read up to its file offset.
struct open_file {
  descriptor file;
  struct stat identity {};
  line_cutter lines{};

  [[nodiscard]] bool is(const struct stat& other) const noexcept {
    return identity.st_dev == other.st_dev && identity.st_ino == other.st_ino;
  }
  /// Counts what was added, at most `left` bytes; returns why it cannot.
  std::string read(sightings_count& into, std::size_t& left) {
    const auto take = [&](std::string_view bytes) {
      lines.take(bytes, [&](std::string_view line, bool was_cut) { into.take(line, was_cut); });
    };
    return read_all(file.get(), left, take) < 0 ? std::strerror(errno) : std::string{};
  }
  void finish(sightings_count& into) {
    lines.finish([&](std::string_view line, bool was_cut) { into.take(line, was_cut); });
  }
  /// Begins again if there is less in it than was read.
  bool begin_again_if_truncated() {
    struct stat now {};
    if (::fstat(file.get(), &now) != 0 || now.st_size >= ::lseek(file.get(), 0, SEEK_CUR)) return false;
    ::lseek(file.get(), 0, SEEK_SET);
    lines.forget();
    return true;
  }
};

class file_source final : public line_source {
public:
  explicit file_source(std::string path) : path_(std::move(path)) {}

  std::string look(sightings_count& into) override {
    auto left = most_a_look;
    read_rotated(into, left);
    struct stat there {};
    const int why = ::stat(path_.c_str(), &there) == 0 ? 0 : errno;
    if (current_) {
      auto problem = current_->read(into, left);
      if (why == 0 && current_->is(there)) {
        looks_without_ = 0;
        if (current_->begin_again_if_truncated()) problem = current_->read(into, left);
        return problem.empty() ? problem : path_ + ": " + problem;
      }
      if (why != 0 && ++looks_without_ <= rotation_looks) return {};
      if (why != 0) return problem_of(why);
      rotate(into);
    }
    return open(into, left);
  }

private:
  /// The file that was renamed away: its writer may not know yet.
  void read_rotated(sightings_count& into, std::size_t& left) {
    if (!rotated_) return;
    const auto before = left;
    const bool is_broken = !rotated_->read(into, left).empty();
    if (!is_broken && (left < before || ++rotated_looks_ < rotation_looks)) return;
    rotated_->finish(into);
    rotated_.reset();
  }

  void rotate(sightings_count& into) {
    if (rotated_) rotated_->finish(into);
    rotated_ = std::move(*current_);
    rotated_looks_ = 0;
    current_.reset();
  }

  std::string open(sightings_count& into, std::size_t& left) {
    open_file opened{descriptor{::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)}};
    if (opened.file.get() < 0) return problem_of(errno);
    if (::fstat(opened.file.get(), &opened.identity) != 0) return problem_of(errno);
    if (!S_ISREG(opened.identity.st_mode))
      return path_ + " is no regular file; name the file the position monitor logs to";
    if (!is_new_) ::lseek(opened.file.get(), 0, SEEK_END);
    is_new_ = true;
    looks_without_ = 0;
    current_ = std::move(opened);
    return current_->read(into, left);
  }

  std::string problem_of(int why) {
    if (why == ENOENT || why == ENOTDIR) {
      is_new_ = true;
      return path_ + " does not exist; it is read from its beginning when it does";
    }
    return path_ + ": " + std::strerror(why) +
           (why == EACCES ? "; let the user breakwater runs as read it" : "");
  }

  std::string path_;
  bool is_new_ = false; ///< What is opened next was not there before.
  std::optional<open_file> current_, rotated_;
  unsigned looks_without_ = 0, rotated_looks_ = 0;
};

/// The child's part between fork and exec: async-signal-safe calls only.
[[noreturn]] void become_journalctl(pid_t parent, char* const* words, int output) noexcept {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(1); // the parent died before the line above
  ::setpgid(0, 0);                       // a Ctrl-C in the terminal is for the parent
  ::signal(SIGPIPE, SIG_DFL);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  const int nothing = ::open("/dev/null", O_RDWR);
  ::dup2(nothing, STDIN_FILENO);
  ::dup2(output, STDOUT_FILENO);
  ::dup2(nothing, STDERR_FILENO);
  ::close_range(STDERR_FILENO + 1, ~0U, 0);
  ::execvp(words[0], words);
  ::_exit(errno == ENOENT ? 127 : 126);
}

class journal_source final : public line_source {
public:
  journal_source(std::string journalctl, std::string unit)
      : journalctl_(std::move(journalctl)), unit_(std::move(unit)) {}
  ~journal_source() override {
    if (child_ < 0) return;
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
  }
  journal_source(const journal_source&) = delete;
  journal_source& operator=(const journal_source&) = delete;

  std::string look(sightings_count& into) override {
    if (child_ < 0 && clock::now() >= start_at_) start();
    if (child_ < 0) return problem_;
    auto left = most_a_look;
    const auto last_read = read_all(output_.get(), left, [&](std::string_view bytes) {
      lines_.take(bytes, [&](std::string_view line, bool was_cut) { into.take(line, was_cut); });
    });
    if (last_read == 0)
      see_whether_it_ended();
    else if (left < most_a_look || clock::now() - started_at_ >= settled_after)
      problem_.clear();
    return problem_;
  }

private:
  static constexpr auto settled_after = 1s, proven_after = 30s;

  void start() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return give_up(std::strerror(errno));
    output_ = descriptor{ends[0]};
    const descriptor input{ends[1]};
    ::fcntl(output_.get(), F_SETFL, O_NONBLOCK);
    std::array<std::string, 8> words{journalctl_, "-f", "-n", "0", "-o", "cat", "-u", unit_};
    std::array<char*, words.size() + 1> arguments{};
    for (std::size_t i = 0; i < words.size(); ++i) arguments[i] = words[i].data();
    const auto parent = ::getpid();
    child_ = ::fork();
    if (child_ == 0) become_journalctl(parent, arguments.data(), input.get());
    if (child_ < 0) return give_up(std::string{"cannot start journalctl: "} + std::strerror(errno));
    started_at_ = clock::now();
  }

  void see_whether_it_ended() {
    int how = 0;
    if (::waitpid(child_, &how, WNOHANG) != child_) return; // it will soon
    child_ = -1;
    lines_.forget();
    if (clock::now() - started_at_ >= proven_after) backoff_.reset();
    if (WIFSIGNALED(how)) return give_up("journalctl was ended by signal " + std::to_string(WTERMSIG(how)));
    if (WEXITSTATUS(how) == 127)
      return give_up("journalctl is not installed; name position_monitor.log_file instead");
    give_up("journalctl ended with code " + std::to_string(WEXITSTATUS(how)) +
            "; see what it says: journalctl -n 1 -u " + unit_);
  }

  void give_up(std::string why) {
    problem_ = std::move(why);
    output_.reset();
    start_at_ = clock::now() + backoff_.next();
  }

  std::string journalctl_, unit_, problem_;
  pid_t child_ = -1;
  descriptor output_;
  line_cutter lines_;
  clock::time_point start_at_{}, started_at_{};
  backoff backoff_{{1s, 60s, 0.2}};
};

} // namespace

/// One log being followed: what its thread and its handle share.
struct log_tail_io::follower {
  follower(log_source w, sink s, log_tail_options h)
      : what(std::move(w)), sightings(std::move(s)), how(std::move(h)) {}

  void run() {
    sightings_count count{what.activity_pattern, what.error_pattern};
    std::unique_ptr<line_source> source;
    if (what.file.empty())
      source = std::make_unique<journal_source>(how.journalctl, what.journal_unit);
    else
      source = std::make_unique<file_source>(what.file);
    std::string told;
    do {
      auto problem = source->look(count);
      auto seen = count.collect();
      if (seen.activities + seen.errors + seen.cut == 0 && problem == told) continue;
      seen.problem = told = std::move(problem);
      sightings(std::move(seen));
    } while (!is_to_end_within(how.look_every));
    source.reset();
    has_ended = true;
  }
  bool is_to_end_within(std::chrono::milliseconds time) {
    std::unique_lock lock{mutex};
    return changed.wait_for(lock, time, [this] { return is_to_end; });
  }
  void end() {
    const std::lock_guard lock{mutex};
    is_to_end = true;
    changed.notify_all();
  }

  log_source what;
  sink sightings;
  log_tail_options how;
  std::mutex mutex;
  std::condition_variable changed;
  bool is_to_end = false;
  std::atomic<bool> has_ended{false};
};

struct log_tail_io::handle final : log_tail {
  explicit handle(std::shared_ptr<follower> w) : who(std::move(w)) {}
  ~handle() override { who->end(); }
  handle(const handle&) = delete;
  handle& operator=(const handle&) = delete;
  std::shared_ptr<follower> who;
};

std::unique_ptr<log_tail> log_tail_io::follow(log_source from, sink sightings) {
  auto who = std::make_shared<follower>(std::move(from), std::move(sightings), how_);
  const std::lock_guard lock{mutex_};
  std::erase_if(running_, [](running& one) {
    if (!one.who->has_ended) return false;
    one.thread.join();
    return true;
  });
  running_.push_back({who, std::thread{[who] { who->run(); }}});
  return std::make_unique<handle>(std::move(who));
}

void log_tail_io::end() {
  std::vector<running> all;
  {
    const std::lock_guard lock{mutex_};
    all.swap(running_);
  }
  for (auto& one : all) one.who->end();
  for (auto& one : all) one.thread.join();
}

} // namespace breakwater
