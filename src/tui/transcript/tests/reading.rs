//! The reading cursor.

use super::super::keys::Motion;
use super::*;

/// What is drawn as it is written.
const NOTE: Kind = Kind::Notice(Level::Info);

/// What is drawn where the cursor is, from there on.
fn at_cursor(transcript: &mut Transcript, width: u16, height: u16) -> String {
    let (row, column) = transcript.cursor().unwrap();
    let shown = rows(transcript, width, height);
    let mut text = shown[row].chars();
    for _ in 0..column {
        text.next();
    }
    text.collect()
}

fn went(transcript: &mut Transcript, motions: &[Motion]) -> String {
    for &motion in motions {
        transcript.go(motion);
    }
    at_cursor(transcript, 40, 6)
}

fn read() -> Transcript {
    let mut transcript = sized(40, 6);
    transcript.push(Kind::Question, "where is it, and why?");
    thinking(&mut transcript, &lines(30), Some(SECOND));
    let answer = "one two_3 (four)\n\n  five six\nseven eight nine ten eleven twelve thirteen end\n";
    transcript.push(NOTE, answer);
    transcript
}

#[test]
fn it_begins_at_the_end_and_goes_along_with_it() {
    use Motion as M;
    let mut transcript = read();
    assert_eq!(at_cursor(&mut transcript, 40, 6), "thirteen end");
    transcript.append(2, "the end");
    assert_eq!(at_cursor(&mut transcript, 40, 6), "the end");
    assert!(transcript.is_following());
    assert_eq!(went(&mut transcript, &[M::Up]), "thirteen end");
    assert!(!transcript.is_following());
    transcript.append(2, "\nafter it");
    assert_eq!(at_cursor(&mut transcript, 40, 6), "thirteen end");
    assert_eq!(went(&mut transcript, &[M::Down]), "the end");
    assert!(!transcript.is_following());
    assert_eq!(went(&mut transcript, &[M::Down, M::Down]), "after it");
    assert!(transcript.is_following(), "down from the last row");
    assert_eq!(went(&mut transcript, &[M::Start]), "where is it, and why?");
    assert_eq!(went(&mut transcript, &[M::End]), "after it");
    assert!(transcript.is_following());
}

#[test]
fn words_characters_and_rows() {
    use Motion as M;
    let mut transcript = read();
    assert_eq!(went(&mut transcript, &[M::PreviousBlock]), "one two_3 (four)");
    assert_eq!(went(&mut transcript, &[M::NextWord]), "two_3 (four)");
    assert_eq!(went(&mut transcript, &[M::NextWord]), "(four)");
    assert_eq!(went(&mut transcript, &[M::NextWord]), "four)");
    assert_eq!(
        went(&mut transcript, &[M::NextWord, M::NextWord]),
        "five six",
        "over an empty line"
    );
    assert_eq!(went(&mut transcript, &[M::RowStart]), "  five six");
    assert_eq!(went(&mut transcript, &[M::RowText]), "five six");
    assert_eq!(went(&mut transcript, &[M::WordEnd]), "e six");
    assert_eq!(went(&mut transcript, &[M::RowEnd]), "x");
    assert_eq!(went(&mut transcript, &[M::Down]), "e", "the end of the row is kept to");
    assert_eq!(went(&mut transcript, &[M::PreviousWord]), "twelve");
    assert_eq!(
        went(&mut transcript, &[M::PreviousWord, M::Left, M::Left]),
        "n eleven twelve"
    );
    assert_eq!(went(&mut transcript, &[M::Right]), " eleven twelve");
    assert_eq!(
        went(&mut transcript, &[M::RowStart, M::Left]),
        "x",
        "over the end of the row"
    );
    assert_eq!(went(&mut transcript, &[M::Right]), "seven eight nine ten eleven twelve");
    transcript.go(M::Start);
    assert_eq!(
        went(&mut transcript, &[M::Left, M::PreviousWord, M::Up]),
        "where is it, and why?"
    );
}

#[test]
fn the_column_is_kept_over_short_rows() {
    use Motion as M;
    let mut transcript = read();
    let column = |transcript: &mut Transcript| transcript.cursor().unwrap().1;
    transcript.go(M::Start);
    went(&mut transcript, &[M::NextWord, M::NextWord]);
    assert_eq!(column(&mut transcript), 11);
    let mut rows_with_it = 0;
    for _ in 0..7 {
        transcript.go(M::Down);
        rows_with_it += usize::from(column(&mut transcript) == 11);
    }
    assert!(rows_with_it >= 3, "{rows_with_it}");
}

