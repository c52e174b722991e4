#include "tests/support/fake_redis.hpp"

#include <algorithm>
#include <charconv>
#include <stdexcept>

namespace breakwater::test {
namespace {

using kind = redis_reply::kind;

redis_reply status(std::string text) { return {kind::status, std::move(text), 0, {}}; }
redis_reply error(std::string text) { return {kind::error, std::move(text), 0, {}}; }
redis_reply text(std::string what) { return {kind::text, std::move(what), 0, {}}; }
redis_reply integer(std::int64_t n) { return {kind::integer, {}, n, {}}; }
redis_reply array(std::vector<redis_reply> items) { return {kind::array, {}, 0, std::move(items)}; }
redis_reply nil() { return {}; }

redis_reply reply_of(const stream_entry& entry) {
  std::vector<redis_reply> fields;
  for (const auto& [name, value] : entry.fields) {
    fields.push_back(text(name));
    fields.push_back(text(value));
  }
  return array({text(to_string(entry.id)), array(std::move(fields))});
}

bool is_write(const std::string& name) { return name == "XADD" || name == "SET" || name == "DEL"; }

constexpr const char* intruder_mark = "intruder";

/// How long a read may be held back; nullopt: it is none, or does not want to be.
std::optional<std::chrono::milliseconds> block_of(const std::vector<std::string>& command) {
  if (command.front() != "XREAD") return std::nullopt;
  const auto block = std::find(command.begin(), command.end(), "BLOCK");
  if (block == command.end()) return std::nullopt;
  return std::chrono::milliseconds{std::stoll(*std::next(block))};
}

constexpr const char* wrong_type = "WRONGTYPE Operation against a key holding the wrong kind of value";

bool is_nothing(const redis_reply& reply) { return reply.what == kind::nil; }

} // namespace

struct fake_redis::handle final : redis_connection {
  handle(std::shared_ptr<fake_redis> s, std::shared_ptr<session> w)
      : server(std::move(s)), who(std::move(w)) {}
  ~handle() override { who->left = true; }
  void submit(std::uint64_t tag, std::shared_ptr<const std::string> wire, std::size_t count) override {
    server->receive(who, {tag, std::move(wire), count, {}});
  }
  std::shared_ptr<fake_redis> server;
  std::shared_ptr<session> who;
};

std::unique_ptr<redis_connection> fake_redis::connect(const redis_address&, std::chrono::milliseconds timeout,
                                                      connection_number number, sink events) {
  ++connects_;
  auto who = std::make_shared<session>();
  who->number = number;
  who->events = std::move(events);
  std::erase_if(sessions_, [](const auto& s) { return s->closed || (s->left && s->unread.empty()); });
  sessions_.push_back(who);
  if (unreachable_)
    time_.later(timeout, [this, who, self = shared_from_this()] { close(*who, "Connection timed out"); });
  else
    time_.later(latency_, [this, who, self = shared_from_this()] { establish(who); });
  return std::make_unique<handle>(shared_from_this(), who);
}

void fake_redis::establish(const std::shared_ptr<session>& who) {
  if (who->left || who->closed) return;
  if (away_) return close(*who, "Connection refused");
  if (!turned_away_.empty()) return close(*who, "closed by the server", turned_away_);
  who->established = true;
  who->events({who->number, link_connected{}});
}

void fake_redis::receive(const std::shared_ptr<session>& who, piece what) {
  if (who->closed || unreachable_) return;
  auto wait = latency_;
  if (delay_once_.count() > 0 && what.wire->find("EXEC") != std::string::npos)
    wait += std::exchange(delay_once_, {});
  const auto at = what.arrives_at = who->newest_arrives_at =
      std::max<mono_time>(who->newest_arrives_at, time_.now() + wait);
  who->unread.push_back(std::move(what));
  time_.later(std::chrono::ceil<std::chrono::milliseconds>(at - time_.now()),
              [this, who, self = shared_from_this()] { read(who); });
}

void fake_redis::read(const std::shared_ptr<session>& who) {
  while (!hanging_ && !away_ && !who->closed && !who->mute && !who->blocked && !who->unread.empty()) {
    if (time_.now() < who->unread.front().arrives_at) return;
    const auto next = std::move(who->unread.front());
    who->unread.pop_front();
    const auto commands = parse(*next.wire);
    if (commands.size() != next.count) throw std::logic_error("a piece holds other than `count` commands");
    const bool cut_here = cuts_.count > 0 && std::any_of(commands.begin(), commands.end(),
                                                         [](const auto& c) { return c.front() == "EXEC"; });
    auto replies = std::make_shared<std::vector<redis_reply>>();
    const auto end = cut_here ? std::min(cuts_.commands, commands.size()) : commands.size();
    for (std::size_t i = 0; i < end; ++i) replies->push_back(handle_command(*who, commands[i]));
    if (const auto& last = commands.back(); block_of(last) && is_nothing(replies->back()) && !cut_here) {
      replies->pop_back();
      who->blocked = session::held_back{++last_blocked_, next.tag, last, std::move(replies)};
      time_.later(*block_of(last), [this, who, number = last_blocked_, self = shared_from_this()] {
        if (!hanging_ && who->blocked && who->blocked->number == number) answer_blocked(who, nil());
      });
      return wake_readers();
    }
    if (cut_here) {
      --cuts_.count;
      if (cuts_.how == cut::silent)
        who->mute = true;
      else
        close(*who, "Connection reset by peer");
      return;
    }
    if (!who->left) who->events({who->number, link_answered{next.tag, std::move(replies)}});
    wake_readers();
  }
}

void fake_redis::wake_readers() {
  if (hanging_ || away_) return;
  for (const auto& who : std::vector{sessions_})
    if (who->blocked && !who->closed)
      if (auto found = xread(who->blocked->read); !is_nothing(found)) answer_blocked(who, std::move(found));
}

void fake_redis::answer_blocked(const std::shared_ptr<session>& who, redis_reply reply) {
  auto held = std::move(*who->blocked);
  who->blocked.reset();
  if (who->closed) return;
  held.replies->push_back(std::move(reply));
  if (!who->left) who->events({who->number, link_answered{held.tag, std::move(held.replies)}});
  read(who);
}

void fake_redis::close(session& who, const std::string& reason, const std::string& error_reply) {
  if (std::exchange(who.closed, true)) return;
  who.unread.clear();
  if (!who.left) who.events({who.number, link_closed{reason, error_reply}});
}

void fake_redis::breaks_connections(const std::string& reason) {
  for (const auto& who : sessions_) close(*who, reason);
}

void fake_redis::goes_away() {
  away_ = true;
  hanging_ = false;
  breaks_connections();
}

void fake_redis::comes_back() { away_ = false; }

void fake_redis::comes_back_empty() {
  data_ = {};
  comes_back();
}

void fake_redis::comes_back_older() {
  data_ = saved_;
  comes_back();
}

void fake_redis::resumes() {
  hanging_ = false;
  for (const auto& who : std::vector{sessions_}) {
    if (who->blocked) answer_blocked(who, xread(who->blocked->read));
    read(who);
  }
}

entry_id fake_redis::intruder_adds(const std::string& key, std::optional<entry_id> id) {
  auto& into = data_.streams[key];
  const entry_id by_clock{static_cast<std::uint64_t>(epoch_ms(time_.wall())), 0};
  const auto next = id.value_or(std::max(by_clock, into.last.plus(1)));
  into.entries.push_back({next, {{intruder_mark, "1"}}});
  into.last = next;
  ++into.added;
  ++data_.versions[key];
  return next;
}

entry_id fake_redis::somebody_adds(const std::string& key, entry_fields fields, std::optional<entry_id> id) {
  const auto added = intruder_adds(key, id);
  data_.streams[key].entries.back().fields = std::move(fields);
  wake_readers();
  return added;
}

void fake_redis::trims(const std::string& key, std::size_t length) {
  auto& entries = data_.streams[key].entries;
  while (entries.size() > length) entries.pop_front();
  ++data_.versions[key];
}

void fake_redis::has_a_string(const std::string& key) {
  loses_key(key);
  data_.strings[key] = "x";
}

void fake_redis::loses_key(const std::string& key) {
  data_.streams.erase(key);
  data_.strings.erase(key);
  ++data_.versions[key];
}

std::vector<stream_entry> fake_redis::entries(const std::string& key) const {
  const auto found = data_.streams.find(key);
  if (found == data_.streams.end()) return {};
  return {found->second.entries.begin(), found->second.entries.end()};
}

std::vector<entry_fields> fake_redis::records(const std::string& key) const {
  std::vector<entry_fields> ours;
  for (auto& entry : entries(key))
    if (entry.fields.front().first != intruder_mark) ours.push_back(std::move(entry.fields));
  return ours;
}

std::size_t fake_redis::length(const std::string& key) const {
  const auto found = data_.streams.find(key);
  return found == data_.streams.end() ? 0 : found->second.entries.size();
}

std::size_t fake_redis::connected() const {
  return static_cast<std::size_t>(std::count_if(sessions_.begin(), sessions_.end(), [](const auto& s) {
    return s->established && !s->closed && !s->left;
  }));
}

std::vector<fake_redis::command> fake_redis::parse(const std::string& wire) {
  std::vector<command> commands;
  std::size_t at = 0;
  const auto number_behind = [&](char mark) {
    if (at >= wire.size() || wire[at] != mark) throw std::logic_error("Protocol error in " + wire.substr(at));
    std::size_t n = 0;
    const auto* begin = wire.data() + at + 1;
    const auto* end = std::from_chars(begin, wire.data() + wire.size(), n).ptr;
    if (std::string_view{end, 2} != "\r\n") throw std::logic_error("Protocol error: no line end");
    at = static_cast<std::size_t>(end - wire.data()) + 2;
    return n;
  };
  while (at < wire.size()) {
    command next;
    for (auto arguments = number_behind('*'); arguments > 0; --arguments) {
      const auto size = number_behind('$');
      next.push_back(wire.substr(at, size));
      at += size;
      if (wire.substr(at, 2) != "\r\n") throw std::logic_error("Protocol error: bulk string too long");
      at += 2;
    }
    commands.push_back(std::move(next));
  }
  return commands;
}

redis_reply fake_redis::handle_command(session& who, const command& what) {
  ++commands_;
  const auto& name = what.front();
  const auto refuse = [&](std::string why) {
    if (who.in_transaction) who.transaction_refused = true;
    return error(std::move(why));
  };
  if (name == "AUTH") {
    if (password_.empty())
      return error("ERR AUTH <password> called without any password configured for the default user. Are you "
                   "sure your configuration is correct?");
    if (what.back() != password_)
      return error("WRONGPASS invalid username-password pair or user is disabled.");
    who.authenticated = true;
    return status("OK");
  }
  if (!password_.empty() && !who.authenticated) return refuse("NOAUTH Authentication required.");
  const bool while_loading = name == "INFO" || name == "SELECT" || name == "CLIENT" || name == "MULTI" ||
                             name == "EXEC" || name == "DISCARD" || name == "WATCH";
  if (loading_eta_ && !while_loading) return refuse("LOADING Redis is loading the dataset in memory");
  if (!write_error_.empty()) {
    // A Redis that cannot save refuses PING as well, so that nobody thinks it is well.
    if (is_write(name) || (name == "PING" && write_error_.starts_with("MISCONF")))
      return refuse(write_error_);
  }
  if (name == "MULTI") {
    if (who.in_transaction) return error("ERR MULTI calls can not be nested");
    who.in_transaction = true;
    return status("OK");
  }
  if (name == "EXEC") return exec(who);
  if (name == "DISCARD") {
    if (!who.in_transaction) return error("ERR DISCARD without MULTI");
    who.in_transaction = who.transaction_refused = false;
    who.queued.clear();
    who.watched.clear();
    return status("OK");
  }
  if (name == "WATCH" && who.in_transaction) return error("ERR WATCH inside MULTI is not allowed");
  if (who.in_transaction) {
    who.queued.push_back(what);
    return status("QUEUED");
  }
  return execute(who, what);
}

redis_reply fake_redis::exec(session& who) {
  if (!who.in_transaction) return error("ERR EXEC without MULTI");
  const auto queued = std::exchange(who.queued, {});
  const auto watched = std::exchange(who.watched, {});
  who.in_transaction = false;
  if (std::exchange(who.transaction_refused, false))
    return error("EXECABORT Transaction discarded because of previous errors.");
  for (const auto& [key, version] : watched)
    if (version_of(key) != version) return nil();
  std::vector<redis_reply> replies;
  for (const auto& each : queued) replies.push_back(execute(who, each));
  ++transactions_;
  return array(std::move(replies));
}

redis_reply fake_redis::execute(session& who, const command& what) {
  const auto& name = what.front();
  if (name == "PING") {
    ++pings_;
    return status("PONG");
  }
  if (name == "SELECT") return status("OK");
  if (name == "CLIENT") {
    if (what.at(1) == "SETNAME") client_name_ = what.at(2);
    return status("OK");
  }
  if (name == "INFO")
    return text("# Persistence\r\nloading:" + std::string{loading_eta_ ? "1" : "0"} +
                (loading_eta_ ? "\r\nloading_eta_seconds:" + std::to_string(loading_eta_->count()) : "") +
                "\r\n");
  if (name == "WATCH") {
    for (std::size_t i = 1; i < what.size(); ++i) who.watched.try_emplace(what[i], version_of(what[i]));
    return status("OK");
  }
  if (name == "UNWATCH") {
    who.watched.clear();
    return status("OK");
  }
  if (name == "GET") {
    const auto found = data_.strings.find(what.at(1));
    return found == data_.strings.end() ? nil() : text(found->second);
  }
  if (name == "SET") {
    const bool only_new = std::find(what.begin() + 3, what.end(), "NX") != what.end();
    if (only_new && data_.strings.contains(what.at(1))) return nil();
    data_.strings[what.at(1)] = what.at(2);
    ++data_.versions[what.at(1)];
    return status("OK");
  }
  if (name == "TIME") {
    const auto ms = epoch_ms(time_.wall() + clock_ahead_);
    return array({text(std::to_string(ms / 1000)), text(std::to_string(ms % 1000 * 1000))});
  }
  if (name == "XLEN") return integer(static_cast<std::int64_t>(length(what.at(1))));
  if (name == "XADD") return xadd(what);
  if (name == "XINFO") return xinfo(what);
  if (name == "XRANGE") return xrange(what);
  if (name == "XREVRANGE") return xrevrange(what);
  if (name == "XREAD") return xread(what);
  unknown_.insert(name);
  return error("ERR unknown command '" + name + "'");
}

redis_reply fake_redis::xadd(const command& what) {
  const auto& key = what.at(1);
  std::size_t i = 2;
  std::optional<std::size_t> maxlen;
  if (what.at(i) == "MAXLEN") {
    ++i;
    if (what.at(i) == "~" || what.at(i) == "=") ++i;
    maxlen = std::stoull(what.at(i++));
  }
  if (what.size() < i + 3 || (what.size() - i) % 2 == 0)
    return error("ERR wrong number of arguments for 'xadd' command");
  auto& into = data_.streams[key];
  entry_id id;
  if (what[i] == "*") {
    id = std::max(entry_id{static_cast<std::uint64_t>(epoch_ms(time_.wall())), 0}, into.last.plus(1));
  } else {
    const auto given = parse_entry_id(what[i]);
    if (!given) return error("ERR Invalid stream ID specified as stream command argument");
    if (*given <= into.last)
      return error("ERR The ID specified in XADD is equal or smaller than the target stream top item");
    id = *given;
  }
  stream_entry made{id, {}};
  for (++i; i < what.size(); i += 2) made.fields.emplace_back(what[i], what[i + 1]);
  into.entries.push_back(std::move(made));
  into.last = id;
  ++into.added;
  ++data_.versions[key];
  constexpr std::size_t node = 100; // what "~" may leave standing
  while (maxlen && into.entries.size() >= *maxlen + node)
    into.entries.erase(into.entries.begin(), into.entries.begin() + node);
  return text(to_string(id));
}

redis_reply fake_redis::xinfo(const command& what) const {
  if (data_.strings.contains(what.at(2))) return error(wrong_type);
  const auto found = data_.streams.find(what.at(2));
  if (found == data_.streams.end()) return error("ERR no such key");
  if (what.at(1) == "GROUPS") return array({});
  const auto& of = found->second;
  std::vector<redis_reply> told{text("length"),
                                integer(static_cast<std::int64_t>(of.entries.size())),
                                text("radix-tree-keys"),
                                integer(1),
                                text("last-generated-id"),
                                text(to_string(of.last))};
  if (tells_added_) {
    told.push_back(text("entries-added"));
    told.push_back(integer(of.added));
  }
  for (auto& more : {text("groups"), integer(0), text("first-entry"),
                     of.entries.empty() ? nil() : reply_of(of.entries.front()), text("last-entry"),
                     of.entries.empty() ? nil() : reply_of(of.entries.back())})
    told.push_back(more);
  return array(std::move(told));
}

redis_reply fake_redis::xread(const command& what) const {
  const auto streams = std::find(what.begin(), what.end(), "STREAMS");
  if (what.end() - streams != 3) throw std::logic_error("this fake reads one stream at a time");
  const auto& key = *std::next(streams);
  if (data_.strings.contains(key)) return error(wrong_type);
  const auto after = parse_entry_id(what.back()).value();
  const auto counted = std::find(what.begin(), streams, "COUNT");
  const auto count = counted == streams ? SIZE_MAX : std::stoull(*std::next(counted));
  const auto stream = data_.streams.find(key);
  std::vector<redis_reply> found;
  if (stream != data_.streams.end()) {
    const auto& entries = stream->second.entries;
    auto entry = std::partition_point(entries.begin(), entries.end(),
                                      [&](const stream_entry& e) { return e.id <= after; });
    for (; entry != entries.end() && found.size() < count; ++entry) found.push_back(reply_of(*entry));
  }
  if (found.empty()) return nil();
  return array({array({text(key), array(std::move(found))})});
}

redis_reply fake_redis::xrange(const command& what) const {
  std::vector<redis_reply> found;
  const auto stream = data_.streams.find(what.at(1));
  if (stream == data_.streams.end()) return array({});
  const auto bound = [](std::string text, entry_id open) {
    if (text == "-" || text == "+") return open;
    return parse_entry_id(text).value();
  };
  const auto from = bound(what.at(2), {}), to = bound(what.at(3), {UINT64_MAX, UINT64_MAX});
  const auto count = what.size() > 5 ? std::stoull(what[5]) : SIZE_MAX;
  for (const auto& entry : stream->second.entries)
    if (entry.id >= from && entry.id <= to && found.size() < count) found.push_back(reply_of(entry));
  return array(std::move(found));
}

redis_reply fake_redis::xrevrange(const command& what) const {
  if (what.at(2) != "+" || what.at(3) != "-" || what.at(4) != "COUNT")
    throw std::logic_error("this fake reads a stream backwards from its end only");
  if (data_.strings.contains(what.at(1))) return error(wrong_type);
  std::vector<redis_reply> found;
  if (const auto stream = data_.streams.find(what.at(1)); stream != data_.streams.end()) {
    const auto& entries = stream->second.entries;
    const auto count = std::min<std::size_t>(std::stoull(what.at(5)), entries.size());
    for (auto entry = entries.rbegin(); found.size() < count; ++entry) found.push_back(reply_of(*entry));
  }
  return array(std::move(found));
}

std::uint64_t fake_redis::version_of(const std::string& key) const {
  const auto found = data_.versions.find(key);
  return found == data_.versions.end() ? 0 : found->second;
}

} // namespace breakwater::test
