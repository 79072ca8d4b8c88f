//! PDF, read in another process.
//!
//! The parsers that can read what PDF has become panic, overflow their stack and eat memory on files that are not what
//! they expect. So this program runs itself as a worker (`pdf_worker`), gives it the bytes, and takes back pages; whatever
//! happens to the worker, the rest of the documents are loaded. The worker prints its result in frames, each headed by a
//! word that nobody else can know, since libraries print to the same place.

use std::hash::{BuildHasher, RandomState};
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use super::fragment::{Fragment, Mark};
use super::pdf_worker::{ENDED, LOST, PAGE, REFUSED, SUBCOMMAND};
use super::{Extracted, Refused, Watch};
use crate::context::pack::SectionKind;

/// Between two looks at the interrupt.
const POLL: Duration = Duration::from_millis(20);
/// What the worker may print beside the text.
const SLACK: usize = 16 << 20;

pub(super) fn extract(bytes: &[u8], watch: &Watch<'_>) -> Result<Extracted, Refused> {
    let word = secret_word();
    let mut child = start(&word, watch)?;
    let output = supervise(&mut child, bytes, &word, watch);
    // It has nothing more to say, whatever it is doing.
    let _ = child.kill();
    let _ = child.wait();
    document(&output?, &word)
}

fn secret_word() -> String {
    let half = || RandomState::new().hash_one(0u8);
    format!("{:016x}{:016x}", half(), half())
}

fn start(word: &str, watch: &Watch<'_>) -> Result<Child, Refused> {
    let cannot = |e: std::io::Error| Refused::because(format!("the PDF reader cannot be started: {e}"));
    let own = |program| (program, vec![SUBCOMMAND.to_owned()]);
    let (program, arguments) = match &watch.limits.pdf_worker {
        Some(worker) => worker.clone(),
        None => own(own_program().map_err(cannot)?),
    };
    let mut command = Command::new(program);
    command
        .args(arguments)
        .arg(word)
        .arg(watch.limits.time.as_secs().to_string())
        .arg(watch.limits.pdf_memory.to_string())
        .env("RUST_BACKTRACE", "0")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    // Ctrl-C is for this process, which ends its worker itself.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    command.spawn().map_err(cannot)
}

/// This program, though its file may have been replaced since it was started.
fn own_program() -> std::io::Result<PathBuf> {
    let link = PathBuf::from("/proc/self/exe");
    if cfg!(target_os = "linux") && link.exists() {
        Ok(link)
    } else {
        std::env::current_exe()
    }
}

