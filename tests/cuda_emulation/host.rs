//! The host's side of each launch: grid, block, shared memory and every argument, held against the kernel's signature, and each of them
//! put wrong to see that it is noticed.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use thunderhead::compute::cpu::KvType;
use thunderhead::compute::cuda::{Address, Argument, Cuda, Driver, Launch, Sent, Source};
use thunderhead::compute::reference::Reference;
use thunderhead::compute::{ComputeError, Interrupt};

use crate::backend::{Emulated, layers};
use crate::device::{self, Device, Order};
use crate::numbers::{close, doubles};

/// A launch as it was asked for.
#[derive(Debug, Clone)]
struct Asked {
    kernel: String,
    grid: [usize; 3],
    block: usize,
    shared: usize,
    arguments: Vec<Argument>,
}

/// What is done to launches.
type Change = Box<dyn Fn(&mut Asked) + Send + Sync>;

/// The emulated card behind somebody who writes down what it is asked for, and may change it.
struct Between {
    card: Emulated,
    asked: Arc<Mutex<Vec<Asked>>>,
    change: Change,
    /// The card has ended.
    is_over: AtomicBool,
}

impl Between {
    fn new(change: impl Fn(&mut Asked) + Send + Sync + 'static) -> Self {
        Self {
            card: Emulated::new(Order::Forward),
            asked: Arc::default(),
            change: Box::new(change),
            is_over: AtomicBool::new(false),
        }
    }

    fn card(&self) -> Result<&Emulated, ComputeError> {
        if self.is_over.load(Ordering::Relaxed) {
            return Err(ComputeError::Backend("the card has ended".to_owned()));
        }
        Ok(&self.card)
    }
}

impl Driver for Between {
    fn allocate(&self, bytes: usize) -> Result<Address, ComputeError> {
        self.card()?.allocate(bytes)
    }

    fn free(&self, address: Address) {
        if let Ok(card) = self.card() {
            card.free(address);
        }
    }

    fn write(&self, to: Address, bytes: &[u8]) -> Result<(), ComputeError> {
        self.card()?.write(to, bytes)
    }

    fn read(&self, from: Address, bytes: &mut [u8]) -> Result<(), ComputeError> {
        self.card()?.read(from, bytes)
    }

    fn copy(&self, from: Address, to: Address, bytes: usize) -> Result<(), ComputeError> {
        self.card()?.copy(from, to, bytes)
    }

    fn clear(&self, address: Address, bytes: usize) -> Result<(), ComputeError> {
        self.card()?.clear(address, bytes)
    }

    fn launch(&self, launch: Launch<'_>) -> Result<(), ComputeError> {
        let mut asked = Asked {
            kernel: launch.kernel.to_owned(),
            grid: launch.grid,
            block: launch.block,
            shared: launch.shared,
            arguments: launch.arguments.to_vec(),
        };
        (self.change)(&mut asked);
        self.asked.lock().unwrap().push(asked.clone());
        let done = self.card()?.launch(Launch {
            kernel: &asked.kernel,
            grid: asked.grid,
            block: asked.block,
            shared: asked.shared,
            arguments: &asked.arguments,
        });
        if done.is_err() {
            self.is_over.store(true, Ordering::Relaxed);
        }
        done
    }

    fn send(&self, parts: Vec<(Address, Source)>) -> Result<Sent, ComputeError> {
        self.card()?.send(parts)
    }

    fn arrive(&self, sent: Sent, interrupt: &Interrupt) -> Result<(), ComputeError> {
        self.card()?.arrive(sent, interrupt)
    }

    fn has_arrived(&self, sent: Sent) -> Result<bool, ComputeError> {
        self.card()?.has_arrived(sent)
    }

    fn synchronise(&self) -> Result<(), ComputeError> {
        self.card()?.synchronise()
    }

    fn multiprocessors(&self) -> usize {
        self.card.multiprocessors()
    }
}

