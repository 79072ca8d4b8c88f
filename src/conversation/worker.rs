//! The thread of a conversation: the only place where requests, documents and the engine meet.
//!
//! Everything arrives in one inbox, in order, and nothing in the loop takes long: documents are read by a thread of
//! their own, requests are passed on by another, and the engine calls back. So a cancel is always heard at once.
//! A question that cannot be answered is answered by `failed`, anything else by `refused`; the conversation goes on.
//!
//! What the model is told depends on the turns that stand, and on nothing else: after any questions, revisions, stops and
//! continuations, prompts and replies are those of a new conversation that has had these turns alone.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::chat::{Chat, ChatReply};
use super::evidence::Asked;
use super::library::{Difference, Held, Library, Plan, changed, places};
use super::quote::QuoteModel;
use super::reply::QuoteReply;
use super::turns::{Past, Turns};
use super::{
    Cause, Change, Documents, Ending, Estimated, Event, Handle, Loading, Planned, Question, Request, Revision, Sink,
};
use crate::compute::{ComputeError, Interrupt, Interrupted};
use crate::context::{self, Cache, ContextError, Layout, Pack, Progress, Selection, Watch};
use crate::engine::{self, Command, Estimate, EventKind, Finished, GenerateOptions, StopReason, Submit, Ticket};
use crate::model::{ChatTemplate, Tokenizer};

/// Between two reports of how far loading has come.
const REPORT_EVERY: Duration = Duration::from_millis(50);
/// A reply of the bundled model is a line or two; what goes on for longer has lost its way.
const QUOTE_TOKENS: usize = 1024;

/// Called with every event of the engine, from its thread.
pub type EngineEvents = Box<dyn FnMut(engine::Event) + Send>;
/// Starts an engine that reports to the function it is given. Called on the conversation's thread.
pub type StartEngine = Box<dyn FnOnce(EngineEvents) -> Result<Box<dyn Submit>, ComputeError> + Send>;

/// What a conversation is made of.
pub struct Setup {
    pub selection: Selection,
    /// How documents are written down for this model.
    pub layout: Layout,
    pub cache: Option<Cache>,
    pub tokenizer: Tokenizer,
    pub chat_template: Option<ChatTemplate>,
    /// Most tokens of documents, question and reply together.
    pub context_limit: usize,
    /// Places in the documents that the engine remembers, so that a change after one of them does not cost what is before.
    pub places: usize,
    /// Changes of the documents on the disk are noticed.
    pub watch: bool,
    /// How replies are decoded; stop ids and an open thinking tag are filled in.
    pub options: GenerateOptions,
    /// The bundled model's quotations are held to the documents while they are decoded.
    pub grounded: bool,
    /// What was said before; the conversation goes on from there.
    pub past: Past,
    pub start_engine: StartEngine,
}

/// Starts a conversation: loads the documents, then answers requests until the last handle is dropped.
#[must_use]
pub fn start(setup: Setup, sink: Sink) -> Handle {
    let (requests, incoming) = channel();
    let (inbox, messages) = channel();
    let forward = inbox.clone();
    thread::spawn(move || {
        for request in incoming {
            if forward.send(Message::Request(request)).is_err() {
                return;
            }
        }
        let _ = forward.send(Message::HungUp);
    });
    thread::spawn(move || {
        if let Some(worker) = Worker::new(setup, sink, &inbox) {
            worker.run(&messages);
        }
    });
    Handle::new(requests)
}

enum Message {
    Request(Request),
    /// The last handle was dropped.
    HungUp,
    Loading(Progress),
    Loaded(Result<Pack, ContextError>),
    /// The plan with this number is worked out.
    Planned(u64, Result<(Selection, Pack), String>),
    /// Something has happened beside the documents on the disk.
    Disk,
    Engine(engine::Event),
}

/// How questions are put to this model.
#[derive(Clone)]
enum Protocol {
    Quote(QuoteModel),
    Chat(Box<ChatTemplate>),
}

