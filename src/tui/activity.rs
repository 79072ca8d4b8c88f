//! What the conversation is doing: the one source of every number about it that is shown.
//!
//! Times are those of the application's clock, which comes in with every input; nothing here reads a clock.

use std::collections::VecDeque;
use std::time::Duration;

use crate::conversation::{Documents, Loading};
use crate::engine::{Finished, Prefill, StopReason, Token};
use crate::trace::Channel;

/// Steps of a conversation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Phase {
    /// Nothing has been heard yet.
    Starting,
    Loading(Loading),
    /// Between two steps.
    Preparing,
    Prefill(Prefill),
    Replying(Channel),
    Ready,
    /// The conversation is gone; nothing can be asked.
    Ended,
}

#[derive(Debug)]
pub struct Activity {
    phase: Phase,
    /// When the phase began.
    since: Duration,
    /// When the last progress came.
    updated: Duration,
    cancelling: bool,
    /// Files that can be asked about.
    files: usize,
    /// Tokens of the documents, read or not.
    packed: usize,
    /// Of what was said before them, which the next question reads again.
    replay: usize,
    /// Tokens in the context.
    used: usize,
    limit: Option<usize>,
    meter: Meter,
    /// The last rate worth showing, tokens a second.
    rate: f64,
    /// The last that was measured of a prefill.
    prefill_rate: f64,
}

impl Default for Activity {
    fn default() -> Self {
        Self {
            phase: Phase::Starting,
            since: Duration::ZERO,
            updated: Duration::ZERO,
            cancelling: false,
            files: 0,
            packed: 0,
            replay: 0,
            used: 0,
            limit: None,
            meter: Meter::default(),
            rate: 0.0,
            prefill_rate: 0.0,
        }
    }
}

impl Activity {
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Whether there is something to cancel.
    pub fn is_busy(&self) -> bool {
        !matches!(self.phase, Phase::Ready | Phase::Ended)
    }

    /// Whether a cancellation has been asked for and not yet obeyed.
    pub fn is_cancelling(&self) -> bool {
        self.cancelling
    }

    pub fn cancel(&mut self) {
        self.cancelling = true;
    }

    pub fn context(&self) -> (usize, Option<usize>) {
        (self.used, self.limit)
    }

    /// The same by what it is of: documents, and what was said about them.
    pub fn parts(&self) -> (usize, usize) {
        let documents = self.used.min(self.packed);
        (documents, self.used - documents)
    }

    /// Tokens that the next question has to wait for: of documents whose prefill did not come to its end, and of what was
    /// said before the documents changed.
    pub fn unread(&self) -> usize {
        if self.phase == Phase::Ready {
            self.packed.saturating_add(self.replay).saturating_sub(self.used)
        } else {
            0
        }
    }

    pub fn rate(&self) -> f64 {
        self.rate
    }

    pub fn enter(&mut self, phase: Phase, now: Duration) {
        if std::mem::discriminant(&self.phase) != std::mem::discriminant(&phase) {
            self.since = now;
        }
        if matches!(phase, Phase::Ready | Phase::Ended) {
            self.cancelling = false;
        }
        self.updated = now;
        self.phase = phase;
    }

    /// How long the phase has lasted.
    pub fn lasted(&self, now: Duration) -> Duration {
        now.saturating_sub(self.since)
    }

    pub fn has_documents(&self) -> bool {
        self.files > 0
    }

    pub fn documents(&mut self, documents: &Documents, now: Duration) {
        self.files = documents.files;
        self.packed = documents.tokens;
        self.replay = documents.replay;
        self.used = documents.tokens;
        self.limit = Some(documents.context_limit).filter(|&limit| limit > 0);
        self.enter(Phase::Preparing, now);
    }

    pub fn prefill(&mut self, prefill: Prefill, now: Duration) {
        self.used = prefill.done;
        if prefill.rate > 0.0 {
            self.prefill_rate = prefill.rate;
        }
        self.meter = Meter::default();
        self.enter(Phase::Prefill(prefill), now);
    }

    pub fn token(&mut self, token: &Token, now: Duration) {
        if let Phase::Prefill(prefill) = self.phase {
            self.used = prefill.total;
        }
        self.replay = 0;
        if self.meter.count(token) {
            self.used = self.used.saturating_add(1);
        }
        self.rate = self.meter.rate();
        self.enter(Phase::Replying(token.channel), now);
    }

    pub fn finished(&mut self, finished: &Finished, now: Duration) {
        let decoded = finished.thinking_tokens.saturating_add(finished.answer_tokens);
        // A cancelled prefill has read only a part of the prompt.
        let partial = finished.reason == StopReason::Cancelled && matches!(self.phase, Phase::Prefill(_));
        if !partial {
            self.used = finished.prompt_tokens.saturating_add(decoded);
        }
        let seconds = finished.decode.as_secs_f64();
        if decoded > 0 && seconds > 0.0 {
            self.rate = decoded as f64 / seconds;
        }
        self.enter(Phase::Ready, now);
    }

