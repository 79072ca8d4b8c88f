//! Which files a selection means.
//!
//! Folders are walked with the rules of git and of the ignore files that other packers read; what people do not mean when
//! they name a folder is left out by [`rules`](super::rules) and [`secrets`](super::secrets). Nothing is left out in
//! silence: an entry of a visited folder that is not taken is reported, a whole folder by its own name. Symbolic links
//! are not followed unless that is asked for, so the walk ends and stays inside of what was named. The same tree gives
//! the same sequence: arguments in their order, folders sorted inside; one file is taken once.

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ignore::{DirEntry, WalkBuilder};

use super::arguments::{Root, roots};
use super::order::History;
use super::sanitize::sanitize_line;
use super::selection::{Order, Patterns, Selection};
use super::{ContextError, Exclusion, Skipped, rules, secrets};
use crate::compute::Interrupt;

/// Ignore files that are heeded beside those of git; a later one prevails.
const IGNORE_FILES: [&str; 4] = [".repomixignore", ".promptignore", ".aiignore", ".thunderheadignore"];

/// One thing to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Source {
    /// What people and the model call it.
    pub name: String,
    /// `None` is standard input.
    pub path: Option<PathBuf>,
    /// Asked for by its name, so that nothing about it is second-guessed.
    pub explicit: bool,
}

/// Something that is not read.
#[derive(Debug)]
pub(super) struct LeftOut {
    pub skipped: Skipped,
    /// Where it lies, if it might have been read.
    pub path: Option<PathBuf>,
}

#[derive(Debug, Default)]
pub(super) struct Found {
    pub sources: Vec<Source>,
    pub left_out: Vec<LeftOut>,
}

pub(super) fn discover(selection: &Selection, interrupt: &Interrupt) -> Result<Found, ContextError> {
    let patterns = Arc::new(Patterns::new(selection)?);
    let mut found = Found::default();
    let roots = roots(&selection.paths)?;
    let several = roots.len() > 1;
    for root in roots {
        interrupt.check()?;
        match root {
            Root::StandardInput => found.sources.push(Source {
                name: "stdin".into(),
                path: None,
                explicit: true,
            }),
            Root::File { path, explicit } => found.file(path, explicit, &patterns),
            Root::Folder { path, glob } => {
                // A link to a folder is walked as the folder.
                let target = path.join("");
                let walk = Walk {
                    root: if path.is_symlink() { &target } else { &path },
                    selection,
                    patterns: &patterns,
                    interrupt,
                    glob,
                };
                walk.run(&mut found)?;
            }
        }
    }
    if several || selection.follow {
        remove_duplicates(&mut found.sources);
    }
    Ok(found)
}

impl Found {
    fn file(&mut self, path: PathBuf, explicit: bool, patterns: &Patterns) {
        let name = name(&path);
        let included = patterns.includes(&[&name], false);
        let verdict =
            by_pattern(&[&name], false, patterns).or_else(|| unwanted(&path).filter(|_| !explicit && !included));
        match verdict {
            Some((kind, reason)) => self.leave_out(&path, kind, reason),
            None => self.sources.push(Source {
                explicit: explicit || included,
                name,
                path: Some(path),
            }),
        }
    }

    fn leave_out(&mut self, path: &Path, kind: Exclusion, reason: &str) {
        self.left_out.push(LeftOut {
            skipped: Skipped::new(name(path), kind, reason),
            path: Some(path.to_owned()),
        });
    }
}

/// What a person's own patterns say of a name.
fn by_pattern(names: &[&str], folder: bool, patterns: &Patterns) -> rules::Verdict {
    if patterns.excludes(names, folder) {
        Some((Exclusion::Excluded, "by --exclude"))
    } else if !folder && patterns.passes_over(names) {
        Some((Exclusion::NotOnly, "not among --only"))
    } else {
        None
    }
}

/// What the program leaves out unasked, by name.
fn unwanted(path: &Path) -> rules::Verdict {
    if secrets::name(path) {
        return Some((Exclusion::Secret, "it may hold a secret"));
    }
    rules::file(path)
}

struct Walk<'a> {
    root: &'a Path,
    selection: &'a Selection,
    patterns: &'a Arc<Patterns>,
    interrupt: &'a Interrupt,
    /// Only what matches is taken.
    glob: Option<globset::GlobMatcher>,
}

