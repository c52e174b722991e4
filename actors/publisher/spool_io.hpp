#pragma once

#include "actors/publisher/spool_port.hpp"
#include "config/settings.hpp"
#include "messages/error.hpp"

#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace breakwater {

class spool_writer;

/// The spool on disk: one LMDB environment a process, some tables an output stream. Everything is written by
/// one thread of its own, which puts all that was asked for meanwhile into one transaction.
class spool_io {
public:
  /// Opens the spool in `folder`, or makes it; nobody else may have it open for writing. Fails with
  /// errc::spool_unusable.
  static result<std::shared_ptr<spool_io>> open(const std::string& folder, const spool_settings& limits);
  /// Writes what was asked for, and has it synced.
  ~spool_io();
  spool_io(const spool_io&) = delete;
  spool_io& operator=(const spool_io&) = delete;

  /// What is kept for one output stream; the same object for the same name. It may outlive this one, but
  /// then keeps nothing more.
  std::shared_ptr<spool_port> stream(const std::string& name);
  /// Why the disk did not set spool.max_bytes aside; empty: it did.
  [[nodiscard]] const std::string& unreserved() const noexcept;
  /// Records that wait for Redis; of a stream that was not asked for: 0.
  [[nodiscard]] std::size_t waiting(const std::string& name) const;

private:
  class stream_io;
  spool_io(std::shared_ptr<spool_writer> writer, std::string uuid, const spool_settings& limits);

  std::shared_ptr<spool_writer> writer_;
  std::string uuid_;
  spool_settings limits_;
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<stream_io>> streams_;
};

} // namespace breakwater
