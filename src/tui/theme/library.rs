//! Where themes are found by name: a person's own folder, then those that are built in.

use std::path::{Path, PathBuf};

use ratatui::style::Style;

use super::file::File;
use super::{BUILT_IN, OTHERWISE, PARTS, Part, Theme, ThemeError, syntax};
use crate::config::{self, Place, Problem, did_you_mean};

/// The themes that there are.
#[derive(Debug, Clone, Default)]
pub struct Library {
    /// The folder of the person's own, each `NAME.toml`.
    folder: Option<PathBuf>,
}

/// A theme, and the files that it was made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    pub theme: Theme,
    pub files: Vec<PathBuf>,
}

/// A theme that can be chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    pub name: String,
    /// What it says of itself in its first line.
    pub about: String,
    pub theme: Result<Theme, String>,
}

struct Source {
    /// What to call it in an error.
    shown: String,
    text: String,
    file: Option<PathBuf>,
}

impl Library {
    /// With the themes of the person whose environment this is.
    #[must_use]
    pub fn of_person(environment: impl Fn(&str) -> Option<String>) -> Self {
        Self {
            folder: config::folder(environment).map(|folder| folder.join("themes")),
        }
    }

    #[must_use]
    pub fn at(folder: PathBuf) -> Self {
        Self { folder: Some(folder) }
    }

