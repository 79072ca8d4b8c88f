// Causal softmax attention over a cache in f32, for whoever wants nothing rounded: the yardstick of the other two on a card.
//
// A block has one query of one head, a warp every fourth key, a lane four channels; a running maximum as in attention.cu, and
// the warps' parts are merged at the end. Bound by the bytes of K and V, which every query reads for itself: slow, and meant to be.
#include "prelude.cuh"

namespace {

constexpr int THREADS = 128;
constexpr int WARPS = THREADS / 32;

__device__ __forceinline__ float4 read4(const float* p, bool valid) {
  return valid ? *reinterpret_cast<const float4*>(p) : make_float4(0.0f, 0.0f, 0.0f, 0.0f);
}

}  // namespace

// q [tokens, heads, d]; keys and values [position + tokens, kv_heads, d]; o [tokens, heads, d]. Grid (tokens, heads); d a multiple of
// 4, at most 128.
extern "C" __global__ void __launch_bounds__(THREADS, 1) attention_f32(
    const float* __restrict__ q, const float* __restrict__ keys, const float* __restrict__ values, float* __restrict__ o,
    int position, int kv_heads, int d) {
  SHARED(float4, parts, THREADS);
  SHARED(float, maxima, WARPS);
  SHARED(float, sums, WARPS);
  const int token = blockIdx.x, head = blockIdx.y, heads = gridDim.y, kv_head = head / (heads / kv_heads);
  const int warp = threadIdx.x >> 5, lane = threadIdx.x & 31, channel = lane * 4;
  const bool valid = channel < d;
  const size_t own = ((size_t)token * heads + head) * d + channel;
  const float4 x = read4(q + own, valid);
  const float scale = rsqrtf((float)d) * LOG2_E;

  float4 sum = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
  float m = NEGATIVE_INFINITY, l = 0.0f;
  for (int key = warp; key <= position + token; key += WARPS) {
    const size_t at = ((size_t)key * kv_heads + kv_head) * d + channel;
    const float4 k = read4(keys + at, valid), v = read4(values + at, valid);
    const float score = warp_sum(x.x * k.x + x.y * k.y + x.z * k.z + x.w * k.w) * scale;
    const float largest = score > m ? score : m, shrink = exp2_fast(m - largest), weight = exp2_fast(score - largest);
    sum = make_float4(sum.x * shrink + weight * v.x, sum.y * shrink + weight * v.y, sum.z * shrink + weight * v.z,
                      sum.w * shrink + weight * v.w);
    l = l * shrink + weight;
    m = largest;
  }
  parts[threadIdx.x] = sum;
  if (lane == 0) maxima[warp] = m, sums[warp] = l;
  __syncthreads();
  if (warp > 0 || !valid) return;
  float largest = NEGATIVE_INFINITY, total = 0.0f;
  for (int w = 0; w < WARPS; w++) largest = maxima[w] > largest ? maxima[w] : largest;
  float4 result = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
  for (int w = 0; w < WARPS; w++) {
    const float factor = exp2_fast(maxima[w] - largest);
    const float4 part = parts[w * 32 + lane];
    total += factor * sums[w];
    result = make_float4(result.x + factor * part.x, result.y + factor * part.y, result.z + factor * part.z, result.w + factor * part.w);
  }
  *reinterpret_cast<float4*>(o + own) = make_float4(result.x / total, result.y / total, result.z / total, result.w / total);
}
