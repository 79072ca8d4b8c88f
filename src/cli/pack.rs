//! `thunderhead pack`: what documents would cost, before anything is prefilled.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::ops::Range;
use std::process::ExitCode;
use std::sync::Mutex;

use serde::Serialize;

use super::args::PackArgs;
use super::error::CliError;
use super::load;
use super::progress::Progress;
use super::selection;
use crate::compute::Interrupt;
use crate::config::{Config, Documents};
use crate::context::{self, Document, Layout, Loader, Node, Pack, Section, Skipped, TooLarge, tree};
use crate::conversation::{Loading, QuoteModel};
use crate::model::Tokenizer;
use crate::tui::format;

/// Cells of a full share bar.
const BAR: usize = 20;
/// Left-out files that are listed each with its cost, and that are named with a reason.
const DEAR_SHOWN: usize = 30;
const NAMED: usize = 5;

/// The JSON object of `--json`.
#[derive(Serialize)]
struct Report<'a> {
    model: &'a str,
    context_limit: usize,
    /// All of it together fits into the context.
    fits: bool,
    files: usize,
    lines: usize,
    bytes: usize,
    tokens: usize,
    tree: &'a Node,
    documents: Vec<Row<'a>>,
    skipped: &'a [Skipped],
}

#[derive(Serialize)]
struct Row<'a> {
    path: &'a str,
    bytes: usize,
    lines: usize,
    tokens: usize,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sections: Vec<SectionRow<'a>>,
}

/// A chapter, page, heading or cell with its place among the tokens of the pack.
#[derive(Serialize)]
struct SectionRow<'a> {
    #[serde(flatten)]
    section: &'a Section,
    first_token: usize,
    tokens: usize,
}

pub(super) fn run(args: &PackArgs, config: &Config) -> Result<ExitCode, CliError> {
    let checkpoint = load::checkpoint(config.model.path.given().as_deref())?;
    let tokenizer = checkpoint.tokenizer()?;
    let quote = QuoteModel::recognise(&tokenizer, checkpoint.chat_template()?.is_some());
    let layout = selection::layout(quote.as_ref(), &config.documents)?;
    let pack = read(args, &config.documents, &tokenizer, &layout)?;
    let root = tree(&pack);
    let limit = load::context_limit(&config.model, &checkpoint);
    if let Some(path) = &args.out {
        write_text(&pack, &tokenizer, path)
            .map_err(|e| CliError::Input(format!("{}: cannot be written: {e}", path.display())))?;
    }
    let mut out = BufWriter::new(io::stdout().lock());
    if args.json {
        let report = Report {
            model: &checkpoint.name,
            context_limit: limit,
            fits: root.tokens < limit,
            files: root.files,
            lines: pack.lines(),
            bytes: root.bytes,
            tokens: root.tokens,
            tree: &root,
            documents: rows(&pack),
            skipped: &pack.skipped,
        };
        serde_json::to_writer_pretty(&mut out, &report).map_err(io::Error::from)?;
        writeln!(out)?;
    } else {
        draw(&mut out, &root, args.depth)?;
        left_out(&mut out, &pack.skipped)?;
        summary(&mut out, &pack, &root, limit, &checkpoint.name)?;
    }
    out.flush()?;
    Ok(if root.tokens < limit {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(4)
    })
}

fn read(args: &PackArgs, documents: &Documents, tokenizer: &Tokenizer, layout: &Layout) -> Result<Pack, CliError> {
    let progress = Mutex::new(Progress::new(io::stderr().is_terminal()));
    let report = |p: context::Progress| {
        // Someone else is drawing: this report is as good as theirs.
        if let Ok(mut progress) = progress.try_lock() {
            progress.loading(&Loading {
                files: p.files,
                total_files: p.total_files,
                tokens: p.tokens,
            });
        }
    };
    let mut selection = selection::selection(&args.paths, documents);
    selection.count_left_out = true;
    let cache = selection::cache(documents);
    let loader = Loader {
        tokenizer,
        layout,
        limit: usize::MAX,
        cache: cache.as_ref(),
    };
    let pack = loader.load(&selection, &Interrupt::new(), &report);
    if let Ok(mut progress) = progress.lock() {
        progress.clear();
    }
    pack.map_err(|e| CliError::Input(e.to_string()))
}

