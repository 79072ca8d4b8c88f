//! Writing a GGUF file: its beginning is known before any weight is, so the weights follow as they come.
//!
//! A file is a header (keys, then name, shape, type and place of every tensor) and the data of the tensors, each at a
//! multiple of [`ALIGNMENT`] bytes, one after the other. [`Outline`] lays that out; [`Writer`] streams into it.

use std::io::{self, Write};
use std::ops::Range;

use super::super::Dtype;

/// Bytes that the data begin at a multiple of, and each tensor in them.
pub const ALIGNMENT: usize = 32;

const MAGIC: &[u8; 4] = b"GGUF";
const VERSION: u32 = 3;

/// The value of a key.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    U32(u32),
    I32(i32),
    F32(f32),
    Bool(bool),
    Text(String),
    Bools(Vec<bool>),
    I32s(Vec<i32>),
    Texts(Vec<String>),
    /// A list as another file has it.
    List {
        /// The number of the type of its elements.
        kind: u32,
        count: u64,
        bytes: Vec<u8>,
    },
}

/// A tensor to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorSpec {
    pub name: String,
    pub dtype: Dtype,
    /// Row-major, the row last, as everywhere in this program. In the file the row comes first.
    pub shape: Vec<usize>,
}

impl TensorSpec {
    /// Bytes of its data.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.dtype.row_bytes(self.shape.iter().product())
    }
}

/// Where everything of a file lies.
#[derive(Debug, Clone)]
pub struct Outline {
    header: Vec<u8>,
    tensors: Vec<TensorSpec>,
    places: Vec<Range<u64>>,
}

impl Outline {
    /// # Panics
    /// If the rows of a tensor are not whole blocks of its type.
    #[must_use]
    pub fn new(metadata: &[(String, Value)], tensors: Vec<TensorSpec>) -> Self {
        let mut header = Vec::new();
        header.extend(MAGIC);
        header.extend(VERSION.to_le_bytes());
        header.extend((tensors.len() as u64).to_le_bytes());
        header.extend((metadata.len() as u64).to_le_bytes());
        for (key, value) in metadata {
            put_text(&mut header, key);
            put_value(&mut header, value);
        }
        let mut offset = 0_u64;
        let mut places = Vec::with_capacity(tensors.len());
        for tensor in &tensors {
            let columns = tensor.shape.last().copied().unwrap_or(1);
            assert!(tensor.dtype.divides(columns), "a row is a whole number of blocks");
            put_text(&mut header, &tensor.name);
            header.extend((tensor.shape.len() as u32).to_le_bytes());
            for size in tensor.shape.iter().rev() {
                header.extend((*size as u64).to_le_bytes());
            }
            header.extend(number(tensor.dtype).to_le_bytes());
            header.extend(offset.to_le_bytes());
            let end = offset + tensor.bytes() as u64;
            places.push(offset..end);
            offset = end.next_multiple_of(ALIGNMENT as u64);
        }
        header.resize(header.len().next_multiple_of(ALIGNMENT), 0);
        let data = header.len() as u64;
        for place in &mut places {
            *place = place.start + data..place.end + data;
        }
        Self {
            header,
            tensors,
            places,
        }
    }

    /// The bytes before the data.
    #[must_use]
    pub fn header(&self) -> &[u8] {
        &self.header
    }

    #[must_use]
    pub fn tensors(&self) -> &[TensorSpec] {
        &self.tensors
    }

    /// The bytes of each tensor in the file.
    #[must_use]
    pub fn places(&self) -> &[Range<u64>] {
        &self.places
    }

    /// Bytes of the whole file, with the zeros after the last tensor.
    #[must_use]
    pub fn file_bytes(&self) -> u64 {
        let end = self.places.last().map_or(self.header.len() as u64, |place| place.end);
        end.next_multiple_of(ALIGNMENT as u64)
    }
}

/// Writes a file front to back: first the header, then the data of each tensor in pieces of any size.
#[derive(Debug)]
pub struct Writer<'a, W> {
    outline: &'a Outline,
    out: W,
    position: u64,
}

impl<'a, W: Write> Writer<'a, W> {
    /// Begins a file.
    pub fn new(outline: &'a Outline, mut out: W) -> io::Result<Self> {
        out.write_all(&outline.header)?;
        Ok(Self {
            outline,
            out,
            position: outline.header.len() as u64,
        })
    }

    /// Goes on with a file of which `position` bytes are there, and `out` stands behind them.
    pub fn resume(outline: &'a Outline, out: W, position: u64) -> Self {
        Self { outline, out, position }
    }

    /// Bytes of the file so far.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Appends data; where a tensor ends here, the zeros up to the next as well.
    pub fn write(&mut self, data: &[u8]) -> io::Result<()> {
        self.out.write_all(data)?;
        self.position += data.len() as u64;
        let places = &self.outline.places;
        let next = places.partition_point(|place| place.end < self.position);
        if places.get(next).is_some_and(|place| place.end == self.position) {
            let padding = (self.position.next_multiple_of(ALIGNMENT as u64) - self.position) as usize;
            self.out.write_all(&[0; ALIGNMENT][..padding])?;
            self.position += padding as u64;
        }
        Ok(())
    }

    /// Ends the file.
    ///
    /// # Panics
    /// If data are missing.
    pub fn finish(mut self) -> io::Result<W> {
        assert_eq!(
            self.position,
            self.outline.file_bytes(),
            "every tensor has been written"
        );
        self.out.flush()?;
        Ok(self.out)
    }
}

