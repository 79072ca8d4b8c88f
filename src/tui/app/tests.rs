//! The application without a terminal: inputs in, effects, state and frames out.

pub mod any_order;
mod attention;
mod comparing;
mod completion;
mod composing;
mod copying;
mod documents;
mod editing;
mod exporting;
mod frames;
mod keys;
mod ledger;
mod markdown;
mod mouse;
mod plans;
mod revising;
pub mod rig;
mod searching;
mod themes;
mod thinking;
mod turns;
mod viewing;

use ratatui::crossterm::event::{KeyCode, KeyModifiers, MouseButton, MouseEventKind};

use super::super::activity::Phase;
use super::super::theme::{Depth, Theme, names};
use super::super::transcript::Block;
use super::*;
use crate::conversation::{Citation, Documents, Exclusion, Loading, Note, Question, Skipped, Verdict};
use crate::engine::{CardExperts, Finished, Prefill, StopReason, Token};
use crate::trace::Channel;
use rig::Rig;

fn ask(text: &str) -> Vec<Effect> {
    vec![Effect::Ask(text.into())]
}

#[test]
fn the_first_frame_needs_nothing() {
    let mut rig = Rig::new(40, 8);
    assert_eq!(
        rig.frame(),
        [
            "  pico: a demonstration",
            "  docs/",
            "",
            "",
            "",
            "────────────────────────────────────────",
            "❯ Ask about the documents",
            "pico · starting              Esc cancels",
        ]
    );
}

#[test]
fn without_documents_one_is_told_how_to_have_some() {
    let mut rig = Rig::new(40, 8);
    rig.app.setup.paths.clear();
    rig.shows("❯ Ask, or /load documents");
    rig.pack(&[("a.rs", 10)], Vec::new());
    rig.shows("❯ Ask about the documents");
}

#[test]
fn a_conversation_from_loading_to_the_answer() {
    let mut rig = Rig::new(80, 24);
    rig.event(Event::Loading(Loading {
        files: 3,
        total_files: 12,
        tokens: 1_248,
    }));
    rig.shows("loading 3 / 12 files · 1,248 tokens");
    assert_eq!(rig.ask("Where is it?"), ask("Where is it?"));
    rig.shows("⋯ queued: Where is it?");
    rig.documents(vec![Skipped::new("a.bin", Exclusion::Binary, "binary"); 7]);
    rig.shows("· 12 files, 3,402 lines, 41,233 tokens");
    rig.shows("  7 files skipped\n  binary: a.bin, a.bin, a.bin and 4 more");
    rig.shows("  1 file altered\n  not UTF-8: latin.txt");
    rig.event(Event::Prefill(Prefill {
        done: 12_000,
        total: 41_233,
        cached: 2_048,
        rate: 9_800.0,
    }));
    rig.lacks("prefill 12,000");
    rig.wait(300);
    rig.shows("prefill 12,000 / 41,233 (29%) · 2,048 cached · 9.8K tok/s · ETA 0:02");
    rig.shows("━━━━━━━━━━━━━━━━━━━━━━━─────");
    rig.finish(StopReason::Prefilled);
    rig.lacks("prefill");
    rig.shows("ctx 41,233/1,048,576 (4%)");

    rig.question("Where is it?");
    rig.lacks("queued");
    rig.shows("❯ Where is it?");
    for _ in 0..20 {
        rig.token(Channel::Thinking, "Let me look.\n");
    }
    rig.shows("▾ thinking 2.0 s · 20/80,000 tok · 10 tok/s · 2 seg · 1.00 nats\n▾ │ Let me look.\n  │ Let me look.");
    rig.shows("thinking · ctx 41,253/1,048,576 (4%) · 10 tok/s");
    rig.cite(Channel::Thinking, 3, Verdict::Verified);
    rig.token(Channel::Answer, "\n\nAt src/x.rs:12");
    rig.shows("▸ thought 2.0 s · 20 tok · 2 seg · 1 ✓ · 1.00 nats\n\n  At src/x.rs:12");
    rig.cite(Channel::Answer, 12, Verdict::Verified);
    rig.cite(Channel::Answer, 12, Verdict::Verified);
    rig.token(Channel::Answer, ", and perhaps src/x.rs:40.");
    rig.cite(
        Channel::Answer,
        40,
        Verdict::Unverified {
            reason: "not on that line".into(),
        },
    );
    rig.finish(StopReason::EndOfSequence);
    rig.shows(concat!(
        "  At src/x.rs:12, and perhaps src/x.rs:40.\n\n",
        "  ✓ src/x.rs:12 verified\n",
        "  ? src/x.rs:40 unverified: not on that line\n",
    ));
    rig.shows("ready");
    assert_eq!(rig.app.activity.phase(), Phase::Ready);
    assert_eq!(
        rig.app.last_answer().as_deref(),
        Some(
            "At src/x.rs:12, and perhaps src/x.rs:40.\n  ✓ src/x.rs:12 verified\n  ? src/x.rs:40 unverified: not on that line"
        )
    );

    rig.key(KeyCode::Tab);
    rig.shows("▾ thought 2.0 s · 20 tok · 2 seg · 1 ✓ · 1.00 nats\n▾ │ Let me look.");
    rig.key(KeyCode::End);
    rig.shows("  │ Let me look.\n    ✓ src/x.rs:3 verified\n\n  At src");
}

