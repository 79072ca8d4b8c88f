//! What left-out files would have cost.

use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::discover::{LeftOut, plain_walk};
use super::{Exclusion, Skipped};
use crate::compute::{Interrupt, Interrupted};

/// Bytes that are counted exactly; of more, the rest is estimated.
const COUNTED: u64 = 32 << 20;
/// Files of one folder that are looked at.
const FILES: usize = 20_000;

/// Counts the tokens of a file.
pub(super) type Count<'a> = &'a (dyn Fn(&PathBuf, &str) -> Result<Option<usize>, Interrupted> + Sync);

/// Whether a file left out for this reason might have been text.
fn might_be_text(kind: Exclusion) -> bool {
    matches!(
        kind,
        Exclusion::Excluded
            | Exclusion::NotOnly
            | Exclusion::Secret
            | Exclusion::LockFile
            | Exclusion::Minified
            | Exclusion::Generated
            | Exclusion::Vendored
            | Exclusion::Large
            | Exclusion::Drawing
    )
}

/// Fills in bytes and tokens: exactly with `count` as long as that takes a bounded time, else by `estimate`.
pub(super) fn account(
    left_out: Vec<LeftOut>,
    estimate: &(dyn Fn(u64) -> usize + Sync),
    count: Option<Count<'_>>,
    interrupt: &Interrupt,
) -> Result<Vec<Skipped>, Interrupted> {
    let mut files: Vec<(usize, PathBuf, u64)> = Vec::new();
    let mut skipped: Vec<Skipped> = Vec::with_capacity(left_out.len());
    for (index, LeftOut { skipped: mut one, path }) in left_out.into_iter().enumerate() {
        if let Some(path) = path {
            interrupt.check()?;
            if one.path.ends_with('/') {
                if might_be_text(one.kind) {
                    one.bytes = folder(&path, index, interrupt, &mut files)?;
                }
            } else if let Some(bytes) = regular(&path) {
                one.bytes = Some(bytes);
                if might_be_text(one.kind) {
                    files.push((index, path, bytes));
                }
            }
        }
        skipped.push(one);
    }
    // Small files first: they are most of the entries, and the estimate suits large ones best.
    files.sort_by_key(|file| file.2);
    let mut left = COUNTED;
    let exact: Vec<bool> = files
        .iter()
        .map(|file| {
            let exact = count.is_some() && file.2 <= left;
            left -= if exact { file.2 } else { 0 };
            exact
        })
        .collect();
    let tokens = |((_, path, bytes), exact): (&(usize, PathBuf, u64), &bool)| match count {
        Some(count) if *exact => {
            interrupt.check()?;
            count(path, &super::discover::name(path))
        }
        _ if looks_binary(path) => Ok(None),
        _ => Ok(Some(estimate(*bytes))),
    };
    let tokens: Vec<Option<usize>> = files.par_iter().zip(&exact).map(tokens).collect::<Result<_, _>>()?;
    for (((index, ..), exact), tokens) in files.iter().zip(exact).zip(tokens) {
        let one = &mut skipped[*index];
        if let Some(tokens) = tokens {
            *one.tokens.get_or_insert(0) += tokens;
            one.estimated |= !exact;
        }
    }
    Ok(skipped)
}

fn regular(path: &Path) -> Option<u64> {
    path.symlink_metadata()
        .ok()
        .filter(std::fs::Metadata::is_file)
        .map(|m| m.len())
}

/// A file that has a NUL near its beginning is not text.
fn looks_binary(path: &Path) -> bool {
    use std::io::Read;
    let mut bytes = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(1 << 10).read_to_end(&mut bytes));
    read.is_err() || bytes.contains(&0)
}

/// Lists the files of a folder and gives their bytes; `None` if they are too many to look at.
fn folder(
    path: &Path,
    index: usize,
    interrupt: &Interrupt,
    files: &mut Vec<(usize, PathBuf, u64)>,
) -> Result<Option<u64>, Interrupted> {
    let before = files.len();
    let mut sum = 0;
    for entry in plain_walk(path).flatten() {
        interrupt.check()?;
        if !entry.file_type().is_some_and(|kind| kind.is_file()) {
            continue;
        }
        if files.len() - before == FILES {
            files.truncate(before);
            return Ok(None);
        }
        let Some(bytes) = regular(entry.path()) else { continue };
        sum += bytes;
        files.push((index, entry.into_path(), bytes));
    }
    Ok(Some(sum))
}
