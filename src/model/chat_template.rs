//! From a list of messages to the ids that a chat model expects.
//!
//! A template is a small program that comes with the checkpoint; it decides where control tokens stand. Contents must
//! not: whatever a message or a document says, no piece of it becomes a control token. Contents are therefore rendered
//! with *guards*, noncharacters that occur in none of them: one at each end of a content (inside its white space, so
//! that trimming works as ever) and one inside each spelling of an added token. Control tokens are then looked for in
//! the rendered text, where guards hide those of the contents, and the guards are removed from the text between them.
//!
//! Documents are not rendered at all. A *placeholder* stands for them and is replaced by their ids, encoded once; so
//! they are never scanned again and the ids before and inside them stay the same from turn to turn.

mod strftime;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::SystemTime;

use minijinja::{AutoEscape, Environment, Error, ErrorKind, Value, context, syntax::SyntaxConfig};

use super::tokenizer::AddedToken;
use super::{ModelError, Tokenizer};

/// Who says something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    System,
    User,
    Assistant,
    Tool,
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::Tool => "tool",
        }
    }
}

/// One turn of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub role: Role,
    pub content: String,
    /// What was thought before it; it is up to the template what becomes of it.
    pub thinking: Option<String>,
}

impl Message {
    #[must_use]
    pub fn new(role: Role, content: impl Into<String>) -> Self {
        Self {
            role,
            content: content.into(),
            thinking: None,
        }
    }
}

/// A conversation as ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodedChat {
    pub tokens: Vec<u32>,
    /// How many of them come before the end of the documents: the part that does not change from turn to turn.
    pub prefix: usize,
    /// The rendered text ends inside an open `<think>`.
    pub thinking_open: bool,
}

/// A checkpoint's chat template.
#[derive(Debug, Clone)]
pub struct ChatTemplate {
    environment: Environment<'static>,
    tokens: BTreeMap<&'static str, String>,
    keeps_thinking: bool,
}

const NAME: &str = "chat_template";
const TOKEN_KEYS: [&str; 4] = ["bos_token", "eos_token", "unk_token", "pad_token"];

impl ChatTemplate {
    /// Reads the template of the checkpoint in `dir`: `chat_template.jinja`, else the key of that name in
    /// `tokenizer_config.json`. `None` if it has none.
    pub fn load(dir: &Path) -> Result<Option<Self>, ModelError> {
        let config_path = dir.join("tokenizer_config.json");
        let config = match read_if_present(&config_path)? {
            Some(text) => serde_json::from_str(&text)
                .map_err(|e| ModelError::malformed(&config_path, format!("is not JSON: {e}. Download it again")))?,
            None => serde_json::Value::Null,
        };
        let file_path = dir.join("chat_template.jinja");
        let (source, path) = match read_if_present(&file_path)? {
            Some(source) => (Some(source), file_path),
            None => (template_of(&config["chat_template"]), config_path),
        };
        let Some(source) = source else { return Ok(None) };
        let tokens = TOKEN_KEYS.iter().filter_map(|&key| {
            let value = &config[key];
            let text = value.as_str().or_else(|| value["content"].as_str())?;
            Some((key, text.to_owned()))
        });
        Self::from_source(source, tokens.collect(), &path).map(Some)
    }

    /// Compiles the text of a template; `tokens` are those it may name, by their keys, and `path` is for messages.
    pub(super) fn from_source(
        source: String,
        tokens: BTreeMap<&'static str, String>,
        path: &Path,
    ) -> Result<Self, ModelError> {
        Self::new(source, tokens).map_err(|e| {
            ModelError::malformed(
                path,
                format!("has a chat template that cannot be used: {}", describe(&e)),
            )
        })
    }

    fn new(source: String, tokens: BTreeMap<&'static str, String>) -> Result<Self, Error> {
        let mut environment = Environment::new();
        environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_function("raise_exception", |message: String| -> Result<Value, Error> {
            Err(Error::new(ErrorKind::InvalidOperation, message))
        });
        environment.add_function("strftime_now", |format: &str| {
            strftime::strftime(format, SystemTime::now())
        });
        environment.add_template_owned(NAME, source)?;
        let mut template = Self {
            environment,
            tokens,
            keeps_thinking: false,
        };
        template.keeps_thinking = template.shows_earlier_thinking();
        Ok(template)
    }

