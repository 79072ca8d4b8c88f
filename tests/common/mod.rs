//! What the integration tests share.
#![allow(dead_code, reason = "each test crate uses its part")]

pub mod gguf;
pub mod models;

use std::path::{Path, PathBuf};

use thunderhead::compute::cpu::Cpu;
use thunderhead::context::Selection;
use thunderhead::conversation::{Event, Handle, Past, QuoteModel, Setup, start};
use thunderhead::engine::{Cut, Engine, EngineOptions, GenerateOptions, Network, Submit, Vocabulary};
use thunderhead::model::{Checkpoint, bundled};

/// The folder of one golden checkpoint.
pub fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens").join(name)
}

/// The folders of all golden checkpoints.
pub fn goldens() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = std::fs::read_dir(golden(""))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("golden.json").exists())
        .collect();
    folders.sort();
    assert!(folders.len() >= 8, "goldens are missing");
    folders
}

/// A conversation with the bundled model about `paths`.
pub fn talk(paths: &[PathBuf], grounded: bool, on_event: impl FnMut(Event) + Send + 'static) -> Handle {
    talk_with(
        bundled().unwrap(),
        paths,
        grounded,
        GenerateOptions::default(),
        on_event,
    )
}

/// A conversation with a model of the bundled one's kind about `paths`.
pub fn talk_with(
    checkpoint: Checkpoint,
    paths: &[PathBuf],
    grounded: bool,
    options: GenerateOptions,
    on_event: impl FnMut(Event) + Send + 'static,
) -> Handle {
    let tokenizer = checkpoint.tokenizer().unwrap();
    let context_limit = checkpoint.config.max_positions;
    let setup = Setup {
        selection: Selection::of(paths.to_vec()),
        layout: QuoteModel::recognise(&tokenizer, false).unwrap().layout(),
        cache: None,
        tokenizer: tokenizer.clone(),
        chat_template: None,
        context_limit,
        places: 8,
        watch: false,
        options,
        grounded,
        past: Past::default(),
        start_engine: Box::new(move |events| {
            let vocabulary = Vocabulary {
                tokenizer,
                eos: checkpoint.eos().unwrap(),
                unused: checkpoint.unused_ids(),
            };
            let network = Network::new(Cpu::new(0)?, checkpoint.config, checkpoint.weights)?;
            let options = EngineOptions {
                cut: Cut { tile: 1024, slab: 4096 },
                context_limit,
            };
            Ok(Box::new(Engine::start(network, vocabulary, &options, events)?) as Box<dyn Submit>)
        }),
    };
    start(setup, Box::new(on_event))
}
