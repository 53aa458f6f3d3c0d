#include "fix_glassml.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <numeric>
#include <span>
#include <stdexcept>

#include "atom.h"
#include "atom_energy.h"
#include "comm.h"
#include "domain.h"
#include "error.h"
#include "force.h"
#include "inherent_positions.h"
#include "lammps_cell.h"
#include "memory.h"
#include "modify.h"
#include "near_order.h"
#include "neighbor.h"
#include "scalar_sources.h"
#include "shipped_models.h"
#include "type_labels.h"
#include "update.h"
#include "window_sampler.h"
#include "window_steps.h"

using namespace LAMMPS_NS;
using namespace FixConst;
using glassml::Manifest;
using glassml::OutputEntry;

namespace {

constexpr const char* kThermal = "thermal";
constexpr const char* kAverage = "average";
constexpr const char* kInherent = "inherent";
constexpr std::size_t kColumnsInLog = 16;
constexpr const char* kStatistics[] = {"group means of the propensity", "its variances",
                                       "fractions above the threshold", "Q, means of the mobility",
                                       "chi4"};  // as GroupStatistics::Column

// As in glassml/data/configuration.py: a unit cell of a crystal may be a single layer of atoms.
constexpr bigint kLargestPlanarCell = 16;
constexpr double kFlat = 1.0e-9;  // fraction of the box

// The table of glassml/physics/units.py; tests/lammps/test_fix_misuse.py compares the two.
const std::map<std::string, std::string> kLengthUnits = {
    {"lj", "lj"},   {"real", "angstrom"}, {"metal", "angstrom"}, {"electron", "bohr"},
    {"nano", "nm"}, {"micro", "um"},      {"si", "m"},           {"cgs", "cm"}};

/// The arguments that follow "fix ID group glassml Nevery".
std::vector<std::string> words(int narg, char** arg) { return {arg + 4, arg + narg}; }

/// Number of this process among the processes of this LAMMPS on the same machine.
int rank_on_machine(MPI_Comm world) {
  MPI_Comm machine;
  MPI_Comm_split_type(world, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &machine);
  int rank = 0;
  MPI_Comm_rank(machine, &rank);
  MPI_Comm_free(&machine);
  return rank;
}

/// The message with the name of the atom.
std::string told(const glassml::BadPosition& problem, tagint id) {
  return problem.text(fmt::format("atom {}", id));
}

/// Whether simulations with this unit of length may have different units of energy and time.
bool is_shared(const std::string& length_unit) {
  return std::count_if(kLengthUnits.begin(), kLengthUnits.end(),
                       [&](const auto& style) { return style.second == length_unit; }) > 1;
}

}  // namespace

// ---- set-up

FixGlassML::FixGlassML(LAMMPS* lmp, int narg, char** arg)
    : Fix(lmp, narg, arg),
      edge_finder_(0.0),
      halo_(world, 0.0),
      smoothing_(0, 0),
      statistics_(0, 0.0, 0) {
  if (narg < 5 + atom->ntypes)
    error->all(FLERR,
               "fix {} glassml: expected Nevery, a model file and one species for each of the {} "
               "atom types; found {} arguments",
               id, atom->ntypes, narg - 3);
  nevery = utils::is_integer(arg[3]) ? utils::inumeric(FLERR, arg[3], false, lmp) : 0;
  if (nevery <= 0)
    error->all(FLERR, "fix {} glassml: Nevery: expected a positive integer; found {}", id, arg[3]);
  if (domain->dimension == 2)
    error->all(FLERR,
               "fix {} glassml: expected a three-dimensional simulation, as the models need; found "
               "the command 'dimension 2'",
               id);
  std::string failure;
  try {
    options_ = glassml::parse_options(words(narg, arg), atom->ntypes);
  } catch (const std::exception& problem) {
    failure = problem.what();
  }
  stop_if_failed(failure);

  load_model();
  map_species();
  check_units();
  select_outputs();
  create_inputs();
  allocate();
}

FixGlassML::~FixGlassML() {
  atom->delete_callback(id, Atom::GROW);
  memory->destroy(array_atom);
}

void FixGlassML::load_model() {
  const int rank = rank_on_machine(world);
  std::string failure;
  try {
    const std::string device = glassml::resolve_device(options_.device, rank);
    options_.model_file = glassml::find_model(options_.model_file);
    model_ = std::make_unique<glassml::ModelRunner>(options_.model_file, device, options_.trust);
    edge_finder_ = glassml::EdgeFinder(model_->manifest().cutoff);
    halo_ = glassml::Halo(world, model_->manifest().cutoff);
    watch_.emplace(model_->manifest());
  } catch (const std::exception& problem) {
    failure = problem.what();
  }
  stop_if_failed(failure);
  check_same_model();
}

