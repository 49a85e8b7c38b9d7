//! Bearer clients: programs that hold a token and no key of their own.

use pairing_core::store::{BearerClient, PageRequest};
use pairing_core::{
    BearerError, Bearers, NewBearer, PairingStore, Principal, Range, ScopeSet, SecretToken,
    TokenHash,
};

use crate::Fixture;
use crate::bot::{Bot, MINUTE, create, owner};
use crate::fixture::{at, operator_with};
use crate::registry::scopes;

fn bearers(bot: &Bot) -> Bearers {
    bot.pairing.bearers().unwrap()
}

fn write() -> ScopeSet {
    scopes(&["operator.write"])
}

/// Issues a token to write.
fn issue(bot: &Bot, name: &str) -> (SecretToken, BearerClient) {
    let issued = bearers(bot).issue(NewBearer::new(name, write()), &owner());
    let issued = issued.unwrap();
    (issued.token, issued.client)
}

/// Returns the names of the clients that are listed.
fn listed(bot: &Bot) -> Vec<String> {
    let clients = bearers(bot).list().unwrap();
    let mut names: Vec<_> = clients.into_iter().map(|client| client.name).collect();
    names.sort();
    names
}

fn is_valid(bot: &Bot, token: &SecretToken) -> bool {
    bearers(bot).verify(token).unwrap().is_some()
}

pub(crate) fn t160_a_token_is_verified_until_it_is_revoked(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    let (token, client) = issue(&bot, "script");
    let (other, _) = issue(&bot, "other");
    let elsewhere = bot.another(fixture, 2);
    let verified = bearers(&elsewhere).verify(&token).unwrap().unwrap();
    assert_eq!(verified.client(), &client);
    assert_eq!((verified.name(), verified.scopes()), ("script", &write()));
    assert_eq!(listed(&elsewhere), ["other", "script"]);
    for unknown in ["", "no such token", client.id().as_str(), "a\nb"] {
        assert!(bearers(&bot).verify_text(unknown).unwrap().is_none());
    }
    let text = client.hash.to_string();
    assert!(bearers(&bot).verify_text(&text).unwrap().is_none());

    let end = || bearers(&elsewhere).revoke(&client.id(), &owner()).unwrap();
    assert_eq!((end(), end()), (Some(client.clone()), None));
    assert!(!is_valid(&elsewhere, &token) && is_valid(&elsewhere, &other));
    assert!(!is_valid(&bot.another(fixture, 3), &token));
    assert_eq!(listed(&elsewhere), ["other"]);
}

pub(crate) fn t160_only_the_hash_of_a_bearer_token_is_stored(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    let (token, client) = issue(&bot, "script");
    let page = fixture.open();
    let page = page.range(&Range::BearerClients, &PageRequest::first(10));
    let page = page.unwrap();
    let [record] = page.records.as_slice() else {
        panic!("{page:?}");
    };
    assert_eq!(record.as_bearer_client(), Some(&client));
    assert_eq!(client.hash, TokenHash::of(&token));
    assert!(!format!("{record:?}").contains(token.expose()));
}

pub(crate) fn t160_nobody_gives_a_client_more_than_they_hold(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    let (_, client) = issue(&bot, "script");
    for held in [
        &["operator.write"][..],
        &["operator.pairing"],
        &["operator.pairing", "operator.read"],
    ] {
        let approver = operator_with("page", held);
        let refused = bearers(&bot).issue(NewBearer::new("more", write()), &approver);
        assert!(matches!(refused, Err(BearerError::Scope(_))), "{held:?}");
        let refused = bearers(&bot).revoke(&client.id(), &approver);
        assert!(matches!(refused, Err(BearerError::Scope(_))), "{held:?}");
    }
    let approver = operator_with("page", &["operator.pairing", "operator.write"]);
    let new = NewBearer::new("as much", write());
    bearers(&bot).issue(new, &approver).unwrap();
    assert_eq!(listed(&bot), ["as much", "script"]);
}

