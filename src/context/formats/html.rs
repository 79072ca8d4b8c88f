//! HTML as text.
//!
//! The tokenizer is a browser's (html5ever); the tree is left out. For text only the order of blocks matters, and what a
//! tree builder does besides (adopting, reparenting, scanning its stack for scopes) takes quadratic time on pages made
//! to be slow, and its trees overflow the stack when they are walked or dropped. Here nesting costs nothing.

use std::cell::RefCell;
use std::collections::HashSet;

use encoding_rs::Encoding;
use html5ever::tendril::StrTendril;
use html5ever::tokenizer::states::RawKind;
use html5ever::tokenizer::{BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts};

use super::flow::Flow;
use super::fragment::{Fragment, Mark};
use super::{Extracted, Refused, Watch};
use crate::context::encoding::{Binary, Decoded, decode_declared};

/// Bytes between two looks at the clock. A tag takes time by the square of its attributes.
const SLICE: usize = 8 << 10;
/// A page names its encoding within so many bytes.
const DECLARATION_WITHIN: usize = 4 << 10;
/// Bytes of a title.
const LONGEST_TITLE: usize = 1000;

/// How a page is read.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Options<'a> {
    /// By the rules of XML: `<a/>` is an empty element.
    pub xml: bool,
    /// The title is the first line, unless a heading says the same.
    pub title: bool,
    /// Ids that are to be found again as anchors.
    pub anchors: Option<&'a HashSet<String>>,
}

pub(super) fn extract(bytes: &[u8], watch: &Watch<'_>) -> Result<Extracted, Refused> {
    let Decoded { text, note } = decode(bytes)?;
    let options = Options {
        xml: text.trim_start().starts_with("<?xml"),
        title: true,
        anchors: None,
    };
    let fragment = fragment(&text, options, watch)?;
    let mut notes = vec!["the text of an HTML page, without its markup".to_owned()];
    notes.extend(note);
    Ok(fragment.finish(notes))
}

/// A page's characters, by what it says of its encoding.
pub(super) fn decode(bytes: &[u8]) -> Result<Decoded, Refused> {
    let head = &bytes[..bytes.len().min(DECLARATION_WITHIN)];
    decode_declared(bytes.to_vec(), declared(head)).map_err(|Binary| Refused::because("binary"))
}

/// What `<meta charset=…>`, `<meta content="…; charset=…">` or `<?xml encoding=…?>` says.
fn declared(head: &[u8]) -> Option<&'static Encoding> {
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let xml = head.trim_start().starts_with("<?xml");
    let key = if xml && head.contains("encoding=") {
        "encoding="
    } else {
        "charset="
    };
    let value = head.split_once(key)?.1.trim_start_matches(['"', '\'', ' ']);
    let end = value.find(['"', '\'', ' ', ';', '>', '/', '?']).unwrap_or(value.len());
    let encoding = Encoding::for_label(&value.as_bytes()[..end])?;
    // Whoever could read the declaration did not read UTF-16.
    Some(
        if encoding.is_ascii_compatible() || encoding == encoding_rs::ISO_2022_JP {
            encoding
        } else {
            encoding_rs::UTF_8
        },
    )
}

pub(super) fn fragment(text: &str, options: Options<'_>, watch: &Watch<'_>) -> Result<Fragment, Refused> {
    let page = Page {
        state: RefCell::new(State::new(watch.limits.text)),
        options,
    };
    let tokenizer = Tokenizer::new(page, TokenizerOpts::default());
    let queue = BufferQueue::default();
    let mut rest = text;
    while !rest.is_empty() {
        watch.check()?;
        let (slice, after) = rest.split_at(rest.floor_char_boundary(SLICE.min(rest.len())));
        rest = after;
        queue.push_back(StrTendril::from_slice(slice));
        while !matches!(tokenizer.feed(&queue), html5ever::TokenizerResult::Done) {}
        if tokenizer.sink.state.borrow().flow.overflowed() {
            return Err(watch.too_much_text());
        }
    }
    tokenizer.end();
    let state = tokenizer.sink.state.into_inner();
    let title = state.title.split_whitespace().collect::<Vec<_>>().join(" ");
    let body = state.flow.finish();
    let said = |mark: &(usize, Mark)| matches!(&mark.1, Mark::Section { title: heading, .. } if *heading == title);
    if !options.title || title.is_empty() || body.marks.iter().any(said) {
        return Ok(body);
    }
    let mut fragment = Fragment::default();
    fragment.line("", &title);
    fragment.line("", "");
    fragment.append(body);
    Ok(fragment)
}

struct Page<'a> {
    state: RefCell<State>,
    options: Options<'a>,
}

#[derive(Debug)]
struct State {
    flow: Flow,
    title: String,
    in_title: bool,
    /// An element that is left out, with how often it is open.
    skipped: Option<(String, usize)>,
}

impl State {
    fn new(limit: usize) -> Self {
        Self {
            flow: Flow::new(limit),
            title: String::new(),
            in_title: false,
            skipped: None,
        }
    }
}

impl TokenSink for Page<'_> {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        let state = &mut *self.state.borrow_mut();
        match token {
            Token::CharacterTokens(text) => {
                state.characters(&text);
                TokenSinkResult::Continue
            }
            Token::TagToken(tag) if tag.kind == TagKind::StartTag => {
                let raw = state.start(&tag, self.options);
                if self.options.xml && tag.self_closing {
                    state.end(&tag.name);
                    return TokenSinkResult::Continue;
                }
                raw
            }
            Token::TagToken(tag) => {
                state.end(&tag.name);
                TokenSinkResult::Continue
            }
            _ => TokenSinkResult::Continue,
        }
    }

    fn adjusted_current_node_present_but_not_in_html_namespace(&self) -> bool {
        self.options.xml
    }
}

