//! What is put before a model: chat templates, the rewrite request, fill-in-the-middle tokens.
//!
//! A template's control tokens and a user's text never go through the same encoder: the text of a file, a
//! suggestion, a path or an instruction is always encoded as plain text, whatever is written in it.

mod fim;
mod rewrite;

pub use fim::{FIM_FAMILIES, FimFamily, FimOrder, FimPrompt, OtherFile, RenderedFim};
pub use rewrite::{Rendered, RewritePrompt, answer};

use candle_core::quantized::gguf_file::Content;

/// The models that are spoken to in the same way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PromptFamily {
    /// Qwen 2 and 2.5: ChatML.
    Qwen2,
    /// Qwen 3: ChatML, with the thinking block left empty where the model has one.
    Qwen3,
    /// Llama 3: headers between `<|start_header_id|>` and `<|end_header_id|>`.
    Llama3,
    /// SmolLM and others whose file shows the ChatML tokens.
    ChatMl,
    /// FastApply: ChatML with the wording and the tags that it was trained on.
    FastApply,
}

/// Names as the catalogue writes them.
const NAMES: &[(&str, PromptFamily)] = &[
    ("qwen2", PromptFamily::Qwen2),
    ("qwen3", PromptFamily::Qwen3),
    ("llama3", PromptFamily::Llama3),
    ("smollm", PromptFamily::ChatMl),
    ("fastapply", PromptFamily::FastApply),
];

/// The control tokens around the turns of a chat.
struct Turns {
    /// Before the system message.
    system: &'static str,
    /// Between the system message and the user's.
    user: &'static str,
    /// Between the user's message and the model's.
    assistant: &'static str,
}

const CHAT_ML: Turns = Turns {
    system: "<|im_start|>system\n",
    user: "<|im_end|>\n<|im_start|>user\n",
    assistant: "<|im_end|>\n<|im_start|>assistant\n",
};

const CHAT_ML_WITHOUT_THINKING: Turns =
    Turns { assistant: "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n", ..CHAT_ML };

const LLAMA3: Turns = Turns {
    system: "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\n",
    user: "<|eot_id|><|start_header_id|>user<|end_header_id|>\n\n",
    assistant: "<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
};

impl PromptFamily {
    /// The family with the name that a catalogue row gives.
    pub fn by_name(name: &str) -> Option<Self> {
        NAMES.iter().find(|row| row.0 == name).map(|row| row.1)
    }

    /// The family of a file that is in no catalogue, by its name, architecture and chat template.
    pub fn of_gguf(content: &Content) -> Option<Self> {
        let text = |key| content.metadata.get(key).and_then(|value| value.to_string().ok());
        let said = |key, what: &str| {
            text(key).is_some_and(|value: &String| {
                value.to_lowercase().replace(['-', ' ', '_'], "").contains(what)
            })
        };
        let template = text("tokenizer.chat_template").map_or("", String::as_str);
        if said("general.name", "fastapply") || said("general.basename", "fastapply") {
            return Some(Self::FastApply);
        }
        match text("general.architecture").map_or("", String::as_str) {
            "qwen2" => Some(Self::Qwen2),
            // The later Qwen 3 instruct models do not think, and their template does not speak of it.
            "qwen3" if template.contains("enable_thinking") => Some(Self::Qwen3),
            "qwen3" => Some(Self::Qwen2),
            _ if template.contains("<|start_header_id|>") => Some(Self::Llama3),
            _ if template.contains("<|im_start|>") => Some(Self::ChatMl),
            _ => None,
        }
    }

    fn turns(self) -> &'static Turns {
        match self {
            Self::Qwen2 | Self::ChatMl | Self::FastApply => &CHAT_ML,
            Self::Qwen3 => &CHAT_ML_WITHOUT_THINKING,
            Self::Llama3 => &LLAMA3,
        }
    }
}

impl std::fmt::Display for PromptFamily {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(NAMES.iter().find(|row| row.1 == *self).map_or("", |row| row.0))
    }
}

#[cfg(test)]
mod tests;
