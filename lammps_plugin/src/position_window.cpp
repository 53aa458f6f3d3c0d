#include "position_window.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

namespace glassml {

namespace {

// A row: number of samples, and in fractional coordinates the last position, the path without the
// drift, its sum and the sum of its products over the samples; the sum of the energies.
constexpr int kCount = 0, kLast = 1, kMoved = 4, kSum = 7, kProducts = 10, kEnergy = 16;

// The six products of a symmetric matrix.
constexpr int kFirst[6] = {0, 1, 2, 0, 0, 1};
constexpr int kSecond[6] = {0, 1, 2, 1, 2, 2};

Matrix product(const Matrix& a, const Matrix& b) {
  Matrix result{};
  for (int i = 0; i < 3; i++)
    for (int j = 0; j < 3; j++)
      for (int k = 0; k < 3; k++) result[i][j] += a[i][k] * b[k][j];
  return result;
}

Matrix rounded(Matrix m) {
  for (auto& row : m)
    for (double& value : row) value = std::rint(value);
  return m;
}

/// v <- v M
void multiply(double* v, const Matrix& m) {
  const double x = v[0], y = v[1], z = v[2];
  for (int d = 0; d < 3; d++) v[d] = x * m[0][d] + y * m[1][d] + z * m[2][d];
}

/// P <- M^T P M
void multiply_products(double* products, const Matrix& m) {
  Matrix full{}, transposed{};
  for (int k = 0; k < 6; k++)
    full[kFirst[k]][kSecond[k]] = full[kSecond[k]][kFirst[k]] = products[k];
  for (int i = 0; i < 3; i++)
    for (int j = 0; j < 3; j++) transposed[i][j] = m[j][i];
  const Matrix result = product(transposed, product(full, m));
  for (int k = 0; k < 6; k++) products[k] = result[kFirst[k]][kSecond[k]];
}

std::string text(const Matrix& m) {
  std::string result;
  for (const auto& row : m)
    for (const double value : row) result += (result.empty() ? "" : " ") + std::to_string(value);
  return result;
}

/// The cell with the length 1 in open directions.
/// A lattice direction is open only if no other lattice vector has a component that counts in it.
Matrix measured(const Cell& cell) {
  Matrix result = cell.vectors;
  for (int d = 0; d < 3; d++)
    if (!cell.periodic[d]) {
      const auto& v = cell.vectors[d];
      const double length = std::sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2]);
      for (double& component : result[d]) component /= length;
    }
  return result;
}

/// The lattice vectors of a cell as whole numbers of those before. Near cells have the same
/// vectors, or those of a flip, whose determinant is 1 or -1.
Matrix flip_from(const Matrix& before, const Matrix& vectors) {
  return rounded(product(vectors, inverse(before)));
}

bool is_flip(const Matrix& m) { return std::abs(std::rint(determinant(m))) == 1.0; }

}  // namespace

// ---- rows of atoms

void PositionWindow::grow(std::size_t n_atoms) { rows_.resize(n_atoms * kWidth, 0.0); }

void PositionWindow::clear(int atom) { std::fill_n(row(atom), kWidth, 0.0); }

void PositionWindow::copy(int from, int to) { std::copy_n(row(from), kWidth, row(to)); }

int PositionWindow::pack(int atom, double* buffer) const {
  std::copy_n(row(atom), kWidth, buffer);
  return kWidth;
}

int PositionWindow::unpack(int atom, const double* buffer) {
  std::copy_n(buffer, kWidth, row(atom));
  return kWidth;
}

double PositionWindow::memory_usage() const {
  return static_cast<double>(sizeof(double)) * (rows_.capacity() + steps_.capacity());
}

// ---- samples

void PositionWindow::restart() {
  std::fill(rows_.begin(), rows_.end(), 0.0);
  has_cell_ = false;
  n_samples_ = 0;
}

bool PositionWindow::is_near(const Cell& cell) const {
  return !has_cell_ || is_flip(flip_from(vectors_, measured(cell)));
}

