//! What a card has read is kept on the disk, and taken up again by another: as if nobody had stopped.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use thunderhead::compute::cpu::KvType;
use thunderhead::compute::cuda::Cuda;
use thunderhead::compute::cuda::device::{Device, DeviceOptions};
use thunderhead::compute::{Backend, Block, Interrupt, KV_BLOCK, Tile};
use thunderhead::engine::{
    Command, Cut, Engine, EngineOptions, Event, EventKind, Finished, GenerateOptions, Identity, Network, Snapshots,
    Submit, Vocabulary,
};
use thunderhead::model::{Pairing, Rope, Softmax, SoftmaxWeights, TensorRole};

use crate::backend::{Emulated, RESIDUAL, matrix, norm};
use crate::common::models::{letters, random_model_of};
use crate::device::Order;
use crate::driver::passes;
use crate::numbers::Numbers;

const VOCAB: usize = 30;
/// Longer than any step takes on a loaded machine.
const PATIENCE: Duration = Duration::from_mins(2);

/// An engine on a card, which keeps its states in a folder.
struct Talk {
    // Dropped first.
    engine: Engine,
    events: Receiver<Event>,
    snapshots: Arc<Snapshots>,
}

impl Talk {
    fn on(folder: &Path, kv: KvType) -> Self {
        let (config, weights) = random_model_of(7, "lsl", VOCAB, 16);
        let cuda = Cuda::new(Device::open(DeviceOptions::default()).unwrap()).with_kv_cache(kv);
        let network = Network::new(cuda, config, weights).unwrap();
        let vocabulary = Vocabulary {
            tokenizer: letters("abcdefghijklmnopqrstuvwxyz", &["<x>", "<y>", "<z>", "<eos>"]),
            eos: vec![],
            unused: vec![],
        };
        let options = EngineOptions {
            cut: Cut { tile: 64, slab: 512 },
            context_limit: 100_000,
        };
        let snapshots = Arc::new(Snapshots::open(folder, u64::MAX).unwrap());
        let identity = Identity {
            fingerprint: [7; 32],
            name: "random".to_owned(),
        };
        let (send, events) = channel();
        let sink = Box::new(move |event| drop(send.send(event)));
        let keeping = Some((snapshots.clone(), identity));
        Self {
            engine: Engine::start_with(network, vocabulary, &options, keeping, sink).unwrap(),
            events,
            snapshots,
        }
    }

