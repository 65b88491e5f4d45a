//! A stand-in for the engine, for tests of the protocol: how the server behaves while an apply is slow, stuck or
//! failing is asked without a model that is slow, stuck or failing. What edits are right is tested with real engines.

use std::sync::{Arc, Mutex};

use redraft_server::apply::{Applied, ApplyError, ApplyOptions, ApplyRequest, Route, RouteTaken};
use redraft_server::complete::{Counted, Plan, WriteError, Written};
use redraft_server::lsp::{Availability, Engine, Model, Step};
use redraft_server::session::ModelConfig;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_util::sync::CancellationToken;

/// What the test tells a running apply to do.
pub enum Order {
    /// Report a step.
    Step(Step),
    /// End with this text.
    Finish(String),
    /// End with this text, held back for this reason.
    Ask(String, &'static str),
    /// Panic.
    Crash,
}

/// An apply that has reached the engine.
pub struct Running {
    /// What was asked.
    pub request: ApplyRequest,
    /// The server's token for it.
    pub cancel: CancellationToken,
    orders: std::sync::mpsc::Sender<Order>,
}

impl Running {
    /// Tells it what to do next.
    pub fn order(&self, order: Order) {
        // An apply that was cancelled takes no orders any more.
        let _ = self.orders.send(order);
    }

    /// Reports verified text.
    pub fn write(&self, text: &str) {
        self.order(Order::Step(Step::Writing { text: text.to_owned(), tokens_per_second: Some(123.0) }));
    }

    /// Ends it.
    pub fn finish(&self, output: impl Into<String>) {
        self.order(Order::Finish(output.into()));
    }
}

/// A completion that has reached the engine.
pub struct Writing {
    /// What was asked.
    pub plan: Plan,
    /// Whether nobody waits for it yet.
    pub ahead: bool,
    /// The server's token for it.
    pub cancel: CancellationToken,
    text: std::sync::mpsc::Sender<WritingOrder>,
}

enum WritingOrder {
    SoFar(String),
    Finish(String),
}

impl Writing {
    /// Says that so much is written.
    pub fn so_far(&self, text: impl Into<String>) {
        // As below.
        let _ = self.text.send(WritingOrder::SoFar(text.into()));
    }

    /// Ends it with this text, of which the engine is as good as sure.
    pub fn finish(&self, text: impl Into<String>) {
        // A completion that was cancelled takes no text any more.
        let _ = self.text.send(WritingOrder::Finish(text.into()));
    }
}

/// How a fetch ended.
type Fetched = Result<(), String>;

/// The stand-in. Without a model it is never sure, so that each apply comes to the model; there it does as told.
pub struct Scripted {
    turn: Semaphore,
    running: UnboundedSender<Running>,
    availability: Mutex<Availability>,
    configured: Mutex<String>,
    prepared: tokio::sync::watch::Sender<Vec<ApplyRequest>>,
    /// What became of completions, as far as the server had it kept.
    pub counted: tokio::sync::watch::Sender<Counted>,
    writing: UnboundedSender<Writing>,
    writings: Mutex<Option<UnboundedReceiver<Writing>>>,
    fetched: (std::sync::mpsc::Sender<Fetched>, Mutex<std::sync::mpsc::Receiver<Fetched>>),
}

impl Scripted {
    /// The stand-in, and the applies that reach it.
    pub fn new() -> (Arc<Self>, UnboundedReceiver<Running>) {
        let (running, receiver) = unbounded_channel();
        let (fetched, waits) = std::sync::mpsc::channel();
        let (writing, writings) = unbounded_channel();
        let engine = Self {
            turn: Semaphore::new(1),
            running,
            availability: Mutex::new(Availability::Ready),
            configured: Mutex::default(),
            prepared: tokio::sync::watch::Sender::default(),
            counted: tokio::sync::watch::Sender::default(),
            writing,
            writings: Mutex::new(Some(writings)),
            fetched: (fetched, Mutex::new(waits)),
        };
        (Arc::new(engine), receiver)
    }

    /// Says how it is with the model from now on.
    pub fn set_availability(&self, availability: Availability) {
        *self.availability.lock().unwrap() = availability;
    }

    /// The completions that reach it, given once; without a listener they have nothing to add.
    pub fn completions(&self) -> UnboundedReceiver<Writing> {
        self.writings.lock().unwrap().take().expect("asked for once")
    }

    /// Lets a fetch come to its end.
    pub fn end_fetch(&self) {
        self.fetched.0.send(Ok(())).expect("the engine is there");
    }

