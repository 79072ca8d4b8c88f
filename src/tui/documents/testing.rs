//! Packs for tests: names and tokens are all that the pane looks at.

use crate::context::{Document, Pack, Spans};

pub fn pack(documents: &[(&str, usize)]) -> Pack {
    let mut pack = Pack::default();
    let mut at = 0;
    for &(path, tokens) in documents {
        pack.documents.push(Document {
            path: path.to_owned(),
            file: None,
            text: String::new(),
            lines: Spans::default(),
            line_tokens: Spans::default(),
            first_line: 1,
            tokens: at..at + tokens,
            sections: Vec::new(),
            gap: None,
        });
        at += tokens;
    }
    pack.tokens = vec![0; at].into();
    pack
}
