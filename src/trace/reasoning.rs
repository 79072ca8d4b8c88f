//! The trace of one thought: its text with what is known of every token, read for its structure while it is written.
//!
//! Feeding a token costs what its text costs, and whatever is asked of a trace is found without looking at all of it.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use serde::{Serialize, Serializer};

use super::columns::Columns;
use super::scan::{Scan, SegmentKind, Start};
use super::turning::Turning;

/// A token is certain above this probability. Thousands of certain tokens in a row are a loop (MiniMax-M1 report, §4.1).
pub const CERTAIN: f32 = 0.99;
/// Bytes of a segment that its title is made of.
const TITLE: usize = 160;

/// One token of a trace as it comes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Piece<'a> {
    /// Position in the reply. A token may come in several pieces, with the same index.
    pub index: usize,
    pub text: &'a str,
    pub probability: f32,
    /// In nats.
    pub entropy: f32,
    /// Since decoding began.
    pub elapsed: Duration,
    /// Not chosen by the model.
    pub forced: bool,
}

/// A thought, token by token.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Trace {
    text: String,
    columns: Columns,
    scan: Scan,
    turning: Arc<Turning>,
    /// When it began, on the clock of its tokens.
    began: Duration,
    last_index: Option<usize>,
    forced: usize,
    /// Certain tokens in a row: those at the end, and the most that there were.
    certain: usize,
    most_certain: usize,
    has_text: bool,
    over: bool,
}

/// A stretch of a trace. They follow on each other, and together they are all of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Segment {
    /// From 0.
    pub number: usize,
    pub kind: SegmentKind,
    #[serde(serialize_with = "range")]
    pub bytes: Range<usize>,
    #[serde(serialize_with = "range")]
    pub tokens: Range<usize>,
    /// Numbers of the turning points in it.
    #[serde(serialize_with = "range")]
    pub turns: Range<usize>,
    #[serde(rename = "seconds", serialize_with = "seconds")]
    pub took: Duration,
    #[serde(flatten)]
    pub mean: Mean,
}

/// Means over tokens; of none they are 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Mean {
    pub probability: f64,
    /// In nats.
    pub entropy: f64,
}

/// A trace in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Statistics {
    pub tokens: usize,
    /// Of these, not chosen by the model.
    pub forced: usize,
    #[serde(rename = "seconds", serialize_with = "seconds")]
    pub took: Duration,
    pub segments: usize,
    pub turning_points: usize,
    #[serde(flatten)]
    pub mean: Mean,
    /// Most tokens in a row that were certain.
    pub longest_certain: usize,
}

/// One part of the entropy map.
#[derive(Debug, Clone, PartialEq)]
pub struct Bucket {
    pub tokens: Range<usize>,
    pub mean: Mean,
    /// The greatest entropy of a token.
    pub peak: f32,
    /// It has a turning point.
    pub turns: bool,
}

impl Trace {
    /// `began`: when the thought began, on the clock of its tokens.
    #[must_use]
    pub fn new(turning: Arc<Turning>, began: Duration) -> Self {
        Self {
            turning,
            began,
            ..Self::default()
        }
    }

    pub fn push(&mut self, piece: &Piece<'_>) {
        self.text.push_str(piece.text);
        if self.last_index == Some(piece.index) && self.columns.len() > 0 {
            self.columns.extend_last(self.text.len());
        } else {
            let elapsed = piece.elapsed.saturating_sub(self.began);
            self.columns
                .push(self.text.len(), piece.probability, piece.entropy, elapsed);
            self.last_index = Some(piece.index);
            self.forced += usize::from(piece.forced);
            self.certain = if piece.probability > CERTAIN {
                self.certain + 1
            } else {
                0
            };
            self.most_certain = self.most_certain.max(self.certain);
        }
        self.read(piece.text);
    }

    /// More text, of which no token is known.
    pub fn push_text(&mut self, text: &str) {
        self.text.push_str(text);
        self.read(text);
    }

    fn read(&mut self, new: &str) {
        self.has_text |= !new.trim_start().is_empty();
        self.scan.advance(&self.text, self.over, &self.turning);
    }

