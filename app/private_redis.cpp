#include "app/private_redis.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string_view>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

namespace breakwater {
namespace {

using namespace std::chrono_literals;

constexpr auto start_timeout = 10s;
constexpr auto stop_timeout = 5s;

failure unavailable(std::string detail) { return {errc::redis_unavailable, std::move(detail)}; }

/// The program of this name as a shell would find it.
std::optional<std::string> find_in_path(std::string_view program) {
  const char* path = std::getenv("PATH");
  std::string_view rest = path ? path : "/usr/local/bin:/usr/bin:/bin";
  while (true) {
    const auto end = rest.find(':');
    auto candidate = std::string{rest.substr(0, end)} + "/" + std::string{program};
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
    if (end == std::string_view::npos) return std::nullopt;
    rest.remove_prefix(end + 1);
  }
}

/// The child's part between fork and exec: async-signal-safe calls only.
[[noreturn]] void become_server(pid_t parent, const char* program, char* const* arguments,
                                int output) noexcept {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(1); // the parent died before the line above
  ::setpgid(0, 0); // a Ctrl-C in the terminal is for the parent, which ends us when it is done
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::dup2(output, STDOUT_FILENO);
  ::dup2(output, STDERR_FILENO);
  if (const int input = ::open("/dev/null", O_RDONLY); input >= 0) ::dup2(input, STDIN_FILENO);
  ::execv(program, arguments);
  ::_exit(127);
}

/// The beginning of the answer to one command; empty: none came.
std::string answer_to(std::string_view command, const std::string& socket_path) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return {};
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, socket_path.c_str(), socket_path.size() + 1);
  const timeval patience{1, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  std::array<char, 64> answer{};
  ssize_t length = 0;
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
      ::send(fd, command.data(), command.size(), MSG_NOSIGNAL) > 0)
    length = ::recv(fd, answer.data(), answer.size(), 0);
  ::close(fd);
  return {answer.data(), length > 0 ? static_cast<std::size_t>(length) : 0};
}

bool answers_ping(const std::string& socket_path) {
  return answer_to("PING\r\n", socket_path).starts_with("+PONG");
}

std::string last_line(const std::string& file) {
  std::ifstream in{file};
  std::string last = "it said nothing";
  for (std::string line; std::getline(in, line);)
    if (!line.empty()) last = line;
  return last;
}

} // namespace

result<private_redis> private_redis::start() {
  private_redis self;
  std::error_code error;
  auto folder = std::filesystem::temp_directory_path(error) / "breakwater-redis-XXXXXX";
  self.folder_ = error ? "/tmp/breakwater-redis-XXXXXX" : folder.string();
  if (!::mkdtemp(self.folder_.data())) {
    const auto why =
        "cannot make the folder " + std::exchange(self.folder_, "") + ": " + std::strerror(errno);
    return unavailable(why);
  }
  if (self.socket_path().size() >= sizeof sockaddr_un::sun_path)
    return unavailable("the path of the temporary folder is too long for a Unix socket: " + self.folder_);
  if (auto up = self.start_again(); !up) return up.error();
  return self;
}

result<done> private_redis::start_again() {
  if (runs()) return done{};
  const auto program = find_in_path("redis-server");
  if (!program)
    return unavailable(
        "redis-server is not in PATH; install it, on Debian with: apt-get install redis-server");

  const auto log_file = folder_ + "/redis.log";
  const int output = ::open(log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (output < 0) return unavailable("cannot write " + log_file + ": " + std::strerror(errno));

  std::array words{
      *program,         std::string{"--port"},       std::string{"0"},  std::string{"--unixsocket"},
      socket_path(),    std::string{"--dir"},        folder_,           std::string{"--save"},
      std::string{},    std::string{"--appendonly"}, std::string{"no"}, std::string{"--daemonize"},
      std::string{"no"}};
  std::array<char*, words.size() + 1> arguments{};
  for (std::size_t i = 0; i < words.size(); ++i) arguments[i] = words[i].data();

  const auto parent = ::getpid();
  const auto child = ::fork();
  if (child == 0) become_server(parent, program->c_str(), arguments.data(), output);
  const int fork_error = errno;
  ::close(output);
  if (child < 0) return unavailable(std::string{"cannot start redis-server: "} + std::strerror(fork_error));
  pid_ = child;

  const auto deadline = std::chrono::steady_clock::now() + start_timeout;
  while (!answers_ping(socket_path())) {
    if (::waitpid(child, nullptr, WNOHANG) == child) {
      pid_ = -1;
      return unavailable("redis-server ended at once: " + last_line(log_file));
    }
    if (std::chrono::steady_clock::now() > deadline)
      return unavailable("redis-server does not answer: " + last_line(log_file));
    std::this_thread::sleep_for(10ms);
  }
  return done{};
}

result<done> private_redis::stop() {
  if (!runs()) return done{};
  // Without save points SIGTERM would have it forget everything.
  const auto refused = answer_to("SHUTDOWN SAVE\r\n", socket_path());
  const auto deadline = std::chrono::steady_clock::now() + stop_timeout;
  while (::waitpid(pid_, nullptr, WNOHANG) == 0) {
    if (std::chrono::steady_clock::now() > deadline)
      return unavailable("redis-server does not end: " + refused);
    std::this_thread::sleep_for(5ms);
  }
  pid_ = -1;
  return done{};
}

private_redis::~private_redis() { end(); }

private_redis::private_redis(private_redis&& other) noexcept
    : folder_(std::exchange(other.folder_, {})), pid_(std::exchange(other.pid_, -1)) {}

private_redis& private_redis::operator=(private_redis&& other) noexcept {
  if (this != &other) {
    end();
    folder_ = std::exchange(other.folder_, {});
    pid_ = std::exchange(other.pid_, -1);
  }
  return *this;
}

void private_redis::end() noexcept {
  if (pid_ > 0) {
    ::kill(pid_, SIGTERM);
    const auto deadline = std::chrono::steady_clock::now() + stop_timeout;
    while (::waitpid(pid_, nullptr, WNOHANG) == 0) {
      // A server stopped by a debugger or a SIGSTOP of a test does not hear SIGTERM.
      if (std::chrono::steady_clock::now() > deadline) ::kill(pid_, SIGKILL);
      std::this_thread::sleep_for(5ms);
    }
    pid_ = -1;
  }
  if (!folder_.empty()) {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
    folder_.clear();
  }
}

} // namespace breakwater
