//! Experts that do not all have room on a card: places for some of them, and who is in.
//!
//! A place has room for any one expert. A tile of a prompt finds all experts of its layer there: those that are missing are copied
//! beside the layer before it, so that each passes the bus once however long the slab is, and while one layer is computed the next
//! one comes. A few tokens wait for no copy: they find those that are there, the others are computed elsewhere (`beside`), and one that is
//! used often is brought for later. Who must make room is who was used least by single tokens, and of those who was used last: a prompt
//! passes all layers in turn, and whoever went longest without being used is needed soonest.

use std::collections::BTreeMap;
use std::ops::Range;

use super::driver::{Address, Driver, Sent, Source};
use super::ensure;
use super::memory::{Buffer, Card};
use crate::compute::cpu::{self, Slot};
use crate::compute::{ComputeError, Interrupt, Residency};
use crate::model::ExpertWeights;

/// What parts of a place are multiples of.
const ALIGNMENT: usize = 256;
/// Gate, up, down.
const PARTS: usize = 3;
/// A use counts so much more than one of the token before: what was some hundred tokens ago is forgotten.
const GROWTH: f64 = 1.0 + 1.0 / 256.0;
/// A copy passes the bus and reads as much as the processor would in a few tokens: who is to have another's place is used so many
/// times as much, and so much oftener.
const AHEAD: f64 = 1.5;
const LEAD: f64 = 2.0;
/// Counts are scaled back when one reaches this.
const MOST: f64 = 1e100;

