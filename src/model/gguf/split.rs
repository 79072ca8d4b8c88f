//! How text is split into words before merges, by the names that GGUF files have for it (`tokenizer.ggml.pre`).
//!
//! The patterns are those of the models' own `tokenizer.json`. Several are applied one after the other, each to what
//! the one before has left or cut.

/// The name that stands for a file which gives none, as in llama.cpp.
pub(super) const DEFAULT: &str = "default";

/// A way of splitting.
pub(super) struct Split {
    names: &'static [&'static str],
    pub patterns: &'static [&'static str],
    /// A word that is a token is taken as one without looking at merges.
    pub whole_words_first: bool,
}

pub(super) const GPT_2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";
const LLAMA_3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const QWEN_2: &str =
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const O200K: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const TEKKEN: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";

const SPLITS: [Split; 8] = [
    Split {
        names: &[DEFAULT],
        patterns: &[r"[\p{P}$+<=>^~|]+", GPT_2, r"\p{N}+", r"[0-9][0-9][0-9]"],
        whole_words_first: false,
    },
    Split {
        names: &[
            "gpt-2", "mpt", "olmo", "phi-2", "jais", "trillion", "exaone4", "a.x-4.0", "mellum", "gigachat",
        ],
        patterns: &[GPT_2],
        whole_words_first: false,
    },
    Split {
        names: &[
            "smollm",
            "starcoder",
            "refact",
            "command-r",
            "codeshell",
            "exaone",
            "minerva-7b",
        ],
        patterns: &[r"\p{N}", GPT_2],
        whole_words_first: false,
    },
    Split {
        names: &[
            "llama-bpe",
            "llama3",
            "llama-v3",
            "falcon3",
            "falcon-h1",
            "pixtral",
            "midm-2.0",
            "lfm2",
        ],
        patterns: &[LLAMA_3],
        whole_words_first: true,
    },
    Split {
        names: &["dbrx", "smaug-bpe", "chatglm-bpe"],
        patterns: &[LLAMA_3],
        whole_words_first: false,
    },
    Split {
        names: &["qwen2", "stablelm2", "deepseek-r1-qwen", "megrez", "hunyuan", "grok-2"],
        patterns: &[QWEN_2],
        whole_words_first: false,
    },
    Split {
        names: &["gpt-4o", "llama4", "kanana2", "minimax-m2"],
        patterns: &[O200K],
        whole_words_first: false,
    },
    Split {
        names: &["tekken"],
        patterns: &[TEKKEN],
        whole_words_first: true,
    },
];

pub(super) fn of(name: &str) -> Option<&'static Split> {
    SPLITS.iter().find(|split| split.names.contains(&name))
}

/// The name of a way of splitting, if it has one.
pub(super) fn name_of(patterns: &[&str], whole_words_first: bool) -> Option<&'static str> {
    let split = SPLITS
        .iter()
        .find(|split| split.patterns == patterns && split.whole_words_first == whole_words_first)?;
    split.names.first().copied()
}

/// All names, as they are listed above.
pub(super) fn names() -> Vec<&'static str> {
    SPLITS.iter().flat_map(|split| split.names).copied().collect()
}
