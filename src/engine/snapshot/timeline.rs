//! Where the engine keeps and restores: the sequence it holds, against what is on the disk.

use std::sync::Arc;

use rayon::prelude::*;

use super::Snapshots;
use super::files::Mapped;
use super::key::{Chain, Identity, Key};
use super::shelf::{Found, Shelf, Spot};
use super::volume::{Kind, Owner, Unusable};
use super::writer::{Batch, Bytes, Decoding, New};
use crate::compute::{Backend, ComputeError, Interrupt, KV_BLOCK, KvBlock};
use crate::engine::state::{LayerState, Mark};
use crate::engine::timeline::Timeline;
use crate::engine::{Network, Reach};
use crate::model::{Lightning, Mixer, Softmax};

/// Tokens from one place to the next where there is no other reason to keep one.
const INTERVAL: usize = 16 << 10;
/// Memory for the places of one slab, in bytes: where states are large they are further apart.
const PLACES: usize = 1 << 30;
/// Shorter sequences are prefilled sooner than they are kept.
const LEAST: usize = KV_BLOCK;
/// Blocks that are read and checked together.
const TOGETHER: usize = 64;
/// How many kept states are tried before the rest is prefilled.
const ATTEMPTS: usize = 64;

/// What was kept of the model that an engine has.
pub(in crate::engine) struct Keeper {
    snapshots: Arc<Snapshots>,
    shelf: Arc<Shelf>,
    /// The furthest place that was kept of the sequence.
    reached: usize,
}

impl Keeper {
    /// None if states of this backend cannot be kept.
    pub fn new<B: Backend>(snapshots: Arc<Snapshots>, identity: &Identity, network: &Network<B>) -> Option<Self> {
        let numerics = network.backend.numerics()?;
        let owner = Owner {
            model: Key::of_model(identity, &network.config, &numerics),
            name: identity.name.clone(),
            numerics,
        };
        let shelf = Shelf::new(snapshots.files.clone(), &snapshots.root, owner);
        Some(Self {
            snapshots,
            shelf: Arc::new(shelf),
            reached: 0,
        })
    }

    fn has(&self, key: &Key) -> bool {
        self.shelf.has(key) || self.snapshots.queue.has(key)
    }

    pub fn on_disk(&self) -> OnDisk {
        OnDisk(self.shelf.clone())
    }
}

/// What was kept of a model, for others to ask while the engine works.
pub(in crate::engine) struct OnDisk(Arc<Shelf>);

impl std::fmt::Debug for OnDisk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("OnDisk").field(&self.0.folder()).finish()
    }
}

impl OnDisk {
    /// The state that has read most of these tokens and reaches further than `least`, if the first `held` blocks of keys and values
    /// are there.
    pub fn reach(&self, tokens: &[u32], held: usize, least: usize) -> Option<Reach> {
        self.0.refresh();
        let chain = Chain::new(self.0.owner.model, tokens);
        let found = self.0.find(&chain, tokens.len(), held, least)?;
        Some(Reach {
            tokens: found.position,
            rate: found.place.rate(),
        })
    }
}

/// The layers' states as they were restored, lightning and caches each in order.
struct Restored<B: Backend> {
    lightning: Vec<B::LightningState>,
    caches: Vec<B::KvCache>,
}

/// Why a state was not restored.
enum Failure {
    Stopped(ComputeError),
    /// It is not there any more, or is not what was written.
    Unusable,
}

impl From<Unusable> for Failure {
    fn from(_: Unusable) -> Self {
        Self::Unusable
    }
}

impl<B: Backend> Timeline<B> {
    /// Places to keep on the way to `end` tokens, ascending.
    pub(in crate::engine) fn places_between(&self, here: usize, end: usize, slab: usize) -> Vec<usize> {
        if self.keeper.is_none() {
            return Vec::new();
        }
        let state = self.network.config.lightning_state_bytes();
        let mut interval = INTERVAL;
        while (slab.min(end) / interval).saturating_mul(state) > PLACES {
            interval *= 2;
        }
        (here / interval + 1..=end / interval).map(|n| n * interval).collect()
    }

    /// The state on the disk that has read more than `least` of these tokens.
    pub(in crate::engine) fn kept_on_disk(&self, wanted: &[u32], least: usize) -> Option<Reach> {
        let held = self.common(wanted) / KV_BLOCK;
        self.keeper.as_ref()?.on_disk().reach(wanted, held, least)
    }