#[test]
fn verdicts_have_their_own_colour_and_their_own_words() {
    let mut rig = Rig::ready(60, 20);
    rig.reply("q");
    rig.cite(Channel::Answer, 1, Verdict::Unverified { reason: "no".into() });
    let frame = rig.frame();
    let buf = rig.buffer();
    let style = |text: &str| {
        let y = frame.iter().position(|row| row.contains(text)).unwrap();
        buf[(2, y as u16)].style().fg
    };
    assert_eq!(style("✓ src/x.rs:12 verified"), Some(ratatui::style::Color::Green));
    assert_eq!(
        style("? src/x.rs:1 unverified: no"),
        Some(ratatui::style::Color::Yellow)
    );
}

#[test]
fn a_token_reported_twice_counts_once() {
    let mut rig = Rig::ready(60, 20);
    rig.question("q");
    rig.token(Channel::Thinking, "end");
    rig.decoded -= 1;
    rig.token(Channel::Answer, "begin");
    assert_eq!(
        rig.app
            .transcript
            .blocks()
            .iter()
            .find_map(Block::thought)
            .unwrap()
            .trace
            .tokens(),
        1
    );
    assert_eq!(rig.app.activity.context().0, 41_234);
}

#[test]
fn every_end_is_explained() {
    let cases = [
        (StopReason::MaxTokens, "stopped: the reply reached its token limit"),
        (StopReason::ContextFull, "stopped: the context is full"),
        (
            StopReason::Repetition { tokens: 3000 },
            "stopped: the model was repeating itself, for 3,000 tokens",
        ),
        (StopReason::Cancelled, "cancelled; what was written is kept"),
    ];
    for (reason, text) in cases {
        let mut rig = Rig::ready(70, 20);
        rig.question("q");
        rig.token(Channel::Thinking, "hm");
        rig.finish(reason);
        rig.shows(text);
        rig.shows("▸ thought");
    }
    let mut rig = Rig::ready(70, 20);
    rig.question("q");
    rig.finish(StopReason::EndOfSequence);
    rig.shows("the model ended its reply without an answer");
    rig.event(Event::Failed {
        message: "out of memory; close something".into(),
    });
    rig.shows("! out of memory; close something");
    rig.input(Input::ConversationEnded(Some("it fell".into())));
    rig.shows("! the conversation has ended: it fell");
    assert_eq!(rig.ask("more"), []);
    rig.shows("❯ more");
}

