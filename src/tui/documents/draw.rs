//! Drawing the rows of the pane that are in view.

use std::ops::Range;

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;

use super::super::format;
use super::super::text::{clip, print, width};
use super::super::theme::{Part, Theme};
use super::Pane;
use super::progress::State;
use super::tree::{Kind, Node, NodeId, Order, ROOT};

/// From these widths on there are tokens, shares, bars.
const TOKENS_FROM: usize = 18;
const SHARE_FROM: usize = 26;
const BAR_FROM: usize = 40;
const BAR: usize = 8;
/// Columns that the name keeps from the reason for leaving something out.
const NAME: usize = 8;
/// Deeper folders are not indented further.
const DEEPEST: usize = 12;

/// Rows of the pane that are not part of the tree.
pub fn frame_rows(height: u16) -> u16 {
    match height {
        0..=2 => 0,
        3 => 1,
        _ => 2,
    }
}

/// Where a click folds, in a row this deep.
pub fn arrow_columns(depth: usize) -> Range<usize> {
    let from = 1 + 2 * depth.min(DEEPEST);
    from..from + 2
}

/// The widths of the columns on the right; 0 if there is no room.
struct Columns {
    tokens: usize,
    share: usize,
    bar: usize,
}

impl Columns {
    fn of(pane: &Pane, room: usize) -> Self {
        let or_none = |from, wide| if room >= from { wide } else { 0 };
        // The largest figure, which may be of something that was left out.
        let most = pane
            .rows_in_view()
            .map(|id| pane.tree.node(id).tokens)
            .max()
            .unwrap_or(0);
        Self {
            tokens: or_none(TOKENS_FROM, width(&format::count(most)) + 1),
            share: or_none(SHARE_FROM, 5),
            bar: or_none(BAR_FROM, BAR + 1),
        }
    }

    fn all(&self) -> usize {
        self.tokens + self.share + self.bar
    }
}

impl Pane {
    fn rows_in_view(&self) -> impl Iterator<Item = NodeId> {
        self.rows.iter().copied().skip(self.top).take(self.height)
    }
}

/// Draws the pane; where the cursor is, if something is being written in it.
pub fn draw(pane: &Pane, area: Rect, buf: &mut Buffer, theme: &Theme) -> Option<Position> {
    let area = area.intersection(buf.area);
    if area.is_empty() {
        return None;
    }
    let frame = frame_rows(area.height);
    let rows = Rect {
        y: area.y + u16::from(frame > 0),
        height: area.height - frame,
        ..area
    };
    let mut cursor = None;
    if frame > 0 {
        cursor = draw_title(pane, Rect { height: 1, ..area }, buf, theme);
    }
    let room = usize::from(area.width);
    let columns = Columns::of(pane, room);
    if pane.rows.is_empty() {
        let text = if !pane.filter.text.is_empty() {
            "  nothing has this in its name".to_owned()
        } else if pane.unlisted.documents > 0 {
            format!(
                "  {}, not kept in the record",
                format::counted(pane.unlisted.documents, "document")
            )
        } else {
            "  no documents; a loads some".to_owned()
        };
        print(
            buf,
            rows.x,
            rows.y,
            rows.width,
            &clip(&text, room),
            theme.style(Part::Detail),
        );
    }
    for (line, (row, id)) in rows.rows().zip((pane.top..).zip(pane.rows_in_view())) {
        draw_row(pane, row, id, &columns, line, buf, theme);
    }
    if frame > 1 {
        let line = Rect {
            y: area.bottom() - 1,
            height: 1,
            ..area
        };
        draw_totals(pane, line, buf, theme);
    }
    cursor
}

fn draw_title(pane: &Pane, line: Rect, buf: &mut Buffer, theme: &Theme) -> Option<Position> {
    let part = if pane.focused { Part::HelpTitle } else { Part::Status };
    let filtered = pane.filter.writing || !pane.filter.text.is_empty();
    let title = if filtered {
        format!(" /{}", pane.filter.text)
    } else {
        " documents".to_owned()
    };
    let order = match pane.order {
        Order::Tokens => "by tokens ",
        Order::Pack => "as read ",
    };
    let end = print(buf, line.x, line.y, line.width, &title, theme.style(part));
    let at = line.right().saturating_sub(width(order) as u16);
    if at > end + 1 {
        print(buf, at, line.y, line.right() - at, order, theme.style(Part::Status));
    }
    pane.filter
        .writing
        .then(|| Position::new(end.min(line.right() - 1), line.y))
}

fn draw_totals(pane: &Pane, line: Rect, buf: &mut Buffer, theme: &Theme) {
    let room = usize::from(line.width).saturating_sub(1);
    let (text, part) = if let Some(message) = &pane.message {
        (clip(message, room), Part::StatusStrong)
    } else if let Some(marks) = pane.marks() {
        (clip(&marks, room), Part::StatusStrong)
    } else {
        let totals = pane.totals();
        let fitting = totals.iter().find(|text| width(text) <= room);
        (fitting.cloned().unwrap_or_default(), Part::Status)
    };
    print(buf, line.x + 1, line.y, line.width - 1, &text, theme.style(part));
}

