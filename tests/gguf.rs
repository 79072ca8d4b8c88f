//! Models in GGUF: the same numbers and the same ids as from the files they were converted from; and whatever is wrong
//! with a file, a message and never a panic.

#![allow(
    clippy::unwrap_used,
    reason = "a test that unwraps nothing has failed, in its helpers too"
)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use common::gguf::{Gguf, Tensor, Value, text};
use common::golden;
use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde_json::{Value as Json, json};
use tempfile::TempDir;
use thunderhead::compute::Interrupt;
use thunderhead::compute::cpu::{Cpu, KvType};
use thunderhead::engine::{Network, Score, score};
use thunderhead::model::{Checkpoint, Message, Pairing, Role};

/// The goldens whose residual a GGUF file can say.
const CONVERTIBLE: [&str; 6] = [
    "bf16-tied",
    "bf16-unused-ids",
    "lightning-only",
    "m1-bf16",
    "m1-f32-sharded",
    "one-layer",
];

fn write(gguf: &Gguf) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.gguf");
    gguf.write(&path);
    (folder, path)
}

fn open(gguf: &Gguf) -> Result<Checkpoint, String> {
    let (_folder, path) = write(gguf);
    Checkpoint::open(&path).map_err(|e| e.to_string())
}

fn scored(checkpoint: &Checkpoint, tokens: &[u32], count: usize) -> Score {
    let (config, weights) = (checkpoint.config.clone(), checkpoint.weights.clone());
    let network = Network::new(Cpu::new(2).unwrap().with_kv_cache(KvType::F32), config, weights).unwrap();
    let unused = checkpoint.unused_ids();
    score(&network, tokens, unused, count, 64, &Interrupt::new(), |_| {}).unwrap()
}

fn assert_close(a: &[f64], b: &[f64], tolerance: f64, what: &str) {
    assert_eq!(a.len(), b.len(), "{what}");
    let worst = a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(worst < tolerance, "{what}: off by {worst:.1e}");
}

fn program(arguments: &[&str], model: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_thunderhead"))
        .env("THUNDERHEAD_SESSIONS_KEEP", "false")
        .arg(arguments[0])
        .arg("--model")
        .arg(model)
        .args(&arguments[1..])
        .output()
        .unwrap()
}

/// Opening it fails with a message that has each of `parts`, in the library and through the program.
fn assert_refused(path: &Path, parts: &[&str]) {
    let message = Checkpoint::open(path).map(|_| ()).unwrap_err().to_string();
    let output = program(&["score", "--tokens", "-"], path);
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    assert!(output.stdout.is_empty());
    for text in [&message, &stderr] {
        for part in parts {
            assert!(text.contains(part), "{part:?} is not in: {text}");
        }
        assert!(!text.contains("panicked"), "{text}");
    }
}

fn assert_file_refused(gguf: &Gguf, parts: &[&str]) {
    let (_folder, path) = write(gguf);
    assert_refused(&path, &[parts, &["model.gguf"]].concat());
}

mod as_converted {
    use super::*;

    fn golden_json(name: &str) -> Json {
        serde_json::from_slice(&fs::read(golden(name).join("golden.json")).unwrap()).unwrap()
    }

    #[test]
    fn a_converted_checkpoint_gives_the_golden_log_probabilities() {
        for name in CONVERTIBLE {
            let file = golden_json(name);
            let floats = |key: &str| -> Vec<f64> { serde_json::from_value(file[key].clone()).unwrap() };
            let ids = |key: &str| -> Vec<u32> { serde_json::from_value(file[key].clone()).unwrap() };
            let checkpoint = open(&Gguf::minimax(&golden(name))).unwrap();
            assert_eq!(checkpoint.name, "model");
            assert_eq!(checkpoint.config.model_type, "minimax-01");
            let greedy = ids("greedy");
            let result = scored(&checkpoint, &ids("tokens"), greedy.len());
            assert_eq!(result.continuation, greedy, "{name}");
            assert_close(&result.logprobs, &floats("next_logprobs"), 2e-4, name);
            assert_close(&result.continuation_logprobs, &floats("greedy_logprobs"), 2e-4, name);

            let hub = Checkpoint::open(&golden(name)).unwrap();
            assert_eq!(checkpoint.unused_ids(), hub.unused_ids(), "{name}");
            assert_eq!(checkpoint.config.tied_head, hub.config.tied_head, "{name}");
            let same = scored(&hub, &ids("tokens"), greedy.len());
            // α and ε are f32 in the file and f64 in config.json.
            assert_close(&result.logprobs, &same.logprobs, 1e-5, name);
        }
    }

    #[test]
    fn without_a_list_every_eighth_layer_is_softmax() {
        let mut gguf = Gguf::minimax(&golden("m1-bf16"));
        gguf.remove("minimax-01.attention.recurrent_layers");
        let with_list = open(&Gguf::minimax(&golden("m1-bf16"))).unwrap();
        assert_eq!(open(&gguf).unwrap().config, with_list.config);

        let mut gguf = Gguf::minimax(&golden("m1-f32-sharded"));
        gguf.remove("minimax-01.attention.recurrent_layers")
            .set("minimax-01.full_attention_interval", Value::U32(2));
        let with_list = open(&Gguf::minimax(&golden("m1-f32-sharded"))).unwrap();
        assert_eq!(open(&gguf).unwrap().config, with_list.config);
    }