/// The documents, ready for questions.
enum Ready {
    Quote(QuoteModel, Arc<Pack>),
    Chat(Box<Chat>, Arc<Pack>),
}

enum Phase {
    Loading(Interrupt),
    Idle,
    Prefilling(Ticket),
    /// What it would cost to have this turn again.
    Estimating(Ticket, usize),
    Answering(Ticket, Box<Said>),
}

/// What waits for its turn.
enum Todo {
    Ask(String),
    Revise(Revision),
    Estimate(Revision),
    Continue,
    Rewind(usize),
}

/// A question as it is put to the model.
struct Prepared {
    tokens: Arc<[u32]>,
    /// Places in them to come back to.
    marks: Arc<[usize]>,
    asked_as: Option<String>,
    options: GenerateOptions,
    reply: Reply,
}

/// A reply with all that it takes to go on with it.
struct Said {
    turn: usize,
    prompt: Arc<[u32]>,
    options: GenerateOptions,
    reply: Reply,
    /// The engine's ids.
    ids: Vec<u32>,
    /// How long decoding has taken, and how long it had when the reply went on.
    decoded: Duration,
    decoded_before: Duration,
    /// The answer has been asked for.
    hurried: bool,
    /// It has been told that the thinking was ended.
    ended: bool,
    stopped: Option<StopReason>,
}

enum Reply {
    Quote { asked: Asked, reply: Box<QuoteReply> },
    Chat { question: String, reply: Box<ChatReply> },
}

struct Worker {
    sink: Sink,
    engine: Box<dyn Submit>,
    options: GenerateOptions,
    context_limit: usize,
    grounded: bool,
    protocol: Protocol,
    tokenizer: Tokenizer,
    phase: Phase,
    /// Why there are no documents, until there are.
    ready: Result<Ready, String>,
    todo: VecDeque<Todo>,
    turns: Turns,
    /// The last reply, if it is over and the documents are still those it was given about.
    said: Option<Box<Said>>,
    /// Files found, as far as loading has said.
    total_files: usize,
    inbox: Sender<Message>,
    library: Arc<Library>,
    selection: Selection,
    held: Held,
    places: usize,
    planning: Option<Planning>,
    plan: Option<Plan>,
    /// The plan to be made as soon as nothing runs.
    applying: Option<u64>,
    plans: u64,
    watches: bool,
    watch: Option<Watch>,
    /// The disk has changed while another plan was being worked out.
    disk_changed: bool,
    /// Nothing is decoded for now.
    holds: bool,
}

/// A plan that is being worked out.
struct Planning {
    id: u64,
    cause: Cause,
    interrupt: Interrupt,
}

impl Worker {
    /// `None` if there is nothing to talk to; that has been said.
    fn new(setup: Setup, mut sink: Sink, inbox: &Sender<Message>) -> Option<Self> {
        let quote = QuoteModel::recognise(&setup.tokenizer, setup.chat_template.is_some());
        let Some(protocol) = quote
            .map(Protocol::Quote)
            .or(setup.chat_template.map(|template| Protocol::Chat(Box::new(template))))
        else {
            let message = "this checkpoint has no chat template, so that there is no way to ask it anything. Put the \
                           tokenizer_config.json or chat_template.jinja it was published with beside its config.json";
            sink(Event::Failed {
                message: message.into(),
            });
            return None;
        };
        let engine_inbox = inbox.clone();
        let started = (setup.start_engine)(Box::new(move |event| {
            let _ = engine_inbox.send(Message::Engine(event));
        }));
        let engine = match started {
            Ok(engine) => engine,
            Err(error) => {
                sink(Event::Failed {
                    message: context::sanitize(&format!("the model could not be started: {error}")).into_owned(),
                });
                return None;
            }
        };
        let interrupt = Interrupt::new();
        let library = Arc::new(Library {
            tokenizer: setup.tokenizer.clone(),
            layout: setup.layout,
            limit: setup.context_limit,
            cache: setup.cache,
        });
        load(
            library.clone(),
            setup.selection.clone(),
            interrupt.clone(),
            inbox.clone(),
        );
        Some(Self {
            sink,
            engine,
            options: setup.options,
            context_limit: setup.context_limit,
            grounded: setup.grounded,
            protocol,
            tokenizer: setup.tokenizer,
            phase: Phase::Loading(interrupt),
            ready: Err("the documents are not loaded".into()),
            todo: VecDeque::new(),
            turns: setup.past.0,
            said: None,
            total_files: 0,
            inbox: inbox.clone(),
            library,
            selection: setup.selection,
            held: Held::default(),
            places: setup.places,
            planning: None,
            plan: None,
            applying: None,
            plans: 0,
            watches: setup.watch,
            watch: None,
            disk_changed: false,
            holds: false,
        })
    }

