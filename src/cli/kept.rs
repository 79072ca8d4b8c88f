//! The session that a conversation is kept in: a new one, or one to go on with.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::config::Sources;
use super::error::CliError;
use super::load::{self, Leaving, Loaded};
use super::unsaved;
use crate::config::{self, Config};
use crate::conversation::{Event, Handle, Past, Setup, Sink, alter, start};
use crate::engine::StopReason;
use crate::session::store::{Keeper, Left, Open, Pace, Store, StoreError, keep};
use crate::session::{Header, Note, Opened};

/// How long the end of the program waits for the disk.
const PATIENCE: Duration = Duration::from_secs(5);

/// A conversation that is ready to be started, with what was said in it before.
pub(super) struct Kept {
    pub config: Config,
    pub name: String,
    /// What the model runs on, in words.
    pub placement: String,
    pub session: Session,
    pub resumed: bool,
    /// The last session, if it is gone on with.
    pub opening: Vec<Event>,
    /// What was sent and never got to the model.
    pub unanswered: Vec<String>,
    /// What a person should know before it begins.
    pub notices: Vec<String>,
    /// Dropped last: what the model has read is written to the end.
    _snapshots: Leaving,
}

/// Where a conversation is kept, if it is.
pub(super) struct Session {
    open: Option<Open>,
    keeper: Option<Keeper>,
    store: Option<Store>,
}

impl From<StoreError> for CliError {
    fn from(error: StoreError) -> Self {
        Self::Input(error.to_string())
    }
}

/// Where sessions are, as it is set.
pub(super) fn store(config: &Config) -> Option<Store> {
    match config.sessions.folder.given() {
        Some(folder) => Some(Store::at(folder)),
        None => Store::usual(|name| std::env::var_os(name).map(PathBuf::from), std::env::home_dir()),
    }
}

/// The same, for who needs one.
pub(super) fn store_or_error(config: &Config) -> Result<Store, CliError> {
    store(config).ok_or_else(|| {
        CliError::Usage("there is no home to find sessions in; `--sessions FOLDER` says where they are".to_owned())
    })
}

/// Who reads the answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reader {
    Person,
    /// Another program, by `ask`.
    Program,
}

/// A conversation about these documents: a new one, or the session of this name.
pub(super) fn prepare(
    paths: &[PathBuf],
    name: Option<&str>,
    sources: &Sources,
    reader: Reader,
) -> Result<(Kept, Setup), CliError> {
    match name {
        Some(name) => resume(name, paths, sources, reader),
        None => begin(paths, sources, reader),
    }
}

fn begin(paths: &[PathBuf], sources: &Sources, reader: Reader) -> Result<(Kept, Setup), CliError> {
    let config = sources.settings()?;
    let Loaded {
        name,
        placement,
        setup,
        kept: snapshots,
    } = load::conversation(paths, &config)?;
    let mut notices = Vec::new();
    let mut session = Session {
        open: None,
        keeper: None,
        store: store(&config),
    };
    if config.sessions.keep && (reader == Reader::Person || config.sessions.asked) {
        let opened = match &session.store {
            Some(store) => session_in(store, &name, paths, sources, reader).map_err(|error| error.to_string()),
            None => Err("there is no home to keep it in".to_owned()),
        };
        match opened {
            Ok(open) => session.open = Some(open),
            Err(error) => notices.push(format!("this conversation is not kept: {error}")),
        }
    }
    let kept = Kept {
        config,
        name,
        placement,
        session,
        resumed: false,
        opening: Vec::new(),
        unanswered: Vec::new(),
        notices,
        _snapshots: snapshots,
    };
    Ok((kept, setup))
}

fn session_in(
    store: &Store,
    model: &str,
    paths: &[PathBuf],
    sources: &Sources,
    reader: Reader,
) -> Result<Open, StoreError> {
    let mut open = store.create(Header::new(model, ""))?;
    sign(&mut open, model, paths, sources, reader)?;
    Ok(open)
}

/// Writes down how the session was opened.
fn sign(open: &mut Open, model: &str, paths: &[PathBuf], sources: &Sources, reader: Reader) -> Result<(), StoreError> {
    let folder = std::env::current_dir().unwrap_or_default();
    let paths = paths.iter().map(|path| path.display().to_string()).collect();
    let opened = Open::opened(model, &folder, paths, sources.of_conversation());
    let note = Note::Opened(Opened {
        asked: reader == Reader::Program,
        ..opened
    });
    open.note(&note).map_err(|error| StoreError::Other {
        name: open.name.clone(),
        message: error.to_string(),
    })
}

