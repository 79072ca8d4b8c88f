use super::*;
use proptest::prelude::*;

const REFERENCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reference.md");
const BEGIN: &str = "<!-- settings: `UPDATE_DOCS=1 cargo test --lib config::` writes what is between these lines -->\n";
const END: &str = "<!-- end of settings -->\n";

fn problems(source: &str) -> Vec<String> {
    let (_, problems) = resolve(File::parse("c.toml", source), |_| None, &[]);
    problems.iter().map(ToString::to_string).collect()
}

fn given(flags: &[(&str, &[&str])]) -> Vec<(String, Vec<String>)> {
    let owned = |(name, values): &(&str, &[&str])| {
        let values = values.iter().map(|&value| value.to_owned()).collect();
        ((*name).to_owned(), values)
    };
    flags.iter().map(owned).collect()
}

#[test]
fn a_flag_goes_before_the_environment_and_that_before_the_file() {
    let source = "[model]\nthreads = 1\ntile = 64\n\n[ui]\ntheme = 'ember'\nmouse = false\n";
    let environment = |name: &str| match name {
        "THUNDERHEAD_MODEL_THREADS" => Some("2".to_owned()),
        "THUNDERHEAD_UI_THEME" => Some("storm".to_owned()),
        _ => None,
    };
    let flags = given(&[("threads", &["3"]), ("exclude", &["*.md", "x"])]);
    let (effective, problems) = resolve(File::parse("c.toml", source), environment, &flags);
    assert_eq!(problems, []);
    let config = &effective.config;
    assert_eq!((config.model.threads, config.model.tile), (Count(3), Count(64)));
    assert_eq!(
        (&config.ui.theme, config.ui.mouse),
        (&ThemeChoice::Named("storm".into()), false)
    );
    assert_eq!(config.documents.exclude, ["*.md", "x"]);
    let origin = |name: &str| {
        let at = SETTINGS.iter().position(|setting| setting.name() == name).unwrap();
        effective.origins[at].to_string()
    };
    assert_eq!(origin("model.threads"), "--threads");
    assert_eq!(origin("model.tile"), "c.toml:3");
    assert_eq!(origin("ui.theme"), "THUNDERHEAD_UI_THEME");
    assert_eq!(origin("documents.exclude"), "--exclude");
    assert_eq!(origin("reply.seed"), "default");
}

#[test]
fn texts_of_flags_and_variables_need_no_marks() {
    let with = |name: &str, text: &str| {
        let environment = |asked: &str| (asked == name).then(|| text.to_owned());
        resolve(File::default(), environment, &[])
    };
    let model = |text| with("THUNDERHEAD_MODEL_PATH", text).0.config.model.path.0;
    assert_eq!(model("12"), "12");
    assert_eq!(model("a b"), "a b");
    assert_eq!(model("'a b'"), "a b");
    assert_eq!(model("x = 1\ny = 2"), "x = 1\ny = 2");
    let exclude = |text| with("THUNDERHEAD_DOCUMENTS_EXCLUDE", text).0.config.documents.exclude;
    assert_eq!(exclude("*.md"), ["*.md"]);
    assert_eq!(exclude("['*.md', 'x']"), ["*.md", "x"]);
    let told = |name, text| with(name, text).1.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(
        told("THUNDERHEAD_MODEL_THREADS", "many"),
        ["THUNDERHEAD_MODEL_THREADS: expected a whole number, found the text \"many\""]
    );
    assert_eq!(
        told("THUNDERHEAD_UI_MOUSE", "1"),
        ["THUNDERHEAD_UI_MOUSE: expected true or false, found 1"]
    );
}

#[test]
fn a_variable_that_is_no_setting_is_named() {
    let names = [
        "THUNDERHEAD_MODEL_THREAD",
        "PATH",
        "THUNDERHEAD_CACHE",
        "THUNDERHEAD_UI_MOUSE",
        "THUNDERHEAD_EQUIPMENT",
    ];
    let told: Vec<_> = unknown_variables(names.map(str::to_owned))
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        told,
        [
            "THUNDERHEAD_EQUIPMENT: no such setting",
            "THUNDERHEAD_MODEL_THREAD: no such setting; did you mean `THUNDERHEAD_MODEL_THREADS`?",
        ]
    );
}

#[test]
fn a_flag_may_mean_the_opposite() {
    let cache = |flags: &[(&str, &[&str])]| {
        let (effective, problems) = resolve(File::default(), |_| None, &given(flags));
        assert_eq!(problems, []);
        effective.config.documents.cache
    };
    assert!(cache(&[]));
    assert!(!cache(&[("no-cache", &["true"])]));
}

