//! Choosing the next token.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::{Allowed, Sampling};

/// Chooses ids; the same seed and logits give the same ids on every machine.
#[derive(Debug)]
pub struct Sampler {
    sampling: Sampling,
    random: ChaCha8Rng,
    /// Ids that are never chosen, ascending.
    unused: Vec<u32>,
    candidates: Vec<Candidate>,
}

#[derive(Debug, Clone, Copy)]
struct Candidate {
    id: u32,
    /// A logit, then a weight relative to the most probable candidate.
    weight: f32,
}

/// A chosen id and what the model thought of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Choice {
    pub id: u32,
    /// ln p of the id under the full softmax, before any filter.
    pub log_probability: f64,
    /// Entropy of the full softmax, nats.
    pub entropy: f64,
}

/// The logits hold no number to choose by: the weights are corrupt or overflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the model's output is not a number; its weights are corrupt or not of the type they claim")]
pub struct NotANumber;

impl Sampler {
    /// `unused`: ids that are never chosen.
    #[must_use]
    pub fn new(sampling: Sampling, mut unused: Vec<u32>) -> Self {
        unused.sort_unstable();
        Self {
            sampling,
            random: ChaCha8Rng::seed_from_u64(sampling.seed),
            unused,
            candidates: Vec::new(),
        }
    }

    /// Chooses from `logits`, `[vocab]`, among the ids that are allowed.
    pub fn choose(&mut self, logits: &[f32], allowed: Allowed<'_>) -> Result<Choice, NotANumber> {
        let mut candidates = std::mem::take(&mut self.candidates);
        candidates.clear();
        let candidate = |id: u32| {
            let weight = *logits.get(id as usize)?;
            let used = self.unused.binary_search(&id).is_err();
            (used && weight.is_finite()).then_some(Candidate { id, weight })
        };
        match allowed {
            Allowed::Any => candidates.extend((0..logits.len() as u32).filter_map(candidate)),
            Allowed::Only(ids) => candidates.extend(ids.iter().copied().filter_map(candidate)),
        }
        let chosen = if candidates.is_empty() {
            None
        } else if self.sampling.temperature > 0.0 {
            self.sample(&mut candidates)
        } else {
            greedy(&candidates)
        };
        self.candidates = candidates;
        describe(logits, chosen.ok_or(NotANumber)?)
    }

