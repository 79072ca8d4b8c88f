//! Weights on a card, in the types that kernels read.

use super::driver::Driver;
use super::memory::{Buffer, Card};
use crate::compute::ComputeError;
use crate::model::{Dtype, TensorRole, TensorView};

/// A weight, `[rows, columns]`, row-major; a norm is one row.
#[derive(Debug)]
pub struct Weight<D: Driver> {
    pub(super) dtype: Dtype,
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) buffer: Buffer<D>,
}

impl<D: Driver> Weight<D> {
    /// As it is stored where a kernel reads that type; f16, norms and routers in f32; other quantised types, which have no kernel,
    /// in bf16.
    pub(super) fn new(card: &Card<D>, view: &TensorView, role: TensorRole) -> Result<Self, ComputeError> {
        let (rows, columns) = match *view.shape() {
            [columns] => (1, columns),
            [rows, columns] => (rows, columns),
            _ => {
                return Err(ComputeError::Backend(format!(
                    "{} is neither a vector nor a matrix",
                    view.name()
                )));
            }
        };
        if !columns.is_multiple_of(8) {
            return Err(ComputeError::Backend(format!(
                "{} has rows of {columns}; on a graphics card they are multiples of 8",
                view.name()
            )));
        }
        let exact = matches!(role, TensorRole::Norm | TensorRole::Router);
        let dtype = match view.dtype() {
            Dtype::F32 | Dtype::F16 => Dtype::F32,
            _ if exact => Dtype::F32,
            dtype @ (Dtype::Bf16 | Dtype::Q8_0 | Dtype::Q4K | Dtype::Q6K) => dtype,
            Dtype::Q4_0 | Dtype::Q4_1 | Dtype::Q5_0 | Dtype::Q5_1 | Dtype::Q5K => Dtype::Bf16,
        };
        let buffer = if dtype == view.dtype() {
            card.upload(view.bytes())?
        } else {
            card.upload(TensorView::from_f32_as(view.name(), dtype, view.shape().to_vec(), &view.to_f32()).bytes())?
        };
        Ok(Self {
            dtype,
            rows,
            columns,
            buffer,
        })
    }

    /// A norm that changes no channel.
    pub(super) fn ones(card: &Card<D>, columns: usize) -> Result<Self, ComputeError> {
        Ok(Self {
            dtype: Dtype::F32,
            rows: 1,
            columns,
            buffer: card.upload_f32s(&vec![1.0; columns])?,
        })
    }

    /// What the names of the kernels that read it end in.
    pub(super) fn suffix(&self) -> &'static str {
        self.dtype.name()
    }
}
