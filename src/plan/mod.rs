//! What a model needs on a machine, and how fast it would be: from its sizes alone, before anything is downloaded.
//!
//! [`anatomy`] has the sizes and what follows from them, `source` where they are read from, `storage` bytes, [`cards`] what machines
//! can do, `place` where everything goes and `fit` where it does once it is there, `speed` what that takes, `compare` operations against other models. What does not fit is said with
//! the arithmetic, and with what would.

pub mod anatomy;
pub mod cards;
mod compare;
mod fit;
mod known;
mod place;
mod source;
mod speed;
mod storage;
#[cfg(test)]
mod tests;

use serde::Serialize;

pub use anatomy::{Anatomy, Operations};
pub use cards::{CARDS, Card, Host};
pub use compare::{AgainstR1, Convention, against_r1};
pub use fit::{Fit, Run, Split};
pub use known::{NAMES, known};
pub use place::{Held, Home, Machine, Placement, Shares};
pub use source::Subject;
pub use speed::Speed;
pub use storage::{Precision, WeightBytes, chosen, kv_bytes};

use crate::compute::cpu::KvType;

/// Lengths of context that a table has, as far as they are asked for.
const LENGTHS: [usize; 6] = [8 << 10, 32 << 10, 128 << 10, 256 << 10, 512 << 10, 1 << 20];
/// A longest context is found to so many tokens.
const STEP: usize = 1024;

/// One length of context.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    pub context: usize,
    pub kv: f64,
    pub state: f64,
    pub vram: f64,
    pub ram: f64,
    pub disk: f64,
    pub fits: bool,
    /// Only if it fits.
    pub speed: Option<Speed>,
}

/// Something that would change what is wrong.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "change")]
pub enum Remedy {
    /// The longest context that fits.
    Context { tokens: usize },
    /// Keys and values in 8 bits from the first on.
    Q8,
    /// So much memory in the machine, in bytes.
    Ram { bytes: f64 },
    /// So much memory on the cards, in bytes.
    Vram { bytes: f64 },
    /// Weights of so few bits.
    Bits { bits: f64 },
}

/// What is wrong, and what would change it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Trouble {
    #[serde(flatten)]
    pub kind: TroubleKind,
    pub remedies: Vec<Remedy>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "trouble")]
pub enum TroubleKind {
    /// Keys, values and states have no room: nothing can be done with this context.
    DoesNotFit { short: f64, needed: f64 },
    /// Weights lie on the disk, and every token waits for so many bytes of them.
    FromDisk { bytes: f64, a_token: f64 },
    /// Experts do not lie on a card.
    ExpertsInRam { bytes: f64, a_token: f64 },
    /// Keys and values of softmax layers do not lie on a card.
    KeysInRam { bytes: f64 },
    /// Longer than what the model was made for.
    BeyondModel { max_positions: usize },
}

/// A model on a machine.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    pub model: Anatomy,
    /// How weights are stored, in words.
    pub stored_as: String,
    pub weights: WeightBytes,
    pub machine: Machine,
    pub kv_cache: KvType,
    pub placement: Placement,
    pub rows: Vec<Row>,
    pub operations: Operations,
    /// Of the same model if all its layers were softmax attention, and the bytes of its keys and values.
    pub all_softmax: Option<(Operations, f64)>,
    pub against_r1: Vec<AgainstR1>,
    pub troubles: Vec<Trouble>,
}

/// What a plan is made from.
#[derive(Debug, Clone)]
pub struct Question {
    pub subject: Subject,
    /// None as the file has them.
    pub precision: Option<Precision>,
    pub machine: Machine,
    pub context: usize,
    pub kv_cache: KvType,
}

impl Question {
    fn weights(&self) -> (String, WeightBytes) {
        match (self.precision, &self.subject.stored) {
            (None, Some(stored)) => ("as stored".to_owned(), stored.clone()),
            (precision, _) => {
                let precision = precision.unwrap_or(Precision::Type(crate::model::Dtype::Q4K));
                (precision.name(), WeightBytes::of(&self.subject.anatomy, precision))
            }
        }
    }

