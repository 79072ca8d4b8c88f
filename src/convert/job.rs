//! Writing a planned file, row block by row block.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use blake3::Hash;
use rayon::ThreadPool;
use rayon::prelude::*;

use super::journal::{self, Journal};
use super::{ConvertError, Plan};
use crate::compute::Interrupt;
use crate::model::gguf::Writer;
use crate::model::{Dtype, ModelError, TensorView, Unrepresentable};

/// Weights that are rounded before any is written, about: what memory a conversion takes goes by it.
const BLOCK: usize = 1 << 21;

/// How far a conversion is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress<'a> {
    /// The tensor at work.
    pub tensor: &'a str,
    /// Bytes of the file that are written, and of all of it.
    pub done: u64,
    pub total: u64,
    /// Bytes that an earlier run had written.
    pub kept: u64,
}

/// What a conversion did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    pub bytes: u64,
    pub kept: u64,
}

/// Writes the file of `plan` to `out` on the threads of `pool`, or goes on with it.
///
/// # Errors
/// If `out` is there already, a weight cannot be rounded, or writing fails or is interrupted; what was written is kept then in
/// all cases but the first, beside `out`, with the endings `.part` and `.journal`.
pub fn run(
    plan: &Plan<'_>,
    out: &Path,
    pool: &ThreadPool,
    interrupt: &Interrupt,
    mut progress: impl FnMut(Progress<'_>) + Send,
) -> Result<Summary, ConvertError> {
    if out.try_exists().map_err(|e| ConvertError::io(out, e, 0))? {
        return Err(ConvertError::Exists(out.to_owned()));
    }
    let job = Job::new(plan, out);
    pool.install(|| job.run(interrupt, &mut progress))
}

/// One tensor of the checkpoint on its way into the file.
struct Piece<'a> {
    tensor: &'a TensorView,
    /// The tensor of the file that it is part of.
    name: &'a str,
    index: usize,
    dtype: Dtype,
    /// Where its bytes end in the file.
    end: u64,
}

struct Job<'a> {
    plan: &'a Plan<'a>,
    pieces: Vec<Piece<'a>>,
    out: PathBuf,
    part: PathBuf,
    journal: PathBuf,
}

impl<'a> Job<'a> {
    fn new(plan: &'a Plan<'a>, out: &Path) -> Self {
        let mut pieces = Vec::new();
        let specs = plan.outline.tensors().iter().zip(plan.outline.places());
        for (index, (source, (spec, place))) in plan.sources.iter().zip(specs).enumerate() {
            let mut end = place.start;
            for &tensor in &source.pieces {
                end += spec.dtype.row_bytes(tensor.elements()) as u64;
                pieces.push(Piece {
                    tensor,
                    name: &spec.name,
                    index,
                    dtype: spec.dtype,
                    end,
                });
            }
        }
        let beside = |ending: &str| {
            let mut name = out.as_os_str().to_owned();
            name.push(ending);
            PathBuf::from(name)
        };
        Self {
            plan,
            pieces,
            out: out.to_owned(),
            part: beside(".part"),
            journal: beside(".journal"),
        }
    }

