//! The help: the command table, printed.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::app::App;
use super::super::command::{self, Argument, Command, Group};
use super::super::documents::keys;
use super::super::text::{clip, print, width};
use super::super::theme::Part;

/// Widest column of keys.
const KEYS: usize = 32;
const WIDEST: u16 = 84;
const IN_DOCUMENTS: &str = "In the documents";

/// A line of the help: a heading, or what to press and what it does.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    Title(&'static str),
    Entry(String, &'static str),
    Blank,
}

fn lines() -> Vec<Line> {
    let mut lines = Vec::new();
    for group in Group::ALL {
        if !lines.is_empty() {
            lines.push(Line::Blank);
        }
        lines.push(Line::Title(group.title()));
        let commands = command::all().filter(|command| command.group == group && !command.hidden);
        lines.extend(commands.map(|command| Line::Entry(ways(command), command.help)));
        if group == Group::Documents {
            lines.extend([Line::Blank, Line::Title("A change to the documents that is planned")]);
            lines.extend(keys::help(keys::ANSWERS).map(entry));
            lines.extend([Line::Blank, Line::Title(IN_DOCUMENTS)]);
            lines.extend(keys::help(keys::PANE).map(entry));
        }
    }
    lines
}

fn entry((keys, help): (String, &'static str)) -> Line {
    Line::Entry(keys, help)
}

/// Where the keys of the documents pane begin.
pub fn in_documents(app: &App) -> usize {
    let line = lines().iter().position(|line| *line == Line::Title(IN_DOCUMENTS));
    line.unwrap_or(0).min(last_scroll(app))
}

/// The line that a group begins with.
pub fn line_of(group: Group) -> usize {
    let title = Line::Title(group.title());
    lines().iter().position(|line| *line == title).unwrap_or(0)
}

/// `F1, ?, /help`
fn ways(command: &Command) -> String {
    let mut ways: Vec<_> = command.keys.iter().map(|(_, chord)| chord.to_string()).collect();
    ways.dedup();
    match command.slash {
        Some((name, Argument::Optional(argument))) => ways.push(format!("/{name} {argument}")),
        Some((name, Argument::None)) => ways.push(format!("/{name}")),
        None => {}
    }
    ways.join(", ")
}

/// The box, and the part of it that has text.
fn boxes(app: &App) -> (Rect, Rect) {
    let size = app.size;
    let wide = size.width.min(WIDEST);
    let high = size.height.min(lines().len() as u16 + 2);
    let frame = Rect {
        x: (size.width - wide) / 2,
        y: (size.height - high) / 2,
        width: wide,
        height: high,
    };
    let bordered = wide >= 20 && high >= 5;
    let inner = if bordered {
        Rect {
            x: frame.x + 2,
            y: frame.y + 1,
            width: frame.width - 4,
            height: frame.height - 2,
        }
    } else {
        frame
    };
    (frame, inner)
}

/// The furthest that the help scrolls.
pub fn last_scroll(app: &App) -> usize {
    lines().len().saturating_sub(usize::from(boxes(app).1.height))
}

pub fn draw(app: &App, area: Rect, buf: &mut Buffer) {
    let theme = &app.setup.theme;
    let (frame, inner) = boxes(app);
    let frame = frame.intersection(area);
    for position in frame.positions() {
        buf[position].reset();
    }
    buf.set_style(frame, theme.style(Part::Background));
    buf.set_style(frame, theme.style(Part::Help));
    if frame != inner {
        draw_frame(app, frame, buf);
    }
    let at = app.help.unwrap_or(0).min(last_scroll(app));
    let lines = lines();
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

fn draw_frame(app: &App, frame: Rect, buf: &mut Buffer) {
    let theme = &app.setup.theme;
    let style = theme.style(Part::Rule);
    let across = "─".repeat(usize::from(frame.width) - 2);
    let (top, bottom) = (frame.top(), frame.bottom() - 1);
    print(buf, frame.x, top, frame.width, &format!("╭{across}╮"), style);
    print(buf, frame.x, bottom, frame.width, &format!("╰{across}╯"), style);
    for y in top + 1..bottom {
        print(buf, frame.x, y, 1, "│", style);
        print(buf, frame.right() - 1, y, 1, "│", style);
    }
    print(
        buf,
        frame.x + 2,
        top,
        frame.width - 4,
        " help ",
        theme.style(Part::HelpTitle),
    );
    let more = if last_scroll(app) > 0 {
        " ↑ ↓ scroll · Esc closes "
    } else {
        " Esc closes "
    };
    let x = frame.right().saturating_sub(width(more) as u16 + 2).max(frame.x + 2);
    print(buf, x, bottom, frame.right() - 1 - x, more, style);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_in_the_help_and_nothing_else() {
        let entries = lines()
            .into_iter()
            .filter(|line| matches!(line, Line::Entry(..)))
            .count();
        let commands = command::all().filter(|command| !command.hidden).count();
        assert_eq!(entries, commands + keys::ANSWERS.len() + keys::PANE.len());
        let all = format!("{:?}", lines());
        assert!(all.contains("F1, ?, /help") && all.contains("/theme NAME") && !all.contains("panic"));
    }
}
