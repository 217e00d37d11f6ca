// The kernels of one instruction set and their table. Included inside of a namespace that
// defines LANES, TILE_ROWS and TILE_VECTORS, once in a file.
#include "vectors.h"
#include "lstm.h"
#include "gru.h"
#include "linear.h"
#include "crf.h"
#include "embed.h"

static const InstructionSet table = {
    INSTRUCTION_SET,
    LANES,
    packed_gates_size,
    pack_gates,
    packed_back_size,
    pack_back,
    cache_width,
    forward_scratch,
    backward_scratch,
    forward,
    backward,
    TILE_VECTORS * LANES,
    pack_columns,
    gru_scratch,
    gru,
    linear_scratch,
    linear,
    best_paths,
    n_best_paths,
    expected_counts,
    segment_marginals,
    hash_embed,
    hash_gradient,
    find_words,
    word_vectors,
};
