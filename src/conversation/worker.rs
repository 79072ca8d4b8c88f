//! The thread of a conversation: the only place where requests, documents and the engine meet.
//!
//! Everything arrives in one inbox, in order, and nothing in the loop takes long: documents are read by a thread of
//! their own, requests are passed on by another, and the engine calls back. So a cancel is always heard at once.
//! A request that cannot be answered is answered by `failed`; the conversation goes on.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::chat::{Chat, ChatReply};
use super::quote::QuoteModel;
use super::reply::QuoteReply;
use super::{Documents, Event, Handle, Loading, Question, Request, Sink};
use crate::compute::{ComputeError, Interrupt, Interrupted};
use crate::context::{self, ContextError, Layout, Pack, Progress};
use crate::engine::{self, Command, EventKind, Finished, GenerateOptions, StopReason, Submit, Ticket};
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
    /// Files, folders, `-` for standard input.
    pub paths: Vec<PathBuf>,
    pub tokenizer: Tokenizer,
    pub chat_template: Option<ChatTemplate>,
    /// Most tokens of documents, question and reply together.
    pub context_limit: usize,
    /// How replies are decoded; stop ids and an open thinking tag are filled in.
    pub options: GenerateOptions,
    /// The bundled model's quotations are held to the documents while they are decoded.
    pub grounded: bool,
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
    Answering(Ticket, Reply),
}

enum Reply {
    Quote(Box<QuoteReply>),
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
    questions: VecDeque<String>,
    /// Files found, as far as loading has said.
    total_files: usize,
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
        let layout = match &protocol {
            Protocol::Quote(model) => model.layout(),
            Protocol::Chat(_) => Layout::Documents,
        };
        load(
            setup.paths,
            setup.tokenizer.clone(),
            layout,
            setup.context_limit,
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
            questions: VecDeque::new(),
            total_files: 0,
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
            Message::Request(Request::Ask(question)) => self.questions.push_back(question),
            Message::Request(Request::Cancel) => self.cancel(),
            Message::Request(Request::Plan(_) | Request::Apply(_) | Request::Discard(_)) | Message::HungUp => {}
            Message::Loading(progress) => self.loading(progress),
            Message::Loaded(outcome) => self.loaded(outcome),
            Message::Engine(event) => self.engine_event(event),
        }
        while matches!(self.phase, Phase::Idle) {
            let Some(question) = self.questions.pop_front() else {
                break;
            };
            self.ask(&question);
        }
    }

    fn send(&mut self, event: Event) {
        (self.sink)(event);
    }

    fn fail(&mut self, message: &str) {
        self.send(Event::Failed {
            message: context::sanitize(message).into_owned(),
        });
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
            Phase::Idle => {}
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
        let prefix = outcome
            .map_err(|e| e.to_string())
            .and_then(|pack| self.take_documents(pack));
        match prefix {
            Ok(prefix) if prefix.is_empty() => self.send(Event::Finished(nothing_to_prefill())),
            Ok(tokens) => self.phase = Phase::Prefilling(self.engine.submit(Command::Prefill { tokens })),
            Err(message) => {
                self.fail(&message);
                self.ready = Err(format!("there are no documents to ask about: {message}"));
            }
        }
    }

    /// Announces the documents and gives the tokens that all prompts begin with.
    fn take_documents(&mut self, pack: Pack) -> Result<Arc<[u32]>, String> {
        self.send(Event::Loading(Loading {
            files: self.total_files,
            total_files: self.total_files,
            tokens: pack.tokens.len(),
        }));
        let pack = Arc::new(pack);
        let (ready, prefix) = match self.protocol.clone() {
            Protocol::Quote(model) => (Ready::Quote(model, pack.clone()), pack.tokens.clone()),
            Protocol::Chat(template) => {
                let chat = Chat::new(self.tokenizer.clone(), *template, pack.clone());
                let prefix = chat.prefix()?;
                (Ready::Chat(Box::new(chat), pack.clone()), prefix.into())
            }
        };
        self.ready = Ok(ready);
        self.send(Event::Documents(Documents {
            pack: pack.clone(),
            offset: 0,
            files: pack.documents.len(),
            lines: pack.lines(),
            tokens: pack.tokens.len(),
            context_limit: self.context_limit,
            skipped: pack.skipped.clone(),
            notes: pack.notes.clone(),
        }));
        Ok(prefix)
    }

    fn ask(&mut self, question: &str) {
        let mut options = self.options.clone();
        let prepared = match &self.ready {
            Err(message) => Err(message.clone()),
            Ok(Ready::Quote(model, pack)) => model.ask(question, pack).map(|prompt| {
                options.stop.push(model.ids.eos);
                options.guide = self.grounded.then(|| model.guide(pack, &prompt.asked));
                options.thinking_open = false;
                options.max_tokens = options.max_tokens.min(QUOTE_TOKENS);
                options.thinking_budget = options.thinking_budget.min(QUOTE_TOKENS / 2);
                let reply = QuoteReply::new(model.clone(), pack.clone(), prompt.asked);
                (prompt.tokens, prompt.asked_as, Reply::Quote(Box::new(reply)))
            }),
            Ok(Ready::Chat(chat, pack)) => chat.prompt(question).map(|prompt| {
                options.thinking_open = prompt.thinking_open;
                let reply = Reply::Chat {
                    question: question.to_owned(),
                    reply: Box::new(ChatReply::new(pack.clone(), question)),
                };
                (prompt.tokens, None, reply)
            }),
        };
        let limit = self.context_limit;
        let prepared = prepared.and_then(|(tokens, asked_as, reply)| match tokens.len() {
            length if length < limit => Ok((tokens, asked_as, reply)),
            length => Err(format!(
                "the documents, the conversation and the question take {length} tokens, and the context has {limit}. \
                 Load fewer documents or start again"
            )),
        });
        match prepared {
            Err(message) => self.fail(&message),
            Ok((tokens, asked_as, reply)) => {
                self.send(Event::Question(Question {
                    text: context::sanitize(question).into_owned(),
                    asked_as: asked_as.map(|text| context::sanitize(&text).into_owned()),
                }));
                let ticket = self.engine.submit(Command::Generate {
                    prompt: tokens.into(),
                    options,
                });
                self.phase = Phase::Answering(ticket, reply);
            }
        }
    }

    fn engine_event(&mut self, event: engine::Event) {
        let reply = match &mut self.phase {
            Phase::Prefilling(ticket) if ticket.id == event.request => None,
            Phase::Answering(ticket, reply) if ticket.id == event.request => Some(reply),
            _ => return,
        };
        match event.kind {
            EventKind::Prefill(prefill) => self.send(Event::Prefill(prefill)),
            EventKind::Token(token) => {
                let events = reply.map(|reply| reply.token(token)).unwrap_or_default();
                for event in events {
                    self.send(event);
                }
            }
            EventKind::Finished(finished) => self.end(Event::Finished(finished)),
            EventKind::Failed(message) => self.end(Event::Failed {
                message: context::sanitize(&message).into_owned(),
            }),
        }
    }

    /// The end of what the engine was doing: what the reply still holds back, then how it ended.
    fn end(&mut self, last: Event) {
        if let Phase::Answering(_, mut reply) = std::mem::replace(&mut self.phase, Phase::Idle) {
            for event in reply.finish() {
                self.send(event);
            }
            if let (Reply::Chat { question, reply }, Ok(Ready::Chat(chat, _))) = (&reply, &mut self.ready) {
                chat.remember(question, reply.answer());
            }
        }
        self.send(last);
    }
}

