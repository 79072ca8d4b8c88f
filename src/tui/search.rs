//! Searching what was said, and the documents.
//!
//! What is searched for is written in a prompt and found while it is written; afterwards one walks from match to match. A
//! scope is a list of texts ([`Hits`]): the blocks of the transcript, those that do not belong to the scope being empty, or
//! the documents. New text is searched when it has come; a match is a part of a source, so that folds and widths do not
//! matter to it. Nothing here searches for long: [`Search::go_on`] goes through a slice.

mod found;
mod hits;
pub mod keys;
mod pattern;
mod prompt;
#[cfg(test)]
mod tests;

use std::ops::Range;

pub use found::Found;
pub use hits::Hit;
use hits::{Answer, Hits, Wanted};
pub use pattern::Pattern;
pub use prompt::Prompt;

use super::format;
use super::transcript::{Block, BlockId, Folds, Kind, Transcript};
use crate::context::Pack;

/// Bytes that are gone through at once: a few milliseconds for the slowest expression.
const SLICE: usize = 64 * 1024;

/// What is searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scope {
    /// One thinking.
    Trace,
    Traces,
    Answers,
    /// Everything that was said.
    #[default]
    Said,
    Documents,
}

impl Scope {
    const ALL: [Self; 5] = [Self::Said, Self::Answers, Self::Traces, Self::Trace, Self::Documents];

    pub fn name(self) -> &'static str {
        match self {
            Self::Trace => "this trace",
            Self::Traces => "all traces",
            Self::Answers => "answers",
            Self::Said => "everything said",
            Self::Documents => "documents",
        }
    }

    fn beside(self, forward: bool) -> Self {
        let here = Self::ALL.iter().position(|&scope| scope == self).unwrap_or(0);
        let step = if forward { 1 } else { Self::ALL.len() - 1 };
        Self::ALL[(here + step) % Self::ALL.len()]
    }
}

/// A block that was opened for a match in it.
#[derive(Debug)]
struct Opened {
    block: BlockId,
    offset: usize,
    before: Folds,
    after: Folds,
}

#[derive(Debug, Default)]
pub struct Search {
    prompt: Option<Prompt>,
    pub scope: Scope,
    /// The thinking that [`Scope::Trace`] means.
    trace: Option<BlockId>,
    hits: Option<Hits>,
    /// What is wrong with what is written.
    wrong: Option<String>,
    current: Option<Hit>,
    wanted: Option<Wanted>,
    /// The last step went around the end, or the beginning.
    around: Option<&'static str>,
    opened: Option<Opened>,
    /// What was searched for, the newest last.
    history: Vec<String>,
}

impl Search {
    pub fn prompt(&self) -> Option<&Prompt> {
        self.prompt.as_ref()
    }

    pub fn is_prompting(&self) -> bool {
        self.prompt.is_some()
    }

    /// Whether something is searched for, so that there are marks and a number.
    pub fn is_active(&self) -> bool {
        self.hits.is_some()
    }

    pub fn is_working(&self) -> bool {
        self.hits.as_ref().is_some_and(|hits| !hits.is_done())
    }

    pub fn pattern(&self) -> Option<&Pattern> {
        self.hits.as_ref().map(Hits::pattern)
    }

    pub fn wrong(&self) -> Option<&str> {
        self.wrong.as_deref()
    }

    /// Begins to write what to search for.
    pub fn open(&mut self, transcript: &mut Transcript, scope: Scope) {
        self.prompt = Some(Prompt::new(transcript));
        self.trace = transcript.thinking();
        self.scope = scope;
        self.wrong = None;
        self.seek(transcript);
    }

    /// Changes what is written in the prompt, and searches for that.
    pub fn write(&mut self, transcript: &mut Transcript, change: impl FnOnce(&mut Prompt, &[String])) {
        if let Some(prompt) = &mut self.prompt {
            change(prompt, &self.history);
            self.seek(transcript);
        }
    }

    pub fn change_scope(&mut self, transcript: &mut Transcript, forward: bool) {
        self.scope = self.scope.beside(forward);
        self.seek(transcript);
    }

