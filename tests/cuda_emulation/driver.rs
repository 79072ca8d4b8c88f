//! The program and a driver's library that has no card (`emulator/driver.cpp`): found when the program runs, as a real one is.
//!
//! It does what it is asked when somebody waits, records it, and says what is wrong: a launch that is none, memory that is not there,
//! a context that is not current, work that is left behind.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;
use thunderhead::compute::ComputeError;
use thunderhead::compute::cpu::KvType;
use thunderhead::compute::cuda::device::{Device, DeviceOptions, Presence, presence};
use thunderhead::compute::cuda::{Argument, Cuda, Driver, Launch};
use thunderhead::compute::reference::Reference;

use super::backend::layers;
use super::device::{compiler, driver_library};
use super::numbers::{close, doubles};

/// A golden checkpoint with both kinds of layers, and so many of its tokens.
const GOLDEN: &str = "m1-bf16";
const TOKENS: usize = 40;

/// What a run of the program said.
struct Run {
    logprobs: Vec<f64>,
    continuation: Value,
    told: String,
    record: HashMap<String, i64>,
}

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens").join(GOLDEN)
}

fn expected() -> (Vec<u32>, Vec<f64>) {
    let golden: Value = serde_json::from_slice(&fs::read(golden().join("golden.json")).unwrap()).unwrap();
    let tokens: Vec<u32> = serde_json::from_value(golden["tokens"].clone()).unwrap();
    let logprobs: Vec<f64> = serde_json::from_value(golden["next_logprobs"].clone()).unwrap();
    (tokens[..TOKENS].to_vec(), logprobs[..TOKENS - 1].to_vec())
}

/// `thunderhead score` with libraries from a folder; none where there is nothing of a driver.
fn score(libraries: Option<&Path>, arguments: &[&str], variables: &[(&str, &str)]) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let (ids, record) = (folder.path().join("ids.json"), folder.path().join("record"));
    fs::write(&ids, serde_json::to_string(&expected().0).unwrap()).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_thunderhead"));
    command
        .args(["score", "--json", "--continue", "12", "--tile", "7", "--model"])
        .arg(golden())
        .arg("--tokens")
        .arg(&ids)
        .args(arguments)
        .env("THUNDERHEAD_CONFIG", "")
        .env("THUNDERHEAD_CACHE", "")
        .env("FAKE_CUDA_RECORD", &record)
        .envs(variables.iter().copied());
    match libraries {
        Some(libraries) => command.env("LD_LIBRARY_PATH", libraries),
        None => command.env_remove("LD_LIBRARY_PATH"),
    };
    let Output { status, stdout, stderr } = command.output().unwrap();
    let told = String::from_utf8(stderr).unwrap();
    assert!(status.success(), "{told}");
    let json: Value = serde_json::from_slice(&stdout).unwrap();
    let record = fs::read_to_string(&record).unwrap_or_default();
    let entries = record.lines().filter_map(|line| line.split_once(' '));
    Run {
        logprobs: serde_json::from_value(json["logprobs"].clone()).unwrap(),
        continuation: json["continuation"].clone(),
        told,
        record: entries
            .map(|(name, number)| (name.to_owned(), number.parse().unwrap()))
            .collect(),
    }
}

fn emulated() -> PathBuf {
    driver_library().parent().unwrap().to_owned()
}

fn off(run: &Run) -> f64 {
    let (_, expected) = expected();
    assert_eq!(run.logprobs.len(), expected.len());
    let off = run.logprobs.iter().zip(&expected).map(|(a, b)| (a - b).abs());
    off.fold(0.0, f64::max)
}

#[test]
fn the_program_finds_a_card_and_runs_on_it() {
    let run = score(Some(&emulated()), &["--kv-cache", "f32"], &[]);
    assert_eq!(run.told, "");
    assert!(off(&run) < 2e-4, "off by {:.1e}", off(&run));
    let on_cpu = score(None, &["--backend", "cpu", "--kv-cache", "f32"], &[]);
    assert_eq!(run.continuation, on_cpu.continuation);

    let number = |name: &str| run.record.get(name).copied().unwrap_or(0);
    // One piece of memory for everything, within what the card has; a stream for what is computed, and one for what tiles are made of.
    assert_eq!((number("allocations"), number("streams")), (1, 2));
    assert!(number("bytes_allocated") <= 256 << 20);
    // Tokens are replayed, from one graph of all that a token is.
    assert!(number("graph_launches") >= 9, "{:?}", run.record);
    assert_eq!(number("graphs"), 1);
    assert!(number("nodes_changed") > 0);
    for what in [
        "buffers", "streams", "events", "pinned", "modules", "graphs", "contexts",
    ] {
        assert_eq!(number(&format!("left_{what}")), 0, "{what} are left behind");
    }
}

