//! What keys do.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind};

use super::super::activity::Phase;
use super::super::command::{self, Action, Typed};
use super::super::keymap::{Chord, Context, Found};
use super::super::transcript::Level;
use super::super::view;
use super::panes::Widths;
use super::{App, Effect, Focus, LEAVING, themes};
use crate::conversation::Change;

impl App {
    pub(super) fn key(&mut self, key: KeyEvent) -> Vec<Effect> {
        if key.kind == KeyEventKind::Release {
            return Vec::new();
        }
        if let Some(effects) = self.picker_key(key) {
            return effects;
        }
        let chord = Chord::of(key);
        if self.begun.is_empty() && self.viewer_digit(chord) {
            return Vec::new();
        }
        let contexts = self.contexts();
        let begun = !self.begun.is_empty();
        self.begun.push(chord);
        let found = self.meaning(&contexts);
        let answers = matches!(found, Found::Action(Action::Answer(_)));
        if !begun && !answers && (self.burst_key(chord) || self.vim_key(chord)) {
            self.begun.clear();
            self.leaving = None;
            return Vec::new();
        }
        if found == Found::Begun {
            return Vec::new();
        }
        if begun && found == Found::Nothing && matches!(chord.code, KeyCode::PageDown | KeyCode::PageUp) {
            self.begun.pop();
            self.turn_hints(chord.code == KeyCode::PageDown);
            return Vec::new();
        }
        self.begun.clear();
        self.hints_page = 0;
        if found != Found::Action(Action::Interrupt) {
            self.leaving = None;
        }
        match found {
            Found::Action(action) => self.act(action, chord),
            // A sequence that means nothing is nothing.
            _ if begun => Vec::new(),
            _ => {
                self.typed(chord);
                Vec::new()
            }
        }
    }

    /// Another page of what can follow the chords that have been pressed, after the last one the first.
    pub(super) fn turn_hints(&mut self, forward: bool) {
        let last = view::hints::pages(self) - 1;
        self.hints_page = match (forward, self.hints_page) {
            (true, page) if page < last => page + 1,
            (true, _) => 0,
            (false, 0) => last,
            (false, page) => page.min(last + 1) - 1,
        };
    }

    /// What the chords mean that have been pressed. What is planned has its keys only as far as they can answer it now.
    fn meaning(&self, contexts: &[Context]) -> Found {
        let find = |contexts: &[Context]| self.setup.keymap.find(contexts, &self.begun);
        match find(contexts) {
            Found::Action(Action::Answer(answer)) if !self.can_answer(answer, &self.begun) => {
                let others: Vec<_> = contexts.iter().copied().filter(|&at| at != Context::Plan).collect();
                find(&others)
            }
            found => found,
        }
    }

    /// Does what a key means, in what lies uppermost.
    fn act(&mut self, action: Action, chord: Chord) -> Vec<Effect> {
        if matches!(action, Action::Interrupt | Action::Suspend | Action::Redraw) {
            return self.perform(action, "");
        }
        if self.help.is_some() {
            self.help_action(action);
            return Vec::new();
        }
        if self.palette.is_some() {
            return self.palette_action(action);
        }
        if self.picker.is_some() {
            return self.pick(action);
        }
        if self.search_action(action) || self.compare_action(action) || self.ledger_action(action) {
            return Vec::new();
        }
        if self.composer.search.is_some() && self.focus == Focus::Composer && self.viewer.is_none() {
            self.history_action(action);
            return Vec::new();
        }
        if self.viewer_prompt(action) || self.filter_action(action) || self.outline_filter_action(action) {
            return Vec::new();
        }
        self.completion_key(action, chord)
            .unwrap_or_else(|| self.perform(action, ""))
    }

    /// A key that means nothing where it was pressed: a character is written where something is being written.
    fn typed(&mut self, chord: Chord) {
        let mut utf8 = [0; 4];
        let text = chord.character().map(|c| &*c.encode_utf8(&mut utf8));
        if let Some(viewer) = self
            .viewer
            .as_mut()
            .filter(|_| self.help.is_none() && self.palette.is_none() && self.picker.is_none())
        {
            match text {
                Some(text) if viewer.is_prompting() => viewer.write(text),
                _ => viewer.forget_digits(),
            }
        } else if let Some(text) = text {
            self.write(text);
        }
    }

