//! Two thoughts side by side, as a person sees them.

use super::super::Focus;
use super::*;

impl Rig {
    /// A question, and thinking in which every part has a heading.
    fn thinks(&mut self, turn: usize, revises: Option<usize>, question: &str, parts: &[&str]) {
        self.event(Event::Question(Question {
            turn,
            revises,
            text: question.into(),
            asked_as: None,
            left_out: 0,
        }));
        for part in parts {
            self.token(Channel::Thinking, &format!("# {part}\n\n"));
        }
        self.token(Channel::Answer, "So it is.");
        self.finish(StopReason::EndOfSequence);
    }

    fn marks(&mut self, text: &str) -> String {
        let frame = self.frame();
        let row = frame.iter().find(|row| row.contains(text));
        let row = row.unwrap_or_else(|| panic!("no {text:?} in\n{}", frame.join("\n")));
        row.chars().filter(|c| "=~≠<>".contains(*c)).collect()
    }
}

const FIRST: [&str; 4] = [
    "Look at the harbour",
    "The captain says that nobody sailed before the storm",
    "Elephants cross the jungle slowly",
    "The nineteenth of March",
];
const SECOND: [&str; 4] = [
    "Look at the harbour",
    "A telegram from Bombay",
    "The captain says that nobody had sailed before the storm",
    "The nineteenth of March",
];

/// A turn, a question with two replies, and a turn after it.
fn revised(width: u16, height: u16) -> Rig {
    let mut rig = Rig::ready(width, height);
    rig.thinks(1, None, "Where?", &["Nowhere else"]);
    rig.thinks(2, None, "When?", &FIRST);
    rig.thinks(3, Some(2), "When?", &SECOND);
    rig.thinks(4, None, "Why?", &["Because of the storm"]);
    rig
}

fn open(rig: &mut Rig) {
    rig.ctrl('x');
    rig.key(KeyCode::Char('m'));
}

#[test]
fn the_newest_versions_of_a_question_are_compared_segment_by_segment() {
    let mut rig = revised(120, 24);
    open(&mut rig);
    let frame = rig.frame();
    assert!(
        frame[0].contains("question 2 · version 1 of 2 · When?") && frame[0].contains("▸ question 3 · version 2 of 2"),
        "{frame:#?}"
    );
    assert!(frame[1].contains("4 tok · 0.4 s · 4 seg · 0 ↺"), "{frame:#?}");
    let row = |text: &str| frame.iter().position(|row| row.contains(text)).expect(text);
    assert_eq!(frame[row("harbour")].matches("harbour").count(), 2, "{frame:#?}");
    assert_eq!(rig.marks("harbour"), "=");
    assert_eq!(rig.marks("telegram"), ">");
    assert_eq!(rig.marks("captain"), "~");
    assert_eq!(rig.marks("Elephants"), "<");
    assert_eq!(rig.marks("nineteenth"), "=");
    assert!(row("telegram") < row("captain") && row("captain") < row("Elephants"));
    rig.shows("1/5 · = 2 the same · ~ 1 changed · < 1 only left · > 1 only right · n N differences · Tab other side");
    rig.input(Input::Resize(Size { width: 90, height: 24 }));
    rig.shows("1/5 · = 2 ~ 1 < 1 > 1 · n N differences · Tab other side");
    rig.input(Input::Resize(Size { width: 120, height: 24 }));
    rig.key(KeyCode::Char('n'));
    rig.shows("2/5 · ");
    for _ in 0..5 {
        rig.key(KeyCode::Char('n'));
    }
    rig.shows("4/5 · ");
    rig.key(KeyCode::Char('N'));
    rig.shows("3/5 · ");
    rig.key(KeyCode::Char('q'));
    assert!(rig.app.compare.is_none());
    rig.lacks("differences");
}

#[test]
fn the_words_that_differ_are_marked_and_the_keys_are_those_of_comparing() {
    use ratatui::style::Modifier;
    let mut rig = revised(120, 24);
    open(&mut rig);
    let buf = rig.buffer();
    let row = (0..24)
        .find(|&y| (0..120).any(|x| buf[(x, y)].symbol() == "~"))
        .unwrap();
    let marked: String = (0..120)
        .filter(|&x| buf[(x, row)].modifier.contains(Modifier::UNDERLINED))
        .map(|x| buf[(x, row)].symbol().to_owned())
        .collect();
    assert_eq!(marked, "had", "on the side that has the word, and nothing else");
    rig.shows("Enter goes · Esc closes");
    rig.lacks("? help · Ctrl-D leave");
}

#[test]
fn enter_goes_to_the_segment_of_the_side_that_is_chosen() {
    for (side, wanted) in [('l', "had sailed"), ('h', "nobody sailed")] {
        let mut rig = revised(120, 12);
        open(&mut rig);
        rig.key(KeyCode::Char('j'));
        rig.key(KeyCode::Char('j'));
        rig.key(KeyCode::Char(side));
        rig.key(KeyCode::Enter);
        assert_eq!(rig.app.focus(), Focus::Conversation);
        let (block, byte) = rig.app.transcript.here().expect("a cursor");
        let text = &rig.app.transcript.blocks()[block].source()[byte..];
        assert!(text.lines().next().is_some_and(|line| line.contains(wanted)), "{text}");
        rig.shows(wanted);
    }
}

