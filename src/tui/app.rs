//! The application as a pure state machine: inputs in, effects out, no io and no clock.
//!
//! Everything that happens outside comes in as an [`Input`] with the time at which it did; everything that shall happen
//! outside goes out as an [`Effect`], which the driver carries out. Tests therefore drive the whole application without
//! a terminal, an engine or a wait.

mod attention;
mod comparing;
mod completion;
mod composing;
mod conversation;
mod copying;
mod documents;
mod editing;
mod exporting;
mod focus;
mod inspecting;
mod keys;
mod ledger;
mod mouse;
mod palette;
mod panes;
mod picking;
pub(super) mod plans;
pub(super) mod revising;
mod scrollbars;
mod searching;
mod session;
#[cfg(test)]
pub(super) mod tests;
mod themes;
mod thinking;
mod viewing;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{KeyEvent, MouseEvent};
use ratatui::layout::{Position, Rect, Size};

use super::activity::{Activity, Phase};
use super::clipboard::Copied;
use super::compare::Compare;
use super::completion::{Completion, Entry};
use super::composer::Composer;
use super::composer::store::Told;
use super::documents::Pane;
use super::editor::{Edited, Editing};
use super::export::{Writing, Written};
use super::highlight::{Found, Wish};
use super::inspector::Inspector;
use super::inspector::ledger::Ledger;
use super::keymap::{Chord, Keymap};
use super::links::Linker;
use super::notify::Notification;
use super::palette::Palette;
use super::search::Search;
use super::sessions::{News, Picker, Task};
use super::theme::ground::Ground;
use super::theme::{Choice, Depth, Theme};
use super::transcript::{Kind, Level, Transcript};
use super::view;
use super::viewer::Viewer;
use crate::config::Config;
use crate::conversation::{Change, Event, Revision};
use crate::engine::Token;
use crate::trace::{Channel, Turning};
use attention::Attention;
use composing::Kept;
use conversation::Reply;
pub(super) use focus::Focus;
use mouse::Mouse;
use panes::Widths;
use plans::Plans;
use revising::Revising;
pub use themes::Grounds;
use themes::Themes;
use thinking::default_fold;

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    Key(KeyEvent),
    Paste(String),
    Mouse(MouseEvent),
    /// Whether the person looks at the terminal now.
    Focus(bool),
    Resize(Size),
    Conversation(Event),
    /// The conversation is gone, with the reason if it failed.
    ConversationEnded(Option<String>),
    /// The theme that was asked for.
    ThemeLoaded(Result<Theme, String>),
    /// Something happened to the files of the theme with this name; this is what they say now.
    ThemeChanged {
        name: String,
        theme: Result<Theme, String>,
    },
    /// The themes that there are.
    ThemesListed(Vec<Choice>),
    /// Their names alone.
    ThemesNamed(Vec<String>),
    /// What the terminal says is behind the text.
    Ground(Ground),
    /// The entries of a folder that was asked for.
    FolderListed {
        path: PathBuf,
        entries: Vec<Entry>,
    },
    /// Colours that were asked for.
    Highlighted(Found),
    /// The editor is done.
    Edited(Edited),
    /// What became of a file that was to be written.
    Written(Written),
    /// What came of copying.
    Copied(Copied),
    /// What earlier runs have left to recall, or why there is nothing.
    History(Told),
    /// How many tokens there are in what was pasted.
    Counted {
        pasted: Arc<str>,
        tokens: usize,
    },
    /// What became of what was to be done with sessions.
    Sessions(News),
    /// Time passed.
    Tick,
}

impl Input {
    /// Whether somebody waits for what it does.
    pub fn is_done_by_a_person(&self) -> bool {
        matches!(self, Self::Key(_) | Self::Paste(_) | Self::Mouse(_) | Self::Resize(_))
    }
}

/// Something to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    Ask(String),
    Cancel,
    /// End the thinking of the reply.
    AnswerNow,
    /// Say what it costs to have a turn again; have it again.
    Estimate(Revision),
    Revise(Revision),
    /// The conversation stands after this turn again.
    Rewind(usize),
    /// Make another session that has everything up to this turn, and go on with it.
    Fork(usize),
    /// Go on with another session.
    Resume(String),
    /// Do something with sessions, on a thread of its own.
    Sessions(Task),
    /// Give the session that is open a title, or tags.
    Title(String),
    Tags(Vec<String>),
    /// Go on with the last reply.
    Continue,
    /// Work out what a change to the documents costs; make the change with this number, or forget it.
    Plan(Change),
    Apply(u64),
    Discard(u64),
    ListFolder(PathBuf),
    LoadTheme(String),
    ListThemes,
    NameThemes,
    /// To the clipboard, the nearest way.
    Copy(String),
    /// To the clipboard of whoever sits at the terminal.
    SendCopy(String),
    /// Find the colours of what is in view.
    Highlight(Wish),
    /// Write a file.
    Write(Writing),
    /// Give the terminal to the person's editor, with a text.
    Edit(Editing),
    /// Tell the person who looks elsewhere.
    Notify(Notification),
    /// Take the mouse from the terminal, or leave it to it.
    CaptureMouse(bool),
    /// Keep what was written, for this and later runs to recall.
    Remember(String),
    /// Keep what is being written, should this run not come to its end; empty, there is nothing to keep any more.
    KeepDraft(String),
    /// Count the tokens of what was pasted.
    Count(Arc<str>),
    Redraw,
    /// Give the terminal to the shell, until that continues us.
    Suspend,
    Quit,
    Panic,
}

