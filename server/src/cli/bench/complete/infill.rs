//! The same tasks asked of a llama.cpp server's `/infill`, for comparison.

use std::time::Instant;

use anyhow::{Context, bail};
use reqwest::Client;
use serde::Deserialize;
use serde_json::json;

/// A running server.
pub(super) struct Infill {
    address: String,
    client: Client,
}

/// What it answered.
#[derive(Clone, Debug, Default)]
pub(super) struct Answer {
    pub(super) text: String,
    /// When the first line was there.
    pub(super) first_line_seconds: f64,
    pub(super) seconds: f64,
}

/// How it is asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asking {
    /// Whether it may go on from what it holds of the request before.
    pub(super) warm: bool,
    pub(super) max_tokens: usize,
    /// Whether the text ends with its line.
    pub(super) one_line: bool,
}

#[derive(Deserialize)]
struct Piece {
    #[serde(default)]
    content: String,
    #[serde(default)]
    error: Option<serde_json::Value>,
}

impl Infill {
    /// The server at an address such as `http://127.0.0.1:8080`.
    pub(super) fn new(address: &str) -> Infill {
        Infill {
            address: format!("{}/infill", address.trim_end_matches('/')),
            // A connection that was kept may be closed by the time it is used again.
            client: Client::builder().no_proxy().pool_max_idle_per_host(0).build().unwrap_or_default(),
        }
    }

    /// Greedy text for a hole. As its editor plugins do, the cursor's line goes in as the beginning of the middle, so
    /// that a key costs its own token.
    pub(super) async fn ask(&self, prefix: &str, suffix: &str, asking: Asking) -> anyhow::Result<Answer> {
        let line = prefix.rfind('\n').map_or(0, |at| at + 1);
        let body = json!({
            "input_prefix": prefix[..line],
            "prompt": prefix[line..],
            "input_suffix": suffix,
            "n_predict": asking.max_tokens,
            "samplers": ["top_k"],
            "top_k": 1,
            "temperature": 0.0,
            "cache_prompt": asking.warm,
            "stop": if asking.one_line { vec!["\n"] } else { Vec::new() },
            "stream": true,
        });
        let started = Instant::now();
        let failed = || format!("{} does not answer", self.address);
        let request = self.client.post(&self.address).header("content-type", "application/json");
        let mut response = request.body(body.to_string()).send().await.with_context(failed)?;
        if !response.status().is_success() {
            bail!("{} refuses: {}", self.address, response.text().await.unwrap_or_default());
        }
        let mut answer = Answer::default();
        let mut first_line = None;
        let mut held: Vec<u8> = Vec::new();
        while let Some(chunk) = response.chunk().await.with_context(failed)? {
            held.extend(&chunk);
            while let Some(end) = held.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = held.drain(..=end).collect();
                let Some(data) = line.strip_prefix(b"data: ") else { continue };
                let Ok(piece) = serde_json::from_slice::<Piece>(data) else { continue };
                if let Some(error) = piece.error {
                    bail!("{} failed: {error}", self.address);
                }
                answer.text += &piece.content;
                if answer.text.trim_start().contains('\n') {
                    first_line.get_or_insert(started.elapsed());
                }
            }
        }
        answer.seconds = started.elapsed().as_secs_f64();
        answer.first_line_seconds = first_line.map_or(answer.seconds, |first| first.as_secs_f64());
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpListener;

    #[tokio::test]
    async fn a_stream_is_put_together_and_its_first_line_noticed() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"}") {
                let mut bytes = [0; 4096];
                let count = stream.read(&mut bytes).unwrap();
                request.extend(&bytes[..count]);
            }
            let body = "data: {\"content\":\"a +\"}\n\ndata: {\"content\":\" b\\n\"}\n\ndata: {\"content\":\"c\",\"stop\":true}\n\n";
            write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()).unwrap();
            String::from_utf8(request).unwrap()
        });
        let asking = Asking { warm: false, max_tokens: 9, one_line: false };
        let answer = Infill::new(&address).ask("x\ny = ", "\nz", asking).await.unwrap();
        assert_eq!(answer.text, "a + b\nc");
        assert!(answer.first_line_seconds <= answer.seconds);
        let request = server.join().unwrap();
        assert!(
            request.contains(r#""input_prefix":"x\n","prompt":"y = ","input_suffix":"\nz","n_predict":9"#)
        );
    }
}
