#pragma once

#include "actors/publisher/spool_port.hpp"
#include "messages/record.hpp"

#include <cstddef>
#include <memory>
#include <string>

namespace breakwater::test {

/// `count` records with the one field n, numbered from `first`.
inline std::shared_ptr<const record_list> numbered(std::size_t first, std::size_t count) {
  auto list = std::make_shared<record_list>();
  for (std::size_t i = 0; i < count; ++i) {
    list->add("n", std::to_string(first + i));
    list->end_record();
  }
  return list;
}

} // namespace breakwater::test
