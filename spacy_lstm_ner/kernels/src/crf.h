// Best paths, sums and marginals of a linear-chain CRF: the equations of viterbi.py,
// lattice.py and marginals.py, one sequence after the other. Included inside of the
// namespace of an instruction set, after vectors.h.

// Whether scores are finite or minus infinity.
INLINE bool all_below_infinity(const double *scores, i64 n) {
  bool bad = false;
  for (i64 i = 0; i < n; i++) bad |= !(scores[i] <= 1e300);
  return !bad;
}

INLINE i64 argmax(const double *a, const double *b, i64 n, double *most) {
  i64 at = 0;
  *most = -INFINITY;
  for (i64 i = 0; i < n; i++) {
    const double x = a[i] + b[i];
    if (x > *most) *most = x, at = i;
  }
  return at;
}

// out[j] = max_i (before[i] + A[i, j]), W columns.
INLINE void best_before(const double *before, const Tables &s, double *out) {
  constexpr int n = TAG_PAD / DOUBLES;
  for (i64 column = 0; column < s.W; column += TAG_PAD) {
    const double *A = s.transitions + column;
    vd best[n];
    for (int v = 0; v < n; v++) best[v] = splat(before[0]) + load(A + v * DOUBLES);
    for (i64 i = 1; i < s.T; i++) {
      A += s.W;
      const vd x = splat(before[i]);
      for (int v = 0; v < n; v++) {
        const vd candidate = x + load(A + v * DOUBLES);
        best[v] = candidate > best[v] ? candidate : best[v];
      }
    }
    for (int v = 0; v < n; v++) store(out + column + v * DOUBLES, best[v]);
  }
}

// Scratch: (longest, W).
static bool best_paths(i64 B, const i64 *lengths, const double *emissions, const Tables &s,
                       double *scratch, i64 *paths) {
  for (i64 b = 0; b < B; b++) {
    const i64 n = lengths[b];
    if (!n) continue;
    if (!all_below_infinity(emissions, n * s.T)) return false;
    for (i64 t = 0; t < n; t++) {
      double *delta = scratch + t * s.W;
      if (t)
        best_before(delta - s.W, s, delta);
      else
        memcpy(delta, s.starts, sizeof(double) * s.W);
      for (i64 j = 0; j < s.T; j++) delta[j] += emissions[t * s.T + j];
    }
    double most;
    paths[n - 1] = argmax(scratch + (n - 1) * s.W, s.ends, s.T, &most);
    if (!(most > -INFINITY)) return false;
    for (i64 t = n - 2; t >= 0; t--)
      paths[t] = argmax(scratch + t * s.W, s.transposed + paths[t + 1] * s.W, s.T, &most);
    emissions += n * s.T;
    paths += n;
  }
  return true;
}

// The n best paths to each tag: delta and before are (N of the sequence, T, n), sorted;
// before is tag · n + rank of the predecessor. Scratch: (longest, T, n) + (2, n).
// paths (n, N), path_scores (B, n).
static bool n_best_paths(i64 B, const i64 *lengths, const double *emissions,
                         const Tables &s, i64 n, double *scratch,
                         int32_t *before, i64 *paths, double *path_scores) {
  const i64 T = s.T, size = T * n;
  i64 N = 0;
  for (i64 b = 0; b < B; b++) N += lengths[b];
  // Insert a candidate into a sorted list of n.
  const auto insert = [n](double score, int32_t from, double *list, int32_t *sources) {
    if (!(score > list[n - 1])) return false;
    i64 at = n - 1;
    for (; at && list[at - 1] < score; at--)
      list[at] = list[at - 1], sources[at] = sources[at - 1];
    list[at] = score, sources[at] = from;
    return true;
  };
  for (i64 b = 0; b < B; b++, path_scores += n) {
    const i64 length = lengths[b];
    if (!length) continue;
    if (!all_below_infinity(emissions, length * T)) return false;
    for (i64 t = 0; t < length; t++) {
      double *delta = scratch + t * size;
      int32_t *from = before + t * size;
      for (i64 j = 0; j < T; j++) {
        double *list = delta + j * n;
        int32_t *sources = from + j * n;
        for (i64 r = 0; r < n; r++) list[r] = -INFINITY, sources[r] = 0;
        if (!t) {
          list[0] = s.starts[j];
        } else {
          for (i64 i = 0; i < T; i++) {
            const double A = s.transitions[i * s.W + j];
            if (A == -INFINITY) continue;
            const double *previous = delta - size + i * n;
            for (i64 r = 0; r < n; r++)
              if (!insert(previous[r] + A, (int32_t)(i * n + r), list, sources)) break;
          }
        }
        for (i64 r = 0; r < n; r++) list[r] += emissions[t * T + j];
      }
    }
    const double *last = scratch + (length - 1) * size;
    int32_t *at = before + (length - 1) * size + size;  // n more, after those of the text
    for (i64 r = 0; r < n; r++) path_scores[r] = -INFINITY, at[r] = 0;
    for (i64 i = 0; i < T; i++)
      for (i64 r = 0; r < n; r++)
        if (!insert(last[i * n + r] + s.ends[i], (int32_t)(i * n + r), path_scores, at))
          break;
    if (!(path_scores[0] > -INFINITY)) return false;
    for (i64 r = 0; r < n; r++) {
      i64 here = at[r];
      for (i64 t = length - 1; t >= 0; t--) {
        paths[r * N + t] = here / n;
        if (t) here = before[t * size + here];
      }
    }
    emissions += length * T;
    paths += length;
  }
  return true;
}

