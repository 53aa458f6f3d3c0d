#include "clebsch_gordan.h"

#include <algorithm>
#include <cmath>
#include <complex>
#include <cstddef>
#include <cstdlib>

namespace glassml {
namespace {

double factorial(int n) {
  double product = 1.0;
  for (int k = 2; k <= n; ++k) product *= k;
  return product;
}

double sign(int n) { return n % 2 == 0 ? 1.0 : -1.0; }

// <j1 m1 j2 m2 | j3 m1+m2> from Racah's formula.
double complex_coefficient(int j1, int m1, int j2, int m2, int j3) {
  const int m3 = m1 + m2;
  const double numerator = (2.0 * j3 + 1.0) * factorial(j3 + j1 - j2) * factorial(j3 - j1 + j2) *
                           factorial(j1 + j2 - j3) * factorial(j3 + m3) * factorial(j3 - m3);
  const double denominator = factorial(j1 + j2 + j3 + 1) * factorial(j1 - m1) * factorial(j1 + m1) *
                             factorial(j2 - m2) * factorial(j2 + m2);
  const int first = std::max({-j1 + j2 + m3, -j1 + m1, 0});
  const int last = std::min({j2 + j3 + m1, j3 - j1 + j2, j3 + m3});
  double sum = 0.0;
  for (int v = first; v <= last; ++v) {
    sum += sign(v + j2 + m2) * factorial(j2 + j3 + m1 - v) * factorial(j1 - m1 + v) /
           (factorial(v) * factorial(j3 - j1 + j2 - v) * factorial(j3 + m3 - v) *
            factorial(v + j1 - j2 - m3));
  }
  return std::sqrt(numerator / denominator) * sum;
}

// Element (m, a) of the matrix from real to complex spherical harmonics, |a| = |m|. With the factor
// (-i)^l the coefficients in the real basis are real.
std::complex<double> real_to_complex(int l, int m, int a) {
  const std::complex<double> i(0.0, 1.0);
  const std::complex<double> phases[] = {1.0, -i, -1.0, i};
  const std::complex<double> phase = phases[l % 4];
  if (m == 0) return phase;
  const std::complex<double> element = (a > 0 ? 1.0 : (m < 0 ? -i : i)) / std::sqrt(2.0);
  return phase * element * (m > 0 ? sign(m) : 1.0);
}

std::vector<int> real_orders(int m) {
  return m == 0 ? std::vector<int>{0} : std::vector<int>{-std::abs(m), std::abs(m)};
}

}  // namespace

std::vector<double> clebsch_gordan(int l_I, int l_F, int l_O) {
  const int n_F = 2 * l_F + 1;
  const int n_O = 2 * l_O + 1;
  std::vector<double> table(static_cast<std::size_t>(2 * l_I + 1) * n_F * n_O, 0.0);
  for (int m_I = -l_I; m_I <= l_I; ++m_I) {
    for (int m_F = std::max(-l_F, -l_O - m_I); m_F <= std::min(l_F, l_O - m_I); ++m_F) {
      const double value = complex_coefficient(l_I, m_I, l_F, m_F, l_O);
      for (int a : real_orders(m_I)) {
        for (int b : real_orders(m_F)) {
          for (int c : real_orders(m_I + m_F)) {
            const std::complex<double> element = real_to_complex(l_I, m_I, a) *
                                                 real_to_complex(l_F, m_F, b) *
                                                 std::conj(real_to_complex(l_O, m_I + m_F, c));
            // The imaginary parts cancel in the sum over m.
            table[((a + l_I) * n_F + b + l_F) * n_O + c + l_O] += value * element.real();
          }
        }
      }
    }
  }
  // An orthonormal change of basis keeps the norm: the sum of squares is 2 l_O + 1.
  return table;
}

}  // namespace glassml
