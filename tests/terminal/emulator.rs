//! The program under a pseudo-terminal, and the terminal's screen as a person would see it.
//!
//! A thread feeds the output to an emulator and notifies; tests wait for what they expect to see, with a deadline, and
//! never for a length of time.

use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, PtyPair, PtySize, native_pty_system};

const DEADLINE: Duration = Duration::from_mins(1);
/// Prints on the normal screen before the program takes it over, to see that it comes back.
const BEFORE: &str = "what was here before";

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    terminal: vt100::Parser,
    /// Everything the program wrote.
    raw: Vec<u8>,
    closed: bool,
    link: Link,
}

/// How the output comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    AtOnce,
    /// As over a line of so many bytes a second, from 100 on.
    Rate(usize),
}

pub struct Session {
    pair: PtyPair,
    child: Box<dyn Child + Send + Sync>,
    writer: Mutex<Box<dyn Write + Send>>,
    shared: Arc<Shared>,
    #[cfg(unix)]
    settings: Option<String>,
}

fn size(columns: u16, rows: u16) -> PtySize {
    PtySize {
        rows,
        cols: columns,
        pixel_width: 0,
        pixel_height: 0,
    }
}

fn cells(n: u16) -> NonZeroU16 {
    NonZeroU16::new(n).expect("a size above 0")
}

impl Session {
    pub fn start(documents: &Path, variables: &[(&str, &str)], columns: u16, rows: u16) -> Self {
        Self::start_with(documents, &[], variables, columns, rows)
    }

    pub fn start_with(
        documents: &Path,
        arguments: &[&str],
        variables: &[(&str, &str)],
        columns: u16,
        rows: u16,
    ) -> Self {
        Self::run(documents, &[arguments, &["."]].concat(), variables, columns, rows)
    }

