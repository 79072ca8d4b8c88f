//! What is being written at the cursor, and what could complete it.

use std::ops::Range;

use super::super::command::{self, Action, Argument};
use super::super::words;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// A document or a folder in a question, after `@`.
    Mention,
    /// A document or a folder, to take it out.
    Document,
    LeftOut,
    /// A file or a folder on the disk.
    File,
    /// A document to open.
    Open,
    /// A command, after `/`.
    Command,
    /// One of these words, parted by `|`.
    Choice(&'static str),
    Theme,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    pub wanted: Wanted,
    /// The bytes of the text that a completion replaces.
    pub range: Range<usize>,
    /// What it says so far.
    pub query: String,
}

/// What the argument of a command may be.
fn argument(name: &str) -> Option<Wanted> {
    let (_, found) = command::visible(false).find(|(known, _)| *known == name)?;
    let (_, Argument::Optional(argument)) = found.slash? else {
        return None;
    };
    match found.action {
        Action::Load => Some(Wanted::File),
        Action::Unload => Some(Wanted::Document),
        Action::Include => Some(Wanted::LeftOut),
        Action::Open => Some(Wanted::Open),
        Action::Theme => Some(Wanted::Theme),
        _ => argument.contains('|').then_some(Wanted::Choice(argument)),
    }
}

/// The word that ends at the cursor, if it is one that can be completed.
#[must_use]
pub fn at(text: &str, cursor: usize) -> Option<Word> {
    let before = text.get(..cursor)?;
    if let Some(command) = before.strip_prefix('/') {
        let Some((name, arguments)) = command.split_once(char::is_whitespace) else {
            return Some(Word {
                wanted: Wanted::Command,
                range: 0..cursor,
                query: before.to_owned(),
            });
        };
        let wanted = argument(name)?;
        let (start, query) = words::last(arguments);
        let start = before.len() - arguments.len() + start;
        return Some(Word {
            wanted,
            range: start..cursor,
            query,
        });
    }
    let (start, query) = mention(before)?;
    Some(Word {
        wanted: Wanted::Mention,
        range: start..cursor,
        query: query.to_owned(),
    })
}

/// The last `@…` of a text, if nothing follows it.
fn mention(before: &str) -> Option<(usize, &str)> {
    let at = before.rfind('@')?;
    if !begins_word(&before[..at]) {
        return None;
    }
    let query = &before[at + 1..];
    let (query, is_open) = match query.strip_prefix('"') {
        Some(quoted) => (quoted, !quoted.contains(['"', '\n'])),
        None => (query, !query.contains(char::is_whitespace)),
    };
    is_open.then_some((at, query))
}

/// Whether a word could begin after this.
fn begins_word(before: &str) -> bool {
    before
        .chars()
        .next_back()
        .is_none_or(|c| c.is_whitespace() || matches!(c, '(' | '[' | '{' | '"' | '\'' | '`' | '«' | '“' | '‘'))
}

/// The text with each `@name` that names something by `is_known` without its `@`: what the model reads.
#[must_use]
pub fn without_marks(text: &str, is_known: impl Fn(&str) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('@') {
        let (before, marked) = rest.split_at(at);
        out.push_str(before);
        let named = &marked[1..];
        let length = if begins_word(&out) {
            known_name(named, &is_known)
        } else {
            None
        };
        if let Some((name, length)) = length {
            out.push_str(name);
            rest = &named[length..];
        } else {
            out.push('@');
            rest = named;
        }
    }
    out + rest
}

/// A known name at the beginning of a text, and the bytes that it takes with its quotation marks. What follows a name
/// may be the end of a sentence or a line's number.
fn known_name<'t>(text: &'t str, is_known: &impl Fn(&str) -> bool) -> Option<(&'t str, usize)> {
    if let Some(quoted) = text.strip_prefix('"') {
        let name = &quoted[..quoted.find('"')?];
        return is_known(name).then_some((name, name.len() + 2));
    }
    let word = text.split(char::is_whitespace).next()?;
    let trimmed = word.trim_end_matches(|c: char| c.is_ascii_punctuation() && c != '/');
    let numbered = word.split(':').next()?;
    [word, trimmed, numbered]
        .into_iter()
        .find(|name| !name.is_empty() && is_known(name))
        .map(|name| (name, name.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is wanted and asked for at the `|`.
    fn found(text: &str) -> Option<(Wanted, String, String)> {
        let (before, after) = text.split_once('|').unwrap();
        let whole = format!("{before}{after}");
        at(&whole, before.len()).map(|word| (word.wanted, whole[word.range].to_owned(), word.query))
    }

    #[test]
    fn words_that_can_be_completed() {
        use Wanted::{Document, File, LeftOut, Mention};
        let some = |wanted, range: &str, query: &str| Some((wanted, range.to_owned(), query.to_owned()));
        assert_eq!(found("@|"), some(Mention, "@", ""));
        assert_eq!(found("what does @src/m| do"), some(Mention, "@src/m", "src/m"));
        assert_eq!(found("(@x|)"), some(Mention, "@x", "x"));
        assert_eq!(found("a\n@x|"), some(Mention, "@x", "x"));
        assert_eq!(found("@\"my do|"), some(Mention, "@\"my do", "my do"));
        assert_eq!(found("@\"my do\"|"), None);
        assert_eq!(found("me@x|"), None);
        assert_eq!(found("@x y|"), None);
        assert_eq!(found("x|"), None);
        assert_eq!(found("/load sr|"), some(File, "sr", "sr"));
        assert_eq!(found("/load 'a b|"), some(File, "'a b", "a b"));
        assert_eq!(found("/load a |"), some(File, "", ""));
        assert_eq!(found("/unload a b|"), some(Document, "b", "b"));
        assert_eq!(found("/include |"), some(LeftOut, "", ""));
        assert_eq!(found("/load|"), some(Wanted::Command, "/load", "/load"));
        assert_eq!(found("/|"), some(Wanted::Command, "/", "/"));
        assert_eq!(found("/lo|ad x"), some(Wanted::Command, "/lo", "/lo"));
        assert_eq!(found("/theme x|"), some(Wanted::Theme, "x", "x"));
        assert_eq!(found("/vim o|"), some(Wanted::Choice("on|off"), "o", "o"));
        assert_eq!(found("/help x|"), None);
        assert_eq!(found("/nothing x|"), None);
        assert_eq!(found(" /load|"), None);
    }

    #[test]
    fn marks_are_dropped_from_what_is_known_only() {
        let known = ["src/main.rs", "src/", "my file", "a.b"];
        let sent = |text: &str| without_marks(text, |name| known.contains(&name));
        assert_eq!(sent("what is @src/main.rs?"), "what is src/main.rs?");
        assert_eq!(sent("(@src/main.rs:12) in @src/ now"), "(src/main.rs:12) in src/ now");
        assert_eq!(sent("@\"my file\" @\"my other\""), "my file @\"my other\"");
        assert_eq!(sent("@Override me@src/ @@a.b @"), "@Override me@src/ @@a.b @");
        assert_eq!(sent("@a.b. @a.b"), "a.b. a.b");
    }
}
