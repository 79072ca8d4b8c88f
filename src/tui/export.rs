//! What was said, as a file: Markdown to read, JSON Lines to work with.
//!
//! The application's own notices are left out. What is written is the source as it came.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::format;
use super::transcript::{Block, Kind};
use crate::trace::Segment;

/// Names that are tried for a file that was not named.
const NAMES: usize = 1000;

/// How a file is written, by the end of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Markdown,
    JsonLines,
}

impl Form {
    pub fn of(path: &str) -> Option<Self> {
        match Path::new(path).extension()?.to_str()? {
            "md" | "markdown" => Some(Self::Markdown),
            "jsonl" | "json" => Some(Self::JsonLines),
            _ => None,
        }
    }
}

/// A file to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Writing {
    pub path: PathBuf,
    /// The name was not chosen by the person: if there is such a file, another one will do.
    pub any_name: bool,
    pub text: String,
    /// What it is, for the person.
    pub what: &'static str,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    pub what: &'static str,
    pub path: PathBuf,
    pub outcome: Outcome,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// So many bytes.
    Done(usize),
    /// There is such a file, which is left as it is; a name that is free.
    Exists(PathBuf),
    Failed(String),
}

/// The blocks in a form.
pub fn text(blocks: &[&Block], form: Form) -> String {
    let said = blocks
        .iter()
        .filter(|block| !matches!(block.kind, Kind::Notice(_)) && !block.source().trim().is_empty());
    match form {
        Form::Markdown => markdown(said),
        Form::JsonLines => said.fold(String::new(), |lines, block| lines + &object(block).to_string() + "\n"),
    }
}

fn markdown<'a>(blocks: impl Iterator<Item = &'a &'a Block>) -> String {
    let mut out = String::new();
    let mut cited = false;
    for block in blocks {
        let source = block.source().trim_matches(['\n', '\r']);
        let is_citation = matches!(block.kind, Kind::Citation { .. });
        let joined = out.is_empty() || (cited && is_citation);
        if !joined {
            out.push('\n');
        }
        cited = is_citation;
        match &block.kind {
            Kind::Question => out.push_str("## Question\n\n"),
            Kind::Answer => out.push_str("## Answer\n\n"),
            Kind::Thinking(thought) => {
                let all = thought.trace.statistics();
                let told = [
                    format::counted(all.tokens, "token"),
                    format::duration(thought.took.unwrap_or(all.took)),
                    format::counted(all.segments, "segment"),
                    format::counted(all.turning_points, "turning point"),
                ];
                let _ = write!(out, "## Thinking\n\n*{}*\n\n", told.join(", "));
            }
            Kind::Citation { .. } => out.push_str("- "),
            Kind::Notice(_) => {}
        }
        out.push_str(source);
        out.push('\n');
    }
    out
}

fn object(block: &Block) -> Value {
    match &block.kind {
        Kind::Question => json!({ "type": "question", "text": block.source() }),
        Kind::Answer => json!({ "type": "answer", "text": block.source() }),
        Kind::Citation { verified } => json!({ "type": "citation", "verified": verified, "text": block.source() }),
        Kind::Notice(_) => json!({ "type": "notice", "text": block.source() }),
        Kind::Thinking(thought) => json!({
            "type": "thinking",
            "text": block.source(),
            "statistics": thought.trace.statistics(),
            "segments": thought.trace.segments().collect::<Vec<Segment>>(),
            "turning_points": thought.trace.turns(),
            "citations": thought.citations,
        }),
    }
}

/// Writes a file that is either there as a whole or not at all; one that is there already stays as it is.
pub fn write(writing: &Writing) -> Written {
    let mut path = writing.path.clone();
    let outcome = loop {
        match try_to_write(&path, &writing.text) {
            Ok(()) => break Outcome::Done(writing.text.len()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => match free_name(&writing.path) {
                Some(free) if writing.any_name && free != path => path = free,
                Some(free) => break Outcome::Exists(free),
                None => break Outcome::Failed("there are too many files of this name".to_owned()),
            },
            Err(error) => break Outcome::Failed(error.to_string()),
        }
    };
    Written {
        what: writing.what,
        path,
        outcome,
    }
}

fn try_to_write(path: &Path, text: &str) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    if path.symlink_metadata().is_ok() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    let mut builder = tempfile::Builder::new();
    builder.prefix(".thunderhead-");
    as_usual(&mut builder);
    let mut file = builder.tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist_noclobber(path).map_err(|error| error.error)?;
    Ok(())
}

/// As of any file that the person makes, by their mask.
#[cfg(unix)]
fn as_usual(file: &mut tempfile::Builder<'_, '_>) {
    use std::os::unix::fs::PermissionsExt;
    file.permissions(std::fs::Permissions::from_mode(0o666));
}

