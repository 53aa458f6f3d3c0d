// Real spherical harmonics of directions, in e3nn's convention and "component" normalisation.
#pragma once

#include <vector>

#include "kernels.h"

namespace glassml {

// The terms of the recurrence for the harmonics of degrees 2 to l_max, ordered by target: Y of
// degree l is coupled from degree l - 1 and Y_1 = sqrt(3) (x, y, z) / r. Rows are l^2 + l + m.
std::vector<HarmonicTerm> harmonic_terms(int l_max);

}  // namespace glassml
