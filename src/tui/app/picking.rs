//! The list of sessions in the application: opening it, and doing what was chosen.

use ratatui::crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::Position;

use super::super::command::Action;
use super::super::sessions::{Editing, News, Picker, Task, ago};
use super::super::transcript::Level;
use super::super::view;
use super::super::words;
use super::{App, Effect};
use crate::session::title_of;

impl App {
    pub(super) fn open_sessions(&mut self) -> Vec<Effect> {
        self.picker = Some(Picker::new(self.setup.session.clone()));
        vec![Effect::Sessions(Task::List)]
    }

    /// What a key means while the list is open.
    pub(super) fn pick(&mut self, action: Action) -> Vec<Effect> {
        let size = self.size;
        let Some(picker) = &mut self.picker else {
            return Vec::new();
        };
        picker.told.clear();
        let page = view::sessions::page(picker, size);
        let task = match action {
            Action::Accept if picker.editing.is_some() => {
                let task = picker.take_edit();
                return self.change(task);
            }
            Action::Accept => return self.go_on_with_chosen(),
            Action::Cancel if picker.editing.is_some() => {
                picker.editing = None;
                None
            }
            Action::Cancel | Action::Sessions => {
                self.picker = None;
                None
            }
            Action::Backspace => picker.erase(false),
            Action::KillToStart | Action::KillWord => picker.erase(true),
            _ if picker.editing.is_some() => None,
            Action::RowUp => {
                picker.choose(-1);
                None
            }
            Action::RowDown => {
                picker.choose(1);
                None
            }
            Action::PageUp => {
                picker.choose(-page);
                None
            }
            Action::PageDown => {
                picker.choose(page);
                None
            }
            Action::PickTitle => {
                picker.edit(Editing::Title);
                None
            }
            Action::PickTags => {
                picker.edit(Editing::Tags);
                None
            }
            Action::PickDelete => picker.delete(),
            Action::PickUndo => picker.undo(),
            Action::Help => {
                self.picker = None;
                self.open_help();
                None
            }
            _ => None,
        };
        self.change(task)
    }

    /// A change of the session that is open goes by the conversation, in which it is kept.
    fn change(&self, task: Option<Task>) -> Vec<Effect> {
        let is_open = |name: &str| self.setup.session.as_deref() == Some(name);
        match task {
            None => Vec::new(),
            Some(Task::Rename { name, title }) if is_open(&name) => vec![Effect::Title(title)],
            Some(Task::Tag { name, tags }) if is_open(&name) => vec![Effect::Tags(tags)],
            Some(task) => vec![Effect::Sessions(task)],
        }
    }

    fn go_on_with_chosen(&mut self) -> Vec<Effect> {
        let Some(session) = self.picker.as_ref().and_then(Picker::chosen) else {
            return Vec::new();
        };
        let name = session.name.clone();
        self.picker = None;
        if self.setup.session.as_deref() == Some(&*name) {
            return Vec::new();
        }
        vec![Effect::Resume(name)]
    }

    /// The mouse while the list is open: a click on the row that is chosen goes on with it, and one outside closes the list.
    pub(super) fn pick_by_mouse(&mut self, mouse: MouseEvent) -> Option<Vec<Effect>> {
        let at = Position::new(mouse.column, mouse.row);
        let picker = self.picker.as_mut()?;
        match mouse.kind {
            MouseEventKind::ScrollUp => picker.chosen = picker.chosen.saturating_sub(1),
            MouseEventKind::ScrollDown => {
                picker.chosen = (picker.chosen + 1).min(picker.found.len().saturating_sub(1));
            }
            MouseEventKind::Down(MouseButton::Left) => match view::sessions::row_at(picker, self.size, at) {
                Some(row) if row == picker.chosen => return Some(self.go_on_with_chosen()),
                Some(row) => picker.chosen = row,
                None => self.picker = None,
            },
            _ => {}
        }
        Some(Vec::new())
    }

    pub(super) fn write_to_picker(&mut self, text: &str) {
        self.to_find = self.picker.as_mut().and_then(|picker| picker.write(text));
    }

