// What kernels call: warp-wide operations, tensor cores, asynchronous copies, atomics, arithmetic. Included by emulator.hpp.
#pragma once

inline void __syncwarp(unsigned mask = 0xffffffffu) { emulator::rendezvous(mask, "__syncwarp", nullptr, 0, emulator::nothing); }

namespace emulator {
template <class T>
NOT_WATCHED inline T take(unsigned mask, T value, int lane, const char* operation) {
  auto slots = rendezvous(mask, operation, &value, sizeof value, nothing);
  T result;
  memcpy(&result, slots[lane & 31], sizeof result);
  return result;
}
}  // namespace emulator

template <class T>
inline T __shfl_sync(unsigned mask, T value, int lane) {
  return emulator::take(mask, value, lane, "__shfl_sync");
}
template <class T>
inline T __shfl_xor_sync(unsigned mask, T value, int bits) {
  return emulator::take(mask, value, emulator::fiber->lane ^ bits, "__shfl_xor_sync");
}
template <class T>
inline T __shfl_up_sync(unsigned mask, T value, int delta) {
  const int lane = emulator::fiber->lane;
  return emulator::take(mask, value, lane >= delta ? lane - delta : lane, "__shfl_up_sync");
}
inline unsigned __ballot_sync(unsigned mask, int predicate) {
  auto slots = emulator::rendezvous(mask, "__ballot_sync", &predicate, 4, emulator::nothing);
  unsigned result = 0;
  for (int l = 0; l < 32; l++) {
    int p;
    memcpy(&p, slots[l], 4);
    if ((mask >> l & 1) && p) result |= 1u << l;
  }
  return result;
}
inline unsigned __match_any_sync(unsigned mask, int value) {
  auto slots = emulator::rendezvous(mask, "__match_any_sync", &value, 4, emulator::nothing);
  unsigned result = 0;
  for (int l = 0; l < 32; l++)
    if ((mask >> l & 1) && !memcmp(slots[l], &value, 4)) result |= 1u << l;
  return result;
}

