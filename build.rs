//! Names the build by what its numbers depend on, so that a state that was kept is never taken up by a build that computes otherwise:
//! the sources of the operations, the dependencies, the compiler and what it compiles for.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// Sources that numbers in a state depend on.
const SOURCES: [&str; 7] = [
    "src/compute",
    "kernels/kernels.fatbin",
    "src/model/quant",
    "src/model/tensor.rs",
    "src/model/config.rs",
    "src/engine/network.rs",
    "src/engine/snapshot",
];

fn main() {
    let mut files = vec![PathBuf::from("Cargo.lock")];
    for source in SOURCES {
        println!("cargo::rerun-if-changed={source}");
        files_in(Path::new(source), &mut files);
    }
    println!("cargo::rerun-if-changed=Cargo.lock");
    files.sort();
    let mut hash = Fnv(0xcbf2_9ce4_8422_2325_cbf2_9ce4_8422_2325);
    for file in &files {
        hash.part(file.to_string_lossy().as_bytes());
        // A package without the list of its dependencies is built with whatever there is.
        hash.part(&fs::read(file).unwrap_or_default());
    }
    for name in [
        "TARGET",
        "CARGO_CFG_TARGET_FEATURE",
        "OPT_LEVEL",
        "CARGO_ENCODED_RUSTFLAGS",
    ] {
        hash.part(env::var(name).unwrap_or_default().as_bytes());
    }
    let compiler = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Command::new(compiler).arg("-vV").output();
    hash.part(&version.map(|output| output.stdout).unwrap_or_default());
    println!("cargo::rustc-env=NUMERICS_OF_BUILD={:032x}", hash.0);
}

fn files_in(path: &Path, files: &mut Vec<PathBuf>) {
    match fs::read_dir(path) {
        Ok(entries) => entries.flatten().for_each(|entry| files_in(&entry.path(), files)),
        Err(_) => files.push(path.to_owned()),
    }
}

/// FNV-1a of 128 bits: two builds are to be told apart, not defended against.
struct Fnv(u128);

impl Fnv {
    fn part(&mut self, bytes: &[u8]) {
        for byte in (bytes.len() as u64).to_le_bytes().iter().chain(bytes) {
            self.0 = (self.0 ^ u128::from(*byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b);
        }
    }
}
