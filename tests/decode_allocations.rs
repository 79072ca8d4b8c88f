//! Decoding allocates nothing once it runs, on any of the threads.

#![allow(
    clippy::unwrap_used,
    reason = "a test that unwraps nothing has failed, in its helpers too"
)]

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use common::models::random_model;
use thunderhead::compute::Interrupt;
use thunderhead::compute::cpu::Cpu;
use thunderhead::engine::{Network, State};

struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: everything is handed on to the system's allocator.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as it was asked for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as it was asked for.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Rounds until every thread has had its turn: one that came late to the work makes its scratch space then, once.
const ROUNDS: usize = 50;

#[test]
fn a_token_is_decoded_without_allocating() {
    let (config, weights) = random_model(3, "lsl", 40);
    let network = Network::new(Cpu::new(2).unwrap(), config, weights).unwrap();
    let interrupt = Interrupt::new();
    let mut seen = 0.0;
    let mut round = || {
        let mut state = State::new(&network).unwrap();
        let mut decode = |count: u32| {
            for id in 0..count {
                let sink = |_, row: &[f32]| seen += row[0];
                network.advance(&mut state, &[id % 40], 1, &interrupt, sink).unwrap();
            }
        };
        decode(20);
        let before = ALLOCATIONS.load(Ordering::Relaxed);
        // Within the first page of keys and values: a new one is needed every 256 tokens.
        decode(200);
        ALLOCATIONS.load(Ordering::Relaxed) - before
    };
    let counts: Vec<usize> = std::iter::repeat_with(&mut round)
        .take(ROUNDS)
        .take_while(|&count| count > 0)
        .collect();
    assert!(counts.len() < ROUNDS, "each round allocated: {counts:?}");
    assert!(seen.is_finite());
}
