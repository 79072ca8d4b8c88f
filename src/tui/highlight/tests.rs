//! Colours: of which text, in which order, and how much is parsed for them.

use super::super::theme::Part;
use super::super::viewer::testing::text_of;
use super::*;

fn colours(path: &str, text: &str) -> Vec<Vec<(String, Part)>> {
    let syntaxes = two_face::syntax::extra_newlines();
    let mut document = Document::new(text_of(path, text), &syntaxes);
    let mut lines = Vec::new();
    document.highlight(0..1, &mut |found| lines = found.lines, &mut || false);
    let named = |(paints, line): (Vec<Paint>, &str)| {
        let part = |paint: Paint| (line[paint.from as usize..paint.to as usize].to_owned(), paint.part);
        paints.into_iter().map(part).collect()
    };
    lines.into_iter().zip(text.lines()).map(named).collect()
}

/// The part of the first stretch of this text.
fn part_of(lines: &[Vec<(String, Part)>], text: &str) -> Option<Part> {
    let all = lines.iter().flatten();
    all.into_iter()
        .find(|(stretch, _)| stretch.trim() == text)
        .map(|&(_, part)| part)
}

#[test]
fn code_has_the_colours_of_the_theme() {
    let lines = colours(
        "a/b.rs",
        "// why\npub fn run(self) -> Vec<u8> {\n    let x = 10; call(\"s\\n\")\n}\n",
    );
    for (text, part) in [
        ("// why", Part::SyntaxComment),
        ("fn", Part::SyntaxKeyword),
        ("run", Part::SyntaxFunction),
        ("10", Part::SyntaxNumber),
        ("call", Part::SyntaxFunction),
    ] {
        assert_eq!(part_of(&lines, text), Some(part), "{text} in {lines:?}");
    }
    let lines = colours("Makefile", "all: # all of it\n\techo\n");
    assert_eq!(part_of(&lines, "# all of it"), Some(Part::SyntaxComment), "{lines:?}");
    let lines = colours("script", "#!/usr/bin/env python\nx = None\n");
    assert_eq!(part_of(&lines, "None"), Some(Part::SyntaxConstant), "{lines:?}");
    let lines = colours("x.md", "# Title\n\ntext `code`\n");
    assert!(
        lines[0].iter().any(|(_, part)| *part == Part::SyntaxHeading),
        "{lines:?}"
    );
    assert_eq!(colours("x.txt", "fn main() {}\n").concat(), []);
}

#[test]
fn long_lines_and_large_files_stay_plain() {
    let long = format!("let x = \"{}\";\nlet y = 1;\n", "s".repeat(LONGEST_LINE));
    let lines = colours("x.rs", &long);
    assert!(lines[0].is_empty() && !lines[1].is_empty());
    let large = "let y = 1;\n".repeat(LARGEST / 11 + 1);
    assert_eq!(colours("x.rs", &large).concat(), []);
}

#[test]
fn far_away_a_guess_comes_first_and_then_the_truth() {
    let lines = 40 * CHUNK;
    let text = format!("/*\n{}*/\n", "fn f() {}\n".repeat(lines - 2));
    let syntaxes = two_face::syntax::extra_newlines();
    let mut document = Document::new(text_of("x.rs", &text), &syntaxes);
    let mut found = Vec::new();
    let part = |found: &Highlighted| found.lines[1].first().map(|paint| paint.part);
    document.highlight(30..31, &mut |f| found.push((f.chunk, f.settled, part(&f))), &mut || {
        false
    });
    assert_eq!(
        found,
        [
            (30, false, Some(Part::SyntaxKeyword)),
            (30, true, Some(Part::SyntaxComment))
        ]
    );
    assert_eq!(document.states.len(), 32);

    let mut parsed = 0;
    document.highlight(29..30, &mut |_| (), &mut || {
        parsed += 1;
        false
    });
    assert_eq!(parsed, 1, "what has a state before it needs nothing more");
}

#[test]
fn very_far_away_the_guess_is_all() {
    let text = format!("/*\n{}*/\n", "fn f() {}\n".repeat(400 * CHUNK));
    let syntaxes = two_face::syntax::extra_newlines();
    let mut document = Document::new(text_of("x.rs", &text), &syntaxes);
    let (mut found, mut parsed) = (Vec::new(), 0);
    document.highlight(390..391, &mut |f| found.push((f.chunk, f.settled)), &mut || {
        parsed += 1;
        false
    });
    assert_eq!(found, [(390, true)]);
    assert_eq!(parsed, RUN_UP + 1, "the work for a wish is bounded");
}

#[test]
fn a_newer_wish_ends_an_older_one() {
    let text = "fn f() {}\n".repeat(40 * CHUNK);
    let syntaxes = two_face::syntax::extra_newlines();
    let mut document = Document::new(text_of("x.rs", &text), &syntaxes);
    let mut found = 0;
    document.highlight(0..40, &mut |_| found += 1, &mut || true);
    assert_eq!(found, 1);
    document.highlight(5..9, &mut |_| found += 1, &mut || false);
    assert_eq!((found, document.states.len()), (5, 10));
}

#[test]
fn no_wish_for_code_is_lost_among_others() {
    let (send, found) = channel();
    let highlighter = Highlighter::start(move |found| drop(send.send(found))).unwrap();
    let text = text_of("x.rs", &"fn f() {}\n".repeat(40 * CHUNK));
    for first in 0..20 {
        highlighter.ask(Wish::Document(Wanted {
            text: text.clone(),
            chunks: 0..40,
        }));
        highlighter.ask(Wish::Code(CodeWanted {
            block: 1,
            code: 3,
            info: "rust".into(),
            first,
            lines: "/* a\n".into(),
        }));
    }
    drop(highlighter);
    let found = found.into_iter().filter_map(|found| match found {
        Found::Code(code) => Some((code.first, code.lines)),
        Found::Document(_) => None,
    });
    let comment = Paint {
        from: 0,
        to: 4,
        part: Part::SyntaxComment,
    };
    assert!(found.eq((0..20).map(|first| (first, vec![vec![comment]]))));
}

#[test]
fn the_thread_answers() {
    let (send, found) = channel();
    let highlighter = Highlighter::start(move |highlighted| drop(send.send(highlighted))).unwrap();
    let text = text_of("x.rs", "fn main() {}\n");
    highlighter.ask(Wish::Document(Wanted {
        text: text.clone(),
        chunks: 0..1,
    }));
    let Found::Document(highlighted) = found.recv().unwrap() else {
        panic!("colours of a document");
    };
    assert!(highlighted.text == text && highlighted.settled && !highlighted.lines[0].is_empty());
    drop(highlighter);
    assert!(found.recv().is_err(), "it ends");
}
