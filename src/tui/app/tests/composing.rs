//! Writing in the application: pastes, history, undo, the editor, vim's keys.

use ratatui::style::Modifier;

use super::super::super::composer::store::Told;
use super::super::super::composer::vim::Mode;
use super::super::super::editor::{Edited, Editing, Purpose};
use super::super::super::terminal::CursorShape;
use super::super::super::theme::Part;
use super::*;

fn text(rig: &Rig) -> &str {
    rig.app.composer.text()
}

/// Characters that come at once, as from a terminal that does not bracket pastes.
fn pour(rig: &mut Rig, text: &str) -> Vec<Effect> {
    let mut effects = Vec::new();
    for c in text.chars() {
        let code = match c {
            '\n' => KeyCode::Enter,
            '\t' => KeyCode::Tab,
            c => KeyCode::Char(c),
        };
        effects.extend(rig.input(Input::Key(KeyEvent::new(code, KeyModifiers::NONE))));
    }
    effects
}

#[test]
fn a_large_paste_is_a_chip_that_is_sent_whole() {
    let mut rig = Rig::ready(80, 24);
    rig.write("explain ");
    let pasted = "a line\n".repeat(214);
    rig.input(Input::Paste(pasted.clone()));
    rig.shows("❯ explain [pasted 214 lines, 1,498 characters #1]");
    let buf = rig.buffer();
    let row = rig.frame().iter().position(|row| row.contains("[pasted")).unwrap() as u16;
    assert_eq!(
        buf[(10, row)].style().fg,
        rig.app.setup.theme.style(Part::Chip).fg,
        "it can be told from text"
    );
    rig.write("?");
    assert_eq!(rig.key(KeyCode::Enter), ask(&format!("explain {pasted}?")));
    assert_eq!(rig.remembered, [format!("explain {pasted}?")]);
    rig.key(KeyCode::Up);
    assert!(text(&rig).starts_with("explain [pasted 214"));
}

#[test]
fn a_chip_expands_by_a_key_and_by_a_click() {
    let mut rig = Rig::ready(80, 24);
    rig.input(Input::Paste("x\n".repeat(9)));
    rig.press(KeyCode::Char('e'), KeyModifiers::ALT);
    assert_eq!(text(&rig), "x\n".repeat(9));
    rig.press(KeyCode::Char('_'), KeyModifiers::CONTROL);
    assert!(text(&rig).starts_with("[pasted 9 lines"));
    rig.click("[pasted");
    assert_eq!(text(&rig), "x\n".repeat(9));
    rig.press(KeyCode::Char('e'), KeyModifiers::ALT);
    rig.shows("there is no large paste at the cursor");
}

#[test]
fn a_click_in_the_field_places_the_cursor_and_writes() {
    let mut rig = Rig::ready(80, 24);
    rig.write("ab你cd");
    rig.key(KeyCode::Esc);
    assert_eq!(rig.app.focus(), Focus::Conversation);
    rig.click("你");
    assert_eq!(rig.app.focus(), Focus::Composer);
    rig.write("x");
    assert_eq!(text(&rig), "abx你cd");
}

#[test]
fn lines_that_come_faster_than_anyone_types_send_nothing() {
    let mut rig = Rig::ready(80, 24);
    assert_eq!(pour(&mut rig, "one\n\ttwo\n\nthree\n"), []);
    rig.wait(100);
    assert_eq!(text(&rig), "one\n\ttwo\n\nthree\n");
    rig.ctrl('u');
    assert_eq!(
        rig.key(KeyCode::Enter),
        ask("one\n\ttwo\n\nthree"),
        "a key that is pressed sends"
    );
    pour(&mut rig, &"line\n".repeat(20));
    rig.wait(100);
    assert_eq!(text(&rig), "[pasted 20 lines, 100 characters #1]");
}

