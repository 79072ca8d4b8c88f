//! Which theme: by the terminal's ground, one by name, or two by name.

use toml::Value as Toml;

use super::value::{Value, describe, quoted};

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ThemeChoice {
    /// One for the ground that the terminal has; the terminal's own colours if it does not say.
    #[default]
    Auto,
    /// A name, or the path of a file.
    Named(String),
    /// By the ground that the terminal has.
    Grounds { dark: String, light: String },
}

impl Value for ThemeChoice {
    fn expected() -> String {
        "a theme, \"auto\", or { dark = a theme, light = a theme }".to_owned()
    }

    fn read(value: &Toml) -> Result<Self, String> {
        let wrong = || format!("expected {}, found {}", Self::expected(), describe(value));
        match value {
            Toml::String(name) if name == "auto" => Ok(Self::Auto),
            Toml::String(name) if !name.is_empty() => Ok(Self::Named(name.clone())),
            Toml::Table(table) => {
                let name = |ground: &str| table.get(ground).and_then(Toml::as_str).map(str::to_owned);
                match (name("dark"), name("light"), table.len()) {
                    (Some(dark), Some(light), 2) => Ok(Self::Grounds { dark, light }),
                    _ => Err(wrong()),
                }
            }
            _ => Err(wrong()),
        }
    }

    fn write(&self) -> String {
        match self {
            Self::Auto => quoted("auto"),
            Self::Named(name) => quoted(name),
            Self::Grounds { dark, light } => format!("{{ dark = {}, light = {} }}", quoted(dark), quoted(light)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<ThemeChoice, String> {
        let table: toml::Table = format!("x = {text}").parse().unwrap();
        ThemeChoice::read(&table["x"])
    }

    #[test]
    fn one_or_two_themes() {
        let pair = ThemeChoice::Grounds {
            dark: "a\"b".into(),
            light: "c".into(),
        };
        for (text, choice) in [
            ("'auto'", ThemeChoice::Auto),
            ("'storm'", ThemeChoice::Named("storm".into())),
            ("{ dark = 'a\"b', light = 'c' }", pair),
        ] {
            assert_eq!(read(text), Ok(choice.clone()), "{text}");
            assert_eq!(read(&choice.write()), Ok(choice));
        }
        for text in [
            "1",
            "''",
            "{ dark = 'a' }",
            "{ dark = 'a', light = 1 }",
            "{ dark = 'a', light = 'b', dim = 'c' }",
        ] {
            assert!(read(text).unwrap_err().starts_with("expected a theme, "), "{text}");
        }
    }
}
