//! Markup within a line or a few: emphasis, code, links.
//!
//! What is found are the stretches that are drawn, and how; markup that is understood is left out, and what is not is
//! text. A text that is *open* has not come to its end: emphasis, code and the target of a link that lack their end have
//! it there, so that nothing changes its look when it comes.

mod emphasis;
mod links;

use std::borrow::Cow;
use std::ops::Range;

/// How a stretch looks, as a set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Looks(u8);

impl Looks {
    pub const STRONG: Self = Self(1);
    pub const EMPHASIS: Self = Self(2);
    pub const STRUCK: Self = Self(4);
    pub const CODE: Self = Self(8);
    pub const LINK: Self = Self(16);
    pub const TARGET: Self = Self(32);

    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    fn is_plain(self) -> bool {
        self.0 == 0
    }
}

/// A stretch that is drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// The bytes of the text that it stands for.
    pub at: Range<usize>,
    /// What is drawn, unless it is the text itself.
    pub instead: Option<Cow<'static, str>>,
    pub looks: Looks,
}

/// What is drawn of a text, in order.
pub fn parse(text: &str, open: bool) -> Vec<Span> {
    let special = |byte: u8| matches!(byte, b'\\' | b'`' | b'<' | b'[' | b'*' | b'_' | b'~' | b'&' | b':');
    if !text.bytes().any(special) {
        let all = Span {
            at: 0..text.len(),
            instead: None,
            looks: Looks::default(),
        };
        return if text.is_empty() { Vec::new() } else { vec![all] };
    }
    let mut parser = Parser {
        text,
        open,
        hidden: vec![false; text.len()],
        looks: vec![0; text.len()],
        instead: Vec::new(),
        runs: Vec::new(),
        brackets: Vec::new(),
        unclosed: Vec::new(),
    };
    parser.scan();
    parser.end();
    parser.spans()
}

/// The first place after `from` that lies behind white space and inside of no markup.
pub fn gap(text: &str, spans: &[Span], from: usize) -> Option<usize> {
    let mut plain = spans
        .iter()
        .filter(|span| span.looks.is_plain() && span.instead.is_none() && span.at.end > from);
    plain.find_map(|span| {
        let start = span.at.start.max(from);
        let white = text.get(start..span.at.end)?.find([' ', '\n'])?;
        Some(start + white + 1)
    })
}

/// Asterisks, underscores or tildes beside each other that may begin or end emphasis; what is left of them.
#[derive(Debug, Clone, Copy)]
struct Run {
    mark: u8,
    at: usize,
    len: usize,
    /// How many they were.
    whole: usize,
    opens: bool,
    closes: bool,
}

struct Bracket {
    at: usize,
    image: bool,
    /// Runs before it.
    runs: usize,
    /// A link around a link is none.
    active: bool,
}

struct Destination {
    at: Range<usize>,
    end: usize,
}

struct Parser<'t> {
    text: &'t str,
    open: bool,
    hidden: Vec<bool>,
    looks: Vec<u8>,
    /// Bytes for which something else is drawn, in order.
    instead: Vec<(Range<usize>, Cow<'static, str>)>,
    runs: Vec<Run>,
    brackets: Vec<Bracket>,
    /// Lengths of runs of backticks that nothing closes any more.
    unclosed: Vec<usize>,
}

