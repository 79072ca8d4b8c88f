//! What a terminal sends, as keys, pastes and mouse events.
//!
//! The bytes are decoded here and not by crossterm, whose reader waits for an edge of readiness: of a burst longer than
//! its buffer, or of a key that comes together with a change of size, the rest stays unread until the next key. Here a
//! thread reads and blocks, and this pure decoder takes whatever pieces come: cutting the stream differently gives the
//! same inputs.
//!
//! The one ambiguity of the protocol is an escape at the end of a piece: the Escape key, or the beginning of a sequence
//! that a slow line cut in two. It is held back; [`Decoder::timeout`] decides for the key when nothing follows.

use std::time::Duration;

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};

use super::app::Input;
use super::theme::ground::Ground;

/// How long the rest of a sequence may take after an escape; longer, and it is the Escape key.
const ESCAPE_KEY: Duration = Duration::from_millis(30);
/// The same while an answer is awaited.
const ANSWER: Duration = Duration::from_millis(300);
const ESCAPE: u8 = 0x1b;
const PASTE_END: &[u8] = b"\x1b[201~";
/// Longer sequences are none that we know.
const LONGEST: usize = 64;
/// Nor are longer answers.
const LONGEST_ANSWER: usize = 4096;
/// How answers to what we asked begin.
const ANSWERS: [&[u8]; 2] = [b"\x1b]11;", b"\x1b[?"];

#[derive(Debug, Default)]
pub struct Decoder {
    held: Vec<u8>,
    /// What has been pasted so far, while a paste goes on.
    paste: Option<Vec<u8>>,
    /// The terminal was asked something, and has not answered the last question.
    asked: bool,
    /// What was taken for a key because nothing followed for so long, while it could have begun an answer.
    taken: Vec<u8>,
}

/// The beginning of the held bytes.
enum Step {
    /// So many bytes mean this, or nothing.
    Done(usize, Option<Input>),
    /// A paste begins after so many bytes.
    Paste(usize),
    /// So many bytes are the answer to the last question.
    Answered(usize),
    /// It depends on what follows.
    More,
}

impl Decoder {
    /// For a terminal that was asked for its background and for what it is, in this order, if `asked`. Nothing of its
    /// answers is ever taken for keys, but an Escape if the terminal is silent for long right after one.
    #[must_use]
    pub fn new(asked: bool) -> Self {
        Self {
            asked,
            ..Self::default()
        }
    }

    /// How long to wait for what follows before [`Self::timeout`]: an answer may come slowly.
    #[must_use]
    pub fn patience(&self) -> Duration {
        if self.asked { ANSWER } else { ESCAPE_KEY }
    }

    /// Takes more bytes, and returns what is complete.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<Input> {
        self.held.extend_from_slice(bytes);
        if !self.taken.is_empty() {
            let whole = [self.taken.as_slice(), &self.held].concat();
            if ANSWERS.iter().any(|answer| whole.starts_with(answer)) {
                self.held = whole;
            } else if ANSWERS.iter().any(|answer| answer.starts_with(&whole)) {
                return Vec::new();
            }
            self.taken.clear();
        }
        let mut inputs = Vec::new();
        let mut at = 0;
        loop {
            if let Some(paste) = &mut self.paste {
                let rest = &self.held[at..];
                let Some(end) = rest.windows(PASTE_END.len()).position(|window| window == PASTE_END) else {
                    let keep = rest.len().min(PASTE_END.len() - 1);
                    paste.extend_from_slice(&rest[..rest.len() - keep]);
                    at = self.held.len() - keep;
                    break;
                };
                paste.extend_from_slice(&rest[..end]);
                inputs.push(Input::Paste(String::from_utf8_lossy(paste).into_owned()));
                self.paste = None;
                at += end + PASTE_END.len();
                continue;
            }
            match step(&self.held[at..]) {
                Step::Done(used, input) => {
                    at += used;
                    inputs.extend(input);
                }
                Step::Paste(used) => {
                    at += used;
                    self.paste = Some(Vec::new());
                }
                Step::Answered(used) => {
                    at += used;
                    self.asked = false;
                }
                Step::More => break,
            }
        }
        self.held.drain(..at);
        inputs
    }

    /// Whether something is held back that [`Self::timeout`] would decide.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        let answer =
            self.held.starts_with(b"\x1b]") && self.held.len() > 2 || self.asked && self.held.starts_with(b"\x1b[?");
        self.paste.is_none() && !self.held.is_empty() && self.taken.is_empty() && !answer
    }

    /// Nothing follows: an escape is the key, with Alt if a character had begun; the rest means nothing.
    pub fn timeout(&mut self) -> Vec<Input> {
        if !self.is_waiting() {
            return Vec::new();
        }
        let held = std::mem::take(&mut self.held);
        if self.asked && ANSWERS.iter().any(|answer| answer.starts_with(&held)) {
            self.taken.clone_from(&held);
        }
        match held.as_slice() {
            [ESCAPE] => vec![key(KeyCode::Esc, KeyModifiers::NONE)],
            [ESCAPE, b'[' | b']'] if self.asked => Vec::new(),
            [ESCAPE, c @ (b'[' | b']' | b'O')] => vec![key(KeyCode::Char(char::from(*c)), KeyModifiers::ALT)],
            _ => Vec::new(),
        }
    }
}

