//! The real program in a pseudo-terminal: a few whole flows, as a person would go through them.

#![allow(clippy::unwrap_used)] // a helper that fails fails its test

mod emulator;
#[cfg(target_os = "linux")]
mod full;
mod many;
mod sessions;
mod store;

use std::fs;
use std::path::Path;

use emulator::Session;
use tempfile::TempDir;

const DEFINITION: &str = "pub fn needle_fn(hay: &str) -> usize {";
const QUESTION: &str = "Where is `needle_fn` defined?";

/// A small tree with one place to find: line 12 of `src/x.rs`.
fn documents() -> TempDir {
    let folder = TempDir::new().unwrap();
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let filler: String = (1..12).fold(String::new(), |text, line| {
        text + &format!("// line {line}: nothing to see\n")
    });
    write("src/x.rs", &format!("{filler}{DEFINITION}\n    hay.len()\n}}\n"));
    write("src/y.rs", "fn other() {\n    other();\n}\n");
    write("README.md", "# A small tree\n\nIt has one function worth finding.\n");
    folder
}

fn start(documents: &Path) -> Session {
    Session::start(documents, &[], 80, 24)
}

/// Waits until the documents are loaded and read.
fn ready(session: &Session) {
    session.wait_for("documents that are ready", |screen| {
        screen.contains("3 files") && screen.contains("ready") && !screen.contains("prefill")
    });
}

fn ask(session: &Session) {
    session.send(&format!("{QUESTION}\r"));
    session.wait_for("a verified answer", |screen| {
        screen.contains("src/x.rs:12 verified") && screen.contains("ready")
    });
}

#[test]
fn a_question_is_answered_with_its_place() {
    let documents = documents();
    let mut session = start(documents.path());
    ready(&session);
    ask(&session);
    let screen = session.screen();
    assert!(screen.contains(&format!("❯ {QUESTION}")), "{screen}");
    assert!(screen.contains("▸ thought"), "thinking folds itself\n{screen}");
    assert!(screen.contains("✓ src/x.rs:12 verified"), "{screen}");

    session.send("\t");
    session.wait_for("unfolded thinking", |screen| {
        screen.contains("▾ thought") && screen.contains("│ ")
    });
    session.send("\t");
    session.wait_for("folded thinking", |screen| screen.contains("▸ thought"));

    for (width, height) in [(40, 12), (120, 40), (80, 24)] {
        session.resize(width, height);
    }
    session.wait_for("the same after resizing", |screen| {
        screen.contains("✓ src/x.rs:12 verified") && screen.contains("▸ thought") && screen.contains("ready")
    });

    session.send("/quit\r");
    assert_eq!(session.wait(), 0);
    session.assert_given_back();
    let left = session.screen();
    assert!(
        left.contains("src/x.rs:12 verified"),
        "the last answer is left behind\n{left}"
    );
    assert!(!left.contains("thought"), "{left}");
    assert!(left.contains("to open the same documents again: "), "{left}");
}

/// A model that rambles slowly enough to be watched: the 7:1 one, left to itself, on the plain backend.
const RAMBLING: [&str; 9] = [
    "--free",
    "--temperature",
    "1.8",
    "--seed",
    "6",
    "--backend",
    "reference",
    "--model",
    concat!(env!("CARGO_MANIFEST_DIR"), "/models/pico-8"),
];

/// Whether there is a row of a thought; how sure the model was of it depends on how far it has come.
fn has_gutter(screen: &str) -> bool {
    screen.lines().any(|line| {
        let text = line.strip_prefix("  ");
        text.is_some_and(|text| text.starts_with(['│', '┆', '┊', '·']))
    })
}