#[cfg(not(unix))]
fn as_usual(_: &mut tempfile::Builder<'_, '_>) {}

/// `x-2.md`, `x-3.md`, …: the first that is not there.
fn free_name(path: &Path) -> Option<PathBuf> {
    let stem = path.file_stem()?.to_string_lossy();
    let end = path
        .extension()
        .map_or_else(String::new, |end| format!(".{}", end.to_string_lossy()));
    (2..NAMES)
        .map(|number| path.with_file_name(format!("{stem}-{number}{end}")))
        .find(|path| path.symlink_metadata().is_err())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::transcript::{Thought, Transcript};

    fn conversation() -> Transcript {
        let mut transcript = Transcript::default();
        let thinking = Kind::Thinking(Box::new(Thought {
            took: Some(std::time::Duration::from_secs(2)),
            ..Thought::default()
        }));
        for (kind, source) in [
            (Kind::Notice(crate::tui::transcript::Level::Info), "3 files"),
            (Kind::Question, "Where \"is\" it?"),
            (thinking, "Let me look.\n\nWait, here."),
            (Kind::Answer, "\n\n# Here\u{1b}[2J\n"),
            (Kind::Citation { verified: true }, "✓ a:1 verified"),
            (Kind::Citation { verified: false }, "? b:2 unverified"),
        ] {
            transcript.push(kind, source);
        }
        transcript
    }

    #[test]
    fn markdown_has_everything_but_notices() {
        let transcript = conversation();
        let blocks: Vec<_> = transcript.blocks().iter().collect();
        let text = text(&blocks, Form::Markdown);
        let expected = "## Question\n\nWhere \"is\" it?\n\n## Thinking\n\n*0 tokens, 2.0 s, ";
        assert!(text.starts_with(expected), "{text}");
        let end =
            "Let me look.\n\nWait, here.\n\n## Answer\n\n# Here\u{1b}[2J\n\n- ✓ a:1 verified\n- ? b:2 unverified\n";
        assert!(text.ends_with(end), "{text}");
    }

    #[test]
    fn json_is_an_object_a_line() {
        let transcript = conversation();
        let blocks: Vec<_> = transcript.blocks().iter().collect();
        let text = text(&blocks, Form::JsonLines);
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let kinds: Vec<_> = lines.iter().map(|line| line["type"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["question", "thinking", "answer", "citation", "citation"]);
        assert_eq!(lines[0]["text"], "Where \"is\" it?");
        assert_eq!(lines[1]["text"], "Let me look.\n\nWait, here.");
        assert!(
            lines[1]["statistics"]["tokens"].is_u64() && lines[1]["segments"].is_array(),
            "{}",
            lines[1]
        );
        assert_eq!(lines[2]["text"], "\n\n# Here\u{1b}[2J\n");
        assert_eq!(lines[4]["verified"], false);
    }

    fn written(path: &Path, any_name: bool) -> Written {
        write(&Writing {
            path: path.to_owned(),
            any_name,
            text: "text".into(),
            what: "the conversation",
        })
    }

    #[test]
    fn what_is_there_stays_and_another_name_is_offered_or_taken() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.md");
        assert_eq!(written(&path, false).outcome, Outcome::Done(4));
        std::fs::write(&path, "mine").unwrap();
        let second = folder.path().join("x-2.md");
        assert_eq!(written(&path, false).outcome, Outcome::Exists(second.clone()));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
        let taken = written(&path, true);
        assert_eq!((taken.outcome, &taken.path), (Outcome::Done(4), &second));
        assert_eq!(written(&path, true).path, folder.path().join("x-3.md"));
        let left = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(left, 3, "nothing else is left");
    }

    #[test]
    fn what_cannot_be_written_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let missing = written(&folder.path().join("no/such/x.md"), true);
        assert!(
            matches!(missing.outcome, Outcome::Failed(ref why) if why.contains("No such file")),
            "{missing:?}"
        );
        assert!(matches!(
            written(Path::new("/dev/full/x.md"), false).outcome,
            Outcome::Failed(_)
        ));
    }

    #[cfg(unix)]
    #[test]
    fn others_may_read_it_as_any_file() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("usual"), "").unwrap();
        written(&folder.path().join("x.md"), false);
        let mode = |name: &str| folder.path().join(name).metadata().unwrap().permissions().mode();
        assert_eq!(mode("x.md"), mode("usual"));
    }

    #[test]
    fn forms_are_told_by_the_name() {
        assert_eq!(Form::of("a/b.md"), Some(Form::Markdown));
        assert_eq!(Form::of("b.jsonl"), Some(Form::JsonLines));
        assert_eq!((Form::of("b.txt"), Form::of("md")), (None, None));
    }
}
