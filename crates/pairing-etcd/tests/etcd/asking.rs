//! Asking members directly, past the store.

use std::time::Duration;

use etcd_client::{Client, ConnectOptions};

use crate::members::Members;

/// The member that leads, as the members say; while they elect one, they are asked again.
pub(crate) fn leader(members: &Members) -> usize {
    run(async {
        let endpoints = members.endpoints();
        for _ in 0..100 {
            for (at, endpoint) in endpoints.iter().enumerate() {
                if leads(endpoint).await {
                    return at;
                }
            }
        }
        panic!("nobody leads")
    })
}

async fn leads(endpoint: &str) -> bool {
    let options = ConnectOptions::new().with_timeout(Duration::from_secs(1));
    let Ok(mut client) = Client::connect([endpoint], Some(options)).await else {
        return false;
    };
    // It is answered once there is a leader, or not in time.
    let _ = client.get("leader", None).await;
    let Ok(status) = client.status().await else {
        return false;
    };
    let own = status.header().map(etcd_client::ResponseHeader::member_id);
    own == Some(status.leader())
}

/// Runs what asks a member directly.
pub(crate) fn run<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_all().build().unwrap();
    runtime.block_on(work)
}