#[test]
fn with_little_room_one_side_shows_and_the_place_is_kept() {
    let mut rig = revised(60, 24);
    open(&mut rig);
    rig.shows("▸ right: question 3 · version 2 of 2");
    rig.shows("telegram");
    rig.shows("(only on the other side)");
    rig.lacks("Elephants");
    rig.key(KeyCode::Char('n'));
    rig.key(KeyCode::Char('n'));
    rig.key(KeyCode::Tab);
    rig.shows("▸ left: question 2");
    rig.shows("3/5 · ");
    rig.shows("❯~ # The captain says that nobody sailed");
    rig.lacks("telegram");
}

#[test]
fn two_questions_are_compared_by_number_or_from_the_ledger() {
    let mut rig = revised(120, 24);
    rig.ask("/compare 1 4");
    rig.shows("question 1 · Where?");
    rig.shows("question 4 · Why?");
    assert_eq!(rig.marks("Nowhere"), "≠");
    rig.key(KeyCode::Esc);
    for (wrong, told) in [
        ("/compare 9 1", "there is no question 9; the first is 1"),
        ("/compare 1 x", "there is no question x"),
        ("/compare 1", "compared by their numbers: /compare 1 2"),
    ] {
        rig.ask(wrong);
        assert!(rig.app.compare.is_none());
        rig.shows(told);
    }
    rig.ask("/ledger");
    rig.key(KeyCode::Char('g'));
    rig.key(KeyCode::Char('m'));
    rig.shows("*1");
    rig.key(KeyCode::Char('j'));
    rig.key(KeyCode::Char('m'));
    assert!(rig.app.ledger.is_none());
    rig.shows("question 1 · Where?");
    rig.shows("question 2 · version 1 of 2");
}

#[test]
fn without_versions_the_newest_thoughts_are_and_without_two_nothing_is() {
    let mut rig = Rig::ready(120, 24);
    open(&mut rig);
    rig.shows("there are no two thoughts to compare yet");
    rig.thinks(1, None, "Where?", &FIRST);
    open(&mut rig);
    assert!(rig.app.compare.is_none());
    rig.thinks(2, None, "When?", &SECOND);
    open(&mut rig);
    rig.shows("question 1 · Where?");
    rig.shows("question 2 · When?");
}

#[test]
fn what_still_grows_is_told_and_nothing_is_written_meanwhile() {
    let mut rig = revised(120, 24);
    rig.question("More?");
    rig.token(Channel::Thinking, "# Let me see\n\n");
    rig.ask("/compare 4 5");
    rig.token(Channel::Thinking, "# Much more\n\n");
    rig.shows("still growing, 1 of 2 seg compared");
    rig.lacks("Much more");
    rig.key(KeyCode::Char('x'));
    assert!(rig.app.composer.is_empty());
    rig.input(Input::Paste("pasted".into()));
    assert!(rig.app.compare.is_none());
    assert_eq!(rig.app.composer.text(), "pasted");
}

#[test]
fn what_is_longer_than_the_screen_is_read_to_its_end_and_back() {
    let mut rig = Rig::ready(120, 12);
    let long: Vec<String> = (0..40).map(|line| format!("line {line} of it")).collect();
    let long = format!("Long\n{}", long.join("\n"));
    rig.thinks(1, None, "Where?", &["Same", &long, "End here"]);
    rig.thinks(2, Some(1), "Where?", &["Same", "Short", "End here"]);
    open(&mut rig);
    let mut seen = String::new();
    for _ in 0..60 {
        seen += &rig.screen();
        rig.key(KeyCode::Char('j'));
    }
    for line in 0..40 {
        assert!(seen.contains(&format!("line {line} of it")), "line {line}");
    }
    rig.shows("3/3 · ");
    rig.shows("End here");
    for _ in 0..60 {
        rig.key(KeyCode::Char('k'));
    }
    rig.shows("1/3 · ");
    rig.shows("# Same");
    rig.key(KeyCode::PageDown);
    rig.lacks("# Same");
    rig.key(KeyCode::Char('G'));
    rig.shows("End here");
    rig.mouse(MouseEventKind::ScrollUp, 5, 5);
    rig.lacks("End here");
    rig.key(KeyCode::Char('g'));
    rig.click("# Same");
    assert!(rig.app.compare.is_some(), "the other side is chosen");
    rig.click("# Same");
    assert!(rig.app.compare.is_none());
    assert_eq!(rig.app.focus(), Focus::Conversation);
}

#[test]
fn nothing_is_drawn_amiss_at_any_size() {
    for (width, height) in [(1, 1), (2, 2), (9, 3), (40, 5), (80, 24), (99, 7), (100, 8), (200, 60)] {
        let mut rig = revised(width, height);
        open(&mut rig);
        rig.screen();
        for key in ['j', 'n', 'h', 'G', 'k', 'N', 'l', 'g'] {
            rig.key(KeyCode::Char(key));
            rig.screen();
        }
        for (width, height) in [(height, width), (150, 9), (3, 3)] {
            rig.input(Input::Resize(Size { width, height }));
            rig.screen();
        }
        rig.key(KeyCode::Enter);
        rig.screen();
    }
}
