//! The owner's decisions on requests.

use pairing_core::store::Change;
use pairing_core::{Approver, Key};
use pairing_core::{DecisionError, Record, Reverted, ScopeSet, Via};

use crate::Fixture;
use crate::bot::{
    Bot, WRONG, allowlist, assert_not_found, create, owner, reuse, turned_away, waiting,
};
use crate::fixture::{at, operator, read, write};

pub(crate) fn approving_lets_in_and_ends_the_request(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    let account = bot.telegram();
    let request = create(&account, "12345").request;
    bot.wait(1000);
    let code = request.code.as_str();
    let approved = account.channel().approve(code, &owner()).unwrap();
    assert_eq!(approved.request, request);
    assert_eq!(approved.entry.entry, request.sender);
    let grant = approved.entry.grant.unwrap();
    assert_eq!(grant.by, *owner().id());
    assert_eq!((grant.via, grant.at), (Via::Terminal, at(1000)));
    assert_eq!(grant.requested_at, Some(at(0)));
    assert!(account.is_allowed("12345").unwrap());
    assert!(waiting(&account).is_empty());
    assert_eq!(allowlist(&account), ["12345"]);
}

pub(crate) fn a_new_handle_sees_the_approval(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    let account = bot.account("telegram", "work");
    let code = create(&account, "12345").request.code;
    let other = bot.another(fixture, 2);
    let there = other.account("telegram", "work");
    there.approve(code.as_str(), &owner()).unwrap();
    let third = bot.another(fixture, 3);
    let third = third.account("telegram", "work");
    assert!(third.is_allowed("12345").unwrap());
    assert!(waiting(&third).is_empty());
}

pub(crate) fn a_code_is_typed_forgivingly(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    let account = bot.telegram();
    let code = create(&account, "12345").request.code;
    let (first, last) = code.as_str().split_at(4);
    let typed = format!(" {}-{last}\n", first.to_lowercase());
    account.approve(&typed, &owner()).unwrap();
    assert!(account.is_allowed("12345").unwrap());
}

pub(crate) fn a_code_works_once(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    let account = bot.telegram();
    let code = create(&account, "12345").request.code;
    account.approve(code.as_str(), &owner()).unwrap();
    assert_not_found(account.approve(code.as_str(), &owner()));
    assert_not_found(account.reject(code.as_str(), &owner()));
    account.revoke("12345", &owner()).unwrap().unwrap();
    assert_not_found(account.approve(code.as_str(), &owner()));
    assert!(!account.is_allowed("12345").unwrap());
}

pub(crate) fn a_wrong_code_approves_nobody(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    let account = bot.telegram();
    create(&account, "12345");
    assert_not_found(account.approve(WRONG, &owner()));
    for mistyped in ["", "ABC", "ABCDEFG0", "ABCDEFGHJ"] {
        let refused = account.approve(mistyped, &owner());
        assert!(
            matches!(refused, Err(DecisionError::Code(_))),
            "{refused:?}"
        );
    }
    assert_eq!(waiting(&account), ["12345"]);
    assert!(allowlist(&account).is_empty());
}

pub(crate) fn a_code_of_another_channel_is_wrong(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    let code = create(&bot.telegram(), "12345").request.code;
    let discord = bot.account("discord", "default");
    assert_not_found(discord.approve(code.as_str(), &owner()));
    assert_not_found(bot.channel("discord").reject(code.as_str(), &owner()));
    assert_eq!(waiting(&bot.telegram()), ["12345"]);
}

