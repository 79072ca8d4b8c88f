// CUDA threads as fibers: lets kernels/*.cu compile as host C++ and runs them with the semantics that correctness rests on.
//
// A block runs on one OS thread; each of its CUDA threads is a fiber that runs until it meets a barrier or a warp-wide
// operation. What the hardware leaves open is chosen against the kernel: the order of warps and lanes is reversed or
// random, shared memory begins as NaN, asynchronous copies happen at the last moment that the program allows, and every
// buffer ends at a page that must not be touched. Blocks run in a random order, on several OS threads.
//
// A kernel that breaks a rule ends the process with one line on stderr that begins with "emulator:".
#pragma once
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <thread>
#include <vector>

using std::max;
using std::min;

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __noinline__ __attribute__((noinline))
#define __restrict__ __restrict
// How the tests find a file's kernels: in the text after preprocessing.
#ifdef EMULATOR_LIST
#define __launch_bounds__(threads, ...) EMULATOR_KERNEL threads
#else
#define __launch_bounds__(...)
#endif
#define __align__(n) alignas(n)

struct dim3 {
  unsigned x = 1, y = 1, z = 1;
};
struct alignas(16) float4 {
  float x, y, z, w;
};
struct alignas(8) float2 {
  float x, y;
};
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};
struct alignas(8) uint2 {
  unsigned x, y;
};
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
inline float2 make_float2(float x, float y) { return {x, y}; }
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }
inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }

// What a driver's library that watches accesses (hazards.hpp) need not watch: it touches nothing that is the card's.
#define NOT_WATCHED __attribute__((no_sanitize_thread))

