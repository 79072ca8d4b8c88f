// Products of few rows: decode, and the verification of short drafts. y = x·Wᵀ with x in f32, so that a decoded token sees
// weights as exact as they are stored.
//
// Bound: the bytes of W, once. A warp takes ROWS rows of W at a time and a lane every 32nd run of 16 weights: consecutive
// lanes read consecutive bytes, each lane has ROWS runs in flight, and the 16 numbers of x that it reads for them come from
// the first-level cache, where x (24 KiB at a hidden width of 6,144) stays. No shared memory and no barrier. With four rows
// of x an element of W meets four multiplications, as many as its widening costs.
#include "weights.cuh"

namespace {

constexpr int THREADS = 256;
constexpr int WARPS = THREADS / 32;
// Rows of W a warp; with several rows of x fewer, so that the sums and x fit the registers.
constexpr int ROWS = 4;
constexpr int FEWER_ROWS = 2;

__device__ __forceinline__ float dot4(float4 x, const float* w) { return x.x * w[0] + x.y * w[1] + x.z * w[2] + x.w * w[3]; }

// sums[r][t] += Σ_k w_r[k]·x_t[k] over this lane's runs; x has the rows x[t·stride].
template <class Weight, int N, int TOKENS>
__device__ __forceinline__ void accumulate(float (&sums)[N][TOKENS], const u8* const (&w)[N], const float* x, size_t stride, int tokens,
                                           int width) {
  const int lane = threadIdx.x & 31;
  for (int run = lane; run < runs_of(width); run += 32) {
    typename Weight::Run raw[N];
#pragma unroll
    for (int r = 0; r < N; r++) raw[r] = Weight::load(w[r], run, width);
    float4 rows[TOKENS][4];
#pragma unroll
    for (int t = 0; t < TOKENS; t++) {
      const float* from = x + (t < tokens ? t : 0) * stride;
#pragma unroll
      for (int i = 0; i < 4; i++) rows[t][i] = activations_of(from, run, i, width);
    }
#pragma unroll
    for (int r = 0; r < N; r++) {
      float values[16];
      Weight::widen_run(raw[r], values);
#pragma unroll
      for (int t = 0; t < TOKENS; t++)
#pragma unroll
        for (int i = 0; i < 4; i++) sums[r][t] += dot4(rows[t][i], values + 4 * i);
    }
  }
}

// The rows of W that a warp multiplies; past the last they are the last.
template <class Weight, int N>
__device__ __forceinline__ void rows_of(const u8* (&rows)[N], const u8* w, int first, int outputs, int width) {
#pragma unroll
  for (int r = 0; r < N; r++) rows[r] = w + min(first + r, outputs - 1) * Weight::row_bytes(width);
}

__device__ __forceinline__ int first_row(int rows) { return (blockIdx.x * WARPS + (threadIdx.x >> 5)) * rows; }

template <class Weight, int TOKENS>
__device__ __forceinline__ void gemv(const u8* w, const float* x, float* y, int tokens, int outputs, int width) {
  constexpr int N = TOKENS == 1 ? ROWS : FEWER_ROWS;
  const int first = first_row(N);
  if (first >= outputs) return;
  const u8* rows[N];
  rows_of<Weight>(rows, w, first, outputs, width);
  float sums[N][TOKENS] = {};
  accumulate<Weight>(sums, rows, x, width, tokens, width);
#pragma unroll
  for (int r = 0; r < N; r++)
#pragma unroll
    for (int t = 0; t < TOKENS; t++) {
      const float sum = warp_sum(sums[r][t]);
      if ((threadIdx.x & 31) == 0 && first + r < outputs && t < tokens) y[(size_t)t * outputs + first + r] = sum;
    }
}

// One choice of one token: SiLU(W_gate·x) ⊙ (W_up·x) of the expert.
template <class Weight>
__device__ __forceinline__ void expert_up(const u8* const* gates, const u8* const* ups, const int* chosen, const float* x, float* y,
                                          int top_k, int inner, int width) {
  const int first = first_row(ROWS), slot = blockIdx.y, expert = chosen[slot];
  if (first >= inner) return;
  const u8 *gate[ROWS], *up[ROWS];
  rows_of<Weight>(gate, gates[expert], first, inner, width);
  rows_of<Weight>(up, ups[expert], first, inner, width);
  float by_gate[ROWS][1] = {}, by_up[ROWS][1] = {};
  const float* row = x + (size_t)(slot / top_k) * width;
  accumulate<Weight>(by_gate, gate, row, 0, 1, width);
  accumulate<Weight>(by_up, up, row, 0, 1, width);
#pragma unroll
  for (int r = 0; r < ROWS; r++) {
    const float g = warp_sum(by_gate[r][0]), u = warp_sum(by_up[r][0]);
    if ((threadIdx.x & 31) == 0 && first + r < inner) y[(size_t)slot * inner + first + r] = silu(g) * u;
  }
}

// One token: Σ_i mix_i·W_down·x_i over its choices.
template <class Weight>
__device__ __forceinline__ void expert_down(const u8* const* downs, const int* chosen, const float* mix, const float* x, float* y,
                                            int top_k, int outputs, int inner) {
  const int first = first_row(ROWS), token = blockIdx.y;
  if (first >= outputs) return;
  float total[ROWS] = {};
  for (int i = 0; i < top_k; i++) {
    const int slot = token * top_k + i;
    const u8* rows[ROWS];
    rows_of<Weight>(rows, downs[chosen[slot]], first, outputs, inner);
    float sums[ROWS][1] = {};
    accumulate<Weight>(sums, rows, x + (size_t)slot * inner, 0, 1, inner);
#pragma unroll
    for (int r = 0; r < ROWS; r++) total[r] += mix[slot] * sums[r][0];
  }
#pragma unroll
  for (int r = 0; r < ROWS; r++) {
    const float sum = warp_sum(total[r]);
    if ((threadIdx.x & 31) == 0 && first + r < outputs) y[(size_t)token * outputs + first + r] = sum;
  }
}

// The head: logits = W·RMSNorm(x), in f32. The norm costs nothing: its scale is a factor of the result, and every warp
// passes over all of x anyway.
template <class Weight>
__device__ __forceinline__ void head(const u8* w, const float* x, const float* norm, float* logits, float eps, int outputs, int width) {
  const int first = first_row(ROWS), lane = threadIdx.x & 31, token = blockIdx.y;
  if (first >= outputs) return;
  const u8* rows[ROWS];
  rows_of<Weight>(rows, w, first, outputs, width);
  const float* own = x + (size_t)token * width;
  float sums[ROWS] = {}, squares = 0.0f;
  for (int run = lane; run < runs_of(width); run += 32) {
    typename Weight::Run raw[ROWS];
#pragma unroll
    for (int r = 0; r < ROWS; r++) raw[r] = Weight::load(rows[r], run, width);
    float4 h[4];
#pragma unroll
    for (int i = 0; i < 4; i++) {
      const float4 v = activations_of(own, run, i, width), n = activations_of(norm, run, i, width);
      squares += v.x * v.x + v.y * v.y + v.z * v.z + v.w * v.w;
      h[i] = make_float4(v.x * n.x, v.y * n.y, v.z * n.z, v.w * n.w);
    }
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
      float values[16];
      Weight::widen_run(raw[r], values);
#pragma unroll
      for (int i = 0; i < 4; i++) sums[r] += dot4(h[i], values + 4 * i);
    }
  }
  const float scale = rsqrtf(warp_sum(squares) / (float)width + eps);
#pragma unroll
  for (int r = 0; r < ROWS; r++) {
    const float sum = warp_sum(sums[r]);
    if (lane == 0 && first + r < outputs) logits[(size_t)token * outputs + first + r] = sum * scale;
  }
}

}  // namespace

