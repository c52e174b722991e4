#pragma once

#include "actors/publisher/lmdb_io.hpp"
#include "actors/support/metrics.hpp"
#include "config/settings.hpp"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace breakwater {

/// A stream's part of the spool, as the writer knows it.
struct spool_part {
  virtual ~spool_part() = default;
  /// Writes down what Redis acknowledged, and deletes what is not retained any more.
  virtual void write_marks(MDB_txn* txn) const = 0;
  /// Lets go of the environment, and lets nobody in as long as the lock is held.
  [[nodiscard]] virtual std::unique_lock<std::mutex> stop() = 0;
  /// Reads from the environment again, while still locked.
  virtual void go_on() = 0;
};

/// The LMDB environment and the one thread that writes it. What is asked for while it writes goes into one
/// transaction next.
class spool_writer {
public:
  /// Opens the environment, or makes it. Throws lmdb::error.
  spool_writer(std::string folder, const spool_settings& limits);
  /// Writes what was asked for.
  ~spool_writer();
  spool_writer(const spool_writer&) = delete;
  spool_writer& operator=(const spool_writer&) = delete;

  void begin();
  /// Writes what was asked for, and has it synced. Nothing is taken any more.
  void end();
  /// From now on `part` takes part, until end().
  void add(std::shared_ptr<spool_part> part);

  /// Something to be done in a transaction, and what is to be said of how it went.
  struct job {
    std::function<void(MDB_txn*)> write; ///< Again, maybe, after it was written: without effect then.
    std::function<void()> done;
    std::function<void(const std::string& why)> failed;
  };
  void enqueue(job what);
  /// Has the parts write down, before long, what Redis acknowledged.
  void remember_marks();

  /// Why the disk did not set the room aside; empty: it did.
  [[nodiscard]] const std::string& unreserved() const noexcept { return unreserved_; }
  /// nullptr: it could not be opened anew yet.
  [[nodiscard]] MDB_env* env() const noexcept { return env_; }
  std::atomic<std::size_t> used_bytes{0}; ///< By all parts, with what waits to be written.

private:
  void open();
  void close() noexcept;
  /// LMDB begins a file by writing two pages. One that has less was left by a crash in the first moments, and
  /// nothing was ever in it.
  void remove_torn() const;
  void preallocate();
  /// After a commit that failed in its last step LMDB refuses every write until it is opened anew. Whether
  /// that commit is on disk shows only then.
  void reopen_if_dead();
  void run();
  /// One transaction; if that fails, one each, so that one that cannot be written fails alone.
  bool write_all(std::vector<job>& group);
  bool write(std::vector<job>& group);
  void write_marks();
  /// Commits, and says how long that took.
  void commit(lmdb::transaction& txn) const;

  MDB_env* env_ = nullptr;
  spool_settings limits_;
  std::string folder_, unreserved_;
  std::mutex parts_mutex_;
  std::vector<std::shared_ptr<spool_part>> parts_;
  std::mutex mutex_;
  std::condition_variable wanted_;
  std::deque<job> queue_;
  bool stopping_ = false;
  std::atomic<bool> marks_wait_{false};
  std::string why_; ///< Of the last failure; the thread's.
  last_success committed_{success::spool_commit};
  latency_histogram commits_{latency::spool_commit};
  std::thread thread_;
};

} // namespace breakwater
