// Names of atom types, as LAMMPS' command labelmap or a data file gives them.
#pragma once

#include <string>

#include "pointers.h"

namespace LAMMPS_NS {

/// The atom type with a label; -1 if there is none.
int type_with_label(const Atom& atom, const std::string& label);

}  // namespace LAMMPS_NS
