use super::super::testing::{ADDED, pack, tokenizer};
use super::*;

fn docs() -> Pack {
    pack(&[
        ("a.rs", "pub fn parse_config() {}\nlet retries = 10;\nlet tick = '`';\n"),
        (
            "b.txt",
            "The magic number for tea is 1234.\nlet x (y: z) = retries;\nsee `parse_config`, x::parse_config\n",
        ),
    ])
}

fn model() -> QuoteModel {
    QuoteModel::recognise(&tokenizer(), false).unwrap()
}

fn asked(question: &str) -> (Kind, String, Option<String>) {
    let prompt = model().ask(question, &docs()).unwrap();
    (prompt.asked.kind, prompt.asked.span, prompt.asked_as)
}

#[test]
fn it_is_recognised_by_its_control_tokens() {
    assert!(QuoteModel::recognise(&tokenizer(), true).is_none());
    for missing in 1..ADDED.len() {
        let others: Vec<&str> = ADDED
            .iter()
            .enumerate()
            .filter(|&(i, _)| i != missing)
            .map(|(_, t)| *t)
            .collect();
        assert!(QuoteModel::recognise(&Tokenizer::for_tests(&others), false).is_none());
    }
}

#[test]
fn a_known_wording_is_kept() {
    for (question, kind, span) in [
        ("Find `retries = 10`", Kind::Find, "retries = 10"),
        ("Where does parse_config appear?", Kind::Find, "parse_config"),
        (" Where is parse_config declared?\n", Kind::Define, "parse_config"),
        ("What is retries equal to?", Kind::Value, "retries"),
        ("What is the magic number for tea?", Kind::Needle("magic"), "tea"),
    ] {
        assert_eq!(asked(question), (kind, span.into(), None), "{question}");
    }
}

#[test]
fn a_free_wording_is_brought_into_a_known_one() {
    for (question, kind, span, asked_as) in [
        (
            "where's the definition of parse_config, please",
            Kind::Define,
            "parse_config",
            "Where is `parse_config` defined?",
        ),
        (
            "which file declares `parse_config`?",
            Kind::Define,
            "parse_config",
            "Where is `parse_config` defined?",
        ),
        (
            "Where is `parse_config` declared?",
            Kind::Define,
            "parse_config",
            "Where is `parse_config` defined?",
        ),
        (
            "what are retries set to",
            Kind::Value,
            "retries",
            "What is the value of `retries`?",
        ),
        (
            "tea's magic number?",
            Kind::Needle("magic"),
            "tea",
            "What is the magic number for tea?",
        ),
        (
            "who uses parse_config",
            Kind::Find,
            "parse_config",
            "Find `parse_config`",
        ),
        (
            "show me \"number for tea\"",
            Kind::Find,
            "number for tea",
            "Find `number for tea`",
        ),
        ("where is \"'`'\"", Kind::Find, "'`'", "Where does it say \"'`'\"?"),
    ] {
        assert_eq!(
            asked(question),
            (kind, span.into(), Some(asked_as.into())),
            "{question}"
        );
    }
}

#[test]
fn what_is_wanted_may_be_implied() {
    for (question, kind, span) in [
        ("How is parse_config implemented?", Kind::Define, "parse_config"),
        ("where is `parse_config` implemented", Kind::Define, "parse_config"),
        ("How many retries are there?", Kind::Value, "retries"),
        ("What's retries?", Kind::Value, "retries"),
        ("what is `retries`", Kind::Value, "retries"),
        ("How large is tick", Kind::Value, "tick"),
        ("what is parse_config", Kind::Find, "parse_config"),
        ("how is retries used", Kind::Find, "retries"),
    ] {
        let (got, name, _) = asked(question);
        assert_eq!((got, name.as_str()), (kind, span), "{question}");
    }
}

#[test]
fn the_words_of_the_span_do_not_decide_the_kind() {
    assert_eq!(asked("find `The magic number for tea`").0, Kind::Find);
}

#[test]
fn the_prompt_is_the_documents_and_pieces_encoded_each_by_itself() {
    let (model, docs, tokenizer) = (model(), docs(), tokenizer());
    let prompt = model.ask("Where is `parse_config` defined?", &docs).unwrap();
    let mut expected = docs.tokens.to_vec();
    expected.push(3);
    for piece in ["Where is `", "parse_config", "` defined?"] {
        expected.extend(tokenizer.encode(piece));
    }
    expected.push(4);
    assert_eq!(prompt.tokens, expected);
}

#[test]
fn a_span_gets_the_tokens_it_has_in_the_documents() {
    assert_eq!(asked("find `= 10`").2.as_deref(), Some("Find ` = 10`"));
    assert_eq!(asked("find `retries =`").2.as_deref(), Some("Find `retries = `"));
    assert_eq!(asked("find `= 10`").1, "= 10");
}

#[test]
fn control_tokens_in_a_question_are_plain_text() {
    let docs = pack(&[("a.txt", "the <eos> token\n")]);
    let prompt = model().ask("Find `<eos>`", &docs).unwrap();
    assert!(!prompt.tokens.contains(&7));
}

#[test]
fn errors_say_how_to_ask() {
    let error = model().ask("where is `nothing` defined", &docs()).unwrap_err();
    assert!(
        error.contains("`nothing` stands nowhere") && error.contains("only finds and quotes"),
        "{error}"
    );
    let error = model().ask("anything", &Pack::default()).unwrap_err();
    assert!(error.contains("no documents"), "{error}");
}