// W [outputs, width] with width a multiple of 8 and of a block; x [tokens, width], y [tokens, outputs]. Grid ⌈outputs / 32⌉, or
// ⌈outputs / 16⌉ for two to four tokens.
#define GEMV(name, Weight, TOKENS)                                                                                           \
  extern "C" __global__ void __launch_bounds__(THREADS, 1)                                                                      \
      name(const u8* __restrict__ w, const float* __restrict__ x, float* __restrict__ y, int tokens, int outputs,            \
           int width) {                                                                                                      \
    gemv<Weight, TOKENS>(w, x, y, tokens, outputs, width);                                                                   \
  }
// One token, and two to four.
GEMV(gemv_f32, F32, 1)
GEMV(gemv_bf16, BF16, 1)
GEMV(gemv_q8_0, Q8_0, 1)
GEMV(gemv_q4_k, Q4_K, 1)
GEMV(gemv_q6_k, Q6_K, 1)
GEMV(gemv4_f32, F32, 4)
GEMV(gemv4_bf16, BF16, 4)
GEMV(gemv4_q8_0, Q8_0, 4)
GEMV(gemv4_q4_k, Q4_K, 4)
GEMV(gemv4_q6_k, Q6_K, 4)

// Weights are found through a table of pointers, one an expert, because experts lie where there was room: gates, ups
// [inner, width], downs [outputs, inner]; chosen, mix [tokens, top_k].
//
// expert_up: grid (⌈inner / 32⌉, tokens·top_k), y [tokens, top_k, inner].
// expert_down: grid (⌈outputs / 32⌉, tokens), x [tokens, top_k, inner], y [tokens, outputs].
#define EXPERTS_OF_FEW(up_name, down_name, Weight)                                                                           \
  extern "C" __global__ void __launch_bounds__(THREADS, 1)                                                                      \
      up_name(const u8* const* __restrict__ gates, const u8* const* __restrict__ ups, const int* __restrict__ chosen,        \
              const float* __restrict__ x, float* __restrict__ y, int top_k, int inner, int width) {                         \
    expert_up<Weight>(gates, ups, chosen, x, y, top_k, inner, width);                                                        \
  }                                                                                                                          \
  extern "C" __global__ void __launch_bounds__(THREADS, 1)                                                                      \
      down_name(const u8* const* __restrict__ downs, const int* __restrict__ chosen, const float* __restrict__ mix,          \
                const float* __restrict__ x, float* __restrict__ y, int top_k, int outputs, int inner) {                     \
    expert_down<Weight>(downs, chosen, mix, x, y, top_k, outputs, inner);                                                    \
  }
EXPERTS_OF_FEW(expert_up_f32, expert_down_f32, F32)
EXPERTS_OF_FEW(expert_up_bf16, expert_down_bf16, BF16)
EXPERTS_OF_FEW(expert_up_q8_0, expert_down_q8_0, Q8_0)
EXPERTS_OF_FEW(expert_up_q4_k, expert_down_q4_k, Q4_K)
EXPERTS_OF_FEW(expert_up_q6_k, expert_down_q6_k, Q6_K)

// logits [tokens, outputs] of x [tokens, width], norm [width]; grid (⌈outputs / 32⌉, tokens).
#define HEAD(name, Weight)                                                                                                   \
  extern "C" __global__ void __launch_bounds__(THREADS, 1)                                                                      \
      name(const u8* __restrict__ w, const float* __restrict__ x, const float* __restrict__ norm,                            \
           float* __restrict__ logits, float eps, int outputs, int width) {                                                  \
    head<Weight>(w, x, norm, logits, eps, outputs, width);                                                                   \
  }
HEAD(head_f32, F32)
HEAD(head_bf16, BF16)
HEAD(head_q8_0, Q8_0)
HEAD(head_q4_k, Q4_K)
HEAD(head_q6_k, Q6_K)