/// What the application is told at its start.
#[derive(Debug, Clone, Default)]
pub struct Setup {
    /// The model's name.
    pub model: String,
    /// A sentence about the model.
    pub note: String,
    /// What it runs on, in words.
    pub placement: String,
    /// What is being loaded, in words.
    pub paths: String,
    pub theme: Theme,
    /// What the person has set.
    pub settings: Config,
    /// What is taken instead of the theme if the terminal says what its background is.
    pub grounds: Option<Grounds>,
    /// How many colours there are.
    pub depth: Depth,
    pub keymap: Keymap,
    /// Tokens of what is pasted can be counted.
    pub counts: bool,
    /// The name of the session that the conversation is kept in.
    pub session: Option<String>,
    /// Hidden commands are there.
    pub debug: bool,
}

#[derive(Debug)]
pub struct App {
    pub(super) setup: Setup,
    pub(super) size: Size,
    pub(super) now: Duration,
    /// When the input that is being handled came; others may have been handled since.
    came: Duration,
    pub(super) transcript: Transcript,
    pub(super) composer: Composer,
    pub(super) activity: Activity,
    pub(super) documents: Pane,
    pub(super) inspector: Inspector,
    pub(super) plans: Plans,
    pub(super) revising: Revising,
    pub(super) completion: Completion,
    pub(super) themes: Themes,
    attention: Attention,
    /// Questions that were sent and are not yet being answered.
    pub(super) queue: VecDeque<String>,
    /// How far the help is scrolled, if it is open.
    pub(super) help: Option<usize>,
    /// The list of sessions, if it is open.
    pub(super) picker: Option<Picker>,
    /// What is to be looked for in all sessions.
    to_find: Option<Task>,
    /// A session that could be gone on with.
    offered: Option<String>,
    /// The list of commands, if it is open.
    pub(super) palette: Option<Palette>,
    /// The chords of a sequence that has begun.
    pub(super) begun: Vec<Chord>,
    /// Which page is shown of what can follow them.
    pub(super) hints_page: usize,
    /// Which pane has the keys; [`App::focus_on`] changes it.
    focus: Focus,
    /// Which of the panes beside the conversation had them last: where there is room for one, it is this.
    pub(super) beside: Focus,
    /// What had the keys before the inspector lay over the conversation, and has them again when it is closed.
    pub(super) beneath: Focus,
    /// The columns that panes were given.
    pub(super) widths: Widths,
    pointer: Mouse,
    /// The open document, which takes keys and mouse.
    pub(super) viewer: Option<Viewer>,
    pub(super) search: Search,
    pub(super) ledger: Option<Ledger>,
    /// Two thoughts side by side, over everything but what lies over all.
    pub(super) compare: Option<Compare>,
    linker: Linker,
    /// What turning points begin with.
    turning: Arc<Turning>,
    /// What of the text that is being written has been kept.
    kept: Kept,
    /// What came of copying, until when it is told.
    said: Option<(Duration, String)>,
    /// Until when another Ctrl-C leaves.
    leaving: Option<Duration>,
    reply: Option<Reply>,
    /// The last reply, when it is over.
    over: Option<Reply>,
    /// What was said before the documents were there has no links yet.
    unlinked: bool,
    /// The session is not being kept as it should be.
    unkept: Option<crate::conversation::KeptState>,
    mouse: bool,
    dirty: bool,
    /// Something has happened since everything was told its size.
    unfit: bool,
}

/// How long a first Ctrl-C is remembered.
const LEAVING: Duration = Duration::from_secs(2);
/// How long it is told what came of a key.
const SAID: Duration = Duration::from_secs(4);
/// How often what is live is drawn again.
const BEAT: Duration = Duration::from_millis(100);
/// Source wrapped again between two frames after a change of width.
const SETTLE: usize = 512 * 1024;

