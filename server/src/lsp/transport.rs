//! Messages in and out of one connection.
//!
//! tower-lsp gives the service: typed methods, the order of the lifecycle, and `$/cancelRequest`, which drops a
//! handler's future. Its own `Server` loop is not used, because there one message that is not JSON ends the
//! connection, a panic in a handler ends it too, `exit` is noticed only with the message after it, more than
//! `concurrency_level` waiting requests keep typing from being read, and a client's answer that comes after we
//! stopped waiting panics. Here:
//!
//! - each message is polled once, in the order of arrival, before the next is read: whatever a handler does before its
//!   first `.await` happens in order. What is not ready then goes on in a task of its own, however many there are.
//! - every request is answered exactly once, also when its handler panics.
//! - the connection ends with `exit` or when the input ends, whatever is still waiting.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tower_lsp::LspService;
use tower_lsp::jsonrpc::{Error, Id, Request, Response};
use tower_service::Service;

use super::backend::Backend;
use super::capabilities;
use super::engine::Engine;
use super::peer::Peer;

/// A message larger than this is a mistake or an attack.
const MAX_MESSAGE_BYTES: usize = 256 << 20;

/// How long the last messages may take to leave when the connection ends.
const FLUSH_LIMIT: Duration = Duration::from_secs(2);

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// `exit` after `shutdown`: all is well.
    Shutdown,
    /// `exit` without `shutdown`.
    Exit,
    /// The input ended.
    InputClosed,
}

impl Ended {
    /// The exit code that the specification asks for: 0 after `shutdown`, 1 otherwise.
    pub fn exit_code(self) -> u8 {
        u8::from(self != Ended::Shutdown)
    }
}

/// Serves one client until the connection ends.
pub async fn serve(
    input: impl AsyncRead + Unpin,
    output: impl AsyncWrite + Unpin + Send + 'static,
    engine: Arc<dyn Engine>,
) -> Ended {
    let (outgoing, messages) = unbounded_channel();
    let peer = Peer::new(outgoing.clone());
    let (mut service, _socket) = LspService::build(|_| Backend::new(peer.clone(), engine))
        .custom_method("redraft/suggestion", Backend::suggestion_offered)
        .custom_method("textDocument/inlineCompletion", Backend::inline_completion)
        .custom_method("redraft/status", Backend::status)
        .custom_method("window/workDoneProgress/cancel", Backend::progress_cancelled)
        .finish();
    let writer = tokio::spawn(write(output, messages));
    let mut input = BufReader::new(input);
    let mut waiting = JoinSet::new();
    let ended = loop {
        while let Some(done) = waiting.try_join_next() {
            debug_assert!(done.is_ok(), "tasks catch their panics");
        }
        let body = match read(&mut input).await {
            Ok(Some(body)) => body,
            Ok(None) => break Ended::InputClosed,
            Err(problem) => {
                tracing::warn!("unreadable message from the client: {problem}");
                send(&outgoing, &Response::from_error(Id::Null, Error::parse_error()));
                continue;
            }
        };
        match classify(&body) {
            Incoming::Call(request) if request.method() == "exit" => {
                break if service.inner().is_shut_down() { Ended::Shutdown } else { Ended::Exit };
            }
            Incoming::Call(request) => call(&mut service, request, &outgoing, &mut waiting).await,
            Incoming::Answer(id, answer) => peer.answered(id, answer),
            Incoming::Invalid(id, error) => send(&outgoing, &Response::from_error(id, error)),
        }
    };
    // An empty message tells the writer that nothing follows: nobody waits for the answers of what is cancelled now.
    let _ = outgoing.send(String::new());
    service.inner().end();
    waiting.shutdown().await;
    let _ = tokio::time::timeout(FLUSH_LIMIT, writer).await;
    ended
}

