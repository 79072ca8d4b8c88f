//! A card's kernels, held against the plain implementation and then against what the card can do at most.
//!
//! Nothing here launches a kernel: the operations do, on shapes that are given, and a driver in between (`timed`) repeats and times
//! what they launch. So what is timed is what runs, with the grids and arguments that it runs with. `work` says what a launch moves and
//! computes.

mod shapes;
mod suite;
mod timed;
mod work;

use std::fmt::Write as _;

use serde::Serialize;

use crate::compute::ComputeError;
use crate::compute::cuda::Driver;
use crate::plan::Card;

pub use shapes::{M1, Sizes};
pub use suite::Checked;
pub use work::{Unit, Work};

/// One kernel at one shape.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    pub kernel: String,
    pub shape: String,
    /// Of a launch.
    pub seconds: f64,
    /// How many launches were timed together; one where a kernel changes what it reads.
    pub launches: usize,
    pub bytes: f64,
    pub operations: f64,
    pub bytes_per_second: f64,
    pub operations_per_second: f64,
    /// The least time that the card's memory and tensor cores allow, if the card is known.
    pub least: Option<f64>,
    /// Share of that which was reached.
    pub reached: Option<f64>,
    /// What limits it.
    pub bound: Option<&'static str>,
}

/// What a card has shown.
#[derive(Debug, Clone, Serialize)]
pub struct KernelReport {
    pub card: String,
    pub shape: String,
    pub checks: Vec<Checked>,
    pub rows: Vec<Row>,
}

impl KernelReport {
    /// Whether every number was as near as it must be.
    #[must_use]
    pub fn is_right(&self) -> bool {
        self.checks.iter().all(Checked::is_right)
    }
}

/// Checks a card and times it. `said` hears of each step.
///
/// # Errors
/// If the card fails.
pub fn kernels<D: Driver>(
    card: D,
    name: &str,
    sizes: &Sizes,
    said: &mut dyn FnMut(&str),
) -> Result<KernelReport, ComputeError> {
    let timed = timed::Timed::new(card);
    let checks = suite::run(&timed, said)?;
    let known = Card::named(name);
    let times = shapes::run(&timed, sizes, said)?;
    let rows = times.into_iter().map(|time| row(time, known.as_ref())).collect();
    Ok(KernelReport {
        card: name.to_owned(),
        shape: sizes.words(),
        checks,
        rows,
    })
}

fn row(time: timed::Time, card: Option<&Card>) -> Row {
    let timed::Time {
        kernel,
        work,
        seconds,
        launches,
    } = time;
    let memory = card.map(|card| work.bytes / card.memory);
    // What single units compute is limited by memory long before.
    let products = card.map(|card| match work.unit {
        Unit::Tensor => work.operations / card.tensor,
        Unit::Single => 0.0,
    });
    let least = memory.zip(products).map(|(memory, products)| memory.max(products));
    Row {
        bound: memory
            .zip(products)
            .map(|(memory, products)| if memory >= products { "memory" } else { "tensor" }),
        bytes_per_second: work.bytes / seconds,
        operations_per_second: work.operations / seconds,
        reached: least.map(|least| least / seconds),
        least,
        kernel,
        shape: work.shape,
        seconds,
        launches,
        bytes: work.bytes,
        operations: work.operations,
    }
}

impl KernelReport {
    /// For people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!("{}\n", self.card);
        for check in &self.checks {
            let word = if check.is_right() { "ok   " } else { "WRONG" };
            let _ = writeln!(
                text,
                "{word}  {}: off by {:.1e}, at most {:.0e}",
                check.what, check.off, check.allowed
            );
        }
        let _ = writeln!(text, "\n{}", self.shape);
        let head = ["", "", "µs", "GB/s", "TFLOP/s", "of roofline", "bound"].map(str::to_owned);
        let none = || "–".to_owned();
        let rows = self.rows.iter().map(|row| {
            [
                row.kernel.clone(),
                row.shape.clone(),
                format!("{:.1}", row.seconds * 1e6),
                format!("{:.0}", row.bytes_per_second / 1e9),
                format!("{:.2}", row.operations_per_second / 1e12),
                row.reached.map_or_else(none, |share| format!("{:.0} %", share * 100.0)),
                row.bound.map_or_else(none, str::to_owned),
            ]
        });
        let table: Vec<_> = std::iter::once(head).chain(rows).collect();
        for line in &table {
            for (column, cell) in line.iter().enumerate() {
                let width = table.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
                let _ = match column {
                    0 => write!(text, "{cell:<width$}"),
                    1 => write!(text, "  {cell:<width$}"),
                    _ => write!(text, "  {cell:>width$}"),
                };
            }
            text.truncate(text.trim_end().len());
            text.push('\n');
        }
        text
    }
}
