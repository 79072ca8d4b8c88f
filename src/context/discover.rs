//! Which files the paths on the command line mean.
//!
//! Folders are walked with the rules of git; hidden and ignored entries are left out, and said to be: an entry of a
//! visited folder that the walk does not give is reported, a whole folder by its own name. Symbolic links are not
//! followed, so the walk ends. Files come in the order of the arguments, inside a folder by path: the same tree always
//! gives the same sequence, and one file is taken once.

use std::collections::HashSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use ignore::WalkBuilder;

use super::sanitize::sanitize_line;
use super::{ContextError, Exclusion, Skipped};
use crate::compute::Interrupt;

/// One thing to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Source {
    /// What people and the model call it.
    pub name: String,
    /// `None` is standard input.
    pub path: Option<PathBuf>,
    /// Named by the person, not found by walking.
    pub explicit: bool,
}

#[derive(Debug, Default)]
pub(super) struct Found {
    pub sources: Vec<Source>,
    pub skipped: Vec<Skipped>,
}

pub(super) fn discover(paths: &[PathBuf], interrupt: &Interrupt) -> Result<Found, ContextError> {
    let mut found = Found::default();
    for path in paths {
        interrupt.check()?;
        if path.as_os_str() == "-" {
            found.sources.push(Source {
                name: "stdin".into(),
                path: None,
                explicit: true,
            });
            continue;
        }
        let metadata = std::fs::metadata(path).map_err(|source| match source.kind() {
            std::io::ErrorKind::NotFound => ContextError::NotFound(path.clone()),
            _ => ContextError::Io {
                path: path.clone(),
                source,
            },
        })?;
        if metadata.is_dir() {
            walk(path, &mut found, interrupt)?;
        } else {
            found.sources.push(Source {
                name: name(path),
                path: Some(path.clone()),
                explicit: true,
            });
        }
    }
    if paths.len() > 1 {
        remove_duplicates(&mut found.sources);
    }
    Ok(found)
}

fn walk(root: &Path, found: &mut Found, interrupt: &Interrupt) -> Result<(), ContextError> {
    let target = root.join("");
    let root = if root.is_symlink() { &target } else { root };
    let mut files = Vec::new();
    let mut folders = Vec::new();
    let mut given = HashSet::new();
    for entry in WalkBuilder::new(root).follow_links(false).build() {
        interrupt.check()?;
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                found.skipped.push(skipped_by_error(root, &error));
                continue;
            }
        };
        given.insert(entry.path().to_owned());
        match entry.file_type() {
            Some(kind) if kind.is_dir() => folders.push(entry.into_path()),
            Some(kind) if kind.is_file() => files.push(entry.into_path()),
            Some(kind) if kind.is_symlink() => {
                let link = skipped(entry.path(), Exclusion::Link, "a symbolic link, not followed");
                found.skipped.push(link);
            }
            _ => found
                .skipped
                .push(skipped(entry.path(), Exclusion::NotAFile, "not a regular file")),
        }
    }
    files.sort();
    found.sources.extend(files.into_iter().map(|path| Source {
        name: name(&path),
        path: Some(path),
        explicit: false,
    }));
    for folder in folders {
        interrupt.check()?;
        report_left_out(&folder, &given, &mut found.skipped);
    }
    Ok(())
}

/// Reports the entries of a visited folder that the walk did not give.
fn report_left_out(folder: &Path, given: &HashSet<PathBuf>, skipped_so_far: &mut Vec<Skipped>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if given.contains(&path) {
            continue;
        }
        let (kind, reason) = if entry.file_name().as_encoded_bytes().starts_with(b".") {
            (Exclusion::Hidden, "hidden")
        } else {
            (Exclusion::Ignored, "ignored (.gitignore or .ignore)")
        };
        let mut left_out = skipped(&path, kind, reason);
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            left_out.path.push('/');
        }
        skipped_so_far.push(left_out);
    }
}

fn remove_duplicates(sources: &mut Vec<Source>) {
    let identity = |source: &Source| -> OsString {
        match &source.path {
            None => "-".into(),
            Some(path) => std::fs::canonicalize(path)
                .unwrap_or_else(|_| path.clone())
                .into_os_string(),
        }
    };
    let named: HashSet<OsString> = sources.iter().filter(|s| s.explicit).map(identity).collect();
    let mut seen = HashSet::new();
    sources.retain_mut(|source| {
        let identity = identity(source);
        source.explicit |= named.contains(&identity);
        seen.insert(identity)
    });
}

fn skipped(path: &Path, kind: Exclusion, reason: &str) -> Skipped {
    Skipped::new(name(path), kind, reason)
}

