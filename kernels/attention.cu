// Causal softmax attention of a tile of tokens over the cache, grouped queries, without the scores in memory (FlashAttention-2):
//
//   A = softmax(q·Kᵀ / √d + M)        M = 0 where key position ≤ query position, else -∞        o = A·V
//
// A block has 128 queries of one head, a warp 16 of them, and goes through the keys 64 at a time with a running maximum m and
// sum l for each query: when m grows, what was summed so far is scaled by 2^(m_old - m_new). Scores stay in registers, where
// the result of one product has the layout that the next one wants of its left factor.
//
// Shared memory (D = 128: 96 KiB): q, and K and V in two stages, the next 64 keys arriving while these are multiplied; rows are
// swizzled. Keys in bf16 come by cp.async; keys in 8 bits through registers, widened on the way. Outputs leave through the
// place of the warp's own queries. Blocks of the last queries, which see the most keys, are first.
//
// Bound: 4·d FLOP a head, query and key (half of them masked in a prompt's first tile), 4·d·64 bytes of K and V from the
// second-level cache for 128·64 of these pairs: the tensor cores.
#include "prelude.cuh"

namespace {

constexpr int THREADS = 256;
constexpr int QUERIES = 128;
constexpr int KEYS = 64;

// Keys or values of a layer: positions below `near` in bf16 and the rest in 8 bits with a scale (see rope.cu).
struct Rows {
  const bf16* near_rows;
  const i8* far_rows;
  const float* far_scales;
};

template <int D>
__device__ __forceinline__ bf16* piece(bf16* tile, int row, int at) {
  return tile + swizzled<D / 8>(row, at) * 8;
}

// Two signed bytes of a word, times a scale, in bf16.
__device__ __forceinline__ u32 widen_bytes(u32 word, int i, float scale) {
  return narrow_pair(scale * (float)(i8)(word >> 8 * i), scale * (float)(i8)(word >> (8 * i + 8)));
}

// 64 rows in 8 bits on their way through registers: a thread has D/64 pieces of 16.
template <int D>
struct Bytes {
  static constexpr int COUNT = KEYS * D / 16 / THREADS;
  uint4 raw[COUNT];
  float scale[COUNT];

  __device__ __forceinline__ void load(const Rows& rows, size_t first, int valid, int d) {
#pragma unroll
    for (int i = 0; i < COUNT; i++) {
      const int at = threadIdx.x + i * THREADS, row = at / (D / 16), channel = at % (D / 16) * 16;
      raw[i] = make_uint4(0, 0, 0, 0);
      scale[i] = 0.0f;
      if (row < valid && channel < d) {
        raw[i] = *reinterpret_cast<const uint4*>(rows.far_rows + (first + row) * d + channel);
        scale[i] = rows.far_scales[first + row];
      }
    }
  }

