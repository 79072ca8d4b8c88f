//! The choice of experts, and the sort of tokens by expert.

use thunderhead::compute::cuda::Argument;

use crate::arguments;
use crate::device::{Device, Launch, Order};
use crate::numbers::{Numbers, close, doubles, sigmoid};

pub fn check(device: &mut Device) -> Result<(), String> {
    logits(device)?;
    softmax_choice(device)?;
    grouped_choice(device)
}

fn logits(device: &mut Device) -> Result<(), String> {
    let mut numbers = Numbers(5);
    for (case, (tokens, experts, width)) in [(33, 32, 40), (7, 5, 100), (40, 256, 33), (3, 300, 16)]
        .into_iter()
        .enumerate()
    {
        let (h, w) = (
            numbers.values(tokens * width, 1.0),
            numbers.values(experts * width, 1.0),
        );
        let (h_buffer, w_buffer) = (device.upload(&h), device.upload(&w));
        let out = device.empty::<f32>(tokens * experts);
        let tile = if experts <= 32 { 32 } else { 256 };
        let launch = Launch {
            grid: [tokens.div_ceil(32), experts.div_ceil(tile), 1],
            block: 256,
            shared: 0,
            order: Order::ALL[case],
        };
        let arguments = arguments![&h_buffer, &w_buffer, &out, tokens, experts, width];
        device.launch(&format!("router_logits_{tile}"), launch, arguments)?;
        let dot = |x: &[f32], y: &[f32]| doubles(x).iter().zip(doubles(y)).map(|(x, y)| x * y).sum::<f64>();
        let expected: Vec<f64> = h
            .chunks(width)
            .flat_map(|h| w.chunks(width).map(move |w| dot(h, w)))
            .collect();
        close("logits", &doubles(&device.download(&out)), &expected, 1e-5)?;
    }
    Ok(())
}

struct Rule {
    experts: usize,
    top_k: usize,
    sigmoid: bool,
    groups: usize,
    kept: usize,
    renormalise: bool,
    scale: f32,
}

/// Indices of the `k` largest, of equal ones the lower first.
fn largest(values: &[f64], k: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*b].total_cmp(&values[*a]));
    order.truncate(k);
    order
}

fn choose(device: &mut Device, rule: &Rule, logits: &[f32], bias: Option<&[f32]>, order: Order) -> Result<(), String> {
    let (experts, top_k) = (rule.experts, rule.top_k);
    let tokens = logits.len() / experts;
    let logits_buffer = device.upload(logits);
    let bias_buffer = bias.map(|bias| device.upload(bias));
    let (chosen, mix) = (device.empty::<i32>(tokens * top_k), device.empty::<f32>(tokens * top_k));
    let launch = Launch {
        grid: [tokens.div_ceil(8), 1, 1],
        block: 256,
        shared: 0,
        order,
    };
    device.launch(
        "route",
        launch,
        arguments![
            &logits_buffer,
            bias_buffer.as_ref().map_or(Argument::NULL, Argument::from),
            &chosen,
            &mix,
            tokens,
            experts,
            top_k,
            rule.sigmoid,
            rule.groups,
            rule.kept,
            rule.renormalise,
            rule.scale
        ],
    )?;
    let (chosen, mix) = (device.download(&chosen), doubles(&device.download(&mix)));
    for (token, logits) in logits.chunks(experts).enumerate() {
        let logits = doubles(logits);
        let p: Vec<f64> = if rule.sigmoid {
            logits.iter().map(|x| sigmoid(*x)).collect()
        } else {
            let e: Vec<f64> = logits.iter().map(|x| x.exp()).collect();
            let sum: f64 = e.iter().sum();
            e.iter().map(|e| e / sum).collect()
        };
        let mut score: Vec<f64> = p
            .iter()
            .enumerate()
            .map(|(i, p)| p + bias.map_or(0.0, |b| f64::from(b[i])))
            .collect();
        if rule.groups > 1 {
            let size = experts / rule.groups;
            let of_groups: Vec<f64> = score
                .chunks(size)
                .map(|group| largest(group, 2).into_iter().map(|i| group[i]).sum())
                .collect();
            let kept = largest(&of_groups, rule.kept);
            for (i, score) in score.iter_mut().enumerate() {
                if !kept.contains(&(i / size)) {
                    *score = f64::NEG_INFINITY;
                }
            }
        }
        let expected = largest(&score, top_k);
        let got: Vec<usize> = chosen[token * top_k..][..top_k].iter().map(|e| *e as usize).collect();
        if got != expected {
            return Err(format!("token {token} goes to {got:?}, not {expected:?}"));
        }
        let total: f64 = if rule.renormalise {
            expected.iter().map(|e| p[*e]).sum()
        } else {
            1.0
        };
        let weights: Vec<f64> = expected.iter().map(|e| f64::from(rule.scale) * p[*e] / total).collect();
        close("mix", &mix[token * top_k..][..top_k], &weights, 1e-5)?;
    }
    Ok(())
}

