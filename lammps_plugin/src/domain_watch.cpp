#include "domain_watch.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numbers>
#include <stdexcept>

namespace glassml {

namespace {

// Beyond the range of the training data; relative, except for fractions of particles.
constexpr double kDensity = 0.02;
constexpr double kTemperature = 0.1;
constexpr double kNeighbours = 0.05;
constexpr double kComposition = 0.02;
constexpr double kStructure = 0.04;

constexpr double kMostNeighbours = 4000;

std::string number(double value, int digits = 4) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.*g", digits, value);
  return text;
}

/// Whether a value lies within a range that is widened by a relative tolerance.
bool within(double value, const Range& known, double tolerance) {
  return known.low * (1.0 - tolerance) <= value && value <= known.high * (1.0 + tolerance);
}

}  // namespace

std::string range_text(const Range& known) {
  const std::string low = number(known.low), high = number(known.high);
  return low == high ? low : low + " to " + high;
}

void check_number_of_neighbours(const Manifest& manifest, double n_atoms, double volume) {
  const double sphere = 4.0 / 3.0 * std::numbers::pi * std::pow(manifest.cutoff, 3);
  const double neighbours = n_atoms / volume * sphere;
  if (!(neighbours > kMostNeighbours)) return;
  throw std::runtime_error("expected at most " + number(kMostNeighbours) +
                           " neighbours of an atom within the cutoff " + number(manifest.cutoff) +
                           "; found about " + number(neighbours, 2) + " at the density " +
                           number(n_atoms / volume) + ". Are lengths in the unit of the model (" +
                           manifest.length_unit + ")?");
}

DomainWatch::DomainWatch(const Manifest& manifest) : manifest_(manifest) {
  n_species_ = manifest.species.size();
  if (manifest.domain) n_counts_ = n_species_ * (1 + n_species_ * kShells);
}

void DomainWatch::count(const Edges& edges, std::span<const std::int32_t> species,
                        std::size_t n_local, double* counts) const {
  double* shells = counts + n_species_;
  const double scale = kShells / manifest_.cutoff;
  for (std::size_t receiver = 0; receiver < n_local; receiver++) {
    const std::size_t a = species[receiver];
    counts[a] += 1.0;
    for (std::int64_t e = edges.first_edge[receiver]; e < edges.first_edge[receiver + 1]; e++) {
      const double* x = &edges.vector[3 * e];
      const double r = std::sqrt(x[0] * x[0] + x[1] * x[1] + x[2] * x[2]);
      const auto shell = std::min(static_cast<std::size_t>(r * scale), kShells - 1);
      const std::size_t b = species[edges.sender[e]];
      shells[(a * n_species_ + b) * kShells + shell] += 1.0;
    }
  }
}

std::string DomainWatch::news(const double* counts, const SystemState& state) {
  if (!manifest_.domain) return "";
  double n = 0.0, edges = 0.0;
  for (std::size_t k = 0; k < n_species_; k++) n += counts[k];
  for (std::size_t k = n_species_; k < n_counts_; k++) edges += counts[k];
  std::vector<Outside> found = this->state(n, edges / n, state);
  for (const Outside& one : composition(counts, n)) found.push_back(one);
  // A different state or composition explains a different structure.
  if (found.empty()) found = structure(counts, n);
  std::string text;
  for (const Outside& one : found)
    if (said_.insert(one.quantity).second)
      text += (text.empty() ? "" : "; ") + one.quantity + ": expected " + one.expected +
              "; found " + one.found;
  return text;
}

/// Far outside is farther from the range of the labels than it is wide.
std::string DomainWatch::news_of_predictions(const std::vector<double>& least,
                                             const std::vector<double>& largest) {
  const std::vector<std::string>& names = manifest_.find_output("propensity")->columns;
  const std::string unit = manifest_.length_unit == "lj" ? "" : " " + manifest_.length_unit;
  std::string text;
  for (std::size_t k = 0; k < least.size(); k++) {
    const std::optional<Range>& known = manifest_.domain->propensity[k];
    if (!known || least[k] > largest[k]) continue;  // no atoms
    const double middle = (known->low + known->high) / 2, width = known->high - known->low;
    const double farthest = middle - least[k] > largest[k] - middle ? least[k] : largest[k];
    if (std::abs(farthest - middle) <= 1.5 * width || !said_.insert(names[k]).second) continue;
    text += (text.empty() ? "" : "; ") + names[k] + ": expected " + range_text(*known) + unit +
            "; found " + number(farthest) + unit;
  }
  return text;
}

