//! The process that reads one PDF: bytes in, frames of text out.
//!
//! It may end in any way at any time; only a frame that says so is the end of a result. It limits itself, so that it is
//! gone even where nobody is left to kill it.

use std::io::{self, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{self, ExitCode};
use std::thread;
use std::time::Duration;

use pdf_extract::{Document, MediaBox, OutputDev, OutputError, Transform};

/// The hidden subcommand by which this program runs itself.
pub(crate) const SUBCOMMAND: &str = "extract-pdf";
/// Kinds of frames: a page's text; a page that cannot be read; why there is no text; the end.
pub(super) const PAGE: &str = "page";
pub(super) const LOST: &str = "lost";
pub(super) const REFUSED: &str = "refused";
pub(super) const ENDED: &str = "end";

/// Deep, for parsers that recurse; they are stopped by its end.
const STACK: usize = 64 << 20;
/// Bytes of one page's text.
const LONGEST_PAGE: usize = 16 << 20;
/// In sizes of the font: base lines so far apart are another line, or another paragraph; so far apart, they are if it
/// also goes back to the left (an index goes on to the right); a gap so wide is a space.
const NEW_LINE: f64 = 1.5;
const NEW_PARAGRAPH: f64 = 2.0;
const LOWERED: f64 = 0.5;
const SPACE: f64 = 0.1;
/// The exit code when the time is up.
const OUT_OF_TIME: i32 = 3;

/// Reads a PDF from standard input and writes what it says to standard output, in frames headed by `word`. Ends by itself
/// after `seconds`; `memory` is in bytes, and heeded on Unix.
pub(crate) fn main(word: &str, seconds: u64, memory: u64) -> ExitCode {
    limit(memory);
    std::panic::set_hook(Box::new(|_| {}));
    thread::spawn(move || {
        thread::sleep(Duration::from_secs(seconds.saturating_add(1)));
        process::exit(OUT_OF_TIME);
    });
    let word = word.to_owned();
    let reader = thread::Builder::new().stack_size(STACK).spawn(move || {
        let mut bytes = Vec::new();
        io::stdin().lock().read_to_end(&mut bytes)?;
        let frame = |kind: &str, body: &str| {
            let mut out = io::stdout().lock();
            write!(out, "\n{word} {kind} {}\n{body}", body.len())?;
            out.flush()
        };
        match document(&bytes) {
            Ok(document) => pages(&document, &frame)?,
            Err(reason) => frame(REFUSED, &reason)?,
        }
        frame(ENDED, "")
    });
    match reader.map(thread::JoinHandle::join) {
        Ok(Ok(Ok(()))) => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

fn limit(memory: u64) {
    #[cfg(unix)]
    {
        // Where the system does not know these limits, the parent's clock still holds.
        let _ = rlimit::setrlimit(rlimit::Resource::AS, memory, memory);
        let _ = rlimit::setrlimit(rlimit::Resource::CORE, 0, 0);
    }
    #[cfg(not(unix))]
    let _ = memory;
}

fn document(bytes: &[u8]) -> Result<Document, String> {
    let encrypted = || "encrypted with a password".to_owned();
    let read = || {
        let mut document = Document::load_mem(bytes).map_err(|e| match e {
            pdf_extract::Error::Decryption(_) | pdf_extract::Error::InvalidPassword => encrypted(),
            e => format!("a damaged PDF: {e}"),
        })?;
        // Many are encrypted with no password, to forbid printing or copying.
        if document.is_encrypted() && document.decrypt("").is_err() {
            return Err(encrypted());
        }
        if document.get_pages().is_empty() {
            return Err("a damaged PDF: it has no pages".to_owned());
        }
        Ok(document)
    };
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| Err("the PDF reader gave up on it (panic)".to_owned()))
}

/// Says the text of each page. All are read in one go; only behind one that cannot be read, each is read by itself,
/// which takes longer.
fn pages(document: &Document, frame: Say<'_>) -> io::Result<()> {
    let mut device = Device::new(frame);
    let all = catch_unwind(AssertUnwindSafe(|| pdf_extract::output_doc(document, &mut device)));
    if matches!(all, Ok(Ok(()))) {
        return Ok(());
    }
    let finished = device.finished;
    for (index, number) in document.get_pages().into_keys().enumerate().skip(finished) {
        let mut device = Device::new(frame);
        // The first of these is the one that failed.
        let read = || pdf_extract::output_doc_page(document, &mut device, number);
        if index == finished || !matches!(catch_unwind(AssertUnwindSafe(read)), Ok(Ok(()))) {
            frame(LOST, "")?;
        }
    }
    Ok(())
}

type Say<'a> = &'a dyn Fn(&str, &str) -> io::Result<()>;

/// Puts characters in the places where they are drawn together to lines.
struct Device<'a> {
    page: String,
    /// Where the last character ends, and its base line.
    last: Option<(f64, f64)>,
    /// The next character is the first of those that are drawn in one go.
    first: bool,
    /// Pages that have been said.
    finished: usize,
    frame: Say<'a>,
}

impl<'a> Device<'a> {
    fn new(frame: Say<'a>) -> Self {
        Self {
            page: String::new(),
            last: None,
            first: false,
            finished: 0,
            frame,
        }
    }
}

type ArtBox = (f64, f64, f64, f64);

impl OutputDev for Device<'_> {
    fn begin_page(&mut self, _number: u32, _box: &MediaBox, _art: Option<ArtBox>) -> Result<(), OutputError> {
        self.page.clear();
        self.last = None;
        Ok(())
    }

    fn end_page(&mut self) -> Result<(), OutputError> {
        (self.frame)(PAGE, &self.page).map_err(OutputError::IoError)?;
        self.finished += 1;
        Ok(())
    }

    fn output_character(
        &mut self,
        place: &Transform,
        width: f64,
        _spacing: f64,
        font_size: f64,
        text: &str,
    ) -> Result<(), OutputError> {
        // The size of an em on the page, however the text is turned.
        let size = (place.m11 * place.m22 - place.m12 * place.m21).abs().sqrt() * font_size.abs();
        let (x, y) = (place.m31, place.m32);
        if let Some((end, base)) = self.last.filter(|_| self.first) {
            let fall = (y - base).abs() / size;
            let gap = (x - end) / size;
            if fall > NEW_LINE || (fall > LOWERED && gap < 0.0) {
                self.page.push_str(if fall > NEW_PARAGRAPH { "\n\n" } else { "\n" });
            } else if gap > SPACE && !self.page.ends_with(char::is_whitespace) {
                self.page.push(' ');
            }
        }
        if self.page.len() + text.len() > LONGEST_PAGE {
            return Err(OutputError::FormatError(std::fmt::Error));
        }
        self.page.push_str(text);
        self.first = false;
        self.last = Some((x + width * size, y));
        Ok(())
    }

    fn begin_word(&mut self) -> Result<(), OutputError> {
        self.first = true;
        Ok(())
    }

    fn end_word(&mut self) -> Result<(), OutputError> {
        Ok(())
    }

    fn end_line(&mut self) -> Result<(), OutputError> {
        Ok(())
    }
}