/// Starts a request or notification; see the module's description for the order of things.
async fn call(
    service: &mut LspService<Backend>,
    request: Request,
    outgoing: &UnboundedSender<String>,
    waiting: &mut JoinSet<()>,
) {
    let id = request.id().cloned();
    let name = request.method().to_owned();
    let initializes = name == "initialize";
    if initializes {
        service.inner().declares(request.params().unwrap_or(&Value::Null));
    }
    let mut future = service.call(request);
    // A panic ends the handler, not the connection; the request still gets its answer.
    let mut poll = move |context: &mut Context<'_>| match catch_unwind(AssertUnwindSafe(|| {
        future.as_mut().poll(context)
    })) {
        Ok(poll) => poll.map(|result| {
            let response = result.ok().flatten();
            if initializes { response.map(capabilities::with_inline_completion) } else { response }
        }),
        Err(_) => {
            tracing::error!("the handler of {name} panicked");
            let mut error = Error::internal_error();
            error.message = format!("Redraft failed on {name}; this is a defect of ours").into();
            Poll::Ready(id.clone().map(|id| Response::from_error(id, error)))
        }
    };
    match std::future::poll_fn(|context| Poll::Ready(poll(context))).await {
        Poll::Ready(Some(response)) => send(outgoing, &response),
        Poll::Ready(None) => {}
        Poll::Pending => {
            let outgoing = outgoing.clone();
            waiting.spawn(async move {
                if let Some(response) = std::future::poll_fn(poll).await {
                    send(&outgoing, &response);
                }
            });
        }
    }
}

fn send(outgoing: &UnboundedSender<String>, response: &Response) {
    if let Ok(text) = serde_json::to_string(response) {
        let _ = outgoing.send(text);
    }
}

/// What a client can send.
enum Incoming {
    Call(Request),
    Answer(i64, Result<Value, Error>),
    Invalid(Id, Error),
}

fn classify(body: &[u8]) -> Incoming {
    let mut message: Value = match serde_json::from_slice(body) {
        Ok(message) => message,
        Err(_) => return Incoming::Invalid(Id::Null, Error::parse_error()),
    };
    // Some clients write out parameters that are not there, which tower-lsp refuses.
    if message.get("params").is_some_and(Value::is_null)
        && let Some(members) = message.as_object_mut()
    {
        members.remove("params");
    }
    let id = message.get("id").and_then(|id| serde_json::from_value(id.clone()).ok()).unwrap_or(Id::Null);
    if message.get("method").is_some() {
        return match serde_json::from_value(message) {
            Ok(request) => Incoming::Call(request),
            Err(_) => Incoming::Invalid(id, Error::invalid_request()),
        };
    }
    match (id, message.get("error"), message.get("result")) {
        (Id::Number(id), Some(error), _) if !error.is_null() => {
            let text = error.get("message").and_then(Value::as_str).unwrap_or("no reason given").to_owned();
            let mut refused = Error::internal_error();
            refused.message = text.into();
            Incoming::Answer(id, Err(refused))
        }
        // A result of `null` is left out by some clients.
        (Id::Number(id), _, result) => Incoming::Answer(id, Ok(result.cloned().unwrap_or(Value::Null))),
        (id, _, _) => Incoming::Invalid(id, Error::invalid_request()),
    }
}

/// Reads one message. `Ok(None)` is the end of the input; an error leaves the input at the next message as far as
/// that can be told.
async fn read(input: &mut (impl AsyncBufReadExt + Unpin)) -> Result<Option<Vec<u8>>, String> {
    let mut length = None;
    let mut line = Vec::new();
    loop {
        line.clear();
        match input.read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return Ok(None),
            Ok(_) => {}
        }
        let header = String::from_utf8_lossy(&line);
        let header = header.trim();
        if header.is_empty() {
            match length {
                Some(length) if length <= MAX_MESSAGE_BYTES => break,
                Some(length) => return Err(format!("a message of {length} bytes is too large")),
                None => return Err("a message without Content-Length".to_owned()),
            }
        }
        if let Some((name, value)) = header.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse::<usize>().ok();
        }
    }
    let mut body = vec![0; length.unwrap_or_default()];
    match input.read_exact(&mut body).await {
        Ok(_) => Ok(Some(body)),
        Err(_) => Ok(None),
    }
}

async fn write(mut output: impl AsyncWrite + Unpin, mut messages: UnboundedReceiver<String>) {
    while let Some(message) = messages.recv().await {
        if message.is_empty() {
            break;
        }
        let framed = format!("Content-Length: {}\r\n\r\n{message}", message.len());
        if output.write_all(framed.as_bytes()).await.is_err() || output.flush().await.is_err() {
            // Nobody reads any more; the input will end as well.
            break;
        }
    }
}

/// A message from us, as text.
pub(super) fn message(id: Option<i64>, method: &str, params: &Value) -> String {
    match id {
        Some(id) => json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).to_string(),
        None => json!({"jsonrpc": "2.0", "method": method, "params": params}).to_string(),
    }
}
