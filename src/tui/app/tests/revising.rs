//! Replies had again, questions written again, replies that go on.

use super::*;
use crate::conversation::{Ending, Estimated, Revision};

fn revision(turn: usize, question: Option<&str>) -> Revision {
    Revision {
        turn,
        question: question.map(ToOwned::to_owned),
    }
}

fn estimate(turn: usize, question: Option<&str>) -> Vec<Effect> {
    vec![Effect::Estimate(revision(turn, question))]
}

fn revise(turn: usize, question: Option<&str>) -> Vec<Effect> {
    vec![Effect::Revise(revision(turn, question))]
}

impl Rig {
    /// A question as the conversation tells it.
    fn turn(&mut self, turn: usize, revises: Option<usize>, text: &str) {
        self.event(Event::Question(Question {
            turn,
            revises,
            text: text.into(),
            asked_as: None,
            left_out: 0,
        }));
    }

    fn answer(&mut self, text: &str) {
        self.token(Channel::Answer, text);
        self.finish(StopReason::EndOfSequence);
    }

    fn estimated(&mut self, turn: usize, tokens: usize, kept: usize) -> Vec<Effect> {
        self.input(Input::Conversation(Event::Estimated(Estimated {
            turn,
            tokens,
            kept,
            ms: None,
        })))
    }

    /// Whether the row with this text is drawn as past.
    fn is_past(&mut self, text: &str) -> bool {
        let frame = self.frame();
        let row = frame.iter().position(|line| line.contains(text));
        let row = row.unwrap_or_else(|| panic!("no {text:?} in\n{}", frame.join("\n")));
        let buf = self.buffer();
        buf[(3, row as u16)].modifier.contains(ratatui::style::Modifier::DIM)
    }
}

/// Two questions with their answers, read at 1,000 tokens a second.
fn talked(width: u16, height: u16) -> Rig {
    let mut rig = Rig::ready(width, height);
    rig.prefill(41_233, 41_233);
    rig.finish(StopReason::Prefilled);
    for (turn, question) in [(1, "first"), (2, "second")] {
        rig.ask(question);
        rig.turn(turn, None, question);
        rig.answer(&format!("the {question} reply"));
    }
    rig
}

#[test]
fn a_reply_is_had_again_at_once_if_that_is_cheap() {
    let mut rig = talked(80, 24);
    assert_eq!(rig.ask("/retry"), estimate(2, None));
    assert_eq!(rig.estimated(2, 41_000, 36_000), revise(2, None));
    rig.turn(3, Some(2), "second");
    rig.answer("something else");
    rig.shows("❯ second\n  another reply in the place of the one above, which stays there, dimmed\n\n  something else");
    assert!(rig.is_past("the second reply"));
    assert!(!rig.is_past("the first reply") && !rig.is_past("something else"));
    assert_eq!(rig.app.last_answer().as_deref(), Some("something else"));
}

#[test]
fn what_takes_long_is_told_and_waits_for_a_yes() {
    let mut rig = talked(120, 24);
    rig.ask("/retry 1");
    assert_eq!(rig.estimated(1, 212_480, 180_224), []);
    rig.shows("checkpoint at 180,224 of 212,480: replay 32,256 tokens, about 32 s — Enter to go on, Esc to leave it");
    assert_eq!(rig.key(KeyCode::Esc), []);
    rig.lacks("checkpoint");
    assert_eq!(rig.key(KeyCode::Enter), [], "it is forgotten");
    rig.ask("/retry 1");
    rig.estimated(1, 212_480, 180_224);
    assert_eq!(rig.key(KeyCode::Enter), revise(1, None));
    rig.lacks("checkpoint");
    for (width, height) in [(40, 12), (1, 1), (200, 60)] {
        let mut rig = talked(width, height);
        rig.ask("/retry");
        rig.estimated(2, 212_480, 180_224);
        rig.screen();
    }
}

#[test]
fn without_a_rate_only_little_is_done_without_asking() {
    let mut rig = Rig::ready(100, 24);
    rig.reply("first");
    rig.ask("/retry");
    assert_eq!(rig.estimated(1, 4_000, 0), revise(1, None));
    rig.ask("/retry");
    assert_eq!(rig.estimated(1, 5_000, 0), []);
    rig.shows("no checkpoint: replay 5,000 tokens — Enter");
}

#[test]
fn who_goes_back_is_told_what_the_next_question_costs() {
    let mut rig = talked(120, 30);
    assert_eq!(rig.ask("/rewind"), [Effect::Rewind(1)]);
    rig.input(Input::Conversation(Event::Rewound { turn: 1 }));
    rig.estimated(1, 212_480, 180_224);
    rig.shows("back after question 1");
    rig.shows("the next question: checkpoint at 180,224 of 212,480: replay 32,256 tokens, about 32 s");
    assert!(rig.is_past("the second reply") && !rig.is_past("the first reply"));
    rig.ask("third");
    assert_eq!(rig.ask("/rewind"), [], "what was asked is on its way");
    rig.shows("a question waits for its answer");
    // A price that was asked for before something else was done is of no interest.
    rig.turn(3, None, "third");
    rig.estimated(1, 300_000, 1);
    rig.lacks("299,999");
}

