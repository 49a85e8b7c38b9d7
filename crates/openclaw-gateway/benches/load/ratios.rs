//! What things cost in relation to something that cannot be cheaper, measured in the same run.
//!
//! CPU time of the server's process counts where there is a server: client and server share the machine.

use std::time::{Duration, Instant};

use futures_util::{SinkExt as _, StreamExt as _};
use pairing_core::device::{Challenge, Identity, PayloadVersion, SignedFields};
use pairing_core::store::{Batch, Change, Condition};
use pairing_core::{Clock as _, PairingStore};
use pairing_fs::{SystemClock, SystemEntropy};
use pairing_sqlite::OwnStore;
use serde_json::json;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;

use crate::chat::{self, KNOWN};
use crate::client::{Load, Socket, connect, next};
use crate::cpu;
use crate::server::{CLIENTS, Server, write_state};

/// Rounds, of which the median counts.
const ROUNDS: usize = 3;

/// The rows, by the word that selects them.
const ROWS: [&str; 8] = [
    "handshake",
    "calls",
    "held",
    "memory",
    "idle",
    "message",
    "stranger",
    "sqlite",
];

pub(crate) fn run(rows: &[&str]) {
    let wanted = |row: &str| rows.is_empty() || rows.contains(&row);
    for row in rows {
        assert!(ROWS.contains(row), "one of {}", ROWS.join(", "));
    }
    more_descriptors();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    println!("| work | measured | at most | met |");
    println!("|---|---|---|---|");
    runtime.block_on(async {
        if wanted("handshake") {
            handshake().await;
        }
        if wanted("calls") {
            calls().await;
        }
        if wanted("held") {
            held().await;
        }
        if wanted("memory") {
            memory("files", 64.0).await;
            memory("sqlite", 24.0).await;
        }
        if wanted("idle") {
            idle().await;
        }
        if wanted("message") {
            message().await;
        }
        if wanted("stranger") {
            stranger();
        }
    });
    if wanted("sqlite") {
        sqlite();
    }
}

fn row(work: &str, measured: f64, at_most: f64, unit: &str, of: &str) {
    let met = if measured <= at_most { "yes" } else { "**no**" };
    println!("| {work} | {measured:.2}{unit} ({of}) | {at_most}{unit} | {met} |");
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// As many as the system grants: ten thousand connections are held.
fn more_descriptors() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    let _ = setrlimit(Resource::Nofile, limit);
}

/// The CPU time of a server for each of `times` rounds of work, in microseconds.
async fn cost<F: Future<Output = ()>>(
    server: &Server,
    times: usize,
    work: impl Fn(usize) -> F,
) -> f64 {
    let before = server.cpu();
    for number in 0..times {
        work(number).await;
    }
    (server.cpu() - before) * 1e6 / times as f64
}

async fn handshake() {
    let server = Server::start(CLIENTS, false);
    comes_and_goes(&server, 50).await;
    let (mut shakes, mut proofs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        proofs.push(signature());
        shakes.push(comes_and_goes(&server, 600).await);
    }
    let (shake, proof) = (median(shakes), median(proofs));
    row(
        "handshake ÷ verification of a signature",
        shake / proof,
        2.0,
        " ×",
        &format!("{shake:.0} ÷ {proof:.0} µs"),
    );
}

/// The cost of a connection: TCP, upgrade, challenge, proof, `hello-ok`, close.
async fn comes_and_goes(server: &Server, times: usize) -> f64 {
    cost(server, times, async |number| {
        let (device, token) = &server.devices[number % server.devices.len()];
        let mut socket = connect(server.port, device, token).await;
        let _ = socket.close(None).await;
        while let Some(Ok(_)) = socket.next().await {}
    })
    .await
}

/// The cost of the verification of a signature, in microseconds.
fn signature() -> f64 {
    let identity = Identity::generate(&SystemEntropy).unwrap();
    let (id, now) = (identity.id().to_string(), SystemClock.now());
    let fields = SignedFields {
        device_id: &id,
        client_id: "cli",
        client_mode: "cli",
        role: "operator",
        scopes: &["operator.admin".to_owned()],
        signed_at: now.as_millis(),
        token: "a token of a device, as long as such tokens are",
        nonce: "e6a2b7f0-6f0c-4c3e-9a53-7a4cf3d1d1a7",
        platform: Some("linux"),
        device_family: None,
    };
    let signature = identity.sign(&fields, PayloadVersion::V3).unwrap();
    let key = identity.key().to_string();
    let challenge = Challenge {
        nonce: fields.nonce,
        now,
        tolerance: pairing_core::device::SIGNATURE_TOLERANCE,
        v3_only: false,
    };
    cpu::of_call(Duration::from_millis(500), || {
        fields.verify(&key, &signature, &challenge).unwrap();
    })
}

