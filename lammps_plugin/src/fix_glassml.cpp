#include "fix_glassml.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>
#include <span>
#include <stdexcept>

#include "atom.h"
#include "comm.h"
#include "domain.h"
#include "error.h"
#include "memory.h"
#include "modify.h"
#include "near_order.h"
#include "update.h"

using namespace LAMMPS_NS;
using namespace FixConst;
using glassml::Manifest;
using glassml::OutputEntry;

namespace {

constexpr const char* kPropensity = "propensity";
constexpr const char* kThermal = "thermal";
constexpr std::size_t kColumnsInLog = 16;

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

/// The simulation box as it is now.
glassml::Cell cell_of(const Domain& domain) {
  const double* h = domain.h;
  glassml::Cell cell;
  cell.vectors = {{{h[0], 0.0, 0.0}, {h[5], h[1], 0.0}, {h[4], h[3], h[2]}}};
  for (int d = 0; d < 3; d++) {
    cell.origin[d] = domain.boxlo[d];
    cell.periodic[d] = domain.periodicity[d] != 0;
  }
  return cell;
}

}  // namespace

// ---- set-up

FixGlassML::FixGlassML(LAMMPS* lmp, int narg, char** arg)
    : Fix(lmp, narg, arg), edge_finder_(0.0), halo_(world, 0.0) {
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
  create_scalars();
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
    model_ = std::make_unique<glassml::ModelRunner>(options_.model_file, device);
    edge_finder_ = glassml::EdgeFinder(model_->manifest().cutoff);
    halo_ = glassml::Halo(world, model_->manifest().cutoff);
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
             "different contents: give every machine the same copy",
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
  const Manifest& manifest = model_->manifest();
  std::set<std::string> chosen;
  for (const std::string& name : options_.outputs) {
    const OutputEntry* output = manifest.find_output(name);
    if (output == nullptr) {
      std::vector<std::string> known;
      for (const OutputEntry& entry : manifest.outputs) known.push_back(entry.name);
      error->all(FLERR,
                 "fix {} glassml: keyword output: expected outputs of model {} ({}); found '{}'",
                 id, options_.model_file, glassml::joined(known), name);
    }
    if (!chosen.insert(name).second)
      error->all(FLERR,
                 "fix {} glassml: keyword output: expected different outputs; found '{}' twice", id,
                 name);
    if (name == kPropensity) {
      first_propensity_ = n_columns_;
      n_propensity_ = static_cast<int>(output->columns.size());
    }
    for (const std::string& column : output->columns)
      columns_.push_back(fmt::format("'{}', column '{}'", name, column));
    n_columns_ = static_cast<int>(columns_.size());
  }
}

void FixGlassML::create_scalars() {
  const auto& inputs = model_->manifest().scalar_inputs;
  if (inputs.empty() && !options_.scalars.empty()) {
    std::string given;
    for (const std::string& source : options_.scalars)
      given += (given.empty() ? "'scalar " : ", 'scalar ") + source + "'";
    error->all(FLERR,
               "fix {} glassml: expected no keyword scalar, as model {} takes no scalar inputs; "
               "found {}: remove {}",
               id, options_.model_file, given, options_.scalars.size() == 1 ? "it" : "them");
  }
  if (options_.scalars.size() != inputs.size()) {
    std::string needed;
    for (const auto& input : inputs)
      needed += (needed.empty() ? "" : ", ") + input.name + " " + input.dimension;
    error->all(FLERR,
               "fix {} glassml: expected {} keyword(s) scalar, one for each scalar input of model "
               "{} ({}); found {}: give 'scalar c_ID', 'scalar f_ID' or 'scalar v_name' for each, "
               "in this order",
               id, inputs.size(), options_.model_file, needed, options_.scalars.size());
  }
  for (std::size_t k = 0; k < inputs.size(); k++)
    scalars_.push_back(std::make_unique<ScalarInput>(lmp, id, options_.scalars[k], inputs[k].name));
}

