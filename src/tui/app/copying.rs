//! What is copied, and saying what came of it.

use super::super::clipboard::Copied;
use super::super::transcript::Level;
use super::{App, Effect};

impl App {
    /// `/copy WHAT`
    pub(super) fn copy_named(&mut self, what: &str) -> Vec<Effect> {
        match what {
            "" | "answer" => self.copy_answer(),
            "code" => self.copy_code(),
            "block" => self.copy_block(),
            "trace" => self.copy_trace(),
            other => {
                self.notice(
                    Level::Error,
                    format!("{other} cannot be copied; there are answer, code, block and trace"),
                );
                Vec::new()
            }
        }
    }

    pub(super) fn copy_answer(&mut self) -> Vec<Effect> {
        let answer = self.transcript.answer();
        self.copy(answer, "there is no answer to copy")
    }

    pub(super) fn copy_code(&mut self) -> Vec<Effect> {
        let code = self.transcript.code();
        self.copy(code, "there is no code block to copy")
    }

    pub(super) fn copy_block(&mut self) -> Vec<Effect> {
        let block = self.transcript.block();
        self.copy(block, "there is nothing to copy")
    }

    pub(super) fn copy_trace(&mut self) -> Vec<Effect> {
        let trace = self.transcript.trace();
        self.copy(trace, "there is no thinking to copy")
    }

    /// Copies a text without what must not reach a terminal: it will be pasted into one.
    fn copy(&mut self, text: Option<String>, otherwise: &str) -> Vec<Effect> {
        match text.map(|text| super::super::text::clean(&text)) {
            Some(text) if !text.is_empty() => vec![Effect::Copy(text)],
            _ => {
                self.notice(Level::Info, otherwise);
                Vec::new()
            }
        }
    }

    pub(super) fn copied(&mut self, copied: Copied) -> Vec<Effect> {
        let level = match copied {
            Copied::Taken { .. } | Copied::Sent { .. } | Copied::NotTaken { .. } => Level::Info,
            Copied::TooLong { .. } => Level::Error,
        };
        self.notice(level, copied.to_string());
        match copied {
            Copied::NotTaken { text, .. } => vec![Effect::SendCopy(text)],
            _ => Vec::new(),
        }
    }
}
