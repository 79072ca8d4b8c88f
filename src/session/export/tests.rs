use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::conversation::{Citation, Event, Question, Verdict};
use crate::engine::{Finished, StopReason, Token};
use crate::session::note::{Note, Sent};
use crate::trace::Channel;

const ALL: Scope = Scope { thinking: true };

fn token(index: usize, channel: Channel, text: &str) -> Event {
    Event::Token(Token {
        index,
        id: 7,
        text: text.into(),
        channel,
        probability: 0.5,
        entropy: 1.0,
        elapsed: Duration::from_millis(100 * index as u64),
        forced: false,
    })
}

fn question(turn: usize, revises: Option<usize>, text: &str) -> Event {
    Event::Question(Question {
        turn,
        revises,
        text: text.into(),
        asked_as: None,
        left_out: 0,
    })
}

fn finished(reason: StopReason) -> Event {
    Event::Finished(Finished {
        reason,
        ..Finished::default()
    })
}

fn record() -> Record {
    let citation = Event::Citation(Citation {
        channel: Channel::Answer,
        path: "a<b>.rs".into(),
        line: 3,
        section: None,
        quote: "x".into(),
        verdict: Verdict::Verified,
    });
    let events = vec![
        question(1, None, "Where is `x` & <y>?\n## Answer"),
        token(0, Channel::Thinking, "Hm </details><script>"),
        token(1, Channel::Thinking, "alert(1)</script>"),
        token(2, Channel::Answer, "## Question\n\n```rust\nlet x"),
        citation,
        token(3, Channel::Answer, " = \"`\";\n```\nas `x` is"),
        finished(StopReason::Cancelled),
        question(2, Some(1), "Again?"),
        token(0, Channel::Answer, "Yes"),
        finished(StopReason::EndOfSequence),
    ];
    let events = events
        .into_iter()
        .map(|event| (Duration::from_secs(2), event))
        .collect();
    let sent = Sent::Ask { text: "Again?".into() };
    Record {
        header: Header {
            began: 1_795_836_014_000,
            ..Header::new("pico", "")
        },
        events,
        notes: vec![(7, Duration::from_secs(2), Note::Sent { wall: 5, what: sent })],
        ..Record::default()
    }
}

/// The same without times and what only the place in a file says.
fn bare(record: Record) -> (Vec<Event>, Vec<(usize, Duration, Note)>, String) {
    let events = record.events.into_iter().map(|(_, event)| event).collect();
    (events, record.notes, record.header.model)
}

#[test]
fn json_html_and_lines_hold_the_session_itself() {
    for form in [Form::Json, Form::Html, Form::Lines] {
        let text = export(&record(), form, ALL);
        let back = import(text.as_bytes()).unwrap();
        assert!(back.notices.is_empty(), "{form:?}: {:?}", back.notices);
        assert_eq!(back.header.began, record().header.began);
        assert_eq!(bare(back), bare(record()), "{form:?}");
    }
}

#[test]
fn markdown_holds_what_was_said() {
    let text = export(&record(), Form::Markdown, ALL);
    assert!(
        text.starts_with("# Where is `x` & <y>? ## Answer\n\n*Model: pico*\n"),
        "{text}"
    );
    assert!(
        text.contains("\n## Question 1, set aside\n") && text.contains("\n## Question 2, instead of 1\n"),
        "{text}"
    );
    assert!(
        text.contains("- a<b>.rs:3 verified\n") && text.contains("*2 tokens, 0.1 s*"),
        "{text}"
    );
    let said = |record: &Record| -> Vec<(usize, Option<usize>, String, String, String)> {
        let of = |piece: &Piece| match piece {
            Piece::Thinking { text, .. } => (text.clone(), String::new()),
            Piece::Answer(text) => (String::new(), text.trim_matches('\n').to_owned()),
            _ => Default::default(),
        };
        let turns = Talk::of(record).turns.into_iter();
        turns
            .map(|turn| {
                let (thought, answer): (Vec<_>, Vec<_>) = turn.pieces.iter().map(of).unzip();
                (
                    turn.number,
                    turn.revises,
                    turn.question,
                    thought.concat(),
                    answer.concat(),
                )
            })
            .collect()
    };
    let back = import(text.as_bytes()).unwrap();
    assert_eq!(said(&back), said(&record()));
    assert_eq!(back.header.model, "pico");
}

