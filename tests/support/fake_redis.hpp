#pragma once

#include "actors/redis/redis_port.hpp"
#include "actors/support/entry_id.hpp"
#include "tests/support/fake_time.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace breakwater::test {

/// Names and values of a stream entry.
using entry_fields = std::vector<std::pair<std::string, std::string>>;

struct stream_entry {
  entry_id id;
  entry_fields fields;
};

/// A Redis in memory behind the port: reads the bytes breakwater sends and does what a Redis 7 does for the
/// commands in them, transactions and WATCH among it. Fails in the ways a real one fails.
class fake_redis final : public redis_port, public std::enable_shared_from_this<fake_redis> {
public:
  explicit fake_redis(fake_time time) : time_(std::move(time)) {}

  std::unique_ptr<redis_connection> connect(const redis_address& to, std::chrono::milliseconds timeout,
                                            connection_number number, sink events) override;

  // What can happen to it.
  /// Killed: connections break, what they sent last is not read, connecting is refused. The data is on disk.
  void goes_away();
  void comes_back();
  void comes_back_empty();
  /// Keeps a copy of the data, for comes_back_older.
  void saves() { saved_ = data_; }
  void comes_back_older();
  /// Stopped: connections stand and are accepted, nothing is read until it resumes; then all of it is.
  void hangs() { hanging_ = true; }
  void resumes();
  /// Nobody reaches it: what is sent vanishes, connecting never ends.
  void is_unreachable(bool so) { unreachable_ = so; }
  /// Connections break; new ones are fine. What they sent last is not read.
  void breaks_connections(const std::string& reason = "Connection reset by peer");
  /// Answers LOADING to all but a few commands until told otherwise, and that it will take `eta` more.
  void loads(std::chrono::seconds eta) { loading_eta_ = eta; }
  void is_loaded() { loading_eta_.reset(); }
  /// Every write is refused with this error ("OOM command not allowed ..."); empty: accepted again.
  void refuses_writes(std::string error) { write_error_ = std::move(error); }
  /// Nobody may do anything without the password.
  void wants_password(std::string password) { password_ = std::move(password); }
  /// A connection is turned away with this error before it can speak; empty: not any more.
  void turns_away(std::string error) { turned_away_ = std::move(error); }

  /// TIME is so much ahead of the test's time.
  void clock_is_ahead(std::chrono::milliseconds by) { clock_ahead_ = by; }

  enum class cut : std::uint8_t {
    silent, ///< Nothing is read or answered on that connection any more.
    reset,  ///< The connection breaks.
  };
  /// Of the next pieces that hold an EXEC, `count` of them, the first `commands` commands are executed and
  /// not one of them is answered.
  void cuts_transactions(std::size_t count, std::size_t commands, cut how) { cuts_ = {count, commands, how}; }
  static constexpr std::size_t all_commands = SIZE_MAX;
  /// What is sent from now on arrives so much later.
  void has_latency(std::chrono::milliseconds time) { latency_ = time; }
  /// So much later arrives the next piece with an EXEC, once; the connection's later pieces wait behind it.
  void delays_next_transaction(std::chrono::milliseconds time) { delay_once_ = time; }

  /// Somebody else writes an entry, under an id of the server's choice or the one given.
  entry_id intruder_adds(const std::string& stream, std::optional<entry_id> id = {});
  entry_id somebody_adds(const std::string& stream, entry_fields fields, std::optional<entry_id> id = {});
  /// Only the newest `length` entries stay.
  void trims(const std::string& stream, std::size_t length);
  void loses_everything() { data_ = {}; }
  /// A key of this name is no stream.
  void has_a_string(const std::string& key);
  void loses_key(const std::string& key);
  /// Tells less of its streams.
  void is_older_than_7() { tells_added_ = false; }

