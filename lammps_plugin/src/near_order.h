// The order of particles in memory. No LAMMPS, no torch.
#pragma once

#include <span>
#include <vector>

namespace glassml {

/// Orders particles by their cells along a Z-order curve, so that consecutive particles are near
/// each other in space. What the edges of a few particles read then is in the caches, and a
/// particle takes the same time in a large system as in a small one.
/// @param positions [n, 3]; if not all are finite, the order is unchanged
/// @param size edge of a cell [length]
std::vector<int> near_order(std::span<const double> positions, double size);

}  // namespace glassml
