//! Foreign text made fit for a terminal: the one place where that is decided.
//!
//! Documents and replies may contain escape sequences, which a terminal would obey, and bidirectional controls, which
//! make text read otherwise than it is. Each such character becomes one visible character.

use std::borrow::Cow;

/// Replaces every control character but line feed and tab, and every character that reorders or hides text.
#[must_use]
pub fn sanitize(text: &str) -> Cow<'_, str> {
    if text.chars().any(|c| visible(c).is_some()) {
        Cow::Owned(text.chars().map(|c| visible(c).unwrap_or(c)).collect())
    } else {
        Cow::Borrowed(text)
    }
}

/// The same for what must stay on one line, such as a path.
pub(crate) fn sanitize_line(text: &str) -> String {
    sanitize(text).replace('\n', "\u{240a}").replace('\t', "\u{2409}")
}

/// What a character is shown as, if not as itself.
fn visible(c: char) -> Option<char> {
    match c {
        '\n' | '\t' => None,
        '\0'..='\x1f' => char::from_u32(0x2400 + u32::from(c)),
        '\x7f' => Some('\u{2421}'),
        '\u{80}'..='\u{9f}'                     // C1
        | '\u{61c}' | '\u{200e}' | '\u{200f}'   // marks of direction
        | '\u{2028}'..='\u{202e}'               // separators of lines and paragraphs, embeddings, overrides
        | '\u{2066}'..='\u{206f}'               // isolates, deprecated controls
        | '\u{fff9}'..='\u{fffb}'               // interlinear annotation
        | '\u{e0000}'..='\u{e007f}'             // tags
        => Some(char::REPLACEMENT_CHARACTER),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ordinary_text_is_untouched() {
        let text = "fn x() {\n\t\"é 你好 🙂\" }";
        assert!(matches!(sanitize(text), Cow::Borrowed(same) if same == text));
    }

    #[test]
    fn escapes_and_overrides_become_visible() {
        assert_eq!(sanitize("\x1b[31mred\r\x07"), "␛[31mred␍␇");
        assert_eq!(
            sanitize("a\u{9b}b\u{202e}c\u{2066}d\x7f"),
            "a\u{fffd}b\u{fffd}c\u{fffd}d␡"
        );
        assert_eq!(sanitize_line("a\nb\tc"), "a␊b␉c");
    }

    proptest! {
        #[test]
        fn nothing_that_controls_a_terminal_remains(text in any::<String>()) {
            let clean = sanitize(&text);
            prop_assert!(!clean.chars().any(|c| c.is_control() && c != '\n' && c != '\t'));
            prop_assert_eq!(clean.chars().count(), text.chars().count());
            let again = sanitize(&clean);
            prop_assert_eq!(again.as_ref(), clean.as_ref());
        }
    }
}
