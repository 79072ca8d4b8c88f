//! A random model as a GGUF file, so that other engines can be measured on the same weights.

use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::path::Path;

use crate::model::gguf::{self, Outline, TensorSpec, Value, Writer};
use crate::model::{Dtype, ModelConfig, ModelWeights, TensorView};

/// Writes `weights` to `path` as they are, most of them being of type `dtype`. Without a tokenizer: the file can be timed and
/// scored by ids. It appears under its name when it is whole, and no other file is written over.
///
/// # Errors
/// If the format has no key for something, a file of that name is there, or it cannot be written.
pub fn save(
    name: &str,
    config: &ModelConfig,
    weights: &ModelWeights<TensorView>,
    dtype: Dtype,
    path: &Path,
) -> io::Result<u64> {
    let mut keys = gguf::network_keys(config, name, dtype).map_err(io::Error::other)?;
    keys.push(("tokenizer.ggml.model".to_owned(), Value::Text("no_vocab".to_owned())));
    let sources = gguf::tensors(weights);
    let specs = sources.iter().map(|source| TensorSpec {
        name: source.name.clone(),
        dtype: source.pieces[0].dtype(),
        shape: source.shape.clone(),
    });
    let outline = Outline::new(&keys, specs.collect());
    if path.try_exists()? {
        return Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            "there is such a file already; remove it or choose another name",
        ));
    }
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    let part = Path::new(&part);
    let write = || {
        let mut writer = Writer::new(&outline, BufWriter::new(File::create(part)?))?;
        for piece in sources.iter().flat_map(|source| &source.pieces) {
            writer.write(piece.bytes())?;
        }
        writer.finish()?.get_ref().sync_all()?;
        fs::rename(part, path)
    };
    let written = write();
    if written.is_err() {
        let _ = fs::remove_file(part);
    }
    written.map(|()| outline.file_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::{Shape, synthetic};
    use crate::model::Checkpoint;

    #[test]
    fn what_is_saved_is_what_was_made() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tiny.gguf");
        let config = Shape::named("tiny").unwrap().config();
        let weights = synthetic(&config, Dtype::Q8_0);
        let bytes = save("tiny", &config, &weights, Dtype::Q8_0, &path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().len(), bytes);
        let read = Checkpoint::open(&path).unwrap();
        assert_eq!(read.config.layers.len(), config.layers.len());
        assert_eq!((read.config.vocab, read.config.hidden), (config.vocab, config.hidden));
        let all = |weights| {
            let sources = gguf::tensors(weights);
            let pieces = sources.into_iter().flat_map(|source| source.pieces);
            pieces
                .map(|piece| (piece.dtype(), piece.bytes().to_vec()))
                .collect::<Vec<_>>()
        };
        assert!(all(&read.weights) == all(&weights));

        let again = save("tiny", &config, &weights, Dtype::Q8_0, &path).unwrap_err();
        assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
        let nowhere = folder.path().join("missing").join("tiny.gguf");
        save("tiny", &config, &weights, Dtype::Q8_0, &nowhere).unwrap_err();
        assert_eq!(
            fs::read_dir(folder.path()).unwrap().count(),
            1,
            "nothing is left of a failed one"
        );
    }
}
