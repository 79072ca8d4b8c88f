//! What the transcript promises: folding and scrolling lose nothing and move nothing.

use std::time::Duration;

use proptest::prelude::*;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::search::Search;
use super::super::theme::Theme;
use super::block::WINDOW;
use super::*;
use crate::trace::Piece;

mod reading;
mod selection;

const SECOND: Duration = Duration::from_secs(1);

/// The rows in view.
fn rows(transcript: &mut Transcript, width: u16, height: u16) -> Vec<String> {
    let area = Rect::new(0, 0, width, height);
    let mut buf = Buffer::empty(area);
    transcript.draw(
        area,
        &mut buf,
        &Theme::default(),
        Account::default(),
        &Search::default(),
    );
    area.rows()
        .map(|row| {
            let text: String = row.positions().map(|at| buf[at].symbol().to_owned()).collect();
            text.trim_end().trim_end_matches('▐').trim_end().to_owned()
        })
        .collect()
}

fn lines(count: usize) -> String {
    (0..count).fold(String::new(), |text, line| text + &format!("line {line}\n"))
}

fn thinking(transcript: &mut Transcript, text: &str, took: Option<Duration>) -> BlockId {
    let id = transcript.push(Kind::Thinking(Box::default()), "");
    transcript.update_thought(id, |thought| {
        for (index, text) in [text, "", ""].into_iter().enumerate() {
            thought.trace.push(&Piece {
                index,
                text,
                probability: 0.95,
                entropy: 1.0,
                elapsed: SECOND,
                forced: false,
            });
        }
        thought.took = took;
    });
    id
}

fn sized(width: u16, height: u16) -> Transcript {
    let mut transcript = Transcript::default();
    transcript.resize(text_width(width), usize::from(height));
    transcript
}

#[test]
fn thinking_is_open_while_live_and_folds_itself() {
    let mut transcript = sized(40, 30);
    let id = thinking(&mut transcript, &lines(15), None);
    let shown = rows(&mut transcript, 40, 30);
    assert_eq!(shown[0], "▾ thinking 0.0 s · 3 tok");
    assert_eq!(shown[1], "  │ line 0");
    assert_eq!(shown[15], "  │ line 14");
    transcript.set_default_fold(Some(Fold::Folded));
    let shown = rows(&mut transcript, 40, 30);
    assert_eq!(shown[0], "▸ thinking 0.0 s · 3 tok");
    assert_eq!(shown[1], "    ⋮ 5 lines above");
    assert_eq!(shown[2], "  │ line 5");
    assert_eq!(shown[11], "  │ line 14");
    assert_eq!(shown[12], "");
    transcript.update_thought(id, |thought| thought.took = Some(12 * SECOND));
    assert_eq!(rows(&mut transcript, 40, 30)[..2], ["▸ thought 0:12 · 3 tok", ""]);
    transcript.set_default_fold(None);
    assert_eq!(transcript.total(), Some(1));
    transcript.append(id, &lines(WINDOW));
    transcript.set_default_fold(Some(Fold::Window));
    assert_eq!(transcript.total(), Some(WINDOW + 2), "the header, and what is above");
}

#[test]
fn folds_cycle_and_a_choice_outlives_the_end() {
    let mut transcript = sized(40, 30);
    let id = thinking(&mut transcript, &lines(15), None);
    transcript.cycle_fold(id);
    assert_eq!(transcript.blocks[id].fold(), Fold::Full);
    transcript.update_thought(id, |thought| thought.took = Some(SECOND));
    assert_eq!(transcript.blocks[id].fold(), Fold::Full);
    assert_eq!(rows(&mut transcript, 40, 30)[15], "  │ line 14");
    transcript.cycle_fold(id);
    assert_eq!(transcript.blocks[id].fold(), Fold::Folded);
    transcript.cycle_fold(id);
    assert_eq!(transcript.blocks[id].fold(), Fold::Full, "the window would be all");
    transcript.append(id, &lines(WINDOW));
    transcript.cycle_fold(id);
    transcript.cycle_fold(id);
    assert_eq!(transcript.blocks[id].fold(), Fold::Window);
    let short = thinking(&mut transcript, "short", Some(SECOND));
    transcript.cycle_fold(short);
    assert_eq!(transcript.blocks[short].fold(), Fold::Full);
}

