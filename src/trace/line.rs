//! What a line of reasoning is, told by how it begins.

use super::phrases::Verdict;

/// The structure that a line brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    Blank,
    /// Opens a block of code, or closes one.
    Fence(char),
    Heading,
    /// A numbered step; its text begins so many bytes after the line.
    Step(usize),
    Bullet(usize),
    /// A formula, a table or the like: goes with the text before it.
    Attached,
    Text,
}

/// Bytes of the longest line that is a heading for being in bold.
const LONGEST_BOLD: usize = 160;
/// Numbers of steps have no more digits.
const DIGITS: usize = 3;
/// Words that count steps and cases when a number follows.
const COUNTED: [&str; 16] = [
    "step",
    "case",
    "part",
    "phase",
    "schritt",
    "fall",
    "étape",
    "cas",
    "paso",
    "caso",
    "passo",
    "шаг",
    "случай",
    "步骤",
    "情况",
    "단계",
];

/// Nothing if it cannot be told before more of the text has come; `over`: none will. `text` begins with the line.
pub(super) fn classify(text: &str, over: bool, after_blank: bool) -> Option<Line> {
    let trimmed = text.trim_start_matches(|c: char| c.is_whitespace() && c != '\n');
    let indent = text.len() - trimmed.len();
    let mut chars = trimmed.chars();
    let Some(first) = chars.next() else {
        return over.then_some(Line::Blank);
    };
    match first {
        '\n' => Some(Line::Blank),
        '`' | '~' => fence(trimmed, over),
        '#' => heading(trimmed, over),
        '*' if chars.clone().next() == Some('*') => {
            if after_blank {
                bold(trimmed, over)
            } else {
                Some(Line::Text)
            }
        }
        '-' | '*' | '+' | '•' | '‣' | '–' => match chars.next() {
            None if !over => None,
            Some(next) if next.is_whitespace() => Some(Line::Bullet(indent + first.len_utf8())),
            _ if matches!(first, '*' | '–') => Some(Line::Text),
            _ if first == '•' => Some(Line::Bullet(indent + first.len_utf8())),
            _ => Some(Line::Attached),
        },
        '|' | '$' | '\\' | '>' | '<' | '=' | '{' | '}' | '&' | '^' | '/' | '%' | ';' | ',' | ')' | ']' => {
            Some(Line::Attached)
        }
        // What stands deeper belongs to the step above.
        _ if indent > 1 => Some(Line::Text),
        '(' | '0'..='9' => numbered(trimmed, indent, over),
        '第' => ordinal(trimmed, over),
        _ => counted(trimmed, over),
    }
}

/// Whether a line within a block of code closes it.
pub(super) fn closes(text: &str, mark: char, over: bool) -> Verdict {
    let trimmed = text.trim_start_matches([' ', '\t']);
    let marks = trimmed.chars().take_while(|&c| c == mark).count();
    match trimmed[marks * mark.len_utf8()..].chars().next() {
        _ if marks >= 3 => Verdict::Yes,
        None if !over => Verdict::Open,
        _ => Verdict::No,
    }
}

fn fence(line: &str, over: bool) -> Option<Line> {
    let mark = line.chars().next().unwrap_or('`');
    match closes(line, mark, over) {
        Verdict::Yes => Some(Line::Fence(mark)),
        Verdict::No => Some(Line::Text),
        Verdict::Open => None,
    }
}

fn heading(line: &str, over: bool) -> Option<Line> {
    let rest = line.trim_start_matches('#');
    let level = line.len() - rest.len();
    match rest.chars().next() {
        _ if level > 6 => Some(Line::Attached),
        None if !over => None,
        Some(next) if next.is_whitespace() && next != '\n' => Some(Line::Heading),
        _ => Some(Line::Attached),
    }
}

/// `**Checking the base case:**` alone on its line is a heading.
fn bold(line: &str, over: bool) -> Option<Line> {
    let end = match line.find('\n') {
        Some(end) => end,
        None if over => line.len(),
        None if line.len() > LONGEST_BOLD => return Some(Line::Text),
        None => return None,
    };
    let line = line[..end].trim_end().trim_end_matches(':');
    let inner = line.strip_prefix("**").and_then(|line| line.strip_suffix("**"));
    let alone = inner.is_some_and(|inner| !inner.trim().is_empty() && !inner.contains("**"));
    Some(if alone && end <= LONGEST_BOLD {
        Line::Heading
    } else {
        Line::Text
    })
}

