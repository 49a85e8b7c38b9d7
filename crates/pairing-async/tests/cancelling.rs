//! Decisions whose future is dropped, and decisions that wait for their turn.

use std::sync::mpsc;

use pairing_async::AsyncPairing;
use pairing_core::{
    Approver, Entropy, EntropyError, ManualClock, MemoryStore, Pairing, Requested, Timestamp,
};
use tokio::sync::oneshot;

struct Counting(std::sync::atomic::AtomicU8);

impl Entropy for Counting {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        let from = self.0.fetch_add(31, std::sync::atomic::Ordering::Relaxed);
        for (byte, at) in bytes.iter_mut().zip(0_u8..) {
            *byte = from.wrapping_add(at.wrapping_mul(7));
        }
        Ok(())
    }
}

fn pairing(limit: usize) -> AsyncPairing {
    let clock = ManualClock::new(Timestamp::from_millis(1_800_000_000_000));
    let entropy = Counting(1.into());
    AsyncPairing::with_limit(Pairing::new(MemoryStore::new(), clock, entropy), limit)
}

#[tokio::test]
async fn a_decision_that_has_begun_is_finished_without_its_future() {
    let pairing = pairing(1);
    let account = pairing.account("telegram", "default").unwrap();
    let (begun, has_begun) = oneshot::channel();
    let (go_on, wait) = mpsc::channel::<()>();
    let inner = account.account().clone();
    let deciding = pairing.run(move |_| {
        begun.send(()).unwrap();
        wait.recv().unwrap();
        inner.allow("12345", &Approver::terminal("ann")).unwrap()
    });
    tokio::select! {
        biased;
        _ = deciding => panic!("it waits"),
        begun = has_begun => begun.unwrap(),
    }
    // The future is gone now. The decision holds the only turn until it has ended.
    go_on.send(()).unwrap();
    assert!(account.is_allowed("12345").await.unwrap());
}

#[tokio::test]
async fn a_decision_that_waits_for_its_turn_is_not_begun_without_its_future() {
    let pairing = pairing(1);
    let account = pairing.account("telegram", "default").unwrap();
    let (go_on, wait) = mpsc::channel::<()>();
    let (begun, has_begun) = oneshot::channel();
    let first = {
        let pairing = pairing.clone();
        tokio::spawn(async move {
            pairing
                .run(move |_| {
                    begun.send(()).unwrap();
                    wait.recv().unwrap();
                })
                .await
        })
    };
    has_begun.await.unwrap();
    tokio::select! {
        biased;
        asked = account.request_or_reuse("12345") => panic!("it should have waited: {asked:?}"),
        () = tokio::task::yield_now() => {}
    }
    go_on.send(()).unwrap();
    first.await.unwrap().unwrap();
    assert!(account.pending().await.unwrap().requests.is_empty());
}

#[tokio::test]
async fn a_stranger_asks_and_is_approved() {
    let pairing = pairing(AsyncPairing::LIMIT);
    let account = pairing.account("telegram", "default").unwrap();
    let owner = Approver::terminal("ann");
    let Requested::Created(created) = account.request_or_reuse("12345").await.unwrap() else {
        panic!("a stranger")
    };
    assert_eq!(account.pending().await.unwrap().requests.len(), 1);
    let code = created.request.code.as_str();
    account.approve(code, &owner).await.unwrap();
    assert!(account.approve(code, &owner).await.is_err());
    assert_eq!(account.allowed().await.unwrap().entries.len(), 1);
    let sender = account.account().channel().rules().sender("12345").unwrap();
    let admitted = account.admit_or_request(sender, None).await.unwrap();
    assert!(matches!(admitted, Requested::Allowed(_)));
    assert!(account.revoke("12345", &owner).await.unwrap().is_some());
    assert!(!account.allow("12345", &owner).await.is_ok_and(|new| !new));
}

#[tokio::test]
#[should_panic(expected = "as a test wants it")]
async fn a_panic_is_passed_on() {
    let _ = pairing(1).run(|_| panic!("as a test wants it")).await;
}