fn softmax_choice(device: &mut Device) -> Result<(), String> {
    let mut numbers = Numbers(6);
    for (case, (experts, top_k)) in [(32, 2), (4, 4), (1, 1), (100, 7), (512, 32)].into_iter().enumerate() {
        let rule = Rule {
            experts,
            top_k,
            sigmoid: false,
            groups: 1,
            kept: 1,
            renormalise: case != 3,
            scale: 1.0,
        };
        let mut logits = numbers.values(11 * experts, 2.0);
        // Equal ones: the lower index goes first.
        logits[..experts].fill(0.5);
        if experts > 40 {
            logits[experts + 3] = 9.0;
            logits[experts + 35] = 9.0;
        }
        choose(device, &rule, &logits, None, Order::ALL[case % 4])?;
    }
    Ok(())
}

fn grouped_choice(device: &mut Device) -> Result<(), String> {
    let mut numbers = Numbers(7);
    for (case, (experts, groups, kept, top_k)) in [
        (256, 8, 4, 8),
        (24, 4, 2, 6),
        (16, 1, 1, 3),
        (8, 8, 3, 3),
        (96, 32, 5, 8),
    ]
    .into_iter()
    .enumerate()
    {
        let rule = Rule {
            experts,
            top_k,
            sigmoid: true,
            groups,
            kept,
            renormalise: true,
            scale: 2.5,
        };
        let logits = numbers.values(9 * experts, 2.0);
        // A bias that makes most scores negative.
        let bias: Vec<f32> = numbers.values(experts, 0.5).iter().map(|b| b - 0.6).collect();
        choose(
            device,
            &rule,
            &logits,
            (case % 2 == 0).then_some(&bias[..]),
            Order::ALL[case % 4],
        )?;
    }
    Ok(())
}

/// Rows of a tile of the grouped products.
const TILE: usize = 128;

pub fn check_permutation(device: &mut Device) -> Result<(), String> {
    let mut numbers = Numbers(8);
    for (case, (tokens, top_k, experts)) in [(700, 2, 32), (1, 8, 256), (5000, 1, 3), (1100, 8, 512), (300, 2, 1)]
        .into_iter()
        .enumerate()
    {
        let slots: usize = tokens * top_k;
        // Some experts are popular and some are never chosen.
        let chosen: Vec<i32> = (0..slots)
            .map(|_| (numbers.below(experts).min(numbers.below(experts))) as i32)
            .collect();
        let spans = slots.div_ceil(512);
        let chosen_buffer = device.upload(&chosen);
        let (counts, offsets) = (device.empty::<i32>(spans * experts), device.empty::<i32>(experts + 1));
        let max_tiles = slots / TILE + experts;
        let tiles = [0; 2].map(|_| device.empty::<i32>(max_tiles));
        let (places, row_tokens) = (device.empty::<i32>(slots), device.empty::<i32>(slots));
        let launch = Launch {
            grid: [spans.div_ceil(8), 1, 1],
            block: 256,
            shared: 0,
            order: Order::ALL[case % 4],
        };
        let one = Launch {
            grid: [1, 1, 1],
            block: 512,
            ..launch
        };
        device.launch(
            "count_slots",
            launch,
            arguments![&chosen_buffer, &counts, slots, experts],
        )?;
        device.launch(
            "scan_slots",
            one,
            arguments![&counts, &offsets, &tiles[0], &tiles[1], max_tiles, spans, experts],
        )?;
        let arguments = arguments![&chosen_buffer, &counts, &places, &row_tokens, slots, experts, top_k];
        device.launch("place_slots", launch, arguments)?;

        let mut sorted: Vec<usize> = (0..slots).collect();
        sorted.sort_by_key(|slot| chosen[*slot]);
        let (places, row_tokens) = (device.download(&places), device.download(&row_tokens));
        for (row, slot) in sorted.iter().enumerate() {
            if places[*slot] as usize != row || row_tokens[row] as usize != slot / top_k {
                return Err(format!("slot {slot} is at {}, not {row}", places[*slot]));
            }
        }
        let mut first = 0;
        let (mut offsets_expected, mut tiles_expected) = (vec![], vec![]);
        for e in 0..experts {
            let count = chosen.iter().filter(|c| **c as usize == e).count();
            offsets_expected.push(first as i32);
            tiles_expected.extend((0..count.div_ceil(TILE)).map(|i| (e as i32, (first + i * TILE) as i32)));
            first += count;
        }
        offsets_expected.push(slots as i32);
        if device.download(&offsets) != offsets_expected {
            return Err("offsets differ".to_owned());
        }
        let [tile_expert, tile_first] = tiles.map(|tiles| device.download(&tiles));
        let count = tiles_expected.len();
        let got: Vec<(i32, i32)> = tile_expert.iter().copied().zip(tile_first).take(count).collect();
        if got != tiles_expected || tile_expert[count..].iter().any(|e| *e != -1) {
            return Err("tiles differ".to_owned());
        }
    }
    Ok(())
}
