//! Text as cells: the only place that knows how wide something is and what may reach the terminal.
//!
//! Measuring and drawing use the same two functions, [`clusters`] and [`cells`], so that a row that was measured to fit
//! does fit. Text from documents and from the model is untrusted: control characters (an escape sequence could rewrite
//! the screen) and characters that reorder what follows (a bidirectional override can make code read as other code)
//! have no width and are never drawn. The source itself is kept as it came.

use ratatui::buffer::{Buffer, CellWidth};
use ratatui::layout::Rect;
use ratatui::style::Style;
use unicode_segmentation::UnicodeSegmentation;

const TAB: usize = 4;

/// The grapheme clusters of a text with their byte offsets.
///
/// Restarting at any offset that this has returned continues with the same clusters.
pub fn clusters(text: &str) -> Clusters<'_> {
    Clusters { text, at: 0 }
}

pub struct Clusters<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Iterator for Clusters<'a> {
    type Item = (usize, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let bytes = self.text.as_bytes();
        let first = *bytes.get(self.at)?;
        let alone = match bytes.get(self.at + 1) {
            None => true,
            Some(&second) => second.is_ascii() && !(first == b'\r' && second == b'\n'),
        };
        let from = self.at;
        self.at = if first.is_ascii() && alone {
            from + 1
        } else {
            let rest = &self.text[from..];
            from + rest.graphemes(true).next().map_or(rest.len(), str::len)
        };
        Some((from, &self.text[from..self.at]))
    }
}

/// How many columns a cluster takes when it begins at `column` of its row.
#[must_use]
pub fn cells(cluster: &str, column: usize) -> usize {
    match cluster.as_bytes() {
        b"\t" => TAB - column % TAB,
        [byte] if (b' '..0x7f).contains(byte) => 1,
        _ if is_hidden(cluster) => 0,
        _ => usize::from(cluster.cell_width()),
    }
}

/// The width of a text on one row.
#[must_use]
pub fn width(text: &str) -> usize {
    clusters(text).fold(0, |column, (_, cluster)| column + cells(cluster, column))
}

/// Whether a cluster must not reach the terminal. Such characters always are clusters of their own.
fn is_hidden(cluster: &str) -> bool {
    cluster.starts_with(|c: char| {
        c.is_control()
            || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    })
}

/// A text of several lines without what must not reach the terminal; line ends become `\n`, tabs stay.
#[must_use]
pub fn clean(text: &str) -> String {
    clusters(text)
        .map(|(_, cluster)| match cluster {
            "\n" | "\r\n" | "\r" => "\n",
            "\t" => "\t",
            hidden if is_hidden(hidden) => "",
            shown => shown,
        })
        .collect()
}

/// Draws the beginning of `text` in at most `width` columns from (`x`, `y`) on, and returns the column after it.
/// Whatever lies outside of the buffer is left out.
pub fn print(buf: &mut Buffer, x: u16, y: u16, width: u16, text: &str, style: Style) -> u16 {
    let visible = buf.area.intersection(Rect { x, y, width, height: 1 });
    if visible.is_empty() || visible.x != x {
        return x;
    }
    let limit = usize::from(visible.width);
    let mut column = 0;
    for (_, cluster) in clusters(text) {
        let wide = cells(cluster, column);
        if wide == 0 {
            continue;
        }
        if column + wide > limit {
            if cluster != "\t" {
                break;
            }
            column = limit;
            break;
        }
        let at = x + column as u16;
        match cluster {
            "\t" => {}
            // Most of what is drawn, and most of the time that drawing takes.
            cluster if cluster.len() == 1 => {
                buf[(at, y)].set_symbol(cluster).set_style(style);
            }
            cluster => {
                buf.set_stringn(at, y, cluster, wide, style);
            }
        }
        column += wide;
    }
    let end = x + column as u16;
    buf.set_style(Rect::new(x, y, end - x, 1), style);
    end
}

/// `text` if it fits into `width` columns, else its beginning and an ellipsis.
#[must_use]
pub fn clip(text: &str, width: usize) -> String {
    let mut column = 0;
    let mut kept = 0;
    for (at, cluster) in clusters(text) {
        let wide = cells(cluster, column);
        if column + wide < width {
            kept = at + cluster.len();
        }
        column += wide;
        if column > width {
            return if width == 0 {
                String::new()
            } else {
                format!("{}…", &text[..kept])
            };
        }
    }
    text.to_owned()
}

/// `text` if it fits into `room` columns, else an ellipsis and its end.
#[must_use]
pub fn clip_start(text: &str, room: usize) -> String {
    let all = width(text);
    if all <= room {
        return text.to_owned();
    }
    let mut column = 0;
    let kept = clusters(text).find_map(|(at, cluster)| {
        column += cells(cluster, column);
        (all - column < room).then_some(at + cluster.len())
    });
    let rest = kept.map_or("", |kept| &text[kept..]);
    if room == 0 { String::new() } else { format!("…{rest}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn widths() {
        assert_eq!(width("abc"), 3);
        assert_eq!(width("你好"), 4);
        assert_eq!(width("e\u{301}"), 1);
        assert_eq!(width("a\tb"), 5);
        assert_eq!(width("👩‍👩‍👧"), 2);
        assert_eq!(width("\u{1b}[31m"), 4);
        assert_eq!(width("\u{9b}\u{202e}\r\u{7f}"), 0);
    }

    #[test]
    fn clean_keeps_lines_and_tabs_only() {
        assert_eq!(clean("a\r\nb\rc\td\u{1b}]0;x\u{7}\u{85}e"), "a\nb\nc\td]0;xe");
    }

    #[test]
    fn printing_never_leaves_a_control_character_in_a_cell() {
        let mut buf = Buffer::empty(Rect::new(0, 0, 10, 1));
        let end = print(&mut buf, 1, 0, 9, "\u{1b}[2J你\u{202e}x\ty", Style::new());
        assert_eq!(
            buf.content
                .iter()
                .map(ratatui::buffer::Cell::symbol)
                .collect::<String>(),
            " [2J你 x  y"
        );
        assert_eq!(end, 10);
    }

    #[test]
    fn clipping() {
        assert_eq!(clip("abcdef", 6), "abcdef");
        assert_eq!(clip("abcdef", 4), "abc…");
        assert_eq!(clip("你好吗", 4), "你…");
        assert_eq!(clip("ab", 0), "");
    }

    proptest! {
        #[test]
        fn clusters_are_those_of_the_standard(text in "(?s)[a-c\r\n\u{301}\u{200d}👩🇩🇪你é\u{fe0f}\u{fe0e}☺\u{1b}]{0,20}") {
            let ours: Vec<_> = clusters(&text).collect();
            let standard: Vec<_> = text.grapheme_indices(true).collect();
            prop_assert_eq!(ours, standard);
        }

        #[test]
        fn clips_fit(text in "(?s).{0,20}", limit in 0usize..12) {
            prop_assert!(width(&clip(&text, limit)) <= limit);
        }

        #[test]
        fn printing_stays_inside(text in "(?s).{0,20}", x in 0u16..6, y in 0u16..3, limit in 0u16..9) {
            let mut buf = Buffer::empty(Rect::new(1, 1, 4, 1));
            print(&mut buf, x, y, limit, &text, Style::new());
            let symbols = buf.content.iter().map(ratatui::buffer::Cell::symbol).collect::<String>();
            prop_assert!(!symbols.contains(char::is_control));
        }
    }
}
