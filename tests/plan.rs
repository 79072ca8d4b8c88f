//! `thunderhead plan` and `thunderhead doctor` through the binary.

#![allow(
    clippy::unwrap_used,
    reason = "a test that unwraps nothing has failed, in its helpers too"
)]

mod common;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use common::golden;
use serde_json::Value;

fn thunderhead(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_thunderhead"))
        .args(arguments)
        .env("THUNDERHEAD_CONFIG", "")
        .env("THUNDERHEAD_CACHE", "")
        .env_remove("LD_LIBRARY_PATH")
        .output()
        .unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn plan(arguments: &[&str]) -> Value {
    let output = thunderhead(&[&["plan", "--json"], arguments].concat());
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
}

#[test]
fn tables_and_a_chart_for_people() {
    let output = thunderhead(&[
        "plan",
        "Ring-mini-linear-2.0",
        "--vram",
        "12G",
        "--ram",
        "32G",
        "--context",
        "128K",
    ]);
    let text = out(&output);
    assert_eq!(output.status.code(), Some(0));
    for expected in [
        "16.4 B parameters",
        "Where it goes with 128K tokens",
        "keys and values",
        "1.0 GiB",
        "time of a prompt",
        "████████████████████████",
        "DeepSeek-R1",
        "Predicted",
    ] {
        assert!(text.contains(expected), "{expected} is not in\n{text}");
    }
}

#[test]
fn what_does_not_fit_exits_with_4_and_says_what_would() {
    let output = thunderhead(&["plan", "MiniMax-M1", "--gpus", "0", "--ram", "16G", "--context", "1M"]);
    let text = out(&output);
    assert_eq!(output.status.code(), Some(4), "{text}");
    assert!(
        text.contains("DOES NOT FIT") && text.contains("--ram ") && text.contains("--context "),
        "{text}"
    );
    // What it says is right.
    let ram = text.split("--ram ").nth(1).unwrap().split([';', '.']).next().unwrap();
    let again = thunderhead(&["plan", "MiniMax-M1", "--gpus", "0", "--ram", ram, "--context", "1M"]);
    assert_eq!(again.status.code(), Some(0), "{}", out(&again));
}

#[test]
fn several_cards_share_the_layers() {
    let json = plan(&[
        "Ling-2.6-flash",
        "--card",
        "RTX 5090",
        "--gpus",
        "2",
        "--ram",
        "64G",
        "--context",
        "256K",
    ]);
    let cut = json["placement"]["cut"].as_array().unwrap();
    assert_eq!(cut.len(), 2);
    assert_eq!((&cut[0]["start"], &cut[1]["end"]), (&Value::from(0), &Value::from(32)));
    assert_eq!(cut[0]["end"], cut[1]["start"]);
}

#[test]
fn the_configuration_of_a_checkpoint_will_do() {
    let folder = golden("m1-bf16");
    let alone = tempfile::tempdir().unwrap();
    fs::copy(folder.join("config.json"), alone.path().join("config.json")).unwrap();
    let of = |path: &Path| plan(&[path.to_str().unwrap(), "--type", "16", "--ram", "4G"]);
    let json = of(&alone.path().join("config.json"));
    assert_eq!(json["placement"], of(&folder)["placement"]);
    assert_eq!(json["placement"], of(alone.path())["placement"]);
}

/// Of a GGUF file its header is enough, and bytes are those of its tensors.
#[test]
fn the_header_of_a_gguf_file_will_do() {
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole.gguf");
    let model = golden("m1-bf16");
    let arguments = [
        "convert",
        "--to",
        "q8_0",
        "--model",
        model.to_str().unwrap(),
        "--out",
        whole.to_str().unwrap(),
    ];
    assert!(thunderhead(&arguments).status.success());
    let bytes = fs::read(&whole).unwrap();
    let cut = folder.path().join("cut.gguf");
    fs::write(&cut, &bytes[..bytes.len() / 2]).unwrap();

    let (of_whole, of_cut) = (plan(&[whole.to_str().unwrap()]), plan(&[cut.to_str().unwrap()]));
    assert_eq!(of_whole["weights"], of_cut["weights"]);
    assert_eq!(of_cut["stored_as"], "as stored");
    let weights = &of_whole["weights"];
    let layers = weights["layers"].as_array().unwrap().iter();
    let layers: f64 = layers
        .map(|layer| layer["fixed"].as_f64().unwrap() + layer["experts"].as_f64().unwrap())
        .sum();
    let total = layers + weights["embedding"].as_f64().unwrap() + weights["head"].as_f64().unwrap();
    let share = total / bytes.len() as f64;
    assert!((0.5..1.0).contains(&share), "{share}");

    // Less than a header is not enough, and is said to be.
    fs::write(&cut, &bytes[..200]).unwrap();
    let output = thunderhead(&["plan", "--gpus", "0", cut.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stderr).contains("not a whole GGUF file"));
}

/// The configuration of a model that the program does not run yet.
#[test]
fn ling_and_ring_are_planned_from_their_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.json");
    let config = r#"{"model_type": "bailing_moe_linear", "hidden_size": 2048, "vocab_size": 157184, "num_hidden_layers": 20,
        "layer_group_size": 5, "num_attention_heads": 16, "num_key_value_heads": 4, "head_dim": 128, "intermediate_size": 5120,
        "moe_intermediate_size": 512, "num_experts": 256, "num_experts_per_tok": 8, "num_shared_experts": 1,
        "first_k_dense_replace": 1, "use_qk_norm": true, "tie_word_embeddings": false, "max_position_embeddings": 131072}"#;
    fs::write(&path, config).unwrap();
    let (read, named) = (plan(&[path.to_str().unwrap()]), plan(&["ring-mini-linear-2.0"]));
    assert_eq!(read["model"]["layers"], named["model"]["layers"]);
    assert_eq!(read["weights"], named["weights"]);

    fs::write(
        &path,
        config.replace("\"hidden_size\": 2048", "\"hidden_size\": 123456789123"),
    )
    .unwrap();
    let output = thunderhead(&["plan", "--gpus", "0", path.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(3));
    fs::write(
        &path,
        config.replace("\"layer_group_size\": 5", "\"layer_group_size\": 0"),
    )
    .unwrap();
    assert_eq!(thunderhead(&["plan", path.to_str().unwrap()]).status.code(), Some(3));
}

