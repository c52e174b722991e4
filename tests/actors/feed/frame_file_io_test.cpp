#include "actors/feed/frame_file_io.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <unistd.h>
#include <vector>

namespace breakwater {
namespace {

struct file_fixture {
  std::filesystem::path path = std::filesystem::temp_directory_path() /
                               (std::string{"breakwater-frames-"} + std::to_string(::getpid()) + ".jsonl");
  std::vector<std::string> frames, skipped;
  bool at_end = false;

  ~file_fixture() { std::filesystem::remove(path); }

  void read(const std::string& content, std::size_t max = 3, frame_file_limits limits = {}) {
    std::ofstream{path, std::ios::binary} << content;
    auto source = frame_file_io::open(path, limits);
    BOOST_TEST_REQUIRE(static_cast<bool>(source));
    recorded_frames got;
    for (int reads = 0; !got.at_end; ++reads) {
      BOOST_TEST_REQUIRE(reads < 100000);
      (*source)->next(max, got);
      BOOST_TEST(got.frames.size() <= max);
      for (const auto& x : got.frames)
        frames.push_back(std::string{to_string(x.from)} + " " + std::to_string(epoch_ms(x.received_at)) +
                         " " + std::string{x.text});
      for (const auto& x : got.skipped)
        skipped.push_back(std::to_string(x.number) + " " + to_string(x.why.code) + " " + x.why.detail);
    }
    BOOST_TEST((got.broken.code == errc::none));
  }
};

BOOST_FIXTURE_TEST_SUITE(frame_file_io_suite, file_fixture)

BOOST_AUTO_TEST_CASE(frames_are_handed_out_as_the_exchange_sent_them) {
  read(R"({"recv_ms":1,"exchange":"binance","frame":{"a": [1, {"b":"}"}]}})"
       "\n\n"
       R"({"frame":"pong", "exchange":"okx","recv_ms":2})"
       "\r\n"
       R"({"recv_ms":3,"exchange":"kraken","frame":[1,"x"],"note":null})"
       "\n"
       R"({"recv_ms":4,"exchange":"bybit","frame":"say \"no\" \u00e4"})");
  const std::vector<std::string> expected{R"(binance 1 {"a": [1, {"b":"}"}]})", "okx 2 pong",
                                          R"(kraken 3 [1,"x"])", "bybit 4 say \"no\" \xc3\xa4"};
  BOOST_TEST(frames == expected, boost::test_tools::per_element());
  BOOST_TEST(skipped.empty());
}

BOOST_AUTO_TEST_CASE(a_line_of_no_use_is_skipped_with_its_number_and_the_reason) {
  read("no json\n"
       R"({"recv_ms":1,"exchange":"binance","frame":{}})"
       "\n"
       R"({"recv_ms":2,"exchange":"ftx","frame":{}})"
       "\n"
       R"({"exchange":"binance","frame":{}})"
       "\n"
       R"({"recv_ms":"soon","exchange":"binance","frame":{}})"
       "\n"
       R"({"recv_ms":1,"exchange":"binance"})"
       "\n"
       R"({"recv_ms":1,"exchange":"binance","frame":7})"
       "\n"
       R"({"recv_ms":1,"exchange":"binance","frame":{"cut)"
       "\n"
       R"({"recv_ms":1,"exchange":"binance","frame":{}} {})"
       "\n"
       R"([1])"
       "\n"
       R"({"recv_ms":9,"frame":{},"exchange":7})");
  BOOST_TEST(frames.size() == 1u);
  const std::vector<std::string> expected{"1 frame_not_json the line is no JSON object",
                                          "3 exchange_unknown ftx",
                                          "4 field_missing recv_ms",
                                          "5 field_malformed recv_ms",
                                          "6 field_missing frame",
                                          "7 field_malformed frame",
                                          "8 frame_not_json the line is no JSON object",
                                          "9 frame_not_json something follows the object",
                                          "10 frame_not_json the line is no JSON object",
                                          "11 field_malformed exchange"};
  BOOST_TEST(skipped == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(lines_may_end_anywhere_in_the_buffer) {
  std::string content;
  for (int i = 1; i <= 200; ++i)
    content += R"({"recv_ms":)" + std::to_string(i) + R"(,"exchange":"okx","frame":{"pad":")" +
               std::string(static_cast<std::size_t>(i), 'x') + "\"}}\n";
  for (std::size_t bytes : {1u, 7u, 64u, 250u, 4096u}) {
    frames.clear();
    read(content, 5, {.read_bytes = bytes, .line_bytes = 1000});
    BOOST_TEST_CONTEXT(bytes) {
      BOOST_TEST_REQUIRE(frames.size() == 200u);
      for (std::size_t i = 0; i < 200; ++i)
        BOOST_TEST(frames[i] ==
                   "okx " + std::to_string(i + 1) + R"( {"pad":")" + std::string(i + 1, 'x') + "\"}");
    }
  }
  BOOST_TEST(skipped.empty());
}

BOOST_AUTO_TEST_CASE(a_line_that_is_too_long_is_skipped_and_the_next_one_read) {
  const std::string good = R"({"recv_ms":1,"exchange":"okx","frame":{}})";
  read(good + "\n" + std::string(5000, 'x') + "\n" + good + "\n" + std::string(5000, 'y'), 3,
       {.read_bytes = 100, .line_bytes = 1000});
  BOOST_TEST(frames.size() == 2u);
  const std::vector<std::string> expected{"2 field_malformed the line is too long",
                                          "4 field_malformed the line is too long"};
  BOOST_TEST(skipped == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(an_empty_file_is_at_its_end) {
  read("");
  BOOST_TEST(frames.empty());
}

BOOST_AUTO_TEST_CASE(a_file_that_is_not_there_is_said_by_name) {
  const auto source = frame_file_io::open("/nowhere/frames.jsonl");
  BOOST_TEST_REQUIRE(!source);
  BOOST_TEST((source.error().code == errc::file_unreadable));
  BOOST_TEST(source.error().detail == "/nowhere/frames.jsonl: No such file or directory");
}

BOOST_AUTO_TEST_CASE(a_folder_is_no_file) {
  auto source = frame_file_io::open(std::filesystem::temp_directory_path());
  BOOST_TEST_REQUIRE(static_cast<bool>(source));
  recorded_frames got;
  (*source)->next(1, got);
  BOOST_TEST(got.at_end);
  BOOST_TEST((got.broken.code == errc::file_unreadable));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
} // namespace breakwater
