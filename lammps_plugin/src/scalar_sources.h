// Where the scalars of a model come from: sources that the user gives, and what the fix knows.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "manifest.h"
#include "pointers.h"
#include "scalar_input.h"

namespace glassml {
class PositionWindow;
}

namespace LAMMPS_NS {

class AtomEnergy;
class InherentPositions;

class ScalarSources : protected Pointers {
 public:
  /// @param fix ID of the fix that needs them, for messages
  /// @param model file of the model, for messages
  /// @param given c_ID, c_ID[i], f_ID, f_ID[i] or v_name of all scalars of the model, or of those
  /// that the fix does not know, in their order
  /// @param inherent the fix finds the inherent structures itself
  ScalarSources(class LAMMPS* lmp, const std::string& fix, const std::string& model,
                const glassml::Manifest& manifest, const std::vector<std::string>& given,
                bool inherent);

  /// @returns number of scalars
  int size() const { return static_cast<int>(scalars_.size()); }

  bool reads_energy() const;          ///< the fix must know the present energies
  bool reads_window() const;          ///< the fix must know averages
  bool reads_average_energy() const;  ///< the fix must know averages of the energies
  bool reads_inherent() const;        ///< the fix must know the inherent structure

  /// Finds the sources and checks them; called before every run.
  /// @param nevery number of steps after which values are needed again
  void init(int nevery);

  /// @param next step of the next evaluation
  /// @param energy nullptr if no scalar is read from it
  /// @param window nullptr if no scalar is read from it
  /// @param inherent of this step; nullptr if no scalar is read from it
  /// @returns [nlocal, size()] of this step
  const std::vector<double>& collect(bigint next, AtomEnergy* energy,
                                     const glassml::PositionWindow* window,
                                     const InherentPositions* inherent);

  /// @returns [nlocal, size()] of the last `collect`
  const std::vector<double>& values() const { return values_; }

  /// @throws std::runtime_error for a value that is not finite, with the atom
  void check() const;

  /// @returns the name of a scalar
  const std::string& name(int scalar) const { return scalars_[scalar].name; }

  /// @returns where it comes from, for the log and for messages
  std::string source(int scalar) const;

 private:
  enum class Kind {
    kGiven,
    kEnergy,
    kAverageEnergy,
    kVibration,
    kDisplacement,
    kInherentEnergy,
    kInherentDisplacement,
    kInherentShiftX,
    kInherentShiftY,
    kInherentShiftZ
  };

  struct Scalar {
    std::string name;
    Kind kind;
    std::unique_ptr<ScalarInput> input;  // of a given source
  };

  bool reads(Kind kind) const;
  static Kind known_kind(const std::string& name, const glassml::Manifest& manifest, bool inherent);
  void refuse_number(const std::string& model, const glassml::Manifest& manifest,
                     const std::vector<std::string>& given) const;

  std::string owner_;
  std::vector<Scalar> scalars_;
  std::vector<double> values_;
};

}  // namespace LAMMPS_NS
