//! A plan as a person reads it: tables, a chart, and what to change.

use std::fmt::Write as _;
use std::time::Duration;

use crate::plan::{Held, Home, Plan, Remedy, Trouble, TroubleKind, chosen};
use crate::tui::format;

/// Cells of a full bar.
const BAR: usize = 24;

pub(super) fn text(plan: &Plan) -> String {
    let mut out = String::new();
    model(&mut out, plan);
    machine(&mut out, plan);
    places(&mut out, plan);
    lengths(&mut out, plan);
    chart(&mut out, plan);
    operations(&mut out, plan);
    changes(&mut out, plan);
    out
}

/// Bytes, nothing as a dash.
fn bytes(bytes: f64) -> String {
    if bytes < 0.5 {
        return "–".to_owned();
    }
    format::bytes(bytes.round() as u64)
}

fn billions(parameters: f64) -> String {
    match parameters {
        p if p >= 1e10 => format!("{:.1} B", p / 1e9),
        p if p >= 1e9 => format!("{:.2} B", p / 1e9),
        p => format!("{:.1} M", p / 1e6),
    }
}

fn time(seconds: f64) -> String {
    if seconds > 1e7 {
        return format!("{:.0} days", seconds / 86_400.0);
    }
    format::duration(Duration::from_secs_f64(seconds.max(0.0)))
}

fn rate(tokens_a_second: f64) -> String {
    if tokens_a_second < 0.1 {
        return format!("{} a token", time(1.0 / tokens_a_second));
    }
    format::rate(tokens_a_second).unwrap_or_default()
}

/// `128K`, `1M`; what is no multiple, as it is.
fn length(tokens: usize) -> String {
    match tokens {
        n if n >= 1 << 20 && n.is_multiple_of(1 << 20) => format!("{}M", n >> 20),
        n if n >= 1024 && n.is_multiple_of(1024) => format!("{}K", n >> 10),
        n => format::count(n),
    }
}

fn model(out: &mut String, plan: &Plan) {
    let model = &plan.model;
    let softmax = model.softmax_layers().count();
    let _ = writeln!(
        out,
        "{}: {} parameters, {} of them for a token; {} layers, {} with softmax attention",
        model.name,
        billions(model.parameters()),
        billions(model.active_with_head()),
        model.layers.len(),
        softmax
    );
    if let Some((top_k, experts)) = model.choice() {
        let _ = writeln!(
            out,
            "{} are in experts, {top_k} of {experts} a token: {} everything else",
            billions(model.routed()),
            billions(model.parameters() - model.routed())
        );
    }
    let _ = writeln!(
        out,
        "Weights {}: {}, of which a token reads {}",
        plan.stored_as,
        bytes(plan.weights.total()),
        bytes(plan.weights.a_token(model))
    );
}

fn machine(out: &mut String, plan: &Plan) {
    let host = &plan.machine.host;
    if let Some(card) = plan.machine.cards.first() {
        let _ = writeln!(
            out,
            "{} × {} with {}: {:.0} GB/s, {:.0} TFLOP/s in bf16, bus {:.0} GB/s",
            plan.machine.cards.len(),
            card.name,
            bytes(card.vram),
            card.memory / 1e9,
            card.tensor / 1e12,
            card.bus / 1e9
        );
    } else {
        out.push_str("No card (--vram or --card says which)\n");
    }
    let _ = writeln!(
        out,
        "Machine with {}: {:.0} GB/s, {:.2} TFLOP/s ({}); disk {:.1} GB/s\n",
        bytes(host.ram),
        host.memory / 1e9,
        host.compute / 1e12,
        if host.measured {
            "measured"
        } else {
            "a desktop's; --ceilings measures this one's"
        },
        host.disk / 1e9
    );
}

/// Bytes of one kind.
type Of = fn(&Held) -> f64;

