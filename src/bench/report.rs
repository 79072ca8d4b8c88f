//! Times beside what was counted and what the machine can do.

use std::fmt::Write as _;

use serde::Serialize;

use super::{Case, Cost, Footprint, Measurement};
use crate::compute::Residency;
use crate::compute::cpu::ceilings::Ceilings;
use crate::model::{Dtype, ModelConfig};

/// Everything a benchmark says: what ran on what, and a row for each case.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    pub model: String,
    /// What most weights are stored as.
    pub weights: String,
    pub footprint: Footprint,
    pub backend: String,
    /// What a card had in it, when everything had been measured.
    pub card: Option<Residency>,
    pub threads: usize,
    /// Tokens of a prefill tile, and of a slab.
    pub tile: usize,
    pub slab: usize,
    /// What the machine can do at most, if that was measured.
    pub ceilings: Option<Ceilings>,
    /// Which of the ceilings the products are set against.
    pub ceiling: Option<Ceiling>,
    pub rows: Vec<Row>,
}

/// One case.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    pub test: String,
    pub tokens: usize,
    pub depth: usize,
    /// Of each run, in order.
    pub seconds: Vec<f64>,
    pub tokens_per_second: Spread,
    /// Operations of a run, as counted ([`mod@super::count`]).
    pub operations: Cost,
    pub operations_per_second: f64,
    /// Share of the ceiling of products.
    pub of_ceiling: Option<f64>,
    /// Bytes a run must read and write at least; only decoding is limited by that.
    pub bytes: Option<f64>,
    pub bytes_per_second: Option<f64>,
    /// Share of the ceiling of reading.
    pub of_read: Option<f64>,
    pub peak_memory: Option<u64>,
}

/// Of several runs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    pub median: f64,
    pub min: f64,
    pub max: f64,
}

impl Spread {
    /// # Panics
    /// If there are no values.
    #[must_use]
    pub fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let (low, high) = (values[(values.len() - 1) / 2], values[values.len() / 2]);
        Self {
            median: f64::midpoint(low, high),
            min: values[0],
            max: values[values.len() - 1],
        }
    }
}

/// A limit of products.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Ceiling {
    pub name: &'static str,
    /// Operations a second.
    pub rate: f64,
}

/// The ceiling of products with weights stored as `dtype`: that of the narrowest arithmetic that they allow.
#[must_use]
pub fn ceiling_of(dtype: Dtype, ceilings: &Ceilings) -> Ceiling {
    let f32 = Ceiling {
        name: "f32",
        rate: ceilings.f32,
    };
    match dtype {
        Dtype::F32 => f32,
        Dtype::F16 | Dtype::Bf16 => ceilings.bf16.map_or(f32, |rate| Ceiling { name: "bf16", rate }),
        _ => ceilings.int8.map_or(f32, |rate| Ceiling { name: "int8", rate }),
    }
}

impl Report {
    /// Adds the row of `measurement`.
    pub fn push(&mut self, config: &ModelConfig, measurement: Measurement) {
        let Measurement {
            case,
            seconds,
            peak_memory,
        } = measurement;
        let (tokens, depth) = (case.tokens(), case.depth());
        let (operations, bytes) = match case {
            Case::Prefill { .. } => (Cost::of(config, 0..tokens, 1), None),
            Case::Decode { .. } => {
                let bytes = (depth..depth + tokens).map(|position| self.footprint.decode(config, position));
                (Cost::of(config, depth..depth + tokens, tokens), Some(bytes.sum()))
            }
        };
        let median = Spread::of(seconds.clone()).median;
        let bytes_per_second = bytes.map(|bytes: f64| bytes / median);
        let operations_per_second = operations.total() / median;
        self.rows.push(Row {
            test: name(case),
            tokens,
            depth,
            tokens_per_second: Spread::of(seconds.iter().map(|seconds| tokens as f64 / seconds).collect()),
            seconds,
            operations,
            operations_per_second,
            of_ceiling: self.ceiling.map(|ceiling| operations_per_second / ceiling.rate),
            bytes,
            bytes_per_second,
            of_read: bytes_per_second
                .zip(self.ceilings)
                .map(|(rate, ceilings)| rate / ceilings.read),
            peak_memory,
        });
    }

    /// For people: what ran, the ceilings, a table.
    #[must_use]
    pub fn text(&self) -> String {
        let footprint = &self.footprint;
        let mut text = format!(
            "{}, {}: {} M weights, {}\n{}\n",
            self.model,
            self.weights,
            footprint.parameters / 1_000_000,
            megabytes(footprint.weight_bytes),
            self.backend,
        );
        if let Some(card) = &self.card {
            let _ = writeln!(text, "{}", of_card(card));
        }
        if let Some(measured) = &self.ceilings {
            let _ = writeln!(text, "{}", ceilings(measured));
        }
        text.push('\n');
        let head = [
            String::new(),
            "tok/s".to_owned(),
            "min".to_owned(),
            "max".to_owned(),
            "GOP/s".to_owned(),
            self.ceiling
                .map_or_else(String::new, |ceiling| format!("of {}", ceiling.name)),
            "GB/s".to_owned(),
            "of read".to_owned(),
            "peak".to_owned(),
        ];
        let rows = self.rows.iter().map(cells);
        let table: Vec<_> = std::iter::once(head).chain(rows).collect();
        for line in &table {
            for (column, cell) in line.iter().enumerate() {
                let width = table.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
                let _ = if column == 0 {
                    write!(text, "{cell:<width$}")
                } else {
                    write!(text, "  {cell:>width$}")
                };
            }
            text.truncate(text.trim_end().len());
            text.push('\n');
        }
        text
    }
}

