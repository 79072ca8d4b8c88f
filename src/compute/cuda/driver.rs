//! What a backend needs of a card: memory, copies, launches by name.
//!
//! One card, and what is asked for happens in the order in which it is asked, and whoever reads waits; beside it are copies to the
//! card, which have no order but the one that is said ([`Driver::send`], [`Driver::send_to`]). A test puts the emulator of `tests/cuda_emulation` in the
//! card's place, which runs the same kernels and checks every launch against their signatures.

use crate::compute::{ComputeError, Interrupt};
use crate::model::TensorView;

/// A place in the memory of a card.
pub type Address = u64;

/// What a kernel is given for one parameter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Argument {
    Pointer(Address),
    Int(i32),
    Long(i64),
    Float(f32),
    Double(f64),
}

impl Argument {
    /// No buffer.
    pub const NULL: Self = Self::Pointer(0);

    /// Its bytes, little-endian from the lowest: what a parameter of its size begins with.
    #[must_use]
    pub fn word(self) -> u64 {
        match self {
            Self::Pointer(address) => address,
            Self::Int(x) => u64::from(x.cast_unsigned()),
            Self::Long(x) => x.cast_unsigned(),
            Self::Float(x) => u64::from(x.to_bits()),
            Self::Double(x) => x.to_bits(),
        }
    }
}

impl From<Address> for Argument {
    fn from(address: Address) -> Self {
        Self::Pointer(address)
    }
}

impl From<usize> for Argument {
    /// A count. What does not fit is larger than any buffer could be.
    fn from(count: usize) -> Self {
        Self::Int(i32::try_from(count).expect("kernels count to 2^31"))
    }
}

impl From<bool> for Argument {
    fn from(x: bool) -> Self {
        Self::Int(i32::from(x))
    }
}

impl From<f32> for Argument {
    fn from(x: f32) -> Self {
        Self::Float(x)
    }
}

/// One launch of a kernel of `kernels/`.
#[derive(Debug, Clone, Copy)]
pub struct Launch<'a> {
    pub kernel: &'a str,
    pub grid: [usize; 3],
    /// Threads.
    pub block: usize,
    /// Bytes of shared memory beside what the kernel declares.
    pub shared: usize,
    pub arguments: &'a [Argument],
}

/// What is copied to a card: bytes that stay where they are, however long the copy takes.
pub type Source = TensorView;

/// Some copies that were sent, by when they were.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Sent(pub(super) u64);

/// A card.
pub trait Driver: Send + Sync + 'static {
    /// Memory that holds nothing yet, aligned to 256 bytes.
    fn allocate(&self, bytes: usize) -> Result<Address, ComputeError>;

    /// Gives memory back once everything that has been asked for before is done.
    fn free(&self, address: Address);

    fn write(&self, to: Address, bytes: &[u8]) -> Result<(), ComputeError>;

    /// The same for what a tile of a prompt needs: crosses the bus beside what has been asked for before.
    fn bring(&self, to: Address, bytes: &[u8]) -> Result<(), ComputeError> {
        self.write(to, bytes)
    }

    /// Waits for everything before.
    fn read(&self, from: Address, bytes: &mut [u8]) -> Result<(), ComputeError>;

    /// Several reads at once.
    fn read_all(&self, parts: &mut [(Address, &mut [u8])]) -> Result<(), ComputeError> {
        parts.iter_mut().try_for_each(|(from, bytes)| self.read(*from, bytes))
    }

    /// Between places of the card that do not overlap.
    fn copy(&self, from: Address, to: Address, bytes: usize) -> Result<(), ComputeError>;

    /// Sets all bytes to zero.
    fn clear(&self, address: Address, bytes: usize) -> Result<(), ComputeError>;

    fn launch(&self, launch: Launch<'_>) -> Result<(), ComputeError>;

    /// Begins to copy, after everything that has been asked for so far and beside what is asked for from here on. Until it has
    /// [arrived](Self::arrive) nothing but another copy is done with these places, and they are not freed.
    fn send(&self, parts: Vec<(Address, Source)>) -> Result<Sent, ComputeError>;

    /// Puts what is asked for from here on behind the copies up to `sent`.
    fn arrive(&self, sent: Sent, interrupt: &Interrupt) -> Result<(), ComputeError>;

    /// Whether the copies up to `sent` have been made. If so, what is asked for from here on comes behind them, as after
    /// [`arrive`](Self::arrive); if not, nobody has waited.
    fn has_arrived(&self, sent: Sent) -> Result<bool, ComputeError>;

    /// Begins what has been asked for so far, where that is gathered, and waits for nothing.
    fn begin(&self) -> Result<(), ComputeError> {
        Ok(())
    }

    /// What has been asked for since the last is a step of a prompt, and begins.
    fn end_step(&self) -> Result<(), ComputeError> {
        self.synchronise()
    }

    /// Waits until no more than a few steps are unfinished.
    fn keep_pace(&self, interrupt: &Interrupt) -> Result<(), ComputeError> {
        Ok(interrupt.check()?)
    }

    /// Begins to copy to another card, after everything that either has been asked for so far and beside what they are asked for from here
    /// on. `from` may be given back at once; `to` is not used before it has been [received](Self::receive).
    fn send_to(&self, other: &Self, from: Address, to: Address, bytes: usize) -> Result<(), ComputeError> {
        let mut held = vec![0; bytes];
        self.read(from, &mut held)?;
        other.write(to, &held)
    }

    /// Puts what is asked for from here on behind what another card has sent to a place.
    fn receive(&self, place: Address) -> Result<(), ComputeError> {
        let _ = place;
        Ok(())
    }

    /// Waits for everything before.
    fn synchronise(&self) -> Result<(), ComputeError>;

    /// What the numbers of the card depend on, in words; none if that is not known.
    fn numerics(&self) -> Option<String> {
        None
    }

    /// Bytes of its memory, and the most that were in use, where that is counted.
    fn memory(&self) -> (u64, u64) {
        (0, 0)
    }

    /// Multiprocessors: how many blocks of a kernel there should be at least.
    fn multiprocessors(&self) -> usize;
}
