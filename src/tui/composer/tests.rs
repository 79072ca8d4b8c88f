use proptest::prelude::*;

use super::super::text::clusters;
use super::*;

/// The text with `|` at the cursor.
fn shown(composer: &Composer) -> String {
    let (before, after) = composer.text().split_at(composer.cursor());
    format!("{before}|{after}")
}

fn written(text: &str) -> Composer {
    let mut composer = Composer::default();
    composer.set_field(20);
    let (before, after) = text.split_once('|').expect("a cursor");
    composer.insert(after);
    composer.move_to(0);
    composer.insert(before);
    composer.draft.gather(true);
    composer.draft.gather(false);
    composer
}

type Edit = fn(&mut Composer);

#[test]
fn edits() {
    let cases: &[(&str, Edit, &str)] = &[
        ("a你|b", Composer::left, "a|你b"),
        ("|👩‍👩‍👧b", Composer::right, "👩‍👩‍👧|b"),
        ("|🇩🇪🇫🇷", Composer::right, "🇩🇪|🇫🇷"),
        ("🇩🇪🇫🇷|", Composer::backspace, "🇩🇪|"),
        ("a☺\u{fe0f}|", Composer::left, "a|☺\u{fe0f}"),
        ("e\u{301}|", Composer::backspace, "|"),
        ("a\n|b", Composer::backspace, "a|b"),
        ("a|\nb", Composer::delete, "a|b"),
        ("|", Composer::backspace, "|"),
        ("|", Composer::delete, "|"),
        ("one two_3 |four", Composer::word_left, "one |two_3 four"),
        ("one| two_3 four", Composer::word_right, "one two_3| four"),
        ("one two |", Composer::kill_word, "one |"),
        ("a\nbc|d", Composer::home, "a\n|bcd"),
        ("a\nbc|d", Composer::kill_to_start, "a\n|d"),
        ("a|b\ncd", Composer::kill_to_end, "a|\ncd"),
        ("ab|\ncd", Composer::kill_to_end, "ab|cd"),
    ];
    for (before, edit, after) in cases {
        let mut composer = written(before);
        edit(&mut composer);
        assert_eq!(shown(&composer), *after, "from {before:?}");
    }
}

#[test]
fn what_was_killed_comes_back() {
    let mut composer = written("one two|");
    composer.kill_word();
    composer.home();
    composer.yank();
    assert_eq!(shown(&composer), "two|one ");
}

#[test]
fn a_small_paste_is_text_without_control_characters() {
    let mut composer = written("a|z");
    composer.paste("b\r\nc\u{1b}[31m\td");
    assert_eq!(shown(&composer), "ab\nc[31m\td|z");
}

#[test]
fn a_combining_mark_joins_and_the_cursor_stays_outside() {
    let mut composer = written("|\u{301}x");
    composer.insert("e");
    assert_eq!(shown(&composer), "e\u{301}|x");
}

#[test]
fn a_large_paste_is_one_character_to_the_cursor() {
    let mut composer = written("see | x");
    let pasted = "line\n".repeat(9);
    composer.paste(&pasted);
    assert_eq!(shown(&composer), "see [pasted 9 lines, 45 characters #1]| x");
    assert_eq!(composer.whole(), format!("see {pasted} x"));
    composer.left();
    assert_eq!(composer.cursor(), 4);
    composer.right();
    composer.word_left();
    assert_eq!(composer.cursor(), 4, "it is a word");
    composer.word_right();
    composer.paste(&"y".repeat(1_001));
    assert!(composer.text().contains("[pasted 1 line, 1,001 characters #2]"));
    composer.backspace();
    composer.backspace();
    assert_eq!(shown(&composer), "see | x");
    composer.undo();
    assert_eq!(composer.whole(), format!("see {pasted}{} x", "y".repeat(1_001)));
}