fn rows(pack: &Pack) -> Vec<Row<'_>> {
    pack.documents
        .iter()
        .map(|document| Row {
            path: &document.path,
            bytes: document.text.len(),
            lines: document.lines.len(),
            tokens: document.tokens.len(),
            sections: sections(document),
        })
        .collect()
}

fn sections(document: &Document) -> Vec<SectionRow<'_>> {
    let places = (0..).map_while(|index| document.section_tokens(index));
    let row = |(section, tokens): (_, Range<usize>)| SectionRow {
        section,
        first_token: tokens.start,
        tokens: tokens.len(),
    };
    document.sections.iter().zip(places).map(row).collect()
}

/// The packed text, byte for byte what the model reads.
fn write_text(pack: &Pack, tokenizer: &Tokenizer, path: &std::path::Path) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    for id in pack.tokens.iter() {
        file.write_all(tokenizer.token_bytes(*id).unwrap_or_default())?;
    }
    file.flush()
}

fn draw(out: &mut impl Write, root: &Node, depth: usize) -> io::Result<()> {
    writeln!(out, "{:>12}  {:>6}", "tokens", "share")?;
    for child in &root.children {
        branch(out, child, "", root.tokens, depth)?;
    }
    Ok(())
}

fn branch(out: &mut impl Write, node: &Node, indent: &str, total: usize, depth: usize) -> io::Result<()> {
    let share = node.tokens as f64 / total.max(1) as f64;
    let bar = "█".repeat((share * BAR as f64).round() as usize);
    let name = match node.children.len() {
        0 => node.name.clone(),
        _ => format!("{}/  ({})", node.name, format::counted(node.files, "file")),
    };
    let percent = share * 100.0;
    writeln!(
        out,
        "{:>12}  {percent:>5.1}%  {bar:<BAR$}  {indent}{name}",
        format::count(node.tokens)
    )?;
    if depth > 1 {
        for child in &node.children {
            branch(out, child, &format!("{indent}  "), total, depth - 1)?;
        }
    }
    Ok(())
}

/// What was left out: what it would have cost, the dearest first; then what costs nothing, by reason.
fn left_out(out: &mut impl Write, skipped: &[Skipped]) -> io::Result<()> {
    if skipped.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nleft out; --include PATTERN takes in what is text")?;
    let mut dear: Vec<&Skipped> = skipped.iter().filter(|skipped| skipped.tokens.is_some()).collect();
    dear.sort_by_key(|skipped| std::cmp::Reverse(skipped.tokens));
    for one in dear.iter().take(DEAR_SHOWN) {
        let about = if one.estimated { "~" } else { "" };
        let tokens = format!("{about}{}", format::count(one.tokens.unwrap_or_default()));
        writeln!(out, "{tokens:>12}  {}: {}", one.path, one.reason)?;
    }
    if let Some(rest) = dear.get(DEAR_SHOWN..).filter(|rest| !rest.is_empty()) {
        let tokens: usize = rest.iter().filter_map(|one| one.tokens).sum();
        writeln!(
            out,
            "{:>12}  {} more; --json lists them all",
            format::count(tokens),
            format::count(rest.len())
        )?;
    }
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for one in skipped.iter().filter(|skipped| skipped.tokens.is_none()) {
        match reasons.iter_mut().find(|(reason, _)| *reason == one.reason) {
            Some((_, paths)) => paths.push(&one.path),
            None => reasons.push((&one.reason, vec![&one.path])),
        }
    }
    for (reason, paths) in reasons {
        let named = paths[..paths.len().min(NAMED)].join(", ");
        let more = match paths.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {} more", format::count(more)),
        };
        writeln!(out, "{:>12}  {reason}: {named}{more}", "")?;
    }
    Ok(())
}

fn summary(out: &mut impl Write, pack: &Pack, root: &Node, limit: usize, model: &str) -> io::Result<()> {
    writeln!(
        out,
        "\n{}, {}, {} bytes: {} of {model}'s {} tokens ({}%)",
        format::counted(root.files, "file"),
        format::counted(pack.lines(), "line"),
        format::count(root.bytes),
        format::count(root.tokens),
        format::count(limit),
        format::percent(root.tokens, limit)
    )?;
    if root.tokens >= limit {
        let sizes = pack.documents.iter().map(|d| (d.path.clone(), d.tokens.len()));
        let too_large = TooLarge {
            tokens: root.tokens,
            limit,
            files_read: root.files,
            total_files: root.files,
            sizes: sizes.collect(),
        };
        writeln!(out, "\n{too_large}")?;
    }
    Ok(())
}
