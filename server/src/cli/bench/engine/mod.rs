//! `redraft bench engine`: the speed of the engine on this machine, as medians of one run.
//!
//! A forward is what verification costs: all layers and the most likely next token of every position.

mod chart;
mod llama;
mod report;

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context;
use clap::{Args as ClapArgs, ValueEnum};
use redraft_model::catalogue;
use redraft_model::device::Device;
use redraft_model::fetch;
use redraft_model::kv_cache::{KvCache, KvFormat};
use redraft_model::machine;
use redraft_model::transformer::Transformer;
use redraft_model::tuning::Costs;
use redraft_model::tuning::kept::Kept;
use redraft_model::worker::threads_for;

use crate::cli::progress::ShownFetch;
use crate::cli::{Exit, interrupt, print};

/// Tokens decoded to measure decoding.
const DECODED: usize = 64;

/// The arguments of `redraft bench engine`.
#[derive(ClapArgs)]
pub(super) struct Args {
    /// A model's name, or the path of a GGUF file
    #[arg(long, default_value = catalogue::DEFAULT_MODEL)]
    model: String,
    /// Measure with this adapter beside the weights: a name from `redraft model list`, or a GGUF file
    #[arg(long, value_name = "ADAPTER")]
    adapter: Option<PathBuf>,
    /// Where to measure: cpu, cuda, cuda:1 or metal; candle-cpu is the processor with candle's own kernels
    #[arg(long, value_name = "DEVICE", default_value_t)]
    device: Device,
    /// Threads on the device cpu; by default as many as were measured to be fastest, and before that one for each physical core
    #[arg(long)]
    threads: Option<usize>,
    /// In which integers keys and values are kept on the device cpu: int16 or int8
    #[arg(long, default_value = KvFormat::default().name())]
    kv: KvFormat,
    /// Tokens of a forward
    #[arg(long, value_delimiter = ',', default_values_t = [1, 4, 8, 16, 32, 64, 128, 256, 512])]
    tokens: Vec<usize>,
    /// Tokens of context before the forward
    #[arg(long, value_delimiter = ',', default_values_t = [0, 1024, 4096])]
    context: Vec<usize>,
    /// Times that each forward is measured; the median is printed
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Measure the same model file with another engine as well, on as many threads
    #[arg(long)]
    compare: Option<Rival>,
    /// llama.cpp's `llama-bench`, where it is not on PATH
    #[arg(long, value_name = "PATH", requires = "compare")]
    llama_bench: Option<PathBuf>,
    /// Draw the speeds as a picture
    #[arg(long, value_name = "FILE.svg")]
    plot: Option<PathBuf>,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
}

/// An engine to compare with.
#[derive(Clone, Copy, ValueEnum)]
enum Rival {
    #[value(name = "llama.cpp")]
    LlamaCpp,
}

/// Which forwards are measured.
struct Plan<'a> {
    tokens: &'a [usize],
    context: &'a [usize],
    runs: usize,
}

/// One measured kind of forward.
struct Forward {
    tokens: usize,
    context: usize,
    seconds: f64,
}

impl Forward {
    /// Tokens a second.
    fn rate(&self) -> f64 {
        self.tokens as f64 / self.seconds
    }
}

/// What the self-measurement says.
struct Tuning {
    costs: Costs,
    rounds: usize,
}

/// All that was measured.
#[derive(Default)]
struct Speeds {
    model: String,
    device: Device,
    threads: usize,
    processors: usize,
    /// What the self-measurement says; nothing before it was made.
    tuning: Option<Tuning>,
    /// The kernels: on the device cpu their instruction set.
    kernels: &'static str,
    runs: usize,
    load_seconds: f64,
    peak_rss_bytes: Option<u64>,
    /// Bytes of weights that a decoded token reads.
    weight_bytes: usize,
    /// Tokens a second one by one, from an almost empty context.
    decode: f64,
    forwards: Vec<Forward>,
    llama: Option<llama::Rates>,
}

