//! What was computed from a document before, kept on the disk by content.
//!
//! One file: a header, then records that are only ever appended, each with the hash of what it was computed from. A
//! record that a crash has cut short ends the file for the next reader and is cut off by the next writer; one that was
//! damaged is found by its checksum and computed again. Writers hold a lock. A cache that cannot be used is done
//! without: it never makes a program fail.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// What a record was computed from.
pub(super) type Key = [u8; 32];

const MAGIC: &[u8; 16] = b"thunderhead tok1";
/// Length of the content, key, checksum.
const HEADER: usize = 4 + 32 + 8;
const LARGEST_RECORD: u32 = 1 << 30;
/// A larger file is written anew with what has been of use this time.
const LARGEST_FILE: u64 = 256 << 20;

/// An open cache.
#[derive(Debug)]
pub struct Cache {
    path: PathBuf,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    file: Option<File>,
    /// Where the content of each record lies.
    index: HashMap<Key, (u64, u32)>,
    /// The end of the last whole record.
    end: u64,
    used: Vec<Key>,
    new: Vec<(Key, Vec<u8>)>,
}

impl Cache {
    /// Opens the cache in a folder, which need not exist.
    #[must_use]
    pub fn open(folder: &Path) -> Self {
        let path = folder.join("documents.cache");
        let mut inner = Inner::default();
        // Without a file, or with one of another version, the cache is empty.
        if let Ok(file) = File::open(&path)
            && let Ok((index, end)) = scan(&file, None)
        {
            (inner.index, inner.end, inner.file) = (index, end, Some(file));
        }
        Self {
            path,
            inner: Mutex::new(inner),
        }
    }

    /// The content of a record, if there is one.
    pub(super) fn get(&self, key: &Key) -> Option<Vec<u8>> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let &(at, length) = inner.index.get(key)?;
        let mut record = vec![0; 8 + length as usize];
        let mut file = inner.file.as_ref()?;
        file.seek(SeekFrom::Start(at - 8)).ok()?;
        file.read_exact(&mut record).ok()?;
        let content = record.split_off(8);
        if record != checksum(key, &content) {
            return None;
        }
        inner.used.push(*key);
        Some(content)
    }

    /// Keeps a record, to be written by [`save`](Self::save).
    pub(super) fn put(&self, key: Key, content: Vec<u8>) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.new.push((key, content));
    }

    /// Writes what is new.
    ///
    /// # Errors
    /// If it cannot be written; what was there before is still there.
    pub fn save(&self) -> io::Result<()> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let new = std::mem::take(&mut inner.new);
        if new.is_empty() {
            return Ok(());
        }
        if let Some(folder) = self.path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let mut records = Vec::new();
        for (key, content) in &new {
            record(key, content, &mut records);
        }
        if inner.end + records.len() as u64 > LARGEST_FILE {
            return self.write_anew(&mut inner, &records);
        }
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&self.path)?;
        file.lock()?;
        // Others may have written since; of a file of another version nothing is kept.
        let end = if let Ok((_, end)) = scan(&file, Some(inner.end)) {
            end
        } else {
            file.set_len(0)?;
            file.rewind()?;
            file.write_all(MAGIC)?;
            MAGIC.len() as u64
        };
        file.set_len(end)?;
        file.seek(SeekFrom::Start(end))?;
        file.write_all(&records)?;
        file.unlock()
    }

    fn write_anew(&self, inner: &mut Inner, new: &[u8]) -> io::Result<()> {
        let mut kept = MAGIC.to_vec();
        let used = std::mem::take(&mut inner.used);
        if let Some(file) = &mut inner.file {
            for key in used {
                let Some(&(at, length)) = inner.index.get(&key) else {
                    continue;
                };
                let mut content = vec![0; length as usize];
                file.seek(SeekFrom::Start(at))?;
                file.read_exact(&mut content)?;
                record(&key, &content, &mut kept);
            }
        }
        kept.extend_from_slice(new);
        let fresh = self.path.with_extension(format!("{}.new", std::process::id()));
        std::fs::write(&fresh, kept)?;
        std::fs::rename(&fresh, &self.path)
    }
}

