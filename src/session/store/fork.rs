//! A session that parts from another after one of its turns.

use super::{Open, Store, StoreError};
use crate::conversation::Event;
use crate::session::line::{Forked, Header};
use crate::session::note::{Note, Opened};
use crate::session::read::Record;
use crate::session::write::Recorder;

impl Store {
    /// Makes a session that has what another one had up to the end of a turn, the last one if none is named; 0 is before the
    /// first. The other one stays as it is, and may be open.
    ///
    /// # Errors
    /// If there is no such turn, or it cannot be written.
    pub fn fork(&self, name: &str, turn: Option<usize>) -> Result<String, StoreError> {
        let record = self.read(name)?;
        let other = |message: String| StoreError::Other {
            name: name.to_owned(),
            message,
        };
        let (end, turn) = cut_after(&record, turn).ok_or_else(|| {
            other(format!(
                "has no turn {}; `thunderhead sessions show {name}` tells those that it has",
                turn.unwrap_or_default()
            ))
        })?;
        let header = Header {
            forked: Some(Forked {
                from: name.to_owned(),
                turn,
            }),
            ..Header::new(record.header.model.clone(), record.header.note.clone())
        };
        let open = self.create(header)?;
        let forked = open.name.clone();
        copy(open, &record, end).map_err(|error| other(format!("cannot be copied: {error}")))?;
        Ok(forked)
    }

    /// Takes a record from elsewhere as a session of its own.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn take(&self, record: &Record) -> Result<String, StoreError> {
        let header = Header {
            forked: record.header.forked.clone(),
            ..Header::new(record.header.model.clone(), record.header.note.clone())
        };
        let open = self.create(header)?;
        let name = open.name.clone();
        copy(open, record, record.events.len()).map_err(|error| StoreError::Other {
            name: name.clone(),
            message: format!("cannot be written: {error}"),
        })?;
        Ok(name)
    }
}

/// How many events there are up to the end of a turn, and which turn that is.
fn cut_after(record: &Record, turn: Option<usize>) -> Option<(usize, usize)> {
    let mut begun = 0;
    let mut starts = Vec::new();
    for (index, (_, event)) in record.events.iter().enumerate() {
        if let Event::Question(question) = event {
            begun = question.turn.max(begun + 1);
            starts.push((index, begun));
        }
    }
    match turn {
        None => Some((record.events.len(), starts.last().map_or(0, |(_, turn)| *turn))),
        Some(0) => Some((starts.first().map_or(record.events.len(), |(index, _)| *index), 0)),
        Some(turn) => {
            let at = starts.iter().position(|(_, known)| *known == turn)?;
            let from = starts[at].0;
            let to = starts.get(at + 1).map_or(record.events.len(), |(index, _)| *index);
            // Where it was gone back to another turn, this one ends.
            let rewound = record.events[from..to]
                .iter()
                .position(|(_, event)| matches!(event, Event::Rewound { .. }));
            Some((rewound.map_or(to, |after| from + after), turn))
        }
    }
}

/// Writes events, and what it takes to understand and to open them.
fn copy(mut open: Open, record: &Record, end: usize) -> std::io::Result<()> {
    let mut recorder = Recorder::resumed(Vec::new());
    let mut notes = record.notes.iter().filter_map(|(before, at, note)| {
        let note = match note {
            // Whoever makes it wants to go on with it.
            Note::Opened(opened) => Note::Opened(Opened {
                asked: false,
                ..opened.clone()
            }),
            Note::Packed { .. } | Note::Changed { .. } | Note::Tagged { .. } => note.clone(),
            _ => return None,
        };
        (*before <= end).then_some((*before, *at, note))
    });
    let mut next = notes.next();
    for (index, (at, event)) in record.events[..end].iter().enumerate() {
        while let Some((_, at, note)) = next.take_if(|(before, ..)| *before <= index) {
            recorder.note(at, &note)?;
            next = notes.next();
        }
        recorder.event(*at, event)?;
    }
    while let Some((_, at, note)) = next {
        recorder.note(at, &note)?;
        next = notes.next();
    }
    recorder.flush()?;
    open.journal.append(recorder.out())?;
    let mut syncer = open.journal.syncer();
    let length = open.journal.unsynced().unwrap_or_default();
    open.journal.synced(length, syncer())
}
