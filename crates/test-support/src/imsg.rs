//! A stand-in for `imsg`: a script that passes its standard streams on to this process, which answers as `imsg rpc` does.

use std::collections::VecDeque;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

/// Somebody who writes.
pub const ANN: &str = "+15550001111";

/// Nothing takes this long; a test that waits for it has failed.
const NEVER: Duration = Duration::from_secs(20);

/// The stand-in. It ends when it is dropped, and its children with it.
#[derive(Debug)]
pub struct Imsg {
    program: PathBuf,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
    /// How long to wait for what a test waits for.
    patience: Duration,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// Counts what happened.
    changes: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    /// The first lines of all children: process id and arguments.
    children: Vec<String>,
    /// The child that watches for messages,
    output: Option<mpsc::UnboundedSender<Vec<u8>>>,
    /// and those that do not, by their numbers.
    idle: Vec<(usize, mpsc::UnboundedSender<Vec<u8>>)>,
    /// The messages that it has, by their numbers.
    messages: Vec<(i64, Value)>,
    subscriptions: Vec<Value>,
    calls: Vec<(String, Value)>,
    refusals: VecDeque<Value>,
    is_silent: bool,
    /// The number of children that run.
    running: usize,
    row: i64,
}

impl Imsg {
    /// Starts one, with its program in this directory.
    pub async fn start(dir: &Path) -> Self {
        Self::waiting(dir, NEVER).await
    }

    /// The same for a program of somebody else, which takes its time to begin.
    pub async fn start_patiently(dir: &Path) -> Self {
        Self::waiting(dir, 9 * NEVER).await
    }

    async fn waiting(dir: &Path, patience: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let program = dir.join("imsg");
        // What comes in goes out, both ways; the line `bye` says that standard input has ended.
        let script = format!(
            "#!/usr/bin/env bash\ncase \"$*\" in *--help*) echo 'USAGE: imsg rpc'; exit 0;; esac\nexec 4<&0 3<>/dev/tcp/127.0.0.1/{port}\nprintf '%s\\n' \"$$ $*\" >&3\n\
             {{ cat <&4 >&3; printf 'bye\\n' >&3; }} 2>/dev/null >/dev/null &\ncat <&3\nprintf 'gone \\033[31m\\n' >&2\nexit 3\n"
        );
        std::fs::write(&program, script).unwrap();
        std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            changes: watch::Sender::new(0),
        });
        let task = tokio::spawn(serve(listener, Arc::clone(&shared)));
        Self {
            program,
            shared,
            task,
            patience,
        }
    }

    /// The program that is to be started.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Waits until so many children have been asked to watch in all; returns what the last one was asked for.
    pub async fn watching(&self, count: usize) -> Value {
        self.until(|state| state.subscriptions.len() >= count).await;
        self.shared.state().subscriptions.last().unwrap().clone()
    }

    /// Waits until no child runs.
    pub async fn left(&self) {
        self.until(|state| state.running == 0).await;
    }

    /// Process ids and arguments of all children.
    pub fn children(&self) -> Vec<String> {
        self.shared.state().children.clone()
    }

    /// Waits for the next call of a method; returns its parameters, and forgets it.
    pub async fn called(&self, method: &str) -> Value {
        let at = |state: &State| state.calls.iter().position(|(name, _)| name == method);
        self.until(|state| at(state).is_some()).await;
        let mut state = self.shared.state();
        let at = at(&state).unwrap();
        state.calls.remove(at).1
    }

    /// A direct message; returns its number.
    pub fn says(&self, sender: &str, text: &str) -> i64 {
        self.message(sender, &json!({ "text": text }))
    }

    /// A message with these members beside, or instead of, the usual ones; returns its number.
    pub fn message(&self, sender: &str, members: &Value) -> i64 {
        let row = {
            let mut state = self.shared.state();
            state.row += 1;
            state.row
        };
        let mut message = json!({
            "id": row, "guid": format!("GUID-{row}"), "chat_id": 7, "chat_guid": format!("iMessage;-;{sender}"),
            "chat_identifier": sender, "chat_name": "", "participants": [sender], "is_group": false, "sender": sender,
            "is_from_me": false, "text": "", "reply_to_id": null, "attachments": [], "reactions": [],
        });
        for (key, value) in members.as_object().unwrap() {
            message[key] = value.clone();
        }
        let number = message["id"].as_i64().unwrap_or(row);
        let mut state = self.shared.state();
        state.notify(&message);
        state.messages.push((number, message));
        row
    }

    /// Forgets the messages that it has, and what only tests look at.
    pub fn trims(&self) {
        let mut state = self.shared.state();
        state.messages.clear();
        state.calls.clear();
        let count = state.subscriptions.len();
        state.subscriptions[..count - 1].fill(Value::Null);
    }

    /// Writes bytes to the output of the child that watches.
    pub fn raw(&self, bytes: &[u8]) {
        let state = self.shared.state();
        let output = state.output.as_ref().unwrap();
        output.send(bytes.to_vec()).unwrap();
    }

    /// Ends every child.
    pub fn end(&self) {
        let mut state = self.shared.state();
        state.output = None;
        state.idle.clear();
    }

    /// Refuses the next request that is not for watching.
    pub fn refuse(&self, code: i64, message: &str) {
        let refusal = json!({ "code": code, "message": message });
        self.shared.state().refusals.push_back(refusal);
    }

    /// Answers nothing, or answers again.
    pub fn set_silent(&self, is_silent: bool) {
        self.shared.state().is_silent = is_silent;
    }

    async fn until(&self, is_so: impl Fn(&State) -> bool) {
        let mut changes = self.shared.changes.subscribe();
        let waiting = async {
            while !is_so(&self.shared.state()) {
                changes.changed().await.unwrap();
            }
        };
        timeout(self.patience, waiting).await.unwrap();
    }
}

