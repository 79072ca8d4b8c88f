//! The end of a session for which there is no room: kept elsewhere at once, and where it belongs if somebody makes room.

use std::io::{self, BufRead, Write};
use std::path::{Path, PathBuf};

use crate::config::shown;
use crate::session::store::Rest;
use crate::tui::format;

/// Copies that are tried under other names.
const COPIES: usize = 100;

/// Sees to it that nothing is lost: `person` is asked to make room if there is one.
pub(super) fn settle(mut rest: Rest, person: bool, folder: &Path) -> io::Result<()> {
    let mut err = io::stderr();
    let lines = format::counted(rest.lines(), "line");
    let place = shown(rest.folder());
    writeln!(
        err,
        "thunderhead: there is no room for the end of the session: {lines} are not in {place}"
    )?;
    let mut copy = match copy_into(&rest, folder) {
        Ok(path) => {
            tell_of(&path)?;
            Some(path)
        }
        Err(error) => {
            writeln!(err, "nor can the session be kept in {}: {error}", shown(folder))?;
            None
        }
    };
    if !person {
        if copy.is_none() {
            writeln!(err, "these {lines} are lost; what came before them is in {place}")?;
        }
        return Ok(());
    }
    let mut answers = io::stdin().lock().lines();
    loop {
        write!(
            err,
            "Make room and press Enter to write it there after all; or write the name of a file to keep it in; or q to leave: "
        )?;
        err.flush()?;
        let answer = match answers.next() {
            Some(Ok(answer)) => answer,
            _ => "q".to_owned(),
        };
        match answer.trim() {
            "" => match rest.retry() {
                Ok(()) => {
                    let removed = copy.take().is_some_and(|copy| std::fs::remove_file(copy).is_ok());
                    let copy = if removed { "; the copy is removed" } else { "" };
                    return writeln!(err, "everything is kept{copy}");
                }
                Err(error) => writeln!(err, "there still is no room: {error}")?,
            },
            "q" => {
                if copy.is_none() {
                    writeln!(err, "{lines} are lost; what came before them is in {place}")?;
                }
                return Ok(());
            }
            name => {
                let path = PathBuf::from(crate::tui::at_home(name));
                match rest.copy_to(&path) {
                    Ok(()) => return tell_of(&path),
                    Err(error) => writeln!(err, "{}: {error}", shown(&path))?,
                }
            }
        }
    }
}

fn tell_of(path: &Path) -> io::Result<()> {
    let path = shown(path);
    writeln!(
        io::stderr(),
        "all of it is in {path}, which `thunderhead sessions import {path}` takes back"
    )
}

/// Writes the session into a folder, under a name that nothing there has.
fn copy_into(rest: &Rest, folder: &Path) -> io::Result<PathBuf> {
    let mut failed = io::ErrorKind::AlreadyExists.into();
    for attempt in 0..COPIES {
        let number = if attempt == 0 {
            String::new()
        } else {
            format!("-{attempt}")
        };
        let path = folder.join(format!("thunderhead-{}{number}.jsonl", rest.name()));
        match rest.copy_to(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => failed = error,
            Err(error) => return Err(error),
        }
    }
    Err(failed)
}
