// Images of particles around the own ones of this rank, and the rows of other ranks' particles in
// the node state. MPI, no LAMMPS, no torch.
#pragma once

#include <mpi.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <vector>

#include "cell.h"
#include "edges.h"

namespace glassml {

/// All images of particles, of any rank, that may be within the cutoff of an own particle.
///
/// Which rank owns a particle is free, and a position may be anywhere, also far from the others of
/// its rank and outside the cell: every rank shares the box around its own particles in fractional
/// coordinates, and gets from the others what lies in it or within the cutoff of it.
///
/// Rows of the node state: first the own particles, in the order given to exchange_positions, then
/// the particles of other ranks that edges read, by rank. All images of a particle share its row.
///
/// Order of calls, by all ranks together: exchange_positions; request; exchange_states before each
/// step. A rank that fails continues: it requests nothing and sends states of any content.
class Halo {
 public:
  /// @param ranks among which the particles are divided
  /// @param cutoff of the model [length]
  Halo(MPI_Comm ranks, double cutoff);

  /// Begins an evaluation. Collective; does not fail for any position.
  /// @param own [n_own, 3] positions of the own particles [length]
  void exchange_positions(std::span<const double> own, const Cell& cell);

  /// @throws BadPosition for an own position that is not finite, or so many cells away from the
  /// cell that its digits do not suffice. Such a particle is not sent to other ranks.
  void check() const;

  /// The same for positions of which no images are needed. Ends an evaluation, if there is one.
  void check(std::span<const double> own, const Cell& cell);

  /// @returns [n_all, 3] own particles, then images. Own ones more than half a cell outside a
  /// periodic cell were moved into it.
  std::span<const double> positions() const { return positions_; }

  /// Tells the owners which particles this rank reads. Collective.
  /// @param sender [E] own particles and images by their index in positions(); replaced by rows of
  /// the node state. None on a rank that failed.
  void request(std::span<std::int64_t> sender);

  /// @returns number of rows of the node state; known after request
  std::int64_t n_rows() const { return n_own_ + static_cast<std::int64_t>(received_.size()); }

  /// @returns own rows whose state other ranks read, once for each of them
  std::span<const int> sent() const { return sent_; }

  /// @returns rows whose state comes from other ranks
  std::span<const int> received() const { return received_; }

  /// Collective.
  /// @param states [sent, row_bytes] of the rows sent()
  /// @returns [received, row_bytes] of the rows received(); valid until the next call
  std::span<const std::byte> exchange_states(std::span<std::byte> states, std::size_t row_bytes);

  /// Gives the rows of other ranks' particles the values of their owners. Collective.
  /// @param values [n_rows], of which those of the own rows are set
  template <typename Value>
  void exchange_values(std::vector<Value>& values) {
    std::vector<Value> own;
    own.reserve(sent_.size());
    for (const int row : sent_) own.push_back(values[row]);
    const auto received = exchange_states(std::as_writable_bytes(std::span(own)), sizeof(Value));
    for (std::size_t k = 0; k < received_.size(); k++)
      std::memcpy(&values[received_[k]], &received[k * sizeof(Value)], sizeof(Value));
  }

  double memory_usage() const;  ///< bytes

 private:
  using Counts = std::vector<std::size_t>;  // [ranks]

  /// A box in fractional coordinates; without particles, low > high.
  struct Box {
    double low[3];
    double high[3];
  };

  /// An image as it is sent.
  struct Image {
    double x[3];
    std::int64_t slot;  // among the particles that the sending rank offers to the receiving one
  };

  void set_cell(const Cell& cell);
  void place(std::span<const double> own);
  bool place_one(std::size_t row);
  void share_boxes();
  void select_images(int target);
  void select_translation(int target, const std::array<double, 3>& translation);
  void append_image(int target, std::size_t row, const double* x);
  void receive_images();
  void number_rows(std::span<std::int64_t> sender);
  void transfer(std::byte* send, const Counts& n_send, std::byte* receive, const Counts& n_receive,
                std::size_t item_bytes) const;

  MPI_Comm ranks_;
  int rank_ = 0;
  int n_ranks_ = 1;
  double cutoff_;

  Cell cell_;
  Matrix inverse_{};  // of the lattice vectors
  double reach_[3];   // the cutoff in fractional coordinates

  std::int64_t n_own_ = 0;
  std::vector<double> positions_;     // [n_all, 3]
  std::vector<double> fractional_;    // [n_own, 3]
  std::optional<BadPosition> bad_;    // the first of the own rows
  std::vector<char> placed_;          // [n_own] false for bad positions
  std::vector<Box> boxes_;            // [ranks]
  std::vector<std::int64_t> source_;  // [n_all - n_own] own row, or n_own + slot
  std::vector<Image> outgoing_;       // by rank
  std::vector<Image> incoming_;       // by rank
  std::vector<int> offered_;          // own rows of which images are sent, by rank
  std::vector<std::int64_t> slot_;    // [n_own] slot in the message to the present rank, or -1
  std::vector<char> wanted_;          // slots of all ranks that are read here
  Counts n_outgoing_, n_incoming_;    // images
  Counts n_offered_, n_slots_;        // particles of these images
  std::vector<int> sent_, received_;  // rows
  Counts n_sent_, n_received_;        // rows
  std::vector<std::byte> state_buffer_;
};

}  // namespace glassml
