//! What of the transcript is copied: sources as they came, never what is drawn of them.
//!
//! A reply is what comes between a question and the next one. It is meant that the cursor is in, else the last one that
//! has what is asked for.

use std::ops::Range;

use super::super::fences::fenced;
use super::{Block, BlockId, Kind, Transcript};

impl Transcript {
    /// All of an answer.
    pub fn answer(&self) -> Option<String> {
        self.of_reply(|block| block.kind == Kind::Answer)
    }

    /// All of the thinking of a reply.
    pub fn trace(&self) -> Option<String> {
        self.of_reply(|block| block.thought().is_some())
    }

    /// The code block that the cursor is in, else the last one of an answer, else the last one.
    pub fn code(&self) -> Option<String> {
        let last = |wanted: fn(&Block) -> bool| {
            let mut blocks = self.blocks.iter().rev().filter(|block| wanted(block));
            blocks.find_map(|block| fenced(block.source()).pop())
        };
        let code = last(|block| block.kind == Kind::Answer);
        code.or_else(|| last(|block| block.thought().is_some()))
            .map(|code| code.text)
    }

    /// The block that the cursor is in, else the last one that was said by anyone.
    pub fn block(&self) -> Option<String> {
        let said = |block: &&Block| !matches!(block.kind, Kind::Notice(_)) && is_something(block);
        self.blocks
            .iter()
            .rev()
            .find(said)
            .map(|block| trimmed(block).to_owned())
    }

    fn of_reply(&self, wanted: fn(&Block) -> bool) -> Option<String> {
        let last = self
            .blocks
            .iter()
            .rposition(|block| wanted(block) && is_something(block))?;
        let blocks = &self.blocks[self.reply(last)];
        let parts: Vec<_> = blocks.iter().filter(|block| wanted(block)).map(trimmed).collect();
        Some(parts.join("\n\n"))
    }

    /// The blocks between two questions, one of which this is.
    fn reply(&self, id: BlockId) -> Range<BlockId> {
        let is_question = |block: &Block| block.kind == Kind::Question;
        let start = self.blocks[..id].iter().rposition(is_question);
        let end = self.blocks[id..].iter().position(is_question);
        start.map_or(0, |start| start + 1)..end.map_or(self.blocks.len(), |end| id + end)
    }
}

fn is_something(block: &Block) -> bool {
    !block.source().trim().is_empty()
}

/// Without blank lines around it.
fn trimmed(block: &Block) -> &str {
    after_blank_lines(block.source().trim_end())
}

/// Without blank lines before it.
pub(super) fn after_blank_lines(source: &str) -> &str {
    let blank = source.len() - source.trim_start().len();
    let from = source[..blank].rfind('\n').map_or(0, |at| at + 1);
    &source[from..]
}
