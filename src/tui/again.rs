//! The command line that opens the same documents again, to be left on the screen.

use std::fmt::Write;

use crate::context::pattern_of;
use crate::conversation::Change;

/// What to type, if there is something to come back to. `words` are those of the command line that was typed, the
/// program's name first; `changes` what was made of the documents since.
pub fn command(words: &[String], changes: &[Change]) -> Option<String> {
    let mut loaded: Vec<&str> = Vec::new();
    let mut options: Vec<(&str, String)> = Vec::new();
    for change in changes {
        for path in &change.load {
            let excluded = ("--exclude", pattern_of(path.trim_end_matches('/')));
            options.retain(|option| *option != excluded);
            if !loaded.contains(&&**path) && !words.iter().skip(1).any(|word| word == path) {
                loaded.push(path);
            }
        }
        for name in change.unload.iter().map(|name| name.trim_end_matches('/')) {
            loaded.retain(|path| path.trim_end_matches('/') != name);
            options.push(("--exclude", pattern_of(name)));
        }
        for name in change.include.iter().map(|name| name.trim_end_matches('/')) {
            let excluded = ("--exclude", pattern_of(name));
            options.retain(|option| *option != excluded);
            options.push(("--include", pattern_of(name)));
        }
    }
    if words.len() < 2 && loaded.is_empty() {
        return None;
    }
    let options = options.iter().flat_map(|(name, value)| [*name, value]);
    // Options stand before a `--`, after which there are paths only.
    let end = words.iter().position(|word| word == "--").unwrap_or(words.len());
    let (before, after) = words.split_at(end);
    let before = before.iter().map(String::as_str);
    let after = after.iter().map(String::as_str);
    let all: Vec<_> = before.chain(options).chain(after).chain(loaded).map(quoted).collect();
    Some(all.join(" "))
}

/// A word as a shell reads it back. What is no character to be seen is written by its bytes.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "@%+=:,./-_".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    if super::text::clean(word) == word && !word.contains(['\n', '\t']) {
        return format!("'{}'", word.replace('\'', r"'\''"));
    }
    let mut out = String::from("$'");
    for c in word.chars() {
        match c {
            '\'' | '\\' => out.extend(['\\', c]),
            c if c != ' ' && super::text::width(c.encode_utf8(&mut [0; 4])) == 0 || c == '\t' => {
                for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                    let _ = write!(out, "\\{byte:03o}");
                }
            }
            c => out.push(c),
        }
    }
    out.push('\'');
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    fn change(load: &[&str], unload: &[&str], include: &[&str]) -> Change {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Change {
            load: owned(load),
            unload: owned(unload),
            include: owned(include),
        }
    }

    #[test]
    fn it_is_what_was_typed_with_what_was_changed_since() {
        let typed = words("thunderhead --model m src");
        assert_eq!(command(&typed, &[]).as_deref(), Some("thunderhead --model m src"));
        let changes = [
            change(&["docs/", "a b", "src"], &[], &[]),
            change(&[], &["docs", "src/x.rs"], &["target/"]),
        ];
        assert_eq!(
            command(&typed, &changes).as_deref(),
            Some("thunderhead --model m src --exclude /docs --exclude /src/x.rs --include /target 'a b'")
        );
        let back = [change(&[], &["src/x.rs"], &[]), change(&["src/x.rs"], &[], &[])];
        assert_eq!(
            command(&typed, &back).as_deref(),
            Some("thunderhead --model m src src/x.rs")
        );
        let dashes = words("thunderhead -- -odd");
        assert_eq!(
            command(&dashes, &[change(&["b"], &["c*"], &[])]).as_deref(),
            Some(r"thunderhead --exclude '/c\*' -- -odd b")
        );
    }

    #[test]
    fn without_documents_there_is_nothing_to_come_back_to() {
        assert_eq!(command(&words("thunderhead"), &[]), None);
        assert_eq!(command(&[], &[]), None);
        let loaded = command(&words("thunderhead"), &[change(&["x"], &[], &[])]);
        assert_eq!(loaded.as_deref(), Some("thunderhead x"));
    }

    #[test]
    fn words_are_quoted_for_a_shell() {
        for (word, written) in [
            ("src/x.rs", "src/x.rs"),
            ("", "''"),
            ("it's $HOME", r"'it'\''s $HOME'"),
            ("a*b;c", "'a*b;c'"),
            ("~/x", "'~/x'"),
            ("\u{1b}[2J'\n", r"$'\033[2J\'\012'"),
            ("\u{202e}x", r"$'\342\200\256x'"),
        ] {
            assert_eq!(quoted(word), written);
        }
    }

    #[cfg(unix)]
    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn a_shell_reads_back_what_was_meant(words in prop::collection::vec("[ab '\"\\\\$*;~!#&(é你-]{0,6}", 1..4)) {
            let line: Vec<_> = words.iter().map(|word| quoted(word)).collect();
            let script = format!("printf '%s\\n' {}", line.join(" "));
            let output = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
            let told = String::from_utf8(output.stdout).unwrap();
            let wanted = words.iter().fold(String::new(), |text, word| text + word + "\n");
            prop_assert_eq!(told, wanted);
        }
    }
}
