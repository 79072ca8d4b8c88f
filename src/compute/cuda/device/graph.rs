//! What is asked of a card, gathered until somebody waits for it, and then handed over as one graph.
//!
//! A decoded token is some hundreds of small kernels. The second time that the same kernels come in the same order a graph is made of them,
//! and from then on a token is: what differs from the last one (a position, a grid, the other version of a state) is set in the graph,
//! which is then launched as one. What is too short for that, or new, is launched kernel by kernel.

use std::collections::HashMap;
use std::ffi::c_void;
use std::ptr::null_mut;

use cudarc::driver::sys;

use super::library::check;
use crate::compute::ComputeError;
use crate::compute::cuda::driver::Address;

/// So many pieces of work at least are worth a graph; a block of a long tile has fewer.
const WORTH: usize = 24;
/// So many are gathered at most.
pub(super) const MOST: usize = 4096;
/// So many orders of kernels are remembered: single tokens, drafts of each length.
const REMEMBERED: usize = 16;

/// One piece of work.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Work {
    Launch {
        function: Function,
        grid: [u32; 3],
        block: u32,
        shared: u32,
        arguments: Vec<u64>,
    },
    Clear {
        address: Address,
        bytes: usize,
    },
}

/// A kernel of a module that stays loaded as long as the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Function(pub sys::CUfunction);

impl Work {
    /// What it is, without what it is done with.
    fn kind(&self) -> usize {
        match self {
            Self::Launch { function, .. } => function.0.addr(),
            Self::Clear { .. } => 0,
        }
    }

    /// On a stream.
    fn submit(&self, stream: sys::CUstream) -> Result<(), ComputeError> {
        // SAFETY: the function is of a module that is loaded, and the number and sizes of its parameters were compared with the
        // arguments when the launch was asked for; the driver copies them before it returns. A place that is cleared is a buffer of the
        // arena, of so many bytes.
        #[allow(unsafe_code)]
        let answer = self.with(|parameters| unsafe {
            match parameters {
                Parameters::Kernel(kernel) => sys::cuLaunchKernel(
                    kernel.func,
                    kernel.gridDimX,
                    kernel.gridDimY,
                    kernel.gridDimZ,
                    kernel.blockDimX,
                    kernel.blockDimY,
                    kernel.blockDimZ,
                    kernel.sharedMemBytes,
                    stream,
                    kernel.kernelParams,
                    kernel.extra,
                ),
                Parameters::Clear(clear) => sys::cuMemsetD8Async(clear.dst, 0, clear.width, stream),
            }
        });
        let doing = match self {
            Self::Launch { .. } => "starting a kernel",
            Self::Clear { .. } => "clearing a buffer",
        };
        check(answer, doing)
    }

