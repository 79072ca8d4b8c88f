//! Weights in safetensors files, single or sharded, mapped and never copied.
//!
//! The `safetensors` crate checks that the header's ranges tile the file exactly, so a truncated or padded file is
//! found here and not by a wrong number later.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use safetensors::SafeTensors;
use serde::Deserialize;

use super::ModelError;
use super::files::Files;
use super::storage::Storage;
use super::tensor::{Dtype, TensorView};

const SINGLE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";

/// Every tensor of a checkpoint by name.
pub(super) struct Tensors {
    by_name: HashMap<String, Entry>,
    /// What was opened, for messages about tensors that are nowhere.
    source: PathBuf,
}

struct Entry {
    file: Arc<PathBuf>,
    storage: Storage,
    dtype: safetensors::Dtype,
    shape: Vec<usize>,
    bytes: std::ops::Range<usize>,
}

#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

impl Tensors {
    /// Opens the shards named by the index, or the single file.
    pub fn open(files: &Files) -> Result<Self, ModelError> {
        let mut by_name = HashMap::new();
        if files.exists(INDEX) {
            let source = files.path(INDEX);
            let raw = files.read(INDEX)?;
            let index: Index = serde_json::from_slice(&raw).map_err(|e| {
                ModelError::malformed(
                    &source,
                    format!("not a safetensors index: {e}. Download the file again."),
                )
            })?;
            let mut shards: Vec<&String> = index.weight_map.values().collect();
            shards.sort_unstable();
            shards.dedup();
            for shard in shards {
                if shard.contains(['/', '\\']) || shard.as_str() == ".." {
                    return Err(ModelError::malformed(
                        &source,
                        format!("names the shard {shard:?}; expected a plain file name"),
                    ));
                }
                if !files.exists(shard) {
                    return Err(ModelError::Missing {
                        path: files.path(shard),
                        what: format!("this shard is missing; {INDEX} names it. Download it into the same folder."),
                    });
                }
                read_shard(files, shard, &mut by_name)?;
            }
            Ok(Self { by_name, source })
        } else if files.exists(SINGLE) {
            read_shard(files, SINGLE, &mut by_name)?;
            Ok(Self {
                by_name,
                source: files.path(SINGLE),
            })
        } else {
            Err(ModelError::Missing {
                path: files.path(SINGLE),
                what: format!("there are no weights; expected {SINGLE}, or {INDEX} with its shards"),
            })
        }
    }

    /// Whether there are any weights of this format.
    pub fn exist(files: &Files) -> bool {
        files.exists(INDEX) || files.exists(SINGLE)
    }

    pub fn contains(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }

    /// The tensor `name`, which must have exactly this shape and a floating-point type.
    pub fn get(&self, name: &str, shape: &[usize]) -> Result<TensorView, ModelError> {
        let entry = self.by_name.get(name).ok_or_else(|| {
            ModelError::tensor(
                &self.source,
                format!("tensor {name} is missing; expected shape {shape:?}. The checkpoint is incomplete or of another model."),
            )
        })?;
        if entry.shape != shape {
            return Err(ModelError::tensor(
                entry.file.as_path(),
                format!(
                    "tensor {name} has shape {:?}, but config.json asks for {shape:?}. Are both files of the same model?",
                    entry.shape
                ),
            ));
        }
        let dtype = match entry.dtype {
            safetensors::Dtype::F32 => Dtype::F32,
            safetensors::Dtype::F16 => Dtype::F16,
            safetensors::Dtype::BF16 => Dtype::Bf16,
            other => {
                return Err(ModelError::tensor(
                    entry.file.as_path(),
                    format!(
                        "tensor {name} has type {other:?}; expected F32, F16 or BF16. Quantised safetensors are not read."
                    ),
                ));
            }
        };
        Ok(TensorView::new(
            name,
            dtype,
            entry.shape.clone(),
            entry.storage.clone(),
            entry.bytes.clone(),
        ))
    }
}

fn read_shard(files: &Files, name: &str, by_name: &mut HashMap<String, Entry>) -> Result<(), ModelError> {
    let path = files.path(name);
    let storage = files.map(name)?;
    let bytes: &[u8] = (*storage).as_ref();
    let (header, metadata) = SafeTensors::read_metadata(bytes).map_err(|e| {
        ModelError::malformed(
            &path,
            format!(
                "not a whole safetensors file ({} bytes): {e}. It is truncated or corrupt; download it again.",
                bytes.len()
            ),
        )
    })?;
    let data = size_of::<u64>() + header;
    let file = Arc::new(path.clone());
    for (tensor, info) in metadata.tensors() {
        let (begin, end) = info.data_offsets;
        let entry = Entry {
            file: file.clone(),
            storage: storage.clone(),
            dtype: info.dtype,
            shape: info.shape.clone(),
            bytes: data + begin..data + end,
        };
        if by_name.insert(tensor.clone(), entry).is_some() {
            return Err(ModelError::tensor(
                &path,
                format!("tensor {tensor} is also in another shard"),
            ));
        }
    }
    Ok(())
}
