//! Pages of keys and values as bytes, little-endian, in the order in which they lie in memory.

use std::sync::Arc;

use super::kv_cache::{KvCache, KvType, PAGE, Page, Pairs, Stored};
use super::pairs::Pair;
use crate::compute::{ComputeError, KvBlock};
use crate::model::Softmax;

impl KvBlock for Page {
    fn write(&self, to: &mut Vec<u8>) -> Result<(), ComputeError> {
        match self {
            Self::F32(Stored { keys, values, .. }) => {
                write(keys, f32::to_le_bytes, to);
                write(values, f32::to_le_bytes, to);
            }
            Self::Bf16(Pairs { keys, values }) => {
                write(keys, Pair::to_le_bytes, to);
                write(values, Pair::to_le_bytes, to);
            }
            Self::Q8(stored) => {
                write(&stored.keys, i8::to_le_bytes, to);
                write(&stored.values, i8::to_le_bytes, to);
                write(&stored.key_scales, f32::to_le_bytes, to);
                write(&stored.value_scales, f32::to_le_bytes, to);
            }
        }
        Ok(())
    }
}

impl Page {
    fn fill(&mut self, from: &[u8]) -> Option<()> {
        let rest = match self {
            Self::F32(Stored { keys, values, .. }) => {
                let rest = read(keys, f32::from_le_bytes, from)?;
                read(values, f32::from_le_bytes, rest)?
            }
            Self::Bf16(Pairs { keys, values }) => {
                let rest = read(keys, Pair::from_le_bytes, from)?;
                read(values, Pair::from_le_bytes, rest)?
            }
            Self::Q8(stored) => {
                let rest = read(&mut stored.keys, i8::from_le_bytes, from)?;
                let rest = read(&mut stored.values, i8::from_le_bytes, rest)?;
                let rest = read(&mut stored.key_scales, f32::from_le_bytes, rest)?;
                read(&mut stored.value_scales, f32::from_le_bytes, rest)?
            }
        };
        rest.is_empty().then_some(())
    }
}

fn write<T: Copy, const N: usize>(values: &[T], bytes: impl Fn(T) -> [u8; N], to: &mut Vec<u8>) {
    let start = to.len();
    to.resize(start + values.len() * N, 0);
    for (to, value) in to[start..].chunks_exact_mut(N).zip(values) {
        to.copy_from_slice(&bytes(*value));
    }
}

/// Gives what is left of `from`; none if it is too short.
fn read<'a, T, const N: usize>(values: &mut [T], value: impl Fn([u8; N]) -> T, from: &'a [u8]) -> Option<&'a [u8]> {
    let (from, rest) = from.split_at_checked(values.len() * N)?;
    for (to, from) in values.iter_mut().zip(from.as_chunks().0) {
        *to = value(*from);
    }
    Some(rest)
}

/// Bytes of a page whose first token has this position.
pub(super) fn page_bytes(spec: &Softmax, kind: KvType, first: usize) -> usize {
    let (heads, dim) = (spec.kv_heads, spec.head_dim);
    let q8 = heads * PAGE * 2 * (dim + size_of::<f32>());
    match kind {
        KvType::F32 => heads * PAGE * 2 * dim * size_of::<f32>(),
        KvType::Q8 => q8,
        KvType::Auto if first >= KvType::LONG => q8,
        KvType::Auto | KvType::Bf16 => (heads * dim.div_ceil(2) * PAGE + heads * dim * PAGE / 2) * size_of::<Pair>(),
    }
}

pub(super) fn shared(cache: &KvCache, page: usize) -> Result<Arc<dyn KvBlock>, ComputeError> {
    match cache.shared_page(page) {
        Some(page) => Ok(page),
        None => Err(ComputeError::Backend(format!(
            "there is no page {page} of keys and values"
        ))),
    }
}

