//! Searching.

mod found;
mod hits;
mod pattern;

pub use found::Found;
pub use pattern::Pattern;