#[test]
fn a_chip_is_killed_yanked_expanded_and_remembered_whole() {
    let mut composer = written("|");
    let pasted = "word ".repeat(300);
    composer.paste(&pasted);
    composer.kill_word();
    assert!(composer.is_empty());
    composer.yank();
    composer.insert("?");
    assert_eq!(composer.take(), format!("{pasted}?"));
    composer.up();
    assert!(composer.text().starts_with("[pasted 1 line, 1,500 characters #1]?"));
    composer.home();
    assert!(composer.expand());
    assert_eq!(composer.text(), format!("{pasted}?"));
    assert!(!composer.expand(), "there is none any more");
    composer.undo();
    assert_eq!(composer.draft.piece().chips().len(), 1);
}

#[test]
fn a_label_that_one_types_is_text() {
    let mut composer = written("[pasted 9 lines, 45 characters #1]|");
    assert!(!composer.expand());
    composer.backspace();
    assert_eq!(shown(&composer), "[pasted 9 lines, 45 characters #1|");
}

#[test]
fn rows_up_and_down_keep_the_column() {
    let mut composer = written("abcdef\nx\nabcd|ef");
    composer.up();
    assert_eq!(shown(&composer), "abcdef\nx|\nabcdef");
    composer.up();
    assert_eq!(shown(&composer), "abcd|ef\nx\nabcdef");
    composer.down();
    composer.down();
    assert_eq!(shown(&composer), "abcdef\nx\nabcd|ef");
}

#[test]
fn rows_up_and_down_pass_a_chip_that_takes_several() {
    let mut composer = written("ab\n|\ncd");
    composer.paste(&"x\n".repeat(20));
    composer.set_field(10);
    composer.move_to(1);
    let mut seen = Vec::new();
    for _ in 0..6 {
        composer.down();
        seen.push(composer.cursor());
    }
    assert_eq!(composer.cursor(), composer.text().len());
    assert!(seen.windows(2).all(|pair| pair[0] <= pair[1]));
    for _ in 0..6 {
        composer.up();
    }
    assert_eq!(composer.cursor(), 0);
}

#[test]
fn history_keeps_the_draft() {
    let mut composer = Composer::default();
    composer.set_field(20);
    for sent in ["first", "second", "second"] {
        composer.insert(sent);
        composer.take();
    }
    composer.insert("draft");
    composer.up();
    assert_eq!(shown(&composer), "second|");
    composer.up();
    composer.up();
    assert_eq!(shown(&composer), "|first");
    composer.down();
    composer.down();
    assert_eq!(shown(&composer), "draft|");
}

#[test]
fn up_after_typing_finds_what_begins_so() {
    let mut composer = written("|");
    for sent in ["why is it", "how", "why not"] {
        composer.insert(sent);
        composer.take();
    }
    composer.insert("why");
    composer.up();
    assert_eq!(shown(&composer), "why not|");
    composer.up();
    assert_eq!(shown(&composer), "why is it|");
    composer.insert("?");
    composer.up();
    assert_eq!(shown(&composer), "why not|", "none begins so: all, from the newest");
    composer.down();
    assert_eq!(shown(&composer), "why is it?|");
}

#[test]
fn what_was_done_is_taken_back_by_words_and_done_again() {
    let mut composer = written("|");
    for c in "one two  three".chars() {
        composer.insert(c.encode_utf8(&mut [0; 4]));
    }
    for expected in ["one two  |", "one |", "|"] {
        assert!(composer.undo());
        assert_eq!(shown(&composer), expected);
    }
    assert!(!composer.undo());
    assert!(composer.redo() && composer.redo());
    assert_eq!(shown(&composer), "one two  |");
    composer.backspace();
    composer.backspace();
    composer.backspace();
    composer.left();
    composer.insert("x");
    assert!(!composer.redo(), "something else was done");
    composer.undo();
    composer.undo();
    assert_eq!(shown(&composer), "one two  |");
}

