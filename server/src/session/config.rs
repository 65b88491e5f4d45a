//! The settings, all under `redraft`, read once into types.
//!
//! Whatever a client sends is accepted as far as it can be: a key that does not exist and a value of the wrong kind are
//! each reported in one sentence, and everything else still counts.

use std::collections::BTreeMap;
use std::str::FromStr;

use redraft_grammars::Language;
use redraft_model::adapters;
use redraft_model::catalogue::DEFAULT_MODEL;
use redraft_model::device::Device;
use redraft_model::kv_cache::KvFormat;
use serde_json::Value;

use crate::apply::Route;
use crate::complete::Options;

/// All settings.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    /// `redraft.model.*`
    pub model: ModelConfig,
    /// `redraft.apply.*`
    pub apply: ApplyConfig,
    /// `redraft.completion.*`
    pub completion: CompletionConfig,
    /// `redraft.index.*`
    pub index: IndexConfig,
}

/// Which model, and how it is run. Read when the model is loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelConfig {
    /// `model.name`: a name of the catalogue or the path of a GGUF file.
    pub name: String,
    /// `model.adapter`: the adapter that rewrites go through.
    pub adapter: adapters::Choice,
    /// `model.device`: where it runs.
    pub device: Device,
    /// `model.threads`: how many threads compute; the machine's own choice when not set.
    pub threads: Option<usize>,
    /// `model.context`: the longest context in tokens.
    pub context: Option<usize>,
    /// `model.kv`: in which integers keys and values are kept.
    pub kv: KvFormat,
    /// `model.load`: when a model that is on this machine is loaded.
    pub load: LoadTime,
    /// `model.fetch`: whether a missing model may be fetched.
    pub fetch: FetchPolicy,
}

impl Default for ModelConfig {
    fn default() -> Self {
        Self {
            name: DEFAULT_MODEL.to_owned(),
            adapter: adapters::Choice::default(),
            device: Device::default(),
            threads: None,
            context: None,
            kv: KvFormat::default(),
            load: LoadTime::default(),
            fetch: FetchPolicy::default(),
        }
    }
}

/// How suggestions are applied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApplyConfig {
    /// `apply.route`: who makes the edit.
    pub route: Route,
    /// `apply.stream`: whether edits are sent while later text is still being verified.
    pub stream: Stream,
    /// `apply.prepare`: when the model reads ahead of time.
    pub prepare: Prepare,
}

/// How code is completed.
#[derive(Clone, Debug, PartialEq)]
pub struct CompletionConfig {
    /// `completion.enabled`
    pub enabled: bool,
    /// `completion.languages.NAME`: single languages on or off.
    pub languages: BTreeMap<String, bool>,
    /// `completion.multiLine`: whether more than the statement at the cursor is completed.
    pub multi_line: bool,
    /// `completion.minConfidence`: how sure the model must be, 0 to 1.
    pub min_confidence: f32,
    /// `completion.maxTokens`: the longest completion.
    pub max_tokens: usize,
    /// `completion.comments`: whether comments are completed.
    pub comments: bool,
    /// `completion.strings`: whether strings are completed.
    pub strings: bool,
    /// `completion.debounce`: milliseconds of rest after a key before the model is asked; found out when not set.
    pub debounce: Option<u64>,
}

impl Default for CompletionConfig {
    fn default() -> Self {
        let options = Options::default();
        Self {
            enabled: true,
            // Prose is not what the model is good at.
            languages: ["markdown", "plaintext"].map(|name| (name.to_owned(), false)).into(),
            multi_line: options.multi_line,
            min_confidence: options.min_confidence,
            max_tokens: options.max_tokens,
            comments: options.comments,
            strings: options.strings,
            debounce: None,
        }
    }
}

impl CompletionConfig {
    /// Whether files of a language are completed.
    pub fn is_on(&self, language: Option<Language>) -> bool {
        let name = language.map_or("plaintext", Language::name);
        self.enabled && self.languages.get(name).copied().unwrap_or(true)
    }

    /// The settings as completions take them.
    pub fn options(&self) -> Options {
        Options {
            multi_line: self.multi_line,
            min_confidence: self.min_confidence,
            max_tokens: self.max_tokens,
            comments: self.comments,
            strings: self.strings,
            ..Options::default()
        }
    }
}

/// The index of the workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexConfig {
    /// `index.enabled`: whether the workspace is indexed at all.
    pub enabled: bool,
    /// `index.maxFiles`: files beyond this number in a folder are left out.
    pub max_files: usize,
}

impl Default for IndexConfig {
    fn default() -> Self {
        Self { enabled: true, max_files: 100_000 }
    }
}

macro_rules! choices {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)* } default $default:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
        }

        impl Default for $name {
            fn default() -> Self {
                Self::$default
            }
        }

        impl FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                match text {
                    $($text => Ok(Self::$variant),)*
                    _ => Err([$($text),*].join(", ")),
                }
            }
        }
    };
}

