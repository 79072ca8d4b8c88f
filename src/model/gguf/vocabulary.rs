//! The tokenizer of a GGUF file, written as the `tokenizer.json` that it was converted from.
//!
//! A file lists the tokens with a type each, and for a byte-level BPE (`gpt2`) the merges and the name of the way text is
//! split before; for `SentencePiece`'s BPE (`llama`) scores, from which the merges follow.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::super::tokenizer::Origin;
use super::super::{ModelError, Tokenizer};
use super::metadata::Metadata;
use super::split;

pub(super) const TOKENS: &str = "tokenizer.ggml.tokens";
const TYPES: &str = "tokenizer.ggml.token_type";
const MERGES: &str = "tokenizer.ggml.merges";
const SCORES: &str = "tokenizer.ggml.scores";
const MODEL: &str = "tokenizer.ggml.model";
const PRE: &str = "tokenizer.ggml.pre";
/// The file that all the others were made from, if a converter kept it.
const WHOLE: &str = "tokenizer.huggingface.json";

/// The character that stands for a space in `SentencePiece`'s tokens.
const SPACE: &str = "\u{2581}";

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Normal,
    Unknown,
    Control,
    UserDefined,
    Unused,
    Byte,
}

impl Kind {
    fn from_number(number: u64) -> Option<Self> {
        Some(match number {
            1 => Self::Normal,
            2 => Self::Unknown,
            3 => Self::Control,
            4 => Self::UserDefined,
            5 => Self::Unused,
            6 => Self::Byte,
            _ => return None,
        })
    }
}

/// Every token with its text, by id.
pub(super) fn tokens(metadata: &Metadata) -> Result<Vec<(&str, Kind)>, ModelError> {
    let texts = metadata
        .texts(TOKENS)?
        .ok_or_else(|| metadata.wrong(TOKENS, "the texts of all tokens"))?;
    let kinds = match metadata.numbers(TYPES)? {
        None => vec![Kind::Normal; texts.len()],
        Some(numbers) => {
            let kinds: Option<Vec<Kind>> = numbers.into_iter().map(Kind::from_number).collect();
            kinds.filter(|kinds| kinds.len() == texts.len()).ok_or_else(|| {
                metadata.wrong(TYPES, &format!("one type, 1 to 6, for each of {} tokens", texts.len()))
            })?
        }
    };
    // A token that is not text can only be one that is never written.
    Ok(texts.into_iter().map(Option::unwrap_or_default).zip(kinds).collect())
}

/// The tokenizer that the file describes.
pub(super) fn tokenizer(metadata: &Metadata) -> Result<Tokenizer, ModelError> {
    let path = metadata.path();
    if let Some(json) = metadata.text(WHOLE)? {
        return Tokenizer::from_bytes(json.as_bytes(), path);
    }
    let model = metadata
        .text(MODEL)?
        .ok_or_else(|| metadata.wrong(MODEL, "\"gpt2\" or \"llama\""))?;
    let json = match model {
        "gpt2" => byte_level(metadata)?,
        "llama" => sentence_piece(metadata)?,
        other => {
            return Err(ModelError::Unsupported {
                path: path.to_owned(),
                what: format!("the tokenizer {other:?}"),
                advice: "Those of type gpt2 (byte-level BPE) and llama (SentencePiece BPE) are read".to_owned(),
            });
        }
    };
    let fingerprint = *blake3::hash(json.to_string().as_bytes()).as_bytes();
    Tokenizer::from_json(json, fingerprint, path, Origin::Gguf)
}

/// Control tokens and those that a user defined, as `tokenizer.json` lists them; and all others, the vocabulary proper.
///
/// Unused tokens are in neither: no text may become one.
fn added_and_vocabulary(tokens: &[(&str, Kind)]) -> (Vec<Value>, Map<String, Value>) {
    let mut added = Vec::new();
    let mut vocabulary = Map::new();
    for (id, &(text, kind)) in tokens.iter().enumerate() {
        match kind {
            Kind::Control | Kind::Unknown | Kind::UserDefined => added.push(json!({
                "id": id, "content": text, "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false, "special": kind != Kind::UserDefined,
            })),
            Kind::Normal | Kind::Byte => {
                vocabulary.insert(text.to_owned(), json!(id));
            }
            Kind::Unused => {}
        }
    }
    (added, vocabulary)
}

