//! How fast documents become a pack: `cargo bench --bench documents [-- PATH…]`.
//!
//! Without a path, copies of this program's source, each with lines of its own, are packed until they are a million tokens.
//! Two figures: with nothing kept from before, and with everything kept.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a bench that fails has failed")]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use thunderhead::compute::Interrupt;
use thunderhead::context::{Cache, Loader, Pack, Selection};
use thunderhead::conversation::QuoteModel;
use thunderhead::model::bundled;

const TOKENS: usize = 1_000_000;
const RUNS: usize = 5;

fn main() {
    let named: Vec<PathBuf> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with("--"))
        .map(PathBuf::from)
        .collect();
    let scratch = std::env::temp_dir().join(format!("thunderhead-bench-{}", std::process::id()));
    let paths = if named.is_empty() {
        vec![copies(&scratch.join("tree"))]
    } else {
        named
    };
    let tokenizer = bundled().unwrap().tokenizer().unwrap();
    let layout = QuoteModel::recognise(&tokenizer, false).unwrap().layout();
    let selection = Selection::of(paths);
    let load = |cache: Option<&Path>| -> (Pack, Duration) {
        let cache = cache.map(Cache::open);
        let loader = Loader {
            tokenizer: &tokenizer,
            layout: &layout,
            limit: usize::MAX,
            cache: cache.as_ref(),
        };
        let began = Instant::now();
        let pack = loader.load(&selection, &Interrupt::new(), &|_| ()).unwrap();
        (pack, began.elapsed())
    };
    let best = |cache: Option<&Path>| (0..RUNS).map(|_| load(cache)).min_by_key(|run| run.1).unwrap();
    let store = scratch.join("cache");
    let (pack, fresh) = best(None);
    let bytes: usize = pack.documents.iter().map(|document| document.text.len()).sum();
    println!(
        "{} files, {:.1} MB, {} tokens",
        pack.documents.len(),
        bytes as f64 / 1e6,
        pack.tokens.len()
    );
    report("nothing kept", &pack, bytes, fresh);
    load(Some(&store));
    let (pack, kept) = best(Some(&store));
    report("all kept", &pack, bytes, kept);
    let _ = fs::remove_dir_all(&scratch);
}

fn report(what: &str, pack: &Pack, bytes: usize, took: Duration) {
    let seconds = took.as_secs_f64();
    println!(
        "{what:<13} {seconds:6.3} s  {:6.2} M tokens/s  {:6.1} MB/s",
        pack.tokens.len() as f64 / seconds / 1e6,
        bytes as f64 / seconds / 1e6
    );
}

/// About as many tokens of source code as a context holds, no two files alike.
fn copies(to: &Path) -> PathBuf {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources = Vec::new();
    let mut folders = vec![from];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                sources.push(fs::read_to_string(path).unwrap());
            }
        }
    }
    sources.sort();
    // The bundled tokenizer takes about two tokens for three bytes, with the numbers of lines.
    let mut left = TOKENS * 2;
    for copy in 0.. {
        for (index, source) in sources.iter().enumerate() {
            let folder = to.join(format!("{copy:02}/{:02}", index % 20));
            fs::create_dir_all(&folder).unwrap();
            let mut own = String::new();
            for (n, line) in source.lines().enumerate() {
                writeln!(own, "{line} // {}", copy * 7 + n % 90).unwrap();
            }
            fs::write(folder.join(format!("{index:03}.rs")), &own).unwrap();
            left = left.saturating_sub(own.len());
            if left == 0 {
                return to.to_owned();
            }
        }
    }
    to.to_owned()
}
