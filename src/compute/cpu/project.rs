//! Products as parallel steps: tasks of 32 rows of a weight, taken by any thread.

use super::Cpu;
use std::ops::Range;

use super::disjoint::Disjoint;
use super::elementwise::{RmsNorm, Sigmoid, Silu};
use super::quantised::Quantise;
use super::simd::Isa;
use super::weight::{Input, ROWS, Weight};
use super::workspace::{Activations, Thread, Threads};
use crate::compute::{Interrupt, Interrupted};

/// Multiply-adds under which waking threads costs more than it saves.
const WORTH_THREADS: usize = 1 << 16;
/// Rows that a task norms.
const NORM_ROWS: usize = 8;

/// What becomes of a product.
#[derive(Debug, Clone, Copy)]
pub(super) enum Activation {
    None,
    Silu,
    Sigmoid,
}

impl Activation {
    fn apply(self, isa: Isa, x: &mut [f32]) {
        match self {
            Self::None => (),
            Self::Silu => isa.run(Silu(x)),
            Self::Sigmoid => isa.run(Sigmoid(x)),
        }
    }
}

/// `out[i] = activation(weight·x[tokens[i]])`, `out` being `[tokens, weight.rows()]`.
pub(super) struct Projection<'a> {
    pub weight: &'a Weight,
    pub input: Input<'a>,
    pub tokens: &'a [u32],
    pub activation: Activation,
    pub out: &'a mut [f32],
}

impl Cpu {
    /// Runs `task(i, buffers of the thread)` for `i` below `tasks`, on one thread if all of it is less than `work`
    /// multiply-adds are worth.
    ///
    /// # Errors
    /// If `interrupt` is raised before the last task has begun; tasks are then left out.
    pub(super) fn step(
        &self,
        threads: &Threads,
        tasks: usize,
        work: usize,
        interrupt: &Interrupt,
        task: impl Fn(usize, &mut Thread) + Sync,
    ) -> Result<(), Interrupted> {
        self.step_by_runs(threads, tasks, work, interrupt, |range, buffers| {
            for i in range {
                if interrupt.is_raised() {
                    return;
                }
                task(i, buffers);
            }
        })
    }

    /// The same with `run(tasks, buffers of the thread)` for tasks that follow each other.
    pub(super) fn step_by_runs(
        &self,
        threads: &Threads,
        tasks: usize,
        work: usize,
        interrupt: &Interrupt,
        run: impl Fn(Range<usize>, &mut Thread) + Sync,
    ) -> Result<(), Interrupted> {
        let some = |thread: usize, range: Range<usize>| {
            if !interrupt.is_raised() {
                run(range, &mut threads.of(thread));
            }
        };
        if work < WORTH_THREADS {
            some(0, 0..tasks);
        } else {
            self.pool.run(tasks, some);
        }
        interrupt.check()
    }

