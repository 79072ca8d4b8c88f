//! A card through its driver, which is found when the program runs and may not be there.
//!
//! One context, one piece of memory that all buffers are cut from (`arena`), and one stream: launches are gathered and handed over when
//! somebody waits or a tile of a prompt ends (`graph`), of which a few may be unfinished (`pace`). What tiles are made of comes on
//! a second stream (`inputs`), weights that do not lie on the card on a third (`copies`); between several cards there are streams too
//! (`passage`). The kernels are built in (`sources`): neither a toolkit nor a compiler is needed to build or to run.

mod arena;
mod copies;
mod event;
mod graph;
mod inputs;
mod library;
mod pace;
mod passage;
mod sources;

use std::collections::HashMap;
use std::ffi::CString;
use std::ptr::null_mut;
use std::sync::{Mutex, MutexGuard, PoisonError};

use cudarc::driver::sys;

use self::arena::Arena;
use self::copies::Copies;
use self::graph::{Function, Queue, Work};
use self::inputs::Inputs;
use self::library::{attribute, check};
use self::pace::Pace;
use self::passage::{Incoming, Outgoing, Side};
use super::driver::{Address, Argument, Driver, Launch, Sent, Source};
use crate::compute::{ComputeError, Interrupt};

pub use self::inputs::INPUTS;
pub use self::library::{CardInfo, Presence, presence};
pub use self::sources::compiler;

/// Left to the driver, the desktop and others, of the memory that is free, or an eighth of that.
const LEFT: usize = 512 << 20;
/// The oldest cards that the kernels run on.
const OLDEST: (i32, i32) = (8, 0);

/// Where kernels come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kernels {
    #[default]
    BuiltIn,
    /// Compiled by NVRTC when the program begins.
    Source,
}

/// How a card is opened.
#[derive(Debug, Clone, Copy, Default)]
pub struct DeviceOptions {
    /// Its number.
    pub ordinal: usize,
    /// Bytes to take of its memory; none takes what is free.
    pub memory: Option<usize>,
    pub kernels: Kernels,
}

/// A card that is in use.
#[derive(Debug)]
pub struct Device {
    info: CardInfo,
    kernels: Kernels,
    handle: sys::CUdevice,
    context: sys::CUcontext,
    stream: sys::CUstream,
    module: sys::CUmodule,
    base: Address,
    arena: Mutex<Arena>,
    queue: Mutex<Queue>,
    /// None until something is sent.
    copies: Mutex<Option<Copies>>,
    pace: Mutex<Pace>,
    /// None until a tile comes, and where they have room.
    inputs: Mutex<Option<Inputs>>,
    inputs_at: Address,
    /// None until something is sent to another card, and from one.
    outgoing: Mutex<Option<Outgoing>>,
    incoming: Mutex<Option<Incoming>>,
    loaded: Mutex<HashMap<String, Kernel>>,
    /// Most shared memory of a block, in bytes.
    shared: i32,
}

/// A kernel that has been looked up.
#[derive(Debug, Clone)]
struct Kernel {
    function: Function,
    /// Bytes of each parameter, where the driver says it (since CUDA 12.4).
    parameters: Option<Vec<usize>>,
    /// Bytes of shared memory that a launch may ask for, and threads of a block.
    shared: usize,
    threads: usize,
}

// SAFETY: handles of the driver can be used from any thread; the context is made current on the thread that calls (`enter`), and what is
// changed here lies behind locks.
#[allow(unsafe_code)]
unsafe impl Send for Device {}
// SAFETY: as above.
#[allow(unsafe_code)]
unsafe impl Sync for Device {}

