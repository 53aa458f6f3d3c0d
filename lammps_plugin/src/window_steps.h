// The steps at which samples of averaged positions are taken. No LAMMPS, no torch.
#pragma once

#include <cstdint>
#include <string>

#include "manifest.h"
#include "options.h"

namespace glassml {

/// As in fix ave/atom: the model is evaluated on multiples of `every`; the samples of a window are
/// taken then, and `between`, 2 * `between`, ... steps before. Windows do not overlap.
struct WindowSteps {
  int every = 1;
  int between = 1;
  int samples = 1;

  bool operator==(const WindowSteps&) const = default;

  /// @returns number of the sample that is taken at a step, from 1 to `samples`; 0 if there is none
  int number_at(std::int64_t step) const;

  /// @returns first step after this one at which a sample is taken
  std::int64_t next_sample(std::int64_t step) const;

  /// @returns first evaluation whose window begins at this step or later
  std::int64_t next_full(std::int64_t step) const;

  /// "20 samples every 10 steps"
  std::string text() const;
};

/// Whether the model is evaluated at averaged positions.
bool reads_average(const Options& options, const Manifest& manifest);

/// @returns the window for the log: "20 samples every 10 steps", or in units of time
std::string window_text(const Options& options, const Manifest& manifest);

/// Checks the numbers of `positions average Nsample Nrepeat`, which do not depend on the timestep.
/// @throws std::runtime_error that says what was expected and what was found
void check_window(const Options& options, int every);

/// The steps of the window that the user has given or that the model was trained with.
/// @param every number of steps between two evaluations
/// @param timestep of the simulation [time]
/// @throws std::runtime_error that says what was expected and what was found
WindowSteps window_steps(const Options& options, const Manifest& manifest, int every,
                         double timestep);

/// @returns a warning if the model was not trained with the positions or the window that it is
/// given, or ""
std::string window_warning(const Options& options, const Manifest& manifest, double timestep);

}  // namespace glassml