#[test]
fn a_question_that_is_refused_is_shown_with_the_reason_and_the_next_goes_on() {
    let mut rig = Rig::ready(70, 20);
    rig.question("q");
    rig.ask("nowhere");
    rig.ask("somewhere");
    rig.finish(StopReason::EndOfSequence);
    rig.event(Event::Failed {
        message: "stands nowhere".into(),
    });
    rig.shows("❯ nowhere\n\n! stands nowhere");
    rig.shows("⋯ queued: somewhere");
    rig.question("somewhere");
    rig.lacks("queued");
    rig.event(Event::Failed {
        message: "out of memory".into(),
    });
    rig.shows("❯ somewhere\n\n! out of memory");
}

#[test]
fn a_failure_to_load_is_no_answer() {
    let mut rig = Rig::new(70, 20);
    rig.ask("early");
    rig.event(Event::Failed {
        message: "no such file".into(),
    });
    rig.shows("! no such file");
    rig.shows("⋯ queued: early");
    rig.shows("no documents");
    rig.event(Event::Failed {
        message: "there is nothing to ask about".into(),
    });
    rig.shows("❯ early\n\n! there is nothing to ask about");
    rig.lacks("queued");
}

#[test]
fn a_cancelled_prefill_of_a_question_says_that_what_was_read_is_kept() {
    let mut rig = Rig::ready(80, 20);
    rig.question("q");
    rig.event(Event::Prefill(Prefill {
        done: 100,
        total: 41_233,
        cached: 0,
        rate: 1.0,
    }));
    rig.finish(StopReason::Cancelled);
    rig.shows("cancelled; what was read is kept");
    rig.shows("next question: 41,133 tok ≈ ");
    rig.app.size.width = 140;
    rig.shows("ctx 100/");
}

#[test]
fn reasons_for_skipping_are_told_once_each() {
    let mut rig = Rig::new(70, 20);
    let skip = |path: String, reason: String| Skipped::new(path, Exclusion::Hidden, reason);
    let mut skipped: Vec<_> = (0..4).map(|n| skip(format!("h{n}"), "hidden".into())).collect();
    skipped.extend((0..6).map(|n| skip(format!("x{n}"), format!("reason {n}"))));
    rig.documents(skipped);
    rig.shows("  10 files skipped\n  hidden: h0, h1, h2 and 1 more\n  reason 0: x0\n");
    rig.shows("  reason 3: x3\n  2 for other reasons\n");
}

#[test]
fn escape_cancels_what_runs_and_nothing_else() {
    let mut rig = Rig::ready(60, 20);
    assert_eq!(rig.key(KeyCode::Esc), []);
    rig.question("q");
    assert_eq!(rig.key(KeyCode::Esc), [Effect::Cancel]);
    rig.shows("cancelling");
    rig.finish(StopReason::Cancelled);
    rig.shows("ready");
}

#[test]
fn ctrl_c_cancels_then_leaves() {
    let mut rig = Rig::ready(60, 20);
    rig.question("q");
    assert_eq!(rig.ctrl('c'), [Effect::Cancel]);
    rig.wait(60_000);
    assert_eq!(rig.ctrl('c'), [Effect::Quit], "what was cancelled still runs");

    let mut rig = Rig::ready(60, 20);
    rig.question("q");
    rig.ctrl('c');
    rig.finish(StopReason::Cancelled);
    rig.wait(60_000);
    rig.question("another");
    assert_eq!(rig.ctrl('c'), [Effect::Cancel]);

    let mut rig = Rig::ready(60, 20);
    assert_eq!(rig.ctrl('c'), []);
    rig.shows("Ctrl-C again leaves");
    assert!(rig.app.next_tick().is_some());
    rig.wait(2_000);
    rig.lacks("again leaves");
    assert_eq!(rig.ctrl('c'), []);
    rig.write("x");
    assert_eq!(rig.ctrl('c'), []);
    assert_eq!(rig.ctrl('c'), [Effect::Quit]);
}

