//! Everything a person can do: one table of actions with their keys, names and descriptions.
//!
//! Keys are bound from here ([`Keymap`](super::keymap::Keymap)), slash commands are parsed from here, the palette lists it and
//! the help prints it; what is not in the table does not exist, so the help cannot lie. What belongs to the
//! application as a whole is in [`application`]; what can be done in one of its parts is in a table beside the code of that, and [`all`]
//! puts them together.

mod application;

use super::compare::keys as compare;
use super::composer::keys as composer;
use super::documents::keys as documents;
use super::inspector::keys as inspector;
use super::keymap::Context;
use super::search::keys as search;
use super::select::Unit;
use super::sessions::keys as sessions;
use super::transcript::{keys as reading, thinking_keys as thinking};
use super::viewer::keys as viewer;

/// What can be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Send,
    Newline,
    Complete,
    Cancel,
    Retry,
    Rewind,
    Fork,
    Branches,
    Sessions,
    Resume,
    RenameSession,
    TagSession,
    /// In the list of sessions.
    PickTitle,
    PickTags,
    PickDelete,
    PickUndo,
    EditQuestion,
    AnswerNow,
    Continue,
    Stop,
    Interrupt,
    Leave,
    Help,
    Palette,
    /// Take what is written in a prompt, or chosen in a list.
    Accept,
    Read,
    Write,
    NextPane,
    PreviousPane,
    Documents,
    Inspector,
    Load,
    Unload,
    Include,
    Reload,
    Theme,
    Mouse,
    Notifications,
    Redraw,
    Suspend,
    Panic,
    CycleFold,
    SelectThinking,
    ToggleMarkdown,
    ThinkingDefault,
    Heat,
    Outline,
    FoldSegment,
    FoldSegments,
    UnfoldSegments,
    FoldOthers,
    NextTurn,
    PreviousTurn,
    NextLink,
    PreviousLink,
    FollowLink,
    LastCitation,
    Open,
    Export,
    Ledger,
    LedgerSort,
    LedgerReverse,
    /// Mark a thought, and compare the marked one with another.
    LedgerMark,
    Compare,
    NextDifference,
    PreviousDifference,
    CompareOther,
    CompareLeft,
    CompareRight,
    Search,
    NextMatch,
    PreviousMatch,
    SearchScope,
    SearchScopeBack,
    ViewInEditor,
    Copy,
    CopyAnswer,
    CopyCode,
    CopyBlock,
    CopySelection,
    /// The segment of a thought that is read, and all of the thought.
    CopySegment,
    CopyTrace,
    ViewSegment,
    /// The reading cursor.
    Go(reading::Motion),
    Select(Unit),
    SwapEnds,
    Narrower,
    Wider,
    EvenPanes,
    /// In an open document.
    View(viewer::Step),
    /// In the documents pane.
    Pane(documents::Command),
    /// In the inspector.
    Inspect(inspector::Command),
    /// To a change that is planned.
    Answer(documents::Answer),
    RowUp,
    RowDown,
    HalfUp,
    HalfDown,
    PageUp,
    PageDown,
    ToStart,
    Follow,
    Left,
    Right,
    WordLeft,
    WordRight,
    Home,
    End,
    Up,
    Down,
    Backspace,
    Delete,
    KillWord,
    KillToStart,
    KillToEnd,
    Yank,
    Undo,
    Redo,
    Expand,
    SearchHistory,
    EditDraft,
    Vim,
}

/// A heading of the help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    Asking,
    Documents,
    Plan,
    Pane,
    Reading,
    Thinking,
    Inspector,
    Viewing,
    Writing,
    Application,
}

impl Group {
    pub const ALL: [Self; 10] = [
        Self::Asking,
        Self::Documents,
        Self::Plan,
        Self::Pane,
        Self::Reading,
        Self::Thinking,
        Self::Inspector,
        Self::Viewing,
        Self::Writing,
        Self::Application,
    ];

