//! Claim codes: what the owner gives to a person, who presents it to the bot.

use pairing_core::store::PageRequest;
use pairing_core::{
    Access, Account, Approver, ClaimCode, ClaimError, Claimed, DmPolicy, InviteError, PairingStore,
    Principal, Range, ScopeSet,
};

use super::together::at_once;
use crate::Fixture;
use crate::bot::{Bot, MINUTE, allowlist, create, owner, waiting};
use crate::fixture::{at, operator};

const LOCKOUT: i64 = 15 * 60_000;

/// A code that no case ever draws.
fn wrong() -> String {
    "A".repeat(ClaimCode::LENGTH)
}

/// Issues a code.
fn invite(account: &Account) -> String {
    let invited = account.invite(&owner()).unwrap();
    invited.code.expose().to_owned()
}

#[track_caller]
fn assert_admitted(result: Result<Claimed, ClaimError>) {
    assert!(matches!(result, Ok(Claimed::Admitted(_))), "{result:?}");
}

#[track_caller]
fn assert_wrong(result: Result<Claimed, ClaimError>) {
    let is_wrong = matches!(result, Err(ClaimError::NotFound { .. }));
    assert!(is_wrong, "{result:?}");
}

/// Returns the attempts that a sender has left.
fn left(account: &Account, sender: &str) -> Option<usize> {
    let sender = account.channel().rules().sender(sender).unwrap();
    account.attempts_of(&sender).unwrap().left
}

/// Returns how many records of a range the store keeps.
fn kept(fixture: &Fixture, range: &Range) -> usize {
    let page = fixture.open().range(range, &PageRequest::first(1000));
    page.unwrap().records.len()
}

pub(crate) fn a_claim_code_admits_who_presents_it(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    let account = bot.telegram();
    let user = Principal::parse("user 7").unwrap();
    let approver = operator("page").for_principal(user.clone());
    let invited = account.invite(&approver).unwrap();
    assert_eq!(invited.claim.expires_at, at(600_000));
    bot.wait(MINUTE);
    let typed = invited.code.expose().to_lowercase();
    let account = bot.another(fixture, 2).telegram();
    let claimed = account.claim("tg:12345", &format!(" {typed}\n"));
    let Ok(Claimed::Admitted(sender)) = claimed else {
        panic!("{claimed:?}");
    };
    let grant = sender.grant().unwrap();
    assert_eq!(grant.by.as_str(), "operator:page");
    assert_eq!((grant.via, grant.at), (approver.via(), at(60_000)));
    assert_eq!(sender.principal(), Some(&user));
    assert!(account.is_allowed("12345").unwrap());
    let entry = account.entry("12345").unwrap().unwrap();
    assert!(entry.grant.is_none_or(|kept| kept == *grant));
    assert!(account.channel().claims().unwrap().is_empty());
}

pub(crate) fn t146_a_claim_code_admits_one_sender_once(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    let account = bot.telegram();
    let code = invite(&account);
    assert_admitted(account.claim("12345", &code));
    assert_wrong(account.claim("999", &code));
    account.revoke("12345", &owner()).unwrap();
    assert_wrong(account.claim("12345", &code));
    assert_eq!(allowlist(&account), [""; 0]);
}

pub(crate) fn t146_of_several_claims_at_once_one_admits(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    let code = invite(&bot.telegram());
    let results = at_once((&bot, fixture), 4, |n, account| {
        account.claim(format!("{n}"), &code)
    });
    let admitted = results
        .iter()
        .filter(|r| matches!(r, Ok(Claimed::Admitted(_))));
    assert_eq!(admitted.count(), 1, "{results:?}");
    for result in results.into_iter().filter(Result::is_err) {
        assert_wrong(result);
    }
    let account = bot.another(fixture, 2).telegram();
    assert_eq!(allowlist(&account).len(), 1);
}