impl Device {
    /// Opens a card.
    ///
    /// # Errors
    /// If there is no driver or no such card, if it is too old, or if its memory is in use.
    pub fn open(options: DeviceOptions) -> Result<Self, ComputeError> {
        use sys::CUdevice_attribute_enum as Attribute;
        let failed = |what: String| Err(ComputeError::Backend(what));
        let cards = match presence() {
            Presence::Missing => {
                return failed(
                    "there is no driver of a graphics card (libcuda.so.1); `thunderhead doctor` says more".to_owned(),
                );
            }
            Presence::Unusable(why) => {
                return failed(format!("the driver of the graphics card cannot be used: {why}"));
            }
            Presence::Present { cards, .. } => cards,
        };
        let Some(info) = cards.get(options.ordinal).cloned() else {
            return failed(format!(
                "there is no graphics card {}: there are {}",
                options.ordinal,
                cards.len()
            ));
        };
        if info.capability < OLDEST {
            let (major, minor) = info.capability;
            return failed(format!(
                "{} is of compute capability {major}.{minor}; the kernels run on 8.0 (RTX 30, A100) and later",
                info.name
            ));
        }
        let handle = library::device(i32::try_from(options.ordinal).expect("it is one of the cards"))?;
        let mut device = Self {
            shared: attribute(handle, Attribute::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN)?,
            info,
            kernels: options.kernels,
            handle,
            context: null_mut(),
            stream: null_mut(),
            module: null_mut(),
            base: 0,
            arena: Mutex::new(Arena::new(0, 0)),
            queue: Mutex::default(),
            copies: Mutex::default(),
            pace: Mutex::default(),
            inputs: Mutex::default(),
            inputs_at: 0,
            outgoing: Mutex::default(),
            incoming: Mutex::default(),
            loaded: Mutex::default(),
        };
        // What has been made when something fails is given back when `device` is dropped.
        // SAFETY: each handle is written to a place of its type, and used only after it was made.
        #[allow(unsafe_code)]
        unsafe {
            check(
                sys::cuDevicePrimaryCtxRetain(&raw mut device.context, handle),
                "taking the card",
            )?;
            device.enter()?;
            check(
                sys::cuStreamCreate(
                    &raw mut device.stream,
                    sys::CUstream_flags_enum::CU_STREAM_NON_BLOCKING as u32,
                ),
                "making a stream",
            )?;
            let compiled;
            let image = match options.kernels {
                Kernels::BuiltIn => sources::FATBIN.as_ptr(),
                Kernels::Source => {
                    compiled = sources::compile(device.info.capability)?;
                    compiled.as_ptr()
                }
            };
            check(
                sys::cuModuleLoadData(&raw mut device.module, image.cast()),
                "loading the kernels (those that are built in want a driver of release 580 or newer)",
            )?;
            let (mut free, mut total) = (0, 0);
            check(
                sys::cuMemGetInfo_v2(&raw mut free, &raw mut total),
                "asking for the free memory",
            )?;
            let bytes = options.memory.unwrap_or_else(|| free - LEFT.min(free / 8)).min(free) & !0xffff;
            if bytes == 0 {
                return failed(format!("{} has no free memory", device.info.name));
            }
            check(sys::cuMemAlloc_v2(&raw mut device.base, bytes), "taking its memory")?;
            let mut arena = Arena::new(device.base, bytes as u64);
            let Ok(inputs_at) = arena.allocate(INPUTS) else {
                return failed(format!("{} has too little free memory", device.info.name));
            };
            (device.arena, device.inputs_at) = (Mutex::new(arena), inputs_at);
        }
        Ok(device)
    }

    #[must_use]
    pub fn info(&self) -> &CardInfo {
        &self.info
    }

    /// Bytes of its memory that are this program's, and the most that was in use.
    #[must_use]
    pub fn memory(&self) -> (u64, u64) {
        let arena = lock(&self.arena);
        (arena.bytes(), arena.most())
    }

    /// How often a graph was launched instead of its kernels one by one.
    #[must_use]
    pub fn replayed(&self) -> usize {
        lock(&self.queue).replayed()
    }

    /// Makes the context that of this thread.
    fn enter(&self) -> Result<(), ComputeError> {
        // SAFETY: the context is retained until the device is dropped.
        #[allow(unsafe_code)]
        let answer = unsafe { sys::cuCtxSetCurrent(self.context) };
        check(answer, "entering the card's context")
    }

    fn side(&self) -> Side {
        Side {
            device: self.handle,
            context: self.context,
            stream: self.stream,
        }
    }

    /// Puts what is asked for from here on behind all that other cards read of this one.
    fn settle(&self) -> Result<(), ComputeError> {
        match &mut *lock(&self.outgoing) {
            Some(outgoing) => outgoing.settle(|address| lock(&self.arena).release(address)),
            None => Ok(()),
        }
    }