/// All experts of a model, by number: those of a layer come one after the other, layers in order.
#[derive(Debug)]
pub(super) struct Experts<D: Driver> {
    /// Gate, up and down of each.
    sources: Vec<Source>,
    on_processor: Vec<ExpertWeights<cpu::Weight>>,
    /// Of the one that is being loaded.
    parts: Vec<cpu::Weight>,
    /// Bytes that places may take.
    room: usize,
    places: Vec<Place<D>>,
    /// Which place an expert is in.
    inside: BTreeMap<usize, usize>,
    /// How much each was used by single tokens.
    uses: Vec<f64>,
    use_now: f64,
    /// The first expert of the layer that single tokens have come to.
    layer: usize,
    /// The last that was sent for because it is used often.
    promoted: Sent,
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
            on_processor: Vec::new(),
            parts: Vec::new(),
            room,
            places: Vec::new(),
            inside: BTreeMap::new(),
            uses: Vec::new(),
            use_now: 1.0,
            layer: 0,
            promoted: Sent::default(),
            now: 0,
            ahead: None,
            tally: Residency::default(),
        }
    }

    /// The number of the next part.
    pub fn next(&self) -> usize {
        self.sources.len()
    }

    /// A part, as it goes to the card and as the processor reads it.
    pub fn add(&mut self, source: Source, weight: cpu::Weight) {
        self.sources.push(source);
        self.parts.push(weight);
        if let Ok([gate, up, down]) =
            <[_; PARTS]>::try_from(std::mem::take(&mut self.parts)).map_err(|rest| self.parts = rest)
        {
            self.on_processor.push(ExpertWeights { gate, up, down });
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
        let taken: Vec<(usize, usize)> = self.order(kept).zip(missing.by_ref()).collect();
        let without = missing.count();
        if !taken.is_empty() {
            self.fill(card, taken)?;
        }
        Ok(without)
    }

    /// Places in which none of `kept` is, in the order in which they are given away: nobody's, then by who is used least, then by who was used last.
    fn order(&self, kept: impl Fn(usize) -> bool) -> std::vec::IntoIter<usize> {
        let mut order: Vec<usize> = (0..self.places.len())
            .filter(|place| self.places[*place].expert.is_none_or(|expert| !kept(expert)))
            .collect();
        let uses = |place: usize| self.places[place].expert.map_or(-1.0, |expert| self.uses[expert]);
        order.sort_by(|a, b| {
            let last = |place: &usize| std::cmp::Reverse(self.places[*place].used);
            uses(*a).total_cmp(&uses(*b)).then(last(a).cmp(&last(b)))
        });
        order.into_iter()
    }

    /// Sends experts to places, from which others are gone then.
    fn fill(&mut self, card: &Card<D>, taken: Vec<(usize, usize)>) -> Result<Sent, ComputeError> {
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
        Ok(sent)
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

    /// Says that a slab has left the layer of this expert.
    pub fn passed(&mut self, expert: usize) {
        if self.ahead.as_ref().is_some_and(|(layer, _)| layer.contains(&expert)) {
            self.ahead = None;
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
        Ok(self.addresses(layer, |_| true))
    }

    /// Whether a slab is at this layer and its experts are there, or on their way.
    pub fn are_coming(&self, layer: &Range<usize>) -> bool {
        let is_slab = self.ahead.as_ref().is_some_and(|(ahead, _)| ahead == layer);
        is_slab && layer.clone().all(|expert| self.inside.contains_key(&expert))
    }

    /// Where those of a layer lie that are on the card now, for tokens that are sent to `slots`; nobody waits. One of the others may be sent
    /// for, so that it is there another time.
    pub fn at_hand(&mut self, card: &Card<D>, layer: Range<usize>, slots: &[Slot]) -> Result<Addresses, ComputeError> {
        let mut wanted: Vec<usize> = slots.iter().map(|slot| layer.start + slot.expert as usize).collect();
        wanted.sort_unstable();
        wanted.dedup();
        self.make_places(card)?;
        // A token passes all layers: it ends where they begin again.
        if layer.start <= self.layer {
            self.use_now *= GROWTH;
        }
        self.layer = layer.start;
        if self.use_now > MOST {
            self.uses.iter_mut().for_each(|uses| *uses /= MOST);
            self.use_now /= MOST;
        }
        self.now += 1;
        let (mut there, mut missing) = (Vec::with_capacity(wanted.len()), Vec::new());
        for expert in &wanted {
            self.uses[*expert] += self.use_now;
            match self.inside.get(expert) {
                Some(place) => {
                    let place = &mut self.places[*place];
                    place.used = self.now;
                    if card.driver.has_arrived(place.sent)? {
                        there.push(*expert);
                    }
                }
                None => missing.push(*expert),
            }
        }
        self.tally.asked += wanted.len() as u64;
        self.tally.there += there.len() as u64;
        self.promote(card, &missing, &wanted)?;
        Ok(self.addresses(layer, |expert| there.binary_search(&expert).is_ok()))
    }

    /// Sends for the one of `missing` that is used most, if that is worth a copy and no other is on its way.
    fn promote(&mut self, card: &Card<D>, missing: &[usize], kept: &[usize]) -> Result<(), ComputeError> {
        let most = missing
            .iter()
            .copied()
            .max_by(|a, b| self.uses[*a].total_cmp(&self.uses[*b]));
        let Some(expert) = most else { return Ok(()) };
        let Some(place) = self.order(|expert| kept.contains(&expert)).next() else {
            return Ok(());
        };
        let is_worth_it = match self.places[place].expert {
            None => true,
            Some(other) => self.uses[expert] > AHEAD * self.uses[other] + LEAD * self.use_now,
        };
        if is_worth_it && card.driver.has_arrived(self.promoted)? {
            self.promoted = self.fill(card, vec![(place, expert)])?;
        }
        Ok(())
    }

    /// A layer's experts as the processor has them.
    pub fn on_processor(&self, layer: Range<usize>) -> &[ExpertWeights<cpu::Weight>] {
        &self.on_processor[layer]
    }

    /// Of those that are `there`.
    fn addresses(&self, layer: Range<usize>, there: impl Fn(usize) -> bool) -> Addresses {
        let of = |part: usize| {
            let experts = layer.clone().map(|expert| {
                let place = self.inside.get(&expert).filter(|_| there(expert))?;
                Some(self.places[*place].buffer.at(self.layout(expert).0[part]))
            });
            experts.map(Option::unwrap_or_default).collect()
        };
        Addresses(std::array::from_fn(of))
    }
}
