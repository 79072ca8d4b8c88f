//! The tests of one implementation. Those with an oracle compare; the others need only the implementation itself.

use std::ops::Range;
use std::thread;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use thunderhead::compute::{Backend, ComputeError, Interrupt};
use thunderhead::model::{
    Dtype, Lightning, Mixer, MixerWeights, Moe, MoeWeights, Pairing, Residual, Rope, Softmax, TensorRole, TensorView,
    lightning_slopes,
};

use crate::case::{
    Around, MixerCase, PROBES, Random, Stream, StreamLayer, close, dtypes, for_all, mixer_cases, mixer_weights,
    moe_cases, moe_weights, run_moe, softmaxes,
};
use crate::scalar;

/// Attention blocks, tile by tile: every output, the state, and what follows from it.
pub fn mixers_agree<B: Backend, O: Backend>(backend: &B, oracle: &O) {
    for_all(mixer_cases(), |case| {
        let (h, around) = (case.h(), case.around());
        let mut got = Stream::of(backend, &case, &around, &h);
        let mut expected = Stream::of(oracle, &case, &around, &h);
        for size in case.tile_sizes() {
            let outputs = case.outputs.min(size);
            let at = format!("{size} tokens from {}", got.position);
            close(&at, &got.push(size, outputs), &expected.push(size, outputs))?;
        }
        close("state", &got.state(), &expected.state())?;
        close("probe", &got.probe(), &expected.probe())
    });
}

/// Experts, for the tokens whose choice of experts does not hang on rounding.
pub fn moe_agrees<B: Backend, O: Backend>(backend: &B, oracle: &O) {
    for_all(moe_cases(), |case| {
        let mut random = Random(case.seed);
        let around = Around::new(case.hidden, case.residual, case.dtype, &mut random);
        let weights = moe_weights(&case.spec, case.hidden, case.dtype, &mut random);
        let h = random.values(case.tokens * case.hidden, 1.0);
        let normed = scalar::normed(&around, &h);
        let clear = clear_choices(&case.spec, weights.router.as_ref(), &normed, case.hidden);
        let rows = |values: Vec<f32>| -> Vec<f32> {
            let rows = values.chunks_exact(case.hidden).zip(&clear);
            rows.filter(|(_, clear)| **clear)
                .flat_map(|(row, _)| row)
                .copied()
                .collect()
        };
        let free = Interrupt::new();
        let got = run_moe(backend, &around, &case.spec, &weights, &h, &free).unwrap();
        let expected = run_moe(oracle, &around, &case.spec, &weights, &h, &free).unwrap();
        prop_assert_eq!(got.len(), h.len());
        close("experts", &rows(got), &rows(expected))
    });
}

/// Whether each token's last chosen expert is well ahead of the first one left out.
fn clear_choices(spec: &Moe, router: Option<&TensorView>, h: &[f32], hidden: usize) -> Vec<bool> {
    let Some(router) = router.map(TensorView::to_f32) else {
        return vec![true; h.len() / hidden];
    };
    h.chunks_exact(hidden)
        .map(|x| {
            let logit = |w: &[f32]| w.iter().zip(x).map(|(w, x)| f64::from(*w) * f64::from(*x)).sum();
            let logits: Vec<f64> = router.chunks_exact(hidden).map(logit).collect();
            let mut p = scalar::softmax(&logits);
            p.sort_by(|a, b| b.total_cmp(a));
            p.get(spec.top_k).is_none_or(|next| p[spec.top_k - 1] - next > 1e-4)
        })
        .collect()
}