#[test]
fn a_question_is_written_again_and_all_after_it_is_past() {
    let mut rig = talked(80, 30);
    rig.write("a draft");
    rig.press(KeyCode::Char('x'), KeyModifiers::CONTROL);
    rig.key(KeyCode::Char('e'));
    assert_eq!(rig.app.composer.text(), "second");
    rig.shows("writing question 2 again: sending it takes its place — Esc to leave it");
    rig.key(KeyCode::Esc);
    assert_eq!(rig.app.composer.text(), "a draft", "the draft comes back");
    rig.lacks("writing question");
    rig.ctrl('u');

    rig.ask("/edit 1");
    rig.write("!");
    assert_eq!(rig.key(KeyCode::Enter), estimate(1, Some("first!")));
    rig.lacks("writing question");
    assert_eq!(rig.estimated(1, 100, 90), revise(1, Some("first!")));
    rig.turn(3, Some(1), "first!");
    rig.answer("new");
    rig.shows("❯ first!\n  in the place of a question above; what was said stays there, dimmed");
    assert!(rig.is_past("the first reply") && rig.is_past("the second reply"));
    assert!(!rig.is_past("new"));

    rig.ask("/retry 2");
    rig.estimated(2, 100, 90);
    rig.turn(4, Some(2), "second");
    rig.answer("on the old branch");
    assert!(!rig.is_past("the first reply") && rig.is_past("the second reply"));
    assert!(rig.is_past("  new") && !rig.is_past("on the old branch"));
}

#[test]
fn while_reading_the_turn_that_is_read_is_meant() {
    let mut rig = talked(80, 24);
    rig.key(KeyCode::Esc);
    rig.key(KeyCode::Char('g'));
    rig.key(KeyCode::Char('g'));
    assert_eq!(
        rig.key(KeyCode::Char('R')),
        estimate(2, None),
        "above all questions the last one is meant"
    );
    let blocks = rig.app.transcript.blocks();
    let first = blocks
        .iter()
        .position(|block| block.source() == "the first reply")
        .unwrap();
    while rig.app.transcript.cursor_block() < first {
        rig.key(KeyCode::Char('j'));
    }
    assert_eq!(rig.key(KeyCode::Char('R')), estimate(1, None));
}

#[test]
fn what_was_written_is_not_lost_when_it_is_not_wanted_or_not_possible() {
    let mut rig = talked(80, 24);
    rig.ask("/edit");
    rig.write(" thoughts");
    rig.key(KeyCode::Enter);
    rig.estimated(2, 50_000, 0);
    rig.key(KeyCode::Esc);
    assert_eq!(rig.app.composer.text(), "second thoughts");
    rig.key(KeyCode::Enter);
    rig.event(Event::Refused {
        message: "it does not fit".into(),
    });
    rig.shows("! it does not fit");
    assert_eq!(rig.app.composer.text(), "second thoughts");
    assert_eq!(rig.key(KeyCode::Enter), estimate(2, Some("second thoughts")));
}

#[test]
fn what_is_being_written_is_stopped_first() {
    let mut rig = talked(80, 24);
    rig.turn(3, None, "third");
    rig.token(Channel::Thinking, "hm");
    let both = [Effect::Cancel, Effect::Estimate(revision(3, None))];
    assert_eq!(rig.ask("/retry"), both);
    rig.finish(StopReason::Cancelled);
    assert_eq!(rig.estimated(3, 100, 99), revise(3, None));
}

#[test]
fn there_must_be_something_to_have_again() {
    let mut rig = Rig::ready(80, 24);
    assert_eq!(rig.ask("/retry"), []);
    rig.shows("! nothing has been asked yet");
    let mut rig = talked(80, 24);
    assert_eq!(rig.ask("/edit 7"), []);
    rig.shows("! there is no question 7; the first is 1");
    assert_eq!(rig.ask("/retry x"), []);
    assert_eq!(rig.estimated(2, 10, 0), [], "nobody has asked for it");
    rig.input(Input::ConversationEnded(None));
    assert_eq!(rig.ask("/retry"), []);
}

