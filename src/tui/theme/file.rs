//! The text of a theme: what it says, and everything that is wrong with it, each with its place.

use std::collections::BTreeMap;
use std::str::FromStr;

use ratatui::style::{Color, Modifier, Style};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{PARTS, Part};
use crate::config::{Lines, Place, Problem, did_you_mean};

/// What stands in a theme file.
#[derive(Debug, Default)]
pub struct File {
    pub inherit: Option<(String, Place)>,
    /// The theme whose colours code has.
    pub syntax: Option<(String, Place)>,
    pub styles: Vec<(Part, Style)>,
    pub problems: Vec<Problem>,
}

const MODIFIERS: &[(&str, Modifier)] = &[
    ("bold", Modifier::BOLD),
    ("dim", Modifier::DIM),
    ("italic", Modifier::ITALIC),
    ("underlined", Modifier::UNDERLINED),
    ("reversed", Modifier::REVERSED),
    ("crossed-out", Modifier::CROSSED_OUT),
];

/// Colours that need no palette.
const COLOURS: &[&str] = &[
    "black",
    "red",
    "green",
    "yellow",
    "blue",
    "magenta",
    "cyan",
    "gray",
    "darkgray",
    "lightred",
    "lightgreen",
    "lightyellow",
    "lightblue",
    "lightmagenta",
    "lightcyan",
    "white",
    "reset",
];

impl File {
    /// Reads a theme's text; `name` is what to call it.
    #[must_use]
    pub fn parse(name: &str, source: &str) -> Self {
        let mut reader = Reader {
            lines: Lines::new(name, source),
            palette: BTreeMap::new(),
            file: Self::default(),
        };
        let (table, errors) = DeTable::parse_recoverable(source);
        for error in errors {
            let at = error.span().map_or(source.len(), |span| span.start);
            reader.wrong(at, error.message());
        }
        if reader.file.problems.is_empty() {
            reader.file(table.get_ref());
        }
        reader.file
    }
}

struct Reader<'a> {
    lines: Lines<'a>,
    palette: BTreeMap<String, String>,
    file: File,
}

type Value<'a> = Spanned<DeValue<'a>>;

