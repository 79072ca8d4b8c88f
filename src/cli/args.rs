//! The command line as data. `--help`, completions and the manual are generated from it.

use std::path::PathBuf;

use clap::builder::PossibleValue;
use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};

use super::error::EXIT_CODES;
use crate::bench::{SHAPES, Shape};
use crate::config::{Size, Value};
use crate::engine::LONGEST_DRAFT;
use crate::model::Dtype;
use crate::session::Speed;

const EXAMPLES: &str = "\
Examples:
  thunderhead src docs                                     open the application on two folders
  thunderhead ask -p 'Where is `main` defined?' src        one answer, for people
  thunderhead --plain src                                  lines of text only, as for a screen reader
  thunderhead ask --json -p 'Find `TODO`' .                the same for programs
  thunderhead --model ~/models/MiniMax-M1-80k book.txt     another model than the bundled one";

const ASK_EXAMPLES: &str = "\
Examples:
  thunderhead ask -p 'Where is `main` defined?' src
  thunderhead ask --json -p 'Find `TODO`' . | jq -c 'select(.type == \"citation\")'
  cat notes.txt | thunderhead ask -p 'Which line has \"Friday\"?' -";

/// Ask things of a body of text that is too long to read.
///
/// Loads the given files and folders into one context, runs a hybrid lightning-attention model over it on this
/// machine, and streams its reasoning and its answer, with every quotation checked against the documents.
///
/// Without a subcommand the interactive application opens. The model that ships with the program is a demonstration: it
/// finds and quotes, it does not understand. Give another with --model.
#[derive(Debug, Parser)]
#[command(
    name = "thunderhead",
    version,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = EXAMPLES,
    after_long_help = format!("{EXAMPLES}

{EXIT_CODES}")
)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub chat: ChatArgs,
    /// Configuration file [default: `$THUNDERHEAD_CONFIG`, else thunderhead/config.toml in `$XDG_CONFIG_HOME` or ~/.config].
    #[arg(long, value_name = "FILE", global = true, value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Ask questions about documents and print the answers.
    ///
    /// The answer goes to standard output, followed by each place it points to and whether that was verified. Thinking
    /// and progress go to standard error.
    #[command(
        after_help = ASK_EXAMPLES,
        after_long_help = format!("{ASK_EXAMPLES}\n\n{EXIT_CODES}")
    )]
    Ask(AskArgs),
    /// Show what documents cost in tokens, before anything is prefilled: a tree, and what was left out and why.
    ///
    /// Tokens are counted with the model's own tokenizer and in its own layout, so that the sum is what the documents take
    /// of the context. Exits with 4 if they do not fit.
    #[command(
        after_help = "Examples:\n  thunderhead pack .\n  thunderhead pack --depth 1 src docs\n  \
                            thunderhead pack --json . | jq '.documents[] | select(.tokens > 10000)'\n  \
                            thunderhead pack --out packed.txt src"
    )]
    Pack(PackArgs),
    /// Score tokens under a model: log-probabilities, perplexity and a greedy continuation.
    ///
    /// Log-probabilities are natural and over the whole vocabulary; ids that were never trained are scored but never
    /// chosen. No tokenizer is needed for --tokens.
    #[command(after_help = "Examples:\n  thunderhead score --model DIR --text book.txt\n  \
                            thunderhead score --model DIR --tokens ids.json --continue 40 --json")]
    Score(ScoreArgs),
    /// Convert a model to one GGUF file, with its weights rounded to another type.
    ///
    /// The file has the tokenizer and the chat template in it, and is read by llama.cpp too. Norms and routers stay f32; the
    /// head is never below `q8_0` or `q6_k`. Rows that are not a whole number of blocks (32 weights, 256 for the `_k` types) become
    /// `q8_0` or `f16`. An interrupted conversion goes on where it was when the same command is run again.
    #[command(
        after_help = "Examples:\n  thunderhead convert --model ~/models/MiniMax-M1-80k --to q4_k --out m1-q4_k.gguf\n  \
                            thunderhead convert --to q8_0 --out bundled.gguf && thunderhead --model bundled.gguf src"
    )]
    Convert(ConvertArgs),
    /// Measure the speed of a model on this machine: prefill of prompts, decode at depths, against what the machine can do.
    ///
    /// Each case is timed several times; a row gives the median, least and most tokens a second, the operations and bytes
    /// a second that this takes as counted (docs/performance.md), their share of what the machine was measured to do at most, and the
    /// most memory in use. Tokens are random. Ctrl-C ends it and prints what was measured.
    #[command(after_help = "Examples:\n  thunderhead bench --ceilings\n  \
                            thunderhead bench --synthetic hybrid-0.8b --prompt 512,4096,32768 --depth 0,32768\n  \
                            thunderhead bench --model DIR --threads 2 --runs 5 --json")]
    Bench(BenchArgs),
    /// Say what a model would need on a machine and how fast it would be, from its sizes alone: no weights are needed.
    ///
    /// What goes to the cards, to memory and to the disk; memory, time of a prompt and speed of a reply at several lengths of
    /// context; operations against the same model all of softmax attention and against DeepSeek-R1; and what to change if it does
    /// not fit, which is exit code 4. Times are predicted from what cards, memory and disk can do; nothing is run.
    #[command(
        after_help = "Examples:\n  thunderhead plan Ring-mini-linear-2.0 --vram 12G --ram 32G --context 128K\n  \
                            thunderhead plan MiniMax-M1 --vram 24G --ram 64G --context 1M\n  \
                            thunderhead plan Ling-2.6-flash --card 'RTX 5090' --gpus 2 --type q6_k\n  \
                            thunderhead plan config.json --ceilings --json"
    )]
    Plan(super::plan::PlanArgs),
    /// Say what this machine has of what the program can use, what is missing, and how to get it.
    ///
    /// Processor and its instructions, memory, driver and cards, NVRTC, the speed of the disk, what the terminal can do.
    #[command(
        after_help = "Examples:\n  thunderhead doctor\n  thunderhead doctor --disk ~/models\n  \
                            thunderhead doctor --json | jq 'select(.state != \"good\")'"
    )]
    Doctor(super::doctor::DoctorArgs),
    /// List the colour themes, print one to start your own from, or check one.
    ///
    /// Your own are in thunderhead/themes/NAME.toml in `$XDG_CONFIG_HOME` or ~/.config.
    #[command(
        after_help = "Examples:\n  thunderhead themes\n  thunderhead themes show storm > ~/.config/thunderhead/themes/mine.toml\n  \
                            thunderhead themes check mine && thunderhead --theme mine src"
    )]
    Themes {
        #[command(subcommand)]
        command: Option<ThemesCommand>,
    },
    /// Show, check and remove what is kept on the disk of what models have read.
    ///
    /// What a model has read of documents and conversations is kept, so that opening them again, going back a turn or changing the last
    /// file does not read it all again. It is a cache: removing it costs time, and nothing else. What was computed by another
    /// model, another type of keys and values, other instructions or another build of the program is never used.
    #[command(
        after_help = "Examples:\n  thunderhead cache list                    what is kept, of which model\n  \
                            thunderhead cache size                    how much room it takes\n  \
                            thunderhead cache verify --remove         read everything, remove what is damaged\n  \
                            thunderhead cache prune --to 4G           what was used longest ago goes first\n  \
                            thunderhead cache prune --to 0            everything goes"
    )]
    Cache(CacheArgs),
    /// Print every key of the application, as they are written in a configuration, with what they do.
    ///
    /// A key is bound in a context: `panes` while nothing lies over the panes, `composer` while you write (`empty` before, `slash`
    /// after a `/`), `conversation`, `documents`, `inspector` and `viewer` while those have the keys, `plan` while a change to the
    /// documents waits for an answer, `prompt` while you write what to search for, `help`, and `global` always.
    Keys,
    /// List, search, show, export, fork and delete the sessions that were kept.
    ///
    /// Conversations are kept as they go, and `thunderhead --resume SESSION` goes on with one. A session is named by the time at
    /// which it began; the beginning of that will do, and `last` is the one that was used last. What is opened here is shown without
    /// a model: it can be read, folded and searched, but not asked.
    #[command(
        after_help = "Examples:\n  thunderhead sessions list\n  thunderhead sessions search zebra stripes\n  \
                            thunderhead sessions export last --out talk.html --redact\n  \
                            thunderhead sessions open eighty-days\n  \
                            thunderhead ask --record mine.jsonl -p 'Where is `main` defined?' src\n  \
                            thunderhead sessions open --speed 4 mine.jsonl"
    )]
    Sessions {
        #[command(subcommand)]
        command: SessionsCommand,
        /// Folder that they are in [default: thunderhead/sessions in `$XDG_DATA_HOME` or ~/.local/share].
        #[arg(long, value_name = "FOLDER", global = true, value_hint = ValueHint::DirPath)]
        sessions: Option<PathBuf>,
    },
    /// Print the effective settings with where each came from, explain them all, or check a file of them.
    ///
    /// A flag goes before the environment, that before the configuration file, and that before the default. What is printed is
    /// itself a configuration file.
    #[command(
        after_help = "Examples:\n  thunderhead config                          what holds, and why\n  \
                            thunderhead config default > \"$(thunderhead config path)\"\n  \
                            thunderhead config check                    everything that is wrong in it\n  \
                            thunderhead config --threads 2 | grep '# --'"
    )]
    Config(ConfigArgs),
    /// Print a completion script for a shell.
    #[command(
        after_help = "Example:\n  thunderhead completions bash > ~/.local/share/bash-completion/completions/thunderhead"
    )]
    Completions { shell: clap_complete::Shell },
    /// Write the manual pages, one a subcommand; without a directory the main one is printed.
    Man {
        #[arg(value_hint = ValueHint::DirPath)]
        directory: Option<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
pub enum ThemesCommand {
    /// Print the file of a theme.
    Show { name: String },
    /// Say whether themes are right, and everything that is wrong with them. Exits with 2 if one is not.
    Check {
        #[arg(required = true, value_name = "NAME|FILE", value_hint = ValueHint::FilePath)]
        themes: Vec<String>,
    },
}

#[derive(Debug, Args)]
pub struct CacheArgs {
    #[command(subcommand)]
    pub command: CacheCommand,
}

#[derive(Debug, Subcommand)]
pub enum CacheCommand {
    /// List what is kept of each model, what was used last first.
    ///
    /// A place is where reading can go on from: an end of a document, of a question or a reply, or every 16,384 tokens.
    List {
        /// Print one JSON object instead of the table.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        snapshots: SnapshotArgs,
    },
    /// Read everything that is kept and compare it with its sums. Exits with 1 if something is damaged.
    ///
    /// What is damaged is never used in any case: it is found when it is read.
    Verify {
        /// Remove files that are damaged, and exit with 0.
        #[arg(long)]
        remove: bool,
        #[command(flatten)]
        snapshots: SnapshotArgs,
    },
    /// Remove what was used longest ago, until what is left fits.
    Prune {
        /// So much may stay, as 4G or 500M; 0 removes everything [default: the budget].
        #[arg(long, value_name = "SIZE", value_parser = size)]
        to: Option<Size>,
        #[command(flatten)]
        snapshots: SnapshotArgs,
    },
    /// Print how much room it takes, of which budget, and where.
    Size {
        /// Print the number of bytes alone.
        #[arg(long)]
        bytes: bool,
        #[command(flatten)]
        snapshots: SnapshotArgs,
    },
}

#[derive(Debug, Subcommand)]
pub enum SessionsCommand {
    /// List the sessions that were kept, those first that were used last, and the records that come with the program.
    List {
        /// Only those with this tag. May be repeated.
        #[arg(long, value_name = "TAG")]
        tag: Vec<String>,
        /// At most so many; 0 is all.
        #[arg(long, value_name = "N", default_value_t = 20)]
        most: usize,
        /// Also those in which only other programs have asked, by `ask`.
        #[arg(long)]
        asked: bool,
        /// Print one JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Print the account of a session: its turns, their tokens and times.
    Show {
        #[command(flatten)]
        session: SessionArg,
        /// Print its turns as a tree, with the sessions that part from it.
        #[arg(long)]
        tree: bool,
    },
    /// Find turns in which all of these words were said, the newest first; the last word may be a beginning.
    Search {
        #[arg(value_name = "WORD", required = true)]
        words: Vec<String>,
        /// At most so many.
        #[arg(long, value_name = "N", default_value_t = 20)]
        most: usize,
        /// Print one JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Open a session in the application, to read it. `thunderhead --resume SESSION` goes on with it.
    Open {
        #[command(flatten)]
        session: SessionArg,
        /// Play it as it came, X times as fast as it was recorded [default: show all of it at once].
        #[arg(long, value_name = "X", value_parser = speed, allow_negative_numbers = true)]
        speed: Option<Speed>,
        #[command(flatten)]
        ui: UiArgs,
    },
    /// Write a session for others: Markdown, JSON, a page of HTML that needs nothing else, or the record itself.
    Export {
        #[command(flatten)]
        session: SessionArg,
        /// The file to write, which must not be there yet; its end says the form: .md, .json, .html, .jsonl [default: standard
        /// output].
        #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
        out: Option<PathBuf>,
        /// The form, if the file does not say it.
        #[arg(long, value_enum)]
        to: Option<ExportForm>,
        /// Leave out what was thought.
        #[arg(long)]
        no_thinking: bool,
        /// Take out keys, tokens, addresses of electronic mail and the name of the home folder.
        #[arg(long)]
        redact: bool,
        /// Take out what matches as well; implies --redact. May be repeated.
        #[arg(long, value_name = "REGEX")]
        redact_pattern: Vec<String>,
    },
    /// Keep an exported session, or a record, as a session to go on with.
    Import {
        #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
        file: PathBuf,
    },
    /// Make another session of one, with everything up to the end of a turn.
    Fork {
        #[arg(value_name = "SESSION")]
        session: String,
        /// The last turn that it has [default: the last one]; 0 is none.
        #[arg(long, value_name = "N")]
        turn: Option<usize>,
    },
    /// Give a session a title; without one, take it back.
    Rename {
        #[arg(value_name = "SESSION")]
        session: String,
        #[arg(value_name = "TITLE")]
        title: Vec<String>,
    },
    /// Give a session tags, instead of those that it has.
    Tag {
        #[arg(value_name = "SESSION")]
        session: String,
        #[arg(value_name = "TAG")]
        tags: Vec<String>,
    },
    /// Put sessions into the trash, bring them back, or empty it.
    Rm {
        #[arg(value_name = "SESSION", required_unless_present_any = ["purge", "asked"])]
        names: Vec<String>,
        /// All those in which only other programs have asked, by `ask`.
        #[arg(long, conflicts_with_all = ["undo", "purge"])]
        asked: bool,
        /// Bring them back.
        #[arg(long, conflicts_with = "purge")]
        undo: bool,
        /// Delete for good what is in the trash.
        #[arg(long, conflicts_with = "names")]
        purge: bool,
    },
}

#[derive(Debug, Args)]
pub struct SessionArg {
    /// The name of a session or the beginning of it, `last`, the file of a record, or the name of one that comes with the
    /// program.
    #[arg(value_name = "SESSION|FILE", value_hint = ValueHint::FilePath)]
    pub session: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportForm {
    #[value(alias = "md")]
    Markdown,
    Json,
    Html,
    #[value(alias = "jsonl")]
    Lines,
}

fn speed(text: &str) -> Result<Speed, String> {
    let factor = text.parse().ok().and_then(Speed::new);
    factor.ok_or_else(|| "expected a number from 0.001 to 1000000".to_owned())
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct ConfigArgs {
    #[command(subcommand)]
    pub command: Option<ConfigCommand>,
    #[command(flatten)]
    pub ui: UiArgs,
    #[command(flatten)]
    pub settings: SettingsArgs,
}

#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Print the path of the configuration file, whether or not it is there.
    Path,
    /// Print a configuration file with every setting explained and commented out.
    Default,
    /// Say everything that is wrong with a configuration file; the one in use if none is named. Exits with 2 then.
    Check {
        #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
        file: Option<PathBuf>,
    },
}

#[derive(Debug, Args)]
pub struct ChatArgs {
    /// Print the conversation as lines of plain text, without taking the screen; questions are read from standard input. For
    /// screen readers, pipes, and terminals that can do no more, where it is the default.
    #[arg(long, alias = "inline")]
    pub plain: bool,
    #[command(flatten)]
    pub ui: UiArgs,
    #[command(flatten)]
    pub conversation: ConversationArgs,
}

/// How the application looks.
#[derive(Debug, Args)]
pub struct UiArgs {
    /// Colour theme: a name (`thunderhead themes` lists them) or a TOML file [default: by the terminal's background if it
    /// says it, else the terminal's own colours].
    #[arg(long, value_name = "NAME|FILE")]
    pub theme: Option<String>,
    /// How many colours to use; `auto` goes by the environment.
    #[arg(long, value_enum, default_value = "auto")]
    pub colour: ColourName,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ColourName {
    Auto,
    Truecolor,
    #[value(name = "256")]
    Indexed,
    #[value(name = "16")]
    Sixteen,
    None,
}

#[derive(Debug, Args)]
pub struct AskArgs {
    /// The question; `-` reads it from standard input. Repeat it to ask several over the same documents, which are
    /// prefilled once.
    #[arg(short, long, value_name = "QUESTION", required = true)]
    pub prompt: Vec<String>,
    /// Whether thinking is printed, to standard error.
    #[arg(long, value_enum, default_value = "show")]
    pub thinking: Thinking,
    /// Print every event as one JSON object a line.
    #[arg(long)]
    pub json: bool,
    /// Keep the whole session in this file, which must not be there yet; `thunderhead sessions open FILE` shows it.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub record: Option<PathBuf>,
    #[command(flatten)]
    pub conversation: ConversationArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Thinking {
    Show,
    Hide,
}

/// Documents, a model and how it replies.
#[derive(Debug, Args)]
pub struct ConversationArgs {
    /// Files, folders and globs to load; `@FILE` is a list of them, `-` a document on standard input. Folders are walked as
    /// git would: ignored, hidden and binary files are left out, and everything left out is listed.
    #[arg(value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub paths: Vec<PathBuf>,
    /// Go on with a session that was kept: with the one of this name, or of the only name that begins so, or with the one that
    /// was used last. It has its documents, flags and folder; what is given besides is added.
    #[arg(long, value_name = "SESSION", num_args = 0..=1, default_missing_value = "last")]
    pub resume: Option<String>,
    #[command(flatten)]
    pub settings: SettingsArgs,
}

/// What can also be set in the configuration file, which has the names and the types ([`crate::config`]); what is given here
/// is read from there.
#[derive(Debug, Args)]
pub struct SettingsArgs {
    #[command(flatten)]
    pub selection: SelectionArgs,
    #[command(flatten)]
    pub kept: KeptArgs,
    #[command(flatten)]
    pub model: ModelArgs,
    /// Longest context in tokens, documents, questions and replies together [default: what the model was made for].
    #[arg(long, value_name = "N")]
    pub max_context: Option<usize>,
    #[command(flatten)]
    pub snapshots: SnapshotArgs,
    #[command(flatten)]
    pub generation: GenerationArgs,
}

/// What is kept of what the model has read.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Snapshots")]
pub struct SnapshotArgs {
    /// Folder for what the model has read, so that it is not read again in another run; `off` for none [default: snapshots in
    /// `$THUNDERHEAD_CACHE`, else thunderhead/snapshots in `$XDG_CACHE_HOME` or ~/.cache].
    #[arg(long, value_name = "DIR|off", value_hint = ValueHint::DirPath)]
    pub snapshots: Option<PathBuf>,
    /// Most that is kept in it, as 16G or 500M; what was used longest ago goes first.
    #[arg(long, value_name = "SIZE", default_value = "16G", value_parser = size)]
    pub snapshot_budget: Size,
}

fn size(text: &str) -> Result<Size, String> {
    Size::parse(text).ok_or_else(|| format!("expected {}", Size::expected()))
}

/// Where conversations are kept.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Sessions")]
pub struct KeptArgs {
    /// Do not keep this conversation.
    #[arg(long)]
    pub no_session: bool,
    /// Folder to keep conversations in [default: thunderhead/sessions in `$XDG_DATA_HOME` or ~/.local/share].
    #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    pub sessions: Option<PathBuf>,
}

/// What of the paths is meant.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Documents")]
pub struct SelectionArgs {
    /// Leave out what matches; patterns are those of .gitignore. May be repeated.
    #[arg(long, value_name = "PATTERN")]
    pub exclude: Vec<String>,
    /// Take only files that match. May be repeated.
    #[arg(long, value_name = "PATTERN")]
    pub only: Vec<String>,
    /// Take what matches although it would be left out: ignored, hidden, generated, vendored, secret. May be repeated.
    #[arg(long, value_name = "PATTERN")]
    pub include: Vec<String>,
    /// Take hidden files too.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    pub hidden: Option<bool>,
    /// Follow symbolic links, wherever they lead.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    pub follow: Option<bool>,
    /// Keep the first N lines of each document; what is left out is marked.
    #[arg(long, value_name = "N")]
    pub head: Option<usize>,
    /// Keep the last N lines of each document; with --head, both.
    #[arg(long, value_name = "N")]
    pub tail: Option<usize>,
    /// Order of files in a folder. What changes rarely first keeps most of the context as it is when a file is edited.
    #[arg(long, value_enum, default_value = "history")]
    pub order: OrderName,
    /// How documents are framed for a chat model: a TOML file with `begin`, `line` and `end`. See the reference.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub template: Option<PathBuf>,
    /// Keep no tokens on the disk, and use none that were kept.
    #[arg(long)]
    pub no_cache: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OrderName {
    /// Seldom changed first, by the history of git where there is one.
    History,
    Path,
}

/// How replies are decoded.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Generation")]
pub struct GenerationArgs {
    /// 0 takes the most probable token always [default: 0 for the bundled model, else what the checkpoint recommends, else
    /// 1].
    #[arg(long, value_name = "T", value_parser = non_negative, allow_negative_numbers = true)]
    pub temperature: Option<f32>,
    /// Sample among the K most probable; 0 is all.
    #[arg(long, value_name = "K")]
    pub top_k: Option<usize>,
    /// Sample among the most probable that together have probability P [default: what the checkpoint recommends, else 0.95].
    #[arg(long, value_name = "P", value_parser = probability, allow_negative_numbers = true)]
    pub top_p: Option<f32>,
    /// Leave out what is less probable than this share of the most probable.
    #[arg(long, value_name = "P", default_value_t = 0.0, value_parser = probability)]
    pub min_p: f32,
    /// Seed of the sampling; the same seed gives the same reply [default: another each time].
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Let the bundled model write freely, instead of holding its quotations to what stands in the documents.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    pub free: Option<bool>,
    /// Most tokens of a reply, thinking included.
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    pub max_tokens: usize,
    /// Most tokens of thinking; then it is closed and the answer follows.
    #[arg(long, value_name = "N", default_value_t = 80_000)]
    pub thinking_budget: usize,
    /// Stop a reply after this many consecutive tokens with probability above 0.99; 0 never stops.
    #[arg(long, value_name = "N", default_value_t = 3_000)]
    pub loop_guard: usize,
    /// Tokens to draft where the reply goes on as something before it did, and to evaluate at once; 0 drafts none. It changes
    /// the time that a reply takes, not what it says [default: as many as pay].
    #[arg(long, value_name = "N", value_parser = draft_length)]
    pub draft: Option<usize>,
}

fn draft_length(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(n @ 0..=LONGEST_DRAFT) => Ok(n),
        _ => Err(format!("expected a number of tokens from 0 to {LONGEST_DRAFT}")),
    }
}

fn non_negative(text: &str) -> Result<f32, String> {
    match text.parse() {
        Ok(t @ 0.0..=100.0) => Ok(t),
        _ => Err("expected a number from 0 to 100".to_owned()),
    }
}

fn probability(text: &str) -> Result<f32, String> {
    match text.parse() {
        Ok(p @ 0.0..=1.0) => Ok(p),
        _ => Err("expected a number from 0 to 1".to_owned()),
    }
}

/// Which model, and on what.
#[derive(Debug, Clone, Args)]
pub struct ModelArgs {
    /// Folder of a checkpoint as downloaded from the hub (config.json, *.safetensors, tokenizer.json), or a GGUF file; the
    /// bundled model if left out.
    #[arg(long, value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub model: Option<PathBuf>,
    /// What the model runs on: a graphics card (`cuda`), the processor (`cpu`), or the plain implementation that both are tested
    /// against (`reference`); `auto` is a card where there is one that the model fits on. Without a driver `cuda` is `cpu`.
    #[arg(long, value_enum, default_value = "auto")]
    pub backend: BackendName,
    /// Where the kernels of a card come from: those in the program, or its sources compiled by NVRTC at the start.
    #[arg(long, value_enum, default_value = "built-in")]
    pub kernels: KernelsName,
    /// Threads for the model; 0 takes one for each core.
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub threads: usize,
    /// Tokens of a prefill tile. Any size gives the same result; larger ones are faster and take more memory.
    #[arg(long, default_value_t = 2048, value_name = "T", value_parser = tile_size)]
    pub tile: usize,
    /// Memory for the activations of a prompt on its way through the layers, in MiB [default: 64, or a quarter of the memory
    /// if the weights are mapped].
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u64).range(1..))]
    pub activation_memory: Option<u64>,
    /// How keys and values are stored; `auto` is bf16 for the first 131,072 tokens and q8 beyond.
    #[arg(long, value_enum, default_value = "auto")]
    pub kv_cache: KvCacheName,
    /// How quantised weights are held: `packed` copies them into the order that products read, `mapped` uses them where
    /// they lie in the file; `auto` packs what fits in the memory that is free.
    #[arg(long, value_enum, default_value = "auto")]
    pub weights: WeightsName,
    /// Instructions to use; `auto` is the best that the machine has.
    #[arg(long, value_enum, default_value = "auto")]
    pub simd: SimdName,
}

fn tile_size(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(n @ 1..=1_048_576) => Ok(n),
        _ => Err("expected a number of tokens from 1 to 1048576".to_owned()),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum BackendName {
    Auto,
    Cpu,
    Cuda,
    Reference,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum KernelsName {
    BuiltIn,
    Source,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum KvCacheName {
    Auto,
    F32,
    Bf16,
    Q8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum WeightsName {
    Auto,
    Packed,
    Mapped,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SimdName {
    Auto,
    Avx512,
    Avx2,
    Neon,
    Portable,
}

#[derive(Debug, Args)]
pub struct PackArgs {
    /// Files, folders and globs; `@FILE` is a list of them, `-` a document on standard input.
    #[arg(value_name = "PATH", required = true, value_hint = ValueHint::AnyPath)]
    pub paths: Vec<PathBuf>,
    #[command(flatten)]
    pub selection: SelectionArgs,
    /// The model whose tokens are counted, a folder or a GGUF file; the bundled one if left out.
    #[arg(long, value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub model: Option<PathBuf>,
    /// Tokens to fit into [default: what the model was made for].
    #[arg(long, value_name = "N")]
    pub max_context: Option<usize>,
    /// Levels of folders to show.
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub depth: usize,
    /// Print one JSON object instead of the tree.
    #[arg(long)]
    pub json: bool,
    /// Also write the packed text, byte for byte what the model reads.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct ConvertArgs {
    /// The checkpoint to convert: a folder, or a GGUF file of f32, f16 or bf16; the bundled model if left out.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::AnyPath)]
    pub model: Option<PathBuf>,
    /// Type of the weights. Bits a weight: `q8_0` 8.5, `q6_k` 6.6, `q5_0` and `q5_k` 5.5, `q5_1` 6, `q4_0` and `q4_k` 4.5,
    /// `q4_1` 5.
    #[arg(long, value_name = "TYPE")]
    pub to: TypeName,
    /// The file to write, which must not be there yet.
    #[arg(long, value_name = "FILE.gguf", value_hint = ValueHint::FilePath)]
    pub out: PathBuf,
    /// Threads; 0 takes one for each core.
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub threads: usize,
}

/// A type of weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TypeName(pub Dtype);

impl ValueEnum for TypeName {
    fn value_variants<'a>() -> &'a [Self] {
        const ALL: [TypeName; Dtype::ALL.len()] = {
            let mut all = [TypeName(Dtype::F32); Dtype::ALL.len()];
            let mut i = 0;
            while i < all.len() {
                all[i] = TypeName(Dtype::ALL[i]);
                i += 1;
            }
            all
        };
        &ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.0.name()))
    }
}

#[derive(Debug, Args)]
pub struct BenchArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    /// A model of this shape with random weights, the same each time, instead of a checkpoint.
    #[arg(long, value_name = "SHAPE", conflicts_with = "model", value_parser = shape)]
    pub synthetic: Option<Shape>,
    /// What its matrices are stored as.
    #[arg(long = "type", value_name = "TYPE", default_value = "bf16", requires = "synthetic")]
    pub dtype: TypeName,
    /// Save the random model as a GGUF file instead of measuring it, so that other engines can be measured on it.
    #[arg(long, value_name = "FILE.gguf", requires = "synthetic", value_hint = ValueHint::FilePath)]
    pub write_gguf: Option<PathBuf>,
    /// Lengths of prompts to prefill, in tokens; 0 is none.
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "512,4096", value_parser = bench_tokens)]
    pub prompt: Vec<usize>,
    /// Tokens to decode; 0 is none.
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = bench_tokens)]
    pub generate: usize,
    /// So many tokens are before those.
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "0", value_parser = bench_tokens)]
    pub depth: Vec<usize>,
    /// How often each is timed.
    #[arg(long, value_name = "N", default_value = "3", value_parser = runs)]
    pub runs: usize,
    /// Print one JSON object instead of the table.
    #[arg(long)]
    pub json: bool,
    /// Leave out what the machine can do at most, which takes a second or two.
    #[arg(long)]
    pub no_ceilings: bool,
    /// Check the kernels of the graphics card, layer by layer, and then time each of them against what the card can do at most: at the
    /// sizes of MiniMax-M1 or of `--synthetic`, with a tile of the longest `--prompt` and single tokens behind the longest `--depth`.
    #[arg(long, conflicts_with_all = ["model", "no_ceilings", "write_gguf", "ceilings"])]
    pub card: bool,
    /// Only measure what the machine can do at most, with 1 thread to all: memory reads and products in registers.
    #[arg(long, conflicts_with_all = ["model", "synthetic", "no_ceilings"])]
    pub ceilings: bool,
}

