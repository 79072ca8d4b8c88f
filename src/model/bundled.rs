//! The model that ships inside the program. Replace the files of `models/bundled` to ship another of the same format.

use super::files::Files;
use super::{Checkpoint, ModelError};

/// Opens the bundled model.
pub fn bundled() -> Result<Checkpoint, ModelError> {
    Checkpoint::from_files(Files::Embedded {
        path: "models/bundled (inside the program)",
        files: &[
            ("config.json", include_bytes!("../../models/bundled/config.json")),
            (
                "model.safetensors",
                include_bytes!("../../models/bundled/model.safetensors"),
            ),
            ("tokenizer.json", include_bytes!("../../models/bundled/tokenizer.json")),
        ],
    })
}
