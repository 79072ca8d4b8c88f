//! Writing GGUF files for tests: any key and any tensor, and golden checkpoints as a converter would.

use std::fs;
use std::path::Path;

use safetensors::SafeTensors;
use serde_json::Value as Json;

#[derive(Debug, Clone)]
pub enum Value {
    U16(u16),
    U32(u32),
    F32(f32),
    Bool(bool),
    Text(String),
    I32s(Vec<i32>),
    F32s(Vec<f32>),
    Bools(Vec<bool>),
    Texts(Vec<String>),
}

#[derive(Debug, Clone)]
pub struct Tensor {
    pub name: String,
    /// Outermost dimension first.
    pub shape: Vec<usize>,
    /// As numbered in the format.
    pub kind: u32,
    pub data: Vec<u8>,
}

/// What is to be written.
#[derive(Debug, Clone, Default)]
pub struct Gguf {
    pub keys: Vec<(String, Value)>,
    pub tensors: Vec<Tensor>,
}

const ALIGNMENT: usize = 32;

pub fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}

impl Gguf {
    /// Sets a key, in its old place if it has one.
    pub fn set(&mut self, key: &str, value: Value) -> &mut Self {
        match self.keys.iter_mut().find(|(k, _)| k == key) {
            Some((_, old)) => *old = value,
            None => self.keys.push((key.to_owned(), value)),
        }
        self
    }

    pub fn remove(&mut self, key: &str) -> &mut Self {
        self.keys.retain(|(k, _)| k != key);
        self
    }

    pub fn tensor(&mut self, name: &str) -> &mut Tensor {
        self.tensors.iter_mut().find(|t| t.name == name).unwrap()
    }

    pub fn add_f32(&mut self, name: &str, shape: &[usize], values: &[f32]) -> &mut Self {
        self.tensors.push(Tensor {
            name: name.to_owned(),
            shape: shape.to_vec(),
            kind: 0,
            data: values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        });
        self
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut out = b"GGUF".to_vec();
        out.extend(3u32.to_le_bytes());
        out.extend((self.tensors.len() as u64).to_le_bytes());
        out.extend((self.keys.len() as u64).to_le_bytes());
        for (key, value) in &self.keys {
            put_text(&mut out, key);
            put_value(&mut out, value);
        }
        let mut offset = 0usize;
        for tensor in &self.tensors {
            put_text(&mut out, &tensor.name);
            out.extend((tensor.shape.len() as u32).to_le_bytes());
            for size in tensor.shape.iter().rev() {
                out.extend((*size as u64).to_le_bytes());
            }
            out.extend(tensor.kind.to_le_bytes());
            out.extend((offset as u64).to_le_bytes());
            offset += tensor.data.len().next_multiple_of(ALIGNMENT);
        }
        for tensor in &self.tensors {
            out.resize(out.len().next_multiple_of(ALIGNMENT), 0);
            out.extend(&tensor.data);
        }
        out
    }

    pub fn write(&self, path: &Path) {
        fs::write(path, self.bytes()).unwrap();
    }

    /// The checkpoint of the hub's layout in `directory` as `minimax-01`, in the types it has; with its tokenizer if it
    /// has one.
    pub fn minimax(directory: &Path) -> Self {
        let config = json(&directory.join("config.json"));
        let size = |key: &str| Value::U32(config[key].as_u64().unwrap() as u32);
        let number = |key: &str| Value::F32(config[key].as_f64().unwrap() as f32);
        let mut gguf = Self::default();
        gguf.set("general.architecture", text("minimax-01"));
        let kinds: Vec<bool> = config["attn_type_list"]
            .as_array()
            .unwrap()
            .iter()
            .map(|k| k == 0)
            .collect();
        for (key, value) in [
            ("block_count", size("num_hidden_layers")),
            ("context_length", size("max_position_embeddings")),
            ("embedding_length", size("hidden_size")),
            ("feed_forward_length", size("intermediate_size")),
            ("attention.head_count", size("num_attention_heads")),
            ("attention.head_count_kv", size("num_key_value_heads")),
            ("attention.key_length", size("head_dim")),
            ("attention.value_length", size("head_dim")),
            ("attention.layer_norm_rms_epsilon", number("rms_norm_eps")),
            ("attention.recurrent_layers", Value::Bools(kinds)),
            ("rope.dimension_count", size("rotary_dim")),
            ("rope.freq_base", number("rope_theta")),
            ("expert_count", size("num_local_experts")),
            ("expert_used_count", size("num_experts_per_tok")),
            ("residual_scale", number("layernorm_mlp_alpha")),
        ] {
            gguf.set(&format!("minimax-01.{key}"), value);
        }
        gguf.put_tokenizer(directory, &config);
        gguf.put_tensors(directory, &config);
        gguf
    }