impl Walk<'_> {
    fn run(&self, found: &mut Found) -> Result<(), ContextError> {
        let root = self.root;
        let history = (self.selection.order == Order::History).then(|| {
            let root = root.to_owned();
            std::thread::spawn(move || History::of(&root))
        });
        let before = found.left_out.len();
        let mut files = Vec::new();
        let mut folders = Vec::new();
        let mut given = HashSet::new();
        let (patterns, top) = (Arc::clone(self.patterns), root.to_owned());
        let mut builder = WalkBuilder::new(root);
        builder
            .hidden(!self.selection.hidden)
            .follow_links(self.selection.follow)
            .filter_entry(move |entry| entry.depth() == 0 || prune(entry, &top, &patterns).is_none());
        for file in IGNORE_FILES {
            builder.add_custom_ignore_filename(file);
        }
        for entry in builder.build() {
            self.interrupt.check()?;
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    found.left_out.push(left_out_by_error(root, &error));
                    continue;
                }
            };
            given.insert(entry.path().to_owned());
            match entry.file_type() {
                Some(kind) if kind.is_dir() => folders.push(entry.into_path()),
                _ if !self.in_glob(entry.path()) => {}
                Some(kind) if kind.is_file() => self.file(entry.into_path(), found, &mut files),
                Some(kind) if kind.is_symlink() => found.leave_out(entry.path(), Exclusion::Link, link(&entry, root)),
                _ => found.leave_out(entry.path(), Exclusion::NotAFile, "not a regular file"),
            }
        }
        for folder in folders {
            self.interrupt.check()?;
            self.report_not_given(&folder, &given, found, &mut files)?;
        }
        match history.map(std::thread::JoinHandle::join) {
            Some(Ok(history)) => history.sort(&mut files, |source| source.path.as_deref().unwrap_or(Path::new(""))),
            _ => files.sort_by(|a, b| a.path.cmp(&b.path)),
        }
        if let Some(glob) = &self.glob
            && files.is_empty()
            && found.left_out.len() == before
        {
            return Err(ContextError::NotFound(glob.glob().to_string().into()));
        }
        found.sources.extend(files);
        Ok(())
    }

    fn in_glob(&self, path: &Path) -> bool {
        let Some(glob) = &self.glob else { return true };
        path.ancestors().any(|path| glob.is_match(path))
    }

    /// Takes a file, or leaves it out by its name.
    fn file(&self, path: PathBuf, found: &mut Found, files: &mut Vec<Source>) {
        let name = name(&path);
        let names = [below(&path, self.root), &name];
        let included = self.patterns.includes(&names, false);
        let verdict = by_pattern(&names, false, self.patterns).or_else(|| unwanted(&path).filter(|_| !included));
        match verdict {
            Some((kind, reason)) => found.leave_out(&path, kind, reason),
            None => files.push(Source {
                name,
                path: Some(path),
                explicit: included,
            }),
        }
    }

    /// Reports the entries of a visited folder that the walk did not give, or takes them if they are to be included.
    fn report_not_given(
        &self,
        folder: &Path,
        given: &HashSet<PathBuf>,
        found: &mut Found,
        files: &mut Vec<Source>,
    ) -> Result<(), ContextError> {
        let Ok(entries) = std::fs::read_dir(folder) else {
            return Ok(());
        };
        for entry in entries.flatten() {
            let path = entry.path();
            if given.contains(&path) || !self.in_glob(&path) {
                continue;
            }
            let name = name(&path);
            let names = [below(&path, self.root), &name];
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            let mut verdict = by_pattern(&names, is_folder, self.patterns);
            if verdict.is_none() && self.patterns.includes(&names, is_folder) {
                if is_folder {
                    self.take_all(&path, found, files)?;
                } else {
                    self.file(path, found, files);
                }
                continue;
            }
            if is_folder && verdict.is_none() && self.patterns.has_includes() {
                self.take_included(&path, files)?;
            }
            verdict = verdict
                .or_else(|| is_folder.then(|| rules::folder(&path)).flatten())
                .or_else(|| (!is_folder).then(|| unwanted(&path)).flatten());
            let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
            let (kind, reason) = verdict.unwrap_or(if hidden && !self.selection.hidden {
                (Exclusion::Hidden, "hidden")
            } else {
                (Exclusion::Ignored, "by an ignore file")
            });
            found.leave_out(&path, kind, reason);
            if let (true, Some(left_out)) = (is_folder, found.left_out.last_mut()) {
                left_out.skipped.path.push('/');
            }
        }
        Ok(())
    }

    /// Everything in a folder that was asked for by its name or a pattern; only its own rules apply.
    fn take_all(&self, folder: &Path, found: &mut Found, files: &mut Vec<Source>) -> Result<(), ContextError> {
        for entry in plain_walk(folder) {
            self.interrupt.check()?;
            match entry {
                Ok(entry) if entry.file_type().is_some_and(|kind| kind.is_file()) => {
                    self.file(entry.into_path(), found, files);
                }
                Ok(entry) if entry.file_type().is_some_and(|kind| kind.is_dir()) => {}
                Ok(entry) => found.leave_out(entry.path(), Exclusion::NotAFile, "not a regular file"),
                Err(error) => found.left_out.push(left_out_by_error(folder, &error)),
            }
        }
        Ok(())
    }

    /// What in a folder that is left out is to be included.
    fn take_included(&self, folder: &Path, files: &mut Vec<Source>) -> Result<(), ContextError> {
        for entry in plain_walk(folder).flatten() {
            self.interrupt.check()?;
            let name = name(entry.path());
            let names = [below(entry.path(), self.root), &name];
            let is_file = entry.file_type().is_some_and(|kind| kind.is_file());
            if is_file && self.patterns.includes(&names, false) && by_pattern(&names, false, self.patterns).is_none() {
                files.push(Source {
                    name,
                    path: Some(entry.into_path()),
                    explicit: true,
                });
            }
        }
        Ok(())
    }
}

