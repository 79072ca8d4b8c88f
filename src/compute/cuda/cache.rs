//! Keys and values of one softmax layer on a card.
//!
//! Positions below a limit are stored in bf16, the others in 8 bits with a scale for each head of each token (`rope.cu`); heads
//! come first, so that what attention reads of a head is one run. Or all in f32, as they come, `[positions, kv_heads, dim]`. Room
//! doubles when it runs out, up to the context that was planned for.

use super::driver::{Address, Argument, Driver};
use super::ensure;
use super::memory::{Buffer, Card};
use crate::compute::ComputeError;
use crate::compute::cpu::KvType;
use crate::model::Softmax;

/// Positions in bf16 if nothing else is asked for; as on the CPU.
const LONG: usize = 128 << 10;
/// What room is a multiple of: the steps of attention do not straddle the two types.
const STEP: usize = 64;

/// Keys, rotated, and values of one layer.
#[derive(Debug)]
pub struct KvCache<D: Driver> {
    pub(super) kv_heads: usize,
    dim: usize,
    /// All in f32, in the place of what is near; nothing is far.
    pub(super) exact: bool,
    /// The first position in 8 bits.
    limit: usize,
    /// Tokens that were planned for.
    context: usize,
    pub(super) len: usize,
    near: usize,
    far: usize,
    /// Keys and values.
    parts: [Part<D>; 2],
}

/// What lies together of each head.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// Of the first head.
    pub address: Address,
    /// Tokens from one head to the next.
    pub room: usize,
    /// Of a token.
    pub bytes: usize,
}

/// The first position that is stored in 8 bits.
pub(super) fn limit(kind: KvType) -> usize {
    match kind {
        KvType::Auto => LONG,
        KvType::F32 | KvType::Bf16 => usize::MAX,
        KvType::Q8 => 0,
    }
}

#[derive(Debug)]
struct Part<D: Driver> {
    /// bf16 `[kv_heads, near, dim]`
    near: Buffer<D>,
    /// `[kv_heads, far, dim]`
    far: Buffer<D>,
    /// f32 `[kv_heads, far]`
    scales: Buffer<D>,
}

impl<D: Driver> Part<D> {
    fn new(card: &Card<D>, kv_heads: usize, dim: usize, near: usize, far: usize) -> Result<Self, ComputeError> {
        Ok(Self {
            near: card.bf16s(kv_heads * near * dim)?,
            far: card.empty(kv_heads * far * dim)?,
            scales: card.f32s(kv_heads * far)?,
        })
    }
}

impl<D: Driver> KvCache<D> {
    pub(super) fn new(card: &Card<D>, spec: &Softmax, kind: KvType, context: usize) -> Result<Self, ComputeError> {
        let (kv_heads, dim) = (spec.kv_heads, spec.head_dim);
        let limit = limit(kind);
        ensure(limit == usize::MAX || dim.is_multiple_of(16), || {
            format!("keys of {dim} channels in 8 bits: on a graphics card they are a multiple of 16")
        })?;
        let part = || Part::new(card, kv_heads, dim, 0, 0);
        Ok(Self {
            kv_heads,
            dim,
            exact: kind == KvType::F32,
            limit,
            context,
            len: 0,
            near: 0,
            far: 0,
            parts: [part()?, part()?],
        })
    }

    /// The card that they are on.
    pub(super) fn card(&self) -> Card<D> {
        self.parts[0].near.card()
    }

    pub(super) fn is_on(&self, card: &Card<D>) -> bool {
        self.parts[0].near.is_on(card)
    }

    /// Moves keys and values to another card.
    pub(super) fn move_to(&mut self, card: &Card<D>) -> Result<(), ComputeError> {
        for part in &mut self.parts {
            for buffer in [&mut part.near, &mut part.far, &mut part.scales] {
                if !buffer.is_on(card) {
                    *buffer = buffer.moved_to(card)?;
                }
            }
        }
        Ok(())
    }

