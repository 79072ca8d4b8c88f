//! Whether a line of code defines a name, told from the line alone.
//!
//! The answer decides whether a citation is shown as verified, so doubt means no: mere uses, imports, patterns and prose
//! that happens to have a keyword in it must not pass. A definition that this module does not know only costs a mark.

use super::words::{among, is_word, kind_of_file, leading_name, occurrences, strip_assignment, strip_name};

/// What a line does to a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Defines {
    Yes,
    /// It assigns to it in a language where the first assignment is the definition.
    Assigns,
    /// It announces it or shows what it looks like: a definition only if there is no other.
    Announces,
    No,
}

/// Words that introduce a type, a module or a function.
const KEYWORDS: &str = "class data def defmacro defmodule defp defun enum fn fun func function interface macro \
    macro_rules mod module namespace newtype object package proc procedure protocol record struct sub trait type \
    typealias union";

/// Words that introduce a value.
const VARIABLES: &str = "const constexpr final let static val var";

/// Words that may stand before these.
const MODIFIERS: &str = "abstract async auto case crate declare default explicit export extern final global impure \
    inline inner internal local mut open override partial private protected pub public pure readonly ref sealed suspend \
    unsafe virtual volatile";

/// Files of prose, where code is an example.
const PROSE: &str = "adoc html markdown md org rst tex txt stdin";

/// Files in which an assignment brings a name into being.
const ASSIGNING: &str = "bash cfg conf env hcl hs ini jl justfile lua makefile mk ml nix php pl properties py pyi r rb sh \
    tf toml zsh";

/// Files in which `name: value` does.
const MAPPING: &str = "json json5 jsonc yaml yml";

/// Languages in which a type stands before the name of a function or a variable.
const TYPE_FIRST: &str = "c cc cpp cs cu cuh cxx dart h hh hpp java";
const PREPROCESSED: &str = "c cc cpp cu cuh cxx h hh hpp m mm";
/// Languages with methods that neither a keyword nor a type introduces.
const SCRIPTS: &str = "js jsx mjs cjs ts tsx mts";

/// No type, so that what they stand in is a statement or another declaration.
const NO_TYPES: &str = "and assert await break case class continue default delete do else enum export extends friend goto \
    if implements import in instanceof interface namespace new not of operator or package return struct switch throw \
    throws typedef typeof union using with yield";

/// Looks at a line that comments and the insides of strings were taken out of.
pub(super) fn defines(line: &str, path: &str, name: &str) -> Defines {
    let kind = kind_of_file(path);
    let kind = kind.as_str();
    let code = line.trim();
    if among(kind, PREPROCESSED)
        && let Some(rest) = macro_rest(code, name)
    {
        return if rest.starts_with(is_word) {
            Defines::No
        } else {
            Defines::Yes
        };
    }
    if is_comment(code, kind) {
        return Defines::No;
    }
    let code = skip_attributes(code);
    let found = by_keyword(code, name, kind);
    if found != Defines::No {
        return if among(kind, PROSE) { Defines::Announces } else { found };
    }
    if among(kind, TYPE_FIRST) {
        return by_type(line, code, name, kind);
    }
    if among(kind, SCRIPTS) {
        return yes(is_method(code, name));
    }
    if among(kind, "sh bash zsh") && strip_name(code, name).is_some_and(|rest| rest.trim_start().starts_with("()")) {
        return Defines::Yes;
    }
    if kind == "sql" {
        return yes(is_created(code, name));
    }
    if by_assignment(code, name, kind) {
        Defines::Assigns
    } else {
        Defines::No
    }
}

/// A word that introduces what it defines.
pub(super) fn is_keyword(word: &str) -> bool {
    among(word, KEYWORDS) || among(word, VARIABLES)
}

fn yes(holds: bool) -> Defines {
    if holds { Defines::Yes } else { Defines::No }
}

/// What follows the name in `#define name`.
pub(super) fn macro_rest<'l>(code: &'l str, name: &str) -> Option<&'l str> {
    let rest = code.strip_prefix('#')?.trim_start().strip_prefix("define")?;
    rest.starts_with([' ', '\t'])
        .then(|| rest.trim_start().strip_prefix(name))?
}

fn is_comment(code: &str, kind: &str) -> bool {
    let hash = code.starts_with('#') && !code.starts_with("#[") && kind != "css";
    let star = code == "*" || code.starts_with("* ") || code.starts_with("*/");
    let quoted_key = among(kind, MAPPING) && code.starts_with(['"', '\'']);
    let begins = |&mark: &&str| code.starts_with(mark);
    let other = ["//", "/*", "--", ";", "%", "<!--", "\"", "'", "`", ">"]
        .iter()
        .any(begins);
    hash || star || (other && !quoted_key)
}

