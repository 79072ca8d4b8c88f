use super::*;
use std::fs;

fn tree(files: &[&str]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for file in files {
        let path = dir.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "x\n").unwrap();
    }
    dir
}

/// What is found and what is left out, without the folder's name.
fn run(dir: &Path, paths: &[&str], ask: impl FnOnce(&mut Selection)) -> (Vec<String>, Vec<(String, String)>) {
    let mut selection = Selection::of(paths.iter().map(|p| dir.join(p)).collect());
    ask(&mut selection);
    let found = discover(&selection, &Interrupt::new()).unwrap();
    let prefix = format!("{}/", dir.display());
    let short = |name: &str| name.strip_prefix(&prefix).unwrap_or(name).to_owned();
    let mut left_out: Vec<_> = found
        .left_out
        .into_iter()
        .map(|left_out| (short(&left_out.skipped.path), left_out.skipped.reason))
        .collect();
    left_out.sort();
    (found.sources.iter().map(|s| short(&s.name)).collect(), left_out)
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected
        .iter()
        .map(|&(path, reason)| (path.to_owned(), reason.to_owned()))
        .collect()
}

const IGNORED: &str = "by an ignore file";

#[test]
fn files_come_sorted_and_what_is_left_out_is_said() {
    let dir = tree(&[
        "b.rs",
        "a/z.rs",
        "a/b.rs",
        "a.rs",
        ".hidden/x",
        "target/deep/x.rs",
        "a/n.log",
        ".git/HEAD",
        "node_modules/x/y.js",
        "Cargo.lock",
        ".env",
        "a/id_rsa",
        "private/x.rs",
        "a/logo.png",
    ]);
    fs::write(dir.path().join(".gitignore"), "target\n*.log\n").unwrap();
    fs::write(dir.path().join(".aiignore"), "private\n").unwrap();
    let (files, left_out) = run(dir.path(), &[""], |_| ());
    assert_eq!(files, ["a/b.rs", "a/z.rs", "a.rs", "b.rs"]);
    let secret = "it may hold a secret";
    let expected = pairs(&[
        (".aiignore", "hidden"),
        (".env", secret),
        (".git/", "what version control keeps for itself"),
        (".gitignore", "hidden"),
        (".hidden/", "hidden"),
        ("Cargo.lock", "a lock file"),
        ("a/id_rsa", secret),
        ("a/logo.png", "an image"),
        ("a/n.log", IGNORED),
        ("node_modules/", "code of others"),
        ("private/", IGNORED),
        ("target/", IGNORED),
    ]);
    assert_eq!(left_out, expected);
}

#[test]
fn an_ignore_file_of_our_own_prevails() {
    let dir = tree(&["a.log", "b.log", "c.rs", ".git/HEAD"]);
    fs::write(dir.path().join(".gitignore"), "*.log\n").unwrap();
    fs::write(dir.path().join(".thunderheadignore"), "!a.log\nc.rs\n").unwrap();
    assert_eq!(run(dir.path(), &[""], |_| ()).0, ["a.log"]);
}

#[test]
fn patterns_leave_out_and_take_in() {
    let dir = tree(&[
        "src/a.rs",
        "src/b.py",
        "docs/c.md",
        "target/x.rs",
        "node_modules/y/z.rs",
        ".github/w.yml",
        "Cargo.lock",
        ".git/HEAD",
    ]);
    fs::write(dir.path().join(".gitignore"), "target\n").unwrap();
    let ask = |change: fn(&mut Selection)| run(dir.path(), &[""], change);
    let list = |patterns: &[&str]| patterns.iter().map(|p| (*p).to_owned()).collect::<Vec<_>>();

    let (files, left_out) = ask(|s| s.exclude = vec!["docs/".into(), "*.py".into()]);
    assert_eq!(files, ["src/a.rs"]);
    assert!(
        left_out.contains(&("docs/".into(), "by --exclude".into())),
        "{left_out:?}"
    );
    assert!(
        left_out.contains(&("src/b.py".into(), "by --exclude".into())),
        "{left_out:?}"
    );

    let (files, left_out) = ask(|s| s.only = vec!["*.md".into()]);
    assert_eq!(files, ["docs/c.md"]);
    assert!(
        left_out.contains(&("src/a.rs".into(), "not among --only".into())),
        "{left_out:?}"
    );

    let included = ["target/", "node_modules/**/z.rs", "Cargo.lock", ".github"];
    let mut selection = Selection::of(vec![dir.path().to_owned()]);
    selection.include = list(&included);
    let found = discover(&selection, &Interrupt::new()).unwrap();
    let names: Vec<_> = found.sources.iter().map(|s| s.path.clone().unwrap()).collect();
    for file in [
        "target/x.rs",
        "node_modules/y/z.rs",
        "Cargo.lock",
        ".github/w.yml",
        "src/a.rs",
    ] {
        assert!(names.contains(&dir.path().join(file)), "{file} in {names:?}");
    }
    let (files, _) = ask(|s| s.hidden = true);
    assert!(files.contains(&".github/w.yml".to_owned()) && !files.iter().any(|f| f.starts_with(".git/")));
}

