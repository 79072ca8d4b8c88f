//! Experts that do not all have room on a card: places for some of them, and who is in.
//!
//! A place has room for any one expert. A tile of a prompt finds all experts of its layer there: those that are missing are copied
//! beside the layer before it, so that each passes the bus once however long the slab is, and while one layer is computed the next
//! one comes. A few tokens find the experts that they were sent to. Who must make room is who was used least by single tokens, and of
//! those who was used last: a prompt passes all layers in turn, and whoever went longest without being used is needed soonest.

use std::collections::BTreeMap;
use std::ops::Range;

use super::driver::{Address, Driver, Sent, Source};
use super::ensure;
use super::memory::{Buffer, Card};
use crate::compute::{ComputeError, Interrupt, Residency};

/// What parts of a place are multiples of.
const ALIGNMENT: usize = 256;
/// Gate, up, down.
const PARTS: usize = 3;
/// A use counts so much more than the one before it: what was long ago is forgotten.
const GROWTH: f64 = 1.001;
/// Counts are scaled back when one reaches this.
const MOST: f64 = 1e100;

/// All experts of a model, by number: those of a layer come one after the other, layers in order.
#[derive(Debug)]
pub(super) struct Experts<D: Driver> {
    /// Gate, up and down of each.
    sources: Vec<Source>,
    /// Bytes that places may take.
    room: usize,
    places: Vec<Place<D>>,
    /// Which place an expert is in.
    inside: BTreeMap<usize, usize>,
    /// How much each was used by single tokens.
    uses: Vec<f64>,
    use_now: f64,
    /// Counts what is done with places.
    now: u64,
    /// The layer that a slab comes to next, and whether it has been sent for.
    ahead: Option<(Range<usize>, bool)>,
    tally: Residency,
}

#[derive(Debug)]
struct Place<D: Driver> {
    buffer: Buffer<D>,
    expert: Option<usize>,
    sent: Sent,
    used: u64,
}

/// Where the parts of a layer's experts lie; nowhere if they are not on the card.
#[derive(Debug)]
pub(super) struct Addresses(pub [Vec<Address>; PARTS]);

impl<D: Driver> Experts<D> {
    pub fn new(room: usize) -> Self {
        Self {
            sources: Vec::new(),
            room,
            places: Vec::new(),
            inside: BTreeMap::new(),
            uses: Vec::new(),
            use_now: 1.0,
            now: 0,
            ahead: None,
            tally: Residency::default(),
        }
    }

    /// The number of the next part.
    pub fn next(&self) -> usize {
        self.sources.len()
    }

    pub fn add(&mut self, source: Source) {
        self.sources.push(source);
        if self.sources.len().is_multiple_of(PARTS) {
            self.uses.push(0.0);
            self.tally.experts += 1;
        }
    }

    /// The expert that a part is of.
    pub fn of_part(number: usize) -> usize {
        number / PARTS
    }

    pub fn tally(&self) -> Residency {
        Residency {
            places: self.places.len(),
            ..self.tally
        }
    }

    /// Where each part of an expert begins in its place, and bytes of the place.
    fn layout(&self, expert: usize) -> ([usize; PARTS], usize) {
        let mut at = 0;
        let parts = &self.sources[expert * PARTS..][..PARTS];
        let begins = std::array::from_fn(|part| {
            let begin = at;
            at += parts[part].bytes().len().next_multiple_of(ALIGNMENT);
            begin
        });
        (begins, at)
    }

    /// Makes the places, as many as there is room for, when the first are needed: everything else has been loaded then.
    fn make_places(&mut self, card: &Card<D>) -> Result<(), ComputeError> {
        if !self.places.is_empty() {
            return Ok(());
        }
        let largest = (0..self.uses.len()).map(|expert| self.layout(expert).1).max();
        let largest = largest.unwrap_or(1).max(1);
        for _ in 0..(self.room / largest).min(self.uses.len()) {
            self.places.push(Place {
                buffer: card.empty(largest)?,
                expert: None,
                sent: Sent::default(),
                used: 0,
            });
        }
        Ok(())
    }

    /// Sends for the experts of `wanted` that are not there, and makes room for them where none of `kept` is; says how many had no room.
    fn send_for(
        &mut self,
        card: &Card<D>,
        wanted: &[usize],
        kept: impl Fn(usize) -> bool,
    ) -> Result<usize, ComputeError> {
        self.make_places(card)?;
        let mut missing = wanted
            .iter()
            .filter(|expert| !self.inside.contains_key(expert))
            .copied();
        // Who goes first: nobody, then who is used least, then who was used last.
        let mut order: Vec<usize> = (0..self.places.len())
            .filter(|place| self.places[*place].expert.is_none_or(|expert| !kept(expert)))
            .collect();
        let uses = |place: usize| self.places[place].expert.map_or(-1.0, |expert| self.uses[expert]);
        order.sort_by(|a, b| {
            let last = |place: &usize| std::cmp::Reverse(self.places[*place].used);
            uses(*a).total_cmp(&uses(*b)).then(last(a).cmp(&last(b)))
        });
        let taken: Vec<(usize, usize)> = order.into_iter().zip(missing.by_ref()).collect();
        let without = missing.count();
        if taken.is_empty() {
            return Ok(without);
        }
        let mut parts = Vec::with_capacity(taken.len() * PARTS);
        for (place, expert) in &taken {
            let (begins, _) = self.layout(*expert);
            for (part, begin) in begins.into_iter().enumerate() {
                let source = &self.sources[expert * PARTS + part];
                self.tally.copied += source.bytes().len() as u64;
                parts.push((self.places[*place].buffer.at(begin), source.clone()));
            }
        }
        let sent = card.driver.send(parts)?;
        self.now += 1;
        for (place, expert) in taken {
            if let Some(before) = self.places[place].expert.replace(expert) {
                self.inside.remove(&before);
            }
            self.inside.insert(expert, place);
            (self.places[place].sent, self.places[place].used) = (sent, self.now);
        }
        Ok(without)
    }

