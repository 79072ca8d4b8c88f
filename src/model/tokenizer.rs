//! Text to ids and back.
//!
//! [`Tokenizer::encode`] is for everything that comes from outside, documents and questions: its encoder has no added
//! tokens at all, so that no text whatever can become a control token, be it flagged special or not.
//! [`Tokenizer::encode_with_specials`] is for text that this program wrote itself: it finds the added tokens on its own
//! and gives them the ids that the file says.
//!
//! Only BPE vocabularies that can spell every byte of usual text are taken. Encoding is then total: nothing is dropped,
//! whatever the text. A vocabulary may lack control characters and the planes of Unicode that nobody uses, as that of
//! `SmolLM2` does; each byte of such a character is read as a question mark.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fmt::Display;
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use super::ModelError;

/// Longer texts are cut where a split at a line start cannot change the ids, or at the worst at a character. It bounds
/// the work of one regex match and the memory of one encoding.
const CHUNK: usize = 256 * 1024;

/// No model has a vocabulary of this size; a table of it must not be allocated because a file says so.
const MAX_ID: u32 = 1 << 24;

/// A checkpoint's tokenizer. Cloning it is cheap.
#[derive(Clone)]
pub struct Tokenizer(Arc<Inner>);

struct Inner {
    plain: tokenizers::Tokenizer,
    added: Vec<AddedToken>,
    bytes: Vec<Option<Box<[u8]>>>,
    spelling: Spelling,
    fingerprint: [u8; 32],
}

/// A token outside of the vocabulary proper, such as a control token.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct AddedToken {
    pub id: u32,
    pub content: String,
    /// It swallows the white space before it.
    #[serde(default)]
    lstrip: bool,
    /// It swallows the white space after it.
    #[serde(default)]
    rstrip: bool,
}

/// Where a tokenizer comes from, for messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    Json,
    Gguf,
}

impl Origin {
    fn corrupt(self, path: &Path, what: &dyn Display) -> ModelError {
        let what = match self {
            Self::Json => {
                format!("is not a usable tokenizer.json ({what}). Download it again from the checkpoint's source")
            }
            Self::Gguf => format!("has a tokenizer that cannot be used ({what}). Convert the model again"),
        };
        ModelError::malformed(path, what)
    }
}

