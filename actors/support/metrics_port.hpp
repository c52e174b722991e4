#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace breakwater {

/// Samples of one name, as Prometheus wants them told.
struct metric_family {
  enum class kind : std::uint8_t { gauge, counter };
  struct sample {
    std::vector<std::pair<std::string, std::string>> labels; ///< Name and value.
    double value = 0;
  };

  std::string name;
  std::string help;
  kind type = kind::gauge;
  std::vector<sample> samples;
};
using metric_families = std::vector<metric_family>;

/// Writes down what the actors told and, with it, what was measured while it happened.
struct metrics_port {
  virtual ~metrics_port() = default;
  /// All of it in Prometheus's text format, each family once; families without samples are left out.
  virtual std::string text(const metric_families& told) = 0;
};

} // namespace breakwater
