//! One tensor where it lies: a dtype, a shape and a range of bytes in a mapped file.

use std::ops::Range;
use std::sync::Arc;

use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};

use super::quant;
use super::storage::Storage;

/// A storage type that weights come in. The quantised ones are ggml's: blocks of 32 or 256 weights along a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dtype {
    F32,
    F16,
    Bf16,
    Q8_0,
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
    Q4K,
    Q5K,
    Q6K,
}

/// A value that a storage type cannot hold.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("value {index} is {value}, which {} cannot hold", dtype.name())]
pub struct Unrepresentable {
    pub dtype: Dtype,
    pub index: usize,
    pub value: f32,
}

impl Dtype {
    pub const ALL: [Self; 11] = [
        Self::F32,
        Self::F16,
        Self::Bf16,
        Self::Q8_0,
        Self::Q4_0,
        Self::Q4_1,
        Self::Q5_0,
        Self::Q5_1,
        Self::Q4K,
        Self::Q5K,
        Self::Q6K,
    ];

    /// Its name, as on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
            Self::Q8_0 => "q8_0",
            Self::Q4_0 => "q4_0",
            Self::Q4_1 => "q4_1",
            Self::Q5_0 => "q5_0",
            Self::Q5_1 => "q5_1",
            Self::Q4K => "q4_k",
            Self::Q5K => "q5_k",
            Self::Q6K => "q6_k",
        }
    }

    /// Elements a block: what is stored together, and what a row is a multiple of.
    #[must_use]
    #[inline(always)]
    pub fn block(self) -> usize {
        match self {
            Self::F32 | Self::F16 | Self::Bf16 => 1,
            Self::Q8_0 | Self::Q4_0 | Self::Q4_1 | Self::Q5_0 | Self::Q5_1 => 32,
            Self::Q4K | Self::Q5K | Self::Q6K => 256,
        }
    }

    /// Bytes a block.
    #[must_use]
    #[inline(always)]
    pub fn block_bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
            Self::Q8_0 => 34,
            Self::Q4_0 => 18,
            Self::Q4_1 => 20,
            Self::Q5_0 => 22,
            Self::Q5_1 => 24,
            Self::Q4K => 144,
            Self::Q5K => 176,
            Self::Q6K => 210,
        }
    }

    /// Whether a row of this many elements is a whole number of blocks.
    #[must_use]
    #[inline(always)]
    pub fn divides(self, columns: usize) -> bool {
        columns.is_multiple_of(self.block())
    }

    /// Bytes of a row, or of any number of elements that is a whole number of blocks.
    ///
    /// # Panics
    /// If it is not; the loader has checked with [`divides`](Self::divides).
    #[must_use]
    #[inline(always)]
    pub fn row_bytes(self, columns: usize) -> usize {
        assert!(self.divides(columns), "a row is a whole number of blocks");
        columns / self.block() * self.block_bytes()
    }

    /// The largest magnitude that can be held: what rounds to the largest half float where values or the scales of
    /// blocks are half floats.
    #[must_use]
    pub fn largest(self) -> f32 {
        const HALF: f32 = 65504.0;
        match self {
            Self::F32 => f32::MAX,
            Self::Bf16 => bf16::MAX.to_f32(),
            // The scale is the largest magnitude over the farthest level.
            Self::Q8_0 => 127.0 * HALF,
            Self::Q4_0 => 8.0 * HALF,
            Self::Q5_0 => 16.0 * HALF,
            // A value, or the least one, is itself a half float. The super-blocks could hold more; no weight comes near.
            Self::F16 | Self::Q4_1 | Self::Q5_1 | Self::Q4K | Self::Q5K | Self::Q6K => HALF,
        }
    }

    /// Widens little-endian `bytes` into `out`; the bytes need no alignment.
    ///
    /// # Panics
    /// If `bytes` is not exactly `out.len()` elements, or these are not whole blocks.
    #[inline(always)]
    pub fn widen(self, bytes: &[u8], out: &mut [f32]) {
        assert_eq!(bytes.len(), self.row_bytes(out.len()), "bytes and elements disagree");
        match self {
            Self::F32 => {
                for (o, b) in out.iter_mut().zip(bytes.as_chunks::<4>().0) {
                    *o = f32::from_le_bytes(*b);
                }
            }
            Self::F16 => {
                // By groups through the crate's slice conversion, which uses the hardware's instruction if there is one.
                const GROUP: usize = 64;
                for (out, bytes) in out.chunks_mut(GROUP).zip(bytes.chunks(2 * GROUP)) {
                    let mut group = [f16::ZERO; GROUP];
                    for (half, b) in group.iter_mut().zip(bytes.as_chunks::<2>().0) {
                        *half = f16::from_le_bytes(*b);
                    }
                    group[..out.len()].convert_to_f32_slice(out);
                }
            }
            Self::Bf16 => {
                for (o, b) in out.iter_mut().zip(bytes.as_chunks::<2>().0) {
                    *o = f32::from_bits(u32::from(u16::from_le_bytes(*b)) << 16);
                }
            }
            Self::Q8_0 => quant::widen::<quant::Q8_0, _, _>(bytes, out),
            Self::Q4_0 => quant::widen::<quant::Q4_0, _, _>(bytes, out),
            Self::Q4_1 => quant::widen::<quant::Q4_1, _, _>(bytes, out),
            Self::Q5_0 => quant::widen::<quant::Q5_0, _, _>(bytes, out),
            Self::Q5_1 => quant::widen::<quant::Q5_1, _, _>(bytes, out),
            Self::Q4K => quant::widen::<quant::Q4K, _, _>(bytes, out),
            Self::Q5K => quant::widen::<quant::Q5K, _, _>(bytes, out),
            Self::Q6K => quant::widen::<quant::Q6K, _, _>(bytes, out),
        }
    }

    /// Rounds `values` to this type, into little-endian `bytes`: to the nearest for the plain types and those of 32 weights
    /// a block, with a search for scales of little squared error for the others.
    ///
    /// # Errors
    /// If a value is not finite or too large; nothing of `bytes` is to be used then.
    ///
    /// # Panics
    /// If `bytes` is not exactly `values.len()` elements, or these are not whole blocks.
    #[inline(always)]
    pub fn narrow(self, values: &[f32], bytes: &mut [u8]) -> Result<(), Unrepresentable> {
        assert_eq!(bytes.len(), self.row_bytes(values.len()), "bytes and elements disagree");
        let largest = self.largest();
        // Not a number is not below either.
        let held = |v: &f32| v.abs() <= largest;
        // The whole row first and without a branch, so that it vectorises.
        if !values.iter().fold(true, |all, v| all & held(v)) {
            let index = values.iter().position(|v| !held(v)).expect("one is not");
            return Err(Unrepresentable {
                dtype: self,
                index,
                value: values[index],
            });
        }
        match self {
            Self::F32 => {
                for (b, v) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(values) {
                    *b = v.to_le_bytes();
                }
            }
            Self::F16 => {
                for (b, v) in bytes.as_chunks_mut::<2>().0.iter_mut().zip(values) {
                    *b = f16::from_f32(*v).to_le_bytes();
                }
            }
            Self::Bf16 => {
                for (b, v) in bytes.as_chunks_mut::<2>().0.iter_mut().zip(values) {
                    *b = bf16::from_f32(*v).to_le_bytes();
                }
            }
            Self::Q8_0 => quant::narrow::<quant::Q8_0, _, _>(values, bytes),
            Self::Q4_0 => quant::narrow::<quant::Q4_0, _, _>(values, bytes),
            Self::Q4_1 => quant::narrow::<quant::Q4_1, _, _>(values, bytes),
            Self::Q5_0 => quant::narrow::<quant::Q5_0, _, _>(values, bytes),
            Self::Q5_1 => quant::narrow::<quant::Q5_1, _, _>(values, bytes),
            Self::Q4K => quant::narrow::<quant::Q4K, _, _>(values, bytes),
            Self::Q5K => quant::narrow::<quant::Q5K, _, _>(values, bytes),
            Self::Q6K => quant::narrow::<quant::Q6K, _, _>(values, bytes),
        }
        Ok(())
    }
}

