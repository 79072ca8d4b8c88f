//! Opening documents from what was said, and coming back.

use ratatui::style::Modifier;

use super::super::super::highlight::Found;
use super::super::super::theme::Part;
use super::super::super::viewer::testing::pack;
use super::super::super::viewer::{Highlighted, Paint};
use super::*;

/// `src/x.rs` with a definition in line 12, `notes.md`, and a book of a thousand lines.
fn loaded(width: u16, height: u16) -> Rig {
    let numbered = |lines: usize| (1..=lines).fold(String::new(), |text, line| text + &format!("line {line}\n"));
    let code = format!("{}fn needle() {{\n    let x = 1;\n}}\n{}", numbered(11), numbered(30));
    let pack = pack(&[
        ("src/x.rs", &code),
        ("notes.md", "# Notes\n\nthey are few\n"),
        ("books/long.txt", &numbered(1000)),
    ]);
    let mut rig = Rig::new(width, height);
    rig.event(Event::Documents(Documents {
        files: pack.documents.len(),
        lines: 1048,
        tokens: 5000,
        context_limit: 100_000,
        pack,
        ..Documents::default()
    }));
    rig.finish(StopReason::Prefilled);
    rig
}

fn opened(rig: &mut Rig, effects: &[Effect]) {
    assert!(matches!(effects, [Effect::Highlight(_)]), "{effects:?}");
    assert!(rig.app.viewer.is_some());
}

/// The row of the screen that has this text, and what its first such cell looks like.
fn look(rig: &mut Rig, text: &str) -> (u16, Modifier) {
    let buf = rig.buffer();
    let found = buf.area.rows().find_map(|row| {
        let line: String = row.positions().map(|at| buf[at].symbol()).collect();
        let at = line.find(text)?;
        let x = line[..at].chars().count() as u16;
        Some((row.y, buf[(x, row.y)].style().add_modifier))
    });
    found.unwrap_or_else(|| panic!("no {text:?} in\n{}", rig.screen()))
}

#[test]
fn the_citation_of_the_last_answer_opens_at_its_line_and_closes_again() {
    let mut rig = loaded(60, 14);
    rig.reply("Where?");
    let before = rig.frame();
    let effects = rig.ctrl('o');
    opened(&mut rig, &effects);
    assert_eq!(
        rig.frame(),
        [
            "src/x.rs                                    line 12/44 · 23%",
            "    8 line 8",
            "    9 line 9",
            "   10 line 10",
            "   11 line 11",
            "❯  12 fn needle() {",
            "   13     let x = 1;",
            "   14 }",
            "   15 line 1",
            "   16 line 2",
            "   17 line 3",
            "   18 line 4",
            "   19 line 5",
            "q back  / search  Tab citations  123 G line  w wrap  ? help",
        ]
    );
    assert!(
        look(&mut rig, "fn needle").1.contains(Modifier::BOLD),
        "the line is highlighted"
    );
    assert!(look(&mut rig, "12 fn").1.contains(Modifier::REVERSED));
    assert!(!look(&mut rig, "let x").1.contains(Modifier::BOLD));
    assert_eq!(rig.key(KeyCode::Char('q')), []);
    assert_eq!(rig.frame(), before, "exactly where one was");
    rig.key(KeyCode::F(3));
    rig.shows("❯  12 fn needle");
    rig.key(KeyCode::Esc);
    assert_eq!(rig.frame(), before);
}

#[test]
fn links_are_seen_walked_and_clicked() {
    let mut rig = loaded(70, 20);
    rig.question("Where?");
    rig.token(
        Channel::Answer,
        "In src/x.rs:12-13,\nand notes.md, not y.rs:3.\nAnd books/long.txt:900",
    );
    rig.finish(StopReason::EndOfSequence);
    for (text, link) in [
        ("src/x.rs:12-13", true),
        ("notes.md", true),
        ("y.rs:3", false),
        ("books/long", true),
    ] {
        assert_eq!(look(&mut rig, text).1.contains(Modifier::UNDERLINED), link, "{text}");
    }
    let alt = |rig: &mut Rig, c| rig.press(KeyCode::Char(c), KeyModifiers::ALT);
    assert_eq!(rig.key(KeyCode::Enter), [], "nothing is selected");
    alt(&mut rig, 'n');
    assert!(look(&mut rig, "src/x.rs:12-13").1.contains(Modifier::REVERSED));
    rig.key(KeyCode::Enter);
    rig.shows("❯  12 fn needle");
    assert!(look(&mut rig, "let x").1.contains(Modifier::BOLD), "both lines");
    rig.key(KeyCode::Esc);
    alt(&mut rig, 'p');
    alt(&mut rig, 'n');
    alt(&mut rig, 'n');
    alt(&mut rig, 'n');
    rig.key(KeyCode::Enter);
    rig.shows("books/long.txt");
    rig.shows("❯  900 line 900");
    rig.key(KeyCode::Esc);
    rig.key(KeyCode::Esc);
    assert!(rig.app.transcript.selected_link().is_none());
    alt(&mut rig, 'p');
    assert!(
        look(&mut rig, "books/long").1.contains(Modifier::REVERSED),
        "from the end"
    );

    let (row, _) = look(&mut rig, "notes.md");
    let effects = rig.click("notes.md");
    opened(&mut rig, &effects);
    rig.shows("# Notes");
    rig.key(KeyCode::Char('q'));
    assert_eq!(rig.click_at(40, row), []);
    assert!(rig.app.viewer.is_none(), "beside the link");
}

