//! The help: the command table, printed in two columns, each of them wrapped.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::app::App;
use super::super::command::{self, Argument, Command, Group};
use super::super::keymap::Keymap;
use super::super::text::{print, width};
use super::super::theme::Part;
use super::super::wrap::Rows;
use super::frame;

/// Widest column of keys.
const KEYS: usize = 32;
const WIDEST: u16 = 84;
/// Columns between the keys and what they do.
const APART: usize = 2;

/// A line of the help: a heading, or what to press and what it does.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    Title(&'static str),
    Entry(Vec<String>, &'static str),
    Blank,
}

/// A row of the screen: a heading, or a part of an entry.
#[derive(Debug, PartialEq, Eq)]
enum Row {
    Title(&'static str),
    Entry(String, String),
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

/// `F1`, `?`, `/help`
fn ways(keymap: &Keymap, command: &Command) -> Vec<String> {
    let mut ways: Vec<_> = keymap.keys_of(command.action).collect();
    match command.slash {
        Some((name, Argument::Optional(argument))) => ways.push(format!("/{name} {argument}")),
        Some((name, Argument::None)) => ways.push(format!("/{name}")),
        None => {}
    }
    ways
}

/// Columns of the keys in a help so wide.
fn keys_column(lines: &[Line], wide: usize) -> usize {
    let widest = lines.iter().map(|line| match line {
        Line::Entry(keys, _) => width(&keys.join(", ")),
        _ => 0,
    });
    widest.max().unwrap_or(0).min(KEYS).min(wide / 3)
}

/// The help in rows of this width.
fn rows(app: &App, wide: usize) -> Vec<Row> {
    let lines = lines(app);
    let column = keys_column(&lines, wide);
    let room = wide.saturating_sub(column + APART).max(1);
    let mut rows = Vec::new();
    for line in lines {
        match line {
            Line::Blank => rows.push(Row::Blank),
            Line::Title(title) => rows.push(Row::Title(title)),
            Line::Entry(keys, help) => {
                let (keys, help) = (wrapped_keys(&keys, column.max(1)), wrapped(help, room));
                let high = keys.len().max(help.len());
                let part = |parts: &[String], row: usize| parts.get(row).cloned().unwrap_or_default();
                rows.extend((0..high).map(|row| Row::Entry(part(&keys, row), part(&help, row))));
            }
        }
    }
    rows
}

fn wrapped(text: &str, wide: usize) -> Vec<String> {
    let rows = Rows::of(text, wide);
    (0..rows.count())
        .map(|row| text[rows.range(row)].trim_end().to_owned())
        .collect()
}

/// Keys side by side as far as there is room; one that is wider than a row is broken.
fn wrapped_keys(keys: &[String], wide: usize) -> Vec<String> {
    let mut rows: Vec<String> = Vec::new();
    for (index, key) in keys.iter().enumerate() {
        let comma = if index + 1 < keys.len() { "," } else { "" };
        let key = format!("{key}{comma}");
        match rows.last_mut() {
            Some(row) if width(row) + 1 + width(&key) <= wide => {
                row.push(' ');
                row.push_str(&key);
            }
            _ => rows.extend(wrapped(&key, wide)),
        }
    }
    rows
}

/// The row that a group begins with.
pub fn row_of(app: &App, group: Group) -> usize {
    let title = Row::Title(group.title());
    rows(app, inner_width(app))
        .iter()
        .position(|row| *row == title)
        .unwrap_or(0)
}

fn inner_width(app: &App) -> usize {
    usize::from(frame::boxes(app.size, WIDEST, u16::MAX).1.width)
}

fn boxes(app: &App, rows: usize) -> (Rect, Rect) {
    frame::boxes(app.size, WIDEST, u16::try_from(rows + 2).unwrap_or(u16::MAX))
}

/// The furthest that the help scrolls.
pub fn last_scroll(app: &App) -> usize {
    let rows = rows(app, inner_width(app)).len();
    rows.saturating_sub(usize::from(boxes(app, rows).1.height))
}

pub fn draw(app: &App, area: Rect, buf: &mut Buffer) {
    let theme = &app.setup.theme;
    let rows = rows(app, inner_width(app));
    let boxes = boxes(app, rows.len());
    let last = rows.len().saturating_sub(usize::from(boxes.1.height));
    let inner = boxes.1.intersection(area);
    let keys = if last > 0 {
        "↑ ↓ scroll · Esc closes"
    } else {
        "Esc closes"
    };
    frame::draw(boxes, "help", keys, buf, theme);
    let at = app.help.unwrap_or(0).min(last);
    let column = keys_column(&lines(app), inner_width(app)) as u16;
    for (line, row) in inner.rows().zip(&rows[at..]) {
        match row {
            Row::Blank => {}
            Row::Title(title) => {
                print(buf, line.x, line.y, line.width, title, theme.style(Part::HelpTitle));
            }
            Row::Entry(keys, help) => {
                print(
                    buf,
                    line.x,
                    line.y,
                    line.width.min(column),
                    keys,
                    theme.style(Part::HelpKey),
                );
                let x = line.x + (column + APART as u16).min(line.width);
                print(buf, x, line.y, line.right() - x, help, theme.style(Part::Help));
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
        assert!(all.contains(r#"["F1", "?", "Ctrl-X ?", "Space ?", "/help"]"#), "{all}");
        assert!(all.contains("/theme NAME") && !all.contains("panic"));
    }

    #[test]
    fn all_of_it_is_there_at_any_width() {
        let app = App::new(Setup::default(), ratatui::layout::Size::new(40, 12));
        for wide in [1, 5, 20, 38, 80] {
            let told = |column: fn(&Row) -> &str| -> String {
                let rows = rows(&app, wide);
                let text: String = rows.iter().map(column).collect();
                text.replace([' ', ','], "")
            };
            let all = |column: fn(Line) -> String| -> String {
                let text: String = lines(&app).into_iter().map(column).collect();
                text.replace([' ', ','], "")
            };
            let help = told(|row| if let Row::Entry(_, help) = row { help } else { "" });
            let keys = told(|row| if let Row::Entry(keys, _) = row { keys } else { "" });
            assert_eq!(
                help,
                all(|line| if let Line::Entry(_, help) = line {
                    help.to_owned()
                } else {
                    String::new()
                }),
                "{wide}"
            );
            assert_eq!(
                keys,
                all(|line| if let Line::Entry(keys, _) = line {
                    keys.concat()
                } else {
                    String::new()
                }),
                "{wide}"
            );
        }
    }
}