#[test]
fn one_line_that_comes_at_once_with_an_enter_is_sent_when_nothing_follows() {
    let mut rig = Rig::ready(80, 24);
    assert_eq!(pour(&mut rig, "why?\n"), []);
    let wake = rig.app.next_tick().expect("it is not known yet what the Enter is");
    rig.now = wake;
    assert_eq!(rig.input(Input::Tick), ask("why?"));
    assert_eq!(rig.app.next_tick(), None, "nobody wakes up any more");
}

#[test]
fn what_earlier_runs_left_is_recalled_and_found() {
    let mut rig = Rig::ready(80, 24);
    let earlier = ["where is main", "what\nis it", "why"].map(str::to_owned);
    rig.input(Input::History(Told::Entries(earlier.into())));
    rig.key(KeyCode::Up);
    assert_eq!(text(&rig), "why");
    rig.ctrl('u');
    rig.write("wh");
    rig.key(KeyCode::Up);
    rig.key(KeyCode::Up);
    assert_eq!(text(&rig), "what\nis it");
    rig.key(KeyCode::Down);
    rig.key(KeyCode::Down);
    assert_eq!(text(&rig), "wh", "the draft is there again");
    rig.ctrl('r');
    rig.shows("  why\n  what ⏎ is it\n  where is main\n");
    rig.shows("❯ find:");
    rig.shows("Enter takes · Esc back");
    rig.write("main");
    rig.lacks("  why");
    rig.key(KeyCode::Enter);
    assert_eq!(text(&rig), "where is main");
    rig.lacks("find:");
    rig.input(Input::History(Told::Failed("the history cannot be written".into())));
    rig.shows("! the history cannot be written");
}

#[test]
fn looking_through_the_history_can_be_given_up() {
    let mut rig = Rig::ready(80, 24);
    rig.ask("first");
    rig.ask("second");
    rig.write("draft");
    rig.ctrl('x');
    rig.key(KeyCode::Char('s'));
    rig.ctrl('r');
    rig.key(KeyCode::Esc);
    assert_eq!((text(&rig), rig.app.focus()), ("draft", Focus::Composer));
    rig.ctrl('r');
    rig.key(KeyCode::Down);
    rig.click("  first");
    assert_eq!(text(&rig), "first");
    rig.ctrl('r');
    rig.input(Input::Paste("sec".into()));
    rig.key(KeyCode::Tab);
    assert_eq!(text(&rig), "second");
}

#[test]
fn what_is_given_up_is_remembered() {
    let mut rig = Rig::ready(80, 24);
    rig.write("half a thought");
    assert_eq!(rig.ctrl('c'), []);
    assert_eq!((text(&rig), &*rig.remembered), ("", &["half a thought".to_owned()][..]));
    rig.shows("Ctrl-C again leaves");
    assert_eq!(rig.ctrl('c'), [Effect::Quit]);
    assert_eq!(rig.app.unsent(), None);
    rig.key(KeyCode::Up);
    assert_eq!(text(&rig), "half a thought");
    assert_eq!(rig.app.unsent().as_deref(), Some("half a thought"));
    rig.question("q");
    assert_eq!(rig.ctrl('c'), [Effect::Cancel], "what runs comes first");
    assert_eq!(text(&rig), "half a thought");
}

#[test]
fn keys_take_back_and_do_again() {
    let mut rig = Rig::ready(80, 24);
    rig.write("one two");
    rig.ctrl('x');
    rig.key(KeyCode::Char('u'));
    assert_eq!(text(&rig), "one ");
    rig.press(KeyCode::Char('_'), KeyModifiers::ALT);
    assert_eq!(text(&rig), "one two");
    rig.ctrl('u');
    rig.press(KeyCode::Char('_'), KeyModifiers::CONTROL);
    assert_eq!(text(&rig), "one two");
}

