// Statistics of the propensity over the atoms of a group. No LAMMPS, no torch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

namespace glassml {

/// The threshold m_0 [sigma] of glassml/physics/four_point.py.
constexpr double kLennardJonesThreshold = 0.44;

/// N (<Q^2> - <Q>^2) over successive evaluations, as chi4 of glassml/physics/four_point.py over
/// configurations: the variance is that of the given evaluations, N the mean number of atoms.
class Fluctuations {
 public:
  /// @param columns number of values Q of an evaluation
  /// @param window number of last evaluations that count; 0: all
  Fluctuations(std::size_t columns, std::size_t window);

  /// Adds an evaluation. One of the same step replaces the last one, an earlier step begins anew.
  /// @param q [columns]
  void add(std::int64_t step, double atoms, std::vector<double> q);

  std::vector<double> chi4() const;  ///< [columns]

 private:
  struct Evaluation {
    double atoms;
    std::vector<double> q;
  };

  struct Moments {
    double n = 0.0, atoms = 0.0;         // number of evaluations, mean number of atoms
    std::vector<double> mean, variance;  // of q
    void add(const Evaluation& evaluation);
  };

  std::size_t window_;
  std::int64_t step_ = 0;
  std::deque<Evaluation> recent_;  // those that may still be replaced or leave the window
  Moments older_;
};

/// Collects sums over atoms and turns the sums of all ranks into statistics.
class GroupStatistics {
 public:
  /// Columns of the statistics of each time.
  enum Column { kMean, kVariance, kFraction, kMobility, kChi4, kColumns };

  /// @param times number of propensities of an atom
  /// @param threshold m_0 > 0 [length]; 0: there is none, and only mean and variance are known
  /// @param window number of evaluations of chi4; 0: all
  GroupStatistics(std::size_t times, double threshold, std::size_t window);

  std::size_t n_columns() const { return threshold_ > 0.0 ? kColumns : kVariance + 1; }
  std::size_t n_sums() const { return times_ * per_time(); }

  /// Adds an atom to the sums of this rank.
  /// @param propensity [times]
  /// @param sums [n_sums]
  void add(const double* propensity, double* sums) const;

  /// Ends an evaluation. One without atoms has statistics 0, and does not count in later chi4.
  /// @param sums [n_sums] over all ranks
  /// @param atoms how many were added, on all ranks
  void finish(std::int64_t step, const double* sums, double atoms);

  double value(std::size_t time, std::size_t column) const {
    return values_[time * kColumns + column];
  }

 private:
  std::size_t per_time() const { return threshold_ > 0.0 ? 4 : 2; }

  std::size_t times_;
  double threshold_;
  std::vector<double> values_;  // [times, kColumns]
  Fluctuations fluctuations_;
};

}  // namespace glassml
