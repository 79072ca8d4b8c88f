//! One buffer that several threads write at once, each in places of its own.

use std::marker::PhantomData;

/// A mutable slice that can be handed to several threads. What they write must not overlap: columns of one matrix, for
/// instance, which no safe split of a slice can express.
pub(super) struct Disjoint<'a, T> {
    start: *mut T,
    len: usize,
    owner: PhantomData<&'a mut [T]>,
}

// SAFETY: it is a `&mut [T]` in parts; `part` asks its callers that no two of them overlap.
#[allow(unsafe_code)]
unsafe impl<T: Send> Sync for Disjoint<'_, T> {}

impl<'a, T> Disjoint<'a, T> {
    pub fn new(slice: &'a mut [T]) -> Self {
        Self {
            start: slice.as_mut_ptr(),
            len: slice.len(),
            owner: PhantomData,
        }
    }

    /// `len` elements from `start` on.
    ///
    /// # Safety
    /// While the result is in use, no other part that overlaps it is.
    ///
    /// # Panics
    /// If it is not within the slice.
    #[allow(unsafe_code, clippy::mut_from_ref)]
    #[inline(always)]
    pub unsafe fn part(&self, start: usize, len: usize) -> &mut [T] {
        assert!(
            start <= self.len && len <= self.len - start,
            "a part outside of the slice"
        );
        // SAFETY: it lies within the slice, which is borrowed mutably for 'a, and the caller vouches for the rest.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(start), len) }
    }
}
