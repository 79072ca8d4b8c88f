// Products of many rows on the tensor cores: y = x·Wᵀ with x in bf16 and W in bf16 or quantised, dense or a group of rows for
// each expert. Sums are f32. (W in f32 is rounded like a quantised one: a checkpoint in f32 is for tests.)
//
// A block makes 128 rows × 128 outputs in steps of 32 channels, 8 warps of 64 × 32 each (64 sums a thread). x and W in bf16
// come by cp.async in three stages: two steps are on their way while one is multiplied, one barrier a step. Quantised W comes
// through registers instead: the run of 16 weights that a thread fetched during the step before is widened and stored for
// the next, and the one after that is fetched, so that memory is waited for by nobody. 16 KiB a stage, swizzled: 48 KiB, two
// blocks on every card. Per step and warp 12 ldmatrix feed 32 mma.
//
// Bound: with R rows that share W, 2·R FLOP meet each weight: past about 300 rows (H100: 989 TFLOP/s over 3.35 TB/s, W in
// bf16) the tensor cores are the limit. Blocks that follow each other share W (gridDim.x counts rows), so W is read from
// memory once for all of them.
#include "weights.cuh"

namespace {

constexpr int THREADS = 256;
constexpr int ROWS = 128;
constexpr int OUTPUTS = 128;
constexpr int STEP = 32;
constexpr int PIECES = STEP / 8;
constexpr int STAGES = 3;
constexpr int STAGE = (ROWS + OUTPUTS) * STEP;

enum class Result { f32, bf16, silu, gated };

// The rows of a block: `count` from `first` on. Row r reads row tokens[r] of x if there is such a table, else row r.
struct Rows {
  const int* tokens;
  int first, count;
};

// Which row of W is row `row` of the tile. Of gated products a warp has 16 rows of W_gate and the same 16 of W_up beside
// them, so that a thread holds both factors of a result.
template <Result RESULT>
__device__ __forceinline__ const u8* weight_row(const u8* w, const u8* up, int row, int first, int outputs, size_t row_bytes) {
  if (RESULT == Result::gated) {
    const int output = first + row / 32 * 16 + row % 16;
    return (row % 32 < 16 ? w : up) + min(output, outputs - 1) * row_bytes;
  }
  return w + min(first + row, outputs - 1) * row_bytes;
}

template <class T>
struct is_bf16 {
  static constexpr bool value = false;
};
template <>
struct is_bf16<BF16> {
  static constexpr bool value = true;
};

__device__ __forceinline__ bf16* piece(bf16* tile, int row, int at) { return tile + swizzled<PIECES>(row, at) * 8; }

template <class Weight, Result RESULT>
__device__ __forceinline__ void gemm(const u8* w, const u8* up, const bf16* x, void* y, const Rows& rows, int outputs, int width) {
  constexpr bool DIRECT = is_bf16<Weight>::value;
  constexpr int COLUMNS = RESULT == Result::gated ? OUTPUTS / 2 : OUTPUTS;  // of y a block
  SHARED_DYNAMIC(bf16, shared);
  const int warp = threadIdx.x >> 5, lane = threadIdx.x & 31, steps = (width + STEP - 1) / STEP;
  const int output0 = blockIdx.y * COLUMNS;

  // What this thread copies of each step: a piece of two rows of x and, of W in bf16, of two rows of W.
  const int copied = threadIdx.x & 3, row = threadIdx.x >> 2;
  const bf16* x_rows[2];
  bool valid[2];
  const u8* w_rows[2];
#pragma unroll
  for (int i = 0; i < 2; i++) {
    const int r = row + 64 * i;
    valid[i] = r < rows.count;
    const int place = rows.first + (valid[i] ? r : 0);
    x_rows[i] = x + (size_t)(rows.tokens ? rows.tokens[place] : place) * width;
    if (DIRECT) w_rows[i] = weight_row<RESULT>(w, up, r, output0, outputs, Weight::row_bytes(width));
  }
  auto fetch = [&](int step) {
    if (step < steps) {
      bf16 *const sx = shared + step % STAGES * STAGE, *const sw = sx + ROWS * STEP;
      const int channel = step * STEP + copied * 8;
      const bool inside = channel < width;
#pragma unroll
      for (int i = 0; i < 2; i++) {
        copy_async(piece(sx, row + 64 * i, copied), x_rows[i] + (inside ? channel : 0), valid[i] && inside);
        if (DIRECT) copy_async(piece(sw, row + 64 * i, copied), w_rows[i] + (inside ? channel : 0) * 2, inside);
      }
    }
    copy_async_commit();
  };
  // What it widens of each step: a run of a row of W.
  const int own_row = threadIdx.x >> 1, own_run = threadIdx.x & 1;
  const u8* const own = weight_row<RESULT>(w, up, own_row, output0, outputs, Weight::row_bytes(width));
  typename Weight::Run raw;
  auto load = [&](int step) {
    if (!DIRECT && step < steps) raw = Weight::load(own, min(step * 2 + own_run, runs_of(width) - 1), width);
  };
  auto store = [&](int step) {
    if (DIRECT || step >= steps) return;
    bf16* const sw = shared + step % STAGES * STAGE + ROWS * STEP;
    float v[16];
    Weight::widen_run(raw, v);
#pragma unroll
    for (int i = 0; i < 2; i++)
      *reinterpret_cast<uint4*>(piece(sw, own_row, own_run * 2 + i)) =
          make_uint4(narrow_pair(v[8 * i], v[8 * i + 1]), narrow_pair(v[8 * i + 2], v[8 * i + 3]),
                     narrow_pair(v[8 * i + 4], v[8 * i + 5]), narrow_pair(v[8 * i + 6], v[8 * i + 7]));
  };

  const int row0 = (warp & 1) * 64, column0 = (warp >> 1) * 32;
  float sums[4][4][4] = {};
  fetch(0);
  load(0);
  fetch(1);
  store(0);
  load(1);
  for (int step = 0; step < steps; step++) {
    copy_async_wait<STAGES - 2>();
    __syncthreads();  // this step is there, and the stage of the one before is free
    fetch(step + 2);
    store(step + 1);
    load(step + 2);
    bf16 *const sx = shared + step % STAGES * STAGE, *const sw = sx + ROWS * STEP;
#pragma unroll
    for (int k = 0; k < PIECES; k += 2) {
      u32 b[2][4];
#pragma unroll
      for (int n = 0; n < 2; n++)
        load_matrices(b[n], piece(sw, column0 + n * 16 + (lane & 7) + (lane >> 4) * 8, k + (lane >> 3 & 1)));
#pragma unroll
      for (int m = 0; m < 4; m++) {
        u32 a[4];
        load_matrices(a, piece(sx, row0 + m * 16 + (lane & 15), k + (lane >> 4)));
#pragma unroll
        for (int n = 0; n < 4; n++) mma(sums[m][n], a, b[n / 2][n % 2 * 2], b[n / 2][n % 2 * 2 + 1]);
      }
    }
  }
  copy_async_wait<0>();

  // Tiles of 8 results a warp; of gated ones the other factor lies that many tiles on.
  constexpr int TILES = RESULT == Result::gated ? 2 : 4;
  constexpr int UP = RESULT == Result::gated ? TILES : 0;
#pragma unroll
  for (int m = 0; m < 4; m++)
#pragma unroll
    for (int half = 0; half < 2; half++) {
      const int r = row0 + m * 16 + half * 8 + (lane >> 2);
      if (r >= rows.count) continue;
#pragma unroll
      for (int n = 0; n < TILES; n++) {
        const int column = output0 + column0 * COLUMNS / OUTPUTS + n * 8 + (lane & 3) * 2;
        float low = sums[m][n][2 * half], high = sums[m][n][2 * half + 1];
        if (RESULT == Result::silu) low = silu(low), high = silu(high);
        if (RESULT == Result::gated) {
          low = silu(low) * sums[m][n + UP][2 * half];
          high = silu(high) * sums[m][n + UP][2 * half + 1];
        }
        const size_t at = (size_t)(rows.first + r) * outputs + column;
        if (column >= outputs) continue;
        if (RESULT == Result::f32) *reinterpret_cast<float2*>(static_cast<float*>(y) + at) = make_float2(low, high);
        else *reinterpret_cast<u32*>(static_cast<bf16*>(y) + at) = narrow_pair(low, high);
      }
    }
}

// The rows of tile blockIdx.x of the grouped products (see permute.cu), or none.
__device__ __forceinline__ bool rows_of_tile(Rows& rows, int& expert, const int* tile_expert, const int* tile_first,
                                             const int* offsets, const int* tokens) {
  expert = tile_expert[blockIdx.x];
  if (expert < 0) return false;
  const int first = tile_first[blockIdx.x];
  rows = Rows{tokens, first, min(ROWS, offsets[expert + 1] - first)};
  return true;
}

}  // namespace

