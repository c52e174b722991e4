#include "app/private_redis.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string_view>

#include <hiredis/hiredis.h>
#include <signal.h>

using namespace breakwater;

namespace {

/// The server's answer to a command at an address such as unix:///tmp/x/redis.sock; empty: it does not
/// answer.
std::string say(const std::string& address, const char* command) {
  constexpr std::string_view scheme = "unix://";
  BOOST_REQUIRE(address.starts_with(scheme));
  const std::unique_ptr<redisContext, decltype(&redisFree)> link{
      redisConnectUnix(address.c_str() + scheme.size()), redisFree};
  if (!link || link->err) return {};
  const std::unique_ptr<void, decltype(&freeReplyObject)> reply{redisCommand(link.get(), command),
                                                                freeReplyObject};
  const auto* said = reply ? static_cast<redisReply*>(reply.get())->str : nullptr;
  return said ? said : "";
}

std::string ping(const std::string& address) { return say(address, "PING"); }

bool alive(pid_t pid) { return ::kill(pid, 0) == 0; }

struct path_without_programs {
  std::string before = std::getenv("PATH");
  path_without_programs() { ::setenv("PATH", "/nowhere", 1); }
  ~path_without_programs() { ::setenv("PATH", before.c_str(), 1); }
};

} // namespace

BOOST_AUTO_TEST_SUITE(private_redis_test)

BOOST_AUTO_TEST_CASE(answers_while_it_lives_and_leaves_nothing_behind) {
  std::string folder, address;
  pid_t pid = 0;
  {
    const auto redis = private_redis::start();
    BOOST_REQUIRE_MESSAGE(redis, (redis ? "" : redis.error().detail));
    folder = redis->folder();
    address = redis->address();
    pid = redis->pid();
    BOOST_TEST(ping(address) == "PONG");
    BOOST_TEST(std::filesystem::exists(folder + "/redis.log"));
  }
  BOOST_TEST(ping(address) == "");
  BOOST_TEST(!alive(pid));
  BOOST_TEST(!std::filesystem::exists(folder));
}

BOOST_AUTO_TEST_CASE(has_what_it_had_after_a_stop) {
  auto redis = private_redis::start();
  BOOST_REQUIRE_MESSAGE(redis, (redis ? "" : redis.error().detail));
  const auto address = redis->address();
  BOOST_TEST(say(address, "SET kept yes") == "OK");
  const auto first = redis->pid();

  BOOST_REQUIRE(redis->stop());
  BOOST_TEST(!redis->runs());
  BOOST_TEST(!alive(first));
  BOOST_TEST(ping(address) == "");
  BOOST_REQUIRE(redis->stop()); // it is

  BOOST_REQUIRE(redis->start_again());
  BOOST_TEST(redis->runs());
  BOOST_TEST(redis->address() == address);
  BOOST_TEST(say(address, "GET kept") == "yes");
}

BOOST_AUTO_TEST_CASE(two_do_not_meet_and_a_moved_one_lives_on) {
  auto first = private_redis::start();
  auto second = private_redis::start();
  BOOST_REQUIRE((first && second));
  BOOST_TEST(first->address() != second->address());
  const auto old_pid = first->pid();
  *first = std::move(*second);
  BOOST_TEST(!alive(old_pid));
  BOOST_TEST(ping(first->address()) == "PONG");
}

BOOST_AUTO_TEST_CASE(is_gone_after_an_exception_too) {
  std::string folder;
  pid_t pid = 0;
  try {
    const auto redis = private_redis::start();
    BOOST_REQUIRE(redis);
    folder = redis->folder();
    pid = redis->pid();
    throw std::runtime_error{"somebody's fault"};
  } catch (const std::runtime_error&) {
  }
  BOOST_TEST(!alive(pid));
  BOOST_TEST(!std::filesystem::exists(folder));
}

BOOST_AUTO_TEST_CASE(ends_even_a_stopped_server) {
  pid_t pid = 0;
  {
    const auto redis = private_redis::start();
    BOOST_REQUIRE(redis);
    pid = redis->pid();
    ::kill(pid, SIGSTOP);
  }
  BOOST_TEST(!alive(pid));
}

BOOST_AUTO_TEST_CASE(says_what_to_install_when_there_is_no_redis_server) {
  const path_without_programs nothing_there;
  const auto redis = private_redis::start();
  BOOST_REQUIRE(!redis);
  BOOST_TEST(redis.error().detail.find("apt-get install redis-server") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
