//! Events to lines.

use std::io::{self, Write};
use std::time::Duration;

use serde::Serialize;

use super::Header;
use super::line::{Run, Stamped, millis, seal};
use super::note::Note;
use crate::conversation::Event;

/// Most tokens of a line.
const RUN_TOKENS: usize = 64;

/// Writes a record. Every line is written whole, in one call; tokens wait until their run is full, something else comes,
/// or [`Recorder::flush`] is called.
#[derive(Debug)]
pub struct Recorder<W: Write> {
    out: W,
    run: Option<Run>,
}

impl<W: Write> Recorder<W> {
    /// Begins a record.
    ///
    /// # Errors
    /// If `out` cannot be written to.
    pub fn new(out: W, header: &Header) -> io::Result<Self> {
        let mut recorder = Self::resumed(out);
        recorder.line(header)?;
        Ok(recorder)
    }

    /// Goes on with a record that has begun.
    #[must_use]
    pub fn resumed(out: W) -> Self {
        Self { out, run: None }
    }

    /// What is written to.
    pub fn out(&mut self) -> &mut W {
        &mut self.out
    }

    /// Takes something that is no event of the conversation.
    ///
    /// # Errors
    /// If the record cannot be written to.
    pub fn note(&mut self, at: Duration, note: &Note) -> io::Result<()> {
        self.flush()?;
        self.line(&Stamped {
            at: millis(at),
            event: note,
        })
    }

    /// Takes an event that came `at` on the session's clock.
    ///
    /// # Errors
    /// If the record cannot be written to.
    pub fn event(&mut self, at: Duration, event: &Event) -> io::Result<()> {
        let Event::Token(token) = event else {
            self.flush()?;
            return self.line(&Stamped { at: millis(at), event });
        };
        match &mut self.run {
            Some(run) if run.texts.len() < RUN_TOKENS && run.takes(token) => {
                let later = millis(token.elapsed) - run.elapsed();
                run.push(token, later);
                Ok(())
            }
            _ => {
                self.flush()?;
                self.run = Some(Run::of(at, token));
                Ok(())
            }
        }
    }

    /// Writes what has been taken.
    ///
    /// # Errors
    /// If the record cannot be written to.
    pub fn flush(&mut self) -> io::Result<()> {
        if let Some(mut run) = self.run.take() {
            if run.ids.iter().all(|&id| id == 0) {
                run.ids.clear();
            }
            self.line(&run)?;
        }
        self.out.flush()
    }

    fn line(&mut self, what: &impl Serialize) -> io::Result<()> {
        let mut line = serde_json::to_vec(what)?;
        seal(&mut line);
        self.out.write_all(&line)
    }
}
