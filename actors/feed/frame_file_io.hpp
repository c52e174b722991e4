#pragma once

#include "actors/feed/frame_source_port.hpp"
#include "messages/error.hpp"

#include <cstddef>
#include <memory>
#include <string>

namespace breakwater {

struct frame_file_limits {
  std::size_t read_bytes = std::size_t{1} << 20;  ///< Read at a time.
  std::size_t line_bytes = std::size_t{16} << 20; ///< A longer line is skipped.
};

/// Reads recorded frames from a file of JSON lines, {"recv_ms": ..., "exchange": "binance", "frame": {...}};
/// a frame that was no JSON stands as a string. Memory use does not depend on the size of the file. Empty
/// lines are nothing.
class frame_file_io : public frame_source_port {
public:
  /// Fails with errc::file_unreadable.
  static result<std::shared_ptr<frame_source_port>> open(const std::string& path,
                                                         frame_file_limits limits = {});
  ~frame_file_io() override;

  void next(std::size_t max, recorded_frames& out) override;

private:
  struct reader;
  explicit frame_file_io(std::unique_ptr<reader> made);
  std::unique_ptr<reader> reader_;
};

} // namespace breakwater
