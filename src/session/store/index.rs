//! Finding sessions: a list of them, and what was said in them.
//!
//! It is made from the logs, which alone are true: a file of it that is lost, damaged or of another version is made again.
//! What is searched is kept without the text, which is read from the log when it is shown.

mod excerpt;

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use rusqlite::{Connection, OpenFlags, Row, Transaction, TransactionBehavior, params};

pub use self::excerpt::{Excerpt, Part};
use super::{Store, StoreError};
use crate::conversation::Event;
use crate::session::past::{Past, title_of};
use crate::session::read::{Record, bytes_of};
use crate::trace::Channel;

/// Of the tables; another one is made anew.
const VERSION: i64 = 2;
/// Sessions that are taken at once.
const BATCH: usize = 64;
const PATIENCE: Duration = Duration::from_secs(5);
/// So many bytes of logs are read for what is shown around that which was found: hits beyond are told without it.
const EXCERPTS: u64 = 16 << 20;

const TABLES: &str = "
    CREATE TABLE sessions (
        name TEXT PRIMARY KEY, bytes INTEGER NOT NULL, stamp INTEGER NOT NULL,
        title TEXT NOT NULL, tags TEXT NOT NULL, model TEXT NOT NULL, folder TEXT NOT NULL, paths TEXT NOT NULL,
        wall INTEGER NOT NULL, turns INTEGER NOT NULL, tokens INTEGER NOT NULL,
        forked TEXT NOT NULL, forked_turn INTEGER NOT NULL, documents INTEGER NOT NULL,
        asked INTEGER NOT NULL, broken_off INTEGER NOT NULL, last TEXT NOT NULL,
        of_programs INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX by_time ON sessions (wall);
    CREATE INDEX by_folder ON sessions (folder, paths);
    CREATE TABLE turns (
        id INTEGER PRIMARY KEY, session TEXT NOT NULL, number INTEGER NOT NULL, question TEXT NOT NULL,
        first INTEGER NOT NULL, last INTEGER NOT NULL
    );
    CREATE INDEX of_session ON turns (session);
    CREATE VIRTUAL TABLE said USING fts5 (
        question, answer, thinking, content = '', contentless_delete = 1, tokenize = 'unicode61 remove_diacritics 2'
    );";

/// A session in a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    pub name: String,
    pub title: String,
    pub tags: Vec<String>,
    pub model: String,
    /// Where its paths lie.
    pub folder: String,
    pub paths: Vec<String>,
    /// When it was written last, in milliseconds since 1970.
    pub wall: u64,
    pub turns: usize,
    pub tokens: usize,
    pub documents: usize,
    /// The session that it parted from, and after which turn.
    pub forked: Option<(String, usize)>,
    pub broken_off: bool,
    /// What was asked last.
    pub last: String,
    pub bytes: u64,
    /// Only programs have asked in it.
    pub of_programs: bool,
}

/// A turn in which something was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    pub session: Summary,
    pub turn: usize,
    pub question: String,
    /// The text around it, and where in the reply it stands.
    pub excerpt: Option<Excerpt>,
}

pub struct Index {
    store: Store,
    connection: Connection,
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Other {
            name: "index".to_owned(),
            message: error.to_string(),
        }
    }
}

/// The file of a store's index.
#[must_use]
pub fn path_of(store: &Store) -> PathBuf {
    store.root().join("index.sqlite")
}

impl Index {
    /// Opens the index of a store as it is. Where there can be no file it is kept in memory.
    ///
    /// # Errors
    /// If there cannot even be one in memory.
    pub fn open(store: &Store) -> Result<Self, StoreError> {
        let path = path_of(store);
        let connection = Self::connect(&path).or_else(|_| {
            remove(&path);
            Self::connect(&path)
        });
        let connection = connection.or_else(|_| {
            let memory = Connection::open_in_memory()?;
            prepare(&memory)?;
            Ok::<_, rusqlite::Error>(memory)
        })?;
        Ok(Self {
            store: store.clone(),
            connection,
        })
    }

