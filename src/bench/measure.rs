//! Timing prefill and decode of a network.

use std::time::Instant;

use super::memory;
use super::synthetic::tokens;
use crate::compute::{Backend, ComputeError, Interrupt};
use crate::engine::{Cut, Network, State};

/// Tokens that pass before anything is timed, so that weights are in memory and threads are awake.
const WARM_UP: usize = 32;

/// What is timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Case {
    /// A prompt of so many tokens from nothing, with the logits of its last one.
    Prefill { tokens: usize },
    /// So many tokens one after the other behind `depth` others, with the logits of each.
    Decode { tokens: usize, depth: usize },
}

impl Case {
    /// Tokens that are timed.
    #[must_use]
    pub fn tokens(self) -> usize {
        match self {
            Self::Prefill { tokens } | Self::Decode { tokens, .. } => tokens,
        }
    }

    /// Tokens before those.
    #[must_use]
    pub fn depth(self) -> usize {
        match self {
            Self::Prefill { .. } => 0,
            Self::Decode { depth, .. } => depth,
        }
    }
}

/// What to measure, and how often.
#[derive(Debug, Clone)]
pub struct Plan {
    pub cases: Vec<Case>,
    /// How often each case is timed.
    pub runs: usize,
    /// How a prompt is cut.
    pub cut: Cut,
}

/// The times of one case.
#[derive(Debug, Clone, PartialEq)]
pub struct Measurement {
    pub case: Case,
    /// Of each run, in order.
    pub seconds: Vec<f64>,
    /// Most bytes resident while the case ran, weights and what was before included; none if the system does not say.
    pub peak_memory: Option<u64>,
}

/// How far a measurement is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    pub case: Case,
    /// From 0; a case's depth is passed before its first run.
    pub run: usize,
    /// Tokens of this run, or of the depth before it.
    pub done: usize,
    pub total: usize,
}

/// Measures the cases of `plan` in order. Each is handed to `measured` when it is done; of one that is interrupted the runs that
/// were finished are handed over, if there are any. Tokens are random, the same each time.
///
/// # Errors
/// If `interrupt` was raised or the backend failed.
pub fn measure<B: Backend>(
    network: &Network<B>,
    plan: &Plan,
    interrupt: &Interrupt,
    progress: &mut dyn FnMut(Step),
    measured: &mut dyn FnMut(Measurement),
) -> Result<(), ComputeError> {
    let mut bench = Bench {
        network,
        cut: plan.cut,
        interrupt,
        progress,
    };
    bench.warm_up()?;
    for &case in &plan.cases {
        memory::reset_peak();
        let mut seconds = Vec::with_capacity(plan.runs);
        let done = match case {
            Case::Prefill { tokens } => bench.prefills(case, tokens, plan.runs, &mut seconds),
            Case::Decode { tokens, depth } => bench.decodes(case, tokens, depth, plan.runs, &mut seconds),
        };
        if !seconds.is_empty() {
            measured(Measurement {
                case,
                seconds,
                peak_memory: memory::peak(),
            });
        }
        done?;
    }
    Ok(())
}

struct Bench<'a, B: Backend> {
    network: &'a Network<B>,
    cut: Cut,
    interrupt: &'a Interrupt,
    progress: &'a mut dyn FnMut(Step),
}

