//! What the screen looks like, whole: each pane and state, at the sizes people have, beside this file in `snapshots/`.
//!
//! Other tests say what must hold of a frame; these show what a change does to all of them. Read the difference, and take it
//! with `INSTA_UPDATE=always cargo test --lib frames` if it is meant.

use std::fmt::Write;

use ratatui::style::{Color, Style};
use unicode_width::UnicodeWidthStr;

use super::super::super::viewer::testing::pack;
use super::*;
use crate::conversation::{Cause, Planned};

/// The least that is comfortable, the usual one, a window, a whole screen.
const SIZES: &[(u16, u16)] = &[(40, 12), (80, 24), (120, 40), (200, 60)];
/// At this one it is kept what cells look like, too.
const STYLED: (u16, u16) = (80, 24);

/// Compares the frames of a scene at each size with those that are kept.
fn frames(name: &str, scene: fn(&mut Rig)) {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        for &(width, height) in SIZES {
            let mut rig = Rig::new(width, height);
            scene(&mut rig);
            while rig.app.is_working() {
                rig.app.work();
            }
            insta::assert_snapshot!(format!("{name}-{width}x{height}"), picture(&mut rig));
        }
    });
}

/// The cursor and the rows of a frame, and what they look like.
fn picture(rig: &mut Rig) -> String {
    let area = Rect::from((Position::ORIGIN, rig.app.size));
    let mut buf = Buffer::empty(area);
    let cursor = rig.app.draw(area, &mut buf);
    let mut out = match cursor {
        Some(Position { x, y }) => format!("cursor {x},{y}\n"),
        None => "no cursor\n".to_owned(),
    };
    for row in area.rows() {
        let mut line = String::new();
        // A wide glyph stands over the next cell.
        let mut covered = 0;
        for at in row.positions() {
            if covered > 0 {
                covered -= 1;
            } else {
                line += buf[at].symbol();
                covered = buf[at].symbol().width().saturating_sub(1);
            }
        }
        out += line.trim_end();
        out.push('\n');
    }
    if (area.width, area.height) == STYLED {
        styles(&buf, &mut out);
    }
    out
}

/// A letter for each cell, `.` where it is plain, and what the letters mean.
fn styles(buf: &Buffer, out: &mut String) {
    let letters: Vec<char> = ('a'..='z').chain('A'..='Z').collect();
    let mut found: Vec<String> = Vec::new();
    for row in buf.area.rows() {
        let letter = |at| {
            let style = described(buf[at].style());
            if style.is_empty() {
                return '.';
            }
            let known = found.iter().position(|other| *other == style);
            letters[known.unwrap_or_else(|| {
                found.push(style);
                found.len() - 1
            })]
        };
        let line: String = row.positions().map(letter).collect();
        out.push_str(line.trim_end_matches('.'));
        out.push('\n');
    }
    for (letter, style) in letters.iter().zip(&found) {
        let _ = writeln!(out, "{letter}: {style}");
    }
}

fn described(style: Style) -> String {
    let of = |what: &str, colour: Option<Color>| match colour {
        None | Some(Color::Reset) => String::new(),
        Some(colour) => format!("{what}{colour} "),
    };
    let modifiers: Vec<&str> = style.add_modifier.iter_names().map(|(name, _)| name).collect();
    let described = of("", style.fg) + &of("on ", style.bg) + &modifiers.join(" ").to_lowercase();
    described.trim_end().to_owned()
}

