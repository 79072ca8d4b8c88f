//! The operations on a graphics card: launches of the kernels of `kernels/` (see `docs/kernels.md`) through a [`Driver`].
//!
//! **Two precisions.** Up to four tokens, a decode step or a draft, keep their activations in f32 and meet weights as they are
//! stored: 1e-4 with a cache that holds what they hold, so that what remains is the rounding of keys and values to bf16. A longer
//! tile is rounded to bf16 between operations, for the tensor cores: 1e-2. With a cache in f32 ([`KvType::F32`]) every tile is
//! computed as tokens are and nothing is rounded, 1e-4, at a fraction of the speed: what the others are measured against.
//!
//! **Order.** Everything is asked of one stream, and a buffer that is dropped is given back behind what uses it, so that no
//! operation waits. A block of a tile of many tokens waits, before it begins, until only a few before it are unfinished, so that
//! little is computed after an interrupt.
//!
//! **Several cards.** Each has some layers, in order, with their states and caches. Activations are copied from one to the next beside
//! what both compute, so that the cards work side by side on pieces of a prompt that follow one another.
//!
//! **Transactional.** An operation writes buffers of its own and puts them in the place of `x` at its end; a state has two
//! versions, and a cache is as long as it says.

mod beside;
mod cache;
pub mod device;
mod driver;
mod experts;
mod lightning;
mod memory;
mod moe;
mod products;
mod rows;
mod softmax;
mod stored;
mod weight;

use std::collections::HashMap;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use cache::KvCache;
pub use driver::{Address, Argument, Driver, Launch, Sent, Source};
pub use memory::Buffer;
pub use rows::Rows;
pub use weight::{Weight, bytes_on_card};

use super::cpu::{self, Cpu, KvType};
use super::{BUILD, Backend, Block, ComputeError, Expectation, Interrupt, KV_BLOCK, KvBlock, Residency, Tile};
use crate::model::{
    Lightning, LightningWeights, Mixer, ModelConfig, Moe, MoeWeights, Residual, Softmax, SoftmaxWeights, TensorRole,
    TensorView,
};
use experts::Experts;
use memory::{Card, arguments, bytes_of};
use moe::Added;
use products::FEW;
use rows::Pending;

/// The widest rows that the norm takes.
const WIDEST: usize = 8192;

/// Graphics cards.
#[derive(Debug)]
pub struct Cuda<D: Driver> {
    /// The first.
    card: Card<D>,
    /// The others, and how many weights are loaded before the first that goes to each.
    others: Vec<(Card<D>, usize)>,
    loaded: AtomicUsize,
    kv: KvType,
    /// Tokens that keys and values have room for before anything is doubled.
    context: usize,
    /// Those that do not lie on a card, of each card.
    experts: Vec<Mutex<Experts<D>>>,
    /// What computes them where they lie.
    processor: Option<Cpu>,
}

/// Constants on the cards, by what they hold: slopes, frequencies, tables of where experts lie.
#[derive(Debug)]
pub struct Workspace<D: Driver> {
    constants: HashMap<Vec<u8>, Vec<Buffer<D>>>,
    /// Of experts that are computed on the processor.
    processor: Option<cpu::Workspace>,
}

impl<D: Driver> Workspace<D> {
    /// For a tile of so many rows.
    fn constant(&mut self, card: &Card<D>, rows: usize, bytes: Vec<u8>) -> Result<Argument, ComputeError> {
        let there = self.constants.get(&bytes).into_iter().flatten();
        if let Some(buffer) = there.into_iter().find(|buffer| buffer.is_on(card)) {
            return Ok(Argument::from(buffer));
        }
        let buffer = card.upload_for(rows, &bytes)?;
        let argument = Argument::from(&buffer);
        self.constants.entry(bytes).or_default().push(buffer);
        Ok(argument)
    }
}

fn ensure(holds: bool, message: impl FnOnce() -> String) -> Result<(), ComputeError> {
    if holds {
        Ok(())
    } else {
        Err(ComputeError::Backend(message()))
    }
}