impl State {
    fn characters(&mut self, text: &str) {
        if self.in_title {
            if self.title.len() < LONGEST_TITLE {
                self.title.push_str(text);
            }
        } else if self.skipped.is_none() {
            self.flow.text(text);
        }
    }

    fn start(&mut self, tag: &Tag, options: Options<'_>) -> TokenSinkResult<()> {
        let name: &str = &tag.name;
        if let Some((skipped, depth)) = &mut self.skipped {
            if skipped == name {
                *depth += 1;
            } else if breaks_out(skipped, name) {
                self.skipped = None;
            }
        }
        if self.skipped.is_none() {
            self.element(tag, name);
            self.anchors(tag, options);
        }
        match name {
            "script" => TokenSinkResult::RawData(RawKind::ScriptData),
            "style" | "iframe" | "noembed" | "noframes" | "xmp" => TokenSinkResult::RawData(RawKind::Rawtext),
            "title" if self.in_title => TokenSinkResult::RawData(RawKind::Rcdata),
            "textarea" => TokenSinkResult::RawData(RawKind::Rcdata),
            "plaintext" => TokenSinkResult::Plaintext,
            _ => TokenSinkResult::Continue,
        }
    }

    fn element(&mut self, tag: &Tag, name: &str) {
        let flow = &mut self.flow;
        match name {
            "title" if self.title.is_empty() => self.in_title = true,
            "title" | "script" | "style" | "iframe" | "noembed" | "noframes" | "template" | "noscript" | "svg"
            | "select" | "datalist" | "rt" | "rp" | "annotation" | "annotation-xml" => {
                self.skipped = Some((name.to_owned(), 1));
            }
            "math" => {
                if let Some(text) = attribute(tag, "alttext") {
                    flow.text(text);
                    self.skipped = Some((name.to_owned(), 1));
                }
            }
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => flow.begin_heading(name.as_bytes()[1] - b'0'),
            "br" => flow.line_break(),
            "pre" | "listing" | "xmp" | "plaintext" => flow.begin_verbatim(),
            "ul" | "menu" | "dir" => flow.begin_list(None),
            "ol" => {
                let first = attribute(tag, "start").and_then(|n| n.parse().ok());
                flow.begin_list(Some(first.unwrap_or(1)));
            }
            "li" => flow.item(),
            "table" => flow.begin_table(),
            "tr" | "thead" | "tbody" | "tfoot" | "caption" => flow.row(),
            "td" | "th" => flow.cell(),
            "img" => {
                if let Some(text) = attribute(tag, "alt") {
                    flow.text(text);
                }
            }
            "sup" => flow.raised(true),
            "a" => flow.begin_link(attribute(tag, "href")),
            _ if is_block(name) => flow.end_block(),
            _ => {}
        }
    }

    fn end(&mut self, name: &str) {
        if name == "title" && self.in_title {
            self.in_title = false;
            return;
        }
        if let Some((skipped, depth)) = &mut self.skipped {
            if skipped == name {
                *depth -= 1;
                if *depth == 0 {
                    self.skipped = None;
                }
            } else if name == "ruby" && matches!(skipped.as_str(), "rt" | "rp") {
                self.skipped = None;
            }
            return;
        }
        let flow = &mut self.flow;
        match name {
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => flow.end_heading(),
            "pre" | "listing" | "xmp" => flow.end_verbatim(),
            "ul" | "menu" | "dir" | "ol" => flow.end_list(),
            "table" => flow.end_table(),
            "tr" => flow.row(),
            "td" | "th" => flow.end_cell(),
            "sup" => flow.raised(false),
            "a" => flow.end_link(),
            _ if is_block(name) => flow.end_block(),
            _ => {}
        }
    }

    fn anchors(&mut self, tag: &Tag, options: Options<'_>) {
        let Some(wanted) = options.anchors else { return };
        let id = attribute(tag, "id").or_else(|| attribute(tag, "name").filter(|_| &*tag.name == "a"));
        if let Some(id) = id.filter(|&id| wanted.contains(id)) {
            self.flow.mark(Mark::Anchor(id.to_owned()));
        }
    }
}

fn attribute<'a>(tag: &'a Tag, name: &str) -> Option<&'a str> {
    let found = tag.attrs.iter().find(|attribute| &*attribute.name.local == name);
    found.map(|attribute| &*attribute.value)
}

/// What cannot be in an element that is left out, so that one which is never closed does not take the page with it.
fn breaks_out(skipped: &str, name: &str) -> bool {
    match skipped {
        "template" | "noscript" => name == "body",
        "rt" | "rp" => matches!(name, "rb" | "rt" | "rp" | "rtc" | "ruby") || is_block(name),
        _ => {
            is_block(name)
                || matches!(
                    name,
                    "table" | "ul" | "ol" | "li" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6"
                )
        }
    }
}

fn is_block(name: &str) -> bool {
    matches!(
        name,
        "address"
            | "article"
            | "aside"
            | "blockquote"
            | "body"
            | "center"
            | "dd"
            | "details"
            | "dialog"
            | "div"
            | "dl"
            | "dt"
            | "fieldset"
            | "figcaption"
            | "figure"
            | "footer"
            | "form"
            | "header"
            | "hgroup"
            | "hr"
            | "legend"
            | "main"
            | "nav"
            | "p"
            | "search"
            | "section"
            | "summary"
            | "textarea"
    )
}

#[cfg(test)]
#[path = "html_tests.rs"]
mod tests;
