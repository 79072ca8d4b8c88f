//! Mixture of experts: tokens are gathered by expert, so that each expert's weights are read once a tile.

use super::elementwise::{SiluMul, SoftmaxRow};
use super::{Cpu, Rows};
use crate::compute::{Interrupt, Interrupted};
use crate::model::{Moe, MoeWeights, TensorView};

impl Cpu {
    pub(super) fn moe_block(
        &self,
        spec: &Moe,
        weights: &MoeWeights<TensorView>,
        h: &Rows,
        interrupt: &Interrupt,
    ) -> Result<Rows, Interrupted> {
        let mut y = vec![0.0; h.data.len()];
        let assignments = self.route(spec, &weights.router, h, interrupt)?;
        for (expert, tokens) in weights.experts.iter().zip(&assignments) {
            if tokens.is_empty() {
                continue;
            }
            let gathered: Vec<f32> = tokens.iter().flat_map(|(t, _)| h.row(*t)).copied().collect();
            let mut inner = self.matmul(&gathered, &expert.gate, interrupt)?;
            let up = self.matmul(&gathered, &expert.up, interrupt)?;
            self.isa.run(SiluMul(&mut inner, &up));
            let out = self.matmul(&inner, &expert.down, interrupt)?;
            for ((token, weight), out) in tokens.iter().zip(out.chunks_exact(h.width)) {
                for (y, o) in y[token * h.width..][..h.width].iter_mut().zip(out) {
                    *y += weight * o;
                }
            }
        }
        Ok(Rows {
            data: y,
            width: h.width,
        })
    }

    /// For each expert, the tokens that chose it and their weights.
    fn route(
        &self,
        spec: &Moe,
        router: &TensorView,
        h: &Rows,
        interrupt: &Interrupt,
    ) -> Result<Vec<Vec<(usize, f32)>>, Interrupted> {
        let mut logits = self.matmul(&h.data, router, interrupt)?;
        let mut assignments = vec![Vec::new(); spec.experts];
        let mut order: Vec<usize> = Vec::with_capacity(spec.experts);
        for (token, p) in logits.chunks_exact_mut(spec.experts).enumerate() {
            self.isa.run(SoftmaxRow(p));
            order.clear();
            order.extend(0..spec.experts);
            // Ties go to the lower index: the sort is stable.
            order.sort_by(|a, b| p[*b].total_cmp(&p[*a]));
            let kept: f32 = order[..spec.top_k].iter().map(|e| p[*e]).sum();
            for &expert in &order[..spec.top_k] {
                assignments[expert].push((token, p[expert] / kept));
            }
        }
        Ok(assignments)
    }
}