    fn run(mut self, messages: &Receiver<Message>) {
        for message in messages {
            if matches!(message, Message::HungUp) {
                break;
            }
            self.handle(message);
        }
        self.interrupt();
    }

    fn handle(&mut self, message: Message) {
        match message {
            Message::Request(Request::Ask(question)) => self.todo.push_back(Todo::Ask(question)),
            Message::Request(Request::Revise(revision)) => self.todo.push_back(Todo::Revise(revision)),
            Message::Request(Request::Estimate(revision)) => self.todo.push_back(Todo::Estimate(revision)),
            Message::Request(Request::Rewind(turn)) => self.todo.push_back(Todo::Rewind(turn)),
            Message::Request(Request::Continue) => self.todo.push_back(Todo::Continue),
            Message::Request(Request::Answer) => self.hurry(),
            Message::Request(Request::Cancel) => self.cancel(),
            Message::Request(Request::Hold(hold)) => self.hold(hold),
            Message::Request(Request::Plan(change)) => self.plan(Cause::Asked, &change),
            Message::Request(Request::Apply(id)) => self.applying = Some(id),
            Message::Request(Request::Discard(id)) => self.discard(id),
            Message::Planned(id, outcome) => self.planned(id, outcome),
            Message::Disk => self.disk_changed = true,
            Message::HungUp | Message::Request(Request::Title(_) | Request::Tags(_)) => {}
            Message::Loading(progress) => self.loading(progress),
            Message::Loaded(outcome) => self.loaded(outcome),
            Message::Engine(event) => self.engine_event(event),
        }
        if self.disk_changed && !self.is_changing() {
            self.disk_changed = false;
            self.plan(Cause::Changed, &Change::default());
        }
        while matches!(self.phase, Phase::Idle) {
            if let Some(id) = self.applying.take() {
                self.apply(id);
                continue;
            }
            match self.todo.pop_front() {
                Some(Todo::Ask(question)) => self.ask(&question, None),
                Some(Todo::Revise(revision)) => self.revise(&revision),
                Some(Todo::Estimate(revision)) => self.estimate(&revision),
                Some(Todo::Continue) => self.go_on(),
                Some(Todo::Rewind(turn)) => self.rewind(turn),
                None => break,
            }
        }
    }

    fn send(&mut self, mut event: Event) {
        if let Event::Citation(citation) = &mut event {
            let pack = self.documents();
            let section = pack.document(&citation.path).and_then(|d| d.section(citation.line));
            citation.section = section.map(ToString::to_string);
        }
        (self.sink)(event);
    }

    fn fail(&mut self, message: &str) {
        self.send(Event::Failed {
            message: context::sanitize(message).into_owned(),
        });
    }

    fn refuse(&mut self, message: &str) {
        self.send(Event::Refused {
            message: context::sanitize(message).into_owned(),
        });
    }

    /// Ends the thinking of what is being written.
    fn hurry(&mut self) {
        if let Phase::Answering(ticket, said) = &mut self.phase {
            ticket.answer.raise();
            said.hurried = true;
        }
    }

    fn hold(&mut self, hold: bool) {
        self.holds = hold;
        if let Phase::Answering(ticket, _) = &self.phase {
            ticket.gate.set_closed(hold);
        }
    }

