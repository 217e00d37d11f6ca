// Runs the kernels with vectors of LANES floats on fixed inputs and prints the results,
// for test_building.py: so instruction sets are tested that this processor lacks.
#include <cstdio>
#include <vector>

#include "dispatch.h"

namespace lstm_ner {
namespace this_width {
#define INSTRUCTION_SET "test"
constexpr int LANES = TEST_LANES, TILE_ROWS = TEST_ROWS, TILE_VECTORS = TEST_VECTORS;
#include "instruction_set.h"
}  // namespace this_width
}  // namespace lstm_ner

using namespace lstm_ner;

static u32 state = 1;
static float random_number() {
  state = state * 1664525u + 1013904223u;
  return (float)(state >> 8) / (1 << 24) * 2 - 1;
}

template <class F> static std::vector<F> random_numbers(i64 n) {
  std::vector<F> numbers(n);
  for (F &x : numbers) x = (F)random_number();
  return numbers;
}

template <class F> static void print(const char *name, const F *numbers, i64 n) {
  printf("%s", name);
  for (i64 i = 0; i < n; i++) printf(" %.9g", (double)numbers[i]);
  printf("\n");
}

static void lstm(const InstructionSet &set, i64 n_inputs, i64 n_units, bool is_packed) {
  const std::vector<i64> sizes = {9, 9, 7, 3, 1, 1};
  const i64 N = 30;
  std::vector<i64> order(N);
  for (i64 i = 0; i < N; i++) order[i] = i * 7 % N;
  auto Wx = random_numbers<float>(n_inputs * 4 * n_units);
  auto Wh = random_numbers<float>(n_units * 4 * n_units);
  auto b = random_numbers<float>(4 * n_units);
  auto X = random_numbers<float>(N * n_inputs), dY = random_numbers<float>(N * n_units);
  Buffer<float> packed_x(set.packed_gates_size(n_inputs, n_units));
  Buffer<float> packed_h(set.packed_gates_size(n_units, n_units));
  Buffer<float> packed_b(set.packed_gates_size(1, n_units));
  Buffer<float> packed_back(set.packed_back_size(n_units));
  set.pack_gates(Wx.data(), n_inputs, n_units, packed_x.data());
  set.pack_gates(Wh.data(), n_units, n_units, packed_h.data());
  set.pack_gates(b.data(), 1, n_units, packed_b.data());
  set.pack_back(Wh.data(), n_units, packed_back.data());
  std::vector<float> Y(N * n_units), h_prev(N * n_units), dA(N * 4 * n_units);
  Buffer<float> cache(N * set.cache_width(n_units));
  Buffer<float> scratch(set.forward_scratch(n_units, 9) + set.backward_scratch(n_units, 9));
  Direction d = {};
  d.n_inputs = n_inputs, d.n_units = n_units, d.n_steps = (i64)sizes.size();
  d.sizes = sizes.data(), d.order = order.data();
  d.is_packed = is_packed;
  d.Wx = is_packed ? packed_x.data() : Wx.data();
  d.Wh = is_packed ? packed_h.data() : Wh.data();
  d.b = is_packed ? packed_b.data() : b.data();
  d.Wh_back = packed_back.data();
  d.X = X.data(), d.x_stride = n_inputs, d.Y = Y.data(), d.y_stride = n_units;
  d.scratch = scratch.data();
  set.forward(d);
  print("inference", Y.data(), N * n_units);
  d.cache = cache.data(), d.h_prev = h_prev.data(), d.h_stride = n_units;
  set.forward(d);
  print("training", Y.data(), N * n_units);
  print("before", h_prev.data(), N * n_units);
  d.dY = dY.data(), d.dy_stride = n_units, d.dA = dA.data(), d.da_stride = 4 * n_units;
  set.backward(d);
  print("gradients", dA.data(), N * 4 * n_units);
}

