//! `thunderhead doctor`: what this machine has of what the program can use, what is missing, and how to get it.

mod disk;
mod graphics;
mod terminal;

use std::io::{self, Write};
use std::num::NonZero;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueHint};
use serde::Serialize;

use super::error::CliError;
use super::{load, memory};
use crate::config::Config;
use crate::tui::format;

#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Folder whose disk is measured, as that of a model [default: that of what is kept of models].
    #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    pub disk: Option<PathBuf>,
    /// Leave the disk alone: it is measured with 256 MiB that are written and read.
    #[arg(long, conflicts_with = "disk")]
    pub no_disk: bool,
    /// Print one JSON object a finding.
    #[arg(long)]
    pub json: bool,
}

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    Good,
    /// Works, and could work better.
    Poor,
    Missing,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    about: &'static str,
    state: State,
    found: String,
    /// What to do about it.
    advice: Option<String>,
}

impl Finding {
    fn good(about: &'static str, found: impl Into<String>) -> Self {
        Self {
            about,
            state: State::Good,
            found: found.into(),
            advice: None,
        }
    }

    fn poor(about: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            state: State::Poor,
            advice: Some(advice.into()),
            ..Self::good(about, found)
        }
    }

    fn missing(about: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            state: State::Missing,
            ..Self::poor(about, found, advice)
        }
    }
}

pub(super) fn run(args: &DoctorArgs, config: &Config) -> Result<ExitCode, CliError> {
    let mut findings = vec![processor(config)];
    findings.extend(memory_findings());
    findings.extend(graphics::findings());
    if !args.no_disk {
        findings.push(disk::finding(args.disk.as_deref(), config));
    }
    findings.extend(terminal::findings(config));
    let mut out = io::stdout().lock();
    for finding in &findings {
        if args.json {
            serde_json::to_writer(&mut out, finding).map_err(io::Error::from)?;
            writeln!(out)?;
        } else {
            print(&mut out, finding)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn print(out: &mut impl Write, finding: &Finding) -> io::Result<()> {
    let mark = match finding.state {
        State::Good => "ok",
        State::Poor => "could be better",
        State::Missing => "missing",
    };
    writeln!(out, "{:<16} {:<16} {}", finding.about, mark, finding.found)?;
    if let Some(advice) = &finding.advice {
        writeln!(out, "{:<16} {:<16} → {advice}", "", "")?;
    }
    Ok(())
}

fn processor(config: &Config) -> Finding {
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    let isa = load::isa(&config.model).or_best();
    let name = std::fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("model name"))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    });
    let found = format!(
        "{}{}, instructions used: {}",
        name.map_or_else(String::new, |name| name + ", "),
        format::counted(threads, "thread"),
        isa.in_full()
    );
    if isa.name() == "portable" && cfg!(target_arch = "x86_64") {
        return Finding::poor(
            "processor",
            found,
            "it has no AVX2, or --simd says so: quantised weights are multiplied several times slower",
        );
    }
    Finding::good("processor", found)
}

fn memory_findings() -> Vec<Finding> {
    let Some(total) = memory::total() else {
        return Vec::new();
    };
    let available = memory::available().unwrap_or(total);
    let bytes = |bytes: usize| format::bytes(bytes as u64);
    let found = format!("{}, of which {} are free", bytes(total), bytes(available));
    vec![if available < total / 4 {
        Finding::poor(
            "memory",
            found,
            "other programs hold most of it; a model that does not fit is read from the disk (`thunderhead plan MODEL` says what fits)",
        )
    } else {
        Finding::good("memory", found)
    }]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_a_line_and_what_to_do_about_it_another() {
        let mut out = Vec::new();
        print(&mut out, &Finding::good("memory", "plenty")).unwrap();
        print(&mut out, &Finding::missing("driver", "none", "install one")).unwrap();
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(lines[0].starts_with("memory") && lines[0].contains("ok") && lines[0].ends_with("plenty"));
        assert!(lines[1].contains("missing") && lines[2].trim() == "→ install one");
    }
}
