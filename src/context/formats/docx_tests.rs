use super::*;
use crate::context::formats::Format;
use crate::context::formats::testing::{docx, map, paragraph, refusal, run, run_of, zip, zip_bomb};

fn text(body: &str) -> String {
    run(Format::Docx, &docx(body, &[])).unwrap().text
}

#[test]
fn headings_are_known_by_their_styles_in_any_language() {
    let styles = "<w:styles><w:style w:styleId='berschrift1'><w:name w:val='heading 1'/></w:style>\
                  <w:style w:styleId='Kapitel'><w:basedOn w:val='berschrift1'/></w:style>\
                  <w:style w:styleId='Abschnitt'><w:name w:val='x'/><w:pPr><w:outlineLvl w:val='1'/></w:pPr></w:style>\
                  <w:style w:styleId='a'><w:basedOn w:val='b'/></w:style><w:style w:styleId='b'><w:basedOn w:val='a'/></w:style>\
                  </w:styles>";
    let body = [
        paragraph("<w:pStyle w:val='Kapitel'/>", &run_of("Loomings")),
        paragraph("<w:pStyle w:val='a'/>", &(run_of("Call me ") + &run_of("Ishmael."))),
        paragraph("<w:pStyle w:val='Abschnitt'/>", &run_of("Ashore")),
        paragraph("<w:outlineLvl w:val='2'/>", &run_of("Deeper")),
        paragraph("<w:outlineLvl w:val='9'/>", &run_of("Body")),
        paragraph("<w:pStyle w:val='Heading2'/>", &run_of("By its id")),
    ]
    .concat();
    let got = run(Format::Docx, &docx(&body, &[("word/styles.xml", styles)])).unwrap();
    assert_eq!(
        got.text,
        "# Loomings\nCall me Ishmael.\n\n## Ashore\n\n### Deeper\nBody\n\n## By its id\n"
    );
    assert_eq!(
        map(&got),
        [
            "Heading 1 Loomings @1",
            "Heading 2 Ashore @4",
            "Heading 3 Deeper @6",
            "Heading 2 By its id @9"
        ]
    );
}

#[test]
fn what_was_deleted_is_gone_and_what_was_inserted_is_there() {
    let body = "<w:p><w:ins><w:r><w:t>new</w:t></w:r></w:ins><w:del><w:r><w:delText>old</w:delText></w:r></w:del>\
                <w:moveFrom><w:r><w:t>moved</w:t></w:r></w:moveFrom><w:r><w:tab/><w:t>&amp; a</w:t><w:br/><w:t>b</w:t></w:r></w:p>\
                <mc:AlternateContent><mc:Choice><w:p><w:r><w:t>c</w:t></w:r></w:p></mc:Choice>\
                <mc:Fallback><w:p><w:r><w:t>c</w:t></w:r></w:p></mc:Fallback></mc:AlternateContent>";
    assert_eq!(text(body), "new & a\nb\nc\n");
}

#[test]
fn lists_tables_links_and_notes() {
    let item = |depth: u8, text: &str| {
        let numbering = format!("<w:numPr><w:ilvl w:val='{depth}'/><w:numId w:val='1'/></w:numPr>");
        paragraph(&numbering, &run_of(text))
    };
    let cell = |text: &str| format!("<w:tc>{}{}</w:tc>", paragraph("", &run_of(text)), paragraph("", ""));
    let body = [
        item(0, "a"),
        item(1, "b"),
        item(0, ""),
        paragraph(
            "",
            "<w:hyperlink r:id='r1'><w:r><w:t>site</w:t></w:r></w:hyperlink><w:r><w:footnoteReference w:id='2'/></w:r>",
        ),
        format!(
            "<w:tbl><w:tr>{}{}</w:tr><w:tr>{}{}</w:tr></w:tbl>",
            cell("1"),
            cell("2"),
            cell("3"),
            cell("4")
        ),
    ]
    .concat();
    let links = "<Relationships><Relationship Id='r1' Type='x/hyperlink' Target='https://a.org/' TargetMode='External'/></Relationships>";
    let notes = "<w:footnotes><w:footnote w:type='separator' w:id='-1'><w:p><w:r><w:t>no</w:t></w:r></w:p></w:footnote>\
                 <w:footnote w:id='2'><w:p><w:r><w:footnoteRef/><w:t> See below.</w:t></w:r></w:p></w:footnote></w:footnotes>";
    let others = [("word/_rels/document.xml.rels", links), ("word/footnotes.xml", notes)];
    let got = run(Format::Docx, &docx(&body, &others)).unwrap();
    assert_eq!(
        got.text,
        "- a\n  - b\nsite (https://a.org/)[^2]\n1 | 2\n3 | 4\n[^2]: See below.\n"
    );
}

#[test]
fn damaged_and_hostile_documents_are_refused_or_read_as_far_as_they_go() {
    let whole = docx(&paragraph("", &run_of("x")), &[]);
    for end in [0, 4, 40, whole.len() / 2, whole.len() - 1] {
        let reason = refusal(Format::Docx, &whole[..end]);
        assert!(reason.starts_with("a damaged archive"), "{reason}");
    }
    assert!(refusal(Format::Docx, &zip(&[("a", "b")])).starts_with("not a Word document"));
    let bomb = zip_bomb(&[], "word/document.xml", 1024);
    assert!(refusal(Format::Docx, &bomb).contains("zip bomb"));

    let bomb = "<!DOCTYPE a [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;&a;'><!ENTITY x SYSTEM 'file:///etc/passwd'>]>\
                <w:document><w:p><w:r><w:t>&b;&x;&#104;&bad</w:t></w:r></w:p></w:document>";
    let got = run(Format::Docx, &zip(&[("word/document.xml", bomb)])).unwrap();
    assert_eq!(got.text, "&b;&x;h&bad\n");

    let deep = "<w:tbl><w:tr><w:tc><w:p><w:del>".repeat(50_000);
    assert_eq!(text(&deep), "");
    let deep = "<w:tbl><w:tr><w:tc><w:p>".repeat(50_000) + &run_of("deep");
    assert_eq!(text(&deep), "deep\n");
}

#[test]
fn sizes_in_headers_are_not_believed() {
    let body = paragraph("", &run_of(&"x".repeat(5000)));
    let mut bytes = docx(&body, &[]);
    // The size in the central directory: it says one byte.
    let header = bytes.windows(4).rposition(|w| w == b"PK\x01\x02").unwrap();
    bytes[header + 24..header + 28].copy_from_slice(&1u32.to_le_bytes());
    match run(Format::Docx, &bytes) {
        Ok(got) => assert_eq!(got.text.len(), 5001),
        Err(Refused::Because(reason)) => assert!(reason.contains("damaged"), "{reason}"),
        Err(Refused::Interrupted) => unreachable!(),
    }
}

#[test]
fn entries_are_counted() {
    let names: Vec<String> = (0..20_001).map(|n| format!("{n}")).collect();
    let entries: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "")).collect();
    assert_eq!(
        refusal(Format::Docx, &zip(&entries)),
        "an archive of more than 20000 entries"
    );
}
