//! `thunderhead --plain`: the conversation as lines of text, for terminals that can do no more, for screen readers, and for
//! questions from a pipe.
//!
//! Nothing moves the cursor and nothing has a colour. What is written is answered in its order, also if it was written
//! while something ran; only Ctrl-C comes at once.

mod report;
mod wrap;

use std::collections::VecDeque;
use std::io::{self, BufRead, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use signal_hook::consts::SIGINT;
use signal_hook::iterator::Signals;

use self::report::Report;
use super::error::CliError;
use super::kept::Kept;
use crate::config::{Auto, Count, PlainThinking};
use crate::conversation::{Change, Event, Handle, Request, Setup};
use crate::engine::StopReason;
use crate::tui::words;

/// How long a first Ctrl-C is remembered.
const LEAVING: Duration = Duration::from_secs(2);
const COLUMNS: usize = 80;

const HELP: &str = "\
Write a question and Enter; a backslash at the end of a line goes on in the next.
/docs             the documents, and what was left out
/load PATH…       load files and folders besides
/unload NAME…     take documents out
/include NAME…    take in what was left out
/reload           read everything again
/thinking WORD    show, summary or hide
/help             this
/quit             leave
Ctrl-C cancels what runs; twice, it leaves.";

/// Something that happened.
enum Wake {
    Event(Event),
    Line(String),
    EndOfInput,
    Interrupt,
    ConversationEnded,
}

/// What is going on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Loading,
    Busy,
    Ready,
    /// A change to the documents is being worked out.
    Planning,
    /// Whether to make the planned change.
    Asking(u64),
}

struct Plain<W> {
    report: Report<W>,
    handle: Handle,
    state: State,
    /// What was written and is not done yet.
    queue: VecDeque<String>,
    /// A line that goes on.
    begun: String,
    /// Nothing more will be written.
    ended: bool,
    /// Somebody sits in front of it.
    interactive: bool,
    cancelling: bool,
    interrupted: Option<Instant>,
    /// What the last failure was.
    failure: Option<CliError>,
}

pub(super) fn run(kept: &mut Kept, mut setup: Setup, note: &str) -> Result<ExitCode, CliError> {
    let (settings, name) = (kept.config.clone(), kept.name.clone());
    // Nobody could agree to what it costs in between.
    setup.watch = false;
    let interactive = io::stdin().is_terminal();
    let columns = match settings.plain.width {
        Auto::Is(Count(columns)) => columns as usize,
        Auto::Auto => terminal_columns(),
    };
    let mut report = Report::new(io::stdout(), &settings.plain, columns);
    report.say(if note.is_empty() { &name } else { note })?;
    for notice in &kept.notices {
        report.say(notice)?;
    }
    recall(&mut report, kept)?;
    let (send, wakes) = channel();
    let sink = Ended(send.clone());
    let handle = kept.session.start(
        setup,
        Box::new(move |event| {
            let _ = sink.0.send(Wake::Event(event));
        }),
    );
    interrupts(send.clone())?;
    lines(send);
    let mut plain = Plain {
        report,
        handle,
        state: State::Loading,
        queue: VecDeque::new(),
        begun: String::new(),
        ended: false,
        interactive,
        cancelling: false,
        interrupted: None,
        failure: None,
    };
    for wake in wakes {
        if let Some(code) = plain.wake(wake)? {
            return match plain.failure.take() {
                Some(failure) if !interactive => Err(failure),
                _ => Ok(code),
            };
        }
    }
    Err(CliError::Engine("the conversation ended".to_owned()))
}

/// What was said before: the questions and the answers.
fn recall<W: Write>(report: &mut Report<W>, kept: &Kept) -> io::Result<()> {
    for event in &kept.opening {
        report.event(event)?;
        if let Event::Question(question) = event {
            report.say(&format!("> {}", question.text))?;
        }
    }
    for text in &kept.unanswered {
        report.say(&format!("This was sent and not answered: {text}"))?;
    }
    Ok(())
}

