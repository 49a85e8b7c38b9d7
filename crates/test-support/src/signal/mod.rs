//! A stand-in for signal-cli's daemon: its HTTP server, and what is received and sent through it.
//!
//! Its answers are those of the real daemon, as `channel-signal`'s tests compare them.

mod serve;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// The account that it has.
pub const ACCOUNT: &str = "+15550000001";

const DELETE: &str = "deleteLocalAccountData";

/// Nothing takes this long; a test that waits for it has failed.
const NEVER: Duration = Duration::from_secs(20);

/// The stand-in. It ends when it is dropped.
#[derive(Debug)]
pub struct Signal {
    root: String,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

/// Somebody who writes: their number, while they show it, and their id.
#[derive(Debug, Clone, Copy)]
pub struct Person {
    /// The number.
    pub number: Option<&'static str>,
    /// The id.
    pub uuid: &'static str,
    /// The name in their profile.
    pub name: &'static str,
}

/// A person with a number.
pub const ANN: Person = Person {
    number: Some("+15550001111"),
    uuid: "7b0ab3c4-6f3c-4e0e-9a51-0f1b2c3d4e5f",
    name: "Ann",
};

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// Counts streams that were opened, and calls.
    changes: watch::Sender<u64>,
}

#[derive(Debug)]
struct State {
    accounts: Vec<String>,
    /// Whether the accounts were registered by signal-cli, instead of linked.
    are_registered_here: bool,
    streams: Vec<Stream>,
    /// What came for an account while no stream of it was open: it is received once one is.
    kept: Vec<(String, Vec<u8>)>,
    opened: usize,
    calls: Vec<(String, Value)>,
    /// Answers instead of the usual ones.
    refusals: VecDeque<Value>,
    /// Whole responses instead of the usual ones, for every path.
    statuses: VecDeque<u16>,
    /// The time of the next message.
    now: i64,
    /// The code that waits to be scanned, and what becomes of it.
    link: Option<(String, oneshot::Receiver<Result<String, Value>>)>,
    /// Scans the code.
    scan: Option<oneshot::Sender<Result<String, Value>>>,
}

/// A stream of events that is open.
#[derive(Debug)]
struct Stream {
    number: usize,
    /// The account whose events it has; of all accounts if `None`.
    account: Option<String>,
    events: mpsc::UnboundedSender<Vec<u8>>,
}

impl Stream {
    fn is_for(&self, account: &str) -> bool {
        self.account.as_deref().is_none_or(|own| own == account)
    }
}

