//! What of the transcript is copied: sources as they came, never what is drawn of them.
//!
//! A reply is what comes between a question and the next one. It is meant that the cursor is in, else the last one that
//! has what is asked for.

use std::ops::Range;

use super::super::fences::fenced;
use super::{Block, BlockId, Kind, Transcript};

/// A block, and a byte of its source.
type Here = Option<(BlockId, usize)>;

impl Transcript {
    /// All of an answer.
    pub fn answer(&self, here: Here) -> Option<String> {
        self.of_reply(here, |block| block.kind == Kind::Answer)
    }

    /// All of the thinking of a reply.
    pub fn trace(&self, here: Here) -> Option<String> {
        self.of_reply(here, |block| block.thought().is_some())
    }

    /// A segment of a thought.
    pub fn segment(&self, id: BlockId, number: usize) -> Option<String> {
        let trace = &self.blocks.get(id)?.thought()?.trace;
        let segment = (number < trace.segment_count()).then(|| &trace.text()[trace.segment_bytes(number)])?;
        Some(after_blank_lines(segment.trim_end()).to_owned())
    }

    /// The code block that the cursor is in, else the last one of an answer, else the last one.
    pub fn code(&self, here: Here) -> Option<String> {
        if let Some((id, at)) = here
            && let Some(code) = fenced(self.blocks[id].source())
                .into_iter()
                .find(|code| code.at.contains(&at))
        {
            return Some(code.text);
        }
        let last = |wanted: fn(&Block) -> bool| {
            let mut blocks = self.blocks.iter().rev().filter(|block| wanted(block));
            blocks.find_map(|block| fenced(block.source()).pop())
        };
        let code = last(|block| block.kind == Kind::Answer);
        code.or_else(|| last(|block| block.thought().is_some()))
            .map(|code| code.text)
    }

    /// The block that the cursor is in, else the last one that was said by anyone.
    pub fn block(&self, here: Here) -> Option<String> {
        let said = |block: &&Block| !matches!(block.kind, Kind::Notice(_)) && is_something(block);
        let block = match here {
            Some((id, _)) => self.blocks.get(id),
            None => self.blocks.iter().rev().find(said),
        };
        block.map(|block| trimmed(block).to_owned())
    }

    fn of_reply(&self, here: Here, wanted: fn(&Block) -> bool) -> Option<String> {
        let is_wanted = |block: &Block| wanted(block) && is_something(block);
        let of = |blocks: Range<BlockId>| {
            let blocks = self.blocks[blocks].iter().filter(|block| is_wanted(block));
            let parts: Vec<_> = blocks.map(trimmed).collect();
            (!parts.is_empty()).then(|| parts.join("\n\n"))
        };
        let here = here.and_then(|(id, _)| of(self.reply(id)));
        here.or_else(|| of(self.reply(self.blocks.iter().rposition(is_wanted)?)))
    }

    /// The blocks from a question to the next one, one of which this is.
    fn reply(&self, id: BlockId) -> Range<BlockId> {
        let is_question = |block: &Block| block.kind == Kind::Question;
        // A question belongs to what comes after it.
        let start = self.blocks[..=id].iter().rposition(is_question);
        let end = self.blocks[id + 1..].iter().position(is_question);
        start.unwrap_or(0)..end.map_or(self.blocks.len(), |end| id + 1 + end)
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