/// Leaves out `#[…]`, `@name` and `template <…>` before a definition.
fn skip_attributes(mut code: &str) -> &str {
    loop {
        let rest = if let Some(inner) = code.strip_prefix("#[") {
            inner.split_once(']').map(|(_, rest)| rest)
        } else if let Some(inner) = code.strip_prefix('@') {
            Some(leading_name(inner).1).filter(|rest| rest.starts_with(' '))
        } else if let Some(inner) = strip_name(code, "template").and_then(|rest| rest.trim_start().strip_prefix('<')) {
            after_closing(inner, '<', '>')
        } else {
            None
        };
        match rest {
            Some(rest) => code = rest.trim_start(),
            None => return code,
        }
    }
}

fn by_keyword(mut code: &str, name: &str, kind: &str) -> Defines {
    let bodiless = code.ends_with(';') && !code.contains('{');
    let mut announced = false;
    loop {
        let (word, rest) = leading_name(code);
        let (keyword, variable) = (among(word, KEYWORDS), among(word, VARIABLES));
        if !keyword && !variable && !among(word, MODIFIERS) {
            return Defines::No;
        }
        announced |= bodiless && among(word, "extern declare");
        let after = match word {
            "pub" if rest.starts_with('(') => rest.split_once(')').map_or("", |(_, after)| after),
            "macro_rules" => rest.strip_prefix('!').unwrap_or(""),
            "function" => rest.strip_prefix('*').unwrap_or(rest),
            "extern" => after_string(rest),
            "func" if rest.trim_start().starts_with('(') => rest.split_once(')').map_or("", |(_, after)| after),
            _ => rest,
        };
        let mut named = after.trim_start();
        if named.len() == after.len() {
            return Defines::No;
        }
        code = named;
        if word == "def" {
            named = named.strip_prefix("self.").unwrap_or(named);
        }
        let skipped = ["mut ", "ref "].iter().find_map(|word| named.strip_prefix(word));
        let named = skipped.unwrap_or(named).trim_start();
        if let Some(tail) = strip_name(named, name).filter(|_| keyword || variable) {
            let tail = tail.trim();
            let holds = if among(kind, PROSE) {
                is_example(word, tail)
            } else if variable {
                may_follow_variable(tail, kind)
            } else {
                may_follow(word, tail, kind)
            };
            // A forward declaration, one of several signatures, or what every file of a package says.
            let forward = among(kind, TYPE_FIRST) && bodiless && word != "namespace";
            let signature = among(kind, SCRIPTS) && bodiless && word == "function";
            let import = variable
                && ["= require(", "= await import("]
                    .iter()
                    .any(|call| tail.starts_with(call));
            return match holds {
                false => Defines::No,
                true if announced || forward || signature || import || word == "package" => Defines::Announces,
                true => Defines::Yes,
            };
        }
    }
}

/// The rest after `"C"`, of which the insides may have been taken out.
fn after_string(rest: &str) -> &str {
    let string = rest.trim_start().strip_prefix('"');
    string
        .and_then(|rest| rest.split_once('"'))
        .map_or(rest, |(_, after)| after)
}

/// What can come after a name in prose that quotes a definition, and does not come in a sentence.
fn is_example(keyword: &str, tail: &str) -> bool {
    tail.starts_with(['(', '{', '<', ';', '[']) || tail == ":" || (tail.starts_with("= ") && keyword != "data")
}

/// What can come after the name of a value. What opens a bracket is a pattern or a type.
fn may_follow_variable(tail: &str, kind: &str) -> bool {
    let assigned = strip_assignment(tail).is_some();
    if among(kind, TYPE_FIRST) {
        return assigned;
    }
    let typed = tail.starts_with(':') && !tail.starts_with("::");
    let method = among(kind, SCRIPTS) && tail.starts_with(['(', '<']) && tail.ends_with('{');
    assigned || typed || method || kind == "go" || tail.is_empty() || tail.starts_with([';', ','])
}

fn may_follow(keyword: &str, tail: &str, kind: &str) -> bool {
    let equals = strip_assignment(tail).is_some();
    if keyword == "type" && among(kind, SCRIPTS) {
        // Not `type name,` of an import.
        return equals || tail.starts_with('<');
    }
    equals
        || tail.is_empty()
        || tail.starts_with(['(', '{', '<', ';', '['])
        || tail.starts_with("->")
        || (tail.starts_with(':')
            && !tail.starts_with("::")
            && (keyword != "type" || (kind == "rs" && tail.ends_with(';'))))
        || (kind == "go" && keyword == "type")
        || among(
            leading_name(tail).0,
            "extends implements where for is as do with final when",
        )
}