    fn cancel(&mut self) {
        self.interrupt();
        if matches!(self.phase, Phase::Loading(_)) {
            self.loaded(Err(ContextError::Interrupted(Interrupted)));
        }
    }

    fn interrupt(&self) {
        match &self.phase {
            Phase::Loading(interrupt) => interrupt.raise(),
            Phase::Prefilling(ticket) | Phase::Answering(ticket, _) => ticket.interrupt.raise(),
            // That is over at once.
            Phase::Estimating(..) => {}
            // What a change would cost is worked out beside everything else.
            Phase::Idle => {
                if let Some(planning) = self.planning.as_ref().filter(|planning| planning.cause == Cause::Asked) {
                    planning.interrupt.raise();
                }
            }
        }
    }

    fn loading(&mut self, progress: Progress) {
        if matches!(self.phase, Phase::Loading(_)) {
            self.total_files = progress.total_files;
            self.send(Event::Loading(Loading {
                files: progress.files,
                total_files: progress.total_files,
                tokens: progress.tokens,
            }));
        }
    }

    fn loaded(&mut self, outcome: Result<Pack, ContextError>) {
        if !matches!(self.phase, Phase::Loading(_)) {
            return;
        }
        self.phase = Phase::Idle;
        let taken = outcome
            .map_err(|e| e.to_string())
            .and_then(|pack| self.take_documents(Arc::new(pack)));
        match taken {
            Ok(()) => self.prefill(),
            Err(message) => {
                self.fail(&message);
                self.ready = Err(format!("there are no documents to ask about: {message}"));
            }
        }
    }

    fn prefill(&mut self) {
        if self.held.prefix.is_empty() {
            self.send(Event::Finished(Finished::default()));
            return;
        }
        let command = Command::Prefill {
            tokens: self.held.prefix.clone(),
            marks: self.held.marks.clone(),
        };
        self.phase = Phase::Prefilling(self.engine.submit(command));
    }

    /// Announces the documents, which all prompts begin with from now on.
    fn take_documents(&mut self, pack: Arc<Pack>) -> Result<(), String> {
        self.send(Event::Loading(Loading {
            files: self.total_files.max(pack.documents.len()),
            total_files: self.total_files.max(pack.documents.len()),
            tokens: pack.tokens.len(),
        }));
        let (ready, prefix) = self.ready_with(&pack)?;
        let replay = match &ready {
            Ready::Chat(chat, _) => self.replay(chat, prefix.len()),
            Ready::Quote(..) => 0,
        };
        let offset = prefix.len() - pack.tokens.len().min(prefix.len());
        self.held = Held {
            marks: places(&pack, offset, self.places).into(),
            prefix,
            prefilled: 0,
        };
        self.ready = Ok(ready);
        self.said = None;
        if self.watches {
            let inbox = self.inbox.clone();
            self.watch = Watch::start(&pack, move || drop(inbox.send(Message::Disk)));
        }
        self.send(Event::Documents(Documents {
            offset,
            files: pack.documents.len(),
            lines: pack.lines(),
            tokens: pack.tokens.len(),
            context_limit: self.context_limit,
            replay,
            skipped: pack.skipped.clone(),
            notes: pack.notes.clone(),
            pack,
        }));
        Ok(())
    }

    /// Tokens of what was said so far, in a prompt that begins with so many tokens for other documents.
    fn replay(&self, chat: &Chat, prefix: usize) -> usize {
        let history = self.turns.history(self.turns.before(None), chat.keeps_thinking());
        if history.is_empty() {
            return 0;
        }
        // What cannot be put together fails when it is asked; then it is told.
        let prompt = chat.prompt(history, "").ok();
        prompt.map_or(0, |prompt| prompt.tokens.len().saturating_sub(prefix))
    }

