//! A session as one page that needs nothing else: thinking folds, light and dark, and the record is in it.

use std::fmt::Write as _;

use super::object;
use super::talk::{Piece, Talk, TalkTurn};
use crate::conversation::Verdict;
use crate::session::read::Record;
use crate::session::store::civil;

/// What the record stands behind.
pub(super) const EMBEDDED: &str = "<script type=\"application/json\" id=\"session\">";
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

pub(super) fn write(talk: &Talk, record: &Record) -> String {
    let mut out = String::new();
    let title = escape(&talk.title);
    let _ = write!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; \
         script-src 'unsafe-inline'; img-src data:\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<header>\n<h1>{title}</h1>\n<p>{}</p>\n\
         <nav><button type=\"button\" id=\"fold\">Unfold all thinking</button> \
         <button type=\"button\" id=\"theme\">Light or dark</button></nav>\n</header>\n<main>\n",
        about(talk)
    );
    for turn in &talk.turns {
        write_turn(turn, &mut out);
    }
    // A `<` in a script could end it.
    let embedded = object(record).to_string().replace('<', "\\u003c");
    let _ = write!(
        out,
        "</main>\n{EMBEDDED}{embedded}</script>\n<script>\n{SCRIPT}</script>\n</body>\n</html>\n"
    );
    out
}

fn about(talk: &Talk) -> String {
    let mut parts = Vec::new();
    if talk.began > 0 {
        let (year, month, day, second) = civil(talk.began / 1000);
        let (hours, minutes) = (second / 3600, second / 60 % 60);
        parts.push(format!("{year:04}-{month:02}-{day:02} {hours:02}:{minutes:02} UTC"));
    }
    if !talk.model.is_empty() {
        parts.push(escape(&talk.model));
    }
    match talk.documents.len() {
        0 => {}
        1 => parts.push("1 document".to_owned()),
        documents => parts.push(format!("{documents} documents")),
    }
    parts.join(" · ")
}

fn write_turn(turn: &TalkTurn, out: &mut String) {
    let past = if turn.stands { "" } else { " past" };
    let number = turn.number;
    let instead = turn.revises.map_or_else(String::new, |revised| {
        format!(" <a href=\"#turn-{revised}\">instead of {revised}</a>")
    });
    let _ = write!(
        out,
        "<article class=\"turn{past}\" id=\"turn-{number}\">\n<h2><a href=\"#turn-{number}\">{number}</a>{instead}</h2>\n\
         <div class=\"question\">{}</div>\n",
        escape(&turn.question)
    );
    let mut cites = false;
    for piece in &turn.pieces {
        let is_citation = matches!(piece, Piece::Citation(_));
        if cites != is_citation {
            out.push_str(if is_citation {
                "<ul class=\"places\">\n"
            } else {
                "</ul>\n"
            });
            cites = is_citation;
        }
        write_piece(piece, out);
    }
    out.push_str(if cites { "</ul>\n</article>\n" } else { "</article>\n" });
}

fn write_piece(piece: &Piece, out: &mut String) {
    let _ = match piece {
        Piece::Thinking { text, tokens, took } => write!(
            out,
            "<details class=\"thinking\"><summary>thought {:.1} s · {tokens} tokens</summary>\n<div>{}</div></details>\n",
            took.as_secs_f64(),
            escape(text.trim_matches('\n'))
        ),
        Piece::Answer(text) if text.trim().is_empty() => Ok(()),
        Piece::Answer(text) => writeln!(out, "<div class=\"answer\">{}</div>", prose(text.trim_matches('\n'))),
        Piece::Citation(citation) => {
            let (class, verdict) = match &citation.verdict {
                Verdict::Verified => ("verified", "✓ verified".to_owned()),
                Verdict::Unverified { reason } => ("unverified", format!("? {reason}")),
            };
            let section = citation
                .section
                .as_ref()
                .map_or_else(String::new, |section| format!(" ({section})"));
            writeln!(
                out,
                "<li class=\"{class}\"><code>{}:{}</code>{} {}</li>",
                escape(&citation.path),
                citation.line,
                escape(&section),
                escape(&verdict)
            )
        }
        Piece::Note(text) => writeln!(out, "<p class=\"note\">{}</p>", escape(text)),
    };
}

/// Text of a model: fences become code, everything else stays as it is written.
fn prose(text: &str) -> String {
    let mut out = String::new();
    let mut fence: Option<&str> = None;
    for line in text.split('\n') {
        let mark = ["```", "~~~"]
            .into_iter()
            .find(|mark| line.trim_start().starts_with(mark));
        match (fence, mark) {
            (None, Some(mark)) => {
                fence = Some(mark);
                out.push_str("<pre><code>");
            }
            (Some(open), Some(mark)) if open == mark && line.trim().chars().all(|c| mark.starts_with(c)) => {
                fence = None;
                out.push_str("</code></pre>");
            }
            (Some(_), _) => {
                out.push_str(&escape(line));
                out.push('\n');
            }
            (None, None) => {
                out.push_str(&inline(line));
                out.push('\n');
            }
        }
    }
    if fence.is_some() {
        out.push_str("</code></pre>");
    }
    out
}

/// What stands between backquotes is code.
fn inline(line: &str) -> String {
    let mut parts = line.split('`');
    let mut out = escape(parts.next().unwrap_or_default());
    while let Some(code) = parts.next() {
        if let Some(after) = parts.next() {
            let _ = write!(out, "<code>{}</code>{}", escape(code), escape(after));
        } else {
            out.push('`');
            out.push_str(&escape(code));
        }
    }
    out
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if c.is_control() && !matches!(c, '\n' | '\t') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
