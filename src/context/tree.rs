//! What a pack costs, folder by folder.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Pack;

/// A folder or a file, with what lies below it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Node {
    /// The last part of the path; of the root, empty.
    pub name: String,
    pub tokens: usize,
    /// Bytes of the texts, as read.
    pub bytes: usize,
    pub files: usize,
    /// Most tokens first, then by name; none of a file.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<Node>,
}

/// The documents of a pack as a tree. A folder's figures are the sums of its children's; the root's tokens are all that the
/// documents cost.
#[must_use]
pub fn tree(pack: &Pack) -> Node {
    let mut root = Folder::default();
    for document in &pack.documents {
        let parts = document.path.split('/').filter(|part| !part.is_empty());
        let leaf = parts.fold(&mut root, |at, part| at.children.entry(part.to_owned()).or_default());
        leaf.files += 1;
        leaf.tokens += document.tokens.len();
        leaf.bytes += document.text.len();
    }
    root.sum(String::new())
}

/// A node while it grows, with what lies in it and not below it.
#[derive(Default)]
struct Folder {
    tokens: usize,
    bytes: usize,
    files: usize,
    children: BTreeMap<String, Folder>,
}

impl Folder {
    fn sum(self, name: String) -> Node {
        let mut children: Vec<Node> = self.children.into_iter().map(|(name, child)| child.sum(name)).collect();
        // Stable: equal ones stay in the order of their names.
        children.sort_by_key(|child| std::cmp::Reverse(child.tokens));
        Node {
            name,
            tokens: self.tokens + children.iter().map(|c| c.tokens).sum::<usize>(),
            bytes: self.bytes + children.iter().map(|c| c.bytes).sum::<usize>(),
            files: self.files + children.iter().map(|c| c.files).sum::<usize>(),
            children,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use super::super::{Document, Spans};
    use super::*;

    fn document(path: &str, tokens: Range<usize>, text: &str) -> Document {
        Document {
            path: path.to_owned(),
            file: None,
            text: text.to_owned(),
            lines: Spans::default(),
            line_tokens: Spans::default(),
            first_line: 1,
            tokens,
            sections: Vec::new(),
            gap: None,
        }
    }

    #[test]
    fn folders_are_the_sums_of_what_lies_in_them() {
        let pack = Pack {
            documents: vec![
                document("src/a.rs", 0..10, "aaaa"),
                document("src/deep/b.rs", 10..40, "bb"),
                document("/abs/c.rs", 40..45, ""),
                document("d", 45..46, "d"),
            ],
            ..Pack::default()
        };
        let root = tree(&pack);
        assert_eq!((root.tokens, root.bytes, root.files), (46, 7, 4));
        let names: Vec<&str> = root.children.iter().map(|c| c.name.as_str()).collect();
        assert_eq!(names, ["src", "abs", "d"]);
        let src = &root.children[0];
        assert_eq!((src.tokens, src.files, src.children[0].name.as_str()), (40, 2, "deep"));
    }
}
