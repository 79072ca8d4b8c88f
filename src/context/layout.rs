//! How documents are written down as tokens.
//!
//! A model knows the layout that it was trained with. The bundled one reads *running lines*: `<file>` path, then each
//! line followed by `<ln>` and its number, the numbers running over the whole pack. Chat models read plain text:
//!
//! ```text
//! <document path="src/main.rs">
//! …the file…
//! </document>
//! ```
//!
//! Encoding a document does not depend on the ones before it, so documents are encoded in parallel; the numbers and the
//! offsets are added when they are put together.

use std::ops::Range;

use super::Skipped;
use super::pack::{Document, Pack, lines_of};
use super::read::Text;
use crate::compute::{Interrupt, Interrupted};
use crate::model::Tokenizer;

/// So many bytes are encoded between two looks at the interrupt.
const SLICE: usize = 64 << 10;

/// A layout of documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Layout {
    /// The bundled model's: numbered lines between control tokens.
    RunningLines(RunningLines),
    /// For chat models: plain text between tags.
    Documents,
}

/// The ids that running lines are framed by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningLines {
    pub file: u32,
    pub line: u32,
}

/// One document, encoded.
#[derive(Debug)]
pub(super) struct Body {
    pub note: Option<String>,
    path: String,
    text: String,
    lines: Vec<Range<usize>>,
    tokens: Vec<u32>,
    /// Each line's tokens. Where lines are numbered, the numbers are not yet among the tokens.
    line_tokens: Vec<Range<usize>>,
}

impl Body {
    /// The tokens so far: without line numbers.
    pub fn tokens(&self) -> usize {
        self.tokens.len()
    }
}

impl Layout {
    /// Encodes one document; `progress` is told of tokens as they come.
    pub(super) fn encode(
        &self,
        tokenizer: &Tokenizer,
        path: &str,
        text: Text,
        interrupt: &Interrupt,
        progress: &dyn Fn(usize),
    ) -> Result<Body, Interrupted> {
        let Text { text, note } = text;
        let lines = lines_of(&text);
        let (tokens, line_tokens) = match self {
            Self::RunningLines(ids) => encode_lines(tokenizer, path, &text, &lines, ids, interrupt, progress)?,
            Self::Documents => encode_document(tokenizer, path, &text, &lines, interrupt, progress)?,
        };
        Ok(Body {
            note,
            path: path.to_owned(),
            text,
            lines,
            tokens,
            line_tokens,
        })
    }

    /// Puts documents together in the order given.
    pub(super) fn assemble(&self, tokenizer: &Tokenizer, bodies: Vec<Body>, skipped: Vec<Skipped>) -> Pack {
        let digits: Vec<Vec<u32>> = ('0'..='9').map(|digit| tokenizer.encode(&digit.to_string())).collect();
        let newline = tokenizer.encode("\n");
        let mut tokens: Vec<u32> = Vec::new();
        let mut documents = Vec::with_capacity(bodies.len());
        let mut running = 1;
        for body in bodies {
            let start = tokens.len();
            let first_line = running;
            running += body.lines.len();
            let line_tokens = match self {
                Self::Documents => {
                    tokens.extend_from_slice(&body.tokens);
                    body.line_tokens
                        .iter()
                        .map(|line| line.start + start..line.end + start)
                        .collect()
                }
                Self::RunningLines(ids) => {
                    let header = body.line_tokens.first().map_or(body.tokens.len(), |line| line.start);
                    tokens.extend_from_slice(&body.tokens[..header]);
                    let mut spans = Vec::with_capacity(body.line_tokens.len());
                    for (number, line) in (first_line..).zip(&body.line_tokens) {
                        let from = tokens.len();
                        tokens.extend_from_slice(&body.tokens[line.clone()]);
                        spans.push(from..tokens.len());
                        tokens.push(ids.line);
                        for digit in number.to_string().bytes() {
                            tokens.extend_from_slice(&digits[usize::from(digit - b'0')]);
                        }
                        tokens.extend_from_slice(&newline);
                    }
                    spans
                }
            };
            documents.push(Document {
                path: body.path,
                text: body.text,
                lines: body.lines,
                line_tokens,
                first_line,
                tokens: start..tokens.len(),
            });
        }
        Pack {
            tokens: tokens.into(),
            documents,
            skipped,
        }
    }
}

type Encoded = (Vec<u32>, Vec<Range<usize>>);

fn encode_lines(
    tokenizer: &Tokenizer,
    path: &str,
    text: &str,
    lines: &[Range<usize>],
    ids: &RunningLines,
    interrupt: &Interrupt,
    progress: &dyn Fn(usize),
) -> Result<Encoded, Interrupted> {
    let mut tokens = vec![ids.file];
    tokens.extend(tokenizer.encode(path));
    tokens.extend(tokenizer.encode("\n"));
    let mut spans = Vec::with_capacity(lines.len());
    let mut reported = 0;
    let mut since_check = 0;
    for line in lines {
        since_check += line.len() + 1;
        if since_check > SLICE {
            interrupt.check()?;
            progress(tokens.len() - reported);
            (since_check, reported) = (0, tokens.len());
        }
        let start = tokens.len();
        tokens.extend(tokenizer.encode(&text[line.clone()]));
        spans.push(start..tokens.len());
    }
    progress(tokens.len() - reported);
    Ok((tokens, spans))
}

fn encode_document(
    tokenizer: &Tokenizer,
    path: &str,
    text: &str,
    lines: &[Range<usize>],
    interrupt: &Interrupt,
    progress: &dyn Fn(usize),
) -> Result<Encoded, Interrupted> {
    let mut tokens = tokenizer.encode(&format!("<document path=\"{path}\">\n"));
    let mut ends = Vec::new();
    let mut end = 0;
    let header = tokens.len();
    for slice in slices(text) {
        interrupt.check()?;
        let ids = tokenizer.encode(slice);
        progress(ids.len());
        for &id in &ids {
            end += tokenizer.token_bytes(id).map_or(0, <[u8]>::len);
            ends.push(end);
        }
        tokens.extend(ids);
    }
    let spans = lines
        .iter()
        .map(|line| {
            let first = ends.partition_point(|&end| end <= line.start);
            let last = if line.is_empty() {
                first
            } else {
                ends.partition_point(|&end| end < line.end) + 1
            };
            header + first..header + last.min(ends.len()).max(first)
        })
        .collect();
    let tail = if text.is_empty() || text.ends_with('\n') {
        "</document>\n"
    } else {
        "\n</document>\n"
    };
    tokens.extend(tokenizer.encode(tail));
    Ok((tokens, spans))
}

/// Cuts a text where a line begins with a letter: there, every split pattern of this family splits, so that the pieces
/// encode to the ids of the whole.
fn slices(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let bytes = rest.as_bytes();
        let safe = |&at: &usize| bytes[at - 1] == b'\n' && bytes[at].is_ascii_alphabetic();
        let at = (SLICE..bytes.len()).find(safe).unwrap_or(bytes.len());
        let (slice, after) = rest.split_at(at);
        rest = after;
        Some(slice)
    })
}

#[cfg(test)]
#[path = "layout_tests.rs"]
mod tests;
