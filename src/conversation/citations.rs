//! Finding and checking the places that the text of a chat model names.
//!
//! A place is `path:line` or `path:line-line` with the path of a document. What is quoted on the same line of the reply
//! belongs to the nearest place, and so does a block of code right after a place without a quotation. Other quotations are
//! looked for in all documents. A line of the reply is looked at when it is complete, after its text has been shown, so
//! that nothing waits for the check.

use std::ops::Range;
use std::sync::Arc;

use super::evidence::{only_place, unverified};
use super::places::{Place, places};
use super::quotations::{backquoted, find, in_marks, is_quotation, stands_within};
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
    /// What was asked: words of it are no quotations from the documents.
    question: String,
    line: String,
    fenced: bool,
    /// The lines of an open block of code.
    block: String,
    /// The last place so far if nothing was quoted beside it: a block of code may come.
    open: Option<Open>,
}

/// A place that waits for a quotation.
struct Open {
    citation: Citation,
    last: usize,
}

impl Scanner {
    pub fn new(pack: Arc<Pack>, channel: Channel, question: &str) -> Self {
        Self {
            pack,
            channel,
            question: question.to_owned(),
            line: String::new(),
            fenced: false,
            block: String::new(),
            open: None,
        }
    }

    /// Takes more text; gives the citations of the lines that it completes.
    pub fn push(&mut self, text: &str) -> Vec<Citation> {
        let mut citations = Vec::new();
        for piece in text.split_inclusive('\n') {
            self.line.push_str(piece);
            if piece.ends_with('\n') {
                citations.extend(self.end_line());
            }
        }
        citations
    }

    /// The citations of the last line, and whatever waited for more.
    pub fn finish(&mut self) -> Vec<Citation> {
        let mut citations = self.end_line();
        citations.extend(self.open.take().map(|open| open.citation));
        citations
    }

    fn end_line(&mut self) -> Vec<Citation> {
        let line = std::mem::take(&mut self.line);
        if line.trim_start().starts_with("```") {
            self.fenced = !self.fenced;
            let block = std::mem::take(&mut self.block);
            return if self.fenced { Vec::new() } else { self.of_block(&block) };
        }
        if self.fenced {
            self.block.push_str(&line);
            return Vec::new();
        }
        if line.trim().is_empty() {
            return Vec::new();
        }
        let mut citations: Vec<Citation> = self.open.take().map(|open| open.citation).into_iter().collect();
        citations.extend(self.of_line(&line));
        citations
    }

    fn of_line(&mut self, line: &str) -> Vec<Citation> {
        let pack = Arc::clone(&self.pack);
        let places = places(line, &pack);
        let named = in_marks(line)
            .into_iter()
            .filter(|quote| is_quotation(&line[quote.clone()]));
        let mut quotes = backquoted(line);
        quotes.extend(named);
        quotes.retain(|quote| !places.iter().any(|p| p.at.start < quote.end && quote.start < p.at.end));
        if places.is_empty() {
            let texts = quotes.iter().map(|quote| &line[quote.clone()]);
            return texts.filter_map(|quote| self.looked_for(quote)).collect();
        }
        let mut citations = Vec::new();
        for (i, place) in places.iter().enumerate() {
            let own = quotes.iter().filter(|quote| nearest(quote, &places) == Some(i));
            let own: Vec<&str> = own.map(|quote| &line[quote.clone()]).collect();
            if own.is_empty() && i + 1 == places.len() && place.document.is_some() {
                self.open = Some(Open {
                    citation: self.citation(place, ""),
                    last: place.last,
                });
                break;
            }
            let own = if own.is_empty() { vec![""] } else { own };
            citations.extend(own.into_iter().map(|quote| self.citation(place, quote)));
        }
        citations
    }

    /// A block of code: what stands at the place before it, or somewhere. Without such a place it need not be a quotation.
    fn of_block(&mut self, block: &str) -> Vec<Citation> {
        let block = block.trim_matches('\n');
        let Some(Open { citation, last }) = self.open.take() else {
            return self.found(block).into_iter().collect();
        };
        if block.trim().is_empty() {
            return vec![citation];
        }
        let place = Place {
            at: 0..0,
            document: self.pack.document(&citation.path),
            path: citation.path,
            first: citation.line,
            last,
        };
        vec![self.citation(&place, block)]
    }

    /// A quotation without a place, if it purports to be one.
    fn looked_for(&self, quote: &str) -> Option<Citation> {
        let nowhere = || Citation {
            section: None,
            channel: self.channel,
            path: String::new(),
            line: 0,
            quote: sanitize(quote).into_owned(),
            verdict: unverified("it stands nowhere in the documents"),
        };
        if self.pack.documents.is_empty() || !is_quotation(quote) {
            return None;
        }
        self.found(quote)
            .or_else(|| (!self.question.contains(quote.trim())).then(nowhere))
    }

