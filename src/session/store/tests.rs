use std::fs;
use std::path::Path;

use super::*;
use crate::conversation::{Event, Question};

fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::at(folder.path().join("sessions"));
    (folder, store)
}

fn question(turn: usize, text: &str) -> Event {
    Event::Question(Question {
        turn,
        text: text.to_owned(),
        ..Question::default()
    })
}

/// Writes events into a session, as if they had been said.
fn say(store: &Store, name: &str, events: &[Event]) {
    let (mut open, _) = store.open(name).unwrap();
    let mut recorder = Recorder::resumed(Vec::new());
    for event in events {
        recorder.event(Duration::from_secs(1), event).unwrap();
    }
    recorder.flush().unwrap();
    open.journal.append(recorder.out()).unwrap();
}

fn new(store: &Store) -> String {
    store.create(Header::new("pico", "")).unwrap().name
}

fn failed(message: &str) -> Event {
    Event::Failed {
        message: message.to_owned(),
    }
}

fn texts(record: &Record) -> Vec<String> {
    let text = |event: &Event| match event {
        Event::Question(question) => question.text.clone(),
        Event::Failed { message } => message.clone(),
        other => format!("{other:?}"),
    };
    record.events.iter().map(|(_, event)| text(event)).collect()
}

#[test]
fn where_it_is() {
    let home = || Some(PathBuf::from("/home/someone"));
    let with = |value: Option<&'static str>| Store::usual(move |_| value.map(PathBuf::from), home()).unwrap();
    let usual = Path::new("/home/someone/.local/share/thunderhead/sessions");
    assert_eq!(with(None).root(), usual);
    assert_eq!(with(Some("relative")).root(), usual);
    assert_eq!(with(Some("/data")).root(), Path::new("/data/thunderhead/sessions"));
    assert_eq!(Store::usual(|_| None, None), None);
}

#[test]
fn names_are_times_in_utc() {
    assert_eq!(civil(0), (1970, 1, 1, 0));
    assert_eq!(civil(951_782_400), (2000, 2, 29, 0));
    assert_eq!(civil(1_772_323_199), (2026, 2, 28, 86_399));
    assert_eq!(civil(1_772_323_200), (2026, 3, 1, 0));
    let name = name_of(1_795_836_014_000, 0);
    assert!(name.starts_with("20261128-032014-") && is_name(&name), "{name}");
    assert_ne!(name, name_of(1_795_836_014_000, 1));
    assert!(is_name(&name_of(u64::MAX, 3)));
    for other in [
        "",
        "trash",
        "20261128-032014",
        "20261128-032014-7f3a-x",
        "../../etc/x",
        "20261128-032014-7F3A",
    ] {
        assert!(!is_name(other), "{other}");
    }
}

#[test]
fn sessions_are_found_by_the_beginnings_of_their_names() {
    let (_folder, store) = store();
    assert_eq!(store.names().unwrap(), [""; 0], "where there is no folder yet");
    assert!(matches!(store.find("last"), Err(StoreError::NoSuch(_))));
    let (first, second) = (new(&store), new(&store));
    assert_eq!(store.names().unwrap().len(), 2);
    assert_eq!(store.find(&first).unwrap(), first);
    let Err(StoreError::Ambiguous { count, .. }) = store.find("2") else {
        panic!()
    };
    assert_eq!(count, 2);
    assert!(matches!(store.find("x"), Err(StoreError::NoSuch(_))));
    assert!(matches!(store.find(""), Err(StoreError::NoSuch(_))));
    say(&store, &first, &[question(1, "later")]);
    let later = fs::File::options().append(true).open(store.events(&second)).unwrap();
    later.set_modified(UNIX_EPOCH).unwrap();
    assert_eq!(store.find("last").unwrap(), first, "the one that was used last");
}

#[test]
fn one_process_goes_on_with_a_session_and_others_read_it() {
    let (_folder, store) = store();
    let open = store.create(Header::new("pico", "")).unwrap();
    let name = open.name.clone();
    let refused = store.open(&name).err().unwrap().to_string();
    assert!(
        refused.contains("open in another thunderhead (process") && refused.contains("fork"),
        "{refused}"
    );
    assert!(store.delete(&name).is_err());
    assert_eq!(store.read(&name).unwrap().header.model, "pico");
    let copy = store.fork(&name, None).unwrap();
    assert_eq!(store.read(&copy).unwrap().header.forked.unwrap().from, name);
    drop(open);
    store.open(&name).unwrap();
}

