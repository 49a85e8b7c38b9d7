//! A web page on another origin.

use std::convert::Infallible;
use std::net::SocketAddr;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, server::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::Failure;

/// Serves this page at every path, for as long as the runtime exists.
pub(crate) async fn serve(html: String) -> Result<SocketAddr, Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let page = Bytes::from(html);
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let page = page.clone();
            let answer = service_fn(move |_: Request<Incoming>| {
                let mut answer = Response::new(Full::new(page.clone()));
                let kind = HeaderValue::from_static("text/html; charset=utf-8");
                answer.headers_mut().insert(CONTENT_TYPE, kind);
                async { Ok::<_, Infallible>(answer) }
            });
            let serving = http1::Builder::new().serve_connection(TokioIo::new(socket), answer);
            // A browser that disconnects is not an error.
            tokio::spawn(async { serving.await.ok() });
        }
    });
    Ok(address)
}
