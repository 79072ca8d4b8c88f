//! What a GGUF file says of its sizes costs no memory until the file has been found to be as large.
//!
//! Alone in its binary, because the allocator that counts is the whole process's.

#![allow(clippy::unwrap_used, reason = "a test that unwraps nothing has failed")]

mod common;

use std::fs;

use common::gguf::Gguf;
use common::golden;
use peak_alloc::PeakAlloc;
use thunderhead::model::Checkpoint;

#[global_allocator]
static COUNTER: PeakAlloc = PeakAlloc;

#[test]
fn no_number_in_a_header_is_believed() {
    let gguf = Gguf::minimax(&golden("one-layer"));
    let bytes = gguf.bytes();
    let data: usize = gguf.tensors.iter().map(|t| t.data.len()).sum();
    let header = bytes.len() - data;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.gguf");

    for number in [1u64 << 20, 1 << 28, 1 << 40, u64::MAX] {
        for at in 8..header - 8 {
            let mut bytes = bytes.clone();
            bytes[at..at + 8].copy_from_slice(&number.to_le_bytes());
            fs::write(&path, &bytes).unwrap();
            drop(bytes);
            let before = COUNTER.current_usage();
            COUNTER.reset_peak_usage();
            let opened = Checkpoint::open(&path);
            let spent = COUNTER.peak_usage() - before;
            drop(opened);
            assert!(
                spent < data,
                "{number} at byte {at}: {spent} bytes for a file of {data}"
            );
        }
    }
}
