use proptest::prelude::*;

use super::super::testing::pack;
use super::*;

/// The lines of a file as they are left, without spaces; `~` for a line that begins inside something.
fn left(path: &str, text: &str) -> Vec<String> {
    let pack = pack(&[(path, text)]);
    let document = &pack.documents[0];
    let code = Code::of(document);
    let of_line = |line: &Range<usize>| {
        let inside = if code.inside(line.start) { "~" } else { "" };
        format!("{inside}{}", code.line(line).replace(' ', ""))
    };
    document.lines.iter().map(|line| of_line(&line)).collect()
}

#[test]
fn comments_and_the_insides_of_strings_are_taken_out() {
    for (path, text, expected) in [
        ("a.rs", "a /* b\nc /* d */ e\n*/ f // g\nh", &["a", "~", "~f", "h"][..]),
        (
            "a.rs",
            "a(\"x\\\"y\", 'z', '\\'', '\"', b'\"') /* */ b",
            &["a(\"\",'','','',b'')b"],
        ),
        (
            "a.rs",
            "fn f<'a>(x: &'a str) { \"/*\" }\ng",
            &["fnf<'a>(x:&'astr){\"\"}", "g"],
        ),
        ("a.rs", "r#\"x\" \ny\"# z\nbr\"\\\" w", &["r#\"", "~\"#z", "br\"\"w"]),
        ("a.rs", "let a = \"x \\\n  fn f\n\";\nb", &["leta=\"", "~", "~\";", "b"]),
        (
            "a.c",
            "x = 1'000; // '\ny = '\"'; \"a\\\nb\"; z",
            &["x=1'000;", "y='';\"", "~\";z"],
        ),
        ("a.cpp", "R\"x(a)\n)x\" b", &["R\"x(", "~)x\"b"]),
        ("a.go", "a := `b\nc\\` d", &["a:=`", "~`d"]),
        ("a.ts", "x = /\"`/g; y = `a\nb`\nc / d", &["x=//g;y=`", "~`", "c/d"]),
        (
            "a.py",
            "'''a\nb''' # c\nx = \"#\" # d\ny",
            &["'''", "~'''", "x=\"\"", "y"],
        ),
        (
            "a.sh",
            "x=${y#z} # c\ncat <<'E'\na \"\nE\nb",
            &["x=${y#z}", "cat<<''", "~", "E", "b"],
        ),
        ("a.sh", "echo it\\'s x\necho 'a\nb' c", &["echoit\\'sx", "echo'", "~'c"]),
        ("a.rb", "=begin\na\n=end\nb", &["", "~", "~", "b"]),
        ("a.sql", "a -- b\n'it''s' c", &["a", "''''c"]),
        ("a.lua", "a --[[ b\nc ]] d -- e", &["a", "~d"]),
        (
            "a.toml",
            "\"k\" = 1 # x\ny = '''\nz = 1\n'''",
            &["\"k\"=1", "y='''", "~", "~'''"],
        ),
        (
            "a.yaml",
            "a: don't # x\nb: |\n  c: 1\n\n  d\ne: \"#\"",
            &["a:don't", "b:|", "~", "~", "~", "e:\"#\""],
        ),
        ("a.json", "{\"a\": \"//\"}", &["{\"a\":\"//\"}"]),
        ("a.md", "a // b \"c\"", &["a//b\"c\""]),
    ] {
        assert_eq!(left(path, text), expected, "{path}: {text}");
    }
}

#[test]
fn open_brackets_are_counted_in_code_only() {
    let pack = pack(&[("a.py", "f(x, '((', # (\n  y=1)\nz\n)")]);
    let code = Code::of(&pack.documents[0]);
    let open: Vec<usize> = pack.documents[0]
        .lines
        .iter()
        .map(|line| code.open(line.start))
        .collect();
    assert_eq!(open, [0, 1, 0, 0]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_text_keeps_its_shape(
        pieces in prop::collection::vec(prop::sample::select(vec![
            "\"", "'", "`", "/*", "*/", "//", "#", "--", "\\", "\n", "\r\n", "r#\"", "\"#", "R\"(", ")\"", "'''", "<<E\n", "E\n",
            "é", "🙂", "x", ": |\n", "  ", "/", "=", "=begin", "[[", "]]", "{-", "(*",
        ]), 0..40),
        path in prop::sample::select(vec![
            "a.rs", "a.cpp", "a.js", "a.go", "a.py", "a.sh", "a.rb", "a.yaml", "a.toml", "a.sql", "a.lua", "a.hs", "a.ml",
            "a.php", "a.json", "a.md", "Makefile", "a.java",
        ]),
    ) {
        let text = pieces.concat();
        let pack = pack(&[(path, &text)]);
        let document = &pack.documents[0];
        let code = Code::of(document);
        prop_assert_eq!(code.text.len(), text.len());
        for (left, original) in code.text.bytes().zip(text.bytes()) {
            prop_assert!(left == original || left == b' ');
        }
        for line in document.lines.iter() {
            let line = &line;
            code.line(line);
            code.inside(line.start);
        }
    }
}
