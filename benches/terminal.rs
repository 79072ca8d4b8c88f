//! What the terminal costs: `cargo bench --bench terminal`.
//!
//! The recorded session with a trace of 80,000 tokens, and a document of a million tokens, at 200x60. Frames are measured from
//! the key to the cells, while as many threads as there are cores are busy as the engine would be.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a bench that fails has failed")]

mod common;

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use common::{Documents, bytes};
use peak_alloc::PeakAlloc;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use thunderhead::conversation::{Documents as Loaded, Event};
use thunderhead::session::{Record, shipped};
use thunderhead::trace::Channel;
use thunderhead::tui::{Offscreen, Theme};

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

const SESSION: &str = "eighty-days";
const WIDTH: u16 = 200;
const HEIGHT: u16 = 60;
/// Tokens a second of the stream, and frames.
const RATE: u32 = 200;
const FRAMES: u32 = 60;

fn main() {
    let source = shipped(SESSION).unwrap();
    opening(source);
    memory(source);
    for shown in [Shown::Plain, Shown::Inspected] {
        frames(source, shown);
    }
    for shown in [Shown::Plain, Shown::Inspected, Shown::Ledger] {
        stream(source, shown);
    }
    viewer();
}

/// What is on the screen besides the conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    Plain,
    /// The inspector, and how sure the model was of each token.
    Inspected,
    /// The table of all thinking.
    Ledger,
}

impl Shown {
    fn name(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Inspected => ", inspector and heat",
            Self::Ledger => ", ledger",
        }
    }

    fn show(self, application: &mut Offscreen, now: Duration) {
        let mut press = |letter: char, modifiers: KeyModifiers| {
            application.key(now, KeyEvent::new(KeyCode::Char(letter), modifiers));
        };
        match self {
            Self::Plain => {}
            Self::Inspected => {
                press('3', KeyModifiers::ALT);
                press('2', KeyModifiers::ALT);
                press('x', KeyModifiers::CONTROL);
                press('h', KeyModifiers::NONE);
            }
            Self::Ledger => {
                press('x', KeyModifiers::CONTROL);
                press('l', KeyModifiers::NONE);
            }
        }
    }
}

fn record(source: &str) -> Record {
    Record::parse(SESSION, source.as_bytes()).unwrap()
}

fn application() -> Offscreen {
    Offscreen::new("bench", Theme::built_in("storm").unwrap(), WIDTH, HEIGHT)
}

/// An application that has been told all of a record.
fn opened(source: &str) -> (Offscreen, Duration) {
    let mut application = application();
    let mut now = Duration::ZERO;
    for (at, event) in record(source).events {
        now = at;
        application.event(now, event);
    }
    (application, now)
}

/// From the text of the record to the first frame.
fn opening(source: &str) {
    let mut times: Vec<Duration> = (0..9)
        .map(|_| {
            let began = Instant::now();
            let (mut application, _) = opened(source);
            black_box(application.draw());
            began.elapsed()
        })
        .collect();
    times.sort_unstable();
    println!(
        "opening the session                    {:7.1} ms (median of 9)",
        millis(times[4])
    );
    let mut parsing: Vec<Duration> = (0..9)
        .map(|_| {
            let began = Instant::now();
            black_box(record(source));
            began.elapsed()
        })
        .collect();
    parsing.sort_unstable();
    println!("  of which reading the record          {:7.1} ms", millis(parsing[4]));
}

fn memory(source: &str) {
    let text: usize = record(source)
        .events
        .iter()
        .map(|(_, event)| match event {
            Event::Token(token) => token.text.len(),
            _ => 0,
        })
        .sum();
    let before = ALLOCATOR.current_usage();
    let (mut application, now) = opened(source);
    unfold(&mut application, now);
    black_box(application.draw());
    let used = ALLOCATOR.current_usage() - before;
    println!(
        "memory beyond the text                 {:7.1} MB (text {:.1} MB)",
        (used - text.min(used)) as f64 / 1e6,
        text as f64 / 1e6
    );
}

fn press(application: &mut Offscreen, now: Duration, code: KeyCode) {
    application.key(now, KeyEvent::new(code, KeyModifiers::NONE));
}

/// Reads, with all thinking unfolded.
fn unfold(application: &mut Offscreen, now: Duration) {
    press(application, now, KeyCode::Esc);
    for key in ['g', 'g', '}'] {
        press(application, now, KeyCode::Char(key));
    }
}

