//! The interactive application.
//!
//! [`run`] owns the terminal and is the only thread that draws. It waits for one message, takes all that have come,
//! hands them to `app::App`, a pure state machine, carries out the effects that this returns, and draws if something
//! changed, at most sixty times a second. It never waits for the conversation: requests go out and events come in by
//! channel, and when the application ends it just drops its end.
//!
//! Files, each with one idea: `inbox` (what wakes us), `reading` and `decode` (what the terminal sends), `terminal` (taking
//! it, drawing on it, giving it back), `editor` (lending it), `app` (state), `command` (all that can be done), `keymap` (by
//! which keys), `palette` (finding it), `transcript` (rows that
//! scroll), `links` (what in them leads to a document), `viewer` (an open document), `highlight` (its colours, on another
//! thread), `composer` (writing), `completion` (names in it), `documents` (their pane), `inspector` (the account of thinking), `activity` (what the engine does),
//! `view` (layout and drawing), `theme`, and below them `text` (cells), `words`, `wrap`, `format`.
//!
//! What must hold on the way from an event to the screen: only rows in view are looked at; a growing block is wrapped
//! from its last rows on; no control character of a document or of the model is written; nothing is drawn, and nobody
//! wakes up, while nothing changes.

mod abilities;
mod activity;
mod again;
mod app;
mod clipboard;
mod command;
mod compare;
mod completion;
mod composer;
mod decode;
mod documents;
mod editor;
mod export;
mod fences;
pub(crate) mod format;
mod highlight;
mod inbox;
mod inspector;
mod keymap;
mod links;
mod look;
mod markdown;
mod notify;
mod offscreen;
mod pace;
mod palette;
#[cfg(unix)]
mod reading;
mod search;
mod select;
mod sessions;
mod terminal;
pub(crate) mod text;
mod theme;
mod transcript;
mod view;
mod viewer;
pub(crate) mod words;
mod wrap;

use std::fmt;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use ratatui::crossterm::style::force_color_output;

use crate::config::Config;
use crate::conversation::{Event, Handle, Request, Sink};
use crate::session::store::Store;
use app::{App, Effect, Input, Setup};
use clipboard::{Copied, Surroundings};
use composer::store as written;
use editor::{Edited, Editing};
use highlight::{Highlighter, Wish};
use inbox::{Inbox, Message, Reading};
use look::Look;
use pace::{FRAME, Pace};
use sessions::News;
use terminal::Screen;
use theme::follow::Follower;
use theme::ground;

pub(crate) use transcript::citation_text;

pub use abilities::Abilities;
pub use inbox::at_home;
pub use keymap::Keymap;
pub use offscreen::Offscreen;
pub use theme::{Choice, Depth, Library, Theme, ThemeError};

/// The exit code of a process that a hangup ended.
const HANGUP: i32 = 129;

/// What the application is told at its start.
#[derive(Debug, Clone)]
pub struct Options {
    /// The model's name, for the status line.
    pub model: String,
    /// A sentence about the model, shown at the start; may be empty.
    pub note: String,
    /// What it runs on, for the status line; may be empty.
    pub placement: String,
    /// What is being loaded, in words; may be empty.
    pub paths: String,
    /// What the person has set.
    pub settings: Config,
    /// Counts the tokens of what is pasted, on a thread of its own.
    pub count: Option<Counter>,
    /// What was said before, and is there from the first frame on.
    pub opening: Vec<Event>,
    /// That was live, and is gone on with.
    pub goes_on: bool,
    /// What was sent then and not answered.
    pub unanswered: Vec<String>,
    /// What a person should know before it begins.
    pub notices: Vec<String>,
    /// Where sessions are.
    pub store: Option<Store>,
    /// The name of the one that the conversation is kept in.
    pub session: Option<String>,
    /// The folder and the paths that another session may have been about, which is offered then.
    pub offer: Option<(String, Vec<String>)>,
    /// The words of the command line that opens the same again, the program's name first; none if nothing does.
    pub again: Vec<String>,
}

/// Counts the tokens of a text.
#[derive(Clone)]
pub struct Counter(Arc<dyn Fn(&str) -> usize + Send + Sync>);

impl Counter {
    pub fn new(count: impl Fn(&str) -> usize + Send + Sync + 'static) -> Self {
        Self(Arc::new(count))
    }
}

impl fmt::Debug for Counter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Counter")
    }
}

/// How the application ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// 0 if the person left; 128 + n if signal n ended it.
    pub code: i32,
    /// The session that the person wants to go on with.
    pub next: Option<Next>,
}

impl Outcome {
    fn with(code: i32) -> Self {
        Self { code, next: None }
    }
}

/// What is to be opened next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// A session that there is.
    Resume(String),
    /// One that parts from the session that was open, after this turn.
    Fork(usize),
}

