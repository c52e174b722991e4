#include "tests/actors/publisher/spool_fixture.hpp"

#include <algorithm>
#include <fstream>
#include <sstream>

using namespace breakwater;
using namespace std::chrono_literals;
using test::numbered, test::numbered_run, test::patient_spool;

namespace {

using list = std::vector<std::string>;

struct disk_fixture : test::temporary_folder {
  spool_settings limits;
  std::shared_ptr<spool_io> disk;
  std::string folder = path().string() + "/spool";

  disk_fixture() { limits.max_bytes = std::size_t{16} << 20; }
  patient_spool opens(const std::string& stream = "s") {
    disk.reset();
    auto opened = spool_io::open(folder, limits);
    BOOST_REQUIRE(bool{opened});
    disk = *opened;
    return patient_spool{disk->stream(stream)};
  }
  std::string error() {
    disk.reset();
    const auto opened = spool_io::open(folder, limits);
    BOOST_REQUIRE(!opened);
    BOOST_TEST((opened.error().code == errc::spool_unusable));
    return opened.error().detail;
  }
  std::string data() {
    std::ifstream in{folder + "/data.mdb", std::ios::binary};
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
  }
  void replace_in_file(const std::string& what, const std::string& by) {
    disk.reset();
    const auto all = data();
    std::fstream out{folder + "/data.mdb", std::ios::binary | std::ios::in | std::ios::out};
    std::size_t found = 0; // pages of earlier transactions may still have it, too
    for (auto at = all.find(what); at != std::string::npos; at = all.find(what, at + 1), ++found) {
      out.seekp(static_cast<std::streamoff>(at));
      out << by;
    }
    BOOST_REQUIRE(found > 0u);
  }
};

std::shared_ptr<const record_list> with_value(const std::string& value) {
  auto records = std::make_shared<record_list>();
  records->add("n", value);
  records->end_record();
  return records;
}

} // namespace

BOOST_FIXTURE_TEST_CASE(everything_survives_closing, disk_fixture) {
  std::string uuid;
  {
    auto spool = opens();
    uuid = spool.port->uuid();
    BOOST_TEST(spool.keeps(numbered_run(10, 1, 2000), {7, 1}));
    spool.append(numbered_run(20, 2001, 3), {7, 2},
                 std::make_shared<const checkpoint>(checkpoint{"5-0", {{"BTCUSDT", "state"}}}));
    spool.port->acknowledge({10, 999}, {}, {});
  }
  auto spool = opens();
  BOOST_TEST(spool.port->uuid() == uuid);
  BOOST_TEST((spool.port->last() == entry_id{20, 2}));
  BOOST_TEST((spool.port->acknowledged() == entry_id{10, 999}));
  BOOST_TEST(spool.port->last_batch().producer == 7u);
  BOOST_TEST(spool.port->last_batch().number == 2u);
  BOOST_TEST(spool.port->saved()->position == "5-0");
  BOOST_TEST(spool.port->size().waiting == 1003u);
  BOOST_TEST(spool.port->size().retained == 1000u);
  const auto texts = spool.texts({10, 1998});
  BOOST_TEST(texts == (list{"10-1999=2000", "20-0=2001", "20-1=2002", "20-2=2003"}));
  BOOST_TEST(spool.texts().size() == 2003u);
}

BOOST_FIXTURE_TEST_CASE(streams_in_one_spool_know_nothing_of_each_other, disk_fixture) {
  auto a = opens("a");
  patient_spool b{disk->stream("b")};
  BOOST_TEST(a.keeps(numbered_run(10, 1, 2)));
  BOOST_TEST(b.keeps(numbered_run(10, 7, 1)));
  BOOST_TEST(a.texts() == (list{"10-0=1", "10-1=2"}));
  BOOST_TEST(b.texts() == list{"10-0=7"});
  BOOST_TEST(a.port->uuid() == b.port->uuid());
}

BOOST_FIXTURE_TEST_CASE(what_is_retained_from_before_a_restart_is_kept_as_long_as_any, disk_fixture) {
  limits.retain = 10min;
  {
    auto spool = opens();
    BOOST_TEST(spool.keeps(numbered_run(10, 1, 2)));
    spool.port->acknowledge({10, 1}, {}, {});
  }
  auto spool = opens();
  BOOST_TEST(spool.keeps(numbered_run(20, 3, 1)));
  spool.port->acknowledge({20, 0}, {}, mono_time{1h});
  BOOST_TEST(spool.port->holds({10, 0}));
  spool.port->acknowledge({20, 0}, {}, mono_time{1h} + 10min + 1ms);
  BOOST_TEST(!spool.port->holds({10, 0}));
  BOOST_TEST(spool.texts() == list{});
}

