//! The viewer by itself: moving, searching, sections, and how much work that is.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::theme::Theme;
use super::testing::{document, pack, text_of};
use super::*;
use crate::context::{Section, SectionKind};

fn numbered(lines: usize) -> String {
    (1..=lines).fold(String::new(), |text, line| text + &format!("line {line}\n"))
}

fn open(path: &str, text: &str, width: u16, height: u16) -> Viewer {
    Viewer::new(text_of(path, text), Size { width, height })
}

/// The lines in view, from 1, and the one with the cursor.
fn at(viewer: &Viewer) -> (Range<usize>, usize) {
    let lines = viewer.lines_in_view();
    (lines.start + 1..lines.end, viewer.cursor.line + 1)
}

#[test]
fn moving_keeps_the_cursor_in_view() {
    let mut viewer = open("x.rs", &numbered(100), 40, 12);
    assert_eq!(at(&viewer), (1..10, 1));
    let mut go = |steps: &[Step]| {
        for &step in steps {
            assert!(viewer.step(step));
        }
        at(&viewer)
    };
    assert_eq!(go(&[Step::Down; 9]), (1..10, 10));
    assert_eq!(go(&[Step::Down]), (2..11, 11));
    assert_eq!(go(&[Step::PageDown]), (10..19, 19));
    assert_eq!(go(&[Step::PageUp]), (2..11, 11));
    assert_eq!(go(&[Step::HalfDown]), (7..16, 16));
    assert_eq!(go(&[Step::Bottom]), (91..100, 100));
    assert_eq!(go(&[Step::PageDown, Step::Down]), (91..100, 100));
    assert_eq!(go(&[Step::Up; 10]), (90..99, 90));
    assert_eq!(go(&[Step::Top]), (1..10, 1));
    assert_eq!(go(&[Step::PageUp, Step::Up]), (1..10, 1));
    viewer.scroll(3);
    assert_eq!(at(&viewer), (4..13, 4));
    viewer.click(Position::new(9, 3));
    assert_eq!(at(&viewer), (4..13, 6));
}

#[test]
fn lines_are_gone_to_by_number() {
    let mut viewer = open("x.rs", &numbered(100), 40, 12);
    for c in "57".chars() {
        assert!(viewer.digit(c));
    }
    viewer.step(Step::Bottom);
    assert_eq!(at(&viewer), (54..63, 57));
    viewer.step(Step::GoTo);
    viewer.write("9x9\n9");
    viewer.accept();
    assert_eq!(at(&viewer), (91..100, 100));
    assert!(!viewer.digit('0'), "no line begins with 0");
    viewer.point_at(3, 5);
    assert_eq!((at(&viewer).1, viewer.target.clone()), (3, Some(2..=4)));
    viewer.point_at(500, 500);
    assert_eq!((at(&viewer).1, viewer.target.clone()), (100, None));
    viewer.point_at(0, 0);
    assert_eq!((at(&viewer), viewer.target.clone()), ((1..10, 1), None));
}

#[test]
fn a_search_follows_what_is_typed_and_goes_around() {
    let mut viewer = open("x.rs", &numbered(300), 40, 12);
    viewer.step(Step::Search);
    let found = |viewer: &Viewer| {
        (
            at(viewer).1,
            viewer.search.as_ref().map(Search::count).unwrap_or_default(),
        )
    };
    viewer.write("LINE 1");
    assert_eq!(found(&viewer), (1, "no match".into()));
    viewer.erase_all();
    viewer.write("line 1");
    assert_eq!(found(&viewer), (1, "1/111".into()));
    viewer.write("2");
    assert_eq!(found(&viewer), (12, "1/11".into()));
    viewer.erase();
    assert_eq!(found(&viewer), (1, "1/111".into()));
    viewer.write("2");
    viewer.accept();
    for line in [120, 121] {
        viewer.step(Step::NextMatch);
        assert_eq!(found(&viewer).0, line);
    }
    viewer.step(Step::PreviousMatch);
    viewer.step(Step::PreviousMatch);
    viewer.step(Step::PreviousMatch);
    assert_eq!(found(&viewer), (129, "11/11".into()));
    viewer.step(Step::NextMatch);
    assert_eq!(found(&viewer), (12, "1/11".into()));
    viewer.step(Step::Bottom);
    viewer.step(Step::PreviousMatch);
    assert_eq!(found(&viewer).0, 129, "from where the cursor is");

    viewer.step(Step::Top);
    viewer.step(Step::Search);
    viewer.write("line 250");
    assert_eq!(found(&viewer).0, 250);
    viewer.dismiss();
    assert_eq!((at(&viewer), viewer.search.is_none()), ((1..10, 1), true));
}