fn key(code: KeyCode, modifiers: KeyModifiers) -> Input {
    Input::Key(KeyEvent::new(code, modifiers))
}

fn step(bytes: &[u8]) -> Step {
    match bytes {
        [] | [ESCAPE] => Step::More,
        [ESCAPE, ESCAPE, ..] => Step::Done(1, Some(key(KeyCode::Esc, KeyModifiers::NONE))),
        [ESCAPE, b'[', rest @ ..] => sequence(rest),
        [ESCAPE, b']', rest @ ..] => answer(rest),
        [ESCAPE, b'O', rest @ ..] => match rest.first() {
            None => Step::More,
            Some(&last) => Step::Done(3, named(last).map(|code| key(code, KeyModifiers::NONE))),
        },
        [ESCAPE, rest @ ..] => match character(rest) {
            None => Step::More,
            Some((used, Some((code, modifiers)))) => {
                Step::Done(used + 1, Some(key(code, modifiers | KeyModifiers::ALT)))
            }
            Some((used, None)) => Step::Done(used + 1, None),
        },
        _ => match character(bytes) {
            None => Step::More,
            Some((used, found)) => Step::Done(used, found.map(|(code, modifiers)| key(code, modifiers))),
        },
    }
}

/// What follows `ESC ]`: an answer, `11;rgb:…` up to BEL or `ESC \`; or else it was Alt-].
fn answer(bytes: &[u8]) -> Step {
    let alt = Step::Done(2, Some(key(KeyCode::Char(']'), KeyModifiers::ALT)));
    let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    match bytes.get(digits) {
        None if digits < 5 => return Step::More,
        Some(b';') if digits > 0 => {}
        _ => return alt,
    }
    let Some(end) = bytes.iter().position(|&byte| byte < 0x20) else {
        return if bytes.len() > LONGEST_ANSWER {
            Step::Done(2 + bytes.len(), None)
        } else {
            Step::More
        };
    };
    let used = match &bytes[end..] {
        [ESCAPE] => return Step::More,
        [ESCAPE, b'\\', ..] => end + 2,
        [0x07, ..] => end + 1,
        // Whatever it is begins anew.
        _ => end,
    };
    let text = std::str::from_utf8(&bytes[..end]).unwrap_or_default();
    let ground = text.strip_prefix("11;").and_then(Ground::of_answer);
    Step::Done(2 + used, ground.map(Input::Ground))
}

