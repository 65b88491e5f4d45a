//! An editor: a connection, its documents, and what it does with the server's requests.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, OnceLock};

use redraft_server::lsp::{Ended, Engine, serve};
use serde_json::{Value, json};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

use crate::rpc::Connection;
use crate::text::{Encoding, apply};

/// The server at the other end.
enum Server {
    InMemory(JoinHandle<Ended>),
    Process(Child),
    Port,
}

/// How a server ended.
#[derive(Debug, PartialEq, Eq)]
pub enum End {
    /// One in this process.
    InMemory(Ended),
    /// A process, with this exit code.
    Process(Option<i32>),
    /// It goes on for others.
    Port,
}

/// An editor; see the module's description. Close it with [`Editor::close`], which checks that nothing is left over.
pub struct Editor {
    /// The connection, for what the editor's own functions do not do.
    pub rpc: Connection,
    /// The unit of columns that was settled.
    pub encoding: Encoding,
    documents: HashMap<String, (i64, String)>,
    server: Option<Server>,
    ignored: Vec<&'static str>,
}

/// What a capable editor declares; tests take away from it.
pub fn capabilities() -> Value {
    json!({
        "general": {"positionEncodings": ["utf-16"]},
        "window": {"workDoneProgress": true},
        "workspace": {
            "applyEdit": true,
            "workspaceEdit": {"documentChanges": true, "changeAnnotationSupport": {}},
            "workspaceFolders": true,
        },
        "textDocument": {"codeAction": {
            "codeActionLiteralSupport": {"codeActionKind": {"valueSet": ["", "refactor"]}},
            "dataSupport": true,
            "honorsChangeAnnotations": true,
            "resolveSupport": {"properties": ["edit"]},
        }},
    })
}

/// The `redraft` binary, built once for all tests; `REDRAFT_BIN` names another one.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        if let Some(path) = std::env::var_os("REDRAFT_BIN") {
            return path.into();
        }
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let output = std::process::Command::new(cargo)
            // The same features as in `cargo test`, so that nothing is built twice.
            .args(["build", "--quiet", "--workspace", "--test", "e2e", "--bin", "redraft"])
            .arg("--message-format=json")
            .args((!cfg!(debug_assertions)).then_some("--release"))
            .stderr(Stdio::inherit())
            .output()
            .expect("cargo runs");
        assert!(output.status.success(), "the binary must build");
        let text = String::from_utf8(output.stdout).expect("cargo prints UTF-8");
        let path = text
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter(|message| message["target"]["name"] == "redraft")
            .find_map(|message| Some(PathBuf::from(message["executable"].as_str()?)));
        path.expect("cargo names the binary")
    })
}

/// Whether the tests that need real weights run.
pub fn slow() -> bool {
    std::env::var("REDRAFT_SLOW_TESTS").is_ok_and(|value| value == "1")
}

/// A command that starts the real server.
pub fn command() -> Command {
    let mut command = Command::new(binary());
    command.kill_on_drop(true).env_remove("REDRAFT_LOG");
    command
}

impl Editor {
    /// An editor that talks to a server in this process, with this engine.
    pub fn in_memory(engine: Arc<dyn Engine>) -> Self {
        let (ours, theirs) = tokio::io::duplex(1 << 20);
        let (input, output) = tokio::io::split(theirs);
        let server = tokio::spawn(serve(input, output, engine));
        let (input, output) = tokio::io::split(ours);
        Self::new(Connection::new(input, output), Server::InMemory(server))
    }

    /// An editor that has started this command as its server.
    pub fn of_process(mut command: Command) -> Self {
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the server starts");
        let (input, output) = (child.stdout.take().expect("piped"), child.stdin.take().expect("piped"));
        Self::new(Connection::new(input, output), Server::Process(child))
    }

    /// An editor that has connected to a server's port.
    pub async fn of_port(address: &str) -> Self {
        let stream = tokio::net::TcpStream::connect(address).await.expect("the server listens");
        let (input, output) = stream.into_split();
        Self::new(Connection::new(input, output), Server::Port)
    }

    fn new(rpc: Connection, server: Server) -> Self {
        // The log is for people; what is in it is not part of any contract.
        let ignored = vec!["window/logMessage"];
        Self { rpc, encoding: Encoding::Utf16, documents: HashMap::new(), server: Some(server), ignored }
    }

    /// Messages of this method need not be claimed.
    pub fn ignore(&mut self, method: &'static str) {
        self.ignored.push(method);
    }

