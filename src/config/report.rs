//! Settings as files: the effective ones with where they came from, and all of them explained.

use std::fmt::Write;

use super::table::{SETTINGS, Setting, sections};
use super::value::quoted;
use super::{Config, Effective, Origin};

/// Columns of a comment.
const WIDTH: usize = 100;

/// The effective settings as a valid file; after each where it came from.
#[must_use]
pub fn effective(effective: &Effective) -> String {
    let rows: Vec<_> = SETTINGS
        .iter()
        .zip(&effective.origins)
        .map(|(setting, origin)| {
            (
                setting.section,
                assignment(setting, &effective.config),
                origin.to_string(),
            )
        })
        .collect();
    let mut out = String::new();
    for (section, _) in sections() {
        let rows = rows.iter().filter(|(of, ..)| *of == section);
        table(
            &mut out,
            section,
            rows.map(|(_, line, origin)| (line.clone(), origin.clone())),
        );
    }
    let mut contexts: Vec<&str> = Vec::new();
    for binding in &effective.config.keys {
        if !contexts.contains(&binding.context.as_str()) {
            contexts.push(&binding.context);
        }
    }
    for context in contexts {
        let of = effective
            .config
            .keys
            .iter()
            .filter(|binding| binding.context == context);
        let rows = of.map(|binding| {
            let line = format!("{} = {}", quoted(&binding.keys), quoted(&binding.action));
            (line, Origin::File(binding.place.clone()).to_string())
        });
        table(&mut out, &format!("keys.{}", key(context)), rows);
    }
    out
}

/// A section, with the origins below each other where that is not too far away.
fn table(out: &mut String, name: &str, rows: impl Iterator<Item = (String, String)>) {
    let rows: Vec<_> = rows.collect();
    let widest = rows
        .iter()
        .map(|(line, _)| line.chars().count())
        .filter(|&width| width <= 50)
        .max();
    let widest = widest.unwrap_or(0);
    let gap = if out.is_empty() { "" } else { "\n" };
    let _ = writeln!(out, "{gap}[{name}]");
    for (line, origin) in rows {
        let _ = writeln!(out, "{line:widest$}  # {origin}");
    }
}

fn assignment(setting: &Setting, config: &Config) -> String {
    format!("{} = {}", setting.key(), (setting.show)(config))
}

/// A key as TOML has it.
fn key(name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !name.is_empty() && name.chars().all(bare) {
        name.to_owned()
    } else {
        quoted(name)
    }
}

/// A file with every setting, explained and commented out: what is uncommented is set.
#[must_use]
pub fn commented() -> String {
    let config = Config::default();
    let mut out = String::from(
        "# Settings of thunderhead. What stands here goes before the defaults; the environment goes before this file,\n\
         # and flags before both. `thunderhead config` prints what holds, `thunderhead config check` what is wrong.\n",
    );
    for (section, about) in sections() {
        let _ = writeln!(out, "\n# {about}\n[{section}]");
        for setting in SETTINGS.iter().filter(|setting| setting.section == section) {
            out.push('\n');
            for line in wrapped(&setting.about()) {
                let _ = writeln!(out, "# {line}");
            }
            let flag = setting
                .flag
                .map_or_else(String::new, |flag| format!("--{}, ", flag.trim_start_matches('!')));
            let _ = writeln!(out, "# Expects {}. {flag}{}", (setting.expected)(), setting.variable());
            let _ = writeln!(out, "#{}", assignment(setting, &config));
        }
    }
    out
}

fn wrapped(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
