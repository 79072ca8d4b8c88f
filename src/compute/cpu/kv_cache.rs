//! Keys and values of one softmax layer, in pages that never move and can be shared: a page that others hold is copied before it is
//! written to.

use std::sync::Arc;

use serde::Serialize;

use super::gemm::{Element, PANEL};
use super::pairs::Pair;
use crate::compute::KV_BLOCK;
use crate::model::Softmax;

/// Tokens a page. A page is allocated whole.
pub(super) const PAGE: usize = KV_BLOCK;
/// How keys and values are stored. Error bounds are relative to the largest output of the operation, for inputs of unit scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum KvType {
    /// bf16 for the first 131,072 tokens of a sequence and q8 beyond, where memory matters most.
    #[default]
    Auto,
    /// 4 bytes a channel: 1e-4.
    F32,
    /// 2 bytes a channel: 1e-2.
    Bf16,
    /// A byte a channel and a scale for each head of each token: 2e-2.
    Q8,
}

impl KvType {
    /// The first position whose page is small if nothing else is asked for.
    pub(super) const LONG: usize = 128 << 10;

    /// Bytes of the keys and values of the first `tokens` tokens of a sequence, of one head of `dim` channels.
    #[must_use]
    pub fn bytes(self, tokens: usize, dim: usize) -> usize {
        let (near, far) = match self {
            Self::Auto => (tokens.min(Self::LONG), tokens.saturating_sub(Self::LONG)),
            Self::F32 | Self::Bf16 => (tokens, 0),
            Self::Q8 => (0, tokens),
        };
        let channel = if self == Self::F32 { 4 } else { 2 };
        2 * (near * dim * channel + far * (dim + size_of::<f32>()))
    }
}

/// Keys (rotated, transposed) and values of one layer.
#[derive(Debug)]
pub struct KvCache {
    kind: KvType,
    kv_heads: usize,
    dim: usize,
    len: usize,
    pages: Vec<Arc<Page>>,
}

#[derive(Debug, Clone)]
pub(super) enum Page {
    F32(Stored<f32>),
    Bf16(Pairs),
    Q8(Stored<i8>),
}

/// A page in one type.
#[derive(Debug, Clone)]
pub(super) struct Stored<E> {
    /// `[kv_heads, PAGE / PANEL, dim, PANEL]`: as a product reads them, one after the other.
    pub(super) keys: Box<[E]>,
    /// `[kv_heads, PAGE, dim]`
    pub(super) values: Box<[E]>,
    /// What each key and each value is a multiple of, `[kv_heads, PAGE]` each; none if they are stored as they are.
    pub(super) key_scales: Box<[f32]>,
    pub(super) value_scales: Box<[f32]>,
}

/// A page in bf16, as [`PairGemm`](super::pairs::PairGemm) reads it.
#[derive(Debug, Clone)]
pub(super) struct Pairs {
    /// Pairs of channels, `[kv_heads, PAGE / PANEL, ⌈dim / 2⌉, PANEL]`.
    pub(super) keys: Box<[Pair]>,
    /// Pairs of tokens, `[kv_heads, PAGE / 2, dim]`.
    pub(super) values: Box<[Pair]>,
}

/// A page of one head.
#[derive(Clone, Copy)]
pub(super) struct Head<'a, E> {
    /// `[PAGE / PANEL, dim, PANEL]`
    pub keys: &'a [E],
    /// `[PAGE, dim]`
    pub values: &'a [E],
    /// `[PAGE]`, or empty.
    pub key_scales: &'a [f32],
    pub value_scales: &'a [f32],
}

/// A type that channels are stored in.
pub(super) trait Store: Element + Default {
    /// One scale a head of a token.
    const SCALED: bool;
    fn store(x: f32) -> Self;
}

impl Store for f32 {
    const SCALED: bool = false;
    fn store(x: f32) -> Self {
        x
    }
}

impl Store for i8 {
    const SCALED: bool = true;
    fn store(x: f32) -> Self {
        // |x| is at most 127 and a little: the sum with 1.5·2^23 rounds to the nearest integer, without a call.
        const SHIFT: f32 = 12_582_912.0;
        ((x + SHIFT) - SHIFT) as Self
    }
}

