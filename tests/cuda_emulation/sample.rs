//! The choice of the next token, against a sort.

use thunderhead::compute::cuda::Argument;

use crate::arguments;
use crate::device::{Device, Launch, Order};
use crate::numbers::{Numbers, close, doubles};

struct Rule {
    temperature: f32,
    top_k: usize,
    top_p: f32,
    min_p: f32,
}

/// Candidates in descending order with their part of the weight.
fn kept(rule: &Rule, logits: &[f64], banned: impl Fn(usize) -> bool) -> Vec<(usize, f64)> {
    let mut order: Vec<usize> = (0..logits.len())
        .filter(|id| logits[*id].is_finite() && !banned(*id))
        .collect();
    order.sort_by(|a, b| logits[*b].total_cmp(&logits[*a]).then(a.cmp(b)));
    if rule.top_k > 0 {
        order.truncate(rule.top_k);
    }
    let weight = |id: usize| ((logits[id] - logits[order[0]]) / f64::from(rule.temperature)).exp();
    let mut weights: Vec<(usize, f64)> = order.iter().map(|id| (*id, weight(*id))).collect();
    let total: f64 = weights.iter().map(|w| w.1).sum();
    let mut mass = 0.0;
    if let Some(last) = weights.iter().position(|w| {
        mass += w.1;
        mass >= f64::from(rule.top_p) * total
    }) {
        weights.truncate(last + 1);
    }
    weights.retain(|w| w.1 >= f64::from(rule.min_p));
    let total: f64 = weights.iter().map(|w| w.1).sum();
    weights.iter().map(|(id, w)| (*id, w / total)).collect()
}

pub fn check(device: &mut Device) -> Result<(), String> {
    let mut numbers = Numbers(40);
    let rules = [
        (1.0, 0, 1.0, 0.0),
        (0.7, 40, 1.0, 0.0),
        (1.0, 0, 0.95, 0.0),
        (0.9, 5, 0.8, 0.0),
        (1.3, 0, 0.99, 0.05),
        (1.0, 1, 1.0, 0.0),
        (0.1, 0, 0.5, 0.3),
        (0.0, 0, 1.0, 0.0),
    ];
    for (index, (temperature, top_k, top_p, min_p)) in rules.into_iter().enumerate() {
        let rule = Rule {
            temperature,
            top_k,
            top_p,
            min_p,
        };
        for vocab in [3000, 70, 1] {
            let mut logits = numbers.values(vocab, 2.0);
            // Many equal ones, the best among them, and some that cannot be chosen.
            for logit in &mut logits {
                *logit = (*logit * 4.0).round() / 4.0;
            }
            if vocab > 64 {
                logits[vocab - 2] = f32::NEG_INFINITY;
                logits[60] = 20.0;
            }
            let has_ban = vocab > 64;
            let banned = |id: usize| has_ban && (id == 60 || id % 7 == 3);
            let mut bits = vec![0_u32; vocab.div_ceil(32)];
            (0..vocab)
                .filter(|id| banned(*id))
                .for_each(|id| bits[id / 32] |= 1 << (id % 32));

            let (logits_buffer, bits_buffer) = (device.upload(&logits), device.upload(&bits));
            let (keys, chosen, told) = (
                device.empty::<u64>(vocab),
                device.empty::<i32>(1),
                device.empty::<f32>(2),
            );
            let exact = doubles(&logits);
            for draw in 0..4 {
                let uniform = [0.0, 0.37, 0.999_999, 0.8][draw];
                let launch = Launch {
                    grid: [1, 1, 1],
                    block: 1024,
                    shared: 0,
                    order: Order::ALL[(index + draw) % 4],
                };
                let ban = if has_ban {
                    Argument::from(&bits_buffer)
                } else {
                    Argument::NULL
                };
                device.launch(
                    "sample",
                    launch,
                    arguments![
                        &logits_buffer,
                        ban,
                        &keys,
                        &chosen,
                        &told,
                        temperature,
                        top_k,
                        top_p,
                        min_p,
                        Argument::Double(uniform),
                        vocab
                    ],
                )?;
                let id = device.download(&chosen)[0];
                let mut expected = if temperature > 0.0 {
                    kept(&rule, &exact, banned)
                } else {
                    let greedy = Rule {
                        temperature: 1.0,
                        top_k: 1,
                        ..rule
                    };
                    kept(&greedy, &exact, banned)
                };
                // Where the draw lies, give or take what sums in units and rounded exponentials differ by.
                let mut above = 0.0;
                expected.retain(|(_, part)| {
                    let (from, to) = (above, above + part);
                    above = to;
                    from <= uniform + 1e-5 && uniform <= to + 1e-5
                });
                if !expected.iter().any(|(candidate, _)| *candidate as i32 == id) {
                    return Err(format!(
                        "rule {index} of {vocab}, draw {uniform}: {id} is not one of {expected:?}"
                    ));
                }
                let largest = exact.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let sum: f64 = exact.iter().map(|x| (x - largest).exp()).sum();
                let log_p = |x: f64| x - largest - sum.ln();
                let entropy: f64 = exact
                    .iter()
                    .filter(|x| x.is_finite())
                    .map(|x| -log_p(*x) * log_p(*x).exp())
                    .sum();
                let got = doubles(&device.download(&told));
                close("ln p", &got[..1], &[log_p(exact[id as usize])], 1e-5)?;
                close("the entropy", &got[1..], &[entropy], 1e-4 + 1e-5 / entropy.max(1e-3))?;
            }
        }
    }
    refuses(device)
}

/// Logits that hold no number to choose by.
fn refuses(device: &mut Device) -> Result<(), String> {
    for logits in [
        vec![1.0, f32::NAN, 0.0],
        vec![f32::INFINITY, 0.0],
        vec![f32::NEG_INFINITY; 40],
        vec![0.0; 5],
    ] {
        let vocab = logits.len();
        // Of the last all are banned.
        let bits = device.upload(&[if vocab == 5 { 0x1f_u32 } else { 0 }, 0]);
        let logits = device.upload(&logits);
        let (keys, chosen, told) = (
            device.empty::<u64>(vocab),
            device.empty::<i32>(1),
            device.empty::<f32>(2),
        );
        let launch = Launch {
            grid: [1, 1, 1],
            block: 1024,
            shared: 0,
            order: Order::Random(5),
        };
        device.launch(
            "sample",
            launch,
            arguments![
                &logits,
                &bits,
                &keys,
                &chosen,
                &told,
                1.0,
                0_usize,
                0.9,
                0.0,
                Argument::Double(0.5),
                vocab
            ],
        )?;
        if device.download(&chosen) != [-1] {
            return Err(format!("{vocab} logits without a choice"));
        }
    }
    Ok(())
}
