// Lightning attention over a tile of tokens, on the tensor cores. Per head, with decay λ = e^-slope a token:
//
//   S_t = λ·S_{t-1} + k_tᵀ·v_t            o_t = q_t·S_t            S [key channel, value channel], f32
//
// in blocks of 64 tokens, i and j counted within a block of n tokens:
//
//   o_i = λ^{i+1}·(q_i·S) + Σ_{j ≤ i} λ^{i-j}·(q_i·k_j)·v_j        S ← λ^n·S + Σ_j λ^{n-1-j}·k_jᵀ·v_j
//
// Every power of λ is of a difference that is not negative, so nothing overflows however fast a head decays.
//
// Work. A thread block has one head and 64 of its value channels, and goes through the tokens with its part of S in the
// accumulators of its warps: S never leaves the registers, but for a copy in bf16 that q is multiplied with. 8 warps; in
// the products with tokens as rows warp w has rows 16·(w mod 4) and half of the columns, in the state it has 16 key channels.
//
// Shared memory (D = 128: 96 KiB, what one block of a 4090 may have): two stages of q, k (64 × D) and v (64 × 64), so that a
// block's tokens arrive while the one before is computed, and S in bf16. The masked scores P and the outputs take the place
// of q when all warps have read it. Rows are swizzled, not padded.
//
// Bound: 8·d bytes a token and head, and per 64 tokens and head 2·(64·64·2d + 64·64·d + 2·64·d²) FLOP on the two blocks
// together (scores are computed by both): memory-bound on an H100 and a 4090. With few heads the card is not filled: then the
// tokens are cut into chunks (gridDim.z) that run side by side, after a first pass (lightning_chunks) has computed what each
// chunk adds to a state of zero and lightning_scan has made of it the state that each begins with: 1.5 times the bytes.
#include "prelude.cuh"

