//! Its HTTP server: calls, and streams of events.

use std::convert::Infallible;
use std::sync::Arc;

use futures_util::stream;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::header::CONTENT_TYPE;
use hyper::{Method, Request, Response};
use tokio::sync::mpsc;

use super::{Shared, Stream};

type Body = UnsyncBoxBody<Bytes, Infallible>;

pub(super) async fn handle(
    request: Request<Incoming>,
    shared: Arc<Shared>,
) -> Result<Response<Body>, hyper::Error> {
    let status = |status: u16| {
        let response = Response::builder().status(status);
        response.body(Full::default().boxed_unsync()).unwrap()
    };
    let asked = shared.state().statuses.pop_front();
    if let Some(asked) = asked {
        return Ok(status(asked));
    }
    let (head, body) = request.into_parts();
    Ok(match (&head.method, head.uri.path()) {
        (&Method::GET, "/api/v1/check") => status(200),
        (&Method::GET, "/api/v1/events") => {
            events(head.uri.query(), &shared).unwrap_or_else(|| status(400))
        }
        (&Method::POST, "/api/v1/rpc") => {
            let body = body.collect().await?.to_bytes();
            let answer = shared.answer(&body).await.to_string();
            Response::builder()
                .header(CONTENT_TYPE, "application/json")
                .body(Full::from(answer).boxed_unsync())
                .unwrap()
        }
        _ => status(404),
    })
}

/// A stream that is open, until this is dropped.
struct Open {
    receiver: mpsc::UnboundedReceiver<Vec<u8>>,
    number: usize,
    shared: Arc<Shared>,
}

impl Drop for Open {
    fn drop(&mut self) {
        let number = self.number;
        self.shared
            .state()
            .streams
            .retain(|stream| stream.number != number);
        self.shared.changed();
    }
}

/// A stream of events, which begins with a sign of life. `None` for an account that is not there.
fn events(query: Option<&str>, shared: &Arc<Shared>) -> Option<Response<Body>> {
    let account = query.and_then(|query| query.strip_prefix("account="));
    let account = account.map(|account| account.replace("%2B", "+"));
    let receiver = {
        let mut state = shared.state();
        if account
            .as_ref()
            .is_some_and(|account| !state.accounts.contains(account))
        {
            return None;
        }
        let (sender, receiver) = mpsc::unbounded_channel();
        let _ = sender.send(b":\n".to_vec());
        state.opened += 1;
        let stream = Stream {
            number: state.opened,
            account,
            events: sender,
        };
        let (own, others) = std::mem::take(&mut state.kept)
            .into_iter()
            .partition::<Vec<_>, _>(|(account, _)| stream.is_for(account));
        state.kept = others;
        for (_, bytes) in own {
            let _ = stream.events.send(bytes);
        }
        let number = stream.number;
        state.streams.push(stream);
        Open {
            receiver,
            number,
            shared: Arc::clone(shared),
        }
    };
    shared.changed();
    let frames = stream::unfold(receiver, async |mut open| {
        let bytes = open.receiver.recv().await?;
        Some((Ok(Frame::data(Bytes::from(bytes))), open))
    });
    let response = Response::builder().header(CONTENT_TYPE, "text/event-stream");
    Some(
        response
            .body(StreamBody::new(frames).boxed_unsync())
            .unwrap(),
    )
}