impl Signal {
    /// Starts one, with one account.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let root = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                accounts: vec![ACCOUNT.to_owned()],
                are_registered_here: false,
                streams: Vec::new(),
                kept: Vec::new(),
                opened: 0,
                calls: Vec::new(),
                refusals: VecDeque::new(),
                statuses: VecDeque::new(),
                now: 1_795_353_726_325,
                link: None,
                scan: None,
            }),
            changes: watch::Sender::new(0),
        });
        let task = tokio::spawn(crate::serve::serve(
            listener,
            Arc::clone(&shared),
            serve::handle,
        ));
        Self { root, shared, task }
    }

    /// Its address.
    pub fn root(&self) -> &str {
        &self.root
    }

    /// Has these accounts from now on.
    pub fn set_accounts(&self, accounts: &[&str]) {
        let accounts = accounts.iter().map(|&account| account.to_owned());
        self.shared.state().accounts = accounts.collect();
    }

    /// Has registered its accounts itself, instead of being linked to them.
    pub fn registers(&self) {
        self.shared.state().are_registered_here = true;
    }

    /// Waits until so many streams of events have been opened in all.
    pub async fn opened(&self, count: usize) {
        self.until(|state| state.opened >= count).await;
    }

    /// Waits for the next call of a method after those that were waited for; returns its parameters, and forgets it.
    pub async fn called(&self, method: &str) -> Value {
        let at = |state: &State| state.calls.iter().position(|(name, _)| name == method);
        self.until(|state| at(state).is_some()).await;
        let mut state = self.shared.state();
        let at = at(&state).unwrap();
        state.calls.remove(at).1
    }

    /// The number of calls that nobody has waited for.
    pub fn calls(&self) -> usize {
        self.shared.state().calls.len()
    }

    /// A direct message; returns its time.
    pub fn says(&self, person: Person, text: &str) -> i64 {
        self.event(person, "dataMessage", |at| {
            json!({ "timestamp": at, "message": text, "expiresInSeconds": 0, "isExpirationUpdate": false,
                    "viewOnce": false })
        })
    }

    /// A direct message to one of several accounts.
    pub fn says_to(&self, account: &str, person: Person, text: &str) {
        let at = self.now();
        let content = json!({ "timestamp": at, "message": text, "expiresInSeconds": 0, "isExpirationUpdate": false,
                              "viewOnce": false });
        self.event_to(account, person, "dataMessage", at, &content);
    }

    /// A message in a group.
    pub fn says_in_group(&self, person: Person, group: &str, text: &str) -> i64 {
        self.event(person, "dataMessage", |at| {
            json!({ "timestamp": at, "message": text, "expiresInSeconds": 0, "isExpirationUpdate": false,
                    "viewOnce": false,
                    "groupInfo": { "groupId": group, "groupName": "us", "revision": 1, "type": "DELIVER" } })
        })
    }

    /// An envelope with this content; returns its time.
    pub fn event(&self, person: Person, kind: &str, content: impl FnOnce(i64) -> Value) -> i64 {
        let at = self.now();
        self.event_at(person, kind, at, &content(at));
        at
    }

    /// The time of the next message.
    fn now(&self) -> i64 {
        let mut state = self.shared.state();
        state.now += 1;
        state.now
    }

    /// An envelope of this time.
    pub fn event_at(&self, person: Person, kind: &str, at: i64, content: &Value) {
        self.event_to(ACCOUNT, person, kind, at, content);
    }

    fn event_to(&self, account: &str, person: Person, kind: &str, at: i64, content: &Value) {
        let mut envelope = json!({
            "source": person.number.unwrap_or(person.uuid), "sourceNumber": person.number,
            "sourceUuid": person.uuid, "sourceName": person.name, "sourceDevice": 1, "timestamp": at,
            "serverReceivedTimestamp": at, "serverDeliveredTimestamp": at,
        });
        envelope[kind] = content.clone();
        let event = json!({ "envelope": envelope, "account": account });
        let event = format!("event:receive\ndata:{event}\n\n").into_bytes();
        let mut state = self.shared.state();
        state
            .streams
            .retain(|stream| !stream.is_for(account) || stream.events.send(event.clone()).is_ok());
        if !state.streams.iter().any(|stream| stream.is_for(account)) {
            state.kept.push((account.to_owned(), event));
        }
    }

    /// Writes bytes to every stream; `false` where there is none.
    pub fn raw(&self, bytes: &[u8]) -> bool {
        let mut state = self.shared.state();
        state
            .streams
            .retain(|stream| stream.events.send(bytes.to_vec()).is_ok());
        !state.streams.is_empty()
    }

    /// Waits until the open streams are those of these accounts, in order.
    pub async fn heard_by(&self, accounts: &[&str]) {
        self.until(|state| {
            let open = state.streams.iter();
            let mut open: Vec<_> = open
                .filter_map(|stream| stream.account.as_deref())
                .collect();
            open.sort_unstable();
            open == accounts
        })
        .await;
    }

    /// Waits until no stream is open.
    pub async fn left(&self) {
        self.until(|state| state.streams.is_empty()).await;
    }

    /// Closes every stream.
    pub fn close_streams(&self) {
        self.shared.state().streams.clear();
    }

    /// Waits until a code waits to be scanned, and scans it with the phone of this account.
    pub async fn scans(&self, number: &str) {
        self.finishes_link(Ok(number.to_owned())).await;
    }

    /// Waits until a code waits to be scanned, and has linking fail as the daemon says it.
    pub async fn fails_to_link(&self, code: i64, message: &str) {
        self.finishes_link(Err(
            json!({ "code": code, "message": message, "data": null }),
        ))
        .await;
    }

    async fn finishes_link(&self, outcome: Result<String, Value>) {
        self.until(|state| state.scan.is_some()).await;
        let scan = self.shared.state().scan.take();
        let _ = scan.unwrap().send(outcome);
    }

    /// Refuses the next call: with a code, and what became of it for the recipient.
    pub fn refuse(&self, code: i64, message: &str, kind: Option<&str>) {
        let data = kind.map(|kind| {
            json!({ "response": { "timestamp": 1, "results": [
                { "recipientAddress": { "uuid": ANN.uuid, "number": ANN.number }, "type": kind, "token": null,
                  "retryAfterSeconds": null },
            ] } })
        });
        let refusal = json!({ "code": code, "message": message, "data": data });
        self.shared.state().refusals.push_back(refusal);
    }

    /// Answers the next request, whatever it is for, with this status and nothing else.
    pub fn answer_with(&self, status: u16) {
        self.shared.state().statuses.push_back(status);
    }

    async fn until(&self, is_so: impl Fn(&State) -> bool) {
        let mut changes = self.shared.changes.subscribe();
        let waiting = async {
            loop {
                if is_so(&self.shared.state()) {
                    return;
                }
                changes.changed().await.unwrap();
            }
        };
        timeout(NEVER, waiting).await.unwrap();
    }
}

