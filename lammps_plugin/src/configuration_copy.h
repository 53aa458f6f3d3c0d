// A second LAMMPS with a copy of the atoms of this one, in which they are minimised.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "pointers.h"

namespace LAMMPS_NS {

class Compute;

/// The simulation itself is only read. Both instances divide the atoms among the same ranks, each
/// in its own way; results return to the rank and row that an atom came from.
class ConfigurationCopy : protected Pointers {
 public:
  /// How a minimisation ended.
  struct End {
    std::int64_t iterations = 0;
    double largest_force = 0.0;  ///< on any atom [energy / length]
  };

  /// An atom after the minimisation.
  struct Minimised {
    double row;            ///< index of the atom in the simulation, on this rank
    double x[3];           ///< unwrapped: on the path from its position in the simulation
    double energy_before;  ///< of the copied configuration
    double energy_after;   ///< at the minimum
  };

  /// @param fix ID of the fix that needs it, for messages
  ConfigurationCopy(class LAMMPS* lmp, const std::string& fix) : Pointers(lmp), owner_(fix) {}
  ~ConfigurationCopy() override;
  ConfigurationCopy(const ConfigurationCopy&) = delete;
  ConfigurationCopy& operator=(const ConfigurationCopy&) = delete;

  /// The pair style and its coefficients may have changed; called before every run. Collective.
  void renew();

  /// Copies the atoms and minimises them. Collective.
  /// @param force_tolerance largest force on any atom at which FIRE stops [energy / length]
  End minimise(double force_tolerance, int max_iterations);

  /// @returns the atoms of this rank, in any order; valid until the next call
  std::span<const Minimised> atoms() const { return returned_; }

  double memory_usage() const;  ///< bytes, without the second LAMMPS

 private:
  std::string settings() const;
  void create();
  void release();
  void copy_pair();
  void take_box();
  void take_masses();
  void take_atoms();
  void compute_energies();
  void command(const std::string& line);
  void guarded(const std::function<void()>& call);
  int custom(const char* name) const;
  double largest_force() const;
  void send_home();
  void forget_atoms();

  std::string owner_;
  LAMMPS* copy_ = nullptr;
  std::string settings_;  // of the copy
  Compute* energy_ = nullptr;
  bool stale_ = true;    // the pair style is not that of the simulation
  bool broken_ = false;  // an error left the copy in an unknown state
  std::vector<Minimised> outgoing_, returned_;
};

}  // namespace LAMMPS_NS
