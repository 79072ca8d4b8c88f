//! What the terminal around the program can do, for those who ask before anything is drawn.

use super::clipboard::Surroundings;
use super::environment;
use super::look;
use super::notify::Method;
use super::theme::Depth;
use crate::config::Config;

/// What is known from settings and the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Abilities {
    /// Columns and rows.
    pub size: Option<(u16, u16)>,
    pub depth: Depth,
    /// How the end of something long is told.
    pub notify: &'static str,
    /// Programs that take a text to the clipboard.
    pub copy_programs: Vec<&'static str>,
}

impl Abilities {
    #[must_use]
    pub fn of_process(settings: &Config) -> Self {
        let programs = Surroundings::of_process().programs();
        Self {
            size: ratatui::crossterm::terminal::size().ok(),
            depth: look::depth(settings.ui.colour, environment),
            notify: match Method::new(settings.notify.method, environment) {
                Method::Osc9 => "OSC 9",
                Method::Osc777 => "OSC 777",
                Method::Bell => "a bell",
                Method::None => "nothing, as is set",
            },
            copy_programs: programs
                .iter()
                .filter(|program| program.is_installed())
                .map(|program| program.name())
                .collect(),
        }
    }
}
