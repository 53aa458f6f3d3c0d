#include "inherent_positions.h"

#include <algorithm>
#include <cctype>
#include <cmath>

#include "atom.h"
#include "comm.h"
#include "error.h"
#include "fix.h"
#include "force.h"
#include "modify.h"
#include "neighbor.h"
#include "pair.h"
#include "update.h"

using namespace LAMMPS_NS;

namespace {

// Energies of both instances are sums of the same numbers in another order.
constexpr double kSameEnergy = 1.0e-6;  // relative to the largest energy of an atom

/// They act during a minimisation, but only observe.
const std::set<std::string> kObservers = {"glassml",     "halt",    "pair",
                                          "store/force", "numdiff", "numdiff/virial"};

// In units for large bodies all forces between particles may be below the default.
constexpr double kForceTolerance = 1.0e-5;
const std::set<std::string> kWithoutDefault = {"micro", "si", "cgs"};

}  // namespace

InherentPositions::InherentPositions(LAMMPS* lmp, const std::string& fix, double force_tolerance,
                                     int max_iterations)
    : Pointers(lmp),
      owner_(fix),
      force_tolerance_(force_tolerance),
      max_iterations_(max_iterations),
      copy_(lmp, fix) {
  if (force_tolerance_ > 0.0) return;
  if (kWithoutDefault.contains(update->unit_style))
    error->all(FLERR,
               "fix {} glassml: inherent structure: expected ftol, which has no default in 'units "
               "{}'; found none. Give ftol after the word inherent",
               owner_, update->unit_style);
  force_tolerance_ = kForceTolerance;
}

void InherentPositions::init() {
  check_interactions();
  warn_of_fixes();
  warn_of_constraints();
  copy_.renew();
}

void InherentPositions::check_interactions() const {
  const auto refuse = [this](const std::string& expected, const std::string& found) {
    error->all(FLERR, "fix {} glassml: inherent structure: expected {}; found {}", owner_, expected,
               found);
  };
  if (force->pair == nullptr) refuse("a pair style, whose energy is minimised", "none");
  const std::string style = force->pair_style;
  if (utils::strmatch(style, "^hybrid") || force->pair->restartinfo == 0)
    refuse("a pair style that can be copied, one that writes its coefficients into restart files",
           style + ": minimise the simulation itself, and leave out the keyword");
  if (force->kspace != nullptr) refuse("interactions of a pair style alone", "a kspace style");
  if (atom->nbonds + atom->nangles + atom->ndihedrals + atom->nimpropers > 0 ||
      atom->molecular == Atom::TEMPLATE)
    refuse("interactions of a pair style alone", "bonds, angles, dihedrals or impropers");
  if (atom->rmass_flag || atom->mass == nullptr)
    refuse("masses of atom types", "masses of single atoms");
}

/// Whatever acts on forces during a minimisation is no part of the copy.
void InherentPositions::warn_of_fixes() {
  for (Fix* fix : modify->get_fix_list()) {
    const int acting = FixConst::MIN_PRE_FORCE | FixConst::MIN_POST_FORCE;
    if (!(modify->get_fix_mask(fix) & acting) || kObservers.contains(fix->style)) continue;
    if (std::isupper(static_cast<unsigned char>(fix->style[0]))) continue;  // internal
    if (!warned_.insert(fix->id).second) continue;
    if (comm->me == 0)
      error->warning(FLERR,
                     "fix {} glassml: inherent structure: expected forces of the pair style alone; "
                     "found fix {} of style {}, which is left out of the minimisation",
                     owner_, fix->id, fix->style);
  }
}