#[test]
fn the_editor_gets_the_draft_and_gives_it_back() {
    let mut rig = Rig::ready(80, 24);
    let pasted = "x\n".repeat(9);
    rig.write("see ");
    rig.input(Input::Paste(pasted.clone()));
    let edit = Effect::Edit(Editing {
        text: format!("see {pasted}"),
        name: "question.md".into(),
        purpose: Purpose::Draft,
    });
    assert_eq!(rig.ctrl('g'), std::slice::from_ref(&edit));
    let edited = |text: Result<&str, &str>| {
        Input::Edited(Edited {
            purpose: Purpose::Draft,
            text: text.map(str::to_owned).map_err(str::to_owned),
        })
    };
    rig.input(edited(Ok(&format!("see {pasted}"))));
    assert!(text(&rig).starts_with("see [pasted"), "nothing was changed");
    rig.input(edited(Err("vi has failed with code 1")));
    rig.shows("! vi has failed with code 1");
    rig.input(edited(Ok("another\nquestion\u{1b}\n")));
    assert_eq!(text(&rig), "another\nquestion");
    rig.press(KeyCode::Char('_'), KeyModifiers::CONTROL);
    rig.ctrl('x');
    assert_eq!(rig.key(KeyCode::Char('g')), [edit]);
}

#[test]
fn commands_are_offered_with_what_they_do() {
    let mut rig = Rig::ready(80, 24);
    rig.write("/the");
    rig.shows("  /theme  change the colours, or list the themes");
    rig.key(KeyCode::Enter);
    assert_eq!(text(&rig), "/theme ", "it may have an argument");
    rig.shows("  ember ");
    rig.write("sto");
    rig.key(KeyCode::Tab);
    assert_eq!(rig.key(KeyCode::Enter), [Effect::LoadTheme("storm".into())]);
    rig.write("/mo");
    assert_eq!(
        rig.key(KeyCode::Enter),
        [Effect::CaptureMouse(false)],
        "it is carried out"
    );
    rig.write("/vim o");
    rig.shows("  on\n  off\n");
    rig.key(KeyCode::Down);
    rig.key(KeyCode::Tab);
    assert_eq!(text(&rig), "/vim off");
    rig.ctrl('u');
    rig.write("/mse");
    rig.shows("  /mouse ");
    rig.key(KeyCode::Enter);
    rig.shows("there is no command /mse");
    rig.key(KeyCode::Esc);
    rig.lacks("  /mouse ");
    rig.key(KeyCode::Tab);
    rig.shows("  /mouse ");
}

#[test]
fn a_long_draft_takes_a_third_and_shows_that_there_is_more() {
    for (width, height) in [(80, 24), (200, 60), (40, 12)] {
        let mut rig = Rig::ready(width, height);
        for row in 0..14 {
            rig.input(Input::Paste(format!("row {row}\n")));
        }
        let arrows = |rig: &mut Rig| ['↑', '↓'].map(|arrow| rig.frame().iter().any(|row| row.ends_with(arrow)));
        let all = usize::from(height / 3) >= 15;
        assert_eq!(arrows(&mut rig), [!all, false], "{width}x{height}");
        for _ in 0..14 {
            rig.key(KeyCode::Up);
        }
        assert_eq!(arrows(&mut rig), [false, !all], "{width}x{height}");
        rig.shows("❯ row 0");
    }
}