/// In bf16 a token may go to another expert; most do not.
#[test]
fn rounded_keys_change_little() {
    let run = score(Some(&emulated()), &["--backend", "cuda", "--kv-cache", "bf16"], &[]);
    let (_, expected) = expected();
    let sum: f64 = run.logprobs.iter().zip(&expected).map(|(a, b)| (a - b).abs()).sum();
    let mean = sum / expected.len() as f64;
    assert!(mean < 8e-2, "{mean:.1e}");
}

#[test]
fn without_a_driver_the_processor_is_taken_and_that_is_said_once() {
    // A machine with a driver cannot show this.
    if presence() != Presence::Missing {
        return;
    }
    let asked = score(None, &["--backend", "cuda", "--kv-cache", "f32"], &[]);
    assert_eq!(asked.told.lines().count(), 1, "{}", asked.told);
    assert!(
        asked.told.contains("processor") && asked.told.contains("libcuda"),
        "{}",
        asked.told
    );
    assert!(off(&asked) < 2e-4);
    let not_asked = score(None, &["--kv-cache", "f32"], &[]);
    assert_eq!(not_asked.told, "");
    assert_eq!(not_asked.logprobs, asked.logprobs);
}

#[test]
fn a_card_that_is_too_small_is_left_alone_and_the_arithmetic_is_said() {
    let run = score(
        Some(&emulated()),
        &["--kv-cache", "f32"],
        &[("FAKE_CUDA_MEMORY", "1000000")],
    );
    assert_eq!(run.told.lines().count(), 1, "{}", run.told);
    assert!(
        run.told.contains("Emulated RTX has 8") && run.told.contains("wants"),
        "{}",
        run.told
    );
    assert!(off(&run) < 2e-4);
    assert_eq!(run.record.get("left_contexts"), Some(&0));
}

/// Whatever a card does wrong while a model is loaded and tried: the processor is taken, why is said in one line, and nothing is left on the
/// card. Numbers are those of the processor.
#[test]
fn a_card_that_fails_is_left_and_that_is_said_once() {
    let on_cpu = score(None, &["--backend", "cpu", "--kv-cache", "f32"], &[]);
    let failing = |name: &'static str, call: &'static str, said: &[&str]| {
        let run = score(Some(&emulated()), &["--kv-cache", "f32"], &[(name, call)]);
        assert_eq!(run.told.lines().count(), 1, "{call}: {}", run.told);
        for said in ["note: the model runs on the processor"].iter().chain(said) {
            assert!(run.told.contains(said), "{call}: {}", run.told);
        }
        assert_eq!(run.logprobs, on_cpu.logprobs, "{call}");
        assert_eq!(run.continuation, on_cpu.continuation, "{call}");
        let left: Vec<_> = run
            .record
            .iter()
            .filter(|(name, _)| name.starts_with("left_"))
            .collect();
        assert_eq!(left.len(), 7, "{call}: {left:?}");
        assert!(left.iter().all(|(_, count)| **count == 0), "{call}: {left:?}");
        assert!(name != "FAKE_CUDA_FAIL" || run.record["calls_to_fail"] > 0, "{call}");
    };
    let fails = |call: &'static str, said: &str| failing("FAKE_CUDA_FAIL", call, &[said, "unspecified launch failure"]);
    // While it is opened.
    fails("cuStreamCreate", "making a stream");
    fails("cuModuleLoadData", "loading the kernels");
    fails("cuMemAlloc_v2", "taking its memory");
    // While weights go there, the first of them or one later.
    fails("cuMemcpyHtoDAsync_v2", "copying to the card");
    fails("cuMemcpyHtoDAsync_v2:30", "copying to the card");
    // While it is tried.
    fails("cuModuleGetFunction", "looking for the kernel");
    fails("cuLaunchKernel:5", "starting a kernel");
    fails("cuStreamSynchronize", "waiting for the card");
    failing("FAKE_CUDA_NOISE", "1", &["no number", "thunderhead bench --card"]);
}

