use super::super::testing::pack;
use super::*;

const RUST: &str = "\
use std::fs;
/* fn parse_config in a comment:
fn parse_config() {
*/
pub fn parse_config(path: &Path) -> Config {
    let retries = 10;
    parse_config(path)
}
fn parse_config_file() {}
";
const NEEDLES: &str = "The magic number for tea is 1234.\nThe special number for tea is 99.\n";

fn docs() -> Pack {
    pack(&[
        ("a.rs", RUST),
        ("n.txt", NEEDLES),
        ("b.py", "x = 1\n\"\"\"\ndef run():\n\"\"\"\nx = 2\ndef run():\n"),
    ])
}

/// Lines by their running number: a.rs 1–9, n.txt 10–11, b.py 12–17.
fn verdict(kind: Kind, span: &str, line: usize, quote: &str, answer: Option<&str>) -> Result<(), String> {
    let asked = Asked::new(kind, span);
    let answer = answer.map(|text| Answer { text, tokens: 3 });
    match check(&docs(), &asked, Some(line), quote, answer, Channel::Answer).verdict {
        Verdict::Verified => Ok(()),
        Verdict::Unverified { reason } => Err(reason),
    }
}

fn refused(got: Result<(), String>, with: &str) {
    let reason = got.unwrap_err();
    assert!(reason.contains(with), "{reason}");
}

#[test]
fn a_true_quotation_holds() {
    assert_eq!(verdict(Kind::Find, "retries", 6, "retries = 10;", None), Ok(()));
    assert_eq!(
        verdict(Kind::Find, "parse_config(path)", 7, "parse_config(path)", None),
        Ok(())
    );
    let quote = "fn parse_config(path: &Path) -> Config {";
    assert_eq!(verdict(Kind::Define, "parse_config", 5, quote, None), Ok(()));
    assert_eq!(verdict(Kind::Value, "retries", 6, "retries = 10;", Some("10;")), Ok(()));
    assert_eq!(
        verdict(Kind::Needle("magic"), "tea", 10, "tea is 1234.", Some("1234")),
        Ok(())
    );
    assert_eq!(verdict(Kind::Define, "x", 12, "x = 1", None), Ok(()));
    assert_eq!(verdict(Kind::Define, "run", 17, "def run():", None), Ok(()));
}

#[test]
fn a_wrong_line_does_not_and_the_right_one_is_named() {
    refused(
        verdict(Kind::Find, "retries", 5, "retries = 10;", None),
        "does not stand there; it stands at a.rs:6",
    );
    refused(
        verdict(Kind::Find, "retries", 999, "retries = 10;", None),
        "no such line; the documents have 17; it stands at a.rs:6",
    );
    refused(verdict(Kind::Find, "retries", 0, "", None), "no such line");
    let twice = verdict(Kind::Define, "run", 1, "def run():", None).unwrap_err();
    assert!(!twice.contains("it stands at"), "{twice}");
}

#[test]
fn a_quotation_must_run_to_the_end_of_the_line_and_have_what_was_asked() {
    refused(
        verdict(Kind::Find, "retries", 6, "retries = 1", None),
        "does not stand there",
    );
    refused(verdict(Kind::Find, "retries", 6, "", None), "nothing is quoted");
    refused(verdict(Kind::Find, "retries", 6, " ", None), "nothing is quoted");
    refused(verdict(Kind::Find, "retries", 6, ";", None), "does not have `retries`");
    refused(verdict(Kind::Find, "retries", 8, "}", None), "does not have `retries`");
}

#[test]
fn a_part_of_a_longer_name_is_another_name() {
    refused(
        verdict(Kind::Find, "parse_config", 9, "parse_config_file() {}", None),
        "part of a longer name",
    );
    assert_eq!(
        verdict(Kind::Find, "parse_conf", 9, "parse_config_file() {}", None),
        Ok(())
    );
}

#[test]
fn a_use_is_not_a_definition() {
    refused(
        verdict(Kind::Define, "parse_config", 7, "parse_config(path)", None),
        "no definition",
    );
    refused(
        verdict(Kind::Define, "parse_config", 9, "fn parse_config_file() {}", None),
        "part of a longer name",
    );
    refused(
        verdict(Kind::Define, "parse_config", 3, "fn parse_config() {", None),
        "inside a comment",
    );
    refused(verdict(Kind::Define, "run", 14, "def run():", None), "inside a comment");
    refused(
        verdict(Kind::Define, "x", 16, "x = 2", None),
        "defined before that, at b.py:1",
    );
}

#[test]
fn a_wrong_value_does_not_hold() {
    refused(
        verdict(Kind::Value, "retries", 6, "retries = 10;", Some("1")),
        "something else: 10;",
    );
    refused(
        verdict(Kind::Value, "retries", 6, "retries = 10;", Some("")),
        "something else",
    );
    refused(
        verdict(Kind::Value, "retries", 6, "retries = 10;", None),
        "ended before",
    );
    refused(verdict(Kind::Value, "path", 7, "path)", Some(")")), "does not set");
    refused(
        verdict(Kind::Needle("magic"), "tea", 10, "tea is 1234.", Some("234")),
        "says 1234",
    );
    refused(
        verdict(Kind::Needle("magic"), "tea", 11, "tea is 99.", Some("99")),
        "does not give the magic number",
    );
}

