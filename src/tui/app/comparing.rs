//! Two thoughts side by side: which two, and what keys and the mouse do there.

use ratatui::layout::{Position, Rect};

use super::super::command::Action;
use super::super::compare::{Compare, Side};
use super::super::text::clean;
use super::super::transcript::{BlockId, Level};
use super::super::view;
use super::{App, Effect, Focus};

impl App {
    /// `/compare [N M]`: the thinking of these questions; without them, of the newest two replies to one question, else the
    /// newest two thoughts.
    pub(super) fn compare(&mut self, argument: &str) -> Vec<Effect> {
        let words: Vec<_> = argument.split_whitespace().collect();
        let two = match words[..] {
            [] => self.newest_versions().or_else(|| self.newest_thoughts()),
            [a, b] => match (self.thought_of_turn(a), self.thought_of_turn(b)) {
                (Ok(a), Ok(b)) => Some((a, b)),
                (Err(message), _) | (_, Err(message)) => {
                    self.notice(Level::Error, message);
                    return Vec::new();
                }
            },
            _ => {
                self.notice(
                    Level::Error,
                    "two questions are compared by their numbers: /compare 1 2",
                );
                return Vec::new();
            }
        };
        match two {
            Some((left, right)) => self.compare_blocks(left, right),
            None => self.tell("there are no two thoughts to compare yet"),
        }
        Vec::new()
    }

    pub(super) fn compare_blocks(&mut self, left: BlockId, right: BlockId) {
        let (left, right) = ((left, self.label(left)), (right, self.label(right)));
        self.ledger = None;
        self.compare = Compare::new(&self.transcript, left, right);
    }

    fn thought_of_turn(&self, number: &str) -> Result<BlockId, String> {
        let blocks = number.parse().ok().and_then(|number| self.revising.blocks(number));
        let Some((from, to)) = blocks else {
            return Err(format!("there is no question {number}; the first is 1"));
        };
        self.thought_in(from, to)
            .ok_or_else(|| format!("nothing was thought about question {number}"))
    }

    /// The longest thought of these blocks.
    fn thought_in(&self, from: BlockId, to: Option<BlockId>) -> Option<BlockId> {
        let blocks = self.transcript.blocks();
        let thoughts = (from..to.unwrap_or(blocks.len())).filter_map(|id| Some((id, blocks.get(id)?.thought()?)));
        let thoughts = thoughts.filter(|(_, thought)| thought.trace.segment_count() > 0);
        thoughts
            .max_by_key(|(_, thought)| thought.trace.text().len())
            .map(|(id, _)| id)
    }

    fn newest_versions(&self) -> Option<(BlockId, BlockId)> {
        let groups = self.revising.versions();
        groups.into_iter().rev().find_map(|turns| {
            let mut thoughts = turns.iter().rev().filter_map(|&turn| {
                let (from, to) = self.revising.blocks(turn)?;
                self.thought_in(from, to)
            });
            let newer = thoughts.next()?;
            Some((thoughts.next()?, newer))
        })
    }

    fn newest_thoughts(&self) -> Option<(BlockId, BlockId)> {
        let blocks = self.transcript.blocks().iter().enumerate().rev();
        let mut thoughts = blocks.filter_map(|(id, block)| Some((id, block.thought()?)));
        let mut next = || thoughts.find(|(_, thought)| thought.trace.segment_count() > 0);
        let (newer, _) = next()?;
        Some((next()?.0, newer))
    }

    /// `question 3 · version 2 of 2 · Where is it?`
    fn label(&self, block: BlockId) -> String {
        let Some((turn, question)) = self.revising.turn_of(block) else {
            return "a thought".to_owned();
        };
        let first = clean(question.trim().lines().next().unwrap_or_default());
        let groups = self.revising.versions();
        let version = groups.iter().find_map(|turns| {
            let at = turns.iter().position(|&other| other == turn)?;
            (turns.len() > 1).then(|| format!(" · version {} of {}", at + 1, turns.len()))
        });
        format!("question {turn}{} · {first}", version.unwrap_or_default())
    }

    /// What a key means while two thoughts are compared; whether they are.
    pub(super) fn compare_action(&mut self, action: Action) -> bool {
        let (Some(compare), transcript) = (&mut self.compare, &self.transcript) else {
            return false;
        };
        let page = compare.page();
        match action {
            Action::RowUp => compare.step(false, transcript),
            Action::RowDown => compare.step(true, transcript),
            Action::PageUp => compare.scroll(-page, transcript),
            Action::PageDown => compare.scroll(page, transcript),
            Action::ToStart => compare.go_to_start(transcript),
            Action::Follow => compare.go_to_end(transcript),
            Action::NextDifference => {
                compare.next_difference(true, transcript);
            }
            Action::PreviousDifference => {
                compare.next_difference(false, transcript);
            }
            Action::CompareLeft => compare.choose(Side::Left, transcript),
            Action::CompareRight => compare.choose(Side::Right, transcript),
            Action::CompareOther => compare.choose_other(transcript),
            Action::Accept => self.go_to_compared(),
            Action::Cancel | Action::Compare => self.compare = None,
            Action::Help => self.open_help(),
            _ => {}
        }
        true
    }

    fn go_to_compared(&mut self) {
        if let Some(compare) = self.compare.take() {
            let (block, byte) = compare.chosen();
            self.transcript.read_from(block, byte);
            self.focus_on(Focus::Conversation);
        }
    }

    /// All but the status line.
    pub(super) fn fit_compare(&mut self) {
        if self.compare.is_some() {
            let status = view::areas(self).status.height;
            let area = Rect {
                x: 0,
                y: 0,
                width: self.size.width,
                height: self.size.height - status,
            };
            if let Some(compare) = &mut self.compare {
                compare.resize(area, &self.transcript);
            }
        }
    }

    pub(super) fn compare_wheel(&mut self, rows: isize) -> bool {
        let Some(compare) = &mut self.compare else {
            return false;
        };
        compare.scroll(rows, &self.transcript);
        true
    }

    /// A click while two thoughts are compared; a second one goes to the segment.
    pub(super) fn compare_click(&mut self, at: Position) -> bool {
        let Some(compare) = &mut self.compare else {
            return false;
        };
        if compare.click(at, &self.transcript) {
            self.go_to_compared();
        }
        true
    }
}