#[test]
fn a_page_holds_nothing_that_runs_but_its_own_script() {
    let page = export(&record(), Form::Html, ALL);
    assert_eq!(page.matches("<script").count(), 2, "{page}");
    assert_eq!(page.matches("<details").count(), 1, "{page}");
    assert!(page.contains("default-src 'none'"));
    assert!(
        !page.contains("http://") && !page.contains("https://"),
        "it needs nothing else"
    );
    assert!(
        page.contains("<pre><code>let x = &quot;`&quot;;\n</code></pre>"),
        "{page}"
    );
    assert!(page.contains("as <code>x</code> is"), "{page}");
    assert!(page.contains("class=\"turn past\" id=\"turn-1\""), "{page}");
}

#[test]
fn thinking_can_be_left_out() {
    for form in [Form::Markdown, Form::Json, Form::Html, Form::Lines] {
        let text = export(&record(), form, Scope { thinking: false });
        assert!(!text.contains("Hm "), "{form:?}: {text}");
        assert!(text.contains("Again?"), "{form:?}");
    }
}

#[test]
fn what_is_redacted_is_nowhere() {
    // Put together here, so that this file is not left out of its own context.
    let key = format!("{}{}", "ghp_", "a1B2".repeat(9));
    let mut record = record();
    let (head, tail) = key.split_at(11);
    record
        .events
        .insert(1, (Duration::ZERO, token(0, Channel::Answer, &format!("it is {head}"))));
    record
        .events
        .insert(2, (Duration::ZERO, token(1, Channel::Answer, &tail[..5])));
    record.events.insert(
        3,
        (
            Duration::ZERO,
            token(2, Channel::Answer, &format!("{} and", &tail[5..])),
        ),
    );
    record.events.push((
        Duration::ZERO,
        Event::Failed {
            message: "someone@example.org: /home/someone/x, project Blue Moon".into(),
        },
    ));
    let redaction = Redaction::new(&["(?i)blue moon".into()], Some("/home/someone".into())).unwrap();
    let redacted = redaction.apply(&record);
    for form in [Form::Markdown, Form::Json, Form::Html, Form::Lines] {
        let text = export(&redacted, form, ALL);
        for secret in [&key, head, "someone", "Blue", &tail[..5]] {
            assert!(!text.contains(secret), "{form:?}: {secret} in {text}");
        }
    }
    let markdown = export(&redacted, Form::Markdown, ALL);
    assert!(markdown.contains("it is [redacted] and"), "{markdown}");
    assert!(markdown.contains("[redacted]: ~/x, project [redacted]"), "{markdown}");
    let lines = export(&redacted, Form::Lines, ALL);
    assert!(
        !lines.contains("\"ids\""),
        "what tokens were says what they said: {lines}"
    );
    assert_eq!(redacted.events.len(), record.events.len());
    assert!(Redaction::new(&["(".into()], None).unwrap_err().starts_with("(: "));
}

#[test]
fn other_files_are_no_sessions() {
    for bytes in [
        &b""[..],
        b"\xff\xfe",
        b"# Notes\n",
        b"{}",
        b"{\"format\":\"x\"}",
        b"<html></html>",
        b"{\"format\":",
    ] {
        assert!(import(bytes).is_err());
    }
}

proptest! {
    #[test]
    fn any_text_survives_all_forms(question_text in any::<String>(), thought in any::<String>(), answer in any::<String>()) {
        let mut record = record();
        record.events = vec![
            (Duration::ZERO, question(1, None, &question_text)),
            (Duration::ZERO, token(0, Channel::Thinking, &thought)),
            (Duration::ZERO, token(1, Channel::Answer, &answer)),
            (Duration::ZERO, finished(StopReason::EndOfSequence)),
        ];
        record.notes.clear();
        for form in [Form::Json, Form::Html, Form::Lines] {
            let back = import(export(&record, form, ALL).as_bytes()).unwrap();
            prop_assert_eq!(&back.events, &record.events);
        }
        import(export(&record, Form::Markdown, ALL).as_bytes()).unwrap();
    }

    #[test]
    fn redaction_goes_across_tokens_wherever_they_are_cut(cuts in prop::collection::vec(1usize..9, 1..12)) {
        let whole = "before secret-word after secret-word.";
        let mut record = record();
        record.events = vec![(Duration::ZERO, question(1, None, "?"))];
        let mut at = 0;
        for (index, cut) in cuts.iter().chain([&99]).enumerate() {
            let end = (at + cut).min(whole.len());
            record.events.push((Duration::ZERO, token(index, Channel::Answer, &whole[at..end])));
            at = end;
        }
        record.notes.clear();
        let redacted = Redaction::new(&["secret-word".into()], None).unwrap().apply(&record);
        let text: String = redacted.events.iter().filter_map(|(_, event)| match event {
            Event::Token(token) => Some(&*token.text),
            _ => None,
        }).collect();
        prop_assert_eq!(text, "before [redacted] after [redacted].");
    }
}
