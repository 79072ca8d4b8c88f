//! Text that is wrapped while it comes, a word at a time; what has been printed is never taken back.

use std::io::{self, Write};

use crate::tui::text::{clusters, width};

/// Columns that a tab stands for.
const TAB: usize = 4;

#[derive(Debug)]
pub struct Wrapped {
    most: usize,
    column: usize,
    /// Blanks that are printed only if a word follows on the same line.
    blanks: usize,
    word: String,
}

impl Wrapped {
    pub fn new(most: usize) -> Self {
        Self {
            most: most.max(1),
            column: 0,
            blanks: 0,
            word: String::new(),
        }
    }

    /// Takes more text. Its last word waits until it is whole.
    pub fn write(&mut self, text: &str, out: &mut impl Write) -> io::Result<()> {
        for (_, cluster) in clusters(text) {
            match cluster {
                "\n" | "\r\n" => {
                    self.word(out)?;
                    self.blanks = 0;
                    self.column = 0;
                    writeln!(out)?;
                }
                " " | "\t" => {
                    self.word(out)?;
                    self.blanks += if cluster == "\t" { TAB } else { 1 };
                }
                _ if cluster.chars().all(char::is_control) => {}
                _ => self.word.push_str(cluster),
            }
        }
        out.flush()
    }

    /// The text is over; the next begins on a line of its own.
    pub fn end(&mut self, out: &mut impl Write) -> io::Result<()> {
        self.word(out)?;
        if self.column > 0 {
            writeln!(out)?;
        }
        (self.column, self.blanks) = (0, 0);
        out.flush()
    }

    fn word(&mut self, out: &mut impl Write) -> io::Result<()> {
        if self.word.is_empty() {
            return Ok(());
        }
        let wide = width(&self.word);
        if self.column > 0 && self.column + self.blanks + wide > self.most {
            writeln!(out)?;
            self.column = 0;
        } else {
            write!(out, "{:1$}", "", self.blanks)?;
            self.column += self.blanks;
        }
        out.write_all(self.word.as_bytes())?;
        self.column += wide;
        self.blanks = 0;
        self.word.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn wrapped(most: usize, pieces: &[&str]) -> String {
        let (mut wrapped, mut out) = (Wrapped::new(most), Vec::new());
        for piece in pieces {
            wrapped.write(piece, &mut out).unwrap();
        }
        wrapped.end(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn lines_break_between_words() {
        assert_eq!(wrapped(9, &["one two three"]), "one two\nthree\n");
        assert_eq!(
            wrapped(9, &["on", "e tw", "o three\n", "  four\n\nfive"]),
            "one two\nthree\n  four\n\nfive\n"
        );
        assert_eq!(wrapped(4, &["a longer/than/that b"]), "a\nlonger/than/that\nb\n");
        assert_eq!(wrapped(4, &["你好 你好"]), "你好\n你好\n");
        assert_eq!(wrapped(20, &["a\x1b[1mb\x07"]), "a[1mb\n");
        assert_eq!(wrapped(20, &[""]), "");
    }

    proptest! {
        #[test]
        fn no_word_is_lost_or_cut_and_pieces_make_no_difference(text in "([a-z你]{1,6}| |\n|\t){0,40}", most in 1usize..20, cut in 0usize..60) {
            let cut = text.char_indices().map(|(at, _)| at).nth(cut).unwrap_or(text.len());
            let whole = wrapped(most, &[&text]);
            prop_assert_eq!(&wrapped(most, &[&text[..cut], &text[cut..]]), &whole);
            let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            prop_assert_eq!(words(&whole), words(&text));
            for line in whole.lines() {
                prop_assert!(width(line) <= most || line.split_whitespace().count() <= 1 || line.starts_with(' '), "{line:?}");
            }
        }
    }
}
