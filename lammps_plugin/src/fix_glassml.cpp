#include "fix_glassml.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <stdexcept>

#include "atom.h"
#include "comm.h"
#include "error.h"
#include "memory.h"
#include "modify.h"
#include "update.h"

using namespace LAMMPS_NS;
using namespace FixConst;

namespace {

/// Room for so many bytes, in the doubles that LAMMPS exchanges.
int doubles_of(std::size_t bytes) {
  return static_cast<int>((bytes + sizeof(double) - 1) / sizeof(double));
}

}  // namespace

int FixGlassML::setmask() { return POST_FORCE | MIN_POST_FORCE; }

/// At the start of a run the values are computed whatever the step is: thermo and dump write them.
void FixGlassML::setup(int /*vflag*/) {
  check_three_dimensional();
  evaluate();
}

void FixGlassML::min_setup(int vflag) { setup(vflag); }

/// After the forces, the positions of own atoms and ghosts belong together and are those of this
/// step. At the end of the step other fixes may have moved the box or the atoms.
void FixGlassML::post_force(int /*vflag*/) {
  if (update->ntimestep % nevery == 0) evaluate();
}

/// Includes the last configuration, which a minimiser writes out wherever it stops: it then sets
/// the number of steps to those that it made.
void FixGlassML::min_post_force(int /*vflag*/) {
  const bool last = update->ntimestep == update->firststep + update->nsteps;
  if (last || update->ntimestep % nevery == 0) evaluate();
}

/// A rank that fails goes on exchanging, so that no other rank waits for it; all stop at the end.
void FixGlassML::evaluate() {
  std::string failure;
  const auto attempt = [&failure](auto&& call) {
    if (!failure.empty()) return;
    try {
      call();
    } catch (const std::exception& problem) {
      failure = problem.what();
    }
  };
  collect_scalars();
  arrange_rows();
  attempt([this] { check_scalars(); });
  attempt([this] { find_edges(); });
  request_rows(!failure.empty());
  attempt([this] { begin_evaluation(); });
  for (int k = 0; k < model_->manifest().n_steps; k++) {
    attempt([this, k] { model_->open_state(k, rows_.n_rows()); });
    exchange_state(k, !failure.empty());
    attempt([this, k] { model_->step(k); });
  }
  attempt([this] { store(model_->outputs(options_.outputs)); });
  reduce(failure);
}

void FixGlassML::collect_scalars() {
  if (scalars_.empty()) return;
  const int columns = static_cast<int>(scalars_.size());
  scalar_values_.assign(static_cast<std::size_t>(atom->nlocal) * columns, 0.0);
  modify->clearstep_compute();
  for (int column = 0; column < columns; column++)
    scalars_[column]->collect(scalar_values_, column, columns);
  // Per-atom energies are tallied only on steps that were announced; LAMMPS itself announces the
  // first and the last step of a run to all computes, for the thermo output.
  modify->addstep_compute((update->ntimestep / nevery + 1) * nevery);
}

void FixGlassML::arrange_rows() {
  const std::size_t n_own = atom->nlocal, n_all = n_own + atom->nghost;
  const double* x = n_all > 0 ? atom->x[0] : nullptr;
  rows_.arrange(glassml::near_order({x, 3 * n_own}, model_->manifest().cutoff), n_all);
  positions_.resize(3 * n_all);
  for (std::size_t row = 0; row < n_own; row++)
    std::copy_n(x + 3 * rows_.atoms()[row], 3, &positions_[3 * row]);
  std::copy(x + 3 * n_own, x + 3 * n_all, positions_.begin() + 3 * n_own);
}

void FixGlassML::check_scalars() const {
  const std::size_t columns = scalars_.size();
  for (std::size_t k = 0; k < scalar_values_.size(); k++) {
    if (std::isfinite(scalar_values_[k])) continue;
    const ScalarInput& scalar = *scalars_[k % columns];
    throw std::runtime_error(
        fmt::format("scalar {} for the model's input '{}' is {} for atom {}, "
                    "expected a finite number",
                    scalar.source(), scalar.name(), scalar_values_[k], atom->tag[k / columns]));
  }
}

void FixGlassML::find_edges() {
  try {
    edge_finder_.find(positions_, atom->nlocal);
  } catch (const glassml::BadPosition& problem) {
    const bool own = problem.row() < rows_.atoms().size();
    const std::size_t index = own ? rows_.atoms()[problem.row()] : problem.row();
    // Ghosts have the IDs of their owners, so that every rank names the same atoms.
    throw std::runtime_error(problem.text(fmt::format("atom {}", atom->tag[index])));
  }
  n_edges_ = static_cast<std::int64_t>(edge_finder_.edges().size());
}

/// Tells the owners which of their atoms are read here. Collective; a rank that failed reads none.
void FixGlassML::request_rows(bool failed) {
  exchanges_owners_ = true;
  comm->forward_comm(this, 1);
  exchanges_owners_ = false;
  if (!failed) rows_.require(edge_finder_.edges().sender);
  comm->reverse_comm(this, 1);
}

int FixGlassML::pack_reverse_comm(int n, int first, double* buffer) {
  rows_.pack_marks(first, n, buffer);
  return n;
}

void FixGlassML::unpack_reverse_comm(int n, int* list, double* buffer) {
  rows_.unpack_marks(std::span<const int>(list, n), buffer);
}

