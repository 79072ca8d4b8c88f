//! Rounding and reductions over one group of weights, written so that they vectorise on any instruction set.

/// Independent partial results of a reduction.
const LANES: usize = 16;

/// 1.5·2^23: adding it leaves the nearest integer, ties to even, in the low bits.
const ROUND: f32 = 12_582_912.0;

/// The nearest whole number to `x` in `low..=high`, which are themselves whole and below 2^22.
#[inline(always)]
pub(super) fn round_within(x: f32, low: f32, high: f32) -> f32 {
    x.clamp(low, high) + ROUND - ROUND
}

/// The low byte of a whole number below 2^22, in two's complement; a cast would check its range.
#[inline(always)]
pub(super) fn low_byte(whole: f32) -> u8 {
    (whole + ROUND).to_bits() as u8
}

/// `1/d`, and 0 for a group of zeros.
#[inline(always)]
pub(super) fn reciprocal(d: f32) -> f32 {
    if d == 0.0 { 0.0 } else { 1.0 / d }
}

#[inline(always)]
pub(super) fn total<const N: usize>(x: &[f32; N]) -> f32 {
    reduce(x, 0.0, |a, b| a + b)
}

/// The smallest and the largest.
#[inline(always)]
pub(super) fn range<const N: usize>(x: &[f32; N]) -> (f32, f32) {
    let smallest = reduce(x, f32::INFINITY, |a, b| if b < a { b } else { a });
    let largest = reduce(x, f32::NEG_INFINITY, |a, b| if b > a { b } else { a });
    (smallest, largest)
}

/// The value farthest from zero, with its sign: it gets the one level more that there is below zero.
#[inline(always)]
pub(super) fn farthest<const N: usize>(x: &[f32; N]) -> f32 {
    let (smallest, largest) = range(x);
    if -smallest > largest { smallest } else { largest }
}

/// In lanes, and these as a tree: one chain would cost a latency for each value.
#[inline(always)]
fn reduce<const N: usize>(x: &[f32; N], start: f32, join: impl Fn(f32, f32) -> f32) -> f32 {
    let mut lanes = [start; LANES];
    for group in x.as_chunks::<LANES>().0 {
        for i in 0..LANES {
            lanes[i] = join(lanes[i], group[i]);
        }
    }
    for width in [8, 4, 2, 1] {
        for i in 0..width {
            lanes[i] = join(lanes[i], lanes[i + width]);
        }
    }
    lanes[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_is_to_even_and_clamped() {
        for (x, expected) in [
            (0.5, 0.0),
            (1.5, 2.0),
            (2.49, 2.0),
            (-7.0, -4.0),
            (99.0, 7.0),
            (-0.5, 0.0),
        ] {
            let got = round_within(x, -4.0, 7.0);
            assert!((got - expected).abs() < f32::EPSILON, "{x} became {got}");
        }
        assert_eq!(low_byte(-3.0).cast_signed(), -3);
        assert_eq!(low_byte(31.0), 31);
    }

    #[test]
    fn reductions_see_every_value() {
        let mut x = [0.0; 32];
        for at in 0..32 {
            x[at] = -2.5;
            assert_eq!(range(&x), (-2.5, 0.0));
            assert!((farthest(&x) + 2.5).abs() < f32::EPSILON);
            assert!((total(&x) + 2.5).abs() < f32::EPSILON);
            x[at] = 0.0;
        }
    }
}
