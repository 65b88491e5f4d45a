//! A task as a model with an adapter is asked, and as it ought to answer: one source for those who run such a model and
//! those who train one.

use redraft_model::prompt::PromptFamily;
use redraft_model::tokenizer::Tokenizer;

use super::rewrite::{edited_places, prompt};
use super::{ApplyError, ApplyRequest, FileText, language_of};
use crate::merge;
use crate::suggestion;

/// What a model is told of a request on the route `model`, and what it is to answer.
pub struct RewriteTokens {
    /// The prompt.
    pub prompt: Vec<u32>,
    /// The answer that is the file before the edit, or what is shown of it.
    pub original: Vec<u32>,
    /// The answer that is the same after it.
    pub answer: Vec<u32>,
}

/// The tokens of a rewrite whose right outcome is `expected`; nothing if that changes what the model is not shown. An
/// error if the suggestion cannot be read.
pub fn rewrite_tokens(
    request: &ApplyRequest,
    expected: &str,
    family: PromptFamily,
    tokenizer: &Tokenizer,
) -> Result<Option<RewriteTokens>, ApplyError> {
    let suggestion =
        suggestion::parse(&request.suggestion, request.language.as_deref(), request.path.as_deref())?;
    let (file, expected) = (FileText::new(&request.original), FileText::new(expected).plain());
    let (lines, language, code) = (file.lines(), language_of(request), suggestion.code());
    // Where nothing fits, the model is given the whole file.
    let merges = merge::merge(&lines, &suggestion, language).unwrap_or_default();
    let whole = file.plain();
    let tokens = tokenizer.encode(&whole).len();
    let (original, answer) = match edited_places(&lines, tokens, &merges, &code, language) {
        None => (whole, expected),
        Some(scope) => {
            let answer = scope.excerpt_of(&file.aligned(&expected));
            let restored = file.rebuild(&scope.restore(&lines, &answer));
            if FileText::new(&restored).plain() != expected {
                return Ok(None);
            }
            (scope.excerpt(&lines), answer)
        }
    };
    let rendered = prompt(request, &original, &code).render(family, tokenizer);
    Ok(Some(RewriteTokens {
        original: rendered.answer(&original, tokenizer),
        answer: rendered.answer(&answer, tokenizer),
        prompt: rendered.tokens,
    }))
}
