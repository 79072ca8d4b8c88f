//! Documents that do not fit, and what could be done about it.

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

    /// The fewest documents without which the others fit, the largest first; of all documents, if that is not to be had
    /// with a few.
    #[must_use]
    pub fn to_drop(&self) -> Vec<&(String, usize)> {
        let mut sizes: Vec<_> = self.sizes.iter().collect();
        sizes.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
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
}

impl TooLarge {
    /// The smallest folder without which the others fit.
    fn folder_to_drop(&self) -> Option<(String, usize)> {
        let mut folders: BTreeMap<&str, usize> = BTreeMap::new();
        for (name, tokens) in &self.sizes {
            for (slash, _) in name.match_indices('/').filter(|(slash, _)| *slash > 0) {
                *folders.entry(&name[..slash]).or_default() += tokens;
            }
        }
        let enough = folders
            .into_iter()
            .filter(|&(_, tokens)| tokens >= self.over() && tokens < self.tokens);
        enough
            .min_by_key(|&(name, tokens)| (tokens, std::cmp::Reverse(name.len())))
            .map(|(name, tokens)| (name.to_owned(), tokens))
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
        let read = files_read == total_files;
        let files = self.to_drop();
        let dropped: usize = files.iter().map(|size| size.1).sum();
        let files_do = dropped >= over && files.len() < self.sizes.len();
        let folder = self.folder_to_drop().filter(|_| !files_do);
        let (advice, drop): (_, Vec<(&str, usize)>) = match &folder {
            Some((name, tokens)) if read => ("Without this they would fit:", vec![(name, *tokens)]),
            _ => {
                let drop = files.iter().map(|size| (&*size.0, size.1)).collect();
                if files_do && read {
                    ("Without these they would fit:", drop)
                } else {
                    ("Load less; the largest are", drop)
                }
            }
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
        assert_eq!(error.to_drop(), [&("a large".to_owned(), 80)]);
        let text = error.to_string();
        assert!(
            text.contains("take 150 tokens, and the context has 101: 50 too many"),
            "{text}"
        );
        assert!(text.contains(r"--exclude '/a\ large'  (80 tokens)"), "{text}");
        let error = too_large(11, &[("a", 50), ("b", 10), ("c", 100)]);
        let names: Vec<&str> = error.to_drop().iter().map(|size| size.0.as_str()).collect();
        assert_eq!(names, ["c", "a"]);
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
        assert_eq!(error.to_drop().len(), NAMED);
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
        assert_eq!(error.folder_to_drop(), Some(("big/0".into(), 200)));
        assert!(error.to_string().contains("--exclude /big/0  (200 tokens)"), "{error}");
    }
}
