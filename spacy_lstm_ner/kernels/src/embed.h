// Embeddings of characters: HashCharEmbed of embed.py, LexiconEmbed of lexicon.py.
// Included inside of the namespace of an instruction set, after vectors.h.

INLINE u64 mix(u64 h) {
  h ^= h >> 33;
  h *= 0xff51afd7ed558ccdull;
  h ^= h >> 33;
  h *= 0xc4ceb9fe1a85ec53ull;
  return h ^ h >> 33;
}

// MurmurHash3 (x64, 128 bits) of eight bytes, as `NumpyOps.hash` of Thinc.
INLINE void hash(u64 key, u32 seed, u32 (&out)[4]) {
  u64 h1 = key * 0x87c37b91114253d5ull, h2 = seed ^ 8;
  h1 = (h1 << 31 | h1 >> 33) * 0x4cf5ad432745937full;
  h1 ^= seed;
  h1 ^= 8;
  h1 += h2;
  h2 += h1;
  h1 = mix(h1), h2 = mix(h2);
  h1 += h2;
  h2 += h1;
  out[0] = (u32)h1, out[1] = (u32)(h1 >> 32), out[2] = (u32)h2, out[3] = (u32)(h2 >> 32);
}

// x % d by two multiplications, where inverse = 2^64 / d + 1 (Lemire, Kaser & Kurz, 2019,
// "Faster remainder by direct computation").
INLINE u32 remainder_of(u32 x, u64 inverse, u32 d) {
  return (u32)((unsigned __int128)(inverse * x) * d >> 64);
}

// X[row] = the vectors of the n-grams of the row, side by side, in the order of `ngrams`
// of embed.py; each is a sum of four rows of its table. keys (N, tables, 4): these rows,
// or null.
static void hash_embed(const Texts &texts, int longest, const HashTable *tables, i64 width,
                       float *X, i64 x_stride, u32 *keys) {
  const u64 bits = 21;  // of a code point
  i64 first_row = 0;
  const int n_tables = longest * (longest + 1) / 2;
  u64 inverse[6];
  for (int k = 0; k < n_tables; k++)
    inverse[k] = ~0ull / (u64)tables[k].n_rows + 1;
  for (i64 b = 0; b < texts.B; first_row += texts.lengths[b++]) {
    const i64 n = texts.lengths[b];
    const u32 *codes = texts.codes + first_row;
    for (i64 i = 0; i < n; i++) {
      const HashTable *table = tables;
      float *x = X + (first_row + i) * x_stride;
      for (int size = 1; size <= longest; size++)
        for (int start = 1 - size; start <= 0; start++, table++, x += width) {
          u64 gram = 0;
          for (i64 at = i + start; at < i + start + size; at++) {
            gram <<= bits;
            if (at >= 0 && at < n) gram |= (u64)codes[at] + 1;
          }
          u32 h[4];
          hash(gram, table->seed, h);
          const float *rows[4];
          for (int k = 0; k < 4; k++) {
            const u64 inv = inverse[table - tables];
            // For a table of one row, the inverse overflows to 0, and so the remainder is 0.
            u32 row = remainder_of(h[k], inv, (u32)table->n_rows);
            rows[k] = table->rows + (i64)row * width;
            if (keys) *keys++ = row;
          }
          i64 j = 0;
          for (; j + LANES <= width; j += LANES)
            store(x + j, ((load(rows[0] + j) + load(rows[1] + j)) + load(rows[2] + j)) +
                             load(rows[3] + j));
          for (; j < width; j++) x[j] = ((rows[0][j] + rows[1][j]) + rows[2][j]) + rows[3][j];
        }
    }
  }
}

// Add the gradients of the vectors to those of the rows of the tables.
static void hash_gradient(i64 N, i64 n_tables, const u32 *keys, i64 width, const float *dX,
                          i64 dx_stride, float *const *gradients) {
  for (i64 row = 0; row < N; row++)
    for (i64 table = 0; table < n_tables; table++, keys += 4) {
      const float *dx = dX + row * dx_stride + table * width;
      for (int k = 0; k < 4; k++) {
        float *to = gradients[table] + (i64)keys[k] * width;
        i64 j = 0;
        for (; j + LANES <= width; j += LANES) store(to + j, load(to + j) + load(dx + j));
        for (; j < width; j++) to[j] += dx[j];
      }
    }
}

// The words at each character: found (N, 3) has a bit for each kind and length of the
// words that begin, continue and end there.
static void find_words(const Texts &texts, const Words &words, u64 *found) {
  memset(found, 0, sizeof(u64) * 3 * texts.N);
  i64 row = 0;
  for (i64 b = 0; b < texts.B; b++) {
    const i64 end = row + texts.lengths[b];
    for (; row < end; row++) {
      u64 key = 0;
      for (i64 n = 1; n <= words.longest && row + n <= end; n++) {
        // As `_longer` of lexicon.py.
        key = key * 0x9E3779B97F4A7C15ull + texts.codes[row + n - 1] + 1;
        if (!words.sizes[n] || !words.upper[key >> 44]) continue;
        const u64 *at = words.keys[n];
        for (i64 size = words.sizes[n]; size > 1;) {
          const i64 half = size / 2;
          at = at[half] <= key ? at + half : at;
          size -= half;
        }
        if (*at != key) continue;
        const u64 flags = words.flags[n][at - words.keys[n]];
        found[3 * row] |= flags;
        for (i64 k = 1; k < n - 1; k++) found[3 * (row + k) + 1] |= flags;
        found[3 * (row + n - 1) + 2] |= flags;
      }
    }
  }
}

// X[row] = its row of `profiles`, and the rows of E of its bits in `found`.
static void word_vectors(i64 N, const u64 *found, i64 n_flags, const float *E, i64 width,
                         const float *profiles, const i64 *profile_rows, float *X,
                         i64 x_stride) {
  for (i64 row = 0; row < N; row++) {
    float *x = X + row * x_stride;
    memcpy(x, profiles + profile_rows[row] * width, sizeof(float) * width);
    for (i64 place = 0; place < 3; place++)
      for (u64 bits = found[3 * row + place]; bits; bits &= bits - 1) {
        const float *e = E + (place * n_flags + __builtin_ctzll(bits)) * width;
        i64 j = 0;
        for (; j + LANES <= width; j += LANES) store(x + j, load(x + j) + load(e + j));
        for (; j < width; j++) x[j] += e[j];
      }
  }
}