/// Runs `work` while all cores are busy.
fn busily<T>(work: impl FnOnce() -> T) -> T {
    let over = Arc::new(AtomicBool::new(false));
    let cores = thread::available_parallelism().map_or(2, usize::from);
    let busy: Vec<_> = (0..cores)
        .map(|core| {
            let over = Arc::clone(&over);
            thread::spawn(move || {
                let mut x = 1.0 + core as f64;
                while !over.load(Ordering::Relaxed) {
                    for _ in 0..10_000 {
                        x = black_box(x * 1.000_001 + 0.1);
                    }
                }
            })
        })
        .collect();
    let result = work();
    over.store(true, Ordering::Relaxed);
    for thread in busy {
        thread.join().unwrap();
    }
    result
}

/// Nobody presses keys without a pause; and a thread that has rested is let run at once by the system, as the terminal's is.
fn rest() -> Duration {
    let pause = Duration::from_millis(10);
    thread::sleep(pause);
    pause
}

/// Keys that move through the whole trace, each with the frame that it leads to.
fn frames(source: &str, shown: Shown) {
    let (mut application, mut now) = opened(source);
    shown.show(&mut application, now);
    unfold(&mut application, now);
    let mut times = busily(|| {
        let mut times = Vec::new();
        let ways = [
            KeyCode::PageDown,
            KeyCode::Char('}'),
            KeyCode::Char('j'),
            KeyCode::Char('{'),
            KeyCode::PageUp,
        ];
        for way in ways {
            if way == KeyCode::PageDown {
                press(&mut application, now, KeyCode::Home);
            }
            for _ in 0..300 {
                now += rest();
                let began = Instant::now();
                press(&mut application, now, way);
                black_box(application.draw());
                times.push(began.elapsed());
            }
        }
        times
    });
    report(&format!("key to frame, trace{}", shown.name()), &mut times);
}

/// A reply that streams at [`RATE`], drawn [`FRAMES`] times a second, at the end of the trace of 80,000 tokens.
fn stream(source: &str, shown: Shown) {
    const SECONDS: u32 = 10;
    let events = record(source).events;
    let thinking = |event: &Event| matches!(event, Event::Token(token) if token.channel == Channel::Thinking);
    let last = events.iter().position(|(_, event)| thinking(event)).unwrap() + 78_000;
    let mut application = application();
    for (at, event) in &events[..last] {
        application.event(*at, event.clone());
    }
    shown.show(&mut application, events[last].0);
    let mut stream = events[last..].iter();
    let (began, mut tokens) = (Instant::now(), 0);
    for frame in 1..=SECONDS * FRAMES {
        while tokens < frame * RATE / FRAMES {
            let (at, event) = stream.next().unwrap();
            application.event(*at, event.clone());
            tokens += 1;
        }
        black_box(application.draw());
    }
    let share = began.elapsed().as_secs_f64() / f64::from(SECONDS);
    println!(
        "{:<38} {:7.2} % of a core, {FRAMES} frames/s drawn",
        format!("streaming {RATE} tok/s{}", shown.name()),
        share * 100.0
    );
}

/// Pages through the largest document of a million tokens.
fn viewer() {
    let documents = Documents::whole();
    let pack = Arc::new(documents.load(false));
    let (mut application, mut now) = (application(), Duration::ZERO);
    application.event(
        now,
        Event::Documents(Loaded {
            files: pack.documents.len(),
            tokens: pack.tokens.len(),
            pack: Arc::clone(&pack),
            ..Loaded::default()
        }),
    );
    let path = pack.documents[0].path.clone();
    application.paste(now, &format!("/open {path}"));
    press(&mut application, now, KeyCode::Enter);
    let mut times = busily(|| {
        let mut times = Vec::new();
        for (way, keys) in [("f", 300), ("G", 1), ("b", 300), ("500000G", 7), ("j", 300), ("w", 20)] {
            for key in way.chars().cycle().take(keys) {
                now += rest();
                let modifiers = if way.len() == 1 && "fb".contains(key) {
                    KeyModifiers::CONTROL
                } else {
                    KeyModifiers::NONE
                };
                let began = Instant::now();
                application.key(now, KeyEvent::new(KeyCode::Char(key), modifiers));
                black_box(application.draw());
                times.push(began.elapsed());
            }
        }
        times
    });
    report("key to frame, viewer", &mut times);
    println!(
        "  one document of {:.1} MB, {} tokens",
        bytes(&pack) as f64 / 1e6,
        pack.tokens.len()
    );
}

fn report(what: &str, times: &mut [Duration]) {
    times.sort_unstable();
    let at = |share: f64| millis(times[((times.len() - 1) as f64 * share) as usize]);
    println!(
        "{what:<38} {:7.2} ms median, {:.2} ms p99, {:.2} ms at most ({} frames)",
        at(0.5),
        at(0.99),
        at(1.0),
        times.len()
    );
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
