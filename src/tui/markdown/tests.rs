//! What Markdown looks like, and that growing gives the same as reading all at once.

use proptest::prelude::*;

use super::super::text::width;
use super::super::transcript::Body;
use super::*;

/// The rows as they are drawn.
fn drawn(source: &str, wide: usize) -> Vec<String> {
    let markdown = Markdown::of(source, wide);
    (0..markdown.count())
        .map(|row| text(&markdown, source, row).trim_end().to_owned())
        .collect()
}

fn text(markdown: &Markdown, source: &str, row: usize) -> String {
    let pieces = markdown.pieces(source, row);
    pieces.iter().map(|piece| piece.text).collect()
}

/// Long texts make bad messages.
fn clip(source: &str) -> &str {
    &source[..source.floor_char_boundary(200)]
}

fn assert_same(grown: &Markdown, whole: &Markdown, source: &str) {
    assert_eq!(grown.count(), whole.count(), "{:?}", clip(source));
    for row in 0..whole.count() {
        assert_eq!(
            grown.pieces(source, row),
            whole.pieces(source, row),
            "row {row} of {:?}",
            clip(source)
        );
        assert_eq!(grown.range(row), whole.range(row), "row {row} of {:?}", clip(source));
        assert_eq!(grown.start(row), whole.start(row), "row {row} of {:?}", clip(source));
    }
    assert_eq!(grown.code, whole.code, "{:?}", clip(source));
}

fn assert_sound(source: &str, wide: usize) {
    let body = Body::markdown(source, wide);
    for row in 0..body.count() {
        assert_eq!(
            body.row_of(body.start(row)),
            row,
            "start of row {row} at {wide} of {source:?}"
        );
        let taken: usize = body.pieces(source, row).iter().map(|piece| width(piece.text)).sum();
        let shown = body
            .pieces(source, row)
            .iter()
            .map(|piece| piece.text)
            .collect::<String>();
        // What is not the source is never broken.
        assert!(taken <= wide.max(4), "row {row} at {wide}: {shown:?} of {source:?}");
    }
    for offset in (0..=source.len()).filter(|&at| source.is_char_boundary(at)) {
        let row = body.row_of(offset);
        let range = body.range(row);
        assert!(
            range.contains(&offset) || offset == source.len(),
            "{offset} of {source:?}"
        );
        let next = (offset + 1..=source.len()).find(|&at| source.is_char_boundary(at));
        let drawn = next.map_or_else(Vec::new, |next| body.columns_of(source, row, &(offset..next)));
        for other in (0..body.count()).filter(|&other| other != row) {
            let elsewhere = next.map_or_else(Vec::new, |next| body.columns_of(source, other, &(offset..next)));
            assert!(
                elsewhere.is_empty(),
                "{offset} is drawn in {row} {drawn:?} and in {other} of {source:?}"
            );
        }
    }
}

const TOUR: &str = "\
# Title with `code`

A paragraph with **bold**, *italic*, ~~gone~~ and [a link](https://example.org/x).
Second line\\
third  

- one
  - nested that is long enough to be wrapped
- [ ] open
- [x] done
10. ten
11. eleven

> quoted **text**
lazily goes on
> > deeper

| Name | Size | Note |
|:-----|-----:|:----:|
| a | 1 | x |
| 你好 | 1000 | yes |

```rust
fn main() {
\tlet x = 1;
}
```

    indented

---
Setext
===
<b>html</b> [^1]

[^1]: note
";

#[test]
fn a_tour() {
    let expected = "\
Title with code

A paragraph with bold, italic, gone and
a link (https://example.org/x).
Second line
third

• one
  • nested that is long enough to be
    wrapped
☐ open
☑ done
10. ten
11. eleven

▎ quoted text
▎ lazily goes on
▎ ▎ deeper

Name │ Size │ Note
─────┼──────┼─────
a    │    1 │  x
你好 │ 1000 │ yes

╭ rust
│ fn main() {
│     let x = 1;
│ }
╰

│ indented

────────────────────────────────────────
Setext
<b>html</b> [^1]

[^1]: note";
    let rows = drawn(TOUR, 40);
    assert_eq!(rows.join("\n"), expected);
}

/// Pieces of which streams are made: whole constructs, halves of them, and what disturbs them.
const PARTS: &str = "(?s)(a|b c|word word |\n|\n\n|  |    |\t|- |\\* |1\\. |2\\) |- \\[ \\] |> |#|## |\\*|\\*\\*|_|~~|`|```|```rust\n|~~~|---|===|--|-|\\||\\| a \\| b \\||\\|---\\|:-:\\||\\[a\\]\\(b\\)|\\[|\\]|\\(|\\)|\\[x\\]: y|https://a|<b>|&amp;|\\\\|你|e\u{301}|\u{301}|👩|\u{200d}|🇩|\u{1b}|\r\n){0,40}";

fn check_growing(text: &str, cuts: &[usize], wide: usize) {
    let mut cuts: Vec<usize> = cuts
        .iter()
        .map(|&cut| text.floor_char_boundary(cut % (text.len() + 1)))
        .collect();
    cuts.push(text.len());
    cuts.sort_unstable();
    let mut grown = Markdown::of("", wide);
    let mut before = grown.clone();
    let mut last = 0;
    for cut in cuts {
        let changed = grown.extend(&text[..cut]);
        for row in 0..changed {
            assert_eq!(
                grown.pieces(text, row),
                before.pieces(text, row),
                "kept row {row} of {:?}",
                &text[..cut]
            );
        }
        assert!(changed <= before.count() && cut >= last);
        assert_same(&grown, &Markdown::of(&text[..cut], wide), &text[..cut]);
        before.clone_from(&grown);
        last = cut;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(700))]

    #[test]
    fn growing_is_the_same_as_reading_at_once(text in PARTS, cuts in prop::collection::vec(0usize..400, 0..20), wide in 1usize..50) {
        check_growing(&text, &cuts, wide);
    }

    #[test]
    fn every_offset_has_its_row_and_every_row_fits(text in PARTS, wide in 1usize..50) {
        assert_sound(&text, wide);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Long enough for paragraphs, lines of code and tables to be settled in parts.
    #[test]
    fn growing_is_the_same_where_windows_end(
        pieces in prop::collection::vec(("(?s)(a|b c|word |\\*\\*|`|\\[a\\]\\(b\\)|你|e\u{301}|\u{301}|👩| ){1,30}", 1usize..300, prop_oneof![Just(""), Just("\n"), Just("\n| "), Just("\n- "), Just("\n> "), Just("\n\n"), Just("\n```\n"), Just("\n|a|b|\n|-|-|\n|"), Just("|"), Just("\n---\n"), Just("\n# ")]), 1..12),
        cuts in prop::collection::vec(0usize..100_000, 0..8),
        wide in 1usize..130,
    ) {
        let text: String = pieces.iter().map(|(piece, times, end)| piece.repeat(*times) + end).collect();
        let cuts: Vec<usize> = cuts.into_iter().flat_map(|cut| [cut, cut + 1, cut + 2]).collect();
        check_growing(&text, &cuts, wide);
    }
}
