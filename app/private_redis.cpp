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

bool answers_ping(const std::string& socket_path) noexcept {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, socket_path.c_str(), socket_path.size() + 1);
  const timeval patience{1, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  constexpr std::string_view question = "PING\r\n", expected = "+PONG";
  std::array<char, 64> answer{};
  const bool ok = ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
                  ::send(fd, question.data(), question.size(), MSG_NOSIGNAL) > 0 &&
                  ::recv(fd, answer.data(), answer.size(), 0) > 0 &&
                  std::string_view{answer.data()}.substr(0, expected.size()) == expected;
  ::close(fd);
  return ok;
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
  const auto program = find_in_path("redis-server");
  if (!program)
    return unavailable(
        "redis-server is not in PATH; install it, on Debian with: apt-get install redis-server");

  private_redis self;
  std::error_code error;
  auto folder = std::filesystem::temp_directory_path(error) / "breakwater-redis-XXXXXX";
  self.folder_ = error ? "/tmp/breakwater-redis-XXXXXX" : folder.string();
  if (!::mkdtemp(self.folder_.data())) {
    const auto why =
        "cannot make the folder " + std::exchange(self.folder_, "") + ": " + std::strerror(errno);
    return unavailable(why);
  }
  const auto socket_path = self.socket_path();
  if (socket_path.size() >= sizeof sockaddr_un::sun_path)
    return unavailable("the path of the temporary folder is too long for a Unix socket: " + self.folder_);

  const auto log_file = self.folder_ + "/redis.log";
  const int output = ::open(log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (output < 0) return unavailable("cannot write " + log_file + ": " + std::strerror(errno));

  std::array words{
      *program,         std::string{"--port"},       std::string{"0"},  std::string{"--unixsocket"},
      socket_path,      std::string{"--dir"},        self.folder_,      std::string{"--save"},
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
  self.pid_ = child;

  const auto deadline = std::chrono::steady_clock::now() + start_timeout;
  while (!answers_ping(socket_path)) {
    if (::waitpid(child, nullptr, WNOHANG) == child) {
      self.pid_ = -1;
      return unavailable("redis-server ended at once: " + last_line(log_file));
    }
    if (std::chrono::steady_clock::now() > deadline)
      return unavailable("redis-server does not answer: " + last_line(log_file));
    std::this_thread::sleep_for(10ms);
  }
  return self;
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
