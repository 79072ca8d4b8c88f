use super::super::testing::pack;
use super::*;
use proptest::prelude::*;

fn names(list: &[&str]) -> Vec<String> {
    list.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn a_change_names_paths_and_patterns() {
    let selection = Selection::of(vec!["src".into(), "a b.md".into()]);
    let pack = pack(&[("src/a.rs", "a\n"), ("src/b/c.rs", "c\n"), ("a b.md", "m\n")]);
    let change = |load: &[&str], unload: &[&str], include: &[&str]| Change {
        load: names(load),
        unload: names(unload),
        include: names(include),
    };
    let after = |selection: &Selection, c: &Change| changed(selection, c, &pack).unwrap();

    let one = after(
        &selection,
        &change(&["docs", "src"], &["src/b/", "a b.md"], &["src/gen.rs"]),
    );
    assert_eq!(one.paths, ["src", "docs"].map(std::path::PathBuf::from));
    assert_eq!(one.exclude, ["/src/b", "/a\\ b.md"]);
    assert_eq!(one.include, ["/src/gen.rs"]);
    assert_eq!(one.keep, ["src/a.rs", "src/b/c.rs", "a b.md"]);
    // What is loaded again is not left out any more.
    assert_eq!(after(&one, &change(&["src/b"], &[], &[])).exclude, ["/a\\ b.md"]);
    assert!(changed(&selection, &change(&[], &["src/b/c"], &[]), &pack).is_err());
    assert!(changed(&selection, &change(&["-"], &[], &[]), &pack).is_err());
}

#[test]
fn differences_are_told_by_name() {
    let old = pack(&[("a", "1\n"), ("b", "2\n"), ("c", "3\n")]);
    let new = pack(&[("a", "1\n"), ("c", "4\n"), ("d", "5\n")]);
    let difference = Difference::of(&old, &new);
    assert_eq!(difference.added, ["d"]);
    assert_eq!(difference.removed, ["b"]);
    assert_eq!(difference.changed, ["c"]);
    assert!(Difference::of(&old, &old).is_nothing());
}

#[test]
fn what_is_held_is_not_paid_for_again() {
    let held = |prefilled| Held {
        prefix: (0..100).collect(),
        marks: [10, 40, 80].into(),
        prefilled,
    };
    let wanted =
        |changed: usize| -> Vec<u32> { (0..120).map(|n| if n as usize == changed { 999 } else { n }).collect() };
    for (changed, prefilled, cost) in [
        (110, 100, 20),
        (100, 100, 20),
        (99, 100, 40),
        (40, 100, 80),
        (39, 100, 110),
        (5, 100, 120),
        (110, 60, 80),
        (110, 0, 120),
    ] {
        assert_eq!(held(prefilled).cost(&wanted(changed)), cost, "{changed} {prefilled}");
    }
    let shorter: Vec<u32> = (0..50).collect();
    assert_eq!(held(100).cost(&shorter), 10);
}

proptest! {
    #[test]
    fn places_are_ends_of_documents_and_few(sizes in prop::collection::vec(1usize..2000, 0..200), most in 1usize..20) {
        let mut pack = pack(&[]);
        let mut at = 0;
        for size in &sizes {
            let document = crate::context::Document {
                path: String::new(), file: None, text: String::new(), lines: crate::context::Spans::default(), line_tokens: crate::context::Spans::default(), first_line: 1,
                tokens: at..at + size, sections: vec![], gap: None,
            };
            at += size;
            pack.documents.push(document);
        }
        let places = places(&pack, 7, most);
        prop_assert!(places.len() <= most + 1 && places.is_sorted());
        let ends: Vec<usize> = pack.documents.iter().map(|d| d.tokens.end + 7).collect();
        prop_assert!(places.iter().all(|place| ends.contains(place) && *place < at + 7));
        // The last document can always be changed alone.
        if sizes.len() > 1 {
            prop_assert_eq!(places.last(), ends.get(ends.len() - 2));
        }
    }
}
