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

/// What a kernel is given for one parameter.
#[derive(Debug, Clone, Copy)]
pub struct Argument(u64);

/// No buffer.
pub const NULL: Argument = Argument(0);

impl<T> From<&Buffer<T>> for Argument {
    fn from(buffer: &Buffer<T>) -> Self {
        Self(buffer.address)
    }
}

impl<T: Plain> Buffer<T> {
    /// The part of the buffer from element `from` on.
    pub fn from(&self, from: usize) -> Argument {
        Argument(self.address + (from * size_of::<T>()) as u64)
    }

    pub fn address(&self) -> u64 {
        self.address
    }
}

impl From<usize> for Argument {
    fn from(x: usize) -> Self {
        Self(x as u64)
    }
}

impl From<f32> for Argument {
    fn from(x: f32) -> Self {
        Self(u64::from(x.to_bits()))
    }
}

impl Argument {
    /// A double: of a name of its own, so that a number is a float unless one says so.
    pub fn double(x: f64) -> Self {
        Self(x.to_bits())
    }
}

impl From<bool> for Argument {
    fn from(x: bool) -> Self {
        Self(u64::from(x))
    }
}

/// The arguments of a launch, in the kernel's order.
#[macro_export]
macro_rules! arguments {
    ($($argument:expr),* $(,)?) => {
        &[$($crate::device::Argument::from($argument)),*]
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
        type Built = HashMap<String, Arc<OnceLock<PathBuf>>>;
        static BUILT: LazyLock<Mutex<Built>> = LazyLock::new(Mutex::default);
        let slot = Arc::clone(BUILT.lock().unwrap().entry(file.to_owned()).or_default());
        Self::start(slot.get_or_init(|| {
            let path = Path::new(KERNELS).join(format!("{file}.cu"));
            let source = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            build(file, &source)
        }))
    }

    /// The same with `from`, which occurs once in the file, replaced by `to`.
    pub fn mutated(file: &str, from: &str, to: &str) -> Self {
        let source = fs::read_to_string(Path::new(KERNELS).join(format!("{file}.cu"))).unwrap();
        assert_eq!(source.matches(from).count(), 1, "{file}.cu has this once: {from}");
        Self::start(&build(file, &source.replacen(from, to, 1)))
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
        let mut command = vec![b'A'];
        ((count * size_of::<T>()) as u64).put(&mut command);
        let mut address = [0; 8];
        self.commands.write_all(&command).unwrap();
        self.answers.read_exact(&mut address).unwrap();
        Buffer {
            address: u64::from_le_bytes(address),
            count,
            of: PhantomData,
        }
    }

    pub fn upload<T: Plain>(&mut self, values: &[T]) -> Buffer<T> {
        let buffer = self.empty(values.len());
        self.write(&buffer, values);
        buffer
    }

    /// Overwrites the first values of a buffer.
    pub fn write<T: Plain>(&mut self, buffer: &Buffer<T>, values: &[T]) {
        assert!(values.len() <= buffer.count);
        let mut command = vec![b'W'];
        buffer.address.put(&mut command);
        (size_of_val(values) as u64).put(&mut command);
        for value in values {
            value.put(&mut command);
        }
        self.commands.write_all(&command).unwrap();
    }

    pub fn download<T: Plain>(&mut self, buffer: &Buffer<T>) -> Vec<T> {
        let mut command = vec![b'R'];
        buffer.address.put(&mut command);
        ((buffer.count * size_of::<T>()) as u64).put(&mut command);
        let mut bytes = vec![0; buffer.count * size_of::<T>()];
        self.commands.write_all(&command).unwrap();
        self.answers.read_exact(&mut bytes).unwrap();
        bytes.chunks_exact(size_of::<T>()).map(T::get).collect()
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
            argument.0.put(&mut command);
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

/// The program of a source text, compiled unless one of the same text is there.
fn build(file: &str, source: &str) -> PathBuf {
    let mut hasher = blake3::Hasher::new();
    let headers = ["prelude.cuh", "weights.cuh"].map(|name| Path::new(KERNELS).join(name));
    let emulator = ["emulator.hpp", "operations.hpp", "server.cpp"].map(|name| Path::new(EMULATOR).join(name));
    for path in headers.iter().chain(&emulator) {
        hasher.update(&fs::read(path).unwrap());
    }
    hasher.update(source.as_bytes());
    let name = format!("{file}-{}", &hasher.finalize().to_hex()[..16]);
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("emulated-kernels")
        .join(&name);
    let program = directory.join("device");
    if program.exists() {
        return program;
    }
    fs::create_dir_all(&directory).unwrap();
    let (kernels, list) = (directory.join(format!("{file}.cu")), directory.join("list.inc"));
    fs::write(&kernels, source).unwrap();

    let listed = compiler(&["-DEMULATOR_LIST", "-E", "-P"])
        .arg(&kernels)
        .output()
        .unwrap();
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    let text = String::from_utf8(listed.stdout).unwrap();
    let entry = |kernel: &str| {
        let (bound, rest) = kernel.trim_start().split_once(char::is_whitespace).unwrap();
        format!("KERNEL({}, {bound})\n", rest.split('(').next().unwrap().trim())
    };
    fs::write(
        &list,
        text.split("EMULATOR_KERNEL ").skip(1).map(entry).collect::<String>(),
    )
    .unwrap();

    let part = directory.join(format!("device.{}", std::process::id()));
    let compiled = compiler(&["-O2", "-Wall", "-Wno-unknown-pragmas", "-Wno-unused-function"])
        .arg(format!("-DKERNELS_SOURCE=\"{}\"", kernels.display()))
        .arg(format!("-DKERNELS_LIST=\"{}\"", list.display()))
        .arg(Path::new(EMULATOR).join("server.cpp"))
        .arg("-o")
        .arg(&part)
        .output()
        .unwrap();
    assert!(
        compiled.status.success(),
        "{file}.cu as host C++:\n{}",
        String::from_utf8_lossy(&compiled.stderr)
    );
    fs::rename(&part, &program).unwrap();
    program
}

/// The system's C++ compiler, `$CXX` or `c++`; the kernels are not tested without one.
fn compiler(options: &[&str]) -> Command {
    let mut command = Command::new(std::env::var("CXX").unwrap_or_else(|_| "c++".to_owned()));
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