    /// Writes into what is being written, if something is.
    fn write(&mut self, text: &str) {
        if self.help.is_some() {
        } else if let Some(palette) = &mut self.palette {
            palette.write(text);
        } else if self.picker.is_some() {
            self.write_to_picker(text);
        } else if self.search.is_prompting() {
            self.write_search(text);
        } else if self.focus == Focus::Documents && self.documents.is_filtering() {
            self.documents.write_filter(text);
        } else if self.focus == Focus::Inspector && self.inspector.is_filtering() {
            self.inspector.write_filter(text);
        } else if self.compare.is_some() {
        } else if self.focus == Focus::Composer {
            self.compose(text);
        }
    }

    pub(super) fn paste(&mut self, text: &str) {
        self.help = None;
        if let Some(viewer) = self
            .viewer
            .as_mut()
            .filter(|viewer| self.picker.is_none() && viewer.is_prompting())
        {
            viewer.write(text);
            return;
        }
        if self.is_prompting() {
            self.write(text);
        } else {
            self.compare = None;
            self.focus_on(Focus::Composer);
            self.composer.paste(text);
        }
    }

    fn help_action(&mut self, action: Action) {
        let page = self.transcript.page().unsigned_abs();
        let Some(at) = self.help else {
            return;
        };
        let last = view::help::last_scroll(self);
        self.help = match action {
            Action::RowUp => Some(at.saturating_sub(1)),
            Action::RowDown => Some((at + 1).min(last)),
            Action::HalfUp => Some(at.saturating_sub(page / 2)),
            Action::HalfDown => Some((at + page / 2).min(last)),
            Action::PageUp => Some(at.saturating_sub(page)),
            Action::PageDown => Some((at + page).min(last)),
            Action::ToStart => Some(0),
            Action::Follow => Some(last),
            Action::Cancel | Action::Help => None,
            _ => Some(at),
        };
    }

