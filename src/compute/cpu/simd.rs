//! One source, compiled once per instruction set, chosen when the program starts.
//!
//! A [`Kernel`] is plain Rust over slices. Its body is inlined into a function that enables the instruction set, so
//! that the compiler vectorises the same loop for each; intrinsics come where that is not enough.

/// The instruction sets that kernels are compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isa {
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// What every 64-bit Arm has; `sdot` where it is there.
    #[cfg(target_arch = "aarch64")]
    Neon,
    /// Whatever the target always has.
    Portable,
}

/// A computation that can be compiled for any instruction set. `run` must be `#[inline(always)]`, and so must
/// everything hot that it calls.
pub trait Kernel {
    type Output;
    /// `FMA`: `f32::mul_add` is one instruction here.
    fn run<const FMA: bool>(self) -> Self::Output;
}

impl Isa {
    /// The best this machine can run.
    #[must_use]
    pub fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512vnni")
                && is_x86_feature_detected!("fma")
                && is_x86_feature_detected!("f16c")
            {
                return Self::Avx512;
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("f16c") {
                return Self::Avx2;
            }
        }
        if cfg!(target_arch = "aarch64") {
            Self::ALL[0]
        } else {
            Self::Portable
        }
    }

    /// Those of this architecture, the best first.
    pub const ALL: &[Self] = &[
        #[cfg(target_arch = "x86_64")]
        Self::Avx512,
        #[cfg(target_arch = "x86_64")]
        Self::Avx2,
        #[cfg(target_arch = "aarch64")]
        Self::Neon,
        Self::Portable,
    ];

    /// Those that this machine can run.
    pub fn available() -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied().filter(|isa| isa.is_available())
    }

    /// This, or the best that this machine can run if it cannot run this.
    #[must_use]
    pub fn or_best(self) -> Self {
        if self.is_available() { self } else { Self::detect() }
    }

    /// Whether this machine can run it.
    #[must_use]
    pub fn is_available(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => Self::detect() == Self::Avx512,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => Self::detect() != Self::Portable,
            #[cfg(target_arch = "aarch64")]
            Self::Neon => true,
            Self::Portable => true,
        }
    }

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => "avx512",
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => "avx2",
            #[cfg(target_arch = "aarch64")]
            Self::Neon => "neon",
            Self::Portable => "portable",
        }
    }

    /// Its name, with what else of this machine products are chosen by.
    #[must_use]
    pub fn in_full(self) -> String {
        #[cfg(target_arch = "x86_64")]
        if self == Self::Avx512 && is_x86_feature_detected!("avx512bf16") {
            return "avx512 with bf16".to_owned();
        }
        self.name().to_owned()
    }

    #[inline]
    pub fn run<K: Kernel>(self, kernel: K) -> K::Output {
        match self {
            // SAFETY: `detect` is the only source of these variants outside of tests, which ask it too, and it has
            // checked every feature that the function enables.
            #[cfg(target_arch = "x86_64")]
            #[allow(unsafe_code)]
            Self::Avx512 => unsafe { run_avx512(kernel) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            #[allow(unsafe_code)]
            Self::Avx2 => unsafe { run_avx2(kernel) },
            #[cfg(target_arch = "aarch64")]
            Self::Neon => kernel.run::<true>(),
            Self::Portable => kernel.run::<{ cfg!(target_feature = "fma") || cfg!(target_arch = "aarch64") }>(),
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,fma,f16c")]
fn run_avx512<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<true>()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,f16c")]
fn run_avx2<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<true>()
}

/// `a·b + c`, fused where that is one instruction.
#[inline(always)]
pub fn mul_add<const FMA: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

/// `e^x` to about 2 ulp, without a branch, so that a loop over it vectorises. Underflows to 0 below -87.3 and
/// saturates above 88.7.
#[inline(always)]
pub fn exp<const FMA: bool>(x: f32) -> f32 {
    // x = n·ln 2 + r, |r| ≤ ln 2 / 2; e^r by a polynomial of degree 6, 2^n by the exponent bits.
    const ROUND: f32 = 12_582_912.0; // 1.5·2^23: adding it leaves the nearest integer in the low bits
    const LN2_HI: f32 = 0.693_359_4; // 355/512: n·LN2_HI is exact
    const LN2_LO: f32 = -2.121_944_4e-4;
    let clamped = x.clamp(-87.3, 88.7);
    let shifted = mul_add::<FMA>(clamped, std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = mul_add::<FMA>(n, -LN2_LO, mul_add::<FMA>(n, -LN2_HI, clamped));
    let mut p = 1.388_888_9e-3;
    for c in [8.333_334e-3, 4.166_666_7e-2, 0.166_666_67, 0.5, 1.0, 1.0] {
        p = mul_add::<FMA>(p, r, c);
    }
    // 2^n in two factors: n may be 128.
    let n = shifted.to_bits().wrapping_sub(ROUND.to_bits()).cast_signed();
    let half = n >> 1;
    let power = |n: i32| f32::from_bits(((n + 127) << 23) as u32);
    let result = p * power(half) * power(n - half);
    if x < -87.3 { 0.0 } else { result }
}

/// Independent partial results of a reduction: enough to fill the pipeline.
const LANES: usize = 64;

/// The sum of all, in a fixed order that does not depend on the instruction set.
#[inline(always)]
pub fn sum(x: &[f32]) -> f32 {
    let (chunks, tail) = x.as_chunks::<LANES>();
    let mut lanes = [0.0; LANES];
    for chunk in chunks {
        for (lane, x) in lanes.iter_mut().zip(chunk) {
            *lane += x;
        }
    }
    lanes.iter().chain(tail).sum()
}

/// The largest of all; -∞ of none. Not a number is ignored.
#[inline(always)]
pub fn largest(x: &[f32]) -> f32 {
    let max = |a: f32, b: f32| if b > a { b } else { a };
    let (chunks, tail) = x.as_chunks::<LANES>();
    let mut lanes = [f32::NEG_INFINITY; LANES];
    for chunk in chunks {
        for (lane, x) in lanes.iter_mut().zip(chunk) {
            *lane = max(*lane, *x);
        }
    }
    lanes.iter().chain(tail).copied().fold(f32::NEG_INFINITY, max)
}

/// `x·σ(x)`.
#[inline(always)]
pub fn silu<const FMA: bool>(x: f32) -> f32 {
    x / (1.0 + exp::<FMA>(-x))
}

/// `1 / (1 + e^{-x})`.
#[inline(always)]
pub fn sigmoid<const FMA: bool>(x: f32) -> f32 {
    1.0 / (1.0 + exp::<FMA>(-x))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_within_a_few_ulp_everywhere() {
        for i in -90_000..88_699 {
            let x = i as f32 / 1000.0 + 0.000_37;
            let exact = f64::from(x).exp();
            for got in [exp::<true>(x), exp::<false>(x)] {
                let error = (f64::from(got) - exact).abs();
                assert!(error <= exact * 4e-7 + 1.3e-38, "exp({x}) = {got}, not {exact}");
            }
        }
        assert!((exp::<true>(0.0) - 1.0).abs() < f32::EPSILON);
        assert!(exp::<true>(f32::NEG_INFINITY).abs() < f32::MIN_POSITIVE);
        assert!(exp::<true>(1000.0) > 1e38);
    }

    #[test]
    fn sigmoid_and_silu_saturate_without_nan() {
        for x in [-1e30, -200.0, -30.0, 0.0, 30.0, 200.0, 1e30f32] {
            let s = 1.0 / (1.0 + (-f64::from(x)).exp());
            assert!((f64::from(sigmoid::<false>(x)) - s).abs() < 1e-6, "σ({x})");
            assert!(
                (f64::from(silu::<false>(x)) - f64::from(x) * s).abs() <= 1e-6 * f64::from(x).abs().max(1.0),
                "silu({x})"
            );
        }
    }
}
