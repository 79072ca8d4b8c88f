//! The field that questions are written in, or what one looks for in the history.

use std::ops::Range;

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use super::super::app::App;
use super::super::composer::vim::Mode;
use super::super::text::{clip, print, width};
use super::super::theme::Part;
use super::{Areas, PROMPT, PROMPT_FROM, field_width};

/// Before what one looks for in the history.
const SEARCH: &str = "find: ";
/// The prompt while characters are commands.
const COMMANDED: &str = "❮ ";

/// What stands there before anything is written.
fn placeholder(app: &App) -> &'static str {
    if app.setup.paths.is_empty() && app.pack().documents.is_empty() {
        "Ask, or /load documents"
    } else {
        "Ask about the documents"
    }
}

/// As many rows as it would have.
pub fn rows(app: &App) -> usize {
    match &app.composer.search {
        Some(_) => 1,
        None => app.composer.rows().count(),
    }
}

pub fn draw(app: &App, area: Rect, buf: &mut Buffer) -> Position {
    let theme = &app.setup.theme;
    let x = text_x(area);
    let prompt = if app.composer.is_commanded() { COMMANDED } else { PROMPT };
    print(buf, area.x, area.y, x - area.x, prompt, theme.style(Part::Prompt));
    if let Some(search) = &app.composer.search {
        return draw_search(app, search.query(), area, buf);
    }
    let shown = shown(app, area);
    for (line, row) in area.rows().zip(shown.clone()) {
        draw_row(
            app,
            row,
            Rect {
                x,
                width: area.right() - x,
                ..line
            },
            buf,
        );
    }
    let arrow = area.right().saturating_sub(1);
    // The text does not reach there.
    if shown.start > 0 {
        print(buf, arrow, area.y, 1, "↑", theme.style(Part::Detail));
    }
    if shown.end < app.composer.rows().count() {
        print(buf, arrow, area.bottom() - 1, 1, "↓", theme.style(Part::Detail));
    }
    let field = area.right() - x;
    if app.composer.is_empty() && area.width >= PROMPT_FROM {
        let text = clip(placeholder(app), usize::from(field).saturating_sub(1));
        print(buf, x, area.y, field, &text, theme.style(Part::Placeholder));
    }
    let (row, column) = app.composer.place();
    Position::new(x + column as u16, area.y + (row - shown.start) as u16)
}

fn text_x(area: Rect) -> u16 {
    area.right() - field_width(area.width) as u16
}

/// The rows in view: with the cursor's.
fn shown(app: &App, area: Rect) -> Range<usize> {
    let (count, height) = (app.composer.rows().count(), usize::from(area.height));
    let first = (app.composer.place().0 + 1).saturating_sub(height);
    first..count.min(first + height)
}

fn draw_row(app: &App, row: usize, line: Rect, buf: &mut Buffer) {
    let theme = &app.setup.theme;
    let range = app.composer.rows().range(row);
    let text = &app.composer.text()[range.clone()];
    print(buf, line.x, line.y, line.width, text, theme.style(Part::Composer));
    let mut mark = |marked: Range<usize>, part: Part| {
        let columns = |offset: usize| (width(&text[..offset - range.start]) as u16).min(line.width);
        let (from, to) = (columns(marked.start), columns(marked.end));
        // A line end that is selected is seen.
        let to = if text.ends_with('\n') && marked.end == range.end {
            (to + 1).min(line.width)
        } else {
            to
        };
        let area = Rect {
            x: line.x + from,
            width: to.saturating_sub(from),
            ..line
        };
        buf.set_style(area, theme.style(part));
    };
    app.composer.chips_in(row).for_each(|chip| mark(chip, Part::Chip));
    if let Some(selected) = app.composer.selected_in(row) {
        mark(selected, Part::Selection);
    }
}

fn draw_search(app: &App, query: &str, area: Rect, buf: &mut Buffer) -> Position {
    let theme = &app.setup.theme;
    let right = area.right();
    let mut x = text_x(area);
    if area.width >= PROMPT_FROM * 3 {
        x = print(buf, x, area.y, right - x, SEARCH, theme.style(Part::Placeholder));
    }
    // The end of a long query says what is being written.
    let room = usize::from(right - x).saturating_sub(1);
    let mut from = 0;
    while width(&query[from..]) > room {
        from = query[from..]
            .chars()
            .next()
            .map_or(query.len(), |c| from + c.len_utf8());
    }
    let end = print(buf, x, area.y, right - x, &query[from..], theme.style(Part::Composer));
    Position::new(end.min(right.saturating_sub(1)), area.y)
}

/// The row and the column of the text that a place of the screen is at.
pub fn place(app: &App, areas: &Areas, at: Position) -> Option<(usize, usize)> {
    let area = areas.composer;
    area.contains(at).then(|| {
        let row = shown(app, area).start + usize::from(at.y - area.y);
        (row, usize::from(at.x.saturating_sub(text_x(area))))
    })
}

/// What vim's keys are for now and what of a command has been written, on the rule.
pub fn mode(app: &App) -> Option<String> {
    let name = match app.composer.mode()? {
        Mode::Insert => return None,
        Mode::Normal => "normal",
        Mode::Visual => "visual",
        Mode::Lines => "visual lines",
    };
    let begun = app.composer.begun();
    let space = if begun.is_empty() { "" } else { " " };
    Some(format!(" {name}{space}{begun} "))
}
