//! Jupyter notebooks (nbformat 3 to 5): their cells with the text of what they put out.
//!
//! Files of this kind come from many programs: what is not as the format says is passed over, only a file without any
//! cells is refused.

use serde_json::Value;

use super::fragment::{Fragment, Mark};
use super::{Extracted, Refused, Watch};
use crate::context::encoding::{Binary, decode};
use crate::context::pack::SectionKind;

const MOST_VALUES: usize = 8_000_000;
/// Lines of one output.
const OUTPUT_LINES: usize = 20;
/// Characters of one line of an output.
const OUTPUT_LINE: usize = 2000;

pub(super) fn extract(bytes: &[u8], watch: &Watch<'_>) -> Result<Extracted, Refused> {
    let text = decode(bytes.to_vec())
        .map_err(|Binary| Refused::because("binary"))?
        .text;
    // Each value takes some hundred bytes of memory and few in the file.
    if text.bytes().filter(|b| matches!(b, b',' | b':' | b'[' | b'{')).count() > MOST_VALUES {
        return Err(Refused::because("a notebook of too many values"));
    }
    let notebook: Value = serde_json::from_str(&text).map_err(|e| Refused::because(format!("not a notebook: {e}")))?;
    let cells = cells(&notebook).ok_or_else(|| Refused::because("not a notebook: it has no cells"))?;
    let mut writer = Writer::default();
    for (number, cell) in (1..).zip(cells) {
        watch.check()?;
        writer.cell(number, cell);
        if writer.out.text.len() > watch.limits.text {
            return Err(watch.too_much_text());
        }
    }
    let mut notes = vec!["the cells of a notebook".to_owned()];
    if writer.images > 0 {
        notes.push(left_out(writer.images, "image"));
    }
    if writer.dropped > 0 {
        notes.push(left_out(writer.dropped, "line") + " of long outputs");
    }
    Ok(writer.out.finish(notes))
}

fn left_out(count: usize, what: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("without {count} {what}{s}")
}

/// All cells; nbformat 3 keeps them in worksheets.
fn cells(notebook: &Value) -> Option<Vec<&Value>> {
    if let Some(cells) = notebook["cells"].as_array() {
        return Some(cells.iter().collect());
    }
    let sheets = notebook["worksheets"].as_array()?;
    Some(
        sheets
            .iter()
            .filter_map(|sheet| sheet["cells"].as_array())
            .flatten()
            .collect(),
    )
}

#[derive(Debug, Default)]
struct Writer {
    out: Fragment,
    images: usize,
    dropped: usize,
}

impl Writer {
    fn cell(&mut self, number: usize, cell: &Value) {
        let kind = cell["cell_type"].as_str().unwrap_or("raw");
        let (mut title, mut level) = (format!("{kind} {number}"), 2);
        let source = source(if cell["source"].is_null() {
            &cell["input"]
        } else {
            &cell["source"]
        });
        if kind == "code" {
            let count = cell["execution_count"].as_u64().or(cell["prompt_number"].as_u64());
            title = format!("In [{}]", count.map_or(" ".to_owned(), |n| n.to_string()));
        } else if kind == "markdown"
            && let Some(heading) = source.trim_start().strip_prefix('#')
        {
            level = 1;
            let heading = heading.lines().next().unwrap_or_default();
            title = format!("{title}: {}", heading.trim_matches(['#', ' ']));
        }
        if self.out.lines > 0 {
            self.out.line("", "");
        }
        self.out.mark(Mark::section(SectionKind::Cell, &title, level));
        if kind == "code" {
            self.out.line("", &format!("{title}:"));
        }
        self.out.verbatim(&source);
        for output in cell["outputs"].as_array().into_iter().flatten() {
            self.output(output);
        }
        self.images += cell["attachments"].as_object().map_or(0, serde_json::Map::len);
    }

    fn output(&mut self, output: &Value) {
        // nbformat 3 has the forms of an output beside its type, without the part before the slash.
        let data = &output["data"];
        self.images += [data, output]
            .into_iter()
            .filter_map(Value::as_object)
            .flat_map(|forms| forms.keys())
            .filter(|form| form.starts_with("image/") || matches!(form.as_str(), "png" | "jpeg" | "svg"))
            .count();
        let (name, text) = match output["output_type"].as_str() {
            Some("stream") => {
                let name = output["name"].as_str().or(output["stream"].as_str());
                (name.unwrap_or("stdout"), source(&output["text"]))
            }
            Some("error" | "pyerr") => {
                let traceback = source_by(&output["traceback"], "\n");
                let text = if traceback.trim().is_empty() {
                    format!("{}: {}", source(&output["ename"]), source(&output["evalue"]))
                } else {
                    traceback
                };
                ("error", text)
            }
            _ => {
                let forms = [
                    &data["text/plain"],
                    &data["text/markdown"],
                    &data["text/latex"],
                    &output["text"],
                ];
                (
                    "out",
                    forms
                        .into_iter()
                        .map(source)
                        .find(|text| !text.is_empty())
                        .unwrap_or_default(),
                )
            }
        };
        self.capped(name, &without_escapes(&text));
    }

    fn capped(&mut self, name: &str, text: &str) {
        let text = text.trim_end();
        if text.is_empty() {
            return;
        }
        let name = match name {
            "stdout" | "stderr" | "error" => name,
            _ => "out",
        };
        self.out.line("", &format!("[{name}]"));
        for line in text.lines().take(OUTPUT_LINES) {
            // A progress bar rewrites its line: what was to be seen last counts.
            let line = line.trim_end_matches('\r').rsplit('\r').next().unwrap_or_default();
            match line.char_indices().nth(OUTPUT_LINE) {
                Some((end, _)) => self.out.line("", &format!("{}…", &line[..end])),
                None => self.out.line("", line.trim_end()),
            }
        }
        let more = text.lines().count().saturating_sub(OUTPUT_LINES);
        if more > 0 {
            self.dropped += more;
            let s = if more == 1 { "" } else { "s" };
            self.out.line("", &format!("… {more} more line{s}"));
        }
    }
}

/// Text as notebooks have it: one string, or a list of strings to be put together.
fn source(value: &Value) -> String {
    source_by(value, "")
}

fn source_by(value: &Value, between: &str) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(between),
        _ => String::new(),
    }
}

/// Without the escape sequences that colour it.
fn without_escapes(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '\x1b' {
            clean.push(c);
            continue;
        }
        match chars.peek() {
            Some('[') => {
                while chars
                    .next()
                    .is_some_and(|c| c == '[' || !('\x40'..='\x7e').contains(&c))
                {}
            }
            Some(']') => while chars.next().is_some_and(|c| c != '\x07' && c != '\\') {},
            _ => {
                chars.next();
            }
        }
    }
    clean
}

#[cfg(test)]
#[path = "notebook_tests.rs"]
mod tests;
