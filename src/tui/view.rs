//! Where everything is on the screen, and drawing it.
//!
//! From the top: transcript, queued questions, what is planned, one line of progress, a rule, the
//! composer, the status line. With little room they go in the order status, rule, progress, queue; the composer is
//! always there. The documents stand to the left of all this but the status line, the inspector to the right; where there is no room for
//! that, and only while one of them has the keys, in its place, with what is planned and the status line below. Every area is a pure function
//! of the application's state and size, so that the mouse and the drawing agree.

pub mod completion;
pub mod composer;
mod frame;
pub mod help;
pub mod hints;
mod palette;
pub mod plan;
mod progress;
pub mod rule;
mod search;
pub mod sessions;
mod status;
pub mod themes;

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use super::app::{App, Focus};
use super::text::{clip, print};
use super::theme::Part;

/// Queued questions that are shown.
const QUEUE: usize = 3;
/// From this width on the composer has a prompt.
const PROMPT_FROM: u16 = 8;
const PROMPT: &str = "❯ ";
/// From this width on the documents stand beside the transcript.
const SIDE_FROM: u16 = 100;
/// Columns of the documents there, with the line that parts them.
const SIDE: std::ops::RangeInclusive<u16> = 32..=60;

/// The areas of the screen; empty where there is no room or nothing to show.
#[derive(Debug, Clone, Copy, Default)]
pub struct Areas {
    pub documents: Rect,
    pub inspector: Rect,
    pub transcript: Rect,
    pub queue: Rect,
    pub plan: Rect,
    pub progress: Rect,
    pub rule: Rect,
    pub composer: Rect,
    pub status: Rect,
}

/// Columns that the composer's text has.
#[must_use]
pub fn field_width(width: u16) -> usize {
    let prompt = if width >= PROMPT_FROM {
        PROMPT.chars().count() as u16
    } else {
        0
    };
    usize::from(width - prompt)
}

/// From this width on both panes do.
const BOTH_FROM: u16 = 140;
/// Columns of the line beside it, with a space.
const EDGE: u16 = 2;
/// Columns of the inspector over the conversation.
const OVER: u16 = 100;
/// Columns of the inspector there.
const INSPECTOR: std::ops::RangeInclusive<u16> = 32..=56;

/// Columns that a pane beside the conversation has at least, and the conversation.
const SIDE_LEAST: u16 = 20;
const MAIN_LEAST: u16 = 40;

/// Columns of the documents and of the inspector beside the conversation.
pub fn side_widths(app: &App) -> (u16, u16) {
    let wide = app.size.width;
    let (mut documents, mut inspector) = (app.documents.shown, app.inspector.shown);
    if wide < SIDE_FROM {
        return (0, 0);
    }
    if wide < BOTH_FROM && documents && inspector {
        documents = app.beside == Focus::Documents;
        inspector = !documents;
    }
    let part = if documents && inspector { 4 } else { 3 };
    let columns = |shown: bool, range: std::ops::RangeInclusive<u16>, wanted: Option<u16>, taken: u16| {
        let usual = (wide / part).clamp(*range.start(), *range.end());
        let most = (wide - MAIN_LEAST).saturating_sub(taken).max(SIDE_LEAST);
        u16::from(shown) * wanted.unwrap_or(usual).clamp(SIDE_LEAST, most)
    };
    let least = u16::from(inspector) * SIDE_LEAST;
    let documents = columns(documents, SIDE, app.widths.documents, least);
    (
        documents,
        columns(inspector, INSPECTOR, app.widths.inspector, documents),
    )
}

/// Columns of the transcript and the composer.
#[must_use]
pub fn main_width(app: &App) -> u16 {
    let (documents, inspector) = side_widths(app);
    app.size.width - documents - inspector
}

/// The pane that stands in the place of the conversation, where there is room for one only.
fn covering(app: &App) -> Option<Focus> {
    let (documents, inspector) = side_widths(app);
    let beside = match app.focus() {
        Focus::Documents => documents,
        Focus::Inspector if app.inspector.over => return None,
        Focus::Inspector => inspector,
        Focus::Composer | Focus::Conversation => return None,
    };
    (beside == 0).then(|| app.focus())
}

/// Whether a pane stands in the place of the conversation.
#[must_use]
pub fn is_covered(app: &App) -> bool {
    covering(app).is_some()
}