impl Speeds {
    /// How many times as fast as one by one the forward's tokens are.
    fn over_single(&self, forward: &Forward) -> Option<f64> {
        let single = self.forwards.iter().find(|one| one.tokens == 1 && one.context == forward.context)?;
        Some(forward.rate() / single.rate())
    }

    /// llama.cpp's tokens a second where this forward has one to compare with.
    fn theirs(&self, forward: &Forward) -> Option<f64> {
        self.llama.as_ref()?.prefill(forward.tokens, forward.context)
    }
}

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let plan = Plan { tokens: &args.tokens, context: &args.context, runs: args.runs.max(1) };
    // Looked for first, so that nobody waits for a measurement that cannot be compared.
    let llama = match args.compare {
        Some(Rival::LlamaCpp) => Some(llama::find(args.llama_bench.as_deref())?),
        None => None,
    };
    let path = fetch::ensure(&args.model, &mut ShownFetch::new(interrupt::token()))?;
    let Some(mut speeds) = measure(args, &plan, &path)? else { return Ok(Exit::Cancelled) };
    if let Some(program) = llama {
        eprintln!("measuring the same with {}", program.display());
        let rates = llama::measure(&program, &path, &plan, speeds.threads);
        if interrupt::token().is_cancelled() {
            return Ok(Exit::Cancelled);
        }
        speeds.llama = Some(rates?);
    }
    if let (Some(path), Some(picture)) = (&args.plot, chart::svg(&speeds)) {
        std::fs::write(path, picture).with_context(|| format!("cannot write {}", path.display()))?;
    }
    print(&if args.json {
        format!("{}\n", serde_json::to_string_pretty(&report::json(&speeds))?)
    } else {
        report::text(&speeds)
    })?;
    Ok(Exit::Done)
}

/// Loads the model and measures the plan; nothing if the user stopped it.
fn measure(args: &Args, plan: &Plan<'_>, path: &Path) -> anyhow::Result<Option<Speeds>> {
    let kept = Kept::open(path, args.device);
    let threads = args.threads.unwrap_or_else(|| threads_for(args.device, &kept));
    let longest = plan.tokens.iter().max().unwrap_or(&1) + plan.context.iter().max().unwrap_or(&0);
    let started = Instant::now();
    let mut model = Transformer::load_on(path, args.device, threads)?;
    if let Some(adapter) = &args.adapter {
        model.attach(adapter)?;
        model.use_adapter(true);
    }
    let mut cache = model.new_cache(args.kv, longest.max(2 * DECODED))?;
    model.forward(&mut cache, &[0])?;
    model.argmax(0)?;
    let load_seconds = started.elapsed().as_secs_f64();

    let decode = decode(&mut model, &mut cache)?;
    let mut forwards = Vec::new();
    for &context in plan.context {
        for &tokens in plan.tokens {
            if interrupt::token().is_cancelled() {
                return Ok(None);
            }
            let seconds = forward(&mut model, &mut cache, context, tokens, plan.runs)?;
            forwards.push(Forward { tokens, context, seconds });
        }
    }
    Ok(Some(Speeds {
        model: args.model.clone(),
        device: model.device(),
        threads: model.threads(),
        processors: machine::processors(),
        tuning: kept.costs(model.threads()).map(|costs| Tuning { costs, rounds: kept.rounds() }),
        kernels: model.device().kernels(),
        runs: plan.runs,
        load_seconds,
        peak_rss_bytes: crate::cli::peak_rss_bytes(),
        weight_bytes: model.weight_bytes(),
        decode,
        forwards,
        llama: None,
    }))
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
    cache.truncate(0);
    let mut token = 0;
    let mut seconds = Vec::new();
    for _ in 0..DECODED {
        let started = Instant::now();
        model.forward(cache, &[token])?;
        token = model.argmax(0)?.first().copied().unwrap_or(0);
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
        model.argmax(0)?;
        seconds.push(started.elapsed().as_secs_f64());
        cache.truncate(context);
    }
    Ok(median(seconds))
}