/// A row-major tensor inside a mapped file. Cloning it clones a handle, never the data.
#[derive(Clone)]
pub struct TensorView {
    name: Arc<str>,
    dtype: Dtype,
    shape: Vec<usize>,
    storage: Storage,
    bytes: Range<usize>,
}

impl TensorView {
    /// # Panics
    /// If the byte range lies outside the storage or does not fit the shape; the loader has checked both.
    #[must_use]
    pub fn new(name: &str, dtype: Dtype, shape: Vec<usize>, storage: Storage, bytes: Range<usize>) -> Self {
        assert!(bytes.end <= (*storage).as_ref().len(), "tensor outside of its file");
        let columns = shape.last().copied().unwrap_or(1);
        assert!(dtype.divides(columns), "a row is a whole number of blocks");
        assert_eq!(bytes.len(), dtype.row_bytes(shape.iter().product()));
        Self {
            name: name.into(),
            dtype,
            shape,
            storage,
            bytes,
        }
    }

    /// A tensor over f32 values held in memory, for tests and synthetic models.
    #[must_use]
    pub fn from_f32(name: &str, shape: Vec<usize>, values: &[f32]) -> Self {
        let raw: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        let len = raw.len();
        Self::new(name, Dtype::F32, shape, Arc::new(raw), 0..len)
    }

