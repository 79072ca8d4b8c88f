//! What can be done in the viewer, with its keys: the part of the command table that holds while it is open.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::super::command::{Action, Chord, Command, Group, When};

/// Something to do in the viewer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Close,
    Down,
    Up,
    PageDown,
    PageUp,
    HalfDown,
    HalfUp,
    /// The beginning, or the line whose number was written.
    Top,
    Bottom,
    Left,
    Right,
    LineStart,
    LineEnd,
    GoTo,
    Search,
    NextMatch,
    PreviousMatch,
    NextSection,
    PreviousSection,
    Outline,
    NextCitation,
    PreviousCitation,
    Wrap,
}

const fn key(code: KeyCode) -> (When, Chord) {
    with(code, KeyModifiers::NONE)
}

const fn char(c: char) -> (When, Chord) {
    key(KeyCode::Char(c))
}

const fn ctrl(c: char) -> (When, Chord) {
    with(KeyCode::Char(c), KeyModifiers::CONTROL)
}

const fn with(code: KeyCode, modifiers: KeyModifiers) -> (When, Chord) {
    (When::Viewing, Chord { code, modifiers })
}

const fn step(step: Step, keys: &'static [(When, Chord)], help: &'static str) -> Command {
    Command {
        action: Action::View(step),
        group: Group::Viewing,
        keys,
        slash: None,
        help,
        hidden: false,
    }
}

pub const COMMANDS: &[Command] = &{
    use KeyCode as K;
    use Step as S;
    [
        step(S::Close, &[char('q'), key(K::Esc)], "back to where you were"),
        step(S::Down, &[char('j'), key(K::Down)], "a row down (or the wheel)"),
        step(S::Up, &[char('k'), key(K::Up)], "a row up (or the wheel)"),
        step(S::PageDown, &[key(K::PageDown), char(' '), ctrl('f')], "a page down"),
        step(S::PageUp, &[key(K::PageUp), char('b'), ctrl('b')], "a page up"),
        step(S::HalfDown, &[ctrl('d')], "half a page down"),
        step(S::HalfUp, &[ctrl('u')], "half a page up"),
        step(S::Top, &[char('g'), key(K::Home)], "to the beginning"),
        step(
            S::Bottom,
            &[char('G'), key(K::End)],
            "to the end; after a number, to that line",
        ),
        step(S::GoTo, &[char(':')], "to the line whose number you write"),
        step(
            S::Search,
            &[char('/')],
            "search; capital letters matter if there are some",
        ),
        step(S::NextMatch, &[char('n')], "the next match"),
        step(S::PreviousMatch, &[char('N')], "the match before"),
        step(S::NextSection, &[char(']')], "the next chapter, page or heading"),
        step(S::PreviousSection, &[char('[')], "the chapter, page or heading before"),
        step(
            S::Outline,
            &[char('o')],
            "all chapters, pages or headings, to choose from",
        ),
        step(S::NextCitation, &[key(K::Tab)], "the next place that the answer cites"),
        step(
            S::PreviousCitation,
            &[key(K::BackTab), with(K::BackTab, KeyModifiers::SHIFT)],
            "the place before that the answer cites",
        ),
        step(S::Left, &[char('h'), key(K::Left)], "columns to the left"),
        step(S::Right, &[char('l'), key(K::Right)], "columns to the right"),
        step(S::LineStart, &[char('0'), char('^')], "the beginning of the lines"),
        step(S::LineEnd, &[char('$')], "the end of the line"),
        step(S::Wrap, &[char('w')], "wrap long lines, or cut them"),
    ]
};

/// What a key means in the viewer.
pub fn find(event: KeyEvent) -> Option<Step> {
    let pressed = Chord::of(event);
    let bound = |command: &&Command| command.keys.iter().any(|&(_, chord)| chord == pressed);
    match COMMANDS.iter().find(bound)?.action {
        Action::View(step) => Some(step),
        _ => None,
    }
}
