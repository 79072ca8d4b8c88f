//! How documents are written down as tokens.
//!
//! A model knows the layout that it was trained with. The bundled one reads *running lines*: `<file>` path, then each
//! line followed by `<ln>` and its number, the numbers running over the whole pack. Chat models read plain text, each line
//! after its number within the file (decision 0007):
//!
//! ```text
//! <document path="src/main.rs">
//! 1:fn main() {
//! 2:}
//! </document>
//! ```
//!
//! Encoding a document does not depend on the ones before it, so documents are encoded in parallel; the numbers and the
//! offsets are added when they are put together.

use std::ops::Range;

use super::pack::{Document, Pack, Section, lines_of};
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
    /// For chat models: plain text between tags, with the number of each line.
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
    sections: Vec<Section>,
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
        let Text { text, note, sections } = text;
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
            sections,
            tokens,
            line_tokens,
        })
    }

    /// Puts documents together in the order given.
    pub(super) fn assemble(&self, tokenizer: &Tokenizer, bodies: Vec<Body>) -> Pack {
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
                sections: body.sections,
            });
        }
        Pack {
            tokens: tokens.into(),
            documents,
            ..Pack::default()
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
    let mut spans = Vec::with_capacity(lines.len());
    let mut slice = String::new();
    let mut places = Vec::new();
    for (number, line) in (1..).zip(lines) {
        slice.push_str(&number.to_string());
        slice.push(':');
        let start = slice.len();
        slice.push_str(&text[line.clone()]);
        places.push(start..slice.len());
        slice.push('\n');
        // A number at the beginning of a line is a piece of its own to every split pattern of this family, so slices
        // encode to the ids of the whole.
        if slice.len() >= SLICE || number == lines.len() {
            interrupt.check()?;
            let ids = tokenizer.encode(&slice);
            progress(ids.len());
            let ends = ends(tokenizer, &ids);
            spans.extend(places.drain(..).map(|place| {
                let Range { start, end } = covering(&ends, &place);
                tokens.len() + start..tokens.len() + end
            }));
            tokens.extend(ids);
            slice.clear();
        }
    }
    tokens.extend(tokenizer.encode("</document>\n"));
    Ok((tokens, spans))
}

/// Where the bytes of each token end.
fn ends(tokenizer: &Tokenizer, ids: &[u32]) -> Vec<usize> {
    ids.iter()
        .scan(0, |end, &id| {
            *end += tokenizer.token_bytes(id).map_or(0, <[u8]>::len);
            Some(*end)
        })
        .collect()
}

/// The tokens that have any of these bytes.
fn covering(ends: &[usize], bytes: &Range<usize>) -> Range<usize> {
    let first = ends.partition_point(|&end| end <= bytes.start);
    let last = if bytes.is_empty() {
        first
    } else {
        ends.partition_point(|&end| end < bytes.end) + 1
    };
    first..last.min(ends.len()).max(first)
}

#[cfg(test)]
#[path = "layout_tests.rs"]
mod tests;