#[must_use]
pub fn areas(app: &App) -> Areas {
    let (left_side, right_side) = side_widths(app);
    let (side, width, height) = (left_side, main_width(app), app.size.height);
    if width == 0 || height == 0 {
        return Areas::default();
    }
    let covering = covering(app);
    let covered = covering.is_some();
    let wanted = composer::rows(app);
    let composer = wanted.min(usize::from((height / 3).max(1))) as u16;
    let composer = if covered { 0 } else { composer };
    let mut left = height - composer;
    let mut take = |wanted: u16, keep: u16| {
        let rows = if left >= wanted + keep { wanted } else { 0 };
        left -= rows;
        rows
    };
    let status = take(1, 1);
    let rule = take(u16::from(!covered), 2);
    let progress = take(u16::from(progress::line(app, usize::from(width)).is_some()), 2);
    let plan = plan::lines(app, usize::from(width)).len().min(usize::from(height / 2)) as u16;
    let room = height - composer - status - rule - progress;
    let plan = take(plan.min(room.saturating_sub(1)), 1);
    let queued = if covered { 0 } else { app.queue.len().min(QUEUE) };
    let queue = take(queued as u16, 3);
    let mut y = 0;
    let mut next = |rows: u16| {
        let area = Rect {
            x: side,
            y,
            width,
            height: rows,
        };
        y += rows;
        area
    };
    let top = next(left);
    let beside = |x: u16, width: u16| Rect {
        x,
        y: 0,
        width,
        height: height - status,
    };
    let (mut documents, mut inspector) = (beside(0, left_side), beside(side + width, right_side));
    let edge = EDGE.min(inspector.width);
    (inspector.x, inspector.width) = (inspector.x + edge, inspector.width - edge);
    let mut transcript = top;
    match covering {
        Some(Focus::Documents) => documents = top,
        Some(_) => inspector = top,
        None => {}
    }
    if covered {
        transcript.height = 0;
    }
    if app.inspector.over {
        inspector = over(app).1;
    }
    Areas {
        documents,
        inspector,
        transcript,
        queue: next(queue),
        plan: next(plan),
        progress: next(progress),
        rule: next(rule),
        composer: next(composer),
        status: Rect {
            x: 0,
            width: app.size.width,
            ..next(status)
        },
    }
}

/// The inspector where it lies over the conversation, and the part of it that has content.
fn over(app: &App) -> (Rect, Rect) {
    let size = app.size;
    frame::boxes(size, OVER, size.height.saturating_sub(2))
}

/// Draws everything, and returns where the cursor is to be.
pub fn draw(app: &mut App, area: Rect, buf: &mut Buffer) -> Option<Position> {
    let cursor = draw_below(app, area, buf);
    if app.themes.picker.is_some() {
        themes::draw(app, buf)
    } else {
        cursor
    }
}

/// Everything but the list of themes, which may be over anything.
fn draw_below(app: &mut App, area: Rect, buf: &mut Buffer) -> Option<Position> {
    buf.set_style(area, app.setup.theme.style(Part::Background));
    let areas = areas(app);
    if app.size.width == 0 || app.size.height == 0 {
        return None;
    }
    if let Some(viewer) = &app.viewer {
        let hint = app.is_leaving().then_some("Ctrl-C again leaves").or(app.said());
        let cursor = viewer.draw(area, buf, &app.setup.theme, hint);
        return draw_over(app, area, buf, cursor);
    }
    if let Some(compare) = &mut app.compare {
        super::compare::draw(compare, &app.transcript, app.now, buf, &app.setup.theme);
        status::draw(app, areas.status, buf);
        hints::draw(app, &areas, buf);
        return draw_over(app, area, buf, None);
    }
    let written = draw_documents(app, &areas, buf);
    let filtered = if app.inspector.over {
        None
    } else {
        draw_inspector(app, &areas, buf)
    };
    app.transcript.draw(
        areas.transcript,
        buf,
        &app.setup.theme,
        app.thinking_account(),
        &app.search,
    );
    draw_queue(app, areas.queue, buf);
    plan::draw(app, areas.plan, buf);
    progress::draw(app, areas.progress, buf);
    rule::draw(app, &areas, buf);
    search::draw_pill(app, &areas, buf);
    let cursor = (!areas.composer.is_empty()).then(|| composer::draw(app, areas.composer, buf));
    status::draw(app, areas.status, buf);
    completion::draw(app, &areas, buf);
    hints::draw(app, &areas, buf);
    if let Some(ledger) = &app.ledger {
        ledger.draw(ledger_area(app), buf, &app.setup.theme);
    }
    let filtered = if app.inspector.over {
        let title = "outline";
        frame::draw(
            over(app),
            title,
            "Enter shows it · / filters · Esc closes",
            buf,
            &app.setup.theme,
        );
        draw_inspector(app, &areas, buf)
    } else {
        filtered
    };
    let cursor = match app.focus() {
        _ if app.ledger.is_some() => None,
        Focus::Composer => cursor,
        Focus::Documents => written,
        Focus::Inspector => filtered,
        Focus::Conversation => reading_cursor(app, areas.transcript),
    };
    draw_over(app, area, buf, cursor)
}

