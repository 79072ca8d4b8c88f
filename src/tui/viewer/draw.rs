//! Drawing the rows in view: a header, numbered lines, a footer.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;

use super::super::format;
use super::super::text::{clip, clip_start, print, width};
use super::super::theme::{Part, Theme};
use super::rows::Row;
use super::{Viewer, columns};

/// Columns that text must have left for line numbers to be shown.
const TEXT_FROM: u16 = 12;
/// From this width on there is a scroll bar.
const SCROLLBAR_FROM: u16 = 24;
const HINTS: &[(&str, &str)] = &[
    ("q", "back"),
    ("/", "search"),
    ("n N", "matches"),
    ("Tab", "citations"),
    ("[ ]", "sections"),
    ("o", "outline"),
    ("123 G", "line"),
    ("w", "wrap"),
    ("?", "help"),
];

/// The parts of the screen; empty where there is no room.
#[derive(Debug, Clone, Copy)]
pub struct Areas {
    pub header: Rect,
    /// Mark and number of a line.
    pub gutter: Rect,
    pub body: Rect,
    pub scrollbar: Rect,
    pub footer: Rect,
}

pub fn areas(viewer: &Viewer) -> Areas {
    let (width, height) = (viewer.size.width, viewer.size.height);
    let footer = u16::from(height >= 2 || (height == 1 && viewer.prompt.is_some()));
    let header = u16::from(height >= 3);
    let digits = viewer.text.lines().ilog10() as u16 + 1;
    let gutter = Some(digits.max(3) + 3)
        .filter(|gutter| width >= gutter + TEXT_FROM)
        .unwrap_or(0);
    let bar = u16::from(width >= SCROLLBAR_FROM);
    let rows = height - header - footer;
    let part = |x, y, width, height| Rect { x, y, width, height };
    Areas {
        header: part(0, 0, width, header),
        gutter: part(0, header, gutter, rows),
        body: part(gutter, header, width - gutter - bar, rows),
        scrollbar: part(width - bar, header, bar, rows),
        footer: part(0, height - footer, width, footer),
    }
}

/// Columns that text has, at least 1.
pub fn text_width(viewer: &Viewer) -> usize {
    usize::from(areas(viewer).body.width).max(1)
}

impl Viewer {
    /// Draws everything, and returns where the cursor is to be. `hint` is what the footer says, if there is something
    /// more urgent than the keys.
    pub fn draw(&self, area: Rect, buf: &mut Buffer, theme: &Theme, hint: Option<&str>) -> Option<Position> {
        let areas = areas(self);
        let area = area.intersection(buf.area);
        if area.is_empty() || area.as_size() != self.size {
            return None;
        }
        self.draw_header(areas.header, buf, theme);
        if let Some(selected) = self.outline {
            self.draw_outline(selected, areas.gutter.union(areas.body), buf, theme);
        } else if !areas.body.is_empty() {
            let mut numbered = None;
            for (row, y) in self.visible().zip(areas.body.top()..) {
                let gutter = Rect {
                    y,
                    height: 1,
                    ..areas.gutter
                };
                let line = Rect {
                    y,
                    height: 1,
                    ..areas.body
                };
                self.draw_text(&row, line, buf, theme);
                self.draw_gutter(&row, numbered == Some(row.line), gutter, buf, theme);
                numbered = Some(row.line);
            }
            self.draw_scrollbar(areas.scrollbar, buf, theme);
        }
        self.draw_footer(areas.footer, buf, theme, hint)
    }

    fn is_target(&self, line: usize) -> bool {
        self.target.as_ref().is_some_and(|target| target.contains(&line))
    }

    fn draw_gutter(&self, row: &Row, again: bool, area: Rect, buf: &mut Buffer, theme: &Theme) {
        if area.is_empty() {
            return;
        }
        let number = if row.from > 0 || again {
            "↳".to_owned()
        } else {
            (row.line + 1).to_string()
        };
        let here = row.spot() == self.cursor;
        let part = match (self.is_target(row.line), here) {
            (true, _) => Part::TargetNumber,
            (false, true) => Part::CursorNumber,
            (false, false) => Part::LineNumber,
        };
        let style = theme.style(part);
        let mark = if here { "❯" } else { " " };
        print(buf, area.x, area.y, 1, mark, theme.style(Part::Prompt));
        let wide = usize::from(area.width) - 3;
        print(
            buf,
            area.x + 2,
            area.y,
            area.width - 3,
            &format!("{number:>wide$}"),
            style,
        );
    }

