use candle_core::{Device, Tensor, Var};

use super::basic::{in_blocks, sigmoid, silu};
use super::*;
use crate::model::{Dtype, ExpertWeights, Pairing, Residual, Rope};

fn ramp(count: usize) -> Vec<f32> {
    (0..count).map(|i| (i as f32 * 0.37).sin()).collect()
}

fn view(rows: usize, columns: usize) -> TensorView {
    TensorView::from_f32_as("ramp", Dtype::F32, vec![rows, columns], &ramp(rows * columns))
}

fn matrix(rows: usize, columns: usize) -> Tensor {
    Reference.load(view(rows, columns), TensorRole::Matrix).unwrap()
}

fn factors(width: usize) -> Tensor {
    Tensor::from_vec(ramp(width), width, &Device::Cpu).unwrap()
}

fn block(norm: &Tensor) -> Block<'_, Tensor> {
    Block {
        norm,
        eps: 1e-5,
        residual: Residual {
            alpha: 1.0,
            beta: 1.0,
            from_normed: false,
        },
    }
}

fn softmax_spec() -> Softmax {
    Softmax {
        heads: 4,
        kv_heads: 2,
        head_dim: 7,
        rope: Rope {
            dim: 4,
            theta: 1e4,
            pairing: Pairing::Halves,
        },
    }
}

fn softmax_weights(hidden: usize) -> SoftmaxWeights<Tensor> {
    SoftmaxWeights {
        q: matrix(28, hidden),
        k: matrix(14, hidden),
        v: matrix(14, hidden),
        out: matrix(hidden, 28),
    }
}

fn tile(interrupt: &Interrupt, position: usize, outputs: usize) -> Tile<'_> {
    Tile {
        position,
        outputs,
        interrupt,
    }
}

#[test]
fn rotation_turns_pairs_and_leaves_the_rest() {
    let (tokens, heads, head_dim, position) = (3, 2, 7, 1_000_000);
    let rope = Rope {
        dim: 4,
        theta: 1e7,
        pairing: Pairing::Halves,
    };
    let values = ramp(tokens * heads * head_dim);
    let x = Tensor::from_slice(&values, (tokens, heads, head_dim), &Device::Cpu).unwrap();
    let rotated: Vec<f32> = Reference.download(&rotate(&x, position, rope).unwrap()).unwrap();
    for (i, (x, y)) in values
        .chunks_exact(head_dim)
        .zip(rotated.chunks_exact(head_dim))
        .enumerate()
    {
        assert_eq!(x[4..], y[4..]);
        for j in 0..2 {
            let angle = (position + i / heads) as f64 * 1e7_f64.powf(-2.0 * j as f64 / 4.0);
            let (a, b) = (f64::from(x[j]), f64::from(x[j + 2]));
            assert!((f64::from(y[j]) - (a * angle.cos() - b * angle.sin())).abs() < 1e-6);
            assert!((f64::from(y[j + 2]) - (b * angle.cos() + a * angle.sin())).abs() < 1e-6);
        }
    }
    let still = Reference
        .download(&rotate(&x.narrow(0, 0, 1).unwrap(), 0, rope).unwrap())
        .unwrap();
    assert_eq!(still, values[..heads * head_dim]);
}

#[test]
fn stored_keys_are_rotated_in_the_first_channels_only() {
    let (spec, hidden, interrupt) = (softmax_spec(), 5, Interrupt::new());
    let weights = softmax_weights(hidden);
    let mut cache = Reference.kv_cache(&spec).unwrap();
    let h = matrix(9, hidden);
    cache = softmax::forward(&spec, &weights, &h, &cache, tile(&interrupt, 0, 0))
        .unwrap()
        .1;
    let plain = h.matmul(&weights.k.t().unwrap()).unwrap();
    let (plain, stored) = (
        Reference.download(&plain).unwrap(),
        Reference.download(cache.keys()).unwrap(),
    );
    let heads = plain.chunks_exact(7).zip(stored.chunks_exact(7)).enumerate();
    for (i, (plain, stored)) in heads {
        assert_eq!(plain[4..], stored[4..]);
        assert_eq!(
            plain[..4] == stored[..4],
            i < spec.kv_heads,
            "only position 0 is not turned"
        );
    }
    assert_eq!(cache.len(), 9);
    assert_eq!(cache.values().dims(), [9, 2, 7]);
}

#[test]
fn saturated_gates_have_finite_gradients() {
    let x = Var::new(&[-1000.0_f32, -90.0, -80.0, -20.0, 0.0, 20.0, 1000.0], &Device::Cpu).unwrap();
    for f in [sigmoid, silu] {
        let y = f(x.as_tensor()).unwrap();
        let gradients = y.sum_all().unwrap().backward().unwrap();
        let gradient: Vec<f32> = gradients.get(&x).unwrap().to_vec1().unwrap();
        assert!(
            gradient.iter().chain(&y.to_vec1().unwrap()).all(|v| v.is_finite()),
            "{gradient:?}"
        );
        assert!(gradient[0].abs() < 1e-30 && gradient[4] > 0.2);
    }
}

