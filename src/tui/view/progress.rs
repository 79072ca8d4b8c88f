//! The line above the composer: how far reading has come.

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::activity::Phase;
use super::super::app::App;
use super::super::format;
use super::super::text::{clip, print, width};
use super::super::theme::Part;
use crate::conversation::Loading;
use crate::engine::Prefill;

/// Shorter prefills do not show a line: it would only flicker.
const PATIENCE: Duration = Duration::from_millis(250);

/// The text of the line, if there is one to show.
pub fn line(app: &App, room: usize) -> Option<String> {
    match app.activity.phase() {
        Phase::Loading(loading) => Some(fitting(&loading_items(loading), room)),
        Phase::Prefill(prefill) if app.activity.lasted(app.now) >= PATIENCE => {
            Some(fitting(&prefill_items(app, prefill), room))
        }
        _ => None,
    }
}

/// How much is done, from 0 to 1, while something with an end is running.
pub fn share(app: &App) -> Option<f64> {
    let (done, total) = match app.activity.phase() {
        Phase::Loading(loading) => (loading.files, loading.total_files),
        Phase::Prefill(prefill) if app.activity.lasted(app.now) >= PATIENCE => (prefill.done, prefill.total),
        _ => return None,
    };
    (total > 0).then(|| (done as f64 / total as f64).clamp(0.0, 1.0))
}

pub fn draw(app: &App, area: Rect, buf: &mut Buffer) {
    if let Some(text) = line(app, usize::from(area.width)) {
        print(
            buf,
            area.x,
            area.y,
            area.width,
            &text,
            app.setup.theme.style(Part::Progress),
        );
    }
}

/// An item and how soon it is left out when there is no room; 0 stays.
type Item = (usize, String);

fn loading_items(loading: Loading) -> Vec<Item> {
    vec![
        (
            0,
            format!(
                "loading {} / {}",
                format::count(loading.files),
                format::counted(loading.total_files, "file")
            ),
        ),
        (1, format!("{} tokens", format::count(loading.tokens))),
    ]
}

/// `prefill 412,672 / 903,104 (46%) · 38,112 cached · 9.8K tok/s · ETA 0:52`
fn prefill_items(app: &App, prefill: Prefill) -> Vec<Item> {
    let share = format::percent(prefill.done, prefill.total);
    let mut items = vec![(
        0,
        format!(
            "prefill {} / {} ({share}%)",
            format::count(prefill.done),
            format::count(prefill.total)
        ),
    )];
    if prefill.cached > 0 {
        items.push((3, format!("{} cached", format::count(prefill.cached))));
    }
    items.extend(format::rate(prefill.rate).map(|rate| (2, rate)));
    items.extend(
        app.activity
            .remaining(app.now)
            .map(|left| (1, format!("ETA {}", format::clock(left)))),
    );
    items
}

/// As many items as there is room for.
fn fitting(items: &[Item], room: usize) -> String {
    let most = items.iter().map(|&(rank, _)| rank).max().unwrap_or(0);
    for limit in (0..=most).rev() {
        let kept: Vec<_> = items
            .iter()
            .filter(|&&(rank, _)| rank <= limit)
            .map(|(_, text)| text.as_str())
            .collect();
        let text = kept.join(" · ");
        if width(&text) <= room || limit == 0 {
            return clip(&text, room);
        }
    }
    String::new()
}
