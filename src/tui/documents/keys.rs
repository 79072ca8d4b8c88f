//! What keys mean while the documents pane has the focus, and while a change to the documents waits for an answer.
//!
//! The help is printed from the same tables.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::super::command::Chord;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    Up,
    Down,
    PageUp,
    PageDown,
    HalfUp,
    HalfDown,
    First,
    Last,
    Fold,
    Unfold,
    Open,
    Mention,
    Filter,
    Sort,
    LeftOut,
    Mark,
    Unload,
    Include,
    Add,
    Reload,
    Back,
    Close,
}

/// An answer to a change that is planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    Apply,
    Forget,
    /// Takes in what has changed on the disk.
    Reload,
}

/// What is done, by which keys, in words.
pub type Row<C> = (C, &'static [Chord], &'static str);

const fn key(code: KeyCode) -> Chord {
    Chord {
        code,
        modifiers: KeyModifiers::NONE,
    }
}

const fn char(c: char) -> Chord {
    key(KeyCode::Char(c))
}

const fn ctrl(c: char) -> Chord {
    Chord {
        code: KeyCode::Char(c),
        modifiers: KeyModifiers::CONTROL,
    }
}

pub const PANE: &[Row<Command>] = &[
    (Command::Down, &[char('j'), key(KeyCode::Down), ctrl('n')], "a row down"),
    (Command::Up, &[char('k'), key(KeyCode::Up), ctrl('p')], "a row up"),
    (Command::PageDown, &[key(KeyCode::PageDown), ctrl('f')], "a page down"),
    (Command::PageUp, &[key(KeyCode::PageUp), ctrl('b')], "a page up"),
    (Command::HalfDown, &[ctrl('d')], "half a page down"),
    (Command::HalfUp, &[ctrl('u')], "half a page up"),
    (Command::First, &[char('g'), key(KeyCode::Home)], "to the first row"),
    (Command::Last, &[char('G'), key(KeyCode::End)], "to the last row"),
    (
        Command::Fold,
        &[char('h'), key(KeyCode::Left)],
        "fold, or to the folder around",
    ),
    (
        Command::Unfold,
        &[char('l'), key(KeyCode::Right)],
        "unfold, or into the folder",
    ),
    (
        Command::Open,
        &[key(KeyCode::Enter)],
        "fold or unfold a folder; open a document",
    ),
    (Command::Mention, &[char('@')], "name it in the question"),
    (Command::Filter, &[char('/')], "show only names with a text in them"),
    (
        Command::Sort,
        &[char('s')],
        "sort by tokens, or as the model reads them",
    ),
    (Command::LeftOut, &[char('x')], "show or hide what was left out"),
    (Command::Mark, &[char(' ')], "mark"),
    (
        Command::Unload,
        &[char('d'), key(KeyCode::Delete)],
        "take out what is marked or under the cursor",
    ),
    (Command::Include, &[char('i')], "take in what was left out"),
    (Command::Add, &[char('a')], "load something besides"),
    (Command::Reload, &[char('r')], "read again what has changed"),
    (
        Command::Back,
        &[key(KeyCode::Esc), key(KeyCode::Tab)],
        "back to the question",
    ),
    (Command::Close, &[char('q')], "close the documents"),
];

pub const ANSWERS: &[Row<Answer>] = &[
    (
        Answer::Apply,
        &[key(KeyCode::Enter), char('y')],
        "make the change that is planned",
    ),
    (Answer::Forget, &[key(KeyCode::Esc), char('n')], "forget it"),
    (Answer::Reload, &[char('r')], "reload what has changed on the disk"),
];

/// What a key means by a table.
pub fn find<C: Copy>(table: &[Row<C>], event: KeyEvent) -> Option<C> {
    let pressed = Chord::of(event);
    table
        .iter()
        .find(|(_, chords, _)| chords.contains(&pressed))
        .map(|&(command, ..)| command)
}

/// Keys and descriptions, for the help.
pub fn help<C>(table: &'static [Row<C>]) -> impl Iterator<Item = (String, &'static str)> {
    table.iter().map(|(_, chords, help)| {
        let chords: Vec<_> = chords.iter().map(Chord::to_string).collect();
        (chords.join(", "), *help)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_has_two_meanings() {
        let all: Vec<_> = PANE.iter().flat_map(|(_, chords, _)| *chords).collect();
        for (i, chord) in all.iter().enumerate() {
            assert!(!all[i + 1..].contains(chord), "{chord} is bound twice");
        }
    }
}
