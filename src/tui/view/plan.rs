//! What is planned for the documents, with its price, above the composer.

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::app::App;
use super::super::app::plans::{Applying, excess};
use super::super::format;
use super::super::text::{clip, print, width};
use super::super::theme::Part;
use super::super::wrap::Rows;
use crate::conversation::{Change, Planned};

/// Names and refusals that are told, and rows that one of them may take.
pub const REFUSED: usize = 3;
const NAMED: usize = 3;
/// From this width on names are told.
const NAMES_FROM: usize = 30;

/// The rows, with how each looks.
pub fn lines(app: &App, room: usize) -> Vec<(Part, String)> {
    let plans = &app.plans;
    let mut lines = revising_lines(app, room);
    if let Some(changed) = plans.changed.as_ref().filter(|_| plans.applying.is_none()) {
        lines.extend(wrapped(Part::Changed, &changed_line(app, changed), "", room));
    }
    if let Some(since) = plans.working {
        let lasted = app.now.saturating_sub(since);
        let clock = match lasted.as_secs() {
            0 => String::new(),
            _ => format!(" {}", format::clock(lasted)),
        };
        let text = format!("⋯ working out what it costs to {}{clock}", in_words(&plans.change));
        lines.push((Part::Progress, clip(&text, room)));
    }
    if let Some(planned) = &plans.asked {
        lines.extend(asked_lines(app, planned, room));
    }
    let applying = plans.applying.map(|applying| match applying {
        Applying::Now => "⋯ changing the documents",
        Applying::AfterReply => "⋯ applied when the reply is done",
        Applying::Later => "⋯ applied when this is done",
    });
    lines.extend(applying.map(|text| (Part::Progress, clip(text, room))));
    lines
}

/// What is being had again: a question that is being written, or a price that waits for an answer.
fn revising_lines(app: &App, room: usize) -> Vec<(Part, String)> {
    let revising = &app.revising;
    if let Some((_, estimated)) = &revising.asked {
        let text = app.price(estimated);
        return wrapped(Part::Plan, &text, "Enter to go on, Esc to leave it", room);
    }
    if let Some((turn, _)) = &revising.editing {
        let text = format!("writing question {turn} again: sending it takes its place");
        return wrapped(Part::Plan, &text, "Esc to leave it", room);
    }
    Vec::new()
}

pub fn draw(app: &App, area: Rect, buf: &mut Buffer) {
    for (row, (part, text)) in area.rows().zip(lines(app, usize::from(area.width))) {
        print(buf, row.x, row.y, row.width, &text, app.setup.theme.style(part));
    }
}

/// A text, and behind it, or in rows of its own, what can be done.
fn wrapped(part: Part, text: &str, hint: &str, room: usize) -> Vec<(Part, String)> {
    let whole = format!("{text} — {hint}");
    let texts = match hint {
        "" => vec![text],
        _ if width(&whole) <= room => vec![whole.as_str()],
        _ => vec![text, hint],
    };
    let rows = texts.into_iter().flat_map(|text| {
        let rows = Rows::of(text, room.max(1));
        (0..rows.count()).map(move |row| text[rows.range(row)].trim_end().to_owned())
    });
    rows.map(|row| (part, row)).collect()
}

/// `add 3 files, remove 1: checkpoint at 41,233 of 53,633: replay 12,400 tokens, about 20 s — Enter to apply, Esc to forget`
fn asked_lines(app: &App, planned: &Planned, room: usize) -> Vec<(Part, String)> {
    let what = [
        ("add", planned.added.len()),
        ("remove", planned.removed.len()),
        ("read again", planned.changed.len()),
    ];
    let mut named = false;
    let what: Vec<_> = what
        .iter()
        .filter(|(_, n)| *n > 0)
        .map(|(verb, n)| {
            let n = if std::mem::replace(&mut named, true) {
                format::count(*n)
            } else {
                format::counted(*n, "file")
            };
            format!("{verb} {n}")
        })
        .collect();
    let what = what.join(", ");
    let mut lines = match excess(planned) {
        Some(excess) => wrapped(
            Part::Error,
            &format!(
                "{what}: {} tokens are {} more than the context has",
                format::count(planned.tokens),
                format::count(excess)
            ),
            "Esc to forget",
            room,
        ),
        None => wrapped(
            Part::Plan,
            &format!("{what}: {}", price(app, planned)),
            "Enter to apply, Esc to forget",
            room,
        ),
    };
    if room >= NAMES_FROM {
        for (sign, names) in [("+", &planned.added), ("-", &planned.removed), ("≠", &planned.changed)] {
            if !names.is_empty() {
                let text = format!(
                    "  {sign} {}",
                    some(names.iter().map(String::as_str), NAMED, names.len())
                );
                lines.push((Part::Detail, clip(&text, room)));
            }
        }
    }
    for skipped in planned.refused.iter().take(REFUSED) {
        let text = format!("  {} stays out: {}", skipped.path, skipped.reason);
        lines.push((Part::Detail, clip(&text, room)));
    }
    if let Some(more @ 1..) = planned.refused.len().checked_sub(REFUSED) {
        let text = format!("  {} more stay out", format::count(more));
        lines.push((Part::Detail, clip(&text, room)));
    }
    lines
}

/// `3 files changed: press r to reload; checkpoint at 41,233 of 53,633: replay 12,400 tokens, about 20 s`
fn changed_line(app: &App, planned: &Planned) -> String {
    let what = [
        (planned.changed.len(), "changed"),
        (planned.added.len(), "new"),
        (planned.removed.len(), "gone"),
    ];
    let mut named = false;
    let what: Vec<_> = what
        .iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, how)| {
            let n = if std::mem::replace(&mut named, true) {
                format::count(*n)
            } else {
                format::counted(*n, "file")
            };
            format!("{n} {how}")
        })
        .collect();
    let what = what.join(", ");
    match excess(planned) {
        Some(excess) => format!(
            "{what}: with them the documents would be {} too long",
            format::counted(excess, "token")
        ),
        None => format!("{what}: press r to reload; {}", price(app, planned)),
    }
}

/// `checkpoint at 41,233 of 53,633: replay 12,400 tokens, about 20 s`
fn price(app: &App, planned: &Planned) -> String {
    if planned.prefill == 0 {
        return "nothing to prefill".to_owned();
    }
    let known = planned.ms.map(Duration::from_millis);
    let time = app.activity.prefill_time(planned.prefill).or(known);
    let prompt = planned.prompt.max(planned.prefill);
    format::replay(prompt - planned.prefill, prompt, time)
}

/// `load a, b`, `read everything again`
fn in_words(change: &Change) -> String {
    let parts = [
        ("load", &change.load),
        ("unload", &change.unload),
        ("include", &change.include),
    ];
    let parts: Vec<_> = parts
        .iter()
        .filter(|(_, names)| !names.is_empty())
        .map(|(verb, names)| format!("{verb} {}", some(names.iter().map(String::as_str), NAMED, names.len())))
        .collect();
    if parts.is_empty() {
        return "read everything again".to_owned();
    }
    parts.join(", ")
}

/// `a, b, c and 4 more`
fn some<'n>(names: impl Iterator<Item = &'n str>, most: usize, all: usize) -> String {
    let named = names.take(most).collect::<Vec<_>>().join(", ");
    match all.saturating_sub(most) {
        0 => named,
        more => format!("{named} and {} more", format::count(more)),
    }
}
