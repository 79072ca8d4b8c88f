//! Where the files of a checkpoint come from: a folder, or the program itself.

use std::borrow::Cow;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::ModelError;
use super::storage::{Mapped, Storage};

/// The files of one checkpoint.
#[derive(Debug, Clone)]
pub(super) enum Files {
    Directory(PathBuf),
    /// Name and contents of each file, and the path that stands for them in messages.
    Embedded {
        path: &'static str,
        files: &'static [(&'static str, &'static [u8])],
    },
}

impl Files {
    /// The path of a file, for messages.
    pub fn path(&self, name: &str) -> PathBuf {
        match self {
            Self::Directory(dir) => dir.join(name),
            Self::Embedded { path, .. } => Path::new(path).join(name),
        }
    }

    pub fn exists(&self, name: &str) -> bool {
        match self {
            Self::Directory(dir) => dir.join(name).is_file(),
            Self::Embedded { .. } => self.embedded(name).is_some(),
        }
    }

    pub fn read(&self, name: &str) -> Result<Cow<'static, [u8]>, ModelError> {
        match self {
            Self::Directory(_) => {
                let path = self.path(name);
                std::fs::read(&path)
                    .map(Cow::Owned)
                    .map_err(|e| ModelError::io(path, e))
            }
            Self::Embedded { .. } => self
                .embedded(name)
                .map(Cow::Borrowed)
                .ok_or_else(|| ModelError::io(self.path(name), std::io::ErrorKind::NotFound.into())),
        }
    }

    /// The file's bytes without reading them.
    pub fn map(&self, name: &str) -> Result<Storage, ModelError> {
        let path = self.path(name);
        match self {
            Self::Directory(_) => map(&path),
            Self::Embedded { .. } => match self.embedded(name) {
                Some(bytes) => Ok(Arc::new(bytes)),
                None => Err(ModelError::io(path, std::io::ErrorKind::NotFound.into())),
            },
        }
    }

    fn embedded(&self, name: &str) -> Option<&'static [u8]> {
        match self {
            Self::Directory(_) => None,
            Self::Embedded { files, .. } => files.iter().find(|(n, _)| *n == name).map(|(_, bytes)| *bytes),
        }
    }
}

/// The bytes of the file at `path` without reading them.
pub(super) fn map(path: &Path) -> Result<Storage, ModelError> {
    let io = |e| ModelError::io(path, e);
    let file = File::open(path).map_err(io)?;
    if file.metadata().map_err(io)?.len() == 0 {
        return Err(ModelError::malformed(path, "the file is empty; download it again"));
    }
    // SAFETY: the map is read-only and private to this process's view; every access goes through slices
    // whose bounds were checked against the length mapped here. Another process that truncates the file
    // meanwhile makes the kernel end this one with SIGBUS, as with every memory-mapped file.
    #[allow(unsafe_code)]
    let map = unsafe { memmap2::Mmap::map(&file) }.map_err(io)?;
    Ok(Arc::new(Mapped(map)))
}
