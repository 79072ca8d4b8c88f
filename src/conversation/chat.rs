//! Conversations with a chat model: documents first, then questions and answers.
//!
//! The documents stand at the head of the first message of the user, so that everything up to their end is the same in
//! every turn and is computed once. Of a reply the history keeps the answer; the thoughts, which can be many times longer than the
//! documents, are said again only if the model's template wants them.

use std::sync::Arc;

use super::Event;
use super::citations::Scanner;
use super::turns::Said;
use crate::context::{Layout, Pack, Template, sanitize};
use crate::engine::Token;
use crate::model::{ChatTemplate, Message, Role, Tokenizer};
use crate::trace::Channel;

const ABOUT_NUMBERS: &str = " Each of their lines comes after its number and a colon, which are not part of the file.";
const HOW_TO_CITE: &str = " Where you rely on a line, write its place as path:number and quote the words that stand there in \
                           backquotes.\n\n";

/// A question with all that comes before it, as the model gets it.
pub(super) struct ChatPrompt {
    pub tokens: Vec<u32>,
    /// How many of the tokens every prompt begins with.
    pub prefix: usize,
    /// How many of them the prompt of the next turn begins with as well: all up to the end of the question.
    pub shared: Option<usize>,
    /// The prompt ends inside an open `<think>`.
    pub thinking_open: bool,
}

/// A chat model and the documents it is asked about.
pub(super) struct Chat {
    tokenizer: Tokenizer,
    template: ChatTemplate,
    pack: Arc<Pack>,
    /// Lines come after their numbers.
    numbered: bool,
}

impl Chat {
    pub fn new(tokenizer: Tokenizer, template: ChatTemplate, pack: Arc<Pack>, layout: &Layout) -> Self {
        Self {
            tokenizer,
            template,
            pack,
            numbered: *layout == Layout::Documents(Template::default()),
        }
    }

    /// The same conversation about other documents.
    pub fn about(&self, pack: Arc<Pack>) -> Self {
        Self {
            tokenizer: self.tokenizer.clone(),
            template: self.template.clone(),
            pack,
            numbered: self.numbered,
        }
    }

    /// What was thought in earlier turns is a part of prompts.
    pub fn keeps_thinking(&self) -> bool {
        self.template.keeps_thinking()
    }

    /// The tokens that every prompt begins with; empty without documents.
    pub fn prefix(&self) -> Result<Vec<u32>, String> {
        let mut prompt = self.prompt(Vec::new(), "?")?;
        prompt.tokens.truncate(prompt.prefix);
        Ok(prompt.tokens)
    }

    /// The prompt of a question after what has been said.
    pub fn prompt(&self, history: Vec<Message>, question: &str) -> Result<ChatPrompt, String> {
        let mut messages = history;
        messages.push(Message::new(Role::User, question));
        let documents = (!self.pack.documents.is_empty()).then_some(&*self.pack.tokens);
        if documents.is_some() {
            let numbers = if self.numbered { ABOUT_NUMBERS } else { "" };
            let instruction = format!("\nAnswer from the documents above.{numbers}{HOW_TO_CITE}");
            messages[0].content.insert_str(0, &instruction);
        }
        let encoded = self.template.encode(&self.tokenizer, &messages, true, documents)?;
        // Where the question ends and the reply is asked for; the next prompt has the answer there.
        let asked = self.template.encode(&self.tokenizer, &messages, false, documents).ok();
        let shared = asked.map(|asked| {
            let pairs = asked.tokens.iter().zip(&encoded.tokens);
            pairs.take_while(|(a, b)| a == b).count()
        });
        Ok(ChatPrompt {
            tokens: encoded.tokens,
            prefix: encoded.prefix,
            shared: shared.filter(|&shared| shared > encoded.prefix),
            thinking_open: encoded.thinking_open,
        })
    }
}

/// A reply as it comes.
pub(super) struct ChatReply {
    said: Said,
    scanner: Scanner,
}

impl ChatReply {
    pub fn new(pack: Arc<Pack>, question: &str) -> Self {
        Self {
            said: Said::default(),
            scanner: Scanner::new(pack, Channel::Answer, question),
        }
    }

    /// A reply that goes on after it has said this much.
    pub fn resumed(pack: Arc<Pack>, question: &str, said: Said) -> Self {
        let mut reply = Self::new(pack, question);
        // What it cites so far has been told.
        drop(reply.scanner.push(&said.answer));
        reply.said = said;
        reply
    }

    pub fn token(&mut self, token: Token) -> Vec<Event> {
        self.said.token(token.channel, &token.text);
        let citations = if token.channel == Channel::Answer {
            self.scanner.push(&token.text)
        } else {
            Vec::new()
        };
        let mut shown = token;
        shown.text = sanitize(&shown.text).into_owned();
        std::iter::once(Event::Token(shown))
            .chain(citations.into_iter().map(Event::Citation))
            .collect()
    }

    pub fn finish(&mut self) -> Vec<Event> {
        self.scanner.finish().into_iter().map(Event::Citation).collect()
    }

    /// All of it, as the model wrote it.
    pub fn said(&self) -> &Said {
        &self.said
    }

    pub fn take_said(&mut self) -> Said {
        std::mem::take(&mut self.said)
    }
}
