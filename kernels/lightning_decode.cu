// One token of lightning attention, from the projections to what the output projection reads:
//
//   q, k, v = SiLU(projected)      S ← λ·S + kᵀ·v      o = q·S      y = σ(gate) ⊙ RMSNorm(o) ⊙ weight
//
// The state is what there is to read and write: 8·d² bytes a head (M1: 8.4 MB a layer, 2.5 µs on an H100). Everything else
// is fused so that a layer is one launch. The norm is over heads, which lie in different blocks: the block that finishes
// last, which a counter tells, does it.
//
// Grid (heads, ⌈d / 32⌉), 8 warps: a block has 32 value channels, a warp every eighth group of four key channels, a lane one
// key channel and four value channels, so that a warp reads four runs of 128 bytes and S passes through registers once.
#include "prelude.cuh"

namespace {

constexpr int THREADS = 256;
constexpr int WARPS = THREADS / 32;

__device__ __forceinline__ float activate(float x, int silu_first) { return silu_first ? silu(x) : x; }

}  // namespace

extern "C" __global__ void __launch_bounds__(THREADS) lightning_decode(
    const float* __restrict__ q, const float* __restrict__ k, const float* __restrict__ v, int head_stride,
    const float* __restrict__ gate,    // [heads, d], before σ
    const float* __restrict__ weight,  // [heads, d], of the norm
    const float* __restrict__ slopes,  // [heads]
    const float* __restrict__ state,   // [heads, d, d]
    float* __restrict__ next,          // [heads, d, d], another buffer: states are transactional
    float* o,                          // [heads, d]: between the blocks
    u32* finished,                     // blocks that are done; zero before, and again after
    float* __restrict__ y,             // [heads, d]
    float q_scale, int silu_first, int groups, float eps, int d) {
  SHARED(float4, sums, WARPS * 8);
  SHARED(float, scratch, 32);
  SHARED(u32, last, 1);
  const int head = blockIdx.x, warp = threadIdx.x >> 5, lane = threadIdx.x & 31;
  const int value0 = blockIdx.y * 32, value = value0 + (lane & 7) * 4;
  const float lambda = exp2_fast(-slopes[head] * LOG2_E);
  const float *hq = q + (size_t)head * head_stride, *hk = k + (size_t)head * head_stride, *hv = v + (size_t)head * head_stride;

  float4 sum = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
  if (value < d) {
    const float4 raw = *reinterpret_cast<const float4*>(hv + value);
    const float v0 = activate(raw.x, silu_first), v1 = activate(raw.y, silu_first);
    const float v2 = activate(raw.z, silu_first), v3 = activate(raw.w, silu_first);
#pragma unroll 4
    for (int key = warp * 4 + (lane >> 3); key < d; key += WARPS * 4) {
      const size_t here = ((size_t)head * d + key) * d + value;
      float4 s = *reinterpret_cast<const float4*>(state + here);
      const float kk = activate(hk[key], silu_first), qk = activate(hq[key], silu_first) * q_scale;
      s = make_float4(lambda * s.x + kk * v0, lambda * s.y + kk * v1, lambda * s.z + kk * v2, lambda * s.w + kk * v3);
      *reinterpret_cast<float4*>(next + here) = s;
      sum.x += qk * s.x, sum.y += qk * s.y, sum.z += qk * s.z, sum.w += qk * s.w;
    }
  }
#pragma unroll
  for (int bits = 8; bits <= 16; bits <<= 1) {
    sum.x += __shfl_xor_sync(ALL_LANES, sum.x, bits), sum.y += __shfl_xor_sync(ALL_LANES, sum.y, bits);
    sum.z += __shfl_xor_sync(ALL_LANES, sum.z, bits), sum.w += __shfl_xor_sync(ALL_LANES, sum.w, bits);
  }
  if (lane < 8) sums[warp * 8 + lane] = sum;
  __syncthreads();
  if (threadIdx.x < 32 && value0 + threadIdx.x < d) {
    float total = 0.0f;
    for (int w = 0; w < WARPS; w++) total += reinterpret_cast<const float*>(sums + w * 8)[threadIdx.x];
    o[(size_t)head * d + value0 + threadIdx.x] = total;
    __threadfence();  // before the count below says that it is there
  }
  __syncthreads();
  if (threadIdx.x == 0) last[0] = atomicAdd(finished, 1u) + 1 == gridDim.x * gridDim.y;
  __syncthreads();
  if (!last[0]) return;

  __threadfence();
  const volatile float* const all = o;  // written by other blocks
  const int width = gridDim.x * d / groups;
  for (int g = 0; g < groups; g++) {
    float squares = 0.0f;
    for (int i = threadIdx.x; i < width; i += THREADS) squares += all[g * width + i] * all[g * width + i];
    const float scale = rsqrtf(block_sum(squares, scratch) / (float)width + eps);
    for (int i = threadIdx.x; i < width; i += THREADS)
      y[g * width + i] = sigmoid(gate[g * width + i]) * all[g * width + i] * scale * weight[g * width + i];
    __syncthreads();  // the scratch is free again
  }
  if (threadIdx.x == 0) *finished = 0;
}
