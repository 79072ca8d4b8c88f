//! The list of themes, over the right of the screen: what is behind it is what they are looked at with.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use super::super::app::App;
use super::super::text::{clip, print, width};
use super::super::theme::Part;

/// Columns of the list, if there are so many.
const COLUMNS: u16 = 44;
/// Rows for what is written and for the keys.
const FRAME: u16 = 2;
const KEYS: &str = "Enter keeps · Esc goes back";

/// Where the list is; empty if it is not open.
fn area(app: &App) -> Rect {
    let Some(picker) = &app.themes.picker else {
        return Rect::default();
    };
    let wide = COLUMNS.min(app.size.width);
    // As many rows as there could be, so that it stays where it is while names are written.
    let high = (picker.most() as u16).saturating_add(FRAME).min(app.size.height);
    Rect {
        x: app.size.width - wide,
        y: 0,
        width: wide,
        height: high,
    }
}

/// The rows that are in view, and the first of them.
fn window(app: &App, area: Rect) -> (usize, usize) {
    let rows = usize::from(area.height.saturating_sub(FRAME)).max(1);
    let at = app.themes.picker.as_ref().map_or(0, |picker| picker.at);
    ((at + 1).saturating_sub(rows), rows)
}

/// The row of the list at a place of the screen.
pub fn row_at(app: &App, at: Position) -> Option<usize> {
    let area = area(app);
    let (first, rows) = window(app, area);
    let row = usize::from(at.y.checked_sub(area.y + 1)?);
    let count = app.themes.picker.as_ref()?.rows().len();
    (area.contains(at) && row < rows && first + row < count).then_some(first + row)
}

pub fn draw(app: &App, buf: &mut Buffer) -> Option<Position> {
    let picker = app.themes.picker.as_ref()?;
    let area = area(app);
    if area.is_empty() {
        return None;
    }
    let theme = &app.setup.theme;
    for position in area.positions() {
        buf[position].reset();
    }
    buf.set_style(area, theme.style(Part::Background));
    buf.set_style(area, theme.style(Part::Candidate));
    let room = usize::from(area.width);
    let mut print_row =
        |y: u16, text: &str, part: Part| print(buf, area.x, y, area.width, &clip(text, room), theme.style(part));
    let title = format!(" theme: {}", picker.filter);
    print_row(area.y, &title, Part::HelpTitle);
    let (first, rows) = window(app, area);
    for (row, choice) in picker.rows().enumerate().skip(first).take(rows) {
        let y = area.y + 1 + (row - first) as u16;
        if y >= area.bottom() {
            break;
        }
        let (about, part) = match &choice.theme {
            Ok(_) => (choice.about.as_str(), Part::Candidate),
            Err(message) => (message.lines().next().unwrap_or_default(), Part::Error),
        };
        let mark = if row == picker.at { '▸' } else { ' ' };
        let text = format!("{mark} {:12} {about}", choice.name);
        print_row(y, &text, if row == picker.at { Part::Cursor } else { part });
    }
    if picker.rows().len() == 0 && area.height > 1 {
        print_row(area.y + 1, "  none is like this", Part::Detail);
    }
    if area.height > FRAME {
        print_row(area.bottom() - 1, &format!(" {KEYS}"), Part::Detail);
    }
    let x = area.x + (width(&title) as u16).min(area.width.saturating_sub(1));
    Some(Position::new(x, area.y))
}
