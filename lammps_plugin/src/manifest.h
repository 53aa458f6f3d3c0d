// The description of a model in its file (manifest.json). No LAMMPS, no torch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace glassml {

/// A per-particle scalar that the model needs.
struct ScalarEntry {
  std::string name;
  std::string dimension;
};

/// An output of particles or edges: the model's method of that name returns these columns.
struct OutputEntry {
  std::string name;
  std::vector<std::string> columns;
  std::string dimension;
};

/// How averaged positions are made.
struct WindowEntry {
  double interval = 0.0;  ///< between two samples [time]
  int samples = 0;
};

/// From the smallest to the largest value.
struct Range {
  double low = 0.0;
  double high = 0.0;
};

constexpr std::size_t kShells = 40;  ///< between 0 and the cutoff; as glassml/domain/structure.py

/// What the training data were like: glassml.domain.Domain.
struct DomainEntry {
  int dimension = 3;
  bool periodic = true;                          ///< all of them, in every direction
  std::optional<Range> number_density;           ///< [length^-dimension]
  std::vector<Range> composition;                ///< [species] fractions of the particles
  std::optional<Range> temperature;              ///< [energy], or K where lengths are not in "lj"
  std::vector<double> particles;                 ///< [species] that were measured
  std::vector<std::optional<Range>> propensity;  ///< of the labels at each time, if it is known
  Range neighbours;                              ///< mean number within the cutoff
  std::vector<double> shells;  ///< [species, species, kShells] mean numbers of neighbours
  double spread = 0.0;         ///< departure of a configuration from these means
};

struct Manifest {
  std::string glassml_version;  ///< version of glassml that wrote the file
  std::string model;            ///< name of the network
  std::vector<std::string> species;
  double cutoff = 0.0;  ///< [length]
  std::string length_unit;
  std::string positions = "thermal";        ///< or "average", "inherent", "cage"
  std::optional<WindowEntry> window;        ///< of averaged positions or scalars
  std::optional<DomainEntry> domain;        ///< of the training data, if it is known
  std::string dtype;                        ///< "float32" or "float64"
  int n_steps = 0;                          ///< message-passing steps
  std::vector<std::int64_t> state_widths;   ///< [n_steps + 1] columns of the node state
  std::vector<std::int64_t> sent_widths;    ///< [n_steps] how many of them other domains read
  std::vector<std::int64_t> summed_widths;  ///< [n_steps + 1] columns that are summed over all
  std::int64_t edge_width = 0;              ///< columns that edges remember; 0: they have no memory
  std::vector<ScalarEntry> scalar_inputs;
  std::vector<OutputEntry> outputs;       ///< of particles
  std::vector<OutputEntry> edge_outputs;  ///< of edges
  std::vector<std::string> untrained;     ///< outputs whose values mean nothing

  /// @returns index of a species, or -1
  int species_index(const std::string& name) const;

  /// @returns the output of that name, or nullptr
  const OutputEntry* find_output(const std::string& name) const;
};

/// Reads and checks a manifest.
/// @param text the JSON text
/// @param file named in messages
/// @throws std::runtime_error that names the file, the field, what was expected and what was found
Manifest parse_manifest(const std::string& text, const std::string& file);

/// "a, b, c"
std::string joined(const std::vector<std::string>& words);

}  // namespace glassml
