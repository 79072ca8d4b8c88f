//! A mixture-of-experts block.

use std::ops::Range;
use std::sync::MutexGuard;

use super::beside::{self, Processor};
use super::driver::{Address, Argument, Driver};
use super::experts::{Addresses, Experts};
use super::memory::{Buffer, Card, THREADS, arguments, bytes_of};
use super::products::{FEW, GEMM_SHARED, GEMM_TILE};
use super::rows::{Mix, Normed, Rows};
use super::weight::Weight;
use super::{Workspace, ensure};
use crate::compute::cpu::Cpu;
use crate::compute::{Backend, ComputeError, Interrupt};
use crate::model::{ExpertWeights, Moe, MoeWeights};

/// Slots that a warp of the sort has.
const SPAN: usize = 512;
/// The most experts that kernels take, and the most that a token goes to.
const EXPERTS: usize = 512;
const CHOICES: usize = 32;

/// Where the experts of a layer lie: gates, ups and downs, each a list on the card.
struct Tables<D: Driver> {
    arguments: [Argument; 3],
    /// What they lie in, if that is of this tile only.
    _held: Option<Buffer<D>>,
}

impl<D: Driver> Tables<D> {
    /// All of them, where they always are.
    fn constant(
        card: &Card<D>,
        workspace: &mut Workspace<D>,
        weights: &MoeWeights<Weight<D>>,
        rows: usize,
    ) -> Result<Self, ComputeError> {
        let mut table = |of: fn(&ExpertWeights<Weight<D>>) -> &Weight<D>| {
            let addresses: Vec<Address> = weights.experts.iter().map(|e| of(e).buffer().address()).collect();
            workspace.constant(card, rows, bytes_of(&addresses, u64::to_le_bytes))
        };
        Ok(Self {
            arguments: [table(|e| &e.gate)?, table(|e| &e.up)?, table(|e| &e.down)?],
            _held: None,
        })
    }

    /// All of them, brought to the card if they are not there.
    fn of_those_there(
        card: &Card<D>,
        experts: &mut Experts<D>,
        layer: Range<usize>,
        rows: usize,
        interrupt: &Interrupt,
    ) -> Result<Self, ComputeError> {
        let list = layer.len() * size_of::<Address>();
        let Addresses(parts) = experts.all(card, layer, interrupt)?;
        let held = card.upload_for(rows, &bytes_of(&parts.concat(), u64::to_le_bytes))?;
        Ok(Self {
            arguments: [0, 1, 2].map(|part| Argument::from(held.at(part * list))),
            _held: Some(held),
        })
    }
}

/// What each token's experts are, and with what factors.
pub(super) struct Chosen<D: Driver> {
    /// i32 `[rows, top_k]`
    pub experts: Buffer<D>,
    /// f32 `[rows, top_k]`
    pub factors: Buffer<D>,
}

/// What comes out, and how a token's part of it is found.
pub(super) struct Added<D: Driver> {
    pub outputs: Buffer<D>,
    /// None if it is the token's own row.
    pub mix: Option<Mix<D>>,
    /// What is added to each row.
    pub shared: Option<Buffer<D>>,
}

impl<D: Driver> Added<D> {
    /// Row by row.
    pub fn whole(outputs: Buffer<D>) -> Self {
        Self {
            outputs,
            mix: None,
            shared: None,
        }
    }
}

pub(super) fn check<D: Driver>(spec: &Moe, weights: &MoeWeights<Weight<D>>) -> Result<(), ComputeError> {
    let (experts, top_k) = (spec.experts, spec.top_k);
    ensure(
        (1..=experts.min(CHOICES)).contains(&top_k) && experts <= EXPERTS,
        || format!("{top_k} of {experts} experts cannot be chosen on a graphics card"),
    )?;
    ensure(weights.experts.len() == experts, || {
        format!("{} experts have weights, not {experts}", weights.experts.len())
    })?;
    ensure(weights.router.is_some() || experts == 1, || {
        format!("{experts} experts without a router")
    })?;
    let [first, ..] = &weights.experts[..] else {
        return Ok(());
    };
    let same = weights.experts.iter().all(|expert| {
        expert.gate.dtype == first.gate.dtype
            && expert.up.dtype == first.gate.dtype
            && expert.down.dtype == first.down.dtype
    });
    ensure(same, || {
        "the experts of a layer have different types; on a graphics card they have one".to_owned()
    })
}

