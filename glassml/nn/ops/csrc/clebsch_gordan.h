// Clebsch-Gordan coefficients of real spherical harmonics, in e3nn's convention.
#pragma once

#include <vector>

namespace glassml {

// sqrt(2 l_O + 1) w3j(l_I, l_F, l_O) as a dense table [m_I][m_F][m_O], where w3j is
// e3nn.o3.wigner_3j: the same basis, order (m = -l..l) and sign.
// Requires |l_I - l_F| <= l_O <= l_I + l_F.
std::vector<double> clebsch_gordan(int l_I, int l_F, int l_O);

// Coefficients that vanish are rounding noise far below this value; the others are above 1e-2 for
// all degrees in use.
constexpr double kNegligible = 1e-10;

}  // namespace glassml
