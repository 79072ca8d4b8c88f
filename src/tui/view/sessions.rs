//! The list of sessions: what was written, the sessions that are like it, and what the chosen one is.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect, Size};

use super::super::app::App;
use super::super::format;
use super::super::sessions::{Editing, Found, Picker, Progress, ago};
use super::super::text::{clean, clip, print, width};
use super::super::theme::Part;
use super::frame;

const WIDEST: u16 = 100;
const HIGHEST: u16 = 30;
/// Rows about the chosen session, where there is room.
const ABOUT: u16 = 4;
const ENOUGH: u16 = 12;
const KEYS: &str =
    "↑ ↓ choose · Enter goes on with it · alt-r title · alt-t tags · alt-d delete · alt-u undo · Esc closes";

/// Where the rows of the list are, with the index of the first.
fn rows(picker: &Picker, screen: Size) -> (Rect, usize) {
    let inner = frame::boxes(screen, WIDEST, HIGHEST).1;
    let about = if inner.height >= ENOUGH { ABOUT + 1 } else { 0 };
    let list = Rect {
        y: inner.y + 1,
        height: inner.height.saturating_sub(1 + about),
        ..inner
    };
    let first = (picker.chosen + 1).saturating_sub(usize::from(list.height).max(1));
    (list, first)
}

/// The row of the list at this place.
pub fn row_at(picker: &Picker, screen: Size, at: Position) -> Option<usize> {
    let (list, first) = rows(picker, screen);
    let row = first + usize::from(at.y.checked_sub(list.y)?);
    (list.contains(at) && row < picker.found.len()).then_some(row)
}

/// How many rows fit.
pub fn page(picker: &Picker, screen: Size) -> isize {
    isize::try_from(rows(picker, screen).0.height).unwrap_or(1).max(1)
}

pub fn draw(app: &App, picker: &Picker, area: Rect, buf: &mut Buffer) -> Position {
    let theme = &app.setup.theme;
    let boxes = frame::boxes(area.as_size(), WIDEST, HIGHEST);
    let title = title(picker);
    frame::draw(boxes, &title, KEYS, buf, theme);
    let inner = boxes.1;
    let (label, written) = match &picker.editing {
        None => ("❯ ", picker.written()),
        Some((Editing::Title, line)) => ("title: ", &**line),
        Some((Editing::Tags, line)) => ("tags: ", &**line),
    };
    let x = print(buf, inner.x, inner.y, inner.width, label, theme.style(Part::Prompt));
    let room = inner.right().saturating_sub(x);
    // The end of what is written shows where there is no room for all.
    let hidden = (width(written) + 1).saturating_sub(usize::from(room));
    let shown = written
        .char_indices()
        .map(|(at, _)| &written[at..])
        .find(|rest| width(written) - width(rest) >= hidden)
        .unwrap_or_default();
    let end = print(buf, x, inner.y, room, shown, theme.style(Part::Composer));
    let (list, first) = rows(picker, area.as_size());
    for (row, index) in list.rows().zip(first..picker.found.len()) {
        draw_row(app, picker, &picker.found[index], row, buf);
        if index == picker.chosen {
            buf.set_style(row, theme.style(Part::Cursor));
        }
    }
    if inner.bottom() > list.bottom() {
        draw_about(app, picker, list.bottom(), inner, buf);
    }
    Position::new(end.min(inner.right().saturating_sub(1)), inner.y)
}

/// `12 sessions`, `3 of 12 sessions`, `12 sessions and 40 of programs`
fn title(picker: &Picker) -> String {
    let (found, all, left_out) = (picker.found.len(), picker.all(), picker.left_out());
    let title = match (found, left_out) {
        (_, 0) if found == all => format::counted(all, "session"),
        (_, 0) => format!("{} of {}", format::count(found), format::counted(all, "session")),
        _ => format!(
            "{} and {} of programs",
            format::counted(found, "session"),
            format::count(left_out)
        ),
    };
    match picker.progress {
        Progress::Reading if all == 0 => "sessions: reading…".to_owned(),
        Progress::Reading => format!("{title}, reading what is new…"),
        Progress::Done => title,
    }
}

fn draw_row(app: &App, picker: &Picker, found: &Found, row: Rect, buf: &mut Buffer) {
    let theme = &app.setup.theme;
    let session = picker.session(found);
    let when = ago(session.wall, picker.now);
    let mark = if picker.current.as_deref() == Some(&*session.name) {
        "● "
    } else if session.forked.is_some() {
        "⑂ "
    } else {
        "  "
    };
    let tags: String = session
        .tags
        .iter()
        .fold(String::new(), |tags, tag| tags + " #" + &clean(tag));
    let right = width(&when) as u16 + 1;
    let room = usize::from(row.width.saturating_sub(right));
    let text = clip(&format!("{mark}{}{tags}", clean(&session.title)), room);
    let x = print(buf, row.x, row.y, room as u16, &text, theme.style(Part::Help));
    if let Some((turn, said)) = &found.said {
        let left = (row.x + room as u16).saturating_sub(x);
        let said = clip(&format!("  {turn}: {}", clean(said)), usize::from(left));
        print(buf, x, row.y, left, &said, theme.style(Part::Detail));
    }
    print(
        buf,
        row.right().saturating_sub(right - 1),
        row.y,
        right,
        &when,
        theme.style(Part::Detail),
    );
}

/// The chosen session, or what was done last.
fn draw_about(app: &App, picker: &Picker, y: u16, inner: Rect, buf: &mut Buffer) {
    let theme = &app.setup.theme;
    let rule = "─".repeat(usize::from(inner.width));
    print(buf, inner.x, y, inner.width, &rule, theme.style(Part::Rule));
    let mut lines = Vec::new();
    if let Some(session) = picker.chosen() {
        let paths = session.paths.join(" ");
        lines.push(format!("last asked: {}", session.last));
        lines.push(format!(
            "{} in {}: {}",
            format::counted(session.documents, "document"),
            crate::config::shown(std::path::Path::new(&session.folder)),
            paths
        ));
        let mut about = vec![
            session.name.clone(),
            format::counted(session.turns, "turn"),
            format::counted(session.tokens, "token"),
            session.model.clone(),
        ];
        if let Some((from, turn)) = &session.forked {
            about.push(format!("parted from {from} after {turn}"));
        }
        if session.broken_off {
            about.push("broken off".to_owned());
        }
        lines.push(about.join(" · "));
    } else if picker.progress == Progress::Done {
        lines.push("no session is like that".to_owned());
    }
    lines.push(picker.told.clone());
    for (line, y) in lines.iter().zip(y + 1..inner.bottom()) {
        let text = clip(&clean(line), usize::from(inner.width));
        print(buf, inner.x, y, inner.width, &text, theme.style(Part::Detail));
    }
}
