//! Everything a person can do: one table of actions with their keys, names and descriptions.
//!
//! Keys are bound from here ([`Keymap`](super::keymap::Keymap)), slash commands are parsed from here, the palette lists it and
//! the help prints it; what is not in the table does not exist, so the help cannot lie. Here is what belongs to the application
//! as a whole; what can be done in one of its parts is in a table beside the code of that, and [`all`] puts them together.

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

/// The part of the table that is of the whole application.
const COMMANDS: &[Command] = &{
    use Action as A;
    use Argument::{None, Optional};
    use Context::{Compare, Composer, Conversation, Empty, Global, Help, Inspector, Ledger, Panes, Prompt, Slash};
    use Group::{Application, Asking, Documents, Reading};
    [
        command(Asking, A::Send, "send", &[(Composer, "enter")], "send the question"),
        command(
            Asking,
            A::Newline,
            "newline",
            &[(Composer, "alt-enter"), (Composer, "ctrl-j"), (Composer, "shift-enter")],
            "begin a new line",
        ),
        command(
            Asking,
            A::Complete,
            "complete",
            &[(Slash, "tab")],
            "complete the name of a command, after /",
        ),
        command(
            Asking,
            A::Cancel,
            "cancel",
            &[
                (Panes, "esc"),
                (Help, "esc"),
                (Help, "q"),
                (Prompt, "esc"),
                (Ledger, "esc"),
                (Ledger, "q"),
                (Compare, "esc"),
                (Compare, "q"),
            ],
            "cancel what runs (what is done is kept); else close, or read",
        ),
        command(
            Asking,
            A::Interrupt,
            "interrupt",
            &[(Global, "ctrl-c")],
            "cancel what runs; again, leave",
        ),
        slash(
            "retry",
            Optional("TURN"),
            command(
                Asking,
                A::Retry,
                "retry",
                &[(Panes, "leader r"), (Conversation, "R")],
                "another reply to the last question",
            ),
        ),
        slash(
            "edit",
            Optional("TURN"),
            command(
                Asking,
                A::EditQuestion,
                "edit",
                &[(Panes, "leader e"), (Conversation, "E")],
                "write the last question again, in its place",
            ),
        ),
        slash(
            "answer",
            None,
            command(
                Asking,
                A::AnswerNow,
                "answer-now",
                &[(Panes, "leader a")],
                "end the thinking; the answer follows",
            ),
        ),
        slash(
            "continue",
            None,
            command(
                Asking,
                A::Continue,
                "continue",
                &[(Panes, "leader c")],
                "go on with a reply that was stopped",
            ),
        ),
        command(
            Asking,
            A::Stop,
            "stop",
            &[(Panes, "leader x")],
            "stop what runs; what is done is kept",
        ),
        slash(
            "docs",
            None,
            command(
                Documents,
                A::Documents,
                "documents",
                &[(Panes, "f2"), (Panes, "alt-1"), (Panes, "alt-d"), (Panes, "leader d")],
                "show or close the documents",
            ),
        ),
        slash(
            "load",
            Optional("PATH…"),
            command(Documents, A::Load, "load", &[], "load files and folders besides"),
        ),
        slash(
            "unload",
            Optional("NAME…"),
            command(
                Documents,
                A::Unload,
                "unload",
                &[],
                "take documents or folders of them out",
            ),
        ),
        slash(
            "include",
            Optional("NAME…"),
            command(Documents, A::Include, "include", &[], "take in what was left out"),
        ),
        slash(
            "reload",
            None,
            command(
                Documents,
                A::Reload,
                "reload",
                &[],
                "read again what has changed on the disk",
            ),
        ),
        command(
            Reading,
            A::Read,
            "read",
            &[(Panes, "alt-2")],
            "read: keys move in the conversation (or Esc, when nothing runs)",
        ),
        command(
            Reading,
            A::Write,
            "write",
            &[(Conversation, "i"), (Conversation, "a"), (Inspector, "i")],
            "back to writing",
        ),
        slash(
            "raw",
            None,
            command(
                Reading,
                A::ToggleMarkdown,
                "toggle-markdown",
                &[(Panes, "leader .")],
                "show answers as they are written, or their Markdown as it is meant",
            ),
        ),
        slash(
            "open",
            Optional("PATH:LINE"),
            command(Reading, A::Open, "open", &[], "open a document"),
        ),
        slash(
            "export",
            Optional("trace|conversation FILE.md|FILE.jsonl"),
            command(
                Reading,
                A::Export,
                "export",
                &[(Panes, "leader w")],
                "write the conversation or a trace to a file",
            ),
        ),
        slash(
            "view",
            Optional("answer|thinking|segment"),
            command(
                Reading,
                A::ViewInEditor,
                "view-in-editor",
                &[(Panes, "leader v"), (Conversation, "o")],
                "read what was said in your own editor",
            ),
        ),
        command(
            Reading,
            A::RowUp,
            "row-up",
            &[
                (Panes, "ctrl-up"),
                (Panes, "alt-up"),
                (Help, "k"),
                (Help, "up"),
                (Prompt, "up"),
                (Ledger, "k"),
                (Ledger, "up"),
                (Compare, "k"),
                (Compare, "up"),
                (Prompt, "ctrl-p"),
            ],
            "a row up (or the wheel)",
        ),
        command(
            Reading,
            A::RowDown,
            "row-down",
            &[
                (Panes, "ctrl-down"),
                (Panes, "alt-down"),
                (Help, "j"),
                (Help, "down"),
                (Prompt, "down"),
                (Ledger, "j"),
                (Ledger, "down"),
                (Compare, "j"),
                (Compare, "down"),
                (Prompt, "ctrl-n"),
            ],
            "a row down (or the wheel)",
        ),
        command(Reading, A::HalfUp, "half-up", &[(Help, "ctrl-u")], "half a page up"),
        command(
            Reading,
            A::HalfDown,
            "half-down",
            &[(Help, "ctrl-d")],
            "half a page down",
        ),
        command(
            Reading,
            A::PageUp,
            "page-up",
            &[
                (Panes, "pgup"),
                (Help, "pgup"),
                (Help, "ctrl-b"),
                (Prompt, "pgup"),
                (Ledger, "pgup"),
                (Ledger, "ctrl-b"),
                (Compare, "pgup"),
                (Compare, "ctrl-b"),
            ],
            "a page up",
        ),
        command(
            Reading,
            A::PageDown,
            "page-down",
            &[
                (Panes, "pgdn"),
                (Help, "pgdn"),
                (Help, "ctrl-f"),
                (Help, "space"),
                (Prompt, "pgdn"),
                (Ledger, "pgdn"),
                (Compare, "pgdn"),
                (Compare, "ctrl-f"),
                (Compare, "space"),
            ],
            "a page down",
        ),
        command(
            Reading,
            A::ToStart,
            "to-start",
            &[
                (Panes, "ctrl-home"),
                (Empty, "home"),
                (Help, "g"),
                (Help, "home"),
                (Ledger, "g"),
                (Ledger, "home"),
                (Compare, "g"),
                (Compare, "home"),
            ],
            "to the beginning",
        ),
        command(
            Reading,
            A::Follow,
            "follow",
            &[
                (Panes, "ctrl-end"),
                (Empty, "end"),
                (Help, "G"),
                (Help, "end"),
                (Ledger, "G"),
                (Ledger, "end"),
                (Compare, "G"),
                (Compare, "end"),
            ],
            "to the end, and follow it",
        ),
        slash(
            "help",
            None,
            command(
                Application,
                A::Help,
                "help",
                &[
                    (Global, "f1"),
                    (Empty, "?"),
                    (Conversation, "?"),
                    (Context::Documents, "?"),
                    (Inspector, "?"),
                    (Context::Viewer, "?"),
                    (Panes, "leader ?"),
                ],
                "this help",
            ),
        ),
        slash(
            "commands",
            None,
            command(
                Application,
                A::Palette,
                "palette",
                &[(Panes, "leader p"), (Panes, "f4"), (Conversation, ":")],
                "find a command by a part of its name",
            ),
        ),
        command(
            Application,
            A::Accept,
            "accept",
            &[
                (Prompt, "enter"),
                (Prompt, "tab"),
                (Ledger, "enter"),
                (Compare, "enter"),
            ],
            "take what is written, or chosen in a list",
        ),
        command(
            Application,
            A::Inspector,
            "inspector",
            &[(Panes, "alt-3"), (Panes, "leader i")],
            "show or close the inspector",
        ),
        command(
            Application,
            A::NextPane,
            "next-pane",
            &[(Panes, "f6")],
            "give the keys to the next pane",
        ),
        command(
            Application,
            A::PreviousPane,
            "previous-pane",
            &[(Panes, "shift-f6")],
            "give them to the pane before",
        ),
        slash(
            "theme",
            Optional("NAME"),
            command(
                Application,
                A::Theme,
                "theme",
                &[],
                "change the colours, or list the themes",
            ),
        ),
        command(
            Application,
            A::Narrower,
            "narrower",
            &[(Panes, "leader <")],
            "make what is beside the conversation narrower (or drag its edge)",
        ),
        command(Application, A::Wider, "wider", &[(Panes, "leader >")], "make it wider"),
        command(
            Application,
            A::EvenPanes,
            "even-panes",
            &[(Panes, "leader =")],
            "give the panes the widths that they had at first",
        ),
        slash(
            "notify",
            None,
            command(
                Application,
                A::Notifications,
                "notifications",
                &[(Panes, "leader n")],
                "tell when something long is over and you look elsewhere, or no more",
            ),
        ),
        slash(
            "mouse",
            None,
            command(
                Application,
                A::Mouse,
                "mouse",
                &[],
                "give the mouse to the terminal, or take it back",
            ),
        ),
        command(
            Application,
            A::Redraw,
            "redraw",
            &[(Global, "ctrl-l")],
            "draw the screen anew",
        ),
        command(
            Application,
            A::Suspend,
            "suspend",
            &[(Global, "ctrl-z")],
            "back to the shell; `fg` comes back here",
        ),
        slash(
            "quit",
            None,
            command(
                Application,
                A::Leave,
                "quit",
                &[(Empty, "ctrl-d"), (Panes, "leader q")],
                "leave",
            ),
        ),
        hidden(slash(
            "panic",
            None,
            command(
                Application,
                A::Panic,
                "panic",
                &[],
                "fail, to see that the terminal survives",
            ),
        )),
    ]
};

/// The whole table.
pub fn all() -> impl Iterator<Item = &'static Command> {
    let parts: [&'static [Command]; 12] = [
        COMMANDS,
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