static void crf(const InstructionSet &set, i64 T) {
  const i64 W = (T + TAG_PAD - 1) / TAG_PAD * TAG_PAD;
  const std::vector<i64> lengths = {5, 0, 12};
  const i64 N = 17;
  Buffer<double> scores((2 + 2 * T) * W), weights((2 + 2 * T) * W);
  for (i64 i = 0; i < (2 + 2 * T) * W; i++) scores.data()[i] = -INFINITY;
  double *rows = scores.data();
  for (i64 j = 0; j < T; j++) {
    rows[j] = random_number(), rows[W + j] = random_number();
    for (i64 i = 0; i < T; i++)
      rows[(2 + i) * W + j] = rows[(2 + T + j) * W + i] = random_number();
  }
  for (i64 i = 0; i < (2 + 2 * T) * W; i++) weights.data()[i] = std::exp(rows[i]);
  const auto tables = [&](const double *r) {
    return Tables{T, W, r, r + 2 * W, r + (2 + T) * W, r + W};
  };
  auto emissions = random_numbers<double>(N * T);
  std::vector<double> factors = {1, 1, 2}, counts(N * T), pairs(T * T), log_z(3);
  Buffer<double> scratch((4 * 12 + T) * W);
  std::vector<i64> paths(N);
  set.best_paths(3, lengths.data(), emissions.data(), tables(rows), scratch.data(),
                        paths.data());
  print("paths", paths.data(), N);
  set.expected_counts(3, lengths.data(), emissions.data(), tables(weights.data()),
                      factors.data(), scratch.data(), counts.data(), pairs.data(),
                      log_z.data());
  print("counts", counts.data(), N * T);
  print("pairs", pairs.data(), T * T);
  print("sums", log_z.data(), 3);
}

static void gru(const InstructionSet &set, i64 n_inputs, i64 n_units) {
  const std::vector<i64> sizes = {9, 9, 7, 3, 1, 1};
  const i64 N = 30;
  std::vector<i64> order(N);
  for (i64 i = 0; i < N; i++) order[i] = i * 7 % N;
  const auto W = random_numbers<float>(n_inputs * 3 * n_units);
  const auto U_gates = random_numbers<float>(n_units * 2 * n_units);
  const auto U_candidate = random_numbers<float>(n_units * n_units);
  const auto b = random_numbers<float>(3 * n_units), X = random_numbers<float>(N * n_inputs);
  std::vector<float> packed_W(W.size()), packed_gates(U_gates.size());
  std::vector<float> packed_candidate(U_candidate.size()), Y(N * n_units);
  set.pack_columns(W.data(), n_inputs, 3 * n_units, packed_W.data());
  set.pack_columns(U_gates.data(), n_units, 2 * n_units, packed_gates.data());
  set.pack_columns(U_candidate.data(), n_units, n_units, packed_candidate.data());
  std::vector<float> scratch(set.gru_scratch(n_units, sizes[0]));
  GruDirection d = {};
  d.n_inputs = n_inputs;
  d.n_units = n_units;
  d.n_steps = (i64)sizes.size();
  d.sizes = sizes.data();
  d.order = order.data();
  d.W = packed_W.data();
  d.U_gates = packed_gates.data();
  d.U_candidate = packed_candidate.data();
  d.b = b.data();
  d.X = X.data();
  d.x_stride = n_inputs;
  d.Y = Y.data();
  d.y_stride = n_units;
  d.scratch = scratch.data();
  set.gru(d);
  print("gru", Y.data(), N * n_units);
}

static void linear(const InstructionSet &set, i64 N, i64 n_inputs, i64 n_outputs) {
  auto X = random_numbers<float>(N * n_inputs), W = random_numbers<float>(n_outputs * n_inputs);
  auto b = random_numbers<float>(n_outputs);
  std::vector<float> Y(N * n_outputs);
  Buffer<float> scratch(set.linear_scratch(n_inputs, n_outputs));
  set.linear(N, n_inputs, n_outputs, X.data(), W.data(), b.data(), Y.data(), scratch.data());
  print("linear", Y.data(), N * n_outputs);
}

static void embeddings(const InstructionSet &set, i64 width) {
  const std::vector<i64> lengths = {4, 0, 7};
  const std::vector<u32> codes = {65, 66, 0x4e2d, 0x10ffff, 1, 2, 3, 0, 5, 66, 7};
  auto rows = random_numbers<float>(50 * width);
  std::vector<HashTable> tables;
  for (u32 i = 0; i < 6; i++) tables.push_back({rows.data(), 50 - (i64)i, i});
  std::vector<float> X(11 * 6 * width);
  std::vector<u32> keys(11 * 6 * 4);
  set.hash_embed({3, 11, lengths.data(), codes.data()}, 3, tables.data(), width, X.data(),
                 6 * width, keys.data());
  print("embeddings", X.data(), (i64)X.size());
  print("keys", keys.data(), (i64)keys.size());
}

int main() {
  const InstructionSet &set = this_width::table;
  for (i64 n_units : {1, 3, 16, 37, 64}) lstm(set, 20, n_units, true);
  for (i64 n_units : {16, 64}) lstm(set, 20, n_units, false);
  for (i64 T : {1, 5, 33}) crf(set, T);
  gru(set, 20, 64);
  linear(set, 13, 20, 33);
  linear(set, 1, 3, 70);
  embeddings(set, 13);
}