impl Tokenizer {
    /// Reads a `tokenizer.json`.
    pub fn from_file(path: &Path) -> Result<Self, ModelError> {
        let bytes = std::fs::read(path).map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => ModelError::Missing {
                path: path.into(),
                what: "is missing. A checkpoint needs the tokenizer.json it was trained with; download it into the \
                       same folder as config.json"
                    .into(),
            },
            _ => ModelError::io(path, e),
        })?;
        Self::from_bytes(&bytes, path)
    }

    /// Reads the content of a `tokenizer.json`; `path` is for messages.
    pub fn from_bytes(bytes: &[u8], path: &Path) -> Result<Self, ModelError> {
        let fingerprint = *blake3::hash(bytes).as_bytes();
        let json = serde_json::from_slice(bytes).map_err(|e| Origin::Json.corrupt(path, &e))?;
        Self::from_json(json, fingerprint, path, Origin::Json)
    }

    /// The same, parsed or made from another format; the fingerprint is that of what it was made from.
    pub(super) fn from_json(
        mut json: Value,
        fingerprint: [u8; 32],
        path: &Path,
        origin: Origin,
    ) -> Result<Self, ModelError> {
        let corrupt = |what: &dyn Display| origin.corrupt(path, what);
        let kind = json["model"]["type"].as_str().unwrap_or("BPE").to_owned();
        let (true, Some(vocab)) = (kind == "BPE", json["model"]["vocab"].as_object()) else {
            return Err(unsupported(path, &format!("a tokenizer of type {kind}")));
        };
        let vocab: HashMap<String, u32> = vocab
            .iter()
            .map(|(token, id)| Some((token.clone(), small_id(id.as_u64()?)?)))
            .collect::<Option<_>>()
            .ok_or_else(|| corrupt(&format!("an id of the vocabulary is not a number up to {MAX_ID}")))?;
        let added: Option<Vec<AddedToken>> = Option::deserialize(&json["added_tokens"]).map_err(|e| corrupt(&e))?;
        let mut added = added.unwrap_or_default();
        added.retain(|token| !token.content.is_empty());
        added.sort_by_key(|token| token.id);
        if added.iter().any(|token| token.id > MAX_ID) {
            return Err(corrupt(&format!("an added token has an id above {MAX_ID}")));
        }

        make_plain(&mut json, &added);
        let text = json.to_string();
        let plain = tokenizers::Tokenizer::from_bytes(text.as_bytes()).map_err(|e| corrupt(&e))?;
        let byte_level = ["pre_tokenizer", "normalizer"]
            .iter()
            .any(|&key| json[key].to_string().contains("ByteLevel"));
        let byte_fallback = json["model"]["byte_fallback"] == Value::Bool(true);
        let spelling = Spelling::new(&vocab, byte_level, byte_fallback)
            .ok_or_else(|| unsupported(path, "a vocabulary that cannot spell every byte of usual text"))?;
        let bytes = bytes_of_all(&plain, &vocab, &added, byte_level);
        Ok(Self(Arc::new(Inner {
            plain,
            added,
            bytes,
            spelling,
            fingerprint,
        })))
    }

    /// The ids of `text` as plain text: no added token is ever matched.
    #[must_use]
    pub fn encode(&self, text: &str) -> Vec<u32> {
        let mut ids = Vec::new();
        self.encode_into(text, &mut ids);
        ids
    }

    /// The same, appended to `ids`.
    pub fn encode_into(&self, text: &str, ids: &mut Vec<u32>) {
        for chunk in chunks(text) {
            let chunk = &*self.0.spelling.spellable(chunk);
            match self.0.plain.encode_fast(chunk, false) {
                Ok(encoding) => ids.extend_from_slice(encoding.get_ids()),
                Err(_) => ids.extend(chunk.bytes().map(|b| self.0.spelling.ids[usize::from(b)])),
            }
        }
    }

    /// A hash of the file it was read from: the same ids for the same text.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 32] {
        self.0.fingerprint
    }

    /// The ids of text in which added tokens count: the leftmost, and of these the longest. Only for text that this
    /// program wrote.
    #[must_use]
    pub fn encode_with_specials(&self, text: &str) -> Vec<u32> {
        self.encode_guarded(text, None)
    }

    /// The same for text in which a guard character keeps foreign text from being taken for an added token; the guard
    /// itself is left out.
    pub(super) fn encode_guarded(&self, text: &str, guard: Option<char>) -> Vec<u32> {
        let plain = |text: &str| match guard {
            Some(guard) => self.encode(&text.replace(guard, "")),
            None => self.encode(text),
        };
        let mut ids = Vec::new();
        let (mut from, mut at) = (0, 0);
        while let Some(c) = text[at..].chars().next() {
            let rest = &text[at..];
            let here = self
                .0
                .added
                .iter()
                .filter(|token| rest.starts_with(token.content.as_str()));
            let Some(token) = here.max_by_key(|token| token.content.len()) else {
                at += c.len_utf8();
                continue;
            };
            let before = &text[from..at];
            ids.extend(plain(if token.lstrip { before.trim_end() } else { before }));
            ids.push(token.id);
            at += token.content.len();
            if token.rstrip {
                at = text.len() - text[at..].trim_start().len();
            }
            from = at;
        }
        ids.extend(plain(&text[from..]));
        ids
    }

    /// The id of the added token that is written `content`.
    #[must_use]
    pub fn special(&self, content: &str) -> Option<u32> {
        self.0
            .added
            .iter()
            .find(|token| token.content == content)
            .map(|token| token.id)
    }

    /// All added tokens, by id.
    #[must_use]
    pub fn added_tokens(&self) -> &[AddedToken] {
        &self.0.added
    }

    /// One more than the largest id.
    #[must_use]
    pub fn vocab_size(&self) -> usize {
        self.0.bytes.len()
    }

    /// The exact bytes that a token stands for, which need not be whole characters. An added token stands for its own
    /// name. `None` if there is no such id.
    #[must_use]
    pub fn token_bytes(&self, id: u32) -> Option<&[u8]> {
        self.0.bytes.get(id as usize)?.as_deref()
    }

    /// The text of `ids`; what is not UTF-8 becomes U+FFFD.
    #[must_use]
    pub fn decode(&self, ids: &[u32]) -> String {
        let bytes: Vec<u8> = ids
            .iter()
            .filter_map(|&id| self.token_bytes(id))
            .flatten()
            .copied()
            .collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

fn small_id(id: u64) -> Option<u32> {
    u32::try_from(id).ok().filter(|&id| id <= MAX_ID)
}

fn unsupported(path: &Path, what: &str) -> ModelError {
    ModelError::Unsupported {
        path: path.into(),
        what: what.into(),
        advice: "Use a checkpoint of the MiniMax-M1 family; its tokenizer is a byte-level BPE".into(),
    }
}

/// A space before every piece would stand in no document.
fn forbid_prefix_space(pre_tokenizer: &mut Value) {
    match pre_tokenizer {
        Value::Object(map) => {
            if map.get("type").and_then(Value::as_str) == Some("ByteLevel") {
                map.insert("add_prefix_space".into(), Value::Bool(false));
            }
            map.values_mut().for_each(forbid_prefix_space);
        }
        Value::Array(items) => items.iter_mut().for_each(forbid_prefix_space),
        _ => {}
    }
}

/// Takes the added tokens out of everything by which text could reach them: the list itself, the model's vocabulary
/// (which `ignore_merges` looks whole words up in) and the merges that would spell one. Also whatever would add to the
/// text or leave some of it out.
fn make_plain(json: &mut Value, added: &[AddedToken]) {
    for key in ["truncation", "padding", "post_processor"] {
        json[key] = Value::Null;
    }
    json["added_tokens"] = Value::Array(Vec::new());
    forbid_prefix_space(&mut json["pre_tokenizer"]);
    let added: HashSet<&str> = added.iter().map(|token| token.content.as_str()).collect();
    let model = &mut json["model"];
    if model["unk_token"].as_str().is_some_and(|unk| added.contains(unk)) {
        model["unk_token"] = Value::Null;
    }
    if let Some(vocab) = model["vocab"].as_object_mut() {
        vocab.retain(|token, _| !added.contains(token.as_str()));
    }
    if let Some(merges) = model["merges"].as_array_mut() {
        merges.retain(|merge| {
            let (left, right) = match merge {
                Value::String(pair) => pair.split_once(' ').unwrap_or((pair, "")),
                Value::Array(pair) => match pair.as_slice() {
                    [Value::String(left), Value::String(right)] => (left.as_str(), right.as_str()),
                    _ => return true,
                },
                _ => return true,
            };
            ![left, right, &format!("{left}{right}")]
                .iter()
                .any(|&part| added.contains(part))
        });
    }
}

/// The token of each single byte.
struct Spelling {
    ids: [u32; 256],
    /// Bytes that have none; they are read as [`Spelling::STAND_IN`].
    missing: Vec<u8>,
}

impl Spelling {
    const STAND_IN: u8 = b'?';

    /// `None` if the vocabulary lacks a byte of usual text.
    fn new(vocab: &HashMap<String, u32>, byte_level: bool, byte_fallback: bool) -> Option<Self> {
        if !byte_level && !byte_fallback {
            return None;
        }
        let alphabet = alphabet();
        let id_of = |byte: u8| {
            let name = if byte_level {
                alphabet[usize::from(byte)].to_string()
            } else {
                format!("<0x{byte:02X}>")
            };
            vocab.get(&name).copied()
        };
        let stand_in = id_of(Self::STAND_IN)?;
        let mut missing = Vec::new();
        let mut ids = [stand_in; 256];
        for (byte, id) in (0u8..=255).zip(&mut ids) {
            match id_of(byte) {
                Some(known) => *id = known,
                None if Self::is_rare(byte) => missing.push(byte),
                None => return None,
            }
        }
        Some(Self { ids, missing })
    }

    /// Control characters other than white space, first bytes of planes 4 to 15, and bytes that UTF-8 does not use.
    fn is_rare(byte: u8) -> bool {
        byte.is_ascii_control() && !byte.is_ascii_whitespace() || matches!(byte, 0xc0 | 0xc1 | 0xf1..=0xff)
    }

    /// The text with question marks, one a byte, for each character that has a missing byte.
    fn spellable<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if self.missing.is_empty() || !text.bytes().any(|b| self.missing.contains(&b)) {
            return Cow::Borrowed(text);
        }
        let mut spellable = String::with_capacity(text.len());
        for c in text.chars() {
            let mut buffer = [0; 4];
            let bytes = c.encode_utf8(&mut buffer).as_bytes();
            if bytes.iter().any(|b| self.missing.contains(b)) {
                spellable.extend(bytes.iter().map(|_| char::from(Self::STAND_IN)));
            } else {
                spellable.push(c);
            }
        }
        Cow::Owned(spellable)
    }
}

