#include "actors/support/reply_class.hpp"

#include <boost/test/unit_test.hpp>

#include <ostream>
#include <string>
#include <vector>

namespace breakwater {
std::ostream& boost_test_print_type(std::ostream& out, reply_class what) { return out << to_string(what); }
namespace {

using enum reply_class;

struct row {
  const char* text;
  reply_class what;
};
std::ostream& operator<<(std::ostream& out, const row& r) { return out << r.text; }

const row errors[] = {
    {"LOADING Redis is loading the dataset in memory", waiting},
    {"BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.", waiting},
    {"MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", temporary},
    {"CLUSTERDOWN The cluster is down", temporary},
    {"TRYAGAIN Multiple keys request during rehashing of slot", temporary},
    {"READONLY You can't write against a read only replica.", failed_over},
    {"OOM command not allowed when used memory > 'maxmemory'.", refusing_writes},
    {"MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.",
     refusing_writes},
    {"NOREPLICAS Not enough good replicas to write.", refusing_writes},
    {"NOAUTH Authentication required.", configuration},
    {"WRONGPASS invalid username-password pair or user is disabled.", configuration},
    {"NOPERM this user has no permissions to run the 'xadd' command", configuration},
    {"DENIED Redis is running in protected mode", configuration},
    {"ERR invalid password", configuration},
    {"ERR AUTH <password> called without any password configured for the default user. Are you sure your "
     "configuration is correct?",
     configuration},
    {"ERR max number of clients reached", capacity},
    {"ERR max number of clients + cluster connections reached", capacity},
    {"WRONGTYPE Operation against a key holding the wrong kind of value", target},
    {"ERR unknown command 'XADDD', with args beginning with: ", target},
    {"ERR The stream has exhausted the last possible ID, unable to add more items", target},
    {"BUSYGROUP Consumer Group name already exists", target},
    {"BUSYKEY Target key name already exists.", target},
    {"NOSCRIPT No matching script. Please use EVAL.", target},
    {"SOMETHING new", target},
    {"", target},
    {"NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option", group_gone},
    {"ERR The ID specified in XADD is equal or smaller than the target stream top item", id_not_above},
    {"ERR The ID specified in XADD must be greater than 0-0", target},
    {"EXECABORT Transaction discarded because of previous errors.", transaction},
    {"EXECABORT Transaction discarded because of: OOM command not allowed when used memory > 'maxmemory'.",
     refusing_writes},
    {"EXECABORT Transaction discarded because of: NOREPLICAS Not enough good replicas to write.",
     refusing_writes},
    {"EXECABORT Transaction discarded because of: LOADING Redis is loading", waiting},
};

struct meaning_row {
  reply_class what;
  bool counts;
  bool keeps;
  retry_way retry;
};
std::ostream& operator<<(std::ostream& out, const meaning_row& r) { return out << to_string(r.what); }

const meaning_row meanings[] = {
    {fine, false, true, retry_way::none},           {transport, true, false, retry_way::backoff},
    {waiting, false, true, retry_way::backoff},     {temporary, true, true, retry_way::backoff},
    {failed_over, true, false, retry_way::backoff}, {refusing_writes, true, true, retry_way::backoff},
    {configuration, true, true, retry_way::slowly}, {capacity, true, false, retry_way::backoff},
    {target, false, true, retry_way::none},         {group_gone, false, true, retry_way::none},
    {id_not_above, false, true, retry_way::none},   {transaction, false, true, retry_way::backoff},
};

redis_reply error(const char* text) { return {.what = redis_reply::kind::error, .text = text, .items = {}}; }
redis_reply status(const char* text) {
  return {.what = redis_reply::kind::status, .text = text, .items = {}};
}
redis_reply array(std::vector<redis_reply> items) {
  return {.what = redis_reply::kind::array, .text = {}, .items = std::move(items)};
}

} // namespace

BOOST_AUTO_TEST_CASE(every_error_has_its_class) {
  for (const auto& r : errors) BOOST_TEST_CONTEXT(r) {
      BOOST_TEST(classify_error(r.text) == r.what);
    }
}

BOOST_AUTO_TEST_CASE(every_class_has_its_meaning) {
  for (const auto& r : meanings) BOOST_TEST_CONTEXT(r) {
      BOOST_TEST(meaning_of(r.what).counts_as_failure == r.counts);
      BOOST_TEST(meaning_of(r.what).keeps_connection == r.keeps);
      BOOST_TEST((meaning_of(r.what).retry == r.retry));
    }
}

BOOST_AUTO_TEST_CASE(a_pipeline_without_errors_is_fine) {
  const std::vector<redis_reply> replies{status("OK"), array({status("OK"), status("OK")})};
  BOOST_TEST(judge(replies).what == fine);
  BOOST_TEST(judge({}).what == fine);
}

BOOST_AUTO_TEST_CASE(a_refused_transaction_has_the_class_of_its_cause) {
  const std::vector<redis_reply> replies{
      status("OK"), status("QUEUED"), error("OOM command not allowed"),
      error("EXECABORT Transaction discarded because of previous errors.")};
  const auto judged = judge(replies);
  BOOST_TEST(judged.what == refusing_writes);
  BOOST_TEST(judged.text == "OOM command not allowed");
}

BOOST_AUTO_TEST_CASE(a_transaction_refused_by_a_wrong_command_is_the_targets_fault) {
  const std::vector<redis_reply> replies{
      status("OK"), error("ERR unknown command 'X'"),
      error("EXECABORT Transaction discarded because of previous errors.")};
  BOOST_TEST(judge(replies).what == target);
}

BOOST_AUTO_TEST_CASE(a_refused_transaction_of_unknown_cause_stays_that) {
  const std::vector<redis_reply> replies{
      error("EXECABORT Transaction discarded because of previous errors.")};
  BOOST_TEST(judge(replies).what == transaction);
}

BOOST_AUTO_TEST_CASE(errors_inside_a_transactions_array_are_seen) {
  const std::vector<redis_reply> replies{
      status("OK"), status("QUEUED"),
      array({error("ERR The ID specified in XADD is equal or smaller than the target stream top item")})};
  BOOST_TEST(judge(replies).what == id_not_above);
}

BOOST_AUTO_TEST_CASE(a_failure_decides_over_an_error_that_is_none) {
  const std::vector<redis_reply> replies{error("WRONGTYPE x"), error("LOADING x"), error("OOM x"),
                                         error("NOAUTH x")};
  BOOST_TEST(judge(replies).what == refusing_writes);
}

} // namespace breakwater
