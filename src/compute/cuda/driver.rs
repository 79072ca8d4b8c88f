//! What a backend needs of a card: memory, copies, launches by name.
//!
//! One card, one stream: what is asked for happens in the order in which it is asked, and whoever reads waits. A test puts the
//! emulator of `tests/cuda_emulation` in the card's place, which runs the same kernels and checks every launch against
//! their signatures.

use crate::compute::ComputeError;

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

/// A card.
pub trait Driver: Send + Sync + 'static {
    /// Memory that holds nothing yet, aligned to 256 bytes.
    fn allocate(&self, bytes: usize) -> Result<Address, ComputeError>;

    /// Gives memory back once everything that has been asked for before is done.
    fn free(&self, address: Address);

    fn write(&self, to: Address, bytes: &[u8]) -> Result<(), ComputeError>;

    /// Waits for everything before.
    fn read(&self, from: Address, bytes: &mut [u8]) -> Result<(), ComputeError>;

    /// Between places of the card that do not overlap.
    fn copy(&self, from: Address, to: Address, bytes: usize) -> Result<(), ComputeError>;

    /// Sets all bytes to zero.
    fn clear(&self, address: Address, bytes: usize) -> Result<(), ComputeError>;

    fn launch(&self, launch: Launch<'_>) -> Result<(), ComputeError>;

    /// Waits for everything before.
    fn synchronise(&self) -> Result<(), ComputeError>;

    /// Multiprocessors: how many blocks of a kernel there should be at least.
    fn multiprocessors(&self) -> usize;
}
