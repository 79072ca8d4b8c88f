//! Links: in brackets, in angles, and addresses as they are.

use super::{Bracket, Destination, Looks, Parser};

impl Parser<'_> {
    /// `<https://…>`, `<a@b>`; other tags are text.
    pub(super) fn autolink(&mut self, at: usize) -> usize {
        let rest = &self.text[at + 1..];
        let Some(len) = rest
            .find(['>', '<', ' ', '\n'])
            .filter(|&len| rest.as_bytes()[len] == b'>')
        else {
            return at + 1;
        };
        let inner = &rest[..len];
        let scheme = inner.split_once(':').is_some_and(|(scheme, _)| {
            (2..=32).contains(&scheme.len())
                && scheme.starts_with(|c: char| c.is_ascii_alphabetic())
                && scheme
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '.' | '-'))
        });
        let mail = inner
            .split_once('@')
            .is_some_and(|(name, host)| !name.is_empty() && host.contains('.') && !inner.contains(['/', '\\', '"']));
        if !scheme && !mail {
            return at + 1;
        }
        let end = at + 1 + len;
        self.hide(at..at + 1);
        self.hide(end..end + 1);
        self.look(at + 1..end, Looks::LINK);
        end + 1
    }

    /// An address without marks.
    pub(super) fn address(&mut self, at: usize) -> usize {
        let rest = &self.text[at..];
        let begun = rest.starts_with("https://") || rest.starts_with("http://");
        let inside = self.text[..at].ends_with(|c: char| c.is_alphanumeric());
        if !begun || inside {
            return at + 1;
        }
        let len = rest
            .find(|c: char| c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | '`' | ']' | '|' | '"'))
            .unwrap_or(rest.len());
        let mut address = &rest[..len];
        loop {
            let opening = address.matches('(').count();
            address = match address.as_bytes().last() {
                Some(b'.' | b',' | b';' | b':' | b'!' | b'?' | b'\'' | b'*' | b'_' | b'~') => {
                    &address[..address.len() - 1]
                }
                Some(b')') if address.matches(')').count() > opening => &address[..address.len() - 1],
                _ => break,
            };
        }
        self.look(at..at + address.len(), Looks::LINK);
        at + address.len().max(1)
    }

    pub(super) fn bracket(&mut self, at: usize, image: bool) -> usize {
        self.brackets.push(Bracket {
            at,
            image,
            runs: self.runs.len(),
            active: true,
        });
        at + 1 + usize::from(image)
    }

    pub(super) fn close_bracket(&mut self, at: usize) -> usize {
        let Some(bracket) = self.brackets.pop() else {
            return at + 1;
        };
        let Some(to) = bracket.active.then(|| self.destination(at + 1)).flatten() else {
            return at + 1;
        };
        let inner = bracket.at + 1 + usize::from(bracket.image)..at;
        self.emphasise(bracket.runs);
        self.runs.truncate(bracket.runs);
        if !bracket.image {
            for outer in &mut self.brackets {
                outer.active &= outer.image;
            }
        }
        self.hide(bracket.at..inner.start);
        let said: String = inner
            .clone()
            .filter(|&byte| !self.hidden[byte])
            .filter_map(|byte| self.text.get(byte..)?.chars().next())
            .collect();
        let target = &self.text[to.at.clone()];
        if said.trim().is_empty() && !target.is_empty() {
            self.hide(at..to.at.start);
            self.look(to.at.clone(), Looks::LINK);
            self.hide(to.at.end..to.end);
        } else if target.is_empty() || is_same(&said, target) {
            self.look(inner, Looks::LINK);
            self.hide(at..to.end);
        } else {
            self.look(inner, Looks::LINK);
            self.instead.push((at..to.at.start, " (".into()));
            self.look(at..to.end, Looks::TARGET);
            if to.at.end < to.end {
                self.instead.push((to.at.end..to.end, ")".into()));
            }
        }
        to.end
    }

    /// `(target "title")`, from the parenthesis on.
    pub(super) fn destination(&self, at: usize) -> Option<Destination> {
        if self.byte(at) != Some(b'(') {
            return None;
        }
        let bytes = self.text.as_bytes();
        let end = bytes.len();
        let cut = |at| self.open.then_some(Destination { at, end });
        let white = |at: &mut usize| {
            while bytes.get(*at).is_some_and(u8::is_ascii_whitespace) {
                *at += 1;
            }
        };
        let mut to = at + 1;
        white(&mut to);
        let (from, mut depth) = (to, 0);
        let target;
        if self.byte(to) == Some(b'<') {
            let len = self.text[to..]
                .find(['>', '\n'])
                .filter(|&len| bytes[to + len] == b'>')?;
            target = to + 1..to + len;
            to += len + 1;
        } else {
            while let Some(byte) = self.byte(to) {
                match byte {
                    b'\\' if self.byte(to + 1).is_some_and(|next| next.is_ascii_punctuation()) => to += 1,
                    b'(' => depth += 1,
                    b')' if depth == 0 => break,
                    b')' => depth -= 1,
                    byte if byte.is_ascii_whitespace() || byte.is_ascii_control() => break,
                    _ => {}
                }
                to += 1;
            }
            target = from..to;
            if to == end {
                return cut(target);
            }
        }
        white(&mut to);
        if let Some(quote @ (b'"' | b'\'' | b'(')) = self.byte(to).filter(|_| to > target.end) {
            let closing = if quote == b'(' { b')' } else { quote };
            to += 1;
            while self.byte(to).is_some_and(|byte| byte != closing) {
                to += 1 + usize::from(bytes[to] == b'\\');
            }
            to += 1;
            white(&mut to);
        }
        match self.byte(to) {
            Some(b')') => Some(Destination {
                at: target,
                end: to + 1,
            }),
            Some(_) => None,
            None => cut(target),
        }
    }
}

/// Whether a link says where it leads.
pub(super) fn is_same(said: &str, target: &str) -> bool {
    let bare = |text: &str| {
        let text = text.trim();
        let text = text.strip_prefix("mailto:").unwrap_or(text);
        let text = text.split_once("://").map_or(text, |(_, rest)| rest);
        text.trim_end_matches('/').to_owned()
    };
    bare(said) == bare(target)
}
