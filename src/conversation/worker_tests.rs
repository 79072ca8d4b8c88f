use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use super::super::Past;
use super::super::testing::{ADDED, tokenizer};
use super::super::{Citation, Verdict};
use super::*;
use crate::context::{RunningLines, Template};
use crate::engine::{Prefill, Reach, RequestId, Token};
use crate::trace::{Channel, ThinkSplitter};

type Log = Arc<Mutex<Vec<Command>>>;

/// Answers prefills at once, and prompts with the next of its replies; an empty script waits for the interrupt.
struct Fake {
    events: Arc<Mutex<EngineEvents>>,
    replies: Mutex<VecDeque<&'static str>>,
    log: Log,
    next: AtomicU64,
}

impl Submit for Fake {
    fn submit(&self, command: Command) -> Ticket {
        let ticket = Ticket::new(RequestId(self.next.fetch_add(1, Ordering::Relaxed)));
        self.log.lock().unwrap().push(command.clone());
        let (events, Ticket { id, interrupt, .. }) = (self.events.clone(), ticket.clone());
        let send = move |kind| (events.lock().unwrap())(engine::Event { request: id, kind });
        match command {
            Command::Prefill { tokens, .. } => {
                send(EventKind::Prefill(Prefill {
                    done: tokens.len(),
                    total: tokens.len(),
                    cached: 0,
                    rate: 0.0,
                }));
                send(finished(StopReason::Prefilled));
            }
            Command::Estimate { prompt } => send(EventKind::Estimated(Estimate {
                tokens: prompt.len(),
                kept: prompt.len() / 2,
                ms: None,
            })),
            Command::Generate { options, .. } => match self.replies.lock().unwrap().pop_front() {
                Some("fail") => send(EventKind::Failed("out of \x1bmemory".into())),
                Some(reply) => {
                    for token in tokens(reply, options.thinking_open) {
                        send(EventKind::Token(token));
                    }
                    send(finished(StopReason::EndOfSequence));
                }
                None => {
                    thread::spawn(move || {
                        while !interrupt.is_raised() {
                            thread::yield_now();
                        }
                        send(finished(StopReason::Cancelled));
                    });
                }
            },
        }
        ticket
    }
}

fn finished(reason: StopReason) -> EventKind {
    EventKind::Finished(Finished {
        reason,
        ..Finished::default()
    })
}

/// The tokens of a reply as the engine reports them.
fn tokens(reply: &str, open: bool) -> Vec<Token> {
    let tokenizer = tokenizer();
    let mut splitter = ThinkSplitter::new(open);
    let ids = tokenizer.encode_with_specials(reply);
    let report = |(index, &id): (usize, &u32)| {
        let spans = splitter.push(tokenizer.token_bytes(id).unwrap());
        let texts: Vec<(Channel, String)> = spans.into_iter().map(|s| (s.channel, s.text)).collect();
        let texts = if texts.is_empty() {
            vec![(splitter.channel(), String::new())]
        } else {
            texts
        };
        texts.into_iter().map(move |(channel, text)| Token {
            index,
            id,
            text,
            channel,
            probability: 1.0,
            entropy: 0.0,
            elapsed: Duration::ZERO,
            forced: false,
        })
    };
    ids.iter().enumerate().flat_map(report).collect()
}

fn layout(chat: bool) -> Layout {
    if chat {
        Layout::Documents(Template::default())
    } else {
        Layout::RunningLines(RunningLines { file: 1, line: 2 })
    }
}

fn setup(watch: bool, paths: &[&Path], template: Option<&str>, limit: usize, replies: &[&'static str]) -> (Setup, Log) {
    let chat_template = template.map(|source| {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("chat_template.jinja"), source).unwrap();
        ChatTemplate::load(dir.path()).unwrap().unwrap()
    });
    let log = Log::default();
    let (engine_log, replies) = (log.clone(), replies.iter().copied().collect());
    let setup = Setup {
        selection: Selection::of(paths.iter().map(|p| p.to_path_buf()).collect()),
        layout: layout(chat_template.is_some()),
        cache: None,
        tokenizer: Tokenizer::for_tests(&ADDED),
        chat_template,
        context_limit: limit,
        places: 4,
        watch,
        options: GenerateOptions::default(),
        grounded: true,
        past: Past::default(),
        start_engine: Box::new(move |events| {
            Ok(Box::new(Fake {
                events: Arc::new(Mutex::new(events)),
                replies: Mutex::new(replies),
                log: engine_log,
                next: AtomicU64::new(0),
            }))
        }),
    };
    (setup, log)
}

