//! What a person has set: in a file, in the environment, on the command line.
//!
//! A flag goes before the environment, that before the file, and that before the default. The settings are one table
//! ([`SETTINGS`]); each effective value remembers where it came from, and every mistake is told with its place, all of them at
//! once. Which keys do what is carried through as it stands: the keymap knows what they can do.

mod file;
mod nearest;
mod report;
mod table;
mod theme;
mod turning;
mod value;

#[cfg(test)]
mod tests;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use file::File;
pub use nearest::{did_you_mean, nearest};
pub use report::{commented, effective};
pub use table::{
    Backend, Background, Colour, Composer, Config, Documents, FileOrder, Kernels, KvCache, Model, Notify, NotifyMethod,
    Plain, PlainThinking, Reply, SETTINGS, Screen, Sessions, Setting, Simd, Snapshots, Thinking, ThinkingFold, Ui,
    Weights, sections,
};
pub use theme::ThemeChoice;
pub use turning::Phrases;
pub use value::{Auto, Count, Folder, Number, OptionalPath, Size, Value};

/// A line and a column of a file, both from 1.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub file: Arc<str>,
    pub line: usize,
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// The places of a text.
pub struct Lines<'a> {
    name: Arc<str>,
    source: &'a str,
}

impl<'a> Lines<'a> {
    /// `name` is what to call it.
    #[must_use]
    pub fn new(name: &str, source: &'a str) -> Self {
        Self {
            name: name.into(),
            source,
        }
    }

    /// Where the byte with this offset is.
    #[must_use]
    pub fn place(&self, offset: usize) -> Place {
        let before = self.source.get(..offset).unwrap_or(self.source);
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        Place {
            file: Arc::clone(&self.name),
            line: before.matches('\n').count() + 1,
            column: before[start..].chars().count() + 1,
        }
    }
}

/// Something that is wrong, where it is wrong. Without a place the message says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub place: Option<Place>,
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some(place) => write!(f, "{place}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

/// A key, or several one after the other, and the action that they have in a context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    pub context: String,
    pub keys: String,
    pub action: String,
    pub place: Place,
}

/// Where an effective value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    Default,
    File(Place),
    Variable(String),
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(place) => write!(f, "{}:{}", place.file, place.line),
            Self::Variable(name) => f.write_str(name),
            Self::Flag(name) => write!(f, "--{name}"),
        }
    }
}

/// The effective settings, and where each came from, in the order of [`SETTINGS`].
#[derive(Debug, Clone, PartialEq)]
pub struct Effective {
    pub config: Config,
    pub origins: Vec<Origin>,
}

/// Variables of ours that are no settings: where things lie that a configuration cannot say, and what developers use.
const OTHER_VARIABLES: [&str; 4] = [
    "THUNDERHEAD_CACHE",
    "THUNDERHEAD_CONFIG",
    "THUNDERHEAD_DEBUG",
    "THUNDERHEAD_HISTORY",
];

/// Of the names of variables, those that look like ours and are not.
pub fn unknown_variables(names: impl IntoIterator<Item = String>) -> Vec<Problem> {
    const OURS: &str = "THUNDERHEAD_";
    let settings: Vec<String> = SETTINGS.iter().map(Setting::variable).collect();
    let all = settings.iter().map(String::as_str).chain(OTHER_VARIABLES);
    // What all of them begin with would make all of them alike.
    let known: Vec<&str> = all.filter_map(|name| name.strip_prefix(OURS)).collect();
    let mut unknown: Vec<String> = names
        .into_iter()
        .filter(|name| name.strip_prefix(OURS).is_some_and(|name| !known.contains(&name)))
        .collect();
    unknown.sort();
    let problem = |name: &String| {
        let meant = nearest(&name[OURS.len()..], known.iter().copied());
        let meant = meant.map_or_else(String::new, |meant| format!("; did you mean `{OURS}{meant}`?"));
        Problem {
            place: None,
            message: format!("{name}: no such setting{meant}"),
        }
    };
    unknown.iter().map(problem).collect()
}