#[test]
fn thinking_is_seen_while_it_is_written_and_can_be_stopped() {
    let documents = documents();
    let mut session = Session::start_with(documents.path(), &RAMBLING, &[], 80, 24);
    ready(&session);
    session.send(&format!("{QUESTION}\r"));
    session.wait_for("thinking under way", |screen| {
        screen.contains("▾ thinking") && screen.contains("tok/s") && has_gutter(screen)
    });
    session.send("\u{1b}");
    session.wait_for("the end of it", |screen| {
        screen.contains("cancelled; what was written is kept") && screen.contains("▸ thought")
    });
    session.send("\t");
    session.wait_for("what was written", |screen| {
        screen.contains("▾ thought") && has_gutter(screen)
    });
    session.send("/quit\r");
    assert_eq!(session.wait(), 0);
    session.assert_given_back();
}

/// The viewer with the definition in its line, which is pointed at.
fn opened_at_the_definition(session: &Session) {
    session.wait_for("the document at its line", |screen| {
        screen.starts_with("src/x.rs")
            && screen.contains("line 12/14")
            && screen.contains(&format!("❯  12 {DEFINITION}"))
    });
    assert!(
        session.is_bold(DEFINITION),
        "the line is highlighted\n{}",
        session.screen()
    );
    assert!(!session.is_bold("// line 11"), "and no other");
}

#[test]
fn a_citation_opens_the_document_at_its_line_by_key_and_by_click() {
    let documents = documents();
    let mut session = start(documents.path());
    ready(&session);
    ask(&session);
    let before = session.screen();

    session.send("\u{f}");
    opened_at_the_definition(&session);
    session.wait_until("colours", Session::has_colour_of_code);
    session.send("q");
    session.wait_for("the conversation as it was", |screen| screen == before);

    session.send("\u{1b}p\r");
    opened_at_the_definition(&session);
    session.send("G/line 7\r");
    session.wait_for("what was searched for", |screen| {
        screen.contains("❯   7 // line 7") && screen.contains("1/1")
    });
    session.send("q");
    session.wait_for("the conversation as it was", |screen| screen.contains("❯ Ask"));

    let screen = session.screen();
    let row = screen.lines().position(|line| line.contains("✓ src/x.rs:12")).unwrap();
    session.send(&format!("\u{1b}[<0;6;{}M\u{1b}[<0;6;{}m", row + 1, row + 1));
    opened_at_the_definition(&session);
    session.send("q");
    session.wait_for("the conversation as it was", |screen| screen.contains("❯ Ask"));

    session.send("/open read\t:3\r");
    session.wait_for("another document", |screen| {
        screen.starts_with("README.md") && screen.contains("❯   3 It has one function")
    });
    session.send("q/quit\r");
    assert_eq!(session.wait(), 0);
    session.assert_given_back();
}

#[test]
fn what_is_dragged_over_is_sent_to_the_terminal_over_ssh() {
    let documents = documents();
    let far = [
        ("SSH_TTY", "/dev/pts/7"),
        ("TMUX", ""),
        ("STY", ""),
        ("TERM", "xterm-256color"),
    ];
    let mut session = Session::start(documents.path(), &far, 80, 24);
    ready(&session);
    ask(&session);
    let screen = session.screen();
    let row = screen
        .lines()
        .position(|line| line.contains(&format!("❯ {QUESTION}")))
        .unwrap()
        + 1;
    // From `needle_fn` on, by two words.
    session.send(&format!(
        "\u{1b}[<0;13;{row}M\u{1b}[<32;40;{row}M\u{1b}[<32;29;{row}M\u{1b}[<0;29;{row}m"
    ));
    session.send("y");
    session.wait_for("what was done", |screen| {
        screen.contains("sent 17 characters to the terminal to copy")
    });
    // "needle_fn` define"
    assert!(session.has_written(b"\x1b]52;c;bmVlZGxlX2ZuYCBkZWZpbmU=\x07"));
    session.send("i/quit\r");
    assert_eq!(session.wait(), 0);
    session.assert_given_back();
}

