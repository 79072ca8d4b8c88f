//! How long a prompt and a token take, by what passes memory and what is computed: a prediction from ceilings, not a measurement.
//!
//! A token waits for everything that it reads, one after the other, where it lies: what lies in the machine's memory is computed there. A prompt
//! passes in slabs; weights that do not lie on a card are copied there once a slab, while what was copied before is computed.

use serde::Serialize;

use super::anatomy::Anatomy;
use super::cards::{COPY, CPU_COMPUTE, CPU_READ, READ, START};
use super::place::{Home, Machine, Placement};
use super::storage::{WeightBytes, chosen, kv_bytes};
use crate::compute::cpu::KvType;

/// Kernels of a layer for one token.
const KERNELS: f64 = 12.0;
/// To the processor and back in the middle of a layer.
const HOP: f64 = 40e-6;

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Speed {
    /// Seconds until a context of this length has been read.
    pub prefill: f64,
    /// Tokens a second at its end.
    pub decode: f64,
}

impl Speed {
    #[must_use]
    pub fn of(model: &Anatomy, weights: &WeightBytes, machine: &Machine, placement: &Placement, kv: KvType) -> Self {
        Self {
            prefill: prefill(model, weights, machine, placement, kv),
            decode: 1.0 / token(model, weights, machine, placement, kv),
        }
    }
}

/// Seconds to read so many bytes once, computing where they lie.
fn read(machine: &Machine, home: Home, bytes: f64) -> f64 {
    match home {
        Home::Card(card) => bytes / (machine.cards[card].memory * READ),
        Home::Ram => bytes / (machine.host.memory * CPU_READ),
        Home::Disk => bytes / (machine.host.disk * COPY),
    }
}

fn token(model: &Anatomy, weights: &WeightBytes, machine: &Machine, placement: &Placement, kv: KvType) -> f64 {
    let mut time = read(machine, placement.head, weights.head);
    if model.tied {
        time += read(machine, placement.head, weights.embedding);
    }
    for ((layer, bytes), place) in model.layers.iter().zip(&weights.layers).zip(&placement.layers) {
        let kept = kv_bytes(&layer.attention, placement.context, kv) as f64 + 2.0 * layer.attention.state_bytes();
        time += read(machine, place.fixed, bytes.fixed) + read(machine, place.kv, kept);
        let experts = bytes.experts * chosen(model);
        let on_processor = read(machine, Home::Ram, experts * place.experts.ram)
            + read(machine, Home::Disk, experts * place.experts.disk);
        if let Some(card) = place.card {
            // Both compute what they have at the same time.
            let on_card = read(machine, Home::Card(card), experts * place.experts.vram);
            time += KERNELS * START + on_card.max(on_processor);
            let leaves = place.experts.vram < 1.0 && experts > 0.0;
            let hops = [leaves, place.fixed != Home::Card(card), place.kv != Home::Card(card)];
            time += HOP * hops.into_iter().filter(|hop| *hop).count() as f64;
        } else {
            time += on_processor;
        }
    }
    time
}

fn prefill(model: &Anatomy, weights: &WeightBytes, machine: &Machine, placement: &Placement, kv: KvType) -> f64 {
    let (context, slab) = (placement.context, placement.slab);
    let slabs = context.div_ceil(slab);
    let host = &machine.host;
    let (mut sum, hidden) = (0.0, model.hidden as f64);
    for (index, ((layer, bytes), place)) in model
        .layers
        .iter()
        .zip(&weights.layers)
        .zip(&placement.layers)
        .enumerate()
    {
        // Nobody reads what the last layer says of a prompt: its keys and values, or its state, are all there is to make.
        let is_last = index + 1 == model.layers.len();
        let parameters = if is_last {
            layer.attention.parameters(hidden) / 2.0
        } else {
            model.fixed(layer) + layer.feed_forward.chosen(hidden)
        };
        let per_key = if is_last { 0.0 } else { layer.attention.core_a_key() };
        let experts = if is_last { 0.0 } else { bytes.experts };
        for number in 0..slabs {
            let (from, to) = (number * slab, ((number + 1) * slab).min(context));
            let tokens = (to - from) as f64;
            let keys = tokens * (from + to) as f64 / 2.0;
            let operations = tokens * (2.0 * parameters + layer.attention.recurrence()) + per_key * keys;
            let from_disk = experts * place.experts.disk + if place.fixed == Home::Disk { bytes.fixed } else { 0.0 };
            let disk = from_disk / (host.disk * COPY);
            let time = match place.card {
                Some(card) => {
                    let card = &machine.cards[card];
                    let elsewhere = |home: Home, bytes: f64| if matches!(home, Home::Card(_)) { 0.0 } else { bytes };
                    let copied = experts * (1.0 - place.experts.vram)
                        + elsewhere(place.fixed, bytes.fixed)
                        + elsewhere(place.kv, kv_bytes(&layer.attention, to, kv) as f64);
                    let computed = operations / (card.tensor * card.reached);
                    computed.max(copied / (card.bus * COPY))
                }
                None => operations / (host.compute * CPU_COMPUTE),
            };
            sum += time.max(disk);
        }
    }
    // Cards work on different slabs; the first has to pass them all before the last card has something to do.
    let cards = machine.cards.len().max(1) as f64;
    sum / cards * (1.0 + (cards - 1.0) / slabs as f64)
}