    fn draw_text(&self, row: &Row, area: Rect, buf: &mut Buffer, theme: &Theme) {
        let text = self.text.text_of(row);
        let room = usize::from(area.width);
        let left = if self.wrap { 0 } else { self.left };
        let target = self.is_target(row.line);
        buf.set_style(area, theme.style(Part::Document));
        if target {
            buf.set_style(area, theme.style(Part::Target));
        }
        // The bytes of what is in view, and the columns where they are.
        let mut shown: Vec<(usize, usize, usize)> = Vec::with_capacity(room);
        let mut cut = false;
        for (at, cluster, from, to) in columns(text) {
            if from >= left + room {
                cut = cut || to > from;
                if cut {
                    break;
                }
            } else if to > left && to > from {
                if from >= left && to <= left + room && cluster != "\t" {
                    buf.set_stringn(area.x + (from - left) as u16, area.y, cluster, to - from, Style::new());
                }
                cut = to > left + room;
                shown.push((at, from.max(left) - left, to.min(left + room) - left));
            }
        }
        let selected = self.selected_in(row);
        if selected.is_some_and(|(.., is_empty)| is_empty) {
            let column = Rect {
                width: area.width.min(1),
                ..area
            };
            buf.set_style(column, theme.style(Part::Selection));
        }
        let (Some(&(first, ..)), Some(&(last, ..))) = (shown.first(), shown.last()) else {
            return;
        };
        let mut paint = |from: usize, to: usize, style: Style| {
            let from = shown.partition_point(|(at, ..)| *at < from);
            let to = shown.partition_point(|(at, ..)| *at < to);
            if from < to {
                let (x, end) = (shown[from].1, shown[to - 1].2);
                let part = Rect {
                    x: area.x + x as u16,
                    width: (end - x) as u16,
                    ..area
                };
                buf.set_style(part, style);
            }
        };
        let (first, last) = (row.from + first, row.from + last);
        for colour in self.colours.of(row.line) {
            let (from, to) = (colour.from as usize, colour.to as usize);
            if to > first && from <= last {
                paint(
                    from.saturating_sub(row.from),
                    to.saturating_sub(row.from),
                    theme.style(colour.part),
                );
            }
        }
        if target {
            paint(0, usize::MAX, theme.style(Part::Target));
        }
        if let Some(search) = &self.search {
            let start = self.text.offset(row.spot());
            let bytes = start + first - row.from..start + last - row.from + 1;
            for (found, current) in search.within(bytes) {
                let part = if current { Part::MatchCurrent } else { Part::Match };
                paint(
                    found.start.saturating_sub(start),
                    found.end.saturating_sub(start),
                    theme.style(part),
                );
            }
        }
        if let Some((from, to, _)) = selected {
            paint(from, to, theme.style(Part::Selection));
        }
        let style = theme.style(Part::Detail);
        if left > 0 && room > 1 {
            print(buf, area.x, area.y, 1, "‹", style);
        }
        if cut && !self.wrap && room > 1 {
            // Half of a wide character cannot be covered.
            if let Some(&(_, from, _)) = shown.last().filter(|(_, from, to)| to - from > 1 && *to == room) {
                print(buf, area.x + from as u16, area.y, 1, " ", Style::new());
            }
            print(buf, area.right() - 1, area.y, 1, "›", style);
        }
    }

    fn draw_scrollbar(&self, area: Rect, buf: &mut Buffer, theme: &Theme) {
        for at in self.thumb(area).unwrap_or_default().positions() {
            print(buf, at.x, at.y, 1, "▐", theme.style(Part::Scrollbar));
        }
    }

    /// Where the scroll bar is, and its thumb, if there is one.
    pub fn bar(&self) -> Option<(Rect, Rect)> {
        let area = areas(self).scrollbar;
        let thumb = self.thumb(area).filter(|_| self.outline.is_none())?;
        Some((area, thumb))
    }

