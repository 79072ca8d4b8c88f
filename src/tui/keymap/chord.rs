//! A key with its modifiers, and its names: `ctrl-x` in the configuration, `Ctrl-X` where it is shown.

use std::fmt;

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Chord {
    pub code: KeyCode,
    pub modifiers: KeyModifiers,
}

const MODIFIERS: [(KeyModifiers, &str, &str); 3] = [
    (KeyModifiers::CONTROL, "ctrl-", "Ctrl-"),
    (KeyModifiers::ALT, "alt-", "Alt-"),
    (KeyModifiers::SHIFT, "shift-", "Shift-"),
];

/// Keys that are no characters: as they are written, and as they are shown.
const NAMED: &[(KeyCode, &str, &str)] = &[
    (KeyCode::Char(' '), "space", "Space"),
    (KeyCode::Enter, "enter", "Enter"),
    (KeyCode::Tab, "tab", "Tab"),
    (KeyCode::BackTab, "shift-tab", "Shift-Tab"),
    (KeyCode::Esc, "esc", "Esc"),
    (KeyCode::Backspace, "backspace", "Backspace"),
    (KeyCode::Delete, "delete", "Delete"),
    (KeyCode::Insert, "insert", "Insert"),
    (KeyCode::Up, "up", "Up"),
    (KeyCode::Down, "down", "Down"),
    (KeyCode::Left, "left", "Left"),
    (KeyCode::Right, "right", "Right"),
    (KeyCode::Home, "home", "Home"),
    (KeyCode::End, "end", "End"),
    (KeyCode::PageUp, "pgup", "PgUp"),
    (KeyCode::PageDown, "pgdn", "PgDn"),
];

impl Chord {
    /// The chord that was pressed. Shift is part of a character and of Shift-Tab, not a modifier of it, and means nothing
    /// to Backspace.
    #[must_use]
    pub fn of(event: KeyEvent) -> Self {
        Self {
            code: event.code,
            modifiers: event.modifiers,
        }
        .normal()
    }

    fn normal(self) -> Self {
        let known = KeyModifiers::CONTROL | KeyModifiers::ALT | KeyModifiers::SHIFT;
        let mut modifiers = self.modifiers & known;
        if matches!(self.code, KeyCode::Char(_) | KeyCode::Backspace | KeyCode::BackTab) {
            modifiers -= KeyModifiers::SHIFT;
        }
        let code = match self.code {
            KeyCode::Char(c) if modifiers.contains(KeyModifiers::CONTROL) => KeyCode::Char(c.to_ascii_lowercase()),
            other => other,
        };
        Self { code, modifiers }
    }

    /// The character that it writes, if it writes one.
    #[must_use]
    pub fn character(self) -> Option<char> {
        match self.code {
            KeyCode::Char(c) if self.modifiers.is_empty() => Some(c),
            _ => None,
        }
    }

    fn parse(text: &str) -> Result<Self, String> {
        let mut modifiers = KeyModifiers::NONE;
        let mut rest = text;
        'modifiers: loop {
            if NAMED.iter().any(|(_, name, _)| *name == rest) {
                break;
            }
            for (modifier, name, _) in MODIFIERS {
                if let Some(after) = rest.strip_prefix(name).filter(|after| !after.is_empty()) {
                    modifiers |= modifier;
                    rest = after;
                    continue 'modifiers;
                }
            }
            break;
        }
        let mut chars = rest.chars();
        let code = match (chars.next(), chars.next()) {
            (Some(c), None) if !c.is_control() => KeyCode::Char(c),
            _ => named(rest).ok_or_else(|| {
                let names: Vec<_> = NAMED.iter().map(|&(_, name, _)| name).collect();
                format!(
                    "write a character, f1 to f12, or one of {}, after any of ctrl-, alt-, shift-",
                    names.join(", ")
                )
            })?,
        };
        Ok(Self { code, modifiers }.normal())
    }

    /// As it is written in the configuration.
    #[must_use]
    pub fn name(&self) -> String {
        self.spelled(|(_, name, _)| name, |(_, name, _)| name, false)
    }

    fn spelled(
        self,
        modifier: fn((KeyModifiers, &'static str, &'static str)) -> &'static str,
        named: fn((KeyCode, &'static str, &'static str)) -> &'static str,
        shown: bool,
    ) -> String {
        let mut text = String::new();
        for row in MODIFIERS.into_iter().filter(|row| self.modifiers.contains(row.0)) {
            text.push_str(modifier(row));
        }
        match (NAMED.iter().find(|row| row.0 == self.code), self.code) {
            (Some(&row), _) => text.push_str(named(row)),
            (None, KeyCode::F(n)) => text = format!("{text}{}{n}", if shown { 'F' } else { 'f' }),
            (None, KeyCode::Char(c)) if shown && !self.modifiers.is_empty() => text.extend(c.to_uppercase()),
            (None, KeyCode::Char(c)) => text.push(c),
            (None, code) => text = format!("{text}{code:?}"),
        }
        text
    }
}

fn named(name: &str) -> Option<KeyCode> {
    let function = name.strip_prefix('f').and_then(|number| number.parse().ok());
    let function = function.filter(|number| (1..=12).contains(number)).map(KeyCode::F);
    function.or_else(|| NAMED.iter().find(|row| row.1 == name).map(|row| row.0))
}

/// `Ctrl-X`
impl fmt::Display for Chord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.spelled(|(_, _, shown)| shown, |(_, _, shown)| shown, true))
    }
}

/// Reads chords parted by spaces, `ctrl-x p`.
///
/// # Errors
/// If there is none, or one is no key; the message says what can be written.
pub fn chords(text: &str) -> Result<Vec<Chord>, String> {
    let chords = text
        .split_whitespace()
        .map(Chord::parse)
        .collect::<Result<Vec<_>, _>>()?;
    if chords.is_empty() {
        return Err("there is no key in it".to_owned());
    }
    Ok(chords)
}

/// Chords as they are shown, `Ctrl-X p`.
#[must_use]
pub fn written(chords: &[Chord]) -> String {
    let chords: Vec<_> = chords.iter().map(Chord::to_string).collect();
    chords.join(" ")
}
