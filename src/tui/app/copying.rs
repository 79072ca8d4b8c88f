//! What is copied, and saying what came of it.

use super::super::clipboard::Copied;
use super::super::transcript::BlockId;
use super::super::transcript::Level;
use super::{App, Effect, Focus};

impl App {
    /// `/copy WHAT`
    pub(super) fn copy_named(&mut self, what: &str) -> Vec<Effect> {
        match what {
            "" | "answer" => self.copy_answer(),
            "code" => self.copy_code(),
            "block" => self.copy_block(),
            "trace" => self.copy_trace(),
            "segment" => self.copy_segment(),
            other => {
                self.notice(
                    Level::Error,
                    format!("{other} cannot be copied; there are answer, code, block, trace and segment"),
                );
                Vec::new()
            }
        }
    }

    pub(super) fn copy_answer(&mut self) -> Vec<Effect> {
        let here = self.here();
        let answer = self.transcript.answer(here);
        self.copy(answer, "there is no answer to copy")
    }

    pub(super) fn copy_code(&mut self) -> Vec<Effect> {
        let here = self.here();
        let code = self.transcript.code(here);
        self.copy(code, "there is no code block to copy")
    }

    pub(super) fn copy_block(&mut self) -> Vec<Effect> {
        let here = self.here();
        let block = self.transcript.block(here);
        self.copy(block, "there is nothing to copy")
    }

    pub(super) fn copy_trace(&mut self) -> Vec<Effect> {
        let here = self.here();
        let trace = match self.focus {
            Focus::Inspector => self.transcript.thinking_read().map(|id| (id, 0)),
            _ => here,
        };
        let trace = self.transcript.trace(trace);
        self.copy(trace, "there is no thinking to copy")
    }

    pub(super) fn copy_segment(&mut self) -> Vec<Effect> {
        let segment = self.segment_meant();
        let text = segment.and_then(|(block, number)| self.transcript.segment(block, number));
        self.copy(text, "there is no segment of a thought to copy")
    }

    /// The block and the number of the segment that is meant: the one chosen in the inspector, else the one that is read.
    pub(super) fn segment_meant(&mut self) -> Option<(BlockId, usize)> {
        if self.focus == Focus::Inspector {
            self.chosen_segment()
        } else {
            self.transcript.segment_read()
        }
    }

    /// What is selected where the keys are, else what the cursor is on.
    pub(super) fn copy_selection(&mut self) -> Vec<Effect> {
        if let Some(viewer) = &mut self.viewer {
            let text = viewer.copied().to_owned();
            viewer.drop_selection();
            return self.copy(Some(text), "the line is empty");
        }
        if self.focus == Focus::Composer {
            let text = self.composer.selected_text();
            return self.copy(text, "nothing of what you write is selected");
        }
        match self.transcript.selected_text() {
            Some(text) => {
                self.transcript.drop_selection();
                self.copy(Some(text), "what is selected is empty")
            }
            None => self.copy_block(),
        }
    }

    /// The block and the byte that the reading cursor is on, while one reads.
    pub(super) fn here(&mut self) -> Option<(BlockId, usize)> {
        if self.focus == Focus::Conversation {
            self.transcript.here()
        } else {
            None
        }
    }

    /// Does what a click on the reading cursor would do; nothing if it would do nothing.
    pub(super) fn act_under_cursor(&mut self) -> Option<Vec<Effect>> {
        let (row, column) = self.transcript.cursor().filter(|_| self.focus == Focus::Conversation)?;
        self.act_on(column, row)
    }

    /// Copies a text without what must not reach a terminal: it will be pasted into one.
    pub(super) fn copy(&mut self, text: Option<String>, otherwise: &str) -> Vec<Effect> {
        match text.map(|text| super::super::text::clean(&text)) {
            Some(text) if !text.is_empty() => vec![Effect::Copy(text)],
            _ => {
                self.tell(otherwise);
                Vec::new()
            }
        }
    }

    pub(super) fn copied(&mut self, copied: Copied) -> Vec<Effect> {
        let told = copied.to_string();
        match copied {
            Copied::Taken { .. } | Copied::Sent { .. } => self.tell(told),
            Copied::NotTaken { text, .. } => {
                self.notice(Level::Info, told);
                return vec![Effect::SendCopy(text)];
            }
            Copied::TooLong { .. } => self.notice(Level::Error, told),
        }
        Vec::new()
    }
}
