//! Choosing colours: by name, from a list that shows each as one moves, by the ground of the terminal, by their file.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::Position;

use super::super::completion::fuzzy::Names;
use super::super::theme::ground::Ground;
use super::super::theme::{Choice, Theme};
use super::super::transcript::Level;
use super::super::view;
use super::{App, Effect};

/// What is taken on dark grounds and on light ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grounds {
    pub dark: Theme,
    pub light: Theme,
}

/// The list of themes while it is open.
#[derive(Debug)]
pub struct Picker {
    choices: Vec<Choice>,
    names: Names,
    pub filter: String,
    /// Indices of the choices that are like the filter.
    matching: Vec<usize>,
    /// Which of them is chosen.
    pub at: usize,
    /// What Escape brings back.
    before: Theme,
}

impl Picker {
    fn new(choices: Vec<Choice>, before: Theme) -> Self {
        let at = choices
            .iter()
            .position(|choice| choice.name == before.name)
            .unwrap_or(0);
        Self {
            names: Names::new(choices.iter().map(|choice| (choice.name.clone(), 0)).collect()),
            matching: (0..choices.len()).collect(),
            choices,
            filter: String::new(),
            at,
            before,
        }
    }

    pub fn rows(&self) -> impl ExactSizeIterator<Item = &Choice> {
        self.matching.iter().map(|&index| &self.choices[index])
    }

    /// How many there are to choose from.
    pub fn most(&self) -> usize {
        self.choices.len()
    }

    fn chosen(&self) -> Option<&Choice> {
        self.choices.get(*self.matching.get(self.at)?)
    }

    fn refilter(&mut self) {
        let found = self.names.find(&self.filter, self.choices.len());
        let index = |name: &str| self.choices.iter().position(|choice| choice.name == name);
        self.matching = found.iter().filter_map(|found| index(&found.name)).collect();
        self.at = 0;
    }
}

/// What the application knows of its colours besides those that it has.
#[derive(Debug, Default)]
pub struct Themes {
    /// The theme with all its colours, however many the terminal has.
    chosen: Theme,
    /// As long as nobody has chosen one.
    grounds: Option<Grounds>,
    pub picker: Option<Picker>,
    /// The last complaint about a file that is being edited.
    told: Option<String>,
}

/// What to do about `/theme NAME`.
pub(super) fn choose(name: &str) -> Vec<Effect> {
    vec![if name.is_empty() {
        Effect::ListThemes
    } else {
        Effect::LoadTheme(name.to_owned())
    }]
}

impl App {
    pub(super) fn set_theme(&mut self, theme: Theme) {
        self.setup.theme = theme.at(self.setup.depth);
        self.themes.chosen = theme;
    }

    pub(super) fn begin_themes(&mut self) {
        self.themes.grounds = self.setup.grounds.take();
        self.set_theme(self.setup.theme.clone());
    }

    /// The terminal says what is behind the text.
    pub(super) fn ground(&mut self, ground: Ground) {
        let Some(grounds) = &self.themes.grounds else {
            return;
        };
        let theme = match ground {
            Ground::Dark => &grounds.dark,
            Ground::Light => &grounds.light,
        };
        let theme = theme.clone();
        if let Some(picker) = &mut self.themes.picker {
            picker.before = theme;
        } else {
            self.set_theme(theme);
        }
    }

    pub(super) fn theme_loaded(&mut self, theme: Result<Theme, String>) {
        match theme {
            Ok(theme) => {
                self.themes.grounds = None;
                self.themes.told = None;
                self.set_theme(theme);
            }
            Err(message) => self.notice(Level::Error, message),
        }
    }

