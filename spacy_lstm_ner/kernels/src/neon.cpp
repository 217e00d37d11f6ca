// The kernels for NEON, which every 64-bit ARM processor has.
#include "kernels.h"

#if defined(__aarch64__)
namespace lstm_ner {
namespace neon_kernels {
#define INSTRUCTION_SET "neon"
constexpr int LANES = 4, TILE_ROWS = 6, TILE_VECTORS = 4;
#include "instruction_set.h"
}  // namespace neon_kernels
const InstructionSet *const neon = &neon_kernels::table;
}  // namespace lstm_ner
#else
const lstm_ner::InstructionSet *const lstm_ner::neon = nullptr;
#endif
