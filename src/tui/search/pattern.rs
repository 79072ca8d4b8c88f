//! What is searched for: a regular expression, in which capital letters matter if there are some.
//!
//! The engine of expressions is linear in the text, whatever is written; what it builds of an expression is bounded.

use std::ops::Range;

use regex::{Error, Regex, RegexBuilder};

/// Bytes that an expression may come to: `\w{1000}` is more.
const SIZE: usize = 1 << 20;
/// Bytes that it may use while it searches.
const MEMORY: usize = 8 << 20;

#[derive(Debug, Clone)]
pub struct Pattern {
    written: String,
    expression: Regex,
}

impl Pattern {
    /// # Errors
    /// In a few words, what is wrong with what was written.
    pub fn new(written: &str) -> Result<Self, String> {
        let expression = RegexBuilder::new(written)
            .case_insensitive(!has_capitals(written))
            .size_limit(SIZE)
            .dfa_size_limit(MEMORY)
            .build()
            .map_err(|error| what_is_wrong(&error))?;
        Ok(Self {
            written: written.to_owned(),
            expression,
        })
    }

    pub fn written(&self) -> &str {
        &self.written
    }

    /// The first match in a line that begins at `from` or after it. Nothing is no match.
    pub fn find(&self, line: &str, mut from: usize) -> Option<Range<usize>> {
        while from <= line.len() {
            let found = self.expression.find_at(line, from)?.range();
            if !found.is_empty() {
                return Some(found);
            }
            from = found.end + line[found.end..].chars().next().map_or(1, char::len_utf8);
        }
        None
    }
}

/// Whether a letter is written as a capital. What stands after a backslash is no letter: `\W`, `\p{Lu}`.
fn has_capitals(written: &str) -> bool {
    let mut chars = written.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '\\' {
            if c.is_uppercase() {
                return true;
            }
            continue;
        }
        let class = chars.next();
        if matches!(class, Some('p' | 'P' | 'x' | 'u' | 'U')) && chars.peek() == Some(&'{') {
            chars.by_ref().find(|&c| c == '}');
        }
    }
    false
}

/// The last line of the message, which says what is wrong; the others show where.
fn what_is_wrong(error: &Error) -> String {
    match error {
        Error::CompiledTooBig(_) => "this would be too large".to_owned(),
        error => {
            let message = error.to_string();
            let last = message.lines().next_back().unwrap_or_default();
            last.trim_start_matches("error: ").to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(written: &str, line: &str) -> Vec<(usize, usize)> {
        let pattern = Pattern::new(written).unwrap();
        let mut found: Vec<(usize, usize)> = Vec::new();
        while let Some(next) = pattern.find(line, found.last().map_or(0, |last| last.1)) {
            found.push((next.start, next.end));
        }
        found
    }

    #[test]
    fn capital_letters_matter_only_if_there_are_some() {
        assert_eq!(all("tea", "Tea tea TEA").len(), 3);
        assert_eq!(all("Tea", "Tea tea TEA"), [(0, 3)]);
        assert_eq!(all("größe", "GRÖSSE GRÖßE"), [(8, 15)]);
        assert_eq!(all(r"\Sea", "Tea sea").len(), 2);
        assert_eq!(all(r"\p{Lu}ea", "Tea sea").len(), 2, "then a capital is any letter");
        assert_eq!(all(r"\x{54}ea", "Tea tea").len(), 2);
        assert!(has_capitals(r"\\A") && has_capitals(r"\p{Lu}A") && !has_capitals(r"\A\W\D\S\B"));
    }

    #[test]
    fn expressions_are_expressions() {
        assert_eq!(all("a.c", "abc a.c"), [(0, 3), (4, 7)]);
        assert_eq!(all(r"a\.c", "abc a.c"), [(4, 7)]);
        assert_eq!(all(r"\bis$", "this is"), [(5, 7)]);
        assert_eq!(all("^t|s", "tst"), [(0, 1), (1, 2)]);
        assert_eq!(all("x*", "axxb"), [(1, 3)], "nothing is no match");
        assert!(all("", "abc").is_empty());
        assert!(all("(?:)", "äé").is_empty());
    }

    #[test]
    fn what_is_wrong_is_said_in_a_few_words() {
        let wrong = |written| Pattern::new(written).unwrap_err();
        assert_eq!(wrong("(a"), "unclosed group");
        assert_eq!(wrong("a**?{"), "unclosed counted repetition");
        assert_eq!(
            wrong("[z-a]"),
            "invalid character class range, the start must be <= the end"
        );
        assert_eq!(wrong(r"(\w{1000}){1000}"), "this would be too large");
        assert_eq!(
            wrong(r"a\"),
            "incomplete escape sequence, reached end of pattern prematurely"
        );
    }

    #[test]
    fn no_expression_takes_for_ever() {
        let line = "a".repeat(20_000);
        assert_eq!(all("(a|a)*$", &line), [(0, 20_000)]);
        assert!(all("(a*)*b", &line).is_empty());
    }

    proptest! {
        #[test]
        fn whatever_is_written_is_an_expression_or_wrong(written in r"[a-cA\\(){}\[\]*+?.|^$0-9é-]{0,12}", line in "[a-cAé(. ]{0,12}") {
            if let Ok(pattern) = Pattern::new(&written) {
                let mut at = 0;
                while let Some(found) = pattern.find(&line, at) {
                    prop_assert!(!found.is_empty() && found.start >= at);
                    prop_assert!(line.get(found.clone()).is_some());
                    at = found.end;
                }
            }
        }
    }
}
