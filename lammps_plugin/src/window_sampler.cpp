#include "window_sampler.h"

#include <span>
#include <stdexcept>

#include "atom.h"
#include "atom_energy.h"
#include "comm.h"
#include "domain.h"
#include "error.h"
#include "lammps_cell.h"
#include "update.h"

using namespace LAMMPS_NS;

void WindowSampler::init(const glassml::WindowSteps& steps) {
  if (steps == steps_) return;
  steps_ = steps;
  restart();
}

/// A run begins with the step at which the run before it ended. Otherwise the step was reset, or
/// this is a snapshot of a rerun, where only missing samples end a window. Between two runs a
/// command may have made another box of this one.
void WindowSampler::setup() {
  const bigint now = update->ntimestep;
  const bool continues = now == seen_ && window_.is_near(cell_of(*domain));
  if (!continues && now == update->firststep) restart();
  seen_ = now;
  const int number = steps_.number_at(now);
  if (number > 0 && window_.n_samples() > 0 && last_ == now) {
    // Since the sample was taken, atoms may have been moved or created.
    follow();
    window_.add_missing(atom->nlocal, energy_ ? energy_->now() : std::span<const double>());
  } else if (number > 0) {
    take(number);
  }
  announce_next();
}

void WindowSampler::post_force() {
  seen_ = update->ntimestep;
  const int number = steps_.number_at(seen_);
  if (number == 0) return;
  take(number);
  announce_next();
}

void WindowSampler::interrupt() {
  restart();
  seen_ = -1;
}

/// A window begins anew with its first sample, and if a sample was missed.
void WindowSampler::take(int number) {
  const bigint now = update->ntimestep;
  const bool continues = window_.n_samples() == number - 1 && last_ == now - steps_.between;
  if (number == 1 || !continues) window_.restart();
  follow();
  window_.add(energy_ ? energy_->now() : std::span<const double>());
  last_ = now;
}

void WindowSampler::follow() {
  const std::size_t n = atom->nlocal;
  const double* x = n > 0 ? atom->x[0] : nullptr;
  const auto sum = [this](std::span<double> numbers) {
    MPI_Allreduce(MPI_IN_PLACE, numbers.data(), static_cast<int>(numbers.size()), MPI_DOUBLE,
                  MPI_SUM, world);
  };
  std::string failure;
  try {
    window_.follow({x, 3 * n}, cell_of(*domain), sum);
  } catch (const std::exception& problem) {
    failure = problem.what();  // the same in all domains
  }
  if (!failure.empty()) error->all(FLERR, "fix {} glassml: {}", owner_, failure);
}

void WindowSampler::restart() {
  window_.restart();
  last_ = -1;
  holds_ = false;
}

void WindowSampler::announce_next() {
  if (energy_ != nullptr) energy_->announce(steps_.next_sample(update->ntimestep));
}

bool WindowSampler::ready() const {
  return update->ntimestep % steps_.every == 0 && last_ == update->ntimestep &&
         window_.n_samples() == steps_.samples;
}

void WindowSampler::explain() {
  holds_ = false;
  // A window that has begun will be full at the end of the present interval.
  const bool begun = window_.n_samples() > 0 && steps_.number_at(last_) == window_.n_samples();
  const bigint first =
      begun && window_.n_samples() < steps_.samples
          ? last_ + static_cast<bigint>(steps_.samples - window_.n_samples()) * steps_.between
          : steps_.next_full(update->ntimestep + 1);
  if (first == explained_) return;
  explained_ = first;
  if (comm->me == 0)
    utils::logmesg(lmp,
                   "fix {} glassml: values are 0 until step {}, when a window of averaged "
                   "positions ({}) is full\n",
                   owner_, first, steps_.text());
}
