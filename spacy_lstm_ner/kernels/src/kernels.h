// The kernels, and how they are called. Each instruction set has a table of them.
//
// All matrices are row-major, float or double, on the CPU. Sizes and indices are int64.
// No kernel allocates memory or throws: callers pass scratch memory of the size that is
// documented beside each function.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

namespace lstm_ner {

typedef int64_t i64;
typedef uint64_t u64;
typedef uint32_t u32;
typedef uint16_t u16;
typedef uint8_t u8;

// Rows of CRF tables are padded to a multiple of this, whatever the instruction set.
constexpr i64 TAG_PAD = 16;
// Rows of the input projection that are computed at a time.
constexpr i64 BLOCK_ROWS = 96;

// One direction of an LSTM layer over a batch of N rows, in T steps.
struct Direction {
  i64 n_inputs, n_units, n_steps;
  const i64 *sizes;  // (T,) rows of each step, never increasing
  const i64 *order;  // (N,) the row of the batch of each time-major row
  // Wx, Wh and b are packed by `pack_gates`, or as the cell has them; then n_units has to
  // be a multiple of the lanes. Wh_back is packed by `pack_back`.
  bool is_packed;
  const float *Wx, *Wh, *b, *Wh_back;
  // (N, n_inputs) and (N, n_units); strides are numbers of floats between rows.
  const float *X;
  float *Y;
  i64 x_stride, y_stride;
  // For the backward pass: what `backward` reads, in time-major order, of
  // `cache_width(n_units)` floats a row, or null; and (N, n_units) the hidden states
  // before each step, in the order of the batch.
  float *cache, *h_prev;
  i64 h_stride;
  // Backward: gradients of Y, and of the arguments of the gates (N, 4 n_units).
  const float *dY;
  float *dA;
  i64 dy_stride, da_stride;
  float *scratch;  // `forward_scratch` or `backward_scratch` floats
};

// One direction of a GRU layer over a batch of N rows, in T steps.
struct GruDirection {
  i64 n_inputs, n_units, n_steps;
  const i64 *sizes;  // as of an LSTM
  const i64 *order;
  // (n_inputs, 3 n_units), (n_units, 2 n_units) and (n_units, n_units), packed by
  // `pack_columns`; n_units is a multiple of the width of a panel.
  const float *W, *U_gates, *U_candidate;
  const float *b;  // (3 n_units,)
  const float *X;
  float *Y;
  i64 x_stride, y_stride;
  float *scratch;  // `gru_scratch` floats
};

// The scores of a CRF over T tags: rows of W = padded T elements; elements beyond T are
// those of impossible tags.
struct Tables {
  i64 T, W;
  const double *starts;       // (W,)
  const double *transitions;  // (T, W) from row to column
  const double *transposed;   // (T, W)
  const double *ends;         // (W,)
};

struct Texts {  // B texts, end to end, N characters in total
  i64 B, N;
  const i64 *lengths;
  const u32 *codes;
};

struct HashTable {
  const float *rows;
  i64 n_rows;
  u32 seed;
};

struct Words {  // the words of a lexicon, by length
  i64 longest, n_flags;
  const u64 *const *keys;   // for each length up to the longest: sorted keys
  const u64 *const *flags;  // and what is known about each of them
  const i64 *sizes;         // 0 if there are no words of this length
  const u8 *upper;          // (2^20,) which upper bits of keys occur
};

struct InstructionSet {
  const char *name;
  int lanes;  // floats of a vector

  // LSTM: lstm.h
  i64 (*packed_gates_size)(i64 n_rows, i64 n_units);
  void (*pack_gates)(const float *W, i64 n_rows, i64 n_units, float *out);
  i64 (*packed_back_size)(i64 n_units);
  void (*pack_back)(const float *Wh, i64 n_units, float *out);
  i64 (*cache_width)(i64 n_units);
  i64 (*forward_scratch)(i64 n_units, i64 n_sequences);
  i64 (*backward_scratch)(i64 n_units, i64 n_sequences);
  void (*forward)(const Direction &direction);
  void (*backward)(const Direction &direction);

  // GRU, forward only: gru.h
  i64 panel_width;
  void (*pack_columns)(const float *W, i64 n_rows, i64 n_columns, float *out);
  i64 (*gru_scratch)(i64 n_units, i64 n_sequences);
  void (*gru)(const GruDirection &direction);

  // Linear layer: linear.h
  i64 (*linear_scratch)(i64 n_inputs, i64 n_outputs);
  void (*linear)(i64 N, i64 n_inputs, i64 n_outputs, const float *X, const float *W,
                 const float *b, float *Y, float *scratch);

  // CRF: crf.h. Kernels return false if a sequence has no legal path, or scores are not
  // finite, or sums lose precision: the caller has to decide which.
  bool (*best_paths)(i64 B, const i64 *lengths, const double *emissions,
                     const Tables &scores, double *scratch, i64 *paths);
  bool (*n_best_paths)(i64 B, const i64 *lengths, const double *emissions,
                       const Tables &scores, i64 n, double *scratch,
                       int32_t *before, i64 *paths, double *path_scores);
  bool (*expected_counts)(i64 B, const i64 *lengths, const double *emissions,
                          const Tables &weights, const double *factors,
                          double *scratch, double *tag_counts,
                          double *transition_counts, double *log_z);
  bool (*segment_marginals)(i64 B, const i64 *lengths, const double *emissions,
                            const Tables &weights, const i64 *counts,
                            const i64 *starts, const i64 *ends, const i64 *tags,
                            const i64 *continuation, double *scratch, double *out);

  // Embeddings: embed.h
  void (*hash_embed)(const Texts &texts, int longest, const HashTable *tables,
                     i64 width, float *X, i64 x_stride, u32 *keys);
  void (*hash_gradient)(i64 N, i64 n_tables, const u32 *keys, i64 width,
                        const float *dX, i64 dx_stride, float *const *gradients);
  void (*find_words)(const Texts &texts, const Words &words, u64 *found);
  void (*word_vectors)(i64 N, const u64 *found, i64 n_flags, const float *E, i64 width,
                       const float *profiles, const i64 *profile_rows, float *X,
                       i64 x_stride);
};

// Null where the compiler does not know the instruction set.
extern const InstructionSet *const avx512, *const avx2, *const neon;

}  // namespace lstm_ner
