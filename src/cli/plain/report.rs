//! What a plain conversation prints: phases, progress, thinking and answers as lines, without colour or cursor.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::time::Duration;

use super::wrap::Wrapped;
use crate::config::{Plain, PlainThinking};
use crate::conversation::{Citation, Documents, Event, KeptState, Loading, Planned, Question, Skipped};
use crate::engine::{Finished, Prefill, StopReason, Token};
use crate::trace::Channel;
use crate::tui::format;
use crate::tui::text::clean;

/// A prefill of fewer tokens is over before a line about it is read.
const WORTH_A_LINE: usize = 4096;
/// Left-out files that are named.
const NAMED: usize = 5;

/// Prints events.
#[derive(Debug)]
pub struct Report<W> {
    pub out: W,
    thinking: PlainThinking,
    text: Wrapped,
    /// Tenths of the running prefill or loading that were told.
    tenths: usize,
    channel: Option<Channel>,
    thought: Duration,
    citations: Vec<Citation>,
    /// The last documents, for who asks for them.
    documents: Option<Documents>,
}

impl<W: Write> Report<W> {
    pub fn new(out: W, settings: &Plain, columns: usize) -> Self {
        Self {
            out,
            thinking: settings.thinking,
            text: Wrapped::new(columns),
            tenths: 0,
            channel: None,
            thought: Duration::ZERO,
            citations: Vec::new(),
            documents: None,
        }
    }

    pub fn set_thinking(&mut self, thinking: PlainThinking) {
        self.thinking = thinking;
    }

    /// A line, or several, each wrapped.
    pub fn say(&mut self, text: &str) -> io::Result<()> {
        self.text.end(&mut self.out)?;
        self.text.write(&clean(text), &mut self.out)?;
        self.text.end(&mut self.out)
    }

    pub fn event(&mut self, event: &Event) -> io::Result<()> {
        match event {
            Event::Loading(loading) => self.loading(loading),
            Event::Documents(documents) => self.loaded(documents),
            Event::Planned(planned) => self.planned(planned),
            Event::Question(question) => self.question(question),
            Event::Prefill(prefill) => self.prefill(prefill),
            Event::Token(token) => self.token(token),
            Event::Citation(citation) => {
                if citation.channel == Channel::Answer {
                    self.citations.push(citation.clone());
                }
                Ok(())
            }
            Event::Finished(finished) => self.finished(finished),
            // Nothing that could be written here asks for these.
            Event::Estimated(_) | Event::Continued { .. } | Event::ThinkingEnded { .. } | Event::Rewound { .. } => {
                Ok(())
            }
            Event::Kept { state, message } => {
                self.channel = None;
                let error = if matches!(state, KeptState::Told | KeptState::Resumed) {
                    ""
                } else {
                    "Error: "
                };
                self.say(&format!("{error}{message}"))
            }
            Event::PlanFailed { message } | Event::Refused { message } | Event::Failed { message } => {
                self.channel = None;
                self.say(&format!("Error: {message}"))
            }
        }
    }

    /// Whether another tenth is done, which one.
    fn tenth(&mut self, done: usize, total: usize) -> Option<usize> {
        let tenths = done.saturating_mul(10).checked_div(total)?.min(10);
        if tenths < self.tenths {
            self.tenths = 0;
        }
        (tenths > self.tenths).then(|| {
            self.tenths = tenths;
            tenths
        })
    }

    fn loading(&mut self, loading: &Loading) -> io::Result<()> {
        match self.tenth(loading.files, loading.total_files) {
            Some(tenths @ 1..=9) => self.say(&format!(
                "Loading: {}0 %, {} of {}, {} tokens.",
                tenths,
                format::count(loading.files),
                format::counted(loading.total_files, "file"),
                format::count(loading.tokens)
            )),
            _ => Ok(()),
        }
    }

    fn loaded(&mut self, documents: &Documents) -> io::Result<()> {
        self.tenths = 0;
        self.say(&format!(
            "Loaded {}, {}, {} of {} tokens.",
            format::counted(documents.files, "file"),
            format::counted(documents.lines, "line"),
            format::count(documents.tokens),
            format::count(documents.context_limit)
        ))?;
        if !documents.skipped.is_empty() {
            let left_out = format::counted(documents.skipped.len(), "file");
            self.say(&format!("{left_out} left out; /docs lists them."))?;
        }
        self.documents = Some(documents.clone());
        Ok(())
    }