async fn calls() {
    let server = Server::start(10, false);
    let echo = Server::spawn(
        &["serve-echo"],
        tempfile::tempdir().unwrap(),
        &[],
        Vec::new(),
    );
    let (device, token) = &server.devices[0];
    let mut socket = connect(server.port, device, token).await;
    for (method, at_most) in [("health", 2.0), ("device.pair.list", 4.0)] {
        let call = json!({ "type": "req", "id": "1", "method": method, "params": {} });
        let call = call.to_string();
        let size = ask(&mut socket, &call).await;
        let (mut called, mut echoed) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            called.push(asked(&server, &mut socket, &call).await);
            let stream = TcpStream::connect(("127.0.0.1", echo.port)).await.unwrap();
            stream.set_nodelay(true).unwrap();
            let url = format!("ws://127.0.0.1:{}/", echo.port);
            let (mut other, _) = tokio_tungstenite::client_async(url, stream).await.unwrap();
            let frame = format!(r#"{{"type":"res"{}"#, "x".repeat(size - 13));
            echoed.push(asked(&echo, &mut other, &frame).await);
        }
        let (called, echoed) = (median(called), median(echoed));
        row(
            &format!("{method} ÷ echo of its {size} bytes"),
            called / echoed,
            at_most,
            " ×",
            &format!("{called:.1} ÷ {echoed:.1} µs"),
        );
    }
}

async fn asked(server: &Server, socket: &mut Socket, call: &str) -> f64 {
    const TIMES: u32 = 8_000;
    let before = server.cpu();
    for _ in 0..TIMES {
        ask(socket, call).await;
    }
    (server.cpu() - before) * 1e6 / f64::from(TIMES)
}

/// Sends a request, and returns the size of its answer.
async fn ask(socket: &mut Socket, call: &str) -> usize {
    socket.send(Message::text(call)).await.unwrap();
    loop {
        let answer = next(socket).await;
        if answer.starts_with(r#"{"type":"res""#) {
            return answer.len();
        }
    }
}

/// The cost of a connect while few and while many connections are held.
async fn held() {
    const FEW: usize = 10;
    const MANY: usize = 10_000;
    let server = Server::start(CLIENTS, false);
    let load = Load::new(&server);
    comes_and_goes(&server, 50).await;
    let few = load.hold(FEW).await;
    let with_few = comes_and_goes(&server, 1_000).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    // A little below the limit, since others come and go meanwhile.
    let many = load.hold(MANY - FEW - 64).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let with_many = comes_and_goes(&server, 1_000).await;
    row(
        "connect with 10,000 held ÷ with 10",
        with_many / with_few,
        1.3,
        " ×",
        &format!("{with_many:.0} ÷ {with_few:.0} µs"),
    );
    drop((few, many));
}

/// Resident memory after connects and messages have read all records.
async fn memory(store: &str, at_most: f64) {
    const DEVICES: usize = 10_000;
    const SENDERS: usize = 100_000;
    let state = tempfile::tempdir().unwrap();
    let devices = write_state(&state, DEVICES);
    fill(state.path(), store, SENDERS);
    let mut server = Server::spawn(&["serve-chat"], state, &[store], devices);
    let (device, token) = server.devices[0].clone();
    if store == "files" {
        comes_and_goes(&server, 200).await;
        let mut socket = connect(server.port, &device, &token).await;
        server.tell("approved 100");
        heard(&mut socket, 100).await;
    } else {
        server.tell("approved 100");
    }
    row(
        &format!("resident, 10,000 devices and 100,000 senders, {store}"),
        server.resident_kib() as f64 / 1024.0,
        at_most,
        " MiB",
        &format!("at its peak {:.0} MiB", server.peak_kib() as f64 / 1024.0),
    );
}

