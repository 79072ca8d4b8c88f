//! Reading a `config.json` key by key, with errors that say what was found.

use std::path::Path;

use serde_json::Value;

use super::ModelError;

/// Above any size in a model, and small enough that products of three do not overflow.
const LARGEST_SIZE: u64 = 1 << 28;

/// The keys of one JSON object.
pub(super) struct Fields<'a> {
    json: &'a Value,
    path: &'a Path,
}

impl<'a> Fields<'a> {
    pub fn new(json: &'a Value, path: &'a Path) -> Self {
        Self { json, path }
    }

    pub fn get(&self, key: &str) -> Option<&'a Value> {
        self.json.get(key)
    }

    /// A size that must be there, at least 1.
    pub fn size(&self, key: &str) -> Result<usize, ModelError> {
        match self.optional_size(key)? {
            Some(0) | None => Err(self.wrong(key, "a positive whole number")),
            Some(size) => Ok(size),
        }
    }

    pub fn optional_size(&self, key: &str) -> Result<Option<usize>, ModelError> {
        match self.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => match value.as_u64() {
                Some(n) if n <= LARGEST_SIZE => Ok(Some(n as usize)),
                _ => Err(self.wrong(key, "a whole number of reasonable size")),
            },
        }
    }

    pub fn optional_number(&self, key: &str) -> Result<Option<f64>, ModelError> {
        match self.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => match value.as_f64() {
                Some(n) if n.is_finite() => Ok(Some(n)),
                _ => Err(self.wrong(key, "a number")),
            },
        }
    }

    pub fn flag(&self, key: &str) -> Result<Option<bool>, ModelError> {
        match self.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Bool(b)) => Ok(Some(*b)),
            Some(_) => Err(self.wrong(key, "true or false")),
        }
    }

    /// A token id, a list of them, or null.
    pub fn ids(&self, key: &str) -> Result<Vec<u32>, ModelError> {
        let wrong = || self.wrong(key, "a token id, a list of token ids or null");
        let id = |value: &Value| value.as_u64().and_then(|n| u32::try_from(n).ok()).ok_or_else(wrong);
        match self.get(key) {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::Array(list)) => list.iter().map(id).collect(),
            Some(value) => Ok(vec![id(value)?]),
        }
    }

    fn wrong(&self, key: &str, expected: &str) -> ModelError {
        let what = match self.get(key) {
            None => format!("{key} is missing; expected {expected}"),
            Some(value) => {
                let found: String = value.to_string().chars().take(60).collect();
                format!("{key} is {found}; expected {expected}")
            }
        };
        ModelError::malformed(self.path, what)
    }
}