fn draw_row(pane: &Pane, row: usize, id: NodeId, columns: &Columns, line: Rect, buf: &mut Buffer, theme: &Theme) {
    let node = pane.tree.node(id);
    let state = pane.progress.state(id, node);
    let put = |buf: &mut Buffer, at: usize, room: usize, text: &str, style: Style| -> usize {
        let x = line.x + (at as u16).min(line.width);
        let end = print(buf, x, line.y, (room as u16).min(line.right() - x), text, style);
        usize::from(end - line.x)
    };
    let room = usize::from(line.width);
    let right = room - columns.all().min(room);
    if pane.marked.contains(&id) {
        put(buf, 0, 1, "*", theme.style(Part::Changed));
    }
    let arrow = arrow_columns(node.depth);
    if node.is_folder() {
        let folded = pane.folded.contains(&id) && pane.filter.text.is_empty();
        let mark = if folded { "▸" } else { "▾" };
        put(
            buf,
            arrow.start,
            right.saturating_sub(arrow.start),
            mark,
            theme.style(Part::Folder),
        );
    }
    put(
        buf,
        arrow.end,
        right.saturating_sub(arrow.end),
        state.mark(),
        theme.style(part_of(state)),
    );
    let named = match node.kind {
        Kind::Folder if node.files == 0 => Part::LeftOut,
        Kind::Folder => Part::Folder,
        Kind::Document(_) => Part::File,
        Kind::LeftOut(_) => Part::LeftOut,
    };
    let at = arrow.end + 2;
    let name_room = right.saturating_sub(at);
    let name = if node.is_folder() || node.path.ends_with('/') {
        format!("{}/", node.name)
    } else {
        node.name.clone()
    };
    // Of what was left out there may be nothing to put on the right.
    let right = if node.files == 0 && node.tokens == 0 {
        room
    } else {
        right
    };
    let end = put(buf, at, name_room, &clip(&name, name_room), theme.style(named));
    if let Kind::LeftOut(index) = node.kind {
        let room = right.saturating_sub(end + 2);
        if room >= NAME {
            let reason = clip(&pane.pack.skipped[index].reason, room);
            put(buf, end + 2, room, &reason, theme.style(Part::LeftOut));
        }
    }
    draw_figures(pane, node, columns, right, &put, buf, theme);
    if row == pane.cursor && pane.focused {
        buf.set_style(line, theme.style(Part::Cursor));
    }
}

fn draw_figures(
    pane: &Pane,
    node: &Node,
    columns: &Columns,
    right: usize,
    put: &impl Fn(&mut Buffer, usize, usize, &str, Style) -> usize,
    buf: &mut Buffer,
    theme: &Theme,
) {
    let part = if node.files == 0 { Part::LeftOut } else { Part::File };
    let is_known = node.files > 0 || node.tokens > 0;
    if columns.tokens > 0 && is_known {
        let tokens = format::count(node.tokens);
        let at = right + columns.tokens.saturating_sub(width(&tokens));
        put(buf, at, columns.tokens, &tokens, theme.style(part));
    }
    // What is left out has no share.
    let total = pane.tree.node(ROOT).tokens;
    if node.files == 0 || total == 0 {
        return;
    }
    if columns.share > 0 {
        let share = format!("{:>4}%", format::percent(node.tokens, total));
        put(
            buf,
            right + columns.tokens,
            columns.share,
            &share,
            theme.style(Part::Status),
        );
    }
    if columns.bar > 0 {
        let bar = bar(node.tokens, total);
        let at = right + columns.tokens + columns.share + 1;
        put(buf, at, columns.bar - 1, &bar, theme.style(Part::Bar));
    }
}

fn part_of(state: State) -> Part {
    match state {
        State::Waiting => Part::Waiting,
        State::Prefilling => Part::Prefilling,
        State::Prefilled => Part::Prefilled,
        State::Changed => Part::Changed,
        State::LeftOut => Part::LeftOut,
    }
}

/// A bar in eighths of a cell.
fn bar(part: usize, total: usize) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = (part as f64 / total as f64 * (BAR * 8) as f64).round() as usize;
    let eighths = eighths.min(BAR * 8);
    format!("{}{}", "█".repeat(eighths / 8), EIGHTHS[eighths % 8])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars() {
        assert_eq!(bar(0, 10), "");
        assert_eq!(bar(10, 10), "████████");
        assert_eq!(bar(5, 10), "████");
        assert_eq!(bar(1, 64), "▏");
        assert_eq!(bar(usize::MAX, 1), "████████");
    }
}
