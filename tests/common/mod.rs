//! What the integration tests share.
#![allow(dead_code, reason = "each test crate uses its part")]

pub mod models;

use std::path::{Path, PathBuf};

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
    assert!(folders.len() >= 7, "goldens are missing");
    folders
}
