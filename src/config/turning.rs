//! The phrases that turning points begin with, as they are set.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use toml::Value as Toml;

use super::value::{Value, describe};
use crate::trace::{Turning, TurningChange};

/// Changes to the built-in phrases, by language, and what comes of them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Phrases {
    changes: BTreeMap<String, TurningChange>,
    turning: Arc<Turning>,
}

impl Phrases {
    #[must_use]
    pub fn turning(&self) -> Arc<Turning> {
        Arc::clone(&self.turning)
    }
}

impl Value for Phrases {
    fn expected() -> String {
        "a table of languages, such as `{ en = { add = [\"not so fast\"], remove = [\"hmm\"] } }`".to_owned()
    }

    fn read(value: &Toml) -> Result<Self, String> {
        if !value.is_table() {
            return Err(format!("expected {}, found {}", Self::expected(), describe(value)));
        }
        let changes = BTreeMap::deserialize(value.clone()).map_err(|error| error.message().to_owned())?;
        let turning = Turning::changed(&changes)?.into();
        Ok(Self { changes, turning })
    }

    fn write(&self) -> String {
        let text = |text: &String| Toml::String(text.clone()).to_string();
        let list = |name: &str, phrases: &[String]| {
            let phrases: Vec<_> = phrases.iter().map(text).collect();
            format!("{name} = [{}]", phrases.join(", "))
        };
        let languages = self.changes.iter().map(|(language, change)| {
            let replace = change.replace.as_deref().map(|phrases| list("replace", phrases));
            let add = (!change.add.is_empty()).then(|| list("add", &change.add));
            let remove = (!change.remove.is_empty()).then(|| list("remove", &change.remove));
            let parts: Vec<_> = [replace, add, remove].into_iter().flatten().collect();
            format!("{} = {{ {} }}", text(language), parts.join(", "))
        });
        let languages: Vec<_> = languages.collect();
        if languages.is_empty() {
            return "{}".to_owned();
        }
        format!("{{ {} }}", languages.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Phrases, String> {
        let table: toml::Table = format!("x = {text}").parse().unwrap();
        Phrases::read(&table["x"])
    }

    #[test]
    fn what_is_written_is_read_back() {
        for text in [
            "{}",
            r#"{ en = { add = ["not so \"fast\""], remove = ["hmm"] }, nl = { replace = [], add = ["wacht"] } }"#,
        ] {
            let phrases = read(text).unwrap();
            assert_eq!(read(&phrases.write()).unwrap(), phrases, "{}", phrases.write());
        }
    }

    #[test]
    fn mistakes_are_told() {
        assert!(read("1").unwrap_err().starts_with("expected a table of languages"));
        assert!(read("{ en = { ad = [] } }").unwrap_err().contains("unknown field `ad`"));
        assert!(
            read(r#"{ fr = { remove = ["wait"] } }"#)
                .unwrap_err()
                .contains("no phrase of this language")
        );
    }
}
