//! Which checkpoint this is, so that nothing that was computed with one is taken for another's.

use std::convert::Infallible;
use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rayon::prelude::*;

use super::{Checkpoint, ModelError, TensorView};

/// Weights of at most so many bytes are read whole.
const READ_WHOLE: usize = 2 << 30;
/// Of more, so many pieces of each tensor, evenly spaced.
const PIECES: usize = 64;
const PIECE: usize = 4096;

/// A hash of the weights and the tokenizer of a checkpoint.
///
/// Weights of up to 2 GiB are hashed whole. Of more, that would take longer than what it is for: then it is 64 pieces of every tensor, and
/// size, time of change and number of every file, so that a file that was written to is another.
pub(super) fn of(checkpoint: &Checkpoint, mut files: Vec<PathBuf>) -> Result<[u8; 32], ModelError> {
    let whole = checkpoint.weights.bytes() <= READ_WHOLE;
    let mut hasher = blake3::Hasher::new_derive_key("thunderhead 2026 checkpoint");
    // A checkpoint can be used by ids without one.
    let tokenizer = checkpoint.tokenizer().map(|tokenizer| tokenizer.fingerprint());
    hasher.update(&tokenizer.unwrap_or_default());
    let mut tensors = Vec::new();
    let walked = checkpoint.weights.clone().try_map(|tensor, role| {
        tensors.push((tensor, role));
        Ok::<_, Infallible>(())
    });
    match walked {
        Ok(_) => {}
        Err(never) => match never {},
    }
    let hashed = tensors.par_iter().map(|(tensor, role)| {
        let mut hasher = blake3::Hasher::new();
        let (bytes, shape) = (tensor.bytes(), tensor.shape());
        hasher.update(format!("{role:?} {:?} {shape:?} {};", tensor.dtype(), bytes.len()).as_bytes());
        if whole {
            hasher.update(bytes);
        } else {
            for piece in pieces(tensor) {
                hasher.update(piece);
            }
        }
        hasher.finalize()
    });
    for hash in hashed.collect::<Vec<_>>() {
        hasher.update(hash.as_bytes());
    }
    if !whole {
        files.sort();
        for file in files {
            let data = std::fs::metadata(&file).map_err(|error| ModelError::io(file.clone(), error))?;
            hasher.update(describe(&file, &data).as_bytes());
        }
    }
    Ok(hasher.finalize().into())
}

fn pieces(tensor: &TensorView) -> impl Iterator<Item = &[u8]> {
    let bytes = tensor.bytes();
    let step = (bytes.len() / PIECES).max(PIECE);
    let starts = (0..bytes.len()).step_by(step).take(PIECES);
    let last = bytes.len().saturating_sub(PIECE);
    starts
        .chain([last])
        .map(move |start| &bytes[start..bytes.len().min(start + PIECE)])
}

fn describe(file: &Path, data: &Metadata) -> String {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let since = |time: SystemTime| {
        time.duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default()
            .as_nanos()
    };
    let modified = data.modified().map_or(0, since);
    #[cfg(unix)]
    let inode = {
        use std::os::unix::fs::MetadataExt;
        // The time of change cannot be set by hand, as that of modification can.
        format!("{} {}.{}", data.ino(), data.ctime(), data.ctime_nsec())
    };
    #[cfg(not(unix))]
    let inode = "";
    format!("{name:?} {} {modified} {inode};", data.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_reach_from_the_beginning_to_the_end() {
        for length in [0, 1, PIECE, PIECE + 1, 300_000, PIECES * PIECE * 3 + 17] {
            let values = vec![0.0; length.div_ceil(4)];
            let tensor = TensorView::from_f32("x", vec![values.len()], &values);
            let bytes = tensor.bytes();
            let pieces: Vec<&[u8]> = pieces(&tensor).collect();
            assert!(pieces.len() <= PIECES + 1);
            let end = |piece: &&[u8]| piece.as_ptr_range().end;
            assert_eq!(
                pieces.last().map(end).filter(|_| !bytes.is_empty()),
                (!bytes.is_empty()).then_some(bytes.as_ptr_range().end)
            );
            assert!(bytes.is_empty() || pieces[0].as_ptr() == bytes.as_ptr());
        }
    }

    #[test]
    fn a_weight_or_a_tokenizer_that_differs_is_another_checkpoint() {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/bundled");
        let folder = tempfile::tempdir().unwrap();
        let copy = |name: &str| std::fs::copy(source.join(name), folder.path().join(name)).unwrap();
        for name in ["config.json", "model.safetensors", "tokenizer.json"] {
            copy(name);
        }
        let fingerprint = || Checkpoint::open(folder.path()).unwrap().fingerprint().unwrap();
        let bundled = crate::model::bundled().unwrap().fingerprint().unwrap();
        assert_eq!(fingerprint(), bundled, "wherever it lies");
        let weights = folder.path().join("model.safetensors");
        let mut bytes = std::fs::read(&weights).unwrap();
        let last = bytes.len() - 2;
        bytes[last] ^= 1;
        std::fs::write(&weights, bytes).unwrap();
        assert_ne!(fingerprint(), bundled);
        copy("model.safetensors");
        assert_eq!(fingerprint(), bundled);
        let tokenizer = folder.path().join("tokenizer.json");
        let text = std::fs::read_to_string(&tokenizer).unwrap() + "\n";
        std::fs::write(&tokenizer, text).unwrap();
        assert_ne!(fingerprint(), bundled);
    }
}
