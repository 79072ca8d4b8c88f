//! A weight as the products use it.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::arena::Arena;
use super::gemm::{Gemm, Mat, MatMut, PANEL};
use super::quantised::{self, Panel, Panels, Quantised, Transient};
use super::simd::{Isa, Kernel, mul_add};
use crate::compute::Expectation;
use crate::model::{Dtype, TensorRole, TensorView};

/// Rows of a product's result that one task computes: a panel of floats, two panels of quantised weights, and one block of
/// activations if they are rounded next.
pub(super) const ROWS: usize = 32;
/// Below this many tokens a row of floats is used as it is widened, without transposing it.
const FEW_TOKENS: usize = 4;
/// Rows of a table that are read before its pages are let go: each maps 64 KiB of the file.
const LOOKED_UP: usize = 64;
/// Tokens that are gathered for a product with floats at once, so that they stay in the second-level cache.
const GATHERED: usize = 64;

/// A weight: where it lies in the file, and what has been made of it.
#[derive(Debug)]
pub struct Weight {
    view: TensorView,
    panels: Option<Panels>,
    /// A norm's factors.
    factors: Vec<f32>,
    /// Rows that have been looked up since the table's pages were let go; none if products read them too.
    looked_up: Option<AtomicUsize>,
}

/// Activations of some rows, in as many forms as the weights that they meet want.
#[derive(Clone, Copy)]
pub(super) struct Input<'a> {
    /// `[rows, columns]`
    pub rows: &'a [f32],
    pub quantised: &'a Quantised,
    /// What rounding to 8 bits has left of token `t`, rounded once more, is row `t + remainder` of `quantised`: with it the product is
    /// as exact as with f32.
    pub remainder: Option<u32>,
}

/// Buffers of one thread.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// A panel of float weights, transposed, and one row of it.
    panel: Vec<f32>,
    gathered: Vec<f32>,
    /// A panel of quantised weights that are not kept in panels.
    transient: Transient,
}

impl Weight {
    /// With an arena quantised matrices are copied into panels there; otherwise that is done for each use.
    pub(super) fn new(view: TensorView, role: TensorRole, arena: Option<&Arena>) -> std::io::Result<Self> {
        let is_matrix = matches!(
            role,
            TensorRole::Matrix | TensorRole::Expert | TensorRole::Router | TensorRole::TableAndMatrix
        );
        let panels = match arena {
            Some(arena) if is_matrix && Panels::fit(view.dtype(), view.shape()[1]) => Some(Panels::pack(&view, arena)?),
            _ => None,
        };
        if panels.is_some() {
            view.release();
        }
        Ok(Self {
            factors: if role == TensorRole::Norm {
                view.to_f32()
            } else {
                Vec::new()
            },
            looked_up: (panels.is_some() || role == TensorRole::Table).then(AtomicUsize::default),
            panels,
            view,
        })
    }

    /// Reads ahead what is used where it lies in the file, or lets it go.
    pub(super) fn expect(&self, expectation: Expectation) {
        if self.panels.is_some() || !self.factors.is_empty() {
            return;
        }
        match expectation {
            Expectation::Soon => self.view.will_need(),
            Expectation::NotForAWhile => self.view.release(),
        }
    }

    /// The factors of a norm.
    pub fn factors(&self) -> &[f32] {
        &self.factors
    }

    /// Rows `ids` of a table, one after the other. They are read from the file, where the rest of it takes no memory even if it is a
    /// matrix too.
    pub fn look_up(&self, ids: &[u32], out: &mut [f32]) {
        for (id, row) in ids.iter().zip(out.chunks_exact_mut(self.columns())) {
            self.view.dtype().widen(self.view.row(*id as usize), row);
        }
        if let Some(looked_up) = &self.looked_up
            && looked_up.fetch_add(ids.len(), Ordering::Relaxed) + ids.len() >= LOOKED_UP
        {
            looked_up.store(0, Ordering::Relaxed);
            self.view.release();
        }
    }

    pub fn rows(&self) -> usize {
        self.view.shape()[0]
    }

    pub fn columns(&self) -> usize {
        self.view.shape()[1]
    }

    /// Multiplies activations of 8 bits.
    pub fn is_quantised(&self) -> bool {
        Panels::fit(self.view.dtype(), self.columns())
    }

    /// Tasks that make a whole product.
    pub fn tasks(&self) -> usize {
        self.rows().div_ceil(ROWS)
    }