impl Reader<'_> {
    fn wrong(&mut self, at: usize, message: impl Into<String>) {
        self.file.problems.push(Problem {
            place: Some(self.lines.place(at)),
            message: message.into(),
        });
    }

    fn file(&mut self, table: &DeTable<'_>) {
        // The palette first, wherever it stands.
        if let Some(palette) = table.get("palette") {
            self.palette(palette);
        }
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "palette" => {}
                "styles" => match value.get_ref() {
                    DeValue::Table(styles) => self.styles(styles),
                    _ => self.wrong(value.span().start, "styles: expected a section, [styles]"),
                },
                "inherit" => self.file.inherit = self.name("inherit", value),
                "syntax" => self.file.syntax = self.name("syntax", value),
                other => {
                    let meant = did_you_mean(other, ["inherit", "syntax", "palette", "styles"]);
                    self.wrong(
                        key.span().start,
                        format!("{other}: a theme has inherit, syntax, [palette] and [styles]{meant}"),
                    );
                }
            }
        }
    }

    fn name(&mut self, key: &str, value: &Value<'_>) -> Option<(String, Place)> {
        let at = value.span().start;
        let Some(name) = value.get_ref().as_str() else {
            self.wrong(at, format!("{key}: expected the name of a theme"));
            return None;
        };
        Some((name.to_owned(), self.lines.place(at)))
    }

    fn palette(&mut self, palette: &Value<'_>) {
        let Some(colours) = palette.get_ref().as_table() else {
            self.wrong(palette.span().start, "palette: expected a section, [palette]");
            return;
        };
        for (name, value) in colours {
            let name = name.get_ref().as_ref();
            let colour = value.get_ref().as_str();
            if let Some(colour) = colour.filter(|colour| Color::from_str(colour).is_ok()) {
                self.palette.insert(name.to_owned(), colour.to_owned());
            } else {
                let found = colour.map_or_else(String::new, |colour| {
                    format!(", not `{colour}`{}", did_you_mean(colour, COLOURS.iter().copied()))
                });
                let message =
                    format!("palette.{name}: expected a colour such as \"#7fb4e6\", \"cyan\" or \"67\"{found}");
                self.wrong(value.span().start, message);
            }
        }
    }

    fn styles(&mut self, styles: &DeTable<'_>) {
        for (key, value) in styles {
            let name = key.get_ref().as_ref();
            let Some(&(_, part)) = PARTS.iter().find(|(known, _)| *known == name) else {
                let all = PARTS.iter().map(|&(known, _)| known);
                let mut meant = did_you_mean(name, all.clone());
                if meant.is_empty() {
                    meant = format!("; there are {}", all.collect::<Vec<_>>().join(", "));
                }
                self.wrong(key.span().start, format!("styles.{name}: there is no such part{meant}"));
                continue;
            };
            let style = self.style(&format!("styles.{name}"), value);
            self.file.styles.push((part, style));
        }
    }

    /// `"colour"` or `{ fg = "colour", bg = "colour", mod = ["bold"] }`.
    fn style(&mut self, key: &str, value: &Value<'_>) -> Style {
        let mut style = Style::new();
        let table = match value.get_ref() {
            DeValue::String(_) => {
                style.fg = self.colour(key, value);
                return style;
            }
            DeValue::Table(table) => table,
            _ => {
                self.wrong(
                    value.span().start,
                    format!("{key}: expected a colour, or {{ fg = …, bg = …, mod = […] }}"),
                );
                return style;
            }
        };
        for (name, value) in table {
            match name.get_ref().as_ref() {
                "fg" => style.fg = self.colour(&format!("{key}.fg"), value),
                "bg" => style.bg = self.colour(&format!("{key}.bg"), value),
                "mod" => style = style.add_modifier(self.modifiers(key, value)),
                other => {
                    let meant = did_you_mean(other, ["fg", "bg", "mod"]);
                    self.wrong(
                        name.span().start,
                        format!("{key}.{other}: a style has fg, bg and mod{meant}"),
                    );
                }
            }
        }
        style
    }

    fn colour(&mut self, key: &str, value: &Value<'_>) -> Option<Color> {
        let at = value.span().start;
        let Some(name) = value.get_ref().as_str() else {
            self.wrong(at, format!("{key}: expected a colour"));
            return None;
        };
        let found = Color::from_str(self.palette.get(name).map_or(name, String::as_str)).ok();
        if found.is_none() {
            let known = self.palette.keys().map(String::as_str).chain(COLOURS.iter().copied());
            let meant = did_you_mean(name, known);
            self.wrong(
                at,
                format!("{key}: `{name}` is neither in [palette] nor a colour{meant}"),
            );
        }
        found
    }

    fn modifiers(&mut self, key: &str, value: &Value<'_>) -> Modifier {
        let mut modifiers = Modifier::empty();
        let Some(list) = value.get_ref().as_array() else {
            self.wrong(
                value.span().start,
                format!("{key}.mod: expected a list, such as [\"bold\"]"),
            );
            return modifiers;
        };
        for item in list {
            let name = item.get_ref().as_str().unwrap_or_default();
            if let Some(&(_, modifier)) = MODIFIERS.iter().find(|(known, _)| *known == name) {
                modifiers |= modifier;
            } else {
                let all = MODIFIERS.iter().map(|&(known, _)| known);
                let meant = did_you_mean(name, all.clone());
                let all: Vec<_> = all.collect();
                let message = format!("{key}.mod: `{name}` is not one of {}{meant}", all.join(", "));
                self.wrong(item.span().start, message);
            }
        }
        modifiers
    }
}
