//! Drawing the rows in view, and nothing else.

use std::ops::Range;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::super::format;
use super::super::links::{Link, Mark, Target};
use super::super::search::Search;
use super::super::text::{clip, print, width};
use super::super::theme::{Part, Theme};
use super::thinking::{draw_gutter, draw_heat, folded as folded_account, header};
use super::{Account, Block, Fold, Kind, Level, Place, Row, Spot, Transcript, citation_text};
use crate::conversation::Verdict;

/// Longest line of text: longer ones are hard to read.
const MEASURE: u16 = 120;
/// From this width on there is a scroll bar.
const SCROLLBAR_FROM: u16 = 24;

/// The columns that text gets of a transcript this wide.
pub fn text_width(width: u16) -> usize {
    let bar = if width >= SCROLLBAR_FROM { 2 } else { 0 };
    usize::from((width - bar).clamp(1, MEASURE))
}

impl Transcript {
    /// `account` is for what is live. Widths must have been set by [`Transcript::resize`].
    pub fn draw(&mut self, area: Rect, buf: &mut Buffer, theme: &Theme, account: Account, search: &Search) {
        let area = area.intersection(buf.area);
        if area.is_empty() {
            return;
        }
        let mut place = self.first();
        for y in area.top()..area.bottom() {
            place = self.down(place, 0);
            let Some(block) = self.blocks.get(place.block) else {
                break;
            };
            let line = Rect {
                y,
                height: 1,
                width: (self.width as u16).min(area.width),
                ..area
            };
            draw_row(
                block,
                place.row,
                self.selected == Some(place.block),
                line,
                buf,
                theme,
                account,
            );
            draw_colours(block, place.row, line, buf, theme);
            if self.heat {
                let margin = block.margin(usize::from(line.width)) as u16;
                let text = Rect {
                    x: line.x + margin,
                    width: line.width - margin,
                    ..line
                };
                draw_heat(block, place.row, text, buf, theme);
            }
            if block.past {
                buf.set_style(line, theme.style(Part::Past));
            }
            if self
                .turn
                .is_some_and(|turn| turn.block == place.block && block.row_of(turn.spot) == place.row)
            {
                let width = block.margin(usize::from(line.width)) as u16;
                buf.set_style(Rect { width, ..line }, theme.style(Part::Selected));
            }
            let link = self.link.filter(|link| link.block == place.block);
            draw_marks(block, place.row, link.map(|link| link.spot), line, buf, theme);
            draw_matches(block, place, search, line, buf, theme);
            if let Some(range) = self.selected_in(place.block) {
                draw_selection(block, place.row, &range, line, buf, theme);
            }
            place.row += 1;
        }
        self.draw_scrollbar(area, buf, theme);
    }

    fn draw_scrollbar(&mut self, area: Rect, buf: &mut Buffer, theme: &Theme) {
        let thumb = self.thumb(area).unwrap_or_default();
        for at in thumb.positions() {
            print(buf, at.x, at.y, 1, "▐", theme.style(Part::Scrollbar));
        }
    }

    /// What of the scroll bar stands for the rows in view; none if there is no bar.
    pub fn thumb(&mut self, area: Rect) -> Option<Rect> {
        let view = usize::from(area.height);
        let (before, total) = self.position()?;
        if view == 0 || area.width < SCROLLBAR_FROM || total <= view {
            return None;
        }
        let thumb = (view * view / total).max(1);
        let travel = view - thumb;
        let top = (before * travel).div_ceil(total - view).min(travel);
        Some(Rect {
            x: area.right() - 1,
            y: area.y + top as u16,
            width: 1,
            height: thumb as u16,
        })
    }

    /// Scrolls such that the bar's thumb begins so many rows below its highest place.
    pub fn scroll_to_share(&mut self, area: Rect, top: u16) {
        let (Some(thumb), Some((_, total))) = (self.thumb(area), self.position()) else {
            return;
        };
        let travel = usize::from(area.height - thumb.height);
        let most = total - usize::from(area.height);
        if usize::from(top) >= travel {
            self.follow();
        } else {
            self.scroll_to(most * usize::from(top) / travel);
        }
    }
}