    /// How questions are put about these documents, and the tokens that prompts begin with.
    fn ready_with(&self, pack: &Arc<Pack>) -> Result<(Ready, Arc<[u32]>), String> {
        Ok(match self.protocol.clone() {
            Protocol::Quote(model) => (Ready::Quote(model, pack.clone()), pack.tokens.clone()),
            Protocol::Chat(template) => {
                let chat = match &self.ready {
                    Ok(Ready::Chat(chat, _)) => chat.about(pack.clone()),
                    _ => Chat::new(self.tokenizer.clone(), *template, pack.clone(), &self.library.layout),
                };
                let prefix = chat.prefix()?;
                (Ready::Chat(Box::new(chat), pack.clone()), prefix.into())
            }
        })
    }

    fn documents(&self) -> Arc<Pack> {
        match &self.ready {
            Ok(Ready::Quote(_, pack) | Ready::Chat(_, pack)) => pack.clone(),
            Err(_) => Arc::default(),
        }
    }

    /// Works out a change, on a thread of its own; a plan that is being worked out gives way.
    fn plan(&mut self, cause: Cause, change: &Change) {
        if self.ready.is_err() && !change.load.is_empty() {
            // What could not be loaded is not tried again with what is named now.
            self.selection.paths.clear();
        }
        let selection = match changed(&self.selection, change, &self.documents()) {
            Ok(selection) => selection,
            Err(message) => return self.plan_failed(&message),
        };
        if let Some(before) = self.planning.take() {
            before.interrupt.raise();
            // A later look at the disk sees all that the one before would have.
            self.disk_changed |= cause == Cause::Asked && before.cause == Cause::Changed;
        }
        self.plans += 1;
        let (id, interrupt) = (self.plans, Interrupt::new());
        self.planning = Some(Planning {
            id,
            cause,
            interrupt: interrupt.clone(),
        });
        let (library, inbox) = (self.library.clone(), self.inbox.clone());
        thread::spawn(move || {
            let outcome = library.load(&selection, &interrupt, &|_| ());
            let outcome = outcome.map(|pack| (selection, pack)).map_err(|error| error.to_string());
            let _ = inbox.send(Message::Planned(id, outcome));
        });
    }

    fn plan_failed(&mut self, message: &str) {
        self.send(Event::PlanFailed {
            message: context::sanitize(message).into_owned(),
        });
    }

    /// Whether the documents are being changed by other means than by the disk.
    fn is_changing(&self) -> bool {
        let asked = |cause| cause == Cause::Asked;
        self.planning.as_ref().is_some_and(|planning| asked(planning.cause))
            || self.plan.as_ref().is_some_and(|plan| asked(plan.planned.cause))
            || matches!(self.phase, Phase::Loading(_))
    }

    fn planned(&mut self, id: u64, outcome: Result<(Selection, Pack), String>) {
        let Some(Planning { cause, .. }) = self.planning.take_if(|planning| planning.id == id) else {
            return;
        };
        let outcome = outcome.and_then(|(selection, pack)| {
            let pack = Arc::new(pack);
            let (_, prefix) = self.ready_with(&pack)?;
            Ok((selection, pack, prefix))
        });
        let (selection, pack, prefix) = match (outcome, cause) {
            (Ok(outcome), _) => outcome,
            (Err(message), Cause::Asked) => return self.plan_failed(&message),
            // Files come and go while they are written; the next change is looked at again.
            (Err(_), Cause::Changed) => return,
        };
        let difference = Difference::of(&self.documents(), &pack);
        let told = self
            .plan
            .as_ref()
            .is_some_and(|plan| plan.planned.cause == Cause::Changed);
        if cause == Cause::Changed && difference.is_nothing() && !told {
            return;
        }
        // What is nearer may be in memory or on the disk.
        let on_disk = self.engine.on_disk(&prefix);
        let prefill = self.held.cost(&prefix);
        let prefill = on_disk.map_or(prefill, |reach| prefill.min(prefix.len() - reach.tokens));
        let rate = on_disk.map_or(0.0, |reach| reach.rate);
        let planned = Planned {
            id,
            cause,
            prefill,
            prompt: prefix.len(),
            ms: (rate > 0.0).then_some((prefill as f64 / rate * 1e3) as u64),
            tokens: pack.tokens.len(),
            context_limit: self.context_limit,
            added: difference.added,
            removed: difference.removed,
            changed: difference.changed,
            refused: difference.refused,
        };
        // What this plan takes the place of is looked at again after it.
        self.disk_changed |= told && cause == Cause::Asked;
        self.plan = Some(Plan {
            planned: planned.clone(),
            selection,
            pack,
        });
        self.send(Event::Planned(planned));
    }

