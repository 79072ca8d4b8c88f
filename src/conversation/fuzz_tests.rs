//! Any bytes as documents and questions, any ids as replies: nothing panics, nothing that is shown controls a terminal,
//! and every question ends.

use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::Value;

use super::testing::tokenizer;
use super::{EngineEvents, Event, Past, Request, Setup, start};
use crate::context::{Layout, RunningLines, Selection, Template};
use crate::engine::{
    self, Command, EventKind, Finished, GenerateOptions, RequestId, StopReason, Submit, Ticket, Token,
};
use crate::model::{ChatTemplate, Tokenizer};
use crate::trace::ThinkSplitter;

const TEMPLATE: &str = "{% for m in messages %}<{{ m.role }}>{{ m.content }}<eos>{% endfor %}<ai>";

/// Says the same ids to every question.
struct Babbler {
    events: Mutex<EngineEvents>,
    tokenizer: Tokenizer,
    ids: Vec<u32>,
}

impl Submit for Babbler {
    fn submit(&self, command: Command) -> Ticket {
        let ticket = Ticket::new(RequestId(0));
        let mut send = self.events.lock().unwrap();
        let mut send = |kind| {
            send(engine::Event {
                request: ticket.id,
                kind,
            });
        };
        if let Command::Generate { options, .. } = command {
            let mut splitter = ThinkSplitter::new(options.thinking_open);
            for (index, &id) in self.ids.iter().enumerate() {
                let bytes = self.tokenizer.token_bytes(id).unwrap_or_default();
                for span in splitter.push(bytes) {
                    send(EventKind::Token(Token {
                        index,
                        id,
                        text: span.text,
                        channel: span.channel,
                        probability: 1.0,
                        entropy: 0.0,
                        elapsed: Duration::ZERO,
                        forced: false,
                    }));
                }
            }
        }
        send(EventKind::Finished(Finished {
            reason: StopReason::EndOfSequence,
            ..Finished::default()
        }));
        ticket
    }
}

/// Every text in a serialised event.
fn texts(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Array(values) => values.iter().for_each(|value| texts(value, found)),
        Value::Object(fields) => fields.values().for_each(|value| texts(value, found)),
        _ => {}
    }
}

fn chat_template() -> ChatTemplate {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("chat_template.jinja"), TEMPLATE).unwrap();
    ChatTemplate::load(dir.path()).unwrap().unwrap()
}

/// Bytes of which some are anything and some are what this room looks for.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let known = prop::sample::select(vec![
        "`",
        "\"",
        "'",
        "fn foo",
        "foo = 1",
        "a.rs:1 `foo`",
        "\n",
        "\r\n",
        "magic number for foo is 3",
        "where is ",
        " defined",
        "\x1b[31m",
        "\u{202e}",
        "<ln>",
        "</think>",
        "::",
        "é",
        "/*",
        "\0",
        "\u{feff}",
    ]);
    let piece = prop_oneof![
        known.prop_map(|text| text.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 0..6),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn anything_in_something_harmless_out(
        files in prop::collection::vec(bytes(), 1..4),
        questions in prop::collection::vec(bytes(), 1..4),
        ids in prop::collection::vec(prop_oneof![0u32..8, 16u32..300], 0..60),
        chat: bool,
        limit in prop_oneof![1usize..200, Just(usize::MAX)],
    ) {
        let dir = tempfile::tempdir().unwrap();
        for (name, bytes) in ["a.rs", "b\x1b.py", "c.txt"].iter().zip(&files) {
            std::fs::write(dir.path().join(name), bytes).unwrap();
        }
        let engine_ids = ids.clone();
        let setup = Setup {
            selection: Selection::of(vec![dir.path().to_owned()]),
            layout: if chat {
                Layout::Documents(Template::default())
            } else {
                Layout::RunningLines(RunningLines { file: 1, line: 2 })
            },
            cache: None,
            places: 4,
            watch: false,
            tokenizer: tokenizer(),
            chat_template: chat.then(chat_template),
            context_limit: limit,
            options: GenerateOptions::default(),
            grounded: true,
            past: Past::default(),
            start_engine: Box::new(move |events| Ok(Box::new(Babbler {
                events: Mutex::new(events),
                tokenizer: tokenizer(),
                ids: engine_ids,
            }))),
        };
        let (sender, events) = channel();
        let handle = start(setup, Box::new(move |event| drop(sender.send(event))));
        for question in &questions {
            handle.send(Request::Ask(String::from_utf8_lossy(question).into_owned())).unwrap();
        }
        // Loading ends as well.
        let mut ends = 0;
        while ends <= questions.len() {
            let event = events.recv_timeout(Duration::from_mins(1)).expect("the conversation goes on");
            let mut found = Vec::new();
            texts(&serde_json::to_value(&event).unwrap(), &mut found);
            for text in found {
                prop_assert!(!text.chars().any(|c| c.is_control() && c != '\n' && c != '\t'), "{text:?} in {event:?}");
            }
            ends += usize::from(matches!(event, Event::Finished(_) | Event::Failed { .. }));
        }
    }
}