fn terminal_columns() -> usize {
    if !io::stdout().is_terminal() {
        return COLUMNS;
    }
    ratatui::crossterm::terminal::size().map_or(COLUMNS, |(columns, _)| usize::from(columns).max(1))
}

/// Tells that the conversation is gone.
struct Ended(Sender<Wake>);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.send(Wake::ConversationEnded);
    }
}

fn interrupts(send: Sender<Wake>) -> io::Result<()> {
    let mut signals = Signals::new([SIGINT])?;
    std::thread::spawn(move || {
        for _ in signals.forever() {
            if send.send(Wake::Interrupt).is_err() {
                return;
            }
        }
    });
    Ok(())
}

/// Reads standard input on a thread of its own; what is no UTF-8 in it is replaced.
fn lines(send: Sender<Wake>) {
    std::thread::spawn(move || {
        let mut input = io::stdin().lock();
        let mut line = Vec::new();
        loop {
            line.clear();
            match input.read_until(b'\n', &mut line) {
                Ok(0) | Err(_) => break,
                Ok(_) => {}
            }
            let text = String::from_utf8_lossy(&line);
            if send
                .send(Wake::Line(text.trim_end_matches(['\n', '\r']).to_owned()))
                .is_err()
            {
                return;
            }
        }
        let _ = send.send(Wake::EndOfInput);
    });
}

impl<W: Write> Plain<W> {
    /// Returns the exit code when it is over.
    fn wake(&mut self, wake: Wake) -> Result<Option<ExitCode>, CliError> {
        match wake {
            Wake::Event(event) => self.event(&event)?,
            Wake::Line(line) => self.line(&line),
            Wake::EndOfInput => {
                self.ended = true;
                let begun = std::mem::take(&mut self.begun);
                self.queue.extend(Some(begun).filter(|begun| !begun.is_empty()));
            }
            Wake::Interrupt => {
                if self.interrupt()? {
                    return Ok(Some(ExitCode::from(128 + SIGINT as u8)));
                }
            }
            Wake::ConversationEnded => return Err(CliError::Engine("the conversation ended".to_owned())),
        }
        self.go_on()
    }

    fn line(&mut self, line: &str) {
        if let Some(line) = line.strip_suffix('\\') {
            self.begun.push_str(line);
            self.begun.push('\n');
        } else {
            let whole = std::mem::take(&mut self.begun) + line;
            self.queue.push_back(whole);
        }
    }

