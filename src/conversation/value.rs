//! What a line says a name is set to.

use super::words::{occurrences, strip_assignment};

/// Tokens at which the bundled model cuts a value off.
const CUT: usize = 24;

/// What the line sets `name` to, up to its end: `name = value`, `name := value`, `name: value`, `name: type = value`.
pub(super) fn value_of<'l>(line: &'l str, name: &'l str) -> Option<&'l str> {
    occurrences(line, name).find_map(|at| {
        let tail = &line[at + name.len()..];
        let tail = tail.strip_prefix(['"', '\'', '`']).unwrap_or(tail).trim_start();
        if let Some(value) = tail.strip_prefix(":=").or_else(|| strip_assignment(tail)) {
            return Some(value.trim());
        }
        let typed = tail.strip_prefix(':').filter(|rest| !rest.starts_with(':'))?;
        let value = typed
            .char_indices()
            .filter(|&(_, c)| c == '=')
            .find(|&(at, _)| !typed[..at].ends_with(['=', '<', '>', '!']))
            .and_then(|(at, _)| strip_assignment(&typed[at..]));
        Some(value.unwrap_or(typed).trim()).filter(|value| !value.is_empty())
    })
}

/// Whether `answer` is `value`, and not only a part of it; marks that end a statement and a comment after them do not
/// count. An answer of `tokens` tokens may have been cut off.
pub(super) fn is_value(answer: &str, tokens: usize, value: &str) -> bool {
    let ends = |text: &str| text.trim_end().trim_end_matches([';', ',']).trim_end().to_owned();
    let (answer, value) = (answer.trim(), value.trim());
    if answer.is_empty() || ends(answer).is_empty() {
        return false;
    }
    if ends(answer) == ends(value) || (tokens >= CUT && value.starts_with(answer)) {
        return true;
    }
    let Some(rest) = value.strip_prefix(&ends(answer)) else {
        return false;
    };
    let unmarked = rest.trim_start_matches([';', ',']);
    let comment = unmarked.trim_start();
    unmarked.len() != comment.len() && ["//", "#", "/*", "--"].iter().any(|mark| comment.starts_with(mark))
}

/// The number that the line gives for `name` as its `adjective` number ("The magic number for tea is 1234.").
pub(super) fn number_for<'l>(line: &'l str, adjective: &str, name: &str) -> Option<&'l str> {
    let phrase = format!("{adjective} number for {name}");
    let at = occurrences(line, &phrase).next()?;
    let tail = &line[at + phrase.len()..];
    let from = tail.find(|c: char| c.is_ascii_digit())?;
    let digits = &tail[from..];
    let number = &digits[..digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len())];
    let plain =
        !tail[..from].ends_with(['-', '.', '_']) && !digits[number.len()..].starts_with(|c: char| c.is_alphanumeric());
    let decimal = digits[number.len()..]
        .strip_prefix(['.', ',', '_'])
        .is_some_and(|r| r.starts_with(|c: char| c.is_ascii_digit()));
    (plain && !decimal && !tail[..from].contains(". ")).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_what_follows_the_name() {
        for (line, value) in [
            ("const RETRIES: usize = 10;", Some("10;")),
            ("RETRIES = 10", Some("10")),
            ("    let mut RETRIES=f(x == y);", Some("f(x == y);")),
            ("RETRIES := 10", Some("10")),
            ("\"RETRIES\": [1, 2],", Some("[1, 2],")),
            ("RETRIES: 10", Some("10")),
            ("if x == RETRIES { RETRIES = 3 }", Some("3 }")),
            ("if RETRIES == 10 {", None),
            ("RETRIES => 10", None),
            ("MAX_RETRIES = 10", None),
            ("RETRIES::new()", None),
            ("x = RETRIES", None),
            ("RETRIES <= 10", None),
        ] {
            assert_eq!(value_of(line, "RETRIES"), value, "{line}");
        }
    }

    #[test]
    fn a_part_of_a_value_is_not_the_value() {
        for (answer, value, same) in [
            ("10", "10;", true),
            ("10;", "10", true),
            ("10", "10; // seconds", true),
            ("10", "10  # seconds", true),
            ("1", "10;", false),
            ("10", "10 + 1", false),
            ("10", "10 - 1", false),
            ("10", "100", false),
            ("", "", false),
            (";", ";", false),
            ("f", "f#x", false),
        ] {
            assert_eq!(is_value(answer, 2, value), same, "{answer} {value}");
        }
        assert!(is_value("a, b", 24, "a, b, c"));
        assert!(!is_value("a, c", 24, "a, b, c"));
    }

    #[test]
    fn numbers_belong_to_their_names() {
        let line = "The magic number for tea is 1234. The special number for coffee is 77.";
        assert_eq!(number_for(line, "magic", "tea"), Some("1234"));
        assert_eq!(number_for(line, "special", "coffee"), Some("77"));
        assert_eq!(number_for(line, "special", "tea"), None);
        assert_eq!(number_for(line, "magic", "te"), None);
        assert_eq!(
            number_for("The magic number for tea is unknown. It has 3 leaves.", "magic", "tea"),
            None
        );
        assert_eq!(number_for("The magic number for tea is 3.5", "magic", "tea"), None);
        assert_eq!(number_for("The magic number for tea is -3", "magic", "tea"), None);
    }
}