/// Embedding and head.
pub fn rows_agree<B: Backend, O: Backend>(backend: &B, oracle: &O) {
    #[derive(Debug, Clone)]
    struct Case {
        hidden: usize,
        vocab: usize,
        ids: Vec<u32>,
        rows: Range<usize>,
        dtype: Dtype,
        seed: u64,
    }
    fn run<B: Backend>(backend: &B, case: &Case) -> [Vec<f32>; 3] {
        let mut random = Random(case.seed);
        let matrix = random.matrix("embedding", case.dtype, [case.vocab, case.hidden], 1.0);
        let norm = random.norm("norm", case.dtype, case.hidden);
        let table = backend.load(matrix, TensorRole::TableAndMatrix).unwrap();
        let norm = backend.load(norm, TensorRole::Norm).unwrap();
        let f = random.values(case.ids.len() * case.hidden, 1.0);
        let mut x = backend.upload(&f, case.hidden).unwrap();
        let uploaded = backend.download(&x).unwrap();
        backend.embed(&table, &case.ids, &mut x).unwrap();
        let mut logits = vec![7.0; 3];
        let (workspace, rows) = (&mut backend.workspace().unwrap(), case.rows.clone());
        backend
            .head(
                workspace,
                (&norm, 1e-5),
                &table,
                &x,
                rows,
                &mut logits,
                &Interrupt::new(),
            )
            .unwrap();
        [uploaded, backend.download(&x).unwrap(), logits]
    }
    let cases = (2_usize..=90, 8_usize..=70).prop_flat_map(|(vocab, hidden)| {
        let ids = prop::collection::vec(0..vocab as u32, 1..=150);
        let ends = any::<[prop::sample::Index; 2]>();
        (Just((vocab, hidden)), ids, ends, dtypes(), any::<u64>()).prop_map(
            |((vocab, hidden), ids, ends, dtype, seed)| {
                let [a, b] = ends.map(|end| end.index(ids.len() + 1));
                Case {
                    hidden,
                    vocab,
                    ids,
                    rows: a.min(b)..a.max(b),
                    dtype,
                    seed,
                }
            },
        )
    });
    for_all(cases, |case| {
        let (got, expected) = (run(backend, &case), run(oracle, &case));
        for ((name, got), expected) in ["upload", "embed", "head"].into_iter().zip(got).zip(expected) {
            close(name, &got, &expected)?;
        }
        Ok(())
    });
}

/// A sequence in tiles is the sequence in one.
pub fn tiles_do_not_matter<B: Backend>(backend: &B) {
    for_all(mixer_cases(), |case| {
        let (h, around) = (case.h(), case.around());
        let mut whole = Stream::of(backend, &case, &around, &h);
        let mut tiled = Stream::of(backend, &case, &around, &h);
        let expected = whole.push(case.tokens, case.tokens);
        let got: Vec<f32> = case.tile_sizes().flat_map(|size| tiled.push(size, size)).collect();
        close("outputs", &got, &expected)?;
        close("state", &tiled.state(), &whole.state())?;
        close("probe", &tiled.probe(), &whole.probe())
    });
}

/// A prompt in one tile, then a token at a time.
pub fn decode_continues_prefill<B: Backend>(backend: &B) {
    for_all(mixer_cases(), |case| {
        let (h, around) = (case.h(), case.around());
        let mut whole = Stream::of(backend, &case, &around, &h);
        let mut decoded = Stream::of(backend, &case, &around, &h);
        let expected = whole.push(case.tokens, case.tokens);
        let prompt = case.tokens - case.outputs;
        let mut got = match prompt {
            0 => Vec::new(),
            _ => decoded.push(prompt, prompt),
        };
        (0..case.outputs).for_each(|_| got.extend(decoded.push(1, 1)));
        close("outputs", &got, &expected)?;
        close("state", &decoded.state(), &whole.state())?;
        close("probe", &decoded.probe(), &whole.probe())
    });
}

/// Fewer outputs are the last rows of all of them, and leave the same state.
pub fn unread_outputs_change_nothing<B: Backend>(backend: &B) {
    for_all(mixer_cases(), |case| {
        let (h, around) = (case.h(), case.around());
        let mut all = Stream::of(backend, &case, &around, &h);
        let mut some = Stream::of(backend, &case, &around, &h);
        let expected = all.push(case.tokens, case.tokens);
        let got = some.push(case.tokens, case.outputs);
        close("outputs", &got, &expected[(case.tokens - case.outputs) * case.hidden..])?;
        close("state", &some.state(), &all.state())?;
        close("probe", &some.probe(), &all.probe())
    });
}