    fn discard(&mut self, id: u64) {
        self.plan.take_if(|plan| plan.planned.id == id);
        if let Some(planning) = self.planning.take_if(|planning| planning.id == id) {
            planning.interrupt.raise();
        }
    }

    fn apply(&mut self, id: u64) {
        let Some(plan) = self.plan.take_if(|plan| plan.planned.id == id) else {
            return self.plan_failed("this change is out of date; ask for it again");
        };
        match self.take_documents(plan.pack) {
            Ok(()) => {
                self.selection = plan.selection;
                self.prefill();
            }
            Err(message) => self.plan_failed(&message),
        }
    }

    /// A question after the turns up to `before`, in words of the model.
    fn prepare(&self, question: &str, before: Option<usize>, version: u64) -> Result<Prepared, String> {
        let mut options = self.options.clone();
        options.sampling.seed = options.sampling.seed.wrapping_add(version);
        let prepared = match self.ready.as_ref().map_err(Clone::clone)? {
            Ready::Quote(model, pack) => {
                let prompt = model.ask(question, pack)?;
                options.stop.push(model.ids.eos);
                options.guide = self.grounded.then(|| model.guide(pack, &prompt.asked));
                options.thinking_open = false;
                options.max_tokens = options.max_tokens.min(QUOTE_TOKENS);
                options.thinking_budget = options.thinking_budget.min(QUOTE_TOKENS / 2);
                let reply = QuoteReply::new(model.clone(), pack.clone(), prompt.asked.clone());
                Prepared {
                    tokens: prompt.tokens.into(),
                    marks: Arc::default(),
                    asked_as: prompt.asked_as,
                    options,
                    reply: Reply::Quote {
                        asked: prompt.asked,
                        reply: Box::new(reply),
                    },
                }
            }
            Ready::Chat(chat, pack) => {
                let prompt = chat.prompt(self.turns.history(before, chat.keeps_thinking()), question)?;
                options.thinking_open = prompt.thinking_open;
                Prepared {
                    tokens: prompt.tokens.into(),
                    marks: prompt.shared.into_iter().collect(),
                    asked_as: None,
                    options,
                    reply: Reply::Chat {
                        question: question.to_owned(),
                        reply: Box::new(ChatReply::new(pack.clone(), question)),
                    },
                }
            }
        };
        let limit = self.context_limit;
        match prepared.tokens.len() {
            length if length < limit => Ok(prepared),
            length => Err(format!(
                "the documents, the conversation and the question take {length} tokens, and the context has {limit}. \
                 Load fewer documents or start again"
            )),
        }
    }

    /// Puts a question to the model, in the place of a turn if one is named.
    fn ask(&mut self, question: &str, revises: Option<usize>) {
        let prepared = self.prepare(question, self.turns.before(revises), self.turns.version(revises));
        let Prepared {
            tokens,
            marks,
            asked_as,
            options,
            reply,
        } = match prepared {
            Ok(prepared) => prepared,
            Err(message) if revises.is_some() => return self.refuse(&message),
            Err(message) => return self.fail(&message),
        };
        let left_out = match &self.ready {
            Ok(Ready::Chat(chat, _)) if !chat.keeps_thinking() => self.turns.thought(self.turns.before(revises)),
            _ => 0,
        };
        let turn = self.turns.begin(question, revises);
        self.send(Event::Question(Question {
            turn,
            revises,
            text: context::sanitize(question).into_owned(),
            asked_as: asked_as.map(|text| context::sanitize(&text).into_owned()),
            left_out,
        }));
        let said = Said {
            turn,
            prompt: tokens.clone(),
            options: options.clone(),
            reply,
            ids: Vec::new(),
            decoded: Duration::ZERO,
            decoded_before: Duration::ZERO,
            hurried: false,
            ended: false,
            stopped: None,
        };
        self.said = None;
        self.submit(tokens, marks, options, said);
    }

