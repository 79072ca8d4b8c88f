//! The list of commands: what was written to find one, and below it the commands that are like it.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use super::super::app::App;
use super::super::command::{Argument, Command};
use super::super::palette::Palette;
use super::super::text::{clip, print, width};
use super::super::theme::Part;
use super::frame;

const WIDEST: u16 = 84;
const HIGHEST: u16 = 20;
/// Columns of the names.
const NAMES: usize = 18;
/// From this width on there are keys.
const KEYS_FROM: u16 = 50;

pub fn draw(app: &App, palette: &Palette, area: Rect, buf: &mut Buffer) -> Option<Position> {
    let theme = &app.setup.theme;
    let boxes = frame::boxes(area.as_size(), WIDEST, HIGHEST);
    frame::draw(boxes, "commands", "↑ ↓ choose · Enter does it · Esc closes", buf, theme);
    let mut rows = boxes.1.rows();
    let prompt = rows.next()?;
    let x = print(buf, prompt.x, prompt.y, prompt.width, "❯ ", theme.style(Part::Prompt));
    let room = prompt.right().saturating_sub(x);
    // The end of what is written shows where there is no room for all.
    let written = palette.written();
    let hidden = (width(written) + 1).saturating_sub(usize::from(room));
    let shown = written
        .char_indices()
        .map(|(at, _)| &written[at..])
        .find(|rest| width(written) - width(rest) >= hidden)
        .unwrap_or_default();
    let end = print(buf, x, prompt.y, room, shown, theme.style(Part::Composer));
    let high = usize::from(boxes.1.height).saturating_sub(1).max(1);
    let first = (palette.chosen + 1).saturating_sub(high);
    for (row, index) in rows.zip(first..palette.found.len()) {
        let command = palette.found[index].command;
        draw_command(app, command, row, buf);
        if index == palette.chosen {
            buf.set_style(row, theme.style(Part::Cursor));
        }
    }
    Some(Position::new(end.min(prompt.right().saturating_sub(1)), prompt.y))
}

fn draw_command(app: &App, command: &Command, row: Rect, buf: &mut Buffer) {
    let theme = &app.setup.theme;
    let names = NAMES.min(usize::from(row.width) / 2);
    let name = match command.slash {
        Some((name, Argument::None)) => format!("/{name}"),
        Some((name, Argument::Optional(_))) => format!("/{name} …"),
        None => command.name.to_owned(),
    };
    print(
        buf,
        row.x,
        row.y,
        names as u16,
        &clip(&name, names),
        theme.style(Part::HelpKey),
    );
    let mut right = row.right();
    if row.width >= KEYS_FROM
        && let Some(keys) = app.setup.keymap.keys_of(command.action).next()
    {
        right -= width(&keys) as u16 + 1;
        print(buf, right + 1, row.y, row.width, &keys, theme.style(Part::Detail));
    }
    let x = row.x + names as u16 + 1;
    let room = right.saturating_sub(x);
    print(
        buf,
        x,
        row.y,
        room,
        &clip(command.help, usize::from(room)),
        theme.style(Part::Help),
    );
}
