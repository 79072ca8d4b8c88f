// Rotary embedding of queries and keys, the norm before it where a model has one, and the write of keys and values to the
// cache. A block a token, a warp a head; bytes: the projections read, queries and cache written.
//
//   x ← x / sqrt(mean(x²) + eps) ⊙ weight                           only with weights
//   (x_a, x_b) ← (x_a·cos - x_b·sin, x_b·cos + x_a·sin)             pair j of the first `dim` channels, angle p·f_j
//
// At a million tokens an angle in f32 is off by 0.03 rad, so the angle is a product in f64, brought to [-π, π] there: one a
// pair and token, shared by all heads, so that the slow f64 units of a consumer's card do not matter.
//
// The cache. Position p < near is stored in bf16, [kv_heads, near, d]; position p ≥ near in 8 bits, [kv_heads, far, d] with a
// scale for each head of each token, [kv_heads, far]. A cache of one type has near or far 0. Heads come first so that what
// attention reads of a head is one run.
#include "prelude.cuh"

namespace {

constexpr int THREADS = 256;
constexpr int CHANNELS = 128;  // the widest head
constexpr int PAIRS = CHANNELS / 2;

// Four channels of a head that a lane holds, from and to both types of activations.
__device__ __forceinline__ float4 read4(const float* p) { return *reinterpret_cast<const float4*>(p); }
__device__ __forceinline__ float4 read4(const bf16* p) {
  const uint2 w = *reinterpret_cast<const uint2*>(p);
  return make_float4(widen_low(w.x), widen_high(w.x), widen_low(w.y), widen_high(w.y));
}
__device__ __forceinline__ void write4(float* p, float4 x) { *reinterpret_cast<float4*>(p) = x; }
__device__ __forceinline__ void write4(bf16* p, float4 x) {
  *reinterpret_cast<uint2*>(p) = make_uint2(narrow_pair(x.x, x.y), narrow_pair(x.z, x.w));
}

struct Cache {
  bf16* near_rows;
  i8* far_rows;
  float* far_scales;
  int near, far;
};

__device__ __forceinline__ int nearest_byte(float x) {
  // |x| is at most 127 and a little: the sum with 1.5·2^23 rounds to the nearest integer.
  return (int)(__float_as_uint(x + 12582912.0f) & 0xffu);
}

__device__ __forceinline__ void store(const Cache& cache, int head, int position, int channel, bool valid, float4 x, int d) {
  if (position < cache.near) {
    if (valid) write4(cache.near_rows + ((size_t)head * cache.near + position) * d + channel, x);
    return;
  }
  const size_t row = (size_t)head * cache.far + (position - cache.near);
  const float largest = warp_max(max(max(fabsf(x.x), fabsf(x.y)), max(fabsf(x.z), fabsf(x.w))));
  const float scale = largest / 127.0f, inverse = scale > 0.0f ? 1.0f / scale : 0.0f;
  if (channel == 0) cache.far_scales[row] = scale;
  if (valid)
    *reinterpret_cast<u32*>(cache.far_rows + row * d + channel) =
        (u32)nearest_byte(x.x * inverse) | (u32)nearest_byte(x.y * inverse) << 8 | (u32)nearest_byte(x.z * inverse) << 16 |
        (u32)nearest_byte(x.w * inverse) << 24;
}

// One head, turned: lane l has the channels 4l to 4l + 3. `row` is the warp's place in shared memory.
template <class Row>
__device__ __forceinline__ float4 turn(const Row* from, bool valid, int channel, const float* norm, float eps, const float2* turns,
                                       float* row, int dim, int neighbours, int d) {
  float4 x = valid ? read4(from + channel) : make_float4(0.0f, 0.0f, 0.0f, 0.0f);
  if (norm) {
    const float scale = rsqrtf(warp_sum(x.x * x.x + x.y * x.y + x.z * x.z + x.w * x.w) / (float)d + eps);
    if (valid) {
      const float4 w = read4(norm + channel);
      x = make_float4(x.x * scale * w.x, x.y * scale * w.y, x.z * scale * w.z, x.w * scale * w.w);
    }
  }
  __syncwarp();
  if (valid) write4(row + channel, x);
  __syncwarp();
  float out[4] = {x.x, x.y, x.z, x.w};
#pragma unroll
  for (int i = 0; i < 4; i++) {
    const int c = channel + i, half = dim / 2;
    if (c >= 2 * half) continue;
    const bool second = neighbours ? c & 1 : c >= half;
    const int j = neighbours ? c / 2 : second ? c - half : c;
    const int other = neighbours ? c ^ 1 : second ? c - half : c + half;
    const float2 cos_sin = turns[j];
    out[i] = out[i] * cos_sin.x + row[other] * (second ? cos_sin.y : -cos_sin.y);
  }
  return make_float4(out[0], out[1], out[2], out[3]);
}

template <class Row>
__device__ __forceinline__ void rope(Row* q, Row* k, const Row* v, int q_stride, int kv_stride, int head_stride, const Cache& keys,
                                     const Cache& values, const double* frequencies, const float* q_norm, const float* k_norm,
                                     float eps, float q_scale, int position, int heads, int kv_heads, int dim, int neighbours, int d) {
  SHARED(float2, turns, PAIRS);
  SHARED(float, rows, THREADS / 32 * CHANNELS);
  const int token = blockIdx.x, warp = threadIdx.x >> 5, lane = threadIdx.x & 31, here = position + token;
  if (threadIdx.x < dim / 2) {
    constexpr double TURN = 6.283185307179586476925;
    double angle = here * frequencies[threadIdx.x];
    angle -= TURN * rint(angle / TURN);
    turns[threadIdx.x] = make_float2(__cosf((float)angle), __sinf((float)angle));
  }
  __syncthreads();
  const int channel = lane * 4;
  const bool valid = channel < d, cached = keys.near + keys.far > 0;
  float* row = rows + warp * CHANNELS;
  for (int head = warp; head < heads + 2 * kv_heads; head += THREADS / 32) {
    if (head < heads) {
      Row* from = q + (size_t)token * q_stride + head * head_stride;
      const float4 x = turn(from, valid, channel, q_norm, eps, turns, row, dim, neighbours, d);
      if (valid) write4(from + channel, make_float4(x.x * q_scale, x.y * q_scale, x.z * q_scale, x.w * q_scale));
    } else if (head < heads + kv_heads) {
      Row* from = k + (size_t)token * kv_stride + (head - heads) * head_stride;
      const float4 x = turn(from, valid, channel, k_norm, eps, turns, row, dim, neighbours, d);
      if (cached) store(keys, head - heads, here, channel, valid, x, d);
      else if (valid) write4(from + channel, x);
    } else if (cached) {
      const Row* from = v + (size_t)token * kv_stride + (head - heads - kv_heads) * head_stride;
      const float4 x = valid ? read4(from + channel) : make_float4(0.0f, 0.0f, 0.0f, 0.0f);
      store(values, head - heads - kv_heads, here, channel, valid, x, d);
    }
  }
}

}  // namespace