    #[test]
    fn text_becomes_the_same_ids() {
        let folder = golden("m1-bf16");
        let hub = Checkpoint::open(&folder).unwrap();
        let checkpoint = open(&Gguf::minimax(&folder)).unwrap();
        let (tokenizer, original) = (checkpoint.tokenizer().unwrap(), hub.tokenizer().unwrap());
        let golden_text: Json = serde_json::from_slice(&fs::read(folder.join("golden_text.json")).unwrap()).unwrap();
        let ids: Vec<u32> = serde_json::from_value(golden_text["ids"].clone()).unwrap();
        assert_eq!(tokenizer.encode(golden_text["text"].as_str().unwrap()), ids);
        assert_eq!(tokenizer.decode(&ids), golden_text["text"].as_str().unwrap());
        for id in 0..384 {
            assert_eq!(tokenizer.token_bytes(id), original.token_bytes(id), "{id}");
        }
        assert_eq!(checkpoint.eos().unwrap(), [383]);

        let messages = [
            Message::new(Role::System, "Be brief."),
            Message::new(Role::User, "What is <end_of_sentence>?"),
        ];
        let chat = |checkpoint: &Checkpoint, tokenizer| {
            let template = checkpoint.chat_template().unwrap().unwrap();
            template.encode(tokenizer, &messages, true, Some(&[7, 8])).unwrap()
        };
        assert_eq!(chat(&checkpoint, &tokenizer), chat(&hub, &original));
    }

    #[test]
    fn a_kept_tokenizer_json_comes_first() {
        let mut gguf = Gguf::minimax(&golden("m1-bf16"));
        let json = fs::read_to_string(golden("m1-bf16").join("tokenizer.json")).unwrap();
        gguf.set("tokenizer.ggml.pre", text("no such way"))
            .set("tokenizer.huggingface.json", Value::Text(json));
        let tokenizer = open(&gguf).unwrap().tokenizer().unwrap();
        let original = Checkpoint::open(&golden("m1-bf16")).unwrap().tokenizer().unwrap();
        assert_eq!(tokenizer.fingerprint(), original.fingerprint());
    }

    #[test]
    fn suppressed_ids_are_never_produced() {
        let mut gguf = Gguf::minimax(&golden("one-layer"));
        let before = scored(&open(&gguf).unwrap(), &[1, 2, 3], 1).continuation[0];
        gguf.set(
            "tokenizer.ggml.suppress_tokens",
            Value::I32s(vec![before.cast_signed(), 1 << 20]),
        );
        let checkpoint = open(&gguf).unwrap();
        assert_eq!(checkpoint.unused_ids(), [before]);
        assert_ne!(scored(&checkpoint, &[1, 2, 3], 1).continuation[0], before);
    }

    #[test]
    fn sampling_is_what_the_file_recommends() {
        let mut gguf = Gguf::minimax(&golden("one-layer"));
        let defaults = open(&gguf).unwrap().sampling_defaults().unwrap();
        assert_eq!((defaults.temperature, defaults.top_k, defaults.top_p), (1.0, 0, 0.95));
        gguf.set("general.sampling.temp", Value::F32(0.5))
            .set("general.sampling.top_k", Value::U32(20))
            .set("general.sampling.top_p", Value::F32(0.75));
        let defaults = open(&gguf).unwrap().sampling_defaults().unwrap();
        assert_eq!((defaults.temperature, defaults.top_k, defaults.top_p), (0.5, 20, 0.75));
    }
}

mod where_it_lies {
    use super::*;

    /// Writes `gguf` in `count` parts, the keys in the first.
    fn write_parts(gguf: &Gguf, folder: &Path, count: usize) -> Vec<PathBuf> {
        let chunk = gguf.tensors.len().div_ceil(count);
        let parts = gguf.tensors.chunks(chunk).enumerate().map(|(part, tensors)| {
            let mut file = Gguf {
                keys: if part == 0 { gguf.keys.clone() } else { Vec::new() },
                tensors: tensors.to_vec(),
            };
            file.set("split.no", Value::U16(part as u16))
                .set("split.count", Value::U16(count as u16))
                .set("split.tensors.count", Value::U32(gguf.tensors.len() as u32));
            let path = folder.join(format!("tiny-m1-{:05}-of-{count:05}.gguf", part + 1));
            file.write(&path);
            path
        });
        parts.collect()
    }

    #[test]
    fn a_model_in_parts_is_one() {
        let gguf = Gguf::minimax(&golden("one-layer"));
        let folder = tempfile::tempdir().unwrap();
        let parts = write_parts(&gguf, folder.path(), 3);
        let whole = scored(&open(&gguf).unwrap(), &[5, 6, 7, 8], 3);
        for path in [parts[0].as_path(), folder.path()] {
            let checkpoint = Checkpoint::open(path).unwrap();
            assert_eq!(checkpoint.name, "tiny-m1");
            assert_eq!(scored(&checkpoint, &[5, 6, 7, 8], 3).logprobs, whole.logprobs);
        }
        assert_refused(
            &parts[1],
            &["part 2 of 3", "give the first, tiny-m1-00001-of-00003.gguf"],
        );
        fs::copy(&parts[1], &parts[2]).unwrap();
        assert_refused(&parts[0], &["00003-of-00003.gguf"]);
        fs::remove_file(&parts[2]).unwrap();
        assert_refused(&parts[0], &["tiny-m1-00003-of-00003.gguf", "missing"]);
        let renamed = folder.path().join("renamed.gguf");
        fs::rename(&parts[0], &renamed).unwrap();
        assert_refused(&renamed, &["one of 3 parts", "-00001-of-00003.gguf"]);
    }