    /// Lets a fetch fail for this reason.
    pub fn fail_fetch(&self, reason: &str) {
        self.fetched.0.send(Err(reason.to_owned())).expect("the engine is there");
    }

    /// The name of the model that is configured.
    pub fn configured(&self) -> String {
        self.configured.lock().unwrap().clone()
    }

    /// What it was told to read ahead.
    pub fn prepared(&self) -> Vec<ApplyRequest> {
        self.prepared.borrow().clone()
    }

    /// Waits until it was told to read ahead so many times.
    pub async fn until_prepared(&self, times: usize) {
        let mut prepared = self.prepared.subscribe();
        prepared.wait_for(|prepared| prepared.len() >= times).await.expect("the engine is there");
    }
}

fn applied(output: String, why: Option<&str>) -> Applied {
    Applied {
        output,
        route: RouteTaken::Model,
        reason: "as the test says".to_owned(),
        confidence: 0.5,
        asks: why.is_some(),
        why: why.into_iter().map(str::to_owned).collect(),
        stats: None,
    }
}

/// A text that the model is sure of.
fn sure(text: String) -> Written {
    Written { tokens: vec![(text.len(), -0.01)], text, ..Written::default() }
}

impl Engine for Scripted {
    fn configure(&self, config: &ModelConfig) {
        config.name.clone_into(&mut self.configured.lock().unwrap());
    }

    fn models(&self) -> Vec<Model> {
        let model = |name: &str, here| Model { name: name.to_owned(), bytes: 100 << 20, here };
        vec![model("tiny", false), model("small", true), model("large", false)]
    }

    fn availability(&self) -> Availability {
        self.availability.lock().unwrap().clone()
    }

    fn load(&self) -> Result<(), String> {
        self.set_availability(Availability::Ready);
        Ok(())
    }

    fn fetch(
        &self,
        _: &CancellationToken,
        on_progress: &mut (dyn FnMut(u64, u64) + Send),
    ) -> Result<(), String> {
        on_progress(50 << 20, 100 << 20);
        self.fetched.1.lock().unwrap().recv().map_err(|error| error.to_string())??;
        self.set_availability(Availability::OnDisk);
        Ok(())
    }

    fn apply(
        &self,
        request: &ApplyRequest,
        _: &ApplyOptions,
        use_model: bool,
        cancel: &CancellationToken,
        on_step: &mut dyn FnMut(Step),
    ) -> Result<Applied, ApplyError> {
        if !use_model {
            return Ok(applied(request.original.clone(), Some("The test has the model decide.")));
        }
        let (orders, received) = std::sync::mpsc::channel();
        let running = Running { request: request.clone(), cancel: cancel.clone(), orders };
        self.running.send(running).expect("the test listens");
        loop {
            // A real engine looks at the token in every chunk.
            match received.recv_timeout(std::time::Duration::from_millis(5)) {
                _ if cancel.is_cancelled() => return Err(ApplyError::Cancelled),
                Ok(Order::Step(step)) => on_step(step),
                Ok(Order::Finish(output)) => return Ok(applied(output, None)),
                Ok(Order::Ask(output, why)) => return Ok(applied(output, Some(why))),
                Ok(Order::Crash) => panic!("the test has the engine panic"),
                Err(_) => {}
            }
        }
    }

    fn complete(
        &self,
        plan: &Plan,
        ahead: bool,
        cancel: &CancellationToken,
        on_text: &mut dyn FnMut(&Written),
    ) -> Option<Result<Written, WriteError>> {
        if *self.availability.lock().unwrap() != Availability::Ready {
            return None;
        }
        let (text, received) = std::sync::mpsc::channel();
        let writing = Writing { plan: plan.clone(), ahead, cancel: cancel.clone(), text };
        if self.writing.send(writing).is_err() {
            return Some(Ok(Written::default()));
        }
        loop {
            match received.recv_timeout(std::time::Duration::from_millis(5)) {
                _ if cancel.is_cancelled() => return Some(Err(WriteError::Cancelled)),
                Ok(WritingOrder::SoFar(text)) => on_text(&sure(text)),
                Ok(WritingOrder::Finish(text)) => return Some(Ok(sure(text))),
                Err(_) => {}
            }
        }
    }

    fn counted(&self) -> Counted {
        self.counted.borrow().clone()
    }

    fn keep_counted(&self, counted: &Counted) {
        self.counted.send_replace(counted.clone());
    }

    fn prepare(&self, request: &ApplyRequest, _: Route, _: &CancellationToken) {
        self.prepared.send_modify(|prepared| prepared.push(request.clone()));
    }

    fn turn(&self) -> &Semaphore {
        &self.turn
    }
}
