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
        "something else: 10",
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
    assert!(!verified("Config", 11, "def load(self):"));
}

/// Whether citing `line` with its whole text is verified as the answer of `kind` about `span`.
fn holds(files: &[(&str, &str)], kind: Kind, span: &str, line: usize, answer: Option<&str>) -> bool {
    let docs = pack(files);
    let quote = docs.line(line).unwrap().text.to_owned();
    let answer = answer.map(|text| Answer { text, tokens: 3 });
    let asked = Asked::new(kind, span);
    check(&docs, &asked, Some(line), &quote, answer, Channel::Answer).verdict == Verdict::Verified
}

#[test]
fn comments_and_strings_of_several_lines_define_nothing() {
    for (path, text, line) in [
        ("a.rs", "const T: &str = \"\\\nfn foo() {\n}\n\";\n", 2),
        ("a.rs", "const T: &str = r#\"\nfn foo() {\n\"#;\n", 2),
        ("a.rs", "/* /* */\nfn foo() {\n*/\n", 2),
        ("a.c", "/*\nint foo(int x) {\n*/\n", 2),
        ("a.cpp", "auto x = R\"(\nint foo(int x) {\n)\";\n", 2),
        ("a.go", "var t = `\nfunc foo() {\n`\n", 2),
        ("a.js", "const t = `\nfunction foo() {\n`;\n", 2),
        ("a.java", "String t = \"\"\"\n    int foo() {\n\"\"\";\n", 2),
        ("a.py", "x = '''\ndef foo():\n'''\n", 2),
        ("a.py", "connect(\n    foo=3,\n)\n", 2),
        ("a.py", "def f(\n    foo=3,\n):\n", 2),
        ("a.rb", "x = <<~END\n  def foo\nEND\n", 2),
        ("a.sh", "cat <<EOF\nfoo=3\nEOF\n", 2),
        ("a.yaml", "run: |\n  foo: 3\n", 2),
        ("a.toml", "x = \"\"\"\nfoo = 3\n\"\"\"\n", 2),
        ("a.sql", "/*\nCREATE TABLE foo (x);\n*/\n", 2),
        ("a.lua", "--[[\nfunction foo()\n]]\n", 2),
        ("a.hs", "{-\ndata foo = 3\n-}\n", 2),
        ("a.rb", "=begin\ndef foo\n=end\n", 2),
    ] {
        assert!(
            !holds(&[(path, text)], Kind::Define, "foo", line, None),
            "{path}: {text}"
        );
        assert!(
            !holds(&[(path, text)], Kind::Value, "foo", line, Some("3")) || path == "a.py",
            "{path}: {text}"
        );
    }
}

#[test]
fn code_after_a_mark_in_a_string_is_code() {
    for (path, text) in [
        ("a.rs", "let x = \"/*\";\nfn foo() {}\n"),
        ("a.rs", "let x = '\"';\nfn foo() {}\n"),
        ("a.rs", "// it's \"\nfn foo() {}\n"),
        ("a.rs", "fn x<'a>(s: &'a str) {}\nfn foo() {}\n"),
        ("a.js", "const x = /[\"'`]/;\nfunction foo() {\n"),
        ("a.py", "x = \"'''\"\ndef foo():\n"),
        ("a.sh", "echo \"it's\" # don't\nfoo() {\n"),
        ("a.go", "x := '\\''\nfunc foo() {\n"),
    ] {
        assert!(holds(&[(path, text)], Kind::Define, "foo", 2, None), "{path}: {text}");
    }
}

#[test]
fn a_declaration_gives_way_to_a_definition() {
    let header = ("a.h", "int foo(int x);\nclass Bar;\n");
    let source = ("a.c", "int foo(int x) {\n}\n");
    assert!(holds(&[header], Kind::Define, "foo", 1, None));
    assert!(!holds(&[header, source], Kind::Define, "foo", 1, None));
    assert!(holds(&[header, source], Kind::Define, "foo", 3, None));
    let readme = ("README.md", "    fn foo() {\n");
    assert!(holds(&[readme], Kind::Define, "foo", 1, None));
    assert!(!holds(
        &[readme, ("a.rs", "fn foo() {}\n")],
        Kind::Define,
        "foo",
        1,
        None
    ));
}

#[test]
fn values_that_are_not_whole_do_not_hold() {
    let value = |path, text, answer| holds(&[(path, text)], Kind::Value, "foo", 1, Some(answer));
    assert!(value("a.rs", "const foo: usize = 64;\n", "64"));
    assert!(value("a.rs", "const foo: usize = 64;\r\n", "64;"));
    assert!(value("a.h", "#define foo 64\n", "64"));
    assert!(value("a.py", "\tfoo = \"(\"\n", "\"(\""));
    assert!(value("a.yaml", "foo: 64\n- bar\n", "64"));
    assert!(!value("a.rs", "const foo: &str =\n    \"x\";\n", ""));
    assert!(!value("a.rs", "let foo = 64\n    + 1;\n", "64"));
    assert!(!value("a.rs", "let foo = &[\n    1];\n", "&["));
    assert!(!value("a.py", "foo = 64 + \\\n1\n", "64 + \\"));
    assert!(!value("a.yaml", "foo: |\n  x\n", "|"));
    assert!(!value("a.rs", "foo: usize,\n", "usize"));
}

#[test]
fn an_owner_must_be_the_one_around_it() {
    let belongs = |path: &str, text: &str, owner: &str, line: usize| {
        let docs = pack(&[(path, text)]);
        let asked = Asked {
            owner: Some(owner.into()),
            ..Asked::new(Kind::Define, "load")
        };
        let quote = docs.line(line).unwrap().text.to_owned();
        check(&docs, &asked, Some(line), &quote, None, Channel::Answer).verdict == Verdict::Verified
    };
    assert!(belongs(
        "a.rs",
        "impl<T: Fn() -> u8> Config<T>\nwhere\n    T: X,\n{\n    fn load() {}\n}\n",
        "Config",
        5
    ));
    assert!(belongs(
        "a.rs",
        "impl Read for a::Config {\n    fn load() {}\n",
        "Config",
        2
    ));
    assert!(belongs("config.rs", "fn load() {}\n", "config", 1));
    assert!(belongs("config/mod.rs", "fn load() {}\n", "config", 1));
    assert!(belongs("a.go", "func (c *Config) load() {\n", "Config", 1));
    assert!(belongs("a.cpp", "int Config::load() {\n", "Config", 1));
    assert!(belongs("a.java", "class Config {\n    int load() {\n", "Config", 2));
    assert!(!belongs(
        "a.rs",
        "impl Other {\n    fn load(c: Config) {}\n",
        "Config",
        2
    ));
    assert!(!belongs(
        "a.rs",
        "impl From<Config> for Other {\n    fn load() {}\n",
        "Config",
        2
    ));
    assert!(!belongs(
        "a.rs",
        "fn make(c: Config) {\n    fn load() {}\n",
        "Config",
        2
    ));
    assert!(!belongs("config.rs", "impl Other {\n    fn load() {}\n", "config", 2));
}
