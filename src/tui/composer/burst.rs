//! Telling a paste from typing where the terminal does not say which it is.
//!
//! A terminal that brackets pastes sends each as one input. Others send its characters like typed ones, only faster than
//! anyone types; an Enter among them must not send what has come so far. An Enter that comes right behind a character is
//! therefore held until it is known what follows: more characters, and it was a line end of a paste; nothing, and it was
//! the key. A person is never that fast, so that nobody waits for this but scripts, and those for [`QUIET`].

use std::time::Duration;

/// Characters that are further apart were typed.
const FAST: Duration = Duration::from_millis(8);
/// When nothing has come for so long, it is over.
pub const QUIET: Duration = Duration::from_millis(30);
/// From so many characters on, it is a paste without a line end too.
const LONG: usize = 200;

#[derive(Debug, Default)]
pub struct Burst {
    /// When the last character came, and how many have come as fast.
    last: Option<Duration>,
    run: usize,
    /// Where the first of them stands in the draft.
    start: usize,
    /// An Enter that is held.
    held: bool,
    /// A line end has been in it: it is a paste.
    paste: bool,
}

/// What an Enter means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enter {
    /// It is the key.
    Key,
    /// It is not known yet.
    Held,
    /// It is a line end; with the one that was held, so many.
    Lines(usize),
}

/// How it ended.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Over {
    /// An Enter was held, and is the key.
    pub enter: bool,
    /// It was a paste, from this offset on.
    pub pasted_from: Option<usize>,
}

impl Burst {
    fn is_fast(&self, now: Duration) -> bool {
        self.last.is_some_and(|last| now.saturating_sub(last) <= FAST)
    }

    /// Whether what was begun is over when something comes now.
    pub fn is_over(&self, now: Duration) -> bool {
        let wait = if self.held || self.paste { QUIET } else { FAST };
        self.last.is_some_and(|last| now.saturating_sub(last) > wait)
    }

    /// A character comes, to be written at an offset. Whether a line end goes before it, which was held.
    pub fn character(&mut self, now: Duration, at: usize) -> bool {
        if self.run == 0 {
            self.start = at;
        }
        self.run += 1;
        self.last = Some(now);
        let line = std::mem::take(&mut self.held);
        self.paste |= line;
        line
    }

    pub fn enter(&mut self, now: Duration) -> Enter {
        if self.run == 0 || !(self.is_fast(now) || self.held || self.paste) {
            return Enter::Key;
        }
        self.last = Some(now);
        match (self.paste, self.held) {
            (true, _) => Enter::Lines(1),
            (false, true) => {
                (self.held, self.paste) = (false, true);
                Enter::Lines(2)
            }
            (false, false) => {
                self.held = true;
                Enter::Held
            }
        }
    }

    /// Something else comes, or nothing any more.
    pub fn end(&mut self) -> Over {
        let was = std::mem::take(self);
        Over {
            enter: was.held,
            pasted_from: (was.paste || was.run >= LONG).then_some(was.start),
        }
    }

    /// When it is over if nothing comes; only if anything depends on it.
    pub fn deadline(&self) -> Option<Duration> {
        let last = self.last.filter(|_| self.held || self.paste || self.run >= LONG)?;
        Some(last + QUIET)
    }

    /// Whether there is a paste that is not over, so that what it makes of the draft can wait for its [`Self::deadline`].
    pub fn is_paste(&self) -> bool {
        self.paste || self.run >= LONG
    }

    /// Whether this is a paste so far as can be told: a line end came among characters, and they still come as fast. What a
    /// person types may come in one piece too, over a slow line.
    pub fn is_running(&self, now: Duration) -> bool {
        self.is_fast(now) && (self.paste || self.held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT_ONCE: Duration = Duration::ZERO;

    /// The characters and line ends that a stream with these gaps is read as; `⏎` is the key, `?` one that is held.
    fn read(stream: &[(u64, char)]) -> String {
        let mut burst = Burst::default();
        let mut now = AT_ONCE;
        let mut out = String::new();
        for &(gap, c) in stream {
            now += Duration::from_millis(gap);
            if burst.is_over(now) && burst.end().enter {
                out.push('⏎');
            }
            match c {
                '\n' => match burst.enter(now) {
                    Enter::Key => out.push('⏎'),
                    Enter::Held => {}
                    Enter::Lines(lines) => out.push_str(&"/".repeat(lines)),
                },
                c => {
                    if burst.character(now, out.len()) {
                        out.push('/');
                    }
                    out.push(c);
                }
            }
        }
        if burst.end().enter {
            out.push('⏎');
        }
        out
    }

    #[test]
    fn who_types_sends_with_enter() {
        assert_eq!(
            read(&[(90, 'a'), (40, 'b'), (20, '\n'), (200, 'c'), (9, '\n')]),
            "ab⏎c⏎"
        );
        assert_eq!(read(&[(0, '\n'), (0, '\n')]), "⏎⏎", "nothing is written");
    }

    #[test]
    fn lines_that_come_at_once_are_a_paste() {
        assert_eq!(
            read(&[(0, 'a'), (1, '\n'), (0, 'b'), (0, '\n'), (3, 'c'), (0, '\n')]),
            "a/b/c/"
        );
        assert_eq!(read(&[(0, 'a'), (1, '\n'), (0, '\n'), (0, 'b')]), "a//b");
        assert_eq!(
            read(&[(0, 'a'), (1, '\n'), (25, 'b')]),
            "a/b",
            "a slow line cuts it in two"
        );
    }

    #[test]
    fn a_line_that_a_script_types_is_sent() {
        assert_eq!(read(&[(0, 'a'), (0, 'b'), (0, '\n'), (500, 'c'), (0, '\n')]), "ab⏎c⏎");
    }

    #[test]
    fn nobody_waits_for_what_is_typed() {
        let mut burst = Burst::default();
        burst.character(AT_ONCE, 0);
        assert_eq!(burst.deadline(), None);
        assert_eq!(burst.enter(Duration::from_millis(1)), Enter::Held);
        assert_eq!(burst.deadline(), Some(Duration::from_millis(31)));
    }
}