/// A plan for a machine is for the card that is in it.
#[test]
fn plans_are_for_the_card_that_is_there() {
    let plan = |arguments: &[&str]| -> Value {
        let output = Command::new(env!("CARGO_BIN_EXE_thunderhead"))
            .args(["plan", "--json", "MiniMax-M1", "--context", "8K"])
            .args(arguments)
            .env("THUNDERHEAD_CONFIG", "")
            .env("LD_LIBRARY_PATH", emulated())
            .env("FAKE_CUDA_MEMORY", (24_u64 << 30).to_string())
            .output()
            .unwrap();
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let own = plan(&[]);
    assert_eq!(own["machine"]["cards"][0]["vram"], json!((24_u64 << 30) as f64));
    assert_eq!(own["machine"]["cards"].as_array().unwrap().len(), 1);
    assert_eq!(plan(&["--gpus", "0"])["machine"]["cards"], json!([]));
    assert_eq!(plan(&["--card", "L4"])["machine"]["cards"][0]["name"], "L4");
}

/// The kernels of a card are checked and timed by one command.
#[test]
fn kernels_are_checked_and_timed() {
    let output = Command::new(env!("CARGO_BIN_EXE_thunderhead"))
        .args([
            "bench",
            "--card",
            "--json",
            "--synthetic",
            "tiny",
            "--prompt",
            "20",
            "--depth",
            "300",
        ])
        .env("THUNDERHEAD_CONFIG", "")
        .env("LD_LIBRARY_PATH", emulated())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let checks = report["checks"].as_array().unwrap();
    assert_eq!(checks.len(), 14);
    let rows = report["rows"].as_array().unwrap();
    for kernel in [
        "attention_64",
        "attention_decode_64",
        "embed_q8_0",
        "expert_down_bf16",
        "expert_up_q8_0",
        "experts_down_q8_0",
        "experts_up_bf16",
        "gated_norm",
        "gemm_bf16_silu",
        "gemv4_bf16",
        "gemv_q8_0",
        "head_bf16",
        "lightning_64",
        "lightning_decode",
        "place_slots",
        "residual_norm",
        "rope_bf16",
        "rope_f32",
        "route",
        "router_logits_32",
    ] {
        let row = rows.iter().find(|row| row["kernel"] == kernel);
        let row = row.unwrap_or_else(|| panic!("{kernel} was not timed"));
        assert!(
            row["seconds"].as_f64().unwrap() > 0.0 && row["bytes"].as_f64().unwrap() > 0.0,
            "{row}"
        );
    }
}

/// A library that lacks what it should have is no reason to end.
#[test]
fn a_driver_that_is_too_old_is_not_called() {
    let folder = tempfile::tempdir().unwrap();
    library(&folder, "extern \"C\" int cuInit(unsigned) { return 0; }\n");
    let run = score(Some(folder.path()), &["--kv-cache", "f32"], &[]);
    assert!(run.told.contains("it lacks cuDriverGetVersion"), "{}", run.told);
    assert!(off(&run) < 2e-4);
}

fn library(folder: &TempDir, source: &str) {
    let path = folder.path().join("source.cpp");
    fs::write(&path, source).unwrap();
    let mut command = compiler(&["-shared", "-fPIC", "-o"]);
    let done = command.arg(folder.path().join("libcuda.so")).arg(&path).status();
    assert!(done.unwrap().success());
}

/// Runs a test that is ignored otherwise, by its path, in a process that finds the emulated driver.
pub fn with_driver(test: &str, variables: &[(&str, &str)]) -> Output {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--ignored", "--nocapture"])
        .env("LD_LIBRARY_PATH", emulated())
        .envs(variables.iter().copied())
        .output()
        .unwrap()
}

#[track_caller]
pub fn passes(test: &str) {
    let done = with_driver(test, &[]);
    let said = String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success() && said.contains("1 passed"), "{said}");
}

#[test]
fn operations_agree_through_the_driver() {
    passes("driver::inside_operations");
}

