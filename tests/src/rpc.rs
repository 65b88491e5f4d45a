//! One connection to a server: frames in and out, and the messages that were not claimed yet.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// How long a test waits for a message that must come. Generous: it only matters when a test fails.
const LIMIT: Duration = Duration::from_secs(60);

/// A connection; see the module's description.
pub struct Connection {
    output: Box<dyn AsyncWrite + Unpin + Send>,
    incoming: UnboundedReceiver<Value>,
    unclaimed: VecDeque<Value>,
    next_id: i64,
}

impl Connection {
    /// Talks over these two streams.
    pub fn new(
        input: impl AsyncRead + Unpin + Send + 'static,
        output: impl AsyncWrite + Unpin + Send + 'static,
    ) -> Self {
        let (sender, incoming) = unbounded_channel();
        tokio::spawn(async move {
            let mut input = BufReader::new(input);
            while let Some(message) = read(&mut input).await {
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        Self { output: Box::new(output), incoming, unclaimed: VecDeque::new(), next_id: 1 }
    }

    /// Sends bytes as they are.
    pub async fn send_raw(&mut self, bytes: &[u8]) {
        self.output.write_all(bytes).await.expect("the server reads");
        self.output.flush().await.expect("the server reads");
    }

    /// Sends a message.
    pub async fn send(&mut self, message: &Value) {
        let body = message.to_string();
        self.send_raw(format!("Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes()).await;
    }

    /// Sends a notification.
    pub async fn notify(&mut self, method: &str, params: Value) {
        self.send(&json!({"jsonrpc": "2.0", "method": method, "params": params})).await;
    }

    /// Sends a request and gives its id.
    pub async fn start(&mut self, method: &str, params: Value) -> i64 {
        let id = self.next_id;
        self.next_id += 1;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})).await;
        id
    }

    /// Answers a request of the server.
    pub async fn answer(&mut self, request: &Value, result: Value) {
        self.send(&json!({"jsonrpc": "2.0", "id": request["id"], "result": result})).await;
    }

    /// Claims the first message, past or future, that fits.
    ///
    /// # Panics
    /// When none comes within the limit, or the server has gone.
    pub async fn claim(&mut self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        if let Some(at) = self.unclaimed.iter().position(&fits) {
            return self.unclaimed.remove(at).expect("it is there");
        }
        loop {
            let message = tokio::time::timeout(LIMIT, self.incoming.recv()).await;
            match message {
                Ok(Some(message)) if fits(&message) => return message,
                Ok(Some(message)) => self.unclaimed.push_back(message),
                Ok(None) => panic!("the server went away while the test waited for {what}{}", self.seen()),
                Err(_) => panic!("no {what} came{}", self.seen()),
            }
        }
    }

    /// The result or the error that answers a request of ours.
    pub async fn response(&mut self, id: i64) -> Result<Value, Value> {
        let fits = |message: &Value| message.get("method").is_none() && message["id"] == id;
        let message = self.claim(&format!("answer to request {id}"), fits).await;
        match message.get("error") {
            Some(error) => Err(error.clone()),
            None => Ok(message["result"].clone()),
        }
    }

    /// Waits until the server closes the connection, and gives what was never claimed.
    pub async fn drain(&mut self) -> Vec<Value> {
        while let Some(message) =
            tokio::time::timeout(LIMIT, self.incoming.recv()).await.expect("the server ends")
        {
            self.unclaimed.push_back(message);
        }
        self.unclaimed.drain(..).collect()
    }

    /// Closes our side.
    pub async fn close(&mut self) {
        // The server may be gone already.
        let _ = self.output.shutdown().await;
        self.output = Box::new(tokio::io::sink());
    }

    fn seen(&self) -> String {
        let mut text = String::from("; unclaimed, the newest first:");
        for message in self.unclaimed.iter().rev().take(20) {
            let _ = write!(text, "\n  {message}");
        }
        text
    }
}

async fn read(input: &mut BufReader<impl AsyncRead + Unpin>) -> Option<Value> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if input.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        match line.trim().strip_prefix("Content-Length: ") {
            Some(value) => length = value.parse().expect("a length"),
            None if line.trim().is_empty() => break,
            None => panic!("a header that is none of ours: {line:?}"),
        }
    }
    let mut body = vec![0; length];
    input.read_exact(&mut body).await.ok()?;
    Some(serde_json::from_slice(&body).expect("the server sends JSON"))
}