#[test]
fn every_mistake_is_told_with_its_place_and_what_was_meant() {
    let source = "threads = 2\n[ui]\nthem = 'storm'\nmouse = 3\n[modle]\n[reply]\n  threads = 1\ntemperature = 'hot'\n\
                  wholly-unknown-thing = 1\n[model]\nbackend = 'refrence'\n[keys]\nx = 1\n[keys.composer]\nctrl-a = 2\n";
    assert_eq!(
        problems(source),
        [
            "c.toml:1:1: `threads` stands in no section; write it below [model]",
            "c.toml:3:1: there is no setting `ui.them`; did you mean `ui.theme`?",
            "c.toml:4:1: ui.mouse: expected true or false, found 3",
            "c.toml:5:2: there is no section [modle]; did you mean [model]?",
            "c.toml:7:3: there is no setting `reply.threads`; did you mean `model.threads`?",
            "c.toml:8:1: reply.temperature: expected a number from 0 to 100 or \"auto\", found the text \"hot\"",
            "c.toml:9:1: there is no setting `reply.wholly-unknown-thing`; [reply] has temperature, top-k, top-p, min-p, seed, \
             free, max-tokens, thinking-budget, forget-thinking, loop-guard, draft",
            "c.toml:11:1: model.backend: expected \"auto\", \"cpu\", \"cuda\" or \"reference\", found the text \"refrence\"; did you mean \
             `reference`?",
            "c.toml:13:1: keys.x: expected keys and their actions, found 1",
            "c.toml:15:1: keys.composer.ctrl-a: expected the name of an action, found 2",
        ]
    );
    assert_eq!(
        problems("ui = 1"),
        ["c.toml:1:1: ui: expected a section, [ui], found 1"]
    );
}

#[test]
fn what_is_no_toml_is_told_with_its_places() {
    let told = problems("[ui]\ntheme = storm\n[model\nthreads = 1\n");
    assert!(told.len() >= 2, "{told:?}");
    assert!(told[0].starts_with("c.toml:2:9: "), "{told:?}");
    assert!(told[1].starts_with("c.toml:3:"), "{told:?}");
}

#[test]
fn bindings_of_keys_keep_their_order_and_places() {
    let source =
        "[keys.conversation]\n\"ctrl-x r\" = \"regenerate\"\n\"g g\" = \"to-start\"\n[keys.global]\nf5 = \"redraw\"\n";
    let (effective, problems) = resolve(File::parse("c.toml", source), |_| None, &[]);
    assert_eq!(problems, []);
    let mut keys = effective.config.keys;
    keys.sort_by(|a, b| a.place.cmp(&b.place));
    let found: Vec<_> = keys
        .iter()
        .map(|binding| (&*binding.context, &*binding.keys, &*binding.action, binding.place.line))
        .collect();
    assert_eq!(
        found,
        [
            ("conversation", "ctrl-x r", "regenerate", 2),
            ("conversation", "g g", "to-start", 3),
            ("global", "f5", "redraw", 5)
        ]
    );
}

#[test]
fn what_is_printed_is_a_file_with_the_same_meaning() {
    let source = "[documents]\nexclude = ['a\"b', \"c\\n\"]\nhidden = true\n[reply]\ntemperature = 0.7\nseed = 9\n\
                  [model]\npath = '~/my models'\n[keys.conversation]\n'ctrl-x \"' = 'x'\n['keys'.'a b']\n'}' = 'y'\n";
    let flags = given(&[("theme", &["#1"])]);
    let (first, problems) = resolve(File::parse("c.toml", source), |_| None, &flags);
    assert_eq!(problems, []);
    let printed = effective(&first);
    for line in ["hidden = true", "# c.toml:3", "# --theme", "# default"] {
        assert!(printed.contains(line), "{printed}");
    }
    let (second, problems) = resolve(File::parse("printed", &printed), |_| None, &[]);
    assert_eq!(problems, [], "{printed}");
    let without_places = |effective: Effective| {
        let mut config = effective.config;
        let mut keys: Vec<_> = config
            .keys
            .drain(..)
            .map(|binding| (binding.context, binding.keys, binding.action))
            .collect();
        keys.sort();
        (config, keys)
    };
    assert_eq!(without_places(first), without_places(second));
}

#[test]
fn the_explained_file_sets_nothing_until_it_is_uncommented() {
    let explained = commented();
    let (effective, problems) = resolve(File::parse("c", &explained), |_| None, &[]);
    assert_eq!((effective.config, problems), (Config::default(), Vec::new()));
    let uncommented: Vec<_> = explained
        .lines()
        .map(|line| {
            line.strip_prefix('#')
                .filter(|rest| !rest.starts_with(' '))
                .unwrap_or(line)
        })
        .collect();
    let (effective, problems) = resolve(File::parse("c", &uncommented.join("\n")), |_| None, &[]);
    assert_eq!((effective.config, problems), (Config::default(), Vec::new()));
    assert!(effective.origins.iter().all(|origin| matches!(origin, Origin::File(_))));
}