    fn event(&mut self, event: &Event) -> Result<(), CliError> {
        self.report.event(event)?;
        let loading = self.state == State::Loading;
        match event {
            Event::Finished(finished) => {
                self.cancelling = false;
                self.state = State::Ready;
                if finished.reason != StopReason::Prefilled {
                    self.failure = None;
                    writeln!(self.report.out)?;
                }
                self.prompt()?;
            }
            Event::Failed { message } => {
                self.failure = Some(if loading {
                    CliError::Input(message.clone())
                } else {
                    CliError::Question(message.clone())
                });
                self.state = State::Ready;
                self.prompt()?;
            }
            Event::PlanFailed { message } => {
                self.failure = Some(CliError::Input(message.clone()));
                self.state = State::Ready;
                self.prompt()?;
            }
            Event::Planned(planned) => {
                let nothing = planned.added.is_empty() && planned.removed.is_empty() && planned.changed.is_empty();
                if nothing || planned.tokens >= planned.context_limit {
                    let why = if nothing {
                        "Nothing would change."
                    } else {
                        "It does not fit."
                    };
                    self.report.say(why)?;
                    self.send(Request::Discard(planned.id))?;
                    self.state = State::Ready;
                } else {
                    self.report
                        .say("Write y to make the change, n to leave everything as it is.")?;
                    self.state = State::Asking(planned.id);
                }
                self.prompt()?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether to leave.
    fn interrupt(&mut self) -> Result<bool, CliError> {
        let again = self.interrupted.is_some_and(|at| at.elapsed() < LEAVING);
        if again || self.cancelling {
            return Ok(true);
        }
        self.interrupted = Some(Instant::now());
        if matches!(self.state, State::Loading | State::Busy | State::Planning) {
            self.cancelling = true;
            self.send(Request::Cancel)?;
            self.report.say("Cancelling. Ctrl-C again leaves.")?;
        } else {
            self.begun.clear();
            self.report.say("Ctrl-C again leaves.")?;
        }
        Ok(false)
    }

    /// Does what was written, as long as nothing runs.
    fn go_on(&mut self) -> Result<Option<ExitCode>, CliError> {
        loop {
            let next = match self.state {
                State::Ready | State::Asking(_) => self.queue.pop_front(),
                State::Loading | State::Busy | State::Planning => return Ok(None),
            };
            let Some(line) = next else {
                return Ok(self.ended.then_some(ExitCode::SUCCESS));
            };
            let line = line.trim();
            // A pipe shows nothing of what came through it.
            if !self.interactive && !line.is_empty() {
                self.report.say(&format!("> {line}"))?;
            }
            if let State::Asking(id) = self.state {
                self.state = State::Ready;
                if matches!(line, "y" | "yes" | "Y") {
                    self.state = State::Busy;
                    self.send(Request::Apply(id))?;
                    continue;
                }
                self.send(Request::Discard(id))?;
                self.report.say("The documents stay as they are.")?;
                if matches!(line, "" | "n" | "no" | "N") {
                    self.prompt()?;
                    continue;
                }
            }
            match line.strip_prefix('/') {
                None if line.is_empty() => {}
                None => {
                    self.state = State::Busy;
                    self.send(Request::Ask(line.to_owned()))?;
                    continue;
                }
                Some("quit" | "exit") => return Ok(Some(ExitCode::SUCCESS)),
                Some(command) => self.command(command)?,
            }
            if self.state == State::Ready {
                self.prompt()?;
            }
        }
    }

    fn command(&mut self, command: &str) -> Result<(), CliError> {
        let (name, argument) = command.split_once(char::is_whitespace).unwrap_or((command, ""));
        let argument = argument.trim();
        match name {
            "help" => self.report.say(HELP)?,
            "docs" => self.report.list()?,
            "thinking" => match argument {
                "show" => self.report.set_thinking(PlainThinking::Show),
                "summary" => self.report.set_thinking(PlainThinking::Summary),
                "hide" => self.report.set_thinking(PlainThinking::Hide),
                _ => self
                    .report
                    .say("Error: expected show, summary or hide after /thinking")?,
            },
            "load" | "unload" | "include" | "reload" => self.plan(name, argument)?,
            _ => {
                let names = [
                    "help", "docs", "thinking", "load", "unload", "include", "reload", "quit",
                ];
                let meant = crate::config::did_you_mean(name, names);
                self.report
                    .say(&format!("Error: there is no command /{name}{meant} /help lists them."))?;
            }
        }
        Ok(())
    }

    fn plan(&mut self, name: &str, argument: &str) -> Result<(), CliError> {
        let names = match words::split(argument) {
            Ok(names) => names,
            Err(message) => return Ok(self.report.say(&format!("Error: {message}"))?),
        };
        if names.is_empty() != (name == "reload") {
            let expected = if name == "reload" {
                "nothing follows"
            } else {
                "a name has to follow"
            };
            return Ok(self.report.say(&format!("Error: {expected} /{name}"))?);
        }
        let mut change = Change::default();
        match name {
            "load" => change.load = names,
            "unload" => change.unload = names,
            "include" => change.include = names,
            _ => {}
        }
        self.state = State::Planning;
        self.send(Request::Plan(change))
    }

    fn send(&self, request: Request) -> Result<(), CliError> {
        let gone = |_| CliError::Engine("the conversation ended".to_owned());
        self.handle.send(request).map_err(gone)
    }

    fn prompt(&mut self) -> io::Result<()> {
        if self.interactive && self.queue.is_empty() && !self.ended {
            write!(self.report.out, "> ")?;
            self.report.out.flush()?;
        }
        Ok(())
    }
}
