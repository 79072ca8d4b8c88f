use proptest::prelude::*;

use super::*;
use crate::compute::cpu::arena::Arena;
use crate::compute::cpu::weight::{self, Input, Weight};
use crate::model::{Dtype, TensorRole, TensorView};

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

struct Random(u64);

impl Random {
    fn values(&mut self, count: usize) -> Vec<f32> {
        (0..count)
            .map(|_| {
                self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (self.0 >> 40) as f32 / (1u64 << 23) as f32 - 1.0
            })
            .collect()
    }
}

/// Weights `[rows, blocks·256]` and activations `[tokens, the same]`.
#[derive(Debug)]
struct Case {
    weights: TensorView,
    x: Vec<f32>,
    tokens: Vec<u32>,
}

impl Case {
    fn new(dtype: Dtype, rows: usize, supers: usize, count: usize, seed: u64) -> Self {
        let mut random = Random(seed);
        let columns = supers * 256;
        let weights = random.values(rows * columns);
        // Blocks of very different sizes, and one of zeros.
        let mut x = random.values(count * columns);
        for (i, block) in x.chunks_mut(BLOCK).enumerate() {
            let scale = [1.0, 30.0, 0.01, 0.0][(i * 7 + i / 3) % 4];
            for x in block {
                *x *= scale;
            }
        }
        Self {
            weights: TensorView::from_f32_as("w", dtype, vec![rows, columns], &weights),
            tokens: (0..count as u32).rev().collect(),
            x,
        }
    }

    fn columns(&self) -> usize {
        self.weights.shape()[1]
    }

    fn quantised(&self, isa: Isa) -> (Quantised, Quantised) {
        let (mut first, mut second) = (Quantised::default(), Quantised::default());
        let mut x = self.x.clone();
        for to in [&mut first, &mut second] {
            to.resize(self.tokens.len(), self.columns());
            let blocks = to.writer();
            for (i, x) in x.chunks_mut(self.columns()).enumerate() {
                // SAFETY: one thread writes.
                #[allow(unsafe_code)]
                let to = unsafe { blocks.row(i) };
                Quantise { x, to, remainder: true }.run_on(isa);
            }
        }
        (first, second)
    }

    /// `[tokens, rows]`
    fn product(&self, isa: Isa, panels: &Panels, input: &Quantised) -> Vec<f32> {
        let rows = self.weights.shape()[0];
        let mut out = vec![0.0; self.tokens.len() * rows];
        let mut part = vec![f32::NAN; self.tokens.len() * ROWS];
        for panel in 0..rows.div_ceil(ROWS) {
            multiply(isa, panels.panel(panel), input, &self.tokens, &mut part, ROWS);
            for (out, part) in out.chunks_mut(rows).zip(part.chunks(ROWS)) {
                let width = ROWS.min(rows - panel * ROWS);
                out[panel * ROWS..][..width].copy_from_slice(&part[..width]);
            }
        }
        out
    }

    /// In f64, and the sum of the magnitudes.
    fn exact(&self) -> Vec<(f64, f64)> {
        let w = self.weights.to_f32();
        let row = |token: &u32| &self.x[*token as usize * self.columns()..][..self.columns()];
        self.tokens
            .iter()
            .flat_map(|token| {
                w.chunks(self.columns()).map(move |w| {
                    let terms = w.iter().zip(row(token)).map(|(w, x)| f64::from(*w) * f64::from(*x));
                    terms.fold((0.0, 0.0), |(sum, size), term| (sum + term, size + term.abs()))
                })
            })
            .collect()
    }
}

fn cases() -> impl Strategy<Value = Case> {
    (
        prop::sample::select(QUANTISED.to_vec()),
        1usize..50,
        1usize..4,
        1usize..20,
        any::<u64>(),
    )
        .prop_map(|(dtype, rows, supers, count, seed)| Case::new(dtype, rows, supers, count, seed))
}