pub(super) fn forward<D: Driver>(
    card: &Card<D>,
    workspace: &mut Workspace<D>,
    spec: &Moe,
    weights: &MoeWeights<Weight<D>>,
    (x, h): (&Rows<D>, &Normed<D>),
    elsewhere: Option<(MutexGuard<'_, Experts<D>>, &Cpu)>,
    interrupt: &Interrupt,
) -> Result<Added<D>, ComputeError> {
    let chosen = choose(card, spec, weights.router.as_ref(), x.count, h)?;
    let first = &weights.experts[0];
    let tables = match (elsewhere, first.gate.number()) {
        (Some((mut experts, cpu)), Some((_, part))) => {
            let number = Experts::<D>::of_part(part);
            let layer = number..number + spec.experts;
            // So few that most meet an expert alone.
            let are_few = x.count <= FEW || x.count * spec.top_k < spec.experts;
            if are_few && !experts.are_coming(&layer) {
                let workspace = match &mut workspace.processor {
                    Some(workspace) => workspace,
                    none => none.insert(cpu.workspace()?),
                };
                let processor = Processor { cpu, workspace };
                let experts = (&mut *experts, layer);
                return beside::forward(card, processor, spec, first, (x, h), experts, &chosen, interrupt);
            }
            Tables::of_those_there(card, &mut experts, layer, x.count, interrupt)?
        }
        _ => Tables::constant(card, workspace, weights, x.count)?,
    };
    let [gates, ups, downs] = tables.arguments;
    let (up, down) = (first.gate.suffix(), first.down.suffix());
    let (rows, top_k, inner) = (x.count, spec.top_k, spec.width);
    let slots = rows * top_k;

    let Some(bf16) = &h.bf16 else {
        let inside = card.f32s(slots * inner)?;
        card.launch(
            &format!("expert_up_{up}"),
            [inner.div_ceil(32), slots, 1],
            arguments![gates, ups, &chosen.experts, &h.f32, &inside, top_k, inner, x.width],
        )?;
        let y = card.f32s(rows * x.width)?;
        card.launch(
            &format!("expert_down_{down}"),
            [x.width.div_ceil(32), rows, 1],
            arguments![
                downs,
                &chosen.experts,
                &chosen.factors,
                &inside,
                &y,
                top_k,
                x.width,
                inner
            ],
        )?;
        return Ok(Added::whole(y));
    };

    let sorted = sort(card, &chosen.experts, slots, spec)?;
    let inside = card.bf16s(slots * inner)?;
    card.launch_with(
        &format!("experts_up_{up}"),
        [sorted.count, inner.div_ceil(GEMM_TILE / 2), 1],
        THREADS,
        GEMM_SHARED,
        arguments![
            gates,
            ups,
            bf16,
            &sorted.row_tokens,
            &inside,
            &sorted.tile_expert,
            &sorted.tile_first,
            &sorted.offsets,
            inner,
            x.width
        ],
    )?;
    let outputs = card.f32s(slots * x.width)?;
    card.launch_with(
        &format!("experts_down_{down}"),
        [sorted.count, x.width.div_ceil(GEMM_TILE), 1],
        THREADS,
        GEMM_SHARED,
        arguments![
            downs,
            &inside,
            &outputs,
            &sorted.tile_expert,
            &sorted.tile_first,
            &sorted.offsets,
            x.width,
            inner
        ],
    )?;
    let mix = Mix {
        places: sorted.places,
        factors: chosen.factors,
        slots: top_k,
    };
    Ok(Added {
        mix: Some(mix),
        ..Added::whole(outputs)
    })
}

fn choose<D: Driver>(
    card: &Card<D>,
    spec: &Moe,
    router: Option<&Weight<D>>,
    rows: usize,
    h: &Normed<D>,
) -> Result<Chosen<D>, ComputeError> {
    let (experts, top_k) = (spec.experts, spec.top_k);
    let Some(router) = router else {
        return Ok(Chosen {
            experts: card.zeros(rows * size_of::<i32>())?,
            factors: card.upload_for(rows, &bytes_of(&vec![1.0; rows], f32::to_le_bytes))?,
        });
    };
    let logits = if h.bf16.is_none() {
        card.gemv(router, h.f32.address(), rows)?
    } else {
        let logits = card.f32s(rows * experts)?;
        let tile = if experts <= 32 { 32 } else { 256 };
        card.launch(
            &format!("router_logits_{tile}"),
            [rows.div_ceil(32), experts.div_ceil(tile), 1],
            arguments![&h.f32, router.buffer(), &logits, rows, experts, router.columns],
        )?;
        logits
    };
    let chosen = Chosen {
        experts: card.i32s(rows * top_k)?,
        factors: card.f32s(rows * top_k)?,
    };
    card.launch(
        "route",
        [rows.div_ceil(8), 1, 1],
        arguments![
            &logits,
            Argument::NULL,
            &chosen.experts,
            &chosen.factors,
            rows,
            experts,
            top_k,
            false,
            1_usize,
            1_usize,
            true,
            1.0
        ],
    )?;
    Ok(chosen)
}

/// Slots sorted by expert, and the tiles of the grouped products.
struct Sorted<D: Driver> {
    places: Buffer<D>,
    row_tokens: Buffer<D>,
    offsets: Buffer<D>,
    tile_expert: Buffer<D>,
    tile_first: Buffer<D>,
    /// Tiles at most.
    count: usize,
}

fn sort<D: Driver>(card: &Card<D>, chosen: &Buffer<D>, slots: usize, spec: &Moe) -> Result<Sorted<D>, ComputeError> {
    let experts = spec.experts;
    let spans = slots.div_ceil(SPAN);
    let counts = card.i32s(spans * experts)?;
    let count = slots / GEMM_TILE + experts.min(slots);
    let sorted = Sorted {
        places: card.i32s(slots)?,
        row_tokens: card.i32s(slots)?,
        offsets: card.i32s(experts + 1)?,
        tile_expert: card.i32s(count)?,
        tile_first: card.i32s(count)?,
        count,
    };
    let grid = [spans.div_ceil(8), 1, 1];
    card.launch("count_slots", grid, arguments![chosen, &counts, slots, experts])?;
    card.launch_with(
        "scan_slots",
        [1, 1, 1],
        512,
        0,
        arguments![
            &counts,
            &sorted.offsets,
            &sorted.tile_expert,
            &sorted.tile_first,
            count,
            spans,
            experts
        ],
    )?;
    card.launch(
        "place_slots",
        grid,
        arguments![
            chosen,
            &counts,
            &sorted.places,
            &sorted.row_tokens,
            slots,
            experts,
            spec.top_k
        ],
    )?;
    Ok(sorted)
}
