//! The colours that the application begins with: what is set, and what the environment says of the terminal.

use super::app::Grounds;
use super::environment;
use super::theme::follow::Follower;
use super::theme::ground::{self, Ground};
use super::theme::{Depth, Theme, ThemeError};
use crate::config::{Background, Colour, Config, ThemeChoice};

/// What `auto` takes.
const DARK: &str = "storm";
const LIGHT: &str = "daylight";

pub struct Look {
    pub theme: Theme,
    /// What is taken if the terminal says what its background is.
    pub grounds: Option<Grounds>,
    pub depth: Depth,
    /// Whether to ask it.
    pub ask: bool,
}

impl Look {
    pub fn new(settings: &Config, follower: &mut Follower) -> Result<Self, ThemeError> {
        let depth = depth(settings.ui.colour, environment);
        let ground = match settings.ui.background {
            Background::Dark => Some(Ground::Dark),
            Background::Light => Some(Ground::Light),
            Background::Auto | Background::Ask => Ground::of_hint(environment),
        };
        let grounds = match &settings.ui.theme {
            ThemeChoice::Named(name) => {
                let theme = follower.load(name)?;
                return Ok(Self {
                    theme,
                    grounds: None,
                    depth,
                    ask: false,
                });
            }
            // With so few colours the terminal's own are the better ones.
            ThemeChoice::Auto if depth <= Depth::Sixteen => None,
            ThemeChoice::Auto => Some((DARK, LIGHT)),
            ThemeChoice::Grounds { dark, light } => Some((dark.as_str(), light.as_str())),
        };
        let Some((dark, light)) = grounds else {
            let theme = Theme::built_in(if depth == Depth::None { "mono" } else { "terminal" })?;
            return Ok(Self {
                theme,
                grounds: None,
                depth,
                ask: false,
            });
        };
        let grounds = follower.load_both(dark, light)?;
        let theme = match (ground, &settings.ui.theme) {
            (Some(Ground::Light), _) => grounds.light.clone(),
            (Some(Ground::Dark), _) | (None, ThemeChoice::Grounds { .. }) => grounds.dark.clone(),
            (None, _) => Theme::default(),
        };
        let ask = match settings.ui.background {
            Background::Auto => ground::is_askable(environment),
            Background::Ask => true,
            Background::Dark | Background::Light => false,
        };
        Ok(Self {
            theme,
            grounds: Some(grounds),
            depth,
            ask,
        })
    }
}

pub fn depth(colour: Colour, environment: impl Fn(&str) -> Option<String>) -> Depth {
    match colour {
        Colour::Auto => Depth::detect(environment),
        Colour::True => Depth::True,
        Colour::Indexed => Depth::Indexed,
        Colour::Sixteen => Depth::Sixteen,
        Colour::None => Depth::None,
    }
}
