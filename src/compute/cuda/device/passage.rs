//! From card to card, beside what both compute.
//!
//! The card that something comes to has a stream for it. Where the driver lets it read the other card's memory it copies from there;
//! else the other card has a stream too, which writes to memory that the driver has pinned, piece by piece, and the first reads what is
//! there. Nobody waits but these streams, for each other and for what had been asked of the cards when the copy was.
//!
//! What is copied may be given back at once, and is kept until it has been read ([`Outgoing::keep`]).

use std::ffi::c_void;
use std::ptr::null_mut;

use cudarc::driver::sys;

use super::event::Event;
use super::library::check;
use crate::compute::ComputeError;
use crate::compute::cuda::driver::Address;

/// Bytes of a piece of pinned memory, and how many there are: one is written while another is read.
const PIECE: usize = 4 << 20;
const PIECES: usize = 3;
/// Pinned for all cards, not only for that whose context is current.
const PORTABLE: u32 = 1;

/// A card as the other side of a copy.
#[derive(Debug, Clone, Copy)]
pub(super) struct Side {
    pub device: sys::CUdevice,
    pub context: sys::CUcontext,
    /// That which computes.
    pub stream: sys::CUstream,
}

impl Side {
    fn enter(self) -> Result<(), ComputeError> {
        // SAFETY: the context is retained as long as its card is open, which its owner is while it is asked for copies.
        #[allow(unsafe_code)]
        let answer = unsafe { sys::cuCtxSetCurrent(self.context) };
        check(answer, "entering a card's context")
    }
}

/// What leaves a card.
#[derive(Debug)]
pub(super) struct Outgoing {
    side: Side,
    stream: sys::CUstream,
    /// After what has been asked of the card; after a piece.
    ready: Event,
    full: Event,
    /// What may still be read, with what comes after that, and whether it has been given back.
    kept: Vec<(Address, Event, bool)>,
}

/// What comes to a card.
#[derive(Debug)]
pub(super) struct Incoming {
    side: Side,
    stream: sys::CUstream,
    /// After what has been asked of the card.
    room: Event,
    pieces: Vec<Piece>,
    /// Whether another card's memory can be read.
    reads: Vec<(sys::CUdevice, bool)>,
    /// Where something comes to, and what is after it.
    coming: Vec<(Address, Event)>,
}

/// Pinned memory, and the place on the stream after which it can be written again.
#[derive(Debug)]
struct Piece {
    memory: *mut c_void,
    free: Event,
}

fn stream() -> Result<sys::CUstream, ComputeError> {
    let mut stream = null_mut();
    let flags = sys::CUstream_flags_enum::CU_STREAM_NON_BLOCKING as u32;
    // SAFETY: a handle is written to a place of its type.
    #[allow(unsafe_code)]
    let answer = unsafe { sys::cuStreamCreate(&raw mut stream, flags) };
    check(answer, "making a stream")?;
    Ok(stream)
}

impl Outgoing {
    pub fn new(side: Side) -> Result<Self, ComputeError> {
        side.enter()?;
        let (ready, full) = (Event::new()?, Event::new()?);
        Ok(Self {
            side,
            stream: stream()?,
            ready,
            full,
            kept: Vec::new(),
        })
    }

    /// Whether a place that is given back may still be read; if so it is kept.
    pub fn keep(&mut self, address: Address) -> bool {
        let kept = self.kept.iter_mut().find(|(place, ..)| *place == address);
        kept.map(|(.., is_free)| *is_free = true).is_some()
    }

    /// Puts what the card is asked for from here on behind all that is read of it. What was kept and can be given back now is.
    pub fn settle(&mut self, mut release: impl FnMut(Address)) -> Result<(), ComputeError> {
        for (address, read, is_free) in self.kept.drain(..) {
            read.hold(self.side.stream)?;
            if is_free {
                release(address);
            }
        }
        Ok(())
    }
}

impl Incoming {
    pub fn new(side: Side) -> Result<Self, ComputeError> {
        side.enter()?;
        let room = Event::new()?;
        Ok(Self {
            side,
            stream: stream()?,
            room,
            pieces: Vec::new(),
            reads: Vec::new(),
            coming: Vec::new(),
        })
    }

    /// Begins to copy from another card to this, after everything that both have been asked for.
    pub fn copy(&mut self, from: (&mut Outgoing, Address), to: Address, bytes: usize) -> Result<(), ComputeError> {
        let (other, from) = from;
        other.side.enter()?;
        other.ready.record(other.side.stream)?;
        let arrived = if self.reads(other.side)? {
            self.side.enter()?;
            self.room.record(self.side.stream)?;
            self.room.hold(self.stream)?;
            other.ready.hold(self.stream)?;
            // SAFETY: both are buffers of so many bytes, which live until the copy is done: what is read is kept, and who gives
            // back what is written waits for it.
            #[allow(unsafe_code)]
            let answer =
                unsafe { sys::cuMemcpyPeerAsync(to, self.side.context, from, other.side.context, bytes, self.stream) };
            check(answer, "copying from card to card")?;
            let read = Event::new()?;
            read.record(self.stream)?;
            other.kept.push((from, read, false));
            Event::new()?
        } else {
            self.through_pinned((other, from), to, bytes)?
        };
        arrived.record(self.stream)?;
        self.coming.push((to, arrived));
        Ok(())
    }