#[test]
fn what_history_and_completion_replace_comes_back() {
    let mut composer = written("|");
    composer.insert("sent");
    composer.take();
    composer.insert("draft @m");
    composer.splice(6..8, "@main.rs ");
    assert_eq!(shown(&composer), "draft @main.rs |");
    composer.undo();
    assert_eq!(shown(&composer), "draft @m|");
    composer.up();
    assert_eq!(shown(&composer), "sent|");
    composer.undo();
    assert_eq!(shown(&composer), "draft @m|");
}

#[test]
fn what_is_given_up_can_be_had_again() {
    let mut composer = written("a draft|");
    assert_eq!(composer.give_up().as_deref(), Some("a draft"));
    assert!(composer.is_empty());
    composer.up();
    assert_eq!(shown(&composer), "a draft|");
    composer.undo();
    composer.undo();
    assert_eq!(shown(&composer), "a draft|");
    assert_eq!(written(" |").give_up(), None);
}

#[test]
fn the_cursor_is_placed_by_cells() {
    let place = |text: &str, field: usize| {
        let mut composer = written(text);
        composer.set_field(field);
        composer.place()
    };
    assert_eq!(place("你好|x", 20), (0, 4));
    assert_eq!(place("abcd|", 4), (1, 1));
    assert_eq!(place("abc\n|", 20), (1, 0));
    assert_eq!(place("👩‍👩‍👧🇩🇪☺\u{fe0f}e\u{301}|", 20), (0, 7));
}

fn click(composer: &mut Composer, row: usize, column: usize) {
    composer.press(row, column, Unit::Character);
    composer.release();
}

#[test]
fn what_is_dragged_over_is_selected_and_replaced_by_what_comes() {
    let mut composer = written("one two|three four");
    composer.set_field(120);
    let drag = |composer: &mut Composer, from: (usize, usize), to: (usize, usize)| {
        composer.press(from.0, from.1, Unit::Character);
        composer.drag(to.0, to.1);
        composer.release();
    };
    drag(&mut composer, (0, 4), (0, 7));
    assert_eq!(composer.selected_text().as_deref(), Some("two"));
    composer.insert("2");
    assert_eq!(shown(&composer), "one 2|three four");
    assert_eq!(composer.selected_text(), None);
    drag(&mut composer, (0, 5), (0, 0));
    composer.backspace();
    assert_eq!(shown(&composer), "|three four");
    composer.undo();
    composer.press(0, 1, Unit::Word);
    assert_eq!(composer.selected_text().as_deref(), Some("one"));
    composer.kill_word();
    composer.end();
    composer.yank();
    assert_eq!(shown(&composer), " 2three fourone|");
    composer.press(0, 1, Unit::Line);
    composer.left();
    assert_eq!(composer.selected_text(), None, "who moves the cursor lets go");
    composer.paste(&"line\n".repeat(9));
    let label = composer.text().find("#1").unwrap();
    drag(&mut composer, (0, label), (0, 0));
    assert!(
        composer.selected_text().is_some_and(|text| text.contains("line\nline")),
        "chips are whole"
    );
    assert!(composer.text().contains("#1"), "what is dragged over is not opened");
}

#[test]
fn in_vims_commands_the_mouse_selects_as_vim_does() {
    let mut composer = written("one two three|");
    composer.set_vim(true);
    composer.escape();
    composer.press(0, 4, Unit::Character);
    composer.drag(0, 7);
    assert_eq!(composer.mode(), Some(Mode::Visual));
    assert_eq!(composer.selected_text().as_deref(), Some("two"));
    composer.command('d');
    assert_eq!(composer.text(), "one  three");
}

#[test]
fn a_click_places_the_cursor_and_opens_a_chip() {
    let mut composer = written("ab你|cd\nxy");
    click(&mut composer, 0, 3);
    assert_eq!(shown(&composer), "ab|你cd\nxy", "in the middle of a wide character");
    click(&mut composer, 0, 4);
    assert_eq!(shown(&composer), "ab你|cd\nxy");
    click(&mut composer, 9, 99);
    assert_eq!(shown(&composer), "ab你cd\nxy|");
    composer.paste(&"line\n".repeat(9));
    click(&mut composer, 1, 5);
    assert_eq!(composer.text(), composer.whole());
}

