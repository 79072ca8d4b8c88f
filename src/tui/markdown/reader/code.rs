//! Blocks of code, fenced or indented.

use std::ops::Range;

use super::super::line::{Fence, Line};
use super::super::page::{Ink, blanks};
use super::{Code, CodeLine, EDGE_FROM, Leaf, Reader, cut_of};
use crate::tui::theme::Part;
use crate::tui::transcript::Parts;

/// Bytes of a line of code that are laid out together.
const CODE_WINDOW: usize = 1024;

impl Reader<'_> {
    pub(super) fn open_fence(&mut self, line: &Line<'_>, fence: Fence, from: usize) {
        let mut line = *line;
        let indent = line.indent();
        line.take_columns(indent);
        line.take(fence.len);
        let language = line.trimmed();
        let edge = Parts::default().with(Part::CodeEdge);
        let mut inks = Vec::new();
        if self.has_edge() {
            inks.push(Ink::instead(language.start..language.start, "╭ ", edge));
        }
        inks.push(Ink::source(language.clone(), edge));
        self.lay(from, &inks, &[], &[]);
        self.state.leaf = Leaf::Code(Code {
            fence: Some((fence, indent)),
            info: language,
            lines: 0,
            carry: None,
        });
    }

    /// Reads a line while there is code; whether it belongs to it.
    pub(super) fn goes_on_as_code(
        &mut self,
        line: &Line<'_>,
        fence: Option<(Fence, usize)>,
        from: usize,
        whole: bool,
        blank: Option<usize>,
    ) -> bool {
        let mut line = *line;
        let Some((fence, indent)) = fence else {
            if line.is_blank() {
                if blank.is_none() {
                    self.lay(from, &[], &[], &[]);
                }
                self.state.blank = Some(usize::MAX);
                return true;
            }
            if line.indent() >= 4 {
                line.take_columns(4);
                self.code_line(&line, from);
                return true;
            }
            return false;
        };
        if line.indent() < 4 && fence.is_closed_by(line.text(), whole) {
            let at = line.trimmed();
            let mut inks = Vec::new();
            if self.has_edge() {
                inks.push(Ink::instead(at, "╰", Parts::default().with(Part::CodeEdge)));
            }
            self.lay(from, &inks, &[], &[]);
            self.state.leaf = Leaf::None;
            return true;
        }
        line.take_columns(line.indent().min(indent));
        self.code_line(&line, from);
        true
    }

    pub(super) fn code_line(&mut self, line: &Line<'_>, from: usize) {
        let Leaf::Code(code) = &mut self.state.leaf else {
            return;
        };
        self.code.push(CodeLine {
            text: line.at..line.end,
            info: code.info.clone(),
            number: code.lines,
        });
        code.lines += 1;
        let parts = Parts::default().with(Part::CodeBlock);
        let hanging = line.hanging();
        let mut inks = Vec::new();
        if hanging > 0 {
            inks.push(Ink::instead(line.at..line.at, blanks(hanging), parts));
        }
        self.code_text(from, inks, line.at..line.end);
    }

    /// A line of code, or what of it comes after what has been settled.
    pub(super) fn code_text(&mut self, from: usize, mut inks: Vec<Ink>, text: Range<usize>) {
        let parts = Parts::default().with(Part::CodeBlock);
        let (first, rest) = self.edges();
        if text.len() < CODE_WINDOW + 4 {
            if !text.is_empty() {
                inks.push(Ink::source(text, parts));
            }
            return self.lay(from, &inks, &first, &rest);
        }
        let cut = text.start + cut_of(&self.source[text.clone()], CODE_WINDOW);
        inks.push(Ink::source(text.start..cut, parts));
        let carry = self.lay_but_last(from, inks, &first, &rest);
        if let Leaf::Code(code) = &mut self.state.leaf {
            code.carry = Some(carry);
        }
        self.state.at = cut;
        self.state.within = true;
        self.cut = true;
        self.settle();
    }

    /// The edges of the first row of a line of code and of the others.
    pub(super) fn edges(&self) -> (Vec<Ink>, Vec<Ink>) {
        if !self.has_edge() {
            return (Vec::new(), Vec::new());
        }
        let edge = Ink::instead(0..0, "│ ", Parts::default().with(Part::CodeEdge));
        (vec![edge.clone()], vec![edge])
    }

    fn has_edge(&self) -> bool {
        self.room() >= EDGE_FROM
    }
}