/// All launches of some layers, one of each kernel.
fn launches() -> Vec<Asked> {
    let mut all: Vec<Asked> = Vec::new();
    for kv in [KvType::Bf16, KvType::F32] {
        let between = Between::new(|_| {});
        let asked = Arc::clone(&between.asked);
        layers(&Cuda::new(between).with_kv_cache(kv));
        all.extend(asked.lock().unwrap().drain(..));
    }
    all.sort_by(|a, b| a.kernel.cmp(&b.kernel));
    all.dedup_by(|a, b| a.kernel == b.kernel);
    all
}

/// An argument of another type, of the same size where there is one.
fn other(argument: Argument) -> Argument {
    match argument {
        Argument::Pointer(x) => Argument::Long(x.cast_signed()),
        Argument::Int(x) => Argument::Float(x as f32),
        Argument::Long(x) => Argument::Pointer(x.cast_unsigned()),
        Argument::Float(_) => Argument::Int(1),
        Argument::Double(_) => Argument::Long(1),
    }
}

/// Of every kernel that layers launch, every argument has the parameter's type: any other is refused, and so are one more and one less.
#[test]
fn every_argument_is_held_against_the_signature() {
    let launches = launches();
    assert!(launches.len() >= 20, "{}", launches.len());
    let mut refusals = 0;
    for asked in &launches {
        let refused = |arguments: &[Argument], why: &str| {
            let shape = device::Launch {
                grid: asked.grid,
                block: asked.block,
                shared: asked.shared,
                order: Order::Forward,
            };
            let said = Device::whole().launch(&asked.kernel, shape, arguments).unwrap_err();
            assert!(said.contains(why), "{}: {said}", asked.kernel);
        };
        for at in 0..asked.arguments.len() {
            let mut arguments = asked.arguments.clone();
            // The first that is wrong is named: those before it are right.
            arguments[..at].iter_mut().for_each(|argument| {
                if matches!(argument, Argument::Pointer(_)) {
                    *argument = Argument::NULL;
                }
            });
            arguments[at] = other(arguments[at]);
            refused(&arguments, &format!("of another type than its parameter: {at}"));
            refusals += 1;
        }
        let [first, rest @ ..] = &asked.arguments[..] else {
            panic!("{} has no arguments", asked.kernel)
        };
        refused(rest, "another number of arguments");
        refused(
            &[&asked.arguments[..], &[*first]].concat(),
            "another number of arguments",
        );
    }
    assert!(refusals > 200, "{refusals}");
}

/// Layers with launches of one kernel changed: whether anything is noticed, by the card or in the numbers.
fn is_noticed(kernel: &'static str, change: impl Fn(&mut Asked) + Send + Sync + 'static) -> bool {
    let kv = if kernel.ends_with("f32") {
        KvType::F32
    } else {
        KvType::Bf16
    };
    let between = Between::new(move |asked| {
        if asked.kernel == kernel {
            change(asked);
        }
    });
    let cuda = Cuda::new(between).with_kv_cache(kv);
    let Ok(got) = catch_unwind(AssertUnwindSafe(|| layers(&cuda))) else {
        return true;
    };
    let expected = layers(&Reference);
    let mut pairs = got.iter().zip(&expected);
    !pairs.all(|(got, expected)| close("a tile", &doubles(got), &doubles(expected), 2e-2).is_ok())
}

#[test]
fn wrong_shapes_and_places_are_noticed() {
    let shorter: fn(&mut Asked) = |asked| asked.grid[0] -= 1;
    assert!(!is_noticed("gated_norm", |_| {}), "what is right is not");
    assert!(is_noticed("gated_norm", |asked| asked.grid[0] = asked.grid[0].max(2) - 1));
    assert!(is_noticed("attention_64", |asked| asked.grid[1] -= 1));
    assert!(is_noticed("experts_up_bf16", |asked| asked.block /= 2));
    assert!(is_noticed("experts_down_bf16", shorter));
    assert!(is_noticed("gemm_bf16_silu", |asked| asked.shared -= 40 << 10));
    assert!(is_noticed("lightning_decode", |asked| asked.block *= 2));
    // The next state in the place of the last one, and a pointer past its buffer.
    assert!(is_noticed("lightning_decode", |asked| asked.arguments.swap(7, 8)));
    assert!(is_noticed("residual_norm", |asked| {
        if let Argument::Pointer(address) = &mut asked.arguments[0] {
            *address += 1 << 40;
        }
    }));
}
