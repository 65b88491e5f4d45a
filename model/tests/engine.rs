//! The engine on real weights: batch invariance, truncation, speculative output = greedy output, the worker's promises.
//! Run with `REDRAFT_SLOW_TESTS=1`; the models are fetched if they are not there.

use redraft_model::decode::{Generation, SpeculativeEdit, Step};
use redraft_model::fetch::{self, Silent};
use redraft_model::kernels::isa::Isa;
use redraft_model::kv_cache::KvFormat;
use redraft_model::prompt::RewritePrompt;
use redraft_model::tokenizer::Tokenizer;
use redraft_model::transformer::Transformer;
use redraft_model::tuning::{Costs, Measurement, Progress, SIZES};
use redraft_model::{
    Completed, CompletionRequest, DecoderKind, DraftSources, EngineOptions, Event, Finished, GenerateRequest,
    Judge, ModelError, ModelHandle, Priority, StopReason,
};
use std::path::PathBuf;
use tokio_util::sync::CancellationToken;

const SOURCE: &str = include_str!("../src/decode/stop.rs");

fn slow() -> bool {
    std::env::var_os("REDRAFT_SLOW_TESTS").is_some_and(|value| value == "1")
}

fn model_file(name: &str) -> PathBuf {
    fetch::ensure(name, &mut Silent).unwrap()
}

/// Logits of every position, bit for bit the same whatever the chunks, the threads, and what was truncated before.
fn check_invariance(name: &str) {
    let path = model_file(name);
    let mut model = Transformer::load(&path, 2).unwrap();
    let tokenizer = Tokenizer::from_gguf(model.file().content()).unwrap();
    let tokens: Vec<u32> = tokenizer.encode(SOURCE).into_iter().take(150).collect();
    let vocab = model.config().vocab;
    let mut cache = model.new_cache(KvFormat::default(), 256).unwrap();

    model.forward(&mut cache, &tokens).unwrap();
    let (mut whole, best) = (Vec::new(), model.argmax(0).unwrap().to_vec());
    model.logits(0, &mut whole).unwrap();
    for (row, best) in whole.chunks_exact(vocab).zip(&best) {
        let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        assert_eq!(row.iter().position(|logit| *logit == largest), Some(*best as usize));
    }

    let mut check = |model: &mut Transformer, chunk: usize, from: usize| {
        cache.truncate(from);
        let (mut logits, mut part) = (Vec::new(), Vec::new());
        for chunk in tokens[from..].chunks(chunk) {
            model.forward(&mut cache, chunk).unwrap();
            model.logits(0, &mut part).unwrap();
            logits.extend_from_slice(&part[..chunk.len() * vocab]);
        }
        assert!(logits == whole[from * vocab..], "{name}: chunks of {chunk} from {from}");
    };
    for (chunk, from) in [(1, 0), (7, 0), (64, 0), (16, 100), (3, 63), (50, 1)] {
        check(&mut model, chunk, from);
    }
    let mut single = Transformer::load(&path, 1).unwrap();
    check(&mut single, 37, 0);
    for isa in Isa::available().into_iter().filter(|isa| *isa >= Isa::Avx2 && *isa != Isa::best()) {
        let mut other = Transformer::load_with(&path, 2, isa).unwrap();
        check(&mut other, 40, 90);
    }
}

#[test]
fn logits_do_not_depend_on_chunks_threads_or_truncation() {
    if slow() {
        check_invariance("smollm2-135m");
        check_invariance(redraft_model::catalogue::DEFAULT_MODEL);
    }
}

const ORIGINAL: &str = "fn area(width: u32, height: u32) -> u32 {\n    width * height\n}\n\nfn perimeter(width: u32, height: u32) -> u32 {\n    2 * (width + height)\n}\n\nfn main() {\n    println!(\"{}\", area(3, 4));\n    println!(\"{}\", perimeter(3, 4));\n}\n";
const SUGGESTION: &str = "fn perimeter(width: u32, height: u32) -> u32 {\n    2 * width + 2 * height\n}\n";

fn request(model: &ModelHandle, decoder: DecoderKind) -> GenerateRequest {
    let prompt = RewritePrompt {
        path: Some("src/main.rs"),
        language: Some("rust"),
        original: ORIGINAL,
        suggestion: SUGGESTION,
        instruction: None,
    }
    .render(model.info().family, model.tokenizer());
    GenerateRequest {
        prompt: prompt.tokens,
        draft: DraftSources {
            original: ORIGINAL.to_owned(),
            suggestion: SUGGESTION.to_owned(),
            merged: None,
        },
        decoder,
        max_tokens: 200,
        stop: prompt.stop,
        priority: Priority::Apply,
        adapted: false,
        cancel: CancellationToken::new(),
    }
}

