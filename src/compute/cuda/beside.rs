//! Experts of a few tokens, of which the card has only some: it computes those, and the processor the others meanwhile, where they lie.
//!
//! A weight that meets one token is read once, and memory is read faster than the bus that leads to the card. What a token's experts make
//! is a sum: each side makes its part of it, and the card adds the two in the next norm.

use std::ops::Range;

use super::driver::{Address, Argument, Driver};
use super::experts::{Addresses, Experts};
use super::memory::{Buffer, Card, arguments, bytes_of};
use super::moe::{Added, Chosen};
use super::rows::{Normed, Rows};
use super::weight::Weight;
use crate::compute::cpu::{self, Cpu, Slot};
use crate::compute::{ComputeError, Interrupt};
use crate::model::{ExpertWeights, Moe};

/// What computes what is not on the card, and its buffers.
pub(super) struct Processor<'a> {
    pub cpu: &'a Cpu,
    pub workspace: &'a mut cpu::Workspace,
}

/// What the experts `layer` add, which are like `one`.
pub(super) fn forward<D: Driver>(
    card: &Card<D>,
    processor: Processor<'_>,
    spec: &Moe,
    one: &ExpertWeights<Weight<D>>,
    (x, h): (&Rows<D>, &Normed<D>),
    (experts, layer): (&mut Experts<D>, Range<usize>),
    chosen: &Chosen<D>,
    interrupt: &Interrupt,
) -> Result<Added<D>, ComputeError> {
    let (slots, normed) = read(card, spec, x, h, chosen)?;
    let there = experts.at_hand(card, layer.clone(), &slots)?;
    let is_there = |slot: &&Slot| there.0[0][slot.expert as usize] != Address::default();
    let (of_card, others): (Vec<Slot>, Vec<Slot>) = slots.iter().partition(is_there);
    let of_card = match &of_card[..] {
        [] => None,
        of_card => Some(on_card(card, spec, one, (x, h), &there, of_card)?),
    };
    let of_processor = match &others[..] {
        [] => None,
        others => {
            card.driver.begin()?;
            let Processor { cpu, workspace } = processor;
            let sum = cpu.some_experts(workspace, experts.on_processor(layer), &normed, others, interrupt)?;
            Some(card.upload_f32s(sum)?)
        }
    };
    Ok(match (of_card, of_processor) {
        (Some(outputs), shared) => Added {
            shared,
            ..Added::whole(outputs)
        },
        (None, outputs) => Added::whole(outputs.expect("a slot is on one side or the other")),
    })
}

/// Where tokens go, and what goes there: `[rows, width]`.
fn read<D: Driver>(
    card: &Card<D>,
    spec: &Moe,
    x: &Rows<D>,
    h: &Normed<D>,
    chosen: &Chosen<D>,
) -> Result<(Vec<Slot>, Vec<f32>), ComputeError> {
    let slots = x.count * spec.top_k;
    let mut experts = vec![0; slots * size_of::<i32>()];
    let mut factors = vec![0; slots * size_of::<f32>()];
    let mut normed = vec![0; x.count * x.width * size_of::<f32>()];
    card.driver.read_all(&mut [
        (chosen.experts.address(), &mut experts),
        (chosen.factors.address(), &mut factors),
        (h.f32.address(), &mut normed),
    ])?;
    let experts = experts.as_chunks().0.iter().map(|e| i32::from_le_bytes(*e));
    let factors = factors.as_chunks().0.iter().map(|f| f32::from_le_bytes(*f));
    let slots = experts.zip(factors).enumerate().map(|(i, (expert, factor))| {
        // Without numbers nothing is chosen; then it does not matter which expert gives none.
        let expert = u32::try_from(expert).ok().filter(|e| (*e as usize) < spec.experts);
        Slot {
            token: (i / spec.top_k) as u32,
            expert: expert.unwrap_or(0),
            factor,
        }
    });
    let normed = normed.as_chunks().0.iter().map(|x| f32::from_le_bytes(*x));
    Ok((slots.collect(), normed.collect()))
}

/// The sum of `slots`, which are not empty and whose experts are on the card, for each row.
fn on_card<D: Driver>(
    card: &Card<D>,
    spec: &Moe,
    one: &ExpertWeights<Weight<D>>,
    (x, h): (&Rows<D>, &Normed<D>),
    Addresses(parts): &Addresses,
    slots: &[Slot],
) -> Result<Buffer<D>, ComputeError> {
    let (rows, inner) = (x.count, spec.width);
    // As many for each row as the one has that has most: what a row lacks is an expert that is there, and counts nothing.
    let of_row = |row: usize| slots.iter().filter(move |slot| slot.token as usize == row);
    let most = (0..rows).map(|row| of_row(row).count()).max().unwrap_or(0);
    let (mut experts, mut factors) = (Vec::new(), Vec::new());
    for row in 0..rows {
        let filler = of_row(row).next().unwrap_or(&slots[0]).expert;
        experts.extend(of_row(row).map(|slot| slot.expert));
        factors.extend(of_row(row).map(|slot| slot.factor));
        experts.resize((row + 1) * most, filler);
        factors.resize((row + 1) * most, 0.0);
    }
    let lists = [
        bytes_of(&parts.concat(), u64::to_le_bytes),
        bytes_of(&experts, u32::to_le_bytes),
        bytes_of(&factors, f32::to_le_bytes),
    ];
    let held = card.upload(&lists.concat())?;
    let table = spec.experts * size_of::<Address>();
    let [gates, ups, downs, experts] = [0, 1, 2, 3].map(|list| Argument::from(held.at(list * table)));
    let factors = held.at(3 * table + rows * most * size_of::<u32>());
    let inside = card.f32s(rows * most * inner)?;
    card.launch(
        &format!("expert_up_{}", one.gate.suffix()),
        [inner.div_ceil(32), rows * most, 1],
        arguments![gates, ups, experts, &h.f32, &inside, most, inner, x.width],
    )?;
    let y = card.f32s(rows * x.width)?;
    card.launch(
        &format!("expert_down_{}", one.down.suffix()),
        [x.width.div_ceil(32), rows, 1],
        arguments![downs, experts, factors, &inside, &y, most, x.width, inner],
    )?;
    Ok(y)
}
