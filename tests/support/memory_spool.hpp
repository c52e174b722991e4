#pragma once

#include "actors/publisher/spool_port.hpp"
#include "config/settings.hpp"

#include <deque>
#include <map>
#include <optional>

namespace breakwater::test {

/// The spool in memory: bounded, gone with the process. What is retained gives way to what waits. It tells
/// the outcome of a request before the request returns.
class memory_spool : public spool_port {
public:
  explicit memory_spool(const spool_settings& limits) : limits_(limits) {}

  void attach(sink events) override;
  void append(std::uint64_t ticket, stamped_run run, batch_mark from,
              std::shared_ptr<const checkpoint> state) override;
  void restamp(std::uint64_t ticket, restamping how) override;
  void acknowledge(entry_id upto, stream_mark seen, mono_time now) override;
  void rewind(entry_id upto) override;
  [[nodiscard]] std::vector<stamped_run> read(entry_id after, std::size_t max) override;
  [[nodiscard]] std::size_t count(entry_id after, entry_id upto) const override;
  [[nodiscard]] bool holds(entry_id id) const override;
  [[nodiscard]] entry_id last() const override { return last_; }
  [[nodiscard]] entry_id acknowledged() const override { return acknowledged_; }
  [[nodiscard]] stream_mark seen() const override { return seen_; }
  [[nodiscard]] entry_id forgotten() const override { return forgotten_; }
  [[nodiscard]] batch_mark last_batch() const override { return last_batch_; }
  [[nodiscard]] std::shared_ptr<const checkpoint> saved() const override;
  [[nodiscard]] std::string uuid() const override { return "spool-in-memory"; }
  [[nodiscard]] figures size() const override;

  /// The next requests that would be kept fail like a full disk, until it is empty again.
  std::string disk_error;

protected:
  /// Told before the outcome of each append that was kept, and of each that was not.
  virtual void on_append(const stamped_run&, bool /*kept*/) {}

private:
  struct segment {
    stamped_run run;
    std::size_t bytes = 0;     ///< Its share of memory.
    mono_time acknowledged_at; ///< Meaningful when all of it is acknowledged.
  };
  [[nodiscard]] std::deque<segment>::const_iterator first_above(entry_id id) const;
  [[nodiscard]] bool is_acknowledged(const segment& s) const { return s.run.last() <= acknowledged_; }
  bool keep(const stamped_run& run);
  void push(stamped_run run);
  void forget_front();
  void cut_above(entry_id after);
  void tell(std::uint64_t ticket, spool_outcome what);

  spool_settings limits_;
  sink events_;
  std::deque<segment> segments_; ///< Ascending ids; never an empty run.
  std::size_t bytes_ = 0;
  std::size_t retained_bytes_ = 0; ///< Of the segments wholly acknowledged.
  std::size_t records_ = 0;
  mutable std::optional<std::size_t> waiting_ = 0; ///< nullopt: to be counted anew.
  entry_id last_, acknowledged_, forgotten_;
  batch_mark last_batch_;
  stream_mark seen_;
  mono_time now_; ///< Of the last acknowledgement.
  std::string position_;
  std::map<std::string, std::string> parts_;
};

} // namespace breakwater::test
