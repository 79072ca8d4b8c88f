//! Drawing of thinking: its header, the marks before its rows, and how sure the model was of each token.

use std::ops::Range;
use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::format;
use super::super::text::{cells, clip, clusters, print, width};
use super::super::theme::{Part, Theme};
use super::{Block, Fold, Thought};
use crate::conversation::Verdict;
use crate::trace::{Segment, Trace};

/// Certain tokens in a row from which on they are told: a loop may have begun.
const RUN: usize = 200;
/// From this width on the header tells the mean entropy.
const ENTROPY_FROM: usize = 72;
/// Mean probability of the tokens of a row, at least, and what stands before it: the less sure, the thinner.
const SURE: [(f64, &str); 4] = [(0.9, "│"), (0.75, "┆"), (0.5, "┊"), (0.0, "·")];
/// The same of one token, and what it looks like when the heat is shown.
const HEAT: [(f32, Part); 5] = [
    (0.9, Part::Heat1),
    (0.7, Part::Heat2),
    (0.5, Part::Heat3),
    (0.25, Part::Heat4),
    (0.0, Part::Heat5),
];

/// What stands for how sure the model was of these tokens.
pub fn sureness(trace: &Trace, tokens: &Range<usize>) -> &'static str {
    if tokens.is_empty() {
        return SURE[0].1;
    }
    let mean = trace.mean(tokens).probability;
    SURE.iter()
        .find(|(least, _)| mean >= *least)
        .map_or("·", |(_, mark)| mark)
}

/// The columns before a row of text: where a segment begins and whether it is folded, whether it turns there, and how
/// sure the model was.
pub fn draw_gutter(block: &Block, row: usize, area: Rect, buf: &mut Buffer, theme: &Theme) {
    let (Some(thought), Some(range)) = (block.thought(), block.text_range(row)) else {
        return;
    };
    let segment = match block.segment_begins(row) {
        Some((_, true)) => "▸",
        Some((_, false)) if thought.trace.segment_count() > 1 => "▾",
        _ => " ",
    };
    let turn = if block.turns_in(row) { "↺" } else { " " };
    let sure = sureness(&thought.trace, &thought.trace.tokens_in(&range));
    let header = theme.style(Part::ThinkingHeader);
    let marks = match area.width {
        0 => return,
        1..4 if turn != " " => [(turn, header), (" ", header), (" ", header)],
        1..4 if segment == "▸" => [(segment, header), (" ", header), (" ", header)],
        1..4 => [(sure, theme.style(Part::Thinking)), (" ", header), (" ", header)],
        _ => [(segment, header), (turn, header), (sure, theme.style(Part::Thinking))],
    };
    for (x, (mark, style)) in (area.left()..area.right()).zip(marks) {
        print(buf, x, area.y, 1, mark, style);
    }
}

/// What stands after the title of a folded segment: ` · 120 tok · 0:04 · 2 ↺`; with little room, less of it.
pub fn folded(segment: &Segment, room: usize) -> String {
    joined(String::new(), folded_items(segment), room / 2)
}

fn folded_items(segment: &Segment) -> impl Iterator<Item = String> {
    let turns = segment.turns.len();
    [
        Some(format!("{} tok", format::count(segment.tokens.len()))),
        Some(format::duration(segment.took)),
        (turns > 0).then(|| format!("{turns} ↺")),
    ]
    .into_iter()
    .flatten()
}

/// Colours every token of a row by its probability; `area` is where the text is.
pub fn draw_heat(block: &Block, row: usize, area: Rect, buf: &mut Buffer, theme: &Theme) {
    let Some(trace) = block.thought().map(|thought| &thought.trace) else {
        return;
    };
    if matches!(block.segment_begins(row), Some((_, true))) {
        return;
    }
    for piece in block.pieces(row) {
        let mut token = trace.token_at(piece.at.start);
        let mut column = 0;
        for (at, cluster) in clusters(piece.text) {
            let wide = cells(cluster, column);
            let at = piece.at.start + at;
            while token.is_some_and(|token| trace.token_bytes(token).end <= at) {
                token = token.map(|token| token + 1).filter(|&token| token < trace.tokens());
            }
            let Some(token) = token.filter(|_| column + wide <= usize::from(area.width)) else {
                return;
            };
            let probability = trace.probability(token);
            let part = HEAT
                .iter()
                .find(|(least, _)| probability >= *least)
                .map_or(Part::Heat5, |(_, part)| *part);
            let cell = Rect {
                x: area.x + column as u16,
                width: wide as u16,
                ..area
            };
            buf.set_style(cell, theme.style(part));
            column += wide;
        }
    }
}

/// What the header tells beside the thought.
#[derive(Debug, Clone, Copy, Default)]
pub struct Account {
    /// The application's clock.
    pub now: Duration,
    /// Most tokens of a thought, and of certain tokens in a row; 0 if there is no limit.
    pub budget: usize,
    pub loop_guard: usize,
}

/// `▾ thinking 0:42 · 1,248/80,000 tok · 31 tok/s · 7 seg · 3 ↺`, `▸ thought 0.8 s · 38 tok`; the end is left out where there
/// is no room.
pub fn header(thought: &Thought, fold: Fold, account: Account, width: usize) -> String {
    let trace = &thought.trace;
    let arrow = if fold == Fold::Folded { "▸" } else { "▾" };
    let head = match thought.took {
        Some(took) => format!("{arrow} thought {}", format::duration(took)),
        None => format!(
            "{arrow} thinking {}",
            format::duration(account.now.saturating_sub(thought.began))
        ),
    };
    joined(head, header_items(thought, trace, account, width), width)
}

fn header_items(thought: &Thought, trace: &Trace, account: Account, width: usize) -> impl Iterator<Item = String> {
    let count = format::count;
    let live = thought.is_live();
    let budget = if live && account.budget > 0 {
        format!("/{}", count(account.budget))
    } else {
        String::new()
    };
    let verdicts = thought
        .citations
        .iter()
        .map(|citation| citation.verdict == Verdict::Verified);
    let verified = verdicts.filter(|&verified| verified).count();
    let doubtful = thought.citations.len() - verified;
    let some = |number: usize, mark: &str| (number > 0).then(|| format!("{} {mark}", count(number)));
    let run = trace.certain();
    let guard = if account.loop_guard > 0 {
        format!("/{}", count(account.loop_guard))
    } else {
        String::new()
    };
    let segments = trace.segment_count();
    let all = 0..trace.tokens();
    [
        Some(format!("{}{budget} tok", count(trace.tokens()))),
        live.then(|| format::rate(thought.rate)).flatten(),
        (live && run >= RUN).then(|| format!("{}{guard} certain in a row", count(run))),
        (segments > 1).then(|| format!("{} seg", count(segments))),
        some(trace.turns().len(), "↺"),
        some(verified, "✓"),
        some(doubtful, "?"),
        (!all.is_empty() && width >= ENTROPY_FROM).then(|| format!("{:.2} nats", trace.mean(&all).entropy)),
    ]
    .into_iter()
    .flatten()
}

/// `head · item · item`, as many as there is room for.
fn joined(head: String, items: impl Iterator<Item = String>, room: usize) -> String {
    let mut out = head;
    for item in items {
        let longer = format!("{out} · {item}");
        if width(&longer) > room {
            break;
        }
        out = longer;
    }
    clip(&out, room)
}