/// The number that stands for a type in the file.
fn number(dtype: Dtype) -> u32 {
    match dtype {
        Dtype::F32 => 0,
        Dtype::F16 => 1,
        Dtype::Q4_0 => 2,
        Dtype::Q4_1 => 3,
        Dtype::Q5_0 => 6,
        Dtype::Q5_1 => 7,
        Dtype::Q8_0 => 8,
        Dtype::Q4K => 12,
        Dtype::Q5K => 13,
        Dtype::Q6K => 14,
        Dtype::Bf16 => 30,
    }
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}

fn put_value(out: &mut Vec<u8>, value: &Value) {
    // The type; of a list, which is type 9, that of its elements after it.
    let kinds: &[u32] = match value {
        Value::List { kind, .. } => &[9, *kind],
        Value::U32(_) => &[4],
        Value::I32(_) => &[5],
        Value::F32(_) => &[6],
        Value::Bool(_) => &[7],
        Value::Text(_) => &[8],
        Value::Bools(_) => &[9, 7],
        Value::I32s(_) => &[9, 5],
        Value::Texts(_) => &[9, 8],
    };
    out.extend(kinds.iter().flat_map(|kind| kind.to_le_bytes()));
    let count = |out: &mut Vec<u8>, count: usize| out.extend((count as u64).to_le_bytes());
    match value {
        Value::List {
            count: elements, bytes, ..
        } => {
            out.extend(elements.to_le_bytes());
            out.extend(bytes);
        }
        Value::U32(n) => out.extend(n.to_le_bytes()),
        Value::I32(n) => out.extend(n.to_le_bytes()),
        Value::F32(n) => out.extend(n.to_le_bytes()),
        Value::Bool(b) => out.push(u8::from(*b)),
        Value::Text(text) => put_text(out, text),
        Value::Bools(list) => {
            count(out, list.len());
            out.extend(list.iter().map(|b| u8::from(*b)));
        }
        Value::I32s(list) => {
            count(out, list.len());
            out.extend(list.iter().flat_map(|n| n.to_le_bytes()));
        }
        Value::Texts(list) => {
            count(out, list.len());
            for text in list {
                put_text(out, text);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(name: &str, dtype: Dtype, shape: &[usize]) -> TensorSpec {
        TensorSpec {
            name: name.to_owned(),
            dtype,
            shape: shape.to_vec(),
        }
    }

    /// Two keys and a tensor, byte by byte as the format says.
    #[test]
    fn the_header_is_laid_out_as_documented() {
        let metadata = [
            ("a".to_owned(), Value::U32(7)),
            ("b".to_owned(), Value::Texts(vec!["x".to_owned()])),
        ];
        let outline = Outline::new(&metadata, vec![spec("t", Dtype::F16, &[2, 3])]);
        let mut expected: Vec<u8> = Vec::new();
        expected.extend(b"GGUF\x03\0\0\0");
        expected.extend([1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0]);
        expected.extend(b"\x01\0\0\0\0\0\0\0a\x04\0\0\0\x07\0\0\0");
        expected.extend(b"\x01\0\0\0\0\0\0\0b\x09\0\0\0\x08\0\0\0\x01\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0x");
        expected.extend(b"\x01\0\0\0\0\0\0\0t\x02\0\0\0");
        expected.extend(b"\x03\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0");
        expected.resize(expected.len().next_multiple_of(32), 0);
        assert_eq!(outline.header(), expected);
        let data = expected.len() as u64;
        assert_eq!(outline.places().first(), Some(&(data..data + 12)));
        assert_eq!(outline.file_bytes(), expected.len() as u64 + 32);
    }

    /// However the data are cut, and wherever writing was taken up again.
    #[test]
    fn pieces_of_any_size_make_the_same_file() {
        let tensors = vec![
            spec("a", Dtype::F32, &[3]),
            spec("b", Dtype::Q8_0, &[2, 32]),
            spec("c", Dtype::F32, &[8]),
            spec("d", Dtype::Bf16, &[5, 3]),
        ];
        let outline = Outline::new(&[], tensors);
        let data: Vec<u8> = (0..12 + 68 + 32 + 30).map(|i| i as u8 + 1).collect();
        let write = |size: usize| {
            let mut writer = Writer::new(&outline, Vec::new()).unwrap();
            let mut left = &data[..];
            for tensor in outline.tensors() {
                let (own, rest) = left.split_at(tensor.bytes());
                own.chunks(size).for_each(|piece| writer.write(piece).unwrap());
                left = rest;
            }
            writer.finish().unwrap()
        };
        let whole = write(1000);
        assert_eq!(whole.len() as u64, outline.file_bytes());
        let mut at = 0;
        for (place, tensor) in outline.places().iter().zip(outline.tensors()) {
            assert_eq!(place.start % 32, 0);
            assert_eq!(
                whole[place.start as usize..place.end as usize],
                data[at..at + tensor.bytes()]
            );
            at += tensor.bytes();
        }
        for size in [1, 7, 32] {
            assert_eq!(write(size), whole);
        }
        // From the beginning of the second tensor on.
        let start = outline.places()[1].start;
        let mut writer = Writer::resume(&outline, whole[..start as usize].to_vec(), start);
        writer.write(&data[12..80]).unwrap();
        writer.write(&data[80..112]).unwrap();
        writer.write(&data[112..]).unwrap();
        assert_eq!(writer.finish().unwrap(), whole);
    }
}
