#include "app/commands/spool.hpp"

#include "actors/publisher/delivery.hpp"
#include "actors/publisher/spool_view_io.hpp"
#include "actors/redis/redis_url.hpp"
#include "app/commands/common.hpp"
#include "app/folder_lock.hpp"
#include "app/redis_client.hpp"
#include "messages/text.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <istream>
#include <optional>
#include <ostream>

namespace breakwater {
namespace {

using nlohmann::ordered_json;

int status(const spool_view& spool, bool json, std::ostream& out) {
  if (json) {
    ordered_json told{{"uuid", spool.uuid()}, {"streams", ordered_json::array()}};
    for (const auto& s : spool.streams())
      told["streams"].push_back({{"stream", s.name},
                                 {"waiting", s.waiting},
                                 {"retained", s.retained},
                                 {"dead", s.dead},
                                 {"bytes", s.bytes},
                                 {"last_id", to_string(s.last)},
                                 {"acknowledged_id", to_string(s.acknowledged)},
                                 {"position", s.position}});
    out << told.dump() << '\n';
    return exit_ok;
  }
  out << "spool " << spool.uuid() << '\n';
  for (const auto& s : spool.streams()) {
    out << "stream " << s.name << '\n'
        << "  waiting       " << s.waiting << " records not known to be in Redis\n"
        << "  retained      " << s.retained << " records that are in Redis\n"
        << "  dead          " << s.dead << " records set aside\n"
        << "  bytes         " << s.bytes << '\n'
        << "  last id       " << to_string(s.last) << '\n'
        << "  acknowledged  " << to_string(s.acknowledged) << '\n';
    if (!s.position.empty()) out << "  input         " << s.position << '\n';
  }
  return exit_ok;
}

int verify(const spool_view& spool, std::ostream& out) {
  const auto found = spool.verify([&](const std::string& what) { out << what << '\n'; });
  out << found.batches << " batches with " << found.records
      << " records: " << (found.problems == 0 ? "all fine" : std::to_string(found.problems) + " problems")
      << '\n';
  return found.problems == 0 ? exit_ok : exit_failed;
}

void print(const spool_view::dead_letter& letter, std::ostream& out) {
  out << letter.stream << " number " << letter.number << ": " << letter.count << " records from id "
      << to_string(letter.first) << ", " << letter.why << '\n';
  if (!letter.records) out << "  cannot be made out any more\n";
  for (std::size_t i = 0; letter.records && i < letter.count; ++i) {
    constexpr std::size_t enough = 200; // of a value
    out << ' ';
    for (const auto& [name, value] : fields_of((*letter.records)[letter.begin + i]))
      out << ' ' << printable(name) << '=' << printable(value.substr(0, enough))
          << (value.size() > enough ? "..." : "");
    out << '\n';
  }
}

ordered_json as_json(const spool_view::dead_letter& letter) {
  ordered_json told{{"stream", letter.stream}, {"number", letter.number},
                    {"why", letter.why},       {"first_id", to_string(letter.first)},
                    {"count", letter.count},   {"records", nullptr}};
  for (std::size_t i = 0; letter.records && i < letter.count; ++i) {
    ordered_json record = ordered_json::object();
    for (const auto& [name, value] : fields_of((*letter.records)[letter.begin + i])) record[name] = value;
    told["records"].push_back(std::move(record));
  }
  return told;
}

bool is_meant(const spool_view::dead_letter& letter, const spool_command_options& options,
              const std::string& which) {
  return (options.stream.empty() || options.stream == letter.stream) &&
         (which == "all" || which == std::to_string(letter.number));
}

int dead(spool_view& spool, const spool_command_options& options, std::ostream& out, std::ostream& err) {
  const auto letters = spool.dead();
  const auto& which = options.requeue.empty() ? options.drop : options.requeue;
  if (which.empty()) {
    // Values may be no UTF-8 after a fault of the disk; then their odd bytes are replaced.
    constexpr auto replace = nlohmann::json::error_handler_t::replace;
    for (const auto& letter : letters)
      if (is_meant(letter, options, "all")) {
        if (options.json)
          out << as_json(letter).dump(-1, ' ', false, replace) << '\n';
        else
          print(letter, out);
      }
    if (letters.empty() && !options.json) out << "nothing was set aside\n";
    return exit_ok;
  }
  if (letters.empty() && which == "all") {
    out << "nothing was set aside\n";
    return exit_ok;
  }
  std::size_t meant = 0, refused = 0;
  for (const auto& letter : letters) {
    if (!is_meant(letter, options, which)) continue;
    ++meant;
    if (!options.requeue.empty()) {
      if (const auto queued = spool.requeue(letter, system_wall_time()); !queued) {
        err << "breakwater: " << queued.error().detail << '\n';
        ++refused;
        continue;
      }
    } else {
      spool.drop(letter);
    }
    out << letter.stream << " number " << letter.number << ": " << letter.count << " records "
        << (options.requeue.empty() ? "dropped" : "wait for Redis again, under new ids") << '\n';
  }
  if (meant == 0) {
    err << "breakwater: nothing set aside has the number " << which
        << "; breakwater spool dead lists what is\n";
    return exit_failed;
  }
  return refused == 0 ? exit_ok : exit_failed;
}

int take_over(const spool_view& spool, const settings& what, const spool_command_options& options,
              std::istream& in, std::ostream& out, std::ostream& err) {
  const auto stream = options.stream.empty() ? what.aggregator.stream : options.stream;
  const auto address = address_of(what.redis);
  if (!address) return refuse(address.error());
  auto redis = redis_client::connect(*address, what.redis.connect_timeout);
  if (!redis) return refuse(redis.error());
  const auto key = delivery::owner_key(stream);
  const auto owner = redis->text({"GET", key});
  if (!owner) return refuse(owner.error());
  const auto claim = spool.uuid() + " " + what.process.instance;
  if (*owner && (*owner)->substr(0, (*owner)->find(' ')) == spool.uuid()) {
    out << stream << " belongs to this spool already: " << **owner << '\n';
    return exit_ok;
  }
  out << stream << " belongs to " << (*owner ? **owner : "nobody") << "\nthis spool is " << claim << '\n';
  if (!options.yes) {
    out << "The other process will stop publishing at once; what waits in its spool stays there.\n"
        << "Move the claim? Type yes: " << std::flush;
    std::string answer;
    if (!std::getline(in, answer) || answer != "yes") {
      err << "breakwater: nothing was changed\n";
      return exit_failed;
    }
  }
  const auto moved = redis->compare_and_set(key, *owner, claim);
  if (!moved) return refuse(moved.error());
  if (!*moved) {
    err << "breakwater: the claim changed meanwhile, nothing was changed; look again\n";
    return exit_failed;
  }
  out << stream << " belongs to this spool now\n";
  return exit_ok;
}

} // namespace

int spool_command(const spool_command_options& options, std::istream& in, std::ostream& out,
                  std::ostream& err) {
  const auto settings = load_without_log(options.config);
  if (!settings) return exit_unusable;
  const auto& which = options.requeue.empty() ? options.drop : options.requeue;
  if (!which.empty() && which != "all" && which.find_first_not_of("0123456789") != std::string::npos) {
    err << "breakwater: '" << which
        << "' is no number and not all; breakwater spool dead lists the numbers\n";
    return exit_unusable;
  }
  const auto folder = settings->process.data_dir + "/spool";
  auto spool = spool_view::open(folder);
  if (!spool) return refuse(spool.error());
  std::optional<folder_lock> lock;
  if (!which.empty()) { // to be changed: nobody else may have it
    auto taken = folder_lock::take(settings->process.data_dir);
    if (!taken) return refuse(taken.error());
    lock.emplace(std::move(*taken));
    spool = failure{}; // LMDB allows no two of the same in one process
    spool = spool_view::open(folder, true);
    if (!spool) return refuse(spool.error());
  }
  try {
    switch (options.verb) {
    case spool_verb::status: return status(*spool, options.json, out);
    case spool_verb::verify: return verify(*spool, out);
    case spool_verb::dead: return dead(*spool, options, out, err);
    case spool_verb::take_over: return take_over(*spool, *settings, options, in, out, err);
    }
  } catch (const std::exception& e) { // LMDB's own tables are damaged
    err << "breakwater: the spool in " << settings->process.data_dir << "/spool cannot be read: " << e.what()
        << "; keep the folder, and let the process begin with an empty one\n";
  }
  return exit_unusable;
}

} // namespace breakwater
