//! Every block type: what its bytes mean, and how near quantising comes.

use proptest::prelude::*;
use serde_json::Value;

use crate::model::{Dtype, TensorView};

const QUANTISED: [Dtype; 8] = [
    Dtype::Q8_0,
    Dtype::Q4_0,
    Dtype::Q4_1,
    Dtype::Q5_0,
    Dtype::Q5_1,
    Dtype::Q4K,
    Dtype::Q5K,
    Dtype::Q6K,
];

fn widened(dtype: Dtype, bytes: &[u8]) -> Vec<f32> {
    let mut out = vec![f32::NAN; bytes.len() / dtype.block_bytes() * dtype.block()];
    dtype.widen(bytes, &mut out);
    out
}

fn narrowed(dtype: Dtype, values: &[f32]) -> Vec<u8> {
    let mut bytes = vec![0xaa; dtype.row_bytes(values.len())];
    dtype.narrow(values, &mut bytes).unwrap();
    bytes
}

fn there_and_back(dtype: Dtype, values: &[f32]) -> Vec<f32> {
    widened(dtype, &narrowed(dtype, values))
}

fn rms(a: &[f32], b: &[f32]) -> f64 {
    let squares = a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2));
    (squares.sum::<f64>() / a.len() as f64).sqrt()
}

/// One half float, little-endian.
fn half(value: f32) -> [u8; 2] {
    half::f16::from_f32(value).to_le_bytes()
}

/// Random bytes of each type with what ggml's own Python package (gguf 0.19) makes of them.
#[test]
fn blocks_mean_what_ggml_says() {
    let vectors: Value = serde_json::from_str(include_str!("vectors.json")).unwrap();
    for dtype in QUANTISED {
        let vector = &vectors[dtype.name()];
        let hex = vector["bytes"].as_str().unwrap();
        let bytes: Vec<u8> = (0..hex.len() / 2)
            .map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap())
            .collect();
        assert_eq!(bytes.len(), dtype.block_bytes());
        let expected: Vec<f32> = serde_json::from_value(vector["values"].clone()).unwrap();
        assert_eq!(widened(dtype, &bytes), expected, "{dtype:?}");
    }
}

#[test]
fn eight_bits_are_signed_multiples_of_the_scale() {
    let mut block = [0_u8; 34];
    block[..2].copy_from_slice(&half(0.5));
    block[2..6].copy_from_slice(&[1, 0xff, 127, 0x80]);
    let values = widened(Dtype::Q8_0, &block);
    assert_eq!(values[..5], [0.5, -0.5, 63.5, -64.0, 0.0]);
}

#[test]
fn low_nibbles_are_the_first_sixteen_weights() {
    let mut block = [0x88_u8; 18];
    block[..2].copy_from_slice(&half(2.0));
    block[2] = 0xf0; // weight 0 is 0 - 8, weight 16 is 15 - 8
    let values = widened(Dtype::Q4_0, &block);
    assert_eq!((values[0], values[1], values[16], values[17]), (-16.0, 0.0, 14.0, 0.0));
}

#[test]
fn a_least_value_is_added() {
    let mut block = [0_u8; 20];
    block[..2].copy_from_slice(&half(0.25));
    block[2..4].copy_from_slice(&half(-1.0));
    block[4] = 0x3f;
    let values = widened(Dtype::Q4_1, &block);
    assert_eq!((values[0], values[1], values[16]), (2.75, -1.0, -0.25));
}

#[test]
fn fifth_bits_are_in_the_order_of_the_weights() {
    let mut block = [0_u8; 24];
    block[..2].copy_from_slice(&half(1.0));
    block[4..8].copy_from_slice(&(1_u32 << 3 | 1 << 16 | 1 << 31).to_le_bytes());
    block[8] = 0x21;
    let values = widened(Dtype::Q5_1, &block);
    assert_eq!((values[0], values[3], values[16], values[31]), (1.0, 16.0, 18.0, 16.0));
    let mut without_least = [0_u8; 22];
    without_least[..2].copy_from_slice(&block[..2]);
    without_least[2..].copy_from_slice(&block[4..]);
    let values = widened(Dtype::Q5_0, &without_least);
    assert_eq!((values[0], values[1], values[3], values[16]), (-15.0, -16.0, 0.0, 2.0));
}

