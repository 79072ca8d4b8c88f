//! The order in which the tiles of a slab pass the halves of the layers.
//!
//! Where all layers are in one place every tile passes one half before any passes the next, so that a weight is read once a slab.
//! Where they are cut among places that work side by side, the slab is cut into pieces, and each place has one of them:
//!
//! ```text
//! place 0   piece 0   piece 1   piece 2   piece 3
//! place 1             piece 0   piece 1   piece 2   piece 3
//! ```
//! In its place a piece passes layer by layer as a slab does. What stands in one column is asked for in turn, so that no place
//! waits until another has been asked for all it has to do. Every layer meets the tiles in their order, and every tile the layers.

use std::ops::Range;

use super::slab::Half;

/// Pieces of a slab: while the first passes the last place waits, and while the last one does the first place. Of a slab that was left
/// more is lost to another prompt.
const PIECES: usize = 64;
/// The same where a piece is as long as memory allows.
const LONG_PIECES: usize = 8;

/// Tokens of a slab over several places, and of its pieces: weights that are copied to their place once a piece are worth one of `most`
/// tokens, as many as memory holds; else a tile keeps others waiting the least.
#[must_use]
pub fn pieces(most: usize, tile: usize, are_copied: bool) -> (usize, usize) {
    let (piece, count) = if are_copied {
        (most, LONG_PIECES)
    } else {
        (tile, PIECES)
    };
    (most.max(piece.saturating_mul(count)), piece)
}

/// One tile through one half of one layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    pub layer: usize,
    pub half: Half,
    pub tile: usize,
    /// Whether the tile is the first, and the last, of its piece.
    pub is_first: bool,
    pub is_last: bool,
}

/// Layers that are in one place and come one after the other.
pub(super) fn stages(places: &[usize]) -> Vec<Range<usize>> {
    let mut stages = Vec::new();
    let mut from = 0;
    for run in places.chunk_by(|a, b| a == b) {
        stages.push(from..from + run.len());
        from += run.len();
    }
    stages
}

/// Tiles as long as `tiles` says in pieces of at most `most` tokens, or one tile.
pub(super) fn cut(tiles: impl Iterator<Item = usize>, most: usize) -> Vec<Range<usize>> {
    let mut pieces: Vec<Range<usize>> = Vec::new();
    let mut tokens = 0;
    for (tile, length) in tiles.enumerate() {
        tokens += length;
        match pieces.last_mut() {
            Some(piece) if tokens <= most => piece.end = tile + 1,
            _ => {
                pieces.push(tile..tile + 1);
                tokens = length;
            }
        }
    }
    pieces
}

/// All steps of a slab. Nobody reads what the last layer says of a prompt: it has no second half.
pub(super) fn steps(stages: &[Range<usize>], pieces: &[Range<usize>]) -> Vec<Step> {
    let layers = stages.last().map_or(0, |stage| stage.end);
    let columns = (pieces.len() + stages.len()).saturating_sub(1);
    let column = |column: usize| {
        let jobs = stages.iter().enumerate().filter_map(|(number, stage)| {
            let piece = pieces.get(column.checked_sub(number)?)?;
            Some(job(stage.clone(), piece, layers))
        });
        in_turn(jobs.collect())
    };
    (0..columns).flat_map(column).collect()
}

/// A piece through the layers of a stage.
fn job(stage: Range<usize>, piece: &Range<usize>, layers: usize) -> Vec<Step> {
    let halves = stage.flat_map(|layer| [(layer, Half::Mixer), (layer, Half::FeedForward)]);
    halves
        .filter(|half| *half != (layers - 1, Half::FeedForward))
        .flat_map(|(layer, half)| {
            piece.clone().map(move |tile| Step {
                layer,
                half,
                tile,
                is_first: tile == piece.start,
                is_last: tile + 1 == piece.end,
            })
        })
        .collect()
}

