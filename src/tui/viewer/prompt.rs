//! The line at the bottom, while something is written there: what to search for, or a line's number.

use super::super::text::{clean, clusters};
use super::{Search, Spot, Step, Viewer};

/// Longer searches are hardly typed.
const LONGEST: usize = 1000;

#[derive(Debug)]
pub struct Prompt {
    pub text: String,
    purpose: Purpose,
}

#[derive(Debug)]
enum Purpose {
    Line,
    /// Where one was before.
    Search {
        cursor: Spot,
        top: Spot,
    },
}

impl Prompt {
    pub fn line() -> Self {
        Self {
            text: String::new(),
            purpose: Purpose::Line,
        }
    }

    pub fn search(cursor: Spot, top: Spot) -> Self {
        Self {
            text: String::new(),
            purpose: Purpose::Search { cursor, top },
        }
    }

    pub fn sign(&self) -> &'static str {
        match self.purpose {
            Purpose::Line => ":",
            Purpose::Search { .. } => "/",
        }
    }
}

impl Viewer {
    pub fn is_prompting(&self) -> bool {
        self.prompt.is_some()
    }

    /// Writes; a search follows at once.
    pub fn write(&mut self, text: &str) {
        let Some(prompt) = &mut self.prompt else {
            return;
        };
        let text = clean(text).replace(['\n', '\t'], " ");
        let only_digits = matches!(prompt.purpose, Purpose::Line);
        prompt
            .text
            .extend(text.chars().filter(|c| !only_digits || c.is_ascii_digit()));
        prompt.text.truncate(prompt.text.floor_char_boundary(LONGEST));
        self.follow_prompt();
    }

    /// Takes the last character back; a prompt without one closes.
    pub fn erase(&mut self) {
        let Some(prompt) = &mut self.prompt else {
            return;
        };
        match clusters(&prompt.text).last().map(|(at, _)| at) {
            Some(at) => {
                prompt.text.truncate(at);
                self.follow_prompt();
            }
            None => self.dismiss(),
        }
    }

    pub fn erase_all(&mut self) {
        if let Some(prompt) = &mut self.prompt {
            prompt.text.clear();
            self.follow_prompt();
        }
    }

    /// Takes what was written.
    pub fn accept(&mut self) {
        let Some(prompt) = self.prompt.take() else {
            return;
        };
        match prompt.purpose {
            Purpose::Line => {
                self.digits = prompt.text;
                self.enter();
            }
            // Nothing written: what was searched for before, once more.
            Purpose::Search { .. } if prompt.text.is_empty() => {
                self.step(Step::NextMatch);
            }
            Purpose::Search { .. } => {}
        }
    }

    /// Goes back to where one was before the prompt.
    pub fn dismiss(&mut self) {
        if let Some(Prompt {
            purpose: Purpose::Search { cursor, top },
            text,
        }) = self.prompt.take()
        {
            if !text.is_empty() {
                self.search = None;
            }
            self.cursor = cursor;
            self.look_at(top);
        }
    }

    fn follow_prompt(&mut self) {
        let Some(Prompt {
            text,
            purpose: Purpose::Search { cursor, top },
        }) = &self.prompt
        else {
            return;
        };
        let (cursor, top) = (*cursor, *top);
        self.search = (!text.is_empty()).then(|| Search::new(text, cursor));
        self.cursor = cursor;
        self.look_at(top);
        self.go_on();
    }
}
