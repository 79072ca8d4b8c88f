//! The table of settings: name, type, default, flag and description, each written once.
//!
//! From it come the [`Config`] that the program reads, the file that `thunderhead config default` prints, the names that an
//! unknown one is compared with, and the tables of the reference (a test compares them).

use super::Binding;
use super::theme::ThemeChoice;
use super::turning::Phrases;
use super::value::{Auto, Count, Folder, Number, OptionalPath, Size, Value, choices};

/// A row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    pub section: &'static str,
    field: &'static str,
    /// The flag with the same meaning; one that begins with `!` means the opposite.
    pub flag: Option<&'static str>,
    about: &'static [&'static str],
    pub list: bool,
    pub expected: fn() -> String,
    pub set: fn(&mut Config, &toml::Value) -> Result<(), String>,
    /// As TOML.
    pub show: fn(&Config) -> String,
}

impl Setting {
    /// `thinking-budget`
    #[must_use]
    pub fn key(&self) -> String {
        self.field.replace('_', "-")
    }

    /// `reply.thinking-budget`
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}.{}", self.section, self.key())
    }

    /// `THUNDERHEAD_REPLY_THINKING_BUDGET`
    #[must_use]
    pub fn variable(&self) -> String {
        format!("THUNDERHEAD_{}_{}", self.section, self.field).to_uppercase()
    }

    #[must_use]
    pub fn about(&self) -> String {
        joined(self.about)
    }
}

fn joined(lines: &[&str]) -> String {
    let lines: Vec<_> = lines.iter().map(|line| line.trim()).collect();
    lines.join(" ")
}

/// A section and what it is about.
#[must_use]
pub fn sections() -> Vec<(&'static str, String)> {
    SECTIONS.iter().map(|&(name, about)| (name, joined(about))).collect()
}

const fn first(flags: &'static [&'static str]) -> Option<&'static str> {
    match flags {
        [flag, ..] => Some(flag),
        [] => None,
    }
}

