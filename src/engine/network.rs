//! The forward pass, written once over the operations of a backend.
//!
//! ```text
//! x = embed(ids)
//! each layer:  h = norm(x);  x = α·r + β·mixer(h);  h = norm(x);  x = α·r + β·experts(h)      r = h or x
//! logits = head(norm(x))
//! ```
//! **Only what is read is computed.** In the last layer a token whose logits nobody asks for needs its state update or
//! its keys and values, and no output: with softmax last, as in the 7:1 pattern, prefill of one period is linear.

use std::fmt;

use super::state::{LayerState, State};
use crate::compute::{Backend, ComputeError, Interrupt, Tile};
use crate::model::{FeedForward, LayerWeights, Mixer, MixerWeights, ModelConfig, ModelWeights, Residual, TensorView};

/// Rows of logits computed at once: 64 of a 200,064-word vocabulary are 51 MB.
const HEAD_ROWS: usize = 64;

/// A model on a backend: weights and configuration, no state.
pub struct Network<B: Backend> {
    pub(super) backend: B,
    pub(super) config: ModelConfig,
    weights: ModelWeights<B::Tensor>,
}

impl<B: Backend> Network<B> {
    /// Hands the weights to the backend.
    pub fn new(backend: B, config: ModelConfig, weights: ModelWeights<TensorView>) -> Result<Self, ComputeError> {
        let weights = weights.try_map(|tensor| backend.load(tensor))?;
        Ok(Self {
            backend,
            config,
            weights,
        })
    }

    #[must_use]
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Appends `ids` to the sequence as one tile and hands the logits of the last `outputs` of them, in order, to `sink`
    /// with their index among the outputs.
    ///
    /// # Errors
    /// If an id is outside of the vocabulary, if `interrupt` is raised, or if the backend fails; the state is then what
    /// it was.
    pub fn advance(
        &self,
        state: &mut State<B>,
        ids: &[u32],
        outputs: usize,
        interrupt: &Interrupt,
        mut sink: impl FnMut(usize, &[f32]),
    ) -> Result<(), ComputeError> {
        if ids.is_empty() {
            return Ok(());
        }
        if let Some(id) = ids.iter().find(|id| **id as usize >= self.config.vocab) {
            let vocab = self.config.vocab;
            return Err(ComputeError::Backend(format!(
                "token id {id} is outside of the vocabulary of {vocab}"
            )));
        }
        let outputs = outputs.min(ids.len());
        let done = self.forward(state, ids, outputs, interrupt).and_then(|x| match x {
            Some(x) => self.logits(&x, outputs, interrupt, &mut sink),
            None => Ok(()),
        });
        match done {
            Ok(()) => {
                state.commit(ids.len());
                Ok(())
            }
            Err(error) => {
                state.roll_back(&self.backend)?;
                Err(error)
            }
        }
    }

    /// The last layer's output for the last `outputs` tokens; none if there are none.
    fn forward(
        &self,
        state: &mut State<B>,
        ids: &[u32],
        outputs: usize,
        interrupt: &Interrupt,
    ) -> Result<Option<B::Rows>, ComputeError> {
        let position = state.position();
        let mut x = self.backend.embed(&self.weights.embedding, ids)?;
        let last = self.config.layers.len() - 1;
        for (index, (weights, layer_state)) in self.weights.layers.iter().zip(&mut state.layers).enumerate() {
            let tile = Tile {
                position,
                outputs: if index == last { outputs } else { ids.len() },
                interrupt,
            };
            match self.layer(index, weights, layer_state, &x, ids.len(), tile)? {
                Some(next) => x = next,
                None => return Ok(None),
            }
        }
        Ok(Some(x))
    }

    fn layer(
        &self,
        index: usize,
        weights: &LayerWeights<B::Tensor>,
        state: &mut LayerState<B>,
        x: &B::Rows,
        tokens: usize,
        tile: Tile<'_>,
    ) -> Result<Option<B::Rows>, ComputeError> {
        let layer = &self.config.layers[index];
        let backend = &self.backend;
        let h = backend.rms_norm(x, &weights.mixer_norm, self.config.norm_eps)?;
        let mixed = match (&layer.mixer, &weights.mixer, state) {
            (Mixer::Lightning(spec), MixerWeights::Lightning(w), LayerState::Lightning { now, next }) => {
                backend.lightning(spec, w, &h, now, next, tile)?
            }
            (Mixer::Softmax(spec), MixerWeights::Softmax(w), LayerState::Softmax(cache)) => {
                backend.softmax(spec, w, &h, cache, tile)?
            }
            _ => unreachable!("weights and states are made from the configuration"),
        };
        if tile.outputs == 0 {
            return Ok(None);
        }
        let x = if tile.outputs == tokens {
            self.add(layer.mixer_residual, &h, x, &mixed)?
        } else {
            let wanted = tokens - tile.outputs..tokens;
            let (h, x) = (backend.slice_rows(&h, wanted.clone())?, backend.slice_rows(x, wanted)?);
            self.add(layer.mixer_residual, &h, &x, &mixed)?
        };
        let h = backend.rms_norm(&x, &weights.feed_forward_norm, self.config.norm_eps)?;
        let FeedForward::Moe(spec) = &layer.feed_forward;
        let fed = backend.moe(spec, &weights.moe, &h, tile.interrupt)?;
        Ok(Some(self.add(layer.feed_forward_residual, &h, &x, &fed)?))
    }

    fn add(&self, residual: Residual, h: &B::Rows, x: &B::Rows, f: &B::Rows) -> Result<B::Rows, ComputeError> {
        let from = if residual.from_normed { h } else { x };
        self.backend.residual(residual.alpha, from, residual.beta, f)
    }

    fn logits(
        &self,
        x: &B::Rows,
        outputs: usize,
        interrupt: &Interrupt,
        sink: &mut impl FnMut(usize, &[f32]),
    ) -> Result<(), ComputeError> {
        let x = self.backend.rms_norm(x, &self.weights.norm, self.config.norm_eps)?;
        let head = self.weights.head.as_ref().unwrap_or(&self.weights.embedding);
        for first in (0..outputs).step_by(HEAD_ROWS) {
            let rows = self.backend.slice_rows(&x, first..outputs.min(first + HEAD_ROWS))?;
            let logits = self.backend.head(head, &rows, interrupt)?;
            for (i, row) in logits.chunks_exact(self.config.vocab).enumerate() {
                sink(first + i, row);
            }
        }
        Ok(())
    }
}

impl<B: Backend> fmt::Debug for Network<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}
