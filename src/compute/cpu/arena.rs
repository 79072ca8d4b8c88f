//! Memory for weights, in large pieces that the kernel may back with huge pages.
//!
//! A decoded token reads all active weights once, in order. In pages of 4 KiB a tenth of that time goes into
//! looking up where each page is; in pages of 2 MiB none does. Tensors are smaller than those, so they share.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};

use memmap2::MmapMut;

/// Bytes of a piece.
const PIECE: usize = 64 << 20;
/// Bytes of a huge page, to which pieces are aligned.
const HUGE: usize = 2 << 20;

/// The unit that is handed out: vectors are loaded from addresses that are multiples of 64.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Line(pub [u8; 64]);

/// Where memory comes from.
#[derive(Debug, Default)]
pub(super) struct Arena {
    last: Mutex<Option<Filling>>,
}

#[derive(Debug)]
struct Filling {
    piece: Arc<Piece>,
    /// Lines that have been handed out.
    used: usize,
}

/// A mapping, and the lines in it.
struct Piece {
    map: MmapMut,
    /// Bytes before the first line.
    start: usize,
    lines: usize,
}

/// Some lines of a piece, which nobody else has.
pub(super) struct Lines {
    piece: Arc<Piece>,
    start: usize,
    len: usize,
}

impl Arena {
    /// `len` lines of zeros.
    ///
    /// # Errors
    /// If there is no memory.
    pub fn lines(&self, len: usize) -> std::io::Result<Lines> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let filling = match last.take() {
            Some(filling) if filling.piece.lines - filling.used >= len => filling,
            _ => Filling {
                piece: Arc::new(Piece::new(len)?),
                used: 0,
            },
        };
        let start = filling.used;
        let piece = Arc::clone(&filling.piece);
        *last = Some(Filling {
            used: start + len,
            ..filling
        });
        Ok(Lines { piece, start, len })
    }
}

impl Piece {
    /// With room for at least `len` lines.
    fn new(len: usize) -> std::io::Result<Self> {
        let bytes = (len * size_of::<Line>()).max(PIECE);
        let map = MmapMut::map_anon(bytes + HUGE)?;
        #[cfg(target_os = "linux")]
        {
            // A hint: without it everything works, slower.
            let _ = map.advise(memmap2::Advice::HugePage);
        }
        let start = map.as_ptr().align_offset(HUGE);
        Ok(Self {
            lines: bytes / size_of::<Line>(),
            start,
            map,
        })
    }
}

impl Deref for Lines {
    type Target = [Line];

    fn deref(&self) -> &[Line] {
        // SAFETY: the lines lie within the mapping, which `piece` keeps, at an address that is a multiple of 64, and every
        // byte is valid. Nobody else has these lines, so they are not written while they are borrowed.
        #[allow(unsafe_code, clippy::cast_ptr_alignment)]
        unsafe {
            let first = self.piece.map.as_ptr().add(self.piece.start).cast::<Line>();
            std::slice::from_raw_parts(first.add(self.start), self.len)
        }
    }
}

impl DerefMut for Lines {
    fn deref_mut(&mut self) -> &mut [Line] {
        // SAFETY: as above; they are borrowed mutably through their only owner, and the mapping may be written.
        #[allow(unsafe_code, clippy::cast_ptr_alignment)]
        unsafe {
            let first = self.piece.map.as_ptr().cast_mut().add(self.piece.start).cast::<Line>();
            std::slice::from_raw_parts_mut(first.add(self.start), self.len)
        }
    }
}

impl fmt::Debug for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Piece")
            .field("lines", &self.lines)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lines").field("len", &self.len).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_zero_aligned_and_nobody_elses() {
        let arena = Arena::default();
        let sizes = [1, 1000, 0, PIECE / 64 - 5000, 7, 2 * PIECE / 64, 3];
        let mut all: Vec<Lines> = sizes.iter().map(|len| arena.lines(*len).unwrap()).collect();
        drop(arena);
        for (i, (lines, len)) in all.iter_mut().zip(sizes).enumerate() {
            assert_eq!(lines.len(), len);
            assert_eq!(lines.as_ptr().align_offset(64), 0);
            assert!(lines.iter().all(|line| line.0 == [0; 64]), "{i}");
            lines.fill(Line([i as u8 + 1; 64]));
        }
        for (i, lines) in all.iter().enumerate() {
            assert!(lines.iter().all(|line| line.0 == [i as u8 + 1; 64]), "{i}");
        }
    }
}
