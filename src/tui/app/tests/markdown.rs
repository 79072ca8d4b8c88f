//! Answers in Markdown: as they are meant while they come, and as they are written if one asks.

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use ratatui::style::{Color, Modifier};

use super::super::super::highlight::{CodeHighlighted, CodeWanted, Found, Highlighter, Wish};
use super::super::super::theme::Part;
use super::super::super::transcript::Account;
use super::super::super::viewer::Paint;
use super::*;

const ANSWER: &str =
    "## Two **things**\n\n1. `first` of [them](http://a.b)\n   - nested\n\n| a | bc |\n|---|---|\n| 1 | 2 |\n";

fn answered(width: u16, height: u16) -> Rig {
    let mut rig = Rig::ready(width, height);
    rig.ask("what?");
    rig.question("what?");
    for token in ANSWER.split_inclusive(' ') {
        rig.token(Channel::Answer, token);
    }
    rig
}

#[test]
fn an_answer_looks_as_it_is_meant_and_as_it_is_written_if_one_asks() {
    let mut rig = answered(60, 24);
    rig.finish(StopReason::EndOfSequence);
    let meant = [
        "Two things",
        "1. first of them (http://a.b)",
        "• nested",
        "a │ bc",
        "──┼───",
    ];
    for text in meant {
        rig.shows(text);
    }
    rig.lacks("**");
    let before = rig.frame();
    rig.ctrl('x');
    rig.key(KeyCode::Char('.'));
    for line in ANSWER.lines() {
        rig.shows(line);
    }
    rig.write("/raw");
    rig.key(KeyCode::Enter);
    assert_eq!(rig.frame(), before);
}

#[test]
fn its_parts_look_like_what_they_are() {
    let mut rig = answered(60, 24);
    let buf = rig.buffer();
    let style = |text: &str| {
        buf.area.rows().find_map(|row| {
            let line: String = row.positions().map(|at| buf[at].symbol()).collect();
            let x = line[..line.find(text)?].chars().count() as u16;
            Some(buf[(x, row.y)].style())
        })
    };
    assert!(style("Two").is_some_and(|style| style.add_modifier.contains(Modifier::BOLD)));
    assert!(style("them").is_some_and(|style| style.add_modifier.contains(Modifier::UNDERLINED)));
    assert_ne!(style("first"), style("nested"));
}

#[test]
fn what_is_copied_is_the_source() {
    let mut rig = answered(60, 24);
    rig.finish(StopReason::EndOfSequence);
    let source = rig
        .app
        .transcript
        .blocks()
        .last()
        .map(|block| block.source().to_owned());
    assert_eq!(source.as_deref(), Some(ANSWER));
}

fn colour(rig: &mut Rig, text: &str) -> Option<Color> {
    let buf = rig.buffer();
    let found = buf.area.rows().find_map(|row| {
        let line: String = row.positions().map(|at| buf[at].symbol()).collect();
        let x = line[..line.find(text)?].chars().count() as u16;
        Some(buf[(x, row.y)].style().fg)
    });
    found.unwrap_or_else(|| panic!("no {text:?}"))
}

/// The answer to a wish: this part from the second byte of each line to its end.
fn painted(wanted: &CodeWanted, part: Part) -> Input {
    let paint = |line: &str| Paint {
        from: 1,
        to: line.len() as u32,
        part,
    };
    let (ended, rest) = wanted.lines.rsplit_once('\n').unwrap_or(("", &wanted.lines));
    let count = wanted.lines.matches('\n').count();
    Input::Highlighted(Found::Code(CodeHighlighted {
        block: wanted.block,
        code: wanted.code,
        first: wanted.first,
        lines: ended.split('\n').take(count).map(|line| vec![paint(line)]).collect(),
        rest: (!rest.is_empty()).then(|| (rest.len(), vec![paint(rest)])),
        plain: false,
    }))
}

fn coding(width: u16, height: u16) -> Rig {
    let mut rig = Rig::ready(width, height);
    rig.ask("what?");
    rig.question("what?");
    rig.token(Channel::Answer, "So:\n\n- ```rust\n  let aa = 1;\n  let bb");
    rig
}

