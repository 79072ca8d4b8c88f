//! How many colours the terminal has, and a theme in so many.
//!
//! A colour becomes the one that looks most alike (nearest in Oklab; among sixteen, nearest in hue) among those that can be read on the ground that they
//! will have: with few colours the nearest to a grey text and to its dark ground are often the same.

use std::ops::Range;
use std::sync::LazyLock;

use ratatui::style::{Color, Style};

use super::{PARTS, Part, Theme};

/// How many colours there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Depth {
    None,
    Sixteen,
    Indexed,
    #[default]
    True,
}

/// Terminals that have all colours although their name does not say it.
const FULL: &[&str] = &["kitty", "alacritty", "wezterm", "ghostty", "foot", "contour", "rio"];

impl Depth {
    /// What the environment says of the terminal.
    #[must_use]
    pub fn detect(environment: impl Fn(&str) -> Option<String>) -> Self {
        let get = |name: &str| environment(name).filter(|value| !value.is_empty());
        let term = get("TERM").unwrap_or_default();
        if get("NO_COLOR").is_some() {
            return Self::None;
        }
        let forced = get("CLICOLOR_FORCE").is_some_and(|value| value != "0");
        let found = Self::of_terminal(&term, get);
        if forced {
            return found.max(Self::Sixteen);
        }
        if get("CLICOLOR").is_some_and(|value| value == "0") {
            return Self::None;
        }
        found
    }

    fn of_terminal(term: &str, get: impl Fn(&str) -> Option<String>) -> Self {
        if cfg!(windows) && term.is_empty() {
            return Self::True;
        }
        if matches!(term, "" | "dumb" | "unknown") || term.starts_with("vt1") || term.starts_with("vt2") {
            return Self::None;
        }
        if term == "linux" {
            return Self::Sixteen;
        }
        let full = term.contains("direct") || FULL.iter().any(|name| term.contains(name));
        let promised = get("COLORTERM").is_some_and(|value| matches!(value.as_str(), "truecolor" | "24bit"));
        // GNU screen passes the promise of the terminal around it on, and does not keep it.
        let in_screen = term.starts_with("screen") && get("TMUX").is_none();
        let many = term.contains("256");
        match (full || promised, in_screen) {
            (true, false) => Self::True,
            (true, true) => Self::Indexed,
            (false, _) if many => Self::Indexed,
            (false, _) => Self::Sixteen,
        }
    }
}

impl Theme {
    /// The same theme with no more colours than there are.
    #[must_use]
    pub fn at(&self, depth: Depth) -> Self {
        let palette = match depth {
            Depth::None => return self.clone().without_colour(),
            Depth::True => return self.clone(),
            Depth::Sixteen => 0..16,
            Depth::Indexed => 16..256,
        };
        let ground = self.style(Part::Background);
        let mut theme = self.clone();
        for &(_, part) in PARTS {
            let style = self.style(part);
            theme.styles[part as usize] = reduced(style, ground, &palette);
        }
        theme
    }
}

/// A style in the colours of the palette that have these numbers.
fn reduced(style: Style, ground: Style, numbers: &Range<u16>) -> Style {
    let behind = style.bg.or(ground.bg);
    let before = style.fg.or(ground.fg);
    let back = behind.map(|colour| nearest(colour, numbers, |_| 0.0));
    let read = match (before.and_then(rgb), behind.and_then(rgb)) {
        (Some(fore), Some(back)) => contrast(fore, back),
        _ => 0.0,
    };
    // What could be read well is to be read then.
    let enough = read.min(READABLE);
    let front = before.map(|colour| {
        let on = back.and_then(rgb);
        nearest(colour, numbers, |candidate| {
            let missing = on.map_or(0.0, |on| (enough - contrast(candidate, on)).max(0.0));
            missing * if numbers.end == 16 { DIM_OF_FEW } else { DIM_OF_MANY }
        })
    });
    Style {
        // A part that leaves one to the ground goes on to do so, unless what is read of it depends on that.
        fg: if style.fg.is_some() || style.bg.is_some() {
            front
        } else {
            None
        },
        bg: style.bg.and(back),
        ..style
    }
}

const READABLE: f64 = 4.5;
/// What a contrast that is missing weighs against how unlike a colour is. Of sixteen none but black could be read well
/// everywhere: there a green stays a green.
const DIM_OF_MANY: f64 = 100.0;
const DIM_OF_FEW: f64 = 0.15;

