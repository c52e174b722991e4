#include "actors/publisher/spool_view_io.hpp"

#include "actors/publisher/lmdb_io.hpp"
#include "actors/publisher/spool_format.hpp"
#include "actors/publisher/spool_tables_io.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace breakwater {
namespace {

using namespace spool_tables;
using spool_format::key_of;

constexpr unsigned most_tables = 64;
/// A look that lasts keeps the writer from using freed pages again, so it is renewed after so many runs.
constexpr std::size_t runs_a_look = 256;

} // namespace

struct spool_view::state {
  state(const std::string& folder, bool writable) {
    lmdb::check(mdb_env_create(&env), "create");
    try {
      lmdb::check(mdb_env_set_maxdbs(env, most_tables), "tables");
      lmdb::check(mdb_env_open(env, folder.c_str(), writable ? 0 : MDB_RDONLY, 0640), "open");
    } catch (...) {
      mdb_env_close(env);
      throw;
    }
  }
  ~state() { mdb_env_close(env); }
  state(const state&) = delete;
  state& operator=(const state&) = delete;

  MDB_env* env = nullptr;
  std::string uuid;
  std::vector<std::pair<std::string, tables>> streams;
};

result<spool_view> spool_view::open(const std::string& folder, bool writable) {
  struct stat about {};
  if (::stat((folder + "/data.mdb").c_str(), &about) != 0) {
    if (errno == ENOENT)
      return failure{errc::spool_unusable,
                     "there is no spool in " + folder + ": no process has run on it yet"};
    return unusable(lmdb::error{errno, "look"}, folder);
  }
  try {
    auto opened = std::make_shared<state>(folder, writable);
    lmdb::transaction txn{opened->env, writable ? 0u : MDB_RDONLY};
    MDB_dbi about_it = 0;
    lmdb::check(mdb_dbi_open(txn, std::string{meta}.c_str(), 0, &about_it), "meta");
    if (const auto fits = judge_format(lmdb::get(txn, about_it, format).value_or("0"), folder); !fits)
      return fits.error();
    opened->uuid = lmdb::get(txn, about_it, spool_tables::uuid).value_or("");
    for (auto& name : spool_tables::streams(txn)) {
      const auto found = open_tables(txn, name);
      opened->streams.emplace_back(std::move(name), found);
    }
    txn.commit(); // what was opened in it stays open only so
    return spool_view{std::move(opened)};
  } catch (const lmdb::error& e) {
    return unusable(e, folder);
  }
}

const std::string& spool_view::uuid() const { return state_->uuid; }

std::vector<spool_view::stream_status> spool_view::streams() const {
  std::vector<stream_status> all;
  const lmdb::transaction txn{state_->env, MDB_RDONLY};
  for (const auto& [name, of] : state_->streams) {
    stream_status s;
    s.name = name;
    s.last = read_id(txn, of.state, spool_tables::last);
    s.acknowledged = read_id(txn, of.state, spool_tables::acknowledged);
    s.position = lmdb::get(txn, of.state, spool_tables::position).value_or("");
    const auto forgotten_upto = read_id(txn, of.state, forgotten);
    lmdb::cursor at{txn, of.runs};
    for (bool more = at.move(MDB_FIRST); more; more = at.move(MDB_NEXT)) {
      const auto run = run_at(at);
      if (run.last() <= forgotten_upto) continue;
      s.bytes += run.of.bytes;
      const auto taken = run.last() <= s.acknowledged ? run.of.count
                         : run.first > s.acknowledged ? 0
                                                      : s.acknowledged.n - run.first.n + 1;
      s.retained += static_cast<std::size_t>(taken);
      s.waiting += static_cast<std::size_t>(run.of.count - taken);
    }
    lmdb::cursor grave{txn, of.dead};
    for (bool more = grave.move(MDB_FIRST); more; more = grave.move(MDB_NEXT)) s.dead += dead_at(grave).count;
    all.push_back(std::move(s));
  }
  return all;
}

spool_view::totals spool_view::verify(const std::function<void(const std::string&)>& problem) const {
  totals found;
  for (const auto& stream : state_->streams) {
    const auto& [name, of] = stream;
    const auto say = [&, &known = name](const run& where, const std::string& what) {
      ++found.problems;
      problem(known + ": ids " + to_string(where.first) + " to " + to_string(where.last()) + ": " + what);
    };
    entry_id before;
    for (bool more = true; more;) {
      const lmdb::transaction txn{state_->env, MDB_RDONLY};
      lmdb::cursor at{txn, of.runs};
      more = at.seek(key_of(before));
      for (std::size_t i = 0; more && i < runs_a_look; ++i, more = at.move(MDB_NEXT)) {
        const auto run = run_at(at);
        if (run.first <= before && before != entry_id{}) {
          if (run.first != before) say(run, "not above the ids before them");
          continue; // the last of the look before
        }
        before = run.last();
        found.records += run.of.count;
        const auto batch = lmdb::get(txn, of.batches, key_of(run.of.sequence));
        ++found.batches;
        if (!batch) {
          say(run, "their batch is not there");
          continue;
        }
        const auto records = spool_format::decode(*batch, run.of.sequence);
        if (!records)
          say(run, "checksum wrong; they are set aside when they are to be read");
        else if (std::size_t{run.of.begin} + run.of.count > records->size())
          say(run, "their batch has fewer records");
      }
    }
  }
  return found;
}

std::vector<spool_view::dead_letter> spool_view::dead() const {
  std::vector<dead_letter> all;
  const lmdb::transaction txn{state_->env, MDB_RDONLY};
  for (const auto& [name, of] : state_->streams) {
    lmdb::cursor at{txn, of.dead};
    for (bool more = at.move(MDB_FIRST); more; more = at.move(MDB_NEXT)) {
      const auto row = dead_at(at);
      auto records = spool_format::salvage(row.batch);
      if (records && std::size_t{row.begin} + row.count > records->size()) records.reset();
      all.push_back(
          {name, row.number, to_string(row.why), row.first, row.count, std::move(records), row.begin});
    }
  }
  return all;
}

void spool_view::drop(const dead_letter& which) {
  lmdb::transaction txn{state_->env, 0};
  lmdb::erase(txn, open_tables(txn, which.stream).dead, key_of(which.number));
  txn.commit();
}

result<done> spool_view::requeue(const dead_letter& which, wall_time now) {
  if (!which.records)
    return failure{errc::spool_unusable, "number " + std::to_string(which.number) +
                                             " cannot be made out any "
                                             "more; it can only be dropped"};
  const auto pieces = spool_format::cut(*which.records, which.begin, which.begin + which.count);
  if (std::any_of(pieces.begin(), pieces.end(), [](const auto& piece) { return piece.too_large; }))
    return failure{errc::spool_unusable,
                   "number " + std::to_string(which.number) + " is larger than a record may be (" +
                       std::to_string(spool_format::record_bytes) + " bytes); it can only be dropped"};
  lmdb::transaction txn{state_->env, 0};
  const auto of = open_tables(txn, which.stream);
  entry_id_clock ids;
  ids.raise_above(read_id(txn, of.state, last));
  ids.raise_above(read_id(txn, of.state, seen_last)); // behind what others wrote
  const auto first = ids.stamp(now, which.count);
  for (const auto& piece : pieces)
    append_piece(txn, of, *which.records, piece, first.plus(piece.begin - which.begin));
  write_id(txn, of.state, last, ids.last());
  lmdb::erase(txn, of.dead, key_of(which.number));
  txn.commit();
  return done{};
}

} // namespace breakwater
