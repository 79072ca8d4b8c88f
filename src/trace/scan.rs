//! Reading a trace for its structure while it is written: where its segments begin, and where it turns.
//!
//! Every byte is looked at once, but for a few at the end that cannot be told yet: whether `1` is a number or a step,
//! whether `Wait` goes on to `Waiter`. What has been found never changes, and is a function of the text alone: the
//! pieces in which it came do not matter.

use serde::Serialize;

use super::line::{Line, classify, closes};
use super::phrases::{Phrases, Verdict};
use super::turning::Turning;

/// What a segment of a trace is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SegmentKind {
    Paragraph,
    Heading,
    /// A numbered step or case.
    Step,
    List,
    /// Begins with a turning point.
    Turn,
    /// Goes on to something else: "So", "Let me", "Now".
    Move,
}

/// How paragraphs begin that go on to something else.
const MOVES: [&str; 58] = [
    "so",
    "now",
    "let me",
    "let's",
    "let us",
    "okay",
    "ok",
    "first",
    "firstly",
    "second",
    "secondly",
    "third",
    "next",
    "then",
    "finally",
    "lastly",
    "therefore",
    "thus",
    "hence",
    "in summary",
    "to summarize",
    "in conclusion",
    "overall",
    "maybe",
    "perhaps",
    "another",
    "also",
    "similarly",
    "given",
    "suppose",
    "assume",
    "consider",
    "looking at",
    "i need",
    "i should",
    "we need",
    "the question",
    "the user",
    "alright",
    "good",
    "great",
    "yes",
    "zuerst",
    "jetzt",
    "dann",
    "schließlich",
    "d'abord",
    "ensuite",
    "donc",
    "primero",
    "luego",
    "entonces",
    "итак",
    "теперь",
    "首先",
    "接下来",
    "所以",
    "因此",
];

/// A paragraph begins no segment of its own after less than so many bytes, …
const SHORT: usize = 200;
/// … a line in the midst of a paragraph after less than these, …
const LONG: usize = 1_000;
/// … a sentence in the midst of a line after less than these, …
const VERY_LONG: usize = 3_000;
/// … but one that turns.
const TURNED: usize = 400;
/// A block of code that is not closed within so many bytes has none.
const LONGEST_CODE: usize = 32 * 1024;

/// Where a segment begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Start {
    pub at: usize,
    pub kind: SegmentKind,
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Line,
    /// The first letter of a sentence, which is looked for from here on.
    Sentence(Option<Fresh>),
    Inside,
    /// The rest of the line is code or the edge of it; the code that the next line is in.
    Code(Option<Code>),
}

/// The first sentence of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Fresh {
    line: usize,
    indented: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Code {
    mark: char,
    from: usize,
}

/// How far a text has been looked at, and what was found.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Scan {
    /// The first segment begins with the text; its kind is told by its first line.
    starts: Vec<Start>,
    turns: Vec<usize>,
    moves: Phrases,
    begun: bool,
    at: usize,
    state: State,
    /// Of the line at hand: it follows a blank one; the text before it ends with a colon.
    after_blank: bool,
    after_colon: bool,
    code: Option<Code>,
}

impl Default for Scan {
    fn default() -> Self {
        Self {
            starts: vec![Start {
                at: 0,
                kind: SegmentKind::Paragraph,
            }],
            turns: Vec::new(),
            moves: Phrases::new(MOVES.map(String::from)),
            begun: false,
            at: 0,
            state: State::Line,
            after_blank: true,
            after_colon: false,
            code: None,
        }
    }
}

impl Scan {
    pub fn starts(&self) -> &[Start] {
        &self.starts
    }

    pub fn turns(&self) -> &[usize] {
        &self.turns
    }

    /// Bytes that what was found takes.
    pub fn memory(&self) -> usize {
        self.starts.capacity() * size_of::<Start>() + self.turns.capacity() * size_of::<usize>()
    }

    /// Looks at what is new. `over`: nothing more will come.
    pub fn advance(&mut self, text: &str, over: bool, turning: &Turning) {
        while match self.state {
            State::Line => self.line(text, over),
            State::Sentence(fresh) => self.sentence(text, over, fresh, turning),
            State::Inside => self.inside(text, over),
            State::Code(next) => self.code_line(text, next),
        } {}
    }