#[test]
fn measured_ceilings_are_taken_from_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ceilings.jsonl");
    let line = |read: f64| format!("{{\"threads\":2,\"read\":{read},\"f32\":1e11,\"bf16\":null,\"int8\":2e11}}\n");
    fs::write(&path, line(1e10) + &line(2e10)).unwrap();
    let file = path.to_str().unwrap();
    let arguments = [
        "Ring-mini-linear-2.0",
        "--ram",
        "32G",
        "--context",
        "32K",
        "--ceilings",
        file,
    ];
    let json = plan(&arguments);
    assert_eq!(json["machine"]["host"]["memory"], 2e10);
    assert_eq!(json["machine"]["host"]["compute"], 2e11);
    let decode = json["rows"][0]["speed"]["decode"].as_f64().unwrap();
    assert!((10.0..25.0).contains(&decode), "{decode}");

    fs::write(&path, "nothing of it\n").unwrap();
    let output = thunderhead(&[&["plan"], &arguments[..]].concat());
    assert_eq!(output.status.code(), Some(4));
    assert!(String::from_utf8_lossy(&output.stderr).contains("bench --ceilings --json"));
}

#[test]
fn what_is_no_model_is_said_to_be_none() {
    let output = thunderhead(&["plan", "MiniMax-M7"]);
    assert_eq!(output.status.code(), Some(3));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("MiniMax-M1, Ring-mini-linear-2.0"), "{told}");
    let output = thunderhead(&["plan", "MiniMax-M1", "--card", "Voodoo 2"]);
    assert_eq!(output.status.code(), Some(2));
}

/// Without a driver, a card or a terminal there is still something to say, and nothing fails.
#[test]
fn the_doctor_answers_whatever_is_missing() {
    let output = thunderhead(&["doctor", "--no-disk"]);
    assert_eq!(output.status.code(), Some(0));
    let text = out(&output);
    for about in ["processor", "graphics", "terminal", "colours"] {
        assert!(
            text.lines().any(|line| line.starts_with(about)),
            "{about} is not in\n{text}"
        );
    }
    let folder = tempfile::tempdir().unwrap();
    let json = thunderhead(&["doctor", "--json", "--disk", folder.path().to_str().unwrap()]);
    let findings: Vec<Value> = out(&json)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let disk = findings.iter().find(|finding| finding["about"] == "disk").unwrap();
    assert!(disk["found"].as_str().unwrap().contains("GB/s"), "{disk}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left");
}
