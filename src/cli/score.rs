//! `thunderhead score`: what a model thinks of given tokens.

use std::io::{self, IsTerminal, Read, Write};
use std::path::Path;
use std::process::ExitCode;

use serde_json::Value;

use super::args::ScoreArgs;
use super::error::CliError;
use super::load::{self, AnyNetwork};
use crate::compute::{Backend, Interrupt};
use crate::config::Config;
use crate::engine::{Network, Score, score};
use crate::model::Checkpoint;

pub(super) fn run(args: &ScoreArgs, config: &Config) -> Result<ExitCode, CliError> {
    let checkpoint = load::checkpoint(config.model.path.given().as_deref())?;
    let tokens = match (&args.input.tokens, &args.input.text) {
        (Some(path), _) => ids(path, &read(path)?)?,
        (None, Some(path)) => text(path, read(path)?, &checkpoint)?,
        (None, None) => unreachable!("clap asks for one of them"),
    };
    let vocab = checkpoint.config.vocab;
    if let Some(id) = tokens.iter().find(|id| **id as usize >= vocab) {
        return Err(CliError::Input(format!(
            "token id {id} is outside of the model's vocabulary of {vocab} ids"
        )));
    }
    if tokens.is_empty() {
        return Err(CliError::Input(
            "there are no tokens to score; expected at least one".to_owned(),
        ));
    }
    let (unused, tile) = (checkpoint.unused_ids(), config.model.tile.size());
    let result = match load::network(&config.model, &checkpoint)? {
        AnyNetwork::Cpu(network) => on(&network, &tokens, unused, args, tile)?,
        AnyNetwork::Reference(network) => on(&network, &tokens, unused, args, tile)?,
        AnyNetwork::Cuda(network) => on(&network, &tokens, unused, args, tile)?,
    };
    let mut out = io::stdout().lock();
    if args.json {
        serde_json::to_writer(&mut out, &result).map_err(io::Error::from)?;
        writeln!(out)?;
    } else {
        print(&mut out, &result, tokens.len(), &checkpoint)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn on<B: Backend>(
    network: &Network<B>,
    tokens: &[u32],
    unused: Vec<u32>,
    args: &ScoreArgs,
    tile: usize,
) -> Result<Score, CliError> {
    let show_progress = io::stderr().is_terminal();
    let total = tokens.len();
    let score = score(
        network,
        tokens,
        unused,
        args.continuation,
        tile,
        &Interrupt::new(),
        |done| {
            if show_progress && total > 1 {
                let _ = write!(io::stderr(), "\rscored {done} / {total} tokens");
            }
        },
    );
    if show_progress {
        let _ = write!(io::stderr(), "\r\x1b[K");
    }
    Ok(score?)
}

fn print(out: &mut impl Write, score: &Score, tokens: usize, checkpoint: &Checkpoint) -> io::Result<()> {
    writeln!(out, "tokens       {tokens}")?;
    match score.perplexity() {
        Some(perplexity) => writeln!(out, "perplexity   {perplexity:.4}")?,
        None => writeln!(out, "perplexity   none: a single token predicts nothing")?,
    }
    if !score.continuation.is_empty() {
        let ids: Vec<String> = score.continuation.iter().map(u32::to_string).collect();
        writeln!(out, "continuation {}", ids.join(" "))?;
        if let Ok(tokenizer) = checkpoint.tokenizer() {
            let bytes: Vec<u8> = score
                .continuation
                .iter()
                .flat_map(|id| tokenizer.token_bytes(*id).unwrap_or_default())
                .copied()
                .collect();
            writeln!(out, "             {:?}", String::from_utf8_lossy(&bytes))?;
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>, CliError> {
    let read = if path == Path::new("-") {
        let mut bytes = Vec::new();
        io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        std::fs::read(path)
    };
    read.map_err(|e| CliError::Input(format!("{}: cannot be read: {e}", path.display())))
}

fn ids(path: &Path, bytes: &[u8]) -> Result<Vec<u32>, CliError> {
    let wrong = |what: &str| {
        CliError::Input(format!(
            "{}: {what}; expected a JSON list of token ids, or an object with one as `tokens`",
            path.display()
        ))
    };
    let json: Value = serde_json::from_slice(bytes).map_err(|e| wrong(&format!("not JSON: {e}")))?;
    let list = json
        .as_array()
        .or_else(|| json["tokens"].as_array())
        .ok_or_else(|| wrong("no list found"))?;
    list.iter()
        .map(|id| id.as_u64().and_then(|id| u32::try_from(id).ok()))
        .collect::<Option<_>>()
        .ok_or_else(|| wrong("the list holds something that is not a token id"))
}

fn text(path: &Path, bytes: Vec<u8>, checkpoint: &Checkpoint) -> Result<Vec<u32>, CliError> {
    let text =
        String::from_utf8(bytes).map_err(|e| CliError::Input(format!("{}: not UTF-8 text: {e}", path.display())))?;
    Ok(checkpoint.tokenizer()?.encode(&text))
}
