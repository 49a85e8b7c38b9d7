//! One port for requests and for connections to the gateway.

use std::sync::Arc;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response};

use super::rest::{self, HungUp};
use super::{Shared, socket};
use crate::serve::{is_websocket, websocket};

pub(super) async fn handle(
    mut request: Request<Incoming>,
    shared: Arc<Shared>,
) -> Result<Response<Full<Bytes>>, HungUp> {
    if is_websocket(&request) {
        let query = request.uri().query().unwrap_or_default().to_owned();
        return Ok(websocket(&mut request, |stream| async move {
            socket::serve(stream, &query, shared).await;
        }));
    }
    let (head, body) = request.into_parts();
    let Ok(body) = body.collect().await else {
        return Err(HungUp);
    };
    rest::answer(&head, &body.to_bytes(), &shared).await
}
