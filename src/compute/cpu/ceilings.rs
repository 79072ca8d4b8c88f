//! What this machine can do at most: loops that do nothing but multiply and add in registers, or read.
//!
//! A speed says little by itself; beside these it says how much is left. Each figure is the best of several tries,
//! because other work on the machine only ever makes one lower.

use std::hint::black_box;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::simd::{Isa, Kernel};

/// How long each ceiling is tried for.
const TRIED: Duration = Duration::from_millis(250);
/// Larger than any cache, all threads together.
const READ: usize = 384 << 20;
/// Steps of an arithmetic loop between two looks at the clock: some microseconds.
const STEPS: usize = 1 << 12;

/// Most of each kind that some number of threads do together.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Ceilings {
    pub threads: usize,
    /// Bytes read from memory a second.
    pub read: f64,
    /// Operations a second of f32 multiply-adds, which count as two.
    pub f32: f64,
    /// The same of dot products of bf16 pairs, where there is an instruction for them.
    pub bf16: Option<f64>,
    /// The same of dot products of four bytes, where there is one.
    pub int8: Option<f64>,
}

impl Ceilings {
    /// Measures for about a second and a half.
    #[must_use]
    pub fn measure(threads: usize, isa: Isa) -> Self {
        let threads = threads.max(1);
        Self {
            threads,
            read: read(threads, isa),
            f32: arithmetic(threads, || f32_steps(isa)),
            bf16: bf16_steps(isa).map(|steps| arithmetic(threads, steps)),
            int8: int8_steps(isa).map(|steps| arithmetic(threads, steps)),
        }
    }
}

/// Runs `steps` on every thread at once, over and over; it returns how many operations it did. The best try counts.
fn arithmetic(threads: usize, steps: impl Fn() -> usize + Sync) -> f64 {
    const TRIES: u32 = 5;
    let best = |_| {
        let began = Instant::now();
        let until = TRIED / TRIES;
        let one = || {
            let mut done = 0;
            while began.elapsed() < until {
                done += steps();
            }
            done as f64 / began.elapsed().as_secs_f64()
        };
        on_all(threads, |_| one()).into_iter().sum::<f64>()
    };
    (0..TRIES).map(best).fold(0.0, f64::max)
}

/// `work` on each of some threads, with the index of the thread.
fn on_all<T: Send>(threads: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads)
            .map(|index| {
                let work = &work;
                scope.spawn(move || work(index))
            })
            .collect();
        let mut results = vec![work(0)];
        results.extend(
            others
                .into_iter()
                .map(|thread| thread.join().expect("the loops do not panic")),
        );
        results
    })
}

/// Bytes a second that are read, each thread its own part.
fn read(threads: usize, isa: Isa) -> f64 {
    const TRIES: usize = 4;
    let words = READ / threads / size_of::<u64>();
    let barrier = std::sync::Barrier::new(threads);
    let times = on_all(threads, |index| {
        // Written by the thread that reads it, so that it lies near.
        let mine = vec![index as u64 | 1; words];
        let mut seconds = [0.0; TRIES];
        for seconds in &mut seconds {
            barrier.wait();
            let began = Instant::now();
            black_box(isa.run(Sum(&mine)));
            barrier.wait();
            *seconds = began.elapsed().as_secs_f64();
        }
        seconds
    });
    let bytes = (words * size_of::<u64>() * threads) as f64;
    times[0].iter().map(|seconds| bytes / seconds).fold(0.0, f64::max)
}

struct Sum<'a>(&'a [u64]);

impl Kernel for Sum<'_> {
    type Output = u64;

    #[inline(always)]
    fn run<const FMA: bool>(self) -> u64 {
        const LANES: usize = 64;
        let mut lanes = [0_u64; LANES];
        for chunk in self.0.as_chunks::<LANES>().0 {
            for (lane, word) in lanes.iter_mut().zip(chunk) {
                *lane = lane.wrapping_add(*word);
            }
        }
        lanes.into_iter().fold(0, u64::wrapping_add)
    }
}

/// Does [`STEPS`] steps and says how many operations they were.
type Steps = fn() -> usize;

