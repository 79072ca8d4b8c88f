//! The records that come with the program.

/// Names and files. They are a part of the program, so that it has them wherever it is installed.
const SHIPPED: [(&str, &str); 2] = [
    ("tour", include_str!("../../sessions/tour.jsonl")),
    ("eighty-days", include_str!("../../sessions/eighty-days.jsonl")),
];

pub fn shipped_names() -> impl Iterator<Item = &'static str> {
    SHIPPED.iter().map(|(name, _)| *name)
}

/// The file with this name.
#[must_use]
pub fn shipped(name: &str) -> Option<&'static str> {
    SHIPPED
        .iter()
        .find_map(|(known, file)| (*known == name).then_some(*file))
}