/// A few documents, read by the model.
fn loaded(rig: &mut Rig) {
    let lines = |from: usize, to: usize| (from..to).fold(String::new(), |text, n| text + &format!("    step({n});\n"));
    let code = format!(
        "//! Keeps time.\n\npub fn main() {{\n{}    let limit = 1_024; // tokens\n{}}}\n",
        lines(4, 40),
        lines(41, 90)
    );
    let guide = "# Guide\n\nThe limit of a step is *1,024* tokens, whatever its name; 名前 as well. It is read once, when the \
                 application starts, and never again.\n\n## More\n\nNothing.\n";
    let pack = pack(&[("src/main.rs", &code), ("docs/guide.md", guide)]);
    let skipped = vec![
        Skipped::new("logo.png", Exclusion::Image, "an image"),
        Skipped::new(".env", Exclusion::Hidden, "hidden"),
    ];
    rig.event(Event::Documents(Documents {
        files: 2,
        lines: 96,
        tokens: 41_233,
        context_limit: 1_048_576,
        pack,
        skipped,
        ..Documents::default()
    }));
    rig.prefill(41_233, 41_233);
    rig.finish(StopReason::Prefilled);
}

/// Documents in folders, about half of which the model has read.
fn tree(rig: &mut Rig) {
    let files = [
        ("src/main.rs", 1_000),
        ("src/tui/app.rs", 4_000),
        ("src/tui/view.rs", 3_000),
        ("docs/guide.md", 1_500),
        ("README.md", 500),
    ];
    let mut generated = Skipped::new("src/tui/table.rs", Exclusion::Generated, "generated code");
    generated.tokens = Some(2_345);
    rig.pack(
        &files,
        vec![generated, Skipped::new("logo.png", Exclusion::Image, "an image")],
    );
    rig.prefill(5_100, 10_100);
    rig.wait(300);
}

const QUESTION: &str = "What is the limit of a step, and is it the same in the guide?";

/// Tokens of a text, some of which the model was less sure of.
fn tokens(rig: &mut Rig, channel: Channel, text: &str) {
    for piece in text.split_inclusive(' ') {
        rig.now += Duration::from_millis(25);
        let index = rig.decoded;
        rig.decoded += 1;
        let probability = [0.99, 0.97, 0.92, 0.99, 0.7, 0.95, 0.45, 0.98, 0.15, 0.99, 0.85][index % 11];
        rig.event(Event::Token(Token {
            index,
            id: 7,
            text: piece.into(),
            channel,
            probability,
            entropy: 2.0 * (1.0 - probability),
            elapsed: Duration::from_millis(25 * index as u64),
            forced: false,
        }));
    }
}

/// The reply is complete; that may be told by a notification.
fn finish(rig: &mut Rig) {
    let tokens = rig.decoded;
    rig.decoded = 0;
    rig.input(Input::Conversation(Event::Finished(Finished {
        reason: StopReason::EndOfSequence,
        prompt_tokens: 41_300,
        cached_tokens: 41_233,
        thinking_tokens: tokens,
        decode: Duration::from_millis(25 * tokens as u64),
        experts: rig.experts,
        ..Finished::default()
    })));
}

/// One part of a long thought; the third of each five turns.
fn part(rig: &mut Rig, part: usize) {
    let begin = match part % 5 {
        0 => format!("## Part {part} of the plan\n"),
        2 => format!("Wait, that is not what line {} says.\n", part + 40),
        _ => format!("{part}. Look at `step({part})` in src/main.rs:{}.\n", part + 3),
    };
    let body = "It is called with a number, which is never more than the limit; the guide has the same, so far as one can \
                tell from its text alone.\nAnd 名前 is a name like others.\n";
    tokens(
        rig,
        Channel::Thinking,
        &format!("{begin}{}\n", body.repeat(1 + part % 3)),
    );
}

/// A question, and so many parts of the thought about it.
fn thought(rig: &mut Rig, parts: usize) {
    loaded(rig);
    rig.ask(QUESTION);
    rig.question(QUESTION);
    for number in 0..parts {
        part(rig, number);
    }
}

fn thinking(rig: &mut Rig) {
    thought(rig, 13);
}

