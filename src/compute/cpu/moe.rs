//! Mixture of experts: tokens are gathered by expert, so that each expert's weights are read once a tile.
//!
//! Two steps: every expert's inner activations, a task for 32 of them; then every task makes 32 channels of the result for all
//! tokens, expert by expert, so that no two threads write the same and the order of the sums is always the same.

use super::disjoint::Disjoint;
use super::elementwise::{SiluMul, SoftmaxRow};
use super::project::{Activation, Projection};
use super::quantised::Quantise;
use super::weight::{ROWS, Weight};
use super::workspace::{Activations, Threads, Workspace, all};
use super::{Cpu, Rows};
use crate::compute::{Block, Interrupt, Interrupted};
use crate::model::{Moe, MoeWeights};

/// Tokens by expert.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    /// `[tokens, experts]`
    probabilities: Vec<f32>,
    /// Experts of each token and their weights, `[tokens, top_k]`.
    chosen: Vec<(u32, f32)>,
    order: Vec<u32>,
    /// Slots of expert `e` are `first[e]..first[e + 1]`.
    first: Vec<usize>,
    /// Token and weight of each slot.
    tokens: Vec<u32>,
    weights: Vec<f32>,
    /// Experts that have tokens.
    active: Vec<usize>,
    /// What goes into the down projection, `[slots, width]`.
    inner: Activations,
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
            buffers.chosen.resize(tokens, (0, 1.0));
        }
        buffers.group(spec);
        self.inner(threads, spec, weights, normed, buffers, interrupt)?;

        let r = if block.residual.from_normed {
            &normed.rows
        } else {
            &x.data
        };
        let (alpha, beta) = (block.residual.alpha as f32, block.residual.beta as f32);
        workspace.result.resize(tokens * hidden, 0.0);
        let out = Disjoint::new(&mut workspace.result);
        let down = &one.down;
        let every = all(&mut workspace.all, buffers.tokens.len());
        let work = down.rows() * down.columns() * buffers.tokens.len();
        let buffers = &*buffers;
        self.step(threads, down.tasks(), work, interrupt, |task, thread| {
            let width = down.width(task);
            for token in 0..tokens {
                let at = token * hidden + task * ROWS;
                // SAFETY: these columns belong to this task.
                #[allow(unsafe_code)]
                let out = unsafe { out.part(at, width) };
                for (out, r) in out.iter_mut().zip(&r[at..]) {
                    *out = alpha * r;
                }
            }
            for &expert in &buffers.active {
                if interrupt.is_raised() {
                    return;
                }
                let slots = buffers.first[expert]..buffers.first[expert + 1];
                let part = &mut thread.part;
                part.resize(slots.len() * ROWS, 0.0);
                let input = buffers.inner.input();
                let down = &weights.experts[expert].down;
                down.multiply(self.isa, input, &every[slots.clone()], task, &mut thread.weight, part);
                for (slot, part) in slots.zip(part.chunks_exact(ROWS)) {
                    let weight = beta * buffers.weights[slot];
                    // SAFETY: as above.
                    #[allow(unsafe_code)]
                    let out = unsafe { out.part(buffers.tokens[slot] as usize * hidden + task * ROWS, width) };
                    for (out, f) in out.iter_mut().zip(part) {
                        *out += weight * f;
                    }
                }
            }
        })?;
        std::mem::swap(&mut x.data, &mut workspace.result);
        Ok(())
    }

    /// `SiLU(W_gate·h) ⊙ (W_up·h)` for every token of every expert.
    fn inner(
        &self,
        threads: &Threads,
        spec: &Moe,
        weights: &MoeWeights<Weight>,
        normed: &Activations,
        buffers: &mut Buffers,
        interrupt: &Interrupt,
    ) -> Result<(), Interrupted> {
        let slots = buffers.tokens.len();
        let one = &weights.experts[0];
        let quantise = buffers.inner.resize(slots, spec.width, &[&one.down]);
        let rows = Disjoint::new(&mut buffers.inner.rows);
        let blocks = buffers.inner.quantised.writer();
        let (active, first, tokens) = (&buffers.active, &buffers.first, &buffers.tokens);
        let tasks = one.gate.tasks();
        let work = 2 * spec.width * one.gate.columns() * slots;
        self.step(threads, active.len() * tasks, work, interrupt, |i, thread| {
            let (expert, task) = (active[i / tasks], i % tasks);
            let slots = first[expert]..first[expert + 1];
            let tokens = &tokens[slots.clone()];
            let (gate, up) = (&mut thread.part, &mut thread.other);
            gate.resize(tokens.len() * ROWS, 0.0);
            up.resize(tokens.len() * ROWS, 0.0);
            let expert = &weights.experts[expert];
            expert
                .gate
                .multiply(self.isa, normed.input(), tokens, task, &mut thread.weight, gate);
            expert
                .up
                .multiply(self.isa, normed.input(), tokens, task, &mut thread.weight, up);
            self.isa.run(SiluMul(gate, up));
            let width = expert.gate.width(task);
            for (slot, part) in slots.zip(gate.chunks_exact_mut(ROWS)) {
                if quantise {
                    // SAFETY: these channels of the slot belong to this task; 8-bit activations come in whole blocks of 32.
                    #[allow(unsafe_code)]
                    let to = unsafe { blocks.blocks(slot, task, 1) };
                    self.isa.run(Quantise {
                        x: part,
                        to,
                        remainder: false,
                    });
                } else {
                    // SAFETY: as above.
                    #[allow(unsafe_code)]
                    let row = unsafe { rows.part(slot * spec.width + task * ROWS, width) };
                    row.copy_from_slice(&part[..width]);
                }
            }
        })
    }

    /// Logits to the experts of each token and their weights.
    fn choose(&self, spec: &Moe, buffers: &mut Buffers) {
        buffers.chosen.clear();
        let order = &mut buffers.order;
        for p in buffers.probabilities.chunks_exact_mut(spec.experts) {
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
            buffers.chosen.extend(order.iter().map(|e| (*e, p[*e as usize] / kept)));
        }
    }
}

impl Buffers {
    /// Chosen experts to slots by expert, in the order of the tokens.
    fn group(&mut self, spec: &Moe) {
        let slots = self.chosen.len();
        self.first.clear();
        self.first.resize(spec.experts + 1, 0);
        for (expert, _) in &self.chosen {
            self.first[*expert as usize + 1] += 1;
        }
        self.active.clear();
        self.active.extend((0..spec.experts).filter(|e| self.first[e + 1] > 0));
        for e in 0..spec.experts {
            self.first[e + 1] += self.first[e];
        }
        self.tokens.resize(slots, 0);
        self.weights.resize(slots, 0.0);
        // `first[e]` moves to the end of expert e as its slots are filled, which is where `e + 1` began.
        for (i, (expert, weight)) in self.chosen.iter().enumerate() {
            let slot = &mut self.first[*expert as usize];
            self.tokens[*slot] = (i / spec.top_k) as u32;
            self.weights[*slot] = *weight;
            *slot += 1;
        }
        self.first.rotate_right(1);
        self.first[0] = 0;
    }
}
