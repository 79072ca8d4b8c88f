//! `thunderhead --theme ember sessions open tour`: a subcommand behind options of its own.

use std::ffi::OsString;

use clap::Command;

/// The words of a command line with the subcommand, and that of the subcommand, moved in front of the options that stand
/// before it; clap would take it for a path.
pub(super) fn subcommand_first(program: &Command, words: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut words: Vec<OsString> = words.into_iter().collect();
    let mut command = program;
    let mut front = 1;
    while let Some(at) = first_positional(program, command, &words, front) {
        let Some(found) = words[at].to_str().and_then(|name| command.find_subcommand(name)) else {
            break;
        };
        words[front..=at].rotate_right(1);
        front += 1;
        command = found;
    }
    words
}

/// Where the first word from `front` is that is neither an option nor the value of one, options being those of the program or
/// of the subcommand.
fn first_positional(program: &Command, command: &Command, words: &[OsString], front: usize) -> Option<usize> {
    let mut at = front;
    while let Some(word) = words.get(at) {
        // What is not UTF-8 is no subcommand, and no option that we have.
        let word = word.to_str()?;
        if word == "--" {
            return None;
        }
        if word == "-" || !word.starts_with('-') {
            return Some(at);
        }
        at += 1 + usize::from(takes_next(program, word) || takes_next(command, word));
    }
    None
}

/// Whether the word after this option is its value.
fn takes_next(command: &Command, word: &str) -> bool {
    let arg = match word.strip_prefix("--") {
        Some(long) => command.get_arguments().find(|arg| {
            arg.get_long() == Some(long) || arg.get_all_aliases().is_some_and(|aliases| aliases.contains(&long))
        }),
        // `-pQUESTION` has its value in it.
        None => command.get_arguments().find(|arg| {
            word.strip_prefix('-')
                .is_some_and(|short| short.chars().eq(arg.get_short()))
        }),
    };
    arg.is_some_and(|arg| arg.get_action().takes_values() && !arg.is_require_equals_set())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::args::Arguments;

    fn ordered(line: &str) -> String {
        let mut program = Arguments::command();
        program.build();
        let words = subcommand_first(&program, line.split(' ').map(OsString::from));
        let words: Vec<_> = words.iter().map(|word| word.to_str().expect("ours")).collect();
        words.join(" ")
    }

    #[test]
    fn a_subcommand_goes_before_the_options() {
        for (line, expected) in [
            (
                "t --theme ember sessions open tour",
                "t sessions open --theme ember tour",
            ),
            (
                "t sessions --theme ember open tour",
                "t sessions open --theme ember tour",
            ),
            ("t sessions --speed 4 open tour", "t sessions --speed 4 open tour"),
            (
                "t --plain --theme=ember ask -p src",
                "t ask --plain --theme=ember -p src",
            ),
            ("t --config f ask -p where src", "t ask --config f -p where src"),
            ("t --hidden pack .", "t pack --hidden ."),
        ] {
            assert_eq!(ordered(line), expected, "{line}");
        }
    }

    #[test]
    fn anything_else_stays_where_it_is() {
        for line in [
            "t",
            "t src docs",
            "t ask -p pack src",
            "t --theme ask src",
            "t --theme ember src ask",
            "t --theme ember -- ask",
            "t --threads",
            "t --unknown",
            "t - ask",
            "t themes show storm",
        ] {
            assert_eq!(ordered(line), line);
        }
    }
}
