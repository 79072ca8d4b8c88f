//! Weights on a card, in the types that kernels read.

use super::driver::{Driver, Source};
use super::memory::{Buffer, Card};
use crate::compute::ComputeError;
use crate::model::{Dtype, TensorRole, TensorView};

/// A weight, `[rows, columns]`, row-major; a norm is one row.
#[derive(Debug)]
pub struct Weight<D: Driver> {
    pub(super) dtype: Dtype,
    pub(super) rows: usize,
    pub(super) columns: usize,
    home: Home<D>,
}

/// Where a weight lies.
#[derive(Debug)]
enum Home<D: Driver> {
    Card(Buffer<D>),
    /// In the machine's memory or on its disk: a part of an expert, by the card that it goes to and its number there.
    Machine(usize, usize),
}

impl<D: Driver> Weight<D> {
    /// As it is stored where a kernel reads that type; f16, norms and routers in f32; other quantised types, which have no kernel,
    /// in bf16.
    pub(super) fn new(card: &Card<D>, view: &TensorView, role: TensorRole) -> Result<Self, ComputeError> {
        let source = stored(view, role)?;
        Ok(Self::of(&source, Home::Card(card.upload(source.bytes())?)))
    }

    /// A part of an expert that is copied to the card when it is needed: what is to be copied, and what stands for it.
    pub(super) fn elsewhere(view: &TensorView, card: usize, number: usize) -> Result<(Source, Self), ComputeError> {
        let source = stored(view, TensorRole::Expert)?;
        let weight = Self::of(&source, Home::Machine(card, number));
        Ok((source, weight))
    }

    fn of(source: &Source, home: Home<D>) -> Self {
        let (rows, columns) = match *source.shape() {
            [rows, columns] => (rows, columns),
            _ => (1, source.elements()),
        };
        Self {
            dtype: source.dtype(),
            rows,
            columns,
            home,
        }
    }

    /// # Panics
    /// Of experts: whether they are on the card is asked before ([`number`](Self::number)).
    pub(super) fn buffer(&self) -> &Buffer<D> {
        match &self.home {
            Home::Card(buffer) => buffer,
            Home::Machine(..) => unreachable!("only experts lie elsewhere"),
        }
    }

    /// Which part of which card's experts it is, if it does not lie on the card.
    pub(super) fn number(&self) -> Option<(usize, usize)> {
        match self.home {
            Home::Card(_) => None,
            Home::Machine(card, number) => Some((card, number)),
        }
    }

    /// What the names of the kernels that read it end in.
    pub(super) fn suffix(&self) -> &'static str {
        self.dtype.name()
    }
}

/// The type in which a weight lies on a card.
fn type_of(dtype: Dtype, role: TensorRole) -> Dtype {
    match dtype {
        Dtype::F32 | Dtype::F16 => Dtype::F32,
        _ if matches!(role, TensorRole::Norm | TensorRole::Router) => Dtype::F32,
        Dtype::Bf16 | Dtype::Q8_0 | Dtype::Q4K | Dtype::Q6K => dtype,
        Dtype::Q4_0 | Dtype::Q4_1 | Dtype::Q5_0 | Dtype::Q5_1 | Dtype::Q5K => Dtype::Bf16,
    }
}

/// Bytes that a weight takes on a card.
#[must_use]
pub fn bytes_on_card(view: &TensorView, role: TensorRole) -> usize {
    type_of(view.dtype(), role).row_bytes(view.elements())
}

/// A weight in the type that kernels read.
fn stored(view: &TensorView, role: TensorRole) -> Result<Source, ComputeError> {
    let wrong = |what: String| Err(ComputeError::Backend(format!("{} {what}", view.name())));
    let ([columns] | [_, columns]) = *view.shape() else {
        return wrong("is neither a vector nor a matrix".to_owned());
    };
    if !columns.is_multiple_of(8) {
        return wrong(format!(
            "has rows of {columns}; on a graphics card they are multiples of 8"
        ));
    }
    let dtype = type_of(view.dtype(), role);
    Ok(if dtype == view.dtype() {
        view.clone()
    } else {
        TensorView::from_f32_as(view.name(), dtype, view.shape().to_vec(), &view.to_f32())
    })
}