choices! {
    /// When the model is loaded.
    LoadTime {
        /// In the background, as soon as the editor has started the server.
        Start = "start",
        /// When a suggestion first needs it.
        FirstUse = "first-use",
    } default Start
}

choices! {
    /// What happens when the model is not on this machine.
    FetchPolicy {
        /// The user is asked once.
        Ask = "ask",
        /// It is fetched without asking.
        Always = "always",
        /// Suggestions are applied without a model, as far as that goes.
        Never = "never",
    } default Ask
}

choices! {
    /// How the edit reaches the editor.
    Stream {
        /// All at once, as one undo step.
        Off = "off",
        /// Hunk by hunk while the rest is still being verified, where the model writes the file (`apply.route` "model").
        Hunks = "hunks",
    } default Off
}

choices! {
    /// When the model reads ahead of time what an edit will need, so that applying starts with its answer.
    Prepare {
        /// Never.
        Off = "off",
        /// When "Apply suggestion" is offered.
        Offer = "offer",
        /// Also when a file is opened, and when typing pauses: models without an adapter read the file then.
        Idle = "idle",
    } default Idle
}

impl Config {
    /// Reads settings over the present ones. Takes the whole settings object (with a member `redraft`), the `redraft`
    /// part alone, and dotted keys; gives a sentence for each thing that was not understood.
    pub fn update(&mut self, settings: &Value) -> Vec<String> {
        let mut leaves = Vec::new();
        match settings.get("redraft") {
            Some(ours) => flatten("", ours, &mut leaves),
            None => flatten("", settings, &mut leaves),
        }
        leaves.into_iter().filter_map(|(key, value)| self.set(&key, value).err()).collect()
    }

    fn set(&mut self, key: &str, value: &Value) -> Result<(), String> {
        let key = key.strip_prefix("redraft.").unwrap_or(key);
        match key {
            "model.name" => self.model.name = text(key, value)?.to_owned(),
            "model.adapter" if value.is_null() => self.model.adapter = adapters::Choice::default(),
            "model.adapter" => {
                let Ok(adapter) = text(key, value)?.parse();
                self.model.adapter = adapter;
            }
            "model.device" => self.model.device = choice(key, value)?,
            "model.threads" => self.model.threads = count(key, value)?,
            "model.context" => self.model.context = count(key, value)?,
            "model.kv" => self.model.kv = choice(key, value)?,
            "model.load" => self.model.load = choice(key, value)?,
            "model.fetch" => self.model.fetch = choice(key, value)?,
            "apply.route" => self.apply.route = choice(key, value)?,
            "apply.stream" => self.apply.stream = choice(key, value)?,
            "apply.prepare" => self.apply.prepare = choice(key, value)?,
            // Of the editor's own part.
            _ if key.starts_with("server.") || key.starts_with("trace.") => {}
            "completion.enabled" => self.completion.enabled = switch(key, value)?,
            "completion.multiLine" => self.completion.multi_line = switch(key, value)?,
            "completion.minConfidence" => self.completion.min_confidence = share(key, value)?,
            "completion.maxTokens" => {
                let default = Options::default().max_tokens;
                self.completion.max_tokens = count(key, value)?.unwrap_or(default);
            }
            "completion.comments" => self.completion.comments = switch(key, value)?,
            "completion.strings" => self.completion.strings = switch(key, value)?,
            "completion.debounce" => self.completion.debounce = milliseconds(key, value)?,
            _ if let Some(name) = key.strip_prefix("completion.languages.") => {
                let language = Language::by_name(name)
                    .ok_or_else(|| format!("redraft.{key}: no language is called {name}; it is ignored"))?;
                self.completion.languages.insert(language.name().to_owned(), switch(key, value)?);
            }
            "index.enabled" => self.index.enabled = switch(key, value)?,
            "index.maxFiles" => {
                self.index.max_files = count(key, value)?.unwrap_or(IndexConfig::default().max_files);
            }
            _ => {
                return Err(format!("there is no setting redraft.{key}; see the README for those there are"));
            }
        }
        Ok(())
    }
}

/// The leaves of nested objects, by their dotted keys.
fn flatten<'v>(prefix: &str, value: &'v Value, leaves: &mut Vec<(String, &'v Value)>) {
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                let key = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
                flatten(&key, value, leaves);
            }
        }
        Value::Null if prefix.is_empty() => {}
        _ => leaves.push((prefix.to_owned(), value)),
    }
}

fn text<'v>(key: &str, value: &'v Value) -> Result<&'v str, String> {
    value.as_str().filter(|text| !text.is_empty()).ok_or_else(|| {
        format!("redraft.{key} must be a text that is not empty, not {value}; it stays as it was")
    })
}

fn count(key: &str, value: &Value) -> Result<Option<usize>, String> {
    if value.is_null() {
        return Ok(None);
    }
    let number = value.as_u64().filter(|number| *number > 0).and_then(|number| usize::try_from(number).ok());
    number.map(Some).ok_or_else(|| {
        format!("redraft.{key} must be a whole number above 0, not {value}; it stays as it was")
    })
}

