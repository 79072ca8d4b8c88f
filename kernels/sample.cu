// The next token from its logits, on the device, so that a decode step ends in 12 bytes for the host:
//
//   p = softmax(logits)                              over the whole vocabulary, for the log-probability and the entropy
//   candidates: ids that are not banned, weight e^{(x - x_best)/temperature}, in descending order, of equal ones the lower id
//   first; the first top_k of them; of these the first that together weigh at least top_p of all; of these those that weigh
//   at least min_p of the best. The id is where `uniform` of their weight lies.  Temperature 0: the first candidate.
//
// One block; logits are read three times (200,000 of them, 0.8 MB, from the second-level cache: about 20 µs). There is no sort:
// a candidate is a 64-bit key, its logit in an order of bits above the complement of its id, so that keys are all different; a
// bound is found by a descent through the key's eight bytes with a histogram each. Weights are summed as integers (2^40 for the
// best), which makes the choice the same in whatever order threads run. A candidate that weighs less than 2^-41 is none.
#include "prelude.cuh"

namespace {

constexpr int THREADS = 1024;
constexpr int BINS = 256;
constexpr float UNIT = 1099511627776.0f;  // 2^40

// Bits of a float that compare as the float does.
__device__ __forceinline__ u32 ordered(float x) {
  const u32 bits = __float_as_uint(x);
  return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}
__device__ __forceinline__ float unordered(u32 bits) {
  return __uint_as_float(bits & 0x80000000u ? bits & 0x7fffffffu : ~bits);
}

__device__ __forceinline__ u64 key_of(float x, int id) { return (u64)ordered(x) << 32 | (u32)~id; }
__device__ __forceinline__ float logit_of(u64 key) { return unordered((u32)(key >> 32)); }
__device__ __forceinline__ int id_of(u64 key) { return (int)~(u32)key; }

// What a candidate weighs, in units.
struct Weights {
  float best, rate;  // the largest logit of a candidate, log2 e / temperature
  __device__ __forceinline__ u64 operator()(float x) const { return (u64)(exp2_fast((x - best) * rate) * UNIT + 0.5f); }
};

// Shared by the block.
struct Histogram {
  u64 mass[BINS];
  u32 count[BINS];
  u64 passed;  // counts or masses above the prefix
  u64 prefix;
};

// The key at which what lies above and at it, counted or weighed, first reaches `target`, among the keys that are at least
// `bound` and weigh at least `least`. The target is at least 1 and at most their sum.
template <bool WEIGHED>
__device__ __forceinline__ u64 descend(Histogram& h, const u64* keys, u32 count, const Weights& weigh, u64 bound, u64 least, u64 target) {
  if (threadIdx.x == 0) h.passed = 0, h.prefix = 0;
  for (int shift = 56; shift >= 0; shift -= 8) {
    if (threadIdx.x < BINS) h.mass[threadIdx.x] = 0;
    __syncthreads();
    const u64 prefix = h.prefix;
    for (u32 i = threadIdx.x; i < count; i += THREADS) {
      const u64 key = keys[i];
      if (key < bound || (shift < 56 && key >> (shift + 8) != prefix >> (shift + 8))) continue;
      const u64 mass = weigh(logit_of(key));
      if (mass >= least) atomicAdd(&h.mass[key >> shift & 255], WEIGHED ? mass : (u64)1);
    }
    __syncthreads();
    if (threadIdx.x < 32) {
      // Lane l has the bins 255 - 8l and the seven below; sums of all above by a scan.
      const int top = BINS - 1 - 8 * (int)threadIdx.x;
      u64 own = 0;
      for (int i = 0; i < 8; i++) own += h.mass[top - i];
      u64 above = own;
      for (int step = 1; step < 32; step <<= 1) {
        const u64 other = __shfl_up_sync(ALL_LANES, above, step);
        if ((int)threadIdx.x >= step) above += other;
      }
      above += h.passed - own;
      __syncwarp();
      if (above < target && above + own >= target) {
        int bin = top;
        for (; above + h.mass[bin] < target; bin--) above += h.mass[bin];
        h.passed = above;
        h.prefix = prefix | (u64)bin << shift;
      }
    }
    __syncthreads();
  }
  const u64 found = h.prefix;
  __syncthreads();  // read by all before the next descent begins
  return found;
}

// The weight of the keys that are at least `bound` and weigh at least `least`.
__device__ __forceinline__ u64 total_mass(Histogram& h, const u64* keys, u32 count, const Weights& weigh, u64 bound, u64 least) {
  if (threadIdx.x == 0) h.passed = 0;
  __syncthreads();
  u64 sum = 0;
  for (u32 i = threadIdx.x; i < count; i += THREADS)
    if (keys[i] >= bound) {
      const u64 mass = weigh(logit_of(keys[i]));
      if (mass >= least) sum += mass;
    }
  for (int bits = 16; bits; bits >>= 1) sum += __shfl_xor_sync(ALL_LANES, sum, bits);
  if ((threadIdx.x & 31) == 0 && sum) atomicAdd(&h.passed, sum);
  __syncthreads();
  sum = h.passed;
  __syncthreads();
  return sum;
}

}  // namespace