    /// Rows that task `task` makes.
    pub fn width(&self, task: usize) -> usize {
        ROWS.min(self.rows() - task * ROWS)
    }

    /// `out[i, r]` = row `task·32 + r` of the weight times activations `tokens[i]`, which ascend; `out` is `[tokens, 32]`, and what is beyond
    /// [`width`](Self::width) unspecified.
    pub(super) fn multiply(
        &self,
        isa: Isa,
        input: Input<'_>,
        tokens: &[u32],
        task: usize,
        scratch: &mut Scratch,
        out: &mut [f32],
    ) {
        if !self.is_quantised() {
            return self.multiply_floats(isa, input.rows, tokens, task, scratch, out);
        }
        let halves = self.width(task).div_ceil(quantised::ROWS);
        for half in 0..halves {
            let panel = 2 * task + half;
            let panel = match &self.panels {
                Some(panels) => panels.panel(panel),
                None => scratch.transient.pack(&self.view, panel),
            };
            let out = &mut out[half * quantised::ROWS..];
            match input.remainder {
                None => quantised::multiply(isa, panel, input.quantised, tokens, out, ROWS),
                Some(remainder) => {
                    for (tokens, out) in tokens.chunks(PAIRS).zip(out.chunks_mut(PAIRS * ROWS)) {
                        multiply_twice(isa, panel, input.quantised, remainder, tokens, out);
                    }
                }
            }
        }
    }

    /// Whether [`multiply_one`](Self::multiply_one) can be asked.
    pub(super) fn is_packed(&self) -> bool {
        self.panels.is_some()
    }

    /// `out` = the rows that `tasks` make, times activations `token`: the numbers of [`multiply`](Self::multiply), task after task. Nothing
    /// is done if the weight is not packed.
    pub(super) fn multiply_one(&self, isa: Isa, input: Input<'_>, token: u32, tasks: Range<usize>, out: &mut [f32]) {
        let Some(panels) = &self.panels else { return };
        let product = |panel: usize, out: &mut [f32; quantised::ROWS]| {
            let panel = panels.panel(tasks.start * ROWS / quantised::ROWS + panel);
            match input.remainder {
                None => quantised::multiply(isa, panel, input.quantised, &[token], out, ROWS),
                Some(remainder) => multiply_twice(isa, panel, input.quantised, remainder, &[token], out),
            }
        };
        let (whole, tail) = out.as_chunks_mut();
        for (panel, out) in whole.iter_mut().enumerate() {
            product(panel, out);
        }
        if !tail.is_empty() {
            let mut last = [0.0; quantised::ROWS];
            product(whole.len(), &mut last);
            tail.copy_from_slice(&last[..tail.len()]);
        }
    }

    /// Rows that `tasks` make.
    pub(super) fn made_by(&self, tasks: &Range<usize>) -> Range<usize> {
        tasks.start * ROWS..self.rows().min(tasks.end * ROWS)
    }

    fn multiply_floats(
        &self,
        isa: Isa,
        rows: &[f32],
        tokens: &[u32],
        task: usize,
        scratch: &mut Scratch,
        out: &mut [f32],
    ) {
        let columns = self.columns();
        let (first, count) = (task * ROWS, self.width(task));
        scratch.panel.resize(columns * (PANEL + 1), 0.0);
        let (panel, row) = scratch.panel.split_at_mut(columns * PANEL);
        if tokens.len() < FEW_TOKENS {
            for r in 0..count {
                isa.run(Dots {
                    dtype: self.view.dtype(),
                    bytes: self.view.row(first + r),
                    row,
                    x: rows,
                    tokens,
                    y: &mut out[r..],
                });
            }
            return;
        }
        isa.run(PackPanel {
            view: &self.view,
            first,
            count,
            row,
            panel,
        });
        // Tokens ascend, so those that span as many as they are follow each other and need not be gathered.
        let (start, end) = (tokens[0] as usize, tokens[tokens.len() - 1] as usize + 1);
        let consecutive = (end - start == tokens.len()).then(|| &rows[start * columns..end * columns]);
        let some = if consecutive.is_some() { tokens.len() } else { GATHERED };
        for (tokens, out) in tokens.chunks(some).zip(out.chunks_mut(some * ROWS)) {
            if consecutive.is_none() {
                scratch.gathered.clear();
                for token in tokens {
                    let row = &rows[*token as usize * columns..][..columns];
                    scratch.gathered.extend_from_slice(row);
                }
            }
            Gemm {
                a: Mat {
                    data: consecutive.unwrap_or(&scratch.gathered),
                    stride: columns,
                },
                b: Mat {
                    data: panel,
                    stride: PANEL,
                },
                c: MatMut {
                    data: out,
                    stride: ROWS,
                },
                m: tokens.len(),
                n: PANEL,
                k: columns,
                accumulate: false,
            }
            .run_on(isa);
        }
    }
}

