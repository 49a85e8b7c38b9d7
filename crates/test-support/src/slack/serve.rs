//! One port for calls, uploads and connections.

use std::sync::Arc;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response, StatusCode};

use super::api::{self, HungUp};
use super::{Shared, socket};
use crate::serve::{is_websocket, websocket};

pub(super) async fn handle(
    mut request: Request<Incoming>,
    shared: Arc<Shared>,
) -> Result<Response<Full<Bytes>>, HungUp> {
    if is_websocket(&request) {
        // An address is good for one connection.
        let ticket = request.uri().query().unwrap_or_default().to_owned();
        if !shared.state.lock().unwrap().tickets.remove(&ticket) {
            let refused = Response::builder().status(StatusCode::FORBIDDEN);
            return Ok(refused.body(Full::default()).unwrap());
        }
        return Ok(websocket(&mut request, |stream| {
            socket::serve(stream, shared)
        }));
    }
    let (head, body) = request.into_parts();
    let Ok(body) = body.collect().await else {
        return Err(HungUp);
    };
    api::answer(&head, &body.to_bytes(), &shared).await
}