fn bytes_of_all(
    plain: &tokenizers::Tokenizer,
    vocab: &HashMap<String, u32>,
    added: &[AddedToken],
    byte_level: bool,
) -> Vec<Option<Box<[u8]>>> {
    let inverse: HashMap<char, u8> = alphabet().into_iter().zip(0u8..=255).collect();
    let own_bytes = |token: &str, id: u32| -> Vec<u8> {
        let exact = if byte_level {
            token.chars().map(|c| inverse.get(&c).copied()).collect()
        } else {
            fallback_byte(token).map(|byte| vec![byte])
        };
        exact.unwrap_or_else(|| {
            plain
                .decode(&[id], false)
                .unwrap_or_else(|_| token.to_owned())
                .into_bytes()
        })
    };
    let all = vocab.values().copied().chain(added.iter().map(|token| token.id));
    let mut bytes = vec![None; all.max().map_or(0, |id| id as usize + 1)];
    for (token, &id) in vocab {
        bytes[id as usize] = Some(own_bytes(token, id).into());
    }
    for token in added {
        bytes[token.id as usize] = Some(token.content.as_bytes().into());
    }
    bytes
}

/// The byte of a token written `<0xNN>`.
fn fallback_byte(token: &str) -> Option<u8> {
    let digits = token.strip_prefix("<0x")?.strip_suffix('>')?;
    u8::from_str_radix(digits, 16).ok().filter(|_| digits.len() == 2)
}

