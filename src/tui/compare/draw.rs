//! Drawing of two thoughts side by side.

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::format;
use super::super::text::{clip, print, width};
use super::super::theme::{Part, Theme};
use super::super::transcript::{Thought, Transcript};
use super::{Compare, Line, Side};
use crate::trace::Pair;

/// What stands between two segments, and what it means.
const MARKS: [(&str, &str); 5] = [
    ("=", "the same"),
    ("~", "changed"),
    ("≠", "different"),
    ("<", "only left"),
    (">", "only right"),
];

/// Which of the marks a pair has.
fn mark(pair: &Pair) -> usize {
    match (pair.left, pair.right) {
        (Some(_), Some(_)) if pair.is_same() => 0,
        (Some(_), Some(_)) if pair.is_related() => 1,
        (Some(_), Some(_)) => 2,
        (Some(_), None) => 3,
        (None, _) => 4,
    }
}

pub fn draw(compare: &mut Compare, transcript: &Transcript, now: Duration, buf: &mut Buffer, theme: &Theme) {
    let area = compare.area.intersection(buf.area);
    for position in area.positions() {
        buf[position].reset();
    }
    buf.set_style(area, theme.style(Part::Background));
    let areas = compare.areas();
    for side in Side::BOTH {
        draw_title(compare, side, transcript, now, buf, theme);
    }
    draw_foot(compare, areas.foot, buf, theme);
    if compare.pairs.is_empty() {
        let row = areas.sides[compare.side as usize];
        let text = clip("nothing has been thought in either", usize::from(row.width));
        print(buf, row.x, row.y, row.width, &text, theme.style(Part::Detail));
        return;
    }
    let Line { mut pair, mut line } = compare.top;
    for row in areas.marks.rows() {
        let height = compare.height(pair, transcript);
        draw_line(compare, transcript, Line { pair, line }, row.y, buf, theme);
        line += 1;
        if line >= height {
            (pair, line) = (pair + 1, 0);
            if pair >= compare.pairs.len() {
                break;
            }
        }
    }
}

/// A line of a pair: of each side that shows, and what stands between.
fn draw_line(compare: &mut Compare, transcript: &Transcript, at: Line, y: u16, buf: &mut Buffer, theme: &Theme) {
    let areas = compare.areas();
    let Some(pair) = compare.pairs.get(at.pair).copied() else {
        return;
    };
    let part = if pair.is_same() { Part::Thinking } else { Part::Answer };
    for side in Side::BOTH {
        let area = areas.sides[side as usize];
        if area.width == 0 {
            continue;
        }
        let Some(number) = side.of(&pair) else {
            if at.line == 0 && !compare.shows_both() {
                let text = clip("(only on the other side)", usize::from(area.width));
                print(buf, area.x, y, area.width, &text, theme.style(Part::Detail));
            }
            continue;
        };
        let range = compare
            .rows(side, number, transcript)
            .and_then(|rows| (at.line < rows.count()).then(|| rows.range(at.line)));
        if let Some(range) = range
            && let Some(text) = compare.text(side, number, transcript)
        {
            print(buf, area.x, y, area.width, &text[range.clone()], theme.style(part));
            for changed in compare.changed(at.pair, side, transcript) {
                let (from, to) = (changed.start.max(range.start), changed.end.min(range.end));
                if from < to {
                    let before = width(&text[range.start..from]) as u16;
                    let wide = width(&text[range.start..to]) as u16 - before;
                    let words = Rect::new(area.x + before, y, wide, 1).intersection(area);
                    buf.set_style(words.intersection(buf.area), theme.style(Part::ChangedWord));
                }
            }
        }
    }
    let here = at.pair == compare.cursor;
    let blank = at.line > 0 && at.line + 1 == compare.height(at.pair, transcript);
    let mark = match at.line {
        0 => MARKS[mark(&pair)].0,
        _ if blank => " ",
        _ => "│",
    };
    let column = areas.marks;
    let style = theme.style(if pair.is_same() { Part::Rule } else { Part::Changed });
    let text = match (column.width, compare.shows_both()) {
        (0, _) => String::new(),
        (1, _) => mark.to_owned(),
        (_, true) => format!(" {mark} "),
        (_, false) => format!("{}{mark}", if here && at.line == 0 { "❯" } else { " " }),
    };
    print(buf, column.x, y, column.width, &text, style);
    if here && !blank {
        if compare.shows_both() && at.line == 0 {
            let (x, arrow) = match compare.side {
                Side::Left => (column.x, "❮"),
                Side::Right => (column.x + 2, "❯"),
            };
            print(buf, x, y, 1, arrow, theme.style(Part::HelpKey));
        }
        let cursor = Rect {
            y,
            height: 1,
            ..areas.sides[compare.side as usize]
        };
        buf.set_style(cursor.intersection(buf.area), theme.style(Part::Cursor));
    }
}

