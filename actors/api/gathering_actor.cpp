#include "actors/api/gathering_actor.hpp"

#include <algorithm>

namespace breakwater {
namespace {

/// Asks and puts the answer where `place(found)` says; none, if none comes.
template <class Answer, class Sources, class Handle, class Question, class Place>
void gather(api_actor::pointer self, const shared_gathering<Sources>& into, const Handle& whom,
            Question question, Place place) {
  ++into->open;
  self->request(whom, answers_within, std::move(question))
      .then(
          [into, place](Answer& answer) {
            place(into->found, answer);
            into->arrived();
          },
          [into](const caf::error&) { into->arrived(); });
}

/// Like gather(), and counts who was asked and who answered.
template <class Answer, class Handle, class Question, class Place>
void gather_metric(api_actor::pointer self, const shared_gathering<metric_sources>& into, const Handle& whom,
                   Question question, Place place) {
  ++into->found.asked;
  gather<Answer>(self, into, whom, question, [place](metric_sources& found, Answer& told) {
    ++found.answered;
    place(found, std::move(told));
  });
}

/// What each actor tells, into the member it is kept in.
template <class Answer, class Handle, class Question>
void gather_metric(api_actor::pointer self, const shared_gathering<metric_sources>& into, const Handle& whom,
                   Question question, std::optional<Answer> metric_sources::*member) {
  gather_metric<Answer>(self, into, whom, question,
                        [member](metric_sources& found, Answer&& told) { found.*member = std::move(told); });
}
template <class Answer, class Handle, class Question>
void gather_metric(api_actor::pointer self, const shared_gathering<metric_sources>& into, const Handle& whom,
                   Question question, std::vector<Answer> metric_sources::*member) {
  gather_metric<Answer>(self, into, whom, question, [member](metric_sources& found, Answer&& told) {
    (found.*member).push_back(std::move(told));
  });
}

} // namespace

void gather_breakers(api_state& state, const shared_gathering<health_sources>& into) {
  for (const auto& [name, whom] : state.peers.breakers)
    gather<breaker_report>(
        state.self, into, whom, breaker_question{},
        [](health_sources& found, breaker_report& told) { found.breakers.push_back(std::move(told)); });
}

void gather_everything(api_state& state, const shared_gathering<health_sources>& into) {
  const auto self = state.self;
  gather<health_report>(self, into, state.peers.health, health_report_request{},
                        [](health_sources& found, health_report& told) { found.tick = std::move(told); });
  gather<redis_report>(self, into, state.peers.redis, redis_question{},
                       [](health_sources& found, redis_report& told) { found.redis = std::move(told); });
  gather<health_answer>(
      self, into, state.peers.publisher, health_question{},
      [](health_sources& found, health_answer& told) { found.publisher = std::move(told); });
  gather<supervision_report>(
      self, into, state.peers.supervisor, supervision_question{},
      [](health_sources& found, supervision_report& told) { found.supervisor = std::move(told); });
  gather<position_report>(
      self, into, state.peers.position_monitor, position_question{},
      [](health_sources& found, position_report& told) { found.position_monitor = std::move(told); });
  gather_breakers(state, into);
}

void gather_feeds(api_state& state, const shared_gathering<feed_sources>& into,
                  std::optional<exchange> only) {
  gather<merge_report>(state.self, into, state.peers.aggregator, merge_question{},
                       [](feed_sources& found, merge_report& told) { found.merging = std::move(told); });
  for (const auto& [of, whom] : state.peers.feeds) {
    if (only && *only != of) continue;
    const auto place = into->found.feeds.size();
    into->found.feeds.push_back({of, std::nullopt});
    gather<feed_report>(
        state.self, into, whom, feed_question{},
        [place](feed_sources& found, feed_report& told) { found.feeds[place].told = std::move(told); });
  }
}

void gather_spool(api_state& state, const shared_gathering<spool_sources>& into) {
  for (const auto& [stream, whom] : state.peers.publishers) {
    const auto place = into->found.size();
    into->found.emplace_back(stream, std::nullopt);
    gather<spool_report>(
        state.self, into, whom, spool_question{},
        [place](spool_sources& found, spool_report& told) { found[place].second = std::move(told); });
  }
}

void gather_metrics(api_state& state, const shared_gathering<metric_sources>& into) {
  const auto self = state.self;
  const auto& peers = state.peers;
  gather_metric(self, into, peers.health, health_report_request{}, &metric_sources::tick);
  gather_metric(self, into, peers.redis, redis_question{}, &metric_sources::redis);
  for (const auto& [name, whom] : peers.breakers)
    gather_metric(self, into, whom, breaker_question{}, &metric_sources::breakers);
  for (const auto& [name, whom] : peers.publishers)
    gather_metric(self, into, whom, spool_question{}, &metric_sources::spool);
  for (const auto& [of, whom] : peers.feeds)
    gather_metric(self, into, whom, feed_question{}, &metric_sources::feeds);
  gather_metric(self, into, peers.aggregator, merge_question{}, &metric_sources::merging);
  gather_metric(self, into, peers.aggregator, price_question{}, &metric_sources::prices);
  gather_metric(self, into, peers.alerts, alerts_question{}, &metric_sources::alerts);
  gather_metric(self, into, peers.supervisor, supervision_question{}, &metric_sources::supervision);
  gather_metric(self, into, peers.position_monitor, position_question{}, &metric_sources::position);
}

breaker_reports in_order(const api_state& state, breaker_reports reports) {
  const auto place = [&](const breaker_report& of) {
    return std::find_if(state.peers.breakers.begin(), state.peers.breakers.end(),
                        [&](const auto& peer) { return peer.first == of.name; });
  };
  std::sort(reports.begin(), reports.end(),
            [&](const breaker_report& a, const breaker_report& b) { return place(a) < place(b); });
  return reports;
}

} // namespace breakwater