    #[test]
    fn a_folder_with_one_model_is_that_model() {
        let gguf = Gguf::minimax(&golden("one-layer"));
        let (folder, path) = write(&gguf);
        // What lies about in such folders: the original's config, notes, and what sees pictures for the model.
        fs::write(folder.path().join("config.json"), "{}").unwrap();
        fs::write(folder.path().join("mmproj-f16.gguf"), "x").unwrap();
        assert_eq!(Checkpoint::open(folder.path()).unwrap().name, "model");
        fs::copy(&path, folder.path().join("another.gguf")).unwrap();
        assert_refused(folder.path(), &["2 models", "another.gguf, model.gguf", "name one"]);
    }

    #[test]
    fn a_file_of_another_kind_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        for (name, contents) in [("a.gguf", "GGML"), ("model.bin", "something else"), ("tiny.gguf", "GG")] {
            let path = folder.path().join(name);
            fs::write(&path, contents).unwrap();
            assert_refused(&path, &[name, "not a"]);
        }
        fs::write(folder.path().join("empty.gguf"), "").unwrap();
        assert_refused(&folder.path().join("empty.gguf"), &["empty"]);
    }

    #[test]
    fn every_command_takes_a_file() {
        let (folder, path) = write(&Gguf::minimax(&golden("m1-bf16")));
        let document = folder.path().join("notes.txt");
        fs::write(&document, "The key is under the mat.\n").unwrap();
        let document = document.to_str().unwrap();
        for arguments in [
            &["score", "--text", document] as &[&str],
            &["pack", document],
            &["ask", document, "--prompt", "Where is the key?", "--max-tokens", "4"],
        ] {
            let output = program(arguments, &path);
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{arguments:?}: {stderr}");
            assert!(!output.stdout.is_empty(), "{arguments:?}");
        }
    }
}

mod llama {
    use super::*;

    const HIDDEN: usize = 32;
    const HEADS: usize = 4;
    const KV_HEADS: usize = 2;
    const HEAD_DIM: usize = 8;
    const WIDTH: usize = 48;
    const VOCAB: usize = 64;
    const LAYERS: usize = 2;

    /// Weights by the names of the hub, of a dense pre-norm model.
    fn random_weights() -> Vec<(String, Vec<usize>, Vec<f32>)> {
        let mut random = ChaCha8Rng::seed_from_u64(5);
        let mut tensor = |name: String, shape: &[usize]| {
            let centre = if shape.len() == 1 { 1.0 } else { 0.0 };
            let values = (0..shape.iter().product())
                .map(|_| centre + 0.8 * (random.next_u32() as f32 / u32::MAX as f32 - 0.5))
                .collect();
            (name, shape.to_vec(), values)
        };
        let mut all = vec![
            tensor("model.embed_tokens.weight".into(), &[VOCAB, HIDDEN]),
            tensor("model.norm.weight".into(), &[HIDDEN]),
        ];
        for layer in 0..LAYERS {
            for (name, shape) in [
                ("input_layernorm", vec![HIDDEN]),
                ("self_attn.q_proj", vec![HEADS * HEAD_DIM, HIDDEN]),
                ("self_attn.k_proj", vec![KV_HEADS * HEAD_DIM, HIDDEN]),
                ("self_attn.v_proj", vec![KV_HEADS * HEAD_DIM, HIDDEN]),
                ("self_attn.o_proj", vec![HIDDEN, HEADS * HEAD_DIM]),
                ("post_attention_layernorm", vec![HIDDEN]),
                ("block_sparse_moe.experts.0.w1", vec![WIDTH, HIDDEN]),
                ("block_sparse_moe.experts.0.w3", vec![WIDTH, HIDDEN]),
                ("block_sparse_moe.experts.0.w2", vec![HIDDEN, WIDTH]),
            ] {
                all.push(tensor(format!("model.layers.{layer}.{name}.weight"), &shape));
            }
        }
        all
    }