namespace {

constexpr int THREADS = 256;
constexpr int TOKENS = 64;  // a block of tokens
constexpr int VALUES = 64;  // value channels a thread block

// Where a head of a token lies: q, k and v each have their own pointer and share the strides, in elements. That covers
// [tokens, heads, 3, d] (MiniMax) and [tokens, 3, heads, d] (Bailing).
struct Heads {
  const bf16 *q, *k, *v;
  long long token_stride, head_stride;
};

template <int PIECES>
__device__ __forceinline__ bf16* at(bf16* tile, int row, int column) {
  return tile + swizzled<PIECES>(row, column >> 3) * 8 + (column & 7);
}

// One block of tokens on its way to shared memory. Rows past the last token and channels past d become zeros.
template <int D, bool OUTPUTS>
__device__ __forceinline__ void fetch(const Heads& heads, bf16* sq, bf16* sk, bf16* sv, long long first, int count, int d, int value0) {
  constexpr int PIECES = D / 8;
  const long long head = (long long)blockIdx.x * heads.head_stride;
  for (int i = threadIdx.x; i < TOKENS * PIECES; i += THREADS) {
    const int row = i / PIECES, piece = i % PIECES;
    const bool valid = row < count && piece * 8 < d;
    const long long from = valid ? head + (first + row) * heads.token_stride + piece * 8 : 0;
    if (OUTPUTS) copy_async(at<PIECES>(sq, row, piece * 8), heads.q + from, valid);
    copy_async(at<PIECES>(sk, row, piece * 8), heads.k + from, valid);
  }
  for (int i = threadIdx.x; i < TOKENS * (VALUES / 8); i += THREADS) {
    const int row = i / (VALUES / 8), channel = value0 + i % (VALUES / 8) * 8;
    const bool valid = row < count && channel < d;
    const long long from = valid ? head + (first + row) * heads.token_stride + channel : 0;
    copy_async(at<VALUES / 8>(sv, row, channel - value0), heads.v + from, valid);
  }
  copy_async_commit();
}

__device__ __forceinline__ u32 scale_pair(u32 pair, float low, float high) {
  return narrow_pair(widen_low(pair) * low, widen_high(pair) * high);
}

template <int D, bool OUTPUTS>
__device__ __forceinline__ void lightning(
    const Heads& heads, bf16* o, const float* start, float* next, const float* slopes, int tokens, int chunk_tokens, int d) {
  constexpr int PIECES = D / 8, STATE_WARPS = D / 16, STATE_COLUMNS = VALUES * STATE_WARPS / 8;
  // q of a stage has room for P and the outputs too.
  constexpr int Q_SIZE = TOKENS * (D > TOKENS + VALUES ? D : TOKENS + VALUES);
  constexpr int STAGE = Q_SIZE + TOKENS * D + TOKENS * VALUES;
  SHARED_DYNAMIC(bf16, shared);
  bf16* const s_state = shared + 2 * STAGE;

  const int head = blockIdx.x, value0 = blockIdx.y * VALUES, warp = threadIdx.x >> 5, lane = threadIdx.x & 31;
  const int row8 = lane >> 2, pair = (lane & 3) * 2;
  const float decay = slopes[head] * LOG2_E;  // λ^n = 2^(-n·decay)
  const long long chunk0 = (long long)blockIdx.z * chunk_tokens;
  const int count = min(chunk_tokens, (int)(tokens - chunk0));

  // This warp's part of S: key channels `key0`, columns `column0` of the block's.
  const int key0 = warp % STATE_WARPS * 16, column0 = warp / STATE_WARPS * STATE_COLUMNS;
  float state[STATE_COLUMNS / 8][4];
  const long long state0 = ((long long)blockIdx.z * gridDim.x + head) * d * d;
#pragma unroll
  for (int n = 0; n < STATE_COLUMNS / 8; n++)
#pragma unroll
    for (int i = 0; i < 4; i++) {
      const int key = key0 + row8 + (i >> 1) * 8, value = value0 + column0 + n * 8 + pair + (i & 1);
      state[n][i] = start && key < d && value < d ? start[state0 + (long long)key * d + value] : 0.0f;
    }

  // This warp's part of the products with tokens as rows.
  const int row0 = (warp & 3) * 16, half0 = (warp >> 2) * 32;

  fetch<D, OUTPUTS>(heads, shared, shared + Q_SIZE, shared + Q_SIZE + TOKENS * D, chunk0, min(TOKENS, count), d, value0);
  for (int first = 0; first < count; first += TOKENS) {
    const int n_tokens = min(TOKENS, count - first), stage = first / TOKENS & 1;
    bf16* const sq = shared + stage * STAGE;
    bf16 *const sk = sq + Q_SIZE, *const sv = sk + TOKENS * D;
    if (OUTPUTS) {
#pragma unroll
      for (int n = 0; n < STATE_COLUMNS / 8; n++)
#pragma unroll
        for (int i = 0; i < 2; i++)
          *reinterpret_cast<u32*>(at<VALUES / 8>(s_state, key0 + row8 + i * 8, column0 + n * 8 + pair)) =
              narrow_pair(state[n][2 * i], state[n][2 * i + 1]);
    }
    copy_async_wait<0>();
    __syncthreads();  // the tokens and S are there, and nobody reads the other stage any more
    if (first + TOKENS < count) {
      bf16* const other = shared + (stage ^ 1) * STAGE;
      fetch<D, OUTPUTS>(heads, other, other + Q_SIZE, other + Q_SIZE + TOKENS * D, chunk0 + first + TOKENS,
                        min(TOKENS, count - first - TOKENS), d, value0);
    }

    if (OUTPUTS) {
      float scores[4][4] = {}, out[4][4] = {};
      const bool below = half0 <= row0 + 15;  // else all of these scores are masked
#pragma unroll
      for (int k = 0; k < D; k += 16) {
        u32 a[4], b[4];
        load_matrices(a, at<PIECES>(sq, row0 + (lane & 15), k + (lane >> 4) * 8));
#pragma unroll
        for (int n = 0; n < 4; n += 2) {
          if (below) {
            load_matrices(b, at<PIECES>(sk, half0 + n * 8 + (lane & 7) + (lane >> 4) * 8, k + (lane >> 3 & 1) * 8));
            mma(scores[n], a, b[0], b[1]);
            mma(scores[n + 1], a, b[2], b[3]);
          }
          load_matrices_transposed(b, at<VALUES / 8>(s_state, k + (lane & 15), half0 + n * 8 + (lane >> 4) * 8));
          mma(out[n], a, b[0], b[1]);
          mma(out[n + 1], a, b[2], b[3]);
        }
      }
      const float into[2] = {exp2_fast(-decay * (row0 + row8 + 1)), exp2_fast(-decay * (row0 + row8 + 9))};
#pragma unroll
      for (int n = 0; n < 4; n++)
#pragma unroll
        for (int i = 0; i < 4; i++) out[n][i] *= into[i >> 1];
      __syncthreads();  // q has been read: P takes its place
      bf16 *const sp = sq, *const so = sq + TOKENS * TOKENS;
#pragma unroll
      for (int n = 0; n < 4; n++)
#pragma unroll
        for (int i = 0; i < 2; i++) {
          const int row = row0 + row8 + i * 8, column = half0 + n * 8 + pair, distance = row - column;
          const float low = distance >= 0 ? scores[n][2 * i] * exp2_fast(-decay * distance) : 0.0f;
          const float high = distance >= 1 ? scores[n][2 * i + 1] * exp2_fast(-decay * (distance - 1)) : 0.0f;
          *reinterpret_cast<u32*>(at<TOKENS / 8>(sp, row, column)) = narrow_pair(low, high);
        }
      __syncthreads();  // P is there
      for (int k = 0; k <= row0; k += 16) {
        u32 a[4], b[4];
        load_matrices(a, at<TOKENS / 8>(sp, row0 + (lane & 15), k + (lane >> 4) * 8));
#pragma unroll
        for (int n = 0; n < 4; n += 2) {
          load_matrices_transposed(b, at<VALUES / 8>(sv, k + (lane & 15), half0 + n * 8 + (lane >> 4) * 8));
          mma(out[n], a, b[0], b[1]);
          mma(out[n + 1], a, b[2], b[3]);
        }
      }
      // Through shared memory, so that a row's 64 bytes are written at once.
#pragma unroll
      for (int n = 0; n < 4; n++)
#pragma unroll
        for (int i = 0; i < 2; i++)
          *reinterpret_cast<u32*>(at<VALUES / 8>(so, row0 + row8 + i * 8, half0 + n * 8 + pair)) =
              narrow_pair(out[n][2 * i], out[n][2 * i + 1]);
      __syncwarp();
#pragma unroll
      for (int i = 0; i < 2; i++) {
        const int row = row0 + i * 8 + row8, column = half0 + (lane & 3) * 8, channel = value0 + column;
        if (row < n_tokens && channel < d)
          *reinterpret_cast<uint4*>(o + ((chunk0 + first + row) * gridDim.x + head) * d + channel) =
              *reinterpret_cast<const uint4*>(at<VALUES / 8>(so, row, column));
      }
    }

    const float through = exp2_fast(-decay * n_tokens);
#pragma unroll
    for (int n = 0; n < STATE_COLUMNS / 8; n++)
#pragma unroll
      for (int i = 0; i < 4; i++) state[n][i] *= through;
#pragma unroll
    for (int k = 0; k < TOKENS; k += 16) {
      // kᵀ, each token decayed to the end of the block. Tokens past the last are zeros: their factor need only be finite.
      const int left = n_tokens - 1 - k - pair;
      const float f0 = exp2_fast(-decay * max(left, 0)), f1 = exp2_fast(-decay * max(left - 1, 0));
      const float f8 = exp2_fast(-decay * max(left - 8, 0)), f9 = exp2_fast(-decay * max(left - 9, 0));
      u32 a[4], b[4];
      load_matrices_transposed(a, at<PIECES>(sk, k + (lane & 7) + (lane >> 4) * 8, key0 + (lane >> 3 & 1) * 8));
      a[0] = scale_pair(a[0], f0, f1), a[1] = scale_pair(a[1], f0, f1);
      a[2] = scale_pair(a[2], f8, f9), a[3] = scale_pair(a[3], f8, f9);
#pragma unroll
      for (int n = 0; n < STATE_COLUMNS / 8; n += 2) {
        load_matrices_transposed(b, at<VALUES / 8>(sv, k + (lane & 15), column0 + n * 8 + (lane >> 4) * 8));
        mma(state[n], a, b[0], b[1]);
        mma(state[n + 1], a, b[2], b[3]);
      }
    }
  }

  if (!next) return;
#pragma unroll
  for (int n = 0; n < STATE_COLUMNS / 8; n++)
#pragma unroll
    for (int i = 0; i < 4; i++) {
      const int key = key0 + row8 + (i >> 1) * 8, value = value0 + column0 + n * 8 + pair + (i & 1);
      if (key < d && value < d) next[state0 + (long long)key * d + value] = state[n][i];
    }
}

}  // namespace