/// Ranks may run on machines that hold different files of the same name. With different models
/// the ranks would wait for each other for ever, or exchange features of different meaning.
void FixGlassML::check_same_model() const {
  // The complement reverses the order, so one reduction gives both minimum and maximum.
  const long long mine[2] = {model_->fingerprint(), ~model_->fingerprint()};
  long long least[2];
  MPI_Allreduce(mine, least, 2, MPI_LONG_LONG, MPI_MIN, world);
  if (least[0] == ~least[1]) return;
  error->all(FLERR,
             "fix {} glassml: model file {}: expected the same file on all MPI tasks; found "
             "different contents. Give every machine the same copy",
             id, options_.model_file);
}

void FixGlassML::map_species() {
  const Manifest& manifest = model_->manifest();
  species_of_type_.assign(atom->ntypes + 1, -1);
  for (int type = 1; type <= atom->ntypes; type++) {
    const std::string& name = options_.species[type - 1];
    species_of_type_[type] = manifest.species_index(name);
    if (species_of_type_[type] < 0)
      error->all(FLERR,
                 "fix {} glassml: atom type {}: expected a species of model {} ({}); found '{}'",
                 id, type, options_.model_file, glassml::joined(manifest.species), name);
  }
}

/// Where labels of types are names of species, they must be those of the command. Labels may be
/// given or changed after the fix was defined.
void FixGlassML::check_labels() const {
  for (const std::string& name : model_->manifest().species) {
    const int type = type_with_label(*atom, name);
    if (type < 1 || type > atom->ntypes || options_.species[type - 1] == name) continue;
    error->all(
        FLERR,
        "fix {} glassml: atom type {}: expected the species '{}', which is the label of this "
        "type; found '{}'. Give the species in the order of the types, or labels to the types "
        "that are not names of the model's species",
        id, type, name, options_.species[type - 1]);
  }
}

void FixGlassML::check_units() const {
  const Manifest& manifest = model_->manifest();
  const auto found = kLengthUnits.find(update->unit_style);
  const std::string here = found == kLengthUnits.end() ? "unknown" : found->second;
  if (here == manifest.length_unit) return;
  error->all(FLERR,
             "fix {} glassml: expected lengths in '{}', as in model {}; found 'units {}' with "
             "lengths in '{}'",
             id, manifest.length_unit, options_.model_file, update->unit_style, here);
}

void FixGlassML::select_outputs() {
  std::string failure;
  try {
    outputs_ = glassml::arrange_outputs(model_->manifest(), options_);
    threshold_ = glassml::mobility_threshold(model_->manifest(), options_);
    if (options_.edges && model_->manifest().edge_outputs.empty())
      throw std::runtime_error(
          "keyword edges: expected a model with outputs of edges, such as "
          "botan; found model " +
          options_.model_file + " (" + model_->manifest().model + "), which has none");
  } catch (const std::exception& problem) {
    failure = problem.what();
  }
  stop_if_failed(failure);
  n_columns_ = outputs_.n_columns();
  smoothing_ = glassml::Smoothing(options_.smooth, outputs_.n_propensity);
  statistics_ = glassml::GroupStatistics(outputs_.n_propensity, threshold_, options_.chi4);
}

void FixGlassML::create_inputs() {
  const Manifest& manifest = model_->manifest();
  const bool inherent = options_.inherent;
  scalars_ = std::make_unique<ScalarSources>(lmp, id, options_.model_file, manifest,
                                             options_.scalars, inherent);
  at_inherent_ = options_.positions == glassml::Positions::kInherent;
  if (inherent && !at_inherent_ && !scalars_->reads_inherent())
    error->all(FLERR,
               "fix {} glassml: keyword structure: expected a model that reads scalars of inherent "
               "structures, such as inherent_energy; found model {} ({}), which reads none. Leave "
               "it out",
               id, options_.model_file, manifest.model);
  averaged_ = glassml::reads_average(options_, manifest);
  const bool averages_energy = scalars_->reads_average_energy();
  if (averages_energy || inherent || scalars_->reads_energy())
    energy_ = std::make_unique<AtomEnergy>(lmp, id);
  if (inherent)
    inherent_ = std::make_unique<InherentPositions>(lmp, id, options_.force_tolerance,
                                                    options_.max_iterations);
  if (!averaged_ && !scalars_->reads_window()) return;
  std::string failure;
  try {
    glassml::check_window(options_, nevery);
  } catch (const std::exception& problem) {
    failure = problem.what();
  }
  stop_if_failed(failure);
  sampler_ = std::make_unique<WindowSampler>(lmp, id, averages_energy ? energy_.get() : nullptr);
}

