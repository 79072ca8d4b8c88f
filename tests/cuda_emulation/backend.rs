//! `compute::cuda` on the emulated device: blocks against the reference, whole models against the goldens.
//!
//! The device checks what a driver could not: that each argument has the type of its parameter, that each pointer lies in a
//! buffer that lives, that nothing reads what was never written.

use std::fs;
use std::path::Path;
use std::sync::Mutex;

use serde_json::Value;
use thunderhead::compute::cpu::KvType;
use thunderhead::compute::cuda::{Address, Cuda, Driver, Launch, Sent};
use thunderhead::compute::reference::Reference;
use thunderhead::compute::{Backend, Block, ComputeError, Interrupt, Tile};
use thunderhead::engine::{Network, score};
use thunderhead::model::{
    Checkpoint, Dtype, ExpertWeights, Lightning, LightningWeights, Moe, MoeWeights, Pairing, Residual, Rope, Softmax,
    SoftmaxWeights, TensorRole, TensorView,
};

use crate::device::{self, Device, Order};
use crate::numbers::{Numbers, close, doubles};

/// The emulated device as a card of eight multiprocessors.
pub struct Emulated {
    device: Mutex<Device>,
    order: Order,
    /// Raised when the card is told to begin.
    cancel: Interrupt,
}

impl Emulated {
    pub fn new(order: Order) -> Self {
        Self {
            device: Mutex::new(Device::whole()),
            order,
            cancel: Interrupt::new(),
        }
    }

    /// Whoever tells the card to begin finds this raised.
    pub fn cancelling(self, cancel: Interrupt) -> Self {
        Self { cancel, ..self }
    }
}

impl Driver for Emulated {
    fn allocate(&self, bytes: usize) -> Result<Address, ComputeError> {
        Ok(self.device.lock().unwrap().allocate(bytes))
    }

    fn free(&self, address: Address) {
        self.device.lock().unwrap().command(b'F', &[address]);
    }

    fn write(&self, to: Address, bytes: &[u8]) -> Result<(), ComputeError> {
        self.device.lock().unwrap().write(to, bytes);
        Ok(())
    }

    fn read(&self, from: Address, bytes: &mut [u8]) -> Result<(), ComputeError> {
        self.device.lock().unwrap().read(from, bytes);
        Ok(())
    }

    fn copy(&self, from: Address, to: Address, bytes: usize) -> Result<(), ComputeError> {
        self.device.lock().unwrap().command(b'C', &[from, to, bytes as u64]);
        Ok(())
    }

    fn clear(&self, address: Address, bytes: usize) -> Result<(), ComputeError> {
        self.device.lock().unwrap().command(b'Z', &[address, bytes as u64]);
        Ok(())
    }

    fn launch(&self, launch: Launch<'_>) -> Result<(), ComputeError> {
        let shape = device::Launch {
            grid: launch.grid,
            block: launch.block,
            shared: launch.shared,
            order: self.order,
        };
        let mut device = self.device.lock().unwrap();
        device
            .launch(launch.kernel, shape, launch.arguments)
            .map_err(ComputeError::Backend)
    }

    /// At once: a copy that is late shows on the card of `driver`, which has streams.
    fn send(&self, parts: Vec<(Address, TensorView)>) -> Result<Sent, ComputeError> {
        for (to, source) in parts {
            self.device.lock().unwrap().write(to, source.bytes());
        }
        Ok(Sent::default())
    }

    fn arrive(&self, _: Sent, interrupt: &Interrupt) -> Result<(), ComputeError> {
        Ok(interrupt.check()?)
    }

    fn begin(&self) -> Result<(), ComputeError> {
        self.cancel.raise();
        Ok(())
    }

    fn has_arrived(&self, _: Sent) -> Result<bool, ComputeError> {
        Ok(true)
    }

    fn synchronise(&self) -> Result<(), ComputeError> {
        Ok(())
    }

    fn multiprocessors(&self) -> usize {
        8
    }
}

/// Mean and largest |Δ ln p| of the first `count` tokens of a golden checkpoint in tiles of `tile`.
fn off(name: &str, count: usize, tile: usize, kv: KvType, order: Order) -> (f64, f64) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens").join(name);
    let golden: Value = serde_json::from_slice(&fs::read(folder.join("golden.json")).unwrap()).unwrap();
    let expected: Vec<f64> = serde_json::from_value(golden["next_logprobs"].clone()).unwrap();
    let tokens: Vec<u32> = serde_json::from_value(golden["tokens"].clone()).unwrap();
    let tokens = &tokens[..count.min(tokens.len())];
    let checkpoint = Checkpoint::open(&folder).unwrap();
    let cuda = Cuda::new(Emulated::new(order)).with_kv_cache(kv);
    let network = Network::new(cuda, checkpoint.config, checkpoint.weights).unwrap();
    let result = score(&network, tokens, vec![], 0, tile, &Interrupt::new(), |_| {}).unwrap();
    assert_eq!(result.logprobs.len(), tokens.len() - 1);
    let off = result.logprobs.iter().zip(expected).map(|(a, b)| (a - b).abs());
    let off: Vec<f64> = off.collect();
    (
        off.iter().sum::<f64>() / off.len() as f64,
        off.iter().copied().fold(0.0, f64::max),
    )
}

