//! Selecting, and what is copied of it.

use ratatui::style::Modifier;

use super::super::super::select::Unit;
use super::super::keys::Motion;
use super::*;

const NOTE: Kind = Kind::Notice(Level::Info);

/// What is drawn as selected, row by row; blanks as `·`.
fn marked(transcript: &mut Transcript, width: u16, height: u16) -> Vec<String> {
    let area = Rect::new(0, 0, width, height);
    let mut buf = Buffer::empty(area);
    let theme = Theme::parse("plain", "[styles]\nselection = { mod = ['crossed-out'] }").unwrap();
    transcript.draw(area, &mut buf, &theme, Account::default(), &Search::default());
    let marked = area.rows().map(|row| {
        let mut text = String::new();
        let mut covered = 0;
        for at in row.positions() {
            let cell = &buf[at];
            if covered > 0 {
                covered -= 1;
            } else if cell.modifier.contains(Modifier::CROSSED_OUT) {
                covered = super::super::super::text::width(cell.symbol()).saturating_sub(1);
                text.push_str(if cell.symbol() == " " { "·" } else { cell.symbol() });
            }
        }
        text
    });
    marked.filter(|row| !row.is_empty()).collect()
}

fn selected(transcript: &Transcript) -> String {
    transcript.selected_text().unwrap_or_default()
}

fn read() -> Transcript {
    let mut transcript = sized(40, 12);
    transcript.push(Kind::Question, "where is src/x.rs?");
    thinking(&mut transcript, "It may be 你好 here.\n\nOr not.\n", Some(SECOND));
    transcript.push(NOTE, "one two_3\n\nthree");
    transcript
}

#[test]
fn a_drag_selects_from_where_it_began() {
    let mut transcript = read();
    transcript.press(4, 0, Unit::Character);
    transcript.drag(4, 0);
    assert!(transcript.selected_text().is_none(), "the button was not moved");
    transcript.drag(6, 0);
    assert_eq!(selected(&transcript), "ere");
    assert_eq!(marked(&mut transcript, 40, 12), ["ere"]);
    transcript.drag(2, 0);
    assert_eq!(selected(&transcript), "whe", "the other way, both ends with it");
    transcript.drag(39, 0);
    assert_eq!(selected(&transcript), "ere is src/x.rs?");
    transcript.drag(3, 4);
    assert_eq!(
        selected(&transcript),
        "ere is src/x.rs?\n\nIt may be 你好 here.\n\nOr not.\n\non",
        "what is folded is copied"
    );
    assert!(marked(&mut transcript, 40, 12)[1].starts_with("▸·thought"));
    transcript.press(0, 0, Unit::Character);
    assert!(transcript.selected_text().is_none(), "a click drops it");
}

#[test]
fn a_double_click_selects_a_word_and_a_triple_click_a_line() {
    let mut transcript = read();
    transcript.press(7, 4, Unit::Word);
    assert_eq!(selected(&transcript), "two_3");
    transcript.drag(2, 6);
    assert_eq!(selected(&transcript), "two_3\n\nthree");
    transcript.drag(3, 4);
    assert_eq!(selected(&transcript), "one two_3", "words on both sides");
    transcript.press(7, 4, Unit::Line);
    assert_eq!(selected(&transcript), "one two_3");
    transcript.drag(3, 6);
    assert_eq!(selected(&transcript), "one two_3\n\nthree");
    assert_eq!(marked(&mut transcript, 40, 12), ["one·two_3", "·", "three"]);
    transcript.press(5, 0, Unit::Line);
    assert_eq!(selected(&transcript), "where is src/x.rs?");
}

#[test]
fn a_click_on_the_header_of_a_fold_stands_for_all_of_it() {
    let mut transcript = read();
    transcript.press(3, 2, Unit::Line);
    assert_eq!(selected(&transcript), "It may be 你好 here.\n\nOr not.\n");
    transcript.cycle_fold(1);
    assert_eq!(selected(&transcript), "It may be 你好 here.\n\nOr not.\n");
    assert_eq!(
        marked(&mut transcript, 40, 12),
        ["It·may·be·你好·here.", "·", "Or·not."]
    );
}