template <class T>
inline T atomicAdd(T* p, T value) {
  return __atomic_fetch_add(p, value, __ATOMIC_SEQ_CST);
}
template <class T>
inline T atomicMax(T* p, T value) {
  T old = __atomic_load_n(p, __ATOMIC_SEQ_CST);
  while (old < value && !__atomic_compare_exchange_n(p, &old, value, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
  }
  return old;
}
inline void __threadfence() { std::atomic_thread_fence(std::memory_order_seq_cst); }

NOT_WATCHED inline float __uint_as_float(unsigned x) {
  float f;
  memcpy(&f, &x, 4);
  return f;
}
NOT_WATCHED inline unsigned __float_as_uint(float f) {
  unsigned x;
  memcpy(&x, &f, 4);
  return x;
}
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline float __fdividef(float a, float b) { return a / b; }
inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
inline float __sinf(float x) { return sinf(x); }
inline float __cosf(float x) { return cosf(x); }
inline float __logf(float x) { return logf(x); }

// ---------------------------------------------------------------------------------------------------------------------
// What is inline assembly in kernels/prelude.cuh

NOT_WATCHED inline float exp2_fast(float x) { return exp2f(x); }

inline float widen_half(unsigned short h) {
  const unsigned sign = (h & 0x8000u) << 16, exponent = h >> 10 & 31, fraction = h & 1023;
  if (exponent == 31) return __uint_as_float(sign | 0x7f800000u | fraction << 13);
  const float magnitude = exponent ? ldexpf(1024.0f + fraction, int(exponent) - 25) : ldexpf(float(fraction), -24);
  return sign ? -magnitude : magnitude;
}

inline unsigned narrow_bits(float f) {
  const unsigned x = __float_as_uint(f);
  if ((x & 0x7fffffffu) > 0x7f800000u) return 0x7fff;
  return (x + 0x7fffu + (x >> 16 & 1)) >> 16;
}
inline unsigned narrow_pair(float low, float high) { return narrow_bits(low) | narrow_bits(high) << 16; }

inline void copy_async(void* to, const void* from, bool valid) {
  if ((reinterpret_cast<uintptr_t>(to) | reinterpret_cast<uintptr_t>(from)) & 15) emulator::fail("cp.async of 16 bytes is not aligned");
  emulator::fiber->copies.push_back({to, from, valid, emulator::fiber->group});
}
inline void copy_async_commit() { emulator::fiber->group++; }
template <int N>
inline void copy_async_wait() {
  emulator::finish_copies(N);
}

// Of a 16-bit matrix, lane l holds the elements (l / 4, 2·(l mod 4)) and the next one; see the PTX manual on mma.m16n8k16.
NOT_WATCHED inline void mma(float (&d)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
  struct Operands {
    unsigned a[4], b[2];
    float d[4];
  } in;
  memcpy(in.a, a, 16);
  in.b[0] = b0, in.b[1] = b1;
  memcpy(in.d, d, 16);
  auto finish = [](unsigned char (*slots)[64]) NOT_WATCHED {
    auto half = [](unsigned x, int h) NOT_WATCHED { return __uint_as_float((x >> 16 * h) << 16); };
    float A[16][16], B[16][8], C[16][8];
    for (int l = 0; l < 32; l++) {
      Operands x;
      memcpy(&x, slots[l], sizeof x);
      const int row = l >> 2, column = (l & 3) * 2;
      for (int i = 0; i < 4; i++)
        for (int h = 0; h < 2; h++) A[row + (i & 1) * 8][column + (i >> 1) * 8 + h] = half(x.a[i], h);
      for (int i = 0; i < 2; i++)
        for (int h = 0; h < 2; h++) B[column + i * 8 + h][row] = half(x.b[i], h);
      for (int i = 0; i < 4; i++) C[row + (i >> 1) * 8][column + (i & 1)] = x.d[i];
    }
    for (int m = 0; m < 16; m++)
      for (int k = 0; k < 16; k++)
        for (int n = 0; n < 8; n++) C[m][n] += A[m][k] * B[k][n];
    for (int l = 0; l < 32; l++) {
      const int row = l >> 2, column = (l & 3) * 2;
      const float r[4] = {C[row][column], C[row][column + 1], C[row + 8][column], C[row + 8][column + 1]};
      memcpy(slots[l] + 24, r, 16);
    }
  };
  auto slots = emulator::rendezvous(0xffffffffu, "mma.m16n8k16", &in, sizeof in, finish);
  memcpy(d, slots[emulator::fiber->lane] + 24, 16);
}

namespace emulator {
template <bool TRANSPOSED>
inline void load_matrices(unsigned (&r)[4], const void* row) {
  if (reinterpret_cast<uintptr_t>(row) & 15) fail("ldmatrix: a row is not aligned to 16 bytes");
  // A row is read when its lane comes to the operation, which orders nothing that other lanes have written.
  auto slots = rendezvous(0xffffffffu, TRANSPOSED ? "ldmatrix.x4.trans" : "ldmatrix.x4", row, 16, nothing);
  const int lane = fiber->lane;
  for (int i = 0; i < 4; i++) {
    unsigned elements[2];
    for (int h = 0; h < 2; h++) {
      const int at_row = TRANSPOSED ? (lane & 3) * 2 + h : lane >> 2, column = TRANSPOSED ? lane >> 2 : (lane & 3) * 2 + h;
      unsigned short element;
      memcpy(&element, slots[i * 8 + at_row] + 2 * column, 2);
      elements[h] = element;
    }
    r[i] = elements[0] | elements[1] << 16;
  }
}
}  // namespace emulator

inline void load_matrices(unsigned (&r)[4], const void* row) { emulator::load_matrices<false>(r, row); }
inline void load_matrices_transposed(unsigned (&r)[4], const void* row) { emulator::load_matrices<true>(r, row); }