    /// The documents, and what was left out.
    pub fn list(&mut self) -> io::Result<()> {
        let Some(documents) = self.documents.take() else {
            return self.say("No documents are loaded.");
        };
        for document in &documents.pack.documents {
            let tokens = format::counted(document.tokens.len(), "token");
            self.say(&format!("{}: {tokens}", document.path))?;
        }
        for Skipped { path, reason, .. } in &documents.skipped {
            self.say(&format!("Left out: {path}: {reason}"))?;
        }
        self.documents = Some(documents);
        Ok(())
    }

    fn planned(&mut self, planned: &Planned) -> io::Result<()> {
        for (what, names) in [
            ("Adds", &planned.added),
            ("Takes out", &planned.removed),
            ("Reads again", &planned.changed),
        ] {
            if !names.is_empty() {
                let shown = names[..names.len().min(NAMED)].join(", ");
                let more = match names.len().saturating_sub(NAMED) {
                    0 => String::new(),
                    more => format!(" and {} more", format::count(more)),
                };
                self.say(&format!("{what} {shown}{more}."))?;
            }
        }
        for refused in planned.refused.iter().take(NAMED) {
            self.say(&format!("Stays out: {}: {}", refused.path, refused.reason))?;
        }
        self.say(&format!(
            "To read: {} of {} tokens ({}); the context has {}.",
            format::count(planned.prefill),
            format::count(planned.tokens),
            format::replay(
                planned.prompt.saturating_sub(planned.prefill),
                planned.prompt.max(planned.prefill),
                planned.ms.map(Duration::from_millis)
            ),
            format::count(planned.context_limit)
        ))
    }

    fn question(&mut self, question: &Question) -> io::Result<()> {
        self.tenths = 0;
        match &question.asked_as {
            Some(asked_as) => self.say(&format!("Asked as: {asked_as}")),
            None => Ok(()),
        }
    }

    fn prefill(&mut self, prefill: &Prefill) -> io::Result<()> {
        if prefill.total.saturating_sub(prefill.cached) < WORTH_A_LINE {
            return Ok(());
        }
        let Some(tenths) = self.tenth(prefill.done, prefill.total) else {
            return Ok(());
        };
        let mut text = format!(
            "Reading: {tenths}0 %, {} of {} tokens",
            format::count(prefill.done),
            format::count(prefill.total)
        );
        if prefill.cached > 0 {
            let _ = write!(text, ", {} were there", format::count(prefill.cached));
        }
        if let Some(rate) = format::rate(prefill.rate) {
            let _ = write!(text, ", {rate}");
            let left = prefill.total.saturating_sub(prefill.done) as f64 / prefill.rate;
            if let Ok(left) = Duration::try_from_secs_f64(left) {
                let _ = write!(text, ", {} left", format::clock(left));
            }
        }
        self.say(&(text + "."))
    }

    fn token(&mut self, token: &Token) -> io::Result<()> {
        if self.channel != Some(token.channel) {
            self.enter(token.channel)?;
        }
        match token.channel {
            Channel::Thinking => {
                self.thought = token.elapsed;
                if self.thinking == PlainThinking::Show {
                    self.text.write(&token.text, &mut self.out)?;
                }
            }
            Channel::Answer => self.text.write(&token.text, &mut self.out)?,
        }
        Ok(())
    }

    fn enter(&mut self, channel: Channel) -> io::Result<()> {
        self.channel = Some(channel);
        match (channel, self.thinking) {
            (_, PlainThinking::Hide) => Ok(()),
            (Channel::Thinking, PlainThinking::Show) => self.say("Thinking:"),
            (Channel::Thinking, PlainThinking::Summary) => self.say("Thinking."),
            (Channel::Answer, _) if self.thought > Duration::ZERO => {
                self.say(&format!("Thought for {}.", format::duration(self.thought)))?;
                self.say("Answer:")
            }
            (Channel::Answer, _) => self.say("Answer:"),
        }
    }