impl Parser<'_> {
    fn scan(&mut self) {
        let bytes = self.text.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            at = match bytes[at] {
                b'\\' => self.escape(at),
                b'`' => self.code(at),
                b'<' => self.autolink(at),
                b'&' => self.entity(at),
                b'!' if bytes.get(at + 1) == Some(&b'[') => self.bracket(at, true),
                b'[' => self.bracket(at, false),
                b']' => self.close_bracket(at),
                mark @ (b'*' | b'_' | b'~') => self.run(at, mark),
                b'h' => self.address(at),
                _ => at + 1,
            };
        }
    }

    fn hide(&mut self, range: Range<usize>) {
        self.hidden[range].fill(true);
    }

    fn look(&mut self, range: Range<usize>, looks: Looks) {
        if let Some(range) = self.looks.get_mut(range) {
            for byte in range {
                *byte |= looks.0;
            }
        }
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.text.as_bytes().get(at).copied()
    }

    /// The length of a run of one byte.
    fn run_length(&self, at: usize, mark: u8) -> usize {
        self.text.as_bytes()[at..]
            .iter()
            .take_while(|&&byte| byte == mark)
            .count()
    }

    /// What is written as `\(`, `\[` is a formula: it is left as it is.
    fn escape(&mut self, at: usize) -> usize {
        match self.byte(at + 1) {
            Some(b'(' | b')' | b'[' | b']') => at + 2,
            Some(b'\n') => {
                self.hide(at..at + 1);
                at + 1
            }
            Some(byte) if byte.is_ascii_punctuation() => {
                self.hide(at..at + 1);
                at + 2
            }
            _ => at + 1,
        }
    }

    fn code(&mut self, at: usize) -> usize {
        let (bytes, len) = (self.text.as_bytes(), self.run_length(at, b'`'));
        let inner = at + len;
        let mut next = inner;
        while !self.unclosed.contains(&len) {
            let Some(found) = bytes[next..].iter().position(|&byte| byte == b'`') else {
                self.unclosed.push(len);
                break;
            };
            let close = next + found;
            let closing = self.run_length(close, b'`');
            next = close + closing;
            if closing == len {
                self.hide(at..inner);
                self.hide(close..next);
                self.trim_code(inner..close);
                return next;
            }
        }
        let rest = &self.text[inner..];
        if !self.open || rest.contains('\n') || rest.starts_with(' ') {
            return inner;
        }
        // The end of the end may be there.
        let closing = rest.len() - rest.trim_end_matches('`').len();
        let end = if closing < len {
            self.text.len() - closing
        } else {
            self.text.len()
        };
        self.hide(at..inner);
        self.hide(end..self.text.len());
        self.look(inner..end, Looks::CODE);
        self.text.len()
    }

    /// A space at both ends belongs to the marks.
    fn trim_code(&mut self, inner: Range<usize>) {
        let code = &self.text[inner.clone()];
        let white = |c: char| c == ' ' || c == '\n';
        self.look(inner.clone(), Looks::CODE);
        if code.len() > 2 && code.starts_with(' ') && code.ends_with(' ') && !code.chars().all(white) {
            self.hide(inner.start..inner.start + 1);
            self.hide(inner.end - 1..inner.end);
        }
    }

    fn entity(&mut self, at: usize) -> usize {
        let rest = &self.text[at + 1..];
        let near = &rest[..rest.floor_char_boundary(12)];
        let Some(len) = near.find(';') else {
            return at + 1;
        };
        let end = at + len + 2;
        if let Some(shown) = character(&near[..len]) {
            self.instead.push((at..end, shown));
            return end;
        }
        at + 1
    }

    /// Pairs what is left, and ends what lacks an end.
    fn end(&mut self) {
        let end = self.text.len();
        if !self.open {
            self.emphasise(0);
            return;
        }
        // A run at the end may be the first half of itself.
        let last = self.runs.pop_if(|run| run.at + run.len == end);
        self.emphasise(0);
        let line = self.text.rfind('\n').map_or(0, |at| at + 1);
        let mut until = end;
        if let Some(last) = last {
            let opener = self
                .runs
                .iter()
                .rfind(|run| run.opens && run.mark == last.mark && run.len > 0);
            let preceded = self.text[line..last.at].chars().next_back();
            match opener {
                Some(opener) if last.len < opener.len => {
                    self.hide(last.at..end);
                    until = last.at;
                }
                Some(_) => {
                    self.runs.push(last);
                    self.emphasise(0);
                }
                None if preceded.is_some_and(char::is_whitespace) || (preceded.is_none() && last.len > 1) => {
                    self.hide(last.at..end);
                }
                None => {}
            }
        }
        for run in std::mem::take(&mut self.runs) {
            let next = self.text[run.at + run.len..].chars().next();
            let sure = run.len >= 2 || next.is_some_and(char::is_alphanumeric);
            if !run.opens || run.len == 0 || run.at < line || run.at + run.len >= until || !sure {
                continue;
            }
            let inner = run.at + run.len..until;
            self.hide(run.at..run.at + run.len);
            if run.mark == b'~' {
                self.look(inner, Looks::STRUCK);
                continue;
            }
            if run.len >= 2 {
                self.look(inner.clone(), Looks::STRONG);
            }
            if run.len % 2 == 1 {
                self.look(inner, Looks::EMPHASIS);
            }
        }
    }

    fn spans(mut self) -> Vec<Span> {
        let mut spans: Vec<Span> = Vec::new();
        self.instead.sort_by_key(|(at, _)| at.start);
        let mut instead = self.instead.into_iter().peekable();
        let mut at = 0;
        while at < self.text.len() {
            let looks = Looks(self.looks[at]);
            if let Some((range, shown)) = instead.next_if(|(range, _)| range.start <= at) {
                if !self.hidden[range.start] {
                    spans.push(Span {
                        at: range.clone(),
                        instead: Some(shown),
                        looks,
                    });
                }
                at = range.end.max(at);
                continue;
            }
            let end = instead.peek().map_or(self.text.len(), |(range, _)| range.start);
            let same = |&byte: &usize| self.looks[byte] == looks.0 && self.hidden[byte] == self.hidden[at];
            let until = (at..end).find(|byte| !same(byte)).unwrap_or(end);
            if !self.hidden[at] {
                spans.push(Span {
                    at: at..until,
                    instead: None,
                    looks,
                });
            }
            at = until;
        }
        spans
    }
}