    /// Searches for what is written, from where the person was on.
    fn seek(&mut self, transcript: &mut Transcript) {
        let Some(prompt) = &mut self.prompt else {
            return;
        };
        prompt.chosen = 0;
        let (origin, back) = (prompt.origin, prompt.back.clone());
        let pattern = Some(prompt.text()).filter(|text| !text.is_empty()).map(Pattern::new);
        self.fold_back(transcript, None);
        transcript.return_to(&back);
        (self.current, self.around, self.wanted, self.wrong) = (None, None, None, None);
        self.hits = match pattern {
            None => None,
            Some(Ok(pattern)) => Some(Hits::of(pattern)),
            Some(Err(message)) => {
                self.wrong = Some(message);
                None
            }
        };
        if self.hits.is_some() && self.scope != Scope::Documents {
            self.wanted = Some(Wanted {
                from: origin,
                forward: true,
            });
        }
    }

    /// Keeps what is written, and closes the prompt. Nothing written is what was searched for before.
    pub fn accept(&mut self, transcript: &mut Transcript) {
        if self.prompt.as_ref().is_some_and(|prompt| prompt.text().is_empty()) {
            self.write(transcript, |prompt, history| prompt.recall(true, history));
        }
        let Some(prompt) = self.prompt.take() else {
            return;
        };
        let text = prompt.text().to_owned();
        if self.hits.is_some() {
            self.history.retain(|before| *before != text);
            self.history.push(text);
        }
    }

    /// Back to where the person was, as if nothing had been searched for.
    pub fn dismiss(&mut self, transcript: &mut Transcript) {
        if let Some(prompt) = self.prompt.take() {
            self.fold_back(transcript, None);
            transcript.return_to(&prompt.back);
            self.forget();
        }
    }

    /// No marks any more; the person stays where they are.
    pub fn forget(&mut self) {
        (self.hits, self.wrong, self.current) = (None, None, None);
        (self.wanted, self.around, self.opened) = (None, None, None);
    }

    /// The documents are others: they are searched anew.
    pub fn renew(&mut self) {
        if self.scope == Scope::Documents
            && let Some(hits) = self.hits.take()
        {
            self.hits = Some(Hits::of(hits.pattern().clone()));
            (self.current, self.wanted) = (None, None);
        }
    }

    /// Looks for the match after the current one, or the one before: from where the person reads, if they went elsewhere.
    pub fn step(&mut self, transcript: &mut Transcript, forward: bool) {
        let documents = self.scope == Scope::Documents;
        let current = self.current.as_ref();
        let at_current = current.filter(|hit| documents || transcript.reads_at(hit.text, hit.at.start));
        let from = match at_current {
            Some(hit) => (hit.text, if forward { hit.at.end } else { hit.at.start }),
            None if documents => (0, 0),
            None => {
                let (text, byte) = transcript.reading_spot();
                // A match that begins under the cursor is where one is already.
                (text, byte + usize::from(forward))
            }
        };
        self.wanted = Some(Wanted { from, forward });
    }

    /// Looks for the first match of the text after this one that has some, or of the one before.
    pub fn beyond(&mut self, text: usize, forward: bool) {
        let from = if forward { (text + 1, 0) } else { (text, 0) };
        self.wanted = Some(Wanted { from, forward });
    }

    /// Goes through a slice of what has not been gone through, and to the match that is looked for, once that is known. A
    /// match in a document is returned, to be opened.
    pub fn go_on(&mut self, transcript: &mut Transcript, pack: &Pack) -> Option<Hit> {
        let hits = self.hits.as_mut()?;
        match self.scope {
            Scope::Documents => hits.go_on(pack.documents.len(), |text| &pack.documents[text].text, SLICE),
            scope => {
                let (blocks, trace) = (transcript.blocks(), self.trace);
                let text = |id: BlockId| {
                    if is_searched(&blocks[id], id, scope, trace) {
                        blocks[id].source()
                    } else {
                        ""
                    }
                };
                hits.go_on(blocks.len(), text, SLICE);
            }
        }
        match hits.find(self.wanted?) {
            Answer::Wait => None,
            Answer::Nothing => {
                self.wanted = None;
                None
            }
            Answer::Hit(hit, around) => {
                let forward = self.wanted.take().is_none_or(|wanted| wanted.forward);
                self.around = around.then_some(if forward { "from the top" } else { "from the end" });
                self.current = Some(hit.clone());
                if self.scope == Scope::Documents {
                    return Some(hit);
                }
                self.fold_back(transcript, Some(hit.text));
                if let Some(before) = transcript.reveal_text(hit.text, &hit.at) {
                    self.opened = Some(Opened {
                        block: hit.text,
                        offset: hit.at.start,
                        before,
                        after: transcript.blocks()[hit.text].folds(hit.at.start),
                    });
                }
                None
            }
        }
    }