// Queries in place, q_scale times; keys and values to the cache, or keys in place if there is none. q [tokens, q_stride] and
// k, v [tokens, kv_stride], heads `head_stride` apart; `frequencies` [dim/2]; norms [d] or null; d a multiple of 4, at most 128.
#define ROPE(name, Row)                                                                                                      \
  extern "C" __global__ void __launch_bounds__(THREADS) name(                                                                \
      Row* __restrict__ q, Row* __restrict__ k, const Row* __restrict__ v, int q_stride, int kv_stride, int head_stride,     \
      bf16* __restrict__ near_keys, bf16* __restrict__ near_values, i8* __restrict__ far_keys, i8* __restrict__ far_values,  \
      float* __restrict__ far_key_scales, float* __restrict__ far_value_scales, int near, int far,                           \
      const double* __restrict__ frequencies, const float* __restrict__ q_norm, const float* __restrict__ k_norm, float eps, \
      float q_scale, int position, int heads, int kv_heads, int dim, int neighbours, int d) {                                \
    rope(q, k, v, q_stride, kv_stride, head_stride, Cache{near_keys, far_keys, far_key_scales, near, far},                   \
         Cache{near_values, far_values, far_value_scales, near, far}, frequencies, q_norm, k_norm, eps, q_scale, position,   \
         heads, kv_heads, dim, neighbours, d);                                                                               \
  }
ROPE(rope_bf16, bf16)
ROPE(rope_f32, float)
