#pragma once

#include <lmdb.h>

#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

/// The little of LMDB that the spool needs, with owners for what has to be given back.
namespace breakwater::lmdb {

/// LMDB's own code, or an errno.
struct error : std::runtime_error {
  error(int which, const std::string& what)
      : std::runtime_error(what + ": " + mdb_strerror(which)), code(which) {}
  int code;
};
inline void check(int code, const char* what) {
  if (code != MDB_SUCCESS) throw error{code, what};
}

inline std::string_view text(const MDB_val& x) noexcept {
  return {static_cast<const char*>(x.mv_data), x.mv_size};
}
template <class Bytes>
MDB_val value(const Bytes& x) noexcept {
  return {x.size(), const_cast<void*>(static_cast<const void*>(x.data()))}; // LMDB only reads it
}

class transaction {
public:
  transaction(MDB_env* env, unsigned flags) { check(mdb_txn_begin(env, nullptr, flags, &txn_), "begin"); }
  transaction(const transaction&) = delete;
  transaction& operator=(const transaction&) = delete;
  ~transaction() {
    if (txn_ != nullptr) mdb_txn_abort(txn_);
  }
  void commit() { check(mdb_txn_commit(std::exchange(txn_, nullptr)), "commit"); }
  operator MDB_txn*() const noexcept { return txn_; }

private:
  MDB_txn* txn_ = nullptr;
};

class cursor {
public:
  cursor(MDB_txn* txn, MDB_dbi table) { check(mdb_cursor_open(txn, table, &cursor_), "cursor"); }
  cursor(const cursor&) = delete;
  cursor& operator=(const cursor&) = delete;
  ~cursor() { mdb_cursor_close(cursor_); }

  /// Moves; false: there is nothing.
  bool move(MDB_cursor_op how) {
    const int code = mdb_cursor_get(cursor_, &key_, &value_, how);
    if (code == MDB_NOTFOUND) return false;
    check(code, "read");
    return true;
  }
  /// Moves to the first key that is not below `key`.
  template <class Key>
  bool seek(const Key& key) {
    key_ = lmdb::value(key);
    return move(MDB_SET_RANGE);
  }
  void erase() { check(mdb_cursor_del(cursor_, 0), "delete"); }
  [[nodiscard]] std::string_view key() const noexcept { return text(key_); }
  [[nodiscard]] std::string_view value() const noexcept { return text(value_); }

private:
  MDB_cursor* cursor_ = nullptr;
  MDB_val key_{}, value_{};
};

template <class Key>
std::optional<std::string_view> get(MDB_txn* txn, MDB_dbi table, const Key& key) {
  auto k = value(key);
  MDB_val found;
  const int code = mdb_get(txn, table, &k, &found);
  if (code == MDB_NOTFOUND) return std::nullopt;
  check(code, "read");
  return text(found);
}
template <class Key, class Value>
void put(MDB_txn* txn, MDB_dbi table, const Key& key, const Value& what, unsigned flags = 0) {
  auto k = value(key);
  auto v = value(what);
  check(mdb_put(txn, table, &k, &v, flags), "write");
}
template <class Key>
void erase(MDB_txn* txn, MDB_dbi table, const Key& key) {
  auto k = value(key);
  if (const int code = mdb_del(txn, table, &k, nullptr); code != MDB_NOTFOUND) check(code, "delete");
}

} // namespace breakwater::lmdb
