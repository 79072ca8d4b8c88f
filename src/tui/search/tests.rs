//! Searching a transcript: matches stay where they are, whatever is folded, however wide it is, and while it grows.

use proptest::prelude::*;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use std::time::Duration;

use super::*;
use crate::tui::theme::{Part, Theme};
use crate::tui::transcript::{Account, Thought};

fn searched(transcript: &mut Transcript, scope: Scope, pattern: &str) -> Search {
    let mut search = Search::default();
    search.open(transcript, scope);
    search.write(transcript, |prompt, _| prompt.write(pattern));
    settle(&mut search, transcript);
    search
}

fn settle(search: &mut Search, transcript: &mut Transcript) {
    search.go_on(transcript, &Pack::default());
    while search.is_working() {
        search.go_on(transcript, &Pack::default());
    }
}

/// What is drawn as a match or as the current one, row by row, and the rows themselves.
fn marked(search: &Search, transcript: &mut Transcript, width: u16, height: u16) -> (Vec<String>, Vec<String>, String) {
    let theme = Theme::parse(
        "t",
        "[styles]\nmatch = { fg = '#010101' }\nmatch-current = { fg = '#020202' }",
    )
    .unwrap();
    let area = Rect::new(0, 0, width, height);
    transcript.resize(crate::tui::transcript::text_width(width), usize::from(height));
    let mut buf = Buffer::empty(area);
    transcript.draw(area, &mut buf, &theme, Account::default(), search);
    let of = |style: Style| {
        let rows = area.rows().map(|row| {
            let cells = row.positions().filter(|&at| Some(buf[at].fg) == style.fg);
            cells.map(|at| buf[at].symbol().to_owned()).collect::<String>()
        });
        rows.filter(|row| !row.is_empty()).collect::<Vec<_>>()
    };
    let all: String = buf.content.iter().map(ratatui::buffer::Cell::symbol).collect();
    (of(theme.style(Part::Match)), of(theme.style(Part::MatchCurrent)), all)
}

fn thinking(over: bool) -> Kind {
    Kind::Thinking(Box::new(Thought {
        took: over.then_some(Duration::ZERO),
        ..Thought::default()
    }))
}

#[test]
fn a_match_in_a_fold_opens_it_and_folds_it_back_when_left() {
    let mut transcript = Transcript::default();
    transcript.resize(40, 8);
    transcript.push(Kind::Question, "where is the needle?");
    let first = transcript.push(
        thinking(true),
        "hay\n".repeat(30) + "the needle is here\n" + &"hay\n".repeat(30),
    );
    transcript.push(Kind::Answer, "here: needle");
    let before = transcript.blocks()[first].folds(0);
    let mut search = searched(&mut transcript, Scope::Said, "needle");
    let (_, current, _) = marked(&search, &mut transcript, 40, 8);
    assert_eq!((search.count().as_str(), current), ("1/3", vec!["needle".to_owned()]));
    assert_eq!(transcript.blocks()[first].folds(0), before, "nothing was opened yet");
    search.accept(&mut transcript);
    let step = |search: &mut Search, transcript: &mut Transcript, forward| {
        search.step(transcript, forward);
        settle(search, transcript);
        let (_, current, screen) = marked(search, transcript, 40, 8);
        assert_eq!(current, ["needle"], "{screen}");
        screen
    };
    let screen = step(&mut search, &mut transcript, true);
    assert!(screen.contains("the needle is here"), "{screen}");
    assert_eq!(search.count(), "2/3");
    step(&mut search, &mut transcript, true);
    assert_eq!((search.count().as_str(), search.around()), ("3/3", None));
    assert_eq!(transcript.blocks()[first].folds(0), before, "it is folded back");
    step(&mut search, &mut transcript, true);
    assert_eq!(
        (search.count().as_str(), search.around()),
        ("1/3", Some("from the top"))
    );
    step(&mut search, &mut transcript, false);
    assert_eq!(
        (search.count().as_str(), search.around()),
        ("3/3", Some("from the end"))
    );
    step(&mut search, &mut transcript, false);
    // Who folds it otherwise meanwhile is not corrected.
    transcript.cycle_fold(first);
    let chosen = transcript.blocks()[first].folds(0);
    step(&mut search, &mut transcript, false);
    assert_eq!(transcript.blocks()[first].folds(0), chosen);
}

#[test]
fn dismissing_goes_back_to_where_one_was() {
    let mut transcript = Transcript::default();
    transcript.resize(40, 6);
    let block = transcript.push(thinking(true), "needle\n".repeat(50));
    transcript.push(Kind::Answer, "hay\n".repeat(50));
    let before = transcript.blocks()[block].folds(0);
    let mut search = searched(&mut transcript, Scope::Traces, "needle");
    assert!(!transcript.is_following());
    assert_ne!(transcript.blocks()[block].folds(0), before);
    search.dismiss(&mut transcript);
    assert!(transcript.is_following() && !search.is_active());
    assert_eq!(transcript.blocks()[block].folds(0), before);
    transcript.scroll(-20);
    let at = transcript.first_spot();
    let mut search = searched(&mut transcript, Scope::Said, "needle");
    search.dismiss(&mut transcript);
    assert_eq!(transcript.first_spot(), at);
}

