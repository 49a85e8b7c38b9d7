//! Wrong codes add up to a lockout.

use pairing_core::store::PageRequest;
use pairing_core::{Approver, PairingStore as _, Range};

use crate::Fixture;
use crate::bot::{Bot, MINUTE, WRONG, assert_locked_out, assert_not_found, create, owner, waiting};
use crate::fixture::{at, operator};

const LOCKOUT: i64 = 15 * 60_000;

/// Sends wrong codes, and expects each to be reported as not found.
#[track_caller]
fn fail(bot: &Bot, approver: &Approver, times: usize) {
    for _ in 0..times {
        assert_not_found(bot.telegram().approve(WRONG, approver));
    }
}

pub(crate) fn ten_wrong_codes_lock_out_for_a_quarter_of_an_hour(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    let (account, guesser) = (bot.telegram(), operator("phone"));
    fail(&bot, &guesser, 10);
    bot.wait(14 * MINUTE);
    let code = create(&account, "12345").request.code;
    for _ in 0..2 {
        let locked_out = account.approve(code.as_str(), &guesser);
        assert_locked_out(locked_out, at(LOCKOUT));
        assert_locked_out(account.reject("12345", &guesser), at(LOCKOUT));
    }
    bot.wait(MINUTE - 1);
    assert_locked_out(account.approve(WRONG, &guesser), at(LOCKOUT));
    assert_eq!(waiting(&account), ["12345"]);
    bot.wait(1);
    account.approve(code.as_str(), &guesser).unwrap();
}

pub(crate) fn a_right_code_forgives_the_wrong_ones(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    let (account, approver) = (bot.telegram(), operator("phone"));
    for sender in ["1", "2"] {
        fail(&bot, &approver, 9);
        let code = create(&account, sender).request.code;
        account.approve(code.as_str(), &approver).unwrap();
    }
}

pub(crate) fn wrong_codes_are_forgotten_after_five_minutes(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    let approver = operator("phone");
    fail(&bot, &approver, 5);
    bot.wait(5 * MINUTE - 1);
    fail(&bot, &approver, 4);
    bot.wait(1);
    // The first five are forgotten, so the sixth wrong code from here is the tenth.
    fail(&bot, &approver, 6);
    let locked_out = bot.telegram().approve(WRONG, &approver);
    assert_locked_out(locked_out, at(5 * 60_000 + LOCKOUT));
}

pub(crate) fn all_handles_count_together(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    let approver = operator("phone");
    let code = create(&bot.telegram(), "12345").request.code;
    fail(&bot, &approver, 4);
    fail(&bot.another(fixture, 2), &approver, 6);
    for bot in [&bot.another(fixture, 3), &bot] {
        let locked_out = bot.telegram().approve(code.as_str(), &approver);
        assert_locked_out(locked_out, at(LOCKOUT));
    }
}

pub(crate) fn approvers_and_channels_count_apart(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    fail(&bot, &operator("phone"), 10);
    fail(&bot, &operator("tablet"), 1);
    let elsewhere = bot.account("discord", "default");
    assert_not_found(elsewhere.approve(WRONG, &operator("phone")));
    assert_locked_out(
        bot.account("telegram", "work")
            .approve(WRONG, &operator("phone")),
        at(LOCKOUT),
    );
}

pub(crate) fn the_terminal_is_never_locked_out(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    let code = create(&bot.telegram(), "12345").request.code;
    fail(&bot, &owner(), 30);
    fail(&bot, &operator("phone"), 10);
    bot.telegram().approve(code.as_str(), &owner()).unwrap();
}

pub(crate) fn what_can_be_no_code_is_not_counted(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    let (account, approver) = (bot.telegram(), operator("phone"));
    let code = create(&account, "12345").request.code;
    for _ in 0..30 {
        assert!(account.approve("mistyped!", &approver).is_err());
    }
    account.approve(code.as_str(), &approver).unwrap();
}

pub(crate) fn a_code_is_redeemed_by_its_own_sender_alone(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    let account = bot.telegram();
    let code = create(&account, "12345").request.code;
    create(&account, "777");
    assert_not_found(account.redeem("777", code.as_str()));
    assert_not_found(account.redeem("999", code.as_str()));
    let elsewhere = bot.account("telegram", "work");
    assert_not_found(elsewhere.redeem("12345", code.as_str()));
    assert_eq!(waiting(&account).len(), 2);
    let approved = account.redeem("tg:12345", code.as_str()).unwrap();
    let grant = approved.entry.grant.unwrap();
    assert_eq!(grant.by.as_str(), "sender:telegram:12345");
    assert_eq!(account.entry("12345").unwrap().unwrap().grant, Some(grant));
    assert_eq!(waiting(&account), ["777"]);
    assert_not_found(account.redeem("12345", code.as_str()));
}

pub(crate) fn wrong_redemptions_lock_out_one_sender_and_can_be_asked_for(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    let account = bot.telegram();
    let code = create(&account, "12345").request.code;
    let other = create(&account, "777").request.code;
    let id = |sender: &str| account.channel().rules().sender(sender).unwrap();
    let left = |sender| account.attempts_of(&id(sender)).unwrap();
    assert_eq!(
        (left("12345").left, left("12345").locked_until),
        (Some(10), None)
    );
    for used in 1..=9 {
        assert_not_found(account.redeem("12345", WRONG));
        assert_eq!(left("12345").left, Some(10 - used));
    }
    bot.wait(5 * MINUTE);
    assert_eq!(left("12345").left, Some(10));
    for _ in 0..10 {
        assert_not_found(account.redeem("12345", WRONG));
    }
    let until = at(5 * 60_000 + LOCKOUT);
    assert_locked_out(account.redeem("12345", code.as_str()), until);
    assert_eq!(
        (left("12345").left, left("12345").locked_until),
        (Some(0), Some(until))
    );
    assert_eq!(left("777").left, Some(10));
    account.redeem("777", other.as_str()).unwrap();
    // The owner's decisions are not affected.
    let asked = bot.channel("telegram").attempts(&owner()).unwrap();
    assert_eq!(asked.left, None);
    account.approve(code.as_str(), &operator("phone")).unwrap();
}

/// Whoever has no request guesses nothing, and what counts no longer is not kept.
pub(crate) fn wrong_codes_of_many_senders_are_not_kept(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    let account = bot.telegram();
    let kept = || {
        let range = Range::Attempts {
            channel: account.channel().id().clone(),
        };
        let page = fixture.open().range(&range, &PageRequest::first(100));
        page.unwrap().records.len()
    };
    for stranger in 1..=20 {
        assert_not_found(account.redeem(&format!("{stranger}"), WRONG));
    }
    assert_eq!(kept(), 0);
    for sender in ["12345", "777"] {
        create(&account, sender);
        assert_not_found(account.redeem(sender, WRONG));
    }
    assert_eq!(kept(), 2);
    bot.wait(5 * MINUTE);
    assert_not_found(account.redeem("777", WRONG));
    assert_eq!(kept(), 1);
}
