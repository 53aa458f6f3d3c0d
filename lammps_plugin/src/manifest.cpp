#include "manifest.h"

#include <algorithm>
#include <array>
#include <limits>
#include <set>
#include <stdexcept>

// LAMMPS contains this library in a namespace of its own, so it cannot clash with another copy.
#include "nlohmann/json.hpp"

namespace glassml {

namespace {

#ifdef GLASSML_SYSTEM_JSON
using Json = nlohmann::json;
#else
using Json = nlohmann_lmp::json;
#endif

// Version 2 changed only the object `training`, which is not read here. Version 3 added `domain`,
// version 4 the memory of edges and `sent_widths`.
constexpr std::array<std::int64_t, 5> kFormatVersions = {1, 2, 3, 4, 5};

constexpr int kDeepest = 20;  // lists in lists
// Far above what any model needs, far below what torch, MPI or memory cannot take.
constexpr std::int64_t kMostSteps = 1000;
constexpr std::int64_t kMostColumns = 65536;  // of outputs and of a node's state
constexpr double kLargestCutoff = 1e6;

/// A value for people: not longer than a line.
std::string shown(const Json& value) {
  const std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  return text.size() > 60 ? text.substr(0, 57) + "..." : text;
}

/// JSON nested more deeply than a manifest would overflow the stack of what reads it.
bool is_nested_too_deeply(const std::string& text) {
  int depth = 0;
  bool in_text = false;
  for (std::size_t k = 0; k < text.size(); k++) {
    if (in_text && text[k] == '\\')
      k++;
    else if (text[k] == '"')
      in_text = !in_text;
    else if (!in_text && (text[k] == '[' || text[k] == '{') && ++depth > kDeepest)
      return true;
    else if (!in_text && (text[k] == ']' || text[k] == '}'))
      depth--;
  }
  return false;
}

/// A JSON object and its name in messages.
class Reader {
 public:
  Reader(const Json& object, std::string where) : object_(object), where_(std::move(where)) {
    if (!object_.is_object()) fail("", "a JSON object", shown(object_));
  }

  std::string text(const std::string& field) const {
    const Json& value = get(field, "a text");
    if (!value.is_string()) fail(field, "a text", shown(value));
    return value.get<std::string>();
  }

  std::int64_t integer(const std::string& field) const {
    const Json& value = get(field, "an integer");
    if (!value.is_number_integer()) fail(field, "an integer", shown(value));
    return value.get<std::int64_t>();
  }

  double positive_number(const std::string& field) const {
    const Json& value = get(field, "a positive number");
    if (!value.is_number() || !(value.get<double>() > 0.0))
      fail(field, "a positive number", shown(value));
    return value.get<double>();
  }

  double number(const std::string& field) const {
    const Json& value = get(field, "a number");
    if (!value.is_number()) fail(field, "a number", shown(value));
    return value.get<double>();
  }

  bool flag(const std::string& field) const {
    const Json& value = get(field, "true or false");
    if (!value.is_boolean()) fail(field, "true or false", shown(value));
    return value.get<bool>();
  }

  Range range(const std::string& field) const { return range_of(field, get(field, "a range")); }

  std::optional<Range> range_if_known(const std::string& field) const {
    if (!has(field)) return std::nullopt;
    return range(field);
  }

  Range range_of(const std::string& field, const Json& value) const {
    if (!value.is_array() || value.size() != 2 || !value[0].is_number() || !value[1].is_number())
      fail(field, "the smallest and the largest value", shown(value));
    return {value[0].get<double>(), value[1].get<double>()};
  }

  std::vector<std::string> texts(const std::string& field) const {
    std::vector<std::string> result;
    for (const Json& value : list(field)) {
      if (!value.is_string()) fail(field, "a list of texts", shown(value));
      result.push_back(value.get<std::string>());
    }
    return result;
  }