// Outputs, and the state after. Grid (heads, ⌈d / 64⌉, chunks); `start` [chunks, heads, d, d] is what each chunk begins with;
// `next` [heads, d, d] may be null, and is with several chunks. `chunk_tokens` is a multiple of 64 unless there is one chunk.
// d is a multiple of 8, at most the number in the name.
#define LIGHTNING(name, D)                                                                                                  \
  extern "C" __global__ void __launch_bounds__(THREADS, 1)                                                                   \
      name(const bf16* __restrict__ q, const bf16* __restrict__ k, const bf16* __restrict__ v, long long token_stride,      \
           long long head_stride, bf16* __restrict__ o /* [tokens, heads, d] */, const float* __restrict__ start,           \
           float* __restrict__ next, const float* __restrict__ slopes, int tokens, int chunk_tokens, int d) {               \
    lightning<D, true>(Heads{q, k, v, token_stride, head_stride}, o, start, next, slopes, tokens, chunk_tokens, d);         \
  }
LIGHTNING(lightning_64, 64)
LIGHTNING(lightning_128, 128)

// What each chunk adds to a state of zero: `added` [chunks, heads, d, d]. The same grid.
#define LIGHTNING_CHUNKS(name, D)                                                                                           \
  extern "C" __global__ void __launch_bounds__(THREADS, 1)                                                                   \
      name(const bf16* __restrict__ k, const bf16* __restrict__ v, long long token_stride, long long head_stride,           \
           float* __restrict__ added, const float* __restrict__ slopes, int tokens, int chunk_tokens, int d) {              \
    lightning<D, false>(Heads{k, k, v, token_stride, head_stride}, nullptr, nullptr, added, slopes, tokens, chunk_tokens,   \
                        d);                                                                                                 \
  }
