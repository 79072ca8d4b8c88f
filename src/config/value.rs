//! The types that a setting can have: read from TOML, written back as TOML, and named in an error.

use std::path::{Path, PathBuf};

use toml::Value as Toml;

use super::nearest::did_you_mean;

/// A type of setting. What is written is read back as the same.
pub trait Value: Sized {
    /// Each value that a flag is given with is an element.
    const LIST: bool = false;

    /// What is right, in words: `a whole number`.
    fn expected() -> String;

    /// # Errors
    /// If it is not [`Self::expected`]; with what was found.
    fn read(value: &Toml) -> Result<Self, String>;

    fn write(&self) -> String;
}

fn wrong<T: Value>(found: &Toml) -> String {
    format!("expected {}, found {}", T::expected(), describe(found))
}

/// What a value is, in words.
#[must_use]
pub fn describe(value: &Toml) -> String {
    match value {
        Toml::String(text) if text.chars().count() <= 40 => format!("the text {value}"),
        Toml::String(_) => "a long text".to_owned(),
        Toml::Array(_) => "a list".to_owned(),
        Toml::Table(_) => "a table".to_owned(),
        other => other.to_string(),
    }
}

/// Text as TOML has it.
#[must_use]
pub fn quoted(text: &str) -> String {
    Toml::String(text.to_owned()).to_string()
}

impl Value for bool {
    fn expected() -> String {
        "true or false".to_owned()
    }

    fn read(value: &Toml) -> Result<Self, String> {
        value.as_bool().ok_or_else(|| wrong::<Self>(value))
    }

    fn write(&self) -> String {
        self.to_string()
    }
}

/// A whole number from `LEAST` to `MOST`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count<const LEAST: u64 = 0, const MOST: u64 = { i64::MAX as u64 }>(pub u64);

impl<const LEAST: u64, const MOST: u64> Count<LEAST, MOST> {
    /// As a size in memory, at most as large as there can be.
    #[must_use]
    pub fn size(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl<const LEAST: u64, const MOST: u64> Value for Count<LEAST, MOST> {
    fn expected() -> String {
        match (LEAST, i64::try_from(MOST)) {
            (0, Ok(i64::MAX)) => "a whole number".to_owned(),
            (least, Ok(i64::MAX)) => format!("a whole number from {least}"),
            (least, _) => format!("a whole number from {least} to {MOST}"),
        }
    }

    fn read(value: &Toml) -> Result<Self, String> {
        let number = value.as_integer().and_then(|number| u64::try_from(number).ok());
        number
            .filter(|number| (LEAST..=MOST).contains(number))
            .map(Self)
            .ok_or_else(|| wrong::<Self>(value))
    }

    fn write(&self) -> String {
        self.0.to_string()
    }
}

/// A number from 0 to `MOST`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Number<const MOST: u32>(pub f32);

impl<const MOST: u32> Value for Number<MOST> {
    fn expected() -> String {
        format!("a number from 0 to {MOST}")
    }

    fn read(value: &Toml) -> Result<Self, String> {
        let number = match value {
            Toml::Integer(number) => Some(*number as f64),
            other => other.as_float(),
        };
        number
            .filter(|number| (0.0..=f64::from(MOST)).contains(number))
            .map(|number| Self(number as f32))
            .ok_or_else(|| wrong::<Self>(value))
    }

    fn write(&self) -> String {
        format!("{:?}", self.0)
    }
}

/// A value, or `"auto"`: whatever is right where it is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Auto<T> {
    Auto,
    Is(T),
}

impl<T> Auto<T> {
    pub fn given(self) -> Option<T> {
        match self {
            Self::Auto => None,
            Self::Is(value) => Some(value),
        }
    }
}

impl<T: Value> Value for Auto<T> {
    fn expected() -> String {
        format!("{} or \"auto\"", T::expected())
    }

    fn read(value: &Toml) -> Result<Self, String> {
        if value.as_str() == Some("auto") {
            return Ok(Self::Auto);
        }
        T::read(value).map(Self::Is).map_err(|_| wrong::<Self>(value))
    }

    fn write(&self) -> String {
        match self {
            Self::Auto => "\"auto\"".to_owned(),
            Self::Is(value) => value.write(),
        }
    }
}

impl Value for String {
    fn expected() -> String {
        "a text".to_owned()
    }

    fn read(value: &Toml) -> Result<Self, String> {
        value.as_str().map(str::to_owned).ok_or_else(|| wrong::<Self>(value))
    }