    fn put_tokenizer(&mut self, directory: &Path, config: &Json) {
        if !directory.join("tokenizer.json").exists() {
            return;
        }
        let tokenizer = json(&directory.join("tokenizer.json"));
        let vocabulary = config["vocab_size"].as_u64().unwrap() as usize;
        let (unused, normal, control) = (5, 1, 3);
        let mut tokens: Vec<(String, i32)> = (0..vocabulary).map(|id| (format!("[PAD{id}]"), unused)).collect();
        for (token, id) in tokenizer["model"]["vocab"].as_object().unwrap() {
            tokens[id.as_u64().unwrap() as usize] = (token.clone(), normal);
        }
        for token in tokenizer["added_tokens"].as_array().unwrap() {
            tokens[token["id"].as_u64().unwrap() as usize] = (token["content"].as_str().unwrap().to_owned(), control);
        }
        let merges = tokenizer["model"]["merges"].as_array().unwrap().iter().map(|merge| {
            let part = |i: usize| merge[i].as_str().unwrap();
            merge
                .as_str()
                .map_or_else(|| format!("{} {}", part(0), part(1)), str::to_owned)
        });
        let id_of = |content: &str| {
            tokens
                .iter()
                .position(|(token, _)| token == content)
                .map(|id| Value::U32(id as u32))
        };
        let (bos, eos) = (id_of("<beginning_of_sentence>"), id_of("<end_of_sentence>"));
        self.set("tokenizer.ggml.model", text("gpt2"))
            .set("tokenizer.ggml.pre", text("gpt-2"))
            .set("tokenizer.ggml.merges", Value::Texts(merges.collect()))
            .set(
                "tokenizer.ggml.token_type",
                Value::I32s(tokens.iter().map(|t| t.1).collect()),
            )
            .set(
                "tokenizer.ggml.tokens",
                Value::Texts(tokens.iter().map(|t| t.0.clone()).collect()),
            );
        if let (Some(bos), Some(eos)) = (bos, eos) {
            self.set("tokenizer.ggml.bos_token_id", bos)
                .set("tokenizer.ggml.eos_token_id", eos);
        }
        let of_tokenizer = directory.join("tokenizer_config.json");
        if of_tokenizer.exists() {
            let template = json(&of_tokenizer)["chat_template"].as_str().unwrap().to_owned();
            self.set("tokenizer.chat_template", Value::Text(template));
        }
    }