#[test]
fn ways_to_leave() {
    assert_eq!(Rig::ready(60, 20).ctrl('d'), [Effect::Quit]);
    assert_eq!(Rig::ready(60, 20).ask("/quit"), [Effect::Quit]);
    let mut rig = Rig::ready(60, 20);
    rig.write("x");
    assert_eq!(rig.ctrl('d'), []);
}

#[test]
fn nothing_is_sent_that_is_nothing() {
    let mut rig = Rig::ready(60, 20);
    assert_eq!(rig.ask(""), []);
    assert_eq!(rig.ask("  "), []);
}

#[test]
fn a_question_may_have_several_lines_and_comes_back_from_history() {
    let mut rig = Rig::ready(60, 20);
    rig.write("one");
    rig.press(KeyCode::Enter, KeyModifiers::ALT);
    rig.write("two");
    rig.ctrl('j');
    rig.write("three");
    rig.shows("❯ one\n  two\n  three\n");
    assert_eq!(rig.key(KeyCode::Enter), ask("one\ntwo\nthree"));
    rig.key(KeyCode::Up);
    rig.shows("❯ one\n  two\n  three\n");
}

#[test]
fn the_composer_grows_to_a_third_and_keeps_the_cursor_in_view() {
    let mut rig = Rig::ready(40, 12);
    for line in 0..30 {
        rig.input(Input::Paste(format!("row {line}\r\n")));
    }
    rig.write("end");
    let frame = rig.frame();
    assert_eq!(frame[7], format!("❯ row 27{}↑", " ".repeat(31)));
    assert_eq!(frame[8..11], ["  row 28", "  row 29", "  end"]);
    let mut buf = rig.buffer();
    let cursor = rig.app.draw(buf.area, &mut buf);
    assert_eq!(cursor, Some(Position::new(5, 10)));
}

#[test]
fn slash_commands() {
    let mut rig = Rig::ready(60, 32);
    rig.write("/the");
    rig.shows("/theme  change the colours");
    rig.key(KeyCode::Tab);
    assert_eq!(rig.app.composer.text(), "/theme ");
    rig.write("storm");
    assert_eq!(rig.key(KeyCode::Enter), [Effect::LoadTheme("storm".into())]);
    rig.input(Input::ThemeLoaded(
        Theme::parse("x", "[styles]\nwhat = 1").map_err(|error| error.to_string()),
    ));
    rig.shows("styles.what: there is no such part");
    assert_eq!(rig.ask("/mouse"), [Effect::CaptureMouse(false)]);
    assert_eq!(rig.ask("/nope"), []);
    rig.shows("there is no command /nope");
    assert_eq!(rig.app.composer.text(), "/nope", "what was written is kept");
    rig.ctrl('u');
    assert_eq!(rig.ask("/panic"), []);
    rig.app.setup.debug = true;
    assert_eq!(rig.key(KeyCode::Enter), [Effect::Panic]);
    assert_eq!(rig.ask(" /etc/hosts?"), ask("/etc/hosts?"));
}

#[test]
fn help_opens_scrolls_and_closes() {
    let mut rig = Rig::ready(60, 12);
    rig.key(KeyCode::Char('?'));
    rig.shows("╭─ help");
    rig.shows("send the question");
    rig.lacks("back to the shell");
    rig.key(KeyCode::End);
    rig.shows("back to the shell");
    rig.key(KeyCode::Esc);
    rig.lacks("help ─");
    rig.write("why");
    rig.key(KeyCode::Char('?'));
    assert_eq!(rig.app.composer.text(), "why?");
    rig.key(KeyCode::F(1));
    rig.shows("╭─ help");
}

