//! The forty questions of `own_questions.toml`, put to the bundled model over this program's own source.
//!
//! The share it answers is printed, not demanded: the model is small, and the source is far longer than what it was trained on.
//! What is demanded is that nothing wrong is shown as verified.
//!
//!     cargo test --release --test own_questions -- --nocapture

#![allow(
    clippy::unwrap_used,
    reason = "a test that unwraps nothing has failed, in its helpers too"
)]
#![allow(clippy::print_stdout, reason = "the share answered is this test's result")]

mod common;

use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;
use std::time::Duration;

use common::talk;
use serde::Deserialize;
use thunderhead::conversation::{Citation, Event, Request, Verdict};
use thunderhead::trace::Channel;

const PATIENCE: Duration = Duration::from_mins(10);

#[derive(Deserialize)]
struct Questions {
    question: Vec<Question>,
}

#[derive(Deserialize)]
struct Question {
    ask: String,
    line: String,
    value: Option<String>,
}

impl Question {
    /// The text that is to be found, wherever it stands; a definition stands in one place only.
    fn sought(&self) -> Option<&str> {
        let of_name = ["defin", "declar"].iter().any(|word| self.ask.contains(word));
        if of_name || self.value.is_some() {
            return None;
        }
        ['`', '"'].iter().find_map(|&mark| {
            let (_, rest) = self.ask.split_once(mark)?;
            rest.split_once(mark).map(|(text, _)| text)
        })
    }
}

/// Whether a text stands on a line of a file, from 1.
fn stands(path: &str, line: usize, text: &str) -> bool {
    let file = std::fs::read_to_string(path).unwrap_or_default();
    file.lines()
        .nth(line.wrapping_sub(1))
        .is_some_and(|found| found.contains(text))
}

/// A reply: its answer's text and the places it points to.
#[derive(Debug, Default)]
struct Reply {
    answer: String,
    citations: Vec<Citation>,
}

#[derive(Debug, Default)]
struct Tally {
    /// File and line right, and the value where one is asked for.
    right: usize,
    verified: usize,
    wrong_but_verified: Vec<String>,
}

#[test]
fn forty_questions_about_our_own_source() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("tests/own_questions.toml")).unwrap();
    let Questions { question: questions } = toml::from_str(&text).unwrap();
    assert_eq!(questions.len(), 40);
    let places: Vec<(String, usize)> = questions.iter().map(|q| place(&root.join("src"), &q.line)).collect();

    for grounded in [false, true] {
        let mut tally = Tally::default();
        let mut tokens = 0;
        let replies = ask_all(root, &questions, grounded, &mut tokens);
        for ((question, (file, line)), reply) in questions.iter().zip(&places).zip(&replies) {
            let is_right = |c: &&Citation| {
                Path::new(&c.path) == root.join("src").join(file) && c.line == *line
                    || question.sought().is_some_and(|text| stands(&c.path, c.line, text))
            };
            let cited: Vec<&Citation> = reply
                .citations
                .iter()
                .filter(|c| c.channel == Channel::Answer)
                .collect();
            let value_right = question
                .value
                .as_ref()
                .is_none_or(|v| reply.answer.contains(v.as_str()));
            let right = cited.len() == 1 && cited.iter().all(is_right) && value_right;
            tally.right += usize::from(right);
            for citation in reply.citations.iter().filter(|c| c.verdict == Verdict::Verified) {
                tally.verified += usize::from(citation.channel == Channel::Answer);
                if !is_right(&citation) || !value_right {
                    let what = format!(
                        "{}: {}:{} {:?}",
                        question.ask, citation.path, citation.line, reply.answer
                    );
                    tally.wrong_but_verified.push(what);
                }
            }
            if !right {
                println!("  wrong ({file}:{line}): {} -> {:?}", question.ask, reply.answer.trim());
            }
        }
        println!(
            "own questions, {}, {tokens} tokens: {} of {} right, {} verified, {} wrong but verified",
            if grounded { "grounded" } else { "free" },
            tally.right,
            questions.len(),
            tally.verified,
            tally.wrong_but_verified.len(),
        );
        assert!(tokens > 0, "the source must fit into the model's context");
        assert!(tally.wrong_but_verified.is_empty(), "{:#?}", tally.wrong_but_verified);
    }
}

/// The only place under `folder` where `line` stands: the file, relative to it, and the line from 1.
fn place(folder: &Path, line: &str) -> (String, usize) {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let file = path.strip_prefix(folder).unwrap().display().to_string();
            let lines = text.lines().enumerate().filter(|(_, l)| l.trim() == line);
            found.extend(lines.map(|(i, _)| (file.clone(), i + 1)));
        }
    }
    assert_eq!(
        found.len(),
        1,
        "{line:?} must stand once in src/; update own_questions.toml: {found:?}"
    );
    found.remove(0)
}

/// Rooms that no question is about: with them the source is too long for the model's context.
const LEFT_OUT: [&str; 6] = ["tui", "session", "bench", "convert", "plan", "compute/cuda"];

/// What is asked about: all of the source but for those.
fn rooms(root: &Path) -> Vec<PathBuf> {
    let source = root.join("src");
    let left_out = LEFT_OUT.map(|room| source.join(room));
    let inside = |folder: &Path| std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut rooms = Vec::new();
    for room in inside(&source) {
        if left_out.iter().any(|other| other != &room && other.starts_with(&room)) {
            rooms.extend(inside(&room));
        } else {
            rooms.push(room);
        }
    }
    rooms.retain(|room| !left_out.contains(room));
    rooms.sort();
    rooms
}

fn ask_all(root: &Path, questions: &[Question], grounded: bool, tokens: &mut usize) -> Vec<Reply> {
    let (send, events) = channel();
    let handle = talk(&rooms(root), grounded, move |event| {
        let _ = send.send(event);
    });
    for question in questions {
        handle.send(Request::Ask(question.ask.clone())).unwrap();
    }
    let mut replies = Vec::new();
    let mut reply = None;
    while replies.len() < questions.len() {
        match events.recv_timeout(PATIENCE).unwrap() {
            Event::Documents(documents) => *tokens = documents.tokens,
            Event::Question(_) => reply = Some(Reply::default()),
            Event::Token(token) if token.channel == Channel::Answer => {
                reply.as_mut().unwrap().answer.push_str(&token.text);
            }
            Event::Citation(citation) => reply.as_mut().unwrap().citations.push(citation),
            Event::Finished(_) => replies.extend(reply.take()),
            Event::Failed { message } => {
                println!("  failed: {message}");
                replies.push(Reply::default());
            }
            _ => {}
        }
    }
    replies
}