    /// A quotation with the place where it stands.
    fn found(&self, quote: &str) -> Option<Citation> {
        let (document, line) = find(&self.pack, quote).filter(|_| is_quotation(quote))?;
        Some(Citation {
            section: None,
            channel: self.channel,
            path: sanitize(&document.path).into_owned(),
            line,
            quote: sanitize(quote).into_owned(),
            verdict: Verdict::Verified,
        })
    }

    fn citation(&self, place: &Place<'_>, quote: &str) -> Citation {
        let verdict = match judge(place, quote) {
            Ok(()) => Verdict::Verified,
            Err(reason) if quote.trim().is_empty() => unverified(reason),
            Err(reason) => unverified(reason + &self.elsewhere(quote)),
        };
        Citation {
            section: None,
            channel: self.channel,
            path: sanitize(&place.path).into_owned(),
            line: place.first,
            quote: sanitize(quote).into_owned(),
            verdict,
        }
    }

    /// Where a quotation stands that does not stand where it is said to.
    fn elsewhere(&self, quote: &str) -> String {
        let only = only_place(&self.pack, |line| contains_word(line.text, quote.trim()));
        match find(&self.pack, quote).filter(|_| only.is_empty() && is_quotation(quote)) {
            Some((document, line)) => format!("; it stands at {}:{line}", document.path),
            None => only,
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
    if stands || (is_quotation(quote) && stands_within(document, place.first, place.last, quote)) {
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

#[cfg(test)]
mod tests {
    use super::super::testing::pack_as;
    use super::*;
    use crate::context::{Layout, Template};

    fn docs() -> Arc<Pack> {
        let files = [
            ("src/a.rs", "fn run() {\n    let retries = 10;\n}\n"),
            ("src/b/a.rs", "x\n"),
            ("my notes.txt", "tea\ntea\n"),
        ];
        Arc::new(pack_as(&Layout::Documents(Template::default()), &files))
    }

    fn scan(text: &str) -> Vec<(String, usize, String, Option<String>)> {
        let mut scanner = Scanner::new(docs(), Channel::Answer, "what is `asked in the question`?");
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
    fn quotations_without_a_place_are_looked_for() {
        let nowhere = Some("it stands nowhere in the documents".to_owned());
        for (text, path, line, quote, reason) in [
            (
                "It says “let   retries = 10;”.",
                "src/a.rs",
                2,
                "let   retries = 10;",
                None,
            ),
            ("It says \"tea tea tea\" twice.", "", 0, "tea tea tea", nowhere.clone()),
            ("`let retries = 11` is there", "", 0, "let retries = 11", nowhere),
            (
                "```rust\nfn run() {\n  let retries = 10;\n```\n",
                "src/a.rs",
                1,
                "fn run() {\n  let retries = 10;",
                None,
            ),
        ] {
            assert_eq!(only(text), (path.into(), line, quote.into(), reason), "{text}");
        }
        for text in [
            "`retry` and \"gone\" and `a_long_name_that_is_nowhere`",
            "you wrote `asked in the question`",
            "```\ncargo run --release -- src\n```\n",
            "```\nx\n```\n",
        ] {
            assert_eq!(scan(text), [], "{text}");
        }
        let mut scanner = Scanner::new(Arc::default(), Channel::Answer, "");
        assert_eq!(scanner.push("\"three words here\"\n"), []);
    }

    #[test]
    fn a_block_belongs_to_the_place_before_it() {
        let cases = [
            ("In src/a.rs:2:\n\n```rust\nlet retries = 10;\n```\n", None),
            ("In src/a.rs:1:\n```\nfn run() {\n    let retries = 10;\n}\n```\n", None),
            (
                "In src/a.rs:2:\n```\nlet retries = 11;\n```\n",
                Some("the quotation does not stand there"),
            ),
            (
                "In src/a.rs:2:\nthis\n```\nnothing of the kind\n```\n",
                Some("nothing is quoted, so that nothing can be checked"),
            ),
        ];
        for (text, reason) in cases {
            assert_eq!(only(text).3.as_deref(), reason, "{text}");
        }
    }

    #[test]
    fn a_long_quotation_may_begin_at_its_place() {
        assert_eq!(only("src/a.rs:1 has “run() { let retries”").3, None);
        let reason = only("src/a.rs:3 has “run() { let retries”").3;
        assert_eq!(
            reason.as_deref(),
            Some("the quotation does not stand there; it stands at src/a.rs:1")
        );
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
        let mut scanner = Scanner::new(docs(), Channel::Answer, "what is `asked in the question`?");
        let mut pieces: Vec<Citation> = text.chars().flat_map(|c| scanner.push(&c.to_string())).collect();
        pieces.extend(scanner.finish());
        assert_eq!(pieces.len(), 2);
        assert!(pieces.iter().all(|c| c.verdict == Verdict::Verified));
    }
}