fn byte_level(metadata: &Metadata) -> Result<Value, ModelError> {
    let tokens = tokens(metadata)?;
    let merges = metadata
        .texts(MERGES)?
        .ok_or_else(|| metadata.wrong(MERGES, "the merges of the tokenizer"))?;
    let name = metadata.text(PRE)?;
    let split = split::of(name.unwrap_or(split::DEFAULT)).ok_or_else(|| ModelError::Unsupported {
        path: metadata.path().to_owned(),
        what: format!("splitting text as {:?} ({PRE})", name.unwrap_or_default()),
        advice: format!("Known are: {}", split::names().join(", ")),
    })?;
    let (added, vocabulary) = added_and_vocabulary(&tokens);
    // Merges of added and of unused tokens go with them. They are written with a space between, which itself is written Ġ.
    let is_token = |text: &str| vocabulary.contains_key(text);
    let merges: Vec<Value> = merges
        .iter()
        .flatten()
        .filter_map(|merge| {
            let (left, right) = merge.split_once(' ')?;
            let whole = [left, right].concat();
            (is_token(left) && is_token(right) && is_token(&whole)).then(|| json!([left, right]))
        })
        .collect();
    let mut pre_tokenizers: Vec<Value> = split
        .patterns
        .iter()
        .map(|pattern| json!({"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": false}))
        .collect();
    pre_tokenizers
        .push(json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false}));
    Ok(json!({
        "version": "1.0",
        "added_tokens": added,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": pre_tokenizers},
        "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
        "model": {"type": "BPE", "ignore_merges": split.whole_words_first, "vocab": vocabulary, "merges": merges},
    }))
}

/// `SentencePiece`'s BPE: of all neighbours that make a token, those first whose token has the highest score.
///
/// A space at the very beginning is not added: documents are read as they are.
fn sentence_piece(metadata: &Metadata) -> Result<Value, ModelError> {
    let tokens = tokens(metadata)?;
    let scores = metadata.floats(SCORES)?.unwrap_or_default();
    if scores.len() != tokens.len() {
        return Err(metadata.wrong(SCORES, &format!("one score for each of {} tokens", tokens.len())));
    }
    let (added, vocabulary) = added_and_vocabulary(&tokens);
    let ids: HashMap<&str, usize> = vocabulary
        .iter()
        .filter_map(|(text, id)| Some((text.as_str(), id.as_u64()? as usize)))
        .collect();
    let mut merges = Vec::new();
    for (&text, &id) in &ids {
        if tokens[id].1 == Kind::Byte || text.len() > LONGEST_PIECE {
            continue;
        }
        for (at, _) in text.char_indices().skip(1) {
            let (left, right) = text.split_at(at);
            if let (Some(&l), Some(&r)) = (ids.get(left), ids.get(right)) {
                merges.push((scores[id], l, r, left, right));
            }
        }
    }
    merges.sort_by(|a, b| b.0.total_cmp(&a.0).then((a.1, a.2).cmp(&(b.1, b.2))));
    let merges: Vec<Value> = merges.iter().map(|(.., left, right)| json!([left, right])).collect();
    Ok(json!({
        "version": "1.0",
        "added_tokens": added,
        "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": SPACE},
        "decoder": {"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": SPACE}, "content": " "},
            {"type": "ByteFallback"},
            {"type": "Fuse"}]},
        "model": {"type": "BPE", "byte_fallback": true, "fuse_unk": true, "vocab": vocabulary, "merges": merges},
    }))
}

/// Longer pieces are not looked into: a hostile file could make the number of their parts quadratic in its size.
const LONGEST_PIECE: usize = 512;