#[test]
fn thinking_without_text_is_not_drawn_once_it_is_over() {
    let mut transcript = sized(40, 5);
    let id = thinking(&mut transcript, "\n\n", None);
    assert_eq!(rows(&mut transcript, 40, 5)[0], "▾ thinking 0.0 s · 3 tok");
    transcript.update_thought(id, |thought| thought.took = Some(SECOND));
    assert_eq!(transcript.total(), Some(0));
}

#[test]
fn unfolding_keeps_the_header_where_it_is() {
    let mut transcript = sized(40, 10);
    transcript.push(Kind::Question, "why");
    let id = thinking(&mut transcript, &lines(50), Some(SECOND));
    transcript.push(Kind::Answer, "because");
    let before = rows(&mut transcript, 40, 10);
    assert_eq!(before[2], "▸ thought 1.0 s · 3 tok");
    transcript.cycle_fold(id);
    let after = rows(&mut transcript, 40, 10);
    assert_eq!(after[2], "▾ thought 1.0 s · 3 tok");
    assert_eq!(after[3], "  │ line 0");
    assert!(!transcript.is_following());
    transcript.cycle_fold(id);
    assert_eq!(rows(&mut transcript, 40, 10), before);
}

#[test]
fn new_text_never_moves_what_is_read() {
    let mut transcript = sized(40, 5);
    let id = transcript.push(Kind::Answer, lines(20));
    assert_eq!(rows(&mut transcript, 40, 5)[4], "  line 19");
    transcript.scroll(-4);
    let before = rows(&mut transcript, 40, 5);
    assert_eq!(before[0], "  line 11");
    assert_eq!(transcript.unseen(), Some(0));
    transcript.append(id, &lines(7));
    transcript.push(Kind::Answer, "more");
    assert_eq!(rows(&mut transcript, 40, 5), before);
    assert_eq!(transcript.unseen(), Some(9));
    transcript.scroll(6);
    assert_eq!(transcript.unseen(), Some(7));
    transcript.follow();
    assert_eq!(rows(&mut transcript, 40, 5)[4], "  more");
    assert_eq!(transcript.unseen(), None);
}

#[test]
fn thinking_that_is_read_neither_slides_nor_folds_away() {
    let mut transcript = sized(40, 8);
    transcript.set_default_fold(Some(Fold::Folded));
    let id = thinking(&mut transcript, &lines(30), None);
    assert_eq!(rows(&mut transcript, 40, 8)[0], "  │ line 22");
    transcript.scroll(-4);
    let before = rows(&mut transcript, 40, 8);
    assert_eq!(
        before[..3],
        ["▸ thinking 0.0 s · 3 tok", "    ⋮ 20 lines above", "  │ line 20"]
    );
    transcript.append(id, &lines(30));
    assert_eq!(rows(&mut transcript, 40, 8), before);
    transcript.update_thought(id, |thought| thought.took = Some(SECOND));
    transcript.push(Kind::Answer, "because");
    assert_eq!(rows(&mut transcript, 40, 8)[1..], before[1..]);
    transcript.follow();
    assert_eq!(
        rows(&mut transcript, 40, 8)[..3],
        ["▸ thought 1.0 s · 3 tok", "", "  because"]
    );
}

#[test]
fn going_down_beyond_the_end_follows_it() {
    let mut transcript = sized(40, 5);
    let id = transcript.push(Kind::Answer, lines(20));
    transcript.scroll(-2);
    assert!(!transcript.is_following());
    transcript.scroll(1);
    assert!(!transcript.is_following());
    transcript.scroll(1);
    assert!(transcript.is_following());
    transcript.append(id, "the end\n");
    assert_eq!(rows(&mut transcript, 40, 5)[4], "  the end");
}

