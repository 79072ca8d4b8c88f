//! What a person asked to load.

use std::path::{Path, PathBuf};

use ignore::gitignore::{Gitignore, GitignoreBuilder};

use super::ContextError;

/// Paths, and what of them is meant.
///
/// Patterns are those of `.gitignore`: `*.rs` anywhere, `/docs` at the top, `tests/` a folder with all that is in it, `!`
/// takes back. They are matched against a file's place below the folder that was named, and against the name that it is
/// shown with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Files, folders, globs, `@FILE` for a list of paths, `@-` for a list on standard input, `-` for a document there.
    pub paths: Vec<PathBuf>,
    /// Patterns of what to leave out.
    pub exclude: Vec<String>,
    /// Patterns of what alone to take; none takes everything.
    pub only: Vec<String>,
    /// Patterns of what to take although it would be left out: ignored, hidden, generated, secret.
    pub include: Vec<String>,
    /// Hidden files are taken too.
    pub hidden: bool,
    /// Symbolic links are followed, wherever they lead.
    pub follow: bool,
    /// Lines to keep of each document, if not all.
    pub cut: Cut,
    pub order: Order,
    /// Names in the order in which they come before all others: what is in the context already.
    pub keep: Vec<String>,
    /// What left-out files would have cost is counted, not estimated.
    pub count_left_out: bool,
}

/// Lines that are kept at the beginning and at the end of each document; neither keeps all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Cut {
    pub head: Option<usize>,
    pub tail: Option<usize>,
}

/// The order of documents inside a folder.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Order {
    /// What changes rarely first, by the history of git where there is one; else by path.
    #[default]
    History,
    Path,
}

impl Selection {
    #[must_use]
    pub fn of(paths: Vec<PathBuf>) -> Self {
        Self {
            paths,
            ..Self::default()
        }
    }
}

impl Cut {
    /// The first and the number of the lines left out of `lines`.
    pub(super) fn gap(self, lines: usize) -> Option<(usize, usize)> {
        let (head, tail) = match (self.head, self.tail) {
            (None, None) => return None,
            (head, tail) => (head.unwrap_or(0), tail.unwrap_or(0)),
        };
        let left_out = lines.checked_sub(head.saturating_add(tail))?;
        (left_out > 0).then_some((head, left_out))
    }
}

/// The patterns of a selection, ready to be matched.
#[derive(Debug)]
pub(super) struct Patterns {
    exclude: Gitignore,
    only: Gitignore,
    include: Gitignore,
}

impl Patterns {
    pub fn new(selection: &Selection) -> Result<Self, ContextError> {
        Ok(Self {
            exclude: patterns(&selection.exclude)?,
            only: patterns(&selection.only)?,
            include: patterns(&selection.include)?,
        })
    }

    pub fn excludes(&self, names: &[&str], folder: bool) -> bool {
        matches(&self.exclude, names, folder)
    }

    /// Whether `--only` leaves a file out.
    pub fn passes_over(&self, names: &[&str]) -> bool {
        !self.only.is_empty() && !matches(&self.only, names, false)
    }

    pub fn includes(&self, names: &[&str], folder: bool) -> bool {
        matches(&self.include, names, folder)
    }

    /// Whether anything below a folder could be included.
    pub fn has_includes(&self) -> bool {
        !self.include.is_empty()
    }
}

fn patterns(lines: &[String]) -> Result<Gitignore, ContextError> {
    let mut builder = GitignoreBuilder::new("");
    for line in lines {
        builder.add_line(None, line).map_err(|error| ContextError::Pattern {
            pattern: line.clone(),
            reason: error.to_string(),
        })?;
    }
    builder.build().map_err(|error| ContextError::Pattern {
        pattern: lines.join(" "),
        reason: error.to_string(),
    })
}

/// Whether something matches by one of its names, the first of which that any pattern speaks of decides.
fn matches(patterns: &Gitignore, names: &[&str], folder: bool) -> bool {
    let matched = names.iter().map(|name| {
        let name = name.trim_start_matches('/').trim_end_matches('/');
        patterns.matched_path_or_any_parents(Path::new(name), folder)
    });
    matched
        .filter(|matched| !matched.is_none())
        .map(|matched| matched.is_ignore())
        .next()
        .unwrap_or(false)
}

/// The pattern that matches just the file or folder with this name.
#[must_use]
pub fn pattern_of(name: &str) -> String {
    let mut pattern = String::from("/");
    for c in name.trim_start_matches('/').chars() {
        if "\\*?[]{}!# ".contains(c) {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn patterns_are_those_of_gitignore() {
        let selection = Selection {
            exclude: ["*.log", "/docs", "tests/", "!keep.log", "a/**/z"]
                .map(str::to_owned)
                .to_vec(),
            only: vec!["*.rs".into()],
            ..Selection::default()
        };
        let patterns = Patterns::new(&selection).unwrap();
        for (name, folder, out) in [
            ("x.log", false, true),
            ("deep/x.log", false, true),
            ("deep/keep.log", false, false),
            ("docs", true, true),
            ("docs/a.md", false, true),
            ("src/docs/a.md", false, false),
            ("src/tests/x.rs", false, true),
            ("/abs/a/b/z", false, false),
            ("a/b/c/z", false, true),
            ("../docs/a", false, false),
        ] {
            assert_eq!(patterns.excludes(&[name], folder), out, "{name}");
        }
        assert!(patterns.passes_over(&["a.c"]) && !patterns.passes_over(&["/deep/a.rs"]));
        assert!(!patterns.includes(&["a"], false));
        let bad = Selection {
            only: vec!["{a".into()],
            ..Selection::default()
        };
        let error = Patterns::new(&bad).unwrap_err().to_string();
        assert!(error.contains("{a"), "{error}");
    }

    #[test]
    fn a_cut_leaves_out_the_middle() {
        let cut = |head, tail| Cut { head, tail };
        assert_eq!(cut(None, None).gap(100), None);
        assert_eq!(cut(Some(10), None).gap(100), Some((10, 90)));
        assert_eq!(cut(None, Some(10)).gap(100), Some((0, 90)));
        assert_eq!(cut(Some(3), Some(4)).gap(8), Some((3, 1)));
        assert_eq!(cut(Some(3), Some(5)).gap(8), None);
        assert_eq!(cut(Some(usize::MAX), Some(1)).gap(8), None);
    }

    proptest! {
        #[test]
        fn the_pattern_of_a_name_matches_that_name(name in "[ -~é你]{1,12}(/[ -~é]{1,8}){0,2}") {
            prop_assume!(!name.split('/').any(|part| part.trim().is_empty() || part.ends_with(' ') || part == "." || part == ".."));
            let patterns = patterns(&[pattern_of(&name)]).unwrap();
            prop_assert!(matches(&patterns, &[&name], false), "{}", pattern_of(&name));
            let below = format!("{name}/below");
            prop_assert!(matches(&patterns, &[&below], false));
            let other = format!("other{name}");
            prop_assert!(!matches(&patterns, &[&other], false));
        }
    }
}