/// Whether the kernels take a model of these sizes, which says why if not.
pub fn check(config: &ModelConfig) -> Result<(), ComputeError> {
    ensure(config.hidden.is_multiple_of(8) && config.hidden <= WIDEST, || {
        format!(
            "rows of {}: on a graphics card they are a multiple of 8, at most {WIDEST}",
            config.hidden
        )
    })?;
    for layer in &config.layers {
        match &layer.mixer {
            Mixer::Lightning(spec) => lightning::check(spec)?,
            Mixer::Softmax(spec) => softmax::check(spec)?,
        }
    }
    Ok(())
}

impl<D: Driver> Cuda<D> {
    #[must_use]
    pub fn new(driver: D) -> Self {
        Self {
            card: Card {
                driver: Arc::new(driver),
            },
            others: Vec::new(),
            loaded: AtomicUsize::new(0),
            kv: KvType::Auto,
            context: usize::MAX,
            experts: Vec::new(),
            processor: None,
        }
    }

    /// With another card, which takes the weights that are loaded after the first `weights` and before those of the next card. The
    /// first of them is the norm that a block begins with, and so is that of every block.
    #[must_use]
    pub fn with_card(mut self, driver: D, weights: usize) -> Self {
        let driver = Arc::new(driver);
        self.others.push((Card { driver }, weights));
        self
    }

    /// With memory set aside for so many tokens: until then keys and values take no more than those would.
    #[must_use]
    pub fn with_context(mut self, tokens: usize) -> Self {
        self.context = tokens;
        self
    }

    /// With room for some experts only, of so many bytes together on each card; the others are copied when a prompt needs them, and are
    /// computed on the processor for a few tokens.
    #[must_use]
    pub fn with_experts_in(mut self, bytes: &[usize], processor: Cpu) -> Self {
        self.experts = bytes.iter().map(|bytes| Mutex::new(Experts::new(*bytes))).collect();
        self.processor = Some(processor.in_place());
        self
    }

    /// Those of a card that do not lie on it. After a panic they are what they were between two steps.
    fn experts(&self, card: usize) -> Option<MutexGuard<'_, Experts<D>>> {
        let experts = self.experts.get(card)?;
        Some(experts.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn cards(&self) -> impl Iterator<Item = &Card<D>> {
        std::iter::once(&self.card).chain(self.others.iter().map(|(card, _)| card))
    }

    /// What a slab needs next is copied beside what comes now.
    fn send_ahead(&self) -> Result<(), ComputeError> {
        for (number, card) in self.cards().enumerate() {
            if let Some(mut experts) = self.experts(number) {
                experts.send_ahead(card)?;
            }
        }
        Ok(())
    }

    /// The card of a block, with the activations on it or on their way, when it is not far behind.
    fn enter(block: Block<'_, Weight<D>>, x: &mut Rows<D>, interrupt: &Interrupt) -> Result<Card<D>, ComputeError> {
        let card = block.norm.buffer().card();
        if x.count > FEW {
            card.driver.keep_pace(interrupt)?;
        }
        x.send_to(&card)?;
        Ok(card)
    }

    fn card_at(&self, place: usize) -> &Card<D> {
        self.cards().nth(place).expect("places are numbers of cards")
    }

    /// How keys and values are stored; with f32 nothing is rounded.
    #[must_use]
    pub fn with_kv_cache(mut self, kv: KvType) -> Self {
        self.kv = kv;
        self
    }

    /// Puts a block's result in the place of `x`.
    fn leave(
        x: &mut Rows<D>,
        count: usize,
        stream: Buffer<D>,
        outputs: Added<D>,
        residual: Residual,
    ) -> Result<(), ComputeError> {
        if x.count > FEW {
            stream.card().driver.end_step()?;
        }
        x.count = count;
        x.stream = stream;
        let Added { outputs, mix, shared } = outputs;
        x.pending = Some(Pending {
            outputs,
            mix,
            shared,
            residual,
        });
        Ok(())
    }

    /// Whether products of a tile of `rows` take bf16.
    fn rounds(&self, rows: usize) -> bool {
        rows > FEW && self.kv != KvType::F32
    }

    fn check(x: &Rows<D>, norm: &Weight<D>, outputs: usize) -> Result<(), ComputeError> {
        ensure(x.width == norm.columns && norm.columns <= WIDEST, || {
            format!("rows of {} meet a norm of {}", x.width, norm.columns)
        })?;
        ensure(outputs <= x.count, || {
            format!("{outputs} rows are asked of {}", x.count)
        })
    }
}

impl<D: Driver> Backend for Cuda<D> {
    type Tensor = Weight<D>;
    type Rows = Rows<D>;
    type LightningState = Buffer<D>;
    type KvCache = KvCache<D>;
    type Workspace = Workspace<D>;

