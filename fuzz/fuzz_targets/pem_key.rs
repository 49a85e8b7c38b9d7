//! Keys as devices send them and files hold them: each has one device id, whatever its spelling.

use pairing_core::{DeviceId, DeviceKey, Identity};

target!(|text: &str| {
    public(text);
    private(text);
    // The armour is hard to guess, and what is in it is what matters.
    public(&format!(
        "-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----\n"
    ));
    private(&format!(
        "-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n"
    ));
});

fn public(text: &str) {
    let Ok(key) = DeviceKey::parse(text) else {
        return;
    };
    let base64 = key.to_base64url();
    assert_eq!(base64.len(), 43);
    for spelling in [
        base64.clone(),
        format!("{base64}="),
        base64.replace('-', "+").replace('_', "/"),
    ] {
        assert_eq!(DeviceKey::parse(&spelling), Ok(key));
    }
    assert_eq!(DeviceKey::from_bytes(*key.as_bytes()), Ok(key));
    let id = DeviceId::of(&key);
    assert_eq!(DeviceId::parse(&id.to_string()), Ok(id));
}

fn private(text: &str) {
    let Ok(identity) = Identity::from_pem(text) else {
        return;
    };
    let again = Identity::from_pem(&identity.private_key_pem()).expect("what we wrote");
    assert_eq!(again.id(), identity.id());
    assert_eq!(
        DeviceKey::parse(&identity.public_key_pem()),
        Ok(identity.key())
    );
    public(&identity.public_key_pem());
}
