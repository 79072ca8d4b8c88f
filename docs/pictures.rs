//! Draws the pictures of the guide: `cargo run --example pictures`.
//!
//! The session `eighty-days`, which comes with the program, is told to the application without a terminal; what it draws is
//! written to `docs/pictures/`, as SVG and, at 80x24, as text. The same program draws the same pictures.
#![allow(clippy::unwrap_used, reason = "a tool for whoever works on the program")]

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::time::Duration;

use ratatui::buffer::{Buffer, Cell};
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::layout::Position;
use ratatui::style::{Color, Modifier};
use thunderhead::session::{Record, shipped};
use thunderhead::tui::{Offscreen, Theme};
use unicode_width::UnicodeWidthStr;

const SESSION: &str = "eighty-days";
/// Pixels of a cell, and of what stands in it.
const CELL: (f32, f32) = (8.4, 18.0);
const FONT: u16 = 14;
const BASELINE: f32 = 13.5;
const MARGIN: f32 = 10.0;

struct Picture {
    name: &'static str,
    theme: &'static str,
    size: (u16, u16),
    /// How much of the session has come.
    until: Duration,
    keys: &'static [(KeyModifiers, &'static str)],
}

const PICTURES: &[Picture] = &[
    Picture {
        name: "thinking",
        theme: "storm",
        size: (160, 45),
        until: Duration::from_mins(10),
        keys: &[(KeyModifiers::ALT, "3")],
    },
    Picture {
        name: "answer",
        theme: "daylight",
        size: (100, 30),
        until: Duration::from_secs(2738),
        keys: &[],
    },
    Picture {
        name: "ledger",
        theme: "storm",
        size: (120, 30),
        until: Duration::MAX,
        keys: &[(KeyModifiers::CONTROL, "x"), (KeyModifiers::NONE, "l")],
    },
    Picture {
        name: "compare",
        theme: "storm",
        size: (120, 30),
        until: Duration::MAX,
        keys: &[(KeyModifiers::CONTROL, "x"), (KeyModifiers::NONE, "m")],
    },
    Picture {
        name: "search",
        theme: "storm",
        size: (80, 24),
        until: Duration::from_secs(2738),
        keys: &[
            (KeyModifiers::CONTROL, "x"),
            (KeyModifiers::NONE, "/twenty thousand pounds"),
        ],
    },
];

fn main() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/pictures");
    fs::create_dir_all(&folder).unwrap();
    for picture in PICTURES {
        let (mut application, _) = played(picture, picture.size);
        let (frame, cursor) = application.draw();
        fs::write(folder.join(picture.name).with_extension("svg"), svg(frame, cursor)).unwrap();
        let (mut application, _) = played(picture, (80, 24));
        fs::write(
            folder.join(picture.name).with_extension("txt"),
            text(application.draw().0),
        )
        .unwrap();
    }
}

/// The application in the state of a picture.
fn played(picture: &Picture, (width, height): (u16, u16)) -> (Offscreen, Duration) {
    let theme = Theme::built_in(picture.theme).unwrap();
    let mut application = Offscreen::new("generated", theme, width, height);
    let mut now = Duration::ZERO;
    let record = Record::parse(SESSION, shipped(SESSION).unwrap().as_bytes()).unwrap();
    for (at, event) in record.events.into_iter().take_while(|(at, _)| *at <= picture.until) {
        now = at;
        application.event(now, event);
    }
    for &(modifiers, keys) in picture.keys {
        for key in keys.chars() {
            now += Duration::from_millis(100);
            application.key(now, KeyEvent::new(KeyCode::Char(key), modifiers));
        }
    }
    // What is in view first asks for its colours when it is drawn.
    application.draw();
    application.settle(now);
    (application, now)
}

fn text(frame: &Buffer) -> String {
    let rows = frame.area.rows().map(|row| {
        let cells = runs(frame, row.y).into_iter().fold(String::new(), |mut line, run| {
            line += &run.text;
            line
        });
        cells.trim_end().to_owned() + "\n"
    });
    rows.collect()
}

/// Cells that stand beside each other and look alike.
struct Run {
    x: u16,
    width: u16,
    text: String,
    look: Look,
}

#[derive(Clone, Copy, PartialEq)]
struct Look {
    ink: Color,
    paper: Color,
    modifiers: Modifier,
}

