//! Softmax attention with an online softmax over a paged cache.
//!
//! For each query the maximum `m`, the sum `l = Σ e^{s-m}` and the weighted values `o = Σ e^{s-m}·v` are carried from page to
//! page; when the maximum grows, `l` and `o` shrink by the difference. Partial results over disjoint pages merge by the same
//! rule, which is how a single decoded token is spread over threads. All query heads that share a key-value head go
//! through a page together.

#[cfg(target_arch = "x86_64")]
mod fused;
mod plain;
#[cfg(test)]
mod tests;

use self::plain::At;
use super::disjoint::Disjoint;
use super::kv_cache::{KvCache, PAGE, Page};
use super::pairs::Pair;
use super::project::{Activation, Projection};
use super::rope::Turns;
use super::simd::Isa;
use super::weight::Weight;
use super::workspace::{Threads, Workspace, all};
use super::{Cpu, MIXED_TOGETHER, Rows};
use crate::compute::{Block, Interrupt, Interrupted, Tile};
use crate::model::{Softmax, SoftmaxWeights};

/// Query tokens that go through the pages together.
const QUERY_BLOCK: usize = 32;
/// Pages that one task of a split query takes at least.
const PAGES_A_SPLIT: usize = 16;
/// Tokens whose queries and keys a task rotates.
const ROTATED: usize = 16;

/// Buffers of one layer's attention.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    turns: Turns,
    tasks: Vec<Task>,
    /// Of all tasks, one after the other.
    partials: Vec<f32>,
}

/// Buffers of one task.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// `[rows, dim]`
    queries: Vec<f32>,
    /// The same in bf16, `[rows, ⌈dim / 2⌉]`.
    query_pairs: Vec<Pair>,
    /// `[rows, PAGE]`
    scores: Vec<f32>,
    /// The same in bf16, `[rows, PAGE / 2]`.
    score_pairs: Vec<Pair>,
    #[cfg(target_arch = "x86_64")]
    fused: fused::Scratch,
}

impl Cpu {
    pub(super) fn softmax_block(
        &self,
        workspace: &mut Workspace,
        block: Block<'_, Weight>,
        spec: &Softmax,
        weights: &SoftmaxWeights<Weight>,
        x: &mut Rows,
        cache: &mut KvCache,
        tile: Tile<'_>,
    ) -> Result<(), Interrupted> {
        let (tokens, hidden) = (x.tokens(), x.width);
        let first_output = tokens - tile.outputs;
        let dim = spec.head_dim;
        let (width, kv_width) = (spec.heads * dim, spec.kv_heads * dim);
        let threads = &workspace.threads;
        let buffers = &mut workspace.mixer;
        buffers.attention.turns.prepare(spec.rope);
        workspace.result.resize(tile.outputs * hidden, 0.0);
        for start in (0..tokens).step_by(MIXED_TOGETHER) {
            let count = MIXED_TOGETHER.min(tokens - start);
            let skip = first_output.saturating_sub(start).min(count);
            let outputs = count - skip;
            let normed = &mut workspace.normed;
            let these = &x.data[start * hidden..(start + count) * hidden];
            let norm = (block.norm, block.eps);
            let wanted = [&weights.q, &weights.k, &weights.v];
            self.normalise(threads, these, norm, &wanted, normed, tile.interrupt)?;

            let (queries, keys, values) = (&mut buffers.first, &mut buffers.second, &mut buffers.third);
            queries.resize(outputs * width, 0.0);
            keys.resize(count * kv_width, 0.0);
            values.resize(count * kv_width, 0.0);
            let all = all(&mut workspace.all, count);
            let plain = Activation::None;
            let project = |weight, tokens, out| Projection {
                weight,
                input: normed.input(),
                tokens,
                activation: plain,
                out,
            };
            let projections = [
                project(&weights.q, &all[skip..], &mut **queries),
                project(&weights.k, all, &mut **keys),
                project(&weights.v, all, &mut **values),
            ];
            self.project(threads, projections, tile.interrupt)?;

            let position = tile.position + start;
            let turns = &mut buffers.attention.turns;
            if count <= ROTATED {
                turns.keep(position..position + count);
            }
            self.rotate(threads, spec, turns, position, skip, (queries, keys), tile.interrupt)?;
            for (key, value) in keys.chunks_exact(kv_width).zip(values.chunks_exact(kv_width)) {
                cache.push(key, value);
            }
            if outputs == 0 {
                continue;
            }

            let mixed = &mut buffers.mixed;
            let quantise = mixed.resize(outputs, width, &[&weights.out]);
            let attention = &mut buffers.attention;
            self.attend(
                threads,
                spec,
                queries,
                position + skip,
                cache,
                attention,
                tile.interrupt,
            )?;
            let Attended { tasks, partials } = attention.attended();
            self.rows(threads, mixed, outputs, quantise, tile.interrupt, |t, row, _| {
                merge(tasks, partials, spec, t, row);
            })?;
            let r = if block.residual.from_normed {
                &normed.rows[skip * hidden..]
            } else {
                &these[skip * hidden..]
            };
            self.project_residual(
                threads,
                &weights.out,
                mixed.input(),
                &all[..outputs],
                (block.residual.alpha as f32, r),
                block.residual.beta as f32,
                &mut workspace.result[(start + skip - first_output) * hidden..][..outputs * hidden],
                tile.interrupt,
            )?;
        }
        std::mem::swap(&mut x.data, &mut workspace.result);
        Ok(())
    }