void FixGlassML::allocate() {
  peratom_flag = 1;
  size_peratom_cols = n_columns_;
  peratom_freq = nevery;
  vector_flag = outputs_.n_propensity > 0 ? 1 : 0;
  size_vector = outputs_.n_propensity * static_cast<int>(statistics_.n_columns());
  global_freq = nevery;
  extvector = 0;
  if (options_.edges) {
    local_flag = 1;
    local_freq = nevery;
    size_local_cols = 2;
    for (const OutputEntry& output : model_->manifest().edge_outputs)
      size_local_cols += static_cast<int>(output.columns.size());
    show_edges();
  }
  create_attribute = 1;
  dynamic_group_allow = 1;
  maxexchange = n_columns_ + smoothing_.exchange_size();
  if (sampler_) maxexchange += glassml::PositionWindow::kWidth;

  grow_arrays(atom->nmax);
  atom->add_callback(Atom::GROW);
  for (int i = 0; i < atom->nmax; i++) set_arrays(i);
}

void FixGlassML::init() {
  if (update->whichflag == 1 && utils::strmatch(update->integrate_style, "^respa"))
    error->all(FLERR, "fix {} glassml: expected run_style verlet; found run_style respa", id);
  if (atom->tag_enable == 0)
    error->all(FLERR, "fix {} glassml: expected atoms with IDs; found atom_modify id no", id);
  check_density();
  check_labels();
  scalars_->init(nevery);
  if (inherent_) inherent_->init();
  if (energy_) energy_->init();
  init_window();
  if (!described_ && comm->me == 0) {
    describe();
    warn_of_untrained();
  }
  described_ = true;
  check_positions();
}

/// Before LAMMPS takes memory for neighbours.
void FixGlassML::check_density() {
  std::string failure;
  try {
    glassml::check_number_of_neighbours(model_->manifest(), static_cast<double>(atom->natoms),
                                        domain->xprd * domain->yprd * domain->zprd);
  } catch (const std::exception& problem) {
    failure = problem.what();
  }
  stop_if_failed(failure);
}

/// The steps of a window depend on the timestep, which may change before each run.
void FixGlassML::init_window() {
  if (!sampler_ || update->whichflag != 1) return;
  std::string failure;
  try {
    sampler_->init(glassml::window_steps(options_, model_->manifest(), nevery, update->dt));
  } catch (const std::exception& problem) {
    failure = problem.what();
  }
  stop_if_failed(failure);
  if (warned_of_timestep_) return;
  for (const Fix* fix : modify->get_fix_list()) {
    if (!utils::strmatch(fix->style, "^dt/reset")) continue;
    warned_of_timestep_ = true;
    if (comm->me == 0)
      error->warning(FLERR,
                     "fix {} glassml: expected a constant timestep, as samples of averaged "
                     "positions are taken every {} steps; found fix {} of style {}",
                     id, sampler_->steps().between, fix->id, fix->style);
  }
}

/// Warns when a model sees other positions than it was trained with. In a run of no steps, a
/// minimisation or a rerun, which moves nothing, the positions may be those of inherent structures.
void FixGlassML::check_positions() {
  if (warned_ || update->whichflag != 1) return;
  const Manifest& manifest = model_->manifest();
  std::string warning = glassml::window_warning(options_, manifest, update->dt);
  const auto& fixes = modify->get_fix_list();
  const bool moving =
      update->nsteps > 0 &&
      std::any_of(fixes.begin(), fixes.end(), [](const Fix* f) { return f->time_integrate; });
  if (warning.empty() && moving && !at_inherent_ && manifest.positions != kThermal &&
      manifest.positions != kAverage)
    warning = fmt::format(
        "reads {} positions, but is evaluated while the atoms move: its values "
        "are not meaningful there ({})",
        manifest.positions,
        manifest.positions == kInherent ? "give 'positions inherent'"
                                        : "see the documentation of this fix");
  if (warning.empty()) return;
  warned_ = true;
  if (comm->me == 0)
    error->warning(FLERR, "fix {} glassml: model {} {}", id, options_.model_file, warning);
}

/// A liquid whose atoms all lie in one plane is a two-dimensional system in a three-dimensional
/// box. Python accepts it only if the box is not periodic across the plane. Collective.
void FixGlassML::check_three_dimensional() const {
  if (atom->natoms <= kLargestPlanarCell) return;
  double mine[6];  // smallest coordinate along each lattice direction, and minus the largest
  std::fill_n(mine, 6, std::numeric_limits<double>::infinity());
  for (int i = 0; i < atom->nlocal; i++) {
    double fractional[3];
    domain->x2lamda(atom->x[i], fractional);
    for (int d = 0; d < 3; d++) {
      mine[d] = std::min(mine[d], fractional[d]);
      mine[d + 3] = std::min(mine[d + 3], -fractional[d]);
    }
  }
  double all[6];
  MPI_Allreduce(mine, all, 6, MPI_DOUBLE, MPI_MIN, world);
  for (int d = 0; d < 3; d++)
    if (-all[d + 3] - all[d] < kFlat)
      error->all(FLERR,
                 "fix {} glassml: expected a three-dimensional system; found all {} atoms in one "
                 "plane across lattice direction {} (two-dimensional systems are not supported)",
                 id, atom->natoms, d + 1);
}

