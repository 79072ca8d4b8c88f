//! What a tile of a prompt needs from the machine's memory, brought over while the tiles before it are computed.
//!
//! Where it goes is memory that has been used and will be again, in the order of the stream that computes. So it crosses the bus to
//! places of its own on a stream of its own, from memory that the driver has pinned, and goes on from there in its order, which takes no time to
//! speak of. Places are used in turn; by the time that one comes again what was in it has been read.

use std::ffi::c_void;
use std::ptr::null_mut;

use cudarc::driver::sys;

use super::event::Event;
use super::library::check;
use crate::compute::ComputeError;
use crate::compute::cuda::driver::Address;

/// Bytes of a place, and how many there are: more than the steps that are asked for ahead bring.
const PLACE: usize = 8 << 10;
const PLACES: usize = 8;
/// Bytes of a card that they take.
pub const INPUTS: usize = PLACE * PLACES;

#[derive(Debug)]
pub(super) struct Inputs {
    stream: sys::CUstream,
    /// Pinned, as long as all places.
    memory: *mut c_void,
    /// The next to be used is the first.
    places: Vec<Place>,
}

#[derive(Debug)]
struct Place {
    here: *mut c_void,
    there: Address,
    /// After it has crossed the bus; after it has gone on.
    crossed: Event,
    read: Event,
}

impl Inputs {
    /// With room for [`INPUTS`] bytes on the card whose context is current.
    pub fn new(room: Address) -> Result<Self, ComputeError> {
        let mut inputs = Self {
            stream: null_mut(),
            memory: null_mut(),
            places: Vec::with_capacity(PLACES),
        };
        let flags = sys::CUstream_flags_enum::CU_STREAM_NON_BLOCKING as u32;
        // SAFETY: handles are written to places of their types; what was made is given back when `inputs` is dropped.
        #[allow(unsafe_code)]
        unsafe {
            check(sys::cuStreamCreate(&raw mut inputs.stream, flags), "making a stream")?;
            check(sys::cuMemHostAlloc(&raw mut inputs.memory, INPUTS, 0), "pinning memory")?;
        }
        for number in 0..PLACES {
            inputs.places.push(Place {
                here: inputs.memory.wrapping_byte_add(number * PLACE),
                there: room + (number * PLACE) as Address,
                crossed: Event::new()?,
                read: Event::new()?,
            });
        }
        Ok(inputs)
    }

    /// Brings bytes to a place before whatever `compute` is asked for from here on, after all that it has been asked for.
    pub fn bring(&mut self, to: Address, bytes: &[u8], compute: sys::CUstream) -> Result<(), ComputeError> {
        let mut to = to;
        for part in bytes.chunks(PLACE) {
            self.places.rotate_left(1);
            let Place {
                here,
                there,
                crossed,
                read,
            } = &self.places[PLACES - 1];
            crossed.wait()?;
            read.hold(self.stream)?;
            // SAFETY: a part is no longer than a place, and what was copied from it has crossed; the card's is of the arena, and read no
            // more when the stream comes to the copy.
            #[allow(unsafe_code)]
            unsafe {
                std::ptr::copy_nonoverlapping(part.as_ptr(), here.cast(), part.len());
                check(
                    sys::cuMemcpyHtoDAsync_v2(*there, *here, part.len(), self.stream),
                    "copying to the card",
                )?;
            }
            crossed.record(self.stream)?;
            crossed.hold(compute)?;
            // SAFETY: `to` is a buffer of the arena with room for the bytes.
            #[allow(unsafe_code)]
            let answer = unsafe { sys::cuMemcpyDtoDAsync_v2(to, *there, part.len(), compute) };
            check(answer, "copying on the card")?;
            read.record(compute)?;
            to += part.len() as Address;
        }
        Ok(())
    }
}

impl Drop for Inputs {
    fn drop(&mut self) {
        // SAFETY: everything was made by `new`, and what the stream was asked for is waited for before what it reads goes.
        #[allow(unsafe_code)]
        unsafe {
            if !self.stream.is_null() {
                let _ = sys::cuStreamSynchronize(self.stream);
                let _ = sys::cuStreamDestroy_v2(self.stream);
            }
            if !self.memory.is_null() {
                let _ = sys::cuMemFreeHost(self.memory);
            }
        }
    }
}
