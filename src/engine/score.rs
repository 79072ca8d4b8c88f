//! Scoring given tokens, and a greedy continuation through the decode path.

use std::io;

use serde::Serialize;

use super::sampler::{NotANumber, Sampler, describe};
use super::{Allowed, Network, Sampling, State};
use crate::compute::{Backend, ComputeError, Interrupt};

/// Log-probabilities, natural, over the whole vocabulary.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Score {
    /// `[i]` is `ln p(t[i+1] | t[..=i])`.
    pub logprobs: Vec<f64>,
    pub continuation: Vec<u32>,
    pub continuation_logprobs: Vec<f64>,
}

/// Why tokens could not be scored.
#[derive(Debug, thiserror::Error)]
pub enum ScoreError {
    #[error(transparent)]
    Compute(#[from] ComputeError),
    #[error(transparent)]
    NotANumber(#[from] NotANumber),
    #[error("there are no tokens to score")]
    Empty,
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Score {
    /// `e^{-mean logprob}`; none of fewer than two tokens.
    #[must_use]
    pub fn perplexity(&self) -> Option<f64> {
        let n = self.logprobs.len();
        (n > 0).then(|| (-self.logprobs.iter().sum::<f64>() / n as f64).exp())
    }
}

/// Prefills `tokens` by tiles of `tile`, then decodes `continuation` ids greedily, past any end of sequence; ids in
/// `unused` are scored but never chosen. `progress` hears the tokens done.
pub fn score<B: Backend>(
    network: &Network<B>,
    tokens: &[u32],
    unused: Vec<u32>,
    continuation: usize,
    tile: usize,
    interrupt: &Interrupt,
    mut progress: impl FnMut(usize),
) -> Result<Score, ScoreError> {
    let mut state = State::new(network)?;
    let mut score = Score {
        logprobs: Vec::with_capacity(tokens.len()),
        continuation: Vec::with_capacity(continuation),
        continuation_logprobs: Vec::with_capacity(continuation),
    };
    let mut sampler = Sampler::new(Sampling::default(), unused);
    let mut next = Err(ScoreError::Empty);
    let mut done = 0;
    for ids in tokens.chunks(tile.max(1)) {
        let mut failed = None;
        network.advance(&mut state, ids, ids.len(), interrupt, |i, logits| {
            let outcome = match tokens.get(done + i + 1) {
                Some(id) => describe(logits, *id).map(|c| score.logprobs.push(c.log_probability)),
                None => sampler.choose(logits, Allowed::Any).map(|c| next = Ok(c)),
            };
            failed = failed.or(outcome.err());
        })?;
        if let Some(error) = failed {
            return Err(error.into());
        }
        done += ids.len();
        progress(done);
    }
    let mut next = next?;
    while score.continuation.len() < continuation {
        score.continuation.push(next.id);
        score.continuation_logprobs.push(next.log_probability);
        if score.continuation.len() < continuation {
            let mut chosen = Err(NotANumber);
            network.advance(&mut state, &[next.id], 1, interrupt, |_, logits| {
                chosen = sampler.choose(logits, Allowed::Any);
            })?;
            next = chosen?;
        }
    }
    Ok(score)
}
