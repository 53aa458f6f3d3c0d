// Inherent structures of a running simulation: positions, energies and displacements.
#pragma once

#include <array>
#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "configuration_copy.h"
#include "pointers.h"

namespace LAMMPS_NS {

class InherentPositions : protected Pointers {
 public:
  /// @param fix ID of the fix that needs them, for messages
  /// @param force_tolerance largest force that may be left on any atom [energy / length]; 0: the
  /// default, an error where the units have none
  /// @param max_iterations of one minimisation
  InherentPositions(class LAMMPS* lmp, const std::string& fix, double force_tolerance,
                    int max_iterations);

  /// Checks that the copy will have the forces of the simulation; called before every run.
  void init();

  /// Minimises a copy of the present configuration. Collective.
  /// @param energies [nlocal] of the present configuration, against which the copy is checked
  void minimise(std::span<const double> energies);

  /// @returns [nlocal, 3] positions, unwrapped: on the path from the positions of the atoms
  const std::vector<double>& positions() const { return positions_; }

  double energy(int i) const { return energies_[i]; }  ///< at the minimum
  double displacement(int i) const;                    ///< distance from the atom to its minimum
  std::array<double, 3> shift(int i) const;            ///< vector from the atom to its minimum

  double force_tolerance() const { return force_tolerance_; }  ///< [energy / length]

  double memory_usage() const;  ///< bytes

 private:
  void check_interactions() const;
  void warn_of_fixes();
  void warn_of_constraints();
  void check_copy(std::span<const double> energies) const;
  void report(const ConfigurationCopy::End& end);

  std::string owner_;
  double force_tolerance_;
  int max_iterations_;
  ConfigurationCopy copy_;
  std::vector<double> positions_;  // [nlocal, 3]
  std::vector<double> energies_;   // [nlocal]
  std::set<std::string> warned_;   // IDs of fixes
  bool warned_of_constraints_ = false;
  std::int64_t unconverged_ = 0;  // minimisations
  std::int64_t minimised_ = 0;
};

}  // namespace LAMMPS_NS
