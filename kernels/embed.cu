// Embedding: x[t] = row ids[t] of the table, widened. A block a token; the bytes of a row read and 4 written a channel.
#include "weights.cuh"

namespace {

constexpr int THREADS = 128;

template <class Weight>
__device__ __forceinline__ void embed(const u8* table, const int* ids, float* x, int width) {
  const u8* row = table + ids[blockIdx.x] * Weight::row_bytes(width);
  float4* out = reinterpret_cast<float4*>(x + (size_t)blockIdx.x * width);
  for (int run = threadIdx.x; run < runs_of(width); run += THREADS) {
    float w[16];
    Weight::widen_run(Weight::load(row, run, width), w);
#pragma unroll
    for (int i = 0; i < 4; i++)
      if (run * 4 + i < width / 4) out[run * 4 + i] = make_float4(w[4 * i], w[4 * i + 1], w[4 * i + 2], w[4 * i + 3]);
  }
}

}  // namespace

// table [vocab, width], ids [tokens], x [tokens, width]; width a multiple of 8 and of a block.
#define EMBED(name, Weight)                                                                                     \
  extern "C" __global__ void __launch_bounds__(THREADS)                                                         \
      name(const u8* __restrict__ table, const int* __restrict__ ids, float* __restrict__ x, int width) {       \
    embed<Weight>(table, ids, x, width);                                                                        \
  }
EMBED(embed_f32, F32)
EMBED(embed_bf16, BF16)
EMBED(embed_q8_0, Q8_0)
EMBED(embed_q4_k, Q4_K)
EMBED(embed_q6_k, Q6_K)
