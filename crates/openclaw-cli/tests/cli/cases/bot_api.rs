//! A server that answers as Telegram's does, as far as these cases need it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

/// Nothing takes this long; a test that waits for it has failed.
const NEVER: Duration = Duration::from_secs(20);

/// What refuses calls: by method and parameters, with a status and a description.
pub(super) type Refuses = fn(&str, &Value) -> Option<(u16, &'static str)>;

/// The server. It runs for as long as the test process does.
pub(super) struct BotApi {
    pub(super) root: String,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    updates: Vec<Value>,
    /// What was called, with which parameters.
    calls: Vec<(String, Value)>,
    refuses: Option<Refuses>,
    next: i64,
}

impl BotApi {
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let root = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared::default());
        let served = Arc::clone(&shared);
        std::thread::spawn(move || {
            for tcp in listener.incoming().map_while(Result::ok) {
                let shared = Arc::clone(&served);
                // Clients go away as they like.
                std::thread::spawn(move || drop(shared.answer(tcp)));
            }
        });
        Self { root, shared }
    }

    /// Refuses calls from now on.
    pub(super) fn refuses(&self, refuses: Refuses) {
        self.shared.state.lock().unwrap().refuses = Some(refuses);
    }

    /// Somebody writes to the bot in their chat with it, with these members besides.
    pub(super) fn says(&self, from: i64, text: &str, also: &Value) {
        let mut state = self.shared.state.lock().unwrap();
        state.next += 1;
        let date = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let mut message = json!({
            "message_id": state.next, "date": date.unwrap().as_secs(), "text": text,
            "from": { "id": from, "is_bot": false, "first_name": "Ann" },
            "chat": { "id": from, "type": "private" },
        });
        let also = also.as_object().unwrap().clone();
        message.as_object_mut().unwrap().extend(also);
        let update = json!({ "update_id": state.next, "message": message });
        state.updates.push(update);
        self.shared.changed.notify_all();
    }

    /// Waits until this has been called so often, and gives the parameters of the last of these calls.
    pub(super) fn called(&self, method: &str, times: usize) -> Value {
        let state = self.shared.state.lock().unwrap();
        let find = |state: &State| {
            let mut calls = state.calls.iter().filter(|(called, _)| called == method);
            calls.nth(times - 1).map(|(_, params)| params.clone())
        };
        let waiting = self
            .shared
            .changed
            .wait_timeout_while(state, NEVER, |state| find(state).is_none());
        let (state, _) = waiting.unwrap();
        find(&state).unwrap_or_else(|| panic!("{method} is not called {times} times"))
    }

    /// How many calls there were.
    pub(super) fn calls(&self) -> usize {
        self.shared.state.lock().unwrap().calls.len()
    }
}

impl Shared {
    /// One request, and its answer.
    fn answer(&self, tcp: TcpStream) -> std::io::Result<()> {
        let mut lines = BufReader::new(tcp);
        let (mut first, mut length) = (String::new(), 0);
        lines.read_line(&mut first)?;
        loop {
            let mut line = String::new();
            lines.read_line(&mut line)?;
            let line = line.trim().to_ascii_lowercase();
            if let Some(told) = line.strip_prefix("content-length:") {
                length = told.trim().parse().unwrap_or(0);
            }
            if line.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        lines.read_exact(&mut body)?;
        let params: Value = serde_json::from_slice(&body).unwrap_or_default();
        let path = first.split(' ').nth(1).unwrap_or_default();
        let method = path.rsplit('/').next().unwrap_or_default();
        let (status, body) = self.result(method, &params);
        write!(
            lines.get_mut(),
            "HTTP/1.1 {status} x\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
    }

    fn result(&self, method: &str, params: &Value) -> (u16, String) {
        let mut state = self.state.lock().unwrap();
        state.calls.push((method.to_owned(), params.clone()));
        self.changed.notify_all();
        let refused = state.refuses.and_then(|refuses| refuses(method, params));
        if let Some((status, description)) = refused {
            let body = json!({ "ok": false, "error_code": status, "description": description });
            return (status, body.to_string());
        }
        let result = match method {
            "getMe" => json!({ "id": 111, "is_bot": true, "username": "the_bot" }),
            "getUpdates" => {
                let offset = params["offset"].as_i64().unwrap_or(0);
                let id = |update: &Value| update["update_id"].as_i64().unwrap();
                state.updates.retain(|update| id(update) >= offset);
                let poll = Duration::from_secs(params["timeout"].as_u64().unwrap_or(0));
                let waiting = self
                    .changed
                    .wait_timeout_while(state, poll, |state| state.updates.is_empty());
                json!(waiting.unwrap().0.updates)
            }
            "sendMessage" => {
                json!({ "message_id": 1, "chat": { "id": params["chat_id"] } })
            }
            _ => json!(true),
        };
        (200, json!({ "ok": true, "result": result }).to_string())
    }
}