    pub(super) fn sessions_news(&mut self, news: News) {
        match (news, &mut self.picker) {
            (
                News::Listed {
                    sessions,
                    now,
                    progress,
                },
                Some(picker),
            ) => picker.list(sessions, now, progress),
            (News::Found { text, hits }, Some(picker)) => picker.take_hits(&text, hits),
            (News::Failed(message), Some(picker)) => picker.failed(message),
            (News::Failed(message), None) => self.notice(Level::Error, message),
            (News::Offered { session, now }, _) => {
                let turns = super::super::format::counted(session.turns, "turn");
                let broken = if session.broken_off {
                    ", and the program ended in the middle of it"
                } else {
                    ""
                };
                self.notice(
                    Level::Info,
                    format!(
                        "{} you asked about this: “{}” ({turns}{broken}). /resume goes on with it",
                        ago(session.wall, now),
                        session.title
                    ),
                );
                self.offered = Some(session.name);
            }
            (News::Listed { .. } | News::Found { .. }, None) => {}
        }
    }

    /// `/resume [SESSION]`
    pub(super) fn resume(&mut self, argument: &str) -> Vec<Effect> {
        match (argument, self.offered.take()) {
            ("", Some(name)) => vec![Effect::Resume(name)],
            ("", None) => self.open_sessions(),
            (name, _) => vec![Effect::Resume(name.to_owned())],
        }
    }

    /// `/rename TITLE`
    pub(super) fn rename_session(&mut self, argument: &str) -> Vec<Effect> {
        if self.is_unkept() {
            return Vec::new();
        }
        let title = title_of(argument);
        let told = match &*title {
            "" => "the title is made of the first question again".to_owned(),
            title => format!("this session is “{title}” now"),
        };
        self.notice(Level::Info, told);
        vec![Effect::Title(title)]
    }

    /// `/tag TAG…`
    pub(super) fn tag_session(&mut self, argument: &str) -> Vec<Effect> {
        if self.is_unkept() {
            return Vec::new();
        }
        let tags = words::split(argument).unwrap_or_default();
        let tags: Vec<String> = tags.iter().map(|tag| title_of(tag.trim_start_matches('#'))).collect();
        let told = match tags.as_slice() {
            [] => "this session has no tags any more".to_owned(),
            tags => format!("this session has the tags {}", tags.join(", ")),
        };
        self.notice(Level::Info, told);
        vec![Effect::Tags(tags)]
    }

    fn is_unkept(&mut self) -> bool {
        let unkept = self.setup.session.is_none();
        if unkept {
            self.notice(Level::Error, "this conversation is not kept");
        }
        unkept
    }

    /// `/branches`: all questions as a tree.
    pub(super) fn branches(&mut self) {
        let turns: Vec<(usize, Option<usize>, String)> = self
            .revising
            .tree()
            .map(|(turn, parent, text)| (turn, parent, title_of(text)))
            .collect();
        if turns.is_empty() {
            self.tell("nothing has been asked yet");
            return;
        }
        let mut standing = Vec::new();
        let mut at = self.revising.standing();
        while let Some(turn) = at {
            standing.push(turn);
            at = Some(self.revising.before(turn)).filter(|&before| before > 0 && before < turn);
        }
        let mut lines = Vec::new();
        below(&turns, None, "", &standing, &mut lines);
        lines.push("/rewind N goes back to one, /fork N goes on from it in another session".to_owned());
        self.notice(Level::Info, lines.join("\n"));
    }
}

/// Columns that branches are set in at most.
const DEEPEST: usize = 40;

/// Turns that follow each other stand below each other; branches are set in.
fn below(
    turns: &[(usize, Option<usize>, String)],
    parent: Option<usize>,
    indent: &str,
    standing: &[usize],
    lines: &mut Vec<String>,
) {
    let mut parent = parent;
    loop {
        let next: Vec<_> = turns.iter().filter(|(_, before, _)| *before == parent).collect();
        let line = |turn: usize, text: &str, indent: &str| {
            let mark = if standing.contains(&turn) { "●" } else { "○" };
            format!("{indent}{mark} {turn}  {text}")
        };
        match next.as_slice() {
            [(turn, _, text)] => {
                lines.push(line(*turn, text, indent));
                parent = Some(*turn);
            }
            branches => {
                for (turn, _, text) in branches {
                    lines.push(line(*turn, text, &format!("{indent}├ ")));
                    if indent.chars().count() < DEEPEST {
                        below(turns, Some(*turn), &format!("{indent}│ "), standing, lines);
                    }
                }
                return;
            }
        }
    }
}
