//! The sections of a document: from one to the next, and all as a list to choose from.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::format;
use super::super::text::{clip, print, width};
use super::super::theme::{Part, Theme};
use super::{Spot, Step, Viewer};
use crate::context::Section;

/// Columns that a level is indented by.
const INDENT: usize = 2;

impl Viewer {
    /// The section that the cursor is in.
    pub(super) fn section(&self) -> Option<&Section> {
        self.text.document().section(self.cursor.line + 1)
    }

    pub(super) fn next_section(&mut self) {
        let sections = &self.text.document().sections;
        let next = sections.partition_point(|section| section.line <= self.cursor.line + 1);
        if let Some(line) = sections.get(next).map(|section| section.line) {
            self.show_section(line);
        }
    }

    pub(super) fn previous_section(&mut self) {
        let sections = &self.text.document().sections;
        let here = sections.partition_point(|section| section.line < self.cursor.line + 1);
        if let Some(line) = here.checked_sub(1).map(|index| sections[index].line) {
            self.show_section(line);
        }
    }

    /// A section begins at the top of the view.
    fn show_section(&mut self, line: usize) {
        let line = line.saturating_sub(1).min(self.text.lines() - 1);
        self.cursor = Spot { line, at: 0 };
        self.look_at(self.cursor);
        self.step_to(Spot { line, at: 0 });
    }

    /// Opens the list at the section that the cursor is in.
    pub(super) fn open_outline(&mut self) {
        let sections = &self.text.document().sections;
        let after = sections.partition_point(|section| section.line <= self.cursor.line + 1);
        self.outline = (!sections.is_empty()).then(|| after.saturating_sub(1));
    }

    /// Moves in the list; whether it is open.
    pub(super) fn outline_step(&mut self, step: Step) -> bool {
        let Some(here) = self.outline else {
            return false;
        };
        let last = self.text.document().sections.len().saturating_sub(1);
        let page = self.page().unsigned_abs();
        let to = match step {
            Step::Down | Step::NextSection => here + 1,
            Step::Up | Step::PreviousSection => here.saturating_sub(1),
            Step::PageDown | Step::HalfDown => here + page,
            Step::PageUp | Step::HalfUp => here.saturating_sub(page),
            Step::Top => 0,
            Step::Bottom => last,
            Step::Close | Step::Outline => {
                self.outline = None;
                return true;
            }
            _ => here,
        };
        self.outline = Some(to.min(last));
        true
    }

    /// Goes to the chosen section; whether the list was open.
    pub(super) fn choose_section(&mut self) -> bool {
        let chosen = self.outline.take();
        let line = chosen.and_then(|index| self.text.document().sections.get(index).map(|section| section.line));
        if let Some(line) = line {
            self.show_section(line);
        }
        chosen.is_some()
    }

    /// The first section of the list that is in view.
    pub(super) fn outline_top(&self, selected: usize) -> usize {
        let (height, count) = (self.height(), self.text.document().sections.len());
        selected.saturating_sub(height / 2).min(count.saturating_sub(height))
    }

    pub(super) fn draw_outline(&self, selected: usize, area: Rect, buf: &mut Buffer, theme: &Theme) {
        let sections = self.text.document().sections.iter().enumerate();
        for (row, (index, section)) in area.rows().zip(sections.skip(self.outline_top(selected))) {
            let room = usize::from(row.width);
            let number = format::count(section.line);
            let indent = usize::from(section.level.saturating_sub(1)) * INDENT;
            let sign = if index == selected { "❯ " } else { "  " };
            let title = format!("{sign}{}{}", " ".repeat(indent.min(room / 2)), section.title);
            let title = clip(&title, room.saturating_sub(width(&number) + 1));
            let part = if index == selected {
                Part::StatusStrong
            } else {
                Part::Document
            };
            print(buf, row.x, row.y, row.width, &title, theme.style(part));
            let at = row
                .right()
                .saturating_sub(width(&number) as u16)
                .max(row.x + width(&title) as u16);
            print(buf, at, row.y, row.width, &number, theme.style(Part::LineNumber));
        }
    }
}