#[test]
fn citations_are_links_also_those_of_thinking() {
    let mut rig = loaded(70, 20);
    rig.question("Where?");
    rig.token(Channel::Thinking, "Perhaps there.");
    rig.cite(Channel::Thinking, 3, Verdict::Verified);
    rig.token(Channel::Answer, "There.");
    rig.cite(
        Channel::Answer,
        12,
        Verdict::Unverified {
            reason: "the quotation does not stand there; it stands at notes.md:3".into(),
        },
    );
    rig.finish(StopReason::EndOfSequence);
    rig.click("unverified");
    rig.shows("❯  12 fn needle");
    rig.key(KeyCode::Tab);
    rig.shows("they are few");
    rig.key(KeyCode::BackTab);
    rig.shows("❯  12 fn needle");
    rig.key(KeyCode::Esc);
    rig.click("notes.md:3");
    rig.shows("they are few");
    rig.key(KeyCode::Esc);
    rig.key(KeyCode::Tab);
    rig.click("✓ src/x.rs:3");
    rig.shows("❯   3 line 3");
    rig.key(KeyCode::Esc);
    rig.press(KeyCode::Char('n'), KeyModifiers::ALT);
    rig.key(KeyCode::Enter);
    rig.shows("❯   3 line 3");
}

#[test]
fn quotations_lead_to_their_place_or_are_doubtful() {
    let mut rig = loaded(90, 20);
    rig.question("Where?");
    rig.token(Channel::Answer, "It says “they are few” and “they are very many”.\n");
    let cite = |path: &str, line, quote: &str, verdict| {
        Event::Citation(Citation {
            section: None,
            channel: Channel::Answer,
            path: path.into(),
            line,
            quote: quote.into(),
            verdict,
        })
    };
    rig.event(cite("notes.md", 3, "they are few", Verdict::Verified));
    let reason = "it stands nowhere in the documents".to_owned();
    rig.event(cite("", 0, "they are very many", Verdict::Unverified { reason }));
    rig.finish(StopReason::EndOfSequence);
    rig.shows("✓ notes.md:3 verified\n  ? “they are very many” unverified: it stands nowhere in the documents");
    assert!(look(&mut rig, "they are few").1.contains(Modifier::UNDERLINED));
    let doubtful = look(&mut rig, "they are very many").1;
    assert_eq!(doubtful, rig.app.setup.theme.style(Part::Doubtful).add_modifier);
    rig.click("they are few");
    rig.shows("❯   3 they are few");
}

#[test]
fn a_quoted_word_is_not_taken_for_a_part_of_another() {
    let mut rig = loaded(90, 20);
    rig.question("Where?");
    rig.token(Channel::Answer, "The index has `x` (src/x.rs:1).\n");
    rig.event(Event::Citation(Citation {
        section: None,
        channel: Channel::Answer,
        path: "src/x.rs".into(),
        line: 1,
        quote: "x".into(),
        verdict: Verdict::Unverified { reason: "no".into() },
    }));
    rig.finish(StopReason::EndOfSequence);
    let doubtful = rig.app.setup.theme.style(Part::Doubtful).add_modifier;
    assert_ne!(look(&mut rig, "x has").1, doubtful);
    assert_eq!(look(&mut rig, "x (").1, doubtful);
}

#[test]
fn without_colour_an_open_document_has_none() {
    for name in names() {
        let mut rig = loaded(60, 14);
        rig.app.setup.depth = Depth::None;
        rig.input(Input::ThemeLoaded(Ok(Theme::built_in(name).unwrap())));
        rig.reply("q");
        rig.ctrl('o');
        rig.key(KeyCode::Char('/'));
        rig.key(KeyCode::Char('l'));
        let text = rig.app.viewer.as_ref().unwrap().text().clone();
        let part = Part::SyntaxString;
        rig.input(Input::Highlighted(Found::Document(Highlighted {
            text,
            chunk: 0,
            lines: vec![vec![Paint { from: 0, to: 9, part }]; 44],
            settled: true,
        })));
        let buf = rig.buffer();
        let plain = |colour| matches!(colour, ratatui::style::Color::Reset);
        let coloured = buf.content.iter().find(|cell| !plain(cell.fg) || !plain(cell.bg));
        assert_eq!(coloured, None, "{name}");
    }
}