impl KvCache {
    pub(super) fn new(spec: &Softmax, kind: KvType) -> Self {
        Self {
            kind,
            kv_heads: spec.kv_heads,
            dim: spec.head_dim,
            len: 0,
            pages: Vec::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn truncate(&mut self, len: usize) {
        let len = len.min(self.len);
        self.len = len;
        self.pages.truncate(len.div_ceil(PAGE));
    }

    /// Appends one token's keys and values, each `[kv_heads, dim]`.
    pub(super) fn push(&mut self, key: &[f32], value: &[f32]) {
        let slot = self.len % PAGE;
        if slot == 0 {
            let page = self.new_page(self.len);
            self.pages.push(Arc::new(page));
        }
        let (page, dim) = (&mut self.pages[self.len / PAGE], self.dim);
        match Arc::make_mut(page) {
            Page::F32(stored) => stored.put(slot, dim, key, value),
            Page::Bf16(stored) => stored.put(slot, dim, key, value),
            Page::Q8(stored) => stored.put(slot, dim, key, value),
        }
        self.len += 1;
    }

    /// The type of a page depends on its place alone, so that a sequence leaves the same cache however it is cut.
    fn new_page(&self, first: usize) -> Page {
        let (heads, dim) = (self.kv_heads, self.dim);
        match self.kind {
            KvType::F32 => Page::F32(Stored::new(heads, dim)),
            KvType::Auto if first >= KvType::LONG => Page::Q8(Stored::new(heads, dim)),
            KvType::Auto | KvType::Bf16 => Page::Bf16(Pairs::new(heads, dim)),
            KvType::Q8 => Page::Q8(Stored::new(heads, dim)),
        }
    }

    pub(super) fn page(&self, page: usize) -> &Page {
        &self.pages[page]
    }

    /// A page to be held beside the cache.
    pub(super) fn shared_page(&self, page: usize) -> Option<Arc<Page>> {
        self.pages.get(page).cloned()
    }

    /// A cache of the first pages, which are full; none if they are not.
    pub(super) fn first_pages(&self, pages: usize) -> Option<Self> {
        (pages * PAGE <= self.len).then(|| Self {
            pages: self.pages[..pages].to_vec(),
            len: pages * PAGE,
            ..*self
        })
    }

    /// Empty pages that would follow the full ones that are there; none if the last one is not full.
    pub(super) fn following(&self, pages: usize) -> Option<Vec<Page>> {
        let full = self.len.is_multiple_of(PAGE);
        full.then(|| (0..pages).map(|page| self.new_page(self.len + page * PAGE)).collect())
    }

    /// Appends pages that were made by [`following`](Self::following) and have been filled, up to `len` tokens.
    pub(super) fn append(&mut self, pages: Vec<Page>, len: usize) {
        self.pages.extend(pages.into_iter().map(Arc::new));
        self.len = len;
    }
}

impl<E: Store> Stored<E> {
    fn new(heads: usize, dim: usize) -> Self {
        let elements = || vec![E::default(); heads * dim * PAGE].into_boxed_slice();
        let scales = || vec![0.0; if E::SCALED { heads * PAGE } else { 0 }].into_boxed_slice();
        Self {
            keys: elements(),
            values: elements(),
            key_scales: scales(),
            value_scales: scales(),
        }
    }

    fn put(&mut self, slot: usize, dim: usize, key: &[f32], value: &[f32]) {
        for (head, (key, value)) in key.chunks_exact(dim).zip(value.chunks_exact(dim)).enumerate() {
            let (mut by_key, mut by_value) = (1.0, 1.0);
            if E::SCALED {
                let scale = |x: &[f32]| x.iter().fold(0.0f32, |m, x| m.max(x.abs())) / 127.0;
                let inverse = |scale: f32| if scale > 0.0 { 1.0 / scale } else { 0.0 };
                let scales = (scale(key), scale(value));
                (
                    self.key_scales[head * PAGE + slot],
                    self.value_scales[head * PAGE + slot],
                ) = scales;
                (by_key, by_value) = (inverse(scales.0), inverse(scales.1));
            }
            let panel = (head * PAGE / PANEL + slot / PANEL) * dim;
            for (i, k) in key.iter().enumerate() {
                self.keys[(panel + i) * PANEL + slot % PANEL] = E::store(k * by_key);
            }
            let values = &mut self.values[(head * PAGE + slot) * dim..][..dim];
            for (stored, v) in values.iter_mut().zip(value) {
                *stored = E::store(v * by_value);
            }
        }
    }
}

impl<E> Stored<E> {
    pub(super) fn head(&self, head: usize, dim: usize) -> Head<'_, E> {
        let scales = |scales| -> &[f32] {
            let scales: &[f32] = scales;
            scales.get(head * PAGE..(head + 1) * PAGE).unwrap_or_default()
        };
        Head {
            keys: &self.keys[head * dim * PAGE..][..dim * PAGE],
            values: &self.values[head * PAGE * dim..][..PAGE * dim],
            key_scales: scales(&self.key_scales),
            value_scales: scales(&self.value_scales),
        }
    }
}

impl Pairs {
    fn new(heads: usize, dim: usize) -> Self {
        Self {
            keys: vec![Pair::default(); heads * dim.div_ceil(2) * PAGE].into_boxed_slice(),
            values: vec![Pair::default(); heads * dim * PAGE / 2].into_boxed_slice(),
        }
    }

    fn put(&mut self, slot: usize, dim: usize, key: &[f32], value: &[f32]) {
        let pairs = dim.div_ceil(2);
        for (head, (key, value)) in key.chunks_exact(dim).zip(value.chunks_exact(dim)).enumerate() {
            let panel = (head * PAGE / PANEL + slot / PANEL) * pairs;
            for (i, k) in key.chunks(2).enumerate() {
                let pair = Pair::new(k[0], k.get(1).copied().unwrap_or(0.0));
                self.keys[(panel + i) * PANEL + slot % PANEL] = pair;
            }
            let values = &mut self.values[(head * PAGE / 2 + slot / 2) * dim..][..dim];
            for (pair, v) in values.iter_mut().zip(value) {
                *pair = pair.with(slot % 2, *v);
            }
        }
    }

    /// Keys and values of one head, `[PAGE / PANEL, ⌈dim / 2⌉, PANEL]` and `[PAGE / 2, dim]`.
    pub(super) fn head(&self, head: usize, dim: usize) -> (&[Pair], &[Pair]) {
        let (keys, values) = (dim.div_ceil(2) * PAGE, PAGE / 2 * dim);
        (
            &self.keys[head * keys..][..keys],
            &self.values[head * values..][..values],
        )
    }
}
