//! What a terminal shows after any course of events is what was drawn: no glyph is lost, doubled or left behind.
//!
//! The application is driven with whatever comes in whatever order, its frames go through the escape sequences that would go
//! to a terminal, and what an emulator makes of them is compared with the frame, cell by cell, with colours and all.

use std::num::NonZeroU16;

use proptest::prelude::*;
use ratatui::buffer::Cell;
use ratatui::style::{Color, Modifier};

use super::super::app::Input;
use super::super::app::tests::any_order::any_input;
use super::super::app::tests::rig::Rig;
use super::super::theme::Theme;
use super::*;

fn colour(colour: Color) -> vt100::Color {
    use Color::{
        Black, Blue, Cyan, DarkGray, Gray, Green, Indexed, LightBlue, LightCyan, LightGreen, LightMagenta, LightRed,
        LightYellow, Magenta, Red, Reset, Rgb, White, Yellow,
    };
    let sixteen = [
        Black,
        Red,
        Green,
        Yellow,
        Blue,
        Magenta,
        Cyan,
        Gray,
        DarkGray,
        LightRed,
        LightGreen,
        LightYellow,
        LightBlue,
        LightMagenta,
        LightCyan,
        White,
    ];
    match colour {
        Reset => vt100::Color::Default,
        Rgb(red, green, blue) => vt100::Color::Rgb(red, green, blue),
        Indexed(index) => vt100::Color::Idx(index),
        named => vt100::Color::Idx(
            sixteen
                .iter()
                .position(|&known| known == named)
                .expect("sixteen have names") as u8,
        ),
    }
}

/// The emulator takes this character for a sign of broken text, and leaves it out.
const UNKNOWN: &str = "\u{fffd}";
const KNOWN: &str = "?";

/// What makes two cells look different.
#[derive(Debug, PartialEq)]
struct Look {
    text: String,
    fg: vt100::Color,
    bg: vt100::Color,
    /// Bold or dim; the emulator cannot show both at once.
    weighed: bool,
    italic: bool,
    underlined: bool,
    reversed: bool,
}

impl Look {
    /// Nothing is written in an empty cell: only what shows without it makes a difference.
    fn visible(self) -> Self {
        if !self.text.is_empty() {
            return self;
        }
        let shows = self.underlined || self.reversed;
        Self {
            fg: if shows { self.fg } else { vt100::Color::Default },
            weighed: shows && self.weighed,
            italic: false,
            ..self
        }
    }
}

fn drawn(cell: &Cell) -> Look {
    let has = |modifier| cell.modifier.contains(modifier);
    Look {
        text: cell.symbol().trim_end().replace(UNKNOWN, KNOWN),
        fg: colour(cell.fg),
        bg: colour(cell.bg),
        weighed: has(Modifier::BOLD) || has(Modifier::DIM),
        italic: has(Modifier::ITALIC),
        underlined: has(Modifier::UNDERLINED),
        reversed: has(Modifier::REVERSED),
    }
}

fn shown(cell: &vt100::Cell) -> Look {
    Look {
        text: cell.contents().trim_end().to_owned(),
        fg: cell.fgcolor(),
        bg: cell.bgcolor(),
        weighed: cell.bold() || cell.dim(),
        italic: cell.italic(),
        underlined: cell.underline(),
        reversed: cell.inverse(),
    }
}

/// The first cell where the terminal shows something else than what was drawn.
fn difference(drawn_frame: &Buffer, terminal: &vt100::Screen) -> Option<String> {
    drawn_frame.area.positions().find_map(|at| {
        let there = terminal.cell(at.y, at.x)?;
        if there.is_wide_continuation() {
            return None;
        }
        let (drawn, shown) = (drawn(&drawn_frame[at]).visible(), shown(there).visible());
        (drawn != shown).then(|| format!("at {at}: drawn {drawn:?}, shown {shown:?}"))
    })
}

/// Whether the emulator puts this cluster into one place: it knows only the commonest marks.
fn is_plain(cluster: &str) -> bool {
    cluster.chars().skip(1).all(|c| ('\u{300}'..='\u{36f}').contains(&c))
}

fn cells(number: u16) -> NonZeroU16 {
    NonZeroU16::new(number).expect("a terminal has cells")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn the_terminal_shows_what_was_drawn(
        inputs in prop::collection::vec((any_input(), 0usize..4), 1..120),
        width in 1u16..130,
        height in 1u16..30,
        theme in prop::sample::select(vec!["terminal", "storm", "mono"]),
    ) {
        let mut rig = Rig::new(width, height);
        rig.app.setup.theme = Theme::built_in(theme).expect("it is built in");
        let mut screen = Screen::new(Vec::new(), false, true, true, Size { width, height }).expect("memory can be written");
        let mut terminal = vt100::Parser::new(cells(height), cells(width), 0);
        for (input, skip) in inputs {
            rig.now += std::time::Duration::from_millis(40);
            if let Input::Resize(Size { width, height }) = input {
                // A terminal without a cell is none.
                let size = Size { width: width.max(1), height: height.max(1) };
                terminal.screen_mut().set_size(cells(size.height), cells(size.width));
                screen.resize(size);
                rig.input(Input::Resize(size));
            } else {
                rig.input(input);
            }
            // Several inputs may come between two frames.
            if skip > 1 {
                continue;
            }
            let mut frame = Buffer::empty(rig.buffer().area);
            screen.draw(|area, buf| {
                let cursor = rig.app.draw(area, buf);
                frame = buf.clone();
                cursor
            }).expect("memory can be written");
            if frame.content.iter().any(|cell| !is_plain(cell.symbol())) {
                return Ok(());
            }
            let bytes = String::from_utf8(std::mem::take(&mut screen.out)).expect("what is drawn is text");
            terminal.process(bytes.replace(UNKNOWN, KNOWN).as_bytes());
            let difference = difference(&frame, terminal.screen());
            prop_assert_eq!(difference, None);
        }
    }
}
