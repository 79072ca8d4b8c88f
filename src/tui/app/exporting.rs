//! Writing what was said to a file.

use std::path::Path;

use super::super::export::{self, Form, Outcome, Writing, Written};
use super::super::format;
use super::super::transcript::{Block, Level};
use super::{App, Effect, Focus};

impl App {
    /// `/export [trace|conversation] [FILE]`: without a file, to one that is not there yet.
    pub(super) fn export(&mut self, argument: &str) -> Vec<Effect> {
        let (first, rest) = argument.split_once(char::is_whitespace).unwrap_or((argument, ""));
        let (of_trace, file) = match first {
            "trace" => (true, rest.trim()),
            "conversation" => (false, rest.trim()),
            _ => (false, argument.trim()),
        };
        let what = if of_trace { "the trace" } else { "the conversation" };
        let proposed = if of_trace { "trace.md" } else { "conversation.md" };
        let path = if file.is_empty() { proposed } else { file };
        let Some(form) = Form::of(path) else {
            self.notice(
                Level::Error,
                format!("{path}: a file to export to ends in .md or .jsonl"),
            );
            return Vec::new();
        };
        let trace = self.transcript.thinking();
        let blocks = self.transcript.blocks();
        let blocks: Vec<&Block> = if of_trace {
            trace.map(|id| &blocks[id]).into_iter().collect()
        } else {
            blocks.iter().collect()
        };
        let text = export::text(&blocks, form);
        if text.is_empty() {
            self.tell("nothing has been said yet");
            return Vec::new();
        }
        vec![Effect::Write(Writing {
            path: path.into(),
            any_name: file.is_empty(),
            text,
            what,
        })]
    }

    /// What became of a file.
    pub(super) fn written(&mut self, written: &Written) {
        let path = written.path.display();
        match &written.outcome {
            Outcome::Done(bytes) => {
                let bytes = format::counted(*bytes, "byte");
                self.notice(Level::Info, format!("{} is in {path} ({bytes})", written.what));
            }
            Outcome::Exists(free) => self.exists(written.what, &written.path, free),
            Outcome::Failed(why) => self.notice(Level::Error, format!("{path} cannot be written: {why}")),
        }
    }

    /// Offers another name, ready to be sent if nothing is being written.
    fn exists(&mut self, what: &str, path: &Path, free: &Path) {
        let what = what.trim_start_matches("the ");
        let command = format!("/export {what} {}", free.display());
        let (path, free) = (path.display(), free.display());
        self.notice(
            Level::Error,
            format!("{path} is there already and stays as it is; {free} is free"),
        );
        if self.composer.is_empty() {
            self.focus_on(Focus::Composer);
            self.composer.replace(command);
        }
    }
}
