#pragma once

#include "actors/publisher/spool_port.hpp"
#include "actors/support/backoff.hpp"
#include "actors/support/entry_id.hpp"
#include "actors/support/events.hpp"
#include "actors/support/reply_class.hpp"
#include "actors/support/stream_reply.hpp"
#include "messages/error.hpp"
#include "messages/intake.hpp"
#include "messages/redis.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace breakwater {

/// Something the log should tell, as the delivery found it.
struct delivery_notice {
  event what;
  std::vector<std::pair<const char*, std::string>> details;
};

/// Brings the spool's records into one stream, each exactly once and in order: which command goes out next,
/// and what its reply means. A plain value beside its spool.
///
/// Records go as MULTI, up to `batch` XADDs with explicit ids, EXEC. The stream is WATCHed from before we
/// read its last id, so a transaction after anybody else's write is not applied at all, and we look again
/// before the next. One EXEC is unanswered at a time; when many records wait, the MULTI and XADDs of the next
/// transaction are sent meanwhile, and its EXEC once the one before it is known to be applied.
class delivery {
public:
  using milliseconds = std::chrono::milliseconds;

  struct options {
    std::string stream;
    std::size_t maxlen = 50000;
    std::size_t batch = 1024;        ///< XADDs in a transaction.
    std::size_t compare_page = 1000; ///< Entries read at a time while looking which of ours are there.
    backoff::limits pause{milliseconds{200}, milliseconds{5000}, 0.2}; ///< After a refusal.
    milliseconds ask_again_after{1000}; ///< While Redis cannot be reached, unless it says sooner that it can.
    milliseconds halted_for{30000};     ///< Between tries at what only a human can mend.
  };

  delivery(options how, spool_port& spool);

  /// Stamps and keeps a batch. One that was taken before is taken again without effect.
  [[nodiscard]] intake accept(const record_batch& batch, wall_time now);

  /// Something to send. How it ended is told under the same ticket, in the order of sending.
  struct step {
    std::uint64_t ticket = 0;
    redis_commands what;
  };
  /// The next thing to send, if now is the time for one. To be asked until there is none.
  [[nodiscard]] std::optional<step> next(mono_time now);
  void on_replies(std::uint64_t ticket, const redis_replies& answer, mono_time now, wall_time wall);
  /// Nothing came back: not sent, or nobody knows what became of it.
  void on_failure(std::uint64_t ticket, const failure& why, mono_time now);
  /// A new connection stands: whatever was known of the stream must be looked at again, now.
  void on_link_up();

  /// When next() has to be asked again although nothing happened.
  [[nodiscard]] std::optional<mono_time> next_wake() const;
  [[nodiscard]] std::vector<delivery_notice> take_notices() { return std::exchange(notices_, {}); }

  enum class phase : std::uint8_t {
    unsynced,  ///< What the stream has is not known.
    comparing, ///< Somebody else wrote: reading which of our records are there.
    ready,     ///< In step with the stream.
    halted,    ///< The stream cannot be written to (wrong type, unknown command).
  };
  [[nodiscard]] phase state() const noexcept { return phase_; }
  [[nodiscard]] bool idle() const { return outstanding_.empty() && nothing_waits(); }

  struct counts {
    std::uint64_t accepted = 0;     ///< Records.
    std::uint64_t acknowledged = 0; ///< Records Redis has, less those it lost again.
    std::uint64_t transactions = 0;
    std::uint64_t resyncs = 0;
    std::uint64_t refusals = 0;
    std::uint64_t disturbed = 0;  ///< Transactions not applied because somebody else wrote.
    std::uint64_t restamped = 0;  ///< Records that got a new id.
    std::uint64_t sent_again = 0; ///< Acknowledged records that Redis had lost.
  };
  [[nodiscard]] const counts& counted() const noexcept { return counts_; }
  /// What Redis said when it refused records last; empty once it took some again.
  [[nodiscard]] const std::string& refusal() const noexcept { return refusal_; }

private:
  enum class expected : std::uint8_t { stream_state, page, body, commit, whole };
  /// Sent, not answered. An answer under another ticket is of something given up.
  struct outstanding {
    std::uint64_t ticket = 0;
    expected what = expected::stream_state;
    entry_id upto; ///< Of a body: its transaction's.
  };
  /// A transaction of which at least the body, MULTI and the XADDs, is on its way.
  struct transaction {
    entry_id upto;
    std::size_t count = 0;
    verdict body; ///< What became of the body, once it is answered.
  };

  [[nodiscard]] bool nothing_waits() const;
  step send(expected what, std::shared_ptr<const std::string> wire, std::size_t count, entry_id upto = {});
  step look_at_stream();
  step read_page();
  std::optional<step> send_records();
  transaction append_body(std::string& wire, const std::vector<stamped_run>& runs) const;
  void append_commit(std::string& wire) const;
  void append_look(std::string& wire) const;
  /// What is on its way does not count any more.
  void give_up_outstanding();

  void on_stream_state(std::span<const redis_reply> replies, mono_time now);
  void on_page(const redis_reply& reply, mono_time now, wall_time wall);
  void on_body(entry_id upto, std::span<const redis_reply> replies);
  void on_commit(std::span<const redis_reply> replies, mono_time now);
  void on_refusal(const verdict& why, mono_time now);
  /// Whether the stream's newest entry is one of our records. Its id alone does not tell: somebody else who
  /// lets Redis choose the id gets the same one when he writes in the millisecond of a record that waits
  /// here.
  [[nodiscard]] bool newest_is_ours(const redis_reply& look, entry_id last) const;
  void in_step(const stream_state& stream, mono_time now);
  /// Stored, although the answer that said so was lost.
  void acknowledge_found(entry_id upto, mono_time now);
  void compare_from(entry_id id);
  void stamp_missing_again(wall_time wall, mono_time now);
  /// Whether one of `held` is at or below the stream's last id and not in it.
  [[nodiscard]] bool lacks_any_of(const std::vector<stamped_run>& held) const;
  /// Ends the comparison.
  void tell_what_was_found(std::uint64_t restamped);
  void tell(event what, std::vector<std::pair<const char*, std::string>> details);

  options options_;
  std::string xadd_head_; ///< "XADD <stream> MAXLEN ~ <n>" as RESP arguments.
  spool_port& spool_;
  entry_id_clock ids_;
  backoff pause_;
  phase phase_ = phase::unsynced;
  std::deque<outstanding> outstanding_; ///< In the order of sending.
  std::uint64_t last_ticket_ = 0;
  std::optional<transaction> committing_; ///< Its EXEC is on its way.
  std::optional<transaction> ahead_;      ///< Only its body is; the next to commit.
  std::string refusal_;
  bool must_compare_ = false; ///< Part of a transaction was refused: the last id does not tell what is there.
  connection_number connection_ = any_connection;
  std::optional<mono_time> paused_until_;
  std::size_t batch_now_; ///< Less than options.batch while somebody else keeps writing.
  stream_state compared_; ///< While comparing.
  entry_id compare_from_;
  bool compared_fully_ = false; ///< From the oldest record held, not only from the newest acknowledged.
  std::set<entry_id> stored_;   ///< Of ours, found in the stream with the same fields.
  std::uint64_t foreign_ = 0;
  entry_id newest_foreign_;
  std::vector<delivery_notice> notices_;
  counts counts_;
};

constexpr const char* to_string(delivery::phase x) noexcept {
  constexpr std::array names{"unsynced", "comparing", "ready", "halted"};
  return names[static_cast<std::size_t>(x)];
}

} // namespace breakwater
