use std::time::Duration;

use super::super::Verdict;
use super::super::evidence::Kind;
use super::super::testing::{pack, tokenizer};
use super::*;

const TEXT: &str = "use std::fs;\nfn run() {\n    let retries = 10;\n\tlet é = \"<ln>9\";\n";

/// Encodes a reply in which control tokens are written out.
fn tokens(reply: &str) -> Vec<Token> {
    let tokenizer = tokenizer();
    tokenizer
        .encode_with_specials(reply)
        .into_iter()
        .enumerate()
        .map(|(index, id)| token(index, id))
        .collect()
}

fn token(index: usize, id: u32) -> Token {
    Token {
        index,
        id,
        text: "whatever the engine says".into(),
        channel: Channel::Answer,
        probability: 1.0,
        entropy: 0.0,
        elapsed: Duration::ZERO,
        forced: false,
    }
}

fn reply(kind: Kind, span: &str) -> QuoteReply {
    let model = QuoteModel::recognise(&tokenizer(), false).unwrap();
    let asked = Asked::new(kind, span);
    QuoteReply::new(
        model,
        Arc::new(pack(&[("src/a.rs", TEXT), ("b.txt", "one\ntwo\n")])),
        asked,
    )
}

struct Read {
    thinking: String,
    answer: String,
    citations: Vec<(Channel, String, usize, String, bool)>,
}

fn read_all(mut reply: QuoteReply, tokens: Vec<Token>) -> Read {
    let mut events: Vec<Event> = tokens.into_iter().flat_map(|t| reply.token(&t)).collect();
    events.extend(reply.finish());
    let mut read = Read {
        thinking: String::new(),
        answer: String::new(),
        citations: Vec::new(),
    };
    for event in events {
        match event {
            Event::Token(t) if t.channel == Channel::Thinking => read.thinking.push_str(&t.text),
            Event::Token(t) => read.answer.push_str(&t.text),
            Event::Citation(c) => {
                read.citations
                    .push((c.channel, c.path, c.line, c.quote, c.verdict == Verdict::Verified));
            }
            other => panic!("{other:?}"),
        }
    }
    read
}

fn read(kind: Kind, span: &str, text: &str) -> Read {
    read_all(reply(kind, span), tokens(text))
}

use Channel::{Answer as A, Thinking as T};

#[test]
fn a_place_found() {
    let read = read(Kind::Find, "run", "<think>run() {<ln>2</think><ln>2<eos>");
    assert_eq!(read.thinking, "run() { src/a.rs:2");
    assert_eq!(read.answer, "src/a.rs:2\n    fn run() {");
    let quote = || "run() {".to_owned();
    assert_eq!(
        read.citations,
        [
            (T, "src/a.rs".into(), 2, quote(), true),
            (A, "src/a.rs".into(), 2, quote(), true)
        ]
    );
}

#[test]
fn a_definition_found() {
    let read = read(Kind::Define, "run", "<think>fn run() {<ln>2</think><ln>2<eos>");
    assert!(read.citations.iter().all(|c| c.4));
    assert_eq!(read.citations.len(), 2);
}

#[test]
fn numbers_run_over_all_documents() {
    let read = read(Kind::Find, "two", "<think>two<ln>6</think><ln>6<eos>");
    assert_eq!(read.answer, "b.txt:2\n    two");
    assert!(read.citations.iter().all(|c| c.4));
}

#[test]
fn each_number_is_judged_by_itself() {
    let read = read(Kind::Find, "run", "<think>run() {<ln>2</think><ln>26<eos>");
    assert_eq!(read.answer, "(no such line)");
    assert_eq!(read.citations[1], (A, "?".into(), 26, "run() {".into(), false));
    assert!(read.citations[0].4);
}

#[test]
fn a_value_is_shown_with_its_place_and_checked_at_the_end() {
    let right = read(Kind::Value, "retries", "<think>retries = 10;<ln>3</think>10;<eos>");
    assert_eq!(right.thinking, "retries = 10; src/a.rs:3");
    assert_eq!(right.answer, "10\nsrc/a.rs:3\n    let retries = 10;");
    assert_eq!(
        right.citations,
        [(A, "src/a.rs".into(), 3, "retries = 10;".into(), true)]
    );
    let wrong = read(Kind::Value, "retries", "<think>retries = 10;<ln>3</think>1<eos>");
    assert_eq!(wrong.citations.len(), 1);
    assert!(!wrong.citations[0].4);
    let nothing = read(Kind::Value, "retries", "<think>retries = 10;<ln>3</think><eos>");
    assert_eq!((nothing.answer.as_str(), nothing.citations[0].4), ("", false));
    let cut = read(Kind::Value, "retries", "<think>retries = 10;<ln>3");
    assert_eq!(
        (cut.thinking.as_str(), cut.citations[0].4),
        ("retries = 10; src/a.rs:3", false)
    );
}

#[test]
fn a_number_is_held_until_it_is_complete() {
    let mut reply = reply(Kind::Find, "run");
    let mut texts = Vec::new();
    for token in tokens("<think>x<ln>26 y") {
        for event in reply.token(&token) {
            if let Event::Token(t) = event {
                texts.push(t.text);
            }
        }
    }
    assert_eq!(texts, ["", "x", "", "", "", " (no such line) ", "y"]);
}

#[test]
fn a_reply_that_stops_inside_a_number_shows_it() {
    let read = read(Kind::Find, "run", "<think>run() {<ln>2");
    assert_eq!(read.thinking, "run() { src/a.rs:2");
    assert_eq!(read.citations.len(), 1);
}

#[test]
fn odd_replies_are_survived() {
    for text in [
        "",
        "<eos>",
        "<ln>",
        "<ln><ln>2<ln>",
        "<think><think></think></think>",
        "12<ln>a<q><file>",
        "</think><ln>2",
    ] {
        let read = read(Kind::Find, "run", text);
        assert!(read.citations.iter().all(|c| !c.4), "{text}");
    }
    let long = read(
        Kind::Find,
        "run",
        &format!("<think>run() {{<ln>{}</think>", "9".repeat(60)),
    );
    assert!(!long.citations[0].4);
}

#[test]
fn control_tokens_that_are_only_text_are_text() {
    let tokenizer = tokenizer();
    let quote = "é = \"<ln>9\";";
    let ids = [
        vec![5],
        tokenizer.encode(quote),
        vec![2],
        tokenizer.encode("4"),
        vec![6, 2],
        tokenizer.encode("4"),
        vec![7],
    ];
    let tokens = ids
        .concat()
        .into_iter()
        .enumerate()
        .map(|(i, id)| token(i, id))
        .collect();
    let read = read_all(reply(Kind::Find, "é"), tokens);
    assert_eq!(read.thinking, format!("{quote} src/a.rs:4"));
    assert_eq!(read.answer, format!("src/a.rs:4\n    let {quote}"));
    assert!(read.citations.len() == 2 && read.citations.iter().all(|c| c.4));
}

#[test]
fn what_is_shown_controls_no_terminal() {
    let read = read(Kind::Find, "x", "<think>x\x1b[2J\u{202e}</think>\x07");
    assert_eq!((read.thinking.as_str(), read.answer.as_str()), ("x␛[2J\u{fffd}", "␇"));
}

#[test]
fn a_token_reported_twice_is_read_once() {
    let mut tokens = tokens("<think>x");
    tokens.push(tokens[1].clone());
    assert_eq!(read_all(reply(Kind::Find, "x"), tokens).thinking, "x");
}
