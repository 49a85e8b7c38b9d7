//! The promises of the service that remain when the store fails.

use std::sync::Arc;

use pairing_core::{
    AdmitError, AllowlistError, DecisionError, PairingStore, RequestError, StoreError,
};

use crate::bot::{
    Bot, WRONG, allowlist, assert_locked_out, assert_not_found, create, is_write_error, owner,
    reuse, waiting,
};
use crate::fixture::{at, operator};
use crate::{Fault, Faulty, Fixture};

type Store = Arc<Faulty<Arc<dyn PairingStore>>>;

fn faulty(fixture: &Fixture) -> (Store, Bot) {
    let store = Arc::new(Faulty::new(fixture.open()));
    (store.clone(), Bot::over(store))
}

pub(crate) fn spurious_conflicts_go_unnoticed(fixture: &Fixture) {
    let (store, bot) = faulty(fixture);
    let account = bot.telegram();
    store.next_commits([Fault::Conflict; 5]);
    let code = create(&account, "12345").request.code;
    assert_eq!(store.commits(), 6);
    assert_eq!(waiting(&account), ["12345"]);
    store.next_commits([Fault::Conflict; 5]);
    account.approve(code.as_str(), &owner()).unwrap();
    assert_eq!(store.commits(), 12);
    assert_eq!(allowlist(&account), ["12345"]);
}

pub(crate) fn endless_conflicts_end_in_an_error(fixture: &Fixture) {
    let (store, bot) = faulty(fixture);
    let account = bot.telegram();
    let code = create(&account, "1").request.code;
    store.every_commit(Fault::Conflict);
    let requested = account.request_or_reuse("2");
    assert!(
        matches!(requested, Err(RequestError::Store(StoreError::Conflict))),
        "{requested:?}"
    );
    assert!(store.commits() < 1000, "{}", store.commits());
    let approved = account.approve(code.as_str(), &owner());
    assert!(
        matches!(approved, Err(DecisionError::Store(StoreError::Conflict))),
        "{approved:?}"
    );
    assert_eq!(waiting(&account), ["1"]);
    assert!(allowlist(&account).is_empty());
}

pub(crate) fn a_request_that_was_not_written_was_not_made(fixture: &Fixture) {
    let (store, bot) = faulty(fixture);
    let account = bot.telegram();
    store.next_commits([Fault::Before]);
    match account.request_or_reuse("12345") {
        Err(RequestError::Store(error)) => assert!(is_write_error(&error), "{error:?}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(store.commits(), 1, "a failure is no conflict");
    assert!(waiting(&account).is_empty());
    create(&account, "12345");
}

pub(crate) fn an_approval_that_was_not_written_can_be_repeated(fixture: &Fixture) {
    let (store, bot) = faulty(fixture);
    let account = bot.telegram();
    let code = create(&account, "12345").request.code;
    store.next_commits([Fault::Before]);
    match account.approve(code.as_str(), &owner()) {
        Err(DecisionError::Store(error)) => assert!(is_write_error(&error), "{error:?}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(waiting(&account), ["12345"]);
    assert!(!account.is_allowed("12345").unwrap());
    account.approve(code.as_str(), &owner()).unwrap();
    assert!(account.is_allowed("12345").unwrap());
}

pub(crate) fn a_request_whose_answer_was_lost_is_met_again(fixture: &Fixture) {
    let (store, bot) = faulty(fixture);
    let account = bot.telegram();
    store.next_commits([Fault::After]);
    assert!(account.request_or_reuse("12345").is_err());
    let request = reuse(&account, "12345");
    assert_eq!(account.pending().unwrap().requests, [request]);
}

pub(crate) fn an_approval_whose_answer_was_lost_stands_whole(fixture: &Fixture) {
    let (store, bot) = faulty(fixture);
    let account = bot.telegram();
    let code = create(&account, "12345").request.code;
    store.next_commits([Fault::After]);
    assert!(account.approve(code.as_str(), &owner()).is_err());
    assert!(account.is_allowed("12345").unwrap());
    assert!(waiting(&account).is_empty());
    assert_not_found(account.approve(code.as_str(), &owner()));
    assert_eq!(allowlist(&account), ["12345"]);
}

pub(crate) fn a_revocation_that_failed_says_so(fixture: &Fixture) {
    let (store, bot) = faulty(fixture);
    let account = bot.telegram();
    account.allow("12345", &owner()).unwrap();
    store.next_commits([Fault::Before]);
    let revoked = account.revoke("12345", &owner());
    assert!(
        matches!(revoked, Err(AllowlistError::Store(_))),
        "{revoked:?}"
    );
    assert!(account.is_allowed("12345").unwrap());
    store.next_commits([Fault::After]);
    assert!(account.revoke("12345", &owner()).is_err());
    assert!(!account.is_allowed("12345").unwrap());
}

pub(crate) fn who_cannot_be_looked_up_is_not_admitted(fixture: &Fixture) {
    let (store, bot) = faulty(fixture);
    let account = bot.telegram();
    account.allow("12345", &owner()).unwrap();
    store.reads_after(0);
    for sender in ["12345", "67890"] {
        let admitted = account.admit(sender);
        assert!(
            matches!(admitted, Err(AdmitError::Store(_))),
            "{admitted:?}"
        );
    }
    assert!(account.pending().is_err());
    assert!(account.allowed().is_err());
    store.calm();
    assert!(account.is_allowed("12345").unwrap());
}

pub(crate) fn what_could_not_be_read_whole_is_not_decided(fixture: &Fixture) {
    let (store, bot) = faulty(fixture);
    let account = bot.telegram();
    let code = create(&account, "12345").request.code;
    let commits = store.commits();
    // An approval takes four reads, a request three: whichever fails, nothing is written.
    for good in 0..4 {
        store.reads_after(good);
        let approved = account.approve(code.as_str(), &operator("phone"));
        assert!(
            matches!(approved, Err(DecisionError::Store(_))),
            "{approved:?}"
        );
    }
    for good in 0..3 {
        store.reads_after(good);
        let requested = account.request_or_reuse("67890");
        assert!(
            matches!(requested, Err(RequestError::Store(_))),
            "{requested:?}"
        );
    }
    store.calm();
    assert_eq!(store.commits(), commits);
    assert_eq!(waiting(&account), ["12345"]);
    assert!(allowlist(&account).is_empty());
}

pub(crate) fn a_wrong_code_is_counted_once_however_often_it_is_tried(fixture: &Fixture) {
    let (store, bot) = faulty(fixture);
    let (account, guesser) = (bot.telegram(), operator("phone"));
    for _ in 0..10 {
        store.next_commits([Fault::Conflict; 3]);
        assert_not_found(account.approve(WRONG, &guesser));
    }
    let locked_out = account.approve(WRONG, &guesser);
    assert_locked_out(locked_out, at(15 * 60_000));
}

pub(crate) fn a_guess_that_could_not_be_counted_tells_nothing(fixture: &Fixture) {
    let (store, bot) = faulty(fixture);
    let account = bot.telegram();
    create(&account, "12345");
    store.every_commit(Fault::Before);
    for _ in 0..20 {
        let guessed = account.approve(WRONG, &operator("phone"));
        assert!(
            matches!(guessed, Err(DecisionError::Store(_))),
            "{guessed:?}"
        );
    }
}