struct Talk {
    handle: Handle,
    events: Receiver<Event>,
    log: Log,
}

impl Talk {
    fn start(paths: &[&Path], template: Option<&str>, limit: usize, replies: &[&'static str]) -> Self {
        Self::watching(false, paths, template, limit, replies)
    }

    fn watching(watch: bool, paths: &[&Path], template: Option<&str>, limit: usize, replies: &[&'static str]) -> Self {
        let (setup, log) = setup(watch, paths, template, limit, replies);
        let (sender, events) = channel();
        let handle = start(setup, Box::new(move |event| drop(sender.send(event))));
        Self { handle, events, log }
    }

    fn ask(&self, question: &str) -> Vec<Event> {
        self.handle.send(Request::Ask(question.into())).unwrap();
        self.until_end()
    }

    fn plan(&self, change: Change) -> Result<Planned, String> {
        self.handle.send(Request::Plan(change)).unwrap();
        self.next_plan()
    }

    fn next_plan(&self) -> Result<Planned, String> {
        loop {
            match self.events.recv_timeout(Duration::from_secs(20)).expect("a plan") {
                Event::Planned(planned) => return Ok(planned),
                Event::PlanFailed { message } => return Err(message),
                _ => {}
            }
        }
    }

    fn apply(&self, planned: &Planned) -> Vec<Event> {
        self.handle.send(Request::Apply(planned.id)).unwrap();
        self.until_end()
    }

    /// The tokens of the last prefill.
    fn prefilled(&self) -> Arc<[u32]> {
        let log = self.log.lock().unwrap();
        let last = log.iter().rev().find_map(|command| match command {
            Command::Prefill { tokens, .. } => Some(tokens.clone()),
            Command::Generate { .. } | Command::Estimate { .. } => None,
        });
        last.unwrap()
    }

    /// Events up to the end of what is running.
    fn until_end(&self) -> Vec<Event> {
        let mut events = Vec::new();
        loop {
            let event = self.events.recv_timeout(Duration::from_secs(20)).expect("an event");
            let end = matches!(event, Event::Finished(_) | Event::Failed { .. });
            events.push(event);
            if end {
                return events;
            }
        }
    }
}

fn text(events: &[Event], of: Channel) -> String {
    let texts = events.iter().filter_map(|event| match event {
        Event::Token(t) if t.channel == of => Some(t.text.as_str()),
        _ => None,
    });
    texts.collect()
}

fn citations(events: &[Event]) -> Vec<&Citation> {
    events
        .iter()
        .filter_map(|e| if let Event::Citation(c) = e { Some(c) } else { None })
        .collect()
}

fn failure(events: &[Event]) -> &str {
    match events.last() {
        Some(Event::Failed { message }) => message,
        other => panic!("{other:?}"),
    }
}

fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a.rs"), "fn run() {\n    let retries = 10;\n}\n").unwrap();
    fs::write(dir.path().join("b.bin"), b"\0").unwrap();
    dir
}

#[test]
fn documents_are_loaded_announced_and_prefilled() {
    let dir = folder();
    let talk = Talk::start(&[dir.path()], None, 1000, &[]);
    let events = talk.until_end();
    let tokens = match talk.log.lock().unwrap().as_slice() {
        [Command::Prefill { tokens, .. }] => tokens.len(),
        other => panic!("{other:?}"),
    };
    let [
        ..,
        Event::Loading(loading),
        Event::Documents(documents),
        Event::Prefill(_),
        Event::Finished(end),
    ] = events.as_slice()
    else {
        panic!("{events:?}")
    };
    assert_eq!((loading.files, loading.total_files, loading.tokens), (2, 2, tokens));
    assert_eq!(
        (
            documents.files,
            documents.lines,
            documents.tokens,
            documents.context_limit
        ),
        (1, 3, tokens, 1000)
    );
    assert_eq!(documents.skipped[0].reason, "binary");
    assert_eq!(end.reason, StopReason::Prefilled);
    assert!(matches!(events[0], Event::Loading(_)));
}

#[test]
fn a_question_to_the_bundled_model() {
    let dir = folder();
    let talk = Talk::start(&[dir.path()], None, 1000, &["<think>fn run() {<ln>1</think><ln>1<eos>"]);
    talk.handle.send(Request::Ask("where's run defined".into())).unwrap();
    talk.until_end();
    let events = talk.until_end();
    let asked_as = Some("Where is `run` defined?".into());
    assert_eq!(
        events[0],
        Event::Question(Question {
            turn: 1,
            text: "where's run defined".into(),
            asked_as,
            revises: None,
            left_out: 0,
        })
    );
    let place = format!("{}/a.rs:1", dir.path().display());
    assert_eq!(text(&events, Channel::Thinking), format!("fn run() {{ {place}"));
    assert_eq!(text(&events, Channel::Answer), format!("{place}\n    fn run() {{"));
    assert!(citations(&events).len() == 2 && citations(&events).iter().all(|c| c.verdict == Verdict::Verified));
    let log = talk.log.lock().unwrap();
    let [
        Command::Prefill { tokens, .. },
        Command::Generate { prompt, options, .. },
    ] = log.as_slice()
    else {
        panic!()
    };
    assert!(prompt.starts_with(tokens));
    assert_eq!(
        (options.stop.as_slice(), options.thinking_open),
        ([7].as_slice(), false)
    );
    assert!(options.max_tokens <= QUOTE_TOKENS);
}

#[test]
fn each_question_to_it_starts_from_the_documents() {
    let dir = folder();
    let talk = Talk::start(&[dir.path()], None, 1000, &["<eos>", "<eos>"]);
    talk.until_end();
    talk.ask("find `run`");
    talk.ask("find `run`");
    let log = talk.log.lock().unwrap();
    let prompts: Vec<_> = log
        .iter()
        .filter_map(|c| {
            if let Command::Generate { prompt, .. } = c {
                Some(prompt)
            } else {
                None
            }
        })
        .collect();
    assert_eq!(prompts[0], prompts[1]);
}

#[test]
fn failures_are_said_and_the_conversation_goes_on() {
    let dir = folder();
    let talk = Talk::start(&[dir.path()], None, 1000, &["fail", "<eos>"]);
    talk.until_end();
    assert!(failure(&talk.ask("where is `nothing`")).contains("stands nowhere"));
    assert_eq!(failure(&talk.ask("find `run`")), "out of ␛memory");
    assert!(matches!(talk.ask("find `run`").last(), Some(Event::Finished(_))));
}

#[test]
fn cancel_stops_what_is_running_and_no_more() {
    let dir = folder();
    let talk = Talk::start(&[dir.path()], None, 1000, &[]);
    talk.until_end();
    talk.handle.send(Request::Cancel).unwrap();
    talk.handle.send(Request::Ask("find `run`".into())).unwrap();
    talk.handle.send(Request::Ask("find `nothing`".into())).unwrap();
    assert!(matches!(talk.events.recv().unwrap(), Event::Question(_)));
    talk.handle.send(Request::Cancel).unwrap();
    let [Event::Finished(end)] = talk.until_end()[..] else {
        panic!()
    };
    assert_eq!(end.reason, StopReason::Cancelled);
    assert!(failure(&talk.until_end()).contains("`nothing`"));
}

#[cfg(unix)]
#[test]
fn cancel_stops_loading() {
    let dir = tempfile::tempdir().unwrap();
    for i in 0..200 {
        fs::write(
            dir.path().join(format!("{i}.txt")),
            "some words on a line\n".repeat(2000),
        )
        .unwrap();
    }
    let talk = Talk::start(&[dir.path()], None, usize::MAX, &[]);
    talk.handle.send(Request::Cancel).unwrap();
    assert!(failure(&talk.until_end()).contains("cancelled"));
    assert!(failure(&talk.ask("find `words`")).contains("no documents"));
    assert!(talk.log.lock().unwrap().is_empty());
}

#[test]
fn documents_that_cannot_be_loaded() {
    let talk = Talk::start(&[Path::new("/no/such/path")], None, 1000, &[]);
    assert!(failure(&talk.until_end()).contains("/no/such/path: there is no such file"));
    assert!(failure(&talk.ask("find `x`")).contains("/no/such/path"));
    let dir = folder();
    let talk = Talk::start(&[dir.path()], None, 10, &[]);
    let events = talk.until_end();
    let message = failure(&events);
    assert!(
        message.contains("the context has 10") && message.contains("a.rs  (59 tokens)"),
        "{message}"
    );
    assert!(!events.iter().any(|e| matches!(e, Event::Documents(_))));
}

#[test]
fn a_question_that_does_not_fit() {
    let dir = folder();
    let tokens = {
        let talk = Talk::start(&[dir.path()], None, 1000, &[]);
        talk.until_end();
        let Command::Prefill { tokens, .. } = &talk.log.lock().unwrap()[0] else {
            panic!()
        };
        tokens.len()
    };
    let talk = Talk::start(&[dir.path()], None, tokens + 5, &[]);
    talk.until_end();
    assert!(failure(&talk.ask("find `run`")).contains(&format!("the context has {}", tokens + 5)));
}

const TEMPLATE: &str = "{% for m in messages %}<{{ m.role }}>{{ m.content }}<eos>{% endfor %}{% if add_generation_prompt %}<ai><think>\n{% endif %}";

#[test]
fn a_chat_keeps_its_history_and_checks_what_is_cited() {
    let dir = folder();
    let path = format!("{}/a.rs", dir.path().display());
    let reply: &'static str =
        Box::leak(format!("hm {path}:1 `x`</think>\n\n`retries` is 10 ({path}:2).").into_boxed_str());
    let talk = Talk::start(&[dir.path()], Some(TEMPLATE), 10_000, &[reply, "y</think>no"]);
    talk.until_end();
    let events = talk.ask("retries?");
    assert_eq!(
        events[0],
        Event::Question(Question {
            turn: 1,
            text: "retries?".into(),
            ..Question::default()
        })
    );
    let cited = citations(&events);
    assert_eq!(
        (cited.len(), cited[0].line, &cited[0].verdict),
        (1, 2, &Verdict::Verified)
    );
    talk.ask("sure?");
    let log = talk.log.lock().unwrap();
    let [
        Command::Prefill { tokens, .. },
        Command::Generate {
            prompt: first, options, ..
        },
        Command::Generate { prompt: second, .. },
    ] = log.as_slice()
    else {
        panic!()
    };
    assert!(first.starts_with(tokens) && second.starts_with(tokens) && options.thinking_open);
    let first = tokenizer().decode(first);
    assert!(
        first.starts_with(&format!("<user><document path=\"{path}\">\n1:fn run() {{")),
        "{first}"
    );
    assert!(first.ends_with("retries?<eos><ai><think>\n"), "{first}");
    let second = tokenizer().decode(second);
    assert!(second.contains("retries?<eos><assistant>`retries` is 10 ("), "{second}");
    assert!(
        second.ends_with("<user>sure?<eos><ai><think>\n") && !second.contains("hm "),
        "{second}"
    );
}

/// What a template does with earlier thinking is what happens, and who asks is told how many tokens it left out.
#[test]
fn a_template_decides_whether_earlier_thinking_is_told() {
    const KEEPS: &str = "{% for m in messages %}<{{ m.role }}>{% if m.reasoning_content %}<think>{{ m.reasoning_content }}</think>{% endif %}{{ m.content }}<eos>{% endfor %}<ai><think>\n";
    for (template, kept) in [(KEEPS, true), (TEMPLATE, false)] {
        let talk = Talk::start(&[], Some(template), 10_000, &["hm so</think>ten", "y</think>no"]);
        talk.until_end();
        talk.ask("retries?");
        let events = talk.ask("sure?");
        let Event::Question(question) = &events[0] else {
            panic!("{events:?}")
        };
        assert_eq!(question.left_out > 0, !kept, "{question:?}");
        let log = talk.log.lock().unwrap();
        let Some(Command::Generate { prompt, .. }) = log.last() else {
            panic!()
        };
        let prompt = tokenizer().decode(prompt);
        assert_eq!(prompt.contains("<think>hm so</think>ten<eos>"), kept, "{prompt}");
        assert!(prompt.contains("ten<eos>"), "{prompt}");
    }
}

#[test]
fn going_back_tells_what_the_next_question_reads() {
    let talk = Talk::start(&[], Some(TEMPLATE), 10_000, &["a</think>ten", "y</think>no"]);
    talk.until_end();
    talk.ask("retries?");
    talk.ask("sure?");
    talk.handle.send(Request::Rewind(1)).unwrap();
    let next = || talk.events.recv_timeout(Duration::from_secs(20)).unwrap();
    assert_eq!(next(), Event::Rewound { turn: 1 });
    let Event::Estimated(estimated) = next() else { panic!() };
    assert_eq!((estimated.turn, estimated.kept), (1, estimated.tokens / 2));
    let log = talk.log.lock().unwrap();
    let Some(Command::Estimate { prompt }) = log.last() else {
        panic!()
    };
    let prompt = tokenizer().decode(prompt);
    assert!(prompt.contains("ten<eos>") && !prompt.contains("sure?"), "{prompt}");
}

#[test]
fn a_chat_needs_no_documents_but_the_bundled_model_does() {
    let talk = Talk::start(&[], Some(TEMPLATE), 1000, &["x</think>hello\x07"]);
    talk.until_end();
    assert_eq!(text(&talk.ask("hi"), Channel::Answer), "hello␇");
    let talk = Talk::start(&[], None, 1000, &[]);
    talk.until_end();
    assert!(failure(&talk.ask("find `x`")).contains("no documents"));
}

#[test]
fn a_checkpoint_without_a_protocol_is_refused() {
    let (sender, events) = channel();
    let setup = Setup {
        selection: Selection::default(),
        layout: layout(false),
        cache: None,
        tokenizer: Tokenizer::for_tests(&["<eos>"]),
        chat_template: None,
        context_limit: 10,
        places: 4,
        watch: false,
        options: GenerateOptions::default(),
        grounded: true,
        past: Past::default(),
        start_engine: Box::new(|_| unreachable!("nothing can be asked")),
    };
    let _handle = start(setup, Box::new(move |event| drop(sender.send(event))));
    let Ok(Event::Failed { message }) = events.recv() else {
        panic!()
    };
    assert!(message.contains("no chat template"));
}

#[test]
fn an_engine_that_does_not_start_is_said() {
    let (sender, events) = channel();
    let setup = Setup {
        selection: Selection::default(),
        layout: layout(false),
        cache: None,
        tokenizer: tokenizer(),
        chat_template: None,
        context_limit: 10,
        places: 4,
        watch: false,
        options: GenerateOptions::default(),
        grounded: true,
        past: Past::default(),
        start_engine: Box::new(|_| Err(ComputeError::Backend("no memory".into()))),
    };
    let _handle = start(setup, Box::new(move |event| drop(sender.send(event))));
    let Ok(Event::Failed { message }) = events.recv() else {
        panic!()
    };
    assert!(message.contains("no memory"), "{message}");
}

#[test]
fn dropping_the_handle_ends_it_all() {
    let dir = folder();
    let talk = Talk::start(&[dir.path()], None, 1000, &[]);
    talk.until_end();
    talk.handle.send(Request::Ask("find `run`".into())).unwrap();
    assert!(matches!(talk.events.recv().unwrap(), Event::Question(_)));
    let Talk { handle, events, .. } = talk;
    drop(handle);
    assert!(events.iter().count() <= 1);
}

fn load(path: &Path) -> Change {
    Change {
        load: vec![path.display().to_string()],
        ..Change::default()
    }
}

#[test]
fn documents_are_added_and_removed_while_running_and_the_cost_is_told_first() {
    let dir = folder();
    let other = tempfile::tempdir().unwrap();
    fs::write(other.path().join("z.rs"), "fn zoo() {}\n").unwrap();
    fs::write(other.path().join("z.bin"), b"\0").unwrap();
    let talk = Talk::start(&[dir.path()], None, 1000, &["<think>fn zoo() {}<ln>4</think>4<eos>"]);
    talk.until_end();
    let before = talk.prefilled();

    let planned = talk.plan(load(other.path())).unwrap();
    let name = |path: &Path, file: &str| path.join(file).display().to_string();
    assert_eq!(planned.added, [name(other.path(), "z.rs")]);
    assert_eq!(
        (planned.removed.len(), planned.changed.len(), planned.cause),
        (0, 0, Cause::Asked)
    );
    assert_eq!(planned.refused[0].path, name(other.path(), "z.bin"));
    assert_eq!(talk.prefilled(), before, "nothing is paid before it is applied");
    let events = talk.apply(&planned);
    let after = talk.prefilled();
    assert_eq!(after[..before.len()], before[..], "what was there stays where it was");
    assert_eq!(
        (after.len(), planned.prefill),
        (planned.tokens, after.len() - before.len())
    );
    let documents = events.iter().find_map(|event| match event {
        Event::Documents(documents) => Some(documents.files),
        _ => None,
    });
    assert_eq!(documents, Some(2));
    let reply = talk.ask("Where is `zoo` defined?");
    assert!(
        citations(&reply)
            .iter()
            .any(|c| c.path.ends_with("z.rs") && c.line == 1),
        "{reply:?}"
    );

    let unload = Change {
        unload: vec![name(dir.path(), "a.rs")],
        ..Change::default()
    };
    let planned = talk.plan(unload).unwrap();
    assert_eq!(planned.removed, [name(dir.path(), "a.rs")]);
    assert_eq!(planned.prefill, planned.tokens);
    talk.apply(&planned);
    assert_eq!(talk.prefilled().len(), planned.tokens);
    talk.handle.send(Request::Apply(planned.id)).unwrap();
    assert!(talk.next_plan().unwrap_err().contains("out of date"));
}

/// An engine with a state on the disk that has read so many of any tokens.
struct OnDisk(Box<dyn Submit>, usize);

impl Submit for OnDisk {
    fn submit(&self, command: Command) -> Ticket {
        self.0.submit(command)
    }

