use std::time::Instant;

use super::*;
use crate::compute::Interrupt;
use crate::context::formats::testing::map;
use crate::context::formats::{Format, Limits};

#[test]
fn frames_are_found_among_what_else_is_printed() {
    let output = b"noise w page 3\n\nw page 4\na\nb\nmore noise\nw lost 0\nw page 99\nshort\nx page 1\n?\nw end 0\n";
    let found: Vec<(String, usize)> = frames(output, "w").map(|f| (f.kind.into(), f.body.len())).collect();
    assert_eq!(found, [("page".into(), 4), ("lost".into(), 0), ("end".into(), 0)]);
}

#[test]
fn pages_are_sections() {
    let output = b"w page 13\n\n\nOne\n\n\n\ntwo\nw page 1\n \nw lost 0\n\nw page 5\nThree\nw end 0\n";
    let got = document(output, "w").unwrap();
    assert_eq!(got.text, "One\n\ntwo\n\nThree\n");
    assert_eq!(map(&got), ["Page 1 1 @1", "Page 1 2 @4", "Page 1 3 @4", "Page 1 4 @5"]);
    assert_eq!(got.notes, ["the text of a PDF of 4 pages", "1 page cannot be read"]);
    let empty = document(b"w page 1\n \nw end 0\n", "w").unwrap_err();
    assert_eq!(empty, Refused::because("no text in it (scanned pages?)"));
}

#[cfg(unix)]
fn with_worker(script: &str, time: Duration, interrupt: &Interrupt) -> Refused {
    let limits = Limits {
        time,
        text: 1 << 20,
        pdf_worker: Some(("/bin/sh".into(), vec!["-c".into(), script.into()])),
        ..Limits::default()
    };
    let start = Instant::now();
    // More than a pipe holds: a worker that does not read must not block.
    let bytes = vec![b' '; 1 << 20];
    let refused = super::super::extract(Format::Pdf, &bytes, &limits, interrupt).unwrap_err();
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    refused
}

#[cfg(unix)]
#[test]
fn whatever_a_worker_does_is_a_reason() {
    let minute = Duration::from_mins(1);
    let reason = |script| match with_worker(script, minute, &Interrupt::new()) {
        Refused::Because(reason) => reason,
        Refused::Interrupted => unreachable!(),
    };
    assert_eq!(reason("exit 7"), "the PDF reader gave up on it (exit code 7)");
    assert_eq!(
        reason("cat > /dev/null; kill -9 $$"),
        "the PDF reader gave up on it (signal 9)"
    );
    assert_eq!(
        reason("kill -6 $$"),
        "the PDF reader gave up on it (too much memory, or nested too deep)"
    );
    assert_eq!(reason("while :; do echo 0123456789; done"), "more than 1 MiB of text");
    // The secret word is the first argument.
    assert_eq!(reason("printf '\\n%s refused 2\\nno' $0"), "no");
    let slow = with_worker("exec sleep 600", Duration::from_millis(30), &Interrupt::new());
    assert_eq!(slow, Refused::because("reading it took longer than 0 s"));
}

#[cfg(unix)]
#[test]
fn an_interrupt_ends_the_worker() {
    let interrupt = Interrupt::new();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| with_worker("exec sleep 600", Duration::from_mins(1), &interrupt));
        interrupt.raise();
        assert_eq!(waiting.join().unwrap(), Refused::Interrupted);
    });
}
