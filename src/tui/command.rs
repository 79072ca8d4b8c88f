//! Everything a person can do: one table of actions with their keys, names and descriptions.
//!
//! Keys are bound from here ([`Keymap`](super::keymap::Keymap)), slash commands are parsed from here, the palette lists it and
//! the help prints it; what is not in the table does not exist, so the help cannot lie. What can be done in the documents
//! pane and in an open document is in the tables beside their code.

use super::documents::keys as documents;
use super::inspector::keys as inspector;
use super::keymap::Context;
use super::select::Unit;
use super::transcript::keys as reading;
use super::viewer::keys as viewer;

/// What can be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Send,
    Newline,
    Complete,
    Cancel,
    Retry,
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

const fn slash(name: &'static str, argument: Argument, command: Command) -> Command {
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

/// The table.
pub const COMMANDS: &[Command] = &{
    use Action as A;
    use Argument::{None, Optional};
    use Context::{
        Compare, Composer, Conversation, Empty, Global, Help, Inspector, Ledger, Panes, Prompt, Search, Slash,
    };
    use Group::{Application, Asking, Documents, Reading, Thinking, Writing};
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
        command(
            Thinking,
            A::CycleFold,
            "cycle-fold",
            &[(Composer, "tab"), (Panes, "ctrl-t"), (Conversation, "tab")],
            "fold or unfold thinking (or click on it)",
        ),
        command(
            Thinking,
            A::Outline,
            "outline",
            &[(Panes, "leader o")],
            "the outline of the thinking, to go to a part of it",
        ),
        command(
            Thinking,
            A::FoldSegment,
            "fold-segment",
            &[(Conversation, "z a"), (Conversation, "z o"), (Conversation, "z c")],
            "fold the segment that is read, or unfold it (or click on its ▾)",
        ),
        command(
            Thinking,
            A::FoldSegments,
            "fold-segments",
            &[(Conversation, "z M")],
            "fold all segments of the thinking",
        ),
        command(
            Thinking,
            A::UnfoldSegments,
            "unfold-segments",
            &[(Conversation, "z R")],
            "unfold all segments",
        ),
        command(
            Thinking,
            A::FoldOthers,
            "fold-others",
            &[(Conversation, "z x")],
            "fold all segments but the one that is read",
        ),
        command(
            Thinking,
            A::ThinkingDefault,
            "thinking-default",
            &[(Panes, "leader t")],
            "how much of all thinking shows: as usual, folded, a window, in full",
        ),
        command(
            Thinking,
            A::Heat,
            "heat",
            &[(Panes, "leader h")],
            "show how sure the model was of each token, or stop to",
        ),
        command(
            Thinking,
            A::SelectThinking,
            "select-thinking",
            &[(Panes, "shift-tab")],
            "select earlier thinking",
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
        command(
            Thinking,
            A::NextTurn,
            "next-turn",
            &[(Empty, "}"), (Conversation, "}")],
            "to the next place where a thought turns (↺)",
        ),
        command(
            Thinking,
            A::PreviousTurn,
            "previous-turn",
            &[(Empty, "{"), (Conversation, "{")],
            "to the place before where it turns",
        ),
        command(
            Reading,
            A::NextLink,
            "next-link",
            &[(Panes, "alt-n")],
            "select the next link to a document",
        ),
        command(
            Reading,
            A::PreviousLink,
            "previous-link",
            &[(Panes, "alt-p")],
            "select the link before",
        ),
        command(
            Reading,
            A::FollowLink,
            "follow-link",
            &[(Empty, "enter"), (Conversation, "enter")],
            "do what a click on the cursor would do: open a link, fold",
        ),
        command(
            Reading,
            A::LastCitation,
            "last-citation",
            &[(Panes, "f3"), (Panes, "ctrl-o")],
            "open what the last answer cites",
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
            "ledger",
            None,
            command(
                Reading,
                A::Ledger,
                "ledger",
                &[(Panes, "leader l")],
                "all thinking as a table, to sort and to go to",
            ),
        ),
        command(
            Reading,
            A::LedgerSort,
            "ledger-sort",
            &[(Ledger, "s"), (Ledger, "right"), (Ledger, "l")],
            "in the ledger: sort by the next column (or click on it)",
        ),
        command(
            Reading,
            A::LedgerReverse,
            "ledger-reverse",
            &[(Ledger, "S"), (Ledger, "r")],
            "in the ledger: the other way round",
        ),
        command(
            Reading,
            A::LedgerMark,
            "ledger-mark",
            &[(Ledger, "m")],
            "in the ledger: mark a thought; on another one, compare the two",
        ),
        slash(
            "compare",
            Optional("N M"),
            command(
                Reading,
                A::Compare,
                "compare",
                &[(Panes, "leader m")],
                "two replies' thinking side by side, the newest two of a question",
            ),
        ),
        command(
            Reading,
            A::NextDifference,
            "next-difference",
            &[(Compare, "n")],
            "side by side: to the next difference",
        ),
        command(
            Reading,
            A::PreviousDifference,
            "previous-difference",
            &[(Compare, "N")],
            "side by side: to the difference before",
        ),
        command(
            Reading,
            A::CompareOther,
            "compare-other",
            &[(Compare, "tab"), (Compare, "shift-tab")],
            "side by side: the other side",
        ),
        command(
            Reading,
            A::CompareLeft,
            "compare-left",
            &[(Compare, "h"), (Compare, "left")],
            "side by side: the left side (Enter goes to the segment there)",
        ),
        command(
            Reading,
            A::CompareRight,
            "compare-right",
            &[(Compare, "l"), (Compare, "right")],
            "side by side: the right side",
        ),
        slash(
            "search",
            Optional("PATTERN"),
            command(
                Reading,
                A::Search,
                "search",
                &[(Panes, "leader /"), (Conversation, "/")],
                "search what was said, and the documents",
            ),
        ),
        command(
            Reading,
            A::NextMatch,
            "next-match",
            &[(Conversation, "n")],
            "the next match",
        ),
        command(
            Reading,
            A::PreviousMatch,
            "previous-match",
            &[(Conversation, "N")],
            "the match before",
        ),
        command(
            Reading,
            A::SearchScope,
            "search-scope",
            &[(Search, "tab")],
            "while searching: search elsewhere (answers, traces, documents)",
        ),
        command(
            Reading,
            A::SearchScopeBack,
            "search-scope-back",
            &[(Search, "shift-tab")],
            "while searching: where it was searched before",
        ),
        slash(
            "view",
            Optional("answer|thinking"),
            command(
                Reading,
                A::ViewInEditor,
                "view-in-editor",
                &[(Panes, "leader v"), (Conversation, "o")],
                "read what was said in your own editor",
            ),
        ),
        slash(
            "copy",
            Optional("answer|code|block|trace"),
            command(
                Reading,
                A::Copy,
                "copy",
                &[],
                "copy the answer, a code block, a block or the thinking",
            ),
        ),
        command(
            Reading,
            A::CopyAnswer,
            "copy-answer",
            &[(Panes, "leader y")],
            "copy the answer: the one that is read, else the last",
        ),
        command(
            Reading,
            A::CopyCode,
            "copy-code",
            &[(Panes, "leader k")],
            "copy the code block: the one under the cursor, else the last",
        ),
        command(
            Reading,
            A::CopyBlock,
            "copy-block",
            &[(Panes, "leader b")],
            "copy the block: the one under the cursor, else the last",
        ),
        command(
            Reading,
            A::CopySelection,
            "copy-selection",
            &[(Conversation, "y")],
            "copy what is selected, else the block under the cursor",
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
        command(
            Writing,
            A::Left,
            "left",
            &[(Composer, "left"), (Composer, "ctrl-b")],
            "a character left",
        ),
        command(
            Writing,
            A::Right,
            "right",
            &[(Composer, "right"), (Composer, "ctrl-f")],
            "a character right",
        ),
        command(
            Writing,
            A::WordLeft,
            "word-left",
            &[(Composer, "alt-left"), (Composer, "ctrl-left"), (Composer, "alt-b")],
            "a word left",
        ),
        command(
            Writing,
            A::WordRight,
            "word-right",
            &[(Composer, "alt-right"), (Composer, "ctrl-right"), (Composer, "alt-f")],
            "a word right",
        ),
        command(
            Writing,
            A::Home,
            "home",
            &[(Composer, "home"), (Composer, "ctrl-a")],
            "to the beginning of the line",
        ),
        command(
            Writing,
            A::End,
            "end",
            &[(Composer, "end"), (Composer, "ctrl-e")],
            "to the end of the line",
        ),
        command(
            Writing,
            A::Up,
            "up",
            &[(Composer, "up"), (Composer, "ctrl-p")],
            "a row up; at the first, the question before",
        ),
        command(
            Writing,
            A::Down,
            "down",
            &[(Composer, "down"), (Composer, "ctrl-n")],
            "a row down; at the last, the question after",
        ),
        command(
            Writing,
            A::Backspace,
            "backspace",
            &[
                (Composer, "backspace"),
                (Composer, "ctrl-h"),
                (Prompt, "backspace"),
                (Prompt, "ctrl-h"),
            ],
            "delete to the left",
        ),
        command(
            Writing,
            A::Delete,
            "delete",
            &[(Composer, "delete"), (Composer, "ctrl-d")],
            "delete to the right",
        ),
        command(
            Writing,
            A::KillWord,
            "kill-word",
            &[(Composer, "ctrl-w"), (Composer, "alt-backspace"), (Prompt, "ctrl-w")],
            "cut the word to the left",
        ),
        command(
            Writing,
            A::KillToStart,
            "kill-to-start",
            &[(Composer, "ctrl-u"), (Prompt, "ctrl-u")],
            "cut to the beginning of the line",
        ),
        command(
            Writing,
            A::KillToEnd,
            "kill-to-end",
            &[(Composer, "ctrl-k")],
            "cut to the end of the line",
        ),
        command(Writing, A::Yank, "yank", &[(Composer, "ctrl-y")], "insert what was cut"),
        command(
            Writing,
            A::Undo,
            "undo",
            &[(Composer, "ctrl-_"), (Panes, "leader u")],
            "take back what was written or done last",
        ),
        command(
            Writing,
            A::Redo,
            "redo",
            &[(Composer, "alt-_"), (Panes, "leader U")],
            "do again what was taken back",
        ),
        command(
            Writing,
            A::Expand,
            "expand",
            &[(Composer, "alt-e")],
            "show the text of a large paste (or click on it)",
        ),
        command(
            Writing,
            A::SearchHistory,
            "search-history",
            &[(Composer, "ctrl-r"), (Panes, "leader s"), (Prompt, "ctrl-r")],
            "find what was written before",
        ),
        command(
            Writing,
            A::EditDraft,
            "edit-draft",
            &[(Composer, "ctrl-g"), (Panes, "leader g")],
            "write on in your editor ($VISUAL or $EDITOR)",
        ),
        slash(
            "vim",
            Optional("on|off"),
            command(Writing, A::Vim, "vim", &[], "use vim's keys for writing, or no longer"),
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

/// The whole table: what is done in the application, in the documents, to what is planned, and in an open document.
pub fn all() -> impl Iterator<Item = &'static Command> {
    COMMANDS
        .iter()
        .chain(reading::COMMANDS)
        .chain(documents::PANE)
        .chain(inspector::INSPECTOR)
        .chain(documents::ANSWERS)
        .chain(viewer::COMMANDS)
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
    COMMANDS
        .iter()
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