#[test]
fn shift_extends() {
    let mut transcript = read();
    transcript.press(8, 0, Unit::Character);
    transcript.extend_to(13, 0);
    assert_eq!(selected(&transcript), "is src");
    transcript.extend_to(9, 0);
    assert_eq!(selected(&transcript), "is");
}

#[test]
fn keys_select_from_the_cursor() {
    use Motion as M;
    let mut transcript = read();
    transcript.go(M::Start);
    transcript.go(M::NextWord);
    transcript.toggle_selection(Unit::Character);
    assert_eq!(selected(&transcript), "i");
    transcript.go(M::WordEnd);
    assert_eq!(selected(&transcript), "is");
    transcript.toggle_selection(Unit::Line);
    assert_eq!(selected(&transcript), "where is src/x.rs?");
    transcript.go(M::End);
    assert!(selected(&transcript).ends_with("\n\none two_3\n\nthree"));
    transcript.go(M::ViewTop);
    transcript.toggle_selection(Unit::Character);
    assert_eq!(selected(&transcript), "where i", "the other end is where it was");
    transcript.swap_ends();
    transcript.go(M::RowEnd);
    assert_eq!(selected(&transcript), "where is src/x.rs?");
    transcript.toggle_selection(Unit::Character);
    assert!(transcript.selected_text().is_none());
}

#[test]
fn selecting_leaves_following() {
    let mut transcript = sized(40, 5);
    let id = transcript.push(NOTE, lines(20));
    transcript.press(5, 1, Unit::Character);
    assert!(transcript.is_following(), "a click alone does not");
    transcript.drag(9, 1);
    assert!(!transcript.is_following());
    let before = rows(&mut transcript, 40, 5);
    transcript.append(id, &lines(9));
    assert_eq!(rows(&mut transcript, 40, 5), before);
}

#[derive(Debug, Clone)]
enum Later {
    Grow(String),
    Push(String),
    Fold(usize),
    Seal(usize),
    Resize(u16, u16),
    Scroll(isize),
}