    fn put_tensors(&mut self, directory: &Path, config: &Json) {
        let mut files: Vec<_> = fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        files.retain(|path| path.extension().is_some_and(|e| e == "safetensors"));
        files.sort();
        let experts = config["num_local_experts"].as_u64().unwrap();
        let mut stacked: Vec<Tensor> = Vec::new();
        for file in files {
            let bytes = fs::read(file).unwrap();
            for (name, tensor) in SafeTensors::deserialize(&bytes).unwrap().tensors() {
                let kind = match tensor.dtype() {
                    safetensors::Dtype::F32 => 0,
                    safetensors::Dtype::F16 => 1,
                    safetensors::Dtype::BF16 => 30,
                    other => panic!("{other:?}"),
                };
                let tensor = Tensor {
                    name: name.clone(),
                    shape: tensor.shape().to_vec(),
                    kind,
                    data: tensor.data().to_vec(),
                };
                if name.contains(".experts.") {
                    stacked.push(tensor);
                } else {
                    let name = gguf_name(&name);
                    self.tensors.push(Tensor { name, ..tensor });
                }
            }
        }
        for layer in 0..config["num_hidden_layers"].as_u64().unwrap() {
            for (of_hub, of_gguf) in [("w1", "gate"), ("w3", "up"), ("w2", "down")] {
                let one = |e: u64| {
                    let name = format!("model.layers.{layer}.block_sparse_moe.experts.{e}.{of_hub}.weight");
                    stacked.iter().find(|t| t.name == name).unwrap()
                };
                let first = one(0);
                self.tensors.push(Tensor {
                    name: format!("blk.{layer}.ffn_{of_gguf}_exps.weight"),
                    shape: [&[experts as usize], first.shape.as_slice()].concat(),
                    kind: first.kind,
                    data: (0..experts).flat_map(|e| one(e).data.clone()).collect(),
                });
            }
        }
    }
}

fn gguf_name(name: &str) -> String {
    let Some(rest) = name.strip_prefix("model.layers.") else {
        return match name {
            "model.embed_tokens.weight" => "token_embd.weight",
            "model.norm.weight" => "output_norm.weight",
            "lm_head.weight" => "output.weight",
            other => panic!("{other}"),
        }
        .to_owned();
    };
    let (layer, name) = rest.split_once('.').unwrap();
    let name = match name.strip_suffix(".weight").unwrap() {
        "input_layernorm" => "attn_norm",
        "post_attention_layernorm" => "ffn_norm",
        "self_attn.qkv_proj" => "attn_qkv",
        "self_attn.output_gate" => "attn_gate",
        "self_attn.norm" => "attn_norm_2",
        "self_attn.out_proj" | "self_attn.o_proj" => "attn_output",
        "self_attn.q_proj" => "attn_q",
        "self_attn.k_proj" => "attn_k",
        "self_attn.v_proj" => "attn_v",
        "block_sparse_moe.gate" => "ffn_gate_inp",
        other => panic!("{other}"),
    };
    format!("blk.{layer}.{name}.weight")
}

fn json(path: &Path) -> Json {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}

fn put_value(out: &mut Vec<u8>, value: &Value) {
    let list = |out: &mut Vec<u8>, kind: u32, count: usize| {
        out.extend(9u32.to_le_bytes());
        out.extend(kind.to_le_bytes());
        out.extend((count as u64).to_le_bytes());
    };
    match value {
        Value::U16(n) => {
            out.extend(2u32.to_le_bytes());
            out.extend(n.to_le_bytes());
        }
        Value::U32(n) => {
            out.extend(4u32.to_le_bytes());
            out.extend(n.to_le_bytes());
        }
        Value::F32(n) => {
            out.extend(6u32.to_le_bytes());
            out.extend(n.to_le_bytes());
        }
        Value::Bool(b) => {
            out.extend(7u32.to_le_bytes());
            out.push(u8::from(*b));
        }
        Value::Text(text) => {
            out.extend(8u32.to_le_bytes());
            put_text(out, text);
        }
        Value::I32s(numbers) => {
            list(out, 5, numbers.len());
            out.extend(numbers.iter().flat_map(|n| n.to_le_bytes()));
        }
        Value::F32s(numbers) => {
            list(out, 6, numbers.len());
            out.extend(numbers.iter().flat_map(|n| n.to_le_bytes()));
        }
        Value::Bools(flags) => {
            list(out, 7, flags.len());
            out.extend(flags.iter().map(|b| u8::from(*b)));
        }
        Value::Texts(texts) => {
            list(out, 8, texts.len());
            for text in texts {
                put_text(out, text);
            }
        }
    }
}