const ANSWER: &str = "## The limit\n\nIt is **1,024** tokens in *both*, see src/main.rs:40:\n\n\
    ```rust\nlet limit = 1_024; // tokens\n```\n\n\
    1. In the code it is a constant, and nothing changes it while the program runs.\n   - `limit` is its name\n\
    2. [The guide](docs/guide.md) says the same.\n\n\
    | where | limit | said |\n|---|--:|:-:|\n| src/main.rs | 1,024 | once |\n| docs/guide.md | 1,024 | twice, and 名前 |\n\n\
    > whatever its name\n\nSo `they agree`.";

fn cited(rig: &mut Rig, path: &str, line: usize, quote: &str, verdict: Verdict) {
    rig.event(Event::Citation(Citation {
        section: None,
        channel: Channel::Answer,
        path: path.into(),
        line,
        quote: quote.into(),
        verdict,
    }));
}

/// A question with its thought and its answer.
fn answered(rig: &mut Rig) {
    thinking(rig);
    answer(rig);
}

fn answer(rig: &mut Rig) {
    tokens(rig, Channel::Answer, ANSWER);
    cited(
        rig,
        "src/main.rs",
        40,
        "let limit = 1_024; // tokens",
        Verdict::Verified,
    );
    let reason = "the line does not have it".into();
    cited(
        rig,
        "docs/guide.md",
        3,
        "whatever its name is",
        Verdict::Unverified { reason },
    );
    finish(rig);
}

/// Some more questions of other lengths.
fn talked(rig: &mut Rig) {
    answered(rig);
    for (question, parts) in [
        ("And who calls it?", 2),
        ("Is there a test of that,\nor is there none?", 5),
    ] {
        rig.question(question);
        for number in 0..parts {
            part(rig, number);
        }
        tokens(rig, Channel::Answer, "It is `main`, and nobody else.");
        finish(rig);
    }
}

/// Reading a thought that is longer than its window, a little after its beginning, when it was unfolded this often.
fn reading(rig: &mut Rig, unfolded: usize) {
    thought(rig, 60);
    answer(rig);
    rig.key(KeyCode::Esc);
    for _ in 0..unfolded {
        rig.key(KeyCode::Tab);
    }
    type_in(rig, "gg]]]");
    rig.ctrl('d');
    rig.ctrl('d');
}

fn type_in(rig: &mut Rig, keys: &str) {
    for c in keys.chars() {
        rig.key(KeyCode::Char(c));
    }
}

fn leader(rig: &mut Rig, key: char) {
    rig.ctrl('x');
    rig.key(KeyCode::Char(key));
}

fn alt(rig: &mut Rig, key: char) {
    rig.press(KeyCode::Char(key), KeyModifiers::ALT);
}

#[test]
fn beginning() {
    frames("started", |_| {});
    frames("loading", |rig| {
        rig.event(Event::Loading(Loading {
            files: 3,
            total_files: 12,
            tokens: 1_248,
        }));
    });
    frames("prefill", |rig| {
        rig.documents(vec![Skipped::new("a.bin", Exclusion::Binary, "binary"); 7]);
        rig.prefill(12_000, 41_233);
        rig.wait(300);
    });
    frames("ready", loaded);
}

#[test]
fn replies() {
    frames("thinking", thinking);
    frames("answer", answered);
    frames("failed", |rig| {
        answered(rig);
        rig.question("And then?");
        rig.event(Event::Failed {
            message:
                "the question and the documents are 1,060,000 tokens, 11,424 more than the context has: unload some \
                      documents"
                    .into(),
        });
    });
    frames("raw", |rig| {
        answered(rig);
        leader(rig, '.');
    });
}

#[test]
fn thoughts() {
    frames("thought-folded", |rig| reading(rig, 0));
    frames("thought-window", |rig| reading(rig, 1));
    frames("thought-full", |rig| reading(rig, 2));
    frames("thought-segments", |rig| {
        reading(rig, 2);
        type_in(rig, "zM}");
    });
    frames("heat", |rig| {
        reading(rig, 2);
        leader(rig, 'h');
    });
    frames("inspector", |rig| {
        reading(rig, 2);
        alt(rig, '3');
    });
    frames("inspector-experts", |rig| {
        rig.experts = CardExperts {
            asked: 34_752,
            there: 28_844,
            places: 210,
            all: 512,
        };
        reading(rig, 2);
        alt(rig, '3');
    });
    frames("inspector-over", |rig| {
        reading(rig, 2);
        leader(rig, 'o');
    });
    frames("ledger", |rig| {
        talked(rig);
        leader(rig, 'l');
    });
}