/// A character or a control character, and how many bytes it takes; bytes that are no character mean nothing.
fn character(bytes: &[u8]) -> Option<(usize, Option<(KeyCode, KeyModifiers)>)> {
    let ctrl = |c: u8| Some((KeyCode::Char(char::from(c)), KeyModifiers::CONTROL));
    let plain = |code| Some((code, KeyModifiers::NONE));
    let &first = bytes.first()?;
    let found = match first {
        b'\r' => plain(KeyCode::Enter),
        b'\t' => plain(KeyCode::Tab),
        0x7f => plain(KeyCode::Backspace),
        0 => ctrl(b' '),
        1..=0x1a => ctrl(first - 1 + b'a'),
        0x1b => None,
        0x1c..=0x1e => ctrl(first - 0x1c + b'4'),
        // Ctrl-/ and, on some keyboards, Ctrl-7 are the same.
        0x1f => ctrl(b'_'),
        _ => {
            let length = match first {
                0xc2..=0xdf => 2,
                0xe0..=0xef => 3,
                0xf0..=0xf4 => 4,
                _ => 1,
            };
            let part = &bytes[..length.min(bytes.len())];
            return match std::str::from_utf8(part) {
                Ok(text) => Some((length, text.chars().next().and_then(|c| plain(KeyCode::Char(c))))),
                Err(error) if error.error_len().is_none() => None,
                Err(error) => Some((error.error_len().unwrap_or(1), None)),
            };
        }
    };
    Some((1, found))
}

/// What follows `ESC [`.
fn sequence(bytes: &[u8]) -> Step {
    if let [b'[', rest @ ..] = bytes {
        // The Linux console sends F1 to F5 as `ESC [ [ A` to `E`.
        return match rest.first() {
            None => Step::More,
            Some(&last @ b'A'..=b'E') => Step::Done(4, Some(key(KeyCode::F(last - b'A' + 1), KeyModifiers::NONE))),
            Some(_) => Step::Done(4, None),
        };
    }
    let Some(end) = bytes.iter().position(|byte| !(0x20..=0x3f).contains(byte)) else {
        return if bytes.len() > LONGEST {
            Step::Done(2 + bytes.len(), None)
        } else {
            Step::More
        };
    };
    let last = bytes[end];
    let used = 2 + end + 1;
    if !(0x40..=0x7e).contains(&last) {
        // Not the end of a sequence: whatever it is begins anew.
        return Step::Done(used - 1, None);
    }
    if let Some(mouse) = bytes[..end].strip_prefix(b"<") {
        return Step::Done(used, mouse_event(&numbers(mouse), last));
    }
    let numbers = numbers(&bytes[..end]);
    let number = |index: usize| numbers.get(index).copied().unwrap_or(0);
    if last == b'c' && bytes.starts_with(b"?") {
        return Step::Answered(used);
    }
    if last == b'~' && number(0) == 200 {
        return Step::Paste(used);
    }
    if end == 0 && matches!(last, b'I' | b'O') {
        return Step::Done(used, Some(Input::Focus(last == b'I')));
    }
    let code = match last {
        b'~' => numbered(number(0)),
        b'u' => char::from_u32(u32::from(number(0))).and_then(unicode),
        // A cursor report looks like a modified F3; nobody asks for either.
        b'R' => None,
        _ => named(last),
    };
    Step::Done(used, code.map(|code| key(code, modifiers(number(1)))))
}

fn numbers(bytes: &[u8]) -> Vec<u16> {
    let number = |part: &[u8]| {
        std::str::from_utf8(part)
            .ok()
            .and_then(|text| text.parse().ok())
            .unwrap_or(0)
    };
    bytes.split(|byte| *byte == b';').map(number).collect()
}

/// The second parameter of a key is 1 and a bit for each modifier.
fn modifiers(parameter: u16) -> KeyModifiers {
    let bits = parameter.saturating_sub(1);
    let mut modifiers = KeyModifiers::NONE;
    for (bit, modifier) in [
        (1, KeyModifiers::SHIFT),
        (2, KeyModifiers::ALT),
        (4, KeyModifiers::CONTROL),
    ] {
        if bits & bit != 0 {
            modifiers |= modifier;
        }
    }
    modifiers
}

fn named(last: u8) -> Option<KeyCode> {
    Some(match last {
        b'A' => KeyCode::Up,
        b'B' => KeyCode::Down,
        b'C' => KeyCode::Right,
        b'D' => KeyCode::Left,
        b'H' => KeyCode::Home,
        b'F' => KeyCode::End,
        b'Z' => KeyCode::BackTab,
        b'M' => KeyCode::Enter,
        b'P'..=b'S' => KeyCode::F(last - b'P' + 1),
        _ => return None,
    })
}

