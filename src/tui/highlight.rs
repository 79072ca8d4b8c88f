//! Colours of code, found on a thread of their own: of documents that are looked at, and of what an answer has of code.
//!
//! A line's colours depend on all lines before it, so the state of the parser is kept at every chunk; what lies behind a
//! state is never parsed again. Far beyond the last of them a guess comes first, from a little above, and then the truth,
//! when the parser has come there. A parser reads some twenty thousand lines a second, and shares the machine with the
//! model: farther than that the guess is all. A newer wish ends the older one between two chunks. Nothing is loaded before
//! the first wish, and files that are too large, and lines that are too long, stay plain.

mod code;
mod scopes;

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use syntect::parsing::{ParseState, ScopeStack, SyntaxReference, SyntaxSet};

use super::viewer::{CHUNK, Highlighted, Paint, Text, Wanted};
use code::Codes;
pub use code::{CodeHighlighted, CodeWanted};
use scopes::Scopes;

/// A larger file stays plain.
const LARGEST: usize = 32 * 1024 * 1024;
/// A longer line stays plain, and is taken for one without effect on those after it.
pub const LONGEST_LINE: usize = 2048;
/// So many chunks are parsed before a wish is answered; farther, and a guess comes first.
const NEAR: usize = 16;
/// So many chunks are parsed after a guess, at most.
const FAR: usize = 160;
/// A guess begins so many chunks above.
const RUN_UP: usize = 4;

/// What is to be coloured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// A newer one of this kind ends it.
    Document(Wanted),
    /// It is always answered.
    Code(CodeWanted),
}

/// What has been coloured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    Document(Highlighted),
    Code(CodeHighlighted),
}

/// The thread that colours. It ends with this.
pub struct Highlighter(Sender<Wish>);

impl Highlighter {
    /// `send` is called with what is found, on the thread.
    pub fn start(send: impl FnMut(Found) + Send + 'static) -> std::io::Result<Self> {
        let (wishes, received) = channel();
        thread::Builder::new()
            .name("highlighter".into())
            .spawn(move || work(&received, send))?;
        Ok(Self(wishes))
    }

    pub fn ask(&self, wish: Wish) {
        // If the thread is gone, everything stays plain.
        let _ = self.0.send(wish);
    }
}

/// What is still to be done.
#[derive(Default)]
struct Waiting {
    document: Option<Wanted>,
    code: VecDeque<CodeWanted>,
}

impl Waiting {
    fn take(&mut self, wish: Wish) {
        match wish {
            Wish::Document(wanted) => self.document = Some(wanted),
            Wish::Code(wanted) => self.code.push_back(wanted),
        }
    }

    fn take_all(&mut self, wishes: &Receiver<Wish>) {
        for wish in wishes.try_iter() {
            self.take(wish);
        }
    }
}

fn work(wishes: &Receiver<Wish>, mut send: impl FnMut(Found)) {
    let mut waiting = Waiting::default();
    let Ok(first) = wishes.recv() else {
        return;
    };
    waiting.take(first);
    let syntaxes = two_face::syntax::extra_newlines();
    let mut codes = Codes::new(&syntaxes);
    let mut document: Option<Document<'_>> = None;
    loop {
        waiting.take_all(wishes);
        if let Some(code) = waiting.code.pop_front() {
            send(Found::Code(codes.highlight(&code)));
        } else if let Some(wanted) = waiting.document.take() {
            let mut current = match document.take() {
                Some(document) if document.text == wanted.text => document,
                _ => Document::new(wanted.text.clone(), &syntaxes),
            };
            current.highlight(wanted.chunks, &mut |found| send(Found::Document(found)), &mut || {
                waiting.take_all(wishes);
                waiting.document.is_some()
            });
            document = Some(current);
        } else if let Ok(wish) = wishes.recv() {
            waiting.take(wish);
        } else {
            return;
        }
    }
}

/// Where the parser stands at the beginning of a line.
#[derive(Clone)]
struct State {
    parser: ParseState,
    stack: ScopeStack,
}

/// A document and how far it has been parsed.
struct Document<'s> {
    text: Text,
    syntaxes: &'s SyntaxSet,
    /// Nothing: it stays plain.
    syntax: Option<&'s SyntaxReference>,
    scopes: Scopes,
    /// At the beginning of each chunk that has been come to.
    states: Vec<State>,
}

impl<'s> Document<'s> {
    fn new(text: Text, syntaxes: &'s SyntaxSet) -> Self {
        let small = text.document().text.len() <= LARGEST;
        let syntax = small.then(|| syntax_of(&text, syntaxes)).flatten();
        Self {
            states: syntax.map(State::new).into_iter().collect(),
            scopes: Scopes::default(),
            text,
            syntaxes,
            syntax,
        }
    }

