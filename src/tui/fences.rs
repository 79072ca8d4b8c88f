//! Fenced code in Markdown.

use std::ops::Range;

/// A block of code between fences.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fenced {
    /// With its fences, in bytes of the source.
    pub at: Range<usize>,
    /// What is between them, without the indentation of the opening one.
    pub text: String,
}

/// The code blocks of a source, in order. One that is not closed goes to the end.
pub fn fenced(source: &str) -> Vec<Fenced> {
    let mut all = Vec::new();
    let mut open: Option<(Fence, Fenced)> = None;
    let mut at = 0;
    for line in source.split_inclusive('\n') {
        let next = at + line.len();
        match &mut open {
            Some((fence, code)) => {
                code.at.end = next;
                if fence.is_closed_by(line) {
                    all.extend(open.take().map(|(_, code)| code));
                } else {
                    let indentation = line.bytes().take(fence.indentation).take_while(|&byte| byte == b' ');
                    code.text.push_str(&line[indentation.count()..]);
                }
            }
            None => {
                open = Fence::opened_by(line).map(|fence| {
                    let text = String::new();
                    (fence, Fenced { at: at..next, text })
                });
            }
        }
        at = next;
    }
    all.extend(open.map(|(_, code)| code));
    all
}

struct Fence {
    sign: char,
    length: usize,
    indentation: usize,
}

impl Fence {
    fn opened_by(line: &str) -> Option<Self> {
        let (fence, info) = Self::begun(line)?;
        (fence.length >= 3 && !(fence.sign == '`' && info.contains('`'))).then_some(fence)
    }

    /// A run of the signs that fences are made of, and what follows it.
    fn begun(line: &str) -> Option<(Self, &str)> {
        let text = line.trim_start_matches(' ');
        let sign = text.chars().next().filter(|sign| matches!(sign, '`' | '~'))?;
        let info = text.trim_start_matches(sign);
        let fence = Self {
            sign,
            length: text.len() - info.len(),
            indentation: line.len() - text.len(),
        };
        Some((fence, info))
    }

    fn is_closed_by(&self, line: &str) -> bool {
        Self::begun(line).is_some_and(|(fence, info)| {
            fence.sign == self.sign && fence.length >= self.length && info.trim().is_empty()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(source: &str) -> Vec<String> {
        fenced(source).into_iter().map(|code| code.text).collect()
    }

    #[test]
    fn code_is_what_is_between_fences() {
        let source = "text\n```rust\nfn a() {\n    b\n}\n```\nmore ``` text\n~~~~\n```\n~~~\n~~~~\nend";
        assert_eq!(texts(source), ["fn a() {\n    b\n}\n", "```\n~~~\n"]);
        let all = fenced(source);
        assert!(source[all[0].at.clone()].starts_with("```rust\n") && source[all[0].at.clone()].ends_with("}\n```\n"));
        assert_eq!(texts("``` not `this`\nx\n"), [""; 0]);
        assert_eq!(texts("``x\n"), [""; 0]);
    }

    #[test]
    fn indentation_of_the_fence_is_not_of_the_code() {
        assert_eq!(texts("1. so:\n   ```\n   a\n     b\n  c\n   ```\n"), ["a\n  b\nc\n"]);
    }

    #[test]
    fn what_is_not_closed_goes_to_the_end() {
        assert_eq!(texts("```\na\nb"), ["a\nb"]);
        assert_eq!(texts("```"), [""]);
    }
}