    fn write(&self) -> String {
        quoted(self)
    }
}

impl Value for Vec<String> {
    const LIST: bool = true;

    fn expected() -> String {
        "a list of texts".to_owned()
    }

    fn read(value: &Toml) -> Result<Self, String> {
        // A single one may stand for itself.
        if let Some(one) = value.as_str() {
            return Ok(vec![one.to_owned()]);
        }
        let list = value.as_array().ok_or_else(|| wrong::<Self>(value))?;
        list.iter()
            .map(|item| {
                let text = item.as_str().map(str::to_owned);
                text.ok_or_else(|| format!("expected {}, found {} in the list", Self::expected(), describe(item)))
            })
            .collect()
    }

    fn write(&self) -> String {
        let items: Vec<_> = self.iter().map(|item| quoted(item)).collect();
        format!("[{}]", items.join(", "))
    }
}

/// A path, or `""` for none. `~/` is the person's home.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OptionalPath(pub String);

impl OptionalPath {
    #[must_use]
    pub fn given(&self) -> Option<PathBuf> {
        if self.0.is_empty() {
            return None;
        }
        let home = std::env::home_dir();
        Some(match (self.0.strip_prefix("~/"), home) {
            (Some(rest), Some(home)) => home.join(rest),
            _ => Path::new(&self.0).to_owned(),
        })
    }
}

impl Value for OptionalPath {
    fn expected() -> String {
        "a path, or \"\" for none".to_owned()
    }

    fn read(value: &Toml) -> Result<Self, String> {
        let path = value.as_str().map(|path| Self(path.to_owned()));
        path.ok_or_else(|| wrong::<Self>(value))
    }

    fn write(&self) -> String {
        quoted(&self.0)
    }
}

/// A folder, `"auto"` for the usual one, or `"off"` for none. `~/` is the person's home.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Folder {
    Auto,
    Off,
    Is(OptionalPath),
}

impl Value for Folder {
    fn expected() -> String {
        "a path, \"auto\" or \"off\"".to_owned()
    }

    fn read(value: &Toml) -> Result<Self, String> {
        match value.as_str() {
            Some("auto") => Ok(Self::Auto),
            Some("off") => Ok(Self::Off),
            Some("") | None => Err(wrong::<Self>(value)),
            Some(path) => Ok(Self::Is(OptionalPath(path.to_owned()))),
        }
    }

    fn write(&self) -> String {
        match self {
            Self::Auto => quoted("auto"),
            Self::Off => quoted("off"),
            Self::Is(path) => path.write(),
        }
    }
}

/// Bytes, as `"16G"`: with K, M, G or T for powers of 1024.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size(pub u64);

const UNITS: [(u64, &str); 4] = [(1 << 40, "T"), (1 << 30, "G"), (1 << 20, "M"), (1 << 10, "K")];

impl Size {
    /// `16G`, `1.5 GiB`, `4096`
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_uppercase();
        let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let unit = text[number.len()..].trim_end_matches("IB").trim_end_matches('B');
        let scale = match unit {
            "" => 1,
            unit => UNITS.iter().find(|(_, name)| *name == unit)?.0,
        };
        let number: f64 = number.trim().parse().ok()?;
        let bytes = number * scale as f64;
        ((0.0..1e18).contains(&bytes)).then_some(Self(bytes as u64))
    }
}

impl Value for Size {
    fn expected() -> String {
        "a size such as \"16G\" or \"500M\"".to_owned()
    }

    fn read(value: &Toml) -> Result<Self, String> {
        let number = value.as_integer().and_then(|number| u64::try_from(number).ok());
        let size = number.map(Self).or_else(|| Self::parse(value.as_str()?));
        size.ok_or_else(|| wrong::<Self>(value))
    }

    fn write(&self) -> String {
        let unit = UNITS
            .iter()
            .find(|(scale, _)| self.0 > 0 && self.0.is_multiple_of(*scale));
        match unit {
            Some((scale, name)) => quoted(&format!("{}{name}", self.0 / scale)),
            None => self.0.to_string(),
        }
    }
}

/// Reads one of several names.
pub(super) fn choice<T: Copy>(value: &Toml, names: &[(&str, T)]) -> Result<T, String> {
    let expected = one_of(names.iter().map(|&(name, _)| name));
    let Some(text) = value.as_str() else {
        return Err(format!("expected {expected}, found {}", describe(value)));
    };
    let found = names.iter().find(|&&(name, _)| name == text);
    found.map(|&(_, choice)| choice).ok_or_else(|| {
        let meant = did_you_mean(text, names.iter().map(|&(name, _)| name));
        format!("expected {expected}, found {}{meant}", describe(value))
    })
}