/// The first tokens of a tile whose others are taken back are a tile of those.
pub fn a_part_of_a_tile_is_a_tile_of_that_part<B: Backend>(backend: &B) {
    for_all(
        (mixer_cases(), 1_usize..=40, any::<prop::sample::Index>()),
        |(case, tile, part)| {
            let h = case.h();
            let around = case.around();
            let before = case.tokens / 3;
            let tile = tile.min(case.tokens - before);
            let part = part.index(tile + 1);
            let mut whole = Stream::of(backend, &case, &around, &h);
            let mut cut = Stream::of(backend, &case, &around, &h);
            if before > 0 {
                whole.push(before, 0);
                cut.push(before, 0);
            }
            cut.push_part(tile, part);
            if part > 0 {
                whole.push(part, 0);
            }
            close("state", &cut.state(), &whole.state())?;
            close("probe", &cut.probe(), &whole.probe())
        },
    );
}

/// A copy of a lightning state is not moved by what the original goes on to.
pub fn a_copied_state_stays<B: Backend>(backend: &B) {
    let (case, around, h) = fixed(lightning(5, 12), 20, 17);
    let mut stream = Stream::of(backend, &case, &around, &h);
    stream.push(9, 0);
    let StreamLayer::Lightning { spec, state, .. } = &stream.layer else {
        panic!("a lightning case");
    };
    let mut kept = backend.lightning_state(spec).unwrap();
    backend.copy_lightning_state(state, &mut kept).unwrap();
    let before = stream.state();
    let first = stream.push(8, 8);
    assert_ne!(stream.state(), before);
    assert_eq!(backend.download_lightning_state(&kept).unwrap(), before);
    if let StreamLayer::Lightning { state, .. } = &mut stream.layer {
        *state = kept;
    }
    stream.position = 9;
    close("outputs", &stream.push(8, 8), &first).unwrap();
}

/// After a truncation other tokens may follow, as if the forgotten ones had never been.
pub fn a_truncated_cache_forgets<B: Backend>(backend: &B) {
    let (case, around, h) = fixed(softmax(6, 2, 10, 6), 20, 30);
    let other: Vec<f32> = h
        .iter()
        .enumerate()
        .map(|(i, v)| if i < 11 * 20 { *v } else { 0.5 - v })
        .collect();
    let mut stream = Stream::of(backend, &case, &around, &h);
    stream.push(25, 0);
    let mut fresh = Stream::of(backend, &case, &around, &other);
    fresh.push(11, 0);
    let expected = fresh.push(9, 9);

    let StreamLayer::Softmax {
        weights,
        mut cache,
        spec,
    } = stream.layer
    else {
        panic!("a softmax case");
    };
    backend.truncate_kv_cache(&mut cache, 40).unwrap();
    backend.truncate_kv_cache(&mut cache, 25).unwrap();
    backend.truncate_kv_cache(&mut cache, 11).unwrap();
    let mut stream = Stream::of(backend, &case, &around, &other);
    stream.position = 11;
    stream.layer = StreamLayer::Softmax { spec, weights, cache };
    close("outputs", &stream.push(9, 9), &expected).unwrap();
}

/// Of experts with equal probability the lower index is chosen.
pub fn equal_experts_in_order<B: Backend>(backend: &B) {
    let hidden = 12;
    let mut random = Random(5);
    let all = Moe {
        experts: 7,
        top_k: 2,
        width: 9,
    };
    let around = Around::new(hidden, PLAIN, Dtype::F32, &mut random);
    let weights = moe_weights(&all, hidden, Dtype::F32, &mut random);
    let h: Vec<f32> = random.values(11 * hidden, 4.0).iter().map(|v| v.round()).collect();
    let run = |top_k: usize, favourites: &[usize], experts: &[usize]| {
        let spec = Moe {
            experts: experts.len(),
            top_k,
            ..all
        };
        let router: Vec<f32> = (0..experts.len())
            .flat_map(|e| (0..hidden).map(move |i| if i == 0 && favourites.contains(&e) { 1.0 } else { 0.0 }))
            .collect();
        let weights = MoeWeights {
            router: Some(TensorView::from_f32("router", vec![experts.len(), hidden], &router)),
            experts: experts.iter().map(|e| weights.experts[*e].clone()).collect(),
        };
        let h: Vec<f32> = h
            .iter()
            .enumerate()
            .map(|(i, v)| if i % hidden == 0 { 2.0 } else { *v })
            .collect();
        run_moe(backend, &around, &spec, &weights, &h, &Interrupt::new()).unwrap()
    };
    let everyone: Vec<usize> = (0..all.experts).collect();
    close("none ahead", &run(2, &[], &everyone), &run(2, &[], &[0, 1])).unwrap();
    close("two ahead", &run(1, &[3, 5], &everyone), &run(1, &[], &[3])).unwrap();
    close("three ahead", &run(2, &[2, 4, 6], &everyone), &run(2, &[], &[2, 4])).unwrap();
}

