//! Mixture of experts: tokens are gathered by expert, so that each expert's weights are read once a tile.
//!
//! Two steps: every expert's inner activations, a task for 32 of them; then every task makes 32 channels of the result for all
//! tokens, expert by expert, so that no two threads write the same and the order of the sums is always the same. A single token's
//! tasks are done in runs: they are so short that what surrounds a product would take as long as a tenth of it.

use super::disjoint::Disjoint;
use super::elementwise::{SiluMul, SoftmaxRow};
use super::project::{Activation, Projection};
use super::quantised::Quantise;
use super::weight::{Input, ROWS, Weight};
use super::workspace::{Activations, Threads, Workspace, all};
use super::{Cpu, Rows};
use crate::compute::{Block, Interrupt, Interrupted};
use crate::model::{ExpertWeights, Moe, MoeWeights};

/// A token that goes to an expert, and the factor of what comes back.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::compute) struct Slot {
    pub token: u32,
    pub expert: u32,
    pub factor: f32,
}

/// Tokens by expert.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    /// `[tokens, experts]`
    probabilities: Vec<f32>,
    /// Experts of each token, `[tokens, top_k]`.
    chosen: Vec<Slot>,
    order: Vec<u32>,
    /// Slots of expert `e` are `first[e]..first[e + 1]`.
    first: Vec<usize>,
    /// Token and factor of each slot.
    tokens: Vec<u32>,
    factors: Vec<f32>,
    /// Experts that have tokens.
    active: Vec<usize>,
    /// What goes into the down projection, `[slots, width]`.
    inner: Activations,
    /// What rounding has left of it comes after it.
    inner_has_rest: bool,
}

impl Cpu {
    pub(super) fn moe_block(
        &self,
        workspace: &mut Workspace,
        block: Block<'_, Weight>,
        spec: &Moe,
        weights: &MoeWeights<Weight>,
        x: &mut Rows,
        interrupt: &Interrupt,
    ) -> Result<(), Interrupted> {
        let (tokens, hidden) = (x.tokens(), x.width);
        if tokens == 0 {
            return Ok(());
        }
        let threads = &workspace.threads;
        let normed = &mut workspace.normed;
        let buffers = &mut workspace.moe;
        let one = &weights.experts[0];
        self.normalise(
            threads,
            &x.data,
            (block.norm, block.eps),
            &[&one.gate, &one.up],
            normed,
            interrupt,
        )?;
        if let Some(router) = &weights.router {
            buffers.probabilities.resize(tokens * spec.experts, 0.0);
            let logits = Projection {
                weight: router,
                input: normed.input(),
                tokens: all(&mut workspace.all, tokens),
                activation: Activation::None,
                out: &mut buffers.probabilities,
            };
            self.project(threads, [logits], interrupt)?;
            self.choose(spec, buffers);
        } else {
            buffers.chosen.clear();
            buffers.chosen.extend((0..tokens as u32).map(|token| Slot {
                token,
                expert: 0,
                factor: 1.0,
            }));
        }
        buffers.group(spec.experts);
        self.inner(threads, &weights.experts, (normed.input(), false), buffers, interrupt)?;

        let r = if block.residual.from_normed {
            &normed.rows
        } else {
            &x.data
        };
        let (alpha, beta) = (block.residual.alpha as f32, block.residual.beta as f32);
        workspace.result.resize(tokens * hidden, 0.0);
        let every = all(&mut workspace.all, buffers.tokens.len());
        let out = &mut workspace.result;
        self.outer(
            threads,
            &weights.experts,
            buffers,
            every,
            (Some((alpha, r)), beta),
            out,
            interrupt,
        )?;
        std::mem::swap(&mut x.data, &mut workspace.result);
        Ok(())
    }

