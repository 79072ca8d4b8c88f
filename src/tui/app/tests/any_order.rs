//! Whatever comes, in whatever order, at whatever size: no panic, nothing that must not reach the terminal.

use proptest::prelude::*;

use std::sync::Arc;

use super::super::super::completion::Entry;
use super::super::super::composer::store::Told;
use super::super::super::documents::testing::pack;
use super::super::super::editor::{Edited, Purpose};
use super::super::super::theme::ground::Ground;
use super::super::super::theme::{Choice, Theme};
use super::super::super::viewer::testing::document;
use super::*;
use crate::context::{Pack, Section, SectionKind};
use crate::conversation::{Cause, Ending, Estimated, Planned};

pub fn any_input() -> impl Strategy<Value = Input> {
    let key = prop_oneof![
        "[ -~é你/?]".prop_map(|text| KeyCode::Char(text.chars().next().unwrap_or(' '))),
        prop::sample::select(vec![
            KeyCode::Enter,
            KeyCode::Tab,
            KeyCode::BackTab,
            KeyCode::Esc,
            KeyCode::PageUp,
            KeyCode::PageDown,
            KeyCode::Home,
            KeyCode::End,
            KeyCode::Up,
            KeyCode::Down,
            KeyCode::Left,
            KeyCode::Right,
            KeyCode::Backspace,
            KeyCode::Delete,
            KeyCode::F(1),
            KeyCode::F(2),
            KeyCode::F(3),
        ]),
    ];
    let modifiers = prop::sample::select(vec![
        KeyModifiers::NONE,
        KeyModifiers::CONTROL,
        KeyModifiers::ALT,
        KeyModifiers::SHIFT,
    ]);
    let text = "(?s)([ab ]|word|\n|你|👩|\u{1b}|\t|a.rs|:1|a.rs:2-3|“){0,20}";
    let mouse = prop::sample::select(vec![
        MouseEventKind::ScrollUp,
        MouseEventKind::ScrollDown,
        MouseEventKind::ScrollLeft,
        MouseEventKind::ScrollRight,
        MouseEventKind::Down(MouseButton::Left),
        MouseEventKind::Drag(MouseButton::Left),
        MouseEventKind::Drag(MouseButton::Left),
        MouseEventKind::Up(MouseButton::Left),
        MouseEventKind::Moved,
    ]);
    let token = |channel| move |text: String| token_event(channel, text);
    let numbers = prop::sample::select(vec![0, 1, 7, usize::MAX]);
    let path = "(a|b|你| |\u{1b}|é|\n){0,3}(/(a|b|你|\u{202e}| |c){0,3}){0,3}";
    let paths = prop::collection::vec(path, 0..5);
    let cause = prop::sample::select(vec![Cause::Asked, Cause::Changed]);
    let command = prop::sample::select(vec![
        "",
        "@",
        "x @",
        "@\"",
        "/load ",
        "/unload ",
        "/include ",
        "/reload",
    ]);
    prop_oneof![
        2 => prop::sample::select(vec![('r', KeyModifiers::CONTROL), ('_', KeyModifiers::CONTROL), ('_', KeyModifiers::ALT), ('e', KeyModifiers::ALT), ('g', KeyModifiers::CONTROL)])
            .prop_map(|(c, modifiers)| Input::Key(KeyEvent::new(KeyCode::Char(c), modifiers))),
        1 => text.prop_map(|text| Input::Paste(format!("{text}\n").repeat(9))),
        1 => text.prop_map(|text| Input::History(Told::Entries(vec![text]))),
        1 => text.prop_map(|text| Input::Edited(Edited { purpose: Purpose::Draft, text: Ok(text) })),
        1 => Just(Input::Paste("/vim on".into())),
        3 => (command, path).prop_map(|(command, path)| Input::Paste(format!("{command}{path}"))),
        3 => (numbers.clone(), numbers.clone(), paths.clone(), paths.clone()).prop_map(|(offset, limit, documents, skipped)| {
            let documents: Vec<_> = documents.iter().map(|path| (path.as_str(), path.len())).collect();
            let skipped: Vec<_> = skipped.into_iter().map(|path| Skipped::new(path, Exclusion::Hidden, "hidden")).collect();
            let pack = Pack { skipped: skipped.clone(), ..pack(&documents) };
            Input::Conversation(Event::Documents(Documents {
                offset, files: documents.len(), lines: 1, tokens: pack.tokens.len(), context_limit: limit, replay: offset, skipped, notes: Vec::new(), pack: pack.into(),
            }))
        }),
        2 => (cause, numbers.clone(), numbers.clone(), paths.clone(), paths.clone()).prop_map(|(cause, tokens, prefill, added, changed)| {
            Input::Conversation(Event::Planned(Planned {
                id: 1, cause, tokens, context_limit: 7, prefill, prompt: tokens, ms: None,
                refused: added.iter().map(|path| Skipped::new(path, Exclusion::Binary, path.as_str())).collect(),
                added, removed: changed.clone(), changed,
            }))
        }),
        1 => text.prop_map(|message| Input::Conversation(Event::PlanFailed { message })),
        1 => (path, paths).prop_map(|(path, names)| Input::FolderListed {
            path: path.into(),
            entries: names.into_iter().map(|name| Entry { is_folder: name.len() > 3, name }).collect(),
        }),
        4 => (key, modifiers.clone()).prop_map(|(code, modifiers)| Input::Key(KeyEvent::new(code, modifiers))),
        1 => text.prop_map(Input::Paste),
        3 => (mouse, modifiers, 0u16..110, 0u16..30).prop_map(|(kind, modifiers, column, row)| {
            Input::Mouse(MouseEvent { kind, column, row, modifiers })
        }),
        1 => any::<bool>().prop_map(Input::Focus),
        2 => (prop_oneof![3 => 0u16..60, 1 => 99u16..130], 0u16..30).prop_map(|(width, height)| Input::Resize(Size { width, height })),
        2 => text.prop_map(token(Channel::Thinking)),
        2 => text.prop_map(token(Channel::Answer)),
        1 => text.prop_map(|text| Input::Conversation(Event::Question(Question { asked_as: Some(text.clone()), text, ..Question::default() }))),
        1 => (0usize..5, prop::option::of(0usize..5), text).prop_map(|(turn, revises, text)| {
            Input::Conversation(Event::Question(Question { turn, revises, text, asked_as: None, left_out: turn }))
        }),
        1 => (0usize..5).prop_map(|turn| Input::Conversation(Event::Continued { turn })),
        1 => Just(Input::Conversation(Event::ThinkingEnded { by: Ending::Asked })),
        1 => (0usize..5, numbers.clone(), numbers.clone()).prop_map(|(turn, tokens, kept)| {
            Input::Conversation(Event::Estimated(Estimated { turn, tokens, kept, ms: None }))
        }),
        1 => text.prop_map(|message| Input::Conversation(Event::Refused { message })),
        1 => prop_oneof![Just("/retry"), Just("/edit"), Just("/continue"), Just("/answer")].prop_map(|text| Input::Paste(text.into())),
        1 => text.prop_map(|message| Input::Conversation(Event::Failed { message })),
        1 => (numbers.clone(), numbers.clone(), prop::num::f64::ANY).prop_map(|(done, total, rate)| {
            Input::Conversation(Event::Prefill(Prefill { done, total, cached: done, rate }))
        }),
        1 => (numbers.clone(), numbers.clone()).prop_map(|(files, total_files)| {
            Input::Conversation(Event::Loading(Loading { files, total_files, tokens: files }))
        }),
        1 => (numbers.clone(), text).prop_map(|(tokens, path)| Input::Conversation(Event::Documents(Documents {
            files: tokens, lines: tokens, tokens, context_limit: tokens, skipped: vec![Skipped::new(path.clone(), Exclusion::Binary, "")],
            notes: vec![Note { path, note: String::new() }], ..Documents::default()
        }))),
        2 => any_pack(text),
        1 => Just(Input::Paste("/open a.rs:2".into())),
        1 => text.prop_map(|path| Input::Conversation(Event::Citation(Citation { section: None,
            channel: Channel::Thinking, path, line: 1, quote: String::new(), verdict: Verdict::Verified,
        }))),
        1 => (text, numbers.clone()).prop_map(|(quote, line)| Input::Conversation(Event::Citation(Citation { section: None,
            channel: Channel::Answer, path: "a.rs".into(), line, quote, verdict: Verdict::Verified,
        }))),
        1 => numbers.prop_map(|tokens| Input::Conversation(Event::Finished(Finished {
            reason: StopReason::Cancelled,
            prompt_tokens: tokens,
            cached_tokens: tokens,
            thinking_tokens: tokens,
            answer_tokens: tokens,
            decode: Duration::MAX,
            ..Finished::default()
        }))),
        1 => any::<bool>().prop_map(|broken| {
            let theme = |name: &str| if broken { Err("broken".into()) } else { Ok(Theme::built_in(name).unwrap()) };
            let names = ["ember", "storm"].map(|name| Choice { name: name.into(), about: "é你".into(), theme: theme(name) });
            Input::ThemesListed(names.into())
        }),
        1 => any::<bool>().prop_map(|light| Input::Ground(if light { Ground::Light } else { Ground::Dark })),
        1 => Just(Input::Tick),
        1 => Just(Input::ConversationEnded(None)),
    ]
}

