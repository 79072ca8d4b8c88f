//! The weights of a model, in the shape of its configuration.
//!
//! `T` is what stands for one tensor: a [`TensorView`](super::TensorView) into the memory map when the checkpoint is
//! opened, and whatever a compute implementation makes of it afterwards.

use std::convert::Infallible;

use super::TensorView;

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
    /// `[experts, hidden]`; none if there is one expert.
    pub router: Option<T>,
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

/// What a tensor is used for, which decides how an implementation holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TensorRole {
    /// A factor of each channel.
    Norm,
    /// Rows are looked up, never multiplied.
    Table,
    /// Rows are multiplied with activations.
    Matrix,
    /// A matrix that chooses experts: a little off is another expert.
    Router,
    /// A matrix that only some tokens are multiplied with, those that its expert is chosen for.
    Expert,
    /// Both: an embedding table that is the head as well.
    TableAndMatrix,
}

impl ModelWeights<TensorView> {
    /// Bytes of all tensors as they are stored.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let mut bytes = 0;
        let count = self.clone().try_map(|tensor, _| {
            bytes += tensor.bytes().len();
            Ok::<_, Infallible>(())
        });
        match count {
            Ok(_) => bytes,
            Err(never) => match never {},
        }
    }
}

impl<T> ModelWeights<T> {
    /// The same weights with each tensor replaced by `f` of it.
    pub fn try_map<U, E>(self, mut f: impl FnMut(T, TensorRole) -> Result<U, E>) -> Result<ModelWeights<U>, E> {
        let f = &mut f;
        let table = match self.head {
            Some(_) => TensorRole::Table,
            None => TensorRole::TableAndMatrix,
        };
        Ok(ModelWeights {
            embedding: f(self.embedding, table)?,
            layers: self
                .layers
                .into_iter()
                .map(|layer| layer.try_map(f))
                .collect::<Result<_, E>>()?,
            norm: f(self.norm, TensorRole::Norm)?,
            head: self.head.map(|head| f(head, TensorRole::Matrix)).transpose()?,
        })
    }
}

impl<T> LayerWeights<T> {
    fn try_map<U, E>(self, f: &mut impl FnMut(T, TensorRole) -> Result<U, E>) -> Result<LayerWeights<U>, E> {
        Ok(LayerWeights {
            mixer_norm: f(self.mixer_norm, TensorRole::Norm)?,
            mixer: match self.mixer {
                MixerWeights::Lightning(w) => MixerWeights::Lightning(w.try_map(&mut *f)?),
                MixerWeights::Softmax(w) => MixerWeights::Softmax(w.try_map(&mut *f)?),
            },
            feed_forward_norm: f(self.feed_forward_norm, TensorRole::Norm)?,
            moe: self.moe.try_map(&mut *f)?,
        })
    }
}

impl<T> MixerWeights<T> {
    /// All of them.
    pub fn tensors(&self) -> impl Iterator<Item = &T> {
        let tensors = match self {
            Self::Lightning(w) => [&w.qkv, &w.gate, &w.norm, &w.out],
            Self::Softmax(w) => [&w.q, &w.k, &w.v, &w.out],
        };
        tensors.into_iter()
    }
}

impl<T> LightningWeights<T> {
    pub fn try_map<U, E>(self, mut f: impl FnMut(T, TensorRole) -> Result<U, E>) -> Result<LightningWeights<U>, E> {
        Ok(LightningWeights {
            qkv: f(self.qkv, TensorRole::Matrix)?,
            gate: f(self.gate, TensorRole::Matrix)?,
            norm: f(self.norm, TensorRole::Norm)?,
            out: f(self.out, TensorRole::Matrix)?,
        })
    }
}

impl<T> SoftmaxWeights<T> {
    pub fn try_map<U, E>(self, mut f: impl FnMut(T, TensorRole) -> Result<U, E>) -> Result<SoftmaxWeights<U>, E> {
        Ok(SoftmaxWeights {
            q: f(self.q, TensorRole::Matrix)?,
            k: f(self.k, TensorRole::Matrix)?,
            v: f(self.v, TensorRole::Matrix)?,
            out: f(self.out, TensorRole::Matrix)?,
        })
    }
}

impl<T> MoeWeights<T> {
    /// All of them.
    pub fn tensors(&self) -> impl Iterator<Item = &T> {
        let experts = self.experts.iter().flat_map(|e| [&e.gate, &e.up, &e.down]);
        self.router.iter().chain(experts)
    }

    pub fn try_map<U, E>(self, mut f: impl FnMut(T, TensorRole) -> Result<U, E>) -> Result<MoeWeights<U>, E> {
        // What every token passes is no expert.
        let role = match self.router {
            Some(_) => TensorRole::Expert,
            None => TensorRole::Matrix,
        };
        Ok(MoeWeights {
            router: self.router.map(|router| f(router, TensorRole::Router)).transpose()?,
            experts: self
                .experts
                .into_iter()
                .map(|e| {
                    Ok(ExpertWeights {
                        gate: f(e.gate, role)?,
                        up: f(e.up, role)?,
                        down: f(e.down, role)?,
                    })
                })
                .collect::<Result<_, E>>()?,
        })
    }
}
