//! `thunderhead --plain` through the binary: questions from a pipe, answers as lines.

#![allow(
    clippy::unwrap_used,
    reason = "a test that unwraps nothing has failed, in its helpers too"
)]

use std::io::Write;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

fn documents() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write(
        "tiles.rs",
        "/// Lays tiles.\npub fn lay(count: usize) {\n    let margin = 7;\n}\n",
    );
    write("notes.txt", "The magic number for garden is 48213.\n");
    write("more.txt", "The magic number for cellar is 77.\n");
    folder
}

fn plain(folder: &TempDir, arguments: &[&str], variables: &[(&str, &str)], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_thunderhead"))
        .env("THUNDERHEAD_SESSIONS_KEEP", "false")
        .args(arguments)
        .current_dir(folder.path())
        .env("THUNDERHEAD_CACHE", "")
        .env("THUNDERHEAD_CONFIG", "")
        .envs(variables.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that refuses its command line reads nothing.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn questions_from_a_pipe_are_answered_in_their_order() {
    let folder = documents();
    let input = b"Where is `lay`\\\n defined?\nWhat is the magic number for garden?\n";
    let output = plain(&folder, &["--plain", "tiles.rs", "notes.txt"], &[], input);
    let said = said(&output);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut rest = said.as_str();
    for text in [
        "is a demonstration",
        "Loaded 2 files, 5 lines, ",
        "> Where is `lay`\n defined?\n",
        "Thinking.\n",
        "Thought for ",
        "Answer:\n",
        "tiles.rs:2",
        "✓ tiles.rs:2 verified\n",
        " tokens of thinking, ",
        "> What is the magic number for garden?\n",
        "48213",
        "✓ notes.txt:1 verified\n",
    ] {
        let at = rest
            .find(text)
            .unwrap_or_else(|| panic!("no {text:?} after {rest:?} in\n{said}"));
        rest = &rest[at + text.len()..];
    }
    assert!(said.chars().all(|c| c == '\n' || !c.is_control()), "{said:?}");
}

#[test]
fn a_dumb_terminal_gets_lines_by_itself() {
    let folder = documents();
    let output = plain(&folder, &["notes.txt"], &[("TERM", "dumb")], b"/quit\nnever read\n");
    assert!(output.status.success());
    assert!(said(&output).ends_with("> /quit\n"), "{}", said(&output));
    let refused = plain(&folder, &["notes.txt"], &[("TERM", "xterm")], b"");
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--plain"));
}

#[test]
fn documents_are_changed_after_their_price_was_told() {
    let folder = documents();
    let input = b"/load more.txt\ny\nWhat is the magic number for cellar?\n/unload notes.txt\nn\n/docs\n/reload\n/load\n/laod x\n";
    let output = plain(&folder, &["--plain", "notes.txt"], &[], input);
    let said = said(&output);
    for text in [
        "Adds more.txt.\nTo read: ",
        "Loaded 2 files",
        "✓ more.txt:1 verified",
        "Takes out notes.txt.\n",
        "The documents stay as they are.\n",
        "notes.txt: ",
        "Nothing would change.\n",
        "Error: a name has to follow /load\n",
        "Error: there is no command /laod; did you mean `load`?",
    ] {
        assert!(said.contains(text), "no {text:?} in\n{said}");
    }
}

#[test]
fn failures_are_told_and_are_the_exit_code() {
    let folder = documents();
    let output = plain(
        &folder,
        &["--plain", "notes.txt"],
        &[],
        b"What about zebras and quaggas?\n",
    );
    assert_eq!(output.status.code(), Some(5), "{}", said(&output));
    assert!(said(&output).contains("Error: "));
    let output = plain(&folder, &["--plain", "missing.txt"], &[], b"");
    assert_eq!(output.status.code(), Some(4), "{}", said(&output));
    let output = plain(&folder, &["--plain", "-"], &[], b"text");
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn thinking_is_told_as_it_is_set() {
    let folder = documents();
    let question = b"What is the magic number for garden?\n";
    let with = |thinking: &str, input: &[u8]| {
        let variables = [
            ("THUNDERHEAD_PLAIN_THINKING", thinking),
            ("THUNDERHEAD_PLAIN_WIDTH", "40"),
        ];
        said(&plain(&folder, &["--plain", "notes.txt"], &variables, input))
    };
    assert!(with("show", question).contains("Thinking:\n"));
    let hidden = with("hide", question);
    assert!(!hidden.contains("hink") && hidden.contains("48213"), "{hidden}");
    let switched = with("hide", &[b"/thinking show\n", &question[..]].concat());
    assert!(switched.contains("Thinking:\n"), "{switched}");
}

/// A process whose output is read line by line while it runs.
#[cfg(unix)]
struct Running {
    child: std::process::Child,
    said: std::io::Lines<std::io::BufReader<std::process::ChildStdout>>,
}

#[cfg(unix)]
impl Running {
    fn start(folder: &TempDir, arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_thunderhead"))
            .env("THUNDERHEAD_SESSIONS_KEEP", "false")
            .args(arguments)
            .current_dir(folder.path())
            .env("THUNDERHEAD_CACHE", "")
            .env("THUNDERHEAD_CONFIG", "")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let said = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
        Self { child, said }
    }

    /// Waits until a line has this in it.
    fn wait_for(&mut self, text: &str) {
        let mut before = Vec::new();
        for line in self.said.by_ref().map(Result::unwrap) {
            if line.contains(text) {
                return;
            }
            before.push(line);
        }
        panic!("no {text:?} in\n{}", before.join("\n"));
    }

    /// Ctrl-C, as the terminal sends it.
    fn interrupt(&self) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-INT", &id]).status().unwrap();
        assert!(sent.success());
    }

    fn write(&mut self, text: &str) {
        self.child.stdin.as_mut().unwrap().write_all(text.as_bytes()).unwrap();
    }
}

#[cfg(unix)]
#[test]
fn ctrl_c_cancels_what_runs_and_twice_it_leaves() {
    let folder = documents();
    // Long enough to be still read when the signal comes, and never read to its end.
    let line = "The harbour master wrote down every ship that came in before the storm, and none that left.\n";
    std::fs::write(folder.path().join("long.txt"), line.repeat(10_000)).unwrap();
    let mut running = Running::start(&folder, &["--plain", "long.txt"]);
    running.wait_for("Loaded 1 file");
    running.interrupt();
    running.wait_for("Cancelling. Ctrl-C again leaves.");
    running.wait_for("Cancelled; what was done is kept.");
    // It goes on, and what was cancelled does not count when nothing runs.
    running.write("/docs\n");
    running.wait_for("long.txt: ");
    drop(running.child.stdin.take());
    assert!(running.child.wait().unwrap().success());

    let mut running = Running::start(&folder, &["--plain", "long.txt"]);
    running.wait_for("Loaded 1 file");
    running.interrupt();
    running.wait_for("Cancelling.");
    running.interrupt();
    assert_eq!(running.child.wait().unwrap().code(), Some(130));
}
