#include "actors/aggregator/record_outlet.hpp"

#include <boost/test/unit_test.hpp>

using namespace breakwater;
using namespace std::chrono_literals;

namespace {

struct outlet_fixture {
  record_outlet sut{77};
  mono_time now{1h};

  void add(std::size_t count = 1) {
    for (; count > 0; --count) {
      sut.waiting().add("n", "1");
      sut.waiting().end_record();
    }
  }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(record_outlet_, outlet_fixture)

BOOST_AUTO_TEST_CASE(a_batch_is_offered_once_and_then_its_answer_is_waited_for) {
  add(3);
  BOOST_TEST(!sut.next(now).has_value());
  sut.make(nullptr);
  const auto batch = sut.next(now);
  BOOST_TEST_REQUIRE(batch.has_value());
  BOOST_TEST(batch->producer == 77u);
  BOOST_TEST(batch->number == 1u);
  BOOST_TEST(batch->records->size() == 3u);
  BOOST_TEST(!sut.next(now + 1h).has_value());
  BOOST_TEST(!sut.next_wake().has_value());
  BOOST_TEST(!sut.can_make());
  BOOST_TEST(!sut.idle());
  sut.on_answer(intake::taken, now);
  BOOST_TEST(sut.can_make());
  BOOST_TEST(sut.idle());
}

BOOST_AUTO_TEST_CASE(what_is_added_meanwhile_goes_with_the_next) {
  add();
  sut.make(nullptr);
  add(2);
  BOOST_TEST(sut.next(now)->records->size() == 1u);
  sut.on_answer(intake::taken, now);
  BOOST_TEST(!sut.idle());
  sut.make(nullptr);
  const auto batch = sut.next(now);
  BOOST_TEST(batch->number == 2u);
  BOOST_TEST(batch->records->size() == 2u);
}

BOOST_AUTO_TEST_CASE(what_was_not_taken_is_offered_again_under_its_number) {
  add();
  sut.make(nullptr);
  const auto offered = *sut.next(now);
  sut.on_answer(intake::busy, now);
  BOOST_TEST((sut.next_wake() == now + 5ms));
  BOOST_TEST(!sut.next(now + 4ms).has_value());
  BOOST_TEST(!sut.can_make());
  auto again = sut.next(now + 5ms);
  BOOST_TEST_REQUIRE(again.has_value());
  BOOST_TEST(again->number == 1u);
  BOOST_TEST((again->records == offered.records));
  sut.on_no_answer(now);
  BOOST_TEST(!sut.next(now + 99ms).has_value());
  BOOST_TEST(sut.next(now + 100ms)->number == 1u);
}

BOOST_AUTO_TEST_CASE(a_state_may_go_without_records) {
  const auto state = std::make_shared<const checkpoint>(checkpoint{"p", {}});
  sut.make(state);
  const auto batch = sut.next(now);
  BOOST_TEST_REQUIRE(batch->records);
  BOOST_TEST(batch->records->empty());
  BOOST_TEST((batch->state == state));
  BOOST_TEST(!sut.idle());
}

BOOST_AUTO_TEST_CASE(it_is_full_at_its_limit) {
  add(record_outlet::max_waiting - 1);
  BOOST_TEST(!sut.full());
  add();
  BOOST_TEST(sut.full());
  sut.make(nullptr); // what is on its way is not what waits
  BOOST_TEST(!sut.full());
}

BOOST_AUTO_TEST_SUITE_END()
