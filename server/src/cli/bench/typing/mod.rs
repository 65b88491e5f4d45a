//! `redraft bench type`: a part of a file is typed again, key by key, into the real server, as fast as a person types.

mod client;

use std::collections::HashMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args as ClapArgs;
use redraft_grammars::Language;
use redraft_model::catalogue::DEFAULT_MODEL;
use serde_json::{Value, json};
use url::Url;

use crate::cli::{Exit, UsageError, print};
use client::Client;

/// The arguments of `redraft bench type`.
#[derive(ClapArgs)]
pub(super) struct Args {
    /// The file; it is not changed
    file: PathBuf,
    /// The line, counted from 1, from which on it is typed again; by default the middle one
    #[arg(long, value_name = "L")]
    line: Option<usize>,
    /// So many characters are typed
    #[arg(long, value_name = "N", default_value_t = 300)]
    keys: usize,
    /// Keys in a second
    #[arg(long, value_name = "N", default_value_t = 10.0)]
    rate: f64,
    /// Accept what is shown when it is right
    #[arg(long)]
    accept: bool,
    /// Milliseconds for which a key must be the last one before the model is asked; by default as the server is set up
    #[arg(long, value_name = "MS")]
    debounce: Option<u64>,
    /// Meanwhile let the model apply a suggestion to a file, again and again; the file is not changed
    #[arg(long, num_args = 2, value_names = ["FILE", "SUGGESTION"])]
    apply: Vec<PathBuf>,
    /// The model: a name from `redraft model list`, or the path of a GGUF file
    #[arg(long, value_name = "MODEL", default_value = DEFAULT_MODEL)]
    model: String,
}

/// Milliseconds in which a key should be answered.
const SOON: f64 = 50.0;

/// What became of one key.
#[derive(Clone, Debug, Default)]
struct Key {
    sent: Option<Instant>,
    answered: Option<Instant>,
    /// When the next key was sent, if that was before the answer.
    overtaken: Option<Instant>,
    /// What was shown, and whether it is what is typed next.
    shown: Option<bool>,
    /// Characters of it.
    length: usize,
}

/// The file being typed.
struct Document {
    uri: Url,
    text: String,
    /// Where the next key goes.
    at: usize,
    version: i32,
    /// What is still to be typed.
    left: String,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let text = read(&args.file)?;
    let lines = text.lines().count();
    let line = args.line.unwrap_or(lines / 2 + 1);
    if line == 0 || line > lines {
        return Err(UsageError(format!("--line {line} is not in the file: it has lines 1 to {lines}")).into());
    }
    let start: usize = text.split_inclusive('\n').take(line - 1).map(str::len).sum();
    let end = text[start..].char_indices().nth(args.keys).map_or(text.len(), |(at, _)| start + at);
    let mut client = Client::start()?;
    initialize(&mut client, args)?;
    let mut document = Document {
        uri: address(&args.file)?,
        text: [&text[..start], &text[end..]].concat(),
        at: start,
        version: 1,
        left: text[start..end].to_owned(),
    };
    open(&mut client, &document.uri, &document.text)?;
    let mut applies = match args.apply.as_slice() {
        [file, suggestion] => Some(Applies::new(&mut client, file, read(suggestion)?)?),
        _ => None,
    };
    wait_for_model(&mut client, &document)?;
    let keys = type_all(&mut client, &mut document, args, applies.as_mut())?;
    print(&report(&keys, args.rate))?;
    let lost = applies.is_some_and(|applies| {
        eprintln!("{} applies meanwhile, {} of them other than undisturbed", applies.done, applies.different);
        applies.different > 0
    });
    client.end()?;
    Ok(if lost { Exit::CheckFailed } else { Exit::Done })
}

fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

fn address(path: &Path) -> anyhow::Result<Url> {
    let path = path.canonicalize().with_context(|| format!("cannot read {}", path.display()))?;
    Url::from_file_path(&path).map_err(|()| anyhow::anyhow!("{} has no address", path.display()))
}

fn initialize(client: &mut Client, args: &Args) -> anyhow::Result<()> {
    let params = json!({
        "processId": null,
        "rootUri": null,
        "capabilities": {
            "general": {"positionEncodings": ["utf-8"]},
            "workspace": {"workspaceEdit": {"documentChanges": true}},
            "textDocument": {
                "inlineCompletion": {},
                "codeAction": {
                    "codeActionLiteralSupport": {"codeActionKind": {"valueSet": [""]}},
                    "dataSupport": true,
                    "resolveSupport": {"properties": ["edit"]},
                },
            },
        },
        "initializationOptions": {"redraft": {
            "model": {"name": args.model, "fetch": "never"},
            "completion": {"debounce": args.debounce.map_or_else(|| json!("auto"), |pause| json!(pause))},
            "apply": {"route": "model", "prepare": "off"},
        }},
    });
    let id = client.request("initialize", &params)?;
    client.wait(id)?;
    client.notify("initialized", &json!({}))
}

