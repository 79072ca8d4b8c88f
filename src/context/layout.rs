//! How documents are written down as tokens.
//!
//! A model knows the layout that it was trained with. The bundled one reads *running lines*: `<file>` path, then each
//! line followed by `<ln>` and its number, the numbers running over the whole pack. Chat models read plain text after a
//! [`Template`], by itself each line after its number within the file (decision 0007).
//!
//! Encoding a document does not depend on its path nor on the ones before it, so documents are encoded in parallel and
//! kept by the hash of their text; paths, running numbers and offsets are added when they are put together.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use super::Spans;
use super::codec;
use super::discover::Source;
use super::pack::{Document, Pack, Section, lines_of};
use super::selection::Cut;
use super::template::Template;
use crate::compute::{Interrupt, Interrupted};
use crate::model::Tokenizer;

/// So many bytes are encoded between two looks at the interrupt.
const SLICE: usize = 64 << 10;

/// A layout of documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Layout {
    /// The bundled model's: numbered lines between control tokens.
    RunningLines(RunningLines),
    /// For chat models: plain text.
    Documents(Template),
}

/// The ids that running lines are framed by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningLines {
    pub file: u32,
    pub line: u32,
}

/// A document's lines as tokens, without its frame and without running numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Encoded {
    pub tokens: Vec<u32>,
    /// Each line's tokens, counted from the document's first; of a line that is cut out, none.
    pub lines: Vec<Range<u32>>,
}

/// One document, ready to be put among others.
#[derive(Debug)]
pub(super) struct Body {
    pub path: String,
    pub file: Option<PathBuf>,
    pub text: String,
    pub sections: Vec<Section>,
    pub lines: Spans,
    /// An [`Encoded`] of these lines as the bytes of [`codec`](super::codec), which take half the room.
    pub encoded: Arc<[u8]>,
    /// The lines that are cut out.
    pub gap: Option<Range<usize>>,
}

impl Body {
    pub fn new(source: &Source, text: String, sections: Vec<Section>, cut: Cut) -> Self {
        let lines = lines_of(&text);
        Self {
            gap: cut.gap(lines.len()).map(|(first, count)| first..first + count),
            path: source.name.clone(),
            file: source.path.clone(),
            text,
            sections,
            lines,
            encoded: Arc::default(),
        }
    }
}

impl Body {
    /// Whether a line, from 0, is cut out.
    fn cuts(&self, line: usize) -> bool {
        self.gap.as_ref().is_some_and(|gap| gap.contains(&line))
    }
}

/// What stands in place of the lines that are cut out, from 0.
fn marker(gap: &Range<usize>) -> String {
    format!("[… lines {} to {} are left out …]", gap.start + 1, gap.end)
}

impl Layout {
    /// What distinguishes the tokens of a text in this layout from those in another.
    pub(super) fn tag(&self) -> String {
        match self {
            Self::RunningLines(_) => "running lines".into(),
            Self::Documents(template) => format!("lines {:?}", template.line()),
        }
    }

    /// Encodes the lines of a document; `progress` is told of tokens as they come.
    pub(super) fn encode(
        &self,
        tokenizer: &Tokenizer,
        body: &Body,
        interrupt: &Interrupt,
        progress: &dyn Fn(usize),
    ) -> Result<Encoded, Interrupted> {
        let encoder = Encoder {
            tokenizer,
            body,
            interrupt,
            progress,
        };
        match self {
            Self::RunningLines(_) => encoder.running_lines(),
            Self::Documents(template) => encoder.template(template),
        }
    }