    /// Hands over everything that was asked for.
    fn flush(&self) -> Result<(), ComputeError> {
        self.enter()?;
        let mut queue = lock(&self.queue);
        let done = queue.flush(self.stream, self.context);
        if done.is_err() {
            queue.discard();
        }
        done
    }

    fn kernel(&self, name: &str) -> Result<Kernel, ComputeError> {
        let mut loaded = lock(&self.loaded);
        if let Some(kernel) = loaded.get(name) {
            return Ok(kernel.clone());
        }
        self.enter()?;
        let kernel = self.look_up(name)?;
        loaded.insert(name.to_owned(), kernel.clone());
        Ok(kernel)
    }

    fn look_up(&self, name: &str) -> Result<Kernel, ComputeError> {
        use sys::CUfunction_attribute_enum as Attribute;
        let c_name = CString::new(name).map_err(|_| ComputeError::Backend(format!("no kernel is called {name:?}")))?;
        let mut function = null_mut();
        // SAFETY: the module is loaded, and stays so as long as the function is used; numbers are written to places of their type.
        #[allow(unsafe_code)]
        unsafe {
            check(
                sys::cuModuleGetFunction(&raw mut function, self.module, c_name.as_ptr()),
                &format!("looking for the kernel {name}"),
            )?;
            let number = |which| -> Result<i32, ComputeError> {
                let mut value = 0;
                check(
                    sys::cuFuncGetAttribute(&raw mut value, which, function),
                    "asking about a kernel",
                )?;
                Ok(value)
            };
            let shared = (self.shared - number(Attribute::CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES)?).max(0);
            let threads = number(Attribute::CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK)?;
            check(
                sys::cuFuncSetAttribute(
                    function,
                    Attribute::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
                    shared,
                ),
                &format!("giving {name} its shared memory"),
            )?;
            Ok(Kernel {
                function: Function(function),
                parameters: parameters(function),
                shared: usize::try_from(shared).unwrap_or(0),
                threads: usize::try_from(threads).unwrap_or(0),
            })
        }
    }
}

/// Bytes of each parameter of a kernel, where the driver can say it.
fn parameters(function: sys::CUfunction) -> Option<Vec<usize>> {
    let (mut sizes, mut offset, mut size) = (Vec::new(), 0, 0);
    // SAFETY: the function of the driver is looked for before it is called, and answers with an error after the last parameter.
    #[allow(unsafe_code)]
    unsafe {
        sys::culib().get::<unsafe extern "C" fn()>(b"cuFuncGetParamInfo").ok()?;
        while sys::cuFuncGetParamInfo(function, sizes.len(), &raw mut offset, &raw mut size)
            == sys::CUresult::CUDA_SUCCESS
        {
            sizes.push(size);
        }
    }
    Some(sizes)
}

/// Bytes of an argument.
fn bytes_of(argument: Argument) -> usize {
    match argument {
        Argument::Pointer(_) | Argument::Long(_) | Argument::Double(_) => 8,
        Argument::Int(_) | Argument::Float(_) => 4,
    }
}

