// How weights are stored, 16 at a time: a row is cut into runs of 16 weights, and each type says how a run is loaded and
// widened. The formats are those of the files (see src/model/quant), so that a weight can be copied to the device from
// where it is mapped, and an expert streamed, without a pass over it.
//
// A run of a type under eight bits shares its bytes with another run: of 32 lanes that take consecutive runs, two read the
// same bytes in one instruction, which costs no traffic. `Q8_0` and `Q6_K` blocks are aligned to 2 bytes only and are read
// as 16-bit words. Rows of the types without blocks are multiples of 8: their last run may have its first half only, and is
// filled with zeros.
#pragma once
#include "prelude.cuh"

__device__ __forceinline__ int runs_of(int width) { return (width + 15) / 16; }

// Four of the 16 activations that a run is multiplied with; zeros past the last.
__device__ __forceinline__ float4 activations_of(const float* x, int run, int i, int width) {
  if (run * 16 + i * 4 >= width) return make_float4(0.0f, 0.0f, 0.0f, 0.0f);
  return reinterpret_cast<const float4*>(x)[run * 4 + i];
}

__device__ __forceinline__ u32 load_pair(const u16* p) { return p[0] | (u32)p[1] << 16; }

// A signed byte and an unsigned one of a word as float.
__device__ __forceinline__ float signed_byte(u32 word, int i) { return (float)(i8)(word >> 8 * i); }

struct F32 {
  struct Run {
    float4 w[4];
  };
  static __device__ __forceinline__ size_t row_bytes(int k) { return (size_t)k * 4; }
  static __device__ __forceinline__ Run load(const u8* row, int run, int width) {
    const float4* p = reinterpret_cast<const float4*>(row) + run * 4;
    const float4 zero = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
    const bool whole = run * 16 + 8 < width;
    return Run{{p[0], p[1], whole ? p[2] : zero, whole ? p[3] : zero}};
  }
  static __device__ __forceinline__ void widen_run(const Run& r, float (&w)[16]) {
#pragma unroll
    for (int i = 0; i < 4; i++) w[4 * i] = r.w[i].x, w[4 * i + 1] = r.w[i].y, w[4 * i + 2] = r.w[i].z, w[4 * i + 3] = r.w[i].w;
  }
};

struct BF16 {
  struct Run {
    uint4 w[2];
  };
  static __device__ __forceinline__ size_t row_bytes(int k) { return (size_t)k * 2; }
  static __device__ __forceinline__ Run load(const u8* row, int run, int width) {
    const uint4* p = reinterpret_cast<const uint4*>(row) + run * 2;
    return Run{{p[0], run * 16 + 8 < width ? p[1] : make_uint4(0, 0, 0, 0)}};
  }
  static __device__ __forceinline__ void widen_run(const Run& r, float (&w)[16]) {
#pragma unroll
    for (int i = 0; i < 2; i++) {
      const u32 words[4] = {r.w[i].x, r.w[i].y, r.w[i].z, r.w[i].w};
#pragma unroll
      for (int j = 0; j < 4; j++) w[8 * i + 2 * j] = widen_low(words[j]), w[8 * i + 2 * j + 1] = widen_high(words[j]);
    }
  }
};

// Blocks of 32: `d` (half), 32 signed bytes; w = d·q.
struct Q8_0 {
  struct Run {
    u32 q[4];
    u16 d;
  };
  static __device__ __forceinline__ size_t row_bytes(int k) { return (size_t)(k / 32) * 34; }
  static __device__ __forceinline__ Run load(const u8* row, int run, int) {
    const u16* block = reinterpret_cast<const u16*>(row + (size_t)(run >> 1) * 34);
    const u16* q = block + 1 + (run & 1) * 8;
    return Run{{load_pair(q), load_pair(q + 2), load_pair(q + 4), load_pair(q + 6)}, block[0]};
  }
  static __device__ __forceinline__ void widen_run(const Run& r, float (&w)[16]) {
    const float d = widen_half(r.d);
#pragma unroll
    for (int i = 0; i < 16; i++) w[i] = d * signed_byte(r.q[i / 4], i % 4);
  }
};