    #[must_use]
    pub fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    /// The names of all themes: first the person's own, then those that are built in and not replaced by one.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let entries = self.folder.iter().filter_map(|folder| std::fs::read_dir(folder).ok());
        let mut own: Vec<_> = entries
            .flatten()
            .flatten()
            .filter_map(|entry| {
                let name = entry.file_name().into_string().ok()?;
                Some(name.strip_suffix(".toml")?.to_owned())
            })
            .filter(|name| !name.is_empty() && !is_path(name))
            .collect();
        own.sort();
        for name in super::names() {
            if !own.iter().any(|known| known == name) {
                own.push(name.to_owned());
            }
        }
        own
    }

    /// Each theme with what it says of itself.
    #[must_use]
    pub fn choices(&self) -> Vec<Choice> {
        let choice = |name: String| {
            let about = self.source(&name).map(|source| {
                let first = source.text.lines().next().and_then(|line| line.strip_prefix('#'));
                first.unwrap_or_default().trim().to_owned()
            });
            let theme = self
                .load(&name)
                .map(|loaded| loaded.theme)
                .map_err(|error| error.to_string());
            Choice {
                about: about.unwrap_or_default(),
                name,
                theme,
            }
        };
        self.names().into_iter().map(choice).collect()
    }

    /// The text of a theme's file.
    ///
    /// # Errors
    /// If there is none, or it cannot be read.
    pub fn text(&self, name: &str) -> Result<String, ThemeError> {
        self.source(name).map(|source| source.text)
    }

    /// The theme of this name, or of the file with this path.
    ///
    /// # Errors
    /// If there is none, or something in it is wrong; then everything that is.
    pub fn load(&self, name: &str) -> Result<Loaded, ThemeError> {
        self.build(name, &self.source(name)?)
    }

    /// The theme that this text describes; `shown` is what to call it.
    pub(super) fn of_text(&self, name: &str, text: &str) -> Result<Theme, ThemeError> {
        let source = Source {
            shown: name.to_owned(),
            text: text.to_owned(),
            file: None,
        };
        self.build(name, &source).map(|loaded| loaded.theme)
    }

    fn build(&self, name: &str, source: &Source) -> Result<Loaded, ThemeError> {
        let mut files = Vec::new();
        let mut theme = self.inherited(&mut vec![name.to_owned()], source, &mut files)?;
        name.clone_into(&mut theme.name);
        Ok(Loaded { theme, files })
    }

    /// `chain` are the names that led here, this one last.
    fn inherited(
        &self,
        chain: &mut Vec<String>,
        source: &Source,
        files: &mut Vec<PathBuf>,
    ) -> Result<Theme, ThemeError> {
        files.extend(source.file.clone());
        let mut file = File::parse(&source.shown, &source.text);
        let parent = match file.inherit.take() {
            None => None,
            Some((parent, place)) => match self.parent(chain, &parent, &place, source, files) {
                Ok(theme) => Some(theme),
                Err(ThemeError::Wrong { problems }) => {
                    file.problems.extend(problems);
                    None
                }
                Err(other) => return Err(other),
            },
        };
        let syntax = file.syntax.take().and_then(|(name, place)| {
            let styles = colours_of_code(&name, source.file.as_deref(), files);
            let wrong = |message| Problem {
                place: Some(place),
                message: format!("syntax: {message}"),
            };
            styles.map_err(|message| file.problems.push(wrong(message))).ok()
        });
        if !file.problems.is_empty() {
            file.problems.sort_by(|a, b| a.place.cmp(&b.place));
            return Err(ThemeError::Wrong {
                problems: file.problems,
            });
        }
        let alone = parent.is_none();
        let mut theme = parent.unwrap_or_else(|| Theme {
            name: String::new(),
            styles: Box::new([Style::new(); PARTS.len()]),
        });
        let styles: Vec<_> = syntax.into_iter().flatten().chain(file.styles).collect();
        for &(part, style) in &styles {
            theme.styles[part as usize] = style;
        }
        if alone {
            for &(part, like, modifier) in OTHERWISE {
                if !styles.iter().any(|&(known, _)| known == part) {
                    let like = like.map_or_else(Style::new, |like| theme.style(like));
                    theme.styles[part as usize] = like.add_modifier(modifier);
                }
            }
        }
        Ok(theme)
    }

    /// The theme that is inherited. One of the person's own may inherit the built-in one that it replaces.
    fn parent(
        &self,
        chain: &mut Vec<String>,
        parent: &str,
        place: &Place,
        child: &Source,
        files: &mut Vec<PathBuf>,
    ) -> Result<Theme, ThemeError> {
        let wrong = |message: String| ThemeError::Wrong {
            problems: vec![Problem {
                place: Some(place.clone()),
                message: format!("inherit: {message}"),
            }],
        };
        if is_path(parent) {
            return Err(wrong(format!("expected the name of a theme, not the path `{parent}`")));
        }
        let replaced = child.file.is_some() && chain.last().is_some_and(|last| last == parent);
        let source = if replaced { built_in(parent) } else { None };
        if source.is_none() && chain.iter().any(|name| name == parent) {
            let circle = [chain.as_slice(), &[parent.to_owned()]].concat();
            return Err(wrong(format!("a theme cannot inherit itself: {}", circle.join(" → "))));
        }
        let source = match source {
            Some(source) => source,
            None => self.source(parent).map_err(|error| wrong(error.to_string()))?,
        };
        chain.push(parent.to_owned());
        let theme = self.inherited(chain, &source, files);
        chain.pop();
        theme
    }

    fn source(&self, name: &str) -> Result<Source, ThemeError> {
        let read = |path: &Path| {
            let shown = config::shown(path);
            match std::fs::read_to_string(path) {
                Ok(text) => Ok(Source {
                    shown,
                    text,
                    file: Some(path.to_owned()),
                }),
                Err(error) => Err(ThemeError::Unreadable {
                    path: shown,
                    message: error.to_string(),
                }),
            }
        };
        if is_path(name) {
            return read(&config::OptionalPath(name.to_owned()).given().unwrap_or_default());
        }
        let own = self.folder.as_ref().map(|folder| folder.join(format!("{name}.toml")));
        if let Some(own) = own.filter(|own| own.exists()) {
            return read(&own);
        }
        built_in(name).ok_or_else(|| {
            let names = self.names();
            let meant = did_you_mean(name, names.iter().map(String::as_str));
            ThemeError::Unknown {
                name: name.to_owned(),
                there_are: format!("{}, or give the path of a theme file{meant}", names.join(", ")),
            }
        })
    }
}

