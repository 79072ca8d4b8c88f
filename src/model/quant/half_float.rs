//! The half floats inside blocks.

use half::f16;

/// A half float from its bytes. The crate's own conversion asks for the machine's features at every call, which keeps
/// it from being inlined; here is one value a block, without a branch.
#[inline(always)]
pub(super) fn read(low: u8, high: u8) -> f32 {
    let bits = u32::from(u16::from_le_bytes([low, high]));
    let (sign, exponent, mantissa) = ((bits & 0x8000) << 16, bits & 0x7c00, bits & 0x03ff);
    // 112 is the difference of the exponents' biases; all ones, infinite or not a number, needs it twice.
    let rebias = if exponent == 0x7c00 { 224 << 23 } else { 112 << 23 };
    let normal = f32::from_bits(((exponent | mantissa) << 13) + rebias);
    // A subnormal is mantissa·2^-24, the last bit of 0.5 in single precision.
    let subnormal = f32::from_bits(0.5_f32.to_bits() | mantissa) - 0.5;
    let magnitude = if exponent == 0 { subnormal } else { normal };
    f32::from_bits(magnitude.to_bits() | sign)
}

/// The nearest half float, as bytes and as the value they stand for.
#[inline(always)]
pub(super) fn nearest(value: f32) -> ([u8; 2], f32) {
    let half = f16::from_f32_const(value);
    (half.to_le_bytes(), half.to_f32_const())
}

/// The largest half float that is not above `value`.
#[inline(always)]
pub(super) fn below(value: f32) -> ([u8; 2], f32) {
    let (bytes, rounded) = nearest(value);
    if rounded <= value {
        return (bytes, rounded);
    }
    let bits = u16::from_le_bytes(bytes);
    // The next one down: away from zero among the negative, towards it among the positive; below zero is -2^-24.
    let next = match bits {
        0 | 0x8000 => 0x8001,
        _ if bits & 0x8000 == 0 => bits - 1,
        _ => bits + 1,
    };
    let half = f16::from_bits(next);
    (half.to_le_bytes(), half.to_f32_const())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_half_float_is_read() {
        for bits in 0..=u16::MAX {
            let [low, high] = bits.to_le_bytes();
            let (got, expected) = (read(low, high), f16::from_bits(bits).to_f32());
            assert!(
                got.to_bits() == expected.to_bits() || got.is_nan() && expected.is_nan(),
                "{bits:#06x}: {got} is not {expected}"
            );
        }
    }

    #[test]
    fn below_is_never_above_and_the_next_is() {
        for value in [
            0.0, -0.0, 1.0, 1.000_1, 0.999_9, -1.000_1, -0.999_9, 1e-8, -1e-8, 3e-5, -3e-5, 1234.56,
        ] {
            let (bytes, rounded) = below(value);
            assert!(rounded <= value, "{rounded} above {value}");
            assert_eq!(read(bytes[0], bytes[1]).to_bits(), rounded.to_bits());
            assert!(
                value - rounded <= value.abs() / 1024.0 + 6e-8,
                "{rounded} far below {value}"
            );
        }
    }
}