/// A lock that is held for no longer than a few assignments: what a panic left behind is whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Driver for Device {
    fn allocate(&self, bytes: usize) -> Result<Address, ComputeError> {
        lock(&self.arena).allocate(bytes).map_err(|full| {
            let mib = |bytes: u64| bytes.div_ceil(1 << 20);
            ComputeError::Backend(format!(
                "{} MiB of the {} MiB of {} are in use and {} more are asked for, of which {} are free in one piece: `thunderhead plan` \
                 says what fits; a shorter --max-context, --kv-cache q8 or smaller weights take less",
                mib(full.in_use),
                mib(full.bytes),
                self.info.name,
                mib(full.asked),
                mib(full.longest)
            ))
        })
    }

    fn free(&self, address: Address) {
        // What nobody has received comes before what is next in its place.
        let _ = self.receive(address);
        let is_kept = lock(&self.outgoing)
            .as_mut()
            .is_some_and(|outgoing| outgoing.keep(address));
        if !is_kept {
            lock(&self.arena).release(address);
        }
    }

    fn write(&self, to: Address, bytes: &[u8]) -> Result<(), ComputeError> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.flush()?;
        // SAFETY: `to` is a buffer of the arena with room for the bytes. They lie in memory that is not pinned, which the driver has
        // copied when it returns.
        #[allow(unsafe_code)]
        let answer = unsafe { sys::cuMemcpyHtoDAsync_v2(to, bytes.as_ptr().cast(), bytes.len(), self.stream) };
        check(answer, "copying to the card")
    }

    fn bring(&self, to: Address, bytes: &[u8]) -> Result<(), ComputeError> {
        self.flush()?;
        let mut inputs = lock(&self.inputs);
        if inputs.is_none() {
            *inputs = Some(Inputs::new(self.inputs_at)?);
        }
        inputs
            .as_mut()
            .expect("they were just made")
            .bring(to, bytes, self.stream)
    }

    fn read(&self, from: Address, bytes: &mut [u8]) -> Result<(), ComputeError> {
        self.read_all(&mut [(from, bytes)])
    }

    fn read_all(&self, parts: &mut [(Address, &mut [u8])]) -> Result<(), ComputeError> {
        self.flush()?;
        for (from, bytes) in parts.iter_mut().filter(|(_, bytes)| !bytes.is_empty()) {
            // SAFETY: `from` is a buffer of the arena of at least so many bytes, and they are there when the stream has been waited for,
            // below.
            #[allow(unsafe_code)]
            let answer =
                unsafe { sys::cuMemcpyDtoHAsync_v2(bytes.as_mut_ptr().cast(), *from, bytes.len(), self.stream) };
            check(answer, "copying from the card")?;
        }
        self.synchronise()
    }

    fn copy(&self, from: Address, to: Address, bytes: usize) -> Result<(), ComputeError> {
        if bytes == 0 {
            return Ok(());
        }
        self.flush()?;
        // SAFETY: both are buffers of the arena of at least so many bytes, and do not overlap.
        #[allow(unsafe_code)]
        let answer = unsafe { sys::cuMemcpyDtoDAsync_v2(to, from, bytes, self.stream) };
        check(answer, "copying on the card")
    }

    fn clear(&self, address: Address, bytes: usize) -> Result<(), ComputeError> {
        if bytes > 0 {
            lock(&self.queue).push(Work::Clear { address, bytes });
        }
        Ok(())
    }

    fn launch(&self, launch: Launch<'_>) -> Result<(), ComputeError> {
        let kernel = self.kernel(launch.kernel)?;
        let wrong = |what: String| Err(ComputeError::Backend(format!("{}: {what}", launch.kernel)));
        if let Some(sizes) = &kernel.parameters {
            let given = launch.arguments.iter().map(|argument| bytes_of(*argument));
            if !given.clone().eq(sizes.iter().copied()) {
                let given: Vec<usize> = given.collect();
                return wrong(format!("arguments of {given:?} bytes for parameters of {sizes:?}"));
            }
        }
        if launch.block > kernel.threads || launch.shared > kernel.shared {
            return wrong(format!(
                "{} threads with {} bytes; this card gives it {} and {}",
                launch.block, launch.shared, kernel.threads, kernel.shared
            ));
        }
        let [x, y, z] = launch.grid;
        if x.min(y).min(z) == 0 || x > i32::MAX as usize || y.max(z) > 0xffff {
            return wrong(format!("a grid of {x} × {y} × {z} blocks"));
        }
        let mut queue = lock(&self.queue);
        queue.push(Work::Launch {
            function: kernel.function,
            grid: launch.grid.map(|size| size as u32),
            block: launch.block as u32,
            shared: launch.shared as u32,
            arguments: launch.arguments.iter().map(|argument| argument.word()).collect(),
        });
        let is_full = queue.len() >= graph::MOST;
        drop(queue);
        if is_full { self.flush() } else { Ok(()) }
    }

    fn send(&self, parts: Vec<(Address, Source)>) -> Result<Sent, ComputeError> {
        self.flush()?;
        let mut copies = lock(&self.copies);
        if copies.is_none() {
            *copies = Some(Copies::start(self.context)?);
        }
        copies
            .as_mut()
            .expect("they were just started")
            .send(parts, self.stream)
    }

    fn arrive(&self, sent: Sent, interrupt: &Interrupt) -> Result<(), ComputeError> {
        self.flush()?;
        match &mut *lock(&self.copies) {
            Some(copies) => copies.arrive(sent, self.stream, interrupt),
            None => Ok(()),
        }
    }

    fn has_arrived(&self, sent: Sent) -> Result<bool, ComputeError> {
        match &mut *lock(&self.copies) {
            Some(copies) => {
                self.enter()?;
                copies.has_arrived(sent, self.stream)
            }
            None => Ok(true),
        }
    }

    fn begin(&self) -> Result<(), ComputeError> {
        self.flush()
    }

    fn end_step(&self) -> Result<(), ComputeError> {
        self.flush()?;
        lock(&self.pace).end(self.stream)
    }

    fn keep_pace(&self, interrupt: &Interrupt) -> Result<(), ComputeError> {
        interrupt.check()?;
        self.enter()?;
        lock(&self.pace).keep(interrupt)
    }

    fn send_to(&self, other: &Self, from: Address, to: Address, bytes: usize) -> Result<(), ComputeError> {
        other.flush()?;
        self.flush()?;
        self.settle()?;
        let (mut outgoing, mut incoming) = (lock(&self.outgoing), lock(&other.incoming));
        if outgoing.is_none() {
            *outgoing = Some(Outgoing::new(self.side())?);
        }
        if incoming.is_none() {
            *incoming = Some(Incoming::new(other.side())?);
        }
        let outgoing = outgoing.as_mut().expect("it was just made");
        let incoming = incoming.as_mut().expect("it was just made");
        incoming.copy((outgoing, from), to, bytes)
    }

    fn receive(&self, place: Address) -> Result<(), ComputeError> {
        let mut incoming = lock(&self.incoming);
        if let Some(incoming) = incoming.as_mut().filter(|incoming| incoming.is_coming(place)) {
            self.flush()?;
            incoming.receive(place)?;
        }
        Ok(())
    }

    fn synchronise(&self) -> Result<(), ComputeError> {
        self.flush()?;
        self.settle()?;
        // SAFETY: the stream is the device's.
        #[allow(unsafe_code)]
        let answer = unsafe { sys::cuStreamSynchronize(self.stream) };
        check(answer, "waiting for the card")
    }

    /// How many multiprocessors there are decides what is summed together.
    fn numerics(&self) -> Option<String> {
        let CardInfo {
            capability: (major, minor),
            multiprocessors,
            ..
        } = self.info;
        let kernels = self.kernels;
        Some(format!(
            "compute capability {major}.{minor}, {multiprocessors} multiprocessors, kernels {kernels:?}"
        ))
    }

    fn memory(&self) -> (u64, u64) {
        self.memory()
    }

    fn multiprocessors(&self) -> usize {
        self.info.multiprocessors
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        if self.context.is_null() || self.enter().is_err() {
            return;
        }
        // SAFETY: the stream is the device's. What is copied beside it may still be read by what it was asked for.
        #[allow(unsafe_code)]
        unsafe {
            let _ = sys::cuStreamSynchronize(self.stream);
        }
        *lock(&self.copies) = None;
        *lock(&self.inputs) = None;
        *lock(&self.outgoing) = None;
        *lock(&self.incoming) = None;
        *lock(&self.pace) = Pace::default();
        if self.enter().is_err() {
            return;
        }
        // Graphs before the module: they are of the module's kernels.
        *lock(&self.queue) = Queue::default();
        // SAFETY: everything was made by `open` and is given back once, after what runs has ended; nothing is used afterwards.
        #[allow(unsafe_code)]
        unsafe {
            if !self.stream.is_null() {
                let _ = sys::cuStreamSynchronize(self.stream);
                let _ = sys::cuStreamDestroy_v2(self.stream);
            }
            if !self.module.is_null() {
                let _ = sys::cuModuleUnload(self.module);
            }
            if self.base != 0 {
                let _ = sys::cuMemFree_v2(self.base);
            }
            let _ = sys::cuDevicePrimaryCtxRelease_v2(self.handle);
        }
    }
}