/// `"a", "b" or "c"`
pub(super) fn one_of<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut names: Vec<_> = names.map(|name| format!("\"{name}\"")).collect();
    match (names.pop(), names.is_empty()) {
        (Some(last), false) => format!("{} or {last}", names.join(", ")),
        (last, _) => last.unwrap_or_default(),
    }
}

/// A setting with a fixed set of names.
macro_rules! choices {
    ($($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $text:literal,)+ })+) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $($(#[$variant_meta])* $variant,)+ }

        impl $name {
            const NAMES: &'static [(&'static str, Self)] = &[$(($text, Self::$variant),)+];
        }

        impl $crate::config::value::Value for $name {
            fn expected() -> String {
                $crate::config::value::one_of(Self::NAMES.iter().map(|&(name, _)| name))
            }

            fn read(value: &toml::Value) -> Result<Self, String> {
                $crate::config::value::choice(value, Self::NAMES)
            }

            fn write(&self) -> String {
                let name = match self { $(Self::$variant => $text,)+ };
                $crate::config::value::quoted(name)
            }
        }
    )+};
}
pub(super) use choices;

#[cfg(test)]
mod tests {
    use super::*;

    fn toml(text: &str) -> Toml {
        let table: toml::Table = format!("x = {text}").parse().unwrap();
        table["x"].clone()
    }

    fn error<T: Value + std::fmt::Debug>(text: &str) -> String {
        T::read(&toml(text)).unwrap_err()
    }

    #[test]
    fn what_is_expected_and_what_was_found_is_said() {
        assert_eq!(error::<bool>("1"), "expected true or false, found 1");
        assert_eq!(error::<Count>("-1"), "expected a whole number, found -1");
        assert_eq!(
            error::<Count<1, 9>>("10"),
            "expected a whole number from 1 to 9, found 10"
        );
        assert_eq!(error::<Count<1>>("0"), "expected a whole number from 1, found 0");
        assert_eq!(
            error::<Number<1>>("'x'"),
            "expected a number from 0 to 1, found the text \"x\""
        );
        assert_eq!(error::<Number<1>>("nan"), "expected a number from 0 to 1, found nan");
        assert_eq!(
            error::<Auto<Count>>("[]"),
            "expected a whole number or \"auto\", found a list"
        );
        assert_eq!(
            error::<Vec<String>>("['a', 1]"),
            "expected a list of texts, found 1 in the list"
        );
        assert_eq!(
            error::<OptionalPath>("{}"),
            "expected a path, or \"\" for none, found a table"
        );
    }

    #[test]
    fn what_is_written_is_read_back() {
        fn back<T: Value + PartialEq + std::fmt::Debug>(text: &str) {
            let value = T::read(&toml(text)).unwrap();
            assert_eq!(T::read(&toml(&value.write())), Ok(value), "{text}");
        }
        back::<bool>("false");
        back::<Count>("1_000");
        back::<Number<100>>("1e-7");
        back::<Number<100>>("3");
        back::<Auto<Number<1>>>("'auto'");
        back::<Auto<Number<1>>>("0.95");
        back::<Vec<String>>(r#"["a\"b", 'c\', "d\n\u0001"]"#);
        back::<Vec<String>>("'one'");
        back::<OptionalPath>("''");
        for folder in ["'auto'", "'off'", "'~/states'"] {
            back::<Folder>(folder);
        }
        for size in ["'16G'", "'1.5 gib'", "'512 MB'", "4096", "0", "'7'"] {
            back::<Size>(size);
        }
        assert_eq!(Size::parse("1.5G"), Some(Size(3 << 29)));
        for wrong in ["", "G", "-1G", "1 X", "nan", "9999999999T", "1e400"] {
            assert_eq!(Size::parse(wrong), None, "{wrong}");
        }
        back::<String>("'''it's \"so\"'''");
    }

    #[test]
    fn a_path_may_begin_at_home() {
        assert_eq!(OptionalPath(String::new()).given(), None);
        assert_eq!(OptionalPath("a/~/b".into()).given(), Some("a/~/b".into()));
        if let Some(home) = std::env::home_dir() {
            assert_eq!(OptionalPath("~/x".into()).given(), Some(home.join("x")));
        }
    }
}
