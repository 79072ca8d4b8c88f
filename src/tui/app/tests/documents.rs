//! The documents pane, as it is used.

use super::*;

const TREE: &[(&str, usize)] = &[
    ("src/main.rs", 1_000),
    ("src/tui/app.rs", 4_000),
    ("src/tui/view.rs", 3_000),
    ("docs/guide.md", 1_500),
    ("README.md", 500),
];

fn left_out() -> Vec<Skipped> {
    let mut generated = Skipped::new("src/tui/table.rs", Exclusion::Generated, "generated code");
    generated.tokens = Some(2_345);
    vec![generated, Skipped::new("logo.png", Exclusion::Image, "an image")]
}

/// With the pane open and the model having read everything.
fn open(width: u16, height: u16) -> Rig {
    let mut rig = Rig::new(width, height);
    rig.pack(TREE, left_out());
    rig.prefill(10_100, 10_100);
    rig.finish(StopReason::Prefilled);
    rig.key(KeyCode::F(2));
    rig
}

/// The names in the tree, with their marks.
fn names(rig: &mut Rig) -> Vec<String> {
    let frame = rig.frame();
    let end = frame
        .iter()
        .position(|row| row.contains(" files, ") || row.contains("marked"))
        .unwrap();
    let row = |row: &String| {
        row.split_whitespace()
            .take(3)
            .filter(|word| !"▾▸".contains(word))
            .take(2)
            .collect::<Vec<_>>()
            .join(" ")
    };
    frame[1..end].iter().map(row).filter(|row| !row.is_empty()).collect()
}

#[test]
fn the_tree_has_tokens_shares_and_reasons() {
    let mut rig = open(80, 24);
    assert_eq!(
        rig.frame()[..12],
        [
            " documents                                                            by tokens",
            " ▾ ● src/                                                    8,000  80% ██████▍",
            "   ▾ ● tui/                                                  7,000  70% █████▋",
            "       ● app.rs                                              4,000  40% ███▎",
            "       ● view.rs                                             3,000  30% ██▍",
            "       – table.rs  generated code                            2,345",
            "     ● main.rs                                               1,000  10% ▊",
            " ▾ ● docs/                                                   1,500  15% █▎",
            "     ● guide.md                                              1,500  15% █▎",
            "   ● README.md                                                 500   5% ▍",
            "   – logo.png  an image",
            "",
        ]
    );
    rig.shows(" 5 files, 10,000 of 100,000 tokens (10%)\npico · ready");
    rig.shows("? keys · Tab back");
    rig.lacks("❯");
    rig.key(KeyCode::Tab);
    rig.shows("❯ Ask");
    rig.lacks("guide.md");
}

#[test]
fn it_stands_beside_the_transcript_where_there_is_room() {
    for (width, height, side) in [(100, 30, 33), (120, 40, 40), (200, 60, 60)] {
        let mut rig = open(width, height);
        for row in &rig.frame()[..usize::from(height) - 1] {
            assert_eq!(row.chars().nth(side - 1), Some('│'), "{row}");
        }
        rig.shows("│❯ Ask");
        rig.shows("● guide.md");
        rig.key(KeyCode::Esc);
        rig.shows("● guide.md");
        rig.write("why");
        rig.shows("│❯ why");
        rig.key(KeyCode::F(2));
        rig.key(KeyCode::F(2));
        rig.lacks("guide.md");
        rig.shows("❯ why");
    }
}

#[test]
fn at_any_size_it_shows_what_it_can() {
    for (width, height) in [(1, 1), (2, 3), (20, 5), (40, 12), (80, 24), (120, 40), (200, 60)] {
        let mut rig = open(width, height);
        for key in "jjkGglhhsx/a".chars() {
            rig.key(KeyCode::Char(key));
            assert_eq!(rig.frame().len(), usize::from(height));
        }
    }
    let mut rig = open(40, 12);
    rig.shows(" ▾ ● src/            8,000  80% ██████▍");
    rig.shows("     ● main.rs       1,000  10% ▊");
    rig.shows(" 5 files, 10,000 of 100,000 tokens (10%)");
}

