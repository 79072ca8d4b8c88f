//! A conversation that is kept as it goes.
//!
//! The log stands between the conversation and whoever listens to it, on a thread of its own: an event is written before it
//! is passed on, and what a person sends is written before the conversation gets it. What stops the conversation goes around the
//! log, so that a disk that hangs keeps nobody from cancelling. Syncing is done by another thread, at the end of a turn and
//! while a reply is written.
//!
//! If there is no room on the disk, everything waits: no token is decoded, events are held, and what is sent is held, until it can
//! be written. If the log cannot be written for another reason, the conversation goes on without it, and says so.

use std::collections::VecDeque;
use std::io;
use std::mem;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::journal::Syncer;
use super::rest::{Left, Rest};
use super::{Open, now};
use crate::conversation::{Cause, Change, Event, Handle, KeptState, Request, Sink};
use crate::engine::StopReason;
use crate::session::note::{Note, Sent};
use crate::session::past::{changed_since, documents_of};
use crate::session::write::Recorder;

/// How often things are done.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// What was written is on the disk after this time, and what it takes to sync.
    pub sync: Duration,
    /// Between two attempts to write where there was no room.
    pub retry: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            sync: Duration::from_millis(1500),
            retry: Duration::from_millis(500),
        }
    }
}

enum Job {
    Request(Request),
    Event(Box<Event>),
    /// The conversation is gone; the front end is.
    Ended,
    HungUp,
    /// What runs is to be stopped, and the session closed.
    Close,
    Synced(u64, io::Result<()>),
}

/// What has to be written before something else happens.
struct Step {
    lines: Vec<u8>,
    then: Then,
}

enum Then {
    Tell(Box<Event>),
    Send(Request),
    Nothing,
}

/// The end of it, for whoever waits until everything is written.
#[derive(Debug)]
pub struct Keeper {
    pub name: String,
    jobs: Sender<Job>,
    done: Receiver<Left>,
}

impl Keeper {
    /// Waits until everything is written and synced, and the session closed; not for ever, for a disk may hang, and not for room.
    #[must_use]
    pub fn finish(self, patience: Duration) -> Left {
        let _ = self.jobs.send(Job::Close);
        match self.done.recv_timeout(patience) {
            Ok(left) => left,
            Err(RecvTimeoutError::Timeout) => {
                Left::Lost("the disk takes too long: the last of the session may not be on it".to_owned())
            }
            Err(RecvTimeoutError::Disconnected) => Left::Lost("keeping the session failed".to_owned()),
        }
    }
}

/// Starts a conversation that is kept in a session.
pub fn keep(open: Open, sink: Sink, pace: Pace, start: impl FnOnce(Sink) -> Handle) -> (Handle, Keeper) {
    let (jobs, work) = channel();
    let (requests, incoming) = channel();
    let (ended, done) = channel();
    let name = open.name.clone();
    let guard = Guard(jobs.clone());
    let inner = start(Box::new(move |event| {
        let _ = guard.0.send(Job::Event(Box::new(event)));
    }));
    let direct = inner.clone();
    let forward = jobs.clone();
    thread::spawn(move || forward_requests(incoming, &direct, &forward));
    let syncing = Syncing::start(open.journal.syncer(), jobs.clone());
    let log = Log {
        open,
        sink,
        inner: Some(inner),
        pace,
        began: Instant::now(),
        syncing,
        sync_began: None,
        last_sync: Instant::now(),
        wants_sync: true,
        held: VecDeque::new(),
        waiting: None,
        lost: None,
        closing: false,
        in_turn: false,
        asked: None,
        planned: None,
        resumed: false,
        asked_now: false,
    };
    thread::spawn(move || {
        let _ = ended.send(log.run(&work));
    });
    (Handle::new(requests), Keeper { name, jobs, done })
}

struct Guard(Sender<Job>);

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.send(Job::Ended);
    }
}