// x [rows, width], w [outputs, width], y [rows, outputs]; outputs even, width a multiple of 8 and of a block. Grid (⌈rows / 128⌉, ⌈outputs / 128⌉), 48 KiB of shared memory.
#define GEMM(name, Weight, RESULT, T)                                                                                        \
  extern "C" __global__ void __launch_bounds__(THREADS, 2)                                                                   \
      name(const u8* __restrict__ w, const bf16* __restrict__ x, T* __restrict__ y, int rows, int outputs, int width) {      \
    const int first = blockIdx.x * ROWS;                                                                                     \
    gemm<Weight, Result::RESULT>(w, w, x, y, Rows{nullptr, first, min(ROWS, rows - first)}, outputs, width);                 \
  }
// For the residual, as projections, and with SiLU.
GEMM(gemm_f32_f32, F32, f32, float)
GEMM(gemm_f32_bf16, F32, bf16, bf16)
GEMM(gemm_f32_silu, F32, silu, bf16)
GEMM(gemm_bf16_f32, BF16, f32, float)
GEMM(gemm_bf16_bf16, BF16, bf16, bf16)
GEMM(gemm_bf16_silu, BF16, silu, bf16)
GEMM(gemm_q8_0_f32, Q8_0, f32, float)
GEMM(gemm_q8_0_bf16, Q8_0, bf16, bf16)
GEMM(gemm_q8_0_silu, Q8_0, silu, bf16)
GEMM(gemm_q4_k_f32, Q4_K, f32, float)
GEMM(gemm_q4_k_bf16, Q4_K, bf16, bf16)
GEMM(gemm_q4_k_silu, Q4_K, silu, bf16)
GEMM(gemm_q6_k_f32, Q6_K, f32, float)
GEMM(gemm_q6_k_bf16, Q6_K, bf16, bf16)
GEMM(gemm_q6_k_silu, Q6_K, silu, bf16)