    /// The beginning of a line. Like the others, returns whether there is more to look at.
    fn line(&mut self, text: &str, over: bool) -> bool {
        let (at, rest) = (self.at, &text[self.at..]);
        if rest.is_empty() {
            return false;
        }
        if let Some(code) = self.code.filter(|code| at - code.from <= LONGEST_CODE) {
            self.state = match closes(rest, code.mark, over) {
                Verdict::Open => return false,
                Verdict::No => State::Code(Some(code)),
                Verdict::Yes => State::Code(None),
            };
            return true;
        }
        let Some(line) = classify(rest, over, self.after_blank) else {
            return false;
        };
        self.state = State::Sentence(None);
        match line {
            Line::Blank => {
                self.state = State::Line;
                self.at = rest.find('\n').map_or(text.len(), |end| at + end + 1);
                self.after_blank = true;
            }
            Line::Fence(mark) => {
                self.begin();
                self.state = State::Code(Some(Code { mark, from: at }));
            }
            Line::Heading => self.start(at, SegmentKind::Heading),
            Line::Step(marker) => {
                self.start(at, SegmentKind::Step);
                self.at += marker;
            }
            Line::Bullet(marker) => {
                let own = self.after_blank && !self.after_colon && self.current().kind != SegmentKind::List;
                if own || !self.begun {
                    self.start(at, SegmentKind::List);
                }
                self.at += marker;
            }
            Line::Attached => self.begin(),
            Line::Text => {
                let indent = rest.len() - rest.trim_start_matches([' ', '\t']).len();
                let indented = indent > 1;
                self.state = State::Sentence(Some(Fresh { line: at, indented }));
            }
        }
        true
    }

    /// From between two sentences to the first letter of the next, and what that one is.
    fn sentence(&mut self, text: &str, over: bool, fresh: Option<Fresh>, turning: &Turning) -> bool {
        let rest = &text[self.at..];
        let Some((ahead, first)) = rest.char_indices().find(|(_, c)| c.is_alphanumeric() || *c == '\n') else {
            return false;
        };
        if first == '\n' {
            self.begin();
            self.end_line(text, self.at + ahead);
            return true;
        }
        let letter = self.at + ahead;
        let turns = turning.verdict(&text[letter..], over);
        let moves = match fresh {
            Some(_) if turns == Verdict::No => self.moves.verdict(&text[letter..], over),
            _ => Verdict::No,
        };
        if turns == Verdict::Open || moves == Verdict::Open {
            return false;
        }
        let kind = match (turns, moves) {
            (Verdict::Yes, _) => SegmentKind::Turn,
            (_, Verdict::Yes) => SegmentKind::Move,
            _ => SegmentKind::Paragraph,
        };
        if turns == Verdict::Yes {
            self.turns.push(letter);
        }
        let at = match fresh {
            Some(fresh) => fresh.line,
            // With the quotation marks and the like that it begins with.
            None => self.at + (rest.len() - rest.trim_start().len()).min(ahead),
        };
        if !self.begun || self.begins_segment(at, fresh, kind) {
            self.start(at, kind);
        }
        self.at = letter;
        self.state = State::Inside;
        true
    }

    fn begins_segment(&self, at: usize, fresh: Option<Fresh>, kind: SegmentKind) -> bool {
        let current = self.current();
        let length = at - current.at;
        match fresh {
            None if kind == SegmentKind::Turn => length >= TURNED,
            None => length >= VERY_LONG,
            Some(fresh) if fresh.indented && matches!(current.kind, SegmentKind::Step | SegmentKind::List) => {
                length >= VERY_LONG
            }
            Some(_) => match kind {
                SegmentKind::Turn => true,
                SegmentKind::Move => self.after_blank || length >= SHORT,
                _ if self.after_blank => !self.after_colon && length >= SHORT,
                _ => length >= LONG,
            },
        }
    }

