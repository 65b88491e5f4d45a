//! The engine on a device of candle's, which here is the processor with candle's kernels: small models of noise, of every
//! architecture, against the plain f32 forward; and with `REDRAFT_SLOW_TESTS=1` a real one.

#[path = "common/adapter_file.rs"]
mod adapter_file;
#[path = "common/figures.rs"]
mod figures;
#[path = "common/noise.rs"]
mod noise;
#[path = "common/noise_model.rs"]
mod noise_model;
#[path = "common/reference.rs"]
mod reference;

use figures::{Figures, argmax};
use noise_model::VOCAB;
use redraft_model::fetch::{self, Silent};
use redraft_model::kv_cache::{KvCache, KvFormat};
use redraft_model::transformer::{Segment, Transformer};
use redraft_model::{
    DecoderKind, Device, DraftSources, EngineOptions, Event, GenerateRequest, ModelError, ModelHandle,
    Priority,
};
use reference::Reference;
use tokio_util::sync::CancellationToken;

/// Mean divergence of what differs by roundings alone: activations go through 8 bits, and a model of noise is sensitive.
const NEAR: f64 = 0.01;

fn tokens(count: usize, seed: u32) -> Vec<u32> {
    noise::noise(count, VOCAB as f32 / 2.0, seed)
        .iter()
        .map(|value| (value + VOCAB as f32 / 2.0) as u32 % VOCAB as u32)
        .collect()
}

/// A model of noise on candle's kernels, and the reference of the same file.
fn noise_model(architecture: &str, tied: bool) -> (Transformer, Reference) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("noise.gguf");
    noise_model::write(&path, architecture, tied);
    let model = Transformer::load_on(&path, Device::CandleCpu, 1).unwrap();
    // Both have the file open, so that the folder may go.
    (model, Reference::load(&path).unwrap())
}

fn new_cache(model: &Transformer) -> KvCache {
    model.new_cache(KvFormat::default(), 1024).unwrap()
}

/// The logits after each of `tokens`, run in chunks after what `cache` holds.
fn run(model: &mut Transformer, cache: &mut KvCache, tokens: &[u32], chunk: usize) -> Vec<f32> {
    let (mut all, mut part) = (Vec::new(), Vec::new());
    for chunk in tokens.chunks(chunk) {
        model.forward(cache, chunk).unwrap();
        model.logits(0, &mut part).unwrap();
        assert_eq!(part.len(), chunk.len() * VOCAB);
        let chosen = model.argmax(0).unwrap();
        for (row, chosen) in part.chunks_exact(VOCAB).zip(chosen) {
            let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            assert_eq!(row[*chosen as usize], largest);
        }
        assert_eq!(model.argmax(chunk.len() - 1).unwrap(), [argmax(&part[part.len() - VOCAB..]) as u32]);
        all.extend_from_slice(&part);
    }
    all
}

/// How far `found` is from `wanted`.
fn compare(wanted: &[f32], found: &[f32]) -> Figures {
    let mut figures = Figures::default();
    for (wanted, found) in wanted.chunks_exact(VOCAB).zip(found.chunks_exact(VOCAB)) {
        figures.add(wanted, found);
    }
    figures
}

#[test]
fn every_architecture_agrees_with_the_reference() {
    for (architecture, tied) in [("qwen2", true), ("qwen2", false), ("qwen3", true), ("llama", false)] {
        let (mut model, reference) = noise_model(architecture, tied);
        let tokens = tokens(80, 7);
        let wanted = reference.logits(&tokens).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let mut cache = new_cache(&model);
        let figures = compare(&wanted, &run(&mut model, &mut cache, &tokens, 80));
        figures.print(architecture);
        assert!(figures.mean_divergence() < NEAR, "{architecture}: {figures:?}");
    }
}

#[test]
fn chunks_cuts_and_neighbours_change_no_more_than_roundings() {
    for architecture in ["qwen2", "qwen3", "llama"] {
        let (mut model, _) = noise_model(architecture, true);
        let (first, second) = (tokens(100, 1), tokens(40, 2));
        let mut cache = new_cache(&model);
        let whole = run(&mut model, &mut cache, &first, first.len());
        let near = |found: &[f32], wanted: &[f32], what: &str| {
            assert_eq!(found.len(), wanted.len(), "{architecture}, {what}");
            let figures = compare(wanted, found);
            assert!(figures.mean_divergence() < NEAR, "{architecture}, {what}: {figures:?}");
        };
        for (chunk, from) in [(1, 90), (7, 60), (64, 0), (33, 1)] {
            cache.truncate(from);
            let found = run(&mut model, &mut cache, &first[from..], chunk);
            near(&found, &whole[from * VOCAB..], &format!("chunks of {chunk} from {from}"));
        }
        // Another text after a cut, as in a cache of its own.
        cache.truncate(0);
        let other = run(&mut model, &mut cache, &second, second.len());
        let mut own = new_cache(&model);
        near(&run(&mut model, &mut own, &second, second.len()), &other, "a cache of its own");

        // Both in one forward, the first after its beginning, with one between that has nothing to run.
        let mut caches = [new_cache(&model), new_cache(&model), new_cache(&model)];
        run(&mut model, &mut caches[0], &first[..30], 30);
        let [a, b, c] = &mut caches;
        let mut segments = [
            Segment { cache: a, tokens: &first[30..] },
            Segment { cache: b, tokens: &[] },
            Segment { cache: c, tokens: &second },
        ];
        model.forward_segments(&mut segments).unwrap();
        assert_eq!(caches.each_ref().map(KvCache::len), [100, 0, 40]);
        let mut found = Vec::new();
        model.logits(0, &mut found).unwrap();
        near(&found, &[&whole[30 * VOCAB..], &other].concat(), "side by side");
        assert_eq!(model.argmax(0).unwrap().len(), 110);
    }
}

