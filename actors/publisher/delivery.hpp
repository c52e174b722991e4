#pragma once

#include "actors/publisher/spool_port.hpp"
#include "actors/publisher/stream_readers.hpp"
#include "actors/support/backoff.hpp"
#include "actors/support/entry_id.hpp"
#include "actors/support/events.hpp"
#include "actors/support/reply_class.hpp"
#include "actors/support/stream_reply.hpp"
#include "messages/error.hpp"
#include "messages/intake.hpp"
#include "messages/redis.hpp"
#include "messages/spool.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
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
/// Records go as MULTI, up to `batch` XADDs with explicit ids, EXEC. The stream and the key that names its
/// owner are WATCHed from before we read them, so a transaction after anybody else's write is not applied at
/// all, and we look again before the next. One EXEC is unanswered at a time; when many records wait, the
/// MULTI and XADDs of the next transaction are sent meanwhile, and its EXEC once the one before it is known
/// to be applied.
class delivery {
public:
  using milliseconds = std::chrono::milliseconds;

  struct options {
    std::string stream;
    std::string instance; ///< Stands behind the spool's uuid in the owner key, for people.
    std::size_t maxlen = 50000;
    std::size_t batch = 1024;        ///< XADDs in a transaction.
    std::size_t compare_page = 1000; ///< Entries read at a time while looking which of ours are there.
    backoff::limits pause{milliseconds{200}, milliseconds{5000}, 0.2}; ///< After a refusal.
    milliseconds ask_again_after{1000}; ///< While Redis cannot be reached, unless it says sooner that it can.
    milliseconds halted_for{30000};     ///< Between tries at what only a human can mend.
    milliseconds disowned_for{5000};    ///< Between looks at somebody else's claim.
    milliseconds idle_look_after{30000};     ///< Without anything sent.
    milliseconds trim_patience{60000};       ///< How long catch-up waits for a lagging consumer group.
    milliseconds consumers_again_after{200}; ///< Between looks at it.
  };

  delivery(options how, spool_port& spool);

  /// The answer to a batch; or, while the spool is at it, the ticket under which on_spool() will tell it.
  struct acceptance {
    std::optional<intake> answer;
    std::uint64_t ticket = 0;
  };
  /// Stamps a batch and gives it to the spool. One that was taken before is taken again without effect.
  [[nodiscard]] acceptance accept(const record_batch& batch, wall_time now);
  /// Returns the answer to a batch, if it is about one.
  std::optional<intake> on_spool(const spool_event& told, mono_time now, wall_time wall);

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
  /// Now and then: with nothing to send, somebody else's claim or a stream that went back shows only to a
  /// look.
  void look_if_idle(mono_time now);

  /// When next() has to be asked again although nothing happened.
  [[nodiscard]] std::optional<mono_time> next_wake() const;
  [[nodiscard]] std::vector<delivery_notice> take_notices() { return std::exchange(notices_, {}); }

  enum class phase : std::uint8_t {
    unsynced,   ///< What the stream has is not known.
    comparing,  ///< Somebody else wrote: reading which of our records are there.
    restamping, ///< What the stream lacks gets new ids, on disk before they are sent.
    ready,      ///< In step with the stream.
    disowned,   ///< Another spool owns the stream: nothing may be sent.
    halted,     ///< The stream cannot be written to (wrong type, unknown command).
  };
  [[nodiscard]] phase state() const noexcept { return phase_; }
  /// Whether the spool is through with every batch it was given.
  [[nodiscard]] bool keeps_nothing() const { return opened_ && keeping_.empty(); }
  [[nodiscard]] bool idle() const { return outstanding_.empty() && keeping_.empty() && nothing_waits(); }

  struct counts {
    std::uint64_t accepted = 0;     ///< Records.
    std::uint64_t acknowledged = 0; ///< Records Redis has, less those it lost again.
    std::uint64_t transactions = 0;
    std::uint64_t resyncs = 0;
    std::uint64_t refusals = 0;
    std::uint64_t disturbed = 0;      ///< Transactions not applied because somebody else wrote.
    std::uint64_t restamped = 0;      ///< Records that got a new id.
    std::uint64_t sent_again = 0;     ///< Acknowledged records that Redis had lost.
    std::uint64_t holes = 0;          ///< Times Redis came back older than what is retained.
    std::uint64_t trimmed_unread = 0; ///< Entries trimmed before a consumer group had read them.
  };
  [[nodiscard]] const counts& counted() const noexcept { return counts_; }
  /// What Redis said when it refused records last; empty once it took some again.
  [[nodiscard]] const std::string& refusal() const noexcept { return refusal_; }
  /// The newest hole: ids that neither Redis nor the spool has. Empty: there is none.
  [[nodiscard]] const std::string& hole() const noexcept { return hole_; }
  /// Whose the stream is while `disowned`: a spool's uuid and its instance.
  [[nodiscard]] const std::string& owner() const noexcept { return owner_; }
  /// Why the last batch could not be written to disk; empty once one could.
  [[nodiscard]] const std::string& disk_error() const noexcept { return disk_error_; }
  /// The key that names the owner of a stream.
  [[nodiscard]] static std::string owner_key(const std::string& stream) {
    return "breakwater:{" + stream + "}:owner";
  }

private:
  enum class expected : std::uint8_t { stream_state, page, newest_left, body, commit, whole, consumers };
  /// Sent, not answered. An answer under another ticket is of something given up.
  struct outstanding {
    std::uint64_t ticket = 0;
    expected what = expected::stream_state;
    entry_id upto; ///< Of a body: its transaction's.
  };
  struct keeping {
    batch_mark mark;
    std::size_t records = 0;
  };
  /// A transaction of which at least the body, MULTI and the XADDs, is on its way.
  struct transaction {
    entry_id upto;
    std::size_t count = 0;
    verdict body; ///< What became of the body, once it is answered.
  };