/// One file, the name in question, and the line that a model might cite for it.
fn holds(kind: Kind, path: &str, text: &str, name: &str, line: usize, answer: Option<&str>) -> bool {
    let pack = pack(&[(path, text)]);
    let quote = pack.line(line).unwrap().text;
    let answer = answer.map(|text| Answer { text, tokens: 3 });
    let citation = check(
        &pack,
        &Asked::new(kind, name),
        Some(line),
        quote,
        answer,
        Channel::Answer,
    );
    citation.verdict == Verdict::Verified
}

#[test]
fn what_only_looks_like_a_definition_is_none() {
    for (path, text, line) in [
        ("a.rs", "pub use crate::x::foo;\n", 1),
        ("a.py", "from a import foo\n", 1),
        ("a.rs", "// fn foo() {\n", 1),
        ("a.rs", "let s = \"fn foo() {\";\n", 1),
        ("a.rs", "/* here\nfn foo() {}\n*/\n", 2),
        ("a.rs", "let s = r#\"\nfn foo() {}\n\"#;\n", 2),
        ("a.js", "const s = `\nfunction foo() {}\n`;\n", 2),
        ("a.go", "var s = `\nfunc foo() {}\n`\n", 2),
        ("a.py", "s = \"\"\"\ndef foo():\n\"\"\"\n", 2),
        ("a.sh", "cat <<E\nfunction foo() {\nE\n", 2),
        ("a.py", "if foo == 3:\n    bar(foo=4)\n", 2),
        ("a.md", "Then class foo is taught.\n", 1),
        ("a.rs", "fn fo\u{200b}foo() {}\n", 1),
    ] {
        assert!(!holds(Kind::Define, path, text, "foo", line, None), "{path}: {text}");
    }
    for (path, text, line) in [
        ("a.rs", "let s = \"/*\";\nfn foo() {}\n", 2),
        ("a.py", "'''doc'''\ndef foo():\n", 2),
        ("a.go", "func foo() {}\n", 1),
        ("a.js", "export function foo() {}\n", 1),
        ("a.rs", "pub(crate) const foo: char = '\"';\n", 1),
    ] {
        assert!(holds(Kind::Define, path, text, "foo", line, None), "{path}: {text}");
    }
}

#[test]
fn what_only_looks_like_a_value_is_none() {
    for (path, text, line) in [
        ("a.rs", "// X = 5;\n", 1),
        ("a.rs", "let s = \"X = 5\";\n", 1),
        ("a.rs", "/*\nX = 5;\n*/\n", 2),
        ("a.py", "\"\"\"\nX = 5\n\"\"\"\n", 2),
        ("a.py", "f(X = 5)\n", 1),
        ("a.py", "f(\n    X = 5\n)\n", 2),
        ("a.rs", "if X == 5 {}\n", 1),
        ("a.rs", "const X: u32 = 5\n    + 1;\n", 1),
        ("a.toml", "# X = 5\nX = 6\n", 1),
    ] {
        assert!(!holds(Kind::Value, path, text, "X", line, Some("5")), "{path}: {text}");
    }
    for (path, text) in [
        ("a.rs", "const X: u32 = 5;\n"),
        ("a.rs", "    let X = 5; // five\n"),
        ("a.py", "X = 5  # five\n"),
        ("a.json", "[{\n\"X\": 5\n}]\n"),
        ("a.yaml", "X: 5\n"),
    ] {
        let line = text.lines().position(|line| line.contains('X')).unwrap() + 1;
        assert!(holds(Kind::Value, path, text, "X", line, Some("5")), "{path}: {text}");
    }
}

#[test]
fn what_is_shown_controls_no_terminal() {
    let asked = Asked::new(Kind::Find, "x");
    let citation = check(&docs(), &asked, Some(1), "x\x1b[31m", None, Channel::Thinking);
    assert_eq!(citation.quote, "x␛[31m");
    assert_eq!((citation.path.as_str(), citation.line), ("a.rs", 1));
    assert_eq!(check(&docs(), &asked, None, "x", None, Channel::Thinking).path, "?");
}

#[test]
fn a_name_must_belong_to_what_was_asked() {
    let text = "impl Config {\n    fn load() {}\n}\n\nimpl Other {\n    // Config\n    fn load() {}\n}\nfn load() {}\n";
    let docs = pack(&[
        ("a.rs", text),
        ("Config.py", "class X:\n    def load(self):\n        pass\n"),
    ]);
    let verified = |owner: &str, line: usize, quote: &str| {
        let asked = Asked {
            owner: Some(owner.into()),
            ..Asked::new(Kind::Define, "load")
        };
        check(&docs, &asked, Some(line), quote, None, Channel::Answer).verdict == Verdict::Verified
    };
    assert!(verified("Config", 2, "fn load() {}"));
    assert!(!verified("Config", 7, "fn load() {}"));
    assert!(verified("Other", 7, "fn load() {}"));
    assert!(!verified("Config", 9, "fn load() {}"));
    assert!(verified("X", 11, "def load(self):"));
    assert!(verified("Config", 11, "def load(self):"));
}
