//! What a line says a name is set to.

use super::definition::macro_rest;
use super::words::{among, begins_with_point_and_number, is_word, kind_of_file, occurrences, strip_assignment};

/// Tokens at which the bundled model cuts a value off.
const CUT: usize = 24;

/// Languages in which `name: x` gives a type, unless `x` is a literal.
const TYPED: &str = "rs ts tsx mts py pyi kt kts swift scala go";

/// A name after one of these words is compared or matched, not set.
const CONDITIONS: &str = "and assert case elif elsif for having if in like match not on or switch test unless until when \
    where while WHERE AND OR ON HAVING NOT WHEN";

/// What a line sets a name to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Value<'l> {
    /// Without what ends the statement.
    pub text: &'l str,
    /// The same with what follows it up to the end of the line, if that is no code.
    rest: &'l str,
    /// The same without the insides of strings, with what ends the statement.
    code: &'l str,
}

/// What the line sets `name` to: `name = value`, `name := value`, `name: value`, `name: type = value`,
/// `#define name value`. `code` is the line without comments and the insides of strings.
pub(super) fn value_of<'l>(line: &'l str, code: &'l str, path: &str, name: &'l str) -> Option<Value<'l>> {
    let kind = kind_of_file(path);
    let defined = macro_rest(code.trim(), name).filter(|rest| rest.starts_with([' ', '\t']));
    if let Some(rest) = defined.filter(|_| among(&kind, "c cc cpp cu cuh cxx h hh hpp m mm")) {
        let from = code.trim_end().len() - rest.len();
        return value_between(line, code, from, code.len());
    }
    occurrences(line, name).find_map(|at| {
        let end = at + name.len();
        let quoted = ['"', '\'', '`'].into_iter().find(|&quote| {
            line[..at].ends_with(quote)
                && line[end..].starts_with(quote)
                && code[..at].ends_with(quote)
                && code[end..].starts_with(quote)
        });
        let (from, after) = quoted.map_or((at, end), |quote| (at - quote.len_utf8(), end + quote.len_utf8()));
        if quoted.is_none() && !code[at..].starts_with(name) {
            return None;
        }
        if !may_be_set(&code[..from], &kind) {
            return None;
        }
        let to = scope_end(&code[..from], code, after);
        let tail = &code[after..to];
        let start = |rest: &str| to - rest.len();
        let tail = tail.trim_start();
        if let Some(value) = tail.strip_prefix(":=").or_else(|| strip_assignment(tail)) {
            return value_between(line, code, start(value), to);
        }
        let typed = tail.strip_prefix(':').filter(|rest| !rest.starts_with(':'))?;
        let types = among(&kind, TYPED);
        let assigned = typed.char_indices().filter(|&(_, c)| c == '=').find_map(|(at, _)| {
            let of_comparison = typed[..at].ends_with(['=', '<', '>', '!', '-', '+', '*', '/']);
            let plain = !of_comparison && scope_end("(", &typed[..at], 0) == at && !typed[..at].contains('{');
            strip_assignment(&typed[at..]).filter(|_| plain)
        });
        match assigned.filter(|_| types) {
            Some(value) => value_between(line, code, start(value), to),
            None if types && quoted.is_none() && !is_literal(typed.trim()) => None,
            None => value_between(line, code, start(typed), to),
        }
    })
}

/// What stands before a name lets it be set there: it does not make it a part of a name or of a comparison.
fn may_be_set(before: &str, kind: &str) -> bool {
    let word = before.trim_end().rsplit(|c| !is_word(c)).next().unwrap_or_default();
    let uses = before.ends_with('-') || (before.ends_with('$') && among(kind, "sh bash zsh"));
    // The only condition that a line can be is the last thing that began on it.
    let statement = before.rsplit([';', '{', '(']).next().unwrap_or_default();
    let condition = statement.split(|c| !is_word(c)).any(|word| among(word, CONDITIONS));
    // Of these files strings are not taken out, as they may be keys.
    let in_string = among(kind, "json json5 jsonc toml yaml yml") && before.matches('"').count() % 2 == 1;
    let ternary = before.trim_end().ends_with('?');
    let opened_by_condition = before.trim_end().strip_suffix('(').is_some_and(|head| {
        among(
            head.trim_end().rsplit(|c| !is_word(c)).next().unwrap_or_default(),
            "if while switch elif",
        )
    });
    !(uses
        || in_string
        || ternary
        || opened_by_condition
        || among(word, CONDITIONS)
        || (condition && !among(kind, "md txt rst")))
}