    fn place(&self, weights: &WeightBytes, context: usize, kv: KvType) -> Placement {
        Placement::of(&self.subject.anatomy, weights, &self.machine, context, kv)
    }

    #[must_use]
    pub fn answer(self) -> Plan {
        let (stored_as, weights) = self.weights();
        let model = &self.subject.anatomy;
        let placement = self.place(&weights, self.context, self.kv_cache);
        let mut lengths: Vec<usize> = LENGTHS.into_iter().filter(|length| *length < self.context).collect();
        lengths.push(self.context);
        let rows = lengths.into_iter().map(|context| self.row(&weights, context)).collect();
        let all_softmax = model.all_softmax(self.context).map(|operations| {
            let kept: usize = model
                .softmax_layers()
                .map(|attention| kv_bytes(attention, self.context, self.kv_cache))
                .sum();
            let layers = model.layers.len() as f64 / model.softmax_layers().count() as f64;
            (operations, kept as f64 * layers)
        });
        let troubles = self.troubles(&weights, &placement);
        Plan {
            stored_as,
            rows,
            operations: model.operations(self.context),
            all_softmax,
            against_r1: against_r1(model),
            troubles,
            placement,
            kv_cache: self.kv_cache,
            weights,
            machine: self.machine,
            model: self.subject.anatomy,
        }
    }

    fn row(&self, weights: &WeightBytes, context: usize) -> Row {
        let model = &self.subject.anatomy;
        let placement = self.place(weights, context, self.kv_cache);
        let kv: usize = model
            .softmax_layers()
            .map(|attention| kv_bytes(attention, context, self.kv_cache))
            .sum();
        Row {
            context,
            kv: kv as f64,
            state: model.state_bytes(),
            vram: placement.vram().total(),
            ram: placement.ram.total(),
            disk: placement.disk.total(),
            fits: placement.fits(),
            speed: placement
                .fits()
                .then(|| Speed::of(model, weights, &self.machine, &placement, self.kv_cache)),
        }
    }

    fn troubles(&self, weights: &WeightBytes, placement: &Placement) -> Vec<Trouble> {
        let model = &self.subject.anatomy;
        let mut troubles = Vec::new();
        let mut add = |kind, remedies| troubles.push(Trouble { kind, remedies });
        if self.context > model.max_positions {
            let max_positions = model.max_positions;
            add(
                TroubleKind::BeyondModel { max_positions },
                vec![Remedy::Context { tokens: max_positions }],
            );
        }
        if !placement.fits() {
            let kind = TroubleKind::DoesNotFit {
                short: placement.short,
                needed: placement.short + placement.ram.kv + placement.ram.state,
            };
            let mut remedies = Vec::new();
            if let Some(tokens) = self.longest(weights) {
                remedies.push(Remedy::Context { tokens });
            }
            if self.kv_cache != KvType::Q8 && self.place(weights, self.context, KvType::Q8).fits() {
                remedies.push(Remedy::Q8);
            }
            // What is short, with what was in the way of it.
            let enough = |machine: &Machine| Placement::of(model, weights, machine, self.context, self.kv_cache).fits();
            remedies.extend(self.enough_ram(enough).map(|bytes| Remedy::Ram { bytes }));
            add(kind, remedies);
            return troubles;
        }
        let a_token = |share: fn(&Shares) -> f64| -> f64 {
            let layers = weights.layers.iter().zip(&placement.layers);
            layers
                .map(|(bytes, place)| bytes.experts * share(&place.experts))
                .sum::<f64>()
                * chosen(model)
        };
        let on_disk = placement.disk.total();
        if on_disk > 0.0 {
            let kind = TroubleKind::FromDisk {
                bytes: on_disk,
                a_token: a_token(|shares| shares.disk) + placement.disk.fixed,
            };
            let enough = |machine: &Machine| {
                let placement = Placement::of(model, weights, machine, self.context, self.kv_cache);
                placement.disk.total() <= 0.0
            };
            let mut remedies: Vec<Remedy> = self
                .enough_ram(enough)
                .map(|bytes| Remedy::Ram { bytes })
                .into_iter()
                .collect();
            remedies.extend(self.bits(|placement| placement.disk.total() <= 0.0));
            add(kind, remedies);
        }
        if !self.machine.cards.is_empty() {
            let vram = placement.vram();
            if placement.ram.kv > 0.0 {
                add(
                    TroubleKind::KeysInRam {
                        bytes: placement.ram.kv,
                    },
                    self.on_cards(weights, |held| held.kv),
                );
            }
            if placement.ram.experts > 0.0 && vram.fixed > 0.0 {
                let kind = TroubleKind::ExpertsInRam {
                    bytes: placement.ram.experts,
                    a_token: a_token(|shares| shares.ram),
                };
                let mut remedies = self.on_cards(weights, |held| held.experts);
                remedies.extend(self.bits(|placement| placement.ram.experts + placement.disk.experts <= 0.0));
                add(kind, remedies);
            }
        }
        troubles
    }

