#include "actors/api/json_answer.hpp"

#include <nlohmann/json.hpp>

namespace breakwater {

http_response json_answer(unsigned status, const nlohmann::ordered_json& body) {
  http_response answer;
  answer.status = status;
  answer.headers = {{"Content-Type", "application/json"}};
  // Whatever an exchange or Redis wrote may be in a text, also bytes that are no UTF-8.
  answer.body = body.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
  return answer;
}

http_response json_error(unsigned status, const std::string& error, const std::string& hint) {
  nlohmann::ordered_json body{{"error", error}};
  if (!hint.empty()) body["hint"] = hint;
  return json_answer(status, body);
}

} // namespace breakwater
