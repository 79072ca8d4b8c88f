//! Everything a person can do: one table of actions with their keys, slash names and descriptions.
//!
//! Keys are looked up here, slash commands are parsed from here, and the help is printed from here; what is not in the
//! table does not exist, so the help cannot lie.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::viewer::{Step, keys};

/// What can be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Send,
    Newline,
    Complete,
    Cancel,
    Interrupt,
    Leave,
    Help,
    Documents,
    Load,
    Unload,
    Include,
    Reload,
    Theme,
    Mouse,
    Redraw,
    Suspend,
    Panic,
    CycleFold,
    SelectThinking,
    NextTurn,
    PreviousTurn,
    NextLink,
    PreviousLink,
    FollowLink,
    LastCitation,
    Open,
    ViewInEditor,
    Copy,
    View(Step),
    RowUp,
    RowDown,
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
}

/// When a key has its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    Always,
    /// Nothing has been written.
    Empty,
    /// What has been written begins with `/`.
    Slash,
    /// A document is open in the viewer.
    Viewing,
}

/// A key with its modifiers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chord {
    pub code: KeyCode,
    pub modifiers: KeyModifiers,
}

/// A heading of the help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    Asking,
    Documents,
    Reading,
    Viewing,
    Writing,
    Application,
}

impl Group {
    pub const ALL: [Self; 6] = [
        Self::Asking,
        Self::Documents,
        Self::Reading,
        Self::Viewing,
        Self::Writing,
        Self::Application,
    ];

    pub fn title(self) -> &'static str {
        match self {
            Self::Asking => "Asking",
            Self::Documents => "Documents",
            Self::Reading => "Reading",
            Self::Viewing => "In an open document",
            Self::Writing => "Writing",
            Self::Application => "Application",
        }
    }
}

/// A row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Command {
    pub action: Action,
    pub group: Group,
    pub keys: &'static [(When, Chord)],
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

const fn key(code: KeyCode) -> (When, Chord) {
    with(code, KeyModifiers::NONE)
}

const fn with(code: KeyCode, modifiers: KeyModifiers) -> (When, Chord) {
    (When::Always, Chord { code, modifiers })
}

const fn ctrl(letter: char) -> (When, Chord) {
    with(KeyCode::Char(letter), KeyModifiers::CONTROL)
}

const fn alt(code: KeyCode) -> (When, Chord) {
    with(code, KeyModifiers::ALT)
}

const fn when(when: When, (_, chord): (When, Chord)) -> (When, Chord) {
    (when, chord)
}