/// A colour that the terminal defines itself stays what it is.
fn nearest(colour: Color, numbers: &Range<u16>, cost: impl Fn([u8; 3]) -> f64) -> Color {
    let Color::Rgb(..) = colour else {
        return match colour {
            Color::Indexed(index) if index >= 16 && numbers.end == 16 => {
                nearest(PALETTE[usize::from(index)].into(), numbers, cost)
            }
            other => other,
        };
    };
    let Some(wanted) = rgb(colour).map(oklab) else {
        return colour;
    };
    let distance = |rgb: [u8; 3]| {
        let found = oklab(rgb);
        if numbers.end == 16 {
            return unlike(wanted, found);
        }
        (0..3).map(|i| (wanted[i] - found[i]).powi(2)).sum::<f64>()
    };
    let candidates = numbers.clone().map(|index| (index, PALETTE[usize::from(index)]));
    let cost = |rgb| distance(rgb) + cost(rgb);
    let best = candidates.min_by(|a, b| cost(a.1).total_cmp(&cost(b.1)));
    best.map_or(colour, |(index, _)| match index {
        index @ 0..16 => NAMES[usize::from(index)],
        index => Color::Indexed(index as u8),
    })
}

/// How unlike two colours are among few, all of them strong: a pale green is to become a green and not the nearest grey, so
/// that the hue counts first, and greys go by themselves.
fn unlike(a: [f64; 3], b: [f64; 3]) -> f64 {
    const GREY: f64 = 0.045;
    let lightness = (a[0] - b[0]).abs();
    let strength = |[_, x, y]: [f64; 3]| x.hypot(y);
    match (strength(a) < GREY, strength(b) < GREY) {
        (true, true) => lightness,
        (false, false) => {
            let turned = (a[2].atan2(a[1]) - b[2].atan2(b[1])).abs();
            lightness + turned.min(std::f64::consts::TAU - turned)
        }
        _ => std::f64::consts::TAU,
    }
}

/// The first sixteen by name, as a theme would write them.
const NAMES: [Color; 16] = [
    Color::Black,
    Color::Red,
    Color::Green,
    Color::Yellow,
    Color::Blue,
    Color::Magenta,
    Color::Cyan,
    Color::Gray,
    Color::DarkGray,
    Color::LightRed,
    Color::LightGreen,
    Color::LightYellow,
    Color::LightBlue,
    Color::LightMagenta,
    Color::LightCyan,
    Color::White,
];

/// What the numbers look like: sixteen as most terminals have them, a cube of colours, a ramp of greys.
static PALETTE: LazyLock<[[u8; 3]; 256]> = LazyLock::new(|| {
    const FIRST: [[u8; 3]; 16] = [
        [0, 0, 0],
        [205, 0, 0],
        [0, 205, 0],
        [205, 205, 0],
        [0, 0, 238],
        [205, 0, 205],
        [0, 205, 205],
        [229, 229, 229],
        [127, 127, 127],
        [255, 0, 0],
        [0, 255, 0],
        [255, 255, 0],
        [92, 92, 255],
        [255, 0, 255],
        [0, 255, 255],
        [255, 255, 255],
    ];
    const STEPS: [u8; 6] = [0, 95, 135, 175, 215, 255];
    std::array::from_fn(|index| match index {
        0..16 => FIRST[index],
        16..232 => {
            let cube = index - 16;
            [STEPS[cube / 36], STEPS[cube / 6 % 6], STEPS[cube % 6]]
        }
        _ => [(8 + 10 * (index - 232)) as u8; 3],
    })
});

fn rgb(colour: Color) -> Option<[u8; 3]> {
    match colour {
        Color::Rgb(r, g, b) => Some([r, g, b]),
        Color::Indexed(index) => Some(PALETTE[usize::from(index)]),
        named => NAMES.iter().position(|&name| name == named).map(|index| PALETTE[index]),
    }
}

fn linear(channel: u8) -> f64 {
    let c = f64::from(channel) / 255.0;
    if c <= 0.040_45 {
        c / 12.92
    } else {
        ((c + 0.055) / 1.055).powf(2.4)
    }
}

/// Relative luminance, from 0 to 1 (WCAG 2.1).
#[must_use]
pub fn luminance([r, g, b]: [u8; 3]) -> f64 {
    0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b)
}