    /// Sends the colours of these chunks, unless `stop` says that something else is wanted.
    fn highlight(&mut self, chunks: Range<usize>, send: &mut impl FnMut(Highlighted), stop: &mut impl FnMut() -> bool) {
        let chunks = chunks.start..chunks.end.min(self.text.lines().div_ceil(CHUNK));
        let Some(syntax) = self.syntax else {
            for chunk in chunks {
                send(self.answer(chunk, Vec::new(), true));
            }
            return;
        };
        let distance = chunks.start.saturating_sub(self.states.len());
        if distance >= NEAR {
            let mut state = State::new(syntax);
            for chunk in chunks.start.saturating_sub(RUN_UP)..chunks.end {
                let lines = self.parse(chunk, &mut state);
                if chunks.contains(&chunk) {
                    send(self.answer(chunk, lines, distance >= FAR));
                }
                if stop() {
                    return;
                }
            }
            if distance >= FAR {
                return;
            }
        }
        // The chunk whose state is the last one known is the first that has not been parsed.
        let first = chunks.start.min(self.states.len() - 1);
        for chunk in first..chunks.end {
            let known = self.states.len();
            let mut state = self.states[chunk].clone();
            let lines = self.parse(chunk, &mut state);
            if chunk + 1 == known {
                self.states.push(state);
            }
            if chunks.contains(&chunk) {
                send(self.answer(chunk, lines, true));
            }
            if stop() {
                return;
            }
        }
    }

    fn answer(&self, chunk: usize, lines: Vec<Vec<Paint>>, settled: bool) -> Highlighted {
        Highlighted {
            text: self.text.clone(),
            chunk,
            lines,
            settled,
        }
    }

    /// The colours of a chunk's lines; the state goes on to its end.
    fn parse(&mut self, chunk: usize, state: &mut State) -> Vec<Vec<Paint>> {
        let lines = chunk * CHUNK..((chunk + 1) * CHUNK).min(self.text.lines());
        let mut with_end = String::new();
        lines
            .map(|line| {
                let line = self.text.line(line);
                if line.len() > LONGEST_LINE {
                    return Vec::new();
                }
                with_end.clear();
                with_end.push_str(line);
                with_end.push('\n');
                state.paint(&with_end, line.len(), self.syntaxes, &mut self.scopes)
            })
            .collect()
    }
}

impl State {
    fn new(syntax: &SyntaxReference) -> Self {
        Self {
            parser: ParseState::new(syntax),
            stack: ScopeStack::new(),
        }
    }

    /// The colours of a line, without its end. A line that the grammar fails on stays plain.
    fn paint(&mut self, line: &str, len: usize, syntaxes: &SyntaxSet, scopes: &mut Scopes) -> Vec<Paint> {
        let Ok(operations) = self.parser.parse_line(line, syntaxes) else {
            return Vec::new();
        };
        let mut paints: Vec<Paint> = Vec::new();
        let mut from = 0;
        let mut add = |from: usize, to: usize, stack: &ScopeStack| {
            let to = to.min(len);
            let Some(part) = scopes.part(stack).filter(|_| from < to) else {
                return;
            };
            let (from, to) = (from as u32, to as u32);
            match paints.last_mut() {
                Some(last) if last.part == part && last.to == from => last.to = to,
                _ => paints.push(Paint { from, to, part }),
            }
        };
        for (at, operation) in operations {
            add(from, at, &self.stack);
            from = at;
            if self.stack.apply(&operation).is_err() {
                self.stack = ScopeStack::new();
            }
        }
        add(from, len, &self.stack);
        paints
    }
}

/// The grammar of a document: by the name of its file, by its extension, by its first line.
fn syntax_of<'s>(text: &Text, syntaxes: &'s SyntaxSet) -> Option<&'s SyntaxReference> {
    let path = &text.document().path;
    let name = path.rsplit('/').next().unwrap_or(path);
    let extension = name.rsplit_once('.').map(|(_, extension)| extension);
    let first = text.line(0);
    let short = first.get(..first.floor_char_boundary(200)).unwrap_or_default();
    syntaxes
        .find_syntax_by_extension(name)
        .or_else(|| syntaxes.find_syntax_by_extension(extension?))
        .or_else(|| syntaxes.find_syntax_by_extension(&extension?.to_ascii_lowercase()))
        .or_else(|| syntaxes.find_syntax_by_first_line(short))
        .filter(|syntax| syntax.name != "Plain Text")
}

#[cfg(test)]
mod tests;
