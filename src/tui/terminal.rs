//! The terminal: taken over in one place, given back in one place, whatever happens.
//!
//! * A frame is one write between the marks of a synchronised update: drawing goes to a buffer that is written at its
//!   end. A panic in the middle of a frame therefore leaves no half of it on the screen.
//! * What is taken is given back exactly once: on [`Screen::leave`], on drop, or by the panic hook before it prints,
//!   whichever is first. Leaving the alternate screen twice would move the cursor over what was printed since.
//! * A panic on another thread leaves the screen alone, and is reported as a message.

use std::io::{self, Write};
use std::panic::{self, PanicHookInfo};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use ratatui::backend::{Backend, CrosstermBackend};
use ratatui::buffer::{Buffer, CellWidth};
use ratatui::crossterm::cursor::{Hide, MoveTo, SetCursorStyle, Show};
use ratatui::crossterm::event::{
    DisableBracketedPaste, DisableFocusChange, DisableMouseCapture, EnableBracketedPaste, EnableFocusChange,
};
use ratatui::crossterm::style::{Attribute, SetAttribute};
use ratatui::crossterm::terminal::{
    self, BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen,
};
use ratatui::crossterm::{execute, queue};
use ratatui::layout::{Position, Rect, Size};

use super::notify;

/// Buttons, the wheel, and motion while a button is held, in the encoding without a limit on columns; no other motion,
/// which would wake us at every move.
const CAPTURE_MOUSE: &[u8] = b"\x1b[?1000h\x1b[?1002h\x1b[?1006h";

/// What the cursor looks like.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CursorShape {
    /// As the person has set it.
    #[default]
    Usual,
    Block,
    Bar,
}

/// The title is kept on a stack of the terminal's; one that has none keeps ours.
const KEEP_TITLE: &[u8] = b"\x1b[22;2t";
const RESTORE_TITLE: &[u8] = b"\x1b[23;2t";

/// Whether the terminal is ours; shared with the panic hook.
#[derive(Debug, Clone)]
struct Taken {
    ours: Arc<AtomicBool>,
    /// The cursor does not look as usual.
    shaped: Arc<AtomicBool>,
    raw: bool,
    titled: bool,
}

impl Taken {
    fn give_back(&self, out: &mut impl Write) -> io::Result<()> {
        if !self.ours.swap(false, Ordering::SeqCst) {
            return Ok(());
        }
        if self.shaped.swap(false, Ordering::SeqCst) {
            execute!(out, SetCursorStyle::DefaultUserShape)?;
        }
        if self.titled {
            out.write_all(RESTORE_TITLE)?;
        }
        let restored = execute!(
            out,
            EndSynchronizedUpdate,
            SetAttribute(Attribute::Reset),
            DisableMouseCapture,
            DisableFocusChange,
            DisableBracketedPaste,
            LeaveAlternateScreen,
            Show
        );
        if self.raw {
            terminal::disable_raw_mode().and(restored)
        } else {
            restored
        }
    }
}

/// The screen while it is ours.
pub struct Screen<W: Write> {
    out: W,
    /// What the next write will be.
    pending: Vec<u8>,
    taken: Taken,
    shown: Buffer,
    next: Buffer,
    cursor: Option<Position>,
    shape: CursorShape,
    mouse: bool,
    /// Whether the title of the terminal is ours, and what it was set to.
    titled: bool,
    title: String,
    /// What the terminal shows is not known.
    anew: bool,
}

impl Screen<io::Stdout> {
    /// Takes over the process's terminal, with its mouse and its title or without.
    pub fn take(mouse: bool, titled: bool) -> io::Result<Self> {
        let (width, height) = terminal::size()?;
        terminal::enable_raw_mode()?;
        Self::new(io::stdout(), true, mouse, titled, Size { width, height })
    }
}

impl<W: Write> Screen<W> {
    fn new(out: W, raw: bool, mouse: bool, titled: bool, size: Size) -> io::Result<Self> {
        let area = Rect::from((Position::ORIGIN, size));
        let mut screen = Self {
            out,
            pending: Vec::new(),
            taken: Taken {
                ours: Arc::new(AtomicBool::new(true)),
                shaped: Arc::new(AtomicBool::new(false)),
                raw,
                titled,
            },
            shown: Buffer::empty(area),
            next: Buffer::empty(area),
            cursor: None,
            shape: CursorShape::Usual,
            mouse,
            titled,
            title: String::new(),
            anew: true,
        };
        screen.enter()?;
        Ok(screen)
    }

    fn enter(&mut self) -> io::Result<()> {
        queue!(
            self.pending,
            EnterAlternateScreen,
            EnableBracketedPaste,
            EnableFocusChange,
            Hide
        )?;
        if self.titled {
            self.pending.extend_from_slice(KEEP_TITLE);
        }
        self.title.clear();
        self.cursor = None;
        self.shape = CursorShape::Usual;
        self.anew = true;
        self.capture_mouse(self.mouse)
    }

    pub fn size(&self) -> Size {
        self.next.area.as_size()
    }

    pub fn resize(&mut self, size: Size) {
        let area = Rect::from((Position::ORIGIN, size));
        self.shown = Buffer::empty(area);
        self.next = Buffer::empty(area);
        self.anew = true;
    }

    /// The next frame is drawn whole, whatever is on the screen now.
    pub fn redraw(&mut self) {
        self.anew = true;
    }

