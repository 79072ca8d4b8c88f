//! The last line: model and what it runs on, what it is doing, how full the context is and of what, how fast it goes, what
//! the next question has to wait for, and what Esc or Ctrl-C would do.

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::activity::Phase;
use super::super::app::{App, Focus};
use super::super::format;
use super::super::text::{print, width};
use super::super::theme::Part;
use crate::trace::Channel;

/// What takes longer has its time shown, as a sign of life.
const PATIENCE: Duration = Duration::from_secs(1);
/// So many tokens are worth saying even if nobody knows how long they take.
const WORTH_SAYING: usize = 1_000;
const SEPARATOR: &str = " · ";

pub fn draw(app: &App, area: Rect, buf: &mut Buffer) {
    if area.is_empty() {
        return;
    }
    let room = usize::from(area.width);
    let model = app.setup.model.clone();
    let phase = match app.unkept() {
        Some(why) => format!("{why}{SEPARATOR}{}", phase(app)),
        None => phase(app),
    };
    let place = app.setup.placement.clone();
    let (parts, context, short_context) = context(app);
    let (next, short_next) = next_question(app);
    let rate = format::rate(app.activity.rate()).unwrap_or_default();
    let hint = hint(app);

    // From the most to the least; the first that fits is shown. What Ctrl-C is about to do stays longest.
    let urgent: (&[&str], &str) = if app.is_leaving() {
        (&[], hint)
    } else {
        (&[&phase, &short_context], "")
    };
    let candidates: [(&[&str], &str); 13] = [
        (&[&model, &place, &phase, &parts, &rate, &next], hint),
        (&[&model, &phase, &parts, &rate, &next], hint),
        (&[&model, &phase, &context, &rate, &next], hint),
        (&[&model, &phase, &short_context, &rate, &next], hint),
        (&[&phase, &short_context, &rate, &next], hint),
        (&[&phase, &short_context, &short_next], hint),
        (&[&phase, &short_context, &short_next], ""),
        (&[&phase, &short_context, &rate], hint),
        (&[&phase, &short_context], hint),
        (&[&phase], hint),
        urgent,
        (&[&phase], ""),
        (&[], ""),
    ];
    for (items, hint) in candidates {
        let items: Vec<_> = items.iter().copied().filter(|item| !item.is_empty()).collect();
        let gap = if items.is_empty() || hint.is_empty() { 0 } else { 2 };
        if width(&items.join(SEPARATOR)) + gap + width(hint) <= room {
            draw_items(app, &items, &phase, hint, area, buf);
            return;
        }
    }
}

fn draw_items(app: &App, items: &[&str], phase: &str, hint: &str, area: Rect, buf: &mut Buffer) {
    let theme = &app.setup.theme;
    let mut x = area.x;
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            x = print(buf, x, area.y, area.right() - x, SEPARATOR, theme.style(Part::Status));
        }
        let part = if *item == phase {
            Part::StatusStrong
        } else {
            Part::Status
        };
        x = print(buf, x, area.y, area.right() - x, item, theme.style(part));
    }
    let at = area.right() - width(hint) as u16;
    let part = if app.is_leaving() {
        Part::StatusStrong
    } else {
        Part::Status
    };
    print(buf, at, area.y, area.width, hint, theme.style(part));
}

fn phase(app: &App) -> String {
    let name = match app.activity.phase() {
        _ if app.activity.is_cancelling() => "cancelling",
        Phase::Starting => "starting",
        Phase::Loading(_) => "loading",
        Phase::Preparing => "preparing",
        Phase::Prefill(_) => "prefill",
        Phase::Replying(Channel::Thinking) => "thinking",
        Phase::Replying(Channel::Answer) => "answering",
        Phase::Ready if app.activity.has_documents() => return "ready".to_owned(),
        Phase::Ready => return "no documents".to_owned(),
        Phase::Ended => return "ended".to_owned(),
    };
    let lasted = app.activity.lasted(app.now);
    // A reply is seen to grow.
    if lasted < PATIENCE || matches!(app.activity.phase(), Phase::Replying(_)) {
        name.to_owned()
    } else {
        format!("{name} {}", format::clock(lasted))
    }
}

/// `ctx 41,233/1,048,576 (4%) · docs 39K · chat 2.1K`, `ctx 41,233/1,048,576 (4%)`, `ctx 4%`
fn context(app: &App) -> (String, String, String) {
    let (whole, share) = match app.activity.context() {
        (0, None) => return (String::new(), String::new(), String::new()),
        (used, None) => {
            let used = format!("ctx {}", format::count(used));
            (used.clone(), used)
        }
        (used, Some(limit)) => {
            let share = format::percent(used, limit);
            (
                format!("ctx {}/{} ({share}%)", format::count(used), format::count(limit)),
                format!("ctx {share}%"),
            )
        }
    };
    let (documents, chat) = app.activity.parts();
    let parts = format!(
        "{whole} · docs {} · chat {}",
        format::short(documents),
        format::short(chat)
    );
    (parts, whole, share)
}

/// `next question: 41,200 tok ≈ 0:04`, `next question: 41,200 tok`; nothing if it need not wait.
fn next_question(app: &App) -> (String, String) {
    let tokens = app.activity.unread();
    let time = app.activity.prefill_time(tokens);
    if tokens < WORTH_SAYING && time.is_none_or(|time| time < PATIENCE) {
        return (String::new(), String::new());
    }
    let short = format!("next question: {} tok", format::count(tokens));
    let long = match time {
        Some(time) => format!("{short} ≈ {}", format::duration(time)),
        None => short.clone(),
    };
    (long, short)
}

fn hint(app: &App) -> &'static str {
    if app.is_leaving() {
        "Ctrl-C again leaves"
    } else if app.help.is_some() {
        "Esc closes"
    } else if app.search.is_prompting() {
        "Enter keeps · Esc back"
    } else if app.compare.is_some() || app.ledger.is_some() {
        "Enter goes · Esc closes"
    } else if app.focus() == Focus::Documents {
        "? keys · Tab back"
    } else if app.composer.search.is_some() {
        "Enter takes · Esc back"
    } else if app.activity.is_cancelling() {
        "Ctrl-C leaves"
    } else if app.activity.is_busy() {
        "Esc cancels"
    } else if app.focus() == Focus::Conversation {
        "? keys · i writes"
    } else if app.focus() == Focus::Inspector {
        "? keys · Esc back"
    } else if app.composer.is_empty() {
        "? help · Ctrl-D leave"
    } else {
        "Enter sends · F1 help"
    }
}