/// What a card had in it, in a line: how full it was, and how experts fared that have no room.
#[must_use]
pub fn of_card(card: &Residency) -> String {
    let mut line = format!(
        "at most {} of {} of the card in use",
        megabytes(card.most),
        megabytes(card.memory)
    );
    if card.experts > 0 {
        let _ = write!(
            line,
            "; {} of {} experts have room, {} were copied",
            card.places,
            card.experts,
            megabytes(card.copied)
        );
        if card.asked > 0 {
            let share = percent(card.there as f64 / card.asked as f64);
            let _ = write!(line, ", {share} of {} were there for single tokens", card.asked);
        }
    }
    line
}

fn cells(row: &Row) -> [String; 9] {
    let Spread { median, min, max } = row.tokens_per_second;
    let none = || "–".to_owned();
    [
        row.test.clone(),
        number(median),
        number(min),
        number(max),
        number(row.operations_per_second / 1e9),
        row.of_ceiling.map_or_else(none, percent),
        row.bytes_per_second.map_or_else(none, |rate| number(rate / 1e9)),
        row.of_read.map_or_else(none, percent),
        row.peak_memory.map_or_else(none, megabytes),
    ]
}

/// `prefill 4096`, `decode 64 at 32768`
#[must_use]
pub fn name(case: Case) -> String {
    match case {
        Case::Prefill { tokens } => format!("prefill {tokens}"),
        Case::Decode { tokens, depth: 0 } => format!("decode {tokens}"),
        Case::Decode { tokens, depth } => format!("decode {tokens} at {depth}"),
    }
}

/// The ceilings in a line.
#[must_use]
pub fn ceilings(ceilings: &Ceilings) -> String {
    let giga = |rate: f64| number(rate / 1e9);
    let mut line = format!(
        "{} {}: read {} GB/s, f32 {} GFLOP/s",
        ceilings.threads,
        if ceilings.threads == 1 { "thread" } else { "threads" },
        giga(ceilings.read),
        giga(ceilings.f32)
    );
    if let Some(rate) = ceilings.bf16 {
        let _ = write!(line, ", bf16 {} GFLOP/s", giga(rate));
    }
    if let Some(rate) = ceilings.int8 {
        let _ = write!(line, ", int8 {} GOP/s", giga(rate));
    }
    line
}

/// Three digits or more: `0.31`, `46.2`, `257`.
fn number(value: f64) -> String {
    match value {
        v if v < 9.995 => format!("{v:.2}"),
        v if v < 99.95 => format!("{v:.1}"),
        v => format!("{v:.0}"),
    }
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

fn megabytes(bytes: u64) -> String {
    format!("{:.0} MB", bytes as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::{Shape, synthetic};
    use crate::compute::cpu::KvType;

    #[test]
    fn the_median_of_an_even_number_of_runs_lies_between_the_middle_two() {
        let spread = Spread::of(vec![4.0, 1.0, 2.0, 10.0]);
        assert_eq!((spread.median, spread.min, spread.max), (3.0, 1.0, 10.0));
        assert!((Spread::of(vec![7.0]).median - 7.0).abs() < f64::EPSILON);
    }

    #[test]
    fn rates_are_the_counts_over_the_median_time() {
        let config = Shape::named("tiny").unwrap().config();
        let footprint = Footprint::of(&config, &synthetic(&config, Dtype::Bf16), KvType::F32);
        let ceilings = Ceilings {
            threads: 2,
            read: 30e9,
            f32: 200e9,
            bf16: Some(400e9),
            int8: None,
        };
        let mut report = Report {
            model: "tiny".to_owned(),
            weights: "bf16".to_owned(),
            footprint,
            backend: "2 threads".to_owned(),
            card: Some(Residency {
                memory: 24_000_000_000,
                most: 1_200_000_000,
                experts: 2560,
                places: 320,
                asked: 1000,
                there: 830,
                copied: 5_000_000_000,
            }),
            threads: 2,
            tile: 1024,
            slab: 4096,
            ceilings: Some(ceilings),
            ceiling: Some(ceiling_of(Dtype::Bf16, &ceilings)),
            rows: Vec::new(),
        };
        for (case, seconds) in [
            (Case::Prefill { tokens: 512 }, vec![0.5, 0.25, 1.0]),
            (Case::Decode { tokens: 4, depth: 100 }, vec![0.001]),
        ] {
            report.push(
                &config,
                Measurement {
                    case,
                    seconds,
                    peak_memory: Some(5_000_000),
                },
            );
        }
        let [prefill, decode] = report.rows.as_slice() else {
            panic!("two rows")
        };
        assert!((prefill.tokens_per_second.median - 1024.0).abs() < 1e-9);
        let counted = Cost::of(&config, 0..512, 1).total();
        assert!((prefill.operations_per_second - counted / 0.5).abs() < 1.0);
        assert!((prefill.of_ceiling.unwrap() - counted / 0.5 / 400e9).abs() < 1e-12);
        assert_eq!(prefill.bytes, None);
        let bytes: f64 = (100..104).map(|p| footprint.decode(&config, p)).sum();
        assert!((decode.bytes.unwrap() - bytes).abs() < 1e-6);
        let text = report.text();
        assert!(
            text.contains("2 threads: read 30.0 GB/s, f32 200 GFLOP/s, bf16 400 GFLOP/s\n"),
            "{text}"
        );
        assert!(text.contains("\nprefill 512 "), "{text}");
        assert!(text.lines().last().unwrap().ends_with("5 MB"), "{text}");
    }
}
