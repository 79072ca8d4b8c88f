//! Golden log-probabilities: every checkpoint of `tests/goldens`, on every backend, at every tile size.
//!
//! The goldens come from a float64 evaluator that computes one token at a time; an engine with f32 activations is
//! expected within 2e-4, and takes the same greedy decisions.

#![allow(
    clippy::unwrap_used,
    reason = "a test that unwraps nothing has failed, in its helpers too"
)]

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;

use common::goldens;
use serde::Deserialize;
use serde_json::{Value, json};
use thunderhead::compute::cpu::{Cpu, Isa, KvType};
use thunderhead::compute::reference::Reference;
use thunderhead::compute::{Backend, Interrupt};
use thunderhead::engine::{Network, Score, score};
use thunderhead::model::Checkpoint;

const TOLERANCE: f64 = 2e-4;
const TILES: [usize; 5] = [1, 7, 64, 256, 4096];

#[derive(Deserialize)]
struct Golden {
    tokens: Vec<u32>,
    next_logprobs: Vec<f64>,
    greedy: Vec<u32>,
    greedy_logprobs: Vec<f64>,
}

impl Golden {
    fn read(directory: &Path) -> Self {
        serde_json::from_slice(&std::fs::read(directory.join("golden.json")).unwrap()).unwrap()
    }

    fn assert_matches(
        &self,
        logprobs: &[f64],
        continuation: &[u32],
        continuation_logprobs: &[f64],
        tolerance: f64,
        what: &str,
    ) {
        assert_eq!(logprobs.len(), self.next_logprobs.len(), "{what}");
        assert_eq!(continuation, self.greedy, "{what}: greedy continuation");
        let golden = self.next_logprobs.iter().chain(&self.greedy_logprobs);
        let worst = logprobs
            .iter()
            .chain(continuation_logprobs)
            .zip(golden)
            .map(|(a, b)| (a - b).abs())
            .fold(0.0, f64::max);
        assert!(worst < tolerance, "{what}: off by {worst:.1e}");
    }
}

fn check<B: Backend>(make: impl Fn() -> B, tiles: &[usize], tolerance: f64) {
    for directory in goldens() {
        let golden = Golden::read(&directory);
        let checkpoint = Checkpoint::open(&directory).unwrap();
        let unused = checkpoint.unused_ids();
        let network = Network::new(make(), checkpoint.config.clone(), checkpoint.weights.clone()).unwrap();
        for &tile in tiles {
            let what = format!("{} at tile {tile}", directory.display());
            let Score {
                logprobs,
                continuation,
                continuation_logprobs,
            } = score(
                &network,
                &golden.tokens,
                unused.clone(),
                golden.greedy.len(),
                tile,
                &Interrupt::new(),
                |_| {},
            )
            .unwrap();
            golden.assert_matches(&logprobs, &continuation, &continuation_logprobs, tolerance, &what);
        }
    }
}

fn exact(threads: usize, isa: Isa) -> Cpu {
    let cpu = Cpu::new(threads).unwrap().with_isa(isa);
    cpu.with_kv_cache(KvType::F32)
}

#[test]
fn cpu() {
    check(|| exact(2, Isa::detect()), &TILES, TOLERANCE);
}

#[test]
fn cpu_with_other_instructions() {
    for isa in Isa::available().filter(|isa| *isa != Isa::detect()) {
        check(|| exact(2, isa), &[7, 256], TOLERANCE);
    }
}

/// With rounded keys and values a token may go to another expert, after which all bets are off in a model of random
/// weights: what is bounded is the mean over the tokens.
#[test]
fn cpu_with_smaller_caches() {
    for (kv, bound) in [(KvType::Bf16, 1e-2), (KvType::Q8, 2e-2)] {
        for directory in goldens() {
            let golden = Golden::read(&directory);
            let checkpoint = Checkpoint::open(&directory).unwrap();
            let cpu = Cpu::new(2).unwrap().with_kv_cache(kv);
            let network = Network::new(cpu, checkpoint.config.clone(), checkpoint.weights).unwrap();
            let result = score(&network, &golden.tokens, vec![], 0, 64, &Interrupt::new(), |_| {}).unwrap();
            let off = result
                .logprobs
                .iter()
                .zip(&golden.next_logprobs)
                .map(|(a, b)| (a - b).abs());
            let mean = off.sum::<f64>() / result.logprobs.len() as f64;
            assert!(
                mean < bound,
                "{} with {kv:?}: off by {mean:.1e} in the mean",
                directory.display()
            );
        }
    }
}

#[test]
fn reference() {
    check(|| Reference, &TILES, TOLERANCE);
}

