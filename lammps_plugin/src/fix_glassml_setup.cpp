// fix glassml: arguments, checks and what the log tells.
#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <stdexcept>

#include "atom.h"
#include "comm.h"
#include "domain.h"
#include "error.h"
#include "fix_glassml.h"
#include "force.h"
#include "memory.h"
#include "modify.h"
#include "neighbor.h"
#include "pair.h"
#include "update.h"

using namespace LAMMPS_NS;
using glassml::Manifest;
using glassml::OutputEntry;

namespace {

constexpr const char* kPropensity = "propensity";
constexpr const char* kThermal = "thermal";
constexpr std::size_t kColumnsInLog = 16;

// As in glassml/data/configuration.py: unit cells of crystals may be a single layer of a few atoms.
constexpr bigint kLargestPlanarCell = 16;
constexpr double kFlat = 1.0e-9;  // of the box

const std::map<std::string, std::string> kLengthUnits = {
    {"lj", "lj"},   {"real", "angstrom"}, {"metal", "angstrom"}, {"electron", "bohr"},
    {"nano", "nm"}, {"micro", "um"},      {"si", "m"},           {"cgs", "cm"}};

/// @returns the arguments after fix ID group glassml Nevery
std::vector<std::string> words(int narg, char** arg) { return {arg + 4, arg + narg}; }

/// Number of this process among those of this LAMMPS on the same machine.
int rank_on_machine(MPI_Comm world) {
  MPI_Comm machine;
  MPI_Comm_split_type(world, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &machine);
  int rank = 0;
  MPI_Comm_rank(machine, &rank);
  MPI_Comm_free(&machine);
  return rank;
}

}  // namespace

FixGlassML::FixGlassML(LAMMPS* lmp, int narg, char** arg)
    : Fix(lmp, narg, arg), edge_finder_(0.0), rows_(comm->me) {
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
               "fix {} glassml: the models are three-dimensional, this is a 2d simulation "
               "(command dimension 2)",
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
  } catch (const std::exception& problem) {
    failure = problem.what();
  }
  stop_if_failed(failure);
  check_same_model();
}

/// Ranks may run on machines that hold different files of that name. With different models they
/// would wait for each other for ever, or exchange features that mean different things.
void FixGlassML::check_same_model() const {
  // The complement turns the order round, so one reduction gives both minimum and maximum.
  const long long mine[2] = {model_->fingerprint(), ~model_->fingerprint()};
  long long least[2];
  MPI_Allreduce(mine, least, 2, MPI_LONG_LONG, MPI_MIN, world);
  if (least[0] == ~least[1]) return;
  error->all(FLERR,
             "fix {} glassml: model file {} is not the same on all MPI tasks: expected one file; "
             "found different contents: give every machine the same copy",
             id, options_.model_file);
}

void FixGlassML::map_species() {
  const Manifest& manifest = model_->manifest();
  species_of_type_.assign(atom->ntypes + 1, -1);
  for (int type = 1; type <= atom->ntypes; type++) {
    const std::string& name = options_.species[type - 1];
    species_of_type_[type] = manifest.species_index(name);
    if (species_of_type_[type] < 0)
      error->all(FLERR, "fix {} glassml: unknown species '{}' for atom type {}: model {} knows {}",
                 id, name, type, options_.model_file, glassml::joined(manifest.species));
  }
}

void FixGlassML::check_units() const {
  const Manifest& manifest = model_->manifest();
  const auto found = kLengthUnits.find(update->unit_style);
  const std::string here = found == kLengthUnits.end() ? "unknown" : found->second;
  if (here == manifest.length_unit) return;
  error->all(FLERR,
             "fix {} glassml: model {} has the length unit '{}', but with 'units {}' lengths are "
             "in '{}'",
             id, options_.model_file, manifest.length_unit, update->unit_style, here);
}