    fn connect(path: &Path) -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(PATIENCE)?;
        // Where there can be no such log, another is used.
        connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
        connection.execute_batch("PRAGMA synchronous = NORMAL")?;
        prepare(&connection)?;
        Ok(connection)
    }

    /// Brings it up to date with the logs: those that have changed are read again. Ends early if `go_on` says so.
    ///
    /// # Errors
    /// If the sessions cannot be listed, or the index not be written.
    pub fn refresh(&mut self, go_on: impl Fn() -> bool) -> Result<usize, StoreError> {
        match self.try_to_refresh(&go_on) {
            Err(Failure::Index(error)) if is_damaged(&error) => {
                let path = path_of(&self.store);
                self.connection = Connection::open_in_memory()?;
                remove(&path);
                *self = Self::open(&self.store)?;
                self.try_to_refresh(&go_on).map_err(Into::into)
            }
            outcome => outcome.map_err(Into::into),
        }
    }

    fn try_to_refresh(&mut self, go_on: &impl Fn() -> bool) -> Result<usize, Failure> {
        let mut known: HashMap<String, (u64, u64)> = HashMap::new();
        {
            let mut all = self
                .connection
                .prepare_cached("SELECT name, bytes, stamp FROM sessions")?;
            let mut rows = all.query([])?;
            while let Some(row) = rows.next()? {
                known.insert(row.get(0)?, (size(row, 1)?, size(row, 2)?));
            }
        }
        let names = self.store.names()?;
        let here: HashSet<&str> = names.iter().map(String::as_str).collect();
        let gone: Vec<&String> = known.keys().filter(|name| !here.contains(name.as_str())).collect();
        if !gone.is_empty() {
            let change = change(&mut self.connection)?;
            for name in gone {
                forget(&change, name)?;
            }
            change.commit()?;
        }
        let mut stale: Vec<(&String, (u64, u64))> = Vec::new();
        for name in &names {
            // One without a log was deleted meanwhile, or has not begun.
            if let Some(stamp) = stamp(&self.store.events(name))
                && known.get(name) != Some(&stamp)
            {
                stale.push((name, stamp));
            }
        }
        // The oldest first, so that the newest have the largest numbers.
        stale.reverse();
        let mut taken = 0;
        for batch in stale.chunks(BATCH) {
            let change = change(&mut self.connection)?;
            for (name, stamp) in batch {
                if !go_on() {
                    change.commit()?;
                    return Ok(taken);
                }
                let bytes = bytes_of(&self.store.events(name)).unwrap_or_default();
                forget(&change, name)?;
                take(&change, name, *stamp, &bytes)?;
                taken += 1;
            }
            change.commit()?;
        }
        Ok(taken)
    }

    /// All sessions in which something was asked, those first that were used last.
    ///
    /// # Errors
    /// If the index cannot be read.
    pub fn sessions(&self) -> Result<Vec<Summary>, StoreError> {
        let mut all = self.connection.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM sessions AS s WHERE asked ORDER BY wall DESC"
        ))?;
        let rows = all.query_map([], |row| summary(row, 0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The session that a person used last of those with the same folder and paths.
    ///
    /// # Errors
    /// If the index cannot be read.
    pub fn last_about(&self, folder: &str, paths: &[String]) -> Result<Option<Summary>, StoreError> {
        let mut last = self.connection.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM sessions AS s WHERE asked AND NOT of_programs AND folder = ? AND paths = ? ORDER BY wall DESC LIMIT 1"
        ))?;
        let mut rows = last.query_map(params![folder, joined(paths)], |row| summary(row, 0))?;
        Ok(rows.next().transpose()?)
    }

    /// The turns that have all of these words, the newest first; the last word may be a beginning.
    ///
    /// # Errors
    /// If the index cannot be read.
    pub fn search(&self, text: &str, most: usize) -> Result<Vec<Hit>, StoreError> {
        let Some(pattern) = pattern(text) else {
            return Ok(Vec::new());
        };
        let mut found = self.connection.prepare_cached(&format!(
            "SELECT t.number, t.question, t.first, t.last, {COLUMNS} FROM said JOIN turns AS t ON t.id = said.rowid \
             JOIN sessions AS s ON s.name = t.session WHERE said MATCH ? ORDER BY said.rowid DESC LIMIT ?"
        ))?;
        let rows = found.query_map(params![pattern, integer(most)], |row| {
            let hit = Hit {
                turn: size(row, 0)? as usize,
                question: row.get(1)?,
                session: summary(row, 4)?,
                excerpt: None,
            };
            Ok((hit, size(row, 2)?, size(row, 3)?))
        })?;
        let words: Vec<String> = words(text).map(str::to_lowercase).collect();
        let mut left = EXCERPTS;
        let mut hits: Vec<Hit> = Vec::new();
        for row in rows {
            let (mut hit, first, last) = row?;
            let bytes = last.saturating_sub(first);
            if bytes <= left || hits.is_empty() {
                left = left.saturating_sub(bytes);
                hit.excerpt = excerpt::of(&self.store.events(&hit.session.name), first, bytes, &words);
            }
            hits.push(hit);
        }
        Ok(hits)
    }
}

