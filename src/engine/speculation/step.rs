//! One token of a reply after the other, from single tokens and from tiles with drafts.

use std::time::Instant;

use super::{Drafts, Guide, Speculate, Verified};
use crate::compute::{Backend, ComputeError, Interrupt};
use crate::engine::timeline::Timeline;

/// What may be drafted after a token.
pub(in crate::engine) struct Ahead<'a> {
    pub speculate: Speculate,
    /// Tokens that can still be said after it.
    pub most: usize,
    /// What holds the reply to a form; it has taken the token in.
    pub guide: Option<&'a mut dyn Guide>,
}

impl<B: Backend> Timeline<B> {
    /// A reply begins.
    pub(in crate::engine) fn begin_reply(&mut self) {
        self.speculation.drafts = Drafts::default();
        self.speculation.foreseen = None;
        self.speculation.policy.begin();
    }

    /// Appends one token and writes its logits, `[vocab]`. Until [`settle`](Self::settle) is called the state may be behind
    /// the tokens.
    ///
    /// # Errors
    /// Those of the network; the token is then not in the sequence.
    pub(in crate::engine) fn step(
        &mut self,
        id: u32,
        ahead: Ahead<'_>,
        logits: &mut Vec<f32>,
        interrupt: &Interrupt,
    ) -> Result<(), ComputeError> {
        let speculation = &mut self.speculation;
        if let Some((len, foreseen)) = speculation.foreseen.take() {
            speculation.policy.saw(len, foreseen == id);
        }
        if speculation.tile.goes_on_with(id) {
            interrupt.check()?;
            self.tokens.push(id);
            speculation.say(logits);
            return Ok(());
        }
        self.settle()?;
        self.keep_on_the_way()?;
        self.tokens.push(id);
        let done = self.evaluate(ahead, interrupt);
        if done.is_err() {
            self.speculation.tile.ids.clear();
            self.forget(self.tokens.len() - 1);
            return done;
        }
        self.speculation.say(logits);
        Ok(())
    }

    /// Evaluates the last token, which is not in the state, with a draft of what follows.
    fn evaluate(&mut self, mut ahead: Ahead<'_>, interrupt: &Interrupt) -> Result<(), ComputeError> {
        let speculation = &mut self.speculation;
        speculation.tile.said = 0;
        speculation.tile.ids.extend(self.tokens.last());
        if ahead.most > 0 && ahead.speculate != Speculate::Off {
            speculation.draft(&self.tokens, &mut ahead);
        }
        let Verified { ids, logits, .. } = &mut speculation.tile;
        logits.clear();
        let started = Instant::now();
        let sink = |_: usize, row: &[f32]| logits.extend_from_slice(row);
        self.network.verify(&mut self.state, ids, interrupt, sink)?;
        let drafted = ids.len() - 1;
        speculation.policy.took(drafted, started.elapsed());
        speculation.drafts.tiles += usize::from(drafted > 0);
        speculation.drafts.drafted += drafted;
        Ok(())
    }

    /// Makes the state that of the tokens: what has been said of the last tile becomes part of it, the rest never was.
    pub(in crate::engine) fn settle(&mut self) -> Result<(), ComputeError> {
        let Verified { ids, said, .. } = &mut self.speculation.tile;
        if ids.is_empty() {
            return Ok(());
        }
        let started = Instant::now();
        let accepted = self.network.accept(&mut self.state, ids, *said);
        if *said < ids.len() {
            self.speculation.policy.took_back(started.elapsed());
        }
        ids.clear();
        if accepted.is_err() {
            self.forget(self.state.position());
        }
        accepted
    }

    /// What came of drafting since the reply began.
    pub(in crate::engine) fn drafts(&self) -> Drafts {
        self.speculation.drafts
    }

    /// Takes the tokens from `len` on out of the sequence; the state is behind them.
    pub(in crate::engine) fn forget(&mut self, len: usize) {
        self.speculation.lookup.truncate(&self.tokens, len);
        self.tokens.truncate(len);
    }
}