/// The printable character by which byte-level vocabularies write each byte: itself where it is printable in Latin-1,
/// else the next of U+0100 and on.
fn alphabet() -> [char; 256] {
    let mut next = 0x100;
    std::array::from_fn(|byte| {
        if matches!(byte, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff) {
            char::from(byte as u8)
        } else {
            next += 1;
            char::from_u32(next - 1).unwrap_or(char::REPLACEMENT_CHARACTER)
        }
    })
}

/// Cuts a long text before letters that begin a line: there, every split pattern of this family splits.
fn chunks(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (chunk, after) = rest.split_at(cut(rest));
        rest = after;
        Some(chunk)
    })
}

fn cut(text: &str) -> usize {
    if text.len() <= CHUNK {
        return text.len();
    }
    let end = text.floor_char_boundary(CHUNK);
    let bytes = text.as_bytes();
    (end / 2..end)
        .rev()
        .find(|&at| bytes[at - 1] == b'\n' && bytes[at].is_ascii_alphabetic())
        .unwrap_or(end)
}

#[cfg(test)]
impl Tokenizer {
    /// A byte-level tokenizer with a few merges that splits as the bundled model's does: letters, single digits,
    /// underscores. The added tokens have the ids from 0, bytes those from 16.
    pub(crate) fn for_tests(added: &[&str]) -> Self {
        use serde_json::json;
        let merges = [
            ("i", "n"),
            ("e", "r"),
            ("t", "h"),
            ("th", "e"),
            ("f", "n"),
            ("l", "e"),
            ("Ġ", "="),
            ("Ġ=", "Ġ"),
        ];
        let merged = merges.iter().map(|(left, right)| format!("{left}{right}"));
        let tokens = alphabet().into_iter().map(String::from).chain(merged);
        let vocab: serde_json::Map<String, Value> = tokens.zip(16..).map(|(token, id)| (token, json!(id))).collect();
        let added: Vec<Value> = added
            .iter()
            .enumerate()
            .map(|(id, content)| {
                json!({"id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false,
                       "normalized": false, "special": true})
            })
            .collect();
        let json = json!({
            "version": "1.0",
            "added_tokens": added,
            "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
                {"type": "Split", "pattern": {"Regex": "[A-Za-z]+|[0-9]|_|\\n| ?[^A-Za-z0-9_ \\n]+ ?| +"},
                 "behavior": "Isolated", "invert": false},
                {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false}]},
            "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
            "model": {"type": "BPE", "vocab": vocab, "merges": merges.map(|(l, r)| format!("{l} {r}"))},
        });
        Self::from_bytes(json.to_string().as_bytes(), Path::new("tokenizer.json")).expect("a valid tokenizer")
    }
}

#[cfg(test)]
mod tests;
