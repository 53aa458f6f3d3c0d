#include "scalar_sources.h"

#include <cmath>
#include <map>
#include <span>
#include <stdexcept>

#include "atom.h"
#include "atom_energy.h"
#include "error.h"
#include "inherent_positions.h"
#include "modify.h"
#include "position_window.h"

using namespace LAMMPS_NS;
using glassml::Manifest;

ScalarSources::ScalarSources(LAMMPS* lmp, const std::string& fix, const std::string& model,
                             const Manifest& manifest, const std::vector<std::string>& given,
                             bool inherent)
    : Pointers(lmp), owner_(fix) {
  std::size_t unknown = 0;
  for (const auto& input : manifest.scalar_inputs) {
    scalars_.push_back({input.name, known_kind(input.name, manifest, inherent), nullptr});
    if (scalars_.back().kind == Kind::kGiven) unknown++;
  }
  const bool all = given.size() == scalars_.size();
  if (!all && given.size() != unknown) refuse_number(model, manifest, given);
  auto source = given.begin();
  for (Scalar& scalar : scalars_) {
    if (all) scalar.kind = Kind::kGiven;
    if (scalar.kind == Kind::kGiven)
      scalar.input = std::make_unique<ScalarInput>(lmp, fix, *source++, scalar.name);
  }
}

/// The fix knows averages over its window, and the energy of the configuration that it sees. Where
/// a model reads inherent structures or cages, `potential_energy` is that of another configuration,
/// unless the fix itself finds the inherent structure of the present one.
ScalarSources::Kind ScalarSources::known_kind(const std::string& name, const Manifest& manifest,
                                              bool inherent) {
  static const std::map<std::string, Kind> kAverages = {
      {"average_energy", Kind::kAverageEnergy},
      {"vibration", Kind::kVibration},
      {"average_displacement", Kind::kDisplacement}};
  const auto average = kAverages.find(name);
  if (average != kAverages.end() && manifest.window) return average->second;
  static const std::map<std::string, Kind> kOfInherent = {
      {"inherent_energy", Kind::kInherentEnergy},
      {"inherent_displacement", Kind::kInherentDisplacement},
      {"inherent_shift_x", Kind::kInherentShiftX},
      {"inherent_shift_y", Kind::kInherentShiftY},
      {"inherent_shift_z", Kind::kInherentShiftZ}};
  const auto found = kOfInherent.find(name);
  if (inherent && found != kOfInherent.end()) return found->second;
  const bool moving =
      inherent || manifest.positions == "thermal" || manifest.positions == "average";
  return name == "potential_energy" && moving ? Kind::kEnergy : Kind::kGiven;
}

void ScalarSources::refuse_number(const std::string& model, const Manifest& manifest,
                                  const std::vector<std::string>& given) const {
  std::string found;
  for (const std::string& source : given)
    found += (found.empty() ? "'scalar " : ", 'scalar ") + source + "'";
  if (scalars_.empty())
    error->all(FLERR,
               "fix {} glassml: expected no keyword scalar, as model {} takes no scalar inputs; "
               "found {}. Remove {}",
               owner_, model, found, given.size() == 1 ? "it" : "them");
  std::string needed, known, hint;
  std::size_t n_needed = 0;
  for (std::size_t k = 0; k < scalars_.size(); k++) {
    const bool own = scalars_[k].kind != Kind::kGiven;
    std::string& list = own ? known : needed;
    list += (list.empty() ? "" : ", ") + scalars_[k].name;
    if (!own) list += " " + manifest.scalar_inputs[k].dimension;
    if (!own) n_needed++;
    if (!own && scalars_[k].name.starts_with("inherent_"))
      hint = ". With 'structure inherent' the fix finds those of inherent structures itself";
  }
  if (known.empty())
    error->all(FLERR,
               "fix {} glassml: expected {} keyword(s) scalar, one for each scalar input of model "
               "{} ({}); found {}. Give 'scalar c_ID', 'scalar f_ID' or 'scalar v_name' for each, "
               "in this order{}",
               owner_, n_needed, model, needed, given.size(), hint);
  const std::string number = n_needed == 0 ? "no" : std::to_string(n_needed);
  error->all(
      FLERR,
      "fix {} glassml: expected {} keyword scalar{}, as the fix knows {} itself, or {} of them, "
      "one for each scalar input of model {}; found {}{}",
      owner_, number, needed.empty() ? "" : ", for " + needed, known, scalars_.size(), model,
      given.size(), hint);
}