    /// Rotates keys from `position` on and the queries of all but the first `skip` of their tokens, and scales the queries.
    fn rotate(
        &self,
        threads: &Threads,
        spec: &Softmax,
        turns: &Turns,
        position: usize,
        skip: usize,
        (queries, keys): (&mut [f32], &mut [f32]),
        interrupt: &Interrupt,
    ) -> Result<(), Interrupted> {
        let dim = spec.head_dim;
        let (width, kv_width) = (spec.heads * dim, spec.kv_heads * dim);
        let count = keys.len() / kv_width;
        let scale = 1.0 / (dim as f32).sqrt();
        let (queries, keys) = (Disjoint::new(queries), Disjoint::new(keys));
        // A sine costs about as much as 64 multiply-adds.
        let work = count * (spec.rope.dim * 64 + width);
        self.step(threads, count.div_ceil(ROTATED), work, interrupt, |task, _| {
            for t in task * ROTATED..count.min((task + 1) * ROTATED) {
                // SAFETY: a token belongs to one task.
                #[allow(unsafe_code)]
                let key = unsafe { keys.part(t * kv_width, kv_width) };
                if t < skip {
                    turns.rotate(dim, position + t, [key]);
                    continue;
                }
                // SAFETY: as above.
                #[allow(unsafe_code)]
                let query = unsafe { queries.part((t - skip) * width, width) };
                for q in query.iter_mut() {
                    *q *= scale;
                }
                turns.rotate(dim, position + t, [key, query]);
            }
        })
    }

    /// `queries` is `[tokens, heads·dim]`, rotated and scaled; the first is at `position`. Leaves the tasks and their results.
    fn attend(
        &self,
        threads: &Threads,
        spec: &Softmax,
        queries: &[f32],
        position: usize,
        cache: &KvCache,
        buffers: &mut Buffers,
        interrupt: &Interrupt,
    ) -> Result<(), Interrupted> {
        let width = spec.heads * spec.head_dim;
        let tokens = queries.len() / width;
        let group = spec.heads / spec.kv_heads;
        let tasks = &mut buffers.tasks;
        tasks.clear();
        let mut room = 0;
        for start in (0..tokens).step_by(QUERY_BLOCK) {
            let count = QUERY_BLOCK.min(tokens - start);
            let pages = (position + start + count).div_ceil(PAGE);
            for kv_head in 0..spec.kv_heads {
                let blocks = tokens.div_ceil(QUERY_BLOCK) * spec.kv_heads;
                let splits = (2 * self.pool.threads())
                    .div_ceil(blocks)
                    .min(pages.div_ceil(PAGES_A_SPLIT))
                    .max(1);
                let share = pages.div_ceil(splits);
                for first_page in (0..pages).step_by(share) {
                    let task = Task {
                        start,
                        count,
                        kv_head,
                        first_page,
                        end_page: pages.min(first_page + share),
                        result: room,
                    };
                    room += task.room(spec);
                    tasks.push(task);
                }
            }
        }
        buffers.partials.resize(room, 0.0);
        let partials = Disjoint::new(&mut buffers.partials);
        let work = tokens * spec.heads * 2 * spec.head_dim * (position + tokens);
        self.step(threads, tasks.len(), work, interrupt, |i, thread| {
            let task = tasks[i];
            // SAFETY: each task has room of its own.
            #[allow(unsafe_code)]
            let result = unsafe { partials.part(task.result, task.room(spec)) };
            let result = Partial::new(result, task.count * group);
            task.run(
                self.isa,
                spec,
                queries,
                position,
                cache,
                result,
                &mut thread.attention,
                interrupt,
            );
        })
    }
}

/// A block of query tokens of one key-value head against a range of pages.
#[derive(Debug, Clone, Copy)]
struct Task {
    start: usize,
    count: usize,
    kv_head: usize,
    first_page: usize,
    end_page: usize,
    /// Where its result begins.
    result: usize,
}

