//! One layer of each kind at the sizes of a model, with what a prompt and a reply pass in it.

use std::sync::Arc;

use super::timed::{Time, Timed};
use crate::bench::Shape;
use crate::bench::synthetic::{mix, normal};
use crate::compute::cpu::KvType;
use crate::compute::cuda::{Cuda, Driver};
use crate::compute::{Backend, Block, ComputeError, Interrupt, KV_BLOCK, Tile};
use crate::model::{
    Dtype, ExpertWeights, FeedForward, Lightning, LightningWeights, Mixer, Moe, MoeWeights, Softmax, SoftmaxWeights,
    TensorRole, TensorView,
};

/// Bytes that the experts of a layer may take: with fewer experts each has more tokens, and the products are as large.
const EXPERTS: usize = 2 << 30;
/// Rows of a matrix that are made; the others are the same again.
const ROWS: usize = 64;

/// The sizes of MiniMax-M1, a layer of each kind.
pub const M1: Shape = Shape {
    name: "MiniMax-M1",
    about: "two layers of it",
    hidden: 6144,
    layers: 2,
    period: 2,
    heads: 64,
    kv_heads: 8,
    head_dim: 128,
    experts: 32,
    top_k: 2,
    width: 9216,
    vocab: 200_064,
    rotary: 64,
    rope_theta: 1e7,
};

/// What is timed.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    pub shape: Shape,
    /// Of a tile of a prompt.
    pub tokens: usize,
    /// Tokens before a reply.
    pub depth: usize,
}

impl Sizes {
    pub(super) fn words(&self) -> String {
        format!(
            "{}: a tile of {} tokens, and single tokens behind {}",
            self.shape.name, self.tokens, self.depth
        )
    }
}

/// A matrix of a few rows that come again and again: what is in it makes no difference to how long it takes.
fn matrix<B: Backend>(
    backend: &B,
    dtype: Dtype,
    shape: [usize; 2],
    role: TensorRole,
    seed: u64,
) -> Result<B::Tensor, ComputeError> {
    let [rows, columns] = shape;
    let spread = 1.4 / (columns as f32).sqrt();
    let made = rows.min(ROWS);
    let values: Vec<f32> = (0..(made * columns) as u64)
        .map(|i| spread * normal(mix(seed).wrapping_add(i)))
        .collect();
    let few = TensorView::from_f32_as("random", dtype, vec![made, columns], &values);
    let bytes: Vec<u8> = few
        .bytes()
        .iter()
        .copied()
        .cycle()
        .take(dtype.row_bytes(rows * columns))
        .collect();
    let len = bytes.len();
    backend.load(
        TensorView::new("random", dtype, shape.to_vec(), Arc::new(bytes), 0..len),
        role,
    )
}

fn ones<B: Backend>(backend: &B, width: usize) -> Result<B::Tensor, ComputeError> {
    backend.load(
        TensorView::from_f32("ones", vec![width], &vec![1.0; width]),
        TensorRole::Norm,
    )
}

/// Times everything that layers with weights of each type launch.
pub(super) fn run<D: Driver>(
    card: &Timed<D>,
    sizes: &Sizes,
    said: &mut dyn FnMut(&str),
) -> Result<Vec<Time>, ComputeError> {
    let config = sizes.shape.config();
    let (mut lightning, mut softmax) = (None, None);
    for layer in &config.layers {
        match &layer.mixer {
            Mixer::Lightning(spec) => lightning = Some(spec.clone()),
            Mixer::Softmax(spec) => softmax = Some(spec.clone()),
        }
    }
    let FeedForward::Moe(moe) = &config.layers[0].feed_forward;
    for dtype in [Dtype::Bf16, Dtype::Q8_0, Dtype::Q4K, Dtype::Q6K] {
        if !sizes.shape.holds(dtype) {
            continue;
        }
        let cuda = Cuda::new(card.clone()).with_kv_cache(KvType::Bf16);
        let layers = Layers {
            cuda: &cuda,
            card,
            sizes,
            dtype,
            norm: ones(&cuda, config.hidden)?,
        };
        said(&format!("weights in {}", dtype.name()));
        if let Some(spec) = &lightning {
            layers.lightning(spec)?;
        }
        layers.experts(moe)?;
        if let Some(spec) = &softmax {
            layers.softmax(spec)?;
        }
        layers.ends()?;
    }
    if let Some(spec) = softmax.filter(|spec| spec.head_dim.is_multiple_of(16)) {
        let cuda = Cuda::new(card.clone()).with_kv_cache(KvType::Q8);
        let layers = Layers {
            cuda: &cuda,
            card,
            sizes,
            dtype: Dtype::Bf16,
            norm: ones(&cuda, config.hidden)?,
        };
        layers.softmax(&spec)?;
    }
    Ok(card.times())
}

/// Layers of one type of weights.
struct Layers<'a, D: Driver> {
    cuda: &'a Cuda<Timed<D>>,
    card: &'a Timed<D>,
    sizes: &'a Sizes,
    dtype: Dtype,
    norm: <Cuda<Timed<D>> as Backend>::Tensor,
}

