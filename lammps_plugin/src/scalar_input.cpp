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
    refuse("expected c_ID, c_ID[i], f_ID, f_ID[i] or v_name");

  id_ = source.substr(2);
  const std::size_t bracket = id_.find('[');
  if (bracket != std::string::npos && kind_ != Kind::kVariable) {
    const std::string number = id_.substr(bracket + 1);
    const std::size_t end = number.find_first_not_of("0123456789");
    if (end == 0 || end > 6 || number.substr(end) != "]" || std::stoi(number) < 1)
      refuse("expected an index from 1 in brackets");
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
  if (compute_ == nullptr) refuse("there is no compute of that ID");
  if (!compute_->peratom_flag)
    refuse(fmt::format("compute {} is of style {}, which gives no per-atom values", id_,
                       compute_->style));
  check_column(compute_->size_peratom_cols);
  check_group(compute_->igroup);
}

void ScalarInput::init_fix(int nevery) {
  fix_ = modify->get_fix_by_id(id_);
  if (fix_ == nullptr) refuse("there is no fix of that ID");
  if (!fix_->peratom_flag)
    refuse(fmt::format("fix {} is of style {}, which gives no per-atom values", id_, fix_->style));
  check_column(fix_->size_peratom_cols);
  check_group(fix_->igroup);
  // Its values would be those of the last step at best; fix ave/atom holds unfinished sums until
  // then, and nothing tells them from averages.
  if (modify->get_fix_mask(fix_) & FixConst::END_OF_STEP)
    refuse(
        fmt::format("fix {} is of style {}, which works at the end of the step, but the model is "
                    "evaluated before that, directly after the forces, when such a fix may hold "
                    "unfinished values: use a compute, a variable of computes, or values kept by "
                    "'fix store/state' with N = 0",
                    id_, fix_->style));
  if (nevery % fix_->peratom_freq != 0)
    refuse(
        fmt::format("fix {} computes its values every {} steps, but they are needed every {}: "
                    "Nevery of fix {} must be a multiple",
                    id_, fix_->peratom_freq, nevery, owner_));
}

void ScalarInput::init_variable() {
  variable_ = input->variable->find(id_.c_str());
  if (variable_ < 0) refuse("there is no variable of that name");
  if (!input->variable->atomstyle(variable_))
    refuse("expected a variable of style atom (or atomfile)");
}

void ScalarInput::check_column(int size_peratom_cols) const {
  if (size_peratom_cols == 0 && index_ > 0)
    refuse("it gives a per-atom vector: leave the index in brackets out");
  if (size_peratom_cols > 0 && (index_ < 1 || index_ > size_peratom_cols))
    refuse(fmt::format("it gives a per-atom array: expected an index in brackets from 1 to {}",
                       size_peratom_cols));
}

/// Reported is a group, but the environments, and so the scalars, are those of all atoms.
void ScalarInput::check_group(int igroup) const {
  const bigint covered = group->count(igroup);
  const bigint all = group->count(0);
  if (covered != all)
    refuse(
        fmt::format("its group '{}' has {} of the {} atoms, but the model needs the value of "
                    "every atom: define it for group all",
                    group->names[igroup], covered, all));
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
