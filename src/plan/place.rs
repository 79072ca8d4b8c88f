//! Where a model lies: in the memory of cards, in that of the machine, or on the disk.
//!
//! Layers are cut among the cards in order. On each: the room that a prompt passes through, the states, what every token passes
//! (attention, norms, routers, shared experts, the head), keys and values, and of what is left as many experts as fit; the program
//! keeps those that are chosen most. What has no room goes to the machine's memory in the same order, and weights beyond that stay on
//! the disk, from where they are mapped. Keys, values and states cannot: without room for them a context does not fit.

use std::ops::Range;

use serde::Serialize;

use super::anatomy::Anatomy;
use super::cards::{CONTEXT_BYTES, Card, Host};
use super::storage::{WeightBytes, kv_bytes};
use crate::compute::cpu::KvType;
use crate::engine::pieces;

/// Tokens of a tile, as the program cuts a prompt if nothing else is said.
const TILE: f64 = 2048.0;
/// Tokens that pass a layer together at most.
pub(super) const SLAB: usize = 32_768;
/// A slab is halved down to so many where a card is small.
pub(super) const LEAST_SLAB: usize = 2048;
/// Two halves of it take experts in turn that are copied from elsewhere.
const STAGING: f64 = (1_u64 << 30) as f64;
/// The program itself, its documents and the system's own.
const PROGRAM: f64 = 1.5 * (1_u64 << 30) as f64;

/// What there is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Machine {
    pub cards: Vec<Card>,
    pub host: Host,
}

/// Where something is computed, or read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Home {
    Card(usize),
    Ram,
    Disk,
}

/// Shares of something that lie in each place; together 1, or 0 of nothing.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Shares {
    pub vram: f64,
    pub ram: f64,
    pub disk: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct LayerPlace {
    /// The card that has this layer, if there is one.
    pub card: Option<usize>,
    pub fixed: Home,
    pub kv: Home,
    pub experts: Shares,
}

/// Bytes by kind.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Held {
    /// What every token passes: attention, norms, routers, shared experts, head.
    pub fixed: f64,
    pub experts: f64,
    pub embedding: f64,
    pub kv: f64,
    pub state: f64,
    /// What a prompt passes through, and what the driver takes.
    pub work: f64,
}

impl Held {
    #[must_use]
    pub fn total(&self) -> f64 {
        self.fixed + self.experts + self.embedding + self.kv + self.state + self.work
    }
}

/// A placement for one length of context.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Placement {
    pub context: usize,
    /// Tokens that pass a layer together.
    pub slab: usize,
    pub cards: Vec<Held>,
    /// Layers of each card.
    pub cut: Vec<Range<usize>>,
    pub ram: Held,
    pub disk: Held,
    pub layers: Vec<LayerPlace>,
    pub head: Home,
    /// Bytes of keys, values and states that have no room; 0 if the context fits.
    pub short: f64,
}

/// Room that is being filled.
struct Room {
    left: f64,
    held: Held,
}

impl Room {
    fn new(bytes: f64) -> Self {
        Self {
            left: bytes.max(0.0),
            held: Held::default(),
        }
    }

    fn take(&mut self, bytes: f64, kind: fn(&mut Held) -> &mut f64) -> bool {
        let fits = bytes <= self.left;
        if fits {
            self.left -= bytes;
            *kind(&mut self.held) += bytes;
        }
        fits
    }
}

/// Bytes that a prompt in tiles passes through on a card.
fn passage(model: &Anatomy, slab: usize) -> f64 {
    let hidden = model.hidden as f64;
    let (top_k, width) =
        model
            .layers
            .iter()
            .fold((1.0_f64, 0.0_f64), |(top_k, width), layer| match layer.feed_forward {
                super::anatomy::FeedForward::Dense { width: inner } => (top_k, width.max(inner as f64)),
                super::anatomy::FeedForward::Experts {
                    top_k: chosen,
                    width: inner,
                    ..
                } => (top_k.max(chosen as f64), width.max(inner as f64)),
            });
    slab as f64 * hidden * 4.0 + TILE * (hidden * 10.0 + top_k * (hidden * 4.0 + width * 2.0))
}

/// Layers of each card: contiguous, with about as many bytes each as the card has room.
fn cut(sizes: &[f64], cards: &[Card]) -> Vec<Range<usize>> {
    let (all, room): (f64, f64) = (sizes.iter().sum(), cards.iter().map(|card| card.vram).sum());
    let (mut cuts, mut from, mut until, mut sum) = (Vec::new(), 0, 0.0, 0.0);
    for (index, card) in cards.iter().enumerate() {
        until += all * card.vram / room;
        let mut to = from;
        while to < sizes.len() && (sum + sizes[to] / 2.0 <= until || index + 1 == cards.len()) {
            sum += sizes[to];
            to += 1;
        }
        cuts.push(from..to);
        from = to;
    }
    cuts
}

