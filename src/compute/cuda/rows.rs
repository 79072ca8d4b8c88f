//! Activations between blocks, and the norm that each block begins with.
//!
//! What a block adds is not added at its end: the next norm reads the residual and the addition together (`norm.cu`), so that
//! the stream passes memory once between two blocks.

use super::driver::{Address, Argument, Driver};
use super::memory::{Buffer, Card, arguments};
use super::weight::Weight;
use crate::compute::{Block, ComputeError};
use crate::model::Residual;

/// `[count, width]`: a residual, and what is to be added to it.
#[derive(Debug)]
pub struct Rows<D: Driver> {
    pub(super) count: usize,
    pub(super) width: usize,
    /// The last `count` rows of it.
    pub(super) stream: Buffer<D>,
    pub(super) pending: Option<Pending<D>>,
}

/// `x = alpha·r + beta·f` that has not been computed.
#[derive(Debug)]
pub(super) struct Pending<D: Driver> {
    pub outputs: Buffer<D>,
    /// Without it row `i` of the outputs is `f` of row `i`.
    pub mix: Option<Mix<D>>,
    /// `[count, width]`, a part of `f` that is not among the outputs.
    pub shared: Option<Buffer<D>>,
    pub residual: Residual,
}

/// `f` of a row is a sum of some outputs, each with a factor.
#[derive(Debug)]
pub(super) struct Mix<D: Driver> {
    /// `[rows, slots]`
    pub places: Buffer<D>,
    /// `[rows, slots]`
    pub factors: Buffer<D>,
    pub slots: usize,
}

/// A normed tile: what the block's residual starts from, and `h` in the types that products read.
pub(super) struct Normed<D: Driver> {
    pub residual: Buffer<D>,
    pub f32: Buffer<D>,
    pub bf16: Option<Buffer<D>>,
}

impl<D: Driver> Rows<D> {
    fn first(&self) -> Address {
        self.stream
            .at(self.stream.bytes() - self.count * self.width * size_of::<f32>())
    }

    /// Launches the norm; `next`, `normed` and `normed_f32` may be null.
    fn norm(
        &self,
        card: &Card<D>,
        (weight, eps): (Argument, f64),
        from_normed: bool,
        [next, normed, normed_f32]: [Argument; 3],
    ) -> Result<(), ComputeError> {
        let (outputs, alpha, beta) = match &self.pending {
            Some(pending) => (
                Argument::from(&pending.outputs),
                pending.residual.alpha as f32,
                pending.residual.beta as f32,
            ),
            None => (Argument::NULL, 1.0, 0.0),
        };
        let (places, factors, slots) = match self.pending.as_ref().and_then(|pending| pending.mix.as_ref()) {
            Some(mix) => (Argument::from(&mix.places), Argument::from(&mix.factors), mix.slots),
            None => (Argument::NULL, Argument::NULL, 0),
        };
        let shared = self.pending.as_ref().and_then(|pending| pending.shared.as_ref());
        if self.count == 0 {
            return Ok(());
        }
        card.driver.receive(self.stream.address())?;
        card.launch(
            "residual_norm",
            [self.count, 1, 1],
            arguments![
                self.first(),
                next,
                outputs,
                places,
                factors,
                slots,
                shared.map_or(Argument::NULL, Argument::from),
                weight,
                normed,
                normed_f32,
                alpha,
                beta,
                eps as f32,
                from_normed,
                self.width
            ],
        )
    }

    /// What a block begins with; `with_bf16` if products of many rows are to read it.
    pub(super) fn enter(
        &self,
        card: &Card<D>,
        block: Block<'_, Weight<D>>,
        with_bf16: bool,
    ) -> Result<Normed<D>, ComputeError> {
        let count = self.count * self.width;
        let normed = Normed {
            residual: card.f32s(count)?,
            f32: card.f32s(count)?,
            bf16: with_bf16.then(|| card.bf16s(count)).transpose()?,
        };
        let bf16 = normed.bf16.as_ref().map_or(Argument::NULL, Argument::from);
        self.norm(
            card,
            (Argument::from(block.norm.buffer()), block.eps),
            block.residual.from_normed,
            [Argument::from(&normed.residual), bf16, Argument::from(&normed.f32)],
        )?;
        Ok(normed)
    }

    /// The rows on their way to another card, with nothing pending.
    pub(super) fn send_to(&mut self, card: &Card<D>) -> Result<(), ComputeError> {
        if self.stream.is_on(card) {
            return Ok(());
        }
        self.stream = self.whole(&self.stream.card())?.sent_to(card)?;
        self.pending = None;
        Ok(())
    }

    /// `x` itself, `[count, width]`, on the card that it is on.
    pub(super) fn whole(&self, card: &Card<D>) -> Result<Buffer<D>, ComputeError> {
        let x = card.f32s(self.count * self.width)?;
        // Nobody reads what is normed, so that the rows themselves will do for its weight.
        self.norm(
            card,
            (Argument::from(self.first()), 1.0),
            false,
            [Argument::from(&x), Argument::NULL, Argument::NULL],
        )?;
        Ok(x)
    }
}
