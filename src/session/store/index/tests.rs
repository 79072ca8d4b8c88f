use std::fs;

use super::super::Open;
use super::*;
use crate::conversation::{Event, Question};
use crate::engine::Token;
use crate::session::note::{Note, Sent};
use crate::session::write::Recorder;
use crate::session::{Header, Packed};

fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::at(folder.path());
    (folder, store)
}

fn token(index: usize, channel: Channel, text: &str) -> Event {
    Event::Token(Token {
        index,
        id: 1,
        text: text.into(),
        channel,
        probability: 1.0,
        entropy: 0.0,
        elapsed: Duration::ZERO,
        forced: false,
    })
}

/// A turn with a question, a thought and an answer.
fn turn(number: usize, question: &str, thought: &str, answer: &str) -> Vec<Event> {
    let question = Event::Question(Question {
        turn: number,
        text: question.into(),
        ..Question::default()
    });
    let (thought, answer) = (token(0, Channel::Thinking, thought), token(1, Channel::Answer, answer));
    vec![question, thought, answer]
}

fn write(open: &mut Open, events: &[Event]) {
    let mut recorder = Recorder::resumed(Vec::new());
    for event in events {
        recorder.event(Duration::ZERO, event).unwrap();
    }
    recorder.flush().unwrap();
    open.journal.append(recorder.out()).unwrap();
}

fn session(store: &Store, folder: &str, events: &[Event]) -> String {
    let mut open = store.create(Header::new("pico", "")).unwrap();
    let opened = Open::opened("pico", Path::new(folder), vec!["src".into(), "a b".into()], Vec::new());
    open.note(&Note::Opened(opened)).unwrap();
    write(&mut open, events);
    open.name.clone()
}

fn refreshed(store: &Store) -> (Index, usize) {
    let mut index = Index::open(store).unwrap();
    let taken = index.refresh(|| true).unwrap();
    (index, taken)
}

#[test]
fn what_was_said_is_found_wherever_it_was_said() {
    let (_folder, store) = store();
    let first = session(
        &store,
        "/a",
        &turn(1, "Where is the zebra?", "Hmm, a Quagga\nperhaps", "Behind été."),
    );
    let second = session(
        &store,
        "/b",
        &[
            turn(1, "Why?", "", ""),
            turn(2, "And the needle_fn?", "", "It eats zebras"),
        ]
        .concat(),
    );
    let (index, taken) = refreshed(&store);
    assert_eq!(taken, 2);
    let found = |text: &str| -> Vec<(String, usize)> {
        let hits = index.search(text, 10).unwrap();
        hits.into_iter().map(|hit| (hit.session.name, hit.turn)).collect()
    };
    let one = vec![(first.clone(), 1)];
    assert_eq!(found("quagga"), one);
    assert_eq!(found("QUAGGA zeb"), one, "of several words, all");
    assert_eq!(found("ete"), one, "accents do not matter");
    assert_eq!(found("needle"), [(second.clone(), 2)]);
    assert_eq!(found("zebra").len(), 2, "a beginning will do");
    assert_eq!(found("zebra ").len(), 1, "a word that is over is a word");
    for odd in ["", "\"", "NOT", "a* OR", "question:x", "-", "(", "zebra AND"] {
        let _ = found(odd);
    }
    let hit = &index.search("quagga", 10).unwrap()[0];
    let excerpt = hit.excerpt.as_ref().unwrap();
    assert_eq!(
        (excerpt.part, &*excerpt.text),
        (Part::Thinking, "Hmm, a Quagga perhaps")
    );
    assert_eq!(hit.question, "Where is the zebra?");
}

#[test]
fn a_list_has_what_a_person_wants_to_know() {
    let (_folder, store) = store();
    let name = session(&store, "/home/x", &turn(1, "What?", "Hm", "That."));
    session(&store, "/home/x", &[]);
    let packed = Packed {
        path: "a".into(),
        bytes: 1,
        hash: "0".into(),
    };
    for note in [
        Note::Sent {
            wall: u64::MAX / 4,
            what: Sent::Ask { text: "What?".into() },
        },
        Note::Packed {
            documents: vec![packed],
            gone: Vec::new(),
        },
        Note::Renamed { title: "mine".into() },
        Note::Tagged {
            tags: vec!["one".into(), "two words".into()],
        },
    ] {
        store.annotate(&name, &note).unwrap();
    }
    let fork = store.fork(&name, Some(1)).unwrap();
    let (index, _) = refreshed(&store);
    let all = index.sessions().unwrap();
    assert_eq!(all.len(), 2, "one in which nothing was asked is none");
    let first = &all[0];
    assert_eq!((&*first.name, &*first.title, &*first.model), (&*name, "mine", "pico"));
    assert_eq!((first.turns, first.tokens, first.documents), (1, 2, 1));
    assert_eq!(first.tags, ["one", "two words"]);
    assert_eq!((&*first.folder, &*first.last), ("/home/x", "What?"));
    assert_eq!((&*all[1].name, &all[1].forked), (&*fork, &Some((name.clone(), 1))));
    let paths = ["src".to_owned(), "a b".to_owned()];
    assert_eq!(index.last_about("/home/x", &paths).unwrap().unwrap().name, name);
    assert_eq!(index.last_about("/home/x", &paths[..1]).unwrap(), None);
}

#[test]
fn only_what_has_changed_is_read_again() {
    let (_folder, store) = store();
    let name = session(&store, "/", &turn(1, "alpha", "", ""));
    let other = session(&store, "/", &turn(1, "beta", "", ""));
    assert_eq!(refreshed(&store).1, 2);
    assert_eq!(refreshed(&store).1, 0);
    let (mut open, _) = store.open(&name).unwrap();
    write(&mut open, &turn(2, "gamma", "", ""));
    drop(open);
    let (index, taken) = refreshed(&store);
    assert_eq!(taken, 1);
    assert_eq!(index.search("gamma", 9).unwrap().len(), 1);
    assert_eq!(index.search("alpha", 9).unwrap().len(), 1, "and not twice");
    store.delete(&other).unwrap();
    let (index, taken) = refreshed(&store);
    assert_eq!((taken, index.search("beta", 9).unwrap().len()), (0, 0));
    assert_eq!(index.sessions().unwrap().len(), 1);
    store.restore(&other).unwrap();
    assert_eq!(refreshed(&store).1, 1);
}

#[test]
fn an_index_that_is_lost_or_damaged_is_made_again() {
    let (_folder, store) = store();
    session(&store, "/", &turn(1, "alpha", "", ""));
    drop(refreshed(&store));
    let path = path_of(&store);
    let whole = fs::read(&path).unwrap();
    for damaged in [Vec::new(), b"no database at all, but long enough".repeat(200), {
        let mut torn = whole.clone();
        torn[4096..].fill(0xa5);
        torn
    }] {
        remove(&path);
        fs::write(&path, damaged).unwrap();
        let (index, _) = refreshed(&store);
        assert_eq!(index.search("alpha", 9).unwrap().len(), 1);
    }
    remove(&path);
    fs::create_dir(&path).unwrap();
    let (index, _) = refreshed(&store);
    assert_eq!(index.search("alpha", 9).unwrap().len(), 1, "in memory, if need be");
}
