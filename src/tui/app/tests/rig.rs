//! The application with a clock and a screen, in words that read like what a person does and sees.

use super::super::super::documents::testing::pack;
use super::super::super::highlight::{CodeWanted, Wish};
use super::*;

/// An application with a clock and a screen.
pub struct Rig {
    pub app: App,
    pub now: Duration,
    pub decoded: usize,
    /// What was to be kept for later runs; it is no effect of which most tests want to know.
    pub remembered: Vec<String>,
    /// Whether drafts that are to be kept are among the effects; most tests do not want to know.
    pub sees_drafts: bool,
    /// How replies fare with experts beside a card.
    pub experts: CardExperts,
    /// Colours of code that were asked for.
    pub uncoloured: Vec<CodeWanted>,
}

/// From one key to the next: fast, but not faster than anyone types.
const TYPING: Duration = Duration::from_millis(20);

impl Rig {
    pub fn new(width: u16, height: u16) -> Self {
        let setup = Setup {
            model: "pico".into(),
            note: "pico: a demonstration".into(),
            paths: "docs/".into(),
            ..Setup::default()
        };
        Self {
            app: App::new(setup, Size { width, height }),
            now: Duration::ZERO,
            decoded: 0,
            remembered: Vec::new(),
            sees_drafts: false,
            experts: CardExperts::default(),
            uncoloured: Vec::new(),
        }
    }

    /// With documents that are ready to be asked about.
    pub fn ready(width: u16, height: u16) -> Self {
        let mut rig = Self::new(width, height);
        rig.documents(Vec::new());
        rig.finish(StopReason::Prefilled);
        rig
    }

    pub fn input(&mut self, input: Input) -> Vec<Effect> {
        let mut effects = self.app.handle(self.now, input);
        effects.retain(|effect| match effect {
            Effect::Remember(text) => {
                self.remembered.push(text.clone());
                false
            }
            Effect::KeepDraft(_) if !self.sees_drafts => false,
            Effect::Highlight(Wish::Code(wanted)) => {
                self.uncoloured.push(wanted.clone());
                false
            }
            _ => true,
        });
        effects
    }

    pub fn event(&mut self, event: Event) {
        assert_eq!(self.input(Input::Conversation(event)), []);
    }

    pub fn wait(&mut self, millis: u64) {
        self.now += Duration::from_millis(millis);
        self.input(Input::Tick);
    }

    pub fn press(&mut self, code: KeyCode, modifiers: KeyModifiers) -> Vec<Effect> {
        self.now += TYPING;
        self.input(Input::Key(KeyEvent::new(code, modifiers)))
    }

    pub fn key(&mut self, code: KeyCode) -> Vec<Effect> {
        self.press(code, KeyModifiers::NONE)
    }

    pub fn ctrl(&mut self, letter: char) -> Vec<Effect> {
        self.press(KeyCode::Char(letter), KeyModifiers::CONTROL)
    }

    pub fn write(&mut self, text: &str) {
        for c in text.chars() {
            let effects = self.key(KeyCode::Char(c));
            let only_looks = effects
                .iter()
                .all(|effect| matches!(effect, Effect::ListFolder(_) | Effect::NameThemes));
            assert!(only_looks, "{effects:?} from writing {text:?}");
        }
    }

    pub fn ask(&mut self, text: &str) -> Vec<Effect> {
        self.write(text);
        self.key(KeyCode::Enter)
    }

    pub fn documents(&mut self, skipped: Vec<Skipped>) {
        let note = Note {
            path: "latin.txt".into(),
            note: "not UTF-8".into(),
        };
        self.event(Event::Documents(Documents {
            files: 12,
            lines: 3402,
            tokens: 41_233,
            context_limit: 1_048_576,
            skipped,
            notes: vec![note],
            ..Documents::default()
        }));
    }

    /// Documents by path and tokens, behind 100 tokens of something else, in a context of 100,000.
    pub fn pack(&mut self, documents: &[(&str, usize)], skipped: Vec<Skipped>) {
        let mut pack = pack(documents);
        pack.skipped.clone_from(&skipped);
        self.event(Event::Documents(Documents {
            offset: 100,
            files: documents.len(),
            lines: 1,
            tokens: pack.tokens.len(),
            context_limit: 100_000,
            replay: 0,
            skipped,
            notes: Vec::new(),
            pack: pack.into(),
        }));
    }