/// What stops something is passed on at once, the rest in its order with what is written.
fn forward_requests(incoming: Receiver<Request>, direct: &Handle, jobs: &Sender<Job>) {
    for request in incoming {
        match request {
            Request::Cancel | Request::Answer | Request::Discard(_) => drop(direct.send(request)),
            request => drop(jobs.send(Job::Request(request))),
        }
    }
    let _ = jobs.send(Job::HungUp);
}

/// The thread that syncs.
struct Syncing(Sender<u64>);

impl Syncing {
    fn start(mut syncer: Syncer, jobs: Sender<Job>) -> Self {
        let (wanted, lengths) = channel();
        thread::spawn(move || {
            for length in lengths {
                if jobs.send(Job::Synced(length, syncer())).is_err() {
                    return;
                }
            }
        });
        Self(wanted)
    }
}

struct Log {
    open: Open,
    sink: Sink,
    /// The conversation; gone when nobody asks any more.
    inner: Option<Handle>,
    pace: Pace,
    began: Instant,
    syncing: Syncing,
    /// When the sync began that is under way.
    sync_began: Option<Instant>,
    last_sync: Instant,
    /// Something was written that is to be on the disk as soon as can be.
    wants_sync: bool,
    /// What waits for room, in its order.
    held: VecDeque<Step>,
    /// There is no room, which has been told; when it is tried again.
    waiting: Option<Instant>,
    /// Nothing is written any more, for this reason.
    lost: Option<String>,
    closing: bool,
    /// A question is being answered.
    in_turn: bool,
    /// The change that is being worked out, and the one that can be made.
    asked: Option<Change>,
    planned: Option<(u64, Change)>,
    /// The documents have been compared with those that the session was about.
    resumed: bool,
    /// Something was asked in this run.
    asked_now: bool,
}

impl Log {
    fn run(mut self, jobs: &Receiver<Job>) -> Left {
        loop {
            self.start_sync();
            let job = match self.wake() {
                None => jobs.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(at) => jobs.recv_timeout(at.saturating_duration_since(Instant::now())),
            };
            match job {
                Ok(Job::Event(event)) => {
                    self.event(*event);
                    if self.closing && !self.in_turn {
                        break;
                    }
                }
                Ok(Job::Request(request)) => self.request(request),
                Ok(Job::Synced(length, outcome)) => self.synced(length, outcome),
                Ok(Job::HungUp) => {
                    self.closing = true;
                    self.inner = None;
                }
                Ok(Job::Close) => {
                    self.closing = true;
                    match self.inner.take().filter(|_| self.in_turn) {
                        Some(inner) => drop(inner.send(Request::Cancel)),
                        None => break,
                    }
                }
                Ok(Job::Ended) | Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => self.retry(),
            }
        }
        self.finish(jobs)
    }

    /// When there is something to do without a job.
    fn wake(&self) -> Option<Instant> {
        if self.waiting.is_some() {
            return self.waiting;
        }
        let is_due = self.sync_began.is_none() && self.lost.is_none() && self.open.journal.unsynced().is_some();
        is_due.then(|| self.last_sync + self.pace.sync)
    }

    fn start_sync(&mut self) {
        if self.sync_began.is_some() || self.waiting.is_some() || self.lost.is_some() {
            return;
        }
        let Some(length) = self.open.journal.unsynced() else {
            return;
        };
        if self.wants_sync || self.last_sync.elapsed() >= self.pace.sync {
            self.wants_sync = false;
            self.sync_began = Some(Instant::now());
            let _ = self.syncing.0.send(length);
        }
    }

    fn synced(&mut self, length: u64, outcome: io::Result<()>) {
        self.last_sync = self.sync_began.take().unwrap_or_else(Instant::now);
        if let Err(error) = self.open.journal.synced(length, outcome) {
            self.failed(&error);
        }
    }

    fn at(&self) -> Duration {
        self.open.clock + self.began.elapsed()
    }