    /// From within a sentence to its end.
    fn inside(&mut self, text: &str, over: bool) -> bool {
        let rest = &text[self.at..];
        let mut chars = rest.char_indices();
        while let Some((ahead, c)) = chars.next() {
            match c {
                '\n' => {
                    self.end_line(text, self.at + ahead);
                    return true;
                }
                '。' | '！' | '？' => {
                    self.at += ahead + c.len_utf8();
                    self.state = State::Sentence(None);
                    return true;
                }
                '.' | '!' | '?' | '…' => {
                    let closing = |c: char| matches!(c, '"' | '\'' | '”' | '’' | '»' | ')' | ']' | '*' | '_');
                    match chars.as_str().trim_start_matches(closing).chars().next() {
                        Some(next) if next.is_whitespace() => {
                            self.at += ahead + c.len_utf8();
                            self.state = State::Sentence(None);
                            return true;
                        }
                        Some(_) => {}
                        None if over => {}
                        None => {
                            self.at += ahead;
                            return false;
                        }
                    }
                }
                _ => {}
            }
        }
        self.at = text.len();
        false
    }

    fn code_line(&mut self, text: &str, next: Option<Code>) -> bool {
        let Some(end) = text[self.at..].find('\n') else {
            self.at = text.len();
            return false;
        };
        self.code = next;
        self.end_line(text, self.at + end);
        true
    }

    fn end_line(&mut self, text: &str, end: usize) {
        self.after_blank = false;
        self.after_colon = text[..end].trim_end().ends_with([':', '：']);
        self.at = end + 1;
        self.state = State::Line;
    }

    fn current(&self) -> Start {
        self.starts[self.starts.len() - 1]
    }

    /// Something has come, that may go with what is before it.
    fn begin(&mut self) {
        self.begun = true;
    }

