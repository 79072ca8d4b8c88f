//! Colour themes: what each part of the screen looks like.
//!
//! A theme is a TOML file with an optional `inherit` (another theme), `syntax` (whose colours code has), a `[palette]` of named
//! colours and `[styles]` for the parts in [`Part`]. A part that a theme does not mention looks as in the theme that it
//! inherits. A mistake is an error that names the place: a theme that is half applied is hard to correct.
//!
//! The default uses the terminal's own sixteen colours and no background, so that it is right on any terminal without
//! asking it. No meaning is carried by colour alone; `mono` proves it.

mod depth;
mod file;
pub mod follow;
pub mod ground;
mod library;
mod syntax;

use ratatui::style::{Modifier, Style};

use crate::config::Problem;
pub use depth::Depth;
pub use library::{Choice, Library, Loaded};

macro_rules! parts {
    ($($part:ident = $name:literal,)*) => {
        /// The parts of the screen that a theme styles.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Part { $($part,)* }

        const PARTS: &[(&str, Part)] = &[$(($name, Part::$part),)*];
    };
}

parts! {
    Background = "background",
    Notice = "notice",
    Detail = "detail",
    Error = "error",
    Question = "question",
    Prompt = "prompt",
    ThinkingHeader = "thinking-header",
    Thinking = "thinking",
    Answer = "answer",
    Verified = "verified",
    Unverified = "unverified",
    Selected = "selected",
    Selection = "selection",
    Scrollbar = "scrollbar",
    Rule = "rule",
    Bar = "bar",
    Progress = "progress",
    Pill = "pill",
    Composer = "composer",
    Chip = "chip",
    Placeholder = "placeholder",
    Status = "status",
    StatusStrong = "status-strong",
    Link = "link",
    LinkSelected = "link-selected",
    Doubtful = "doubtful",
    Document = "document",
    LineNumber = "line-number",
    CursorNumber = "cursor-number",
    Target = "target",
    TargetNumber = "target-number",
    Match = "match",
    MatchCurrent = "match-current",
    SyntaxComment = "syntax-comment",
    SyntaxString = "syntax-string",
    SyntaxNumber = "syntax-number",
    SyntaxConstant = "syntax-constant",
    SyntaxKeyword = "syntax-keyword",
    SyntaxType = "syntax-type",
    SyntaxFunction = "syntax-function",
    SyntaxAttribute = "syntax-attribute",
    SyntaxHeading = "syntax-heading",
    Heading1 = "heading-1",
    Heading2 = "heading-2",
    Heading3 = "heading-3",
    Heading4 = "heading-4",
    Strong = "strong",
    Emphasis = "emphasis",
    Struck = "struck",
    Code = "code",
    CodeBlock = "code-block",
    CodeEdge = "code-edge",
    Quote = "quote",
    QuoteEdge = "quote-edge",
    ListMarker = "list-marker",
    TableHead = "table-head",
    TableRule = "table-rule",
    Address = "address",
    AddressTarget = "address-target",
    Help = "help",
    HelpTitle = "help-title",
    HelpKey = "help-key",
    Folder = "folder",
    File = "file",
    LeftOut = "left-out",
    Waiting = "waiting",
    Prefilling = "prefilling",
    Prefilled = "prefilled",
    Changed = "changed",
    ChangedWord = "changed-word",
    Cursor = "cursor",
    Plan = "plan",
    Past = "past",
    Candidate = "candidate",
    CandidateMatch = "candidate-match",
    Heat1 = "heat-1",
    Heat2 = "heat-2",
    Heat3 = "heat-3",
    Heat4 = "heat-4",
    Heat5 = "heat-5",
}

#[cfg(test)]
impl Part {
    fn name(self) -> &'static str {
        PARTS[self as usize].0
    }
}

