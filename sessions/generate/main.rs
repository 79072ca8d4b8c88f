//! Writes a session with a reasoning trace of 80,000 tokens, made from prose: no model has any part in it.
//!
//! `cargo run --release --example generate-session -- PROSE.txt OUT.jsonl [SEED]`
//!
//! The prose is read as chapters, paragraphs and sentences. The trace goes through them as a careful reader would: a heading
//! for each chapter, numbered steps that quote sentences word for word with the line they stand in, doubts, turns, sums.
//! Tokens are cut from that text by a simple rule (common words whole, others in pieces, digits in threes), and each is
//! given a time, a probability and an entropy: low and high where a thought turns or a word begins, the reverse inside of
//! words and quotations. The same prose and the same seed give the same bytes.
#![allow(
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a tool for whoever works on the program"
)]

mod prose;
mod tokens;
mod writer;

use std::fs::File;
use std::io::BufWriter;
use std::time::Duration;

use thunderhead::conversation::{Citation, Documents, Event, Loading, Question, Verdict};
use thunderhead::engine::{Finished, Prefill, StopReason, Token};
use thunderhead::session::{Header, Recorder};
use thunderhead::trace::Channel;

use prose::Prose;
use tokens::{Cutter, Piece};
use writer::Writer;

/// The name of the document that the session is about.
const DOCUMENT: &str = "eighty-days.txt";
/// Tokens of the long trace, after which its budget is used up and the answer begins.
const BUDGET: usize = 80_000;
/// Tokens of the second one, which comes to its end by itself.
const SECOND: usize = 14_000;
const CONTEXT: usize = 1_048_576;

const WHAT: &str = "a generated session: the trace is put together by a program (sessions/generate) from sentences of \
                    Jules Verne's “Around the World in Eighty Days” in the English of 1873, which is in the public domain. \
                    No model wrote any of it; probabilities, entropies and times are made up";
const QUESTION: &str = "Go through the journey day by day, check every date and every sum against the text, and tell me \
                        whether Phileas Fogg really won his wager.";
const FOLLOWING: &str = "So how much did the day that he gained by travelling east come to, an hour at a time?";

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (Some(from), Some(to)) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: generate-session PROSE.txt OUT.jsonl [SEED]");
        std::process::exit(2);
    };
    let seed = arguments.next().map_or(1873, |seed| seed.parse().unwrap());
    let prose = Prose::parse(&std::fs::read_to_string(from).unwrap());
    let out = BufWriter::new(File::create(to).unwrap());
    let mut header = Header::new("generated", WHAT);
    "sessions/generate".clone_into(&mut header.made_by);
    let mut session = Session {
        recorder: Recorder::new(out, &header).unwrap(),
        clock: Duration::from_millis(180),
        cutter: Cutter::new(&prose, seed),
        context: 0,
    };
    session.documents(&prose);

    let writer = Writer::new(&prose, seed);
    session.question(1, None, QUESTION);
    // Long enough that the budget ends it.
    let lengths = (3 * BUDGET..).step_by(2_000);
    let mut traces = lengths.map(|bytes| Writer::new(&prose, seed).trace(bytes));
    let trace = traces.find(|trace| session.cutter.count(trace) > BUDGET + 100).unwrap();
    session.reply(&trace, BUDGET, &writer.answer(), true);

    session.clock += Duration::from_secs(47);
    let mut writer = Writer::new(&prose, seed + 1);
    session.question(2, Some(1), QUESTION);
    let trace = writer.trace(SECOND * 15 / 4);
    session.reply(&trace, BUDGET, &writer.answer(), false);

    session.clock += Duration::from_secs(21);
    session.question(3, None, FOLLOWING);
    let trace = writer.short_trace();
    session.reply(&trace, BUDGET, &writer.short_answer(), false);
    session.recorder.flush().unwrap();
}

struct Session {
    recorder: Recorder<BufWriter<File>>,
    clock: Duration,
    cutter: Cutter,
    /// Tokens in the context.
    context: usize,
}

