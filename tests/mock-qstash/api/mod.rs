//! The HTTP API: who may ask, and which function answers which path.

mod dlq;
mod flows;
mod groups;
mod keys;
mod logs;
mod messages;
mod publish;
mod queues;

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{DefaultBodyLimit, Request, State},
    http::{HeaderMap, HeaderName, StatusCode, Uri, header::AUTHORIZATION},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{delete, get, post},
};
use tokio::net::TcpListener;

use super::{engine::Engine, failed::Failed, faults::Refusal, inspect, target::pairs};

type App = State<Arc<Engine>>;
type Answer = Result<Response, Failed>;

/// Larger bodies than any plan of the service allows are not read.
const LONGEST_BODY: usize = 128 << 20;

/// Answers until it is dropped.
pub(crate) async fn serve(listener: TcpListener, engine: Arc<Engine>) {
    let app = router(&engine).into_make_service_with_connect_info::<SocketAddr>();
    // It returns only for a shutdown, which is not asked for.
    let _ = axum::serve(listener, app).await;
}

fn router(engine: &Arc<Engine>) -> Router {
    let publishers = Router::new()
        .route("/v2/publish/{*destination}", post(publish::publish))
        .route("/v2/enqueue/{queue}/{*destination}", post(publish::enqueue))
        .route("/v2/batch", post(publish::batch))
        .route_layer(from_fn_with_state(Arc::clone(engine), refuse));
    Router::new()
        .merge(publishers)
        .route("/v2/messages", delete(messages::cancel_many))
        .route(
            "/v2/messages/{id}",
            get(messages::get).delete(messages::cancel),
        )
        .route("/v2/dlq", get(dlq::list).delete(dlq::delete_many))
        .route("/v2/dlq/retry", post(dlq::retry_many))
        .route("/v2/dlq/retry/{id}", post(dlq::retry))
        .route("/v2/dlq/{id}", get(dlq::get).delete(dlq::delete))
        .route("/v2/events", get(logs::events))
        .route("/v2/logs", get(logs::logs))
        .route("/v2/queues", get(queues::list).post(queues::set))
        .route("/v2/queues/{name}", get(queues::get).delete(queues::delete))
        .route("/v2/queues/{name}/{action}", post(queues::act))
        .route("/v2/topics", get(groups::list))
        .route("/v2/topics/{name}", get(groups::get).delete(groups::delete))
        .route(
            "/v2/topics/{name}/endpoints",
            post(groups::add).delete(groups::remove),
        )
        .route("/v2/flowControl", get(flows::list))
        .route("/v2/flowControl/{key}", get(flows::get))
        .route("/v2/flowControl/{key}/{action}", post(flows::act))
        .route("/v2/globalParallelism", get(flows::global))
        .route("/v2/keys", get(keys::get))
        .route("/v2/keys/rotate", post(keys::rotate))
        .fallback(unknown)
        .layer(from_fn_with_state(Arc::clone(engine), authorize))
        .layer(from_fn_with_state(Arc::clone(engine), record))
        .layer(DefaultBodyLimit::max(LONGEST_BODY))
        .with_state(Arc::clone(engine))
}

async fn unknown(uri: Uri) -> Failed {
    Failed::not_found(uri.path())
}

/// The token may stand in the header or in the query.
async fn authorize(State(engine): App, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let bearer = headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let query = pairs(request.uri().query().unwrap_or_default());
    let in_query = query
        .iter()
        .find(|(name, _)| name == "qstash_token")
        .map(|(_, token)| token.as_str());
    let is_known = engine.look(|book| bearer.or(in_query) == Some(&book.settings.token));
    if is_known {
        return next.run(request).await;
    }
    Failed::new(StatusCode::UNAUTHORIZED, "unauthorized: invalid token").into_response()
}

/// Keeps every request as it came, for tests to look at.
async fn record(State(engine): App, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, LONGEST_BODY).await else {
        return Failed::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "the body is too large or incomplete",
        )
        .into_response();
    };
    let (method, target, headers) = (
        parts.method.clone(),
        parts.uri.to_string(),
        parts.headers.clone(),
    );
    let answer = next
        .run(Request::from_parts(parts, Body::from(body.clone())))
        .await;
    let status = answer.status().as_u16();
    engine.change(|book| {
        book.record(inspect::Request {
            method,
            target,
            headers,
            body,
            status,
        });
    });
    answer
}

/// Refuses a publisher where a fault says so.
async fn refuse(State(engine): App, request: Request, next: Next) -> Response {
    let refusal = engine.change(|book| {
        let number = book.publications;
        book.publications += 1;
        let refusal = book.faults.refuse.as_mut()?;
        refusal
            .when
            .meets(number, &mut book.random)
            .then(|| refusal.clone())
    });
    match refusal {
        None => next.run(request).await,
        Some(refusal) => {
            if refusal.accepted {
                next.run(request).await;
            }
            refused(&refusal)
        }
    }
}

fn refused(refusal: &Refusal) -> Response {
    let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let named = refusal
        .headers
        .iter()
        .filter_map(|(name, value)| Some((name.parse::<HeaderName>().ok()?, value.parse().ok()?)));
    let headers: HeaderMap = named.collect();
    (headers, Failed::new(status, "the mock refuses")).into_response()
}
