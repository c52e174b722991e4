#include "tests/support/private_redis.hpp"

#include <hiredis/hiredis.h>

#include <arpa/inet.h>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <system_error>
#include <thread>

namespace breakwater::test {
namespace {

using namespace std::chrono_literals;

redis_reply copy_of(const redisReply& from) {
  redis_reply made;
  switch (from.type) {
  case REDIS_REPLY_STRING: made.what = redis_reply::kind::text; break;
  case REDIS_REPLY_STATUS: made.what = redis_reply::kind::status; break;
  case REDIS_REPLY_ERROR: made.what = redis_reply::kind::error; break;
  case REDIS_REPLY_INTEGER: made.what = redis_reply::kind::integer; break;
  case REDIS_REPLY_ARRAY: made.what = redis_reply::kind::array; break;
  default: made.what = redis_reply::kind::nil; break;
  }
  if (from.str != nullptr) made.text.assign(from.str, static_cast<std::size_t>(from.len));
  made.integer = from.integer;
  for (std::size_t i = 0; i < from.elements; ++i) made.items.push_back(copy_of(*from.element[i]));
  return made;
}

std::uint16_t free_port() {
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  const bool bound = ::bind(socket, generic, size) == 0 && ::getsockname(socket, generic, &size) == 0;
  ::close(socket);
  if (!bound) throw std::system_error(errno, std::generic_category(), "no free port");
  return ntohs(address.sin_port);
}

} // namespace

redis_client::redis_client(const std::string& socket_path) : context_(redisConnectUnix(socket_path.c_str())) {
  if (context_ != nullptr && context_->err == 0) return;
  const std::string why = context_ != nullptr ? context_->errstr : "out of memory";
  if (context_ != nullptr) redisFree(context_);
  throw std::runtime_error("redis_client: " + why);
}

redis_client::~redis_client() { redisFree(context_); }

redis_reply redis_client::operator()(std::initializer_list<std::string_view> command) {
  std::vector<const char*> texts;
  std::vector<std::size_t> sizes;
  for (const auto& argument : command) {
    texts.push_back(argument.data());
    sizes.push_back(argument.size());
  }
  auto* raw = redisCommandArgv(context_, static_cast<int>(texts.size()), texts.data(), sizes.data());
  if (raw == nullptr) throw std::runtime_error(std::string{"redis_client: "} + context_->errstr);
  auto* answer = static_cast<redisReply*>(raw);
  auto made = copy_of(*answer);
  freeReplyObject(answer);
  return made;
}

std::vector<redis_reply> redis_client::pipeline(const std::string& wire, std::size_t count) {
  redisAppendFormattedCommand(context_, wire.data(), wire.size());
  std::vector<redis_reply> replies;
  for (std::size_t i = 0; i < count; ++i) {
    void* raw = nullptr;
    if (redisGetReply(context_, &raw) != REDIS_OK)
      throw std::runtime_error(std::string{"redis_client: "} + context_->errstr);
    auto* answer = static_cast<redisReply*>(raw);
    replies.push_back(copy_of(*answer));
    freeReplyObject(answer);
  }
  return replies;
}

private_redis::private_redis(options how) : how_(std::move(how)) {
  std::string pattern = (std::filesystem::temp_directory_path() / "breakwater-redis-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) throw std::system_error(errno, std::generic_category(), pattern);
  folder_ = pattern;
  if (how_.tcp) port_ = free_port();
  try {
    start();
  } catch (...) {
    end_with(SIGKILL);
    std::filesystem::remove_all(folder_);
    throw;
  }
}

private_redis::~private_redis() {
  end_with(SIGKILL);
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

void private_redis::start() {
  if (running()) return;
  const auto log = (folder_ / "redis.log").string();
  std::vector<std::string> words{"redis-server",
                                 "--port",
                                 std::to_string(port_),
                                 "--bind",
                                 "127.0.0.1",
                                 "--unixsocket",
                                 socket_path(),
                                 "--dir",
                                 folder_.string(),
                                 "--save",
                                 "",
                                 "--appendonly",
                                 "no",
                                 "--daemonize",
                                 "no",
                                 "--logfile",
                                 log};
  words.insert(words.end(), how_.arguments.begin(), how_.arguments.end());
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);

  ::unlink(socket_path().c_str()); // a killed server leaves it behind
  const auto parent = ::getpid();
  process_ = ::fork();
  if (process_ < 0) throw std::system_error(errno, std::generic_category(), "fork");
  if (process_ == 0) { // only what is safe between fork and exec
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(127);
    const int nowhere = ::open("/dev/null", O_RDWR);
    for (int fd = 0; fd < 3; ++fd) ::dup2(nowhere, fd);
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::execvp(argv[0], argv.data());
    ::_exit(127);
  }
  const auto until = std::chrono::steady_clock::now() + 20s;
  while (std::chrono::steady_clock::now() < until) {
    try {
      const auto answer = (*this)({"PING"});
      // A password or an ACL is a test's own business: the server answers, that is enough.
      if (answer.what != redis_reply::kind::error || !answer.text.starts_with("LOADING")) return;
    } catch (const std::runtime_error&) {
    }
    int status = 0;
    if (::waitpid(process_, &status, WNOHANG) == process_) {
      process_ = 0;
      std::ostringstream said;
      said << std::ifstream{log}.rdbuf();
      throw std::runtime_error("redis-server ended at once: " + said.str());
    }
    std::this_thread::sleep_for(5ms);
  }
  throw std::runtime_error("redis-server did not answer within 20 s");
}

void private_redis::end_with(int signal) {
  if (!running()) return;
  ::kill(process_, signal);
  if (signal == SIGKILL) ::kill(process_, SIGCONT);
  int status = 0;
  ::waitpid(process_, &status, 0);
  process_ = 0;
}

void private_redis::kill() { end_with(SIGKILL); }
void private_redis::stop() { end_with(SIGTERM); }
void private_redis::pause() {
  if (running()) ::kill(process_, SIGSTOP);
}
void private_redis::resume() {
  if (running()) ::kill(process_, SIGCONT);
}

redis_reply private_redis::operator()(std::initializer_list<std::string_view> command) const {
  redis_client client{socket_path()};
  return client(command);
}

} // namespace breakwater::test
