//! Where everything is on the screen, and drawing it.
//!
//! From the top: transcript, queued questions, one line of progress, a rule, the composer, the status line. With little
//! room they go in the order status, rule, progress, queue; the composer is always there. Every area is a pure function
//! of the application's state and size, so that the mouse and the drawing agree.

pub mod help;
mod progress;
mod status;

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use super::app::App;
use super::format;
use super::text::{clip, print, width};
use super::theme::Part;

/// Queued questions that are shown.
const QUEUE: usize = 3;
/// From this width on the composer has a prompt.
const PROMPT_FROM: u16 = 8;
const PROMPT: &str = "❯ ";
const PLACEHOLDER: &str = "Ask about the documents";

/// The areas of the screen; empty where there is no room or nothing to show.
#[derive(Debug, Clone, Copy, Default)]
pub struct Areas {
    pub transcript: Rect,
    pub queue: Rect,
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

#[must_use]
pub fn areas(app: &App) -> Areas {
    let (width, height) = (app.size.width, app.size.height);
    if width == 0 || height == 0 {
        return Areas::default();
    }
    let wanted = app.composer.layout(field_width(width)).0.count();
    let composer = wanted.min(usize::from((height / 3).max(1))) as u16;
    let mut left = height - composer;
    let mut take = |wanted: u16, keep: u16| {
        let rows = if left >= wanted + keep { wanted } else { 0 };
        left -= rows;
        rows
    };
    let status = take(1, 1);
    let rule = take(1, 2);
    let progress = take(u16::from(progress::line(app, usize::from(width)).is_some()), 2);
    let queue = take(app.queue.len().min(QUEUE) as u16, 3);
    let mut y = 0;
    let mut next = |rows: u16| {
        let area = Rect {
            x: 0,
            y,
            width,
            height: rows,
        };
        y += rows;
        area
    };
    Areas {
        transcript: next(left),
        queue: next(queue),
        progress: next(progress),
        rule: next(rule),
        composer: next(composer),
        status: next(status),
    }
}

/// Draws everything, and returns where the cursor is to be.
pub fn draw(app: &mut App, area: Rect, buf: &mut Buffer) -> Option<Position> {
    buf.set_style(area, app.setup.theme.style(Part::Background));
    let areas = areas(app);
    if areas.composer.is_empty() {
        return None;
    }
    if let Some(viewer) = &app.viewer {
        let hint = app.is_leaving().then_some("Ctrl-C again leaves");
        let cursor = viewer.draw(area, buf, &app.setup.theme, hint);
        if app.help.is_some() {
            help::draw(app, area, buf);
            return None;
        }
        return cursor;
    }
    app.transcript.draw(areas.transcript, buf, &app.setup.theme, app.now);
    draw_queue(app, areas.queue, buf);
    progress::draw(app, areas.progress, buf);
    draw_rule(app, &areas, buf);
    let cursor = draw_composer(app, areas.composer, buf);
    status::draw(app, areas.status, buf);
    if app.help.is_some() {
        help::draw(app, area, buf);
        return None;
    }
    Some(cursor)
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

/// The line above the composer; filled as far as the work is done, with the pill at its right.
fn draw_rule(app: &mut App, areas: &Areas, buf: &mut Buffer) {
    let area = areas.rule;
    let theme = &app.setup.theme;
    if !area.is_empty() {
        let wide = usize::from(area.width);
        let filled = progress::share(app)
            .map_or(0, |share| (share * wide as f64).round() as usize)
            .min(wide);
        let x = print(
            buf,
            area.x,
            area.y,
            area.width,
            &"━".repeat(filled),
            theme.style(Part::Bar),
        );
        print(
            buf,
            x,
            area.y,
            area.width,
            &"─".repeat(wide - filled),
            theme.style(Part::Rule),
        );
    }
    if let (Some(pill), Some(text)) = (pill_area(app, areas), pill(app)) {
        print(
            buf,
            pill.x,
            pill.y,
            pill.width,
            &text,
            app.setup.theme.style(Part::Pill),
        );
    }
}

/// ` ↓ 12 new lines · End `
fn pill(app: &mut App) -> Option<String> {
    let unseen = app.transcript.unseen();
    if app.transcript.is_following() || app.transcript.shows_end() {
        return None;
    }
    Some(match unseen {
        Some(0) | None => " ↓ End ".to_owned(),
        Some(new) => format!(" ↓ {} · End ", format::counted(new, "new line")),
    })
}

/// Where the pill is: on the rule, or on the last row of the transcript if there is no rule.
pub fn pill_area(app: &mut App, areas: &Areas) -> Option<Rect> {
    let text = pill(app)?;
    let line = if areas.rule.is_empty() {
        areas.transcript
    } else {
        areas.rule
    };
    if line.is_empty() {
        return None;
    }
    let wide = (width(&text) as u16).min(line.width);
    let x = line.right() - wide - u16::from(line.width > wide + 2) * 2;
    Some(Rect {
        x,
        y: line.bottom() - 1,
        width: wide,
        height: 1,
    })
}

fn draw_composer(app: &App, area: Rect, buf: &mut Buffer) -> Position {
    let theme = &app.setup.theme;
    let field = field_width(area.width);
    let x = area.x + (usize::from(area.width) - field) as u16;
    print(buf, area.x, area.y, x - area.x, PROMPT, theme.style(Part::Prompt));
    let (rows, row, column) = app.composer.layout(field);
    let height = usize::from(area.height);
    let first = (row + 1)
        .saturating_sub(height)
        .min(rows.count().saturating_sub(height));
    for (line, index) in area.rows().zip(first..rows.count()) {
        let text = &app.composer.text()[rows.range(index)];
        print(buf, x, line.y, field as u16, text, theme.style(Part::Composer));
    }
    if app.composer.is_empty() && area.width >= PROMPT_FROM {
        let text = clip(PLACEHOLDER, field.saturating_sub(1));
        print(buf, x, area.y, field as u16, &text, theme.style(Part::Placeholder));
    }
    Position::new(x + column as u16, area.y + (row - first) as u16)
}