void PositionWindow::follow(std::span<const double> positions, const Cell& cell, const Sum& sum) {
  n_ = positions.size() / 3;
  const Matrix vectors = measured(cell);
  follow_flip(vectors);
  const Matrix to_fractional = inverse(vectors);
  steps_.assign(3 * n_, 0.0);
  std::array<double, 4> total{};  // steps, and the number of atoms that made one
  for (std::size_t i = 0; i < n_; i++) {
    double* const last = row(i) + kLast;
    double* const step = &steps_[3 * i];
    double now[3] = {positions[3 * i], positions[3 * i + 1], positions[3 * i + 2]};
    multiply(now, to_fractional);
    if (row(i)[kCount] > 0.0) {
      for (int d = 0; d < 3; d++) {
        step[d] = now[d] - last[d];
        if (cell.periodic[d]) step[d] -= std::rint(step[d]);
      }
      // An atom that is lost must not spoil the others, so that messages can name it.
      if (std::isfinite(step[0] + step[1] + step[2])) {
        for (int d = 0; d < 3; d++) total[d] += step[d];
        total[3]++;
      }
    }
    std::copy_n(now, 3, last);
  }
  sum(total);
  double drift[3];
  for (int d = 0; d < 3; d++) drift[d] = total[3] > 0.0 ? total[d] / total[3] : 0.0;
  for (std::size_t i = 0; i < n_; i++) {
    double* const moved = row(i) + kMoved;
    if (row(i)[kCount] == 0.0) continue;
    for (int d = 0; d < 3; d++) moved[d] += steps_[3 * i + d] - drift[d];
  }
}

/// Expresses everything stored in the lattice vectors of a flipped cell.
void PositionWindow::follow_flip(const Matrix& vectors) {
  const bool changed = has_cell_ && vectors != vectors_;
  if (changed) {
    const Matrix flip = flip_from(vectors_, vectors);
    if (!is_flip(flip))
      throw std::runtime_error(
          "averaged positions: expected a box near that of the sample before, " + text(vectors_) +
          "; found " + text(vectors) + ": take samples more often");
    constexpr Matrix kUnit = {{{1.0, 0.0, 0.0}, {0.0, 1.0, 0.0}, {0.0, 0.0, 1.0}}};
    if (flip != kUnit) {
      const Matrix back = rounded(inverse(flip));
      for (std::size_t i = 0; i < n_; i++) {
        for (const int part : {kLast, kMoved, kSum}) multiply(row(i) + part, back);
        multiply_products(row(i) + kProducts, back);
      }
    }
  }
  vectors_ = vectors;
  has_cell_ = true;
}

void PositionWindow::add(std::span<const double> energies) {
  for (std::size_t i = 0; i < n_; i++) add_sample(row(i), energies.empty() ? 0.0 : energies[i]);
  n_samples_++;
}

void PositionWindow::add_missing(std::size_t n, std::span<const double> energies) {
  for (std::size_t i = 0; i < n; i++)
    if (row(i)[kCount] == 0.0) add_sample(row(i), energies.empty() ? 0.0 : energies[i]);
}

void PositionWindow::add_sample(double* row, double energy) {
  row[kCount]++;
  for (int d = 0; d < 3; d++) row[kSum + d] += row[kMoved + d];
  for (int k = 0; k < 6; k++)
    row[kProducts + k] += row[kMoved + kFirst[k]] * row[kMoved + kSecond[k]];
  row[kEnergy] += energy;
}

// ---- averages

std::array<double, 3> PositionWindow::shift(int atom) const {
  const double* const own = row(atom);
  if (own[kCount] == 0.0) return {};
  std::array<double, 3> result{};
  for (int d = 0; d < 3; d++) result[d] = own[kSum + d] / own[kCount] - own[kMoved + d];
  multiply(result.data(), vectors_);
  return result;
}

double PositionWindow::vibration(int atom) const {
  const double* const own = row(atom);
  if (own[kCount] == 0.0) return 0.0;
  double square = 0.0;
  for (int k = 0; k < 6; k++) {
    const int a = kFirst[k], b = kSecond[k];
    double metric = 0.0;  // entry of H H^T
    for (int d = 0; d < 3; d++) metric += vectors_[a][d] * vectors_[b][d];
    const double covariance = own[kProducts + k] / own[kCount] -
                              own[kSum + a] * own[kSum + b] / (own[kCount] * own[kCount]);
    square += (a == b ? 1.0 : 2.0) * metric * covariance;
  }
  return std::sqrt(std::max(square, 0.0));
}

double PositionWindow::energy(int atom) const {
  const double* const own = row(atom);
  return own[kCount] == 0.0 ? 0.0 : own[kEnergy] / own[kCount];
}

}  // namespace glassml