enum Failure {
    Index(rusqlite::Error),
    Store(StoreError),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Index(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Index(error) => error.into(),
            Failure::Store(error) => error,
        }
    }
}

fn is_damaged(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{CannotOpen, DatabaseCorrupt, NotADatabase, ReadOnly, SystemIoFailure, Unknown};
    error.sqlite_error_code().is_some_and(|code| {
        matches!(
            code,
            CannotOpen | DatabaseCorrupt | NotADatabase | ReadOnly | SystemIoFailure | Unknown
        )
    })
}

fn remove(path: &Path) {
    for ending in ["", "-wal", "-shm", "-journal"] {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        let _ = fs::remove_file(PathBuf::from(name));
    }
}

/// Makes the tables, if they are not there as they should be.
fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if version == VERSION {
        // What is damaged is found now, and not when it is searched.
        return connection.query_row("SELECT count(*) FROM sessions WHERE name = ''", [], |_| Ok(()));
    }
    connection.execute_batch(&format!(
        "BEGIN IMMEDIATE; DROP TABLE IF EXISTS sessions; DROP TABLE IF EXISTS turns; DROP TABLE IF EXISTS said; {TABLES} \
         PRAGMA user_version = {VERSION}; COMMIT;"
    ))
}

fn change(connection: &mut Connection) -> rusqlite::Result<Transaction<'_>> {
    connection.transaction_with_behavior(TransactionBehavior::Immediate)
}

/// What distinguishes a log from what it was before.
fn stamp(path: &Path) -> Option<(u64, u64)> {
    let data = fs::metadata(path).ok()?;
    let since = data.modified().ok()?.duration_since(UNIX_EPOCH).unwrap_or_default();
    Some((data.len(), since.as_nanos() as u64 >> 1))
}

fn forget(change: &Transaction<'_>, name: &str) -> rusqlite::Result<()> {
    change
        .prepare_cached("DELETE FROM said WHERE rowid IN (SELECT id FROM turns WHERE session = ?)")?
        .execute([name])?;
    change
        .prepare_cached("DELETE FROM turns WHERE session = ?")?
        .execute([name])?;
    change
        .prepare_cached("DELETE FROM sessions WHERE name = ?")?
        .execute([name])?;
    Ok(())
}

/// What was said in a turn.
#[derive(Debug, Default)]
struct Said {
    question: String,
    answer: String,
    thinking: String,
    tokens: usize,
}

impl Said {
    fn of<'a>(events: impl Iterator<Item = &'a Event>) -> Self {
        let mut said = Self::default();
        for event in events {
            match event {
                Event::Question(question) => said.question.push_str(&question.text),
                Event::Token(token) => {
                    said.tokens += 1;
                    match token.channel {
                        Channel::Answer => said.answer.push_str(&token.text),
                        Channel::Thinking => said.thinking.push_str(&token.text),
                    }
                }
                _ => {}
            }
        }
        said
    }
}

