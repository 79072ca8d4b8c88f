//! How long a prompt and a token take, by what passes memory and what is computed: a prediction from ceilings, not a measurement.
//!
//! A token waits for everything that it reads, one after the other, where it lies: what lies in the machine's memory is computed there. A prompt
//! passes in slabs; weights that do not lie on a card are copied there once a slab, while what was copied before is computed. Over several
//! cards a slab passes in pieces that follow one another, as `engine/order` has them.

use std::ops::Range;

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

/// What a part of a prompt takes in one layer.
#[derive(Debug, Clone, Copy)]
struct Cost {
    /// Seconds of the card, or of the processor.
    time: f64,
    /// Of the disk, which all share.
    disk: f64,
}

/// Tokens `part` of a prompt in layer `index`.
fn cost(
    (model, weights): (&Anatomy, &WeightBytes),
    machine: &Machine,
    placement: &Placement,
    kv: KvType,
    index: usize,
    part: &Range<usize>,
) -> Cost {
    let (layer, bytes, place) = (&model.layers[index], &weights.layers[index], &placement.layers[index]);
    let (host, hidden) = (&machine.host, model.hidden as f64);
    // Nobody reads what the last layer says of a prompt: its keys and values, or its state, are all there is to make.
    let is_last = index + 1 == model.layers.len();
    let parameters = if is_last {
        layer.attention.parameters(hidden) / 2.0
    } else {
        model.fixed(layer) + layer.feed_forward.chosen(hidden)
    };
    let per_key = if is_last { 0.0 } else { layer.attention.core_a_key() };
    let experts = if is_last { 0.0 } else { bytes.experts };
    let tokens = part.len() as f64;
    let keys = tokens * (part.start + part.end) as f64 / 2.0;
    let operations = tokens * (2.0 * parameters + layer.attention.recurrence()) + per_key * keys;
    let from_disk = experts * place.experts.disk + if place.fixed == Home::Disk { bytes.fixed } else { 0.0 };
    let time = match place.card {
        Some(card) => {
            let card = &machine.cards[card];
            let elsewhere = |home: Home, bytes: f64| if matches!(home, Home::Card(_)) { 0.0 } else { bytes };
            let copied = experts * (1.0 - place.experts.vram)
                + elsewhere(place.fixed, bytes.fixed)
                + elsewhere(place.kv, kv_bytes(&layer.attention, part.end, kv) as f64);
            let computed = operations / (card.tensor * card.reached);
            computed.max(copied / (card.bus * COPY))
        }
        None => operations / (host.compute * CPU_COMPUTE),
    };
    Cost {
        time,
        disk: from_disk / (host.disk * COPY),
    }
}

fn prefill(model: &Anatomy, weights: &WeightBytes, machine: &Machine, placement: &Placement, kv: KvType) -> f64 {
    let context = placement.context;
    let (slab, piece) = placement.lengths();
    let parts = |whole: Range<usize>, length: usize| {
        let end = whole.end;
        whole.step_by(length).map(move |from| from..(from + length).min(end))
    };
    let all = 0..model.layers.len();
    let stages = match &placement.cut[..] {
        [] => std::slice::from_ref(&all),
        cut => cut,
    };
    let mut sum = 0.0;
    for slab in parts(0..context, slab) {
        // When each card is done with the pieces so far: it begins with one when it is done with the last, and when that has come
        // from the card before.
        let mut done = vec![0.0_f64; stages.len()];
        let mut disk = 0.0;
        for piece in parts(slab, piece) {
            let mut comes = 0.0_f64;
            for (number, (stage, done)) in stages.iter().zip(&mut done).enumerate() {
                let costs = stage
                    .clone()
                    .map(|index| cost((model, weights), machine, placement, kv, index, &piece));
                let mut takes = 0.0;
                for Cost { time, disk: read } in costs {
                    takes += time.max(read);
                    disk += read;
                }
                *done = done.max(comes) + takes;
                let bytes = piece.len() as f64 * model.hidden as f64 * size_of::<f32>() as f64;
                comes = *done + machine.cards.get(number).map_or(0.0, |card| bytes / (card.bus * COPY));
            }
        }
        sum += done.last().copied().unwrap_or(0.0).max(disk);
    }
    sum
}
