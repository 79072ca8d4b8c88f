//! Keys and values of a card as bytes that are kept, block by block, and back.
//!
//! A block is its keys and then its values, each in the order in which a cache has them: in f32 token by token, else head by head, and
//! where they are in 8 bits the scales after the channels. A block lies on one side of where the type changes.

use super::cache::KvCache;
use super::driver::Driver;
use super::ensure;
use super::memory::Card;
use crate::compute::cpu::KvType;
use crate::compute::{ComputeError, KV_BLOCK, KvBlock};
use crate::model::Softmax;

/// What was read from the card.
struct Read(Vec<u8>);

impl KvBlock for Read {
    fn write(&self, to: &mut Vec<u8>) -> Result<(), ComputeError> {
        to.extend_from_slice(&self.0);
        Ok(())
    }
}

/// Bytes that lie together in a cache, and where they are in a block: of one head, or of all.
struct Run {
    /// On the card.
    address: u64,
    /// In the block.
    begin: usize,
    /// Of a token.
    bytes: usize,
}

/// Bytes of the block that begins with a token.
pub(super) fn block_bytes(spec: &Softmax, kind: KvType, first: usize) -> usize {
    let numbers = 2 * spec.kv_heads * spec.head_dim * KV_BLOCK;
    match kind {
        KvType::F32 => numbers * size_of::<f32>(),
        _ if first < super::cache::limit(kind) => numbers * size_of::<u16>(),
        _ => numbers + 2 * spec.kv_heads * KV_BLOCK * size_of::<f32>(),
    }
}

/// Block `block` of a cache that has some of it.
pub(super) fn read<D: Driver>(
    card: &Card<D>,
    cache: &KvCache<D>,
    block: usize,
) -> Result<Box<dyn KvBlock>, ComputeError> {
    let first = block * KV_BLOCK;
    ensure(first < cache.len, || {
        format!("there is no block {block} of keys and values")
    })?;
    let tokens = (cache.len - first).min(KV_BLOCK);
    let (runs, total) = runs(cache, first);
    // Together on the card first, so that it is asked and waited for once.
    let gathered = card.zeros(total)?;
    for run in runs {
        card.driver
            .copy(run.address, gathered.at(run.begin), tokens * run.bytes)?;
    }
    let mut bytes = vec![0; total];
    card.driver.read(gathered.address(), &mut bytes)?;
    Ok(Box::new(Read(bytes)))
}

/// Where the tokens of a block lie that begins with `first`, and its bytes.
fn runs<D: Driver>(cache: &KvCache<D>, first: usize) -> (Vec<Run>, usize) {
    let (mut runs, mut begin) = (Vec::new(), 0);
    for part in 0..2 {
        for place in cache.places(part, first) {
            let heads = if cache.exact { 1 } else { cache.kv_heads };
            for head in 0..heads {
                runs.push(Run {
                    address: place.address + (head * place.room * place.bytes) as u64,
                    begin,
                    bytes: place.bytes,
                });
                begin += KV_BLOCK * place.bytes;
            }
        }
    }
    (runs, begin)
}

/// The first `blocks` blocks of a cache in a cache of its own.
pub(super) fn copied<D: Driver>(
    card: &Card<D>,
    mut copy: KvCache<D>,
    from: &KvCache<D>,
    blocks: usize,
) -> Result<KvCache<D>, ComputeError> {
    let tokens = blocks * KV_BLOCK;
    ensure(tokens <= from.len, || {
        format!("there are no {blocks} full blocks of keys and values")
    })?;
    copy.reserve(card, tokens)?;
    for first in (0..tokens).step_by(KV_BLOCK) {
        let (to, _) = runs(&copy, first);
        for (from, to) in runs(from, first).0.iter().zip(to) {
            card.driver.copy(from.address, to.address, KV_BLOCK * to.bytes)?;
        }
    }
    copy.len = tokens;
    Ok(copy)
}

/// Appends blocks to a cache of full ones, so that it has `len` tokens.
pub(super) fn extend<D: Driver>(
    card: &Card<D>,
    cache: &mut KvCache<D>,
    blocks: &[&[u8]],
    len: usize,
) -> Result<(), ComputeError> {
    let before = cache.len;
    ensure(before.is_multiple_of(KV_BLOCK), || {
        "kept keys and values do not fit: the last block is not full".to_owned()
    })?;
    let tokens = len.checked_sub(before);
    ensure(
        tokens.is_some_and(|tokens| tokens.div_ceil(KV_BLOCK) == blocks.len()),
        || "kept keys and values do not fit: another number of tokens".to_owned(),
    )?;
    cache.reserve(card, len)?;
    for (index, block) in blocks.iter().enumerate() {
        let first = before + index * KV_BLOCK;
        let tokens = (len - first).min(KV_BLOCK);
        let (runs, total) = runs(cache, first);
        ensure(block.len() == total, || {
            "kept keys and values do not fit: another size".to_owned()
        })?;
        for run in runs {
            card.driver
                .write(run.address, &block[run.begin..run.begin + tokens * run.bytes])?;
        }
    }
    cache.len = len;
    Ok(())
}