/// The colours of code by the name of a theme of the highlighter, or from a `.tmTheme` file, which lies where the theme does
/// unless its path says otherwise. That file is one of `files` then.
fn colours_of_code(name: &str, theme: Option<&Path>, files: &mut Vec<PathBuf>) -> Result<Vec<(Part, Style)>, String> {
    if let Some(styles) = syntax::styles(name) {
        return Ok(styles);
    }
    if is_path(name) {
        let given = config::OptionalPath(name.to_owned()).given().unwrap_or_default();
        let path = match theme.and_then(Path::parent) {
            Some(folder) => folder.join(given),
            None => given,
        };
        let styles = syntax::of_file(&path).map_err(|message| format!("{}: {message}", config::shown(&path)));
        files.push(path);
        return styles;
    }
    let mut meant = did_you_mean(name, syntax::names());
    if meant.is_empty() {
        let all = syntax::names().collect::<Vec<_>>().join(", ");
        meant = format!("; there are {all}, or give the path of a .tmTheme file");
    }
    Err(format!("there are no colours for code called `{name}`{meant}"))
}

fn built_in(name: &str) -> Option<Source> {
    let &(name, text) = BUILT_IN.iter().find(|(known, _)| *known == name)?;
    Some(Source {
        shown: name.to_owned(),
        text: text.to_owned(),
        file: None,
    })
}

