//! An emulated device: the kernels of one file, in a process of their own.
//!
//! The file is compiled as host C++ with the emulator beside this module and spoken to through pipes, so that a kernel
//! that reads past a buffer or waits for ever ends that process and not the tests, and what it says is an error here.

use std::collections::HashMap;
use std::fs;
use std::io::{Read, Write};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, LazyLock, Mutex, OnceLock};

use half::bf16;

use thunderhead::compute::cuda::Argument;

const KERNELS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/kernels");
const EMULATOR: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cuda_emulation/emulator");

/// In what order a block's warps and lanes run, and with what seed if it is random.
#[derive(Debug, Clone, Copy)]
pub enum Order {
    Forward,
    Backward,
    Random(u64),
}

impl Order {
    /// The orders that a check goes through.
    pub const ALL: [Self; 4] = [Self::Forward, Self::Backward, Self::Random(1), Self::Random(2)];
}

/// The shape of a launch.
#[derive(Debug, Clone, Copy)]
pub struct Launch {
    pub grid: [usize; 3],
    pub block: usize,
    /// Bytes of shared memory beside what the kernel declares.
    pub shared: usize,
    pub order: Order,
}

/// A value that a buffer is made of.
pub trait Plain: Copy {
    fn put(self, bytes: &mut Vec<u8>);
    fn get(bytes: &[u8]) -> Self;
}

macro_rules! plain {
    ($($type:ty),*) => {
        $(impl Plain for $type {
            fn put(self, bytes: &mut Vec<u8>) {
                bytes.extend_from_slice(&self.to_le_bytes());
            }
            fn get(bytes: &[u8]) -> Self {
                Self::from_le_bytes(bytes.try_into().unwrap())
            }
        })*
    };
}

plain!(u8, i8, i32, u32, u64, f32, f64, bf16);

/// Memory of the device. Freed when the device is.
#[derive(Debug)]
pub struct Buffer<T> {
    address: u64,
    count: usize,
    of: PhantomData<T>,
}

impl<T> From<&Buffer<T>> for Argument {
    fn from(buffer: &Buffer<T>) -> Self {
        Self::Pointer(buffer.address)
    }
}

impl<T: Plain> Buffer<T> {
    /// The part of the buffer from element `from` on.
    pub fn from(&self, from: usize) -> Argument {
        Argument::Pointer(self.address + (from * size_of::<T>()) as u64)
    }

    pub fn address(&self) -> u64 {
        self.address
    }
}

/// The arguments of a launch, in the kernel's order.
#[macro_export]
macro_rules! arguments {
    ($($argument:expr),* $(,)?) => {
        &[$(thunderhead::compute::cuda::Argument::from($argument)),*]
    };
}

/// A process that runs the kernels of one file.
pub struct Device {
    child: Child,
    commands: ChildStdin,
    answers: ChildStdout,
}

impl Drop for Device {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Device {
    /// The kernels of `kernels/{file}.cu` as they ship.
    pub fn shipped(file: &str) -> Self {
        Self::of(&[file])
    }