    /// The model as a checkpoint of the MiniMax family: softmax layers only, one expert, residuals of factor 1.
    fn write_hub(weights: &[(String, Vec<usize>, Vec<f32>)], folder: &Path) {
        let mut config = json!({
            "model_type": "minimax_m1", "hidden_size": HIDDEN, "vocab_size": VOCAB, "num_hidden_layers": LAYERS,
            "attn_type_list": [1, 1], "num_attention_heads": HEADS, "num_key_value_heads": KV_HEADS,
            "head_dim": HEAD_DIM, "rotary_dim": HEAD_DIM, "rope_theta": 1e4, "rms_norm_eps": 1e-5, "postnorm": false,
            "num_local_experts": 1, "num_experts_per_tok": 1, "intermediate_size": WIDTH,
            "max_position_embeddings": 512, "tie_word_embeddings": true,
        });
        for kind in ["full_attention", "linear_attention", "mlp"] {
            for end in ["alpha", "beta"] {
                config[format!("layernorm_{kind}_{end}")] = json!(1.0);
            }
        }
        fs::write(folder.join("config.json"), config.to_string()).unwrap();
        let bytes: Vec<Vec<u8>> = weights
            .iter()
            .map(|w| w.2.iter().flat_map(|v| v.to_le_bytes()).collect())
            .collect();
        let views = weights.iter().zip(&bytes).map(|((name, shape, _), bytes)| {
            let view = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape.clone(), bytes).unwrap();
            (name.clone(), view)
        });
        safetensors::serialize_to_file(views, None, &folder.join("model.safetensors")).unwrap();
    }

    /// Rows of q or k as converters of this type put them: channel `j` of a head beside channel `j + dim/2`.
    fn interleaved(values: &[f32]) -> Vec<f32> {
        let half = HEAD_DIM / 2;
        values
            .chunks(HEAD_DIM * HIDDEN)
            .flat_map(|head| {
                (0..HEAD_DIM).flat_map(move |row| {
                    let from = row / 2 + row % 2 * half;
                    head[from * HIDDEN..(from + 1) * HIDDEN].to_vec()
                })
            })
            .collect()
    }

    pub(super) fn gguf() -> Gguf {
        let mut gguf = Gguf::default();
        gguf.set("general.architecture", text("llama"));
        for (key, value) in [
            ("block_count", LAYERS),
            ("context_length", 512),
            ("embedding_length", HIDDEN),
            ("feed_forward_length", WIDTH),
            ("attention.head_count", HEADS),
            ("attention.head_count_kv", KV_HEADS),
            ("rope.dimension_count", HEAD_DIM),
        ] {
            gguf.set(&format!("llama.{key}"), Value::U32(value as u32));
        }
        gguf.set("llama.attention.layer_norm_rms_epsilon", Value::F32(1e-5));
        for (name, shape, values) in random_weights() {
            let name = name
                .replace("model.embed_tokens", "token_embd")
                .replace("model.norm", "output_norm")
                .replace("model.layers", "blk")
                .replace("input_layernorm", "attn_norm")
                .replace("post_attention_layernorm", "ffn_norm")
                .replace("self_attn.o_proj", "attn_output")
                .replace("self_attn.q_proj", "attn_q")
                .replace("self_attn.k_proj", "attn_k")
                .replace("self_attn.v_proj", "attn_v")
                .replace("block_sparse_moe.experts.0.w1", "ffn_gate")
                .replace("block_sparse_moe.experts.0.w3", "ffn_up")
                .replace("block_sparse_moe.experts.0.w2", "ffn_down");
            if name.contains("attn_q") || name.contains("attn_k") {
                gguf.add_f32(&name, &shape, &interleaved(&values));
            } else {
                gguf.add_f32(&name, &shape, &values);
            }
        }
        gguf
    }

    #[test]
    fn a_dense_model_is_softmax_layers_with_one_expert() {
        let hub = tempfile::tempdir().unwrap();
        write_hub(&random_weights(), hub.path());
        let hub = Checkpoint::open(hub.path()).unwrap();
        let checkpoint = open(&gguf()).unwrap();
        assert!(checkpoint.config.tied_head);
        assert!(checkpoint.weights.layers[0].moe.router.is_none());
        let tokens: Vec<u32> = (0..40).map(|i| i * 7 % 64).collect();
        let (a, b) = (scored(&checkpoint, &tokens, 8), scored(&hub, &tokens, 8));
        assert_eq!(a.continuation, b.continuation);
        assert_close(&a.logprobs, &b.logprobs, 1e-5, "llama");
    }

    #[test]
    fn a_head_of_its_own_is_used() {
        let mut gguf = gguf();
        let zeros = vec![0.0; VOCAB * HIDDEN];
        gguf.add_f32("output.weight", &[VOCAB, HIDDEN], &zeros);
        let result = scored(&open(&gguf).unwrap(), &[1, 2, 3], 0);
        assert_close(&result.logprobs, &[-(VOCAB as f64).ln(); 2], 1e-6, "a head of zeros");
    }

    #[test]
    fn what_would_be_computed_wrongly_is_refused() {
        for (key, value, part) in [
            ("rope.scaling.type", text("yarn"), "rope.scaling.type \"yarn\""),
            ("rope.scaling.factor", Value::F32(4.0), "rope.scaling.factor of 4"),
            ("attention.sliding_window", Value::U32(256), "sliding window"),
            ("residual_scale", Value::F32(0.25), "residual_scale"),
            ("logit_scale", Value::F32(8.0), "logit_scale"),
            ("expert_gating_func", Value::U32(2), "expert_gating_func"),
        ] {
            let mut gguf = gguf();
            gguf.set(&format!("llama.{key}"), value);
            assert_file_refused(&gguf, &[part, "not supported", "\"llama\""]);
        }
        for (name, size, part) in [
            ("rope_freqs.weight", 4, "rope_freqs.weight"),
            ("blk.0.attn_q.bias", 32, "blk.0.attn_q.bias"),
            ("blk.2.attn_norm.weight", 32, "blk.2.attn_norm.weight"),
        ] {
            let mut gguf = gguf();
            gguf.add_f32(name, &[size], &vec![1.0; size]);
            assert_file_refused(&gguf, &[part, "not supported"]);
        }
        let mut plain = gguf();
        plain
            .set("llama.rope.scaling.type", text("none"))
            .set("llama.rope.scaling.factor", Value::F32(1.0))
            .set("llama.attention.sliding_window", Value::U32(4096));
        open(&plain).unwrap();
    }

    #[test]
    fn rotary_pairs_are_neighbours() {
        let checkpoint = open(&gguf()).unwrap();
        let thunderhead::model::Mixer::Softmax(spec) = &checkpoint.config.layers[0].mixer else {
            panic!("a softmax layer");
        };
        assert_eq!(spec.rope.pairing, Pairing::Neighbours);
    }

    #[test]
    fn experts_are_parts_of_one_tensor() {
        let mut mixture = gguf();
        mixture
            .set("llama.expert_count", Value::U32(2))
            .set("llama.expert_used_count", Value::U32(1));
        for layer in 0..LAYERS {
            for name in ["gate", "up", "down"] {
                let dense = format!("blk.{layer}.ffn_{name}.weight");
                let at = mixture.tensors.iter().position(|t| t.name == dense).unwrap();
                let Tensor { shape, data, .. } = mixture.tensors.remove(at);
                mixture.tensors.push(Tensor {
                    name: format!("blk.{layer}.ffn_{name}_exps.weight"),
                    shape: [&[2], shape.as_slice()].concat(),
                    kind: 0,
                    data: data.repeat(2),
                });
            }
            let router = format!("blk.{layer}.ffn_gate_inp.weight");
            mixture.add_f32(&router, &[2, HIDDEN], &[0.5; 2 * HIDDEN]);
        }
        // Two equal experts of which one is used are the dense model.
        let (a, b) = (open(&mixture).unwrap(), open(&gguf()).unwrap());
        assert_eq!(a.weights.layers[1].moe.experts.len(), 2);
        let tokens = [3, 1, 4, 1, 5, 9, 2, 6];
        assert_close(
            &scored(&a, &tokens, 0).logprobs,
            &scored(&b, &tokens, 0).logprobs,
            1e-5,
            "experts",
        );
    }
}

