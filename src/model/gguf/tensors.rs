//! The tensors of a GGUF file, or of all files of a split model, where they lie.

use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::storage::Storage;
use super::super::{Dtype, ModelError, TensorView};
use super::reader::Reader;

/// No model has so many tensors; a table of them must not be built because a file says so.
const MOST_TENSORS: u64 = 1 << 20;

const MOST_DIMENSIONS: u32 = 4;

/// Every tensor of a model by name.
pub(super) struct Tensors {
    by_name: HashMap<String, Entry>,
    /// What was opened, for messages about tensors that are nowhere.
    source: PathBuf,
}

struct Entry {
    file: Arc<PathBuf>,
    storage: Storage,
    /// As numbered in the format.
    kind: u32,
    /// Outermost dimension first, as everywhere in this program; the file has it last.
    shape: Vec<usize>,
    /// Empty if this program does not know the type, and so not the size.
    bytes: Range<usize>,
}

/// What a header says of one tensor.
struct Info {
    name: String,
    kind: u32,
    shape: Vec<usize>,
    offset: u64,
}

impl Tensors {
    pub fn new(source: PathBuf) -> Self {
        Self {
            by_name: HashMap::new(),
            source,
        }
    }

    /// Adds the `count` tensors that the header lists at `reader`; `storage` is the file, of which there are to be `length` bytes.
    pub fn add(
        &mut self,
        reader: &mut Reader<'_>,
        path: &Path,
        (storage, length): (&Storage, usize),
        count: u64,
        alignment: usize,
    ) -> Result<(), ModelError> {
        if count > MOST_TENSORS {
            return Err(reader.corrupt(&format!(
                "{count} tensors are announced; expected at most {MOST_TENSORS}"
            )));
        }
        let mut infos = Vec::new();
        for _ in 0..count {
            infos.push(read_info(reader)?);
        }
        let data = reader.at().next_multiple_of(alignment);
        let file = Arc::new(path.to_owned());
        let wrong = |name: &str, what: &str| {
            let advice = "The file is truncated or corrupt; download it again.";
            ModelError::tensor(path, format!("tensor {name} {what}. {advice}"))
        };
        let mut places = Vec::new();
        for info in infos {
            let bytes = place(&info, data, length, alignment).map_err(|what| wrong(&info.name, &what))?;
            if self.by_name.contains_key(&info.name) {
                return Err(wrong(&info.name, "comes twice"));
            }
            places.push((bytes.start, bytes.end, info.name.clone()));
            let entry = Entry {
                file: file.clone(),
                storage: storage.clone(),
                kind: info.kind,
                shape: info.shape,
                bytes,
            };
            self.by_name.insert(info.name, entry);
        }
        // So the sum of all tensors, and what is made of them, is bounded by the size of the file.
        places.sort();
        let overlap = places.windows(2).find(|pair| pair[0].1 > pair[1].0);
        overlap.map_or(Ok(()), |pair| {
            Err(wrong(&pair[1].2, &format!("lies on tensor {}", pair[0].2)))
        })
    }

    pub fn contains(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }

    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Names of all tensors, and how many bytes each takes.
    pub fn sizes(&self) -> Result<Vec<(String, usize)>, ModelError> {
        let size = |(name, entry): (&String, &Entry)| {
            entry.known(name)?;
            Ok((name.clone(), entry.bytes.len()))
        };
        self.by_name.iter().map(size).collect()
    }

    /// The shape of the tensor `name`, if there is one.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.by_name.get(name).map(|entry| entry.shape.as_slice())
    }

    /// Takes the tensor `name`, which must have exactly this shape and a type that this program knows.
    pub fn take(&mut self, name: &str, shape: &[usize]) -> Result<TensorView, ModelError> {
        let entry = self.by_name.remove(name).ok_or_else(|| {
            ModelError::tensor(
                &self.source,
                format!(
                    "tensor {name} is missing; expected shape {shape:?}. The file is incomplete or of another model."
                ),
            )
        })?;
        if entry.shape != shape {
            return Err(ModelError::tensor(
                entry.file.as_path(),
                format!(
                    "tensor {name} has shape {:?}, but the file's own keys ask for {shape:?}. Convert the model again.",
                    entry.shape
                ),
            ));
        }
        let dtype = entry.known(name)?;
        Ok(TensorView::new(name, dtype, entry.shape, entry.storage, entry.bytes))
    }

    /// Takes a matrix of each of `experts` out of the one tensor that has them all.
    pub fn take_experts(
        &mut self,
        name: &str,
        experts: usize,
        shape: [usize; 2],
    ) -> Result<Vec<TensorView>, ModelError> {
        let all = self.take(name, &[experts, shape[0], shape[1]])?;
        Ok((0..experts).map(|e| all.slice(e..e + 1, shape.to_vec())).collect())
    }

    /// The name of a tensor that nobody took, first in the alphabet.
    pub fn left(&self) -> Option<&str> {
        self.by_name.keys().map(String::as_str).min()
    }
}

