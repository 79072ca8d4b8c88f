// Tokens sorted by expert: where each (token, choice) slot goes among the rows that the grouped products work on. The sort is
// stable, so the result does not depend on how blocks are scheduled. Rows themselves are not moved: the products gather.
//
// A span of 512 slots belongs to one warp: spans are counted, counts become places by a scan, and each span puts its slots
// there in order. Bytes: 8 a slot, and 8·experts a span.
#include "prelude.cuh"

namespace {

constexpr int THREADS = 256;
constexpr int WARPS = THREADS / 32;
constexpr int SPAN = 512;
constexpr int EXPERTS = 512;
constexpr int TILE = 128;  // rows of a tile of the grouped products

}  // namespace

// counts[span][e]: slots of the span that chose e. Grid ⌈spans / 8⌉.
extern "C" __global__ void __launch_bounds__(THREADS) count_slots(
    const int* __restrict__ chosen,  // [slots]
    int* __restrict__ counts,        // [spans, experts]
    int slots, int experts) {
  SHARED(int, histograms, WARPS * EXPERTS);
  const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, span = blockIdx.x * WARPS + warp;
  int* const own = histograms + warp * EXPERTS;
  for (int e = lane; e < experts; e += 32) own[e] = 0;
  __syncwarp();
  for (int i = 0; i < SPAN; i += 32) {
    const int slot = span * SPAN + i + lane, e = slot < slots ? chosen[slot] : -1;
    const u32 same = __match_any_sync(ALL_LANES, e);
    if (e >= 0 && lane == __ffs(same) - 1) own[e] += __popc(same);
    __syncwarp();
  }
  if (span * SPAN >= slots) return;
  for (int e = lane; e < experts; e += 32) counts[(size_t)span * experts + e] = own[e];
}

// Makes of the counts the place of each span's first slot of each expert, and the tiles of the grouped products: tile t has
// rows tile_first[t] … of expert tile_expert[t], which is -1 past the last; offsets[experts] is the number of slots. One block
// of 512 threads, a thread an expert.
extern "C" __global__ void __launch_bounds__(EXPERTS) scan_slots(
    int* __restrict__ counts,   // [spans, experts]
    int* __restrict__ offsets,  // [experts + 1]
    int* __restrict__ tile_expert, int* __restrict__ tile_first, int max_tiles, int spans, int experts) {
  SHARED(int, warp_rows, EXPERTS / 32);
  SHARED(int, warp_tiles, EXPERTS / 32);
  const int e = threadIdx.x, lane = e & 31, warp = e >> 5;
  int total = 0;
#pragma unroll 4
  for (int s = 0; s < spans && e < experts; s++) {
    const int count = counts[(size_t)s * experts + e];
    counts[(size_t)s * experts + e] = total;
    total += count;
  }
  // Sums over the experts before this one, of rows and of tiles.
  const int own_tiles = (total + TILE - 1) / TILE;
  int rows = total, tiles = own_tiles;
#pragma unroll
  for (int step = 1; step < 32; step <<= 1) {
    const int r = __shfl_up_sync(ALL_LANES, rows, step), t = __shfl_up_sync(ALL_LANES, tiles, step);
    if (lane >= step) rows += r, tiles += t;
  }
  if (lane == 31) warp_rows[warp] = rows, warp_tiles[warp] = tiles;
  __syncthreads();
  for (int w = 0; w < warp; w++) rows += warp_rows[w], tiles += warp_tiles[w];
  const int first = rows - total, tile0 = tiles - own_tiles;
  if (e < experts) {
    offsets[e] = first;
    if (e == experts - 1) offsets[experts] = rows;
    for (int i = 0; i < own_tiles; i++) tile_expert[tile0 + i] = e, tile_first[tile0 + i] = first + i * TILE;
    for (int s = 0; s < spans; s++) counts[(size_t)s * experts + e] += first;
  }
  int all_tiles = 0;
  for (int w = 0; w < EXPERTS / 32; w++) all_tiles += warp_tiles[w];
  for (int t = all_tiles + e; t < max_tiles; t += EXPERTS) tile_expert[t] = -1;
}

// places[slot]: the row of a slot; row_tokens[row]: its token. Grid as count_slots.
extern "C" __global__ void __launch_bounds__(THREADS) place_slots(
    const int* __restrict__ chosen,  // [slots]
    const int* __restrict__ counts,  // [spans, experts], scanned
    int* __restrict__ places,        // [slots]
    int* __restrict__ row_tokens,    // [slots]
    int slots, int experts, int top_k) {
  SHARED(int, next_places, WARPS * EXPERTS);
  const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, span = blockIdx.x * WARPS + warp;
  if (span * SPAN >= slots) return;  // a whole warp; there is no barrier below
  int* const own = next_places + warp * EXPERTS;
  for (int e = lane; e < experts; e += 32) own[e] = counts[(size_t)span * experts + e];
  __syncwarp();
  for (int i = 0; i < SPAN; i += 32) {
    const int slot = span * SPAN + i + lane, e = slot < slots ? chosen[slot] : -1;
    const u32 same = __match_any_sync(ALL_LANES, e);
    const int rank = __popc(same & ((1u << lane) - 1));
    int place = 0;
    if (e >= 0) place = own[e] + rank;
    __syncwarp();
    if (e >= 0 && rank == 0) own[e] = place + __popc(same);
    __syncwarp();
    if (e >= 0) {
      places[slot] = place;
      row_tokens[place] = slot / top_k;
    }
  }
}
