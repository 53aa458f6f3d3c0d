#include "window_steps.h"

#include <cmath>
#include <sstream>
#include <stdexcept>

namespace glassml {

namespace {

constexpr const char* kAverage = "average";
constexpr double kWhole = 1.0e-6;     // relative, for a whole number of steps
constexpr double kSameTime = 1.0e-5;  // relative, as in glassml/physics/times.py

std::string number(double value) {
  std::ostringstream text;
  text << value;
  return text.str();
}

std::string text(const WindowEntry& window) {
  return std::to_string(window.samples) + " samples every " + number(window.interval);
}

/// @param origin of the numbers, at the end of messages
void check(const WindowSteps& steps, const std::string& origin) {
  if (steps.every % steps.between != 0)
    throw std::runtime_error("Nevery: expected a multiple of the " + std::to_string(steps.between) +
                             " steps between two samples of averaged positions; found " +
                             std::to_string(steps.every) + origin);
  if (static_cast<std::int64_t>(steps.samples - 1) * steps.between >= steps.every)
    throw std::runtime_error(
        "Nevery: expected more steps than the window of averaged positions has, " +
        std::to_string(steps.samples - 1) + " * " + std::to_string(steps.between) + "; found " +
        std::to_string(steps.every) + origin);
}

}  // namespace

int WindowSteps::number_at(std::int64_t step) const {
  const std::int64_t back = (every - step % every) % every;
  if (back % between != 0) return 0;
  const std::int64_t number = samples - back / between;
  return number > 0 ? static_cast<int>(number) : 0;
}

std::int64_t WindowSteps::next_sample(std::int64_t step) const {
  const std::int64_t evaluation = (step / every + 1) * every;
  const std::int64_t first = evaluation - static_cast<std::int64_t>(samples - 1) * between;
  return first > step ? first : first + ((step - first) / between + 1) * between;
}

std::int64_t WindowSteps::next_full(std::int64_t step) const {
  const std::int64_t evaluation = (step + every - 1) / every * every;
  const std::int64_t first = evaluation - static_cast<std::int64_t>(samples - 1) * between;
  return first >= step ? evaluation : evaluation + every;
}

std::string WindowSteps::text() const {
  return std::to_string(samples) + " samples every " + std::to_string(between) + " steps";
}

bool reads_average(const Options& options, const Manifest& manifest) {
  return options.positions == Positions::kAverage ||
         (options.positions == Positions::kModel && manifest.positions == kAverage);
}

std::string window_text(const Options& options, const Manifest& manifest) {
  if (options.positions == Positions::kAverage)
    return WindowSteps{1, options.sample_every, options.n_samples}.text();
  return text(manifest.window.value()) + " time units";
}

void check_window(const Options& options, int every) {
  if (options.positions == Positions::kAverage)
    check({every, options.sample_every, options.n_samples}, "");
}

WindowSteps window_steps(const Options& options, const Manifest& manifest, int every,
                         double timestep) {
  if (options.positions == Positions::kAverage)
    return {every, options.sample_every, options.n_samples};
  const WindowEntry& window = manifest.window.value();
  const double exact = window.interval / timestep;
  const double between = std::rint(exact);
  if (!(between >= 1.0 && between < 1.0e9 && std::abs(exact / between - 1.0) < kWhole))
    throw std::runtime_error(
        "expected a timestep that divides the interval between the samples of "
        "the model (" +
        text(window) + "); found timestep " + number(timestep) +
        (manifest.positions == kAverage
             ? ". Give 'positions average Nsample Nrepeat', or another timestep"
             : ". Choose another timestep"));
  const WindowSteps steps = {every, static_cast<int>(between), window.samples};
  check(steps,
        " (the window of the model, " + text(window) + ", with timestep " + number(timestep) + ")");
  return steps;
}

std::string window_warning(const Options& options, const Manifest& manifest, double timestep) {
  if (options.positions == Positions::kThermal && manifest.positions == kAverage)
    return "reads averaged positions (" + text(manifest.window.value()) +
           "), but is given thermal ones: its values are less accurate";
  if (options.positions == Positions::kInherent && manifest.positions != "inherent")
    return "reads " + manifest.positions +
           " positions, but is given those of inherent structures: its values are less accurate";
  if (options.positions != Positions::kAverage) return "";
  const WindowEntry found = {options.sample_every * timestep, options.n_samples};
  if (manifest.positions != kAverage)
    return "reads " + manifest.positions + " positions, but is given averages over " + text(found) +
           ": its values are less accurate";
  const WindowEntry& expected = manifest.window.value();
  if (found.samples == expected.samples &&
      std::abs(found.interval / expected.interval - 1.0) < kSameTime)
    return "";
  return "was trained on averages over " + text(expected) + ", but is given averages over " +
         text(found) + ": its values are less accurate";
}

}  // namespace glassml