void FixGlassML::describe() const {
  const Manifest& manifest = model_->manifest();
  std::string text = fmt::format("fix {} glassml:\n", id);
  text += fmt::format("  model: {} ({}, written by glassml {}, {})\n", options_.model_file,
                      manifest.model, manifest.glassml_version, manifest.dtype);
  text += "  species:";
  for (int type = 1; type <= atom->ntypes; type++)
    text += fmt::format("{} type {} -> {}", type > 1 ? "," : "", type, options_.species[type - 1]);
  text += fmt::format("\n  cutoff: {:g} {}, {} message-passing steps\n", manifest.cutoff,
                      manifest.length_unit, manifest.n_steps);
  if (sampler_)
    text += fmt::format("  {}: averages over {}\n", averaged_ ? "positions" : "scalars",
                        glassml::window_text(options_, manifest));
  if (inherent_)
    text += fmt::format(
        "  {}: inherent, each evaluation minimises a copy (force tolerance {:g}, at most {} "
        "iterations)\n",
        at_inherent_ ? "positions" : "structure", inherent_->force_tolerance(),
        options_.max_iterations);
  if (!at_inherent_ && !averaged_ && manifest.positions != kThermal)
    text += fmt::format("  positions: {}; the positions of the atoms are used unchanged{}\n",
                        manifest.positions,
                        manifest.positions == kInherent ? " (see 'positions inherent')" : "");
  for (int k = 0; k < scalars_->size(); k++)
    text += fmt::format("  scalar input: {} = {}\n", scalars_->name(k), scalars_->source(k));
  if ((energy_ || sampler_) && is_shared(manifest.length_unit))
    text += fmt::format(
        "  energies and times: those of 'units {}'; expected the units of the training\n",
        update->unit_style);
  text += fmt::format("  device: {}, {} thread(s) per MPI task\n", model_->device(), threads());
  utils::logmesg(lmp, text);
  log_outputs();
}

void FixGlassML::log_outputs() const {
  std::string text = "  per-atom array:\n";
  int column = 0;
  for (const OutputEntry& output : outputs_.entries) {
    const std::size_t n = output.columns.size();
    for (std::size_t k = 0; k < n; k++) {
      column++;
      // An output may have hundreds of features: the first and the last column are enough.
      const bool shown = n <= kColumnsInLog || k == 0 || k + 1 == n;
      if (shown) text += fmt::format("    f_{}[{}] {}\n", id, column, output.columns[k]);
      if (n > kColumnsInLog && k == 0) text += fmt::format("    ... ({})\n", output.name);
    }
  }
  if (options_.edges) {
    text += fmt::format("  local array:\n    f_{}[1] and f_{}[2] IDs of atoms\n", id, id);
    column = 2;
    for (const OutputEntry& output : model_->manifest().edge_outputs)
      for (const std::string& name : output.columns)
        text += fmt::format("    f_{}[{}] {}\n", id, ++column, name);
  }
  if (smoothing_.active())
    text += fmt::format("  propensity: mean over the last {} evaluations\n", options_.smooth);
  const int times = outputs_.n_propensity;
  for (int k = 0; times > 0 && k < static_cast<int>(statistics_.n_columns()); k++)
    text += fmt::format("{} f_{}[{}] to f_{}[{}], {}\n",
                        k == 0 ? "  global vector:" : "                ", id, k * times + 1, id,
                        (k + 1) * times, kStatistics[k]);
  if (times > 0 && threshold_ > 0.0)
    text += fmt::format("  threshold: {:g} {}, chi4 over {} evaluations\n", threshold_,
                        model_->manifest().length_unit,
                        options_.chi4 > 0 ? fmt::format("the last {}", options_.chi4) : "all");
  else if (times > 0)
    text += "  threshold: none, so no fraction, Q and chi4\n";
  utils::logmesg(lmp, text);
}

/// The record names an output, or an output of a species, as "softness of B".
void FixGlassML::warn_of_untrained() const {
  for (const OutputEntry& output : outputs_.entries)
    for (const std::string& name : model_->manifest().untrained)
      if (name == output.name || name.starts_with(output.name + " of "))
        error->warning(
            FLERR, "fix {} glassml: output {} of model {}: not trained, so its values mean nothing",
            id, name, options_.model_file);
}

// ---- evaluation

int FixGlassML::setmask() { return POST_NEIGHBOR | POST_FORCE | MIN_POST_FORCE; }

/// At the start of a run the values are computed whatever the step: thermo and dump write them.
/// Averages over a window exist only at its end; until the next one the values are kept.
void FixGlassML::setup(int /*vflag*/) {
  check_three_dimensional();
  listed_ = -1;
  if (!sampler_) return evaluate();
  sampler_->setup();
  if (sampler_->ready()) return evaluate();
  announce_evaluation();
  if (update->ntimestep % nevery == 0 || !sampler_->holds()) wait_for_window();
}

