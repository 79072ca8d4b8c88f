//! Whether a line defines a name, told from the line alone.
//!
//! The answer decides whether a citation is shown as verified, so doubt means no: comments, strings, prose that happens
//! to have a keyword in it and mere uses must not pass. A definition that this module does not know only costs a mark.

use super::words::{kind_of_file, leading_name, strip_name};

/// What a line does to a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Defines {
    Yes,
    /// It assigns to it in a language where the first assignment is the definition.
    Assigns,
    No,
}

/// Words that introduce a name.
const KEYWORDS: [&str; 38] = [
    "class",
    "const",
    "constexpr",
    "data",
    "def",
    "defmacro",
    "defmodule",
    "defp",
    "defun",
    "enum",
    "fn",
    "fun",
    "func",
    "function",
    "interface",
    "let",
    "macro",
    "macro_rules",
    "mod",
    "module",
    "namespace",
    "newtype",
    "object",
    "package",
    "proc",
    "procedure",
    "protocol",
    "record",
    "static",
    "struct",
    "sub",
    "trait",
    "type",
    "typealias",
    "union",
    "val",
    "var",
    "final",
];

/// Words that may stand before a keyword.
const MODIFIERS: [&str; 33] = [
    "abstract",
    "async",
    "auto",
    "crate",
    "declare",
    "default",
    "export",
    "extern",
    "explicit",
    "final",
    "global",
    "impure",
    "inline",
    "inner",
    "internal",
    "local",
    "mut",
    "open",
    "override",
    "partial",
    "private",
    "protected",
    "pub",
    "public",
    "pure",
    "readonly",
    "ref",
    "sealed",
    "suspend",
    "unsafe",
    "virtual",
    "volatile",
    "case",
];

const PROSE: [&str; 9] = ["adoc", "html", "markdown", "md", "org", "rst", "tex", "txt", "stdin"];

/// Files in which an assignment brings a name into being.
const ASSIGNING: [&str; 24] = [
    "bash",
    "cfg",
    "conf",
    "env",
    "hcl",
    "hs",
    "ini",
    "jl",
    "justfile",
    "lua",
    "makefile",
    "mk",
    "ml",
    "nix",
    "php",
    "pl",
    "properties",
    "py",
    "pyi",
    "r",
    "rb",
    "sh",
    "tf",
    "toml",
];

/// Files in which `name: value` does.
const MAPPING: [&str; 4] = ["json", "jsonc", "yaml", "yml"];

/// Languages with functions and methods that no keyword introduces.
const C_LIKE: [&str; 16] = [
    "c", "cc", "cpp", "cs", "cu", "cuh", "cxx", "dart", "h", "hh", "hpp", "java", "js", "mjs", "ts", "tsx",
];

/// No return type, so that what follows is a statement.
const STATEMENTS: [&str; 17] = [
    "and", "assert", "await", "case", "delete", "do", "else", "goto", "if", "in", "new", "not", "or", "return",
    "throw", "typedef", "yield",
];

pub(super) fn defines(line: &str, path: &str, name: &str) -> Defines {
    let kind = kind_of_file(path);
    let code = line.trim();
    if let Some(directive) = code.strip_prefix('#')
        && let Some(rest) = directive.trim_start().strip_prefix("define")
    {
        return yes(strip_name(rest.trim_start(), name).is_some() && rest.starts_with([' ', '\t']));
    }
    if is_comment(code, &kind) {
        return Defines::No;
    }
    let code = skip_attributes(code);
    if by_keyword(code, name, &kind) || (C_LIKE.contains(&kind.as_str()) && by_shape(line, code, name)) {
        return Defines::Yes;
    }
    if by_assignment(code, name, &kind) {
        Defines::Assigns
    } else {
        Defines::No
    }
}

fn yes(holds: bool) -> Defines {
    if holds { Defines::Yes } else { Defines::No }
}

fn is_comment(code: &str, kind: &str) -> bool {
    let hash = code.starts_with('#') && !code.starts_with("#[") && kind != "css";
    let star = code == "*" || code.starts_with("* ") || code.starts_with("*/");
    hash || star
        || ["//", "/*", "--", ";", "%", "<!--", "\"", "'", "`", ">"]
            .iter()
            .any(|&mark| code.starts_with(mark) && !quoted_key(code, kind))
}

/// Keys of these files stand in quotation marks.
fn quoted_key(code: &str, kind: &str) -> bool {
    MAPPING.contains(&kind) && code.starts_with(['"', '\''])
}

/// Leaves out `#[…]` and `@name` before a definition.
fn skip_attributes(mut code: &str) -> &str {
    loop {
        let rest = if let Some(inner) = code.strip_prefix("#[") {
            inner.split_once(']').map(|(_, rest)| rest)
        } else if let Some(inner) = code.strip_prefix('@') {
            Some(leading_name(inner).1).filter(|rest| rest.starts_with(' '))
        } else {
            None
        };
        match rest {
            Some(rest) => code = rest.trim_start(),
            None => return code,
        }
    }
}