impl Reply {
    fn token(&mut self, token: engine::Token) -> Vec<Event> {
        match self {
            Self::Quote(reply) => reply.token(&token),
            Self::Chat { reply, .. } => reply.token(token),
        }
    }

    fn finish(&mut self) -> Vec<Event> {
        match self {
            Self::Quote(reply) => reply.finish(),
            Self::Chat { reply, .. } => reply.finish(),
        }
    }
}

/// Loads documents on a thread of their own.
fn load(
    paths: Vec<PathBuf>,
    tokenizer: Tokenizer,
    layout: Layout,
    limit: usize,
    interrupt: Interrupt,
    inbox: Sender<Message>,
) {
    thread::spawn(move || {
        let reports: Mutex<(Option<Instant>, Sender<Message>)> = Mutex::new((None, inbox.clone()));
        let report = |progress| {
            let mut reports = reports.lock().unwrap_or_else(PoisonError::into_inner);
            if reports.0.is_none_or(|last| last.elapsed() >= REPORT_EVERY) {
                reports.0 = Some(Instant::now());
                let _ = reports.1.send(Message::Loading(progress));
            }
        };
        let outcome = context::load(&paths, &tokenizer, &layout, limit, &interrupt, &report);
        let _ = inbox.send(Message::Loaded(outcome));
    });
}

fn nothing_to_prefill() -> Finished {
    Finished {
        reason: StopReason::Prefilled,
        prompt_tokens: 0,
        cached_tokens: 0,
        thinking_tokens: 0,
        answer_tokens: 0,
        prefill: Duration::ZERO,
        decode: Duration::ZERO,
    }
}

#[cfg(test)]
#[path = "worker_tests.rs"]
mod tests;
