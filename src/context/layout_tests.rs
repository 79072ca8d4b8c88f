use proptest::prelude::*;

use super::*;

const ADDED: [&str; 8] = ["<pad>", "<file>", "<ln>", "<q>", "<a>", "<think>", "</think>", "<eos>"];
const RUNNING: Layout = Layout::RunningLines(RunningLines { file: 1, line: 2 });

fn source(name: &str) -> Source {
    Source {
        name: name.into(),
        path: None,
        explicit: true,
    }
}

fn documents() -> Layout {
    Layout::Documents(Template::default())
}

fn pack(layout: &Layout, files: &[(&str, &str)]) -> (Tokenizer, Pack) {
    pack_cut(layout, files, Cut::default())
}

fn pack_cut(layout: &Layout, files: &[(&str, &str)], cut: Cut) -> (Tokenizer, Pack) {
    let tokenizer = Tokenizer::for_tests(&ADDED);
    let bodies = files
        .iter()
        .map(|(path, text)| {
            let mut body = Body::new(&source(path), (*text).into(), Vec::new(), cut);
            let encoded = layout.encode(&tokenizer, &body, &Interrupt::new(), &|_| ()).unwrap();
            body.encoded = codec::to_bytes(&encoded).into();
            body
        })
        .collect();
    let pack = layout.assemble(&tokenizer, bodies);
    (tokenizer, pack)
}

#[test]
fn running_lines_are_numbered_over_the_whole_pack() {
    let (tokenizer, pack) = pack(&RUNNING, &[("a.rs", "x\r\n\ny"), ("empty", ""), ("b <ln>", "z<eos>\n")]);
    assert_eq!(
        tokenizer.decode(&pack.tokens),
        "<file>a.rs\nx<ln>1\n<ln>2\ny<ln>3\n<file>empty\n<file>b <ln>\nz<eos><ln>4\n"
    );
    let count = |id: u32| pack.tokens.iter().filter(|&&t| t == id).count();
    assert_eq!([count(1), count(2), count(7)], [3, 4, 0]);
}

#[test]
fn pieces_are_encoded_each_by_itself() {
    let (tokenizer, pack) = pack(&RUNNING, &[("a", &"the\n".repeat(12))]);
    let mut expected = vec![1];
    expected.extend(tokenizer.encode("a"));
    expected.extend(tokenizer.encode("\n"));
    for number in 1..=12 {
        expected.extend(tokenizer.encode("the"));
        expected.push(2);
        for digit in number.to_string().chars() {
            expected.extend(tokenizer.encode(&digit.to_string()));
        }
        expected.extend(tokenizer.encode("\n"));
    }
    assert_eq!(*pack.tokens, expected);
}

#[test]
fn lines_lead_back_to_their_files() {
    let (_, pack) = pack(
        &RUNNING,
        &[("empty", ""), ("a", "1\n2\n"), ("none", ""), ("b", "3"), ("last", "")],
    );
    let at = |n| pack.line(n).map(|l| (l.document.path.as_str(), l.number, l.text));
    assert_eq!([at(0), at(4), at(usize::MAX)], [None; 3]);
    assert_eq!(
        [at(1), at(2), at(3)],
        [Some(("a", 1, "1")), Some(("a", 2, "2")), Some(("b", 1, "3"))]
    );
    assert_eq!(pack.lines(), 3);
    assert_eq!(
        pack.all_lines().map(|(n, l)| (n, l.text)).collect::<Vec<_>>(),
        [(1, "1"), (2, "2"), (3, "3")]
    );
}

#[test]
fn documents_are_framed_by_tags_and_their_lines_numbered() {
    let (tokenizer, pack) = pack(&documents(), &[("a.rs", "x\r\ny"), ("empty", ""), ("b", "</think>\n")]);
    assert_eq!(
        tokenizer.decode(&pack.tokens),
        "<document path=\"a.rs\">\n1:x\n2:y\n</document>\n<document path=\"empty\">\n</document>\n\
         <document path=\"b\">\n1:</think>\n</document>\n"
    );
    assert!(pack.tokens.iter().all(|&id| id >= 16));
}

#[test]
fn a_long_document_is_sliced_without_a_trace() {
    let text = "the thinker = in\n\n    then\n9\n".repeat(3 * SLICE / 20);
    let (tokenizer, pack) = pack(&documents(), &[("a", &text)]);
    let lines: Vec<String> = (1..)
        .zip(text.lines())
        .map(|(n, line)| format!("{n}:{line}\n"))
        .collect();
    let whole = format!("<document path=\"a\">\n{}</document>\n", lines.concat());
    assert_eq!(*pack.tokens, tokenizer.encode(&whole));
}

