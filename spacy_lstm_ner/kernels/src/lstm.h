// One direction of an LSTM layer, forward and backward: the equations of lstm_cell.py.
// Included inside of the namespace of an instruction set, after vectors.h.
//
// The hidden units are divided into blocks of LANES. The arguments of the gates of a row
// are stored as [block][gate i f g o][LANES], and the parameters in panels, such that
// `multiply` reads them in the order of memory: [panel][row][TILE_VECTORS][LANES], where
// a panel is one of the 4 / TILE_VECTORS parts of the four gates of a block. For a few
// rows, packing the parameters takes longer than it saves: then the order is that of the
// cell, [gate][block][LANES].

INLINE i64 n_blocks(i64 n_units) { return (n_units + LANES - 1) / LANES; }

static i64 packed_gates_size(i64 n_rows, i64 n_units) {
  return n_rows * n_blocks(n_units) * 4 * LANES;
}

// (n_rows, 4 n_units) with columns i f g o, as in a cell.
static void pack_gates(const float *W, i64 n_rows, i64 n_units, float *out) {
  for (i64 block = 0; block < n_blocks(n_units); block++)
    for (int first = 0; first < 4; first += TILE_VECTORS)
      for (i64 row = 0; row < n_rows; row++)
        for (int gate = first; gate < first + TILE_VECTORS; gate++, out += LANES) {
          const i64 unit = block * LANES, n = n_units - unit;
          const float *from = W + (row * 4 + gate) * n_units + unit;
          if (n >= LANES) {
            store(out, load(from));
          } else {
            store(out, (vf){});
            memcpy(out, from, n * sizeof(float));
          }
        }
}

INLINE i64 back_panels(i64 n_units) {
  return (n_blocks(n_units) + TILE_VECTORS - 1) / TILE_VECTORS;
}

static i64 packed_back_size(i64 n_units) {
  return 4 * n_units * back_panels(n_units) * TILE_VECTORS * LANES;
}

// The transpose of Wh (n_units, 4 n_units), in panels.
static void pack_back(const float *Wh, i64 n_units, float *out) {
  for (i64 panel = 0; panel < back_panels(n_units); panel++)
    for (i64 k = 0; k < 4 * n_units; k++)
      for (i64 v = 0; v < TILE_VECTORS * LANES; v++) {
        i64 unit = panel * TILE_VECTORS * LANES + v;
        *out++ = unit < n_units ? Wh[unit * 4 * n_units + k] : 0.f;
      }
}

// i, f, g, o, tanh(c) and c of each unit.
static i64 cache_width(i64 n_units) { return 6 * n_blocks(n_units) * LANES; }

static i64 forward_scratch(i64 n_units, i64 n_sequences) {
  // Hidden states before and after a step, cell states, gates of a step, and the input
  // projection.
  return n_blocks(n_units) * LANES * (7 * n_sequences + 4 * (BLOCK_ROWS + n_sequences)) + 64;
}

// The gates, and the states after the step, of one row.
template <bool TRAIN>
static __attribute__((noinline)) void activate(i64 blocks, bool is_packed, const float *a,
                                               float *c, float *h, float *cache) {
  const i64 next = is_packed ? 4 * LANES : LANES;
  const i64 gate = is_packed ? LANES : blocks * LANES;
  for (i64 block = 0; block < blocks; block++, a += next, c += LANES, h += LANES) {
    // σ(a) = 1 / (1 + exp(-a)) and tanh(a) = (exp(2a) - 1) / (exp(2a) + 1); beyond these
    // bounds both are constant in float.
    vf ei = exp_small(clamp(-load(a), 40.f));
    vf ef = exp_small(clamp(-load(a + gate), 40.f));
    vf eg = exp_small(clamp(2.f * load(a + 2 * gate), 20.f));
    vf eo = exp_small(clamp(-load(a + 3 * gate), 40.f));
    vf c_next, h_next;
    if (!TRAIN) {
      // With common denominators there are fewer divisions, which are slow.
      c_next = load(c) / (1.f + ef) + (eg - 1.f) / ((1.f + ei) * (eg + 1.f));
      vf ec = exp_small(clamp(2.f * c_next, 20.f));
      h_next = (ec - 1.f) / ((1.f + eo) * (ec + 1.f));
    } else {
      vf i = 1.f / (1.f + ei), f = 1.f / (1.f + ef), o = 1.f / (1.f + eo);
      vf g = 1.f - 2.f / (eg + 1.f);
      c_next = load(c) * f + i * g;
      vf ec = exp_small(clamp(2.f * c_next, 20.f));
      vf tanh_c = 1.f - 2.f / (ec + 1.f);
      h_next = o * tanh_c;
      store(cache, i);
      store(cache + LANES, f);
      store(cache + 2 * LANES, g);
      store(cache + 3 * LANES, o);
      store(cache + 4 * LANES, tanh_c);
      store(cache + 5 * LANES, c_next);
      cache += 6 * LANES;
    }
    store(c, c_next);
    store(h, h_next);
  }
}

