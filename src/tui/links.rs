//! What in a text leads to a document, or pretends to.
//!
//! Places (`path:line`, `path:line-line`) and paths are recognised in each line of an answer or of thinking as it is
//! completed; quotations are marked when the conversation has looked for them. A link leads to a path, not to a number
//! of a document, so that it still leads there when documents have been read again.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use crate::context::Pack;
use crate::conversation::places::{paths, places};

/// Lines of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub path: String,
    /// From 1; 0 is the document as a whole.
    pub first: usize,
    pub last: usize,
}

/// What a stretch of text is, besides text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mark {
    Link(Target),
    /// Said to stand in the documents, where it was not found.
    Doubtful,
}

/// A marked stretch of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    pub at: Range<usize>,
    pub mark: Mark,
}

/// Recognises what leads to the documents of a pack.
#[derive(Debug, Default)]
pub struct Linker {
    pack: Arc<Pack>,
    /// The names of all files.
    names: HashSet<String>,
}

impl Linker {
    pub fn new(pack: Arc<Pack>) -> Self {
        let names = pack.documents.iter().map(|d| file_name(&d.path).to_owned()).collect();
        Self { pack, names }
    }

    pub fn pack(&self) -> &Arc<Pack> {
        &self.pack
    }

    /// The links in a text, in order; none overlaps another.
    pub fn links(&self, text: &str) -> Vec<Link> {
        if self.pack.documents.is_empty() {
            return Vec::new();
        }
        let mut links = Vec::new();
        let mut start = 0;
        for line in text.split_inclusive('\n') {
            self.links_of_line(line, start, &mut links);
            start += line.len();
        }
        links
    }

    fn links_of_line(&self, line: &str, start: usize, links: &mut Vec<Link>) {
        let mut found: Vec<Link> = Vec::new();
        for place in places(line, &self.pack) {
            // A place without a document is a wrong one; that is for the citations to say.
            if let Some(document) = place.document {
                found.push(link(place.at, &document.path, place.first, place.last.max(place.first)));
            }
        }
        for (at, document) in paths(line, &self.pack, |name| self.names.contains(name)) {
            let apart = |link: &Link| link.at.end <= at.start || at.end <= link.at.start;
            if found.iter().all(apart) {
                found.push(link(at, &document.path, 0, 0));
            }
        }
        found.sort_by_key(|link| link.at.start);
        links.extend(found.into_iter().map(|link| Link {
            at: link.at.start + start..link.at.end + start,
            ..link
        }));
    }
}

fn link(at: Range<usize>, path: &str, first: usize, last: usize) -> Link {
    let mark = Mark::Link(Target {
        path: path.to_owned(),
        first,
        last,
    });
    Link { at, mark }
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The documents that a person may mean by a part of a path, the likeliest first: by its end, by a part, by its letters.
pub fn matching<'p>(pack: &'p Pack, written: &str) -> Vec<&'p str> {
    ranked(pack, written).into_iter().map(|(.., path)| path).collect()
}

/// The number of the one document that is meant, if there is no doubt.
pub fn meant(pack: &Pack, written: &str) -> Option<usize> {
    let ranked = ranked(pack, written);
    let &(first, index, _) = ranked.first()?;
    let alone = ranked
        .get(1)
        .is_none_or(|&(second, ..)| first <= AT_END && second > first);
    alone.then_some(index)
}

/// Of a path that ends like this; less is better.
const AT_END: usize = 1;

fn ranked<'p>(pack: &'p Pack, written: &str) -> Vec<(usize, usize, &'p str)> {
    let wanted = written.trim().trim_start_matches("./").to_lowercase();
    let rank = |path: &str| {
        let path = path.to_lowercase();
        if path == wanted {
            Some(0)
        } else if path.strip_suffix(&*wanted).is_some_and(|rest| rest.ends_with('/')) {
            Some(AT_END)
        } else if file_name(&path).starts_with(&*wanted) {
            Some(2)
        } else if path.contains(&*wanted) {
            Some(3)
        } else {
            let mut rest = path.chars();
            wanted.chars().all(|c| rest.any(|other| other == c)).then_some(4)
        }
    };
    let documents = pack.documents.iter().enumerate();
    let mut ranked: Vec<_> = documents
        .filter_map(|(index, d)| Some((rank(&d.path)?, index, d.path.as_str())))
        .collect();
    ranked.sort_by_key(|&(rank, index, path)| (rank, path.len(), index));
    ranked
}

/// `path`, `path:12`, `path:12-34`: the path and the lines, from 1; 0 if there are none.
pub fn parse(written: &str) -> (&str, usize, usize) {
    let written = written.trim();
    let whole = (written, 0, 0);
    let Some((path, lines)) = written.rsplit_once(':').filter(|(path, _)| !path.is_empty()) else {
        return whole;
    };
    let (first, last) = lines.split_once(['-', '–']).unwrap_or((lines, lines));
    match (first.parse(), last.parse()) {
        (Ok(first), Ok(last)) => (path, first, last),
        (Ok(first), Err(_)) => (path, first, first),
        _ if lines.is_empty() => (path, 0, 0),
        _ => whole,
    }
}

