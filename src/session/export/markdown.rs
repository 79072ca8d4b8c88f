//! A session as Markdown, which can be read as it is and taken back.

use std::fmt::Write as _;

use super::talk::{Piece, Talk, TalkTurn};
use crate::conversation::Verdict;

/// The headings that part what was said. Lines of it that look the same are written with a backslash.
pub(super) const QUESTION: &str = "## Question";
pub(super) const THINKING: &str = "## Thinking";
pub(super) const ANSWER: &str = "## Answer";
pub(super) const PLACES: &str = "## Places";
pub(super) const OUTCOME: &str = "## Outcome";
pub(super) const HEADINGS: [&str; 5] = [QUESTION, THINKING, ANSWER, PLACES, OUTCOME];

pub(super) fn write(talk: &Talk) -> String {
    let mut out = format!("# {}\n\n", talk.title);
    if !talk.model.is_empty() {
        let _ = writeln!(out, "*Model: {}*", talk.model);
    }
    if !talk.documents.is_empty() {
        let _ = writeln!(out, "*Documents: {}*", talk.documents.len());
    }
    for turn in &talk.turns {
        write_turn(turn, &mut out);
    }
    out
}

fn write_turn(turn: &TalkTurn, out: &mut String) {
    let instead = turn
        .revises
        .map_or_else(String::new, |revised| format!(", instead of {revised}"));
    let past = if turn.stands { "" } else { ", set aside" };
    section(
        out,
        &format!("{QUESTION} {}{instead}{past}", turn.number),
        &turn.question,
    );
    let mut places = Vec::new();
    for piece in &turn.pieces {
        if !matches!(piece, Piece::Citation(_)) {
            flush(&mut places, out);
        }
        match piece {
            Piece::Thinking { text, tokens, took } => {
                let heading = format!("{THINKING}\n\n*{tokens} tokens, {:.1} s*", took.as_secs_f64());
                section(out, &heading, text);
            }
            Piece::Answer(text) => section(out, ANSWER, text),
            Piece::Citation(citation) => {
                let verdict = match &citation.verdict {
                    Verdict::Verified => "verified".to_owned(),
                    Verdict::Unverified { reason } => format!("unverified: {reason}"),
                };
                places.push(format!("- {}:{} {verdict}", citation.path, citation.line));
            }
            Piece::Note(text) => section(out, OUTCOME, text),
        }
    }
    flush(&mut places, out);
}

fn flush(places: &mut Vec<String>, out: &mut String) {
    if !places.is_empty() {
        section(out, PLACES, &places.join("\n"));
        places.clear();
    }
}

fn section(out: &mut String, heading: &str, text: &str) {
    let _ = write!(out, "\n{heading}\n\n");
    for line in text.trim_matches(['\n', '\r']).split('\n') {
        let bare = line.trim_start_matches('\\');
        if HEADINGS.iter().any(|heading| bare.starts_with(heading)) {
            out.push('\\');
        }
        out.push_str(line);
        out.push('\n');
    }
}
