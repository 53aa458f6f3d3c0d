#include "configuration_copy.h"

#include <algorithm>
#include <array>
#include <climits>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <numeric>

#include "atom.h"
#include "comm.h"
#include "compute.h"
#include "domain.h"
#include "error.h"
#include "exceptions.h"
#include "force.h"
#include "input.h"
#include "lammps.h"
#include "library.h"
#include "modify.h"
#include "neighbor.h"
#include "pair.h"
#include "update.h"

// An lmp that is linked statically may lack these.
#pragma weak lammps_create_atoms
extern "C" {
int omp_get_max_threads() __attribute__((weak));
void omp_set_num_threads(int) __attribute__((weak));
}

using namespace LAMMPS_NS;

namespace {

constexpr const char* kRank = "glassml_rank";      // of the simulation, that an atom came from
constexpr const char* kRow = "glassml_row";        // there
constexpr const char* kEnergy = "glassml_energy";  // of the copied configuration
constexpr int kWidth = sizeof(ConfigurationCopy::Minimised) / sizeof(double);

/// The destructor of LAMMPS closes the plugins of the whole process, and so would remove styles
/// that the simulation uses. An instance is therefore kept for the next fix that needs one.
struct Idle {
  LAMMPS* owner;
  MPI_Comm world;
  std::string settings;
  LAMMPS* copy;
};

std::vector<Idle>& idle() {
  static std::vector<Idle> instances;
  return instances;
}

/// @returns an instance that all ranks have kept, or nullptr. Collective.
LAMMPS* reused(LAMMPS* owner, MPI_Comm world, const std::string& settings) {
  auto& instances = idle();
  const auto found = std::find_if(instances.begin(), instances.end(), [&](const Idle& i) {
    return i.owner == owner && i.world == world && i.settings == settings;
  });
  // The complement reverses the order, so one reduction gives both minimum and maximum.
  const int index = found == instances.end() ? -1 : static_cast<int>(found - instances.begin());
  const int mine[2] = {index, ~index};
  int least[2];
  MPI_Allreduce(mine, least, 2, MPI_INT, MPI_MIN, world);
  if (least[0] != ~least[1] || index < 0) return nullptr;
  LAMMPS* copy = found->copy;
  instances.erase(found);
  return copy;
}

/// A LAMMPS without output. It sets the number of threads of the process, which must stay.
LAMMPS* silent_lammps(MPI_Comm world) {
  static const char* const words[] = {"lammps", "-log", "none", "-screen", "none", "-nocite"};
  std::array<std::string, std::size(words)> text;
  std::array<char*, std::size(words) + 1> arguments{};
  for (std::size_t k = 0; k < std::size(words); k++) {
    text[k] = words[k];
    arguments[k] = text[k].data();
  }
  MPI_Comm own;
  MPI_Comm_dup(world, &own);
  const int threads = omp_get_max_threads != nullptr ? omp_get_max_threads() : 1;
  auto* copy = new LAMMPS(static_cast<int>(text.size()), arguments.data(), own);
  if (omp_set_num_threads != nullptr) omp_set_num_threads(threads);
  return copy;
}

/// The style without the suffix of an accelerator package: both write the same restart.
std::string plain_style(std::string style) {
  for (const std::string suffix :
       {"/kk/host", "/kk/device", "/kk", "/gpu", "/intel", "/omp", "/opt"})
    if (style.size() > suffix.size() && style.ends_with(suffix))
      return style.substr(0, style.size() - suffix.size());
  return style;
}

}  // namespace

ConfigurationCopy::~ConfigurationCopy() { release(); }

/// Leaves the copy to the next fix that needs one like it, unless it is broken.
void ConfigurationCopy::release() {
  if (copy_ != nullptr && !broken_) {
    forget_atoms();
    idle().push_back({lmp, world, settings_, copy_});
  }
  copy_ = nullptr;
  broken_ = false;
}

void ConfigurationCopy::renew() { stale_ = true; }

ConfigurationCopy::End ConfigurationCopy::minimise(double force_tolerance, int max_iterations) {
  if (copy_ == nullptr || broken_ || settings_ != settings()) create();
  if (stale_) copy_pair();
  take_box();
  take_masses();
  take_atoms();
  compute_energies();
  // Only now: the atoms have been sent to the ranks where they belong, which may move all arrays.
  std::copy_n(energy_->vector_atom, copy_->atom->nlocal, copy_->atom->dvector[custom(kEnergy)]);
  // As in glassml/simulation/inherent.py.
  command("min_style fire");
  command("min_modify norm max tmax 5");
  command(fmt::format("timestep {:.17g}", update->dt));
  const bigint evaluations = std::min<bigint>(10 * static_cast<bigint>(max_iterations), INT_MAX);
  command(fmt::format("minimize 0.0 {:.17g} {} {}", force_tolerance, max_iterations, evaluations));
  const End end = {copy_->update->ntimestep, 0.0};
  compute_energies();
  const double largest = largest_force();
  send_home();
  return {end.iterations, largest};
}

