// Softmax attention of one token, or a few drafted ones, over a long cache (flash decoding): the keys are split among blocks,
// each block attends to its own, and attention_merge puts the parts together.
//
//   part s:   m_s = max q·K_s / √d      l_s = Σ e^{…-m_s}      o_s = Σ e^{…-m_s}·V_s          o = Σ_s e^{m_s-m}·o_s / Σ_s e^{m_s-m}·l_s
//
// Bound: the bytes of K and V, once: at a million tokens 4.1 GB a layer of M1 in bf16, 1.2 ms on an H100 and 4.1 ms on a 4090,
// half of it in 8 bits. All query heads of a kv head are in one block, as rows of a tensor-core tile of 16, so that a key is
// read once for them (M1: 8 heads; rows left over are drafts' or empty). Tensor cores have time to spare here: q and the
// weights of the sum are taken as two bf16 each, a value and what it rounds away, so that only the cache's own type is lost.
//
// A warp works alone on 16 of every 64 keys, with three stages of its own in shared memory (D = 128: 24 KiB a warp, 96 KiB a
// block, two thirds of it always on the way): no barrier until the warps' parts are merged at the end. Keys in 8 bits are
// widened from one place of a stage to all of it, through registers, as the integers they are; their scales are factors of the
// scores and of the weights of the sum.
#include "prelude.cuh"