#[test]
fn blocks_are_consecutive_and_stop_when_asked() {
    let (interrupt, like) = (Interrupt::new(), matrix(10, 3));
    let mut seen = Vec::new();
    let mut double = |first, count| {
        seen.push((first, count));
        if first == 4 {
            interrupt.raise();
        }
        Ok((like.narrow(0, first, count)? * 2.0)?)
    };
    let stopped = in_blocks(10, 3, 1 << 26, &interrupt, &like, &mut double);
    assert!(matches!(stopped, Err(ComputeError::Interrupted(_))));
    assert_eq!(seen, [(0, 2), (2, 2), (4, 2)]);

    let halves = in_blocks(10, 3, 1 << 26, &Interrupt::new(), &like, |first, count| {
        Ok(like.narrow(0, first, count)?)
    });
    assert_eq!(Reference.download(&halves.unwrap()).unwrap(), ramp(30));
}

#[test]
fn no_tokens_give_no_rows() {
    let (spec, hidden, interrupt) = (softmax_spec(), 5, Interrupt::new());
    let (norm, mut x) = (factors(hidden), Reference.upload(&[], hidden).unwrap());
    Reference.embed(&matrix(4, hidden), &[], &mut x).unwrap();
    assert_eq!(x.dims(), [0, hidden]);
    let mut cache = Reference.kv_cache(&spec).unwrap();
    let weights = softmax_weights(hidden);
    let (at, block) = (tile(&interrupt, 0, 0), block(&norm));
    Reference
        .softmax(&mut (), block, &spec, &weights, &mut x, &mut cache, at)
        .unwrap();
    assert_eq!(x.dims(), [0, hidden]);
    assert!(cache.is_empty());
    let mut logits = vec![1.0];
    let (norm, head) = ((&norm, 1e-5), matrix(4, hidden));
    Reference
        .head(&mut (), norm, &head, &x, 0..0, &mut logits, &interrupt)
        .unwrap();
    assert!(logits.is_empty());
}

#[test]
fn what_does_not_fit_is_an_error_and_changes_nothing() {
    let (spec, hidden, interrupt) = (softmax_spec(), 5, Interrupt::new());
    let weights = softmax_weights(hidden);
    let norm = factors(hidden);
    let mut x = matrix(3, hidden);
    let mut cache = Reference.kv_cache(&spec).unwrap();
    let mut attend = |spec: &Softmax, norm: &Tensor, x: &mut Tensor, tile| {
        Reference
            .softmax(&mut (), block(norm), spec, &weights, x, &mut cache, tile)
            .is_ok()
    };
    for wrong in [tile(&interrupt, 1, 3), tile(&interrupt, 0, 4)] {
        assert!(!attend(&spec, &norm, &mut x, wrong));
    }
    let all = tile(&interrupt, 0, 3);
    assert!(!attend(&spec, &norm, &mut matrix(3, hidden + 1), all));
    assert!(!attend(&spec, &factors(hidden + 1), &mut x, all));
    for (heads, kv_heads) in [(4, 0), (4, 3)] {
        let spec = Softmax {
            heads,
            kv_heads,
            ..spec.clone()
        };
        assert!(!attend(&spec, &norm, &mut x, all));
    }
    assert!(cache.is_empty());
    assert_eq!(Reference.download(&x).unwrap(), ramp(3 * hidden));

    assert!(Reference.upload(&[0.0; 7], 2).is_err());
    assert!(Reference.upload(&[0.0; 7], 0).is_err());
    assert!(Reference.embed(&matrix(3, hidden), &[3], &mut x).is_err());
    let (head, mut logits) = (matrix(4, hidden), Vec::new());
    let outside = Reference.head(&mut (), (&norm, 1e-5), &head, &x, 0..4, &mut logits, &interrupt);
    assert!(outside.is_err());
    let experts = |count: usize| MoeWeights {
        router: Some(matrix(count, hidden)),
        experts: (0..count)
            .map(|_| ExpertWeights {
                gate: matrix(4, hidden),
                up: matrix(4, hidden),
                down: matrix(hidden, 4),
            })
            .collect(),
    };
    for (count, top_k) in [(2, 1), (3, 0), (3, 4)] {
        let spec = Moe {
            experts: 3,
            top_k,
            width: 4,
        };
        let experts = experts(count);
        let outcome = Reference.moe(&mut (), block(&norm), &spec, &experts, &mut x, &interrupt);
        assert!(outcome.is_err());
    }
}
