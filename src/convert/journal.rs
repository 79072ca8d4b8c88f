//! What of a file is finished, one line a piece, so that a conversion goes on after whatever ended it.
//!
//! The first line names the file that is being made: a hash of its header and of samples of the weights it is made from.
//! Each other line is the end of a piece in the file and the hash of its bytes. Nothing here is trusted: a piece counts only
//! if its bytes are there and have that hash, and the first that has not ends what is kept.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use blake3::Hash;

const FORMAT: &str = "thunderhead conversion 1";

/// Reads by this many bytes.
const BUFFER: usize = 1 << 20;

pub(super) struct Journal {
    file: File,
}

impl Journal {
    /// Opens the journal of the file `identity`, with those pieces of it that are `kept`, the first it lists.
    pub fn open(path: &Path, identity: &Hash, kept: &[(u64, Hash)]) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        let mut file = options.open(path)?;
        if kept.is_empty() {
            file.set_len(0)?;
            file.write_all(first_line(identity).as_bytes())?;
        } else {
            let lines = kept.iter().map(|(end, hash)| line(*end, hash).len());
            let length = (first_line(identity).len() + lines.sum::<usize>()) as u64;
            file.set_len(length)?;
            file.seek(SeekFrom::Start(length))?;
        }
        Ok(Self { file })
    }

    /// Writes down that the piece that ends at `end` has been written.
    pub fn finished(&mut self, end: u64, hash: &Hash) -> io::Result<()> {
        // One write, so that what is killed leaves a whole line or one that is not taken.
        self.file.write_all(line(end, hash).as_bytes())
    }
}

fn first_line(identity: &Hash) -> String {
    format!("{FORMAT} {}\n", identity.to_hex())
}

fn line(end: u64, hash: &Hash) -> String {
    format!("{end} {}\n", hash.to_hex())
}

/// The pieces that the journal at `path` lists, if it is about `identity`.
pub(super) fn read(path: &Path, identity: &Hash) -> Vec<(u64, Hash)> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let Some(lines) = text.strip_prefix(&first_line(identity)) else {
        return Vec::new();
    };
    lines
        .split_inclusive('\n')
        .map_while(|found| {
            let (end, hash) = found.strip_suffix('\n')?.split_once(' ')?;
            let (end, hash) = (end.parse().ok()?, Hash::from_hex(hash).ok()?);
            (line(end, &hash) == found).then_some((end, hash))
        })
        .collect()
}

/// The hash of the next `length` bytes.
pub(super) fn hash_of(file: &mut impl Read, length: u64) -> io::Result<Hash> {
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; BUFFER];
    let mut left = length;
    while left > 0 {
        let size = (left as usize).min(BUFFER);
        file.read_exact(&mut buffer[..size])?;
        hasher.update(&buffer[..size]);
        left -= size as u64;
    }
    Ok(hasher.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_up_to_a_torn_line() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("journal");
        let (identity, other) = (blake3::hash(b"file"), blake3::hash(b"other"));
        let mut journal = Journal::open(&path, &identity, &[]).unwrap();
        journal.finished(96, &blake3::hash(b"a")).unwrap();
        journal.finished(128, &blake3::hash(b"b")).unwrap();
        let pieces = vec![(96, blake3::hash(b"a")), (128, blake3::hash(b"b"))];
        assert_eq!(read(&path, &identity), pieces);
        assert_eq!(read(&path, &other), []);
        journal.file.write_all(b"160 12ab").unwrap();
        assert_eq!(read(&path, &identity), pieces);
        assert_eq!(read(&directory.path().join("none"), &identity), []);

        let mut journal = Journal::open(&path, &identity, &pieces[..1]).unwrap();
        journal.finished(200, &blake3::hash(b"c")).unwrap();
        assert_eq!(read(&path, &identity), [pieces[0], (200, blake3::hash(b"c"))]);
        Journal::open(&path, &other, &[]).unwrap();
        assert_eq!(read(&path, &identity), []);
    }
}