#[test]
fn marks_follow_the_prefill() {
    let mut rig = Rig::new(80, 24);
    rig.pack(TREE, Vec::new());
    rig.key(KeyCode::F(2));
    rig.key(KeyCode::Char('s'));
    let mut marks = |done| {
        rig.prefill(done, 10_100);
        names(&mut rig)
            .iter()
            .map(|row| row.chars().next().unwrap())
            .collect::<String>()
    };
    // In the order src, main.rs, tui, app.rs, view.rs, docs, guide.md, README.md.
    assert_eq!(marks(50), "○○○○○○○○");
    assert_eq!(marks(100), "◐◐○○○○○○");
    assert_eq!(marks(1_100), "◐●◐◐○○○○");
    assert_eq!(marks(8_500), "●●●●●◐◐○");
    assert_eq!(marks(10_100), "●●●●●●●●");
    rig.prefill(1_100, 10_100);
    rig.finish(StopReason::Cancelled);
    assert!(
        names(&mut rig).contains(&"○ app.rs".to_owned()),
        "nothing is being read"
    );
}

#[test]
fn folders_fold_by_keys_and_by_clicks() {
    let mut rig = open(80, 24);
    rig.key(KeyCode::Char('j'));
    rig.key(KeyCode::Char('h'));
    assert_eq!(names(&mut rig)[..3], ["● src/", "● tui/", "● main.rs"]);
    rig.key(KeyCode::Char('l'));
    rig.key(KeyCode::Char('l'));
    rig.key(KeyCode::Char('h'));
    rig.key(KeyCode::Char('h'));
    rig.key(KeyCode::Char('h'));
    rig.key(KeyCode::Enter);
    assert_eq!(names(&mut rig)[..2], ["● src/", "● docs/"]);
    rig.click_at(1, 1);
    assert_eq!(names(&mut rig)[..3], ["● src/", "● tui/", "● main.rs"]);
    rig.click_at(12, 2);
    rig.key(KeyCode::Right);
    assert_eq!(names(&mut rig)[2], "● app.rs", "a click on the name moves the cursor");
}

#[test]
fn a_fold_survives_other_documents() {
    let mut rig = open(80, 24);
    rig.key(KeyCode::Char('h'));
    rig.pack(
        &[("src/main.rs", 10), ("src/new.rs", 10), ("README.md", 500)],
        Vec::new(),
    );
    assert_eq!(names(&mut rig), ["○ README.md", "○ src/"]);
}

#[test]
fn the_order_is_by_tokens_or_as_read() {
    let mut rig = open(80, 24);
    rig.key(KeyCode::Char('x'));
    rig.key(KeyCode::Char('s'));
    assert_eq!(
        names(&mut rig),
        [
            "● src/",
            "● main.rs",
            "● tui/",
            "● app.rs",
            "● view.rs",
            "● docs/",
            "● guide.md",
            "● README.md"
        ]
    );
    rig.shows("as read");
}

#[test]
fn the_filter_leaves_what_has_the_text_and_the_folders_around_it() {
    let mut rig = open(80, 24);
    rig.key(KeyCode::Char('/'));
    rig.write("GUI");
    rig.shows(" /GUI");
    assert_eq!(names(&mut rig), ["● docs/", "● guide.md"]);
    rig.key(KeyCode::Enter);
    rig.key(KeyCode::Char('j'));
    rig.key(KeyCode::Esc);
    assert_eq!(names(&mut rig).len(), 10, "Esc drops the filter first");
    rig.key(KeyCode::Char('/'));
    rig.write("zzz");
    rig.shows("nothing has this in its name");
    rig.key(KeyCode::Esc);
    rig.key(KeyCode::Esc);
    rig.shows("❯ Ask");
    rig.key(KeyCode::F(2));
    rig.key(KeyCode::Char('/'));
    rig.write("view");
    rig.key(KeyCode::Enter);
    rig.key(KeyCode::Char('@'));
    assert_eq!(
        rig.app.composer.text(),
        "@src/tui/view.rs ",
        "the cursor goes to what is found"
    );
}