void FixGlassML::allocate() {
  peratom_flag = 1;
  size_peratom_cols = n_columns_;
  peratom_freq = nevery;
  vector_flag = n_propensity_ > 0 ? 1 : 0;
  size_vector = n_propensity_;
  global_freq = nevery;
  extvector = 0;
  create_attribute = 1;
  dynamic_group_allow = 1;
  maxexchange = n_columns_;

  means_.assign(n_propensity_, 0.0);
  grow_arrays(atom->nmax);
  atom->add_callback(Atom::GROW);
  for (int i = 0; i < atom->nmax; i++) set_arrays(i);
}

void FixGlassML::init() {
  if (update->whichflag == 1 && utils::strmatch(update->integrate_style, "^respa"))
    error->all(FLERR, "fix {} glassml: expected run_style verlet; found run_style respa", id);
  if (atom->tag_enable == 0)
    error->all(FLERR, "fix {} glassml: expected atoms with IDs; found atom_modify id no", id);
  for (const auto& scalar : scalars_) scalar->init(nevery);
  if (!described_ && comm->me == 0) describe();
  described_ = true;
  check_positions();
}

/// Warns when a model of inherent or cage positions is evaluated while the atoms move thermally.
/// In a run of no steps, a minimisation or a rerun, which moves nothing, the positions may be those
/// that the model reads.
void FixGlassML::check_positions() {
  const std::string& positions = model_->manifest().positions;
  if (positions == kThermal || warned_ || update->whichflag != 1 || update->nsteps == 0) return;
  const auto& fixes = modify->get_fix_list();
  if (std::none_of(fixes.begin(), fixes.end(), [](const Fix* f) { return f->time_integrate; }))
    return;
  if (comm->me == 0)
    error->warning(FLERR,
                   "fix {} glassml: model {} reads {} positions, but is evaluated while the atoms "
                   "move: its values are not meaningful there (see the documentation of this fix)",
                   id, options_.model_file, positions);
  warned_ = true;
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
  if (manifest.positions != kThermal)
    text += fmt::format("  positions: {}; the positions of the atoms are used unchanged\n",
                        manifest.positions);
  for (const auto& scalar : scalars_)
    text += fmt::format("  scalar input: {} = {}\n", scalar->name(), scalar->source());
  const int threads = options_.threads > 0 ? options_.threads : comm->nthreads;
  text += fmt::format("  device: {}, {} thread(s) per MPI task\n", model_->device(), threads);
  utils::logmesg(lmp, text);
  log_outputs();
}

void FixGlassML::log_outputs() const {
  std::string text = "  per-atom array:\n";
  int column = 0;
  for (const std::string& name : options_.outputs) {
    const OutputEntry& output = *model_->manifest().find_output(name);
    const std::size_t n = output.columns.size();
    for (std::size_t k = 0; k < n; k++) {
      column++;
      // An output may have hundreds of features: the first and the last column are enough.
      const bool shown = n <= kColumnsInLog || k == 0 || k + 1 == n;
      if (shown) text += fmt::format("    f_{}[{}] {}\n", id, column, output.columns[k]);
      if (n > kColumnsInLog && k == 0) text += fmt::format("    ... ({})\n", name);
    }
  }
  if (n_propensity_ > 0)
    text += fmt::format("  global vector: f_{}[1] to f_{}[{}], group means of the propensity\n", id,
                        id, n_propensity_);
  utils::logmesg(lmp, text);
}

// ---- evaluation

int FixGlassML::setmask() { return POST_FORCE | MIN_POST_FORCE; }

/// At the start of a run the values are computed whatever the step: thermo and dump write them.
void FixGlassML::setup(int /*vflag*/) {
  check_three_dimensional();
  evaluate();
}

void FixGlassML::min_setup(int vflag) { setup(vflag); }

/// After the forces, positions and box are those of this step. At the end of the step other fixes
/// may have moved the box or the atoms.
void FixGlassML::post_force(int /*vflag*/) {
  if (update->ntimestep % nevery == 0) evaluate();
}

