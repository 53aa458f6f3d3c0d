#include "harmonics.h"

#include <cmath>

#include "clebsch_gordan.h"

namespace glassml {
namespace {

std::vector<HarmonicTerm> terms_of_degree(int l) {
  const std::vector<double> coupling = clebsch_gordan(l - 1, 1, l);
  const int n_O = 2 * l + 1;
  const auto element = [&](int previous, int axis, int m_O) {
    return coupling[(previous * 3 + axis) * n_O + m_O];
  };
  // On the polar axis, which is y in e3nn, only m = 0 is non-zero, with the value sqrt(2 l + 1).
  const double unscaled = element(l - 1, 1, l) * std::sqrt(2.0 * l - 1.0) * std::sqrt(3.0);
  const double scale = std::sqrt(2.0 * l + 1.0) / unscaled;
  std::vector<HarmonicTerm> terms;
  for (int m_O = 0; m_O < n_O; ++m_O) {
    for (int previous = 0; previous < n_O - 2; ++previous) {
      for (int axis = 0; axis < 3; ++axis) {
        const double value = scale * element(previous, axis, m_O);
        if (std::abs(value) < kNegligible) continue;
        terms.push_back(
            {l * l + m_O, (l - 1) * (l - 1) + previous, axis, value, static_cast<float>(value)});
      }
    }
  }
  return terms;
}

}  // namespace

std::vector<HarmonicTerm> harmonic_terms(int l_max) {
  std::vector<HarmonicTerm> terms;
  for (int l = 2; l <= l_max; ++l) {
    const std::vector<HarmonicTerm> of_degree = terms_of_degree(l);
    terms.insert(terms.end(), of_degree.begin(), of_degree.end());
  }
  return terms;
}

}  // namespace glassml