  const Json& list(const std::string& field) const {
    const Json& value = get(field, "a list");
    if (!value.is_array()) fail(field, "a list", shown(value));
    return value;
  }

  /// Whether there is such a field that is not null.
  bool has(const std::string& field) const {
    const auto found = object_.find(field);
    return found != object_.end() && !found->is_null();
  }

  /// A field that must be there.
  const Json& object(const std::string& field) const { return get(field, "a JSON object"); }

  const std::string& where() const { return where_; }

  [[noreturn]] void fail(const std::string& field, const std::string& expected,
                         const std::string& found) const {
    const std::string place = field.empty() ? where_ : where_ + ": field '" + field + "'";
    throw std::runtime_error(place + ": expected " + expected + "; found " + found);
  }

 private:
  const Json& get(const std::string& field, const std::string& expected) const {
    const auto found = object_.find(field);
    if (found == object_.end()) fail(field, expected, std::string("nothing"));
    return *found;
  }

  const Json& object_;
  std::string where_;
};

/// Must be called first: in a file of another format or version, no other field can be relied on.
void check_version(const Reader& reader) {
  const std::string format = reader.text("format");
  if (format != "glassml-model") reader.fail("format", "'glassml-model'", "'" + format + "'");
  const std::int64_t version = reader.integer("format_version");
  if (std::find(kFormatVersions.begin(), kFormatVersions.end(), version) != kFormatVersions.end())
    return;
  std::string known;
  for (const std::int64_t number : kFormatVersions)
    known += (known.empty() ? "" : " or ") + std::to_string(number);
  const char* advice = version > kFormatVersions.back()
                           ? ". Install a newer glassml and run 'glassml build'"
                           : ". Export the model again";
  reader.fail("format_version", known + ", which this plugin reads",
              std::to_string(version) + advice);
}

std::vector<std::int64_t> widths(const Reader& reader, const std::string& field,
                                 std::int64_t least) {
  std::vector<std::int64_t> result;
  for (const Json& value : reader.list(field)) {
    if (!value.is_number_integer() || value.get<std::int64_t>() < least ||
        value.get<std::int64_t>() > kMostColumns)
      reader.fail(field,
                  "integers from " + std::to_string(least) + " to " + std::to_string(kMostColumns),
                  shown(value));
    result.push_back(value.get<std::int64_t>());
  }
  return result;
}

void read_state_widths(const Reader& reader, Manifest& manifest) {
  const std::int64_t steps = reader.integer("n_steps");
  if (steps < 1 || steps > kMostSteps)
    reader.fail("n_steps", "an integer from 1 to " + std::to_string(kMostSteps),
                std::to_string(steps));
  manifest.n_steps = static_cast<int>(steps);
  manifest.state_widths = widths(reader, "state_widths", 1);
  if (static_cast<std::int64_t>(manifest.state_widths.size()) != steps + 1)
    reader.fail("state_widths", std::to_string(steps + 1) + " entries (n_steps + 1)",
                std::to_string(manifest.state_widths.size()));
  manifest.sent_widths = manifest.state_widths;
  manifest.sent_widths.pop_back();
  if (!reader.has("sent_widths")) return;
  manifest.sent_widths = widths(reader, "sent_widths", 0);
  if (static_cast<std::int64_t>(manifest.sent_widths.size()) != steps)
    reader.fail("sent_widths", std::to_string(steps) + " entries (n_steps)",
                std::to_string(manifest.sent_widths.size()));
  for (std::size_t k = 0; k < manifest.sent_widths.size(); k++)
    if (manifest.sent_widths[k] > manifest.state_widths[k])
      reader.fail("sent_widths", "at most the state_widths",
                  std::to_string(manifest.sent_widths[k]) + " before step " + std::to_string(k));
}

void read_summed_widths(const Reader& reader, Manifest& manifest) {
  manifest.summed_widths.assign(manifest.state_widths.size(), 0);
  if (!reader.has("summed_widths")) return;
  manifest.summed_widths = widths(reader, "summed_widths", 0);
  if (manifest.summed_widths.size() != manifest.state_widths.size())
    reader.fail("summed_widths",
                std::to_string(manifest.state_widths.size()) + " entries (n_steps + 1)",
                std::to_string(manifest.summed_widths.size()));
}

void read_window(const Reader& reader, Manifest& manifest) {
  if (!reader.has("window")) {
    if (manifest.positions == "average")
      reader.fail("window", "a window for averaged positions", "none");
    return;
  }
  const Reader entry(reader.object("window"), reader.where() + ", window");
  const std::int64_t samples = entry.integer("samples");
  if (samples < 1 || samples > std::numeric_limits<int>::max())
    entry.fail("samples", "a positive integer", std::to_string(samples));
  manifest.window = {entry.positive_number("interval"), static_cast<int>(samples)};
}

/// The numbers in nested lists, in order.
void append_numbers(const Reader& reader, const Json& value, std::vector<double>& numbers) {
  if (value.is_number()) return numbers.push_back(value.get<double>());
  if (!value.is_array()) reader.fail("particles and shells", "numbers", shown(value));
  for (const Json& part : value) append_numbers(reader, part, numbers);
}

void read_domain(const Reader& reader, Manifest& manifest) {
  if (!reader.has("domain")) return;
  const Reader entry(reader.object("domain"), reader.where() + ", domain");
  DomainEntry domain;
  domain.dimension = static_cast<int>(entry.integer("dimension"));
  domain.periodic = entry.flag("periodic");
  domain.number_density = entry.range_if_known("number_density");
  domain.temperature = entry.range_if_known("temperature");
  domain.neighbours = entry.range("neighbours");
  domain.spread = entry.number("spread");
  for (const Json& value : entry.list("composition"))
    domain.composition.push_back(entry.range_of("composition", value));
  if (entry.has("propensity"))
    for (const Json& value : entry.list("propensity"))
      domain.propensity.push_back(
          value.is_null() ? std::nullopt : std::optional(entry.range_of("propensity", value)));
  append_numbers(entry, entry.list("particles"), domain.particles);
  append_numbers(entry, entry.list("shells"), domain.shells);
  const std::size_t n = manifest.species.size();
  if (domain.composition.size() != n)
    entry.fail("composition", std::to_string(n) + " ranges, one for each species",
               std::to_string(domain.composition.size()));
  if (domain.particles.size() != n)
    entry.fail("particles", std::to_string(n) + " numbers",
               std::to_string(domain.particles.size()));
  if (domain.shells.size() != n * n * kShells)
    entry.fail("shells", std::to_string(n * n * kShells) + " numbers",
               std::to_string(domain.shells.size()));
  manifest.domain = domain;
}

std::vector<OutputEntry> output_entries(const Reader& reader, const std::string& field) {
  std::vector<OutputEntry> result;
  for (const Json& value : reader.list(field)) {
    const Reader entry(value, reader.where() + ", " + field);
    result.push_back({entry.text("name"), entry.texts("columns"), entry.text("dimension")});
    const auto columns = static_cast<std::int64_t>(result.back().columns.size());
    if (columns < 1 || columns > kMostColumns)
      entry.fail("columns", "1 to " + std::to_string(kMostColumns) + " columns",
                 std::to_string(columns));
  }
  return result;
}

void read_outputs(const Reader& reader, Manifest& manifest) {
  manifest.outputs = output_entries(reader, "outputs");
  if (manifest.outputs.empty()) reader.fail("outputs", "one output or more", "an empty list");
  if (reader.has("edge_outputs")) manifest.edge_outputs = output_entries(reader, "edge_outputs");
  if (reader.has("edge_width")) manifest.edge_width = reader.integer("edge_width");
  if (manifest.edge_width < 0 || manifest.edge_width > kMostColumns)
    reader.fail("edge_width", "an integer from 0 to " + std::to_string(kMostColumns),
                std::to_string(manifest.edge_width));
  if (manifest.edge_width == 0 && !manifest.edge_outputs.empty())
    reader.fail("edge_outputs", "none, as edge_width is 0", manifest.edge_outputs[0].name);
}

/// Outputs that were not trained, in the model or a member of a committee.
void read_untrained(const Json& training, const std::string& where, Manifest& manifest) {
  if (!training.is_object()) return;
  const Reader record(training, where + ", training");
  if (record.has("untrained"))
    for (const std::string& name : record.texts("untrained")) manifest.untrained.push_back(name);
  if (!record.has("members")) return;
  for (const Json& member : record.list("members")) read_untrained(member, where, manifest);
}

void check_label_ranges(const Reader& reader, const Manifest& manifest) {
  if (!manifest.domain || manifest.domain->propensity.empty()) return;
  const OutputEntry* output = manifest.find_output("propensity");
  const std::size_t columns = output == nullptr ? 0 : output->columns.size();
  if (manifest.domain->propensity.size() != columns)
    reader.fail("domain", std::to_string(columns) + " ranges of the propensity, one for each time",
                std::to_string(manifest.domain->propensity.size()));
}

}  // namespace

Manifest parse_manifest(const std::string& text, const std::string& file) {
  const std::string where = file + ": manifest.json";
  if (is_nested_too_deeply(text))
    throw std::runtime_error(where + ": expected lists in lists as in a manifest; found them " +
                             "nested too deeply");
  const Json json = Json::parse(text, nullptr, false);
  if (json.is_discarded())
    throw std::runtime_error(where + ": expected JSON; found other or truncated text");
  const Reader reader(json, where);
  check_version(reader);

  Manifest manifest;
  manifest.glassml_version = reader.text("glassml_version");
  manifest.model = reader.text("model");
  manifest.species = reader.texts("species");
  if (manifest.species.empty()) reader.fail("species", "one species or more", "an empty list");
  const std::set<std::string> distinct(manifest.species.begin(), manifest.species.end());
  if (distinct.size() != manifest.species.size())
    reader.fail("species", "different names", joined(manifest.species));
  manifest.cutoff = reader.positive_number("cutoff");
  if (manifest.cutoff > kLargestCutoff)
    reader.fail("cutoff", "at most 1e6", std::to_string(manifest.cutoff));
  manifest.length_unit = reader.text("length_unit");
  // Old files lack this field: then all models read the positions of the atoms.
  if (reader.has("positions")) manifest.positions = reader.text("positions");
  read_window(reader, manifest);
  read_domain(reader, manifest);
  manifest.dtype = reader.text("dtype");
  if (manifest.dtype != "float32" && manifest.dtype != "float64")
    reader.fail("dtype", "float32 or float64", "'" + manifest.dtype + "'");
  read_state_widths(reader, manifest);
  read_summed_widths(reader, manifest);
  for (const Json& value : reader.list("scalar_inputs")) {
    const Reader entry(value, where + ", scalar_inputs");
    manifest.scalar_inputs.push_back({entry.text("name"), entry.text("dimension")});
  }
  read_outputs(reader, manifest);
  if (reader.has("training")) read_untrained(reader.object("training"), where, manifest);
  check_label_ranges(reader, manifest);
  return manifest;
}

int Manifest::species_index(const std::string& name) const {
  for (std::size_t k = 0; k < species.size(); k++)
    if (species[k] == name) return static_cast<int>(k);
  return -1;
}

const OutputEntry* Manifest::find_output(const std::string& name) const {
  for (const OutputEntry& output : outputs)
    if (output.name == name) return &output;
  return nullptr;
}

std::string joined(const std::vector<std::string>& words) {
  std::string result;
  for (const std::string& word : words) result += (result.empty() ? "" : ", ") + word;
  return result;
}

}  // namespace glassml