    /// The handshake, with these capabilities and initialization options, for these folders.
    pub async fn initialize(&mut self, capabilities: Value, options: Value, folders: &[&Path]) -> Value {
        let folders: Vec<Value> =
            folders.iter().map(|path| json!({"uri": uri(path), "name": "folder"})).collect();
        let params = json!({
            "processId": null,
            "rootUri": null,
            "capabilities": capabilities,
            "initializationOptions": options,
            "workspaceFolders": folders,
        });
        let result = self.request("initialize", params).await.expect("initialize works");
        self.encoding = Encoding::by_name(result["capabilities"]["positionEncoding"].as_str().unwrap());
        self.rpc.notify("initialized", json!({})).await;
        result
    }

    /// The handshake of a capable editor.
    pub async fn start(&mut self) {
        self.initialize(capabilities(), Value::Null, &[]).await;
    }

    /// Sends a request and waits for its answer.
    pub async fn request(&mut self, method: &str, params: Value) -> Result<Value, Value> {
        let id = self.rpc.start(method, params).await;
        self.rpc.response(id).await
    }

    /// Waits for a request of the server's.
    pub async fn asked(&mut self, method: &str) -> Value {
        self.rpc.claim(method, |message| message["method"] == method && message.get("id").is_some()).await
    }

    /// Waits for a notification, and gives its parameters.
    pub async fn told(&mut self, method: &str) -> Value {
        let fits = |message: &Value| message["method"] == method && message.get("id").is_none();
        self.rpc.claim(method, fits).await["params"].clone()
    }

    /// Waits for a message shown to the user, and gives its text.
    pub async fn shown(&mut self) -> String {
        self.told("window/showMessage").await["message"].as_str().unwrap().to_owned()
    }

    /// Opens a document.
    pub async fn open(&mut self, uri: &str, language: &str, text: &str) {
        self.documents.insert(uri.to_owned(), (1, text.to_owned()));
        let item = json!({"uri": uri, "languageId": language, "version": 1, "text": text});
        self.rpc.notify("textDocument/didOpen", json!({ "textDocument": item })).await;
    }

    /// Closes a document.
    pub async fn close_document(&mut self, uri: &str) {
        self.documents.remove(uri);
        self.rpc.notify("textDocument/didClose", json!({"textDocument": {"uri": uri}})).await;
    }

    /// The editor's text.
    pub fn text(&self, uri: &str) -> &str {
        &self.documents[uri].1
    }

    /// The document's version.
    pub fn version(&self, uri: &str) -> i64 {
        self.documents[uri].0
    }

    /// Types: replaces the only place where `old` stands.
    pub async fn replace(&mut self, uri: &str, old: &str, new: &str) {
        let range = self.range_of(uri, old);
        self.change(uri, vec![json!({"range": range, "newText": new})]).await;
    }

    /// The range of the only place where `needle` stands.
    pub fn range_of(&self, uri: &str, needle: &str) -> Value {
        let text = self.text(uri);
        assert_eq!(text.matches(needle).count(), 1, "{needle:?} must stand once in {text:?}");
        let start = text.find(needle).unwrap();
        json!({
            "start": self.encoding.to_position(text, start),
            "end": self.encoding.to_position(text, start + needle.len()),
        })
    }

    /// Makes edits in the editor's text and tells the server, last edit first.
    async fn change(&mut self, uri: &str, edits: Vec<Value>) {
        let (version, text) = self.documents.get_mut(uri).expect("the document is open");
        let encoding = self.encoding;
        let new = apply(text, &edits, encoding);
        let mut changes: Vec<(usize, Value)> = edits
            .iter()
            .map(|edit| {
                let start = encoding.to_byte(text, &edit["range"]["start"]);
                (start, json!({"range": edit["range"], "text": edit["newText"]}))
            })
            .collect();
        changes.sort_by_key(|(start, _)| std::cmp::Reverse(*start));
        let changes: Vec<Value> = changes.into_iter().map(|(_, change)| change).collect();
        *text = new;
        *version += 1;
        let document = json!({"uri": uri, "version": *version});
        self.rpc
            .notify("textDocument/didChange", json!({"textDocument": document, "contentChanges": changes}))
            .await;
    }

    /// Applies a `WorkspaceEdit` as an editor does: a document at another version is not touched. Files that are not
    /// open are changed on disk. Gives whether it was applied.
    pub async fn apply(&mut self, edit: &Value) -> bool {
        let mut by_uri: Vec<(String, Vec<Value>)> = Vec::new();
        if let Some(changes) = edit["documentChanges"].as_array() {
            for change in changes {
                let document = &change["textDocument"];
                let uri = document["uri"].as_str().unwrap();
                let open = self.documents.get(uri).map(|(version, _)| *version);
                if open != document["version"].as_i64() {
                    return false;
                }
                by_uri.push((uri.to_owned(), change["edits"].as_array().unwrap().clone()));
            }
        }
        for (uri, edits) in edit["changes"].as_object().into_iter().flatten() {
            by_uri.push((uri.clone(), edits.as_array().unwrap().clone()));
        }
        for (uri, edits) in by_uri {
            if self.documents.contains_key(&uri) {
                self.change(&uri, edits).await;
            } else {
                let path = uri.strip_prefix("file://").unwrap();
                let text = std::fs::read_to_string(path).unwrap();
                std::fs::write(path, apply(&text, &edits, self.encoding)).unwrap();
            }
        }
        true
    }