/// The checkpoints whose heads are a multiple of 8 channels wide.
const GOLDENS: [&str; 6] = [
    "bf16-pre-norm",
    "bf16-tied",
    "bf16-unused-ids",
    "m1-bf16",
    "m1-f32-sharded",
    "one-layer",
];

/// In f32 a whole model is what it should be, token by token and in tiles.
#[test]
fn goldens_in_f32() {
    for (i, name) in GOLDENS.into_iter().enumerate() {
        let (_, most) = off(name, 40, [1, 30, 7][i % 3], KvType::F32, Order::ALL[i % 4]);
        assert!(most < 2e-4, "{name} is off by {most:.1e}");
    }
}

/// With rounded keys and values a token may go to another expert, after which all bets are off in a model of random weights, and
/// with tiles rounded to bf16 more of them do: what is bounded is the mean over the tokens.
#[test]
fn goldens_rounded() {
    for (i, name) in GOLDENS.into_iter().enumerate() {
        let (mean, _) = off(name, 40, 3, KvType::Bf16, Order::ALL[i % 4]);
        assert!(mean < 1e-2, "{name} a few tokens at a time is off by {mean:.1e}");
        let (mean, _) = off(name, 200, 64, KvType::Bf16, Order::ALL[(i + 1) % 4]);
        assert!(mean < 8e-2, "{name} in tiles is off by {mean:.1e}");
    }
}

const HIDDEN: usize = 40;
const HEADS: usize = 4;
const D: usize = 16;

pub fn matrix<B: Backend>(backend: &B, numbers: &mut Numbers, shape: [usize; 2], role: TensorRole) -> B::Tensor {
    let values = numbers.values(shape[0] * shape[1], (shape[1] as f32).powf(-0.5));
    let view = TensorView::from_f32_as("w", Dtype::Bf16, shape.to_vec(), &values);
    backend.load(view, role).unwrap()
}

pub fn norm<B: Backend>(backend: &B, numbers: &mut Numbers, width: usize) -> B::Tensor {
    let view = TensorView::from_f32("norm", vec![width], &numbers.factors(width));
    backend.load(view, TensorRole::Norm).unwrap()
}

pub const RESIDUAL: Residual = Residual {
    alpha: 1.5,
    beta: 0.8,
    from_normed: true,
};

