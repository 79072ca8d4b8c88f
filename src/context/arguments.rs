//! What the arguments of a command line mean: files, folders, globs and lists of them.

use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};

use super::ContextError;

/// The longest list of paths.
const LONGEST_LIST: u64 = 64 << 20;

/// Where reading or walking begins.
#[derive(Debug)]
pub(super) enum Root {
    StandardInput,
    /// Typed by a person, or from a list.
    File {
        path: PathBuf,
        explicit: bool,
    },
    /// With the glob that files below it have to match.
    Folder {
        path: PathBuf,
        glob: Option<GlobMatcher>,
    },
}

/// Reads arguments. What exists by the very name that was typed is that; `@FILE` and `@-` are lists, and a name with `*`,
/// `?`, `[` or `{` in it is a glob.
pub(super) fn roots(arguments: &[PathBuf]) -> Result<Vec<Root>, ContextError> {
    let mut roots = Vec::new();
    for argument in arguments {
        if argument.as_os_str() == "-" {
            roots.push(Root::StandardInput);
            continue;
        }
        let error = match root(argument, true) {
            Ok(root) => {
                roots.push(root);
                continue;
            }
            Err(error) => error,
        };
        let text = argument.to_string_lossy();
        if let Some(list) = text.strip_prefix('@') {
            for path in list_of(list)? {
                roots.push(root(&path, false)?);
            }
        } else if text.contains(['*', '?', '[', '{']) {
            roots.push(glob(&text)?);
        } else {
            return Err(error);
        }
    }
    Ok(roots)
}

fn root(path: &Path, explicit: bool) -> Result<Root, ContextError> {
    let metadata = std::fs::metadata(path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => ContextError::NotFound(path.to_owned()),
        _ => ContextError::Io {
            path: path.to_owned(),
            source,
        },
    })?;
    let path = path.to_owned();
    Ok(if metadata.is_dir() {
        Root::Folder { path, glob: None }
    } else {
        Root::File { path, explicit }
    })
}

/// The paths of a list: a line each, or separated by NUL, as `find -print0` writes them.
fn list_of(name: &str) -> Result<Vec<PathBuf>, ContextError> {
    let mut bytes = Vec::new();
    let read = if name == "-" {
        io::stdin().lock().take(LONGEST_LIST).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(name).and_then(|file| file.take(LONGEST_LIST).read_to_end(&mut bytes))
    };
    read.map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => ContextError::NotFound(format!("@{name}").into()),
        _ => ContextError::Io {
            path: format!("@{name}").into(),
            source,
        },
    })?;
    let separator = if bytes.contains(&0) { 0 } else { b'\n' };
    let paths = bytes.split(|&byte| byte == separator);
    let paths = paths.map(|path| path.strip_suffix(b"\r").unwrap_or(path));
    Ok(paths.filter(|path| !path.is_empty()).map(path_of).collect())
}

#[cfg(unix)]
fn path_of(bytes: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    std::ffi::OsStr::from_bytes(bytes).into()
}

#[cfg(not(unix))]
fn path_of(bytes: &[u8]) -> PathBuf {
    String::from_utf8_lossy(bytes).into_owned().into()
}

/// The folder that a glob begins in, to be walked for what matches.
fn glob(text: &str) -> Result<Root, ContextError> {
    let pattern = |reason: String| ContextError::Pattern {
        pattern: text.to_owned(),
        reason,
    };
    let special = |part: &Component<'_>| part.as_os_str().to_string_lossy().contains(['*', '?', '[', '{']);
    let bare = text.strip_prefix("./").unwrap_or(text);
    let fixed: PathBuf = Path::new(bare).components().take_while(|part| !special(part)).collect();
    // The walk gives paths below the folder it begins in, written as that is.
    let (path, bare) = if fixed.as_os_str().is_empty() {
        (PathBuf::from("."), format!("./{bare}"))
    } else {
        (fixed, bare.to_owned())
    };
    let glob = GlobBuilder::new(&bare)
        .literal_separator(true)
        .build()
        .map_err(|e| pattern(e.kind().to_string()))?;
    if !path.is_dir() {
        return Err(ContextError::NotFound(text.into()));
    }
    Ok(Root::Folder {
        path,
        glob: Some(glob.compile_matcher()),
    })
}
