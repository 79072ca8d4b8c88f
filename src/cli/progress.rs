//! One line of progress on standard error, rewritten in place; nothing where that is not a terminal.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use crate::bench::measure::Step;
use crate::bench::report;
use crate::conversation::Loading;
use crate::engine::Prefill;
use crate::tui::format;

/// Between two drawings.
const EVERY: Duration = Duration::from_millis(50);

pub(super) struct Progress {
    enabled: bool,
    shown: bool,
    last: Option<Instant>,
}

impl Progress {
    pub fn new(enabled: bool) -> Self {
        Self {
            enabled,
            shown: false,
            last: None,
        }
    }

    pub fn loading(&mut self, loading: &Loading) {
        self.draw(|| {
            let &Loading {
                files,
                total_files,
                tokens,
            } = loading;
            format!(
                "reading {} / {} files · {} tokens",
                format::count(files),
                format::count(total_files),
                format::count(tokens)
            )
        });
    }

    pub fn prefill(&mut self, prefill: &Prefill) {
        self.draw(|| describe(prefill));
    }

    /// Any other work, in words.
    pub fn line(&mut self, line: impl FnOnce() -> String) {
        self.draw(line);
    }

    pub fn bench(&mut self, step: &Step) {
        self.draw(|| {
            let &Step { case, run, done, total } = step;
            format!(
                "{} · run {} · {} / {} tokens",
                report::name(case),
                run + 1,
                format::count(done),
                format::count(total)
            )
        });
    }

    pub fn clear(&mut self) {
        if self.shown {
            self.shown = false;
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }

    fn draw(&mut self, line: impl FnOnce() -> String) {
        if !self.enabled || self.last.is_some_and(|last| last.elapsed() < EVERY) {
            return;
        }
        self.last = Some(Instant::now());
        self.shown = true;
        let mut err = io::stderr().lock();
        let _ = write!(err, "\r{}\x1b[K", line());
        let _ = err.flush();
    }
}

fn describe(prefill: &Prefill) -> String {
    let &Prefill {
        done,
        total,
        cached,
        rate,
    } = prefill;
    let mut items = vec![format!(
        "prefill {} / {} ({}%)",
        format::count(done),
        format::count(total),
        format::percent(done, total)
    )];
    if cached > 0 {
        items.push(format!("{} cached", format::count(cached)));
    }
    if let Some(speed) = format::rate(rate) {
        let left = Duration::from_secs_f64((total - done) as f64 / rate);
        items.extend([speed, format!("ETA {}", format::clock(left))]);
    }
    items.join(" · ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefill_in_words() {
        let line = describe(&Prefill {
            done: 412_672,
            total: 903_104,
            cached: 38_112,
            rate: 9_431.0,
        });
        assert_eq!(
            line,
            "prefill 412,672 / 903,104 (46%) · 38,112 cached · 9.4K tok/s · ETA 0:52"
        );
        assert_eq!(
            describe(&Prefill {
                done: 0,
                total: 0,
                cached: 0,
                rate: 0.0
            }),
            "prefill 0 / 0 (100%)"
        );
    }
}