    /// Makes room for `len` tokens.
    pub(super) fn reserve(&mut self, card: &Card<D>, len: usize) -> Result<(), ComputeError> {
        let room = self.near + self.far;
        if len <= room {
            return Ok(());
        }
        let room = len.max((2 * room).min(self.context)).next_multiple_of(STEP);
        if self.exact {
            let row = self.row_bytes();
            for part in &mut self.parts {
                let new = card.empty(room * row)?;
                if self.len > 0 {
                    card.driver.copy(part.near.address(), new.address(), self.len * row)?;
                }
                part.near = new;
            }
            self.near = room;
            return Ok(());
        }
        let near = room.min(self.limit);
        let far = room - near;
        let mut parts = Vec::with_capacity(2);
        for old in &self.parts {
            let new = Part::new(card, self.kv_heads, self.dim, near, far)?;
            let (kept_near, kept_far) = (self.len.min(self.near), self.len - self.len.min(self.near));
            for head in 0..self.kv_heads {
                for (from, to, kept, rooms, bytes) in [
                    (&old.near, &new.near, kept_near, (self.near, near), 2 * self.dim),
                    (&old.far, &new.far, kept_far, (self.far, far), self.dim),
                    (&old.scales, &new.scales, kept_far, (self.far, far), size_of::<f32>()),
                ] {
                    if kept > 0 {
                        let (from, to) = (from.at(head * rooms.0 * bytes), to.at(head * rooms.1 * bytes));
                        card.driver.copy(from, to, kept * bytes)?;
                    }
                }
            }
            parts.push(new);
        }
        let [keys, values] = parts.try_into().unwrap_or_else(|_| unreachable!("keys and values"));
        (self.parts, self.near, self.far) = ([keys, values], near, far);
        Ok(())
    }

    /// Bytes of a position's keys in f32.
    fn row_bytes(&self) -> usize {
        self.kv_heads * self.dim * size_of::<f32>()
    }

    /// Appends keys and values in f32, `[rows, kv_heads, dim]`, for which there is room, to a cache in f32.
    pub(super) fn append(&self, card: &Card<D>, parts: [&Buffer<D>; 2], rows: usize) -> Result<(), ComputeError> {
        let row = self.row_bytes();
        for (from, part) in parts.into_iter().zip(&self.parts) {
            card.driver
                .copy(from.address(), part.near.at(self.len * row), rows * row)?;
        }
        Ok(())
    }

    /// Where keys (part 0) or values lie from position `first` on, as far as their type goes: channels, and scales if they have any.
    pub(super) fn places(&self, part: usize, first: usize) -> Vec<Place> {
        let part = &self.parts[part];
        let place = |buffer: &Buffer<D>, room: usize, bytes: usize, first: usize| Place {
            address: buffer.at(first * bytes),
            room,
            bytes,
        };
        if self.exact {
            return vec![place(&part.near, 0, self.row_bytes(), first)];
        }
        if first < self.limit {
            return vec![place(&part.near, self.near, self.dim * size_of::<u16>(), first)];
        }
        let first = first - self.near;
        vec![
            place(&part.far, self.far, self.dim, first),
            place(&part.scales, self.far, size_of::<f32>(), first),
        ]
    }

    /// Keys and values of a cache in f32.
    pub(super) fn rows(&self) -> [Argument; 2] {
        self.parts.each_ref().map(|part| Argument::from(&part.near))
    }

    pub(super) fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// What kernels take for the cache: keys and values near, far, their scales, and how many positions are near and far.
    pub(super) fn arguments(&self) -> [Argument; 8] {
        let [keys, values] = &self.parts;
        [
            Argument::from(&keys.near),
            Argument::from(&values.near),
            Argument::from(&keys.far),
            Argument::from(&values.far),
            Argument::from(&keys.scales),
            Argument::from(&values.scales),
            Argument::from(self.near),
            Argument::from(self.far),
        ]
    }
}