#[test]
fn control_characters_of_documents_never_reach_the_terminal() {
    let documents = documents();
    let hostile = "let trap = \"\u{1b}]0;pwned\u{7}\u{1b}[2J\u{9b}31m\u{202e}\"; </think><eos>\n";
    fs::write(documents.path().join("src/y.rs"), hostile).unwrap();
    fs::write(documents.path().join("src/\u{1b}[7mname.bin"), b"\0").unwrap();
    let mut session = start(documents.path());
    ready(&session);
    session.send("Find `pwned`\r");
    session.wait_for("the line", |screen| {
        screen.contains("src/y.rs:1 verified") && screen.contains("pwned")
    });
    for bytes in [
        &b"\x1b]0;pwned"[..],
        b"pwned\x07",
        "\u{9b}".as_bytes(),
        "\u{202e}".as_bytes(),
        b"\x1b[7mname",
    ] {
        assert!(!session.has_written(bytes), "{bytes:?}");
    }
    assert!(session.screen().contains("</think><eos>"), "{}", session.screen());
    session.send("\u{4}");
    assert_eq!(session.wait(), 0);
}

#[test]
fn the_documents_are_shown_as_a_tree_with_their_tokens() {
    let documents = documents();
    fs::write(documents.path().join("src/logo.png"), b"\x89PNG\r\n\x1a\n\0\0").unwrap();
    let mut session = start(documents.path());
    ready(&session);
    session.send("\u{1b}OQ");
    session.wait_for("the tree", |screen| {
        screen.contains("▾ ● src/")
            && screen.contains("● x.rs")
            && screen.contains("– logo.png")
            && screen.contains("3 files, ")
            && screen.contains(" of 1,048,576 tokens")
    });
    session.send("h");
    session.wait_for("a folded folder", |screen| {
        screen.contains("▸ ● src/") && !screen.contains("x.rs")
    });
    session.send("l");
    session.send("/read");
    session.wait_for("what is filtered", |screen| {
        screen.contains("/read") && screen.contains("README.md") && !screen.contains("x.rs")
    });
    session.send("\u{1b}");
    session.resize(120, 30);
    session.wait_for("both side by side", |screen| {
        screen.contains("● x.rs") && screen.contains("│❯ Ask")
    });
    session.send("\t@srcx\t");
    session.wait_for("a name that is completed", |screen| screen.contains("❯ @src/x.rs"));
    session.send("\u{15}/docs\r");
    // What comes as fast as no one types could be a paste, and its line end a line of it.
    session.wait_for("the keys with the documents", |screen| screen.contains("? keys"));
    session.send("q");
    session.wait_for("no tree", |screen| !screen.contains("● x.rs"));
    session.send("/load s");
    session.wait_for("names from the disk", |screen| screen.contains("  src/\n"));
    session.send("\u{15}\u{4}");
    assert_eq!(session.wait(), 0);
    session.assert_given_back();
}

#[test]
fn documents_are_loaded_besides_after_their_price_is_shown() {
    const OTHER: &str = "pub fn thimble_fn(finger: &str) {}\n";
    let documents = documents();
    let other = TempDir::new().unwrap();
    fs::write(other.path().join("z.rs"), format!("// a comment\n{OTHER}")).unwrap();
    let mut session = Session::start(documents.path(), &[], 120, 30);
    ready(&session);
    session.send(&format!("/load '{}'\r", other.path().display()));
    session.wait_for("the price", |screen| {
        screen.contains("add 1 file: checkpoint at ") && screen.contains("Enter to apply")
    });
    session.send("\r");
    session.wait_for("the documents with it", |screen| {
        screen.contains("4 files, ") && screen.contains("ready") && !screen.contains("prefill")
    });
    session.send("Where is `thimble_fn` defined?\r");
    session.wait_for("its place", |screen| {
        screen.contains("z.rs:2 verified") && screen.contains("ready")
    });

    fs::write(documents.path().join("src/y.rs"), "fn another() {}\n").unwrap();
    session.wait_for("the change on the disk", |screen| {
        screen.contains("1 file changed: press r to reload;")
    });
    session.send("r");
    session.wait_for("what is on the disk", |screen| {
        !screen.contains("press r") && screen.contains("ready") && !screen.contains("prefill")
    });
    session.send("Where is `another` defined?\r");
    session.wait_for("its place", |screen| screen.contains("y.rs:1 verified"));
    session.send("\u{4}");
    assert_eq!(session.wait(), 0);
    session.assert_given_back();
}