/// Evaluates the last configuration too, which a minimiser writes wherever it stops: it then sets
/// the number of steps to the number that it has made.
void FixGlassML::min_post_force(int /*vflag*/) {
  const bool last = update->ntimestep == update->firststep + update->nsteps;
  if (last || update->ntimestep % nevery == 0) evaluate();
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
  collect_scalars();
  collect_positions();
  exchange_positions();
  attempt([this] { check_scalars(); });
  attempt([this] { find_edges(); });
  halo_.request(failure.empty() ? std::span(edge_finder_.edges().sender)
                                : std::span<std::int64_t>());
  attempt([this] { begin_evaluation(); });
  for (int k = 0; k < model_->manifest().n_steps; k++) {
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

/// The positions at which the model is evaluated. They may be others than those of the atoms, and
/// anywhere: only here they are taken.
void FixGlassML::collect_positions() {
  const double* x = atom->nlocal > 0 ? atom->x[0] : nullptr;
  positions_.assign(x, x + 3 * static_cast<std::size_t>(atom->nlocal));
}

/// Orders the own atoms in rows and gets the images around them. Collective.
void FixGlassML::exchange_positions() {
  atoms_ = glassml::near_order(positions_, model_->manifest().cutoff);
  std::vector<double> by_row(positions_.size());
  for (std::size_t row = 0; row < atoms_.size(); row++)
    std::copy_n(&positions_[3 * atoms_[row]], 3, &by_row[3 * row]);
  halo_.exchange_positions(by_row, cell_of(*domain));
}

void FixGlassML::check_scalars() const {
  const std::size_t columns = scalars_.size();
  for (std::size_t k = 0; k < scalar_values_.size(); k++) {
    if (std::isfinite(scalar_values_[k])) continue;
    const ScalarInput& scalar = *scalars_[k % columns];
    throw std::runtime_error(
        fmt::format("scalar {} for the model's input '{}': expected a finite number; found {} for "
                    "atom {}",
                    scalar.source(), scalar.name(), scalar_values_[k], atom->tag[k / columns]));
  }
}

void FixGlassML::find_edges() {
  try {
    halo_.check();
    edge_finder_.find(halo_.positions(), atom->nlocal);
  } catch (const glassml::BadPosition& problem) {
    throw std::runtime_error(
        problem.text(fmt::format("atom {}", atom->tag[atoms_[problem.row()]])));
  }
  n_edges_ = static_cast<std::int64_t>(edge_finder_.edges().size());
}

void FixGlassML::begin_evaluation() {
  const std::size_t columns = scalars_.size();
  std::vector<std::int64_t> species;
  std::vector<double> scalars;
  species.reserve(atom->nlocal);
  scalars.reserve(scalar_values_.size());
  for (const int i : atoms_) {
    species.push_back(species_of_type_[atom->type[i]]);
    for (std::size_t k = 0; k < columns; k++) scalars.push_back(scalar_values_[i * columns + k]);
  }
  model_->set_threads(options_.threads > 0 ? options_.threads : comm->nthreads);
  model_->embed(species, scalars);
  model_->embed_edges(edge_finder_.edges());
}

/// The group decides for which atoms values are reported, not which atoms the model sees.
/// @param values [nlocal, columns] by rows
void FixGlassML::store(const std::vector<double>& values) {
  const double* value = values.data();
  for (const int i : atoms_) {
    const bool reported = atom->mask[i] & groupbit;
    for (int column = 0; column < n_columns_; column++, value++) {
      if (reported && !std::isfinite(*value))
        throw std::runtime_error(fmt::format(
            "output {}: expected a finite number; found {} for atom {}: a scalar input "
            "is too large for a {} model, or the parameters of the model are not finite",
            columns_[column], *value, atom->tag[i], model_->manifest().dtype));
      array_atom[i][column] = reported ? *value : 0.0;
    }
  }
}

/// Computes group means, the number of edges and the number of failures in one reduction.
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

// ---- what LAMMPS asks of a fix with per-atom values

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
         halo_.memory_usage();
}