    /// The same through the machine's memory. Returns an event of this card.
    fn through_pinned(
        &mut self,
        (other, from): (&mut Outgoing, Address),
        to: Address,
        bytes: usize,
    ) -> Result<Event, ComputeError> {
        self.side.enter()?;
        self.make_pieces()?;
        self.room.record(self.side.stream)?;
        self.room.hold(self.stream)?;
        other.ready.hold(other.stream)?;
        for begin in (0..bytes).step_by(PIECE) {
            let length = PIECE.min(bytes - begin);
            self.pieces.rotate_left(1);
            let Piece { memory, free } = &self.pieces[0];
            other.side.enter()?;
            free.hold(other.stream)?;
            // SAFETY: the piece is as long as the longest part, is written when what was in it has been read, and lives as long as the
            // stream that reads it; for the place on the card see `copy`.
            #[allow(unsafe_code)]
            let answer = unsafe { sys::cuMemcpyDtoHAsync_v2(*memory, from + begin as u64, length, other.stream) };
            check(answer, "copying from the card")?;
            other.full.record(other.stream)?;
            self.side.enter()?;
            other.full.hold(self.stream)?;
            // SAFETY: as above.
            #[allow(unsafe_code)]
            let answer = unsafe { sys::cuMemcpyHtoDAsync_v2(to + begin as u64, *memory, length, self.stream) };
            check(answer, "copying to the card")?;
            free.record(self.stream)?;
        }
        other.side.enter()?;
        let read = Event::new()?;
        read.record(other.stream)?;
        other.kept.push((from, read, false));
        self.side.enter()?;
        Event::new()
    }

    /// Puts what the card is asked for from here on behind what comes to a place.
    pub fn receive(&mut self, place: Address) -> Result<(), ComputeError> {
        for (_, arrived) in self.coming.extract_if(.., |(to, _)| *to == place) {
            arrived.hold(self.side.stream)?;
        }
        Ok(())
    }

    /// Whether something comes to a place.
    pub fn is_coming(&self, place: Address) -> bool {
        self.coming.iter().any(|(to, _)| *to == place)
    }

    /// Whether this card can read the memory of the other, which is asked once and made so.
    fn reads(&mut self, other: Side) -> Result<bool, ComputeError> {
        if let Some((_, reads)) = self.reads.iter().find(|(device, _)| *device == other.device) {
            return Ok(*reads);
        }
        self.side.enter()?;
        let mut can = 0;
        // SAFETY: both are cards that are open; a number is written to a place of its type.
        #[allow(unsafe_code)]
        let reads = unsafe {
            check(
                sys::cuDeviceCanAccessPeer(&raw mut can, self.side.device, other.device),
                "asking whether a card can read another's memory",
            )?;
            // What cannot be made so goes through the machine's memory.
            can != 0
                && matches!(
                    sys::cuCtxEnablePeerAccess(other.context, 0),
                    sys::CUresult::CUDA_SUCCESS | sys::CUresult::CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED
                )
        };
        self.reads.push((other.device, reads));
        Ok(reads)
    }

    fn make_pieces(&mut self) -> Result<(), ComputeError> {
        while self.pieces.len() < PIECES {
            let free = Event::new()?;
            let mut memory = null_mut();
            // SAFETY: a pointer is written to a place of its type.
            #[allow(unsafe_code)]
            let answer = unsafe { sys::cuMemHostAlloc(&raw mut memory, PIECE, PORTABLE) };
            check(answer, "pinning memory")?;
            self.pieces.push(Piece { memory, free });
        }
        Ok(())
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        let _ = self.side.enter();
        for (_, read, _) in &self.kept {
            let _ = read.wait();
        }
        // SAFETY: it was made by `new`, and what it was asked for is waited for before it goes.
        #[allow(unsafe_code)]
        unsafe {
            let _ = sys::cuStreamSynchronize(self.stream);
            let _ = sys::cuStreamDestroy_v2(self.stream);
        }
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        let _ = self.side.enter();
        // SAFETY: everything was made by this, and what the stream was asked for is waited for before what it reads goes.
        #[allow(unsafe_code)]
        unsafe {
            let _ = sys::cuStreamSynchronize(self.stream);
            let _ = sys::cuStreamDestroy_v2(self.stream);
            for piece in &self.pieces {
                let _ = sys::cuMemFreeHost(piece.memory);
            }
        }
    }
}
