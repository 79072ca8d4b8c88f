//! `thunderhead cache`: what is kept on the disk of what models have read.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::SystemTime;

use serde_json::json;

use super::args::CacheCommand;
use super::error::CliError;
use super::selection;
use crate::config::{Config, shown};
use crate::engine::{Damage, Freed, Kept, Library};
use crate::tui::format;

pub(super) fn run(command: &CacheCommand, config: &Config) -> Result<ExitCode, CliError> {
    let Some(folder) = selection::snapshots(&config.snapshots) else {
        return Err(CliError::Usage(
            "nothing is kept: snapshots are off (--snapshots, snapshots.folder), or there is no home for them"
                .to_owned(),
        ));
    };
    let library = Library::open(&folder);
    let mut out = io::stdout().lock();
    match command {
        CacheCommand::List { json: true, .. } => {
            let (models, damaged) = library.list();
            let models: Vec<_> = models.iter().map(object).collect();
            let damaged: Vec<_> = damaged.iter().map(|damage| damage.path.display().to_string()).collect();
            let all = json!({ "folder": folder, "bytes": library.bytes(), "models": models, "damaged": damaged });
            writeln!(out, "{all}")?;
        }
        CacheCommand::List { json: false, .. } => list(&library, &folder, &mut out)?,
        CacheCommand::Verify { remove, .. } => return verify(&library, &folder, *remove, &mut out),
        CacheCommand::Prune { to, .. } => {
            let Freed { files, bytes } = library.prune(to.unwrap_or(config.snapshots.budget).0);
            let left = format::bytes(library.bytes());
            let files = format::counted(files, "file");
            writeln!(out, "removed {files}, {}; {left} are left", format::bytes(bytes))?;
        }
        CacheCommand::Size { bytes: true, .. } => writeln!(out, "{}", library.bytes())?,
        CacheCommand::Size { bytes: false, .. } => {
            let (used, budget) = (format::bytes(library.bytes()), format::bytes(config.snapshots.budget.0));
            writeln!(out, "{used} of {budget} in {}", shown(&folder))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn list(library: &Library, folder: &Path, out: &mut dyn Write) -> Result<(), CliError> {
    let (models, damaged) = library.list();
    if models.is_empty() && damaged.is_empty() {
        writeln!(out, "nothing is kept in {}", shown(folder))?;
    }
    for kept in &models {
        let longest = format::counted(kept.longest as usize, "token");
        writeln!(out, "{}: up to {longest}, {}", kept.model, format::bytes(kept.bytes))?;
        let places = format::counted(kept.places, "place");
        let tokens = format::counted(kept.tokens as usize, "token");
        let files = format::counted(kept.files, "file");
        writeln!(
            out,
            "    {places}, keys and values of {tokens}, {files}, used {}",
            ago(kept.used)
        )?;
        writeln!(out, "    {}", kept.numerics)?;
    }
    for damage in damaged {
        writeln!(out, "{}", told(&damage))?;
    }
    Ok(())
}

fn verify(library: &Library, folder: &Path, remove: bool, out: &mut dyn Write) -> Result<ExitCode, CliError> {
    let mut read = 0;
    let (right, damaged) = library.verify(&mut |bytes| read += bytes);
    for damage in &damaged {
        writeln!(out, "{}", told(damage))?;
        if remove {
            library.remove(damage)?;
        }
    }
    let files = format::counted(right, "file");
    writeln!(
        out,
        "{files} as written, {} damaged, {} read in {}",
        damaged.len(),
        format::bytes(read),
        shown(folder)
    )?;
    if damaged.is_empty() || remove {
        return Ok(ExitCode::SUCCESS);
    }
    writeln!(
        out,
        "what is damaged is never used; `thunderhead cache verify --remove` removes it"
    )?;
    Ok(ExitCode::FAILURE)
}

fn told(damage: &Damage) -> String {
    format!("damaged: {}: {}", shown(&damage.path), damage.what)
}

fn object(kept: &Kept) -> serde_json::Value {
    let used = kept.used.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    json!({
        "model": kept.model,
        "numerics": kept.numerics,
        "files": kept.files,
        "bytes": kept.bytes,
        "places": kept.places,
        "tokens": kept.tokens,
        "longest": kept.longest,
        "used": used.as_secs(),
    })
}

/// `just now`, `5 minutes ago`, `3 hours ago`, `12 days ago`
fn ago(used: SystemTime) -> String {
    let seconds = used.elapsed().unwrap_or_default().as_secs() as usize;
    let counted = |count, unit| format!("{} ago", format::counted(count, unit));
    match seconds {
        0..60 => "just now".to_owned(),
        60..3600 => counted(seconds / 60, "minute"),
        3600..86400 => counted(seconds / 3600, "hour"),
        _ => counted(seconds / 86400, "day"),
    }
}