fn open(client: &mut Client, uri: &Url, text: &str) -> anyhow::Result<()> {
    let language = Language::from_path(uri.path()).map_or("plaintext", |language| language.lsp_ids()[0]);
    let item = json!({"uri": uri, "languageId": language, "version": 1, "text": text});
    client.notify("textDocument/didOpen", &json!({ "textDocument": item }))
}

impl Document {
    fn position(&self, at: usize) -> Value {
        let before = &self.text[..at];
        let column = at - before.rfind('\n').map_or(0, |at| at + 1);
        json!({"line": before.matches('\n').count(), "character": column})
    }

    /// Types so much of what is left.
    fn press(&mut self, client: &mut Client, length: usize) -> anyhow::Result<()> {
        let typed: String = self.left.drain(..length).collect();
        let position = self.position(self.at);
        self.version += 1;
        let change = json!({"range": {"start": position, "end": position}, "text": typed});
        let document = json!({"uri": self.uri, "version": self.version});
        self.text.insert_str(self.at, &typed);
        self.at += length;
        client
            .notify("textDocument/didChange", &json!({"textDocument": document, "contentChanges": [change]}))
    }

    fn ask(&self, client: &mut Client, kind: u32) -> anyhow::Result<u64> {
        let params = json!({
            "textDocument": {"uri": self.uri},
            "position": self.position(self.at),
            "context": {"triggerKind": kind},
        });
        client.request("textDocument/inlineCompletion", &params)
    }
}

/// Asks until there is an answer: the model is being loaded.
fn wait_for_model(client: &mut Client, document: &Document) -> anyhow::Result<()> {
    let until = Instant::now() + Duration::from_secs(20);
    while Instant::now() < until {
        let id = document.ask(client, 1)?;
        if !client.wait(id)?.is_null() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    Ok(())
}

fn type_all(
    client: &mut Client,
    document: &mut Document,
    args: &Args,
    mut applies: Option<&mut Applies>,
) -> anyhow::Result<Vec<Key>> {
    let pause = Duration::from_secs_f64(1.0 / args.rate.max(0.1));
    let mut keys: Vec<Key> = Vec::new();
    let mut waiting: HashMap<u64, usize> = HashMap::new();
    if let Some(applies) = &mut applies {
        applies.start(client)?;
    }
    let mut accepted = None;
    while !document.left.is_empty() {
        let length =
            accepted.take().unwrap_or_else(|| document.left.chars().next().map_or(0, char::len_utf8));
        document.press(client, length)?;
        let id = document.ask(client, 2)?;
        let now = Instant::now();
        if let Some(last) = keys.last_mut()
            && last.answered.is_none()
        {
            last.overtaken = Some(now);
        }
        waiting.insert(id, keys.len());
        keys.push(Key { sent: Some(now), ..Key::default() });
        while let Some((id, came, result)) = client.answer(now + pause)? {
            if let Some(number) = waiting.remove(&id) {
                let text = result["items"][0]["insertText"].as_str();
                let key = &mut keys[number];
                key.answered = Some(came);
                key.shown = text.map(|text| document.left.starts_with(text));
                key.length = text.map_or(0, str::len);
                if args.accept && key.shown == Some(true) {
                    accepted = text.map(str::len);
                }
            } else if let Some(applies) = &mut applies {
                applies.answered(client, id, &result)?;
            }
        }
    }
    let until = Instant::now() + Duration::from_secs(5);
    while !waiting.is_empty()
        && let Some((id, came, _)) = client.answer(until)?
    {
        if let Some(number) = waiting.remove(&id) {
            keys[number].answered = Some(came);
        }
    }
    Ok(keys)
}

fn report(keys: &[Key], rate: f64) -> String {
    let milliseconds = |from: Instant, to: Instant| 1000.0 * to.saturating_duration_since(from).as_secs_f64();
    let waits = |of: &dyn Fn(&Key) -> Option<f64>| {
        let mut values: Vec<f64> = keys.iter().filter_map(of).collect();
        values.sort_by(f64::total_cmp);
        values
    };
    let shown = waits(&|key| key.shown.and(Some(milliseconds(key.sent?, key.answered?))));
    let overtaken = waits(&|key| Some(milliseconds(key.overtaken?, key.answered?)));
    let nothing = waits(&|key| {
        let quiet = key.shown.is_none() && key.overtaken.is_none();
        quiet.then(|| Some(milliseconds(key.sent?, key.answered?)))?
    });
    let right: Vec<&Key> = keys.iter().filter(|key| key.shown == Some(true)).collect();
    let unanswered = keys.iter().filter(|key| key.answered.is_none()).count();
    let mut text = format!("{} keys, {} a second\n\n", keys.len(), rate);
    text += "                          keys   median ms    p95    longest\n";
    for (name, values) in
        [("shown", &shown), ("overtaken, then answered", &overtaken), ("nothing to show", &nothing)]
    {
        let at = |share: f64| values.get((values.len().saturating_sub(1) as f64 * share).round() as usize);
        let at = |share: f64| at(share).copied().unwrap_or(f64::NAN);
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{name:<24} {:>5} {:>11.0} {:>6.0} {:>10.0}",
            values.len(),
            at(0.5),
            at(0.95),
            at(1.0)
        );
    }
    // Each key counts once, whatever was shown for it. Before the next key counts as well: until then nobody has moved on.
    let wait = |key: &Key, from: Option<Instant>| Some(milliseconds(from?, key.answered?));
    let soon = |key: &&Key| {
        let wait = |from| wait(key, from).is_some_and(|wait| wait <= SOON);
        wait(key.sent) || wait(key.overtaken)
    };
    let at_once = keys.iter().filter(|key| wait(key, key.sent).is_some_and(|wait| wait <= SOON)).count();
    let within = keys.iter().filter(soon).count();
    let in_time =
        keys.iter().filter(|key| soon(key) || key.answered.is_some() && key.overtaken.is_none()).count();
    let length: usize = right.iter().map(|key| key.length).sum();
    let _ = writeln!(
        text,
        "\nof what was shown {} were what is typed next, {:.1} characters long\nanswered within 50 ms of the key: {at_once} of {total}; of the key, or of the next one \
         where that came first: {within} of {total}; before the next key, or within 50 ms of it: {in_time} of {total}; never \
         answered: {unanswered}",
        right.len(),
        length as f64 / right.len().max(1) as f64,
        total = keys.len(),
    );
    text
}