pub(crate) fn the_wrong_account_is_told_the_right_one(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    let (work, default) = (bot.account("telegram", "work"), bot.telegram());
    let code = create(&work, "12345").request.code;
    for refused in [
        default.approve(code.as_str(), &owner()).map(|_| ()),
        default.reject(code.as_str(), &owner()).map(|_| ()),
    ] {
        match refused {
            Err(DecisionError::OtherAccount { account }) => assert_eq!(account, *work.id()),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(waiting(&work), ["12345"]);
    let approved = bot.channel("telegram").approve(code.as_str(), &owner());
    assert_eq!(approved.unwrap().request.account, *work.id());
    assert!(work.is_allowed("12345").unwrap());
    assert!(!default.is_allowed("12345").unwrap());
}

pub(crate) fn rejecting_ends_the_request(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    let account = bot.telegram();
    let code = create(&account, "12345").request.code;
    let rejected = account.reject(code.as_str(), &owner()).unwrap();
    assert_eq!(rejected.code, code);
    assert_not_found(account.approve(code.as_str(), &owner()));
    let by_sender = create(&account, "12345").request.code;
    assert_ne!(by_sender, code, "a new request has a new code");
    account.reject("tg:12345", &owner()).unwrap();
    assert_not_found(account.reject("12345", &owner()));
    assert!(waiting(&account).is_empty());
    assert!(!account.is_allowed("12345").unwrap());
}

pub(crate) fn rejecting_a_sender_of_two_accounts_takes_the_account(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    let (work, default) = (bot.account("telegram", "work"), bot.telegram());
    create(&work, "12345");
    create(&default, "12345");
    match bot.channel("telegram").reject("12345", &owner()) {
        Err(DecisionError::Ambiguous { accounts }) => {
            assert_eq!(accounts.len(), 2);
            assert!(accounts.contains(work.id()) && accounts.contains(default.id()));
        }
        other => panic!("{other:?}"),
    }
    work.reject("12345", &owner()).unwrap();
    assert!(waiting(&work).is_empty());
    assert_eq!(waiting(&default), ["12345"]);
}

pub(crate) fn without_the_scope_nothing_is_decided(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    let account = bot.telegram();
    let code = create(&account, "12345").request.code;
    account.allow("777", &owner()).unwrap();
    let nobody = Approver::operator("phone", ScopeSet::default());
    let approved = account.approve(code.as_str(), &nobody);
    assert!(
        matches!(approved, Err(DecisionError::Scope(_))),
        "{approved:?}"
    );
    let rejected = account.reject(code.as_str(), &nobody);
    assert!(
        matches!(rejected, Err(DecisionError::Scope(_))),
        "{rejected:?}"
    );
    assert!(account.allow("888", &nobody).is_err());
    assert!(account.revoke("777", &nobody).is_err());
    assert_eq!(waiting(&account), ["12345"]);
    assert_eq!(allowlist(&account), ["777"]);
}

pub(crate) fn approving_who_is_allowed_already_ends_the_request(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    let account = bot.account("telegram", "work");
    let request = create(&account, "12345").request;
    // Only a program that bypasses the service can leave this state.
    let entry = pairing_core::store::AllowEntry {
        channel: request.channel.clone(),
        account: request.account.clone(),
        entry: request.sender.clone(),
        written: None,
        grant: None,
    };
    write(&*fixture.open(), [Change::Put(Record::Allow(entry))]);
    let other = bot.another(fixture, 2);
    let there = other.account("telegram", "work");
    match there.approve(request.code.as_str(), &owner()) {
        // A store may treat the request as already ended.
        Ok(_) | Err(DecisionError::NotFound { .. }) => {}
        Err(other) => panic!("{other}"),
    }
    assert!(waiting(&there).is_empty());
    assert_eq!(allowlist(&there), ["12345"]);
}

pub(crate) fn a_decision_leaves_other_requests_alone(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    let account = bot.telegram();
    let codes = ["1", "2", "3"].map(|sender| create(&account, sender).request.code);
    turned_away(&account, "4");
    account.approve(codes[1].as_str(), &owner()).unwrap();
    assert_eq!(waiting(&account), ["1", "3"]);
    assert_eq!(reuse(&account, "1").code, codes[0]);
    assert_eq!(reuse(&account, "3").code, codes[2]);
    let store = fixture.open();
    let key = Key::Code {
        channel: account.channel().id().clone(),
        code: codes[1],
    };
    assert_eq!(read(&*store, &key), None, "the code is free");
}

pub(crate) fn every_kind_of_approver_may_decide(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    let account = bot.telegram();
    let rules = account.channel().rules();
    let chat = Approver::chat_owner(rules.id(), &rules.sender("1").unwrap());
    for (sender, approver, via) in [
        ("11", owner(), Via::Terminal),
        ("12", chat, Via::Chat),
        ("13", operator("phone"), Via::Gateway),
    ] {
        let code = create(&account, sender).request.code;
        let approved = account.approve(code.as_str(), &approver).unwrap();
        assert_eq!(approved.entry.grant.unwrap().via, via);
    }
    assert_eq!(allowlist(&account), ["11", "12", "13"]);
}

pub(crate) fn an_approval_is_reverted_and_its_code_works_again(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    let account = bot.telegram();
    let channel = account.channel();
    let request = create(&account, "12345").request;
    let code = request.code.as_str();
    let approved = account.approve(code, &owner()).unwrap();
    let revert = || channel.revert(&approved, &owner()).unwrap();
    assert_eq!(revert(), Reverted::Pending);
    assert!(!account.is_allowed("12345").unwrap());
    assert_eq!(waiting(&account), ["12345"]);
    assert_eq!(revert(), Reverted::Unchanged);

    let other = bot.another(fixture, 2).telegram();
    let again = other.approve(code, &owner()).unwrap();
    for stranger in ["1", "2", "3"] {
        create(&account, stranger);
    }
    // There is no room for a fourth.
    let reverted = channel.revert(&again, &owner()).unwrap();
    assert_eq!(reverted, Reverted::Ended);
    assert!(!account.is_allowed("12345").unwrap());
    assert_eq!(waiting(&account), ["1", "2", "3"]);

    let nobody = operator("nobody");
    assert!(channel.revert(&again, &nobody).is_ok());
    let powerless = Approver::operator("phone", ScopeSet::default());
    assert!(channel.revert(&again, &powerless).is_err());
}
