#pragma once

#include "actors/publisher/spool_port.hpp"
#include "config/settings.hpp"

#include <deque>

namespace breakwater {

/// The spool in memory: bounded, gone with the process. What is retained gives way to what waits.
class memory_spool final : public spool_port {
public:
  explicit memory_spool(const spool_settings& limits) : limits_(limits) {}

  [[nodiscard]] bool append(const stamped_run& run, batch_mark from) override;
  [[nodiscard]] batch_mark last_batch() const override { return last_batch_; }
  [[nodiscard]] std::vector<stamped_run> read(entry_id after, std::size_t max) const override;
  void acknowledge(entry_id upto, mono_time now) override;
  void rewind(entry_id upto) override;
  void replace_above(entry_id after, std::vector<stamped_run> runs) override;
  [[nodiscard]] bool holds(entry_id id) const override;
  [[nodiscard]] entry_id last() const override { return last_; }
  [[nodiscard]] entry_id acknowledged() const override { return acknowledged_; }
  [[nodiscard]] entry_id forgotten() const override { return forgotten_; }
  [[nodiscard]] figures size() const override;

private:
  struct segment {
    stamped_run run;
    std::size_t bytes = 0;     ///< Its share of memory.
    mono_time acknowledged_at; ///< Meaningful when all of it is acknowledged.
  };
  [[nodiscard]] std::deque<segment>::const_iterator first_above(entry_id id) const;
  [[nodiscard]] bool is_acknowledged(const segment& s) const { return s.run.last() <= acknowledged_; }
  void push(stamped_run run);
  void forget_front();

  spool_settings limits_;
  std::deque<segment> segments_; ///< Ascending ids; never an empty run.
  std::size_t bytes_ = 0;
  std::size_t retained_bytes_ = 0; ///< Of the segments wholly acknowledged.
  std::size_t records_ = 0;
  entry_id last_, acknowledged_, forgotten_;
  batch_mark last_batch_;
};

} // namespace breakwater