void FixGlassML::min_setup(int vflag) {
  if (!sampler_) return setup(vflag);
  sampler_->interrupt();
  reset_values();
  if (comm->me == 0)
    utils::logmesg(lmp,
                   "fix {} glassml: values are 0 during a minimisation, which has no averages over "
                   "time\n",
                   id);
}

void FixGlassML::post_neighbor() { listed_ = update->ntimestep; }

/// Whether forces were computed for a trial of a Monte Carlo fix (gcmc, atom/swap, ...). Such fixes
/// call post_force too, after each of their many trials. They do so before the integrator renews
/// the neighbour lists, and with lists of their own, so `ago` is 0 as after a renewal. Integrators
/// such as verlet/split do not call post_neighbor, so there trials cannot be told from steps.
bool FixGlassML::is_trial() const {
  const std::string style = update->integrate_style;
  const bool calls_post_neighbor = style == "verlet" || style == "verlet/kk";
  return calls_post_neighbor && neighbor->ago == 0 && listed_ != update->ntimestep;
}

/// After the forces, positions and box are those of this step. At the end of the step other fixes
/// may have moved the box or the atoms.
void FixGlassML::post_force(int /*vflag*/) {
  if (is_trial()) return;
  if (sampler_) sampler_->post_force();
  if (update->ntimestep % nevery != 0) return;
  if (!sampler_ || sampler_->ready()) return evaluate();
  announce_evaluation();
  wait_for_window();
}

/// Evaluates the last configuration too, which a minimiser writes wherever it stops: it then sets
/// the number of steps to the number that it has made. The minimiser hftn counts one less.
void FixGlassML::min_post_force(int /*vflag*/) {
  if (sampler_) return;
  const bool last = update->ntimestep >= update->firststep + update->nsteps;
  if (last || update->ntimestep % nevery == 0) evaluate();
}

/// The next evaluation is announced to computes by the one before, or here if there is none.
void FixGlassML::announce_evaluation() { modify->addstep_compute_all(next_evaluation()); }

bigint FixGlassML::next_evaluation() const { return (update->ntimestep / nevery + 1) * nevery; }

/// The window of averages is not full.
void FixGlassML::wait_for_window() {
  reset_values();
  sampler_->explain();
}

void FixGlassML::reset_values() {
  evaluated_ = -1;
  for (int i = 0; i < atom->nlocal; i++) std::fill_n(array_atom[i], n_columns_, 0.0);
  edge_array_.clear();
  show_edges();
  const std::vector<double> sums(statistics_.n_sums(), 0.0);
  statistics_.finish(update->ntimestep, sums.data(), 0.0);
}

/// A rank that fails continues to exchange, so that no other rank waits for it; all ranks stop
/// together at the end.
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
  if (inherent_) minimise();
  scalars_->collect(next_evaluation(), energy_.get(), sampler_ ? &sampler_->window() : nullptr,
                    inherent_.get());
  collect_positions();
  exchange_positions();
  attempt([this] { scalars_->check(); });
  attempt([this] { find_edges(); });
  halo_.request(failure.empty() ? std::span(edge_finder_.edges().sender)
                                : std::span<std::int64_t>());
  attempt([this] { begin_evaluation(); });
  count_structure(!failure.empty());
  for (int k = 0; k < model_->manifest().n_steps; k++) {
    settle(k, attempt);
    const std::size_t row_bytes = model_->row_bytes(k);
    states_.resize(halo_.sent().size() * row_bytes);
    attempt([this, k] {
      model_->open_state(k, halo_.n_rows());
      model_->pack(halo_.sent(), states_.data());
    });
    const auto received = halo_.exchange_states(states_, row_bytes);
    attempt([&] { model_->unpack(halo_.received(), received.data()); });
    attempt([this, k] { model_->step(k); });
  }
  settle(model_->manifest().n_steps, attempt);
  has_values_ = false;
  attempt([this] { store(model_->outputs(outputs_.from_model)); });
  if (options_.edges) {
    std::vector<std::int64_t> ids = ids_by_row();
    halo_.exchange_values(ids);
    attempt([&] { store_edges(ids); });
  }
  reduce(failure);
  if (sampler_) sampler_->hold();
}

/// Gives the model its sums over all atoms before step k. Collective.
/// @param attempt runs a part that may fail
template <typename Attempt>
void FixGlassML::settle(int k, Attempt&& attempt) {
  const std::size_t n = model_->n_sums(k);
  if (n == 0) return;
  std::vector<double> mine(n, 0.0), all(n);
  attempt([&] { mine = model_->sums(k); });
  MPI_Allreduce(mine.data(), all.data(), static_cast<int>(n), MPI_DOUBLE, MPI_SUM, world);
  attempt([&] { model_->settle(k, all); });
}