#[test]
fn names_are_unique_and_described() {
    let mut names: Vec<_> = SETTINGS.iter().map(Setting::name).collect();
    names.extend(SETTINGS.iter().map(Setting::variable));
    names.extend(OTHER_VARIABLES.map(str::to_owned));
    let count = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), count);
    for setting in SETTINGS {
        assert!(setting.about().ends_with('.'), "{}", setting.name());
        assert!(
            !setting.about().contains('|'),
            "it would break the reference: {}",
            setting.name()
        );
    }
}

/// The settings as they stand in the reference.
fn documented() -> String {
    use std::fmt::Write;
    let config = Config::default();
    let mut out = String::new();
    for (section, about) in sections() {
        let _ = write!(
            out,
            "\n`[{section}]`: {about}\n\n| setting | default | |\n|---|---|---|\n"
        );
        for setting in SETTINGS.iter().filter(|setting| setting.section == section) {
            let flag = setting
                .flag
                .map_or_else(String::new, |flag| format!(" `--{}`", flag.trim_start_matches('!')));
            let (key, default, about) = (setting.key(), (setting.show)(&config), setting.about());
            let expected = (setting.expected)();
            let _ = writeln!(out, "| `{key}`{flag} | `{default}` | {about} Expects {expected}. |");
        }
    }
    out.push('\n');
    out
}

#[test]
fn the_reference_has_every_setting_as_it_is() {
    let reference = std::fs::read_to_string(REFERENCE).unwrap();
    let (before, rest) = reference.split_once(BEGIN).expect("the line that begins the settings");
    let (found, after) = rest.split_once(END).expect("the line that ends them");
    let right = documented();
    if found != right && std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(REFERENCE, format!("{before}{BEGIN}{right}{END}{after}")).unwrap();
        return;
    }
    assert_eq!(found, right, "UPDATE_DOCS=1 cargo test --lib config:: writes it");
}

#[test]
fn which_file_is_read() {
    let with = |flag: Option<&str>, variables: &[(&str, &str)]| {
        let environment = |asked: &str| {
            let found = variables.iter().find(|(name, _)| *name == asked);
            found.map(|&(_, value)| value.to_owned())
        };
        Location::find(flag.map(Path::new), environment)
    };
    let home = ("HOME", "/home/me");
    assert_eq!(
        with(None, &[home]),
        Location::Usual("/home/me/.config/thunderhead/config.toml".into())
    );
    assert_eq!(
        with(None, &[home, ("XDG_CONFIG_HOME", "/c")]),
        Location::Usual("/c/thunderhead/config.toml".into())
    );
    assert_eq!(
        with(None, &[home, ("XDG_CONFIG_HOME", "relative")]),
        Location::Usual("/home/me/.config/thunderhead/config.toml".into())
    );
    let own = ("THUNDERHEAD_CONFIG", "/own.toml");
    assert_eq!(with(None, &[home, own]), Location::Given("/own.toml".into()));
    assert_eq!(with(Some("f.toml"), &[home, own]), Location::Given("f.toml".into()));
    assert_eq!(with(None, &[home, ("THUNDERHEAD_CONFIG", "")]), Location::None);
    assert_eq!(with(None, &[]), Location::None);
}

#[test]
fn only_a_file_that_was_named_has_to_be_there() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("config.toml");
    assert_eq!(Location::Usual(missing.clone()).read().problems, []);
    let told = Location::Given(missing.clone()).read().problems;
    assert!(told[0].message.contains("cannot be read"), "{told:?}");
    std::fs::write(&missing, b"[ui]\xff").unwrap();
    let told = Location::Usual(missing).read().problems;
    assert!(told[0].message.ends_with("it is not UTF-8"), "{told:?}");
}

proptest! {
    #[test]
    fn no_file_makes_it_fail(source in "([a-z]{0,4}|\\[|\\]|=|\"|'|\n|\\.| |ui|model|keys|theme|threads|[0-9]|\\{|\\}|你){0,40}") {
        let (effective, problems) = resolve(File::parse("c", &source), |_| None, &[]);
        if problems.is_empty() {
            let printed = super::effective(&effective);
            let (_, problems) = resolve(File::parse("c", &printed), |_| None, &[]);
            prop_assert_eq!(problems, []);
        }
    }
}
