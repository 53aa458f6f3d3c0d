// fix glassml: evaluates an exported model for all atoms of a running simulation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "edges.h"
#include "fix.h"
#include "halo.h"
#include "model_runner.h"
#include "options.h"
#include "scalar_input.h"

namespace LAMMPS_NS {

class FixGlassML : public Fix {
 public:
  FixGlassML(class LAMMPS* lmp, int narg, char** arg);
  ~FixGlassML() override;

  int setmask() override;
  void init() override;
  void setup(int vflag) override;
  void min_setup(int vflag) override;
  void post_force(int vflag) override;
  void min_post_force(int vflag) override;

  void grow_arrays(int nmax) override;
  void copy_arrays(int i, int j, int delflag) override;
  void set_arrays(int i) override;
  int pack_exchange(int i, double* buffer) override;
  int unpack_exchange(int nlocal, double* buffer) override;

  double compute_vector(int n) override;
  double memory_usage() override;

 private:
  // set-up
  void load_model();
  void check_same_model() const;
  void map_species();
  void check_units() const;
  void select_outputs();
  void create_scalars();
  void allocate();
  void check_three_dimensional() const;
  void check_positions();
  void describe() const;
  void log_outputs() const;

  // evaluation
  void evaluate();
  void collect_scalars();
  void collect_positions();
  void exchange_positions();
  void check_scalars() const;
  void find_edges();
  void begin_evaluation();
  void store(const std::vector<double>& values);
  void reduce(const std::string& failure);
  void stop_if_failed(const std::string& failure);

  glassml::Options options_;
  std::unique_ptr<glassml::ModelRunner> model_;
  glassml::EdgeFinder edge_finder_;
  glassml::Halo halo_;
  std::vector<std::int64_t> species_of_type_;  // [ntypes + 1]
  std::vector<std::unique_ptr<ScalarInput>> scalars_;
  std::vector<std::string> columns_;  // [n_columns] output and column, for messages
  int n_columns_ = 0;                 // per-atom values
  int first_propensity_ = 0;          // per-atom column of the first propensity
  int n_propensity_ = 0;              // 0 if the propensity is not among the outputs

  std::vector<double> scalar_values_;  // [nlocal, S]
  std::vector<double> positions_;      // [nlocal, 3] at which the model is evaluated, by atom
  std::vector<int> atoms_;             // [nlocal] atom of each row of the node state
  std::vector<std::byte> states_;  // of the atoms that other ranks read, before the present step
  std::vector<double> means_;      // [n_propensity] means over the group
  std::int64_t n_edges_ = 0;       // of this rank, at the last evaluation
  bool described_ = false;
  bool warned_ = false;  // that a model of inherent or cage positions sees thermal ones
  bool edges_described_ = false;
};

}  // namespace LAMMPS_NS