    /// How long a prefill of so many tokens would take, going by the last one.
    pub fn prefill_time(&self, tokens: usize) -> Option<Duration> {
        Duration::try_from_secs_f64(tokens as f64 / self.prefill_rate).ok()
    }

    /// Time left of a prefill, from the rate that the engine reports, counted down since it did.
    pub fn remaining(&self, now: Duration) -> Option<Duration> {
        let Phase::Prefill(prefill) = self.phase else {
            return None;
        };
        let left = prefill.total.saturating_sub(prefill.done);
        let seconds = left as f64 / prefill.rate;
        let whole = Duration::try_from_secs_f64(seconds).ok()?;
        Some(whole.saturating_sub(now.saturating_sub(self.updated)))
    }
}

/// Tokens a second over the last tokens.
#[derive(Debug, Default)]
struct Meter {
    times: VecDeque<Duration>,
    last: Option<usize>,
}

impl Meter {
    const SPAN: Duration = Duration::from_secs(2);

    /// Takes note of a token; whether it is a new one. One that crosses a tag is reported twice.
    fn count(&mut self, token: &Token) -> bool {
        if self.last == Some(token.index) {
            return false;
        }
        self.last = Some(token.index);
        self.times.push_back(token.elapsed);
        while self.times.len() > 2 && token.elapsed.saturating_sub(self.times[0]) > Self::SPAN {
            self.times.pop_front();
        }
        true
    }

    fn rate(&self) -> f64 {
        match (self.times.front(), self.times.back()) {
            (Some(first), Some(last)) if last > first => {
                (self.times.len() - 1) as f64 / last.saturating_sub(*first).as_secs_f64()
            }
            _ => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(index: usize, millis: u64) -> Token {
        Token {
            index,
            id: 0,
            text: String::new(),
            channel: Channel::Thinking,
            probability: 1.0,
            entropy: 0.0,
            elapsed: Duration::from_millis(millis),
            forced: false,
        }
    }

    #[test]
    fn the_rate_is_that_of_the_last_tokens() {
        let mut meter = Meter::default();
        for index in 0..10 {
            assert!(meter.count(&token(index, index as u64 * 1000)));
        }
        assert!(!meter.count(&token(9, 9000)));
        assert!((meter.rate() - 1.0).abs() < 1e-9);
        for index in 10..60 {
            meter.count(&token(index, 9000 + (index as u64 - 9) * 100));
        }
        assert!((meter.rate() - 10.0).abs() < 1e-9);
    }

    #[test]
    fn the_estimate_counts_down_between_reports() {
        let mut activity = Activity::default();
        let prefill = Prefill {
            done: 400,
            total: 1000,
            cached: 0,
            rate: 10.0,
        };
        let second = Duration::from_secs(1);
        activity.prefill(prefill, second);
        assert_eq!(activity.remaining(second), Some(60 * second));
        assert_eq!(activity.remaining(11 * second), Some(50 * second));
        assert_eq!(activity.remaining(500 * second), Some(Duration::ZERO));
        activity.prefill(Prefill { rate: 0.0, ..prefill }, second);
        assert_eq!(activity.remaining(second), None);
    }

    #[test]
    fn what_was_said_is_read_again_after_the_documents_changed() {
        let mut activity = Activity::default();
        let now = Duration::ZERO;
        let documents = Documents {
            files: 1,
            tokens: 100,
            replay: 40,
            ..Documents::default()
        };
        let finished = |reason| Finished {
            reason,
            prompt_tokens: 100,
            prefill: now,
            decode: now,
            ..Finished::default()
        };
        activity.documents(&documents, now);
        assert_eq!(activity.unread(), 0, "nobody can ask yet");
        activity.finished(&finished(StopReason::Prefilled), now);
        assert_eq!(activity.unread(), 40);
        let prefill = Prefill {
            done: 130,
            total: 145,
            cached: 100,
            rate: 1.0,
        };
        activity.prefill(prefill, now);
        activity.finished(&finished(StopReason::Cancelled), now);
        assert_eq!(activity.unread(), 10, "a part of it has been");
        activity.prefill(prefill, now);
        activity.token(&token(0, 0), now);
        activity.finished(&finished(StopReason::EndOfSequence), now);
        assert_eq!(activity.unread(), 0);
    }

    #[test]
    fn the_context_is_what_the_engine_counts() {
        let mut activity = Activity::default();
        let now = Duration::ZERO;
        let documents = Documents {
            files: 1,
            lines: 10,
            tokens: 100,
            context_limit: 1000,
            ..Documents::default()
        };
        activity.documents(&documents, now);
        assert_eq!(activity.context(), (100, Some(1000)));
        let prefill = Prefill {
            done: 120,
            total: 130,
            cached: 100,
            rate: 1.0,
        };
        activity.prefill(prefill, now);
        assert_eq!(activity.context().0, 120);
        for index in [0, 1, 1, 2] {
            activity.token(&token(index, 0), now);
        }
        assert_eq!(activity.context().0, 133);
    }
}
