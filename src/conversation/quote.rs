//! The protocol of the bundled model, which finds and quotes and does nothing else.
//!
//! It was trained on a handful of wordings around a span that stands verbatim in the documents, so a free question is
//! brought into one of them. The text before the span, the span and the text after it are encoded each by itself, as in
//! training: a span fused with its quotation mark has other tokens than the document's. Every question starts from the
//! bare documents; earlier turns only disturb this model.

use super::evidence::{Asked, Kind};
use super::{grounded, span};
use crate::context::{Layout, Pack, RunningLines};
use crate::engine::GuideMaker;
use crate::model::Tokenizer;

/// The wordings that the model knows: what stands before and after the span. The first of a kind is used for free
/// questions.
const TEMPLATES: [(Kind, &str, &str); 15] = [
    (Kind::Find, "Find `", "`"),
    (Kind::Find, "Which line has `", "`?"),
    (Kind::Find, "Where is the text `", "`?"),
    (Kind::Find, "Where does it say \"", "\"?"),
    (Kind::Find, "Quote the line with \"", "\""),
    (Kind::Find, "Where does ", " appear?"),
    (Kind::Define, "Where is `", "` defined?"),
    (Kind::Define, "Which line defines `", "`?"),
    (Kind::Define, "Find the definition of `", "`"),
    (Kind::Define, "Where is ", " declared?"),
    (Kind::Value, "What is the value of `", "`?"),
    (Kind::Value, "What is `", "` set to?"),
    (Kind::Value, "What is ", " equal to?"),
    (Kind::Needle("magic"), "What is the magic number for ", "?"),
    (Kind::Needle("special"), "What is the special number for ", "?"),
];

/// The ids that the protocol is made of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ids {
    pub file: u32,
    pub line: u32,
    pub question: u32,
    pub answer: u32,
    pub think: u32,
    pub end_think: u32,
    pub eos: u32,
}

/// A model that finds and quotes.
#[derive(Clone)]
pub struct QuoteModel {
    pub(super) tokenizer: Tokenizer,
    pub(super) ids: Ids,
}

/// A question as the model gets it.
#[derive(Debug, Clone)]
pub struct Prompt {
    /// The documents and the question.
    pub tokens: Vec<u32>,
    /// The wording given to the model, if it is not the person's.
    pub asked_as: Option<String>,
    pub(super) asked: Asked,
}

impl QuoteModel {
    /// Recognises the bundled model by its control tokens; a checkpoint with a chat template is another.
    #[must_use]
    pub fn recognise(tokenizer: &Tokenizer, has_chat_template: bool) -> Option<Self> {
        if has_chat_template {
            return None;
        }
        let ids = Ids {
            file: tokenizer.special("<file>")?,
            line: tokenizer.special("<ln>")?,
            question: tokenizer.special("<q>")?,
            answer: tokenizer.special("<a>")?,
            think: tokenizer.special("<think>")?,
            end_think: tokenizer.special("</think>")?,
            eos: tokenizer.special("<eos>")?,
        };
        Some(Self {
            tokenizer: tokenizer.clone(),
            ids,
        })
    }

    /// How documents are written down for it.
    #[must_use]
    pub fn layout(&self) -> Layout {
        Layout::RunningLines(RunningLines {
            file: self.ids.file,
            line: self.ids.line,
        })
    }

    /// Holds the reply to a question about `asked` to the documents.
    pub(super) fn guide(&self, pack: &Pack, asked: &Asked) -> GuideMaker {
        let answer = if asked.kind.wants_value() {
            grounded::Answer::Value
        } else {
            grounded::Answer::Place
        };
        // One token: the vocabulary spells every byte, and numbers are encoded apart from it.
        let newline = self.tokenizer.encode("\n");
        let newline = newline.first().copied().unwrap_or_default();
        let bytes_of = |id| self.tokenizer.token_bytes(id).map_or(0, <[u8]>::len);
        grounded::guide(pack, self.ids, newline, &asked.span, answer, &bytes_of)
    }

    /// Brings a question into a wording that the model knows.
    ///
    /// # Errors
    /// If nothing that the question names stands in the documents; the message says how to ask.
    pub fn ask(&self, question: &str, pack: &Pack) -> Result<Prompt, String> {
        if pack.lines() == 0 {
            return Err("there are no documents to find anything in. Name files or folders when starting".into());
        }
        let question = question.trim();
        let (asked, before, after) = exact(question, pack).map_or_else(|| free(question, pack), Ok)?;
        let written = self.as_in_documents(&asked.span, pack);
        let asked_as = format!("{before}{written}{after}");
        let mut tokens = pack.tokens.to_vec();
        tokens.push(self.ids.question);
        for piece in [before, &written, after] {
            tokens.extend(self.tokenizer.encode(piece));
        }
        tokens.push(self.ids.answer);
        Ok(Prompt {
            tokens,
            asked_as: (asked_as != question).then_some(asked_as),
            asked,
        })
    }