/// Why the application could not run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the terminal failed: {0}")]
    Terminal(#[from] io::Error),
    #[error(transparent)]
    Theme(#[from] ThemeError),
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Keys(Vec<crate::config::Problem>),
}

/// Runs the application until the person leaves it or a signal ends it.
///
/// `start` gets the place where the conversation's events go and returns the conversation; it is called after the first
/// frame and should return at once, leaving the work to a thread of its own. The last answer is printed to the normal
/// screen at the end.
///
/// # Errors
/// If the theme is wrong, or the terminal cannot be used.
pub fn run(options: Options, start: impl FnOnce(Sink) -> Handle) -> Result<Outcome, Error> {
    let (keymap, problems) = Keymap::with(&options.settings.keys);
    if !problems.is_empty() {
        return Err(Error::Keys(problems));
    }
    let inbox = Inbox::new();
    let mut follower = Follower::new(Library::of_person(environment), inbox.sender.clone());
    let look = Look::new(&options.settings, &mut follower)?;
    // What the theme has is written, whatever else the environment says.
    force_color_output(look.depth != Depth::None);
    let _signals = inbox.catch_signals()?;
    let mut screen = Screen::take(options.settings.ui.mouse, options.settings.ui.title)?;
    let sender = inbox.sender.clone();
    let guard = screen.guard_panics(move |message| {
        let _ = sender.send(Message::Panicked(message));
    });
    let setup = Setup {
        model: options.model,
        note: options.note,
        placement: options.placement,
        paths: options.paths,
        theme: look.theme,
        grounds: look.grounds,
        depth: look.depth,
        settings: options.settings,
        keymap,
        counts: options.count.is_some(),
        session: options.session,
        debug: std::env::var_os("THUNDERHEAD_DEBUG").is_some_and(|value| value == "1"),
    };
    let mut app = App::new(setup, screen.size());
    if options.goes_on {
        app.go_on(options.opening, options.unanswered, options.notices);
    } else {
        app.recall(options.opening);
        app.go_on(Vec::new(), options.unanswered, options.notices);
    }
    if let (Some(store), Some((folder, paths))) = (&options.store, options.offer) {
        inbox.offer(store.clone(), folder, paths)?;
    }
    let history = if app.keeps_history() {
        start_history(&inbox)
    } else {
        None
    };
    let ended = drive(
        &mut app,
        &mut screen,
        &inbox,
        &mut follower,
        look.ask,
        Aside {
            history: history.as_ref(),
            count: options.count.as_ref(),
            store: options.store.as_ref(),
        },
        start,
    );
    let left = screen.leave();
    drop(guard);
    // However it ended, and be the terminal gone: what was being written is not lost.
    if let Some(history) = history {
        app.unsent().into_iter().for_each(|draft| history.remember(draft));
        history.keep_draft(String::new());
        history.finish();
    }
    left?;
    let outcome = ended?;
    if outcome.next.is_some() {
        return Ok(outcome);
    }
    if let Some(answer) = app.last_answer() {
        writeln!(io::stdout(), "{answer}")?;
    }
    if let Some(command) = again::command(&options.again, app.changes()) {
        writeln!(io::stdout(), "\nto open the same documents again: {command}")?;
    }
    Ok(outcome)
}

fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The file of what was written, read and written by a thread of its own.
fn start_history(inbox: &Inbox) -> Option<written::Store> {
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let path = written::default_path(variable, std::env::home_dir())?;
    let sender = inbox.sender.clone();
    let tell = move |told| drop(sender.send(Message::Input(Input::History(told))));
    written::Store::start(path, tell).ok()
}

/// What is done aside, on threads of their own.
#[derive(Clone, Copy)]
struct Aside<'a> {
    history: Option<&'a written::Store>,
    count: Option<&'a Counter>,
    store: Option<&'a Store>,
}

