//! A box over what is drawn already, with a title and a word about its keys.

use ratatui::buffer::Buffer;
use ratatui::layout::{Rect, Size};

use super::super::text::{print, width};
use super::super::theme::{Part, Theme};

/// A box of this size in the middle, and the part of it that has content: all of it, if there is no room for an edge.
#[must_use]
pub fn boxes(screen: Size, wide: u16, high: u16) -> (Rect, Rect) {
    let (wide, high) = (wide.min(screen.width), high.min(screen.height));
    let frame = Rect {
        x: (screen.width - wide) / 2,
        y: (screen.height - high) / 2,
        width: wide,
        height: high,
    };
    let inner = if wide >= 20 && high >= 5 {
        Rect {
            x: frame.x + 2,
            y: frame.y + 1,
            width: wide - 4,
            height: high - 2,
        }
    } else {
        frame
    };
    (frame, inner)
}

/// Covers what is there, and draws the edge if there is one.
pub fn draw((frame, inner): (Rect, Rect), title: &str, keys: &str, buf: &mut Buffer, theme: &Theme) {
    for position in frame.intersection(buf.area).positions() {
        buf[position].reset();
    }
    buf.set_style(frame, theme.style(Part::Background));
    buf.set_style(frame, theme.style(Part::Help));
    if frame == inner {
        return;
    }
    let style = theme.style(Part::Rule);
    let across = "─".repeat(usize::from(frame.width) - 2);
    let (top, bottom) = (frame.top(), frame.bottom() - 1);
    print(buf, frame.x, top, frame.width, &format!("╭{across}╮"), style);
    print(buf, frame.x, bottom, frame.width, &format!("╰{across}╯"), style);
    for y in top + 1..bottom {
        print(buf, frame.x, y, 1, "│", style);
        print(buf, frame.right() - 1, y, 1, "│", style);
    }
    let room = frame.width - 4;
    print(
        buf,
        frame.x + 2,
        top,
        room,
        &format!(" {title} "),
        theme.style(Part::HelpTitle),
    );
    // With little room, what is said last, which is how to leave.
    let items = std::iter::successors(Some(keys), |keys| Some(keys.split_once(" · ")?.1));
    let keys = items
        .into_iter()
        .find(|keys| width(keys) <= usize::from(room.saturating_sub(2)));
    let keys = keys.map_or(String::new(), |keys| format!(" {keys} "));
    let x = frame.right().saturating_sub(width(&keys) as u16 + 2).max(frame.x + 2);
    print(buf, x, bottom, frame.right() - 1 - x, &keys, style);
}