#[test]
fn what_is_torn_is_put_aside_and_the_rest_goes_on() {
    let (_folder, store) = store();
    let name = new(&store);
    say(&store, &name, &[question(1, "a"), failed("b")]);
    let whole = fs::read(store.events(&name)).unwrap();
    for (tail, aside) in [
        (&b"\0\0\0"[..], false),
        (b"{\"at\":1,\"type\":\"fai", true),
        (b"\xff\n\0", true),
    ] {
        fs::write(store.events(&name), [&whole, tail].concat()).unwrap();
        say(&store, &name, &[question(2, "c")]);
        assert_eq!(texts(&store.read(&name).unwrap()), ["a", "b", "c"]);
        assert!(store.read(&name).unwrap().notices.is_empty());
        let damaged = store.folder(&name).join("damaged-1");
        assert_eq!(fs::read(&damaged).ok().as_deref(), aside.then_some(tail));
        let _ = fs::remove_file(damaged);
    }
    // Not even the header is whole.
    for cut in [0, 1, 20] {
        fs::write(store.events(&name), &whole[..cut]).unwrap();
        say(&store, &name, &[question(1, "anew")]);
        assert_eq!(texts(&store.read(&name).unwrap()), ["anew"]);
    }
    // A last line without its end.
    fs::write(store.events(&name), &whole[..whole.len() - 1]).unwrap();
    say(&store, &name, &[question(2, "c")]);
    assert_eq!(texts(&store.read(&name).unwrap()), ["a", "b", "c"]);
}

#[test]
fn what_is_deleted_comes_back_until_it_is_purged() {
    let (_folder, store) = store();
    let name = new(&store);
    store.delete(&name).unwrap();
    assert_eq!(
        (store.names().unwrap().len(), store.deleted().unwrap()),
        (0, vec![name.clone()])
    );
    assert!(store.read(&name).is_err());
    store.restore(&name).unwrap();
    assert_eq!(store.names().unwrap(), std::slice::from_ref(&name));
    assert!(matches!(store.restore(&name), Err(StoreError::NoSuch(_))));
    assert!(matches!(store.restore("../x"), Err(StoreError::NoSuch(_))));
    store.delete(&name).unwrap();
    assert_eq!(store.purge().unwrap(), 1);
    assert!(store.restore(&name).is_err() && store.deleted().unwrap().is_empty());
}

#[test]
fn a_fork_has_what_was_said_up_to_a_turn() {
    let (_folder, store) = store();
    let name = new(&store);
    let said = [
        question(1, "a"),
        failed("A"),
        question(2, "b"),
        failed("B"),
        Event::Rewound { turn: 1 },
    ];
    say(&store, &name, &said);
    store.annotate(&name, &Note::Tagged { tags: vec!["x".into()] }).unwrap();
    store.annotate(&name, &Note::Renamed { title: "mine".into() }).unwrap();
    for (turn, expected) in [
        (Some(0), &[][..]),
        (Some(1), &["a", "A"]),
        (Some(2), &["a", "A", "b", "B"]),
    ] {
        let fork = store.fork(&name, turn).unwrap();
        let record = store.read(&fork).unwrap();
        assert_eq!(texts(&record), expected);
        assert_eq!(record.header.forked.as_ref().map(|forked| forked.turn), turn);
        assert_eq!(Past::of(&record).renamed, "", "it is another one");
    }
    assert!(
        store
            .fork(&name, Some(3))
            .unwrap_err()
            .to_string()
            .contains("no turn 3")
    );
    assert_eq!(Past::of(&store.read(&name).unwrap()).title(), "mine");
    let whole = store.fork(&name, None).unwrap();
    assert_eq!(texts(&store.read(&whole).unwrap()).len(), 5);
    assert_eq!(Past::of(&store.read(&whole).unwrap()).tags, ["x"]);
}

#[test]
fn titles_are_made_of_what_there_is() {
    let (_folder, store) = store();
    let name = new(&store);
    let title = || Past::of(&store.read(&name).unwrap()).title();
    assert_eq!(title(), "nothing asked yet");
    let packed = |path: &str| crate::session::Packed {
        path: path.into(),
        bytes: 1,
        hash: "0".into(),
    };
    let documents = vec![packed("b.rs"), packed("a.rs")];
    store
        .annotate(
            &name,
            &Note::Packed {
                documents,
                gone: Vec::new(),
            },
        )
        .unwrap();
    assert_eq!(title(), "a.rs and 1 more");
    assert_eq!(Past::of(&store.read(&name).unwrap()).order, ["b.rs", "a.rs"]);
    let long = format!("Where\n is\u{1b}[31m `x`  defined, {}?", "and ".repeat(40));
    say(&store, &name, &[question(1, &long)]);
    assert!(
        title().starts_with("Where is") && title().ends_with("and…"),
        "{}",
        title()
    );
    assert!(title().chars().count() <= 73);
}

#[cfg(unix)]
#[test]
fn others_cannot_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let (_folder, store) = store();
    let name = new(&store);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(store.root()), mode(&store.events(&name))), (0o700, 0o600));
}

#[test]
fn where_nothing_can_be_kept_it_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let error = Store::at(file.join("sessions"))
        .create(Header::new("", ""))
        .err()
        .unwrap()
        .to_string();
    assert!(
        error.contains("sessions cannot be kept in") && error.contains("file/sessions"),
        "{error}"
    );
}
