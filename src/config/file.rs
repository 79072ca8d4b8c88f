//! A configuration file: every setting in it with its place, and everything that is wrong with it.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::nearest::nearest;
use super::table::{SETTINGS, Setting, sections};
use super::value::describe;
use super::{Binding, Lines, Place, Problem};

/// What stands in a file.
#[derive(Debug, Default)]
pub struct File {
    pub settings: Vec<(&'static Setting, toml::Value, Place)>,
    pub keys: Vec<Binding>,
    pub problems: Vec<Problem>,
}

impl File {
    /// Reads a file's text; `name` is what to call it.
    #[must_use]
    pub fn parse(name: &str, source: &str) -> Self {
        let lines = Lines::new(name, source);
        let mut file = Self::default();
        let (table, errors) = DeTable::parse_recoverable(source);
        for error in errors {
            let at = error.span().map_or(source.len(), |span| span.start);
            file.wrong(lines.place(at), error.message());
        }
        // What a broken line leaves behind would be told as a second mistake.
        if file.problems.is_empty() {
            file.sections(table.get_ref(), &lines);
        }
        file.problems.sort_by_key(|problem| problem.place.clone());
        file
    }

    fn wrong(&mut self, place: Place, message: impl Into<String>) {
        self.problems.push(Problem {
            place: Some(place),
            message: message.into(),
        });
    }

    fn sections(&mut self, table: &DeTable<'_>, lines: &Lines<'_>) {
        for (name, value) in table {
            let place = lines.place(name.span().start);
            let name = name.get_ref().as_ref();
            let known = sections().iter().any(|&(section, _)| section == name);
            match value.get_ref() {
                DeValue::Table(inner) if name == "keys" => self.contexts(inner, lines),
                DeValue::Table(inner) if known => self.section(name, inner, lines),
                other if known || name == "keys" => {
                    let found = describe(&convert(other));
                    self.wrong(place, format!("{name}: expected a section, [{name}], found {found}"));
                }
                _ => self.wrong(place, unknown_section(name)),
            }
        }
    }

    fn section(&mut self, section: &str, table: &DeTable<'_>, lines: &Lines<'_>) {
        for (key, value) in table {
            let place = lines.place(key.span().start);
            let key = key.get_ref().as_ref();
            let found = SETTINGS
                .iter()
                .find(|known| known.section == section && known.key() == key);
            match found {
                Some(setting) => self.settings.push((setting, convert(value.get_ref()), place)),
                None => self.wrong(place, unknown(section, key)),
            }
        }
    }

    /// `[keys.CONTEXT]`. Which contexts, keys and actions there are is known by the keymap.
    fn contexts(&mut self, table: &DeTable<'_>, lines: &Lines<'_>) {
        for (context, bindings) in table {
            let place = lines.place(context.span().start);
            let context = context.get_ref().as_ref();
            let Some(bindings) = bindings.get_ref().as_table() else {
                let found = describe(&convert(bindings.get_ref()));
                self.wrong(
                    place,
                    format!("keys.{context}: expected keys and their actions, found {found}"),
                );
                continue;
            };
            for (keys, action) in bindings {
                self.binding(context, keys, action, lines);
            }
        }
    }

    fn binding(
        &mut self,
        context: &str,
        keys: &Spanned<toml::de::DeString<'_>>,
        action: &Spanned<DeValue<'_>>,
        lines: &Lines<'_>,
    ) {
        let place = lines.place(keys.span().start);
        let keys = keys.get_ref().as_ref();
        match action.get_ref() {
            DeValue::String(action) => self.keys.push(Binding {
                context: context.to_owned(),
                keys: keys.to_owned(),
                action: action.as_ref().to_owned(),
                place,
            }),
            other => {
                let found = describe(&convert(other));
                let message = format!("keys.{context}.{keys}: expected the name of an action, found {found}");
                self.wrong(place, message);
            }
        }
    }
}

fn unknown_section(name: &str) -> String {
    // A setting outside of any section is more probable than a misspelt section.
    if let Some(setting) = SETTINGS.iter().find(|setting| setting.key() == name) {
        let (key, section) = (setting.key(), setting.section);
        return format!("`{key}` stands in no section; write it below [{section}]");
    }
    let sections = sections();
    let names = sections.iter().map(|&(name, _)| name).chain(["keys"]);
    match nearest(name, names.clone()) {
        Some(near) => format!("there is no section [{name}]; did you mean [{near}]?"),
        None => format!(
            "there is no section [{name}]; there are {}",
            names.collect::<Vec<_>>().join(", ")
        ),
    }
}

fn unknown(section: &str, key: &str) -> String {
    let here: Vec<_> = SETTINGS
        .iter()
        .filter(|setting| setting.section == section)
        .map(Setting::key)
        .collect();
    let elsewhere = SETTINGS.iter().find(|setting| setting.key() == key).map(Setting::name);
    let near = nearest(key, here.iter().map(String::as_str)).map(|key| format!("{section}.{key}"));
    let all: Vec<_> = SETTINGS.iter().map(Setting::name).collect();
    let name = format!("{section}.{key}");
    let far = || nearest(&name, all.iter().map(String::as_str)).map(str::to_owned);
    match elsewhere.or(near).or_else(far) {
        Some(meant) => format!("there is no setting `{name}`; did you mean `{meant}`?"),
        None => format!("there is no setting `{name}`; [{section}] has {}", here.join(", ")),
    }
}

/// The same without places. A number that is no number of ours is left as its text.
fn convert(value: &DeValue<'_>) -> toml::Value {
    match value {
        DeValue::String(text) => toml::Value::String(text.as_ref().to_owned()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or_else(|_| toml::Value::String(number.to_string()), toml::Value::Integer),
        DeValue::Float(number) => number
            .as_str()
            .parse()
            .map_or_else(|_| toml::Value::String(number.as_str().to_owned()), toml::Value::Float),
        DeValue::Boolean(value) => toml::Value::Boolean(*value),
        DeValue::Datetime(time) => toml::Value::Datetime(*time),
        DeValue::Array(items) => items
            .iter()
            .map(|item| convert(item.get_ref()))
            .collect::<Vec<_>>()
            .into(),
        DeValue::Table(table) => toml::Value::Table(
            table
                .iter()
                .map(|(key, value)| (key.get_ref().as_ref().to_owned(), convert(value.get_ref())))
                .collect(),
        ),
    }
}