void FixGlassML::begin_evaluation() {
  const std::size_t columns = scalars_.size();
  std::vector<std::int64_t> species;
  std::vector<double> scalars;
  species.reserve(atom->nlocal);
  scalars.reserve(scalar_values_.size());
  for (const int i : rows_.atoms()) {
    species.push_back(species_of_type_[atom->type[i]]);
    for (std::size_t k = 0; k < columns; k++) scalars.push_back(scalar_values_[i * columns + k]);
  }
  model_->set_threads(options_.threads > 0 ? options_.threads : comm->nthreads);
  model_->embed(species, scalars);
  model_->embed_edges(edge_finder_.edges());
}

/// Gives the rows of other ranks' atoms the state of their owners. Every rank takes part, also one
/// without atoms.
void FixGlassML::exchange_state(int step, bool failed) {
  exchange_bytes_ = model_->row_bytes(step);
  exchange_failed_ = failed;
  comm->forward_comm(this, doubles_of(exchange_bytes_));
}

/// Rows are sent as the bytes that they are. Where some rows are not needed, less is sent than
/// LAMMPS has made room for.
int FixGlassML::pack_forward_comm(int n, int* list, double* buffer, int /*pbc_flag*/,
                                  int* /*pbc*/) {
  if (exchanges_owners_) {
    rows_.pack_owners(std::span<const int>(list, n), buffer);
    return n;
  }
  const std::span<const int> rows = rows_.sent(list);
  const int length = doubles_of(rows.size() * exchange_bytes_);
  if (exchange_failed_)
    std::fill_n(buffer, length, 0.0);
  else
    model_->pack(rows, buffer);
  return length;
}

void FixGlassML::unpack_forward_comm(int n, int first, double* buffer) {
  if (exchanges_owners_)
    rows_.unpack_owners(first, n, buffer);
  else if (!exchange_failed_)
    model_->unpack(rows_.received(first, n), buffer);
}

/// The group decides what is reported, not what the model sees.
/// @param values [nlocal, columns] by rows
void FixGlassML::store(const std::vector<double>& values) {
  const double* value = values.data();
  for (const int i : rows_.atoms()) {
    const bool reported = atom->mask[i] & groupbit;
    for (int column = 0; column < n_columns_; column++, value++) {
      if (reported && !std::isfinite(*value))
        throw std::runtime_error(
            fmt::format("output {} is {} for atom {}, expected a finite number: a scalar input is "
                        "too large for a {} model, or its parameters are not finite",
                        columns_[column], *value, atom->tag[i], model_->manifest().dtype));
      array_atom[i][column] = reported ? *value : 0.0;
    }
  }
}

/// Group means, number of edges and failures in one reduction.
void FixGlassML::reduce(const std::string& failure) {
  std::vector<double> mine(n_propensity_ + 3, 0.0);
  double* group_atoms = &mine[n_propensity_];
  for (int i = 0; i < atom->nlocal; i++) {
    if (!(atom->mask[i] & groupbit)) continue;
    ++*group_atoms;
    for (int k = 0; k < n_propensity_; k++) mine[k] += array_atom[i][first_propensity_ + k];
  }
  group_atoms[1] = static_cast<double>(n_edges_);
  group_atoms[2] = failure.empty() ? 0.0 : 1.0;
  std::vector<double> total(mine.size());
  MPI_Allreduce(mine.data(), total.data(), static_cast<int>(mine.size()), MPI_DOUBLE, MPI_SUM,
                world);
  if (total[n_propensity_ + 2] > 0.0) stop_if_failed(failure);

  const double atoms = total[n_propensity_];
  for (int k = 0; k < n_propensity_; k++) means_[k] = atoms > 0.0 ? total[k] / atoms : 0.0;
  if (!edges_described_ && comm->me == 0)
    utils::logmesg(lmp, "fix {} glassml: {:.0f} edges at step {}\n", id, total[n_propensity_ + 1],
                   update->ntimestep);
  edges_described_ = true;
}

/// All ranks stop with the message of the first that failed. Collective.
void FixGlassML::stop_if_failed(const std::string& failure) {
  const int mine = failure.empty() ? comm->nprocs : comm->me;
  int first = 0;
  MPI_Allreduce(&mine, &first, 1, MPI_INT, MPI_MIN, world);
  if (first == comm->nprocs) return;
  int length = static_cast<int>(failure.size());
  MPI_Bcast(&length, 1, MPI_INT, first, world);
  std::string text = failure;
  text.resize(length);
  MPI_Bcast(text.data(), length, MPI_CHAR, first, world);
  error->all(FLERR, "fix {} glassml: {}", id, text);
}

void FixGlassML::grow_arrays(int nmax) {
  memory->grow(array_atom, nmax, n_columns_, "fix_glassml:array_atom");
}

void FixGlassML::copy_arrays(int i, int j, int /*delflag*/) {
  std::copy_n(array_atom[i], n_columns_, array_atom[j]);
}

void FixGlassML::set_arrays(int i) { std::fill_n(array_atom[i], n_columns_, 0.0); }

int FixGlassML::pack_exchange(int i, double* buffer) {
  std::copy_n(array_atom[i], n_columns_, buffer);
  return n_columns_;
}

int FixGlassML::unpack_exchange(int nlocal, double* buffer) {
  std::copy_n(buffer, n_columns_, array_atom[nlocal]);
  return n_columns_;
}

double FixGlassML::compute_vector(int n) { return means_[n]; }

double FixGlassML::memory_usage() {
  return static_cast<double>(sizeof(double)) * atom->nmax * n_columns_ +
         static_cast<double>(sizeof(double)) * positions_.capacity() + edge_finder_.memory_usage() +
         rows_.memory_usage();
}