fn fill(state: &std::path::Path, store: &str, senders: usize) {
    if store == "sqlite" {
        let own = OwnStore::open(&state.join(chat::DATABASE)).unwrap();
        chat::allow(&own, senders);
        let files = pairing_fs::FsStore::new(
            &pairing_fs::StateDir::at(state),
            pairing_core::Channels::builtin(),
        );
        let mut page = pairing_core::store::PageRequest::first(1_000);
        loop {
            let found = files.range(&pairing_core::Range::Devices, &page).unwrap();
            let changes = found.records.iter();
            own.commit(&Batch {
                conditions: Vec::new(),
                changes: changes.map(|of| Change::Put((**of).clone())).collect(),
            })
            .unwrap();
            match found.next {
                None => return,
                after => page.after = after,
            }
        }
    }
    let credentials = state.join("credentials");
    std::fs::create_dir(&credentials).unwrap();
    let entries: Vec<String> = (KNOWN..KNOWN + senders)
        .map(|number| format!("    \"{number}\""))
        .collect();
    let text = format!(
        "{{\n  \"version\": 1,\n  \"allowFrom\": [\n{}\n  ]\n}}\n",
        entries.join(",\n")
    );
    std::fs::write(credentials.join("telegram-allowFrom.json"), text).unwrap();
}

async fn idle() {
    const MANY: usize = 2_000;
    let server = Server::start(CLIENTS, false);
    let load = Load::new(&server);
    // What the first ones take is the gateway's own.
    let warm = load.hold(50).await;
    let before = server.resident_kib();
    let held = load.hold(MANY).await;
    let after = server.resident_kib();
    row(
        "an idle connection",
        (after - before) as f64 / MANY as f64,
        8.0,
        " KiB",
        &format!("of {MANY}"),
    );
    drop((warm, held));
}

async fn message() {
    const TIMES: usize = 10_000;
    let state = tempfile::tempdir().unwrap();
    let devices = write_state(&state, 10);
    fill(state.path(), "files", 10);
    let mut server = Server::spawn(&["serve-chat"], state, &["files"], devices);
    let (device, token) = server.devices[0].clone();
    let mut socket = connect(server.port, &device, &token).await;
    let mut costs = Vec::new();
    for _ in 0..ROUNDS {
        let before = server.cpu();
        let hearing = tokio::spawn(async move {
            heard(&mut socket, TIMES).await;
            socket
        });
        server.tell(&format!("approved {TIMES}"));
        socket = hearing.await.unwrap();
        costs.push((server.cpu() - before) * 1e6 / TIMES as f64);
    }
    row(
        "message of an approved sender, inbox to operator",
        median(costs),
        50.0,
        " µs",
        "CPU",
    );
}

/// Waits for so many messages.
async fn heard(socket: &mut Socket, mut times: usize) {
    while times > 0 {
        if next(socket).await.contains(r#""event":"message.inbound""#) {
            times -= 1;
        }
    }
}

fn stranger() {
    let state = tempfile::tempdir().unwrap();
    let devices = write_state(&state, 10);
    fill(state.path(), "files", 10);
    let mut server = Server::spawn(&["serve-chat"], state, &["files"], devices);
    let answer = server.tell("stranger 100");
    let (whole, bare) = answer.split_once(' ').unwrap();
    let (whole, bare): (f64, f64) = (whole.parse().unwrap(), bare.parse().unwrap());
    row(
        "stranger's message ÷ the bare durable write",
        whole / bare,
        1.3,
        " ×",
        &format!("{whole:.0} ÷ {bare:.0} µs"),
    );
}

/// The time of an approval's commit with few and with many senders, of which there are ever more.
fn sqlite() {
    const MANY: usize = 1_000_000;
    let dir = tempfile::tempdir().unwrap();
    let open = |name: &str, senders: usize| {
        let store = OwnStore::open(&dir.path().join(name)).unwrap();
        chat::allow(&store, senders);
        store
    };
    let (few, many) = (open("few", 10), open("many", MANY));
    let (mut with_few, mut with_many) = (Vec::new(), Vec::new());
    for number in 0..200 {
        with_few.push(approve(&few, 5_000_000 + number));
        with_many.push(approve(&many, 5_000_000 + number));
    }
    let (few, many) = (median(with_few), median(with_many));
    row(
        "approve on sqlite with 1,000,000 senders ÷ with 10",
        many / few,
        1.3,
        " ×",
        &format!("{many:.0} ÷ {few:.0} µs"),
    );
}

/// The time of a commit like an approval's, in microseconds.
fn approve(store: &dyn PairingStore, number: usize) -> f64 {
    let record = chat::allowed(number);
    let began = Instant::now();
    let version = store.read(&record.key()).unwrap().version;
    store
        .commit(&Batch {
            conditions: vec![Condition::Record(record.key(), version)],
            changes: vec![Change::Put(record)],
        })
        .unwrap();
    began.elapsed().as_secs_f64() * 1e6
}
