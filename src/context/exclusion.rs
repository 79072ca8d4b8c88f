//! Why something that was found is not in the pack.

use serde::{Deserialize, Serialize};

/// A class of what is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exclusion {
    /// By `--exclude`.
    Excluded,
    /// Not matched by `--only`.
    NotOnly,
    /// By an ignore file.
    Ignored,
    Hidden,
    /// It may hold a key or a password.
    Secret,
    LockFile,
    Minified,
    Generated,
    Vendored,
    /// Data, or a file too large to have been meant.
    Large,
    Image,
    /// An image that is text, as SVG.
    Drawing,
    Archive,
    Weights,
    Binary,
    /// A symbolic link that is not followed.
    Link,
    /// A pipe, a socket, a device.
    NotAFile,
    /// More than any context could hold.
    TooLarge,
    Unreadable,
}

impl Exclusion {
    /// Whether asking for it again would load it.
    #[must_use]
    pub fn can_be_included(self) -> bool {
        !matches!(
            self,
            Self::Image
                | Self::Archive
                | Self::Weights
                | Self::Binary
                | Self::NotAFile
                | Self::TooLarge
                | Self::Unreadable
        )
    }
}