/// Where the value of a name must have ended: at the comma or the bracket that ends its place in a list that was open
/// before it, else at the bracket that nothing before it opened.
fn scope_end(before: &str, code: &str, after: usize) -> usize {
    let opens = |c: char| "([{".contains(c);
    let closes = |c: char| ")]}".contains(c);
    let depth = before.chars().fold(0i32, |depth, c| {
        (depth + i32::from(opens(c)) - i32::from(closes(c))).max(0)
    });
    let mut inner = 0;
    for (at, c) in code[after..].char_indices() {
        if closes(c) && inner == 0 {
            return after + at;
        }
        if inner == 0 && depth > 0 && (c == ',' || c == ';') {
            return after + at;
        }
        inner += i32::from(opens(c)) - i32::from(closes(c));
    }
    code.len()
}

fn value_between<'l>(line: &'l str, code: &'l str, from: usize, to: usize) -> Option<Value<'l>> {
    let begun = from + (code[from..to].len() - code[from..to].trim_start().len());
    let ended = begun.max(code[..to].trim_end().len());
    let text = bare(line.get(begun..ended)?);
    // Only a comment may follow what is the whole value.
    let all = code[to..].trim().is_empty();
    (!text.is_empty()).then_some(Value {
        text,
        rest: if all { line[begun..].trim() } else { text },
        code: code[begun..ended].trim(),
    })
}

fn is_literal(text: &str) -> bool {
    let number = text
        .strip_prefix('-')
        .unwrap_or(text)
        .starts_with(|c: char| c.is_ascii_digit());
    let word = text.split(|c: char| !is_word(c)).next().unwrap_or_default();
    number || text.starts_with(['"', '\'', '`']) || among(word, "true false True False None null nil undefined")
}

/// A value without the marks that end its statement.
pub(super) fn bare(value: &str) -> &str {
    value.trim_end().trim_end_matches([';', ',']).trim_end()
}

impl Value<'_> {
    /// Whether `answer` is this value, and not only a part of it. An answer of `tokens` tokens may have been cut off.
    pub fn is(self, answer: &str, tokens: usize) -> bool {
        let answer = answer.trim();
        let (given, whole) = (bare(answer), self.text);
        let cut = tokens >= CUT && whole.strip_prefix(given).is_some_and(|rest| !rest.starts_with(is_word));
        !given.is_empty() && (given == whole || answer == self.rest || bare(self.rest) == given || cut)
    }

    /// The value does not end on its line: a bracket is open, an operator waits, or the next line begins with one.
    pub fn goes_on(self, next: Option<&str>) -> bool {
        let depth = self.code.chars().fold(0i32, |depth, c| {
            depth + i32::from("([{".contains(c)) - i32::from(")]}".contains(c))
        });
        let waits = ["\\", "&&", " +", " -", " *", " /", " |", " ="];
        let begins = [".", "? ", "+ ", "- ", "* ", "/ ", "| ", "|| ", "&& ", "% ", "^ ", "== "];
        let next = next.unwrap_or_default().trim_start();
        let ended = self.code.ends_with([';', ',']);
        let open = waits.iter().any(|mark| self.code.ends_with(mark)) || ["|", ">", "|-", ">-"].contains(&self.code);
        depth > 0 || open || (!ended && begins.iter().any(|mark| next.starts_with(mark)))
    }
}

