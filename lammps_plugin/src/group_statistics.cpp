#include "group_statistics.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace glassml {

namespace {

constexpr double kSteepness = 8.8;  // times the threshold [-], as in glassml/physics/four_point.py
constexpr double kFewestOfChi4 = 2.0;  // as in glassml/analysis/four_point_curves.py

/// 0 for slow particles, 1 for mobile ones.
double mobility(double propensity, double threshold) {
  return (std::tanh(kSteepness / threshold * (propensity - threshold)) + 1.0) / 2.0;
}

}  // namespace

// ---- fluctuations over evaluations

Fluctuations::Fluctuations(std::size_t columns, std::size_t window) : window_(window) {
  older_.mean.assign(columns, 0.0);
  older_.variance.assign(columns, 0.0);
}

void Fluctuations::add(std::int64_t step, double atoms, std::vector<double> q) {
  if (!recent_.empty() && step < step_) *this = Fluctuations(q.size(), window_);
  if (!recent_.empty() && step == step_) recent_.pop_back();
  step_ = step;
  recent_.push_back({atoms, std::move(q)});
  if (recent_.size() <= std::max<std::size_t>(window_, 1)) return;
  if (window_ == 0) older_.add(recent_.front());
  recent_.pop_front();
}

/// Welford's update: sums of squares would lose the digits of small fluctuations.
void Fluctuations::Moments::add(const Evaluation& evaluation) {
  n += 1.0;
  atoms += (evaluation.atoms - atoms) / n;
  for (std::size_t c = 0; c < mean.size(); c++) {
    const double before = evaluation.q[c] - mean[c];
    mean[c] += before / n;
    variance[c] += (before * (evaluation.q[c] - mean[c]) - variance[c]) / n;
  }
}

std::vector<double> Fluctuations::chi4() const {
  Moments all = older_;
  for (const Evaluation& evaluation : recent_) all.add(evaluation);
  for (double& value : all.variance) value *= all.atoms;
  return all.variance;
}

// ---- statistics of one evaluation

GroupStatistics::GroupStatistics(std::size_t times, double threshold, std::size_t window)
    : times_(times),
      threshold_(threshold),
      values_(times * kColumns, 0.0),
      fluctuations_(times, window) {}

void GroupStatistics::add(const double* propensity, double* sums) const {
  for (std::size_t t = 0; t < times_; t++, sums += per_time()) {
    const double m = propensity[t];
    sums[0] += m;
    sums[1] += m * m;
    if (threshold_ <= 0.0) continue;
    sums[2] += m > threshold_ ? 1.0 : 0.0;
    sums[3] += mobility(m, threshold_);
  }
}

void GroupStatistics::finish(std::int64_t step, const double* sums, double atoms) {
  std::vector<double> q(times_, 0.0);
  const double n = std::max(atoms, 1.0);
  for (std::size_t t = 0; t < times_; t++, sums += per_time()) {
    double* value = &values_[t * kColumns];
    value[kMean] = sums[0] / n;
    // Spread and mean of propensities are of the same order, so this difference keeps its digits.
    value[kVariance] = std::max(sums[1] / n - value[kMean] * value[kMean], 0.0);
    if (threshold_ <= 0.0) continue;
    value[kFraction] = sums[2] / n;
    value[kMobility] = q[t] = sums[3] / n;
  }
  if (threshold_ <= 0.0) return;
  if (atoms >= kFewestOfChi4) fluctuations_.add(step, atoms, std::move(q));
  const std::vector<double> chi4 =
      atoms > 0.0 ? fluctuations_.chi4() : std::vector<double>(times_, 0.0);
  for (std::size_t t = 0; t < times_; t++) values_[t * kColumns + kChi4] = chi4[t];
}

}  // namespace glassml
