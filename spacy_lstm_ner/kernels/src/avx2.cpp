// The kernels for AVX2 with FMA.
#include "kernels.h"

#if defined(__x86_64__)
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma,bmi,bmi2"))), apply_to = function)
#elif defined(__GNUC__)
#pragma GCC push_options
#pragma GCC target("avx2,fma,bmi,bmi2")
#endif

namespace lstm_ner {
namespace avx2_kernels {
#define INSTRUCTION_SET "avx2"
constexpr int LANES = 8, TILE_ROWS = 6, TILE_VECTORS = 2;
#include "instruction_set.h"
}  // namespace avx2_kernels
const InstructionSet *const avx2 = &avx2_kernels::table;
}  // namespace lstm_ner

#if defined(__clang__)
#pragma clang attribute pop
#elif defined(__GNUC__)
#pragma GCC pop_options
#endif
#else
const lstm_ner::InstructionSet *const lstm_ner::avx2 = nullptr;
#endif