pub(crate) fn t160_a_client_decides_within_its_scopes(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    let code = create(&bot.telegram(), "12345").request.code;
    let user = Principal::parse("user 7").unwrap();
    let may = |names: &[&str]| {
        let new = NewBearer::new("script", scopes(names));
        let issued = bearers(&bot).issue(new, &owner().for_principal(user.clone()));
        let verified = bearers(&bot).verify(&issued.unwrap().token).unwrap();
        verified.unwrap().approver()
    };
    let writer = may(&["operator.write"]);
    bot.telegram().approve(code.as_str(), &writer).unwrap_err();
    let decider = may(&["operator.pairing"]);
    let more = NewBearer::new("more", scopes(&["operator.admin"]));
    bearers(&bot).issue(more, &decider).unwrap_err();
    bot.telegram().approve(code.as_str(), &decider).unwrap();
    let entry = bot.telegram().entry("12345").unwrap().unwrap();
    if let Some(grant) = &entry.grant {
        assert!(grant.by.as_str().starts_with("bearer:"), "{grant:?}");
        assert_eq!(entry.principal(), Some(&user));
    }
}

pub(crate) fn a_token_from_elsewhere_is_taken_over_once(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    let token = SecretToken::parse("zc_0123456789").unwrap();
    let take = |names: &[&str]| {
        let new = NewBearer::new(" old ", scopes(names));
        bearers(&bot).import(TokenHash::of(&token), new, &owner())
    };
    assert_eq!(take(&["operator.read"]).unwrap().name, "old");
    let again = take(&["operator.admin"]);
    assert!(matches!(again, Err(BearerError::Known)), "{again:?}");
    let verified = bearers(&bot).verify(&token).unwrap().unwrap();
    assert_eq!(verified.scopes(), &scopes(&["operator.read"]));
    for name in ["", " ", "a\u{1b}b", &"x".repeat(129)] {
        let refused = bearers(&bot).issue(NewBearer::new(name, write()), &owner());
        assert!(matches!(refused, Err(BearerError::Name)), "{refused:?}");
    }
    assert_eq!(listed(&bot), ["old"]);
}

pub(crate) fn a_bearer_token_is_valid_until_its_last_millisecond(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    let new = NewBearer::new("script", write()).expires_at(at(60_000));
    let token = bearers(&bot).issue(new, &owner()).unwrap().token;
    bot.wait(MINUTE - 1);
    assert!(is_valid(&bot, &token));
    bot.wait(1);
    assert!(!is_valid(&bot, &token));
    assert_eq!(listed(&bot), [""; 0]);
}

pub(crate) fn bearer_clients_are_bounded_and_expired_ones_deleted(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    let kept = || {
        let page = fixture.open();
        let page = page.range(&Range::BearerClients, &PageRequest::first(10));
        page.unwrap().records.len()
    };
    // The services of the cases have at most four.
    for name in ["1", "2", "3", "4"] {
        let new = NewBearer::new(name, write()).expires_at(at(60_000));
        bearers(&bot).issue(new, &owner()).unwrap();
    }
    let refused = bearers(&bot).issue(NewBearer::new("5", write()), &owner());
    let is_full = matches!(refused, Err(BearerError::TooMany { max: 4 }));
    assert!(is_full, "{refused:?}");
    assert_eq!(kept(), 4);
    bot.wait(MINUTE);
    issue(&bot, "5");
    assert_eq!((kept(), listed(&bot)), (1, vec!["5".to_owned()]));
}

pub(crate) fn the_clients_of_a_user_are_revoked_together(fixture: &Fixture) {
    let bot = Bot::new(fixture);
    let user = Principal::parse("user 7").unwrap();
    let (kept, _) = issue(&bot, "owner's");
    let theirs = ["1", "2"].map(|name| {
        let approver = owner().for_principal(user.clone());
        let issued = bearers(&bot).issue(NewBearer::new(name, write()), &approver);
        issued.unwrap().token
    });
    let verified = bearers(&bot).verify(&theirs[0]).unwrap().unwrap();
    assert_eq!(verified.principal(), Some(&user));
    let ended = bearers(&bot).revoke_of(&user, &owner()).unwrap();
    assert_eq!(ended.len(), 2);
    assert!(theirs.iter().all(|token| !is_valid(&bot, token)));
    assert!(is_valid(&bot, &kept));
}
