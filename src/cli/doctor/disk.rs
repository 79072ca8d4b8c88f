//! How fast the disk reads: a file is written, pushed out of memory where the system does that, and read again.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::super::selection;
use super::Finding;
use crate::config::Config;

const BYTES: usize = 256 << 20;
const PIECE: usize = 8 << 20;
/// Below this a model larger than memory is hardly usable.
const SLOW: f64 = 1e9;

pub(super) fn finding(folder: Option<&Path>, config: &Config) -> Finding {
    let folder = folder.map_or_else(|| usual(config), Path::to_owned);
    let place = folder.display();
    match measure(&folder) {
        Ok(rate) => {
            let found = format!("reads {:.2} GB/s at {place}", rate / 1e9);
            if rate < SLOW {
                let advice =
                    "models larger than memory are read from it for every token; an NVMe disk reads 3 to 14 GB/s";
                Finding::poor("disk", found, advice)
            } else {
                Finding::good("disk", found)
            }
        }
        Err(error) => Finding::poor(
            "disk",
            format!("cannot be measured at {place}: {error}"),
            "--disk FOLDER names another place, --no-disk leaves it out",
        ),
    }
}

/// The first folder that is there of those that models and states are kept in.
fn usual(config: &Config) -> PathBuf {
    let kept = selection::snapshots(&config.snapshots);
    let kept = kept.iter().flat_map(|folder| folder.ancestors());
    let mut there = kept.filter(|folder| folder.is_dir());
    there.next().map_or_else(std::env::temp_dir, Path::to_owned)
}

/// Bytes a second.
fn measure(folder: &Path) -> io::Result<f64> {
    let mut file = tempfile::tempfile_in(folder)?;
    let mut piece = vec![0_u8; PIECE];
    // Nothing that a disk could leave out or press together.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for bytes in piece.as_chunks_mut::<8>().0 {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        *bytes = state.to_le_bytes();
    }
    for _ in 0..BYTES / PIECE {
        file.write_all(&piece)?;
    }
    file.sync_all()?;
    forget(&file);
    io::Seek::rewind(&mut file)?;
    let began = Instant::now();
    let mut read = 0;
    loop {
        match file.read(&mut piece)? {
            0 => break,
            count => read += count,
        }
    }
    Ok(read as f64 / began.elapsed().as_secs_f64().max(1e-9))
}

/// Asks the system to drop the file from memory. Where it cannot be asked, what is measured is memory.
fn forget(file: &File) {
    #[cfg(target_os = "linux")]
    let _ = rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed);
    #[cfg(not(target_os = "linux"))]
    let _ = file;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_cannot_be_written_is_a_finding() {
        let finding = finding(Some(Path::new("/nowhere/at/all")), &Config::default());
        assert!(finding.found.contains("/nowhere/at/all"));
        assert!(finding.advice.is_some());
    }
}
