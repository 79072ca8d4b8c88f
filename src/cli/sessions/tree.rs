//! The turns of a session as a tree, with the sessions that part from it.

use std::io::{self, Write};

use super::CliError;
use crate::context::sanitize;
use crate::session::export::{Talk, TalkTurn};
use crate::session::store::Store;
use crate::session::store::index::{Index, Summary};
use crate::session::{Record, title_of};

/// Columns that branches are set in at most.
const DEEPEST: usize = 64;

pub(super) fn print(record: &Record, name: Option<&str>, store: Option<&Store>) -> Result<(), CliError> {
    let forks = match (name, store) {
        (Some(name), Some(store)) => {
            let mut index = Index::open(store)?;
            index.refresh(|| true)?;
            let mut forks = index.sessions()?;
            forks.retain(|session| session.forked.as_ref().is_some_and(|(from, _)| from == name));
            forks
        }
        _ => Vec::new(),
    };
    let talk = Talk::of(record);
    let mut out = io::stdout().lock();
    if let Some(forked) = &record.header.forked {
        writeln!(out, "parted from {} after turn {}", forked.from, forked.turn)?;
    }
    for line in lines(&talk, &forks) {
        writeln!(out, "{}", sanitize(&line))?;
    }
    Ok(())
}

/// The lines of the tree. Turns that follow each other stand below each other; branches are set in.
fn lines(talk: &Talk, forks: &[Summary]) -> Vec<String> {
    let mut lines = Vec::new();
    forks_of(0, "", forks, &mut lines);
    below(talk, None, "", forks, &mut lines);
    lines
}

fn below(talk: &Talk, parent: Option<usize>, indent: &str, forks: &[Summary], lines: &mut Vec<String>) {
    if indent.chars().count() > DEEPEST {
        lines.push(format!("{indent}…"));
        return;
    }
    let mut parent = parent;
    loop {
        let turns: Vec<&TalkTurn> = talk.turns.iter().filter(|turn| turn.parent == parent).collect();
        let [only] = turns.as_slice() else {
            for turn in turns {
                lines.push(line(turn, &format!("{indent}├ ")));
                let inner = format!("{indent}│ ");
                forks_of(turn.number, &inner, forks, lines);
                below(talk, Some(turn.number), &inner, forks, lines);
            }
            return;
        };
        lines.push(line(only, indent));
        forks_of(only.number, indent, forks, lines);
        parent = Some(only.number);
    }
}

fn line(turn: &TalkTurn, indent: &str) -> String {
    let mark = if turn.stands { "●" } else { "○" };
    format!("{indent}{mark} {}  {}", turn.number, title_of(&turn.question))
}

fn forks_of(turn: usize, indent: &str, forks: &[Summary], lines: &mut Vec<String>) {
    let here = forks
        .iter()
        .filter(|fork| fork.forked.as_ref().is_some_and(|(_, after)| *after == turn));
    lines.extend(here.map(|fork| format!("{indent}├ ⑂ {}  {}", fork.name, fork.title)));
}
