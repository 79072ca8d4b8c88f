//! Rows on the page: what stands before them, and the room that it leaves.

use super::super::page::{Ink, PageMark, Place, blanks, columns, rest, slice, wrap};
use super::{Carry, Container, Reader};
use crate::tui::text::width;
use crate::tui::theme::Part;
use crate::tui::transcript::Parts;

impl Reader<'_> {
    /// What stands before every row here, and how wide it is; the marks of items only once.
    fn margin(&mut self) -> Vec<Ink> {
        let mut margin: Vec<Ink> = Vec::new();
        for container in &mut self.state.containers {
            match container {
                Container::Quote => {
                    margin.push(Ink::instead(0..0, "▎ ", Parts::default().with(Part::QuoteEdge)));
                }
                Container::Item {
                    marker, drawn: true, ..
                } => {
                    let wide = columns(self.source, marker);
                    margin.push(Ink::instead(0..0, blanks(wide), Parts::default()));
                }
                Container::Item { marker, drawn, .. } => {
                    margin.extend(marker.iter().cloned());
                    *drawn = true;
                }
            }
        }
        let (mut wide, room) = (columns(self.source, &margin), self.width / 2);
        while wide > room {
            let first = margin.remove(0);
            wide -= width(first.text(self.source));
        }
        margin
    }

    /// Columns that are left for text.
    pub(super) fn room(&self) -> usize {
        let mut reserve = 0;
        let mut widths = Vec::new();
        for container in &self.state.containers {
            match container {
                Container::Quote => widths.push(2),
                Container::Item {
                    marker, drawn: true, ..
                } => widths.push(columns(self.source, marker)),
                Container::Item { marker, .. } => {
                    widths.extend(marker.iter().map(|ink| width(ink.text(self.source))));
                }
            }
        }
        for wide in widths.into_iter().rev() {
            if reserve + wide > self.width / 2 {
                break;
            }
            reserve += wide;
        }
        (self.width - reserve).max(1)
    }

    /// Lays out a line; `first` and `others` come before its first row and the others.
    pub(super) fn lay(&mut self, from: usize, inks: &[Ink], first: &[Ink], others: &[Ink]) {
        self.lay_rows(from, inks, first, others);
    }

    /// Lays out a line that goes on; its last rows, which may still change, are returned and not laid out.
    pub(super) fn lay_but_last(&mut self, from: usize, inks: Vec<Ink>, first: &[Ink], others: &[Ink]) -> Carry {
        let before = self.page.mark();
        let containers = self.state.containers.clone();
        let begins = self.lay_rows(from, &inks, first, others);
        let Some(&(begin, keep, from)) = begins.iter().rev().nth(1).filter(|_| begins.len() > 2) else {
            self.page.truncate(before);
            self.state.containers = containers;
            return Carry { from, inks };
        };
        self.page.truncate(keep);
        Carry {
            from,
            inks: rest(&inks, begin),
        }
    }

    /// Lays out a line, and returns where its rows begin: in the inks, on the page, in the source.
    fn lay_rows(&mut self, from: usize, inks: &[Ink], first: &[Ink], others: &[Ink]) -> Vec<(Place, PageMark, usize)> {
        let edge = columns(self.source, first);
        let room = self.room().saturating_sub(edge).max(1);
        let places = wrap(self.source, inks, room);
        let mut begins = Vec::with_capacity(places.len());
        for (row, &place) in places.iter().enumerate() {
            let start = match inks.get(place.ink) {
                _ if row == 0 => from,
                Some(ink) if ink.instead.is_none() => ink.at.start + place.byte,
                Some(ink) => ink.at.start,
                None => from,
            };
            begins.push((place, self.page.mark(), start));
            let drawn = slice(self.source, inks, place, places.get(row + 1).copied());
            self.put(start, start, if row == 0 { first } else { others }, drawn);
        }
        begins
    }

    pub(super) fn put(&mut self, from: usize, start: usize, edge: &[Ink], inks: Vec<Ink>) {
        let margin = self.margin();
        self.page.begin(from, start);
        self.page.add(margin);
        self.page.add(edge.iter().cloned());
        self.page.add(inks);
    }
}