    fn sample(&mut self, candidates: &mut Vec<Candidate>) -> Option<u32> {
        let Sampling {
            temperature,
            top_k,
            top_p,
            min_p,
            ..
        } = self.sampling;
        let descending = |a: &Candidate, b: &Candidate| b.weight.total_cmp(&a.weight).then(a.id.cmp(&b.id));
        if top_k > 0 && top_k < candidates.len() {
            candidates.select_nth_unstable_by(top_k - 1, descending);
            candidates.truncate(top_k);
        }
        let max = candidates.iter().map(|c| c.weight).fold(f32::NEG_INFINITY, f32::max);
        for c in candidates.iter_mut() {
            c.weight = ((c.weight - max) / temperature).exp();
        }
        if top_p < 1.0 {
            candidates.sort_unstable_by(descending);
            let total: f64 = candidates.iter().map(|c| f64::from(c.weight)).sum();
            let mut mass = 0.0;
            let kept = candidates.iter().position(|c| {
                mass += f64::from(c.weight);
                mass >= f64::from(top_p) * total
            });
            candidates.truncate(kept.map_or(candidates.len(), |at| at + 1));
        }
        if min_p > 0.0 {
            // The most probable weighs 1, so this always keeps it.
            candidates.retain(|c| c.weight >= min_p.min(1.0));
        }
        let total: f64 = candidates.iter().map(|c| f64::from(c.weight)).sum();
        // 53 random bits: uniform on [0, 1)
        let uniform = (self.random.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
        let mut left = uniform * total;
        let chosen = candidates.iter().find(|c| {
            left -= f64::from(c.weight);
            left < 0.0
        });
        chosen.or(candidates.last()).map(|c| c.id)
    }
}

/// The most probable; the first of equals.
fn greedy(candidates: &[Candidate]) -> Option<u32> {
    let better = |best: Candidate, c: &Candidate| if c.weight > best.weight { *c } else { best };
    let (first, rest) = candidates.split_first()?;
    Some(rest.iter().fold(*first, better).id)
}

/// ln p of `id`, which must be in the vocabulary, and the entropy, under the softmax of all `logits`.
pub fn describe(logits: &[f32], id: u32) -> Result<Choice, NotANumber> {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    if !max.is_finite() || logits.iter().any(|l| l.is_nan()) {
        return Err(NotANumber);
    }
    let (mut sum, mut weighted) = (0.0f64, 0.0f64);
    for logit in logits {
        let x = f64::from(logit - max);
        let e = x.exp();
        sum += e;
        if e > 0.0 {
            weighted += e * x;
        }
    }
    // p_i = e^{x_i} / Σ, so that H = ln Σ − Σ p_i·x_i.
    let log_sum = sum.ln();
    Ok(Choice {
        id,
        log_probability: f64::from(logits[id as usize] - max) - log_sum,
        entropy: (log_sum - weighted / sum).max(0.0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sampling(temperature: f32) -> Sampling {
        Sampling {
            temperature,
            ..Sampling::default()
        }
    }

    #[test]
    fn greedy_takes_the_largest_that_is_used_and_the_first_of_equals() {
        let logits = [1.0, 3.0, 3.0, 9.0];
        assert_eq!(
            Sampler::new(sampling(0.0), vec![3])
                .choose(&logits, Allowed::Any)
                .unwrap()
                .id,
            1
        );
    }

    #[test]
    fn probabilities_are_over_everything() {
        let choice = Sampler::new(sampling(0.0), vec![1])
            .choose(&[0.0, 0.0, -100.0, -100.0], Allowed::Any)
            .unwrap();
        assert!((choice.log_probability - 0.5f64.ln()).abs() < 1e-9);
        assert!((choice.entropy - 2f64.ln()).abs() < 1e-9);
    }

    #[test]
    fn not_a_number_is_an_error() {
        assert_eq!(
            Sampler::new(sampling(0.0), vec![]).choose(&[f32::NAN; 4], Allowed::Any),
            Err(NotANumber)
        );
        assert_eq!(
            Sampler::new(sampling(1.0), vec![]).choose(&[f32::NAN, 1.0], Allowed::Any),
            Err(NotANumber)
        );
    }

    #[test]
    fn sampling_follows_the_distribution() {
        let logits = [0.5f32.ln(), 0.3f32.ln(), 0.2f32.ln()];
        let mut sampler = Sampler::new(
            Sampling {
                seed: 7,
                ..sampling(1.0)
            },
            vec![],
        );
        let mut counts = [0; 3];
        for _ in 0..20_000 {
            counts[sampler.choose(&logits, Allowed::Any).unwrap().id as usize] += 1;
        }
        for (count, p) in counts.iter().zip([0.5, 0.3, 0.2]) {
            assert!((f64::from(*count) / 20_000.0 - p).abs() < 0.015, "{counts:?}");
        }
    }

    proptest! {
        #[test]
        fn filters_keep_what_they_say(
            logits in prop::collection::vec(-6.0f32..6.0, 2..40),
            top_k in 0usize..10, top_p in 0.05f32..1.0, min_p in 0.0f32..0.9, seed: u64,
        ) {
            let unused = vec![1u32];
            let s = Sampling { temperature: 0.8, top_k, top_p, min_p, seed };
            let mut weights: Vec<(u32, f64)> = logits.iter().enumerate().filter(|(i, _)| *i != 1)
                .map(|(i, l)| (i as u32, (f64::from(*l) / 0.8).exp())).collect();
            weights.sort_by(|a, b| b.1.total_cmp(&a.1));
            let k = if top_k == 0 { weights.len() } else { top_k.min(weights.len()) };
            let total: f64 = weights[..k].iter().map(|w| w.1).sum();
            let mut sampler = Sampler::new(s, unused.clone());
            let mut again = Sampler::new(s, unused);
            for _ in 0..20 {
                let id = sampler.choose(&logits, Allowed::Any).unwrap().id;
                prop_assert_eq!(id, again.choose(&logits, Allowed::Any).unwrap().id);
                prop_assert_ne!(id, 1);
                let rank = weights.iter().position(|w| w.0 == id).unwrap();
                prop_assert!(rank < k);
                let before: f64 = weights[..rank].iter().map(|w| w.1).sum();
                prop_assert!(before < f64::from(top_p) * total + 1e-6 * total);
                prop_assert!(weights[rank].1 >= weights[0].1 * f64::from(min_p) * (1.0 - 1e-5));
            }
        }
    }
}
