#include "config/consistency.hpp"

#include "config/schema.hpp"
#include "config/value_text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <set>

namespace breakwater::config {
namespace {

constexpr const char* name_rule = "must be 1 to 64 letters, digits, dots, dashes or underscores";

bool is_name(std::string_view text) noexcept {
  return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == '_';
  });
}

bool is_number_up_to(std::string_view text, unsigned max) noexcept {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size() && value <= max;
}

/// What is wrong with "host", "host:port", "[::1]:port"; empty: nothing.
std::string host_problem(std::string_view authority) {
  std::string_view port;
  bool has_port = false;
  if (authority.starts_with('[')) {
    const auto end = authority.find(']');
    if (end == std::string_view::npos) return "has [ without ]";
    const auto behind = authority.substr(end + 1);
    if (!behind.empty() && behind.front() != ':') return "has something between ] and the port";
    has_port = !behind.empty();
    if (has_port) port = behind.substr(1);
    authority = authority.substr(1, end - 1);
  } else if (const auto colon = authority.rfind(':'); colon != std::string_view::npos) {
    has_port = true;
    port = authority.substr(colon + 1);
    authority = authority.substr(0, colon);
  }
  if (authority.empty()) return "names no host";
  if (has_port && (!is_number_up_to(port, 65535) || port == "0")) return "has a port outside 1..65535";
  return {};
}

/// What is wrong with a Redis URL without user info; empty: nothing.
std::string redis_url_problem(std::string_view url) {
  constexpr std::string_view tcp = "redis://", local = "unix://";
  if (url.starts_with("rediss://"))
    return "asks for TLS, which this version cannot do; use redis:// or unix://";
  if (url.starts_with(local)) {
    auto path = url.substr(local.size());
    if (const auto query = path.find('?'); query != std::string_view::npos) {
      const auto wanted = path.substr(query + 1);
      if (!wanted.starts_with("db=") || !is_number_up_to(wanted.substr(3), 1'000'000))
        return "may end in ?db=N and nothing else";
      path = path.substr(0, query);
    }
    if (!path.starts_with('/') || path.size() < 2)
      return "must name the socket by its full path: unix:///run/redis.sock";
    return {};
  }
  if (!url.starts_with(tcp)) return "must start with redis:// or unix://";
  const auto rest = url.substr(tcp.size());
  const auto slash = rest.find('/');
  if (auto problem = host_problem(rest.substr(0, slash)); !problem.empty()) return problem;
  if (slash == std::string_view::npos || slash + 1 == rest.size()) return {};
  if (!is_number_up_to(rest.substr(slash + 1), 1'000'000))
    return "must have a database number behind the last /";
  return {};
}

struct split_url {
  std::string_view scheme, authority, target; ///< All empty: there is no ://.
};

split_url split(std::string_view url) noexcept {
  const auto scheme_end = url.find("://");
  if (scheme_end == std::string_view::npos) return {};
  const auto rest = url.substr(scheme_end + 3);
  const auto end = std::min(rest.find_first_of("/?#"), rest.size());
  return {url.substr(0, scheme_end), rest.substr(0, end), rest.substr(end)};
}

/// What is wrong with <plain>://host[:port]... or <secure>://...; empty: nothing.
std::string web_url_problem(std::string_view url, std::string_view plain, std::string_view secure) {
  const auto parts = split(url);
  if (parts.scheme != plain && parts.scheme != secure)
    return std::string{"must start with "}.append(plain).append(":// or ").append(secure).append("://");
  if (std::any_of(url.begin(), url.end(), [](char c) { return c <= ' ' || c > '~'; }))
    return "may hold printable ASCII only, and no blanks";
  if (parts.authority.find('@') != std::string_view::npos) return "must not name a user or password";
  const auto is_ipv6 = parts.authority.starts_with('[');
  if (!is_ipv6 && std::count(parts.authority.begin(), parts.authority.end(), ':') > 1)
    return "must have an IPv6 address in brackets, such as [::1]";
  return host_problem(parts.authority);
}

std::string feed_url_problem(std::string_view url) {
  if (auto problem = web_url_problem(url, "ws", "wss"); !problem.empty()) return problem;
  return url.find('#') == std::string_view::npos ? "" : "must not have a # part";
}