mod tokenizers {
    use super::*;
    use std::fmt::Write as _;

    /// A file that has a tokenizer of `SentencePiece`'s kind: the bytes, then `pieces` with falling scores.
    fn sentence_piece(pieces: &[&str]) -> Gguf {
        let mut tokens: Vec<(String, f32, i32)> = vec![
            ("<unk>".into(), 0.0, 2),
            ("<s>".into(), 0.0, 3),
            ("</s>".into(), 0.0, 3),
        ];
        tokens.extend((0..256).map(|byte| (format!("<0x{byte:02X}>"), 0.0, 6)));
        tokens.extend(
            pieces
                .iter()
                .enumerate()
                .map(|(i, piece)| ((*piece).to_owned(), -(i as f32), 1)),
        );
        let mut gguf = Gguf::minimax(&golden("one-layer"));
        gguf.set("tokenizer.ggml.model", text("llama"))
            .set(
                "tokenizer.ggml.tokens",
                Value::Texts(tokens.iter().map(|t| t.0.clone()).collect()),
            )
            .set(
                "tokenizer.ggml.scores",
                Value::F32s(tokens.iter().map(|t| t.1).collect()),
            )
            .set(
                "tokenizer.ggml.token_type",
                Value::I32s(tokens.iter().map(|t| t.2).collect()),
            )
            .set("tokenizer.ggml.eos_token_id", Value::U32(2));
        gguf
    }

    #[test]
    fn sentence_piece_merges_by_score() {
        // First of all pairs that make a token, the one whose token has the highest score.
        let pieces = ["▁t", "he", "▁the", "in", "▁", "t", "h", "e", "i", "n"];
        let checkpoint = open(&sentence_piece(&pieces)).unwrap();
        let tokenizer = checkpoint.tokenizer().unwrap();
        let id = |piece: &str| 259 + pieces.iter().position(|p| *p == piece).unwrap() as u32;
        assert_eq!(tokenizer.encode(" the in"), [id("▁the"), id("▁"), id("in")]);
        assert_eq!(tokenizer.encode("the"), [id("t"), id("he")]);
        assert_eq!(tokenizer.encode("é\n"), [3 + 0xc3, 3 + 0xa9, 3 + 0x0a]);
        assert_eq!(tokenizer.encode("</s>").len(), 4);
        assert_eq!(tokenizer.special("</s>"), Some(2));
        assert_eq!(checkpoint.eos().unwrap(), [2]);
        let strange = " the\u{2581}in\t<s> 日本 \u{1f600}  ";
        assert_eq!(
            tokenizer.decode(&tokenizer.encode(strange)),
            strange.replace('\u{2581}', " ")
        );
    }

    /// A file with a byte-level tokenizer of the bytes and `words`, which are whole tokens without merges.
    fn byte_level(words: &[(&str, i32)], pre: Option<&str>) -> Gguf {
        let hub: Json = serde_json::from_slice(&fs::read(golden("m1-bf16").join("tokenizer.json")).unwrap()).unwrap();
        let mut alphabet: Vec<(String, u64)> = hub["model"]["vocab"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(token, id)| (token.clone(), id.as_u64().unwrap()))
            .collect();
        alphabet.sort_by_key(|(_, id)| *id);
        let mut tokens: Vec<(String, i32)> = alphabet.into_iter().take(256).map(|(token, _)| (token, 1)).collect();
        tokens.extend(words.iter().map(|(word, kind)| ((*word).to_owned(), *kind)));
        let mut gguf = Gguf::minimax(&golden("one-layer"));
        gguf.set("tokenizer.ggml.model", text("gpt2"))
            .set("tokenizer.ggml.merges", Value::Texts(vec!["a b".into()]))
            .set(
                "tokenizer.ggml.token_type",
                Value::I32s(tokens.iter().map(|t| t.1).collect()),
            )
            .set(
                "tokenizer.ggml.tokens",
                Value::Texts(tokens.into_iter().map(|t| t.0).collect()),
            );
        if let Some(pre) = pre {
            gguf.set("tokenizer.ggml.pre", text(pre));
        }
        gguf
    }

