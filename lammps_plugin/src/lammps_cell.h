// The simulation cell of LAMMPS.
#pragma once

#include "cell.h"
#include "domain.h"

namespace LAMMPS_NS {

/// The simulation box as it is now.
inline glassml::Cell cell_of(const Domain& domain) {
  const double* h = domain.h;
  glassml::Cell cell;
  cell.vectors = {{{h[0], 0.0, 0.0}, {h[5], h[1], 0.0}, {h[4], h[3], h[2]}}};
  for (int d = 0; d < 3; d++) {
    cell.origin[d] = domain.boxlo[d];
    cell.periodic[d] = domain.periodicity[d] != 0;
  }
  return cell;
}

}  // namespace LAMMPS_NS
