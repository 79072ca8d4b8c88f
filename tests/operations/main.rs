//! Every implementation of the operations against the reference, and the reference against loops in f64.
//!
//! The suite is written once, over [`thunderhead::compute::Backend`]: shapes are random and rarely multiples of anything,
//! weights come in every storage type, tiles begin in the middle of a sequence. An implementation joins with one line.

#![allow(
    clippy::unwrap_used,
    reason = "a test that unwraps nothing has failed, in its helpers too"
)]

mod case;
mod gradients;
mod scalar;
mod slopes;
mod suite;

use thunderhead::compute::cpu::{Cpu, Isa, KvType};
use thunderhead::compute::reference::Reference;

use scalar::Scalar;

/// The suite for one implementation: against the reference, or against another oracle.
macro_rules! suite {
    ($name:ident, $backend:expr) => {
        suite!($name, $backend, Reference);
    };
    ($name:ident, $backend:expr, $oracle:expr) => {
        mod $name {
            #[allow(clippy::wildcard_imports)]
            use super::*;

            suite!(@against $backend, $oracle, [
                mixers_agree
                moe_agrees
                rows_agree
            ]);
            suite!(@alone $backend, [
                tiles_do_not_matter
                decode_continues_prefill
                unread_outputs_change_nothing
                a_part_of_a_tile_is_a_tile_of_that_part
                a_copied_state_stays
                a_truncated_cache_forgets
                equal_experts_in_order
                channels_past_the_rotary_ones_have_no_position
                interrupted_at_once
                interrupted_midway
            ]);
        }
    };
    (@against $backend:expr, $oracle:expr, [$($test:ident)*]) => {
        $(#[test]
        fn $test() {
            suite::$test(&$backend, &$oracle);
        })*
    };
    (@alone $backend:expr, [$($test:ident)*]) => {
        $(#[test]
        fn $test() {
            suite::$test(&$backend);
        })*
    };
}

suite!(reference, Reference, Scalar);
suite!(cpu, cpu(Isa::detect()));
#[cfg(target_arch = "x86_64")]
suite!(cpu_avx2, cpu(Isa::Avx2));
suite!(cpu_portable, cpu(Isa::Portable));

/// Keys and values as exact as everything else.
fn cpu(isa: Isa) -> Cpu {
    Cpu::new(2).unwrap().with_isa(isa).with_kv_cache(KvType::F32)
}
