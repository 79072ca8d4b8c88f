//! How the documents of a chat model are framed.
//!
//! ```text
//! <document path="src/main.rs">
//! 1:fn main() {
//! 2:}
//! </document>
//! ```
//!
//! Another frame is written as TOML:
//!
//! ```toml
//! begin = "# {path}\n```\n"
//! line = "{text}\n"          # with {number}, if lines are to be numbered
//! end = "```\n"
//! ```

use std::ops::Range;

use serde::Deserialize;

/// Text around documents and their lines. `{path}`, `{number}` and `{text}` stand for what they name.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Template {
    begin: String,
    line: String,
    end: String,
}

impl Default for Template {
    fn default() -> Self {
        Self {
            begin: "<document path=\"{path}\">\n".into(),
            line: "{number}:{text}\n".into(),
            end: "</document>\n".into(),
        }
    }
}

impl Template {
    /// Reads a template from TOML.
    ///
    /// # Errors
    /// What is wrong with it, if it is not TOML, lacks a part, or has lines without their text.
    pub fn parse(source: &str) -> Result<Self, String> {
        let template: Self = toml::from_str(source).map_err(|error| error.to_string())?;
        match template.line.matches("{text}").count() {
            1 => Ok(template),
            _ => Err("line: {text} must stand in it once, or documents would be lost or doubled".into()),
        }
    }

    pub(super) fn line(&self) -> &str {
        &self.line
    }

    pub(super) fn begin(&self, path: &str) -> String {
        self.begin.replace("{path}", path)
    }

    pub(super) fn end(&self, path: &str) -> String {
        self.end.replace("{path}", path)
    }

    /// Appends a line, and gives the place of its text.
    pub(super) fn push_line(&self, number: usize, text: &str, to: &mut String) -> Range<usize> {
        let (before, after) = self.line.split_once("{text}").unwrap_or((&self.line, ""));
        let number = number.to_string();
        to.push_str(&before.replace("{number}", &number));
        let start = to.len();
        to.push_str(text);
        let end = to.len();
        to.push_str(&after.replace("{number}", &number));
        start..end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_what_its_file_says() {
        let template =
            Template::parse("begin = \"# {path}\\n\"\nline = \"{number}|{text}|{number}\\n\"\nend = \"\"").unwrap();
        assert_eq!(
            (template.begin("a{text}"), template.end("a")),
            ("# a{text}\n".into(), String::new())
        );
        let mut text = String::new();
        let place = template.push_line(12, "x{number}", &mut text);
        assert_eq!((text.as_str(), &text[place]), ("12|x{number}|12\n", "x{number}"));
    }

    #[test]
    fn mistakes_are_told() {
        for (source, told) in [
            ("begin = \"\"\nline = \"x\"\nend = \"\"", "{text}"),
            ("begin = \"\"\nline = \"{text}{text}\"\nend = \"\"", "{text}"),
            ("begin = \"\"\nline = \"{text}\"", "end"),
            ("begin = \"\"\nline = \"{text}\"\nend = \"\"\nother = 1", "other"),
            ("begin = ", ""),
        ] {
            let error = Template::parse(source).unwrap_err();
            assert!(error.contains(told), "{error}");
        }
    }
}
