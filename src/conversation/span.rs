//! Finding, in a free question, the text that it is about: a piece that stands verbatim in the documents.
//!
//! What is marked by backquotes or quotation marks is meant, and nothing else is then tried. Otherwise names come before
//! phrases, longer before shorter, rare before frequent; a name that does fit the question (it is defined somewhere, and
//! its definition is asked for) comes before one that does not. A phrase of several words has no definition and is looked
//! for as text.

use super::code::Code;
use super::definition::{Defines, defines, is_keyword};
use super::evidence::{Asked, Kind};
use super::value::{number_for, value_of};
use super::words::{contains_word, is_word, leading_name, occurrences};
use crate::context::Pack;

/// Questions are a sentence or two; what comes after so many words is not searched.
const MAX_WORDS: usize = 200;

const QUOTES: [(char, char); 6] = [('`', '`'), ('"', '"'), ('“', '”'), ('‘', '’'), ('«', '»'), ('\'', '\'')];

const STOP_WORDS: &str = "a about above all also am an and any anything appear appears appearing are as ask at be been \
    being but by called can code come comes could computed decide decides declaration declare declared declares define defined defines \
    definition did do document documents does doing done each equal equals exactly file files find first for from \
    function get give given go goes had handle handled handles happen happens has have he her here him his how i if implement implementation implemented implements in into is it its just kind know \
    like line lines live lives locate located look made magic make many may me mean means mention mentioned more most much must my \
    name named no not number occur occurs of on one only or other our out over passage please place quote said say says \
    search see set shall she should show so some somewhere special stand stands text than that the their them then \
    there these they this those to up us use used uses value variable very was we were what what's when where where's whether \
    which who whose why will with word words would write written you your";

/// What a question of this kind asks for.
pub(super) fn choose(question: &str, kind: Kind, pack: &Pack) -> Result<Asked, String> {
    let marked: Vec<&str> = quoted(question)
        .into_iter()
        .map(|(from, to)| question[from..to].trim())
        .collect();
    if !marked.is_empty() {
        return best(&marked, kind, pack, |text, needle| text.matches(needle).count())
            .map(|span| owned(question, span, narrow(span, kind, pack), pack))
            .ok_or_else(|| nowhere(&marked));
    }
    let words = words(question);
    let names: Vec<&str> = words
        .iter()
        .map(|&(from, to)| &question[from..to])
        .filter(|w| is_identifier(w))
        .collect();
    if let Some(name) = best(&names, kind, pack, whole) {
        return Ok(owned(question, name, narrow(name, kind, pack), pack));
    }
    if let Some(asked) = names.iter().find_map(|name| member(name, kind, pack)) {
        return Ok(asked);
    }
    let unmistakable: Vec<&str> = names.iter().copied().filter(|name| is_unmistakable(name)).collect();
    if !unmistakable.is_empty() {
        return Err(nowhere(&unmistakable));
    }
    // The verb that a question ends in ("where is it skipped?") is looked for only if there is nothing else.
    let verb = words
        .last()
        .is_some_and(|&(from, to)| question[from..to].ends_with("ed"));
    let without = &words[..words.len() - usize::from(verb)];
    for words in [without, &words] {
        if let Some(phrase) = best(&phrases(question, words, pack), kind, pack, whole) {
            let name = without_keywords(phrase, kind);
            let is_text = matches!(kind, Kind::Define | Kind::Value)
                && name.contains(char::is_whitespace)
                && !fits(name, kind, pack);
            let asked = Asked::new(if is_text { Kind::Find } else { kind }, name);
            return Ok(owned(question, name, asked, pack));
        }
    }
    let other = other_case(question, &words, pack);
    other.map(|word| Asked::new(kind, word)).ok_or_else(|| {
        format!("no word of the question that could be looked for stands in the documents. {HOW_TO_ASK}")
    })
}

