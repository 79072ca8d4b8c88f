//! The order of documents inside a folder.
//!
//! Everything after a change has to be prefilled again, so what changes rarely comes first. How rarely is read from the
//! history of git: the number of recent commits that touched a file, by powers of two, so that a single commit hardly
//! ever changes the order. What is not committed yet comes last. Without a history, and among equals, files come by path.

use std::collections::{HashMap, HashSet};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

/// Commits that are looked at.
const COMMITS: usize = 500;
/// A history that takes longer to read is done without.
const PATIENCE: Duration = Duration::from_secs(5);
/// No more of the history is read.
const MOST_BYTES: u64 = 64 << 20;

/// How often files below a folder have changed.
#[derive(Debug, Default)]
pub(super) struct History {
    /// Commits by file.
    commits: HashMap<PathBuf, u32>,
    /// All that are under version control; `None` without it.
    tracked: Option<HashSet<PathBuf>>,
}

impl History {
    /// Reads the history of `folder`; without one, or without git, there is nothing in it.
    pub fn of(folder: &Path) -> Self {
        let listing = {
            let folder = folder.to_owned();
            thread::spawn(move || git(&folder, &["ls-files", "-z"]))
        };
        let commits = COMMITS.to_string();
        let names = ["--format=", "--name-only", "-z", "--no-renames", "--relative"];
        let safe = ["--no-ext-diff", "--no-textconv", "--no-show-signature"];
        let log = git(
            folder,
            &[&["log"], &names[..], &safe, &["-n", &commits, "HEAD", "--", "."]].concat(),
        );
        let (Some(log), Ok(Some(listing))) = (log, listing.join()) else {
            return Self::default();
        };
        let mut commits = HashMap::new();
        for path in paths(folder, &log) {
            *commits.entry(path).or_insert(0) += 1;
        }
        Self {
            commits,
            tracked: Some(paths(folder, &listing).collect()),
        }
    }

    /// How volatile a file is: 0 for long unchanged, then the powers of two; what is new comes last.
    fn class(&self, path: &Path) -> u32 {
        match (self.commits.get(path), &self.tracked) {
            (_, Some(tracked)) if !tracked.contains(path) => u32::MAX,
            (Some(&commits), _) => u32::BITS - commits.leading_zeros(),
            (None, _) => 0,
        }
    }

    /// Sorts files: what changes rarely first, then by path.
    pub fn sort<T>(&self, files: &mut [T], path: impl Fn(&T) -> &Path) {
        files.sort_by(|a, b| {
            let (a, b) = (path(a), path(b));
            self.class(a).cmp(&self.class(b)).then_with(|| a.cmp(b))
        });
    }
}

/// Paths that git gave, relative to `folder` and separated by NUL.
fn paths<'a>(folder: &'a Path, output: &'a [u8]) -> impl Iterator<Item = PathBuf> + 'a {
    let names = output.split(|&byte| byte == 0).map(String::from_utf8_lossy);
    names.filter_map(|name| {
        let name = name.trim_start_matches('\n');
        (!name.is_empty()).then(|| folder.join(name))
    })
}

/// What a command of git prints.
///
/// A repository may come from anywhere, and its configuration with it: nothing that it could name is run.
fn git(folder: &Path, arguments: &[&str]) -> Option<Vec<u8>> {
    let mut child = Command::new("git")
        .arg("-C")
        .arg(folder)
        .args(["--no-pager", "-c", "core.fsmonitor=false"])
        .args(arguments)
        .env("GIT_NO_LAZY_FETCH", "1")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_OPTIONAL_LOCKS", "0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let output = child.stdout.take()?;
    let (send, receive) = channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let whole = output.take(MOST_BYTES).read_to_end(&mut bytes).is_ok();
        let _ = send.send(whole.then_some(bytes));
    });
    let bytes = receive.recv_timeout(PATIENCE).ok().flatten();
    if bytes.is_none() {
        let _ = child.kill();
    }
    // Half a history would not give the same order the next time.
    let complete = child.wait().is_ok_and(|status| status.success());
    bytes.filter(|bytes| complete && (bytes.len() as u64) < MOST_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn git(folder: &Path, arguments: &[&str]) -> bool {
        let identity = [
            "-c",
            "user.name=t",
            "-c",
            "user.email=t@example.org",
            "-c",
            "commit.gpgsign=false",
        ];
        Command::new("git")
            .arg("-C")
            .arg(folder)
            .args(identity)
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    }

    fn sorted(folder: &Path, names: &[&str]) -> Vec<String> {
        let mut files: Vec<PathBuf> = names.iter().map(|name| folder.join(name)).collect();
        History::of(folder).sort(&mut files, |path| path);
        let short = |path: &PathBuf| path.strip_prefix(folder).unwrap().to_string_lossy().into_owned();
        files.iter().map(short).collect()
    }

    #[test]
    fn what_changes_often_comes_last() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir(at("deep")).unwrap();
        if !git(dir.path(), &["init", "-q"]) {
            return; // No git here: nothing to read.
        }
        for commit in 0..9 {
            fs::write(at("a hot é.rs"), commit.to_string()).unwrap();
            if commit % 4 == 0 {
                fs::write(at("deep/warm.rs"), commit.to_string()).unwrap();
            }
            if commit == 0 {
                fs::write(at("cold.rs"), "").unwrap();
            }
            assert!(git(dir.path(), &["add", "."]) && git(dir.path(), &["commit", "-q", "-m", "x"]));
        }
        let names = ["a hot é.rs", "cold.rs", "deep/warm.rs", "untracked.rs"];
        assert_eq!(
            sorted(dir.path(), &names),
            ["cold.rs", "deep/warm.rs", "a hot é.rs", "untracked.rs"]
        );
        // One more commit of a file does not move it among its like.
        let before = sorted(dir.path(), &names);
        fs::write(at("a hot é.rs"), "again").unwrap();
        assert!(git(dir.path(), &["commit", "-q", "-a", "-m", "x"]));
        assert_eq!(sorted(dir.path(), &names), before);
        assert_eq!(sorted(&at("deep"), &["other", "warm.rs"]), ["warm.rs", "other"]);
    }

    #[test]
    fn without_a_history_files_come_by_path() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(sorted(dir.path(), &["b", "a/c", "a.rs"]), ["a/c", "a.rs", "b"]);
        assert_eq!(sorted(Path::new("/no/such"), &["b", "a"]), ["a", "b"]);
    }
}