static void forward(const Direction &d) {
  const i64 blocks = n_blocks(d.n_units), width = blocks * LANES;
  const i64 panels = blocks * 4 / TILE_VECTORS;
  const i64 n_sequences = d.n_steps ? d.sizes[0] : 0;
  const i64 panel_width = TILE_VECTORS * LANES;
  const Panels Wx = d.is_packed ? packed_panels(d.Wx, d.n_inputs)
                                : Panels{d.Wx, d.n_inputs, 4 * width, panel_width};
  const Panels Wh = d.is_packed ? packed_panels(d.Wh, d.n_units)
                                : Panels{d.Wh, d.n_units, 4 * width, panel_width};
  float *h = d.scratch, *h_next = h + n_sequences * width;
  float *c = h_next + n_sequences * width, *gates = c + n_sequences * width;
  float *projection = gates + n_sequences * 4 * width;
  memset(d.scratch, 0, sizeof(float) * 3 * n_sequences * width);
  i64 first = 0;  // time-major row
  for (i64 step = 0; step < d.n_steps;) {
    // x·Wx + b, for a block of steps.
    i64 end = step, rows = 0;
    while (end < d.n_steps && (!rows || rows + d.sizes[end] <= BLOCK_ROWS))
      rows += d.sizes[end++];
    in_tiles(rows, [&](auto number, i64 row) {
      constexpr int M = decltype(number)::value;
      const float *x[M];
      for (int m = 0; m < M; m++) x[m] = d.X + d.order[first + row + m] * d.x_stride;
      multiply_panels<M>(x, Wx, panels, d.b, 0, projection + row * 4 * width, 4 * width);
    });
    const float *a = projection;
    for (; step < end; step++) {
      const i64 n = d.sizes[step];
      const i64 *order = d.order + first;
      if (d.h_prev)
        for (i64 m = 0; m < n; m++)
          memcpy(d.h_prev + order[m] * d.h_stride, h + m * width, sizeof(float) * d.n_units);
      in_tiles(n, [&](auto number, i64 row) {
        constexpr int M = decltype(number)::value;
        const float *h_rows[M];
        for (int m = 0; m < M; m++) h_rows[m] = h + (row + m) * width;
        multiply_panels<M>(h_rows, Wh, panels, a + row * 4 * width, 4 * width,
                           gates + row * 4 * width, 4 * width);
        for (i64 m = row; m < row + M; m++) {
          if (d.cache)
            activate<true>(blocks, d.is_packed, gates + m * 4 * width, c + m * width, h_next + m * width,
                           d.cache + (first + m) * 6 * width);
          else
            activate<false>(blocks, d.is_packed, gates + m * 4 * width, c + m * width,
                            h_next + m * width, nullptr);
          memcpy(d.Y + order[m] * d.y_stride, h_next + m * width,
                 sizeof(float) * d.n_units);
        }
      });
      float *swap = h;
      h = h_next;
      h_next = swap;
      a += n * 4 * width;
      first += n;
    }
  }
}