    /// The same tensor rounded to `dtype`, for tests and synthetic models.
    ///
    /// # Panics
    /// If `dtype` cannot hold a value, or a row is not a whole number of blocks.
    #[must_use]
    pub fn from_f32_as(name: &str, dtype: Dtype, shape: Vec<usize>, values: &[f32]) -> Self {
        let mut raw = vec![0; dtype.row_bytes(values.len())];
        dtype
            .narrow(values, &mut raw)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let len = raw.len();
        Self::new(name, dtype, shape, Arc::new(raw), 0..len)
    }

    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    #[must_use]
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    #[must_use]
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &(*self.storage).as_ref()[self.bytes.clone()]
    }

    /// Number of elements.
    #[must_use]
    pub fn elements(&self) -> usize {
        self.shape.iter().product()
    }

    /// Bytes of one row of a matrix, `[rows, columns]`.
    #[must_use]
    pub fn row(&self, row: usize) -> &[u8] {
        let width = self.dtype.row_bytes(self.shape[1]);
        &self.bytes()[row * width..(row + 1) * width]
    }

    /// The whole tensor as f32.
    #[must_use]
    pub fn to_f32(&self) -> Vec<f32> {
        let mut out = vec![0.0; self.elements()];
        self.dtype.widen(self.bytes(), &mut out);
        out
    }

    /// Its bytes will be read soon. Only a hint.
    pub fn will_need(&self) {
        self.storage.will_need(self.bytes.clone());
    }

    /// Its bytes will not be read for a while: if they are mapped from a file, they take no memory until they are. Only
    /// a hint.
    pub fn release(&self) {
        self.storage.release(self.bytes.clone());
    }

    /// The part of a tensor at `range` of the first dimension, with the rest of the shape reshaped to `shape`.
    ///
    /// # Panics
    /// If the range or the new shape does not fit.
    #[must_use]
    pub fn slice(&self, range: Range<usize>, shape: Vec<usize>) -> Self {
        let step = self.bytes.len() / self.shape[0];
        let bytes = self.bytes.start + range.start * step..self.bytes.start + range.end * step;
        Self::new(&self.name, self.dtype, shape, self.storage.clone(), bytes)
    }
}

impl std::fmt::Debug for TensorView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {:?} {:?}", self.name, self.dtype, self.shape)
    }
}
