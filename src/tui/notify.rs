//! Telling a person who looks elsewhere that something long is over: through the terminal, which shows it as it can.
//!
//! A terminal that knows neither OSC 9 nor OSC 777 ignores them, so that by itself only those are taken that are known
//! to show one; all others get a bell, which every terminal can make seen.

use super::text::clean;
use crate::config::NotifyMethod;

/// What a person is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    pub title: String,
    pub body: String,
}

/// Characters that a notification shows.
const LONGEST: usize = 200;

/// How it is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Osc9,
    Osc777,
    Bell,
    None,
}

impl Method {
    /// As it is set, or by what the environment says of the terminal.
    #[must_use]
    pub fn new(set: NotifyMethod, environment: impl Fn(&str) -> Option<String>) -> Self {
        match set {
            NotifyMethod::Osc9 => Self::Osc9,
            NotifyMethod::Osc777 => Self::Osc777,
            NotifyMethod::Bell => Self::Bell,
            NotifyMethod::None => Self::None,
            NotifyMethod::Auto => Self::detect(environment),
        }
    }

    fn detect(environment: impl Fn(&str) -> Option<String>) -> Self {
        let get = |name: &str| environment(name).unwrap_or_default();
        let term = get("TERM");
        // Within tmux the first two are those of tmux; what the terminal around it has set is still there.
        let programs = [get("TERM_PROGRAM"), get("LC_TERMINAL")];
        let is = |names: &[&str]| programs.iter().any(|program| names.contains(&program.as_str()));
        let has = |name: &str| !get(name).is_empty();
        if is(&["iTerm.app", "iTerm2", "WezTerm", "ghostty", "WarpTerminal"])
            || has("KITTY_WINDOW_ID")
            || has("WEZTERM_PANE")
            || has("GHOSTTY_RESOURCES_DIR")
            || term.contains("kitty")
            || term.contains("ghostty")
        {
            Self::Osc9
        } else if term.starts_with("rxvt") || term.starts_with("foot") {
            Self::Osc777
        } else {
            Self::Bell
        }
    }

    /// What the terminal is sent; nothing that stands in the texts is a control character or ends the sequence.
    #[must_use]
    pub fn sequence(self, notification: &Notification) -> Vec<u8> {
        let (title, body) = (plain(&notification.title), plain(&notification.body));
        match self {
            // A number at the beginning would be another command.
            Self::Osc9 => format!("\x1b]9;{title}: {body}\x07").into_bytes(),
            Self::Osc777 => format!("\x1b]777;notify;{};{body}\x07", title.replace(';', ",")).into_bytes(),
            Self::Bell => b"\x07".to_vec(),
            Self::None => Vec::new(),
        }
    }

    /// Whether it has to be passed through what stands between us and the terminal.
    #[must_use]
    pub fn is_for_terminal(self) -> bool {
        matches!(self, Self::Osc9 | Self::Osc777)
    }
}

/// One line without control characters.
#[must_use]
pub fn plain(text: &str) -> String {
    let line: String = clean(text)
        .chars()
        .map(|c| if c.is_whitespace() { ' ' } else { c })
        .filter(|c| !c.is_control())
        .take(LONGEST)
        .collect();
    line.trim().to_owned()
}

/// Sets the title of the terminal (OSC 2).
#[must_use]
pub fn title(text: &str) -> Vec<u8> {
    format!("\x1b]2;{}\x07", plain(text)).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn detect(variables: &[(&str, &str)]) -> Method {
        Method::new(NotifyMethod::Auto, |asked| {
            let found = variables.iter().find(|(name, _)| *name == asked);
            found.map(|&(_, value)| value.to_owned())
        })
    }

    #[test]
    fn terminals_get_what_they_show() {
        for (variables, method) in [
            (&[("TERM_PROGRAM", "iTerm.app")][..], Method::Osc9),
            (&[("TERM_PROGRAM", "tmux"), ("LC_TERMINAL", "iTerm2")], Method::Osc9),
            (&[("TERM", "xterm-kitty")], Method::Osc9),
            (&[("TERM", "tmux-256color"), ("KITTY_WINDOW_ID", "1")], Method::Osc9),
            (&[("TERM", "rxvt-unicode-256color")], Method::Osc777),
            (&[("TERM", "foot")], Method::Osc777),
            (&[("TERM", "xterm-256color")], Method::Bell),
            (&[], Method::Bell),
        ] {
            assert_eq!(detect(variables), method, "{variables:?}");
        }
        assert_eq!(Method::new(NotifyMethod::None, |_| None), Method::None);
    }

    #[test]
    fn what_is_sent() {
        let told = Notification {
            title: "thunder;head".into(),
            body: "4;1 is\nready\u{7}\u{1b}]0;x".into(),
        };
        let sent = |method: Method| String::from_utf8(method.sequence(&told)).unwrap();
        assert_eq!(sent(Method::Osc9), "\x1b]9;thunder;head: 4;1 is ready]0;x\x07");
        assert_eq!(
            sent(Method::Osc777),
            "\x1b]777;notify;thunder,head;4;1 is ready]0;x\x07"
        );
        assert_eq!(sent(Method::Bell), "\x07");
        assert_eq!(sent(Method::None), "");
        assert_eq!(title("a\x1bb\nc"), b"\x1b]2;ab c\x07");
    }

    proptest! {
        #[test]
        fn no_text_ends_the_sequence(text in "(?s).{0,300}") {
            let shown = plain(&text);
            prop_assert!(shown.chars().all(|c| !c.is_control()) && shown.chars().count() <= LONGEST);
        }
    }
}
