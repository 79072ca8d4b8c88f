use super::*;
use crate::context::formats::Format;
use crate::context::formats::testing::{map, run};

fn text(html: &str) -> String {
    run(Format::Html, html.as_bytes()).unwrap().text
}

#[test]
fn blocks_are_lines_and_headings_are_sections() {
    let page = "<!doctype html><html><head><title>Moby&nbsp;Dick</title><style>p { color: red }</style>\
                <script>if (a < b) document.write('<p>no</p>')</script></head><body>\n\
                <h1>Loomings</h1><p>Call me\n  <b>Ish</b>mael. 10<sup>2</sup> &lt; 10<sup>3</sup>, 1<sup>st</sup></p>\n\
                <div>Some years<br>ago</div><!-- never mind --><h2>The <i>Carpet</i><br>Bag</h2><p>I stuffed</body>";
    let got = run(Format::Html, page.as_bytes()).unwrap();
    assert_eq!(
        got.text,
        "Moby Dick\n\n# Loomings\nCall me Ishmael. 10^2 < 10^3, 1st\nSome years\nago\n\n## The Carpet Bag\nI stuffed\n"
    );
    assert_eq!(map(&got), ["Heading 1 Loomings @3", "Heading 2 The Carpet Bag @8"]);
}

#[test]
fn a_title_is_not_said_twice() {
    assert_eq!(text("<title>A\n b</title><h1>A b</h1>"), "# A b\n");
}

#[test]
fn lists_are_items_and_tables_are_rows() {
    assert_eq!(
        text("<ul><li>a<li>b<ol start=3><li>c<li>d</ol><li><p>e</p><p>f</p></ul>g"),
        "- a\n- b\n  3. c\n  4. d\n- e\n  f\ng\n"
    );
    assert_eq!(
        text("<table><caption>T</caption><tr><th>a<th>b<tr><td>1<td></td><td>x<br>y</table>z"),
        "T\na | b\n1 | | x y\nz\n"
    );
}

#[test]
fn tables_that_lay_out_a_page_do_not_make_it_one_line() {
    let page = "<table><tr><td><ul><li>menu</ul></td><td><h1>Title</h1><p>one</p><p>two</p></td></tr></table>";
    let got = run(Format::Html, page.as_bytes()).unwrap();
    assert_eq!(got.text, "- menu\n# Title\none\ntwo\n");
    assert_eq!(map(&got), ["Heading 1 Title @2"]);
    assert_eq!(
        text("<table><tr><td>1<br>2</td><td><pre>fn main() {\n}</pre></td></tr></table>"),
        "1\n2\nfn main() {\n}\n"
    );
}

#[test]
fn code_keeps_its_lines() {
    assert_eq!(
        text("<p>x<pre>\n<b>fn</b> main() {\n\n    a &amp;&amp; b\n}\n</pre>y"),
        "x\n\nfn main() {\n\n    a && b\n}\ny\n"
    );
}

#[test]
fn links_keep_what_their_text_does_not_say() {
    assert_eq!(
        text(
            "<a href='https://a.org/x'>here</a>, <a href=https://b.org/>b.org</a>, <a href=/c>there</a>, <a href='https://d.org'></a>"
        ),
        "here (https://a.org/x), b.org, there,\n"
    );
    assert_eq!(text("<img alt='a cat' src=x> and <img src=y>"), "a cat and\n");
}

#[test]
fn what_is_left_out_is_left_out_to_its_end() {
    let page = "a<svg><title>no</title><text>no</text></svg><select><option>no</option></select>\
                <template><p>no</template>\
                <noscript>no</noscript><ruby>漢<rp>(</rp><rt>no<rp>)</ruby>b<svg><path><p>c";
    assert_eq!(text(page), "a漢b\nc\n");
}

#[test]
fn xml_closes_what_is_empty() {
    let page = "<?xml version='1.0'?><html><head><title/><script src='x'/></head><body><a id='x'/>a <![CDATA[<b>]]></body></html>";
    assert_eq!(text(page), "a <b>\n");
}

#[test]
fn pages_say_their_encoding() {
    for head in [
        "<meta charset='iso-8859-2'>",
        "<meta http-equiv=x content='text/html; charset=ISO-8859-2'>",
    ] {
        let page = [head.as_bytes(), b"\xb9koda"].concat();
        let got = run(Format::Html, &page).unwrap();
        assert_eq!(got.text, "škoda\n");
        assert!(got.notes.contains(&"read as ISO-8859-2".to_owned()), "{:?}", got.notes);
    }
    assert_eq!(text("<meta charset=windows-1252>š"), "š\n");
}

#[test]
fn depth_costs_nothing() {
    const DEPTH: usize = 100_000;
    for tag in [
        "div",
        "b",
        "table><tr><td",
        "ul><li",
        "blockquote",
        "svg",
        "template",
        "font",
        "a href=x",
    ] {
        let page = format!("<{tag}>").repeat(DEPTH) + "<p>deep</p>";
        let got = run(Format::Html, page.as_bytes()).unwrap();
        assert!(got.text.ends_with("deep\n") || matches!(tag, "template"), "{tag}");
        let closing = "</div></table></ul></b>".repeat(DEPTH) + "x";
        assert_eq!(text(&closing), "x\n");
    }
}

#[test]
fn text_is_limited() {
    let limits = crate::context::formats::Limits {
        text: 1000,
        ..Default::default()
    };
    let page = "<p>word</p>".repeat(1000);
    let interrupt = crate::compute::Interrupt::new();
    let refused = crate::context::formats::extract(Format::Html, page.as_bytes(), &limits, &interrupt);
    assert!(matches!(refused, Err(Refused::Because(_))));
}