    /// The thought is over: nothing at its end is open any more.
    pub fn finish(&mut self) {
        self.over = true;
        self.scan.advance(&self.text, true, &self.turning);
    }

    /// The thought goes on: what was decided about its end is looked at again.
    pub fn resume(&mut self) {
        self.over = false;
        self.scan = Scan::default();
        self.scan.advance(&self.text, false, &self.turning);
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// Number of tokens.
    pub fn tokens(&self) -> usize {
        self.columns.len()
    }

    /// Where it turns, in bytes of the text.
    pub fn turns(&self) -> &[usize] {
        self.scan.turns()
    }

    /// Certain tokens in a row, up to the last one.
    pub fn certain(&self) -> usize {
        self.certain
    }

    fn starts(&self) -> &[Start] {
        if self.has_text { self.scan.starts() } else { &[] }
    }

    /// None in a text that is blank.
    pub fn segment_count(&self) -> usize {
        self.starts().len()
    }

    pub fn segments(&self) -> impl DoubleEndedIterator<Item = Segment> {
        (0..self.segment_count()).filter_map(|number| self.segment(number))
    }

    /// The bytes of a segment.
    pub fn segment_bytes(&self, number: usize) -> Range<usize> {
        let at = |number: usize| self.starts().get(number).map_or(self.text.len(), |start| start.at);
        at(number)..at(number + 1)
    }

    pub fn segment_kind(&self, number: usize) -> Option<SegmentKind> {
        Some(self.starts().get(number)?.kind)
    }

    pub fn segment(&self, number: usize) -> Option<Segment> {
        let kind = self.segment_kind(number)?;
        let bytes = self.segment_bytes(number);
        let tokens = self.tokens_in(&bytes);
        let turn = |byte: usize| self.turns().partition_point(|&turn| turn < byte);
        Some(Segment {
            number,
            kind,
            turns: turn(bytes.start)..turn(bytes.end),
            took: self.time(&tokens),
            mean: self.mean(&tokens),
            bytes,
            tokens,
        })
    }

    /// The segment that a byte lies in; the last one for a byte after the text.
    pub fn segment_at(&self, byte: usize) -> Option<usize> {
        self.starts().partition_point(|start| start.at <= byte).checked_sub(1)
    }

    /// The first words of a segment, without what marks them as a heading or the like.
    pub fn title(&self, number: usize) -> String {
        let bytes = self.segment_bytes(number);
        let text = &self.text[bytes];
        let text = text[..text.floor_char_boundary(TITLE)].trim_start();
        let text = match self.segment_kind(number) {
            Some(SegmentKind::Heading) => text.lines().next().unwrap_or_default().trim_start_matches('#'),
            Some(SegmentKind::List) => text.trim_start_matches(['-', '*', '+', '•', ' ']),
            _ => text,
        };
        let mut title = String::with_capacity(text.len());
        for word in text.split_whitespace() {
            let word = word.trim_matches(['*', '`']);
            if !word.is_empty() {
                if !title.is_empty() {
                    title.push(' ');
                }
                title.push_str(word);
            }
        }
        title
    }

    /// The token that a byte lies in.
    pub fn token_at(&self, byte: usize) -> Option<usize> {
        let token = self.columns.ended(byte);
        (token < self.tokens()).then_some(token)
    }

    /// The bytes of a token.
    pub fn token_bytes(&self, token: usize) -> Range<usize> {
        self.columns.bytes(token)
    }

    /// The tokens that end in a stretch of bytes: every token ends in one segment only.
    pub fn tokens_in(&self, bytes: &Range<usize>) -> Range<usize> {
        let from = if bytes.start == 0 {
            0
        } else {
            self.columns.ended(bytes.start)
        };
        from..self.columns.ended(bytes.end).max(from)
    }

    pub fn probability(&self, token: usize) -> f32 {
        self.columns.probability(token)
    }

    pub fn entropy(&self, token: usize) -> f32 {
        self.columns.entropy(token)
    }

    /// From the token before these, or the beginning, to the last of them.
    pub fn time(&self, tokens: &Range<usize>) -> Duration {
        if tokens.is_empty() {
            return Duration::ZERO;
        }
        self.columns
            .elapsed(tokens.end)
            .saturating_sub(self.columns.elapsed(tokens.start))
    }

    pub fn mean(&self, tokens: &Range<usize>) -> Mean {
        let sum = self.columns.measure(tokens.clone());
        let count = tokens.len().max(1) as f64;
        Mean {
            probability: sum.probability / count,
            entropy: sum.entropy / count,
        }
    }

    pub fn statistics(&self) -> Statistics {
        let all = 0..self.tokens();
        Statistics {
            tokens: all.len(),
            forced: self.forced,
            took: self.time(&all),
            segments: self.segment_count(),
            turning_points: self.turns().len(),
            mean: self.mean(&all),
            longest_certain: self.most_certain,
        }
    }

    /// The whole trace in at most so many parts of about as many tokens each.
    pub fn map(&self, parts: usize) -> Vec<Bucket> {
        let tokens = self.tokens();
        let parts = parts.min(tokens);
        let edge = |part: usize| tokens * part / parts;
        let mut turns = self.turns().iter().peekable();
        (0..parts)
            .map(|part| {
                let tokens = edge(part)..edge(part + 1);
                let sum = self.columns.measure(tokens.clone());
                let end = self.token_bytes(tokens.end - 1).end;
                let mut turned = false;
                while turns.next_if(|turn| **turn < end).is_some() {
                    turned = true;
                }
                Bucket {
                    mean: Mean {
                        probability: sum.probability / tokens.len() as f64,
                        entropy: sum.entropy / tokens.len() as f64,
                    },
                    peak: sum.peak,
                    turns: turned,
                    tokens,
                }
            })
            .collect()
    }

    /// Bytes that it takes beside its text.
    pub fn memory(&self) -> usize {
        self.columns.memory() + self.scan.memory()
    }
}

fn range<S: Serializer>(range: &Range<usize>, serializer: S) -> Result<S::Ok, S::Error> {
    [range.start, range.end].serialize(serializer)
}

fn seconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((duration.as_secs_f64() * 1e4).round() / 1e4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A trace of words, each of which is a token.
    fn trace(text: &str) -> Trace {
        let mut trace = Trace::default();
        for (index, word) in text.split_inclusive(' ').enumerate() {
            trace.push(&Piece {
                index,
                text: word,
                probability: 0.25 * (index % 4) as f32,
                entropy: (index % 3) as f32,
                elapsed: Duration::from_millis(10 * (index as u64 + 1)),
                forced: false,
            });
        }
        trace.finish();
        trace
    }

    #[test]
    fn segments_have_their_tokens_times_and_means() {
        let trace = trace("## The **plan** \nis a plan.\n\nWait, is it? \nStep 1: however");
        let segments: Vec<_> = trace.segments().collect();
        let titles: Vec<_> = (0..segments.len()).map(|number| trace.title(number)).collect();
        assert_eq!(titles, ["The plan", "Wait, is it?", "Step 1: however"]);
        assert_eq!(segments[0].tokens, 0..5);
        assert_eq!(
            segments[1].tokens,
            5..8,
            "the token that crosses belongs to where it ends"
        );
        assert_eq!(segments[1].took, Duration::from_millis(30));
        assert!((segments[1].mean.probability - 0.5).abs() < 1e-12);
        assert_eq!(segments[1].turns, 0..1);
        assert_eq!(segments[2].tokens, 8..11);
        let all = trace.statistics();
        assert_eq!((all.tokens, all.segments, all.turning_points), (11, 3, 1));
        assert_eq!(all.took, Duration::from_millis(110));
    }

    #[test]
    fn text_is_all_in_segments_even_before_its_kind_can_be_told() {
        let mut trace = Trace::default();
        trace.push_text(" \n");
        assert_eq!(trace.segment_count(), 0);
        trace.push_text("1");
        assert_eq!(trace.segments().next().map(|segment| segment.bytes), Some(0..3));
        trace.push_text(". x");
        assert_eq!(trace.segment_kind(0), Some(SegmentKind::Step));
        assert_eq!(trace.segment_at(99), Some(0));
    }

    #[test]
    fn a_token_in_two_pieces_is_one_token() {
        let mut trace = Trace::new(Arc::default(), Duration::from_secs(1));
        let piece = |index, text| Piece {
            index,
            text,
            probability: 0.995,
            entropy: 0.0,
            elapsed: Duration::from_secs(2),
            forced: index == 4,
        };
        for (index, text) in [(3, "a"), (4, ""), (5, "你"), (5, "!")] {
            trace.push(&piece(index, text));
        }
        assert_eq!(trace.tokens(), 3);
        assert_eq!(trace.token_bytes(2), 1..5);
        assert_eq!(
            (trace.token_at(0), trace.token_at(4), trace.token_at(5)),
            (Some(0), Some(2), None)
        );
        assert_eq!(trace.certain(), 3);
        assert_eq!(trace.statistics().forced, 1);
        assert_eq!(trace.time(&(0..3)), Duration::from_secs(1));
        trace.push(&Piece {
            probability: 0.5,
            ..piece(6, "x")
        });
        assert_eq!((trace.certain(), trace.statistics().longest_certain), (0, 3));
    }

    #[test]
    fn eighty_thousand_tokens_are_small_and_their_map_is_all_of_them() {
        let trace = trace(&"a word and another, wait. \n\n".repeat(16_000));
        assert_eq!(trace.tokens(), 80_001);
        assert!(trace.memory() < 4 << 20, "{}", trace.memory());
        for parts in [0, 1, 7, 200, 1_000_000] {
            let map = trace.map(parts);
            assert_eq!(map.len(), parts.min(trace.tokens()));
            assert_eq!(
                map.iter().map(|bucket| bucket.tokens.len()).sum::<usize>(),
                if parts == 0 { 0 } else { 80_001 }
            );
        }
        let whole = &trace.map(1)[0];
        assert_eq!((whole.mean, whole.peak), (trace.statistics().mean, 2.0));
        assert!(Trace::default().map(10).is_empty());
    }

    #[test]
    fn numbers_are_written_for_machines() {
        let trace = trace("Wait a moment");
        let json = serde_json::to_value(trace.segment(0).unwrap()).unwrap();
        assert_eq!(
            json,
            serde_json::json!({"number": 0, "kind": "turn", "bytes": [0, 13], "tokens": [0, 3], "turns": [0, 1], "seconds": 0.03, "probability": 0.25, "entropy": 1.0})
        );
        let json = serde_json::to_value(trace.statistics()).unwrap();
        assert_eq!(json["turning_points"], 1);
    }

    proptest! {
        #[test]
        fn segments_are_all_of_the_text_and_of_its_tokens(
            words in prop::collection::vec(prop::sample::select(vec!["Wait", "so", ".", "\n\n", "1. ", "你", "# ", "", "\n", "a very long word that makes text"]), 0..80),
        ) {
            let mut trace = Trace::default();
            for (index, text) in words.iter().enumerate() {
                trace.push(&Piece { index, text, probability: 1.0, entropy: 0.0, elapsed: Duration::ZERO, forced: false });
                let (mut byte, mut token) = (0, 0);
                for segment in trace.segments() {
                    prop_assert_eq!((segment.bytes.start, segment.tokens.start), (byte, token));
                    prop_assert_eq!(trace.segment_at(byte), Some(segment.number));
                    for token in segment.tokens.clone().filter(|&token| !trace.token_bytes(token).is_empty()) {
                        prop_assert!(segment.bytes.contains(&(trace.token_bytes(token).end - 1)));
                    }
                    (byte, token) = (segment.bytes.end, segment.tokens.end);
                }
                if trace.segment_count() > 0 {
                    prop_assert_eq!((byte, token), (trace.text().len(), trace.tokens()));
                }
                prop_assert_eq!(trace.turns().len(), trace.segments().map(|segment| segment.turns.len()).sum::<usize>());
            }
        }
    }
}
