//! A store as large as one gets after years: 10,000 sessions with a gigabyte of records, opened and searched.
//!
//! `cargo test --release --test terminal many_sessions -- --ignored --nocapture`; with `MANY_SESSIONS=FOLDER` the store is kept
//! there and used again.

#![allow(clippy::print_stdout, reason = "figures are what it is for")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use thunderhead::conversation::{Event, Question};
use thunderhead::engine::Token;
use thunderhead::session::{Header, Note, Opened, Recorder, Sent};
use thunderhead::trace::Channel;

use super::emulator::Session;

const SESSIONS: u64 = 10_000;
/// Every so many sessions there is one with a thought of [`LONG`] tokens.
const LONG_EVERY: u64 = 330;
const LONG: usize = 80_000;
const SHORT: usize = 90;
const TURNS: usize = 4;
/// Said once, in the thought of a long session.
const NEEDLE: &str = "zebrawood";
/// Times that something is measured.
const TIMES: usize = 15;

/// From 0 up to 1.
fn chance(rng: &mut ChaCha8Rng) -> f64 {
    f64::from(rng.next_u32()) / f64::from(u32::MAX)
}

/// Words as in a language: few of them are most of a text.
fn word(rng: &mut ChaCha8Rng) -> String {
    const SYLLABLES: [&str; 24] = [
        "ka", "lo", "mi", "ster", "an", "tru", "ve", "sol", "pre", "con", "dar", "el", "fin", "gor", "hu", "ist",
        "jen", "ork", "pal", "qui", "ros", "tem", "ul", "wyn",
    ];
    let rank = (30_000f64.powf(chance(rng))) as u64;
    let mut at = rank.wrapping_mul(0x9e37_79b9);
    let mut word = String::from(" ");
    for _ in 0..2 + rank % 3 {
        word.push_str(SYLLABLES[(at % 24) as usize]);
        at /= 24;
    }
    word
}

/// A record as the store writes it: a line a token.
fn record(number: u64) -> Vec<u8> {
    let mut rng = ChaCha8Rng::seed_from_u64(number);
    let mut recorder = Recorder::new(Vec::new(), &Header::new("bundled", "")).unwrap();
    let began = 1_700_000_000_000 + number * 3_600_000;
    let opened = Note::Opened(Opened {
        wall: began,
        model: "bundled".into(),
        folder: format!("/home/someone/project-{}", number % 40),
        paths: vec!["src".into()],
        ..Opened::default()
    });
    recorder.note(Duration::ZERO, &opened).unwrap();
    for turn in 1..=TURNS {
        let question: String = (0..9).map(|_| word(&mut rng)).collect::<String>().trim().to_owned();
        let at = Duration::from_secs(turn as u64 * 60);
        let sent = Sent::Ask { text: question.clone() };
        recorder
            .note(
                at,
                &Note::Sent {
                    wall: began + turn as u64,
                    what: sent,
                },
            )
            .unwrap();
        let question = Question {
            turn,
            text: question,
            ..Question::default()
        };
        recorder.event(at, &Event::Question(question)).unwrap();
        let is_long = number.is_multiple_of(LONG_EVERY) && turn == 2;
        let thoughts = if is_long { LONG } else { SHORT };
        for index in 0..thoughts + SHORT / 2 {
            let is_needle = number == SESSIONS / 2 / LONG_EVERY * LONG_EVERY && is_long && index == LONG / 2;
            let token = Token {
                index,
                id: rng.next_u32() % 8000,
                text: if is_needle {
                    format!(" {NEEDLE}")
                } else {
                    word(&mut rng)
                },
                channel: if index < thoughts {
                    Channel::Thinking
                } else {
                    Channel::Answer
                },
                probability: chance(&mut rng) as f32,
                entropy: chance(&mut rng) as f32,
                elapsed: Duration::from_millis(10 * index as u64),
                forced: false,
            };
            recorder.event(at + token.elapsed, &Event::Token(token)).unwrap();
            recorder.flush().unwrap();
        }
    }
    std::mem::take(recorder.out())
}