    fn submit(&mut self, prompt: Arc<[u32]>, marks: Arc<[usize]>, options: GenerateOptions, said: Said) {
        let ticket = self.engine.submit(Command::Generate { prompt, marks, options });
        ticket.gate.set_closed(self.holds);
        self.phase = Phase::Answering(ticket, Box::new(said));
    }

    /// The question that a revision puts, if there is such a turn.
    fn revised(&self, revision: &Revision) -> Result<String, String> {
        let known = self.turns.question(revision.turn);
        let known = known.ok_or_else(|| format!("there is no turn {} to have again", revision.turn))?;
        Ok(revision.question.clone().unwrap_or_else(|| known.to_owned()))
    }

    fn revise(&mut self, revision: &Revision) {
        match self.revised(revision) {
            Ok(question) => self.ask(&question, Some(revision.turn)),
            Err(message) => self.refuse(&message),
        }
    }

    fn estimate(&mut self, revision: &Revision) {
        let before = self.turns.before(Some(revision.turn));
        let prepared = self
            .revised(revision)
            .and_then(|question| self.prepare(&question, before, 0));
        match prepared {
            Ok(Prepared { tokens: prompt, .. }) => {
                let ticket = self.engine.submit(Command::Estimate { prompt });
                self.phase = Phase::Estimating(ticket, revision.turn);
            }
            Err(message) => self.refuse(&message),
        }
    }

    fn rewind(&mut self, turn: usize) {
        if self.turns.go_back(turn) {
            self.said = None;
            self.send(Event::Rewound { turn });
            self.estimate_next(turn);
        } else {
            self.refuse(&format!("there is no turn {turn} to go back to"));
        }
    }

    /// Has it worked out what a question after this turn has to read again before its own words.
    fn estimate_next(&mut self, turn: usize) {
        if let Ok(Ready::Chat(chat, _)) = &self.ready
            && let history = self.turns.history(self.turns.before(None), chat.keeps_thinking())
            && let Ok(prompt) = chat.prompt(history, "")
        {
            let prompt = prompt.tokens.into();
            self.phase = Phase::Estimating(self.engine.submit(Command::Estimate { prompt }), turn);
        }
    }

    /// Goes on with the last reply, from its last token.
    fn go_on(&mut self) {
        let can_go_on = |reason: &StopReason| {
            matches!(
                reason,
                StopReason::Cancelled | StopReason::MaxTokens | StopReason::Repetition { .. }
            )
        };
        let said = self.said.take_if(|said| said.stopped.as_ref().is_some_and(can_go_on));
        let (Some(mut said), Ok(ready)) = (said, &self.ready) else {
            return self.refuse("there is no reply that was stopped and could go on");
        };
        let prompt: Arc<[u32]> = said.prompt.iter().chain(&said.ids).copied().collect();
        if prompt.len() >= self.context_limit {
            self.said = Some(said);
            return self.refuse("the reply cannot go on: the context is full");
        }
        said.reply.resume(ready, &said.ids);
        (said.hurried, said.stopped, said.decoded_before) = (false, None, said.decoded);
        let mut options = said.options.clone();
        options.resumed = said.ids.len();
        self.send(Event::Continued { turn: said.turn });
        self.submit(prompt, Arc::default(), options, *said);
    }

