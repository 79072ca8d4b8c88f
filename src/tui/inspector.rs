//! The inspector: an account of the thinking that has been done, beside the conversation.

pub mod ledger;

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::text::{clip, print};
use super::theme::{Part, Theme};
use super::transcript::Transcript;

#[derive(Debug, Default)]
pub struct Inspector {
    /// Whether it is on the screen, room permitting.
    pub shown: bool,
}

/// A row for each thought, the newest last.
pub fn draw(transcript: &Transcript, area: Rect, buf: &mut Buffer, theme: &Theme, now: Duration) {
    let mut rows = area.rows();
    let Some(title) = rows.next() else {
        return;
    };
    print(
        buf,
        title.x,
        title.y,
        title.width,
        "thinking",
        theme.style(Part::HelpTitle),
    );
    let room = usize::from(area.width);
    let accounts: Vec<String> = transcript
        .blocks()
        .iter()
        .rev()
        .filter_map(|block| block.account(now, room))
        .take(usize::from(area.height) - 1)
        .collect();
    for (row, account) in rows.zip(accounts.iter().rev()) {
        print(
            buf,
            row.x,
            row.y,
            row.width,
            &clip(account, room),
            theme.style(Part::ThinkingHeader),
        );
    }
}
