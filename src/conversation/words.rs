//! Names and phrases in lines of text.

/// A character that names are made of: next to it, a name has not ended.
pub(super) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Where `needle` stands in `text` by itself: not as a part of a longer name.
pub(super) fn occurrences<'t>(text: &'t str, needle: &'t str) -> impl Iterator<Item = usize> + 't {
    let edge = |c: Option<char>| c.is_some_and(is_word);
    let (word_first, word_last) = (edge(needle.chars().next()), edge(needle.chars().next_back()));
    text.match_indices(needle).map(|(at, _)| at).filter(move |&at| {
        let goes_on_before = word_first && edge(text[..at].chars().next_back());
        let goes_on_after = word_last && edge(text[at + needle.len()..].chars().next());
        !(needle.is_empty() || goes_on_before || goes_on_after)
    })
}

pub(super) fn contains_word(text: &str, needle: &str) -> bool {
    occurrences(text, needle).next().is_some()
}

/// The rest of `text` after `name`, if it begins with just this name.
pub(super) fn strip_name<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    text.strip_prefix(name)
        .filter(|rest| !rest.starts_with(is_word) && !name.is_empty())
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
    }

    #[test]
    fn files_have_kinds() {
        assert_eq!(
            ["a/b.RS", "Makefile", "x.tar.gz"].map(kind_of_file),
            ["rs", "makefile", "gz"]
        );
    }
}