type Index = HashMap<Key, (u64, u32)>;

/// Finds the whole records, from `from` or the beginning on, and where they end.
fn scan(file: &File, from: Option<u64>) -> io::Result<(Index, u64)> {
    let length = file.metadata()?.len();
    let mut reader = BufReader::with_capacity(1 << 12, file);
    reader.rewind()?;
    let mut magic = [0; MAGIC.len()];
    reader.read_exact(&mut magic)?;
    if &magic != MAGIC {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut at = MAGIC.len() as u64;
    if let Some(from) = from.filter(|&from| from > at && from <= length) {
        at = from;
        reader.seek(SeekFrom::Start(at))?;
    }
    let mut index = HashMap::new();
    while at + HEADER as u64 <= length {
        let mut header = [0; HEADER];
        reader.read_exact(&mut header)?;
        let (size, rest) = header.split_at(4);
        let size = u32::from_le_bytes(size.try_into().map_err(io::Error::other)?);
        let content = at + HEADER as u64;
        let next = content + u64::from(size);
        if size > LARGEST_RECORD || next > length {
            break;
        }
        let key: Key = rest[..32].try_into().map_err(io::Error::other)?;
        index.insert(key, (content, size));
        reader.seek_relative(i64::from(size))?;
        at = next;
    }
    Ok((index, at))
}

fn record(key: &Key, content: &[u8], to: &mut Vec<u8>) {
    let Ok(size) = u32::try_from(content.len()) else { return };
    if size > LARGEST_RECORD {
        return;
    }
    to.extend_from_slice(&size.to_le_bytes());
    to.extend_from_slice(key);
    to.extend_from_slice(&checksum(key, content));
    to.extend_from_slice(content);
}

fn checksum(key: &Key, content: &[u8]) -> [u8; 8] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(key).update(content);
    let mut sum = [0; 8];
    hasher.finalize_xof().fill(&mut sum);
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn key(n: u8) -> Key {
        [n; 32]
    }

    #[test]
    fn what_was_kept_is_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("deep/er");
        let cache = Cache::open(&folder);
        assert_eq!(cache.get(&key(1)), None);
        cache.put(key(1), b"one".to_vec());
        cache.put(key(2), Vec::new());
        cache.save().unwrap();
        let again = Cache::open(&folder);
        assert_eq!(again.get(&key(1)), Some(b"one".to_vec()));
        assert_eq!(again.get(&key(2)), Some(Vec::new()));
        // Two that were opened at once both keep what they have.
        let other = Cache::open(&folder);
        other.put(key(3), vec![3; 5000]);
        other.save().unwrap();
        again.put(key(4), vec![4; 9]);
        again.save().unwrap();
        let last = Cache::open(&folder);
        assert_eq!(
            [3, 4].map(|n| last.get(&key(n)).map(|c| c.len())),
            [Some(5000), Some(9)]
        );
    }

    #[test]
    fn damage_costs_records_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::open(dir.path());
        for n in 0..4 {
            cache.put(key(n), vec![n; 100]);
        }
        cache.save().unwrap();
        let path = dir.path().join("documents.cache");
        let whole = fs::read(&path).unwrap();
        for cut in 0..whole.len() {
            fs::write(&path, &whole[..cut]).unwrap();
            let cache = Cache::open(dir.path());
            for n in 0..4 {
                assert!(cache.get(&key(n)).is_none_or(|content| content == vec![n; 100]));
            }
            cache.put(key(9), b"new".to_vec());
            cache.save().unwrap();
            assert_eq!(
                Cache::open(dir.path()).get(&key(9)),
                Some(b"new".to_vec()),
                "cut at {cut}"
            );
        }
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x55;
            fs::write(&path, &damaged).unwrap();
            let cache = Cache::open(dir.path());
            for n in 0..4 {
                assert!(cache.get(&key(n)).is_none_or(|content| content == vec![n; 100]));
            }
        }
    }

    #[test]
    fn a_cache_that_cannot_be_used_is_done_without() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        let cache = Cache::open(&file.join("below"));
        cache.put(key(1), vec![1]);
        assert_eq!(cache.get(&key(1)), None);
        assert!(cache.save().is_err());
    }
}
