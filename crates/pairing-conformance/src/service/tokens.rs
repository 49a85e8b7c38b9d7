//! Tokens of devices that are approved for more, and that were narrowed before.

use std::time::Duration;

use pairing_core::device::{Credential, Device, Role};
use pairing_core::store::Change;
use pairing_core::{Key, Record, ScopeSet, SecretToken, Timestamp};

use crate::Fixture;
use crate::bot::{Bot, owner};
use crate::fixture::{read, write};
use crate::phone::{Phone, Session, asks, asks_by, by, enters, phone};
use crate::registry::scopes;

const READ: &str = "operator.read";
const WRITE: &str = "operator.write";
const SECRETS: &str = "operator.talk.secrets";

fn stored(fixture: &Fixture, phone: &Phone) -> Device {
    let key = Key::Device { device: phone.id() };
    let record = read(&*fixture.open(), &key).unwrap();
    record.as_device().unwrap().clone()
}

/// Returns the scopes of the stored token, as seen by a handle of its own.
fn token_scopes(fixture: &Fixture, phone: &Phone) -> ScopeSet {
    let device = stored(fixture, phone);
    device.roles[&Role::Operator]
        .token
        .as_ref()
        .unwrap()
        .scopes
        .clone()
}

fn pairs(bot: &Bot, phone: &Phone, names: &[&str]) -> SecretToken {
    asks(bot, &phone.operator(bot, names));
    phone.is_approved(bot);
    enters(bot, &phone.operator(bot, names)).minted.unwrap()
}

fn enters_by(bot: &Bot, phone: &Phone, names: &[&str], token: &SecretToken) -> Session {
    let credential = Credential::DeviceToken(token);
    by(bot, &phone.operator(bot, names), credential)
}

/// Asks for scopes with the token, and is approved.
fn upgrades(bot: &Bot, phone: &Phone, names: &[&str], token: &SecretToken) {
    let credential = Credential::DeviceToken(token);
    asks_by(bot, &phone.operator(bot, names), credential);
    phone.is_approved(bot);
}

fn narrows(bot: &Bot, phone: &Phone, names: &[&str]) {
    let (devices, kept) = (bot.pairing.devices(), scopes(names));
    let rotated = devices.rotate(phone.id(), Role::Operator, Some(&kept), &owner());
    assert_eq!(rotated.unwrap().scopes, kept);
}

pub(crate) fn t125_an_approved_upgrade_reaches_a_device_that_has_only_its_token(fixture: &Fixture) {
    let (bot, phone) = (Bot::new(fixture), phone(1));
    let mut token = pairs(&bot, &phone, &[READ]);
    for more in [WRITE, SECRETS] {
        upgrades(&bot, &phone, &[READ, more], &token);
        let old = token.clone();
        token = enters_by(&bot, &phone, &[READ, more], &token)
            .minted
            .unwrap();
        let connecting = phone.operator(&bot, &[READ]);
        let devices = bot.pairing.devices();
        devices
            .connect(&connecting, Credential::DeviceToken(&old))
            .unwrap_err();
        let again = enters_by(&bot, &phone, &[READ, more], &token);
        assert!(again.minted.is_none(), "it is delivered once");
    }
    assert_eq!(
        token_scopes(fixture, &phone),
        scopes(&[READ, WRITE, SECRETS])
    );
}

pub(crate) fn t126_an_unrelated_approval_does_not_widen_a_narrowed_token(fixture: &Fixture) {
    let (bot, phone) = (Bot::new(fixture), phone(1));
    pairs(&bot, &phone, &[READ, WRITE]);
    bot.clock.advance(Duration::from_secs(1));
    narrows(&bot, &phone, &[READ]);
    // Approved before the narrow token has been fetched.
    bot.clock.advance(Duration::from_secs(1));
    asks(&bot, &phone.operator(&bot, &[READ, SECRETS]));
    phone.is_approved(&bot);
    bot.clock.advance(Duration::from_secs(1));
    let session = enters(&bot, &phone.operator(&bot, &[READ]));
    assert_eq!(token_scopes(fixture, &phone), scopes(&[READ, SECRETS]));
    // What the device is told about the token is what is stored.
    let token = session.minted.unwrap();
    assert_eq!(session.token_scopes.unwrap(), scopes(&[READ, SECRETS]));
    asks_by(
        &bot,
        &phone.operator(&bot, &[WRITE]),
        Credential::DeviceToken(&token),
    );
}

pub(crate) fn t126_approvals_and_rotations_of_one_millisecond_are_in_order(fixture: &Fixture) {
    let (bot, phone) = (Bot::new(fixture), phone(1));
    pairs(&bot, &phone, &[READ, WRITE]);
    narrows(&bot, &phone, &[READ]);
    let token = enters(&bot, &phone.operator(&bot, &[READ])).minted.unwrap();
    let again = enters_by(&bot, &phone, &[READ], &token);
    assert!(again.minted.is_none(), "no approval came after it");
    upgrades(&bot, &phone, &[READ, SECRETS], &token);
    let token = enters_by(&bot, &phone, &[READ, SECRETS], &token)
        .minted
        .unwrap();
    assert_eq!(token_scopes(fixture, &phone), scopes(&[READ, SECRETS]));
    // A rotation after an approval, with nothing delivered between, keeps what the approval added.
    upgrades(&bot, &phone, &["operator.approvals"], &token);
    let devices = bot.pairing.devices();
    let rotated = devices
        .rotate(phone.id(), Role::Operator, None, &owner())
        .unwrap();
    let all = scopes(&[READ, SECRETS, "operator.approvals"]);
    assert_eq!(rotated.scopes, all);
    enters(&bot, &phone.operator(&bot, &[READ])).minted.unwrap();
    assert_eq!(token_scopes(fixture, &phone), all);
}

pub(crate) fn t126_a_clock_set_back_loses_no_approval(fixture: &Fixture) {
    let (bot, phone) = (Bot::new(fixture), phone(1));
    let token = pairs(&bot, &phone, &[READ]);
    bot.clock
        .set(Timestamp::from_millis(bot.now().as_millis() - 60_000));
    upgrades(&bot, &phone, &[READ, WRITE], &token);
    let token = enters_by(&bot, &phone, &[READ, WRITE], &token)
        .minted
        .unwrap();
    let again = enters_by(&bot, &phone, &[READ, WRITE], &token);
    assert!(again.minted.is_none());
    // A rotation at an earlier time than the approval comes after it all the same.
    bot.clock
        .set(Timestamp::from_millis(bot.now().as_millis() - 60_000));
    narrows(&bot, &phone, &[READ]);
    enters(&bot, &phone.operator(&bot, &[READ])).minted.unwrap();
    assert_eq!(token_scopes(fixture, &phone), scopes(&[READ]));
}

pub(crate) fn a_node_token_with_scopes_is_taken_without_them(fixture: &Fixture) {
    let (bot, phone) = (Bot::new(fixture), phone(1));
    let token = phone.pairs(&bot, &[]);
    let mut device = stored(fixture, &phone);
    let node = device.roles.get_mut(&Role::Node).unwrap();
    node.token.as_mut().unwrap().scopes = scopes(&[READ]);
    write(&*fixture.open(), [Change::Put(Record::from(device))]);
    let session = phone.returns(&bot, &[], &token);
    assert!(session.device.scopes().is_empty() && session.minted.is_none());
    // They do not make it an operator.
    let connecting = phone.operator(&bot, &[READ]);
    let devices = bot.pairing.devices();
    devices
        .connect(&connecting, Credential::DeviceToken(&token))
        .unwrap_err();
}
