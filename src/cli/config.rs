//! `thunderhead config`, and the settings that every command runs with.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::ArgMatches;
use clap::parser::ValueSource;

use super::args::{ConfigArgs, ConfigCommand};
use super::environment;
use super::error::CliError;
use crate::config::{self, Config, Effective, File, Location, Problem, SETTINGS};
use crate::tui::Keymap;

/// Where settings come from: the command line's part in it, and the file that it names.
pub(super) struct Sources {
    location: Location,
    flags: Vec<(String, Vec<String>)>,
}

impl Sources {
    /// `matches` are those of the subcommand that runs.
    pub fn new(file: Option<&Path>, matches: &ArgMatches) -> Self {
        Self {
            location: Location::find(file, environment),
            flags: flags(matches),
        }
    }

    /// The flags that say what a conversation is about, and with which model: those that a session is opened with again.
    pub fn of_conversation(&self) -> Vec<(String, Vec<String>)> {
        let belongs = |flag: &str| {
            let named =
                |setting: &&config::Setting| setting.flag.map(|known| known.trim_start_matches('!')) == Some(flag);
            let setting = SETTINGS.iter().find(named);
            setting.is_some_and(|setting| matches!(setting.section, "model" | "documents" | "reply"))
        };
        self.flags.iter().filter(|(flag, _)| belongs(flag)).cloned().collect()
    }

    /// The same without them: how the program looks and behaves.
    pub fn of_program(&self) -> Self {
        let about = self.of_conversation();
        Self {
            location: self.location.clone(),
            flags: self
                .flags
                .iter()
                .filter(|flag| !about.contains(flag))
                .cloned()
                .collect(),
        }
    }

    /// The folder for sessions, if the command line has one.
    pub fn folder_of_sessions(&self) -> Option<&str> {
        let given = self.flags.iter().find(|(flag, _)| flag == "sessions");
        given.and_then(|(_, values)| values.first()).map(String::as_str)
    }

    /// The same with the flags of another run, as far as they were not given in this one.
    pub fn with(&self, before: &[(String, Vec<String>)]) -> Self {
        let is_given = |flag: &str| self.flags.iter().any(|(given, _)| given == flag);
        let added = before.iter().filter(|(flag, _)| !is_given(flag)).cloned();
        Self {
            location: self.location.clone(),
            flags: self.flags.iter().cloned().chain(added).collect(),
        }
    }

    fn resolve(&self, file: File) -> (Effective, Vec<Problem>) {
        let (effective, mut problems) = config::resolve(file, environment, &self.flags);
        problems.extend(Keymap::with(&effective.config.keys).1);
        let variables = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
        problems.extend(config::unknown_variables(variables));
        (effective, problems)
    }

    /// The settings to run with.
    pub fn settings(&self) -> Result<Config, CliError> {
        let (effective, problems) = self.resolve(self.location.read());
        complain(&problems)?;
        Ok(effective.config)
    }
}

fn complain(problems: &[Problem]) -> Result<(), CliError> {
    if problems.is_empty() {
        return Ok(());
    }
    let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
    Err(CliError::Usage(lines.join("\n")))
}

/// The flags with a setting that were given, as they were written.
fn flags(matches: &ArgMatches) -> Vec<(String, Vec<String>)> {
    let flags = SETTINGS.iter().filter_map(|setting| setting.flag);
    flags
        .map(|flag| flag.trim_start_matches('!'))
        .filter_map(|flag| {
            let id = flag.replace('-', "_");
            if matches.try_contains_id(&id).ok()? && matches.value_source(&id)? == ValueSource::CommandLine {
                let values = matches.get_raw(&id)?.map(|value| value.to_string_lossy().into_owned());
                return Some((flag.to_owned(), values.collect()));
            }
            None
        })
        .collect()
}

