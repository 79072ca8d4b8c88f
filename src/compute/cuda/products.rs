//! Products of activations with weights: of few rows in f32, of many on the tensor cores.

use super::driver::{Address, Driver};
use super::memory::{Buffer, Card, arguments};
use super::weight::Weight;
use crate::compute::ComputeError;

/// As many rows pass as single tokens do: activations stay in f32, and nothing is rounded but the cache.
pub(super) const FEW: usize = 4;
/// Shared memory of the products of many rows.
pub(super) const GEMM_SHARED: usize = 48 << 10;
/// Rows and outputs of a tile of theirs.
pub(super) const GEMM_TILE: usize = 128;

/// What becomes of a product of many rows.
#[derive(Debug, Clone, Copy)]
pub(super) enum Result16 {
    Bf16,
    Silu,
}

impl<D: Driver> Card<D> {
    /// `x·wᵀ`, f32 `[rows, w.rows]`, of rows in f32, [`FEW`] at a time.
    pub(super) fn gemv(&self, w: &Weight<D>, x: Address, rows: usize) -> Result<Buffer<D>, ComputeError> {
        let y = self.f32s(rows * w.rows)?;
        for first in (0..rows).step_by(FEW) {
            let count = FEW.min(rows - first);
            let (kernel, outputs) = if count == 1 { ("gemv", 32) } else { ("gemv4", 16) };
            let x = x + (first * w.columns * size_of::<f32>()) as Address;
            let y = y.at(first * w.rows * size_of::<f32>());
            self.launch(
                &format!("{kernel}_{}", w.suffix()),
                [w.rows.div_ceil(outputs), 1, 1],
                arguments![w.buffer(), x, y, count, w.rows, w.columns],
            )?;
        }
        Ok(y)
    }

    /// `x·wᵀ`, f32 `[rows, w.rows]`, of rows in bf16.
    pub(super) fn gemm(&self, w: &Weight<D>, x: Address, rows: usize) -> Result<Buffer<D>, ComputeError> {
        let y = self.f32s(rows * w.rows)?;
        self.gemm_into(w, x, rows, "f32", &y)?;
        Ok(y)
    }

    /// The same in bf16.
    pub(super) fn gemm16(
        &self,
        w: &Weight<D>,
        x: Address,
        rows: usize,
        result: Result16,
    ) -> Result<Buffer<D>, ComputeError> {
        let y = self.bf16s(rows * w.rows)?;
        let result = match result {
            Result16::Bf16 => "bf16",
            Result16::Silu => "silu",
        };
        self.gemm_into(w, x, rows, result, &y)?;
        Ok(y)
    }

    fn gemm_into(
        &self,
        w: &Weight<D>,
        x: Address,
        rows: usize,
        result: &str,
        y: &Buffer<D>,
    ) -> Result<(), ComputeError> {
        if rows == 0 {
            return Ok(());
        }
        self.launch_with(
            &format!("gemm_{}_{result}", w.suffix()),
            [rows.div_ceil(GEMM_TILE), w.rows.div_ceil(GEMM_TILE), 1],
            super::memory::THREADS,
            GEMM_SHARED,
            arguments![w.buffer(), x, y, rows, w.rows, w.columns],
        )
    }
}
