//! What the tests of this room share: packs of a few lines, without files.

use std::fmt::Write as _;

use crate::context::{Document, Layout, Loader, Pack, RunningLines, Selection};
use crate::model::Tokenizer;

pub(super) const ADDED: [&str; 8] = ["<pad>", "<file>", "<ln>", "<q>", "<a>", "<think>", "</think>", "<eos>"];

pub(super) fn tokenizer() -> Tokenizer {
    Tokenizer::for_tests(&ADDED)
}

/// A pack of the bundled model's layout, read from files as ever.
pub(super) fn pack(files: &[(&str, &str)]) -> Pack {
    pack_as(&Layout::RunningLines(RunningLines { file: 1, line: 2 }), files)
}

pub(super) fn pack_as(layout: &Layout, files: &[(&str, &str)]) -> Pack {
    let dir = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = dir.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let selection = Selection::of(files.iter().map(|(path, _)| dir.path().join(path)).collect());
    let interrupt = crate::compute::Interrupt::new();
    let loader = Loader {
        tokenizer: &tokenizer(),
        layout,
        limit: usize::MAX,
        cache: None,
    };
    let mut pack = loader.load(&selection, &interrupt, &|_| ()).unwrap();
    for (Document { path, .. }, (short, _)) in pack.documents.iter_mut().zip(files) {
        path.clear();
        write!(path, "{short}").unwrap();
    }
    pack
}