    /// Puts what is asked for from here on behind the copies of `wanted`, which have places.
    fn wait(&mut self, card: &Card<D>, wanted: &[usize], interrupt: &Interrupt) -> Result<(), ComputeError> {
        self.now += 1;
        let mut last = Sent::default();
        for expert in wanted {
            let place = &mut self.places[self.inside[expert]];
            place.used = self.now;
            last = last.max(place.sent);
        }
        card.driver.arrive(last, interrupt)
    }

    fn count(&mut self, wanted: &[usize]) {
        let there = wanted.iter().filter(|expert| self.inside.contains_key(expert)).count();
        self.tally.asked += wanted.len() as u64;
        self.tally.there += there as u64;
    }

    /// Says that a slab will come to the layer of this expert.
    pub fn expect(&mut self, expert: usize) {
        match &mut self.ahead {
            Some((layer, _)) if layer.contains(&expert) => {}
            Some((layer, false)) if layer.end == expert => layer.end += 1,
            ahead => *ahead = Some((expert..expert + 1, false)),
        }
    }

    /// Sends for the layer that a slab comes to next, if that has not been done.
    pub fn send_ahead(&mut self, card: &Card<D>) -> Result<(), ComputeError> {
        let Some((layer, sent @ false)) = &mut self.ahead else {
            return Ok(());
        };
        *sent = true;
        let layer = layer.clone();
        let wanted: Vec<usize> = layer.clone().collect();
        self.send_for(card, &wanted, |expert| layer.contains(&expert))?;
        Ok(())
    }

    /// All experts of a layer, for a tile.
    pub fn all(
        &mut self,
        card: &Card<D>,
        layer: Range<usize>,
        interrupt: &Interrupt,
    ) -> Result<Addresses, ComputeError> {
        let wanted: Vec<usize> = layer.clone().collect();
        let is_slab = self.ahead.as_ref().is_some_and(|(ahead, _)| *ahead == layer);
        if !is_slab {
            self.count(&wanted);
        }
        let without = self.send_for(card, &wanted, |expert| layer.contains(&expert))?;
        ensure(without == 0, || {
            let there = self.places.len();
            format!(
                "a layer has {} experts and the card has room for {there}: `thunderhead plan` says what would fit",
                layer.len()
            )
        })?;
        self.wait(card, &wanted, interrupt)?;
        // The last layer of a prompt has no use for its experts.
        let next = layer.end..layer.end + layer.len();
        if is_slab && next.end < self.uses.len() {
            let wanted: Vec<usize> = next.clone().collect();
            self.send_for(card, &wanted, |expert| {
                layer.contains(&expert) || next.contains(&expert)
            })?;
        }
        Ok(self.addresses(layer))
    }

    /// The experts of a layer that some tokens were sent to, by their numbers in the layer.
    pub fn some(
        &mut self,
        card: &Card<D>,
        layer: Range<usize>,
        chosen: &[i32],
        interrupt: &Interrupt,
    ) -> Result<Addresses, ComputeError> {
        let mut wanted: Vec<usize> = chosen
            .iter()
            .filter_map(|e| usize::try_from(*e).ok().filter(|e| *e < layer.len()))
            .map(|e| layer.start + e)
            .collect();
        wanted.sort_unstable();
        wanted.dedup();
        self.make_places(card)?;
        self.count(&wanted);
        for expert in &wanted {
            self.uses[*expert] += self.use_now;
        }
        self.use_now *= GROWTH;
        if self.use_now > MOST {
            self.uses.iter_mut().for_each(|uses| *uses /= MOST);
            self.use_now /= MOST;
        }
        let without = self.send_for(card, &wanted, |expert| wanted.contains(&expert))?;
        ensure(without == 0, || {
            format!(
                "{} experts are needed at once and the card has room for {}",
                wanted.len(),
                self.places.len()
            )
        })?;
        self.wait(card, &wanted, interrupt)?;
        Ok(self.addresses(layer))
    }

    fn addresses(&self, layer: Range<usize>) -> Addresses {
        let of = |part: usize| {
            let experts = layer.clone().map(|expert| {
                let place = self.inside.get(&expert)?;
                Some(self.places[*place].buffer.at(self.layout(expert).0[part]))
            });
            experts.map(Option::unwrap_or_default).collect()
        };
        Addresses(std::array::from_fn(of))
    }
}