fn shape(text: &str) -> Result<Shape, String> {
    Shape::named(text).ok_or_else(|| {
        let known: Vec<_> = SHAPES
            .iter()
            .map(|shape| format!("  {:<12} {}", shape.name, shape.about))
            .collect();
        format!("expected one of\n{}", known.join("\n"))
    })
}

fn bench_tokens(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(n @ 0..=16_777_216) => Ok(n),
        _ => Err("expected a number of tokens from 0 to 16777216".to_owned()),
    }
}

fn runs(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(n @ 1..=1000) => Ok(n),
        _ => Err("expected a number from 1 to 1000".to_owned()),
    }
}

#[derive(Debug, Args)]
pub struct ScoreArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    pub input: ScoreInput,
    /// Decode this many tokens greedily after the input, past any end of sequence.
    #[arg(long = "continue", value_name = "N", default_value_t = 0)]
    pub continuation: usize,
    /// Print one JSON object: logprobs, continuation, `continuation_logprobs`.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct ScoreInput {
    /// JSON file with a list of token ids, or an object with such a list as `tokens`; `-` is standard input.
    #[arg(long, value_name = "IDS.json", value_hint = ValueHint::FilePath)]
    pub tokens: Option<PathBuf>,
    /// Text file, tokenised as plain text; `-` is standard input.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub text: Option<PathBuf>,
}
