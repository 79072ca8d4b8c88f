//! Where the bytes of a checkpoint live.

use std::ops::Range;
use std::sync::Arc;

use memmap2::Mmap;

/// Bytes that stay where they are: a memory map, bytes embedded in the program, or a buffer.
pub trait Bytes: AsRef<[u8]> + Send + Sync {
    /// These bytes will be read soon. Only a hint.
    fn will_need(&self, _: Range<usize>) {}

    /// These bytes will not be read for a while: what they take of memory can be used for something else. Only a hint.
    fn release(&self, _: Range<usize>) {}
}

/// Shared bytes.
pub type Storage = Arc<dyn Bytes>;

impl Bytes for Vec<u8> {}

impl Bytes for &'static [u8] {}

/// A file mapped to be read.
pub(super) struct Mapped(pub Mmap);

impl AsRef<[u8]> for Mapped {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(unix)]
impl Bytes for Mapped {
    fn will_need(&self, range: Range<usize>) {
        // A hint that is not taken changes nothing.
        let _ = self.0.advise_range(memmap2::Advice::WillNeed, range.start, range.len());
    }

    fn release(&self, range: Range<usize>) {
        // When a page is first touched the kernel maps those around it as well, 64 KiB in all: so much of the neighbours goes too.
        // They are read again, from the page cache, if they are used; kept, such edges were a twentieth of a model of many small tensors.
        let around = 1 << 16;
        let first = self.0.as_ptr().addr();
        let start = ((first + range.start) / around * around).saturating_sub(first);
        let end = ((first + range.end).next_multiple_of(around) - first).min(self.0.len());
        if start < end {
            // SAFETY: the map is read-only and of a file, so a page that is dropped is read again from the file and
            // nothing in it can be lost.
            #[allow(unsafe_code)]
            let _ = unsafe {
                self.0
                    .unchecked_advise_range(memmap2::UncheckedAdvice::DontNeed, start, end - start)
            };
        }
    }
}

#[cfg(not(unix))]
impl Bytes for Mapped {}