fn places(out: &mut String, plan: &Plan) {
    let placement = &plan.placement;
    let cards = !plan.machine.cards.is_empty();
    let places: Vec<(&str, Held)> = [
        ("cards", placement.vram()),
        ("memory", placement.ram),
        ("disk", placement.disk),
    ]
    .into_iter()
    .filter(|(name, _)| cards || *name != "cards")
    .collect();
    let title = format!("Where it goes with {} tokens", length(placement.context));
    let _ = write!(out, "{title:<50}");
    for (name, _) in &places {
        let _ = write!(out, "{name:>12}");
    }
    out.push('\n');
    let kinds: [(&str, Of); 7] = [
        ("attention, norms, routers, shared experts, head", |h| h.fixed),
        ("experts that are chosen among", |h| h.experts),
        ("embedding table", |h| h.embedding),
        ("keys and values", |h| h.kv),
        ("states of lightning layers, two versions", |h| h.state),
        ("a prompt on its way, the driver", |h| h.work),
        ("together", Held::total),
    ];
    for (name, of) in kinds {
        if places.iter().all(|(_, held)| of(held) < 0.5) {
            continue;
        }
        let _ = write!(out, "  {name:<48}");
        for (_, held) in &places {
            let _ = write!(out, "{:>12}", bytes(of(held)));
        }
        out.push('\n');
    }
    if plan.machine.cards.len() > 1 {
        for (index, (held, layers)) in placement.cards.iter().zip(&placement.cut).enumerate() {
            let _ = writeln!(
                out,
                "  card {index}: layers {}–{}, {}",
                layers.start,
                layers.end.saturating_sub(1),
                bytes(held.total())
            );
        }
    }
    let experts = plan.weights.experts();
    let vram = placement.vram().experts;
    if cards && experts > 0.0 && vram < experts {
        let hit = vram / experts;
        let _ = writeln!(
            out,
            "  Of the experts that a token goes to, {:.0} % are on a card if all are chosen alike, more if those are kept that are \
             chosen most.",
            100.0 * hit
        );
    }
    let elsewhere = placement
        .layers
        .iter()
        .filter(|layer| layer.fixed == Home::Disk)
        .count();
    if elsewhere > 0 {
        let _ = writeln!(
            out,
            "  Attention of {} is read from the disk.",
            format::counted(elsewhere, "layer")
        );
    }
    out.push('\n');
}

fn lengths(out: &mut String, plan: &Plan) {
    let _ = writeln!(
        out,
        "{:>9} {:>13} {:>10} {:>10} {:>10} {:>10} {:>12} {:>14}",
        "tokens", "keys, values", "states", "cards", "memory", "disk", "a prompt", "then"
    );
    for row in &plan.rows {
        let (prefill, decode) = match row.speed {
            Some(speed) => (time(speed.prefill), rate(speed.decode)),
            None => ("does not fit".to_owned(), String::new()),
        };
        let _ = writeln!(
            out,
            "{:>9} {:>13} {:>10} {:>10} {:>10} {:>10} {:>12} {:>14}",
            length(row.context),
            bytes(row.kv),
            bytes(row.state),
            bytes(row.vram),
            bytes(row.ram),
            bytes(row.disk),
            prefill,
            decode
        );
    }
    out.push_str("Predicted from ceilings and what kernels usually reach of them; nothing was run.\n\n");
}

fn chart(out: &mut String, plan: &Plan) {
    if plan.rows.len() < 2 {
        return;
    }
    let kept = |row: &crate::plan::Row| row.kv + row.state;
    let most = plan.rows.iter().map(kept).fold(0.0, f64::max);
    let longest = plan
        .rows
        .iter()
        .filter_map(|row| row.speed)
        .map(|speed| speed.prefill)
        .fold(0.0, f64::max);
    let _ = writeln!(out, "{:>9}  {:<BAR$}  time of a prompt", "tokens", "kept of a context");
    for row in &plan.rows {
        let time = row.speed.map_or_else(String::new, |speed| bar(speed.prefill / longest));
        let _ = writeln!(
            out,
            "{:>9}  {:<BAR$}  {time}",
            length(row.context),
            bar(kept(row) / most)
        );
    }
    out.push('\n');
}