    /// While a file is broken the colours stay, and each thing that is wrong is told once.
    pub(super) fn theme_changed(&mut self, name: &str, theme: Result<Theme, String>) {
        if let (Ok(theme), Some(grounds)) = (&theme, &mut self.themes.grounds) {
            for ground in [&mut grounds.dark, &mut grounds.light] {
                if ground.name == name {
                    ground.clone_from(theme);
                }
            }
        }
        let is_used = self.themes.chosen.name == name || (theme.is_err() && self.themes.grounds.is_some());
        match theme {
            _ if self.themes.picker.is_some() || !is_used => {}
            Ok(theme) => {
                self.themes.told = None;
                if theme != self.themes.chosen {
                    self.set_theme(theme);
                }
            }
            Err(message) if self.themes.told.as_ref() == Some(&message) => {}
            Err(message) => {
                self.notice(Level::Error, format!("{message}\nthe colours stay as they were"));
                self.themes.told = Some(message);
            }
        }
    }

    pub(super) fn themes_listed(&mut self, choices: Vec<Choice>) {
        self.help = None;
        self.themes.picker = Some(Picker::new(choices, self.themes.chosen.clone()));
    }

    pub(super) fn picker_key(&mut self, key: KeyEvent) -> Option<Vec<Effect>> {
        let picker = self.themes.picker.as_mut()?;
        let last = picker.matching.len().saturating_sub(1);
        let modified = key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT);
        match key.code {
            KeyCode::Esc => return Some(self.restore_theme()),
            KeyCode::Char('c') if modified => return Some(self.restore_theme()),
            KeyCode::Enter => return Some(self.keep_theme()),
            KeyCode::Up | KeyCode::BackTab => picker.at = picker.at.saturating_sub(1),
            KeyCode::Char('p') if modified => picker.at = picker.at.saturating_sub(1),
            KeyCode::Down | KeyCode::Tab => picker.at = (picker.at + 1).min(last),
            KeyCode::Char('n') if modified => picker.at = (picker.at + 1).min(last),
            KeyCode::Home | KeyCode::PageUp => picker.at = 0,
            KeyCode::End | KeyCode::PageDown => picker.at = last,
            KeyCode::Backspace => {
                picker.filter.pop();
                picker.refilter();
            }
            KeyCode::Char(c) if !modified => {
                picker.filter.push(c);
                picker.refilter();
            }
            _ => {}
        }
        self.preview();
        Some(Vec::new())
    }

    /// A click on a name shows it, on the chosen one keeps it, beside the list gives it up.
    pub(super) fn picker_mouse(&mut self, mouse: MouseEvent) -> Option<Vec<Effect>> {
        let row = view::themes::row_at(self, Position::new(mouse.column, mouse.row));
        let picker = self.themes.picker.as_mut()?;
        let last = picker.matching.len().saturating_sub(1);
        match (mouse.kind, row) {
            (MouseEventKind::ScrollUp, _) => picker.at = picker.at.saturating_sub(1),
            (MouseEventKind::ScrollDown, _) => picker.at = (picker.at + 1).min(last),
            (MouseEventKind::Down(MouseButton::Left), None) => return Some(self.restore_theme()),
            (MouseEventKind::Down(MouseButton::Left), Some(row)) if row == picker.at => {
                return Some(self.keep_theme());
            }
            (MouseEventKind::Down(MouseButton::Left), Some(row)) => picker.at = row,
            _ => return Some(Vec::new()),
        }
        self.preview();
        Some(Vec::new())
    }

    fn preview(&mut self) {
        let theme = self.themes.picker.as_ref().and_then(Picker::chosen);
        if let Some(theme) = theme.and_then(|choice| choice.theme.clone().ok()) {
            self.set_theme(theme);
        }
    }

    fn restore_theme(&mut self) -> Vec<Effect> {
        if let Some(picker) = self.themes.picker.take() {
            self.set_theme(picker.before);
        }
        Vec::new()
    }

    /// Loaded once more, so that its file is followed.
    fn keep_theme(&mut self) -> Vec<Effect> {
        let Some(picker) = self.themes.picker.take() else {
            return Vec::new();
        };
        match picker
            .chosen()
            .map(|choice| (choice.name.clone(), choice.theme.is_ok()))
        {
            Some((name, true)) => vec![Effect::LoadTheme(name)],
            Some((name, false)) => {
                self.set_theme(picker.before);
                vec![Effect::LoadTheme(name)]
            }
            None => {
                self.set_theme(picker.before);
                Vec::new()
            }
        }
    }
}
