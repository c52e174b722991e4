#pragma once

#include "config/settings.hpp"
#include "messages/error.hpp"
#include "messages/happening.hpp"

#include <functional>

namespace breakwater {

/// Sends log lines where the settings say; before this they go to standard error as text, from info up.
/// Fails with errc::file_unreadable if log.file cannot be written.
result<done> open_log(const log_settings& how);

/// From now on `ear` hears every line that goes into the log, from info up; an empty one hears nothing. It is
/// called by whoever emits, on any thread, and may be for a moment after it was replaced.
void let_hear(std::function<void(happening)> ear);

/// Says how often each event was repeated without being printed. Before the last line of the process.
void tell_repeats();

/// Writes out what is buffered, with the repeats not yet told. Last call of the process.
void close_log();

} // namespace breakwater