std::string rest_url_problem(std::string_view url) {
  if (auto problem = web_url_problem(url, "http", "https"); !problem.empty()) return problem;
  return split(url).target.empty() ? "" : "must end behind host and port: the path is the exchange's";
}

std::string webhook_url_problem(std::string_view url) { return web_url_problem(url, "http", "https"); }

/// Whether `url` is of this machine; a simulated exchange, then.
bool leads_to_this_machine(std::string_view url) noexcept {
  auto host = split(url).authority;
  if (host.starts_with('['))
    host = host.substr(1, std::min(host.find(']'), host.size()) - 1);
  else
    host = host.substr(0, host.find(':'));
  return is_loopback(host);
}

/// %XX to the byte it stands for; anything else stays.
std::string percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned byte = 0;
    const auto* digits = text.data() + i + 1;
    if (text[i] == '%' && i + 2 < text.size() &&
        std::from_chars(digits, digits + 2, byte, 16).ptr == digits + 2) {
      out += static_cast<char>(byte);
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

class judgement {
public:
  explicit judgement(const settings& values) : values_(values) {}

  std::vector<finding> all() {
    judge_process();
    judge_redis();
    judge_breaker("breaker.redis", values_.breaker_redis);
    judge_breaker("breaker.orders", values_.breaker_orders);
    judge_symbols();
    judge_feeds();
    judge_aggregator();
    judge_bridges();
    judge_alerts();
    judge_order("supervisor.restart_initial", values_.supervisor.restart_initial, "supervisor.restart_max",
                values_.supervisor.restart_max);
    if (values_.health.answer_within > values_.health.interval)
      warn({"health.answer_within", "health.interval"},
           "health.answer_within = " + toml_string(format_duration(values_.health.answer_within)) +
               " is longer than health.interval = " + toml_string(format_duration(values_.health.interval)) +
               ": answers may still be due at the next tick");
    judge_api();
    return std::move(findings_);
  }

private:
  void refuse(std::vector<std::string> keys, std::string text) {
    findings_.push_back({std::move(keys), std::move(text), false});
  }
  void warn(std::vector<std::string> keys, std::string text) {
    findings_.push_back({std::move(keys), std::move(text), true});
  }

  void judge_order(const std::string& small_key, milliseconds small, const std::string& large_key,
                   milliseconds large) {
    if (small <= large) return;
    refuse({small_key, large_key}, small_key + " = " + toml_string(format_duration(small)) + " is above " +
                                       leaf_of(large_key) + " = " + toml_string(format_duration(large)));
  }

  void judge_breaker(const std::string& name, const breaker_settings& breaker) {
    judge_order(name + ".open_duration", breaker.open_duration, name + ".max_open_duration",
                breaker.max_open_duration);
  }

  void judge_api() {
    const auto& api = values_.api;
    if (api.listen.empty()) {
      if (values_.chaos.enabled)
        warn({"chaos.enabled", "api.listen"}, "chaos.enabled has no effect while api.listen is empty");
      return;
    }
    const auto shown = "api.listen = " + toml_string(api.listen) + " ";
    const auto [host, port] = split_listen(api.listen);
    if (host.empty() || !is_number_up_to(port, 65535))
      return refuse({"api.listen"}, shown + "must be an address and a port, such as \"127.0.0.1:8000\" or "
                                            "\"[::1]:8000\"; empty turns the API off");
    if (!is_loopback(host) && api.token_file.empty())
      refuse({"api.listen", "api.token_file"},
             shown +
                 "can be reached from other machines, so api.token_file must name a file with a token; or "
                 "listen on 127.0.0.1");
  }

  void judge_process() {
    const auto& instance = values_.process.instance;
    if (!is_name(instance))
      refuse({"process.instance"}, "process.instance = " + toml_string(instance) + " " + name_rule);
    if (values_.process.data_dir.empty())
      refuse({"process.data_dir"}, "process.data_dir = \"\" must name a folder");
  }

  void judge_redis() {
    const auto& redis = values_.redis;
    if (const auto problem = redis_url_problem(split_redis_url(redis.url).url); !problem.empty())
      refuse({"redis.url"}, "redis.url = " + toml_string(without_user_info(redis.url)) + " " + problem);
    judge_order("redis.backoff_initial", redis.backoff_initial, "redis.backoff_max", redis.backoff_max);
  }

  void judge_symbols() {
    const auto& symbols = values_.symbols;
    std::set<std::string> seen;
    for (std::size_t i = 0; i < symbols.list.size(); ++i) {
      const auto& symbol = symbols.list[i];
      const auto key = element("symbols.list", i);
      if (!is_symbol(symbol))
        refuse({key, "symbols.list"}, "symbols.list: " + toml_string(symbol) +
                                          " is no symbol; write base and quote joined in capitals, such as "
                                          "\"BTCUSDT\" (quote USDT, USDC, "
                                          "USD, EUR or BTC)");
      else if (!seen.insert(symbol).second)
        refuse({key, "symbols.list"}, "symbols.list: " + toml_string(symbol) + " stands there twice");
    }
    if (symbols.list.size() > symbols.max)
      refuse({"symbols.list", "symbols.max"},
             "symbols.list has " + std::to_string(symbols.list.size()) +
                 " symbols, more than symbols.max = " + std::to_string(symbols.max));
    judge_own_key("symbols.universe_key", symbols.universe_key, "the universe is a text and no stream");
    if (symbols.list.empty() && symbols.universe_key.empty())
      warn({"symbols.list"}, "symbols.list is empty: nothing is followed");
  }

  void judge_bridges() {
    constexpr std::size_t most = 64; // each has a connection of its own
    if (values_.bridges.size() > most)
      refuse({element("bridge", most)}, std::to_string(values_.bridges.size()) + " bridges are more than " +
                                            std::to_string(most) + ": let another process have some of them");
    std::set<std::string> names, sources;
    for (std::size_t i = 0; i < values_.bridges.size(); ++i) {
      const auto& route = values_.bridges[i];
      const auto key = element("bridge", i);
      const auto refuse_key = [&](const char* leaf, const std::string& value, const std::string& why) {
        refuse({key + "." + leaf, key},
               std::string{"bridge."} + leaf + " = " + toml_string(value) + " " + why);
      };
      if (!is_name(route.name))
        refuse_key("name", route.name, name_rule);
      else if (!names.insert(route.name).second)
        refuse_key("name", route.name, "stands there twice");
      if (!is_name(route.contract)) refuse_key("contract", route.contract, name_rule);
      if (route.group.empty()) refuse_key("group", route.group, "must name a consumer group");
      if (!route.breaker.empty() && route.breaker != "orders")
        refuse_key("breaker", route.breaker, "must be orders, or empty for none");
      if (route.from.empty())
        refuse_key("from", route.from, "must name a Redis stream");
      else if (!sources.insert(route.from).second)
        refuse_key("from", route.from, "is read by two routes: what one finishes the other would do again");
      for (const auto& [leaf, value] : {std::pair{"to", route.to}, std::pair{"latest_key", route.latest_key}})
        if (!value.empty() &&
            (value == route.from || value == route.from + ".dead" || value == route.from + ".blocked"))
          refuse_key(leaf, value,
                     "is what bridge.from reads, or a stream beside it: it needs one of its own");
      if (!route.to.empty() && route.to == route.latest_key)
        refuse_key("to", route.to, "is bridge.latest_key, too: a stream and a text need a key each");
      for (const auto& [own, stream] : {std::pair{"aggregator.stream", values_.aggregator.stream},
                                        std::pair{"aggregator.raw_stream", values_.aggregator.raw_stream},
                                        std::pair{"feeds.quality_stream", values_.feeds.quality_stream}})
        for (const auto& [leaf, value] : {std::pair{"from", route.from}, std::pair{"to", route.to},
                                          std::pair{"latest_key", route.latest_key}})
          if (!value.empty() && value == stream)
            refuse_key(leaf, value, std::string{"is "} + own + ", too: events need a key of their own");
    }
  }

  void judge_alerts() {
    const auto& alerts = values_.alerts;
    if (alerts.spool_warn > alerts.spool_critical)
      refuse({"alerts.spool_warn", "alerts.spool_critical"},
             "alerts.spool_warn = " + format_number(alerts.spool_warn) +
                 " is above alerts.spool_critical = " + format_number(alerts.spool_critical));
    if (!alerts.webhook_url.empty())
      if (const auto problem = webhook_url_problem(alerts.webhook_url); !problem.empty())
        refuse({"alerts.webhook_url"}, "alerts.webhook_url " + problem); // it may hold a secret
    judge_own_key("alerts.stream", alerts.stream, "alerts need a stream of their own");
    judge_own_key("health.stream", values_.health.stream, "health needs a stream of its own");
    judge_own_key("position_monitor.stream", values_.position_monitor.stream,
                  "what breakwater writes is no sign of life of the position monitor");
    if (!values_.position_monitor.journal_unit.empty() && !values_.position_monitor.log_file.empty())
      refuse(
          {"position_monitor.log_file", "position_monitor.journal_unit"},
          "position_monitor.log_file and position_monitor.journal_unit are both set: name the one in which "
          "its log is");
  }

  /// Two things under one key of Redis would be in each other's way.
  void judge_own_key(const std::string& own, const std::string& value, const char* because) {
    if (value.empty()) return;
    const std::pair<std::string, const std::string&> streams[] = {
        {"aggregator.stream", values_.aggregator.stream},
        {"aggregator.raw_stream", values_.aggregator.raw_stream},
        {"breaker.orders.result_stream", values_.orders.result_stream},
        {"feeds.quality_stream", values_.feeds.quality_stream},
        {"alerts.stream", values_.alerts.stream},
        {"health.stream", values_.health.stream},
    };
    for (const auto& [key, stream] : streams)
      if (key != own && stream == value)
        refuse({own, key}, own + " and " + key + " are both " + toml_string(value) + ": " + because);
  }

  void judge_feeds() {
    for (const auto x : all_exchanges) {
      const auto& feed = values_.feeds.of[index_of(x)];
      const auto name = "feeds." + std::string{to_string(x)};
      if (!feed.url.empty())
        if (const auto problem = feed_url_problem(feed.url); !problem.empty())
          refuse({name + ".url"},
                 name + ".url = " + toml_string(without_user_info(feed.url)) + " " + problem);
      if (!feed.rest_url.empty())
        if (const auto problem = rest_url_problem(feed.rest_url); !problem.empty())
          refuse({name + ".rest_url"},
                 name + ".rest_url = " + toml_string(without_user_info(feed.rest_url)) + " " + problem);
      for (const auto& [ours, theirs] : feed.symbols) judge_spelling(name + ".symbols", ours, theirs);
    }
    judge_coinbase();
    judge_own_key("feeds.quality_stream", values_.feeds.quality_stream, "markers need a stream of their own");
  }

  /// Whether this exchange has the market that is followed, or pretends to: a simulated one may.
  [[nodiscard]] bool has_market(exchange x) const {
    return x != exchange::coinbase || values_.symbols.market == market::spot ||
           leads_to_this_machine(values_.feeds.of[index_of(x)].url);
  }

  /// It is enabled unless somebody says otherwise; only what was set up on purpose is worth a word.
  void judge_coinbase() {
    const auto& feed = values_.feeds.of[index_of(exchange::coinbase)];
    if (!feed.enabled || has_market(exchange::coinbase)) return;
    if (const auto key = set_up_by("feeds.coinbase", feed); !key.empty())
      warn({key, "symbols.market"},
           key +
               " is set, but Coinbase is spot only and symbols.market = \"linear\": it has nothing to merge "
               "with the others");
  }

  /// The key by which a feed was set up on purpose; empty: by none.
  static std::string set_up_by(const std::string& name, const feed_settings& feed) {
    if (!feed.url.empty()) return name + ".url";
    if (!feed.rest_url.empty()) return name + ".rest_url";
    return feed.symbols.empty() ? "" : name + ".symbols";
  }

  void judge_spelling(const std::string& key, const std::string& ours, const std::string& theirs) {
    const auto& list = values_.symbols.list;
    const auto full = key + "." + ours;
    if (!is_symbol(ours))
      refuse({full, key}, key + ": " + toml_string(ours) + " is no symbol of ours, such as BTCUSDT");
    else if (theirs.empty())
      refuse({full, key}, full + " = \"\" must be the exchange's spelling");
    else if (values_.symbols.universe_key.empty() && std::find(list.begin(), list.end(), ours) == list.end())
      warn({full, key}, full + " has no effect: " + ours + " is not in symbols.list");
  }

  void judge_aggregator() {
    const auto& aggregator = values_.aggregator;
    const bool reads_raw = aggregator.source == candle_source::raw_stream;
    if (aggregator.stream.empty())
      refuse({"aggregator.stream"}, "aggregator.stream = \"\" must name a Redis stream");
    if (aggregator.raw_stream.empty() && (reads_raw || values_.feeds.publish_raw))
      refuse({"aggregator.raw_stream"}, "aggregator.raw_stream = \"\" must name a Redis stream");
    else if (aggregator.raw_stream == aggregator.stream && !aggregator.stream.empty())
      refuse({"aggregator.raw_stream", "aggregator.stream"},
             "aggregator.raw_stream and aggregator.stream are both " + toml_string(aggregator.stream) +
                 ": what goes in and what comes out must be two streams");
    if (reads_raw) return judge_unused_feeds();
    const auto enabled =
        static_cast<std::size_t>(std::count_if(all_exchanges.begin(), all_exchanges.end(), [&](exchange x) {
          return values_.feeds.of[index_of(x)].enabled && has_market(x);
        }));
    if (enabled == 0 || aggregator.min_exchanges <= enabled) return;
    std::vector<std::string> keys{"aggregator.min_exchanges"};
    for (const auto x : all_exchanges) keys.push_back("feeds." + std::string{to_string(x)} + ".enabled");
    warn(std::move(keys), "aggregator.min_exchanges = " + std::to_string(aggregator.min_exchanges) +
                              " is more than the enabled feeds (" + std::to_string(enabled) +
                              "): live data will never be published");
  }

  /// The feeds are enabled unless somebody says otherwise; only what was set up on purpose is worth a word.
  void judge_unused_feeds() {
    if (values_.feeds.publish_raw) return;
    for (const auto x : all_exchanges) {
      const auto& feed = values_.feeds.of[index_of(x)];
      const auto name = "feeds." + std::string{to_string(x)};
      const auto key = set_up_by(name, feed);
      if (!feed.enabled || key.empty()) continue;
      warn({key, "aggregator.source"},
           name + " has no effect: with aggregator.source = \"raw_stream\" an exchange is connected only for "
                  "feeds.publish_raw");
    }
  }

  const settings& values_;
  std::vector<finding> findings_;
};

} // namespace

