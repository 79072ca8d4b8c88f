//! The line above what is written: how far the work is, what came of a key, and the way back to the end.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{Areas, PROMPT_FROM, areas, composer, progress};
use crate::tui::app::App;
use crate::tui::format;
use crate::tui::text::{clip, print, width};
use crate::tui::theme::Part;

/// Where the mode begins.
const MODE: u16 = 2;

/// The line above the composer; filled as far as the work is done, with the pill at its right.
pub fn draw(app: &mut App, areas: &Areas, buf: &mut Buffer) {
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
    let mut x = area.x;
    if let Some(mode) = mode(app, areas) {
        x = print(
            buf,
            x + MODE,
            area.y,
            area.right() - x,
            &mode,
            theme.style(Part::StatusStrong),
        );
    }
    if let Some(said) = app.said().filter(|_| !area.is_empty()) {
        let room = area.right().saturating_sub(x + 1);
        let said = clip(&format!(" {said} "), usize::from(room));
        print(buf, x + 1, area.y, room, &said, theme.style(Part::Notice));
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

/// ` normal `, if vim's keys are there.
fn mode(app: &App, areas: &Areas) -> Option<String> {
    composer::mode(app).filter(|_| areas.rule.width > PROMPT_FROM)
}

/// Columns on the rule for what came of a key, between the mode and the pill.
pub fn room(app: &mut App) -> usize {
    let areas = areas(app);
    let pill = pill_area(app, &areas).map_or(0, |pill| areas.rule.right().saturating_sub(pill.x));
    let mode = mode(app, &areas).map_or(0, |mode| MODE + width(&mode) as u16);
    usize::from(areas.rule.width.saturating_sub(pill + mode + 4))
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