/// What a person should know before asking the bundled model.
pub const HOW_TO_ASK: &str = "This model only finds and quotes: ask for a piece of text exactly as it stands there, for \
                          example: Where is `name` defined? Which line has `some words`? What is the value of `NAME`?";

fn nowhere(spans: &[&str]) -> String {
    let spans: Vec<String> = spans.iter().map(|span| format!("`{span}`")).collect();
    format!("{} stands nowhere in the documents. {HOW_TO_ASK}", spans.join(", "))
}

/// Byte ranges of the texts between quotation marks.
pub(super) fn quoted(question: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some((at, open)) = question[from..]
        .char_indices()
        .find(|&(_, c)| QUOTES.iter().any(|q| q.0 == c))
    {
        let at = from + at;
        let inside = at + open.len_utf8();
        from = inside;
        let close = QUOTES.iter().find(|q| q.0 == open).map_or(open, |q| q.1);
        if matches!(open, '\'' | '‘') && question[..at].ends_with(is_word) {
            continue;
        }
        let ends = question[inside..].match_indices(close).map(|(end, _)| inside + end);
        let apostrophe = |end: usize| close == '\'' && question[end + 1..].starts_with(is_word);
        let Some(end) = ends.filter(|&end| !apostrophe(end)).find(|&end| end > inside) else {
            continue;
        };
        if !question[inside..end].trim().is_empty() {
            found.push((inside, end));
        }
        from = end + close.len_utf8();
    }
    found
}

/// Of the candidates that stand in the documents: those that fit the kind of question, then the longest, then the
/// rarest, then the first.
fn best<'q>(candidates: &[&'q str], kind: Kind, pack: &Pack, count: impl Fn(&str, &str) -> usize) -> Option<&'q str> {
    let rank = |candidate: &&'q str| {
        let stands: usize = pack.documents.iter().map(|d| count(&d.text, candidate)).sum();
        let line = !candidate.contains('\n') && stands > 0;
        line.then(|| {
            (
                !fits(bare_name(candidate), kind, pack),
                usize::MAX - candidate.len(),
                stands,
            )
        })
    };
    let ranked = candidates.iter().filter_map(|c| Some((rank(c)?, *c)));
    ranked.min_by_key(|&(rank, _)| rank).map(|(_, candidate)| candidate)
}

fn whole(text: &str, needle: &str) -> usize {
    occurrences(text, needle).count()
}

/// Some line is an answer to this kind of question about this name.
pub(super) fn fits(name: &str, kind: Kind, pack: &Pack) -> bool {
    if kind == Kind::Find {
        return true;
    }
    pack.documents
        .iter()
        .filter(|d| contains_word(&d.text, name))
        .any(|document| {
            let code = Code::of(document);
            document.lines.iter().any(|bytes| {
                let (text, code_text) = (&document.text[bytes.clone()], code.line(&bytes));
                if !text.contains(name) || code.inside(bytes.start) {
                    return false;
                }
                match kind {
                    Kind::Find => true,
                    Kind::Define => defines(code_text, &document.path, name) != Defines::No,
                    Kind::Value => value_of(text, code_text, &document.path, name).is_some(),
                    Kind::Needle(adjective) => number_for(text, adjective, name).is_some(),
                }
            })
        })
}

/// A definition and a value are those of a bare name: of `Config::load(path)`, `load`, whose owner is `Config`.
pub(super) fn narrow(span: &str, kind: Kind, pack: &Pack) -> Asked {
    let bare = bare_name(span);
    let narrowed = matches!(kind, Kind::Define | Kind::Value) && contained(bare, pack) && fits(bare, kind, pack);
    if !narrowed {
        return Asked::new(kind, span);
    }
    let owner = owner(span, bare).map(str::to_owned);
    Asked {
        owner,
        ..Asked::new(kind, bare)
    }
}

/// What a path that stands nowhere as it is written would be the name of: `start` of `worker::start`.
fn member(path: &str, kind: Kind, pack: &Pack) -> Option<Asked> {
    let kind = if kind == Kind::Find { Kind::Define } else { kind };
    let asked = narrow(path, kind, pack);
    (asked.owner.is_some() && path.contains("::")).then_some(asked)
}