#[test]
fn scopes_are_what_they_say() {
    let mut transcript = Transcript::default();
    for (kind, text) in [
        (Kind::Question, "a"),
        (thinking(true), "a a"),
        (Kind::Answer, "a a a"),
        (thinking(true), "a a a a"),
        (Kind::Answer, "b"),
    ] {
        transcript.push(kind, text);
    }
    let count = |transcript: &mut Transcript, scope| searched(transcript, scope, "a").hits.unwrap().total();
    assert_eq!(count(&mut transcript, Scope::Said), 10);
    assert_eq!(count(&mut transcript, Scope::Answers), 3);
    assert_eq!(count(&mut transcript, Scope::Traces), 6);
    assert_eq!(count(&mut transcript, Scope::Trace), 4, "the newest in view");
    transcript.select_previous_thinking();
    transcript.select_previous_thinking();
    assert_eq!(count(&mut transcript, Scope::Trace), 2, "the selected one");
    assert_eq!(count(&mut transcript, Scope::Documents), 0);
    let pack = crate::tui::documents::testing::pack(&[("x", 3)]);
    let mut search = Search::default();
    search.open(&mut transcript, Scope::Documents);
    let word = pack.documents[0]
        .text
        .split_whitespace()
        .next()
        .unwrap_or_default()
        .to_owned();
    if !word.is_empty() {
        search.write(&mut transcript, |prompt, _| prompt.write(&regex::escape(&word)));
        while search.is_working() {
            assert_eq!(search.go_on(&mut transcript, &pack), None);
        }
        assert_eq!(search.documents(), [0]);
        assert_eq!(search.chosen().unwrap().text, 0);
    }
}

#[test]
fn what_was_searched_for_is_recalled() {
    let mut transcript = Transcript::default();
    transcript.push(Kind::Answer, "one two three");
    let mut search = Search::default();
    for text in ["one", "two", "one"] {
        search.open(&mut transcript, Scope::Said);
        search.write(&mut transcript, |prompt, _| prompt.write(text));
        search.accept(&mut transcript);
    }
    search.open(&mut transcript, Scope::Said);
    search.write(&mut transcript, |prompt, _| prompt.write("th"));
    let mut recall = |older| {
        search.write(&mut transcript, |prompt, history| prompt.recall(older, history));
        search.prompt().unwrap().text().to_owned()
    };
    assert_eq!(
        [true, true, true, false, false, false].map(&mut recall),
        ["one", "two", "two", "one", "th", "th"]
    );
}

#[test]
fn what_is_wrong_is_told_and_finds_nothing() {
    let mut transcript = Transcript::default();
    transcript.push(Kind::Answer, "(a)");
    let mut search = searched(&mut transcript, Scope::Said, "(a");
    assert_eq!(
        (search.wrong(), search.is_active(), search.count().as_str()),
        (Some("unclosed group"), false, "")
    );
    search.write(&mut transcript, |prompt, _| prompt.write(")"));
    settle(&mut search, &mut transcript);
    assert_eq!((search.wrong(), search.count().as_str()), (None, "1/1"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is done, the current match is drawn if its block shows it, everything that is marked is a match, and every
    /// match in a row that shows is marked.
    #[test]
    fn marks_are_matches_whatever_happens(
        steps in prop::collection::vec((0usize..7, 0usize..5, "(qz|q| |\n|你|hay ){0,12}", 8u16..40), 1..30),
    ) {
        let mut transcript = Transcript::default();
        transcript.resize(30, 12);
        let mut search = searched(&mut transcript, Scope::Said, "qz");
        search.accept(&mut transcript);
        let (mut width, mut height) = (30, 12);
        for (step, which, text, size) in steps {
            let blocks = transcript.blocks().len();
            match step {
                0 => drop(transcript.push(if which % 2 == 0 { thinking(true) } else { Kind::Answer }, text)),
                1 if blocks > 0 => transcript.append(blocks - 1, &text),
                2 if blocks > 0 => {
                    let id = which % blocks;
                    if transcript.blocks()[id].thought().is_some() {
                        transcript.cycle_fold(id);
                    }
                }
                3 => (width, height) = (size, 4 + which as u16),
                4 => transcript.scroll(which.cast_signed() - 2),
                5 => search.step(&mut transcript, which % 2 == 0),
                _ => {}
            }
            transcript.resize(crate::tui::transcript::text_width(width), usize::from(height));
            let anchor = (step == 1 && !transcript.is_following()).then(|| transcript.first_spot());
            settle(&mut search, &mut transcript);
            if let Some(anchor) = anchor {
                prop_assert_eq!(transcript.first_spot(), anchor, "new text does not move the view");
            }
            let (others, current, screen) = marked(&search, &mut transcript, width, height);
            for row in others.iter().chain(&current) {
                let fits = row.trim().is_empty() || "qz".repeat(20).contains(row.trim());
                prop_assert!(fits, "{row:?} is marked in {screen}");
            }
            if step == 5 && search.current.is_some() {
                prop_assert!(!current.is_empty(), "the current match is not seen in {screen}");
            }
            let blocks = transcript.blocks();
            let plain: usize = blocks.iter().map(|block| block.source().matches("qz").count()).sum();
            prop_assert_eq!(search.hits.as_ref().map_or(0, Hits::total), plain);
            let drawn: usize = others.iter().chain(&current).map(|row| row.matches('q').count()).sum();
            let shown: usize = screen.matches("qz").count();
            prop_assert!(drawn >= shown, "{drawn} of {shown} are marked in {screen}");
        }
    }
}