/// With queries and keys only in the channels that are not rotated, the order of the earlier tokens does not matter,
/// nor the base of the angles; with them only in the rotated channels, the order does.
pub fn channels_past_the_rotary_ones_have_no_position<B: Backend>(backend: &B) {
    let specs = softmaxes().prop_filter("all channels are rotated", |spec| spec.rope.dim < spec.head_dim);
    for_all(
        (specs, 8_usize..=40, 16_usize..=40, any::<u64>()),
        |(spec, hidden, tokens, seed)| {
            let mut random = Random(seed);
            let weights = mixer_weights(&Mixer::Softmax(spec.clone()), hidden, Dtype::F32, &mut random);
            let MixerWeights::Softmax(weights) = weights else {
                panic!("softmax weights");
            };
            let around = Around::new(hidden, PLAIN, Dtype::F32, &mut random);
            let h = random.values(tokens * hidden, 1.0);
            let earlier = h[..(tokens - 1) * hidden].chunks_exact(hidden).rev().flatten();
            let reversed: Vec<f32> = earlier.chain(&h[(tokens - 1) * hidden..]).copied().collect();
            let last_output = |rope: Rope, rotary: bool, h: &[f32]| {
                let only = |w: &TensorView| {
                    let kept = |row: usize| (row % spec.head_dim < spec.rope.dim) == rotary;
                    let values = w.to_f32().into_iter().enumerate();
                    let values: Vec<f32> = values.map(|(i, v)| if kept(i / hidden) { v } else { 0.0 }).collect();
                    TensorView::from_f32(w.name(), w.shape().to_vec(), &values)
                };
                let mut weights = weights.clone();
                (weights.q, weights.k) = (only(&weights.q), only(&weights.k));
                let mixer = Mixer::Softmax(Softmax { rope, ..spec.clone() });
                Stream::new(backend, &mixer, MixerWeights::Softmax(weights), &around, h).push(tokens, 1)
            };
            let without = last_output(spec.rope, false, &h);
            close("reversed", &last_output(spec.rope, false, &reversed), &without)?;
            let other_base = Rope {
                theta: spec.rope.theta * 7.0,
                ..spec.rope
            };
            close("another base", &last_output(other_base, false, &h), &without)?;
            let with = last_output(spec.rope, true, &h);
            let changed = close("reversed", &last_output(spec.rope, true, &reversed), &with).is_err();
            prop_assert!(changed, "rotated channels do not see the order");
            Ok(())
        },
    );
}

/// A raised interrupt stops every operation that takes one, and leaves the state as it was.
pub fn interrupted_at_once<B: Backend>(backend: &B) {
    let raised = Interrupt::new();
    raised.raise();
    for_all(mixer_cases(), |case| {
        let (h, around) = (case.h(), case.around());
        let mut stopped = Stream::of(backend, &case, &around, &h);
        let mut clean = Stream::of(backend, &case, &around, &h);
        let before = case.tokens / 3;
        if before > 0 {
            stopped.push(before, 0);
            clean.push(before, 0);
        }
        let state = stopped.state();
        let rest = case.tokens - before;
        let result = stopped.try_push(rest, rest, &raised);
        prop_assert!(
            matches!(result, Err(ComputeError::Interrupted(_))),
            "it was not interrupted"
        );
        prop_assert_eq!(stopped.state(), state);
        close("outputs", &stopped.push(rest, rest), &clean.push(rest, rest))?;
        close("probe", &stopped.probe(), &clean.probe())
    });
    for_all(moe_cases(), |case| {
        let mut random = Random(case.seed);
        let weights = moe_weights(&case.spec, case.hidden, case.dtype, &mut random);
        let around = Around::new(case.hidden, case.residual, case.dtype, &mut random);
        let h = random.values(case.tokens * case.hidden, 1.0);
        let result = run_moe(backend, &around, &case.spec, &weights, &h, &raised);
        prop_assert!(
            matches!(result, Err(ComputeError::Interrupted(_))),
            "it was not interrupted"
        );
        Ok(())
    });
}

