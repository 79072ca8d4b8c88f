//! The keys of a GGUF file and their values.
//!
//! Numbers are kept, text and lists stay where they are in the map; their sizes have been checked.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::super::ModelError;
use super::super::storage::Storage;
use super::reader::Reader;
use super::writer;

/// No model has so many keys; a table of them must not be built because a file says so.
const MOST_KEYS: u64 = 1 << 16;

/// Above any size in a model, and small enough that products of three do not overflow.
const LARGEST_DIMENSION: u64 = 1 << 28;

/// The keys of one file.
pub(in super::super) struct Metadata {
    path: PathBuf,
    storage: Storage,
    values: BTreeMap<String, Value>,
}

/// A type of value, in the order of their numbers in the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    F32,
    Bool,
    Text,
    List,
    U64,
    I64,
    F64,
}

#[derive(Debug, Clone)]
enum Value {
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Bool(bool),
    Text(Range<usize>),
    List {
        kind: Kind,
        count: usize,
        bytes: Range<usize>,
    },
}

impl Kind {
    fn from_number(number: u32) -> Option<Self> {
        Some(match number {
            0 => Self::U8,
            1 => Self::I8,
            2 => Self::U16,
            3 => Self::I16,
            4 => Self::U32,
            5 => Self::I32,
            6 => Self::F32,
            7 => Self::Bool,
            8 => Self::Text,
            9 => Self::List,
            10 => Self::U64,
            11 => Self::I64,
            12 => Self::F64,
            _ => return None,
        })
    }

    /// Bytes of a value of fixed size; none for text and lists.
    fn size(self) -> Option<usize> {
        match self {
            Self::U8 | Self::I8 | Self::Bool => Some(1),
            Self::U16 | Self::I16 => Some(2),
            Self::U32 | Self::I32 | Self::F32 => Some(4),
            Self::U64 | Self::I64 | Self::F64 => Some(8),
            Self::Text | Self::List => None,
        }
    }

    /// The value of a little-endian number of this kind; none for text and lists.
    fn number(self, bytes: &[u8]) -> Option<Value> {
        let mut wide = [0; 8];
        wide.get_mut(..bytes.len())?.copy_from_slice(bytes);
        let unsigned = u64::from_le_bytes(wide);
        // Shifted to the top and back, which brings the sign along.
        let spare = 64 - 8 * bytes.len() as u32;
        let signed = unsigned.checked_shl(spare)?.cast_signed() >> spare;
        Some(match self {
            Self::U8 | Self::U16 | Self::U32 | Self::U64 => Value::Unsigned(unsigned),
            Self::I8 | Self::I16 | Self::I32 | Self::I64 => Value::Signed(signed),
            Self::F32 => Value::Float(f64::from(f32::from_bits(unsigned as u32))),
            Self::F64 => Value::Float(f64::from_bits(unsigned)),
            Self::Bool => Value::Bool(unsigned != 0),
            Self::Text | Self::List => return None,
        })
    }
}

impl Value {
    fn unsigned(&self) -> Option<u64> {
        match *self {
            Self::Unsigned(n) => Some(n),
            Self::Signed(n) => u64::try_from(n).ok(),
            _ => None,
        }
    }
}

impl Metadata {
    /// Reads `count` keys.
    pub(super) fn read(
        reader: &mut Reader<'_>,
        path: &Path,
        storage: &Storage,
        count: u64,
    ) -> Result<Self, ModelError> {
        if count > MOST_KEYS {
            return Err(reader.corrupt(&format!("{count} keys are announced; expected at most {MOST_KEYS}")));
        }
        let mut values = BTreeMap::new();
        for _ in 0..count {
            let key = reader.name("a key")?.to_owned();
            let value = read_value(reader, &key)?;
            if values.contains_key(&key) {
                return Err(reader.corrupt(&format!("the key {key} comes twice")));
            }
            values.insert(key, value);
        }
        Ok(Self {
            path: path.to_owned(),
            storage: storage.clone(),
            values,
        })
    }

