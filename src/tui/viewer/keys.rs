//! What can be done in the viewer, with its keys: the part of the command table that holds while it is open.

use super::super::command::{Action, Command, Group, Keys, command};
use super::super::keymap::Context::Viewer;

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
    Select,
    SelectLines,
    Copy,
    /// To the section that is chosen, or to the line whose number was written.
    Enter,
}

const fn step(step: Step, name: &'static str, keys: Keys, help: &'static str) -> Command {
    command(Group::Viewing, Action::View(step), name, keys, help)
}

use Step as S;

pub const COMMANDS: &[Command] = &[
    step(
        S::Close,
        "view-close",
        &[(Viewer, "q"), (Viewer, "esc")],
        "back to where you were",
    ),
    step(
        S::Down,
        "view-down",
        &[(Viewer, "j"), (Viewer, "down")],
        "a row down (or the wheel)",
    ),
    step(
        S::Up,
        "view-up",
        &[(Viewer, "k"), (Viewer, "up")],
        "a row up (or the wheel)",
    ),
    step(
        S::PageDown,
        "view-page-down",
        &[(Viewer, "pgdn"), (Viewer, "space"), (Viewer, "ctrl-f")],
        "a page down",
    ),
    step(
        S::PageUp,
        "view-page-up",
        &[(Viewer, "pgup"), (Viewer, "b"), (Viewer, "ctrl-b")],
        "a page up",
    ),
    step(S::HalfDown, "view-half-down", &[(Viewer, "ctrl-d")], "half a page down"),
    step(S::HalfUp, "view-half-up", &[(Viewer, "ctrl-u")], "half a page up"),
    step(
        S::Top,
        "view-top",
        &[(Viewer, "g"), (Viewer, "home")],
        "to the beginning",
    ),
    step(
        S::Bottom,
        "view-bottom",
        &[(Viewer, "G"), (Viewer, "end")],
        "to the end; after a number, to that line",
    ),
    step(
        S::GoTo,
        "view-go-to",
        &[(Viewer, ":")],
        "to the line whose number you write",
    ),
    step(
        S::Enter,
        "view-enter",
        &[(Viewer, "enter")],
        "to the line whose number was written",
    ),
    step(
        S::Search,
        "view-search",
        &[(Viewer, "/")],
        "search; capital letters matter if there are some",
    ),
    step(S::NextMatch, "view-next-match", &[(Viewer, "n")], "the next match"),
    step(
        S::PreviousMatch,
        "view-previous-match",
        &[(Viewer, "N")],
        "the match before",
    ),
    step(
        S::NextSection,
        "view-next-section",
        &[(Viewer, "]")],
        "the next chapter, page or heading",
    ),
    step(
        S::PreviousSection,
        "view-previous-section",
        &[(Viewer, "[")],
        "the chapter, page or heading before",
    ),
    step(
        S::Outline,
        "view-outline",
        &[(Viewer, "o")],
        "all chapters, pages or headings, to choose from",
    ),
    step(
        S::NextCitation,
        "view-next-citation",
        &[(Viewer, "tab")],
        "the next place that the answer cites",
    ),
    step(
        S::PreviousCitation,
        "view-previous-citation",
        &[(Viewer, "shift-tab")],
        "the place before that the answer cites",
    ),
    step(
        S::Left,
        "view-left",
        &[(Viewer, "h"), (Viewer, "left")],
        "columns to the left",
    ),
    step(
        S::Right,
        "view-right",
        &[(Viewer, "l"), (Viewer, "right")],
        "columns to the right",
    ),
    step(
        S::LineStart,
        "view-line-start",
        &[(Viewer, "0"), (Viewer, "^")],
        "the beginning of the lines",
    ),
    step(S::LineEnd, "view-line-end", &[(Viewer, "$")], "the end of the line"),
    step(S::Wrap, "view-wrap", &[(Viewer, "w")], "wrap long lines, or cut them"),
    step(
        S::Select,
        "view-select",
        &[(Viewer, "v")],
        "select from the cursor on (or drag); Esc drops it",
    ),
    step(
        S::SelectLines,
        "view-select-lines",
        &[(Viewer, "V")],
        "select lines (or triple-click)",
    ),
    step(
        S::Copy,
        "view-copy",
        &[(Viewer, "y")],
        "copy what is selected, else the line",
    ),
];