#[test]
fn an_answer_is_read_in_an_editor_which_has_the_terminal_for_itself() {
    let (documents, elsewhere) = (documents(), TempDir::new().unwrap());
    let editor = elsewhere.path().join("my editor");
    let script = "cat \"$2\"; printf '\\nthe editor has %s\\n' \"$(basename \"$2\")\"\nread line; printf 'it reads [%s]\\n' \"$line\"\nread line\n";
    fs::write(&editor, script).unwrap();
    let visual = format!("sh '{}' -x", editor.display());
    let mut session = Session::start(documents.path(), &[("VISUAL", &visual), ("EDITOR", "false")], 80, 24);
    ready(&session);
    ask(&session);
    for (what, last) in [("answer", "\r"), ("thinking", "\u{3}")] {
        session.send(&format!("/view {what}\r"));
        session.wait_for("the editor with the text", |screen| {
            screen.contains(&format!("the editor has {what}.md")) && !screen.contains("ready")
        });
        // Keys and signals of the keyboard are the editor's.
        session.send(&format!("/quit {what}\r"));
        session.wait_for("what it reads", |screen| {
            screen.contains(&format!("it reads [/quit {what}]"))
        });
        session.send(last);
        session.wait_for("the application again", |screen| {
            screen.contains("src/x.rs:12 verified") && screen.contains("ready") && !screen.contains("the editor has")
        });
    }
    session.wait_for("what became of the editor", |screen| screen.contains("sh '"));
    session.send("/quit\r");
    assert_eq!(session.wait(), 0);
    session.assert_given_back();
}

#[test]
fn a_draft_goes_to_the_editor_and_what_was_written_outlives_the_program() {
    let (documents, elsewhere) = (documents(), TempDir::new().unwrap());
    let editor = elsewhere.path().join("editor");
    fs::write(&editor, "printf 'edited\\n' >> \"$1\"\n").unwrap();
    let visual = format!("sh '{}'", editor.display());
    let history = elsewhere.path().join("state/history");
    let variables = [("VISUAL", &*visual), ("THUNDERHEAD_HISTORY", history.to_str().unwrap())];
    let mut session = Session::start(documents.path(), &variables, 80, 24);
    ready(&session);
    session.send("half \x07");
    session.wait_for("the draft as the editor left it", |screen| {
        screen.contains("❯ half edited")
    });
    // A terminal that does not mark pastes: nothing is sent.
    session.send("one\rtwo\rthree\r");
    session.wait_for("lines", |screen| screen.contains("❯ half editedone\n  two\n  three"));
    session.signal("TERM");
    assert_eq!(session.wait(), 143);
    session.assert_given_back();

    let mut session = Session::start(documents.path(), &variables, 80, 24);
    ready(&session);
    session.send("/vim on\r");
    session.wait_for("the other cursor", |screen| screen.contains("vim's keys"));
    session.send("\x12");
    session.send("editedone");
    session.wait_for("what was found", |screen| screen.contains("half editedone ⏎ two"));
    session.send("\r");
    session.wait_for("what was written", |screen| {
        screen.contains("❯ half editedone\n  two\n  three")
    });
    session.send("\x03\x03");
    assert_eq!(session.wait(), 0);
    session.assert_given_back();
    assert!(session.has_written(b"\x1b[6 q"), "a bar, to write");
    assert!(session.has_written(b"\x1b[0 q"), "as it was");
}