/// What is compared, above its column: which one it is, and its numbers.
fn draw_title(compare: &Compare, side: Side, transcript: &Transcript, now: Duration, buf: &mut Buffer, theme: &Theme) {
    let areas = compare.areas();
    let area = areas.sides[side as usize];
    let compared = compare.compared(side);
    let above = area.y - compare.area.y;
    let Some(thought) = transcript
        .blocks()
        .get(compared.block)
        .and_then(|block| block.thought())
    else {
        return;
    };
    if above == 0 || area.width == 0 {
        return;
    }
    let chosen = side == compare.side;
    let (arrow, part) = if chosen {
        ("▸ ", Part::HelpTitle)
    } else {
        ("  ", Part::Detail)
    };
    let which = match (side, compare.shows_both()) {
        (_, true) => "",
        (Side::Left, false) => "left: ",
        (Side::Right, false) => "right: ",
    };
    let (x, width, y) = (area.x, area.width, compare.area.y);
    let label = clip(&format!("{arrow}{which}{}", compared.label), usize::from(width));
    print(buf, x, y, width, &label, theme.style(part));
    if above > 1 {
        let numbers = clip(
            &format!("  {}", numbers(compare, side, thought, now)),
            usize::from(width),
        );
        print(buf, x, y + 1, width, &numbers, theme.style(Part::ThinkingHeader));
        let rule = "─".repeat(usize::from(compare.area.width));
        print(
            buf,
            compare.area.x,
            y + 2,
            compare.area.width,
            &rule,
            theme.style(Part::Rule),
        );
    }
}

/// `1,248 tok · 0:42 · 31 seg · 5 ↺`, `48 tok · 0.4 s · still growing, 1 of 2 seg compared`
fn numbers(compare: &Compare, side: Side, thought: &Thought, now: Duration) -> String {
    let all = thought.trace.statistics();
    let took = thought.took.unwrap_or_else(|| now.saturating_sub(thought.began));
    let (tokens, took) = (format::count(all.tokens), format::duration(took));
    let (segments, turns) = (format::count(all.segments), format::count(all.turning_points));
    if thought.is_live() {
        let known = format::count(compare.compared(side).segments.len());
        return format!("{tokens} tok · {took} · still growing, {known} of {segments} seg compared");
    }
    format!("{tokens} tok · {took} · {segments} seg · {turns} ↺")
}

/// How many pairs have which mark, and the keys.
fn draw_foot(compare: &Compare, area: Rect, buf: &mut Buffer, theme: &Theme) {
    if area.is_empty() {
        return;
    }
    let mut counts = [0; MARKS.len()];
    for pair in &compare.pairs {
        counts[mark(pair)] += 1;
    }
    let told = |meant: bool| {
        let told = MARKS.iter().zip(counts).filter(|(_, count)| *count > 0);
        let told = told.map(|((mark, meaning), count)| {
            let count = format::count(count);
            if meant {
                format!(" · {mark} {count} {meaning}")
            } else {
                format!(" {mark} {count}")
            }
        });
        told.collect::<Vec<_>>().concat()
    };
    let all = compare.pairs.len();
    let at = format!(
        "{}/{}",
        format::count((compare.cursor + 1).min(all)),
        format::count(all)
    );
    let keys = "n N differences · Tab other side";
    let room = usize::from(area.width);
    let with_meanings = format!("{at}{} · {keys}", told(true));
    let text = if width(&with_meanings) <= room {
        with_meanings
    } else {
        clip(&format!("{at} ·{} · {keys}", told(false)), room)
    };
    print(buf, area.x, area.y, area.width, &text, theme.style(Part::Status));
}
