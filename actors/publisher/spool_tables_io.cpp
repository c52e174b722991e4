#include "actors/publisher/spool_tables_io.hpp"

#include <array>
#include <cstring>
#include <utility>
#include <vector>

namespace breakwater::spool_tables {
namespace {

constexpr std::array prefixes{"batches:", "runs:", "state:", "parts:", "dead:"};
constexpr std::string_view runs_prefix = "runs:";

MDB_dbi open_table(MDB_txn* txn, const std::string& name) {
  MDB_dbi table = 0;
  const int code = mdb_dbi_open(txn, name.c_str(), MDB_CREATE, &table);
  // A transaction that only reads may open what is there, but makes nothing.
  lmdb::check(code == EACCES ? mdb_dbi_open(txn, name.c_str(), 0, &table) : code, name.c_str());
  return table;
}

[[noreturn]] void damaged(const char* what) {
  throw lmdb::error{MDB_CORRUPTED, std::string{"a row of "} + what + " is none"};
}

template <class T>
T value_as(std::string_view bytes, const char* what) {
  T value;
  if (bytes.size() != sizeof value) damaged(what);
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

bool is_whole_batch(MDB_txn* txn, const tables& of, const run& what) {
  const auto batch = lmdb::get(txn, of.batches, spool_format::key_of(what.of.sequence));
  return batch && what.of.begin == 0 && spool_format::count_of(*batch) == what.of.count;
}

/// What stands before the batch in a row of `dead`.
struct dead_head {
  std::uint64_t ms = 0, n = 0;
  std::uint32_t begin = 0, count = 0;
  std::uint32_t why = 0, reserved = 0;
};

} // namespace

tables open_tables(MDB_txn* txn, const std::string& stream) {
  std::array<MDB_dbi, prefixes.size()> made{};
  for (std::size_t i = 0; i < prefixes.size(); ++i) made[i] = open_table(txn, prefixes[i] + stream);
  return {made[0], made[1], made[2], made[3], made[4]};
}

std::vector<std::string> streams(MDB_txn* txn) {
  MDB_dbi names = 0;
  lmdb::check(mdb_dbi_open(txn, nullptr, 0, &names), "names of tables");
  std::vector<std::string> found;
  lmdb::cursor at{txn, names};
  for (bool more = at.seek(runs_prefix); more && at.key().starts_with(runs_prefix); more = at.move(MDB_NEXT))
    found.emplace_back(at.key().substr(runs_prefix.size()));
  return found;
}

entry_id read_id(MDB_txn* txn, MDB_dbi state, std::string_view name) {
  const auto found = lmdb::get(txn, state, name);
  if (!found) return {};
  const auto id = spool_format::id_of(*found);
  if (!id) damaged("state");
  return *id;
}

void write_id(MDB_txn* txn, MDB_dbi state, std::string_view name, entry_id id) {
  lmdb::put(txn, state, name, spool_format::key_of(id));
}

std::uint64_t read_number(MDB_txn* txn, MDB_dbi state, std::string_view name) {
  const auto found = lmdb::get(txn, state, name);
  if (!found) return 0;
  const auto number = spool_format::sequence_of(*found);
  if (!number) damaged("state");
  return *number;
}

void write_number(MDB_txn* txn, MDB_dbi state, std::string_view name, std::uint64_t number) {
  lmdb::put(txn, state, name, spool_format::key_of(number));
}

run run_at(const lmdb::cursor& at) {
  const auto first = spool_format::id_of(at.key());
  if (!first) damaged("runs");
  const run found{*first, value_as<spool_format::stored_run>(at.value(), "runs")};
  if (found.of.count == 0) damaged("runs");
  return found;
}

void write_run(MDB_txn* txn, MDB_dbi runs, const run& what) {
  const std::string_view bytes{reinterpret_cast<const char*>(&what.of), sizeof what.of};
  lmdb::put(txn, runs, spool_format::key_of(what.first), bytes);
}

dead_row dead_at(const lmdb::cursor& at) {
  const auto number = spool_format::sequence_of(at.key());
  if (!number || at.value().size() < sizeof(dead_head)) damaged("dead");
  const auto head = value_as<dead_head>(at.value().substr(0, sizeof(dead_head)), "dead");
  return {*number,    static_cast<death>(head.why),  {head.ms, head.n}, head.begin,
          head.count, at.value().substr(sizeof head)};
}

std::uint64_t last_dead(MDB_txn* txn, MDB_dbi dead) {
  lmdb::cursor at{txn, dead};
  return at.move(MDB_LAST) ? spool_format::sequence_of(at.key()).value_or(0) : 0;
}

void write_dead(MDB_txn* txn, MDB_dbi dead, const dead_row& what) {
  const dead_head head{
      what.first.ms, what.first.n, what.begin, what.count, static_cast<std::uint32_t>(what.why), 0};
  std::string bytes{reinterpret_cast<const char*>(&head), sizeof head};
  bytes.append(what.batch);
  lmdb::put(txn, dead, spool_format::key_of(what.number), bytes);
}

void append_piece(MDB_txn* txn, const tables& of, const record_list& records, const spool_format::piece& what,
                  entry_id first) {
  const auto number = read_number(txn, of.state, sequence) + 1;
  write_number(txn, of.state, sequence, number);
  const auto count = static_cast<std::uint32_t>(what.end - what.begin);
  if (what.too_large) {
    std::string batch(what.bytes, '\0');
    spool_format::encode(records, what, number, batch.data());
    return write_dead(txn, of.dead, {last_dead(txn, of.dead) + 1, death::too_large, first, 0, count, batch});
  }
  const auto key = spool_format::key_of(number);
  auto k = lmdb::value(key);
  MDB_val place{what.bytes, nullptr};
  lmdb::check(mdb_put(txn, of.batches, &k, &place, MDB_RESERVE | MDB_APPEND), "write");
  spool_format::encode(records, what, number, static_cast<char*>(place.mv_data));
  write_run(txn, of.runs, {first, {number, 0, count, cost_of(what.bytes)}});
}

std::size_t cost_of(std::size_t value_bytes) {
  constexpr std::size_t page = 4096, page_head = 16, row = 24, run_row = 72;
  // LMDB puts what is larger than half a page on pages of its own.
  const bool own_pages = value_bytes > page / 2 - page_head - row;
  return run_row + (own_pages ? (value_bytes + page_head + page - 1) / page * page : value_bytes + row);
}

void erase_run(MDB_txn* txn, const tables& of, lmdb::cursor& at) {
  const auto gone = run_at(at);
  at.erase(); // the cursor stands on the row behind it now, if there is one
  const auto shares = [&](bool there, const lmdb::cursor& neighbour) {
    return there && run_at(neighbour).of.sequence == gone.of.sequence;
  };
  lmdb::cursor beside{txn, of.runs};
  const bool above = beside.seek(spool_format::key_of(gone.first));
  if (shares(above, beside)) return;
  if (shares(beside.move(above ? MDB_PREV : MDB_LAST), beside)) return;
  lmdb::erase(txn, of.batches, spool_format::key_of(gone.of.sequence));
}

bool seek_above(lmdb::cursor& at, entry_id id) {
  bool found = at.seek(spool_format::key_of(id));
  // The run before may reach over it.
  const bool before = at.move(found ? MDB_PREV : MDB_LAST);
  if (before && run_at(at).last() > id) return true;
  found = at.move(before ? MDB_NEXT : MDB_FIRST);
  if (found && run_at(at).last() <= id) found = at.move(MDB_NEXT); // the one that begins and ends with it
  return found;
}

void set_aside(MDB_txn* txn, const tables& of, const run& what, std::string_view batch) {
  const std::string copy{batch}; // the row it stands in may move when another is written
  write_dead(txn, of.dead,
             {last_dead(txn, of.dead) + 1, death::checksum, what.first, what.of.begin, what.of.count, copy});
}

void restamp(MDB_txn* txn, const tables& of, const restamping& how) {
  auto next = how.first;
  const auto old_last = read_id(txn, of.state, spool_tables::last);
  if (old_last >= how.first) return; // it was done before
  lmdb::cursor at{txn, of.runs};
  auto stored = how.stored.begin();
  for (bool more = seek_above(at, how.above); more; more = at.move(MDB_NEXT)) {
    const auto old = run_at(at);
    if (old.first > old_last) break; // the first of the new ones
    // Parts [begin, end) of the run: those that keep their ids, and those that get new ones.
    using part = std::pair<std::uint64_t, std::uint64_t>;
    std::vector<part> kept, missing;
    std::uint64_t from = old.first > how.above ? 0 : how.above.n - old.first.n + 1;
    if (from > 0) kept.emplace_back(0, from);
    while (stored != how.stored.end() && stored->last < old.first.plus(from)) ++stored;
    for (auto range = stored; range != how.stored.end() && range->first <= old.last(); ++range) {
      const auto begin = range->first > old.first.plus(from) ? range->first.n - old.first.n : from;
      const auto end = range->last < old.last() ? range->last.n - old.first.n + 1 : old.of.count;
      if (begin > from) missing.emplace_back(from, begin);
      kept.emplace_back(begin, end);
      from = end;
    }
    if (from < old.of.count) missing.emplace_back(from, old.of.count);
    if (missing.empty()) continue;

    if (kept.empty() && is_whole_batch(txn, of, old)) { // only its row moves
      at.erase();
      write_run(txn, of.runs, {next, old.of});
      next = next.plus(old.of.count);
      continue;
    }
    // A batch that is left in two places could not be deleted with one of them, so the part is copied.
    const auto batch = lmdb::get(txn, of.batches, spool_format::key_of(old.of.sequence));
    const auto records = batch ? spool_format::decode(*batch, old.of.sequence) : nullptr;
    if (!records || std::size_t{old.of.begin} + old.of.count > records->size()) {
      set_aside(txn, of, old, batch.value_or(""));
      erase_run(txn, of, at);
      continue;
    }
    for (const auto& [begin, end] : missing)
      for (const auto& piece : spool_format::cut(*records, old.of.begin + begin, old.of.begin + end)) {
        append_piece(txn, of, *records, piece, next);
        next = next.plus(piece.end - piece.begin);
      }
    for (const auto& [begin, end] : kept)
      write_run(txn, of.runs,
                {old.first.plus(begin),
                 {old.of.sequence, old.of.begin + static_cast<std::uint32_t>(begin),
                  static_cast<std::uint32_t>(end - begin), old.of.bytes * (end - begin) / old.of.count}});
    if (kept.empty() || kept.front().first > 0) {
      if (kept.empty())
        erase_run(txn, of, at);
      else
        at.erase();
    }
  }
  if (next > how.first) write_id(txn, of.state, spool_tables::last, {next.ms, next.n - 1});
  write_id(txn, of.state, seen_last, how.seen.last);
  write_number(txn, of.state, seen_added, how.seen.added);
}

result<done> judge_format(std::string_view found, const std::string& folder) {
  if (found == std::to_string(spool_format::version)) return done{};
  return failure{errc::spool_unusable,
                 "the spool in " + folder + " has format " + std::string{found} + ", this breakwater knows " +
                     std::to_string(spool_format::version) +
                     ": run the version that wrote it until nothing waits (breakwater spool status), or keep "
                     "the folder for it and give this one another process.data_dir"};
}

failure unusable(const lmdb::error& why, const std::string& folder) {
  std::string help;
  if (why.code == MDB_INVALID || why.code == MDB_VERSION_MISMATCH || why.code == MDB_CORRUPTED)
    help = "; it is damaged, or no spool: move it aside to begin with an empty one, and keep it, for what "
           "waited in it is lost otherwise";
  if (why.code == ENOSPC) help = "; make room on its disk";
  if (why.code == EACCES) help = "; the process may not read or write it";
  return {errc::spool_unusable, "the spool in " + folder + " cannot be opened: " + why.what() + help};
}

} // namespace breakwater::spool_tables
