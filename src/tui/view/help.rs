//! The help: the command table, printed.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::app::App;
use super::super::command::{self, Argument, Command, Group};
use super::super::keymap::Keymap;
use super::super::text::{clip, print, width};
use super::super::theme::Part;
use super::frame;

/// Widest column of keys.
const KEYS: usize = 32;
const WIDEST: u16 = 84;

/// A line of the help: a heading, or what to press and what it does.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    Title(&'static str),
    Entry(String, &'static str),
    Blank,
}

fn lines(app: &App) -> Vec<Line> {
    let mut lines = Vec::new();
    for group in Group::ALL {
        if !lines.is_empty() {
            lines.push(Line::Blank);
        }
        lines.push(Line::Title(group.title()));
        let commands = command::all().filter(|command| command.group == group && !command.hidden);
        lines.extend(commands.map(|command| Line::Entry(ways(&app.setup.keymap, command), command.help)));
    }
    lines
}

/// The line that a group begins with.
pub fn line_of(app: &App, group: Group) -> usize {
    let title = Line::Title(group.title());
    lines(app).iter().position(|line| *line == title).unwrap_or(0)
}

/// `F1, ?, /help`
fn ways(keymap: &Keymap, command: &Command) -> String {
    let mut ways: Vec<_> = keymap.keys_of(command.action).collect();
    match command.slash {
        Some((name, Argument::Optional(argument))) => ways.push(format!("/{name} {argument}")),
        Some((name, Argument::None)) => ways.push(format!("/{name}")),
        None => {}
    }
    ways.join(", ")
}

fn boxes(app: &App) -> (Rect, Rect) {
    frame::boxes(app.size, WIDEST, lines(app).len() as u16 + 2)
}

/// The furthest that the help scrolls.
pub fn last_scroll(app: &App) -> usize {
    lines(app).len().saturating_sub(usize::from(boxes(app).1.height))
}

pub fn draw(app: &App, area: Rect, buf: &mut Buffer) {
    let theme = &app.setup.theme;
    let boxes = boxes(app);
    let inner = boxes.1.intersection(area);
    let keys = if last_scroll(app) > 0 {
        "↑ ↓ scroll · Esc closes"
    } else {
        "Esc closes"
    };
    frame::draw(boxes, "help", keys, buf, theme);
    let at = app.help.unwrap_or(0).min(last_scroll(app));
    let lines = lines(app);
    let widest = lines
        .iter()
        .map(|line| {
            if let Line::Entry(keys, _) = line {
                width(keys)
            } else {
                0
            }
        })
        .max();
    let column = widest.unwrap_or(0).min(KEYS).min(usize::from(inner.width) / 3) as u16;
    for (row, line) in inner.rows().zip(&lines[at..]) {
        match line {
            Line::Blank => {}
            Line::Title(title) => {
                print(buf, row.x, row.y, row.width, title, theme.style(Part::HelpTitle));
            }
            Line::Entry(keys, help) => {
                let first = keys.split(", ").next().unwrap_or_default();
                let keys = if width(keys) > usize::from(column) { first } else { keys };
                print(
                    buf,
                    row.x,
                    row.y,
                    row.width,
                    &clip(keys, usize::from(column)),
                    theme.style(Part::HelpKey),
                );
                let x = row.x + (column + 2).min(row.width);
                let help = clip(help, usize::from(row.right() - x));
                print(buf, x, row.y, row.right() - x, &help, theme.style(Part::Help));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::app::Setup;
    use super::*;

    #[test]
    fn every_command_is_in_the_help_and_nothing_else() {
        let app = App::new(Setup::default(), ratatui::layout::Size::new(80, 24));
        let entries = lines(&app)
            .into_iter()
            .filter(|line| matches!(line, Line::Entry(..)))
            .count();
        assert_eq!(entries, command::all().filter(|command| !command.hidden).count());
        let all = format!("{:?}", lines(&app));
        assert!(
            all.contains("F1, ?, Ctrl-X ?, Space ?, /help") && all.contains("/theme NAME") && !all.contains("panic")
        );
    }
}
