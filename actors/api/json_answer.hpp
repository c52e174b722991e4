#pragma once

#include "messages/http.hpp"

#include <nlohmann/json_fwd.hpp>

#include <string>

namespace breakwater {

/// A response with this JSON object. Its number is set by whoever sends it.
http_response json_answer(unsigned status, const nlohmann::ordered_json& body);

/// {"error":...,"hint":...}; without a hint only the error.
http_response json_error(unsigned status, const std::string& error, const std::string& hint = {});

} // namespace breakwater
