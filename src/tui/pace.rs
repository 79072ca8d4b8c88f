//! How soon the next frame may be drawn.
//!
//! At most sixty frames a second, on the whole: a frame costs what a sixtieth of a second brings in, and no more is saved than
//! two frames cost. What comes by itself, such as the text of a reply, never spends the last one, so that a frame is always
//! there for a key: it is answered at once, not when the next frame of the stream would have been due.

use std::time::Duration;

/// What a frame costs.
pub const FRAME: Duration = Duration::from_nanos(1_000_000_000 / 60);

#[derive(Debug)]
pub struct Pace {
    /// What was saved at a time, at most two frames.
    saved: Duration,
    at: Duration,
}

impl Pace {
    #[must_use]
    pub fn new() -> Self {
        Self {
            saved: 2 * FRAME,
            at: Duration::ZERO,
        }
    }

    fn saved(&self, now: Duration) -> Duration {
        (self.saved + now.saturating_sub(self.at)).min(2 * FRAME)
    }

    /// How long to wait, at `now`, for the next frame; `urgent` if a person has done something.
    #[must_use]
    pub fn wait(&self, now: Duration, urgent: bool) -> Duration {
        let needed = if urgent { FRAME } else { 2 * FRAME };
        needed.saturating_sub(self.saved(now))
    }

    /// A frame has been drawn.
    pub fn drawn(&mut self, now: Duration) {
        self.saved = self.saved(now).saturating_sub(FRAME);
        self.at = now;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_stream_is_drawn_sixty_times_a_second_and_a_key_at_once() {
        let mut pace = Pace::new();
        let (mut now, mut frames) = (Duration::ZERO, 0);
        while now < Duration::from_secs(1) {
            now += pace.wait(now, false).max(MS);
            if pace.wait(now, false).is_zero() {
                pace.drawn(now);
                frames += 1;
            }
        }
        assert!((55..=61).contains(&frames), "{frames}");
        // Just after a frame of the stream.
        assert!(pace.wait(now, false) > Duration::ZERO);
        assert_eq!(pace.wait(now, true), Duration::ZERO);
    }

    proptest! {
        #[test]
        fn never_more_than_sixty_a_second(steps in prop::collection::vec((0u64..40, any::<bool>()), 1..400)) {
            let mut pace = Pace::new();
            let mut now = Duration::ZERO;
            let mut drawn = Vec::new();
            for (millis, urgent) in steps {
                now += MS * millis as u32;
                if pace.wait(now, urgent).is_zero() {
                    pace.drawn(now);
                    drawn.push(now);
                }
            }
            // One more than the time allows, for what was saved.
            for (first, from) in drawn.iter().enumerate() {
                for (more, to) in drawn[first..].iter().enumerate() {
                    prop_assert!(FRAME * (more as u32) <= to.saturating_sub(*from) + FRAME);
                }
            }
        }
    }
}
