//! Processes that are killed, for real.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use thunderhead::conversation::{Event, Question};
use thunderhead::session::Header;
use thunderhead::session::store::Store;

use super::script::{self, Heard};
use super::{Faults, Shared, below, pace, rng, runs};

const STORE: &str = "THUNDERHEAD_FAULTS_STORE";

/// The process that is killed: it says every event that it has seen, and never ends by itself.
#[test]
#[ignore = "is started by the test below"]
fn child() {
    let Ok(folder) = std::env::var(STORE) else { return };
    let store = Store::at(folder);
    let name = store.find("last");
    let open = match name {
        Ok(name) => store.open(&name).unwrap().0,
        Err(_) => store.create(Header::new("none", "")).unwrap(),
    };
    let (send, events) = std::sync::mpsc::channel();
    let (_handle, _keeper) = thunderhead::session::store::keep(
        open,
        Box::new(move |event| drop(send.send(event))),
        pace(),
        |mut sink| {
            std::thread::spawn(move || {
                for turn in 1.. {
                    sink(Event::Question(Question {
                        turn,
                        text: format!("question {turn}"),
                        ..Question::default()
                    }));
                    for index in 0..20 {
                        sink(Event::Token(script::token(index, false)));
                    }
                }
            });
            thunderhead::conversation::Handle::new(std::sync::mpsc::channel().0)
        },
    );
    let mut out = std::io::stdout().lock();
    for event in events {
        let line = serde_json::to_string(&event).unwrap();
        if writeln!(out, "SEEN {line}").is_err() {
            return;
        }
    }
}

#[test]
fn a_process_that_is_killed_leaves_all_that_it_showed() {
    let runs = (runs() / 10).clamp(10, 2000);
    let mut seen_in_all = 0;
    let mut folder = tempfile::tempdir().unwrap();
    for run in 0..runs {
        let mut rng = rng(6, run);
        // Some go on with what the one before left.
        if run % 4 == 0 {
            folder = tempfile::tempdir().unwrap();
        }
        let store = Store::at(folder.path());
        let before = store.find("last").map(|name| store.read(&name).unwrap().events.len());
        let before = before.unwrap_or(0);
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "killed::child",
                "--ignored",
                "--nocapture",
                "--test-threads=1",
            ])
            .env(STORE, folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let enough = 1 + below(&mut rng, 400) as usize;
        let mut seen: Vec<Event> = Vec::new();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        while seen.len() < enough {
            let line = lines.next().expect("the child goes on").unwrap();
            // The name of the test stands before the first.
            if let Some((_, event)) = line.split_once("SEEN ") {
                seen.push(serde_json::from_str(event).unwrap());
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // What it said until it was dead. A line may be cut.
        for line in lines.map_while(Result::ok) {
            seen.extend(
                line.strip_prefix("SEEN ")
                    .and_then(|event| serde_json::from_str(event).ok()),
            );
        }
        let name = store.find("last").unwrap();
        let record = store.read(&name).unwrap();
        let events: Vec<Event> = record.events.into_iter().map(|(_, event)| event).collect();
        assert!(
            events[before..].starts_with(&seen),
            "run {run}: {} of {} seen events are kept",
            events.len() - before,
            seen.len()
        );
        store.open(&name).unwrap();
        seen_in_all += seen.len();
    }
    println!("processes killed with SIGKILL: {runs}, {seen_in_all} events shown, all of them kept");
}

/// What is written by this test's own process can be read while it is open.
#[test]
fn a_session_is_read_while_another_goes_on_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::at(folder.path());
    let open = store.create(Header::new("none", "")).unwrap();
    let name = open.name.clone();
    let shared = Shared::new(Faults::default());
    let open = open.through(|inner| shared.medium(inner));
    assert!(store.open(&name).is_err(), "two cannot go on with it");
    let heard: Heard = script::converse(open, pace(), &shared, 2, 5);
    assert_eq!(store.read(&name).unwrap().events.len(), heard.events.len());
}
