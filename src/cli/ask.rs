//! `thunderhead ask`: questions in, answers out, for people and for programs.
//!
//! The answer goes to standard output, everything else to standard error, so that a pipe gets the answer alone. With
//! `--json` it is the event stream that the application reads, one object a line.

use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use signal_hook::consts::SIGINT;
use signal_hook::iterator::Signals;

use super::args::{AskArgs, ConversationArgs, Thinking};
use super::config::Sources;
use super::error::CliError;
use super::kept::{self, Kept, Reader};
use super::progress::Progress;
use crate::context::sanitize;
use crate::conversation::{Citation, Event, Handle, Request};
use crate::engine::{Drafts, Finished, StopReason};
use crate::session::{Header, Recorder};
use crate::trace::Channel;
use crate::tui::format;

/// So many left-out files are named; the rest is counted.
const SKIPPED_SHOWN: usize = 20;
const DIM: &str = "\x1b[2m";
const PLAIN: &str = "\x1b[0m";

pub(super) fn run(args: &AskArgs, sources: &Sources) -> Result<ExitCode, CliError> {
    let questions = questions(&args.prompt)?;
    let ConversationArgs { paths, resume, .. } = &args.conversation;
    let reader = if io::stdout().is_terminal() {
        Reader::Person
    } else {
        Reader::Program
    };
    let (kept, setup) = kept::prepare(paths, resume.as_deref(), sources, reader)?;
    let Kept {
        name,
        mut session,
        notices,
        ..
    } = kept;
    for notice in notices {
        writeln!(io::stderr(), "note: {}", sanitize(&notice))?;
    }
    let record = args
        .record
        .as_deref()
        .map(|path| Copied::new(path, name, args))
        .transpose()?;
    let (send, events) = channel();
    let handle = session.start(
        setup,
        Box::new(move |event| {
            let _ = send.send(event);
        }),
    );
    let outcome = converse(args, &questions, record, &handle, &events);
    let _ = handle.send(Request::Cancel);
    drop(handle);
    // What comes from now on is kept, and nobody else waits for it.
    drop(events);
    session.finish(false);
    outcome
}

fn converse(
    args: &AskArgs,
    questions: &[String],
    mut record: Option<Copied>,
    handle: &Handle,
    events: &Receiver<Event>,
) -> Result<ExitCode, CliError> {
    for question in questions {
        ask(handle, question)?;
    }
    let interrupted = cancel_on_interrupt(handle)?;

    let mut output = Output::new(args);
    let mut left = questions.len();
    let mut stage = Stage::Loading;
    for event in events {
        if let Some(record) = &mut record {
            record.event(&event)?;
        }
        output.show(&event)?;
        match &event {
            Event::Documents(_) => stage = Stage::Ready,
            Event::Question(_) => stage = Stage::Answering,
            Event::Finished(finished) => {
                if finished.reason == StopReason::Cancelled && interrupted.load(std::sync::atomic::Ordering::Relaxed) {
                    return Ok(ExitCode::from(128 + SIGINT as u8));
                }
                if stage == Stage::Answering {
                    left -= 1;
                    stage = Stage::Ready;
                }
            }
            Event::Failed { message } => {
                let message = message.clone();
                return Err(match stage {
                    Stage::Loading => CliError::Input(message),
                    Stage::Ready => CliError::Question(message),
                    Stage::Answering => CliError::Engine(message),
                });
            }
            _ => {}
        }
        if left == 0 {
            return Ok(ExitCode::SUCCESS);
        }
    }
    Err(CliError::Engine(
        "the conversation ended before the answer did".to_owned(),
    ))
}

/// The session in a file, as it goes.
struct Copied {
    path: PathBuf,
    began: Instant,
    recorder: Recorder<File>,
}

