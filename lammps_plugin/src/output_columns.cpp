#include "output_columns.h"

#include <set>
#include <stdexcept>

#include "group_statistics.h"

namespace glassml {

namespace {

const std::string kPropensity = "propensity";
const std::string kSpread = "propensity_spread";

/// The spread has a column for each one of the propensity: "propensity_t=1" gives
/// "propensity_spread_t=1".
OutputEntry spread_entry(const OutputEntry& propensity) {
  OutputEntry entry{kSpread, propensity.columns, propensity.dimension};
  for (std::string& column : entry.columns)
    if (column.starts_with(kPropensity)) column.insert(kPropensity.size(), "_spread");
  return entry;
}

OutputEntry find(const Manifest& manifest, const Options& options, const std::string& name) {
  const OutputEntry* propensity = manifest.find_output(kPropensity);
  if (name == kSpread && propensity != nullptr) {
    if (options.smooth == 0)
      throw std::runtime_error(
          "keyword output: propensity_spread: expected the keyword smooth, which sets the number "
          "of evaluations; found none. Add 'smooth M'");
    return spread_entry(*propensity);
  }
  if (const OutputEntry* output = manifest.find_output(name)) return *output;
  for (const OutputEntry& entry : manifest.edge_outputs)
    if (entry.name == name)
      throw std::runtime_error("keyword output: expected outputs of atoms; found '" + name +
                               "', which is for pairs of atoms. Give 'edges yes'");
  std::vector<std::string> known;
  for (const OutputEntry& entry : manifest.outputs) known.push_back(entry.name);
  if (options.smooth > 0) known.push_back(kSpread);
  throw std::runtime_error("keyword output: expected outputs of model " + options.model_file +
                           " (" + joined(known) + "); found '" + name + "'");
}

/// Keywords that need the propensity are refused without it, instead of having no effect.
void check_propensity(const Options& options) {
  const std::string outputs = joined(options.outputs);
  for (const auto& [keyword, given] : {std::pair{"smooth", options.smooth > 0},
                                       {"threshold", options.threshold > 0.0},
                                       {"chi4", options.chi4_given}})
    if (given)
      throw std::runtime_error("keyword " + std::string(keyword) +
                               ": expected propensity among the outputs; found " + outputs);
}

}  // namespace

OutputColumns arrange_outputs(const Manifest& manifest, const Options& options) {
  OutputColumns result;
  std::set<std::string> chosen;
  for (const std::string& name : options.outputs) {
    const OutputEntry entry = find(manifest, options, name);
    if (!chosen.insert(name).second)
      throw std::runtime_error("keyword output: expected different outputs; found '" + name +
                               "' twice");
    const int first = result.n_columns();
    if (name == kSpread) {
      result.first_spread = first;
    } else {
      result.from_model.push_back(name);
      for (std::size_t k = 0; k < entry.columns.size(); k++)
        result.columns.push_back(first + static_cast<int>(k));
    }
    if (name == kPropensity) {
      result.first_propensity = first;
      result.n_propensity = static_cast<int>(entry.columns.size());
    }
    for (const std::string& column : entry.columns)
      result.names.push_back("'" + name + "', column '" + column + "'");
    result.entries.push_back(entry);
  }
  if (result.n_propensity == 0) check_propensity(options);
  return result;
}

double mobility_threshold(const Manifest& manifest, const Options& options) {
  if (options.threshold > 0.0) return options.threshold;
  if (manifest.length_unit == "lj") return kLennardJonesThreshold;
  if (options.chi4_given)
    throw std::runtime_error(
        "keyword chi4: expected the keyword threshold, which has no default for lengths in '" +
        manifest.length_unit + "'; found none. Add 'threshold LENGTH'");
  return 0.0;
}

}  // namespace glassml
