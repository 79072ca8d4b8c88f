//! What is not for everyone is taken out before a session is given away.

use std::ops::Range;

use regex::Regex;
use serde_json::Value;

use crate::context::secret_ranges;
use crate::conversation::Event;
use crate::session::note::Note;
use crate::session::read::Record;
use crate::trace::Channel;

const REDACTED: &str = "[redacted]";
/// Fields that hold words of the format and not of a person.
const FORMAL: [&str; 9] = [
    "type", "reason", "channel", "verdict", "kind", "cause", "by", "state", "what",
];

/// What is taken out: keys and tokens of common services, addresses of electronic mail, the name of the home folder, and
/// what a person names.
#[derive(Debug, Clone)]
pub struct Redaction {
    patterns: Vec<Regex>,
    home: Option<String>,
}

impl Redaction {
    /// # Errors
    /// If a pattern is none; which, and why.
    pub fn new(patterns: &[String], home: Option<String>) -> Result<Self, String> {
        let address = r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}";
        let all = std::iter::once(address).chain(patterns.iter().map(String::as_str));
        let patterns = all.map(|pattern| Regex::new(pattern).map_err(|error| format!("{pattern}: {error}")));
        Ok(Self {
            patterns: patterns.collect::<Result<_, _>>()?,
            home: home.filter(|home| home.len() > 1),
        })
    }

    /// The same session without it. What the tokens were is taken out altogether, for their numbers say what they said.
    #[must_use]
    pub fn apply(&self, record: &Record) -> Record {
        let mut record = record.clone();
        record.header.note = self.text(&record.header.note);
        for (_, event) in &mut record.events {
            if !matches!(event, Event::Token(_))
                && let Some(redacted) = self.value(&*event)
            {
                *event = redacted;
            }
        }
        for (_, _, note) in &mut record.notes {
            if let Some(redacted) = self.value::<Note>(note) {
                *note = redacted;
            }
        }
        self.replies(&mut record);
        record
    }

    fn value<T: serde::Serialize + serde::de::DeserializeOwned>(&self, of: &T) -> Option<T> {
        let mut value = serde_json::to_value(of).ok()?;
        self.strings(&mut value);
        serde_json::from_value(value).ok()
    }

    fn strings(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.text(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.strings(item)),
            Value::Object(fields) => {
                let informal = fields.iter_mut().filter(|(name, _)| !FORMAL.contains(&name.as_str()));
                informal.for_each(|(_, value)| self.strings(value));
            }
            _ => {}
        }
    }

    /// A text without it.
    #[must_use]
    pub fn text(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut at = 0;
        for (range, instead) in self.ranges(text) {
            out.push_str(&text[at..range.start]);
            out.push_str(instead);
            at = range.end;
        }
        out + &text[at..]
    }

    /// What is to be replaced, in order and apart from each other.
    fn ranges(&self, text: &str) -> Vec<(Range<usize>, &'static str)> {
        let mut all: Vec<(Range<usize>, &'static str)> = Vec::new();
        for pattern in &self.patterns {
            all.extend(pattern.find_iter(text).map(|found| (found.range(), REDACTED)));
        }
        all.extend(secret_ranges(text).into_iter().map(|range| (range, REDACTED)));
        if let Some(home) = &self.home {
            all.extend(
                text.match_indices(home.as_str())
                    .map(|(at, home)| (at..at + home.len(), "~")),
            );
        }
        all.retain(|(range, _)| !range.is_empty());
        all.sort_by_key(|(range, _)| (range.start, std::cmp::Reverse(range.end)));
        let mut apart: Vec<(Range<usize>, &'static str)> = Vec::new();
        for (range, instead) in all {
            match apart.last_mut() {
                Some((last, said)) if range.start < last.end => {
                    if range.end > last.end {
                        last.end = range.end;
                        *said = REDACTED;
                    }
                }
                _ => apart.push((range, instead)),
            }
        }
        apart
    }

    /// What spans several tokens goes out of all of them.
    fn replies(&self, record: &mut Record) {
        let mut from = 0;
        while from < record.events.len() {
            let is_question = |(_, event): &(_, Event)| matches!(event, Event::Question(_));
            let next = record.events[from + 1..].iter().position(is_question);
            let to = next.map_or(record.events.len(), |next| from + 1 + next);
            for channel in [Channel::Thinking, Channel::Answer] {
                self.reply(&mut record.events[from..to], channel);
            }
            from = to;
        }
    }

    fn reply(&self, events: &mut [(std::time::Duration, Event)], channel: Channel) {
        let mut whole = String::new();
        let mut pieces: Vec<Range<usize>> = Vec::new();
        for (_, event) in &*events {
            if let Event::Token(token) = event
                && token.channel == channel
            {
                let start = whole.len();
                whole.push_str(&token.text);
                pieces.push(start..whole.len());
            }
        }
        let ranges = self.ranges(&whole);
        let mut pieces = pieces.into_iter();
        for (_, event) in events {
            if let Event::Token(token) = event
                && token.channel == channel
                && let Some(piece) = pieces.next()
            {
                token.id = 0;
                token.text = cut(&whole, &piece, &ranges);
            }
        }
    }
}

/// A piece of the text: what stands instead of something is where that begins.
fn cut(whole: &str, piece: &Range<usize>, ranges: &[(Range<usize>, &'static str)]) -> String {
    let mut out = String::new();
    let mut at = piece.start;
    for (range, instead) in ranges {
        if range.end <= at || range.start >= piece.end {
            continue;
        }
        if range.start >= at {
            out.push_str(&whole[at..range.start]);
            out.push_str(instead);
        }
        at = range.end.min(piece.end);
    }
    out.push_str(&whole[at..piece.end]);
    out
}