fn numbered(number: u16) -> Option<KeyCode> {
    Some(match number {
        1 | 7 => KeyCode::Home,
        2 => KeyCode::Insert,
        3 => KeyCode::Delete,
        4 | 8 => KeyCode::End,
        5 => KeyCode::PageUp,
        6 => KeyCode::PageDown,
        11..=15 => KeyCode::F((number - 10) as u8),
        17..=21 => KeyCode::F((number - 11) as u8),
        23 | 24 => KeyCode::F((number - 12) as u8),
        _ => return None,
    })
}

fn unicode(c: char) -> Option<KeyCode> {
    match c {
        '\r' => Some(KeyCode::Enter),
        '\t' => Some(KeyCode::Tab),
        '\u{1b}' => Some(KeyCode::Esc),
        '\u{7f}' => Some(KeyCode::Backspace),
        c if c.is_control() => None,
        c => Some(KeyCode::Char(c)),
    }
}

/// The left button and the wheel; `buttons; column; row`, from 1. Other buttons, and motion without one, mean nothing.
fn mouse_event(numbers: &[u16], last: u8) -> Option<Input> {
    const MOTION: u16 = 32;
    let &[buttons, column, row] = numbers else {
        return None;
    };
    let kind = match (buttons & !0b1_1100, last) {
        (0, b'M') => MouseEventKind::Down(MouseButton::Left),
        (0 | MOTION, b'm') => MouseEventKind::Up(MouseButton::Left),
        (MOTION, b'M') => MouseEventKind::Drag(MouseButton::Left),
        (64, b'M') => MouseEventKind::ScrollUp,
        (65, b'M') => MouseEventKind::ScrollDown,
        (66, b'M') => MouseEventKind::ScrollLeft,
        (67, b'M') => MouseEventKind::ScrollRight,
        _ => return None,
    };
    Some(Input::Mouse(MouseEvent {
        kind,
        column: column.saturating_sub(1),
        row: row.saturating_sub(1),
        // Shift, Alt and Ctrl are 4, 8 and 16 here; of a key 1, 2 and 4, and 1 more.
        modifiers: modifiers(((buttons >> 2) & 0b111) + 1),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decode(bytes: &[u8]) -> Vec<Input> {
        let mut decoder = Decoder::default();
        let mut inputs = decoder.feed(bytes);
        inputs.extend(decoder.timeout());
        inputs
    }

    fn keys(bytes: &[u8]) -> Vec<(KeyCode, KeyModifiers)> {
        decode(bytes)
            .into_iter()
            .map(|input| match input {
                Input::Key(key) => (key.code, key.modifiers),
                other => panic!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn known_keys() {
        use KeyCode as K;
        const NONE: KeyModifiers = KeyModifiers::NONE;
        const ALT: KeyModifiers = KeyModifiers::ALT;
        const CTRL: KeyModifiers = KeyModifiers::CONTROL;
        let cases: &[(&str, KeyCode, KeyModifiers)] = &[
            ("a", K::Char('a'), NONE),
            ("你", K::Char('你'), NONE),
            ("\r", K::Enter, NONE),
            ("\n", K::Char('j'), CTRL),
            ("\t", K::Tab, NONE),
            ("\x7f", K::Backspace, NONE),
            ("\x03", K::Char('c'), CTRL),
            ("\x1b", K::Esc, NONE),
            ("\x1b\r", K::Enter, ALT),
            ("\x1b\x7f", K::Backspace, ALT),
            ("\x1bb", K::Char('b'), ALT),
            ("\x1b[", K::Char('['), ALT),
            ("\x1b[A", K::Up, NONE),
            ("\x1bOB", K::Down, NONE),
            ("\x1b[1;5H", K::Home, CTRL),
            ("\x1b[1;3C", K::Right, ALT),
            ("\x1b[F", K::End, NONE),
            ("\x1b[4~", K::End, NONE),
            ("\x1b[3~", K::Delete, NONE),
            ("\x1b[5;5~", K::PageUp, CTRL),
            ("\x1b[Z", K::BackTab, NONE),
            ("\x1bOP", K::F(1), NONE),
            ("\x1b[11~", K::F(1), NONE),
            ("\x1b[[A", K::F(1), NONE),
            ("\x1b[24~", K::F(12), NONE),
            ("\x1b[13;2u", K::Enter, KeyModifiers::SHIFT),
        ];
        for &(bytes, code, modifiers) in cases {
            assert_eq!(keys(bytes.as_bytes()), [(code, modifiers)], "{bytes:?}");
        }
    }

    #[test]
    fn reports_and_rubbish_mean_nothing() {
        for bytes in [
            "\x1b[?62;22c",
            "\x1b[12;40R",
            "\x1b[<35;3;4M",
            "\x1b[<2;3;4M",
            "\x1b[<0;3M",
            "\x1b[1I",
            "\x1b[99~",
        ] {
            assert_eq!(decode(bytes.as_bytes()), [], "{bytes:?}");
        }
        assert_eq!(
            keys(b"\xff\xc3(a"),
            [
                (KeyCode::Char('('), KeyModifiers::NONE),
                (KeyCode::Char('a'), KeyModifiers::NONE)
            ]
        );
        assert_eq!(keys(b"\x1b[1\x1b[A"), [(KeyCode::Up, KeyModifiers::NONE)]);
    }

    #[test]
    fn the_mouse() {
        use MouseEventKind as M;
        const LEFT: MouseButton = MouseButton::Left;
        const SHIFT: KeyModifiers = KeyModifiers::SHIFT;
        let event = |kind, column, row, modifiers| {
            Input::Mouse(MouseEvent {
                kind,
                column,
                row,
                modifiers,
            })
        };
        let plain = |kind, column, row| event(kind, column, row, KeyModifiers::NONE);
        assert_eq!(
            decode(b"\x1b[<0;300;4M\x1b[<32;299;5M\x1b[<0;299;5m\x1b[<64;1;1M\x1b[<65;1;1M\x1b[<66;1;1M\x1b[<67;1;1M"),
            [
                plain(M::Down(LEFT), 299, 3),
                plain(M::Drag(LEFT), 298, 4),
                plain(M::Up(LEFT), 298, 4),
                plain(M::ScrollUp, 0, 0),
                plain(M::ScrollDown, 0, 0),
                plain(M::ScrollLeft, 0, 0),
                plain(M::ScrollRight, 0, 0),
            ]
        );
        assert_eq!(
            decode(b"\x1b[<4;2;3M\x1b[<36;2;3M\x1b[<4;2;3m\x1b[<24;2;3M\x1b[<81;2;3M"),
            [
                event(M::Down(LEFT), 1, 2, SHIFT),
                event(M::Drag(LEFT), 1, 2, SHIFT),
                event(M::Up(LEFT), 1, 2, SHIFT),
                event(M::Down(LEFT), 1, 2, KeyModifiers::ALT | KeyModifiers::CONTROL),
                event(M::ScrollDown, 1, 2, KeyModifiers::CONTROL),
            ]
        );
    }

    #[test]
    fn the_terminal_says_whether_it_is_looked_at() {
        assert_eq!(decode(b"\x1b[I\x1b[O"), [Input::Focus(true), Input::Focus(false)]);
    }

    const ANSWER_TEXT: &[u8] = b"\x1b]11;rgb:fafa/f8f8/f3f3\x1b\\\x1b[?64;1;22c";

    #[test]
    fn the_ground_is_told_by_the_terminal() {
        for end in ["\x1b\\", "\x07"] {
            let text = format!("a\x1b]11;rgb:1b1b/1f1f/2a2a{end}b");
            let [a, b] = ['a', 'b'].map(|c| key(KeyCode::Char(c), KeyModifiers::NONE));
            assert_eq!(decode(text.as_bytes()), [a, Input::Ground(Ground::Dark), b]);
        }
        // Others and broken ones mean nothing.
        for text in [
            "\x1b]10;rgb:0/0/0\x07",
            "\x1b]11;rgb:0/0\x07",
            "\x1b]52;c;aGk=\x1b\\",
            "\x1b]11;\u{e4}\x07",
        ] {
            assert_eq!(decode(text.as_bytes()), [], "{text:?}");
        }
        assert_eq!(
            keys(b"\x1b]x"),
            [
                (KeyCode::Char(']'), KeyModifiers::ALT),
                (KeyCode::Char('x'), KeyModifiers::NONE)
            ]
        );
        assert_eq!(keys(b"\x1b]"), [(KeyCode::Char(']'), KeyModifiers::ALT)]);
        assert_eq!(keys(b"\x1b]11;rgb\r"), [(KeyCode::Enter, KeyModifiers::NONE)]);
    }

    #[test]
    fn no_part_of_an_answer_is_a_key_however_late_it_comes() {
        let cuts: Vec<_> = (0..=ANSWER_TEXT.len()).collect();
        for &first in &cuts {
            for &second in &cuts[first..] {
                let mut decoder = Decoder::new(true);
                let mut inputs = Vec::new();
                for piece in [
                    &ANSWER_TEXT[..first],
                    &ANSWER_TEXT[first..second],
                    &ANSWER_TEXT[second..],
                ] {
                    inputs.extend(decoder.feed(piece));
                    // Nothing for a long time.
                    inputs.extend(decoder.timeout());
                }
                // Right after an escape, it looks like the key.
                let escape = key(KeyCode::Esc, KeyModifiers::NONE);
                inputs.retain(|input| *input != escape);
                assert_eq!(inputs, [Input::Ground(Ground::Light)], "{first} {second}");
                assert!(!decoder.asked && !decoder.is_waiting());
                assert_eq!(decoder.feed(b"a"), [key(KeyCode::Char('a'), KeyModifiers::NONE)]);
            }
        }
    }

    #[test]
    fn a_terminal_that_never_answers_loses_no_key() {
        let mut decoder = Decoder::new(true);
        assert_eq!(decoder.feed(b"\x1b"), []);
        assert_eq!(decoder.timeout(), [key(KeyCode::Esc, KeyModifiers::NONE)]);
        assert_eq!(decoder.feed(b"x"), [key(KeyCode::Char('x'), KeyModifiers::NONE)]);
        decoder.feed(b"\x1b");
        decoder.timeout();
        let mut typed = decoder.feed(b"[");
        typed.extend(decoder.feed(b"y"));
        let [bracket, y] = ['[', 'y'].map(|c| key(KeyCode::Char(c), KeyModifiers::NONE));
        assert_eq!(typed, [bracket, y]);
    }

    #[test]
    fn a_paste_is_one_input_whatever_is_in_it() {
        assert_eq!(
            decode(b"a\x1b[200~x\r\x1b[A\x1b[20\x1b[201~b"),
            [
                key(KeyCode::Char('a'), KeyModifiers::NONE),
                Input::Paste("x\r\x1b[A\x1b[20".into()),
                key(KeyCode::Char('b'), KeyModifiers::NONE),
            ]
        );
    }

    proptest! {
        #[test]
        fn cutting_the_stream_changes_nothing(
            pieces in prop::collection::vec(prop_oneof![
                prop::sample::select(vec![
                    "a", "你", "\r", "\x1b", "\x1b[A", "\x1b[1;5C", "\x1b[200~", "\x1b[201~", "\x1b[<64;10;20M", "\x1b[<36;1;2M", "\x1b[I", "\x1b[O",
                    "\x1bOP", "[", "~",
                ]).prop_map(|text| text.as_bytes().to_vec()),
                any::<[u8; 2]>().prop_map(|bytes| bytes.to_vec()),
            ], 0..30),
            cuts in prop::collection::vec(0usize..200, 0..30),
        ) {
            let whole = pieces.concat();
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(whole.len())).collect();
            cuts.push(whole.len());
            cuts.sort_unstable();
            let mut decoder = Decoder::default();
            let mut inputs = Vec::new();
            let mut from = 0;
            for to in cuts {
                inputs.extend(decoder.feed(&whole[from..to]));
                from = to;
            }
            inputs.extend(decoder.timeout());
            prop_assert_eq!(inputs, decode(&whole));
        }
    }
}