impl Drop for Imsg {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut children = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        children.spawn(child(stream, Arc::clone(&shared)));
    }
}

/// One child, until either side ends it.
async fn child(stream: TcpStream, shared: Arc<Shared>) {
    let (input, mut output) = stream.into_split();
    let mut lines = BufReader::new(input).lines();
    let Ok(Some(first)) = lines.next_line().await else {
        return;
    };
    let (sender, mut written) = mpsc::unbounded_channel();
    let answers = sender.downgrade();
    let number = {
        let mut state = shared.state();
        state.children.push(first);
        let number = state.children.len();
        state.running += 1;
        state.idle.push((number, sender));
        number
    };
    let _gone = Gone(number, Arc::clone(&shared));
    shared.changed();
    loop {
        tokio::select! {
            line = lines.next_line() => match line {
                Ok(Some(line)) if line != "bye" => shared.answer(&line, number, &answers),
                _ => return,
            },
            bytes = written.recv() => match bytes {
                Some(bytes) if output.write_all(&bytes).await.is_ok() => {}
                _ => return,
            },
        }
    }
}

/// Forgets a child when it is gone.
struct Gone(usize, Arc<Shared>);

impl Drop for Gone {
    fn drop(&mut self) {
        if let Ok(mut state) = self.1.state.lock() {
            state.idle.retain(|(number, _)| *number != self.0);
            state.running -= 1;
        }
        self.1.changed();
    }
}

impl State {
    /// Tells the child of a message.
    fn notify(&self, message: &Value) {
        let params = json!({ "subscription": 1, "message": message });
        let line = json!({ "jsonrpc": "2.0", "method": "message", "params": params });
        if let Some(output) = &self.output {
            let _ = output.send(format!("{line}\n").into_bytes());
        }
    }
}

impl Shared {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    fn answer(&self, line: &str, child: usize, answers: &mpsc::WeakUnboundedSender<Vec<u8>>) {
        let call: Value = serde_json::from_str(line).unwrap();
        let method = call["method"].as_str().unwrap().to_owned();
        let mut state = self.state();
        let outcome = if method == "watch.subscribe" {
            state.subscriptions.push(call["params"].clone());
            if let Some(at) = state.idle.iter().position(|(number, _)| *number == child) {
                state.output = Some(state.idle.remove(at).1);
            }
            Ok(json!({ "subscription": 1 }))
        } else {
            state.calls.push((method.clone(), call["params"].clone()));
            match (state.refusals.pop_front(), method.as_str()) {
                (Some(refusal), _) => Err(refusal),
                (None, "send") => {
                    state.row += 1;
                    Ok(
                        json!({ "ok": true, "id": state.row, "guid": format!("GUID-{}", state.row) }),
                    )
                }
                (None, "chats.list") => Ok(json!({ "chats": [] })),
                _ => Err(json!({ "code": -32601, "message": "Method not found", "data": method })),
            }
        };
        let answer = match outcome {
            Ok(result) => json!({ "jsonrpc": "2.0", "id": call["id"], "result": result }),
            Err(error) => json!({ "jsonrpc": "2.0", "id": call["id"], "error": error }),
        };
        if let (false, Some(output)) = (state.is_silent, answers.upgrade()) {
            let _ = output.send(format!("{answer}\n").into_bytes());
        }
        if method == "watch.subscribe"
            && let Some(since) = call["params"]["since_rowid"].as_i64()
        {
            let messages = std::mem::take(&mut state.messages);
            for (_, message) in messages.iter().filter(|(row, _)| *row > since) {
                state.notify(message);
            }
            state.messages = messages;
        }
        drop(state);
        self.changed();
    }
}
