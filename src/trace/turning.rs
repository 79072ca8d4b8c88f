//! Turning points: where a trace reconsiders.
//!
//! A sentence that begins with "wait", "however" or "on second thought" often turns the reasoning to another path; the
//! MiniMax-M1 report (§3.1) found such tokens to be the forks of reasoning. They are told by how a sentence begins, in
//! the languages that reasoning models think in. The table is a setting: every language of it can be added to, taken
//! from and replaced, and others can be added.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::phrases::{Phrases, Verdict};

/// How such sentences begin, by language, in lower case.
const BUILT_IN: &[(&str, &[&str])] = &[
    (
        "en",
        &[
            "wait",
            "hold on",
            "hang on",
            "hmm",
            "however",
            "actually",
            "alternatively",
            "aha",
            "oh,",
            "oh no",
            "no,",
            "but wait",
            "but actually",
            "but hold on",
            "so wait",
            "recheck",
            "let me recheck",
            "let me re-check",
            "let me check again",
            "let me double-check",
            "let me double check",
            "let me reconsider",
            "let me rethink",
            "let me start over",
            "on second thought",
            "on the other hand",
            "i made a mistake",
            "i made an error",
            "that's not right",
            "that is not right",
            "that's wrong",
            "that is wrong",
            "scratch that",
        ],
    ),
    (
        "de",
        &[
            "moment",
            "halt",
            "allerdings",
            "andererseits",
            "nein,",
            "eigentlich",
            "doch halt",
        ],
    ),
    ("fr", &["attends", "attendez", "cependant", "en fait", "non,"]),
    ("es", &["espera", "sin embargo", "en realidad"]),
    ("it", &["aspetta", "tuttavia", "in realtà"]),
    ("pt", &["espere", "no entanto", "na verdade"]),
    ("ru", &["подожди", "однако", "на самом деле"]),
    ("zh", &["等等", "等一下", "不对", "然而", "但是", "其实", "让我重新"]),
    ("ja", &["待って", "しかし", "いや", "実は"]),
    ("ko", &["잠깐", "하지만", "그런데", "사실"]),
];

/// Bytes of the longest phrase that can be set.
const LONGEST: usize = 64;

/// A change to the phrases of one language, as it is set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Change {
    /// Phrases instead of those that are built in.
    pub replace: Option<Vec<String>>,
    pub add: Vec<String>,
    pub remove: Vec<String>,
}

/// The phrases that turning points begin with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turning(Phrases);

impl Default for Turning {
    fn default() -> Self {
        let all = BUILT_IN.iter().flat_map(|(_, phrases)| *phrases);
        Self(Phrases::new(all.map(ToString::to_string)))
    }
}

impl Turning {
    /// The built-in phrases with changes, by language.
    ///
    /// # Errors
    /// If a phrase is empty, too long, or to be taken away where it is not; the message names it.
    pub fn changed(changes: &BTreeMap<String, Change>) -> Result<Self, String> {
        let mut table: BTreeMap<&str, Vec<String>> = BUILT_IN
            .iter()
            .map(|&(language, phrases)| (language, phrases.iter().map(ToString::to_string).collect()))
            .collect();
        for (language, change) in changes {
            let phrases = table.entry(language).or_default();
            if let Some(replace) = &change.replace {
                *phrases = cleaned(language, replace)?;
            }
            for gone in cleaned(language, &change.remove)? {
                let before = phrases.len();
                phrases.retain(|phrase| *phrase != gone);
                if phrases.len() == before {
                    return Err(format!(
                        "{language}.remove: `{gone}` is no phrase of this language; there are {}",
                        phrases.join(", ")
                    ));
                }
            }
            phrases.extend(cleaned(language, &change.add)?);
        }
        Ok(Self(Phrases::new(table.into_values().flatten())))
    }

    /// The languages that have built-in phrases, with these.
    pub fn built_in() -> impl Iterator<Item = (&'static str, &'static [&'static str])> {
        BUILT_IN.iter().copied()
    }

    /// Whether a sentence turns the reasoning; `over`: no more of it will come.
    pub(super) fn verdict(&self, sentence: &str, over: bool) -> Verdict {
        self.0.verdict(sentence, over)
    }
}

fn cleaned(language: &str, phrases: &[String]) -> Result<Vec<String>, String> {
    let clean = |phrase: &String| {
        let phrase = phrase.trim().to_lowercase();
        if !phrase.starts_with(char::is_alphanumeric) {
            return Err(format!(
                "{language}: a phrase begins with a letter or a digit, not `{phrase}`"
            ));
        }
        if phrase.len() > LONGEST {
            return Err(format!("{language}: `{phrase}` is longer than {LONGEST} bytes"));
        }
        Ok(phrase)
    };
    phrases.iter().map(clean).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turns(turning: &Turning, sentence: &str) -> bool {
        turning.verdict(sentence, true) == Verdict::Yes
    }

    #[test]
    fn every_built_in_phrase_can_be_set_and_is_found() {
        let turning = Turning::default();
        for (language, phrases) in Turning::built_in() {
            for phrase in phrases {
                assert_eq!(cleaned(language, &[phrase.to_string()]).unwrap(), [*phrase]);
                assert!(turns(&turning, &format!("{} x", phrase.to_uppercase())), "{phrase}");
            }
        }
    }

    #[test]
    fn languages_are_added_to_taken_from_and_replaced() {
        let change = |json: &str| Turning::changed(&serde_json::from_str(json).unwrap());
        let changed = change(
            r#"{"en": {"add": ["Hmm, but"], "remove": ["However"]}, "de": {"replace": ["Stopp"]}, "nl": {"add": ["wacht"]}}"#,
        )
        .unwrap();
        for (sentence, expected) in [
            ("However, no", false),
            ("Wait", true),
            ("Halt", false),
            ("stopp!", true),
            ("Wacht even", true),
            ("однако", true),
        ] {
            assert_eq!(turns(&changed, sentence), expected, "{sentence}");
        }
        assert_eq!(Turning::changed(&BTreeMap::new()).unwrap(), Turning::default());
        let wrong = change(r#"{"fr": {"remove": ["wait"]}}"#).unwrap_err();
        assert!(wrong.starts_with("fr.remove: `wait` is no phrase of this language; there are attends,"));
        assert!(change(r#"{"en": {"add": [" "]}}"#).is_err());
        assert!(change(&format!(r#"{{"en": {{"add": ["{}"]}}}}"#, "a".repeat(65))).is_err());
        assert!(serde_json::from_str::<Change>(r#"{"ad": []}"#).is_err());
    }
}