/// The loop. Ends with how the application ended.
fn drive(
    app: &mut App,
    screen: &mut Screen<impl Write>,
    inbox: &Inbox,
    follower: &mut Follower,
    ask: bool,
    aside: Aside<'_>,
    start: impl FnOnce(Sink) -> Handle,
) -> Result<Outcome, Error> {
    let began = Instant::now();
    screen.set_title(&app.title());
    screen.draw(|area, buf| app.draw(area, buf))?;
    if ask {
        screen.send(ground::ASK)?;
    }
    let mut pace = Pace::new();
    pace.drawn(began.elapsed());
    // Something was done by the person since the last frame.
    let mut urgent = false;
    let mut reading = inbox.read_terminal(ask)?;
    // The editor has the terminal: nothing is drawn, and what was typed before it came is not meant for us.
    let mut lent = false;
    let handle = start(inbox.sink());
    let mut failure = None;
    let mut highlighter = None;
    loop {
        let wake = if app.is_dirty() && !lent {
            Some(Instant::now() + pace.wait(began.elapsed(), urgent))
        } else {
            app.next_tick().map(|tick| began + tick)
        };
        let mut message = if app.is_working() {
            app.work();
            inbox.receiver.try_recv().ok()
        } else {
            match wake.map(|wake| wake.saturating_duration_since(Instant::now())) {
                None => inbox.receiver.recv().ok(),
                Some(wait) => inbox.receiver.recv_timeout(wait).ok(),
            }
        };
        if message.is_none() && (lent || !app.is_dirty()) {
            message = Some(Message::Input(Input::Tick));
        }
        let deadline = Instant::now() + FRAME / 2;
        while let Some(next) = message {
            let mut came = began.elapsed();
            let input = match next {
                Message::Signal(signal) if lent && inbox::is_from_keyboard(signal) => Input::Tick,
                Message::Signal(signal) => return Ok(Outcome::with(128 + signal)),
                Message::Continued | Message::Typed(..) if lent => Input::Tick,
                Message::Typed(at, input) => {
                    came = at.saturating_duration_since(began);
                    input
                }
                Message::Continued => {
                    screen.take_again()?;
                    Input::Resize(screen.size())
                }
                Message::Edited(edited) => {
                    lent = false;
                    screen.take_again()?;
                    reading.go_on()?;
                    app.handle(began.elapsed(), Input::Resize(screen.size()));
                    Input::Edited(edited)
                }
                Message::InputEnded => return Ok(Outcome::with(HANGUP)),
                Message::Panicked(reason) => {
                    failure = Some(reason);
                    message = inbox.receiver.try_recv().ok();
                    continue;
                }
                Message::Input(input) => input,
                Message::ConversationEnded => Input::ConversationEnded(failure.take()),
            };
            urgent |= input.is_done_by_a_person();
            if let Input::Resize(size) = input {
                screen.resize(size);
            }
            for effect in app.handle(came, input) {
                match effect {
                    Effect::Highlight(wish) => {
                        ask_for_colours(&mut highlighter, inbox, wish);
                        continue;
                    }
                    Effect::LoadTheme(name) => {
                        let theme = follower.load(&name).map_err(|error| error.to_string());
                        app.handle(began.elapsed(), Input::ThemeLoaded(theme));
                        continue;
                    }
                    Effect::ListThemes => {
                        app.handle(began.elapsed(), Input::ThemesListed(follower.choices()));
                        continue;
                    }
                    Effect::NameThemes => {
                        app.handle(began.elapsed(), Input::ThemesNamed(follower.names()));
                        continue;
                    }
                    Effect::Edit(editing) => {
                        lent = lend(editing, &mut reading, screen, inbox)?;
                        continue;
                    }
                    Effect::Remember(text) => {
                        if let Some(history) = aside.history {
                            history.remember(text);
                        }
                        continue;
                    }
                    Effect::KeepDraft(text) => {
                        if let Some(history) = aside.history {
                            history.keep_draft(text);
                        }
                        continue;
                    }
                    Effect::Count(pasted) => {
                        if let Some(count) = aside.count {
                            inbox.count(count.clone(), pasted)?;
                        }
                        continue;
                    }
                    _ => {}
                }
                if let Some(outcome) = carry_out(effect, app, screen, &handle, inbox, aside.store, began)? {
                    return Ok(outcome);
                }
            }
            let late = Instant::now() >= deadline;
            message = if late { None } else { inbox.receiver.try_recv().ok() };
        }
        if !lent && app.is_dirty() && pace.wait(began.elapsed(), urgent).is_zero() {
            screen.shape_cursor(app.cursor_shape())?;
            screen.set_title(&app.title());
            screen.draw(|area, buf| app.draw(area, buf))?;
            pace.drawn(began.elapsed());
            urgent = false;
        }
    }
}

/// The thread that colours is started when it is needed first. Without it everything stays plain.
fn ask_for_colours(highlighter: &mut Option<Highlighter>, inbox: &Inbox, wish: Wish) {
    if highlighter.is_none() {
        let sender = inbox.sender.clone();
        *highlighter = Highlighter::start(move |highlighted| {
            let _ = sender.send(Message::Input(Input::Highlighted(highlighted)));
        })
        .ok();
    }
    if let Some(highlighter) = highlighter {
        highlighter.ask(wish);
    }
}

/// Gives the terminal to the editor; whether it has it.
fn lend(
    editing: Editing,
    reading: &mut Reading,
    screen: &mut Screen<impl Write>,
    inbox: &Inbox,
) -> Result<bool, Error> {
    let purpose = editing.purpose.clone();
    if let Err(error) = reading.pause() {
        let text = Err(error.to_string());
        let _ = inbox
            .sender
            .send(Message::Input(Input::Edited(Edited { purpose, text })));
        return Ok(false);
    }
    screen.leave()?;
    if let Err(error) = inbox.edit(editing) {
        let text = Err(error.to_string());
        let _ = inbox.sender.send(Message::Edited(Edited { purpose, text }));
    }
    Ok(true)
}