/// What marks something must be seen in any theme: one that neither mentions it nor inherits has it look like another
/// part, and so besides.
const OTHERWISE: &[(Part, Option<Part>, Modifier)] = &[
    (Part::Link, None, Modifier::UNDERLINED),
    (Part::Past, None, Modifier::DIM),
    (Part::LinkSelected, Some(Part::Selected), Modifier::REVERSED),
    (Part::Doubtful, Some(Part::Unverified), Modifier::ITALIC),
    (Part::Selection, None, Modifier::REVERSED),
    (Part::LineNumber, Some(Part::Detail), Modifier::empty()),
    (Part::CursorNumber, None, Modifier::BOLD),
    (Part::Target, None, Modifier::BOLD),
    (Part::TargetNumber, None, Modifier::REVERSED),
    (Part::Match, None, Modifier::UNDERLINED),
    (Part::MatchCurrent, None, Modifier::REVERSED),
    (
        Part::Heading1,
        Some(Part::SyntaxHeading),
        Modifier::BOLD.union(Modifier::UNDERLINED),
    ),
    (Part::Heading2, Some(Part::SyntaxHeading), Modifier::BOLD),
    (Part::Heading3, None, Modifier::BOLD.union(Modifier::UNDERLINED)),
    (Part::Heading4, None, Modifier::BOLD),
    (Part::Strong, None, Modifier::BOLD),
    (Part::Emphasis, None, Modifier::ITALIC),
    (Part::Struck, None, Modifier::CROSSED_OUT),
    (Part::Code, Some(Part::SyntaxString), Modifier::empty()),
    (Part::CodeBlock, None, Modifier::empty()),
    (Part::CodeEdge, Some(Part::Detail), Modifier::empty()),
    (Part::Quote, Some(Part::SyntaxComment), Modifier::empty()),
    (Part::QuoteEdge, Some(Part::Detail), Modifier::empty()),
    (Part::ListMarker, Some(Part::Prompt), Modifier::empty()),
    (Part::TableHead, None, Modifier::BOLD),
    (Part::TableRule, Some(Part::Detail), Modifier::empty()),
    (Part::Address, None, Modifier::UNDERLINED),
    (Part::AddressTarget, Some(Part::Detail), Modifier::empty()),
    (Part::Folder, Some(Part::Question), Modifier::empty()),
    (Part::File, Some(Part::Answer), Modifier::empty()),
    (Part::LeftOut, Some(Part::Detail), Modifier::empty()),
    (Part::Waiting, Some(Part::Detail), Modifier::empty()),
    (Part::Prefilling, Some(Part::Progress), Modifier::empty()),
    (Part::Prefilled, Some(Part::Verified), Modifier::empty()),
    (Part::Changed, Some(Part::Unverified), Modifier::empty()),
    (Part::ChangedWord, None, Modifier::BOLD.union(Modifier::UNDERLINED)),
    (Part::Cursor, Some(Part::Selected), Modifier::empty()),
    (Part::Plan, Some(Part::Notice), Modifier::empty()),
    (Part::Chip, Some(Part::Prompt), Modifier::empty()),
    (Part::Candidate, Some(Part::Composer), Modifier::empty()),
    (Part::CandidateMatch, Some(Part::Prompt), Modifier::empty()),
    (Part::Heat2, None, Modifier::ITALIC),
    (Part::Heat3, None, Modifier::UNDERLINED),
    (Part::Heat4, None, Modifier::UNDERLINED.union(Modifier::BOLD)),
    (Part::Heat5, None, Modifier::REVERSED),
];

/// Built in, by name.
const BUILT_IN: &[(&str, &str)] = &[
    ("terminal", include_str!("../../themes/terminal.toml")),
    ("storm", include_str!("../../themes/storm.toml")),
    ("ember", include_str!("../../themes/ember.toml")),
    ("daylight", include_str!("../../themes/daylight.toml")),
    ("contrast", include_str!("../../themes/contrast.toml")),
    ("mono", include_str!("../../themes/mono.toml")),
];

/// Why a theme could not be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ThemeError {
    /// Something in it is wrong; each with its place.
    #[error("{}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Wrong { problems: Vec<Problem> },
    #[error("there is no theme `{name}`; there are {there_are}")]
    Unknown { name: String, there_are: String },
    #[error("{path}: cannot be read: {message}")]
    Unreadable { path: String, message: String },
}