    /// As the driver takes it, for as long as `f` takes.
    fn with(&self, f: impl FnOnce(Parameters<'_>) -> sys::CUresult) -> sys::CUresult {
        match self {
            Self::Launch {
                function,
                grid: [x, y, z],
                block,
                shared,
                arguments,
            } => {
                let mut pointers = pointers(arguments);
                f(Parameters::Kernel(&sys::CUDA_KERNEL_NODE_PARAMS_v2 {
                    func: function.0,
                    gridDimX: *x,
                    gridDimY: *y,
                    gridDimZ: *z,
                    blockDimX: *block,
                    blockDimY: 1,
                    blockDimZ: 1,
                    sharedMemBytes: *shared,
                    kernelParams: pointers.as_mut_ptr(),
                    extra: null_mut(),
                    kern: null_mut(),
                    ctx: null_mut(),
                }))
            }
            Self::Clear { address, bytes } => f(Parameters::Clear(&sys::CUDA_MEMSET_NODE_PARAMS {
                dst: *address,
                pitch: 0,
                value: 0,
                elementSize: 1,
                width: *bytes,
                height: 1,
            })),
        }
    }
}

/// What the driver takes for a piece of work.
enum Parameters<'a> {
    Kernel(&'a sys::CUDA_KERNEL_NODE_PARAMS_v2),
    Clear(&'a sys::CUDA_MEMSET_NODE_PARAMS),
}

/// Pointers to words: a parameter of four bytes is the first four of its word.
fn pointers(arguments: &[u64]) -> Vec<*mut c_void> {
    arguments
        .iter()
        .map(|word| std::ptr::from_ref(word).cast_mut().cast())
        .collect()
}

/// What has been gathered, and the graphs there are.
#[derive(Debug, Default)]
pub(super) struct Queue {
    work: Vec<Work>,
    /// By the kinds of work in order: none if that was seen once.
    known: HashMap<Vec<usize>, Option<Graph>>,
    /// How often a graph was launched.
    replayed: usize,
}

impl Queue {
    pub fn push(&mut self, work: Work) {
        self.work.push(work);
    }

    pub fn len(&self) -> usize {
        self.work.len()
    }

    pub fn replayed(&self) -> usize {
        self.replayed
    }

    /// Hands everything over to the stream.
    pub fn flush(&mut self, stream: sys::CUstream, context: sys::CUcontext) -> Result<(), ComputeError> {
        let work = std::mem::take(&mut self.work);
        if work.len() < WORTH {
            return work.iter().try_for_each(|work| work.submit(stream));
        }
        let kinds: Vec<usize> = work.iter().map(Work::kind).collect();
        match self.known.get_mut(&kinds) {
            None => {
                if self.known.len() >= REMEMBERED {
                    self.known.clear();
                }
                self.known.insert(kinds, None);
                return work.iter().try_for_each(|work| work.submit(stream));
            }
            Some(graph) => {
                match graph {
                    Some(graph) => graph.update(work, context)?,
                    None => *graph = Some(Graph::new(work, context)?),
                }
                let graph = graph.as_ref().expect("it was just made");
                // SAFETY: the graph is of buffers and kernels that live; the stream is the device's.
                #[allow(unsafe_code)]
                let answer = unsafe { sys::cuGraphLaunch(graph.executable, stream) };
                check(answer, "starting a graph")?;
            }
        }
        self.replayed += 1;
        Ok(())
    }

    /// Forgets what has not been handed over, after an error.
    pub fn discard(&mut self) {
        self.work.clear();
    }
}

/// A chain of work that the card has whole.
#[derive(Debug)]
struct Graph {
    handle: sys::CUgraph,
    executable: sys::CUgraphExec,
    nodes: Vec<sys::CUgraphNode>,
    work: Vec<Work>,
}

impl Drop for Graph {
    fn drop(&mut self) {
        // SAFETY: both were made by `new` and are destroyed once; what runs of it goes on to its end.
        #[allow(unsafe_code)]
        unsafe {
            if !self.executable.is_null() {
                let _ = sys::cuGraphExecDestroy(self.executable);
            }
            let _ = sys::cuGraphDestroy(self.handle);
        }
    }
}

impl Graph {
    fn new(work: Vec<Work>, context: sys::CUcontext) -> Result<Self, ComputeError> {
        let mut raw = null_mut();
        // SAFETY: makes an empty graph.
        #[allow(unsafe_code)]
        let answer = unsafe { sys::cuGraphCreate(&raw mut raw, 0) };
        check(answer, "making a graph")?;
        let mut graph = Self {
            handle: raw,
            executable: null_mut(),
            nodes: Vec::with_capacity(work.len()),
            work,
        };
        for work in &graph.work {
            let before = graph.nodes.last().copied();
            let before = before.as_slice();
            let mut node = null_mut();
            // SAFETY: as in `Work::submit`; the node before is of this graph, and all parameters are copied.
            #[allow(unsafe_code)]
            let answer = work.with(|parameters| unsafe {
                match parameters {
                    Parameters::Kernel(kernel) => {
                        sys::cuGraphAddKernelNode_v2(&raw mut node, raw, before.as_ptr(), before.len(), kernel)
                    }
                    Parameters::Clear(clear) => {
                        sys::cuGraphAddMemsetNode(&raw mut node, raw, before.as_ptr(), before.len(), clear, context)
                    }
                }
            });
            check(answer, "adding to a graph")?;
            graph.nodes.push(node);
        }
        // SAFETY: the graph is whole.
        #[allow(unsafe_code)]
        let answer = unsafe { sys::cuGraphInstantiateWithFlags(&raw mut graph.executable, raw, 0) };
        check(answer, "instantiating a graph")?;
        Ok(graph)
    }

    /// Sets what differs in `work`, which is of the same kinds. A launch that was asked for before keeps what it had.
    fn update(&mut self, work: Vec<Work>, context: sys::CUcontext) -> Result<(), ComputeError> {
        for ((node, old), new) in self.nodes.iter().zip(&self.work).zip(&work) {
            if old == new {
                continue;
            }
            // SAFETY: as in `new`; the node is of the graph that the executable is of, and of the same kernel.
            #[allow(unsafe_code)]
            let answer = new.with(|parameters| unsafe {
                match parameters {
                    Parameters::Kernel(kernel) => {
                        sys::cuGraphExecKernelNodeSetParams_v2(self.executable, *node, kernel)
                    }
                    Parameters::Clear(clear) => {
                        sys::cuGraphExecMemsetNodeSetParams(self.executable, *node, clear, context)
                    }
                }
            });
            check(answer, "changing a graph")?;
        }
        self.work = work;
        Ok(())
    }
}
