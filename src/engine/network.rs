//! The forward pass, written once over the operations of a backend.
//!
//! ```text
//! x = embed(ids)
//! each layer:  h = norm(x);  x = α·r + β·mixer(h);  h = norm(x);  x = α·r + β·experts(h)      r = h or x
//! logits = head(norm(x))
//! ```
//! **Only what is read is computed.** In the last layer a token whose logits nobody asks for needs its state update or
//! its keys and values, and no output: with softmax last, as in the 7:1 pattern, prefill of one period is linear.
//!
//! **Layer by layer.** A prompt passes in slabs: all its tiles through one layer, then through the next (see `slab`, and `order` for
//! layers that are in several places).

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::order::{self, Step};
use super::slab::{Half, Slab, SlabTile};
use super::state::{LayerState, Mark, State};
use crate::compute::{Backend, Block, ComputeError, Expectation, Interrupt, Residency, Tile};
use crate::model::{FeedForward, Mixer, MixerWeights, ModelConfig, ModelWeights, Residual, TensorView};

/// Rows of logits computed at once: 64 of a 200,064-word vocabulary are 51 MB.
const HEAD_ROWS: usize = 64;
/// A model on a backend: weights and configuration, no state.
pub struct Network<B: Backend> {
    /// Shared with whatever writes its states to the disk.
    pub(super) backend: Arc<B>,
    pub(super) config: ModelConfig,
    weights: ModelWeights<B::Tensor>,
    /// Layers that lie together, in order.
    stages: Vec<Range<usize>>,
}

/// How a prompt is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// Tokens that pass a layer together.
    pub tile: usize,
    /// Tokens that pass all layers together, as many as memory holds; where layers are in several places, that pass those of one place
    /// together if weights are copied there for them.
    pub slab: usize,
}

/// What one slab has added to a sequence.
#[derive(Debug)]
pub struct Prefilled<B: Backend> {
    pub tokens: usize,
    pub marks: Vec<Mark<B>>,
}

impl<B: Backend> Network<B> {
    /// Hands the weights to the backend.
    pub fn new(backend: B, config: ModelConfig, weights: ModelWeights<TensorView>) -> Result<Self, ComputeError> {
        let weights = weights.try_map(|tensor, role| backend.load(tensor, role))?;
        let places = weights.layers.iter().map(|layer| backend.place(&layer.mixer_norm));
        let stages = order::stages(&places.collect::<Vec<_>>());
        Ok(Self {
            backend: Arc::new(backend),
            config,
            weights,
            stages,
        })
    }

    #[must_use]
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Where a layer is.
    pub(super) fn place(&self, layer: usize) -> usize {
        self.backend.place(&self.weights.layers[layer].mixer_norm)
    }

    /// Tokens of a slab at most, and of a piece of it that passes the layers of one place together.
    pub(super) fn lengths(&self, cut: Cut) -> (usize, usize) {
        let (tile, slab) = (cut.tile.max(1), cut.slab.max(1));
        if self.stages.len() == 1 {
            return (slab, slab);
        }
        let are_copied = self.residency().is_some_and(|residency| residency.experts > 0);
        order::pieces(slab, tile, are_copied)
    }

    /// What memory of its own the backend has, and what is in it.
    #[must_use]
    pub fn residency(&self) -> Option<Residency> {
        self.backend.residency()
    }