#[test]
fn a_document_is_opened_by_name() {
    let mut rig = loaded(70, 20);
    rig.write("/open x");
    rig.shows("  src/x.rs ");
    rig.shows("  books/long.txt ");
    rig.key(KeyCode::Tab);
    assert_eq!(rig.app.composer.text(), "/open src/x.rs");
    rig.write(":13");
    rig.key(KeyCode::Enter);
    rig.shows("❯  13     let x = 1;");
    rig.key(KeyCode::Esc);
    assert_eq!(rig.app.composer.text(), "");
    rig.ask("/open long:999");
    rig.shows("❯  999 line 999");
    rig.key(KeyCode::Esc);
    for (text, told) in [
        ("/open s", "s may be "),
        ("/open nowhere", "no document is called nowhere"),
        ("/open", "name a document"),
    ] {
        rig.ask(text);
        rig.shows(told);
        assert!(rig.app.viewer.is_none());
    }
    rig.ctrl('o');
    rig.shows("the last answer cites nothing");
    let mut rig = Rig::ready(70, 20);
    rig.ask("/open x");
    rig.shows("there are no documents to open");
}

#[test]
fn keys_of_the_viewer_do_not_reach_the_composer_and_ctrl_c_does_what_it_does() {
    let mut rig = loaded(60, 14);
    rig.write("half a question");
    rig.ctrl('o');
    rig.reply("Where?");
    rig.ctrl('o');
    rig.shows("❯  12 fn needle");
    rig.key(KeyCode::Char('j'));
    rig.ctrl('d');
    rig.key(KeyCode::Char('4'));
    rig.shows("4 G");
    rig.key(KeyCode::Esc);
    rig.key(KeyCode::Char('?'));
    rig.shows("╭─ help");
    rig.shows("│ In an open document");
    rig.shows("back to where you were");
    rig.key(KeyCode::Esc);
    rig.lacks("help ─");
    rig.shows("line ");
    rig.question("another");
    assert_eq!(rig.ctrl('c'), [Effect::Cancel]);
    rig.shows("Ctrl-C again leaves");
    rig.key(KeyCode::Esc);
    assert_eq!(rig.app.composer.text(), "half a question");
}

#[test]
fn a_search_shows_its_matches_and_their_number() {
    let mut rig = loaded(60, 14);
    rig.ask("/open long");
    rig.key(KeyCode::Char('/'));
    let mut buf = rig.buffer();
    assert_eq!(
        rig.app.draw(buf.area, &mut buf),
        Some(Position::new(1, 13)),
        "the cursor is in the prompt"
    );
    for c in "line 99".chars() {
        rig.key(KeyCode::Char(c));
    }
    rig.shows("❯   99 line 99");
    rig.shows("/line 99                                                1/11");
    let (row, _) = look(&mut rig, "❯   99");
    assert!(rig.buffer()[(7, row)].style().add_modifier.contains(Modifier::REVERSED));
    rig.key(KeyCode::Enter);
    rig.key(KeyCode::Char('n'));
    rig.shows("❯  990 line 990");
    rig.shows("2/11");
    assert!(!rig.app.is_dirty() && rig.app.next_tick().is_none(), "nobody wakes up");
    assert!(look(&mut rig, "line 991").1.contains(Modifier::UNDERLINED));
    rig.input(Input::Paste("pasted".into()));
    rig.key(KeyCode::Char('/'));
    rig.input(Input::Paste("line 1000".into()));
    rig.shows("1/1");
    rig.key(KeyCode::Esc);
    rig.shows("❯  990 line 990");
    rig.key(KeyCode::Esc);
    assert_eq!(rig.app.composer.text(), "pasted");
}

#[test]
fn a_large_document_is_searched_between_frames() {
    let mut rig = Rig::new(60, 14);
    let text = "a line of some text\n".repeat(150_000) + "needle\n";
    rig.event(Event::Documents(Documents {
        pack: pack(&[("x.txt", &text)]),
        ..Documents::default()
    }));
    rig.finish(StopReason::Prefilled);
    rig.ask("/open x.txt");
    rig.key(KeyCode::Char('/'));
    rig.input(Input::Paste("needle".into()));
    rig.shows("line 1/150,001");
    assert_eq!(rig.app.next_tick(), Some(rig.now), "more is searched at once");
    for _ in 0..12 {
        rig.wait(0);
    }
    rig.shows("❯ 150001 needle");
    rig.shows("1/1");
    assert_eq!(rig.app.next_tick(), None);
}

