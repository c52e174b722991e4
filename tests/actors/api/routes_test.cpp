#include "actors/api/routes.hpp"

#include <boost/test/unit_test.hpp>

#include <nlohmann/json.hpp>

#include <optional>
#include <string>

namespace breakwater::test {
namespace {

const api_rules open_house{{"redis", "orders"},
                           {"redis", "feed/okx", "breaker/redis"},
                           {},
                           false,
                           {exchange::binance, exchange::okx}};

http_request get(const std::string& target) { return {1, "GET", target, {}, {}, "127.0.0.1:50000"}; }
http_request post(const std::string& target, const std::string& body = {}, http_headers headers = {}) {
  headers.emplace_back("host", "127.0.0.1:8000");
  return {1, "POST", target, std::move(headers), body, "127.0.0.1:50000"};
}

/// The question a request comes down to; a refusal fails the test.
template <class Question>
Question question(const http_request& request, const api_rules& rules = open_house) {
  auto routed = route(request, rules);
  if (const auto* refused = std::get_if<http_response>(&routed))
    BOOST_FAIL(request.target << ": " << refused->body);
  return std::get<Question>(std::get<api_question>(routed));
}

http_response refusal(const http_request& request, const api_rules& rules = open_house) {
  auto routed = route(request, rules);
  BOOST_REQUIRE_MESSAGE(std::holds_alternative<http_response>(routed), request.target << " was not refused");
  return std::get<http_response>(routed);
}

std::string error_of(const http_response& answer) { return nlohmann::json::parse(answer.body).at("error"); }

std::string header_of(const http_response& answer, const std::string& name) {
  for (const auto& [key, value] : answer.headers)
    if (key == name) return value;
  return {};
}

} // namespace

BOOST_AUTO_TEST_CASE(every_path_leads_to_its_question) {
  BOOST_TEST(question<ask_status>(get("/api/circuit-breaker/status")).breaker == "redis");
  BOOST_TEST(question<ask_status>(get("/api/circuit-breaker/status?breaker=orders")).breaker == "orders");
  BOOST_TEST(question<ask_history>(get("/api/circuit-breaker/history")).limit == 50u);
  const auto history = question<ask_history>(get("/api/circuit-breaker/history?limit=1000&breaker=orders"));
  BOOST_TEST((history.limit == 1000u && history.breaker == "orders"));
  question<ask_health>(get("/health"));
  question<ask_live>(get("/health/live"));
  question<ask_ready>(get("/health/ready"));
  question<ask_actors>(get("/api/actors"));
  BOOST_TEST(question<ask_audit>(get("/api/audit?limit=7")).limit == 7u);
  const auto all_feeds = question<ask_feeds>(get("/api/feeds"));
  BOOST_TEST((!all_feeds.of && all_feeds.symbol.empty()));
  const auto one = question<ask_feeds>(get("/api/feeds?symbol=BTCUSDT&exchange=okx"));
  BOOST_TEST((one.of == exchange::okx && one.symbol == "BTCUSDT"));
  question<ask_spool>(get("/api/spool"));
  question<ask_page>(get("/"));
  BOOST_TEST(question<ask_prices>(get("/api/prices?symbol=BTCUSDT")).symbol == "BTCUSDT");
  auto events = get("/api/events");
  events.headers = {{"last-event-id", "5-7"}};
  BOOST_TEST(question<ask_events>(events).last_seen == "5-7");
  for (const auto* body : {"", "{}"})
    BOOST_TEST(question<order_heartbeat>(post("/api/position-monitor/heartbeat", body)).what.from ==
               "127.0.0.1:50000");
  auto head = get("/health");
  head.method = "HEAD";
  question<ask_health>(head);
}

BOOST_AUTO_TEST_CASE(a_reset_reads_query_json_and_form) {
  for (const auto& request :
       {post("/api/circuit-breaker/reset?breaker=orders&override=true&reason=Testing%20it"),
        post("/api/circuit-breaker/reset?override=1&reason=Testing+it&breaker=orders"),
        post("/api/circuit-breaker/reset", R"({"breaker":"orders","override":true,"reason":"Testing it"})"),
        post("/api/circuit-breaker/reset?breaker=orders", R"({"override":"true","reason":"Testing it"})"),
        post("/api/circuit-breaker/reset", "override=true&breaker=orders&reason=Testing+it",
             {{"content-type", "application/x-www-form-urlencoded"}}),
        post("/api/circuit-breaker/reset", R"({"breaker":"orders","override":true,"reason":"Testing it"})",
             {{"content-type", "application/x-www-form-urlencoded"}})}) { // what curl -d says of itself
    BOOST_TEST_CONTEXT(request.target << " " << request.body) {
      const auto order = question<order_reset>(request);
      BOOST_TEST((order.breaker == "orders" && order.what.override && order.what.reason == "Testing it"));
      BOOST_TEST((order.what.who == "anonymous" && order.what.from == "127.0.0.1:50000"));
    }
  }
  const auto plain =
      question<order_reset>(post("/api/circuit-breaker/reset", {}, {{"x-operator", "alice@desk"}}));
  BOOST_TEST((plain.breaker == "redis" && !plain.what.override && plain.what.reason.empty()));
  BOOST_TEST(plain.what.who == "alice@desk");
}

BOOST_AUTO_TEST_CASE(open_and_report_are_read) {
  const auto opened = question<order_open>(post("/api/circuit-breaker/open?breaker=orders&reason=news"));
  BOOST_TEST((opened.breaker == "orders" && opened.what.reason == "news"));
  const auto told = question<report_outcome>(
      post("/api/circuit-breaker/report?breaker=orders", R"({"ok":false,"reason":"rejected"})"));
  BOOST_TEST(
      (told.breaker == "orders" && !told.what.succeeded && told.what.permit == 0 && told.what.decides));
  BOOST_TEST(told.what.reason == "rejected");
  BOOST_TEST(
      question<report_outcome>(post("/api/circuit-breaker/report?breaker=orders&ok=true")).what.succeeded);
}

BOOST_AUTO_TEST_CASE(bad_requests_are_told_what_is_wrong) {
  struct row {
    http_request request;
    unsigned status;
    std::string error;
  };
  const std::string reset = "/api/circuit-breaker/reset", history = "/api/circuit-breaker/history";
  const row rows[] = {
      {get("/nothing"), 404, "there is nothing at /nothing"},
      {get("/api/circuit-breaker/"), 404, "there is nothing at /api/circuit-breaker/"},
      {get("/health/"), 404, "there is nothing at /health/"},
      {get(reset), 405, "this is asked with POST"},
      {post("/health"), 405, "this is asked with GET"},
      {post("/api/feeds"), 405, "this is asked with GET"},
      {get("/api/feeds/"), 404, "there is nothing at /api/feeds/"},
      {get("/api/feeds?exchange=nobody"), 404, "there is no feed of exchange 'nobody'"},
      {get("/api/feeds?exchange=kraken"), 404, "there is no feed of exchange 'kraken'"}, // not enabled
      {get("/api/feeds?exchange=Okx"), 404, "there is no feed of exchange 'Okx'"},
      {get("/api/feeds?exchange="), 404, "there is no feed of exchange ''"},
      {get("/api/feeds?symbol="), 400, "symbol is empty"},
      {get("/api/feeds?symbols=BTCUSDT"), 400, "parameter 'symbols' is unknown"},
      {get("/api/feeds?exchange=okx&exchange=okx"), 400, "parameter 'exchange' is given twice"},
      {post(reset + "?override=maybe"), 400, "override is 'maybe'; it must be true or false"},
      {post(reset + "?override=true"), 400, "an override needs a reason"},
      {post(reset + "?override=true&reason=%20"), 400, "an override needs a reason"},
      {post(reset + "?overide=true"), 400, "parameter 'overide' is unknown"},
      {post(reset + "?override"), 400, "parameter 'override' has no value"},
      {post(reset + "?reason=a&reason=b"), 400, "parameter 'reason' is given twice"},
      {post(reset + "?reason=a", R"({"reason":"b"})"), 400, "parameter 'reason' is given twice"},
      {post(reset + "?reason=%zz"), 400, "a '%' that no two hex digits follow"},
      {post(reset + "?reason=%2"), 400, "a '%' that no two hex digits follow"},
      {post(reset + "?reason=" + std::string(501, 'x')), 400, "reason is longer than 500 bytes"},
      {post(reset, "[]"), 400, "the body is no JSON object"},
      {post(reset, "override=true"), 400, "the body is no JSON object"},
      {post(reset, R"({"reason":["a"]})"), 400, "parameter 'reason' must be a text, a number, true or false"},
      {post(reset + "?breaker=nobody"), 404, "there is no breaker 'nobody'"},
      {post(reset + "?breaker=nobody&override=x"), 400, "override is 'x'; it must be true or false"},
      {post("/api/circuit-breaker/open"), 400, "reason is missing"},
      {post("/api/circuit-breaker/report"), 400, "breaker is missing"},
      {post("/api/circuit-breaker/report?breaker=redis&ok=true"), 400, "breaker redis counts its own calls"},
      {post("/api/circuit-breaker/report?breaker=orders"), 400, "ok is missing"},
      {get(history + "?limit=0"), 400, "limit is '0'; it must be a whole number from 1 to 1000"},
      {get(history + "?limit=1001"), 400, "limit is '1001'; it must be a whole number from 1 to 1000"},
      {get(history + "?limit=-1"), 400, "limit is '-1'; it must be a whole number from 1 to 1000"},
      {get(history + "?limit=5x"), 400, "limit is '5x'; it must be a whole number from 1 to 1000"},
      {get("/api/circuit-breaker/status?breaker=nobody"), 404, "there is no breaker 'nobody'"},
      {get("/api/position-monitor/heartbeat"), 405, "this is asked with POST"},
      {post("/api/position-monitor/heartbeat?from=me"), 400, "parameter 'from' is unknown"},
      {post("/api/position-monitor/heartbeat", "alive"), 400, "the body is no JSON object"},
      {post("/api/actors/redis/kill"), 403, "chaos.enabled is false: actors are not killed on request"},
      {post("/api/actors/redis/tickle"), 404, "there is nothing at /api/actors/redis/tickle"},
      {post("/api/actors/kill"), 404, "there is nothing at /api/actors/kill"},
  };
  for (const auto& row : rows)
    BOOST_TEST_CONTEXT(row.request.method << " " << row.request.target << " " << row.request.body) {
      const auto answer = refusal(row.request);
      BOOST_TEST(answer.status == row.status);
      BOOST_TEST(error_of(answer) == row.error);
      BOOST_TEST(header_of(answer, "Content-Type") == "application/json");
    }
  BOOST_TEST(header_of(refusal(get(reset)), "Allow") == "POST");
  BOOST_TEST(header_of(refusal(post("/health")), "Allow") == "GET, HEAD");
  BOOST_TEST(header_of(refusal(post("/api/feeds")), "Allow") == "GET, HEAD");
}

BOOST_AUTO_TEST_CASE(an_exchange_that_is_not_followed_is_answered_with_those_that_are) {
  const auto hint_of = [](const http_response& answer) {
    return nlohmann::json::parse(answer.body).at("hint").get<std::string>();
  };
  BOOST_TEST(hint_of(refusal(get("/api/feeds?exchange=kraken"))) == "there are: binance, okx");
  auto rules = open_house;
  rules.feeds.clear();
  BOOST_TEST(hint_of(refusal(get("/api/feeds?exchange=okx"), rules)) == "no exchange is followed");
  question<ask_feeds>(get("/api/feeds"), rules);
}

BOOST_AUTO_TEST_CASE(with_a_token_changing_requests_need_it_and_reading_does_not) {
  auto rules = open_house;
  rules.token = secret{"s3cret"};
  const std::string reset = "/api/circuit-breaker/reset";
  question<ask_status>(get("/api/circuit-breaker/status"), rules);
  for (const std::string given :
       {"", "Bearer ", "Bearer s3cre", "Bearer s3cretx", "Bearer S3CRET", "Basic s3cret", "s3cret"})
    BOOST_TEST_CONTEXT("'" << given << "'") {
      const auto answer = refusal(
          post(reset, {}, given.empty() ? http_headers{} : http_headers{{"authorization", given}}), rules);
      BOOST_TEST(answer.status == 401u);
      BOOST_TEST(header_of(answer, "WWW-Authenticate") == "Bearer");
      BOOST_TEST(answer.body.find("s3cret") == std::string::npos);
    }
  question<order_reset>(post(reset, {}, {{"authorization", "Bearer s3cret"}}), rules);
  question<order_reset>(post(reset, {}, {{"authorization", "bearer s3cret"}}), rules);
  BOOST_TEST(refusal(post(reset + "?override=x"), rules).status == 401u); // judged before parameters
}

BOOST_AUTO_TEST_CASE(pages_of_other_sites_are_refused) {
  struct row {
    http_headers headers;
    bool passes;
  };
  const row rows[] = {
      {{}, true},
      {{{"origin", "http://127.0.0.1:8000"}}, true},
      {{{"origin", "http://127.0.0.1:9000"}}, false},
      {{{"origin", "http://evil.example"}}, false},
      {{{"origin", "null"}}, false},
      {{{"origin", ""}}, false},
      {{{"sec-fetch-site", "cross-site"}}, false},
      {{{"sec-fetch-site", "same-site"}}, false},
      {{{"sec-fetch-site", "same-origin"}}, true},
      {{{"sec-fetch-site", "none"}}, true},
  };
  for (const auto& row : rows)
    BOOST_TEST_CONTEXT((row.headers.empty() ? "none" : row.headers[0].first + ": " + row.headers[0].second)) {
      const auto routed = route(post("/api/circuit-breaker/reset", {}, row.headers), open_house);
      const auto* refused = std::get_if<http_response>(&routed);
      BOOST_TEST((refused == nullptr) == row.passes);
      if (refused) BOOST_TEST(refused->status == 403u);
    }
}

BOOST_AUTO_TEST_CASE(a_name_that_was_made_to_point_at_this_machine_is_another_site_unless_there_is_a_token) {
  const http_request rebound{1,
                             "POST",
                             "/api/circuit-breaker/reset",
                             {{"host", "evil.example:8000"},
                              {"origin", "http://evil.example:8000"},
                              {"authorization", "Bearer s3cret"}},
                             {},
                             "127.0.0.1:5"};
  BOOST_TEST(refusal(rebound).status == 403u);
  auto rules = open_house;
  rules.token = secret{"s3cret"};
  question<order_reset>(rebound, rules);
}

BOOST_AUTO_TEST_CASE(without_a_token_nothing_is_answered_to_a_name_that_somebody_can_point_at_this_machine) {
  struct row {
    std::string host;
    bool passes;
  };
  const row rows[] = {
      {"localhost:8000", true},
      {"LOCALHOST", true},
      {"127.0.0.1:8000", true},
      {"127.1.2.3", true},
      {"[::1]:8000", true},
      {"10.0.0.7:8000", true}, // a tunnel's end
      {"desk.localhost:80", true},
      {"", true},
      {"evil.example", false},
      {"evil.example:8000", false},
      {"127.0.0.1.evil.example", false},
      {"localhost.evil.example:80", false},
      {"notlocalhost", false},
      {"1.2.3.4x", false},
  };
  auto with_token = open_house;
  with_token.token = secret{"s3cret"};
  for (const auto& row : rows)
    for (const auto* path : {"/health", "/api/audit", "/api/feeds", "/nothing"})
      BOOST_TEST_CONTEXT(row.host << path) {
        auto request = get(path);
        request.headers = {{"host", row.host}};
        const auto routed = route(request, open_house);
        const auto* refused = std::get_if<http_response>(&routed);
        BOOST_TEST((refused == nullptr || refused->status == 404u) == row.passes);
        if (refused && !row.passes) BOOST_TEST(refused->status == 403u);
        const auto open = route(request, with_token);
        const auto* still = std::get_if<http_response>(&open);
        BOOST_TEST((still == nullptr || still->status == 404u));
      }
}

BOOST_AUTO_TEST_CASE(chaos_names_an_actor_that_exists) {
  auto rules = open_house;
  rules.chaos = true;
  const auto kill = question<order_chaos>(post("/api/actors/feed/okx/kill"), rules).what;
  BOOST_TEST((kill.name == "feed/okx" && !kill.hang));
  BOOST_TEST(question<order_chaos>(post("/api/actors/redis/hang"), rules).what.hang);
  BOOST_TEST(refusal(post("/api/actors/nobody/kill"), rules).status == 404u);
  BOOST_TEST(refusal(get("/api/actors/redis/kill"), rules).status == 405u);
}

} // namespace breakwater::test