#[test]
fn a_short_transcript_neither_scrolls_nor_leaves_following() {
    let mut transcript = sized(40, 9);
    transcript.push(Kind::Answer, "one");
    transcript.scroll(-3);
    transcript.go_to_start();
    assert!(transcript.is_following());
}

#[test]
fn a_width_and_back_shows_the_same() {
    let mut transcript = sized(60, 6);
    for block in 0..5 {
        transcript.push(Kind::Answer, format!("{block} {}", "word ".repeat(200)));
    }
    transcript.scroll(-31);
    let before = rows(&mut transcript, 60, 6);
    for width in [13, 100, 30, 1, 60] {
        transcript.resize(text_width(width), 6);
        rows(&mut transcript, width, 6);
    }
    assert_eq!(rows(&mut transcript, 60, 6), before);
}

#[test]
fn headers_are_found_where_they_are_drawn() {
    let mut transcript = sized(40, 8);
    transcript.push(Kind::Question, "why");
    let id = thinking(&mut transcript, &lines(3), Some(SECOND));
    assert_eq!(transcript.header_at(2), Some(id));
    for row in [0, 1, 3, 7, 90] {
        assert_eq!(transcript.header_at(row), None, "{row}");
    }
}

#[test]
fn selecting_goes_back_through_thinking_and_brings_it_into_view() {
    let mut transcript = sized(40, 5);
    let first = thinking(&mut transcript, "a", Some(SECOND));
    transcript.push(Kind::Answer, lines(30));
    let second = thinking(&mut transcript, "b", Some(SECOND));
    assert_eq!(transcript.thinking(), Some(second));
    transcript.select_previous_thinking();
    assert_eq!(transcript.thinking(), Some(second));
    transcript.select_previous_thinking();
    assert_eq!(transcript.thinking(), Some(first));
    assert_eq!(rows(&mut transcript, 40, 5)[0], "▸ thought 1.0 s · 3 tok");
    transcript.select_previous_thinking();
    assert_eq!(transcript.selected, None);
}

#[test]
fn a_million_rows_scroll_at_once() {
    let mut transcript = sized(80, 24);
    for _ in 0..1000 {
        transcript.push(Kind::Answer, lines(1000));
    }
    assert_eq!(transcript.total(), Some(1_000_999));
    transcript.go_to_start();
    assert_eq!(rows(&mut transcript, 80, 24)[23], "  line 23");
    transcript.scroll(70_000);
    assert_eq!(rows(&mut transcript, 80, 24)[0], "  line 931");
    transcript.resize(text_width(60), 24);
    assert_eq!(transcript.total(), None);
    rows(&mut transcript, 60, 24);
    while !transcript.settle(1 << 20) {}
    assert_eq!(transcript.total(), Some(1_000_999));
}

#[derive(Debug, Clone)]
enum Step {
    Push(u8, String),
    Append(String),
    Seal,
    Fold(usize),
    FoldSegments(bool),
    ToggleSegment(usize),
    Default(usize),
    Scroll(isize),
    Resize(u16, u16),
    Follow,
    Start,
    Select,
}

