//! What the tests of the viewer share.

use std::sync::Arc;

use super::Text;
use crate::context::{Document, Pack};

/// A document with this text, without tokens.
pub fn document(path: &str, text: &str) -> Document {
    let mut lines = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let bare = line.strip_suffix('\n').unwrap_or(line);
        lines.push(start..start + bare.len());
        start += line.len();
    }
    Document {
        file: None,
        gap: None,
        path: path.into(),
        text: text.into(),
        line_tokens: lines.iter().map(|_| 0..0).collect(),
        lines: lines.into_iter().collect(),
        first_line: 1,
        tokens: 0..0,
        sections: Vec::new(),
    }
}

pub fn pack(files: &[(&str, &str)]) -> Arc<Pack> {
    Arc::new(Pack {
        documents: files.iter().map(|(path, text)| document(path, text)).collect(),
        ..Pack::default()
    })
}

pub fn text_of(path: &str, text: &str) -> Text {
    Text::new(&pack(&[(path, text)]), 0).unwrap()
}
