//! What the terminal gets, as an emulator understands it.

use std::num::NonZeroU16;

use ratatui::style::{Color, Style};

use super::super::text::print;
use super::*;

fn emulator(rows: u16, columns: u16) -> vt100::Parser {
    vt100::Parser::new(NonZeroU16::new(rows).unwrap(), NonZeroU16::new(columns).unwrap(), 0)
}

/// A screen whose output is kept, and what came since the last look.
struct Rig {
    screen: Screen<Vec<u8>>,
    terminal: vt100::Parser,
    /// The emulator knows nothing of this mode.
    reports_focus: bool,
}

impl Rig {
    fn new(width: u16, height: u16) -> Self {
        let mut rig = Self {
            screen: Screen::new(Vec::new(), false, true, true, Size { width, height }).unwrap(),
            terminal: emulator(height, width),
            reports_focus: false,
        };
        rig.terminal.process(b"the shell's text");
        rig.look();
        rig
    }

    fn look(&mut self) -> Vec<u8> {
        let bytes = std::mem::take(&mut self.screen.out);
        self.terminal.process(&bytes);
        for (mode, reports) in [(b"\x1b[?1004h", true), (b"\x1b[?1004l", false)] {
            if bytes.windows(mode.len()).any(|window| window == mode) {
                self.reports_focus = reports;
            }
        }
        bytes
    }

    fn draw(&mut self, lines: &[&str], cursor: Option<(u16, u16)>) -> Vec<u8> {
        self.screen
            .draw(|_, buf| {
                for (y, line) in lines.iter().enumerate() {
                    print(buf, 0, y as u16, u16::MAX, line, Style::new().fg(Color::Red));
                }
                cursor.map(Position::from)
            })
            .unwrap();
        self.look()
    }

    fn contents(&self) -> String {
        let contents = self.terminal.screen().contents();
        let lines: Vec<_> = contents.lines().map(str::trim_end).collect();
        lines.join("\n").trim_end().to_owned()
    }
}

#[test]
fn the_terminal_is_taken_and_given_back() {
    let mut rig = Rig::new(30, 4);
    assert!(rig.terminal.screen().alternate_screen());
    assert!(rig.terminal.screen().bracketed_paste());
    assert!(rig.terminal.screen().hide_cursor());
    assert_eq!(
        rig.terminal.screen().mouse_protocol_mode(),
        vt100::MouseProtocolMode::ButtonMotion
    );
    assert!(rig.reports_focus);
    rig.draw(&["hello"], None);
    assert_eq!(rig.contents(), "hello");
    rig.screen.leave().unwrap();
    rig.look();
    let screen = rig.terminal.screen();
    assert!(!screen.alternate_screen() && !screen.bracketed_paste() && !screen.hide_cursor());
    assert!(!rig.reports_focus);
    assert_eq!(screen.mouse_protocol_mode(), vt100::MouseProtocolMode::None);
    assert_eq!(screen.contents(), "the shell's text");
    assert_eq!(screen.fgcolor(), vt100::Color::Default);
    rig.screen.leave().unwrap();
    assert!(rig.look().is_empty(), "given back once only");
}

#[test]
fn the_title_is_set_when_it_changes_and_restored() {
    let mut rig = Rig::new(30, 4);
    let count = |bytes: &[u8], sequence: &[u8]| bytes.windows(sequence.len()).filter(|at| *at == sequence).count();
    for (title, sets) in [("ready", 1), ("ready", 0), ("prefill 1%", 1)] {
        rig.screen.set_title(title);
        let bytes = rig.draw(&["x"], None);
        assert_eq!(count(&bytes, b"\x1b]2;"), sets, "{title}");
    }
    rig.screen.leave().unwrap();
    assert_eq!(count(&rig.look(), RESTORE_TITLE), 1);
    rig.screen.take_again().unwrap();
    rig.screen.set_title("prefill 1%");
    let bytes = rig.draw(&["x"], None);
    assert_eq!((count(&bytes, KEEP_TITLE), count(&bytes, b"\x1b]2;")), (1, 1));
    let mut without = Screen::new(Vec::new(), false, true, false, Size::new(9, 2)).unwrap();
    without.set_title("ready");
    without.draw(|_, _| None).unwrap();
    without.leave().unwrap();
    assert_eq!(count(&without.out, b"\x1b]2;") + count(&without.out, RESTORE_TITLE), 0);
}

#[test]
fn a_frame_is_synchronised_and_minimal() {
    let mut rig = Rig::new(30, 4);
    let first = rig.draw(&["hello", "world"], Some((2, 1)));
    assert!(first.starts_with(b"\x1b[?2026h") && first.ends_with(b"\x1b[?2026l"));
    let second = rig.draw(&["hello", "word!"], Some((2, 1)));
    let text = String::from_utf8(second).unwrap();
    assert!(
        !text.contains("hello") && !text.contains("wor") && text.contains("d!"),
        "{text:?}"
    );
    assert_eq!(rig.contents(), "hello\nword!");
    assert_eq!(rig.terminal.screen().cursor_position(), (1, 2));
    assert!(!rig.terminal.screen().hide_cursor());
    rig.draw(&["hello"], None);
    assert!(rig.terminal.screen().hide_cursor());
    assert_eq!(rig.contents(), "hello");
}

#[test]
fn wide_characters_keep_their_columns() {
    let mut rig = Rig::new(20, 2);
    rig.draw(&["a你好b🙂c"], None);
    rig.draw(&["你a好b"], None);
    assert_eq!(rig.contents(), "你a好b");
    assert_eq!(rig.terminal.screen().cell(0, 3).unwrap().contents(), "好");
}

#[test]
fn a_resize_or_a_request_draws_everything_again() {
    let mut rig = Rig::new(20, 2);
    rig.draw(&["hello"], None);
    rig.terminal.process(b"\x1b[Hgarbage");
    rig.draw(&["hello"], None);
    assert_ne!(rig.contents(), "hello");
    rig.screen.redraw();
    rig.draw(&["hello"], None);
    assert_eq!(rig.contents(), "hello");
    rig.screen.resize(Size::new(4, 1));
    rig.draw(&["hello"], None);
    assert_eq!(rig.contents(), "hell");
}

#[test]
fn half_a_frame_is_never_written() {
    let mut rig = Rig::new(20, 2);
    rig.draw(&["hello"], None);
    let failed = panic::catch_unwind(panic::AssertUnwindSafe(|| {
        rig.screen
            .draw(|_, _| -> Option<Position> { panic::resume_unwind(Box::new("in a frame")) })
    }));
    assert!(failed.is_err());
    assert!(rig.look().is_empty());
}

#[test]
fn the_terminal_is_taken_again_as_it_was() {
    let mut rig = Rig::new(30, 4);
    rig.draw(&["hello"], Some((2, 0)));
    rig.screen.capture_mouse(false).unwrap();
    rig.screen.leave().unwrap();
    rig.look();
    assert_eq!(rig.contents(), "the shell's text");
    rig.screen.take_again().unwrap();
    rig.draw(&["hello"], Some((2, 0)));
    assert_eq!(rig.contents(), "hello");
    let screen = rig.terminal.screen();
    assert!(screen.alternate_screen() && screen.bracketed_paste() && !screen.hide_cursor());
    assert_eq!(screen.mouse_protocol_mode(), vt100::MouseProtocolMode::None);
    rig.screen.leave().unwrap();
    rig.look();
    assert_eq!(rig.contents(), "the shell's text");
}