fn step() -> impl Strategy<Value = Step> {
    let text = "(?s)([ab ]|abc|\n|\n\nWait, |1\\. |# |你|👩|\u{301}|\t|\u{1b}){0,30}";
    prop_oneof![
        (0u8..6, text).prop_map(|(kind, text)| Step::Push(kind, text)),
        text.prop_map(Step::Append),
        Just(Step::Seal),
        (0usize..20).prop_map(Step::Fold),
        any::<bool>().prop_map(Step::FoldSegments),
        (0usize..20).prop_map(Step::ToggleSegment),
        (0usize..4).prop_map(Step::Default),
        (-30isize..30).prop_map(Step::Scroll),
        (1u16..50, 1u16..20).prop_map(|(width, height)| Step::Resize(width, height)),
        Just(Step::Follow),
        Just(Step::Start),
        Just(Step::Select),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn whatever_happens_the_rows_are_those_of_a_fresh_rendering(steps in prop::collection::vec(step(), 0..60)) {
        let mut transcript = sized(30, 8);
        let (mut width, mut height) = (30, 8);
        let mut sources: Vec<String> = Vec::new();
        for step in steps {
            let last = transcript.blocks.len().checked_sub(1);
            match step {
                Step::Push(kind, text) => {
                    sources.push(text.clone());
                    match kind {
                        0 => transcript.push(Kind::Notice(Level::Info), text),
                        1 => transcript.push(Kind::Question, text),
                        2 | 3 => thinking(&mut transcript, &text, None),
                        4 => transcript.push(Kind::Citation { verified: false }, text),
                        _ => transcript.push(Kind::Answer, text),
                    };
                }
                Step::Append(text) => if let Some(last) = last {
                    let first = transcript.first();
                    transcript.settle(usize::MAX);
                    let after = transcript.heights.total() - transcript.heights.before(first.block) - first.row;
                    let anchored = transcript.top.map(|_| rows(&mut transcript, width, height));
                    sources[last].push_str(&text);
                    transcript.append(last, &text);
                    // Only the last two rows may be wrapped anew; a header counts what came, and a segment is marked when
                    // there is another.
                    let counts = transcript.blocks.get(first.block).and_then(Block::header_row) == Some(first.row);
                    if let Some(before) = anchored && after > 2 && !counts {
                        let top = rows(&mut transcript, width, height).swap_remove(0);
                        prop_assert_eq!(before[0].replace('▾', " "), top.replace('▾', " "));
                    }
                },
                Step::Seal => if let Some(last) = last {
                    transcript.update_thought(last, |thought| thought.took = Some(SECOND));
                },
                Step::Fold(id) => if last.is_some_and(|last| id <= last) && transcript.blocks[id].thought().is_some() {
                    transcript.cycle_fold(id);
                },
                Step::FoldSegments(fold) => transcript.fold_segments(fold),
                Step::ToggleSegment(row) if row % 2 == 0 => transcript.toggle_segment(),
                Step::ToggleSegment(row) => {
                    transcript.toggle_segment_at(row);
                }
                Step::Default(fold) => {
                    let all = [None, Some(Fold::Folded), Some(Fold::Window), Some(Fold::Full)];
                    transcript.set_default_fold(all[fold]);
                }
                Step::Scroll(by) => transcript.scroll(by),
                Step::Resize(w, h) => {
                    (width, height) = (w, h);
                    transcript.resize(text_width(width), usize::from(height));
                }
                Step::Follow => transcript.follow(),
                Step::Start => transcript.go_to_start(),
                Step::Select => transcript.select_previous_thinking(),
            }
            let shown = rows(&mut transcript, width, height);
            transcript.unseen();
            for row in 0..usize::from(height) {
                transcript.header_at(row);
            }
            prop_assert!(!shown.concat().contains(char::is_control));

            let was = transcript.first();
            transcript.settle(usize::MAX);
            let mut fresh = Transcript::default();
            fresh.resize(text_width(width), usize::from(height));
            for (block, source) in transcript.blocks.iter().zip(&sources) {
                prop_assert_eq!(block.source(), source);
                let mut again = Block::clone(block);
                again.set_width(1, false);
                again.set_width(transcript.width, false);
                prop_assert_eq!(again.height(), block.height());
                for row in 0..block.height() {
                    prop_assert_eq!(again.row(row), block.row(row));
                    prop_assert_eq!(again.pieces(row), block.pieces(row));
                    prop_assert_eq!(block.row_of(block.spot_of(row)), row);
                }
            }
            let drawn: usize = transcript.blocks.iter().map(Block::height).sum();
            prop_assert_eq!(transcript.total(), Some(drawn));
            prop_assert_eq!(transcript.first(), was);
            if drawn >= usize::from(height) {
                let first = transcript.first();
                let above = transcript.heights.before(first.block) + first.row;
                prop_assert!(above + usize::from(height) <= drawn, "no empty rows after the end");
            }
        }
    }
}