impl<D: Driver> Layers<'_, D> {
    fn matrix(&self, shape: [usize; 2], seed: u64) -> Result<<Cuda<Timed<D>> as Backend>::Tensor, ComputeError> {
        matrix(self.cuda, self.dtype, shape, TensorRole::Matrix, seed)
    }

    fn block(&self) -> Block<'_, <Cuda<Timed<D>> as Backend>::Tensor> {
        Block {
            norm: &self.norm,
            eps: 1e-5,
            residual: self.sizes.shape.config().layers[0].mixer_residual,
        }
    }

    /// Does something with a tile, with a draft and with a token, and times what is launched.
    fn each(
        &self,
        mut pass: impl FnMut(usize, &mut <Cuda<Timed<D>> as Backend>::Rows) -> Result<(), ComputeError>,
    ) -> Result<(), ComputeError> {
        let hidden = self.sizes.shape.hidden;
        for tokens in [self.sizes.tokens, 4, 1] {
            let values: Vec<f32> = (0..(tokens * hidden) as u64).map(|i| normal(mix(i))).collect();
            let mut x = self.cuda.upload(&values, hidden)?;
            self.card.switch(true);
            let passed = pass(tokens, &mut x);
            self.card.switch(false);
            passed?;
        }
        Ok(())
    }

    fn lightning(&self, spec: &Lightning) -> Result<(), ComputeError> {
        let (hidden, width) = (self.sizes.shape.hidden, spec.heads * spec.head_dim);
        let weights = LightningWeights {
            qkv: self.matrix([3 * width, hidden], 1)?,
            gate: self.matrix([width, hidden], 2)?,
            norm: ones(self.cuda, width)?,
            out: self.matrix([hidden, width], 3)?,
        };
        let (mut workspace, interrupt) = (self.cuda.workspace()?, Interrupt::new());
        let state = self.cuda.lightning_state(spec)?;
        let mut next = self.cuda.lightning_state(spec)?;
        self.each(|tokens, x| {
            let tile = Tile {
                position: 0,
                outputs: tokens,
                interrupt: &interrupt,
            };
            let block = self.block();
            self.cuda
                .lightning(&mut workspace, block, spec, &weights, x, &state, &mut next, tile)
        })
    }

    fn experts(&self, spec: &Moe) -> Result<(), ComputeError> {
        let hidden = self.sizes.shape.hidden;
        let bytes = 3 * self.dtype.row_bytes(spec.width * hidden);
        let spec = Moe {
            experts: spec.experts.min((EXPERTS / bytes).max(spec.top_k)),
            ..*spec
        };
        let router = matrix(self.cuda, Dtype::F32, [spec.experts, hidden], TensorRole::Router, 4)?;
        let weights = MoeWeights {
            router: Some(router),
            experts: (0..spec.experts as u64)
                .map(|expert| {
                    Ok(ExpertWeights {
                        gate: self.matrix([spec.width, hidden], 10 + expert)?,
                        up: self.matrix([spec.width, hidden], 1000 + expert)?,
                        down: self.matrix([hidden, spec.width], 2000 + expert)?,
                    })
                })
                .collect::<Result<_, ComputeError>>()?,
        };
        let (mut workspace, interrupt) = (self.cuda.workspace()?, Interrupt::new());
        self.each(|_, x| {
            let block = self.block();
            self.cuda.moe(&mut workspace, block, &spec, &weights, x, &interrupt)
        })
    }

    fn softmax(&self, spec: &Softmax) -> Result<(), ComputeError> {
        let hidden = self.sizes.shape.hidden;
        let (width, kv) = (spec.heads * spec.head_dim, spec.kv_heads * spec.head_dim);
        let weights = SoftmaxWeights {
            q: self.matrix([width, hidden], 5)?,
            k: self.matrix([kv, hidden], 6)?,
            v: self.matrix([kv, hidden], 7)?,
            out: self.matrix([hidden, width], 8)?,
        };
        let (mut workspace, interrupt) = (self.cuda.workspace()?, Interrupt::new());
        self.each(|tokens, x| {
            // A prompt from its beginning; a reply behind what was read, which is filled in.
            let is_prompt = tokens == self.sizes.tokens;
            let position = if is_prompt { 0 } else { self.sizes.depth };
            let mut cache = self.cuda.kv_cache(spec)?;
            self.card.switch(false);
            let block = vec![0; self.cuda.kv_block_bytes(spec, 0)];
            let blocks = vec![&block[..]; position.div_ceil(KV_BLOCK)];
            self.cuda.extend_kv_cache(spec, &mut cache, &blocks, position)?;
            self.card.switch(true);
            let tile = Tile {
                position,
                outputs: tokens,
                interrupt: &interrupt,
            };
            let block = self.block();
            self.cuda
                .softmax(&mut workspace, block, spec, &weights, x, &mut cache, tile)
        })
    }

    /// What is before the first layer and after the last.
    fn ends(&self) -> Result<(), ComputeError> {
        let shape = &self.sizes.shape;
        let table = matrix(
            self.cuda,
            self.dtype,
            [shape.vocab, shape.hidden],
            TensorRole::TableAndMatrix,
            9,
        )?;
        let (mut workspace, interrupt) = (self.cuda.workspace()?, Interrupt::new());
        self.each(|tokens, x| {
            let ids: Vec<u32> = (0..tokens).map(|i| (i * 7919 % shape.vocab) as u32).collect();
            self.cuda.embed(&table, &ids, x)?;
            let mut logits = Vec::new();
            let norm = (&self.norm, 1e-5);
            self.cuda
                .head(&mut workspace, norm, &table, x, 0..1, &mut logits, &interrupt)
        })
    }
}