pub(crate) fn a_claim_code_is_presented_to_its_own_account(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    let account = bot.telegram();
    let code = invite(&account);
    for (channel, name) in [("discord", "default"), ("telegram", "work")] {
        let elsewhere = bot.account(channel, name);
        assert_wrong(elsewhere.claim("12345", &code));
        assert!(!elsewhere.is_allowed("12345").unwrap());
        assert_eq!(left(&elsewhere, "12345"), Some(9));
    }
    assert_admitted(account.claim("12345", &code));
}

pub(crate) fn a_claim_code_works_until_its_last_millisecond(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    let account = bot.telegram();
    let (first, second) = (invite(&account), invite(&account));
    bot.wait(10 * MINUTE - 1);
    assert_admitted(account.claim("1", &first));
    bot.wait(1);
    let expired = account.claim("2", &second);
    assert!(
        matches!(expired, Err(ClaimError::Expired { .. })),
        "{expired:?}"
    );
    assert_eq!(left(&account, "2"), Some(9));
    assert_eq!(allowlist(&account), ["1"]);
    assert!(account.channel().claims().unwrap().is_empty());
}

pub(crate) fn t146_wrong_claims_lock_out_their_sender_even_for_right_codes(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    let account = bot.telegram();
    let code = invite(&account);
    for used in 1..=10 {
        assert_wrong(account.claim("12345", &wrong()));
        assert_eq!(left(&account, "12345"), Some(10 - used));
    }
    for presented in [&code, &wrong()] {
        match bot.another(fixture, 2).telegram().claim("12345", presented) {
            Err(ClaimError::LockedOut { until }) => assert_eq!(until, at(LOCKOUT)),
            other => panic!("{other:?}"),
        }
    }
    assert!(!account.is_allowed("12345").unwrap());
    // Nobody else is locked out, and the code is still there for them.
    assert_eq!(left(&account, "777"), Some(10));
    assert_wrong(account.claim("777", &wrong()));
    assert_admitted(account.claim("777", &code));
    // A right code forgives the wrong ones.
    assert_eq!(left(&account, "777"), Some(10));
    bot.wait(15 * MINUTE);
    assert_admitted(account.claim("12345", &invite(&account)));
}

pub(crate) fn what_can_be_no_claim_code_is_not_counted(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    let account = bot.telegram();
    for text in ["", "M8NGT2AA", "AAAAAAAAAAAAAAAAAAAAAAAAA0"] {
        let result = account.claim("12345", text);
        assert!(matches!(result, Err(ClaimError::Code(_))), "{result:?}");
    }
    assert_eq!(left(&account, "12345"), Some(10));
}

pub(crate) fn t146_only_the_hash_of_a_claim_code_is_stored(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    let account = bot.telegram();
    let invited = account.invite(&owner()).unwrap();
    let channel = account.channel().id().clone();
    let page = fixture
        .open()
        .range(&Range::Claims { channel }, &PageRequest::first(10))
        .unwrap();
    let [record] = &page.records[..] else {
        panic!("{:?}", page.records);
    };
    assert_eq!(record.as_claim(), Some(&invited.claim));
    assert_eq!(invited.claim.hash, invited.code.hash());
    let shown = format!("{record:?} {invited:?} {}", record.key().path());
    assert!(!shown.contains(invited.code.expose()), "{shown}");
}

pub(crate) fn t146_claim_codes_are_bounded_and_expired_ones_deleted(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    let account = bot.telegram();
    let claims = Range::Claims {
        channel: account.channel().id().clone(),
    };
    for _ in 0..16 {
        invite(&account);
    }
    let refused = bot.account("telegram", "work").invite(&owner());
    let is_full = matches!(refused, Err(InviteError::TooMany { max: 16 }));
    assert!(is_full, "{refused:?}");
    bot.account("discord", "default").invite(&owner()).unwrap();
    assert_eq!(kept(fixture, &claims), 16);
    bot.wait(10 * MINUTE);
    invite(&account);
    assert_eq!(kept(fixture, &claims), 1);
}