    /// The file, for messages.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The keys that begin with one of `prefixes`, to be written to another file.
    pub fn copied(&self, prefixes: &[&str]) -> Vec<(String, writer::Value)> {
        let wanted = self
            .values
            .iter()
            .filter(|(key, _)| prefixes.iter().any(|prefix| key.starts_with(prefix)));
        let value = |value: &Value| {
            Some(match value {
                Value::Unsigned(n) => writer::Value::U32(u32::try_from(*n).ok()?),
                Value::Signed(n) => writer::Value::I32(i32::try_from(*n).ok()?),
                Value::Float(x) => writer::Value::F32(*x as f32),
                Value::Bool(flag) => writer::Value::Bool(*flag),
                Value::Text(range) => {
                    let text = self.bytes(range);
                    writer::Value::Text(String::from_utf8_lossy(text).into_owned())
                }
                Value::List { kind, count, bytes } => writer::Value::List {
                    kind: *kind as u32,
                    count: *count as u64,
                    bytes: self.bytes(bytes).to_vec(),
                },
            })
        };
        wanted
            .filter_map(|(key, found)| Some((key.clone(), value(found)?)))
            .collect()
    }

    pub fn contains(&self, key: &str) -> bool {
        self.values.contains_key(key)
    }

    /// A size that must be there, at least 1.
    pub fn size(&self, key: &str) -> Result<usize, ModelError> {
        match self.optional_size(key)? {
            Some(0) | None => Err(self.wrong(key, "a positive whole number")),
            Some(size) => Ok(size),
        }
    }

    pub fn optional_size(&self, key: &str) -> Result<Option<usize>, ModelError> {
        let Some(value) = self.values.get(key) else {
            return Ok(None);
        };
        match value.unsigned() {
            Some(n) if n <= LARGEST_DIMENSION => Ok(Some(n as usize)),
            _ => Err(self.wrong(key, "a whole number of reasonable size")),
        }
    }

    /// A size that may also be given layer by layer, as long as all layers have the same.
    pub fn uniform_size(&self, key: &str) -> Result<Option<usize>, ModelError> {
        if !matches!(self.values.get(key), Some(Value::List { .. })) {
            return self.optional_size(key);
        }
        let wrong = || self.wrong(key, "one whole number for all layers");
        let mut sizes = self.numbers(key)?.unwrap_or_default().into_iter();
        let first = sizes.next().ok_or_else(wrong)?;
        if first <= LARGEST_DIMENSION && sizes.all(|size| size == first) {
            Ok(Some(first as usize))
        } else {
            Err(wrong())
        }
    }

    pub fn optional_number(&self, key: &str) -> Result<Option<f64>, ModelError> {
        let number = match self.values.get(key) {
            None => return Ok(None),
            Some(Value::Unsigned(n)) => *n as f64,
            Some(Value::Signed(n)) => *n as f64,
            Some(Value::Float(n)) if n.is_finite() => *n,
            Some(_) => return Err(self.wrong(key, "a number")),
        };
        Ok(Some(number))
    }

    /// One flag a layer, or one for all `layers`; numbers count as flags.
    pub fn flags(&self, key: &str, layers: usize) -> Result<Option<Vec<bool>>, ModelError> {
        let truth = |value: &Value| match value {
            Value::Bool(b) => Some(*b),
            other => other.unsigned().map(|n| n != 0),
        };
        let expected = || {
            self.wrong(
                key,
                &format!("true or false, or one of them for each of {layers} layers"),
            )
        };
        match self.values.get(key) {
            None => Ok(None),
            Some(Value::List { kind, count, bytes }) => {
                let size = kind.size().filter(|_| *count == layers).ok_or_else(expected)?;
                let flags = self.bytes(bytes).chunks_exact(size);
                let flags: Option<Vec<bool>> = flags.map(|b| truth(&kind.number(b)?)).collect();
                flags.map(Some).ok_or_else(expected)
            }
            Some(one) => Ok(Some(vec![truth(one).ok_or_else(expected)?; layers])),
        }
    }

    /// Text; an error if it is there and is none.
    pub fn text(&self, key: &str) -> Result<Option<&str>, ModelError> {
        let Some(value) = self.values.get(key) else {
            return Ok(None);
        };
        let text = match value {
            Value::Text(range) => std::str::from_utf8(self.bytes(range)).ok(),
            _ => None,
        };
        text.map(Some).ok_or_else(|| self.wrong(key, "text"))
    }

    /// An id of a token.
    pub fn id(&self, key: &str) -> Result<Option<u32>, ModelError> {
        let Some(value) = self.values.get(key) else {
            return Ok(None);
        };
        // −1 stands for none in some files.
        if matches!(value, Value::Signed(-1)) || value.unsigned() == Some(u64::from(u32::MAX)) {
            return Ok(None);
        }
        let id = value.unsigned().and_then(|n| u32::try_from(n).ok());
        id.map(Some).ok_or_else(|| self.wrong(key, "the id of a token"))
    }

    /// A list of whole numbers, none below 0.
    pub fn numbers(&self, key: &str) -> Result<Option<Vec<u64>>, ModelError> {
        self.list(key, "a list of whole numbers", Value::unsigned)
    }

