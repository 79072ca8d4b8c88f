//! Prompt-lookup speculation: what the sequence has said before, it may be about to say again.
//!
//! A reply that quotes goes on as a place in the documents did. So the tokens that followed there are drafted, and one
//! tile evaluates the last token together with its draft. **The reply is the same as without.** After each token the next one is
//! chosen from that token's logits by the same sampler in the same order, guide, stop rules and all; the draft only decides
//! whether those logits are there already. When another token is chosen than the drafted one, the rest of the tile is
//! taken back. That is also why sampling keeps its distribution: a drafted `x` is kept with probability `p(x)`, and what is
//! chosen instead is distributed as `p` without `x`.
//!
//! The logits of a tile differ from those of single tokens by rounding, as those of any two divisions into tiles do.

mod lookup;
mod policy;
mod step;

pub use lookup::{Lookup, Match};
pub use policy::LONGEST_DRAFT;
use policy::Policy;
pub(super) use step::Ahead;

use serde::{Deserialize, Serialize};

use super::{Allowed, Guide};

/// Whether tokens are drafted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Speculate {
    Off,
    /// As many as have paid lately.
    #[default]
    Adaptive,
    /// So many wherever there is a match, whether it pays or not.
    Always(usize),
}

/// What came of drafting in a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Drafts {
    /// Tiles that were evaluated with a draft.
    pub tiles: usize,
    /// Tokens in these drafts.
    pub drafted: usize,
    /// Of them, those that the reply went on with.
    pub accepted: usize,
}

impl Drafts {
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.tiles == 0
    }
}

/// What is known for drafting, and the tile that is being spoken from.
#[derive(Debug, Default)]
pub(super) struct Speculation {
    pub(super) lookup: Lookup,
    policy: Policy,
    tile: Verified,
    /// What a match of some length says comes next.
    foreseen: Option<(usize, u32)>,
    drafts: Drafts,
}

/// A tile that has been evaluated and is not a part of the state yet: a token and its draft. None if there are no ids.
#[derive(Debug, Default)]
struct Verified {
    ids: Vec<u32>,
    /// `[ids, vocab]`
    logits: Vec<f32>,
    /// The first so many are in the sequence.
    said: usize,
    /// Tokens of the match that the draft was made by; none if it was bound to come.
    matched: Option<usize>,
}

impl Verified {
    /// Whether `id` is what has been drafted next.
    fn goes_on_with(&self, id: u32) -> bool {
        self.ids.get(self.said) == Some(&id)
    }
}

impl Speculation {
    /// Says the tile's next token, which is in the sequence now: writes its logits.
    fn say(&mut self, logits: &mut Vec<f32>) {
        let Verified {
            ids,
            logits: rows,
            said,
            matched,
        } = &mut self.tile;
        let vocab = rows.len() / ids.len();
        logits.clear();
        logits.extend_from_slice(&rows[*said * vocab..][..vocab]);
        self.drafts.accepted += usize::from(*said > 0);
        if let (Some(len), Some(next)) = (*matched, ids.get(*said + 1)) {
            self.foreseen = Some((len + *said, *next));
        }
        *said += 1;
    }

    /// Adds the draft for what follows `tokens` to the tile's ids.
    fn draft(&mut self, tokens: &[u32], ahead: &mut Ahead<'_>) {
        let most = ahead.most.min(LONGEST_DRAFT);
        self.foreseen = None;
        self.tile.matched = None;
        let ids = &mut self.tile.ids;
        if let Some(guide) = &mut ahead.guide {
            let before = ids.len();
            guide.bound(ids, most);
            let bound = ids.len() - before;
            if bound > 0 {
                let length = match ahead.speculate {
                    Speculate::Off => 0,
                    Speculate::Adaptive => self.policy.length_if_certain(bound),
                    Speculate::Always(length) => length,
                };
                ids.truncate(before + length.min(bound));
                return;
            }
        }
        self.lookup.extend(tokens);
        let Some(found) = self.lookup.find(tokens) else { return };
        let next = tokens[found.at];
        if let Some(guide) = &mut ahead.guide
            && let Allowed::Only(allowed) = guide.allowed()
            && allowed.binary_search(&next).is_err()
        {
            return;
        }
        self.foreseen = Some((found.len, next));
        self.tile.matched = Some(found.len);
        let length = match ahead.speculate {
            Speculate::Off => 0,
            Speculate::Adaptive => self.policy.length(found.len, most),
            Speculate::Always(length) => length.min(most),
        };
        ids.extend(lookup::continuation(tokens, found).take(length));
    }
}
