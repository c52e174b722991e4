#pragma once

#include "actors/publisher/lmdb_io.hpp"
#include "actors/publisher/spool_format.hpp"
#include "actors/publisher/spool_port.hpp"
#include "messages/error.hpp"

#include <string>
#include <string_view>
#include <vector>

/// What lies in the LMDB environment, for the spool itself and for the command that looks at it.
namespace breakwater::spool_tables {

/// The tables of one output stream.
struct tables {
  MDB_dbi batches = 0; ///< Sequence number -> batch.
  MDB_dbi runs = 0;    ///< First id -> stored_run.
  MDB_dbi state = 0;   ///< Name -> what else has to survive.
  MDB_dbi parts = 0;   ///< Name -> part of the producer's state.
  MDB_dbi dead = 0;    ///< Number -> records set aside.
};
/// Makes them where they are not there yet; with a transaction that only reads, throws.
tables open_tables(MDB_txn* txn, const std::string& stream);
/// Streams that have tables.
std::vector<std::string> streams(MDB_txn* txn);

// Names in the table "meta" and in `state`.
inline constexpr std::string_view meta = "meta", format = "format", uuid = "uuid";
inline constexpr std::string_view acknowledged = "acknowledged", forgotten = "forgotten", last = "last",
                                  mark = "mark", position = "position", sequence = "sequence",
                                  seen_last = "seen-last", seen_added = "seen-added";

entry_id read_id(MDB_txn* txn, MDB_dbi state, std::string_view name);
void write_id(MDB_txn* txn, MDB_dbi state, std::string_view name, entry_id id);
std::uint64_t read_number(MDB_txn* txn, MDB_dbi state, std::string_view name);
void write_number(MDB_txn* txn, MDB_dbi state, std::string_view name, std::uint64_t number);

struct run {
  entry_id first;
  spool_format::stored_run of;
  [[nodiscard]] entry_id last() const noexcept { return first.plus(of.count - 1); }
};
/// Throws if the row is none.
run run_at(const lmdb::cursor& at);
void write_run(MDB_txn* txn, MDB_dbi runs, const run& what);

/// Why records were set aside.
enum class death : std::uint8_t { checksum = 1, too_large = 2 };
constexpr const char* to_string(death why) noexcept {
  return why == death::checksum ? "checksum wrong" : "too large";
}
struct dead_row {
  std::uint64_t number = 0;
  death why = death::checksum;
  entry_id first;          ///< Its id; never used by another record.
  std::uint32_t begin = 0; ///< Of the records of `batch`.
  std::uint32_t count = 0;
  std::string_view batch; ///< As it was.
};
dead_row dead_at(const lmdb::cursor& at);
void write_dead(MDB_txn* txn, MDB_dbi dead, const dead_row& what);
/// Below all that is there: 0 if there is nothing.
std::uint64_t last_dead(MDB_txn* txn, MDB_dbi dead);

/// Puts a piece of a list behind everything.
void append_piece(MDB_txn* txn, const tables& of, const record_list& records, const spool_format::piece& what,
                  entry_id first);
/// Bytes on disk that a value of this size takes, its rows included.
std::size_t cost_of(std::size_t value_bytes);
/// Takes a run away, and its batch unless the run before or behind it shares it. Leaves `at` behind it.
void erase_run(MDB_txn* txn, const tables& of, lmdb::cursor& at);

/// To the first run with something above `id`; false: there is none.
bool seek_above(lmdb::cursor& at, entry_id id);
/// Keeps the records of a run whose batch is damaged among the dead ones. The run stays.
void set_aside(MDB_txn* txn, const tables& of, const run& what, std::string_view batch);
/// Gives the new ids.
void restamp(MDB_txn* txn, const tables& of, const restamping& how);

/// Refuses a format that is newer than ours.
result<done> judge_format(std::string_view found, const std::string& folder);
/// The reason an environment does not open, in words that help.
failure unusable(const lmdb::error& why, const std::string& folder);

} // namespace breakwater::spool_tables
