//! The operations on a graphics card: launches of the kernels of `kernels/` (see `docs/kernels.md`) through a [`Driver`].
//!
//! **Two precisions.** Up to four tokens, a decode step or a draft, keep their activations in f32 and meet weights as they are
//! stored: 1e-4 with a cache that holds what they hold, so that what remains is the rounding of keys and values to bf16. A longer
//! tile is rounded to bf16 between operations, for the tensor cores: 1e-2. With a cache in f32 ([`KvType::F32`]) every tile is
//! computed as tokens are and nothing is rounded, 1e-4, at a fraction of the speed: what the others are measured against.
//!
//! **Order.** Everything is asked of one stream, and a buffer that is dropped is given back behind what uses it, so that no
//! operation waits. A tile of many tokens waits at its end, so that an interrupt is seen after one block of a layer.
//!
//! **Transactional.** An operation writes buffers of its own and puts them in the place of `x` at its end; a state has two
//! versions, and a cache is as long as it says.

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
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use cache::KvCache;
pub use driver::{Address, Argument, Driver, Launch, Sent, Source};
pub use memory::Buffer;
pub use rows::Rows;
pub use weight::{Weight, bytes_on_card};

use super::cpu::KvType;
use super::{BUILD, Backend, Block, ComputeError, Expectation, Interrupt, KV_BLOCK, KvBlock, Residency, Tile};
use crate::model::{
    Lightning, LightningWeights, Mixer, ModelConfig, Moe, MoeWeights, Residual, Softmax, SoftmaxWeights, TensorRole,
    TensorView,
};
use experts::Experts;
use memory::{Card, arguments, bytes_of};
use products::FEW;
use rows::Pending;

/// The widest rows that the norm takes.
const WIDEST: usize = 8192;

/// A graphics card.
#[derive(Debug)]
pub struct Cuda<D: Driver> {
    card: Card<D>,
    kv: KvType,
    /// Tokens that keys and values have room for before anything is doubled.
    context: usize,
    /// Those that do not lie on the card.
    experts: Option<Mutex<Experts<D>>>,
}

/// Constants on the card, by what they hold: slopes, frequencies, tables of where experts lie.
#[derive(Debug)]
pub struct Workspace<D: Driver> {
    constants: HashMap<Vec<u8>, Buffer<D>>,
}

