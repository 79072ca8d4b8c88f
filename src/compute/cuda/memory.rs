//! Buffers on a card, and launches on it.

use std::sync::Arc;

use super::driver::{Address, Argument, Driver, Launch};
use super::products::FEW;
use crate::compute::ComputeError;

/// Threads a block of nearly all kernels.
pub(super) const THREADS: usize = 256;

/// Memory of a card, given back when it is dropped.
#[derive(Debug)]
pub struct Buffer<D: Driver> {
    driver: Arc<D>,
    address: Address,
    bytes: usize,
}

impl<D: Driver> Drop for Buffer<D> {
    fn drop(&mut self) {
        self.driver.free(self.address);
    }
}

impl<D: Driver> Buffer<D> {
    /// The card that it is on.
    pub(super) fn card(&self) -> Card<D> {
        Card {
            driver: Arc::clone(&self.driver),
        }
    }

    /// Whether it is on a card.
    pub(super) fn is_on(&self, card: &Card<D>) -> bool {
        Arc::ptr_eq(&self.driver, &card.driver)
    }

    /// The same on another card, on its way there.
    pub(super) fn sent_to(&self, card: &Card<D>) -> Result<Self, ComputeError> {
        let there = card.empty(self.bytes)?;
        if self.bytes > 0 {
            self.driver
                .send_to(&card.driver, self.address, there.address, self.bytes)?;
        }
        Ok(there)
    }

    /// The same on another card, before everything that is asked for from here on.
    pub(super) fn moved_to(&self, card: &Card<D>) -> Result<Self, ComputeError> {
        let there = self.sent_to(card)?;
        card.driver.receive(there.address)?;
        Ok(there)
    }

    pub(super) fn address(&self) -> Address {
        self.address
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The place `bytes` after the begin.
    pub(super) fn at(&self, bytes: usize) -> Address {
        self.address + bytes as u64
    }
}

impl<D: Driver> From<&Buffer<D>> for Argument {
    fn from(buffer: &Buffer<D>) -> Self {
        Self::Pointer(buffer.address)
    }
}

/// A card that buffers are made on.
#[derive(Debug)]
pub(super) struct Card<D> {
    pub driver: Arc<D>,
}

impl<D> Clone for Card<D> {
    fn clone(&self) -> Self {
        Self {
            driver: Arc::clone(&self.driver),
        }
    }
}

impl<D: Driver> Card<D> {
    /// A buffer that holds nothing yet.
    pub fn empty(&self, bytes: usize) -> Result<Buffer<D>, ComputeError> {
        // A card has no memory of no bytes.
        let address = self.driver.allocate(bytes.max(1))?;
        Ok(Buffer {
            driver: Arc::clone(&self.driver),
            address,
            bytes,
        })
    }

    pub fn f32s(&self, count: usize) -> Result<Buffer<D>, ComputeError> {
        self.empty(count * size_of::<f32>())
    }

    pub fn bf16s(&self, count: usize) -> Result<Buffer<D>, ComputeError> {
        self.empty(count * size_of::<u16>())
    }

    pub fn i32s(&self, count: usize) -> Result<Buffer<D>, ComputeError> {
        self.empty(count * size_of::<i32>())
    }

    pub fn zeros(&self, bytes: usize) -> Result<Buffer<D>, ComputeError> {
        let buffer = self.empty(bytes)?;
        self.driver.clear(buffer.address, bytes)?;
        Ok(buffer)
    }

    pub fn upload(&self, bytes: &[u8]) -> Result<Buffer<D>, ComputeError> {
        let buffer = self.empty(bytes.len())?;
        self.driver.write(buffer.address, bytes)?;
        Ok(buffer)
    }

    /// What a tile of so many rows needs.
    pub fn upload_for(&self, rows: usize, bytes: &[u8]) -> Result<Buffer<D>, ComputeError> {
        let buffer = self.empty(bytes.len())?;
        if rows > FEW {
            self.driver.bring(buffer.address, bytes)?;
        } else {
            self.driver.write(buffer.address, bytes)?;
        }
        Ok(buffer)
    }

    pub fn upload_f32s(&self, values: &[f32]) -> Result<Buffer<D>, ComputeError> {
        self.upload(&bytes_of(values, f32::to_le_bytes))
    }

    pub fn download_f32s(&self, from: Address, values: &mut Vec<f32>, count: usize) -> Result<(), ComputeError> {
        let mut bytes = vec![0; count * size_of::<f32>()];
        self.driver.read(from, &mut bytes)?;
        values.clear();
        values.extend(bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)));
        Ok(())
    }

    /// Launches a kernel with blocks of [`THREADS`] and no shared memory but its own.
    pub fn launch(&self, kernel: &str, grid: [usize; 3], arguments: &[Argument]) -> Result<(), ComputeError> {
        self.launch_with(kernel, grid, THREADS, 0, arguments)
    }

    pub fn launch_with(
        &self,
        kernel: &str,
        grid: [usize; 3],
        block: usize,
        shared: usize,
        arguments: &[Argument],
    ) -> Result<(), ComputeError> {
        self.driver.launch(Launch {
            kernel,
            grid,
            block,
            shared,
            arguments,
        })
    }
}

pub(super) fn bytes_of<T: Copy, const N: usize>(values: &[T], bytes: fn(T) -> [u8; N]) -> Vec<u8> {
    values.iter().flat_map(|value| bytes(*value)).collect()
}

/// The arguments of a launch, in the kernel's order.
macro_rules! arguments {
    ($($argument:expr),* $(,)?) => {
        &[$($crate::compute::cuda::driver::Argument::from($argument)),*]
    };
}
pub(super) use arguments;
