//! Buffers that operations use again: what one token needs is allocated when the first is decoded.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::attention;
use super::lightning;
use super::moe;
use super::quantised::{Quantise, Quantised};
use super::simd::Isa;
use super::weight::{self, Input, Weight};

/// Buffers of the operations on one sequence.
#[derive(Debug, Default)]
pub struct Workspace {
    /// What a block makes of its input's norm.
    pub(super) normed: Activations,
    /// What a block makes of `x`, row by row; it becomes `x` when all of it is there.
    pub(super) result: Vec<f32>,
    /// 0, 1, 2, …: the tokens of a product that takes all.
    pub(super) all: Vec<u32>,
    pub(super) mixer: Mixer,
    pub(super) moe: moe::Buffers,
    pub(super) threads: Threads,
}

/// Buffers of a mixer.
#[derive(Debug, Default)]
pub(super) struct Mixer {
    /// Projections, `[tokens, width]` each.
    pub first: Vec<f32>,
    pub second: Vec<f32>,
    pub third: Vec<f32>,
    /// What comes out of the recurrence.
    pub heads: Vec<f32>,
    /// What goes into the output projection.
    pub mixed: Activations,
    pub attention: attention::Buffers,
}

/// Rows of activations, in 8 bits too if the weights want them so.
#[derive(Debug, Default)]
pub(super) struct Activations {
    /// `[rows, columns]`
    pub rows: Vec<f32>,
    pub quantised: Quantised,
}

impl Activations {
    pub fn input(&self) -> Input<'_> {
        Input {
            rows: &self.rows,
            quantised: &self.quantised,
            remainder: None,
        }
    }

    /// Makes room for `rows` rows that `weights` will be multiplied with; whether in 8 bits is the answer.
    pub fn resize(&mut self, rows: usize, columns: usize, weights: &[&Weight]) -> bool {
        self.rows.resize(rows * columns, 0.0);
        let quantised = weights.iter().any(|weight| weight.is_quantised());
        if quantised {
            self.quantised.resize(rows, columns);
        }
        quantised
    }

    /// Rounds the rows to 8 bits, and once more what that has left of each: the rest of row `i` is row `count + i`.
    pub fn quantise_with_rest(&mut self, isa: Isa, columns: usize, spare: &mut Vec<f32>) {
        let count = self.rows.len() / columns;
        self.quantised.resize(2 * count, columns);
        let blocks = self.quantised.writer();
        for (i, row) in self.rows.chunks_exact(columns).enumerate() {
            spare.clear();
            spare.extend_from_slice(row);
            for (row, remainder) in [(i, true), (count + i, false)] {
                // SAFETY: this thread alone writes.
                #[allow(unsafe_code)]
                let to = unsafe { blocks.row(row) };
                Quantise {
                    x: spare,
                    to,
                    remainder,
                }
                .run_on(isa);
            }
        }
    }
}

/// Buffers of each thread.
#[derive(Debug, Default)]
pub(super) struct Threads(Vec<Mutex<Thread>>);

#[derive(Debug, Default)]
pub(super) struct Thread {
    pub weight: weight::Scratch,
    /// A task's part of a product, `[tokens, 32]`.
    pub part: Vec<f32>,
    /// A second one.
    pub other: Vec<f32>,
    pub lightning: lightning::Scratch,
    pub attention: attention::Scratch,
}

impl Threads {
    pub fn new(threads: usize) -> Self {
        Self((0..threads).map(|_| Mutex::default()).collect())
    }

    /// The buffers of thread `thread`. No other asks for them meanwhile, so the lock is not waited for.
    pub fn of(&self, thread: usize) -> MutexGuard<'_, Thread> {
        self.0[thread].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The first `count` numbers of 0, 1, 2, ….
pub(super) fn all(ids: &mut Vec<u32>, count: usize) -> &[u32] {
    let known = ids.len() as u32;
    ids.extend(known..count.max(ids.len()) as u32);
    &ids[..count]
}