#[test]
fn characters_that_come_at_once_become_a_chip_and_send_nothing() {
    let mut composer = written("> |");
    let now = Duration::from_secs(1);
    for c in "line\n".repeat(9).chars() {
        if c == '\n' {
            assert!(!composer.enter(now));
        } else {
            composer.typed(c, now);
        }
    }
    assert!(!composer.end_burst());
    assert_eq!(shown(&composer), "> [pasted 9 lines, 45 characters #1]|");
    let later = Duration::from_secs(2);
    composer.typed('x', later);
    assert!(composer.enter(later + Duration::from_millis(50)));
}

#[test]
fn a_chosen_entry_of_the_history_replaces_the_draft() {
    let mut composer = written("|");
    for sent in ["where is main", "why", "what is main for"] {
        composer.insert(sent);
        composer.take();
    }
    composer.insert("draft");
    composer.search_history();
    if let Some(search) = &mut composer.search {
        search.write("main");
        search.choose(1);
    }
    composer.take_found();
    assert_eq!(shown(&composer), "where is main|");
    composer.undo();
    assert_eq!(shown(&composer), "draft|");
}

/// Everything that can be done, in any order.
fn any_step() -> impl Strategy<Value = (usize, String)> {
    (
        0usize..30,
        "(?s)([ab ]|word|\n|\t|你|\u{301}|\u{200d}|👩|🇩|é|\r|☺|\u{fe0f}|\u{1b}|\u{600}){0,4}",
    )
}

fn perform(composer: &mut Composer, step: usize, text: &str, now: Duration) {
    match step {
        0 => composer.left(),
        1 => composer.right(),
        2 => composer.word_left(),
        3 => composer.word_right(),
        4 => composer.home(),
        5 => drop(composer.end()),
        6 => composer.backspace(),
        7 => composer.delete(),
        8 => composer.kill_word(),
        9 => composer.kill_to_start(),
        10 => composer.kill_to_end(),
        11 => composer.yank(),
        12 => composer.up(),
        13 => composer.down(),
        14 => drop(composer.take()),
        15 => drop(composer.undo()),
        16 => drop(composer.redo()),
        17 => drop(composer.expand()),
        18 => composer.paste(&text.repeat(5)),
        19 => composer.set_field(text.len() + 1),
        20 => composer.press(text.len() / 3, text.len(), Unit::Character),
        21 => drop(composer.give_up()),
        22 => drop(composer.enter(now)),
        23 => drop(composer.end_burst()),
        26 => composer.drag(text.len() / 2, text.len() / 3),
        27 => composer.release(),
        28 => composer.press(0, text.len() * 2, Unit::Word),
        24 => {
            let end = text.len().min(composer.text().len());
            composer.splice(end / 2..end, text);
        }
        25 => text.chars().for_each(|c| composer.typed(c, now)),
        _ => composer.insert(text),
    }
}

