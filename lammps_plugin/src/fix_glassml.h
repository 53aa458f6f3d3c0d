// fix glassml: evaluates an exported model for all atoms of a running simulation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "domain_watch.h"
#include "edge_array.h"
#include "edges.h"
#include "fix.h"
#include "group_statistics.h"
#include "halo.h"
#include "model_runner.h"
#include "options.h"
#include "output_columns.h"
#include "smoothing.h"

namespace LAMMPS_NS {

class AtomEnergy;
class InherentPositions;
class ScalarSources;
class WindowSampler;

class FixGlassML : public Fix {
 public:
  FixGlassML(class LAMMPS* lmp, int narg, char** arg);
  ~FixGlassML() override;

  int setmask() override;
  void init() override;
  void setup(int vflag) override;
  void min_setup(int vflag) override;
  void post_neighbor() override;
  void post_force(int vflag) override;
  void min_post_force(int vflag) override;

  void grow_arrays(int nmax) override;
  void copy_arrays(int i, int j, int delflag) override;
  void set_arrays(int i) override;
  int pack_exchange(int i, double* buffer) override;
  int unpack_exchange(int nlocal, double* buffer) override;

  double compute_vector(int n) override;
  double memory_usage() override;

  /// The model, the columns of the per-atom array and the step of their values, as lines of words
  /// that are separated by tabs: for glassml/lammps/fix_values.py.
  std::string description() const;

  /// The ID and the values of every atom, rank after rank. Collective.
  /// @param rows [atoms on all ranks, 1 + columns], less than 2^31 numbers
  void gather(double* rows) const;

 private:
  // set-up
  void load_model();
  void check_same_model() const;
  void map_species();
  void check_labels() const;
  void check_units() const;
  void select_outputs();
  void create_inputs();
  void allocate();
  void check_three_dimensional() const;
  void init_window();
  void check_density();
  void check_positions();
  void describe() const;
  void log_outputs() const;
  void warn_of_untrained() const;

  // evaluation
  void evaluate();
  template <typename Attempt>
  void settle(int k, Attempt&& attempt);
  void minimise();
  void collect_positions();
  void exchange_positions();
  int threads() const;
  void find_edges();
  void begin_evaluation();
  void count_structure(bool failed);
  void announce_evaluation();
  bigint next_evaluation() const;
  bool is_trial() const;
  void wait_for_window();
  void reset_values();
  void store(const std::vector<double>& values);
  std::vector<std::int64_t> ids_by_row() const;
  void store_edges(const std::vector<std::int64_t>& ids);
  void show_edges();
  void reduce(const std::string& failure);
  void report_structure(const double* total);
  void watch_predictions();
  glassml::SystemState system_state(double kinetic, double moving) const;
  void stop_if_failed(const std::string& failure);

  glassml::Options options_;
  std::unique_ptr<glassml::ModelRunner> model_;
  glassml::EdgeFinder edge_finder_;
  glassml::Halo halo_;
  std::vector<std::int64_t> species_of_type_;    // [ntypes + 1]
  std::unique_ptr<AtomEnergy> energy_;           // nullptr if the fix needs no energies
  std::unique_ptr<WindowSampler> sampler_;       // nullptr if the model reads no averages
  std::unique_ptr<InherentPositions> inherent_;  // nullptr if the model reads none
  std::unique_ptr<ScalarSources> scalars_;
  bool at_inherent_ = false;  // the model is evaluated at inherent positions
  bool averaged_ = false;     // the model is evaluated at averaged positions
  glassml::OutputColumns outputs_;
  int n_columns_ = 0;       // per-atom values
  double threshold_ = 0.0;  // propensity above which an atom counts as mobile; 0: there is none
  glassml::Smoothing smoothing_;
  glassml::GroupStatistics statistics_;
  std::optional<glassml::DomainWatch> watch_;
  std::vector<double> counts_;  // of this rank, for watch_

  std::vector<double> positions_;  // [nlocal, 3] at which the model is evaluated, by atom
  std::vector<int> atoms_;         // [nlocal] atom of each row of the node state
  glassml::EdgeArray edge_array_;  // empty without the keyword edges
  std::vector<std::byte> states_;  // of the atoms that other ranks read, before the present step
  bool has_values_ = false;        // the present evaluation has given values
  bigint evaluated_ = -1;          // step of the values; -1: all are 0, there was no evaluation
  bigint listed_ = -1;             // step of the last neighbour list that the integrator made
  std::int64_t n_edges_ = 0;       // of this rank, at the last evaluation
  bool described_ = false;
  bool warned_ = false;  // that the model sees other positions than it was trained with
  bool warned_of_timestep_ = false;
  bool edges_described_ = false;
};

}  // namespace LAMMPS_NS