void FixGlassML::select_outputs() {
  const Manifest& manifest = model_->manifest();
  std::set<std::string> chosen;
  for (const std::string& name : options_.outputs) {
    const OutputEntry* output = manifest.find_output(name);
    if (output == nullptr) {
      std::vector<std::string> known;
      for (const OutputEntry& entry : manifest.outputs) known.push_back(entry.name);
      error->all(FLERR, "fix {} glassml: keyword output: unknown output '{}': model {} has {}", id,
                 name, options_.model_file, glassml::joined(known));
    }
    if (!chosen.insert(name).second)
      error->all(FLERR, "fix {} glassml: keyword output: '{}' is given twice", id, name);
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
    error->all(FLERR, "fix {} glassml: model {} takes no scalar inputs; found {}: remove {}", id,
               options_.model_file, given, options_.scalars.size() == 1 ? "it" : "them");
  }
  if (options_.scalars.size() != inputs.size()) {
    std::string needed;
    for (const auto& input : inputs)
      needed += (needed.empty() ? "" : ", ") + input.name + " " + input.dimension;
    error->all(FLERR,
               "fix {} glassml: model {} needs {} scalar input(s){}{}; found {} keyword(s) scalar: "
               "give 'scalar c_ID', 'scalar f_ID' or 'scalar v_name' for each, in this order",
               id, options_.model_file, inputs.size(), needed.empty() ? "" : ": ", needed,
               options_.scalars.size());
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
  // Upper bounds: rows of float32 take half of this.
  for (const std::int64_t width : model_->manifest().state_widths)
    comm_forward = std::max(comm_forward, static_cast<int>(width));
  comm_reverse = 1;

  means_.assign(n_propensity_, 0.0);
  grow_arrays(atom->nmax);
  atom->add_callback(Atom::GROW);
  for (int i = 0; i < atom->nmax; i++) set_arrays(i);
}

void FixGlassML::init() {
  if (update->whichflag == 1 && utils::strmatch(update->integrate_style, "^respa"))
    error->all(FLERR, "fix {} glassml: run_style respa is not supported, use run_style verlet", id);
  if (comm->mode != Comm::SINGLE)
    error->all(FLERR, "fix {} glassml: expected comm_modify mode single; found mode multi", id);
  if (atom->firstgroupname != nullptr)
    error->all(FLERR,
               "fix {} glassml: atom_modify first is not supported, it may leave ghost atoms out",
               id);
  if (atom->tag_enable == 0)
    error->all(FLERR, "fix {} glassml: expected atoms with IDs; found atom_modify id no", id);
  for (const auto& scalar : scalars_) scalar->init(nevery);
  provide_ghosts();
  if (!described_ && comm->me == 0) describe();
  described_ = true;
  check_positions();
}

/// Of atoms that move thermally such a model is given what it has not learnt from. A run of no
/// steps and a minimisation may be at the positions that it reads; so may a rerun, which moves
/// nothing.
void FixGlassML::check_positions() {
  const std::string& positions = model_->manifest().positions;
  if (positions == kThermal || warned_ || update->whichflag != 1 || update->nsteps == 0) return;
  const auto& fixes = modify->get_fix_list();
  if (std::none_of(fixes.begin(), fixes.end(), [](const Fix* f) { return f->time_integrate; }))
    return;
  if (comm->me == 0)
    error->warning(FLERR,
                   "fix {} glassml: model {} reads {} positions, but is evaluated while the atoms "
                   "move: its values mean little there (see the documentation of this fix)",
                   id, options_.model_file, positions);
  warned_ = true;
}

/// Ghosts must reach as far as the model sees, and stay so while atoms move by the skin.
void FixGlassML::provide_ghosts() {
  const double needed = model_->manifest().cutoff + neighbor->skin;
  const double from_pair = force->pair != nullptr ? force->pair->cutforce + neighbor->skin : 0.0;
  const double present = std::max(comm->cutghostuser, from_pair);
  if (present >= needed) return;
  comm->cutghostuser = needed;
  raised_from_ = present;
  if (described_ && comm->me == 0)
    utils::logmesg(lmp, "fix {} glassml: ghost cutoff raised from {:g} to {:g}\n", id, present,
                   needed);
}

/// A liquid whose atoms all lie in one plane is a two-dimensional system in a box of three
/// dimensions, which Python takes only where the box is not periodic across it. Collective.
void FixGlassML::check_three_dimensional() const {
  if (atom->natoms <= kLargestPlanarCell) return;
  double mine[6];  // smallest place along each lattice direction, largest with the sign turned
  std::fill_n(mine, 6, std::numeric_limits<double>::infinity());
  for (int i = 0; i < atom->nlocal; i++) {
    double place[3];
    domain->x2lamda(atom->x[i], place);
    for (int d = 0; d < 3; d++) {
      mine[d] = std::min(mine[d], place[d]);
      mine[d + 3] = std::min(mine[d + 3], -place[d]);
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
    text += fmt::format("  positions: {}; those of the atoms are taken for them as they are\n",
                        manifest.positions);
  for (const auto& scalar : scalars_)
    text += fmt::format("  scalar input: {} = {}\n", scalar->name(), scalar->source());
  const int threads = options_.threads > 0 ? options_.threads : comm->nthreads;
  text += fmt::format("  device: {}, {} thread(s) per MPI task\n", model_->device(), threads);
  if (raised_from_ >= 0.0)
    text +=
        fmt::format("  ghost cutoff: raised from {:g} to {:g}\n", raised_from_, comm->cutghostuser);
  else
    text += "  ghost cutoff: large enough, not raised\n";
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
      // Features come by the hundred: their first and last column tell where they are.
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