#[test]
fn comparing() {
    frames("compare", |rig| {
        talked(rig);
        leader(rig, 'm');
    });
}

#[test]
fn documents() {
    frames("documents", |rig| {
        tree(rig);
        rig.key(KeyCode::F(2));
    });
    frames("plan", |rig| {
        tree(rig);
        rig.prefill(10_100, 10_100);
        rig.finish(StopReason::Prefilled);
        rig.event(Event::Planned(Planned {
            id: 1,
            cause: Cause::Asked,
            added: vec!["lib/a.rs".into(), "lib/b.rs".into(), "lib/c.rs".into()],
            removed: vec!["README.md".into()],
            changed: Vec::new(),
            refused: vec![Skipped::new("logo.png", Exclusion::Image, "an image")],
            tokens: 53_633,
            context_limit: 100_000,
            prefill: 12_400,
            prompt: 53_640,
            ms: None,
        }));
    });
    frames("panes", |rig| {
        answered(rig);
        alt(rig, '1');
        alt(rig, '3');
    });
    frames("viewer", |rig| {
        answered(rig);
        rig.ask("/open src/main.rs:40");
    });
    frames("viewer-prose", |rig| {
        loaded(rig);
        rig.ask("/open docs/guide.md:3");
    });
}

#[test]
fn finding() {
    frames("search", |rig| {
        answered(rig);
        leader(rig, '/');
        type_in(rig, "limit");
    });
    frames("search-kept", |rig| {
        answered(rig);
        leader(rig, '/');
        type_in(rig, "limit");
        while rig.app.is_working() {
            rig.app.work();
        }
        rig.key(KeyCode::Enter);
    });
    frames("search-wrong", |rig| {
        answered(rig);
        leader(rig, '/');
        type_in(rig, "(limit");
    });
    frames("help", |rig| {
        loaded(rig);
        rig.key(KeyCode::F(1));
    });
    frames("palette", |rig| {
        loaded(rig);
        rig.key(KeyCode::F(4));
    });
    frames("hints", |rig| {
        answered(rig);
        rig.ctrl('x');
    });
}

#[test]
fn writing() {
    frames("composer", |rig| {
        thinking(rig);
        rig.write("queued");
        rig.key(KeyCode::Enter);
        rig.write("The first line of 名前,");
        rig.press(KeyCode::Enter, KeyModifiers::ALT);
        rig.write("and a second that is much longer than what stands in a row of a narrow terminal: ");
        rig.input(Input::Paste("a line\n".repeat(214)));
        rig.press(KeyCode::Enter, KeyModifiers::ALT);
    });
    frames("commands", |rig| {
        loaded(rig);
        rig.write("/");
    });
    frames("names", |rig| {
        tree(rig);
        rig.write("What is in @");
    });
    frames("history", |rig| {
        loaded(rig);
        for question in ["What is the limit?", "And where?"] {
            rig.ask(question);
            rig.question(question);
            rig.finish(StopReason::EndOfSequence);
        }
        rig.ctrl('r');
        rig.write("the");
    });
}

#[test]
fn reading_what_was_said() {
    frames("cursor", |rig| {
        answered(rig);
        rig.key(KeyCode::Esc);
        type_in(rig, "kkk");
    });
    frames("selection", |rig| {
        answered(rig);
        rig.key(KeyCode::Esc);
        type_in(rig, "kkVkkk");
    });
    frames("new-below", |rig| {
        reading(rig, 0);
        rig.question("And more?");
        tokens(rig, Channel::Thinking, "More of it,\nand more,\nand more.\n");
    });
}
