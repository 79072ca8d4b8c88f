//! Choosing colours.

use super::super::super::theme::Part;
use super::super::super::theme::ground::Ground;
use super::super::super::theme::{Choice, Depth, Theme, names};
use super::super::themes::Grounds;
use super::rig::Rig;
use super::*;

fn choices() -> Vec<Choice> {
    let built_in = names().map(|name| Choice {
        name: name.to_owned(),
        about: format!("about {name}"),
        theme: Ok(Theme::built_in(name).unwrap()),
    });
    let broken = Choice {
        name: "broken".into(),
        about: String::new(),
        theme: Err("broken.toml:3:1: what is wrong".into()),
    };
    built_in.chain([broken]).collect()
}

/// With the list of themes open.
fn choosing() -> Rig {
    let mut rig = Rig::ready(80, 24);
    assert_eq!(rig.ask("/theme"), [Effect::ListThemes]);
    rig.input(Input::ThemesListed(choices()));
    rig
}

fn name(rig: &Rig) -> &str {
    &rig.app.setup.theme.name
}

#[test]
fn moving_through_the_list_shows_each_theme_and_escape_goes_back() {
    let mut rig = choosing();
    rig.shows("▸ terminal");
    rig.shows("about ember");
    rig.key(KeyCode::Down);
    assert_eq!(name(&rig), "storm");
    rig.shows("▸ storm");
    let ground = rig.app.setup.theme.style(Part::Background).bg;
    assert_eq!(Some(rig.buffer()[(0, 0)].bg), ground, "everything is shown in it");
    rig.ctrl('n');
    assert_eq!(name(&rig), "ember");
    rig.key(KeyCode::Esc);
    assert_eq!(name(&rig), "terminal");
    rig.lacks("about ember");
}

#[test]
fn what_is_written_looks_for_names_and_enter_keeps_one() {
    let mut rig = choosing();
    rig.write("dyl");
    assert_eq!(name(&rig), "daylight");
    rig.lacks("about storm");
    assert_eq!(rig.key(KeyCode::Enter), [Effect::LoadTheme("daylight".into())]);
    rig.input(Input::ThemeLoaded(Ok(Theme::built_in("daylight").unwrap())));
    assert_eq!((name(&rig), rig.app.composer.text()), ("daylight", ""));
    rig.lacks("about daylight");
}

#[test]
fn a_filter_that_nothing_is_like_keeps_nothing() {
    let mut rig = choosing();
    rig.write("zzz");
    rig.shows("none is like this");
    assert_eq!(rig.key(KeyCode::Enter), []);
    assert_eq!(name(&rig), "terminal");
}

#[test]
fn the_mouse_chooses_too() {
    let mut rig = choosing();
    assert_eq!(rig.click("ember "), []);
    assert_eq!(name(&rig), "ember");
    assert_eq!(rig.click("ember "), [Effect::LoadTheme("ember".into())]);
    let mut rig = choosing();
    rig.mouse(MouseEventKind::ScrollDown, 3, 3);
    assert_eq!(name(&rig), "storm");
    assert_eq!(rig.click_at(0, 20), []);
    assert_eq!(name(&rig), "terminal");
}

#[test]
fn a_broken_theme_says_why_in_the_list() {
    let mut rig = choosing();
    rig.key(KeyCode::End);
    rig.shows("broken.toml:3:1: what is wr");
    assert_eq!(name(&rig), "terminal");
    assert_eq!(rig.key(KeyCode::Enter), [Effect::LoadTheme("broken".into())]);
    rig.input(Input::ThemeLoaded(Err("broken.toml:3:1: what is wrong".into())));
    rig.shows("! broken.toml:3:1: what is wrong");
    assert_eq!(name(&rig), "terminal");
}

#[test]
fn a_list_longer_than_the_screen_scrolls() {
    for (width, height) in [(1, 1), (10, 2), (40, 3), (40, 5)] {
        let mut rig = Rig::ready(width, height);
        rig.input(Input::ThemesListed(choices()));
        for _ in 0..10 {
            rig.key(KeyCode::Down);
            rig.frame();
        }
        if height >= 3 {
            rig.shows("▸ broken");
        }
        rig.key(KeyCode::Esc);
    }
}