std::vector<DomainWatch::Outside> DomainWatch::state(double n, double neighbours,
                                                     const SystemState& state) const {
  const DomainEntry& domain = *manifest_.domain;
  if (domain.dimension != 3) return {{"dimension", std::to_string(domain.dimension), "3"}};
  std::vector<Outside> result;
  if (domain.periodic && !state.periodic)
    result.push_back({"boundaries", "periodic ones", "others"});
  const bool reduced = manifest_.length_unit == "lj";
  const auto compare = [&](const std::string& quantity, std::optional<double> value,
                           const std::optional<Range>& known, double tolerance,
                           const std::string& unit) {
    if (value && known && !within(*value, *known, tolerance))
      result.push_back({quantity, range_text(*known) + unit, number(*value) + unit});
  };
  const double fluctuation = 0.6 / std::sqrt(n);
  std::optional<double> density;
  if (state.periodic) density = n / state.volume;
  compare("number density", density, domain.number_density, kDensity + fluctuation,
          reduced ? "" : " / " + manifest_.length_unit + "^3");
  compare("neighbours within the cutoff", neighbours, domain.neighbours, kNeighbours + fluctuation,
          "");
  compare("temperature", state.temperature, domain.temperature,
          kTemperature + 3.0 * std::sqrt(2.0 / (3.0 * n)), reduced ? "" : " K");
  return result;
}

std::vector<DomainWatch::Outside> DomainWatch::composition(const double* counts, double n) const {
  std::vector<Outside> result;
  if (manifest_.domain->dimension != 3) return result;
  for (std::size_t k = 0; k < n_species_; k++) {
    const Range& known = manifest_.domain->composition[k];
    const double x = counts[k] / n;
    const double margin = kComposition + 3.0 * std::sqrt(known.high * (1.0 - known.low) / n);
    if (x < known.low - margin || x > known.high + margin)
      result.push_back({"fraction of " + manifest_.species[k], range_text(known), number(x, 3)});
  }
  return result;
}

std::vector<DomainWatch::Outside> DomainWatch::structure(const double* counts, double n) const {
  const DomainEntry& domain = *manifest_.domain;
  const double* shells = counts + n_species_;
  double difference = 0.0, noise = 0.0, total = 0.0, largest = -1.0, found = 0.0;
  std::size_t where = 0;
  for (std::size_t k = 0; k < domain.shells.size(); k++) {
    const std::size_t a = k / kShells / n_species_, b = k / kShells % n_species_;
    const double particles = std::max(counts[a], 1.0);
    const double x = counts[a] / n, here = shells[k] / particles, known = domain.shells[k];
    const double part = x * std::abs(here - known);
    difference += part;
    // Of a pair of equal species both particles count it. The training data have noise too.
    const double variance = known * (1.0 / particles + 1.0 / std::max(domain.particles[a], 1.0));
    noise += x * std::sqrt(2.0 / std::numbers::pi * (a == b ? 2.0 : 1.0) * variance);
    total += x * known;
    if (part > largest) {
      largest = part;
      where = k;
      found = here;
    }
  }
  if (total <= 0.0) return {};
  difference /= total;
  noise /= total;
  const double departure = std::sqrt(std::max(0.0, difference * difference - noise * noise));
  if (departure <= domain.spread + kStructure + noise / 2.0) return {};
  const std::size_t a = where / kShells / n_species_, b = where / kShells % n_species_;
  const double width = manifest_.cutoff / kShells;
  const double near = width * static_cast<double>(where % kShells);
  return {{"local structure",
           number(domain.shells[where], 3) + " neighbours " + manifest_.species[b] +
               " of a particle " + manifest_.species[a] + " between " + number(near, 3) + " and " +
               number(near + width, 3),
           number(found, 3)}};
}

}  // namespace glassml