    /// A list of numbers.
    pub fn floats(&self, key: &str) -> Result<Option<Vec<f32>>, ModelError> {
        self.list(key, "a list of numbers", |value| match *value {
            Value::Float(n) => Some(n as f32),
            Value::Unsigned(n) => Some(n as f32),
            Value::Signed(n) => Some(n as f32),
            _ => None,
        })
    }

    /// A list of texts; each is `None` if it is not UTF-8.
    pub fn texts(&self, key: &str) -> Result<Option<Vec<Option<&str>>>, ModelError> {
        match self.values.get(key) {
            None => Ok(None),
            Some(Value::List {
                kind: Kind::Text,
                bytes,
                ..
            }) => {
                let bytes = self.bytes(bytes);
                let mut reader = Reader::new(&self.path, bytes);
                let mut texts = Vec::new();
                while reader.left() > 0 {
                    let range = reader.string("a text of a list")?;
                    texts.push(std::str::from_utf8(&bytes[range]).ok());
                }
                Ok(Some(texts))
            }
            Some(_) => Err(self.wrong(key, "a list of texts")),
        }
    }

    /// What is there instead of what was expected.
    pub fn wrong(&self, key: &str, expected: &str) -> ModelError {
        let found = match self.values.get(key) {
            None => return ModelError::malformed(&self.path, format!("{key} is missing; expected {expected}")),
            Some(Value::Unsigned(n)) => n.to_string(),
            Some(Value::Signed(n)) => n.to_string(),
            Some(Value::Float(n)) => n.to_string(),
            Some(Value::Bool(b)) => b.to_string(),
            Some(Value::Text(range)) => {
                let text: String = String::from_utf8_lossy(self.bytes(range)).chars().take(60).collect();
                format!("{text:?}")
            }
            Some(Value::List { kind, count, .. }) => format!("a list of {count} {kind:?}"),
        };
        ModelError::malformed(&self.path, format!("{key} is {found}; expected {expected}"))
    }

    fn list<T>(
        &self,
        key: &str,
        expected: &str,
        read: impl Fn(&Value) -> Option<T>,
    ) -> Result<Option<Vec<T>>, ModelError> {
        let wrong = || self.wrong(key, expected);
        match self.values.get(key) {
            None => Ok(None),
            Some(Value::List { kind, bytes, .. }) => {
                let size = kind.size().ok_or_else(wrong)?;
                let values = self.bytes(bytes).chunks_exact(size);
                let values: Option<Vec<T>> = values.map(|b| read(&kind.number(b)?)).collect();
                values.map(Some).ok_or_else(wrong)
            }
            Some(_) => Err(wrong()),
        }
    }

    fn bytes(&self, range: &Range<usize>) -> &[u8] {
        &(*self.storage).as_ref()[range.clone()]
    }
}

fn read_value(reader: &mut Reader<'_>, key: &str) -> Result<Value, ModelError> {
    let kind = read_kind(reader, key)?;
    match (kind, kind.size()) {
        (_, Some(size)) => {
            let mut bytes = [0; 8];
            for byte in &mut bytes[..size] {
                [*byte] = reader.take(key)?;
            }
            if kind == Kind::Bool && bytes[0] > 1 {
                return Err(reader.corrupt(&format!("{key} is {}; expected 0 or 1", bytes[0])));
            }
            Ok(kind.number(&bytes[..size]).expect("a kind of fixed size is a number"))
        }
        (Kind::Text, None) => reader.string(key).map(Value::Text),
        (_, None) => read_list(reader, key),
    }
}

fn read_list(reader: &mut Reader<'_>, key: &str) -> Result<Value, ModelError> {
    let kind = read_kind(reader, key)?;
    let count = reader.u64(key)?;
    let from = reader.at();
    match kind.size() {
        Some(size) => {
            reader.skip(count.saturating_mul(size as u64), key)?;
        }
        None if kind == Kind::Text => {
            // Each text takes 8 bytes at the least, so the loop ends with the file whatever the count.
            for _ in 0..count {
                reader.string(key)?;
            }
        }
        None => return Err(reader.corrupt(&format!("{key} is a list of lists, which no model needs"))),
    }
    Ok(Value::List {
        kind,
        count: count as usize,
        bytes: from..reader.at(),
    })
}

fn read_kind(reader: &mut Reader<'_>, key: &str) -> Result<Kind, ModelError> {
    let number = reader.u32(key)?;
    Kind::from_number(number).ok_or_else(|| reader.corrupt(&format!("{key} has a value of the unknown type {number}")))
}
