//! What left-out files would have cost.

use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::discover::{LeftOut, plain_walk};
use super::{Exclusion, Skipped};
use crate::compute::{Interrupt, Interrupted};

/// Bytes that are counted exactly; of more, the rest is estimated.
const COUNTED: u64 = 8 << 20;
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
        interrupt.check()?;
        let folder = one.path.ends_with('/');
        match path {
            Some(path) if folder && one.kind == Exclusion::Vendored => {
                one.bytes = folder_bytes(&path, interrupt)?;
                one.tokens = one.bytes.map(estimate);
                one.estimated = true;
            }
            Some(path) if !folder => {
                one.bytes = regular(&path);
                let bytes = one.bytes.filter(|_| might_be_text(one.kind));
                files.extend(bytes.map(|bytes| (index, path, bytes)));
            }
            _ => {}
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
        one.tokens = tokens;
        one.estimated = tokens.is_some() && !exact;
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

/// The bytes of all files in a folder; `None` if they are too many to look at.
fn folder_bytes(path: &Path, interrupt: &Interrupt) -> Result<Option<u64>, Interrupted> {
    let (mut files, mut sum) = (0, 0);
    for entry in plain_walk(path).flatten() {
        interrupt.check()?;
        if entry.file_type().is_some_and(|kind| kind.is_file()) {
            files += 1;
            if files > FILES {
                return Ok(None);
            }
            sum += regular(entry.path()).unwrap_or_default();
        }
    }
    Ok(Some(sum))
}