/// Contrast, from 1 to 21 (WCAG 2.1, 1.4.3).
fn contrast(a: [u8; 3], b: [u8; 3]) -> f64 {
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

/// Lightness and two axes of colour, where equal distances look equally far apart.
fn oklab([r, g, b]: [u8; 3]) -> [f64; 3] {
    let (r, g, b) = (linear(r), linear(g), linear(b));
    let l = (0.412_221_470_8 * r + 0.536_332_536_3 * g + 0.051_445_992_9 * b).cbrt();
    let m = (0.211_903_498_2 * r + 0.680_699_545_1 * g + 0.107_396_956_6 * b).cbrt();
    let s = (0.088_302_461_9 * r + 0.281_718_837_6 * g + 0.629_978_700_5 * b).cbrt();
    [
        0.210_454_255_3 * l + 0.793_617_785 * m - 0.004_072_046_8 * s,
        1.977_998_495_1 * l - 2.428_592_205 * m + 0.450_593_709_9 * s,
        0.025_904_037_1 * l + 0.782_771_766_2 * m - 0.808_675_766 * s,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detect(variables: &[(&str, &str)]) -> Depth {
        Depth::detect(|asked| {
            let found = variables.iter().find(|(name, _)| *name == asked);
            found.map(|&(_, value)| value.to_owned())
        })
    }

    #[test]
    fn what_terminals_say_of_themselves() {
        for (variables, depth) in [
            (&[("TERM", "xterm-256color")][..], Depth::Indexed),
            (&[("TERM", "xterm-256color"), ("COLORTERM", "truecolor")], Depth::True),
            (&[("TERM", "xterm-kitty")], Depth::True),
            (&[("TERM", "xterm-direct")], Depth::True),
            (&[("TERM", "xterm")], Depth::Sixteen),
            (&[("TERM", "linux"), ("COLORTERM", "truecolor")], Depth::Sixteen),
            (&[("TERM", "dumb"), ("COLORTERM", "truecolor")], Depth::None),
            (&[("TERM", "vt100")], Depth::None),
            (&[("TERM", "tmux-256color"), ("TMUX", "x")], Depth::Indexed),
            (
                &[("TERM", "screen-256color"), ("TMUX", "x"), ("COLORTERM", "24bit")],
                Depth::True,
            ),
            (&[("TERM", "screen"), ("COLORTERM", "truecolor")], Depth::Indexed),
            (&[("TERM", "screen")], Depth::Sixteen),
            (&[("TERM", "xterm-kitty"), ("NO_COLOR", "1")], Depth::None),
            (&[("TERM", "xterm-kitty"), ("NO_COLOR", "")], Depth::True),
            (&[("TERM", "xterm-kitty"), ("CLICOLOR", "0")], Depth::None),
            (&[("TERM", "dumb"), ("CLICOLOR_FORCE", "1")], Depth::Sixteen),
            (&[("TERM", "dumb"), ("CLICOLOR_FORCE", "0")], Depth::None),
            (
                &[("TERM", "xterm-256color"), ("CLICOLOR", "0"), ("CLICOLOR_FORCE", "1")],
                Depth::Indexed,
            ),
        ] {
            assert_eq!(detect(variables), depth, "{variables:?}");
        }
        if cfg!(not(windows)) {
            assert_eq!(detect(&[]), Depth::None);
        }
    }

    #[test]
    fn colours_become_those_that_look_alike() {
        let all = |_: [u8; 3]| 0.0;
        for (from, many, sixteen) in [
            ((0, 0, 0), Color::Indexed(16), Color::Black),
            ((255, 255, 255), Color::Indexed(231), Color::White),
            ((255, 0, 0), Color::Indexed(196), Color::LightRed),
            ((200, 5, 5), Color::Indexed(160), Color::Red),
            ((95, 135, 175), Color::Indexed(67), Color::Blue),
            ((143, 207, 138), Color::Indexed(114), Color::Green),
            ((128, 128, 128), Color::Indexed(244), Color::DarkGray),
        ] {
            let colour = Color::Rgb(from.0, from.1, from.2);
            assert_eq!(nearest(colour, &(16..256), all), many, "{from:?}");
            assert_eq!(nearest(colour, &(0..16), all), sixteen, "{from:?}");
        }
        assert_eq!(nearest(Color::Cyan, &(16..256), all), Color::Cyan);
        assert_eq!(nearest(Color::Indexed(196), &(0..16), all), Color::LightRed);
        assert_eq!(nearest(Color::Reset, &(0..16), all), Color::Reset);
    }

    #[test]
    fn what_can_be_read_can_be_read_in_fewer_colours() {
        let ornament = [
            Part::Background,
            Part::Scrollbar,
            Part::Rule,
            Part::Bar,
            Part::LineNumber,
        ];
        for name in super::super::names() {
            let full = Theme::built_in(name).unwrap();
            for depth in [Depth::Sixteen, Depth::Indexed] {
                let theme = full.at(depth);
                let ground = theme.style(Part::Background);
                for &(part, known) in PARTS.iter().filter(|(_, known)| !ornament.contains(known)) {
                    let (before, style) = (full.style(known), theme.style(known));
                    let truecolour = |colour: Option<Color>| matches!(colour, Some(Color::Rgb(..)));
                    assert!(
                        !truecolour(style.fg) && !truecolour(style.bg),
                        "{name} {depth:?} {part}"
                    );
                    assert_eq!(before.add_modifier, style.add_modifier);
                    let pair = (style.fg.or(ground.fg), style.bg.or(ground.bg));
                    if let (Some(fore), Some(back)) = (pair.0.and_then(rgb), pair.1.and_then(rgb)) {
                        let found = contrast(fore, back);
                        assert!(
                            found >= if depth == Depth::Sixteen { 2.1 } else { 4.4 },
                            "{name} {depth:?} {part}: {pair:?} has a contrast of {found:.1}"
                        );
                    }
                }
                for (a, b) in [(Part::Verified, Part::Unverified), (Part::Question, Part::Thinking)] {
                    assert_ne!(theme.style(a), theme.style(b), "{name} {depth:?}");
                }
            }
            assert_eq!(full.at(Depth::True), full);
            assert_eq!(full.at(Depth::None), full.clone().without_colour());
        }
    }
}