#[test]
fn globs_and_lists_name_files() {
    let dir = tree(&["a/x.rs", "a/deep/y.rs", "a/z.md", "b/x.rs", "we[i]rd"]);
    assert_eq!(run(dir.path(), &["a/**/*.rs"], |_| ()).0, ["a/deep/y.rs", "a/x.rs"]);
    assert_eq!(run(dir.path(), &["*/x.rs"], |_| ()).0, ["a/x.rs", "b/x.rs"]);
    assert_eq!(run(dir.path(), &["a/d*"], |_| ()).0, ["a/deep/y.rs"]);
    assert_eq!(run(dir.path(), &["we[i]rd"], |_| ()).0, ["we[i]rd"]);
    let error = |argument: &str| {
        let selection = Selection::of(vec![argument.into()]);
        discover(&selection, &Interrupt::new()).unwrap_err().to_string()
    };
    let nothing = error(&format!("{}/*.zig", dir.path().display()));
    assert!(nothing.ends_with("*.zig: there is no such file or folder"), "{nothing}");

    let at = |name: &str| dir.path().join(name).display().to_string();
    for (name, separator) in [("list", "\n"), ("nul", "\0"), ("crlf", "\r\n")] {
        let list = [at("b/x.rs"), String::new(), at("a")].join(separator);
        fs::write(dir.path().join(name), list).unwrap();
        let argument = PathBuf::from(format!("@{}", at(name)));
        let found = discover(&Selection::of(vec![argument]), &Interrupt::new()).unwrap();
        let names: Vec<_> = found.sources.iter().map(|s| s.path.clone().unwrap()).collect();
        let expected = ["b/x.rs", "a/deep/y.rs", "a/x.rs", "a/z.md"].map(|f| dir.path().join(f));
        assert_eq!(names, expected, "{name}");
    }
    assert_eq!(error("@/no/such"), "@/no/such: there is no such file or folder");
}

#[test]
fn what_is_named_is_taken_once_and_in_the_order_of_the_arguments() {
    let dir = tree(&["b.rs", "a.rs", "target/x.log", ".git/HEAD", ".env"]);
    fs::write(dir.path().join(".gitignore"), "target\n*.log\n").unwrap();
    let (files, _) = run(dir.path(), &["target/x.log", "b.rs", "", "a.rs", ".env"], |_| ());
    assert_eq!(files, ["target/x.log", "b.rs", "a.rs", ".env"]);
}

#[test]
fn standard_input_is_a_dash() {
    let found = discover(&Selection::of(vec!["-".into()]), &Interrupt::new()).unwrap();
    assert_eq!(
        (found.sources[0].name.as_str(), &found.sources[0].path),
        ("stdin", &None)
    );
}

#[test]
fn a_missing_path_is_an_error_that_names_it() {
    let error = discover(&Selection::of(vec!["/no/such".into()]), &Interrupt::new()).unwrap_err();
    assert_eq!(error.to_string(), "/no/such: there is no such file or folder");
}

#[test]
fn an_interrupt_ends_the_walk() {
    let dir = tree(&["a.rs"]);
    let interrupt = Interrupt::new();
    interrupt.raise();
    let error = discover(&Selection::of(vec![dir.path().to_owned()]), &interrupt).unwrap_err();
    assert!(matches!(error, ContextError::Interrupted(_)));
}

#[cfg(unix)]
#[test]
fn links_are_followed_only_when_that_is_asked_for() {
    use std::os::unix::fs::symlink;
    let outside = tree(&["o.rs"]);
    let dir = tree(&["a/x.rs"]);
    symlink("..", dir.path().join("a/loop")).unwrap();
    symlink("a", dir.path().join("link")).unwrap();
    symlink(outside.path(), dir.path().join("a/out")).unwrap();
    symlink("gone", dir.path().join("a/gone")).unwrap();
    let (files, left_out) = run(dir.path(), &["a"], |_| ());
    assert_eq!(files, ["a/x.rs"]);
    let outside = "a symbolic link that leads out of the folder; --follow goes there";
    let expected = [
        ("a/gone", "a symbolic link to nothing"),
        ("a/loop", outside),
        ("a/out", outside),
    ];
    assert_eq!(left_out, pairs(&expected));
    assert_eq!(run(dir.path(), &["link"], |_| ()).0, ["link/x.rs"]);
    let (files, left_out) = run(dir.path(), &["a"], |s| s.follow = true);
    assert_eq!(files, ["a/out/o.rs", "a/x.rs"]);
    assert!(
        left_out.contains(&("a/loop".into(), "a symbolic link to a folder that it lies in".into()))
            || left_out.iter().any(|(path, _)| path.starts_with("a/loop")),
        "{left_out:?}"
    );
}

#[cfg(unix)]
#[test]
fn names_cannot_forge_lines() {
    let dir = tree(&["a\nb\x1b.rs"]);
    assert_eq!(run(dir.path(), &[""], |_| ()).0, ["a␊b␛.rs"]);
}