BOOST_FIXTURE_TEST_CASE(room_comes_back_on_disk_when_redis_took_it, disk_fixture) {
  limits.retain_bytes = 0;
  auto spool = opens();
  std::uint64_t ms = 10, number = 0;
  for (int round = 0; round < 6; ++round) { // each fills the spool
    while (spool.keeps(numbered_run(ms, number, 2000), {1, ++number})) ++ms;
    BOOST_TEST(spool.port->size().bytes > limits.max_bytes - (std::size_t{1} << 20));
    BOOST_TEST(!spool.texts({ms - 1, 1990}).empty());
    spool.port->acknowledge(spool.port->last(), {}, {});
    BOOST_TEST(spool.port->size().bytes == 0u);
  }
}

BOOST_FIXTURE_TEST_CASE(a_batch_with_a_wrong_checksum_is_set_aside_and_the_rest_is_read, disk_fixture) {
  {
    auto spool = opens();
    BOOST_TEST(spool.keeps(numbered_run(10, 1, 2)));
    BOOST_TEST(spool.keeps({{20, 0}, with_value("a value that nothing else has"), 0, 1}));
    BOOST_TEST(spool.keeps(numbered_run(30, 3, 2)));
  }
  replace_in_file("a value that nothing", "A value that nothing");
  auto spool = opens();
  BOOST_TEST(spool.port->size().waiting == 5u);
  BOOST_TEST(spool.texts() == (list{"10-0=1", "10-1=2", "30-0=3", "30-1=4"}));
  const auto told = spool.listener.next();
  BOOST_TEST((told.what == spool_outcome::quarantined));
  BOOST_TEST(told.count == 1u);
  BOOST_TEST(told.detail == "checksum wrong: ids 20-0 to 20-0");
  BOOST_TEST(spool.port->size().waiting == 4u);
  BOOST_TEST(spool.port->size().dead == 1u);
  BOOST_TEST(spool.texts().size() == 4u);
  BOOST_TEST(spool.listener.is_quiet()); // said once
  spool.port->acknowledge({30, 1}, {}, {});
  BOOST_TEST(spool.port->size().waiting == 0u);
}

BOOST_FIXTURE_TEST_CASE(a_record_too_large_for_redis_is_set_aside_and_its_id_never_used_again, disk_fixture) {
  auto spool = opens();
  record_list records;
  for (const auto* text : {"1", "", "3"}) {
    records.add("n", *text != '\0' ? text : std::string(std::size_t{2} << 20, 'x'));
    records.end_record();
  }
  BOOST_TEST(spool.keeps({{10, 0}, std::make_shared<const record_list>(records), 0, 3}));
  const auto told = spool.listener.next();
  BOOST_TEST((told.what == spool_outcome::quarantined));
  BOOST_TEST(told.count == 1u);
  BOOST_TEST(spool.texts() == (list{"10-0=1", "10-2=3"}));
  BOOST_TEST((spool.port->last() == entry_id{10, 2}));
  BOOST_TEST(spool.port->size().waiting == 2u);
  BOOST_TEST(!spool.port->holds({10, 1}));
}

BOOST_FIXTURE_TEST_CASE(a_newer_format_is_refused_with_what_to_do, disk_fixture) {
  opens();
  replace_in_file("format1", "format2");
  const auto why = error();
  BOOST_TEST(why.find("has format 2, this breakwater knows 1") != std::string::npos, why);
  BOOST_TEST(why.find("breakwater spool status") != std::string::npos, why);
}

BOOST_FIXTURE_TEST_CASE(a_file_that_is_no_spool_is_refused_with_what_to_do, disk_fixture) {
  opens();
  disk.reset();
  std::ofstream{folder + "/data.mdb", std::ios::trunc} << std::string(100000, 'x');
  const auto why = error();
  BOOST_TEST(why.find("move it aside") != std::string::npos, why);
}

BOOST_FIXTURE_TEST_CASE(a_publisher_that_begins_again_hears_of_what_its_last_life_asked_for, disk_fixture) {
  auto spool = opens();
  test::spool_listener second;
  for (std::uint64_t i = 1; i <= 20; ++i)
    spool.port->append(100 + i, numbered_run(10 * i, i, 1), {1, i}, nullptr);
  spool.port->attach(second.sink());
  while (second.next().what != spool_outcome::opened) {
  }
  BOOST_TEST(spool.port->last_batch().number == 20u);
  BOOST_TEST(spool.texts().size() == 20u);
}
