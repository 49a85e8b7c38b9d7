//! Gateways at work while their cluster is killed, stopped and cut, and a look at all that happened:
//! `cargo bench -p pairing-etcd --features client --bench faults [-- --seconds 180 --seed 1 --workers 4]`.
//!
//! Each worker is a process of its own over an [`EtcdStore`], with a clock of its own. What it does and what
//! fails when are drawn from the seed. Afterwards the checker reads every worker's history, and the
//! cluster's, for what may never be. Members are in network namespaces of their own where that is
//! allowed (root, with `ip`); elsewhere they are on loopback, and nobody is cut off.
#![allow(
    missing_docs,
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a program for developers"
)]

#[path = "../../tests/etcd/asking.rs"]
mod asking;
mod chaos;
mod check;
mod history;
mod hosts;
#[path = "../../tests/etcd/members.rs"]
mod members;
mod phone;
mod worker;

use std::process::{Child, Command};
use std::time::Duration;

use hosts::Hosts;

/// The install that all of them share.
const PREFIX: &str = "faults";

struct Options {
    seconds: u64,
    seed: u64,
    workers: u32,
}

fn main() {
    let words: Vec<String> = std::env::args()
        .skip(1)
        .filter(|arg| arg != "--bench")
        .collect();
    if let [word, rest @ ..] = words.as_slice()
        && word == "worker"
    {
        return worker::run(rest);
    }
    let options = options(&words);
    let scratch = tempfile::tempdir().unwrap();
    let hosts = Hosts::make(3);
    let mut members = hosts.start_members();
    let endpoints = members.endpoints();
    let workers: Vec<Child> = (0..options.workers)
        .map(|number| {
            Command::new(std::env::current_exe().unwrap())
                .arg("worker")
                .args([number.to_string(), options.seed.to_string()])
                .arg(endpoints.join(","))
                .arg(options.seconds.to_string())
                .arg(scratch.path())
                .spawn()
                .unwrap()
        })
        .collect();
    let lasting = Duration::from_secs(options.seconds);
    let faults = chaos::run(&mut members, &hosts, options.seed, lasting);
    for mut worker in workers {
        assert!(worker.wait().unwrap().success(), "a worker failed");
    }
    let report = check::check(scratch.path(), &endpoints, &faults);
    println!("{report}");
    assert!(report.violations.is_empty(), "promises were broken");
}

fn options(words: &[String]) -> Options {
    let mut options = Options {
        seconds: 180,
        seed: 1,
        workers: 4,
    };
    for pair in words.chunks(2) {
        let [name, value] = pair else {
            panic!("{} lacks a value", pair[0])
        };
        let number: u64 = value.parse().expect("a number");
        match name.as_str() {
            "--seconds" => options.seconds = number,
            "--seed" => options.seed = number,
            "--workers" => options.workers = u32::try_from(number).expect("a few"),
            other => panic!("no such option: {other}"),
        }
    }
    options
}
