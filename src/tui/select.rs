//! What a selection is made of: characters, words or lines of a text.

use std::ops::Range;

use super::text::width;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Character,
    Word,
    /// A line of the source, however many rows it takes.
    Line,
}

/// What words are told apart by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    Space,
    Word,
    Sign,
}

impl Class {
    /// Of what a text begins with.
    pub fn of(text: &str) -> Self {
        text.chars().next().map_or(Self::Space, Self::of_char)
    }

    fn of_char(c: char) -> Self {
        if c.is_alphanumeric() || c == '_' {
            Self::Word
        } else if c.is_whitespace() {
            Self::Space
        } else {
            Self::Sign
        }
    }

    /// Whether a character goes on with what is of this class. A mark belongs to what it stands on.
    fn takes(self, c: char) -> bool {
        c != '\n' && (Self::of_char(c) == self || is_mark(c))
    }
}

fn is_mark(c: char) -> bool {
    !c.is_ascii() && width(c.encode_utf8(&mut [0; 4])) == 0
}

impl Unit {
    /// The words, or the lines, that a part of a text is in.
    pub fn around(self, text: &str, at: &Range<usize>) -> Range<usize> {
        match self {
            Self::Character => at.clone(),
            Self::Word if at.is_empty() => at.clone(),
            Self::Word => {
                let (before, after) = (&text[..at.start], &text[at.end..]);
                let first = Class::of(&text[at.clone()]);
                let begin = before.trim_end_matches(|c| first.takes(c)).len();
                let last = text[at.clone()].chars().rev().find(|&c| !is_mark(c));
                let last = last.map_or(first, Class::of_char);
                let rest = if text[..at.end].ends_with('\n') {
                    after
                } else {
                    after.trim_start_matches(|c| last.takes(c))
                };
                begin..text.len() - rest.len()
            }
            Self::Line => {
                let start = text[..at.start].rfind('\n').map_or(0, |end| end + 1);
                let is_complete = at.end > start && text[..at.end].ends_with('\n');
                let rest = if is_complete {
                    Some(0)
                } else {
                    text[at.end..].find('\n')
                };
                start..rest.map_or(text.len(), |rest| at.end + rest)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn around(unit: Unit, text: &str, part: &str) -> String {
        let at = text.find(part).unwrap();
        text[unit.around(text, &(at..at + part.len()))].to_owned()
    }

    #[test]
    fn words_are_runs_of_a_class() {
        let text = "let caf_e\u{301}1 = a[你好];  // end\nnext";
        for (part, word) in [
            ("a", "caf_e\u{301}1"),
            ("e\u{301}", "caf_e\u{301}1"),
            ("1", "caf_e\u{301}1"),
            ("=", "="),
            ("好", "你好"),
            ("]", "];"),
            (" /", "  //"),
            ("d", "end"),
            ("next", "next"),
        ] {
            assert_eq!(around(Unit::Word, text, part), word, "around {part:?}");
        }
        assert_eq!(Unit::Word.around(text, &(3..3)), 3..3);
    }

    #[test]
    fn lines_end_before_their_ends() {
        let text = "one\ntwo three\n\nfour";
        assert_eq!(around(Unit::Line, text, "wo"), "two three");
        assert_eq!(around(Unit::Line, text, "ne\ntwo"), "one\ntwo three");
        assert_eq!(around(Unit::Line, text, "two three\n"), "two three\n");
        assert_eq!(around(Unit::Line, text, "u"), "four");
        assert_eq!(Unit::Line.around(text, &(14..14)), 14..14, "an empty line");
        assert_eq!(Unit::Line.around(text, &(0..text.len())), 0..text.len());
    }

    #[test]
    fn characters_are_themselves() {
        assert_eq!(Unit::Character.around("abc", &(1..2)), 1..2);
    }
}
