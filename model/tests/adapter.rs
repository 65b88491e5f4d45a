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
use redraft_model::transformer::Transformer;
use std::path::{Path, PathBuf};

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