/// Energies are tallied only on steps that were announced.
void FixGlassML::minimise() {
  // The copy would move atoms that are infinitely far away into the box for ever.
  const double* x = atom->nlocal > 0 ? atom->x[0] : nullptr;
  std::string failure;
  try {
    halo_.check({x, 3 * static_cast<std::size_t>(atom->nlocal)}, cell_of(*domain));
  } catch (const glassml::BadPosition& problem) {
    failure = told(problem, atom->tag[problem.row()]);
  }
  stop_if_failed(failure);
  inherent_->minimise(energy_->now());
  energy_->announce(next_evaluation());
}

/// The positions at which the model is evaluated. They may be others than those of the atoms, and
/// anywhere: only here they are taken.
void FixGlassML::collect_positions() {
  const double* x = atom->nlocal > 0 ? atom->x[0] : nullptr;
  positions_.assign(x, x + 3 * static_cast<std::size_t>(atom->nlocal));
  if (at_inherent_) positions_ = inherent_->positions();
  for (int i = 0; averaged_ && i < atom->nlocal; i++) {
    const auto shift = sampler_->window().shift(i);
    for (int d = 0; d < 3; d++) positions_[3 * static_cast<std::size_t>(i) + d] += shift[d];
  }
}

/// Orders the own atoms in rows and gets the images around them. Collective.
void FixGlassML::exchange_positions() {
  atoms_ = glassml::near_order(positions_, model_->manifest().cutoff);
  std::vector<double> by_row(positions_.size());
  for (std::size_t row = 0; row < atoms_.size(); row++)
    std::copy_n(&positions_[3 * atoms_[row]], 3, &by_row[3 * row]);
  halo_.exchange_positions(by_row, cell_of(*domain));
}

int FixGlassML::threads() const { return options_.threads > 0 ? options_.threads : comm->nthreads; }

void FixGlassML::find_edges() {
  try {
    halo_.check();
    edge_finder_.find(halo_.positions(), atom->nlocal, threads());
  } catch (const glassml::BadPosition& problem) {
    throw std::runtime_error(told(problem, atom->tag[atoms_[problem.row()]]));
  }
  n_edges_ = static_cast<std::int64_t>(edge_finder_.edges().size());
}

void FixGlassML::begin_evaluation() {
  const int columns = scalars_->size();
  const std::vector<double>& values = scalars_->values();
  std::vector<std::int64_t> species;
  std::vector<double> scalars;
  species.reserve(atom->nlocal);
  scalars.reserve(values.size());
  for (const int i : atoms_) {
    species.push_back(species_of_type_[atom->type[i]]);
    const auto first = values.begin() + static_cast<std::ptrdiff_t>(i) * columns;
    scalars.insert(scalars.end(), first, first + columns);
  }
  model_->set_threads(threads());
  model_->embed(species, scalars);
  model_->embed_edges(edge_finder_.edges());
}

/// Counts the neighbours of each species, for the comparison with the training data. Collective.
void FixGlassML::count_structure(bool failed) {
  counts_.assign(watch_->n_counts(), 0.0);
  if (counts_.empty()) return;
  std::vector<std::int32_t> species(halo_.n_rows());
  for (std::size_t row = 0; row < atoms_.size(); row++)
    species[row] = static_cast<std::int32_t>(species_of_type_[atom->type[atoms_[row]]]);
  halo_.exchange_values(species);
  if (!failed) watch_->count(edge_finder_.edges(), species, atoms_.size(), counts_.data());
}

/// The group decides for which atoms values are reported, not which atoms the model sees.
///
/// An evaluation that gives no values does not call this: it counts neither in means over the last
/// evaluations nor in the statistics.
/// @param values [nlocal, columns of the model] by rows
void FixGlassML::store(const std::vector<double>& values) {
  has_values_ = true;
  const double* value = values.data();
  for (const int i : atoms_) {
    const bool reported = atom->mask[i] & groupbit;
    if (!reported) std::fill_n(array_atom[i], n_columns_, 0.0);
    for (const int column : outputs_.columns) {
      const double found = *value++;
      if (!reported) continue;
      if (!std::isfinite(found))
        throw std::runtime_error(fmt::format(
            "output {}: expected a finite number; found {} for atom {}: a scalar input "
            "is too large for a {} model, or the parameters of the model are not finite",
            outputs_.names[column], found, atom->tag[i], model_->manifest().dtype));
      array_atom[i][column] = found;
    }
    if (reported && smoothing_.active())
      smoothing_.add(i, update->ntimestep, array_atom[i] + outputs_.first_propensity,
                     outputs_.first_spread < 0 ? nullptr : array_atom[i] + outputs_.first_spread);
  }
}

/// IDs of the own atoms by rows of the node state, 0 for those outside the group.
std::vector<std::int64_t> FixGlassML::ids_by_row() const {
  std::vector<std::int64_t> ids(halo_.n_rows(), 0);
  for (std::size_t row = 0; row < atoms_.size(); row++)
    if (atom->mask[atoms_[row]] & groupbit) ids[row] = atom->tag[atoms_[row]];
  return ids;
}

