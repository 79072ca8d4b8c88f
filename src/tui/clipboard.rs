//! Copying: to the clipboard of this machine where the person sits at it, else through the terminal to theirs.
//!
//! Programs that are made for it set the clipboard of this machine, and say whether that went well. Over ssh, or without
//! a display, only the terminal can reach the person's clipboard: it is asked by OSC 52, a sequence that is never
//! answered, so that nobody can know whether it did. Inside of tmux, tmux itself is the program to ask: it keeps the text
//! and passes it on even where it drops what others send through it.
//!
//! What is decided here is pure; a program runs on a thread of its own and for a limited time, and what came of it
//! comes back as an input.

use std::io::Write;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Bytes that every terminal with OSC 52 takes at once, by the smallest limit in use: 100,000 encoded.
const EVERYWHERE: usize = 74_994;
/// The longest sequence that is sent: more than this tmux throws away.
const LONGEST: usize = 1 << 20;
/// How long a program may take.
const PATIENCE: Duration = Duration::from_secs(3);
/// Bytes of a sequence that GNU screen takes at once.
const PIECE: usize = 512;

/// What came of copying.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Copied {
    /// A program took it.
    Taken { characters: usize, by: &'static Program },
    /// No program did, for this reason.
    NotTaken { text: String, reason: String },
    /// It was sent to the terminal.
    Sent { characters: usize, bytes: usize },
    /// It is longer than terminals take, which is so many bytes.
    TooLong { bytes: usize, limit: usize },
}

/// A program that copies what it reads.
#[derive(Debug, PartialEq, Eq)]
pub struct Program {
    name: &'static str,
    arguments: &'static [&'static str],
    /// It reads UTF-16.
    wide: bool,
    pub keeper: Keeper,
}

impl Program {
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Whether it is in one of the folders that programs are looked for in.
    pub fn is_installed(&self) -> bool {
        let folders = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&folders).any(|folder| folder.join(self.name).is_file())
    }
}

/// Who has what was copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeper {
    Clipboard,
    Tmux,
}

const fn program(name: &'static str, arguments: &'static [&'static str]) -> Program {
    Program {
        name,
        arguments,
        wide: false,
        keeper: Keeper::Clipboard,
    }
}

static MAC: [Program; 1] = [program("pbcopy", &[])];
static WINDOWS: [Program; 1] = [Program {
    wide: true,
    ..program("clip.exe", &[])
}];
static ANDROID: [Program; 1] = [program("termux-clipboard-set", &[])];
static WAYLAND: [Program; 1] = [program("wl-copy", &["--type", "text/plain;charset=utf-8"])];
static X11: [Program; 2] = [
    program("xclip", &["-selection", "clipboard", "-in"]),
    program("xsel", &["--clipboard", "--input"]),
];
static TMUX: [Program; 1] = [Program {
    keeper: Keeper::Tmux,
    ..program("tmux", &["load-buffer", "-w", "-"])
}];

/// Where the application runs, as far as copying depends on it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Surroundings {
    os: &'static str,
    over_ssh: bool,
    wayland: bool,
    x11: bool,
    android: bool,
    /// A tmux of this machine, which can be asked.
    tmux: bool,
    within: Within,
}

/// What stands between the application and the terminal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Within {
    #[default]
    Nothing,
    Tmux,
    Screen,
    /// One of both, on another machine.
    Either,
}

impl Surroundings {
    pub fn of_process() -> Self {
        Self::new(std::env::consts::OS, |name| std::env::var(name).ok())
    }

    fn new(os: &'static str, variable: impl Fn(&str) -> Option<String>) -> Self {
        let is_set = |name: &str| variable(name).is_some_and(|value| !value.is_empty());
        let term = variable("TERM").unwrap_or_default();
        let within = if is_set("TMUX") || term.starts_with("tmux") {
            Within::Tmux
        } else if is_set("STY") {
            Within::Screen
        } else if term.starts_with("screen") {
            Within::Either
        } else {
            Within::Nothing
        };
        Self {
            os,
            over_ssh: ["SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY"]
                .iter()
                .any(|name| is_set(name)),
            wayland: is_set("WAYLAND_DISPLAY"),
            x11: is_set("DISPLAY"),
            android: is_set("TERMUX_VERSION"),
            tmux: is_set("TMUX"),
            within,
        }
    }

