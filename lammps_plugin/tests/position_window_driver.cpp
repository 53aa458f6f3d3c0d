// Averages positions without LAMMPS, as a program that the Python tests call:
//
//   glassml_position_window_driver < frames
//
// Input: `n_frames`, then for each frame the nine components of the cell, three flags for periodic
// directions, the number of atoms, and a line `id x y z energy` for each. The frames may list other
// atoms in another order: rows are copied, cleared and sent between two domains accordingly, which
// have the odd and the even places of a frame. Output: for each atom of the last frame a line
// `id shift_x shift_y shift_z vibration energy`. After an error: `error: ...`, status 1.
#include <algorithm>
#include <cstdio>
#include <iostream>
#include <map>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "position_window.h"

namespace {

double next() {
  double value;
  if (!(std::cin >> value)) throw std::runtime_error("expected a number; found the end of input");
  return value;
}

/// The atoms of one domain in one frame.
struct Part {
  std::vector<int> ids;
  std::vector<double> positions, energies;
};

struct Frame {
  glassml::Cell cell;
  Part parts[2];
};

Frame read_frame() {
  Frame frame;
  for (auto& row : frame.cell.vectors)
    for (double& value : row) value = next();
  for (bool& flag : frame.cell.periodic) flag = next() != 0.0;
  const int n_atoms = static_cast<int>(next());
  for (int i = 0; i < n_atoms; i++) {
    Part& part = frame.parts[i % 2];
    part.ids.push_back(static_cast<int>(next()));
    for (int d = 0; d < 3; d++) part.positions.push_back(next());
    part.energies.push_back(next());
  }
  return frame;
}

using Rows = std::map<int, std::vector<double>>;

Rows packed(const glassml::PositionWindow& window, const Part& part) {
  Rows rows;
  for (std::size_t i = 0; i < part.ids.size(); i++) {
    rows[part.ids[i]].resize(glassml::PositionWindow::kWidth);
    window.pack(static_cast<int>(i), rows[part.ids[i]].data());
  }
  return rows;
}

void unpack(glassml::PositionWindow& window, const Part& part, const Rows& rows) {
  const int n = static_cast<int>(part.ids.size());
  window.grow(n + 1);
  for (int i = 0; i < n; i++) {
    const auto found = rows.find(part.ids[i]);
    // By a detour, as LAMMPS copies rows when it sorts atoms.
    if (found == rows.end())
      window.clear(n);
    else
      window.unpack(n, found->second.data());
    window.copy(n, i);
  }
}

/// Two domains in turn: the first call of each gives its sums, the second takes those of both.
void follow_both(glassml::PositionWindow windows[2], const Frame& frame) {
  double total[4] = {};
  for (int k = 0; k < 2; k++) {
    glassml::PositionWindow trial = windows[k];
    trial.follow(frame.parts[k].positions, frame.cell, [&](std::span<double> mine) {
      for (int d = 0; d < 4; d++) total[d] += mine[d];
    });
  }
  for (int k = 0; k < 2; k++)
    windows[k].follow(frame.parts[k].positions, frame.cell,
                      [&](std::span<double> mine) { std::copy_n(total, 4, mine.begin()); });
}

void run() {
  glassml::PositionWindow windows[2];
  const int n_frames = static_cast<int>(next());
  Frame frame;
  for (int n = 0; n < n_frames; n++) {
    Rows rows = packed(windows[0], frame.parts[0]);
    rows.merge(packed(windows[1], frame.parts[1]));
    frame = read_frame();
    for (int k = 0; k < 2; k++) unpack(windows[k], frame.parts[k], rows);
    follow_both(windows, frame);
    for (int k = 0; k < 2; k++) windows[k].add(frame.parts[k].energies);
  }
  for (int k = 0; k < 2; k++)
    for (std::size_t i = 0; i < frame.parts[k].ids.size(); i++) {
      const int atom = static_cast<int>(i);
      const auto shift = windows[k].shift(atom);
      std::printf("%d %.17g %.17g %.17g %.17g %.17g\n", frame.parts[k].ids[i], shift[0], shift[1],
                  shift[2], windows[k].vibration(atom), windows[k].energy(atom));
    }
}

}  // namespace

int main() {
  try {
    run();
  } catch (const std::exception& problem) {
    std::printf("error: %s\n", problem.what());
    return 1;
  }
  return 0;
}
