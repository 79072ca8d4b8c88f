//! Whatever a model prefers, what it may write is a line that has the span, and that line's number.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::super::quote::QuoteModel;
use super::super::testing::{pack, tokenizer};
use super::*;
use crate::model::Tokenizer;

/// Follows the guide with arbitrary choices until only `<eos>` is left or chosen; returns the text written.
fn follow(pack: &Pack, span: &str, answer: Answer, choices: &[usize]) -> String {
    let tokenizer = tokenizer();
    let ids = QuoteModel::recognise(&tokenizer, false).unwrap().ids;
    let newline = tokenizer.encode("\n")[0];
    let bytes_of = |id| tokenizer.token_bytes(id).unwrap().len();
    let mut guide = guide(pack, ids, newline, span, answer, &bytes_of).make();
    let mut written = Vec::new();
    let mut promised = VecDeque::new();
    for step in 0.. {
        if promised.is_empty() {
            let mut bound = Vec::new();
            guide.bound(&mut bound, 5);
            promised.extend(bound);
        }
        let Allowed::Only(allowed) = guide.allowed() else {
            panic!("the guide lets go")
        };
        assert!(allowed.is_sorted_by(|a, b| a < b), "{allowed:?}");
        let id = allowed[choices[step % choices.len()] % allowed.len()];
        if let Some(id) = promised.pop_front() {
            assert_eq!(allowed, [id], "what is bound to come is all that is allowed");
        }
        // A value may go on to the end of its line, but not for ever.
        assert!(step < 1000, "the reply does not end");
        if id == ids.eos {
            break;
        }
        guide.push(id);
        written.push(id);
    }
    text(&tokenizer, &written)
}

fn text(tokenizer: &Tokenizer, ids: &[u32]) -> String {
    let bytes: Vec<u8> = ids
        .iter()
        .flat_map(|id| tokenizer.token_bytes(*id).unwrap())
        .copied()
        .collect();
    String::from_utf8(bytes).unwrap()
}

/// The quotation, its number, and what follows the trace.
fn parts(reply: &str) -> (&str, usize, &str) {
    let (trace, answer) = reply.strip_prefix("<think>").unwrap().split_once("</think>").unwrap();
    let (quote, number) = trace.rsplit_once("<ln>").unwrap();
    (quote, number.parse().unwrap(), answer)
}

#[test]
fn one_place_leaves_no_choice() {
    let pack = pack(&[("a.rs", "fn one() {\n}\n"), ("b.rs", "\nlet x = 1;\n")]);
    for choice in 0..4 {
        let reply = follow(&pack, "x = 1", Answer::Place, &[choice]);
        let (quote, number, answer) = parts(&reply);
        assert!("let x = 1;".ends_with(quote) && quote.ends_with("x = 1;"), "{quote:?}");
        assert_eq!((number, answer), (4, "<ln>4"));
    }
}

proptest! {
    #[test]
    fn any_choices_quote_a_line_that_has_the_span(
        lines in prop::collection::vec("[ab x]{0,6}", 1..12),
        span in "[ab]{1,2}",
        value: bool,
        choices in prop::collection::vec(0usize..100, 1..30),
    ) {
        let text = lines.join("\n") + "\n";
        prop_assume!(text.contains(&span));
        let pack = pack(&[("first.txt", "x\nab\n"), ("second.txt", &text)]);
        let answer = if value { Answer::Value } else { Answer::Place };
        let reply = follow(&pack, &span, answer, &choices);
        let (quote, number, rest) = parts(&reply);
        let line = pack.line(number).unwrap().text;
        prop_assert!(line.contains(&span), "{line:?} has no {span:?}");
        prop_assert!(line.ends_with(quote), "{line:?} does not end in {quote:?}");
        if value {
            prop_assert!(line.contains(rest), "{rest:?} is no part of {line:?}");
        } else {
            prop_assert_eq!(rest, format!("<ln>{number}"));
        }
    }
}
