//! A client of the server that does nothing by itself: messages in and out of a `redraft lsp` process, with their times.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::Context;
use serde_json::{Value, json};

/// See the module's description.
pub(super) struct Client {
    server: Child,
    input: ChildStdin,
    messages: Receiver<(Instant, Value)>,
    next_id: u64,
}

impl Client {
    /// Starts a server of this very program.
    pub(super) fn start() -> anyhow::Result<Client> {
        let program = std::env::current_exe().context("cannot tell where this program is")?;
        let mut server = Command::new(program)
            .arg("lsp")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start the server")?;
        let (input, output) = (server.stdin.take(), server.stdout.take());
        let (input, output) = (input.context("the server has no input")?, output.context("no output")?);
        let (sender, messages) = channel();
        std::thread::spawn(move || {
            let mut output = BufReader::new(output);
            while let Some(message) = read(&mut output) {
                if sender.send((Instant::now(), message)).is_err() {
                    return;
                }
            }
        });
        Ok(Client { server, input, messages, next_id: 1 })
    }

    fn send(&mut self, message: &Value) -> anyhow::Result<()> {
        let body = message.to_string();
        write!(self.input, "Content-Length: {}\r\n\r\n{body}", body.len()).context("the server has ended")?;
        self.input.flush().context("the server has ended")
    }

    pub(super) fn notify(&mut self, method: &str, params: &Value) -> anyhow::Result<()> {
        self.send(&json!({"jsonrpc": "2.0", "method": method, "params": params}))
    }

    /// Sends a request and gives its id.
    pub(super) fn request(&mut self, method: &str, params: &Value) -> anyhow::Result<u64> {
        let id = self.next_id;
        self.next_id += 1;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}))?;
        Ok(id)
    }

    /// The next answer that comes before `until`: the request's id, when it came, and its result.
    pub(super) fn answer(&mut self, until: Instant) -> anyhow::Result<Option<(u64, Instant, Value)>> {
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let (came, message) = match self.messages.recv_timeout(left) {
                Ok(message) => message,
                Err(RecvTimeoutError::Timeout) => return Ok(None),
                Err(RecvTimeoutError::Disconnected) => anyhow::bail!("the server ended early"),
            };
            match (message.get("method"), message.get("id")) {
                // Whatever the server asks, nobody is here to answer.
                (Some(_), Some(id)) => self.send(&json!({"jsonrpc": "2.0", "id": id, "result": null}))?,
                (None, Some(id)) => {
                    if let Some(error) = message.get("error") {
                        anyhow::bail!("the server refused a request: {error}");
                    }
                    return Ok(id.as_u64().map(|id| (id, came, message["result"].clone())));
                }
                _ => {}
            }
        }
    }

    /// Waits for the answer to one request, at most a minute.
    pub(super) fn wait(&mut self, id: u64) -> anyhow::Result<Value> {
        let until = Instant::now() + Duration::from_secs(60);
        while let Some((answered, _, result)) = self.answer(until)? {
            if answered == id {
                return Ok(result);
            }
        }
        anyhow::bail!("the server did not answer for a minute")
    }

    /// Ends the server.
    pub(super) fn end(mut self) -> anyhow::Result<()> {
        let id = self.request("shutdown", &Value::Null)?;
        self.wait(id)?;
        self.notify("exit", &Value::Null)?;
        self.server.wait().context("the server does not end")?;
        Ok(())
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // It may have ended long ago.
        let _ = self.server.kill();
    }
}

fn read(output: &mut impl BufRead) -> Option<Value> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if output.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim().strip_prefix("Content-Length: ") {
            Some(value) => length = value.parse().ok()?,
            None if line.trim().is_empty() => break,
            None => {}
        }
    }
    let mut body = vec![0; length];
    output.read_exact(&mut body).ok()?;
    serde_json::from_slice(&body).ok()
}
