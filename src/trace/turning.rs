//! Turning points: where a trace reconsiders.
//!
//! A sentence that begins with "wait", "however" or "on second thought" often turns the reasoning to another path; the
//! MiniMax-M1 report (§3.1) found such tokens to be the forks of reasoning. They are told by
//! how a sentence begins, in the languages that reasoning models think in.

/// How such sentences begin, in lower case.
const PHRASES: [&str; 56] = [
    // English
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
    "let me recheck",
    "let me re-check",
    "let me check again",
    "let me double-check",
    "let me double check",
    "let me reconsider",
    "let me rethink",
    "on second thought",
    "on the other hand",
    "i made a mistake",
    "that's not right",
    "that is not right",
    "that's wrong",
    "that is wrong",
    "scratch that",
    // German
    "moment",
    "halt",
    "allerdings",
    "andererseits",
    "nein,",
    "eigentlich",
    // French
    "attends",
    "attendez",
    "cependant",
    "en fait",
    "non,",
    // Spanish
    "espera",
    "sin embargo",
    "en realidad",
    // Russian
    "подожди",
    "однако",
    "на самом деле",
    // Chinese
    "等等",
    "等一下",
    "不对",
    "然而",
    "但是",
    "其实",
    "让我重新",
    // Japanese
    "待って",
    "しかし",
    "いや",
    "実は",
];

/// No phrase is longer, with the character after it.
const LONGEST: usize = 32;

/// How far a text has been looked at.
#[derive(Debug, Clone, Copy, Default)]
pub struct Scan {
    at: usize,
    /// `at` lies inside of a sentence, the beginning of which has been looked at.
    inside: bool,
}

/// Appends where turning points begin in the part of `text` that has not been looked at, in bytes. What cannot be told
/// before more text has come is looked at then, or if this is the `whole` text.
pub fn turning_points(text: &str, scan: &mut Scan, whole: bool, found: &mut Vec<usize>) {
    loop {
        if scan.inside {
            let Some(next) = sentence_end(text, scan, whole) else {
                return;
            };
            *scan = Scan {
                at: next,
                inside: false,
            };
        }
        let begins = |c: char| c.is_alphanumeric();
        let Some(begin) = text[scan.at..].find(begins).map(|at| scan.at + at) else {
            return;
        };
        if !whole && text.len() - begin < LONGEST {
            return;
        }
        if is_turning(&text[begin..]) {
            found.push(begin);
        }
        *scan = Scan {
            at: begin,
            inside: true,
        };
    }
}

/// Where the sentence that `scan` lies in is over; moves `scan` over what is certainly inside of it.
fn sentence_end(text: &str, scan: &mut Scan, whole: bool) -> Option<usize> {
    let rest = &text[scan.at..];
    let mut chars = rest.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let after = scan.at + at + c.len_utf8();
        match c {
            '\n' | '。' | '！' | '？' => return Some(after),
            '.' | '!' | '?' | '…' => match chars.peek() {
                Some((_, next)) if next.is_whitespace() => return Some(after),
                Some(_) => {}
                None if whole => {}
                None => {
                    scan.at += at;
                    return None;
                }
            },
            _ => {}
        }
    }
    scan.at = text.len();
    None
}

/// Whether a sentence turns the reasoning.
fn is_turning(sentence: &str) -> bool {
    PHRASES.iter().any(|phrase| {
        let mut rest = sentence.chars().flat_map(char::to_lowercase);
        if !phrase.chars().all(|c| rest.next() == Some(c)) {
            return false;
        }
        // `waiter` is no `wait`; where words are not parted by spaces, nothing follows from the next character.
        let ends_a_word = phrase.ends_with(|c: char| c.is_alphabetic() && (c as u32) < 0x3000);
        !ends_a_word || rest.next().is_none_or(|c| !c.is_alphanumeric())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn whole(text: &str) -> Vec<usize> {
        let mut found = Vec::new();
        turning_points(text, &mut Scan::default(), true, &mut found);
        found
    }

    #[test]
    fn sentences_that_turn_are_found_where_they_begin() {
        let text = "The file is short. Wait, is it? I waited.\n\n- **However**, the waiter.\n2. hmm\nno doubt. But wait: 3.5 is";
        let found: Vec<&str> = whole(text).into_iter().map(|at| &text[at..at + 3]).collect();
        assert_eq!(found, ["Wai", "How", "hmm", "But"]);
        assert!(whole("Waiting. Nothing however. v1.wait").is_empty());
        let text = "这是对的。等等，不对。Однако нет. Moment mal! 次へ。しかし";
        assert_eq!(whole(text).len(), 4, "{:?}", whole(text));
    }

    #[test]
    fn every_phrase_is_short_and_in_lower_case() {
        for phrase in PHRASES {
            assert!(phrase.len() + 4 <= LONGEST, "{phrase}");
            assert_eq!(phrase, phrase.to_lowercase());
            assert_eq!(whole(&format!("x. {} y", phrase.to_uppercase())), [3], "{phrase}");
        }
    }

    proptest! {
        #[test]
        fn the_cut_of_the_text_does_not_matter(
            pieces in prop::collection::vec(prop_oneof![
                Just("Wait"), Just("wait, "), Just("However "), Just(". "), Just("."), Just("\n"), Just("等等"), Just("。"),
                Just("on second thought "), Just("ing"), Just(" "), Just("…"), Just("é"),
            ], 0..40),
        ) {
            let text = pieces.concat();
            let (mut scan, mut found, mut so_far) = (Scan::default(), Vec::new(), String::new());
            for piece in &pieces {
                so_far.push_str(piece);
                turning_points(&so_far, &mut scan, false, &mut found);
            }
            turning_points(&text, &mut scan, true, &mut found);
            prop_assert_eq!(found, whole(&text));
        }
    }
}
