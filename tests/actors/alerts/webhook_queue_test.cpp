#include "actors/alerts/webhook_queue.hpp"

#include <boost/test/unit_test.hpp>

namespace breakwater {
namespace {

using namespace std::chrono_literals;

struct queue_fixture {
  mono_time now = mono_time{} + 1h;
  webhook_limits how = [] {
    webhook_limits limits;
    limits.waits.jitter = 0;
    return limits;
  }();
  webhook_queue sut{how};

  std::string sent() { ///< What goes out now; empty: nothing.
    auto post = sut.next(now);
    if (!post) return {};
    number = post->number;
    return post->body;
  }
  void answers(unsigned status, const std::string& problem = {}) {
    sut.answered({number, status, problem}, now);
  }
  std::uint64_t number = 0;
};

BOOST_FIXTURE_TEST_SUITE(webhook_queue_suite, queue_fixture)

BOOST_AUTO_TEST_CASE(one_goes_out_at_a_time_and_in_order) {
  sut.add("a", now);
  sut.add("b", now);
  BOOST_TEST(sent() == "a");
  BOOST_TEST(sent() == "");
  answers(204);
  BOOST_TEST(sent() == "b");
  answers(200);
  BOOST_TEST(sent() == "");
  BOOST_TEST(!sut.due().has_value());
  BOOST_TEST(sut.delivered() == 2u);
  BOOST_TEST(sut.state() == "ok");
}

BOOST_AUTO_TEST_CASE(what_fails_is_tried_again_with_ever_longer_waits) {
  sut.add("a", now);
  const auto began = now;
  std::vector<std::int64_t> waits;
  while (now - began < 59min) {
    BOOST_TEST_REQUIRE(sent() == "a");
    answers(503);
    BOOST_TEST(sut.state() == "HTTP status 503");
    BOOST_TEST_REQUIRE(sut.due().has_value());
    waits.push_back(std::chrono::duration_cast<std::chrono::seconds>(*sut.due() - now).count());
    now = *sut.due() - 1ms;
    BOOST_TEST(sent() == "");
    now += 1ms;
  }
  const std::vector<std::int64_t> first{1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300};
  BOOST_TEST(std::vector<std::int64_t>(waits.begin(), waits.begin() + 11) == first,
             boost::test_tools::per_element());
  BOOST_TEST(waits.back() == 300);
}

BOOST_AUTO_TEST_CASE(a_success_ends_the_waits) {
  sut.add("a", now);
  for (int i = 0; i < 3; ++i) {
    BOOST_TEST(sent() == "a");
    answers(0, "connect: Connection refused");
    BOOST_TEST(sut.state() == "connect: Connection refused");
    now = *sut.due();
  }
  BOOST_TEST(sent() == "a");
  answers(200);
  BOOST_TEST(sut.state() == "ok");
  sut.add("b", now);
  BOOST_TEST(sent() == "b");
  answers(500);
  BOOST_TEST((*sut.due() == now + 1s));
}

BOOST_AUTO_TEST_CASE(at_most_an_hour_is_it_tried) {
  sut.add("a", now);
  BOOST_TEST(sent() == "a");
  answers(500);
  now += 30min;
  sut.add("b", now);
  BOOST_TEST(sent() == "a");
  answers(500);
  now += 30min;
  BOOST_TEST(sent() == "b");
  BOOST_TEST(sut.given_up() == 1u);
  BOOST_TEST(sut.waiting() == 1u);
}

BOOST_AUTO_TEST_CASE(a_body_the_receiver_refuses_holds_up_no_other) {
  for (const auto status : {400u, 413u, 415u, 422u}) BOOST_TEST_CONTEXT(status) {
      webhook_queue queue{how};
      queue.add("a", now);
      queue.add("b", now);
      const auto post = queue.next(now);
      queue.answered({post->number, status, ""}, now);
      BOOST_TEST(queue.given_up() == 1u);
      BOOST_TEST(queue.next(now + 1s)->body == "b");
    }
  for (const auto status : {301u, 401u, 404u, 429u, 500u}) BOOST_TEST_CONTEXT(status) {
      webhook_queue queue{how};
      queue.add("a", now);
      const auto post = queue.next(now);
      queue.answered({post->number, status, ""}, now);
      BOOST_TEST(queue.given_up() == 0u);
      BOOST_TEST(queue.next(now + 1s)->body == "a");
    }
}

BOOST_AUTO_TEST_CASE(the_oldest_makes_room_also_when_it_is_under_way) {
  for (int i = 0; i < 256; ++i) sut.add("old " + std::to_string(i), now);
  BOOST_TEST(sent() == "old 0");
  sut.add("new", now);
  BOOST_TEST(sut.dropped() == 1u);
  BOOST_TEST(sut.waiting() == 256u);
  answers(200); // it had gone out
  BOOST_TEST(sut.delivered() == 1u);
  BOOST_TEST(sut.waiting() == 256u);
  BOOST_TEST(sent() == "old 1");
  sut.add("newer", now);
  answers(500); // of one that is gone
  now = *sut.due();
  BOOST_TEST(sent() == "old 2");
}

BOOST_AUTO_TEST_CASE(an_answer_that_never_comes_is_a_failure) {
  sut.add("a", now);
  BOOST_TEST(sent() == "a");
  const auto first = number;
  BOOST_TEST((*sut.due() == now + 15s));
  now += 15s;
  BOOST_TEST(sent() == "");
  BOOST_TEST(sut.state() == "no answer");
  now += 1s;
  BOOST_TEST(sent() == "a");
  sut.answered({first, 200, ""}, now); // too late to count
  BOOST_TEST(sut.delivered() == 0u);
  answers(200);
  BOOST_TEST(sut.delivered() == 1u);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
} // namespace breakwater