fn largest(values: &[f32]) -> f32 {
    values.iter().fold(0.0, |m, v| m.max(v.abs()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Every instruction set gives what the equation gives.
    #[test]
    fn vectors_equal_the_plain_product(case in cases()) {
        let panels = Panels::pack(&case.weights, &Arena::default()).unwrap();
        let (input, _) = case.quantised(Isa::Portable);
        let expected = case.product(Isa::Portable, &panels, &input);
        let scale = largest(&expected);
        for isa in Isa::available() {
            let (same, _) = case.quantised(isa);
            let got = case.product(isa, &panels, &same);
            for (i, (got, expected)) in got.iter().zip(&expected).enumerate() {
                prop_assert!((got - expected).abs() <= 3e-6 * scale, "{isa:?} {i}: {got}, not {expected} of {scale}");
            }
        }
    }

    /// Activations are rounded to the same on all, and so is what that leaves.
    #[test]
    fn rounding_is_the_same(case in cases()) {
        let expected = case.quantised(Isa::Portable);
        for isa in Isa::available() {
            prop_assert_eq!(&case.quantised(isa), &expected, "{:?}", isa);
        }
    }

    /// With `sdot` and without.
    #[cfg(target_arch = "aarch64")]
    #[test]
    fn both_products_of_neon_are_the_same(case in cases()) {
        let panels = Panels::pack(&case.weights, &Arena::default()).unwrap();
        let (input, _) = case.quantised(Isa::Neon);
        let mut parts = [(); 2].map(|()| vec![f32::NAN; case.tokens.len() * ROWS]);
        for panel in 0..case.weights.shape()[0].div_ceil(ROWS) {
            for (part, sdot) in parts.iter_mut().zip([false, std::arch::is_aarch64_feature_detected!("dotprod")]) {
                for (tokens, part) in case.tokens.chunks(GROUP).zip(part.chunks_mut(GROUP * ROWS)) {
                    neon::multiply_with(sdot, panels.panel(panel), &input, tokens, part, ROWS);
                }
            }
            prop_assert_eq!(&parts[0], &parts[1]);
        }
    }

    /// Rounded once the activations cost at most half a step each; rounded twice, nothing that f32 would not.
    #[test]
    fn the_product_is_that_of_the_stored_weights(case in cases()) {
        let panels = Panels::pack(&case.weights, &Arena::default()).unwrap();
        let (input, remainder) = case.quantised(Isa::detect());
        let once = case.product(Isa::detect(), &panels, &input);
        let more = case.product(Isa::detect(), &panels, &remainder);
        let weights = case.weights.to_f32();
        let heaviest = largest(&weights);
        for (i, (exact, size)) in case.exact().into_iter().enumerate() {
            let token = case.tokens[i / case.weights.shape()[0]] as usize;
            let steps = case.x[token * case.columns()..][..case.columns()].chunks(BLOCK);
            let bound: f32 = steps.map(|block| largest(block) / 127.0 * 0.501 * BLOCK as f32 * heaviest).sum();
            prop_assert!((f64::from(once[i]) - exact).abs() <= f64::from(bound) + 1e-5 * size, "{i}: {} of {exact}", once[i]);
            let both = f64::from(once[i]) + f64::from(more[i]);
            prop_assert!((both - exact).abs() <= f64::from(bound) / 200.0 + 1e-5 * size, "{i}: {both}, not {exact}");
        }
    }

    /// Runs of tasks for one token give the numbers that tasks for many give, with what rounding has left and without.
    #[test]
    fn a_token_alone_gets_the_same(case in cases(), cut in 0.0..1.0) {
        let (count, isa) = (case.tokens.len(), Isa::detect());
        let mut both = Quantised::default();
        both.resize(2 * count, case.columns());
        let blocks = both.writer();
        for (i, x) in case.x.clone().chunks_mut(case.columns()).enumerate() {
            for row in [i, count + i] {
                // SAFETY: one thread writes.
                #[allow(unsafe_code)]
                let to = unsafe { blocks.row(row) };
                Quantise { x, to, remainder: true }.run_on(isa);
            }
        }
        let weight = Weight::new(case.weights.clone(), TensorRole::Matrix, Some(&Arena::default())).unwrap();
        let mut scratch = weight::Scratch::default();
        for remainder in [None, Some(count as u32)] {
            let input = Input { rows: &[], quantised: &both, remainder };
            let tokens: Vec<u32> = (0..count as u32).collect();
            let mut whole = vec![f32::NAN; count * weight.rows()];
            for task in 0..weight.tasks() {
                let mut part = vec![f32::NAN; count * weight::ROWS];
                weight.multiply(isa, input, &tokens, task, &mut scratch, &mut part);
                for (out, part) in whole.chunks_mut(weight.rows()).zip(part.chunks(weight::ROWS)) {
                    let rows = weight.made_by(&(task..task + 1));
                    out[rows.clone()].copy_from_slice(&part[..rows.len()]);
                }
            }
            let cut = (cut * weight.tasks() as f64) as usize;
            for (token, expected) in tokens.iter().zip(whole.chunks(weight.rows())) {
                let mut out = vec![f32::NAN; weight.rows()];
                for tasks in [0..cut, cut..weight.tasks()] {
                    let rows = weight.made_by(&tasks);
                    weight.multiply_one(isa, input, *token, tasks, &mut out[rows]);
                }
                prop_assert_eq!(&out, expected);
            }
        }
    }

    /// A panel packed when it is used is the one that was packed before.
    #[test]
    fn transient_panels_are_the_same(case in cases()) {
        let panels = Panels::pack(&case.weights, &Arena::default()).unwrap();
        let (input, _) = case.quantised(Isa::detect());
        let mut transient = Transient::default();
        let (mut a, mut b) = (vec![0.0; case.tokens.len() * ROWS], vec![0.0; case.tokens.len() * ROWS]);
        for panel in (0..case.weights.shape()[0].div_ceil(ROWS)).rev() {
            let made = transient.pack(&case.weights, panel);
            multiply(Isa::detect(), panels.panel(panel), &input, &case.tokens, &mut a, ROWS);
            multiply(Isa::detect(), made, &input, &case.tokens, &mut b, ROWS);
            prop_assert_eq!(&a, &b);
        }
    }
}

/// All 256 values of a byte, the extremes of both sides: nothing saturates.
#[test]
fn extremes_do_not_saturate() {
    let columns = 256;
    for byte in [0x80u8, 0x7f, 0xff, 0x00] {
        let mut raw = Vec::new();
        for _ in 0..columns / BLOCK {
            raw.extend(half::f16::from_f32(1.0).to_le_bytes());
            raw.extend([byte; BLOCK]);
        }
        let len = raw.len();
        let weights = TensorView::new("w", Dtype::Q8_0, vec![1, columns], std::sync::Arc::new(raw), 0..len);
        for x in [1.0f32, -1.0] {
            let case = Case {
                weights: weights.clone(),
                x: vec![x; columns],
                tokens: vec![0],
            };
            let panels = Panels::pack(&case.weights, &Arena::default()).unwrap();
            let expected = f32::from(byte.cast_signed()) * x * columns as f32;
            for isa in Isa::available() {
                let (input, _) = case.quantised(isa);
                let got = case.product(isa, &panels, &input)[0];
                assert!(
                    (got - expected).abs() <= expected.abs() * 1e-6,
                    "{isa:?}: {got}, not {expected}"
                );
            }
        }
    }
}
