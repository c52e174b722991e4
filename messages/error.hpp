#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>

/// Expected failures: one list for the whole project, and the type a function that can fail returns.
namespace breakwater {

/// Numbers are stable: they appear in logs and audit records. Append only.
enum class errc : std::uint8_t {
  none = 0,                 ///< No error. CAF reads 0 as success, so no failure may have it.
  crashed,                  ///< A handler threw; `detail` is what(). The supervisor restarts the actor.
  restart_intensity,        ///< Too many restarts in the window. The process exits; systemd restarts it.
  unresponsive,             ///< Missed two health ticks. The supervisor ends the actor and restarts it.
  frame_not_json,           ///< The exchange sent text that is no JSON. Counted with a sample; dropped.
  field_missing,            ///< A frame lacks a field; `detail` names it. Counted with a sample; dropped.
  field_malformed,          ///< A field cannot be read; `detail` names it. Counted with a sample; dropped.
  symbol_unknown,           ///< A frame for a symbol we did not ask for. Counted; dropped.
  exchange_unknown,         ///< A replay line names an exchange we have no dialect for. Counted; dropped.
  redis_unavailable,        ///< No connection, or the breaker is open. The spool holds the records.
  redis_connection_changed, ///< The command was meant for an earlier connection. The publisher resyncs.
  redis_refused,            ///< Redis answered with an error; `detail` is its text. See reply_class.
  file_unreadable,          ///< A file cannot be opened, read or written; `detail` says which and why.
  config_invalid,           ///< The config file cannot be used; `detail` lists every problem, a line each.
  address_invalid,          ///< A URL or listen address cannot be read; `detail` says what is wrong.
  already_running,          ///< Another process holds data_dir.
  foreign,                  ///< An error of a library, CAF's own for one; `detail` is its text.
  audit_unwritable, ///< The audit log cannot be written, so what was to be written down must not happen.
  spool_unusable,   ///< The spool on disk is of a newer version, or damaged; `detail` says what to do.
  frame_unknown,    ///< JSON, but of no form known of the exchange. Counted with a sample; dropped.
};

constexpr const char* to_string(errc code) noexcept {
  switch (code) {
  case errc::none: return "none";
  case errc::crashed: return "crashed";
  case errc::restart_intensity: return "restart_intensity";
  case errc::unresponsive: return "unresponsive";
  case errc::frame_not_json: return "frame_not_json";
  case errc::field_missing: return "field_missing";
  case errc::field_malformed: return "field_malformed";
  case errc::symbol_unknown: return "symbol_unknown";
  case errc::exchange_unknown: return "exchange_unknown";
  case errc::redis_unavailable: return "redis_unavailable";
  case errc::redis_connection_changed: return "redis_connection_changed";
  case errc::redis_refused: return "redis_refused";
  case errc::file_unreadable: return "file_unreadable";
  case errc::config_invalid: return "config_invalid";
  case errc::address_invalid: return "address_invalid";
  case errc::already_running: return "already_running";
  case errc::audit_unwritable: return "audit_unwritable";
  case errc::spool_unusable: return "spool_unusable";
  case errc::frame_unknown: return "frame_unknown";
  case errc::foreign: return "foreign";
  }
  return "unknown";
}

/// Why something failed: a code to act on and a text for people.
struct failure {
  errc code = errc::none;
  std::string detail;
};

/// A value or the failure that took its place.
template <class T>
class [[nodiscard]] result {
public:
  result(T value) : content_(std::move(value)) {}
  result(breakwater::failure why) : content_(std::move(why)) {}

  explicit operator bool() const noexcept { return content_.index() == 0; }
  const T& operator*() const& { return std::get<0>(content_); }
  T& operator*() & { return std::get<0>(content_); }
  T&& operator*() && { return std::get<0>(std::move(content_)); }
  const T* operator->() const { return &std::get<0>(content_); }
  T* operator->() { return &std::get<0>(content_); }
  const breakwater::failure& error() const { return std::get<1>(content_); }

private:
  std::variant<T, breakwater::failure> content_;
};

/// Success without a value.
struct done {};

} // namespace breakwater
