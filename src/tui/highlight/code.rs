//! Colours of code in an answer, which comes piece by piece. Where the parser stands after each code is kept for the next
//! piece, as long as the transcript is, so that nothing is parsed twice.

use std::collections::HashMap;

use syntect::parsing::{SyntaxReference, SyntaxSet};

use super::super::transcript::BlockId;
use super::super::viewer::Paint;
use super::State;
use super::scopes::Scopes;

/// A wish for colours: of the next lines of code in a block of the transcript.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeWanted {
    pub block: BlockId,
    /// Which code of the block: where what it says of itself begins.
    pub code: usize,
    /// What it says of itself.
    pub info: String,
    /// Number of the first line. Those before it have been asked for.
    pub first: usize,
    /// Each with its end; the last one may be without, if nothing comes after it.
    pub lines: String,
}

/// The colours of some lines of code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeHighlighted {
    pub block: BlockId,
    pub code: usize,
    pub first: usize,
    /// Of the lines that have ended.
    pub lines: Vec<Vec<Paint>>,
    /// Of the one that has not, and how long it is.
    pub rest: Option<(usize, Vec<Paint>)>,
    /// Nobody knows its language.
    pub plain: bool,
}

/// All code so far.
pub struct Codes<'s> {
    syntaxes: &'s SyntaxSet,
    scopes: Scopes,
    /// After how many lines of a code the parser stands, and where.
    states: HashMap<(BlockId, usize), (usize, State)>,
}

impl<'s> Codes<'s> {
    pub fn new(syntaxes: &'s SyntaxSet) -> Self {
        Self {
            syntaxes,
            scopes: Scopes::default(),
            states: HashMap::new(),
        }
    }

    pub fn highlight(&mut self, wanted: &CodeWanted) -> CodeHighlighted {
        let key = (wanted.block, wanted.code);
        let state = match self.states.remove(&key) {
            _ if wanted.first == 0 => syntax_of(&wanted.info, self.syntaxes).map(State::new),
            kept => kept.filter(|(lines, _)| *lines == wanted.first).map(|(_, state)| state),
        };
        let mut found = CodeHighlighted {
            block: wanted.block,
            code: wanted.code,
            first: wanted.first,
            lines: Vec::new(),
            rest: None,
            plain: state.is_none(),
        };
        let Some(mut state) = state else {
            return found;
        };
        for line in wanted.lines.split_inclusive('\n') {
            if let Some(text) = line.strip_suffix('\n') {
                let paints = state.paint(line, text.len(), self.syntaxes, &mut self.scopes);
                found.lines.push(paints);
            } else {
                let ended = format!("{line}\n");
                let paints = state.clone().paint(&ended, line.len(), self.syntaxes, &mut self.scopes);
                found.rest = Some((line.len(), paints));
            }
        }
        self.states.insert(key, (wanted.first + found.lines.len(), state));
        found
    }
}

/// What models call a language, where neither its grammar nor its files are called so.
const ALSO_CALLED: &[(&str, &str)] = &[
    ("shell", "sh"),
    ("console", "sh"),
    ("shell-session", "sh"),
    ("golang", "go"),
    ("csharp", "cs"),
    ("fsharp", "fs"),
    ("python3", "py"),
    ("node", "js"),
    ("javascript", "js"),
    ("typescript", "ts"),
    ("jsonc", "json"),
    ("json5", "json"),
    ("docker", "Dockerfile"),
    ("make", "Makefile"),
    ("terraform", "tf"),
    ("objective-c", "m"),
    ("objc", "m"),
    ("powershell", "ps1"),
    ("protobuf", "proto"),
    ("viml", "vim"),
];

/// The grammar that is meant: `rust`, `Rust,ignore`, `{.python}`, `src/main.rs`, `js title="x"`.
fn syntax_of<'s>(info: &str, syntaxes: &'s SyntaxSet) -> Option<&'s SyntaxReference> {
    let info = info.trim_start_matches(['{', '.', ' ']);
    let word = info.split([' ', '\t', ',', ';', ':', '{', '}', '=']).next()?;
    let also = ALSO_CALLED.iter().find(|(name, _)| name.eq_ignore_ascii_case(word));
    let word = also.map_or(word, |(_, name)| name);
    let extension = word
        .rsplit(['.', '/'])
        .next()
        .filter(|extension| !extension.is_empty())?;
    syntaxes
        .find_syntax_by_token(word)
        .or_else(|| syntaxes.find_syntax_by_token(extension))
        .filter(|syntax| syntax.name != "Plain Text")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_are_found_by_what_they_are_called() {
        let syntaxes = two_face::syntax::extra_newlines();
        for info in [
            "rust",
            "Rust,ignore",
            "rs",
            "{.python}",
            "python3",
            "src/main.rs",
            "js title=\"x\"",
            "javascript",
            "typescript",
            "tsx",
            "c",
            "c++",
            "cpp",
            "csharp",
            "go",
            "golang",
            "java",
            "kotlin",
            "swift",
            "ruby",
            "php",
            "bash",
            "sh",
            "shell",
            "console",
            "zsh",
            "powershell",
            "sql",
            "html",
            "css",
            "json",
            "jsonc",
            "yaml",
            "yml",
            "toml",
            "xml",
            "dockerfile",
            "docker",
            "makefile",
            "make",
            "diff",
            "markdown",
            "latex",
            "haskell",
            "lua",
            "perl",
            "r",
            "scala",
            "zig",
            "proto",
            "terraform",
            "nix",
            "elixir",
            "erlang",
            "clojure",
            "ocaml",
        ] {
            assert!(syntax_of(info, &syntaxes).is_some(), "{info}");
        }
        for info in ["", "text", "txt", "plaintext", "nothing-of-the-kind", "{}", ".", "/"] {
            assert!(syntax_of(info, &syntaxes).is_none(), "{info}");
        }
    }
}
