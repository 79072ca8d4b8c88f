// The router: which experts a token goes to, and with what weight. In f32 throughout, since a wrong choice is not a small error.
#include "prelude.cuh"

namespace {

constexpr int THREADS = 256;
constexpr int TOKENS = 32;    // a tile of router_logits
constexpr int CHANNELS = 16;  // of the hidden width at once
constexpr int EXPERTS = 512;  // the most
constexpr int WARPS = THREADS / 32;
constexpr int HELD = EXPERTS / 32;  // experts of a lane

// logits = h·Wᵀ for a tile of tokens and 32·PER experts a turn. A thread has four tokens and PER experts that are 32 apart, so
// that of each channel it reads 4 + PER numbers from shared memory for 4·PER products.
template <int PER>
__device__ __forceinline__ void logits_of_tile(const float* h, const float* w, float* logits, int tokens, int experts, int width) {
  constexpr int TILE = 32 * PER;
  SHARED(float4, s_h, CHANNELS * TOKENS / 4);
  SHARED(float, s_w, CHANNELS * (TILE + 1));
  const int lane = threadIdx.x & 31, group = threadIdx.x >> 5, token0 = blockIdx.x * TOKENS, expert0 = blockIdx.y * TILE;
  float sums[4][PER] = {};
  for (int k0 = 0; k0 < width; k0 += CHANNELS) {
    for (int i = threadIdx.x; i < TOKENS * CHANNELS; i += THREADS) {
      const int token = i / CHANNELS, k = i % CHANNELS;
      const bool valid = token0 + token < tokens && k0 + k < width;
      reinterpret_cast<float*>(s_h)[k * TOKENS + token] = valid ? h[(size_t)(token0 + token) * width + k0 + k] : 0.0f;
    }
    for (int i = threadIdx.x; i < TILE * CHANNELS; i += THREADS) {
      const int expert = i / CHANNELS, k = i % CHANNELS;
      const bool valid = expert0 + expert < experts && k0 + k < width;
      s_w[k * (TILE + 1) + expert] = valid ? w[(size_t)(expert0 + expert) * width + k0 + k] : 0.0f;
    }
    __syncthreads();
#pragma unroll
    for (int k = 0; k < CHANNELS; k++) {
      const float4 x = s_h[k * TOKENS / 4 + group];
#pragma unroll
      for (int e = 0; e < PER; e++) {
        const float y = s_w[k * (TILE + 1) + e * 32 + lane];
        sums[0][e] += x.x * y, sums[1][e] += x.y * y, sums[2][e] += x.z * y, sums[3][e] += x.w * y;
      }
    }
    __syncthreads();
  }
#pragma unroll
  for (int t = 0; t < 4; t++)
#pragma unroll
    for (int e = 0; e < PER; e++) {
      const int token = token0 + group * 4 + t, expert = expert0 + e * 32 + lane;
      if (token < tokens && expert < experts) logits[(size_t)token * experts + expert] = sums[t][e];
    }
}

// The largest of a value in each lane, and of equal ones the one of the lower index.
__device__ __forceinline__ void warp_argmax(float& value, int& index) {
#pragma unroll
  for (int bits = 16; bits; bits >>= 1) {
    const float other = __shfl_xor_sync(ALL_LANES, value, bits);
    const int at = __shfl_xor_sync(ALL_LANES, index, bits);
    if (other > value || (other == value && at < index)) value = other, index = at;
  }
}

}  // namespace

// h [tokens, width], w [experts, width], logits [tokens, experts]; grid (⌈tokens / 32⌉, ⌈experts / tile⌉) with a tile of 32 or
// 256. Of few experts the h of a token is read once; a decode step uses gemv_f32.
extern "C" __global__ void __launch_bounds__(THREADS) router_logits_32(
    const float* __restrict__ h, const float* __restrict__ w, float* __restrict__ logits, int tokens, int experts, int width) {
  logits_of_tile<1>(h, w, logits, tokens, experts, width);
}
extern "C" __global__ void __launch_bounds__(THREADS) router_logits_256(
    const float* __restrict__ h, const float* __restrict__ w, float* __restrict__ logits, int tokens, int experts, int width) {
  logits_of_tile<8>(h, w, logits, tokens, experts, width);
}