    /// Whether what was thought in earlier turns stands in prompts. Most templates leave it out, also where they are given it.
    #[must_use]
    pub fn keeps_thinking(&self) -> bool {
        self.keeps_thinking
    }

    /// The same without it, whatever the template would do.
    #[must_use]
    pub fn without_thinking(mut self) -> Self {
        self.keeps_thinking = false;
        self
    }

    /// Tries it.
    fn shows_earlier_thinking(&self) -> bool {
        const THOUGHT: &str = "a thought of an earlier turn";
        let answer = Message {
            thinking: Some(THOUGHT.to_owned()),
            ..Message::new(Role::Assistant, "an answer")
        };
        let messages = [Message::new(Role::User, "one"), answer, Message::new(Role::User, "two")];
        self.render(&messages, true).is_ok_and(|text| text.contains(THOUGHT))
    }

    /// The text of the template.
    #[must_use]
    pub fn source(&self) -> String {
        let template = self.environment.get_template(NAME);
        template.map_or_else(|_| String::new(), |template| template.source().to_owned())
    }

    /// The prompt as text.
    pub fn render(&self, messages: &[Message], add_generation_prompt: bool) -> Result<String, String> {
        let guard = unused_characters(messages, 1)?[0];
        let contents = messages.iter().map(|m| Guarded::of(m, guard, &[], ""));
        let rendered = self.render_guarded(messages, &contents.collect::<Vec<_>>(), add_generation_prompt)?;
        Ok(rendered.replace(guard, ""))
    }

    /// The prompt as ids; `documents`, already encoded, come first in the first message of the user.
    pub fn encode(
        &self,
        tokenizer: &Tokenizer,
        messages: &[Message],
        add_generation_prompt: bool,
        documents: Option<&[u32]>,
    ) -> Result<EncodedChat, String> {
        let characters = unused_characters(messages, 2)?;
        let (guard, placeholder) = (characters[0], characters[1]);
        let host = documents.map(|_| messages.iter().position(|m| m.role == Role::User));
        if host == Some(None) {
            return Err("there is no message of the user to put the documents in".into());
        }
        let contents: Vec<Guarded> = messages
            .iter()
            .enumerate()
            .map(|(i, m)| {
                let before = if host == Some(Some(i)) {
                    placeholder.to_string()
                } else {
                    String::new()
                };
                Guarded::of(m, guard, tokenizer.added_tokens(), &before)
            })
            .collect();
        let rendered = self.render_guarded(messages, &contents, add_generation_prompt)?;
        let thinking_open = rendered.trim_end().ends_with(crate::trace::OPEN_TAG);

        let plain = |text: &str| tokenizer.encode_guarded(text, Some(guard));
        let (tokens, prefix) = match documents {
            None => (plain(&rendered), 0),
            Some(documents) => {
                let mut parts = rendered.split(placeholder);
                let (Some(before), Some(after), None) = (parts.next(), parts.next(), parts.next()) else {
                    return Err(
                        "the chat template does not show the first message of the user exactly once, so that \
                                the documents have no place in it"
                            .into(),
                    );
                };
                let mut tokens = plain(before);
                tokens.extend_from_slice(documents);
                let prefix = tokens.len();
                tokens.extend(plain(after));
                (tokens, prefix)
            }
        };
        Ok(EncodedChat {
            tokens,
            prefix,
            thinking_open,
        })
    }

    /// Contents are strings for some templates and lists of parts for others, and a template given the wrong one may
    /// fail or may silently show nothing: the form that shows more contents is right.
    fn render_guarded(&self, messages: &[Message], contents: &[Guarded], generate: bool) -> Result<String, String> {
        let shown = |text: &String| contents.iter().filter(|c| text.contains(&c.core)).count();
        let as_strings = self.render_as(messages, contents, generate, |text| Value::from(text));
        if let Ok(text) = &as_strings
            && shown(text) == contents.len()
        {
            return as_strings.map_err(|e| describe(&e));
        }
        let as_lists = self.render_as(messages, contents, generate, |text| {
            Value::from(vec![context! { type => "text", text }])
        });
        let best = match (as_strings, as_lists) {
            (Ok(strings), Ok(lists)) if shown(&lists) > shown(&strings) => Ok(lists),
            (Err(_), Ok(lists)) if shown(&lists) > 0 => Ok(lists),
            (strings, _) => strings,
        };
        let altered = |text: &str| {
            contents
                .iter()
                .any(|c| c.core.chars().next().is_some_and(|guard| text.contains(guard)))
        };
        match best {
            Ok(text) if contents.is_empty() || shown(&text) > 0 || altered(&text) => Ok(text),
            Ok(_) => Err("the chat template shows none of the messages".into()),
            Err(e) => Err(format!("the chat template failed: {}", describe(&e))),
        }
    }