void FixGlassML::store_edges(const std::vector<std::int64_t>& ids) {
  edge_array_.fill(edge_finder_.edges(), ids, model_->edge_outputs());
  show_edges();
  for (int k = 0; k < edge_array_.n_rows(); k++) {
    const double* row = edge_array_.rows()[k];
    if (std::all_of(row + 2, row + size_local_cols, [](double v) { return std::isfinite(v); }))
      continue;
    throw std::runtime_error(
        fmt::format("outputs of edges: expected finite numbers; found others for atoms {:.0f} and "
                    "{:.0f}: a scalar input is too large for a {} model, or the parameters of the "
                    "model are not finite",
                    row[0], row[1], model_->manifest().dtype));
  }
}

/// Tells LAMMPS where the local array is.
void FixGlassML::show_edges() {
  size_local_rows = edge_array_.n_rows();
  array_local = edge_array_.rows();
}

/// Computes statistics of the group, the number of edges and of failures, twice the kinetic energy,
/// the number of atoms that move and the counts of neighbours in one reduction.
void FixGlassML::reduce(const std::string& failure) {
  const std::size_t n_sums = statistics_.n_sums();
  std::vector<double> mine(n_sums + 5, 0.0);
  double* group_atoms = &mine[n_sums];
  for (int i = 0; has_values_ && i < atom->nlocal; i++) {
    if (!(atom->mask[i] & groupbit)) continue;
    ++*group_atoms;
    statistics_.add(array_atom[i] + outputs_.first_propensity, mine.data());
  }
  group_atoms[1] = static_cast<double>(n_edges_);
  group_atoms[2] = failure.empty() ? 0.0 : 1.0;
  for (int i = 0; i < atom->nlocal; i++) {
    const double* v = atom->v[i];
    const double mass = atom->rmass ? atom->rmass[i] : atom->mass[atom->type[i]];
    const double square = v[0] * v[0] + v[1] * v[1] + v[2] * v[2];
    group_atoms[3] += mass * square;
    group_atoms[4] += square > 0.0 ? 1.0 : 0.0;
  }
  mine.insert(mine.end(), counts_.begin(), counts_.end());
  std::vector<double> total(mine.size());
  MPI_Allreduce(mine.data(), total.data(), static_cast<int>(mine.size()), MPI_DOUBLE, MPI_SUM,
                world);
  if (total[n_sums + 2] > 0.0) stop_if_failed(failure);
  evaluated_ = update->ntimestep;

  statistics_.finish(update->ntimestep, total.data(), total[n_sums]);
  if (comm->me == 0) report_structure(&total[n_sums + 1]);
  edges_described_ = true;
  if (watch_->knows_labels() && outputs_.n_propensity > 0) watch_predictions();
}

/// Warns where predictions are far outside the labels of the training data. Collective.
void FixGlassML::watch_predictions() {
  const auto n = static_cast<std::size_t>(outputs_.n_propensity);
  std::vector<double> mine(2 * n, std::numeric_limits<double>::infinity()), all(2 * n);
  for (int i = 0; has_values_ && i < atom->nlocal; i++) {
    if (!(atom->mask[i] & groupbit)) continue;
    const double* propensity = array_atom[i] + outputs_.first_propensity;
    for (std::size_t k = 0; k < n; k++) {
      mine[k] = std::min(mine[k], propensity[k]);
      mine[n + k] = std::min(mine[n + k], -propensity[k]);
    }
  }
  MPI_Allreduce(mine.data(), all.data(), static_cast<int>(2 * n), MPI_DOUBLE, MPI_MIN, world);
  const auto middle = all.begin() + static_cast<std::ptrdiff_t>(n);
  std::vector<double> largest(middle, all.end());
  for (double& value : largest) value = -value;
  const std::string news = watch_->news_of_predictions({all.begin(), middle}, largest);
  if (comm->me == 0 && !news.empty())
    error->warning(FLERR,
                   "fix {} glassml: predictions of model {} at step {} are far outside the labels "
                   "of its training data, so they are wrong: {}",
                   id, options_.model_file, update->ntimestep, news);
}

/// Writes the number of neighbours once, and warns where the system is unlike the training data.
/// @param total numbers of edges and failures, twice the kinetic energy, number of atoms that move,
///   counts of neighbours
void FixGlassML::report_structure(const double* total) {
  const auto n = static_cast<double>(atom->natoms);
  const auto& domain = model_->manifest().domain;
  if (!edges_described_) {
    std::string known;
    if (domain) known = " (training data: " + glassml::range_text(domain->neighbours) + ")";
    utils::logmesg(lmp, "fix {} glassml: {:.0f} edges at step {}, {:.4g} neighbours per atom{}\n",
                   id, total[0], update->ntimestep, n > 0.0 ? total[0] / n : 0.0, known);
  }
  if (n == 0.0) return;
  const std::string news = watch_->news(total + 4, system_state(total[2], total[3]));
  if (!news.empty())
    error->warning(FLERR,
                   "fix {} glassml: the system at step {} is unlike the training data of model {}, "
                   "so predictions may be wrong: {}",
                   id, update->ntimestep, options_.model_file, news);
}