// The choice. A warp a token, its experts in registers: lane l has the experts l, l + 32, …
//
//   softmax:  p = softmax(logits);  e = the top_k largest p                   mix_i = p_e / Σ p_e     (MiniMax)
//   sigmoid:  p = σ(logits);  a group's score is the sum of its two largest p + bias; of the best `kept` groups
//             e = the top_k largest p + bias                                   mix_i = scale·p_e / Σ p_e   (Bailing)
//
// Of equal ones the lower index goes first. Without `renormalise` the sum is 1. Grid ⌈tokens / 8⌉; experts ≤ 512 and a
// multiple of `groups` ≤ 32; kept ≤ groups; top_k no more than there are experts in the kept groups.
extern "C" __global__ void __launch_bounds__(THREADS) route(
    const float* __restrict__ logits,  // [tokens, experts]
    const float* __restrict__ bias,    // [experts], or null
    int* __restrict__ chosen,          // [tokens, top_k]
    float* __restrict__ mix,           // [tokens, top_k]
    int tokens, int experts, int top_k, int use_sigmoid, int groups, int kept, int renormalise, float scale) {
  SHARED(float, scores, WARPS * EXPERTS);
  const int lane = threadIdx.x & 31, token = blockIdx.x * WARPS + (threadIdx.x >> 5);
  if (token >= tokens) return;  // a whole warp; there is no barrier below
  float* const own = scores + (threadIdx.x >> 5) * EXPERTS;
  float p[HELD], score[HELD];
  float largest = NEGATIVE_INFINITY, sum = 0.0f;
#pragma unroll
  for (int i = 0; i < HELD; i++) {
    const int e = lane + 32 * i;
    p[i] = e < experts ? logits[(size_t)token * experts + e] : NEGATIVE_INFINITY;
    score[i] = p[i];
    largest = p[i] > largest ? p[i] : largest;
  }
  largest = warp_max(largest);
#pragma unroll
  for (int i = 0; i < HELD; i++) {
    if (use_sigmoid) {
      const int e = lane + 32 * i;
      p[i] = sigmoid(p[i]);
      score[i] = e < experts ? p[i] + (bias ? bias[e] : 0.0f) : NEGATIVE_INFINITY;
    } else {
      p[i] = exp2_fast((p[i] - largest) * LOG2_E);
      sum += p[i];
    }
  }
  sum = use_sigmoid ? 1.0f : warp_sum(sum);

  if (groups > 1) {
#pragma unroll
    for (int i = 0; i < HELD; i++)
      if (lane + 32 * i < experts) own[lane + 32 * i] = score[i];
    __syncwarp();
    const int size = experts / groups;
    float first = NEGATIVE_INFINITY, second = NEGATIVE_INFINITY;
    for (int i = 0; lane < groups && i < size; i++) {
      const float s = own[lane * size + i];
      if (s > first) second = first, first = s;
      else if (s > second) second = s;
    }
    float left = lane < groups ? (size > 1 ? first + second : first) : NEGATIVE_INFINITY;
    u32 in = 0;
    for (int i = 0; i < kept; i++) {
      float value = left;
      int group = lane;
      warp_argmax(value, group);
      in |= 1u << group;
      if (lane == group) left = NEGATIVE_INFINITY;
    }
#pragma unroll
    for (int i = 0; i < HELD; i++)
      if (lane + 32 * i < experts && !(in >> (lane + 32 * i) / size & 1)) score[i] = NEGATIVE_INFINITY;
  }

  float total = 0.0f, own_mix = 0.0f;  // lane i has the i-th choice
  for (int n = 0; n < top_k; n++) {
    float value = NEGATIVE_INFINITY;
    int index = EXPERTS;
#pragma unroll
    for (int i = HELD - 1; i >= 0; i--)
      if (score[i] >= value && lane + 32 * i < experts) value = score[i], index = lane + 32 * i;
    warp_argmax(value, index);
    if (index >= experts) index = n;  // nothing but NaN is left: whatever is read after this is a row that exists
    float weight = 0.0f;
#pragma unroll
    for (int i = 0; i < HELD; i++)
      if (index == lane + 32 * i) weight = p[i], score[i] = NEGATIVE_INFINITY;
    weight = __shfl_sync(ALL_LANES, weight, index & 31);
    total += weight;
    if (lane == n) {
      own_mix = weight;
      chosen[(size_t)token * top_k + n] = index;
    }
  }
  if (lane < top_k) mix[(size_t)token * top_k + lane] = scale * own_mix / (renormalise ? total : sum);
}