/// The same question, about a member of the type that it names after the span: "`load` of Config".
fn owned(question: &str, span: &str, asked: Asked, pack: &Pack) -> Asked {
    if asked.owner.is_some() || !matches!(asked.kind, Kind::Define | Kind::Value) {
        return asked;
    }
    let after = question.split_once(span).map_or("", |(_, after)| after);
    let mut words = after.split(|c| !is_word(c)).filter(|word| !word.is_empty());
    let named = words.next().is_some_and(|word| ["of", "in"].contains(&word));
    let owner = words.find(|word| !is_keyword(word) && *word != "the").filter(|word| {
        named && word.starts_with(char::is_uppercase) && *word != asked.span && fits(word, Kind::Define, pack)
    });
    Asked {
        owner: owner.map(str::to_owned),
        ..asked
    }
}

/// A phrase without the words that introduce a definition: of `struct Worker`, `Worker`.
fn without_keywords(phrase: &str, kind: Kind) -> &str {
    if !matches!(kind, Kind::Define | Kind::Value) {
        return phrase;
    }
    match phrase.split_once(char::is_whitespace) {
        Some((word, rest)) if is_keyword(word) => without_keywords(rest.trim_start(), kind),
        _ => phrase,
    }
}

/// The name before the last `::` or `.` that `bare` follows.
fn owner<'s>(span: &'s str, bare: &str) -> Option<&'s str> {
    let starts = span.match_indices(bare).map(|(at, _)| at);
    let path = starts
        .map(|at| &span[..at])
        .find_map(|path| path.strip_suffix("::").or(path.strip_suffix('.')))?;
    let path = if path.ends_with('>') {
        path.split('<').next().unwrap_or_default()
    } else {
        path
    };
    let owner = path.rsplit(|c| !is_word(c)).next().unwrap_or_default();
    (!owner.is_empty() && !["self", "Self", "this", "crate", "super"].contains(&owner)).then_some(owner)
}

fn contained(name: &str, pack: &Pack) -> bool {
    pack.documents.iter().any(|d| contains_word(&d.text, name))
}

fn bare_name(span: &str) -> &str {
    let span = span.rsplit_once(">::").map_or(span, |(_, name)| name);
    let end = span.find(['(', '<', '{', '[', '=', ';', '!']).unwrap_or(span.len());
    let head = span[..end].split(": ").next().unwrap_or_default().trim();
    let name = head
        .rsplit(|c| !is_word(c))
        .find(|part| !part.is_empty())
        .unwrap_or_default();
    if name.is_empty() { span } else { name }
}

/// The words of a question without the punctuation around them, as byte ranges.
fn words(question: &str) -> Vec<(usize, usize)> {
    let mut words = Vec::new();
    let mut from = 0;
    for piece in question.split_inclusive(char::is_whitespace) {
        let start = from;
        from += piece.len();
        let word = piece.trim_end();
        let lead = word.len() - word.trim_start_matches(['(', '[', '{', '"', '“', ',', ';']).len();
        let bare = &word[lead..];
        let bare = bare.trim_end_matches(['.', ',', ';', ':', '?', '!', ')', ']', '}', '(', '"', '”', '…']);
        let bare = bare
            .strip_suffix("'s")
            .or_else(|| bare.strip_suffix("’s"))
            .unwrap_or(bare);
        if !bare.is_empty() {
            words.push((start + lead, start + lead + bare.len()));
        }
    }
    words.truncate(MAX_WORDS);
    words
}

fn is_identifier(word: &str) -> bool {
    let inner_capital = word.chars().skip(1).any(char::is_uppercase);
    let inner_mark = word.get(1..).is_some_and(|rest| rest.contains(['.', '/']));
    let digit = word.chars().any(|c| c.is_ascii_digit());
    inner_capital || inner_mark || digit || word.contains('_') || word.contains("::") || word.starts_with("--")
}