impl Drop for Signal {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    /// The answer to a call, as the daemon writes it.
    async fn answer(&self, body: &[u8]) -> Value {
        let Ok(call) = serde_json::from_slice::<Value>(body) else {
            let error = json!({ "code": -32700, "message": "Unexpected character", "data": null });
            return json!({ "jsonrpc": "2.0", "error": error, "id": null });
        };
        let method = call["method"].as_str().unwrap_or_default().to_owned();
        let outcome = if method == "finishLink" {
            self.finish_link(&call["params"]).await
        } else {
            self.outcome(&method, &call["params"])
        };
        self.changed();
        match outcome {
            Ok(result) => json!({ "jsonrpc": "2.0", "result": result, "id": call["id"] }),
            Err(error) => json!({ "jsonrpc": "2.0", "error": error, "id": call["id"] }),
        }
    }

    /// Waits until somebody scans the code, as the daemon does.
    async fn finish_link(&self, params: &Value) -> Result<Value, Value> {
        let refused = |message: &str| json!({ "code": -1, "message": message, "data": null });
        let uri = params["deviceLinkUri"].as_str();
        let uri = uri.ok_or_else(|| refused("Missing deviceLinkUri."))?;
        let link = {
            let mut state = self.state();
            let is_known = state.link.as_ref().is_some_and(|(known, _)| known == uri);
            is_known.then(|| state.link.take()).flatten()
        };
        let (_, scanned) = link.ok_or_else(|| refused("Unknown device link uri."))?;
        self.state()
            .calls
            .push(("finishLink".to_owned(), params.clone()));
        self.changed();
        let number = scanned
            .await
            .unwrap_or_else(|_| Err(refused("Link request timed out, please try again.")))?;
        self.state().accounts.push(number.clone());
        Ok(json!({ "number": number }))
    }

    fn outcome(&self, method: &str, params: &Value) -> Result<Value, Value> {
        let refused =
            |code, message: &str| Err(json!({ "code": code, "message": message, "data": null }));
        let mut state = self.state();
        match method {
            "version" => return Ok(json!({ "version": "0.13.19" })),
            "listAccounts" => {
                let accounts = state.accounts.iter();
                return Ok(accounts.map(|number| json!({ "number": number })).collect());
            }
            "startLink" => {
                if let Some(refusal) = state.refusals.pop_front() {
                    return Err(refusal);
                }
                state.now += 1;
                let uri = format!("sgnl://linkdevice?uuid=secret-{}&pub_key=BUvW", state.now);
                let (scan, scanned) = oneshot::channel();
                state.link = Some((uri.clone(), scanned));
                state.scan = Some(scan);
                return Ok(json!({ "deviceLinkUri": uri }));
            }
            DELETE if params["account"].is_null() => {
                return refused(-32602, "Method requires valid account parameter");
            }
            // What is not there is deleted, too.
            DELETE => {
                state.calls.push((method.to_owned(), params.clone()));
                return state
                    .refusals
                    .pop_front()
                    .map_or_else(|| Ok(json!({})), Err);
            }
            "send" | "remoteDelete" | "removeDevice" | "unregister" => {}
            _ => return refused(-32601, "Method not implemented"),
        }
        let known = state.accounts.clone();
        match params["account"].as_str() {
            Some(account) if !known.iter().any(|number| number == account) => {
                return refused(-32602, "Specified account does not exist");
            }
            None if known.len() != 1 => {
                return refused(-32602, "Method requires valid account parameter");
            }
            _ => {}
        }
        state.calls.push((method.to_owned(), params.clone()));
        if method == "removeDevice" && !state.are_registered_here {
            return refused(-1, "This command doesn't work on linked devices.");
        }
        if let Some(refusal) = state.refusals.pop_front() {
            return Err(refusal);
        }
        match method {
            "removeDevice" => return Ok(json!({})),
            // Its streams stay open, and have no more events.
            "unregister" => {
                let gone = params["account"].as_str();
                state
                    .accounts
                    .retain(|number| gone.is_some_and(|gone| number != gone));
                return Ok(json!({}));
            }
            _ => {}
        }
        state.now += 1;
        let at = state.now;
        Ok(json!({ "timestamp": at, "results": [
            { "recipientAddress": { "uuid": ANN.uuid, "number": ANN.number }, "type": "SUCCESS" },
        ] }))
    }
}