    fn finished(&mut self, finished: &Finished) -> io::Result<()> {
        self.text.end(&mut self.out)?;
        (self.channel, self.thought, self.tenths) = (None, Duration::ZERO, 0);
        let mut told: Vec<Citation> = Vec::new();
        for citation in std::mem::take(&mut self.citations) {
            if !told.contains(&citation) {
                self.say(&crate::tui::citation_text(&citation))?;
                told.push(citation);
            }
        }
        let why = match finished.reason {
            StopReason::Prefilled | StopReason::EndOfSequence => None,
            StopReason::MaxTokens => Some("Stopped: the reply reached its token limit.".to_owned()),
            StopReason::ContextFull => Some("Stopped: the context is full.".to_owned()),
            StopReason::Repetition { tokens } => Some(format!(
                "Stopped: the model was repeating itself, for {} tokens.",
                format::count(tokens)
            )),
            StopReason::Cancelled => Some("Cancelled; what was done is kept.".to_owned()),
        };
        if let Some(why) = why {
            self.say(&why)?;
        }
        let decoded = finished.thinking_tokens.saturating_add(finished.answer_tokens);
        if decoded > 0 && self.thinking != PlainThinking::Hide {
            let rate = decoded as f64 / finished.decode.as_secs_f64();
            let rate = format::rate(rate).map_or_else(String::new, |rate| format!(", {rate}"));
            self.say(&format!(
                "{} tokens of thinking, {} of answer{rate}.",
                format::count(finished.thinking_tokens),
                format::count(finished.answer_tokens)
            ))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(thinking: PlainThinking) -> Report<Vec<u8>> {
        let settings = Plain {
            thinking,
            ..Plain::default()
        };
        Report::new(Vec::new(), &settings, 40)
    }

    fn said(report: &Report<Vec<u8>>) -> &str {
        std::str::from_utf8(&report.out).unwrap()
    }

    fn token(channel: Channel, text: &str) -> Event {
        Event::Token(Token {
            index: 0,
            id: 0,
            text: text.into(),
            channel,
            probability: 1.0,
            entropy: 0.0,
            elapsed: Duration::from_millis(1500),
            forced: false,
        })
    }

    #[test]
    fn a_prefill_tells_every_tenth_once() {
        let mut report = report(PlainThinking::Show);
        for done in (0..=100_000).step_by(1024).chain([100_000]) {
            let prefill = Prefill {
                done,
                total: 100_000,
                cached: 0,
                rate: 1000.0,
            };
            report.event(&Event::Prefill(prefill)).unwrap();
        }
        let told = said(&report);
        assert_eq!(told.matches("Reading:").count(), 10, "{told}");
        assert!(
            told.contains("Reading: 50 %, 50,176 of 100,000 tokens,\n1.0K tok/s, 0:49 left."),
            "{told}"
        );
        let short = Prefill {
            done: 10,
            total: 10,
            cached: 0,
            rate: 1.0,
        };
        let before = told.len();
        report.event(&Event::Prefill(short)).unwrap();
        assert_eq!(said(&report).len(), before, "a short one says nothing");
    }

    #[test]
    fn thinking_is_shown_summarised_or_hidden() {
        for (thinking, expected) in [
            (
                PlainThinking::Show,
                "Thinking:\nLet me look, it is somewhere in here I\nthink.\nThought for 1.5 s.\nAnswer:\nAt line 3.\n",
            ),
            (
                PlainThinking::Summary,
                "Thinking.\nThought for 1.5 s.\nAnswer:\nAt line 3.\n",
            ),
            (PlainThinking::Hide, "At line 3.\n"),
        ] {
            let mut report = report(thinking);
            for event in [
                token(Channel::Thinking, "Let me look, it is somewhere in "),
                token(Channel::Thinking, "here I think."),
                token(Channel::Answer, "At line"),
                token(Channel::Answer, " 3."),
            ] {
                report.event(&event).unwrap();
            }
            report.say("").unwrap();
            assert_eq!(said(&report), expected);
        }
    }

    #[test]
    fn no_control_character_is_printed() {
        let mut report = report(PlainThinking::Show);
        report.say("a\x1b[31mb\x07\r\nc").unwrap();
        report.event(&token(Channel::Answer, "x\x1b]0;t\x07y")).unwrap();
        report
            .event(&Event::Failed {
                message: "\x1b[2J".into(),
            })
            .unwrap();
        assert!(
            said(&report).chars().all(|c| c == '\n' || !c.is_control()),
            "{:?}",
            said(&report)
        );
    }
}
