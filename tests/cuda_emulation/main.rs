//! The CUDA kernels as they ship, run on the CPU.
//!
//! `kernels/*.cu` are compiled as host C++ against an emulator (`emulator/`) that runs each CUDA thread as a fiber, with
//! barriers, shuffles, tensor-core operands lane by lane, copies that happen as late as they may and memory that is poisoned
//! and guarded. Every kernel is compared with plain loops over random shapes, tails that fill no tile and states from
//! before; `mutations` shows that the comparison and the emulator see what they are there to see.

#![allow(
    clippy::unwrap_used,
    reason = "a test that unwraps nothing has failed, in its helpers too"
)]
#![allow(
    clippy::cast_possible_wrap,
    reason = "kernels count in 32 bits with a sign, and what is counted here is small"
)]

mod attention;
mod backend;
mod beside;
#[path = "../common/mod.rs"]
mod common;
mod device;
mod driver;
mod host;
mod keeping;
mod lightning;
mod mutations;
mod norm;
mod numbers;
mod pipeline;
mod products;
mod rope;
mod router;
mod sample;
mod streaming;

use device::Device;

/// A test for each check, on the kernels as they ship.
macro_rules! kernels {
    ($($test:ident: $file:literal, $check:path;)*) => {
        $(#[test]
        fn $test() {
            $check(&mut Device::shipped($file)).unwrap();
        })*
    };
}

kernels! {
    norms: "norm", norm::check;
    lightning_attention: "lightning", lightning::check;
    lightning_decode_step: "lightning_decode", lightning::check_decode;
    rotary_embedding_and_cache: "rope", rope::check;
    router_choices: "router", router::check;
    products_of_few_rows: "gemv", products::check_few;
    heads: "gemv", products::check_heads;
    experts_of_few_rows: "gemv", products::check_experts_of_few;
    products_of_many_rows: "gemm", products::check_many;
    experts_of_many_rows: "gemm", products::check_experts_of_many;
    embeddings: "embed", products::check_embeddings;
    attention_of_tiles: "attention", attention::check;
    attention_of_tokens: "attention_decode", attention::check_decode;
    attention_in_f32: "attention_f32", attention::check_exact;
    next_tokens: "sample", sample::check;
    slots_sorted_by_expert: "permute", router::check_permutation;
}
