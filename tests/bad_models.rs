//! Broken, hostile and unknown checkpoints: a message that names the file and says what to do, and never a panic.

#![allow(
    clippy::unwrap_used,
    reason = "a test that unwraps nothing has failed, in its helpers too"
)]

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;

use common::golden;
use proptest::prelude::*;
use serde_json::{Value, json};
use tempfile::TempDir;
use thunderhead::compute::Interrupt;
use thunderhead::compute::cpu::Cpu;
use thunderhead::engine::{Network, score};
use thunderhead::model::{Checkpoint, Message, Role};

/// A copy of a golden checkpoint to break.
fn copy(name: &str) -> TempDir {
    let to = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(golden(name)).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.path().join(entry.file_name())).unwrap();
    }
    to
}

fn edit(path: &Path, change: impl FnOnce(&mut Value)) {
    let mut json = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    change(&mut json);
    fs::write(path, json.to_string()).unwrap();
}

/// Opening it fails with a message that has each of `parts`, in the library and through the program.
fn assert_refused(directory: &Path, parts: &[&str]) {
    let message = Checkpoint::open(directory).map(|_| ()).unwrap_err().to_string();
    let output = Command::new(env!("CARGO_BIN_EXE_thunderhead"))
        .env("THUNDERHEAD_SESSIONS_KEEP", "false")
        .args(["score", "--model"])
        .arg(directory)
        .args(["--tokens", "-"])
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    assert!(output.stdout.is_empty());
    for text in [&message, &stderr] {
        for part in parts {
            assert!(text.contains(part), "{part:?} is not in: {text}");
        }
        assert!(!text.contains("panicked") && !text.contains("RUST_BACKTRACE"), "{text}");
    }
}

#[test]
fn a_truncated_file_is_named() {
    let model = copy("one-layer");
    let file = model.path().join("model.safetensors");
    let bytes = fs::read(&file).unwrap();
    for keep in [0, 1, 7, 8, 9, 200, bytes.len() / 2, bytes.len() - 1] {
        fs::write(&file, &bytes[..keep]).unwrap();
        assert_refused(model.path(), &["model.safetensors", "download it again"]);
    }
    fs::write(&file, [bytes.as_slice(), b"\0"].concat()).unwrap();
    assert_refused(model.path(), &["model.safetensors"]);
}

#[test]
fn a_header_that_lies_about_its_length_is_refused() {
    let model = copy("one-layer");
    let file = model.path().join("model.safetensors");
    let mut bytes = fs::read(&file).unwrap();
    for length in [0u64, 1, u64::MAX, u64::MAX - 8, 1 << 40, 99_999_999] {
        bytes[..8].copy_from_slice(&length.to_le_bytes());
        fs::write(&file, &bytes).unwrap();
        assert_refused(model.path(), &["model.safetensors"]);
    }
}

#[test]
fn a_missing_shard_is_named() {
    let model = copy("m1-f32-sharded");
    fs::remove_file(model.path().join("model-00002-of-00003.safetensors")).unwrap();
    assert_refused(
        model.path(),
        &[
            "model-00002-of-00003.safetensors",
            "missing",
            "model.safetensors.index.json",
        ],
    );
}

#[test]
fn a_shard_outside_of_the_folder_is_refused() {
    for name in ["../m.safetensors", "/etc/passwd", "a/b"] {
        let model = copy("m1-f32-sharded");
        edit(&model.path().join("model.safetensors.index.json"), |json| {
            json["weight_map"]["lm_head.weight"] = json!(name);
        });
        assert_refused(model.path(), &["model.safetensors.index.json", "plain file name"]);
    }
}

#[test]
fn a_wrong_shape_is_named_with_both_shapes() {
    let model = copy("one-layer");
    edit(&model.path().join("config.json"), |json| {
        json["intermediate_size"] = json!(17);
    });
    assert_refused(model.path(), &["experts.0.w1.weight", "[16, 32]", "[17, 32]"]);
}

#[test]
fn a_missing_tensor_is_named() {
    let model = copy("one-layer");
    edit(&model.path().join("config.json"), |json| {
        json["num_hidden_layers"] = json!(2);
        json["attn_type_list"] = json!([1, 0]);
    });
    assert_refused(model.path(), &["model.layers.1.", "missing"]);
}

#[test]
fn unknown_architectures_are_refused_by_name() {
    for (name, part) in [
        ("bailing_moe_linear", "Ring"),
        ("minimax_m2", "not of this family"),
        ("llama", "llama"),
    ] {
        let model = copy("one-layer");
        edit(&model.path().join("config.json"), |json| {
            json["model_type"] = json!(name);
        });
        assert_refused(model.path(), &["config.json", name, part, "minimax_m1"]);
    }
}

