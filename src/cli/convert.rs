//! `thunderhead convert`: a model becomes one GGUF file.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use super::args::ConvertArgs;
use super::error::CliError;
use super::load;
use super::progress::Progress;
use crate::compute::Interrupt;
use crate::config::Config;
use crate::convert::{self, Plan};
use crate::tui::format;

pub(super) fn run(args: &ConvertArgs, config: &Config) -> Result<ExitCode, CliError> {
    let checkpoint = load::checkpoint(config.model.path.given().as_deref())?;
    let plan = Plan::new(&checkpoint, args.to.0)?;
    for note in &plan.notes {
        let _ = writeln!(io::stderr(), "note: {note}");
    }
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(config.model.threads.size())
        .build()
        .map_err(|e| CliError::Engine(format!("cannot start threads: {e}")))?;
    let interrupt = Interrupt::new();
    stop_on_signals(&interrupt)?;

    let mut progress = Progress::new(io::stderr().is_terminal());
    let began = Instant::now();
    let written = convert::run(&plan, &args.out, &pool, &interrupt, |now| {
        progress.line(|| describe(&now, began.elapsed()));
    });
    progress.clear();
    let summary = written?;

    let types: Vec<String> = plan
        .types()
        .iter()
        .map(|(dtype, n)| format!("{n} {}", dtype.name()))
        .collect();
    let bits = summary.bytes as f64 * 8.0 / plan.weights() as f64;
    let mut out = io::stdout().lock();
    writeln!(out, "{}", args.out.display())?;
    writeln!(
        out,
        "{} · {} weights · {bits:.2} bits each · tensors: {}",
        size(summary.bytes),
        format::count(plan.weights()),
        types.join(", ")
    )?;
    if summary.kept > 0 {
        writeln!(out, "{} of it were there from an earlier run", size(summary.kept))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn describe(now: &convert::Progress<'_>, elapsed: Duration) -> String {
    let mut items = vec![
        now.tensor.to_owned(),
        format!(
            "{} / {} ({}%)",
            size(now.done),
            size(now.total),
            format::percent(now.done as usize, now.total as usize)
        ),
    ];
    let rate = now.done.saturating_sub(now.kept) as f64 / elapsed.as_secs_f64();
    if rate.is_finite() && rate > 0.0 {
        let left = Duration::from_secs_f64(now.total.saturating_sub(now.done) as f64 / rate);
        items.extend([
            format!("{}/s", size(rate as u64)),
            format!("ETA {}", format::clock(left)),
        ]);
    }
    items.join(" · ")
}

/// Bytes, for people.
fn size(bytes: u64) -> String {
    let bytes = bytes as f64;
    match bytes {
        b if b < 1e6 => format!("{:.0} KB", b / 1e3),
        b if b < 1e9 => format!("{:.1} MB", b / 1e6),
        b => format!("{:.1} GB", b / 1e9),
    }
}

/// Ctrl-C and what else ends a process: the conversion stops at the next block, and what is done is kept.
#[cfg(unix)]
fn stop_on_signals(interrupt: &Interrupt) -> io::Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    let interrupt = interrupt.clone();
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        for _ in signals.forever() {
            interrupt.raise();
        }
    })?;
    Ok(())
}

/// Elsewhere the process ends at once; what is done is kept all the same.
#[cfg(not(unix))]
fn stop_on_signals(_: &Interrupt) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_in_words() {
        let now = convert::Progress {
            tensor: "blk.3.ffn_up_exps.weight",
            done: 1_200_000_000,
            total: 3_400_000_000,
            kept: 200_000_000,
        };
        assert_eq!(
            describe(&now, Duration::from_secs(5)),
            "blk.3.ffn_up_exps.weight · 1.2 GB / 3.4 GB (35%) · 200.0 MB/s · ETA 0:11"
        );
        assert_eq!(
            describe(
                &convert::Progress {
                    done: 0,
                    kept: 0,
                    ..now
                },
                Duration::ZERO
            ),
            "blk.3.ffn_up_exps.weight · 0 KB / 3.4 GB (0%)"
        );
    }
}
