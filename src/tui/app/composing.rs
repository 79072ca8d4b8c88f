//! Writing: typed characters and pastes, vim's keys, looking through the history, the draft in an editor.

use std::time::Duration;

use ratatui::crossterm::event::{KeyCode, KeyModifiers};
use ratatui::layout::Position;

use super::super::command::Action;
use super::super::composer::Limits;
use super::super::composer::piece::Piece;
use super::super::composer::search::Erase;
use super::super::composer::store::Told;
use super::super::composer::vim::Mode;
use super::super::editor::{Editing, Purpose};
use super::super::keymap::Chord;
use super::super::select::Unit;
use super::super::terminal::CursorShape;
use super::super::transcript::Level;
use super::super::view;
use super::{App, Effect, Focus, Input};

/// How soon what is being written is kept, at the latest.
const KEEPING: Duration = Duration::from_secs(1);

/// What of the text that is being written has been kept, by the number of its changes, and since when more is to be.
#[derive(Debug, Default)]
pub struct Kept {
    changes: u64,
    since: Option<Duration>,
    /// Whether something is kept.
    any: bool,
}

impl App {
    /// Whether characters go to what is being written, and nothing lies over it.
    pub(super) fn is_composing(&self) -> bool {
        self.focus == Focus::Composer && self.help.is_none() && self.viewer.is_none() && !self.is_prompting()
    }