/// The scales of the last four groups are split over three bytes.
#[test]
fn six_bit_scales_are_put_together() {
    let mut block = [0_u8; 144];
    block[..2].copy_from_slice(&half(1.0));
    block[2..4].copy_from_slice(&half(0.5));
    block[4] = 0b10_000011; // s of group 0 is 3, upper bits of s of group 4
    block[8] = 0b01_000101; // m of group 0 is 5, upper bits of m of group 4
    block[12] = 0b0110_1001; // lower bits of s of group 4 are 9, of m 6
    block[16..].fill(0x21); // even groups are 1, odd ones 2
    let values = widened(Dtype::Q4K, &block);
    let mut expected = [0.0; 256];
    expected[..32].fill(3.0 - 2.5);
    expected[128..160].fill(41.0 - 11.0);
    assert_eq!(values, expected);
}

#[test]
fn five_bits_of_a_super_block() {
    let mut block = [0_u8; 176];
    block[..2].copy_from_slice(&half(1.0));
    block[4] = 1; // s of groups 0 and 1
    block[5] = 2;
    block[16] = 0b10; // fifth bit of weight 0 of group 1
    block[48] = 0x47;
    let values = widened(Dtype::Q5K, &block);
    assert_eq!((values[0], values[1], values[32], values[33]), (7.0, 0.0, 40.0, 0.0));
}

#[test]
fn six_bits_of_a_super_block() {
    let mut block = [0_u8; 210];
    block[192..208].fill(1);
    block[192 + 8 + 6] = 0xfe; // group 0 of the last quarter of the second half: -2
    block[208..].copy_from_slice(&half(0.5));
    block[64 + 32] = 0x50; // low bits of weight 0 of the last quarter of the second half
    block[128 + 32] = 0b1100_0000; // its upper bits
    let values = widened(Dtype::Q6K, &block);
    let at = 128 + 96;
    assert_eq!(values[..2], [-16.0; 2]);
    assert_eq!((values[at], values[at + 1], values[at + 16]), (-21.0, 32.0, -16.0));
}

/// `count` values in -1..1 from a seed.
fn values(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed | 1;
    (0..count)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / (1_u64 << 23) as f32 - 1.0
        })
        .collect()
}

/// Rows of 512 weights of any scale and offset, with a few large ones.
fn rows() -> impl Strategy<Value = Vec<f32>> {
    (
        any::<u64>(),
        // The largest are within what f16 scales can reach.
        -3.0_f32..2.5,
        -2.0_f32..2.0,
        prop::collection::btree_set(0_usize..512, 0..4),
    )
        .prop_map(|(seed, exponent, offset, outliers)| {
            let scale = 10_f32.powf(exponent);
            let mut row: Vec<f32> = values(512, seed).iter().map(|v| scale * (v + offset)).collect();
            for place in outliers {
                row[place] *= 10.0;
            }
            row
        })
}

/// Half of the step between levels if they span the values of a group, and what the group is.
fn half_step(dtype: Dtype, group: &[f32]) -> f32 {
    let largest = group.iter().fold(0.0_f32, |a, v| a.max(v.abs()));
    let (least, most) = group
        .iter()
        .fold((f32::MAX, f32::MIN), |(a, b), v| (a.min(*v), b.max(*v)));
    match dtype {
        Dtype::Q8_0 => largest / 127.0 / 2.0,
        // The level opposite to the farthest is missing: a value there is off by a whole step.
        Dtype::Q4_0 => largest / 8.0,
        Dtype::Q5_0 => largest / 16.0,
        Dtype::Q4_1 => (most - least) / 15.0 / 2.0,
        Dtype::Q5_1 => (most - least) / 31.0 / 2.0,
        _ => unreachable!("the bound of a super-block is that of its error"),
    }
}

