//! The person's own editor, on a text that is written to a file for it.
//!
//! The driver gives the terminal away before [`run`] and takes it back after it. The file lies in a folder that nobody
//! else may read, and both are gone afterwards.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

use tempfile::TempDir;

/// Where neither `$VISUAL` nor `$EDITOR` says anything else.
const DEFAULT: &str = "vi";

/// A text for the editor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Editing {
    pub text: String,
    /// The file's name, by whose end editors know what it is.
    pub name: String,
    pub purpose: Purpose,
}

/// What a text is in the editor for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Purpose {
    /// To be read; what is changed is not kept.
    Look,
    /// The question that is being written: it comes back as it was left.
    Draft,
}

/// The editor is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edited {
    pub purpose: Purpose,
    /// The text as it is now, or why it is not known.
    pub text: Result<String, String>,
}

/// Runs the editor, until the person leaves it.
pub fn run(editing: Editing) -> Edited {
    let editor = [std::env::var_os("VISUAL"), std::env::var_os("EDITOR")];
    let editor = editor.into_iter().flatten().find(|editor| !editor.is_empty());
    let text = edit(&editing, &editor.unwrap_or_else(|| DEFAULT.into()));
    Edited {
        purpose: editing.purpose,
        text,
    }
}

fn edit(editing: &Editing, editor: &OsString) -> Result<String, String> {
    let unwritten = |error: io::Error| format!("the text cannot be written for the editor: {error}");
    let folder = private_folder().map_err(unwritten)?;
    let path = folder.path().join(&editing.name);
    write(&path, &editing.text).map_err(unwritten)?;
    if editing.purpose == Purpose::Look {
        read_only(&path).map_err(unwritten)?;
    }
    let named = editor.to_string_lossy();
    let ended = command(editor, &path).status();
    let ended = ended.map_err(|error| format!("{named} cannot be run: {error}"))?;
    if !ended.success() {
        return Err(failure(&named, ended));
    }
    fs::read_to_string(&path).map_err(|error| format!("what {named} has written cannot be read: {error}"))
}

fn failure(editor: &str, ended: ExitStatus) -> String {
    match ended.code() {
        Some(126 | 127) => format!("{editor} cannot be run; $VISUAL or $EDITOR names the editor"),
        Some(code) => format!("{editor} has failed with code {code}"),
        None => format!("{editor} was ended by a signal"),
    }
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    File::create_new(path)?.write_all(text.as_bytes())
}

/// What the editor was named is a beginning of a shell's line, as everywhere: `code --wait`, `"/opt/my editor/ed" -x`.
#[cfg(unix)]
fn command(editor: &OsString, path: &Path) -> Command {
    let mut line = editor.clone();
    line.push(" \"$@\"");
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg(line).arg(editor).arg(path);
    let terminal = (!io::stdin().is_terminal()).then(|| File::open("/dev/tty"));
    if let Some(Ok(terminal)) = terminal {
        command.stdin(Stdio::from(terminal));
    }
    command
}

#[cfg(not(unix))]
fn command(editor: &OsString, path: &Path) -> Command {
    let mut command = Command::new(editor);
    command.arg(path).stdin(Stdio::inherit());
    command
}

#[cfg(unix)]
fn private_folder() -> io::Result<TempDir> {
    use std::os::unix::fs::PermissionsExt;
    let ours = fs::Permissions::from_mode(0o700);
    tempfile::Builder::new()
        .prefix("thunderhead-")
        .permissions(ours)
        .tempdir()
}

#[cfg(not(unix))]
fn private_folder() -> io::Result<TempDir> {
    tempfile::Builder::new().prefix("thunderhead-").tempdir()
}

fn read_only(path: &Path) -> io::Result<()> {
    let mut permissions = fs::metadata(path)?.permissions();
    permissions.set_readonly(true);
    fs::set_permissions(path, permissions)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn edited(editor: &str, text: &str) -> Result<String, String> {
        let editing = Editing {
            text: text.into(),
            name: "answer.md".into(),
            purpose: Purpose::Look,
        };
        edit(&editing, &editor.into())
    }

    #[test]
    fn the_editor_is_a_line_of_the_shell_and_gets_the_text_in_a_file_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let seen = folder.path().join("seen one");
        let editor = format!(
            "test -r /dev/null && stat -c '%a %n' \"{}\" && cp \"$1\" '{0}' && :",
            seen.display()
        );
        fs::write(&seen, "").unwrap();
        assert_eq!(edited(&editor, "é\n\u{1b}[2J").unwrap(), "é\n\u{1b}[2J");
        assert_eq!(fs::read_to_string(&seen).unwrap(), "é\n\u{1b}[2J");
    }

    #[test]
    fn nobody_else_may_read_it_and_nothing_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let seen = folder.path().join("seen");
        let editor = format!(
            "sh -c 'ls -ld \"$(dirname \"$1\")\" > {}; ls -l \"$1\" >> {0}' x",
            seen.display()
        );
        assert_eq!(edited(&editor, "text").unwrap(), "text");
        let seen = fs::read_to_string(seen).unwrap();
        let lines: Vec<_> = seen.lines().collect();
        assert!(lines[0].starts_with("drwx------"), "{seen}");
        assert!(lines[1].starts_with("-r--"), "{seen}");
        assert!(lines[1].ends_with("/answer.md"), "{seen}");
        let file = lines[1].rsplit(' ').next().unwrap();
        assert!(!Path::new(file).parent().unwrap().exists());
    }

    #[test]
    fn what_fails_is_said() {
        assert_eq!(edited("exit 3;", "").unwrap_err(), "exit 3; has failed with code 3");
        let missing = edited("/no/such/editor -x", "").unwrap_err();
        assert!(
            missing.starts_with("/no/such/editor -x cannot be run; $VISUAL"),
            "{missing}"
        );
        assert!(edited("kill -9 $$;", "").unwrap_err().ends_with("ended by a signal"));
        assert!(edited("rm -f", "").unwrap_err().contains("cannot be read"));
    }
}