    /// Waits for `workspace/applyEdit`, applies it and says so. Gives the edit.
    pub async fn obey(&mut self) -> Value {
        let request = self.asked("workspace/applyEdit").await;
        let edit = request["params"]["edit"].clone();
        let applied = self.apply(&edit).await;
        self.rpc.answer(&request, json!({ "applied": applied })).await;
        edit
    }

    /// Waits for a question to the user and picks an answer. Gives the question.
    pub async fn choose(&mut self, title: &str) -> String {
        let request = self.asked("window/showMessageRequest").await;
        let actions = request["params"]["actions"].as_array().unwrap();
        assert!(actions.iter().any(|action| action["title"] == title), "{request}");
        self.rpc.answer(&request, json!({ "title": title })).await;
        request["params"]["message"].as_str().unwrap().to_owned()
    }

    /// Waits for a question to the user that offers these titles, and picks one of them, or none. Gives the question.
    pub async fn choose_of(&mut self, titles: &[&str], title: Option<&str>) -> String {
        let request = self.asked("window/showMessageRequest").await;
        let actions = request["params"]["actions"].as_array().unwrap();
        let offered: Vec<&str> = actions.iter().map(|action| action["title"].as_str().unwrap()).collect();
        assert_eq!(offered, titles);
        self.rpc.answer(&request, title.map_or(Value::Null, |title| json!({ "title": title }))).await;
        request["params"]["message"].as_str().unwrap().to_owned()
    }

    /// Waits until the server wants a progress display, and gives its token.
    pub async fn progress_created(&mut self) -> Value {
        let request = self.asked("window/workDoneProgress/create").await;
        self.rpc.answer(&request, Value::Null).await;
        request["params"]["token"].clone()
    }

    /// Waits for progress under this token whose kind (any when empty) and message fit, passing over what is before.
    pub async fn progress(&mut self, token: &Value, kind: &str, message: &str) -> Value {
        loop {
            let fits = |m: &Value| m["method"] == "$/progress" && m["params"]["token"] == *token;
            let value = self.rpc.claim(&format!("progress {kind}"), fits).await["params"]["value"].clone();
            let text = value["message"].as_str().unwrap_or_default();
            if (kind.is_empty() || value["kind"] == kind) && text.contains(message) {
                return value;
            }
            assert_ne!(value["kind"], "end", "the progress ended before {kind} {message:?}");
        }
    }

    /// Every progress display is created, and none looked at.
    pub fn ignore_progress(&mut self) {
        self.ignore("window/workDoneProgress/create");
        self.ignore("$/progress");
    }

    /// The code actions for the only place where `needle` stands.
    pub async fn actions(&mut self, uri: &str, needle: &str) -> Vec<Value> {
        let range = self.range_of(uri, needle);
        let params = json!({"textDocument": {"uri": uri}, "range": range, "context": {"diagnostics": []}});
        let result = self.request("textDocument/codeAction", params).await.expect("codeAction works");
        result.as_array().cloned().unwrap_or_default()
    }

    /// `shutdown`, `exit`, and the check that nothing is left over.
    pub async fn close(mut self) {
        self.request("shutdown", Value::Null).await.expect("shutdown works");
        self.rpc.notify("exit", Value::Null).await;
        let end = self.ended().await;
        assert!(matches!(end, End::InMemory(Ended::Shutdown) | End::Process(Some(0)) | End::Port), "{end:?}");
    }

    /// Waits for the server's end and checks that nothing is left over.
    pub async fn ended(mut self) -> End {
        let left: Vec<Value> = self
            .rpc
            .drain()
            .await
            .into_iter()
            .filter(|message| !self.ignored.iter().any(|method| message["method"] == *method))
            .collect();
        assert!(left.is_empty(), "messages that the test did not claim: {left:#?}");
        match self.server.take().expect("an editor ends once") {
            Server::InMemory(server) => End::InMemory(server.await.expect("the server does not panic")),
            Server::Port => End::Port,
            Server::Process(mut child) => {
                let status: ExitStatus = child.wait().await.expect("the server ends");
                End::Process(status.code())
            }
        }
    }
}

impl Drop for Editor {
    fn drop(&mut self) {
        let closed = self.server.is_none();
        assert!(
            closed || std::thread::panicking(),
            "close the editor, so that it is checked what is left over"
        );
    }
}

/// The address of a path.
pub fn uri(path: &Path) -> String {
    format!("file://{}", path.display())
}