    fn load(&self, tensor: TensorView, role: TensorRole) -> Result<Weight<D>, ComputeError> {
        let before = self.loaded.fetch_add(1, Ordering::Relaxed);
        let number = self.others.iter().filter(|(_, first)| before >= *first).count();
        if role == TensorRole::Expert
            && let (Some(mut experts), Some(processor)) = (self.experts(number), &self.processor)
        {
            let (source, weight) = Weight::elsewhere(&tensor, number, experts.next())?;
            experts.add(source, processor.load(tensor, role)?);
            return Ok(weight);
        }
        let card = self.card_at(number);
        let weight = Weight::new(card, &tensor, role)?;
        tensor.release();
        Ok(weight)
    }

    fn expect(&self, tensor: &Weight<D>, expectation: Expectation) {
        if let Some((card, number)) = tensor.number()
            && let Some(mut experts) = self.experts(card)
        {
            let expert = Experts::<D>::of_part(number);
            match expectation {
                Expectation::Soon => experts.expect(expert),
                Expectation::NotForAWhile => experts.passed(expert),
            }
        }
    }

    fn residency(&self) -> Option<Residency> {
        let mut sum = Residency::default();
        for (number, card) in self.cards().enumerate() {
            let (memory, most) = card.driver.memory();
            let of = self.experts(number).map(|experts| experts.tally()).unwrap_or_default();
            sum = Residency {
                memory: sum.memory + memory,
                most: sum.most + most,
                experts: sum.experts + of.experts,
                places: sum.places + of.places,
                asked: sum.asked + of.asked,
                there: sum.there + of.there,
                copied: sum.copied + of.copied,
            };
        }
        Some(sum)
    }

    fn place(&self, weight: &Weight<D>) -> usize {
        let card = match weight.number() {
            Some((card, _)) => Some(card),
            None => self.cards().position(|card| weight.buffer().is_on(card)),
        };
        card.expect("weights lie on the cards that they are loaded to")
    }

    fn send_rows(&self, x: &mut Rows<D>, place: usize) -> Result<(), ComputeError> {
        x.send_to(self.card_at(place))
    }

    fn move_lightning_state(&self, state: &mut Buffer<D>, place: usize) -> Result<(), ComputeError> {
        let card = self.card_at(place);
        if !state.is_on(card) {
            *state = state.moved_to(card)?;
        }
        Ok(())
    }

    fn move_kv_cache(&self, cache: &mut KvCache<D>, place: usize) -> Result<(), ComputeError> {
        cache.move_to(self.card_at(place))
    }

    fn workspace(&self) -> Result<Workspace<D>, ComputeError> {
        Ok(Workspace {
            constants: HashMap::new(),
            processor: None,
        })
    }

    fn upload(&self, values: &[f32], width: usize) -> Result<Rows<D>, ComputeError> {
        ensure(width > 0 && values.len().is_multiple_of(width), || {
            format!("{} values are not rows of {width}", values.len())
        })?;
        Ok(Rows {
            count: values.len() / width,
            width,
            stream: self.card.upload_f32s(values)?,
            pending: None,
        })
    }

    fn download(&self, rows: &Rows<D>) -> Result<Vec<f32>, ComputeError> {
        let card = rows.stream.card();
        let whole = rows.whole(&card)?;
        let mut values = Vec::new();
        card.download_f32s(whole.address(), &mut values, rows.count * rows.width)?;
        Ok(values)
    }

    fn lightning_state(&self, spec: &Lightning) -> Result<Buffer<D>, ComputeError> {
        lightning::check(spec)?;
        self.card
            .zeros(spec.heads * spec.head_dim * spec.head_dim * size_of::<f32>())
    }

