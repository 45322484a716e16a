#pragma once

#include <initializer_list>
#include <string_view>
#include <utility>

namespace virtseer {

enum class Level { debug, info, warning, error };

/// Sets the least level that is written. Default: info.
void setLogLevel(Level least);

/// Reads "debug", "info", "warning", "error"; false if it is none of them.
bool setLogLevel(std::string_view name);

/// Writes one record: to journald with `fields` as its fields where standard error is connected to
/// the journal, else as one line on standard error. Control characters are escaped. Any thread;
/// never throws; blocks only as long as the receiver's socket does.
void log(Level level, std::string_view message,
         std::initializer_list<std::pair<std::string_view, std::string_view>> fields = {}) noexcept;

}  // namespace virtseer
