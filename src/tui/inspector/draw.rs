//! Drawing of the inspector: numbers, the map of entropy, and the rows of the outline in view.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use super::super::format;
use super::super::text::{clip, print, width};
use super::super::theme::{Part, Theme};
use super::super::transcript::{Account, Thought, Transcript, sureness};
use super::{Inspector, Reading, columns_in_view};
use crate::engine::CardExperts;
use crate::trace::{Segment, SegmentKind, Trace};

/// From this width on a row of the outline has the time of its segment.
const TIMES_FROM: u16 = 40;
/// Nats of entropy that fill a column of the map, at least: a trace that is sure throughout looks so.
const FULL: f64 = 1.0;
const LEVELS: [&str; 8] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];

/// Returns where the cursor is, if a filter is being written.
pub fn draw(
    inspector: &Inspector,
    transcript: &Transcript,
    reading: Option<&Reading>,
    account: Account,
    area: Rect,
    buf: &mut Buffer,
    theme: &Theme,
) -> Option<Position> {
    let areas = inspector.areas(area);
    let found = reading.and_then(|reading| Some((reading, transcript.blocks().get(reading.block)?.thought()?)));
    let Some((reading, thought)) = found else {
        let text = clip("nothing has been thought yet", usize::from(area.width));
        print(buf, area.x, area.y, area.width, &text, theme.style(Part::Detail));
        return None;
    };
    let trace = &thought.trace;
    let segments = format::counted(trace.segment_count(), "segment");
    draw_line(
        buf,
        areas.title,
        &format!("outline · {segments}"),
        Part::HelpTitle,
        theme,
    );
    let mut rows = areas.numbers.rows();
    for items in [
        first_numbers(trace, thought, account),
        second_numbers(trace, thought, account),
        of_experts(&thought.experts),
    ] {
        if let Some(row) = rows.next() {
            draw_items(buf, row, &items, theme);
        }
    }
    draw_map(reading, trace, areas.map, buf, theme);
    let folded = |number: usize| transcript.blocks()[reading.block].is_segment_folded(number);
    let chosen = inspector.chosen(reading, trace);
    for (row, line) in areas.outline.rows().enumerate() {
        let Some(segment) = inspector
            .segment(inspector.top + row, trace)
            .and_then(|number| trace.segment(number))
        else {
            break;
        };
        let mark = if segment.number == reading.segment {
            "▶"
        } else if folded(segment.number) {
            "▸"
        } else {
            " "
        };
        draw_segment(mark, &segment, trace, line, buf, theme);
        if chosen == Some(segment.number) {
            buf.set_style(line, theme.style(Part::Cursor));
        }
    }
    draw_filter(inspector, trace, areas.filter, buf, theme)
}

fn draw_line(buf: &mut Buffer, line: Rect, text: &str, part: Part, theme: &Theme) {
    if !line.is_empty() {
        print(
            buf,
            line.x,
            line.y,
            line.width,
            &clip(text, usize::from(line.width)),
            theme.style(part),
        );
    }
}

/// As many as there is room for.
fn draw_items(buf: &mut Buffer, line: Rect, items: &[String], theme: &Theme) {
    let mut text = String::new();
    for item in items {
        let longer = if text.is_empty() {
            item.clone()
        } else {
            format!("{text} · {item}")
        };
        if width(&longer) > usize::from(line.width) {
            break;
        }
        text = longer;
    }
    draw_line(buf, line, &text, Part::Detail, theme);
}

/// `12,480 tok · 0:42 · 31 tok/s · 16% of the budget`
fn first_numbers(trace: &Trace, thought: &Thought, account: Account) -> Vec<String> {
    let took = thought
        .took
        .unwrap_or_else(|| account.now.saturating_sub(thought.began));
    let rate = if thought.is_live() {
        thought.rate
    } else {
        trace.tokens() as f64 / took.as_secs_f64()
    };
    let budget =
        (account.budget > 0).then(|| format!("{}% of the budget", format::percent(trace.tokens(), account.budget)));
    let all = [
        Some(format!("{} tok", format::count(trace.tokens()))),
        Some(format::duration(took)),
        format::rate(rate),
        budget,
    ];
    all.into_iter().flatten().collect()
}

/// `37 ↺ · p 0.91 · 0.42 nats · token limit`
fn second_numbers(trace: &Trace, thought: &Thought, account: Account) -> Vec<String> {
    let numbers = trace.statistics();
    let stopped = thought.ended().map(str::to_owned);
    let run = (account.loop_guard > 0 && numbers.longest_certain * 10 >= account.loop_guard)
        .then(|| format!("{} certain in a row", format::count(numbers.longest_certain)));
    let all = [
        Some(format!("{} ↺", format::count(numbers.turning_points))),
        Some(format!("p {:.2}", numbers.mean.probability)),
        Some(format!("{:.2} nats", numbers.mean.entropy)),
        stopped,
        run,
    ];
    all.into_iter().flatten().collect()
}