/// The whole text and the last event.
fn run(model: &ModelHandle, request: GenerateRequest) -> (String, Result<Finished, ModelError>) {
    let mut events = model.submit(request);
    let mut text = String::new();
    loop {
        match events.blocking_recv().expect("every request is answered") {
            Event::Prefill { done, total } => assert!(done <= total),
            Event::Text { text: new, .. } => text.push_str(&new),
            Event::Finished(result) => {
                assert!(events.blocking_recv().is_none(), "nothing comes after the last event");
                return (text, result);
            }
        }
    }
}

fn check_decoders(name: &str) {
    let model = ModelHandle::load(&model_file(name), &EngineOptions::default()).unwrap();
    let (greedy, plain) = run(&model, request(&model, DecoderKind::Autoregressive));
    let (drafted, speculative) = run(&model, request(&model, DecoderKind::SpeculativeEdit));
    let (plain, speculative) = (plain.unwrap(), speculative.unwrap());
    assert_eq!(greedy, drafted, "{name}");
    assert_eq!((plain.stop, plain.stats.tokens), (speculative.stop, speculative.stats.tokens));
    assert_eq!((plain.stats.drafted, plain.stats.accepted), (0, 0));
    assert!(speculative.stats.forwards < plain.stats.forwards, "{name}: {:?}", speculative.stats);
    assert!(
        speculative.stats.cached_tokens + 1 >= speculative.stats.prompt_tokens,
        "the prompt was read before"
    );

    model.forget();
    let (cold, again) = run(&model, request(&model, DecoderKind::SpeculativeEdit));
    assert_eq!((cold, again.unwrap().stats.cached_tokens), (greedy, 0));
}

#[test]
fn speculative_output_is_greedy_output() {
    if slow() {
        check_decoders("smollm2-135m");
        check_decoders(redraft_model::catalogue::DEFAULT_MODEL);
    }
}

/// Rewrites that share their forwards, of different lengths and decoders, and more of them than run side by side.
#[test]
fn side_by_side_everyone_writes_what_they_would_alone() {
    if !slow() {
        return;
    }
    let load = |side_by_side| {
        let options = EngineOptions { side_by_side: Some(side_by_side), ..EngineOptions::default() };
        ModelHandle::load(&model_file("smollm2-135m"), &options).unwrap()
    };
    let (alone, together) = (load(1), load(3));
    let decoders = [DecoderKind::Autoregressive, DecoderKind::SpeculativeEdit];
    let numbered = |number: usize| {
        let mut request = request(&alone, decoders[number % 2]);
        request.prompt.drain(..number);
        request.max_tokens = 20 * (number + 1);
        request
    };
    let submitted: Vec<_> = (0..6).map(|number| together.submit(numbered(number))).collect();
    for (number, mut events) in submitted.into_iter().enumerate() {
        let mut text = String::new();
        let finished = loop {
            match events.blocking_recv().unwrap() {
                Event::Prefill { .. } => {}
                Event::Text { text: new, .. } => text.push_str(&new),
                Event::Finished(result) => break result.unwrap(),
            }
        };
        let (expected, own) = run(&alone, numbered(number));
        let own = own.unwrap();
        assert_eq!(text, expected);
        assert_eq!((finished.stop, finished.stats.tokens), (own.stop, own.stats.tokens));
    }
}