  // What can be seen of it.
  [[nodiscard]] std::vector<stream_entry> entries(const std::string& stream) const;
  /// The entries that no intruder wrote.
  [[nodiscard]] std::vector<entry_fields> records(const std::string& stream) const;
  [[nodiscard]] std::size_t length(const std::string& stream) const;
  [[nodiscard]] std::size_t connects() const noexcept { return connects_; }         ///< Attempts.
  [[nodiscard]] std::size_t connected() const;                                      ///< That stand now.
  [[nodiscard]] std::size_t transactions() const noexcept { return transactions_; } ///< EXECs that applied.
  [[nodiscard]] std::size_t commands() const noexcept { return commands_; }
  [[nodiscard]] std::size_t pings() const noexcept { return pings_; }
  /// What CLIENT SETNAME said last.
  [[nodiscard]] const std::string& client_name() const noexcept { return client_name_; }
  /// Commands nobody taught this fake, such as a test must not meet.
  [[nodiscard]] const std::set<std::string>& unknown_commands() const noexcept { return unknown_; }

private:
  using command = std::vector<std::string>;
  struct stream_state {
    std::deque<stream_entry> entries;
    entry_id last;
    std::int64_t added = 0;
  };
  struct database {
    std::map<std::string, stream_state> streams;
    std::map<std::string, std::string> strings;
    std::map<std::string, std::uint64_t> versions; ///< Of keys; grows with each write.
  };
  struct piece {
    std::uint64_t tag;
    std::shared_ptr<const std::string> wire;
    std::size_t count;
    mono_time arrives_at{};
  };
  struct session {
    connection_number number;
    sink events;
    bool established = false;
    bool closed = false; ///< By the server, or the network.
    bool left = false;   ///< By the client: nobody hears the answers.
    bool mute = false;
    mono_time newest_arrives_at{};
    std::deque<piece> unread; ///< Not yet executed.
    bool authenticated = false;
    bool in_transaction = false, transaction_refused = false;
    std::vector<command> queued;
    std::map<std::string, std::uint64_t> watched;
    /// A piece that Redis holds back at a blocking read.
    struct held_back {
      std::uint64_t number = 0;
      std::uint64_t tag = 0;
      command read;
      std::shared_ptr<std::vector<redis_reply>> replies;
    };
    std::optional<held_back> blocked;
  };
  struct handle;

  void establish(const std::shared_ptr<session>& who);
  void receive(const std::shared_ptr<session>& who, piece what);
  void read(const std::shared_ptr<session>& who);
  void close(session& who, const std::string& reason, const std::string& error_reply = {});
  redis_reply handle_command(session& who, const command& what);
  redis_reply execute(session& who, const command& what);
  redis_reply exec(session& who);
  redis_reply xadd(const command& what);
  redis_reply xinfo(const command& what) const;
  redis_reply xrange(const command& what) const;
  /// Only from "+" to "-".
  redis_reply xrevrange(const command& what) const;
  redis_reply xread(const command& what) const;
  /// Blocking reads that have something to read now are answered.
  void wake_readers();
  void answer_blocked(const std::shared_ptr<session>& who, redis_reply reply);
  [[nodiscard]] std::uint64_t version_of(const std::string& key) const;
  static std::vector<command> parse(const std::string& wire);

  fake_time time_;
  database data_, saved_;
  std::vector<std::shared_ptr<session>> sessions_;
  bool away_ = false, hanging_ = false, unreachable_ = false, tells_added_ = true;
  std::uint64_t last_blocked_ = 0;
  std::optional<std::chrono::seconds> loading_eta_;
  std::chrono::milliseconds clock_ahead_{0};
  std::string write_error_, password_, turned_away_, client_name_;
  struct cut_order {
    std::size_t count = 0, commands = 0;
    cut how = cut::silent;
  } cuts_;
  std::chrono::milliseconds latency_{1}, delay_once_{0};
  std::size_t connects_ = 0, transactions_ = 0, commands_ = 0, pings_ = 0;
  std::set<std::string> unknown_;
};

} // namespace breakwater::test
