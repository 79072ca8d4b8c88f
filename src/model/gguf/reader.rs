//! Reading a GGUF header byte by byte. Nothing is believed before it has been compared with what is left of the file.

use std::ops::Range;
use std::path::Path;

use super::super::ModelError;

/// A place in the bytes of a file.
pub(super) struct Reader<'a> {
    path: &'a Path,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub fn new(path: &'a Path, bytes: &'a [u8]) -> Self {
        Self { path, bytes, at: 0 }
    }

    pub fn at(&self) -> usize {
        self.at
    }

    pub fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// The place of the next `count` bytes, which are skipped. `what` is for the message if there are fewer.
    pub fn skip(&mut self, count: u64, what: &str) -> Result<Range<usize>, ModelError> {
        match usize::try_from(count) {
            Ok(count) if count <= self.left() => {
                let from = self.at;
                self.at += count;
                Ok(from..self.at)
            }
            _ => Err(self.corrupt(&format!(
                "{what} would take {count} bytes and the file has {} more",
                self.left()
            ))),
        }
    }

    pub fn take<const N: usize>(&mut self, what: &str) -> Result<[u8; N], ModelError> {
        let range = self.skip(N as u64, what)?;
        Ok(self.bytes[range].try_into().expect("as long as it was taken"))
    }

    pub fn u32(&mut self, what: &str) -> Result<u32, ModelError> {
        self.take(what).map(u32::from_le_bytes)
    }

    pub fn u64(&mut self, what: &str) -> Result<u64, ModelError> {
        self.take(what).map(u64::from_le_bytes)
    }

    /// The place of a string: its length in 64 bits, then its bytes.
    pub fn string(&mut self, what: &str) -> Result<Range<usize>, ModelError> {
        let length = self.u64(what)?;
        self.skip(length, what)
    }

    /// A name: short, UTF-8, and safe to show.
    pub fn name(&mut self, what: &str) -> Result<&'a str, ModelError> {
        const LONGEST: usize = 1 << 10;
        let range = self.string(what)?;
        if range.len() > LONGEST {
            return Err(self.corrupt(&format!("{what} has {} bytes; expected at most {LONGEST}", range.len())));
        }
        let name = std::str::from_utf8(&self.bytes[range]).ok();
        name.filter(|name| !name.contains(char::is_control))
            .ok_or_else(|| self.corrupt(&format!("{what} is not plain text")))
    }

    /// An error at this place.
    pub fn corrupt(&self, what: &str) -> ModelError {
        ModelError::malformed(
            self.path,
            format!(
                "not a whole GGUF file: at byte {} {what}. It is truncated or corrupt; download it again.",
                self.at
            ),
        )
    }
}