    fn lines(&self, write: impl FnOnce(&mut Recorder<Vec<u8>>, Duration) -> io::Result<()>) -> Vec<u8> {
        let mut recorder = Recorder::resumed(Vec::new());
        // Memory can be written to.
        let _ = write(&mut recorder, self.at()).and_then(|()| recorder.flush());
        mem::take(recorder.out())
    }

    fn note(&self, note: &Note) -> Vec<u8> {
        self.lines(|recorder, at| recorder.note(at, note))
    }

    fn event(&mut self, event: Event) {
        if let Event::Planned(planned) = &event {
            let change = self.asked.take_if(|_| planned.cause == Cause::Asked);
            self.planned = change.map(|change| (planned.id, change));
        }
        let is_end = match &event {
            Event::Finished(finished) => finished.reason != StopReason::Prefilled,
            Event::Failed { .. } => true,
            _ => false,
        };
        self.in_turn |= matches!(event, Event::Question(_) | Event::Continued { .. });
        self.in_turn &= !is_end;
        let lines = self.lines(|recorder, at| recorder.event(at, &event));
        let (packed, told) = match &event {
            Event::Documents(documents) => self.documents(&documents_of(&documents.pack)),
            _ => (Vec::new(), None),
        };
        self.step(Step {
            lines,
            then: Then::Tell(Box::new(event)),
        });
        if !packed.is_empty() {
            let then = told.map_or(Then::Nothing, |message| {
                Then::Tell(Box::new(Event::Kept {
                    state: KeptState::Told,
                    message,
                }))
            });
            self.step(Step { lines: packed, then });
        }
        self.wants_sync |= is_end;
    }

    /// What is to be written of documents, and told if they are not what they were when the session was left.
    fn documents(&mut self, packed: &[crate::session::Packed]) -> (Vec<u8>, Option<String>) {
        let before = &self.open.past.documents;
        let is_known = |document: &&crate::session::Packed| before.get(&document.path) == Some(*document);
        let documents: Vec<_> = packed.iter().filter(|document| !is_known(document)).cloned().collect();
        let here: std::collections::HashSet<&str> = packed.iter().map(|document| &*document.path).collect();
        let gone: Vec<_> = before.keys().filter(|path| !here.contains(&***path)).cloned().collect();
        let told =
            (!mem::replace(&mut self.resumed, true) && !before.is_empty()).then(|| changed_since(before, packed));
        if documents.is_empty() && gone.is_empty() {
            return (Vec::new(), None);
        }
        let note = Note::Packed { documents, gone };
        self.open.past.note(&note);
        (self.note(&note), told.flatten())
    }

    fn request(&mut self, request: Request) {
        let note = match &request {
            Request::Plan(change) => {
                self.asked = Some(change.clone());
                None
            }
            Request::Apply(id) => {
                let planned = self.planned.take_if(|(planned, _)| planned == id);
                planned.map(|(_, change)| Note::changed(&change))
            }
            Request::Title(title) => Some(Note::Renamed { title: title.clone() }),
            Request::Tags(tags) => Some(Note::Tagged { tags: tags.clone() }),
            request => Sent::of(request).map(|what| Note::Sent { wall: now(), what }),
        };
        let lines = note.map_or_else(Vec::new, |note| self.note(&note));
        self.asked_now |= matches!(request, Request::Ask(_));
        self.wants_sync |= !lines.is_empty();
        self.step(Step {
            lines,
            then: Then::Send(request),
        });
    }