#[test]
fn vim_s_keys_are_there_when_they_are_wanted() {
    let mut rig = Rig::ready(80, 24);
    assert_eq!(rig.app.cursor_shape(), CursorShape::Usual);
    rig.ask("/vim");
    assert_eq!(rig.app.cursor_shape(), CursorShape::Bar);
    rig.write("one two three");
    rig.key(KeyCode::Esc);
    rig.shows("─ normal ─");
    rig.shows("❮ one two three");
    assert_eq!(
        (rig.app.cursor_shape(), rig.app.focus()),
        (CursorShape::Block, Focus::Composer)
    );
    rig.write("0d2");
    rig.shows("─ normal d2 ─");
    rig.write("w");
    assert_eq!(text(&rig), "three");
    rig.write("uvl");
    rig.shows("─ visual ─");
    let buf = rig.buffer();
    let row = rig.frame().iter().position(|row| row.starts_with("❮ one")).unwrap() as u16;
    let reversed = |x: u16| buf[(x, row)].style().add_modifier.contains(Modifier::REVERSED);
    assert_eq!([2, 3, 4].map(reversed), [true, true, false], "what is selected is seen");
    rig.key(KeyCode::Esc);
    rig.ctrl('r');
    assert_eq!(text(&rig), "three");
    rig.write("Q");
    assert_eq!(text(&rig), "three", "what means nothing writes nothing");
    rig.key(KeyCode::Esc);
    assert_eq!(
        rig.app.focus(),
        Focus::Conversation,
        "there is nothing to leave any more"
    );
    rig.write("i");
    assert_eq!(rig.key(KeyCode::Enter), ask("three"));
    assert_eq!(rig.app.composer.mode(), Some(Mode::Insert));
    rig.key(KeyCode::Esc);
    rig.write("?");
    rig.shows("╭─ help");
    rig.key(KeyCode::Esc);
    rig.write("i/vim off");
    rig.key(KeyCode::Enter);
    assert_eq!(rig.app.composer.mode(), None);
    rig.ask("/vim maybe");
    rig.shows("! /vim on or /vim off, not maybe");
}

#[test]
fn escape_leaves_vim_s_insertion_before_it_cancels() {
    let mut rig = Rig::ready(80, 24);
    rig.ask("/vim on");
    rig.question("q");
    rig.write("x");
    assert_eq!(rig.key(KeyCode::Esc), []);
    assert_eq!(rig.key(KeyCode::Esc), [Effect::Cancel]);
}

#[test]
fn what_is_being_written_is_kept_a_moment_later_and_no_more_when_it_is_sent() {
    let mut rig = Rig::ready(80, 24);
    rig.sees_drafts = true;
    assert_eq!(rig.app.next_tick(), None);
    rig.write("What");
    assert!(rig.app.next_tick().is_some(), "it is still to be kept");
    rig.now += Duration::from_secs(1);
    assert_eq!(rig.input(Input::Tick), [Effect::KeepDraft("What".into())]);
    assert_eq!(rig.app.next_tick(), None);
    rig.write(" now");
    let effects = rig.key(KeyCode::Enter);
    assert_eq!(
        effects,
        [Effect::Ask("What now".into()), Effect::KeepDraft(String::new())]
    );
    rig.app.setup.settings.composer.history = false;
    rig.write("secret");
    rig.now += Duration::from_secs(5);
    assert_eq!(rig.input(Input::Tick), []);
}

#[test]
fn a_paste_is_counted_once_and_says_its_tokens() {
    let mut rig = Rig::ready(80, 24);
    rig.app.setup.counts = true;
    let text = "a line\n".repeat(20);
    let effects = rig.input(Input::Paste(text.clone()));
    let [Effect::Count(pasted)] = &effects[..] else {
        panic!("{effects:?}");
    };
    assert_eq!(**pasted, *text);
    rig.shows("[pasted 20 lines, 140 characters #1]");
    rig.key(KeyCode::Left);
    assert_eq!(
        rig.input(Input::Counted {
            pasted: pasted.clone(),
            tokens: 60
        }),
        []
    );
    rig.shows("[pasted 20 lines, 60 tokens #1]");
    // What is taken back and done again says it as well.
    rig.ctrl('_');
    rig.lacks("pasted");
    rig.press(KeyCode::Char('_'), KeyModifiers::ALT);
    rig.shows("[pasted 20 lines, 60 tokens #1]");
    assert_eq!(
        rig.ask(" ?"),
        [Effect::Ask(format!("{} ?", text.trim_start()).trim().into())]
    );
}
