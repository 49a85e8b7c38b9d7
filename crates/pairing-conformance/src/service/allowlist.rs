//! Editing the allowlist by hand.

use pairing_core::{Access, Admission, AllowlistError, Basis, DmPolicy, Principal};

use crate::Fixture;
use crate::bot::{Bot, allowlist, assert_not_found, create, owner, waiting};
use crate::fixture::operator;

pub(crate) fn allowing_and_revoking(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    let account = bot.telegram();
    assert!(account.allow("tg:12345", &owner()).unwrap());
    assert!(!account.allow("12345", &owner()).unwrap(), "was in already");
    match account.admit(" TG:12345 ").unwrap() {
        Admission::Approved(approved) => {
            assert_eq!(approved.sender().as_str(), "12345");
            assert_eq!(approved.basis(), Basis::Paired);
        }
        other @ Admission::Refused(_) => panic!("{other:?}"),
    }
    let revoked = account.revoke("telegram:12345", &owner()).unwrap();
    assert_eq!(revoked.unwrap().entry.as_str(), "12345");
    assert!(!account.is_allowed("12345").unwrap());
    assert_eq!(account.revoke("12345", &owner()).unwrap(), None);
}

pub(crate) fn a_revocation_is_seen_by_a_new_handle(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    bot.telegram().allow("12345", &owner()).unwrap();
    let other = bot.another(fixture, 2);
    assert!(other.telegram().is_allowed("12345").unwrap());
    other.telegram().revoke("12345", &owner()).unwrap().unwrap();
    let third = bot.another(fixture, 3);
    assert!(!third.telegram().is_allowed("12345").unwrap());
}

pub(crate) fn accounts_have_lists_of_their_own(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    let (work, default) = (bot.account("telegram", "work"), bot.telegram());
    work.allow("12345", &owner()).unwrap();
    assert!(!default.is_allowed("12345").unwrap());
    default.allow("12345", &owner()).unwrap();
    work.revoke("12345", &owner()).unwrap().unwrap();
    assert!(default.is_allowed("12345").unwrap());
    assert!(allowlist(&work).is_empty());
    assert_eq!(allowlist(&default), ["12345"]);
}

pub(crate) fn nobody_and_everybody_are_refused(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    let account = bot.telegram();
    for entry in ["", " ", "*", "tg:*", "telegram:", "@ann"] {
        let refused = account.allow(entry, &owner());
        assert!(
            matches!(refused, Err(AllowlistError::Entry(_))),
            "{entry:?}"
        );
        assert!(account.revoke(entry, &owner()).is_err(), "{entry:?}");
    }
    assert!(allowlist(&account).is_empty());
}

pub(crate) fn allowing_ends_a_pending_request(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    let account = bot.telegram();
    let code = create(&account, "12345").request.code;
    assert!(account.allow("12345", &owner()).unwrap());
    assert!(waiting(&account).is_empty());
    assert_not_found(account.approve(code.as_str(), &owner()));
}

pub(crate) fn who_was_revoked_may_ask_anew(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    let account = bot.telegram();
    account.allow("12345", &owner()).unwrap();
    account.revoke("12345", &owner()).unwrap();
    let code = create(&account, "12345").request.code;
    account.approve(code.as_str(), &owner()).unwrap();
    assert!(account.is_allowed("12345").unwrap());
}

pub(crate) fn the_whole_list_is_listed(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    let account = bot.account("discord", "work");
    let mut expected: Vec<_> = (100..130).map(|n| n.to_string()).collect();
    for entry in &expected {
        account.allow(entry, &owner()).unwrap();
    }
    assert_eq!(allowlist(&account), expected);
    for gone in expected.drain(10..20) {
        account.revoke(&gone, &owner()).unwrap().unwrap();
    }
    assert_eq!(allowlist(&account), expected);
}

pub(crate) fn groups_and_closed_policies_pay_no_heed(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    let account = bot.telegram();
    account.allow("12345", &owner()).unwrap();
    assert!(account.admit_in_group("12345").unwrap().is_none());
    for policy in [DmPolicy::Allowlist, DmPolicy::Open, DmPolicy::Disabled] {
        let access = Access::new(account.channel().rules(), policy, ["2"]);
        let closed = account.clone().with_access(access);
        assert!(!closed.is_allowed("12345").unwrap(), "{policy:?}");
    }
}

pub(crate) fn a_policy_for_direct_messages_closes_no_group(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    let account = bot.telegram();
    let rules = account.channel().rules();
    for policy in [DmPolicy::Disabled, DmPolicy::Pairing] {
        let access = Access::new(rules, policy, ["2"]);
        let groups = access.clone().with_groups(rules, ["tg:3"]);
        let in_group = |access: &Access, sender: &str| {
            let account = account.clone().with_access(access.clone());
            account.admit_in_group(sender).unwrap().is_some()
        };
        assert!(
            in_group(&access, "2") && !in_group(&access, "3"),
            "{policy:?}"
        );
        assert!(
            in_group(&groups, "3") && !in_group(&groups, "2"),
            "{policy:?}"
        );
        let nobody = access.clone().with_groups(rules, [""; 0]);
        assert!(!in_group(&nobody, "2"), "{policy:?}");
        // The list of groups lets nobody write directly.
        let account = account.clone().with_access(groups);
        assert!(!account.is_allowed("3").unwrap(), "{policy:?}");
    }
}

pub(crate) fn a_grant_names_the_user_that_the_sender_is(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    let account = bot.telegram();
    let [ann, bea] = ["user 7", "user 8"].map(|id| Principal::parse(id).unwrap());
    let decides = |user: &Principal| operator("web").for_principal(user.clone());
    let code = create(&account, "1").request.code;
    account.approve(code.as_str(), &decides(&ann)).unwrap();
    account.allow("2", &decides(&ann)).unwrap();
    account.allow("3", &decides(&bea)).unwrap();
    account.allow("4", &owner()).unwrap();
    // A sender who is in already stays whose they are.
    assert!(!account.allow("2", &decides(&bea)).unwrap());

    let another = bot.another(fixture, 2);
    let account = another.telegram();
    let principal = |sender| match account.admit(sender).unwrap() {
        Admission::Approved(sender) => sender.principal().cloned(),
        Admission::Refused(refusal) => panic!("{refusal:?}"),
    };
    assert_eq!(principal("1"), Some(ann.clone()));
    assert_eq!(principal("2"), Some(ann.clone()));
    assert_eq!(principal("3"), Some(bea.clone()));
    assert_eq!(principal("4"), None);
    assert_eq!(account.allowed_for(&ann).unwrap().entries.len(), 2);

    let gone = account.revoke_all_for(&ann, &owner()).unwrap();
    assert_eq!(gone.len(), 2);
    assert!(gone.iter().all(|entry| entry.principal() == Some(&ann)));
    assert_eq!(allowlist(&account), ["3", "4"]);
    assert_eq!(account.entry("1").unwrap(), None);
    assert!(account.revoke_all_for(&ann, &owner()).unwrap().is_empty());
}
