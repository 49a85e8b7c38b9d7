//! What operations cost in allocations: unlike time, that is the same on every machine.
//!
//! The client is in the same process, so its allocations are in the numbers; they stay the same.

use std::alloc::System;

use futures_util::StreamExt as _;
use pairing_core::Approver;
use pairing_fs::StateDir;
use serde_json::json;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

use crate::channels::fake::{Fake, direct};
use crate::channels::{behind, heard, telegram};
use crate::support::{Running, start};
use crate::talk::ADMIN;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// How often each operation is repeated. What happens now and then is spread over so many.
const TIMES: usize = 100;

/// How much more, or less, an operation may allocate than it did, in percent.
const TOLERANCE: usize = 10;

/// Allocations, and what they were when this was written.
struct Count {
    operation: &'static str,
    was: usize,
    is: usize,
}

fn allocations() -> usize {
    let stats = Region::new(ALLOCATOR).initial();
    stats.allocations + stats.reallocations
}

/// The allocations of one of [`TIMES`] operations, after one that is not counted.
async fn count(operation: &'static str, was: usize, mut run: impl AsyncFnMut()) -> Count {
    run().await;
    let before = allocations();
    for _ in 0..TIMES {
        run().await;
    }
    Count {
        operation,
        was,
        is: (allocations() - before) / TIMES,
    }
}

#[tokio::test]
#[ignore = "counts what the whole process does, so it has to run alone: `.ci/run` does that"]
async fn operations_allocate_as_much_as_they_did() {
    let counts = [
        handshake().await,
        call("health", 38).await,
        call("device.pair.list", 1_041).await,
        message().await,
        approval(10, 355).await,
        approval(10_000, 355).await,
    ];
    let mut changed = String::new();
    for Count { operation, was, is } in counts {
        println!("{operation}: {is} allocations, were {was}");
        if is.abs_diff(was) * 100 > was * TOLERANCE {
            changed += &format!("\n{operation}: {is} allocations, were {was}");
        }
    }
    assert!(
        changed.is_empty(),
        "operations allocate more than {TOLERANCE} % more or less than they did. Where less is meant to stay, or more \
         is worth it, write the new number into this file:{changed}"
    );
}

/// A device comes in with its token, and goes.
async fn handshake() -> Count {
    let gateway = start().await;
    let device = gateway.device();
    let counted = count("a handshake", 766, async || {
        let mut socket = gateway.operator_device(&device, ADMIN).await.raw.0;
        socket.close(None).await.unwrap();
        while let Some(Ok(_)) = socket.next().await {}
        // A device may come only so often.
        gateway.pass(10);
    });
    let counted = counted.await;
    gateway.stop().await;
    counted
}

/// A call, while ten devices are paired.
async fn call(method: &'static str, was: usize) -> Count {
    let gateway = start().await;
    for _ in 0..10 {
        gateway.operator_device(&gateway.device(), ADMIN).await;
        gateway.pass(10);
    }
    let mut admin = gateway.admin_device().await;
    let counted = count(method, was, async || {
        admin.call(method, json!({})).await.unwrap();
    });
    let counted = counted.await;
    gateway.stop().await;
    counted
}

/// An approved sender's message, from the adapter to an operator.
async fn message() -> Count {
    let fake = Fake::new("telegram", "default");
    let gateway: Running = behind(telegram(""), &[&fake]).await;
    gateway.allows("default", "7");
    let mut admin = gateway.admin_device().await;
    let counted = count("a message of an approved sender", 70, async || {
        fake.says(direct("7", "hello")).await;
        heard(&mut admin).await;
    });
    let counted = counted.await;
    gateway.stop().await;
    counted
}

/// A sender is allowed on files, besides so many others.
async fn approval(others: usize, was: usize) -> Count {
    let dir = tempfile::tempdir().unwrap();
    let credentials = dir.path().join("credentials");
    std::fs::create_dir(&credentials).unwrap();
    let others: Vec<String> = (0..others).map(|number| number.to_string()).collect();
    let list = json!({ "version": 1, "allowFrom": others }).to_string();
    std::fs::write(credentials.join("telegram-allowFrom.json"), list).unwrap();
    let pairing = pairing_fs::open(&StateDir::at(dir.path()));
    let telegram = pairing.channel("telegram").unwrap();
    let (account, owner) = (
        telegram.account("default").unwrap(),
        Approver::terminal("ann"),
    );
    let mut next = 1_000_000;
    let operation = if others.len() > 10 {
        "an approval on files, of many"
    } else {
        "an approval on files, of few"
    };
    count(operation, was, async || {
        next += 1;
        account.allow(&next.to_string(), &owner).unwrap();
    })
    .await
}