    /// Puts documents together in the order given.
    pub(super) fn assemble(&self, tokenizer: &Tokenizer, bodies: Vec<Body>) -> Pack {
        let frame = Frame::new(self, tokenizer);
        let ends: Vec<Ends> = bodies.iter().map(|body| frame.ends(&body.path)).collect();
        // Written in place: a million tokens are not to be copied from a vector.
        let mut tokens: Arc<[u32]> = std::iter::repeat_n(0, frame.tokens(&bodies, &ends)).collect();
        let mut writer = Writer {
            tokens: Arc::get_mut(&mut tokens).expect("nobody else has it yet"),
            at: 0,
        };
        let mut documents = Vec::with_capacity(bodies.len());
        let mut first_line = 1;
        for (body, ends) in bodies.into_iter().zip(ends) {
            let start = writer.at;
            writer.push(&ends.begin);
            let line_tokens = frame.lines(&body, first_line, &mut writer);
            writer.push(&ends.end);
            let running = first_line;
            first_line += body.lines.len();
            documents.push(Document {
                path: body.path,
                file: body.file,
                text: body.text,
                lines: body.lines,
                line_tokens,
                first_line: running,
                tokens: start..writer.at,
                sections: body.sections,
                gap: body.gap,
            });
        }
        assert_eq!(writer.at, writer.tokens.len(), "the tokens have been counted");
        Pack {
            tokens,
            documents,
            ..Pack::default()
        }
    }
}

/// What stands before and after the lines of a document.
struct Ends {
    begin: Vec<u32>,
    end: Vec<u32>,
}

struct Writer<'t> {
    tokens: &'t mut [u32],
    at: usize,
}

impl Writer<'_> {
    fn push(&mut self, ids: &[u32]) {
        let end = self.at + ids.len();
        self.tokens[self.at..end].copy_from_slice(ids);
        self.at = end;
    }
}

/// What stands around and between the lines of each document.
struct Frame<'a> {
    layout: &'a Layout,
    tokenizer: &'a Tokenizer,
    digits: Vec<Vec<u32>>,
    newline: Vec<u32>,
}

impl<'a> Frame<'a> {
    fn new(layout: &'a Layout, tokenizer: &'a Tokenizer) -> Self {
        Self {
            layout,
            tokenizer,
            digits: ('0'..='9').map(|digit| tokenizer.encode(&digit.to_string())).collect(),
            newline: tokenizer.encode("\n"),
        }
    }

    fn ends(&self, path: &str) -> Ends {
        match self.layout {
            Layout::RunningLines(ids) => {
                let mut begin = vec![ids.file];
                begin.extend(self.tokenizer.encode(path));
                begin.extend_from_slice(&self.newline);
                Ends { begin, end: Vec::new() }
            }
            Layout::Documents(template) => Ends {
                begin: self.tokenizer.encode(&template.begin(path)),
                end: self.tokenizer.encode(&template.end(path)),
            },
        }
    }

    /// How many tokens the documents take together.
    fn tokens(&self, bodies: &[Body], ends: &[Ends]) -> usize {
        let ends: usize = ends.iter().map(|ends| ends.begin.len() + ends.end.len()).sum();
        let lines: usize = bodies.iter().map(|body| codec::token_count(&body.encoded)).sum();
        ends + lines + self.numbers(bodies)
    }

    /// How many tokens the running numbers take.
    fn numbers(&self, bodies: &[Body]) -> usize {
        let Layout::RunningLines(_) = self.layout else { return 0 };
        let mut sum = 0;
        let mut number = 1;
        for body in bodies {
            for index in 0..body.lines.len() {
                if !body.cuts(index) {
                    sum += 1 + self.newline.len() + self.digits_of(number).map(<[u32]>::len).sum::<usize>();
                }
                number += 1;
            }
        }
        sum
    }

    /// The tokens of each digit of a number, from the first on.
    fn digits_of(&self, number: usize) -> impl Iterator<Item = &[u32]> {
        let places = number.max(1).ilog10();
        let digit = move |place| number / 10usize.pow(place) % 10;
        (0..=places).rev().map(move |place| &*self.digits[digit(place)])
    }

