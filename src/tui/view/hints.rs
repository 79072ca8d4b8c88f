//! What can follow the chords that have been pressed: over the last rows of the conversation, in columns, page by page.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::app::{App, Focus};
use super::super::command::{self, Action};
use super::super::keymap::{Chord, written};
use super::super::text::{clip, print, width};
use super::super::theme::Part;
use super::Areas;

/// Columns of a hint, at least; and rows of hints before there is another column.
const COLUMN: u16 = 36;
const ROWS: usize = 8;

/// All that can follow, and where so many of them at a time are shown.
struct Layout {
    hints: Vec<(Chord, Option<Action>)>,
    area: Rect,
    columns: usize,
    /// Rows of hints, below the title.
    rows: usize,
}

impl Layout {
    fn new(app: &App, areas: &Areas) -> Self {
        let hints = app.setup.keymap.hints(&app.contexts(), &app.begun);
        let over = match app.focus() {
            Focus::Documents if areas.transcript.is_empty() => areas.documents,
            Focus::Inspector if areas.transcript.is_empty() => areas.inspector,
            _ => areas.transcript,
        };
        let columns = (hints.len().div_ceil(ROWS) as u16).min(over.width / COLUMN).max(1);
        let wanted = hints.len().div_ceil(usize::from(columns));
        let rows = wanted.min(usize::from(over.height.saturating_sub(1)));
        let high = (rows as u16 + 1).min(over.height);
        let area = Rect {
            y: over.bottom() - high,
            height: high,
            ..over
        };
        Self {
            hints,
            area,
            columns: usize::from(columns),
            rows,
        }
    }

    fn at_once(&self) -> usize {
        (self.columns * self.rows).max(1)
    }

    fn pages(&self) -> usize {
        self.hints.len().div_ceil(self.at_once()).max(1)
    }
}

/// How many pages there are of what can follow.
pub fn pages(app: &App) -> usize {
    Layout::new(app, &super::areas(app)).pages()
}

pub fn draw(app: &App, areas: &Areas, buf: &mut Buffer) {
    if app.begun.is_empty() {
        return;
    }
    let theme = &app.setup.theme;
    let layout = Layout::new(app, areas);
    let area = layout.area;
    for position in area.intersection(buf.area).positions() {
        buf[position].reset();
    }
    buf.set_style(area, theme.style(Part::Background));
    let mut rows = area.rows();
    let Some(title) = rows.next() else {
        return;
    };
    buf.set_style(area, theme.style(Part::Candidate));
    let page = app.hints_page.min(layout.pages() - 1);
    let from = page * layout.at_once();
    let shown = &layout.hints[from..(from + layout.at_once()).min(layout.hints.len())];
    let more = if layout.pages() > 1 {
        let (first, last, all) = (from + 1, from + shown.len(), layout.hints.len());
        format!(" {first}–{last} of {all} · PgDn more")
    } else {
        String::new()
    };
    let text = format!("{} …{more}", written(&app.begun));
    let text = clip(&text, usize::from(title.width));
    print(buf, title.x, title.y, title.width, &text, theme.style(Part::HelpTitle));
    let rows: Vec<Rect> = rows.collect();
    let column = area.width / layout.columns as u16;
    for (index, (chord, action)) in shown.iter().enumerate() {
        let (Some(row), at) = (rows.get(index % layout.rows.max(1)), index / layout.rows.max(1)) else {
            return;
        };
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