/// All files below a folder, with no rules.
pub(super) fn plain_walk(folder: &Path) -> ignore::Walk {
    WalkBuilder::new(folder).standard_filters(false).build()
}

/// Why a folder is not entered.
fn prune(entry: &DirEntry, root: &Path, patterns: &Patterns) -> rules::Verdict {
    if !entry.file_type().is_some_and(|kind| kind.is_dir()) {
        return None;
    }
    let name = name(entry.path());
    let names = [below(entry.path(), root), &name];
    let kept = || patterns.includes(&names, true);
    by_pattern(&names, true, patterns).or_else(|| rules::folder(entry.path()).filter(|_| !kept()))
}

/// The place of something below the folder that was named.
fn below<'p>(path: &'p Path, root: &Path) -> &'p str {
    path.strip_prefix(root).ok().and_then(Path::to_str).unwrap_or_default()
}

/// What is said of a symbolic link.
fn link(entry: &DirEntry, root: &Path) -> &'static str {
    let (Ok(target), Ok(root)) = (entry.path().canonicalize(), root.canonicalize()) else {
        return "a symbolic link to nothing";
    };
    if target.starts_with(&root) {
        "a symbolic link to what is loaded by its own name"
    } else {
        "a symbolic link that leads out of the folder; --follow goes there"
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
    let identities: Vec<OsString> = sources.iter().map(identity).collect();
    // Of two ways to a file the shorter one is its own; the other leads over a link.
    let length = |source: &Source| source.path.as_ref().map_or(0, |path| path.components().count());
    let mut chosen: HashMap<&OsString, (usize, usize)> = HashMap::new();
    let mut named = HashSet::new();
    for (index, (source, identity)) in sources.iter().zip(&identities).enumerate() {
        if source.explicit {
            named.insert(identity);
        }
        let one = chosen.entry(identity).or_insert((length(source), index));
        if length(source) < one.0 {
            *one = (length(source), index);
        }
    }
    let mut index = 0;
    sources.retain_mut(|source| {
        let identity = &identities[index];
        source.explicit |= named.contains(identity);
        let keep = chosen[identity].1 == index;
        index += 1;
        keep
    });
}

fn left_out_by_error(root: &Path, error: &ignore::Error) -> LeftOut {
    let mut inner = error;
    let mut path = root;
    loop {
        match inner {
            ignore::Error::WithPath { path: own, err } => (path, inner) = (own, err),
            ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => inner = err,
            _ => break,
        }
    }
    let (kind, reason) = match inner {
        ignore::Error::Loop { child, .. } => {
            path = child;
            (
                Exclusion::Link,
                "a symbolic link to a folder that it lies in".to_owned(),
            )
        }
        _ => (
            Exclusion::Unreadable,
            inner
                .io_error()
                .map_or_else(|| inner.to_string(), |e| format!("cannot be read: {e}")),
        ),
    };
    LeftOut {
        skipped: Skipped::new(name(path), kind, reason),
        path: None,
    }
}

/// A path as people write it: relative to where they are, with slashes, on one line.
pub(super) fn name(path: &Path) -> String {
    let path = path.strip_prefix("./").unwrap_or(path);
    let path: PathBuf = path.components().collect();
    sanitize_line(&path.to_string_lossy().replace(std::path::MAIN_SEPARATOR, "/"))
}

#[cfg(test)]
#[path = "discover_tests.rs"]
mod tests;
