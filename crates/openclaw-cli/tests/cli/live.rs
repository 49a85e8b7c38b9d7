//! A gateway that runs for as long as a test does, on a port of its own.

use std::sync::Arc;
use std::thread::JoinHandle;

use openclaw_config::Config;
use openclaw_gateway::{Fingerprint, Gateway, Overrides, Settings, Tls};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::session::Session;

/// The token of such a gateway.
pub(crate) const TOKEN: &str = "token-of-a-test";

pub(crate) struct Live {
    pub(crate) port: u16,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Live {
    /// On the state of a session, by its clock.
    pub(crate) fn on(session: &mut Session) -> Self {
        Self::with(session, None)
    }

    /// The same behind a certificate that was made for it.
    pub(crate) fn encrypted(session: &mut Session) -> (Self, Fingerprint) {
        let dir = session.state().join("tls");
        let tls = Tls::self_made(&dir, session.service().now()).unwrap();
        let fingerprint = tls.fingerprint();
        (Self::with(session, Some(tls)), fingerprint)
    }

    fn with(session: &mut Session, tls: Option<Tls>) -> Self {
        let text = format!("{{ gateway: {{ auth: {{ token: {TOKEN:?} }}, localAdmin: true }} }}");
        let config = Config::parse(&text).unwrap();
        let settings = Settings::from_config(&config, &Overrides::default()).unwrap();
        let (service, entropy) = (session.service(), session.entropy());
        let (stop, stopped) = oneshot::channel::<()>();
        let (tell, told) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(async move {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                tell.send(listener.local_addr().unwrap().port()).unwrap();
                let stopped = async {
                    let _ = stopped.await;
                };
                let builder = Gateway::builder(service, settings).listener(listener);
                let builder = builder.entropy(Arc::new(entropy)).shutdown(stopped);
                let builder = match tls {
                    Some(tls) => builder.tls(tls),
                    None => builder,
                };
                builder.build().run().await;
            });
        });
        let port: u16 = told.recv().unwrap();
        session.mask(format!(":{port}"), ":[port]");
        session.write_in(".", "token", format!("{TOKEN}\n"));
        Self {
            port,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// `--url …` and the token's file.
    pub(crate) fn named(&self, session: &Session) -> String {
        let token = session.state().join("token");
        let token = token.to_str().unwrap();
        format!("--url ws://127.0.0.1:{} --token-file {token}", self.port)
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            if !std::thread::panicking() {
                ended.unwrap();
            }
        }
    }
}