/// Atoms that do not move by themselves in the run do so in the copy. A run that moves nothing,
/// such as a rerun, tells nothing. Collective.
void InherentPositions::warn_of_constraints() {
  if (warned_of_constraints_ || update->whichflag != 1) return;
  int moved = 0;  // bits of groups
  const Fix* rigid = nullptr;
  for (const Fix* fix : modify->get_fix_list()) {
    if (fix->time_integrate) moved |= fix->groupbit;
    if (fix->rigid_flag) rigid = fix;
  }
  if (moved == 0) return;
  bigint resting = 0;
  for (int i = 0; i < atom->nlocal; i++)
    if (!(atom->mask[i] & moved)) resting++;
  MPI_Allreduce(MPI_IN_PLACE, &resting, 1, MPI_LMP_BIGINT, MPI_SUM, world);
  std::string found;
  if (resting > 0) found = fmt::format("{} atoms that no fix integrates", resting);
  if (rigid != nullptr)
    found +=
        fmt::format("{}fix {} of style {}", found.empty() ? "" : " and ", rigid->id, rigid->style);
  if (found.empty()) return;
  warned_of_constraints_ = true;
  if (comm->me == 0)
    error->warning(FLERR,
                   "fix {} glassml: inherent structure: expected atoms that move freely; found {}: "
                   "in the minimisation all atoms move without constraints",
                   owner_, found);
}

void InherentPositions::minimise(std::span<const double> energies) {
  if (neighbor->exclude)
    error->all(FLERR,
               "fix {} glassml: inherent structure: expected interactions of all pairs; found "
               "'neigh_modify exclude'",
               owner_);
  const ConfigurationCopy::End end = copy_.minimise(force_tolerance_, max_iterations_);
  check_copy(energies);
  positions_.resize(3 * static_cast<std::size_t>(atom->nlocal));
  energies_.resize(atom->nlocal);
  for (const ConfigurationCopy::Minimised& minimised : copy_.atoms()) {
    const auto i = static_cast<std::size_t>(minimised.row);
    std::copy_n(minimised.x, 3, &positions_[3 * i]);
    energies_[i] = minimised.energy_after;
  }
  report(end);
}

/// Collective.
void InherentPositions::check_copy(std::span<const double> energies) const {
  double largest[2] = {0.0, 0.0};  // difference, energy
  for (const ConfigurationCopy::Minimised& minimised : copy_.atoms()) {
    const double energy = energies[static_cast<std::size_t>(minimised.row)];
    largest[0] = std::fmax(largest[0], std::abs(minimised.energy_before - energy));
    largest[1] = std::fmax(largest[1], std::abs(energy));
  }
  MPI_Allreduce(MPI_IN_PLACE, largest, 2, MPI_DOUBLE, MPI_MAX, world);
  if (largest[0] <= kSameEnergy * largest[1]) return;
  error->all(
      FLERR,
      "fix {} glassml: inherent structure: expected the energies of the simulation in a copy "
      "of its configuration; found energies of atoms that differ by up to {:.3g}: pair style "
      "{} cannot be copied, or a fix changes it or adds to the energies during the run",
      owner_, largest[0], force->pair_style);
}

void InherentPositions::report(const ConfigurationCopy::End& end) {
  minimised_++;
  const bool converged = end.largest_force <= force_tolerance_;
  if (!converged) unconverged_++;
  if (comm->me != 0) return;
  if (!converged)
    error->warning(FLERR,
                   "fix {} glassml: step {}: expected no force above {:g} in the inherent "
                   "structure; found {:.3g} after {} iterations ({} of {} minimisations so far). "
                   "Allow more iterations or a larger force",
                   owner_, update->ntimestep, force_tolerance_, end.largest_force, end.iterations,
                   unconverged_, minimised_);
  else if (minimised_ == 1)
    utils::logmesg(lmp,
                   "fix {} glassml: inherent structure at step {} after {} iterations, largest "
                   "force {:.3g}\n",
                   owner_, update->ntimestep, end.iterations, end.largest_force);
}

double InherentPositions::displacement(int i) const {
  const auto vector = shift(i);
  return std::hypot(vector[0], vector[1], vector[2]);
}

std::array<double, 3> InherentPositions::shift(int i) const {
  const double* const x = atom->x[i];
  const double* const y = &positions_[3 * static_cast<std::size_t>(i)];
  return {y[0] - x[0], y[1] - x[1], y[2] - x[2]};
}

double InherentPositions::memory_usage() const {
  return static_cast<double>(sizeof(double)) * (positions_.capacity() + energies_.capacity()) +
         copy_.memory_usage();
}