/// Several jobs as one, so that all come to their ends together.
fn in_turn(jobs: Vec<Vec<Step>>) -> Vec<Step> {
    let mut all: Vec<(f64, Step)> = Vec::with_capacity(jobs.iter().map(Vec::len).sum());
    for job in jobs {
        let count = job.len() as f64;
        let shares = job.into_iter().enumerate();
        all.extend(shares.map(|(done, step)| (done as f64 / count, step)));
    }
    // Of equal shares the earlier place has the first.
    all.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    all.into_iter().map(|(_, step)| step).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// When the last step ends if each takes its tile's length, a place does its steps one after the other as they were asked for,
    /// a tile passes one at a time, and a step is asked for when no more than `ahead` of its place are unfinished.
    fn makespan(steps: &[Step], tiles: &[usize], places: &[usize], ahead: usize) -> f64 {
        let (mut of_tile, mut of_layer) = (vec![0.0_f64; tiles.len()], vec![0.0_f64; places.len()]);
        let mut ends: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
        let mut host = 0.0_f64;
        for step in steps {
            let place = ends.entry(places[step.layer]).or_default();
            if let Some(before) = place.len().checked_sub(ahead) {
                host = host.max(place[before]);
            }
            let free = place.last().copied().unwrap_or(0.0);
            let begin = free.max(host).max(of_tile[step.tile]).max(of_layer[step.layer]);
            let end = begin + tiles[step.tile] as f64;
            place.push(end);
            (of_tile[step.tile], of_layer[step.layer]) = (end, end);
        }
        of_tile.into_iter().fold(0.0, f64::max)
    }

    fn order(places: &[usize], tiles: &[usize], piece: usize) -> Vec<Step> {
        steps(&stages(places), &cut(tiles.iter().copied(), piece))
    }

    fn ascending(runs: impl Iterator<Item = usize>) -> Vec<usize> {
        let mut places = Vec::new();
        for (place, run) in runs.enumerate() {
            places.extend(vec![place; run]);
        }
        places
    }

    proptest! {
        /// Each tile passes each half once, in the order of the halves; each half meets the tiles in their order.
        #[test]
        fn every_tile_passes_every_half_in_order(
            runs in prop::collection::vec(1_usize..5, 1..5), tiles in prop::collection::vec(1_usize..9, 1..20), piece in 1_usize..40
        ) {
            let places = ascending(runs.into_iter());
            let steps = order(&places, &tiles, piece);
            let halves = 2 * places.len() - 1;
            prop_assert_eq!(steps.len(), halves * tiles.len());
            let half_of = |step: &Step| 2 * step.layer + usize::from(step.half == Half::FeedForward);
            let (mut of_tile, mut of_half) = (vec![0; tiles.len()], vec![0; halves]);
            for step in &steps {
                prop_assert_eq!(half_of(step), of_tile[step.tile]);
                prop_assert_eq!(step.tile, of_half[half_of(step)]);
                of_tile[step.tile] += 1;
                of_half[half_of(step)] += 1;
            }
        }

        /// Pieces are what they are said to be, and their ends are marked in every half.
        #[test]
        fn pieces_are_runs_of_tiles(tiles in prop::collection::vec(1_usize..9, 1..30), most in 1_usize..40) {
            let pieces = cut(tiles.iter().copied(), most);
            prop_assert_eq!(pieces.iter().cloned().flatten().collect::<Vec<_>>(), (0..tiles.len()).collect::<Vec<_>>());
            for piece in &pieces {
                let tokens: usize = tiles[piece.clone()].iter().sum();
                prop_assert!(tokens <= most || piece.len() == 1);
            }
            let steps = steps(&stages(&[0, 0]), &pieces);
            let firsts: Vec<usize> = steps.iter().filter(|s| s.is_first && s.layer == 1).map(|s| s.tile).collect();
            prop_assert_eq!(firsts, pieces.iter().map(|piece| piece.start).collect::<Vec<_>>());
            let lasts: Vec<usize> = steps.iter().filter(|s| s.is_last && s.layer == 1).map(|s| s.tile + 1).collect();
            prop_assert_eq!(lasts, pieces.iter().map(|piece| piece.end).collect::<Vec<_>>());
        }
    }

    #[test]
    fn in_one_place_all_tiles_pass_a_half_before_any_passes_the_next() {
        let steps = order(&[0; 3], &[4; 5], 20);
        let halves: Vec<(usize, usize)> = steps.iter().map(|step| (step.layer, step.tile)).collect();
        let expected: Vec<(usize, usize)> = [0, 0, 1, 1, 2]
            .into_iter()
            .flat_map(|layer| (0..5).map(move |tile| (layer, tile)))
            .collect();
        assert_eq!(halves, expected);
    }

    /// Places with as much to do each are done in (pieces + places − 1) / pieces of a place's share, if they are asked for only a few
    /// steps ahead.
    #[test]
    fn places_work_side_by_side() {
        for count in [1, 2, 3, 4] {
            // The last layer has one half: it is one more.
            let mut places = ascending((0..count).map(|_| 8));
            places.push(count - 1);
            for (pieces, tiles_of) in [(1, 1), (4, 1), (16, 1), (16, 4), (64, 1)] {
                let tiles = vec![1; pieces * tiles_of];
                let steps = order(&places, &tiles, tiles_of);
                let share = 16.5 * tiles.len() as f64;
                let expected = share * (pieces + count - 1) as f64 / pieces as f64;
                let got = makespan(&steps, &tiles, &places, 4);
                assert!(
                    (got / expected - 1.0).abs() < 0.05,
                    "{count} places, {pieces} pieces: {got}, not {expected}"
                );
            }
        }
    }
}
