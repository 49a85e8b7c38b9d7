//! Asking the cluster: another member where one does not answer, until an answer comes or time runs out.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use etcd_client::{Certificate, Client, ConnectOptions, Error, Identity, TlsOptions};
use tokio::sync::Mutex;
use tokio::time::{sleep, timeout};

use crate::settings::{Settings, Tls};

/// How long one member may take, as long as there is time for another; longer for what may take longer.
const TRY: Duration = Duration::from_secs(1);

/// At least so many tries fit into what a call may take.
const TRIES: u32 = 5;

/// The pause before the members are asked once more.
const PAUSE: Duration = Duration::from_millis(20);

/// The members of a cluster, one connection to each, made when it is needed. One member is asked until it
/// fails: the library's own balancing would go on offering a dead one.
pub(crate) struct Cluster {
    members: Vec<Member>,
    /// The one that answered last.
    preferred: AtomicUsize,
    options: ConnectOptions,
    pub(crate) patience: Duration,
}

struct Member {
    endpoint: String,
    client: Mutex<Option<Client>>,
}

/// A call came to nothing.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum CallError {
    /// Nobody answered in time. What was asked for may have happened.
    #[error("no answer within {} ms; {last}", .waited.as_millis())]
    NoAnswer { waited: Duration, last: String },
    /// The cluster answered with an error: nothing has happened.
    #[error("{endpoint} refused: {message}")]
    Refused {
        endpoint: String,
        message: String,
        kind: Kind,
    },
}

/// What kind of refusal it is, where somebody chooses by that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The lease of what was to be written is gone.
    NoLease,
    /// The request is larger than the cluster takes.
    TooLarge,
    Other,
}

impl Cluster {
    pub(crate) fn new(settings: &Settings) -> Arc<Self> {
        let members = settings.endpoints.iter().map(|endpoint| Member {
            endpoint: endpoint.clone(),
            client: Mutex::default(),
        });
        Arc::new(Self {
            members: members.collect(),
            preferred: AtomicUsize::new(0),
            options: options(settings),
            patience: settings.patience,
        })
    }

    /// What it is called in an error.
    pub(crate) fn name(&self) -> String {
        let endpoints: Vec<_> = self.members.iter().map(|m| m.endpoint.as_str()).collect();
        format!("the etcd cluster at {}", endpoints.join(", "))
    }

    /// Calls until there is an answer. `call` is told which attempt it is, from 0: from 1 on, the one
    /// before may have come through.
    pub(crate) async fn call<T, F: Future<Output = Result<T, Error>>>(
        &self,
        patience: Duration,
        call: impl Fn(Client, u32) -> F,
    ) -> Result<T, CallError> {
        let begun = Instant::now();
        let mut attempt = 0;
        loop {
            let at = self.preferred.load(Ordering::Relaxed) % self.members.len();
            let member = &self.members[at];
            let left = patience.saturating_sub(begun.elapsed());
            let asking = async { call(self.client(member).await?, attempt).await };
            let last = match timeout(left.min(TRY.max(patience / TRIES)), asking).await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(error)) => match refusal(&error) {
                    Some(kind) => {
                        return Err(CallError::Refused {
                            endpoint: member.endpoint.clone(),
                            message: message(&error),
                            kind,
                        });
                    }
                    None => format!("{}: {}", member.endpoint, message(&error)),
                },
                Err(_) => format!("{} did not answer", member.endpoint),
            };
            self.turn_from(at);
            attempt += 1;
            if begun.elapsed() + PAUSE >= patience {
                return Err(CallError::NoAnswer {
                    waited: begun.elapsed(),
                    last,
                });
            }
            sleep(PAUSE).await;
        }
    }

    /// A connection to hold a stream on, to the member that answered last.
    pub(crate) async fn preferred(&self) -> Result<(usize, Client), Error> {
        let at = self.preferred.load(Ordering::Relaxed) % self.members.len();
        Ok((at, self.client(&self.members[at]).await?))
    }

    /// Asks another member from now on.
    pub(crate) fn turn_from(&self, at: usize) {
        let next = (at + 1) % self.members.len();
        // Somebody else may have turned already.
        let _ = self
            .preferred
            .compare_exchange(at, next, Ordering::Relaxed, Ordering::Relaxed);
    }

    async fn client(&self, member: &Member) -> Result<Client, Error> {
        let mut held = member.client.lock().await;
        if let Some(client) = &*held {
            return Ok(client.clone());
        }
        let client = Client::connect([&member.endpoint], Some(self.options.clone())).await?;
        *held = Some(client.clone());
        Ok(client)
    }
}

fn options(settings: &Settings) -> ConnectOptions {
    let mut options = ConnectOptions::new()
        .with_connect_timeout(TRY)
        // Members take more than one ping in five seconds, and any without a call, for an attack.
        .with_keep_alive(Duration::from_secs(6), Duration::from_secs(2))
        .with_keep_alive_while_idle(false)
        // A member without a leader says so at once, and ends its watches.
        .with_require_leader(true);
    if let Some((user, password)) = &settings.login {
        options = options
            .with_user(user, password.as_str())
            .with_auto_token_refresh(true);
    }
    if settings.endpoints.iter().any(|e| e.starts_with("https:")) {
        options = options.with_tls(tls(&settings.tls));
    }
    options
}

fn tls(tls: &Tls) -> TlsOptions {
    let mut options = TlsOptions::new();
    options = match &tls.authorities {
        Some(pem) => options.ca_certificate(Certificate::from_pem(pem)),
        None => options.with_native_roots(),
    };
    if let Some((certificate, key)) = &tls.identity {
        options = options.identity(Identity::from_pem(certificate, &**key));
    }
    if let Some(name) = &tls.server_name {
        options = options.domain_name(name);
    }
    options
}

/// What kind of answer an error is; `None` for one that another member, or a later try, may not give.
fn refusal(error: &Error) -> Option<Kind> {
    let status = match error {
        Error::GRpcStatus(status) => status,
        Error::InvalidArgs(_) | Error::InvalidUri(_) | Error::InvalidMetadataValue(_) => {
            return Some(Kind::Other);
        }
        _ => return None,
    };
    let says = |text| status.message().contains(text);
    // The numbers are those of gRPC.
    match i32::from(status.code()) {
        // Not found.
        5 if says("lease not found") => Some(Kind::NoLease),
        // Invalid argument.
        3 if says("request is too large") || says("too many operations") => Some(Kind::TooLarge),
        // Resource exhausted: by this request, for good, or for now.
        8 if says("larger than max") => Some(Kind::TooLarge),
        8 if says("space exceeded") => Some(Kind::Other),
        // Out of range, as this side sees it.
        11 if says("too large") => Some(Kind::TooLarge),
        3 | 5 | 6 | 7 | 9 | 11 | 12 => Some(Kind::Other),
        _ => None,
    }
}

/// What an error says, without the details of the transport.
fn message(error: &Error) -> String {
    let text = match error {
        Error::GRpcStatus(status) => status.message().to_owned(),
        other => other.to_string(),
    };
    pairing_core::escape(&text).limit(200).to_string()
}