/// Without a fix that integrates the motion, as in a rerun, velocities mean nothing. Atoms at rest
/// are pinned.
/// @param kinetic sum of m v^2 over all atoms
/// @param moving number of atoms that are not at rest
glassml::SystemState FixGlassML::system_state(double kinetic, double moving) const {
  glassml::SystemState state;
  state.periodic = domain->xperiodic && domain->yperiodic && domain->zperiodic;
  state.volume = domain->xprd * domain->yprd * domain->zprd;
  const double freedom = 3.0 * moving - (moving < static_cast<double>(atom->natoms) ? 0.0 : 3.0);
  const auto& fixes = modify->get_fix_list();
  const bool integrated =
      update->whichflag == 1 &&
      std::any_of(fixes.begin(), fixes.end(), [](const Fix* f) { return f->time_integrate; });
  if (integrated && kinetic > 0.0 && freedom > 0.0)
    state.temperature = force->mvv2e * kinetic / (freedom * force->boltz);
  return state;
}

std::string FixGlassML::description() const {
  std::string text =
      fmt::format("model\t{}\nevery\t{}\nevaluated\t{}\n", options_.model_file, nevery, evaluated_);
  for (const OutputEntry& output : outputs_.entries)
    for (const std::string& column : output.columns)
      text += fmt::format("column\t{}\t{}\n", output.name, column);
  return text;
}

void FixGlassML::gather(double* rows) const {
  std::vector<double> mine;
  mine.reserve(static_cast<std::size_t>(atom->nlocal) * (1 + n_columns_));
  for (int i = 0; i < atom->nlocal; i++) {
    mine.push_back(static_cast<double>(atom->tag[i]));
    mine.insert(mine.end(), array_atom[i], array_atom[i] + n_columns_);
  }
  const int size = static_cast<int>(mine.size());
  std::vector<int> sizes(comm->nprocs);
  std::vector<int> starts(comm->nprocs);
  MPI_Allgather(&size, 1, MPI_INT, sizes.data(), 1, MPI_INT, world);
  std::exclusive_scan(sizes.begin(), sizes.end(), starts.begin(), 0);
  MPI_Allgatherv(mine.data(), size, MPI_DOUBLE, rows, sizes.data(), starts.data(), MPI_DOUBLE,
                 world);
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

// ---- what LAMMPS asks of a fix with per-atom values

void FixGlassML::grow_arrays(int nmax) {
  memory->grow(array_atom, nmax, n_columns_, "fix_glassml:array_atom");
  // Programs that use LAMMPS as a library can read a single column as a vector too: as an array,
  // LAMMPS' Python module takes it for addresses. In scripts it is a column of an array, f_ID[1].
  if (n_columns_ == 1) vector_atom = array_atom == nullptr ? nullptr : array_atom[0];
  smoothing_.grow(nmax);
  if (sampler_) sampler_->window().grow(nmax);
}

void FixGlassML::copy_arrays(int i, int j, int /*delflag*/) {
  std::copy_n(array_atom[i], n_columns_, array_atom[j]);
  smoothing_.copy(i, j);
  if (sampler_) sampler_->window().copy(i, j);
}

void FixGlassML::set_arrays(int i) {
  std::fill_n(array_atom[i], n_columns_, 0.0);
  smoothing_.clear(i);
  if (sampler_) sampler_->window().clear(i);
}

int FixGlassML::pack_exchange(int i, double* buffer) {
  std::copy_n(array_atom[i], n_columns_, buffer);
  int n = n_columns_ + smoothing_.pack(i, buffer + n_columns_);
  if (sampler_) n += sampler_->window().pack(i, buffer + n);
  return n;
}

int FixGlassML::unpack_exchange(int nlocal, double* buffer) {
  std::copy_n(buffer, n_columns_, array_atom[nlocal]);
  int n = n_columns_ + smoothing_.unpack(nlocal, buffer + n_columns_);
  if (sampler_) n += sampler_->window().unpack(nlocal, buffer + n);
  return n;
}

/// All times of the first statistic, then of the second, ... Not a global array: with one, LAMMPS
/// would expand f_ID[*] of a dump to its columns instead of those of the per-atom array.
double FixGlassML::compute_vector(int n) {
  const int times = outputs_.n_propensity;
  return statistics_.value(n % times, n / times);
}

double FixGlassML::memory_usage() {
  return static_cast<double>(sizeof(double)) * atom->nmax * n_columns_ +
         static_cast<double>(sizeof(double)) * positions_.capacity() + edge_finder_.memory_usage() +
         halo_.memory_usage() + smoothing_.memory_usage() + edge_array_.memory_usage() +
         (sampler_ ? sampler_->window().memory_usage() : 0.0) +
         (inherent_ ? inherent_->memory_usage() : 0.0);
}
