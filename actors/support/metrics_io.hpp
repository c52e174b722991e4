#pragma once

#include "actors/support/metrics_port.hpp"

#include <string>
#include <vector>

namespace breakwater {

/// The metrics of the process, kept and written by prometheus-cpp: one registry, like the log.
class metrics_io : public metrics_port {
public:
  std::string text(const metric_families& told) override;
};

/// A row of the list in config/prometheus/README.md.
struct metric_row {
  std::string name, type, labels, help;
};
/// What `text` tells beside the reports.
std::vector<metric_row> measured_metrics();

} // namespace breakwater
