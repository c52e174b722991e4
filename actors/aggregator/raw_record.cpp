#include "actors/aggregator/raw_record.hpp"

#include "actors/aggregator/number.hpp"

namespace breakwater {

void append_raw_record(record_list& out, const candle& what) {
  number_text text;
  out.add("exchange", to_string(what.from));
  out.add("symbol", what.symbol);
  out.add("timestamp", text.of(what.start_s));
  out.add("open", text.of(what.open));
  out.add("high", text.of(what.high));
  out.add("low", text.of(what.low));
  out.add("close", text.of(what.close));
  out.add("volume", text.of(what.volume));
  out.end_record();
}

} // namespace breakwater
