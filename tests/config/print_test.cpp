#include "config/print.hpp"

#include "app/commands/check.hpp"
#include "config/load.hpp"
#include "config/schema.hpp"

#include <boost/test/unit_test.hpp>

#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

using namespace breakwater;
namespace fs = std::filesystem;

namespace {

const environment nothing_set = [](const char*) { return std::nullopt; };

/// A config file that is gone after the test.
struct config_file {
  std::string path =
      (fs::temp_directory_path() / ("breakwater_print_test_" + std::to_string(::getpid()))).string();
  config_file() { ::unsetenv("REDIS_URL"); } // it would override the file's
  ~config_file() { fs::remove(path); }
  void holds(const std::string& text) const {
    std::ofstream{path} << text;
    fs::permissions(path, fs::perms::owner_read | fs::perms::owner_write);
  }
};

} // namespace

BOOST_AUTO_TEST_CASE(the_example_in_the_repository_is_valid_and_equals_the_defaults) {
  const auto loaded = load_settings("config/breakwater.toml", nothing_set);
  BOOST_REQUIRE_MESSAGE(loaded, (loaded ? "" : loaded.error().detail));
  BOOST_TEST(loaded->warnings.empty());
  const settings defaults;
  for (const auto& row : config::options())
    BOOST_TEST((row.member.get(loaded->values) == row.member.get(defaults)), row.key);
}

BOOST_AUTO_TEST_CASE(example_and_reference_name_every_key) {
  const auto example = "\n" + example_config();
  const auto reference = config_reference();
  for (const auto& row : config::options()) {
    const auto leaf = config::leaf_of(row.key);
    const auto mark = config::parent_of(row.key) == "bridge" ? "\n#" : "\n";
    BOOST_TEST(example.find(std::string{mark}.append(leaf).append(" = ")) != std::string::npos, row.key);
    BOOST_TEST(reference.find(std::string{"| `"}.append(leaf).append("` |")) != std::string::npos, row.key);
  }
}

BOOST_AUTO_TEST_CASE(what_is_printed_reads_back_to_the_same_settings) {
  settings odd;
  odd.process.data_dir = "/tmp/with \"quotes\"\\and\ttab";
  odd.log.level = log_level::warn;
  odd.redis.backoff_jitter = 1;
  odd.redis.connect_timeout = 1234ms;
  odd.aggregator.max_deviation = 0.0125;
  odd.symbols.list = {"BTCUSD"};
  odd.feeds.of[index_of(exchange::kraken)].symbols = {{"BTCUSD", "XBT/USD"}};
  odd.spool.max_bytes = 16777217;
  odd.bridges.resize(2);
  odd.bridges[1].name = "second";
  odd.bridges[1].from = "another";
  const auto loaded = parse_settings(effective_config(odd), "f.toml", nothing_set);
  BOOST_REQUIRE_MESSAGE(loaded, (loaded ? "" : loaded.error().detail));
  for (const auto& row : config::options())
    BOOST_TEST((row.member.get(loaded->values) == row.member.get(odd)), row.key);
  BOOST_REQUIRE(loaded->values.bridges.size() == 2u);
  BOOST_TEST(loaded->values.bridges[0].from == bridge_settings{}.from);
}

BOOST_FIXTURE_TEST_CASE(check_prints_what_is_in_force_without_secrets, config_file) {
  holds("redis.url = \"redis://me:hunter2@host\"\n[symbols]\nlist = []\n[alerts]\n"
        "webhook_url = \"https://hooks/hunter2\"\n[feeds.okx]\nurl = \"wss://host/ws?key=hunter2\"\n");
  std::ostringstream out, err;
  BOOST_TEST(check_command(path, out, err) == 0);
  BOOST_TEST(out.str().find("url = \"redis://host\"\nusername = \"me\"\n") != std::string::npos);
  BOOST_TEST(out.str().find("# password = \"***\"\n") != std::string::npos);
  BOOST_TEST((out.str() + err.str()).find("hunter2") == std::string::npos);
  BOOST_TEST(err.str() == "warning: " + path + ":3:8: symbols.list is empty: nothing is followed\n");
  BOOST_TEST(out.str().find("webhook_url = \"***\"\n") != std::string::npos);
}

BOOST_FIXTURE_TEST_CASE(check_exits_with_2_and_no_output_when_the_file_cannot_be_used, config_file) {
  holds("[redis]\nurl = \"http://me:hunter2@host\"\n[log]\nlevle = \"info\"\n");
  std::ostringstream out, err;
  BOOST_TEST(check_command(path, out, err) == 2);
  BOOST_TEST(out.str() == "");
  BOOST_TEST(err.str() == path +
                              ":2:7: redis.url = \"http://***@host\" must start with redis:// or unix://\n" +
                              path + ":4:1: log.levle is unknown; did you mean level?\n");
}

BOOST_FIXTURE_TEST_CASE(check_says_what_to_do_about_a_missing_file, config_file) {
  std::ostringstream out, err;
  BOOST_TEST(check_command(path, out, err) == 2);
  BOOST_TEST(err.str().find(path) != std::string::npos);
  BOOST_TEST(err.str().find("--config") != std::string::npos);
}