    fn copy_lightning_state(&self, from: &Buffer<D>, to: &mut Buffer<D>) -> Result<(), ComputeError> {
        let card = from.card();
        if !to.is_on(&card) {
            *to = card.empty(from.bytes())?;
        }
        card.driver.copy(from.address(), to.address(), from.bytes())
    }

    fn download_lightning_state(&self, state: &Buffer<D>) -> Result<Vec<f32>, ComputeError> {
        let mut values = Vec::new();
        let count = state.bytes() / size_of::<f32>();
        state.card().download_f32s(state.address(), &mut values, count)?;
        Ok(values)
    }

    fn kv_cache(&self, spec: &Softmax) -> Result<KvCache<D>, ComputeError> {
        softmax::check(spec)?;
        KvCache::new(&self.card, spec, self.kv, self.context)
    }

    fn truncate_kv_cache(&self, cache: &mut KvCache<D>, len: usize) -> Result<(), ComputeError> {
        cache.truncate(len);
        Ok(())
    }

    fn numerics(&self) -> Option<String> {
        let card = self.card.driver.numerics()?;
        let processor = self.processor.as_ref().and_then(Backend::numerics);
        let beside = processor.map_or_else(String::new, |processor| format!(", experts beside it on {processor}"));
        Some(format!(
            "cuda {card}, keys and values {:?}, build {BUILD}{beside}",
            self.kv
        ))
    }

    fn upload_lightning_state(&self, spec: &Lightning, values: &[f32]) -> Result<Buffer<D>, ComputeError> {
        lightning::check(spec)?;
        ensure(values.len() == spec.heads * spec.head_dim * spec.head_dim, || {
            format!("a lightning state does not have {} values", values.len())
        })?;
        self.card.upload_f32s(values)
    }

    fn kv_block(&self, cache: &KvCache<D>, block: usize) -> Result<Arc<dyn KvBlock>, ComputeError> {
        Ok(Arc::from(stored::read(&cache.card(), cache, block)?))
    }

    fn kv_block_bytes(&self, spec: &Softmax, block: usize) -> usize {
        stored::block_bytes(spec, self.kv, block * KV_BLOCK)
    }

    fn share_kv_cache(&self, spec: &Softmax, cache: &KvCache<D>, blocks: usize) -> Result<KvCache<D>, ComputeError> {
        stored::copied(&cache.card(), self.kv_cache(spec)?, cache, blocks)
    }

    fn extend_kv_cache(
        &self,
        _: &Softmax,
        cache: &mut KvCache<D>,
        blocks: &[&[u8]],
        len: usize,
    ) -> Result<(), ComputeError> {
        stored::extend(&cache.card(), cache, blocks, len)
    }

    fn embed(&self, table: &Weight<D>, ids: &[u32], x: &mut Rows<D>) -> Result<(), ComputeError> {
        ensure(ids.iter().all(|id| (*id as usize) < table.rows), || {
            format!("an id is outside of the vocabulary of {}", table.rows)
        })?;
        let card = table.buffer().card();
        let stream = card.f32s(ids.len() * table.columns)?;
        if !ids.is_empty() {
            let ids_buffer = card.upload_for(ids.len(), &bytes_of(ids, u32::to_le_bytes))?;
            card.launch_with(
                &format!("embed_{}", table.suffix()),
                [ids.len(), 1, 1],
                128,
                0,
                arguments![table.buffer(), &ids_buffer, &stream, table.columns],
            )?;
        }
        *x = Rows {
            count: ids.len(),
            width: table.columns,
            stream,
            pending: None,
        };
        Ok(())
    }

    fn lightning(
        &self,
        workspace: &mut Workspace<D>,
        block: Block<'_, Weight<D>>,
        spec: &Lightning,
        weights: &LightningWeights<Weight<D>>,
        x: &mut Rows<D>,
        state: &Buffer<D>,
        next: &mut Buffer<D>,
        tile: Tile<'_>,
    ) -> Result<(), ComputeError> {
        tile.interrupt.check()?;
        lightning::check(spec)?;
        self.send_ahead()?;
        Self::check(x, block.norm, tile.outputs)?;
        if x.count == 0 {
            return self.copy_lightning_state(state, next);
        }
        let card = Self::enter(block, x, tile.interrupt)?;
        ensure(state.is_on(&card) && next.is_on(&card), || {
            "a state met a layer of another card".to_owned()
        })?;
        let h = x.enter(&card, block, self.rounds(x.count))?;
        let f = lightning::forward(&card, workspace, spec, weights, (x, &h), (state, next), tile)?;
        Self::leave(x, tile.outputs, h.residual, Added::whole(f), block.residual)
    }

