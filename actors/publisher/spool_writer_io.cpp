#include "actors/publisher/spool_writer_io.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <iterator>
#include <utility>

namespace breakwater {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

constexpr unsigned most_tables = 64;
/// What Redis acknowledged is written down at the latest then; it rides along with records before.
constexpr auto marks_written_after = 1s;
/// After a failed write.
constexpr auto breath = 100ms;

/// What a map of `max_bytes` needs beside it, so that what Redis acknowledged can always be deleted.
std::size_t map_bytes(std::size_t max_bytes) {
  constexpr std::size_t page = 4096;
  return (max_bytes + std::max<std::size_t>(std::size_t{64} << 20, max_bytes / 20) + page - 1) / page * page;
}

} // namespace

spool_writer::spool_writer(std::string folder, const spool_settings& limits)
    : limits_(limits), folder_(std::move(folder)) {
  remove_torn();
  open();
  preallocate();
}

spool_writer::~spool_writer() {
  end();
  close();
}

void spool_writer::begin() {
  thread_ = std::thread{[this] { run(); }};
}

void spool_writer::end() {
  {
    const std::lock_guard held{mutex_};
    stopping_ = true;
  }
  wanted_.notify_one();
  if (thread_.joinable()) thread_.join();
  const std::lock_guard held{parts_mutex_};
  parts_.clear(); // they hold this object
}

void spool_writer::add(std::shared_ptr<spool_part> part) {
  const std::lock_guard held{parts_mutex_};
  parts_.push_back(std::move(part));
}

void spool_writer::enqueue(job what) {
  {
    const std::lock_guard held{mutex_};
    if (stopping_) return;
    queue_.push_back(std::move(what));
  }
  wanted_.notify_one();
}

void spool_writer::remember_marks() {
  if (marks_wait_.exchange(true)) return;
  const std::lock_guard held{mutex_}; // so that the writer is not between looking and sleeping
  wanted_.notify_one();
}

void spool_writer::open() {
  lmdb::check(mdb_env_create(&env_), "create");
  try {
    lmdb::check(mdb_env_set_maxdbs(env_, most_tables), "tables");
    lmdb::check(mdb_env_set_mapsize(env_, map_bytes(limits_.max_bytes)), "map");
    const unsigned sync = limits_.sync == spool_sync::os ? MDB_NOSYNC : 0;
    lmdb::check(mdb_env_open(env_, folder_.c_str(), MDB_NOTLS | sync, 0640), "open");
  } catch (...) {
    close();
    throw;
  }
}

void spool_writer::close() noexcept {
  if (env_ != nullptr) mdb_env_close(std::exchange(env_, nullptr));
}

void spool_writer::remove_torn() const {
  const auto file = folder_ + "/data.mdb";
  struct stat about {};
  if (::stat(file.c_str(), &about) == 0 && about.st_size < 2 * ::sysconf(_SC_PAGESIZE))
    ::unlink(file.c_str());
}

void spool_writer::preallocate() {
  mdb_filehandle_t file = -1;
  lmdb::check(mdb_env_get_fd(env_, &file), "file");
  // Where it cannot be done (another file system, too little room) a full disk is met when writing.
  if (::fallocate(file, FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(map_bytes(limits_.max_bytes))) != 0)
    unreserved_ = std::strerror(errno);
}

void spool_writer::reopen_if_dead() {
  if (env_ != nullptr) {
    MDB_txn* probe = nullptr;
    const int code = mdb_txn_begin(env_, nullptr, 0, &probe);
    if (probe != nullptr) mdb_txn_abort(probe);
    if (code != MDB_PANIC) return;
  }
  const std::lock_guard held{parts_mutex_};
  std::vector<std::unique_lock<std::mutex>> stopped;
  for (const auto& part : parts_) stopped.push_back(part->stop());
  close();
  try {
    open();
    for (const auto& part : parts_) part->go_on();
  } catch (const std::exception& e) {
    why_ = e.what();
    close(); // tried again with the next write
  }
}

void spool_writer::run() {
  auto marks_due = steady_clock::time_point::max();
  std::unique_lock held{mutex_};
  while (true) {
    const auto woken = [&] {
      return stopping_ || !queue_.empty() || (marks_wait_ && marks_due == steady_clock::time_point::max());
    };
    if (marks_due == steady_clock::time_point::max())
      wanted_.wait(held, woken);
    else
      wanted_.wait_until(held, marks_due, woken);
    const auto now = steady_clock::now();
    if (marks_wait_ && marks_due == steady_clock::time_point::max()) marks_due = now + marks_written_after;
    const bool last = stopping_ && queue_.empty();
    std::vector<job> group{std::make_move_iterator(queue_.begin()), std::make_move_iterator(queue_.end())};
    queue_.clear();
    held.unlock();
    bool fine = true;
    if (!group.empty()) fine = write_all(group);
    if (last || now >= marks_due) {
      marks_wait_ = false;
      marks_due = steady_clock::time_point::max();
      write_marks();
      if (env_ != nullptr && last) mdb_env_sync(env_, 1);
    }
    group.clear();
    held.lock();
    if (last) return;
    if (!fine) wanted_.wait_for(held, breath, [&] { return stopping_; });
  }
}

bool spool_writer::write_all(std::vector<job>& group) {
  if (write(group)) return true;
  if (group.size() == 1) {
    group.front().failed(why_);
    return false;
  }
  bool fine = true;
  for (auto& one : group) {
    std::vector<job> alone;
    alone.push_back(std::move(one));
    if (write(alone)) continue;
    fine = false;
    alone.front().failed(why_);
  }
  return fine;
}

bool spool_writer::write(std::vector<job>& group) {
  try {
    if (env_ == nullptr) throw lmdb::error{MDB_PANIC, "the spool could not be opened again"};
    lmdb::transaction txn{env_, 0};
    for (const auto& one : group) one.write(txn);
    commit(txn);
  } catch (const std::exception& e) {
    why_ = e.what();
    reopen_if_dead();
    return false;
  }
  for (const auto& one : group) one.done();
  return true;
}

void spool_writer::commit(lmdb::transaction& txn) const {
  const auto begun = steady_clock::now();
  txn.commit();
  commits_.observe(steady_clock::now() - begun);
  committed_.now();
}

void spool_writer::write_marks() {
  if (env_ == nullptr) return;
  try {
    lmdb::transaction txn{env_, 0};
    {
      const std::lock_guard held{parts_mutex_};
      for (const auto& part : parts_) part->write_marks(txn);
    }
    commit(txn);
  } catch (const std::exception&) {
    // A full disk: they are tried again with the next records. A crash before that forgets nothing that
    // Redis itself could not tell.
    reopen_if_dead();
  }
}

} // namespace breakwater