impl<B: Backend> Bench<'_, B> {
    fn warm_up(&mut self) -> Result<(), ComputeError> {
        let mut state = State::new(self.network)?;
        self.append(&mut state, &self.ids(WARM_UP), None)?;
        self.decode(&mut state, &self.ids(2), None)
    }

    fn prefills(&mut self, case: Case, count: usize, runs: usize, seconds: &mut Vec<f64>) -> Result<(), ComputeError> {
        let ids = self.ids(count);
        for run in 0..runs {
            let mut state = State::new(self.network)?;
            let began = Instant::now();
            if let Some((last, before)) = ids.split_last() {
                self.append(&mut state, before, Some((case, run)))?;
                self.decode(&mut state, &[*last], None)?;
            }
            seconds.push(began.elapsed().as_secs_f64());
        }
        Ok(())
    }

    fn decodes(
        &mut self,
        case: Case,
        count: usize,
        depth: usize,
        runs: usize,
        seconds: &mut Vec<f64>,
    ) -> Result<(), ComputeError> {
        let ids = self.ids(depth + count);
        let (before, timed) = ids.split_at(depth);
        let mut state = State::new(self.network)?;
        self.append(&mut state, before, Some((case, 0)))?;
        let mark = state.mark(self.network)?;
        for run in 0..runs {
            state.rewind(&mark, self.network)?;
            let began = Instant::now();
            self.decode(&mut state, timed, Some((case, run)))?;
            seconds.push(began.elapsed().as_secs_f64());
        }
        Ok(())
    }

    /// A prompt without logits.
    fn append(&mut self, state: &mut State<B>, ids: &[u32], at: Option<(Case, usize)>) -> Result<(), ComputeError> {
        let begin = state.position();
        while state.position() < begin + ids.len() {
            let done = state.position() - begin;
            let (network, interrupt) = (self.network, self.interrupt);
            network.prefill(state, &ids[done..], self.cut, &[], interrupt, &mut |more| {
                self.report(at, done + more, ids.len());
            })?;
        }
        Ok(())
    }

    /// One token after the other, each with its logits.
    fn decode(&mut self, state: &mut State<B>, ids: &[u32], at: Option<(Case, usize)>) -> Result<(), ComputeError> {
        for (index, id) in ids.iter().enumerate() {
            self.network.advance(state, &[*id], 1, self.interrupt, |_, _| {})?;
            self.report(at, index + 1, ids.len());
        }
        Ok(())
    }

    fn report(&mut self, at: Option<(Case, usize)>, done: usize, total: usize) {
        if let Some((case, run)) = at {
            (self.progress)(Step { case, run, done, total });
        }
    }

    fn ids(&self, count: usize) -> Vec<u32> {
        tokens(count, self.network.config().vocab, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::{Shape, synthetic};
    use crate::compute::cpu::Cpu;
    use crate::model::Dtype;

    fn tiny() -> Network<Cpu> {
        let config = Shape::named("tiny").unwrap().config();
        let weights = synthetic(&config, Dtype::F32);
        Network::new(Cpu::new(1).unwrap(), config, weights).unwrap()
    }

    const CASES: [Case; 3] = [
        Case::Prefill { tokens: 20 },
        Case::Decode { tokens: 3, depth: 0 },
        Case::Decode { tokens: 2, depth: 9 },
    ];

    #[test]
    fn every_case_is_timed_as_often_as_was_asked_and_passes_all_its_tokens() {
        let plan = Plan {
            cases: CASES.to_vec(),
            runs: 2,
            cut: Cut { tile: 4, slab: 8 },
        };
        let (mut steps, mut results) = (Vec::new(), Vec::new());
        measure(
            &tiny(),
            &plan,
            &Interrupt::new(),
            &mut |step| steps.push((step.case, step.run, step.done, step.total)),
            &mut |measurement| results.push(measurement),
        )
        .unwrap();
        assert_eq!(results.iter().map(|m| m.case).collect::<Vec<_>>(), CASES);
        assert!(
            results
                .iter()
                .all(|m| m.seconds.len() == 2 && m.seconds.iter().all(|s| *s > 0.0))
        );
        // Each run's progress ascends to all of its tokens, but the last one of a prompt, whose logits are asked for.
        let last = |case, run, total| {
            let of_run = steps
                .iter()
                .filter(|step| (step.0, step.1, step.3) == (case, run, total));
            let done: Vec<usize> = of_run.map(|step| step.2).collect();
            assert!(done.is_sorted(), "{done:?}");
            done.last().copied()
        };
        for run in 0..2 {
            assert_eq!(last(CASES[0], run, 19), Some(19));
            assert_eq!(last(CASES[1], run, 3), Some(3));
            assert_eq!(last(CASES[2], run, 2), Some(2));
        }
        assert_eq!(last(CASES[2], 0, 9), Some(9));
    }

    #[test]
    fn an_interrupted_measurement_hands_over_what_was_measured() {
        let plan = Plan {
            cases: CASES.to_vec(),
            runs: 3,
            cut: Cut { tile: 16, slab: 64 },
        };
        let interrupt = Interrupt::new();
        let mut results = Vec::new();
        let ended = measure(
            &tiny(),
            &plan,
            &interrupt,
            &mut |step| {
                if step.case == CASES[1] && step.run == 1 {
                    interrupt.raise();
                }
            },
            &mut |measurement| results.push(measurement),
        );
        assert!(matches!(ended, Err(ComputeError::Interrupted(_))));
        let runs: Vec<_> = results.iter().map(|m| (m.case, m.seconds.len())).collect();
        assert_eq!(runs, [(CASES[0], 3), (CASES[1], 1)]);
    }
}