    /// What to try, in this order, before the terminal.
    pub fn programs(&self) -> Vec<&'static Program> {
        let local: [&[Program]; 5] = if self.over_ssh {
            [&[]; 5]
        } else {
            let if_so = |holds: bool, programs: &'static [Program]| if holds { programs } else { &[] };
            [
                if_so(self.os == "macos", &MAC),
                if_so(self.os == "windows", &WINDOWS),
                if_so(self.android, &ANDROID),
                if_so(self.wayland, &WAYLAND),
                if_so(self.x11, &X11),
            ]
        };
        let local = local.into_iter().flatten();
        let tmux = TMUX.iter().filter(|_| self.tmux);
        local.chain(tmux).collect()
    }

    /// The bytes that ask the terminal to take a text.
    ///
    /// # Errors
    /// If it is longer than terminals take.
    pub fn sequence(&self, text: &str) -> Result<Vec<u8>, Copied> {
        let encoded = base64(text.as_bytes());
        if encoded.len() > LONGEST {
            return Err(Copied::TooLong {
                bytes: text.len(),
                limit: LONGEST / 4 * 3,
            });
        }
        let plain = format!("\x1b]52;c;{encoded}\x07").into_bytes();
        Ok(self.passed(plain))
    }

    /// A sequence such that it comes through to the terminal.
    pub fn passed(&self, plain: Vec<u8>) -> Vec<u8> {
        match self.within {
            Within::Nothing => plain,
            // Either is dropped where the other is allowed.
            Within::Tmux => [through_tmux(&plain), plain].concat(),
            Within::Screen => through_screen(&plain),
            // tmux ignores what is meant for screen, and screen what is not.
            Within::Either => [through_screen(&plain), plain].concat(),
        }
    }
}

/// Passed through to the terminal as it is; every escape counts double.
fn through_tmux(sequence: &[u8]) -> Vec<u8> {
    let mut out = b"\x1bPtmux;".to_vec();
    for &byte in sequence {
        if byte == 0x1b {
            out.push(byte);
        }
        out.push(byte);
    }
    out.extend_from_slice(b"\x1b\\");
    out
}

/// Passed through to the terminal in pieces: longer strings are cut off.
fn through_screen(sequence: &[u8]) -> Vec<u8> {
    let piece = |piece: &[u8]| [b"\x1bP", piece, b"\x1b\\"].concat();
    sequence.chunks(PIECE).flat_map(piece).collect()
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let byte = |index: usize| u32::from(three.get(index).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..4 {
            out.push(if digit > three.len() {
                '='
            } else {
                char::from(DIGITS[(bits >> (18 - 6 * digit)) as usize & 63])
            });
        }
    }
    out
}

/// Has a program take the text, the first of these that can.
pub fn copy(programs: &[&'static Program], text: String) -> Copied {
    let mut reasons = Vec::new();
    for program in programs {
        let mut command = Command::new(program.name);
        command.args(program.arguments);
        let input = if program.wide {
            utf16(&text)
        } else {
            text.clone().into_bytes()
        };
        match run(command, input, PATIENCE) {
            Ok(()) => {
                return Copied::Taken {
                    characters: characters(&text),
                    by: program,
                };
            }
            Err(reason) => reasons.push(format!("{}: {reason}", program.name)),
        }
    }
    Copied::NotTaken {
        text,
        reason: reasons.join("; "),
    }
}

/// As people count them.
fn characters(text: &str) -> usize {
    super::text::clusters(text).count()
}

/// With the mark of its byte order.
fn utf16(text: &str) -> Vec<u8> {
    let units = std::iter::once(0xfeff).chain(text.encode_utf16());
    units.flat_map(u16::to_le_bytes).collect()
}

/// Runs a program with this input. Its own output is not read: a clipboard may be served by a child that holds it open.
fn run(mut command: Command, input: Vec<u8>, patience: Duration) -> Result<(), String> {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut child = command.spawn().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => "not installed".to_owned(),
        _ => error.to_string(),
    })?;
    let stdin = child.stdin.take();
    let write = move || stdin.map_or(Ok(()), |mut stdin| stdin.write_all(&input));
    let writer = thread::Builder::new().name("copy".to_owned()).spawn(write);
    let ended = wait(&mut child, patience);
    if ended.is_err() {
        let _ = child.kill();
        let _ = child.wait();
    }
    let status = ended?;
    let written = writer.map(thread::JoinHandle::join);
    match written {
        _ if !status.success() => Err(format!("failed, {status}")),
        Ok(Ok(Ok(()))) => Ok(()),
        Ok(Ok(Err(error))) | Err(error) => Err(error.to_string()),
        Ok(Err(_)) => Err("the text could not be written".to_owned()),
    }
}

