//! Kernels with one thing broken: each must be caught by the check that the whole kernel passes, as a wrong number, or by
//! the emulator as an access, a barrier or a copy that breaks a rule.

use crate::device::Device;
use crate::{attention, lightning, norm, products, rope, router, sample};

/// A test for each: in `kernels/{file}.cu` the first text is replaced by the second, and the check must fail.
macro_rules! caught {
    ($($test:ident: $file:literal, $check:path, $from:literal => $to:literal;)*) => {
        $(#[test]
        fn $test() {
            let outcome = $check(&mut Device::mutated($file, $from, $to));
            assert!(outcome.is_err(), "nothing notices that in {}.cu {:?} has become {:?}", $file, $from, $to);
        })*
    };
}

// Barriers and waits.
caught! {
    lightning_reads_tokens_before_the_barrier: "lightning", lightning::check,
        "    __syncthreads();  // the tokens and S are there" => "    //";
    lightning_writes_scores_over_queries: "lightning", lightning::check,
        "      __syncthreads();  // q has been read" => "      //";
    lightning_reads_scores_before_they_are_there: "lightning", lightning::check,
        "      __syncthreads();  // P is there" => "      //";
    lightning_does_not_wait_for_copies: "lightning", lightning::check,
        "copy_async_wait<0>();" => "copy_async_wait<1>();";
    lightning_outputs_leave_before_they_are_written: "lightning", lightning::check,
        "      __syncwarp();\n" => "";
    decode_sums_heads_before_they_are_there: "lightning_decode", lightning::check_decode,
        "  if (lane < 8) sums[warp * 8 + lane] = sum;\n  __syncthreads();" => "  if (lane < 8) sums[warp * 8 + lane] = sum;";
    decode_ends_before_all_blocks_have: "lightning_decode", lightning::check_decode,
        "== gridDim.x * gridDim.y" => "== gridDim.x * gridDim.y - 1";
    products_do_not_wait_for_copies: "gemm", products::check_many,
        "copy_async_wait<STAGES - 2>();" => "copy_async_wait<STAGES - 1>();";
    products_overwrite_what_is_read: "gemm", products::check_many,
        "    __syncthreads();  // this step is there" => "    //";
    attention_reads_keys_before_the_barrier: "attention", attention::check,
        "    __syncthreads();  // these keys are there" => "    //";
    attention_outputs_leave_before_they_are_written: "attention", attention::check,
        "  __syncwarp();\n" => "";
    long_attention_does_not_wait_for_copies: "attention_decode", attention::check_decode,
        "copy_async_wait<1>();" => "copy_async_wait<2>();";
    long_attention_reads_other_lanes_copies: "attention_decode", attention::check_decode,
        "    __syncwarp();  // the lanes' copies are there" => "    //";
    long_attention_widens_over_what_is_read: "attention_decode", attention::check_decode,
        "[lane + 32 * i];\n    __syncwarp();" => "[lane + 32 * i];";
    long_attention_merges_too_early: "attention_decode", attention::check_decode,
        "  __syncthreads();\n  for (int i = threadIdx.x; i < ROWS * D" => "  for (int i = threadIdx.x; i < ROWS * D";
    exact_attention_merges_too_early: "attention_f32", attention::check_exact,
        "  __syncthreads();\n" => "";
    router_multiplies_too_early: "router", router::check,
        "    __syncthreads();\n#pragma unroll\n    for (int k" => "#pragma unroll\n    for (int k";
    rope_reads_turns_too_early: "rope", rope::check,
        "  __syncthreads();\n  const int channel" => "  const int channel";
    slots_counted_while_ranked: "permute", router::check_permutation,
        "    __syncwarp();\n    if (e >= 0 && rank == 0)" => "    if (e >= 0 && rank == 0)";
    histogram_read_while_written: "sample", sample::check,
        "    __syncthreads();\n    if (threadIdx.x < 32) {" => "    if (threadIdx.x < 32) {";
    some_lanes_only_come_to_a_warp_barrier: "rope", rope::check,
        "  if (valid) write4(row + channel, x);\n  __syncwarp();" => "  if (valid) {\n    write4(row + channel, x);\n    __syncwarp();\n  }";
    some_warps_only_come_to_a_block_barrier: "router", router::check,
        "    __syncthreads();\n#pragma unroll\n    for (int k" => "    if (group < 4) __syncthreads();\n#pragma unroll\n    for (int k";
}