/// A lightning layer and then a softmax layer, with experts after each, over tiles long and short: what comes out of each tile.
pub fn layers<B: Backend>(backend: &B) -> Vec<Vec<f32>> {
    let numbers = &mut Numbers(50);
    let lightning = Lightning {
        heads: HEADS,
        head_dim: D,
        slopes: vec![0.9, 0.1, 0.01, 1e-3],
        norm_eps: 1e-6,
    };
    let softmax = Softmax {
        heads: HEADS,
        kv_heads: 2,
        head_dim: D,
        rope: Rope {
            dim: 8,
            theta: 1e4,
            pairing: Pairing::Halves,
        },
    };
    let moe = Moe {
        experts: 3,
        top_k: 3,
        width: 24,
    };
    let width = HEADS * D;
    let norms = [0; 3].map(|_| norm(backend, numbers, HIDDEN));
    let lightning_weights = LightningWeights {
        qkv: matrix(backend, numbers, [3 * width, HIDDEN], TensorRole::Matrix),
        gate: matrix(backend, numbers, [width, HIDDEN], TensorRole::Matrix),
        norm: norm(backend, numbers, width),
        out: matrix(backend, numbers, [HIDDEN, width], TensorRole::Matrix),
    };
    let softmax_weights = SoftmaxWeights {
        q: matrix(backend, numbers, [width, HIDDEN], TensorRole::Matrix),
        k: matrix(backend, numbers, [2 * D, HIDDEN], TensorRole::Matrix),
        v: matrix(backend, numbers, [2 * D, HIDDEN], TensorRole::Matrix),
        out: matrix(backend, numbers, [HIDDEN, width], TensorRole::Matrix),
    };
    // All experts are chosen: rounding changes no choice.
    let moe_weights = MoeWeights {
        router: Some(matrix(backend, numbers, [moe.experts, HIDDEN], TensorRole::Router)),
        experts: (0..moe.experts)
            .map(|_| ExpertWeights {
                gate: matrix(backend, numbers, [moe.width, HIDDEN], TensorRole::Matrix),
                up: matrix(backend, numbers, [moe.width, HIDDEN], TensorRole::Matrix),
                down: matrix(backend, numbers, [HIDDEN, moe.width], TensorRole::Matrix),
            })
            .collect(),
    };
    let block = |norm| Block {
        norm,
        eps: 1e-5,
        residual: RESIDUAL,
    };
    let (mut workspace, interrupt) = (backend.workspace().unwrap(), Interrupt::new());
    let mut states = [0; 2].map(|_| backend.lightning_state(&lightning).unwrap());
    let mut cache = backend.kv_cache(&softmax).unwrap();
    let (mut position, mut out) = (0, Vec::new());
    for (tokens, outputs) in [(2, 2), (560, 3), (1, 1), (3, 2), (70, 70), (5, 0), (1, 1)] {
        let mut x = backend.upload(&numbers.values(tokens * HIDDEN, 1.0), HIDDEN).unwrap();
        let tile = |outputs| Tile {
            position,
            outputs,
            interrupt: &interrupt,
        };
        let [state, next] = &mut states;
        let spec = (&lightning, &lightning_weights);
        let all = tile(tokens);
        backend
            .lightning(
                &mut workspace,
                block(&norms[0]),
                spec.0,
                spec.1,
                &mut x,
                state,
                next,
                all,
            )
            .unwrap();
        states.swap(0, 1);
        backend
            .moe(&mut workspace, block(&norms[1]), &moe, &moe_weights, &mut x, &interrupt)
            .unwrap();
        let spec = (&softmax, &softmax_weights);
        backend
            .softmax(
                &mut workspace,
                block(&norms[2]),
                spec.0,
                spec.1,
                &mut x,
                &mut cache,
                tile(outputs),
            )
            .unwrap();
        out.push(backend.download(&x).unwrap());
        position += tokens;
    }
    out.push(backend.download_lightning_state(&states[0]).unwrap());
    // Back, and on from there.
    backend.truncate_kv_cache(&mut cache, 300).unwrap();
    let mut x = backend.upload(&numbers.values(HIDDEN, 1.0), HIDDEN).unwrap();
    let tile = Tile {
        position: 300,
        outputs: 1,
        interrupt: &interrupt,
    };
    let spec = (&softmax, &softmax_weights);
    backend
        .softmax(
            &mut workspace,
            block(&norms[2]),
            spec.0,
            spec.1,
            &mut x,
            &mut cache,
            tile,
        )
        .unwrap();
    out.push(backend.download(&x).unwrap());
    out
}

/// Tiles long enough to be cut into chunks, a cache that grows, keys that are split: as the reference has it.
#[test]
fn layers_agree_with_the_reference() {
    let expected = layers(&Reference);
    for (kv, order, tolerance) in [
        (KvType::Bf16, Order::Random(3), 2e-2),
        (KvType::Q8, Order::Backward, 3e-2),
        (KvType::F32, Order::Forward, 1e-4),
    ] {
        let got = layers(&Cuda::new(Emulated::new(order)).with_kv_cache(kv));
        assert_eq!(got.len(), expected.len());
        for (i, (got, expected)) in got.iter().zip(&expected).enumerate() {
            close(
                &format!("tile {i} with keys in {kv:?}"),
                &doubles(got),
                &doubles(expected),
                tolerance,
            )
            .unwrap();
        }
    }
}

/// What the kernels do not take is refused before anything is launched.
#[test]
fn what_does_not_fit_is_refused() {
    let cuda = Cuda::new(Emulated::new(Order::Forward));
    let narrow = Lightning {
        heads: 3,
        head_dim: 10,
        slopes: vec![0.1; 3],
        norm_eps: 1e-6,
    };
    assert!(cuda.lightning_state(&narrow).is_err());
    let wide = Softmax {
        heads: 3,
        kv_heads: 1,
        head_dim: 136,
        rope: Rope {
            dim: 8,
            theta: 1e4,
            pairing: Pairing::Halves,
        },
    };
    assert!(cuda.kv_cache(&wide).is_err());
    let odd = TensorView::from_f32("odd", vec![2, 12], &[0.0; 24]);
    assert!(cuda.load(odd, TensorRole::Matrix).is_err());
    let (table, mut x) = (
        cuda.load(TensorView::from_f32("table", vec![2, 8], &[0.0; 16]), TensorRole::Table)
            .unwrap(),
        cuda.upload(&[], 8).unwrap(),
    );
    assert!(cuda.embed(&table, &[2], &mut x).is_err());
}
