//! The tokenizer of a checkpoint as keys of a GGUF file.
//!
//! The keys that llama.cpp reads list every token with its type, the merges, and a name for how text is split into words
//! before. The whole `tokenizer.json` is kept beside them, under the format's own key for it, so that no such name has to
//! exist for this program to read the file exactly.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::split;
use super::writer::Value;

/// Types of tokens, by their numbers in the format.
const NORMAL: i32 = 1;
const CONTROL: i32 = 3;
const USER_DEFINED: i32 = 4;
const UNUSED: i32 = 5;

/// Keys of a tokenizer, and what they cannot say.
#[derive(Debug, Default)]
pub struct Tokens {
    pub keys: Vec<(String, Value)>,
    pub notes: Vec<String>,
}

impl Tokens {
    /// Adds the id of a token with a role: `bos`, `eos`, ….
    pub fn id(&mut self, role: &str, id: u32) {
        self.keys
            .push((format!("tokenizer.ggml.{role}_token_id"), Value::U32(id)));
    }
}

/// `json` is the parsed `text` of a byte-level BPE's `tokenizer.json`; the model has `vocab` ids. The error says what is
/// wrong with it.
pub fn keys(json: &Json, text: &str, vocab: usize) -> Result<Tokens, String> {
    let words = json["model"]["vocab"].as_object().ok_or("has no vocabulary")?;
    let by_id = words
        .iter()
        .filter_map(|(text, id)| Some((id.as_u64()?, (text.as_str(), NORMAL))));
    let mut tokens: BTreeMap<u64, (&str, i32)> = by_id.collect();
    for token in json["added_tokens"].as_array().into_iter().flatten() {
        let (Some(id), Some(content)) = (token["id"].as_u64(), token["content"].as_str()) else {
            return Err("has an added token without id or content".to_owned());
        };
        let kind = if token["special"] == true {
            CONTROL
        } else {
            USER_DEFINED
        };
        tokens.insert(id, (content, kind));
    }
    if let Some((id, (text, _))) = tokens.range(vocab as u64..).next() {
        return Err(format!(
            "has the token {text:?} with id {id}, but config.json has a vocab_size of {vocab}"
        ));
    }
    let (mut texts, mut kinds) = (Vec::with_capacity(vocab), Vec::with_capacity(vocab));
    for id in 0..vocab as u64 {
        let (text, kind) = match tokens.get(&id) {
            Some(&(text, kind)) => (text.to_owned(), kind),
            // Every text must be another, or some programs refuse the file.
            None => (format!("[PAD{id}]"), UNUSED),
        };
        texts.push(text);
        kinds.push(kind);
    }

    let mut merges = Vec::new();
    for merge in json["model"]["merges"].as_array().into_iter().flatten() {
        let pair = merge
            .as_array()
            .map(|pair| pair.iter().filter_map(Json::as_str).collect::<Vec<_>>());
        merges.push(match (merge.as_str(), pair.as_deref()) {
            (Some(both), _) => both.to_owned(),
            (None, Some([left, right])) => format!("{left} {right}"),
            _ => return Err("has a merge that is not a pair of tokens".to_owned()),
        });
    }

    let (patterns, whole_words_first) = (patterns(&json["pre_tokenizer"]), json["model"]["ignore_merges"] == true);
    let mut notes = Vec::new();
    let known = patterns
        .as_ref()
        .and_then(|patterns| split::name_of(patterns, whole_words_first));
    let name = known.unwrap_or_else(|| {
        notes.push(
            "llama.cpp has no name for how this tokenizer splits text; it will split as GPT-2 does, and its token ids may \
             differ. This program reads the tokenizer itself from the file."
                .to_owned(),
        );
        "gpt-2"
    });
    let text_value = |text: &str| Value::Text(text.to_owned());
    let keys = vec![
        ("tokenizer.ggml.model", text_value("gpt2")),
        ("tokenizer.ggml.pre", text_value(name)),
        ("tokenizer.ggml.tokens", Value::Texts(texts)),
        ("tokenizer.ggml.token_type", Value::I32s(kinds)),
        ("tokenizer.ggml.merges", Value::Texts(merges)),
        // Prompts begin as the chat template says.
        ("tokenizer.ggml.add_bos_token", Value::Bool(false)),
        ("tokenizer.huggingface.json", text_value(text)),
    ];
    let keys = keys.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    Ok(Tokens { keys, notes })
}

/// The patterns by which text is split before merging, one after the other; none if it is done otherwise as well.
fn patterns(pre_tokenizer: &Json) -> Option<Vec<&str>> {
    let steps = match pre_tokenizer["pretokenizers"].as_array() {
        Some(steps) => steps.iter().collect(),
        None => vec![pre_tokenizer],
    };
    let mut patterns = Vec::new();
    for step in steps {
        match step["type"].as_str()? {
            "Split" if step["behavior"] == "Isolated" => patterns.push(step["pattern"]["Regex"].as_str()?),
            "ByteLevel" if step["add_prefix_space"] == true => return None,
            // Its own pattern is GPT-2's.
            "ByteLevel" if step["use_regex"] != false => patterns.push(split::GPT_2),
            "ByteLevel" => {}
            _ => return None,
        }
    }
    Some(patterns)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn tokenizer(pre_tokenizer: &Json) -> Json {
        json!({
            "added_tokens": [
                {"id": 3, "content": "<end>", "special": true},
                {"id": 2, "content": "<think>", "special": false},
            ],
            "pre_tokenizer": pre_tokenizer,
            "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "<think>": 2, "ab": 5}, "merges": [["a", "b"]]},
        })
    }

    fn value<'a>(tokens: &'a Tokens, key: &str) -> &'a Value {
        &tokens.keys.iter().find(|(name, _)| name == key).unwrap().1
    }

    #[test]
    fn every_id_has_a_text_and_a_type() {
        let json = tokenizer(&json!({"type": "ByteLevel", "add_prefix_space": false, "use_regex": true}));
        let tokens = keys(&json, "whole", 7).unwrap();
        let texts = ["a", "b", "<think>", "<end>", "[PAD4]", "ab", "[PAD6]"].map(str::to_owned);
        assert_eq!(*value(&tokens, "tokenizer.ggml.tokens"), Value::Texts(texts.to_vec()));
        assert_eq!(
            *value(&tokens, "tokenizer.ggml.token_type"),
            Value::I32s(vec![1, 1, 4, 3, 5, 1, 5])
        );
        assert_eq!(
            *value(&tokens, "tokenizer.ggml.merges"),
            Value::Texts(vec!["a b".to_owned()])
        );
        assert_eq!(*value(&tokens, "tokenizer.ggml.pre"), Value::Text("gpt-2".to_owned()));
        assert!(tokens.notes.is_empty());
    }

    #[test]
    fn a_split_without_a_name_is_said() {
        let split = json!({"type": "Split", "pattern": {"Regex": "[a-z]+"}, "behavior": "Isolated"});
        let json = tokenizer(&json!({"type": "Sequence", "pretokenizers": [split]}));
        let tokens = keys(&json, "whole", 7).unwrap();
        assert_eq!(tokens.notes.len(), 1);
        assert_eq!(
            *value(&tokens, "tokenizer.huggingface.json"),
            Value::Text("whole".to_owned())
        );
    }

    #[test]
    fn an_id_outside_of_the_vocabulary_is_refused() {
        let json = tokenizer(&Json::Null);
        assert!(keys(&json, "", 4).err().unwrap().contains("ab"));
    }
}