    /// Writes, then does what comes then; or holds both.
    fn step(&mut self, step: Step) {
        if self.waiting.is_some() {
            self.held.push_back(step);
            return;
        }
        match self.write(&step.lines) {
            Ok(()) => self.then(step.then),
            Err(error) => {
                self.held.push_back(step);
                self.failed(&error);
            }
        }
    }

    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        if lines.is_empty() || self.lost.is_some() {
            return Ok(());
        }
        self.open.journal.append(lines)
    }

    fn then(&mut self, then: Then) {
        match then {
            Then::Tell(event) => (self.sink)(*event),
            Then::Send(request) => {
                if let Some(inner) = &self.inner {
                    // One that has ended says so by itself.
                    let _ = inner.send(request);
                }
            }
            Then::Nothing => {}
        }
    }

    fn tell(&mut self, state: KeptState, message: String) {
        (self.sink)(Event::Kept { state, message });
    }

    fn failed(&mut self, error: &io::Error) {
        let folder = self.open.folder.display().to_string();
        if is_about_room(error) {
            let next = Instant::now() + self.pace.retry;
            if self.waiting.replace(next).is_none() {
                self.hold(true);
                self.tell(
                    KeptState::Waiting,
                    format!(
                        "there is no room to keep the session in {folder}: {error}. The reply waits, and goes on by itself when there \
                         is some; what is sent meanwhile is not lost"
                    ),
                );
            }
            return;
        }
        let message = format!(
            "the session cannot be kept any more in {folder}: {error}. It goes on, but what follows is lost when you leave"
        );
        self.lost = Some(message.clone());
        self.go_on();
        self.tell(KeptState::Lost, message);
        self.let_go();
    }

    /// Has nothing more decoded, or again.
    fn hold(&self, hold: bool) {
        if let Some(inner) = &self.inner {
            let _ = inner.send(Request::Hold(hold));
        }
    }

    fn go_on(&mut self) {
        if self.waiting.take().is_some() {
            self.hold(false);
        }
    }

    /// Tries to write what is held.
    fn retry(&mut self) {
        if self.waiting.is_none() {
            return;
        }
        if let Err(error) = self.open.journal.retry() {
            return self.failed(&error);
        }
        while let Some(step) = self.held.pop_front() {
            if let Err(error) = self.write(&step.lines) {
                self.held.push_front(step);
                return self.failed(&error);
            }
            self.then(step.then);
        }
        self.go_on();
        self.wants_sync = true;
        self.tell(
            KeptState::Resumed,
            "there is room again, and everything is kept".to_owned(),
        );
    }

    /// Passes on what was held, unwritten.
    fn let_go(&mut self) {
        for step in mem::take(&mut self.held) {
            self.then(step.then);
        }
    }

    /// Writes what is left, and closes the session if that was wanted.
    fn finish(mut self, jobs: &Receiver<Job>) -> Left {
        self.retry();
        if !self.open.past.is_asked && !self.asked_now {
            // Nobody would look for it.
            let _ = std::fs::remove_dir_all(&self.open.folder);
            return Left::Empty;
        }
        if self.closing {
            let lines = self.note(&Note::Closed { wall: now() });
            let then = Then::Nothing;
            self.step(Step { lines, then });
        }
        if let Some(message) = self.lost {
            return Left::Lost(message);
        }
        if self.waiting.is_some() {
            return self.leave();
        }
        if let Some(length) = self.open.journal.unsynced() {
            // Another one may be under way.
            let _ = self.syncing.0.send(length);
            for job in jobs {
                if let Job::Synced(synced, outcome) = job {
                    match self.open.journal.synced(synced, outcome) {
                        Err(error) if is_about_room(&error) => return self.leave(),
                        Err(error) => {
                            let folder = self.open.folder.display();
                            return Left::Lost(format!("the end of the session may not be in {folder}: {error}"));
                        }
                        Ok(()) if synced == length => return Left::Kept,
                        Ok(()) => {}
                    }
                }
            }
        }
        Left::Kept
    }

    /// Leaves what is held to whoever waits for the end; nobody is shown it any more.
    fn leave(self) -> Left {
        let lines = self.held.into_iter().flat_map(|step| step.lines).collect();
        Left::Full(Box::new(Rest::new(self.open, lines)))
    }
}

fn is_about_room(error: &io::Error) -> bool {
    use io::ErrorKind::{QuotaExceeded, StorageFull, WriteZero};
    matches!(error.kind(), StorageFull | QuotaExceeded | WriteZero)
}
