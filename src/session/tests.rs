use std::sync::mpsc::channel;
use std::time::Duration;

use proptest::prelude::*;

use super::line::seal;
use super::*;
use crate::conversation::{Cause, Change, Citation, Documents, Event, Exclusion, Loading, Note, Planned, Question};
use crate::conversation::{Request, Skipped, Verdict};
use crate::engine::{Finished, Prefill, StopReason, Token};
use crate::trace::Channel;

fn token(index: usize, channel: Channel, text: &str) -> Token {
    Token {
        index,
        id: 40 + index as u32,
        text: text.into(),
        channel,
        probability: 0.25,
        entropy: 1.5,
        elapsed: Duration::from_millis(32 * index as u64 + 32),
        forced: false,
    }
}

fn finished(reason: StopReason) -> Finished {
    Finished {
        reason,
        prompt_tokens: 9,
        cached_tokens: 1,
        thinking_tokens: 3,
        answer_tokens: 4,
        prefill: Duration::from_millis(250),
        decode: Duration::from_millis(1750),
        ..Finished::default()
    }
}

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// One event of each kind.
fn session() -> Vec<(Duration, Event)> {
    let refused = Skipped {
        tokens: Some(3),
        bytes: Some(9),
        estimated: true,
        ..Skipped::new("a.bin", Exclusion::Binary, "binary")
    };
    let citation = |verdict, section| Citation {
        channel: Channel::Answer,
        path: "a.rs".into(),
        line: 3,
        section,
        quote: "x\ty".into(),
        verdict,
    };
    let reason = "not there".to_owned();
    vec![
        (
            at(0),
            Event::Loading(Loading {
                files: 1,
                total_files: 2,
                tokens: 3,
            }),
        ),
        (
            at(1),
            Event::Documents(Documents {
                offset: 1,
                files: 2,
                lines: 3,
                tokens: 4,
                context_limit: 5,
                skipped: vec![refused.clone()],
                notes: vec![Note {
                    path: "b".into(),
                    note: "c".into(),
                }],
                ..Documents::default()
            }),
        ),
        (
            at(1),
            Event::Prefill(Prefill {
                done: 1,
                total: 2,
                cached: 0,
                rate: 12.5,
            }),
        ),
        (at(2), Event::Finished(finished(StopReason::Prefilled))),
        (
            at(3),
            Event::Planned(Planned {
                id: 1,
                cause: Cause::Changed,
                added: vec!["a".into()],
                removed: Vec::new(),
                changed: Vec::new(),
                refused: vec![refused],
                tokens: 1,
                context_limit: 2,
                prefill: 3,
                prompt: 4,
                ms: Some(5),
            }),
        ),
        (at(3), Event::PlanFailed { message: "no".into() }),
        (
            at(4),
            Event::Question(Question {
                turn: 1,
                text: "what “is” it?\n".into(),
                ..Question::default()
            }),
        ),
        (at(5), Event::Token(token(0, Channel::Thinking, "Wa\u{1f642}"))),
        (
            at(5) + Duration::from_millis(32),
            Event::Token(token(1, Channel::Thinking, "it")),
        ),
        (
            at(5) + Duration::from_millis(32),
            Event::Token(token(1, Channel::Answer, "\n")),
        ),
        (
            at(6),
            Event::Token(Token {
                forced: true,
                ..token(2, Channel::Answer, "")
            }),
        ),
        (at(6), Event::Citation(citation(Verdict::Verified, None))),
        (
            at(6),
            Event::Citation(citation(Verdict::Unverified { reason }, Some("§ 1".into()))),
        ),
        (at(7), Event::Finished(finished(StopReason::Repetition { tokens: 7 }))),
        (
            at(8),
            Event::Question(Question {
                turn: 2,
                revises: Some(1),
                text: "again".into(),
                asked_as: Some("Again?".into()),
                left_out: 0,
            }),
        ),
        (
            at(9),
            Event::Failed {
                message: "out of memory".into(),
            },
        ),
    ]
}

