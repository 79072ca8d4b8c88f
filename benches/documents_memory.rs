//! How much memory documents take while they become a pack: `[TOKENIZER=FOLDER] cargo bench --bench documents_memory
//! [-- PATH…]`. Counting it is slow, so this is not the bench of the time.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a bench that fails has failed")]

#[allow(dead_code, reason = "each bench uses its part")]
mod common;

use common::{Documents, bytes};
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

fn main() {
    let documents = Documents::new();
    for (what, kept) in [("nothing kept", false), ("kept first", true), ("all kept", true)] {
        let before = MEMORY.current_usage();
        MEMORY.reset_peak_usage();
        let pack = documents.load(kept);
        let most = (MEMORY.peak_usage() - before) as f64;
        let after = (MEMORY.current_usage() - before) as f64;
        let text = bytes(&pack) as f64;
        println!(
            "{what:<13} {:.1} MB of text, {} tokens: at most {:.1} MB, {:.1} times the text; then {:.1} MB",
            text / 1e6,
            pack.tokens.len(),
            most / 1e6,
            most / text,
            after / 1e6
        );
    }
}