#[test]
fn while_its_file_is_broken_a_theme_stays_and_the_reason_is_told_once() {
    let mut rig = Rig::ready(80, 24);
    let mine = |style: &str| Theme::parse("mine", &format!("[styles]\nanswer = '{style}'")).unwrap();
    rig.input(Input::ThemeLoaded(Ok(mine("red"))));
    let changed = |theme: Result<Theme, &str>| Input::ThemeChanged {
        name: "mine".into(),
        theme: theme.map_err(str::to_owned),
    };
    for _ in 0..3 {
        rig.input(changed(Err("mine.toml:1:1: wrong")));
    }
    assert_eq!(rig.screen().matches("mine.toml:1:1: wrong").count(), 1);
    assert_eq!(rig.app.setup.theme, mine("red"));
    rig.input(changed(Ok(mine("blue"))));
    assert_eq!(rig.app.setup.theme, mine("blue"));
    rig.input(changed(Err("mine.toml:1:1: wrong")));
    assert_eq!(rig.screen().matches("mine.toml:1:1: wrong").count(), 2, "again is anew");
    // Of a theme that is not used any more.
    rig.input(Input::ThemeLoaded(Ok(Theme::built_in("storm").unwrap())));
    rig.input(changed(Ok(mine("red"))));
    assert_eq!(name(&rig), "storm");
}

#[test]
fn the_ground_decides_until_somebody_does() {
    let with = |name: &str| Theme::built_in(name).unwrap();
    let setup = Setup {
        theme: with("terminal"),
        grounds: Some(Grounds {
            dark: with("ember"),
            light: with("daylight"),
        }),
        ..Setup::default()
    };
    let mut rig = Rig::ready(80, 24);
    rig.app = App::new(setup, rig.app.size);
    assert_eq!(name(&rig), "terminal");
    rig.input(Input::Ground(Ground::Light));
    assert_eq!(name(&rig), "daylight");
    rig.input(Input::ThemesListed(choices()));
    rig.key(KeyCode::Down);
    let shown = name(&rig).to_owned();
    rig.input(Input::Ground(Ground::Dark));
    assert_eq!(name(&rig), shown, "what is being looked at stays");
    rig.key(KeyCode::Esc);
    assert_eq!(name(&rig), "ember");
    rig.input(Input::ThemeLoaded(Ok(with("contrast"))));
    rig.input(Input::Ground(Ground::Light));
    assert_eq!(name(&rig), "contrast");
    let mut rig = Rig::ready(80, 24);
    rig.input(Input::Ground(Ground::Light));
    assert_eq!(name(&rig), "terminal", "nobody wanted it");
}

#[test]
fn the_themes_of_both_grounds_are_read_again() {
    let themed = |name: &str, colour: &str| Theme::parse(name, &format!("[styles]\nanswer = '{colour}'")).unwrap();
    let setup = Setup {
        theme: themed("night", "red"),
        grounds: Some(Grounds {
            dark: themed("night", "red"),
            light: themed("noon", "red"),
        }),
        ..Setup::default()
    };
    let mut rig = Rig::ready(80, 24);
    rig.app = App::new(setup, rig.app.size);
    let changed = |name: &str, theme: Result<Theme, &str>| Input::ThemeChanged {
        name: name.into(),
        theme: theme.map_err(str::to_owned),
    };
    rig.input(changed("night", Ok(themed("night", "blue"))));
    assert_eq!(rig.app.setup.theme, themed("night", "blue"));
    rig.input(changed("noon", Ok(themed("noon", "green"))));
    assert_eq!(rig.app.setup.theme, themed("night", "blue"), "what is not shown waits");
    rig.input(changed("noon", Err("noon.toml:1:1: wrong")));
    rig.shows("noon.toml:1:1: wrong");
    rig.input(Input::Ground(Ground::Light));
    assert_eq!(rig.app.setup.theme, themed("noon", "green"));
}

#[test]
fn a_terminal_with_few_colours_gets_no_others() {
    use ratatui::style::Color;
    let mut rig = Rig::ready(80, 24);
    rig.app.setup.depth = Depth::Indexed;
    rig.input(Input::ThemesListed(choices()));
    for _ in names() {
        rig.key(KeyCode::Down);
        let buf = rig.buffer();
        let full = |colour| matches!(colour, Color::Rgb(..));
        assert!(buf.content.iter().all(|cell| !full(cell.fg) && !full(cell.bg)));
    }
    // What is kept when the list is left is the theme with all its colours.
    rig.key(KeyCode::Esc);
    assert_eq!(name(&rig), "terminal");
}