  __device__ __forceinline__ void store(bf16* tile) const {
#pragma unroll
    for (int i = 0; i < COUNT; i++) {
      const int at = threadIdx.x + i * THREADS, row = at / (D / 16), half = at % (D / 16) * 2;
      const uint4 w = raw[i];
      const float s = scale[i];
      *reinterpret_cast<uint4*>(piece<D>(tile, row, half)) =
          make_uint4(widen_bytes(w.x, 0, s), widen_bytes(w.x, 2, s), widen_bytes(w.y, 0, s), widen_bytes(w.y, 2, s));
      *reinterpret_cast<uint4*>(piece<D>(tile, row, half + 1)) =
          make_uint4(widen_bytes(w.z, 0, s), widen_bytes(w.z, 2, s), widen_bytes(w.w, 0, s), widen_bytes(w.w, 2, s));
    }
  }
};

template <int D>
__device__ __forceinline__ void copy_rows(bf16* tile, const bf16* from, int count, int rows, size_t stride, int d) {
  for (int i = threadIdx.x; i < count * (D / 8); i += THREADS) {
    const int row = i / (D / 8), at = i % (D / 8);
    const bool valid = row < rows && at * 8 < d;
    copy_async(piece<D>(tile, row, at), from + (valid ? row * stride + at * 8 : 0), valid);
  }
}

template <int D>
__device__ __forceinline__ void attention(const bf16* q, int q_stride, const Rows& keys, const Rows& values, int near, int far,
                                          bf16* o, int tokens, int position, int kv_heads, int d) {
  SHARED_DYNAMIC(bf16, sq);
  constexpr int STAGE = 2 * KEYS * D;
  bf16* const stages = sq + QUERIES * D;
  const int warp = threadIdx.x >> 5, lane = threadIdx.x & 31, row8 = lane >> 2, pair = (lane & 3) * 2;
  const int head = blockIdx.y, heads = gridDim.y, kv_head = head / (heads / kv_heads);
  const int query0 = (gridDim.x - 1 - blockIdx.x) * QUERIES, queries = min(QUERIES, tokens - query0);
  const int length = position + query0 + queries;  // keys that the last of them sees
  const float scale = rsqrtf((float)d) * LOG2_E;
  const Rows own_keys{keys.near_rows + (size_t)kv_head * near * d, keys.far_rows, keys.far_scales};
  const Rows own_values{values.near_rows + (size_t)kv_head * near * d, values.far_rows, values.far_scales};

  Bytes<D> far_keys, far_values;
  auto fetch = [&](int key0, bf16* stage) {
    const int valid = length - key0;
    if (valid > 0 && key0 < near) {
      copy_rows<D>(stage, own_keys.near_rows + (size_t)key0 * d, KEYS, valid, d, d);
      copy_rows<D>(stage + KEYS * D, own_values.near_rows + (size_t)key0 * d, KEYS, valid, d, d);
    } else if (valid > 0) {
      const size_t first = (size_t)kv_head * far + (key0 - near);
      far_keys.load(own_keys, first, valid, d);
      far_values.load(own_values, first, valid, d);
    }
    copy_async_commit();
  };
  auto store = [&](int key0, bf16* stage) {
    if (key0 < near || key0 >= length) return;
    far_keys.store(stage);
    far_values.store(stage + KEYS * D);
  };

  copy_rows<D>(sq, q + (size_t)query0 * q_stride + head * d, QUERIES, queries, q_stride, d);
  fetch(0, stages);
  store(0, stages);

  const int row0 = warp * 16;
  float out[D / 8][4] = {}, m[2] = {NEGATIVE_INFINITY, NEGATIVE_INFINITY}, l[2] = {};
  for (int key0 = 0; key0 < length; key0 += KEYS) {
    bf16 *const sk = stages + (key0 / KEYS & 1) * STAGE, *const sv = sk + KEYS * D, *const next = stages + (key0 / KEYS + 1 & 1) * STAGE;
    copy_async_wait<0>();
    __syncthreads();  // these keys are there, and nobody reads the other stage any more
    fetch(key0 + KEYS, next);
    const int first_seen = position + query0 + row0;  // keys that this warp's first query sees, less one
    if (key0 <= first_seen + 15) {
      float scores[KEYS / 8][4] = {};
#pragma unroll
      for (int k = 0; k < D / 8; k += 2) {
        u32 a[4];
        load_matrices(a, piece<D>(sq, row0 + (lane & 15), k + (lane >> 4)));
#pragma unroll
        for (int n = 0; n < KEYS / 8; n += 2) {
          u32 b[4];
          load_matrices(b, piece<D>(sk, n * 8 + (lane & 7) + (lane >> 4) * 8, k + (lane >> 3 & 1)));
          mma(scores[n], a, b[0], b[1]);
          mma(scores[n + 1], a, b[2], b[3]);
        }
      }
      if (key0 + KEYS - 1 > first_seen) {
#pragma unroll
        for (int n = 0; n < KEYS / 8; n++)
#pragma unroll
          for (int i = 0; i < 4; i++)
            if (key0 + n * 8 + pair + (i & 1) > first_seen + row8 + (i >> 1) * 8) scores[n][i] = NEGATIVE_INFINITY;
      }
#pragma unroll
      for (int half = 0; half < 2; half++) {  // the thread's two queries
        float largest = m[half];
#pragma unroll
        for (int n = 0; n < KEYS / 8; n++) {
          const float x = scores[n][2 * half], y = scores[n][2 * half + 1];
          largest = x > largest ? x : largest;
          largest = y > largest ? y : largest;
        }
#pragma unroll
        for (int bits = 1; bits <= 2; bits <<= 1) {
          const float other = __shfl_xor_sync(ALL_LANES, largest, bits);
          largest = other > largest ? other : largest;
        }
        // Key 0 is seen by every query, so `largest` is a number.
        const float shrink = exp2_fast((m[half] - largest) * scale);
        float sum = 0.0f;
#pragma unroll
        for (int n = 0; n < KEYS / 8; n++)
#pragma unroll
          for (int i = 2 * half; i < 2 * half + 2; i++) {
            scores[n][i] = exp2_fast((scores[n][i] - largest) * scale);
            sum += scores[n][i];
          }
        m[half] = largest;
        l[half] = l[half] * shrink + sum;
#pragma unroll
        for (int n = 0; n < D / 8; n++) out[n][2 * half] *= shrink, out[n][2 * half + 1] *= shrink;
      }
#pragma unroll
      for (int k = 0; k < KEYS / 16; k++) {
        const u32 a[4] = {narrow_pair(scores[2 * k][0], scores[2 * k][1]), narrow_pair(scores[2 * k][2], scores[2 * k][3]),
                          narrow_pair(scores[2 * k + 1][0], scores[2 * k + 1][1]),
                          narrow_pair(scores[2 * k + 1][2], scores[2 * k + 1][3])};
#pragma unroll
        for (int n = 0; n < D / 8; n += 2) {
          u32 b[4];
          load_matrices_transposed(b, piece<D>(sv, k * 16 + (lane & 15), n + (lane >> 4)));
          mma(out[n], a, b[0], b[1]);
          mma(out[n + 1], a, b[2], b[3]);
        }
      }
    }
    store(key0 + KEYS, next);
  }

#pragma unroll
  for (int half = 0; half < 2; half++) {
    float sum = l[half];
    sum += __shfl_xor_sync(ALL_LANES, sum, 1);
    sum += __shfl_xor_sync(ALL_LANES, sum, 2);
    const float inverse = 1.0f / sum;
#pragma unroll
    for (int n = 0; n < D / 8; n++)
      *reinterpret_cast<u32*>(piece<D>(sq, row0 + half * 8 + row8, n) + pair) =
          narrow_pair(out[n][2 * half] * inverse, out[n][2 * half + 1] * inverse);
  }
  __syncwarp();
  for (int i = lane; i < 16 * (D / 8); i += 32) {
    const int row = row0 + i / (D / 8), at = i % (D / 8);
    if (row < queries && at * 8 < d)
      *reinterpret_cast<uint4*>(o + ((size_t)(query0 + row) * heads + head) * d + at * 8) =
          *reinterpret_cast<const uint4*>(piece<D>(sq, row, at));
  }
}

}  // namespace