/// Tokens that are multiplied together with what rounding has left of them.
const PAIRS: usize = quantised::GROUP / 2;

/// A panel times at most [`PAIRS`] tokens and what rounding has left of them, which is `remainder` rows further: the weights are
/// read once.
fn multiply_twice(isa: Isa, panel: Panel<'_>, input: &Quantised, remainder: u32, tokens: &[u32], out: &mut [f32]) {
    let count = tokens.len();
    let mut rows = [0; 2 * PAIRS];
    rows[..count].copy_from_slice(tokens);
    for (row, token) in rows[count..].iter_mut().zip(tokens) {
        *row = token + remainder;
    }
    let mut products = [0.0; 2 * PAIRS * quantised::ROWS];
    quantised::multiply(isa, panel, input, &rows[..2 * count], &mut products, quantised::ROWS);
    let (first, second) = products.split_at(count * quantised::ROWS);
    let pairs = first.chunks(quantised::ROWS).zip(second.chunks(quantised::ROWS));
    for (out, (first, second)) in out.chunks_mut(ROWS).zip(pairs) {
        for (out, (first, second)) in out.iter_mut().zip(first.iter().zip(second)) {
            *out = first + second;
        }
    }
}

/// Rows `first..first + count` of a matrix as f32, transposed to `[columns, PANEL]`.
struct PackPanel<'a> {
    view: &'a TensorView,
    first: usize,
    count: usize,
    row: &'a mut [f32],
    panel: &'a mut [f32],
}

impl Kernel for PackPanel<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for r in 0..self.count {
            self.view.dtype().widen(self.view.row(self.first + r), self.row);
            for (column, value) in self.panel.as_chunks_mut::<PANEL>().0.iter_mut().zip(&*self.row) {
                column[r] = *value;
            }
        }
    }
}

/// One row of a matrix against a few tokens: `y[32·i] = x[tokens[i]] · row`.
struct Dots<'a> {
    dtype: Dtype,
    bytes: &'a [u8],
    row: &'a mut [f32],
    x: &'a [f32],
    tokens: &'a [u32],
    y: &'a mut [f32],
}

impl Kernel for Dots<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        if self.dtype == Dtype::F32 {
            // The router's type: nothing to widen, and it is read for each token.
            let row = self.bytes.as_chunks::<4>().0;
            for (i, token) in self.tokens.iter().enumerate() {
                let x = &self.x[*token as usize * row.len()..][..row.len()];
                self.y[i * ROWS] = dot_with::<FMA, _>(x, row, |b| f32::from_le_bytes(*b));
            }
            return;
        }
        self.dtype.widen(self.bytes, self.row);
        for (i, token) in self.tokens.iter().enumerate() {
            let x = &self.x[*token as usize * self.row.len()..][..self.row.len()];
            self.y[i * ROWS] = dot::<FMA>(x, self.row);
        }
    }
}

/// `a · b` with enough independent sums to fill the pipeline.
#[inline(always)]
pub(super) fn dot<const FMA: bool>(a: &[f32], b: &[f32]) -> f32 {
    dot_with::<FMA, _>(a, b, |b| *b)
}

/// The same with `b` made numbers of as it is read.
#[inline(always)]
fn dot_with<const FMA: bool, B>(a: &[f32], b: &[B], number: impl Fn(&B) -> f32) -> f32 {
    const LANES: usize = 64;
    let mut acc = [0.0f32; LANES];
    let (a_chunks, a_tail) = a.as_chunks::<LANES>();
    let (b_chunks, b_tail) = b.as_chunks::<LANES>();
    for (a, b) in a_chunks.iter().zip(b_chunks) {
        for i in 0..LANES {
            acc[i] = mul_add::<FMA>(a[i], number(&b[i]), acc[i]);
        }
    }
    let mut sum: f32 = a_tail.iter().zip(b_tail).map(|(a, b)| a * number(b)).sum();
    for lane in acc {
        sum += lane;
    }
    sum
}
