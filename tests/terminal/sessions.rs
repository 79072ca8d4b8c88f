//! Recorded sessions, and turns that are had again.

use super::emulator::{Link, Session};
use super::{QUESTION, ask, documents, ready, start};

fn open(arguments: &[&str]) -> Session {
    let here = tempfile::tempdir().unwrap();
    Session::run(here.path(), &[&["sessions", "open"], arguments].concat(), &[], 100, 30)
}

#[test]
fn the_long_session_opens_whole_and_cannot_be_asked() {
    let mut session = open(&["eighty-days"]);
    session.wait_for("the end of the session", |screen| {
        screen.contains("generated (recorded)") && screen.contains("a whole day") && screen.contains("ready")
    });
    session.send("and then?\r");
    session.wait_for("a refusal", |screen| {
        screen.contains("❯ and then?") && screen.contains("nothing can be asked")
    });
    session.send("/retry\r");
    session.wait_for("another one", |screen| {
        screen.matches("nothing can be asked").count() == 2
    });
    session.send("/load x\r");
    session.wait_for("a third", |screen| screen.contains("without its documents"));
    session.send("\u{3}\u{3}");
    assert_eq!(session.wait(), 0);
    session.assert_given_back();
}

#[test]
fn a_session_is_played_as_it_came_and_can_be_stopped() {
    let mut session = open(&["--speed", "20", "eighty-days"]);
    session.wait_for("thinking under way", |screen| {
        screen.contains("▾ thinking") && screen.contains("London to Suez")
    });
    session.send("\u{1b}");
    session.wait_for("an end", |screen| {
        screen.contains("cancelled; what was written is kept") && screen.contains("ready")
    });
    session.send("/quit\r");
    assert_eq!(session.wait(), 0);
}

/// Frames that a slow line cannot take are not drawn, rather than queued: what a key does is on its way after what the
/// terminal's own buffer holds, however long the stream has gone on.
#[test]
fn over_a_slow_line_keys_do_not_wait_for_the_stream() {
    let mut session = open(&["--speed", "40", "eighty-days"]);
    session.set_link(Link::Rate(6_000));
    session.wait_for("thinking under way", |screen| {
        screen.contains("· thinking ·") && screen.contains("▾ │")
    });
    for (key, what) in [("\u{1b}OP", "send the question"), ("\u{1b}", "▾ │")] {
        let before = session.written();
        session.send(key);
        session.wait_for(what, |screen| {
            screen.contains(what) && (key.len() > 1) == screen.contains("send the question")
        });
        let bytes = session.written() - before;
        assert!(bytes < 20_000, "{bytes} bytes before {what:?}");
    }
    session.set_link(Link::AtOnce);
    session.send("/quit\r");
    assert_eq!(session.wait(), 0);
}

#[test]
fn a_reply_is_had_again_and_a_question_written_again() {
    let documents = documents();
    let mut session = start(documents.path());
    ready(&session);
    ask(&session);
    session.send("/retry\r");
    session.wait_for("the same reply once more", |screen| {
        screen.matches("src/x.rs:12 verified").count() == 2 && screen.contains("in the place of the one above")
    });
    session.send("\u{18}e");
    session.wait_for("the question in the field", |screen| {
        screen.contains("writing question 2 again") && screen.matches(QUESTION).count() == 3
    });
    session.send("\u{15}Find `other`\r");
    session.wait_for("another answer", |screen| {
        screen.contains("in the place of a question above") && screen.contains("✓ src/y.rs:")
    });
    session.send("/quit\r");
    assert_eq!(session.wait(), 0);
}

/// `cargo test --release --test terminal slow_lines -- --ignored --nocapture`
#[test]
#[ignore = "measures, and promises nothing"]
#[allow(clippy::print_stdout, reason = "that is what it is for")]
fn a_question_over_slow_lines() {
    for rate in [400_000, 57_600, 5_760, 960] {
        let documents = documents();
        let mut session = start(documents.path());
        ready(&session);
        session.set_link(Link::Rate(rate));
        let (began, before) = (std::time::Instant::now(), session.written());
        ask(&session);
        let (took, bytes) = (began.elapsed(), session.written() - before);
        println!("{rate:7} bytes a second: {bytes:6} bytes, {took:5.1?} from the question to the mark of its answer");
        session.set_link(Link::AtOnce);
        session.send("/quit\r");
        assert_eq!(session.wait(), 0);
    }
}

/// `cargo test --release --test terminal opening -- --ignored --nocapture`
#[test]
#[ignore = "measures, and promises nothing"]
#[allow(clippy::print_stdout, reason = "that is what it is for")]
fn opening_the_long_session() {
    let mut times: Vec<_> = (0..15)
        .map(|_| {
            let here = tempfile::tempdir().unwrap();
            let began = std::time::Instant::now();
            let mut session = Session::run(here.path(), &["sessions", "open", "eighty-days"], &[], 200, 60);
            session.wait_for("the whole first frame", |screen| {
                screen.contains("a whole day") && screen.contains("ready")
            });
            let took = began.elapsed();
            session.send("/quit\r");
            assert_eq!(session.wait(), 0);
            took
        })
        .collect();
    times.sort();
    println!(
        "from the start of the process to the first frame: least {:?}, median {:?}",
        times[0], times[7]
    );
}
