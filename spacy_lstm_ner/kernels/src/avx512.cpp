// The kernels for AVX-512 (F, VL, DQ and BW).
#include "kernels.h"

#if defined(__x86_64__)
#if defined(__clang__)
#pragma clang attribute push( \
    __attribute__((target("avx512f,avx512vl,avx512dq,avx512bw,avx2,fma,bmi,bmi2"))), apply_to = function)
#elif defined(__GNUC__)
#pragma GCC push_options
#pragma GCC target("avx512f,avx512vl,avx512dq,avx512bw,avx2,fma,bmi,bmi2,prefer-vector-width=512")
#endif

namespace lstm_ner {
namespace avx512_kernels {
#define INSTRUCTION_SET "avx512"
constexpr int LANES = 16, TILE_ROWS = 6, TILE_VECTORS = 4;
#include "instruction_set.h"
}  // namespace avx512_kernels
const InstructionSet *const avx512 = &avx512_kernels::table;
}  // namespace lstm_ner

#if defined(__clang__)
#pragma clang attribute pop
#elif defined(__GNUC__)
#pragma GCC pop_options
#endif
#else
const lstm_ner::InstructionSet *const lstm_ner::avx512 = nullptr;
#endif