proptest! {
    #[test]
    fn groups_of_32_are_rounded_to_the_nearest_level(row in rows()) {
        for dtype in [Dtype::Q8_0, Dtype::Q4_0, Dtype::Q4_1, Dtype::Q5_0, Dtype::Q5_1] {
            for (group, back) in row.chunks(32).zip(there_and_back(dtype, &row).chunks(32)) {
                let largest = group.iter().fold(0.0_f32, |a, v| a.max(v.abs()));
                // A scale, rounded to eleven bits, moves the farthest level by 2^-12 of its value.
                let bound = half_step(dtype, group) + largest / 2048.0 + 1e-6;
                for (a, b) in group.iter().zip(back) {
                    prop_assert!((a - b).abs() <= bound, "{dtype:?}: {a} became {b}, bound {bound}");
                }
            }
        }
    }

    /// The search for the scales of a super-block does at least as well as spanning all values would: that error is a
    /// step over √12 where values are spread evenly, and the six bits of the scales add to it.
    #[test]
    fn super_blocks_have_little_error(row in rows()) {
        for (dtype, size, levels) in [(Dtype::Q4K, 32, 15.0), (Dtype::Q5K, 32, 31.0), (Dtype::Q6K, 16, 63.0)] {
            let back = there_and_back(dtype, &row);
            for (block, back) in row.chunks(256).zip(back.chunks(256)) {
                let spans = block.chunks(size).map(|group| {
                    // Zero is always a level.
                    let (least, most) = group.iter().fold((0.0_f32, 0.0_f32), |(a, b), v| (a.min(*v), b.max(*v)));
                    if dtype == Dtype::Q6K { 2.0 * most.max(-least) } else { most - least }
                });
                let widest = spans.fold(0.0, f32::max);
                // Half a step of rounding, and half a unit of the six-bit (Q6_K: eight-bit) scales at the last level.
                let bound = widest * (0.5 / levels + 0.5 / 63.0 + 1.0 / 2048.0);
                prop_assert!(rms(block, back) <= f64::from(bound), "{dtype:?}: {} above {bound}", rms(block, back));
            }
        }
    }

    #[test]
    fn quantising_again_changes_nothing(row in rows()) {
        for dtype in [Dtype::F32, Dtype::F16, Dtype::Bf16, Dtype::Q8_0, Dtype::Q4_0, Dtype::Q5_0] {
            let once = there_and_back(dtype, &row);
            prop_assert_eq!(there_and_back(dtype, &once), once, "{:?}", dtype);
        }
    }

    /// Not to the bit where levels are found by searching or have an offset that is itself rounded, but what a second pass
    /// changes is less than what the first did.
    #[test]
    fn quantising_again_changes_little(row in rows()) {
        for dtype in [Dtype::Q4_1, Dtype::Q5_1, Dtype::Q4K, Dtype::Q5K, Dtype::Q6K] {
            let once = there_and_back(dtype, &row);
            let twice = there_and_back(dtype, &once);
            let (first, second) = (rms(&row, &once), rms(&once, &twice));
            prop_assert!(second <= first + 1e-7, "{dtype:?}: {second} after {first}");
        }
    }

    #[test]
    fn constant_rows_and_zeros(value in prop_oneof![Just(0.0_f32), Just(-0.0), -1000.0_f32..1000.0]) {
        for dtype in QUANTISED {
            for v in there_and_back(dtype, &[value; 256]) {
                prop_assert!((v - value).abs() <= value.abs() / 100.0, "{dtype:?}: {value} became {v}");
            }
        }
    }

    /// A row is quantised as its blocks are, one by one.
    #[test]
    fn blocks_are_independent(row in rows()) {
        for dtype in QUANTISED {
            let whole = narrowed(dtype, &row);
            let parts: Vec<u8> = row.chunks(dtype.block()).flat_map(|block| narrowed(dtype, block)).collect();
            prop_assert_eq!(whole, parts);
        }
    }

    #[test]
    fn what_cannot_be_held_is_named(
        at in 0_usize..512,
        bad in prop::sample::select(vec![f32::NAN, f32::INFINITY, f32::NEG_INFINITY]),
    ) {
        for dtype in Dtype::ALL {
            let mut row = values(512, 3);
            row[at] = bad;
            let error = dtype.narrow(&row, &mut vec![0; dtype.row_bytes(512)]).unwrap_err();
            prop_assert_eq!(error.index, at);
            prop_assert!(error.to_string().contains(dtype.name()), "{}", error);
        }
    }

    /// Values near the largest that a type holds come back finite.
    #[test]
    fn the_largest_values_are_held(seed: u64) {
        for dtype in Dtype::ALL {
            let mut row: Vec<f32> = values(256, seed).iter().map(|v| v * dtype.largest()).collect();
            row[7] = dtype.largest();
            row[8] = -dtype.largest();
            prop_assert!(there_and_back(dtype, &row).iter().all(|v| v.is_finite()), "{dtype:?}");
            row[9] = f32::MAX;
            if dtype.largest() < f32::MAX {
                prop_assert!(dtype.narrow(&row, &mut vec![0; dtype.row_bytes(256)]).is_err(), "{dtype:?}");
            }
        }
    }
}

#[test]
fn views_of_blocks_are_cut_at_rows() {
    let all = values(6 * 256, 5);
    for dtype in QUANTISED {
        let tensor = TensorView::from_f32_as("w", dtype, vec![3, 2, 256], &all);
        assert_eq!(tensor.bytes().len(), dtype.row_bytes(6 * 256));
        let whole = tensor.to_f32();
        let second = tensor.slice(1..2, vec![2, 256]);
        assert_eq!(second.to_f32(), whole[512..1024]);
        assert_eq!(widened(dtype, second.row(1)), whole[768..1024]);
    }
}