fn wait(child: &mut Child, patience: Duration) -> Result<ExitStatus, String> {
    const LOOK: Duration = Duration::from_millis(5);
    let until = Instant::now() + patience;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status),
            Ok(None) if Instant::now() < until => thread::sleep(LOOK),
            Ok(None) => return Err("did not end in time".to_owned()),
            Err(error) => return Err(error.to_string()),
        }
    }
}

impl Copied {
    /// That it was sent.
    pub fn sent(text: &str) -> Self {
        Self::Sent {
            characters: characters(text),
            bytes: text.len(),
        }
    }
}

/// What to tell of it.
impl std::fmt::Display for Copied {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let counted = |characters: &usize| super::format::counted(*characters, "character");
        let number = super::format::count;
        match self {
            Self::Taken { characters, by } => match by.keeper {
                Keeper::Clipboard => write!(f, "copied {} to the clipboard", counted(characters)),
                Keeper::Tmux => write!(f, "copied {} to tmux, for its terminal too", counted(characters)),
            },
            Self::NotTaken { reason, .. } => write!(f, "no program took what was copied ({reason})"),
            Self::Sent { characters, bytes } => {
                write!(f, "sent {} to the terminal to copy", counted(characters))?;
                if *bytes > EVERYWHERE {
                    write!(f, ", and some take no more than {} bytes", number(EVERYWHERE))?;
                }
                Ok(())
            }
            Self::TooLong { bytes, limit } => write!(
                f,
                "not copied: {} bytes are more than the {} that can be sent to a terminal",
                number(*bytes),
                number(*limit)
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn surroundings(os: &'static str, variables: &[(&str, &str)]) -> Surroundings {
        Surroundings::new(os, |name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    fn names(os: &'static str, variables: &[(&str, &str)]) -> Vec<&'static str> {
        let programs = surroundings(os, variables).programs();
        programs.iter().map(|program| program.name).collect()
    }

    #[test]
    fn programs_are_those_of_the_place() {
        let (x11, wayland) = (("DISPLAY", ":0"), ("WAYLAND_DISPLAY", "wayland-0"));
        let (ssh, tmux) = (("SSH_CONNECTION", "a 1 b 2"), ("TMUX", "/tmp/tmux,1,0"));
        assert_eq!(names("linux", &[]), [""; 0]);
        assert_eq!(names("linux", &[("DISPLAY", "")]), [""; 0]);
        assert_eq!(names("linux", &[x11]), ["xclip", "xsel"]);
        assert_eq!(names("linux", &[wayland, x11]), ["wl-copy", "xclip", "xsel"]);
        assert_eq!(names("linux", &[ssh, x11]), [""; 0], "the display of another machine");
        assert_eq!(names("linux", &[x11, tmux]), ["xclip", "xsel", "tmux"]);
        assert_eq!(names("macos", &[ssh, tmux]), ["tmux"]);
        assert_eq!(
            names("linux", &[ssh, ("TERM", "tmux-256color")]),
            [""; 0],
            "that of another machine"
        );
        assert_eq!(names("macos", &[]), ["pbcopy"]);
        assert_eq!(names("windows", &[]), ["clip.exe"]);
        assert_eq!(names("linux", &[("TERMUX_VERSION", "1")]), ["termux-clipboard-set"]);
    }

    fn bytes(variables: &[(&str, &str)], text: &str) -> String {
        String::from_utf8(surroundings("linux", variables).sequence(text).unwrap()).unwrap()
    }

    #[test]
    fn the_terminal_is_asked_as_it_must_be() {
        let plain = "\x1b]52;c;aMOp\x07";
        assert_eq!(bytes(&[("TERM", "xterm-256color")], "hé"), plain);
        let tmux = "\x1bPtmux;\x1b\x1b]52;c;aMOp\x07\x1b\\";
        assert_eq!(
            bytes(&[("TMUX", "x"), ("TERM", "screen")], "hé"),
            [tmux, plain].concat()
        );
        assert_eq!(bytes(&[("TERM", "tmux-256color")], "hé"), [tmux, plain].concat());
        let screen = "\x1bP\x1b]52;c;aMOp\x07\x1b\\";
        assert_eq!(bytes(&[("STY", "1.x"), ("TERM", "screen")], "hé"), screen);
        assert_eq!(bytes(&[("TERM", "screen.xterm")], "hé"), [screen, plain].concat());
    }

    #[test]
    fn screen_gets_a_long_sequence_in_pieces() {
        let text = "long ".repeat(1000);
        let sent = bytes(&[("STY", "1.x")], &text);
        let pieces: Vec<_> = sent.split_inclusive("\x1b\\").collect();
        assert!(pieces.len() > 10 && pieces.iter().all(|piece| piece.len() <= PIECE + 4));
        let joined = sent.replace("\x1b\\", "").replace("\x1bP", "");
        assert_eq!(joined, bytes(&[], &text));
    }

    #[test]
    fn what_is_too_long_is_not_sent_and_what_may_be_is_said() {
        let nowhere = Surroundings::default();
        let limit = LONGEST / 4 * 3;
        assert!(nowhere.sequence(&"x".repeat(limit)).is_ok());
        let error = nowhere.sequence(&"x".repeat(limit + 1)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "not copied: 786,433 bytes are more than the 786,432 that can be sent to a terminal"
        );
        let told = |text: &str| Copied::sent(text).to_string();
        assert_eq!(told("e\u{301}👩‍👩‍👧"), "sent 2 characters to the terminal to copy");
        assert!(told(&"x".repeat(EVERYWHERE + 1)).ends_with("some take no more than 74,994 bytes"));
    }

    #[test]
    fn base64_is_that_of_the_standard() {
        // The vectors of RFC 4648.
        let pairs = [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
            ("\u{3ff}>?", "z78+Pw=="),
        ];
        for (plain, encoded) in pairs {
            assert_eq!(base64(plain.as_bytes()), encoded);
        }
    }

    #[cfg(unix)]
    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    #[cfg(unix)]
    fn a_program_gets_all_of_it_and_what_goes_wrong_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("copied");
        // Longer than a pipe holds.
        let text = "copied text\n".repeat(20_000);
        let script = format!("cat > '{}'", file.display());
        assert_eq!(run(shell(&script), text.clone().into(), PATIENCE), Ok(()));
        assert_eq!(std::fs::read_to_string(file).unwrap(), text);
        let fails = run(shell("cat > /dev/null; exit 3"), b"x".to_vec(), PATIENCE);
        assert_eq!(fails, Err("failed, exit status: 3".to_owned()));
        let hangs = run(shell("exec sleep 600"), text.into(), Duration::from_millis(30));
        assert_eq!(hangs, Err("did not end in time".to_owned()));
        let missing = run(Command::new("no-such-program-anywhere"), Vec::new(), PATIENCE);
        assert_eq!(missing, Err("not installed".to_owned()));
    }

    #[test]
    fn when_no_program_takes_it_the_text_comes_back_with_the_reasons() {
        static NONE: Program = program("no-such-program-anywhere", &[]);
        assert_eq!(
            copy(&[&NONE, &NONE], "text".into()),
            Copied::NotTaken {
                text: "text".into(),
                reason: "no-such-program-anywhere: not installed; no-such-program-anywhere: not installed".into(),
            }
        );
    }

    proptest! {
        #[test]
        fn only_ascii_without_control_characters_is_between_the_marks(text in "(?s).{0,200}") {
            let sent = bytes(&[], &text);
            let inner = sent.strip_prefix("\x1b]52;c;").and_then(|rest| rest.strip_suffix('\x07')).unwrap();
            prop_assert!(inner.bytes().all(|byte| byte.is_ascii_graphic()));
            prop_assert_eq!(inner.len(), text.len().div_ceil(3) * 4);
        }
    }
}