impl App {
    #[must_use]
    pub fn new(setup: Setup, size: Size) -> Self {
        let mut app = Self {
            size,
            now: Duration::ZERO,
            came: Duration::ZERO,
            transcript: Transcript::default(),
            composer: Composer::default(),
            activity: Activity::default(),
            documents: Pane::default(),
            inspector: Inspector::default(),
            plans: Plans::default(),
            revising: Revising::default(),
            completion: Completion::default(),
            themes: Themes::default(),
            attention: Attention::default(),
            queue: VecDeque::new(),
            help: None,
            picker: None,
            to_find: None,
            offered: None,
            palette: None,
            begun: Vec::new(),
            hints_page: 0,
            focus: Focus::default(),
            beside: Focus::Documents,
            beneath: Focus::Composer,
            widths: Widths::default(),
            pointer: Mouse::default(),
            viewer: None,
            search: Search::default(),
            ledger: None,
            compare: None,
            linker: Linker::default(),
            turning: setup.settings.thinking.turning.turning(),
            kept: Kept::default(),
            said: None,
            leaving: None,
            reply: None,
            over: None,
            unlinked: false,
            unkept: None,
            mouse: setup.settings.ui.mouse,
            dirty: true,
            unfit: false,
            setup,
        };
        app.begin_themes();
        app.set_up_composer();
        app.fit();
        app.transcript.set_heat(app.setup.settings.thinking.heat);
        app.transcript
            .set_default_fold(default_fold(app.setup.settings.thinking.fold));
        let opening = [app.setup.note.clone(), app.setup.paths.clone()];
        for text in opening.iter().filter(|text| !text.trim().is_empty()) {
            app.transcript.push(Kind::Notice(Level::Detail), text);
        }
        app
    }

    /// Takes what was said before. It comes to the same as taking it event by event, but runs of tokens are wrapped once.
    pub fn recall(&mut self, opening: Vec<Event>) {
        let mut run: Vec<Token> = Vec::new();
        for event in opening {
            match event {
                Event::Token(token) if run.last().is_none_or(|last| last.channel == token.channel) => run.push(token),
                event => {
                    self.tokens(&std::mem::take(&mut run));
                    // What an event asks for is done already, or can be done no more.
                    let _ = self.conversation(event);
                }
            }
        }
        self.tokens(&run);
        self.plans = Plans::default();
        self.fit();
    }

    /// Takes one input, which happened `now` after the start.
    pub fn handle(&mut self, now: Duration, input: Input) -> Vec<Effect> {
        self.now = self.now.max(now);
        self.came = now;
        self.dirty = true;
        self.attend(&input);
        let phase = self.activity.phase();
        let is_token = matches!(input, Input::Conversation(Event::Token(_)));
        let mut effects = self.settle_burst(&input);
        effects.extend(match input {
            Input::Key(key) => self.key(key),
            Input::Paste(text) => {
                self.paste(&text);
                Vec::new()
            }
            Input::Mouse(mouse) => self
                .picker_mouse(mouse)
                .or_else(|| self.pick_by_mouse(mouse))
                .unwrap_or_else(|| self.mouse(mouse)),
            Input::Resize(size) => {
                self.size = size;
                Vec::new()
            }
            Input::Conversation(event) => self.conversation(event),
            Input::ConversationEnded(reason) => {
                self.conversation_ended(reason);
                Vec::new()
            }
            Input::ThemeLoaded(theme) => {
                self.theme_loaded(theme);
                Vec::new()
            }
            Input::ThemeChanged { name, theme } => {
                self.theme_changed(&name, theme);
                Vec::new()
            }
            Input::ThemesListed(choices) => {
                self.themes_listed(choices);
                Vec::new()
            }
            Input::ThemesNamed(names) => {
                self.themes_named(names);
                Vec::new()
            }
            Input::Ground(ground) => {
                self.ground(ground);
                Vec::new()
            }
            Input::FolderListed { path, entries } => {
                self.folder_listed(&path, entries);
                Vec::new()
            }
            Input::Highlighted(highlighted) => {
                self.highlighted(highlighted);
                Vec::new()
            }
            Input::Written(written) => {
                self.written(&written);
                Vec::new()
            }
            Input::Edited(edited) => {
                self.edited(edited);
                Vec::new()
            }
            Input::Copied(copied) => self.copied(copied),
            Input::Sessions(news) => {
                self.sessions_news(news);
                Vec::new()
            }
            Input::History(told) => {
                self.told_of_history(told);
                Vec::new()
            }
            Input::Counted { pasted, tokens } => {
                self.composer.counted(&pasted, tokens);
                Vec::new()
            }
            Input::Focus(looked_at) => {
                if !looked_at {
                    self.let_go_of_mouse();
                }
                Vec::new()
            }
            Input::Tick => Vec::new(),
        });
        self.scroll_dragged();
        // What is being pasted is looked at when it is all there.
        if !self.composer.is_in_paste() {
            effects.extend(self.update_completion());
        }
        self.work();
        if self.leaving.is_some_and(|until| self.now >= until) {
            self.leaving = None;
        }
        effects.extend(self.to_find.take().map(Effect::Sessions));
        effects.extend(self.after_job());
        effects.extend(self.count_pasted());
        effects.extend(self.keep_draft());
        self.said.take_if(|(until, _)| self.now >= *until);
        if is_token && self.activity.phase() == phase {
            // One more token moves nothing but the text, of which there may be a hundred thousand.
            self.unfit = true;
        } else {
            self.fit();
        }
        if !(is_token && phase == Phase::Replying(Channel::Thinking)) {
            effects.extend(self.highlight());
        }
        effects
    }

