//! What the terminal can do, as far as its environment says it: nothing is asked of it, and nothing is drawn.

use std::io::{self, IsTerminal};

use super::Finding;
use crate::config::Config;
use crate::tui::{Abilities, Depth};

pub(super) fn findings(config: &Config) -> Vec<Finding> {
    let is_terminal = io::stdout().is_terminal() && io::stdin().is_terminal();
    findings_of(is_terminal, &Abilities::of_process(config), super::super::environment)
}

fn findings_of(is_terminal: bool, abilities: &Abilities, environment: impl Fn(&str) -> Option<String>) -> Vec<Finding> {
    let get = |name: &str| environment(name).filter(|value| !value.is_empty());
    let term = get("TERM").unwrap_or_else(|| "not named".to_owned());
    let program = get("TERM_PROGRAM").map_or_else(String::new, |program| format!(", {program}"));
    let mut findings = Vec::new();
    let size = abilities
        .size
        .map_or_else(String::new, |(columns, rows)| format!(", {columns}×{rows}"));
    findings.push(match abilities.size {
        _ if !is_terminal => Finding::poor(
            "terminal",
            format!("this is none ({term})"),
            "the application needs one; `ask` and --plain do not",
        ),
        Some((columns, rows)) if columns < 80 || rows < 24 => Finding::poor(
            "terminal",
            format!("{term}{program}{size}"),
            "smaller than 80×24: panes are shown one at a time",
        ),
        _ => Finding::good("terminal", format!("{term}{program}{size}")),
    });
    let colours = match abilities.depth {
        Depth::True => Finding::good("colours", "all"),
        Depth::Indexed => Finding::poor(
            "colours",
            "256",
            "if the terminal has all, say so with COLORTERM=truecolor or --colour truecolor",
        ),
        Depth::Sixteen => Finding::poor("colours", "16", "--colour says how many there are, if that is wrong"),
        Depth::None => Finding::poor(
            "colours",
            "none",
            "NO_COLOR, CLICOLOR or TERM say so; --colour says otherwise",
        ),
    };
    findings.push(colours);
    let language = ["LC_ALL", "LC_CTYPE", "LANG"]
        .into_iter()
        .find_map(get)
        .unwrap_or_default();
    let is_utf8 = language.to_ascii_lowercase().replace('-', "").contains("utf8");
    findings.push(if is_utf8 || cfg!(any(windows, target_os = "macos")) {
        Finding::good("characters", "UTF-8")
    } else {
        Finding::poor(
            "characters",
            format!(
                "the locale ({}) does not say UTF-8",
                if language.is_empty() { "none" } else { &language }
            ),
            "set LANG=C.UTF-8 if lines and marks are not drawn as such",
        )
    });
    findings.push(Finding::good("notifications", format!("by {}", abilities.notify)));
    let copying = if abilities.copy_programs.is_empty() {
        Finding::poor(
            "copying",
            "by the terminal (OSC 52), which may have to allow it",
            "wl-copy, xclip or xsel do it without the terminal, where there is a display",
        )
    } else {
        Finding::good(
            "copying",
            format!("by {}, else by the terminal", abilities.copy_programs.join(", ")),
        )
    };
    findings.push(copying);
    findings
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    fn abilities(size: Option<(u16, u16)>, depth: Depth) -> Abilities {
        Abilities {
            size,
            depth,
            notify: "bell",
            copy_programs: Vec::new(),
        }
    }

    #[test]
    fn a_plain_terminal_is_told_what_it_lacks() {
        let environment = |name: &str| (name == "TERM").then(|| "vt100".to_owned());
        let findings = findings_of(true, &abilities(Some((60, 20)), Depth::None), environment);
        let poor: Vec<_> = findings
            .iter()
            .filter(|f| f.state == State::Poor)
            .map(|f| f.about)
            .collect();
        assert!(poor.starts_with(&["terminal", "colours"]), "{poor:?}");
        assert!(findings[0].found.contains("vt100") && findings[0].found.contains("60×20"));
    }

    #[test]
    fn a_full_one_lacks_nothing() {
        let environment = |name: &str| match name {
            "TERM" => Some("xterm-kitty".to_owned()),
            "LANG" => Some("en_GB.UTF-8".to_owned()),
            _ => None,
        };
        let abilities = Abilities {
            copy_programs: vec!["wl-copy"],
            ..abilities(Some((200, 60)), Depth::True)
        };
        let findings = findings_of(true, &abilities, environment);
        assert!(
            findings.iter().all(|finding| finding.state == State::Good),
            "{findings:?}"
        );
        let none = findings_of(false, &abilities, environment);
        assert_eq!(none[0].state, State::Poor);
    }
}
