//! Colours of code from another program's theme: those that the highlighter brings, by name, and `.tmTheme` files.

use std::fs::File;
use std::io::{Cursor, Read};
use std::path::Path;

use ratatui::style::{Color, Modifier, Style};
use syntect::highlighting::{FontStyle, Highlighter, Theme, ThemeSet};
use syntect::parsing::Scope;
use two_face::theme::EmbeddedLazyThemeSet;

use super::Part;

/// What each part of code is called there.
const SCOPES: &[(Part, &str)] = &[
    (Part::SyntaxComment, "comment.line"),
    (Part::SyntaxString, "string.quoted.double"),
    (Part::SyntaxNumber, "constant.numeric"),
    (Part::SyntaxConstant, "constant.language"),
    (Part::SyntaxKeyword, "keyword.control"),
    (Part::SyntaxType, "entity.name.type"),
    (Part::SyntaxFunction, "entity.name.function"),
    (Part::SyntaxAttribute, "entity.other.attribute-name"),
    (Part::SyntaxHeading, "markup.heading"),
];

/// A larger file is no theme; those that there are have some ten to a hundred kilobytes.
const LARGEST: u64 = 4 * 1024 * 1024;

/// The names that there are.
pub fn names() -> impl Iterator<Item = &'static str> {
    EmbeddedLazyThemeSet::theme_names().iter().map(|name| name.as_name())
}

/// The parts of code as that theme has them; nothing if there is none of this name.
#[must_use]
pub fn styles(name: &str) -> Option<Vec<(Part, Style)>> {
    let known = EmbeddedLazyThemeSet::theme_names()
        .iter()
        .find(|known| known.as_name().eq_ignore_ascii_case(name))?;
    Some(parts(two_face::theme::extra().get(*known)))
}

/// The parts of code as a `.tmTheme` file has them.
///
/// # Errors
/// If it cannot be read, or is no theme; with what to say.
pub fn of_file(path: &Path) -> Result<Vec<(Part, Style)>, String> {
    let mut text = Vec::new();
    let read = File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut text));
    read.map_err(|error| format!("cannot be read: {error}"))?;
    if text.len() as u64 > LARGEST {
        return Err(format!(
            "is larger than the {} MiB that a theme may have",
            LARGEST >> 20
        ));
    }
    let theme = ThemeSet::load_from_reader(&mut Cursor::new(text));
    let theme =
        theme.map_err(|error| format!("expected a theme of TextMate or Sublime Text (a property list): {error}"))?;
    Ok(parts(&theme))
}

fn parts(theme: &Theme) -> Vec<(Part, Style)> {
    let highlighter = Highlighter::new(theme);
    let style = |scope: &str| {
        let scope = Scope::new(scope).ok()?;
        let found = highlighter.style_for_stack(&[scope]);
        let mut style = Style::new();
        // Themes for terminals say by the alpha that red is the number of a colour, or that it is the terminal's own.
        style.fg = match (found.foreground.a, found.foreground) {
            (0, colour) => Some(Color::Indexed(colour.r)),
            (1, _) => None,
            (_, colour) => Some(Color::Rgb(colour.r, colour.g, colour.b)),
        };
        for (font, modifier) in [
            (FontStyle::BOLD, Modifier::BOLD),
            (FontStyle::ITALIC, Modifier::ITALIC),
            (FontStyle::UNDERLINE, Modifier::UNDERLINED),
        ] {
            if found.font_style.contains(font) {
                style = style.add_modifier(modifier);
            }
        }
        Some(style)
    };
    SCOPES
        .iter()
        .filter_map(|&(part, scope)| Some((part, style(scope)?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_theme_colours_code() {
        for name in names() {
            let styles = styles(name).unwrap();
            assert_eq!(styles.len(), SCOPES.len(), "{name}");
            let distinct = styles.iter().filter(|(_, style)| *style != styles[0].1).count();
            assert!(distinct >= 3, "{name} has one colour for everything");
        }
        assert!(styles("nord").is_some() && styles("no such theme").is_none());
    }

    #[test]
    fn a_file_that_is_no_theme_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.tmTheme");
        assert!(of_file(&path).unwrap_err().starts_with("cannot be read: "));
        for text in ["", "colours", "<plist><array/></plist>"] {
            std::fs::write(&path, text).unwrap();
            let told = of_file(&path).unwrap_err();
            assert!(told.starts_with("expected a theme of TextMate"), "{told}");
        }
        File::create(&path).unwrap().set_len(LARGEST + 1).unwrap();
        assert!(of_file(&path).unwrap_err().contains("is larger than the 4 MiB"));
    }
}