    fn engine_event(&mut self, event: engine::Event) {
        let is_reply = match &self.phase {
            Phase::Prefilling(ticket) | Phase::Estimating(ticket, _) if ticket.id == event.request => false,
            Phase::Answering(ticket, _) if ticket.id == event.request => true,
            _ => return,
        };
        match event.kind {
            EventKind::Prefill(prefill) => {
                if !is_reply {
                    self.held.prefilled = prefill.done;
                }
                self.send(Event::Prefill(prefill));
            }
            EventKind::Token(token) => {
                let Phase::Answering(_, said) = &mut self.phase else {
                    return;
                };
                for event in said.token(token) {
                    self.send(event);
                }
            }
            EventKind::Estimated(Estimate { tokens, kept, ms }) => {
                if let Phase::Estimating(_, turn) = self.phase {
                    self.phase = Phase::Idle;
                    self.send(Event::Estimated(Estimated { turn, tokens, kept, ms }));
                }
            }
            EventKind::Finished(finished) => self.end(Event::Finished(finished)),
            EventKind::Failed(message) => self.end(Event::Failed {
                message: context::sanitize(&message).into_owned(),
            }),
        }
    }

    /// The end of what the engine was doing: what the reply still holds back, then how it ended.
    fn end(&mut self, mut last: Event) {
        if let Phase::Answering(_, mut said) = std::mem::replace(&mut self.phase, Phase::Idle) {
            for event in said.reply.finish() {
                self.send(event);
            }
            if let Reply::Chat { reply, .. } = &said.reply {
                self.turns.answered(said.turn, reply.said());
            }
            if let Event::Finished(finished) = &mut last {
                finished.decode += said.decoded_before;
                said.stopped = Some(finished.reason);
            }
            self.said = Some(said);
        }
        self.send(last);
    }
}

impl Said {
    fn token(&mut self, mut token: engine::Token) -> Vec<Event> {
        // One that crosses a tag comes twice.
        if token.index >= self.ids.len() {
            self.ids.push(token.id);
        }
        token.elapsed += self.decoded_before;
        self.decoded = token.elapsed;
        let mut events = Vec::new();
        if token.forced && !self.ended {
            self.ended = true;
            let by = if self.hurried { Ending::Asked } else { Ending::Budget };
            events.push(Event::ThinkingEnded { by });
        }
        events.extend(self.reply.token(token));
        events
    }
}

impl Reply {
    fn token(&mut self, token: engine::Token) -> Vec<Event> {
        match self {
            Self::Quote { reply, .. } => reply.token(&token),
            Self::Chat { reply, .. } => reply.token(token),
        }
    }

    fn finish(&mut self) -> Vec<Event> {
        match self {
            Self::Quote { reply, .. } => reply.finish(),
            Self::Chat { reply, .. } => reply.finish(),
        }
    }

    /// Makes a reply that was over ready to go on after these tokens.
    fn resume(&mut self, ready: &Ready, ids: &[u32]) {
        match (self, ready) {
            (Self::Quote { asked, reply }, Ready::Quote(model, pack)) => {
                **reply = QuoteReply::new(model.clone(), pack.clone(), asked.clone());
                reply.resume(ids);
            }
            (Self::Chat { question, reply }, Ready::Chat(_, pack)) => {
                **reply = ChatReply::resumed(pack.clone(), question, reply.take_said());
            }
            // The documents are what they were, and so is the model.
            (Self::Quote { .. }, Ready::Chat(..)) | (Self::Chat { .. }, Ready::Quote(..)) => {}
        }
    }
}

/// Loads documents on a thread of their own.
fn load(library: Arc<Library>, selection: Selection, interrupt: Interrupt, inbox: Sender<Message>) {
    thread::spawn(move || {
        let reports: Mutex<(Option<Instant>, Sender<Message>)> = Mutex::new((None, inbox.clone()));
        let report = |progress| {
            let mut reports = reports.lock().unwrap_or_else(PoisonError::into_inner);
            if reports.0.is_none_or(|last| last.elapsed() >= REPORT_EVERY) {
                reports.0 = Some(Instant::now());
                let _ = reports.1.send(Message::Loading(progress));
            }
        };
        let outcome = library.load(&selection, &interrupt, &report);
        let _ = inbox.send(Message::Loaded(outcome));
    });
}

#[cfg(test)]
#[path = "worker_tests.rs"]
mod tests;