/// What cannot be changed once the box exists. The same in all ranks.
std::string ConfigurationCopy::settings() const {
  std::string text = fmt::format("units {}\n", update->unit_style);
  text += fmt::format("atom_style {}\n", atom->q_flag ? "charge" : "atomic");
  text += fmt::format("newton {}\n", force->newton_pair ? "on" : "off");
  text += "boundary";
  for (const int periodic : domain->periodicity) text += periodic ? " p" : " s";
  text += "\nbox tilt large\n";
  const int* grid = comm->procgrid;
  if (comm->layout != Comm::LAYOUT_TILED)
    text += fmt::format("processors {} {} {}\n", grid[0], grid[1], grid[2]);
  text += fmt::format("region glassml {} 0 1 0 1 0 1{} units box\n",
                      domain->triclinic ? "prism" : "block", domain->triclinic ? " 0 0 0" : "");
  text += fmt::format("create_box {} glassml\n", atom->ntypes);
  text += fmt::format("fix glassml_home all property/atom i_{} i_{} d_{}\n", kRank, kRow, kEnergy);
  text += "compute glassml_energy all pe/atom\n";
  return text;
}

void ConfigurationCopy::create() {
  if (lammps_create_atoms == nullptr)
    error->all(FLERR,
               "fix {} glassml: inherent structure: expected a LAMMPS with its library interface; "
               "found a program without the function lammps_create_atoms. Use another LAMMPS",
               owner_);
  release();
  settings_ = settings();
  stale_ = true;
  copy_ = reused(lmp, world, settings_);
  if (copy_ == nullptr) {
    guarded([this] { copy_ = silent_lammps(world); });
    std::string text = settings_;
    for (std::size_t end; (end = text.find('\n')) != std::string::npos; text.erase(0, end + 1))
      command(text.substr(0, end));
  }
  energy_ = copy_->modify->get_compute_by_id("glassml_energy");
}

/// Pair styles write their settings and coefficients into restart files, and read them from there.
void ConfigurationCopy::copy_pair() {
  const std::string style = plain_style(force->pair_style);
  char* text = nullptr;
  std::size_t size = 0;
  std::FILE* file = nullptr;
  if (comm->me == 0) {
    file = open_memstream(&text, &size);
    force->pair->write_restart(file);
    std::fputc('\n', file);  // a style may have nothing to write
    std::fclose(file);
    file = fmemopen(text, size, "r");
  }
  command(fmt::format("neighbor {:.17g} bin", neighbor->skin));
  command(fmt::format("neigh_modify one {} page {}", neighbor->oneatom, neighbor->pgsize));
  command(fmt::format("dielectric {:.17g}", force->dielectric));
  guarded([&] {
    copy_->force->create_pair(style, 0);
    copy_->force->pair->read_restart(file);
  });
  if (comm->me == 0) std::fclose(file);
  std::free(text);
  const Pair& copied = *copy_->force->pair;
  for (int i = 1; i <= atom->ntypes; i++)
    for (int j = i; j <= atom->ntypes; j++)
      if (force->pair->setflag[i][j] && (!copied.setflag || !copied.setflag[i][j]))
        error->all(FLERR,
                   "fix {} glassml: inherent structure: expected a pair style that writes its "
                   "coefficients into restart files; found {}, which does not",
                   owner_, force->pair_style);
  stale_ = false;
}

void ConfigurationCopy::take_box() {
  Domain& box = *copy_->domain;
  for (int d = 0; d < 3; d++) {
    box.boxlo[d] = domain->boxlo[d];
    box.boxhi[d] = domain->boxhi[d];
  }
  box.xy = domain->xy;
  box.xz = domain->xz;
  box.yz = domain->yz;
  box.set_global_box();
  box.set_local_box();
}

void ConfigurationCopy::take_masses() {
  for (int type = 1; type <= atom->ntypes; type++)
    command(fmt::format("mass {} {:.17g}", type, atom->mass[type]));
}

