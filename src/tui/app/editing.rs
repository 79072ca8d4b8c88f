//! What was said, in the person's own editor.

use super::super::editor::{Edited, Editing, Purpose};
use super::super::transcript::{Kind, Level};
use super::{App, Effect};

impl App {
    /// `/view [answer|thinking|segment]`: without a word the selected thinking, else what was said last.
    pub(super) fn view_in_editor(&mut self, what: &str) -> Vec<Effect> {
        if what == "segment" {
            return self.view_segment();
        }
        let answers = |kind: &Kind| *kind == Kind::Answer;
        let thoughts = |kind: &Kind| matches!(kind, Kind::Thinking(_));
        let blocks = self.transcript.blocks();
        let newest = |wanted: &dyn Fn(&Kind) -> bool| {
            blocks
                .iter()
                .rfind(|block| wanted(&block.kind) && !block.source().trim().is_empty())
        };
        let block = match what {
            "answer" => newest(&answers),
            "thinking" => newest(&thoughts),
            "" => {
                let selected = self.transcript.selected().map(|id| &blocks[id]);
                selected.or_else(|| newest(&|kind| answers(kind) || thoughts(kind)))
            }
            _ => {
                self.notice(Level::Error, format!("/view answer, thinking or segment, not {what}"));
                return Vec::new();
            }
        };
        let Some(block) = block else {
            self.tell("nothing has been said yet");
            return Vec::new();
        };
        let name = if answers(&block.kind) {
            "answer.md"
        } else {
            "thinking.md"
        };
        look(name, block.source().to_owned())
    }

    fn view_segment(&mut self) -> Vec<Effect> {
        let segment = self.segment_meant();
        let text = segment.and_then(|(block, number)| self.transcript.segment(block, number));
        if let Some(text) = text {
            return look("segment.md", text);
        }
        self.tell("there is no segment of a thought to read");
        Vec::new()
    }

    /// The editor is done.
    pub(super) fn edited(&mut self, edited: Edited) {
        let Edited { purpose, text } = edited;
        match (purpose, text) {
            (_, Err(message)) => self.notice(Level::Error, message),
            (Purpose::Look, Ok(_)) => {}
            (Purpose::Draft, Ok(text)) => self.draft_edited(&text),
        }
    }
}

/// A text goes to the editor to be read.
fn look(name: &str, text: String) -> Vec<Effect> {
    vec![Effect::Edit(Editing {
        text,
        name: name.to_owned(),
        purpose: Purpose::Look,
    })]
}
