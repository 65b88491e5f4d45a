//! An adapter beside the real weights: it counts where it is asked for and only there, in any chunks, and broken or
//! foreign files are refused. Run with `REDRAFT_SLOW_TESTS=1`; the model is fetched if it is not there.

#[path = "common/adapter_file.rs"]
mod adapter_file;
#[path = "common/coder_parts.rs"]
mod coder_parts;
#[path = "common/noise.rs"]
mod noise;

use adapter_file::write;
use candle_core::quantized::gguf_file::Value;
use coder_parts::PARTS;
use redraft_model::fetch::{self, Silent};
use redraft_model::kv_cache::KvFormat;
use redraft_model::prompt::RewritePrompt;
use redraft_model::transformer::Transformer;
use redraft_model::{
    DecoderKind, DraftSources, EngineOptions, Event, GenerateRequest, ModelHandle, Priority,
};
use std::path::{Path, PathBuf};
use tokio_util::sync::CancellationToken;

fn slow() -> bool {
    std::env::var_os("REDRAFT_SLOW_TESTS").is_some_and(|value| value == "1")
}

fn model_file() -> PathBuf {
    fetch::ensure("qwen2.5-coder-0.5b", &mut Silent).unwrap()
}

fn logits(model: &mut Transformer, tokens: &[u32], chunk: usize) -> Vec<f32> {
    let mut cache = model.new_cache(KvFormat::Int16, 128).unwrap();
    let (mut all, mut part) = (Vec::new(), Vec::new());
    let vocab = model.config().vocab;
    for chunk in tokens.chunks(chunk) {
        model.forward(&mut cache, chunk).unwrap();
        model.logits(0, &mut part).unwrap();
        all.extend_from_slice(&part[..chunk.len() * vocab]);
    }
    all
}

#[test]
fn an_adapter_counts_where_it_is_asked_for_whatever_the_chunks_and_threads() {
    if !slow() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("adapter.gguf");
    write(&path, &PARTS, 24, 1.0, &[]);
    let tokens: Vec<u32> = (0..60).map(|at| 100 + 37 * at).collect();
    let mut model = Transformer::load(&model_file(), 2).unwrap();
    let base = logits(&mut model, &tokens, 60);
    model.attach(&path).unwrap();
    assert!(logits(&mut model, &tokens, 60) == base, "an adapter that is not used changes nothing");
    model.use_adapter(true);
    let adapted = logits(&mut model, &tokens, 60);
    assert!(adapted.iter().all(|value| value.is_finite()));
    assert!(adapted != base);
    for chunk in [1, 3, 8, 17, 59] {
        assert!(logits(&mut model, &tokens, chunk) == adapted, "in chunks of {chunk}");
    }
    let mut single = Transformer::load(&model_file(), 1).unwrap();
    single.attach(&path).unwrap();
    single.use_adapter(true);
    assert!(logits(&mut single, &tokens, 31) == adapted, "on one thread");
    model.use_adapter(false);
    assert!(logits(&mut model, &tokens, 60) == base, "the base model is still there");
}

#[test]
fn a_request_goes_through_the_adapter_or_not_and_shares_keys_with_its_like_only() {
    if !slow() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("adapter.gguf");
    write(&path, &PARTS, 24, 30.0, &[]);
    let loaded = |adapter: Option<PathBuf>| {
        ModelHandle::load(&model_file(), &EngineOptions { adapter, ..EngineOptions::default() }).unwrap()
    };
    let original = "fn area(width: u32, height: u32) -> u32 {\n    width * height\n}\n";
    let submit = |model: &ModelHandle, priority: Priority, adapted: bool| {
        let prompt =
            RewritePrompt { original, suggestion: "    width * height / 2\n", ..RewritePrompt::default() };
        let prompt = prompt.render(model.info().family, model.tokenizer());
        let mut events = model.submit(GenerateRequest {
            prompt: prompt.tokens,
            draft: DraftSources { original: original.to_owned(), ..DraftSources::default() },
            decoder: DecoderKind::SpeculativeEdit,
            max_tokens: if priority == Priority::Background { 1 } else { 60 },
            stop: prompt.stop,
            priority,
            adapted,
            cancel: CancellationToken::new(),
        });
        let mut written = String::new();
        loop {
            match events.blocking_recv().unwrap() {
                Event::Prefill { .. } => {}
                Event::Text { text, .. } => written += &text,
                Event::Finished(finished) => return (written, finished.unwrap().stats.cached_tokens > 0),
            }
        }
    };
    let run = |model: &ModelHandle, adapted: bool| submit(model, Priority::Apply, adapted);
    let model = loaded(Some(path));
    let (with, _) = run(&model, true);
    model.forget();
    let (without, _) = run(&model, false);
    assert_ne!(with, without);
    assert_eq!(run(&loaded(None), true).0, without, "there is no adapter to go through");
    let (with, without) = (|cached| (with.clone(), cached), |cached| (without.clone(), cached));
    assert_eq!(run(&model, false), without(true));
    assert_eq!(run(&model, true), with(false));
    assert_eq!(run(&model, true), with(true));
    submit(&model, Priority::Background, false);
    assert_eq!(run(&model, true), with(false), "read ahead without the adapter");
    submit(&model, Priority::Background, true);
    assert_eq!(run(&model, true), with(true), "read ahead with it");
}

#[test]
fn what_is_no_adapter_for_the_model_is_refused_with_the_reason() {
    if !slow() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("adapter.gguf");
    let mut model = Transformer::load(&model_file(), 1).unwrap();
    let mut refused = |path: &Path| model.attach(path).unwrap_err().to_string();
    let check = |said: String, expected: &str| assert!(said.contains(expected), "{said}");

    check(refused(&folder.path().join("nothing.gguf")), "nothing.gguf: no such file");
    check(refused(Path::new("qwen2.5-coder-0.5b-rewrites")), "among qwen2.5-coder-0.5b-rewrite");
    check(refused(&model_file()), "no LoRA adapter");
    write(&path, &PARTS, 1, 1.0, &[("general.architecture", Value::String("qwen3".to_owned()))]);
    check(refused(&path), "qwen3");
    write(&path, &PARTS, 1, 1.0, &[("redraft.adapter.base_size", Value::U64(7))]);
    check(refused(&path), "trained beside a model file of 7 bytes");
    write(&path, &PARTS, 1, f32::NAN, &[]);
    check(refused(&path), "no number");
    write(&path, &PARTS, 0, 1.0, &[]);
    check(refused(&path), "no matrix");
    write(&path, &PARTS, 1, 1.0, &[]);
    model.attach(&path).unwrap();
}