/// Eighths of a cell; something is never nothing.
fn bar(share: f64) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    if !share.is_finite() || share <= 0.0 {
        return String::new();
    }
    let eighths = ((share.min(1.0) * (BAR * 8) as f64).round() as usize).max(1);
    "█".repeat(eighths / 8) + EIGHTHS[eighths % 8]
}

fn operations(out: &mut String, plan: &Plan) {
    let (tokens, hybrid) = (length(plan.placement.context), &plan.operations);
    let _ = writeln!(
        out,
        "Operations of {tokens} tokens: {:.2e}, of which weights {:.2e}, softmax attention {:.2e}, lightning {:.2e}",
        hybrid.total(),
        hybrid.weights,
        hybrid.softmax,
        hybrid.lightning
    );
    if let Some((all, kv)) = &plan.all_softmax {
        let _ = writeln!(
            out,
            "If every layer were softmax attention: {:.2e}, {:.1} times as many, and {} of keys and values",
            all.total(),
            all.total() / hybrid.total(),
            bytes(*kv)
        );
    }
    let _ = writeln!(
        out,
        "Of the operations of DeepSeek-R1, generated tokens{:>11}{:>8}",
        "64K", "100K"
    );
    for ratio in &plan.against_r1 {
        let _ = writeln!(
            out,
            "  {:<48}{:>8} %{:>6} %",
            ratio.convention.words(),
            percent(ratio.at_64k),
            percent(ratio.at_100k)
        );
    }
}

fn percent(share: f64) -> String {
    let decimals = usize::from(share < 0.1);
    format!("{:.decimals$}", 100.0 * share)
}

fn changes(out: &mut String, plan: &Plan) {
    if plan.troubles.is_empty() {
        return;
    }
    out.push('\n');
    for trouble in &plan.troubles {
        out.push_str(&said(plan, trouble));
        let mut remedies = trouble.remedies.iter().map(|remedy| remedied(plan, remedy));
        if let Some(first) = remedies.next() {
            let rest: String = remedies.fold(String::new(), |rest, remedy| rest + "; or " + &remedy);
            let _ = write!(out, " What would change it: {first}{rest}.");
        }
        out.push('\n');
    }
}

fn said(plan: &Plan, trouble: &Trouble) -> String {
    match trouble.kind {
        TroubleKind::DoesNotFit { short, needed } => format!(
            "DOES NOT FIT. Keys, values and states of {} tokens that are on no card take {}; the machine's {} leave {} less.",
            length(plan.placement.context),
            bytes(needed),
            bytes(plan.machine.host.ram),
            bytes(short)
        ),
        TroubleKind::FromDisk { bytes: all, a_token } => format!(
            "{} of weights stay on the disk, and a token waits for {} of them.",
            bytes(all),
            bytes(a_token)
        ),
        TroubleKind::ExpertsInRam { bytes: all, a_token } => format!(
            "{} of experts have no room on the cards: a token meets {} of them in the machine's memory, and a prompt has them copied \
             once a slab of {} tokens. {:.1} % of the experts are chosen for a token.",
            bytes(all),
            bytes(a_token),
            length(plan.placement.slab),
            100.0 * chosen(&plan.model)
        ),
        TroubleKind::KeysInRam { bytes: all } => format!(
            "{} of keys and values have no room on the cards: their layers' attention waits for the machine's memory.",
            bytes(all)
        ),
        TroubleKind::BeyondModel { max_positions } => format!(
            "The model was made for {} tokens; what it says beyond is not to be relied on.",
            format::count(max_positions)
        ),
    }
}

fn remedied(plan: &Plan, remedy: &Remedy) -> String {
    match *remedy {
        Remedy::Context { tokens } => format!("--context {tokens}"),
        Remedy::Q8 => "--kv-cache q8".to_owned(),
        Remedy::Ram { bytes: all } => format!("--ram {:.0}G", all / (1_u64 << 30) as f64),
        Remedy::Vram { bytes: all } => {
            let each = all / plan.machine.cards.len() as f64;
            format!("--vram {:.0}G", each / (1_u64 << 30) as f64)
        }
        Remedy::Bits { bits } => format!("weights of {bits} bits (--type {bits})"),
    }
}