/// No word of any prose looks like this.
fn is_unmistakable(word: &str) -> bool {
    let mut characters = word.chars().zip(word.chars().skip(1));
    word.contains('_') || word.contains("::") || characters.any(|(a, b)| a.is_lowercase() && b.is_uppercase())
}

fn is_stop_word(word: &str) -> bool {
    let lower = word.to_lowercase();
    STOP_WORDS.split_whitespace().any(|stop| stop == lower)
}

/// For each word that a phrase may begin with, the phrases from there that stand in the documents.
fn phrases<'q>(question: &'q str, words: &[(usize, usize)], pack: &Pack) -> Vec<&'q str> {
    // Inside a sentence, a capital makes a name of any word.
    let capital =
        |from: usize, to: usize| from > 0 && to > from + 1 && question[from..to].starts_with(char::is_uppercase);
    let stop = |&(from, to): &(usize, usize)| is_stop_word(&question[from..to]) && !capital(from, to);
    let mut phrases = Vec::new();
    for (i, first) in words.iter().enumerate().filter(|(_, w)| !stop(w)) {
        for last in &words[i..] {
            let phrase = &question[first.0..last.1];
            if !contained(phrase, pack) {
                break;
            }
            if !stop(last) && phrase.chars().any(is_word) {
                phrases.push(phrase);
            }
        }
    }
    phrases
}

/// The longest word that stands in the documents in lower case or with a capital.
fn other_case(question: &str, words: &[(usize, usize)], pack: &Pack) -> Option<String> {
    let variants = words
        .iter()
        .map(|&(from, to)| &question[from..to])
        .filter(|w| !is_stop_word(w))
        .flat_map(|word| {
            let lower = word.to_lowercase();
            let (first, rest) = lower.split_at(lower.chars().next().map_or(0, char::len_utf8));
            let title = first.to_uppercase() + rest;
            [lower, title]
        });
    variants
        .filter(|word| leading_name(word).1.is_empty() && contained(word, pack))
        .max_by_key(String::len)
}

#[cfg(test)]
mod tests {
    use super::super::testing::pack;
    use super::*;

    fn docs() -> Pack {
        pack(&[
            (
                "a.rs",
                "pub fn parse_config() {}\nfn main() { Config::load(x1); parse_config() }\nconst LIMIT: u8 = 3;\n",
            ),
            (
                "b.txt",
                "Call me Ishmael.\nthe white whale and the white sea, e.g. \"foo bar\"\nload the ship\n",
            ),
            ("c.rs", "impl Config {\n    fn load(x: u8) {}\n}\n"),
        ])
    }

    fn chosen(question: &str, kind: Kind) -> String {
        choose(question, kind, &docs()).map_or_else(|e| format!("ERROR {e}"), |asked| asked.span)
    }

    #[test]
    fn marked_text_is_meant() {
        for (question, span) in [
            ("where is `white whale` seen", "white whale"),
            ("where is \"white whale\" seen in parse_config", "white whale"),
            ("where is “white sea” then", "white sea"),
            ("who's 'Ishmael' and what's he want", "Ishmael"),
            ("is it `nothing here` or `load`", "load"),
            ("find ` fn main `", "fn main"),
        ] {
            assert_eq!(chosen(question, Kind::Find), span, "{question}");
        }
        let error = chosen("where is `no such text`, in Config::load?", Kind::Find);
        assert!(
            error.starts_with("ERROR `no such text` stands nowhere in the documents. This model only"),
            "{error}"
        );
    }

