//! One line of progress on standard error, rewritten in place; nothing where that is not a terminal.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use crate::conversation::Loading;
use crate::engine::Prefill;

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
            format!("reading {files} / {total_files} files · {} tokens", thousands(tokens))
        });
    }

    pub fn prefill(&mut self, prefill: &Prefill) {
        self.draw(|| describe(prefill));
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
    let percent = if total == 0 { 100 } else { done * 100 / total };
    let mut line = format!("prefill {} / {} ({percent}%)", thousands(done), thousands(total));
    if cached > 0 {
        line += &format!(" · {} cached", thousands(cached));
    }
    if rate > 0.0 {
        let seconds = ((total - done) as f64 / rate).ceil() as u64;
        line += &format!(
            " · {} tok/s · ETA {}:{:02}",
            thousands(rate as usize),
            seconds / 60,
            seconds % 60
        );
    }
    line
}

/// `1234567` as `1,234,567`.
fn thousands(n: usize) -> String {
    let digits = n.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
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
            "prefill 412,672 / 903,104 (45%) · 38,112 cached · 9,431 tok/s · ETA 0:52"
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