    /// The longest context that fits, if one does.
    fn longest(&self, weights: &WeightBytes) -> Option<usize> {
        let fits = |steps: usize| self.place(weights, steps * STEP, self.kv_cache).fits();
        let (mut low, mut high) = (0, self.context.div_ceil(STEP));
        while high - low > 1 {
            let middle = usize::midpoint(low, high);
            if fits(middle) {
                low = middle;
            } else {
                high = middle;
            }
        }
        (low > 0).then_some(low * STEP)
    }

    /// The least memory of the machine, in whole GiB, with which something holds.
    fn enough_ram(&self, holds: impl Fn(&Machine) -> bool) -> Option<f64> {
        let with = |gib: u32| {
            let mut machine = self.machine.clone();
            machine.host.ram = f64::from(gib) * GIB;
            holds(&machine)
        };
        least(with).map(|gib| f64::from(gib) * GIB)
    }

    /// The least memory of all cards, in whole GiB each, with which the machine's has nothing of a kind.
    fn on_cards(&self, weights: &WeightBytes, kind: fn(&Held) -> f64) -> Vec<Remedy> {
        let count = self.machine.cards.len() as f64;
        let with = |gib: u32| {
            let mut machine = self.machine.clone();
            machine
                .cards
                .iter_mut()
                .for_each(|card| card.vram = f64::from(gib) * GIB);
            let placement = Placement::of(&self.subject.anatomy, weights, &machine, self.context, self.kv_cache);
            kind(&placement.ram) + kind(&placement.disk) <= 0.0
        };
        let bytes = least(with).map(|gib| f64::from(gib) * GIB * count);
        bytes.map(|bytes| Remedy::Vram { bytes }).into_iter().collect()
    }

    /// The most bits of the types that there are, with which something holds.
    fn bits(&self, holds: impl Fn(&Placement) -> bool) -> Option<Remedy> {
        let now = self.weights().1.total();
        let sizes = [8.5, 6.5625, 5.5, 4.5].into_iter();
        let fitting = sizes.filter(|bits| {
            let weights = WeightBytes::of(&self.subject.anatomy, Precision::Bits(*bits));
            weights.total() < now && holds(&self.place(&weights, self.context, self.kv_cache))
        });
        fitting.into_iter().next().map(|bits| Remedy::Bits { bits })
    }
}

const GIB: f64 = (1_u64 << 30) as f64;

/// The least number up to 4096 that something holds for; what holds for one holds for more.
fn least(holds: impl Fn(u32) -> bool) -> Option<u32> {
    let (mut low, mut high) = (0, 4096);
    if !holds(high) {
        return None;
    }
    while high - low > 1 {
        let middle = u32::midpoint(low, high);
        if holds(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    Some(high)
}
