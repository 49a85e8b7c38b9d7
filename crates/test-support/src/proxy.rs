//! A proxy that makes tunnels, as far as `CONNECT` goes.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// A proxy on a port of its own; gone when dropped.
#[derive(Debug)]
pub struct Proxy {
    at: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Shared {
    /// What it wants in `Proxy-Authorization`.
    wants: Option<String>,
    names: Mutex<HashMap<String, SocketAddr>>,
    asked: Mutex<Vec<String>>,
}

impl Proxy {
    /// A proxy that wants credentials (`user:password`), or none.
    pub async fn start(credentials: Option<&str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let wants = credentials.map(|text| format!("Basic {}", BASE64_STANDARD.encode(text)));
        let shared = Arc::new(Shared {
            wants,
            ..Shared::default()
        });
        let task = tokio::spawn(serve(listener, Arc::clone(&shared)));
        Self { at, shared, task }
    }

    /// Its address, with credentials where there are any.
    pub fn address(&self, credentials: &str) -> String {
        let at = if credentials.is_empty() { "" } else { "@" };
        format!("http://{credentials}{at}{}", self.at)
    }

    /// Where a name and a port lead. It knows no other names.
    pub fn knows(&self, name: &str, server: SocketAddr) {
        let mut names = self.shared.names.lock().unwrap();
        names.insert(name.to_owned(), server);
    }

    /// The names and ports that it was asked for.
    pub fn asked(&self) -> Vec<String> {
        self.shared.asked.lock().unwrap().clone()
    }

    /// Closes its port and all connections.
    pub async fn stop(&self) {
        self.task.abort();
        while !self.task.is_finished() {
            tokio::task::yield_now().await;
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        let (tcp, _) = listener.accept().await.unwrap();
        let shared = Arc::clone(&shared);
        // Clients go away as they like.
        connections.spawn(async move { shared.tunnel(tcp).await.unwrap_or_default() });
        while connections.try_join_next().is_some() {}
    }
}

impl Shared {
    async fn tunnel(&self, tcp: TcpStream) -> std::io::Result<()> {
        let mut client = BufReader::new(tcp);
        let (mut first, mut shown) = (String::new(), None);
        client.read_line(&mut first).await?;
        loop {
            let mut line = String::new();
            client.read_line(&mut line).await?;
            match line.trim_end().split_once(": ") {
                Some((name, value)) if name.eq_ignore_ascii_case("proxy-authorization") => {
                    shown = Some(value.to_owned());
                }
                None => break,
                Some(_) => {}
            }
        }
        let target = first.strip_prefix("CONNECT ");
        let target = target.and_then(|rest| rest.split(' ').next()).unwrap_or("");
        self.asked.lock().unwrap().push(target.to_owned());
        if self.wants.is_some() && self.wants != shown {
            let answer = b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n";
            return client.write_all(answer).await;
        }
        let server = self.names.lock().unwrap().get(target).copied();
        let server = match server {
            Some(server) => TcpStream::connect(server).await.ok(),
            None => None,
        };
        let Some(mut server) = server else {
            return client.write_all(b"HTTP/1.1 502 Bad Gateway\r\n\r\n").await;
        };
        client.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").await?;
        copy_bidirectional(&mut client, &mut server).await?;
        Ok(())
    }
}