    /// Appends the lines, and gives each line's place in the pack.
    fn lines(&self, body: &Body, first_line: usize, writer: &mut Writer<'_>) -> Spans {
        // A body that was encoded can be decoded.
        let encoded = codec::from_bytes(&body.encoded, body.lines.len()).unwrap_or_default();
        let Layout::RunningLines(ids) = self.layout else {
            let start = writer.at;
            writer.push(&encoded.tokens);
            let place = |line: &Range<u32>| start + line.start as usize..start + line.end as usize;
            return encoded.lines.iter().map(place).collect();
        };
        let mut places = Spans::with_capacity(encoded.lines.len());
        let mut copied = 0;
        for (index, line) in encoded.lines.iter().enumerate() {
            if body.cuts(index) {
                places.push(writer.at..writer.at);
                continue;
            }
            // What stands between two lines is the marker of a cut.
            let (start, end) = (line.start as usize, line.end as usize);
            writer.push(&encoded.tokens[copied..start]);
            places.push(writer.at..writer.at + (end - start));
            writer.push(&encoded.tokens[start..end]);
            copied = end;
            writer.push(&[ids.line]);
            for digit in self.digits_of(first_line + index) {
                writer.push(digit);
            }
            writer.push(&self.newline);
        }
        writer.push(&encoded.tokens[copied..]);
        places
    }
}

struct Encoder<'a> {
    tokenizer: &'a Tokenizer,
    body: &'a Body,
    interrupt: &'a Interrupt,
    progress: &'a dyn Fn(usize),
}

impl Encoder<'_> {
    /// Every line by itself.
    fn running_lines(&self) -> Result<Encoded, Interrupted> {
        let Body { text, lines, gap, .. } = self.body;
        let mut tokens = Vec::with_capacity(text.len() / 3);
        let mut spans = Vec::with_capacity(lines.len());
        let (mut reported, mut since_check) = (0, 0);
        for (index, line) in lines.iter().enumerate() {
            if let Some(gap) = gap.as_ref().filter(|gap| gap.contains(&index)) {
                let here = tokens.len() as u32;
                spans.push(here..here);
                if index == gap.start {
                    tokens.extend(self.tokenizer.encode(&(marker(gap) + "\n")));
                }
                continue;
            }
            since_check += line.len() + 1;
            if since_check > SLICE {
                self.interrupt.check()?;
                (self.progress)(tokens.len() - reported);
                (since_check, reported) = (0, tokens.len());
            }
            let start = tokens.len() as u32;
            self.tokenizer.encode_into(&text[line], &mut tokens);
            spans.push(start..tokens.len() as u32);
        }
        (self.progress)(tokens.len() - reported);
        tokens.shrink_to_fit();
        Ok(Encoded { tokens, lines: spans })
    }

    /// Slices of whole lines. With the template that comes with the program, a slice begins with a number, which is a
    /// piece of its own to every split pattern of this family, so that the ids are those of the whole.
    fn template(&self, template: &Template) -> Result<Encoded, Interrupted> {
        let Body { text, lines, gap, .. } = self.body;
        let mut encoded = Encoded {
            tokens: Vec::with_capacity(text.len() / 3),
            lines: Vec::with_capacity(lines.len()),
        };
        let mut slice = String::new();
        let mut places = Vec::new();
        for (index, line) in lines.iter().enumerate() {
            if let Some(gap) = gap.as_ref().filter(|gap| gap.contains(&index)) {
                places.push(slice.len()..slice.len());
                if index == gap.start {
                    slice.push_str(&(marker(gap) + "\n"));
                }
            } else {
                places.push(template.push_line(index + 1, &text[line], &mut slice));
            }
            if slice.len() >= SLICE {
                self.slice(&mut slice, &mut places, &mut encoded)?;
            }
        }
        self.slice(&mut slice, &mut places, &mut encoded)?;
        encoded.tokens.shrink_to_fit();
        Ok(encoded)
    }

    fn slice(
        &self,
        slice: &mut String,
        places: &mut Vec<Range<usize>>,
        encoded: &mut Encoded,
    ) -> Result<(), Interrupted> {
        self.interrupt.check()?;
        let ids = self.tokenizer.encode(slice);
        (self.progress)(ids.len());
        let ends = ends(self.tokenizer, &ids);
        let before = encoded.tokens.len();
        encoded.lines.extend(places.drain(..).map(|place| {
            let Range { start, end } = covering(&ends, &place);
            (before + start) as u32..(before + end) as u32
        }));
        encoded.tokens.extend(ids);
        slice.clear();
        Ok(())
    }
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
