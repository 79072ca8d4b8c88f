//! One tensor where it lies: a dtype, a shape and a range of bytes in a mapped file.

use std::ops::Range;
use std::sync::Arc;

use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};

/// A storage type that weights come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dtype {
    F32,
    F16,
    Bf16,
}

impl Dtype {
    /// Bytes an element.
    #[must_use]
    pub fn size(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
        }
    }

    /// Widens little-endian `bytes` into `out`; the bytes need no alignment.
    ///
    /// # Panics
    /// If `bytes` is not exactly `out.len()` elements.
    #[inline(always)]
    pub fn widen(self, bytes: &[u8], out: &mut [f32]) {
        assert_eq!(bytes.len(), out.len() * self.size(), "bytes and elements disagree");
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
        }
    }
}

/// Where the bytes of a checkpoint live: a memory map, or bytes embedded in the program.
pub type Storage = Arc<dyn AsRef<[u8]> + Send + Sync>;

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
        assert_eq!(bytes.len(), shape.iter().product::<usize>() * dtype.size());
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

    /// The same tensor rounded to `bf16`, for tests and synthetic models.
    #[must_use]
    pub fn from_f32_as(name: &str, dtype: Dtype, shape: Vec<usize>, values: &[f32]) -> Self {
        let raw: Vec<u8> = match dtype {
            Dtype::F32 => return Self::from_f32(name, shape, values),
            Dtype::F16 => values.iter().flat_map(|v| f16::from_f32(*v).to_le_bytes()).collect(),
            Dtype::Bf16 => values.iter().flat_map(|v| bf16::from_f32(*v).to_le_bytes()).collect(),
        };
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
        let width = self.shape[1] * self.dtype.size();
        &self.bytes()[row * width..(row + 1) * width]
    }

    /// The whole tensor as f32.
    #[must_use]
    pub fn to_f32(&self) -> Vec<f32> {
        let mut out = vec![0.0; self.elements()];
        self.dtype.widen(self.bytes(), &mut out);
        out
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