#[test]
fn blocks_and_questions_are_walked() {
    use Motion as M;
    let mut transcript = read();
    transcript.push(Kind::Question, "and then?");
    transcript.push(NOTE, lines(20));
    let to = |transcript: &mut Transcript, motion| went(transcript, &[motion]);
    assert_eq!(to(&mut transcript, M::PreviousQuestion), "and then?");
    assert_eq!(to(&mut transcript, M::PreviousQuestion), "where is it, and why?");
    assert_eq!(to(&mut transcript, M::PreviousQuestion), "where is it, and why?");
    assert!(to(&mut transcript, M::NextBlock).starts_with("▸ thought"));
    assert_eq!(to(&mut transcript, M::NextBlock), "one two_3 (four)");
    assert_eq!(to(&mut transcript, M::NextQuestion), "and then?");
    assert_eq!(to(&mut transcript, M::NextBlock), "line 0");
    transcript.go(M::Down);
    assert_eq!(to(&mut transcript, M::PreviousBlock), "line 0");
    assert_eq!(to(&mut transcript, M::PreviousBlock), "and then?");
    assert!(!transcript.is_following());
}

#[test]
fn pages_take_the_view_along() {
    use Motion as M;
    let mut transcript = sized(40, 6);
    transcript.push(NOTE, lines(100));
    assert_eq!(went(&mut transcript, &[M::Start, M::Down, M::PageDown]), "line 5");
    assert_eq!(rows(&mut transcript, 40, 6)[0], "  line 4");
    assert_eq!(went(&mut transcript, &[M::HalfDown]), "line 8");
    assert_eq!(rows(&mut transcript, 40, 6)[0], "  line 7");
    assert_eq!(went(&mut transcript, &[M::HalfUp, M::PageUp]), "line 1");
    assert_eq!(went(&mut transcript, &[M::PageUp]), "line 0");
    assert_eq!(went(&mut transcript, &[M::ViewBottom]), "line 5");
    assert_eq!(went(&mut transcript, &[M::ViewMiddle]), "line 3");
    assert_eq!(went(&mut transcript, &[M::ViewTop]), "line 0");
    for _ in 0..30 {
        transcript.go(M::PageDown);
    }
    assert_eq!(at_cursor(&mut transcript, 40, 6), "line 99");
    assert!(transcript.is_following());
}

#[test]
fn what_is_scrolled_away_is_gone_on_from_at_the_edge() {
    use Motion as M;
    let mut transcript = sized(40, 6);
    transcript.push(NOTE, lines(100));
    went(&mut transcript, &[M::Start, M::Down]);
    transcript.scroll(10);
    assert_eq!(at_cursor(&mut transcript, 40, 6), "line 10");
    transcript.scroll(-10);
    assert_eq!(at_cursor(&mut transcript, 40, 6), "line 1");
    transcript.scroll(20);
    assert_eq!(went(&mut transcript, &[M::Down]), "line 21");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn new_text_never_moves_what_is_read_and_the_cursor_is_always_in_view(
        texts in prop::collection::vec("(?s)([ab ]|abc|\n|你|👩|\u{301}|\t|\u{1b}){0,30}", 1..6),
        motions in prop::collection::vec((0usize..23, 1u16..40, 1u16..12), 0..40),
    ) {
        use Motion as M;
        let all = [
            M::Up, M::Down, M::Left, M::Right, M::NextWord, M::PreviousWord, M::WordEnd, M::RowStart, M::RowText,
            M::RowEnd, M::HalfUp, M::HalfDown, M::PageUp, M::PageDown, M::ViewTop, M::ViewMiddle, M::ViewBottom,
            M::PreviousBlock, M::NextBlock, M::PreviousQuestion, M::NextQuestion, M::Start, M::End,
        ];
        let mut transcript = sized(20, 5);
        for (index, text) in texts.iter().enumerate() {
            match index % 3 {
                0 => transcript.push(Kind::Question, text),
                1 => thinking(&mut transcript, text, (index % 2 == 0).then_some(SECOND)),
                _ => transcript.push(Kind::Answer, text),
            };
        }
        let (mut width, mut height) = (20, 5);
        for (index, (motion, new_width, new_height)) in motions.into_iter().enumerate() {
            if index % 5 == 4 {
                (width, height) = (new_width, new_height);
                transcript.resize(text_width(width), usize::from(height));
            }
            transcript.go(all[motion]);
            let cursor = transcript.cursor();
            if let Some((row, column)) = cursor {
                prop_assert!(row < usize::from(height) && column < text_width(width), "{row} {column}");
            }
            if !transcript.is_following() {
                transcript.push(NOTE, "more\nand more");
                prop_assert_eq!(transcript.cursor(), cursor);
            }
        }
    }
}