namespace emulator {

// ---------------------------------------------------------------------------------------------------------------------
// Fibers

// Saves the callee-saved registers on the stack and the stack pointer in *save, and goes on where `load` was saved.
extern "C" void emulator_switch(void** save, void* load);
asm(R"(.text
.weak emulator_switch
emulator_switch:
  pushq %rbp; pushq %rbx; pushq %r12; pushq %r13; pushq %r14; pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15; popq %r14; popq %r13; popq %r12; popq %rbx; popq %rbp
  ret
)");

enum class Status { runs, at_barrier, in_warp, done };

// An asynchronous copy that has been issued and not yet waited for.
struct Copy {
  void* to;
  const void* from;
  bool valid;
  int group;
};

struct Fiber {
  void* stack_pointer;
  dim3 thread;
  int lane, warp;
  Status status;
  unsigned operations;  // warp-wide operations so far
  const char* where;    // the barrier or operation it waits at
  std::vector<Copy> copies;
  int group;  // the group that copies are added to
};

// One warp-wide operation in flight. Operands are double-buffered by the parity of the operation's number: a lane may begin
// the next one before the last lane has taken its result of this one.
struct Warp {
  unsigned arrived = 0, mask = 0;
  const char* operation = nullptr;
  alignas(64) unsigned char slot[2][32][64];
};

constexpr size_t STACK = 128 << 10;
constexpr size_t PAGE = 4096;
// What a block may have on every card from sm_80 on.
constexpr size_t SHARED_LIMIT = 99 << 10;
constexpr size_t STATIC_LIMIT = 48 << 10;

struct Block {
  dim3 index, threads, grid;
  void* scheduler;
  std::vector<Fiber> fibers;
  std::vector<Warp> warps;
  unsigned char* dynamic;  // ends at a page that must not be touched
  size_t dynamic_bytes;
  std::vector<unsigned char> statics;  // SHARED(...) arrays, each followed by a canary
  std::vector<std::pair<size_t, size_t>> static_places;
  char* stacks;
  const std::function<void()>* body;
  uint64_t random;
};

inline thread_local Block* block;
inline thread_local Fiber* fiber;

enum class Order { forward, backward, random };
struct Options {
  int os_threads = 2;
  Order order = Order::random;
  uint64_t seed = 1;
};
inline Options options;
inline const char* kernel_name = "";

[[noreturn]] inline void fail(const char* what, const char* a = "", const char* b = "") {
  fprintf(stderr, "emulator: %s %s %s (%s, block %u,%u,%u, thread %u)\n", what, a, b, kernel_name,
          block ? block->index.x : 0, block ? block->index.y : 0, block ? block->index.z : 0,
          fiber ? fiber->lane + 32 * fiber->warp : 0);
  fflush(stderr);
  _exit(3);
}

NOT_WATCHED inline void suspend() { emulator_switch(&fiber->stack_pointer, block->scheduler); }

NOT_WATCHED inline void sync_threads(const char* where) {
  fiber->where = where;
  fiber->status = Status::at_barrier;
  suspend();
}

// Waits for the lanes of `mask`; the last that arrives runs `finish` on the operands of all. Returns them.
template <class Finish>
NOT_WATCHED inline unsigned char (*rendezvous(unsigned mask, const char* operation, const void* in, size_t bytes, Finish finish))[64] {
  Warp& w = block->warps[fiber->warp];
  const unsigned bit = 1u << fiber->lane, parity = fiber->operations++ & 1;
  if (!(mask & bit)) fail("a lane is missing in the mask of", operation);
  if (bytes) memcpy(w.slot[parity][fiber->lane], in, bytes);
  if (w.arrived == 0) {
    w.operation = operation;
    w.mask = mask;
  } else if (strcmp(w.operation, operation)) {
    fail("lanes of a warp diverge:", w.operation, operation);
  } else if (w.mask != mask) {
    fail("masks differ in", operation);
  }
  w.arrived |= bit;
  if (w.arrived != mask) {
    fiber->status = Status::in_warp;
    fiber->where = operation;
    suspend();
    return w.slot[parity];
  }
  finish(w.slot[parity]);
  w.arrived = 0;
  for (int l = 0; l < 32; l++) {
    const size_t i = fiber->warp * 32 + l;
    if (!(mask >> l & 1) || i >= block->fibers.size()) continue;
    if ((block->fibers[i].operations & 1) != (fiber->operations & 1)) fail("lanes differ in how often they came to", operation);
    block->fibers[i].status = Status::runs;
  }
  return w.slot[parity];
}

inline void nothing(unsigned char (*)[64]) {}

// ---------------------------------------------------------------------------------------------------------------------
// Asynchronous copies: done when the fiber waits for them, not before

inline void finish_copies(int groups_left) {
  auto& copies = fiber->copies;
  size_t kept = 0;
  for (Copy& c : copies) {
    if (c.group >= fiber->group - groups_left) {
      copies[kept++] = c;
    } else if (c.valid) {
      memcpy(c.to, c.from, 16);
    } else {
      memset(c.to, 0, 16);
    }
  }
  copies.resize(kept);
}

// ---------------------------------------------------------------------------------------------------------------------
// Shared memory declared in a kernel

constexpr unsigned char CANARY = 0xc9;
constexpr size_t CANARY_BYTES = 64;

template <class T, int ID, size_t N>
inline T* shared_array() {
  // Where each declaration lies in the block: found at the first thread's call, the same for all.
  auto& places = block->static_places;
  if (places.size() <= ID) places.resize(ID + 1);
  if (!places[ID].second) {
    const size_t at = (block->statics.size() + 127) / 128 * 128, bytes = N * sizeof(T);
    if (at + bytes + CANARY_BYTES > block->statics.capacity()) fail("more than 48 KiB of shared memory are declared");
    block->statics.resize(at + bytes + CANARY_BYTES);
    memset(&block->statics[at], 0xff, bytes);
    memset(&block->statics[at + bytes], CANARY, CANARY_BYTES);
    places[ID] = {at, bytes};
  }
  return reinterpret_cast<T*>(&block->statics[places[ID].first]);
}

inline void check_shared_arrays() {
  for (auto [at, bytes] : block->static_places)
    for (size_t i = 0; bytes && i < CANARY_BYTES; i++)
      if (block->statics[at + bytes + i] != CANARY) fail("a write past the end of a shared array");
}

// ---------------------------------------------------------------------------------------------------------------------
// A block

inline void enter() {
  (*block->body)();
  if (!fiber->copies.empty()) fail("a thread ends while copies of it are in flight");
  fiber->status = Status::done;
  suspend();
  abort();
}

NOT_WATCHED inline uint64_t next_random() {
  uint64_t& x = block->random;
  x ^= x << 13, x ^= x >> 7;
  return x ^= x << 17;
}

NOT_WATCHED inline void shuffle(std::vector<int>& v) {
  for (size_t i = v.size(); i > 1; i--) std::swap(v[i - 1], v[next_random() % i]);
}

inline void report_deadlock() {
  for (auto& f : block->fibers)
    if (f.status == Status::in_warp) {
      fiber = &f;
      fail("deadlock in", f.where);
    }
  fail("deadlock");
}

NOT_WATCHED inline void run_block(Block& b) {
  block = &b;
  const size_t n = b.threads.x * b.threads.y * b.threads.z, warps = (n + 31) / 32;
  b.fibers.assign(n, Fiber());
  b.warps.assign(warps, Warp());
  memset(b.dynamic, 0xff, b.dynamic_bytes);
  b.statics.clear();
  b.statics.reserve(STATIC_LIMIT);
  b.static_places.clear();
  for (size_t i = 0; i < n; i++) {
    Fiber& f = b.fibers[i];
    f.thread = {unsigned(i % b.threads.x), unsigned(i / b.threads.x % b.threads.y), unsigned(i / b.threads.x / b.threads.y)};
    f.lane = i & 31;
    f.warp = i >> 5;
    void** sp = reinterpret_cast<void**>(b.stacks + (i + 1) * STACK - 64);
    *--sp = nullptr;
    *--sp = reinterpret_cast<void*>(enter);
    sp -= 6;
    memset(sp, 0, 48);
    f.stack_pointer = sp;
  }
  std::vector<int> warp_order(warps), lane_order(32);
  for (size_t i = 0; i < warps; i++) warp_order[i] = i;
  for (int i = 0; i < 32; i++) lane_order[i] = i;
  if (options.order == Order::backward) {
    std::reverse(warp_order.begin(), warp_order.end());
    std::reverse(lane_order.begin(), lane_order.end());
  }
  const bool random = options.order == Order::random;
  for (;;) {
    bool any = false;
    if (random) shuffle(warp_order);
    for (int w : warp_order) {
      for (bool progress = true; progress;) {  // until each lane is at a barrier or done
        progress = false;
        if (random) shuffle(lane_order);
        for (int l : lane_order) {
          const size_t i = w * 32 + l;
          if (i >= n || b.fibers[i].status != Status::runs) continue;
          fiber = &b.fibers[i];
          emulator_switch(&b.scheduler, fiber->stack_pointer);
          progress = any = true;
        }
        if (random && (next_random() & 15) == 0) break;  // another warp overtakes
      }
    }
    size_t done = 0, waiting = 0, running = 0;
    for (auto& f : b.fibers) {
      done += f.status == Status::done;
      waiting += f.status == Status::at_barrier;
      running += f.status == Status::runs;
    }
    if (done == n) break;
    if (done + waiting == n) {
      if (done) fail("__syncthreads() is reached by some threads only");
      const char* where = b.fibers[0].where;
      for (auto& f : b.fibers) {
        fiber = &f;
        if (strcmp(f.where, where)) fail("threads wait at different barriers:", where, f.where);
        f.status = Status::runs;
      }
    } else if (!any && !running) {
      report_deadlock();
    }
  }
  fiber = nullptr;
  check_shared_arrays();
}

// Kept from launch to launch.
template <class Map>
inline char* stacks_of_this_thread(Map map) {
  struct Stacks {
    char* memory;
    ~Stacks() { munmap(memory, 1024 * STACK); }
  };
  thread_local Stacks stacks{map(1024 * STACK)};
  return stacks.memory;
}

// Runs all blocks of a grid. `dynamic_bytes` of shared memory end at a page that must not be touched.
inline void launch(dim3 grid, dim3 threads, size_t dynamic_bytes, const std::function<void()>& body) {
  const size_t n = threads.x * threads.y * threads.z, total = size_t(grid.x) * grid.y * grid.z;
  if (n == 0 || n > 1024) fail("a block of no or more than 1024 threads");
  if (dynamic_bytes > SHARED_LIMIT) fail("more shared memory than every card has");
  // Blocks in an order that is not theirs: i·step mod total, step and total without a common divisor.
  size_t step = options.order == Order::forward ? 1 : total - 1;
  if (options.order == Order::random)
    for (step = options.seed * 2654435761u % total + 1; std::__gcd(step, total) != 1;) step++;
  std::atomic<size_t> next{0};
  auto work = [&] {
    Block b{};
    b.threads = threads, b.grid = grid, b.body = &body, b.dynamic_bytes = (dynamic_bytes + 15) / 16 * 16;
    const size_t pages = (b.dynamic_bytes + PAGE - 1) / PAGE * PAGE;
    auto map = [](size_t bytes) {
      void* p = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
      if (p == MAP_FAILED) fail("out of memory");
      return static_cast<char*>(p);
    };
    char* shared = map(pages + PAGE);
    mprotect(shared + pages, PAGE, PROT_NONE);
    b.dynamic = reinterpret_cast<unsigned char*>(shared + pages - b.dynamic_bytes);
    b.stacks = stacks_of_this_thread(map);
    for (size_t i; (i = next++) < total;) {
      const size_t at = total == 1 ? 0 : i * step % total;
      b.index = {unsigned(at % grid.x), unsigned(at / grid.x % grid.y), unsigned(at / grid.x / grid.y)};
      b.random = options.seed * 0x9E3779B97F4A7C15ull + at + 1;
      run_block(b);
    }
    block = nullptr;
    munmap(shared, pages + PAGE);
  };
  std::vector<std::thread> others;
  // Another OS thread costs as much as some blocks.
  for (int i = 1; i < options.os_threads && total >= 8 * size_t(i); i++) others.emplace_back(work);
  work();
  for (auto& t : others) t.join();
}

}  // namespace emulator

#define threadIdx (emulator::fiber->thread)
#define blockIdx (emulator::block->index)
#define blockDim (emulator::block->threads)
#define gridDim (emulator::block->grid)
#define EMULATOR_TEXT_(x) #x
#define EMULATOR_TEXT(x) EMULATOR_TEXT_(x)
#define __syncthreads() emulator::sync_threads(__FILE__ ":" EMULATOR_TEXT(__LINE__))

// Shared memory of a kernel: of a size that the launch gives, and of a size known here.
#define SHARED_DYNAMIC(T, name) T* const name = reinterpret_cast<T*>(emulator::block->dynamic)
#define SHARED(T, name, n) T* const name = emulator::shared_array<T, __COUNTER__, (n)>()

#include "operations.hpp"