// Blocks of 256 in eight groups of 32: `d`, `dmin` (half), 12 bytes with the groups' scales s and minima m of 6 bits, 128
// bytes of nibbles, 32 for two groups; w = (d·s)·q - (dmin·m).
struct Q4_K {
  struct Run {
    uint4 head, nibbles;
    int group;
  };
  static __device__ __forceinline__ size_t row_bytes(int k) { return (size_t)(k / 256) * 144; }
  static __device__ __forceinline__ Run load(const u8* row, int run, int) {
    const uint4* block = reinterpret_cast<const uint4*>(row + (size_t)(run >> 4) * 144);
    const int group = (run & 15) >> 1;
    return Run{block[0], block[1 + (group >> 1) * 2 + (run & 1)], group};
  }
  static __device__ __forceinline__ void widen_run(const Run& r, float (&w)[16]) {
    // Bytes 0..4, 4..8 and 8..12 of the packed scales.
    const u32 a = r.head.y, b = r.head.z, c = r.head.w;
    const int at = (r.group & 3) * 8;
    u32 s = a >> at & 0x3f, m = b >> at & 0x3f;
    if (r.group >= 4) {
      s = (c >> at & 0x0f) | (a >> at & 0xc0) >> 2;
      m = (c >> at & 0xf0) >> 4 | (b >> at & 0xc0) >> 2;
    }
    const float scale = widen_half((u16)r.head.x) * (float)s, least = widen_half((u16)(r.head.x >> 16)) * (float)m;
    const u32 words[4] = {r.nibbles.x, r.nibbles.y, r.nibbles.z, r.nibbles.w};
    const int shift = (r.group & 1) * 4;
#pragma unroll
    for (int i = 0; i < 16; i++) w[i] = scale * (float)(words[i / 4] >> (8 * (i % 4) + shift) & 0x0f) - least;
  }
};

// Blocks of 256 in sixteen groups of 16: 128 bytes of low nibbles, 64 of upper bit pairs, 16 signed scales s, `d` (half);
// w = (d·s)·(q - 32). A run is a group: of half h, quarter c and offset o its nibbles begin at byte 64h + 32(c mod 2) + o.
struct Q6_K {
  struct Run {
    u32 low[4], upper[4];
    u16 d;
    i8 scale;
    u8 quarter;
  };
  static __device__ __forceinline__ size_t row_bytes(int k) { return (size_t)(k / 256) * 210; }
  static __device__ __forceinline__ Run load(const u8* row, int run, int) {
    const u8* block = row + (size_t)(run >> 4) * 210;
    const int group = run & 15, half = group >> 3, quarter = group >> 1 & 3, offset = (group & 1) * 16;
    const u16* low = reinterpret_cast<const u16*>(block + 64 * half + 32 * (quarter & 1) + offset);
    const u16* upper = reinterpret_cast<const u16*>(block + 128 + 32 * half + offset);
    Run r;
#pragma unroll
    for (int i = 0; i < 4; i++) r.low[i] = load_pair(low + 2 * i), r.upper[i] = load_pair(upper + 2 * i);
    r.d = *reinterpret_cast<const u16*>(block + 208);
    r.scale = (i8)block[192 + group];
    r.quarter = (u8)quarter;
    return r;
  }
  static __device__ __forceinline__ void widen_run(const Run& r, float (&w)[16]) {
    const float scale = widen_half(r.d) * (float)r.scale;
    const int nibble = (r.quarter >> 1) * 4, pair = r.quarter * 2;
#pragma unroll
    for (int i = 0; i < 4; i++) {
      const u32 q = (r.low[i] >> nibble & 0x0f0f0f0fu) | (r.upper[i] >> pair & 0x03030303u) << 4;
#pragma unroll
      for (int j = 0; j < 4; j++) w[4 * i + j] = scale * ((float)(q >> 8 * j & 0xff) - 32.0f);
    }
  }
};
