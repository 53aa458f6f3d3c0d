// Takes the samples of averaged positions during a run.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "cell.h"
#include "pointers.h"
#include "position_window.h"
#include "window_steps.h"

namespace LAMMPS_NS {

class AtomEnergy;

class WindowSampler : protected Pointers {
 public:
  /// @param fix ID of the fix that reads the averages, for messages
  /// @param energy of the atoms, or nullptr if energies are not averaged
  WindowSampler(class LAMMPS* lmp, const std::string& fix, AtomEnergy* energy)
      : Pointers(lmp), owner_(fix), energy_(energy) {}

  /// Sets the steps at which samples are taken; called before every run.
  void init(const glassml::WindowSteps& steps);

  /// At the start of a run, and at each snapshot of a rerun.
  void setup();

  /// At every step.
  void post_force();

  /// A minimisation begins: its steps are no samples of a motion in time.
  void interrupt();

  /// Whether this step is the last of a full window.
  bool ready() const;

  /// Whether the values of the last full window still belong to this simulation.
  bool holds() const { return holds_; }

  /// The values of this window are computed.
  void hold() { holds_ = true; }

  /// There are no values: says until when.
  void explain();

  /// The averages, and what moves with the atoms.
  glassml::PositionWindow& window() { return window_; }
  const glassml::PositionWindow& window() const { return window_; }

  const glassml::WindowSteps& steps() const { return steps_; }

 private:
  void take(int number);
  void follow();
  void restart();
  void announce_next();

  std::string owner_;
  AtomEnergy* energy_;
  glassml::WindowSteps steps_;
  glassml::PositionWindow window_;
  bigint last_ = -1;       // step of the last sample
  bigint seen_ = -1;       // last step that was seen
  bigint explained_ = -1;  // step at which there will be values, as was said
  bool holds_ = false;
};

}  // namespace LAMMPS_NS