#[test]
fn a_match_far_to_the_right_is_scrolled_to() {
    let text = format!("{}needle\nshort needle\n", "x".repeat(3000));
    let mut viewer = open("x.rs", &text, 40, 12);
    viewer.step(Step::Search);
    viewer.write("needle");
    assert!((2900..=3000).contains(&viewer.left), "{}", viewer.left);
    viewer.step(Step::NextMatch);
    assert_eq!(viewer.left, 0);
    viewer.step(Step::Right);
    assert_eq!(viewer.left, 8);
    viewer.step(Step::LineStart);
    viewer.step(Step::Up);
    viewer.step(Step::LineEnd);
    assert_eq!(viewer.left, 3006 + 1 - draw::text_width(&viewer));
}

#[test]
fn sections_begin_at_the_top() {
    let mut book = document("book.md", &numbered(100));
    let section = |line, title: &str| Section {
        kind: SectionKind::Chapter,
        title: title.into(),
        level: 1,
        line,
    };
    book.sections = vec![
        section(10, "One"),
        section(40, "Two"),
        section(98, "Three"),
        section(999, "Gone"),
    ];
    let pack = Arc::new(Pack {
        documents: vec![book],
        ..Pack::default()
    });
    let mut viewer = Viewer::new(Text::new(&pack, 0).unwrap(), Size::new(40, 12));
    assert_eq!(viewer.section(), None);
    let mut go = |step| {
        viewer.step(step);
        let title = viewer.section().map(|section| section.title.clone());
        (at(&viewer), title.unwrap_or_default())
    };
    assert_eq!(go(Step::PreviousSection), ((1..10, 1), String::new()));
    assert_eq!(go(Step::NextSection), ((10..19, 10), "One".into()));
    assert_eq!(go(Step::NextSection), ((40..49, 40), "Two".into()));
    assert_eq!(go(Step::NextSection), ((91..100, 98), "Three".into()));
    assert_eq!(go(Step::Up).1, "Two");
    assert_eq!(go(Step::PreviousSection), ((40..49, 40), "Two".into()));
    assert_eq!(go(Step::Down).1, "Two");
    assert_eq!(go(Step::PreviousSection).0.1, 40, "first the beginning of this one");
}

#[test]
fn a_section_is_chosen_from_the_outline() {
    let mut book = document("book.md", &numbered(500));
    let section = |index: usize| Section {
        kind: SectionKind::Page,
        title: format!("page {index}"),
        level: 1 + u8::from(index.is_multiple_of(2)),
        line: index * 10,
    };
    book.sections = (1..=40).map(section).collect();
    let pack = Arc::new(Pack {
        documents: vec![book],
        ..Pack::default()
    });
    let mut viewer = Viewer::new(Text::new(&pack, 0).unwrap(), Size::new(40, 12));
    viewer.point_at(205, 205);
    viewer.step(Step::Outline);
    let area = Rect::new(0, 0, 40, 12);
    let mut buf = Buffer::empty(area);
    viewer.draw(area, &mut buf, &Theme::default(), None);
    let row = |y: u16| -> String { (0..39).map(|x| buf[(x, y)].symbol()).collect() };
    assert_eq!(row(6), "❯   page 20                         200");
    assert_eq!(row(7), "  page 21                           210");
    viewer.step(Step::Down);
    viewer.step(Step::PageDown);
    assert!(!viewer.digit('3'), "nothing is typed there");
    viewer.enter();
    assert_eq!(at(&viewer), (290..299, 290));
    viewer.step(Step::Outline);
    viewer.step(Step::Bottom);
    viewer.step(Step::Close);
    assert_eq!(at(&viewer), (290..299, 290), "closed, and nothing else");
    viewer.step(Step::Outline);
    viewer.step(Step::Top);
    viewer.click(Position::new(5, 3));
    assert_eq!(at(&viewer).1, 30);
    let mut plain = open("x.rs", "text", 40, 12);
    plain.step(Step::Outline);
    assert_eq!(plain.outline, None);
}

