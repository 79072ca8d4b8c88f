//! A long run of tokens on its way through the model, layer by layer.
//!
//! All tiles of a slab pass one half of a layer, its mixer or its feed-forward, before any passes the next, so that a weight is
//! read from disk or memory once a slab however long it is; `order` says how where layers are in several places. Between two tiles
//! the slab can be left and taken up again: a cancelled prefill goes on where it was, in whichever layer.

use std::fmt;

use super::order::Step;
use super::state::Mark;
use crate::compute::Backend;

pub(super) struct Slab<B: Backend> {
    pub ids: Vec<u32>,
    pub tiles: Vec<SlabTile<B>>,
    pub steps: Vec<Step>,
    /// The next step.
    pub next: usize,
    /// Tokens of the steps that have been made.
    pub passed: usize,
    /// Places within the slab to remember, as far as the layers have come.
    pub marks: Vec<Mark<B>>,
}

/// The halves of a layer, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Half {
    Mixer,
    FeedForward,
}

impl Half {
    /// What comes after this half of layer `layer`.
    pub fn next(self, layer: usize) -> (usize, Self) {
        match self {
            Self::Mixer => (layer, Self::FeedForward),
            Self::FeedForward => (layer + 1, Self::Mixer),
        }
    }
}

pub(super) struct SlabTile<B: Backend> {
    /// Tokens of the slab before it, and those before its end.
    pub start: usize,
    pub end: usize,
    /// What it has become in the layers it has passed, from when it meets the first to when it has passed the last.
    pub x: Option<B::Rows>,
    /// Its end is the mark of this index.
    pub mark: Option<usize>,
}

impl<B: Backend> Slab<B> {
    /// Tiles of at most `tile` tokens, cut at `marks`: ascending numbers of tokens of the slab, none zero.
    pub fn cut(tokens: usize, tile: usize, marks: &[usize]) -> Vec<(usize, usize, Option<usize>)> {
        let mut tiles = Vec::new();
        let mut start = 0;
        let mut marks = marks.iter().copied().enumerate().peekable();
        while start < tokens {
            let next = marks.peek().map_or(tokens, |(_, mark)| *mark);
            let end = (start + tile).min(next).min(tokens);
            let mark = marks.next_if(|(_, mark)| *mark == end).map(|(index, _)| index);
            tiles.push((start, end, mark));
            start = end;
        }
        tiles
    }

    /// Tokens of the slab times the share of the layers that has been passed; the last one has no second half.
    pub fn done(&self, layers: usize) -> usize {
        self.passed / (2 * layers).saturating_sub(1).max(1)
    }
}

impl<B: Backend> fmt::Debug for Slab<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slab")
            .field("tokens", &self.ids.len())
            .field("next", &self.steps.get(self.next))
            .finish_non_exhaustive()
    }
}
