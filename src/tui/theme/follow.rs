//! Loading themes for the application, and loading one again when its files change.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::mpsc::Sender;

use super::super::app::Input;
use super::super::inbox::Message;
use super::{Choice, Library, Loaded, Theme, ThemeError};
use crate::context::Watch;

/// Follows the files of one theme at a time.
pub struct Follower {
    library: Library,
    sender: Sender<Message>,
    watch: Option<Watch>,
}

impl Follower {
    pub fn new(library: Library, sender: Sender<Message>) -> Self {
        Self {
            library,
            sender,
            watch: None,
        }
    }

    pub fn choices(&self) -> Vec<Choice> {
        self.library.choices()
    }

    pub fn library(&self) -> &Library {
        &self.library
    }

    /// The theme of this name, which is followed from now on.
    pub fn load(&mut self, name: &str) -> Result<Theme, ThemeError> {
        let Loaded { theme, files } = self.library.load(name)?;
        self.follow(name, &files);
        Ok(theme)
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
        self.watch = Watch::folders(&folders, move || {
            let theme = library.load(&name).map(|loaded| loaded.theme);
            let input = Input::ThemeChanged {
                name: name.clone(),
                theme: theme.map_err(|error| error.to_string()),
            };
            // Nobody listens any more only while the application ends.
            let _ = sender.send(Message::Input(input));
        });
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
        assert!(follower.watch.is_some());
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
        assert!(follower.watch.is_none());
    }
}
