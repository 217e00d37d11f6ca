// Vectors of the current instruction set, in the vector extensions of GCC and Clang.
// Included inside of a namespace that defines LANES, TILE_ROWS and TILE_VECTORS.

typedef float vf __attribute__((vector_size(LANES * 4)));
typedef float vf_unaligned __attribute__((vector_size(LANES * 4), aligned(4), may_alias));
typedef int32_t vi __attribute__((vector_size(LANES * 4)));
// As wide, so half as many elements.
constexpr int DOUBLES = LANES / 2;
typedef double vd __attribute__((vector_size(DOUBLES * 8)));
typedef double vd_unaligned
    __attribute__((vector_size(DOUBLES * 8), aligned(8), may_alias));

#define INLINE static inline __attribute__((always_inline))

INLINE vf load(const float *p) { return *(const vf_unaligned *)p; }
INLINE void store(float *p, vf v) { *(vf_unaligned *)p = v; }
INLINE vd load(const double *p) { return *(const vd_unaligned *)p; }
INLINE void store(double *p, vd v) { *(vd_unaligned *)p = v; }
INLINE vf splat(float x) { return x - (vf){}; }
INLINE vd splat(double x) { return x - (vd){}; }
// In this order, NaN in x stays NaN.
INLINE vf at_most(vf x, vf bound) { return bound < x ? bound : x; }
INLINE vf at_least(vf x, vf bound) { return bound > x ? bound : x; }
INLINE vf clamp(vf x, float bound) {
  return at_most(at_least(x, splat(-bound)), splat(bound));
}
INLINE i64 padded(i64 n, i64 to) { return (n + to - 1) / to * to; }

// exp(x) for |x| < 87, with a relative error below 2e-7: 2^n · exp(r), where |r| is at
// most log(2) / 2 and exp(r) is a polynomial.
INLINE vf exp_small(vf x) {
  const vf magic = splat(12582912.f);  // 1.5 · 2^23: adding it rounds to integers
  vf shifted = x * 1.44269504088896341f + magic;
  vf n = shifted - magic;
  vf r = x - n * 0.693359375f;  // log(2) in two parts
  r = r + n * 2.12194440e-4f;
  vf p = splat(1.9875691500e-4f);
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + r + 1.f;
  return (vf)((vi)p + ((vi)shifted << 23));
}

// exp(x) for x <= 0, in double: 0 below -700.
INLINE double exp_negative(double x) {
  double y = x < -700 ? -700 : x;
  double shifted = y * 1.4426950408889634 + 6755399441055744.0;  // 1.5 · 2^52
  i64 bits;
  memcpy(&bits, &shifted, 8);
  double n = shifted - 6755399441055744.0;
  double r = y - n * 6.93147180369123816490e-01;
  r -= n * 1.90821492927058770002e-10;
  // The Taylor series: the next term is below 2e-16 for |r| <= log(2) / 2.
  double p = 2.08767569878681e-9;
  p = p * r + 2.50521083854417e-8;
  p = p * r + 2.75573192239859e-7;
  p = p * r + 2.75573192239859e-6;
  p = p * r + 2.48015873015873e-5;
  p = p * r + 1.98412698412698e-4;
  p = p * r + 1.38888888888889e-3;
  p = p * r + 8.33333333333333e-3;
  p = p * r + 4.16666666666667e-2;
  p = p * r + 1.66666666666667e-1;
  p = p * r + 0.5;
  p = p * r + 1.0;
  p = p * r + 1.0;
  i64 result;
  memcpy(&result, &p, 8);
  result += bits << 52;
  memcpy(&p, &result, 8);
  return x < -700 ? 0.0 : p;
}

// A matrix of K rows in panels: groups of TILE_VECTORS · LANES columns. In a packed
// matrix, the rows of a panel follow each other, and then those of the next panel. A
// matrix as NumPy has it can be read, too, which is slower but saves packing it.
struct Panels {
  const float *data;
  i64 K;
  i64 row;    // floats between the rows of a panel
  i64 panel;  // floats between panels
};

INLINE Panels packed_panels(const float *data, i64 K) {
  return {data, K, TILE_VECTORS * LANES, K * TILE_VECTORS * LANES};
}

// acc[m] += a[m] · W for M rows a of K numbers, and S panels of a matrix W. Each sum adds
// its products in the order of K, however many rows there are: so a row gives the same
// result in any batch.
template <int M, int S>
INLINE void multiply(vf (&acc)[M][S * TILE_VECTORS], const float *const (&a)[M],
                     const float *const (&panels)[S], i64 K, i64 row) {
  constexpr int V = S * TILE_VECTORS;
  for (i64 k = 0; k < K; k++) {
    vf w[V];
#pragma GCC unroll 16
    for (int v = 0; v < V; v++)
      w[v] = load(panels[v / TILE_VECTORS] + k * row + v % TILE_VECTORS * LANES);
#pragma GCC unroll 8
    for (int m = 0; m < M; m++) {
      vf x = splat(a[m][k]);
#pragma GCC unroll 16
      for (int v = 0; v < V; v++) acc[m][v] += x * w[v];
    }
  }
}

template <int N> struct Number {
  static constexpr int value = N;
};

// Call f(Number<M>, row) for tiles of M <= TILE_ROWS rows, as even in size as possible.
template <class F> INLINE void in_tiles(i64 n, F f) {
  i64 row = 0;
  for (i64 tiles = (n + TILE_ROWS - 1) / TILE_ROWS; tiles > 0; tiles--) {
    i64 size = (n - row + tiles - 1) / tiles;
    switch (size) {
    case 1: f(Number<1>(), row); break;
    case 2: f(Number<2>(), row); break;
    case 3: f(Number<3>(), row); break;
    case 4: f(Number<(TILE_ROWS < 4 ? TILE_ROWS : 4)>(), row); break;
    case 5: f(Number<(TILE_ROWS < 5 ? TILE_ROWS : 5)>(), row); break;
    default: f(Number<TILE_ROWS>(), row);
    }
    row += size;
  }
}

// The number of panels that M rows multiply at once: enough for eight independent sums,
// which the latency of a multiplication hides behind.
constexpr int panels_at_once(int M, int at_most) {
  int n = 1;
  while (n * 2 <= at_most && n * M * TILE_VECTORS < 8) n *= 2;
  return n;
}

// Multiply M rows by `count` panels, and store the sums. `initial` and `out` have rows
// with these strides; `initial` may be null.
template <int M>
static __attribute__((noinline)) void multiply_panels(
    const float *const (&a)[M], const Panels &panels, i64 count, const float *initial,
    i64 initial_stride, float *out, i64 out_stride) {
  constexpr int width = TILE_VECTORS * LANES;
  constexpr int S = panels_at_once(M, 4);
  i64 panel = 0;
  const auto tile = [&](auto number) {
    constexpr int s = decltype(number)::value;
    vf acc[M][s * TILE_VECTORS];
    const float *w[s];
    for (int i = 0; i < s; i++) w[i] = panels.data + (panel + i) * panels.panel;
    for (int m = 0; m < M; m++)
      for (int v = 0; v < s * TILE_VECTORS; v++)
        acc[m][v] = initial ? load(initial + m * initial_stride + panel * width + v * LANES)
                            : (vf){};
    multiply<M, s>(acc, a, w, panels.K, panels.row);
    for (int m = 0; m < M; m++)
      for (int v = 0; v < s * TILE_VECTORS; v++)
        store(out + m * out_stride + panel * width + v * LANES, acc[m][v]);
    panel += s;
  };
  while (panel + S <= count) tile(Number<S>());
  while (panel < count) tile(Number<1>());
}