fn f32_steps(isa: Isa) -> usize {
    match isa {
        // SAFETY: the variant exists only where its features do.
        #[cfg(target_arch = "x86_64")]
        #[allow(unsafe_code)]
        Isa::Avx512 => unsafe { x86::f32_avx512() },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        #[allow(unsafe_code)]
        Isa::Avx2 => unsafe { x86::f32_avx2() },
        #[cfg(target_arch = "aarch64")]
        Isa::Neon => isa.run(PortableFma),
        Isa::Portable => isa.run(PortableFma),
    }
}

/// Sixteen vectors of four: what the compiler keeps in registers on any target.
struct PortableFma;

impl Kernel for PortableFma {
    type Output = usize;

    #[inline(always)]
    fn run<const FMA: bool>(self) -> usize {
        const LANES: usize = 32;
        let (a, b) = (black_box(0.999_f32), black_box(0.001_f32));
        let mut lanes = [1.0; LANES];
        for _ in 0..STEPS {
            for lane in &mut lanes {
                *lane = super::simd::mul_add::<FMA>(*lane, a, b);
            }
        }
        black_box(lanes);
        2 * LANES * STEPS
    }
}

fn bf16_steps(isa: Isa) -> Option<Steps> {
    match isa {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 if is_x86_feature_detected!("avx512bf16") => {
            // SAFETY: both features have been detected.
            #[allow(unsafe_code)]
            Some(|| unsafe { x86::bf16_avx512() })
        }
        _ => None,
    }
}

fn int8_steps(isa: Isa) -> Option<Steps> {
    match isa {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 if is_x86_feature_detected!("avx512vnni") => {
            // SAFETY: both features have been detected.
            #[allow(unsafe_code)]
            Some(|| unsafe { x86::int8_avx512() })
        }
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 | Isa::Avx2 => {
            // SAFETY: both variants have AVX2.
            #[allow(unsafe_code)]
            Some(|| unsafe { x86::int8_avx2() })
        }
        #[cfg(target_arch = "aarch64")]
        Isa::Neon if std::arch::is_aarch64_feature_detected!("dotprod") => Some(arm::int8_sdot),
        #[cfg(target_arch = "aarch64")]
        Isa::Neon => None,
        Isa::Portable => None,
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::asm;
    use std::arch::x86_64::{
        _mm256_add_epi32, _mm256_fmadd_ps, _mm256_madd_epi16, _mm256_maddubs_epi16, _mm256_set1_epi8,
        _mm256_set1_epi16, _mm256_set1_ps, _mm256_setzero_si256, _mm512_cvtne2ps_pbh, _mm512_dpbf16_ps,
        _mm512_dpbusd_epi32, _mm512_fmadd_ps, _mm512_set1_epi8, _mm512_set1_ps, _mm512_setzero_ps,
        _mm512_setzero_si512,
    };
    use std::hint::black_box;

    use super::STEPS;

    /// Sums in flight: latency times throughput of the instruction is at most ten on all machines of today.
    const SUMS: usize = 12;

    /// Hides a value from the compiler, in a register: what depends on it is neither moved out of a loop nor folded.
    macro_rules! opaque {
        ($class:ident, $value:expr) => {{
            let mut value = $value;
            // SAFETY: no instruction is emitted; the value stays as it is.
            #[allow(unsafe_code)]
            unsafe {
                asm!("/* {0} */", inout($class) value, options(pure, nomem, nostack, preserves_flags));
            }
            value
        }};
    }

    #[target_feature(enable = "avx512f")]
    pub(super) fn f32_avx512() -> usize {
        let (a, b) = (
            opaque!(zmm_reg, _mm512_set1_ps(0.999)),
            opaque!(zmm_reg, _mm512_set1_ps(0.001)),
        );
        let mut sums = [_mm512_set1_ps(1.0); SUMS];
        for _ in 0..STEPS {
            for sum in &mut sums {
                *sum = _mm512_fmadd_ps(*sum, a, b);
            }
        }
        black_box(sums);
        2 * 16 * SUMS * STEPS
    }

    #[target_feature(enable = "avx2,fma")]
    pub(super) fn f32_avx2() -> usize {
        let (a, b) = (
            opaque!(ymm_reg, _mm256_set1_ps(0.999)),
            opaque!(ymm_reg, _mm256_set1_ps(0.001)),
        );
        let mut sums = [_mm256_set1_ps(1.0); SUMS];
        for _ in 0..STEPS {
            for sum in &mut sums {
                *sum = _mm256_fmadd_ps(*sum, a, b);
            }
        }
        black_box(sums);
        2 * 8 * SUMS * STEPS
    }

    #[target_feature(enable = "avx512f,avx512bf16")]
    pub(super) fn bf16_avx512() -> usize {
        let a = opaque!(zmm_reg, _mm512_set1_ps(0.001));
        let a = _mm512_cvtne2ps_pbh(a, a);
        let mut sums = [_mm512_setzero_ps(); SUMS];
        for _ in 0..STEPS {
            for sum in &mut sums {
                *sum = _mm512_dpbf16_ps(*sum, a, a);
            }
        }
        black_box(sums);
        2 * 32 * SUMS * STEPS
    }

    #[target_feature(enable = "avx512f,avx512vnni")]
    pub(super) fn int8_avx512() -> usize {
        let a = opaque!(zmm_reg, _mm512_set1_epi8(3));
        let b = opaque!(zmm_reg, _mm512_set1_epi8(5));
        let mut sums = [_mm512_setzero_si512(); SUMS];
        for _ in 0..STEPS {
            for sum in &mut sums {
                *sum = _mm512_dpbusd_epi32(*sum, a, b);
            }
        }
        black_box(sums);
        2 * 64 * SUMS * STEPS
    }

    /// Without a dot product of bytes: widened to pairs, then to fours, then added.
    #[target_feature(enable = "avx2")]
    pub(super) fn int8_avx2() -> usize {
        let a = opaque!(ymm_reg, _mm256_set1_epi8(3));
        let b = opaque!(ymm_reg, _mm256_set1_epi8(5));
        let ones = opaque!(ymm_reg, _mm256_set1_epi16(1));
        let mut sums = [_mm256_setzero_si256(); SUMS];
        for _ in 0..STEPS {
            for sum in &mut sums {
                // Each product anew: the same one would be computed once.
                let products = _mm256_maddubs_epi16(opaque!(ymm_reg, a), b);
                *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(products, ones));
            }
        }
        black_box(sums);
        2 * 32 * SUMS * STEPS
    }
}