    /// The thumb is where the view is in bytes: rows are not counted.
    fn thumb(&self, area: Rect) -> Option<Rect> {
        let total = self.text.document().text.len();
        let after = self.visible().last().map_or(0, |row| {
            self.text.offset(super::Spot {
                line: row.line,
                at: row.to,
            })
        });
        let before = self.text.offset(self.top);
        if area.is_empty() || total == 0 || (before == 0 && after + 2 >= total) {
            return None;
        }
        let rows = usize::from(area.height);
        let share = |bytes: usize| (bytes as f64 / total as f64 * rows as f64) as usize;
        let high = share(after.saturating_sub(before)).clamp(1, rows);
        let top = if after + 2 >= total {
            rows - high
        } else {
            share(before).min(rows - high)
        };
        Some(Rect {
            y: area.y + top as u16,
            height: high as u16,
            ..area
        })
    }

    /// `src/tui/app.rs · Loomings            line 103/1,204 · 8%`
    fn draw_header(&self, area: Rect, buf: &mut Buffer, theme: &Theme) {
        if area.is_empty() {
            return;
        }
        let room = usize::from(area.width);
        let (line, lines) = (self.cursor.line + 1, self.text.lines());
        let share = self.share();
        let places = [
            format!("line {}/{} · {share}%", format::count(line), format::count(lines)),
            format!("{}/{}", format::count(line), format::count(lines)),
            format::count(line),
        ];
        let path = self.path();
        let place = places
            .iter()
            .find(|place| width(place) + width(path).min(room / 2) + 2 <= room)
            .map_or("", String::as_str);
        let left = room.saturating_sub(width(place) + usize::from(!place.is_empty()) * 2);
        let path = clip_start(path, left);
        let x = print(buf, area.x, area.y, area.width, &path, theme.style(Part::StatusStrong));
        if let Some(section) = self.section() {
            let title = clip(&format!(" · {section}"), left - width(&path));
            print(buf, x, area.y, area.width, &title, theme.style(Part::Status));
        }
        let at = area.right() - width(place) as u16;
        print(buf, at, area.y, area.width, place, theme.style(Part::Status));
    }

    /// How far the cursor is, of a hundred.
    fn share(&self) -> usize {
        let total = self.text.document().text.len();
        let lines = self.text.lines();
        if self.cursor.line + 1 == lines && self.row(super::END).spot() == self.cursor {
            100
        } else {
            format::percent(self.text.offset(self.cursor), total.max(1))
        }
    }

    fn draw_footer(&self, area: Rect, buf: &mut Buffer, theme: &Theme, hint: Option<&str>) -> Option<Position> {
        if area.is_empty() {
            return None;
        }
        let room = usize::from(area.width);
        let strong = theme.style(Part::StatusStrong);
        let mut left = String::new();
        let mut right = String::new();
        let mut cursor = None;
        if let Some(prompt) = &self.prompt {
            left = format!("{}{}", prompt.sign(), prompt.text);
            cursor = Some(());
        } else if !self.digits.is_empty() {
            left = format!("{} G", self.digits);
        }
        if let Some(search) = &self.search {
            right = search.count();
            if self.prompt.is_none() && left.is_empty() {
                left = format!("/{}", search.query);
            }
        }
        if let Some(hint) = hint {
            hint.clone_into(&mut right);
        }
        let right = clip(&right, room);
        let gap = usize::from(!right.is_empty()) * 2;
        let left_room = room.saturating_sub(width(&right) + gap);
        let x = if left.is_empty() {
            self.draw_hints(left_room, area, buf, theme);
            area.x
        } else {
            // Of what is being written the end is seen.
            let left = clip_start(&left, left_room.saturating_sub(1));
            print(buf, area.x, area.y, area.width, &left, strong)
        };
        let at = area.right() - width(&right) as u16;
        print(buf, at, area.y, area.width, &right, strong);
        cursor.map(|()| Position::new(x.min(area.right() - 1), area.y))
    }

    /// As many keys as there is room for.
    fn draw_hints(&self, room: usize, area: Rect, buf: &mut Buffer, theme: &Theme) {
        let mut x = area.x;
        let sections = !self.text.document().sections.is_empty();
        for (key, meaning) in HINTS {
            if (["[ ]", "o"].contains(key) && !sections) || (*key == "n N" && self.search.is_none()) {
                continue;
            }
            let gap = u16::from(x > area.x) * 2;
            let wide = usize::from(gap) + width(key) + 1 + width(meaning);
            if usize::from(x - area.x) + wide > room {
                return;
            }
            x = print(buf, x + gap, area.y, area.width, key, theme.style(Part::StatusStrong));
            x = print(buf, x + 1, area.y, area.width, meaning, theme.style(Part::Status));
        }
    }
}