#[test]
fn code_has_its_colours_when_they_come() {
    let mut rig = coding(60, 24);
    let syntax = |rig: &Rig| rig.app.setup.theme.style(Part::SyntaxKeyword).fg;
    let plain = colour(&mut rig, "So:");
    assert_eq!(colour(&mut rig, "aa"), plain);
    let [wanted] = &rig.uncoloured[..] else {
        panic!("{:?}", rig.uncoloured);
    };
    let wanted = wanted.clone();
    assert_eq!(
        (&*wanted.info, &*wanted.lines),
        ("rust", "let aa = 1;\n"),
        "what has ended"
    );

    rig.token(Channel::Answer, " = 2;\n  let cc");
    assert_eq!(rig.uncoloured.len(), 1, "one at a time");
    rig.input(painted(&wanted, Part::SyntaxKeyword));
    assert_eq!(colour(&mut rig, "aa"), syntax(&rig));
    assert_eq!(colour(&mut rig, "let aa"), plain, "from the second byte");
    assert_eq!(colour(&mut rig, "bb"), plain);
    assert_eq!(rig.uncoloured.len(), 2);
    let next = rig.uncoloured[1].clone();
    assert_eq!((next.first, &*next.lines), (1, "let bb = 2;\n"), "only what is new");

    // What comes twice, or for something else, changes nothing.
    rig.input(painted(&wanted, Part::SyntaxString));
    let mut other = next.clone();
    other.code += 1;
    rig.input(painted(&other, Part::SyntaxString));
    other.block += 1000;
    rig.input(painted(&other, Part::SyntaxString));
    assert_eq!((colour(&mut rig, "aa"), colour(&mut rig, "bb")), (syntax(&rig), plain));

    rig.input(painted(&next, Part::SyntaxKeyword));
    assert_eq!(colour(&mut rig, "bb"), syntax(&rig));
    rig.uncoloured.clear();
    rig.finish(StopReason::EndOfSequence);
    let last = rig.uncoloured.pop().unwrap();
    assert_eq!((last.first, &*last.lines), (2, "let cc"), "nothing more will come");
    rig.input(painted(&last, Part::SyntaxKeyword));
    assert_eq!(colour(&mut rig, "cc"), syntax(&rig));
    rig.wait(100);
    assert_eq!(rig.uncoloured, [], "everything is known");
}

#[test]
fn colours_stay_with_their_code() {
    let mut rig = coding(60, 24);
    rig.finish(StopReason::EndOfSequence);
    while let Some(wanted) = rig.uncoloured.pop() {
        rig.input(painted(&wanted, Part::SyntaxKeyword));
    }
    let syntax = rig.app.setup.theme.style(Part::SyntaxKeyword).fg;
    for width in [14, 11, 9, 60] {
        rig.input(Input::Resize(Size { width, height: 24 }));
        assert_eq!(colour(&mut rig, "aa"), syntax, "{width}");
        assert_eq!(colour(&mut rig, "bb"), syntax, "{width}");
        assert_ne!(colour(&mut rig, "let"), syntax, "{width}");
    }
    let before = rig.buffer();
    rig.ctrl('x');
    rig.key(KeyCode::Char('.'));
    rig.shows("```rust");
    assert_ne!(colour(&mut rig, "aa"), syntax, "as it is written");
    rig.ctrl('x');
    rig.key(KeyCode::Char('.'));
    assert_eq!(rig.buffer(), before);
    assert_eq!(rig.uncoloured, []);
}

#[test]
fn only_what_is_in_view_and_has_a_language_is_asked_for() {
    let mut rig = Rig::ready(60, 24);
    rig.question("what?");
    let code = |name: &str, lines: usize| format!("```{name}\n{}```\n", "let x = 1;\n".repeat(lines));
    let prose = "text\n\n".repeat(30);
    rig.token(
        Channel::Answer,
        &format!("{}{prose}{}{}", code("far", 9), code("", 3), code("near", 5)),
    );
    rig.finish(StopReason::EndOfSequence);
    let mut asked = Vec::new();
    while let Some(wanted) = rig.uncoloured.pop() {
        asked.push((wanted.info.clone(), wanted.lines.lines().count()));
        let Input::Highlighted(Found::Code(found)) = painted(&wanted, Part::SyntaxKeyword) else {
            return;
        };
        let nobody_knows = CodeHighlighted {
            lines: Vec::new(),
            plain: true,
            ..found
        };
        rig.input(Input::Highlighted(Found::Code(nobody_knows)));
    }
    assert_eq!(asked, [("near".to_owned(), 5)]);
}

