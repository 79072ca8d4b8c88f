//! What a line begins with, by itself.

use std::ops::Range;

/// Reads a line from its beginning; tabs stop at every fourth column.
#[derive(Debug, Clone, Copy)]
pub struct Line<'s> {
    source: &'s str,
    pub at: usize,
    /// Without the line end.
    pub end: usize,
    column: usize,
    /// Columns of a tab that has been taken in part.
    left: usize,
}

impl<'s> Line<'s> {
    pub fn new(source: &'s str, at: usize, end: usize) -> Self {
        Self {
            source,
            at,
            end,
            column: 0,
            left: 0,
        }
    }

    fn rest(&self) -> &'s str {
        &self.source[self.at..self.end]
    }

    /// Columns of white space that come next.
    pub fn indent(&self) -> usize {
        let mut column = self.column + self.left;
        for byte in self.rest().bytes() {
            match byte {
                b' ' => column += 1,
                b'\t' => column += 4 - column % 4,
                _ => break,
            }
        }
        column - self.column
    }

    /// What comes after white space.
    pub fn text(&self) -> &'s str {
        self.rest().trim_start_matches([' ', '\t'])
    }

    pub fn is_blank(&self) -> bool {
        self.rest().trim().is_empty()
    }

    /// Takes so many columns of white space, or what there is.
    pub fn take_columns(&mut self, columns: usize) {
        let mut wanted = columns;
        while wanted > 0 {
            if self.left > 0 {
                let taken = self.left.min(wanted);
                self.left -= taken;
                self.column += taken;
                wanted -= taken;
                continue;
            }
            match self.rest().bytes().next() {
                Some(b' ') => {
                    self.at += 1;
                    self.column += 1;
                    wanted -= 1;
                }
                Some(b'\t') => {
                    self.at += 1;
                    self.left = 4 - self.column % 4;
                }
                _ => return,
            }
        }
    }

    /// Takes so many bytes that are no white space.
    pub fn take(&mut self, bytes: usize) {
        self.at += bytes;
        self.column += bytes;
    }

    /// Columns of a tab that has been taken in part, which come before what is left of the line.
    pub fn hanging(&self) -> usize {
        self.left
    }

    /// The rest without white space around it.
    pub fn trimmed(&self) -> Range<usize> {
        let start = self.end - self.text().len();
        start..start + self.source[start..self.end].trim_end().len()
    }

    /// Takes the mark of a quotation.
    pub fn take_quote(&mut self) -> bool {
        let found = self.indent() < 4 && self.text().starts_with('>');
        if found {
            self.take_columns(self.indent());
            self.take(1);
            self.take_columns(1);
        }
        found
    }
}

/// The mark of a list item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Marker {
    pub len: usize,
    /// Its number, if it has one.
    pub number: Option<u32>,
    /// Whether nothing comes after it.
    pub empty: bool,
}

pub fn marker(text: &str) -> Option<Marker> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (len, number) = match text.as_bytes().get(digits)? {
        b'-' | b'+' | b'*' if digits == 0 => (1, None),
        b'.' | b')' if (1..=9).contains(&digits) => (digits + 1, Some(text[..digits].parse().ok()?)),
        _ => return None,
    };
    let rest = &text[len..];
    let empty = rest.trim().is_empty();
    (empty || rest.starts_with([' ', '\t'])).then_some(Marker { len, number, empty })
}

/// The level of a heading, and the length of its mark.
pub fn heading(text: &str) -> Option<usize> {
    let level = text.bytes().take_while(|&byte| byte == b'#').count();
    let rest = &text[level..];
    ((1..=6).contains(&level) && (rest.is_empty() || rest.starts_with([' ', '\t']))).then_some(level)
}

/// The fence that begins code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fence {
    pub mark: u8,
    pub len: usize,
}

impl Fence {
    pub fn opening(text: &str) -> Option<Self> {
        let mark = *text.as_bytes().first().filter(|&&byte| matches!(byte, b'`' | b'~'))?;
        let len = text.bytes().take_while(|&byte| byte == mark).count();
        let info = &text[len..];
        (len >= 3 && !(mark == b'`' && info.contains('`'))).then_some(Self { mark, len })
    }

    /// Whether this ends the code: one that is not whole may be on its way.
    pub fn is_closed_by(self, text: &str, whole: bool) -> bool {
        let len = text.bytes().take_while(|&byte| byte == self.mark).count();
        let enough = if whole { self.len } else { 1 };
        len >= enough && text[len..].trim().is_empty()
    }
}

/// `---`, `* * *`: at least three of a kind.
pub fn is_rule(text: &str) -> bool {
    let Some(&mark) = text
        .as_bytes()
        .first()
        .filter(|&&byte| matches!(byte, b'-' | b'_' | b'*'))
    else {
        return false;
    };
    let mut count = 0;
    for byte in text.bytes() {
        match byte {
            b' ' | b'\t' | b'\r' => {}
            byte if byte == mark => count += 1,
            _ => return false,
        }
    }
    count >= 3
}

/// The level of the heading that a line makes of the one above it. A mark alone may become the beginning of a list.
pub fn underline(text: &str) -> Option<usize> {
    let text = text.trim_end();
    let all = |mark: u8| text.len() >= 3 && text.bytes().all(|byte| byte == mark);
    if all(b'=') { Some(1) } else { all(b'-').then_some(2) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_of_lists() {
        let told = |text| marker(text).map(|m| (m.len, m.number, m.empty));
        assert_eq!(told("- a"), Some((1, None, false)));
        assert_eq!(told("12) a"), Some((3, Some(12), false)));
        assert_eq!(told("*"), Some((1, None, true)));
        for text in ["-a", "**a**", "1234567890. a", "1.5", "", "a"] {
            assert_eq!(told(text), None, "{text}");
        }
    }

    #[test]
    fn tabs_are_columns() {
        let source = " \t\tx";
        let mut line = Line::new(source, 0, source.len());
        assert_eq!(line.indent(), 8);
        line.take_columns(5);
        assert_eq!((line.indent(), line.hanging(), line.at), (3, 3, 3));
        assert_eq!(line.text(), "x");
    }

    #[test]
    fn headings_fences_and_rules() {
        assert_eq!(heading("## a"), Some(2));
        assert_eq!(
            (heading("#a"), heading("####### a"), heading("#")),
            (None, None, Some(1))
        );
        assert_eq!(Fence::opening("```rust"), Some(Fence { mark: b'`', len: 3 }));
        assert_eq!(Fence::opening("```a`"), None);
        let fence = Fence { mark: b'`', len: 3 };
        assert!(
            fence.is_closed_by("```` ", true) && !fence.is_closed_by("``", true) && fence.is_closed_by("``", false)
        );
        assert!(!fence.is_closed_by("```a", true));
        assert!(is_rule("---") && is_rule("* * *") && !is_rule("--") && !is_rule("- a -"));
        assert_eq!(
            (underline("==="), underline("--- "), underline("-"), underline("=-=")),
            (Some(1), Some(2), None, None)
        );
    }
}
