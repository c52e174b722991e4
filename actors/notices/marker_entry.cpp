#include "actors/notices/marker_entry.hpp"

namespace breakwater {

entry_fields entry_of(const quality_marker& x) {
  return {{"exchange", to_string(x.of)}, {"symbol", x.symbol},     {"kind", to_string(x.kind)},
          {"from", to_rfc3339(x.from)},  {"to", to_rfc3339(x.to)}, {"cause", x.cause}};
}

} // namespace breakwater
