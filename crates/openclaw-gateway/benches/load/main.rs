//! The gateway under load, in a process of its own: `cargo bench -p openclaw-gateway --bench load`.
//!
//! Measured are the time from the start to listening, memory when idle and for each idle connection,
//! authenticated handshakes and calls for each second by 4 and 8 clients, and how the cost of a
//! connect grows from 512 to 10,000 paired devices. Clients and gateway share the machine.
//!
//! `-- ratios [row…]` prints costs as ratios to something that was measured in the same run, so that they hold on
//! any machine, with the target of each.
//!
//! `-- soak [minutes]` runs churn, revocations and a failing store for so long instead (10 minutes
//! unless told), and fails where memory grows or something is lost.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a program for developers"
)]

mod chat;
mod client;
mod cpu;
mod echo;
mod ratios;
mod server;
mod soak;

use std::time::{Duration, Instant};

use client::{AT_ONCE, Load};
use server::Server;

/// How long each rate is measured.
const ROUND: Duration = Duration::from_secs(5);

/// Rounds, of which the median counts.
const ROUNDS: usize = 3;

fn main() {
    let args: Vec<String> = std::env::args()
        .skip(1)
        .filter(|arg| arg != "--bench")
        .collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["serve", dir, failing] => server::serve(dir, *failing == "failing"),
        ["serve-chat", dir, store] => chat::serve(dir, store),
        ["serve-echo", _] => echo::serve(),
        ["ratios", rows @ ..] => ratios::run(rows),
        ["soak"] => soak::run(Duration::from_secs(600)),
        ["soak", minutes] => {
            let minutes: u64 = minutes.parse().expect("a number of minutes");
            soak::run(Duration::from_secs(60 * minutes));
        }
        _ => measure(),
    }
}

fn measure() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    starts();
    runtime.block_on(async {
        idle_connections().await;
        for clients in [4, 8] {
            let server = Server::start(server::CLIENTS, false);
            let load = Load::new(&server);
            rate("calls", clients, || load.calls(clients, ROUND)).await;
            rate("handshakes", clients, || async {
                let server = Server::start(server::CLIENTS, false);
                Load::new(&server).handshakes(clients, AT_ONCE).await
            })
            .await;
        }
        for devices in [server::CLIENTS, 1_000, 10_000] {
            let server = Server::start(devices, false);
            let load = Load::new(&server);
            // The files are read once, by the first.
            load.handshakes(1, 50).await;
            let per_second = load.handshakes(1, AT_ONCE - 50).await;
            println!(
                "connect, {devices:>6} paired devices: {:.0} µs",
                1e6 / per_second
            );
        }
    });
}

/// From the start of the process to its first answer, and what it takes then.
fn starts() {
    let mut listening: Vec<Duration> = Vec::new();
    let mut resident = Vec::new();
    for _ in 0..11 {
        let began = Instant::now();
        let server = Server::start(10, false);
        listening.push(began.elapsed());
        resident.push(server.resident_kib());
    }
    listening.sort();
    resident.sort_unstable();
    println!(
        "start to listening: {:.1} ms",
        listening[5].as_secs_f64() * 1e3
    );
    println!("resident when idle: {:.1} MiB", resident[5] as f64 / 1024.0);
}

async fn idle_connections() {
    const MANY: usize = 2000;
    let server = Server::start(10, false);
    let load = Load::new(&server);
    // What the first ones take is the gateway's own.
    let warm = load.hold(50).await;
    let before = server.resident_kib();
    let held = load.hold(MANY).await;
    let after = server.resident_kib();
    println!(
        "an idle connection: {:.1} KiB (of {MANY})",
        (after - before) as f64 / MANY as f64
    );
    drop((warm, held));
}

async fn rate<F: Future<Output = f64>>(what: &str, clients: usize, round: impl Fn() -> F) {
    let mut rates = Vec::new();
    for _ in 0..ROUNDS {
        rates.push(round().await);
    }
    rates.sort_by(f64::total_cmp);
    println!(
        "{what} per second, {clients} clients: {:.0}",
        rates[ROUNDS / 2]
    );
}