pub(super) fn run(args: &ConfigArgs, sources: &Sources) -> Result<ExitCode, CliError> {
    let mut out = io::stdout().lock();
    match &args.command {
        None => {
            let (effective, problems) = sources.resolve(sources.location.read());
            out.write_all(config::effective(&effective).as_bytes())?;
            complain(&problems)?;
        }
        Some(ConfigCommand::Path) => match sources.location.path() {
            Some(path) => writeln!(out, "{}", path.display())?,
            None => {
                return Err(CliError::Usage(
                    "no configuration file is read: THUNDERHEAD_CONFIG is empty, or there is no home".to_owned(),
                ));
            }
        },
        Some(ConfigCommand::Default) => out.write_all(config::commented().as_bytes())?,
        Some(ConfigCommand::Check { file }) => {
            let location = file
                .as_ref()
                .map_or_else(|| sources.location.clone(), |file| Location::Given(file.clone()));
            let (_, problems) = sources.resolve(location.read());
            complain(&problems)?;
            match location.path() {
                Some(path) if path.exists() => writeln!(out, "{}: right", config::shown(path))?,
                Some(path) => writeln!(
                    out,
                    "{}: not there, so everything is as by default",
                    config::shown(path)
                )?,
                None => writeln!(out, "no configuration file is read")?,
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use clap::{Arg, CommandFactory, Parser};

    use super::*;
    use crate::cli::args::Arguments;

    /// The settings that a command line leads to, without file and environment.
    fn with(line: &[&str]) -> Config {
        let matches = Arguments::command().get_matches_from([&["thunderhead"], line].concat());
        let leaf = crate::cli::leaf(&matches);
        let (effective, problems) = config::resolve(File::default(), |_| None, &flags(leaf));
        assert_eq!(problems, []);
        effective.config
    }

    #[test]
    fn flags_set_what_they_are_named_after() {
        let config = with(&[
            "--threads",
            "3",
            "--no-cache",
            "--hidden",
            "--exclude",
            "a",
            "--exclude",
            "b",
            "--temperature",
            "0.5",
            "src",
        ]);
        assert_eq!(config.model.threads.size(), 3);
        assert!(!config.documents.cache && config.documents.hidden && !config.documents.follow);
        assert_eq!(config.documents.exclude, ["a", "b"]);
        assert_eq!(config.reply.temperature.given().map(|t| t.0), Some(0.5));
        let config = with(&[
            "ask",
            "-p",
            "x",
            "--backend",
            "reference",
            "--hidden=false",
            "--max-context",
            "10",
        ]);
        assert_eq!(config.model.backend, config::Backend::Reference);
        assert!(!config.documents.hidden);
        assert_eq!(config.model.max_context.given().map(config::Count::size), Some(10));
    }

    #[test]
    fn what_is_not_given_is_not_set() {
        assert_eq!(with(&["src"]), Config::default());
        assert_eq!(with(&["pack", "src"]), Config::default());
    }

    #[test]
    fn every_flag_of_the_table_is_one_of_the_application_with_the_same_default() {
        let command = Arguments::command();
        let config = Config::default();
        for setting in SETTINGS.iter().filter(|setting| setting.flag.is_some()) {
            let flag = setting.flag.unwrap_or_default().trim_start_matches('!');
            let arg = command.get_arguments().find(|arg| arg.get_long() == Some(flag));
            let arg = arg.unwrap_or_else(|| panic!("--{flag}"));
            let defaults = |arg: &Arg| {
                arg.get_default_values()
                    .first()
                    .map(|value| value.to_string_lossy().into_owned())
            };
            if let (Some(default), false) = (defaults(arg), arg.get_action().takes_values() && setting.list) {
                let shown = (setting.show)(&config);
                let same = default == shown.trim_matches('"') || default.parse() == shown.parse::<f64>();
                assert!(same || default == "false", "--{flag}: {default}, {shown}");
            }
        }
    }

    #[test]
    fn the_file_may_be_named_before_or_after_a_subcommand() {
        for line in [&["ask", "--config", "f", "-p", "x"][..], &["--config", "f", "src"]] {
            let arguments = Arguments::try_parse_from([&["thunderhead"], line].concat()).unwrap();
            assert_eq!(arguments.config.as_deref(), Some(Path::new("f")));
        }
    }
}
