//! The line in which is written what to search for.

use super::super::text::{clean, clusters};
use super::super::transcript::{Bookmark, Transcript};

/// Longer searches are hardly typed.
const LONGEST: usize = 1000;

#[derive(Debug)]
pub struct Prompt {
    text: String,
    /// Which of the searches before it is, and what was written when they were looked at.
    recalled: Option<(usize, String)>,
    /// Where the person was.
    pub(super) back: Bookmark,
    /// There, a block and a byte of it.
    pub(super) origin: (usize, usize),
    /// Of the documents that have matches.
    pub chosen: usize,
}

impl Prompt {
    pub(super) fn new(transcript: &mut Transcript) -> Self {
        Self {
            text: String::new(),
            recalled: None,
            back: transcript.bookmark(),
            origin: transcript.reading_spot(),
            chosen: 0,
        }
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn write(&mut self, text: &str) {
        self.text.push_str(&clean(text).replace(['\n', '\t'], " "));
        self.text.truncate(self.text.floor_char_boundary(LONGEST));
        self.recalled = None;
    }

    /// Takes the last character back.
    pub fn erase(&mut self) {
        let last = clusters(&self.text).last().map_or(0, |(at, _)| at);
        self.text.truncate(last);
        self.recalled = None;
    }

    pub fn erase_all(&mut self) {
        self.text.clear();
        self.recalled = None;
    }

    /// The search before this one, or after it; beyond the newest, what was being written.
    pub fn recall(&mut self, older: bool, history: &[String]) {
        let (at, written) = match self.recalled.take() {
            Some(recalled) => recalled,
            None => (history.len(), self.text.clone()),
        };
        let at = if older { at.saturating_sub(1) } else { at + 1 };
        match history.get(at) {
            Some(text) => {
                self.text.clone_from(text);
                self.recalled = Some((at, written));
            }
            None => self.text = written,
        }
    }
}