static i64 backward_scratch(i64 n_units, i64 n_sequences) {
  const i64 width = back_panels(n_units) * TILE_VECTORS * LANES;
  return (2 * n_sequences + 5) * width + 64;
}

// The gradients of one row: dA from those of h (dh + dY) and of c (dc, updated).
INLINE void row_gradients(i64 blocks, const float *cache, const float *cache_before,
                          const float *dh, const float *dY, float *dc, float *dA, i64 gate) {
  for (i64 block = 0; block < blocks; block++) {
    const float *at = cache + block * 6 * LANES;
    vf i = load(at), f = load(at + LANES), g = load(at + 2 * LANES);
    vf o = load(at + 3 * LANES), tanh_c = load(at + 4 * LANES);
    vf c_prev = cache_before ? load(cache_before + (block * 6 + 5) * LANES) : (vf){};
    const i64 unit = block * LANES;
    vf d_h = load(dh + unit) + load(dY + unit);
    vf d_c = load(dc + unit) + d_h * o * (1.f - tanh_c * tanh_c);
    store(dA + unit, d_c * g * i * (1.f - i));
    store(dA + gate + unit, d_c * c_prev * f * (1.f - f));
    store(dA + 2 * gate + unit, d_c * i * (1.f - g * g));
    store(dA + 3 * gate + unit, d_h * tanh_c * o * (1.f - o));
    store(dc + unit, d_c * f);
  }
}

static void backward(const Direction &d) {
  const i64 n_units = d.n_units, blocks = n_blocks(n_units), width = blocks * LANES;
  const i64 panels = back_panels(n_units), stride = panels * TILE_VECTORS * LANES;
  const i64 n_sequences = d.n_steps ? d.sizes[0] : 0;
  float *dh = d.scratch, *dc = dh + n_sequences * stride;
  float *row_dY = dc + n_sequences * stride, *row_dA = row_dY + stride;
  memset(d.scratch, 0, sizeof(float) * 2 * n_sequences * stride);
  i64 first = 0;
  for (i64 step = 0; step < d.n_steps; step++) first += d.sizes[step];
  for (i64 step = d.n_steps - 1; step >= 0; step--) {
    const i64 n = d.sizes[step], n_before = step ? d.sizes[step - 1] : 0;
    first -= n;
    const i64 *order = d.order + first;
    const float *cache = d.cache + first * 6 * width;
    for (i64 m = 0; m < n; m++) {
      const float *before = step ? cache + (m - n_before) * 6 * width : nullptr;
      const float *dY = d.dY + order[m] * d.dy_stride;
      float *dA = d.dA + order[m] * d.da_stride;
      if (n_units == width) {
        row_gradients(blocks, cache + m * 6 * width, before, dh + m * stride, dY,
                      dc + m * stride, dA, n_units);
      } else {  // Rows of whole vectors, since the last block has fewer units.
        memset(row_dY, 0, sizeof(float) * width);
        memcpy(row_dY, dY, sizeof(float) * n_units);
        row_gradients(blocks, cache + m * 6 * width, before, dh + m * stride, row_dY,
                      dc + m * stride, row_dA, width);
        for (int gate = 0; gate < 4; gate++)
          memcpy(dA + gate * n_units, row_dA + gate * width, sizeof(float) * n_units);
      }
    }
    if (!step) break;
    in_tiles(n, [&](auto number, i64 row) {
      constexpr int M = decltype(number)::value;
      const float *dA[M];
      for (int m = 0; m < M; m++) dA[m] = d.dA + order[row + m] * d.da_stride;
      multiply_panels<M>(dA, packed_panels(d.Wh_back, 4 * n_units), panels, nullptr, 0,
                         dh + row * stride, stride);
    });
    // Sequences that end at the step before have no gradient from later steps.
    memset(dh + n * stride, 0, sizeof(float) * (n_before - n) * stride);
    memset(dc + n * stride, 0, sizeof(float) * (n_before - n) * stride);
  }
}
