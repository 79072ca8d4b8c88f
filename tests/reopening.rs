//! A session about more than 200,000 tokens is opened again: nothing is read twice, and the answer begins at once.

#![allow(clippy::unwrap_used)] // a helper that fails fails its test

use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

const FILES: usize = 60;
const LINES: usize = 260;
/// What the question is about.
const NAME: &str = "setting_31_77";

/// Some 230,000 tokens.
fn documents(folder: &Path) {
    for file in 0..FILES {
        let text = (0..LINES).fold(String::new(), |mut text, line| {
            let value = (file * 7919 + line * 104_729) % 9973;
            let _ = writeln!(text, "pub const setting_{file}_{line}: usize = {value};");
            text
        });
        std::fs::write(folder.join(format!("part{file:02}.rs")), text).unwrap();
    }
}

struct Answer {
    /// Of the documents and of the answer.
    finished: Vec<Value>,
    /// From the start of the process to the first token.
    first_token: Duration,
}

fn ask(here: &Path, arguments: &[&str]) -> Answer {
    let mut command = Command::new(env!("CARGO_BIN_EXE_thunderhead"));
    command.arg("ask").args(arguments).current_dir(here.join("documents"));
    command.args(["--json", "--sessions"]).arg(here.join("sessions"));
    command.arg("--snapshots").arg(here.join("snapshots"));
    command
        .env("THUNDERHEAD_CACHE", here.join("cache"))
        .env("THUNDERHEAD_CONFIG", "");
    let began = Instant::now();
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let (mut finished, mut first_token) = (Vec::new(), None);
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let event: Value = serde_json::from_str(&line.unwrap()).unwrap();
        match event["type"].as_str() {
            Some("token") => drop(first_token.get_or_insert_with(|| began.elapsed())),
            Some("finished") => finished.push(event),
            _ => {}
        }
    }
    assert!(child.wait().unwrap().success());
    Answer {
        finished,
        first_token: first_token.unwrap(),
    }
}

/// Reads every file in a folder, as a restore does at most.
fn read_time(folder: &Path) -> (Duration, usize) {
    let began = Instant::now();
    let folders = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = folders.flat_map(|folder| std::fs::read_dir(folder).unwrap());
    let bytes = files
        .map(|file| std::fs::read(file.unwrap().path()).unwrap().len())
        .sum();
    (began.elapsed(), bytes)
}

struct Reopened {
    tokens: u64,
    first: Duration,
    again: Vec<Duration>,
}

fn reopened(here: &Path, times: usize) -> Reopened {
    std::fs::create_dir(here.join("documents")).unwrap();
    documents(&here.join("documents"));
    let question = format!("What is `{NAME}` set to?");
    let first = ask(here, &["-p", &question, "."]);
    let number = |value: &Value| value.as_u64().unwrap_or(0);
    let tokens = number(&first.finished[0]["prompt_tokens"]);
    assert!(tokens > 200_000, "{tokens}");
    assert_eq!(number(&first.finished[0]["cached_tokens"]), 0);

    let mut again = Vec::new();
    for time in 0..times {
        let question = format!("What is `setting_{}_5` set to?", time + 1);
        let answer = ask(here, &["--resume", "-p", &question]);
        let [documents, reply] = answer.finished.as_slice() else {
            panic!("{:?}", answer.finished)
        };
        assert_eq!(number(&documents["prompt_tokens"]), tokens);
        assert_eq!(number(&documents["restored_tokens"]), tokens, "all from the disk");
        assert_eq!(number(&documents["cached_tokens"]), tokens, "none is prefilled twice");
        assert_eq!(number(&reply["cached_tokens"]), tokens, "only the question is read");
        assert!(number(&reply["prompt_tokens"]) < tokens + 50);
        again.push(answer.first_token);
    }
    Reopened {
        tokens,
        first: first.first_token,
        again,
    }
}

#[test]
fn no_token_of_a_long_session_is_read_twice() {
    let here = tempfile::tempdir().unwrap();
    reopened(here.path(), 1);
}

/// `cargo test --release --test reopening -- --ignored --nocapture`
#[test]
#[ignore = "measures; a debug build is slower"]
#[allow(clippy::print_stdout, reason = "that is what it is for")]
fn a_long_session_answers_at_once() {
    let here = tempfile::tempdir().unwrap();
    let Reopened {
        tokens,
        first,
        mut again,
    } = reopened(here.path(), 9);
    let (read, bytes) = read_time(&here.path().join("snapshots"));
    again.sort();
    let (median, worst) = (again[again.len() / 2], again[again.len() - 1]);
    println!(
        "{tokens} tokens: first token {first:.2?} after the first start, {median:.2?} after another (worst of {} {worst:.2?}); \
         reading the {bytes} bytes of its states takes {read:.2?}",
        again.len()
    );
    assert!(median < Duration::from_secs(1) + read, "{median:?}");
}
