//! What a launch moves and computes, from its arguments: the same figures as in `kernels/work.py`.
//!
//! Bytes are those that have to pass memory once; what is read again from the second-level cache is not counted, nor what widening
//! quantised weights takes. A multiply-add is two operations.

use serde::Serialize;

use crate::compute::cuda::{Argument, Launch};
use crate::model::Dtype;

/// Tokens of a block of lightning attention.
const LIGHTNING_BLOCK: f64 = 64.0;

/// What computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    Tensor,
    /// Units of f32 and of integers.
    Single,
}

/// Of one launch.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Work {
    /// In words, so that one is told from another.
    pub shape: String,
    pub bytes: f64,
    pub operations: f64,
    pub unit: Unit,
}

/// What launches before have said that a later one depends on.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Tokens and their experts, together.
    slots: f64,
    experts: f64,
    /// Tokens of the sequence that attention sees.
    position: f64,
}

/// Bytes of a number of the type that a kernel's name ends in.
fn bytes_of(kernel: &str) -> f64 {
    let named = |dtype: &&Dtype| kernel.ends_with(dtype.name()) || kernel.contains(&format!("_{}_", dtype.name()));
    let dtype = Dtype::ALL.iter().find(named).copied().unwrap_or(Dtype::F32);
    dtype.block_bytes() as f64 / dtype.block() as f64
}