#[test]
fn an_adapter_beside_the_weights_is_an_adapter_in_them() {
    let (mut model, mut reference) = noise_model("qwen2", true);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("adapter.gguf");
    let parts = noise_model::PARTS.map(|(part, _)| part);
    let added = adapter_file::write(&path, &parts, noise_model::LAYERS, 1.0, &[]);
    let tokens = tokens(60, 3);
    let run = |model: &mut Transformer| run(model, &mut new_cache(model), &tokens, 60);
    let base = run(&mut model);
    model.attach(&path).unwrap();
    assert!(run(&mut model) == base, "an adapter that is not used changes nothing");
    model.use_adapter(true);
    reference.merge(added);
    let wanted = reference.logits(&tokens).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
    let (with, without) = (compare(&wanted, &run(&mut model)), compare(&wanted, &base));
    assert!(with.mean_divergence() < 0.1 * without.mean_divergence(), "{with:?}, {without:?}");
    model.use_adapter(false);
    assert!(run(&mut model) == base, "the base model is still there");

    adapter_file::write(&path, &[("attn_q", 7, 8)], 1, 1.0, &[]);
    assert!(model.attach(&path).unwrap_err().to_string().contains("instead of"));
    adapter_file::write(&path, &[], 1, 1.0, &[]);
    assert!(model.attach(&path).unwrap_err().to_string().contains("no matrix"));
}

#[test]
fn what_cannot_be_run_there_is_said_and_leaves_the_cache_as_it_was() {
    let (mut model, _) = noise_model("qwen2", true);
    let said = |error: Option<ModelError>| error.unwrap().to_string();
    let int8 = said(model.new_cache(KvFormat::Int8, 64).err());
    assert!(int8.contains("`candle-cpu`") && int8.contains("at int16"), "{int8}");

    let mut cache = model.new_cache(KvFormat::default(), 64).unwrap();
    model.forward(&mut cache, &[1, 2, 3]).unwrap();
    assert!(matches!(model.forward(&mut cache, &[u32::MAX]), Err(ModelError::UnknownToken(u32::MAX))));
    let long = model.forward(&mut cache, &[1; 62]);
    assert!(matches!(long, Err(ModelError::ContextOverflow { needed: 65, capacity: 64 })));
    assert_eq!(cache.tokens(), [1, 2, 3]);
    model.forward(&mut cache, &[]).unwrap();
    assert_eq!(model.argmax(0).unwrap(), [0; 0]);
    model.forward(&mut cache, &[1; 61]).unwrap();
    assert_eq!(model.argmax(0).unwrap().len(), 61);
}

#[test]
fn a_cache_of_another_place_is_refused_and_a_draft_changes_no_text() {
    if std::env::var_os("REDRAFT_SLOW_TESTS").is_none_or(|value| value != "1") {
        return;
    }
    let path = fetch::ensure("smollm2-135m", &mut Silent).unwrap();
    let [mut here, there] =
        [Device::Cpu, Device::CandleCpu].map(|device| Transformer::load_on(&path, device, 2).unwrap());
    let foreign = here.forward(&mut there.new_cache(KvFormat::default(), 8).unwrap(), &[1]);
    assert!(foreign.unwrap_err().to_string().contains("a cache on candle-cpu with a model on cpu"));

    let options = EngineOptions { device: Device::CandleCpu, ..EngineOptions::default() };
    let model = ModelHandle::load(&path, &options).unwrap();
    assert_eq!(model.info().device, Device::CandleCpu);
    let original = "fn area(width: u32, height: u32) -> u32 {\n    width * height\n}\n";
    let prompt = model.tokenizer().encode(&original.repeat(4));
    let write = |decoder: DecoderKind| {
        let request = GenerateRequest {
            prompt: prompt.clone(),
            draft: DraftSources { original: original.to_owned(), ..DraftSources::default() },
            decoder,
            max_tokens: 48,
            stop: Vec::new(),
            priority: Priority::Apply,
            adapted: false,
            cancel: CancellationToken::new(),
        };
        let (mut events, mut written) = (model.submit(request), String::new());
        loop {
            match events.blocking_recv().unwrap() {
                Event::Prefill { .. } => {}
                Event::Text { text, .. } => written += &text,
                Event::Finished(finished) => break (written, finished.unwrap().stats),
            }
        }
    };
    let (plain, _) = write(DecoderKind::Autoregressive);
    let (drafted, stats) = write(DecoderKind::SpeculativeEdit);
    assert_eq!(plain, drafted);
    assert!(stats.accepted > 10 && stats.forwards < stats.tokens, "{stats:?}");
}
