// Runs an exported model on the particles of one domain. This header includes neither LAMMPS nor
// torch: each brings its own copy of fmt, and the two clash in one translation unit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "edges.h"
#include "manifest.h"

namespace glassml {

/// Turns "cpu", "cuda", "cuda:N" or "auto" into a device that exists.
/// @param local_rank number of this process on its machine, by which "cuda" and "auto" choose
/// @throws std::runtime_error for another word or a device that does not exist
std::string resolve_device(const std::string& wanted, int local_rank);

/// A loaded model and the node state of one evaluation.
///
/// Order of calls: embed, embed_edges; then for each step k open_state(k), pack and unpack until
/// the rows of other ranks' atoms hold the state of their owners, step(k); finally outputs. All of
/// them work without particles and without edges, and throw std::runtime_error with a readable
/// message.
class ModelRunner {
 public:
  /// @param file a file written by `glassml export`
  /// @param device result of resolve_device
  ModelRunner(const std::string& file, const std::string& device, bool trust = false);
  ~ModelRunner();

  const Manifest& manifest() const;
  const std::string& device() const;

  /// A hash of all bytes of the file.
  std::int64_t fingerprint() const;

  /// Sets how many threads torch may use within the other calls (and only there).
  void set_threads(int threads);

  /// @param species [n_local] index into manifest().species
  /// @param scalars [n_local, S] values of manifest().scalar_inputs
  void embed(std::span<const std::int64_t> species, std::span<const double> scalars);

  /// @param edges from EdgeFinder; senders are rows of a state that has n_all rows
  void embed_edges(const Edges& edges);

  /// @returns how many numbers are summed over the whole system before step k; for k = n_steps
  /// before the outputs
  std::size_t n_sums(int k) const;

  /// @returns [n_sums(k)] sums over the own particles
  std::vector<double> sums(int k);

  /// Completes the state of the own particles.
  /// @param sums [n_sums(k)] over the particles of all domains
  void settle(int k, std::span<const double> sums);

  /// Prepares the state of all rows before step k. Beyond the own rows, the step may read only rows
  /// that were unpacked, and of these only the columns that are sent.
  void open_state(int k, std::int64_t n_all);

  /// @returns bytes of what is sent of a row before step k
  std::size_t row_bytes(int k) const;

  /// Copies the state of some rows to a buffer, row_bytes(k) each.
  void pack(std::span<const int> rows, void* buffer) const;

  /// Copies a buffer to the state of some rows.
  void unpack(std::span<const int> rows, const void* buffer);

  void step(int k);

  /// @returns [n_local, columns of these outputs, side by side]
  std::vector<double> outputs(const std::vector<std::string>& names);

  /// @returns [E, columns of all outputs of edges, side by side], for edges in their order
  std::vector<double> edge_outputs();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace glassml
