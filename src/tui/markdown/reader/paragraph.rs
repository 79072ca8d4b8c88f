//! Text: lines that are read together, for markup that goes over more than one.

use std::ops::Range;

use super::super::inline::{self, Looks, Span};
use super::super::page::Ink;
use super::{Container, LONGEST_ROW, Leaf, Paragraph, Reader, Said, cut_of};
use crate::tui::theme::Part;
use crate::tui::transcript::Parts;

/// Bytes in which markup is looked for together.
const WINDOW: usize = 2048;

impl Reader<'_> {
    /// Adds a line to the paragraph. One that is neither whole nor long may still become something else.
    pub(super) fn say(&mut self, said: Said, whole: bool) {
        let Leaf::Paragraph(paragraph) = &mut self.state.leaf else {
            return;
        };
        let sure = whole || said.text.len() > LONGEST_ROW;
        paragraph.size += said.text.len() + 1;
        paragraph.lines.push(said);
        if sure && paragraph.size > WINDOW + 4 {
            self.cut();
        }
    }

    /// The text of the lines in the window, at most so much.
    pub(super) fn joined(&self, paragraph: &Paragraph, most: usize) -> String {
        let mut text = String::new();
        for (index, line) in paragraph.lines.iter().enumerate() {
            if index > 0 {
                text.push('\n');
            }
            let more = &self.source[line.text.clone()];
            text.push_str(&more[..more.floor_char_boundary(most.saturating_sub(text.len()))]);
        }
        text
    }

    /// Settles the first part of a window that has become full.
    fn cut(&mut self) {
        let Leaf::Paragraph(mut paragraph) = std::mem::replace(&mut self.state.leaf, Leaf::None) else {
            return;
        };
        let text = self.joined(&paragraph, WINDOW + 4);
        let window = &text[..cut_of(&text, WINDOW)];
        let mut spans = inline::parse(window, false);
        let cut = inline::gap(window, &spans, WINDOW / 2).unwrap_or(window.len());
        spans.retain_mut(|span| {
            span.at.end = span.at.end.min(cut);
            span.at.start < cut
        });
        // Where the cut lies: in which line, and how much of it comes before.
        let mut begin = 0;
        let mut index = 0;
        while index + 1 < paragraph.lines.len() && begin + paragraph.lines[index].text.len() < cut {
            begin += paragraph.lines[index].text.len() + 1;
            index += 1;
        }
        let line = paragraph.lines[index].clone();
        let within = cut - begin;
        paragraph.lines.truncate(index + 1);
        let begun = Paragraph {
            heading: paragraph.heading,
            begun: true,
            ..Paragraph::default()
        };
        if within == 0 && index > 0 {
            paragraph.lines.pop();
            self.lay_paragraph(&paragraph, &spans);
            self.state.leaf = Leaf::Paragraph(begun);
            self.state.at = line.from;
            self.state.within = false;
        } else {
            let last = paragraph.lines.pop();
            let all_inks =
                |reader: &Self, paragraph: &Paragraph, at: usize| reader.inks_of(paragraph, &line, at, &spans);
            let inks = all_inks(self, &paragraph, begin);
            let (from, inks) = match paragraph.carry.take().filter(|_| index == 0) {
                Some(carry) => (carry.from, [carry.inks, inks].concat()),
                None => (last.map_or(line.from, |last| last.from), inks),
            };
            self.lay_paragraph(&paragraph, &spans);
            let carry = self.lay_but_last(from, inks, &[], &[]);
            self.state.leaf = Leaf::Paragraph(Paragraph {
                carry: Some(carry),
                ..begun
            });
            self.state.at = line.text.start + within;
            self.state.within = true;
        }
        self.cut = true;
        self.settle();
    }

    /// What is drawn of a line that begins at a byte of the text.
    fn inks_of(&self, paragraph: &Paragraph, line: &Said, begin: usize, spans: &[Span]) -> Vec<Ink> {
        let base = self.base(paragraph.heading);
        inks(spans, begin..begin + line.text.len(), line.text.start, base)
    }

    pub(super) fn lay_paragraph(&mut self, paragraph: &Paragraph, spans: &[Span]) {
        let mut begin = 0;
        for (index, line) in paragraph.lines.iter().enumerate() {
            let mut inks = self.inks_of(paragraph, line, begin, spans);
            let mut from = line.from;
            if let Some(carry) = paragraph.carry.as_ref().filter(|_| index == 0) {
                from = carry.from;
                inks = [carry.inks.clone(), inks].concat();
            }
            self.lay(from, &inks, &[], &[]);
            begin += line.text.len() + 1;
        }
    }

    /// How text looks here.
    pub(super) fn base(&self, part: Option<Part>) -> Parts {
        let quoted = self.state.containers.contains(&Container::Quote);
        let base = if quoted {
            Parts::default().with(Part::Quote)
        } else {
            Parts::default()
        };
        part.map_or(base, |part| base.with(part))
    }
}

/// What is drawn of a part of a text that stands at another place in the source.
pub(super) fn inks(spans: &[Span], part: Range<usize>, source: usize, base: Parts) -> Vec<Ink> {
    let first = spans.partition_point(|span| span.at.end <= part.start);
    let spans = spans[first..].iter().take_while(|span| span.at.start < part.end);
    spans
        .map(|span| {
            let at = span.at.start.max(part.start)..span.at.end.min(part.end);
            Ink {
                at: at.start - part.start + source..at.end - part.start + source,
                instead: span.instead.clone(),
                parts: parts(span.looks, base),
            }
        })
        .collect()
}

fn parts(looks: Looks, base: Parts) -> Parts {
    [
        (Looks::STRONG, Part::Strong),
        (Looks::EMPHASIS, Part::Emphasis),
        (Looks::STRUCK, Part::Struck),
        (Looks::CODE, Part::Code),
        (Looks::LINK, Part::Address),
        (Looks::TARGET, Part::AddressTarget),
    ]
    .into_iter()
    .filter(|&(look, _)| looks.has(look))
    .fold(base, |parts, (_, part)| parts.with(part))
}