    /// All of `projections` in one step.
    pub(super) fn project<const N: usize>(
        &self,
        threads: &Threads,
        projections: [Projection<'_>; N],
        interrupt: &Interrupt,
    ) -> Result<(), Interrupted> {
        let work = projections
            .iter()
            .map(|p| p.weight.rows() * p.weight.columns() * p.tokens.len())
            .sum();
        let mut tasks = 0;
        let parts = projections.map(|p| {
            let first = tasks;
            tasks += if p.tokens.is_empty() { 0 } else { p.weight.tasks() };
            assert_eq!(p.out.len(), p.tokens.len() * p.weight.rows(), "room for the product");
            (
                first..tasks,
                p.weight,
                p.input,
                p.tokens,
                p.activation,
                Disjoint::new(p.out),
            )
        });
        let one = parts.iter().all(|part| part.3.len() <= 1 && part.1.is_packed());
        if one {
            return self.step_by_runs(threads, tasks, work, interrupt, |run, _| {
                for (range, weight, input, tokens, activation, out) in &parts {
                    let (start, end) = (run.start.max(range.start), run.end.min(range.end));
                    if start >= end {
                        continue;
                    }
                    let these = start - range.start..end - range.start;
                    let rows = weight.made_by(&these);
                    // SAFETY: these rows belong to these tasks.
                    #[allow(unsafe_code)]
                    let out = unsafe { out.part(rows.start, rows.len()) };
                    weight.multiply_one(self.isa, *input, tokens[0], these, out);
                    activation.apply(self.isa, out);
                }
            });
        }
        self.step(threads, tasks, work, interrupt, |i, thread| {
            let (range, weight, input, tokens, activation, out) = parts
                .iter()
                .find(|part| part.0.contains(&i))
                .expect("each task belongs to a projection");
            let task = i - range.start;
            let part = &mut thread.part;
            part.resize(tokens.len() * ROWS, 0.0);
            weight.multiply(self.isa, *input, tokens, task, &mut thread.weight, part);
            activation.apply(self.isa, part);
            let width = weight.width(task);
            for (i, part) in part.as_chunks::<ROWS>().0.iter().enumerate() {
                // SAFETY: these columns of `out` belong to this task.
                #[allow(unsafe_code)]
                let out = unsafe { out.part(i * weight.rows() + task * ROWS, width) };
                match <&mut [f32; ROWS]>::try_from(&mut *out) {
                    // All but the last task of a weight: so few numbers are copied faster than a function is called.
                    Ok(out) => *out = *part,
                    Err(_) => out.copy_from_slice(&part[..width]),
                }
            }
        })
    }

    /// `out[i] = alpha·r[i] + beta·weight·x[i]`: the end of a mixer. `r` and `out` are `[tokens, weight.rows()]`.
    pub(super) fn project_residual(
        &self,
        threads: &Threads,
        weight: &Weight,
        input: Input<'_>,
        tokens: &[u32],
        (alpha, r): (f32, &[f32]),
        beta: f32,
        out: &mut [f32],
        interrupt: &Interrupt,
    ) -> Result<(), Interrupted> {
        let work = weight.rows() * weight.columns() * tokens.len();
        let rows = weight.rows();
        let out = Disjoint::new(out);
        if let [token] = *tokens
            && weight.is_packed()
        {
            return self.step_by_runs(threads, weight.tasks(), work, interrupt, |run, thread| {
                let rows = weight.made_by(&run);
                let part = &mut thread.part;
                part.resize(rows.len(), 0.0);
                weight.multiply_one(self.isa, input, token, run, part);
                // SAFETY: these rows belong to these tasks.
                #[allow(unsafe_code)]
                let out = unsafe { out.part(rows.start, rows.len()) };
                for ((out, r), f) in out.iter_mut().zip(&r[rows]).zip(&*part) {
                    *out = alpha * r + beta * f;
                }
            });
        }
        self.step(threads, weight.tasks(), work, interrupt, |task, thread| {
            let part = &mut thread.part;
            part.resize(tokens.len() * ROWS, 0.0);
            weight.multiply(self.isa, input, tokens, task, &mut thread.weight, part);
            let width = weight.width(task);
            for (i, part) in part.chunks_exact(ROWS).enumerate() {
                let at = i * rows + task * ROWS;
                // SAFETY: these columns of `out` belong to this task.
                #[allow(unsafe_code)]
                let out = unsafe { out.part(at, width) };
                for ((out, r), f) in out.iter_mut().zip(&r[at..at + width]).zip(part) {
                    *out = alpha * r + beta * f;
                }
            }
        })
    }

    /// Makes `out` the norm of the rows of `x`, as `weights` want it.
    pub(super) fn normalise(
        &self,
        threads: &Threads,
        x: &[f32],
        (norm, eps): (&Weight, f64),
        weights: &[&Weight],
        out: &mut Activations,
        interrupt: &Interrupt,
    ) -> Result<(), Interrupted> {
        let factors = norm.factors();
        let width = factors.len();
        let tokens = x.len() / width;
        let quantise = out.resize(tokens, width, weights);
        self.rows(threads, out, tokens, quantise, interrupt, |i, row, _| {
            row.copy_from_slice(&x[i * width..][..width]);
            self.isa.run(RmsNorm {
                rows: row,
                weight: factors,
                eps,
            });
        })
    }

    /// Fills each row of `out` with `fill(index, row, buffers of the thread)` and rounds it if `quantise`.
    pub(super) fn rows(
        &self,
        threads: &Threads,
        out: &mut Activations,
        tokens: usize,
        quantise: bool,
        interrupt: &Interrupt,
        fill: impl Fn(usize, &mut [f32], &mut Thread) + Sync,
    ) -> Result<(), Interrupted> {
        if tokens == 0 {
            return Ok(());
        }
        let width = out.rows.len() / tokens;
        let rows = Disjoint::new(&mut out.rows);
        let blocks = out.quantised.writer();
        // An element costs about as much as 16 multiply-adds.
        let work = 16 * tokens * width;
        self.step(threads, tokens.div_ceil(NORM_ROWS), work, interrupt, |task, thread| {
            for i in task * NORM_ROWS..tokens.min((task + 1) * NORM_ROWS) {
                // SAFETY: a row belongs to one task.
                #[allow(unsafe_code)]
                let row = unsafe { rows.part(i * width, width) };
                fill(i, row, thread);
                if quantise {
                    // SAFETY: as above.
                    #[allow(unsafe_code)]
                    let to = unsafe { blocks.row(i) };
                    Quantise {
                        x: row,
                        to,
                        remainder: false,
                    }
                    .run_on(self.isa);
                }
            }
        })
    }
}