namespace {

constexpr int THREADS = 128;
constexpr int WARPS = THREADS / 32;
constexpr int ROWS = 16;  // (token, query head) pairs a block
constexpr int KEYS = 16;  // a step of a warp
constexpr int STAGES = 3;

template <int D>
__device__ __forceinline__ bf16* piece(bf16* tile, int row, int at) {
  return tile + swizzled<D / 8>(row, at) * 8;
}

// Two floats as bf16, and what that rounds away, as bf16.
__device__ __forceinline__ void split_pair(float low, float high, u32& value, u32& rest) {
  value = narrow_pair(low, high);
  rest = narrow_pair(low - widen_low(value), high - widen_high(value));
}

// Two signed bytes of a word as bf16, which holds them exactly.
__device__ __forceinline__ u32 widen_bytes(u32 word, int i) {
  return narrow_pair((float)(i8)(word >> 8 * i), (float)(i8)(word >> (8 * i + 8)));
}

struct Cache {
  const bf16 *near_keys, *near_values;
  const i8 *far_keys, *far_values;
  const float *far_key_scales, *far_value_scales;
  int near, far;
};

template <int D>
__device__ __forceinline__ void decode(const float* q, const Cache& cache, float* parts, float* maxima, float* sums, int tokens,
                                       int position, int heads, int split, int d) {
  SHARED_DYNAMIC(bf16, shared);
  constexpr int TILE = KEYS * D, STAGE = 2 * TILE;
  const int warp = threadIdx.x >> 5, lane = threadIdx.x & 31, row8 = lane >> 2, pair = (lane & 3) * 2;
  const int kv_head = blockIdx.y, kv_heads = gridDim.y, group = heads / kv_heads, rows = tokens * group;
  const int row0 = blockIdx.z * ROWS;
  const int begin = blockIdx.x * split, end = min(begin + split, position + tokens);
  bf16* const own = shared + warp * STAGES * STAGE;
  const float scale = rsqrtf((float)d) * LOG2_E;

  auto fetch = [&](int key0, bf16* stage) {
    if (key0 < end && key0 < cache.near) {
      const size_t first = (size_t)kv_head * cache.near + key0;
      for (int i = lane; i < 2 * KEYS * (D / 8); i += 32) {
        const int part = i / (KEYS * (D / 8)), row = i / (D / 8) % KEYS, at = i % (D / 8);
        const bool valid = key0 + row < end && at * 8 < d;
        copy_async(piece<D>(stage + part * TILE, row, at),
                   (part ? cache.near_values : cache.near_keys) + (valid ? (first + row) * d + at * 8 : 0), valid);
      }
    } else if (key0 < end) {
      const size_t first = (size_t)kv_head * cache.far + (key0 - cache.near);
      for (int i = lane; i < 2 * KEYS * (D / 16); i += 32) {
        const int part = i / (KEYS * (D / 16)), row = i / (D / 16) % KEYS, at = i % (D / 16);
        const bool valid = key0 + row < end && at * 16 < d;
        copy_async(stage + i * 8, (part ? cache.far_values : cache.far_keys) + (valid ? (first + row) * d + at * 16 : 0), valid);
      }
    }
    copy_async_commit();
  };
  // Rows in 8 bits, which lie one after the other at the begin of the stage, to bf16 in all of it.
  auto widen_stage = [&](bf16* stage) {
    constexpr int COUNT = 2 * KEYS * (D / 16) / 32;
    uint4 raw[COUNT];
#pragma unroll
    for (int i = 0; i < COUNT; i++) raw[i] = reinterpret_cast<const uint4*>(stage)[lane + 32 * i];
    __syncwarp();
#pragma unroll
    for (int i = 0; i < COUNT; i++) {
      const int at = lane + 32 * i, part = at / (KEYS * (D / 16)), row = at / (D / 16) % KEYS, half = at % (D / 16) * 2;
      const uint4 w = raw[i];
      *reinterpret_cast<uint4*>(piece<D>(stage + part * TILE, row, half)) =
          make_uint4(widen_bytes(w.x, 0), widen_bytes(w.x, 2), widen_bytes(w.y, 0), widen_bytes(w.y, 2));
      *reinterpret_cast<uint4*>(piece<D>(stage + part * TILE, row, half + 1)) =
          make_uint4(widen_bytes(w.z, 0), widen_bytes(w.z, 2), widen_bytes(w.w, 0), widen_bytes(w.w, 2));
    }
    __syncwarp();
  };

  const int key_begin = begin + warp * KEYS;
  fetch(key_begin, own);
  fetch(key_begin + WARPS * KEYS, own + STAGE);

  // The queries of this thread's two rows, in the layout of a left factor.
  u32 query[D / 16][4], query_rest[D / 16][4];
#pragma unroll
  for (int k = 0; k < D / 16; k++)
#pragma unroll
    for (int i = 0; i < 4; i++) {
      const int row = row0 + row8 + (i & 1) * 8, channel = k * 16 + (i >> 1) * 8 + pair;
      float2 x = make_float2(0.0f, 0.0f);
      if (row < rows && channel < d)
        x = *reinterpret_cast<const float2*>(q + ((size_t)(row / group) * heads + kv_head * group + row % group) * d + channel);
      split_pair(x.x, x.y, query[k][i], query_rest[k][i]);
    }

  float out[D / 8][4] = {}, m[2] = {NEGATIVE_INFINITY, NEGATIVE_INFINITY}, l[2] = {};
  // The last key that each of the two rows sees.
  const int seen[2] = {position + (row0 + row8) / group, position + (row0 + row8 + 8) / group};
  int stage_index = 0;
  for (int key0 = key_begin; key0 < end; key0 += WARPS * KEYS) {
    bf16* const stage = own + stage_index * STAGE;
    copy_async_wait<1>();
    __syncwarp();  // the lanes' copies are there, and none reads the stage before
    fetch(key0 + 2 * WARPS * KEYS, own + (stage_index + 2) % STAGES * STAGE);
    // The scales of the four keys that this thread has scores of.
    float key_scales[2][2] = {{1.0f, 1.0f}, {1.0f, 1.0f}}, value_scales[2][2] = {{1.0f, 1.0f}, {1.0f, 1.0f}};
    if (key0 >= cache.near) {
#pragma unroll
      for (int i = 0; i < 4; i++) {
        const int key = key0 + (i >> 1) * 8 + pair + (i & 1);
        if (key >= end) continue;
        const size_t at = (size_t)kv_head * cache.far + (key - cache.near);
        key_scales[i >> 1][i & 1] = cache.far_key_scales[at];
        value_scales[i >> 1][i & 1] = cache.far_value_scales[at];
      }
      widen_stage(stage);
    }
    float scores[2][4] = {};
#pragma unroll
    for (int k = 0; k < D / 16; k++) {
      u32 b[4];
      load_matrices(b, piece<D>(stage, (lane & 7) + (lane >> 4) * 8, 2 * k + (lane >> 3 & 1)));
#pragma unroll
      for (int n = 0; n < 2; n++) {
        mma(scores[n], query[k], b[2 * n], b[2 * n + 1]);
        mma(scores[n], query_rest[k], b[2 * n], b[2 * n + 1]);
      }
    }
#pragma unroll
    for (int half = 0; half < 2; half++) {
      float largest = m[half];
#pragma unroll
      for (int n = 0; n < 2; n++)
#pragma unroll
        for (int i = 2 * half; i < 2 * half + 2; i++) {
          const int key = key0 + n * 8 + pair + (i & 1);
          scores[n][i] = key < end && key <= seen[half] ? scores[n][i] * key_scales[n][i & 1] : NEGATIVE_INFINITY;
          largest = scores[n][i] > largest ? scores[n][i] : largest;
        }
#pragma unroll
      for (int bits = 1; bits <= 2; bits <<= 1) {
        const float other = __shfl_xor_sync(ALL_LANES, largest, bits);
        largest = other > largest ? other : largest;
      }
      // A row that has seen no key yet: anything but -∞ - -∞.
      const float finite = largest == NEGATIVE_INFINITY ? 0.0f : largest;
      const float shrink = exp2_fast((m[half] - finite) * scale);
      float sum = 0.0f;
#pragma unroll
      for (int n = 0; n < 2; n++)
#pragma unroll
        for (int i = 2 * half; i < 2 * half + 2; i++) {
          scores[n][i] = exp2_fast((scores[n][i] - finite) * scale);
          sum += scores[n][i];
          scores[n][i] *= value_scales[n][i & 1];
        }
      m[half] = largest;
      l[half] = l[half] * shrink + sum;
#pragma unroll
      for (int n = 0; n < D / 8; n++) out[n][2 * half] *= shrink, out[n][2 * half + 1] *= shrink;
    }
    u32 a[4], rest[4];
#pragma unroll
    for (int i = 0; i < 4; i++) split_pair(scores[i >> 1][i % 2 * 2], scores[i >> 1][i % 2 * 2 + 1], a[i], rest[i]);
#pragma unroll
    for (int n = 0; n < D / 8; n += 2) {
      u32 b[4];
      load_matrices_transposed(b, piece<D>(stage + TILE, lane & 15, n + (lane >> 4)));
      mma(out[n], a, b[0], b[1]);
      mma(out[n], rest, b[0], b[1]);
      mma(out[n + 1], a, b[2], b[3]);
      mma(out[n + 1], rest, b[2], b[3]);
    }
    stage_index = (stage_index + 1) % STAGES;
  }
  copy_async_wait<0>();

  // The warps' parts, in the place of the keys: [warp][row][D], then [warp][row] maxima and sums.
  __syncthreads();
  float* const merged = reinterpret_cast<float*>(shared);
  float *const all_m = merged + WARPS * ROWS * D, *const all_l = all_m + WARPS * ROWS;
#pragma unroll
  for (int half = 0; half < 2; half++) {
    float sum = l[half];
    sum += __shfl_xor_sync(ALL_LANES, sum, 1);
    sum += __shfl_xor_sync(ALL_LANES, sum, 2);
    const int row = warp * ROWS + half * 8 + row8;
    if (pair == 0) all_m[row] = m[half], all_l[row] = sum;
#pragma unroll
    for (int n = 0; n < D / 8; n++)
      *reinterpret_cast<float2*>(merged + row * D + n * 8 + pair) = make_float2(out[n][2 * half], out[n][2 * half + 1]);
  }
  __syncthreads();
  for (int i = threadIdx.x; i < ROWS * D; i += THREADS) {
    const int row = i / D, channel = i % D;
    if (row0 + row >= rows || channel >= d) continue;
    float largest = NEGATIVE_INFINITY;
    for (int w = 0; w < WARPS; w++) largest = all_m[w * ROWS + row] > largest ? all_m[w * ROWS + row] : largest;
    const float finite = largest == NEGATIVE_INFINITY ? 0.0f : largest;
    float sum = 0.0f, value = 0.0f;
    for (int w = 0; w < WARPS; w++) {
      const float factor = exp2_fast((all_m[w * ROWS + row] - finite) * scale);
      sum += factor * all_l[w * ROWS + row];
      value += factor * merged[(w * ROWS + row) * D + channel];
    }
    const size_t part = ((size_t)blockIdx.x * kv_heads + kv_head) * rows + row0 + row;
    parts[part * d + channel] = value;
    if (channel == 0) maxima[part] = largest * scale, sums[part] = sum;
  }
}

}  // namespace