/// The number that the line gives for `name` as its `adjective` number ("The magic number for tea is 1234.").
pub(super) fn number_for<'l>(line: &'l str, adjective: &str, name: &str) -> Option<&'l str> {
    let phrase = format!("{adjective} number for {name}");
    let at = occurrences(line, &phrase).next()?;
    let tail = line[at + phrase.len()..].trim_start();
    let said = ["is:", "is", "=", ":", "equals"]
        .iter()
        .find_map(|verb| tail.strip_prefix(verb))?;
    let digits = said.trim_start();
    let length = digits.bytes().take_while(u8::is_ascii_digit).count();
    let rest = &digits[length..];
    let ends = !rest.starts_with(is_word) && !begins_with_point_and_number(rest);
    (length > 0 && ends).then_some(&digits[..length])
}

#[cfg(test)]
mod tests {
    use super::super::code::Code;
    use super::super::testing::pack;
    use super::*;

    fn value(line: &str, path: &str) -> Option<String> {
        let pack = pack(&[(path, line)]);
        let code = Code::of(&pack.documents[0]);
        let code = code.line(&pack.documents[0].lines.at(0));
        value_of(line, code, path, "RETRIES").map(|value| value.text.to_owned())
    }

    #[test]
    fn values_are_what_follows_the_name() {
        for (path, line, expected) in [
            ("a.rs", "const RETRIES: usize = 10;", "10"),
            ("a.rs", "const RETRIES: [u8; 2] = [1, 2]; // two", "[1, 2]"),
            ("a.rs", "    let mut RETRIES=f(x == y);", "f(x == y)"),
            ("a.rs", "Config { RETRIES: 3, other: 4 }", "3"),
            ("a.rs", "    RETRIES: \"a;b\",", "\"a;b\""),
            ("a.rs", "if x == y { RETRIES = 3 }", "3"),
            ("a.py", "RETRIES = 10  # ten", "10"),
            ("a.py", "RETRIES: int = 10", "10"),
            ("a.py", "def f(RETRIES=3, b=4):", "3"),
            ("a.py", "def f(RETRIES: Dict[A, B] = {}, b=4):", "{}"),
            ("a.py", "x = {'RETRIES': n, 'b': 2}", "n"),
            ("a.go", "RETRIES := 10", "10"),
            ("a.c", "#define RETRIES 64 /* many */", "64"),
            ("a.c", "#  define RETRIES (1 << 3)", "(1 << 3)"),
            ("a.c", "static const int RETRIES = 64;", "64"),
            ("a.ts", "export const RETRIES: number = 3;", "3"),
            ("a.js", "  RETRIES: other,", "other"),
            ("a.json", "\"RETRIES\": [1, 2],", "[1, 2]"),
            ("a.json", "{\"RETRIES\": 1, \"b\": 2}", "1"),
            ("a.yaml", "  RETRIES: 10 # ten", "10"),
            ("a.toml", "RETRIES = \"a # b\"", "\"a # b\""),
            ("a.sh", "export RETRIES=10", "10"),
            ("a.md", "RETRIES: 10", "10"),
            ("a.sql", "SET RETRIES = 10;", "10"),
        ] {
            assert_eq!(value(line, path).as_deref(), Some(expected), "{path}: {line}");
        }
    }