pub(crate) fn t146_other_policies_neither_issue_nor_spend(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    let account = bot.telegram();
    let code = invite(&account);
    for policy in [DmPolicy::Allowlist, DmPolicy::Open, DmPolicy::Disabled] {
        let nobody: [&str; 0] = [];
        let access = Access::new(account.channel().rules(), policy, nobody);
        let closed = bot.telegram().with_access(access);
        let refused = closed.claim("12345", &code);
        let is_refused = matches!(refused, Err(ClaimError::NotOffered(_)));
        assert!(is_refused, "{refused:?}");
        let refused = closed.invite(&owner());
        let is_refused = matches!(refused, Err(InviteError::NotOffered(_)));
        assert!(is_refused, "{refused:?}");
    }
    assert_admitted(account.claim("12345", &code));
}

pub(crate) fn who_is_allowed_already_spends_nothing(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    let access = Access::new(bot.telegram().channel().rules(), DmPolicy::Pairing, ["777"]);
    let account = bot.telegram().with_access(access);
    account.allow("12345", &owner()).unwrap();
    let code = invite(&account);
    for sender in ["12345", "777"] {
        for presented in [&code, &wrong()] {
            let claimed = account.claim(sender, presented);
            let is_known = matches!(claimed, Ok(Claimed::AlreadyAllowed(_)));
            assert!(is_known, "{claimed:?}");
        }
        assert_eq!(left(&account, sender), Some(10));
    }
    assert_admitted(account.claim("999", &code));
}

pub(crate) fn a_claim_ends_the_senders_own_request(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    let account = bot.telegram();
    let asked = create(&account, "12345").request.code;
    create(&account, "777");
    assert_admitted(account.claim("12345", &invite(&account)));
    assert_eq!(waiting(&account), ["777"]);
    assert!(account.approve(asked.as_str(), &owner()).is_err());
}

pub(crate) fn a_claim_code_can_be_ended(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    let account = bot.telegram();
    let invited = account.invite(&owner()).unwrap();
    let channel = bot.another(fixture, 2).channel("telegram");
    let claims = channel.claims().unwrap();
    assert_eq!(claims, std::slice::from_ref(&invited.claim));
    let id = invited.claim.id();
    assert!(!invited.code.expose().to_lowercase().contains(&id));
    assert_eq!(channel.end_claim("", &owner()).unwrap(), None);
    let end = || channel.end_claim(&id, &owner()).unwrap();
    assert_eq!((end(), end()), (Some(invited.claim.clone()), None));
    assert_wrong(account.claim("12345", invited.code.expose()));
}

pub(crate) fn without_the_scope_no_claim_code_is_issued(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    let nobody = Approver::operator("reader", ScopeSet::default());
    let account = bot.telegram();
    let refused = account.invite(&nobody);
    assert!(matches!(refused, Err(InviteError::Scope(_))), "{refused:?}");
    let id = account.invite(&owner()).unwrap().claim.id();
    assert!(account.channel().end_claim(&id, &nobody).is_err());
    assert_eq!(account.channel().claims().unwrap().len(), 1);
}

pub(crate) fn a_clock_set_back_makes_no_claim_code_valid(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    bot.wait(1);
    let code = invite(&bot.telegram());
    bot.clock.set(at(0));
    assert!(bot.telegram().claim("12345", &code).is_err());
    assert!(!bot.telegram().is_allowed("12345").unwrap());
}

pub(crate) fn t146_counts_of_guessing_senders_are_bounded(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    let account = bot.telegram();
    let attempts = Range::Attempts {
        channel: account.channel().id().clone(),
    };
    for sender in 1..=260 {
        assert_wrong(account.claim(format!("{sender}"), &wrong()));
        bot.wait(1);
    }
    assert_eq!(kept(fixture, &attempts), 256);
    assert_eq!(
        (left(&account, "4"), left(&account, "5")),
        (Some(10), Some(9))
    );
}
