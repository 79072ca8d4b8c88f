//! What a converted file will hold: its keys, and each tensor with its type.

use crate::model::gguf::{self, Outline, Part, Source, TensorSpec, Value};
use crate::model::{Checkpoint, Dtype, Mixer, ModelError};

/// A file that is to be written, from `checkpoint`, which it borrows the weights of.
pub struct Plan<'a> {
    pub(super) outline: Outline,
    pub(super) sources: Vec<Source<'a>>,
    /// What the person should know about the file.
    pub notes: Vec<String>,
}

impl<'a> Plan<'a> {
    /// The file of `checkpoint` with weights of type `to`, where nothing speaks against it; [`notes`](Self::notes) say where
    /// something does.
    pub fn new(checkpoint: &'a Checkpoint, to: Dtype) -> Result<Self, ModelError> {
        let unsupported = |what: String| ModelError::Unsupported {
            path: checkpoint.name.clone().into(),
            what: format!("writing {what} to a GGUF file"),
            advice: "The architecture minimax-01 of that format has no key for it.".to_owned(),
        };
        let mut keys = gguf::network_keys(&checkpoint.config, &checkpoint.name, to).map_err(unsupported)?;
        let mut notes = Vec::new();
        let written = checkpoint.gguf_keys()?;
        keys.extend(written.keys);
        notes.extend(written.notes);
        let unused: Vec<i32> = checkpoint.unused_ids().iter().map(|id| id.cast_signed()).collect();
        if !unused.is_empty() {
            keys.push(("tokenizer.ggml.suppress_tokens".to_owned(), Value::I32s(unused)));
        }

        let sources = gguf::tensors(&checkpoint.weights);
        let mut narrow = Fallback::default();
        let specs = sources.iter().map(|source| TensorSpec {
            name: source.name.clone(),
            dtype: narrow.choose(source, to),
            shape: source.shape.clone(),
        });
        let outline = Outline::new(&keys, specs.collect());
        let head = head_type(to);
        if head != to {
            notes.push(format!(
                "the head is kept at {}: its error goes into every logit",
                head.name()
            ));
        }
        notes.extend(narrow.note(to));
        notes.extend(elsewhere(checkpoint));
        Ok(Self {
            outline,
            sources,
            notes,
        })
    }

    /// Bytes of the file.
    #[must_use]
    pub fn file_bytes(&self) -> u64 {
        self.outline.file_bytes()
    }

    /// Weights in the file.
    #[must_use]
    pub fn weights(&self) -> usize {
        self.sources
            .iter()
            .map(|source| source.shape.iter().product::<usize>())
            .sum()
    }

    /// Number of tensors of each type.
    #[must_use]
    pub fn types(&self) -> Vec<(Dtype, usize)> {
        let count = |dtype: Dtype| self.outline.tensors().iter().filter(|t| t.dtype == dtype).count();
        let all = Dtype::ALL.into_iter().map(|dtype| (dtype, count(dtype)));
        all.filter(|(_, count)| *count > 0).collect()
    }
}

/// The type of the head: never below eight bits, or six with scales of their own.
fn head_type(to: Dtype) -> Dtype {
    match to {
        Dtype::Q4_0 | Dtype::Q4_1 | Dtype::Q5_0 | Dtype::Q5_1 => Dtype::Q8_0,
        Dtype::Q4K | Dtype::Q5K => Dtype::Q6K,
        other => other,
    }
}

/// What rows that are no whole number of blocks are stored as.
#[derive(Default)]
struct Fallback {
    /// Tensors, and the width of the first.
    eight_bits: (usize, usize),
    half: (usize, usize),
}

impl Fallback {
    fn choose(&mut self, source: &Source<'_>, to: Dtype) -> Dtype {
        let wanted = match source.part {
            Part::Control => return Dtype::F32,
            Part::Head => head_type(to),
            Part::Embedding | Part::Matrix => to,
        };
        let columns = source.shape.last().copied().unwrap_or(1);
        if wanted.divides(columns) {
            return wanted;
        }
        let (dtype, count) = if Dtype::Q8_0.divides(columns) {
            (Dtype::Q8_0, &mut self.eight_bits)
        } else {
            (Dtype::F16, &mut self.half)
        };
        if count.0 == 0 {
            count.1 = columns;
        }
        count.0 += 1;
        dtype
    }

    fn note(&self, to: Dtype) -> impl Iterator<Item = String> {
        [(self.eight_bits, Dtype::Q8_0), (self.half, Dtype::F16)]
            .into_iter()
            .filter(|((count, _), _)| *count > 0)
            .map(move |((count, columns), dtype)| {
                format!(
                    "{count} tensors are {} instead: their rows ({columns} weights in the first) are not a whole number of \
                     blocks of {to}",
                    dtype.name(),
                    to = format_args!("{} weights, or those of the head", to.block()),
                )
            })
    }
}

/// Where llama.cpp computes something else from the same file.
fn elsewhere(checkpoint: &Checkpoint) -> Option<String> {
    let heads = checkpoint.config.layers.iter().find_map(|layer| match &layer.mixer {
        Mixer::Lightning(spec) => Some(spec.heads),
        Mixer::Softmax(_) => None,
    })?;
    (!heads.is_power_of_two()).then(|| {
        format!("llama.cpp decays {heads} heads otherwise than the original code; its logits will differ from this program's")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::TensorView;

    fn source(part: Part, columns: usize, tensor: &TensorView) -> Source<'_> {
        Source {
            name: "w".to_owned(),
            shape: vec![1, columns],
            part,
            pieces: vec![tensor],
        }
    }

    #[test]
    fn types_by_part_and_width() {
        let tensor = TensorView::from_f32("w", vec![1, 1], &[0.0]);
        let choose = |part, columns, to| Fallback::default().choose(&source(part, columns, &tensor), to);
        assert_eq!(choose(Part::Control, 256, Dtype::Q4K), Dtype::F32);
        assert_eq!(choose(Part::Matrix, 512, Dtype::Q4K), Dtype::Q4K);
        assert_eq!(choose(Part::Embedding, 512, Dtype::Q5K), Dtype::Q5K);
        assert_eq!(choose(Part::Head, 512, Dtype::Q4K), Dtype::Q6K);
        assert_eq!(choose(Part::Head, 512, Dtype::Q4_0), Dtype::Q8_0);
        assert_eq!(choose(Part::Head, 512, Dtype::Bf16), Dtype::Bf16);
        assert_eq!(choose(Part::Matrix, 96, Dtype::Q6K), Dtype::Q8_0);
        assert_eq!(choose(Part::Matrix, 40, Dtype::Q8_0), Dtype::F16);
        assert_eq!(choose(Part::Matrix, 40, Dtype::F32), Dtype::F32);
    }
}
