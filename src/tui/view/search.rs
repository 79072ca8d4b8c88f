//! The prompt of a search, the documents in which it was found, and what is searched for when the prompt is closed.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use super::super::app::App;
use super::super::format;
use super::super::search::{Prompt, Search};
use super::super::text::{clean, clip, clip_start, print, width};
use super::super::theme::Part;
use super::Areas;

/// Rows of documents.
const ROWS: usize = 10;
/// From this width on the line of the first match is shown beside its document.
const LINES_FROM: u16 = 60;
/// Bytes of it that are looked at.
const LINE: usize = 400;

/// The prompt, in the last row of the screen. Returns where the cursor is to be.
pub fn draw(app: &App, prompt: &Prompt, area: Rect, buf: &mut Buffer) -> Position {
    let theme = &app.setup.theme;
    let line = Rect {
        y: area.bottom().saturating_sub(1),
        height: 1,
        ..area
    };
    draw_documents(
        app,
        prompt,
        Rect {
            height: area.height.saturating_sub(1),
            ..area
        },
        buf,
    );
    for position in line.positions() {
        buf[position].reset();
    }
    buf.set_style(line, theme.style(Part::Background));
    buf.set_style(line, theme.style(Part::StatusStrong));
    let room = usize::from(line.width);
    let (told, part) = match app.search.wrong() {
        Some(wrong) => (vec![wrong.to_owned()], Part::Error),
        None => (told(&app.search), Part::Status),
    };
    let scope = app.search.scope.name();
    // The keys go first, then the scope, then the number.
    let hinted = [&told[..], &[scope.to_owned(), "Tab".to_owned()]].concat();
    let scoped = [&told[..], &[scope.to_owned()]].concat();
    let candidates = [hinted, scoped, told, Vec::new()];
    let fits = |items: &&Vec<String>| width(&items.join(" · ")) + width(prompt.text()).min(room / 3) + 4 <= room;
    let right = candidates
        .iter()
        .find(fits)
        .map_or_else(String::new, |items| items.join(" · "));
    let left_room = room.saturating_sub(width(&right) + 2).max(room.min(2));
    let left = clip_start(&format!("/{}", prompt.text()), left_room.saturating_sub(1));
    let x = print(buf, line.x, line.y, line.width, &left, theme.style(Part::StatusStrong));
    let at = line.right() - width(&right) as u16;
    print(buf, at, line.y, line.right() - at, &right, theme.style(part));
    Position::new(x.min(line.right().saturating_sub(1)), line.y)
}

/// The number of matches, and where the last step went around.
fn told(search: &Search) -> Vec<String> {
    let around = search.around().map(str::to_owned);
    let count = Some(search.count()).filter(|count| !count.is_empty());
    around.into_iter().chain(count).collect()
}

/// The documents that have matches, with their number and the line of the first one.
fn draw_documents(app: &App, prompt: &Prompt, area: Rect, buf: &mut Buffer) {
    let theme = &app.setup.theme;
    let all = app.search.documents();
    let pack = app.pack();
    let height = all.len().min(ROWS).min(usize::from(area.height / 2));
    let area = Rect {
        y: area.bottom() - height as u16,
        height: height as u16,
        ..area
    };
    for position in area.positions() {
        buf[position].reset();
    }
    buf.set_style(area, theme.style(Part::Background));
    buf.set_style(area, theme.style(Part::Candidate));
    let first = (prompt.chosen + 1).saturating_sub(height);
    let names = all.iter().skip(first).take(height);
    let widest = names
        .clone()
        .filter_map(|&text| pack.documents.get(text))
        .map(|document| width(&document.path));
    let column = widest.max().unwrap_or(0).min(usize::from(area.width / 2));
    for (row, (index, &text)) in area.rows().zip(names.enumerate()) {
        let Some(document) = pack.documents.get(text) else {
            continue;
        };
        let found = app.search.matches_in(text);
        let name = clip_start(&clean(&document.path), column);
        let x = print(
            buf,
            row.x + 1,
            row.y,
            row.width - 1,
            &name,
            theme.style(Part::Candidate),
        );
        let x = x + (column - width(&name)) as u16;
        let count = format!("{:>7}  ", format::count(found.len()));
        let room = row.right().saturating_sub(x);
        let x = print(buf, x, row.y, room, &count, theme.style(Part::Status));
        if let Some(first) = found.first().filter(|_| row.width >= LINES_FROM) {
            let from = document.text[..first.start].rfind('\n').map_or(0, |at| at + 1);
            let from = from.max(document.text.ceil_char_boundary(first.start.saturating_sub(LINE / 8)));
            let to = document
                .text
                .floor_char_boundary((from + LINE).min(document.text.len()));
            let line = document.text[from..to].lines().next().unwrap_or_default();
            let room = row.right().saturating_sub(x);
            print(
                buf,
                x,
                row.y,
                room,
                &clip(line.trim(), usize::from(room)),
                theme.style(Part::Detail),
            );
        }
        if first + index == prompt.chosen {
            buf.set_style(row, theme.style(Part::Cursor));
        }
    }
}

/// ` /needle 17/312 ` on the rule, while there are marks and no prompt.
pub fn draw_pill(app: &App, areas: &Areas, buf: &mut Buffer) {
    let (search, line) = (&app.search, areas.rule);
    let Some(pattern) = search.pattern().filter(|_| !search.is_prompting() && !line.is_empty()) else {
        return;
    };
    let told = told(search).join(" · ");
    let room = usize::from(line.width).saturating_sub(width(&told) + 8) / 2;
    let text = format!(" /{} {told} ", clip(&clean(pattern.written()), room));
    let x = line.x + u16::from(line.width > 4) * 2;
    print(
        buf,
        x,
        line.y,
        line.right() - x,
        &text,
        app.setup.theme.style(Part::Pill),
    );
}