std::vector<finding> judge(const settings& values) { return judgement{values}.all(); }

bool is_symbol(std::string_view text) noexcept {
  constexpr std::array<std::string_view, 5> quotes{"USDT", "USDC", "USD", "EUR", "BTC"};
  const bool capitals = std::all_of(text.begin(), text.end(),
                                    [](char c) { return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); });
  return capitals && std::any_of(quotes.begin(), quotes.end(), [&](std::string_view quote) {
           return text.ends_with(quote) && text.size() > quote.size() && text.size() <= quote.size() + 20;
         });
}

listen_address split_listen(std::string_view listen) {
  const auto colon = listen.rfind(':');
  if (colon == std::string_view::npos) return {};
  auto host = listen.substr(0, colon);
  const auto port = listen.substr(colon + 1);
  const bool six = host.starts_with('[') && host.ends_with(']');
  if (six) host = host.substr(1, host.size() - 2);
  if (!six && host.find(':') != std::string_view::npos) return {};
  return {std::string{host}, std::string{port}};
}

bool is_loopback(std::string_view host) noexcept {
  return host == "localhost" || host == "::1" ||
         (host.starts_with("127.") && host.find_first_not_of("0123456789.") == std::string_view::npos);
}

redis_address split_redis_url(std::string_view url) {
  const auto scheme_end = url.find("://");
  if (scheme_end == std::string_view::npos) return {{}, {}, std::string{url}};
  const auto scheme = url.substr(0, scheme_end + 3);
  auto rest = url.substr(scheme.size());
  // A socket's path may hold an @; a TCP address may not, but an unescaped password may hold a slash.
  const auto searched = scheme == "unix://" ? rest.substr(0, rest.find('/')) : rest;
  const auto at = searched.rfind('@');
  if (at == std::string_view::npos) return {{}, {}, std::string{url}};
  const auto user_info = rest.substr(0, at);
  rest.remove_prefix(at + 1);
  const auto colon = user_info.find(':');
  redis_address parts;
  parts.username = percent_decoded(user_info.substr(0, colon));
  if (colon != std::string_view::npos) parts.password = percent_decoded(user_info.substr(colon + 1));
  parts.url = std::string{scheme}.append(rest);
  return parts;
}

} // namespace breakwater::config
