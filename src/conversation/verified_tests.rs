//! Whatever the documents, the question and the reply: what is shown as verified holds, by conditions that are written
//! here once more, as plainly as decision 0005 has them.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::evidence::{Asked, Kind};
use super::quote::QuoteModel;
use super::reply::QuoteReply;
use super::testing::{pack, tokenizer};
use super::{Citation, Event, Verdict};
use crate::context::Pack;
use crate::engine::{Allowed, Token};
use crate::trace::Channel;

fn token(index: usize, id: u32) -> Token {
    Token {
        index,
        id,
        text: String::new(),
        channel: Channel::Answer,
        probability: 1.0,
        entropy: 0.0,
        elapsed: Duration::ZERO,
        forced: false,
    }
}

/// What is cited and the text of the answer.
fn read(model: &QuoteModel, pack: &Arc<Pack>, asked: &Asked, ids: &[u32]) -> (Vec<Citation>, String) {
    let mut reply = QuoteReply::new(model.clone(), pack.clone(), asked.clone());
    let mut events: Vec<Event> = Vec::new();
    for (index, id) in ids.iter().enumerate() {
        events.extend(reply.token(&token(index, *id)));
    }
    events.extend(reply.finish());
    let mut citations = Vec::new();
    let mut answer = String::new();
    for event in events {
        match event {
            Event::Citation(citation) => citations.push(citation),
            Event::Token(token) if token.channel == Channel::Answer => answer.push_str(&token.text),
            _ => {}
        }
    }
    (citations, answer)
}

fn holds(pack: &Pack, asked: &Asked, citation: &Citation, answer: &str) -> Result<(), TestCaseError> {
    let document = pack
        .documents
        .iter()
        .find(|d| d.path == citation.path)
        .expect("a document that is there");
    let line = document
        .text
        .split('\n')
        .nth(citation.line - 1)
        .expect("a line that is there");
    let line = line.trim_end();
    let name = asked.span.as_str();
    prop_assert!(line.ends_with(citation.quote.trim_end()), "{line:?} does not end so");
    prop_assert!(
        citation.quote.contains(name),
        "{:?} is not what was asked for",
        citation.quote
    );
    let (before, after) = line.split_once(name).unwrap();
    match asked.kind {
        Kind::Define => {
            let keyword = before
                .split(|c: char| !c.is_alphanumeric())
                .any(|word| ["fn", "let", "const", "def", "struct", "int", "define"].contains(&word));
            let assigned = after.trim_start().starts_with(['=', ':']);
            prop_assert!(keyword || assigned, "{line:?} does not define {name}");
            prop_assert!(!before.contains("//") && !before.contains('"'), "{line:?} is no code");
        }
        Kind::Value => {
            let value = answer.split('\n').next().unwrap().trim();
            prop_assert!(
                !value.is_empty() && after.contains(value),
                "{value:?} does not follow {name} in {line:?}"
            );
            prop_assert!(
                after.contains(['=', ':']) || before.contains("#define"),
                "{line:?} sets nothing"
            );
            let end = after.find(value).unwrap() + value.len();
            prop_assert!(
                !after[end..].starts_with(|c: char| c.is_alphanumeric()),
                "{value:?} goes on in {line:?}"
            );
        }
        Kind::Find | Kind::Needle(_) => {}
    }
    Ok(())
}

/// What a line seems to set something to.
fn set_to(line: &str) -> &str {
    line.split_once(" = ")
        .or_else(|| line.split_once(": "))
        .map_or("", |(_, value)| value)
}

fn line() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "foo", "foo", "bar", "foo_bar", " ", " = ", ": ", " == ", "10", "100", "1", ";", ",", "fn ", "let ", "const ",
        "def ", "(", ")", " {", "}", "\"", "// ", "# ", "/*", "*/", "usize", "é", "\t", "\u{200b}", "#define ", "if ",
        "import ", "<ln>2",
    ]);
    let random = prop::collection::vec(piece, 0..10).prop_map(|pieces| pieces.concat());
    let likely = prop::sample::select(vec![
        "fn foo() {}",
        "const foo: usize = 10;",
        "let foo = 100;",
        "foo = 10",
        "foo = 1",
        "foo(10);",
        "    foo: 10,",
        "if foo == 10 {",
        "int foo(int x);",
        "#define foo 10",
        "def foo(bar=10):",
        "struct foo;",
        "x = \"foo = 10\"",
        "// foo = 10",
    ]);
    prop_oneof![random, likely.prop_map(str::to_owned)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn verified_implies_the_conditions(
        files in prop::collection::vec((prop::sample::select(vec!["rs", "py", "c", "js", "yaml", "md"]),
            prop::collection::vec(line(), 0..6)), 1..4),
        kind in prop::sample::select(vec![Kind::Find, Kind::Define, Kind::Value]),
        span in prop::sample::select(vec!["foo", "foo", "foo", "bar", "foo_bar"]),
        cited in 1usize..7,
        again in 0usize..8,
        from in prop_oneof![Just(0usize), 0usize..12],
        value in prop::sample::select(vec!["10", "1", "10;", "100", "0", "usize,", "", "10,\n"]),
        choices in prop::collection::vec(0usize..1000, 1..40),
        noise in prop::collection::vec(0u32..300, 0..8),
        crlf: bool,
    ) {
        let end = if crlf { "\r\n" } else { "\n" };
        let files: Vec<(String, String)> = files.iter().enumerate()
            .map(|(i, (kind, lines))| (format!("{i}.{kind}"), lines.join(end)))
            .collect();
        let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        let pack = Arc::new(pack(&files));
        let tokenizer = tokenizer();
        let model = QuoteModel::recognise(&tokenizer, false).unwrap();
        let asked = Asked::new(kind, span);

        // A reply of a model that was let write what it likes, about a line that may be another.
        let text = pack.line(cited).map_or("", |line| line.text);
        let quote = text.char_indices().nth(from).map_or(text, |(at, _)| &text[at..]);
        let number = |n: usize| [vec![model.ids.line], tokenizer.encode(&n.to_string())].concat();
        let mut free = [vec![model.ids.think], tokenizer.encode(quote), number(cited + again / 6), vec![model.ids.end_think]].concat();
        free.extend(if kind == Kind::Value { tokenizer.encode(if again % 2 == 0 { value } else { set_to(text) }) } else { number(again) });
        free.push(model.ids.eos);
        let noisy: Vec<u32> = free.iter().zip(noise.iter().chain(std::iter::repeat(&0)))
            .map(|(id, noise)| if noise % 9 == 1 { *noise } else { *id }).collect();

        // A reply that the guide lets through, whatever the model prefers.
        let mut grounded = Vec::new();
        if pack.documents.iter().any(|d| d.text.contains(span)) {
            let mut guide = model.guide(&pack, &asked).make();
            for choice in choices.iter().cycle().take(200) {
                let Allowed::Only(allowed) = guide.allowed() else { panic!("the guide lets go") };
                let id = allowed[choice % allowed.len()];
                guide.push(id);
                grounded.push(id);
                if id == model.ids.eos {
                    break;
                }
            }
        }
        for ids in [free, noisy, grounded] {
            let (citations, answer) = read(&model, &pack, &asked, &ids);
            for citation in citations.iter().filter(|c| c.verdict == Verdict::Verified) {
                holds(&pack, &asked, citation, &answer)?;
            }
        }
    }
}