    /// Takes up the state on the disk that reaches furthest into `wanted`, if that is further than `least` tokens; says how far. The
    /// sequence must be settled; if there is no such state it is as it was.
    ///
    /// # Errors
    /// If it was interrupted; the sequence is then as it was.
    pub(in crate::engine) fn restore(
        &mut self,
        wanted: &[u32],
        least: usize,
        interrupt: &Interrupt,
    ) -> Result<Option<usize>, ComputeError> {
        let Some(keeper) = &self.keeper else {
            return Ok(None);
        };
        let shelf = keeper.shelf.clone();
        if wanted.len() <= least || wanted.len() < LEAST {
            return Ok(None);
        }
        shelf.refresh();
        let chain = Chain::new(shelf.owner.model, wanted);
        let common = self.common(wanted);
        let held = common / KV_BLOCK;
        for _ in 0..ATTEMPTS {
            let Some(found) = shelf.find(&chain, wanted.len(), held, least) else {
                return Ok(None);
            };
            match self.load(&shelf, &found, held, interrupt) {
                Ok(restored) => {
                    self.take_over(wanted, found.position, restored);
                    let place = chain.place(found.position);
                    let blocks: Vec<Key> = (0..found.position / KV_BLOCK).map(|block| chain.block(block)).collect();
                    shelf.touch(blocks.iter().chain([&place]));
                    return Ok(Some(found.position));
                }
                Err(Failure::Stopped(error @ ComputeError::Interrupted(_))) => return Err(error),
                // It cannot be had on this backend.
                Err(Failure::Stopped(_)) => return Ok(None),
                // The shelf has forgotten it.
                Err(Failure::Unusable) => {}
            }
        }
        Ok(None)
    }

    /// Takes up a state on the disk after exactly these tokens, together with what the model said comes next, if both were kept; says how
    /// many of the tokens were not in memory.
    pub(in crate::engine) fn restore_logits(
        &mut self,
        wanted: &[u32],
        interrupt: &Interrupt,
    ) -> Result<Option<(Vec<f32>, usize)>, ComputeError> {
        let Some(keeper) = &self.keeper else {
            return Ok(None);
        };
        let shelf = keeper.shelf.clone();
        shelf.refresh();
        let chain = Chain::new(shelf.owner.model, wanted);
        let spot = shelf.spot(&chain.logits(wanted.len()));
        let Some(Ok(bytes)) = spot.map(|spot| shelf.read(&spot)) else {
            return Ok(None);
        };
        let logits: Vec<f32> = (*bytes)
            .as_ref()
            .as_chunks()
            .0
            .iter()
            .map(|x| f32::from_le_bytes(*x))
            .collect();
        if logits.len() != self.network.config.vocab {
            return Ok(None);
        }
        self.settle()?;
        let reach = self.reach(wanted);
        if reach == wanted.len() && self.tokens.len() == reach {
            return Ok(Some((logits, 0)));
        }
        let restored = self.restore(wanted, wanted.len() - 1, interrupt)?;
        Ok(restored.map(|position| (logits, position - reach.min(position))))
    }

    /// Reads a state whose first `held` blocks are in the caches.
    fn load(&self, shelf: &Shelf, found: &Found, held: usize, interrupt: &Interrupt) -> Result<Restored<B>, Failure> {
        let Network { backend, config, .. } = &self.network;
        let whole = found.position / KV_BLOCK;
        let place = shelf.read(&found.place)?;
        let mut rest = (*place).as_ref();
        let mut lightning = Vec::new();
        for (index, spec) in self.lightning_layers() {
            let bytes = spec.heads * spec.head_dim * spec.head_dim * size_of::<f32>();
            let (state, after) = rest.split_at_checked(bytes).ok_or(Failure::Unusable)?;
            let values: Vec<f32> = state.as_chunks().0.iter().map(|x| f32::from_le_bytes(*x)).collect();
            let state = backend.upload_lightning_state(spec, &values);
            let mut state = state.map_err(Failure::Stopped)?;
            let moved = backend.move_lightning_state(&mut state, self.network.place(index));
            moved.map_err(Failure::Stopped)?;
            lightning.push(state);
            rest = after;
        }
        let specs: Vec<&Softmax> = self.softmax_layers().collect();
        let mut caches = Vec::new();
        for (spec, cache) in specs.iter().zip(self.caches()) {
            // More may be held than is wanted.
            let shared = backend.share_kv_cache(spec, cache, held.min(whole));
            caches.push(shared.map_err(Failure::Stopped)?);
        }
        debug_assert_eq!(lightning.len() + caches.len(), config.layers.len());
        let mut first = held;
        for group in found.blocks.chunks(TOGETHER) {
            interrupt.check().map_err(|error| Failure::Stopped(error.into()))?;
            let contents = read_all(shelf, group)?;
            let contents: Vec<&[u8]> = contents.iter().map(|content| (**content).as_ref()).collect();
            self.extend(&specs, &mut caches, first, &contents, (first + group.len()) * KV_BLOCK)?;
            first += group.len();
        }
        if !found.position.is_multiple_of(KV_BLOCK) {
            self.extend(&specs, &mut caches, whole, &[rest], found.position)?;
        } else if !rest.is_empty() {
            return Err(Failure::Unusable);
        }
        Ok(Restored { lightning, caches })
    }