impl Copied {
    fn new(path: &Path, model: String, args: &AskArgs) -> Result<Self, CliError> {
        let paths: Vec<String> = args
            .conversation
            .paths
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        let header = Header::new(
            model,
            format!("recorded by `thunderhead ask` about {}", paths.join(" ")),
        );
        // What is there already is never written over.
        let recorder = File::create_new(path).and_then(|file| Recorder::new(file, &header));
        Ok(Self {
            recorder: recorder.map_err(|error| not_kept(path, &error))?,
            path: path.to_owned(),
            began: Instant::now(),
        })
    }

    fn event(&mut self, event: &Event) -> Result<(), CliError> {
        let kept = self.recorder.event(self.began.elapsed(), event);
        kept.map_err(|error| not_kept(&self.path, &error))
    }
}

fn not_kept(path: &Path, error: &io::Error) -> CliError {
    CliError::Engine(format!("the session cannot be kept in {}: {error}", path.display()))
}

/// What a failure would be a failure of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Loading,
    Ready,
    Answering,
}

/// The questions, with `-` replaced by what standard input holds.
fn questions(prompts: &[String]) -> Result<Vec<String>, CliError> {
    prompts
        .iter()
        .map(|prompt| {
            if prompt != "-" {
                return Ok(prompt.clone());
            }
            let mut text = String::new();
            io::stdin()
                .lock()
                .read_to_string(&mut text)
                .map_err(|e| CliError::Input(format!("the question cannot be read from standard input: {e}")))?;
            Ok(text.trim().to_owned())
        })
        .map(|question| match question {
            Ok(text) if text.trim().is_empty() => Err(CliError::Question("the question is empty".to_owned())),
            other => other,
        })
        .collect()
}

fn ask(handle: &Handle, question: &str) -> Result<(), CliError> {
    handle
        .send(Request::Ask(question.to_owned()))
        .map_err(|_| CliError::Engine("the conversation could not be started".to_owned()))
}

/// The first Ctrl-C cancels and keeps what was said; a second one ends the program at once.
fn cancel_on_interrupt(handle: &Handle) -> Result<std::sync::Arc<std::sync::atomic::AtomicBool>, CliError> {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    let interrupted = Arc::new(AtomicBool::new(false));
    // Registered first, so that it sees the flag before this signal raises it.
    signal_hook::flag::register_conditional_shutdown(SIGINT, 128 + SIGINT, interrupted.clone())?;
    let mut signals = Signals::new([SIGINT])?;
    let (handle, raised) = (handle.clone(), interrupted.clone());
    std::thread::spawn(move || {
        for _ in signals.forever() {
            raised.store(true, Ordering::Relaxed);
            if handle.send(Request::Cancel).is_err() {
                return;
            }
        }
    });
    Ok(interrupted)
}

struct Output {
    json: bool,
    show_thinking: bool,
    dim: bool,
    progress: Progress,
    /// Citations of the answer, printed after it.
    citations: Vec<Citation>,
    /// What was written last, to put line breaks between the two streams.
    last: Option<Channel>,
    at_line_start: bool,
}

impl Output {
    fn new(args: &AskArgs) -> Self {
        let terminal = io::stderr().is_terminal();
        Self {
            json: args.json,
            show_thinking: args.thinking == Thinking::Show,
            dim: terminal && super::colour(),
            progress: Progress::new(terminal && !args.json),
            citations: Vec::new(),
            last: None,
            at_line_start: true,
        }
    }

