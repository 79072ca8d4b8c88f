//! How a sentence begins, compared with a table of phrases.

/// A table of phrases in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Phrases {
    /// Sorted, so that those that begin alike stand together.
    sorted: Vec<String>,
}

/// Whether a sentence begins with one of the phrases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Yes,
    No,
    /// It cannot be told before more of the sentence has come.
    Open,
}

impl Phrases {
    pub fn new(phrases: impl IntoIterator<Item = String>) -> Self {
        let mut sorted: Vec<String> = phrases.into_iter().collect();
        sorted.sort_unstable();
        sorted.dedup();
        Self { sorted }
    }

    /// `over`: no more of the sentence will come. The verdict is the same for every text that the sentence may grow into,
    /// unless it is [`Verdict::Open`].
    pub fn verdict(&self, sentence: &str, over: bool) -> Verdict {
        let Some(first) = lower(sentence).next() else {
            return if over { Verdict::No } else { Verdict::Open };
        };
        let from = self
            .sorted
            .partition_point(|phrase| phrase.chars().next() < Some(first));
        let alike = self.sorted[from..]
            .iter()
            .take_while(|phrase| phrase.starts_with(first));
        let mut verdict = Verdict::No;
        for phrase in alike {
            match begins_with(sentence, phrase, over) {
                Verdict::Yes => return Verdict::Yes,
                Verdict::Open => verdict = Verdict::Open,
                Verdict::No => {}
            }
        }
        verdict
    }
}

/// The characters in lower case, and apostrophes as they are typed.
fn lower(text: &str) -> impl Iterator<Item = char> {
    text.chars()
        .flat_map(char::to_lowercase)
        .map(|c| if c == '’' { '\'' } else { c })
}

fn begins_with(sentence: &str, phrase: &str, over: bool) -> Verdict {
    let end = if over { Verdict::No } else { Verdict::Open };
    let mut rest = lower(sentence);
    for c in phrase.chars() {
        match rest.next() {
            Some(next) if next == c => {}
            Some(_) => return Verdict::No,
            None => return end,
        }
    }
    // `waiter` is no `wait`; where words are not parted by spaces, nothing follows from the next character.
    let ends_a_word = phrase.ends_with(|c: char| c.is_alphabetic() && (c as u32) < 0x3000);
    match rest.next() {
        _ if !ends_a_word => Verdict::Yes,
        Some(next) if next.is_alphanumeric() => Verdict::No,
        Some(_) => Verdict::Yes,
        None if over => Verdict::Yes,
        None => Verdict::Open,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn phrases() -> Phrases {
        Phrases::new(["wait", "hold on", "that's wrong", "no,", "等等", "hmm"].map(String::from))
    }

    #[test]
    fn words_are_whole_and_case_and_apostrophes_do_not_matter() {
        for (sentence, expected) in [
            ("Wait, no", Verdict::Yes),
            ("WAIT", Verdict::Yes),
            ("waiter", Verdict::No),
            ("That’s wrong.", Verdict::Yes),
            ("no way", Verdict::No),
            ("No, way", Verdict::Yes),
            ("等等我", Verdict::Yes),
            ("", Verdict::No),
        ] {
            assert_eq!(phrases().verdict(sentence, true), expected, "{sentence}");
        }
    }

    #[test]
    fn it_is_told_as_soon_as_it_can_be() {
        for (sentence, expected) in [
            ("", Verdict::Open),
            ("W", Verdict::Open),
            ("We", Verdict::No),
            ("wait", Verdict::Open),
            ("wait ", Verdict::Yes),
            ("等等", Verdict::Yes),
            ("no,", Verdict::Yes),
        ] {
            assert_eq!(phrases().verdict(sentence, false), expected, "{sentence}");
        }
    }

    proptest! {
        #[test]
        fn a_verdict_stays(sentence in "(wait|hold|no|that's|等|[ ,.aw]){0,4}") {
            for cut in 0..=sentence.len() {
                if let Some(begun) = sentence.get(..cut) {
                    let early = phrases().verdict(begun, false);
                    prop_assert!(early == Verdict::Open || early == phrases().verdict(&sentence, true), "{begun:?}");
                }
            }
        }
    }
}