    /// All kernels as they ship.
    pub fn whole() -> Self {
        Self::of(&all_files().iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn of(files: &[&str]) -> Self {
        Self::start(&built(files, Target::Device))
    }

    /// The kernels of a file with `from`, which occurs once in it, replaced by `to`.
    pub fn mutated(file: &str, from: &str, to: &str) -> Self {
        let source = source(file);
        assert_eq!(source.matches(from).count(), 1, "{file}.cu has this once: {from}");
        Self::start(&build(&[(file, source.replacen(from, to, 1))], Target::Device))
    }

    fn start(program: &Path) -> Self {
        let mut child = Command::new(program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (commands, answers) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Self {
            child,
            commands,
            answers,
        }
    }

    /// A buffer that holds nothing yet: NaN, or -1.
    pub fn empty<T: Plain>(&mut self, count: usize) -> Buffer<T> {
        Buffer {
            address: self.allocate(count * size_of::<T>()),
            count,
            of: PhantomData,
        }
    }

    pub fn allocate(&mut self, bytes: usize) -> u64 {
        self.command(b'A', &[bytes as u64]);
        let mut address = [0; 8];
        self.answers.read_exact(&mut address).unwrap();
        u64::from_le_bytes(address)
    }

    pub fn upload<T: Plain>(&mut self, values: &[T]) -> Buffer<T> {
        let buffer = self.empty(values.len());
        let mut bytes = Vec::new();
        for value in values {
            value.put(&mut bytes);
        }
        self.write(buffer.address, &bytes);
        buffer
    }

    pub fn write(&mut self, address: u64, bytes: &[u8]) {
        self.command(b'W', &[address, bytes.len() as u64]);
        self.commands.write_all(bytes).unwrap();
    }

    pub fn download<T: Plain>(&mut self, buffer: &Buffer<T>) -> Vec<T> {
        let mut bytes = vec![0; buffer.count * size_of::<T>()];
        self.read(buffer.address, &mut bytes);
        bytes.chunks_exact(size_of::<T>()).map(T::get).collect()
    }

    pub fn read(&mut self, address: u64, bytes: &mut [u8]) {
        self.command(b'R', &[address, bytes.len() as u64]);
        self.answers.read_exact(bytes).unwrap();
    }

    /// A command that is its numbers.
    pub fn command(&mut self, command: u8, numbers: &[u64]) {
        let mut bytes = vec![command];
        for number in numbers {
            number.put(&mut bytes);
        }
        self.commands.write_all(&bytes).unwrap();
    }

    /// Runs a kernel to its end, or says what it did wrong.
    pub fn launch(&mut self, kernel: &str, launch: Launch, arguments: &[Argument]) -> Result<(), String> {
        let mut command = vec![b'L'];
        (kernel.len() as u32).put(&mut command);
        command.extend_from_slice(kernel.as_bytes());
        let (order, seed) = match launch.order {
            Order::Forward => (0, 1),
            Order::Backward => (1, 1),
            Order::Random(seed) => (2, seed),
        };
        let [x, y, z] = launch.grid;
        for number in [x, y, z, launch.block, 1, 1, launch.shared, order] {
            (number as u32).put(&mut command);
        }
        seed.put(&mut command);
        (arguments.len() as u32).put(&mut command);
        for argument in arguments {
            command.push(match argument {
                Argument::Pointer(_) => 0,
                Argument::Int(_) => 1,
                Argument::Long(_) => 2,
                Argument::Float(_) => 3,
                Argument::Double(_) => 4,
            });
            argument.word().put(&mut command);
        }
        let mut done = [0];
        let sent = self.commands.write_all(&command);
        if sent.is_ok() && self.answers.read_exact(&mut done).is_ok() && done == *b"k" {
            return Ok(());
        }
        let _ = self.child.kill();
        let mut said = String::new();
        let _ = self.child.stderr.take().unwrap().read_to_string(&mut said);
        Err(format!("{kernel}: {}", said.trim()))
    }
}

/// What the kernels are built into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    /// A process that is spoken to through pipes.
    Device,
    /// A library in the place of a driver's.
    Library,
}

impl Target {
    fn source(self) -> &'static str {
        match self {
            Self::Device => "server.cpp",
            Self::Library => "driver.cpp",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::Library => "libcuda.so",
        }
    }
}

/// The names of all files of kernels.
fn all_files() -> Vec<String> {
    let mut files: Vec<String> = fs::read_dir(KERNELS)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "cu"))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        // It includes the others.
        .filter(|file| file != "all")
        .collect();
    files.sort();
    files
}

/// A driver's library with an emulated card.
pub fn driver_library() -> PathBuf {
    built(
        &all_files().iter().map(String::as_str).collect::<Vec<_>>(),
        Target::Library,
    )
}

/// Some files as they ship, built once.
fn built(files: &[&str], target: Target) -> PathBuf {
    type Built = HashMap<String, Arc<OnceLock<PathBuf>>>;
    static BUILT: LazyLock<Mutex<Built>> = LazyLock::new(Mutex::default);
    let key = format!("{} {}", target.name(), files.concat());
    let slot = Arc::clone(BUILT.lock().unwrap().entry(key).or_default());
    let path = slot.get_or_init(|| {
        let sources: Vec<(&str, String)> = files.iter().map(|file| (*file, source(file))).collect();
        build(&sources, target)
    });
    path.clone()
}