impl Session {
    fn event(&mut self, event: &Event) {
        self.recorder.event(self.clock, event).unwrap();
    }

    fn documents(&mut self, prose: &Prose) {
        let tokens = prose.lines * 13;
        let loading = |files| Loading {
            files,
            total_files: 1,
            tokens: files * tokens,
        };
        self.event(&Event::Loading(loading(0)));
        self.clock += Duration::from_millis(140);
        self.event(&Event::Loading(loading(1)));
        self.event(&Event::Documents(Documents {
            files: 1,
            lines: prose.lines,
            tokens,
            context_limit: CONTEXT,
            ..Documents::default()
        }));
        let took = self.prefill(0, tokens);
        self.event(&Event::Finished(Finished {
            reason: StopReason::Prefilled,
            prompt_tokens: tokens,
            prefill: took,
            ..Finished::default()
        }));
        self.context = tokens;
        self.clock += Duration::from_secs(12);
    }

    /// Prefills from one number of tokens to another, and gives the time that it took.
    fn prefill(&mut self, from: usize, to: usize) -> Duration {
        const RATE: f64 = 2_450.0;
        let began = self.clock;
        let mut done = from;
        loop {
            self.event(&Event::Prefill(Prefill {
                done,
                total: to,
                cached: from,
                rate: if done == from { 0.0 } else { RATE },
            }));
            if done == to {
                return self.clock.saturating_sub(began);
            }
            let tile = (to - done).min(4_096);
            done += tile;
            self.clock += Duration::from_secs_f64(tile as f64 / RATE);
        }
    }

    fn question(&mut self, turn: usize, revises: Option<usize>, text: &str) {
        self.event(&Event::Question(Question {
            turn,
            revises,
            text: text.to_owned(),
            asked_as: None,
            left_out: 0,
        }));
    }

    /// A reply: thinking up to its end or to `budget` tokens, then the answer. One that is to be remembered stays in the
    /// context without its thinking.
    fn reply(&mut self, thinking: &str, budget: usize, answer: &str, revised: bool) {
        let prompt = self.context + 44;
        let prefill = self.prefill(self.context, prompt);
        let began = self.clock;
        let mut pieces = self.cutter.cut(thinking);
        let over = pieces.len() > budget;
        pieces.truncate(budget);
        let thought = pieces.len();
        let mut index = 0;
        for piece in &pieces {
            self.token(Channel::Thinking, index, piece, began);
            index += 1;
        }
        let tag = Piece::closing();
        self.clock += tag.took;
        self.event(&Event::Token(Token {
            forced: over,
            ..self.described(Channel::Thinking, index, &tag, began)
        }));
        index += 1;
        let pieces = self.cutter.cut(answer);
        let answered = pieces.len();
        for piece in &pieces {
            self.token(Channel::Answer, index, piece, began);
            index += 1;
        }
        let decode = self.clock.saturating_sub(began);
        self.event(&Event::Finished(Finished {
            reason: StopReason::EndOfSequence,
            prompt_tokens: prompt,
            cached_tokens: self.context,
            thinking_tokens: thought + 1,
            answer_tokens: answered,
            prefill,
            decode,
            ..Finished::default()
        }));
        if !revised {
            self.context = prompt + answered;
        }
    }

    fn token(&mut self, channel: Channel, index: usize, piece: &Piece, began: Duration) {
        self.clock += piece.took;
        let token = self.described(channel, index, piece, began);
        self.event(&Event::Token(token));
        if let Some((line, quote)) = &piece.cites {
            self.event(&Event::Citation(Citation {
                channel,
                path: DOCUMENT.to_owned(),
                line: *line,
                section: None,
                quote: quote.clone(),
                verdict: Verdict::Verified,
            }));
        }
    }

    fn described(&self, channel: Channel, index: usize, piece: &Piece, began: Duration) -> Token {
        Token {
            index,
            id: 0,
            text: piece.text.clone(),
            channel,
            probability: piece.probability,
            entropy: piece.entropy,
            elapsed: self.clock.saturating_sub(began),
            forced: false,
        }
    }
}
