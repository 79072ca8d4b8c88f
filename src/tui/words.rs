//! Words of a line as a shell parts them, for the arguments of slash commands.
//!
//! Words are parted by white space, but not within quotation marks; a backslash takes the next character as it is.

/// The words of a line.
///
/// # Errors
/// If a quotation mark is not closed; with what to say.
pub fn split(line: &str) -> Result<Vec<String>, String> {
    let (mut words, open) = scan(line);
    if let Some(quote) = open.quote {
        return Err(format!("the quotation mark {quote} is not closed"));
    }
    words.extend(open.word);
    Ok(words)
}

/// The word at the end of a line that is still being written: where it begins, and what it says so far.
#[must_use]
pub fn last(line: &str) -> (usize, String) {
    let (_, open) = scan(line);
    match open.word {
        Some(word) => (open.start, word),
        None => (line.len(), String::new()),
    }
}

/// A word such that [`split`] gives it back.
#[must_use]
pub fn quoted(word: &str) -> String {
    let is_plain = |c: char| !c.is_whitespace() && !matches!(c, '\'' | '"' | '\\');
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r#"'"'"'"#))
    }
}

#[derive(Default)]
struct Open {
    word: Option<String>,
    start: usize,
    quote: Option<char>,
}

/// The complete words of a line, and the one that it ends in.
fn scan(line: &str) -> (Vec<String>, Open) {
    let mut words = Vec::new();
    let mut open = Open::default();
    let mut chars = line.char_indices();
    while let Some((at, c)) = chars.next() {
        if open.quote.is_none() && c.is_whitespace() {
            words.extend(open.word.take());
            continue;
        }
        if open.word.is_none() {
            open.start = at;
        }
        let word = open.word.get_or_insert_default();
        match (c, open.quote) {
            (c, Some(quote)) if c == quote => open.quote = None,
            ('"' | '\'', None) => open.quote = Some(c),
            ('\\', None | Some('"')) => word.push(chars.next().map_or('\\', |(_, c)| c)),
            (c, _) => word.push(c),
        }
    }
    (words, open)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_are_those_of_a_shell() {
        let words = |line| split(line).unwrap();
        assert_eq!(words("  a  b/c "), ["a", "b/c"]);
        assert_eq!(words(r#"'my file' "it's" a\ b"#), ["my file", "it's", "a b"]);
        assert_eq!(words(r#"x"y z"w '' \"#), ["xy zw", "", "\\"]);
        assert_eq!(words(""), Vec::<String>::new());
        assert!(split("'open").is_err());
    }

    #[test]
    fn the_last_word_may_be_unfinished() {
        assert_eq!(last("a b"), (2, "b".into()));
        assert_eq!(last("a 'b c"), (2, "b c".into()));
        assert_eq!(last("a "), (2, String::new()));
        assert_eq!(last("'my dir/'x"), (0, "my dir/x".into()));
    }

    proptest! {
        #[test]
        fn what_is_quoted_comes_back(words in prop::collection::vec("[ab '\"\\\\你\t]{0,6}", 0..4)) {
            let line = words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ");
            prop_assert_eq!(split(&line), Ok(words));
        }
    }
}