/// An interrupt that comes while an operation runs: it ends soon, and what it had begun is undone.
pub fn interrupted_midway<B: Backend>(backend: &B) {
    const SOON: Duration = Duration::from_millis(500);
    const TOKENS: usize = 900;
    let raise_after = |delay: u64, work: &mut dyn FnMut(&Interrupt)| {
        let interrupt = Interrupt::new();
        let raised = thread::scope(|scope| {
            let handle = scope.spawn(|| {
                thread::sleep(Duration::from_millis(delay));
                interrupt.raise();
                Instant::now()
            });
            work(&interrupt);
            (Instant::now(), handle.join().unwrap())
        });
        let late = raised.0.saturating_duration_since(raised.1);
        assert!(late < SOON, "it went on for {late:?}");
    };
    for mixer in [lightning(8, 32), softmax(8, 4, 32, 16)] {
        let (case, around, h) = fixed(mixer, 64, 100 + TOKENS);
        let mut clean = Stream::of(backend, &case, &around, &h);
        clean.push(100, 0);
        let state = clean.state();
        let expected = clean.push(TOKENS, TOKENS);
        for delay in [0, 1, 3, 10, 30] {
            let mut stream = Stream::of(backend, &case, &around, &h);
            stream.push(100, 0);
            let mut result = None;
            raise_after(delay, &mut |interrupt| {
                result = Some(stream.try_push(TOKENS, TOKENS, interrupt));
            });
            match result.unwrap() {
                Ok(got) => close("outputs", &got, &expected).unwrap(),
                Err(error) => {
                    assert!(matches!(error, ComputeError::Interrupted(_)), "{error}");
                    assert_eq!(stream.state(), state);
                    close("outputs", &stream.push(TOKENS, TOKENS), &expected).unwrap();
                }
            }
        }
    }

    let spec = Moe {
        experts: 6,
        top_k: 3,
        width: 256,
    };
    let mut random = Random(3);
    let weights = moe_weights(&spec, 128, Dtype::F32, &mut random);
    let around = Around::new(128, PLAIN, Dtype::F32, &mut random);
    let h = random.values(1600 * 128, 1.0);
    for delay in [0, 1, 3, 10] {
        raise_after(
            delay,
            &mut |interrupt| match run_moe(backend, &around, &spec, &weights, &h, interrupt) {
                Ok(_) | Err(ComputeError::Interrupted(_)) => (),
                Err(error) => panic!("{error}"),
            },
        );
    }
}

const PLAIN: Residual = Residual {
    alpha: 1.0,
    beta: 1.0,
    from_normed: false,
};

fn lightning(heads: usize, head_dim: usize) -> Mixer {
    Mixer::Lightning(Lightning {
        heads,
        head_dim,
        slopes: lightning_slopes(heads, 1, 8),
        norm_eps: 1e-6,
    })
}

fn softmax(heads: usize, kv_heads: usize, head_dim: usize, rotary: usize) -> Mixer {
    Mixer::Softmax(Softmax {
        heads,
        kv_heads,
        head_dim,
        rope: Rope {
            dim: rotary,
            theta: 1e4,
            pairing: Pairing::Halves,
        },
    })
}

fn fixed(mixer: Mixer, hidden: usize, tokens: usize) -> (MixerCase, Around, Vec<f32>) {
    let case = MixerCase {
        mixer,
        hidden,
        tokens: tokens - PROBES,
        tiles: vec![tokens],
        outputs: 0,
        residual: PLAIN,
        dtype: Dtype::F32,
        seed: 11,
    };
    let (around, h) = (case.around(), case.h());
    (case, around, h)
}