// Indices, masks and bounds.
caught! {
    a_token_does_not_see_itself: "lightning", lightning::check,
        "distance >= 0" => "distance > 0";
    decay_between_blocks_is_a_token_off: "lightning", lightning::check,
        "into[2] = {exp2_fast(-decay * (row0 + row8 + 1))" => "into[2] = {exp2_fast(-decay * (row0 + row8))";
    decay_to_the_end_of_a_block_is_a_token_off: "lightning", lightning::check,
        "const int left = n_tokens - 1 - k" => "const int left = n_tokens - k";
    the_last_chunk_is_thought_full: "lightning", lightning::check,
        "min(chunk_tokens, tokens - c * chunk_tokens)" => "chunk_tokens";
    state_of_a_narrow_head_is_written_past_it: "lightning", lightning::check,
        "if (key < d && value < d) next" => "if (key < d) next";
    fragments_are_swapped: "gemm", products::check_many,
        "b[n / 2][n % 2 * 2], b[n / 2][n % 2 * 2 + 1]" => "b[n / 2][n % 2 * 2 + 1], b[n / 2][n % 2 * 2]";
    a_row_past_the_last_is_written: "gemm", products::check_many,
        "if (r >= rows.count) continue;" => "if (r > rows.count) continue;";
    an_output_past_the_last_is_written: "gemm", products::check_many,
        "if (column >= outputs) continue;" => "if (column > outputs) continue;";
    gate_and_up_are_exchanged: "gemm", products::check_experts_of_many,
        "row % 32 < 16 ? w : up" => "row % 32 < 16 ? up : w";
    rows_of_the_next_expert_are_taken: "gemm", products::check_experts_of_many,
        "min(ROWS, offsets[expert + 1] - first)" => "ROWS";
    a_row_of_weights_past_the_last_is_read: "gemv", products::check_few,
        "min(first + r, outputs - 1)" => "(first + r)";
    the_next_key_is_seen: "attention", attention::check,
        "> first_seen + row8 + (i >> 1) * 8)" => "> first_seen + 1 + row8 + (i >> 1) * 8)";
    unwritten_keys_are_read: "attention", attention::check,
        "const int valid = length - key0;" => "const int valid = length - key0 + 1;";
    sums_are_not_scaled_when_the_maximum_grows: "attention", attention::check,
        "out[n][2 * half] *= shrink, " => "";
    drafts_see_what_comes_after_them: "attention_decode", attention::check_decode,
        "key < end && key <= seen[half]" => "key < end";
    unwritten_scales_are_read: "attention_decode", attention::check_decode,
        "if (key >= end) continue;" => "";
    a_row_is_read_past_its_end: "norm", norm::check,
        "    if (at >= pieces) continue;\n    x[i] = stream[at];" => "    x[i] = stream[at];";
    angles_in_single_precision: "rope", rope::check,
        "double angle = here * frequencies[threadIdx.x];" => "double angle = (float)here * (float)frequencies[threadIdx.x];";
    channels_past_the_rotary_ones_turn: "rope", rope::check,
        "if (c >= 2 * half) continue;" => "";
    equal_experts_in_the_wrong_order: "router", router::check,
        "other == value && at < index" => "other == value && at > index";
    groups_are_scored_by_one_expert: "router", router::check,
        "size > 1 ? first + second : first" => "first";
    a_span_forgets_the_ones_before: "permute", router::check_permutation,
        "own[e] = place + __popc(same)" => "own[e] = __popc(same)";
    equal_logits_are_one_candidate: "sample", sample::check,
        "(u64)ordered(x) << 32 | (u32)~id" => "(u64)ordered(x) << 32 | (u32)~(id & ~1)";
    banned_ids_are_chosen: "sample", sample::check,
        "const bool allowed = temperature > 0.0f && x > NEGATIVE_INFINITY && !(banned && banned[id >> 5] >> (id & 31) & 1);"
            => "const bool allowed = temperature > 0.0f && x > NEGATIVE_INFINITY;";
}