/// Where the reading cursor is on the screen.
fn reading_cursor(app: &mut App, area: Rect) -> Option<Position> {
    let (row, column) = app.transcript.cursor().filter(|_| !area.is_empty())?;
    Some(Position {
        x: area.x + (column as u16).min(area.width - 1),
        y: area.y + (row as u16).min(area.height - 1),
    })
}

/// Where the ledger is: over the conversation and the panes beside it.
pub fn ledger_area(app: &App) -> Rect {
    let areas = areas(app);
    let bottom = areas
        .transcript
        .bottom()
        .max(areas.documents.bottom().min(areas.rule.y));
    Rect {
        x: 0,
        y: 0,
        width: app.size.width,
        height: bottom,
    }
}

/// What lies over everything, if something does. Returns where the cursor is; `below`, if nothing does.
fn draw_over(app: &App, area: Rect, buf: &mut Buffer, below: Option<Position>) -> Option<Position> {
    if app.help.is_some() {
        help::draw(app, area, buf);
        return None;
    }
    if let (None, Some(picker)) = (&app.palette, &app.picker) {
        return Some(sessions::draw(app, picker, area, buf));
    }
    match (&app.palette, app.search.prompt()) {
        (Some(palette), _) => palette::draw(app, palette, area, buf),
        (None, Some(prompt)) => Some(search::draw(app, prompt, area, buf)),
        (None, None) => below,
    }
}

/// The pane, and the line between it and the transcript. Where the cursor is if something is written in it.
fn draw_documents(app: &App, areas: &Areas, buf: &mut Buffer) -> Option<Position> {
    let theme = &app.setup.theme;
    let mut area = areas.documents;
    if side_widths(app).0 > 0 && !area.is_empty() {
        area.width -= 1;
        draw_edge(area.right(), area, buf, app);
    }
    super::documents::draw(&app.documents, area, buf, theme)
}

/// The inspector, and the line between the transcript and it. Where the cursor is if something is written in it.
fn draw_inspector(app: &mut App, areas: &Areas, buf: &mut Buffer) -> Option<Position> {
    let area = areas.inspector;
    if area.is_empty() {
        return None;
    }
    if !app.inspector.over && side_widths(app).1 > 0 {
        let edge = Rect {
            x: area.x - EDGE,
            ..area
        };
        draw_edge(edge.x, edge, buf, app);
    }
    let reading = app.reading(area);
    let (theme, account) = (&app.setup.theme, app.thinking_account());
    super::inspector::draw(
        &app.inspector,
        &app.transcript,
        reading.as_ref(),
        account,
        area,
        buf,
        theme,
    )
}

/// A line from the top of an area to its bottom.
fn draw_edge(x: u16, area: Rect, buf: &mut Buffer, app: &App) {
    for y in area.top()..area.bottom() {
        print(buf, x, y, 1, "│", app.setup.theme.style(Part::Rule));
    }
}

fn draw_queue(app: &App, area: Rect, buf: &mut Buffer) {
    let hidden = app.queue.len().saturating_sub(usize::from(area.height));
    for (row, question) in area.rows().zip(app.queue.iter()) {
        let more = if row.y + 1 == area.bottom() && hidden > 0 {
            format!(" (and {hidden} more)")
        } else {
            String::new()
        };
        let line = question.lines().next().unwrap_or_default();
        let text = clip(&format!("⋯ queued: {line}{more}"), usize::from(area.width));
        print(buf, row.x, row.y, row.width, &text, app.setup.theme.style(Part::Detail));
    }
}
