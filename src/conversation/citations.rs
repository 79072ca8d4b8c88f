//! Finding and checking the places that the text of a chat model names.
//!
//! A place is `path:line` or `path:line-line` with the path of a document. What stands in backquotes on the same line of
//! the reply is taken for a quotation and belongs to the nearest place. A line of the reply is looked at when it is
//! complete, after its text has been shown, so that nothing waits for the check.

use std::ops::Range;
use std::sync::Arc;

use super::evidence::{only_place, unverified};
use super::places::{Place, places};
use super::words::contains_word;
use super::{Citation, Verdict};
use crate::context::{Pack, sanitize};
use crate::trace::Channel;

/// Among more lines than these, a short quotation stands by chance.
const LONGEST_RANGE: usize = 40;

/// Follows the text of a reply.
pub(super) struct Scanner {
    pack: Arc<Pack>,
    channel: Channel,
    line: String,
    fenced: bool,
}

impl Scanner {
    pub fn new(pack: Arc<Pack>, channel: Channel) -> Self {
        Self {
            pack,
            channel,
            line: String::new(),
            fenced: false,
        }
    }

    /// Takes more text; gives the citations of the lines that it completes.
    pub fn push(&mut self, text: &str) -> Vec<Citation> {
        let mut citations = Vec::new();
        for piece in text.split_inclusive('\n') {
            self.line.push_str(piece);
            if piece.ends_with('\n') {
                citations.extend(self.finish());
            }
        }
        citations
    }

    /// The citations of the last line.
    pub fn finish(&mut self) -> Vec<Citation> {
        let line = std::mem::take(&mut self.line);
        let fence = line.trim_start().starts_with("```");
        self.fenced ^= fence;
        if fence || self.fenced {
            Vec::new()
        } else {
            self.citations(&line)
        }
    }

    fn citations(&self, line: &str) -> Vec<Citation> {
        let places = places(line, &self.pack);
        let quotes: Vec<Range<usize>> = backquoted(line)
            .into_iter()
            .filter(|quote| !places.iter().any(|p| p.at.start < quote.end && quote.start < p.at.end))
            .collect();
        let mut citations = Vec::new();
        for (i, place) in places.iter().enumerate() {
            let own = quotes.iter().filter(|quote| nearest(quote, &places) == Some(i));
            let own: Vec<&str> = own.map(|quote| &line[quote.clone()]).collect();
            let own = if own.is_empty() { vec![""] } else { own };
            citations.extend(own.into_iter().map(|quote| self.citation(place, quote)));
        }
        citations
    }

    fn citation(&self, place: &Place<'_>, quote: &str) -> Citation {
        let verdict = match judge(place, quote) {
            Ok(()) => Verdict::Verified,
            Err(reason) if quote.trim().is_empty() => unverified(reason),
            Err(reason) => unverified(reason + &only_place(&self.pack, |line| contains_word(line.text, quote.trim()))),
        };
        Citation {
            channel: self.channel,
            path: sanitize(&place.path).into_owned(),
            line: place.first,
            quote: sanitize(quote).into_owned(),
            verdict,
        }
    }
}

fn judge(place: &Place<'_>, quote: &str) -> Result<(), String> {
    let Some(document) = place.document else {
        return Err("no document has this path, or more than one could be meant".into());
    };
    let lines = document.lines.len();
    if place.first == 0 || place.last < place.first || place.last > lines {
        return Err(format!("there are no such lines; {} has {lines}", document.path));
    }
    let quote = quote.trim();
    if quote.is_empty() {
        return Err("nothing is quoted, so that nothing can be checked".into());
    }
    if place.last - place.first >= LONGEST_RANGE {
        return Err("so many lines are named that the quotation proves nothing".into());
    }
    let stands = (place.first..=place.last).any(|n| document.line(n).is_some_and(|line| contains_word(line, quote)));
    if stands {
        Ok(())
    } else {
        Err("the quotation does not stand there".into())
    }
}

/// The place that a quotation belongs to; of two that are equally near, the one after it.
fn nearest(quote: &Range<usize>, places: &[Place<'_>]) -> Option<usize> {
    let distance = |place: &Place<'_>| {
        if place.at.start >= quote.end {
            (place.at.start - quote.end, 0)
        } else {
            (quote.start.saturating_sub(place.at.end), 1)
        }
    };
    (0..places.len()).min_by_key(|&i| distance(&places[i]))
}