/// `experts: 83% on the card · 210 of 512 fit`
fn of_experts(experts: &CardExperts) -> Vec<String> {
    if experts.is_none() {
        return Vec::new();
    }
    let share = format::percent(experts.there as usize, experts.asked as usize);
    let (places, all) = (format::count(experts.places), format::count(experts.all));
    vec![
        format!("experts: {share}% on the card"),
        format!("{places} of {all} fit"),
    ]
}

/// Mean entropy over the whole thought, and below it where turning points and the view are.
fn draw_map(reading: &Reading, trace: &Trace, area: Rect, buf: &mut Buffer, theme: &Theme) {
    if area.height < 2 {
        return;
    }
    let map = trace.map(usize::from(area.width));
    let most = map.iter().map(|bucket| bucket.mean.entropy).fold(FULL, f64::max);
    let view = columns_in_view(reading, trace, usize::from(area.width));
    for (column, bucket) in map.iter().enumerate() {
        let level = (bucket.mean.entropy / most * LEVELS.len() as f64) as usize;
        let in_view = view.is_some_and(|(first, last)| (first..=last).contains(&column));
        let part = if in_view { Part::ThinkingHeader } else { Part::Thinking };
        let x = area.x + column as u16;
        print(
            buf,
            x,
            area.y,
            1,
            LEVELS[level.min(LEVELS.len() - 1)],
            theme.style(part),
        );
        let (mark, part) = match (in_view, bucket.turns) {
            (true, _) => ("━", Part::ThinkingHeader),
            (_, true) => ("┴", Part::Rule),
            _ => ("─", Part::Rule),
        };
        print(buf, x, area.y + 1, 1, mark, theme.style(part));
    }
}

fn kind_mark(kind: SegmentKind) -> &'static str {
    match kind {
        SegmentKind::Paragraph => " ",
        SegmentKind::Heading => "#",
        SegmentKind::Step => "›",
        SegmentKind::List => "•",
        SegmentKind::Turn => "↺",
        SegmentKind::Move => "→",
    }
}

/// `▶↺ Wait, that is not…    2↺ ┆  120 0:04`
fn draw_segment(mark: &str, segment: &Segment, trace: &Trace, line: Rect, buf: &mut Buffer, theme: &Theme) {
    let room = usize::from(line.width);
    let turns = match segment.turns.len() {
        0 => String::new(),
        turns => format!("{turns}↺"),
    };
    let sure = sureness(trace, &segment.tokens);
    let tokens = format::count(segment.tokens.len());
    let time = if line.width >= TIMES_FROM {
        format!(" {:>6}", format::duration(segment.took))
    } else {
        String::new()
    };
    let mut numbers = format!(" {turns:>3} {sure} {tokens:>6}{time}");
    if width(&numbers) + 8 > room {
        numbers = String::new();
    }
    let title = room - width(&numbers);
    let text = format!("{mark}{} {}", kind_mark(segment.kind), trace.title(segment.number));
    let part = match segment.kind {
        SegmentKind::Heading => Part::HelpTitle,
        SegmentKind::Turn => Part::ThinkingHeader,
        _ => Part::Help,
    };
    print(
        buf,
        line.x,
        line.y,
        title as u16,
        &clip(&text, title),
        theme.style(part),
    );
    let x = line.right() - width(&numbers) as u16;
    print(buf, x, line.y, line.right() - x, &numbers, theme.style(Part::Detail));
}

fn draw_filter(inspector: &Inspector, trace: &Trace, line: Rect, buf: &mut Buffer, theme: &Theme) -> Option<Position> {
    if line.is_empty() {
        return None;
    }
    let x = print(buf, line.x, line.y, line.width, "/ ", theme.style(Part::Prompt));
    let room = line.right().saturating_sub(x);
    let end = print(buf, x, line.y, room, &inspector.filter, theme.style(Part::Composer));
    let count = format!(" {}", format::counted(inspector.rows(trace), "segment"));
    print(
        buf,
        end + 1,
        line.y,
        line.right().saturating_sub(end + 1),
        &count,
        theme.style(Part::Detail),
    );
    inspector
        .filtering
        .then(|| Position::new(end.min(line.right().saturating_sub(1)), line.y))
}