    fn start(&mut self, at: usize, kind: SegmentKind) {
        if self.begun {
            self.starts.push(Start { at, kind });
        } else {
            self.starts[0].kind = kind;
            self.begun = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    use SegmentKind::{Heading, List, Move, Paragraph, Step, Turn};

    fn scan(text: &str) -> Scan {
        let mut scan = Scan::default();
        scan.advance(text, true, &Turning::default());
        scan
    }

    /// The segments with the beginnings of their texts.
    fn segments(text: &str) -> Vec<(SegmentKind, String)> {
        let begin = |at: usize| text[at..].trim_start().chars().take(8).collect();
        scan(text)
            .starts
            .iter()
            .map(|start| (start.kind, begin(start.at)))
            .collect()
    }

    fn are(text: &str, expected: &[(SegmentKind, &str)]) {
        let expected: Vec<_> = expected.iter().map(|&(kind, begin)| (kind, begin.to_owned())).collect();
        assert_eq!(segments(text), expected, "{text}");
    }

    fn prose(bytes: usize) -> String {
        "It is known. ".repeat(bytes.div_ceil(13))
    }

    #[test]
    fn sentences_that_turn_are_found_where_they_begin() {
        let text = "The file is short. Wait, is it? I waited.\n\n- **However**, the waiter.\n2. hmm\nno doubt. (\"But wait: 3.5 is";
        let found: Vec<&str> = scan(text).turns.into_iter().map(|at| &text[at..at + 3]).collect();
        assert_eq!(found, ["Wai", "How", "hmm", "But"]);
        assert!(scan("Waiting. Nothing however. v1.wait").turns.is_empty());
        let text = "这是对的。等等，不对。Однако нет. Moment mal! 次へ。しかし";
        assert_eq!(scan(text).turns.len(), 4);
        assert_eq!(scan("He said \"no.\" Wait!").turns, [14]);
    }

    #[test]
    fn headings_steps_and_turns_always_begin_a_segment() {
        are(
            "The plan.\n\n## First part\n\nIt holds.\n\nWait, does it?\n1. One\n2. Two\n   Wait, deeper\nHowever, no.\n\n**Bold one:**\nx",
            &[
                (Paragraph, "The plan"),
                (Heading, "## First"),
                (Turn, "Wait, do"),
                (Step, "1. One\n2"),
                (Step, "2. Two\n "),
                (Turn, "However,"),
                (Heading, "**Bold o"),
            ],
        );
    }

    #[test]
    fn a_paragraph_begins_a_segment_if_there_is_something_before_it() {
        are(
            "Short.\n\nAlso short.",
            &[(Paragraph, "Short.\n\n"), (Move, "Also sho")],
        );
        are("Short.\n\nAs short.", &[(Paragraph, "Short.\n\n")]);
        let long = prose(SHORT);
        are(
            &format!("{long}\n\nAs short."),
            &[(Paragraph, "It is kn"), (Paragraph, "As short")],
        );
        are(&format!("{long}\nAs short."), &[(Paragraph, "It is kn")]);
        are(&format!("{long} namely:\n\nThis."), &[(Paragraph, "It is kn")]);
        are(&format!("{long}\n\n$$x = 1$$\n\n| a |"), &[(Paragraph, "It is kn")]);
        are(
            &format!("{}\nAs short.", prose(LONG)),
            &[(Paragraph, "It is kn"), (Paragraph, "As short")],
        );
    }

    #[test]
    fn a_list_is_one_segment() {
        are(
            &format!("{}\n\n- a\n- b\n\n- c\n  Wait\n", prose(9)),
            &[(Paragraph, "It is kn"), (List, "- a\n- b\n")],
        );
        are("So:\n\n- a\n- b", &[(Move, "So:\n\n- a")]);
        are("- a", &[(List, "- a")]);
    }

    #[test]
    fn code_has_no_structure() {
        let code = "Look:\n```sh\n# Wait\n\n1. no\n```\n\nWait, yes.";
        are(code, &[(Paragraph, "Look:\n``"), (Turn, "Wait, ye")]);
        assert_eq!(scan(code).turns.len(), 1);
        let open = format!("```\n{}\n\nWait, yes.", "x\n".repeat(LONGEST_CODE / 2));
        assert_eq!(segments(&open).last().unwrap().0, Turn, "code that is never closed");
    }

    #[test]
    fn one_long_paragraph_is_cut_at_sentences() {
        let text = format!("{}Wait, no. {}", prose(TURNED), prose(3 * VERY_LONG));
        let found = scan(&text);
        assert_eq!(found.starts[1].kind, Turn);
        assert!(text[found.starts[1].at..].starts_with("Wait"));
        assert_eq!(found.starts.len(), 5);
        let chinese = "这是对的。".repeat(1000);
        assert_eq!(scan(&chinese).starts.len(), 5);
        assert_eq!(scan(&"x ".repeat(100_000)).starts.len(), 1);
    }

    proptest! {
        #[test]
        fn the_cut_of_the_text_does_not_matter(
            pieces in prop::collection::vec(prop_oneof![
                3 => prop::sample::select(vec![
                    "Wait", "wait, ", "However ", ". ", ".", "\n", "\n\n", "等等", "。", "on second thought ", "ing", " ", "…", "é", "```",
                    "`", "# ", "1. ", "12", ") ", "- ", "**", ":", "So ", "Step ", "3", "第二", "步", "$$", "  ", "\t", "\r\n", "\"",
                ]).prop_map(String::from),
                1 => (1usize..120).prop_map(prose),
            ], 0..60),
        ) {
            let text = pieces.concat();
            let turning = Turning::default();
            let mut pieced = Scan::default();
            let mut so_far = String::new();
            for piece in &pieces {
                so_far.push_str(piece);
                pieced.advance(&so_far, false, &turning);
                let mut once = Scan::default();
                once.advance(&so_far, false, &turning);
                prop_assert_eq!(&pieced, &once);
            }
            let before = pieced.clone();
            pieced.advance(&text, true, &turning);
            prop_assert_eq!(&pieced.starts, &scan(&text).starts);
            prop_assert_eq!(&pieced.turns, &scan(&text).turns);
            prop_assert!(pieced.starts.starts_with(&before.starts) || before.starts.len() == 1);
            prop_assert!(pieced.turns.starts_with(&before.turns));
            prop_assert!(pieced.starts.is_sorted_by_key(|start| start.at));
        }
    }
}