    fn run(
        &self,
        interrupt: &Interrupt,
        progress: &mut (impl FnMut(Progress<'_>) + Send),
    ) -> Result<Summary, ConvertError> {
        let outline = &self.plan.outline;
        let total = outline.file_bytes();
        let failed = |e: io::Error, position: u64| ConvertError::io(&self.part, e, total - position);
        let mut part = self.open_part()?;
        let identity = self.identity();
        let kept = self.verified(&mut part, &identity, interrupt);
        let start = kept.last().map_or(0, |(end, _)| *end);

        let journal = Journal::open(&self.journal, &identity, &kept);
        let mut journal = journal.map_err(|e| ConvertError::io(&self.journal, e, 0))?;
        let reset = |part: &mut File| {
            part.set_len(start)?;
            part.seek(SeekFrom::Start(start))
        };
        reset(&mut part).map_err(|e| failed(e, 0))?;
        let mut writer = if kept.is_empty() {
            Writer::new(outline, part).map_err(|e| failed(e, 0))?
        } else {
            let mut writer = Writer::resume(outline, part, start);
            // What follows the last piece may be padding.
            writer.write(&[]).map_err(|e| failed(e, start))?;
            writer
        };

        for piece in &self.pieces[kept.len()..] {
            let mut hasher = blake3::Hasher::new();
            let mut report = |done| {
                progress(Progress {
                    tensor: piece.name,
                    done,
                    total,
                    kept: start,
                });
            };
            let rounded = rounded(piece, interrupt, |bytes| {
                hasher.update(bytes);
                let position = writer.position();
                writer.write(bytes).map_err(|e| failed(e, position))?;
                report(writer.position());
                Ok(())
            });
            match rounded {
                Ok(()) => {}
                Err(Stopped::Interrupted) => {
                    return Err(ConvertError::Interrupted {
                        path: self.part.clone(),
                        done: piece.index,
                        total: outline.tensors().len(),
                    });
                }
                Err(Stopped::Failed(error)) => return Err(error),
            }
            let finished = journal.finished(piece.end, &hasher.finalize());
            finished.map_err(|e| ConvertError::io(&self.journal, e, total - piece.end))?;
        }

        let part = writer.finish().map_err(|e| failed(e, total))?;
        part.sync_all().map_err(|e| failed(e, total))?;
        // Not over a file that has appeared meanwhile, which a rename would replace.
        if self.out.exists() {
            return Err(ConvertError::Exists(self.out.clone()));
        }
        fs::rename(&self.part, &self.out).map_err(|e| ConvertError::io(&self.out, e, 0))?;
        fs::remove_file(&self.journal).map_err(|e| ConvertError::io(&self.journal, e, 0))?;
        Ok(Summary {
            bytes: total,
            kept: start,
        })
    }

    /// The unfinished file, for this conversion alone.
    fn open_part(&self) -> Result<File, ConvertError> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let part = options
            .open(&self.part)
            .map_err(|e| ConvertError::io(&self.part, e, 0))?;
        match part.try_lock() {
            Err(TryLockError::WouldBlock) => Err(ConvertError::Busy(self.part.clone())),
            // A file system without locks is no reason not to write.
            Ok(()) | Err(TryLockError::Error(_)) => Ok(part),
        }
    }

    /// What file this is: its header, and of each tensor that it is made from a few bytes at the beginning, in the middle and
    /// at the end. All of the weights would have to be read for more.
    fn identity(&self) -> Hash {
        const SAMPLE: usize = 64;
        let mut hasher = blake3::Hasher::new();
        hasher.update(self.plan.outline.header());
        for piece in &self.pieces {
            let bytes = piece.tensor.bytes();
            hasher.update(piece.tensor.dtype().name().as_bytes());
            for at in [0, bytes.len() / 2, bytes.len().saturating_sub(SAMPLE)] {
                hasher.update(&bytes[at..bytes.len().min(at + SAMPLE)]);
            }
        }
        hasher.finalize()
    }

    /// The pieces of an earlier run that are in the file as the journal says.
    fn verified(&self, part: &mut File, identity: &Hash, interrupt: &Interrupt) -> Vec<(u64, Hash)> {
        let listed = journal::read(&self.journal, identity);
        let header = self.plan.outline.header();
        let mut found = vec![0; header.len()];
        if listed.is_empty() || part.read_exact(&mut found).is_err() || found != header {
            return Vec::new();
        }
        let mut position = header.len() as u64;
        let mut kept = Vec::new();
        for (piece, (end, hash)) in self.pieces.iter().zip(listed) {
            let begin = self.plan.outline.places()[piece.index].start.max(position);
            let length = piece.end - begin;
            let matches = end == piece.end
                && part.seek(SeekFrom::Start(begin)).is_ok()
                && journal::hash_of(part, length).is_ok_and(|found| found == hash);
            if !matches || interrupt.is_raised() {
                break;
            }
            position = end;
            kept.push((end, hash));
        }
        kept
    }
}

enum Stopped {
    Interrupted,
    Failed(ConvertError),
}

/// Rounds a tensor, and gives its bytes to `write` in order. While some are written the next are rounded.
fn rounded(
    piece: &Piece<'_>,
    interrupt: &Interrupt,
    mut write: impl FnMut(&[u8]) -> Result<(), ConvertError> + Send,
) -> Result<(), Stopped> {
    let tensor = piece.tensor;
    let columns = tensor.shape().last().copied().unwrap_or(1);
    let row_bytes = tensor.dtype().row_bytes(columns);
    let rows = BLOCK.div_ceil(columns.max(1));
    let mut ready = Vec::new();
    let mut next = Vec::new();
    for (index, bytes) in tensor.bytes().chunks(rows * row_bytes).enumerate() {
        if interrupt.is_raised() {
            return Err(Stopped::Interrupted);
        }
        let (rounded, written) = rayon::join(
            || round_rows(tensor.dtype(), bytes, piece.dtype, columns, &mut next),
            || write(&ready),
        );
        written.map_err(Stopped::Failed)?;
        rounded.map_err(|error| Stopped::Failed(cannot_round(piece, index * rows, columns, &error)))?;
        std::mem::swap(&mut ready, &mut next);
    }
    write(&ready).map_err(Stopped::Failed)
}

fn cannot_round(piece: &Piece<'_>, first_row: usize, columns: usize, error: &Unrepresentable) -> ConvertError {
    let (row, column) = (first_row + error.index / columns, error.index % columns);
    let advice = if error.value.is_finite() {
        "It needs a wider type, such as bf16."
    } else {
        "The checkpoint is damaged; download it again."
    };
    ModelError::Tensor {
        path: piece.tensor.name().into(),
        problem: format!(
            "row {row}, column {column} is {}, which {} cannot hold. {advice}",
            error.value,
            piece.dtype.name()
        ),
    }
    .into()
}

/// `bytes`, rows of type `from`, as rows of type `to`. An error's index counts from the beginning of `bytes`.
fn round_rows(from: Dtype, bytes: &[u8], to: Dtype, columns: usize, out: &mut Vec<u8>) -> Result<(), Unrepresentable> {
    let from_row = from.row_bytes(columns);
    let to_row = to.row_bytes(columns);
    out.clear();
    // Blocks that are of this type already are not rounded again.
    if from == to && from.block() > 1 {
        out.extend_from_slice(bytes);
        return Ok(());
    }
    out.resize(bytes.len() / from_row * to_row, 0);
    let rows = bytes.par_chunks(from_row).zip(out.par_chunks_mut(to_row));
    rows.enumerate().try_for_each_init(
        || vec![0.0; columns],
        |row, (index, (bytes, out))| {
            from.widen(bytes, row);
            to.narrow(row, out).map_err(|error| Unrepresentable {
                index: index * columns + error.index,
                ..error
            })
        },
    )
}