    /// Characters that came faster than anyone types are over, if `input` is none of them.
    pub(super) fn settle_burst(&mut self, input: &Input) -> Vec<Effect> {
        let continues = match input {
            Input::Key(key) => {
                let modified = key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT);
                matches!(key.code, KeyCode::Char(_) | KeyCode::Enter | KeyCode::Tab) && !modified
            }
            Input::Paste(_) | Input::Mouse(_) => false,
            _ => true,
        };
        if continues && !self.composer.burst_is_over(self.came) {
            return Vec::new();
        }
        if self.composer.end_burst() && self.is_composing() {
            return self.perform(Action::Send, "");
        }
        Vec::new()
    }

    /// When characters that came fast are over, if nothing more comes.
    pub(super) fn burst_ends(&self) -> Option<Duration> {
        // A moment later: at that time itself they still could go on.
        let deadline = self.composer.burst_deadline();
        deadline.map(|at| at + Duration::from_millis(1))
    }

    /// A key among characters that come faster than anyone types: line ends and tabs are characters then. Whether it was
    /// one of them.
    pub(super) fn burst_key(&mut self, chord: Chord) -> bool {
        if !self.is_composing() || !chord.modifiers.is_empty() || self.composer.is_commanded() {
            return false;
        }
        match chord.code {
            KeyCode::Enter => !self.composer.enter(self.came),
            KeyCode::Tab if self.composer.is_pasting(self.came) => {
                self.composer.typed('\t', self.came);
                true
            }
            _ => false,
        }
    }

    /// Writes a typed character, where characters are no commands.
    pub(super) fn compose(&mut self, text: &str) {
        if let Some(search) = &mut self.composer.search {
            search.write(text);
        } else if !self.composer.is_commanded() {
            for c in text.chars() {
                self.composer.typed(c, self.came);
            }
        }
    }

    /// A key that is vim's. Whether it was one.
    pub(super) fn vim_key(&mut self, chord: Chord) -> bool {
        if !self.is_composing() || self.composer.mode().is_none() {
            return false;
        }
        match (chord.code, chord.modifiers) {
            (KeyCode::Esc, KeyModifiers::NONE) => {
                let offered = self.completion.offer.is_some();
                if offered {
                    self.completion.dismiss();
                }
                self.composer.escape() || offered
            }
            (KeyCode::Char('r'), KeyModifiers::CONTROL) if self.composer.mode() == Some(Mode::Normal) => {
                self.composer.redo();
                true
            }
            (KeyCode::Char(c), KeyModifiers::NONE) if self.composer.is_commanded() => {
                self.completion.hold();
                self.composer.command(c)
            }
            _ => false,
        }
    }

    /// As it was set.
    pub(super) fn set_up_composer(&mut self) {
        let set = &self.setup.settings.composer;
        self.composer.limits = Limits {
            lines: usize::try_from(set.paste_lines.0).unwrap_or(usize::MAX),
            characters: usize::try_from(set.paste_characters.0).unwrap_or(usize::MAX),
        };
        let vim = set.vim;
        self.composer.set_vim(vim);
    }

    /// Whether later runs shall know what was written in this one.
    #[must_use]
    pub fn keeps_history(&self) -> bool {
        self.setup.settings.composer.history
    }

    pub(super) fn set_vim(&mut self, argument: &str) {
        let vim = match argument {
            "" => self.composer.mode().is_none(),
            "on" => true,
            "off" => false,
            _ => {
                self.notice(Level::Error, format!("/vim on or /vim off, not {argument}"));
                return;
            }
        };
        self.composer.set_vim(vim);
        let text = if vim {
            "vim's keys: Esc for commands, i to write; /vim off ends it"
        } else {
            "vim's keys are off"
        };
        self.tell(text);
    }

    /// What the cursor looks like.
    #[must_use]
    pub fn cursor_shape(&self) -> CursorShape {
        match self.composer.mode() {
            Some(Mode::Insert) => CursorShape::Bar,
            Some(_) if self.is_composing() => CursorShape::Block,
            _ => CursorShape::Usual,
        }
    }

    // History.

    pub(super) fn told_of_history(&mut self, told: Told) {
        match told {
            Told::Entries(entries) => self.composer.remember_earlier(entries),
            Told::Failed(message) => self.notice(Level::Error, message),
        }
    }

    pub(super) fn search_history(&mut self) {
        if self.composer.search.is_none() {
            self.focus_on(Focus::Composer);
            self.composer.search_history();
        }
    }

    /// What a key means while one looks for something in the history.
    pub(super) fn history_action(&mut self, action: Action) {
        let page = isize::from(view::completion::ROWS.cast_signed());
        let Some(search) = &mut self.composer.search else {
            return;
        };
        match action {
            Action::Accept => {
                self.completion.hold();
                self.composer.take_found();
            }
            Action::Cancel => self.composer.search = None,
            Action::RowUp => search.choose(-1),
            Action::RowDown | Action::SearchHistory => search.choose(1),
            Action::PageUp => search.choose(-page),
            Action::PageDown => search.choose(page),
            Action::Backspace => search.erase(Erase::Character),
            Action::KillWord => search.erase(Erase::Word),
            Action::KillToStart => search.erase(Erase::All),
            _ => {}
        }
    }

    /// What is being written is kept now and then, for a run that is killed.
    pub(super) fn keep_draft(&mut self) -> Option<Effect> {
        if self.composer.changes() == self.kept.changes || !self.keeps_history() {
            return None;
        }
        let since = *self.kept.since.get_or_insert(self.now);
        let nothing = self.composer.is_empty();
        if !nothing && self.now < since + KEEPING {
            return None;
        }
        (self.kept.changes, self.kept.since) = (self.composer.changes(), None);
        let was_kept = std::mem::replace(&mut self.kept.any, !nothing);
        (was_kept || !nothing).then(|| Effect::KeepDraft(self.composer.whole()))
    }

    pub(super) fn draft_is_due(&self) -> Option<Duration> {
        self.kept.since.map(|since| since + KEEPING)
    }

    /// Chips say their tokens; these are counted elsewhere, one paste at a time.
    pub(super) fn count_pasted(&mut self) -> Option<Effect> {
        let pasted = self.setup.counts.then(|| self.composer.uncounted())?;
        pasted.map(Effect::Count)
    }

    /// What was being written when the application ends.
    #[must_use]
    pub fn unsent(&self) -> Option<String> {
        let draft = self.composer.whole();
        (!draft.trim().is_empty()).then_some(draft)
    }

    /// Ctrl-C on a draft while nothing runs: it is put away, into the history.
    pub(super) fn give_up_draft(&mut self) -> Vec<Effect> {
        self.composer.give_up().map(Effect::Remember).into_iter().collect()
    }

    /// The button is pressed in the field; whether it was there. A word or a line is selected at once.
    pub(super) fn composer_press(&mut self, at: Position, areas: &view::Areas, unit: Unit) -> bool {
        let Some((row, column)) = view::composer::place(self, areas, at) else {
            return false;
        };
        self.focus_on(Focus::Composer);
        self.composer.search = None;
        self.completion.hold();
        self.composer.press(row, column, unit);
        true
    }

    /// The button is moved while it is held: what is between is selected; above the field is its first row, below the last.
    pub(super) fn composer_drag(&mut self, at: Position) {
        let areas = view::areas(self);
        let field = areas.composer;
        if field.is_empty() {
            return;
        }
        let at = Position {
            x: at.x.clamp(field.left(), field.right() - 1),
            y: at.y.clamp(field.top(), field.bottom() - 1),
        };
        if let Some((row, column)) = view::composer::place(self, &areas, at) {
            self.completion.hold();
            self.composer.drag(row, column);
        }
    }

    pub(super) fn composer_release(&mut self) -> Vec<Effect> {
        self.completion.hold();
        self.composer.release();
        let copies = self.setup.settings.ui.copy_on_select && self.composer.selection().is_some();
        if copies { self.copy_selection() } else { Vec::new() }
    }

    // The editor.

    pub(super) fn edit_draft(&mut self) -> Vec<Effect> {
        self.focus_on(Focus::Composer);
        vec![Effect::Edit(Editing {
            text: self.composer.whole(),
            name: "question.md".to_owned(),
            purpose: Purpose::Draft,
        })]
    }

    /// The draft comes back from the editor, which ends what is written with a line end.
    pub(super) fn draft_edited(&mut self, text: &str) {
        let whole = self.composer.whole();
        let written = text.strip_suffix('\n').unwrap_or(text);
        if text != whole && written != whole {
            self.completion.hold();
            self.composer.replace(Piece::from(super::super::text::clean(written)));
        }
    }
}