#[cfg(target_arch = "aarch64")]
mod arm {
    use std::arch::aarch64::{vdupq_n_s8, vdupq_n_s32};
    use std::arch::asm;
    use std::hint::black_box;

    use super::STEPS;

    const SUMS: usize = 12;

    /// Only where `sdot` has been detected.
    pub(super) fn int8_sdot() -> usize {
        // SAFETY: NEON is always there, and the instruction has been detected; it is arithmetic on registers.
        #[allow(unsafe_code)]
        unsafe {
            let (a, b) = (vdupq_n_s8(black_box(3)), vdupq_n_s8(black_box(5)));
            let mut sums = [vdupq_n_s32(0); SUMS];
            for _ in 0..STEPS {
                for sum in &mut sums {
                    asm!(
                        ".arch_extension dotprod",
                        "sdot {sum:v}.4s, {a:v}.16b, {b:v}.4b[0]",
                        sum = inout(vreg) *sum, a = in(vreg) a, b = in(vreg) b,
                        options(pure, nomem, nostack, preserves_flags)
                    );
                }
            }
            black_box(sums);
        }
        2 * 16 * SUMS * STEPS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_instruction_set_of_this_machine_has_ceilings() {
        for isa in Isa::available() {
            assert!(arithmetic(1, || f32_steps(isa)) > 0.0);
            for steps in [bf16_steps(isa), int8_steps(isa)].into_iter().flatten() {
                let rate = arithmetic(2, steps);
                assert!(rate > 0.0 && rate.is_finite());
            }
        }
    }

    #[test]
    fn all_of_what_is_read_counts() {
        let words: Vec<u64> = (0..6400).collect();
        assert_eq!(Isa::detect().run(Sum(&words)), 6400 * 6399 / 2);
    }
}