    /// Appends `ids` to the sequence as one tile and hands the logits of the last `outputs` of them, in order, to `sink`
    /// with their index among the outputs. A slab that was left is given up.
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
        sink: impl FnMut(usize, &[f32]),
    ) -> Result<(), ComputeError> {
        if !ids.is_empty() {
            self.evaluate(state, ids, outputs, interrupt, sink)?;
            state.commit(ids.len());
        }
        Ok(())
    }

    /// Evaluates `ids` as one tile that may come next and hands the logits of each to `sink`. None of them is a part of the
    /// sequence until [`accept`](Self::accept) says how many are; nothing else may be done with the state before.
    pub fn verify(
        &self,
        state: &mut State<B>,
        ids: &[u32],
        interrupt: &Interrupt,
        sink: impl FnMut(usize, &[f32]),
    ) -> Result<(), ComputeError> {
        self.evaluate(state, ids, ids.len(), interrupt, sink)
    }

    /// Appends the first `count` of the `ids` that were just verified, as if they had been all: from what the backend remembers
    /// of the tile, or by evaluating them again.
    pub fn accept(&self, state: &mut State<B>, ids: &[u32], count: usize) -> Result<(), ComputeError> {
        if count == ids.len() || (count > 0 && self.shorten(state, count)?) {
            state.commit(count);
            return Ok(());
        }
        state.roll_back(&self.backend)?;
        self.advance(state, &ids[..count], 0, &Interrupt::new(), |_, _| {})
    }

    /// Cuts the tile that was just evaluated short in every layer, or says that one cannot do that.
    fn shorten(&self, state: &mut State<B>, count: usize) -> Result<bool, ComputeError> {
        let end = state.position() + count;
        let State { layers, workspace, .. } = state;
        for (layer, layer_state) in self.config.layers.iter().zip(layers) {
            let shortened = match (&layer.mixer, layer_state) {
                (Mixer::Lightning(spec), LayerState::Lightning(versions)) => match versions.since_commit() {
                    Some((now, next)) => self.backend.shorten_tile(workspace, spec, now, next, count)?,
                    None => false,
                },
                (Mixer::Softmax(_), LayerState::Softmax(cache)) => {
                    self.backend.truncate_kv_cache(cache, end)?;
                    true
                }
                _ => unreachable!("states are made from the configuration"),
            };
            if !shortened {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn evaluate(
        &self,
        state: &mut State<B>,
        ids: &[u32],
        outputs: usize,
        interrupt: &Interrupt,
        mut sink: impl FnMut(usize, &[f32]),
    ) -> Result<(), ComputeError> {
        self.check(ids)?;
        if state.slab.is_some() {
            state.roll_back(&self.backend)?;
        }
        let done = self.forward(state, ids, outputs.min(ids.len()), interrupt, &mut sink);
        if done.is_err() {
            state.roll_back(&self.backend)?;
        }
        done
    }

    fn check(&self, ids: &[u32]) -> Result<(), ComputeError> {
        let vocab = self.config.vocab;
        match ids.iter().find(|id| **id as usize >= vocab) {
            Some(id) => Err(ComputeError::Backend(format!(
                "token id {id} is outside of the vocabulary of {vocab}"
            ))),
            None => Ok(()),
        }
    }

    fn forward(
        &self,
        state: &mut State<B>,
        ids: &[u32],
        outputs: usize,
        interrupt: &Interrupt,
        sink: &mut impl FnMut(usize, &[f32]),
    ) -> Result<(), ComputeError> {
        let position = state.position();
        let State {
            layers, workspace, x, ..
        } = state;
        self.backend.embed(&self.weights.embedding, ids, x)?;
        let last = self.config.layers.len() - 1;
        for (index, layer) in layers.iter_mut().enumerate() {
            let tile = Tile {
                position,
                outputs: if index == last { outputs } else { ids.len() },
                interrupt,
            };
            self.mixer(index, workspace, layer, x, tile)?;
            if tile.outputs > 0 {
                self.feed_forward(index, workspace, x, interrupt)?;
            }
        }
        if outputs > 0 {
            self.logits(state, outputs, interrupt, sink)?;
        }
        Ok(())
    }

    /// Appends the first of `ids` without logits, as one slab that passes the model layer by layer, and remembers the places
    /// `marks` in it: ascending numbers of `ids` before them. `progress` hears how many tokens are done, by the share of the
    /// layers they have passed.
    ///
    /// # Errors
    /// If an id is outside of the vocabulary, or if the backend fails; the state is then what it was. If `interrupt` is
    /// raised, what has been done stays beside the state, and the same call goes on with it.
    pub fn prefill(
        &self,
        state: &mut State<B>,
        ids: &[u32],
        cut: Cut,
        marks: &[usize],
        interrupt: &Interrupt,
        progress: &mut dyn FnMut(usize),
    ) -> Result<Prefilled<B>, ComputeError> {
        self.check(ids)?;
        let tokens = self.take_up(state, ids, cut, marks)?;
        match self.pass_layers(state, interrupt, progress) {
            Ok(marks) => {
                state.commit(tokens);
                Ok(Prefilled { tokens, marks })
            }
            Err(error @ ComputeError::Interrupted(_)) => Err(error),
            Err(error) => {
                state.roll_back(&self.backend)?;
                Err(error)
            }
        }
    }

    /// Tokens that a slab left beside the state adds to it, if the sequence goes on with `ids`.
    pub fn begun(&self, state: &State<B>, ids: &[u32]) -> usize {
        match &state.slab {
            Some(slab) if ids.starts_with(&slab.ids) => slab.done(self.config.layers.len()),
            _ => 0,
        }
    }

    /// The slab that was left, if it is the beginning of `ids` with the same marks, else a new one. Returns its tokens.
    fn take_up(&self, state: &mut State<B>, ids: &[u32], cut: Cut, marks: &[usize]) -> Result<usize, ComputeError> {
        let within = |tokens: usize| -> Vec<usize> {
            let marks = marks.iter().copied();
            marks.filter(|mark| (1..=tokens).contains(mark)).collect()
        };
        if let Some(slab) = &state.slab {
            let tokens = slab.ids.len();
            let places = slab.marks.iter().map(|mark| mark.position() - state.position());
            if ids.starts_with(&slab.ids) && places.eq(within(tokens)) {
                return Ok(tokens);
            }
            state.roll_back(&self.backend)?;
        }
        let (most, piece) = self.lengths(cut);
        let tokens = ids.len().min(most);
        let marks = within(tokens);
        let tiles: Vec<SlabTile<B>> = Slab::<B>::cut(tokens, cut.tile.max(1), &marks)
            .into_iter()
            .map(|(start, end, mark)| SlabTile {
                start,
                end,
                x: None,
                mark,
            })
            .collect();
        let pieces = order::cut(tiles.iter().map(|tile| tile.end - tile.start), piece);
        state.slab = Some(Slab {
            ids: ids[..tokens].to_vec(),
            tiles,
            steps: order::steps(&self.stages, &pieces),
            next: 0,
            passed: 0,
            marks: marks.iter().map(|mark| Mark::new(state.position() + mark)).collect(),
        });
        Ok(tokens)
    }

    /// Takes the slab through what is left of the layers. An interrupted step is as if it had not begun.
    fn pass_layers(
        &self,
        state: &mut State<B>,
        interrupt: &Interrupt,
        progress: &mut dyn FnMut(usize),
    ) -> Result<Vec<Mark<B>>, ComputeError> {
        let position = state.position();
        let count = self.config.layers.len();
        let State {
            layers,
            workspace,
            slab: taken,
            ..
        } = state;
        let slab = taken.as_mut().expect("a slab has been taken up");
        let mut done = slab.done(count);
        while let Some(step) = slab.steps.get(slab.next).copied() {
            if step.is_first {
                let next = self.next(step).filter(|next| self.is_met(*next, slab.ids.len()));
                self.expect(next, Expectation::Soon);
            }
            self.pass(step, slab, position, &mut layers[step.layer], workspace, interrupt)?;
            if step.is_last {
                self.expect(Some((step.layer, step.half)), Expectation::NotForAWhile);
            }
            let tile = &slab.tiles[step.tile];
            slab.next += 1;
            slab.passed += tile.end - tile.start;
            let now = slab.done(count);
            if now > done {
                done = now;
                progress(done);
            }
        }
        let slab = taken.take().expect("it was there a moment ago");
        Ok(slab.marks)
    }

    /// One tile through one half of a layer.
    fn pass(
        &self,
        step: Step,
        slab: &mut Slab<B>,
        position: usize,
        state: &mut LayerState<B>,
        workspace: &mut B::Workspace,
        interrupt: &Interrupt,
    ) -> Result<(), ComputeError> {
        let Step { layer: index, half, .. } = step;
        let is_last = index + 1 == self.config.layers.len();
        let tile = &mut slab.tiles[step.tile];
        let x = match &mut tile.x {
            Some(x) => x,
            none => {
                let mut x = self.backend.upload(&[], self.config.hidden)?;
                self.backend
                    .embed(&self.weights.embedding, &slab.ids[tile.start..tile.end], &mut x)?;
                none.insert(x)
            }
        };
        match half {
            Half::Mixer => {
                let at = Tile {
                    position: position + tile.start,
                    outputs: if is_last { 0 } else { tile.end - tile.start },
                    interrupt,
                };
                if let Err(error) = self.mixer(index, workspace, state, x, at) {
                    if let LayerState::Softmax(cache) = state {
                        self.backend.truncate_kv_cache(cache, at.position)?;
                    }
                    return Err(error);
                }
                if let Some(mark) = tile.mark
                    && let (Mixer::Lightning(spec), LayerState::Lightning(versions)) =
                        (&self.config.layers[index].mixer, &*state)
                {
                    let mut copy = self.backend.lightning_state(spec)?;
                    self.backend.copy_lightning_state(versions.latest(), &mut copy)?;
                    slab.marks[mark].lightning.push(copy);
                }
            }
            Half::FeedForward => self.feed_forward(index, workspace, x, interrupt)?,
        }
        if is_last {
            tile.x = None;
        } else if half == Half::FeedForward && self.stages.iter().any(|stage| stage.start == index + 1) {
            self.backend.send_rows(x, self.place(index + 1))?;
        }
        Ok(())
    }

    /// What comes after this step's half of a layer in the same place: the next half, or the first for the next piece.
    fn next(&self, step: Step) -> Option<(usize, Half)> {
        let stage = self.stages.iter().find(|stage| stage.contains(&step.layer))?;
        let last = self.config.layers.len() - 1;
        let (layer, half) = step.half.next(step.layer);
        if stage.contains(&layer) && (layer, half) != (last, Half::FeedForward) {
            Some((layer, half))
        } else if self.stages.len() > 1 {
            Some((stage.start, Half::Mixer))
        } else {
            None
        }
    }

    /// Whether so many tokens meet most of the weights of a half of a layer: a few go to a few experts.
    fn is_met(&self, (layer, half): (usize, Half), tokens: usize) -> bool {
        let FeedForward::Moe(spec) = &self.config.layers[layer].feed_forward;
        half == Half::Mixer || tokens * spec.top_k >= spec.experts
    }

    /// Tells the backend about the weights of a half of a layer. A slab is long: that is worth it, and for one token it is not.
    fn expect(&self, place: Option<(usize, Half)>, expectation: Expectation) {
        let Some((layer, half)) = place else { return };
        let weights = &self.weights.layers[layer];
        match half {
            Half::Mixer => weights
                .mixer
                .tensors()
                .for_each(|w| self.backend.expect(w, expectation)),
            Half::FeedForward => weights.moe.tensors().for_each(|w| self.backend.expect(w, expectation)),
        }
    }

    /// The mixer of a layer on one tile, which afterwards has the rows that are read. The latest version of a state has moved
    /// if this succeeds.
    fn mixer(
        &self,
        index: usize,
        workspace: &mut B::Workspace,
        state: &mut LayerState<B>,
        x: &mut B::Rows,
        tile: Tile<'_>,
    ) -> Result<(), ComputeError> {
        let layer = &self.config.layers[index];
        let weights = &self.weights.layers[index];
        let block = self.block(&weights.mixer_norm, layer.mixer_residual);
        match (&layer.mixer, &weights.mixer, state) {
            (Mixer::Lightning(spec), MixerWeights::Lightning(w), LayerState::Lightning(versions)) => {
                let (latest, next) = versions.step();
                self.backend
                    .lightning(workspace, block, spec, w, x, latest, next, tile)?;
                versions.advance();
                Ok(())
            }
            (Mixer::Softmax(spec), MixerWeights::Softmax(w), LayerState::Softmax(cache)) => {
                self.backend.softmax(workspace, block, spec, w, x, cache, tile)
            }
            _ => unreachable!("weights and states are made from the configuration"),
        }
    }

    fn feed_forward(
        &self,
        index: usize,
        workspace: &mut B::Workspace,
        x: &mut B::Rows,
        interrupt: &Interrupt,
    ) -> Result<(), ComputeError> {
        let layer = &self.config.layers[index];
        let weights = &self.weights.layers[index];
        let block = self.block(&weights.feed_forward_norm, layer.feed_forward_residual);
        let FeedForward::Moe(spec) = &layer.feed_forward;
        self.backend.moe(workspace, block, spec, &weights.moe, x, interrupt)
    }

    fn block<'a>(&self, norm: &'a B::Tensor, residual: Residual) -> Block<'a, B::Tensor> {
        Block {
            norm,
            eps: self.config.norm_eps,
            residual,
        }
    }

    fn logits(
        &self,
        state: &mut State<B>,
        outputs: usize,
        interrupt: &Interrupt,
        sink: &mut impl FnMut(usize, &[f32]),
    ) -> Result<(), ComputeError> {
        let norm = (&self.weights.norm, self.config.norm_eps);
        let head = self.weights.head.as_ref().unwrap_or(&self.weights.embedding);
        let State {
            workspace, x, logits, ..
        } = state;
        for first in (0..outputs).step_by(HEAD_ROWS) {
            let rows = first..outputs.min(first + HEAD_ROWS);
            self.backend.head(workspace, norm, head, x, rows, logits, interrupt)?;
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
