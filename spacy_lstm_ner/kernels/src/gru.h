// One direction of a GRU layer, forward only: the equations of layers/gru.py. Included
// inside of the namespace of an instruction set, after vectors.h.

INLINE i64 gru_panel_width() { return TILE_VECTORS * LANES; }

// (n_rows, n_columns) in panels; n_columns is a multiple of their width.
static void pack_columns(const float *W, i64 n_rows, i64 n_columns, float *out) {
  for (i64 column = 0; column < n_columns; column += gru_panel_width())
    for (i64 row = 0; row < n_rows; row++, out += gru_panel_width())
      memcpy(out, W + row * n_columns + column, sizeof(float) * gru_panel_width());
}

static i64 gru_scratch(i64 n_units, i64 n_sequences) {
  // Hidden states, and the same times the reset gate; gates and candidates of a tile; and
  // the input projection.
  return n_units * (2 * n_sequences + 3 * TILE_ROWS + 3 * (BLOCK_ROWS + n_sequences)) + 64;
}

INLINE vf gru_sigmoid(vf a) { return 1.f / (1.f + exp_small(clamp(-a, 40.f))); }

static void gru(const GruDirection &d) {
  const i64 n = d.n_units, panels = n / gru_panel_width();
  const i64 n_sequences = d.n_steps ? d.sizes[0] : 0;
  float *h = d.scratch, *rh = h + n_sequences * n, *gates = rh + n_sequences * n;
  float *candidates = gates + TILE_ROWS * 2 * n, *projection = candidates + TILE_ROWS * n;
  memset(h, 0, sizeof(float) * n_sequences * n);
  i64 first = 0;  // time-major row
  for (i64 step = 0; step < d.n_steps;) {
    // x·W + b, for a block of steps.
    i64 end = step, rows = 0;
    while (end < d.n_steps && (!rows || rows + d.sizes[end] <= BLOCK_ROWS))
      rows += d.sizes[end++];
    in_tiles(rows, [&](auto number, i64 row) {
      constexpr int M = decltype(number)::value;
      const float *x[M];
      for (int m = 0; m < M; m++) x[m] = d.X + d.order[first + row + m] * d.x_stride;
      multiply_panels<M>(x, packed_panels(d.W, d.n_inputs), 3 * panels, d.b, 0,
                         projection + row * 3 * n, 3 * n);
    });
    const float *a = projection;
    for (; step < end; step++) {
      const i64 *order = d.order + first;
      in_tiles(d.sizes[step], [&](auto number, i64 row) {
        constexpr int M = decltype(number)::value;
        const float *h_rows[M], *rh_rows[M];
        for (int m = 0; m < M; m++) {
          h_rows[m] = h + (row + m) * n;
          rh_rows[m] = rh + (row + m) * n;
        }
        multiply_panels<M>(h_rows, packed_panels(d.U_gates, n), 2 * panels,
                           a + row * 3 * n, 3 * n, gates, 2 * n);
        for (int m = 0; m < M; m++)
          for (i64 unit = 0; unit < n; unit += LANES) {
            vf r = gru_sigmoid(load(gates + m * 2 * n + n + unit));
            store(rh + (row + m) * n + unit, r * load(h_rows[m] + unit));
          }
        multiply_panels<M>(rh_rows, packed_panels(d.U_candidate, n), panels,
                           a + row * 3 * n + 2 * n, 3 * n, candidates, n);
        for (int m = 0; m < M; m++) {
          float *state = h + (row + m) * n;
          for (i64 unit = 0; unit < n; unit += LANES) {
            vf u = gru_sigmoid(load(gates + m * 2 * n + unit));
            vf e = exp_small(clamp(2.f * load(candidates + m * n + unit), 20.f));
            vf before = load(state + unit);
            store(state + unit, before + u * (1.f - 2.f / (e + 1.f) - before));
          }
          memcpy(d.Y + order[row + m] * d.y_stride, state, sizeof(float) * n);
        }
      });
      a += d.sizes[step] * 3 * n;
      first += d.sizes[step];
    }
  }
}
