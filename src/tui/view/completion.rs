//! The names that are offered, above the composer.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use super::super::app::{App, Focus};
use super::super::completion::fuzzy::Found;
use super::super::format;
use super::super::text::{cells, clip, clusters, print, width};
use super::super::theme::{Part, Theme};
use super::Areas;

/// Rows of names.
pub const ROWS: u16 = 8;
/// From this width on there are tokens.
const TOKENS_FROM: usize = 24;
/// Columns between a name and what it is.
const GAP: u16 = 2;
/// Columns before a name: as the composer's prompt.
const MARGIN: usize = 2;

/// What is offered, or found in the history.
struct List<'a> {
    found: &'a [Found],
    chosen: usize,
    /// Of a long name, the end says more than the beginning.
    shows_end: bool,
}

fn list(app: &App) -> Option<List<'_>> {
    if let Some(search) = &app.composer.search {
        return Some(List {
            found: search.found(),
            chosen: search.chosen(),
            shows_end: false,
        });
    }
    app.completion.offer.as_ref().map(|offer| List {
        found: &offer.found,
        chosen: offer.chosen,
        shows_end: true,
    })
}

/// Where they are: over the last rows of the transcript; empty if nothing is offered or there is no room.
pub fn area(app: &App, areas: &Areas) -> Rect {
    let over = areas.transcript;
    let names = list(app).map_or(0, |list| list.found.len());
    let height = (names.min(usize::from(ROWS)) as u16).min(over.height);
    if height == 0 || areas.composer.is_empty() || app.focus() != Focus::Composer {
        return Rect::default();
    }
    Rect {
        y: over.bottom() - height,
        height,
        ..over
    }
}

/// Which of them a place of the screen is at.
pub fn at(app: &App, areas: &Areas, at: Position) -> Option<usize> {
    let area = area(app, areas);
    let list = list(app).filter(|_| area.contains(at))?;
    Some(first(list.chosen, area) + usize::from(at.y - area.y))
}

/// The first name in view.
fn first(chosen: usize, area: Rect) -> usize {
    (chosen + 1).saturating_sub(usize::from(area.height))
}

pub fn draw(app: &App, areas: &Areas, buf: &mut Buffer) {
    let area = area(app, areas);
    let Some(list) = list(app).filter(|_| !area.is_empty()) else {
        return;
    };
    let theme = &app.setup.theme;
    for position in area.positions() {
        buf[position].reset();
    }
    buf.set_style(area, theme.style(Part::Background));
    let first = first(list.chosen, area);
    let in_view = first..list.found.len().min(first + usize::from(area.height));
    let columns = Columns::of(&list.found[in_view.clone()], usize::from(area.width));
    for (line, index) in area.rows().zip(in_view) {
        let found = &list.found[index];
        if list.shows_end {
            draw_name(found, &columns, line, buf, theme);
        } else {
            draw_beginning(found, &columns, line, buf, theme);
        }
        draw_about(found, &columns, line, buf, theme);
        if index == list.chosen {
            buf.set_style(line, theme.style(Part::Cursor));
        }
    }
}

/// Widths of the names and of their tokens; these stand beside the longest name.
struct Columns {
    margin: usize,
    names: usize,
    tokens: usize,
}

impl Columns {
    fn of(found: &[Found], room: usize) -> Self {
        let tokens = found.iter().map(|found| width(&tokens(found))).max().unwrap_or(0);
        let tokens = if room >= TOKENS_FROM { tokens } else { 0 };
        let names = found.iter().map(|found| width(&found.name)).max().unwrap_or(0);
        let margin = MARGIN.min(room.saturating_sub(1));
        Self {
            margin,
            names: names.min(room.saturating_sub(margin + tokens)),
            tokens,
        }
    }
}

fn tokens(found: &Found) -> String {
    let tokens = found.tokens.map(|tokens| format::counted(tokens, "token"));
    tokens.map_or_else(String::new, |tokens| format!("  {tokens} "))
}

fn draw_name(found: &Found, columns: &Columns, line: Rect, buf: &mut Buffer, theme: &Theme) {
    buf.set_style(line, theme.style(Part::Candidate));
    let mut x = line.x + columns.margin as u16;
    let at = x + columns.names as u16;
    if columns.tokens > 0 {
        let tokens = tokens(found);
        let at = at + (columns.tokens - width(&tokens)) as u16;
        print(
            buf,
            at,
            line.y,
            line.right().saturating_sub(at),
            &tokens,
            theme.style(Part::Status),
        );
    }
    let room = columns.names;
    // The end of a long name says more than its beginning.
    let mut hidden = width(&found.name).saturating_sub(room);
    if hidden > 0 && room > 0 {
        x = print(buf, x, line.y, 1, "…", theme.style(Part::Detail));
        hidden += 1;
    }
    let mut matched = found.matched.iter().copied().peekable();
    for (index, (_, cluster)) in clusters(&found.name).enumerate() {
        let is_matched = matched.next_if_eq(&index).is_some();
        if hidden > 0 {
            hidden = hidden.saturating_sub(cells(cluster, 0));
            continue;
        }
        let part = if is_matched {
            Part::CandidateMatch
        } else {
            Part::Candidate
        };
        x = print(buf, x, line.y, at.saturating_sub(x), cluster, theme.style(part));
    }
}

/// A name of which the beginning says more than the end.
fn draw_beginning(found: &Found, columns: &Columns, line: Rect, buf: &mut Buffer, theme: &Theme) {
    buf.set_style(line, theme.style(Part::Candidate));
    let mut x = line.x + columns.margin as u16;
    let end = x + columns.names as u16;
    let shown = clip(&found.name, columns.names);
    for (index, (_, cluster)) in clusters(&shown).enumerate() {
        let part = if found.matched.binary_search(&index).is_ok() {
            Part::CandidateMatch
        } else {
            Part::Candidate
        };
        x = print(buf, x, line.y, end.saturating_sub(x), cluster, theme.style(part));
    }
}

/// What it is, beside the names.
fn draw_about(found: &Found, columns: &Columns, line: Rect, buf: &mut Buffer, theme: &Theme) {
    let x = line.x + (columns.margin + columns.names + columns.tokens) as u16 + GAP;
    let room = line.right().saturating_sub(x);
    if !found.about.is_empty() && room > GAP {
        let about = clip(found.about, usize::from(room));
        print(buf, x, line.y, room, &about, theme.style(Part::Status));
    }
}