#[test]
fn an_answer_is_asked_for_while_there_is_thinking() {
    let mut rig = talked(80, 24);
    assert_eq!(rig.ask("/answer"), []);
    rig.shows("nothing is being thought that could be ended");
    rig.turn(3, None, "third");
    assert_eq!(rig.ask("/answer"), [Effect::AnswerNow], "also before it begins");
    rig.token(Channel::Thinking, "hm");
    rig.press(KeyCode::Char('x'), KeyModifiers::CONTROL);
    assert_eq!(rig.key(KeyCode::Char('a')), [Effect::AnswerNow]);
    rig.event(Event::ThinkingEnded { by: Ending::Asked });
    rig.shows("  the thinking was ended, as you asked");
    rig.token(Channel::Answer, "so");
    assert_eq!(rig.ask("/answer"), []);
    rig.event(Event::ThinkingEnded { by: Ending::Budget });
    rig.shows("  the thinking was ended: its budget is used up");
}

#[test]
fn a_stopped_reply_goes_on_where_it_stood() {
    let mut rig = talked(80, 30);
    rig.turn(3, None, "third");
    rig.token(Channel::Thinking, "one ");
    rig.token(Channel::Thinking, "two");
    rig.finish(StopReason::Cancelled);
    rig.shows("▸ thought");
    rig.press(KeyCode::Char('x'), KeyModifiers::CONTROL);
    assert_eq!(rig.key(KeyCode::Char('c')), [Effect::Continue]);
    rig.event(Event::Continued { turn: 3 });
    rig.decoded = 2;
    rig.token(Channel::Thinking, " three");
    rig.shows("▾ thinking 0.3 s · 3/80,000 tok");
    rig.shows("│ one two three");
    assert_eq!(rig.ask("/continue"), []);
    rig.shows("the reply is still being written");
    rig.token(Channel::Answer, "half an ");
    rig.finish(StopReason::MaxTokens);
    rig.event(Event::Continued { turn: 3 });
    rig.decoded = 4;
    rig.token(Channel::Answer, "answer");
    rig.finish(StopReason::EndOfSequence);
    rig.shows("  half an answer");
    let thoughts = |rig: &Rig| {
        let blocks = rig.app.transcript.blocks();
        blocks.iter().filter(|block| block.thought().is_some()).count()
    };
    assert_eq!(thoughts(&rig), 1);
    rig.event(Event::Refused { message: "no".into() });
    rig.shows("! no");
}

#[test]
fn a_session_that_was_kept_is_there_from_the_first_frame() {
    let mut told = talked(80, 24);
    let question = |turn, revises, text: &str| {
        Event::Question(Question {
            turn,
            revises,
            text: text.into(),
            asked_as: None,
            left_out: 0,
        })
    };
    let token = |index, channel, text: &str| {
        Event::Token(Token {
            index,
            id: 0,
            text: text.into(),
            channel,
            probability: 1.0,
            entropy: 0.0,
            elapsed: Duration::from_millis(40 * index as u64),
            forced: false,
        })
    };
    let end = Event::Finished(Finished {
        reason: StopReason::EndOfSequence,
        prompt_tokens: 10,
        thinking_tokens: 2,
        answer_tokens: 1,
        decode: Duration::from_secs(2),
        ..Finished::default()
    });
    told.app.recall(vec![
        question(3, None, "kept"),
        token(0, Channel::Thinking, "hm "),
        token(1, Channel::Thinking, "hm"),
        token(2, Channel::Answer, "it is kept"),
        end.clone(),
        question(4, Some(3), "kept"),
        token(0, Channel::Answer, "differently"),
        end,
    ]);
    told.shows("▸ thought 0.0 s · 2 tok");
    assert!(told.is_past("it is kept") && !told.is_past("differently"));
    assert_eq!(told.app.activity.phase(), Phase::Ready);
    assert_eq!(told.ask("/retry"), estimate(4, None));
}

#[test]
fn recalling_is_the_same_as_having_been_there() {
    let shipped = crate::session::shipped("eighty-days").unwrap();
    let record = crate::session::Record::parse("eighty-days", shipped.as_bytes()).unwrap();
    let events: Vec<Event> = record.events.into_iter().map(|(_, event)| event).collect();
    let question = events
        .iter()
        .position(|event| matches!(event, Event::Question(_)))
        .unwrap();
    let second = events
        .iter()
        .position(|event| matches!(event, Event::Question(q) if q.turn == 2))
        .unwrap();
    // The beginning of a long thought, and all that comes after it.
    let parts = [&events[..question + 3_000], &events[second - 600..]].concat();
    let (mut there, mut later) = (Rig::new(100, 40), Rig::new(100, 40));
    for event in parts.clone() {
        there.input(Input::Conversation(event));
    }
    later.app.recall(parts);
    assert_eq!(there.screen(), later.screen());
    for rig in [&mut there, &mut later] {
        rig.key(KeyCode::Home);
        rig.key(KeyCode::Tab);
    }
    assert_eq!(there.screen(), later.screen());
    for (a, b) in there.app.transcript.blocks().iter().zip(later.app.transcript.blocks()) {
        assert_eq!((&a.kind, a.source(), a.past), (&b.kind, b.source(), b.past));
    }
}
