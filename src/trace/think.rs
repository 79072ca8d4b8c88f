//! Splitting `<think>…</think>` from text that arrives in arbitrary byte chunks.
//!
//! Invariant: the concatenated text of each channel, and the order of channels, is the same for every way of cutting
//! the byte stream. Bytes are held back only while they could still be the beginning of a character or of a tag that
//! would change the channel. A reply that never closes its thinking is thinking to the end.

use serde::{Deserialize, Serialize};

pub const OPEN_TAG: &str = "<think>";
pub const CLOSE_TAG: &str = "</think>";

/// Which part of a reply a piece of text belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    Thinking,
    Answer,
}

/// A run of text of one channel; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    pub channel: Channel,
    pub text: String,
}

/// The incremental splitter. Invalid UTF-8 becomes U+FFFD, one per maximal invalid sequence.
#[derive(Debug, Clone)]
pub struct ThinkSplitter {
    channel: Channel,
    held: Vec<u8>,
}

impl ThinkSplitter {
    /// `open`: the prompt has already opened the tag, so that the reply begins inside it.
    #[must_use]
    pub fn new(open: bool) -> Self {
        Self {
            channel: if open { Channel::Thinking } else { Channel::Answer },
            held: Vec::new(),
        }
    }

    /// The channel that the next text would belong to.
    #[must_use]
    pub fn channel(&self) -> Channel {
        self.channel
    }

    /// Takes more bytes and returns what is decided by them.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<Span> {
        self.held.extend_from_slice(bytes);
        let mut spans = Vec::new();
        while let Some(at) = find(&self.held, self.tag()) {
            self.emit(at, &mut spans);
            self.held.drain(..self.tag().len());
            self.channel = match self.channel {
                Channel::Thinking => Channel::Answer,
                Channel::Answer => Channel::Thinking,
            };
        }
        let decided = self.held.len() - self.undecided();
        self.emit(decided, &mut spans);
        spans
    }

    /// The end of the reply: whatever was held back is text.
    pub fn finish(mut self) -> Vec<Span> {
        let mut spans = Vec::new();
        self.emit(self.held.len(), &mut spans);
        spans
    }

    /// The tag that would change the channel.
    fn tag(&self) -> &'static [u8] {
        match self.channel {
            Channel::Thinking => CLOSE_TAG.as_bytes(),
            Channel::Answer => OPEN_TAG.as_bytes(),
        }
    }

    /// How many of the last held bytes could still become a tag or a character.
    fn undecided(&self) -> usize {
        let tag = self.tag();
        let partial_tag = (1..tag.len())
            .rev()
            .find(|&n| self.held.ends_with(&tag[..n]))
            .unwrap_or(0);
        partial_tag.max(incomplete_character(&self.held))
    }

    fn emit(&mut self, len: usize, spans: &mut Vec<Span>) {
        if len > 0 {
            let text = String::from_utf8_lossy(&self.held[..len]).into_owned();
            spans.push(Span {
                channel: self.channel,
                text,
            });
            self.held.drain(..len);
        }
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|w| w == needle)
}

/// Length of an incomplete but so far valid character at the end of `bytes`.
fn incomplete_character(bytes: &[u8]) -> usize {
    let tail = &bytes[bytes.len().saturating_sub(3)..];
    (1..=tail.len())
        .rev()
        .find(|&n| {
            let end = &tail[tail.len() - n..];
            matches!(std::str::from_utf8(end), Err(e) if e.valid_up_to() == 0 && e.error_len().is_none())
        })
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn split(open: bool, chunks: &[&[u8]]) -> Vec<Span> {
        let mut splitter = ThinkSplitter::new(open);
        let mut spans: Vec<Span> = chunks.iter().flat_map(|c| splitter.push(c)).collect();
        spans.extend(splitter.finish());
        let mut merged: Vec<Span> = Vec::new();
        for span in spans {
            assert!(!span.text.is_empty());
            match merged.last_mut() {
                Some(last) if last.channel == span.channel => last.text.push_str(&span.text),
                _ => merged.push(span),
            }
        }
        merged
    }

    fn spans(parts: &[(Channel, &str)]) -> Vec<Span> {
        parts
            .iter()
            .map(|&(channel, text)| Span {
                channel,
                text: text.into(),
            })
            .collect()
    }

    use Channel::{Answer, Thinking};

    #[test]
    fn thinking_then_answer() {
        let got = split(false, &[b"<think>why</think>because"]);
        assert_eq!(got, spans(&[(Thinking, "why"), (Answer, "because")]));
    }

    #[test]
    fn the_prompt_may_have_opened_the_tag() {
        let got = split(true, &[b"why</th", b"ink>because"]);
        assert_eq!(got, spans(&[(Thinking, "why"), (Answer, "because")]));
    }

    #[test]
    fn unclosed_thinking_stays_thinking() {
        assert_eq!(split(false, &[b"<think>why</thi"]), spans(&[(Thinking, "why</thi")]));
    }

    #[test]
    fn a_closing_tag_outside_of_thinking_is_text() {
        assert_eq!(split(false, &[b"a</think>b"]), spans(&[(Answer, "a</think>b")]));
    }

    #[test]
    fn a_tag_like_text_is_not_lost() {
        assert_eq!(
            split(true, &[b"a </", b"thi", b"s> b"]),
            spans(&[(Thinking, "a </this> b")])
        );
    }

    #[test]
    fn nothing_decided_is_held_back() {
        let mut splitter = ThinkSplitter::new(true);
        assert_eq!(splitter.push("é".as_bytes()), spans(&[(Thinking, "é")]));
        assert_eq!(splitter.push(b"x<"), spans(&[(Thinking, "x")]));
        assert_eq!(splitter.push(b"y"), spans(&[(Thinking, "<y")]));
    }

    proptest! {
        #[test]
        fn every_cut_of_the_stream_gives_the_same_spans(
            pieces in prop::collection::vec(
                prop_oneof![
                    Just(b"<think>".to_vec()), Just(b"</think>".to_vec()), Just(b"<".to_vec()), Just(b"</thi".to_vec()),
                    Just("né 你好 🙂".as_bytes().to_vec()), Just(b"\xff".to_vec()), Just(b"\xe4\xbd".to_vec()), any::<[u8; 2]>().prop_map(|b| b.to_vec()),
                ], 0..12),
            open: bool,
            cuts in prop::collection::vec(0usize..100, 0..20),
        ) {
            let whole: Vec<u8> = pieces.concat();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|c| c.min(whole.len())).collect();
            cuts.sort_unstable();
            cuts.push(whole.len());
            let mut from = 0;
            let chunks: Vec<&[u8]> = cuts.iter().map(|&to| { let c = &whole[from..to]; from = to; c }).collect();
            prop_assert_eq!(split(open, &[&whole]), split(open, &chunks));
        }
    }
}