    /// Tells everything its size, and what shows what is said what that is now.
    fn fit(&mut self) {
        self.unfit = false;
        self.composer.set_field(view::field_width(view::main_width(self)));
        let areas = view::areas(self);
        let pane = areas.documents.height;
        if self.ledger.is_some() {
            let area = view::ledger_area(self);
            if let Some(ledger) = &mut self.ledger {
                ledger.see(&self.transcript, self.now, area);
            }
        }
        self.fit_compare();
        self.documents
            .resize(usize::from(pane - super::documents::frame_rows(pane)));
        // What is covered is not wrapped anew.
        if !view::is_covered(self) {
            let area = areas.transcript;
            self.transcript
                .resize(super::transcript::text_width(area.width), usize::from(area.height));
        }
        if let Some(viewer) = &mut self.viewer {
            viewer.resize(self.size);
        }
    }

    /// When to send the next [`Input::Tick`]; never, if nothing on the screen depends on time.
    #[must_use]
    pub fn next_tick(&self) -> Option<Duration> {
        let live = self.activity.is_busy() || self.plans.working.is_some() || self.transcript.total().is_none();
        let beat = live.then(|| self.now + BEAT);
        let search = self.is_working().then_some(self.now);
        let burst = self.burst_ends();
        let scroll = self.next_scroll();
        let said = self.said.as_ref().map(|(until, _)| *until);
        let draft = self.draft_is_due();
        [beat, self.leaving, said, search, burst, scroll, draft]
            .into_iter()
            .flatten()
            .min()
    }

    /// Whether the screen is out of date.
    #[must_use]
    pub fn is_dirty(&self) -> bool {
        self.dirty
    }

    /// Draws everything, and returns where the cursor is to be.
    pub fn draw(&mut self, area: Rect, buf: &mut Buffer) -> Option<Position> {
        self.dirty = false;
        if self.size != area.as_size() {
            self.size = area.as_size();
            self.unfit = true;
        }
        if self.unfit {
            self.fit();
        }
        self.transcript.settle(SETTLE);
        view::draw(self, area, buf)
    }

    /// The documents.
    pub(super) fn pack(&self) -> &crate::context::Pack {
        self.linker.pack()
    }

    /// What came of a key, for a while.
    pub(super) fn said(&self) -> Option<&str> {
        self.said.as_ref().map(|(_, said)| &**said)
    }

    /// Whether another Ctrl-C leaves.
    pub(super) fn is_leaving(&self) -> bool {
        self.leaving.is_some()
    }

    /// Says what came of a key on the line above what is written, for a while: it is no part of the conversation. Where the line is too
    /// short for it, it becomes one.
    fn tell(&mut self, text: impl Into<String>) {
        let text = text.into();
        if super::text::width(&text) <= view::rule::room(self) {
            self.said = Some((self.now + SAID, text));
        } else {
            self.notice(Level::Info, text);
        }
    }

    fn notice(&mut self, level: Level, text: impl Into<String>) {
        self.transcript.push(Kind::Notice(level), text);
    }

    /// What was made of the documents.
    #[must_use]
    pub fn changes(&self) -> &[Change] {
        &self.plans.made
    }

    /// The last answer and its citations, to be left on the screen after the application.
    #[must_use]
    pub fn last_answer(&self) -> Option<String> {
        let blocks = self.transcript.blocks();
        let last = blocks
            .iter()
            .rposition(|block| block.kind == Kind::Answer && !block.source().trim().is_empty())?;
        let mut text = super::text::clean(blocks[last].source().trim());
        for block in &blocks[last + 1..] {
            match block.kind {
                Kind::Citation { .. } => {
                    text.push_str("\n  ");
                    text.push_str(&super::text::clean(block.source()));
                }
                _ => break,
            }
        }
        Some(text)
    }
}