    /// The span with the spaces around it that it needs to have the same tokens as in the documents: ` = ` is one token
    /// and `=` another.
    fn as_in_documents(&self, span: &str, pack: &Pack) -> String {
        const LINES: usize = 20;
        let variants = [
            span.to_owned(),
            format!(" {span}"),
            format!("{span} "),
            format!(" {span} "),
        ];
        let ids = variants.each_ref().map(|variant| self.tokenizer.encode(variant));
        let holders = pack
            .documents
            .iter()
            .filter(|d| d.text.contains(span))
            .flat_map(|document| {
                let lines = document.lines.iter().zip(document.line_tokens.iter());
                lines
                    .filter(|(line, _)| document.text[(*line).clone()].contains(span))
                    .map(|(_, tokens)| tokens.clone())
            });
        let holders: Vec<&[u32]> = holders.take(LINES).map(|tokens| &pack.tokens[tokens]).collect();
        let fits = |ids: &Vec<u32>| {
            holders
                .iter()
                .any(|line| line.windows(ids.len().max(1)).any(|w| w == ids))
        };
        variants
            .into_iter()
            .zip(&ids)
            .find(|(_, ids)| fits(ids))
            .map_or_else(|| span.to_owned(), |(variant, _)| variant)
    }
}

type Wording = (Asked, &'static str, &'static str);

/// A question in the person's own words.
fn free(question: &str, pack: &Pack) -> Result<Wording, String> {
    let kind = kind_of(question);
    let asked = span::choose(question, kind, pack)?;
    let asked = implied(question, &asked, pack).unwrap_or(asked);
    let (before, after) = template_for(asked.kind, &asked.span);
    Ok((asked, before, after))
}

/// A question that already has one of the wordings, about a span that stands in the documents.
fn exact(question: &str, pack: &Pack) -> Option<Wording> {
    TEMPLATES.iter().find_map(|&(kind, before, after)| {
        let span = question.strip_prefix(before)?.strip_suffix(after)?;
        let marked_again = !before.ends_with(['`', '"']) && !span::quoted(span).is_empty();
        let stands = !span.trim().is_empty()
            && !span.contains('\n')
            && !marked_again
            && span::narrow(span, kind, pack).span == span
            && pack.documents.iter().any(|document| document.text.contains(span));
        stands.then(|| (Asked::new(kind, span), before, after))
    })
}

/// The first wording of a kind whose quotation marks are not in the span.
fn template_for(kind: Kind, span: &str) -> (&'static str, &'static str) {
    let clashes =
        |before: &str| before.ends_with(['`', '"']) && before.chars().next_back().is_some_and(|c| span.contains(c));
    let of_kind = || TEMPLATES.iter().filter(|template| template.0 == kind);
    let best = of_kind()
        .find(|template| !clashes(template.1))
        .or_else(|| of_kind().next())
        .unwrap_or(&TEMPLATES[0]);
    (best.1, best.2)
}

/// A question that has no word for it, but wants a definition or a value that can be told: "Where is the sampler
/// implemented?", "How large is LIMIT?".
fn implied(question: &str, asked: &Asked, pack: &Pack) -> Option<Asked> {
    const SIZES: [&str; 11] = [
        "big", "deep", "far", "high", "large", "long", "low", "many", "much", "often", "wide",
    ];
    let lower = question.to_lowercase();
    let words: Vec<&str> = lower.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    let size = matches!(words.as_slice(), ["how", size, ..] if SIZES.contains(size));
    let span = asked.span.to_lowercase();
    let bare = ["what is", "what's", "what’s"]
        .iter()
        .filter_map(|start| lower.strip_prefix(start))
        .any(|rest| rest.trim_matches(|c: char| c.is_whitespace() || "`'\"?.".contains(c)) == span);
    let implemented = words.iter().any(|word| word.starts_with("implement"));
    let kind = match (size || bare, implemented) {
        (true, _) => Kind::Value,
        (false, true) => Kind::Define,
        _ => return None,
    };
    let narrowed = span::narrow(&asked.span, kind, pack);
    let name = asked.kind == Kind::Find && !asked.span.contains(char::is_whitespace);
    (name && span::fits(&narrowed.span, kind, pack)).then_some(narrowed)
}

/// What a question wants, by its words outside of quotation marks.
fn kind_of(question: &str) -> Kind {
    let mut wording = String::new();
    let mut from = 0;
    for (start, end) in span::quoted(question) {
        wording.push_str(&question[from..start]);
        from = end;
    }
    wording.push_str(&question[from..]);
    let wording = wording.to_lowercase();
    let words: Vec<&str> = wording
        .split(|c: char| !c.is_alphanumeric())
        .filter(|w| !w.is_empty())
        .collect();
    let has = |any: &[&str]| words.iter().any(|word| any.contains(word));
    let pair = |first: &str, second: &str| words.windows(2).any(|pair| pair == [first, second]);
    if pair("magic", "number") {
        Kind::Needle("magic")
    } else if pair("special", "number") {
        Kind::Needle("special")
    } else if has(&[
        "define",
        "defined",
        "defines",
        "definition",
        "declare",
        "declared",
        "declares",
        "declaration",
    ]) {
        Kind::Define
    } else if has(&["value", "equal", "equals"]) || pair("set", "to") {
        Kind::Value
    } else {
        Kind::Find
    }
}

#[cfg(test)]
#[path = "quote_tests.rs"]
mod tests;
