// The potential energy of each atom, from a compute that belongs to the fix.
#pragma once

#include <span>
#include <string>

#include "pointers.h"

namespace LAMMPS_NS {

class Compute;

class AtomEnergy : protected Pointers {
 public:
  /// @param fix ID of the fix that needs it, for the ID of the compute and for messages
  AtomEnergy(class LAMMPS* lmp, const std::string& fix);
  ~AtomEnergy() override;
  AtomEnergy(const AtomEnergy&) = delete;
  AtomEnergy& operator=(const AtomEnergy&) = delete;

  /// Checks that there are energies; called before every run.
  void init() const;

  /// Energies are tallied only on steps that were announced.
  void announce(bigint step);

  /// @returns [nlocal] [energy] of this step, which was announced; valid until the next call
  std::span<const double> now();

 private:
  std::string owner_, id_;  // owner_: ID of the fix that needs it
  Compute* compute_;
};

}  // namespace LAMMPS_NS