#[test]
fn every_request_is_answered_and_the_urgent_one_first() {
    if !slow() {
        return;
    }
    let model = ModelHandle::load(&model_file("smollm2-135m"), &EngineOptions::default()).unwrap();
    let (expected, _) = run(&model, request(&model, DecoderKind::Autoregressive));

    let cancelled = request(&model, DecoderKind::Autoregressive);
    cancelled.cancel.cancel();
    let (text, result) = run(&model, cancelled);
    assert_eq!((text.as_str(), result.unwrap().stop), ("", StopReason::Cancelled));

    let empty = GenerateRequest { prompt: Vec::new(), ..request(&model, DecoderKind::Autoregressive) };
    assert!(matches!(run(&model, empty).1, Err(ModelError::Unsupported(_))));
    let unknown = GenerateRequest { prompt: vec![u32::MAX], ..request(&model, DecoderKind::Autoregressive) };
    assert!(matches!(run(&model, unknown).1, Err(ModelError::UnknownToken(u32::MAX))));

    // A completion that comes while an apply runs is answered before it, and the apply loses nothing.
    let mut apply = model.submit(request(&model, DecoderKind::Autoregressive));
    let first = apply.blocking_recv().unwrap();
    assert!(!matches!(first, Event::Finished(_)));
    let prompt = request(&model, DecoderKind::Autoregressive).prompt;
    let (short, _) = complete(&model, prompt, "", 4);
    assert!(!short.is_empty() && expected.starts_with(&short));
    let (mut text, mut events) = (String::new(), 0);
    while let Some(event) = apply.blocking_recv() {
        events += 1;
        match event {
            Event::Text { text: new, .. } => text.push_str(&new),
            Event::Finished(result) => assert_ne!(result.unwrap().stop, StopReason::Cancelled),
            Event::Prefill { .. } => {}
        }
    }
    assert!(events > 4, "the apply went on after the completion");
    assert_eq!(text, expected);

    // Also where every other forward is given up for one.
    let prompt = request(&model, DecoderKind::Autoregressive).prompt;
    let mut apply = model.submit(request(&model, DecoderKind::SpeculativeEdit));
    let mut text = String::new();
    while let Some(event) = apply.blocking_recv() {
        if let Event::Text { text: new, .. } = event {
            text.push_str(&new);
            assert_eq!(complete(&model, prompt.clone(), "", 4).0, short);
        }
    }
    assert_eq!(text, expected);

    // Dropping the receiver gives the request up; the next one is served.
    drop(model.submit(request(&model, DecoderKind::Autoregressive)));
    assert_eq!(run(&model, request(&model, DecoderKind::SpeculativeEdit)).0, expected);
}

#[test]
fn a_prompt_longer_than_the_context_is_refused_and_the_next_request_is_served() {
    if !slow() {
        return;
    }
    let options = EngineOptions { context: Some(256), ..EngineOptions::default() };
    let model = ModelHandle::load(&model_file("smollm2-135m"), &options).unwrap();
    let long = GenerateRequest { prompt: vec![1; 300], ..request(&model, DecoderKind::Autoregressive) };
    assert!(matches!(run(&model, long).1, Err(ModelError::ContextOverflow { capacity: 256, .. })));
    let full = GenerateRequest { prompt: vec![1; 250], ..request(&model, DecoderKind::SpeculativeEdit) };
    let finished = run(&model, full).1.unwrap();
    assert!(finished.stats.tokens <= 6 && finished.stop == StopReason::Length);
}

/// What the self-measurement chooses shows in the number of forwards and nowhere else.
#[test]
fn no_choice_of_chunks_changes_the_text() {
    if !slow() {
        return;
    }
    let path = model_file("smollm2-135m");
    let handle = ModelHandle::load(&path, &EngineOptions::default()).unwrap();
    let (greedy, _) = run(&handle, request(&handle, DecoderKind::Autoregressive));
    let (mut model, tokenizer) = (Transformer::load(&path, 2).unwrap(), handle.tokenizer());
    let cost =
        |seconds: fn(usize) -> f64| Costs::new(SIZES.map(|size| (size, seconds(size))).to_vec()).unwrap();
    let choices = [
        cost(|_| 0.01),
        cost(|tokens| 0.01 * tokens as f64),
        cost(|tokens| if tokens <= 8 { 0.01 } else { 1.0 }),
        Costs::assumed(),
    ];
    let mut forwards = Vec::new();
    for costs in choices {
        let request = request(&handle, DecoderKind::SpeculativeEdit);
        let texts = [ORIGINAL, SUGGESTION].map(|text| tokenizer.encode(text)).to_vec();
        let drafter = Box::new(SpeculativeEdit::new(texts, costs.clone()));
        let (prompt, chunk) = (request.prompt, costs.prefill_chunk());
        let mut generation =
            Generation::new(tokenizer, prompt, chunk, request.max_tokens, request.stop, drafter);
        let mut cache = model.new_cache(KvFormat::default(), 1024).unwrap();
        let mut text = String::new();
        loop {
            match generation.step(&mut model, &mut cache).unwrap() {
                Step::Prefill { .. } => {}
                Step::Text(new) => text.push_str(&new),
                Step::Finished(new, _) => break text.push_str(&new),
            }
        }
        assert_eq!(text, greedy, "{costs:?}");
        forwards.push(generation.stats().forwards);
    }
    assert!(forwards[0] < forwards[2] && forwards[2] < forwards[1], "{forwards:?}");
}

