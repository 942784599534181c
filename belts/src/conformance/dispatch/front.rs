//! The destination of a pushing transport: it keeps messages, or passes them to a worker, with faults.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Request, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
};
use tokio::{
    net::TcpListener,
    sync::{Mutex as AsyncMutex, Notify, mpsc},
    task::JoinHandle,
};
use tower_service::Service as _;

use super::arrived::{Arrived, PATIENCE};
use crate::{
    clock::{Clock as _, SystemClock},
    dispatch::wire,
    error::{Error, Result},
};

/// The most bytes of a body.
const MOST: usize = 8 * 1024 * 1024;

/// How deliveries go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Fault {
    #[default]
    None,
    /// Each is made twice, in sequence.
    Twice,
    /// Each is made twice, concurrently.
    TwiceAtOnce,
    /// The first acknowledgement of each is lost.
    LostAcknowledgement,
    /// The first is held back until the others have arrived.
    Reordered { others: usize },
}

/// An address that a transport can send to.
pub(super) struct Front {
    pub(super) url: String,
    state: Arc<Shared>,
    arrived: AsyncMutex<mpsc::UnboundedReceiver<Arrived>>,
    server: JoinHandle<()>,
}

struct Shared {
    fault: Fault,
    /// The worker behind it, if any.
    worker: Mutex<Option<Router>>,
    arrivals: mpsc::UnboundedSender<Arrived>,
    /// How often the worker responded to each body.
    answered: Mutex<HashMap<Bytes, usize>>,
    passed: AtomicUsize,
    passing: Notify,
}

impl Front {
    /// A destination that keeps messages and reports success.
    pub(super) async fn inbox() -> Result<Self> {
        Self::open(Fault::None).await
    }

    /// A destination for a worker to be put behind it.
    pub(super) async fn open(fault: Fault) -> Result<Self> {
        let cannot = |error| Error::dispatcher("the suite cannot listen on this machine", error);
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(cannot)?;
        let url = format!("http://{}/belts", listener.local_addr().map_err(cannot)?);
        let (arrivals, arrived) = mpsc::unbounded_channel();
        let state = Arc::new(Shared {
            fault,
            worker: Mutex::new(None),
            arrivals,
            answered: Mutex::default(),
            passed: AtomicUsize::new(0),
            passing: Notify::new(),
        });
        let app = Router::new().fallback(take).with_state(Arc::clone(&state));
        let server = tokio::spawn(async move {
            // It ends when the front is dropped.
            drop(axum::serve(listener, app).await);
        });
        Ok(Self {
            url,
            state,
            arrived: AsyncMutex::new(arrived),
            server,
        })
    }

    /// Puts a worker behind it, or takes it away.
    pub(super) fn lead_to(&self, worker: Option<Router>) {
        *self
            .state
            .worker
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = worker;
    }

    /// The next body that arrived.
    pub(super) async fn next(&self) -> Arrived {
        let mut arrived = self.arrived.lock().await;
        let next = tokio::time::timeout(PATIENCE, arrived.recv()).await;
        next.ok().flatten().expect("a message arrives in time")
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl std::fmt::Debug for Front {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Front").field(&self.url).finish()
    }
}

async fn take(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, MOST).await else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let worker = shared
        .worker
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    let Some(worker) = worker else {
        // Somebody may have stopped listening.
        let kept = shared.arrivals.send(Arrived {
            body: body.to_vec(),
            at: SystemClock.now(),
        });
        drop(kept);
        return taken(&parts.headers, &body);
    };
    let deliver = || {
        let mut request = Request::from_parts(parts.clone(), Body::from(body.clone()));
        *request.uri_mut() = "/".parse().expect("the root is a URI");
        let mut worker = worker.clone();
        async move {
            match worker.call(request).await {
                Ok(response) => response,
                Err(never) => match never {},
            }
        }
    };
    shared.meddle(&body, deliver).await
}

/// Responds that a message was accepted, as a worker does.
fn taken(headers: &HeaderMap, body: &[u8]) -> Response {
    let named = wire::Body::read(body).ok();
    let named = named.and_then(|body| body.context.event_id);
    let message = headers
        .get(wire::WEBHOOK_ID)
        .and_then(|id| id.to_str().ok());
    let event_id = named.or_else(|| message.map(wire::webhook_event_id));
    let answer = serde_json::json!({"eventId": event_id, "runs": []});
    (StatusCode::ACCEPTED, answer.to_string()).into_response()
}

impl Shared {
    async fn meddle<F: Future<Output = Response>>(
        &self,
        body: &Bytes,
        deliver: impl Fn() -> F,
    ) -> Response {
        match self.fault {
            Fault::None => deliver().await,
            Fault::Twice => {
                deliver().await;
                deliver().await
            }
            Fault::TwiceAtOnce => tokio::join!(deliver(), deliver()).0,
            Fault::LostAcknowledgement => {
                let response = deliver().await;
                let mut answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
                let times = answered.entry(body.clone()).or_default();
                *times += 1;
                if *times == 1 && response.status().is_success() {
                    return StatusCode::BAD_GATEWAY.into_response();
                }
                response
            }
            Fault::Reordered { others } => {
                if self.passed.fetch_add(1, Ordering::SeqCst) == 0 {
                    while self.passed.load(Ordering::SeqCst) <= others {
                        self.passing.notified().await;
                    }
                }
                self.passing.notify_one();
                deliver().await
            }
        }
    }
}
