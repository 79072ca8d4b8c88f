//! Colours of code from another program's theme: those that the highlighter brings, by name.

use ratatui::style::{Color, Modifier, Style};
use syntect::highlighting::{FontStyle, Highlighter};
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
    let themes = two_face::theme::extra();
    let highlighter = Highlighter::new(themes.get(*known));
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
    Some(
        SCOPES
            .iter()
            .filter_map(|&(part, scope)| Some((part, style(scope)?)))
            .collect(),
    )
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
}
