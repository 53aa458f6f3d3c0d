#include "smoothing.h"

#include <algorithm>
#include <cmath>

namespace glassml {

namespace {

constexpr int kHeader = 2;  // values before the evaluations: how many were added, last step

}  // namespace

Smoothing::Smoothing(int window, int columns) : window_(window), columns_(columns) {}

void Smoothing::grow(std::size_t n) {
  if (!active()) return;
  atoms_.resize(n);
  values_.resize(n * window_ * columns_);
}

std::size_t Smoothing::kept(const Atom& atom) const {
  return std::min(static_cast<std::size_t>(atom.added), window_);
}

void Smoothing::clear(std::size_t atom) {
  if (active()) atoms_[atom] = {};
}

void Smoothing::copy(std::size_t from, std::size_t to) {
  if (!active()) return;
  atoms_[to] = atoms_[from];
  std::copy_n(slots(from), kept(atoms_[from]) * columns_, slots(to));
}

void Smoothing::add(std::size_t index, std::int64_t step, double* values, double* spread) {
  Atom& atom = atoms_[index];
  if (atom.added > 0 && step < atom.step) atom = {};
  if (atom.added == 0 || step > atom.step) atom.added++;
  atom.step = step;
  double* first = slots(index);
  std::copy_n(values, columns_, first + (atom.added - 1) % window_ * columns_);

  const std::size_t n = kept(atom);
  for (std::size_t c = 0; c < columns_; c++) {
    double sum = 0.0, squares = 0.0;
    for (std::size_t k = 0; k < n; k++) sum += first[k * columns_ + c];
    values[c] = sum / static_cast<double>(n);
    if (spread == nullptr) continue;
    for (std::size_t k = 0; k < n; k++) {
      const double deviation = first[k * columns_ + c] - values[c];
      squares += deviation * deviation;
    }
    spread[c] = std::sqrt(squares / static_cast<double>(n));
  }
}

int Smoothing::exchange_size() const {
  return active() ? kHeader + static_cast<int>(window_ * columns_) : 0;
}

int Smoothing::pack(std::size_t index, double* buffer) const {
  if (!active()) return 0;
  const Atom& atom = atoms_[index];
  // A double holds every number of steps that a simulation reaches, up to 2^53.
  buffer[0] = static_cast<double>(atom.added);
  buffer[1] = static_cast<double>(atom.step);
  const std::size_t n = kept(atom) * columns_;
  std::copy_n(slots(index), n, buffer + kHeader);
  return kHeader + static_cast<int>(n);
}

int Smoothing::unpack(std::size_t index, const double* buffer) {
  if (!active()) return 0;
  Atom& atom = atoms_[index];
  atom.added = static_cast<std::int64_t>(buffer[0]);
  atom.step = static_cast<std::int64_t>(buffer[1]);
  const std::size_t n = kept(atom) * columns_;
  std::copy_n(buffer + kHeader, n, slots(index));
  return kHeader + static_cast<int>(n);
}

double Smoothing::memory_usage() const {
  return static_cast<double>(values_.capacity() * sizeof(double) +
                             atoms_.capacity() * sizeof(Atom));
}

}  // namespace glassml