/// Documents that can be opened, with sections wherever.
fn any_pack(text: &'static str) -> impl Strategy<Value = Input> {
    let section = (text, 0usize..9).prop_map(|(title, line)| Section {
        kind: SectionKind::Page,
        title,
        level: 1,
        line,
    });
    let sections = prop::collection::vec(section, 0..3);
    (text, 0usize..300, sections).prop_map(|(text, more, mut sections)| {
        sections.sort_by_key(|section| section.line);
        let long = format!("{text}\n{}{text}", "x\tyz你\n".repeat(more));
        let mut documents = [document("a.rs", &long), document("b/你.md", &text.repeat(more))];
        documents[0].sections = sections;
        let pack = Arc::new(Pack {
            documents: documents.into(),
            ..Pack::default()
        });
        Input::Conversation(Event::Documents(Documents {
            pack,
            ..Documents::default()
        }))
    })
}

fn token_event(channel: Channel, text: String) -> Input {
    Input::Conversation(Event::Token(Token {
        index: text.len(),
        id: 0,
        elapsed: Duration::from_millis(text.len() as u64 * 7),
        text,
        channel,
        probability: 1.0,
        entropy: 0.0,
        forced: false,
    }))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_order_of_anything_at_any_size_panics_or_leaks(inputs in prop::collection::vec(any_input(), 0..80), width in prop_oneof![1u16..60, 99u16..130], height in 1u16..30, gap in prop_oneof![Just(0u64), Just(40)]) {
        let mut rig = Rig::new(width, height);
        for input in inputs {
            rig.now += Duration::from_millis(gap);
            rig.input(input);
            let buf = rig.buffer();
            let leaked = buf.content.iter().any(|cell| cell.symbol().contains(char::is_control));
            prop_assert!(!leaked);
            let mut again = Buffer::empty(buf.area);
            if let Some(cursor) = rig.app.draw(buf.area, &mut again) {
                prop_assert!(buf.area.contains(cursor), "{cursor} in {}", buf.area);
            }
            prop_assert_eq!(again, buf, "drawing changes nothing");
        }
    }
}