    /// `Σ factor·expert(h)` over `slots`, for every row of `h` `[rows, hidden]`: what somebody adds who has computed the other experts.
    /// With quantised weights it is as exact as with others: activations are rounded twice, as before the head.
    pub(in crate::compute) fn some_experts<'a>(
        &self,
        workspace: &'a mut Workspace,
        experts: &[ExpertWeights<Weight>],
        h: &[f32],
        slots: &[Slot],
        interrupt: &Interrupt,
    ) -> Result<&'a [f32], Interrupted> {
        let Workspace {
            normed,
            result,
            all: every,
            moe: buffers,
            threads,
            ..
        } = workspace;
        let one = &experts[0];
        let hidden = one.gate.columns();
        let rows = h.len() / hidden;
        normed.rows.clear();
        normed.rows.extend_from_slice(h);
        let remainder = [&one.gate, &one.up]
            .iter()
            .any(|weight| weight.is_quantised())
            .then_some(rows as u32);
        if remainder.is_some() {
            normed.quantise_with_rest(self.isa, hidden, result);
        }
        buffers.chosen.clear();
        buffers.chosen.extend_from_slice(slots);
        buffers.group(experts.len());
        let input = Input {
            remainder,
            ..normed.input()
        };
        self.inner(threads, experts, (input, true), buffers, interrupt)?;
        result.resize(h.len(), 0.0);
        let every = all(every, slots.len());
        self.outer(threads, experts, buffers, every, (None, 1.0), result, interrupt)?;
        Ok(result)
    }

    /// `alpha·r + beta·Σ factor·W_down·inner` over each token's slots.
    fn outer(
        &self,
        threads: &Threads,
        experts: &[ExpertWeights<Weight>],
        buffers: &Buffers,
        every: &[u32],
        (residual, beta): (Option<(f32, &[f32])>, f32),
        out: &mut [f32],
        interrupt: &Interrupt,
    ) -> Result<(), Interrupted> {
        let down = &experts[0].down;
        let hidden = down.rows();
        let tokens = out.len() / hidden;
        let work = hidden * down.columns() * buffers.tokens.len();
        let out = Disjoint::new(out);
        let input = Input {
            remainder: buffers.inner_has_rest.then_some(buffers.tokens.len() as u32),
            ..buffers.inner.input()
        };
        if tokens == 1 && down.is_packed() {
            return self.step_by_runs(threads, down.tasks(), work, interrupt, |run, thread| {
                let rows = down.made_by(&run);
                // SAFETY: these rows belong to these tasks.
                #[allow(unsafe_code)]
                let out = unsafe { out.part(rows.start, rows.len()) };
                match residual {
                    Some((alpha, r)) => out.iter_mut().zip(&r[rows]).for_each(|(out, r)| *out = alpha * r),
                    None => out.fill(0.0),
                }
                let part = &mut thread.part;
                part.resize(out.len(), 0.0);
                // Each expert that is active has one slot.
                for (slot, expert) in (0..).zip(&buffers.active) {
                    let down = &experts[*expert].down;
                    down.multiply_one(self.isa, input, slot, run.clone(), part);
                    let weight = beta * buffers.factors[slot as usize];
                    for (out, f) in out.iter_mut().zip(&*part) {
                        *out += weight * f;
                    }
                }
            });
        }
        self.step(threads, down.tasks(), work, interrupt, |task, thread| {
            let width = down.width(task);
            for token in 0..tokens {
                let at = token * hidden + task * ROWS;
                // SAFETY: these columns belong to this task.
                #[allow(unsafe_code)]
                let out = unsafe { out.part(at, width) };
                match residual {
                    Some((alpha, r)) => out.iter_mut().zip(&r[at..]).for_each(|(out, r)| *out = alpha * r),
                    None => out.fill(0.0),
                }
            }
            for &expert in &buffers.active {
                if interrupt.is_raised() {
                    return;
                }
                let slots = buffers.first[expert]..buffers.first[expert + 1];
                let part = &mut thread.part;
                part.resize(slots.len() * ROWS, 0.0);
                let down = &experts[expert].down;
                down.multiply(self.isa, input, &every[slots.clone()], task, &mut thread.weight, part);
                for (slot, part) in slots.zip(part.chunks_exact(ROWS)) {
                    let weight = beta * buffers.factors[slot];
                    // SAFETY: as above.
                    #[allow(unsafe_code)]
                    let out = unsafe { out.part(buffers.tokens[slot] as usize * hidden + task * ROWS, width) };
                    for (out, f) in out.iter_mut().zip(part) {
                        *out += weight * f;
                    }
                }
            }
        })
    }

    /// `SiLU(W_gate·h) ⊙ (W_up·h)` for every token of every expert.
    /// If that is to be `exact`, what is rounded for the down projection is rounded twice.
    fn inner(
        &self,
        threads: &Threads,
        experts: &[ExpertWeights<Weight>],
        (input, exact): (Input<'_>, bool),
        buffers: &mut Buffers,
        interrupt: &Interrupt,
    ) -> Result<(), Interrupted> {
        let slots = buffers.tokens.len();
        let one = &experts[0];
        let inner = one.gate.rows();
        buffers.inner_has_rest = exact && one.down.is_quantised();
        let rounded = if buffers.inner_has_rest { 2 * slots } else { slots };
        let quantise = buffers.inner.resize(rounded, inner, &[&one.down]);
        let rows = Disjoint::new(&mut buffers.inner.rows);
        let blocks = buffers.inner.quantised.writer();
        let (active, first, tokens) = (&buffers.active, &buffers.first, &buffers.tokens);
        let rest = buffers.inner_has_rest;
        let tasks = one.gate.tasks();
        let work = 2 * inner * one.gate.columns() * slots;
        let single = slots == active.len() && tokens.iter().all(|token| *token == 0);
        if single && quantise && !rest && one.gate.is_packed() {
            // A slot is an active expert then.
            return self.step_by_runs(threads, slots * tasks, work, interrupt, |run, thread| {
                for slot in run.start / tasks..run.end.div_ceil(tasks) {
                    let first = slot * tasks;
                    let these = run.start.max(first) - first..run.end.min(first + tasks) - first;
                    let expert = &experts[active[slot]];
                    let (gate, up) = (&mut thread.part, &mut thread.other);
                    let count = one.gate.made_by(&these).len();
                    gate.resize(count, 0.0);
                    up.resize(count, 0.0);
                    expert.gate.multiply_one(self.isa, input, 0, these.clone(), gate);
                    expert.up.multiply_one(self.isa, input, 0, these.clone(), up);
                    self.isa.run(SiluMul(gate, up));
                    // SAFETY: these channels of the slot belong to these tasks; 8-bit activations come in whole blocks of 32.
                    #[allow(unsafe_code)]
                    let to = unsafe { blocks.blocks(slot, these.start, these.len()) };
                    Quantise {
                        x: gate,
                        to,
                        remainder: false,
                    }
                    .run_on(self.isa);
                }
            });
        }
        self.step(threads, active.len() * tasks, work, interrupt, |i, thread| {
            let (expert, task) = (active[i / tasks], i % tasks);
            let of_expert = first[expert]..first[expert + 1];
            let tokens = &tokens[of_expert.clone()];
            let (gate, up) = (&mut thread.part, &mut thread.other);
            gate.resize(tokens.len() * ROWS, 0.0);
            up.resize(tokens.len() * ROWS, 0.0);
            let expert = &experts[expert];
            expert
                .gate
                .multiply(self.isa, input, tokens, task, &mut thread.weight, gate);
            expert
                .up
                .multiply(self.isa, input, tokens, task, &mut thread.weight, up);
            self.isa.run(SiluMul(gate, up));
            let width = expert.gate.width(task);
            for (slot, part) in of_expert.zip(gate.chunks_exact_mut(ROWS)) {
                if !quantise {
                    // SAFETY: these channels of the slot belong to this task.
                    #[allow(unsafe_code)]
                    let row = unsafe { rows.part(slot * inner + task * ROWS, width) };
                    row.copy_from_slice(&part[..width]);
                    continue;
                }
                for (slot, remainder) in [(slot, rest), (slot + slots, false)]
                    .into_iter()
                    .take(1 + usize::from(rest))
                {
                    // SAFETY: as above, and of what is left of it; 8-bit activations come in whole blocks of 32.
                    #[allow(unsafe_code)]
                    let to = unsafe { blocks.blocks(slot, task, 1) };
                    Quantise { x: part, to, remainder }.run_on(self.isa);
                }
            }
        })
    }

    /// Logits to the experts of each token and their weights.
    fn choose(&self, spec: &Moe, buffers: &mut Buffers) {
        buffers.chosen.clear();
        let order = &mut buffers.order;
        for (token, p) in (0..).zip(buffers.probabilities.chunks_exact_mut(spec.experts)) {
            self.isa.run(SoftmaxRow(p));
            order.clear();
            order.extend(0..spec.experts as u32);
            // Ties go to the lower index: indices are compared where probabilities are equal.
            let larger = |a: &u32, b: &u32| p[*b as usize].total_cmp(&p[*a as usize]).then(a.cmp(b));
            if spec.top_k < spec.experts {
                order.select_nth_unstable_by(spec.top_k - 1, larger);
            }
            let order = &mut order[..spec.top_k];
            order.sort_unstable_by(larger);
            let kept: f32 = order.iter().map(|e| p[*e as usize]).sum();
            buffers.chosen.extend(order.iter().map(|expert| Slot {
                token,
                expert: *expert,
                factor: p[*expert as usize] / kept,
            }));
        }
    }
}

impl Buffers {
    /// Chosen experts to slots by expert, in the order of the tokens.
    fn group(&mut self, experts: usize) {
        let slots = self.chosen.len();
        self.first.clear();
        self.first.resize(experts + 1, 0);
        for slot in &self.chosen {
            self.first[slot.expert as usize + 1] += 1;
        }
        self.active.clear();
        self.active.extend((0..experts).filter(|e| self.first[e + 1] > 0));
        for e in 0..experts {
            self.first[e + 1] += self.first[e];
        }
        self.tokens.resize(slots, 0);
        self.factors.resize(slots, 0.0);
        // `first[e]` moves to the end of expert e as its slots are filled, which is where `e + 1` began.
        for slot in &self.chosen {
            let at = &mut self.first[slot.expert as usize];
            self.tokens[*at] = slot.token;
            self.factors[*at] = slot.factor;
            *at += 1;
        }
        self.first.rotate_right(1);
        self.first[0] = 0;
    }
}