/// Does what the application asked for; returns the outcome if it is over.
fn carry_out(
    effect: Effect,
    app: &mut App,
    screen: &mut Screen<impl Write>,
    handle: &Handle,
    inbox: &Inbox,
    store: Option<&Store>,
    began: Instant,
) -> Result<Option<Outcome>, Error> {
    // A conversation that has ended says so by itself; what is sent to it then is lost with it.
    match effect {
        Effect::Ask(question) => drop(handle.send(Request::Ask(question))),
        Effect::Cancel => drop(handle.send(Request::Cancel)),
        Effect::AnswerNow => drop(handle.send(Request::Answer)),
        Effect::Estimate(revision) => drop(handle.send(Request::Estimate(revision))),
        Effect::Rewind(turn) => drop(handle.send(Request::Rewind(turn))),
        Effect::Title(title) => drop(handle.send(Request::Title(title))),
        Effect::Tags(tags) => drop(handle.send(Request::Tags(tags))),
        Effect::Sessions(task) => {
            if let Some(store) = store {
                inbox.sessions(store.clone(), task)?;
            } else {
                let none = News::Failed("there is no folder for sessions".to_owned());
                app.handle(began.elapsed(), Input::Sessions(none));
            }
        }
        Effect::Fork(turn) => return Ok(Some(leave_for(Next::Fork(turn), handle))),
        Effect::Resume(name) => match store.map(|store| store.find(&name)) {
            Some(Ok(name)) => return Ok(Some(leave_for(Next::Resume(name), handle))),
            Some(Err(error)) => {
                app.handle(began.elapsed(), Input::Sessions(News::Failed(error.to_string())));
            }
            None => {
                let none = News::Failed("there is no folder for sessions".to_owned());
                app.handle(began.elapsed(), Input::Sessions(none));
            }
        },
        Effect::Revise(revision) => drop(handle.send(Request::Revise(revision))),
        Effect::Continue => drop(handle.send(Request::Continue)),
        Effect::Plan(mut change) => {
            for path in &mut change.load {
                *path = at_home(path);
            }
            drop(handle.send(Request::Plan(change)));
        }
        Effect::Apply(id) => drop(handle.send(Request::Apply(id))),
        Effect::Discard(id) => drop(handle.send(Request::Discard(id))),
        Effect::ListFolder(path) => inbox.list_folder(path)?,
        Effect::Copy(text) => {
            let programs = Surroundings::of_process().programs();
            if programs.is_empty() {
                send_copy(&text, app, screen, began)?;
            } else {
                inbox.copy(programs, text)?;
            }
        }
        Effect::SendCopy(text) => send_copy(&text, app, screen, began)?,
        Effect::Notify(notification) => {
            let method = notify::Method::new(app.setup.settings.notify.method, environment);
            let sequence = method.sequence(&notification);
            let sequence = if method.is_for_terminal() {
                Surroundings::of_process().passed(sequence)
            } else {
                sequence
            };
            screen.send(&sequence)?;
        }
        Effect::CaptureMouse(capture) => screen.capture_mouse(capture)?,
        Effect::Write(writing) => inbox.write(writing)?,
        Effect::Redraw => screen.redraw(),
        Effect::Suspend => {
            screen.leave()?;
            inbox::suspend()?;
            screen.take_again()?;
            app.handle(began.elapsed(), Input::Resize(screen.size()));
        }
        // The loop has done it.
        Effect::Highlight(_)
        | Effect::Edit(_)
        | Effect::LoadTheme(_)
        | Effect::ListThemes
        | Effect::NameThemes
        | Effect::Remember(_)
        | Effect::KeepDraft(_)
        | Effect::Count(_) => {}
        Effect::Quit => {
            drop(handle.send(Request::Cancel));
            return Ok(Some(Outcome::with(0)));
        }
        Effect::Panic => panic!("asked to fail by /panic"),
    }
    Ok(None)
}

/// Leaves one session for another.
fn leave_for(next: Next, handle: &Handle) -> Outcome {
    drop(handle.send(Request::Cancel));
    Outcome {
        code: 0,
        next: Some(next),
    }
}

/// Asks the terminal to take what is copied.
fn send_copy(text: &str, app: &mut App, screen: &mut Screen<impl Write>, began: Instant) -> io::Result<()> {
    let copied = match Surroundings::of_process().sequence(text) {
        Ok(bytes) => {
            screen.send(&bytes)?;
            Copied::sent(text)
        }
        Err(too_long) => too_long,
    };
    app.handle(began.elapsed(), Input::Copied(copied));
    Ok(())
}