    /// Appends blocks, from number `first` on, to the caches of all softmax layers. A block has those of the layers one after the other.
    fn extend(
        &self,
        specs: &[&Softmax],
        caches: &mut [B::KvCache],
        first: usize,
        blocks: &[&[u8]],
        len: usize,
    ) -> Result<(), Failure> {
        let backend = &self.network.backend;
        let mut rests = blocks.to_vec();
        for (spec, cache) in specs.iter().zip(caches) {
            let mut parts = Vec::with_capacity(rests.len());
            for (index, rest) in rests.iter_mut().enumerate() {
                let bytes = backend.kv_block_bytes(spec, first + index);
                let (part, after) = rest.split_at_checked(bytes).ok_or(Failure::Unusable)?;
                parts.push(part);
                *rest = after;
            }
            let extended = backend.extend_kv_cache(spec, cache, &parts, len);
            extended.map_err(Failure::Stopped)?;
        }
        if rests.iter().all(|rest| rest.is_empty()) {
            Ok(())
        } else {
            Err(Failure::Unusable)
        }
    }

    fn take_over(&mut self, wanted: &[u32], position: usize, restored: Restored<B>) {
        let common = self.common(wanted).min(position);
        let marks = |mark: &Arc<Mark<B>>| mark.position() <= common;
        self.marks.retain(marks);
        self.documents.retain(marks);
        self.forget(common);
        self.tokens.extend_from_slice(&wanted[common..position]);
        self.state.replace(position, restored.lightning, restored.caches);
        if let Some(keeper) = &mut self.keeper {
            keeper.reached = position;
        }
        self.logits = None;
    }

    /// Remembers how far of the sequence is still the one that was kept.
    pub(in crate::engine) fn went_back(&mut self, position: usize) {
        if let Some(keeper) = &mut self.keeper {
            keeper.reached = keeper.reached.min(position);
        }
    }

    /// Has the keys and values of all whole blocks written to the disk, and the states at these places of the sequence, which is
    /// settled.
    pub(in crate::engine) fn keep_on_disk(&mut self, marks: &[Arc<Mark<B>>]) -> Result<(), ComputeError> {
        self.keep_with_logits(marks, None)
    }

    fn keep_with_logits(&mut self, marks: &[Arc<Mark<B>>], logits: Option<Vec<f32>>) -> Result<(), ComputeError> {
        let position = self.state.position();
        let Some(keeper) = &self.keeper else { return Ok(()) };
        if position < LEAST {
            return Ok(());
        }
        keeper.shelf.refresh();
        let chain = Chain::new(keeper.shelf.owner.model, &self.tokens[..position]);
        let backend = &self.network.backend;
        let specs: Vec<&Softmax> = self.softmax_layers().collect();
        let mut records = Vec::new();
        for block in (0..chain.blocks()).filter(|block| !keeper.has(&chain.block(*block))) {
            records.push(New {
                kind: Kind::Block,
                key: chain.block(block),
                position: (block + 1) * KV_BLOCK,
                bytes: specs
                    .iter()
                    .map(|spec| backend.kv_block_bytes(spec, block) as u64)
                    .sum(),
                content: Box::new(self.blocks(block)?),
            });
        }
        for mark in marks.iter().filter(|mark| mark.position() >= LEAST) {
            let key = chain.place(mark.position());
            if keeper.has(&key) {
                continue;
            }
            let rest = !mark.position().is_multiple_of(KV_BLOCK);
            let block = mark.position() / KV_BLOCK;
            let tail = if rest { self.blocks(block)? } else { Vec::new() };
            let bytes = specs
                .iter()
                .map(|spec| backend.kv_block_bytes(spec, block))
                .sum::<usize>();
            records.push(New {
                kind: Kind::Place,
                key,
                position: mark.position(),
                bytes: (self.network.config.lightning_state_bytes() + if rest { bytes } else { 0 }) as u64,
                content: Box::new(Place {
                    backend: backend.clone(),
                    mark: mark.clone(),
                    tail,
                }),
            });
        }
        if let Some(logits) = logits {
            records.push(New {
                kind: Kind::Logits,
                key: chain.logits(position),
                position,
                bytes: (logits.len() * size_of::<f32>()) as u64,
                content: Box::new(logits),
            });
        }
        // A place comes after the blocks that it needs.
        records.sort_by_key(|record| (record.position, record.kind != Kind::Block));
        keeper.snapshots.write(Batch {
            shelf: keeper.shelf.clone(),
            chain: (0..chain.blocks()).map(|block| chain.block(block)).collect(),
            rate: self.rate,
            records,
        });
        let furthest = marks.iter().map(|mark| mark.position()).max();
        if let Some(keeper) = &mut self.keeper {
            keeper.reached = keeper.reached.max(furthest.unwrap_or(0));
        }
        Ok(())
    }