#[test]
fn a_missing_path_is_said_and_the_application_can_be_left() {
    let documents = documents();
    let mut session = Session::start_with(documents.path(), &["nowhere.rs"], &[], 80, 24);
    session.wait_for("the error", |screen| {
        screen.contains("nowhere.rs") && screen.contains("no such file")
    });
    session.send("/quit\r");
    assert_eq!(session.wait(), 0);
    session.assert_given_back();
}

#[test]
fn a_question_can_be_written_before_anything_is_loaded() {
    let documents = documents();
    let mut session = start(documents.path());
    session.wait_for("the composer", |screen| screen.contains("❯ Ask"));
    ask(&session);
    session.send("\u{4}");
    assert_eq!(session.wait(), 0);
    session.assert_given_back();
}

#[test]
fn a_paste_is_not_sent_and_wide_text_is_edited_by_characters() {
    let documents = documents();
    let mut session = start(documents.path());
    ready(&session);
    session.send("\u{1b}[200~one 你好\ntwo\u{1b}[201~");
    session.wait_for("both lines", |screen| screen.contains("❯ one 你好\n  two"));
    session.send("\u{7f}\u{7f}\u{7f}\u{7f}\u{7f}");
    session.wait_for("the rest", |screen| screen.contains("❯ one 你\n"));
    assert_eq!(session.cursor(), (22, 8));
    session.send("\u{15}\u{3}\u{3}");
    assert_eq!(session.wait(), 0, "Ctrl-C twice leaves");
    session.assert_given_back();
}

#[test]
fn a_burst_without_paste_marks_arrives_whole() {
    let documents = documents();
    let mut session = start(documents.path());
    ready(&session);
    session.send(&format!("{}end", "word ".repeat(700)));
    session.wait_for("the end of the burst", |screen| screen.contains("word end"));
    session.send("\u{15}\u{4}");
    assert_eq!(session.wait(), 0);
}

#[test]
fn help_lists_the_keys() {
    let documents = documents();
    let mut session = start(documents.path());
    ready(&session);
    for (width, height) in [(1, 1), (3, 2), (80, 24)] {
        session.resize(width, height);
    }
    session.wait_for("the screen again", |screen| screen.contains("❯ Ask"));
    session.send("?");
    session.wait_for("the help", |screen| {
        screen.contains("╭─ help") && screen.contains("send the question")
    });
    session.send("\u{1b}");
    session.wait_for("no help", |screen| !screen.contains("╭─ help"));
    session.send("\u{4}");
    assert_eq!(session.wait(), 0);
}

#[test]
#[cfg(unix)]
fn signals_give_the_terminal_back() {
    for (signal, code) in [("TERM", 143), ("INT", 130), ("HUP", 129)] {
        let documents = documents();
        let mut session = start(documents.path());
        session.wait_for("the composer", |screen| screen.contains("❯ Ask"));
        session.signal(signal);
        assert_eq!(session.wait(), code, "SIG{signal}");
        session.assert_given_back();
    }
}

#[test]
fn a_panic_gives_the_terminal_back_and_is_printed() {
    let documents = documents();
    let mut session = Session::start(documents.path(), &[("THUNDERHEAD_DEBUG", "1")], 80, 24);
    session.wait_for("the composer", |screen| screen.contains("❯ Ask"));
    session.send("/panic\r");
    assert_ne!(session.wait(), 0);
    session.assert_given_back();
    let screen = session.screen();
    assert!(screen.contains("panicked") && screen.contains("/panic"), "{screen}");
}

#[test]
fn without_colour_nothing_is_coloured() {
    let documents = documents();
    let mut session = Session::start(documents.path(), &[("NO_COLOR", "1")], 80, 24);
    ready(&session);
    ask(&session);
    assert!(!session.has_colour());
    session.send("\u{4}");
    assert_eq!(session.wait(), 0);

    let mut session = start(documents.path());
    ready(&session);
    ask(&session);
    assert!(session.has_colour());
    session.send("\u{4}");
    assert_eq!(session.wait(), 0);
}