impl Placement {
    #[must_use]
    pub fn of(model: &Anatomy, weights: &WeightBytes, machine: &Machine, context: usize, kv: KvType) -> Self {
        let kv: Vec<f64> = model
            .layers
            .iter()
            .map(|layer| kv_bytes(&layer.attention, context, kv) as f64)
            .collect();
        // Two versions: a tile reads one and writes the other.
        let state: Vec<f64> = model
            .layers
            .iter()
            .map(|layer| 2.0 * layer.attention.state_bytes())
            .collect();
        let sizes: Vec<f64> = (0..model.layers.len())
            .map(|i| weights.layers[i].fixed + weights.layers[i].experts + kv[i] + state[i])
            .collect();
        let cuts = cut(&sizes, &machine.cards);
        let smallest = machine.cards.iter().map(|card| card.vram).fold(f64::INFINITY, f64::min);
        let mut slab = context.clamp(1, SLAB);
        while slab > LEAST_SLAB && slab as f64 * model.hidden as f64 * 4.0 > smallest / 8.0 {
            slab /= 2;
        }

        let mut ram = Room::new(machine.host.ram - PROGRAM);
        let mut disk = Room::new(f64::INFINITY);
        let mut short = 0.0;
        let mut layers: Vec<LayerPlace> = (0..model.layers.len())
            .map(|index| LayerPlace {
                card: cuts.iter().position(|cut| cut.contains(&index)),
                fixed: Home::Ram,
                kv: Home::Ram,
                experts: Shares::default(),
            })
            .collect();
        let mut rooms = Vec::new();
        let mut head = Home::Ram;
        for (number, (card, layers_of)) in machine.cards.iter().zip(&cuts).enumerate() {
            let mut room = Room::new(card.vram);
            let all: f64 = sizes[layers_of.clone()].iter().sum();
            let mut work = CONTEXT_BYTES + passage(model, slab);
            if all + work > card.vram {
                work += STAGING;
            }
            if !room.take(work, |held| &mut held.work) {
                // Too small for anything.
                layers[layers_of.clone()].iter_mut().for_each(|layer| layer.card = None);
                rooms.push(room);
                continue;
            }
            for index in layers_of.clone() {
                if state[index] > 0.0 && room.take(state[index], |held| &mut held.state) {
                    layers[index].kv = Home::Card(number);
                }
                if room.take(weights.layers[index].fixed, |held| &mut held.fixed) {
                    layers[index].fixed = Home::Card(number);
                }
            }
            // A head that is the embedding table.
            let of_head = weights.head + if model.tied { weights.embedding } else { 0.0 };
            if number + 1 == machine.cards.len() && room.take(of_head, |held| &mut held.fixed) {
                head = Home::Card(number);
            }
            for index in layers_of.clone() {
                if kv[index] > 0.0 && room.take(kv[index], |held| &mut held.kv) {
                    layers[index].kv = Home::Card(number);
                }
            }
            let experts: f64 = weights.layers[layers_of.clone()]
                .iter()
                .map(|layer| layer.experts)
                .sum();
            let kept = experts.min(room.left);
            room.take(kept, |held| &mut held.experts);
            let share = if experts > 0.0 { kept / experts } else { 0.0 };
            for index in layers_of.clone() {
                layers[index].experts.vram = share;
            }
            rooms.push(room);
        }

        for index in 0..model.layers.len() {
            if matches!(layers[index].kv, Home::Ram) {
                let bytes = kv[index] + state[index];
                if !ram.take(kv[index], |held| &mut held.kv) || !ram.take(state[index], |held| &mut held.state) {
                    short += bytes;
                }
            }
        }
        for index in 0..model.layers.len() {
            let bytes = weights.layers[index].fixed;
            if layers[index].fixed == Home::Ram && !ram.take(bytes, |held| &mut held.fixed) {
                layers[index].fixed = Home::Disk;
                disk.take(bytes, |held| &mut held.fixed);
            }
        }
        let tied_on_card = model.tied && matches!(head, Home::Card(_));
        let of_head = weights.head;
        if head == Home::Ram && !ram.take(of_head, |held| &mut held.fixed) {
            head = Home::Disk;
            disk.take(of_head, |held| &mut held.fixed);
        }
        if !tied_on_card
            && !rooms
                .first_mut()
                .is_some_and(|room| room.take(weights.embedding, |held| &mut held.embedding))
            && !ram.take(weights.embedding, |held| &mut held.embedding)
        {
            disk.take(weights.embedding, |held| &mut held.embedding);
        }
        let left: f64 = (0..model.layers.len())
            .map(|i| weights.layers[i].experts * (1.0 - layers[i].experts.vram))
            .sum();
        let kept = left.min(ram.left);
        ram.take(kept, |held| &mut held.experts);
        disk.take(left - kept, |held| &mut held.experts);
        let share = if left > 0.0 { kept / left } else { 0.0 };
        for (layer, bytes) in layers.iter_mut().zip(&weights.layers) {
            if bytes.experts > 0.0 {
                let elsewhere = 1.0 - layer.experts.vram;
                layer.experts.ram = elsewhere * share;
                layer.experts.disk = elsewhere * (1.0 - share);
            }
        }
        Self {
            context,
            slab,
            cards: rooms.into_iter().map(|room| room.held).collect(),
            cut: cuts,
            ram: ram.held,
            disk: disk.held,
            layers,
            head,
            short,
        }
    }

    /// Tokens of a slab of a prompt, and of a piece of it that passes the layers of one card together, as the engine has them.
    #[must_use]
    pub fn lengths(&self) -> (usize, usize) {
        if self.cut.len() < 2 {
            return (self.slab, self.slab);
        }
        let are_copied = self
            .layers
            .iter()
            .any(|layer| layer.experts.ram + layer.experts.disk > 0.0);
        pieces(self.slab, TILE as usize, are_copied)
    }

    #[must_use]
    pub fn fits(&self) -> bool {
        self.short <= 0.0
    }

    /// Bytes on all cards by kind.
    #[must_use]
    pub fn vram(&self) -> Held {
        self.cards.iter().fold(Held::default(), |sum, card| Held {
            fixed: sum.fixed + card.fixed,
            experts: sum.experts + card.experts,
            embedding: sum.embedding + card.embedding,
            kv: sum.kv + card.kv,
            state: sum.state + card.state,
            work: sum.work + card.work,
        })
    }
}