fn check(composer: &Composer) -> Result<(), TestCaseError> {
    let (text, at) = (composer.text(), composer.cursor());
    prop_assert!(at == text.len() || clusters(text).any(|(offset, _)| offset == at));
    prop_assert!(composer.draft.piece().chip_around(at).is_none());
    for chip in composer.draft.piece().chips() {
        prop_assert!(text[chip.range.clone()].starts_with("[pasted "));
    }
    let wide = composer.rows().width();
    let (rows, anew) = (composer.rows(), Rows::of(text, wide));
    prop_assert_eq!(rows.count(), anew.count());
    prop_assert!((0..rows.count()).all(|row| rows.range(row) == anew.range(row)));
    let (row, column) = composer.place();
    prop_assert!(row < rows.count() && column <= wide);
    let shown: usize = (0..rows.count())
        .flat_map(|row| composer.chips_in(row))
        .map(|range| range.len())
        .sum();
    prop_assert_eq!(
        shown,
        composer
            .draft
            .piece()
            .chips()
            .iter()
            .map(|chip| chip.range.len())
            .sum::<usize>()
    );
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn any_edits_leave_the_cursor_between_clusters_and_the_rows_true(steps in prop::collection::vec(any_step(), 0..60), field in 1usize..30) {
        let mut composer = Composer { limits: Limits { lines: 2, characters: 12 }, ..Composer::default() };
        composer.set_field(field);
        for (n, (step, text)) in steps.into_iter().enumerate() {
            perform(&mut composer, step, &text, Duration::from_millis(n as u64 * 7));
            check(&composer)?;
        }
    }

    #[test]
    fn all_that_was_done_is_taken_back_and_done_again(steps in prop::collection::vec(any_step(), 0..40)) {
        let mut composer = Composer { limits: Limits { lines: 2, characters: 12 }, ..Composer::default() };
        composer.set_field(20);
        // Sending begins anew.
        for (step, text) in steps.into_iter().filter(|(step, _)| *step != 14) {
            perform(&mut composer, step, &text, Duration::ZERO);
        }
        while composer.redo() {}
        let (end, whole) = (composer.draft.piece().clone(), composer.whole());
        let mut undone = 0;
        while composer.undo() {
            undone += 1;
            check(&composer)?;
        }
        prop_assert!(composer.is_empty());
        for _ in 0..undone {
            prop_assert!(composer.redo());
            check(&composer)?;
        }
        prop_assert_eq!(composer.draft.piece(), &end);
        prop_assert_eq!(composer.whole(), whole);
    }

    #[test]
    fn any_keys_of_vim_leave_the_cursor_between_clusters(
        keys in prop::collection::vec(prop_oneof![
            8 => "[hjklwbeWBE0^$gGfFtT;,dcypPxXr~JoOIAaiuUsSDCYvV.%{}1-5()\"'\\[ab ]",
            1 => "(你|\u{301}|👩|🇩|\u{200d}|\n)",
        ], 0..80),
        text in "(?s)([ab ]|word|\n|(|)|\"|你|e\u{301}|👩‍👩‍👧|🇩🇪|☺\u{fe0f}|\u{600}|\u{301}){0,20}",
        escapes in prop::collection::vec(any::<u8>(), 80),
    ) {
        let mut composer = Composer { limits: Limits { lines: 2, characters: 12 }, ..Composer::default() };
        composer.set_field(9);
        composer.set_vim(true);
        composer.insert(&text);
        composer.paste("one\ntwo\nthree");
        composer.escape();
        for (key, escape) in keys.iter().zip(escapes) {
            match escape {
                0..20 => drop(composer.escape()),
                20..25 => drop(composer.redo()),
                25..30 => perform(&mut composer, usize::from(escape), key, Duration::ZERO),
                30..45 => perform(&mut composer, usize::from(escape - 30), key, Duration::ZERO),
                _ if composer.is_commanded() => {
                    composer.command(key.chars().next().unwrap_or(' '));
                }
                _ => composer.insert(key),
            }
            check(&composer)?;
            if let Some(selected) = composer.selection() {
                prop_assert!(composer.text().get(selected).is_some());
            }
            if composer.mode() == Some(Mode::Normal) {
                let at = composer.cursor();
                let end = composer.draft.line_end(at);
                prop_assert!(at < end || composer.draft.line_start(at) == end, "{}", shown(&composer));
            }
        }
    }
}

/// The text with `|` before the cursor, after these keys of vim; `⎋` is Escape.
fn vim(text: &str, keys: &str) -> String {
    let mut composer = written(text);
    composer.set_vim(true);
    let at = composer.cursor();
    composer.escape();
    composer.move_to(at);
    for c in keys.chars() {
        match c {
            '⎋' => drop(composer.escape()),
            '⟲' => drop(composer.redo()),
            c if composer.is_commanded() => drop(composer.command(c)),
            c => composer.insert(c.encode_utf8(&mut [0; 4])),
        }
    }
    shown(&composer)
}

