//! Loading themes for the application, and loading one again when its files change.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::mpsc::Sender;

use super::super::app::{Grounds, Input};
use super::super::inbox::Message;
use super::{Choice, Library, Loaded, Theme, ThemeError};
use crate::context::Watch;

/// Follows the files of the themes that are in use: one, or one for dark grounds and one for light ones.
pub struct Follower {
    library: Library,
    sender: Sender<Message>,
    watches: Vec<Watch>,
}

impl Follower {
    pub fn new(library: Library, sender: Sender<Message>) -> Self {
        Self {
            library,
            sender,
            watches: Vec::new(),
        }
    }

    pub fn choices(&self) -> Vec<Choice> {
        self.library.choices()
    }

    pub fn names(&self) -> Vec<String> {
        self.library.names()
    }

    /// The theme of this name, which is followed from now on.
    pub fn load(&mut self, name: &str) -> Result<Theme, ThemeError> {
        let Loaded { theme, files } = self.library.load(name)?;
        self.watches.clear();
        self.follow(name, &files);
        Ok(theme)
    }

    /// Both themes, which are followed from now on.
    pub fn load_both(&mut self, dark: &str, light: &str) -> Result<Grounds, ThemeError> {
        let dark_files = self.library.load(dark)?;
        let light_files = self.library.load(light)?;
        self.watches.clear();
        self.follow(dark, &dark_files.files);
        if light != dark {
            self.follow(light, &light_files.files);
        }
        Ok(Grounds {
            dark: dark_files.theme,
            light: light_files.theme,
        })
    }

    /// A theme that is built in does not change. Of others the folders are watched: editors put a new file in the place of
    /// the old one.
    fn follow(&mut self, name: &str, files: &[PathBuf]) {
        let folders: BTreeSet<_> = files
            .iter()
            .filter_map(|file| file.parent())
            .map(Path::to_owned)
            .collect();
        let (library, sender, name) = (self.library.clone(), self.sender.clone(), name.to_owned());
        let watch = Watch::folders(&folders, move || {
            let theme = library.load(&name).map(|loaded| loaded.theme);
            let input = Input::ThemeChanged {
                name: name.clone(),
                theme: theme.map_err(|error| error.to_string()),
            };
            // Nobody listens any more only while the application ends.
            let _ = sender.send(Message::Input(input));
        });
        self.watches.extend(watch);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_theme_is_loaded_again_when_its_file_changes() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("mine.toml");
        std::fs::write(&file, "[styles]\nanswer = 'red'").unwrap();
        let (sender, told) = channel();
        let mut follower = Follower::new(Library::at(folder.path().to_owned()), sender);
        follower.load("mine").unwrap();
        assert_eq!(follower.watches.len(), 1);
        let changed = |text: &str| {
            std::fs::write(&file, text).unwrap();
            match told.recv_timeout(Duration::from_mins(1)).unwrap() {
                Message::Input(Input::ThemeChanged { name, theme }) => {
                    assert_eq!(name, "mine");
                    theme
                }
                other => panic!("{other:?}"),
            }
        };
        assert!(changed("[styles]\nanswr = 'red'").unwrap_err().contains("answr"));
        let blue = Theme::parse("mine", "[styles]\nanswer = 'blue'").unwrap();
        assert_eq!(changed("[styles]\nanswer = 'blue'"), Ok(blue));
        follower.load("storm").unwrap();
        assert!(follower.watches.is_empty());
    }

    #[test]
    fn both_themes_are_followed() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["night", "noon"] {
            std::fs::write(folder.path().join(format!("{name}.toml")), "[styles]\nanswer = 'red'").unwrap();
        }
        let (sender, told) = channel();
        let mut follower = Follower::new(Library::at(folder.path().to_owned()), sender);
        let both = follower.load_both("night", "noon").unwrap();
        assert_eq!((&*both.dark.name, &*both.light.name), ("night", "noon"));
        std::fs::write(folder.path().join("noon.toml"), "[styles]\nanswer = 'blue'").unwrap();
        let blue = Theme::parse("noon", "[styles]\nanswer = 'blue'").unwrap();
        // The other one is looked at too: both lie in the folder in which something happened.
        let mut changed = std::iter::from_fn(|| told.recv_timeout(Duration::from_mins(1)).ok());
        let noon = changed.find_map(|message| match message {
            Message::Input(Input::ThemeChanged { name, theme }) if name == "noon" => Some(theme),
            _ => None,
        });
        assert_eq!(noon, Some(Ok(blue)));
    }
}