/// Every rank creates its atoms in the middle of its domain of the copy. From there the command
/// displace_atoms, which can send atoms anywhere, brings them to the ranks where they belong.
void ConfigurationCopy::take_atoms() {
  forget_atoms();
  command("reset_timestep 0");
  Domain& box = *copy_->domain;
  Atom& copied = *copy_->atom;
  double middle[3];
  for (int d = 0; d < 3; d++)
    middle[d] = box.triclinic ? (box.sublo_lamda[d] + box.subhi_lamda[d]) / 2.0
                              : (box.sublo[d] + box.subhi[d]) / 2.0;
  if (box.triclinic) box.lamda2x(middle, middle);
  std::vector<double> x;
  for (int i = 0; i < atom->nlocal; i++) x.insert(x.end(), middle, middle + 3);
  guarded([&] {
    lammps_create_atoms(copy_, atom->nlocal, atom->tag, atom->type, x.data(), nullptr, nullptr, 0);
  });
  int missing = copied.nlocal == atom->nlocal ? 0 : 1;
  MPI_Allreduce(MPI_IN_PLACE, &missing, 1, MPI_INT, MPI_SUM, world);
  if (missing > 0)
    error->all(
        FLERR,
        "fix {} glassml: inherent structure: expected a copy of all atoms; found that LAMMPS made "
        "none",
        owner_);
  int* const rank = copied.ivector[custom(kRank)];
  int* const row = copied.ivector[custom(kRow)];
  for (int i = 0; i < atom->nlocal; i++) {
    std::copy_n(atom->x[i], 3, copied.x[i]);
    if (atom->q_flag) copied.q[i] = atom->q[i];
    rank[i] = comm->me;
    row[i] = i;
  }
  command("displace_atoms all move 0.0 0.0 0.0 units box");
}

/// Computes forces and energies anew.
void ConfigurationCopy::compute_energies() {
  energy_->addstep(copy_->update->ntimestep);
  command("run 0 post no");
  guarded([this] { energy_->compute_peratom(); });
}

void ConfigurationCopy::command(const std::string& line) {
  guarded([&] { copy_->input->one(line); });
}

/// An error in the copy is one in the simulation.
void ConfigurationCopy::guarded(const std::function<void()>& call) {
  std::string failure;
  bool alone = false;  // not all ranks have failed
  try {
    call();
    return;
  } catch (const LAMMPSAbortException& problem) {
    failure = problem.what();
    alone = true;
  } catch (const std::exception& problem) {
    failure = problem.what();
  }
  broken_ = true;
  std::replace(failure.begin(), failure.end(), '\n', ' ');
  const std::string text = fmt::format(
      "fix {} glassml: inherent structure: expected a configuration and a pair style that a second "
      "LAMMPS can minimise; found: {}",
      owner_, failure);
  if (alone) error->one(FLERR, text);
  error->all(FLERR, text);
}

int ConfigurationCopy::custom(const char* name) const {
  int is_double = 0, columns = 0;
  return copy_->atom->find_custom(name, is_double, columns);
}

double ConfigurationCopy::largest_force() const {
  double squared = 0.0;
  for (int i = 0; i < copy_->atom->nlocal; i++) {
    const double* f = copy_->atom->f[i];
    const double force = f[0] * f[0] + f[1] * f[1] + f[2] * f[2];
    if (!(force <= squared)) squared = force;  // also what is not a number
  }
  MPI_Allreduce(MPI_IN_PLACE, &squared, 1, MPI_DOUBLE, MPI_MAX, world);
  return std::sqrt(squared);
}

void ConfigurationCopy::send_home() {
  const Atom& copied = *copy_->atom;
  const int* const rank = copied.ivector[custom(kRank)];
  const int* const row = copied.ivector[custom(kRow)];
  const double* const before = copied.dvector[custom(kEnergy)];
  std::vector<int> n_sent(comm->nprocs, 0), n_received(comm->nprocs, 0);
  for (int i = 0; i < copied.nlocal; i++) n_sent[rank[i]] += kWidth;
  MPI_Alltoall(n_sent.data(), 1, MPI_INT, n_received.data(), 1, MPI_INT, world);
  std::vector<int> send_at(comm->nprocs, 0), receive_at(comm->nprocs, 0);
  std::exclusive_scan(n_sent.begin(), n_sent.end(), send_at.begin(), 0);
  std::exclusive_scan(n_received.begin(), n_received.end(), receive_at.begin(), 0);
  outgoing_.resize(copied.nlocal);
  std::vector<int> next = send_at;
  for (int i = 0; i < copied.nlocal; i++) {
    Minimised& atom = outgoing_[next[rank[i]] / kWidth];
    next[rank[i]] += kWidth;
    atom = {static_cast<double>(row[i]), {}, before[i], energy_->vector_atom[i]};
    copy_->domain->unmap(copied.x[i], copied.image[i], atom.x);
  }
  returned_.resize(atom->nlocal);
  MPI_Alltoallv(outgoing_.data(), n_sent.data(), send_at.data(), MPI_DOUBLE, returned_.data(),
                n_received.data(), receive_at.data(), MPI_DOUBLE, world);
}

void ConfigurationCopy::forget_atoms() {
  copy_->atom->nlocal = copy_->atom->nghost = 0;
  copy_->atom->natoms = 0;
}

double ConfigurationCopy::memory_usage() const {
  return static_cast<double>(sizeof(Minimised)) * (outgoing_.capacity() + returned_.capacity());
}