#[test]
fn through_the_program() {
    for directory in goldens() {
        let golden = Golden::read(&directory);
        for backend in ["cpu", "reference"] {
            let output = Command::new(env!("CARGO_BIN_EXE_thunderhead"))
                .env("THUNDERHEAD_SESSIONS_KEEP", "false")
                .args([
                    "score",
                    "--json",
                    "--tile",
                    "64",
                    "--kv-cache",
                    "f32",
                    "--backend",
                    backend,
                    "--model",
                ])
                .arg(&directory)
                .arg("--tokens")
                .arg(directory.join("golden.json"))
                .args(["--continue", &golden.greedy.len().to_string()])
                .output()
                .unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            let json: Value = serde_json::from_slice(&output.stdout).unwrap();
            let floats = |key: &str| -> Vec<f64> { serde_json::from_value(json[key].clone()).unwrap() };
            let ids: Vec<u32> = serde_json::from_value(json["continuation"].clone()).unwrap();
            let what = format!("{} on {backend}", directory.display());
            let continuation = floats("continuation_logprobs");
            golden.assert_matches(&floats("logprobs"), &ids, &continuation, TOLERANCE, &what);
        }
    }
}

/// The same weights under transformers' names, with fused experts and its keys in the config.
#[test]
fn transformers_layout() {
    for name in ["m1-bf16", "f16-six-heads"] {
        let directory = common::golden(name);
        let native = tempfile::tempdir().unwrap();
        write_transformers_layout(&directory, native.path());
        let golden = Golden::read(&directory);
        let checkpoint = Checkpoint::open(native.path()).unwrap();
        assert_eq!(checkpoint.config.model_type, "minimax");
        let network = Network::new(exact(2, Isa::detect()), checkpoint.config.clone(), checkpoint.weights).unwrap();
        let result = score(
            &network,
            &golden.tokens,
            vec![],
            golden.greedy.len(),
            64,
            &Interrupt::new(),
            |_| {},
        )
        .unwrap();
        golden.assert_matches(
            &result.logprobs,
            &result.continuation,
            &result.continuation_logprobs,
            TOLERANCE,
            name,
        );
    }
}

fn write_transformers_layout(from: &Path, to: &Path) {
    let mut config: Value = serde_json::from_slice(&std::fs::read(from.join("config.json")).unwrap()).unwrap();
    let old = config.as_object_mut().unwrap();
    let mut take = |key: &str| old.remove(key).unwrap();
    let kinds: Vec<&str> = take("attn_type_list")
        .as_array()
        .unwrap()
        .iter()
        .map(|k| if k == 1 { "full_attention" } else { "linear_attention" })
        .collect();
    let rope = json!({ "rope_type": "default", "rope_theta": take("rope_theta") });
    let factors = [
        ("full_attention", "full_attn"),
        ("linear_attention", "linear_attn"),
        ("mlp", "mlp"),
    ]
    .into_iter()
    .flat_map(|(hub, native)| {
        ["alpha", "beta"].map(|end| (format!("layernorm_{hub}_{end}"), format!("{native}_{end}_factor")))
    })
    .map(|(hub, native)| (native, take(&hub)))
    .collect::<Vec<_>>();
    take("postnorm");
    config["model_type"] = json!("minimax");
    config["layer_types"] = json!(kinds);
    config["rope_parameters"] = rope;
    for (key, value) in factors {
        config[key] = value;
    }
    std::fs::write(to.join("config.json"), config.to_string()).unwrap();

    let bytes = std::fs::read(from.join("model.safetensors")).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let experts = config["num_local_experts"].as_u64().unwrap();
    let mut out: Vec<(String, safetensors::Dtype, Vec<usize>, Vec<u8>)> = Vec::new();
    for (name, tensor) in tensors.tensors() {
        if !name.contains(".experts.") {
            let name = name.replace("block_sparse_moe", "mlp");
            out.push((name, tensor.dtype(), tensor.shape().to_vec(), tensor.data().to_vec()));
        }
    }
    for layer in 0..config["num_hidden_layers"].as_u64().unwrap() {
        let expert = |e: u64, w: &str| {
            tensors
                .tensor(&format!("model.layers.{layer}.block_sparse_moe.experts.{e}.{w}.weight"))
                .unwrap()
        };
        let first = expert(0, "w1");
        let (width, hidden) = (first.shape()[0], first.shape()[1]);
        let gate_up = (0..experts)
            .flat_map(|e| [expert(e, "w1").data().to_vec(), expert(e, "w3").data().to_vec()])
            .flatten()
            .collect();
        let down = (0..experts).flat_map(|e| expert(e, "w2").data().to_vec()).collect();
        let at = |end: &str| format!("model.layers.{layer}.mlp.experts.{end}");
        out.push((
            at("gate_up_proj"),
            first.dtype(),
            vec![experts as usize, 2 * width, hidden],
            gate_up,
        ));
        out.push((
            at("down_proj"),
            first.dtype(),
            vec![experts as usize, hidden, width],
            down,
        ));
        // A buffer that this layout keeps in its files and that must be ignored.
        out.push((
            format!("model.layers.{layer}.self_attn.slope_rate"),
            safetensors::Dtype::F32,
            vec![1],
            vec![0; 4],
        ));
    }
    let views = out.iter().map(|(name, dtype, shape, data)| {
        (
            name.clone(),
            safetensors::tensor::TensorView::new(*dtype, shape.clone(), data).unwrap(),
        )
    });
    let file: PathBuf = to.join("model.safetensors");
    safetensors::serialize_to_file(views, None, &file).unwrap();
}