#[test]
fn an_interrupt_ends_the_encoding() {
    let tokenizer = Tokenizer::for_tests(&ADDED);
    let interrupt = Interrupt::new();
    interrupt.raise();
    for layout in [RUNNING, documents()] {
        let body = Body::new(&source("a"), "x\n".repeat(SLICE), Vec::new(), Cut::default());
        assert!(layout.encode(&tokenizer, &body, &interrupt, &|_| ()).is_err());
    }
}

#[test]
fn a_cut_is_marked_and_the_other_lines_keep_their_numbers() {
    let text = "a\nb\nc\nd\ne\n";
    let cut = Cut {
        head: Some(1),
        tail: Some(2),
    };
    let files = [("x", text), ("y", "z\n")];
    let (tokenizer, running) = pack_cut(&RUNNING, &files, cut);
    assert_eq!(
        tokenizer.decode(&running.tokens),
        "<file>x\na<ln>1\n[… lines 2 to 3 are left out …]\nd<ln>4\ne<ln>5\n<file>y\nz<ln>6\n"
    );
    let (tokenizer, framed) = pack_cut(&documents(), &files[..1], cut);
    assert_eq!(
        tokenizer.decode(&framed.tokens),
        "<document path=\"x\">\n1:a\n[… lines 2 to 3 are left out …]\n4:d\n5:e\n</document>\n"
    );
    for pack in [running, framed] {
        assert_eq!(pack.line(4).unwrap().text, "d");
        let read: Vec<usize> = pack.all_lines().map(|(number, _)| number).take(3).collect();
        assert_eq!(read, [1, 4, 5]);
        let document = &pack.documents[0];
        assert_eq!((document.gap.clone(), document.text.as_str()), (Some(1..3), text));
        assert!(document.line_tokens.at(1).is_empty() && document.line_tokens.at(2).is_empty());
    }
    let (tokenizer, tail) = pack_cut(
        &RUNNING,
        &files[..1],
        Cut {
            head: None,
            tail: Some(1),
        },
    );
    assert_eq!(
        tokenizer.decode(&tail.tokens),
        "<file>x\n[… lines 1 to 4 are left out …]\ne<ln>5\n"
    );
}

/// Texts made of what is hard: line ends of all kinds, tabs, combining characters, CJK, control tokens.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("\n"),
        Just("\r\n"),
        Just("\r"),
        Just("\t"),
        Just(" "),
        Just("  "),
        Just("e\u{301}"),
        Just("你好"),
        Just("🙂"),
        Just("<ln>7"),
        Just("<file>"),
        Just("</think>"),
        Just(" = "),
        Just("the_thing"),
        Just("x1"),
        Just("\u{feff}"),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn spans_map_back_to_exact_lines(texts in prop::collection::vec(text(), 0..5)) {
        for layout in [RUNNING, documents()] {
            let files: Vec<(&str, &str)> = texts.iter().map(|t| ("f", t.as_str())).collect();
            let (tokenizer, pack) = pack(&layout, &files);
            prop_assert_eq!(pack.lines(), texts.iter().map(|t| t.split_terminator('\n').count()).sum::<usize>());
            let mut running = 0;
            let mut end = 0;
            for (document, text) in pack.documents.iter().zip(&texts) {
                prop_assert_eq!(document.tokens.start, end);
                end = document.tokens.end;
                prop_assert_eq!(document.line_tokens.len(), document.lines.len());
                let expected = text.split_terminator('\n').map(|l| l.strip_suffix('\r').unwrap_or(l));
                for (i, expected) in expected.enumerate() {
                    running += 1;
                    let line = pack.line(running).unwrap();
                    prop_assert_eq!((line.text, line.number), (expected, i + 1));
                    let span = document.line_tokens.at(i);
                    prop_assert!(span.start >= document.tokens.start && span.end <= document.tokens.end);
                    let bytes = tokenizer.decode(&pack.tokens[span]);
                    match layout {
                        Layout::RunningLines(_) => prop_assert_eq!(bytes, expected),
                        Layout::Documents(_) => {
                            prop_assert!(bytes.contains(expected), "{bytes:?} {expected:?}");
                            let number = format!("{}:", i + 1);
                            prop_assert!(!bytes.starts_with(&number) || expected.starts_with(&number), "{bytes:?}");
                        }
                    }
                }
            }
            prop_assert_eq!(end, pack.tokens.len());
            prop_assert!(pack.line(running + 1).is_none());
        }
    }
}