impl Look {
    fn of(cell: &Cell) -> Self {
        let (ink, paper) = if cell.modifier.contains(Modifier::REVERSED) {
            (cell.bg, cell.fg)
        } else {
            (cell.fg, cell.bg)
        };
        Self {
            ink,
            paper,
            modifiers: cell.modifier - Modifier::REVERSED,
        }
    }

    fn css(self) -> String {
        let mut css = format!("fill:{}", hex(self.ink));
        for (modifier, rule) in [
            (Modifier::BOLD, ";font-weight:bold"),
            (Modifier::ITALIC, ";font-style:italic"),
            (Modifier::UNDERLINED, ";text-decoration:underline"),
            (Modifier::CROSSED_OUT, ";text-decoration:line-through"),
            (Modifier::DIM, ";opacity:.6"),
        ] {
            if self.modifiers.contains(modifier) {
                css += rule;
            }
        }
        css
    }
}

/// The themes of the pictures have colours of their own for everything.
fn hex(colour: Color) -> String {
    match colour {
        Color::Rgb(red, green, blue) => format!("#{red:02x}{green:02x}{blue:02x}"),
        other => panic!("{other} is a colour of the terminal"),
    }
}

fn runs(frame: &Buffer, y: u16) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    let mut x = frame.area.left();
    while x < frame.area.right() {
        let cell = &frame[(x, y)];
        let width = cell.symbol().width().max(1) as u16;
        let look = Look::of(cell);
        match runs.last_mut() {
            Some(run) if run.look == look => {
                run.text += cell.symbol();
                run.width += width;
            }
            _ => runs.push(Run {
                x,
                width,
                text: cell.symbol().to_owned(),
                look,
            }),
        }
        x += width;
    }
    runs
}

fn svg(frame: &Buffer, cursor: Option<Position>) -> String {
    let area = frame.area;
    let (width, height) = (
        f32::from(area.width) * CELL.0 + 2.0 * MARGIN,
        f32::from(area.height) * CELL.1 + 2.0 * MARGIN,
    );
    let paper = Look::of(&frame[(0, 0)]).paper;
    let mut looks: Vec<Look> = Vec::new();
    let (mut papers, mut texts) = (String::new(), String::new());
    for y in area.top()..area.bottom() {
        for run in runs(frame, y) {
            let (left, top) = (across(run.x), MARGIN + f32::from(y) * CELL.1);
            if run.look.paper != paper {
                let _ = writeln!(
                    papers,
                    r#"<rect x="{left:.1}" y="{top:.1}" width="{:.1}" height="{:.1}" fill="{}"/>"#,
                    f32::from(run.width) * CELL.0,
                    CELL.1,
                    hex(run.look.paper)
                );
            }
            let begin = run.text.len() - run.text.trim_start().len();
            let shown = run.text.trim();
            if shown.is_empty() {
                continue;
            }
            let class = looks.iter().position(|look| *look == run.look).unwrap_or_else(|| {
                looks.push(run.look);
                looks.len() - 1
            });
            let _ = writeln!(
                texts,
                r#"<text x="{:.1}" y="{:.1}" textLength="{:.1}" class="s{class}">{}</text>"#,
                left + begin as f32 * CELL.0,
                top + BASELINE,
                shown.width() as f32 * CELL.0,
                escaped(shown)
            );
        }
    }
    let styles = looks.iter().enumerate().fold(String::new(), |mut out, (class, look)| {
        let _ = write!(out, ".s{class}{{{}}}", look.css());
        out
    });
    let cursor = cursor.map_or_else(String::new, |at| {
        format!(
            "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"{}\" opacity=\".5\"/>\n",
            across(at.x),
            MARGIN + f32::from(at.y) * CELL.1,
            CELL.0,
            CELL.1,
            hex(frame[at].fg)
        )
    });
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" \
         height=\"{height:.0}\" xml:space=\"preserve\" font-family=\"'DejaVu Sans Mono',Menlo,Consolas,monospace\" \
         font-size=\"{FONT}\">\n<style>text{{white-space:pre}}{styles}</style>\n<rect width=\"100%\" height=\"100%\" rx=\"6\" \
         fill=\"{}\"/>\n{papers}{cursor}{texts}</svg>\n",
        hex(paper)
    )
}

fn across(x: u16) -> f32 {
    MARGIN + f32::from(x) * CELL.0
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