/// What all tasks have left.
struct Attended<'a> {
    tasks: &'a [Task],
    partials: &'a [f32],
}

impl Buffers {
    fn attended(&self) -> Attended<'_> {
        Attended {
            tasks: &self.tasks,
            partials: &self.partials,
        }
    }
}

/// Unnormalised attention of some queries.
struct Partial<'a> {
    /// `[rows]`
    max: &'a mut [f32],
    /// `[rows]`
    sum: &'a mut [f32],
    /// `[rows, dim]`
    out: &'a mut [f32],
}

impl<'a> Partial<'a> {
    fn new(room: &'a mut [f32], rows: usize) -> Self {
        let (max, rest) = room.split_at_mut(rows);
        let (sum, out) = rest.split_at_mut(rows);
        max.fill(f32::NEG_INFINITY);
        sum.fill(0.0);
        out.fill(0.0);
        Self { max, sum, out }
    }
}

impl Task {
    /// Numbers of its result.
    fn room(&self, spec: &Softmax) -> usize {
        self.count * spec.heads / spec.kv_heads * (spec.head_dim + 2)
    }

    /// Stops early if the interrupt is raised.
    fn run(
        &self,
        isa: Isa,
        spec: &Softmax,
        queries: &[f32],
        position: usize,
        cache: &KvCache,
        mut partial: Partial<'_>,
        scratch: &mut Scratch,
        interrupt: &Interrupt,
    ) {
        let dim = spec.head_dim;
        let group = spec.heads / spec.kv_heads;
        let rows = self.count * group;
        // Row t·group + g is query head kv_head·group + g of token t: contiguous in memory for one token.
        scratch.queries.clear();
        for t in self.start..self.start + self.count {
            let at = (t * spec.heads + self.kv_head * group) * dim;
            scratch.queries.extend_from_slice(&queries[at..at + group * dim]);
        }
        scratch.query_pairs.clear();
        for row in scratch.queries.chunks_exact(dim) {
            let pairs = row
                .chunks(2)
                .map(|two| Pair::new(two[0], two.get(1).copied().unwrap_or(0.0)));
            scratch.query_pairs.extend(pairs);
        }
        for page in self.first_page..self.end_page {
            if interrupt.is_raised() {
                return;
            }
            let first_key = page * PAGE;
            let at = At {
                isa,
                dim,
                group,
                rows,
                position: position + self.start,
                first_key,
                filled: PAGE.min(cache.len() - first_key),
            };
            #[cfg(target_arch = "x86_64")]
            let next = (page + 1 < self.end_page).then(|| cache.page(page + 1));
            let page = cache.page(page);
            #[cfg(target_arch = "x86_64")]
            if at.fuse(page, next, self.kv_head, &mut partial, scratch) {
                continue;
            }
            match page {
                Page::F32(stored) => at.attend(stored.head(self.kv_head, dim), &mut partial, scratch),
                Page::Bf16(pairs) => at.attend_pairs(pairs.head(self.kv_head, dim), &mut partial, scratch),
                Page::Q8(stored) => at.attend(stored.head(self.kv_head, dim), &mut partial, scratch),
            }
        }
    }
}

/// The attention of token `token` over all pages, `[heads·dim]`.
fn merge(tasks: &[Task], partials: &[f32], spec: &Softmax, token: usize, out: &mut [f32]) {
    let dim = spec.head_dim;
    let group = spec.heads / spec.kv_heads;
    let first = tasks.partition_point(|task| task.start + task.count <= token);
    let mine = &tasks[first..];
    let mine = &mine[..mine.partition_point(|task| task.start <= token)];
    for parts in mine.chunk_by(|a, b| a.kv_head == b.kv_head) {
        let rows = parts[0].count * group;
        for g in 0..group {
            let row = (token - parts[0].start) * group + g;
            let partial = |task: &Task| {
                let room = &partials[task.result..][..task.room(spec)];
                (room[row], room[rows + row], &room[2 * rows + row * dim..][..dim])
            };
            let max = parts
                .iter()
                .map(|task| partial(task).0)
                .fold(f32::NEG_INFINITY, f32::max);
            let total: f32 = parts.iter().map(partial).map(|(m, sum, _)| sum * (m - max).exp()).sum();
            let out = &mut out[(parts[0].kv_head * group + g) * dim..][..dim];
            out.fill(0.0);
            for task in parts {
                let (m, _, values) = partial(task);
                let weight = (m - max).exp() / total;
                for (o, v) in out.iter_mut().zip(values) {
                    *o += weight * v;
                }
            }
        }
    }
}
