//! The engine's logits against a plain f32 forward of the same weights, and that forward against candle's own models.
//!
//! Prints its figures: `REDRAFT_SLOW_TESTS=1 cargo test -p redraft-model --test logits -- --nocapture`.

#[path = "common/adapter_file.rs"]
mod adapter_file;
#[path = "common/coder_parts.rs"]
mod coder_parts;
mod common;
#[path = "common/figures.rs"]
mod figures;
#[path = "common/noise.rs"]
mod noise;
#[path = "common/reference.rs"]
mod reference;

use candle_core::quantized::gguf_file::Content;
use candle_core::{Device, Tensor};
use candle_transformers::models::{quantized_llama, quantized_qwen2};
use figures::{Figures, argmax, divergence};
use redraft_model::Device as Place;
use redraft_model::kv_cache::KvFormat;
use redraft_model::tokenizer::Tokenizer;
use redraft_model::transformer::Transformer;
use reference::Reference;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

/// Positions in one forward of the reference, which keeps the logits of all of them.
const WINDOW: usize = 512;

/// Source code of ours in many languages, about 2,700 tokens; always the same.
fn source_code() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/samples");
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect()
}

fn tokens(path: &Path) -> Vec<u32> {
    Tokenizer::from_gguf(&common::content(path)).unwrap().encode(&source_code())
}

/// Compares the engine with the reference over source code, `windows` of so many tokens.
fn engine_agrees(
    model: &str,
    (place, kv): (Place, KvFormat),
    (windows, window): (usize, usize),
    agreement: f64,
    divergence: f64,
) {
    let Some(path) = common::model(model) else { return };
    let reference = Reference::load(&path).unwrap();
    let threads = std::thread::available_parallelism().unwrap().get().min(8);
    let mut engine = Transformer::load_on(&path, place, threads).unwrap();
    let mut figures = Figures::default();
    let mut found = Vec::new();
    for window in tokens(&path).chunks(window).take(windows) {
        let wanted = reference.logits(window).unwrap();
        let mut cache = engine.new_cache(kv, window.len()).unwrap();
        engine.forward(&mut cache, window).unwrap();
        found.clear();
        engine.logits(0, &mut found).unwrap();
        let width = wanted.dim(1).unwrap();
        assert_eq!(found.len(), window.len() * width);
        for (position, found) in found.chunks(width).enumerate() {
            figures.add(&wanted.get(position).unwrap().to_vec1::<f32>().unwrap(), found);
        }
    }
    figures.print(&format!("{model} on {place}, {}", kv.name()));
    assert!(figures.agreement() > agreement, "argmax agrees on {:.4} only", figures.agreement());
    assert!(figures.mean_divergence() < divergence, "mean divergence {:.5}", figures.mean_divergence());
}

#[test]
fn qwen_engine_agrees_with_the_reference() {
    engine_agrees("qwen2.5-coder-0.5b", (Place::Cpu, KvFormat::Int16), (4, WINDOW), 0.985, 0.001);
}

#[test]
fn qwen_engine_agrees_with_keys_and_values_in_eight_bits() {
    engine_agrees("qwen2.5-coder-0.5b", (Place::Cpu, KvFormat::Int8), (4, WINDOW), 0.9, 0.05);
}

#[test]
fn smollm_engine_agrees_with_the_reference() {
    // A small model is often undecided over source code: its first choices change more easily.
    engine_agrees("smollm2-135m", (Place::Cpu, KvFormat::Int16), (4, WINDOW), 0.93, 0.02);
}

#[test]
fn candles_kernels_agree_with_the_reference() {
    engine_agrees("qwen2.5-coder-0.5b", (Place::CandleCpu, KvFormat::Int16), (2, 128), 0.97, 0.004);
    engine_agrees("smollm2-135m", (Place::CandleCpu, KvFormat::Int16), (2, 128), 0.93, 0.02);
}

/// candle's own models read the same file and give the last position's logits; with activations in 8 bits, they are
/// close to the reference and not equal to it.
fn reference_agrees(model: &str, last: impl Fn(Content, &mut BufReader<File>, &Tensor) -> Tensor) {
    let Some(path) = common::model(model) else { return };
    let reference = Reference::load(&path).unwrap();
    let tokens = tokens(&path);
    for end in [1, 17] {
        let window = &tokens[..end];
        let mut file = BufReader::new(File::open(&path).unwrap());
        let content = Content::read(&mut file).unwrap();
        let input = Tensor::new(window, &Device::Cpu).unwrap().unsqueeze(0).unwrap();
        let theirs = last(content, &mut file, &input).flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let ours = reference.logits(window).unwrap().get(end - 1).unwrap().to_vec1::<f32>().unwrap();
        let divergence = divergence(&ours, &theirs);
        println!("{model}, {end} tokens: KL of candle's own model from the reference {divergence:.5}");
        assert!(divergence < 0.05, "{model}, {end} tokens: {divergence}");
        let near = theirs[argmax(&theirs)] - theirs[argmax(&ours)];
        assert!(near < 0.5, "{model}, {end} tokens: the reference's first choice is {near} behind");
    }
}

#[test]
fn the_reference_agrees_with_candles_qwen2() {
    reference_agrees("qwen2.5-coder-0.5b", |content, file, input| {
        quantized_qwen2::ModelWeights::from_gguf(content, file, &Device::Cpu)
            .unwrap()
            .forward(input, 0)
            .unwrap()
    });
}

#[test]
fn the_reference_agrees_with_candles_llama() {
    reference_agrees("smollm2-135m", |content, file, input| {
        quantized_llama::ModelWeights::from_gguf(content, file, &Device::Cpu)
            .unwrap()
            .forward(input, 0)
            .unwrap()
    });
}

#[test]
fn an_adapter_beside_the_weights_is_an_adapter_in_them() {
    let Some(path) = common::model("qwen2.5-coder-0.5b") else { return };
    let folder = tempfile::tempdir().unwrap();
    let adapter = folder.path().join("adapter.gguf");
    let added = adapter_file::write(&adapter, &coder_parts::PARTS, 24, 1.0, &[]);
    let mut reference = Reference::load(&path).unwrap();
    reference.merge(added);
    let mut engine = Transformer::load(&path, 2).unwrap();
    engine.attach(&adapter).unwrap();
    let tokens = &tokens(&path)[..96];
    let wanted = reference.logits(tokens).unwrap();
    let mut compare = |adapted: bool| {
        engine.use_adapter(adapted);
        let mut cache = engine.new_cache(KvFormat::Int16, tokens.len()).unwrap();
        engine.forward(&mut cache, tokens).unwrap();
        let (mut found, mut figures) = (Vec::new(), Figures::default());
        engine.logits(0, &mut found).unwrap();
        for (position, found) in found.chunks(wanted.dim(1).unwrap()).enumerate() {
            figures.add(&wanted.get(position).unwrap().to_vec1::<f32>().unwrap(), found);
        }
        figures
    };
    let (with, without) = (compare(true), compare(false));
    with.print("with the adapter");
    without.print("without it");
    assert!(with.mean_divergence() < 0.1 * without.mean_divergence(), "{with:?}");
}