    /// Says that a reply is decoded until the value is dropped.
    pub(in crate::engine) fn decoding(&self) -> Option<Decoding> {
        self.keeper.as_ref().map(|keeper| keeper.snapshots.decoding())
    }

    /// Has the state here written to the disk.
    pub(in crate::engine) fn keep_here_on_disk(&mut self) -> Result<(), ComputeError> {
        if self.keeper.is_none() {
            return Ok(());
        }
        let mark = Arc::new(self.state.mark(&self.network)?);
        self.keep_with_logits(&[mark], self.logits.clone())
    }

    /// The same, if the last place is too far back. In the middle of a reply.
    pub(in crate::engine) fn keep_on_the_way(&mut self) -> Result<(), ComputeError> {
        let here = self.state.position();
        match &self.keeper {
            Some(keeper) if here / INTERVAL > keeper.reached / INTERVAL => self.keep_here_on_disk(),
            _ => Ok(()),
        }
    }

    /// Keys and values of a block, of each softmax layer.
    fn blocks(&self, block: usize) -> Result<Vec<Arc<dyn KvBlock>>, ComputeError> {
        let caches = self.caches();
        caches
            .map(|cache| self.network.backend.kv_block(cache, block))
            .collect()
    }

    fn caches(&self) -> impl Iterator<Item = &B::KvCache> {
        self.state.layers.iter().filter_map(|layer| match layer {
            LayerState::Softmax(cache) => Some(cache),
            LayerState::Lightning(_) => None,
        })
    }

    fn softmax_layers(&self) -> impl Iterator<Item = &Softmax> {
        self.network
            .config
            .layers
            .iter()
            .filter_map(|layer| match &layer.mixer {
                Mixer::Softmax(spec) => Some(spec),
                Mixer::Lightning(_) => None,
            })
    }

    /// With their numbers among all layers.
    fn lightning_layers(&self) -> impl Iterator<Item = (usize, &Lightning)> {
        let layers = self.network.config.layers.iter().enumerate();
        layers.filter_map(|(index, layer)| match &layer.mixer {
            Mixer::Lightning(spec) => Some((index, spec)),
            Mixer::Softmax(_) => None,
        })
    }
}

fn read_all(shelf: &Shelf, spots: &[Spot]) -> Result<Vec<Mapped>, Unusable> {
    spots.par_iter().map(|spot| shelf.read(spot)).collect()
}

impl Bytes for Vec<Arc<dyn KvBlock>> {
    fn append_to(&self, to: &mut Vec<u8>) -> Result<(), ComputeError> {
        self.iter().try_for_each(|block| block.write(to))
    }
}

/// A place to go on from.
struct Place<B: Backend> {
    backend: Arc<B>,
    mark: Arc<Mark<B>>,
    /// The block that it lies in, of each softmax layer; none if it lies between two.
    tail: Vec<Arc<dyn KvBlock>>,
}

impl<B: Backend> Bytes for Place<B> {
    fn append_to(&self, to: &mut Vec<u8>) -> Result<(), ComputeError> {
        for state in &self.mark.lightning {
            self.backend.download_lightning_state(state)?.append_to(to)?;
        }
        self.tail.append_to(to)
    }
}

impl Bytes for Vec<f32> {
    fn append_to(&self, to: &mut Vec<u8>) -> Result<(), ComputeError> {
        let start = to.len();
        to.resize(start + self.len() * size_of::<f32>(), 0);
        for (to, value) in to[start..].as_chunks_mut().0.iter_mut().zip(self) {
            *to = value.to_le_bytes();
        }
        Ok(())
    }
}