  [[nodiscard]] bool nothing_waits() const { return spool_.size().waiting == 0; }
  step send(expected what, std::shared_ptr<const std::string> wire, std::size_t count, entry_id upto = {});
  step look_at_stream();
  /// A look at how far the consumer groups are.
  std::optional<step> wait_for_readers(mono_time now);
  step read_page();
  step read_newest_left();
  std::optional<step> send_records(mono_time now);
  transaction append_body(std::string& wire, const std::vector<stamped_run>& runs);
  void append_commit(std::string& wire) const;
  void append_look(std::string& wire) const;
  /// What is on its way does not count any more.
  void give_up_outstanding();

  /// The replies to append_look().
  struct look {
    const redis_reply &watch, &owner, &stream, &groups;
  };
  static look look_of(std::span<const redis_reply> replies) {
    const auto last = replies.last(look_commands);
    return {last[0], last[1], last[2], last[3]};
  }
  static constexpr std::size_t look_commands = 4;

  void on_stream_state(std::span<const redis_reply> replies, mono_time now);
  void on_newest_left(const redis_reply& reply, mono_time now);
  void on_page(const redis_reply& reply, mono_time now, wall_time wall);
  void on_body(entry_id upto, std::span<const redis_reply> replies);
  void on_commit(std::span<const redis_reply> replies, mono_time now);
  void on_refusal(const verdict& why, mono_time now);
  [[nodiscard]] bool names_us(const redis_reply& owner) const;
  /// False: somebody else owns the stream.
  bool is_ours(const redis_reply& owner, mono_time now);
  /// Whether the stream's newest entry is one of our records. Its id alone does not tell: somebody else who
  /// lets Redis choose the id gets the same one when he writes in the millisecond of a record that waits
  /// here.
  [[nodiscard]] bool newest_is_ours(const redis_reply& info, const stream_state& stream) const;
  /// How many of the records above the acknowledged ones can be in the stream, or have been, at most.
  [[nodiscard]] std::size_t at_most_applied(const stream_state& stream, std::uint64_t seen_since) const;
  /// The newest id of ours that can have been in the stream before it was trimmed.
  [[nodiscard]] entry_id trimmed_at_most() const;
  void tell_hole(entry_id after);
  void in_step(const stream_state& stream, mono_time now);
  /// Stored, although the answer that said so was lost.
  void acknowledge_found(entry_id upto, stream_mark seen, mono_time now);
  void compare_from(entry_id id);
  void stamp_missing_again(wall_time wall, mono_time now);
  /// How many of the records above `after` up to `upto` are not in the stream, by the comparison.
  [[nodiscard]] std::size_t lacking(entry_id after, entry_id upto) const;
  /// Ends the comparison.
  void tell_what_was_found(std::uint64_t restamped);
  void tell(event what, std::vector<std::pair<const char*, std::string>> details);

  /// How many records may be sent now so that no consumer group loses unread entries.
  std::size_t room_for_readers(std::size_t wanted, mono_time now);

  options options_;
  std::string xadd_head_; ///< "XADD <stream> MAXLEN ~ <n>" as RESP arguments.
  std::string owner_key_, claim_;
  spool_port& spool_;
  entry_id_clock ids_;
  backoff pause_;
  phase phase_ = phase::unsynced;
  std::deque<outstanding> outstanding_; ///< In the order of sending.
  std::uint64_t last_ticket_ = 0;
  std::optional<transaction> committing_; ///< Its EXEC is on its way.
  std::optional<transaction> ahead_;      ///< Only its body is; the next to commit.
  std::string refusal_;
  static constexpr entry_id everything{UINT64_MAX, UINT64_MAX};
  entry_id attempted_ = everything; ///< Newest that was ever in a transaction; after a start it is not known.
  entry_id hole_told_;
  bool must_compare_ = false; ///< Part of a transaction was refused: the last id does not tell what is there.
  connection_number connection_ = any_connection;
  std::optional<mono_time> paused_until_;
  std::size_t batch_now_; ///< Less than options.batch while somebody else keeps writing.
  stream_state compared_; ///< While comparing.
  entry_id compare_from_;
  bool compared_all_ = false;    ///< Up to the stream's end; the new ids wait for the spool.
  bool compared_fully_ = false;  ///< From the oldest record held, not only from the newest acknowledged.
  std::vector<id_range> stored_; ///< Of ours, found in the stream with the same fields; nothing held between.
  std::uint64_t foreign_ = 0;
  std::uint64_t added_since_ =
      0; ///< Of the entries compared: behind what the stream was when we last knew it.
  entry_id newest_foreign_;
  bool opened_ = false;                      ///< The spool can be read.
  std::map<std::uint64_t, keeping> keeping_; ///< Batches the spool is at, by ticket.
  std::uint64_t restamp_ticket_ = 0, restamp_count_ = 0;
  bool link_changed_ = false; ///< While restamping.
  bool is_unclaimed_ = false, looks_by_the_way_ = false;
  mono_time known_at_; ///< When the stream's state was known last.
  bool went_back_ =
      false; ///< While comparing: nothing is held to compare with, only the hole is to be named.
  std::string owner_, disk_error_, hole_;
  stream_readers readers_;
  bool catching_up_ = false; ///< More than a transaction waited, and has not all gone yet.
  std::vector<delivery_notice> notices_;
  counts counts_;
};

constexpr const char* to_string(delivery::phase x) noexcept {
  constexpr std::array names{"unsynced", "comparing", "restamping", "ready", "disowned", "halted"};
  return names[static_cast<std::size_t>(x)];
}

} // namespace breakwater