fn later() -> impl Strategy<Value = Later> {
    let text = "(?s)([ab ]|abc|\n|你|👩|\u{301}|\t|\u{1b}){0,30}";
    prop_oneof![
        text.prop_map(Later::Grow),
        text.prop_map(Later::Push),
        (0usize..6).prop_map(Later::Fold),
        (0usize..6).prop_map(Later::Seal),
        (1u16..50, 1u16..20).prop_map(|(width, height)| Later::Resize(width, height)),
        (-30isize..30).prop_map(Later::Scroll),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_is_selected_stays_and_is_the_source(
        texts in prop::collection::vec("(?s)([ab ]|abc|\n|你|👩|\u{301}|\t|\u{1b}){0,60}", 1..6),
        points in prop::collection::vec((0usize..45, 0usize..15), 2..5),
        unit in prop::sample::select(vec![Unit::Character, Unit::Word, Unit::Line]),
        laters in prop::collection::vec(later(), 0..20),
    ) {
        let mut transcript = sized(30, 9);
        for (index, text) in texts.iter().enumerate() {
            match index % 3 {
                0 => transcript.push(NOTE, text),
                1 => thinking(&mut transcript, text, None),
                _ => transcript.push(Kind::Answer, text),
            };
        }
        transcript.press(points[0].0, points[0].1, unit);
        for &(column, row) in &points[1..] {
            transcript.drag(column, row);
        }
        let ranges = |transcript: &Transcript| -> Vec<_> {
            (0..texts.len()).map(|id| transcript.selected_in(id)).collect()
        };
        let (text, before) = (transcript.selected_text(), ranges(&transcript));
        // One block: exactly its bytes.
        let here: Vec<_> = before.iter().enumerate().filter_map(|(id, range)| Some((id, range.clone()?))).collect();
        if let [(id, range)] = &here[..] {
            prop_assert_eq!(text.as_deref(), Some(&texts[*id][range.clone()]));
        }
        // Several: all of each, in order.
        if let Some(text) = &text {
            let mut rest = &text[..];
            for (id, range) in &here {
                let part = texts[*id][range.clone()].trim();
                let at = rest.find(part);
                prop_assert!(at.is_some(), "{part:?} in {rest:?}");
                rest = &rest[at.unwrap() + part.len()..];
            }
        }
        for later in laters {
            let last = transcript.blocks.len() - 1;
            match later {
                Later::Grow(more) => transcript.append(last, &more),
                Later::Push(text) => { transcript.push(Kind::Answer, text); }
                Later::Fold(id) if id <= last && transcript.blocks[id].thought().is_some() => transcript.cycle_fold(id),
                Later::Seal(id) if id <= last => transcript.update_thought(id, |thought| thought.took = Some(SECOND)),
                Later::Resize(width, height) => transcript.resize(text_width(width), usize::from(height)),
                Later::Scroll(by) => transcript.scroll(by),
                _ => {}
            }
            marked(&mut transcript, 30, 9);
            prop_assert_eq!(&transcript.selected_text(), &text);
            prop_assert_eq!(&ranges(&transcript), &before);
        }
    }

    #[test]
    fn what_is_drawn_as_selected_is_what_is_selected(
        text in "(?s)([ab ]|abc|\n|你|\t){1,60}",
        points in prop::collection::vec((0usize..30, 0usize..15), 2..5),
        width in 3u16..30,
    ) {
        // No row is out of view, and none has a margin.
        let mut transcript = sized(width.min(11), 80);
        transcript.push(NOTE, &text);
        transcript.press(points[0].0, points[0].1, Unit::Character);
        for &(column, row) in &points[1..] {
            transcript.drag(column, row);
        }
        let drawn = marked(&mut transcript, width.min(11), 80).concat().replace('·', "");
        let wanted: String = selected(&transcript).split_whitespace().collect();
        prop_assert_eq!(drawn, wanted);
    }
}

/// `cargo test --lib -- --ignored --nocapture what_a_drag_costs`
#[test]
#[ignore = "measures, and promises nothing"]
fn what_a_drag_costs() {
    let text = "It may be that the row after this one is where it stands, or not.\n\n".repeat(5_000);
    let mut transcript = sized(200, 60);
    let id = thinking(&mut transcript, &text, Some(SECOND));
    while transcript.blocks[id].fold() != Fold::Full {
        transcript.cycle_fold(id);
    }
    transcript.go_to_start();
    transcript.scroll(1_000);
    transcript.press(5, 50, Unit::Character);
    let area = Rect::new(0, 0, 200, 60);
    let (mut buf, theme) = (Buffer::empty(area), Theme::default());
    let mut spent = [Duration::ZERO; 4];
    let steps = 500;
    for step in 0..steps {
        let mut timed = |index: usize, work: &mut dyn FnMut()| {
            let began = std::time::Instant::now();
            work();
            spent[index] += began.elapsed();
        };
        timed(0, &mut || transcript.scroll(-1));
        timed(1, &mut || transcript.drag(step % 90, 0));
        timed(2, &mut || transcript.go(Motion::NextWord));
        timed(3, &mut || {
            transcript.draw(area, &mut buf, &theme, Account::default(), &Search::default());
        });
    }
    let [scroll, drag, word, frame] = spent.map(|spent| spent / steps as u32);
    println!(
        "{} bytes: scroll {scroll:?}, drag {drag:?}, word {word:?}, frame of 200x60 {frame:?}",
        text.len()
    );
    let selection = transcript.selection.take();
    let began = std::time::Instant::now();
    transcript.draw(area, &mut buf, &theme, Account::default(), &Search::default());
    println!("a frame without a selection {:?}", began.elapsed());
    transcript.selection = selection;
    let began = std::time::Instant::now();
    transcript.go(Motion::End);
    let copied = transcript.selected_text().unwrap_or_default().len();
    println!("{copied} bytes copied in {:?}", began.elapsed());
}
