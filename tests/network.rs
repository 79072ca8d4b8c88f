//! The forward pass over random models: how a sequence is cut into tiles, read and rewound does not matter.

#![allow(
    clippy::unwrap_used,
    reason = "a test that unwraps nothing has failed, in its helpers too"
)]

mod common;

use common::models::random_model;
use proptest::prelude::*;
use thunderhead::compute::cpu::{Cpu, KvType};
use thunderhead::compute::{Backend, ComputeError, Interrupt};
use thunderhead::engine::{Cut, Mark, Network, State};

const VOCAB: usize = 40;

fn network(seed: u64, kinds: &str) -> Network<Cpu> {
    let (config, weights) = random_model(seed, kinds, VOCAB);
    let cpu = Cpu::new(2).unwrap().with_kv_cache(KvType::F32);
    Network::new(cpu, config, weights).unwrap()
}

/// Appends `ids`, asking for all logits.
fn advance<B: Backend>(network: &Network<B>, state: &mut State<B>, ids: &[u32]) -> Vec<Vec<f32>> {
    let mut rows = Vec::new();
    network
        .advance(state, ids, ids.len(), &Interrupt::new(), |_, row| {
            rows.push(row.to_vec());
        })
        .unwrap();
    rows
}

fn assert_close(a: &[Vec<f32>], b: &[Vec<f32>]) {
    assert_eq!(a.len(), b.len());
    for (i, (a, b)) in a.iter().zip(b).enumerate() {
        let scale = a.iter().fold(1.0f32, |m, x| m.max(x.abs()));
        let worst = a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst < 2e-4 * scale, "token {i}: off by {worst} of {scale}");
    }
}

/// Appends `ids` slab by slab, stopping and going on after each of `stops` steps, and returns the marks that were made.
fn prefill(
    network: &Network<Cpu>,
    state: &mut State<Cpu>,
    ids: &[u32],
    cut: Cut,
    marks: &[usize],
    stops: &[usize],
) -> Vec<Mark<Cpu>> {
    let mut made = Vec::new();
    let mut stops = stops.iter().copied();
    let before = state.position();
    while state.position() - before < ids.len() {
        let here = state.position() - before;
        let ahead: Vec<usize> = marks.iter().filter(|m| **m > here).map(|m| m - here).collect();
        let rest = &ids[here..];
        let interrupt = Interrupt::new();
        let mut left = stops.next().unwrap_or(usize::MAX);
        let mut last = network.begun(state, rest);
        let mut progress = |done: usize| {
            assert!(done >= last, "progress goes back from {last} to {done}");
            last = done;
            left = left.saturating_sub(1);
            if left == 0 {
                interrupt.raise();
            }
        };
        match network.prefill(state, rest, cut, &ahead, &interrupt, &mut progress) {
            Ok(done) => made.extend(done.marks),
            Err(ComputeError::Interrupted(_)) => {
                assert_eq!(
                    state.position() - before,
                    here,
                    "a slab is part of the state only when it is done"
                );
                assert_eq!(network.begun(state, rest), last, "what was done is still there");
            }
            Err(error) => panic!("{error}"),
        }
    }
    made
}

fn cuts() -> impl Strategy<Value = Cut> {
    (1usize..60, 1usize..300).prop_map(|(tile, slab)| Cut { tile, slab })
}

fn kinds() -> impl Strategy<Value = String> {
    prop::collection::vec(prop_oneof![Just('l'), Just('s')], 1..5).prop_map(|k| k.into_iter().collect())
}

