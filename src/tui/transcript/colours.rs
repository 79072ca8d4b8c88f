//! Colours of the code in an answer: asked for as it comes into view, some lines at a time, and kept.
//!
//! * A source only grows, and a line of code that has ended stays what it is. Colours that have come are therefore right for
//!   good, at every width, and also while the answer is shown as it is written.
//! * One wish is under way at a time: whoever answers is never flooded, and answers come in order.

use std::collections::BTreeMap;
use std::ops::Range;

use super::super::highlight::{CodeHighlighted, CodeWanted, LONGEST_LINE};
use super::super::markdown::CodeLine;
use super::super::viewer::Paint;
use super::{Place, Transcript};

/// Lines of a wish.
const LINES: usize = 512;
/// Bytes after which a wish has enough of them.
const BYTES: usize = 32 * 1024;
/// What comes after so many bytes of code stays plain.
const LARGEST: usize = 1024 * 1024;

/// The colours of the code in a block, by where what it says of itself begins.
#[derive(Debug, Clone, Default)]
pub struct Colours(BTreeMap<usize, Code>);

#[derive(Debug, Clone, Default)]
struct Code {
    /// Of its first lines, which have ended.
    lines: Vec<Vec<Paint>>,
    /// Of the line after them when it was this long.
    rest: Option<(usize, Vec<Paint>)>,
    /// Nobody knows its language.
    plain: bool,
}

impl Colours {
    /// Nothing, if they are not known.
    pub fn of(&self, line: &CodeLine) -> &[Paint] {
        let Some(code) = self.0.get(&line.info.start) else {
            return &[];
        };
        let rest = code.rest.as_ref().filter(|_| code.has_rest(line));
        code.lines
            .get(line.number)
            .or(rest.map(|(_, paints)| paints))
            .map_or(&[], Vec::as_slice)
    }

    /// What to ask for next so that those of `all` lines which are `shown` have their colours.
    pub fn wanted(&self, source: &str, all: &[CodeLine], shown: Range<usize>, live: bool) -> Option<CodeWanted> {
        let mut end = shown.end;
        while end > shown.start {
            let begin = end - 1 - all[end - 1].number;
            let wanted = self.wanted_of(source, &all[begin..end], live);
            if wanted.is_some() {
                return wanted;
            }
            end = begin;
        }
        None
    }

    /// The same for the lines from the beginning of some code to the last one that is shown.
    fn wanted_of(&self, source: &str, lines: &[CodeLine], live: bool) -> Option<CodeWanted> {
        let begin = lines.first()?;
        let info = &source[begin.info.clone()];
        let code = self.0.get(&begin.info.start);
        if info.is_empty() || code.is_some_and(|code| code.plain) {
            return None;
        }
        let first = code.map_or(0, |code| code.lines.len());
        let mut text = String::new();
        for line in lines.get(first..)?.iter().take(LINES) {
            let (ended, long) = (line.text.end < source.len(), line.text.len() > LONGEST_LINE);
            let known = live || long || code.is_some_and(|code| code.has_rest(line));
            if text.len() > BYTES || line.text.end - begin.text.start > LARGEST || !ended && known {
                break;
            }
            if !long {
                text.push_str(&source[line.text.clone()]);
            }
            if ended {
                text.push('\n');
            }
        }
        (!text.is_empty()).then(|| CodeWanted {
            block: 0,
            code: begin.info.start,
            info: info.to_owned(),
            first,
            lines: text,
        })
    }

    /// Takes what follows what is known, and nothing else.
    fn take(&mut self, found: CodeHighlighted) {
        let code = self.0.entry(found.code).or_default();
        if found.first != code.lines.len() {
            return;
        }
        code.plain = found.plain;
        code.lines.extend(found.lines);
        code.rest = found.rest;
    }
}

impl Code {
    /// Whether the colours of the line that has not ended are those of this one.
    fn has_rest(&self, line: &CodeLine) -> bool {
        let rest = self.rest.as_ref();
        line.number == self.lines.len() && rest.is_some_and(|(len, _)| *len == line.text.len())
    }
}

impl Transcript {
    /// Which colours to ask for now. `live`: text is still coming.
    pub fn wanted_colours(&mut self, live: bool) -> Option<CodeWanted> {
        if self.colouring {
            return None;
        }
        let end = self.last_view();
        let top = self.top.map_or(end, |top| self.place(top).min(end));
        let (mut place, mut left) = (self.down(top, 0), self.view);
        while left > 0 && place.block < self.blocks.len() {
            let rows = place.row..self.measure(place.block).min(place.row + left);
            left -= rows.len();
            if let Some(mut wanted) = self.blocks[place.block].wanted_colours(rows, live) {
                wanted.block = place.block;
                self.colouring = true;
                return Some(wanted);
            }
            place = Place {
                block: place.block + 1,
                row: 0,
            };
        }
        None
    }

    pub fn coloured(&mut self, found: CodeHighlighted) {
        self.colouring = false;
        if let Some(block) = self.blocks.get_mut(found.block) {
            block.colours.take(found);
        }
    }
}