macro_rules! settings {
    ($(
        $(#[doc = $about:literal])+
        $section:ident: $Section:ident {
            $($(#[doc = $doc:literal])+ $field:ident: $type:ty = $default:expr $(, flag $flag:literal)?;)+
        }
    )+) => {
        /// Everything that can be set, with its effective value.
        #[derive(Debug, Clone, PartialEq, Default)]
        pub struct Config {
            $($(#[doc = $about])+ pub $section: $Section,)+
            /// What keys do that differs from what they do by themselves, in the order of the file.
            pub keys: Vec<Binding>,
        }

        $(
            $(#[doc = $about])+
            #[derive(Debug, Clone, PartialEq)]
            pub struct $Section { $($(#[doc = $doc])+ pub $field: $type,)+ }

            impl Default for $Section {
                fn default() -> Self {
                    Self { $($field: $default,)+ }
                }
            }
        )+

        const SECTIONS: &[(&str, &[&str])] = &[$((stringify!($section), &[$($about),+]),)+];

        pub const SETTINGS: &[Setting] = &[$($(Setting {
            section: stringify!($section),
            field: stringify!($field),
            flag: first(&[$($flag)?]),
            about: &[$($doc),+],
            list: <$type as Value>::LIST,
            expected: <$type as Value>::expected,
            set: |config, value| {
                config.$section.$field = <$type as Value>::read(value)?;
                Ok(())
            },
            show: |config| config.$section.$field.write(),
        },)+)+];
    };
}

choices! {
    /// What the model runs on.
    Backend { Auto = "auto", Cpu = "cpu", Cuda = "cuda", Reference = "reference", }
    /// Where the kernels of a graphics card come from.
    Kernels { BuiltIn = "built-in", Source = "source", }
    /// Instructions that the model's operations are compiled for.
    Simd { Auto = "auto", Avx512 = "avx512", Avx2 = "avx2", Neon = "neon", Portable = "portable", }
    /// How quantised weights are held.
    Weights { Auto = "auto", Packed = "packed", Mapped = "mapped", }
    /// How keys and values are stored.
    KvCache { Auto = "auto", F32 = "f32", Bf16 = "bf16", Q8 = "q8", }
    /// The order of files in a folder.
    FileOrder { History = "history", Path = "path", }
    /// How many colours are used.
    Colour { Auto = "auto", True = "truecolor", Indexed = "256", Sixteen = "16", None = "none", }
    /// What the conversation is shown on.
    Screen { Auto = "auto", Full = "full", Plain = "plain", }
    /// What a plain conversation prints of thinking.
    PlainThinking { Show = "show", Summary = "summary", Hide = "hide", }
    /// How the end of something long is told.
    NotifyMethod { Auto = "auto", Osc9 = "osc9", Osc777 = "osc777", Bell = "bell", None = "none", }
    /// What is behind the text.
    Background { Auto = "auto", Ask = "ask", Dark = "dark", Light = "light", }
    /// How much of thinking shows.
    ThinkingFold { Auto = "auto", Folded = "folded", Window = "window", Full = "full", }
}

// To add a setting: a line here. Then `UPDATE_DOCS=1 cargo test --lib config::` writes it into the reference.
settings! {
    /// The model, and what it runs on.
    model: Model {
        /// Folder of a checkpoint as downloaded from the hub, or a GGUF file; empty is the bundled model. `~/` is your home.
        path: OptionalPath = OptionalPath::default(), flag "model";
        /// What the model runs on: a graphics card (`cuda`), the processor (`cpu`), or the plain implementation that both are
        /// tested against (`reference`); `auto` is a card where there is one that the model fits on. Without a driver `cuda` is `cpu`.
        backend: Backend = Backend::Auto, flag "backend";
        /// Where the kernels of a card come from: `built-in` in the program, or `source`, compiled by NVRTC at the start.
        kernels: Kernels = Kernels::BuiltIn, flag "kernels";
        /// Threads for the model; 0 takes one for each core.
        threads: Count = Count(0), flag "threads";
        /// Tokens of a prefill tile. Any size gives the same result; larger ones are faster and take more memory.
        tile: Count<1, 1_048_576> = Count(2048), flag "tile";
        /// Memory for the activations of a prompt on its way through the layers, in MiB. So many tokens pass all layers
        /// together, and every weight is read once for them. `auto` is 64, or a quarter of the memory if the weights are `mapped`.
        activation_memory: Auto<Count<1>> = Auto::Auto, flag "activation-memory";
        /// How keys and values are stored: `f32`, `bf16` or `q8`; `auto` is bf16 for the first 131,072 tokens and q8 beyond.
        kv_cache: KvCache = KvCache::Auto, flag "kv-cache";
        /// How quantised weights are held: `packed` copies them into the order that products read, which is fastest;
        /// `mapped` uses them where they lie in the file; `auto` packs what fits in the memory that is free.
        weights: Weights = Weights::Auto, flag "weights";
        /// Instructions to use: `avx512`, `avx2`, `neon` or `portable`; `auto` is the best that the machine has.
        simd: Simd = Simd::Auto, flag "simd";
        /// Longest context in tokens, documents, questions and replies together; `auto` is what the model was made for.
        max_context: Auto<Count> = Auto::Auto, flag "max-context";
    }
    /// What of the given paths is taken.
    documents: Documents {
        /// Leave out what matches; patterns are those of .gitignore.
        exclude: Vec<String> = Vec::new(), flag "exclude";
        /// Take only files that match; with none, all.
        only: Vec<String> = Vec::new(), flag "only";
        /// Take what matches although it would be left out: ignored, hidden, generated, vendored, secret.
        include: Vec<String> = Vec::new(), flag "include";
        /// Take hidden files too.
        hidden: bool = false, flag "hidden";
        /// Follow symbolic links, wherever they lead.
        follow: bool = false, flag "follow";
        /// Keep the first so many lines of each document; `auto` keeps all, if `tail` does.
        head: Auto<Count> = Auto::Auto, flag "head";
        /// Keep the last so many lines of each document; with `head`, both.
        tail: Auto<Count> = Auto::Auto, flag "tail";
        /// Order of files in a folder: `history`, seldom changed first, which keeps most of the context as it is when a file
        /// is edited; or `path`.
        order: FileOrder = FileOrder::History, flag "order";
        /// How documents are framed for a chat model: a TOML file with `begin`, `line` and `end`; empty for the usual way.
        template: OptionalPath = OptionalPath::default(), flag "template";
        /// Keep tokens of documents on the disk from one run to the next.
        cache: bool = true, flag "!no-cache";
    }
    /// What the model has read, kept on the disk so that it is not read again. `thunderhead cache` shows and removes it.
    snapshots: Snapshots {
        /// The folder; `auto` is `snapshots` in that of the cache, `off` keeps nothing and uses nothing that was kept.
        folder: Folder = Folder::Auto, flag "snapshots";
        /// Most that is kept, in bytes or with K, M, G or T; what was used longest ago goes first.
        budget: Size = Size(16 << 30), flag "snapshot-budget";
    }
    /// How replies are decoded.
    reply: Reply {
        /// 0 takes the most probable token always; `auto` is 0 for the bundled model, else what the checkpoint recommends,
        /// else 1.
        temperature: Auto<Number<100>> = Auto::Auto, flag "temperature";
        /// Sample among so many of the most probable; 0 is all, `auto` what the checkpoint recommends.
        top_k: Auto<Count> = Auto::Auto, flag "top-k";
        /// Sample among the most probable that together have this probability; `auto` is what the checkpoint recommends, else
        /// 0.95.
        top_p: Auto<Number<1>> = Auto::Auto, flag "top-p";
        /// Leave out what is less probable than this share of the most probable.
        min_p: Number<1> = Number(0.0), flag "min-p";
        /// Seed of the sampling; the same seed gives the same reply, `auto` another each time.
        seed: Auto<Count> = Auto::Auto, flag "seed";
        /// Let the bundled model write freely, instead of holding its quotations to what stands in the documents.
        free: bool = false, flag "free";
        /// Most tokens of a reply, thinking included.
        max_tokens: Count = Count(100_000), flag "max-tokens";
        /// Most tokens of thinking; then it is closed and the answer follows.
        thinking_budget: Count = Count(80_000), flag "thinking-budget";
        /// Leave what was thought in earlier turns out of the context, also if the model's template would keep it there.
        forget_thinking: bool = false;
        /// Stop a reply after this many consecutive tokens with probability above 0.99; 0 never stops.
        loop_guard: Count = Count(3_000), flag "loop-guard";
        /// Tokens to draft where the reply goes on as something before it did, and to evaluate at once; 0 drafts none, `auto` as
        /// many as pay. It changes the time that a reply takes, not what it says.
        draft: Auto<Count<0, 24>> = Auto::Auto, flag "draft";
    }
    /// How thinking is shown and read.
    thinking: Thinking {
        /// How much of it shows: `auto` is a window of its last 200 rows while it is live, and its header when it is over;
        /// `folded` shows the header, with the last 10 rows while it is live; `window`; `full`.
        fold: ThinkingFold = ThinkingFold::Auto;
        /// Every token looks as sure as the model was of it.
        heat: bool = false;
        /// What sentences begin with where a thought turns, as changes to the built-in table, by language: `add`, `remove`,
        /// `replace`.
        turning: Phrases = Phrases::default();
    }
    /// Conversations on the disk.
    sessions: Sessions {
        /// Keep conversations, so that they can be gone on with; `--no-session` does not.
        keep: bool = true, flag "!no-session";
        /// Where they are kept; empty is `thunderhead/sessions` in `$XDG_DATA_HOME` or `~/.local/share`. `~/` is your home.
        folder: OptionalPath = OptionalPath::default(), flag "sessions";
        /// Keep also what programs ask by `ask`, whose answers no terminal shows. Lists leave it out until somebody goes on with it.
        asked: bool = true;
    }
    /// Where questions are written.
    composer: Composer {
        /// Vim's keys: Esc for commands, `i` to write. `/vim` turns them on and off.
        vim: bool = false;
        /// Keep what was written from one run to the next, to be recalled and found; the reference says where.
        history: bool = true;
        /// A paste of more lines than this is shown as one line that stands for it.
        paste_lines: Count = Count(8);
        /// The same for characters.
        paste_characters: Count = Count(1_000);
    }
    /// How the application looks and behaves.
    ui: Ui {
        /// Colour theme: a name (`thunderhead themes` lists them) or a TOML file; or one for a dark and one for a light
        /// background; `auto` is `storm` or `daylight` if the terminal says which it has, else the terminal's own colours.
        theme: ThemeChoice = ThemeChoice::Auto, flag "theme";
        /// How many colours there are; `auto` goes by `NO_COLOR`, `CLICOLOR`, `CLICOLOR_FORCE`, `COLORTERM` and `TERM`.
        colour: Colour = Colour::Auto, flag "colour";
        /// Whether the terminal's background is dark or light; `auto` asks it where it can be expected to answer (not over
        /// ssh, not in GNU screen), `ask` everywhere.
        background: Background = Background::Auto;
        /// `full` takes the whole terminal, `plain` prints lines (`--plain`, for screen readers); `auto` is `plain` on a terminal
        /// that can do no more (`TERM=dumb`).
        screen: Screen = Screen::Auto;
        /// Say in the title of the terminal what runs and how far it is; the title before it comes back at the end.
        title: bool = true;
        /// Take the mouse from the terminal: the wheel scrolls, clicks fold and open. Without it the terminal selects text.
        mouse: bool = true;
        /// Copy what the mouse has selected as soon as the button is released.
        copy_on_select: bool = false;
    }
    /// Being told that something long is over while one looks elsewhere.
    notify: Notify {
        /// By OSC 9, OSC 777 or a bell; `auto` takes what the terminal is known to show, else the bell.
        method: NotifyMethod = NotifyMethod::Auto;
        /// Only of what took so many seconds.
        after: Count = Count(10);
    }
    /// The conversation as lines of text.
    plain: Plain {
        /// What is printed of thinking: `show` all of it, `summary` how long it took, `hide` nothing, of progress neither.
        thinking: PlainThinking = PlainThinking::Summary;
        /// Columns to wrap text at; `auto` is the width of the terminal, else 80.
        width: Auto<Count<10, 10_000>> = Auto::Auto;
    }
}