fn source(file: &str) -> String {
    let path = Path::new(KERNELS).join(format!("{file}.cu"));
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The program of some files, compiled unless one of the same text is there.
fn build(sources: &[(&str, String)], target: Target) -> PathBuf {
    let mut hasher = blake3::Hasher::new();
    let headers = ["prelude.cuh", "weights.cuh"].map(|name| Path::new(KERNELS).join(name));
    let emulator = [
        "emulator.hpp",
        "operations.hpp",
        "kernels_by_name.hpp",
        "hazards.hpp",
        target.source(),
    ]
    .map(|name| Path::new(EMULATOR).join(name));
    for path in headers.iter().chain(&emulator) {
        hasher.update(&fs::read(path).unwrap());
    }
    for (file, source) in sources {
        hasher.update(file.as_bytes());
        hasher.update(source.as_bytes());
    }
    let of = if let [(file, _)] = sources { file } else { "all" };
    let name = format!("{of}-{}", &hasher.finalize().to_hex()[..16]);
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("emulated-kernels")
        .join(&name);
    let program = directory.join(target.name());
    if program.exists() {
        return program;
    }
    fs::create_dir_all(&directory).unwrap();

    // Each file in a namespace of its own: what they do not share has the same names.
    let mut included = vec!["#include \"prelude.cuh\"\n#include \"weights.cuh\"\n".to_owned()];
    let (mut lists, mut calls) = (Vec::new(), Vec::new());
    for (file, source) in sources {
        let path = directory.join(format!("{file}.cu"));
        fs::write(&path, source).unwrap();
        included.push(format!("namespace {file}_cu {{\n#include \"{}\"\n}}\n", path.display()));
        let kernels = kernels_of(&path).into_iter();
        let entries: Vec<String> = kernels
            .map(|(kernel, bound)| format!("k[\"{kernel}\"] = kernel({kernel}, {bound});\n"))
            .collect();
        let entries = entries.concat();
        lists.push(format!(
            "namespace {file}_cu {{\nvoid add(Kernels& k) {{\n{entries}}}\n}}\n"
        ));
        calls.push(format!("{file}_cu::add(k);\n"));
    }
    let (kernels, list) = (directory.join("kernels.hpp"), directory.join("list.hpp"));
    fs::write(&kernels, included.concat()).unwrap();
    let (lists, calls) = (lists.concat(), calls.concat());
    fs::write(&list, format!("{lists}void add_kernels(Kernels& k) {{\n{calls}}}\n")).unwrap();

    let part = directory.join(format!("part.{}", std::process::id()));
    let object = part.with_extension("o");
    // The library wants to hear of every access (`hazards.hpp`), from functions of its own: it is not linked as the option would.
    let watched: &[&str] = match target {
        Target::Device => &[],
        Target::Library => &["-fPIC", "-fsanitize=thread"],
    };
    let mut compile = compiler(&["-O2", "-Wall", "-Wno-unknown-pragmas", "-Wno-unused-function", "-c"]);
    compile
        .args(watched)
        .arg(format!("-DKERNELS_SOURCE=\"{}\"", kernels.display()))
        .arg(format!("-DKERNELS_LIST=\"{}\"", list.display()))
        .arg(Path::new(EMULATOR).join(target.source()))
        .arg("-o")
        .arg(&object);
    let mut link = Command::new(compiler_name());
    link.arg("-pthread");
    if target == Target::Library {
        link.arg("-shared");
    }
    link.arg(&object).arg("-o").arg(&part);
    for mut step in [compile, link] {
        let done = step.output().unwrap();
        assert!(
            done.status.success(),
            "{of} as host C++:\n{}",
            String::from_utf8_lossy(&done.stderr)
        );
    }
    fs::remove_file(&object).unwrap();
    fs::rename(&part, &program).unwrap();
    program
}

/// The names of a file's kernels, and what each says of the threads of its blocks.
fn kernels_of(path: &Path) -> Vec<(String, String)> {
    let listed = compiler(&["-DEMULATOR_LIST", "-E", "-P"]).arg(path).output().unwrap();
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    let text = String::from_utf8(listed.stdout).unwrap();
    let entry = |kernel: &str| {
        let (bound, rest) = kernel.trim_start().split_once(char::is_whitespace).unwrap();
        (rest.split('(').next().unwrap().trim().to_owned(), bound.to_owned())
    };
    text.split("EMULATOR_KERNEL ").skip(1).map(entry).collect()
}

/// The system's C++ compiler; the kernels are not tested without one.
fn compiler_name() -> String {
    std::env::var("CXX").unwrap_or_else(|_| "c++".to_owned())
}

/// It, for a source.
pub fn compiler(options: &[&str]) -> Command {
    let mut command = Command::new(compiler_name());
    command
        .args([
            "-x",
            "c++",
            "-std=c++20",
            "-DTHUNDERHEAD_EMULATED",
            "-fno-strict-aliasing",
            "-pthread",
        ])
        .args(["-I", EMULATOR, "-I", KERNELS])
        .args(options);
    command
}
