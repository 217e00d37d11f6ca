// Y = X·Wᵀ + b. Included inside of the namespace of an instruction set.

INLINE i64 linear_panels(i64 n_outputs) {
  return (n_outputs + TILE_VECTORS * LANES - 1) / (TILE_VECTORS * LANES);
}

static i64 linear_scratch(i64 n_inputs, i64 n_outputs) {
  // The packed W, b, and the sums of a tile.
  return linear_panels(n_outputs) * TILE_VECTORS * LANES * (n_inputs + 1 + TILE_ROWS);
}

static void linear(i64 N, i64 n_inputs, i64 n_outputs, const float *X, const float *W,
                   const float *b, float *Y, float *scratch) {
  const i64 panels = linear_panels(n_outputs), panel_width = TILE_VECTORS * LANES;
  const i64 width = panels * panel_width;
  float *packed = scratch, *bias = packed + n_inputs * width, *sums = bias + width;
  memset(scratch, 0, sizeof(float) * (n_inputs + 1) * width);
  memcpy(bias, b, sizeof(float) * n_outputs);
  for (i64 j = 0; j < n_outputs; j++) {
    float *column = packed + j / panel_width * n_inputs * panel_width + j % panel_width;
    for (i64 k = 0; k < n_inputs; k++) column[k * panel_width] = W[j * n_inputs + k];
  }
  in_tiles(N, [&](auto number, i64 row) {
    constexpr int M = decltype(number)::value;
    const float *x[M];
    for (int m = 0; m < M; m++) x[m] = X + (row + m) * n_inputs;
    multiply_panels<M>(x, packed_panels(packed, n_inputs), panels, bias, 0, sums, width);
    for (int m = 0; m < M; m++)
      memcpy(Y + (row + m) * n_outputs, sums + m * width, sizeof(float) * n_outputs);
  });
}