// Grouped by expert, over the tiles of permute.cu, weights found through a table of pointers, one an expert.
//
// experts_up: y[row] = SiLU(W_gate·x) ⊙ (W_up·x) of x[row_tokens[row]]; grid (tiles, ⌈inner / 64⌉).
// experts_down: y[row] = W_down·x[row], f32, for residual_norm to mix; grid (tiles, ⌈outputs / 128⌉).
#define EXPERTS(up_name, down_name, Weight)                                                                                  \
  extern "C" __global__ void __launch_bounds__(THREADS, 2)                                                                   \
      up_name(const u8* const* __restrict__ gates, const u8* const* __restrict__ ups, const bf16* __restrict__ x,            \
              const int* __restrict__ row_tokens, bf16* __restrict__ y, const int* __restrict__ tile_expert,                 \
              const int* __restrict__ tile_first, const int* __restrict__ offsets, int inner, int width) {                   \
    Rows rows;                                                                                                               \
    int expert;                                                                                                              \
    if (!rows_of_tile(rows, expert, tile_expert, tile_first, offsets, row_tokens)) return;                                   \
    gemm<Weight, Result::gated>(gates[expert], ups[expert], x, y, rows, inner, width);                                       \
  }                                                                                                                          \
  extern "C" __global__ void __launch_bounds__(THREADS, 2)                                                                   \
      down_name(const u8* const* __restrict__ downs, const bf16* __restrict__ x, float* __restrict__ y,                      \
                const int* __restrict__ tile_expert, const int* __restrict__ tile_first, const int* __restrict__ offsets,    \
                int outputs, int inner) {                                                                                    \
    Rows rows;                                                                                                               \
    int expert;                                                                                                              \
    if (!rows_of_tile(rows, expert, tile_expert, tile_first, offsets, nullptr)) return;                                      \
    gemm<Weight, Result::f32>(downs[expert], downs[expert], x, y, rows, outputs, inner);                                     \
  }
EXPERTS(experts_up_f32, experts_down_f32, F32)
EXPERTS(experts_up_bf16, experts_down_bf16, BF16)
EXPERTS(experts_up_q8_0, experts_down_q8_0, Q8_0)
EXPERTS(experts_up_q4_k, experts_down_q4_k, Q4_K)
EXPERTS(experts_up_q6_k, experts_down_q6_k, Q6_K)
