//! Activations times a stored weight: `y[T, N] = x[T, K]·W[N, K]ᵀ`.
//!
//! W stays as it lies in the file. A panel of its rows is widened to f32 and transposed into scratch that fits the
//! first-level cache, then multiplied with all tokens at hand. Many tokens are split over threads by token; few tokens
//! by rows of W, so that decode reads each weight once.

use rayon::prelude::*;

use super::Cpu;
use super::gemm::{Gemm, Mat, MatMut, PANEL};
use super::simd::{Isa, Kernel, mul_add};
use crate::compute::{Interrupt, Interrupted};
use crate::model::{Dtype, TensorView};

/// Below this many tokens a row of W is used as it is widened, without transposing it.
const FEW_TOKENS: usize = 4;
/// Multiply-adds under which waking a thread costs more than it saves.
const WORTH_A_THREAD: usize = 1 << 18;

impl Cpu {
    /// `x` is `[tokens, K]`; the result is `[tokens, N]`.
    pub(super) fn matmul(&self, x: &[f32], w: &TensorView, interrupt: &Interrupt) -> Result<Vec<f32>, Interrupted> {
        let &[n, k] = w.shape() else {
            unreachable!("weights of a product are matrices; the loader has checked their shapes")
        };
        let tokens = x.len() / k;
        let mut y = vec![0.0; tokens * n];
        if tokens == 0 {
            return Ok(y);
        }
        let threads = self.threads().min(tokens * n * k / WORTH_A_THREAD).max(1);
        if threads == 1 {
            multiply(self.isa, x, w, 0..n, &mut y, interrupt)?;
        } else if tokens >= threads * PANEL {
            let share = tokens.div_ceil(threads);
            self.pool.install(|| {
                y.par_chunks_mut(share * n)
                    .zip(x.par_chunks(share * k))
                    .try_for_each(|(y, x)| multiply(self.isa, x, w, 0..n, y, interrupt))
            })?;
        } else {
            // Rows of W in shares of whole panels; each share is its own [tokens, rows] block, put in place at the end.
            let share = n.div_ceil(threads * 4).next_multiple_of(PANEL);
            let blocks = self.pool.install(|| {
                (0..n.div_ceil(share))
                    .into_par_iter()
                    .map(|i| {
                        let rows = i * share..n.min((i + 1) * share);
                        let mut block = vec![0.0; tokens * rows.len()];
                        multiply(self.isa, x, w, rows, &mut block, interrupt)?;
                        Ok(block)
                    })
                    .collect::<Result<Vec<_>, Interrupted>>()
            })?;
            for (i, block) in blocks.iter().enumerate() {
                let width = block.len() / tokens;
                for (y, block) in y.chunks_exact_mut(n).zip(block.chunks_exact(width)) {
                    y[i * share..][..width].copy_from_slice(block);
                }
            }
        }
        Ok(y)
    }
}

/// One thread's part: rows `rows` of W for all tokens of `x`, into `y` `[tokens, rows]`.
fn multiply(
    isa: Isa,
    x: &[f32],
    w: &TensorView,
    rows: std::ops::Range<usize>,
    y: &mut [f32],
    interrupt: &Interrupt,
) -> Result<(), Interrupted> {
    let k = w.shape()[1];
    let tokens = x.len() / k;
    let width = rows.len();
    if tokens < FEW_TOKENS {
        let mut row = vec![0.0; k];
        for (i, r) in rows.enumerate() {
            if i % PANEL == 0 {
                interrupt.check()?;
            }
            isa.run(Dots {
                dtype: w.dtype(),
                bytes: w.row(r),
                row: &mut row,
                x,
                y: &mut y[i..],
                stride: width,
            });
        }
        return Ok(());
    }
    let mut scratch = vec![0.0; k * (PANEL + 1)];
    let (panel, row) = scratch.split_at_mut(k * PANEL);
    for start in rows.clone().step_by(PANEL) {
        interrupt.check()?;
        let count = PANEL.min(rows.end - start);
        isa.run(PackPanel {
            w,
            start,
            count,
            row,
            panel,
        });
        let column = start - rows.start;
        Gemm {
            a: Mat { data: x, stride: k },
            b: Mat {
                data: panel,
                stride: PANEL,
            },
            c: MatMut {
                data: &mut y[column..],
                stride: width,
            },
            m: tokens,
            n: count,
            k,
            accumulate: false,
        }
        .run_on(isa);
    }
    Ok(())
}

/// Rows `start..start + count` of W as f32, transposed to `[K, PANEL]`.
struct PackPanel<'a> {
    w: &'a TensorView,
    start: usize,
    count: usize,
    row: &'a mut [f32],
    panel: &'a mut [f32],
}

impl Kernel for PackPanel<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for r in 0..self.count {
            self.w.dtype().widen(self.w.row(self.start + r), self.row);
            for (column, value) in self.panel.as_chunks_mut::<PANEL>().0.iter_mut().zip(&*self.row) {
                column[r] = *value;
            }
        }
    }
}

/// One row of W against a few tokens: `y[t·stride] = x_t · row`.
struct Dots<'a> {
    dtype: Dtype,
    bytes: &'a [u8],
    row: &'a mut [f32],
    x: &'a [f32],
    y: &'a mut [f32],
    stride: usize,
}

impl Kernel for Dots<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        self.dtype.widen(self.bytes, self.row);
        for (t, x) in self.x.chunks_exact(self.row.len()).enumerate() {
            self.y[t * self.stride] = dot::<FMA>(x, self.row);
        }
    }
}

/// `a · b` with enough independent sums to fill the pipeline.
#[inline(always)]
pub(super) fn dot<const FMA: bool>(a: &[f32], b: &[f32]) -> f32 {
    const LANES: usize = 64;
    let mut acc = [0.0f32; LANES];
    let (a_chunks, a_tail) = a.as_chunks::<LANES>();
    let (b_chunks, b_tail) = b.as_chunks::<LANES>();
    for (a, b) in a_chunks.iter().zip(b_chunks) {
        for i in 0..LANES {
            acc[i] = mul_add::<FMA>(a[i], b[i], acc[i]);
        }
    }
    let mut sum: f32 = a_tail.iter().zip(b_tail).map(|(a, b)| a * b).sum();
    for lane in acc {
        sum += lane;
    }
    sum
}