#[test]
fn reading_is_not_disturbed_and_the_pill_leads_back() {
    let mut rig = Rig::ready(50, 12);
    rig.question("q");
    for line in 0..30 {
        rig.token(Channel::Answer, &format!("line {line}\n"));
    }
    rig.key(KeyCode::PageUp);
    rig.shows("↓ End");
    let before = rig.frame()[..9].to_vec();
    rig.token(Channel::Answer, "more\nand more\n");
    assert_eq!(rig.frame()[..9], before);
    rig.shows("↓ 2 new lines · End");
    let row = rig.frame().iter().position(|row| row.contains("new lines")).unwrap();
    rig.click_at(40, row as u16);
    assert!(rig.app.transcript.is_following());
    rig.mouse(MouseEventKind::ScrollUp, 0, 0);
    assert!(!rig.app.transcript.is_following());
    rig.key(KeyCode::End);
    rig.shows("and more");
    rig.lacks("· End");
}

#[test]
fn a_click_on_the_header_folds() {
    let mut rig = Rig::ready(60, 20);
    rig.reply("q");
    rig.shows("▸ thought");
    let row = rig.frame().iter().position(|row| row.contains("▸ thought")).unwrap();
    rig.click_at(5, row as u16);
    rig.shows("  │ Let me look.");
    rig.click_at(5, row as u16);
    rig.lacks("Let me look.");
}

#[test]
fn nothing_is_drawn_and_nobody_wakes_while_nothing_happens() {
    let mut rig = Rig::ready(60, 20);
    rig.reply("q");
    rig.screen();
    assert!(!rig.app.is_dirty());
    assert_eq!(rig.app.next_tick(), None);
    rig.question("q");
    assert!(rig.app.is_dirty() && rig.app.next_tick().is_some());
}

#[test]
fn control_characters_never_reach_the_screen() {
    let evil = "a\u{1b}]0;owned\u{7}b\u{9b}31mc\u{202e}d\u{8}\r\u{7f}\u{85}e";
    let mut rig = Rig::new(60, 30);
    rig.app.setup.model = evil.into();
    rig.documents(vec![Skipped::new(evil, Exclusion::Hidden, evil)]);
    rig.ask("x");
    rig.app.queue.push_back(evil.into());
    rig.screen();
    rig.question(evil);
    rig.token(Channel::Thinking, evil);
    rig.token(Channel::Answer, evil);
    rig.event(Event::Citation(Citation {
        section: None,
        channel: Channel::Answer,
        path: evil.into(),
        line: 1,
        quote: evil.into(),
        verdict: Verdict::Unverified { reason: evil.into() },
    }));
    rig.event(Event::Failed { message: evil.into() });
    rig.input(Input::Paste(evil.into()));
    let screen: String = rig.frame().concat();
    assert!(screen.contains("a]0;ownedb31mcde"));
    assert!(!screen.contains(|c: char| c.is_control() || c == '\u{202e}'));
    let answer = rig.app.last_answer().unwrap();
    assert!(!answer.contains(|c: char| c.is_control() && c != '\n'));
}

#[test]
fn frames_at_the_usual_sizes_show_what_matters() {
    for (width, height) in [(40, 12), (80, 24), (200, 60), (20, 14)] {
        let mut rig = Rig::ready(width, height);
        rig.reply("Where?");
        for text in [
            "❯ Where?",
            "▸ thought 0.2 s",
            "At src/x.rs:12.",
            "✓ src/x.rs:12",
            "❯ Ask",
            "ready",
        ] {
            rig.shows(text);
        }
        assert_eq!(rig.frame().len(), usize::from(height));
    }
}

#[test]
fn without_colour_no_theme_has_any() {
    for name in names() {
        let mut rig = Rig::ready(60, 20);
        rig.app.setup.depth = Depth::None;
        rig.input(Input::ThemeLoaded(Ok(Theme::built_in(name).unwrap())));
        rig.reply("q");
        let buf = rig.buffer();
        let plain = |colour| matches!(colour, ratatui::style::Color::Reset);
        assert!(
            buf.content.iter().all(|cell| plain(cell.fg) && plain(cell.bg)),
            "{name}"
        );
    }
}
