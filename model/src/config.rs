//! The shape of a model, read from GGUF metadata and checked, so that nothing later can divide by zero or overrun.

use crate::error::ModelError;
use crate::gguf::GgufFile;
use crate::kernels::attention::Heads;

/// Architectures of the same family of decoders: RMS norm, rotary embedding, grouped-query attention, SwiGLU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    /// Biases on q, k and v.
    Qwen2,
    /// Norms on the heads of q and k.
    Qwen3,
    /// Neither; its GGUF files interleave the rotated dimensions.
    Llama,
}

impl Architecture {
    /// The name in `general.architecture`.
    pub fn name(self) -> &'static str {
        match self {
            Architecture::Qwen2 => "qwen2",
            Architecture::Qwen3 => "qwen3",
            Architecture::Llama => "llama",
        }
    }
}

/// What the metadata says about the transformer.
#[derive(Clone, Debug)]
pub struct Config {
    /// Architecture.
    pub architecture: Architecture,
    /// The file's own name for the model.
    pub name: String,
    /// Decoder layers.
    pub layers: usize,
    /// Width of the residual stream.
    pub hidden: usize,
    /// Width of the feed-forward layer.
    pub feed_forward: usize,
    /// Attention heads.
    pub heads: Heads,
    /// Base of the rotary frequencies.
    pub rope_base: f32,
    /// Epsilon of the norms.
    pub norm_eps: f32,
    /// Longest sequence that the model was trained for.
    pub context_length: usize,
    /// Tokens in the vocabulary.
    pub vocab: usize,
}

impl Config {
    /// Reads and checks the metadata.
    pub fn from_gguf(file: &GgufFile) -> Result<Config, ModelError> {
        let name = file.string("general.architecture").unwrap_or_default();
        let architecture = [Architecture::Qwen2, Architecture::Qwen3, Architecture::Llama]
            .into_iter()
            .find(|architecture| architecture.name() == name)
            .ok_or_else(|| {
                ModelError::Unsupported(format!(
                    "its architecture is `{name}`; architectures that run are qwen2, qwen3 and llama"
                ))
            })?;
        let prefix = architecture.name();
        let number = |key: &str| {
            file.number(&format!("{prefix}.{key}"))
                .filter(|value| (1..1 << 24).contains(value))
                .ok_or_else(|| file.corrupt(format!("metadata {prefix}.{key} is missing or out of range")))
        };
        let hidden = number("embedding_length")?;
        let heads = number("attention.head_count")?;
        let kv_heads = number("attention.head_count_kv").unwrap_or(heads);
        let head_dim = number("attention.key_length").unwrap_or(hidden / heads);
        let config = Config {
            architecture,
            name: file.string("general.name").unwrap_or(name).to_owned(),
            layers: number("block_count")?,
            hidden,
            feed_forward: number("feed_forward_length")?,
            heads: Heads { heads, kv_heads, head_dim },
            rope_base: file.float(&format!("{prefix}.rope.freq_base")).unwrap_or(10_000.0),
            norm_eps: file.float(&format!("{prefix}.attention.layer_norm_rms_epsilon")).unwrap_or(1e-6),
            context_length: number("context_length")?,
            vocab: file.tensor("token_embd.weight")?.n,
        };
        let runs = config.hidden.is_multiple_of(32)
            && config.feed_forward.is_multiple_of(32)
            && head_dim.is_multiple_of(64)
            && heads.is_multiple_of(kv_heads)
            && file.number(&format!("{prefix}.rope.dimension_count")).is_none_or(|d| d == head_dim);
        if !runs {
            return Err(ModelError::Unsupported(format!(
                "hidden size {hidden}, {heads} heads of {head_dim} and {kv_heads} key/value heads; the head size must be a \
                 multiple of 64, fully rotated"
            )));
        }
        Ok(config)
    }
}