fn by_keyword(mut code: &str, name: &str, kind: &str) -> bool {
    loop {
        let (word, rest) = leading_name(code);
        let keyword = KEYWORDS.contains(&word);
        if !keyword && !MODIFIERS.contains(&word) {
            return false;
        }
        let after = match (word, rest) {
            ("pub", _) if rest.starts_with('(') => rest.split_once(')').map_or("", |(_, after)| after),
            ("macro_rules", _) => rest.strip_prefix('!').unwrap_or(""),
            ("function", _) => rest.strip_prefix('*').unwrap_or(rest),
            ("extern", _) => rest.trim_start().strip_prefix("\"C\"").unwrap_or(rest),
            ("func", _) if rest.trim_start().starts_with('(') => rest.split_once(')').map_or("", |(_, after)| after),
            ("def", _) if rest.trim_start().starts_with("self.") => {
                rest.split_once("self.").map_or("", |(_, after)| after)
            }
            _ => rest,
        };
        if after.trim_start().len() == after.len() && !(word == "def" && rest.contains("self.")) {
            return false;
        }
        let after = after.trim_start();
        let named = ["mut ", "ref "]
            .iter()
            .find_map(|word| after.strip_prefix(word))
            .unwrap_or(after);
        if keyword && let Some(tail) = strip_name(named, name) {
            return may_follow(word, tail.trim(), kind);
        }
        code = after;
    }
}

/// What can come after the name in a definition. Prose goes on with words.
fn may_follow(keyword: &str, tail: &str, kind: &str) -> bool {
    if PROSE.contains(&kind) {
        return tail.starts_with(['(', '{', '<', ';', '['])
            || tail == ":"
            || (tail.starts_with("= ") && keyword != "data");
    }
    if matches!(tail.as_bytes(), [b'=', b'=' | b'~' | b'>', ..]) || tail.starts_with("::") {
        return false;
    }
    let word = leading_name(tail).0;
    tail.is_empty()
        || tail.starts_with(['(', '{', '<', ';', '[', '=', ','])
        || (tail.starts_with(':') && (keyword != "type" || (kind == "rs" && tail.ends_with(';'))))
        || tail.starts_with("->")
        || (kind == "go" && matches!(keyword, "type" | "var" | "const"))
        || matches!(
            word,
            "extends" | "implements" | "where" | "for" | "is" | "as" | "do" | "with" | "final" | "when"
        )
}

/// `type name(arguments) {`, the same with the brace on the next line, a prototype; `name(arguments) {` of a method.
fn by_shape(line: &str, code: &str, name: &str) -> bool {
    let Some(at) = super::words::occurrences(code, name).next() else {
        return false;
    };
    let (before, rest) = code.split_at(at);
    let Some(arguments) = rest[name.len()..].strip_prefix('(') else {
        return false;
    };
    let Some(tail) = after_closing(arguments) else {
        return false;
    };
    let type_like = before
        .chars()
        .all(|c| c.is_alphanumeric() || "_ \t*&<>:,[]~".contains(c));
    let first = leading_name(before).0;
    if !type_like || STATEMENTS.contains(&first) {
        return false;
    }
    let tail = tail.trim();
    if before.is_empty() {
        return tail.ends_with('{') && !tail.contains(['=', ';', ')']);
    }
    if !before.ends_with([' ', '\t', '*', '&', '~']) && !before.ends_with("::") {
        return false;
    }
    let opens = tail.ends_with('{') && !tail.contains([';', ')']);
    let top_level = !line.starts_with([' ', '\t']);
    opens || (top_level && (tail.is_empty() || tail == ";"))
}

/// The text after the parenthesis that closes an open one.
fn after_closing(text: &str) -> Option<&str> {
    let mut depth = 1usize;
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(&text[at + 1..]);
        }
    }
    None
}

fn by_assignment(code: &str, name: &str, kind: &str) -> bool {
    let quoted = [format!("\"{name}\""), format!("'{name}'")];
    let mapping = MAPPING.contains(&kind);
    let item = if mapping {
        code.strip_prefix("- ").unwrap_or(code)
    } else {
        code
    };
    let bare = strip_name(item, name);
    let tail = bare.or_else(|| {
        quoted
            .iter()
            .filter(|_| mapping)
            .find_map(|key| item.strip_prefix(key.as_str()))
    });
    let Some(tail) = tail else { return false };
    let tail = tail.trim_start();
    if mapping {
        return tail.starts_with(':') && !tail.starts_with("::");
    }
    let assigns = |text: &str| text.starts_with('=') && !matches!(text.as_bytes(), [_, b'=' | b'~' | b'>', ..]);
    let declares = ["go", "py", "makefile", "mk"].contains(&kind);
    if tail.starts_with(":=") && (declares || ASSIGNING.contains(&kind)) {
        return true;
    }
    if !ASSIGNING.contains(&kind) {
        return false;
    }
    let annotated = tail.strip_prefix(':').filter(|_| kind.starts_with("py"));
    assigns(tail)
        || (tail.starts_with("?=") && ["makefile", "mk"].contains(&kind))
        || annotated.is_some_and(|rest| rest.find('=').is_some_and(|at| assigns(&rest[at..])))
}

#[cfg(test)]
#[path = "definition_tests.rs"]
mod tests;