    #[test]
    fn names_come_before_phrases() {
        for (question, kind, span) in [
            (
                "Where do we call parse_config, with the white whale?",
                Kind::Find,
                "parse_config",
            ),
            (
                "where is the function parse_config() defined?",
                Kind::Define,
                "parse_config",
            ),
            ("Where is Config::load defined", Kind::Define, "load"),
            ("Where is `fn load(x: u8)` defined", Kind::Define, "load"),
            ("what does LIMIT equal", Kind::Value, "LIMIT"),
            ("Where is x1 or LIMIT used?", Kind::Find, "LIMIT"),
        ] {
            assert_eq!(chosen(question, kind), span, "{question}");
        }
        assert!(chosen("where is parse_confg defined", Kind::Define).starts_with("ERROR `parse_confg`"));
    }

    #[test]
    fn a_bare_name_remembers_whose_it_is() {
        for (span, owner) in [
            ("Config::load", Some("Config")),
            ("a::Config::load(x)", Some("Config")),
            ("Config<u8>::load", Some("Config")),
            ("config.load", Some("config")),
            ("self.load", None),
            ("fn load", None),
            ("load", None),
            ("load::load", Some("load")),
        ] {
            let asked = narrow(span, Kind::Define, &docs());
            assert_eq!((asked.span.as_str(), asked.owner.as_deref()), ("load", owner), "{span}");
        }
    }

    #[test]
    fn an_owner_may_come_after_the_name() {
        let owner = |question| choose(question, Kind::Define, &docs()).unwrap().owner;
        assert_eq!(owner("Where is the function `load` of Config defined?"), None);
        let docs = pack(&[("a.rs", "struct Config;\nimpl Config {\n    fn load() {}\n}\n")]);
        let owner = |question| choose(question, Kind::Define, &docs).unwrap().owner;
        for question in [
            "Where is the function `load` of Config defined?",
            "Where is `load` in the struct Config defined?",
            "where is Config::load defined",
        ] {
            assert_eq!(owner(question).as_deref(), Some("Config"), "{question}");
        }
        assert_eq!(owner("Where is the function `load` defined in Other?"), None);
    }

    #[test]
    fn words_that_only_serve_the_question_are_left_out() {
        let docs = pack(&[(
            "a.rs",
            "mod sampler; // implemented, handled, skipped\nstruct Worker; // struct Worker\n/// chat template\nDocument\n",
        )]);
        for (question, kind, asked, span) in [
            ("where is the sampler implemented?", Kind::Find, Kind::Find, "sampler"),
            ("where is the sampler skipped?", Kind::Find, Kind::Find, "sampler"),
            ("what is skipped?", Kind::Find, Kind::Find, "skipped"),
            (
                "where is the struct Worker defined?",
                Kind::Define,
                Kind::Define,
                "Worker",
            ),
            ("where is the struct Worker?", Kind::Find, Kind::Find, "struct Worker"),
            (
                "what defines the chat template?",
                Kind::Define,
                Kind::Find,
                "chat template",
            ),
            ("where does Document come from?", Kind::Find, Kind::Find, "Document"),
        ] {
            let chosen = choose(question, kind, &docs).unwrap();
            assert_eq!((chosen.kind, chosen.span.as_str()), (asked, span), "{question}");
        }
    }

    #[test]
    fn a_path_that_stands_nowhere_may_have_its_name_defined() {
        let docs = pack(&[("worker.rs", "pub fn start() {}\n")]);
        let asked = choose("where is worker::start?", Kind::Find, &docs).unwrap();
        assert_eq!((asked.kind, asked.span.as_str()), (Kind::Define, "start"));
        assert_eq!(asked.owner.as_deref(), Some("worker"));
    }

    #[test]
    fn else_the_longest_phrase_that_stands_there() {
        for (question, span) in [
            ("What do they say about the white whale and the captain?", "white whale"),
            ("Where is the white sea?", "white sea"),
            ("Where is the WHALE?", "whale"),
            ("where does ishmael appear", "Ishmael"),
        ] {
            assert_eq!(chosen(question, Kind::Find), span, "{question}");
        }
        for question in ["", "where is it?", "quantum chromodynamics", "???"] {
            assert!(
                chosen(question, Kind::Find).starts_with("ERROR no word of the question"),
                "{question}"
            );
        }
    }
}
