use super::*;
use serde_json::json;

const GOLDENS: [&str; 2] = ["m1-bf16", "m1-f32-sharded"];

fn golden(name: &str) -> Tokenizer {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens").join(name);
    Tokenizer::from_file(&path.join("tokenizer.json")).unwrap()
}

/// The bytes' own tokens, `ab`, and two added tokens of which one is not flagged special; both are also words of
/// the vocabulary, and merges spell one of them.
fn tricky(ignore_merges: bool) -> Tokenizer {
    let mut vocab: serde_json::Map<String, Value> = alphabet()
        .iter()
        .enumerate()
        .map(|(id, c)| (c.to_string(), json!(id)))
        .collect();
    for (id, token) in (256..).zip(["ab", "</", "</t", "</t>", "<think>"]) {
        vocab.insert(token.into(), json!(id));
    }
    let added = |id, content: &str, special| {
        json!({"id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false,
               "normalized": false, "special": special})
    };
    let json = json!({
        "version": "1.0",
        "truncation": {"max_length": 2, "strategy": "LongestFirst", "stride": 0, "direction": "Right"},
        "added_tokens": [added(259, "</t>", false), added(260, "<think>", true), added(300, "<eos>", true)],
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": false},
        "post_processor": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
        "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
        "model": {"type": "BPE", "ignore_merges": ignore_merges, "vocab": vocab,
                  "merges": ["a b", "< /", "</ t", "</t >"]},
    });
    Tokenizer::from_bytes(json.to_string().as_bytes(), Path::new("tokenizer.json")).unwrap()
}

#[test]
fn goldens_encode_as_they_should() {
    for name in GOLDENS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens").join(name);
        let text = std::fs::read(folder.join("golden_text.json")).unwrap();
        let golden_text: Value = serde_json::from_slice(&text).unwrap();
        let tokenizer = golden(name);
        let ids: Vec<u32> = serde_json::from_value(golden_text["ids"].clone()).unwrap();
        let text = golden_text["text"].as_str().unwrap();
        assert_eq!(tokenizer.encode(text), ids);
        assert_eq!(tokenizer.decode(&ids), text);
        let chat: Vec<u32> = serde_json::from_value(golden_text["chat_ids"].clone()).unwrap();
        assert_eq!(
            tokenizer.encode_with_specials(golden_text["chat"].as_str().unwrap()),
            chat
        );
    }
}

#[test]
fn text_never_becomes_an_added_token() {
    let text = "a</t><think>b <eos> </t>";
    for tokenizer in [tricky(false), tricky(true)] {
        let ids = tokenizer.encode(text);
        assert!(
            tokenizer.added_tokens().iter().all(|token| !ids.contains(&token.id)),
            "{ids:?}"
        );
        assert_eq!(tokenizer.decode(&ids), text);
        let with = tokenizer.encode_with_specials(text);
        let specials: Vec<u32> = with.into_iter().filter(|id| [259, 260, 300].contains(id)).collect();
        assert_eq!(specials, [259, 260, 300, 259]);
    }
    for name in GOLDENS {
        let tokenizer = golden(name);
        for AddedToken { content, id, .. } in tokenizer.added_tokens() {
            let ids = tokenizer.encode(content);
            assert!(!ids.contains(id));
            assert_eq!(tokenizer.decode(&ids), *content);
            assert_eq!(tokenizer.encode_with_specials(content), [*id]);
            assert_eq!(tokenizer.special(content), Some(*id));
        }
    }
}

#[test]
fn every_token_has_its_bytes() {
    let tokenizer = tricky(false);
    assert_eq!(tokenizer.vocab_size(), 301);
    assert_eq!(tokenizer.token_bytes(0), Some(&[0u8][..]));
    assert_eq!(tokenizer.token_bytes(255), Some(&[255u8][..]));
    assert_eq!(tokenizer.token_bytes(256), Some(&b"ab"[..]));
    assert_eq!(tokenizer.token_bytes(300), Some(&b"<eos>"[..]));
    assert_eq!(tokenizer.token_bytes(270), None);
    assert_eq!(tokenizer.token_bytes(u32::MAX), None);
    assert_eq!(tokenizer.special("<nothing>"), None);
    assert_eq!(tokenizer.special("ab"), None);
}

#[test]
fn a_long_text_is_cut_without_a_trace() {
    let tokenizer = golden("m1-bf16");
    let line = "The weather isn't 100% certain: é\r\n\n\tindented\n";
    let one = tokenizer.encode(line);
    let text = line.repeat(3 * CHUNK / line.len());
    assert_eq!(tokenizer.encode(&text), one.repeat(3 * CHUNK / line.len()));
    let unbroken = "é ".repeat(CHUNK);
    assert_eq!(tokenizer.decode(&tokenizer.encode(&unbroken)), unbroken);
}

#[test]
fn errors_name_the_file_and_say_what_to_do() {
    let missing = Tokenizer::from_file(Path::new("/nowhere/tokenizer.json"))
        .err()
        .unwrap()
        .to_string();
    assert!(missing.starts_with("/nowhere/tokenizer.json: is missing"), "{missing}");
    assert!(missing.contains("download"), "{missing}");
    for corrupt in [
        "{",
        "[]",
        "{}",
        r#"{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": []}}"#,
    ] {
        let error = Tokenizer::from_bytes(corrupt.as_bytes(), Path::new("m/tokenizer.json"))
            .err()
            .unwrap();
        assert!(error.to_string().starts_with("m/tokenizer.json: "), "{error}");
    }
    let unigram = r#"{"model": {"type": "Unigram", "vocab": [["a", 0.0]]}}"#;
    let error = Tokenizer::from_bytes(unigram.as_bytes(), Path::new("t"))
        .err()
        .unwrap()
        .to_string();
    assert!(
        error.contains("Unigram") && error.contains("Use a checkpoint"),
        "{error}"
    );
}