    #[test]
    fn documents_never_become_control_tokens() {
        let words = [("<|im_end|>", 3), ("</think>", 4), ("[PAD5]", 5), ("ab", 1)];
        for pre in ["smollm", "llama-bpe", "gpt-4o", "qwen2", "tekken", "default"] {
            let checkpoint = open(&byte_level(&words, Some(pre))).unwrap();
            let tokenizer = checkpoint.tokenizer().unwrap();
            let strange = "ab</think>[PAD5] <|im_end|>\n123 ab's Ünï\u{301}  \r\n\n日本";
            let ids = tokenizer.encode(strange);
            assert!(ids.iter().all(|id| *id < 256 || *id == 259), "{pre}: {ids:?}");
            assert!(ids.contains(&259), "{pre}");
            assert_eq!(tokenizer.decode(&ids), strange, "{pre}");
            assert_eq!(tokenizer.encode_with_specials("<|im_end|></think>"), [256, 257]);
            assert_eq!(checkpoint.eos().unwrap(), [256]);
        }
    }

    #[test]
    fn a_vocabulary_may_lack_bytes_that_nobody_writes() {
        // As SmolLM2's does: a control character and the first byte of an unused plane.
        let mut gguf = byte_level(&[], Some("gpt-2"));
        let Some((_, Value::Texts(tokens))) = gguf.keys.iter_mut().find(|(key, _)| key == "tokenizer.ggml.tokens")
        else {
            panic!("it has tokens");
        };
        let id_of = |tokens: &[String], token: &str| tokens.iter().position(|t| t == token).unwrap();
        let (control, plane, letter) = (id_of(tokens, "\u{104}"), id_of(tokens, "ñ"), id_of(tokens, "a"));
        tokens[control] = "x1".into();
        tokens[plane] = "x2".into();
        let lacking = gguf.clone();
        let Some((_, Value::Texts(tokens))) = gguf.keys.iter_mut().find(|(key, _)| key == "tokenizer.ggml.tokens")
        else {
            panic!("it has tokens");
        };
        tokens[letter] = "x3".into();
        let tokenizer = open(&lacking).unwrap().tokenizer().unwrap();
        let text = "one\u{4}\u{50000}\u{1f600}ñ\n";
        assert_eq!(tokenizer.decode(&tokenizer.encode(text)), "one?????\u{1f600}ñ\n");
        let error = open(&gguf).unwrap().tokenizer().err().unwrap().to_string();
        assert!(error.contains("every byte"), "{error}");
    }

    #[test]
    fn digits_are_split_as_the_file_says() {
        // Whole words are tokens here if they are split so; only llama-bpe looks them up without merges.
        let words = [("123", 1), ("12", 1)];
        let encode = |pre: &str, text: &str| {
            let mut gguf = byte_level(&words, Some(pre));
            gguf.set("tokenizer.ggml.merges", Value::Texts(vec!["1 2".into(), "12 3".into()]));
            open(&gguf).unwrap().tokenizer().unwrap().encode(text)
        };
        assert_eq!(encode("llama-bpe", "123123"), [256, 256]);
        assert_eq!(encode("gpt-2", "123123"), [256, 256]);
        assert_eq!(encode("smollm", "123").len(), 3);
        assert_eq!(encode("qwen2", "123").len(), 3);
    }

    #[test]
    fn an_unknown_way_to_split_is_refused_and_a_missing_one_is_the_default() {
        let tokenizer = |gguf: &Gguf| open(gguf).unwrap().tokenizer();
        let error = tokenizer(&byte_level(&[], Some("new\u{1b}")))
            .err()
            .unwrap()
            .to_string();
        for part in ["model.gguf", "new\\u{1b}", "tokenizer.ggml.pre", "smollm", "llama-bpe"] {
            assert!(error.contains(part), "{part}: {error}");
        }
        let text = "It's 12345 +== \n";
        let missing = tokenizer(&byte_level(&[], None)).unwrap();
        let default = tokenizer(&byte_level(&[], Some("default"))).unwrap();
        assert_eq!(missing.encode(text), default.encode(text));
    }