// `banned`: a bit for each id, or null. `keys` [vocab] is for the kernel's use. chosen: the id, or -1 if a logit is not a
// number, or none can be chosen; numbers: ln p of the id before any filter, and the entropy of p in nats. top_k 0: no limit.
extern "C" __global__ void __launch_bounds__(THREADS) sample(
    const float* __restrict__ logits, const u32* __restrict__ banned, u64* keys, int* __restrict__ chosen,
    float* __restrict__ numbers, float temperature, int top_k, float top_p, float min_p, double uniform, int vocab) {
  SHARED(Histogram, histogram, 1);
  SHARED(float, scratch, 32);
  SHARED(u64, best_key, 1);
  SHARED(u32, counter, 2);  // candidates, and whether something is not a number
  Histogram& h = histogram[0];
  const int lane = threadIdx.x & 31;
  if (threadIdx.x == 0) best_key[0] = 0, counter[0] = 0, counter[1] = 0, h.prefix = 0;
  __syncthreads();

  // The largest of all, and the best that may be chosen.
  u64 largest_key = 0, best = 0;
  bool bad = false;
#pragma unroll 4
  for (int id = threadIdx.x; id < vocab; id += THREADS) {
    const float x = logits[id];
    bad |= !(x < -NEGATIVE_INFINITY);  // NaN or ∞
    const u64 key = key_of(x, id);
    largest_key = key > largest_key ? key : largest_key;
    const bool allowed = x > NEGATIVE_INFINITY && !(banned && banned[id >> 5] >> (id & 31) & 1);
    if (allowed && key > best) best = key;
  }
  for (int bits = 16; bits; bits >>= 1) {
    const u64 a = __shfl_xor_sync(ALL_LANES, largest_key, bits), b = __shfl_xor_sync(ALL_LANES, best, bits);
    largest_key = a > largest_key ? a : largest_key;
    best = b > best ? b : best;
  }
  if (lane == 0) atomicMax(&h.prefix, largest_key), atomicMax(best_key, best);
  if (bad) counter[1] = 1;
  __syncthreads();
  const float largest = logit_of(h.prefix);
  best = best_key[0];
  if (counter[1] || best == 0) {
    if (threadIdx.x == 0) chosen[0] = -1;
    return;
  }

  // Σ e^x and Σ x·e^x, x less the largest, and the candidates, in no order.
  const Weights weigh{logit_of(best), temperature > 0.0f ? LOG2_E / temperature : 0.0f};
  float sum = 0.0f, weighted = 0.0f;
  for (int id0 = 0; id0 < vocab; id0 += THREADS) {
    const int id = id0 + threadIdx.x;
    const float x = id < vocab ? logits[id] : NEGATIVE_INFINITY;
    const float e = exp2_fast((x - largest) * LOG2_E);
    sum += e;
    if (e > 0.0f) weighted += e * (x - largest);
    const bool allowed = temperature > 0.0f && x > NEGATIVE_INFINITY && !(banned && banned[id >> 5] >> (id & 31) & 1);
    const bool candidate = allowed && weigh(x) > 0;
    const u32 lanes = __ballot_sync(ALL_LANES, candidate);
    u32 first = 0;
    if (lane == 0 && lanes) first = atomicAdd(&counter[0], (u32)__popc(lanes));
    first = __shfl_sync(ALL_LANES, first, 0);
    if (candidate) keys[first + __popc(lanes & ((1u << lane) - 1))] = key_of(x, id);
  }
  sum = block_sum(sum, scratch);
  __syncthreads();
  weighted = block_sum(weighted, scratch);

  u64 choice = best;
  if (temperature > 0.0f) {
    const u32 count = counter[0];
    u64 bound = 0;
    if (top_k > 0 && (u32)top_k < count) bound = descend<false>(h, keys, count, weigh, bound, 1, (u64)top_k);
    if (top_p < 1.0f) {
      const double all = (double)total_mass(h, keys, count, weigh, bound, 1);
      const u64 target = (u64)ceil((double)top_p * all);
      bound = descend<true>(h, keys, count, weigh, bound, 1, target > 1 ? target : 1);
    }
    const float fraction = min_p < 1.0f ? min_p : 1.0f;
    const u64 least = fraction > 0.0f ? (u64)ceilf(fraction * UNIT) : 1;
    const u64 kept = total_mass(h, keys, count, weigh, bound, least);
    const u64 target = (u64)(uniform * (double)kept) + 1;
    choice = descend<true>(h, keys, count, weigh, bound, least, target < kept ? target : kept);
  }
  if (threadIdx.x == 0) {
    const float log_sum = __logf(sum);
    chosen[0] = id_of(choice);
    numbers[0] = logit_of(choice) - largest - log_sum;
    const float entropy = log_sum - weighted / sum;
    numbers[1] = entropy > 0.0f ? entropy : 0.0f;
  }
}
