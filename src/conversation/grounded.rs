//! Grounded decoding: the bundled model's reply is held to what stands in the documents.
//!
//! A trace `quotation<ln>N` is, token by token, a stretch of the pack: the quotation runs to the end of its line, and in the
//! pack the line's number follows. So the guide keeps every place of the pack that the trace so far could have been
//! copied from, and allows what comes next at any of them. The trace begins in a line that has what was asked for, and not
//! after it: no other could be verified. The model decides which of these lines it is and where in it to begin; what it
//! cannot do is misspell a line or give it the number of another. The answer is then that number again, or a part of the
//! quoted line.

use std::ops::Range;
use std::sync::Arc;

use super::quote::Ids;
use crate::context::Pack;
use crate::engine::{Allowed, Guide, GuideMaker};

/// With more places than this it is not worth finding out whether they agree.
const FEW: usize = 64;

/// What follows the trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// The line's number once more.
    Place,
    /// A part of the line.
    Value,
}

/// A guide for replies about `span` in `pack`; `newline` is the token that ends a line's number, `bytes_of` the length of
/// a token's text.
pub(super) fn guide(
    pack: &Pack,
    ids: Ids,
    newline: u32,
    span: &str,
    answer: Answer,
    bytes_of: &dyn Fn(u32) -> usize,
) -> GuideMaker {
    let source = Arc::new(Source {
        tokens: pack.tokens.clone(),
        starts: starts(pack, span, bytes_of),
        lines: pack.documents.iter().flat_map(|d| d.line_tokens.iter()).collect(),
        ids,
        newline,
        answer,
    });
    GuideMaker::new(move || {
        Box::new(Grounded {
            source: source.clone(),
            stage: Stage::Open,
            allowed: Vec::new(),
        })
    })
}

/// The positions in lines that have `span`, from the beginning of the line to the token that the span begins in.
fn starts(pack: &Pack, span: &str, bytes_of: &dyn Fn(u32) -> usize) -> Vec<usize> {
    let mut starts = Vec::new();
    for document in pack.documents.iter().filter(|d| d.text.contains(span)) {
        for (bytes, tokens) in document.lines.iter().zip(document.line_tokens.iter()) {
            let Some(at) = document.text[bytes.clone()].rfind(span) else {
                continue;
            };
            let mut begun = 0;
            starts.extend(tokens.clone().take_while(|p| {
                let here = begun <= at;
                begun += bytes_of(pack.tokens[*p]);
                here
            }));
        }
    }
    starts
}

/// What is copied from.
struct Source {
    tokens: Arc<[u32]>,
    /// The tokens of each line, in order, without its number.
    lines: Vec<Range<usize>>,
    /// Where a quotation may begin.
    starts: Vec<usize>,
    ids: Ids,
    newline: u32,
    answer: Answer,
}

#[derive(Clone)]
struct Grounded {
    source: Arc<Source>,
    stage: Stage,
    allowed: Vec<u32>,
}

/// Where the reply stands. A place is the position of the token that would come next.
#[derive(Clone)]
enum Stage {
    /// `<think>` comes.
    Open,
    /// The quotation begins.
    Begin,
    /// Every place where the trace so far has just been copied from.
    Trace(Vec<usize>),
    /// The line is settled; its number is copied once more.
    Place { number: Range<usize>, copied: usize },
    /// The line is settled; a part of it is copied. No places before the first token.
    Value {
        line: Range<usize>,
        places: Vec<usize>,
        begun: bool,
    },
    /// Nothing more comes.
    End,
}

impl Source {
    /// The places after each `id` among `positions`.
    fn after(&self, id: u32, positions: impl Iterator<Item = usize>) -> Vec<usize> {
        positions.filter(|p| self.tokens[*p] == id).map(|p| p + 1).collect()
    }

    /// The trace is closed; `places` lie at the end of one line's number.
    fn settle(&self, places: &[usize]) -> Stage {
        let Some(&end) = places.iter().find(|p| self.tokens[**p] == self.newline) else {
            return Stage::End;
        };
        let after = self.lines.partition_point(|line| line.start <= end);
        let Some(line) = after.checked_sub(1).map(|last| self.lines[last].clone()) else {
            return Stage::End;
        };
        match self.answer {
            // Between them stands `<ln>`.
            Answer::Place => Stage::Place {
                number: line.end..end,
                copied: 0,
            },
            Answer::Value => Stage::Value {
                line,
                places: Vec::new(),
                begun: false,
            },
        }
    }
}

impl Stage {
    /// How many places the reply could go on from.
    fn places(&self) -> usize {
        match self {
            Self::Open | Self::Place { .. } | Self::End => 1,
            Self::Begin => usize::MAX,
            Self::Trace(places)
            | Self::Value {
                places, begun: true, ..
            } => places.len(),
            Self::Value { line, begun: false, .. } => line.len(),
        }
    }
}

impl Grounded {
    /// The ids that may come next, ascending.
    fn choices(&mut self) -> &[u32] {
        let Source {
            tokens,
            starts,
            ids,
            newline,
            ..
        } = &*self.source;
        self.allowed.clear();
        match &self.stage {
            Stage::Open => self.allowed.push(ids.think),
            Stage::Begin => self.allowed.extend(starts.iter().map(|p| tokens[*p])),
            Stage::Trace(places) => self.allowed.extend(places.iter().map(|p| match tokens[*p] {
                end if end == *newline => ids.end_think,
                next => next,
            })),
            Stage::Place { number, copied } => {
                self.allowed
                    .push(number.clone().nth(*copied).map_or(ids.eos, |p| tokens[p]));
            }
            Stage::Value { line, begun: false, .. } => self.allowed.extend(&tokens[line.clone()]),
            Stage::Value {
                line,
                places,
                begun: true,
            } => {
                self.allowed
                    .extend(places.iter().filter(|p| line.contains(p)).map(|p| tokens[*p]));
                self.allowed.push(ids.eos);
            }
            Stage::End => self.allowed.push(ids.eos),
        }
        self.allowed.sort_unstable();
        self.allowed.dedup();
        &self.allowed
    }
}

impl Guide for Grounded {
    fn allowed(&mut self) -> Allowed<'_> {
        Allowed::Only(self.choices())
    }

    fn push(&mut self, id: u32) {
        let source = &*self.source;
        self.stage = match std::mem::replace(&mut self.stage, Stage::End) {
            Stage::Open if id == source.ids.think => Stage::Begin,
            Stage::Begin => Stage::Trace(source.after(id, source.starts.iter().copied())),
            Stage::Trace(places) if id == source.ids.end_think => source.settle(&places),
            Stage::Trace(places) => Stage::Trace(source.after(id, places.into_iter())),
            Stage::Place { number, copied } if copied < number.len() => Stage::Place {
                number,
                copied: copied + 1,
            },
            Stage::Value { line, places, begun } => {
                let places = if begun {
                    source.after(id, places.into_iter().filter(|p| line.contains(p)))
                } else {
                    source.after(id, line.clone())
                };
                Stage::Value {
                    line,
                    places,
                    begun: true,
                }
            }
            Stage::Open | Stage::Place { .. } | Stage::End => Stage::End,
        };
    }

    fn bound(&self, ids: &mut Vec<u32>, most: usize) {
        if self.stage.places() > FEW {
            return;
        }
        let mut ahead = self.clone();
        for _ in 0..most {
            match *ahead.choices() {
                [only] if only != self.source.ids.eos => {
                    ids.push(only);
                    ahead.push(only);
                }
                _ => break,
            }
        }
    }
}

#[cfg(test)]
#[path = "grounded_tests.rs"]
mod tests;