/// Byte ranges of what stands between backquotes.
fn backquoted(line: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = line[from..].find('`').map(|at| from + at) {
        let ticks = line[at..].bytes().take_while(|&b| b == b'`').count();
        let inside = at + ticks;
        let Some(end) = line[inside..].find(&line[at..inside]).map(|end| inside + end) else {
            break;
        };
        if !line[inside..end].trim().is_empty() {
            found.push(inside..end);
        }
        from = end + ticks;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::testing::pack_as;
    use super::*;
    use crate::context::Layout;

    fn docs() -> Arc<Pack> {
        let files = [
            ("src/a.rs", "fn run() {\n    let retries = 10;\n}\n"),
            ("src/b/a.rs", "x\n"),
            ("my notes.txt", "tea\ntea\n"),
        ];
        Arc::new(pack_as(&Layout::Documents, &files))
    }

    fn scan(text: &str) -> Vec<(String, usize, String, Option<String>)> {
        let mut scanner = Scanner::new(docs(), Channel::Answer);
        let mut citations = scanner.push(text);
        citations.extend(scanner.finish());
        let reason = |verdict| match verdict {
            Verdict::Verified => None,
            Verdict::Unverified { reason } => Some(reason),
        };
        citations
            .into_iter()
            .map(|c| (c.path, c.line, c.quote, reason(c.verdict)))
            .collect()
    }

    fn only(text: &str) -> (String, usize, String, Option<String>) {
        let mut all = scan(text);
        assert_eq!(all.len(), 1, "{text}: {all:?}");
        all.remove(0)
    }

    #[test]
    fn quotations_beside_places_are_checked() {
        for text in [
            "`retries` is 10 (src/a.rs:2).",
            "see src/a.rs:2: `let retries = 10;`",
            "`src/a.rs:2` has `retries`",
            "**src/a.rs:1-3** has ``retries = 10``",
            "./src/a.rs:2 `retries`",
            "src/a.rs:1–3, `retries`",
        ] {
            assert_eq!(only(text).3, None, "{text}");
        }
        assert_eq!(
            only("my notes.txt:2 says `tea`"),
            ("my notes.txt".into(), 2, "tea".into(), None)
        );
        assert_eq!(only("b/a.rs:1 says `x`"), ("src/b/a.rs".into(), 1, "x".into(), None));
    }

    #[test]
    fn wrong_ones_say_why() {
        for (text, reason) in [
            (
                "src/a.rs:1 has `retries = 10`",
                "the quotation does not stand there; it stands at src/a.rs:2",
            ),
            ("src/a.rs:1 has `tea`", "the quotation does not stand there"),
            ("src/a.rs:2 has `retrie`", "the quotation does not stand there"),
            ("see src/a.rs:2", "nothing is quoted, so that nothing can be checked"),
            (
                "src/a.rs:9 has `run`",
                "there are no such lines; src/a.rs has 3; it stands at src/a.rs:1",
            ),
            ("src/a.rs:0 has `gone`", "there are no such lines; src/a.rs has 3"),
            ("src/a.rs:3-1 has `gone`", "there are no such lines; src/a.rs has 3"),
            (
                "src/a.rs:99999999999999999999999 has `gone`",
                "there are no such lines; src/a.rs has 3",
            ),
            (
                "src/c.rs:1 has `gone`",
                "no document has this path, or more than one could be meant",
            ),
            (
                "xsrc/a.rs:1 has `gone`",
                "no document has this path, or more than one could be meant",
            ),
        ] {
            assert_eq!(only(text).3.as_deref(), Some(reason), "{text}");
        }
    }

    #[test]
    fn other_colons_are_no_places() {
        for text in [
            "at 12:30",
            "http://a.rs:80/",
            "localhost:8080",
            "src/a.rs: 2",
            "src/a.rs:2nd",
            "a::b",
            ":3",
            "example.com:80",
        ] {
            assert_eq!(scan(text), [], "{text}");
        }
        assert_eq!(scan("```\nsrc/a.rs:2 `retries`\n```\n"), []);
    }

    #[test]
    fn each_quotation_belongs_to_the_nearest_place() {
        let all = scan("`run` (src/a.rs:1) and `retries` (src/a.rs:2), src/a.rs:3 has `}`\n`x`\n");
        let short: Vec<_> = all.iter().map(|c| (c.1, c.2.as_str(), c.3.is_none())).collect();
        assert_eq!(short, [(1, "run", true), (2, "retries", true), (3, "}", true)]);
    }

    #[test]
    fn the_cut_of_the_text_does_not_matter() {
        let text = "`run` src/a.rs:1\nsrc/a.rs:2-3 `retries`";
        let mut scanner = Scanner::new(docs(), Channel::Answer);
        let mut pieces: Vec<Citation> = text.chars().flat_map(|c| scanner.push(&c.to_string())).collect();
        pieces.extend(scanner.finish());
        assert_eq!(pieces.len(), 2);
        assert!(pieces.iter().all(|c| c.verdict == Verdict::Verified));
    }
}