#[test]
fn a_round_of_measuring_ends_and_leaves_the_model_as_it_was() {
    if !slow() {
        return;
    }
    let mut model = Transformer::load(&model_file("smollm2-135m"), 3).unwrap();
    let mut measurement = Measurement::new(&model, true).unwrap();
    let (mut round, mut ended) = (Vec::new(), false);
    // The processors, the cores and half of them, and a warm-up.
    for _ in 0..SIZES.len() + 4 {
        match measurement.step(&mut model).unwrap() {
            Progress::More => continue,
            Progress::Complete(samples) => round = samples,
            Progress::Disturbed => {}
        }
        ended = true;
        break;
    }
    assert!(ended);
    assert_eq!(model.threads(), 3);
    let own: Vec<usize> = round.iter().filter(|s| s.threads == 3).map(|s| s.tokens).collect();
    assert_eq!(own, SIZES[..own.len()]);
    assert!(round.iter().all(|sample| sample.seconds > 0.0));
}

fn functions(count: usize) -> String {
    (0..count).map(|n| format!("pub fn helper_{n}(x: u32) -> u32 {{\n    x * {n}\n}}\n\n")).collect()
}

/// The prompt for an edit of `original`, and how much of it the original alone determines.
fn prompt_for(model: &ModelHandle, original: &str) -> (Vec<u32>, usize) {
    let prompt = RewritePrompt { original, suggestion: SUGGESTION, ..RewritePrompt::default() };
    let rendered = prompt.render(model.info().family, model.tokenizer());
    (rendered.tokens, rendered.prefix_len)
}

/// What [`ModelHandle::prepare`] does, so that it can be watched.
fn reading_ahead(model: &ModelHandle, original: &str) -> GenerateRequest {
    let (mut prompt, prefix_len) = prompt_for(model, original);
    prompt.truncate(prefix_len);
    let priority = Priority::Background;
    GenerateRequest { prompt, max_tokens: 1, priority, ..request(model, DecoderKind::Autoregressive) }
}

fn edit(model: &ModelHandle, original: &str) -> GenerateRequest {
    let (prompt, _) = prompt_for(model, original);
    GenerateRequest { prompt, max_tokens: 4, ..request(model, DecoderKind::Autoregressive) }
}

#[test]
fn what_was_read_ahead_is_read_again_from_the_first_change_only() {
    if !slow() {
        return;
    }
    let model = ModelHandle::load(&model_file("smollm2-135m"), &EngineOptions::default()).unwrap();
    let cached = |request| run(&model, request).1.unwrap().stats.cached_tokens;
    let file = functions(30);
    let (prompt, prefix_len) = prompt_for(&model, &file);
    assert_eq!(cached(reading_ahead(&model, &file)), 0);
    assert_eq!(cached(reading_ahead(&model, &file)), prefix_len - 1, "its last token gives the logits");

    let typed = file.replace("x * 28", "x * 28 + 1");
    let (after, _) = prompt_for(&model, &typed);
    let common = prompt.iter().zip(&after).take_while(|(a, b)| a == b).count();
    assert!(common * 10 > prefix_len * 8, "{common} of {prefix_len}");
    assert_eq!(cached(reading_ahead(&model, &typed)), common);
    // A completion elsewhere works in a cache of its own.
    let (_, completed) = complete(&model, edit(&model, ORIGINAL).prompt, "", 4);
    assert_eq!(completed.stats.cached_tokens, 0);
    let (_, prefix_len) = prompt_for(&model, &typed);
    assert_eq!(cached(edit(&model, &typed)), prefix_len, "the edit starts with the suggestion");
    assert_eq!(cached(reading_ahead(&model, &typed)), prefix_len - 1, "and leaves the file where it was");
}

/// Completes, and gives the text that the judge heard.
fn complete(model: &ModelHandle, prompt: Vec<u32>, begun: &str, max_tokens: usize) -> (String, Completed) {
    let (heard, text) = std::sync::mpsc::channel();
    let request = CompletionRequest {
        prompt,
        begun: begun.to_owned(),
        max_tokens,
        judge: Box::new(move |text, log_prob| {
            assert!((-40.0..=0.0).contains(&log_prob), "{log_prob}");
            heard.send(text.to_owned()).is_ok()
        }),
        ahead: false,
        draft: true,
        cancel: CancellationToken::new(),
    };
    let completed = model.complete(request).blocking_recv().unwrap().unwrap();
    (text.iter().collect(), completed)
}

