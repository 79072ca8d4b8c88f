//! What can follow the chords that have been pressed: over the last rows of the conversation, in columns.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::app::{App, Focus};
use super::super::command;
use super::super::keymap::written;
use super::super::text::{clip, print, width};
use super::super::theme::Part;
use super::Areas;

/// Columns of a hint, at least; and rows of hints before there is another column.
const COLUMN: u16 = 36;
const ROWS: usize = 8;

pub fn draw(app: &App, areas: &Areas, buf: &mut Buffer) {
    if app.begun.is_empty() {
        return;
    }
    let theme = &app.setup.theme;
    let hints = app.setup.keymap.hints(&app.contexts(), &app.begun);
    let over = match app.focus() {
        Focus::Documents if areas.transcript.is_empty() => areas.documents,
        Focus::Inspector if areas.transcript.is_empty() => areas.inspector,
        _ => areas.transcript,
    };
    let columns = (hints.len().div_ceil(ROWS) as u16).min(over.width / COLUMN).max(1);
    let high = (hints.len().div_ceil(usize::from(columns)) as u16 + 1).min(over.height);
    let area = Rect {
        y: over.bottom() - high,
        height: high,
        ..over
    };
    for position in area.intersection(buf.area).positions() {
        buf[position].reset();
    }
    buf.set_style(area, theme.style(Part::Background));
    let mut rows = area.rows();
    let Some(title) = rows.next() else {
        return;
    };
    buf.set_style(area, theme.style(Part::Candidate));
    print(
        buf,
        title.x,
        title.y,
        title.width,
        &format!("{} …", written(&app.begun)),
        theme.style(Part::HelpTitle),
    );
    let rows: Vec<Rect> = rows.collect();
    let column = area.width / columns;
    for (index, (chord, action)) in hints.iter().enumerate() {
        let (Some(row), at) = (rows.get(index % rows.len().max(1)), index / rows.len().max(1)) else {
            return;
        };
        if at >= usize::from(columns) {
            return;
        }
        let x = row.x + at as u16 * column;
        let key = format!(" {chord} ");
        let text = x + width(&key).max(4) as u16;
        print(buf, x, row.y, column, &key, theme.style(Part::HelpKey));
        let room = (x + column).saturating_sub(text + 1);
        let help = action.map_or("…", |action| brief(command::of(action).help));
        print(
            buf,
            text,
            row.y,
            room,
            &clip(help, usize::from(room)),
            theme.style(Part::Candidate),
        );
    }
}

/// What a command does, without what is to be known besides.
fn brief(help: &str) -> &str {
    let end = help.find([';', ':', ',', '(']).unwrap_or(help.len());
    help[..end].trim_end()
}
