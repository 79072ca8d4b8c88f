//! What machines can do: a table of cards, and the processor with its memory and disk.
//!
//! Figures are the makers': tensor cores in bf16 with sums in f32, without sparsity. What of them kernels reach stands beside.

use serde::Serialize;

/// Of memory bandwidth, what streaming kernels reach; as in `kernels/work.py`.
pub const READ: f64 = 0.85;
/// What starts one kernel of a graph, seconds.
pub const START: f64 = 3e-6;
/// Of a processor's memory bandwidth and arithmetic.
pub const CPU_READ: f64 = 0.8;
pub const CPU_COMPUTE: f64 = 0.5;
/// Of the bandwidth of the bus and of a disk, with copies that are large and begun ahead.
pub const COPY: f64 = 0.85;
/// What a card's memory holds besides: the driver's context, and what the kernels are loaded into.
pub const CONTEXT_BYTES: f64 = 600.0 * (1 << 20) as f64;

const GIB: f64 = (1_u64 << 30) as f64;

/// A card.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Card {
    pub name: &'static str,
    /// Bytes.
    pub vram: f64,
    /// Bytes a second.
    pub memory: f64,
    /// Operations a second of the tensor cores.
    pub tensor: f64,
    /// Bytes a second across the bus, one way.
    pub bus: f64,
    /// Of the tensor cores, what these kernels reach: Hopper's want other instructions for all they can do.
    pub reached: f64,
}

const fn card(name: &'static str, gib: u32, memory: u32, tensor: u32, bus: u32) -> Card {
    Card {
        name,
        vram: gib as f64 * GIB,
        memory: memory as f64 * 1e9,
        tensor: tensor as f64 * 1e12,
        bus: bus as f64 * 1e9,
        reached: 0.85,
    }
}

const fn hopper(name: &'static str, gib: u32, memory: u32) -> Card {
    Card {
        reached: 0.6,
        ..card(name, gib, memory, 989, 55)
    }
}

/// Cards by memory; of those with as much, the commonest first.
pub const CARDS: [Card; 20] = [
    card("RTX 3060", 12, 360, 25, 25),
    card("RTX 4070", 12, 504, 58, 25),
    card("RTX 4060 Ti", 16, 288, 44, 12),
    card("RTX 5060 Ti", 16, 448, 47, 25),
    card("RTX 4080", 16, 717, 97, 25),
    card("RTX 5070 Ti", 16, 896, 88, 50),
    card("RTX 5080", 16, 960, 113, 50),
    card("RTX 4090", 24, 1008, 165, 25),
    card("RTX 3090", 24, 936, 71, 25),
    card("L4", 24, 300, 121, 25),
    card("RTX 5090", 32, 1792, 209, 55),
    card("A100 40GB", 40, 1555, 312, 25),
    card("RTX 6000 Ada", 48, 960, 364, 25),
    card("RTX A6000", 48, 768, 155, 25),
    card("L40S", 48, 864, 362, 25),
    hopper("H100", 80, 3350),
    card("A100 80GB", 80, 2039, 312, 25),
    card("RTX PRO 6000", 96, 1792, 504, 55),
    hopper("GH200", 96, 4000),
    hopper("H200", 141, 4800),
];

impl Card {
    /// The card that a text names: all its words are in the name.
    #[must_use]
    pub fn named(text: &str) -> Option<Self> {
        let text = text.to_ascii_lowercase().replace(['-', '_'], " ");
        let has = |card: &&Self, word: &str| card.name.to_ascii_lowercase().split(' ').any(|part| part == word);
        let words = || {
            text.split_whitespace()
                .filter(|word| !matches!(*word, "nvidia" | "geforce" | "sxm" | "pcie"))
        };
        let mut fitting = CARDS
            .iter()
            .filter(|card| words().next().is_some() && words().all(|word| has(card, word)));
        // "RTX 4060" is not "RTX 4060 Ti": the shortest name that has the words.
        let first = fitting.next()?;
        Some(fitting.fold(
            *first,
            |best, card| if card.name.len() < best.name.len() { *card } else { best },
        ))
    }

    /// The first in the table with so much memory, as cards that have less: a budget is not more than there is.
    #[must_use]
    pub fn with_memory(bytes: f64) -> Self {
        let enough = CARDS.iter().find(|card| card.vram >= bytes * 0.97);
        Self {
            vram: bytes,
            ..*enough.unwrap_or(&CARDS[CARDS.len() - 1])
        }
    }
}

/// What is beside the cards.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Host {
    /// Bytes.
    pub ram: f64,
    /// Bytes read from memory a second.
    pub memory: f64,
    /// Operations a second in the type that weights are multiplied in.
    pub compute: f64,
    /// Bytes read from the disk a second.
    pub disk: f64,
    /// Memory and arithmetic have been measured.
    pub measured: bool,
}

impl Host {
    /// A desktop: two channels of DDR5, eight cores with wide registers, a disk on the bus.
    #[must_use]
    pub fn desktop(ram: f64) -> Self {
        Self {
            ram,
            memory: 90e9,
            compute: 2e12,
            disk: 7e9,
            measured: false,
        }
    }
}