/// Wherever the text is cut, the completion goes on with the same text as if it had not been.
#[test]
fn a_word_that_was_begun_is_completed() {
    if !slow() {
        return;
    }
    let model = ModelHandle::load(&model_file("smollm2-135m"), &EngineOptions::default()).unwrap();
    let tokenizer = model.tokenizer();
    let code = "fn add(left: u32, right: u32) -> u32 {\n    left + right\n}\n\nfn subtract(left: u32, ri";
    let (whole, _) = complete(&model, tokenizer.encode(&code[..code.len() - 3]), "", 12);
    assert!(whole.starts_with(" right"), "{whole}");
    for cut in 1..whole.len().min(12) {
        let text = format!("{}{}", &code[..code.len() - 3], &whole[..cut]);
        let word = tokenizer.last_word(&text);
        let (rest, completed) = complete(&model, tokenizer.encode(&text[..word]), &text[word..], 12);
        assert!(whole[cut..].starts_with(&rest) || rest.starts_with(&whole[cut..]), "{text} + {rest}");
        assert!(completed.stats.forwards <= completed.stats.tokens);
    }
}

#[test]
fn the_judge_ends_a_completion_without_another_forward() {
    if !slow() {
        return;
    }
    let model = ModelHandle::load(&model_file("smollm2-135m"), &EngineOptions::default()).unwrap();
    let mut left = 3;
    let request = |judge| CompletionRequest {
        prompt: model.tokenizer().encode("fn main() {"),
        begun: String::new(),
        max_tokens: 50,
        judge,
        ahead: true,
        draft: false,
        cancel: CancellationToken::new(),
    };
    let judge: Judge = Box::new(move |_, _| {
        left -= 1;
        left > 0
    });
    let completed = model.complete(request(judge)).blocking_recv().unwrap().unwrap();
    assert_eq!((completed.stop, completed.stats.tokens), (StopReason::StopString, 3));
    assert_eq!(completed.stats.forwards, 3);
    let cancelled = request(Box::new(|_, _| true));
    cancelled.cancel.cancel();
    let completed = model.complete(cancelled).blocking_recv().unwrap().unwrap();
    assert_eq!(completed.stop, StopReason::Cancelled);
}

#[test]
fn an_edit_ends_reading_ahead_and_starts_where_it_was() {
    if !slow() {
        return;
    }
    let model = ModelHandle::load(&model_file("smollm2-135m"), &EngineOptions::default()).unwrap();
    let file = functions(150);
    let started = |events: &mut tokio::sync::mpsc::UnboundedReceiver<Event>| match events.blocking_recv() {
        Some(Event::Prefill { done, .. }) => done,
        other => panic!("{other:?}"),
    };
    let cancelled = |mut events: tokio::sync::mpsc::UnboundedReceiver<Event>| loop {
        match events.blocking_recv().expect("work that is given up is answered") {
            Event::Finished(result) => break assert_eq!(result.unwrap().stop, StopReason::Cancelled),
            Event::Prefill { .. } | Event::Text { .. } => {}
        }
    };
    let request = reading_ahead(&model, &file);
    let cancel = request.cancel.clone();
    let mut events = model.submit(request);
    let done = started(&mut events);
    cancel.cancel();
    cancelled(events);

    let mut events = model.submit(reading_ahead(&model, &file));
    let further = started(&mut events);
    assert!(further > done, "goes on where it was stopped");
    let finished = run(&model, edit(&model, &file)).1.unwrap();
    cancelled(events);
    assert!(finished.stats.cached_tokens >= further, "{:?}", finished.stats);
    assert_eq!(finished.stats.tokens, 4);

    // Memory is bounded: one file at a time is held, and none that does not fit.
    let small = EngineOptions { context: Some(512), ..EngineOptions::default() };
    let model = ModelHandle::load(&model_file("smollm2-135m"), &small).unwrap();
    let overflow = run(&model, reading_ahead(&model, &file)).1;
    assert!(matches!(overflow, Err(ModelError::ContextOverflow { capacity: 512, .. })), "{overflow:?}");
}

#[test]
fn broken_model_files_are_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let check = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let error = ModelHandle::load(&path, &EngineOptions::default()).err().unwrap().to_string();
        assert!(error.contains("redraft model fetch"), "{error}");
    };
    check("empty.gguf", b"");
    check("text.gguf", b"this is not a model\n");
    check("header.gguf", b"GGUF\x03\0\0\0\xff\xff\xff\xff\xff\xff\xff\x7f\x01\0\0\0\0\0\0\0");
    if slow() {
        let whole = std::fs::read(model_file("smollm2-135m")).unwrap();
        check("cut.gguf", &whole[..whole.len() / 2]);
        check("cut-header.gguf", &whole[..1000]);
    }
    let missing = ModelHandle::load(&folder.path().join("none.gguf"), &EngineOptions::default());
    assert!(matches!(missing.err(), Some(ModelError::Io { .. })));
}
