// Which instruction sets this processor has, and the two directions of a layer on two
// threads.
#pragma once

#include <cstdlib>
#include <new>

#include "kernels.h"

namespace lstm_ner {

// The instruction sets that this processor has, the best one first; the list ends with
// null.
const InstructionSet *const *available_sets();

// Run `forward` or `backward` of one or two directions. With `threads` > 1 the second
// one runs on a thread that waits for such work between calls; on this thread if that
// one is busy with the call of another thread. The result is the same to the bit.
void run_directions(const InstructionSet &set, const Direction *directions, int n,
                    bool is_backward, int threads);

// Run `gru` of one or two directions, in the same way.
void run_gru(const InstructionSet &set, const GruDirection *directions, int n,
             int threads);

// The number of threads that `run_directions` is allowed to use, for the caller to
// pass on. A forked process starts with one. The names are in C for threadpoolctl.
extern "C" {
int spacy_lstm_ner_get_num_threads();
void spacy_lstm_ner_set_num_threads(int n);
}

// Memory that is aligned for vectors of any instruction set, not initialized.
template <class T> class Buffer {
 public:
  Buffer() {}
  explicit Buffer(i64 n) { allocate(n); }
  ~Buffer() { free(memory_); }
  Buffer(const Buffer &) = delete;
  Buffer &operator=(const Buffer &) = delete;
  // Throws std::bad_alloc.
  void allocate(i64 n) {
    free(memory_);
    memory_ = malloc(n * sizeof(T) + ALIGNMENT);
    if (!memory_) throw std::bad_alloc();
    uintptr_t address = ((uintptr_t)memory_ + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    data_ = (T *)address;
  }
  T *data() const { return data_; }

 private:
  static constexpr uintptr_t ALIGNMENT = 64;
  void *memory_ = nullptr;
  T *data_ = nullptr;
};

}  // namespace lstm_ner
