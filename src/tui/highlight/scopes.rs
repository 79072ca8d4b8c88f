//! From what a grammar calls a stretch of text to what a theme calls it.

use std::collections::HashMap;

use syntect::parsing::{Scope, ScopeStack};

use super::super::theme::Part;

/// Scopes by their beginnings. Of several that begin a scope, the longest counts; nothing: it looks as what it is in.
const PARTS: &[(&str, Option<Part>)] = &[
    ("comment", Some(Part::SyntaxComment)),
    ("string", Some(Part::SyntaxString)),
    ("constant", Some(Part::SyntaxConstant)),
    ("constant.numeric", Some(Part::SyntaxNumber)),
    ("constant.other.placeholder", Some(Part::SyntaxConstant)),
    ("keyword", Some(Part::SyntaxKeyword)),
    ("keyword.operator", None),
    ("keyword.operator.word", Some(Part::SyntaxKeyword)),
    ("storage", Some(Part::SyntaxKeyword)),
    ("variable.language", Some(Part::SyntaxConstant)),
    ("variable.function", Some(Part::SyntaxFunction)),
    ("variable.annotation", Some(Part::SyntaxAttribute)),
    ("entity.name", Some(Part::SyntaxType)),
    ("entity.name.function", Some(Part::SyntaxFunction)),
    ("entity.name.tag", Some(Part::SyntaxKeyword)),
    ("entity.name.section", Some(Part::SyntaxHeading)),
    ("entity.name.namespace", None),
    ("entity.name.module", None),
    ("entity.name.label", Some(Part::SyntaxAttribute)),
    ("entity.other.inherited-class", Some(Part::SyntaxType)),
    ("entity.other.attribute-name", Some(Part::SyntaxAttribute)),
    ("support.type", Some(Part::SyntaxType)),
    ("support.class", Some(Part::SyntaxType)),
    ("support.function", Some(Part::SyntaxFunction)),
    ("support.macro", Some(Part::SyntaxFunction)),
    ("support.constant", Some(Part::SyntaxConstant)),
    ("meta.annotation", Some(Part::SyntaxAttribute)),
    ("markup.heading", Some(Part::SyntaxHeading)),
    ("markup.raw", Some(Part::SyntaxString)),
    ("markup.quote", Some(Part::SyntaxComment)),
    ("markup.inserted", Some(Part::SyntaxString)),
    ("markup.deleted", Some(Part::SyntaxKeyword)),
    ("markup.underline.link", Some(Part::SyntaxFunction)),
    // What is interpolated into a string is code.
    ("meta.interpolation", None),
];

/// The table above, and what has been looked up.
pub struct Scopes {
    table: Vec<(Scope, Option<Part>)>,
    known: HashMap<Scope, Answer>,
}

/// What a scope by itself says: how the text looks, or that it looks plain whatever it is in; or nothing.
type Answer = Option<Option<Part>>;

impl Default for Scopes {
    fn default() -> Self {
        let parse = |&(name, part): &(&str, _)| Some((Scope::new(name).ok()?, part));
        let mut table: Vec<_> = PARTS.iter().filter_map(parse).collect();
        table.sort_by_key(|(scope, _)| std::cmp::Reverse(scope.len()));
        Self {
            table,
            known: HashMap::new(),
        }
    }
}

impl Scopes {
    /// How text in these scopes looks: the innermost that says something counts.
    pub fn part(&mut self, stack: &ScopeStack) -> Option<Part> {
        let answer = stack.as_slice().iter().rev().find_map(|&scope| self.of(scope));
        answer.flatten()
    }

    fn of(&mut self, scope: Scope) -> Answer {
        *self.known.entry(scope).or_insert_with(|| {
            let found = self.table.iter().find(|(begin, _)| begin.is_prefix_of(scope));
            found.map(|&(_, part)| part)
        })
    }
}
