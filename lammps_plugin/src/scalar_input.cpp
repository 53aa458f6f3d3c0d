#include "scalar_input.h"

#include "atom.h"
#include "compute.h"
#include "error.h"
#include "fix.h"
#include "group.h"
#include "input.h"
#include "modify.h"
#include "variable.h"

using namespace LAMMPS_NS;

ScalarInput::ScalarInput(LAMMPS* lmp, const std::string& fix, const std::string& source,
                         const std::string& name)
    : Pointers(lmp), owner_(fix), source_(source), name_(name) {
  const std::string prefix = source.substr(0, 2);
  if (prefix == "c_")
    kind_ = Kind::kCompute;
  else if (prefix == "f_")
    kind_ = Kind::kFix;
  else if (prefix == "v_")
    kind_ = Kind::kVariable;
  else
    refuse("expected c_ID, c_ID[i], f_ID, f_ID[i] or v_name; found '" + source + "'");

  id_ = source.substr(2);
  const std::size_t bracket = id_.find('[');
  if (bracket != std::string::npos && kind_ != Kind::kVariable) {
    const std::string number = id_.substr(bracket + 1);
    const std::size_t end = number.find_first_not_of("0123456789");
    if (end == 0 || end > 6 || number.substr(end) != "]" || std::stoi(number) < 1)
      refuse("expected a positive index in brackets; found '" + source + "'");
    index_ = std::stoi(number);
    id_ = id_.substr(0, bracket);
  }
}

void ScalarInput::init(int nevery) {
  switch (kind_) {
    case Kind::kCompute:
      return init_compute();
    case Kind::kFix:
      return init_fix(nevery);
    case Kind::kVariable:
      return init_variable();
  }
}

void ScalarInput::init_compute() {
  compute_ = modify->get_compute_by_id(id_);
  if (compute_ == nullptr) refuse("expected a compute of that ID; found none");
  if (!compute_->peratom_flag)
    refuse(fmt::format("expected per-atom values; found compute {} of style {}, which has none",
                       id_, compute_->style));
  check_column(compute_->size_peratom_cols);
  check_group(compute_->igroup);
}

void ScalarInput::init_fix(int nevery) {
  fix_ = modify->get_fix_by_id(id_);
  if (fix_ == nullptr) refuse("expected a fix of that ID; found none");
  if (!fix_->peratom_flag)
    refuse(fmt::format("expected per-atom values; found fix {} of style {}, which has none", id_,
                       fix_->style));
  check_column(fix_->size_peratom_cols);
  check_group(fix_->igroup);
  // At best its values are those of the step before. Fix ave/atom holds unfinished sums between its
  // steps, and nothing distinguishes them from averages.
  if (modify->get_fix_mask(fix_) & FixConst::END_OF_STEP)
    refuse(
        fmt::format("expected values that are ready directly after the forces, when the model is "
                    "evaluated; found fix {} of style {}, which works at the end of the step and "
                    "may hold unfinished values. Use a compute, a variable of computes, or values "
                    "stored by 'fix store/state' with N = 0",
                    id_, fix_->style));
  if (nevery % fix_->peratom_freq != 0)
    refuse(
        fmt::format("expected values every {} steps; found fix {}, which computes them every {}: "
                    "Nevery of fix {} must be a multiple",
                    nevery, id_, fix_->peratom_freq, owner_));
}

void ScalarInput::init_variable() {
  variable_ = input->variable->find(id_.c_str());
  if (variable_ < 0) refuse("expected a variable of that name; found none");
  if (!input->variable->atomstyle(variable_))
    refuse("expected a variable of style atom or atomfile; found one of another style");
}

void ScalarInput::check_column(int size_peratom_cols) const {
  if (size_peratom_cols == 0 && index_ > 0)
    refuse(
        fmt::format("expected no index, as the source has a per-atom vector; found [{}]", index_));
  if (size_peratom_cols > 0 && (index_ < 1 || index_ > size_peratom_cols))
    refuse(
        fmt::format("expected an index in brackets from 1 to {}, as the source has a per-atom "
                    "array; found {}",
                    size_peratom_cols, index_ == 0 ? "none" : fmt::format("[{}]", index_)));
}

/// Values are reported for a group, but the environments, and so the scalars, are of all atoms.
void ScalarInput::check_group(int igroup) const {
  const bigint covered = group->count(igroup);
  const bigint all = group->count(0);
  if (covered != all)
    refuse(
        fmt::format("expected values of all {} atoms, as the model needs; found {}, those of its "
                    "group '{}'. Define it for group all",
                    all, covered, group->names[igroup]));
}

void ScalarInput::collect(std::vector<double>& values, int column, int columns) {
  const int nlocal = atom->nlocal;
  if (kind_ == Kind::kVariable) {
    double* first = nlocal > 0 ? values.data() + column : nullptr;
    input->variable->compute_atom(variable_, 0, first, columns, 0);
    return;
  }
  const double* vector = nullptr;
  const double* const* array = nullptr;
  if (kind_ == Kind::kCompute) {
    if (!(compute_->invoked_flag & Compute::INVOKED_PERATOM)) {
      compute_->compute_peratom();
      compute_->invoked_flag |= Compute::INVOKED_PERATOM;
    }
    vector = compute_->vector_atom;
    array = compute_->array_atom;
  } else {
    vector = fix_->vector_atom;
    array = fix_->array_atom;
  }
  for (int i = 0; i < nlocal; i++)
    values[static_cast<std::size_t>(i) * columns + column] =
        index_ == 0 ? vector[i] : array[i][index_ - 1];
}

void ScalarInput::refuse(const std::string& why) const {
  error->all(FLERR, "fix {} glassml: scalar {} for the model's input '{}': {}", owner_, source_,
             name_, why);
}