/// Writes the sessions that are not there; all bytes.
fn fill(store: &Path) -> u64 {
    thread::scope(|scope| {
        let workers: Vec<_> = (0..2)
            .map(|half| {
                scope.spawn(move || {
                    let mine = (0..SESSIONS).filter(|number| number % 2 == half);
                    mine.map(|number| {
                        let name = format!(
                            "2024{:02}{:02}-{:02}0000-{number:04x}",
                            1 + number / 672,
                            1 + number / 24 % 28,
                            number % 24
                        );
                        let folder = store.join(name);
                        let file = folder.join("events.jsonl");
                        if !file.exists() {
                            fs::create_dir_all(&folder).unwrap();
                            fs::write(&file, record(number)).unwrap();
                        }
                        fs::metadata(&file).unwrap().len()
                    })
                    .sum::<u64>()
                })
            })
            .collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).sum()
    })
}

fn sessions(store: &Path, arguments: &[&str]) -> (Duration, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_thunderhead"));
    command.arg("sessions").args(arguments).arg("--sessions").arg(store);
    command.env("THUNDERHEAD_CONFIG", "");
    let began = Instant::now();
    let output = command.output().unwrap();
    (began.elapsed(), String::from_utf8(output.stdout).unwrap())
}

fn told(what: &str, mut times: Vec<Duration>) -> Duration {
    times.sort();
    let (median, worst) = (times[times.len() / 2], times[times.len() - 1]);
    println!("{what}: median {median:.1?}, worst of {} {worst:.1?}", times.len());
    median
}

#[test]
#[ignore = "writes a gigabyte"]
fn many_sessions() {
    let scratch = tempfile::tempdir().unwrap();
    let kept = std::env::var_os("MANY_SESSIONS").map(PathBuf::from);
    let store = kept.as_deref().unwrap_or(scratch.path());
    let bytes = fill(store);
    println!("{SESSIONS} sessions, {bytes} bytes");
    let began = Instant::now();
    let (_, listed) = sessions(store, &["list", "--most", "3"]);
    assert!(listed.contains("and 9,997 more"), "{listed}");
    println!("index made or looked over in {:.1?}", began.elapsed());
    println!(
        "index has {} bytes",
        fs::metadata(store.join("index.sqlite")).unwrap().len()
    );

    let repeat = |arguments: &[&str]| (0..TIMES).map(|_| sessions(store, arguments).0).collect::<Vec<_>>();
    told("sessions list, the whole process", repeat(&["list", "--most", "20"]));
    let (_, found) = sessions(store, &["search", NEEDLE]);
    assert!(found.contains("thinking: ") && found.contains(NEEDLE), "{found}");
    for words in [
        &[NEEDLE][..],
        &["lomi"],
        &["ka"],
        &["kalo", "mian"],
        &["ster", "el", "sol"],
        &["kastervel"],
    ] {
        let found = sessions(store, &[&["search"], words].concat()).1;
        let what = format!(
            "sessions search {}, the whole process, {} lines",
            words.join(" "),
            found.lines().count()
        );
        told(&what, repeat(&[&["search"], words].concat()));
    }

    let here = tempfile::tempdir().unwrap();
    let variables = [
        ("THUNDERHEAD_SESSIONS_KEEP", "false"),
        ("THUNDERHEAD_SESSIONS_FOLDER", store.to_str().unwrap()),
    ];
    let mut session = Session::run(here.path(), &[], &variables, 120, 40);
    session.wait_for("the application", |screen| screen.contains("Ask about"));
    let (mut opened, mut found, mut written) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..TIMES {
        let began = Instant::now();
        session.send("\u{1b}[15~");
        session.wait_for("the list", |screen| screen.contains("10,000"));
        opened.push(began.elapsed());
        session.wait_for("the list as it is now", |screen| {
            !screen.contains("reading what is new")
        });
        let began = Instant::now();
        session.send(NEEDLE);
        session.wait_for("what was said", |screen| screen.contains("2: …"));
        found.push(began.elapsed());
        session.send("\u{15}");
        session.wait_for("all again", |screen| screen.contains("10,000"));
        let began = Instant::now();
        session.send("project-3");
        session.wait_for("those of a folder", |screen| screen.contains("2,750"));
        written.push(began.elapsed());
        session.send("\u{1b}");
        session.wait_for("no list", |screen| !screen.contains("alt-r title"));
    }
    let opened = told("F5 to the list on the screen", opened);
    let found = told("a word, written, to where it was said on the screen", found);
    told("a folder's name, written, to its sessions on the screen", written);
    session.send("/quit\r");
    assert_eq!(session.wait(), 0);
    assert!(opened < Duration::from_millis(100), "{opened:?}");
    assert!(found < Duration::from_millis(200), "{found:?}");
}
