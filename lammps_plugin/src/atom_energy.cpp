#include "atom_energy.h"

#include "atom.h"
#include "compute.h"
#include "error.h"
#include "force.h"
#include "modify.h"

using namespace LAMMPS_NS;

AtomEnergy::AtomEnergy(LAMMPS* lmp, const std::string& fix)
    : Pointers(lmp), owner_(fix), id_(fix + "_glassml_pe") {
  compute_ = modify->add_compute(id_ + " all pe/atom");
}

AtomEnergy::~AtomEnergy() { modify->delete_compute(id_); }

/// Without a potential all energies are zero, which the model would take for true.
void AtomEnergy::init() const {
  if (force->pair == nullptr)
    error->all(FLERR,
               "fix {} glassml: expected a pair style, as the model reads potential energies; "
               "found none. Define it, or give other sources with the keyword scalar",
               owner_);
}

void AtomEnergy::announce(bigint step) { compute_->addstep(step); }

std::span<const double> AtomEnergy::now() {
  compute_->compute_peratom();
  return {compute_->vector_atom, static_cast<std::size_t>(atom->nlocal)};
}
