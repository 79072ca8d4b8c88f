//! The name that was probably meant.

/// The candidate that is nearest to `word`, if one is near enough to be meant.
#[must_use]
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let enough = word.chars().count() / 3 + 1;
    candidates
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|&(distance, candidate)| distance <= enough && distance < candidate.chars().count())
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, candidate)| candidate)
}

/// The end of a message that asks whether the nearest was meant; empty if none is near.
#[must_use]
pub fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    nearest(word, candidates).map_or_else(String::new, |name| format!("; did you mean `{name}`?"))
}

/// Characters to insert, take out, replace, or swap with their neighbour to make `b` of `a`. Longer words than any name
/// are as far apart as they are long, so that a file of one long word costs nothing.
fn distance(a: &str, b: &str) -> usize {
    const LONGEST: usize = 100;
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.len() > LONGEST || b.len() > LONGEST {
        return a.len().max(b.len());
    }
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let replaced = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = replaced.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn slips_of_the_finger_are_near() {
        let names = ["threads", "thinking-budget", "theme", "tile"];
        for (word, meant) in [
            ("thread", Some("threads")),
            ("theme", Some("theme")),
            ("tehme", Some("theme")),
            ("thinking_budget", Some("thinking-budget")),
            ("zzz", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, names), meant, "{word}");
        }
        assert_eq!(nearest(&"x".repeat(1_000_000), names), None);
        assert_eq!(distance("anwser", "answer"), 1);
    }

    proptest! {
        #[test]
        fn it_is_a_distance(a in "[ab你]{0,6}", b in "[ab你]{0,6}") {
            prop_assert_eq!(distance(&a, &b), distance(&b, &a));
            prop_assert_eq!(distance(&a, &b) == 0, a == b);
            let (long, short) = (a.chars().count().max(b.chars().count()), a.chars().count().min(b.chars().count()));
            prop_assert!((long - short..=long).contains(&distance(&a, &b)));
        }
    }
}