    #[test]
    fn a_tokenizer_that_makes_no_sense_says_which_key() {
        type Change = fn(&mut Gguf);
        let changes: &[(&str, Change)] = &[
            ("the tokenizer \"t5\"", |g| {
                g.set("tokenizer.ggml.model", text("t5"));
            }),
            ("tokenizer.ggml.model", |g| {
                g.remove("tokenizer.ggml.model");
            }),
            ("tokenizer.ggml.tokens", |g| {
                g.remove("tokenizer.ggml.tokens");
            }),
            ("tokenizer.ggml.tokens", |g| {
                g.set("tokenizer.ggml.tokens", Value::Bools(vec![true]));
            }),
            ("tokenizer.ggml.token_type", |g| {
                g.set("tokenizer.ggml.token_type", Value::I32s(vec![1]));
            }),
            ("tokenizer.ggml.merges", |g| {
                g.remove("tokenizer.ggml.merges");
            }),
            ("every byte", |g| {
                g.set("tokenizer.ggml.tokens", Value::Texts(vec!["a".into()]))
                    .remove("tokenizer.ggml.token_type");
            }),
        ];
        for (part, change) in changes {
            let mut gguf = byte_level(&[], Some("gpt-2"));
            change(&mut gguf);
            let checkpoint = open(&gguf).unwrap();
            let error = checkpoint.tokenizer().err().unwrap().to_string();
            assert!(error.contains(part) && error.contains("model.gguf"), "{part}: {error}");
        }
        let mut gguf = sentence_piece(&["a"]);
        gguf.set("tokenizer.ggml.scores", Value::F32s(vec![0.0]));
        let error = open(&gguf).unwrap().tokenizer().err().unwrap().to_string();
        assert!(error.contains("tokenizer.ggml.scores"), "{error}");
        let mut long = String::new();
        for _ in 0..100 {
            write!(long, "{{% for x in y %}}").unwrap();
        }
        let mut gguf = byte_level(&[], Some("gpt-2"));
        gguf.set("tokenizer.chat_template", text(&long));
        let error = open(&gguf).unwrap().chat_template().err().unwrap().to_string();
        assert!(error.contains("chat template"), "{error}");
    }
}

mod broken {
    use super::*;

    #[test]
    fn keys_that_make_no_sense_are_named() {
        for (key, value) in [
            ("block_count", Value::U32(0)),
            ("block_count", Value::U32(u32::MAX)),
            ("block_count", Value::U32(1 << 28)),
            ("block_count", text("two")),
            ("embedding_length", Value::U32(0)),
            ("attention.head_count", Value::U32(0)),
            ("attention.head_count", Value::U32(1 << 27)),
            ("attention.head_count", Value::I32s(vec![4, 2])),
            ("attention.head_count_kv", Value::U32(3)),
            ("attention.value_length", Value::U32(3)),
            ("attention.layer_norm_rms_epsilon", Value::F32(f32::NAN)),
            ("attention.recurrent_layers", Value::Bools(vec![true; 3])),
            ("attention.recurrent_layers", text("all")),
            ("rope.dimension_count", Value::U32(7)),
            ("rope.dimension_count", Value::U32(1000)),
            ("rope.freq_base", Value::F32(-1.0)),
            ("expert_used_count", Value::U32(0)),
            ("expert_used_count", Value::U32(9)),
            ("feed_forward_length", Value::Bool(true)),
            ("context_length", Value::U32(0)),
            ("residual_scale", text("3.5")),
        ] {
            let mut gguf = Gguf::minimax(&golden("one-layer"));
            gguf.set(&format!("minimax-01.{key}"), value);
            assert_file_refused(&gguf, &[key, "expected"]);
        }
        for key in [
            "residual_scale",
            "block_count",
            "context_length",
            "attention.layer_norm_rms_epsilon",
        ] {
            let mut gguf = Gguf::minimax(&golden("one-layer"));
            gguf.remove(&format!("minimax-01.{key}"));
            assert_file_refused(&gguf, &[key, "missing", "expected"]);
        }
    }

    #[test]
    fn tensors_that_are_not_as_they_should_be_are_named() {
        let base = || Gguf::minimax(&golden("one-layer"));
        let mut gguf = base();
        gguf.tensors.retain(|t| t.name != "blk.0.attn_k.weight");
        assert_file_refused(&gguf, &["blk.0.attn_k.weight", "missing"]);

        let mut gguf = base();
        gguf.set("minimax-01.feed_forward_length", Value::U32(17));
        assert_file_refused(&gguf, &["blk.0.ffn_gate_exps.weight", "[3, 16, 32]", "[3, 17, 32]"]);

        let mut gguf = base();
        gguf.tensor("blk.0.attn_q.weight").kind = 23;
        assert_file_refused(&gguf, &["blk.0.attn_q.weight", "IQ4_XS", "Q4_K"]);
        gguf.tensor("blk.0.attn_q.weight").kind = 999;
        assert_file_refused(&gguf, &["blk.0.attn_q.weight", "number 999"]);

        // 32 columns are one block of Q8_0 but none of Q6_K, and eight times 16 columns are no block at all.
        let mut gguf = base();
        gguf.tensor("blk.0.attn_q.weight").kind = 14;
        assert_file_refused(&gguf, &["blk.0.attn_q.weight", "multiple of the 256"]);

        let mut gguf = base();
        let again = gguf.tensors[0].clone();
        gguf.tensors.push(again);
        assert_file_refused(&gguf, &["comes twice"]);

        let mut gguf = base();
        gguf.keys.push(("general.architecture".into(), text("llama")));
        assert_file_refused(&gguf, &["general.architecture", "comes twice"]);
    }

    #[test]
    fn other_architectures_are_refused_by_name() {
        for (name, part) in [
            ("qwen3", "SmolLM2"),
            ("minimax-m2", "not of this family"),
            ("bailingmoe2", "Ring"),
            ("clip", "language model"),
            ("mamba\u{7}", "mamba\\u{7}"),
        ] {
            let mut gguf = Gguf::minimax(&golden("one-layer"));
            gguf.set("general.architecture", text(name));
            assert_file_refused(&gguf, &[part, "minimax-01", "llama"]);
        }
        let mut gguf = Gguf::minimax(&golden("one-layer"));
        gguf.remove("general.architecture");
        assert_file_refused(&gguf, &["general.architecture", "missing"]);
    }

