//! A small real HTTP/1.1 server on the loopback, which serves one file in every good and bad way that a test asks for.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;

/// One request, as far as a hub looks at it.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) range: Option<Range<usize>>,
    pub(crate) authorization: Option<String>,
}

impl Request {
    /// Whether it only asks for the first byte, to see what is there.
    pub(crate) fn is_probe(&self) -> bool {
        self.range == Some(0..1)
    }
}

/// What a handler writes its answer to.
pub(crate) struct Answer<'a> {
    stream: &'a mut TcpStream,
    shared: &'a Shared,
}

impl Answer<'_> {
    /// A status without a body, with headers of its own (`Name: value\r\n`).
    pub(crate) fn status(&mut self, status: u16, headers: &str) {
        self.raw(
            format!("HTTP/1.1 {status} X\r\n{headers}Content-Length: 0\r\nConnection: close\r\n\r\n")
                .as_bytes(),
        );
    }

    /// A status with headers and a body of the test's own.
    #[allow(dead_code, reason = "each test binary that includes this file uses a part of it")]
    pub(crate) fn head(&mut self, status: u16, headers: &str, body: &[u8]) {
        self.raw(format!("HTTP/1.1 {status} X\r\n{headers}Connection: close\r\n\r\n").as_bytes());
        self.raw(body);
    }

    /// The asked range of the body, as a server that honours ranges does it; cut off after `limit` bytes.
    pub(crate) fn range(&mut self, request: &Request, body: &[u8], limit: usize) {
        let range = request.range.clone().expect("the client asks for ranges");
        let range = range.start..range.end.min(body.len());
        let head = format!(
            "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {}-{}/{}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            range.start,
            range.end - 1,
            body.len(),
            range.len(),
        );
        self.body(&head, &body[range], limit);
    }

    /// The whole body whatever was asked for; cut off after `limit` bytes.
    pub(crate) fn whole(&mut self, body: &[u8], limit: usize) {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
        self.body(&head, body, limit);
    }

    /// Says nothing until the server is taken down.
    pub(crate) fn stall(&mut self) {
        let stopped = self.shared.stopped.lock().unwrap();
        drop(self.shared.wake.wait_while(stopped, |stopped| !*stopped).unwrap());
    }

    fn body(&mut self, head: &str, body: &[u8], limit: usize) {
        let body = &body[..body.len().min(limit)];
        self.raw(head.as_bytes());
        self.raw(body);
        self.shared.served.fetch_add(body.len() as u64, Ordering::SeqCst);
    }

    fn raw(&mut self, bytes: &[u8]) {
        // The client may hang up whenever it likes.
        let _ = self.stream.write_all(bytes);
    }
}

struct Shared {
    requests: Mutex<Vec<Request>>,
    served: AtomicU64,
    stopping: AtomicBool,
    stopped: Mutex<bool>,
    wake: Condvar,
}

/// The server; ends with this value.
pub(crate) struct Server {
    pub(crate) url: String,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

impl Server {
    pub(crate) fn start(handler: impl Fn(&Request, &mut Answer<'_>) + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared {
            requests: Mutex::default(),
            served: AtomicU64::new(0),
            stopping: AtomicBool::new(false),
            stopped: Mutex::new(false),
            wake: Condvar::new(),
        });
        let handler = Arc::new(handler);
        let accepting = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                let mut answering = Vec::new();
                for stream in listener.incoming() {
                    if shared.stopping.load(Ordering::SeqCst) {
                        break;
                    }
                    let (Ok(mut stream), shared, handler) =
                        (stream, Arc::clone(&shared), Arc::clone(&handler))
                    else {
                        continue;
                    };
                    answering.push(std::thread::spawn(move || {
                        let Some(request) = read_request(&stream) else { return };
                        shared.requests.lock().unwrap().push(request.clone());
                        handler(&request, &mut Answer { stream: &mut stream, shared: &shared });
                    }));
                }
                for thread in answering {
                    thread.join().unwrap();
                }
            }
        });
        Server { url, shared, accepting: Some(accepting) }
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.shared.requests.lock().unwrap().clone()
    }

    /// Bytes of bodies sent so far.
    pub(crate) fn served(&self) -> u64 {
        self.shared.served.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        *self.shared.stopped.lock().unwrap() = true;
        self.shared.wake.notify_all();
        // One more connection, so that the accepting thread looks up.
        let _ = TcpStream::connect(self.url.trim_start_matches("http://"));
        let ended = self.accepting.take().map(JoinHandle::join);
        if !std::thread::panicking() {
            ended.unwrap().unwrap();
        }
    }
}

fn read_request(stream: &TcpStream) -> Option<Request> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next()?.ok()?;
    let mut words = first.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut request = Request { method, path, range: None, authorization: None };
    for line in lines {
        let line = line.ok()?;
        let Some((name, value)) = line.split_once(": ") else { return Some(request) };
        match name.to_ascii_lowercase().as_str() {
            "range" => {
                let (start, end) = value.strip_prefix("bytes=")?.split_once('-')?;
                request.range = Some(start.parse().ok()?..end.parse::<usize>().ok()? + 1);
            }
            "authorization" => request.authorization = Some(value.to_owned()),
            _ => {}
        }
    }
    None
}