    pub(super) fn perform(&mut self, action: Action, argument: &str) -> Vec<Effect> {
        let page = self.transcript.page();
        match action {
            Action::Send => return self.send(),
            Action::Newline => self.composer.insert("\n"),
            Action::Complete => self.completion.offer_again(),
            Action::Cancel if self.focus == Focus::Conversation && self.transcript.drop_selection() => {}
            Action::Cancel => return self.cancel(),
            Action::Branches => self.branches(),
            Action::Sessions => return self.open_sessions(),
            Action::Resume => return self.resume(argument),
            Action::RenameSession => return self.rename_session(argument),
            Action::TagSession => return self.tag_session(argument),
            Action::Rewind => return self.rewind(argument),
            Action::Fork => return self.fork(argument),
            Action::Retry => return self.retry(argument),
            Action::EditQuestion => self.edit_question(argument),
            Action::AnswerNow => return self.answer_now(),
            Action::Continue => return self.continue_reply(),
            Action::Stop => return self.stop(),
            Action::Interrupt => return self.interrupt(),
            Action::Leave => return vec![Effect::Quit],
            Action::Help => self.open_help(),
            Action::Palette => self.open_palette(),
            Action::Read => self.focus_on(Focus::Conversation),
            Action::NextPane => self.next_pane(true),
            Action::PreviousPane => self.next_pane(false),
            Action::Documents => self.toggle_documents(),
            Action::Inspector => self.toggle_inspector(),
            Action::Pane(command) => return self.documents_command(command),
            Action::Answer(answer) => return self.answer(answer),
            // In a prompt, which has taken it.
            Action::Accept
            | Action::SearchScope
            | Action::SearchScopeBack
            | Action::PickTitle
            | Action::PickTags
            | Action::PickDelete
            | Action::PickUndo
            | Action::LedgerSort
            | Action::LedgerReverse
            | Action::LedgerMark
            | Action::NextDifference
            | Action::PreviousDifference
            | Action::CompareOther
            | Action::CompareLeft
            | Action::CompareRight => {}
            Action::Load => {
                return self.plan_of_words(argument, "load", |load| Change {
                    load,
                    ..Change::default()
                });
            }
            Action::Unload => {
                return self.plan_of_words(argument, "unload", |unload| Change {
                    unload,
                    ..Change::default()
                });
            }
            Action::Include => {
                return self.plan_of_words(argument, "include", |include| Change {
                    include,
                    ..Change::default()
                });
            }
            Action::Reload => return self.reload(),
            Action::Theme => return themes::choose(argument),
            Action::Notifications => self.toggle_notifications(),
            Action::Mouse => {
                self.mouse = !self.mouse;
                let text = if self.mouse {
                    "the wheel scrolls and clicks fold"
                } else {
                    "the terminal has the mouse, for selecting text; /mouse takes it back"
                };
                self.notice(Level::Info, text);
                return vec![Effect::CaptureMouse(self.mouse)];
            }
            Action::Redraw => return vec![Effect::Redraw],
            Action::Suspend => return vec![Effect::Suspend],
            Action::Panic => return vec![Effect::Panic],
            Action::ToggleMarkdown => {
                self.transcript.toggle_raw();
            }
            Action::CycleFold => {
                let here = self.here().map(|(block, _)| block);
                let here = here.filter(|&id| self.transcript.blocks()[id].thought().is_some());
                if let Some(id) = here.or_else(|| self.transcript.thinking()) {
                    self.transcript.cycle_fold(id);
                }
            }
            Action::ThinkingDefault => self.cycle_default_fold(),
            Action::Heat => self.toggle_heat(),
            Action::Outline => self.open_outline(),
            Action::FoldSegment => self.transcript.toggle_segment(),
            Action::FoldSegments => self.transcript.fold_segments(true),
            Action::UnfoldSegments => self.transcript.fold_segments(false),
            Action::FoldOthers => {
                if let Some((id, number)) = self.transcript.segment_read() {
                    self.transcript.fold_all_but(id, number);
                }
            }
            Action::Inspect(command) => self.inspect(command),
            Action::SelectThinking => self.transcript.select_previous_thinking(),
            Action::NextTurn => self.transcript.go_to_turn(true),
            Action::PreviousTurn => self.transcript.go_to_turn(false),
            Action::NextLink => self.transcript.select_link(true),
            Action::PreviousLink => self.transcript.select_link(false),
            Action::FollowLink if self.open_selected() => {}
            Action::FollowLink => match self.act_under_cursor() {
                Some(effects) => return effects,
                None => self.focus_on(Focus::Composer),
            },
            Action::Write => self.focus_on(Focus::Composer),
            Action::LastCitation => self.open_last_citation(),
            Action::Open => self.open_written(argument),
            Action::Export => return self.export(argument),
            Action::Ledger => self.toggle_ledger(),
            Action::Compare => return self.compare(argument),
            Action::Search => self.open_search(argument),
            Action::NextMatch => self.next_match(true),
            Action::PreviousMatch => self.next_match(false),
            Action::ViewInEditor => return self.view_in_editor(argument),
            Action::Copy => return self.copy_named(argument),
            Action::CopyAnswer => return self.copy_answer(),
            Action::CopyCode => return self.copy_code(),
            Action::CopyBlock => return self.copy_block(),
            Action::CopySelection => return self.copy_selection(),
            Action::CopySegment => return self.copy_segment(),
            Action::CopyTrace => return self.copy_trace(),
            Action::ViewSegment => return self.view_in_editor("segment"),
            Action::Go(motion) => self.transcript.go(motion),
            Action::Select(unit) => self.transcript.toggle_selection(unit),
            Action::SwapEnds => self.transcript.swap_ends(),
            Action::Narrower => self.widen(false),
            Action::Wider => self.widen(true),
            Action::EvenPanes => self.widths = Widths::default(),
            Action::View(step) => return self.view(step),
            Action::RowUp => self.transcript.scroll(-1),
            Action::RowDown => self.transcript.scroll(1),
            Action::HalfUp => self.transcript.scroll(-(page / 2).max(1)),
            Action::HalfDown => self.transcript.scroll((page / 2).max(1)),
            Action::PageUp => self.transcript.scroll(-page),
            Action::PageDown => self.transcript.scroll(page),
            Action::ToStart => self.transcript.go_to_start(),
            Action::Follow => self.transcript.follow(),
            Action::Left => self.composer.left(),
            Action::Right => self.composer.right(),
            Action::WordLeft => self.composer.word_left(),
            Action::WordRight => self.composer.word_right(),
            Action::Home => self.composer.home(),
            Action::End => {
                if !self.composer.end() {
                    self.transcript.follow();
                }
            }
            Action::Up => {
                self.completion.hold();
                self.composer.up();
            }
            Action::Down => {
                self.completion.hold();
                self.composer.down();
            }
            Action::Backspace => self.composer.backspace(),
            Action::Delete => self.composer.delete(),
            Action::KillWord => self.composer.kill_word(),
            Action::KillToStart => self.composer.kill_to_start(),
            Action::KillToEnd => self.composer.kill_to_end(),
            Action::Yank => self.composer.yank(),
            Action::Undo => {
                self.completion.hold();
                self.focus_on(Focus::Composer);
                self.composer.undo();
            }
            Action::Redo => {
                self.completion.hold();
                self.focus_on(Focus::Composer);
                self.composer.redo();
            }
            Action::Expand => {
                if !self.composer.expand() {
                    self.tell("there is no large paste at the cursor");
                }
            }
            Action::SearchHistory => self.search_history(),
            Action::EditDraft => return self.edit_draft(),
            Action::Vim => self.set_vim(argument),
        }
        Vec::new()
    }