    #[test]
    fn other_versions_are_refused() {
        let mut bytes = Gguf::minimax(&golden("one-layer")).bytes();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.gguf");
        for (version, part) in [
            (1u32, "version 1"),
            (4, "version 4"),
            (0, "version 0"),
            (3u32.swap_bytes(), "big-endian"),
        ] {
            bytes[4..8].copy_from_slice(&version.to_le_bytes());
            fs::write(&path, &bytes).unwrap();
            assert_refused(&path, &["model.gguf", part, "not supported"]);
        }
        bytes[4..8].copy_from_slice(&2u32.to_le_bytes());
        fs::write(&path, &bytes).unwrap();
        Checkpoint::open(&path).unwrap();
    }

    /// Where the header ends.
    fn header_length(gguf: &Gguf) -> usize {
        let data: usize = gguf.tensors.iter().map(|t| t.data.len().next_multiple_of(32)).sum();
        let last = gguf.tensors.last().unwrap().data.len();
        gguf.bytes().len() - data + (last.next_multiple_of(32) - last)
    }

    #[test]
    fn a_file_that_ends_too_early_is_refused_wherever_it_ends() {
        let gguf = Gguf::minimax(&golden("m1-bf16"));
        let bytes = gguf.bytes();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.gguf");
        let header = header_length(&gguf);
        for length in (1..header).step_by(7).chain([header, header + 100, bytes.len() - 1]) {
            fs::write(&path, &bytes[..length]).unwrap();
            let error = Checkpoint::open(&path).map(|_| ()).unwrap_err().to_string();
            assert!(
                error.contains("model.gguf") && error.contains("download it again"),
                "{length}: {error}"
            );
        }
        fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        assert_refused(&path, &["tensor", "download it again"]);
    }

    /// Everything that can be asked of a checkpoint, if it opens.
    fn use_it(path: &Path) {
        let Ok(checkpoint) = Checkpoint::open(path) else {
            return;
        };
        let _ = (
            checkpoint.eos(),
            checkpoint.sampling_defaults(),
            checkpoint.unused_ids(),
        );
        let messages = [Message::new(Role::User, "What is </think> 你好?")];
        if let Ok(tokenizer) = checkpoint.tokenizer() {
            let _ = tokenizer.encode("fn main() { \u{1b} }\n");
            if let Ok(Some(template)) = checkpoint.chat_template() {
                let _ = template.encode(&tokenizer, &messages, true, Some(&[1, 2]));
            }
        }
        let unused = checkpoint.unused_ids();
        let (config, weights) = (checkpoint.config, checkpoint.weights);
        if config.vocab > 3
            && let Ok(network) = Network::new(Cpu::new(1).unwrap(), config, weights)
        {
            let _ = score(&network, &[1, 2, 3], unused, 2, 2, &Interrupt::new(), |_| {});
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        /// Any bytes may be wrong: opening, scoring and talking ends in a result or an error.
        #[test]
        fn a_mutated_file_never_panics(
            name in prop::sample::select(vec!["one-layer", "m1-bf16", "llama"]),
            flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
            in_the_header in prop::bool::weighted(0.8),
            cut in prop::option::weighted(0.2, any::<prop::sample::Index>()),
        ) {
            let gguf = match name {
                "llama" => llama::gguf(),
                name => Gguf::minimax(&golden(name)),
            };
            let mut bytes = gguf.bytes();
            let range = if in_the_header { header_length(&gguf) } else { bytes.len() };
            for (at, byte) in flips {
                bytes[at.index(range)] = byte;
            }
            if let Some(cut) = cut {
                bytes.truncate(cut.index(bytes.len()));
            }
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("model.gguf");
            fs::write(&path, bytes).unwrap();
            use_it(&path);
        }

        /// So may whole numbers: counts, lengths, sizes, offsets.
        #[test]
        fn hostile_numbers_never_panic(
            at in any::<prop::sample::Index>(),
            number in prop::sample::select(vec![
                0u64, 1, 2, 0xff, 1 << 16, 1 << 20, 1 << 28, 1 << 31, u64::from(u32::MAX), 1 << 32, 1 << 40, 1 << 60,
                1 << 63, u64::MAX / 2, u64::MAX - 7, u64::MAX,
            ]),
            wide: bool,
        ) {
            let gguf = Gguf::minimax(&golden("one-layer"));
            let mut bytes = gguf.bytes();
            let width = if wide { 8 } else { 4 };
            let at = at.index(header_length(&gguf) - width);
            bytes[at..at + width].copy_from_slice(&number.to_le_bytes()[..width]);
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("model.gguf");
            fs::write(&path, bytes).unwrap();
            use_it(&path);
        }

        /// A file of nothing but noise after the mark.
        #[test]
        fn noise_is_refused(noise in prop::collection::vec(any::<u8>(), 0..400)) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("model.gguf");
            let start = [b"GGUF".as_slice(), &3u32.to_le_bytes()].concat();
            fs::write(&path, [start, noise].concat()).unwrap();
            prop_assert!(Checkpoint::open(&path).is_err());
        }
    }
}