fn ids(len: std::ops::Range<usize>) -> impl Strategy<Value = Vec<u32>> {
    prop::collection::vec(0..VOCAB as u32, len)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_tiles_give_the_logits_of_one(seed: u64, kinds in kinds(), ids in ids(1..400), sizes in prop::collection::vec(1usize..90, 1..12)) {
        let network = network(seed, &kinds);
        let whole = advance(&network, &mut State::new(&network).unwrap(), &ids);
        let mut state = State::new(&network).unwrap();
        let (mut tiled, mut rest, mut sizes) = (Vec::new(), &ids[..], sizes.iter().cycle());
        while !rest.is_empty() {
            let (tile, after) = rest.split_at(rest.len().min(*sizes.next().unwrap()));
            tiled.extend(advance(&network, &mut state, tile));
            rest = after;
        }
        prop_assert_eq!(state.position(), ids.len());
        assert_close(&whole, &tiled);
    }

    #[test]
    fn asking_for_fewer_logits_changes_neither_them_nor_the_state(seed: u64, kinds in kinds(), ids in ids(2..200), wanted in 0usize..200, next in ids(1..5)) {
        let network = network(seed, &kinds);
        let wanted = wanted.min(ids.len());
        let mut all = State::new(&network).unwrap();
        let whole = advance(&network, &mut all, &ids);
        let mut few = State::new(&network).unwrap();
        let mut rows = Vec::new();
        network.advance(&mut few, &ids, wanted, &Interrupt::new(), |i, row| { assert_eq!(i, rows.len()); rows.push(row.to_vec()); }).unwrap();
        assert_close(&whole[ids.len() - wanted..], &rows);
        assert_close(&advance(&network, &mut all, &next), &advance(&network, &mut few, &next));
    }

    #[test]
    fn rewinding_is_as_if_the_rest_had_never_been(seed: u64, kinds in kinds(), kept in ids(0..300), dropped in ids(1..300), next in ids(1..20)) {
        let network = network(seed, &kinds);
        let mut straight = State::new(&network).unwrap();
        advance(&network, &mut straight, &kept);
        let mut detour = State::new(&network).unwrap();
        advance(&network, &mut detour, &kept);
        let mark = detour.mark(&network).unwrap();
        prop_assert_eq!(mark.position(), kept.len());
        advance(&network, &mut detour, &dropped);
        detour.rewind(&mark, &network).unwrap();
        prop_assert_eq!(detour.position(), kept.len());
        prop_assert_eq!(advance(&network, &mut straight, &next), advance(&network, &mut detour, &next));
    }

    #[test]
    fn layer_by_layer_is_token_by_token(seed: u64, kinds in kinds(), before in ids(0..40), ids in ids(1..400), cut in cuts(), stops in prop::collection::vec(1usize..9, 0..40), next in ids(1..9)) {
        let network = network(seed, &kinds);
        let mut whole = State::new(&network).unwrap();
        advance(&network, &mut whole, &before);
        let mut slabs = State::new(&network).unwrap();
        advance(&network, &mut slabs, &before);
        advance(&network, &mut whole, &ids);
        prefill(&network, &mut slabs, &ids, cut, &[], &stops);
        prop_assert_eq!(slabs.position(), before.len() + ids.len());
        assert_close(&advance(&network, &mut whole, &next), &advance(&network, &mut slabs, &next));
    }

    #[test]
    fn marks_within_a_slab_are_places_to_go_back_to(seed: u64, kinds in kinds(), ids in ids(2..300), cut in cuts(), places in prop::collection::btree_set(1usize..300, 0..6), stops in prop::collection::vec(1usize..9, 0..20), next in ids(1..9)) {
        let network = network(seed, &kinds);
        let places: Vec<usize> = places.into_iter().filter(|p| *p <= ids.len()).collect();
        let mut state = State::new(&network).unwrap();
        let marks = prefill(&network, &mut state, &ids, cut, &places, &stops);
        prop_assert_eq!(marks.iter().map(Mark::position).collect::<Vec<_>>(), places);
        for mark in marks.iter().rev() {
            state.rewind(mark, &network).unwrap();
            let mut straight = State::new(&network).unwrap();
            advance(&network, &mut straight, &ids[..mark.position()]);
            assert_close(&advance(&network, &mut straight, &next), &advance(&network, &mut state, &next));
            state.rewind(mark, &network).unwrap();
        }
    }

    #[test]
    fn a_slab_that_was_left_is_given_up_for_other_tokens(seed: u64, kinds in kinds(), before in ids(1..40), left in ids(2..200), other in ids(1..100), steps in 1usize..8, next in ids(1..9)) {
        let network = network(seed, &kinds);
        let cut = Cut { tile: 16, slab: 100 };
        let mut state = State::new(&network).unwrap();
        advance(&network, &mut state, &before);
        let interrupt = Interrupt::new();
        let mut count = 0;
        let _ = network.prefill(&mut state, &left, cut, &[], &interrupt, &mut |_| {
            count += 1;
            if count == steps { interrupt.raise(); }
        });
        let mut straight = State::new(&network).unwrap();
        advance(&network, &mut straight, &before);
        let took = state.position() - before.len();
        advance(&network, &mut straight, &left[..took]);
        prefill(&network, &mut state, &other, cut, &[], &[]);
        advance(&network, &mut straight, &other);
        assert_close(&advance(&network, &mut straight, &next), &advance(&network, &mut state, &next));
    }

    #[test]
    fn an_interrupted_tile_leaves_no_trace(seed: u64, kinds in kinds(), before in ids(0..100), tile in ids(1..100), next in ids(1..20)) {
        let network = network(seed, &kinds);
        let mut state = State::new(&network).unwrap();
        advance(&network, &mut state, &before);
        let mut untouched = State::new(&network).unwrap();
        advance(&network, &mut untouched, &before);
        let raised = Interrupt::new();
        raised.raise();
        let outcome = network.advance(&mut state, &tile, 1, &raised, |_, _| panic!("no logits after an interrupt"));
        prop_assert!(matches!(outcome, Err(ComputeError::Interrupted(_))));
        prop_assert_eq!(state.position(), before.len());
        prop_assert_eq!(advance(&network, &mut state, &next), advance(&network, &mut untouched, &next));
    }
}

/// After every layer has run and before the tile is committed: what it wrote must go.
#[test]
fn an_interrupt_between_the_logits_undoes_every_layer() {
    let network = network(4, "lsls");
    let ids = |n: u32| (0..n).map(|i| i * 7 % VOCAB as u32).collect::<Vec<_>>();
    let mut state = State::new(&network).unwrap();
    advance(&network, &mut state, &ids(300));
    let mut untouched = State::new(&network).unwrap();
    advance(&network, &mut untouched, &ids(300));

    let interrupt = Interrupt::new();
    let mut rows = 0;
    let outcome = network.advance(&mut state, &ids(200), 200, &interrupt, |_, _| {
        rows += 1;
        interrupt.raise();
    });
    assert!(matches!(outcome, Err(ComputeError::Interrupted(_))));
    assert!(
        (1..200).contains(&rows),
        "{rows} rows came before the interrupt was heard"
    );
    assert_eq!(state.position(), 300);
    assert_eq!(
        advance(&network, &mut state, &ids(20)),
        advance(&network, &mut untouched, &ids(20))
    );
}

#[test]
fn an_id_outside_of_the_vocabulary_is_an_error_and_changes_nothing() {
    let network = network(1, "ls");
    let mut state = State::new(&network).unwrap();
    let outcome = network.advance(&mut state, &[1, VOCAB as u32], 0, &Interrupt::new(), |_, _| {});
    assert!(outcome.unwrap_err().to_string().contains("vocabulary"));
    assert_eq!(state.position(), 0);
}
