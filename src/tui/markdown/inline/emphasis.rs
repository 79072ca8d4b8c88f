//! Emphasis: which marks open and close what.

use super::{Looks, Parser, Run};

impl Parser<'_> {
    pub(super) fn run(&mut self, at: usize, mark: u8) -> usize {
        let len = self.run_length(at, mark);
        let after = at + len;
        if mark == b'~' && len != 2 {
            return after;
        }
        let before = self.text[..at].chars().next_back();
        let next = self.text[after..].chars().next();
        let white = |c: Option<char>| c.is_none_or(char::is_whitespace);
        let punctuation = |c: Option<char>| c.is_some_and(|c| !c.is_alphanumeric() && !c.is_whitespace());
        let left = !white(next) && (!punctuation(next) || white(before) || punctuation(before));
        let right = !white(before) && (!punctuation(before) || white(next) || punctuation(next));
        let (opens, closes) = if mark == b'_' {
            (
                left && (!right || punctuation(before)),
                right && (!left || punctuation(next)),
            )
        } else {
            (left, right)
        };
        self.runs.push(Run {
            mark,
            at,
            len,
            whole: len,
            opens,
            closes,
        });
        after
    }

    /// Pairs the runs from `bottom` on.
    pub(super) fn emphasise(&mut self, bottom: usize) {
        // Below these, nothing opens for a closing run of this kind.
        let mut floors = [bottom; 12];
        let mut at = bottom;
        while let Some(&closing) = self.runs.get(at) {
            if !closing.closes || closing.len == 0 {
                at += 1;
                continue;
            }
            let kind = [b'*', b'_', b'~']
                .iter()
                .position(|&mark| mark == closing.mark)
                .unwrap_or(0);
            let floor = &mut floors[kind * 4 + if closing.opens { 3 } else { closing.whole % 3 }];
            let fits = |run: &Run| {
                let odd = (run.closes || closing.opens)
                    && (run.whole + closing.whole).is_multiple_of(3)
                    && !(run.whole.is_multiple_of(3) && closing.whole.is_multiple_of(3));
                run.mark == closing.mark && run.opens && run.len > 0 && (run.mark == b'~' || !odd)
            };
            let low = (*floor).min(at);
            let Some(found) = self.runs[low..at].iter().rposition(fits) else {
                *floor = at;
                if closing.opens {
                    at += 1;
                } else {
                    self.runs.remove(at);
                    floors = floors.map(|floor| floor.min(at));
                }
                continue;
            };
            let opener = low + found;
            let used = if self.runs[opener].len >= 2 && closing.len >= 2 {
                2
            } else {
                1
            };
            let looks = match (closing.mark, used) {
                (b'~', _) => Looks::STRUCK,
                (_, 2) => Looks::STRONG,
                _ => Looks::EMPHASIS,
            };
            let open = &mut self.runs[opener];
            open.len -= used;
            let begin = open.at + open.len;
            let gone = open.len == 0;
            self.hide(begin..begin + used);
            self.hide(closing.at..closing.at + used);
            self.look(begin + used..closing.at, looks);
            let close = &mut self.runs[at];
            close.at += used;
            close.len -= used;
            let spent = close.len == 0;
            if spent {
                self.runs.remove(at);
            }
            self.runs.drain(opener + 1..at);
            at = opener + 1;
            if gone {
                self.runs.remove(opener);
                at = opener;
            }
            floors = floors.map(|floor| floor.min(at));
        }
    }
}