fn skipped_by_error(root: &Path, error: &ignore::Error) -> Skipped {
    let mut inner = error;
    let mut path = root;
    loop {
        match inner {
            ignore::Error::WithPath { path: own, err } => (path, inner) = (own, err),
            ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => inner = err,
            _ => break,
        }
    }
    let reason = inner
        .io_error()
        .map_or_else(|| inner.to_string(), |e| format!("cannot be read: {e}"));
    skipped(path, Exclusion::Unreadable, &reason)
}

/// A path as people write it: relative to where they are, with slashes, on one line.
fn name(path: &Path) -> String {
    let path = path.strip_prefix("./").unwrap_or(path);
    sanitize_line(&path.to_string_lossy().replace(std::path::MAIN_SEPARATOR, "/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn tree(files: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for file in files {
            let path = dir.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x\n").unwrap();
        }
        dir
    }

    fn run(dir: &Path, paths: &[&str]) -> (Vec<String>, Vec<(String, String)>) {
        let paths: Vec<PathBuf> = paths.iter().map(|p| dir.join(p)).collect();
        let found = discover(&paths, &Interrupt::new()).unwrap();
        let prefix = format!("{}/", dir.display());
        let short = |name: &str| name.strip_prefix(&prefix).unwrap_or(name).to_owned();
        let skipped = found.skipped.into_iter().map(|s| (short(&s.path), s.reason)).collect();
        (found.sources.iter().map(|s| short(&s.name)).collect(), skipped)
    }

    #[test]
    fn files_come_sorted_and_what_is_left_out_is_said() {
        let dir = tree(&[
            "b.rs",
            "a/z.rs",
            "a/b.rs",
            "a.rs",
            ".hidden/x",
            "target/deep/x.rs",
            "a/n.log",
            ".git/HEAD",
        ]);
        fs::write(dir.path().join(".gitignore"), "target\n*.log\n").unwrap();
        let (files, mut skipped) = run(dir.path(), &[""]);
        assert_eq!(files, ["a/b.rs", "a/z.rs", "a.rs", "b.rs"]);
        skipped.sort();
        let ignored = "ignored (.gitignore or .ignore)";
        let expected = [
            (".git/", "hidden"),
            (".gitignore", "hidden"),
            (".hidden/", "hidden"),
            ("a/n.log", ignored),
            ("target/", ignored),
        ];
        assert_eq!(skipped, expected.map(|(p, r)| (p.to_owned(), r.to_owned())));
    }

    #[test]
    fn what_is_named_is_taken_once_and_in_the_order_of_the_arguments() {
        let dir = tree(&["b.rs", "a.rs", "target/x.log", ".git/HEAD"]);
        fs::write(dir.path().join(".gitignore"), "target\n*.log\n").unwrap();
        let (files, _) = run(dir.path(), &["target/x.log", "b.rs", "", "a.rs"]);
        assert_eq!(files, ["target/x.log", "b.rs", "a.rs"]);
    }

    #[test]
    fn standard_input_is_a_dash() {
        let found = discover(&[PathBuf::from("-")], &Interrupt::new()).unwrap();
        assert_eq!(
            (found.sources[0].name.as_str(), &found.sources[0].path),
            ("stdin", &None)
        );
    }

    #[test]
    fn a_missing_path_is_an_error_that_names_it() {
        let error = discover(&[PathBuf::from("/no/such")], &Interrupt::new()).unwrap_err();
        assert_eq!(error.to_string(), "/no/such: there is no such file or folder");
    }

    #[test]
    fn an_interrupt_ends_the_walk() {
        let dir = tree(&["a.rs"]);
        let interrupt = Interrupt::new();
        interrupt.raise();
        let error = discover(&[dir.path().to_owned()], &interrupt).unwrap_err();
        assert!(matches!(error, ContextError::Interrupted(_)));
    }

    #[cfg(unix)]
    #[test]
    fn links_are_not_followed_but_a_named_one_is() {
        let dir = tree(&["a/x.rs"]);
        std::os::unix::fs::symlink("..", dir.path().join("a/loop")).unwrap();
        std::os::unix::fs::symlink("a", dir.path().join("link")).unwrap();
        let (files, skipped) = run(dir.path(), &["a"]);
        assert_eq!(files, ["a/x.rs"]);
        assert_eq!(
            skipped,
            [("a/loop".to_owned(), "a symbolic link, not followed".to_owned())]
        );
        assert_eq!(run(dir.path(), &["link"]).0, ["link/x.rs"]);
    }

    #[cfg(unix)]
    #[test]
    fn names_cannot_forge_lines() {
        let dir = tree(&["a\nb\x1b.rs"]);
        assert_eq!(run(dir.path(), &[""]).0, ["a␊b␛.rs"]);
    }
}
