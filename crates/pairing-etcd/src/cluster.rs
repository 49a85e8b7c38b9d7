//! Calls to the cluster. If one member does not answer, another is asked, until there is an answer or time is
//! over.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use etcd_client::{Certificate, Client, ConnectOptions, Error, Identity, TlsOptions};
use tokio::sync::Mutex;
use tokio::time::{sleep, timeout};

use crate::settings::{Settings, Tls};

/// Time limit for one member, as long as there is time for another. It is longer for calls that may take
/// longer.
const TRY: Duration = Duration::from_secs(1);

/// Minimum number of attempts within the time of a call.
const TRIES: u32 = 5;

/// The pause before the members are asked again.
const PAUSE: Duration = Duration::from_millis(20);

/// The members of a cluster, each with a connection that is made when it is needed. One member is used until
/// it fails: the library's own balancing would keep using a dead one.
pub(crate) struct Cluster {
    members: Vec<Member>,
    /// The member that answered last.
    preferred: AtomicUsize,
    options: ConnectOptions,
    pub(crate) patience: Duration,
}

struct Member {
    endpoint: String,
    client: Mutex<Option<Client>>,
}

/// A call failed.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum CallError {
    /// No member answered in time. The call may have had its effect.
    #[error("no answer within {} ms; {last}", .waited.as_millis())]
    NoAnswer { waited: Duration, last: String },
    /// The cluster answered with an error. Nothing has happened.
    #[error("{endpoint} refused: {message}")]
    Refused {
        endpoint: String,
        message: String,
        kind: Kind,
    },
}

/// The kind of an error, for callers that need to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The lease for the write does not exist any more.
    NoLease,
    /// The request is larger than the cluster accepts.
    TooLarge,
    /// The login has aged: the cluster's users or roles have changed since, or it is over.
    Session,
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

    /// The call's name in errors.
    pub(crate) fn name(&self) -> String {
        let endpoints: Vec<_> = self.members.iter().map(|m| m.endpoint.as_str()).collect();
        format!("the etcd cluster at {}", endpoints.join(", "))
    }

    /// Calls until there is an answer. `call` gets the number of the attempt, from 0. After the first, an
    /// earlier attempt may have had its effect.
    pub(crate) async fn call<T, F: Future<Output = Result<T, Error>>>(
        &self,
        patience: Duration,
        call: impl Fn(Client, u32) -> F,
    ) -> Result<T, CallError> {
        let begun = Instant::now();
        let mut attempt = 0;
        let mut has_logged_in = false;
        loop {
            let at = self.preferred.load(Ordering::Relaxed) % self.members.len();
            let member = &self.members[at];
            let left = patience.saturating_sub(begun.elapsed());
            let asking = async { call(self.client(member).await?, attempt).await };
            let last = match timeout(left.min(TRY.max(patience / TRIES)), asking).await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(error)) => match refusal(&error) {
                    Some(Kind::Session) if !has_logged_in => {
                        // The next attempt logs in anew.
                        has_logged_in = true;
                        attempt += 1;
                        self.forget(at).await;
                        continue;
                    }
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

    /// Returns a connection for a stream, to the member that answered last.
    pub(crate) async fn preferred(&self) -> Result<(usize, Client), Error> {
        let at = self.preferred.load(Ordering::Relaxed) % self.members.len();
        Ok((at, self.client(&self.members[at]).await?))
    }

    /// Uses another member from now on.
    pub(crate) fn turn_from(&self, at: usize) {
        let next = (at + 1) % self.members.len();
        // Another task may have switched already.
        let _ = self
            .preferred
            .compare_exchange(at, next, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Closes the connection to a member, and ends its login with it: the next call makes another.
    pub(crate) async fn forget(&self, at: usize) {
        if let Some(member) = self.members.get(at) {
            *member.client.lock().await = None;
        }
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
        // To a member, more than one ping in five seconds, or any ping without a call, looks like an attack.
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

/// The kind of an error; `None` if another member, or a later attempt, may succeed.
fn refusal(error: &Error) -> Option<Kind> {
    let status = match error {
        Error::GRpcStatus(status) => status,
        Error::InvalidArgs(_) | Error::InvalidUri(_) | Error::InvalidMetadataValue(_) => {
            return Some(Kind::Other);
        }
        _ => return None,
    };
    let says = |text| status.message().contains(text);
    if says("revision of auth store is old") || says("invalid auth token") {
        return Some(Kind::Session);
    }
    // The numbers of gRPC.
    match i32::from(status.code()) {
        // Not found.
        5 if says("lease not found") => Some(Kind::NoLease),
        // Invalid argument.
        3 if says("request is too large") || says("too many operations") => Some(Kind::TooLarge),
        // Resource exhausted: either this request is too large, or the cluster is busy.
        8 if says("larger than max") => Some(Kind::TooLarge),
        8 if says("space exceeded") => Some(Kind::Other),
        // Out of range, as this client sees it.
        11 if says("too large") => Some(Kind::TooLarge),
        3 | 5 | 6 | 7 | 9 | 11 | 12 => Some(Kind::Other),
        _ => None,
    }
}

/// The error's text, without details of the transport.
fn message(error: &Error) -> String {
    let text = match error {
        Error::GRpcStatus(status) => status.message().to_owned(),
        other => other.to_string(),
    };
    pairing_core::escape(&text).limit(200).to_string()
}