#[cfg(test)]
mod tests {
    use super::super::viewer::testing::pack;
    use super::*;
    use proptest::prelude::*;

    fn linker() -> Linker {
        Linker::new(pack(&[
            ("src/a.rs", "one\ntwo\nthree\n"),
            ("src/b/a.rs", "x\n"),
            ("src/b/c.rs", "x\n"),
            ("my notes.txt", "tea\n"),
            ("Makefile", "all:\n"),
        ]))
    }

    fn found(text: &str) -> Vec<(&str, String)> {
        let told = |link: Link| match link.mark {
            Mark::Link(Target { path, first, last }) => (&text[link.at], format!("{path} {first}-{last}")),
            Mark::Doubtful => (&text[link.at], "?".into()),
        };
        linker().links(text).into_iter().map(told).collect()
    }

    #[test]
    fn places_and_paths_are_links() {
        for (text, link, leads) in [
            ("see src/a.rs:2.", "src/a.rs:2", "src/a.rs 2-2"),
            ("**`src/a.rs:1-3`**", "src/a.rs:1-3", "src/a.rs 1-3"),
            ("(b/a.rs:1–2)", "b/a.rs:1–2", "src/b/a.rs 1-2"),
            ("my notes.txt:1, yes", "my notes.txt:1", "my notes.txt 1-1"),
            ("In src/a.rs: there", "src/a.rs", "src/a.rs 0-0"),
            ("./src/a.rs?", "./src/a.rs", "src/a.rs 0-0"),
            ("c.rs has it", "c.rs", "src/b/c.rs 0-0"),
            ("你好 `src/b/c.rs`", "src/b/c.rs", "src/b/c.rs 0-0"),
        ] {
            assert_eq!(found(text), [(link, leads.to_owned())], "{text}");
        }
    }

    #[test]
    fn other_words_are_none() {
        for text in [
            "d.rs:2",
            "xa.rs",
            "e.g. this",
            "at 12:30",
            "Makefile",
            "a::b",
            "",
            "..",
            "./",
            "/",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
        assert_eq!(Linker::default().links("src/a.rs:2"), []);
    }

    #[test]
    fn every_line_has_its_own() {
        let text = "src/a.rs:1\nand src/b/c.rs, src/a.rs:3";
        let links: Vec<_> = found(text).into_iter().map(|(link, _)| link).collect();
        assert_eq!(links, ["src/a.rs:1", "src/b/c.rs", "src/a.rs:3"]);
    }

    #[test]
    fn what_is_written_is_matched_by_end_part_and_letters() {
        let linker = linker();
        let paths = |written| matching(linker.pack(), written);
        assert_eq!(paths("src/a.rs")[0], "src/a.rs");
        assert_eq!(paths("A.RS")[..2], ["src/a.rs", "src/b/a.rs"]);
        assert_eq!(paths("note"), ["my notes.txt"]);
        assert_eq!(paths("sbc"), ["src/b/c.rs"]);
        assert_eq!(paths("zzz"), [""; 0]);
        assert_eq!(paths("").len(), 5);
        for (written, index) in [
            ("src/a.rs", Some(0)),
            ("b/a.rs", Some(1)),
            ("c.rs", Some(2)),
            ("a.rs", None),
            ("make", Some(4)),
            ("s", None),
            ("zzz", None),
        ] {
            assert_eq!(meant(linker.pack(), written), index, "{written}");
        }
    }

    #[test]
    fn lines_after_a_colon() {
        assert_eq!(parse(" src/a.rs:12 "), ("src/a.rs", 12, 12));
        assert_eq!(parse("src/a.rs:12-14"), ("src/a.rs", 12, 14));
        assert_eq!(parse("src/a.rs:12-"), ("src/a.rs", 12, 12));
        assert_eq!(parse("src/a.rs:"), ("src/a.rs", 0, 0));
        assert_eq!(parse("a:b"), ("a:b", 0, 0));
        assert_eq!(parse(":3"), (":3", 0, 0));
    }

    proptest! {
        #[test]
        fn links_lie_in_the_text_in_order(text in "(?s)(src/a.rs|c.rs|:|[0-9]|-| |\n|`|你|\\./|[.,]){0,30}") {
            let mut end = 0;
            for link in linker().links(&text) {
                prop_assert!(link.at.start >= end && text.get(link.at.clone()).is_some());
                prop_assert!(!text[link.at.clone()].contains('\n'));
                end = link.at.end;
            }
        }
    }
}
