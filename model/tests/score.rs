//! Scoring on real weights. Run with `REDRAFT_SLOW_TESTS=1`; the model is fetched if it is not there.

use redraft_model::fetch::{self, Silent};
use redraft_model::kv_cache::KvFormat;
use redraft_model::transformer::Transformer;
use redraft_model::{EngineOptions, ModelError, ModelHandle, ScoreRequest, Scores};
use tokio_util::sync::CancellationToken;

fn score(model: &ModelHandle, prompt: &[u32], alternatives: &[Vec<u32>]) -> Result<Scores, ModelError> {
    let cancel = CancellationToken::new();
    let request = ScoreRequest { prompt: prompt.to_vec(), alternatives: alternatives.to_vec(), cancel };
    model.score(request).blocking_recv().unwrap()
}

/// The log-probabilities of `tokens` after `prompt`, from the logits of one forward.
fn directly(model: &mut Transformer, prompt: &[u32], tokens: &[u32]) -> Vec<f64> {
    let mut cache = model.new_cache(KvFormat::default(), 512).unwrap();
    model.forward(&mut cache, &[prompt, tokens].concat()).unwrap();
    let mut logits = Vec::new();
    model.logits(prompt.len() - 1, &mut logits).unwrap();
    let rows = logits.chunks_exact(model.config().vocab);
    let log_prob = |(token, row): (&u32, &[f32])| {
        let sum: f64 = row.iter().map(|logit| f64::from(*logit).exp()).sum();
        f64::from(row[*token as usize]) - sum.ln()
    };
    tokens.iter().zip(rows).map(log_prob).collect()
}

#[test]
fn alternatives_are_scored_as_if_each_were_alone() {
    if std::env::var_os("REDRAFT_SLOW_TESTS").is_none_or(|value| value != "1") {
        return;
    }
    let path = fetch::ensure("smollm2-135m", &mut Silent).unwrap();
    let model =
        ModelHandle::load(&path, &EngineOptions { context: Some(512), ..EngineOptions::default() }).unwrap();
    let encode = |text: &str| model.tokenizer().encode(text);
    let prompt = encode(&"fn area(width: u32, height: u32) -> u32 {\n    width * height\n}\n".repeat(8));
    let long = "fn perimeter(width: u32, height: u32) -> u32 {\n    2 * (width + height)\n}\n".repeat(3);
    let alternatives = [
        encode(&long),
        encode(&long.replace("(width + height)", "width + 2 * height")),
        encode("fn"),
        Vec::new(),
        encode(&long),
    ];
    let scores = score(&model, &prompt, &alternatives).unwrap();
    assert!(!scores.cancelled);
    // What they share was run once.
    let all: usize = prompt.len() + alternatives.iter().map(Vec::len).sum::<usize>();
    assert!(scores.tokens < all - alternatives[4].len(), "{} of {all}", scores.tokens);
    let mut engine = Transformer::load(&path, 2).unwrap();
    for (alternative, found) in alternatives.iter().zip(&scores.log_probs) {
        model.forget();
        let alone = score(&model, &prompt, std::slice::from_ref(alternative)).unwrap();
        assert_eq!(alone.log_probs[0], *found);
        let direct = directly(&mut engine, &prompt, alternative);
        assert_eq!(found.len(), direct.len());
        assert!(
            found.iter().zip(&direct).all(|(a, b)| (f64::from(*a) - b).abs() < 1e-3),
            "{found:?} {direct:?}"
        );
    }

    let cancel = CancellationToken::new();
    cancel.cancel();
    let request = ScoreRequest { prompt: prompt.clone(), alternatives: alternatives.to_vec(), cancel };
    assert!(model.score(request).blocking_recv().unwrap().unwrap().cancelled);
    assert!(matches!(score(&model, &[], &alternatives), Err(ModelError::Unsupported(_))));
    let overlong = score(&model, &prompt.repeat(4), &alternatives);
    assert!(matches!(overlong, Err(ModelError::ContextOverflow { .. })), "{overlong:?}");
    assert_eq!(score(&model, &prompt, &alternatives[..1]).unwrap().log_probs[0], scores.log_probs[0]);
}
