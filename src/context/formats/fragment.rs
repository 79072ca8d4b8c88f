//! Finished lines, and the places in them that have a name.

use crate::context::pack::{Section, SectionKind};
use crate::context::sanitize::sanitize_line;

use super::Extracted;

/// Characters of a section's title.
const LONGEST_TITLE: usize = 200;

/// A named place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Mark {
    Section {
        kind: SectionKind,
        title: String,
        level: u8,
    },
    /// The target of links.
    Anchor(String),
}

impl Mark {
    pub fn section(kind: SectionKind, title: &str, level: u8) -> Self {
        let title: String = sanitize_line(title.trim()).chars().take(LONGEST_TITLE).collect();
        Self::Section { kind, title, level }
    }
}

/// Some lines of a text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Fragment {
    /// Each line ends in a line feed.
    pub text: String,
    pub lines: usize,
    /// With their lines, from 0 and ascending; one past the last is that of what follows.
    pub marks: Vec<(usize, Mark)>,
    /// Has lines that mean something by being lines.
    pub verbatim: bool,
}

impl Fragment {
    /// Adds one line; what would break it becomes a space.
    pub fn line(&mut self, prefix: &str, line: &str) {
        self.text.push_str(prefix);
        if line.contains(['\n', '\r']) {
            self.text.push_str(&line.replace(['\n', '\r'], " "));
        } else {
            self.text.push_str(line);
        }
        self.text.push('\n');
        self.lines += 1;
    }

    /// Adds text that has lines of its own.
    pub fn verbatim(&mut self, text: &str) {
        for line in text.lines() {
            self.line("", line.trim_end());
        }
        self.verbatim = true;
    }

    /// Marks the line that comes next.
    pub fn mark(&mut self, mark: Mark) {
        self.marks.push((self.lines, mark));
    }

    pub fn append(&mut self, other: Self) {
        let marks = other.marks.into_iter().map(|(line, mark)| (line + self.lines, mark));
        self.marks.extend(marks);
        self.text.push_str(&other.text);
        self.lines += other.lines;
        self.verbatim |= other.verbatim;
    }

    pub fn ends_blank(&self) -> bool {
        self.text.is_empty() || self.text.ends_with("\n\n")
    }

    /// The text and its sections. Marks past the last line are taken to mean it.
    pub fn finish(self, notes: Vec<String>) -> Extracted {
        let last = self.lines.max(1);
        let mut sections: Vec<Section> = self
            .marks
            .into_iter()
            .filter_map(|(line, mark)| match mark {
                Mark::Section { kind, title, level } => Some(Section {
                    kind,
                    title,
                    level,
                    line: (line + 1).min(last),
                }),
                Mark::Anchor(_) => None,
            })
            .collect();
        sections.sort_by_key(|section| section.line);
        if self.lines == 0 {
            sections.clear();
        }
        Extracted {
            text: self.text,
            sections,
            notes,
        }
    }
}