/// `type name(arguments) {`, the same with the brace on the next line, a prototype; `type name = value;`.
fn by_type(line: &str, code: &str, name: &str, kind: &str) -> Defines {
    let Some(at) = occurrences(code, name).next() else {
        return Defines::No;
    };
    let (before, rest) = code.split_at(at);
    let tail = rest[name.len()..].trim_start();
    let words: Vec<&str> = before.split(|c| !is_word(c)).filter(|word| !word.is_empty()).collect();
    let type_like = before.chars().all(|c| is_word(c) || "_ \t*&<>:,[]~?.".contains(c));
    let ends = before.ends_with([' ', '\t', '*', '&', '~']) || before.ends_with("::");
    if !type_like || !ends || !before.starts_with(is_word) || words.iter().any(|word| among(word, NO_TYPES)) {
        return Defines::No;
    }
    let top_level = !line.starts_with([' ', '\t']);
    let typeless = words
        .iter()
        .all(|word| among(word, MODIFIERS) || among(word, VARIABLES));
    let Some(arguments) = tail.strip_prefix('(') else {
        let assigned = strip_assignment(tail).is_some();
        let several = before.contains(',') && !before.contains('<');
        let label = before.replace("::", "").contains(':');
        let declared = assigned || (top_level && tail.starts_with([';', '[']));
        return match declared && !typeless && !several && !label {
            true if words.contains(&"extern") && !assigned => Defines::Announces,
            holds => yes(holds),
        };
    };
    let Some(tail) = after_closing(arguments, '(', ')').map(str::trim) else {
        return Defines::No;
    };
    let opens = tail.ends_with('{') && !tail.contains([';', ')']);
    if opens || (top_level && tail.is_empty()) {
        // Only modifiers before it: the constructor of a class.
        if typeless { Defines::Announces } else { Defines::Yes }
    } else if top_level && tail == ";" && !typeless && kind != "java" {
        Defines::Announces
    } else {
        Defines::No
    }
}

/// `name(arguments) {`, perhaps after modifiers.
fn is_method(code: &str, name: &str) -> bool {
    let mut code = code;
    loop {
        if let Some(arguments) = strip_name(code, name).and_then(|rest| rest.strip_prefix('(')) {
            let tail = after_closing(arguments, '(', ')').unwrap_or_default().trim();
            return tail.ends_with('{') && !tail.contains(['=', ';', ')']);
        }
        let (word, rest) = leading_name(code);
        if !(among(word, MODIFIERS) || among(word, "static get set")) || !rest.starts_with(' ') {
            return false;
        }
        code = rest.trim_start();
    }
}

/// `CREATE … name` of SQL.
fn is_created(code: &str, name: &str) -> bool {
    let lower = code.to_ascii_lowercase();
    let mut words = lower.split_ascii_whitespace().peekable();
    if words.next() != Some("create") {
        return false;
    }
    let skip = "or replace temp temporary unique materialized if not exists table view function procedure index type \
                trigger schema sequence database";
    let rest: Vec<&str> = words.skip_while(|word| among(word, skip)).collect();
    let named = rest.first().copied().unwrap_or_default();
    let named = named.split(['(', ';']).next().unwrap_or_default();
    let bare = named.rsplit('.').next().unwrap_or_default();
    bare == name.to_ascii_lowercase()
}

/// The text after what closes an open bracket.
fn after_closing(text: &str, open: char, close: char) -> Option<&str> {
    let mut depth = 1usize;
    for (at, c) in text.char_indices() {
        if c == open {
            depth += 1;
        } else if c == close {
            depth -= 1;
        }
        if depth == 0 {
            return Some(&text[at + c.len_utf8()..]);
        }
    }
    None
}

fn by_assignment(code: &str, name: &str, kind: &str) -> bool {
    if among(kind, MAPPING) {
        let item = code.strip_prefix("- ").unwrap_or(code);
        let item = item.strip_prefix('{').unwrap_or(item).trim_start();
        let quoted = [format!("\"{name}\""), format!("'{name}'")];
        let tail = strip_name(item, name).or_else(|| quoted.iter().find_map(|key| item.strip_prefix(key.as_str())));
        return tail.is_some_and(|tail| tail.trim_start().starts_with(':') && !tail.trim_start().starts_with("::"));
    }
    let modifiers = match kind {
        "sh" | "bash" | "zsh" => "export local readonly declare typeset",
        "lua" => "local",
        _ => "",
    };
    let (word, rest) = leading_name(code);
    let code = if among(word, modifiers) {
        rest.trim_start()
    } else {
        code
    };
    let code = if among(kind, "php pl") {
        code.strip_prefix('$').unwrap_or(code)
    } else {
        code
    };
    let Some(tail) = strip_name(code, name) else {
        return false;
    };
    let tail = tail.trim_start();
    let assigns = |text: &str| strip_assignment(text).is_some();
    let makefile = among(kind, "makefile mk");
    if tail.starts_with(":=") {
        return makefile || among(kind, "go justfile py pyi");
    }
    let annotated = tail.strip_prefix(':').filter(|_| among(kind, "py pyi jl"));
    let holds = assigns(tail)
        || (makefile && tail.starts_with("?="))
        || annotated.is_some_and(|rest| rest.find('=').is_some_and(|at| assigns(&rest[at..])));
    holds && among(kind, ASSIGNING)
}

#[cfg(test)]
#[path = "definition_tests.rs"]
mod tests;
