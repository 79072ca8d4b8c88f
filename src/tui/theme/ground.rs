//! Whether the terminal's background is dark or light: asked without waiting, and right without an answer.
//!
//! The question goes out once, at the start, and only where it is plausible that the answer comes back to us. Behind it
//! goes one that every terminal answers (DA1): when that answer is there, none will follow. The answers are taken out of
//! the input by the decoder whenever they come.

use super::depth::luminance;

/// OSC 11 asks for the background; DA1 for what the terminal is.
pub const ASK: &[u8] = b"\x1b]11;?\x1b\\\x1b[c";

/// What is behind the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ground {
    Dark,
    Light,
}

impl Ground {
    /// What a terminal answered: `rgb:1b1b/1f1f/2a2a`, with one to four digits each.
    #[must_use]
    pub fn of_answer(answer: &str) -> Option<Self> {
        let colours = answer.strip_prefix("rgb:").or_else(|| answer.strip_prefix("rgba:"))?;
        let mut channels = colours.split('/').map(|digits| {
            let most = match digits.len() {
                1..=4 => (1u32 << (4 * digits.len())) - 1,
                _ => return None,
            };
            let value = u32::from_str_radix(digits, 16).ok()?;
            Some((value * 255 / most) as u8)
        });
        let mut next = || channels.next().flatten();
        Some(Self::of([next()?, next()?, next()?]))
    }

    /// What a variable says that some terminals set: `COLORFGBG=15;0`.
    #[must_use]
    pub fn of_hint(environment: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let value = environment("COLORFGBG")?;
        let number: u8 = value.rsplit(';').next()?.trim().parse().ok()?;
        match number {
            7 | 9..=15 => Some(Self::Light),
            0..=6 | 8 => Some(Self::Dark),
            _ => None,
        }
    }

    /// The lightness that is half way between black and white to the eye.
    fn of(rgb: [u8; 3]) -> Self {
        if luminance(rgb) > 0.18 { Self::Light } else { Self::Dark }
    }
}

/// Whether an answer can be expected to come back to us, and soon: not over ssh, not through GNU screen.
#[must_use]
pub fn is_askable(environment: impl Fn(&str) -> Option<String>) -> bool {
    let has = |name: &str| environment(name).is_some_and(|value| !value.is_empty());
    let term = environment("TERM").unwrap_or_default();
    let remote = has("SSH_CONNECTION") || has("SSH_TTY") || has("SSH_CLIENT");
    let screen = has("STY") || (term.starts_with("screen") && !has("TMUX"));
    let plain = matches!(term.as_str(), "" | "dumb" | "linux" | "unknown") || term.starts_with("vt");
    cfg!(unix) && !remote && !screen && !plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_in_all_lengths() {
        for (answer, ground) in [
            ("rgb:0000/0000/0000", Some(Ground::Dark)),
            ("rgb:ffff/ffff/ffff", Some(Ground::Light)),
            ("rgb:1b/1f/2a", Some(Ground::Dark)),
            ("rgb:f/f/e", Some(Ground::Light)),
            ("rgba:fafa/f8f8/f3f3/ffff", Some(Ground::Light)),
            ("rgb:80/80/80", Some(Ground::Light)),
            ("rgb:70/70/70", Some(Ground::Dark)),
            ("rgb:fffff/0/0", None),
            ("rgb:ff/ff", None),
            ("rgb:gg/00/00", None),
            ("rgb://", None),
            ("", None),
        ] {
            assert_eq!(Ground::of_answer(answer), ground, "{answer}");
        }
    }

    #[test]
    fn hints() {
        let hint = |value: &str| Ground::of_hint(|_| Some(value.to_owned()));
        assert_eq!(hint("15;0"), Some(Ground::Dark));
        assert_eq!(hint("0;default;15"), Some(Ground::Light));
        assert_eq!(hint("0;7"), Some(Ground::Light));
        assert_eq!(hint("0;default"), None);
        assert_eq!(Ground::of_hint(|_| None), None);
    }

    #[test]
    fn only_terminals_that_answer_are_asked() {
        let asked = |variables: &[(&str, &str)]| {
            is_askable(|asked| {
                let found = variables.iter().find(|(name, _)| *name == asked);
                found.map(|&(_, value)| value.to_owned())
            })
        };
        assert_eq!(asked(&[("TERM", "xterm-256color")]), cfg!(unix));
        assert_eq!(asked(&[("TERM", "screen-256color"), ("TMUX", "x")]), cfg!(unix));
        for variables in [
            &[("TERM", "xterm-256color"), ("SSH_CONNECTION", "1 2 3 4")][..],
            &[("TERM", "screen-256color")],
            &[("TERM", "xterm"), ("STY", "1.x")],
            &[("TERM", "dumb")],
            &[("TERM", "linux")],
            &[],
        ] {
            assert!(!asked(variables), "{variables:?}");
        }
    }
}
