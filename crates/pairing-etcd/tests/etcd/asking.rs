//! Asking members directly, past the store.

use etcd_client::Client;

use crate::members::Members;

/// The member that leads, as the members say.
pub(crate) fn leader(members: &Members) -> usize {
    run(async {
        for (at, endpoint) in members.endpoints().iter().enumerate() {
            let mut client = Client::connect([endpoint], None).await.unwrap();
            let status = client.status().await.unwrap();
            if status.leader() == status.header().unwrap().member_id() {
                return at;
            }
        }
        panic!("nobody leads")
    })
}

/// Runs what asks a member directly.
pub(crate) fn run<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_all().build().unwrap();
    runtime.block_on(work)
}