// q [tokens, q_stride], rotated; the cache holds position + tokens keys, of which those below `near`, a multiple of 64 or all
// of them, in bf16 [kv_heads, near, d] and the others [kv_heads, far, d]; o [tokens, heads, d]. Grid (⌈tokens / 128⌉, heads);
// (128 + 4·64)·D·2 bytes of shared memory. d is a multiple of 8, with a far cache of 16, at most D.
#define ATTENTION(name, D)                                                                                                   \
  extern "C" __global__ void __launch_bounds__(THREADS, 1)                                                                   \
      name(const bf16* __restrict__ q, int q_stride, const bf16* __restrict__ near_keys, const bf16* __restrict__ near_values, \
           const i8* __restrict__ far_keys, const i8* __restrict__ far_values, const float* __restrict__ far_key_scales,     \
           const float* __restrict__ far_value_scales, int near, int far, bf16* __restrict__ o, int tokens, int position,    \
           int kv_heads, int d) {                                                                                            \
    attention<D>(q, q_stride, Rows{near_keys, far_keys, far_key_scales}, Rows{near_values, far_values, far_value_scales},    \
                 near, far, o, tokens, position, kv_heads, d);                                                               \
  }
ATTENTION(attention_64, 64)
ATTENTION(attention_128, 128)