#[test]
fn a_document_is_opened_and_closed_again() {
    let mut rig = open(80, 24);
    rig.key(KeyCode::Char('G'));
    rig.key(KeyCode::Char('k'));
    let before = rig.screen();
    rig.key(KeyCode::Enter);
    assert!(rig.frame()[0].contains("README.md"), "{}", rig.screen());
    assert_ne!(rig.screen(), before);
    rig.key(KeyCode::Char('q'));
    assert_eq!(rig.screen(), before);
}

#[test]
fn the_wheel_scrolls_the_pane_it_is_over() {
    let mut rig = Rig::new(120, 12);
    let many: Vec<_> = (0..50).map(|n| (format!("f{n:02}.rs"), 100 - n)).collect();
    let many: Vec<_> = many.iter().map(|(name, n)| (name.as_str(), *n)).collect();
    rig.pack(&many, Vec::new());
    rig.finish(StopReason::Prefilled);
    rig.key(KeyCode::F(2));
    rig.mouse(MouseEventKind::ScrollDown, 5, 5);
    assert!(rig.frame()[1].contains("f03.rs"), "{}", rig.screen());
    rig.key(KeyCode::End);
    assert!(rig.frame()[9].contains("f49.rs"), "{}", rig.screen());
    rig.mouse(MouseEventKind::ScrollDown, 80, 2);
    assert!(rig.frame()[9].contains("f49.rs"), "{}", rig.screen());
    rig.click("❯ Ask");
    rig.write("k");
    rig.shows("❯ k");
}

/// `cargo test --lib -- --ignored --nocapture what_a_key_costs`
#[test]
#[ignore = "measures, and promises nothing"]
fn what_a_key_costs() {
    for files in [10_000, 100_000] {
        let many: Vec<_> = (0..files)
            .map(|n| {
                (
                    format!("crates/part{}/src/module{}/file_{n}.rs", n % 50, n % 1_000),
                    100,
                )
            })
            .collect();
        let many: Vec<_> = many.iter().map(|(name, n)| (name.as_str(), *n)).collect();
        let mut rig = Rig::new(200, 60);
        let timed = |what: &str, act: &mut dyn FnMut()| {
            let began = std::time::Instant::now();
            act();
            println!("{files} files, {what}: {:?}", began.elapsed());
        };
        timed("taken", &mut || rig.pack(&many, Vec::new()));
        for c in "@src/mod9file_99".chars() {
            timed(&format!("@ {c}"), &mut || rig.write(&c.to_string()));
        }
        timed("a frame", &mut || drop(rig.buffer()));
        rig.ctrl('u');
        rig.key(KeyCode::F(2));
        for key in "jGlhs".chars() {
            timed(&format!("key {key}"), &mut || drop(rig.key(KeyCode::Char(key))));
        }
        timed("a frame", &mut || drop(rig.buffer()));
        for key in "/e_99".chars() {
            timed(&format!("filter {key}"), &mut || drop(rig.key(KeyCode::Char(key))));
        }
        rig.key(KeyCode::Esc);
        timed("a prefill report", &mut || rig.prefill(10, 100));
    }
}

#[test]
fn a_hundred_thousand_files_begin_folded_and_only_those_in_view_are_drawn() {
    let many: Vec<_> = (0..100_000)
        .map(|n| (format!("a{}/b{}/f{n}.rs", n % 10, n % 100), 1))
        .collect();
    let many: Vec<_> = many.iter().map(|(name, n)| (name.as_str(), *n)).collect();
    let mut rig = Rig::new(80, 24);
    rig.pack(&many, Vec::new());
    rig.key(KeyCode::F(2));
    assert_eq!(names(&mut rig).len(), 21);
    rig.key(KeyCode::End);
    rig.key(KeyCode::Enter);
    rig.key(KeyCode::Enter);
    rig.shows("100,000 files, 100,000 of 100,000 tokens (100%)");
}

#[test]
fn a_record_says_that_it_keeps_no_list_of_documents() {
    let mut rig = Rig::new(120, 24);
    rig.documents(Vec::new());
    rig.key(KeyCode::F(2));
    let frame = rig.frame().join("\n");
    assert!(frame.contains("12 documents, not kept in the record"), "{frame}");
    assert!(frame.contains("41,233 of 1,048,576 (4%)"), "{frame}");
    assert!(!frame.contains("a loads some"), "{frame}");
}