    /// The program with these arguments and no others.
    pub fn run(directory: &Path, arguments: &[&str], variables: &[(&str, &str)], columns: u16, rows: u16) -> Self {
        let pair = native_pty_system()
            .openpty(size(columns, rows))
            .expect("a pseudo-terminal");
        let mut terminal = vt100::Parser::new(cells(rows), cells(columns), 0);
        terminal.process(BEFORE.as_bytes());
        terminal.process(b"\r\n");
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                terminal,
                raw: Vec::new(),
                closed: false,
                link: Link::AtOnce,
            }),
            changed: Condvar::new(),
        });
        let reader = pair.master.try_clone_reader().expect("a reader");
        thread::spawn({
            let shared = Arc::clone(&shared);
            move || shared.feed(reader)
        });
        #[cfg(unix)]
        let settings = settings(&pair);

        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_thunderhead"));
        command.env("THUNDERHEAD_SESSIONS_KEEP", "false");
        command.cwd(directory);
        command.args(arguments);
        command.env("TERM", "xterm-256color");
        command.env("THUNDERHEAD_CACHE", "");
        command.env("THUNDERHEAD_HISTORY", "");
        command.env("THUNDERHEAD_CONFIG", "");
        for variable in ["NO_COLOR", "CLICOLOR_FORCE", "THUNDERHEAD_DEBUG", "RUST_BACKTRACE"] {
            command.env_remove(variable);
        }
        for (name, value) in variables {
            command.env(name, value);
        }
        let child = pair.slave.spawn_command(command).expect("the program");
        let writer = Mutex::new(pair.master.take_writer().expect("a writer"));
        Self {
            pair,
            child,
            writer,
            shared,
            #[cfg(unix)]
            settings,
        }
    }

    /// Types.
    pub fn send(&self, text: &str) {
        let mut writer = self.writer.lock().expect("no panic while typing");
        writer.write_all(text.as_bytes()).expect("the terminal takes input");
        writer.flush().expect("the terminal takes input");
    }

    pub fn screen(&self) -> String {
        contents(&self.shared.lock())
    }

    /// Whether the program has written these bytes in a row.
    pub fn has_written(&self, bytes: &[u8]) -> bool {
        self.shared.lock().raw.windows(bytes.len()).any(|w| w == bytes)
    }

    /// How much the program has written, as far as it has come through.
    pub fn written(&self) -> usize {
        self.shared.lock().raw.len()
    }

    pub fn set_link(&self, link: Link) {
        self.shared.lock().link = link;
    }

    /// Row and column, from 0.
    pub fn cursor(&self) -> (u16, u16) {
        self.shared.lock().terminal.screen().cursor_position()
    }

    /// Whether the first cells that show this text are bold.
    pub fn is_bold(&self, text: &str) -> bool {
        let state = self.shared.lock();
        let screen = state.terminal.screen();
        let (rows, columns) = screen.size();
        (0..rows.get()).any(|row| {
            let line: Vec<_> = (0..columns.get())
                .filter_map(|column| screen.cell(row, column))
                .collect();
            let shown: String = line
                .iter()
                .map(|cell| if cell.has_contents() { cell.contents() } else { " " })
                .collect();
            let at = shown.find(text).map(|at| shown[..at].chars().count());
            at.and_then(|at| line.get(at)).is_some_and(|cell| cell.bold())
        })
    }

    /// Whether the keyword that a line of code begins with has a colour.
    pub fn has_colour_of_code(state: &vt100::Screen) -> bool {
        (0..state.size().0.get()).any(|row| {
            let first: String = (6..9)
                .filter_map(|column| Some(state.cell(row, column)?.contents()))
                .collect();
            first == "pub"
                && state
                    .cell(row, 6)
                    .is_some_and(|cell| cell.fgcolor() != vt100::Color::Default)
        })
    }

    /// Waits until the screen is so.
    pub fn wait_until(&self, what: &str, expected: impl Fn(&vt100::Screen) -> bool) {
        self.shared.wait(what, |state| expected(state.terminal.screen()));
    }

    pub fn has_colour(&self) -> bool {
        let state = self.shared.lock();
        let screen = state.terminal.screen();
        let (rows, columns) = screen.size();
        (0..rows.get())
            .flat_map(|row| (0..columns.get()).map(move |column| (row, column)))
            .filter_map(|(row, column)| screen.cell(row, column))
            .any(|cell| cell.fgcolor() != vt100::Color::Default || cell.bgcolor() != vt100::Color::Default)
    }

    /// Waits until the screen is as expected.
    pub fn wait_for(&self, what: &str, expected: impl Fn(&str) -> bool) {
        self.shared.wait(what, |state| expected(&contents(state)));
    }

    pub fn resize(&self, columns: u16, rows: u16) {
        self.shared.lock().terminal.set_size(cells(rows), cells(columns));
        self.pair.master.resize(size(columns, rows)).expect("a new size");
    }

    #[cfg(unix)]
    pub fn signal(&self, name: &str) {
        let id = self.child.process_id().expect("a running program").to_string();
        let sent = std::process::Command::new("kill")
            .args(["-s", name, &id])
            .status()
            .expect("kill");
        assert!(sent.success());
    }

    /// Kills the program as no program can prevent.
    pub fn kill(&mut self) {
        self.signal("KILL");
        self.child.wait().expect("a child");
    }

    /// Waits for the end of the program and returns its exit code.
    pub fn wait(&mut self) -> u32 {
        let deadline = Instant::now() + DEADLINE;
        // The reader has no end of file to see while this process holds the other end, so that the settings can be
        // looked at; the program's own end is asked for instead.
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                assert!(
                    status.signal().is_none(),
                    "killed by {:?}\n{}",
                    status.signal(),
                    self.screen()
                );
                return status.exit_code();
            }
            assert!(Instant::now() < deadline, "the program does not end\n{}", self.screen());
            let state = self.shared.lock();
            drop(self.shared.changed.wait_timeout(state, Duration::from_millis(10)));
        }
    }

    /// Checks that the terminal is as it was: screen, cursor, modes, settings.
    pub fn assert_given_back(&self) {
        self.shared.wait("the normal screen", |state| {
            let screen = state.terminal.screen();
            !screen.alternate_screen()
                && !screen.hide_cursor()
                && !screen.bracketed_paste()
                && screen.mouse_protocol_mode() == vt100::MouseProtocolMode::None
                && contents(state).starts_with(BEFORE)
        });
        #[cfg(unix)]
        assert_eq!(settings(&self.pair), self.settings, "raw mode is off");
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic while the screen changes")
    }

    fn feed(&self, mut reader: impl Read) {
        let mut bytes = [0; 4096];
        loop {
            let link = self.lock().link;
            let room = match link {
                Link::AtOnce => bytes.len(),
                Link::Rate(rate) => {
                    // The line's rate; nothing is waited for here.
                    thread::sleep(Duration::from_millis(10));
                    (rate / 100).clamp(1, bytes.len())
                }
            };
            let read = reader.read(&mut bytes[..room]).unwrap_or(0);
            let mut state = self.lock();
            state.terminal.process(&bytes[..read]);
            state.raw.extend_from_slice(&bytes[..read]);
            state.closed = read == 0;
            self.changed.notify_all();
            if read == 0 {
                return;
            }
        }
    }

    fn wait(&self, what: &str, expected: impl Fn(&State) -> bool) {
        let state = self.lock();
        let (state, _) = self
            .changed
            .wait_timeout_while(state, DEADLINE, |state| !expected(state) && !state.closed)
            .expect("no panic while the screen changes");
        let screen = contents(&state);
        let met = expected(&state);
        drop(state);
        assert!(met, "not seen: {what}\n{screen}");
    }
}

/// The screen, without blanks at the ends of lines.
fn contents(state: &State) -> String {
    let contents = state.terminal.screen().contents();
    let lines: Vec<_> = contents.lines().map(|line| line.trim_end_matches([' ', '▐'])).collect();
    lines.join("\n")
}

/// The line settings of the terminal, as text to compare.
#[cfg(unix)]
fn settings(pair: &PtyPair) -> Option<String> {
    pair.master.get_termios().map(|settings| {
        format!(
            "{:?} {:?} {:?}",
            settings.input_flags, settings.output_flags, settings.local_flags
        )
    })
}