#[test]
fn wrong_launches_are_refused_before_they_reach_the_card() {
    passes("driver::inside_wrong_launches");
}

#[test]
fn what_would_not_fit_is_refused_with_the_arithmetic() {
    passes("driver::inside_memory");
}

#[test]
fn a_stray_pointer_is_caught() {
    let done = with_driver("driver::inside_stray_pointer", &[]);
    assert_eq!(done.status.code(), Some(4), "{done:?}");
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(
        said.contains("a pointer into no memory of the card, for embed_f32, parameter 0"),
        "{said}"
    );
}

fn device() -> Device {
    Device::open(DeviceOptions::default()).unwrap()
}

#[test]
#[ignore = "in a process of its own"]
fn inside_operations() {
    let expected = layers(&Reference);
    for (kv, tolerance) in [(KvType::Bf16, 2e-2), (KvType::F32, 1e-4)] {
        let got = layers(&Cuda::new(device()).with_kv_cache(kv));
        for (i, (got, expected)) in got.iter().zip(&expected).enumerate() {
            close(&format!("tile {i}"), &doubles(got), &doubles(expected), tolerance).unwrap();
        }
    }
}

/// `embed_f32(table, ids, out, hidden)` as it should be, changed by `wrong`.
fn embed(device: &Device, table: u64, wrong: impl FnOnce(&mut Launch<'_>)) -> Result<(), ComputeError> {
    let ids = device.allocate(8)?;
    let out = device.allocate(256)?;
    device.write(ids, &[0; 8])?;
    let arguments = [table, ids, out].map(Argument::Pointer);
    let arguments = [&arguments[..], &[Argument::Int(32)]].concat();
    let mut launch = Launch {
        kernel: "embed_f32",
        grid: [2, 1, 1],
        block: 128,
        shared: 0,
        arguments: &arguments,
    };
    wrong(&mut launch);
    device.launch(launch)?;
    device.synchronise()
}

#[test]
#[ignore = "in a process of its own"]
fn inside_wrong_launches() {
    let device = device();
    let table = device.allocate(4096).unwrap();
    device.clear(table, 4096).unwrap();
    embed(&device, table, |_| {}).unwrap();
    let refused = |wrong: &dyn Fn(&mut Launch<'_>), said: &str| {
        let error = embed(&device, table, wrong).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    };
    refused(&|launch| launch.kernel = "embed_f64", "named symbol not found");
    refused(
        &|launch| launch.arguments = &launch.arguments[..3],
        "arguments of [8, 8, 8] bytes",
    );
    let wide = [0_u64; 4].map(Argument::Pointer);
    refused(
        &|launch| launch.arguments = static_of(&wide),
        "for parameters of [8, 8, 8, 4]",
    );
    refused(&|launch| launch.block = 2048, "2048 threads");
    refused(&|launch| launch.shared = 200 << 10, "204800 bytes");
    refused(&|launch| launch.grid = [0, 1, 1], "a grid of 0");
    refused(&|launch| launch.grid = [1, 70_000, 1], "a grid of 1 × 70000");
    // After all that it still works.
    embed(&device, table, |_| {}).unwrap();
}

/// Arguments that live as long as the process.
fn static_of(arguments: &[Argument]) -> &'static [Argument] {
    Box::leak(arguments.to_vec().into_boxed_slice())
}

#[test]
#[ignore = "in a process of its own"]
fn inside_memory() {
    let options = DeviceOptions {
        memory: Some(1 << 20),
        ..DeviceOptions::default()
    };
    let device = Device::open(options).unwrap();
    let held = device.allocate(600 << 10).unwrap();
    let error = device.allocate(600 << 10).unwrap_err().to_string();
    assert!(
        error.contains("1 MiB of the 1 MiB") && error.contains("thunderhead plan"),
        "{error}"
    );
    device.free(held);
    assert!(device.allocate(600 << 10).is_ok());
    assert!(
        Device::open(DeviceOptions { ordinal: 7, ..options })
            .unwrap_err()
            .to_string()
            .contains("no graphics card 7")
    );
}

#[test]
#[ignore = "in a process of its own"]
fn inside_stray_pointer() {
    let _ = embed(&device(), 0x10_000, |_| {});
}
