//! What a model costs: counted from its configuration, and measured on this machine.
//!
//! [`shape`] has random models of named shapes, so that a speed can be measured and compared without a checkpoint; [`mod@count`]
//! says how many operations and bytes a token takes at a position; [`mod@measure`] times prefill and decode; [`report`]
//! sets the times against the counts and against what the machine can do at most; [`save`] hands a random model to other engines.
//! [`mod@kernels`] does the same for the kernels of a graphics card, one by one, after it has checked them.

pub mod count;
pub mod kernels;
pub mod measure;
pub mod memory;
pub mod report;
mod save;
pub mod shape;
mod synthetic;

pub use count::{Cost, Footprint};
pub use measure::{Case, Measurement, Plan, measure};
pub use report::Report;
pub use save::save;
pub use shape::{SHAPES, Shape};
pub use synthetic::synthetic;
