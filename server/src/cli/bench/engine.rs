//! `redraft bench engine`: the speed of the engine on this machine, as medians of one run.
//!
//! A forward is what verification costs: all layers and the most likely next token of every position.

use std::path::PathBuf;
use std::time::Instant;

use clap::Args as ClapArgs;
use redraft_model::catalogue;
use redraft_model::fetch;
use redraft_model::kernels::isa::Isa;
use redraft_model::kv_cache::KvCache;
use redraft_model::transformer::Transformer;
use serde_json::json;

use crate::cli::progress::ShownFetch;
use crate::cli::{Exit, doctor, interrupt, print};

/// The arguments of `redraft bench engine`.
#[derive(ClapArgs)]
pub(super) struct Args {
    /// A model's name, or the path of a GGUF file
    #[arg(long, default_value = catalogue::DEFAULT_MODEL)]
    model: String,
    /// Threads; by default one for each processor, at most 8
    #[arg(long)]
    threads: Option<usize>,
    /// Tokens of a forward
    #[arg(long, value_delimiter = ',', default_values_t = [1, 4, 8, 16, 32, 64, 128, 256, 512])]
    tokens: Vec<usize>,
    /// Tokens of context before the forward
    #[arg(long, value_delimiter = ',', default_values_t = [0, 1024, 4096])]
    context: Vec<usize>,
    /// Times that each forward is measured; the median is printed
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
}

/// One measured kind of forward.
struct Forward {
    tokens: usize,
    context: usize,
    seconds: f64,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let path = model_file(&args.model)?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = args.threads.unwrap_or(cores.min(8));
    let longest = args.tokens.iter().max().unwrap_or(&1) + args.context.iter().max().unwrap_or(&0);

    let started = Instant::now();
    let mut model = Transformer::load(&path, threads)?;
    let mut cache = KvCache::new(model.config(), longest.max(128));
    model.forward(&mut cache, &[0])?;
    model.argmax(0);
    let load_seconds = started.elapsed().as_secs_f64();

    let decode_tokens_per_second = decode(&mut model, &mut cache)?;
    let mut forwards = Vec::new();
    for context in &args.context {
        for tokens in &args.tokens {
            if interrupt::token().is_cancelled() {
                return Ok(Exit::Cancelled);
            }
            let seconds = forward(&mut model, &mut cache, *context, *tokens, args.runs.max(1))?;
            forwards.push(Forward { tokens: *tokens, context: *context, seconds });
        }
    }
    let peak_rss_bytes = peak_rss_bytes();
    if args.json {
        let rows: Vec<_> = forwards
            .iter()
            .map(|f| json!({"tokens": f.tokens, "context": f.context, "seconds": f.seconds}))
            .collect();
        let result = json!({
            "model": args.model,
            "threads": model.threads(),
            "cores": cores,
            "cpu_features": doctor::cpu_features(),
            "isa": model.isa().name(),
            "load_seconds": load_seconds,
            "peak_rss_bytes": peak_rss_bytes,
            "weight_bytes_per_token": model.weight_bytes(),
            "decode_tokens_per_second": decode_tokens_per_second,
            "forward": rows,
        });
        print(&format!("{}\n", serde_json::to_string_pretty(&result)?))?;
        return Ok(Exit::Done);
    }
    let mut text = format!(
        "{}: {} threads of {cores} processors, kernels {}\n\
         load to first token {load_seconds:.2} s, peak memory {}, decoding {decode_tokens_per_second:.1} tokens/s \
         ({} of weights a token)\n\n\
         verification, every position's most likely token (medians of {}):\n\n\
         {:>8} {:>8} {:>12} {:>10} {:>12}\n",
        args.model,
        model.threads(),
        Isa::best(),
        peak_rss_bytes.map_or("unknown".to_owned(), super::super::size_text),
        super::super::size_text(model.weight_bytes() as u64),
        args.runs,
        "context",
        "tokens",
        "ms/forward",
        "tokens/s",
        "over single",
    );
    for f in &forwards {
        let single = forwards.iter().find(|one| one.tokens == 1 && one.context == f.context);
        let gain =
            single.map_or(String::new(), |one| format!("{:.1}", one.seconds * f.tokens as f64 / f.seconds));
        text += &format!(
            "{:>8} {:>8} {:>12.2} {:>10.0} {gain:>12}\n",
            f.context,
            f.tokens,
            f.seconds * 1e3,
            f.tokens as f64 / f.seconds
        );
    }
    print(&text)?;
    Ok(Exit::Done)
}

/// The model's file, fetched if it is not there.
fn model_file(name: &str) -> anyhow::Result<PathBuf> {
    let mut shown = ShownFetch::new(interrupt::token());
    Ok(fetch::ensure(name, &mut shown)?)
}

/// Token ids that differ from each other, the same in every run.
fn some_tokens(count: usize, vocab: usize) -> Vec<u32> {
    (0..count).map(|i| ((i * 7919 + 13) % vocab.min(40_000)) as u32).collect()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Tokens a second, one token a forward, from an almost empty context.
fn decode(model: &mut Transformer, cache: &mut KvCache) -> anyhow::Result<f64> {
    const TOKENS: usize = 64;
    cache.truncate(0);
    let mut token = 0;
    let mut seconds = Vec::new();
    for _ in 0..TOKENS {
        let started = Instant::now();
        model.forward(cache, &[token])?;
        token = model.argmax(0).first().copied().unwrap_or(0);
        seconds.push(started.elapsed().as_secs_f64());
    }
    Ok(1.0 / median(seconds))
}

fn forward(
    model: &mut Transformer,
    cache: &mut KvCache,
    context: usize,
    tokens: usize,
    runs: usize,
) -> anyhow::Result<f64> {
    let vocab = model.config().vocab;
    cache.truncate(context);
    while cache.len() < context {
        let missing = some_tokens(context - cache.len(), vocab);
        model.forward(cache, &missing[..missing.len().min(256)])?;
    }
    let chunk = some_tokens(tokens, vocab);
    let mut seconds = Vec::new();
    for _ in 0..runs {
        let started = Instant::now();
        model.forward(cache, &chunk)?;
        model.argmax(0);
        seconds.push(started.elapsed().as_secs_f64());
        cache.truncate(context);
    }
    Ok(median(seconds))
}

/// The most memory that this process ever held, where the system tells.
fn peak_rss_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().trim_end_matches("kB").trim().parse::<u64>().ok()? * 1024)
}