fn switch(key: &str, value: &Value) -> Result<bool, String> {
    value
        .as_bool()
        .ok_or_else(|| format!("redraft.{key} must be true or false, not {value}; it stays as it was"))
}

fn share(key: &str, value: &Value) -> Result<f32, String> {
    let number = value.as_f64().filter(|number| (0.0..=1.0).contains(number)).map(|number| number as f32);
    number
        .ok_or_else(|| format!("redraft.{key} must be a number from 0 to 1, not {value}; it stays as it was"))
}

fn milliseconds(key: &str, value: &Value) -> Result<Option<u64>, String> {
    if value.is_null() || value == "auto" {
        return Ok(None);
    }
    value.as_u64().filter(|number| *number <= 10_000).map(Some).ok_or_else(|| {
        format!("redraft.{key} must be \"auto\" or milliseconds up to 10000, not {value}; it stays as it was")
    })
}

fn choice<T: FromStr<Err = String>>(key: &str, value: &Value) -> Result<T, String> {
    let parsed = value.as_str().ok_or_else(String::new).and_then(str::parse);
    parsed.map_err(|hint| {
        let hint = if hint.is_empty() { String::new() } else { format!(" ({hint})") };
        format!("redraft.{key} cannot be {value}{hint}; it stays as it was")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_form_of_the_same_setting_is_read() {
        for settings in [
            json!({"redraft": {"apply": {"stream": "hunks"}}, "other": {"x": 1}}),
            json!({"apply": {"stream": "hunks"}}),
            json!({"apply.stream": "hunks"}),
            json!({"redraft.apply.stream": "hunks"}),
            json!({"redraft": {"apply.stream": "hunks"}}),
        ] {
            let mut config = Config::default();
            assert_eq!(config.update(&settings), Vec::<String>::new(), "{settings}");
            assert_eq!(config.apply.stream, Stream::Hunks, "{settings}");
        }
    }

    #[test]
    fn what_is_not_understood_is_reported_and_the_rest_counts() {
        let mut config = Config::default();
        let problems = config.update(&json!({"redraft": {
            "model": {"name": "", "threads": -1, "context": 4096, "colour": "blue", "adapter": 1},
            "apply": {"route": "sideways", "stream": true, "prepare": "off"},
        }}));
        assert_eq!(problems.len(), 6, "{problems:?}");
        assert!(problems.iter().any(|p| p.contains("no setting redraft.model.colour")));
        assert!(problems.iter().any(|p| p.contains("redraft.apply.route") && p.contains("sideways")));
        assert_eq!(config.model.name, DEFAULT_MODEL);
        assert_eq!(config.model.context, Some(4096));
        assert_eq!(config.apply.prepare, Prepare::Off);
        assert_eq!(config.apply.stream, Stream::Off);
    }

    #[test]
    fn an_adapter_is_named_and_taken_away_again() {
        let mut config = Config::default();
        let mut check = |value: Value, adapter: adapters::Choice| {
            assert!(config.update(&json!({"redraft": {"model": {"adapter": value}}})).is_empty());
            assert_eq!(config.model.adapter, adapter);
        };
        check(json!("edits.gguf"), adapters::Choice::Named("edits.gguf".into()));
        check(json!("none"), adapters::Choice::None);
        check(json!("auto"), adapters::Choice::Auto);
        check(json!("edits.gguf"), adapters::Choice::Named("edits.gguf".into()));
        check(json!(null), adapters::Choice::Auto);
    }

    #[test]
    fn nothing_sent_changes_nothing() {
        for settings in [json!(null), json!({}), json!({"redraft": null}), json!({"redraft": {}})] {
            let mut config = Config::default();
            assert!(config.update(&settings).is_empty(), "{settings}");
            assert_eq!(config, Config::default());
        }
    }

    /// What the editors' settings say is the default, and that there is such a setting.
    #[test]
    fn the_editors_describe_these_settings() {
        let package: Value =
            serde_json::from_str(include_str!("../../../editors/vscode/package.json")).unwrap();
        let properties = package["contributes"]["configuration"]["properties"].as_object().unwrap();
        let defaults = properties.iter().map(|(key, described)| (key.clone(), described["default"].clone()));
        let mut config = Config::default();
        assert_eq!(config.update(&Value::Object(defaults.collect())), Vec::<String>::new());
        assert_eq!(config, Config::default());

        let schema: Value =
            serde_json::from_str(include_str!("../../../editors/jetbrains/redraft/settings.schema.json"))
                .unwrap();
        for (key, in_jetbrains) in schema["properties"].as_object().unwrap() {
            let described = &properties[key];
            let text =
                described["description"].as_str().or(described["markdownDescription"].as_str()).unwrap();
            assert_eq!(
                in_jetbrains["description"],
                text.replace('`', ""),
                "{key}: run python3 editors/jetbrains/make.py"
            );
        }
    }
}