const fn command(group: Group, action: Action, keys: &'static [(When, Chord)], help: &'static str) -> Command {
    Command {
        action,
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

/// The table. Of two rows with the same key, the first whose condition holds is meant.
pub const COMMANDS: &[Command] = &{
    use Action as A;
    use Argument::{None, Optional};
    use Group::{Application, Asking, Documents, Reading, Writing};
    use KeyCode as K;
    use When::{Empty, Slash};
    const CTRL: KeyModifiers = KeyModifiers::CONTROL;
    const SHIFT: KeyModifiers = KeyModifiers::SHIFT;
    [
        command(
            Reading,
            A::FollowLink,
            &[when(Empty, key(K::Enter))],
            "open the selected link (or click on it)",
        ),
        command(Asking, A::Send, &[key(K::Enter)], "send the question"),
        command(
            Asking,
            A::Newline,
            &[alt(K::Enter), ctrl('j'), with(K::Enter, SHIFT)],
            "begin a new line",
        ),
        command(
            Asking,
            A::Complete,
            &[when(Slash, key(K::Tab))],
            "complete the name of a command, after /",
        ),
        command(
            Asking,
            A::Cancel,
            &[key(K::Esc)],
            "cancel what runs; what is done is kept",
        ),
        command(Asking, A::Interrupt, &[ctrl('c')], "cancel what runs; again, leave"),
        slash(
            "docs",
            None,
            command(
                Documents,
                A::Documents,
                &[key(K::F(2)), alt(K::Char('d'))],
                "show or close the documents",
            ),
        ),
        slash(
            "load",
            Optional("PATH…"),
            command(Documents, A::Load, &[], "load files and folders besides"),
        ),
        slash(
            "unload",
            Optional("NAME…"),
            command(Documents, A::Unload, &[], "take documents or folders of them out"),
        ),
        slash(
            "include",
            Optional("NAME…"),
            command(Documents, A::Include, &[], "take in what was left out"),
        ),
        slash(
            "reload",
            None,
            command(Documents, A::Reload, &[], "read again what has changed on the disk"),
        ),
        command(
            Reading,
            A::CycleFold,
            &[key(K::Tab), ctrl('t')],
            "fold or unfold thinking (or click on it)",
        ),
        command(
            Reading,
            A::SelectThinking,
            &[key(K::BackTab), with(K::BackTab, SHIFT)],
            "select earlier thinking",
        ),
        command(
            Reading,
            A::NextTurn,
            &[when(Empty, key(K::Char('}')))],
            "to the next place where a thought turns (↺)",
        ),
        command(
            Reading,
            A::PreviousTurn,
            &[when(Empty, key(K::Char('{')))],
            "to the place before where it turns",
        ),
        command(
            Reading,
            A::NextLink,
            &[alt(K::Char('n'))],
            "select the next link to a document",
        ),
        command(Reading, A::PreviousLink, &[alt(K::Char('p'))], "select the link before"),
        command(
            Reading,
            A::LastCitation,
            &[key(K::F(3)), ctrl('o')],
            "open what the last answer cites",
        ),
        slash(
            "open",
            Optional("PATH:LINE"),
            command(Reading, A::Open, &[], "open a document"),
        ),
        slash(
            "view",
            Optional("answer|thinking"),
            command(Reading, A::ViewInEditor, &[], "read what was said in your own editor"),
        ),
        slash(
            "copy",
            Optional("answer|code|block|trace"),
            command(
                Reading,
                A::Copy,
                &[],
                "copy the last answer, code block, block or thinking",
            ),
        ),
        command(Reading, A::PageUp, &[key(K::PageUp)], "a page up"),
        command(Reading, A::PageDown, &[key(K::PageDown)], "a page down"),
        command(
            Reading,
            A::RowUp,
            &[with(K::Up, CTRL), alt(K::Up)],
            "a row up (or the wheel)",
        ),
        command(
            Reading,
            A::RowDown,
            &[with(K::Down, CTRL), alt(K::Down)],
            "a row down (or the wheel)",
        ),
        command(
            Reading,
            A::ToStart,
            &[with(K::Home, CTRL), when(Empty, key(K::Home))],
            "to the beginning",
        ),
        command(
            Reading,
            A::Follow,
            &[with(K::End, CTRL), when(Empty, key(K::End))],
            "to the end, and follow it",
        ),
        command(Writing, A::Left, &[key(K::Left), ctrl('b')], "a character left"),
        command(Writing, A::Right, &[key(K::Right), ctrl('f')], "a character right"),
        command(
            Writing,
            A::WordLeft,
            &[alt(K::Left), with(K::Left, CTRL), alt(K::Char('b'))],
            "a word left",
        ),
        command(
            Writing,
            A::WordRight,
            &[alt(K::Right), with(K::Right, CTRL), alt(K::Char('f'))],
            "a word right",
        ),
        command(
            Writing,
            A::Home,
            &[key(K::Home), ctrl('a')],
            "to the beginning of the line",
        ),
        command(Writing, A::End, &[key(K::End), ctrl('e')], "to the end of the line"),
        command(
            Writing,
            A::Up,
            &[key(K::Up), ctrl('p')],
            "a row up; at the first, the question before",
        ),
        command(
            Writing,
            A::Down,
            &[key(K::Down), ctrl('n')],
            "a row down; at the last, the question after",
        ),
        command(
            Writing,
            A::Backspace,
            &[key(K::Backspace), ctrl('h')],
            "delete to the left",
        ),
        slash(
            "quit",
            None,
            command(Application, A::Leave, &[when(Empty, ctrl('d'))], "leave"),
        ),
        command(Writing, A::Delete, &[key(K::Delete), ctrl('d')], "delete to the right"),
        command(
            Writing,
            A::KillWord,
            &[ctrl('w'), alt(K::Backspace)],
            "cut the word to the left",
        ),
        command(
            Writing,
            A::KillToStart,
            &[ctrl('u')],
            "cut to the beginning of the line",
        ),
        command(Writing, A::KillToEnd, &[ctrl('k')], "cut to the end of the line"),
        command(Writing, A::Yank, &[ctrl('y')], "insert what was cut"),
        slash(
            "help",
            None,
            command(
                Application,
                A::Help,
                &[key(K::F(1)), when(Empty, key(K::Char('?')))],
                "this help",
            ),
        ),
        slash(
            "theme",
            Optional("NAME"),
            command(Application, A::Theme, &[], "change the colours, or list the themes"),
        ),
        slash(
            "mouse",
            None,
            command(
                Application,
                A::Mouse,
                &[],
                "give the mouse to the terminal, or take it back",
            ),
        ),
        command(Application, A::Redraw, &[ctrl('l')], "draw the screen anew"),
        command(
            Application,
            A::Suspend,
            &[ctrl('z')],
            "back to the shell; `fg` comes back here",
        ),
        hidden(slash(
            "panic",
            None,
            command(Application, A::Panic, &[], "fail, to see that the terminal survives"),
        )),
    ]
};

impl Chord {
    /// The chord that was pressed. Shift is part of a character, not a modifier of it, and means nothing to Backspace.
    pub(super) fn of(event: KeyEvent) -> Self {
        let known = KeyModifiers::CONTROL | KeyModifiers::ALT | KeyModifiers::SHIFT;
        let mut modifiers = event.modifiers & known;
        if matches!(event.code, KeyCode::Char(_) | KeyCode::Backspace) {
            modifiers -= KeyModifiers::SHIFT;
        }
        let code = match event.code {
            KeyCode::Char(c) if modifiers.contains(KeyModifiers::CONTROL) => KeyCode::Char(c.to_ascii_lowercase()),
            other => other,
        };
        Self { code, modifiers }
    }
}

impl std::fmt::Display for Chord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (modifier, name) in [
            (KeyModifiers::CONTROL, "Ctrl-"),
            (KeyModifiers::ALT, "Alt-"),
            (KeyModifiers::SHIFT, "Shift-"),
        ] {
            if self.modifiers.contains(modifier) {
                f.write_str(name)?;
            }
        }
        match self.code {
            KeyCode::Char(' ') => f.write_str("Space"),
            KeyCode::Char(c) if self.modifiers.is_empty() => write!(f, "{c}"),
            KeyCode::Char(c) => write!(f, "{}", c.to_uppercase()),
            KeyCode::F(n) => write!(f, "F{n}"),
            KeyCode::PageUp => f.write_str("PgUp"),
            KeyCode::PageDown => f.write_str("PgDn"),
            KeyCode::BackTab if self.modifiers.contains(KeyModifiers::SHIFT) => f.write_str("Tab"),
            KeyCode::BackTab => f.write_str("Shift-Tab"),
            code => write!(f, "{code:?}"),
        }
    }
}

