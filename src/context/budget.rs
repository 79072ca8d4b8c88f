//! Documents that do not fit, and what could be left out.

use std::collections::BTreeMap;

use super::selection::pattern_of;

/// Documents that do not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TooLarge {
    /// Tokens of the documents that were read.
    pub tokens: usize,
    pub limit: usize,
    pub files_read: usize,
    pub total_files: usize,
    /// The documents that were read, with their tokens.
    pub sizes: Vec<(String, usize)>,
}

/// Files that are named to be left out.
const NAMED: usize = 8;

impl TooLarge {
    /// Tokens that have to go.
    #[must_use]
    pub fn over(&self) -> usize {
        (self.tokens + 1).saturating_sub(self.limit)
    }

    /// The fewest documents without which the others fit, the largest first; as many as are named, if that is not enough.
    fn files_to_drop(&self) -> Vec<(&str, usize)> {
        let mut sizes: Vec<(&str, usize)> = self.sizes.iter().map(|(name, tokens)| (&**name, *tokens)).collect();
        sizes.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
        let mut left = self.over();
        let mut drop = Vec::new();
        for size in sizes {
            if left == 0 || drop.len() == NAMED {
                break;
            }
            left = left.saturating_sub(size.1);
            drop.push(size);
        }
        // One that is larger than all that is too much makes smaller ones before it needless.
        if left == 0 {
            let mut spare = drop.iter().map(|size| size.1).sum::<usize>() - self.over();
            drop.retain(|size| {
                let needless = size.1 <= spare;
                spare -= if needless { size.1 } else { 0 };
                !needless
            });
        }
        drop
    }

    /// Folders, and files where a folder would be too much, without which the others fit: the largest first that do not
    /// take away much more than has to go. `None` if that is not to be had with a few.
    fn folders_to_drop(&self) -> Option<Vec<(&str, usize)>> {
        let mut nodes: BTreeMap<&str, usize> = BTreeMap::new();
        for (name, tokens) in &self.sizes {
            let folders = name
                .match_indices('/')
                .map(|(slash, _)| slash)
                .filter(|&slash| slash > 0);
            for end in folders.chain([name.len()]) {
                *nodes.entry(&name[..end]).or_default() += tokens;
            }
        }
        let mut nodes: Vec<(&str, usize)> = nodes.into_iter().collect();
        // Of a folder and the one folder in it, the inner one says more.
        nodes.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| b.0.len().cmp(&a.0.len())));
        let inside = |inner: &str, outer: &str| {
            inner
                .strip_prefix(outer)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let mut left = self.over();
        let mut drop: Vec<(&str, usize)> = Vec::new();
        for (name, tokens) in nodes {
            if left == 0 {
                break;
            }
            let apart = !drop.iter().any(|(other, _)| inside(name, other) || inside(other, name));
            if apart && tokens <= left + left / 4 && drop.len() < NAMED {
                left = left.saturating_sub(tokens);
                drop.push((name, tokens));
            }
        }
        (left == 0).then_some(drop)
    }

    /// What to leave out, and whether the rest fits without it.
    #[must_use]
    pub fn to_drop(&self) -> (Vec<(&str, usize)>, bool) {
        let files = self.files_to_drop();
        let all_read = self.files_read == self.total_files;
        let dropped: usize = files.iter().map(|size| size.1).sum();
        if !all_read || (dropped >= self.over() && files.len() < self.sizes.len()) {
            return (files, all_read);
        }
        match self.folders_to_drop() {
            Some(folders) => (folders, true),
            None => (files, false),
        }
    }
}

impl std::fmt::Display for TooLarge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            tokens,
            limit,
            files_read,
            total_files,
            ..
        } = self;
        let part = if files_read < total_files {
            format!(" ({files_read} of {total_files} files were read)")
        } else {
            String::new()
        };
        let over = self.over();
        let (drop, enough) = self.to_drop();
        let advice = match (enough, drop.len()) {
            (true, 1) => "Without this they would fit:",
            (true, _) => "Without these they would fit:",
            (false, _) => "Load less; the largest are",
        };
        write!(
            f,
            "the documents take {tokens} tokens{part}, and the context has {limit}: {over} too many. {advice}"
        )?;
        for (name, tokens) in drop {
            write!(f, "\n  --exclude {}  ({tokens} tokens)", quoted(&pattern_of(name)))?;
        }
        Ok(())
    }
}

/// A word for a shell.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/._-+=:@%,".contains(c);
    if word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn too_large(limit: usize, sizes: &[(&str, usize)]) -> TooLarge {
        TooLarge {
            tokens: sizes.iter().map(|size| size.1).sum(),
            limit,
            files_read: sizes.len(),
            total_files: sizes.len(),
            sizes: sizes.iter().map(|&(name, tokens)| (name.into(), tokens)).collect(),
        }
    }

    #[test]
    fn what_to_drop_is_enough_and_not_more() {
        let error = too_large(101, &[("small", 10), ("a large", 80), ("middle", 60)]);
        assert_eq!(error.over(), 50);
        assert_eq!(error.to_drop(), (vec![("a large", 80)], true));
        let text = error.to_string();
        assert!(
            text.contains("take 150 tokens, and the context has 101: 50 too many"),
            "{text}"
        );
        assert!(text.contains(r"--exclude '/a\ large'  (80 tokens)"), "{text}");
        let error = too_large(11, &[("a", 50), ("b", 10), ("c", 100)]);
        assert_eq!(error.to_drop(), (vec![("c", 100), ("a", 50)], true));
    }

    #[test]
    fn when_a_few_are_not_enough_it_is_not_said_that_they_are() {
        let sizes: Vec<(String, usize)> = (0..100).map(|n| (format!("{n:02}"), 10)).collect();
        let error = TooLarge {
            tokens: 1000,
            limit: 100,
            files_read: 100,
            total_files: 100,
            sizes,
        };
        assert_eq!((error.to_drop().0.len(), error.to_drop().1), (NAMED, false));
        assert!(error.to_string().contains("the largest are"));
    }

    #[test]
    fn where_no_few_files_are_enough_a_folder_may_be() {
        let mut sizes: Vec<(String, usize)> = (0..40).map(|n| (format!("big/{}/{n}", n % 2), 10)).collect();
        sizes.push(("small/x".into(), 10));
        let error = TooLarge {
            tokens: 410,
            limit: 230,
            files_read: 41,
            total_files: 41,
            sizes,
        };
        assert_eq!(error.to_drop(), (vec![("big/0", 200)], true));
        assert!(error.to_string().contains("--exclude /big/0  (200 tokens)"), "{error}");
    }
}
