//! What a sequence of tokens leaves behind: lightning states and KV caches, and the marks to go back to.

use std::fmt;

use super::Network;
use super::slab::Slab;
use super::versions::Versions;
use crate::compute::{Backend, ComputeError};
use crate::model::Mixer;

/// The state after `position` tokens, and a slab of tokens that may be on its way through the layers.
pub struct State<B: Backend> {
    position: usize,
    pub(super) layers: Vec<LayerState<B>>,
    pub(super) slab: Option<Slab<B>>,
    pub(super) workspace: B::Workspace,
    /// Activations and logits of the last tile, whose memory the next one uses.
    pub(super) x: B::Rows,
    pub(super) logits: Vec<f32>,
}

pub(super) enum LayerState<B: Backend> {
    Lightning(Versions<B::LightningState>),
    Softmax(B::KvCache),
}

/// A place to go back to: the lightning states there. Keys and values are still in the caches, which only grow past it.
pub struct Mark<B: Backend> {
    position: usize,
    /// Of the lightning layers, in order.
    pub(super) lightning: Vec<B::LightningState>,
}

impl<B: Backend> State<B> {
    /// The state of the empty sequence.
    pub fn new(network: &Network<B>) -> Result<Self, ComputeError> {
        let layers = network
            .config
            .layers
            .iter()
            .enumerate()
            .map(|(index, layer)| {
                let (backend, place) = (&network.backend, network.place(index));
                Ok(match &layer.mixer {
                    Mixer::Lightning(spec) => LayerState::Lightning(Versions::new(|| {
                        let mut state = backend.lightning_state(spec)?;
                        backend.move_lightning_state(&mut state, place)?;
                        Ok::<_, ComputeError>(state)
                    })?),
                    Mixer::Softmax(spec) => {
                        let mut cache = backend.kv_cache(spec)?;
                        backend.move_kv_cache(&mut cache, place)?;
                        LayerState::Softmax(cache)
                    }
                })
            })
            .collect::<Result<_, ComputeError>>()?;
        Ok(Self {
            position: 0,
            layers,
            slab: None,
            workspace: network.backend.workspace()?,
            x: network.backend.upload(&[], network.config.hidden)?,
            logits: Vec::new(),
        })
    }

    /// Tokens in the state.
    #[must_use]
    pub fn position(&self) -> usize {
        self.position
    }

    /// Remembers this place.
    pub fn mark(&self, network: &Network<B>) -> Result<Mark<B>, ComputeError> {
        let mut mark = Mark::new(self.position);
        for (layer, state) in network.config.layers.iter().zip(&self.layers) {
            if let (Mixer::Lightning(spec), LayerState::Lightning(versions)) = (&layer.mixer, state) {
                let mut copy = network.backend.lightning_state(spec)?;
                network.backend.copy_lightning_state(versions.committed(), &mut copy)?;
                mark.lightning.push(copy);
            }
        }
        Ok(mark)
    }

    /// Goes back to `mark`, which must have been made on this sequence and not lie ahead of it. What has been done of a slab is
    /// lost.
    pub fn rewind(&mut self, mark: &Mark<B>, network: &Network<B>) -> Result<(), ComputeError> {
        self.slab = None;
        let mut marked = mark.lightning.iter();
        for layer in &mut self.layers {
            match layer {
                LayerState::Lightning(versions) => {
                    let from = marked.next().expect("a mark has one state for each lightning layer");
                    versions.roll_back();
                    network.backend.copy_lightning_state(from, versions.committed_mut())?;
                }
                LayerState::Softmax(cache) => network.backend.truncate_kv_cache(cache, mark.position)?,
            }
        }
        self.position = mark.position;
        Ok(())
    }

    /// Becomes a state that was kept, after `position` tokens. What has been done of a slab is lost.
    pub(super) fn replace(&mut self, position: usize, lightning: Vec<B::LightningState>, caches: Vec<B::KvCache>) {
        self.slab = None;
        let (mut lightning, mut caches) = (lightning.into_iter(), caches.into_iter());
        for layer in &mut self.layers {
            match layer {
                LayerState::Lightning(versions) => {
                    versions.roll_back();
                    *versions.committed_mut() = lightning.next().expect("one state for each lightning layer");
                }
                LayerState::Softmax(cache) => *cache = caches.next().expect("one cache for each softmax layer"),
            }
        }
        self.position = position;
    }

    pub(super) fn commit(&mut self, tokens: usize) {
        for layer in &mut self.layers {
            if let LayerState::Lightning(versions) = layer {
                versions.commit();
            }
        }
        self.position += tokens;
    }

    /// Forgets all tokens beyond the position, those of a slab too.
    pub(super) fn roll_back(&mut self, backend: &B) -> Result<(), ComputeError> {
        self.slab = None;
        for layer in &mut self.layers {
            match layer {
                LayerState::Lightning(versions) => versions.roll_back(),
                LayerState::Softmax(cache) => backend.truncate_kv_cache(cache, self.position)?,
            }
        }
        Ok(())
    }
}

impl<B: Backend> Mark<B> {
    pub(super) fn new(position: usize) -> Self {
        Self {
            position,
            lightning: Vec::new(),
        }
    }

    #[must_use]
    pub fn position(&self) -> usize {
        self.position
    }
}

impl<B: Backend> fmt::Debug for State<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State")
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}

impl<B: Backend> fmt::Debug for Mark<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mark")
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}