// q [tokens, heads, d] in f32, rotated; the cache holds position + tokens keys, as for attention_128. A block has `split` keys, a
// multiple of 64: grid (⌈(position + tokens) / split⌉, kv_heads, ⌈tokens·heads/kv_heads / 16⌉). parts [splits, kv_heads, rows, d],
// maxima (times log2 e / √d) and sums [splits, kv_heads, rows], rows = tokens·heads/kv_heads. d as for attention_128.
// 4·3·2·16·D·2 bytes of shared memory, and at least 4·16·(D + 2)·4.
#define DECODE(name, D)                                                                                                      \
  extern "C" __global__ void __launch_bounds__(THREADS, 1)                                                                   \
      name(const float* __restrict__ q, const bf16* __restrict__ near_keys, const bf16* __restrict__ near_values,            \
           const i8* __restrict__ far_keys, const i8* __restrict__ far_values, const float* __restrict__ far_key_scales,     \
           const float* __restrict__ far_value_scales, int near, int far, float* __restrict__ parts,                         \
           float* __restrict__ maxima, float* __restrict__ sums, int tokens, int position, int heads, int split, int d) {    \
    decode<D>(q, Cache{near_keys, near_values, far_keys, far_values, far_key_scales, far_value_scales, near, far}, parts,    \
              maxima, sums, tokens, position, heads, split, d);                                                              \
  }