#[test]
fn motions_of_vim() {
    for (before, keys, after) in [
        ("abc |def", "h", "abc| def"),
        ("|abc def", "llll", "abc |def"),
        ("|ab\ncd", "5l", "a|b\ncd"),
        ("|foo.bar  baz", "w", "foo|.bar  baz"),
        ("|foo.bar  baz", "W", "foo.bar  |baz"),
        ("|foo\n\nbar", "w", "foo\n|\nbar"),
        ("|foo\n\nbar", "2w", "foo\n\n|bar"),
        ("foo bar |baz", "2b", "|foo bar baz"),
        ("foo.bar |baz", "B", "|foo.bar baz"),
        ("|foo bar", "e", "fo|o bar"),
        ("|foo bar", "ee", "foo ba|r"),
        ("foo ba|r", "ge", "fo|o bar"),
        ("  ab|c", "0", "|  abc"),
        ("  ab|c", "^", "  |abc"),
        ("|abc\nd", "$", "ab|c\nd"),
        ("ab\nc|d\nef", "gg", "|ab\ncd\nef"),
        ("a|b\ncd\nef", "G", "ab\ncd\n|ef"),
        ("|ab\ncd\nef", "2G", "ab\n|cd\nef"),
        ("abc|d\nx\nabcd", "jj", "abcd\nx\nabc|d"),
        ("|a,b,c", "f,", "a|,b,c"),
        ("|a,b,c", "f,;", "a,b|,c"),
        ("|a,b,c", "2f,,", "a|,b,c"),
        ("|a,b,c", "t,", "|a,b,c"),
        ("|a,b,c", "t,;", "a,|b,c"),
        ("a,b,|c", "F,", "a,b|,c"),
        ("a,b,|c", "T,;", "a,|b,c"),
        ("|f(a[1])", "%", "f(a[1]|)"),
        ("a\n\nb\n|c", "{", "a\n|\nb\nc"),
        ("|你👩‍👩‍👧x", "l", "你|👩‍👩‍👧x"),
    ] {
        assert_eq!(vim(before, keys), after, "{keys} in {before:?}");
    }
}

#[test]
fn operators_of_vim() {
    for (before, keys, after) in [
        ("|one two", "dw", "|two"),
        ("one |two\nthree", "dw", "one| \nthree"),
        ("|a b c d", "d2w", "|c d"),
        ("|a b c d", "2dw", "|c d"),
        ("|a b c d e", "2d2w", "|e"),
        ("one t|wo", "db", "one |wo"),
        ("one |two x", "de", "one | x"),
        ("one t|wo", "D", "one |t"),
        ("one t|wo\nx", "d$", "one |t\nx"),
        ("a\nb|c\nd", "dd", "a\n|d"),
        ("a\nb|c", "dd", "|a"),
        ("a|b\nc\nd\ne", "d2j", "|e"),
        ("a\nb|c\nd", "dgg", "|d"),
        ("f(a, |b)", "dt)", "f(a, |)"),
        ("|one two", "cwx⎋", "|x two"),
        ("on|e two", "cwx⎋", "on|x two"),
        ("a\nb|c\nd", "ccx⎋", "a\n|x\nd"),
        ("one t|wo", "Cx⎋", "one t|x"),
        ("|abc", "sx⎋", "|xbc"),
        ("|one two", "yw$p", "one twoone| "),
        ("a|b\nc", "yyjp", "ab\nc\n|ab"),
        ("a|b\nc", "yyP", "|ab\nab\nc"),
        ("|ab", "xp", "b|a"),
        ("|abc", "2xP", "a|bc"),
        ("ab|c", "X", "a|c"),
        ("|abc", "rx", "|xbc"),
        ("|abc", "2rx", "x|xc"),
        ("|abc", "9rx", "|abc"),
        ("|aBc", "3~", "Ab|C"),
        ("|one two", "gUw", "|ONE two"),
        ("o|ne two", "g~~", "|ONE TWO"),
        ("|a\n  b\nc", "J", "a| b\nc"),
        ("|a\n  b\nc", "3J", "a b| c"),
        ("|ab", "Ax⎋", "ab|x"),
        ("  a|b", "Ix⎋", "  |xab"),
        ("|ab", "ax⎋", "a|xb"),
        ("a|b\nc", "ox⎋", "ab\n|x\nc"),
        ("a|b\nc", "Ox⎋", "|x\nab\nc"),
        ("|ab", "3ix⎋", "xx|xab"),
        ("|a b c", "dw.", "|c"),
        ("|a b c d e", "dw3.", "|e"),
        ("|a b", "cwx⎋w.", "x |x"),
        ("|a b", "Ax⎋0.", "a bx|x"),
        ("|abc", "xxu", "|bc"),
        ("|abc", "xxuu⟲", "|bc"),
        ("|a b", "cwone two⎋u", "|a b"),
    ] {
        assert_eq!(vim(before, keys), after, "{keys} in {before:?}");
    }
}

