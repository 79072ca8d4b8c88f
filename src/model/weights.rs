//! The weights of a model, in the shape of its configuration.
//!
//! `T` is what stands for one tensor: a [`TensorView`](super::TensorView) into the memory map when the checkpoint is
//! opened, and whatever a compute implementation makes of it afterwards.

/// All weights. Matrices are `[out, in]`, row-major; norms are vectors.
#[derive(Debug, Clone)]
pub struct ModelWeights<T> {
    /// `[vocab, hidden]`
    pub embedding: T,
    pub layers: Vec<LayerWeights<T>>,
    /// `[hidden]`
    pub norm: T,
    /// `[vocab, hidden]`; none if the head is the embedding table.
    pub head: Option<T>,
}

#[derive(Debug, Clone)]
pub struct LayerWeights<T> {
    /// `[hidden]`, before the mixer.
    pub mixer_norm: T,
    pub mixer: MixerWeights<T>,
    /// `[hidden]`, before the feed-forward.
    pub feed_forward_norm: T,
    pub moe: MoeWeights<T>,
}

#[derive(Debug, Clone)]
pub enum MixerWeights<T> {
    Lightning(LightningWeights<T>),
    Softmax(SoftmaxWeights<T>),
}

#[derive(Debug, Clone)]
pub struct LightningWeights<T> {
    /// `[heads·3·head_dim, hidden]`, rows per head `q | k | v`.
    pub qkv: T,
    /// `[heads·head_dim, hidden]`
    pub gate: T,
    /// `[heads·head_dim]`, over all heads at once.
    pub norm: T,
    /// `[hidden, heads·head_dim]`
    pub out: T,
}

#[derive(Debug, Clone)]
pub struct SoftmaxWeights<T> {
    /// `[heads·head_dim, hidden]`
    pub q: T,
    /// `[kv_heads·head_dim, hidden]`
    pub k: T,
    /// `[kv_heads·head_dim, hidden]`
    pub v: T,
    /// `[hidden, heads·head_dim]`
    pub out: T,
}

#[derive(Debug, Clone)]
pub struct MoeWeights<T> {
    /// `[experts, hidden]`
    pub router: T,
    pub experts: Vec<ExpertWeights<T>>,
}

#[derive(Debug, Clone)]
pub struct ExpertWeights<T> {
    /// `[width, hidden]`
    pub gate: T,
    /// `[width, hidden]`
    pub up: T,
    /// `[hidden, width]`
    pub down: T,
}

impl<T> ModelWeights<T> {
    /// The same weights with each tensor replaced by `f` of it.
    pub fn try_map<U, E>(self, mut f: impl FnMut(T) -> Result<U, E>) -> Result<ModelWeights<U>, E> {
        let f = &mut f;
        Ok(ModelWeights {
            embedding: f(self.embedding)?,
            layers: self
                .layers
                .into_iter()
                .map(|layer| layer.try_map(f))
                .collect::<Result<_, E>>()?,
            norm: f(self.norm)?,
            head: self.head.map(f).transpose()?,
        })
    }
}

impl<T> LayerWeights<T> {
    fn try_map<U, E>(self, f: &mut impl FnMut(T) -> Result<U, E>) -> Result<LayerWeights<U>, E> {
        Ok(LayerWeights {
            mixer_norm: f(self.mixer_norm)?,
            mixer: match self.mixer {
                MixerWeights::Lightning(w) => MixerWeights::Lightning(LightningWeights {
                    qkv: f(w.qkv)?,
                    gate: f(w.gate)?,
                    norm: f(w.norm)?,
                    out: f(w.out)?,
                }),
                MixerWeights::Softmax(w) => MixerWeights::Softmax(SoftmaxWeights {
                    q: f(w.q)?,
                    k: f(w.k)?,
                    v: f(w.v)?,
                    out: f(w.out)?,
                }),
            },
            feed_forward_norm: f(self.feed_forward_norm)?,
            moe: MoeWeights {
                router: f(self.moe.router)?,
                experts: self
                    .moe
                    .experts
                    .into_iter()
                    .map(|e| {
                        Ok(ExpertWeights {
                            gate: f(e.gate)?,
                            up: f(e.up)?,
                            down: f(e.down)?,
                        })
                    })
                    .collect::<Result<_, E>>()?,
            },
        })
    }
}