impl Entry {
    /// The type of the tensor, if this program knows it.
    fn known(&self, name: &str) -> Result<Dtype, ModelError> {
        dtype(self.kind).ok_or_else(|| ModelError::Unsupported {
            path: self.file.to_path_buf(),
            what: format!("tensor {name} of type {}", type_name(self.kind)),
            advice: "Take the model in F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K or Q6_K".to_owned(),
        })
    }
}

fn read_info(reader: &mut Reader<'_>) -> Result<Info, ModelError> {
    let name = reader.name("the name of a tensor")?.to_owned();
    let dimensions = reader.u32(&name)?;
    if !(1..=MOST_DIMENSIONS).contains(&dimensions) {
        return Err(reader.corrupt(&format!(
            "tensor {name} has {dimensions} dimensions; expected 1 to {MOST_DIMENSIONS}"
        )));
    }
    let mut shape = Vec::new();
    for _ in 0..dimensions {
        let size = reader.u64(&name)?;
        match usize::try_from(size) {
            Ok(size) if size > 0 => shape.insert(0, size),
            _ => return Err(reader.corrupt(&format!("tensor {name} has a dimension of size {size}"))),
        }
    }
    Ok(Info {
        kind: reader.u32(&name)?,
        offset: reader.u64(&name)?,
        name,
        shape,
    })
}

/// Where a tensor's bytes are in a file of `length` bytes whose data begins at `data`.
fn place(info: &Info, data: usize, length: usize, alignment: usize) -> Result<Range<usize>, String> {
    let Some(dtype) = dtype(info.kind) else {
        return Ok(0..0);
    };
    let size = size(dtype, &info.shape)?;
    let offset = usize::try_from(info.offset).map_err(|_| "begins beyond the end of any file".to_owned())?;
    if offset % alignment != 0 {
        return Err(format!("begins at {offset}, which is not a multiple of {alignment}"));
    }
    let begin = data.checked_add(offset);
    let end = begin.and_then(|begin| begin.checked_add(size));
    match (begin, end) {
        (Some(begin), Some(end)) if end <= length => Ok(begin..end),
        _ => Err(format!(
            "should have {size} bytes at {offset} of the data, which begins at {data}; the file has {length} bytes"
        )),
    }
}

fn size(dtype: Dtype, shape: &[usize]) -> Result<usize, String> {
    let columns = shape.last().copied().unwrap_or(1);
    if columns % dtype.block() != 0 {
        return Err(format!(
            "has rows of {columns}, which is not a multiple of the {} weights of a block",
            dtype.block()
        ));
    }
    let blocks = shape[..shape.len() - 1]
        .iter()
        .try_fold(columns / dtype.block(), |blocks, size| blocks.checked_mul(*size));
    blocks
        .and_then(|blocks| blocks.checked_mul(dtype.block_bytes()))
        .ok_or_else(|| format!("has shape {shape:?}, which is beyond any file"))
}

/// The type numbered so in the format, if this program reads it.
fn dtype(kind: u32) -> Option<Dtype> {
    Some(match kind {
        0 => Dtype::F32,
        1 => Dtype::F16,
        2 => Dtype::Q4_0,
        3 => Dtype::Q4_1,
        6 => Dtype::Q5_0,
        7 => Dtype::Q5_1,
        8 => Dtype::Q8_0,
        12 => Dtype::Q4K,
        13 => Dtype::Q5K,
        14 => Dtype::Q6K,
        30 => Dtype::Bf16,
        _ => return None,
    })
}

/// What a type is called that this program does not read.
fn type_name(kind: u32) -> String {
    let name = match kind {
        9 => "Q8_1",
        10 => "Q2_K",
        11 => "Q3_K",
        15 => "Q8_K",
        16 => "IQ2_XXS",
        17 => "IQ2_XS",
        18 => "IQ3_XXS",
        19 => "IQ1_S",
        20 => "IQ4_NL",
        21 => "IQ3_S",
        22 => "IQ2_S",
        23 => "IQ4_XS",
        24 => "I8",
        25 => "I16",
        26 => "I32",
        27 => "I64",
        28 => "F64",
        29 => "IQ1_M",
        34 => "TQ1_0",
        35 => "TQ2_0",
        39 => "MXFP4",
        _ => return format!("number {kind}"),
    };
    name.to_owned()
}
