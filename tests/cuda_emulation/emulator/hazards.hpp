// Work of several streams that touches the same memory without an order: found whether or not it goes wrong this time.
//
// The compiler is told to call a function before each access (-fsanitize=thread), and those functions are defined here. Every
// piece of work has a number on its stream and knows which work of the other streams lies before it: through events, and through
// what the program has waited for. For each word of the card's memory it is kept which work wrote it last, and which work of each
// stream read it last. A word that somebody else has written, or read before it is written, must be of work that lies before.
#pragma once
#include <sys/mman.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace hazards {

constexpr int STREAMS = 16;

// How far each stream has come, as far as somebody knows.
struct Clock {
  uint32_t of[STREAMS] = {};
  NOT_WATCHED void join(const Clock& other) {
    for (int s = 0; s < STREAMS; s++)
      if (other.of[s] > of[s]) of[s] = other.of[s];
  }
};

struct Word {
  uint32_t writer, wrote, read[STREAMS];
};

struct Region {
  uintptr_t begin, bytes;
  Word* words;
  size_t mapped;
};

constexpr int REGIONS = 16;
inline Region regions[REGIONS];
// Memory of the machine that cards write and read: no kernel touches it.
inline std::vector<Region> pinned;
// Where regions lie at all: nearly everything that a kernel touches is its own.
inline uintptr_t lowest = ~uintptr_t(0), highest = 0;
// What the program has waited for.
inline Clock host;
// What every work of each stream is called.
inline std::vector<std::string> names[STREAMS];
// The work that is being done.
inline int stream = -1;
inline Clock* knows;

inline Region region(uintptr_t begin, size_t bytes) {
  const size_t mapped = (bytes / 4 + 1) * sizeof(Word);
  void* p = mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED) abort();
  return {begin, bytes, static_cast<Word*>(p), mapped};
}
inline void watch(uintptr_t begin, size_t bytes) {
  for (Region& r : regions) {
    if (r.bytes) continue;
    r = region(begin, bytes);
    if (begin < lowest) lowest = begin;
    if (begin + bytes > highest) highest = begin + bytes;
    return;
  }
  abort();
}
inline void forget(uintptr_t begin) {
  for (Region& r : regions)
    if (r.begin == begin && r.bytes) munmap(r.words, r.mapped), r = {};
}
inline void watch_pinned(uintptr_t begin, size_t bytes) { pinned.push_back(region(begin, bytes)); }
inline void forget_pinned(uintptr_t begin) {
  for (size_t i = 0; i < pinned.size(); i++)
    if (pinned[i].begin == begin) munmap(pinned[i].words, pinned[i].mapped), pinned.erase(pinned.begin() + i--);
}

inline void begin(int of, Clock& clock, const Clock& asked, const std::string& name) {
  clock.join(asked);
  clock.of[of]++;
  names[of].resize(clock.of[of] + 1);
  names[of].back() = name;
  stream = of;
  knows = &clock;
}
inline void end() { stream = -1; }

[[noreturn]] inline void found(const Region& r, uintptr_t at, const char* how, int other, uint32_t number) {
  fprintf(stderr, "the driver that is none: a hazard: byte %zu of a memory is %s by %s of stream %d, and nothing says that %s of stream %d comes before\n",
          size_t(at - r.begin), how, names[stream].back().c_str(), stream, names[other][number].c_str(), other);
  fflush(stderr);
  _exit(4);
}

NOT_WATCHED inline void word(const Region& r, uintptr_t at, bool writes) {
  Word& w = r.words[(at - r.begin) / 4];
  if (w.wrote && int(w.writer) != stream && w.wrote > knows->of[w.writer])
    found(r, at, writes ? "written" : "read", int(w.writer), w.wrote);
  const uint32_t now = knows->of[stream];
  if (!writes) {
    w.read[stream] = now;
    return;
  }
  for (int s = 0; s < STREAMS; s++)
    if (s != stream && w.read[s] > knows->of[s]) found(r, at, "written", s, w.read[s]);
  w.writer = uint32_t(stream);
  w.wrote = now;
}