/// A suggestion that is applied again and again.
struct Applies {
    uri: Url,
    suggestion: String,
    /// The edit when nothing else went on.
    undisturbed: Value,
    running: u64,
    done: usize,
    different: usize,
}

impl Applies {
    fn new(client: &mut Client, file: &Path, suggestion: String) -> anyhow::Result<Applies> {
        let uri = address(file)?;
        open(client, &uri, &read(file)?)?;
        let mut applies =
            Applies { uri, suggestion, undisturbed: Value::Null, running: 0, done: 0, different: 0 };
        // The model may still be loading.
        std::thread::sleep(Duration::from_secs(3));
        applies.start(client)?;
        applies.undisturbed = client.wait(applies.running)?["edit"].clone();
        Ok(applies)
    }

    fn start(&mut self, client: &mut Client) -> anyhow::Result<()> {
        let params = json!({"uri": self.uri, "suggestion": self.suggestion, "id": "bench"});
        client.notify("redraft/suggestion", &params)?;
        let data = json!({"from": "offer", "uri": self.uri, "id": "bench"});
        let action = json!({"title": "Apply suggestion", "kind": "refactor.rewrite", "data": data});
        self.running = client.request("codeAction/resolve", &action)?;
        Ok(())
    }

    fn answered(&mut self, client: &mut Client, id: u64, result: &Value) -> anyhow::Result<()> {
        if id != self.running {
            return Ok(());
        }
        self.done += 1;
        self.different += usize::from(result["edit"] != self.undisturbed);
        self.start(client)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_counts_once() {
        let start = Instant::now();
        let at = |milliseconds: u64| Some(start + Duration::from_millis(milliseconds));
        let key = |answered: u64, overtaken: Option<u64>, shown: Option<bool>| Key {
            sent: at(0),
            answered: at(answered),
            overtaken: overtaken.and_then(at),
            shown,
            length: 1,
        };
        let keys = [
            key(10, None, Some(true)),
            key(80, None, Some(false)),
            key(110, Some(100), Some(true)),
            key(170, Some(100), None),
            key(70, None, None),
            Key { sent: at(0), ..Key::default() },
        ];
        let report = report(&keys, 10.0);
        assert!(report.contains("of the key: 1 of 6;") && report.contains("came first: 2 of 6;"), "{report}");
        assert!(
            report.contains("within 50 ms of it: 4 of 6;") && report.contains("never answered: 1"),
            "{report}"
        );
    }
}
