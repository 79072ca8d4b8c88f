//! Answers in Markdown: as they are meant while they come, and as they are written if one asks.

use ratatui::style::Modifier;

use super::*;

const ANSWER: &str =
    "## Two **things**\n\n1. `first` of [them](http://a.b)\n   - nested\n\n| a | bc |\n|---|---|\n| 1 | 2 |\n";

fn answered(width: u16, height: u16) -> Rig {
    let mut rig = Rig::ready(width, height);
    rig.ask("what?");
    rig.question("what?");
    for token in ANSWER.split_inclusive(' ') {
        rig.token(Channel::Answer, token);
    }
    rig
}

#[test]
fn an_answer_looks_as_it_is_meant_and_as_it_is_written_if_one_asks() {
    let mut rig = answered(60, 24);
    rig.finish(StopReason::EndOfSequence);
    let meant = [
        "Two things",
        "1. first of them (http://a.b)",
        "• nested",
        "a │ bc",
        "──┼───",
    ];
    for text in meant {
        rig.shows(text);
    }
    rig.lacks("**");
    let before = rig.frame();
    rig.ctrl('x');
    rig.key(KeyCode::Char('.'));
    for line in ANSWER.lines() {
        rig.shows(line);
    }
    rig.write("/raw");
    rig.key(KeyCode::Enter);
    assert_eq!(rig.frame(), before);
}

#[test]
fn its_parts_look_like_what_they_are() {
    let mut rig = answered(60, 24);
    let buf = rig.buffer();
    let style = |text: &str| {
        buf.area.rows().find_map(|row| {
            let line: String = row.positions().map(|at| buf[at].symbol()).collect();
            let x = line[..line.find(text)?].chars().count() as u16;
            Some(buf[(x, row.y)].style())
        })
    };
    assert!(style("Two").is_some_and(|style| style.add_modifier.contains(Modifier::BOLD)));
    assert!(style("them").is_some_and(|style| style.add_modifier.contains(Modifier::UNDERLINED)));
    assert_ne!(style("first"), style("nested"));
}

#[test]
fn what_is_copied_is_the_source() {
    let mut rig = answered(60, 24);
    rig.finish(StopReason::EndOfSequence);
    let source = rig
        .app
        .transcript
        .blocks()
        .last()
        .map(|block| block.source().to_owned());
    assert_eq!(source.as_deref(), Some(ANSWER));
}
