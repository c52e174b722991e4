#include "actors/support/actor_base.hpp"

#include "actors/support/emit.hpp"

#include <caf/actor_system.hpp>
#include <caf/atom.hpp>

namespace breakwater {

void log_unhandled(const char* actor, const std::string& what) {
  emit(actor, event::unhandled_error, {{"reason", what}});
}

failure to_failure(const caf::error& error) {
  if (error.category() == caf::atom("breakwater")) {
    const auto code = static_cast<errc>(error.code());
    const auto& context = error.context();
    if (context.match_elements<std::string>()) return {code, context.get_as<std::string>(0)};
    return {code, to_string(code)};
  }
  return {errc::foreign, to_string(error)};
}

} // namespace breakwater