#[test]
fn wrapping_and_width_keep_the_place() {
    let text = (1..=50).fold(String::new(), |text, line| {
        text + &format!("{line} {}\n", "word ".repeat(30))
    });
    let mut viewer = open("book.md", &text, 40, 12);
    assert!(viewer.wrap, "prose is wrapped");
    viewer.point_at(20, 20);
    for size in [(80, 24), (20, 5), (1, 1), (200, 60), (40, 12)] {
        viewer.resize(size.into());
        assert!(viewer.lines_in_view().contains(&19), "{size:?}: {:?}", at(&viewer));
    }
    viewer.step(Step::Wrap);
    assert!(!viewer.wrap && viewer.lines_in_view().contains(&19));
}

#[test]
fn a_document_read_again_stays_open_where_it_was() {
    let mut viewer = open("x.rs", &numbered(100), 40, 12);
    viewer.point_at(90, 90);
    viewer.renew(&pack(&[("a.rs", "a\n"), ("x.rs", &numbered(50))]));
    assert_eq!((viewer.text.lines(), at(&viewer).1), (50, 50));
    viewer.renew(&pack(&[("a.rs", "a\n")]));
    assert_eq!(viewer.path(), "x.rs", "what is gone is still shown");
}

/// A frame of a large document is as much work as one of a small one, wherever one looks: at most what stands in a few
/// screens of the longest rows.
#[test]
fn the_work_of_a_frame_does_not_grow_with_the_document() {
    let line = |n: usize| format!("    let value_{n} = compute({n}, \"text\");\n");
    let million_tokens: String = (0..120_000).map(line).collect();
    let one_line = format!("start\n{}\nend\n", "word 你好 ".repeat(900_000));
    let thirty = million_tokens.repeat(6) + &one_line.repeat(2);
    let area = Rect::new(0, 0, 200, 60);
    let most = 4 * usize::from(area.height) * rows::PIECE;
    for (name, text) in [("a.rs", million_tokens), ("b.txt", one_line), ("c.md", thirty)] {
        let size = text.len();
        let mut viewer = Viewer::new(text_of(name, &text), area.as_size());
        let theme = Theme::default();
        let mut slowest = Duration::ZERO;
        for wrap in [false, true] {
            viewer.keep_cursor(|viewer| viewer.wrap = wrap);
            let steps = [Step::Bottom, Step::PageUp, Step::LineEnd, Step::Right, Step::Top];
            let pages = [Step::PageDown; 100];
            for step in steps
                .into_iter()
                .chain(pages)
                .chain([Step::HalfUp, Step::Up, Step::Wrap, Step::Wrap])
            {
                let (before, began) = (viewer.text.work.load(Ordering::Relaxed), Instant::now());
                viewer.step(step);
                viewer.draw(area, &mut Buffer::empty(area), &theme, None);
                viewer.wanted();
                slowest = slowest.max(began.elapsed());
                let work = viewer.text.work.load(Ordering::Relaxed) - before;
                assert!(work <= most, "{name}, wrapped: {wrap}, {step:?}: {work} bytes");
            }
        }
        let (mut slice, mut slices) = (Duration::ZERO, 0);
        let mut search = Search::new("text", Spot::default());
        while !search.is_done() {
            let began = Instant::now();
            search.go_on(&text);
            slice = slice.max(began.elapsed());
            slices += 1;
        }
        assert!(
            slices <= 3 + (size + 32 * search.found().len()) / 250_000,
            "{slices} parts"
        );
        println!("{name}: {size} bytes, frame at most {slowest:?}, search in {slices} parts of at most {slice:?}");
    }
}
