// A per-atom scalar that a model needs, from a compute, a fix or a variable of LAMMPS.
#pragma once

#include <string>
#include <vector>

#include "pointers.h"

namespace LAMMPS_NS {

class Compute;
class Fix;

class ScalarInput : protected Pointers {
 public:
  /// @param fix ID of the fix that needs it, for messages
  /// @param source c_ID, c_ID[i], f_ID, f_ID[i] or v_name
  /// @param name the model's name of this scalar, for messages
  ScalarInput(class LAMMPS* lmp, const std::string& fix, const std::string& source,
              const std::string& name);

  /// Finds the source and checks it; called before every run.
  /// @param nevery number of steps after which values are needed again
  void init(int nevery);

  /// Writes the scalars of all own atoms to values[column], values[column + columns], ...
  /// Wrap calls in modify->clearstep_compute() and modify->addstep_compute().
  void collect(std::vector<double>& values, int column, int columns);

  const std::string& source() const { return source_; }
  const std::string& name() const { return name_; }

 private:
  enum class Kind { kCompute, kFix, kVariable };

  void init_compute();
  void init_fix(int nevery);
  void init_variable();
  void check_column(int size_peratom_cols) const;
  void check_group(int igroup) const;
  [[noreturn]] void refuse(const std::string& why) const;

  std::string owner_, source_, name_;  // owner_: ID of the fix that needs it
  Kind kind_;
  std::string id_;
  int index_ = 0;  // column from 1, or 0 for a per-atom vector
  Compute* compute_ = nullptr;
  Fix* fix_ = nullptr;
  int variable_ = -1;
};

}  // namespace LAMMPS_NS