bool ScalarSources::reads(Kind kind) const {
  for (const Scalar& scalar : scalars_)
    if (scalar.kind == kind) return true;
  return false;
}

bool ScalarSources::reads_energy() const { return reads(Kind::kEnergy); }

bool ScalarSources::reads_average_energy() const { return reads(Kind::kAverageEnergy); }

bool ScalarSources::reads_window() const {
  return reads_average_energy() || reads(Kind::kVibration) || reads(Kind::kDisplacement);
}

bool ScalarSources::reads_inherent() const {
  for (const Scalar& scalar : scalars_)
    if (scalar.kind >= Kind::kInherentEnergy) return true;
  return false;
}

void ScalarSources::init(int nevery) {
  for (const Scalar& scalar : scalars_)
    if (scalar.input) scalar.input->init(nevery);
}

const std::vector<double>& ScalarSources::collect(bigint next, AtomEnergy* energy,
                                                  const glassml::PositionWindow* window,
                                                  const InherentPositions* inherent) {
  const int columns = size();
  values_.assign(static_cast<std::size_t>(atom->nlocal) * columns, 0.0);
  if (columns == 0) return values_;
  // Per-atom energies are tallied only on steps that were announced; LAMMPS itself announces the
  // first and the last step of a run to all computes, for the thermo output.
  modify->clearstep_compute();
  for (int column = 0; column < columns; column++)
    if (scalars_[column].input) scalars_[column].input->collect(values_, column, columns);
  modify->addstep_compute(next);

  std::span<const double> energies;
  if (reads_energy()) {
    energies = energy->now();
    energy->announce(next);
  }
  for (int column = 0; column < columns; column++)
    for (int i = 0; i < atom->nlocal; i++) {
      double& value = values_[static_cast<std::size_t>(i) * columns + column];
      switch (scalars_[column].kind) {
        case Kind::kGiven:
          break;
        case Kind::kEnergy:
          value = energies[i];
          break;
        case Kind::kAverageEnergy:
          value = window->energy(i);
          break;
        case Kind::kVibration:
          value = window->vibration(i);
          break;
        case Kind::kDisplacement: {
          const auto shift = window->shift(i);
          value = std::hypot(shift[0], shift[1], shift[2]);
          break;
        }
        case Kind::kInherentEnergy:
          value = inherent->energy(i);
          break;
        case Kind::kInherentDisplacement:
          value = inherent->displacement(i);
          break;
        case Kind::kInherentShiftX:
        case Kind::kInherentShiftY:
        case Kind::kInherentShiftZ: {
          const int axis =
              static_cast<int>(scalars_[column].kind) - static_cast<int>(Kind::kInherentShiftX);
          value = inherent->shift(i)[axis];
        }
      }
    }
  return values_;
}

void ScalarSources::check() const {
  const std::size_t columns = scalars_.size();
  for (std::size_t k = 0; k < values_.size(); k++) {
    if (std::isfinite(values_[k])) continue;
    const int scalar = static_cast<int>(k % columns);
    throw std::runtime_error(
        fmt::format("scalar {} for the model's input '{}': expected a finite number; found {} for "
                    "atom {}",
                    source(scalar), name(scalar), values_[k], atom->tag[k / columns]));
  }
}

std::string ScalarSources::source(int scalar) const {
  switch (scalars_[scalar].kind) {
    case Kind::kGiven:
      return scalars_[scalar].input->source();
    case Kind::kEnergy:
      return "energy of each atom (pe/atom)";
    case Kind::kAverageEnergy:
    case Kind::kVibration:
    case Kind::kDisplacement:
      return "average over the window";
    default:
      return "inherent structure";
  }
}