/// The whole table: what is done in the application, and in an open document.
pub fn all() -> impl Iterator<Item = &'static Command> {
    COMMANDS.iter().chain(keys::COMMANDS)
}

/// What a key means while `text` is in the field.
#[must_use]
pub fn find_key(event: KeyEvent, text: &str) -> Option<Action> {
    let pressed = Chord::of(event);
    let holds = |when| match when {
        When::Always => true,
        When::Empty => text.is_empty(),
        When::Slash => text.starts_with('/'),
        When::Viewing => false,
    };
    let bound = |command: &&Command| {
        command
            .keys
            .iter()
            .any(|&(when, chord)| chord == pressed && holds(when))
    };
    COMMANDS.iter().find(bound).map(|command| command.action)
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

/// The commands whose name begins as `text` does, with their arguments: `/theme NAME`.
pub fn completions(text: &str) -> impl Iterator<Item = String> {
    let begun = text
        .strip_prefix('/')
        .filter(|begun| !begun.contains(char::is_whitespace));
    visible(false)
        .filter(move |(name, _)| begun.is_some_and(|begun| name.starts_with(begun)))
        .map(|(name, command)| match command.slash {
            Some((_, Argument::Optional(argument))) => format!("/{name} {argument}"),
            _ => format!("/{name}"),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(code: KeyCode, modifiers: KeyModifiers, text: &str) -> Option<Action> {
        find_key(KeyEvent::new(code, modifiers), text)
    }

    #[test]
    fn keys_depend_on_what_is_written() {
        let (none, ctrl) = (KeyModifiers::NONE, KeyModifiers::CONTROL);
        assert_eq!(press(KeyCode::Char('?'), none, ""), Some(Action::Help));
        assert_eq!(press(KeyCode::Char('?'), KeyModifiers::SHIFT, ""), Some(Action::Help));
        assert_eq!(press(KeyCode::Char('?'), none, "why"), None);
        assert_eq!(press(KeyCode::Char('d'), ctrl, ""), Some(Action::Leave));
        assert_eq!(press(KeyCode::Char('D'), ctrl, "x"), Some(Action::Delete));
        assert_eq!(press(KeyCode::Tab, none, "/th"), Some(Action::Complete));
        assert_eq!(press(KeyCode::Tab, none, "th"), Some(Action::CycleFold));
        assert_eq!(press(KeyCode::End, none, ""), Some(Action::Follow));
        assert_eq!(press(KeyCode::End, none, "x"), Some(Action::End));
    }

    #[test]
    fn no_key_has_two_meanings_at_once() {
        let bound = |commands: &'static [Command]| -> Vec<_> {
            let keys = |command: &'static Command| command.keys.iter().map(move |key| (command, key));
            commands.iter().flat_map(keys).collect()
        };
        for all in [bound(COMMANDS), bound(keys::COMMANDS)] {
            for (i, (_, a)) in all.iter().enumerate() {
                for (_, b) in &all[i + 1..] {
                    assert!(a != b, "{} is bound twice", a.1);
                }
            }
        }
        let all = bound(COMMANDS);
        for (i, (command, (_, chord))) in all.iter().enumerate() {
            let shadowed = all[..i]
                .iter()
                .any(|(_, (when, earlier))| earlier == chord && *when == When::Always);
            assert!(!shadowed, "{chord} never reaches {:?}", command.action);
        }
    }

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
        assert_eq!(completions("/t").collect::<Vec<_>>(), ["/theme NAME"]);
        assert_eq!(completions("/theme x").count(), 0);
        assert!(!completions("/").any(|name| name.contains("panic")));
    }

    #[test]
    fn chords_have_names() {
        let names: Vec<_> = COMMANDS
            .iter()
            .flat_map(|command| command.keys)
            .map(|(_, chord)| chord.to_string())
            .collect();
        for name in [
            "Enter",
            "Alt-Enter",
            "Ctrl-J",
            "Shift-Tab",
            "PgUp",
            "Ctrl-End",
            "F1",
            "?",
            "Esc",
        ] {
            assert!(names.iter().any(|known| known == name), "{name} in {names:?}");
        }
    }
}
