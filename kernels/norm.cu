// RMSNorm, with what comes before it: the residual, and the mix of the experts' outputs.
#include "prelude.cuh"

namespace {

constexpr int THREADS = 256;
// float4s a thread holds of a row: rows of up to 8,192 channels stay in registers between the sum and the scaling.
constexpr int HELD = 8;

__device__ __forceinline__ void add_scaled(float4& x, float a, float4 y) {
  x.x += a * y.x, x.y += a * y.y, x.z += a * y.z, x.w += a * y.w;
}

}  // namespace

// One row a block:
//
//   f = Σ_i mix[i]·outputs[places[i]] + shared      slots of this token; without slots f = outputs[row]; each may be absent
//   x = alpha·r + beta·f                            only if there is an f: the first norm of a model has none
//   h = x / sqrt(mean(x²) + eps) ⊙ weight
//   next = from_normed ? h : x;  normed = bf16(h)
//
// So next is what the next residual adds, in both kinds of models, and the stream passes memory once between two blocks:
// 4 + 4·max(slots, 1) bytes read and 4 + 2 written a channel. `width` is a multiple of 4, at most 8,192.
extern "C" __global__ void __launch_bounds__(THREADS, 2) residual_norm(
    const float* r,                     // [rows, width]
    float* next,                        // [rows, width]; may be r, or null
    const float* __restrict__ outputs,  // [rows or slots of all rows, width], or null
    const int* __restrict__ places,     // [rows, slots]
    const float* __restrict__ mix,      // [rows, slots]
    int slots,
    const float* __restrict__ shared,  // [rows, width], or null
    const float* __restrict__ weight,  // [width]
    bf16* __restrict__ normed,         // [rows, width], or null
    float* __restrict__ normed_f32,    // [rows, width], or null: what a decode step reads
    float alpha, float beta, float eps, int from_normed, int width) {
  SHARED(float, scratch, 32);
  const size_t row = blockIdx.x;
  const int pieces = width / 4;
  const float4* stream = reinterpret_cast<const float4*>(r + row * width);
  float4 x[HELD];
  float squares = 0.0f;
#pragma unroll
  for (int i = 0; i < HELD; i++) {
    const int at = threadIdx.x + i * THREADS;
    if (at >= pieces) continue;
    x[i] = stream[at];
    if (outputs) {
      x[i].x *= alpha, x[i].y *= alpha, x[i].z *= alpha, x[i].w *= alpha;
      if (slots == 0) add_scaled(x[i], beta, reinterpret_cast<const float4*>(outputs + row * width)[at]);
      for (int s = 0; s < slots; s++) {
        const size_t place = places[row * slots + s];
        add_scaled(x[i], beta * mix[row * slots + s], reinterpret_cast<const float4*>(outputs + place * width)[at]);
      }
      if (shared) add_scaled(x[i], beta, reinterpret_cast<const float4*>(shared + row * width)[at]);
    }
    squares += x[i].x * x[i].x + x[i].y * x[i].y + x[i].z * x[i].z + x[i].w * x[i].w;
  }
  const float scale = rsqrtf(block_sum(squares, scratch) / (float)width + eps);
#pragma unroll
  for (int i = 0; i < HELD; i++) {
    const int at = threadIdx.x + i * THREADS;
    if (at >= pieces) continue;
    const float4 w = reinterpret_cast<const float4*>(weight)[at];
    const float4 h = make_float4(x[i].x * scale * w.x, x[i].y * scale * w.y, x[i].z * scale * w.z, x[i].w * scale * w.w);
    if (next) reinterpret_cast<float4*>(next + row * width)[at] = from_normed ? h : x[i];
    if (normed) {
      uint2* out = reinterpret_cast<uint2*>(normed + row * width);
      out[at] = make_uint2(narrow_pair(h.x, h.y), narrow_pair(h.z, h.w));
    }
    if (normed_f32) reinterpret_cast<float4*>(normed_f32 + row * width)[at] = h;
  }
}

// What follows the lightning recurrence of a tile: y = σ(gate) ⊙ RMSNorm(o) ⊙ weight, the norm over each of gridDim.y groups
// of `width` channels (one group: all heads, MiniMax; several: Bailing). A block has one group of one row; 4 bytes read and
// 2 written a channel. `width` is a multiple of 8, at most 8,192.
extern "C" __global__ void __launch_bounds__(THREADS, 2) gated_norm(
    const bf16* __restrict__ o,        // [rows, groups, width]
    const bf16* __restrict__ gate,     // [rows, groups, width], before σ
    const float* __restrict__ weight,  // [groups, width]
    bf16* __restrict__ y,              // [rows, groups, width]
    float eps, int width) {
  SHARED(float, scratch, 32);
  const size_t group = blockIdx.y, first = ((size_t)blockIdx.x * gridDim.y + group) * width;
  const int pieces = width / 8;
  const uint4* from = reinterpret_cast<const uint4*>(o + first);
  constexpr int LINES = HELD / 2;
  uint4 held[LINES];
  float squares = 0.0f;
#pragma unroll
  for (int i = 0; i < LINES; i++) {
    const int at = threadIdx.x + i * THREADS;
    if (at >= pieces) continue;
    held[i] = from[at];
    const u32 words[4] = {held[i].x, held[i].y, held[i].z, held[i].w};
#pragma unroll
    for (int j = 0; j < 4; j++) squares += widen_low(words[j]) * widen_low(words[j]) + widen_high(words[j]) * widen_high(words[j]);
  }
  const float scale = rsqrtf(block_sum(squares, scratch) / (float)width + eps);
#pragma unroll
  for (int i = 0; i < LINES; i++) {
    const int at = threadIdx.x + i * THREADS;
    if (at >= pieces) continue;
    const uint4 gates = reinterpret_cast<const uint4*>(gate + first)[at];
    const float* w = weight + group * width + at * 8;
    const u32 words[4] = {held[i].x, held[i].y, held[i].z, held[i].w}, gate_words[4] = {gates.x, gates.y, gates.z, gates.w};
    u32 out[4];
#pragma unroll
    for (int j = 0; j < 4; j++)
      out[j] = narrow_pair(sigmoid(widen_low(gate_words[j])) * widen_low(words[j]) * scale * w[2 * j],
                           sigmoid(widen_high(gate_words[j])) * widen_high(words[j]) * scale * w[2 * j + 1]);
    reinterpret_cast<uint4*>(y + first)[at] = make_uint4(out[0], out[1], out[2], out[3]);
  }
}
