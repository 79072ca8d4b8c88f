// What all kernels share: types, conversions, reductions, and every line of inline assembly in this directory.
//
// Kernels include no CUDA header, so that NVRTC can compile them on a machine that has a driver and nothing else. Under
// THUNDERHEAD_EMULATED the same names come from an emulator and the same sources run as host C++ (tests/cuda_emulation).
//
// Conventions. Matrices are row-major; a projection is y = x·Wᵀ with W [out, in]. Pointers to activations and weights are
// aligned to 16 bytes. A count that a kernel says is a multiple of something is checked by the host, not here.
#pragma once

typedef unsigned char u8;
typedef signed char i8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

struct bf16 {
  u16 bits;
};

constexpr float LOG2_E = 1.4426950408889634f;
constexpr float NEGATIVE_INFINITY = __builtin_bit_cast(float, 0xff800000u);
constexpr u32 ALL_LANES = 0xffffffffu;

#ifdef THUNDERHEAD_EMULATED
#include "emulator.hpp"
#else

// Shared memory of a kernel: of a size that the launch gives, and of a size known here.
#define SHARED_DYNAMIC(T, name)                              \
  extern __shared__ __align__(128) unsigned char name##_[];  \
  T* const name = reinterpret_cast<T*>(name##_)
#define SHARED(T, name, n) __shared__ __align__(16) T name[n]

__device__ __forceinline__ int min(int a, int b) { return a < b ? a : b; }
__device__ __forceinline__ int max(int a, int b) { return a > b ? a : b; }

__device__ __forceinline__ u32 shared_address(const void* p) { return (u32)__cvta_generic_to_shared(p); }

// 2^x, within 2 units in the last place; subnormal results are zero.
__device__ __forceinline__ float exp2_fast(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

__device__ __forceinline__ float widen_half(u16 bits) {
  float y;
  asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(bits));
  return y;
}

// Two floats as bf16, the first in the low half.
__device__ __forceinline__ u32 narrow_pair(float low, float high) {
  u32 y;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(y) : "f"(high), "f"(low));
  return y;
}

// d += a·b on the tensor cores: a 16×16 bf16, b 16×8 bf16, d 16×8 f32. Lane l holds of d the rows l/4 and l/4 + 8 in the
// columns 2·(l mod 4) and the next: d[0], d[1] and d[2], d[3].
__device__ __forceinline__ void mma(float (&d)[4], const u32 (&a)[4], u32 b0, u32 b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

// Four 8×8 matrices of 16-bit elements: lane l gives the address of row l mod 8 of matrix l/8, and gets of each matrix the
// elements that `mma` wants of it, of the matrix itself or of its transpose.
__device__ __forceinline__ void load_matrices(u32 (&r)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(shared_address(row))
               : "memory");
}
__device__ __forceinline__ void load_matrices_transposed(u32 (&r)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(shared_address(row))
               : "memory");
}

// 16 bytes from global to shared memory without a register, past the first-level cache; zeros if not `valid`. They are
// there after a wait that leaves fewer groups in flight than were committed since, and after a barrier for other threads.
__device__ __forceinline__ void copy_async(void* to, const void* from, bool valid) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(to)), "l"(from), "r"(valid ? 16 : 0)
               : "memory");
}
__device__ __forceinline__ void copy_async_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
template <int N>
__device__ __forceinline__ void copy_async_wait() {
  asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory");
}

#endif

__device__ __forceinline__ float widen(bf16 x) { return __uint_as_float((u32)x.bits << 16); }
__device__ __forceinline__ float widen_low(u32 pair) { return __uint_as_float(pair << 16); }
__device__ __forceinline__ float widen_high(u32 pair) { return __uint_as_float(pair & 0xffff0000u); }
__device__ __forceinline__ bf16 narrow(float x) { return bf16{(u16)narrow_pair(x, 0.0f)}; }

// σ(x) = 1 / (1 + e^-x) and x·σ(x). Far below zero e^-x is infinite and both are zero.
__device__ __forceinline__ float sigmoid(float x) { return 1.0f / (1.0f + exp2_fast(-LOG2_E * x)); }
__device__ __forceinline__ float silu(float x) { return x * sigmoid(x); }

__device__ __forceinline__ float warp_sum(float x) {
#pragma unroll
  for (int bits = 16; bits; bits >>= 1) x += __shfl_xor_sync(ALL_LANES, x, bits);
  return x;
}
__device__ __forceinline__ float warp_max(float x) {
#pragma unroll
  for (int bits = 16; bits; bits >>= 1) {
    const float y = __shfl_xor_sync(ALL_LANES, x, bits);
    x = x > y ? x : y;
  }
  return x;
}

// The sum over a block of at most 32 warps, the same in all threads. `scratch` has a float for each warp and is free
// again after the next barrier.
__device__ __forceinline__ float block_sum(float x, float* scratch) {
  x = warp_sum(x);
  if ((threadIdx.x & 31) == 0) scratch[threadIdx.x >> 5] = x;
  __syncthreads();
  float sum = 0.0f;
  for (int w = 0; w < (int)(blockDim.x >> 5); w++) sum += scratch[w];
  return sum;
}

// Index of 16 bytes in a tile of shared memory whose rows are 64, 128 or 256 bytes long: the pieces of a row are permuted by
// the row's number, so that eight rows that ldmatrix reads at one column lie in different banks, without padding.
template <int PIECES>
__device__ __forceinline__ int swizzled(int row, int piece) {
  if (PIECES == 4) return row * 4 + (piece ^ (row >> 1 & 3));
  return row * PIECES + (piece ^ (row & 7));
}
