#include "dispatch.h"

#include <pthread.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <system_error>
#include <thread>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace lstm_ner {

namespace {

bool has_avx512() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("bmi2");
#else
  return false;
#endif
}

bool has_avx2() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
         __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
#else
  return false;
#endif
}

void pause() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// How often a thread looks for work, or for the end of it, before it sleeps: for about
// as long as it takes to wake a thread up.
constexpr int SPINS = 2000;

// A thread that runs one job at a time.
class Worker {
 public:
  // Returns whether the thread is there and was idle.
  bool start(void (*run)(const void *), const void *argument) {
    if (!taken_.try_lock()) return false;
    if (!started_) {
      try {
        std::thread(&Worker::work, this).detach();
      } catch (const std::system_error &) {
        taken_.unlock();
        return false;
      }
      started_ = true;
    }
    run_ = run;
    argument_ = argument;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      state_.store(RUNNING, std::memory_order_release);
    }
    changed_.notify_all();
    return true;
  }

  // Wait for the end of the job.
  void finish() {
    wait_for(IDLE);
    taken_.unlock();
  }

 private:
  enum State { IDLE, RUNNING };

  void wait_for(State state) {
    for (int i = 0; i < SPINS; i++) {
      if (state_.load(std::memory_order_acquire) == state) return;
      pause();
    }
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [&] { return state_.load(std::memory_order_acquire) == state; });
  }

  void work() {
    for (;;) {
      wait_for(RUNNING);
      run_(argument_);
      {
        std::lock_guard<std::mutex> lock(mutex_);
        state_.store(IDLE, std::memory_order_release);
      }
      changed_.notify_all();
    }
  }

  std::mutex taken_, mutex_;
  std::condition_variable changed_;
  std::atomic<State> state_{IDLE};
  bool started_ = false;
  void (*run_)(const void *) = nullptr;
  const void *argument_ = nullptr;
};

std::atomic<int> num_threads{1};
// Never destroyed, since its thread may outlive the destructors of static objects.
std::atomic<Worker *> worker{nullptr};

// In a forked process, the thread of the worker does not exist, and its locks may be
// held forever.
void after_fork() {
  worker.store(new (std::nothrow) Worker);
  num_threads.store(1);
}

Worker *the_worker() {
  static std::once_flag once;
  std::call_once(once, [] {
    worker.store(new (std::nothrow) Worker);
    pthread_atfork(nullptr, nullptr, after_fork);
  });
  return worker.load();
}

template <class D> struct Job {
  void (*run)(const D &);
  const D *direction;
};

template <class D> void run_job(const void *argument) {
  const Job<D> &job = *(const Job<D> *)argument;
  job.run(*job.direction);
}

template <class D>
void run_all(void (*run)(const D &), const D *directions, int n, int threads) {
  if (n == 2 && threads > 1) {
    Worker *other = the_worker();
    const Job<D> second = {run, directions + 1};
    if (other && other->start(run_job<D>, &second)) {
      run(directions[0]);
      other->finish();
      return;
    }
  }
  for (int i = 0; i < n; i++) run(directions[i]);
}

}  // namespace

const InstructionSet *const *available_sets() {
  static const InstructionSet *sets[4];
  static std::once_flag once;
  std::call_once(once, [] {
    int n = 0;
    if (avx512 && has_avx512()) sets[n++] = avx512;
    if (avx2 && has_avx2()) sets[n++] = avx2;
    if (neon) sets[n++] = neon;
    sets[n] = nullptr;
  });
  return sets;
}

void run_directions(const InstructionSet &set, const Direction *directions, int n,
                    bool is_backward, int threads) {
  run_all(is_backward ? set.backward : set.forward, directions, n, threads);
}

void run_gru(const InstructionSet &set, const GruDirection *directions, int n,
             int threads) {
  run_all(set.gru, directions, n, threads);
}

extern "C" {
int spacy_lstm_ner_get_num_threads() { return num_threads.load(); }

void spacy_lstm_ner_set_num_threads(int n) {
  the_worker();  // registers what is to be done after a fork
  num_threads.store(n < 1 ? 1 : n);
}
}

}  // namespace lstm_ner