NOT_WATCHED inline bool access(const Region& r, uintptr_t at, size_t bytes, bool writes) {
  if (at - r.begin >= r.bytes) return false;
  for (uintptr_t i = at & ~uintptr_t(3); i < at + bytes; i += 4) word(r, i < r.begin ? r.begin : i, writes);
  return true;
}
NOT_WATCHED inline void access(uintptr_t at, size_t bytes, bool writes) {
  if (at < lowest || at >= highest || stream < 0) return;
  for (const Region& r : regions)
    if (access(r, at, bytes, writes)) return;
}
// Of the machine's memory, by a copy.
inline void access_pinned(const void* at, size_t bytes, bool writes) {
  for (const Region& r : pinned)
    if (access(r, reinterpret_cast<uintptr_t>(at), bytes, writes)) return;
}
inline void access(const void* at, size_t bytes, bool writes) { access(reinterpret_cast<uintptr_t>(at), bytes, writes); }

}  // namespace hazards

// What the compiler calls.
#define HOOK extern "C" __attribute__((visibility("hidden"), used)) NOT_WATCHED
#define ACCESS(n)                                                                                                  \
  HOOK void __tsan_read##n(void* p) { hazards::access(reinterpret_cast<uintptr_t>(p), n, false); }                  \
  HOOK void __tsan_write##n(void* p) { hazards::access(reinterpret_cast<uintptr_t>(p), n, true); }                  \
  HOOK void __tsan_unaligned_read##n(void* p) { hazards::access(reinterpret_cast<uintptr_t>(p), n, false); }        \
  HOOK void __tsan_unaligned_write##n(void* p) { hazards::access(reinterpret_cast<uintptr_t>(p), n, true); }
ACCESS(1) ACCESS(2) ACCESS(4) ACCESS(8) ACCESS(16)
HOOK void __tsan_read_range(void* p, unsigned long n) { hazards::access(reinterpret_cast<uintptr_t>(p), n, false); }
HOOK void __tsan_write_range(void* p, unsigned long n) { hazards::access(reinterpret_cast<uintptr_t>(p), n, true); }
HOOK void __tsan_vptr_update(void**, void*) {}
HOOK void __tsan_vptr_read(void**) {}
HOOK void __tsan_func_entry(void*) {}
HOOK void __tsan_func_exit() {}
HOOK void __tsan_init() {}

#define ATOMIC(bits, T)                                                                                            \
  HOOK T __tsan_atomic##bits##_load(const volatile T* p, int) {                                                     \
    hazards::access(reinterpret_cast<uintptr_t>(p), bits / 8, false);                                               \
    return __atomic_load_n(p, __ATOMIC_SEQ_CST);                                                                    \
  }                                                                                                                \
  HOOK void __tsan_atomic##bits##_store(volatile T* p, T x, int) {                                                  \
    hazards::access(reinterpret_cast<uintptr_t>(p), bits / 8, true);                                                \
    __atomic_store_n(p, x, __ATOMIC_SEQ_CST);                                                                       \
  }                                                                                                                \
  HOOK T __tsan_atomic##bits##_exchange(volatile T* p, T x, int) {                                                  \
    hazards::access(reinterpret_cast<uintptr_t>(p), bits / 8, true);                                                \
    return __atomic_exchange_n(p, x, __ATOMIC_SEQ_CST);                                                             \
  }                                                                                                                \
  HOOK T __tsan_atomic##bits##_fetch_add(volatile T* p, T x, int) {                                                 \
    hazards::access(reinterpret_cast<uintptr_t>(p), bits / 8, true);                                                \
    return __atomic_fetch_add(p, x, __ATOMIC_SEQ_CST);                                                              \
  }                                                                                                                \
  HOOK T __tsan_atomic##bits##_fetch_sub(volatile T* p, T x, int) {                                                 \
    hazards::access(reinterpret_cast<uintptr_t>(p), bits / 8, true);                                                \
    return __atomic_fetch_sub(p, x, __ATOMIC_SEQ_CST);                                                              \
  }                                                                                                                \
  HOOK int __tsan_atomic##bits##_compare_exchange_strong(volatile T* p, T* expected, T x, int, int) {               \
    hazards::access(reinterpret_cast<uintptr_t>(p), bits / 8, true);                                                \
    return __atomic_compare_exchange_n(p, expected, x, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);                  \
  }                                                                                                                \
  HOOK int __tsan_atomic##bits##_compare_exchange_weak(volatile T* p, T* expected, T x, int, int) {                 \
    return __tsan_atomic##bits##_compare_exchange_strong(p, expected, x, 0, 0);                                     \
  }
ATOMIC(8, char) ATOMIC(16, short) ATOMIC(32, int) ATOMIC(64, long)
HOOK void __tsan_atomic_thread_fence(int) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
#undef ACCESS
#undef ATOMIC