#[test]
fn a_config_that_makes_no_sense_says_which_key() {
    type Change = fn(&mut Value);
    let changes: &[(&str, Change)] = &[
        ("hidden_size", |j| j["hidden_size"] = json!(0)),
        ("hidden_size", |j| j["hidden_size"] = json!(-5)),
        ("hidden_size", |j| j["hidden_size"] = json!("32")),
        ("hidden_size", |j| j["hidden_size"] = json!(1e300)),
        ("num_hidden_layers", |j| j["num_hidden_layers"] = json!(u64::MAX)),
        ("num_hidden_layers", |j| j["num_hidden_layers"] = json!(3)),
        ("attn_type_list", |j| j["attn_type_list"] = json!([2])),
        ("attn_type_list", |j| j["attn_type_list"] = Value::Null),
        ("heads", |j| j["num_key_value_heads"] = json!(3)),
        ("heads", |j| j["num_key_value_heads"] = json!(0)),
        ("rotary_dim", |j| j["rotary_dim"] = json!(7)),
        ("rotary_dim", |j| j["rotary_dim"] = json!(1000)),
        ("rope_theta", |j| j["rope_theta"] = json!(-1)),
        ("num_experts_per_tok", |j| j["num_experts_per_tok"] = json!(9)),
        ("num_experts_per_tok", |j| j["num_experts_per_tok"] = json!(0)),
        ("eos_token_id", |j| j["eos_token_id"] = json!("x")),
        ("rope_scaling", |j| j["rope_scaling"] = json!({"type": "yarn"})),
        ("shared", |j| j["shared_intermediate_size"] = json!(64)),
        ("model_type", |j| j["model_type"] = Value::Null),
    ];
    for (part, change) in changes {
        let model = copy("one-layer");
        edit(&model.path().join("config.json"), change);
        assert_refused(model.path(), &["config.json", part]);
    }
}

#[test]
fn other_tensor_types_are_refused() {
    let model = copy("one-layer");
    let file = model.path().join("model.safetensors");
    let bytes = fs::read(&file).unwrap();
    let at = bytes.windows(5).position(|w| w == b"\"F32\"").unwrap();
    let mut changed = bytes;
    changed[at..at + 5].copy_from_slice(b"\"I32\"");
    fs::write(&file, changed).unwrap();
    assert_refused(model.path(), &["I32", "expected F32, F16 or BF16"]);
}

#[test]
fn folders_that_are_no_checkpoints() {
    let empty = tempfile::tempdir().unwrap();
    assert_refused(empty.path(), &["config.json"]);
    assert_refused(&empty.path().join("nowhere"), &["nowhere", "not a folder"]);
    let model = copy("one-layer");
    fs::write(model.path().join("config.json"), b"{").unwrap();
    assert_refused(model.path(), &["config.json", "not JSON"]);
    fs::remove_file(model.path().join("model.safetensors")).unwrap();
    fs::copy(
        golden("one-layer").join("config.json"),
        model.path().join("config.json"),
    )
    .unwrap();
    assert_refused(model.path(), &["model.safetensors", "no weights"]);
}

#[test]
fn without_a_tokenizer_ids_can_be_scored_and_text_cannot() {
    let model = copy("one-layer");
    let run = |kind: &str, input: &Path| {
        Command::new(env!("CARGO_BIN_EXE_thunderhead"))
            .env("THUNDERHEAD_SESSIONS_KEEP", "false")
            .args(["score", "--model"])
            .arg(model.path())
            .arg(kind)
            .arg(input)
            .output()
            .unwrap()
    };
    assert!(
        run("--tokens", &golden("one-layer").join("golden.json"))
            .status
            .success()
    );
    let output = run("--text", &golden("one-layer").join("config.json"));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    assert!(stderr.contains("tokenizer.json"), "{stderr}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Any bytes of any file may be wrong: opening, scoring and talking ends in a result or an error.
    #[test]
    fn a_mutated_checkpoint_never_panics(
        (name, file) in prop::sample::select(vec![
            ("one-layer", "config.json"),
            ("one-layer", "model.safetensors"),
            ("m1-f32-sharded", "model.safetensors.index.json"),
            ("m1-bf16", "tokenizer.json"),
            ("m1-bf16", "tokenizer_config.json"),
        ]),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        in_the_header: bool,
        cut in prop::option::weighted(0.2, any::<prop::sample::Index>()),
    ) {
        let model = copy(name);
        let path = model.path().join(file);
        let mut bytes = fs::read(&path).unwrap();
        let range = if in_the_header { bytes.len().min(1200) } else { bytes.len() };
        for (at, byte) in changes {
            bytes[at.index(range)] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        fs::write(&path, bytes).unwrap();
        if let Ok(checkpoint) = Checkpoint::open(model.path()) {
            let _ = (checkpoint.eos(), checkpoint.sampling_defaults());
            let messages = [Message::new(Role::User, "What is </think> 你好?")];
            if let (Ok(tokenizer), Ok(Some(template))) = (checkpoint.tokenizer(), checkpoint.chat_template()) {
                let _ = template.encode(&tokenizer, &messages, true, Some(&[1, 2]));
                let _ = tokenizer.encode("fn main() { \u{1b} }\n");
            }
            let unused = checkpoint.unused_ids();
            let network = Network::new(Cpu::new(1).unwrap(), checkpoint.config, checkpoint.weights).unwrap();
            let _ = score(&network, &[1, 2, 3], unused, 2, 2, &Interrupt::new(), |_| {});
        }
    }
}