    fn render_as(
        &self,
        messages: &[Message],
        contents: &[Guarded],
        add_generation_prompt: bool,
        form: impl Fn(&str) -> Value,
    ) -> Result<String, Error> {
        let messages: Vec<Value> = messages
            .iter()
            .zip(contents)
            .map(|(m, content)| {
                let message = context! { role => m.role.name(), content => form(&content.text) };
                match &content.thinking {
                    Some(thinking) => context! { reasoning_content => thinking, ..message },
                    None => message,
                }
            })
            .collect();
        let tokens: Value = self
            .tokens
            .iter()
            .map(|(&key, text)| (key, text.clone()))
            .collect::<BTreeMap<_, _>>()
            .into();
        let values = context! { messages, add_generation_prompt, tools => (), documents => (), ..tokens };
        self.environment.get_template(NAME)?.render(values)
    }
}

/// A content made safe to render.
struct Guarded {
    text: String,
    /// From guard to guard; empty if there is nothing but white space.
    core: String,
    thinking: Option<String>,
}

impl Guarded {
    fn of(message: &Message, guard: char, added: &[AddedToken], before: &str) -> Self {
        let thinking = message.thinking.as_deref();
        Self {
            thinking: thinking.map(|thinking| Self::new(thinking, guard, added, "").text),
            ..Self::new(&message.content, guard, added, before)
        }
    }

    fn new(content: &str, guard: char, added: &[AddedToken], before: &str) -> Self {
        let core = content.trim();
        if core.is_empty() {
            return Self {
                text: format!("{before}{content}"),
                core: String::new(),
                thinking: None,
            };
        }
        let mut guarded = String::from(guard);
        let mut rest = core;
        while let Some(c) = rest.chars().next() {
            guarded.push(c);
            if added.iter().any(|token| rest.starts_with(token.content.as_str())) {
                guarded.push(guard);
            }
            rest = &rest[c.len_utf8()..];
        }
        guarded.push(guard);
        let lead = &content[..content.len() - content.trim_start().len()];
        let tail = &content[content.trim_end().len()..];
        Self {
            text: format!("{before}{lead}{guarded}{tail}"),
            core: guarded,
            thinking: None,
        }
    }
}

/// Characters that occur in no message: noncharacters first, which no honest text has.
fn unused_characters(messages: &[Message], count: usize) -> Result<Vec<char>, String> {
    let unused: Vec<char> = ('\u{fdd0}'..='\u{fdef}')
        .chain('\u{f0000}'..='\u{ffffd}')
        .filter(|&c| {
            let has = |m: &Message| m.content.contains(c) || m.thinking.as_ref().is_some_and(|text| text.contains(c));
            !messages.iter().any(has)
        })
        .take(count)
        .collect();
    if unused.len() < count {
        return Err("the messages use every character of Unicode's private planes".into());
    }
    Ok(unused)
}

fn read_if_present(path: &Path) -> Result<Option<String>, ModelError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(ModelError::io(path, e)),
    }
}

/// A string, or a list of named templates of which one is the default.
fn template_of(value: &serde_json::Value) -> Option<String> {
    if let Some(source) = value.as_str() {
        return Some(source.to_owned());
    }
    let named = value.as_array()?;
    let default = named.iter().find(|t| t["name"] == "default").or(named.first())?;
    default["template"].as_str().map(str::to_owned)
}

fn describe(error: &Error) -> String {
    match (error.detail(), error.line()) {
        (Some(detail), Some(line)) => format!("{detail} (line {line} of the template)"),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests;
