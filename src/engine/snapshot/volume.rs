//! One file of kept state: records, a table of them, and where that is.
//!
//! ```text
//! content of each record, one after the other
//! table:    model 32 · name · numerics · tokens a second f64 · number of records u32 · records
//!           a record: kind u8 · key 32 · position u64 · offset u64 · length u64 · blake3 of the content 32
//! trailer:  offset of the table u64 · its length u64 · its blake3 32 · "thunderhead snp1"
//! ```
//! Numbers are little-endian, texts have their length before them as u32. A file is written once, as a whole, and never changed,
//! so one without a trailer that holds is no file of ours. Every record has its own sum: it is checked when the record is read.

use std::io::{self, Write};
use std::path::Path;

use super::files::{Files, Mapped};
use super::key::Key;

const MAGIC: &[u8; 16] = b"thunderhead snp1";
const TRAILER: usize = 8 + 8 + 32 + 16;
const RECORD: usize = 1 + 32 + 3 * 8 + 32;
const LARGEST_TABLE: u64 = 64 << 20;

/// What a record holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Keys and values of one block of tokens, of every softmax layer.
    Block,
    /// A place to go on from: every lightning state, and the keys and values of the tokens after the last whole block.
    Place,
    /// The logits after the last token of a place, f32: a reply that was stopped there goes on from them.
    Logits,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Record {
    pub kind: Kind,
    pub key: Key,
    /// Tokens up to its end.
    pub position: u64,
    pub offset: u64,
    pub length: u64,
    pub sum: [u8; 32],
}

/// Whose state a file is.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Owner {
    pub model: Key,
    /// The model's name and what its numbers depend on, to be shown.
    pub name: String,
    pub numerics: String,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Table {
    pub owner: Owner,
    /// Prefill as it was measured last when the file was written; 0 if it was not.
    pub rate: f64,
    pub records: Vec<Record>,
}

/// Why a file is not used.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unusable {
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It is not what was written.
    #[error("{0}")]
    Damaged(&'static str),
}

/// Writes a file: each content is asked for when it is its turn. Fills in where the records lie and their sums.
pub(super) fn write(
    to: &mut dyn Write,
    table: &mut Table,
    content: &mut dyn FnMut(usize, &mut Vec<u8>) -> io::Result<()>,
) -> io::Result<()> {
    let mut offset = 0;
    let mut buffer = Vec::new();
    for (index, record) in table.records.iter_mut().enumerate() {
        buffer.clear();
        content(index, &mut buffer)?;
        record.offset = offset;
        record.length = buffer.len() as u64;
        record.sum = blake3::hash(&buffer).into();
        to.write_all(&buffer)?;
        offset += record.length;
    }
    let bytes = encode(table);
    to.write_all(&bytes)?;
    to.write_all(&offset.to_le_bytes())?;
    to.write_all(&(bytes.len() as u64).to_le_bytes())?;
    to.write_all(blake3::hash(&bytes).as_bytes())?;
    to.write_all(MAGIC)
}

/// Reads the table of a file of so many bytes.
pub(super) fn read(files: &dyn Files, path: &Path, bytes: u64) -> Result<Table, Unusable> {
    let damaged = || Unusable::Damaged("its end is missing");
    let start = bytes.checked_sub(TRAILER as u64).ok_or_else(damaged)?;
    let mut trailer = [0; TRAILER];
    files.read(path, start, &mut trailer)?;
    let mut reader = Reader(&trailer);
    let (offset, length) = (reader.number(), reader.number());
    let (sum, magic) = (reader.take(32), reader.take(MAGIC.len()));
    let (Some(offset), Some(length), Some(sum)) = (offset, length, sum) else {
        return Err(damaged());
    };
    if magic != Some(MAGIC) || length > LARGEST_TABLE || offset.checked_add(length) != Some(start) {
        return Err(damaged());
    }
    let mut table = vec![0; length as usize];
    files.read(path, offset, &mut table)?;
    if blake3::hash(&table).as_bytes() != sum {
        return Err(Unusable::Damaged("its table is damaged"));
    }
    let table = decode(&table).ok_or(Unusable::Damaged("its table cannot be read"))?;
    let within = |record: &Record| {
        record
            .offset
            .checked_add(record.length)
            .is_some_and(|end| end <= offset)
    };
    if table.records.iter().all(within) {
        Ok(table)
    } else {
        Err(Unusable::Damaged("its table leads out of it"))
    }
}

/// The content of a record, checked where it lies.
pub(super) fn content(files: &dyn Files, path: &Path, record: &Record) -> Result<Mapped, Unusable> {
    let bytes = usize::try_from(record.length).map_err(|_| Unusable::Damaged("a record is too long"))?;
    let content = files.map(path, record.offset, bytes)?;
    if blake3::hash((*content).as_ref()).as_bytes() == &record.sum {
        Ok(content)
    } else {
        Err(Unusable::Damaged("a record is damaged"))
    }
}

fn encode(table: &Table) -> Vec<u8> {
    let mut to = Vec::with_capacity(256 + table.records.len() * RECORD);
    to.extend(table.owner.model.0);
    for text in [&table.owner.name, &table.owner.numerics] {
        to.extend((text.len() as u32).to_le_bytes());
        to.extend(text.as_bytes());
    }
    to.extend(table.rate.to_le_bytes());
    to.extend((table.records.len() as u32).to_le_bytes());
    for record in &table.records {
        to.push(match record.kind {
            Kind::Block => 0,
            Kind::Place => 1,
            Kind::Logits => 2,
        });
        to.extend(record.key.0);
        for number in [record.position, record.offset, record.length] {
            to.extend(number.to_le_bytes());
        }
        to.extend(record.sum);
    }
    to
}

fn decode(bytes: &[u8]) -> Option<Table> {
    let mut reader = Reader(bytes);
    let model = reader.key()?;
    let (name, numerics) = (reader.text()?, reader.text()?);
    let rate = f64::from_bits(reader.number()?);
    let count = reader.short()? as usize;
    if reader.0.len() != count.checked_mul(RECORD)? {
        return None;
    }
    let record = |_| {
        Some(Record {
            kind: match reader.take(1)? {
                [0] => Kind::Block,
                [1] => Kind::Place,
                [2] => Kind::Logits,
                _ => return None,
            },
            key: reader.key()?,
            position: reader.number()?,
            offset: reader.number()?,
            length: reader.number()?,
            sum: reader.key()?.0,
        })
    };
    Some(Table {
        owner: Owner { model, name, numerics },
        rate,
        records: (0..count).map(record).collect::<Option<_>>()?,
    })
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }

    fn short(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    fn key(&mut self) -> Option<Key> {
        Some(Key(self.take(32)?.try_into().ok()?))
    }

    fn text(&mut self) -> Option<String> {
        let length = self.short()? as usize;
        String::from_utf8(self.take(length)?.to_vec()).ok()
    }
}
