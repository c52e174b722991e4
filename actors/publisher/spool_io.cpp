#include "actors/publisher/spool_io.hpp"

#include "actors/publisher/lmdb_io.hpp"
#include "actors/publisher/spool_format.hpp"
#include "actors/publisher/spool_tables_io.hpp"
#include "actors/publisher/spool_writer_io.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <deque>
#include <mutex>
#include <random>
#include <set>
#include <utility>

namespace breakwater {
namespace {

using namespace spool_tables;
using spool_format::key_of;
using namespace std::chrono_literals;

/// Runs a transaction deletes; more wait for the next one.
constexpr std::size_t erased_at_once = 4096;
/// Newest records kept in memory as well, for Redis that is in step. With more than this waiting they are let
/// go of: Redis has to be given older ones first.
constexpr std::size_t tail_bytes = std::size_t{4} << 20;

std::string new_uuid() {
  std::random_device random;
  std::string text;
  for (int i = 0; i < 4; ++i) {
    std::array<char, 9> word;
    std::snprintf(word.data(), word.size(), "%08x", random());
    text += word.data();
  }
  for (const std::size_t dash : {8u, 13u, 18u, 23u}) text.insert(dash, "-");
  return text;
}

} // namespace

/// One output stream's part. What the publisher asks and is told is under `mutex_`; `txn` is of the writer.
class spool_io::stream_io final : public spool_port,
                                  public spool_part,
                                  public std::enable_shared_from_this<stream_io> {
public:
  stream_io(std::shared_ptr<spool_writer> in, std::string name, std::string uuid,
            const spool_settings& limits)
      : in_(std::move(in)), name_(std::move(name)), uuid_(std::move(uuid)), limits_(limits) {
    lmdb::transaction txn{in_->env(), 0};
    tables_ = open_tables(txn, name_);
    txn.commit();
  }
  ~stream_io() override {
    if (reader_ != nullptr) mdb_txn_abort(reader_);
  }

  void attach(sink events) override {
    {
      const std::lock_guard held{mutex_};
      events_ = std::make_shared<const sink>(std::move(events));
    }
    submit(
        0, [this](MDB_txn* txn) { load(txn); },
        [this] {
          tell({0, spool_outcome::opened, {}, 0});
        });
  }

  void append(std::uint64_t ticket, stamped_run run, batch_mark from,
              std::shared_ptr<const checkpoint> state) override {
    auto pieces = run.size() > 0 ? spool_format::cut(*run.records, run.begin, run.end)
                                 : std::vector<spool_format::piece>{};
    std::size_t needed = 0;
    for (const auto& piece : pieces) needed += piece.too_large ? 0 : cost_of(piece.bytes);
    {
      const std::lock_guard held{mutex_};
      if (!make_room(needed)) return tell_unlocked({ticket, spool_outcome::no_room, {}, 0});
      in_->used_bytes += needed;
    }
    submit(
        ticket,
        [this, run, from, state, pieces](MDB_txn* txn) { write(txn, run, pieces, from, state.get()); },
        [this, ticket, run, from, pieces, needed] {
          note_kept(run, pieces, from, needed);
          tell({ticket, spool_outcome::kept, {}, 0});
          std::size_t dead = 0;
          for (const auto& piece : pieces) dead += piece.too_large ? 1 : 0;
          if (dead > 0)
            tell({0, spool_outcome::quarantined,
                  "larger than " + std::to_string(spool_format::record_bytes) + " bytes", dead});
        },
        [this, needed] { in_->used_bytes -= needed; });
  }

  void restamp(std::uint64_t ticket, restamping how) override {
    const auto seen = how.seen;
    const auto stored_upto = how.stored.empty() ? entry_id{} : how.stored.back().last;
    submit(
        ticket,
        [this, how = std::move(how)](MDB_txn* txn) {
          write_marks(txn);
          spool_tables::restamp(txn, tables_, how);
        },
        [this, ticket, seen, stored_upto] {
          {
            const std::lock_guard held{mutex_};
            seen_ = seen;
            acknowledged_ = std::max(acknowledged_, stored_upto); // all above has new ids, above these
            if (acknowledged_ > forgotten_) retained_.push_back({now_, now_, acknowledged_});
            last_ = last_on_disk();
            recount();
          }
          tell({ticket, spool_outcome::kept, {}, 0});
        });
  }

  void acknowledge(entry_id upto, stream_mark seen, mono_time now) override {
    const std::lock_guard held{mutex_};
    seen_ = seen;
    now_ = now;
    // When an earlier process's records were acknowledged is not known: they are kept as if it were now.
    if (const auto old = std::exchange(kept_from_before_, {}); old > forgotten_)
      retained_.push_front({now, now, old});
    const auto before = acknowledged_;
    acknowledged_ = std::max(acknowledged_, std::min(upto, last_));
    if (acknowledged_ > before) {
      const auto passed = measure(before, acknowledged_);
      waiting_ -= std::min(passed.records, waiting_);
      retained_bytes_ += passed.bytes;
      if (retained_.empty() || now - retained_.back().began > 1s) retained_.push_back({now, now, {}});
      retained_.back().until = now;
      retained_.back().upto = acknowledged_;
      while (!tail_.empty() && tail_.front().last() <= acknowledged_) drop_tail_front();
    }
    forget(now);
    in_->remember_marks();
  }

  void rewind(entry_id upto) override {
    const std::lock_guard held{mutex_};
    if (upto >= acknowledged_) return;
    const auto passed = measure(upto, acknowledged_);
    waiting_ += passed.records;
    retained_bytes_ -= std::min(passed.bytes, retained_bytes_);
    acknowledged_ = upto;
    while (!retained_.empty() && retained_.back().upto > upto) retained_.pop_back();
    in_->remember_marks();
  }

  [[nodiscard]] std::vector<stamped_run> read(entry_id after, std::size_t max) override {
    const std::lock_guard held{mutex_};
    std::vector<stamped_run> found;
    if (after >= tail_after_) {
      auto at = std::partition_point(tail_.begin(), tail_.end(),
                                     [&](const stamped_run& r) { return r.last() <= after; });
      for (; at != tail_.end() && max > 0; ++at) add_part(found, *at, after, max);
      return found;
    }
    const snapshot now{*this};
    after = std::max(after, forgotten_);
    lmdb::cursor at{now.txn, tables_.runs};
    for (bool more = seek_above(at, after); more && max > 0; more = at.move(MDB_NEXT)) {
      const auto run = run_at(at);
      if (run.first > last_) break;
      if (corrupt_.contains(run.first)) continue;
      const auto batch = lmdb::get(now.txn, tables_.batches, key_of(run.of.sequence));
      const auto records = batch ? spool_format::decode(*batch, run.of.sequence) : nullptr;
      if (!records || run.of.begin + run.of.count > records->size()) {
        quarantine(run);
        continue;
      }
      add_part(found, {run.first, records, run.of.begin, std::size_t{run.of.begin} + run.of.count}, after,
               max);
    }
    return found;
  }

  [[nodiscard]] std::size_t count(entry_id after, entry_id upto) const override {
    const std::lock_guard held{mutex_};
    return measure(after, upto).records;
  }
  [[nodiscard]] bool holds(entry_id id) const override {
    const std::lock_guard held{mutex_};
    if (id <= forgotten_ || id > last_) return false;
    const snapshot now{*this};
    lmdb::cursor at{now.txn, tables_.runs};
    if (!seek_above(at, id.n > 0 ? entry_id{id.ms, id.n - 1} : entry_id{id.ms - 1, UINT64_MAX})) return false;
    const auto run = run_at(at);
    return run.first <= id && !corrupt_.contains(run.first);
  }
  [[nodiscard]] entry_id last() const override { return locked(last_); }
  [[nodiscard]] entry_id acknowledged() const override { return locked(acknowledged_); }
  [[nodiscard]] stream_mark seen() const override { return locked(seen_); }
  [[nodiscard]] entry_id forgotten() const override { return locked(forgotten_); }
  [[nodiscard]] batch_mark last_batch() const override { return locked(mark_); }
  [[nodiscard]] std::string uuid() const override { return uuid_; }

  [[nodiscard]] std::shared_ptr<const checkpoint> saved() const override {
    const std::lock_guard held{mutex_};
    const snapshot now{*this};
    auto found = std::make_shared<checkpoint>();
    if (const auto text = lmdb::get(now.txn, tables_.state, position)) found->position = *text;
    lmdb::cursor at{now.txn, tables_.parts};
    for (bool more = at.move(MDB_FIRST); more; more = at.move(MDB_NEXT))
      found->parts.emplace_back(at.key(), at.value());
    return found;
  }

  [[nodiscard]] figures size() const override {
    const std::lock_guard held{mutex_};
    return {waiting_, records_ - std::min(waiting_, records_), in_->used_bytes, limits_.max_bytes, dead_};
  }

  // Of the writer.
  [[nodiscard]] std::unique_lock<std::mutex> stop() override {
    std::unique_lock held{mutex_};
    if (reader_ != nullptr) mdb_txn_abort(std::exchange(reader_, nullptr));
    return held;
  }
  void go_on() override {
    lmdb::transaction txn{in_->env(), MDB_RDONLY};
    tables_ = open_tables(txn, name_);
    read_state(txn);
    txn.commit(); // what was opened in it stays open only so
    recount();
  }

  void write_marks(MDB_txn* txn) const override {
    entry_id acknowledged_now, forgotten_now;
    stream_mark seen_now;
    {
      const std::lock_guard held{mutex_};
      if (!loaded_) return;
      acknowledged_now = acknowledged_;
      forgotten_now = forgotten_;
      seen_now = seen_;
    }
    const auto note = [&](std::string_view name, entry_id id) {
      if (read_id(txn, tables_.state, name) != id) write_id(txn, tables_.state, name, id);
    };
    note(spool_tables::acknowledged, acknowledged_now);
    note(spool_tables::forgotten, forgotten_now);
    note(seen_last, seen_now.last);
    if (read_number(txn, tables_.state, seen_added) != seen_now.added)
      write_number(txn, tables_.state, seen_added, seen_now.added);
    lmdb::cursor at{txn, tables_.runs};
    bool more = at.move(MDB_FIRST);
    for (std::size_t i = 0; more && i < erased_at_once && run_at(at).last() <= forgotten_now; ++i) {
      erase_run(txn, tables_, at);
      more = at.move(MDB_NEXT);
    }
    if (more && run_at(at).last() <= forgotten_now) in_->remember_marks();
  }

private:
  struct amount {
    std::size_t records = 0, bytes = 0;
  };
  /// What reads see: everything that was committed when it began.
  struct snapshot {
    explicit snapshot(const stream_io& of) : txn(of.reader_) {
      if (of.in_->env() == nullptr) throw lmdb::error{MDB_PANIC, "the spool could not be opened again"};
      if (txn == nullptr)
        lmdb::check(mdb_txn_begin(of.in_->env(), nullptr, MDB_RDONLY, &of.reader_), "begin");
      else
        lmdb::check(mdb_txn_renew(txn), "renew");
      txn = of.reader_;
    }
    ~snapshot() { mdb_txn_reset(txn); }
    snapshot(const snapshot&) = delete;
    snapshot& operator=(const snapshot&) = delete;
    MDB_txn* txn;
  };
  struct acknowledged_span { ///< Records up to `upto` that were acknowledged within a second.
    mono_time began, until;
    entry_id upto;
  };

  template <class T>
  T locked(const T& member) const {
    const std::lock_guard held{mutex_};
    return member;
  }
  void tell(const spool_event& what) const {
    std::shared_ptr<const sink> to;
    {
      const std::lock_guard held{mutex_};
      to = events_;
    }
    if (to) (*to)(what);
  }
  void tell_unlocked(const spool_event& what) const {
    if (events_) (*events_)(what);
  }
  void submit(std::uint64_t ticket, std::function<void(MDB_txn*)> write, std::function<void()> done,
              std::function<void()> undo = {}) const {
    auto self = shared_from_this(); // this lives until the writer is through
    in_->enqueue({[self, write = std::move(write)](MDB_txn* txn) { write(txn); },
                  [self, done = std::move(done)] { done(); },
                  [self, ticket, undo = std::move(undo)](const std::string& why) {
                    if (undo) undo();
                    self->tell({ticket, spool_outcome::failed, why, 0});
                  }});
  }

  static void add_part(std::vector<stamped_run>& to, stamped_run run, entry_id after, std::size_t& max) {
    if (run.first <= after) {
      const auto skipped = static_cast<std::size_t>(after.n - run.first.n + 1);
      run.first = run.first.plus(skipped);
      run.begin += skipped;
    }
    run.end = run.begin + std::min(run.size(), max);
    max -= run.size();
    if (run.size() > 0) to.push_back(std::move(run));
  }
  /// Records above `after` up to `upto`; bytes of the runs that end there.
  [[nodiscard]] amount measure(entry_id after, entry_id upto) const {
    amount sum;
    after = std::max(after, forgotten_);
    upto = std::min(upto, last_);
    if (after >= upto) return sum;
    const snapshot now{*this};
    lmdb::cursor at{now.txn, tables_.runs};
    for (bool more = seek_above(at, after); more; more = at.move(MDB_NEXT)) {
      const auto run = run_at(at);
      if (run.first > upto) break;
      const auto from = run.first > after ? 0 : after.n - run.first.n + 1;
      const auto to = run.last() <= upto ? run.of.count : upto.n - run.first.n + 1;
      sum.records += static_cast<std::size_t>(to - from);
      if (run.last() <= upto) sum.bytes += run.of.bytes;
    }
    return sum;
  }

  /// Lets go of the oldest acknowledged run; false: there is none.
  bool forget_oldest() {
    const snapshot now{*this};
    lmdb::cursor at{now.txn, tables_.runs};
    if (!seek_above(at, forgotten_)) return false;
    const auto run = run_at(at);
    if (run.last() > acknowledged_) return false;
    forgotten_ = run.last();
    records_ -= std::min<std::size_t>(run.of.count, records_);
    retained_bytes_ -= std::min<std::size_t>(run.of.bytes, retained_bytes_);
    held_bytes_ -= std::min<std::size_t>(run.of.bytes, held_bytes_);
    in_->used_bytes -= run.of.bytes;
    return true;
  }
  void forget(mono_time now) {
    while (retained_bytes_ > limits_.retain_bytes && forget_oldest()) {
    }
    while (!retained_.empty() && now - retained_.front().until > limits_.retain) {
      while (forgotten_ < retained_.front().upto && forget_oldest()) {
      }
      retained_.pop_front();
    }
  }
  /// What is retained gives way to what waits.
  bool make_room(std::size_t needed) {
    while (in_->used_bytes + needed > limits_.max_bytes)
      if (!forget_oldest()) return in_->used_bytes == 0;
    return true;
  }

  void drop_tail_front() {
    tail_after_ = tail_.front().last();
    tail_size_ -= std::min(tail_size_, tail_.front().records->bytes());
    tail_.pop_front();
  }
  void clear_tail() {
    tail_.clear();
    tail_size_ = 0;
    tail_after_ = last_;
  }

  void note_kept(const stamped_run& run, const std::vector<spool_format::piece>& pieces, batch_mark from,
                 std::size_t bytes) {
    const std::lock_guard held{mutex_};
    mark_ = from;
    if (run.size() == 0 || run.last() <= last_) return; // found there when the spool was opened anew
    std::size_t dead = 0;
    for (const auto& piece : pieces) dead += piece.too_large ? 1 : 0;
    last_ = run.last();
    held_bytes_ += bytes;
    waiting_ += run.size() - dead;
    records_ += run.size() - dead;
    dead_ += dead;
    tail_.push_back(run);
    tail_size_ += run.records->bytes();
    if (tail_size_ > tail_bytes || dead > 0) clear_tail(); // of the dead, the ids are missing in the run
  }

  [[nodiscard]] entry_id last_on_disk() const {
    const snapshot now{*this};
    return read_id(now.txn, tables_.state, spool_tables::last);
  }

  // Of the writer.
  void read_state(MDB_txn* txn) {
    last_ = read_id(txn, tables_.state, spool_tables::last);
    if (const auto found = lmdb::get(txn, tables_.state, spool_tables::mark); found && found->size() == 16)
      mark_ = {*spool_format::sequence_of(found->substr(0, 8)), *spool_format::sequence_of(found->substr(8))};
    dead_ = 0;
    lmdb::cursor at{txn, tables_.dead};
    for (bool more = at.move(MDB_FIRST); more; more = at.move(MDB_NEXT)) dead_ += dead_at(at).count;
  }
  void load(MDB_txn* txn) {
    const std::lock_guard held{mutex_};
    if (loaded_) return;
    acknowledged_ = read_id(txn, tables_.state, spool_tables::acknowledged);
    forgotten_ = read_id(txn, tables_.state, spool_tables::forgotten);
    seen_ = {read_id(txn, tables_.state, seen_last), read_number(txn, tables_.state, seen_added)};
    read_state(txn);
    recount();
    kept_from_before_ = acknowledged_;
    loaded_ = true;
  }
  /// Counts everything up to last_ anew.
  void recount() {
    const snapshot now{*this};
    records_ = waiting_ = retained_bytes_ = 0;
    std::size_t bytes = 0;
    lmdb::cursor at{now.txn, tables_.runs};
    for (bool more = at.move(MDB_FIRST); more; more = at.move(MDB_NEXT)) {
      const auto run = run_at(at);
      if (run.last() <= forgotten_) continue;
      if (run.first > last_) break;
      records_ += run.of.count;
      bytes += run.of.bytes;
      if (run.last() <= acknowledged_)
        retained_bytes_ += run.of.bytes;
      else if (run.first > acknowledged_)
        waiting_ += run.of.count;
      else
        waiting_ += static_cast<std::size_t>(run.last().n - acknowledged_.n);
    }
    in_->used_bytes += bytes - std::exchange(held_bytes_, bytes);
    clear_tail();
  }

  void write(MDB_txn* txn, const stamped_run& run, const std::vector<spool_format::piece>& pieces,
             batch_mark from, const checkpoint* state) const {
    if (run.size() > 0 && read_id(txn, tables_.state, spool_tables::last) < run.first) {
      for (const auto& piece : pieces)
        append_piece(txn, tables_, *run.records, piece, run.first.plus(piece.begin - run.begin));
      write_id(txn, tables_.state, spool_tables::last, run.last());
    }
    const auto producer = key_of(from.producer), number = key_of(from.number);
    std::string text{reinterpret_cast<const char*>(producer.data()), producer.size()};
    text.append(reinterpret_cast<const char*>(number.data()), number.size());
    lmdb::put(txn, tables_.state, spool_tables::mark, text);
    if (state != nullptr) {
      lmdb::put(txn, tables_.state, position, state->position);
      for (const auto& [name, content] : state->parts)
        if (content.empty())
          lmdb::erase(txn, tables_.parts, name);
        else
          lmdb::put(txn, tables_.parts, name, content);
    }
    write_marks(txn);
  }

  /// The run's batch fails its checksum: sets it aside, and tells.
  void quarantine(const run& what) {
    corrupt_.insert(what.first);
    submit(
        0,
        [this, what](MDB_txn* txn) {
          lmdb::cursor at{txn, tables_.runs};
          if (!at.seek(key_of(what.first)) || run_at(at).first != what.first) return;
          const auto batch = lmdb::get(txn, tables_.batches, key_of(what.of.sequence));
          set_aside(txn, tables_, what, batch.value_or(""));
          erase_run(txn, tables_, at);
        },
        [this, what] {
          {
            const std::lock_guard held{mutex_};
            corrupt_.erase(what.first);
            dead_ += what.of.count;
            recount();
          }
          tell({0, spool_outcome::quarantined,
                "checksum wrong: ids " + to_string(what.first) + " to " + to_string(what.last()),
                what.of.count});
        });
  }

  std::shared_ptr<spool_writer> in_;
  std::string name_, uuid_;
  spool_settings limits_;
  tables tables_;
  mutable std::mutex mutex_;
  mutable MDB_txn* reader_ = nullptr;
  std::shared_ptr<const sink> events_;
  bool loaded_ = false;
  entry_id last_, acknowledged_, forgotten_;
  batch_mark mark_;
  stream_mark seen_;
  std::size_t records_ = 0, waiting_ = 0, dead_ = 0;
  std::size_t held_bytes_ = 0, retained_bytes_ = 0; ///< Of all runs; of those wholly acknowledged.
  std::deque<acknowledged_span> retained_;
  mono_time now_; ///< Of the last acknowledgement.
  entry_id kept_from_before_;
  std::deque<stamped_run> tail_; ///< Everything above tail_after_.
  entry_id tail_after_;
  std::size_t tail_size_ = 0;
  std::set<entry_id> corrupt_; ///< Runs about to be set aside.
};

result<std::shared_ptr<spool_io>> spool_io::open(const std::string& folder, const spool_settings& limits) {
  if (::mkdir(folder.c_str(), 0750) != 0 && errno != EEXIST)
    return unusable(lmdb::error{errno, "make"}, folder);
  try {
    auto opened = std::make_shared<spool_writer>(folder, limits);
    lmdb::transaction txn{opened->env(), 0};
    MDB_dbi about = 0;
    lmdb::check(mdb_dbi_open(txn, std::string{meta}.c_str(), MDB_CREATE, &about), "meta");
    if (const auto found = lmdb::get(txn, about, format)) {
      if (const auto fits = judge_format(*found, folder); !fits) return fits.error();
    } else {
      lmdb::put(txn, about, format, std::to_string(spool_format::version));
      lmdb::put(txn, about, spool_tables::uuid, new_uuid());
    }
    std::string uuid{lmdb::get(txn, about, spool_tables::uuid).value_or("")};
    txn.commit();
    opened->begin();
    return std::shared_ptr<spool_io>{new spool_io(std::move(opened), std::move(uuid), limits)};
  } catch (const lmdb::error& e) {
    return unusable(e, folder);
  }
}

spool_io::spool_io(std::shared_ptr<spool_writer> writer, std::string uuid, const spool_settings& limits)
    : writer_(std::move(writer)), uuid_(std::move(uuid)), limits_(limits) {}

spool_io::~spool_io() { writer_->end(); }

std::shared_ptr<spool_port> spool_io::stream(const std::string& name) {
  const std::lock_guard held{mutex_};
  auto& made = streams_[name];
  if (!made) {
    made = std::make_shared<stream_io>(writer_, name, uuid_, limits_);
    writer_->add(made);
  }
  return made;
}

const std::string& spool_io::unreserved() const noexcept { return writer_->unreserved(); }

std::size_t spool_io::waiting(const std::string& name) const {
  const std::lock_guard held{mutex_};
  const auto found = streams_.find(name);
  return found != streams_.end() ? found->second->size().waiting : 0;
}

} // namespace breakwater
