//! Text to tokens, with a time, a probability and an entropy for each.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::prose::Prose;

/// Words that occur less often than this are cut into pieces.
const COMMON: usize = 5;
/// What a token takes, about: 31 tokens a second.
const MILLIS: f64 = 1000.0 / 31.0;
/// Words that a thought turns at.
const TURNS: [&str; 9] = [
    "Wait",
    "However",
    "Hmm",
    "Actually",
    "But",
    "Alternatively",
    "Let",
    "So",
    "On",
];

#[derive(Debug, Clone)]
pub struct Piece {
    pub text: String,
    pub probability: f32,
    pub entropy: f32,
    pub took: Duration,
    /// A place that ends with this token, and what is quoted from it.
    pub cites: Option<(usize, String)>,
}

impl Piece {
    /// The tag that ends thinking; it has no text.
    pub fn closing() -> Self {
        Self {
            text: String::new(),
            probability: 0.004,
            entropy: 1.9,
            took: Duration::from_millis(32),
            cites: None,
        }
    }
}

pub struct Cutter {
    words: HashMap<String, usize>,
    random: ChaCha8Rng,
    /// How sure the model would be, from 0 to 1: it drifts, so that stretches of a trace differ.
    calm: f64,
    tokens: usize,
}

/// Where a token stands.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Turn,
    AfterTurn,
    Word,
    Inside,
    Mark,
    Break,
    Digit,
}

impl Cutter {
    pub fn new(prose: &Prose, seed: u64) -> Self {
        let mut words = HashMap::new();
        for sentence in prose.chapters.iter().flat_map(|chapter| &chapter.sentences) {
            for word in sentence.text.split(|c: char| !c.is_alphabetic()) {
                *words.entry(word.to_lowercase()).or_default() += 1;
            }
        }
        Self {
            words,
            random: ChaCha8Rng::seed_from_u64(seed ^ 0x7065_6163),
            calm: 0.6,
            tokens: 0,
        }
    }

    fn uniform(&mut self) -> f64 {
        (self.random.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// The tokens of a text. `\u{1}LINE\u{2}QUOTE\u{3}` in it is no text but cites what has just been written.
    pub fn cut(&mut self, text: &str) -> Vec<Piece> {
        let mut pieces: Vec<Piece> = Vec::new();
        let mut quoted = false;
        let mut since_turn = usize::MAX;
        for (part, cites) in parts(text) {
            let mut pending: VecDeque<(String, Place)> = self.split(part).into();
            while let Some((text, place)) = pending.pop_front() {
                if text.contains('“') {
                    quoted = true;
                }
                let place = match place {
                    Place::Word if TURNS.contains(&text.trim()) && starts_thought(&pieces) => Place::Turn,
                    Place::Word if since_turn < 4 => Place::AfterTurn,
                    place => place,
                };
                since_turn = if place == Place::Turn {
                    0
                } else {
                    since_turn.saturating_add(1)
                };
                let ends = text.contains('”');
                let piece = self.piece(text, place, quoted);
                pieces.push(piece);
                if ends {
                    quoted = false;
                }
            }
            if let (Some(last), Some(cites)) = (pieces.last_mut(), cites) {
                last.cites = Some(cites);
            }
        }
        pieces
    }

    pub fn count(&self, text: &str) -> usize {
        parts(text).into_iter().map(|(part, _)| self.split(part).len()).sum()
    }

    fn piece(&mut self, text: String, place: Place, quoted: bool) -> Piece {
        self.tokens += 1;
        let drift = self.uniform() - 0.5;
        self.calm = (self.calm + drift * 0.05 + (0.62 - self.calm) * 0.01).clamp(0.15, 0.97);
        // The most that the token may be doubted.
        let doubt = match (place, quoted) {
            (Place::Turn, _) => 0.92,
            (Place::AfterTurn, false) => 0.75,
            (_, true) => 0.06,
            (Place::Word, _) => 0.7,
            (Place::Inside, _) => 0.05,
            (Place::Mark, _) => 0.4,
            (Place::Break, _) => 0.3,
            (Place::Digit, _) => 0.22,
        };
        let spread = self.uniform().powf(1.0 + 2.0 * self.calm);
        let probability = (1.0 - doubt * spread * (1.25 - 0.5 * self.calm)).clamp(0.003, 0.9999);
        let noise = 0.75 + 0.5 * self.uniform();
        let entropy = (-probability.ln() * 0.9 + (1.0 - probability) * 1.3) * noise;
        let slower = 1.0 + self.tokens as f64 / 1.2e6;
        let jitter = 0.96 + 0.08 * self.uniform();
        Piece {
            text,
            probability: probability as f32,
            entropy: entropy as f32,
            took: Duration::from_micros((MILLIS * slower * jitter * 1000.0) as u64),
            cites: None,
        }
    }

    /// Words with the space before them, pieces of rare words, marks, runs of line breaks, up to three digits.
    fn split(&self, text: &str) -> Vec<(String, Place)> {
        let mut found = Vec::new();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let space = usize::from(first == ' ');
            let body = &rest[space..];
            let run = |of: fn(char) -> bool| body.find(|c| !of(c)).unwrap_or(body.len());
            let (length, place) = match body.chars().next() {
                None => (0, Place::Mark),
                Some('\n') => (run(|c| c == '\n'), Place::Break),
                Some(' ') => (run(|c| c == ' ') - 1, Place::Break),
                Some(c) if c.is_ascii_digit() => (run(|c| c.is_ascii_digit()).min(3), Place::Digit),
                Some(c) if c.is_alphabetic() => (run(char::is_alphabetic), Place::Word),
                Some(c) => (c.len_utf8(), Place::Mark),
            };
            let (token, after) = rest.split_at(space + length.max(usize::from(space == 0)));
            rest = after;
            if place == Place::Word && self.words.get(&token.trim().to_lowercase()).is_none_or(|&n| n < COMMON) {
                found.extend(in_pieces(token));
            } else {
                found.push((token.to_owned(), place));
            }
        }
        found
    }
}

/// A rare word: pieces of four and three letters.
fn in_pieces(word: &str) -> Vec<(String, Place)> {
    let letters: Vec<char> = word.chars().collect();
    let mut pieces = Vec::new();
    let mut at = 0;
    while at < letters.len() {
        let left = letters.len() - at;
        let take = match (at, left) {
            (_, 0..=6) => left,
            (0, _) => 5,
            _ => 4,
        };
        let place = if at == 0 { Place::Word } else { Place::Inside };
        pieces.push((letters[at..at + take].iter().collect(), place));
        at += take;
    }
    pieces
}

/// Whether what comes next begins a sentence.
fn starts_thought(pieces: &[Piece]) -> bool {
    pieces
        .last()
        .is_none_or(|last| last.text.contains('\n') || last.text.trim().ends_with(['.', '?', '!', '”']))
}

type Cites = Option<(usize, String)>;

/// Stretches of text, each with what is cited at its end.
fn parts(text: &str) -> Vec<(&str, Cites)> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\u{1}') {
        let (line, after) = after.split_once('\u{2}').unwrap();
        let (quote, after) = after.split_once('\u{3}').unwrap();
        found.push((before, Some((line.parse().unwrap(), quote.to_owned()))));
        rest = after;
    }
    found.push((rest, None));
    found
}
