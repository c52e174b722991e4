#pragma once

#include <cstdint>

namespace breakwater {

/// What a consumer did with a batch. The answer is the producer's credit: it sends the next batch only after
/// `taken`.
enum class intake : std::uint8_t {
  taken,        ///< The batch is the consumer's now.
  busy,         ///< No room; nothing was taken. The producer keeps (or conflates) it and comes again.
  out_of_place, ///< It does not follow on what was taken last; nothing was taken. Only for batches with a
                ///< position: the producer asks for the position and goes on from there.
};

constexpr const char* to_string(intake x) noexcept {
  return x == intake::taken ? "taken" : x == intake::busy ? "busy" : "out_of_place";
}

/// Answer to a batch. From: aggregator, publisher. To: whoever sent the batch.
struct intake_answer {
  intake what = intake::busy;
  /// Which life of the consumer answers. A producer that sees it change sends again what is still current.
  std::uint64_t incarnation = 0;
};

} // namespace breakwater