/// What was said, with its colours.
fn said(rig: &mut Rig) -> Buffer {
    let mut buf = Buffer::empty(Rect::from((Position::ORIGIN, rig.app.size)));
    let (area, search) = (buf.area, Search::default());
    rig.app
        .transcript
        .draw(area, &mut buf, &rig.app.setup.theme, Account::default(), &search);
    buf
}

#[test]
fn code_that_grew_has_the_colours_of_code_that_came_at_once() {
    let (send, found) = std::sync::mpsc::channel();
    let highlighter = Highlighter::start(move |found| drop(send.send(found))).unwrap();
    let settle = |rig: &mut Rig| {
        while let Some(wanted) = rig.uncoloured.pop() {
            highlighter.ask(Wish::Code(wanted));
            rig.input(Input::Highlighted(found.recv().unwrap()));
        }
    };
    let pieces = "(?s)(```rust\n|```py\n|```\n|~~~c\n|~~~\n|> |- |  |\t|\n|\n|\n|/\\* |\\*/|\"|\"\"\"|let x = 1; |def f\\(\\): |// c|# c|\"s\"|你|e\u{301}|`|\r\n){0,30}";
    let cuts = proptest::collection::vec(0usize..200, 0..8);
    let mut runner = TestRunner::new(ProptestConfig::with_cases(150));
    let ran = runner.run(&(pieces, cuts, 8u16..60), |(text, mut cuts, width)| {
        for cut in &mut cuts {
            *cut = text.floor_char_boundary(*cut);
        }
        cuts.push(text.len());
        cuts.sort_unstable();
        let [mut grown, mut whole] = [(); 2].map(|()| {
            let mut rig = Rig::ready(width, 90);
            rig.question("what?");
            rig
        });
        let mut from = 0;
        for to in cuts {
            if from < to {
                grown.token(Channel::Answer, &text[from..to]);
                from = to;
            }
            settle(&mut grown);
        }
        if !text.is_empty() {
            whole.token(Channel::Answer, &text);
        }
        for rig in [&mut grown, &mut whole] {
            rig.now = Duration::from_secs(3);
            rig.decoded = 0;
            rig.finish(StopReason::EndOfSequence);
            settle(rig);
        }
        let count = |rig: &Rig| rig.app.transcript.blocks().len();
        prop_assert_eq!(count(&grown), count(&whole));
        prop_assert_eq!(said(&mut grown), said(&mut whole));
        Ok(())
    });
    ran.unwrap();
}

#[test]
fn an_address_of_the_web_is_copied_by_a_click_or_by_enter() {
    let mut rig = Rig::ready(60, 24);
    rig.question("q");
    let long = format!("https://example.org/{}", "deep/".repeat(20));
    rig.token(
        Channel::Answer,
        &format!("See [the guide](https://example.org/guide \"t\"), [example.net](https://example.net) and\n\n{long}\n\nor [x](src/x.rs)."),
    );
    rig.finish(StopReason::EndOfSequence);
    let copied = |text: &str| vec![Effect::Copy(text.into())];
    assert_eq!(rig.click("the guide"), copied("https://example.org/guide"));
    assert_eq!(rig.click("org/guide"), copied("https://example.org/guide"));
    assert_eq!(rig.click("example.net"), copied("https://example.net"));
    assert_eq!(rig.click("https://example.org/deep"), copied(&long));
    // Its last row too, and by the reading cursor.
    let frame = rig.frame();
    let last = frame.iter().rposition(|row| row.contains("deep/")).unwrap();
    assert_eq!(rig.click_at(4, last as u16), copied(&long));
    assert_eq!(rig.click("or "), [], "the cursor goes there");
    rig.key(KeyCode::Char('k'));
    rig.key(KeyCode::Char('k'));
    assert_eq!(rig.key(KeyCode::Enter), copied(&long));
    assert_eq!(rig.click("src/x.rs"), [], "is no address");
}