fn draw_row(block: &Block, row: usize, selected: bool, line: Rect, buf: &mut Buffer, theme: &Theme, account: Account) {
    let margin = block.margin(usize::from(line.width)) as u16;
    let first = row == usize::from(!matches!(block.row(0), Row::Text(_) | Row::Header));
    let text = |buf: &mut Buffer, text: &str, style: Style| {
        print(buf, line.x + margin, line.y, line.width - margin, text, style)
    };
    let mark = |buf: &mut Buffer, mark: &str, style: Style| print(buf, line.x, line.y, margin, mark, style);
    match (block.row(row), &block.kind) {
        (Row::Header, Kind::Thinking(thought)) => {
            let style = if selected {
                theme.style(Part::Selected)
            } else {
                theme.style(Part::ThinkingHeader)
            };
            let header = header(thought, block.fold(), account, usize::from(line.width));
            print(buf, line.x, line.y, line.width, &header, style);
        }
        (Row::Gap | Row::Header, _) => {}
        (Row::Hidden(rows), _) => {
            let style = theme.style(Part::Thinking);
            let more = clip(
                &format!("⋮ {} above", format::counted(rows, "line")),
                usize::from(line.width - margin),
            );
            text(buf, &more, style);
        }
        (Row::Cited(citation), _) => {
            let part = match citation.verdict {
                Verdict::Verified => Part::Verified,
                Verdict::Unverified { .. } => Part::Unverified,
            };
            text(
                buf,
                &clip(&citation_text(citation), usize::from(line.width - margin)),
                theme.style(part),
            );
        }
        (Row::Text(_), kind) => {
            let part = match kind {
                Kind::Notice(Level::Info) => Part::Notice,
                Kind::Notice(Level::Detail) => Part::Detail,
                Kind::Notice(Level::Error) => Part::Error,
                Kind::Question => Part::Question,
                Kind::Thinking(_) => Part::Thinking,
                Kind::Answer => Part::Answer,
                Kind::Citation { verified: true } => Part::Verified,
                Kind::Citation { verified: false } => Part::Unverified,
            };
            let style = theme.style(part);
            match kind {
                Kind::Question if first => mark(buf, "❯ ", theme.style(Part::Prompt)),
                Kind::Notice(Level::Info) if first => mark(buf, "· ", style),
                Kind::Notice(Level::Error) if first => mark(buf, "! ", style),
                _ => line.x,
            };
            let folded = block
                .thought()
                .zip(block.segment_begins(row).filter(|(_, folded)| *folded));
            let segment = folded.and_then(|(thought, (number, _))| thought.trace.segment(number));
            let after = segment.map_or_else(String::new, |segment| {
                folded_account(&segment, usize::from(line.width - margin))
            });
            let end = line.right() - width(&after) as u16;
            let mut x = line.x + margin;
            let pieces = block.pieces(row);
            let wide: usize = pieces.iter().map(|piece| width(piece.text)).sum();
            let is_cut = !after.is_empty() && wide > usize::from(end.saturating_sub(x));
            let end = end.saturating_sub(u16::from(is_cut));
            for piece in pieces {
                let style = piece
                    .parts
                    .iter()
                    .fold(style, |style, part| style.patch(theme.style(part)));
                x = print(buf, x, line.y, end.saturating_sub(x), piece.text, style);
            }
            if is_cut {
                x = print(buf, x, line.y, line.right() - x, "…", theme.style(Part::Detail));
            }
            print(buf, x, line.y, line.right() - x, &after, theme.style(Part::Detail));
            if matches!(kind, Kind::Thinking(_)) {
                draw_gutter(block, row, Rect { width: margin, ..line }, buf, theme);
            }
        }
    }
}

/// Colours code. A cluster has one colour, and blanks that stand for a tab have the tab's.
fn draw_colours(block: &Block, row: usize, line: Rect, buf: &mut Buffer, theme: &Theme) {
    let colours = block.colours_in(row);
    if colours.is_empty() {
        return;
    }
    let margin = block.margin(usize::from(line.width)) as u16;
    let room = usize::from(line.width - margin);
    let mut colours = colours.iter().peekable();
    for cell in block.cells(row) {
        while colours.next_if(|(at, _)| at.end <= cell.at.start).is_some() {}
        let Some((_, part)) = colours.peek().filter(|(at, _)| at.start <= cell.at.start) else {
            continue;
        };
        let (from, to) = (cell.from.min(room) as u16, cell.to.min(room) as u16);
        let area = Rect {
            x: line.x + margin + from,
            width: to - from,
            ..line
        };
        buf.set_style(area, theme.style(*part));
    }
}