fn take(change: &Transaction<'_>, name: &str, stamp: (u64, u64), bytes: &[u8]) -> rusqlite::Result<()> {
    let record = Record::salvage(bytes);
    let past = Past::of(&record);
    let opened = past.opened.clone().unwrap_or_default();
    let (mut tokens, mut last) = (0, "");
    let ends = record.questions.iter().skip(1).copied();
    let ends = ends.chain([(record.events.len(), record.whole)]);
    let mut turns: usize = 0;
    for (&(from, first), (to, end)) in record.questions.iter().zip(ends) {
        let Some((_, Event::Question(question))) = record.events.get(from) else {
            continue;
        };
        let said = Said::of(record.events[from..to].iter().map(|(_, event)| event));
        turns += 1;
        tokens += said.tokens;
        last = &question.text;
        change
            .prepare_cached("INSERT INTO turns (session, number, question, first, last) VALUES (?, ?, ?, ?, ?)")?
            .execute(params![
                name,
                integer(question.turn.max(1)),
                title_of(&question.text),
                integer(first),
                integer(end)
            ])?;
        change
            .prepare_cached("INSERT INTO said (rowid, question, answer, thinking) VALUES (?, ?, ?, ?)")?
            .execute(params![
                change.last_insert_rowid(),
                said.question,
                said.answer,
                said.thinking
            ])?;
    }
    let (forked, forked_turn) = record
        .header
        .forked
        .as_ref()
        .map_or(("", 0), |forked| (&*forked.from, forked.turn));
    let model = if opened.model.is_empty() {
        &record.header.model
    } else {
        &opened.model
    };
    change
        .prepare_cached("INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")?
        .execute(params![
            name,
            integer(stamp.0),
            integer(stamp.1),
            past.title(),
            joined(&past.tags),
            model,
            opened.folder,
            joined(&opened.paths),
            integer(past.wall),
            integer(turns),
            integer(tokens),
            forked,
            integer(forked_turn),
            integer(past.documents.len()),
            past.is_asked,
            past.broken_off,
            title_of(last),
            past.is_of_programs(),
        ])?;
    Ok(())
}

const COLUMNS: &str = "s.name, s.title, s.tags, s.model, s.folder, s.paths, s.wall, s.turns, s.tokens, s.forked, \
                       s.forked_turn, s.documents, s.broken_off, s.last, s.bytes, s.of_programs";

fn summary(row: &Row<'_>, from: usize) -> rusqlite::Result<Summary> {
    let forked: String = row.get(from + 9)?;
    Ok(Summary {
        name: row.get(from)?,
        title: row.get(from + 1)?,
        tags: split(&row.get::<_, String>(from + 2)?),
        model: row.get(from + 3)?,
        folder: row.get(from + 4)?,
        paths: split(&row.get::<_, String>(from + 5)?),
        wall: size(row, from + 6)?,
        turns: size(row, from + 7)? as usize,
        tokens: size(row, from + 8)? as usize,
        forked: (!forked.is_empty()).then_some((forked, size(row, from + 10)? as usize)),
        documents: size(row, from + 11)? as usize,
        broken_off: row.get(from + 12)?,
        last: row.get(from + 13)?,
        bytes: size(row, from + 14)?,
        of_programs: row.get(from + 15)?,
    })
}

fn size(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    Ok(row.get::<_, i64>(column)?.max(0) as u64)
}

/// As a database has it.
fn integer(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}

/// No path and no tag has a line end in it.
fn joined(texts: &[String]) -> String {
    texts.join("\n")
}

fn split(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split_whitespace()
        .filter(|word| word.chars().any(char::is_alphanumeric))
}

/// Words as the index looks for them: none of them means anything to it but itself.
fn pattern(text: &str) -> Option<String> {
    let quoted: Vec<String> = words(text)
        .map(|word| format!("\"{}\"", word.replace('"', "\"\"")))
        .collect();
    let is_begun = text.ends_with(|c: char| c.is_alphanumeric());
    (!quoted.is_empty()).then(|| quoted.join(" ") + if is_begun { "*" } else { "" })
}

#[cfg(test)]
mod tests;