// v·A for W columns, where A is (T, W); rows for which v is 0 are skipped if there are
// many of them, as in a text whose tags are known.
INLINE void row_product(const double *v, const double *A, i64 T, i64 W, double *out) {
  constexpr int n = TAG_PAD / DOUBLES;
  for (i64 column = 0; column < W; column += TAG_PAD) {
    vd sum[n];
    for (int k = 0; k < n; k++) sum[k] = (vd){};
    for (i64 i = 0; i < T; i++) {
      if (v[i] == 0) continue;
      const double *row = A + i * W + column;
      vd x = splat(v[i]);
      for (int k = 0; k < n; k++) sum[k] += x * load(row + k * DOUBLES);
    }
    for (int k = 0; k < n; k++) store(out + column + k * DOUBLES, sum[k]);
  }
}

// Below this, a sum of probabilities loses digits.
constexpr double TINY = 1e-250;

// The scaled sums of one sequence, as in lattice.py: alpha, beta and incoming (n, W).
// `w.transitions`, `w.starts`, `w.ends` are exp(scores). Only tags that a path reaches
// are considered, so no weight can overflow.
static bool sums(i64 n, const double *emissions, const Tables &w, double *weights,
                 double *alpha, double *beta, double *incoming, double *log_z) {
  const i64 T = w.T, W = w.W;
  *log_z = 0;
  for (i64 t = 0; t < n; t++) {
    const double *e = emissions + t * T;
    double *a = alpha + t * W, *weight = weights + t * W;
    if (t)
      row_product(a - W, w.transitions, T, W, a);
    else
      memcpy(a, w.starts, sizeof(double) * W);
    double highest = -INFINITY, total = 0;
    bool lost = false;
    for (i64 j = 0; j < T; j++) {
      double reached = a[j] > 0 ? e[j] : -INFINITY;
      highest = reached > highest ? reached : highest;
    }
    for (i64 j = 0; j < T; j++) {
      // NaN and infinity in the scores make the total NaN.
      double x = e[j] - highest;
      weight[j] = a[j] > 0 ? (x <= 0 ? exp_negative(x) : (double)NAN) : 0.0;
    }
    for (i64 j = T; j < W; j++) weight[j] = 0;
    // A tag that is reached must not be lost by underflow: it may be on the best path.
    for (i64 j = 0; j < T; j++)
      lost |= (a[j] > 0) & (e[j] > -INFINITY) & !(a[j] * weight[j] >= 1e-280);
    for (i64 j = 0; j < W; j++) total += a[j] *= weight[j];
    if (lost || !(total >= TINY && total <= 1e250)) return false;
    const double scale = 1 / total;
    for (i64 j = 0; j < W; j++) a[j] *= scale;
    incoming[t * W] = scale;  // until the way back
    *log_z += std::log(total) + highest;
  }
  double at_end = 0;
  for (i64 j = 0; j < T; j++) at_end += alpha[(n - 1) * W + j] * w.ends[j];
  if (!(at_end >= TINY)) return false;
  *log_z += std::log(at_end);
  for (i64 t = n - 1; t >= 0; t--) {
    double *a = alpha + t * W, *b = beta + t * W, *in = incoming + t * W;
    if (t == n - 1)
      memcpy(b, w.ends, sizeof(double) * W);
    else  // `weights` of the next unit hold weight · beta by now
      row_product(weights + (t + 1) * W, w.transposed, T, W, b);
    double sum = 0;
    for (i64 j = 0; j < W; j++) sum += a[j] * b[j];
    if (!(sum >= TINY && sum <= 1e250)) return false;
    const double inverse = 1 / sum, scale = in[0];
    double *weight = weights + t * W;
    for (i64 j = 0; j < W; j++) {
      b[j] *= inverse;
      weight[j] *= b[j];
      in[j] = weight[j] * scale;
    }
  }
  return true;
}