    /// What was opened for a match is folded again, unless it is this block, or the person has folded it otherwise since.
    fn fold_back(&mut self, transcript: &mut Transcript, but: Option<BlockId>) {
        if let Some(opened) = self.opened.take_if(|opened| Some(opened.block) != but)
            && transcript.blocks()[opened.block].folds(opened.offset) == opened.after
        {
            transcript.set_folds(opened.block, opened.before);
        }
    }

    /// The matches in a block that touch these bytes, with whether each is the one that was gone to.
    pub fn within(&self, block: BlockId, bytes: &Range<usize>) -> impl Iterator<Item = (&Range<usize>, bool)> {
        let hits = self.hits.as_ref().filter(|_| self.scope != Scope::Documents);
        let current = self.current.as_ref().filter(|hit| hit.text == block);
        let within = hits.map_or(&[][..], |hits| hits.within(block, bytes));
        within
            .iter()
            .map(move |at| (at, current.is_some_and(|hit| hit.at == *at)))
    }

    /// The documents that have matches, and how many are in each.
    pub fn documents(&self) -> &[usize] {
        let hits = self.hits.as_ref().filter(|_| self.scope == Scope::Documents);
        hits.map_or(&[], Hits::having)
    }

    pub fn matches_in(&self, text: usize) -> &[Range<usize>] {
        self.hits.as_ref().map_or(&[], |hits| hits.in_text(text))
    }

    /// Chooses the next document of the prompt's list, or the one before.
    pub fn choose(&mut self, forward: bool) {
        let last = self.documents().len().saturating_sub(1);
        if let Some(prompt) = &mut self.prompt {
            let to = if forward {
                prompt.chosen + 1
            } else {
                prompt.chosen.saturating_sub(1)
            };
            prompt.chosen = to.min(last);
        }
    }

    /// The first match of the document that is chosen in the prompt's list.
    pub fn chosen(&mut self) -> Option<Hit> {
        let chosen = self.prompt.as_ref().map_or(0, |prompt| prompt.chosen);
        let text = *self.documents().get(chosen)?;
        let hit = Hit {
            text,
            at: self.matches_in(text).first()?.clone(),
        };
        self.current = Some(hit.clone());
        Some(hit)
    }

    /// `17/312`, `312…` while more is being searched, `no match`.
    pub fn count(&self) -> String {
        let Some(hits) = &self.hits else {
            return String::new();
        };
        let more = match (hits.is_done(), hits.is_full()) {
            (_, true) => "+",
            (false, _) => "…",
            (true, false) => "",
        };
        let total = format::count(hits.total());
        match self.current.as_ref().and_then(|hit| hits.number(hit)) {
            Some(number) => format!("{}/{total}{more}", format::count(number)),
            None if hits.total() == 0 && hits.is_done() => "no match".to_owned(),
            None => format!("{total}{more}"),
        }
    }

    /// Where the last step went around, if it did.
    pub fn around(&self) -> Option<&'static str> {
        self.around
    }
}

fn is_searched(block: &Block, id: BlockId, scope: Scope, trace: Option<BlockId>) -> bool {
    match scope {
        Scope::Trace => Some(id) == trace,
        Scope::Traces => matches!(block.kind, Kind::Thinking(_)),
        Scope::Answers => block.kind == Kind::Answer,
        Scope::Said => true,
        Scope::Documents => false,
    }
}
