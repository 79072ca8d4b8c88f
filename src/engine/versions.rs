//! A state that is rewritten step by step until all of it is wanted or none.

/// Three copies of a state: the one that holds, the latest that has been written, and room for the next. A step reads the
/// latest and writes into the room, so that a step that fails costs nothing but itself.
#[derive(Debug)]
pub(super) struct Versions<S> {
    states: [S; 3],
    committed: usize,
    latest: usize,
}

impl<S> Versions<S> {
    pub fn new<E>(mut state: impl FnMut() -> Result<S, E>) -> Result<Self, E> {
        Ok(Self {
            states: [state()?, state()?, state()?],
            committed: 0,
            latest: 0,
        })
    }

    pub fn committed(&self) -> &S {
        &self.states[self.committed]
    }

    pub fn committed_mut(&mut self) -> &mut S {
        &mut self.states[self.committed]
    }

    pub fn latest(&self) -> &S {
        &self.states[self.latest]
    }

    /// The latest to read, and room for the next.
    pub fn step(&mut self) -> (&S, &mut S) {
        let room = self.room();
        let [latest, room] = self
            .states
            .get_disjoint_mut([self.latest, room])
            .expect("the room is neither of the others");
        (latest, room)
    }

    /// The one that holds, and the latest if it is another.
    pub fn since_commit(&mut self) -> Option<(&S, &mut S)> {
        let [committed, latest] = self.states.get_disjoint_mut([self.committed, self.latest]).ok()?;
        Some((committed, latest))
    }

    /// What a step has written is the latest now.
    pub fn advance(&mut self) {
        self.latest = self.room();
    }

    /// The latest holds.
    pub fn commit(&mut self) {
        self.committed = self.latest;
    }

    /// Nothing since the last commit was.
    pub fn roll_back(&mut self) {
        self.latest = self.committed;
    }

    fn room(&self) -> usize {
        (0..3)
            .find(|i| *i != self.committed && *i != self.latest)
            .expect("three are more than two")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn holds_what_was_committed(steps in prop::collection::vec(0..4, 0..60)) {
            let mut versions = Versions::new(|| Ok::<_, ()>(0)).unwrap();
            let (mut committed, mut latest) = (0, 0);
            for (value, step) in (1..).zip(steps) {
                match step {
                    0 => { versions.commit(); committed = latest; }
                    1 => { versions.roll_back(); latest = committed; }
                    2 => { *versions.step().1 = value; }
                    _ => { *versions.step().1 = value; versions.advance(); latest = value; }
                }
                prop_assert_eq!((*versions.committed(), *versions.latest(), *versions.step().0), (committed, latest, latest));
            }
        }
    }
}