/// A style for every part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Theme {
    pub name: String,
    styles: Box<[Style; PARTS.len()]>,
}

/// The names of the built-in themes.
pub fn names() -> impl Iterator<Item = &'static str> {
    BUILT_IN.iter().map(|&(name, _)| name)
}

/// What a built-in theme says of itself.
#[must_use]
pub fn description(name: &str) -> Option<&'static str> {
    let (_, text) = BUILT_IN.iter().find(|(known, _)| *known == name)?;
    text.lines().next()?.strip_prefix("# ")
}

impl Default for Theme {
    fn default() -> Self {
        Self::built_in("terminal").expect("the built-in themes are tested")
    }
}

impl Theme {
    /// # Errors
    /// If there is no such theme.
    pub fn built_in(name: &str) -> Result<Self, ThemeError> {
        Library::default().load(name).map(|loaded| loaded.theme)
    }

    /// Reads a theme file's text.
    ///
    /// # Errors
    /// If something in it is wrong; the messages name the place and the key.
    pub fn parse(name: &str, source: &str) -> Result<Self, ThemeError> {
        Library::default().of_text(name, source)
    }

    /// The same theme without any colour.
    #[must_use]
    pub fn without_colour(mut self) -> Self {
        for style in self.styles.iter_mut() {
            style.fg = None;
            style.bg = None;
        }
        self
    }

    #[must_use]
    pub fn style(&self, part: Part) -> Style {
        self.styles[part as usize]
    }
}

#[cfg(test)]
mod tests {
    use ratatui::style::Color;

    use super::*;

    fn error(source: &str) -> String {
        Theme::parse("mine", source).unwrap_err().to_string()
    }

    #[test]
    fn the_built_in_themes_are_right() {
        for name in names() {
            let theme = Theme::built_in(name).unwrap();
            assert_eq!(theme.name, name);
            for pair in [(Part::Verified, Part::Unverified), (Part::Question, Part::Thinking)] {
                assert_ne!(theme.style(pair.0), theme.style(pair.1), "{name}: {pair:?}");
            }
        }
    }

    #[test]
    fn every_built_in_theme_has_styles_of_its_own_for_markdown() {
        let from = Part::Heading1 as usize;
        let markdown = &PARTS[from..=Part::AddressTarget as usize];
        for (theme, text) in BUILT_IN {
            let missing = markdown
                .iter()
                .find(|(part, _)| !text.contains(&format!("\n{part} = ")));
            assert_eq!(missing, None, "{theme}");
        }
    }

    #[test]
    fn the_default_leaves_the_background_alone() {
        let theme = Theme::default();
        for &(name, part) in PARTS {
            assert_eq!(theme.style(part).bg, None, "{name}");
            assert!(
                !matches!(theme.style(part).fg, Some(Color::Rgb(..) | Color::Indexed(_))),
                "{name}"
            );
        }
    }

    #[test]
    fn mono_has_no_colour() {
        let mono = Theme::built_in("mono").unwrap();
        assert_eq!(mono.clone().without_colour(), mono);
    }

    #[test]
    fn a_theme_inherits_and_overrides() {
        let theme = Theme::parse(
            "mine",
            "inherit = 'storm'\n[palette]\nink = '#010203'\n[styles]\nanswer = 'ink'\nnotice = { mod = ['bold', 'italic'] }",
        )
        .unwrap();
        assert_eq!(theme.style(Part::Answer), Style::new().fg(Color::Rgb(1, 2, 3)));
        assert_eq!(
            theme.style(Part::Notice),
            Style::new().add_modifier(Modifier::BOLD | Modifier::ITALIC)
        );
        assert_eq!(
            theme.style(Part::Verified),
            Theme::built_in("storm").unwrap().style(Part::Verified)
        );
    }

    #[test]
    fn parts_that_a_theme_does_not_know_look_like_others() {
        let theme = Theme::parse("mine", "[styles]\nselected = 'red'\ndetail = 'blue'\nwaiting = 'green'").unwrap();
        assert_eq!(theme.style(Part::Cursor), Style::new().fg(Color::Red));
        assert_eq!(theme.style(Part::LeftOut), Style::new().fg(Color::Blue));
        assert_eq!(theme.style(Part::Waiting), Style::new().fg(Color::Green));
    }

