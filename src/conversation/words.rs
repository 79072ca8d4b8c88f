//! Names and phrases in lines of text.

use unicode_width::UnicodeWidthChar;

/// A character that names are made of: next to it, a name has not ended. What has no width joins what it stands between.
pub(super) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || (!c.is_ascii() && c.width() == Some(0))
}

/// Where `needle` stands in `text` by itself: not as a part of a longer name or number.
pub(super) fn occurrences<'t>(text: &'t str, needle: &'t str) -> impl Iterator<Item = usize> + 't {
    let edge = |c: Option<char>| c.is_some_and(is_word);
    let digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
    let (first, last) = (needle.chars().next(), needle.chars().next_back());
    text.match_indices(needle).map(|(at, _)| at).filter(move |&at| {
        let (before, after) = (&text[..at], &text[at + needle.len()..]);
        let goes_on_before = edge(first) && edge(before.chars().next_back());
        let goes_on_after = edge(last) && edge(after.chars().next());
        let number_before = digit(first) && ends_in_number_and_point(before);
        let number_after = digit(last) && begins_with_point_and_number(after);
        !(needle.is_empty() || goes_on_before || goes_on_after || number_before || number_after)
    })
}

/// `1.` or `1,` of a longer number.
fn ends_in_number_and_point(text: &str) -> bool {
    text.strip_suffix(['.', ','])
        .is_some_and(|number| number.ends_with(|c: char| c.is_ascii_digit()))
}

/// `.5` or `,000` of a longer number.
pub(super) fn begins_with_point_and_number(text: &str) -> bool {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    text.strip_prefix('.').is_some_and(|rest| digits(rest) > 0)
        || text.strip_prefix(',').is_some_and(|rest| digits(rest) == 3)
}

/// Whether `word` is one of the words of a list.
pub(super) fn among(word: &str, list: &str) -> bool {
    !word.is_empty() && list.split_ascii_whitespace().any(|listed| listed == word)
}

pub(super) fn contains_word(text: &str, needle: &str) -> bool {
    occurrences(text, needle).next().is_some()
}

/// The rest of `text` after `name`, if it begins with just this name.
pub(super) fn strip_name<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    text.strip_prefix(name)
        .filter(|rest| !rest.starts_with(is_word) && !name.is_empty())
}

/// The rest of `text` after a `=` that is no part of `==`, `=>` or `=~`.
pub(super) fn strip_assignment(text: &str) -> Option<&str> {
    text.strip_prefix('=').filter(|rest| !rest.starts_with(['=', '>', '~']))
}

/// The name that `text` begins with, and the rest; the name is empty if there is none.
pub(super) fn leading_name(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c| !is_word(c)).unwrap_or(text.len()))
}

/// The extension of a path, or its file name if it has none, in lower case.
pub(super) fn kind_of_file(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.rsplit('.').next().unwrap_or(name).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_whole() {
        assert_eq!(
            occurrences("reread read read_x (read)", "read").collect::<Vec<_>>(),
            [7, 20]
        );
        assert!(contains_word("a -> b", "->"));
        assert!(contains_word("größe = 1", "größe"));
        assert!(!contains_word("größer", "größe"));
        assert!(!contains_word("x", ""));
        assert!(!contains_word("fo\u{200b}o foo\u{301}", "foo"));
    }

    #[test]
    fn numbers_are_found_whole() {
        for (text, number) in [
            ("1.5", "5"),
            ("1.5", "1"),
            ("1,000", "1"),
            ("1,000", "000"),
            ("15", "5"),
            ("5x", "5"),
        ] {
            assert!(!contains_word(text, number), "{number} in {text}");
        }
        for text in ["5", "x = 5.", "(5, 6)", "5, 6", "[4, 5]", "5,6"] {
            assert!(contains_word(text, "5"), "{text}");
        }
    }

    #[test]
    fn files_have_kinds() {
        assert_eq!(
            ["a/b.RS", "Makefile", "x.tar.gz"].map(kind_of_file),
            ["rs", "makefile", "gz"]
        );
    }
}