/// What a character reference stands for: the usual ones and numbers.
fn character(name: &str) -> Option<Cow<'static, str>> {
    Some(Cow::Borrowed(match name {
        "amp" => "&",
        "lt" => "<",
        "gt" => ">",
        "quot" => "\"",
        "apos" => "'",
        "nbsp" => "\u{a0}",
        "copy" => "©",
        "mdash" => "—",
        "ndash" => "–",
        "hellip" => "…",
        "rarr" => "→",
        "larr" => "←",
        "times" => "×",
        "deg" => "°",
        _ => {
            let digits = name.strip_prefix('#')?;
            let code = match digits.strip_prefix(['x', 'X']) {
                Some(hexadecimal) => u32::from_str_radix(hexadecimal, 16).ok()?,
                None => digits.parse().ok()?,
            };
            let character = char::from_u32(code).filter(|c| !c.is_control())?;
            return Some(Cow::Owned(character.to_string()));
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What is drawn, with marks around what looks like something.
    fn told(text: &str, open: bool) -> String {
        let mut told = String::new();
        for span in parse(text, open) {
            let shown = span.instead.as_deref().unwrap_or(&text[span.at.clone()]);
            let mut marks = String::new();
            for (look, mark) in [
                (Looks::STRONG, 'b'),
                (Looks::EMPHASIS, 'i'),
                (Looks::STRUCK, 's'),
                (Looks::CODE, 'c'),
                (Looks::LINK, 'l'),
                (Looks::TARGET, 't'),
            ] {
                if span.looks.has(look) {
                    marks.push(mark);
                }
            }
            if marks.is_empty() {
                told.push_str(shown);
            } else {
                told.extend(["{", &marks, ":", shown, "}"]);
            }
        }
        told
    }

    #[test]
    fn whole_markup() {
        for (text, expected) in [
            ("plain", "plain"),
            ("a **b** c", "a {b:b} c"),
            ("*a* _b_ ~~c~~", "{i:a} {i:b} {s:c}"),
            ("***a***", "{bi:a}"),
            ("**a *b* c**", "{b:a }{bi:b}{b: c}"),
            ("a*b*c snake_case_name 2 * 3 * 4", "a{i:b}c snake_case_name 2 * 3 * 4"),
            ("**bold", "**bold"),
            ("`a*b` ``x`y`` `` ` ``", "{c:a*b} {c:x`y} {c:`}"),
            ("`open", "`open"),
            (r"\*not\* \(x\) \[y\] a\b", r"*not* \(x\) \[y\] a\b"),
            ("[a](http://b/c)", "{l:a}{t: (}{t:http://b/c}{t:)}"),
            ("[`a.rs`](a.rs)", "{cl:a.rs}"),
            ("[a.b](https://a.b/ \"title\")", "{l:a.b}"),
            ("![](x.png) ![alt](y.png)", "{l:x.png} {l:alt}{t: (}{t:y.png}{t:)}"),
            ("[a] [b][c] [^1] [d]: e", "[a] [b][c] [^1] [d]: e"),
            ("<https://a.b> <b>x</b> <a@b.c>", "{l:https://a.b} <b>x</b> {l:a@b.c}"),
            (
                "see https://a.b/c_d_e. (http://x)",
                "see {l:https://a.b/c_d_e}. ({l:http://x})",
            ),
            ("a &lt; b &amp;&amp; c &#233; &nope; &", "a < b && c é &nope; &"),
            ("[a [b](c) d](e)", "[a {l:b}{t: (}{t:c}{t:)} d](e)"),
            ("**a [b*c](d) e**", "{b:a }{bl:b*c}{bt: (}{bt:d}{bt:)}{b: e}"),
            ("~100 ~~a~~ ~b~", "~100 {s:a} ~b~"),
            ("你**好**吗", "你{b:好}吗"),
        ] {
            assert_eq!(told(text, false), expected, "{text}");
        }
    }

    #[test]
    fn what_has_not_ended_looks_as_it_will() {
        for (text, expected) in [
            ("a **bol", "a {b:bol}"),
            ("a **bold*", "a {b:bold}"),
            ("a **bold**", "a {b:bold}"),
            ("a *it", "a {i:it}"),
            ("***both", "{bi:both}"),
            ("a **", "a "),
            ("**", ""),
            ("2 * 3", "2 * 3"),
            ("*.rs", "*.rs"),
            ("note*", "note*"),
            ("`co", "{c:co}"),
            ("``co`", "{c:co}"),
            ("a ` b", "a ` b"),
            ("[a](http://b", "{l:a}{t: (}{t:http://b}"),
            ("[a](b \"ti", "{l:a}{t: (}{t:b}{t:)}"),
            ("~~gone", "{s:gone}"),
            ("**a `b", "{b:a }{bc:b}"),
            ("**a\nb", "**a\nb"),
        ] {
            assert_eq!(told(text, true), expected, "{text}");
        }
    }

    #[test]
    fn a_place_to_cut_lies_outside_of_markup() {
        let text = "ab **c d** e f";
        let spans = parse(text, false);
        assert_eq!(gap(text, &spans, 0), Some(3));
        assert_eq!(gap(text, &spans, 4), Some(11));
        assert_eq!(gap(text, &spans, 13), None);
    }

    const TEXT: &str = "(?s)(\\*|\\*\\*|_|~~|`|``|\\[|\\]|\\(|\\)|\\](\\()|!|<|>|https://|&amp;|\\\\| |\n|a|b|你|e\u{301}|\"|\\.){0,40}";

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1500))]

        #[test]
        fn spans_are_in_order_and_lie_between_characters(text in TEXT, open: bool) {
            let mut end = 0;
            for span in parse(&text, open) {
                prop_assert!(span.at.start >= end && span.at.end > span.at.start, "{:?}", span);
                prop_assert!(text.get(span.at.clone()).is_some(), "{:?}", span);
                end = span.at.end;
            }
        }

        #[test]
        fn letters_are_never_hidden(text in TEXT) {
            let shown: String = parse(&text, false).iter().map(|span| span.instead.as_deref().unwrap_or(&text[span.at.clone()])).collect();
            for letter in ['a', 'b', '你'] {
                let count = |text: &str| text.matches(letter).count();
                // Only titles of links are.
                prop_assert!(count(&shown) == count(&text) || text.contains('(') || text.contains('&'), "{}", shown);
            }
        }
    }
}