fn written(events: &[(Duration, Event)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut recorder = Recorder::new(&mut bytes, &Header::new("pico", "a note")).unwrap();
    for (at, event) in events {
        recorder.event(*at, event).unwrap();
    }
    recorder.flush().unwrap();
    bytes
}

fn read(bytes: &[u8]) -> Record {
    Record::parse("x", bytes).unwrap()
}

#[test]
fn what_was_written_is_read() {
    let record = read(&written(&session()));
    assert_eq!(record.events, session());
    assert_eq!(record.header, Header::new("pico", "a note"));
    assert!(record.notices.is_empty(), "{:?}", record.notices);
}

#[test]
fn tokens_are_written_in_runs() {
    let tokens: Vec<_> = (0..1000)
        .map(|i| {
            (
                Duration::from_millis(1000 + 32 * i as u64),
                Event::Token(Token {
                    id: 0,
                    ..token(i, Channel::Thinking, " word")
                }),
            )
        })
        .collect();
    let bytes = written(&tokens);
    assert!(bytes.len() < 1000 * 25, "{} bytes", bytes.len());
    assert!(bytes.split(|&byte| byte == b'\n').count() < 20);
    assert_eq!(read(&bytes).events, tokens);
}

#[test]
fn what_comes_late_is_written_only_when_asked() {
    let mut bytes = Vec::new();
    let mut recorder = Recorder::new(&mut bytes, &Header::default()).unwrap();
    recorder
        .event(at(0), &Event::Token(token(0, Channel::Answer, "x")))
        .unwrap();
    recorder.flush().unwrap();
    recorder
        .event(at(0), &Event::Token(token(1, Channel::Answer, "y")))
        .unwrap();
    drop(recorder);
    assert_eq!(read(&bytes).events.len(), 1);
}

#[test]
fn damage_ends_a_record_and_is_told() {
    let whole = written(&session());
    let with = |tail: &[u8]| read(&[&whole, tail].concat());
    for (tail, told) in [
        (&b"\0\0\0"[..], "nothing but NUL bytes: 3 bytes"),
        (b"{\"at\":9,\"type\":\"fai", "is not complete: 19 bytes"),
        (
            b"junk\n\xff{\"at\":9,\"type\":\"failed\",\"message\":\"x\"}\n",
            "is damaged",
        ),
        (b"\xff\xfe\n", "is damaged"),
    ] {
        let record = with(tail);
        assert_eq!(record.events, session(), "{told}");
        assert!(
            record.notices[0].contains(told) && record.notices[0].contains("line"),
            "{:?}",
            record.notices
        );
    }
    let last = with(b"\n  \n\0\0");
    assert_eq!((last.events.len(), last.notices.len()), (session().len(), 1));
    // A line without its sum is of an earlier version, or damaged.
    let unsummed = b"{\"at\":9000,\"type\":\"failed\",\"message\":\"x\"}";
    assert_eq!(with(unsummed).events.len(), session().len());
    let earlier = [
        &b"{\"type\":\"session\",\"version\":1,\"made_by\":\"\",\"model\":\"\"}\n"[..],
        unsummed,
    ]
    .concat();
    assert_eq!((read(&earlier).events.len(), read(&earlier).notices.len()), (1, 0));
}

#[test]
fn what_follows_a_damaged_line_is_read() {
    let whole = written(&session());
    let lines: Vec<&[u8]> = whole.split_inclusive(|&byte| byte == b'\n').collect();
    let broken = [
        lines[..4].concat(),
        vec![0; 5],
        lines[4..6].concat(),
        b"to".to_vec(),
        lines[7..].concat(),
    ]
    .concat();
    let record = read(&broken);
    let lost = session().len() - record.events.len();
    assert!((1..=2).contains(&lost), "{lost}");
    assert_eq!(record.events.last(), session().last());
    assert!(
        record.notices[0].contains("begins with NUL bytes: 5 bytes"),
        "{:?}",
        record.notices
    );
    assert!(record.notices[1].contains("is damaged"), "{:?}", record.notices);

    let headless = &whole[lines[0].len() / 2..];
    assert_eq!(Record::salvage(headless).events, session());
    assert!(Record::salvage(headless).notices[0].contains("header"));
    assert_eq!(Record::salvage(b"").events, []);
}

#[test]
fn a_bit_that_flipped_costs_its_line_and_nothing_is_made_of_it() {
    let whole = written(&session());
    let body = whole.iter().position(|&byte| byte == b'\n').unwrap() + 1;
    let all = session();
    for at in body..whole.len() {
        for bit in 0..8 {
            let mut flipped = whole.clone();
            flipped[at] ^= 1 << bit;
            let record = read(&flipped);
            assert!(!record.notices.is_empty(), "byte {at} bit {bit} is not noticed");
            let mut rest = all.iter();
            let kept = record.events.iter().all(|event| rest.any(|known| known == event));
            assert!(kept, "byte {at} bit {bit} made something up");
            assert!(record.events.len() + 4 >= all.len(), "byte {at} bit {bit}");
        }
    }
}

#[test]
fn lines_of_later_versions_are_passed_over_and_told() {
    let whole = written(&session());
    let text = String::from_utf8(whole).unwrap();
    let mut later = text.replacen("\"version\":2", "\"version\":7", 1).into_bytes();
    for line in ["hologram\",\"x\":1", "hologram\"", "question\""] {
        let mut line = format!("{{\"at\":1,\"type\":\"{line}}}").into_bytes();
        seal(&mut line);
        later.extend(line);
    }
    let record = read(&later);
    assert_eq!(record.events, session());
    assert!(record.notices[0].contains("header, is damaged"), "{:?}", record.notices);
    assert!(record.notices[1].contains("version 7"), "{:?}", record.notices);
    assert!(
        record.notices[2].contains("2 of `hologram`, 1 of `question`"),
        "{:?}",
        record.notices
    );
}

#[test]
fn columns_that_do_not_fit_each_other_are_passed_over() {
    // Of a version without sums.
    let header = serde_json::to_string(&Header::default()).unwrap();
    for run in [
        r#""channel":"answer","from":0,"texts":["a","b"],"p":[1],"h":[1,1],"ms":[1,1]"#,
        r#""channel":"answer","from":0,"texts":["a"],"p":[1],"h":[1],"ms":[1],"ids":[1,2]"#,
        r#""channel":"answer","from":18446744073709551615,"texts":["a"],"p":[1],"h":[1],"ms":[1]"#,
        r#""channel":"answer","from":0,"texts":[],"p":[],"h":[],"ms":[]"#,
        r#""channel":"answer","from":0,"texts":["a"],"p":[-1],"h":[1],"ms":[1]"#,
        r#""channel":"elsewhere","from":0,"texts":["a"],"p":[1],"h":[1],"ms":[1]"#,
    ] {
        let record = read(format!("{header}\n{{\"at\":1,\"type\":\"tokens\",{run}}}\n").as_bytes());
        assert_eq!((record.events.len(), record.notices.len()), (0, 1), "{run}");
    }
    let large = r#"{"at":18446744073709551615,"type":"tokens","channel":"answer","from":3,"texts":["a","b"],"p":[4294967295,1],"h":[1,4294967295],"ms":[4294967295,4294967295]}"#;
    let record = read(format!("{header}\n{large}\n").as_bytes());
    let [(_, Event::Token(first)), (_, Event::Token(second))] = record.events.as_slice() else {
        panic!("{record:?}")
    };
    assert!(first.probability <= 1.0 && second.index == 4);
    for seconds in ["-1", "1e30", "null"] {
        let line = serde_json::to_string(&Event::Finished(finished(StopReason::Cancelled))).unwrap();
        let line = line.replace("0.25", seconds).replacen('{', "{\"at\":1,", 1);
        assert_eq!(read(format!("{header}\n{line}\n").as_bytes()).events, [], "{line}");
    }
}

#[test]
fn other_files_are_refused() {
    for bytes in [&b""[..], b"\0", b"{}", b"{\"type\":\"question\"}\n", b"# Notes\n"] {
        let error = Record::parse("notes.md", bytes).unwrap_err().to_string();
        assert!(error.contains("notes.md") && error.contains("--record"), "{error}");
    }
    let missing = Record::open(std::path::Path::new("/no/such")).unwrap_err().to_string();
    assert!(missing.contains("/no/such"), "{missing}");
}

#[test]
fn turns_have_their_figures() {
    let events = session();
    let turns = turns(events.iter().map(|(_, event)| event));
    let [first, second] = turns.as_slice() else {
        panic!("{turns:?}")
    };
    assert_eq!((first.thinking_tokens, first.answer_tokens, first.citations), (2, 1, 2));
    assert_eq!(
        (first.took, first.reason),
        (at(2), Some(StopReason::Repetition { tokens: 7 }))
    );
    assert_eq!(
        (second.number, second.revises, second.reason, &*second.question),
        (2, Some(1), None, "again")
    );
}

#[test]
fn a_record_that_stops_in_the_middle_is_concluded() {
    let all = session();
    assert_eq!(conclusion(&all), None);
    assert_eq!(conclusion(&all[..4]), None, "ready");
    assert_eq!(conclusion(&all[..6]), None, "plans do not end anything");
    for n in [0, 1, 3, 8] {
        assert!(matches!(conclusion(&all[..n]), Some(Event::Failed { .. })), "{n}");
    }
}

fn played(
    events: Vec<(Duration, Event)>,
    speed: f64,
) -> (crate::conversation::Handle, std::sync::mpsc::Receiver<Event>) {
    let (send, heard) = channel();
    let sink = Box::new(move |event| drop(send.send(event)));
    (replay(events, Speed::new(speed).unwrap(), sink), heard)
}

#[test]
fn a_replay_gives_all_events_and_then_refuses() {
    let (handle, heard) = played(session(), 1e6);
    handle.send(Request::Ask("and now?".into())).unwrap();
    handle.send(Request::Plan(Change::default())).unwrap();
    let mut events: Vec<Event> = (0..session().len() + 2).map(|_| heard.recv().unwrap()).collect();
    let refused: Vec<Event> = events
        .extract_if(.., |event| !session().iter().any(|(_, known)| known == event))
        .collect();
    assert_eq!(
        events,
        session().into_iter().map(|(_, event)| event).collect::<Vec<_>>()
    );
    assert!(
        refused
            .iter()
            .any(|event| matches!(event, Event::Failed { message } if message.contains("nothing can be asked")))
    );
    assert!(
        refused
            .iter()
            .any(|event| matches!(event, Event::PlanFailed { message } if message.contains("without its documents")))
    );
    drop(handle);
    assert!(heard.recv().is_err(), "the replay ends with its last handle");
}

#[test]
fn a_replay_can_be_stopped() {
    let mut events = session();
    events.push((at(1_000_000), Event::PlanFailed { message: "late".into() }));
    let (handle, heard) = played(events, 1e6);
    for _ in session() {
        heard.recv().unwrap();
    }
    handle.send(Request::Cancel).unwrap();
    let Ok(Event::Finished(finished)) = heard.recv() else {
        panic!()
    };
    assert_eq!(finished.reason, StopReason::Cancelled);
    handle.send(Request::Ask("x".into())).unwrap();
    assert!(matches!(heard.recv(), Ok(Event::Failed { .. })));
}

#[test]
fn a_replay_takes_its_time() {
    let events = vec![
        (at(10), Event::PlanFailed { message: "a".into() }),
        (at(12), Event::PlanFailed { message: "b".into() }),
    ];
    let began = std::time::Instant::now();
    let (_handle, heard) = played(events, 20.0);
    heard.recv().unwrap();
    heard.recv().unwrap();
    assert!(began.elapsed() >= Duration::from_millis(100));
    assert!(Speed::new(0.0).is_none() && Speed::new(f64::NAN).is_none());
}

#[test]
fn the_records_that_ship_are_whole() {
    for name in shipped_names() {
        let record = Record::parse(name, shipped(name).unwrap().as_bytes()).unwrap();
        assert!(record.notices.is_empty(), "{name}: {:?}", record.notices);
        assert_eq!(conclusion(&record.events), None, "{name}");
        assert!(record.header.note.len() > 20, "{name} says what it is");
    }
    assert_eq!(shipped("nothing"), None);
}

fn any_event() -> impl Strategy<Value = Event> {
    let text = || prop_oneof!["[a-z ]{0,6}", any::<String>()];
    let channel = || prop_oneof![Just(Channel::Thinking), Just(Channel::Answer)];
    let token = (
        0usize..6,
        any::<u32>(),
        text(),
        channel(),
        0u32..=1000,
        0u32..9000,
        0u64..9000,
        any::<bool>(),
    );
    prop_oneof![
        8 => token.prop_map(|(index, id, text, channel, p, h, ms, forced)| Event::Token(Token {
            index, id, text, channel, forced,
            probability: p as f32 / 1000.0,
            entropy: h as f32 / 1000.0,
            elapsed: Duration::from_millis(ms),
        })),
        1 => (any::<usize>(), any::<Option<usize>>(), text()).prop_map(|(turn, revises, text)| {
            Event::Question(Question { turn, revises, text, asked_as: None, left_out: turn })
        }),
        1 => text().prop_map(|message| Event::Failed { message }),
    ]
}

proptest! {
    #[test]
    fn any_session_is_read_as_it_was_written(events in prop::collection::vec(any_event(), 0..60)) {
        let events: Vec<(Duration, Event)> = events.into_iter().map(|event| (at(3), event)).collect();
        let record = read(&written(&events));
        prop_assert!(record.notices.is_empty());
        let read: Vec<Event> = record.events.into_iter().map(|(_, event)| event).collect();
        let meant: Vec<Event> = events.into_iter().map(|(_, event)| event).collect();
        prop_assert_eq!(read, meant);
    }

    #[test]
    fn any_truncation_and_any_tail_leave_a_prefix(cut in 0.0..1.0f64, nuls in 0usize..20) {
        let whole = written(&session());
        let header = whole.iter().position(|&byte| byte == b'\n').unwrap();
        let cut = header + 1 + ((whole.len() - header - 1) as f64 * cut) as usize;
        let torn = [&whole[..cut], &vec![0; nuls]].concat();
        let record = read(&torn);
        let all = session();
        prop_assert_eq!(&record.events[..], &all[..record.events.len()]);
        let complete = cut == whole.len() || whole[cut - 1] == b'\n' || whole[cut] == b'\n';
        prop_assert_eq!(record.notices.is_empty(), complete && (nuls == 0));
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes: Vec<u8>, flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8)) {
        let _ = Record::parse("x", &bytes);
        let mut whole = written(&session());
        for (at, byte) in flips {
            let at = at.index(whole.len());
            whole[at] = byte;
        }
        let _ = Record::parse("x", &whole);
    }
}