DECODE(attention_decode_64, 64)
DECODE(attention_decode_128, 128)

// o [tokens, heads, d] from the parts: a block a row (grid (rows, kv_heads)), a thread a channel.
extern "C" __global__ void __launch_bounds__(THREADS) attention_merge(
    const float* __restrict__ parts, const float* __restrict__ maxima, const float* __restrict__ sums, float* __restrict__ o,
    int splits, int heads, int d) {
  const int row = blockIdx.x, kv_head = blockIdx.y, rows = gridDim.x, kv_heads = gridDim.y, group = heads / kv_heads;
  const int channel = threadIdx.x;
  if (channel >= d) return;
  const size_t first = (size_t)kv_head * rows + row, step = (size_t)kv_heads * rows;
  float largest = NEGATIVE_INFINITY;
  for (int s = 0; s < splits; s++) {
    const float m = maxima[first + s * step];
    largest = m > largest ? m : largest;
  }
  float sum = 0.0f, value = 0.0f;
  for (int s = 0; s < splits; s++) {
    const float factor = exp2_fast(maxima[first + s * step] - largest);
    sum += factor * sums[first + s * step];
    value += factor * parts[(first + s * step) * d + channel];
  }
  o[((size_t)(row / group) * heads + kv_head * group + row % group) * d + channel] = value / sum;
}