    /// What a command ends in, and the bits of each token's probability on the way.
    fn run(&self, command: Command) -> (Finished, Vec<(u32, u32)>) {
        self.engine.submit(command);
        let mut tokens = Vec::new();
        loop {
            match self.events.recv_timeout(PATIENCE).expect("the engine answers").kind {
                EventKind::Token(token) => tokens.push((token.id, token.probability.to_bits())),
                EventKind::Finished(finished) => return (finished, tokens),
                EventKind::Prefill(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    fn read(&self, tokens: &[u32]) -> Finished {
        let command = Command::Prefill {
            tokens: tokens.into(),
            marks: [].into(),
        };
        self.run(command).0
    }

    fn say(&self, prompt: &[u32]) -> (Finished, Vec<(u32, u32)>) {
        self.run(Command::Generate {
            prompt: prompt.into(),
            marks: [].into(),
            options: GenerateOptions {
                max_tokens: 4,
                ..GenerateOptions::default()
            },
        })
    }

    fn close(self) {
        // The engine answers when the command before is over, its states handed on for writing.
        self.engine.submit(Command::Estimate { prompt: [].into() });
        self.events.recv_timeout(PATIENCE).expect("the engine answers");
        assert!(self.snapshots.wait(None));
        assert_eq!(self.snapshots.trouble(), None);
    }
}

#[test]
fn restored_is_never_stopped() {
    passes("keeping::inside_kept");
}

#[test]
#[ignore = "in a process of its own"]
fn inside_kept() {
    for kv in [KvType::Bf16, KvType::F32] {
        let dir = tempfile::tempdir().unwrap();
        let documents: Vec<u32> = (0..300_u32).map(|i| i * i % 29).collect();
        let question = [&documents[..], &[3, 1, 4]].concat();
        let whole = Talk::on(&dir.path().join("whole"), kv);
        whole.read(&documents);
        let (_, never_stopped) = whole.say(&question);
        assert_eq!(never_stopped.len(), 4);
        drop(whole);

        let first = Talk::on(dir.path(), kv);
        assert_eq!(first.read(&documents).restored_tokens, 0);
        first.close();
        let second = Talk::on(dir.path(), kv);
        let (finished, restored) = second.say(&question);
        assert_eq!(finished.restored_tokens, documents.len(), "{kv:?}");
        assert_eq!(restored, never_stopped, "{kv:?}, bit for bit");
        // Another beginning, from the last whole block that is common.
        let other = [&documents[..290], &[7; 20]].concat();
        assert!(second.read(&other).cached_tokens <= 290);
        second.close();
    }
}

/// Keys and values of every type go to bytes and back, whole blocks and a part of one; what is done to a copy does not show.
#[test]
fn blocks_of_every_type_come_back() {
    const HIDDEN: usize = 32;
    let spec = Softmax {
        heads: 2,
        kv_heads: 2,
        head_dim: 16,
        rope: Rope {
            dim: 8,
            theta: 1e4,
            pairing: Pairing::Halves,
        },
    };
    let tokens = 2 * KV_BLOCK + 44;
    for kv in [KvType::F32, KvType::Bf16, KvType::Q8] {
        let cuda = Cuda::new(Emulated::new(Order::Forward)).with_kv_cache(kv);
        let numbers = &mut Numbers(11);
        let norm = norm(&cuda, numbers, HIDDEN);
        let weights = SoftmaxWeights {
            q: matrix(&cuda, numbers, [32, HIDDEN], TensorRole::Matrix),
            k: matrix(&cuda, numbers, [32, HIDDEN], TensorRole::Matrix),
            v: matrix(&cuda, numbers, [32, HIDDEN], TensorRole::Matrix),
            out: matrix(&cuda, numbers, [HIDDEN, 32], TensorRole::Matrix),
        };
        let mut workspace = cuda.workspace().unwrap();
        let interrupt = Interrupt::new();
        let values = numbers.values(tokens * HIDDEN, 1.0);
        let next = numbers.values(HIDDEN, 1.0);
        let mut pass = |cache: &mut _, values: &[f32], position: usize, outputs: usize| {
            let mut x = cuda.upload(values, HIDDEN).unwrap();
            let block = Block {
                norm: &norm,
                eps: 1e-5,
                residual: RESIDUAL,
            };
            let tile = Tile {
                position,
                outputs,
                interrupt: &interrupt,
            };
            cuda.softmax(&mut workspace, block, &spec, &weights, &mut x, cache, tile)
                .unwrap();
            cuda.download(&x).unwrap()
        };
        let mut cache = cuda.kv_cache(&spec).unwrap();
        pass(&mut cache, &values, 0, 0);
        let kept: Vec<Vec<u8>> = (0..3)
            .map(|block| {
                let mut bytes = Vec::new();
                cuda.kv_block(&cache, block).unwrap().write(&mut bytes).unwrap();
                assert_eq!(bytes.len(), cuda.kv_block_bytes(&spec, block));
                bytes
            })
            .collect();
        assert!(cuda.kv_block(&cache, 3).is_err());
        // One block is shared, the others come from what was kept.
        let mut again = cuda.share_kv_cache(&spec, &cache, 1).unwrap();
        assert!(cuda.share_kv_cache(&spec, &cache, 3).is_err());
        let blocks: Vec<&[u8]> = kept[1..].iter().map(Vec::as_slice).collect();
        assert!(
            cuda.extend_kv_cache(&spec, &mut again, &blocks, tokens + KV_BLOCK)
                .is_err()
        );
        assert!(
            cuda.extend_kv_cache(&spec, &mut again, &[&kept[1][1..]], 2 * KV_BLOCK)
                .is_err()
        );
        cuda.extend_kv_cache(&spec, &mut again, &blocks, tokens).unwrap();
        assert!(
            cuda.extend_kv_cache(&spec, &mut again, &blocks[..1], tokens + 1)
                .is_err(),
            "after a block that is not full"
        );
        // What comes over the first does not show in the second.
        cuda.truncate_kv_cache(&mut cache, 100).unwrap();
        pass(&mut cache, &values[..70 * HIDDEN], 100, 0);
        let got = pass(&mut again, &next, tokens, 1);
        let mut whole = cuda.kv_cache(&spec).unwrap();
        pass(&mut whole, &values, 0, 0);
        let expected = pass(&mut whole, &next, tokens, 1);
        assert_eq!(got, expected, "{kv:?}");
    }
}