    pub fn capture_mouse(&mut self, capture: bool) -> io::Result<()> {
        self.mouse = capture;
        if capture {
            self.pending.extend_from_slice(CAPTURE_MOUSE);
        } else {
            queue!(self.pending, DisableMouseCapture)?;
        }
        self.commit()
    }

    /// With the next frame the terminal is called so.
    pub fn set_title(&mut self, title: &str) {
        if self.titled && title != self.title {
            self.pending.extend_from_slice(&notify::title(title));
            title.clone_into(&mut self.title);
        }
    }

    /// Says something to the terminal that is not drawn.
    pub fn send(&mut self, sequence: &[u8]) -> io::Result<()> {
        self.pending.extend_from_slice(sequence);
        self.commit()
    }

    /// What the cursor looks like from the next frame on.
    pub fn shape_cursor(&mut self, shape: CursorShape) -> io::Result<()> {
        if shape == self.shape {
            return Ok(());
        }
        self.shape = shape;
        self.taken.shaped.store(true, Ordering::SeqCst);
        let style = match shape {
            CursorShape::Usual => SetCursorStyle::DefaultUserShape,
            CursorShape::Block => SetCursorStyle::SteadyBlock,
            CursorShape::Bar => SetCursorStyle::SteadyBar,
        };
        queue!(self.pending, style)
    }

    fn commit(&mut self) -> io::Result<()> {
        self.out.write_all(&self.pending)?;
        self.pending.clear();
        self.out.flush()
    }

    /// Draws a frame; `draw` returns where the cursor is to be, or that it is to be hidden.
    pub fn draw(&mut self, draw: impl FnOnce(Rect, &mut Buffer) -> Option<Position>) -> io::Result<()> {
        self.next.reset();
        let cursor = draw(self.next.area, &mut self.next);
        queue!(self.pending, BeginSynchronizedUpdate)?;
        if self.anew {
            queue!(self.pending, SetAttribute(Attribute::Reset), Clear(ClearType::All))?;
            self.shown.reset();
        }
        self.forget_halves();
        CrosstermBackend::new(&mut self.pending).draw(self.shown.diff_iter(&self.next))?;
        match cursor {
            Some(Position { x, y }) => queue!(self.pending, MoveTo(x, y))?,
            None if self.cursor.is_some() => queue!(self.pending, Hide)?,
            None => {}
        }
        if cursor.is_some() && self.cursor.is_none() {
            queue!(self.pending, Show)?;
        }
        queue!(self.pending, EndSynchronizedUpdate)?;
        self.cursor = cursor;
        self.anew = false;
        std::mem::swap(&mut self.shown, &mut self.next);
        self.commit()
    }

    /// Where a wide character is overwritten, what a terminal puts into the half that is left over is its own affair: some use the
    /// style of what is written. Such a cell is taken for unknown, so that it is written in any case.
    fn forget_halves(&mut self) {
        const UNKNOWN: &str = "\u{fdd0}"; // no character, and in no text
        for index in 1..self.shown.content.len() {
            let wide = &self.shown.content[index - 1];
            let is_wide = wide.symbol().len() > 1 && wide.cell_width() > 1;
            if is_wide && *wide != self.next.content[index - 1] {
                self.shown.content[index].set_symbol(UNKNOWN);
            }
        }
    }

    /// Takes the terminal again after it was given back, or after a shell had it. Its size may have changed.
    pub fn take_again(&mut self) -> io::Result<()> {
        self.leave()?;
        if self.taken.raw {
            let (width, height) = terminal::size()?;
            self.resize(Size { width, height });
            terminal::enable_raw_mode()?;
        }
        self.taken.ours.store(true, Ordering::SeqCst);
        self.enter()
    }

    /// Gives the terminal back.
    pub fn leave(&mut self) -> io::Result<()> {
        self.pending.clear();
        self.taken.give_back(&mut self.out)
    }

    /// Until the guard is dropped, a panic on this thread gives the terminal back before it is printed, and one on
    /// another thread is passed to `elsewhere` instead of being printed over the screen.
    pub fn guard_panics(&self, elsewhere: impl Fn(String) + Send + Sync + 'static) -> PanicGuard {
        let taken = self.taken.clone();
        let here = thread::current().id();
        let before: Arc<Hook> = Arc::from(panic::take_hook());
        let inner = Arc::clone(&before);
        panic::set_hook(Box::new(move |info| {
            let ours = taken.ours.load(Ordering::SeqCst);
            if ours && thread::current().id() != here {
                elsewhere(describe(info));
                return;
            }
            let _ = taken.give_back(&mut io::stdout());
            inner(info);
        }));
        PanicGuard(Some(before))
    }
}

impl<W: Write> Drop for Screen<W> {
    fn drop(&mut self) {
        let _ = self.leave();
    }
}

type Hook = dyn Fn(&PanicHookInfo<'_>) + Send + Sync;

/// Puts the panic hook back that was there before.
pub struct PanicGuard(Option<Arc<Hook>>);

impl Drop for PanicGuard {
    fn drop(&mut self) {
        // The hook cannot be changed by a thread that panics; then the process is about to end.
        if let Some(before) = self.0.take().filter(|_| !thread::panicking()) {
            panic::set_hook(Box::new(move |info| before(info)));
        }
    }
}

fn describe(info: &PanicHookInfo<'_>) -> String {
    let message = info.payload_as_str().unwrap_or("an unknown panic");
    match info.location() {
        Some(location) => format!("{message} ({location})"),
        None => message.to_owned(),
    }
}

#[cfg(test)]
mod emulated;
#[cfg(test)]
mod tests;