    pub fn prefill(&mut self, done: usize, total: usize) {
        self.event(Event::Prefill(Prefill {
            done,
            total,
            cached: 0,
            rate: 1_000.0,
        }));
    }

    pub fn question(&mut self, text: &str) {
        self.event(Event::Question(Question {
            text: text.into(),
            asked_as: None,
            ..Question::default()
        }));
    }

    pub fn token(&mut self, channel: Channel, text: &str) {
        self.now += Duration::from_millis(100);
        self.decoded += 1;
        self.event(Event::Token(Token {
            index: self.decoded - 1,
            id: 7,
            text: text.into(),
            channel,
            probability: 0.95,
            entropy: 1.0,
            elapsed: Duration::from_millis(100 * self.decoded as u64),
            forced: false,
        }));
    }

    pub fn cite(&mut self, channel: Channel, line: usize, verdict: Verdict) {
        self.event(Event::Citation(Citation {
            section: None,
            channel,
            path: "src/x.rs".into(),
            line,
            quote: String::new(),
            verdict,
        }));
    }

    pub fn finish(&mut self, reason: StopReason) {
        self.event(Event::Finished(Finished {
            reason,
            prompt_tokens: 41_233,
            thinking_tokens: self.decoded,
            decode: Duration::from_secs(1),
            ..Finished::default()
        }));
        self.decoded = 0;
    }

    /// A whole reply.
    pub fn reply(&mut self, question: &str) {
        self.question(question);
        self.token(Channel::Thinking, "Let me look.\n");
        self.token(Channel::Thinking, "It is in x.rs.");
        self.token(Channel::Answer, "\n\nAt src/x.rs:12.");
        self.cite(Channel::Answer, 12, Verdict::Verified);
        self.finish(StopReason::EndOfSequence);
    }

    pub fn buffer(&mut self) -> Buffer {
        let area = Rect::from((Position::ORIGIN, self.app.size));
        let mut buf = Buffer::empty(area);
        self.app.draw(area, &mut buf);
        buf
    }

    pub fn frame(&mut self) -> Vec<String> {
        let buf = self.buffer();
        let rows = buf.area.rows();
        rows.map(|row| {
            row.positions()
                .map(|at| buf[at].symbol())
                .collect::<String>()
                .trim_end_matches([' ', '▐'])
                .to_owned()
        })
        .collect()
    }

    pub fn screen(&mut self) -> String {
        self.frame().join("\n")
    }

    pub fn shows(&mut self, text: &str) {
        let screen = self.screen();
        assert!(screen.contains(text), "no {text:?} in\n{screen}");
    }

    pub fn lacks(&mut self, text: &str) {
        let screen = self.screen();
        assert!(!screen.contains(text), "{text:?} in\n{screen}");
    }

    pub fn mouse(&mut self, kind: MouseEventKind, column: u16, row: u16) {
        let event = MouseEvent {
            kind,
            column,
            row,
            modifiers: KeyModifiers::NONE,
        };
        assert_eq!(self.input(Input::Mouse(event)), []);
    }

    /// The button, with modifiers; the mouse where it is.
    pub fn button(
        &mut self,
        kind: fn(MouseButton) -> MouseEventKind,
        modifiers: KeyModifiers,
        at: (u16, u16),
    ) -> Vec<Effect> {
        self.input(Input::Mouse(MouseEvent {
            kind: kind(MouseButton::Left),
            column: at.0,
            row: at.1,
            modifiers,
        }))
    }

    pub fn click_at(&mut self, column: u16, row: u16) -> Vec<Effect> {
        let mut effects = self.button(MouseEventKind::Down, KeyModifiers::NONE, (column, row));
        effects.extend(self.button(MouseEventKind::Up, KeyModifiers::NONE, (column, row)));
        effects
    }

    /// Clicks on the first cell of a text.
    pub fn click(&mut self, text: &str) -> Vec<Effect> {
        let frame = self.frame();
        let found = frame
            .iter()
            .enumerate()
            .find_map(|(row, line)| Some((row, line.find(text)?)));
        let (row, at) = found.unwrap_or_else(|| panic!("no {text:?} in\n{}", frame.join("\n")));
        self.click_at(frame[row][..at].chars().count() as u16, row as u16)
    }
}