LIGHTNING_CHUNKS(lightning_chunks_64, 64)
LIGHTNING_CHUNKS(lightning_chunks_128, 128)

// Makes of what each chunk adds the state that it begins with, in place, and `next` of the last: grid (⌈d²/1024⌉, heads), a
// thread four elements. Reads and writes each state once.
extern "C" __global__ void __launch_bounds__(THREADS) lightning_scan(
    const float* __restrict__ state,  // [heads, d, d]
    float* __restrict__ chunks,       // [chunks, heads, d, d]
    float* __restrict__ next,         // [heads, d, d]
    const float* __restrict__ slopes, int count, int tokens, int chunk_tokens, int d) {
  const long long pieces = (long long)d * d / 4, piece = (long long)blockIdx.x * THREADS + threadIdx.x;
  if (piece >= pieces) return;
  const int head = blockIdx.y;
  const float decay = slopes[head] * LOG2_E;
  const long long here = head * pieces + piece, step = gridDim.y * pieces;
  float4 s = reinterpret_cast<const float4*>(state)[here];
  for (int c = 0; c < count; c++) {
    float4* const place = reinterpret_cast<float4*>(chunks) + here + c * step;
    const float4 added = *place;
    *place = s;
    const float through = exp2_fast(-decay * min(chunk_tokens, tokens - c * chunk_tokens));
    s = make_float4(through * s.x + added.x, through * s.y + added.y, through * s.z + added.z, through * s.w + added.w);
  }
  reinterpret_cast<float4*>(next)[here] = s;
}