/// Whether this is meant as the path of a theme file, not as a name.
#[must_use]
pub fn is_path(name: &str) -> bool {
    name.contains(['/', '\\']) || Path::new(name).extension().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::style::Color;

    fn library(files: &[(&str, &str)]) -> (tempfile::TempDir, Library) {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let library = Library::at(folder.path().to_owned());
        (folder, library)
    }

    fn error(library: &Library, name: &str) -> String {
        library.load(name).unwrap_err().to_string()
    }

    #[test]
    fn own_themes_inherit_own_and_built_in_ones() {
        let (folder, library) = library(&[
            ("mine.toml", "# Mine.\ninherit = 'base'\n[styles]\nanswer = 'red'"),
            (
                "base.toml",
                "inherit = 'storm'\n[styles]\nanswer = 'blue'\nnotice = 'green'",
            ),
            ("storm.toml", "inherit = 'storm'\n[styles]\ndetail = 'magenta'"),
            ("notes.txt", ""),
        ]);
        let loaded = library.load("mine").unwrap();
        let theme = &loaded.theme;
        assert_eq!(theme.name, "mine");
        assert_eq!(theme.style(Part::Answer).fg, Some(Color::Red));
        assert_eq!(theme.style(Part::Notice).fg, Some(Color::Green));
        assert_eq!(theme.style(Part::Detail).fg, Some(Color::Magenta));
        let built_in = Theme::built_in("storm").unwrap();
        assert_eq!(theme.style(Part::Verified), built_in.style(Part::Verified));
        let files: Vec<_> = ["mine", "base", "storm"]
            .map(|name| folder.path().join(format!("{name}.toml")))
            .into();
        assert_eq!(loaded.files, files);
        assert_eq!(library.names()[..4], ["base", "mine", "storm", "terminal"]);
        let choices = library.choices();
        assert_eq!((choices[1].name.as_str(), choices[1].about.as_str()), ("mine", "Mine."));
        let path = folder.path().join("mine.toml").display().to_string();
        assert_eq!(library.load(&path).unwrap().theme.styles, loaded.theme.styles);
    }

    #[test]
    fn circles_are_told() {
        let (_folder, library) = library(&[
            ("a.toml", "inherit = 'b'"),
            ("b.toml", "inherit = 'c'"),
            ("c.toml", "\ninherit = 'b'"),
            ("own.toml", "inherit = 'own'"),
        ]);
        let told = error(&library, "a");
        assert!(
            told.contains("c.toml:2:11: inherit: a theme cannot inherit itself: a → b → c → b"),
            "{told}"
        );
        assert!(error(&library, "own").contains("own → own"));
    }

    #[test]
    fn names_that_are_not_there() {
        let (_folder, library) = library(&[
            ("mine.toml", "inherit = 'strom'"),
            ("odd.toml", "inherit = '../x.toml'"),
        ]);
        let told = error(&library, "mine");
        assert!(
            told.contains("mine.toml:1:11: inherit: there is no theme `strom`"),
            "{told}"
        );
        assert!(told.ends_with("did you mean `storm`?"), "{told}");
        assert!(error(&library, "mien").ends_with("did you mean `mine`?"));
        assert!(error(&library, "odd").contains("not the path"));
        assert!(error(&library, "/nowhere/x.toml").contains("/nowhere/x.toml: cannot be read"));
    }

    #[test]
    fn code_may_have_the_colours_of_a_theme_of_the_highlighter() {
        let theme = Library::default()
            .of_text(
                "mine",
                "inherit = 'storm'\nsyntax = 'Nord'\n[styles]\nsyntax-string = 'red'",
            )
            .unwrap();
        let nord = syntax::styles("Nord").unwrap();
        let keyword = nord.iter().find(|(part, _)| *part == Part::SyntaxKeyword).unwrap().1;
        assert_eq!(theme.style(Part::SyntaxKeyword), keyword);
        assert_eq!(theme.style(Part::SyntaxString).fg, Some(Color::Red));
        let told = Library::default()
            .of_text("mine", "syntax = 'Nrod'")
            .unwrap_err()
            .to_string();
        assert!(
            told.contains("mine:1:10: syntax: ") && told.ends_with("did you mean `Nord`?"),
            "{told}"
        );
    }

    #[test]
    fn code_may_have_the_colours_of_a_file() {
        let rule = |scope: &str, colour: &str| {
            format!(
                "<dict><key>scope</key><string>{scope}</string><key>settings</key><dict>\
                 <key>foreground</key><string>{colour}</string></dict></dict>"
            )
        };
        let tm = format!(
            "<?xml version=\"1.0\"?><plist version=\"1.0\"><dict><key>name</key><string>x</string><key>settings</key><array>\
             {}{}</array></dict></plist>",
            rule("comment", "#010203"),
            rule("keyword", "#040506")
        );
        let (folder, library) = library(&[
            ("mine.toml", "inherit = 'storm'\nsyntax = 'x.tmTheme'"),
            ("x.tmTheme", &tm),
            ("lost.toml", "syntax = 'y.tmTheme'"),
        ]);
        let loaded = library.load("mine").unwrap();
        assert_eq!(loaded.theme.style(Part::SyntaxComment).fg, Some(Color::Rgb(1, 2, 3)));
        assert_eq!(loaded.theme.style(Part::SyntaxKeyword).fg, Some(Color::Rgb(4, 5, 6)));
        let files = ["mine.toml", "x.tmTheme"].map(|name| folder.path().join(name));
        assert_eq!(loaded.files, files, "both are followed");
        let told = error(&library, "lost");
        assert!(
            told.contains("lost.toml:1:10: syntax: ") && told.contains("y.tmTheme: cannot be read"),
            "{told}"
        );
    }

    #[test]
    fn every_mistake_is_told_with_its_place() {
        let source = "inherits = 'storm'\n[palette]\nink = '#12'\npen = 'rde'\n[styles]\nanwser = 'red'\n\
                      answer = { fg = 'pne', bgs = 'red', mod = ['blod'] }\nnotice = 3\n";
        let told = Library::default().of_text("mine", source).unwrap_err().to_string();
        let lines: Vec<_> = told.lines().collect();
        let begins = [
            "mine:1:1: inherits: a theme has inherit, syntax, [palette] and [styles]; did you mean `inherit`?",
            "mine:3:7: palette.ink: expected a colour",
            "mine:4:7: palette.pen: expected a colour",
            "mine:6:1: styles.anwser: there is no such part; did you mean `answer`?",
            "mine:7:17: styles.answer.fg: `pne` is neither in [palette] nor a colour",
            "mine:7:24: styles.answer.bgs: a style has fg, bg and mod; did you mean `bg`?",
            "mine:7:44: styles.answer.mod: `blod` is not one of bold",
            "mine:8:10: styles.notice: expected a colour",
        ];
        assert_eq!(lines.len(), begins.len(), "{told}");
        for (line, begin) in lines.iter().zip(begins) {
            assert!(line.starts_with(begin), "{line}\n{begin}");
        }
    }
}
