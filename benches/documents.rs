//! How fast documents become a pack: `[TOKENIZER=FOLDER] cargo bench --bench documents [-- PATH…]`.
//!
//! With nothing kept from before, and with everything kept. Without a path, copies of this program's source are packed, no
//! two alike, until they are about a million tokens.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a bench that fails has failed")]

#[allow(dead_code, reason = "each bench uses its part")]
mod common;

use std::time::Instant;

use common::{Documents, bytes};

const RUNS: usize = 5;

fn main() {
    let documents = Documents::new();
    let pack = documents.load(true);
    let (files, bytes, tokens) = (
        pack.documents.len(),
        bytes(&pack) as f64 / 1e6,
        pack.tokens.len() as f64,
    );
    println!("{files} files, {bytes:.1} MB, {tokens} tokens");
    for (what, kept) in [("nothing kept", false), ("all kept", true)] {
        let mut times: Vec<f64> = (0..RUNS)
            .map(|_| {
                let began = Instant::now();
                documents.load(kept);
                began.elapsed().as_secs_f64()
            })
            .collect();
        times.sort_by(f64::total_cmp);
        let median = times[RUNS / 2];
        println!(
            "{what:<13} {median:.3} s  {:6.2} M tokens/s  {:6.1} MB/s",
            tokens / median / 1e6,
            bytes / median
        );
    }
}