    fn softmax(
        &self,
        workspace: &mut Workspace<D>,
        block: Block<'_, Weight<D>>,
        spec: &Softmax,
        weights: &SoftmaxWeights<Weight<D>>,
        x: &mut Rows<D>,
        cache: &mut KvCache<D>,
        tile: Tile<'_>,
    ) -> Result<(), ComputeError> {
        tile.interrupt.check()?;
        softmax::check(spec)?;
        self.send_ahead()?;
        Self::check(x, block.norm, tile.outputs)?;
        ensure(cache.len == tile.position, || {
            format!(
                "a tile at position {} met a cache of {} tokens",
                tile.position, cache.len
            )
        })?;
        if x.count == 0 {
            return Ok(());
        }
        let card = Self::enter(block, x, tile.interrupt)?;
        ensure(cache.is_on(&card), || {
            "keys and values met a layer of another card".to_owned()
        })?;
        let h = x.enter(&card, block, self.rounds(x.count))?;
        let f = softmax::forward(&card, workspace, spec, weights, (x, &h), cache, tile)?;
        Self::leave(x, tile.outputs, h.residual, Added::whole(f), block.residual)
    }

    fn moe(
        &self,
        workspace: &mut Workspace<D>,
        block: Block<'_, Weight<D>>,
        spec: &Moe,
        weights: &MoeWeights<Weight<D>>,
        x: &mut Rows<D>,
        interrupt: &Interrupt,
    ) -> Result<(), ComputeError> {
        interrupt.check()?;
        moe::check(spec, weights)?;
        Self::check(x, block.norm, x.count)?;
        if x.count == 0 {
            return Ok(());
        }
        let card = Self::enter(block, x, interrupt)?;
        let h = x.enter(&card, block, self.rounds(x.count))?;
        let elsewhere = weights.experts[0].gate.number();
        let experts = elsewhere.and_then(|(card, _)| self.experts(card));
        let elsewhere = experts.zip(self.processor.as_ref());
        let outputs = moe::forward(&card, workspace, spec, weights, (x, &h), elsewhere, interrupt)?;
        Self::leave(x, x.count, h.residual, outputs, block.residual)
    }

    fn head(
        &self,
        _: &mut Workspace<D>,
        (norm, eps): (&Weight<D>, f64),
        head: &Weight<D>,
        x: &Rows<D>,
        rows: Range<usize>,
        logits: &mut Vec<f32>,
        interrupt: &Interrupt,
    ) -> Result<(), ComputeError> {
        interrupt.check()?;
        ensure(rows.start <= rows.end && rows.end <= x.count, || {
            format!("rows {rows:?} are asked of {}", x.count)
        })?;
        logits.clear();
        if rows.is_empty() {
            return Ok(());
        }
        let card = head.buffer().card();
        let whole = x.whole(&x.stream.card())?;
        // A norm may lie on another card than a head that is the table of the first.
        let moved = if x.stream.is_on(&card) && norm.buffer().is_on(&card) {
            None
        } else {
            Some((whole.moved_to(&card)?, norm.buffer().moved_to(&card)?))
        };
        let (whole, factors) = moved
            .as_ref()
            .map_or((&whole, norm.buffer()), |(whole, factors)| (whole, factors));
        let out = card.f32s(rows.len() * head.rows)?;
        card.launch(
            &format!("head_{}", head.suffix()),
            [head.rows.div_ceil(32), rows.len(), 1],
            arguments![
                head.buffer(),
                whole.at(rows.start * x.width * size_of::<f32>()),
                factors,
                &out,
                eps as f32,
                head.rows,
                head.columns
            ],
        )?;
        card.download_f32s(out.address(), logits, rows.len() * head.rows)
    }
}
