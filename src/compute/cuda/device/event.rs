//! Places on the streams of a card.

use std::ptr::null_mut;

use cudarc::driver::sys;

use super::library::check;
use crate::compute::ComputeError;

/// A place on a stream.
#[derive(Debug)]
pub(super) struct Event(sys::CUevent);

// SAFETY: a handle of the driver, which can be used from any thread that has entered a context.
#[allow(unsafe_code)]
unsafe impl Send for Event {}

impl Event {
    /// Of the card whose context is current: only its streams record it, and any waits for it.
    pub fn new() -> Result<Self, ComputeError> {
        let mut event = null_mut();
        let flags = sys::CUevent_flags_enum::CU_EVENT_DISABLE_TIMING as u32;
        // SAFETY: a handle is written to a place of its type.
        #[allow(unsafe_code)]
        let answer = unsafe { sys::cuEventCreate(&raw mut event, flags) };
        check(answer, "making an event")?;
        Ok(Self(event))
    }

    /// Is after everything that the stream has been asked for.
    pub fn record(&self, stream: sys::CUstream) -> Result<(), ComputeError> {
        // SAFETY: event and stream live.
        #[allow(unsafe_code)]
        let answer = unsafe { sys::cuEventRecord(self.0, stream) };
        check(answer, "recording an event")
    }

    /// Everything that the stream is asked for from here on comes after what was recorded last.
    pub fn hold(&self, stream: sys::CUstream) -> Result<(), ComputeError> {
        // SAFETY: event and stream live.
        #[allow(unsafe_code)]
        let answer = unsafe { sys::cuStreamWaitEvent(stream, self.0, 0) };
        check(answer, "waiting for an event")
    }

    pub fn has_passed(&self) -> Result<bool, ComputeError> {
        // SAFETY: the event lives.
        #[allow(unsafe_code)]
        let answer = unsafe { sys::cuEventQuery(self.0) };
        if answer == sys::CUresult::CUDA_ERROR_NOT_READY {
            return Ok(false);
        }
        check(answer, "asking about an event")?;
        Ok(true)
    }

    /// Waits for it here.
    pub fn wait(&self) -> Result<(), ComputeError> {
        // SAFETY: the event lives.
        #[allow(unsafe_code)]
        let answer = unsafe { sys::cuEventSynchronize(self.0) };
        check(answer, "waiting for a copy")
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        // SAFETY: it was made by `new` and is destroyed once.
        #[allow(unsafe_code)]
        unsafe {
            let _ = sys::cuEventDestroy_v2(self.0);
        }
    }
}