#[test]
fn colours_come_when_they_are_ready_and_only_for_what_is_open() {
    let mut rig = loaded(60, 14);
    rig.ask("/open src/x.rs:12");
    let text = rig.app.viewer.as_ref().unwrap().text().clone();
    let mut lines = vec![Vec::new(); 128];
    lines[11] = vec![Paint {
        from: 0,
        to: 2,
        part: Part::SyntaxKeyword,
    }];
    let colour = |rig: &mut Rig| {
        let (row, _) = look(rig, "fn needle");
        rig.buffer()[(6, row)].style().fg
    };
    let before = colour(&mut rig);
    let found = Input::Highlighted(Found::Document(Highlighted {
        text,
        chunk: 0,
        lines,
        settled: true,
    }));
    assert_eq!(rig.input(found.clone()), [], "nothing more is wanted");
    assert_ne!(colour(&mut rig), before);
    assert_eq!(colour(&mut rig), rig.app.setup.theme.style(Part::SyntaxKeyword).fg);
    rig.key(KeyCode::Esc);
    rig.input(found);
    assert!(rig.app.viewer.is_none());
}

#[test]
fn the_wheel_and_clicks_are_the_viewers() {
    let mut rig = loaded(60, 14);
    rig.ask("/open long");
    rig.mouse(MouseEventKind::ScrollDown, 10, 5);
    rig.shows("❯    4 line 4");
    rig.click_at(10, 5);
    rig.shows("❯    8 line 8");
    rig.click_at(10, 0);
    rig.click_at(10, 13);
    rig.shows("❯    8 line 8");
}

#[test]
fn what_is_open_is_drawn_at_every_size() {
    let mut rig = loaded(80, 24);
    rig.reply("Where?");
    rig.ctrl('o');
    for (width, height) in [
        (40, 12),
        (80, 24),
        (200, 60),
        (20, 14),
        (7, 3),
        (1, 1),
        (3, 2),
        (80, 24),
    ] {
        rig.input(Input::Resize(Size { width, height }));
        let frame = rig.frame();
        assert_eq!(frame.len(), usize::from(height));
        if width >= 20 {
            assert!(frame[0].starts_with("src/x.rs"), "{frame:?}");
            rig.shows("12 fn needle() {");
            rig.shows("q back");
        }
    }
    rig.shows("❯  12 fn needle() {");
}

#[test]
fn control_characters_of_a_document_are_not_drawn() {
    let evil = "a\u{1b}]0;owned\u{7}b\u{9b}31mc\u{202e}d\u{8}\r\u{7f}\u{85}e\tf你\n";
    let pack = pack(&[("x.rs", evil)]);
    let mut rig = Rig::new(60, 14);
    rig.event(Event::Documents(Documents {
        pack,
        ..Documents::default()
    }));
    rig.ask("/open x.rs");
    for wrap in [false, true] {
        rig.shows("a]0;ownedb31mcde");
        let screen = rig.frame().concat();
        assert!(!screen.contains(|c: char| c.is_control() || c == '\u{202e}'), "{wrap}");
        rig.key(KeyCode::Char('w'));
    }
}

#[test]
fn lines_that_go_on_say_so_at_any_width() {
    let mut rig = Rig::new(60, 14);
    rig.event(Event::Documents(Documents {
        pack: pack(&[("x.rs", &"a你好\tbc".repeat(40))]),
        ..Documents::default()
    }));
    rig.ask("/open x.rs");
    for width in 20..50 {
        rig.input(Input::Resize(Size { width, height: 5 }));
        for left in 0..5 {
            let buf = rig.buffer();
            let row: Vec<_> = (0..width).map(|x| buf[(x, 1)].symbol()).collect();
            let bar = usize::from(width >= 24);
            assert_eq!(row[usize::from(width) - 1 - bar], "›", "{row:?}");
            assert_eq!(row[6] == "‹", left > 0, "{row:?}");
            let before = row[usize::from(width) - 2 - bar];
            assert!(ratatui::text::Span::raw(before).width() < 2, "{row:?}");
            rig.key(KeyCode::Right);
        }
        rig.key(KeyCode::Char('0'));
    }
}

#[test]
fn documents_read_again_keep_what_is_open() {
    let mut rig = loaded(60, 14);
    rig.reply("Where?");
    rig.ctrl('o');
    let again = |text: &str| {
        Event::Documents(Documents {
            pack: pack(&[("src/x.rs", text)]),
            ..Documents::default()
        })
    };
    let effects = rig.input(Input::Conversation(again("one\ntwo\n")));
    assert!(
        matches!(&effects[..], [Effect::Highlight(_)]),
        "its colours are asked for anew"
    );
    rig.shows("❯   2 two");
    rig.key(KeyCode::Esc);
    rig.ask("/open notes");
    rig.shows("no document is called notes");
}