    pub fn title(self) -> &'static str {
        match self {
            Self::Asking => "Asking",
            Self::Documents => "Documents",
            Self::Plan => "A change to the documents that is planned",
            Self::Pane => "In the documents",
            Self::Reading => "Reading",
            Self::Thinking => "Thinking",
            Self::Inspector => "In the inspector",
            Self::Viewing => "In an open document",
            Self::Writing => "Writing",
            Self::Application => "Application",
        }
    }
}

/// Default keys: where, and chords as they are written in the configuration.
pub type Keys = &'static [(Context, &'static str)];

/// A row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Command {
    pub action: Action,
    /// As it is called in the configuration and in the palette.
    pub name: &'static str,
    pub group: Group,
    /// `leader` stands for the key that begins the sequences: Ctrl-X, and Space where nothing is written.
    pub keys: Keys,
    /// The name after `/`, and what stands for its argument.
    pub slash: Option<(&'static str, Argument)>,
    pub help: &'static str,
    /// Only there for tests of the application.
    pub hidden: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Argument {
    None,
    Optional(&'static str),
}

pub const fn command(group: Group, action: Action, name: &'static str, keys: Keys, help: &'static str) -> Command {
    Command {
        action,
        name,
        group,
        keys,
        slash: None,
        help,
        hidden: false,
    }
}

pub const fn slash(name: &'static str, argument: Argument, command: Command) -> Command {
    Command {
        slash: Some((name, argument)),
        ..command
    }
}

const fn hidden(command: Command) -> Command {
    Command {
        hidden: true,
        ..command
    }
}

/// The whole table.
pub fn all() -> impl Iterator<Item = &'static Command> {
    let parts: [&'static [Command]; 12] = [
        application::COMMANDS,
        sessions::COMMANDS,
        search::COMMANDS,
        reading::COMMANDS,
        thinking::COMMANDS,
        inspector::LEDGER,
        compare::COMMANDS,
        documents::PANE,
        inspector::INSPECTOR,
        documents::ANSWERS,
        viewer::COMMANDS,
        composer::COMMANDS,
    ];
    parts.into_iter().flatten()
}

/// What can be done whatever has the keys: all but what moves in one part of the application.
pub fn anywhere() -> impl Iterator<Item = &'static Command> {
    let moves = |action| {
        matches!(
            action,
            Action::Go(_)
                | Action::Select(_)
                | Action::SwapEnds
                | Action::View(_)
                | Action::Pane(_)
                | Action::Inspect(_)
                | Action::Answer(_)
        )
    };
    all().filter(move |command| !command.hidden && !moves(command.action))
}

/// The command of this name.
#[must_use]
pub fn named(name: &str) -> Option<&'static Command> {
    all().find(|command| command.name == name && !command.hidden)
}

/// The row of an action.
#[must_use]
pub fn of(action: Action) -> &'static Command {
    let mut all = all();
    all.find(|command| command.action == action)
        .expect("every action has a row, which the tests of the keymap see to")
}

/// A slash command as it was typed.
#[derive(Debug, PartialEq, Eq)]
pub enum Typed<'a> {
    Known(Action, &'a str),
    Unknown(&'a str),
}

/// Reads `/name argument`; nothing if the text is a question.
#[must_use]
pub fn parse(text: &str, debug: bool) -> Option<Typed<'_>> {
    let line = text.strip_prefix('/')?.trim();
    let (name, argument) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let found = visible(debug).find(|(known, _)| *known == name);
    Some(match found {
        Some((_, command)) => Typed::Known(command.action, argument.trim()),
        None => Typed::Unknown(name),
    })
}

/// The commands that have a name.
pub fn visible(debug: bool) -> impl Iterator<Item = (&'static str, &'static Command)> {
    all()
        .filter(move |command| debug || !command.hidden)
        .filter_map(|command| command.slash.map(|(name, _)| (name, command)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slash_commands() {
        assert_eq!(parse("why", false), None);
        assert_eq!(
            parse("/theme  storm ", false),
            Some(Typed::Known(Action::Theme, "storm"))
        );
        assert_eq!(parse("/nope x", false), Some(Typed::Unknown("nope")));
        assert_eq!(parse("/panic", false), Some(Typed::Unknown("panic")));
        assert_eq!(parse("/panic", true), Some(Typed::Known(Action::Panic, "")));
    }
}