    #[test]
    fn uses_and_types_are_no_values() {
        for (path, line) in [
            ("a.rs", "if RETRIES == 10 {"),
            ("a.rs", "RETRIES => 10"),
            ("a.rs", "MAX_RETRIES = 10"),
            ("a.rs", "RETRIES::new()"),
            ("a.rs", "x = RETRIES"),
            ("a.rs", "RETRIES <= 10"),
            ("a.rs", "pub RETRIES: usize,"),
            ("a.rs", "fn f(RETRIES: usize, x: u8) {"),
            ("a.rs", "RETRIES: u8; let y = 3;"),
            ("a.rs", "// RETRIES = 10"),
            ("a.rs", "println!(\"RETRIES = 10\");"),
            ("a.py", "if x == RETRIES: y = 3"),
            ("a.py", "for x in RETRIES: y = 3"),
            ("a.py", "RETRIES: int"),
            ("a.py", "def f(RETRIES: int, x: int = 3):"),
            ("a.py", "RETRIES += 10"),
            ("a.c", "case RETRIES: y = 3;"),
            ("a.c", "x = y ? RETRIES : 3;"),
            ("a.c", "if (RETRIES = 10) {"),
            ("a.c", "#define RETRIES(x) 64"),
            ("a.sh", "if [ \"$RETRIES\" = 10 ]; then"),
            ("a.sh", "[ $RETRIES = 10 ]"),
            ("a.sql", "SELECT * FROM t WHERE RETRIES = 10;"),
            ("a.yaml", "max-RETRIES: 10"),
            ("a.yaml", "RETRIES-max: 10"),
            ("a.yaml", "# RETRIES: 10"),
            ("a.toml", "x = \"RETRIES = 10\""),
            ("a.rs", "RETRIES\u{301} = 10"),
            ("a.rs", "RETRIES\u{200b}S = 10"),
        ] {
            assert_eq!(value(line, path), None, "{path}: {line}");
        }
    }

    #[test]
    fn a_part_of_a_value_is_not_the_value() {
        for (answer, line, same) in [
            ("10", "RETRIES = 10;", true),
            ("10;", "RETRIES = 10;", true),
            ("10", "RETRIES = 10; // seconds", true),
            ("10; // seconds", "RETRIES = 10; // seconds", true),
            ("1", "RETRIES = 10;", false),
            ("10", "RETRIES = 10 + 1", false),
            ("10", "RETRIES = 10 - 1", false),
            ("10", "RETRIES = 100", false),
            ("10", "RETRIES = 1_0", false),
            ("10", "RETRIES = 10.5", false),
            ("", "RETRIES = 1", false),
            (";", "RETRIES = 1;", false),
            ("f", "RETRIES = f#x", false),
        ] {
            let pack = pack(&[("a.rs", line)]);
            let code = Code::of(&pack.documents[0]);
            let value = value_of(line, code.line(&pack.documents[0].lines.at(0)), "a.rs", "RETRIES").unwrap();
            assert_eq!(value.is(answer, 2), same, "{answer} in {line}");
        }
        let of = |line| value_of(line, line, "a.rs", "RETRIES").unwrap();
        assert!(of("RETRIES = a, b, c").is("a, b", 24));
        assert!(!of("RETRIES = a, b, c").is("a, c", 24));
        assert!(!of("RETRIES = a, bc").is("a, b", 24));
    }

    #[test]
    fn a_value_may_go_on_after_its_line() {
        let goes_on = |line, next| value_of(line, line, "a.rs", "RETRIES").unwrap().goes_on(next);
        for line in ["RETRIES = f(", "RETRIES = 1 +", "RETRIES = &[", "RETRIES = a \\"] {
            assert!(goes_on(line, None), "{line}");
        }
        assert!(goes_on("RETRIES = 1", Some("    + 2")));
        assert!(goes_on("RETRIES = a", Some("    .b()")));
        for next in [None, Some(""), Some("let x = 1;"), Some("}"), Some("+ 2")]
            .into_iter()
            .take(4)
        {
            assert!(!goes_on("RETRIES = 1", next), "{next:?}");
        }
        assert!(!goes_on("RETRIES = 1;", Some("+ 2")));
    }

    #[test]
    fn numbers_belong_to_their_names() {
        let line = "The magic number for tea is 1234. The special number for coffee is 77.";
        assert_eq!(number_for(line, "magic", "tea"), Some("1234"));
        assert_eq!(number_for(line, "special", "coffee"), Some("77"));
        assert_eq!(number_for(line, "special", "tea"), None);
        assert_eq!(number_for(line, "magic", "te"), None);
        for rest in [
            "is unknown. It has 3 leaves.",
            "is 3.5",
            "is -3",
            "is not 3",
            "is 1,234",
            "is 3rd",
            "bags is 3",
            "is",
        ] {
            let line = format!("The magic number for tea {rest}");
            assert_eq!(number_for(&line, "magic", "tea"), None, "{line}");
        }
    }
}