pub(super) fn extend(cache: &mut KvCache, blocks: &[&[u8]], len: usize) -> Result<(), ComputeError> {
    let wrong = |what: &str| ComputeError::Backend(format!("kept keys and values do not fit: {what}"));
    let mut pages = cache
        .following(blocks.len())
        .ok_or_else(|| wrong("the last page is not full"))?;
    let before = cache.len();
    if len
        .checked_sub(before)
        .is_none_or(|tokens| tokens.div_ceil(PAGE) != pages.len())
    {
        return Err(wrong("another number of tokens"));
    }
    for (page, block) in pages.iter_mut().zip(blocks) {
        page.fill(block).ok_or_else(|| wrong("another size"))?;
    }
    cache.append(pages, len);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Pairing, Rope};
    use proptest::prelude::*;

    fn spec(kv_heads: usize, head_dim: usize) -> Softmax {
        Softmax {
            heads: kv_heads,
            kv_heads,
            head_dim,
            rope: Rope {
                dim: 2,
                theta: 1e4,
                pairing: Pairing::Halves,
            },
        }
    }

    fn push(cache: &mut KvCache, width: usize, tokens: std::ops::Range<usize>) {
        for token in tokens {
            let row: Vec<f32> = (0..width)
                .map(|i| ((token * 31 + i * 7) % 97) as f32 / 9.0 - 5.0)
                .collect();
            let other: Vec<f32> = row.iter().map(|x| x * 0.7 - 1.0).collect();
            cache.push(&row, &other);
        }
    }

    fn bytes(cache: &KvCache, page: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        shared(cache, page).unwrap().write(&mut bytes).unwrap();
        bytes
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        /// For every type, odd widths, partial pages, and a part that is shared with the cache itself.
        #[test]
        fn what_was_kept_is_what_was_there(
            kind in prop_oneof![Just(KvType::F32), Just(KvType::Bf16), Just(KvType::Q8), Just(KvType::Auto)],
            heads in 1usize..3, dim in 1usize..6, tokens in 1usize..900, more in 1usize..300, held in 0usize..3,
        ) {
            let spec = spec(heads, dim);
            let mut cache = KvCache::new(&spec, kind);
            push(&mut cache, heads * dim, 0..tokens);
            let pages = tokens.div_ceil(PAGE);
            let held = held.min(tokens / PAGE);
            let kept: Vec<Vec<u8>> = (held..pages).map(|page| bytes(&cache, page)).collect();
            for (page, kept) in (held..).zip(&kept) {
                prop_assert_eq!(kept.len(), page_bytes(&spec, kind, page * PAGE));
            }
            let mut again = cache.first_pages(held).unwrap();
            let blocks: Vec<&[u8]> = kept.iter().map(Vec::as_slice).collect();
            extend(&mut again, &blocks, tokens).unwrap();
            // Both go on apart from each other: the other way, and the same way.
            let mut other = again.first_pages(tokens / PAGE).unwrap();
            push(&mut other, heads * dim, 5000..5300);
            push(&mut cache, heads * dim, tokens..tokens + more);
            push(&mut again, heads * dim, tokens..tokens + more);
            prop_assert_eq!(cache.len(), again.len());
            for page in 0..cache.len().div_ceil(PAGE) {
                prop_assert_eq!(bytes(&cache, page), bytes(&again, page));
            }
        }
    }

    /// Where the type of pages changes.
    #[test]
    fn long_caches_are_kept_too() {
        let spec = spec(1, 2);
        let mut cache = KvCache::new(&spec, KvType::Auto);
        let tokens = KvType::LONG + PAGE + 7;
        push(&mut cache, 2, 0..tokens);
        let first = KvType::LONG / PAGE - 1;
        let kept: Vec<Vec<u8>> = (first..tokens.div_ceil(PAGE)).map(|page| bytes(&cache, page)).collect();
        let sizes: Vec<usize> = (first..)
            .map(|page| page_bytes(&spec, KvType::Auto, page * PAGE))
            .take(3)
            .collect();
        assert_eq!(kept.iter().map(Vec::len).collect::<Vec<_>>(), sizes);
        assert_ne!(sizes[0], sizes[1]);
        let mut again = cache.first_pages(first).unwrap();
        let blocks: Vec<&[u8]> = kept.iter().map(Vec::as_slice).collect();
        extend(&mut again, &blocks, tokens).unwrap();
        push(&mut cache, 2, 0..PAGE);
        push(&mut again, 2, 0..PAGE);
        for page in first..cache.len().div_ceil(PAGE) {
            assert_eq!(bytes(&cache, page), bytes(&again, page));
        }
    }

    #[test]
    fn what_does_not_fit_changes_nothing() {
        let spec = spec(1, 4);
        let mut cache = KvCache::new(&spec, KvType::Bf16);
        push(&mut cache, 4, 0..PAGE);
        let page = bytes(&cache, 0);
        for (blocks, len) in [
            (vec![&page[1..]], 2 * PAGE),
            (vec![&page[..]], 2 * PAGE + 1),
            (vec![&page[..]], PAGE - 1),
            (vec![&[][..]], PAGE + 1),
            (vec![&page[..], &page[..]], PAGE + 3),
        ] {
            assert!(extend(&mut cache, &blocks, len).is_err());
            assert_eq!(cache.len(), PAGE);
        }
        push(&mut cache, 4, 0..1);
        assert!(
            extend(&mut cache, &[&page], 2 * PAGE + 1).is_err(),
            "after a page that is not full"
        );
        assert!(cache.first_pages(2).is_none());
        assert!(shared(&cache, 2).is_err());
    }
}