    fn on_disk(&self, tokens: &[u32]) -> Option<Reach> {
        Some(Reach {
            tokens: self.1.min(tokens.len()),
            rate: 10.0,
        })
    }
}

/// Removing the first file costs all that comes after it, unless a state on the disk has read some of that.
#[test]
fn what_is_nearest_tells_the_price_be_it_in_memory_or_on_the_disk() {
    let dir = folder();
    fs::write(dir.path().join("b.rs"), "fn walk() {\n    let steps = 12;\n}\n").unwrap();
    for kept in [0, 5, usize::MAX] {
        let (mut setup, log) = setup(false, &[dir.path()], None, 1000, &[]);
        let engine = setup.start_engine;
        setup.start_engine = Box::new(move |events| Ok(Box::new(OnDisk(engine(events)?, kept))));
        let (sender, events) = channel();
        let handle = start(setup, Box::new(move |event| drop(sender.send(event))));
        let talk = Talk { handle, events, log };
        talk.until_end();
        let unload = |file: &str| Change {
            unload: vec![dir.path().join(file).display().to_string()],
            ..Change::default()
        };
        let first = talk.plan(unload("a.rs")).unwrap();
        assert!(first.prompt > 5, "{first:?}");
        assert_eq!(first.prefill, first.prompt - kept.min(first.prompt));
        assert_eq!(first.ms, Some(first.prefill as u64 * 100), "at the rate of the state");
        let last = talk.plan(unload("b.rs")).unwrap();
        assert_eq!(last.prefill, 0, "all that is left was read, and is in memory");
    }
}

#[test]
fn what_was_left_out_is_taken_in_by_its_name() {
    let dir = folder();
    fs::write(dir.path().join("Cargo.lock"), "version = 4\n").unwrap();
    let talk = Talk::start(&[dir.path()], None, 1000, &[]);
    talk.until_end();
    let lock = dir.path().join("Cargo.lock").display().to_string();
    let planned = talk
        .plan(Change {
            include: vec![lock.clone()],
            ..Change::default()
        })
        .unwrap();
    assert_eq!(planned.added, [lock]);
}

#[test]
fn plans_that_cannot_be_are_told_and_change_nothing() {
    let dir = folder();
    let talk = Talk::start(&[dir.path()], None, 200, &[]);
    talk.until_end();
    let missing = talk.plan(load(Path::new("/no/such"))).unwrap_err();
    assert!(missing.contains("/no/such"), "{missing}");
    let large = tempfile::tempdir().unwrap();
    fs::write(large.path().join("large"), "word\n".repeat(200)).unwrap();
    let too_large = talk.plan(load(large.path())).unwrap_err();
    assert!(too_large.contains("too many"), "{too_large}");
    talk.handle.send(Request::Apply(7)).unwrap();
    assert!(talk.next_plan().unwrap_err().contains("out of date"));
    let gone = talk.plan(load(large.path())).unwrap_err();
    assert!(gone.contains("too many"), "{gone}");
}

#[test]
fn a_file_that_is_edited_is_noticed_and_costs_what_comes_after_it() {
    let dir = folder();
    fs::write(dir.path().join("z.rs"), "fn last() {}\n").unwrap();
    let talk = Talk::watching(true, &[dir.path()], None, 1000, &[]);
    talk.until_end();
    let before = talk.prefilled().len();
    fs::write(dir.path().join("z.rs"), "fn very_last() {}\n").unwrap();
    let planned = talk.next_plan().unwrap();
    assert_eq!(planned.cause, Cause::Changed);
    assert_eq!(planned.changed, [dir.path().join("z.rs").display().to_string()]);
    assert!(planned.prefill < before / 2, "{} of {before}", planned.prefill);
    talk.apply(&planned);
    assert_eq!(talk.prefilled().len(), planned.tokens);
}

#[test]
fn a_change_waits_until_the_reply_is_done() {
    let dir = folder();
    let talk = Talk::start(&[dir.path()], None, 1000, &[]);
    talk.until_end();
    let other = folder();
    fs::write(other.path().join("b.rs"), "x\n").unwrap();
    talk.handle.send(Request::Ask("find `retries`".into())).unwrap();
    let planned = talk.plan(load(&other.path().join("b.rs"))).unwrap();
    talk.handle.send(Request::Apply(planned.id)).unwrap();
    talk.handle.send(Request::Cancel).unwrap();
    let reply = talk.until_end();
    assert!(
        !reply.iter().any(|event| matches!(event, Event::Documents(_))),
        "{reply:?}"
    );
    let change = talk.until_end();
    assert!(
        change.iter().any(|event| matches!(event, Event::Documents(_))),
        "{change:?}"
    );
}

#[test]
fn changes_on_the_disk_that_come_while_one_is_looked_at_end_in_one_look() {
    let dir = folder();
    let (setup, _log) = setup(false, &[dir.path()], None, 1000, &[]);
    let (inbox, messages) = channel();
    let mut worker = Worker::new(setup, Box::new(|_| ()), &inbox).unwrap();
    while !matches!(worker.phase, Phase::Idle) {
        worker.handle(messages.recv_timeout(Duration::from_secs(20)).unwrap());
    }
    for _ in 0..3 {
        worker.handle(Message::Disk);
    }
    while worker.planning.is_some() {
        worker.handle(messages.recv_timeout(Duration::from_secs(20)).unwrap());
        assert!(worker.plans <= 3, "each look starts another");
    }
    assert!(!worker.disk_changed);
}