    /// Contrast of two colours (WCAG 2.1, 1.4.3); `None` if one of them is the terminal's.
    fn contrast(a: Option<Color>, b: Option<Color>) -> Option<f64> {
        let luminance = |colour: Option<Color>| match colour? {
            Color::Rgb(r, g, b) => {
                let linear = |channel: u8| {
                    let c = f64::from(channel) / 255.0;
                    if c <= 0.03928 {
                        c / 12.92
                    } else {
                        ((c + 0.055) / 1.055).powf(2.4)
                    }
                };
                Some(0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b))
            }
            _ => None,
        };
        let (a, b) = (luminance(a)?, luminance(b)?);
        Some((a.max(b) + 0.05) / (a.min(b) + 0.05))
    }

    #[test]
    fn everything_that_is_read_can_be_read() {
        // Lines, marks of places and what is meant to recede are not read.
        let ornament = [
            Part::Background,
            Part::Scrollbar,
            Part::Rule,
            Part::Bar,
            Part::LineNumber,
        ];
        for name in names() {
            let theme = Theme::built_in(name).unwrap();
            let ground = theme.style(Part::Background);
            let enough = if name == "contrast" { 7.0 } else { 4.5 };
            for &(part, known) in PARTS.iter().filter(|(_, known)| !ornament.contains(known)) {
                let style = theme.style(known);
                let (fore, back) = (style.fg.or(ground.fg), style.bg.or(ground.bg));
                if let Some(found) = contrast(fore, back) {
                    assert!(found >= enough, "{name}: {part} has a contrast of {found:.1}");
                }
            }
        }
    }

    #[test]
    fn a_theme_that_knows_nothing_of_a_mark_shows_it_all_the_same() {
        let theme = Theme::parse("mine", "[styles]\nunverified = 'red'\nmatch = 'blue'").unwrap();
        assert_eq!(theme.style(Part::Link), Style::new().add_modifier(Modifier::UNDERLINED));
        assert_eq!(
            theme.style(Part::Doubtful),
            Style::new().fg(Color::Red).add_modifier(Modifier::ITALIC)
        );
        assert_eq!(theme.style(Part::Match), Style::new().fg(Color::Blue));
        for (index, &(name, part)) in PARTS.iter().enumerate() {
            assert_eq!((part as usize, part.name()), (index, name));
        }
    }

    #[test]
    fn marks_are_told_apart_in_every_theme() {
        for name in names() {
            let theme = Theme::built_in(name).unwrap().without_colour();
            for marks in [
                &[Part::Answer, Part::Link, Part::LinkSelected, Part::Doubtful][..],
                &[Part::Document, Part::Target, Part::Match, Part::MatchCurrent],
            ] {
                for (index, &a) in marks.iter().enumerate() {
                    let same = marks[index + 1..].iter().find(|&&b| theme.style(a) == theme.style(b));
                    assert_eq!(same, None, "{name}: as {a:?}");
                }
            }
        }
    }

    #[test]
    fn mistakes_name_the_key() {
        assert_eq!(
            error("[styles]\nanswer = { fg = 'inkk' }"),
            "mine:2:17: styles.answer.fg: `inkk` is neither in [palette] nor a colour"
        );
        assert!(error("[styles]\nanwser = 'red'").starts_with("mine:2:1: styles.anwser: there is no such part"));
        assert!(
            error("[styles]\nanswer = { mod = ['loud'] }").contains("styles.answer.mod: `loud` is not one of bold")
        );
        assert!(error("inherit = 'nowhere'").contains("inherit: there is no theme `nowhere`"));
        assert!(error("inherit = 'mine'").contains("cannot inherit itself"));
        assert!(error("colours = 1").contains("colours"));
        assert!(error("[styles\n").contains("mine:1:"));
        assert!(
            Theme::built_in("nope")
                .unwrap_err()
                .to_string()
                .contains("terminal, storm, ember, daylight, contrast, mono")
        );
    }
}
