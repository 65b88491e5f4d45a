//! The request to write a whole file anew with an edit in it.
//!
//! The original stands first and everything that depends on the edit after it, so that the model's state after the
//! original can be computed before a suggestion is there. The parts are encoded one by one: no token reaches over
//! the border, and `prefix_len` is exact.

use super::PromptFamily;
use crate::tokenizer::Tokenizer;

const SYSTEM: &str =
    "You apply edits to source files. You answer with the whole edited file and nothing else.";

/// The wording that FastApply was trained on, from its model card (Apache-2.0).
const FAST_APPLY_SYSTEM: &str = "You are a coding assistant that helps merge code updates, ensuring every modification is fully integrated.";
const FAST_APPLY_TASK: &str = "\
Merge all changes from the <update> snippet into the <code> below.
- Preserve the code's structure, order, comments, and indentation exactly.
- Output only the updated code, enclosed within <updated-code> and </updated-code> tags.
- Do not include any additional text, explanations, placeholders, ellipses, or code fences.

";

/// What a file is to become.
#[derive(Clone, Copy, Debug, Default)]
pub struct RewritePrompt<'a> {
    /// The file's path as the model should see it.
    pub path: Option<&'a str>,
    /// The file's language id, written after the fence.
    pub language: Option<&'a str>,
    /// The file before the edit.
    pub original: &'a str,
    /// The edit, without fences and prose around it.
    pub suggestion: &'a str,
    /// What the user asked for in words.
    pub instruction: Option<&'a str>,
}

/// A prompt as tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// The whole prompt. The model goes on with the first line of the edited file.
    pub tokens: Vec<u32>,
    /// So many tokens at the beginning depend on path, language and original only.
    pub prefix_len: usize,
    /// The edited file ends before the first of these.
    pub stop: Vec<String>,
}

impl Rendered {
    /// The tokens of the answer that is `text`: its fence or tag and the end of the turn included.
    pub fn answer(&self, text: &str, tokenizer: &Tokenizer) -> Vec<u32> {
        answer(text, self.stop.first().map_or("", String::as_str), tokenizer)
    }
}

/// The tokens of an answer that is `text` and then comes to `stop`, up to the end of the turn.
pub fn answer(text: &str, stop: &str, tokenizer: &Tokenizer) -> Vec<u32> {
    let mut tokens = tokenizer.encode(&format!("{}{stop}", text.trim_end_matches('\n')));
    // A turn of a chat has an end of its own, where a model was taught chats.
    tokens.extend(tokenizer.special_id("<|im_end|>").or(tokenizer.eos_ids().first().copied()));
    tokens
}

impl RewritePrompt<'_> {
    /// The tokens that every suggestion for this file begins with: those before [`Rendered::prefix_len`].
    pub fn prefix(&self, family: PromptFamily, tokenizer: &Tokenizer) -> Vec<u32> {
        let mut tokens = Vec::new();
        let (system, before, after) = if family == PromptFamily::FastApply {
            (FAST_APPLY_SYSTEM, format!("{FAST_APPLY_TASK}<code>"), "</code>\n\n".to_owned())
        } else {
            let fence = fence_around(&[self.original]);
            let name = self.path.map_or_else(|| "The file:".to_owned(), |path| format!("The file `{path}`:"));
            let language = self.language.unwrap_or_default();
            (SYSTEM, format!("{name}\n{fence}{language}\n"), format!("{fence}\n\n"))
        };
        let turns = family.turns();
        tokens.extend(tokenizer.encode_with_special(turns.system));
        tokens.extend(tokenizer.encode(system));
        tokens.extend(tokenizer.encode_with_special(turns.user));
        tokens.extend(tokenizer.encode(&before));
        if family == PromptFamily::FastApply {
            tokens.extend(tokenizer.encode(self.original));
        } else {
            tokens.extend(tokenizer.encode(&ended(self.original)));
        }
        tokens.extend(tokenizer.encode(&after));
        tokens
    }

    /// The whole prompt.
    pub fn render(&self, family: PromptFamily, tokenizer: &Tokenizer) -> Rendered {
        let mut tokens = self.prefix(family, tokenizer);
        let prefix_len = tokens.len();
        let (request, opening, stop) = if family == PromptFamily::FastApply {
            let request =
                format!("<update>{}</update>\n\nProvide the complete updated code.", self.suggestion);
            (request, "<updated-code>".to_owned(), "</updated-code>".to_owned())
        } else {
            let quoted = fence_around(&[self.suggestion]);
            let instruction = match self.instruction.map(str::trim).filter(|text| !text.is_empty()) {
                Some(text) => format!("What the edit is for: {text}\n\n"),
                None => String::new(),
            };
            let request = format!(
                "The edit:\n{quoted}\n{suggestion}{quoted}\n\n{instruction}{TASK}",
                suggestion = ended(self.suggestion),
            );
            let fence = fence_around(&[self.original, self.suggestion]);
            (request, format!("{fence}{}\n", self.language.unwrap_or_default()), format!("\n{fence}"))
        };
        tokens.extend(tokenizer.encode(&request));
        tokens.extend(tokenizer.encode_with_special(family.turns().assistant));
        tokens.extend(tokenizer.encode(&opening));
        Rendered { tokens, prefix_len, stop: vec![stop] }
    }
}

const TASK: &str = "Lines such as `... existing code ...` in the edit stand for lines of the file that stay as they \
                    are. Write the whole file with the edit applied. Change nothing else.";

/// The text with a line break at its end.
pub(super) fn ended(text: &str) -> String {
    if text.is_empty() || text.ends_with('\n') { text.to_owned() } else { format!("{text}\n") }
}

/// A fence that no line of the texts begins with.
pub(super) fn fence_around(texts: &[&str]) -> String {
    let backticks = |line: &str| line.len() - line.trim_start_matches('`').len();
    let longest = texts.iter().flat_map(|text| text.lines()).map(backticks).max().unwrap_or(0);
    "`".repeat(longest.max(2) + 1)
}
