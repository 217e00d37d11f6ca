# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: embedsignature=True, freethreading_compatible=False
"""The kernels for Python: thin functions on contiguous NumPy arrays.

They check the types of arrays, since a memoryview does, and their sizes, and release the
GIL. Functions on CRFs return None where the kernel cannot decide: see crf.h.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libcpp cimport bool as cbool
from libc.string cimport memset
from libc.math cimport INFINITY, exp


cdef extern from "src/kernels.h" namespace "lstm_ner" nogil:
    const int64_t TAG_PAD
    cdef cppclass Direction:
        int64_t n_inputs, n_units, n_steps
        const int64_t *sizes
        const int64_t *order
        cbool is_packed
        const float *Wx
        const float *Wh
        const float *b
        const float *Wh_back
        const float *X
        float *Y
        int64_t x_stride, y_stride
        float *cache
        float *h_prev
        int64_t h_stride
        const float *dY
        float *dA
        int64_t dy_stride, da_stride
        float *scratch

    cdef cppclass GruDirection:
        int64_t n_inputs, n_units, n_steps
        const int64_t *sizes
        const int64_t *order
        const float *W
        const float *U_gates
        const float *U_candidate
        const float *b
        const float *X
        float *Y
        int64_t x_stride, y_stride
        float *scratch

    cdef cppclass Tables:
        int64_t T, W
        const double *starts
        const double *transitions
        const double *transposed
        const double *ends

    cdef cppclass Texts:
        int64_t B, N
        const int64_t *lengths
        const uint32_t *codes

    cdef cppclass HashTable:
        const float *rows
        int64_t n_rows
        uint32_t seed

    cdef cppclass Words:
        int64_t longest, n_flags
        const uint64_t *const *keys
        const uint64_t *const *flags
        const int64_t *sizes
        const uint8_t *upper

    cdef cppclass InstructionSet:
        const char *name
        int lanes
        int64_t packed_gates_size(int64_t, int64_t)
        void pack_gates(const float *, int64_t, int64_t, float *)
        int64_t packed_back_size(int64_t)
        void pack_back(const float *, int64_t, float *)
        int64_t cache_width(int64_t)
        int64_t forward_scratch(int64_t, int64_t)
        int64_t backward_scratch(int64_t, int64_t)
        int64_t panel_width
        void pack_columns(const float *, int64_t, int64_t, float *)
        int64_t gru_scratch(int64_t, int64_t)
        int64_t linear_scratch(int64_t, int64_t)
        void linear(int64_t, int64_t, int64_t, const float *, const float *,
                    const float *, float *, float *)
        cbool best_paths(int64_t, const int64_t *, const double *, const Tables &,
                         double *, int64_t *)
        cbool n_best_paths(int64_t, const int64_t *, const double *,
                           const Tables &, int64_t, double *, int32_t *,
                           int64_t *, double *)
        cbool expected_counts(int64_t, const int64_t *, const double *,
                              const Tables &, const double *, double *,
                              double *, double *, double *)
        cbool segment_marginals(int64_t, const int64_t *, const double *,
                                const Tables &, const int64_t *,
                                const int64_t *, const int64_t *, const int64_t *,
                                const int64_t *, double *, double *)
        void hash_embed(const Texts &, int, const HashTable *, int64_t, float *,
                        int64_t, uint32_t *)
        void hash_gradient(int64_t, int64_t, const uint32_t *, int64_t, const float *,
                           int64_t, float *const *)
        void find_words(const Texts &, const Words &, uint64_t *)
        void word_vectors(int64_t, const uint64_t *, int64_t, const float *, int64_t,
                          const float *, const int64_t *, float *, int64_t)


cdef extern from "src/dispatch.h" namespace "lstm_ner" nogil:
    const InstructionSet *const *available_sets()
    void run_directions(const InstructionSet &, const Direction *, int, cbool, int)
    void run_gru(const InstructionSet &, const GruDirection *, int, int)
    int spacy_lstm_ner_get_num_threads()
    void spacy_lstm_ner_set_num_threads(int)
    cdef cppclass Buffer[T]:
        Buffer()
        Buffer(int64_t) except +
        void allocate(int64_t) except +
        T *data()


# The instruction set in use. PackedCell keeps the one it was packed for.
cdef const InstructionSet *current = available_sets()[0]


def instruction_sets() -> list:
    """The names of the instruction sets that this processor has, the best one first."""
    names = []
    cdef int i = 0
    while available_sets()[i] != NULL:
        names.append(available_sets()[i].name.decode())
        i += 1
    return names


def instruction_set() -> str:
    """The name of the instruction set in use."""
    return current.name.decode()


def use_instruction_set(str name) -> None:
    """Use another one of `instruction_sets`."""
    global current
    current = available_sets()[instruction_sets().index(name)]


def num_threads() -> int:
    """The number of threads that `lstm_forward` and `lstm_backward` may use."""
    return spacy_lstm_ner_get_num_threads()


def set_num_threads(int n) -> None:
    """Set the number of threads that they may use."""
    spacy_lstm_ner_set_num_threads(n)


cdef _check(bint is_right, str what):
    if not is_right:
        raise ValueError(f"kernels: {what}")


# LSTM ---------------------------------------------------------------------------------


# Up to this number of rows, packing the parameters takes longer than it saves.
cdef int64_t FEW_ROWS = 24


cdef class PackedCell:
    """The parameters of an LSTM cell, in the order in which the kernels read them. For
    a few rows they are not copied: then they must not change before the kernel has
    run."""

    cdef const InstructionSet *set
    cdef readonly int64_t n_inputs
    cdef readonly int64_t n_units
    cdef readonly bint is_packed
    cdef Buffer[float] packed_Wx, packed_Wh, packed_b, Wh_back
    cdef const float *Wx
    cdef const float *Wh
    cdef const float *b
    cdef bint has_back
    cdef object arrays  # keeps the memory alive

    def __init__(
        self,
        const float[:, ::1] Wx,
        const float[:, ::1] Wh,
        const float[::1] b,
        int64_t n_rows=FEW_ROWS + 1,
        bint for_training=False,
    ):
        """
        Wx (n_inputs, 4 n_units), Wh (n_units, 4 n_units), b (4 n_units,): Float32.
        n_rows: The number of rows that it will be used for.
        for_training: Pack what the backward pass needs, too.
        """
        cdef int64_t n_inputs = Wx.shape[0], n_units = Wh.shape[0]
        _check(
            n_units > 0
            and Wx.shape[1] == Wh.shape[1] == b.shape[0] == 4 * n_units,
            "the parameters of the cell do not fit together",
        )
        self.set = current
        self.n_inputs, self.n_units = n_inputs, n_units
        self.has_back = for_training
        self.is_packed = n_rows > FEW_ROWS or n_units % current.lanes
        if for_training:
            self.Wh_back.allocate(current.packed_back_size(n_units))
        if not self.is_packed:
            self.arrays = Wx, Wh, b
            self.Wx = &Wx[0, 0] if n_inputs else NULL
            self.Wh, self.b = &Wh[0, 0], &b[0]
        else:
            self.packed_Wx.allocate(current.packed_gates_size(n_inputs, n_units))
            self.packed_Wh.allocate(current.packed_gates_size(n_units, n_units))
            self.packed_b.allocate(current.packed_gates_size(1, n_units))
            self.Wx, self.Wh = self.packed_Wx.data(), self.packed_Wh.data()
            self.b = self.packed_b.data()
        with nogil:
            if self.is_packed:
                if n_inputs:
                    self.set.pack_gates(
                        &Wx[0, 0], n_inputs, n_units, self.packed_Wx.data()
                    )
                self.set.pack_gates(&Wh[0, 0], n_units, n_units, self.packed_Wh.data())
                self.set.pack_gates(&b[0], 1, n_units, self.packed_b.data())
            if self.has_back:
                self.set.pack_back(&Wh[0, 0], n_units, self.Wh_back.data())


cdef class LayerCache:
    """What the backward pass of a layer needs from its forward pass."""

    cdef Buffer[float] values
    cdef int64_t size  # of a direction


def lstm_forward(
    tuple cells,
    const float[:, ::1] X,
    const int64_t[::1] sizes,
    const int64_t[:, ::1] orders,
    float[:, ::1] Y,
    float[:, ::1] H_prev,
    int threads,
):
    """Run one layer of D = 1 or 2 directions.

    cells: D `PackedCell`.
    X: (N, n_inputs).
    sizes: (T,) the number of rows of each step.
    orders: (at least D, N) the row of X of each time-major row.
    Y: (N, D · n_units), output: the hidden states.
    H_prev: The same, output: the hidden states before each step. None: no gradients will
        be needed.
    threads: The number of threads, at most `num_threads`.
    RETURNS: A `LayerCache` for `lstm_backward`; None without `H_prev`.
    """
    cdef int64_t N = X.shape[0], D = len(cells), T = sizes.shape[0], k, total = 0
    cdef PackedCell cell = cells[0]
    cdef int64_t n_units = cell.n_units
    cdef const InstructionSet *set = cell.set
    cdef Direction directions[2]
    cdef LayerCache cache = None
    for k in range(T):
        total += sizes[k]
    _check(
        1 <= D <= 2
        and orders.shape[0] >= D
        and total == orders.shape[1] == N == Y.shape[0]
        and Y.shape[1] == D * n_units
        and (
            H_prev is None
            or (H_prev.shape[0] == N and H_prev.shape[1] == D * n_units)
        ),
        "the sizes of the arrays do not fit together",
    )
    if not N:
        return LayerCache() if H_prev is not None else None
    cdef int64_t scratch_size = set.forward_scratch(n_units, sizes[0])
    # A multiple of the alignment.
    scratch_size = (scratch_size + 15) // 16 * 16
    cdef Buffer[float] scratch
    scratch.allocate(D * scratch_size)
    if H_prev is not None:
        cache = LayerCache()
        cache.size = (N * set.cache_width(n_units) + 15) // 16 * 16
        cache.values.allocate(D * cache.size)
    for k in range(D):
        cell = cells[k]
        _check(
            cell.set == set
            and cell.n_units == n_units
            and cell.n_inputs == X.shape[1],
            "the cells of a layer do not fit together",
        )
        memset(&directions[k], 0, sizeof(Direction))
        directions[k].n_inputs = cell.n_inputs
        directions[k].n_units = n_units
        directions[k].n_steps = T
        directions[k].sizes = &sizes[0]
        directions[k].order = &orders[k, 0]
        directions[k].is_packed = cell.is_packed
        directions[k].Wx = cell.Wx
        directions[k].Wh = cell.Wh
        directions[k].b = cell.b
        directions[k].X = &X[0, 0] if X.shape[1] else NULL
        directions[k].x_stride = X.shape[1]
        directions[k].Y = &Y[0, k * n_units]
        directions[k].y_stride = D * n_units
        directions[k].scratch = scratch.data() + k * scratch_size
        if cache is not None:
            directions[k].cache = cache.values.data() + k * cache.size
            directions[k].h_prev = &H_prev[0, k * n_units]
            directions[k].h_stride = D * n_units
    with nogil:
        run_directions(set[0], directions, D, False, threads)
    return cache


def lstm_backward(
    tuple cells,
    LayerCache cache,
    const float[:, ::1] dY,
    const int64_t[::1] sizes,
    const int64_t[:, ::1] orders,
    float[:, :, ::1] dA,
    int threads,
):
    """The gradients of the arguments of the gates, i f g o: the recurrent part of the
    backward pass.

    cells: As for `lstm_forward`, packed for training.
    cache: What it returned.
    dY: (N, D · n_units), the gradient of the hidden states.
    sizes, orders: As for `lstm_forward`.
    dA: (N, D, 4 n_units), output.
    threads: As for `lstm_forward`.
    """
    cdef int64_t N = dY.shape[0], D = len(cells), T = sizes.shape[0], k
    cdef PackedCell cell = cells[0]
    cdef int64_t n_units = cell.n_units
    cdef const InstructionSet *set = cell.set
    cdef Direction directions[2]
    _check(
        1 <= D <= 2
        and dY.shape[1] == D * n_units
        and orders.shape[1] == N == dA.shape[0]
        and dA.shape[1] == D
        and dA.shape[2] == 4 * n_units,
        "the sizes of the arrays do not fit together",
    )
    if not N:
        return
    cdef int64_t scratch_size = set.backward_scratch(n_units, sizes[0])
    scratch_size = (scratch_size + 15) // 16 * 16
    cdef Buffer[float] scratch
    scratch.allocate(D * scratch_size)
    for k in range(D):
        cell = cells[k]
        _check(cell.has_back and cell.set == set, "the cells are not packed for training")
        memset(&directions[k], 0, sizeof(Direction))
        directions[k].n_units = n_units
        directions[k].n_steps = T
        directions[k].sizes = &sizes[0]
        directions[k].order = &orders[k, 0]
        directions[k].Wh_back = cell.Wh_back.data()
        directions[k].cache = cache.values.data() + k * cache.size
        directions[k].dY = &dY[0, k * n_units]
        directions[k].dy_stride = D * n_units
        directions[k].dA = &dA[0, k, 0]
        directions[k].da_stride = D * 4 * n_units
        directions[k].scratch = scratch.data() + k * scratch_size
    with nogil:
        run_directions(set[0], directions, D, True, threads)


def linear(const float[:, ::1] X, const float[:, ::1] W, const float[::1] b,
           float[:, ::1] Y):
    """X·Wᵀ + b.

    X: (N, n_inputs). W: (n_outputs, n_inputs). b: (n_outputs,).
    Y: (N, n_outputs), output.
    """
    cdef int64_t N = X.shape[0], n_inputs = W.shape[1], n_outputs = W.shape[0]
    _check(
        X.shape[1] == n_inputs
        and b.shape[0] == n_outputs == Y.shape[1]
        and Y.shape[0] == N,
        "the sizes of the arrays do not fit together",
    )
    if not N or not n_outputs or not n_inputs:
        return
    cdef Buffer[float] scratch
    scratch.allocate(current.linear_scratch(n_inputs, n_outputs))
    with nogil:
        current.linear(N, n_inputs, n_outputs, &X[0, 0], &W[0, 0], &b[0], &Y[0, 0],
                       scratch.data())


# GRU ----------------------------------------------------------------------------------


cdef class PackedGRU:
    """The weights of a direction of a GRU, in the order in which the kernels read
    them."""

    cdef const InstructionSet *set
    cdef readonly int64_t n_inputs
    cdef readonly int64_t n_units
    cdef Buffer[float] W, U_gates, U_candidate
    cdef const float *b
    cdef object arrays  # keeps the memory alive

    def __init__(
        self,
        const float[:, ::1] W,
        const float[::1] b,
        const float[:, ::1] U_gates,
        const float[:, ::1] U_candidate,
    ):
        """
        W (n_inputs, 3 n_units), b (3 n_units,), U_gates (n_units, 2 n_units),
        U_candidate (n_units, n_units): Float32.
        """
        cdef int64_t n_inputs = W.shape[0], n = U_candidate.shape[0]
        _check(
            n > 0
            and n_inputs > 0
            and n % current.panel_width == 0
            and W.shape[1] == b.shape[0] == 3 * n
            and U_gates.shape[0] == U_candidate.shape[1] == n
            and U_gates.shape[1] == 2 * n,
            "the weights of the GRU do not fit together",
        )
        self.set = current
        self.n_inputs, self.n_units = n_inputs, n
        self.W.allocate(n_inputs * 3 * n)
        self.U_gates.allocate(n * 2 * n)
        self.U_candidate.allocate(n * n)
        self.arrays = b
        self.b = &b[0]
        with nogil:
            self.set.pack_columns(&W[0, 0], n_inputs, 3 * n, self.W.data())
            self.set.pack_columns(&U_gates[0, 0], n, 2 * n, self.U_gates.data())
            self.set.pack_columns(&U_candidate[0, 0], n, n, self.U_candidate.data())


def gru_forward(
    tuple weights,
    const float[:, ::1] X,
    const int64_t[::1] sizes,
    const int64_t[:, ::1] orders,
    float[:, ::1] Y,
    int threads,
):
    """Run one layer of D = 1 or 2 directions.

    weights: D `PackedGRU`.
    X, sizes, orders, Y, threads: As for `lstm_forward`.
    """
    cdef int64_t N = X.shape[0], D = len(weights), T = sizes.shape[0], k, total = 0
    cdef PackedGRU cell = weights[0]
    cdef int64_t n_units = cell.n_units
    cdef const InstructionSet *set = cell.set
    cdef GruDirection directions[2]
    for k in range(T):
        total += sizes[k]
    _check(
        1 <= D <= 2
        and orders.shape[0] >= D
        and total == orders.shape[1] == N == Y.shape[0]
        and Y.shape[1] == D * n_units,
        "the sizes of the arrays do not fit together",
    )
    if not N:
        return
    cdef int64_t scratch_size = set.gru_scratch(n_units, sizes[0])
    # A multiple of the alignment.
    scratch_size = (scratch_size + 15) // 16 * 16
    cdef Buffer[float] scratch
    scratch.allocate(D * scratch_size)
    for k in range(D):
        cell = weights[k]
        _check(
            cell.set == set
            and cell.n_units == n_units
            and cell.n_inputs == X.shape[1],
            "the directions of a layer do not fit together",
        )
        directions[k].n_inputs = cell.n_inputs
        directions[k].n_units = n_units
        directions[k].n_steps = T
        directions[k].sizes = &sizes[0]
        directions[k].order = &orders[k, 0]
        directions[k].W = cell.W.data()
        directions[k].U_gates = cell.U_gates.data()
        directions[k].U_candidate = cell.U_candidate.data()
        directions[k].b = cell.b
        directions[k].X = &X[0, 0]
        directions[k].x_stride = X.shape[1]
        directions[k].Y = &Y[0, k * n_units]
        directions[k].y_stride = D * n_units
        directions[k].scratch = scratch.data() + k * scratch_size
    with nogil:
        run_gru(set[0], directions, D, threads)


# CRF ----------------------------------------------------------------------------------


cdef int _fill(Tables *tables, Buffer[double] *memory, const double[:] starts,
               const double[:, :] transitions, const double[:] ends,
               bint as_exp) except -1:
    """Allocate the tables of a CRF and fill them with scores, or with exp(scores)."""
    cdef int64_t T = starts.shape[0], W, i, j
    _check(
        T > 0 and transitions.shape[0] == T == transitions.shape[1]
        and ends.shape[0] == T,
        "the sizes of the scores do not fit together",
    )
    W = (T + TAG_PAD - 1) // TAG_PAD * TAG_PAD
    memory.allocate((2 + 2 * T) * W)
    cdef double *rows = memory.data()
    for j in range((2 + 2 * T) * W):
        rows[j] = -INFINITY
    for j in range(T):
        rows[j], rows[W + j] = starts[j], ends[j]
        for i in range(T):
            rows[(2 + i) * W + j] = transitions[i, j]
            rows[(2 + T + i) * W + j] = transitions[j, i]
    if as_exp:
        for j in range((2 + 2 * T) * W):
            rows[j] = exp(rows[j])
    tables.T, tables.W = T, W
    tables.starts, tables.ends = rows, rows + W
    tables.transitions, tables.transposed = rows + 2 * W, rows + (2 + T) * W
    return 0


cdef class PathScores:
    """The scores of starts, transitions and ends of a CRF with T tags, minus infinity
    for those that are not legal, for the search of best paths."""

    cdef Buffer[double] memory
    cdef Tables tables

    def __init__(self, const double[:] starts, const double[:, :] transitions,
                 const double[:] ends):
        """starts (T,), transitions (T, T; from row to column), ends (T,): Float64."""
        _fill(&self.tables, &self.memory, starts, transitions, ends, False)


cdef class PathWeights:
    """exp(scores), for sums over paths."""

    cdef Buffer[double] memory
    cdef Tables tables

    def __init__(self, const double[:] starts, const double[:, :] transitions,
                 const double[:] ends):
        """As for `PathScores`, in float64."""
        _fill(&self.tables, &self.memory, starts, transitions, ends, True)


cdef int64_t _longest(const int64_t[::1] lengths, int64_t N) except -1:
    """The greatest length; checks that they sum to N."""
    cdef int64_t b, longest = 0, total = 0
    for b in range(lengths.shape[0]):
        _check(lengths[b] >= 0, "a length is negative")
        total += lengths[b]
        longest = max(longest, lengths[b])
    _check(total == N, "the lengths do not sum to the number of rows")
    return longest


def best_paths(const double[:, ::1] emissions, const int64_t[::1] lengths,
               PathScores scores, int64_t[::1] paths):
    """The legal path with the highest score, for each of B sequences.

    emissions: (N, T).
    paths: (N,), output: tag ids.
    RETURNS: True; None if a sequence has no legal path, or scores are NaN or infinite.
    """
    cdef cbool done
    cdef int64_t longest = _longest(lengths, emissions.shape[0])
    _check(
        paths.shape[0] == emissions.shape[0] and emissions.shape[1] == scores.tables.T,
        "the sizes of the arrays do not fit together",
    )
    if not emissions.shape[0]:
        return True
    cdef Buffer[double] scratch
    scratch.allocate(longest * scores.tables.W)
    with nogil:
        done = current.best_paths(
            lengths.shape[0], &lengths[0], &emissions[0, 0], scores.tables,
            scratch.data(), &paths[0]
        )
    return True if done else None


def n_best_paths(const double[:, ::1] emissions, const int64_t[::1] lengths,
                 PathScores scores, int64_t[:, ::1] paths, double[:, ::1] path_scores):
    """The n legal paths with the highest scores, for each of B sequences.

    emissions: (N, T).
    paths: (n, N), output: tag ids.
    path_scores: (B, n), output: minus infinity if there are fewer paths. Rows of empty
        sequences are not set.
    RETURNS: As `best_paths`.
    """
    cdef int64_t N = emissions.shape[0], T = scores.tables.T, n = paths.shape[0]
    cdef int64_t longest = _longest(lengths, N)
    cdef cbool done
    _check(
        emissions.shape[1] == T
        and n > 0
        and T * n < 2 ** 31
        and paths.shape[1] == N
        and path_scores.shape[0] == lengths.shape[0]
        and path_scores.shape[1] == n,
        "the sizes of the arrays do not fit together",
    )
    if not N:
        return True
    cdef Buffer[double] scratch
    cdef Buffer[int32_t] before
    scratch.allocate(longest * T * n)
    before.allocate(longest * T * n + n)
    with nogil:
        done = current.n_best_paths(
            lengths.shape[0], &lengths[0], &emissions[0, 0], scores.tables, n,
            scratch.data(), before.data(), &paths[0, 0], &path_scores[0, 0]
        )
    return True if done else None


def expected_counts(const double[:, ::1] emissions, const int64_t[::1] lengths,
                    PathWeights weights, const double[::1] factors,
                    double[:, ::1] tag_counts, double[:, ::1] transition_counts,
                    double[::1] log_z):
    """How often each tag and each transition is used, on average over all paths.

    emissions: (N, T); minus infinity excludes a tag.
    factors: (B,) the counts of each sequence are multiplied by its factor.
    tag_counts: (N, T), output.
    transition_counts: (T, T), output, or None.
    log_z: (B,), output: 0 for an empty sequence.
    RETURNS: True; None if a sequence has no legal path, scores are NaN or infinite, or
        sums would lose precision.
    """
    cdef int64_t N = emissions.shape[0], T = weights.tables.T, W = weights.tables.W
    cdef int64_t longest = _longest(lengths, N), B = lengths.shape[0]
    cdef cbool done
    _check(
        emissions.shape[1] == T == tag_counts.shape[1]
        and tag_counts.shape[0] == N
        and factors.shape[0] == B == log_z.shape[0]
        and (
            transition_counts is None
            or transition_counts.shape[0] == T == transition_counts.shape[1]
        ),
        "the sizes of the arrays do not fit together",
    )
    if not B:
        return True
    cdef Buffer[double] scratch
    scratch.allocate((4 * longest + T) * W)
    if not N:
        log_z[:] = 0
        return True
    cdef double *pairs = NULL
    if transition_counts is not None:
        pairs = &transition_counts[0, 0]
    with nogil:
        done = current.expected_counts(
            B, &lengths[0], &emissions[0, 0], weights.tables, &factors[0],
            scratch.data(), &tag_counts[0, 0], pairs, &log_z[0]
        )
    return True if done else None


def segment_marginals(const double[:, ::1] emissions, const int64_t[::1] lengths,
                      PathWeights weights, const int64_t[::1] counts,
                      const int64_t[::1] starts, const int64_t[::1] ends,
                      const int64_t[::1] tags, const int64_t[::1] continuation,
                      double[::1] out):
    """The probabilities of K > 0 segments: see `Segments` in marginals.py.

    counts: (B,) the number of segments of each sequence.
    starts, ends: (K,) rows of the sequence, not of the batch.
    tags: (M,). continuation: (K,).
    out: (K,), output.
    RETURNS: As `expected_counts`.
    """
    cdef int64_t N = emissions.shape[0], T = weights.tables.T, W = weights.tables.W
    cdef int64_t longest = _longest(lengths, N), b, k, first = 0, total = 0
    cdef cbool done
    _check(
        emissions.shape[1] == T
        and counts.shape[0] == lengths.shape[0]
        and starts.shape[0] == ends.shape[0] == continuation.shape[0] == out.shape[0],
        "the sizes of the arrays do not fit together",
    )
    for b in range(counts.shape[0]):
        _check(0 <= counts[b] <= starts.shape[0] - first, "too many segments")
        for k in range(first, first + counts[b]):
            _check(
                0 <= starts[k] < ends[k] <= lengths[b] and 0 <= continuation[k] < T,
                "a segment is not in its sequence",
            )
            total += ends[k] - starts[k]
        first += counts[b]
    _check(first == starts.shape[0] and total == tags.shape[0], "segments are missing")
    for k in range(total):
        _check(0 <= tags[k] < T, "a tag does not exist")
    if not first:
        return True
    cdef Buffer[double] scratch
    scratch.allocate(4 * longest * W)
    with nogil:
        done = current.segment_marginals(
            lengths.shape[0], &lengths[0], &emissions[0, 0], weights.tables, &counts[0],
            &starts[0], &ends[0], &tags[0], &continuation[0], scratch.data(), &out[0]
        )
    return True if done else None


# Embeddings ---------------------------------------------------------------------------


cdef int _texts(Texts *texts, const uint32_t[::1] codes,
                const int64_t[::1] lengths) except -1:
    _longest(lengths, codes.shape[0])
    texts.B, texts.N = lengths.shape[0], codes.shape[0]
    texts.lengths = &lengths[0] if texts.B else NULL
    texts.codes = &codes[0] if texts.N else NULL
    return 0


def hash_embed(const uint32_t[::1] codes, const int64_t[::1] lengths, int longest,
               tuple tables, tuple seeds, float[:, ::1] X, int64_t column=0,
               uint32_t[:, :, ::1] keys=None):
    """The hash embeddings of the n-grams of each character.

    codes: (N,) code points of texts, end to end.
    lengths: (B,) their lengths.
    longest: Length of the longest n-grams, 1 to 3.
    tables, seeds: The table (rows, width) of each of the 1, 3 or 6 columns of
        `ngrams`, float32, and its seed.
    X: (N, at least column + columns · width), output, from this column on.
    keys: (N, columns, 4), output: the rows of the tables that were added.
    """
    cdef int64_t N = codes.shape[0], k, n = longest * (longest + 1) // 2
    cdef const float[:, ::1] table
    cdef HashTable rows[6]
    cdef Texts texts
    _texts(&texts, codes, lengths)
    _check(1 <= longest <= 3 and len(tables) == n == len(seeds), "tables are missing")
    table = tables[0]
    cdef int64_t width = table.shape[1]
    _check(
        X.shape[0] == N
        and column >= 0
        and X.shape[1] - column >= n * width
        and (
            keys is None
            or (keys.shape[0] == N and keys.shape[1] == n and keys.shape[2] == 4)
        ),
        "the sizes of the arrays do not fit together",
    )
    for k in range(n):
        table = tables[k]
        _check(table.shape[1] == width and 0 < table.shape[0] < 2 ** 31, "bad table")
        rows[k].rows = &table[0, 0]
        rows[k].n_rows = table.shape[0]
        rows[k].seed = seeds[k]
    if not N:
        return
    cdef uint32_t *found = NULL
    if keys is not None:
        found = &keys[0, 0, 0]
    with nogil:
        current.hash_embed(
            texts, longest, rows, width, &X[0, column], X.shape[1], found
        )


def hash_gradient(const uint32_t[:, :, ::1] keys, const float[:, ::1] dX,
                  tuple gradients):
    """Add the gradient of what `hash_embed` returned to those of the tables.

    keys: (N, columns, 4), as set by `hash_embed`.
    dX: (N, columns · width).
    gradients: For each column an array like its table.
    """
    cdef int64_t N = keys.shape[0], n = keys.shape[1], k, i, width
    cdef float[:, ::1] gradient
    cdef float *rows[6]
    cdef int64_t n_rows[6]
    _check(1 <= n <= 6 and len(gradients) == n and dX.shape[0] == N, "sizes do not fit")
    width = dX.shape[1] // n
    for k in range(n):
        gradient = gradients[k]
        _check(gradient.shape[1] == width and gradient.shape[0] > 0, "sizes do not fit")
        rows[k] = &gradient[0, 0]
        n_rows[k] = gradient.shape[0]
    for i in range(N):
        for k in range(n):
            if (
                keys[i, k, 0] >= n_rows[k]
                or keys[i, k, 1] >= n_rows[k]
                or keys[i, k, 2] >= n_rows[k]
                or keys[i, k, 3] >= n_rows[k]
            ):
                raise ValueError("kernels: a key is not a row of its table")
    if not N:
        return
    with nogil:
        current.hash_gradient(N, n, &keys[0, 0, 0], width, &dX[0, 0], dX.shape[1], rows)


cdef class WordTables:
    """The words of a lexicon, see lexicon.py."""

    cdef Words words
    cdef Buffer[const uint64_t *] keys, flags
    cdef Buffer[int64_t] sizes
    cdef object arrays  # keeps the memory alive

    def __init__(self, list lengths, list keys, list flags, const uint8_t[::1] upper,
                 int64_t n_flags):
        """
        lengths: The lengths of the words, ascending.
        keys, flags: For each length, arrays of uint64: the sorted keys, and the kinds.
        upper: (2^20,) which upper bits of keys occur.
        n_flags: Number of kinds, including those of the length.
        """
        cdef int64_t longest = lengths[len(lengths) - 1], n
        cdef const uint64_t[::1] one, other
        _check(
            upper.shape[0] == 1 << 20
            and len(lengths) == len(keys) == len(flags)
            and 0 < longest < 1 << 20
            and 0 < n_flags <= 64,
            "the arrays of the lexicon do not fit together",
        )
        self.keys.allocate(longest + 1)
        self.flags.allocate(longest + 1)
        self.sizes.allocate(longest + 1)
        memset(self.sizes.data(), 0, (longest + 1) * sizeof(int64_t))
        for n, one, other in zip(lengths, keys, flags):
            _check(
                0 < n <= longest and one.shape[0] == other.shape[0] > 0,
                "the arrays of the lexicon do not fit together",
            )
            self.keys.data()[n] = &one[0]
            self.flags.data()[n] = &other[0]
            self.sizes.data()[n] = one.shape[0]
        self.arrays = (keys, flags, upper)
        self.words.longest, self.words.n_flags = longest, n_flags
        self.words.keys, self.words.flags = self.keys.data(), self.flags.data()
        self.words.sizes, self.words.upper = self.sizes.data(), &upper[0]


def find_words(const uint32_t[::1] codes, const int64_t[::1] lengths,
               WordTables words, uint64_t[:, ::1] found):
    """The words at each character.

    codes, lengths: As for `hash_embed`.
    found: (N, 3), output: bits for the kinds of the words that begin, continue and end
        there.
    """
    cdef Texts texts
    _texts(&texts, codes, lengths)
    _check(
        found.shape[0] == texts.N and found.shape[1] == 3,
        "the sizes of the arrays do not fit together",
    )
    if texts.N:
        with nogil:
            current.find_words(texts, words.words, &found[0, 0])


def word_vectors(const uint64_t[:, ::1] found, int64_t n_flags, const float[:, ::1] E,
                 const float[:, ::1] profiles, const int64_t[::1] profile_rows,
                 float[:, ::1] X, int64_t column=0):
    """The sums of the vectors of the words at each character, and of its profile.

    found: (N, 3), as set by `find_words`.
    E: (at least 3 n_flags, width), a vector for each position and kind.
    profiles: (P, width), and profile_rows: (N,), the row of each character.
    X: (N, at least column + width), output, from this column on.
    """
    cdef int64_t N = found.shape[0], width = E.shape[1], i, n_rows = profiles.shape[0]
    cdef uint64_t unknown = 0 if n_flags >= 64 else ~<uint64_t>0 << n_flags
    _check(
        found.shape[1] == 3
        and E.shape[0] >= 3 * n_flags
        and profiles.shape[1] == width
        and column >= 0
        and X.shape[1] - column >= width > 0
        and profile_rows.shape[0] == N == X.shape[0],
        "the sizes of the arrays do not fit together",
    )
    for i in range(N):
        if (
            not 0 <= profile_rows[i] < n_rows
            or (found[i, 0] | found[i, 1] | found[i, 2]) & unknown
        ):
            raise ValueError("kernels: a kind or a profile does not exist")
    if N:
        with nogil:
            current.word_vectors(
                N, &found[0, 0], n_flags, &E[0, 0], width, &profiles[0, 0],
                &profile_rows[0], &X[0, column], X.shape[1]
            )