impl<D: Driver> Workspace<D> {
    fn constant(&mut self, card: &Card<D>, bytes: Vec<u8>) -> Result<Argument, ComputeError> {
        if let Some(buffer) = self.constants.get(&bytes) {
            return Ok(Argument::from(buffer));
        }
        let buffer = card.upload(&bytes)?;
        let argument = Argument::from(&buffer);
        self.constants.insert(bytes, buffer);
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
            kv: KvType::Auto,
            context: usize::MAX,
            experts: None,
        }
    }

    /// With memory set aside for so many tokens: until then keys and values take no more than those would.
    #[must_use]
    pub fn with_context(mut self, tokens: usize) -> Self {
        self.context = tokens;
        self
    }

    /// With room for some experts only, of so many bytes together; the others are copied to the card when they are needed.
    #[must_use]
    pub fn with_experts_in(mut self, bytes: usize) -> Self {
        self.experts = Some(Mutex::new(Experts::new(bytes)));
        self
    }

    /// Those that do not lie on the card. After a panic they are what they were between two steps.
    fn experts(&self) -> Option<MutexGuard<'_, Experts<D>>> {
        let experts = self.experts.as_ref()?;
        Some(experts.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What a slab needs next is copied beside what comes now.
    fn send_ahead(&self) -> Result<(), ComputeError> {
        match self.experts() {
            Some(mut experts) => experts.send_ahead(&self.card),
            None => Ok(()),
        }
    }

    /// How keys and values are stored; with f32 nothing is rounded.
    #[must_use]
    pub fn with_kv_cache(mut self, kv: KvType) -> Self {
        self.kv = kv;
        self
    }

    /// Puts a block's result in the place of `x`.
    fn leave(
        &self,
        x: &mut Rows<D>,
        count: usize,
        stream: Buffer<D>,
        outputs: Buffer<D>,
        mix: Option<rows::Mix<D>>,
        residual: Residual,
    ) -> Result<(), ComputeError> {
        if x.count > FEW {
            self.card.driver.synchronise()?;
        }
        x.count = count;
        x.stream = stream;
        x.pending = Some(Pending { outputs, mix, residual });
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
        if role == TensorRole::Expert
            && let Some(mut experts) = self.experts()
        {
            let (source, weight) = Weight::elsewhere(&tensor, experts.next())?;
            experts.add(source);
            return Ok(weight);
        }
        let weight = Weight::new(&self.card, &tensor, role)?;
        tensor.release();
        Ok(weight)
    }

    fn expect(&self, tensor: &Weight<D>, expectation: Expectation) {
        if expectation == Expectation::Soon
            && let (Some(number), Some(mut experts)) = (tensor.number(), self.experts())
        {
            experts.expect(Experts::<D>::of_part(number));
        }
    }

    fn residency(&self) -> Option<Residency> {
        let (memory, most) = self.card.driver.memory();
        let tally = self.experts().map(|experts| experts.tally()).unwrap_or_default();
        Some(Residency { memory, most, ..tally })
    }

    fn workspace(&self) -> Result<Workspace<D>, ComputeError> {
        Ok(Workspace {
            constants: HashMap::new(),
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
        let ones = Weight::ones(&self.card, rows.width)?;
        let whole = rows.whole(&self.card, &ones)?;
        let mut values = Vec::new();
        self.card
            .download_f32s(whole.address(), &mut values, rows.count * rows.width)?;
        Ok(values)
    }

    fn lightning_state(&self, spec: &Lightning) -> Result<Buffer<D>, ComputeError> {
        lightning::check(spec)?;
        self.card
            .zeros(spec.heads * spec.head_dim * spec.head_dim * size_of::<f32>())
    }

    fn copy_lightning_state(&self, from: &Buffer<D>, to: &mut Buffer<D>) -> Result<(), ComputeError> {
        self.card.driver.copy(from.address(), to.address(), from.bytes())
    }

    fn download_lightning_state(&self, state: &Buffer<D>) -> Result<Vec<f32>, ComputeError> {
        let mut values = Vec::new();
        self.card
            .download_f32s(state.address(), &mut values, state.bytes() / size_of::<f32>())?;
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
        Some(format!("cuda {card}, keys and values {:?}, build {BUILD}", self.kv))
    }

    fn upload_lightning_state(&self, spec: &Lightning, values: &[f32]) -> Result<Buffer<D>, ComputeError> {
        lightning::check(spec)?;
        ensure(values.len() == spec.heads * spec.head_dim * spec.head_dim, || {
            format!("a lightning state does not have {} values", values.len())
        })?;
        self.card.upload_f32s(values)
    }

    fn kv_block(&self, cache: &KvCache<D>, block: usize) -> Result<Arc<dyn KvBlock>, ComputeError> {
        Ok(Arc::from(stored::read(&self.card, cache, block)?))
    }

    fn kv_block_bytes(&self, spec: &Softmax, block: usize) -> usize {
        stored::block_bytes(spec, self.kv, block * KV_BLOCK)
    }

    fn share_kv_cache(&self, spec: &Softmax, cache: &KvCache<D>, blocks: usize) -> Result<KvCache<D>, ComputeError> {
        stored::copied(&self.card, self.kv_cache(spec)?, cache, blocks)
    }

    fn extend_kv_cache(
        &self,
        _: &Softmax,
        cache: &mut KvCache<D>,
        blocks: &[&[u8]],
        len: usize,
    ) -> Result<(), ComputeError> {
        stored::extend(&self.card, cache, blocks, len)
    }

    fn embed(&self, table: &Weight<D>, ids: &[u32], x: &mut Rows<D>) -> Result<(), ComputeError> {
        ensure(ids.iter().all(|id| (*id as usize) < table.rows), || {
            format!("an id is outside of the vocabulary of {}", table.rows)
        })?;
        let stream = self.card.f32s(ids.len() * table.columns)?;
        if !ids.is_empty() {
            let ids_buffer = self.card.upload(&bytes_of(ids, u32::to_le_bytes))?;
            self.card.launch_with(
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
        let h = x.enter(&self.card, block, self.rounds(x.count))?;
        let f = lightning::forward(&self.card, workspace, spec, weights, (x, &h), (state, next), tile)?;
        self.leave(x, tile.outputs, h.residual, f, None, block.residual)
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
        let h = x.enter(&self.card, block, self.rounds(x.count))?;
        let f = softmax::forward(&self.card, workspace, spec, weights, (x, &h), cache, tile)?;
        self.leave(x, tile.outputs, h.residual, f, None, block.residual)
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
        let h = x.enter(&self.card, block, self.rounds(x.count))?;
        let experts = self.experts();
        let (outputs, mix) = moe::forward(&self.card, workspace, spec, weights, (x, &h), experts, interrupt)?;
        self.leave(x, x.count, h.residual, outputs, mix, block.residual)
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
        let whole = x.whole(&self.card, norm)?;
        let out = self.card.f32s(rows.len() * head.rows)?;
        self.card.launch(
            &format!("head_{}", head.suffix()),
            [head.rows.div_ceil(32), rows.len(), 1],
            arguments![
                head.buffer(),
                whole.at(rows.start * x.width * size_of::<f32>()),
                norm.buffer(),
                &out,
                eps as f32,
                head.rows,
                head.columns
            ],
        )?;
        self.card.download_f32s(out.address(), logits, rows.len() * head.rows)
    }
}
