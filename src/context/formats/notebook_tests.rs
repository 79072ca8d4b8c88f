use serde_json::json;

use super::*;
use crate::context::formats::Format;
use crate::context::formats::testing::{map, refusal, run};

fn read(notebook: &Value) -> Extracted {
    run(Format::Notebook, notebook.to_string().as_bytes()).unwrap()
}

fn numbers(range: std::ops::RangeInclusive<u32>) -> String {
    range.map(|n| n.to_string() + "\n").collect::<Vec<_>>().concat()
}

#[test]
fn cells_come_with_what_they_put_out() {
    let long: String = numbers(1..=23);
    let got = read(&json!({"nbformat": 4, "cells": [
        {"cell_type": "markdown", "source": ["# Title\n", "\n", "words"]},
        {"cell_type": "code", "execution_count": 3, "source": "x = 1\nx", "outputs": [
            {"output_type": "stream", "name": "stdout", "text": ["10%\r", "20%\n", "done\n"]},
            {"output_type": "execute_result", "data": {"text/plain": "1", "text/html": "<b>1</b>"}},
            {"output_type": "display_data", "data": {"image/png": "AAAA", "text/plain": ["<Figure>"]}},
        ]},
        {"cell_type": "code", "execution_count": null, "source": [], "outputs": [
            {"output_type": "stream", "name": "stderr", "text": long},
            {"output_type": "error", "ename": "E", "evalue": "v", "traceback": ["\u{1b}[0;31mE\u{1b}[0m", "  at 1"]},
        ]},
    ]}));
    let tail: String = numbers(4..=20);
    assert_eq!(
        got.text,
        format!(
            "# Title\n\nwords\n\nIn [3]:\nx = 1\nx\n[stdout]\n20%\ndone\n[out]\n1\n[out]\n<Figure>\n\n\
             In [ ]:\n[stderr]\n1\n2\n3\n{tail}… 3 more lines\n[error]\nE\n  at 1\n"
        )
    );
    assert_eq!(
        map(&got),
        ["Cell 1 markdown 1: Title @1", "Cell 2 In [3] @5", "Cell 2 In [ ] @16"]
    );
    assert_eq!(got.notes[1..], ["without 1 image", "without 3 lines of long outputs"]);
}

#[test]
fn the_third_format_has_worksheets() {
    let got = read(&json!({"nbformat": 3, "worksheets": [{"cells": [
        {"cell_type": "code", "prompt_number": 1, "input": ["1+1"], "outputs": [
            {"output_type": "pyout", "text": ["2"]},
            {"output_type": "pyerr", "ename": "E", "evalue": "v", "traceback": []},
            {"output_type": "display_data", "png": "AAAA"},
        ]},
    ]}]}));
    assert_eq!(got.text, "In [1]:\n1+1\n[out]\n2\n[error]\nE: v\n");
    assert_eq!(got.notes[1], "without 1 image");
}

#[test]
fn wrong_types_are_passed_over() {
    let got = read(
        &json!({"cells": [1, null, {"cell_type": 7, "source": {"a": 1}, "outputs": "x"},
        {"cell_type": "code", "source": ["a", 1, "b"], "execution_count": "x", "outputs": [3, {"data": []}]}]}),
    );
    assert!(got.text.ends_with("In [ ]:\nab\n"), "{}", got.text);
    for bad in ["{", "[]", "{\"cells\": 1}", "null", &"[".repeat(100_000)] {
        assert!(
            refusal(Format::Notebook, bad.as_bytes()).starts_with("not a notebook"),
            "{bad:.20}"
        );
    }
}