/// `3. `, `3) `, `(3) `, `3、`
fn numbered(line: &str, indent: usize, over: bool) -> Option<Line> {
    let open = usize::from(line.starts_with('('));
    let digits = line[open..].bytes().take_while(u8::is_ascii_digit).count();
    let mut rest = line[open + digits..].chars();
    let mark = match rest.next() {
        None if !over && digits <= DIGITS => return None,
        Some(mark) => mark,
        None => return Some(Line::Text),
    };
    let numbers = (1..=DIGITS).contains(&digits) && (mark == ')' || open == 0 && matches!(mark, '.' | '、'));
    let step = Line::Step(indent + open + digits + mark.len_utf8());
    match rest.next() {
        _ if !numbers => Some(Line::Text),
        _ if mark == '、' => Some(step),
        None if !over => None,
        Some(next) if next.is_whitespace() => Some(step),
        _ => Some(Line::Text),
    }
}

/// `第二步`, `第3种情况`
fn ordinal(line: &str, over: bool) -> Option<Line> {
    let is_number = |c: char| c.is_ascii_digit() || "一二三四五六七八九十".contains(c);
    let rest = line['第'.len_utf8()..].trim_start_matches(is_number);
    let numbers = rest.len() < line.len() - '第'.len_utf8();
    match rest.chars().next() {
        None if !over => None,
        Some('步' | '种' | '部') if numbers => Some(Line::Step(0)),
        _ => Some(Line::Text),
    }
}

/// `Step 3:`, `Fall 2.`, `步骤1：`
fn counted(line: &str, over: bool) -> Option<Line> {
    let undecided = |decided: Line| if over { Some(decided) } else { None };
    for word in COUNTED {
        let mut rest = line.chars();
        let mut lower = rest.by_ref().flat_map(char::to_lowercase);
        let mut wanted = word.chars();
        let miss = wanted.find_map(|c| match lower.next() {
            Some(next) if next == c => None,
            other => Some(other),
        });
        match miss {
            Some(Some(_)) => continue,
            Some(None) => return undecided(Line::Text),
            None => {}
        }
        drop(lower);
        let rest = rest.as_str();
        let number = rest.trim_start_matches(' ');
        let after = number.trim_start_matches(|c: char| c.is_ascii_digit());
        return match (number.len() - after.len(), after.chars().next()) {
            (_, None) if !over => None,
            (1..=DIGITS, None | Some(':' | '.' | ')' | '：' | '、' | '\r' | '\n')) => Some(Line::Step(0)),
            // The only words of the table that begin with another one are `case` and `caso`.
            (0, _) if word == "cas" && rest.starts_with(['o', 'e', 'O', 'E']) => continue,
            _ => Some(Line::Text),
        };
    }
    Some(Line::Text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines_are_told_by_how_they_begin() {
        for (line, expected) in [
            ("  \t\nx", Line::Blank),
            ("```rust\n", Line::Fence('`')),
            ("~~~~", Line::Fence('~')),
            ("`x` is", Line::Text),
            ("## Plan", Line::Heading),
            ("#1 is", Line::Attached),
            ("**Checking it:**\n", Line::Heading),
            ("**Checking it**: by hand\n", Line::Text),
            ("**a** and **b**\n", Line::Text),
            ("1. One", Line::Step(2)),
            (" 12) Twelve", Line::Step(4)),
            ("(3) three", Line::Step(3)),
            ("3.5 is", Line::Text),
            ("1990. In", Line::Text),
            ("   1. deeper", Line::Text),
            ("2、二", Line::Step(4)),
            ("Step 3: go", Line::Step(0)),
            ("Caso 2", Line::Step(0)),
            ("Case 2) x", Line::Step(0)),
            ("Step 2 is wrong", Line::Text),
            ("Case by case", Line::Text),
            ("stepping 1", Line::Text),
            ("第二步", Line::Step(0)),
            ("第二个", Line::Text),
            ("- a", Line::Bullet(1)),
            ("-1 is", Line::Attached),
            ("*a* b", Line::Text),
            ("$$x$$", Line::Attached),
            ("Wait", Line::Text),
            ("你好", Line::Text),
        ] {
            assert_eq!(classify(line, true, true), Some(expected), "{line:?}");
        }
        assert_eq!(classify("**Not after a blank line**\n", true, false), Some(Line::Text));
    }

    proptest! {
        #[test]
        fn what_is_told_early_stays(line in "( {0,2}|\t)(#{1,7}|`{1,4}|\\*{1,2}|- ?|\\(?[0-9]{1,4}[.)、]?|step|caso?|cas|第[一3]?[步x]?|a|你|\\|)[ a1*:.\n：]{0,8}", after_blank: bool) {
            let whole = classify(&line, true, after_blank);
            prop_assert!(whole.is_some());
            for cut in 0..line.len() {
                if let Some(begun) = line.get(..cut) {
                    let early = classify(begun, false, after_blank);
                    prop_assert!(early.is_none() || early == whole, "{begun:?}: {early:?}, then {whole:?}");
                }
            }
        }
    }
}
