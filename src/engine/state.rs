//! What a sequence of tokens leaves behind: lightning states and KV caches, and the marks to go back to.

use std::fmt;

use super::Network;
use crate::compute::{Backend, ComputeError};
use crate::model::Mixer;

/// The state after `position` tokens. A tile writes beside it; the network makes the tile part of it when its last layer is done.
pub struct State<B: Backend> {
    position: usize,
    pub(super) layers: Vec<LayerState<B>>,
}

pub(super) enum LayerState<B: Backend> {
    Lightning {
        now: B::LightningState,
        next: B::LightningState,
    },
    Softmax(B::KvCache),
}

/// A place to go back to: the lightning states there. Keys and values are still in the caches, which only grow past it.
pub struct Mark<B: Backend> {
    position: usize,
    lightning: Vec<B::LightningState>,
}

impl<B: Backend> State<B> {
    /// The state of the empty sequence.
    pub fn new(network: &Network<B>) -> Result<Self, ComputeError> {
        let layers = network
            .config
            .layers
            .iter()
            .map(|layer| {
                Ok(match &layer.mixer {
                    Mixer::Lightning(spec) => LayerState::Lightning {
                        now: network.backend.lightning_state(spec)?,
                        next: network.backend.lightning_state(spec)?,
                    },
                    Mixer::Softmax(spec) => LayerState::Softmax(network.backend.kv_cache(spec)?),
                })
            })
            .collect::<Result<_, ComputeError>>()?;
        Ok(Self { position: 0, layers })
    }

    /// Tokens in the state.
    #[must_use]
    pub fn position(&self) -> usize {
        self.position
    }

    /// Remembers this place.
    pub fn mark(&self, network: &Network<B>) -> Result<Mark<B>, ComputeError> {
        let mut lightning = Vec::new();
        for (layer, state) in network.config.layers.iter().zip(&self.layers) {
            if let (Mixer::Lightning(spec), LayerState::Lightning { now, .. }) = (&layer.mixer, state) {
                let mut copy = network.backend.lightning_state(spec)?;
                network.backend.copy_lightning_state(now, &mut copy)?;
                lightning.push(copy);
            }
        }
        Ok(Mark {
            position: self.position,
            lightning,
        })
    }

    /// Goes back to `mark`, which must have been made on this sequence and not lie ahead of it.
    pub fn rewind(&mut self, mark: &Mark<B>, network: &Network<B>) -> Result<(), ComputeError> {
        let mut marked = mark.lightning.iter();
        for layer in &mut self.layers {
            match layer {
                LayerState::Lightning { now, .. } => {
                    let from = marked.next().expect("a mark has one state for each lightning layer");
                    network.backend.copy_lightning_state(from, now)?;
                }
                LayerState::Softmax(cache) => network.backend.truncate_kv_cache(cache, mark.position)?,
            }
        }
        self.position = mark.position;
        Ok(())
    }

    pub(super) fn commit(&mut self, tokens: usize) {
        for layer in &mut self.layers {
            if let LayerState::Lightning { now, next } = layer {
                std::mem::swap(now, next);
            }
        }
        self.position += tokens;
    }

    pub(super) fn roll_back(&mut self, backend: &B) -> Result<(), ComputeError> {
        for layer in &mut self.layers {
            if let LayerState::Softmax(cache) = layer {
                backend.truncate_kv_cache(cache, self.position)?;
            }
        }
        Ok(())
    }
}

impl<B: Backend> Mark<B> {
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