    fn show(&mut self, event: &Event) -> io::Result<()> {
        if self.json {
            let mut out = io::stdout().lock();
            serde_json::to_writer(&mut out, event)?;
            writeln!(out)?;
            return out.flush();
        }
        match event {
            Event::Loading(loading) => self.progress.loading(loading),
            Event::Prefill(prefill) => self.progress.prefill(prefill),
            Event::Documents(documents) => {
                self.progress.clear();
                let mut err = io::stderr().lock();
                for skipped in documents.skipped.iter().take(SKIPPED_SHOWN) {
                    writeln!(err, "skipped {}: {}", skipped.path, skipped.reason)?;
                }
                if documents.skipped.len() > SKIPPED_SHOWN {
                    let more = documents.skipped.len() - SKIPPED_SHOWN;
                    writeln!(err, "skipped {} more; --json lists them all", format::count(more))?;
                }
                for altered in &documents.notes {
                    writeln!(err, "note {}: {}", altered.path, altered.note)?;
                }
                writeln!(
                    err,
                    "{}, {}, {} of {} tokens",
                    format::counted(documents.files, "file"),
                    format::counted(documents.lines, "line"),
                    format::count(documents.tokens),
                    format::count(documents.context_limit)
                )?;
            }
            Event::Planned(_)
            | Event::PlanFailed { .. }
            | Event::Estimated(_)
            | Event::Continued { .. }
            | Event::ThinkingEnded { .. }
            | Event::Rewound { .. }
            | Event::Refused { .. } => {}
            Event::Kept { message, .. } => {
                self.progress.clear();
                writeln!(io::stderr(), "note: {message}")?;
            }
            Event::Question(question) => {
                if let Some(asked_as) = &question.asked_as {
                    self.progress.clear();
                    writeln!(io::stderr(), "asked as: {asked_as}")?;
                }
            }
            Event::Token(token) => {
                self.progress.clear();
                self.text(token.channel, &token.text)?;
            }
            Event::Citation(citation) => match citation.channel {
                Channel::Thinking => {}
                Channel::Answer => self.citations.push(citation.clone()),
            },
            Event::Finished(finished) => {
                self.progress.clear();
                if finished.reason != StopReason::Prefilled {
                    self.finish(finished)?;
                }
            }
            Event::Failed { .. } => self.progress.clear(),
        }
        Ok(())
    }

    fn text(&mut self, channel: Channel, text: &str) -> io::Result<()> {
        if channel == Channel::Thinking && !self.show_thinking {
            return Ok(());
        }
        if text.is_empty() {
            return Ok(());
        }
        if self.last.is_some_and(|last| last != channel) {
            self.end_line()?;
        }
        self.last = Some(channel);
        self.at_line_start = text.ends_with('\n');
        match channel {
            Channel::Thinking => {
                let mut err = io::stderr().lock();
                if self.dim {
                    write!(err, "{DIM}{text}{PLAIN}")?;
                } else {
                    write!(err, "{text}")?;
                }
                err.flush()
            }
            Channel::Answer => {
                let mut out = io::stdout().lock();
                write!(out, "{text}")?;
                out.flush()
            }
        }
    }

    /// Ends the line that was written last, on the stream it was written to.
    fn end_line(&mut self) -> io::Result<()> {
        if self.at_line_start {
            return Ok(());
        }
        self.at_line_start = true;
        match self.last {
            Some(Channel::Thinking) => writeln!(io::stderr()),
            Some(Channel::Answer) => writeln!(io::stdout()),
            None => Ok(()),
        }
    }

    fn finish(&mut self, finished: &Finished) -> io::Result<()> {
        self.end_line()?;
        self.last = None;
        let mut out = io::stdout().lock();
        for citation in self.citations.drain(..) {
            writeln!(out, "{}", crate::tui::citation_text(&citation))?;
        }
        out.flush()?;
        let Drafts {
            tiles,
            drafted,
            accepted,
        } = finished.drafts;
        if tiles > 0 {
            let tokens = format::count(finished.thinking_tokens + finished.answer_tokens);
            writeln!(
                io::stderr(),
                "{tokens} tokens; {} of {} drafted ones were accepted, {} evaluated with a draft",
                format::count(accepted),
                format::count(drafted),
                format::counted(tiles, "tile")
            )?;
        }
        let why = match finished.reason {
            StopReason::EndOfSequence | StopReason::Prefilled => return Ok(()),
            StopReason::MaxTokens => "stopped: --max-tokens is reached".to_owned(),
            StopReason::ContextFull => "stopped: the context is full".to_owned(),
            StopReason::Repetition { tokens } => {
                format!("stopped: the last {tokens} tokens were each certain (the model repeats itself)")
            }
            StopReason::Cancelled => "cancelled".to_owned(),
        };
        writeln!(io::stderr(), "{why}")
    }
}