/// Feeds the worker and takes what it prints, until it is done, its time is up or nobody waits for it any more.
fn supervise(child: &mut Child, bytes: &[u8], word: &str, watch: &Watch<'_>) -> Result<Vec<u8>, Refused> {
    let (Some(mut input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(Refused::because("the PDF reader cannot be started"));
    };
    let most = watch.limits.text + SLACK;
    let (sender, receiver) = mpsc::channel();
    thread::scope(|scope| {
        // A worker that does not read to the end says why in another place.
        scope.spawn(move || input.write_all(bytes));
        scope.spawn(move || {
            let mut printed = Vec::new();
            let _ = output.take(most as u64 + 1).read_to_end(&mut printed);
            let _ = sender.send(printed);
        });
        let printed = loop {
            match receiver.recv_timeout(POLL) {
                Ok(printed) => break Ok(printed),
                Err(RecvTimeoutError::Timeout) => {
                    if let Err(refused) = watch.check() {
                        break Err(refused);
                    }
                }
                Err(RecvTimeoutError::Disconnected) => break Ok(Vec::new()),
            }
        };
        let printed = printed.and_then(|printed| {
            if printed.len() > most {
                return Err(watch.too_much_text());
            }
            if frames(&printed, word).any(|frame| frame.kind == ENDED || frame.kind == REFUSED) {
                return Ok(printed);
            }
            Err(gave_up(exit(child, watch)?))
        });
        // The threads end with it.
        let _ = child.kill();
        printed
    })
}

/// Waits for a worker that has closed its output.
fn exit(child: &mut Child, watch: &Watch<'_>) -> Result<Option<ExitStatus>, Refused> {
    loop {
        match child.try_wait() {
            Ok(None) => {}
            Ok(status) => return Ok(status),
            Err(_) => return Ok(None),
        }
        watch.check()?;
        thread::sleep(POLL);
    }
}

fn gave_up(status: Option<ExitStatus>) -> Refused {
    #[cfg(unix)]
    let signal = status.and_then(|status| std::os::unix::process::ExitStatusExt::signal(&status));
    #[cfg(not(unix))]
    let signal: Option<i32> = None;
    let how = match (signal, status.and_then(|status| status.code())) {
        // Of Rust's runtime, when memory or the stack is at its end.
        (Some(6), _) => "too much memory, or nested too deep".to_owned(),
        (Some(signal), _) => format!("signal {signal}"),
        (None, Some(code)) => format!("exit code {code}"),
        (None, None) => "it ended without a word".to_owned(),
    };
    Refused::because(format!("the PDF reader gave up on it ({how})"))
}

fn document(output: &[u8], word: &str) -> Result<Extracted, Refused> {
    let mut text = Fragment::default();
    let (mut pages, mut lost) = (0usize, 0usize);
    for Frame { kind, body } in frames(output, word) {
        match kind {
            PAGE | LOST => {
                pages += 1;
                lost += usize::from(kind == LOST);
                let page = String::from_utf8_lossy(body);
                write_page(&mut text, pages, &page);
            }
            REFUSED => return Err(Refused::because(String::from_utf8_lossy(body))),
            _ => {}
        }
    }
    let s = |n| if n == 1 { "" } else { "s" };
    if text.lines == 0 {
        return Err(Refused::because(match lost {
            0 => "no text in it (scanned pages?)".to_owned(),
            n => format!("the PDF reader gave up on it ({n} of {pages} pages cannot be read, the others have no text)"),
        }));
    }
    let mut notes = vec![format!("the text of a PDF of {pages} page{}", s(pages))];
    if lost > 0 {
        notes.push(format!("{lost} page{} cannot be read", s(lost)));
    }
    Ok(text.finish(notes))
}

/// The lines of a page as they come, without blank ones at its ends and more than one on end.
fn write_page(text: &mut Fragment, number: usize, page: &str) {
    let first = text.lines;
    let mut marked = false;
    for line in page.lines().map(str::trim_end) {
        if line.is_empty() && (text.ends_blank() || text.lines == first) {
            continue;
        }
        if !marked {
            if !text.ends_blank() {
                text.line("", "");
            }
            text.mark(Mark::section(SectionKind::Page, &number.to_string(), 1));
            marked = true;
        }
        let clean: String = line.chars().filter(|&c| c == '\t' || !c.is_control()).collect();
        text.line("", &clean);
    }
    if !marked {
        text.mark(Mark::section(SectionKind::Page, &number.to_string(), 1));
    }
}

/// One thing that the worker says.
struct Frame<'a> {
    kind: &'a str,
    body: &'a [u8],
}

/// The frames among whatever else was printed: a line of word, kind and length, then so many bytes.
fn frames<'a>(output: &'a [u8], word: &'a str) -> impl Iterator<Item = Frame<'a>> {
    let mut rest = output;
    std::iter::from_fn(move || {
        while !rest.is_empty() {
            let end = rest.iter().position(|&b| b == b'\n').map_or(rest.len(), |end| end + 1);
            let (line, after) = rest.split_at(end);
            rest = after;
            let header = std::str::from_utf8(line)
                .ok()
                .map(|line| line.split_whitespace().collect::<Vec<_>>());
            if let Some([said, kind, length]) = header.as_deref()
                && *said == word
                && let Some((body, after)) = length.parse().ok().and_then(|length| rest.split_at_checked(length))
            {
                rest = after;
                return Some(Frame { kind, body });
            }
        }
        None
    })
}

#[cfg(test)]
#[path = "pdf_tests.rs"]
mod tests;