/// Marks what is searched for.
fn draw_matches(block: &Block, place: Place, search: &Search, line: Rect, buf: &mut Buffer, theme: &Theme) {
    let Some(bytes) = block.text_range(place.row) else {
        return;
    };
    let margin = block.margin(usize::from(line.width)) as u16;
    let room = usize::from(line.width - margin);
    for (found, current) in search.within(place.block, &bytes) {
        let part = if current { Part::MatchCurrent } else { Part::Match };
        for (from, to) in block.columns_of(place.row, found) {
            let (from, to) = (from.min(room) as u16, to.min(room) as u16);
            let area = Rect {
                x: line.x + margin + from,
                width: to - from,
                ..line
            };
            buf.set_style(area, theme.style(part));
        }
    }
}

/// What is selected of a row. An empty line has a column to be seen by, and a header stands for what it hides.
fn draw_selection(block: &Block, row: usize, range: &Range<usize>, line: Rect, buf: &mut Buffer, theme: &Theme) {
    let margin = block.margin(usize::from(line.width)) as u16;
    let text = Rect {
        x: line.x + margin,
        width: line.width - margin,
        ..line
    };
    let mut select = |area: Rect, from: usize, to: usize| {
        let room = usize::from(area.width);
        let (from, to) = (from.min(room) as u16, to.min(room) as u16);
        let part = Rect {
            x: area.x + from,
            width: to - from,
            ..area
        };
        buf.set_style(part, theme.style(Part::Selection));
    };
    let covers = |part: Range<usize>| !part.is_empty() && range.start <= part.start && part.end <= range.end;
    match block.row(row) {
        Row::Text(_) => {
            let columns = block.columns_of(row, range);
            let shows_nothing = columns.iter().all(|(from, to)| from == to);
            if shows_nothing && block.row_start(row).is_some_and(|start| range.contains(&start)) {
                select(text, 0, 1);
            }
            for (from, to) in columns {
                select(text, from, to);
            }
        }
        Row::Hidden(_) if covers(0..block.shown_text().start) => select(text, 0, usize::MAX),
        Row::Header if block.fold() == Fold::Folded && covers(0..block.source().len()) => select(line, 0, usize::MAX),
        _ => {}
    }
}

/// Marks what leads to a document, and what is not to be trusted. `selected` is the link that has been selected.
fn draw_marks(block: &Block, row: usize, selected: Option<Spot>, line: Rect, buf: &mut Buffer, theme: &Theme) {
    let margin = block.margin(usize::from(line.width)) as u16;
    let part = |link: &Link| match link.mark {
        Mark::Link(_) if selected == Some(Spot::Text(link.at.start)) => Part::LinkSelected,
        Mark::Link(_) => Part::Link,
        Mark::Doubtful => Part::Doubtful,
    };
    for (link, from, to) in block.marks(row) {
        let room = usize::from(line.width - margin);
        let (from, to) = (from.min(room), to.min(room));
        let area = Rect {
            x: line.x + margin + from as u16,
            width: (to - from) as u16,
            ..line
        };
        buf.set_style(area, theme.style(part(link)));
    }
    if let Row::Cited(citation) = block.row(row) {
        let here = selected.is_some_and(|spot| block.row_of(spot) == row && matches!(spot, Spot::Below(_)));
        let part = if here { Part::LinkSelected } else { Part::Link };
        let room = line.width - margin;
        let (from, place) = (2.min(room), format!("{}:{}", citation.path, citation.line));
        let area = Rect {
            x: line.x + margin + from,
            width: (width(&place) as u16).min(room - from),
            ..line
        };
        if Target::of(citation).is_some() {
            buf.set_style(area, theme.style(part));
        }
    }
}