fn resume(name: &str, more: &[PathBuf], sources: &Sources, reader: Reader) -> Result<(Kept, Setup), CliError> {
    let store = store_or_error(&sources.settings()?)?;
    let name = match (name, reader) {
        ("last", Reader::Person) => store.last_of_person()?,
        _ => store.find(name)?,
    };
    let (mut open, record) = store.open(&name)?;
    let past = open.past().clone();
    let mut notices = record.notices.clone();
    let opened = past.opened.clone().unwrap_or_default();
    if !opened.folder.is_empty() && std::env::current_dir().ok().as_deref() != Some(Path::new(&opened.folder)) {
        let folder = Path::new(&opened.folder);
        match std::env::set_current_dir(folder) {
            Ok(()) => notices.push(format!(
                "the session goes on in {}, where it began",
                config::shown(folder)
            )),
            Err(error) => notices.push(format!(
                "the session began in {}, which cannot be gone to: {error}",
                config::shown(folder)
            )),
        }
    }
    let sources = sources.with(&opened.flags);
    let config = sources.settings()?;
    let mut paths: Vec<PathBuf> = opened.paths.iter().map(PathBuf::from).collect();
    for path in more {
        if !paths.contains(path) {
            paths.push(path.clone());
        }
    }
    let piped = |path: &Path| matches!(path.to_str(), Some("-" | "@-"));
    if paths.iter().any(|path| piped(path)) && !more.iter().any(|path| piped(path)) {
        paths.retain(|path| !piped(path));
        notices.push("what was read from standard input is not there any more".to_owned());
    }
    let Loaded {
        name: model,
        placement,
        mut setup,
        kept: snapshots,
    } = load::conversation(&paths, &config)?;
    if !opened.model.is_empty() && opened.model != model {
        notices.push(format!(
            "the session was with {} so far, and goes on with {model}",
            opened.model
        ));
    }
    for change in &past.changes {
        alter(&mut setup.selection, change);
    }
    // What is in the context stays in its order, so that what was read of it is not read again.
    setup.selection.keep.clone_from(&past.order);
    setup.past = Past::of(record.events.iter().map(|(_, event)| event));
    sign(&mut open, &model, &paths, &sources, reader)?;
    let mut opening: Vec<Event> = record
        .events
        .into_iter()
        .map(|(_, event)| event)
        .filter(is_said)
        .collect();
    if past.broken_off {
        opening.push(Event::Failed {
            message: "the program ended here, in the middle of the reply; what was written is kept".to_owned(),
        });
    }
    let kept = Kept {
        config,
        name: model,
        placement,
        resumed: true,
        session: Session {
            open: Some(open),
            keeper: None,
            store: Some(store),
        },
        opening,
        unanswered: past.unanswered.into_iter().collect(),
        notices,
        _snapshots: snapshots,
    };
    Ok((kept, setup))
}

/// Whether an event is a part of what was said, and not of what was done for it.
pub(super) fn is_said(event: &Event) -> bool {
    match event {
        Event::Question(_)
        | Event::Token(_)
        | Event::Citation(_)
        | Event::Continued { .. }
        | Event::Rewound { .. }
        | Event::ThinkingEnded { .. }
        | Event::Failed { .. } => true,
        Event::Finished(finished) => finished.reason != StopReason::Prefilled,
        _ => false,
    }
}

impl Session {
    /// The store, if there is a home for one.
    pub fn store(&self) -> Option<&Store> {
        self.store.as_ref()
    }

    /// The name of the session, if there is one.
    pub fn name(&self) -> Option<&str> {
        let open = self.open.as_ref().map(|open| &*open.name);
        open.or_else(|| self.keeper.as_ref().map(|keeper| &*keeper.name))
    }

    /// Starts the conversation, and keeps it.
    pub fn start(&mut self, setup: Setup, sink: Sink) -> Handle {
        match self.open.take() {
            None => start(setup, sink),
            Some(open) => {
                let (handle, keeper) = keep(open, sink, Pace::default(), |sink| start(setup, sink));
                self.keeper = Some(keeper);
                handle
            }
        }
    }

    /// Waits until everything is kept, and gives the name of the session if there is something in it. The conversation has to be
    /// let go of before. `person` says that there is somebody who can be asked.
    pub fn finish(&mut self, person: bool) -> Option<String> {
        let keeper = self.keeper.take()?;
        let name = keeper.name.clone();
        match keeper.finish(PATIENCE) {
            Left::Kept => {}
            Left::Empty => return None,
            Left::Full(rest) => {
                let _ = unsaved::settle(*rest, person, &std::env::temp_dir());
            }
            Left::Lost(message) => {
                let _ = writeln!(io::stderr(), "thunderhead: {message}");
            }
        }
        Some(name)
    }
}