/// Puts together what stands in a file, the environment and the command line.
///
/// `flags` are the flags that were given, without their dashes, each with its values as they were written. A value that is
/// wrong is told, and the one before it stays.
#[must_use]
pub fn resolve(
    file: File,
    environment: impl Fn(&str) -> Option<String>,
    flags: &[(String, Vec<String>)],
) -> (Effective, Vec<Problem>) {
    let mut config = Config {
        keys: file.keys,
        ..Config::default()
    };
    let mut problems = file.problems;
    let mut origins = vec![Origin::Default; SETTINGS.len()];
    for (setting, origin) in SETTINGS.iter().zip(&mut origins) {
        let name = setting.name();
        let here = file.settings.iter().find(|(known, ..)| known.name() == name);
        if let Some((_, value, place)) = here {
            match (setting.set)(&mut config, value) {
                Ok(()) => *origin = Origin::File(place.clone()),
                Err(message) => problems.push(Problem {
                    place: Some(place.clone()),
                    message: format!("{name}: {message}"),
                }),
            }
        }
        let variable = setting.variable();
        if let Some(text) = environment(&variable) {
            match set_text(setting, &mut config, &[text], false) {
                Ok(()) => *origin = Origin::Variable(variable),
                Err(message) => problems.push(Problem {
                    place: None,
                    message: format!("{variable}: {message}"),
                }),
            }
        }
        let Some(flag) = setting.flag else {
            continue;
        };
        let (opposite, flag) = flag.strip_prefix('!').map_or((false, flag), |flag| (true, flag));
        if let Some((_, values)) = flags.iter().find(|(name, _)| name == flag) {
            match set_text(setting, &mut config, values, opposite) {
                Ok(()) => *origin = Origin::Flag(flag.to_owned()),
                Err(message) => problems.push(Problem {
                    place: None,
                    message: format!("--{flag}: {message}"),
                }),
            }
        }
    }
    problems.sort_by(|a, b| a.place.cmp(&b.place));
    (Effective { config, origins }, problems)
}

/// Sets what was written without the marks of TOML: a text is a text, and what cannot be one is read as TOML.
fn set_text(setting: &Setting, config: &mut Config, texts: &[String], opposite: bool) -> Result<(), String> {
    let as_text = |text: &String| toml::Value::String(text.clone());
    let (first, rest) = texts.split_first().ok_or("a value is missing")?;
    if !rest.is_empty() {
        return (setting.set)(config, &toml::Value::Array(texts.iter().map(as_text).collect()));
    }
    let as_toml = format!("x = {first}").parse::<toml::Table>().ok();
    let as_toml = as_toml.and_then(|mut table| table.remove("x").filter(|_| table.is_empty()));
    let as_toml = match as_toml {
        Some(toml::Value::Boolean(value)) => Some(toml::Value::Boolean(value != opposite)),
        other => other,
    };
    let structured = first.starts_with(['[', '{', '"', '\'']);
    match as_toml {
        Some(value) if structured => (setting.set)(config, &value),
        Some(value) => (setting.set)(config, &as_text(first)).or_else(|_| (setting.set)(config, &value)),
        None => (setting.set)(config, &as_text(first)),
    }
}

/// Which file is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// This one, which has to be there.
    Given(PathBuf),
    /// This one, if it is there.
    Usual(PathBuf),
    /// None: it is not wanted, or there is no home for it.
    None,
}

impl Location {
    /// By the flag `--config`, the variable `THUNDERHEAD_CONFIG` (empty for none), or the place that is usual.
    #[must_use]
    pub fn find(flag: Option<&Path>, environment: impl Fn(&str) -> Option<String>) -> Self {
        if let Some(path) = flag {
            return Self::Given(path.to_owned());
        }
        match environment("THUNDERHEAD_CONFIG") {
            Some(path) if path.is_empty() => Self::None,
            Some(path) => Self::Given(path.into()),
            None => folder(environment).map_or(Self::None, |folder| Self::Usual(folder.join("config.toml"))),
        }
    }

    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Given(path) | Self::Usual(path) => Some(path),
            Self::None => None,
        }
    }

    /// Reads the file.
    #[must_use]
    pub fn read(&self) -> File {
        let Some(path) = self.path() else {
            return File::default();
        };
        let name = shown(path);
        let reason = match std::fs::read(path).map(String::from_utf8) {
            Ok(Ok(source)) => return File::parse(&name, &source),
            Ok(Err(_)) => "it is not UTF-8".to_owned(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && matches!(self, Self::Usual(_)) => {
                return File::default();
            }
            Err(error) => error.to_string(),
        };
        File {
            problems: vec![Problem {
                place: None,
                message: format!("{name}: cannot be read: {reason}"),
            }],
            ..File::default()
        }
    }
}

/// The folder of what the person has set: `thunderhead` in that of the XDG base directory specification.
#[must_use]
pub fn folder(environment: impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let from = |name: &str| environment(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = from("XDG_CONFIG_HOME")
        .filter(|path| path.is_absolute())
        .or_else(|| Some(from("HOME").or_else(|| from("USERPROFILE"))?.join(".config")))?;
    Some(base.join("thunderhead"))
}

/// A path as a person writes it: with `~` for home.
#[must_use]
pub fn shown(path: &Path) -> String {
    let home = std::env::home_dir().filter(|home| home.components().count() > 1);
    match home.and_then(|home| path.strip_prefix(home).ok().map(Path::to_owned)) {
        Some(rest) => format!("~/{}", rest.display()),
        None => path.display().to_string(),
    }
}