impl Seen {
    /// None of kernels that are not counted.
    pub fn work(&mut self, launch: Launch<'_>) -> Option<Work> {
        let kernel = launch.kernel;
        let n = |at: usize| match launch.arguments.get(at) {
            Some(Argument::Int(x)) => f64::from(*x),
            Some(Argument::Long(x)) => *x as f64,
            _ => 0.0,
        };
        let [x, y, _] = launch.grid.map(|size| size as f64);
        let single = |shape: String, bytes: f64, operations: f64| {
            Some(Work {
                shape,
                bytes,
                operations,
                unit: Unit::Single,
            })
        };
        let tensor = |shape: String, bytes: f64, operations: f64| {
            Some(Work {
                shape,
                bytes,
                operations,
                unit: Unit::Tensor,
            })
        };
        let family = kernel.split('_').next().unwrap_or_default();
        match family {
            "embed" => single(format!("{x} tokens"), x * n(3) * (bytes_of(kernel) + 4.0), 0.0),
            "residual" => {
                let (width, slots) = (n(14), n(5));
                single(
                    format!("{x} × {width}, {slots} outputs each"),
                    x * width * (4.0 + 4.0 * slots + 4.0 + 2.0 + 4.0),
                    10.0 * x * width,
                )
            }
            "gated" => single(format!("{x} × {}", n(5)), 6.0 * x * n(5), 12.0 * x * n(5)),
            "rope" => {
                let size = if kernel.ends_with("bf16") { 2.0 } else { 4.0 };
                // Queries, keys and values, and what goes to the cache.
                let (heads, kv_heads, d) = (n(20), n(21), n(24));
                let numbers = x * d * (2.0 * heads + 4.0 * kv_heads);
                single(format!("{x} tokens"), numbers * size, 6.0 * x * d * (heads + kv_heads))
            }
            "router" => single(
                format!("{} tokens", n(3)),
                4.0 * n(3) * (n(5) + n(4)),
                2.0 * n(3) * n(4) * n(5),
            ),
            "route" => {
                (self.slots, self.experts) = (n(4) * n(6), n(5));
                single(
                    format!("{} tokens", n(4)),
                    4.0 * n(4) * (n(5) + 2.0 * n(6)),
                    20.0 * n(4) * n(5),
                )
            }
            "place" => single(format!("{} slots", n(4)), 12.0 * n(4), 0.0),
            "gemv" | "gemv4" => {
                let (count, rows, columns) = (n(3), n(4), n(5));
                single(
                    format!("{rows} × {columns}, {count} tokens"),
                    rows * columns * bytes_of(kernel) + 4.0 * count * (rows + columns),
                    2.0 * count * rows * columns,
                )
            }
            "gemm" => {
                let (count, rows, columns) = (n(3), n(4), n(5));
                let result = if kernel.ends_with("_f32") { 4.0 } else { 2.0 };
                let weights = kernel.rsplit_once('_').map_or(kernel, |(weights, _)| weights);
                tensor(
                    format!("{rows} × {columns}, {count} tokens"),
                    rows * columns * bytes_of(weights) + count * (2.0 * columns + result * rows),
                    2.0 * count * rows * columns,
                )
            }
            "head" => {
                let (rows, columns) = (n(5), n(6));
                single(
                    format!("{rows} × {columns}, {y} tokens"),
                    rows * columns * bytes_of(kernel) + 4.0 * y * (rows + columns),
                    2.0 * y * rows * columns,
                )
            }
            "expert" if kernel.starts_with("expert_up") => {
                let (inner, width) = (n(6), n(7));
                let read = y.min(self.experts) * 2.0 * inner * width * bytes_of(kernel);
                single(format!("{y} experts of {inner}"), read, 4.0 * y * inner * width)
            }
            "expert" => {
                let (top_k, width, inner) = (n(5), n(6), n(7));
                let read = (y * top_k).min(self.experts) * inner * width * bytes_of(kernel);
                single(
                    format!("{} experts of {inner}", y * top_k),
                    read,
                    2.0 * y * top_k * inner * width,
                )
            }
            "experts" if kernel.starts_with("experts_up") => {
                let (inner, width) = (n(8), n(9));
                tensor(
                    format!("{} slots, {} experts of {inner}", self.slots, self.experts),
                    self.experts * 2.0 * inner * width * bytes_of(kernel) + 2.0 * self.slots * (width + inner),
                    4.0 * self.slots * inner * width,
                )
            }
            "experts" => {
                let (width, inner) = (n(6), n(7));
                tensor(
                    format!("{} slots, {} experts of {inner}", self.slots, self.experts),
                    self.experts * inner * width * bytes_of(kernel) + self.slots * (2.0 * inner + 4.0 * width),
                    2.0 * self.slots * inner * width,
                )
            }
            "lightning" if kernel == "lightning_decode" => {
                let d = n(16);
                single(format!("{x} heads of {d}"), 8.0 * x * d * d, 5.0 * x * d * d)
            }
            "lightning" if kernel == "lightning_scan" => None,
            "lightning" => {
                let at = if kernel.starts_with("lightning_chunks") { 6 } else { 9 };
                let (rows, d) = (n(at), n(at + 2));
                let of_block = if at == 9 {
                    3.0 * LIGHTNING_BLOCK * d + 2.0 * d * d
                } else {
                    d * d
                };
                tensor(
                    format!("{rows} tokens, {x} heads of {d}"),
                    if at == 9 { 8.0 } else { 4.0 } * rows * x * d + 8.0 * x * d * d,
                    2.0 * rows * x * of_block,
                )
            }
            "attention" if kernel == "attention_merge" => None,
            "attention" if kernel.starts_with("attention_decode") => {
                let (outputs, first, heads, d) = (n(12), n(13), n(14), n(16));
                let (near, far) = (n(7), n(8));
                self.position = first + outputs;
                // In bf16 as far as they go, else in 8 bits with a scale for each head.
                let near = self.position.min(near);
                let far = (self.position - near).min(far);
                let read = 2.0 * y * (near * 2.0 * d + far * (d + 4.0));
                let kind = if far > near { "8 bits" } else { "bf16" };
                single(
                    format!("{outputs} tokens at {first}, {kind}"),
                    read,
                    4.0 * outputs * heads * d * self.position,
                )
            }
            "attention" if kernel == "attention_f32" => None,
            "attention" => {
                let (outputs, first, kv_heads, d) = (n(11), n(12), n(13), n(14));
                let seen = outputs * first + outputs * outputs / 2.0;
                let kept = 2.0 * (first + outputs) * kv_heads * d * 2.0;
                tensor(
                    format!("{outputs} tokens from {first}"),
                    kept + 4.0 * outputs * y * d,
                    4.0 * y * d * seen,
                )
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Figures of `kernels/work.py` at MiniMax-M1's shapes.
    #[test]
    fn work_is_counted_as_the_page_says() {
        let of = |kernel: &str, grid: [usize; 3], arguments: &[Argument]| {
            let launch = Launch {
                kernel,
                grid,
                block: 256,
                shared: 0,
                arguments,
            };
            Seen::default().work(launch).unwrap()
        };
        let p = Argument::NULL;
        let int = Argument::from;
        let qkv = of(
            "gemv_q4_k",
            [768, 1, 1],
            &[p, p, p, int(1_usize), int(24_576_usize), int(6144_usize)],
        );
        assert!((qkv.bytes / 84.9e6 - 1.0).abs() < 0.01, "{qkv:?}");
        assert!((qkv.operations - 302e6).abs() < 1e6);
        let decode = [&[p; 17][..16], &[int(128_usize)]].concat();
        let decode = of("lightning_decode", [64, 4, 1], &decode);
        assert!((decode.bytes - 8.39e6).abs() < 1e4, "{decode:?}");
        let tile = [
            &[p; 3][..],
            &[Argument::Long(0); 2],
            &[p; 4],
            &[int(32_768_usize), int(32_768_usize), int(128_usize)],
        ]
        .concat();
        let tile = of("lightning_128", [64, 2, 1], &tile);
        assert!((tile.operations / 241e9 - 1.0).abs() < 0.2, "{tile:?}");
        assert!((tile.bytes - 2.16e9).abs() < 1e7, "{tile:?}");
    }
}