    fn send(&mut self) -> Vec<Effect> {
        if self.composer.text().trim().is_empty() {
            return Vec::new();
        }
        let whole = self.composer.whole();
        match command::parse(&whole, self.setup.debug) {
            Some(Typed::Known(action, argument)) => {
                let argument = argument.to_owned();
                let remember = Effect::Remember(self.composer.take());
                let mut effects = self.perform(action, &argument);
                effects.push(remember);
                effects
            }
            Some(Typed::Unknown(name)) => {
                let text = format!(
                    "there is no command /{name}; /help lists them. To ask it as a question, put a space before it"
                );
                self.notice(Level::Error, text);
                Vec::new()
            }
            None if self.activity.phase() == Phase::Ended => {
                self.notice(
                    Level::Error,
                    "the conversation has ended; nothing can be asked any more",
                );
                Vec::new()
            }
            None => {
                let written = self.composer.take();
                let text = written.trim().to_owned();
                if let Some((turn, _)) = self.revising.editing.take() {
                    let mut effects = self.send_edited(turn, text);
                    effects.push(Effect::Remember(written));
                    return effects;
                }
                self.queue.push_back(text.clone());
                self.transcript.follow();
                vec![Effect::Ask(self.as_sent(&text)), Effect::Remember(written)]
            }
        }
    }

    fn cancel(&mut self) -> Vec<Effect> {
        match self.stop() {
            nothing if nothing.is_empty() => self.step_back(),
            effects => effects,
        }
    }

    /// Stops what runs, if something does.
    fn stop(&mut self) -> Vec<Effect> {
        if self.activity.is_busy() {
            self.activity.cancel();
            vec![Effect::Cancel]
        } else if self.plans.working.is_some() {
            vec![Effect::Cancel]
        } else {
            Vec::new()
        }
    }

    /// Ctrl-C: cancels what runs. It leaves if it has been pressed just before, or if what it cancelled still runs.
    fn interrupt(&mut self) -> Vec<Effect> {
        if self.leaving.is_some() || self.activity.is_cancelling() {
            return vec![Effect::Quit];
        }
        self.leaving = Some(self.now + LEAVING);
        if self.activity.is_busy() {
            self.cancel()
        } else {
            self.give_up_draft()
        }
    }
}