// How often the paths use each tag (N, T) and each transition (T, T), on average, times
// a factor for each sequence; and log Z (B,). transition_counts is added to, and lacks
// the factor exp(transitions). Scratch: (4, longest, W) + (T, W).
static bool expected_counts(i64 B, const i64 *lengths, const double *emissions,
                            const Tables &w, const double *factors, double *scratch,
                            double *tag_counts, double *transition_counts, double *log_z) {
  const i64 T = w.T, W = w.W;
  double *pairs = scratch, *room = scratch + T * W;
  memset(pairs, 0, sizeof(double) * T * W);
  for (i64 b = 0; b < B; b++) {
    const i64 n = lengths[b];
    log_z[b] = 0;
    if (!n) continue;
    double *weights = room, *alpha = weights + n * W, *beta = alpha + n * W;
    double *incoming = beta + n * W;
    if (!sums(n, emissions, w, weights, alpha, beta, incoming, log_z + b)) return false;
    const double factor = factors[b];
    for (i64 t = 0; t < n; t++) {
      const double *a = alpha + t * W;
      for (i64 j = 0; j < T; j++)
        tag_counts[t * T + j] = factor * a[j] * beta[t * W + j];
      if (!t || !transition_counts) continue;
      const double *before = a - W, *in = incoming + t * W;
      for (i64 i = 0; i < T; i++) {
        if (before[i] == 0) continue;
        const vd x = splat(factor * before[i]);
        double *row = pairs + i * W;
        for (i64 j = 0; j < W; j += DOUBLES) store(row + j, load(row + j) + x * load(in + j));
      }
    }
    emissions += n * T;
    tag_counts += n * T;
  }
  if (transition_counts)
    for (i64 i = 0; i < T; i++)
      for (i64 j = 0; j < T; j++)
        transition_counts[i * T + j] = pairs[i * W + j] * w.transitions[i * W + j];
  return true;
}

// The probabilities of segments, see marginals.py. counts (B,) segments of each sequence;
// starts and ends are rows of their sequence. Scratch: (4, longest, W).
static bool segment_marginals(i64 B, const i64 *lengths, const double *emissions,
                              const Tables &w, const i64 *counts,
                              const i64 *starts, const i64 *ends, const i64 *tags,
                              const i64 *continuation, double *scratch, double *out) {
  const i64 T = w.T, W = w.W;
  for (i64 b = 0; b < B; emissions += lengths[b++] * T) {
    const i64 n = lengths[b];
    if (!counts[b]) continue;
    double *weights = scratch, *alpha = weights + n * W, *beta = alpha + n * W;
    double *incoming = beta + n * W, log_z;
    if (!sums(n, emissions, w, weights, alpha, beta, incoming, &log_z)) return false;
    // p(tag at t | tag before)
    const auto conditional = [&](i64 t, i64 tag, i64 before) {
      const double b_before = beta[(t - 1) * W + before];
      return b_before > 0
                 ? w.transitions[before * W + tag] * incoming[t * W + tag] / b_before
                 : 0.0;
    };
    for (i64 k = 0; k < counts[b]; k++) {
      const i64 start = starts[k], size = ends[k] - start, last = tags[size - 1];
      double p = alpha[start * W + tags[0]] * beta[start * W + tags[0]];
      for (i64 t = 1; t < size; t++) p *= conditional(start + t, tags[t], tags[t - 1]);
      if (ends[k] < n) p *= 1 - conditional(ends[k], continuation[k], last);
      // Rounding must not leave the range of probabilities.
      out[k] = p < 0 ? 0 : p > 1 ? 1 : p;
      tags += size;
    }
    starts += counts[b], ends += counts[b], continuation += counts[b], out += counts[b];
  }
  return true;
}