#[test]
fn objects_of_vim() {
    for (before, keys, after) in [
        ("one t|wo three", "diw", "one | three"),
        ("one t|wo three", "daw", "one |three"),
        ("one t|wo", "daw", "on|e"),
        ("a f.b|c d", "diW", "a | d"),
        ("a \"b |c\" d", "di\"", "a \"|\" d"),
        ("a \"b |c\" d", "da\"", "a | d"),
        ("|a 'b' d", "ci'x⎋", "a '|x' d"),
        ("f(a, (|b))", "di(", "f(a, (|))"),
        ("f(a, |(b))", "da(", "f(a, |)"),
        ("f(|a, (b))", "dib", "f(|)"),
        ("x {a\n|b} y", "di{", "x {|} y"),
        ("a[|1]", "ci]2⎋", "a[|2]"),
        ("x\n\na\n|b\n\ny", "dip", "x\n\n|\ny"),
        ("|x", "di(", "|x"),
    ] {
        assert_eq!(vim(before, keys), after, "{keys} in {before:?}");
    }
}

#[test]
fn selections_of_vim() {
    for (before, keys, after) in [
        ("|abcd", "vld", "|cd"),
        ("ab|cd", "vhx", "a|d"),
        ("|one two", "veyP", "on|eone two"),
        ("|one two", "vecx⎋", "|x two"),
        ("a\nb|c\nd\ne", "Vjd", "a\n|e"),
        ("|one two", "veU", "|ONE two"),
        ("|ab", "vlrx", "|xx"),
        ("one t|wo x", "viwd", "one | x"),
        ("|abcd", "vloh⎋", "|abcd"),
        ("|a\nb\nc", "VjJ", "a| b\nc"),
        ("|one two", "yiwwviwp", "one on|e"),
        ("|abcd", "vl⎋x", "a|cd"),
        ("|abcdef", "vld.", "|ef"),
    ] {
        assert_eq!(vim(before, keys), after, "{keys} in {before:?}");
    }
}

#[test]
fn vim_leaves_the_text_into_the_history() {
    let mut composer = written("|");
    composer.set_vim(true);
    composer.insert("first");
    composer.take();
    composer.insert("a\nb");
    composer.escape();
    composer.command('k');
    assert_eq!(composer.text(), "a\nb");
    composer.command('k');
    assert_eq!(composer.text(), "first");
    composer.command('j');
    assert_eq!(composer.text(), "a\nb");
    assert_eq!(composer.mode(), Some(Mode::Normal));
    composer.take();
    assert_eq!(composer.mode(), Some(Mode::Insert), "the next question is written");
}
