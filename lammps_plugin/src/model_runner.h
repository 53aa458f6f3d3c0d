// Runs an exported model on the particles of one domain. No LAMMPS headers, and none of torch in
// this interface: both bring their own copy of fmt, which cannot meet in one translation unit.
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
/// @param local_rank number of this process on its machine: "cuda" and "auto" share the devices out
/// @throws std::runtime_error for another word or a device that is not there
std::string resolve_device(const std::string& wanted, int local_rank);

/// A loaded model and the node state of one evaluation.
///
/// Order of calls: embed, embed_edges, then for each step k: open_state(k), pack / unpack until
/// the rows of other ranks' atoms are those of their owners, step(k); at last outputs. Everything
/// works with no particles and with no edges. All throw std::runtime_error with a text for people.
class ModelRunner {
 public:
  /// @param file a file written by `glassml export`
  /// @param device result of resolve_device
  ModelRunner(const std::string& file, const std::string& device);
  ~ModelRunner();

  const Manifest& manifest() const;
  const std::string& device() const;

  /// A number made from every byte of the file: the same on all processes that loaded the same.
  std::int64_t fingerprint() const;

  /// Threads that torch may use within the other calls (and only there).
  void set_threads(int threads);

  /// @param species [n_local] index into manifest().species
  /// @param scalars [n_local, S] values of manifest().scalar_inputs
  void embed(std::span<const std::int64_t> species, std::span<const double> scalars);

  /// @param edges as of EdgeFinder; senders are rows of a state that has n_all rows
  void embed_edges(const Edges& edges);

  /// Makes room for the state of all rows before step k. Of the rows beyond the own ones the step
  /// may read those only that were unpacked.
  void open_state(int k, std::int64_t n_all);

  /// @returns bytes of a row of the state before step k
  std::size_t row_bytes(int k) const;

  /// Copies the state of some rows to a buffer, row_bytes(k) each.
  void pack(std::span<const int> rows, void* buffer) const;

  /// Copies a buffer to the state of some rows.
  void unpack(std::span<const int> rows, const void* buffer);

  void step(int k);

  /// @returns [n_local, columns of these outputs side by side]
  std::vector<double> outputs(const std::vector<std::string>& names);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace glassml
